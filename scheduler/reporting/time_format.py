"""How people read an instant: in UTC, and as the clocks of the channel show it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache, wraps
from typing import ParamSpec

from scheduler.times import Instant, in_zone, instant_text, other_zones, read_zone

P = ParamSpec("P")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _cached(function: Callable[P, str]) -> Callable[P, str]:
    """Each text once, apart for each zone data in use: `plan --zones` has other local times."""

    @lru_cache(maxsize=65_536)
    def known(_: object, *arguments: P.args, **options: P.kwargs) -> str:
        return function(*arguments, **options)

    @wraps(function)
    def cached(*arguments: P.args, **options: P.kwargs) -> str:
        return known(other_zones(), *arguments, **options)  # type: ignore[arg-type]

    return cached


@_cached
def moment(at: Instant, zone: str = "UTC") -> str:
    """`2026-03-01 18:00 UTC (19:00 Europe/Berlin)`; the local date too where it is another day."""
    day, clock = _utc(at)
    if zone == "UTC":
        return f"{day} {clock} UTC"
    local_day, local_clock = _local(at, zone)
    inside = local_clock if local_day == day else f"{local_day} {local_clock}"
    return f"{day} {clock} UTC ({inside} {zone})"


@_cached
def local_moment(at: Instant, zone: str) -> str:
    """`2026-03-01 19:00 Europe/Berlin`."""
    return f"{' '.join(_local(at, zone))} {zone}"


@_cached
def local_time(at: Instant, zone: str) -> str:
    """`2026-03-01T19:00:00+01:00`: the same for programs."""
    return in_zone(at, read_zone(zone))


@lru_cache(maxsize=65_536)
def utc_moment(at: Instant) -> str:
    """`2026-03-01 18:00`, in UTC."""
    return " ".join(_utc(at))


@lru_cache(maxsize=65_536)
def day_and_time(at: Instant) -> str:
    """`Sun 2026-03-01 18:00`, in UTC."""
    return _with_weekday(*_utc(at))


@_cached
def local_day_and_time(at: Instant, zone: str) -> str:
    """`Sun 2026-03-01 19:00`, as the clocks of a zone show it."""
    return _with_weekday(*_local(at, zone))


@_cached
def local_clock(at: Instant, zone: str) -> str:
    """`19:00`, as the clocks of a zone show it; with the day where it is not the day in UTC."""
    day, clock = _local(at, zone)
    return clock if day == _utc(at)[0] else _with_weekday(day, clock)


@_cached
def clock_time(at: Instant, zone: str) -> str:
    """`19:00`, as the clocks of a zone show it: for beside a date."""
    return _local(at, zone)[1]


@_cached
def local_moment_with_utc(at: Instant, zone: str) -> str:
    """`Sun 2026-03-01 19:00 Europe/Berlin (18:00 UTC)`; the date in UTC too where it is another day."""
    if zone == "UTC":
        return f"{day_and_time(at)} UTC"
    day, clock = _utc(at)
    utc = clock if day == _local(at, zone)[0] else f"{day} {clock}"
    return f"{local_day_and_time(at, zone)} {zone} ({utc} UTC)"


def day_before_with_utc(at: Instant, zone: str) -> tuple[str, str]:
    """For a clock change at `at`: the local day just before it (`Sun 2026-03-29`), and the instant in UTC
    (`01:00`, with the date where that is another day)."""
    day, _ = _local(at - 1, zone)
    utc_day, clock = _utc(at)
    return f"{_weekday(day)} {day}", clock if utc_day == day else f"{utc_day} {clock}"


def _with_weekday(day: str, clock: str) -> str:
    return f"{_weekday(day)} {day} {clock}"


def _weekday(day: str) -> str:
    return _WEEKDAYS[date.fromisoformat(day).weekday()]


def _utc(at: Instant) -> tuple[str, str]:
    return _split(instant_text(at))


def _local(at: Instant, zone: str) -> tuple[str, str]:
    return _split(local_time(at, zone))


def _split(text: str) -> tuple[str, str]:
    """Date and clock; seconds only where there are any."""
    clock = text[11:19]
    return text[:10], clock[:5] if clock.endswith(":00") else clock
