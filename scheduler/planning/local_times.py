"""Local times and zone data: which record is which declaration when a rule of a zone has changed. Pure.

A slot, and a one-off that was declared with a local time, are recognized by that local time and not by the
instant that the zone data of one release made of it: otherwise an update of `tzdata` would withdraw and
create what it only moves, and two machines with different releases would publish one slot twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from scheduler import desired
from scheduler.desired import calendar_expressions
from scheduler.desired.declarations import Declarations
from scheduler.state.record import Record
from scheduler.times import (
    Instant,
    available_zones,
    instant_text,
    local_time,
    moment_of,
    read_later,
    read_zone,
    zone_release,
)

_DAY = 86_400
_CLOCK_CHANGE = 3_600
"""Seconds that clock changes move nearly everywhere: of a record without a local time no more is known."""


class Zones(msgspec.Struct, frozen=True, kw_only=True):
    """The newest release of the zone data that a run used, None where none is recorded; and that in use."""

    recorded: str | None
    used: str

    @property
    def is_older(self) -> bool:
        """Whether the data in use is older than what the state was made with: it moves nothing."""
        return self.recorded is not None and self.used < self.recorded

    def holds(self, timezone: str | None) -> bool:
        """Whether the data in use must not decide about a local time of that zone. No release moves UTC."""
        return self.is_older and timezone is not None and not _is_fixed(timezone)

    def step(self, timezone: str) -> str:
        """`America/Vancouver: tzdata 2025b -> 2026f`: why a local time of a zone has another instant."""
        before = f"{self.recorded} -> " if self.recorded not in (None, self.used) else ""
        return f"{timezone}: tzdata {before}{self.used}"


def zones_of(recorded: str | None) -> Zones:
    return Zones(recorded=recorded, used=zone_release())


def _is_fixed(timezone: str) -> bool:
    return timezone in ("UTC", "GMT", "UCT", "Zulu", "Universal") or timezone.startswith("Etc/")


class Wall(NamedTuple):
    """A local time, and the zone it is in."""

    time: str
    zone: str


def declared_wall(text: object, timezone: object) -> Wall | None:
    """The local time that is written in a file, with `timezone` beside it; None for one with an offset."""
    found = local_time(str(text)) if isinstance(text, str) else None
    if found is None:
        return None
    zone = found[1] or timezone
    return Wall(found[0], str(zone)) if isinstance(zone, str) else None


def wall_text(at: Instant, timezone: str) -> str:
    """`2026-03-01T18:00:00`: what the clocks of a zone show at an instant."""
    return moment_of(at).astimezone(read_zone(timezone)).replace(tzinfo=None).isoformat()


def by_zones_in_use(local_time: str | None, timezone: str | None, at: Instant) -> Instant:
    """Where what was sent, or is recorded, at `at` would be by the zone data in use.

    New zone data moves neighbours together: those that met an instant at different times are not near.
    Of a zone that the data does not have, such as one that newer data added, it moves nothing.
    """
    if local_time is None or timezone is None or timezone not in available_zones():
        return at
    wall, elapsed = read_later(local_time)
    return calendar_expressions.first_reading(wall, read_zone(timezone))[0] + elapsed


def was_never_requested(record: Record) -> bool:
    """Whether no request was ever made for it, so that its key was never seen by anybody."""
    return (
        record.attempts == 0
        and record.resends == 0
        and record.intent is None
        and not any(event.status == "executing" for event in record.history)
    )


# --- which record is which declaration ----------------------------------------------------------------


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """The records under the ids that they have by the zone data in use, and where slots and one-offs are."""

    records: Mapping[str, Record]
    """The state; what no request was ever made for has the id of its new instant."""
    moved: Mapping[str, str] = {}
    """New id -> the id it had."""
    one_offs: Mapping[str, str] = {}
    """The id that its instant would give a one-off -> the id of its record, where they differ."""
    slots: Mapping[str, Instant] = {}
    """Ids of recorded, unsent slots -> the instant they belong at. What no rule names is not there."""
    held: Set[str] = frozenset()
    """Ids of slots that older zone data than the recorded cannot place."""


def identify(
    declared: Declarations,
    records: Mapping[str, Record],
    archive: Mapping[str, Record],
    now: Instant,
    zones: Zones,
) -> Identified:
    """Find the record of each slot and one-off by its local time."""
    channels = {
        name: channel for name, channel in declared.channels.items() if channel.slots or channel.schedules
    }
    single: dict[str, dict[str, Record]] = defaultdict(dict)
    for known in (archive, records) if channels else ():
        for schedule_id, record in known.items():
            if record.wave_id is None and record.channel_id in channels:
                single[record.channel_id][schedule_id] = record
    if not single:
        return Identified(records=records)
    wanted: dict[str, str] = {}
    one_offs: dict[str, str] = {}
    slots: dict[str, Instant] = {}
    held: set[str] = set()
    for name, found in single.items():
        channel = channels[name]
        one_offs |= _one_offs(declared, name, found)
        if channel.slots:
            unsent = {i: r for i, r in found.items() if r.slot and r.is_unsent_live and i in records}
            if zones.holds(channel.timezone):
                slots |= {schedule_id: record.at for schedule_id, record in unsent.items()}
                held.update(_unnamed(channel, unsent))
            else:
                slots |= _placed(channel, unsent, found, now, declared.settings.horizon)
    for derived, schedule_id in one_offs.items():
        one = records.get(schedule_id)
        if one is not None and one.status != "failed" and not one.was_sent and not zones.holds(one.timezone):
            wanted[schedule_id] = derived
    for schedule_id, at in slots.items():
        wanted[schedule_id] = f"{records[schedule_id].channel_id}/{instant_text(at)}"
    moved = _free(wanted, records, archive)
    if moved:
        gone = {*moved.values(), *moved}
        after = {i: record for i, record in records.items() if i not in gone}
        for new, old in moved.items():
            after[new] = msgspec.structs.replace(records[old], first_id=None, former_ids=())
        records = after
    now_at = {old: new for new, old in moved.items()}
    return Identified(
        records=records,
        moved=moved,
        one_offs={d: i for d, known in one_offs.items() if (i := now_at.get(known, known)) != d},
        slots={now_at.get(schedule_id, schedule_id): at for schedule_id, at in slots.items()},
        held=held,
    )


def _free(
    wanted: Mapping[str, str], records: Mapping[str, Record], archive: Mapping[str, Record]
) -> dict[str, str]:
    """New id -> old id, of records that can have the id of their instant: never requested, and it is free.

    Whole rows move by an hour at once, so an id counts as free where its record moves on.
    """
    moving = {old: new for old, new in wanted.items() if old != new and was_never_requested(records[old])}
    former = {old for known in (archive, records) for record in known.values() for old in record.former_ids}
    while moving:
        taken = [
            old
            for old, new in moving.items()
            if new in former
            or new in archive
            or (new in records and new not in moving and not _may_be_replaced(records[new]))
        ]
        if not taken:
            break
        for old in taken:
            del moving[old]
    return {new: old for old, new in moving.items()}


def _may_be_replaced(record: Record) -> bool:
    """A slot that was withdrawn before anything was tried: nothing is lost with it."""
    return record.slot and record.reason == "withdrawn" and was_never_requested(record)


def _one_offs(declared: Declarations, name: str, found: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """For each one-off with a local time: the id of its instant, and that of the record with that text."""
    by_wall: dict[str, str] = {}
    for schedule_id, record in sorted(found.items(), key=lambda item: (item[1].was_sent, item[1].is_live)):
        if not record.slot and record.local_time is not None and record.timezone is not None:
            by_wall[record.local_time] = schedule_id
    if not by_wall:
        return
    for index, one_off in enumerate(declared.channels[name].schedules):
        derived = f"{name}/{instant_text(one_off.at)}"
        wall = one_off_wall(declared, name, index)
        here = found.get(derived)
        if wall is None or (here is not None and here.local_time in (None, wall.time)):
            continue
        if wall.time in by_wall:
            yield derived, by_wall[wall.time]


def one_off_wall(declared: Declarations, name: str, index: int) -> Wall | None:
    """The local time that a one-off was declared with."""
    file = declared.files["channel", name]
    written = declared.documents[file].data["schedules"][index]
    return declared_wall(written.get("at"), written.get("timezone") or declared.channels[name].timezone)


# --- slots --------------------------------------------------------------------------------------------


def _wall_of(record: Record, channel: desired.ChannelSpec) -> datetime:
    return datetime.fromisoformat(record.local_time or wall_text(record.at, channel.timezone))


def _unnamed(channel: desired.ChannelSpec, unsent: Mapping[str, Record]) -> Iterator[str]:
    rules = calendar_expressions.read_slots(channel.slots)
    for schedule_id, record in unsent.items():
        wall = _wall_of(record, channel)
        if not any(rule.shows(wall) for rule in rules):
            yield schedule_id


def _placed(
    channel: desired.ChannelSpec,
    unsent: Mapping[str, Record],
    found: Mapping[str, Record],
    now: Instant,
    horizon: int,
) -> dict[str, Instant]:
    """The instant of each recorded, unsent slot: that of its local time, or of the slot it is paired with."""
    zone, rules = read_zone(channel.timezone), calendar_expressions.read_slots(channel.slots)
    walls = {schedule_id: _wall_of(record, channel) for schedule_id, record in unsent.items()}
    placed: dict[str, Instant] = {}
    for schedule_id, wall in walls.items():
        at, exists = calendar_expressions.first_reading(wall, zone)
        if exists and any(rule.shows(wall) for rule in rules):
            placed[schedule_id] = at
    lost = sorted(unsent.keys() - placed.keys(), key=lambda schedule_id: (walls[schedule_id], schedule_id))
    if not lost or not channel.active:
        return placed
    end = max(now + horizon, max(unsent[schedule_id].at for schedule_id in lost) + _DAY)
    known = {
        _wall_of(record, channel)
        for schedule_id, record in found.items()
        if schedule_id in placed or (schedule_id not in unsent and record.status != "cancelled")
    }
    replaced = {one_off.at for one_off in channel.schedules}
    free = [
        (shown, at)
        for at in calendar_expressions.instants(rules, zone, now, end)[0]
        if at not in replaced
        and (shown := datetime.fromisoformat(wall_text(at, channel.timezone))) not in known
    ]
    for same in (_local_day, _local_week):
        lost, free = _paired(lost, walls, free, same, placed)
    return placed


def _local_day(wall: datetime) -> object:
    return wall.date()


def _local_week(wall: datetime) -> object:
    return wall.date() - timedelta(days=wall.weekday())


def _paired(
    lost: Sequence[str],
    walls: Mapping[str, datetime],
    free: Sequence[tuple[datetime, Instant]],
    same: Callable[[datetime], object],
    placed: dict[str, Instant],
) -> tuple[list[str], list[tuple[datetime, Instant]]]:
    """Pair in order what has the same key; what is left of both."""
    by_key: dict[object, list[tuple[datetime, Instant]]] = defaultdict(list)
    for one in free:
        by_key[same(one[0])].append(one)
    left = []
    for schedule_id in lost:
        if by_key[same(walls[schedule_id])]:
            placed[schedule_id] = by_key[same(walls[schedule_id])].pop(0)[1]
        else:
            left.append(schedule_id)
    return left, sorted(one for some in by_key.values() for one in some)


# --- what was declared under other zone data ----------------------------------------------------------


def is_same_declaration(local: str | None, timezone: str | None, at: Instant, record: Record) -> bool:
    """Whether a declared time that has another instant than its record differs by the zone data alone."""
    if local is None:
        return False
    if record.local_time is None:  # recorded before local times were
        return abs(record.at - at) <= _CLOCK_CHANGE
    is_text = record.local_time == local
    return is_text and (record.timezone == timezone or record.wave_id is None)
