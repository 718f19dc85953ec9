"""How people read an instant: in UTC, and as the clocks of the channel show it."""

from __future__ import annotations

from functools import lru_cache

from scheduler.times import Instant, in_zone, instant_text, read_zone


@lru_cache(maxsize=65_536)
def moment(at: Instant, zone: str = "UTC") -> str:
    """`2026-03-01 18:00 UTC (19:00 Europe/Berlin)`; the local date too where it is another day."""
    day, clock = _utc(at)
    if zone == "UTC":
        return f"{day} {clock} UTC"
    local_day, local_clock = _local(at, zone)
    inside = local_clock if local_day == day else f"{local_day} {local_clock}"
    return f"{day} {clock} UTC ({inside} {zone})"


@lru_cache(maxsize=65_536)
def local_moment(at: Instant, zone: str) -> str:
    """`2026-03-01 19:00 Europe/Berlin`."""
    return f"{' '.join(_local(at, zone))} {zone}"


@lru_cache(maxsize=65_536)
def local_time(at: Instant, zone: str) -> str:
    """`2026-03-01T19:00:00+01:00`: the same for programs."""
    return in_zone(at, read_zone(zone))


@lru_cache(maxsize=65_536)
def utc_moment(at: Instant) -> str:
    """`2026-03-01 18:00`, in UTC."""
    return " ".join(_utc(at))


def _utc(at: Instant) -> tuple[str, str]:
    return _split(instant_text(at))


def _local(at: Instant, zone: str) -> tuple[str, str]:
    return _split(local_time(at, zone))


def _split(text: str) -> tuple[str, str]:
    """Date and clock; seconds only where there are any."""
    clock = text[11:19]
    return text[:10], clock[:5] if clock.endswith(":00") else clock
