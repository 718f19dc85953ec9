"""Waves and channels become schedules: one value for each publication that is declared.

Instants are whole seconds since 1970-01-01T00:00:00Z; the publish time is `at`, and `at - lead` is when
it falls due. Names and places travel along, so that every later step can say where a schedule is from.
The slots of channels are the business of `scheduler.planning.lineup`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from scheduler import desired
from scheduler.desired import calendar_expressions
from scheduler.desired.declarations import Declarations
from scheduler.desired.fields import CHANNEL_ZONE
from scheduler.diagnostics import Code, Diagnostic, Location, Related, Tally, error
from scheduler.planning.local_times import (
    Wall,
    Zones,
    declared_wall,
    is_same_declaration,
    one_off_wall,
    wall_text,
)
from scheduler.state.record import Pause, Pauser, Record, ScheduleType
from scheduler.times import (
    LAST,
    Instant,
    TimeError,
    instant_text,
    later,
    read_time,
    read_utc,
    read_zone,
)
from scheduler.wording import did_you_mean, quoted

Loc = tuple[str | int, ...]
RESTORED = 7 * 24 * 3600
"""Seconds after its time within which a restored publication is reported as missed."""


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
    local_time: str | None = None
    """The local time that `at` was made of (`Record.local_time`), and its zone."""
    timezone: str | None = None


class Expansion(msgspec.Struct, kw_only=True):
    """The schedules of a repository by id, and what is wrong with some of them."""

    schedules: dict[str, Schedule]
    faults: Tally
    blocked: dict[str, Code]
    """Ids of schedules that must not be adopted, moved or sent, with the rule they break."""
    elsewhere: dict[str, Instant] = {}
    """Ids of what was handed over, where the zone data in use would give another publish time: that one."""


def pause_of(by: Pauser, paused: desired.PauseSpec | None) -> Pause | None:
    """A declared pause as it is recorded."""
    if paused is None:
        return None
    return Pause(by, paused.reason, None if paused.until is None else instant_text(paused.until))


def expand(
    declared: Declarations,
    records: Mapping[str, Record],
    one_offs: Mapping[str, str] = MappingProxyType({}),
    zones: Zones | None = None,
) -> Expansion:
    """All schedules of waves and one-offs. `records` are the recorded and archived ones, by id.

    `one_offs` has the ids of those whose record has another id than their instant gives (`local_times`).
    """
    result = Expansion(schedules={}, faults=Tally(), blocked={})
    recorded_groups = _Recorded(records)
    for wave_id in sorted(declared.waves):
        _expand_wave(declared, wave_id, recorded_groups, result)
    for channel_id in sorted(declared.channels):
        _expand_one_offs(declared, channel_id, records, result, one_offs)
    if zones is not None and records:
        _keep_recorded_times(records, zones, result)
    return result


def _keep_recorded_times(records: Mapping[str, Record], zones: Zones, result: Expansion) -> None:
    """What was sent, or failed, stays at its time, whatever the zone data says by now; the rest moves.

    Data that is older than the state's moves nothing: what it would move or adopt is held.
    """
    for schedule_id, schedule in result.schedules.items():
        if schedule.timezone is None:
            continue
        record = records.get(schedule_id)
        holds = zones.holds(schedule.timezone)
        if record is None or schedule.at == record.at:
            if record is None and holds:
                result.blocked.setdefault(schedule_id, "zone-data")
        elif not is_same_declaration(schedule.local_time, schedule.timezone, schedule.at, record):
            if holds:
                result.blocked.setdefault(schedule_id, "zone-data")
        elif record.was_sent or record.status == "failed" or holds:
            if record.was_sent:
                result.elsewhere[schedule_id] = schedule.at
            schedule.at = record.at


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


class _Entry(msgspec.Struct, kw_only=True):
    """One entry of a wave, and what its expansion looks at and adds to."""

    declared: Declarations
    spec: desired.EntrySpec
    group: Group
    file: str
    index: int
    recorded: _Recorded
    result: Expansion
    misnamed: list[Diagnostic] = []
    """Lines in `members` about channels that the tags do not choose."""

    @property
    def route(self) -> Loc:
        return ("schedules", self.index)

    def written(self, loc: Loc) -> Any:
        """What the file has at a route."""
        data: Any = self.declared.documents[self.file].data
        for step in loc:
            data = data[step]
        return data

    def wall(self, channel: str, text: object) -> Wall | None:
        """The local time of a text in this entry; in the zone of a channel where the entry says so."""
        zone = self.written(self.route).get("timezone")
        if zone == CHANNEL_ZONE:
            known = self.declared.channels.get(channel)
            zone = "UTC" if known is None else known.timezone
        return declared_wall(text, zone)

    @property
    def group_id(self) -> str:
        return self.group.id or ""

    def refuse(self, schedules: Sequence[str], code: Code, loc: Loc, message: str, hint: str | None) -> None:
        """Report an error at a place in this file, and keep back the schedules it is about."""
        where = self.declared.place(self.file, loc)
        self.result.faults.add(error(code, where, message, hint, schedules=schedules))
        for schedule_id in schedules:
            self.result.blocked.setdefault(schedule_id, code)

    def hold_back(self, code: Code) -> list[str]:
        """Block what is new or moved in this group, and return its ids; the rest stays as recorded."""
        held = []
        for schedule in self.result.schedules.values():
            if schedule.group.id == self.group.id:
                record = self.recorded.by_id.get(schedule.id)
                if record is None or (schedule.at, schedule.video) != (record.at, record.video_id):
                    self.result.blocked.setdefault(schedule.id, code)
                    held.append(schedule.id)
        return held


def _expand_wave(declared: Declarations, wave_id: str, recorded: _Recorded, result: Expansion) -> None:
    wave = declared.waves[wave_id]
    file = declared.files["wave", wave_id]
    paused = pause_of("wave", wave.paused)
    entries: dict[str, int] = {}
    for index, entry_spec in enumerate(wave.schedules):
        group = Group(
            id=f"{wave_id}/{entry_spec.group}",
            wave=wave_id,
            schedule_type=entry_spec.type,
            metadata=entry_spec.metadata,
            repeat=entry_spec.repeat,
            catch_up=wave.catch_up,
            halt=wave.on_failure == "halt",
            after_success=entry_spec.after_success,
            paused=paused,
            cancelled=wave.cancelled,
        )
        entry = _Entry(declared=declared, spec=entry_spec, group=group, file=file, index=index,
                       recorded=recorded, result=result)  # fmt: skip
        first = entries.setdefault(entry_spec.group, index)
        for schedule in _timed(entry):
            if result.schedules.setdefault(schedule.id, schedule) is not schedule:
                _choose(declared, schedule, recorded.by_id, result, reported=first != index)
        if first != index:
            held = entry.hold_back("duplicate-id")
            result.faults.report("duplicate-id", file, partial(_group_twice, entry, first, held))
        elif entry.misnamed:
            held = entry.hold_back("unknown-channel")
            for fault in entry.misnamed:
                result.faults.add(replace(fault, schedules=tuple(held)))


def _choose(
    declared: Declarations,
    schedule: Schedule,
    records: Mapping[str, Record],
    result: Expansion,
    *,
    reported: bool = False,
) -> None:
    """Of two schedules with one id the recorded one stays, or neither."""
    twin = result.schedules[schedule.id]
    if not reported:
        result.faults.report("duplicate-id", schedule.file, lambda: _twice(declared, schedule, twin))
    record = records.get(schedule.id)
    same = [s for s in (twin, schedule) if record and (s.at, s.video) == (record.at, record.video_id)]
    if same:
        result.schedules[schedule.id] = same[0]
    else:
        result.blocked.setdefault(schedule.id, "duplicate-id")


def _twice(declared: Declarations, schedule: Schedule, first: Schedule) -> Diagnostic:
    if schedule.group.id is None:
        message = f"channel {schedule.channel} has two publications at {instant_text(schedule.at)}"
    else:
        message = f"channel {schedule.channel} is listed twice in group {schedule.group.id}"
    return error(
        "duplicate-id",
        member_place(declared, schedule),
        message,
        "remove one of the two",
        [Related("the first one", member_place(declared, first))],
        schedules=[schedule.id],
    )


def _group_twice(entry: _Entry, first: int, held: Sequence[str]) -> Diagnostic:
    declared, name = entry.declared, entry.spec.group

    def where(index: int) -> Location:
        route: Loc = ("schedules", index)
        document = declared.documents[entry.file].data["schedules"][index]
        return declared.place(entry.file, (*route, "group" if "group" in document else "video"))

    return error(
        "duplicate-id",
        where(entry.index),
        f"wave {entry.group.wave} has two groups {quoted(name)} (the default name is the video's id)",
        f"give this entry another name: `group: {name}-2`",
        [Related("the first one", where(first))],
        schedules=held,
    )


# --- members of an entry ----------------------------------------------------------------------------

Member = tuple[desired.MemberSpec, Loc]


def _members(entry: _Entry) -> Iterable[Member]:
    """The members of an entry in their order, each with its route in the file."""
    overrides = {
        member.id: (member, (*entry.route, "members", i)) for i, member in enumerate(entry.spec.members)
    }
    channels = entry.spec.channels
    if isinstance(channels, desired.TagSelector):
        return _chosen(entry, channels, overrides)
    listed = zip(channels, _routes(entry.index, len(channels)), strict=True)
    return [overrides.get(member.id, (member, loc)) for member, loc in listed] if overrides else listed


@cache
def _routes(index: int, members: int) -> tuple[Loc, ...]:
    """The routes to the channels of an entry: every wave has the same ones, so they are made once."""
    return tuple(("schedules", index, "channels", i) for i in range(members))


def _chosen(
    entry: _Entry, channels: desired.TagSelector, overrides: Mapping[str, Member]
) -> Iterator[Member]:
    """The members of a group by tags."""
    names = _tagged(entry, channels.tags)
    unread = {kind for kind, _ in entry.declared.unreadable} | entry.declared.hidden
    if not names and "channel" not in unread:
        names = _tags_match_nothing(entry, channels.tags)
    else:
        for member, loc in overrides.values():
            if member.id not in names and entry.declared.fault_of("channel", member.id) is None:
                _refuse_untagged(entry, channels.tags, names, member.id, loc)
    for name in names:
        yield overrides.get(name) or (desired.MemberSpec(id=name), (*entry.route, "channels"))


def _tagged(entry: _Entry, tags: tuple[str, ...]) -> list[str]:
    """The active channels that have every tag, by id.

    A group that has begun takes nobody else in, and those that were sent keep their places; while a
    channel's file cannot be read, its recorded member stays.
    """
    declared, wanted = entry.declared, set(tags)
    members = entry.recorded.members(entry.group_id)
    names = {
        name for name, channel in declared.channels.items() if channel.active and wanted <= set(channel.tags)
    }
    sent = {record.channel_id for record in members if record.was_sent}
    if sent:
        names &= {record.channel_id for record in members}
        names |= sent
    names |= {
        record.channel_id
        for record in members
        if record.reason != "withdrawn" and _stays(declared, record, wanted)
    }
    return sorted(names)


def _stays(declared: Declarations, record: Record, wanted: set[str]) -> bool:
    """Whether a recorded member waits although its channel is not chosen now.

    So it is while the channel's file cannot be read, and when the channel became inactive: that is
    an error, and nothing is cancelled silently. What is over by then, failed or cancelled, keeps its place
    as well: others must neither move up in a stagger nor be sent after a failure.
    """
    if declared.fault_of("channel", record.channel_id):
        return True
    channel = declared.channels.get(record.channel_id)
    if channel is None or channel.active or not wanted <= set(channel.tags):
        return False
    return record.reason != "before_init"


def _tags_match_nothing(entry: _Entry, tags: tuple[str, ...]) -> list[str]:
    """An error; what is recorded of the group waits: a typing error in a tag cancels nothing."""
    in_use = sorted({tag for channel in entry.declared.channels.values() for tag in channel.tags})
    unused = next((tag for tag in tags if tag not in in_use), None)
    waiting = sorted(
        record.channel_id
        for record in entry.recorded.members(entry.group_id)
        if record.status != "cancelled" or record.reason == "declared"
    )
    entry.refuse(
        [f"{entry.group.id}/{name}" for name in waiting],
        "unknown-channel",
        (*entry.route, "channels", "tags"),
        "no active channel has "
        + (f"the tag {tags[0]}" if len(tags) == 1 else f"all of the tags {', '.join(tags)}"),
        (unused and did_you_mean(unused, in_use)) or f"tags in use: {', '.join(in_use) or 'none'}",
    )
    return waiting


def _refuse_untagged(entry: _Entry, tags: tuple[str, ...], names: list[str], channel: str, loc: Loc) -> None:
    """A line in `members` about a channel that the tags do not choose."""
    known = entry.declared.channels.get(channel)
    hint = did_you_mean(channel, names) or f"channels of this group: {', '.join(names) or 'none'}"
    if known is None:
        why = "is not declared"
    elif not known.active:
        where = entry.declared.place(entry.file, (*loc, "id"))
        message = f"channel {channel} is not active"
        entry.result.faults.add(error("inactive-channel", where, message, "remove this line"))
        return
    elif set(tags) <= set(known.tags):
        why = "got its tags after the first of this group was sent, so it does not join it"
    else:
        why = "does not have these tags"
    where = entry.declared.place(entry.file, (*loc, "id"))
    entry.misnamed.append(error("unknown-channel", where, f"channel {channel} {why}", hint))


# --- the instant of each member ---------------------------------------------------------------------


def _timed(entry: _Entry) -> Iterable[Schedule]:
    """The schedules of an entry. One without a readable time stays as recorded, or is none."""
    channels, start = entry.spec.channels, entry.spec.at
    if isinstance(channels, desired.BareMembers) and not entry.spec.members and isinstance(start, int):
        last = start + entry.spec.delay * (len(channels) - 1)
        if start >= 0 and last <= LAST:
            return _timed_at_once(entry, channels, start)
    return _timed_one_by_one(entry)


def _timed_at_once(entry: _Entry, channels: desired.BareMembers, start: Instant) -> list[Schedule]:
    """The schedules of an entry whose members have nothing of their own: in half the time."""
    group, video, file, delay = entry.group, entry.spec.video, entry.file, entry.spec.delay
    prefix, cancelled = f"{group.id}/", group.cancelled
    wall = entry.wall("", entry.written(entry.route)["at"])
    zone = None if wall is None else wall.zone
    routes = _routes(entry.index, len(channels))
    return [
        Schedule(
            id=prefix + member.id,
            group=group,
            channel=member.id,
            video=video,
            at=start + delay * position,
            file=file,
            loc=routes[position],
            position=position,
            cancelled=cancelled,
            local_time=None if wall is None else later(wall.time, delay * position),
            timezone=zone,
        )
        for position, member in enumerate(channels)
    ]


def _timed_one_by_one(entry: _Entry) -> Iterator[Schedule]:
    shift = 0
    group, video, file, prefix = entry.group, entry.spec.video, entry.file, f"{entry.group.id}/"
    start, delay = entry.spec.at, entry.spec.delay
    text = entry.written(entry.route)["at"]
    for position, (member, loc) in enumerate(_members(entry)):
        shift += member.shift or 0
        at = None if isinstance(start, str) or member.at is not None else start + delay * position + shift
        if at is None or not 0 <= at <= LAST:  # neither is common: most members spare themselves a call
            at = _instant(entry, member, loc, at)
        if at is None:
            continue
        schedule = Schedule(
            id=prefix + member.id,
            group=group,
            channel=member.id,
            video=video,
            at=at,
            file=file,
            loc=loc,
            position=position,
        )
        wall = entry.wall(member.id, text if member.at is None else entry.written(loc)["at"])
        if wall is not None:
            after = delay * position + shift if member.at is None else 0
            schedule.local_time, schedule.timezone = later(wall.time, after), wall.zone
        if member.paused is not None:
            schedule.paused = pause_of("schedule", member.paused)
        if member.cancelled or group.cancelled:
            schedule.cancelled = True
        yield schedule


def _instant(entry: _Entry, member: desired.MemberSpec, loc: Loc, at: Instant | None) -> Instant | None:
    """When a member is published whose time is its own, its channel's, or too far away to be meant."""
    declared_at = entry.spec.at if member.at is None else member.at
    if isinstance(member.at, int):
        return member.at
    if at is None and isinstance(declared_at, str):
        at = _local_time(entry, member, loc, declared_at)
    schedule_id = f"{entry.group.id}/{member.id}"
    if at is not None:
        if 0 <= at <= LAST:
            return at
        message = f"channel {member.id} would be published outside the years 1970 to 2999"
        entry.refuse([schedule_id], "invalid-value", loc, message, "shorten `delay` or `shift`")
    record = entry.recorded.by_id.get(schedule_id)
    return None if record is None else record.at


