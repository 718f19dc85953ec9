"""A plan for people at a terminal: by wave and channel, a symbol for each step, what changes, and why.

wave spring
  + create  spring/teaser/alpha  2026-03-01 18:00 UTC (19:00 Europe/Berlin)  teaser-4k  # declared in …
  - cancel  spring/teaser/beta   2026-03-01 18:00 UTC                        teaser-4k  # no longer …

Plan: 1 to add, 0 to change, 1 to cancel, 0 to send.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from scheduler.planning.plan import Change, Plan
from scheduler.reporting.plan_sections import (
    SYMBOLS,
    Section,
    differences,
    pace_notes,
    record_of,
    sections,
    tally_text,
)
from scheduler.reporting.terminal import Paint, clip, pad, visible, width
from scheduler.reporting.time_format import moment

if TYPE_CHECKING:
    from scheduler.desired import Pace

_LONGEST = 160
"""Characters of one changed value; whole ones are in the JSON."""
_STYLES = {
    "+": "green",
    "~": "yellow",
    "-": "red",
    ">": "cyan",
    "<": "yellow",
    "!": "alarm",
    "?": "dim",
    "=": "green",
    ".": "dim",
}


def plan_text(plan: Plan, *, zones: Mapping[str, str], pace: Pace | None = None, colour: bool = False) -> str:
    """The whole plan. `zones` are the IANA names of the channels' time zones; UTC where one is missing."""
    paint = Paint(colour)
    blocks = ["\n".join(_section(section, zones, paint)) for section in sections(plan.changes)]
    if plan.waiting:
        mark, title = paint("alarm", "!"), paint("bold", "due but cannot be sent")
        lines = (
            f"  {mark} {visible(w.schedule_id)}  {paint('dim', f'# {visible(w.why)}')}" for w in plan.waiting
        )
        blocks.append("\n".join([title, *lines]))
    last = [
        visible(f"{text}." if token is None else f"{token}: {text}.")
        for token, text in pace_notes(plan.sends, pace)
    ]
    last.append(paint("bold", tally_text(plan.changes)))
    return "\n\n".join([*blocks, "\n".join(last)])


def _section(section: Section, zones: Mapping[str, str], paint: Paint) -> Iterator[str]:
    yield paint("bold", f"{section.kind} {visible(section.name)}")
    rows = [_columns(change, zones) for change in section.changes]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for change, row in zip(section.changes, rows, strict=True):
        symbol = SYMBOLS[change.action]
        cells = [pad(cell, cells) for cell, cells in zip(row, widths, strict=True)]
        reason = paint("dim", f"# {visible(change.reason)}") if change.reason else ""
        yield f"  {paint(_STYLES[symbol], symbol)} {'  '.join([*cells, reason])}".rstrip()
        indent = " " * (6 + widths[0])
        zone = zones.get(record_of(change).channel_id, "UTC")
        for label, old, new in differences(change, zone):
            yield f"{indent}{label}: {visible(clip(old, _LONGEST))} -> {visible(clip(new, _LONGEST))}"


def _columns(change: Change, zones: Mapping[str, str]) -> tuple[str, str, str, str]:
    record = record_of(change)
    when = moment(record.at, zones.get(record.channel_id, "UTC"))
    return change.action, visible(change.schedule_id), when, visible(record.video_id or "(no video)")
