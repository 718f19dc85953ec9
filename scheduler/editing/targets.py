"""What a name on the command line means: `channel:ID`, `wave:ID`, the id of a group or of a schedule. Pure.

A name of something that does not exist is refused with a suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from scheduler.checkout.source import Kind
from scheduler.desired import calendar_expressions
from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.errors import ScheduleError
from scheduler.planning.expand import Schedule
from scheduler.planning.rows import Row, is_queued
from scheduler.times import Instant, TimeError, in_zone, instant_text, read_time, read_zone
from scheduler.wording import and_more, did_you_mean, listed, quoted

FORMS = "write `channel:ID`, `wave:ID`, the id of a group (`wave/group`) or the id of a publication"
TargetKind = Literal["channel", "wave", "group", "schedule"]
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NEAREST = 3
_LISTED = 10


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an edit is about, and the file that declares it."""

    name: str
    """As on the command line: `wave:spring`, `spring/teaser/alpha`."""
    kind: TargetKind
    id: str
    file: str
    file_kind: Kind
    text: str
    """The text of the file."""
    place: edits.Place
    """Where the text declares it."""

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
    """The target that a name means. Raises ScheduleError, with a suggestion, where there is none."""
    kind, colon, name = text.partition(":")
    files = view.declared.files
    if text.endswith((".yaml", ".yml")):
        path = name if colon else text
        of = next((of for of, file in files.items() if f"/{file}".endswith(f"/{path}")), None)
        if of is not None and of not in ((kind, name), (kind, path)):
            raise ScheduleError(
                f"{quoted(text)} is the name of a file, not a target", hint=f"did you mean {':'.join(of)}?"
            )
    if colon and kind == "channel":
        return _target(view, text, "channel", name, _file(view, "channel", name), edits.ChannelPlace())
    if colon and kind == "wave":
        return _target(view, text, "wave", name, _file(view, "wave", name), edits.WavePlace())
    parts = text.split("/")
    if len(parts) == 3:
        return _member(view, *parts)
    is_channel = ("channel", parts[0]) in files and ("wave", parts[0]) not in files
    if len(parts) == 2 and (":" in parts[1] or _DAY.match(parts[1]) or is_channel):
        return _single(view, *parts)
    if len(parts) == 2:
        return _group(view, *parts)
    likely = [f"{kind}:{text}" for kind in ("wave", "channel") if (kind, text) in files]
    hint = f"did you mean {listed(likely, 'or')}?" if likely else FORMS
    raise ScheduleError(f"{quoted(text)} is not a target", hint=hint)


def demand_unsent(view: View, target: Target, refused: str, *, hint: str | None = None) -> None:
    """Refuse to change a single schedule that was sent: `refused` is what is then impossible.

    What is handed over and not public yet can be changed: `propose` says whether that still has an effect.
    """
    row = view.rows.get(target.id)  # None for all but a single schedule: no other id is of its form
    if row is None or not row.record.was_sent or is_queued(row.record) or row.is_ahead:
        return
    sent = "may have been published" if row.record.status == "failed" else f"is {row.record.status}"
    raise ScheduleError(
        f"{target.id} {sent}, so {refused}",
        hint=hint or f"run `scheduler show {target.id}` to see what happened",
    )


def find_schedule(view: View, text: str) -> Row:
    """One schedule by its id, whether it is still declared or only recorded.

    The time in an id may be in any zone. Raises ScheduleError, with a suggestion, where there is no such id.
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
        raise ScheduleError(f"{text} was renamed", hint=f"its id is now {heir}")
    kinds = [kind for kind in ("wave", "channel") if (kind, text) in view.declared.files]
    if kinds:
        kind, name = kinds[0], text
    else:
        target = resolve(view, text)  # raises where there is nothing of that name
        if target.kind == "schedule":
            raise _no_publication(view, target.id)
        kind, name = target.kind, target.id
    raise ScheduleError(
        f"{text} is a {kind}, not a single publication",
        hint=f"run `scheduler list --{kind} {name}` to see its publications",
    )


def is_single(text: str) -> bool:
    """Whether a name has the form of one schedule's id: `wave/group/channel`, or `channel/time`."""
    slashes = text.count("/")
    return slashes > 1 or (slashes == 1 and ":" in text)


def named(view: View, text: str) -> list[Row]:
    """The schedules of `wave:ID`, `channel:ID`, `tag:TAG` or a group, or the one schedule of that id.

    What is recorded counts, whether it is still declared or not. Raises ScheduleError, with a suggestion,
    where there is nothing of that name.
    """
    if is_single(text):
        return [find_schedule(view, text)]
    kind, _, name = text.partition(":")
    rows = view.rows.values()
    if kind == "tag":
        channels = view.declared.channels
        tagged = {channel for channel, spec in channels.items() if name in spec.tags}
        if not tagged:
            known = sorted({tag for spec in channels.values() for tag in spec.tags})
            raise ScheduleError(
                f"no channel has the tag {quoted(name)}", hint=_suggestion(name, known, "the tags are")
            )
        return [row for row in rows if row.record.channel_id in tagged]
    of = {"wave": "wave_id", "channel": "channel_id"}.get(kind, "coordination_group_id")
    wanted = text if of == "coordination_group_id" else name
    found = [row for row in rows if getattr(row.record, of) == wanted]
    if not found:
        resolve(view, text)  # raises where nothing of that name is declared either
    return found


def _instant(text: str) -> Instant | None:
    try:
        return read_time(text)
    except TimeError:
        return None


# --- each kind --------------------------------------------------------------------------------------


