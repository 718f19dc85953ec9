"""Schedules by the line that gives them their time: where it is, and how messages name them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Location
from scheduler.planning.expand import Loc, Schedule, member_place
from scheduler.times import in_zone, instant_text, read_zone


def by_cause(declared: Declarations, found: Iterable[Schedule]) -> list[list[Schedule]]:
    """Schedules by what gives them their time: one line is one fault, on however many channels."""
    causes: dict[tuple[str, Loc], list[Schedule]] = {}
    for schedule in found:
        causes.setdefault((schedule.file, time_route(declared, schedule)), []).append(schedule)
    return list(causes.values())


def ids(group: Iterable[Schedule]) -> list[str]:
    return [schedule.id for schedule in group]


def listed(group: Sequence[Schedule], one: str, many: str) -> str:
    """`spring/teaser/alpha was`, `spring/teaser/alpha and 2 more were`."""
    return f"{group[0].id} {one}" if len(group) == 1 else f"{group[0].id} and {len(group) - 1:,} more {many}"


def others_too(group: Sequence[Schedule]) -> str:
    """How many other times of a stagger share the fault of the first one."""
    others = len({schedule.at for schedule in group}) - 1
    if others < 1:
        return ""
    return f"; so {'is 1 more time' if others == 1 else f'are {others:,} more times'} of this entry"


def time_text(declared: Declarations, schedule: Schedule) -> str:
    """A publish time in UTC and in its channel's zone."""
    channel = declared.channels.get(schedule.channel)
    text = instant_text(schedule.at)
    if channel is None or channel.timezone == "UTC":
        return text
    local = in_zone(schedule.at, read_zone(channel.timezone))
    return f"{text} ({local[:16].replace('T', ' ')} {channel.timezone})"


def time_route(declared: Declarations, schedule: Schedule) -> Loc:
    """The route to what gives a schedule its time: its own `at` or `shift`, or else its entry."""
    data = _value(declared, schedule)
    if isinstance(data, dict):
        for key in ("at", "shift"):
            if key in data:
                return (*schedule.loc, key)
    return schedule.loc[:2]


def time_place(declared: Declarations, schedule: Schedule) -> Location:
    """Where the time of a schedule is written: its own `at`, its entry's, or its place in a stagger."""
    route = time_route(declared, schedule)
    if len(route) > 2:
        return declared.place(schedule.file, route)
    if schedule.group.schedule_type == "simultaneous" or schedule.position == 0:
        return declared.place(schedule.file, (*route, "at"))
    return member_place(declared, schedule)


def video_place(declared: Declarations, schedule: Schedule) -> Location:
    """Where the video of a schedule is written."""
    route = schedule.loc if schedule.slot else schedule.loc[:2]
    return declared.place(schedule.file, (*route, "video"))


def cancelled_route(declared: Declarations, schedule: Schedule) -> Loc:
    """The route to the line that cancels a schedule: its own, or its wave's."""
    if schedule.group.cancelled:
        return ("cancelled",)
    data = _value(declared, schedule)
    return (*schedule.loc, "cancelled") if isinstance(data, dict) and "cancelled" in data else schedule.loc


def _value(declared: Declarations, schedule: Schedule) -> Any:
    """What is written where a schedule is declared: a channel's id, or a mapping."""
    data: Any = declared.documents[schedule.file].data
    for step in schedule.loc:
        data = data[step]
    return data
