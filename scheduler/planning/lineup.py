"""A channel's own schedule: its slots, filled in order by the videos of its lineup.

A slot becomes a schedule only while its instant is ahead and a video is left for it. One that is
recorded and was not sent follows the lineup. Each slot that was sent uses up one occurrence of its
video; whatever else happened to it, its video returns to the head. A one-off at a slot's instant takes
the place of that slot, and its video out of the lineup as the slot would.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import msgspec

from scheduler import desired
from scheduler.desired import calendar_expressions
from scheduler.desired.declarations import Declarations
from scheduler.planning.expand import Group, Schedule, occupied_instant
from scheduler.planning.local_times import Identified, Zones, by_zones_in_use, wall_text
from scheduler.state.record import Record
from scheduler.times import Instant, instant_text, read_zone


class OpenSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot ahead for which no video is left."""

    id: str
    channel: str
    at: Instant


class SlotCalendar(msgspec.Struct, kw_only=True):
    """What filling the slots of all channels came to."""

    filled: dict[str, Schedule]
    """The schedules that slots became, by id."""
    open_slots: list[OpenSlot]
    next_slot: Instant | None
    """When the next slot comes within the horizon, so that a later run has something new to record."""
    skipped: list[tuple[str, calendar_expressions.Skipped]]
    """The slots within the horizon that a clock change skips, with their channels."""


class _Channel:
    """One channel's calendar, and what is in it."""

    def __init__(self, declared: Declarations, name: str) -> None:
        self.id = name
        self.spec = declared.channels[name]
        self.file = declared.files["channel", name]
        self.place = declared.place
        self.zone = read_zone(self.spec.timezone)
        self.rules = calendar_expressions.read_slots(self.spec.slots)
        self.min_gap = declared.settings.conflicts.min_gap
        self.horizon = declared.settings.horizon
        self.freezes = _freezes_of(declared, name)
        self.slots: dict[str, Record] = {}
        """Recorded slots by id."""
        self.standing_in: list[str] = []
        """The videos of one-offs that stand for a slot and were sent or are to be."""
        self.elsewhere: list[Instant] = []
        """Publish times of everything else on the channel."""

        self.replaced: set[str] = set()
        """The local times of slots that one-offs replace, in the channel's zone."""

    def is_replaced(self, schedules: Mapping[str, Schedule], at: Instant, local_time: str | None) -> bool:
        """Whether a one-off is at a slot's local time; not one that other zone data put there."""
        one = schedules.get(self.slot_id(at))
        return (local_time or self.wall(at)) in self.replaced or (
            one is not None and one.at == at and one.timezone not in (None, self.spec.timezone)
        )

    def is_taken(self, schedule_id: str, at: Instant) -> bool:
        """Whether an id belongs to a slot that has its place at another instant by now."""
        record = self.slots.get(schedule_id)
        return record is not None and record.is_unsent_live and record.at != at

    @cached_property
    def taken(self) -> list[Instant]:
        return sorted(self.elsewhere)

    def names(self, at: Instant) -> bool:
        """Whether the calendar has a slot at that instant."""
        return calendar_expressions.is_instant(self.rules, self.zone, at)

    def replaces(self, local_time: str | None, timezone: str | None, at: Instant) -> bool:
        """Whether a one-off is at a slot's local time, by the zone data that it was recorded with."""
        if local_time is None or timezone not in (None, self.spec.timezone):
            return self.names(at)
        wall = datetime.fromisoformat(local_time)
        return any(rule.shows(wall) for rule in self.rules)

    def wall(self, at: Instant) -> str:
        """What the channel's clocks show at an instant."""
        return wall_text(at, self.spec.timezone)

    def slot_id(self, at: Instant) -> str:
        return f"{self.id}/{instant_text(at)}"


def _freezes_of(declared: Declarations, channel: str) -> Sequence[desired.Freeze]:
    freezes = declared.settings.freezes
    return [freeze for freeze in freezes if freeze.channels is None or channel in freeze.channels]


