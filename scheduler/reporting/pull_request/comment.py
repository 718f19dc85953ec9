"""A plan as the comment on a pull request: a summary, then problems, times, and what is near them.

A comment stays below 50,000 bytes: what does not fit is left out in whole rows, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from scheduler.diagnostics import Diagnostic
from scheduler.planning.plan import Action, Change, Plan
from scheduler.planning.rows import Phase
from scheduler.reporting.diagnostics_text import DiagnosticRenderer, weights
from scheduler.reporting.plan_sections import (
    SYMBOLS,
    Section,
    checksum,
    differences,
    pace_notes,
    record_of,
    sections,
    tally,
)
from scheduler.reporting.pull_request.escaping import code, escape, folded, zone_name
from scheduler.reporting.pull_request.gantt import gantt
from scheduler.reporting.pull_request.notes import notes, settings_table
from scheduler.reporting.pull_request.punctuality_section import punctuality
from scheduler.reporting.pull_request.summary import by_series, headline
from scheduler.reporting.pull_request.timeline import timeline
from scheduler.reporting.review import Review, review_of_plan
from scheduler.reporting.time_format import local_moment, utc_moment
from scheduler.state.record import Record
from scheduler.wording import count, more

if TYPE_CHECKING:
    from scheduler.desired import Pace

MARKER = "<!-- wave-scheduler:plan"
"""The beginning of the one comment that is kept up to date."""
COMMENT_LIMIT = 50_000
"""Bytes; GitHub refuses a comment of more than 65,536 characters."""
_NOTES = 1_500
"""Bytes kept free for the note on what was left out."""


def plan_markdown(
    plan: Plan,
    diagnostics: Sequence[Diagnostic],
    *,
    zones: Mapping[str, str],
    sources: Mapping[str, str] | None = None,
    pace: Pace | None = None,
    review: Review | None = None,
    limit: int = COMMENT_LIMIT,
) -> str:
    """The comment: the same bytes for the same plan, whenever it is made.

    `zones` are the channels' time zones (IANA names), `sources` the texts of the files by name. `limit` is
    in bytes.
    """
    review = review_of_plan(plan) if review is None else review
    total = checksum(plan.changes)
    head = [_marker(plan, total, review), "### Publication plan", headline(review, diagnostics)]
    base = "the base branch and the state" if review.has_base else "the state"
    foot = f"Plan checksum: <code>{total}</code>, compared with {base}."
    page = _Page(limit - len("\n\n".join([*head, foot]).encode()) - _NOTES)
    lost = [fault for fault in diagnostics if fault.code == "missed-by-pause"]
    page.add(*_problems(lost, sources or {}, page.share(3)))
    page.add(by_series(review, zones, page.share(6)), [])
    notes_on_pace = (
        f"{text}." if token is None else f"{code(token)}: {text}."
        for token, text in pace_notes(plan.sends, pace)
    )
    page.add("\n".join(notes_on_pace), [])
    others = [fault for fault in diagnostics if fault not in lost]
    page.add(*_problems(others, sources or {}, page.share(3)))
    page.add(*settings_table(review, page.share(5)))
    page.add(*timeline(review.changes, zones, page.share(3)))
    page.add(*gantt(review.changes, page.share(4)))
    page.add(*notes(review, zones, page.share(4)))
    page.add(*punctuality(review, page.share(4)))
    page.add(*_table([*review.changes, *review.steps], zones, page.room))
    return "\n\n".join([*head, *page.parts, *page.left_out(), foot])


class _Page:
    """The parts so far, and the room that is left, in bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.parts: list[str] = []
        self._left_out: list[str] = []

    def share(self, parts: int) -> int:
        """An equal share of what is left, so that no part takes the room of all that follow."""
        return max(0, self.room // parts)

    def add(self, text: str, left_out: Sequence[str]) -> None:
        if text:
            self.parts.append(text)
            self.room -= len(text.encode()) + 2
        self._left_out += left_out

    def left_out(self) -> list[str]:
        if not self._left_out:
            return []
        what = "; ".join(self._left_out)
        return [
            f"Left out to keep this comment short: {what}. The summary of the check has more; run "
            "<code>scheduler plan</code> and <code>scheduler validate</code> to see everything."
        ]


def _marker(plan: Plan, total: str, review: Review) -> str:
    """Only numbers and hexadecimal digits: nothing in it can end the HTML comment."""
    counts = tally(plan.changes)
    facts: dict[str, object] = {
        "version": 1,
        "checksum": total,
        "proposal": checksum(review.changes),
        "changes": len(plan.changes),
        **{action: counts[action] for action in SYMBOLS if counts[action]},
    }
    return f"{MARKER} {msgspec.json.encode(facts).decode()} -->"


def _problems(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], room: int
) -> tuple[str, list[str]]:
    """As many diagnostics as fit, errors first, and how many do not."""
    if not diagnostics:
        return "", []
    renderer = DiagnosticRenderer(sources)
    ordered = sorted(diagnostics, key=lambda fault: not fault.is_error)
    shown: list[str] = []
    for fault in ordered:
        text = escape(renderer.render(fault))
        room -= len(text.encode()) + 2
        if room < 0:
            break
        shown.append(text)
    rest = len(ordered) - len(shown)
    left_out = [count(rest, "problem")] if rest else []
    text = "\n\n".join(shown)
    return (folded(weights(diagnostics), len(shown), f"<pre>\n{text}\n</pre>") if shown else ""), left_out


