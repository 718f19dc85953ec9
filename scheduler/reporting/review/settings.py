"""What a proposal changes of settings and of channels' ends: what a code owner looks at first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from scheduler import desired
from scheduler.desired.keys import DeclaredKey, keys_of
from scheduler.desired.secrets import without_secrets
from scheduler.desired.specs import Spec
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rules.pace import is_allowed
from scheduler.times import duration_text, instant_text

_OF_A_WHOLE_ONE = ("repository", "queue", "token", "workflow", "command")
"""The keys that are shown of a channel that is new, or gone."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One key that has another value afterwards, in words; None where the file is not there."""

    file: str
    key: str
    before: str | None
    after: str | None


def settings_changed(base: Reconciled | None, proposal: Reconciled) -> list[Setting]:
    """scheduler.yaml first, then channels by id; nothing where there is no base to compare with."""
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
            found.append(Setting(file=file, key="(new channel)", before=None, after=_end(now)))
        elif was is not None and ("channel", name) not in new.unreadable:
            found.append(Setting(file=file, key="(no channel)", before=_end(was), after=None))
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


def _end(channel: desired.ChannelSpec) -> str:
    """`repository acme/alpha, token ACME_TOKEN`."""
    keys = {key.name: key for key in keys_of(desired.ChannelSpec)}
    values = {name: getattr(channel, name) for name in _OF_A_WHOLE_ONE}
    return ", ".join(
        f"{name} {_value_text(keys[name], value)}" for name, value in values.items() if value is not None
    )


def _value_text(key: DeclaredKey, value: Any) -> str:
    """A value much as the file has it, without a password that somebody wrote into a queue's URL."""
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
    """Channels, and their repositories, that only an `allow` wider than the base's lets be."""
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


def other_record(base: Reconciled | None, proposal: Reconciled) -> tuple[str, str] | None:
    """`state` as it was and as it will be, where a merge makes runs believe another record."""
    if base is None or base.declared is None or proposal.declared is None:
        return None
    before, after = base.declared.settings.state, proposal.declared.settings.state
    return None if before == after else (before, after)