def fill(
    declared: Declarations,
    records: Mapping[str, Record],
    schedules: Mapping[str, Schedule],
    now: Instant,
    as_recorded: Set[str],
    identified: Identified,
    zones: Zones,
) -> SlotCalendar:
    """Fill the slots of every channel, and find those that stay open. `schedules` are those of files.

    `as_recorded` are live records that continue, although no readable file declares them.
    """
    calendar = SlotCalendar(filled={}, open_slots=[], next_slot=None, skipped=[])
    channels = {name: _Channel(declared, name) for name in sorted(declared.channels)
                if declared.channels[name].slots}  # fmt: skip
    if channels:
        _enter_records(channels, records, schedules, as_recorded)
        _enter_schedules(channels, records, schedules, now, declared.settings.catch_up)
    for channel in channels.values():
        holds = zones.holds(channel.spec.timezone)
        _fill_one(channel, schedules, now, calendar, identified.slots, holds=holds)
        if channel.spec.active and not holds:
            _look_ahead(channel, now, calendar)
    return calendar


def _enter_records(
    channels: Mapping[str, _Channel],
    records: Mapping[str, Record],
    schedules: Mapping[str, Schedule],
    as_recorded: Set[str],
) -> None:
    """Note what is recorded on each channel: its slots, and what occupies an instant of it."""
    for schedule_id, record in records.items():
        channel = channels.get(record.channel_id)
        if channel is None:
            continue
        if record.slot or _stood_in(schedule_id, record, schedules):
            channel.slots[schedule_id] = record
        is_declared = schedule_id in schedules
        if schedule_id in as_recorded or (record.was_sent and (record.slot or not is_declared)):
            channel.elsewhere.append(by_zones_in_use(record.local_time, record.timezone, record.at))
        is_sent_one_off = record.was_sent and record.wave_id is None and not record.slot
        if (
            is_sent_one_off
            and record.video_id is not None
            and channel.replaces(record.local_time, record.timezone, record.at)
        ):
            channel.standing_in.append(record.video_id)


def _stood_in(schedule_id: str, record: Record, schedules: Mapping[str, Schedule]) -> bool:
    """A one-off without a video, as `pause` writes it for a slot and `resume` takes it out again."""
    return (
        record.wave_id is None
        and record.video_id is None
        and record.is_unsent_live
        and schedule_id not in schedules
    )


def _enter_schedules(
    channels: Mapping[str, _Channel],
    records: Mapping[str, Record],
    schedules: Mapping[str, Schedule],
    now: Instant,
    catch_up: int,
) -> None:
    """Note what is declared on each channel besides its slots."""
    for schedule in schedules.values():
        channel = channels.get(schedule.channel)
        if channel is None:
            continue
        is_here = schedule.timezone in (None, channel.spec.timezone)
        if schedule.group.wave is None and schedule.local_time is not None and is_here:
            channel.replaced.add(schedule.local_time)
        if schedule.cancelled:
            continue
        record = records.get(schedule.id)
        at = occupied_instant(schedule, record, now, catch_up)
        if at is None:
            continue
        channel.elsewhere.append(by_zones_in_use(schedule.local_time, schedule.timezone, at))
        is_one_off = schedule.group.wave is None and not (record is not None and record.was_sent)
        if (
            is_one_off
            and schedule.video is not None
            and channel.replaces(schedule.local_time, schedule.timezone, at)
        ):
            channel.standing_in.append(schedule.video)


# --- one channel --------------------------------------------------------------------------------------


def _fill_one(
    channel: _Channel,
    schedules: Mapping[str, Schedule],
    now: Instant,
    calendar: SlotCalendar,
    placed: Mapping[str, Instant],
    *,
    holds: bool,
) -> None:
    """`placed` says where recorded slots belong; `holds`: older zone data adds no others."""
    kept = {
        placed.get(schedule_id, record.at): schedule_id
        for schedule_id, record in channel.slots.items()
        if record.is_unsent_live and (schedule_id in placed or (not record.slot and channel.names(record.at)))
    }
    over = [record for record in channel.slots.values() if record.was_sent or record.status == "failed"]
    done = {(record.at, record.local_time) for record in over}
    # What new zone data moves to the instant of another local time that was sent stays.
    kept = {at: i for at, i in kept.items() if (at, channel.slots[i].local_time) not in done}
    # A slot that was sent covers every instant of its local time, a one-off that of the slot it replaces.
    covered = {record.local_time for record in over}.union(channel.replaced)
    lineup = _Lineup(channel)
    last: Instant | None = None
    for at in sorted({*kept, *(() if holds else {*_ahead(channel, now)} - {at for at, _ in done})}):
        schedule_id = kept.get(at) or channel.slot_id(at)
        local_time = channel.slots[schedule_id].local_time if at in kept else None
        if schedule_id in schedules or channel.is_replaced(schedules, at, local_time):
            continue  # a one-off replaces the slot, even a cancelled one
        if at not in kept and (channel.wall(at) in covered or channel.is_taken(schedule_id, at)):
            continue
        record = channel.slots.get(schedule_id)
        filling = lineup.take_back(record)
        if filling is None and ((holds and at in kept) or not _is_skipped(channel, at, last)):
            filling = lineup.take(at)
            if filling is None and at > now and channel.spec.active:
                last = at
                calendar.open_slots.append(OpenSlot(id=schedule_id, channel=channel.id, at=at))
        if filling is None:
            continue
        last = at
        calendar.filled[schedule_id] = _slot(channel, schedule_id, at, filling, record if holds else None)


