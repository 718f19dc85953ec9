"""What text and Markdown show of a plan: its sections, counts, differences and checksum."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from scheduler.planning.plan import Action, Change, PlannedSend, pauses_text
from scheduler.reporting.time_format import moment
from scheduler.state.record import Record
from scheduler.times import duration_text
from scheduler.wording import count

if TYPE_CHECKING:
    from scheduler.desired import Pace

SYMBOLS: Mapping[Action, str] = {
    "create": "+",
    "update": "~",
    "pause": "~",
    "resume": "~",
    "reopen": "~",
    "cancel": "-",
    "send": ">",
    "retract": "<",
    "miss": "!",
    "fail": "!",
    "confirm": "?",
    "lookup": "?",
    "complete": "=",
    "archive": ".",
}
_CHANGED: frozenset[Action] = frozenset({"update", "pause", "resume", "reopen"})
_REST: Mapping[Action, str] = {
    "retract": "to take back",
    "miss": "to miss",
    "fail": "to fail",
    "confirm": "to confirm",
    "lookup": "to look up",
    "complete": "to complete",
    "archive": "to archive",
}


class Section(msgspec.Struct, frozen=True):
    """The changes of one wave, or of the publications that a channel's file declares, by publish time."""

    kind: Literal["wave", "channel"]
    name: str
    changes: Sequence[Change]

    @property
    def title(self) -> str:
        """The kind as the first word of a line: `Wave`."""
        return {"wave": "Wave", "channel": "Channel"}[self.kind]


def record_of(change: Change) -> Record:
    """The record that a change is about, as it will be where there is one."""
    record = change.after if change.after is not None else change.before
    if record is None:
        raise ValueError(f"a change of nothing: {change.schedule_id}")
    return record


def sections(changes: Iterable[Change]) -> list[Section]:
    """Waves by name, then channels by name; in each by publish time, place in the group, and id."""
    found: dict[tuple[bool, str], list[Change]] = {}
    for change in changes:
        record = record_of(change)
        key = (record.wave_id is None, record.wave_id or record.channel_id)
        found.setdefault(key, []).append(change)
    return [
        Section("channel" if alone else "wave", name, sorted(found[alone, name], key=_order))
        for alone, name in sorted(found)
    ]


def _order(change: Change) -> tuple[str, int, str]:
    record = record_of(change)
    return record.scheduled_at, record.position, change.schedule_id


def tally(changes: Iterable[Change]) -> Counter[Action]:
    """How many changes of each kind there are."""
    return Counter(change.action for change in changes)


def tally_text(changes: Sequence[Change]) -> str:
    """`Plan: 3 to add, 1 to change, 0 to cancel, 2 to send.`, or `No changes.`"""
    if not changes:
        return "No changes."
    counts = tally(changes)
    parts = [
        f"{counts['create']:,} to add",
        f"{sum(counts[action] for action in _CHANGED):,} to change",
        f"{counts['cancel']:,} to cancel",
        f"{counts['send']:,} to send",
    ]
    parts += [f"{counts[action]:,} {verb}" for action, verb in _REST.items() if counts[action]]
    return f"Plan: {', '.join(parts)}."


# --- what is different afterwards -----------------------------------------------------------------


def is_move(change: Change) -> bool:
    """Whether the publish time of a recorded publication changes."""
    before, after = change.before, change.after
    return (
        change.action in ("update", "reopen")
        and before is not None
        and after is not None
        and before.scheduled_at != after.scheduled_at
    )


def shift_text(seconds: int) -> str:
    """`1h30m later`, `10m earlier`."""
    return f"{duration_text(abs(seconds))} {'later' if seconds > 0 else 'earlier'}"


def differences(change: Change, zone: str) -> list[tuple[str, str, str]]:
    """What an edit changes: (label, old, new). The texts are as declared, not escaped."""
    before, after = change.before, change.after
    if before is None or after is None or change.action not in ("update", "reopen"):
        return []
    found = []
    if before.scheduled_at != after.scheduled_at:
        found.append(("time", moment(before.at, zone), moment(after.at, zone)))
    for label, name in _FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            found.append((label, _value(name, old), _value(name, new)))
    return found


_FIELDS = (
    ("video", "video_id"),
    ("metadata", "metadata"),
    ("paused", "pauses"),
    ("catch_up", "catch_up"),
    ("halt on failure", "halt"),
    ("after_success", "after_success"),
    ("type", "schedule_type"),
    ("status", "status"),
)
_compact = msgspec.json.Encoder(order="sorted")


def _value(name: str, value: Any) -> str:
    if name == "pauses":
        return pauses_text(value) or "not paused"
    if name == "catch_up":
        return "as in scheduler.yaml" if value is None else duration_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "metadata" and value is not None:
        return _compact.encode(value).decode()
    return "none" if value is None else str(value)


# --- pace -----------------------------------------------------------------------------------------


def pace_notes(sends: Sequence[PlannedSend], pace: Pace | None) -> list[tuple[str | None, str]]:
    """What `pace` does to the sends: (token, `100 sends at 60/min: the last leaves 40 s after the first`).

    One note for each token whose sends do not all leave at once. The token is None where there is only one.
    """
    offsets: dict[str, list[float]] = {}
    for send in sends:
        if send.token is not None:
            offsets.setdefault(send.token, []).append(send.offset_seconds)
    if pace is None:
        return []
    notes = []
    for token, found in sorted(offsets.items()):
        spread = round(max(found) - min(found))
        if spread < 1:
            continue
        rate = f"{pace.count}/{_UNITS.get(pace.seconds) or duration_text(pace.seconds)}"
        after = f"{spread} s" if spread < 120 else duration_text(spread)
        text = f"{count(len(found), 'send')} at {rate}: the last leaves {after} after the first"
        notes.append((token if len(offsets) > 1 else None, text))
    return notes


_UNITS = {1: "s", 60: "min", 3_600: "h", 86_400: "d"}


# --- which plan it is -----------------------------------------------------------------------------

_DECIDED = (
    "schedule_type",
    "channel_id",
    "wave_id",
    "coordination_group_id",
    "video_id",
    "scheduled_at",
    "status",
    "reason",
    "is_paused",
    "pauses",
    "metadata",
    "slot",
    "position",
    "catch_up",
    "halt",
    "after_success",
    "resends",
)


def checksum(changes: Iterable[Change]) -> str:
    """`sha256:…` of the canonical JSON of what some changes do.

    What depends on the instant of planning (histories, lateness, the text of reasons) is left out, so that
    the same plan has the same checksum a minute later.
    """
    steps = [
        [change.schedule_id, change.action, _decided(change.before), _decided(change.after)]
        for change in changes
    ]
    steps.sort(key=lambda step: (step[0], step[1]))
    return "sha256:" + hashlib.sha256(_compact.encode(steps)).hexdigest()


def _decided(record: Record | None) -> list[Any] | None:
    return None if record is None else [getattr(record, name) for name in _DECIDED]
