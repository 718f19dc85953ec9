"""Warnings about time zones that do not do what their writer most likely expects. Pure.

They are found in the data of a document, not by pydantic, since they are about values that are valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from scheduler.desired.plain import is_nothing
from scheduler.desired.yaml_reader import Document, Route
from scheduler.diagnostics import Diagnostic, warning
from scheduler.times import TimeError, available_zones, read_time

_FIXED: Final = {
    "EST": ("is UTC-5 all year, without daylight saving time", "write America/New_York for New York"),
    "MST": ("is UTC-7 all year, without daylight saving time", "write America/Denver for Denver"),
    "HST": ("is UTC-10 all year, without daylight saving time", "write Pacific/Honolulu for Honolulu"),
}
_REVERSED: Final = re.compile(r"Etc/GMT([+-])([1-9]\d?)")
_NAMED: Final = re.compile(r".*[0-9] (Etc/GMT\S+)")
_TIMES: Final = ("at", "until", "from", "not_before")


def zone_warnings(document: Document) -> list[Diagnostic]:
    """Zones whose names mislead, and times with an offset beside a `timezone`, each at its place."""
    if "timezone" not in document.text and "Etc/GMT" not in document.text:
        return []
    return list(_in_mapping(document, document.data, ()))


def _in_mapping(document: Document, data: Any, route: Route) -> Iterator[Diagnostic]:
    """The warnings of a mapping and of what is in it; the reader bounds the depth."""
    items: Any = data.items() if isinstance(data, dict) else enumerate(data)
    times = {key: value for key, value in items if key in _TIMES and isinstance(value, str)}
    unused = all(map(_is_absolute, times.values()))  # of a freeze, `from` may be local and `until` not
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        here = (*route, key)
        if isinstance(value, list) or (isinstance(value, dict) and key != "metadata"):
            yield from _in_mapping(document, value, here)
        elif key == "timezone" and isinstance(value, str):
            yield from _misleading(document, value, here)
        elif key in times:
            if (named := _NAMED.fullmatch(value)) is not None:
                yield from _misleading(document, named[1], here)
            if unused:
                yield from _unused(document, key, value, data.get("timezone"), here)


def _misleading(document: Document, zone: str, route: Route) -> Iterator[Diagnostic]:
    found = _FIXED.get(zone)
    if found is None and zone in available_zones() and (match := _REVERSED.fullmatch(zone)) is not None:
        sign, hours = match.groups()
        opposite = "-" if sign == "+" else "+"
        found = (
            f"is UTC{opposite}{hours}: the signs of these names are reversed",
            f"write Etc/GMT{opposite}{hours} for UTC{sign}{hours}, "
            "or the name of a place, such as Europe/Berlin",
        )
    if found is not None:
        yield warning("misleading-zone", document.place(route), f"time zone {zone} {found[0]}", found[1])


def _is_absolute(time: str) -> bool:
    """Whether a time says its own offset. A local one, or a faulty one that is reported anyway, does not."""
    try:
        read_time(time)
    except TimeError:
        return False
    return True


def _unused(document: Document, key: str, time: str, zone: Any, route: Route) -> Iterator[Diagnostic]:
    """A time that says its own offset, beside a zone. Programs write local times as `...000Z` too."""
    if not isinstance(zone, str) or is_nothing(zone) or zone not in available_zones():
        return
    yield warning(
        "unused-zone",
        document.place(route),
        f"`{key}` has its own offset, so `timezone: {zone}` has no effect on it",
        f"if it is {zone} time, write {key}: {time[:16]}; if it is not, remove the `timezone`",
    )