def _local_time(entry: _Entry, member: desired.MemberSpec, loc: Loc, text: str) -> Instant | None:
    """A wall-clock time in the zone of the member's channel; None while that cannot be known."""
    channel = entry.declared.channels.get(member.id)
    if channel is None and entry.declared.fault_of("channel", member.id):
        return None
    zone = "UTC" if channel is None else channel.timezone  # an unknown channel is reported later
    try:
        return read_time(text, read_zone(zone))
    except TimeError as problem:  # reported once for all channels of that zone
        where = (*loc, "at") if member.at is not None else (*entry.route, "at")
        hint = problem.hint
        if member.at is None:  # its own time may have an offset, where the entry's may not
            hint += "; or give the channel a time of its own: `members: [{ id: ..., at: ... }]`"
        entry.refuse([f"{entry.group.id}/{member.id}"], "invalid-value", where, str(problem), hint)
        return None


# --- one-offs -------------------------------------------------------------------------------------


def _expand_one_offs(
    declared: Declarations,
    channel_id: str,
    records: Mapping[str, Record],
    result: Expansion,
    one_offs: Mapping[str, str],
) -> None:
    channel = declared.channels[channel_id]
    file = declared.files["channel", channel_id]
    for index, one_off in enumerate(channel.schedules):
        derived = f"{channel_id}/{instant_text(one_off.at)}"
        wall = one_off_wall(declared, channel_id, index)
        schedule_id = one_offs.get(derived, derived)
        schedule = Schedule(
            id=schedule_id,
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
        if wall is not None:
            schedule.local_time, schedule.timezone = wall
        else:
            schedule.local_time = _slot_replaced(channel, one_off.at, records.get(schedule_id))
        if result.schedules.setdefault(schedule.id, schedule) is not schedule:
            _choose(declared, schedule, records, result)


def _slot_replaced(channel: desired.ChannelSpec, at: Instant, record: Record | None) -> str | None:
    """The local time of the slot that a one-off with an offset replaces: new zone data may move the slot."""
    if record is not None and record.local_time is not None and record.timezone is None:
        return record.local_time
    rules = calendar_expressions.read_slots(channel.slots)
    if not calendar_expressions.is_instant(rules, read_zone(channel.timezone), at):
        return None
    return wall_text(at, channel.timezone)


# --- declared beside recorded ----------------------------------------------------------------------


def may_revive(schedule: Schedule, record: Record) -> bool:
    """Whether a finished, never sent record would be pending again if its time were to come.

    So it is with a cancelled one that is declared uncancelled, and with a failed one whose declared
    time or video was changed since.
    """
    if schedule.cancelled or record.is_live or record.was_sent:
        return False
    return record.status == "cancelled" or (schedule.at, schedule.video) != (record.at, record.video_id)


def return_of(
    schedule: Schedule, record: Record, now: Instant, catch_up: int
) -> Literal["in time", "late", "missed"] | None:
    """How a finished, never sent record is pending again: its time is to come, or it was restored.

    What was withdrawn and is declared again (a slot has its lineup) is sent within `catch_up`. Later it is
    missed, for a week, if its time passed while it was not declared.
    """
    if not may_revive(schedule, record):
        return None
    if schedule.at > now:
        return "in time"
    if schedule.slot or record.reason != "withdrawn":
        return None
    if now <= schedule.at + (catch_up if schedule.group.catch_up is None else schedule.group.catch_up):
        return "late"
    if not record.history or now > schedule.at + RESTORED:
        return None
    return "missed" if read_utc(record.history[-1].at) < schedule.at else None


def occupied_instant(
    schedule: Schedule, record: Record | None, now: Instant, catch_up: int
) -> Instant | None:
    """When a declared schedule is published, was published, or may have been; None where it is not."""
    if record is not None and record.was_sent:
        return record.at
    if schedule.cancelled:
        return None
    if record is None or record.is_live or return_of(schedule, record, now, catch_up):
        return schedule.at
    return None


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