def _ahead(channel: _Channel, now: Instant) -> Iterable[Instant]:
    """The slots within the horizon; on a channel that is not active nothing new is scheduled."""
    if not channel.spec.active:
        return ()
    return calendar_expressions.instants(channel.rules, channel.zone, now, now + channel.horizon)[0]


def _look_ahead(channel: _Channel, now: Instant, calendar: SlotCalendar) -> None:
    """Note the slots that a clock change skips, and note when the next slot comes within the horizon."""
    end = now + channel.horizon
    for gone in calendar_expressions.instants(channel.rules, channel.zone, now, end)[1]:
        calendar.skipped.append((channel.id, gone))
    if channel.horizon > 0:
        later, _ = calendar_expressions.instants(channel.rules, channel.zone, end, end + channel.horizon)
        entering = (later[0] if later else end + channel.horizon) - channel.horizon
        if calendar.next_slot is None or entering < calendar.next_slot:
            calendar.next_slot = entering


def _is_skipped(channel: _Channel, at: Instant, last: Instant | None) -> bool:
    """Whether the slot lies in a freeze, or less than `min_gap` from something else on the channel."""
    if any(freeze.from_ <= at < freeze.until for freeze in channel.freezes):
        return True
    if last is not None and at - last < channel.min_gap:
        return True
    place = bisect_left(channel.taken, at)
    near = channel.taken[max(place - 1, 0) : place + 1]
    return any(abs(at - other) < channel.min_gap for other in near)


class _Filling(NamedTuple):
    """What a slot is filled with."""

    video: str | None
    place: int | None
    """Its place in the lineup; None for a slot that was retried, whose video is its own."""
    repeat: bool


class _Lineup:
    """The lineup entries that are not used up, in their order, with the place of each in the file."""

    def __init__(self, channel: _Channel) -> None:
        used = Counter(
            record.video_id
            for record in channel.slots.values()
            if record.was_sent
            or record.resends > record.retractions  # it may have been published before it was sent again
            or record.reason == "before_init"
            or (record.is_unsent_live and record.retried_at)  # `retry` took its video back
        )
        used.update(channel.standing_in)
        self.left: list[tuple[int, desired.LineupEntry]] = []
        for index, entry in enumerate(channel.spec.lineup):
            if used[entry.video] > 0:
                used[entry.video] -= 1
            else:
                self.left.append((index, entry))

    def take(self, at: Instant) -> _Filling | None:
        """The first entry that may be published at `at`; one that may not yet keeps its place."""
        for place, (index, entry) in enumerate(self.left):
            if entry.not_before is None or entry.not_before <= at:
                del self.left[place]
                return _Filling(entry.video, index, entry.repeat)
        return None

    def take_back(self, record: Record | None) -> _Filling | None:
        """A slot that was retried keeps the video that it failed with, wherever it lies by now."""
        if record is None or not record.is_unsent_live or record.retried_at is None:
            return None
        return _Filling(record.video_id, None, repeat=True)


def _slot(
    channel: _Channel, schedule_id: str, at: Instant, filling: _Filling, as_is: Record | None
) -> Schedule:
    """The schedule of a slot; `as_is` is the record whose local time must not be read anew."""
    return Schedule(
        id=schedule_id,
        group=Group(id=None, wave=None, schedule_type="independent", repeat=filling.repeat),
        channel=channel.id,
        video=filling.video,
        at=at,
        file=channel.file,
        loc=("slots",) if filling.place is None else ("lineup", filling.place),
        slot=True,
        local_time=channel.wall(at) if as_is is None else as_is.local_time,
        timezone=channel.spec.timezone if as_is is None else as_is.timezone,
    )
