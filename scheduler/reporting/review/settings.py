"""What a proposal changes of settings and of channels' ends: what a code owner looks at first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scheduler import desired
from scheduler.desired.secrets import without_secrets
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rules.pace import is_allowed
from scheduler.times import duration_text, instant_text

_END = (
    "repository", "token", "transport", "workflow", "event_type", "queue", "command", "confirm", "delivery",
    "active", "lead", "timezone",
)  # fmt: skip
"""The keys of a channel that say where its publications go, with what, and when."""
_OF_A_WHOLE_ONE = ("repository", "queue", "token", "workflow", "command")
"""Those that are told of a channel that is new, or gone."""
_SETTINGS: Mapping[str, str] = {
    "min_gap": "conflicts.min_gap",
    "repeat_window": "conflicts.repeat_window",
    "retry_attempts": "retry.attempts",
    "retry_backoff": "retry.backoff",
    "cancel_percent": "brake.cancel_percent",
    "at_least": "brake.at_least",
}
"""Fields whose key in scheduler.yaml is another."""
_DURATIONS = frozenset({"min_gap", "repeat_window", "catch_up", "horizon", "retry_backoff", "lead"})


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
    fields = new.settings.__struct_fields__
    found = list(_differences("scheduler.yaml", old.settings, new.settings, fields))
    for name in sorted({*old.channels, *new.channels}):
        was, now = old.channels.get(name), new.channels.get(name)
        file = new.files.get(("channel", name)) or old.files["channel", name]
        if was is not None and now is not None:
            found += _differences(file, was, now, _END)
        elif now is not None and ("channel", name) not in old.unreadable:
            found.append(Setting(file=file, key="(new channel)", before=None, after=_end(now)))
        elif was is not None and ("channel", name) not in new.unreadable:
            found.append(Setting(file=file, key="(no channel)", before=_end(was), after=None))
    return found


def _differences(file: str, old: Any, new: Any, fields: tuple[str, ...]) -> Iterator[Setting]:
    for field in fields:
        if getattr(old, field) != getattr(new, field):
            yield Setting(
                file=file,
                key=_SETTINGS.get(field, field),
                before=_words(old, field),
                after=_words(new, field),
            )


def _end(channel: desired.ChannelSpec) -> str:
    """`repository acme/alpha, token ACME_TOKEN`."""
    keys = (key for key in _OF_A_WHOLE_ONE if getattr(channel, key) is not None)
    return ", ".join(f"{key} {_words(channel, key)}" for key in keys)


def _words(owner: Any, field: str) -> str:
    """A value much as the file has it, without a password that somebody wrote into a queue's address."""
    value = getattr(owner, field)
    if field == "queue" and value is not None:
        return without_secrets(value)
    if field == "freezes":
        return ", ".join(map(_freeze_text, value)) or "none"
    if isinstance(value, desired.Pace):
        return f"{value.count} in {duration_text(value.seconds)}"
    if field in _DURATIONS:
        return duration_text(value)
    if isinstance(value, tuple):
        return ", ".join(value) or ("all" if field == "allow" else "none")
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
