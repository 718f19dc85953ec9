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
from scheduler.times import TimeError, available_zones, moment_of, read_time, read_zone

_FIXED: Final = {
    "EST": ("is UTC-5 all year, without daylight saving time", "write America/New_York for New York"),
    "MST": ("is UTC-7 all year, without daylight saving time", "write America/Denver for Denver"),
    "HST": ("is UTC-10 all year, without daylight saving time", "write Pacific/Honolulu for Honolulu"),
}
_REVERSED: Final = re.compile(r"Etc/GMT([+-])([1-9]\d?)")
_NAMED: Final = re.compile(r".*[0-9] (Etc/GMT\S+)")
_WALL: Final = re.compile(r"((?:[A-Za-z]+,? )?.{16})(:00|(:\d\d))?.*")
_ZERO_FRACTION: Final = re.compile(r"[.]0+")
_OF_RUBY: Final = re.compile(r"[.]0{9} [+-]")
_TIMES: Final = ("at", "until", "from", "not_before")


def zone_warnings(document: Document) -> list[Diagnostic]:
    """Zones whose names mislead, and times with an offset that do not use a `timezone`, each at its place."""
    if "timezone" not in document.text and "Etc/GMT" not in document.text:
        return []
    return list(_in_mapping(document, document.data, (), None))


def _in_mapping(document: Document, data: Any, route: Route, outer: Any) -> Iterator[Diagnostic]:
    """The warnings of a mapping and of what is in it; `outer` is the `timezone` further out.

    The reader bounds the depth.
    """
    own = data.get("timezone") if isinstance(data, dict) else None
    own = None if is_nothing(own) else own
    items: Any = data.items() if isinstance(data, dict) else enumerate(data)
    times = {key: value for key, value in items if key in _TIMES and isinstance(value, str)}
    unused = all(map(_is_absolute, times.values()))  # of a freeze, `from` may be local and `until` not
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        here = (*route, key)
        if isinstance(value, list) or (isinstance(value, dict) and key != "metadata"):
            yield from _in_mapping(document, value, here, outer if own is None else own)
        elif key == "timezone" and isinstance(value, str):
            yield from _misleading(document, value, here)
        elif key in times:
            if (named := _NAMED.fullmatch(value)) is not None:
                yield from _misleading(document, named[1], here)
            if unused:
                yield from _unused(document, key, value, (own, outer), here)


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


def _unused(
    document: Document, key: str, time: str, zones: tuple[Any, Any], route: Route
) -> Iterator[Diagnostic]:
    """A time that says its own offset, although a zone holds for it.

    js-yaml 4 and Psych (Ruby) read a local time as UTC and write it with an offset and a fraction, Psych in
    the machine's zone. By hand, an offset under a zone further out is meant; with a fraction it may be such
    a program's.
    """
    own, outer = zones
    zone, is_beside = (own, True) if own is not None else (outer, False)
    if not isinstance(zone, str) or zone not in available_zones():
        return
    moment = moment_of(read_time(time))
    if is_beside:
        otherwise = "remove the `timezone`"
    elif _ZERO_FRACTION.search(time) and moment.astimezone(read_zone(zone)).utcoffset():
        otherwise = f"write {key}: {_ZERO_FRACTION.sub('', time)}"
    else:
        return
    wall = _WALL.sub(r"\1\3", time)
    if_read = f" ({moment:%Y-%m-%d %H:%M} if Ruby read it as UTC)" if _OF_RUBY.search(time) else ""
    yield warning(
        "unused-zone",
        document.place(route),
        f"`{key}` has its own offset, so `timezone: {zone}` has no effect on it",
        f"if it is {zone} time, write {key}: {wall}{if_read}; if it is not, {otherwise}",
    )
