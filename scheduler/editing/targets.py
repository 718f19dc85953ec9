"""What the words of a person mean: `channel:ID`, `wave:ID`, the id of a group or of a schedule. Pure.

What is not there gets a suggestion of what is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from scheduler.checkout.source import Kind
from scheduler.desired import calendar_expressions
from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.errors import ScheduleError
from scheduler.planning.rows import Row
from scheduler.times import Instant, TimeError, instant_text, read_time, read_zone
from scheduler.wording import did_you_mean

FORMS = "a target is `channel:ID`, `wave:ID`, a schedule's id, or a group's: `wave/group`"
_NEAREST = 3
_LISTED = 10


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an edit is about, and the file that says it."""

    name: str
    """As a person writes it: `wave:spring`, `spring/teaser/alpha`."""
    kind: Literal["channel", "wave", "group", "schedule"]
    id: str
    file: str
    file_kind: Kind
    place: edits.Target

    def covers(self, row: Row) -> bool:
        """Whether a schedule belongs to it."""
        record = row.record
        if self.kind == "schedule":
            return row.schedule_id == self.id
        if self.kind == "group":
            return record.coordination_group_id == self.id
        return self.id == (record.wave_id if self.kind == "wave" else record.channel_id)

    def rows(self, view: View) -> list[Row]:
        """The schedules that belong to it, in the order of listings."""
        if self.kind == "schedule":
            row = view.rows.get(self.id)
            return [] if row is None else [row]
        return [row for row in view.rows.values() if self.covers(row)]


def resolve(view: View, text: str) -> Target:
    """The target that these words mean. Raises ScheduleError, with a suggestion, where there is none."""
    kind, colon, name = text.partition(":")
    if colon and kind in ("channel", "wave"):
        return _whole_file(view, "channel" if kind == "channel" else "wave", name)
    parts = text.split("/")
    if len(parts) == 3:
        return _member(view, *parts)
    if len(parts) == 2 and ":" in parts[1]:
        return _single(view, *parts)
    if len(parts) == 2:
        return _group(view, *parts)
    files = view.declared.files
    likely = [f"{kind}:{text}" for kind in ("wave", "channel") if (kind, text) in files]
    raise _unknown(f"{text!r} is no target", f"did you mean {' or '.join(likely)}?" if likely else FORMS)


def find_schedule(view: View, text: str) -> Row:
    """One schedule by its id, whether it is declared still or only recorded.

    Raises ScheduleError, with a suggestion, where there is none.
    """
    found = view.rows.get(text)
    if found is None and text.count("/") == 1 and ":" in text:
        channel, _, time = text.partition("/")
        at = _instant(time)
        found = None if at is None else view.rows.get(f"{channel}/{instant_text(at)}")
    if found is not None:
        return found
    heir = next((i for i, row in view.rows.items() if text in row.record.former_ids), None)
    if heir is not None:
        raise _unknown(f"{text} was renamed", f"it is {heir} now")
    target = resolve(view, text)  # raises for what is not there at all
    if target.kind == "schedule":
        raise _no_publication(view, target.id)
    option = {"wave": "--wave", "channel": "--channel", "group": "--group"}[target.kind]
    raise _unknown(
        f"{text} is a {target.kind}, not one schedule", f"`scheduler list {option} {target.id}` has them"
    )


def _unknown(message: str, hint: str | None) -> ScheduleError:
    return ScheduleError(message, hint=hint)


def _instant(text: str) -> Instant | None:
    try:
        return read_time(text)
    except TimeError:
        return None


# --- each kind --------------------------------------------------------------------------------------


def _file(view: View, kind: Literal["channel", "wave"], name: str) -> str:
    """The file of a wave or a channel, which must be readable."""
    declared = view.declared
    file = declared.files.get((kind, name))
    if file is None:
        known = sorted(known for of, known in declared.files if of == kind)
        raise _unknown(f"there is no {kind} {name!r}", _hint(name, known))
    if (kind, name) in declared.unreadable:
        raise ScheduleError(
            f"{file} cannot be read as it stands, so an edit in it would have no effect",
            view.faults_in(file),
            hint="mend it first; to stop everything at once, set SCHEDULER_PAUSED=1 where `run` runs",
        )
    return file