def _table(changes: Sequence[Change], zones: Mapping[str, str], room: int) -> tuple[str, list[str]]:
    """Tables by wave and channel: as many rows as fit, and what does not fit."""
    if not changes:
        return "", []
    blocks: list[str] = []
    left_out = []
    room -= 200
    for section in sections(changes):
        lines: list[str] = []
        for line in _rows(section, zones):
            room -= len(line.encode()) + 1
            if room < 0:
                break
            lines.append(line)
        missing = len(section.changes) + 1 - max(len(lines), 1)
        if len(lines) > 1:
            blocks.append("\n".join(lines))
        if missing:
            left_out.append((section, missing))
    shown = len(changes) - sum(number for _, number in left_out)
    title = count(len(changes), "step")
    body = "\n\n".join(blocks)
    return (folded(title, shown, body) if blocks else ""), _left_out(left_out)


def _left_out(found: Sequence[tuple[Section, int]]) -> list[str]:
    if not found:
        return []
    total = count(sum(number for _, number in found), "step")
    some = ", ".join(f"{number:,} of {section.kind} {code(section.name)}" for section, number in found[:3])
    others = f" {more(len(found) - 3)} waves and channels" if len(found) > 3 else ""
    return [f"{total}: {some}{others}"]


_OUTCOMES: Mapping[Action, str] = {"archive": "archived", "retract": "taken back"}
"""What the steps that leave no publication make of one."""


def _rows(section: Section, zones: Mapping[str, str]) -> Iterator[str]:
    """A heading with the header of the table, then one line for each change."""
    yield (
        f"**{section.title}** {code(section.name)}\n\n"
        "| | Publication | Video | Before | After | Why |\n|-|-|-|-|-|-|"
    )
    for change in section.changes:
        zone = zones.get(record_of(change).channel_id, "UTC")
        after = _OUTCOMES.get(change.action) or _when(change.after, zone, change.phase)
        other = [
            f"{label}: {old} -> {new}"
            for label, old, new in differences(change, zone)
            if label not in ("time", "video", "status")
        ]
        records = (record for record in (change.before, change.after) if record is not None)
        videos = dict.fromkeys(record.video_id or "(none)" for record in records)
        cells = (
            code(SYMBOLS[change.action]),
            code(change.schedule_id),
            " → ".join(map(code, videos)),
            _when(change.before, zone, change.phase),
            after,
            "<br>".join(code(text) for text in (change.reason, *other) if text),
        )
        yield f"| {' | '.join(cells)} |"


def _when(record: Record | None, zone: str, phase: Phase) -> str:
    """The publish time in the channel's zone and in UTC, or what became of it."""
    if record is None:
        return ""
    if record.traits.is_settled and phase != "handed_over":
        return record.status
    if record.status == "failed":
        return f"failed: {code(record.reason or '')}"
    when = zone_name(local_moment(record.at, zone))
    if zone != "UTC":
        when += f"<br>{utc_moment(record.at)} UTC"
    if record.was_sent:
        when += ", handed over" if phase == "handed_over" else ", sent"
    return when + (", paused" if record.is_paused else "")
