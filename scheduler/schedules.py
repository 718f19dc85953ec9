"""Waves and channels become schedules: one value for each publication that is declared.

Instants are whole seconds since 1970-01-01T00:00:00Z; the publish time is `at`, and `at - lead` is when
it falls due. Names and places travel along, so that every later room can say where a schedule is from.
The slots of channels are the business of `scheduler.lineup`.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scheduler import spec
from scheduler.declarations import Declarations
from scheduler.diagnostics import Code, Diagnostic, Location, Related, error
from scheduler.state import Pause, Pauser, Record, ScheduleType
from scheduler.times import LAST, Instant, TimeError, instant_text, read_time, read_zone

Loc = tuple[str | int, ...]


class Group(msgspec.Struct, kw_only=True):
    """What the members of one entry share. Independent schedules have a group a channel."""

    id: str | None
    """The coordination group's id, `<wave>/<group>`; None for independent schedules."""
    wave: str | None
    schedule_type: ScheduleType
    metadata: dict[str, Any] | None = None
    repeat: bool = False
    catch_up: int | None = None
    halt: bool = False
    after_success: bool = False
    paused: Pause | None = None
    """The pause of the whole wave."""
    cancelled: bool = False
    """The whole wave is cancelled."""


class Schedule(msgspec.Struct, kw_only=True):
    """One publication as it is declared: one video, one channel, one instant."""

    id: str
    group: Group
    channel: str
    video: str | None
    at: Instant
    file: str
    loc: Loc
    """The route to its member (or entry) in the file."""
    position: int = 0
    paused: Pause | None = None
    cancelled: bool = False
    slot: bool = False


class Expansion(msgspec.Struct, kw_only=True):
    """The schedules of a repository by id, and what is wrong with some of them."""

    schedules: dict[str, Schedule]
    faults: list[Diagnostic]
    blocked: dict[str, Code]
    """Ids of schedules that must not be adopted, moved or sent, with the rule they break."""

    def block(self, schedule_id: str, fault: Diagnostic) -> None:
        """Keep a schedule from being acted upon, and tell the fault once."""
        self.faults.append(fault)
        self.blocked.setdefault(schedule_id, fault.code)


def pause_of(by: Pauser, paused: spec.PauseSpec | None) -> Pause | None:
    """A declared pause as it is recorded."""
    if paused is None:
        return None
    return Pause(by, paused.reason, None if paused.until is None else instant_text(paused.until))


def expand(declared: Declarations, records: Mapping[str, Record]) -> Expansion:
    """All schedules of waves and one-offs. `records` are the recorded and archived ones, by id."""
    result = Expansion(schedules={}, faults=[], blocked={})
    recorded_groups = _Recorded(records)
    for wave_id in sorted(declared.waves):
        _expand_wave(declared, wave_id, recorded_groups, result)
    for channel_id in sorted(declared.channels):
        _expand_one_offs(declared, channel_id, records, result)
    return result


class _Recorded:
    """The recorded members of groups; groups by tags keep to them. Indexed on first use."""

    def __init__(self, records: Mapping[str, Record]) -> None:
        self.by_id = records
        self._groups: dict[str, list[Record]] | None = None

    def members(self, group_id: str) -> list[Record]:
        if self._groups is None:
            self._groups = defaultdict(list)
            for record in self.by_id.values():
                if record.coordination_group_id is not None:
                    self._groups[record.coordination_group_id].append(record)
        return self._groups.get(group_id, [])


# --- waves ----------------------------------------------------------------------------------------


def _expand_wave(declared: Declarations, wave_id: str, recorded: _Recorded, result: Expansion) -> None:
    wave = declared.waves[wave_id]
    file = declared.files["wave", wave_id]
    paused = pause_of("wave", wave.paused)
    entries: dict[str, int] = {}
    for index, entry in enumerate(wave.schedules):
        group = Group(
            id=f"{wave_id}/{entry.group}",
            wave=wave_id,
            schedule_type=entry.type,
            metadata=entry.metadata,
            repeat=entry.repeat,
            catch_up=wave.catch_up,
            halt=wave.on_failure == "halt",
            after_success=entry.after_success,
            paused=paused,
            cancelled=wave.cancelled,
        )
        first = entries.setdefault(entry.group, index)
        if first != index:
            result.faults.append(_group_twice(declared, file, wave_id, wave, first, index))
        members = list(_members(declared, entry, group, file, index, recorded, result))
        for schedule in _timed(declared, entry, group, file, members, recorded, result):
            _add(declared, schedule, recorded.by_id, result, told=first != index)


