"""What a proposal changes in settings and in how channels are reached: what a code owner checks first.
Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from scheduler import desired
from scheduler.desired.keys import DeclaredKey, keys_of
from scheduler.desired.secrets import without_secrets
from scheduler.desired.specs import Spec
from scheduler.planning.plan import is_allowed
from scheduler.planning.reconcile import Reconciled
from scheduler.times import duration_text, instant_text

_SHOWN_OF_WHOLE = ("repository", "queue", "token", "workflow", "command")
"""The keys that are shown of a channel that is added or removed."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One key whose value changes, both values as text; None where the file does not exist."""

    file: str
    key: str
    before: str | None
    after: str | None


def settings_changed(base: Reconciled | None, proposal: Reconciled) -> list[Setting]:
    """scheduler.yaml first, then channels by id; empty where there is no base to compare with."""
    if base is None or base.declared is None or proposal.declared is None:
        return []
    old, new = base.declared, proposal.declared
    found = list(_differences("scheduler.yaml", old.settings, new.settings, keys_of(desired.SettingsSpec)))
    decisive = [key for key in keys_of(desired.ChannelSpec) if key.key.decides_sending]
    for name in sorted({*old.channels, *new.channels}):
        was, now = old.channels.get(name), new.channels.get(name)
        file = new.files.get(("channel", name)) or old.files["channel", name]
        if was is not None and now is not None:
            found += _differences(file, was, now, decisive)
        elif now is not None and ("channel", name) not in old.unreadable:
            found.append(Setting(file=file, key="(new channel)", before=None, after=_channel_text(now)))
        elif was is not None and ("channel", name) not in new.unreadable:
            found.append(Setting(file=file, key="(removed channel)", before=_channel_text(was), after=None))
    return found


def _differences(
    file: str, old: Any, new: Any, keys: Iterable[DeclaredKey], prefix: str = ""
) -> Iterator[Setting]:
    for key in keys:
        was, now = getattr(old, key.field), getattr(new, key.field)
        if was == now:
            continue
        if isinstance(now, Spec):
            yield from _differences(file, was, now, keys_of(type(now)), f"{key.name}.")
        else:
            name = prefix + key.name
            yield Setting(file=file, key=name, before=_value_text(key, was), after=_value_text(key, now))


def _channel_text(channel: desired.ChannelSpec) -> str:
    """`repository acme/alpha, token ACME_TOKEN`."""
    keys = {key.name: key for key in keys_of(desired.ChannelSpec)}
    values = {name: getattr(channel, name) for name in _SHOWN_OF_WHOLE}
    return ", ".join(
        f"{name} {_value_text(keys[name], value)}" for name, value in values.items() if value is not None
    )


def _value_text(key: DeclaredKey, value: Any) -> str:
    """A value much as in the file, without a password that may be in the URL of a queue."""
    if key.field == "queue" and value is not None:
        return without_secrets(value)
    if key.field == "freezes":
        return ", ".join(map(_freeze_text, value)) or "none"
    if isinstance(value, desired.Pace):
        return f"{value.count} in {duration_text(value.seconds)}"
    if key.is_duration:
        return duration_text(value)
    if isinstance(value, tuple):
        return ", ".join(value) or ("all" if key.field == "allow" else "none")
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)


def _freeze_text(freeze: desired.Freeze) -> str:
    channels = "" if freeze.channels is None else f" on {', '.join(freeze.channels)}"
    reason = "" if freeze.reason is None else f" ({freeze.reason})"
    return f"{instant_text(freeze.from_)} to {instant_text(freeze.until)}{channels}{reason}"


def beyond(base: Reconciled | None, proposal: Reconciled) -> dict[str, str]:
    """Channels, and their repositories, that the `allow` of the base does not permit."""
    if base is None or base.declared is None or proposal.declared is None:
        return {}
    allow = base.declared.settings.allow
    if not allow:
        return {}
    return {
        name: channel.repository
        for name, channel in sorted(proposal.declared.channels.items())
        if channel.repository is not None and not is_allowed(channel.repository, allow)
    }


def other_state(base: Reconciled | None, proposal: Reconciled) -> tuple[str, str] | None:
    """`state` before and after, where a merge makes runs use another state."""
    if base is None or base.declared is None or proposal.declared is None:
        return None
    before, after = base.declared.settings.state, proposal.declared.settings.state
    return None if before == after else (before, after)
