"""What else goes out on a channel shortly before or after what a proposal puts there. Pure.

Less than `min_gap` apart is an error with a place; these are allowed but worth checking.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from scheduler.planning.plan import Change
from scheduler.state.record import Record
from scheduler.times import Instant

_LEAST = 3_600
_TIMES = 3
_PLACES = frozenset({"create", "update", "reopen"})


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Two publications on one channel that are near each other; the first is the proposal's."""

    schedule_id: str
    channel_id: str
    at: Instant
    other_id: str
    other_at: Instant
    was_sent: bool
    """Whether the other one has been sent already."""


def span_of(min_gap: int) -> int:
    """How near is near, in seconds: an hour, or three times `min_gap` if that is longer."""
    return max(_LEAST, _TIMES * min_gap)


def near(changes: Sequence[Change], booked: Mapping[str, Record], min_gap: int) -> list[Neighbour]:
    """Every pair once, by time. What is cancelled, or failed without being sent, does not count."""
    placed = {change.schedule_id: change.after for change in changes if _is_placed(change)}
    lines = _lines(booked, {record.channel_id for record in placed.values() if record is not None})
    span = span_of(min_gap)
    found: dict[tuple[str, str], Neighbour] = {}
    for schedule_id, record in placed.items():
        if record is None:
            continue
        line, at = lines[record.channel_id], record.at
        first, last = bisect_left(line, (at - span, "")), bisect_right(line, (at + span + 1, ""))
        for other_at, other_id in line[first:last]:
            if other_id == schedule_id:
                continue
            pair = min(schedule_id, other_id), max(schedule_id, other_id)
            found.setdefault(
                pair,
                Neighbour(
                    schedule_id=schedule_id, channel_id=record.channel_id, at=at, other_id=other_id,
                    other_at=other_at, was_sent=booked[other_id].was_sent,
                ),
            )  # fmt: skip
    return sorted(found.values(), key=lambda one: (one.at, one.schedule_id, one.other_at, one.other_id))


def _is_placed(change: Change) -> bool:
    """Whether it puts a publication at a time where there was none."""
    before, after = change.before, change.after
    if after is None or change.action not in _PLACES or after.status == "cancelled":
        return False
    return change.action != "update" or before is None or before.scheduled_at != after.scheduled_at


def _lines(booked: Mapping[str, Record], channels: set[str]) -> dict[str, list[tuple[Instant, str]]]:
    """The publications of each of these channels, by time."""
    lines: dict[str, list[tuple[Instant, str]]] = defaultdict(list)
    for schedule_id, record in booked.items():
        if record.channel_id in channels and (record.is_live or record.was_sent):
            lines[record.channel_id].append((record.at, schedule_id))
    for line in lines.values():
        line.sort()
    return lines