def _add(
    declared: Declarations,
    schedule: Schedule,
    records: Mapping[str, Record],
    result: Expansion,
    *,
    told: bool = False,
) -> None:
    """Take a schedule in; of two with one id the recorded one stays, or neither."""
    twin = result.schedules.get(schedule.id)
    if twin is None:
        result.schedules[schedule.id] = schedule
        return
    if not told:
        result.faults.append(
            error(
                "duplicate-id",
                declared.place(schedule.file, schedule.loc),
                _twice(schedule),
                "remove one of the two",
                [Related("the first one", declared.place(twin.file, twin.loc))],
            )
        )
    record = records.get(schedule.id)
    same = [s for s in (twin, schedule) if record and (s.at, s.video) == (record.at, record.video_id)]
    if same:
        result.schedules[schedule.id] = same[0]
    else:
        result.blocked.setdefault(schedule.id, "duplicate-id")


def _twice(schedule: Schedule) -> str:
    if schedule.group.id is None:
        return f"the channel {schedule.channel} has two publications at {instant_text(schedule.at)}"
    return f"the channel {schedule.channel} stands twice in the group {schedule.group.id}"


def _group_twice(
    declared: Declarations, file: str, wave_id: str, wave: spec.WaveSpec, first: int, second: int
) -> Diagnostic:
    name = wave.schedules[second].group

    def where(index: int) -> Location:
        route: Loc = ("schedules", index)
        document = declared.documents[file].data["schedules"][index]
        return declared.place(file, (*route, "group" if "group" in document else "video"))

    return error(
        "duplicate-id",
        where(second),
        f"the wave {wave_id} has two groups {name!r} (the default is the video's id)",
        f"give this entry a name of its own: `group: {name}-2`",
        [Related("the first one", where(first))],
    )


Member = tuple[spec.MemberSpec, Loc]


def _members(
    declared: Declarations,
    entry: spec.EntrySpec,
    group: Group,
    file: str,
    index: int,
    recorded: _Recorded,
    result: Expansion,
) -> Iterator[Member]:
    """The members of an entry in their order, each with its route in the file."""
    base: Loc = ("schedules", index)
    overrides = {member.id: (member, (*base, "members", i)) for i, member in enumerate(entry.members)}
    if not isinstance(entry.channels, spec.TagSelector):
        for i, member in enumerate(entry.channels):
            yield overrides.get(member.id) or (member, (*base, "channels", i))
        return
    names = _tagged(declared, entry.channels.tags, group, recorded)
    known = {*declared.channels, *(i for kind, i in declared.unreadable if kind == "channel")}
    if not names and known == set(declared.channels):
        wanted = " and ".join(entry.channels.tags)
        tags = sorted({tag for channel in declared.channels.values() for tag in channel.tags})
        result.faults.append(
            error(
                "unknown-channel",
                declared.place(file, (*base, "channels", "tags")),
                f"no active channel has the tag {wanted}",
                _did_you_mean(entry.channels.tags[0], tags)
                or f"the tags in use: {', '.join(tags) or 'none'}",
            )
        )
    for member, loc in overrides.values():
        if member.id not in names:
            result.faults.append(
                error(
                    "unknown-channel",
                    declared.place(file, loc),
                    f"the channel {member.id} is not among those with these tags",
                    _did_you_mean(member.id, names),
                )
            )
    for name in names:
        yield overrides.get(name) or (spec.MemberSpec(id=name), (*base, "channels"))


def _tagged(declared: Declarations, tags: tuple[str, ...], group: Group, recorded: _Recorded) -> list[str]:
    """The active channels that have every tag, by id; a group that has begun takes nobody else in."""
    wanted = set(tags)
    names = {
        name for name, channel in declared.channels.items() if channel.active and wanted <= set(channel.tags)
    }
    members = recorded.members(group.id or "")
    if any(record.was_sent for record in members):
        names &= {record.channel_id for record in members}
    names |= {
        record.channel_id
        for record in members
        if ("channel", record.channel_id) in declared.unreadable and record.status != "cancelled"
    }
    return sorted(names)


def _timed(
    declared: Declarations,
    entry: spec.EntrySpec,
    group: Group,
    file: str,
    members: list[Member],
    recorded: _Recorded,
    result: Expansion,
) -> Iterator[Schedule]:
    """Give each member its instant."""
    shift = 0
    for position, (member, loc) in enumerate(members):
        schedule_id = f"{group.id}/{member.id}"
        shift += member.shift or 0
        try:
            at = _own_time(declared, entry, member)
        except TimeError as problem:
            at = None
            where = declared.place(file, (*loc, "at") if member.local_at else (*loc[:2], "at"))
            result.block(schedule_id, error("invalid-value", where, f"{member.id}: {problem}", problem.hint))
        if at is None and entry.at is not None and member.local_at is None:
            at = entry.at + (entry.delay * position + shift if entry.type == "staggered" else 0)
        if at is not None and not 0 <= at <= LAST:
            where = declared.place(file, loc)
            fault = error("invalid-value", where, f"{member.id} would be published after the year 2999")
            result.block(schedule_id, fault)
            continue
        if at is None:  # its own file is faulty: as recorded, or not at all
            record = recorded.by_id.get(schedule_id)
            if record is None:
                continue
            at = record.at
        yield Schedule(
            id=schedule_id,
            group=group,
            channel=member.id,
            video=entry.video,
            at=at,
            file=file,
            loc=loc,
            position=position,
            paused=pause_of("schedule", member.paused) if member.paused is not None else None,
            cancelled=member.cancelled or group.cancelled,
        )


