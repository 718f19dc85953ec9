"""Clock changes near what a proposal changes: where UTC and the channel's local time shift. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from scheduler.desired.declarations import Declarations
from scheduler.planning.plan import Change
from scheduler.reporting.review.neighbours import Neighbour
from scheduler.times import Instant, moment_of, read_zone

_DAY = 86_400


class ClockChange(msgspec.Struct, frozen=True, kw_only=True):
    """One clock change of a zone. Offsets are seconds east of UTC."""

    zone: str
    at: Instant
    before: int
    after: int
    clock: int
    """The local time of day (seconds) of the publication nearest to it, as an example."""
    near: Sequence[str]
    """Ids within a day of it: changed ones, then their neighbours."""
    across: Sequence[str]
    """Waves and channels (`wave spring`) that have changed publications on both sides of it."""
    twice: Sequence[str]
    """Changed ones at a local time that occurs twice."""


def clock_changes(
    changes: Sequence[Change], neighbours: Sequence[Neighbour], declared: Declarations
) -> list[ClockChange]:
    """By instant, then zone."""
    of_zone: dict[str, list[_Place]] = defaultdict(list)
    for change in changes:
        record = change.after
        channel = None if record is None else declared.channels.get(record.channel_id)
        if record is None or channel is None or not record.is_live:
            continue
        series = " ".join(record.declarer)
        of_zone[channel.timezone].append(_Place(record.at, change.schedule_id, series))
    for pair in neighbours:
        channel = declared.channels.get(pair.channel_id)
        if channel is not None:
            of_zone[channel.timezone].append(_Place(pair.other_at, pair.other_id, None))
    found = [found for name, places in of_zone.items() for found in _in_zone(name, places)]
    return sorted(found, key=lambda one: (one.at, one.zone))


class _Place(msgspec.Struct, frozen=True):
    """A publication. `series` is None for a neighbour."""

    at: Instant
    schedule_id: str
    series: str | None


def _in_zone(name: str, places: Sequence[_Place]) -> list[ClockChange]:
    zone = read_zone(name)
    instants = sorted({at for place in places for at in (place.at - _DAY, place.at, place.at + _DAY)})
    found = []
    for earlier, later in pairwise(instants):
        if _offset(zone, earlier) != _offset(zone, later):
            change = _described(zone, _instant_of_change(zone, earlier, later), places)
            if change.near or change.across:
                found.append(change)
    return found


def _described(zone: ZoneInfo, at: Instant, places: Sequence[_Place]) -> ClockChange:
    before, after = _offset(zone, at - 1), _offset(zone, at)
    own = [place for place in places if place.series is not None]
    near = [place.schedule_id for place in places if abs(place.at - at) <= _DAY]
    both = {p.series for p in own if p.at < at} & {p.series for p in own if p.at >= at}
    nearest = min(places, key=lambda place: (place.series is None, abs(place.at - at), place.schedule_id))
    clock = nearest.at + (before if nearest.at < at else after)
    repeated = before - after
    twice = [place.schedule_id for place in own if at - repeated <= place.at < at + repeated]
    return ClockChange(
        zone=zone.key, at=at, before=before, after=after, clock=clock % _DAY,
        near=list(dict.fromkeys(near)), across=sorted(filter(None, both)), twice=twice,
    )  # fmt: skip


def _instant_of_change(zone: ZoneInfo, earlier: Instant, later: Instant) -> Instant:
    """The first instant after `earlier` with another offset; there is one up to `later`. A binary search."""
    offset = _offset(zone, earlier)
    while later - earlier > 1:
        middle = (earlier + later) // 2
        if _offset(zone, middle) == offset:
            earlier = middle
        else:
            later = middle
    return later


def _offset(zone: ZoneInfo, at: Instant) -> int:
    offset = moment_of(at).astimezone(zone).utcoffset()
    assert offset is not None, "an aware datetime has an offset"
    return int(offset.total_seconds())
