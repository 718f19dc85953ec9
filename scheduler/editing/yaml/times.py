"""Times as they are written: read in the zone of their place, and written back in the same form."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from scheduler.editing.yaml.spans import Loc
from scheduler.editing.yaml.splice import Draft
from scheduler.errors import ScheduleError
from scheduler.times import (
    Instant,
    TimeError,
    in_zone,
    instant_text,
    moment_of,
    read_shift,
    read_time,
    read_zone,
    weekday,
    without_weekday,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_WRITTEN = re.compile(
    r"(?P<day>[A-Za-z]{3,9},? )?\d{4}-\d\d-\d\d(?P<letter>[Tt ])\d\d:\d\d(?P<seconds>:\d\d)?(?:\.0{1,9})?"
    r"(?: ?(?P<offset>[Zz]|[+-]\d\d:\d\d)| (?P<zone>[A-Za-z][\w/+-]+))?",
    re.ASCII,
)
CHANNEL_ZONE = "channel"


def zone_at(draft: Draft, loc: Loc) -> str | None:
    """The zone of local times in a mapping: the nearest `timezone`; in a channel without one, UTC."""
    for end in range(len(loc), -1, -1):
        zone = draft.get((*loc[:end], "timezone"))
        if zone is not None:
            return zone
    is_one_off = draft.node((*loc[:2], "channels")) is None
    return "UTC" if is_one_off else None


def instant_at(written: str, zone: str | None) -> Instant:
    """The instant of a written time, local in `zone`. Raises ScheduleError for what is not a time."""
    try:
        return read_time(written, None if zone is None else read_zone(zone))
    except TimeError as problem:
        raise ScheduleError(str(problem), hint=problem.hint) from None


def is_wall(written: str, zone: str | None) -> bool:
    """Whether a time is local in each channel's own zone, so that it has no single instant."""
    match = _WRITTEN.fullmatch(written)
    return zone == CHANNEL_ZONE and match is not None and not (match["offset"] or match["zone"])


def time_at(draft: Draft, loc: Loc) -> str:
    """The time that is written at a route. Raises ScheduleError where there is none."""
    written = draft.get(loc)
    if written is None:
        raise ScheduleError(
            f"{draft.file} has no time where one was expected", hint="run `scheduler validate` to see where"
        )
    return written


def moved(draft: Draft, loc: Loc, time: str, like: str | None = None) -> str:
    """A new time for the `at` at a route, in the form of the old one (or of `like`)."""
    old = time_at(draft, loc) if like is None else like
    zone = zone_at(draft, loc[:-1])
    if not is_wall(old, zone):
        own = None if zone in (None, CHANNEL_ZONE) else read_zone(str(zone))
        return _written(instant_at(time, None if own is None else own.key), old, own)
    if is_wall(time, zone):
        return _written(instant_at(time, "UTC"), old, read_zone("UTC"))
    if like is not None:
        return _written(instant_at(time, None), time, None)
    instant_at(time, None)  # raises for what is not a time at all
    raise ScheduleError(
        f"{time!r} is one instant, but this entry is at a wall-clock time in each channel's own zone",
        hint=f"write a local time such as {without_weekday(time)[:16]}, or change its `timezone`",
    )


def _written(at: Instant, like: str, zone: ZoneInfo | None) -> str:
    """An instant in the form of another time: local, with an offset, `Z` or a zone, with seconds or without,
    with the weekday or without.

    A local time that a clock change repeats gets its offset.
    """
    match = _WRITTEN.fullmatch(like)
    if match is None:
        return instant_text(at)
    offset = match["offset"]
    if match["zone"]:
        zone = read_zone(match["zone"])
    if offset is None and zone is not None:
        whole = in_zone(at, zone)
        suffix = f" {match['zone']}" if match["zone"] else ""
        offset = suffix if _reads_as(whole[:19], zone, at) else whole[19:]
    elif offset is None or offset in "Zz":
        offset = offset or "Z"
        whole = instant_text(at)
    else:
        size = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
        whole = moment_of(at).astimezone(timezone(-size if offset[0] == "-" else size)).isoformat()
    seconds = whole[16:19] if match["seconds"] or whole[17:19] != "00" else ""
    day = f"{weekday(datetime.fromisoformat(whole[:10]), match['day'])} " if match["day"] else ""
    return f"{day}{whole[:10]}{match['letter']}{whole[11:16]}{seconds}{offset}"


def _reads_as(text: str, zone: ZoneInfo, at: Instant) -> bool:
    try:
        return read_time(text, zone) == at
    except TimeError:
        return False


def later(draft: Draft, loc: Loc, written: str, seconds: int) -> str:
    """A written time, `seconds` later, in the same form."""
    zone = zone_at(draft, loc[:-1])
    if is_wall(written, zone):
        zone = "UTC"
    elif zone == CHANNEL_ZONE:
        zone = None
    return _written(instant_at(written, zone) + seconds, written, None if zone is None else read_zone(zone))


def seconds_of(written: str) -> int:
    """The seconds of a `shift`. Raises ScheduleError for what is not one."""
    try:
        return read_shift(written)
    except TimeError as problem:
        raise ScheduleError(str(problem), hint=problem.hint) from None