def _own_time(declared: Declarations, entry: spec.EntrySpec, member: spec.MemberSpec) -> Instant | None:
    """A member's own instant, or the entry's wall-clock time in the zone of the member's channel."""
    if member.at is not None:
        return member.at
    text = member.local_at or entry.local_at
    if text is None:
        return None
    channel = declared.channels.get(member.id)
    return None if channel is None else read_time(text, read_zone(channel.timezone))


# --- one-offs -------------------------------------------------------------------------------------


def _expand_one_offs(
    declared: Declarations, channel_id: str, records: Mapping[str, Record], result: Expansion
) -> None:
    channel = declared.channels[channel_id]
    file = declared.files["channel", channel_id]
    for index, one_off in enumerate(channel.schedules):
        schedule = Schedule(
            id=f"{channel_id}/{instant_text(one_off.at)}",
            group=Group(
                id=None,
                wave=None,
                schedule_type="independent",
                metadata=one_off.metadata,
                repeat=one_off.repeat,
            ),
            channel=channel_id,
            video=one_off.video,
            at=one_off.at,
            file=file,
            loc=("schedules", index),
            paused=pause_of("schedule", one_off.paused),
            cancelled=one_off.cancelled,
        )
        _add(declared, schedule, records, result)


# --- declared beside recorded ----------------------------------------------------------------------


def may_revive(schedule: Schedule, record: Record) -> bool:
    """Whether a finished, never sent record would be pending again if its time were to come.

    So it is with a cancelled one that is declared uncancelled, and with a failed one whose declared
    time or video was changed since.
    """
    if schedule.cancelled or record.is_live or record.was_sent:
        return False
    return record.status == "cancelled" or (schedule.at, schedule.video) != (record.at, record.video_id)


def occupied_instant(schedule: Schedule, record: Record | None, now: Instant) -> Instant | None:
    """When a declared schedule is published, was published, or may have been; None where it is not."""
    if record is not None and record.was_sent:
        return record.at
    if schedule.cancelled:
        return None
    if record is None or record.is_live or (may_revive(schedule, record) and schedule.at > now):
        return schedule.at
    return None


# --- channels that schedules name ------------------------------------------------------------------


def check_channels(declared: Declarations, records: Mapping[str, Record], result: Expansion) -> None:
    """Tell of schedules on channels that are not declared or not active, and keep them from being sent.

    What has been finished stays told as it was: a channel may go when its publications are over.
    """
    known = declared.channels
    for schedule in result.schedules.values():
        channel = known.get(schedule.channel)
        if channel is not None and channel.active:
            continue
        record = records.get(schedule.id)
        if record is not None and not record.is_unsent_live and not may_revive(schedule, record):
            continue
        if channel is None:
            code = declared.unreadable.get(("channel", schedule.channel))
            if code is not None:
                result.blocked.setdefault(schedule.id, code)
            else:
                result.block(schedule.id, _unknown_channel(declared, schedule))
        elif not schedule.cancelled:
            result.block(schedule.id, _inactive_channel(declared, schedule))


def _unknown_channel(declared: Declarations, schedule: Schedule) -> Diagnostic:
    names = sorted(name for kind, name in declared.files if kind == "channel")
    return error(
        "unknown-channel",
        member_place(declared, schedule),
        f"the channel {schedule.channel!r} is not declared",
        _did_you_mean(schedule.channel, names) or f"declare it in channels/{schedule.channel}.yaml",
    )


def _inactive_channel(declared: Declarations, schedule: Schedule) -> Diagnostic:
    file = declared.files["channel", schedule.channel]
    return error(
        "inactive-channel",
        member_place(declared, schedule),
        f"the channel {schedule.channel} is not active",
        f"remove it here, or set `active: true` in {file}",
        [Related("here it is switched off", declared.place(file, ("active",)))],
    )


def member_place(declared: Declarations, schedule: Schedule) -> Location:
    """Where a schedule is declared: its channel's name in a wave, its entry in a channel."""
    data: Any = declared.documents[schedule.file].data
    for step in schedule.loc:
        data = data[step]
    if isinstance(data, dict):
        for key in ("id", "tags"):
            if key in data:
                return declared.place(schedule.file, (*schedule.loc, key))
    return declared.place(schedule.file, schedule.loc)


def _did_you_mean(word: str, known: list[str]) -> str | None:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else None
