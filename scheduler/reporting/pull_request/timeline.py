"""A proposal's publications instant by instant: what was there before, and what will be there.

Times are given in UTC and in the channels' zones. What goes out together is one row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from scheduler.planning.plan import Change
from scheduler.reporting.plan_sections import is_move, shift_text
from scheduler.reporting.pull_request.escaping import code, folded, some, that_fit, zone_name
from scheduler.reporting.review import BOOKINGS
from scheduler.reporting.time_format import day_and_time, local_clock
from scheduler.state.record import Record
from scheduler.times import Instant
from scheduler.wording import count, more

_ZONES = 4
_CHANNELS = 3
_ITEMS = 6
_HEADER = "| UTC | Channel time | Before | After |\n|-|-|-|-|"


class _Item(NamedTuple):
    """What goes out at one instant on several channels."""

    name: str
    note: str


class _Row:
    """One instant."""

    def __init__(self) -> None:
        self.channels: dict[str, None] = {}
        self.before: dict[_Item, list[str]] = defaultdict(list)
        self.after: dict[_Item, list[str]] = defaultdict(list)


def timeline(changes: Sequence[Change], zones: Mapping[str, str], room: int) -> tuple[str, list[str]]:
    """The table with as many rows as fit, and what was left out."""
    rows = _rows(changes)
    if not rows:
        return "", []
    lines = that_fit((_line(at, rows[at], zones) for at in sorted(rows)), room - len(_HEADER) - 200)
    rest = len(rows) - len(lines)
    left_out = [f"{count(rest, 'later instant')} of the timeline"] if rest else []
    if not lines:
        return "", left_out
    table = "\n".join([_HEADER, *lines])
    return folded(f"Timeline: {count(len(rows), 'instant')}", len(lines), table), left_out


def _rows(changes: Sequence[Change]) -> dict[Instant, _Row]:
    rows: dict[Instant, _Row] = defaultdict(_Row)
    for change in changes:
        if change.action not in BOOKINGS or (change.action == "update" and not is_move(change)):
            continue
        before, after = change.before, change.after
        was_there = before is not None and not before.traits.is_called_off
        if before is not None and was_there:
            _enter(rows[before.at], "before", change, before)
            if is_move(change) and after is not None:
                _enter(rows[before.at], "after", change, before, f"moved {shift_text(after.at - before.at)}")
        if after is not None and (was_there or not after.traits.is_called_off or before is None):
            _enter(rows[after.at], "after", change, after)
    return rows


def _enter(row: _Row, side: str, change: Change, record: Record, note: str = "") -> None:
    if not note:
        note = record.status if record.traits.is_settled else ""
        note = note or ("paused" if record.is_paused else "")
    cell = row.before if side == "before" else row.after
    name = record.coordination_group_id or record.video_id or change.schedule_id
    cell[_Item(name, note)].append(record.channel_id)
    row.channels[record.channel_id] = None


def _line(at: Instant, row: _Row, zones: Mapping[str, str]) -> str:
    clocks: dict[str, list[str]] = defaultdict(list)
    for channel in row.channels:
        clocks[zones.get(channel, "UTC")].append(channel)
    names = sorted(clocks, key=lambda zone: (zone == "UTC", local_clock(at, zone), zone))
    shown = [
        "UTC" if zone == "UTC" else f"{local_clock(at, zone)} {zone_name(zone)}" for zone in names[:_ZONES]
    ]
    if len(names) > _ZONES:
        shown.append(more(len(names) - _ZONES, "zone"))
    cells = (day_and_time(at), "<br>".join(shown), _cell(row.before), _cell(row.after))
    return f"| {' | '.join(cells)} |"


def _cell(items: Mapping[_Item, Sequence[str]]) -> str:
    lines = [_item(item, items[item]) for item in sorted(items)]
    if len(lines) > _ITEMS:
        lines = [*lines[: _ITEMS - 1], more(len(lines) - _ITEMS + 1)]
    return "<br>".join(lines)


def _item(item: _Item, channels: Iterable[str]) -> str:
    on = some(sorted(channels), _CHANNELS, "channel")
    name = f"{code(item.name)} on {on}"
    return f"{name} ({item.note})" if item.note else name