def _file(view: View, kind: Literal["channel", "wave"], name: str) -> str:
    """The file of a wave or a channel. Raises ScheduleError where there is none or it cannot be read."""
    declared = view.declared
    file = declared.files.get((kind, name))
    if file is None:
        known = sorted(known for of, known in declared.files if of == kind)
        hint = _suggestion(name, known, f"the declared {kind}s are")
        raise ScheduleError(f"{kind} {quoted(name)} is not declared", hint=hint)
    if (kind, name) in declared.unreadable:
        raise ScheduleError(
            f"{file} has errors, so an edit in it would have no effect",
            view.problems_in(file),
            hint=f"fix {file} first; to stop everything at once, set SCHEDULER_PAUSED=1 for `scheduler run`",
        )
    return file


def _target(view: View, name: str, kind: TargetKind, target_id: str, file: str, place: edits.Place) -> Target:
    text = view.text(file)
    assert text is not None, "the file was read for this view"
    is_channel = isinstance(place, (edits.ChannelPlace, edits.SinglePlace))
    return Target(
        name=name,
        kind=kind,
        id=target_id,
        file=file,
        file_kind="channel" if is_channel else "wave",
        text=text,
        place=place,
    )


def members_of(view: View, group_id: str) -> list[Schedule]:
    """The schedules of a group, in the order of its channels."""
    members = [s for s in view.reconciled.schedules.values() if s.group.id == group_id]
    return sorted(members, key=lambda schedule: schedule.position)


def _group(view: View, wave: str, group: str) -> Target:
    file = _file(view, "wave", wave)
    group_id = f"{wave}/{group}"
    entries = [entry.group for entry in view.declared.waves[wave].schedules]
    if group not in entries:
        hint = _suggestion(group, entries, f"the groups of wave {wave} are")
        raise ScheduleError(f"wave {wave} has no group {quoted(group)}", hint=hint)
    members = tuple(schedule.channel for schedule in members_of(view, group_id))
    return _target(view, group_id, "group", group_id, file, edits.GroupPlace(group, members))


def _member(view: View, wave: str, group: str, channel: str) -> Target:
    schedule_id = f"{wave}/{group}/{channel}"
    if schedule_id in view.rows and schedule_id not in view.reconciled.schedules:
        raise _not_declared(view.rows[schedule_id])
    within = _group(view, wave, group)
    members = tuple(schedule.channel for schedule in members_of(view, within.id))
    if channel not in members:
        hint = _suggestion(channel, members, f"the channels of group {within.id} are")
        raise ScheduleError(f"group {within.id} has no channel {quoted(channel)}", hint=hint)
    place = edits.MemberPlace(group, channel, members)
    return _target(view, schedule_id, "schedule", schedule_id, within.file, place)


def _suggestion(name: str, known: Sequence[str], these_are: str) -> str | None:
    """The one that is likely meant, by its beginning or its letters; else those that exist."""
    begun = [other for other in known if name and other.casefold().startswith(name.casefold())]
    if 0 < len(begun) <= _NEAREST:
        return f"did you mean {listed(begun, 'or')}?"
    return did_you_mean(name, known) or (f"{these_are} {and_more(known, _LISTED)}" if known else None)


def _single(view: View, channel: str, time: str) -> Target:
    file = _file(view, "channel", channel)
    at = _instant(time)
    spec = view.declared.channels[channel]
    if at is None:
        zone = read_zone(spec.timezone)
        rows = [r for r in view.rows.values() if r.record.channel_id == channel and r.record.wave_id is None]
        days = [(in_zone(row.record.at, zone), row.schedule_id) for row in rows]
        wanted = time.replace(" ", "T")
        there = [name for local, name in sorted(days) if wanted and local.startswith(wanted)]
        there = there or [name for local, name in sorted(days) if local[:10] == time[:10]]
        about = _instant(f"{time[:10]}T12:00Z")
        hint = f"write {listed(there, 'or')}" if there else _nearest(view, channel, about or view.now)
        what = (
            "is a day, not the id of a publication"
            if _DAY.fullmatch(time)
            else "is not a time with an offset"
        )
        raise ScheduleError(f"{quoted(time)} {what}", hint=hint)
    is_slot = calendar_expressions.is_instant(
        calendar_expressions.read_slots(spec.slots), read_zone(spec.timezone), at
    )
    schedule_id = f"{channel}/{instant_text(at)}"
    if not is_slot and all(one_off.at != at for one_off in spec.schedules):
        if schedule_id in view.rows:
            raise _not_declared(view.rows[schedule_id])
        raise _no_publication(view, schedule_id)
    place = edits.SinglePlace(at, slot=is_slot)
    return _target(view, schedule_id, "schedule", schedule_id, file, place)


def _not_declared(row: Row) -> ScheduleError:
    record = row.record
    status = record.status if record.reason is None else f"{record.status} ({record.reason})"
    return ScheduleError(
        f"{row.schedule_id} is recorded as {status} and no longer declared, so there is no line to edit"
    )


def _no_publication(view: View, schedule_id: str) -> ScheduleError:
    channel, _, time = schedule_id.partition("/")
    hint = _nearest(view, channel, read_time(time))
    return ScheduleError(f"channel {channel} has no publication at {time}", hint=hint)


def _nearest(view: View, channel: str, at: Instant) -> str:
    rows = [r for r in view.rows.values() if r.record.channel_id == channel and r.record.wave_id is None]
    near = [row.schedule_id for row in sorted(rows, key=lambda row: abs(row.record.at - at))[:_NEAREST]]
    if near:
        return f"the nearest are {', '.join(near)}"
    return f"run `scheduler list --channel {channel}` to see its slots and one-offs"