def _whole_file(view: View, kind: Literal["channel", "wave"], name: str) -> Target:
    file = _file(view, kind, name)
    place = edits.ChannelPlace() if kind == "channel" else edits.WavePlace()
    return Target(name=f"{kind}:{name}", kind=kind, id=name, file=file, file_kind=kind, place=place)


def _members(view: View, group_id: str) -> list[str]:
    """The channels of a group, in their order."""
    members = [s for s in view.reconciled.schedules.values() if s.group.id == group_id]
    return [schedule.channel for schedule in sorted(members, key=lambda schedule: schedule.position)]


def _group(view: View, wave: str, group: str) -> Target:
    file = _file(view, "wave", wave)
    group_id = f"{wave}/{group}"
    entries = [entry.group for entry in view.declared.waves[wave].schedules]
    if group not in entries:
        raise _unknown(f"the wave {wave} has no group {group!r}", _hint(group, entries))
    place = edits.GroupPlace(group, tuple(_members(view, group_id)))
    return Target(name=group_id, kind="group", id=group_id, file=file, file_kind="wave", place=place)


def _member(view: View, wave: str, group: str, channel: str) -> Target:
    schedule_id = f"{wave}/{group}/{channel}"
    if schedule_id in view.rows and schedule_id not in view.reconciled.schedules:
        raise _not_declared(view.rows[schedule_id])
    within = _group(view, wave, group)
    members = _members(view, within.id)
    if channel not in members:
        raise _unknown(f"the group {within.id} has no channel {channel!r}", _hint(channel, members))
    place = edits.MemberPlace(group, channel, tuple(members))
    return Target(
        name=schedule_id, kind="schedule", id=schedule_id, file=within.file, file_kind="wave", place=place
    )


def _hint(name: str, known: list[str]) -> str | None:
    """The likeliest of what is there: by its beginning, by its letters, or else all of it."""
    begun = [other for other in known if name and other.casefold().startswith(name.casefold())]
    if len(begun) == 1:
        return f"did you mean {begun[0]}?"
    some = begun or known
    listed = f"{', '.join(some[:_LISTED])}{', …' if some[_LISTED:] else ''}"
    return did_you_mean(name, known) or (f"there are {listed}" if some else None)


def _single(view: View, channel: str, time: str) -> Target:
    file = _file(view, "channel", channel)
    at = _instant(time)
    if at is None:
        raise _unknown(
            f"{time!r} is no time", "an id such as tech-daily/2026-03-02T17:00:00Z has the time in UTC"
        )
    spec = view.declared.channels[channel]
    is_slot = calendar_expressions.is_instant(
        [calendar_expressions.read_slot(rule) for rule in spec.slots], read_zone(spec.timezone), at
    )
    schedule_id = f"{channel}/{instant_text(at)}"
    if not is_slot and all(one_off.at != at for one_off in spec.schedules):
        if schedule_id in view.rows:
            raise _not_declared(view.rows[schedule_id])
        raise _no_publication(view, schedule_id)
    place = edits.SinglePlace(at, slot=is_slot)
    return Target(
        name=schedule_id, kind="schedule", id=schedule_id, file=file, file_kind="channel", place=place
    )


def _not_declared(row: Row) -> ScheduleError:
    record = row.record
    words = record.status if record.reason is None else f"{record.status} ({record.reason})"
    return _unknown(
        f"{row.schedule_id} is recorded as {words} and not declared any more: no line says it", None
    )


def _no_publication(view: View, schedule_id: str) -> ScheduleError:
    channel, _, time = schedule_id.partition("/")
    at = read_time(time)
    near = _nearest((row for row in view.rows.values() if row.record.channel_id == channel), at)
    hint = f"the nearest: {', '.join(near)}" if near else "`scheduler list` shows its slots and one-offs"
    return _unknown(f"{channel} has no publication at {time}", hint)


def _nearest(rows: Iterable[Row], at: Instant) -> list[str]:
    own = sorted((row for row in rows if row.record.wave_id is None), key=lambda row: abs(row.record.at - at))
    return [row.schedule_id for row in own[:_NEAREST]]
