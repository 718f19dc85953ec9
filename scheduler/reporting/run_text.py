"""What a run did, for people: one line for each publication, and the totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scheduler.planning.rows import Result
from scheduler.reporting.terminal import Paint, pad, visible, width
from scheduler.reporting.time_format import utc_moment
from scheduler.state.statuses import TRAITS
from scheduler.times import read_utc


def results_text(results: Sequence[Result], *, colour: bool = False) -> str:
    """`+ spring/teaser/alpha  completed`, with the error if there was one; the last line has the totals."""
    paint = Paint(colour)
    ids = [visible(result.schedule_id) for result in results]
    widest = max(map(width, ids), default=0)
    lines = []
    for result, name in zip(results, ids, strict=True):
        traits = TRAITS[result.status]
        symbol = paint(traits.style, traits.symbol)
        error = visible(result.error or handed_over_until(result.phase, result.status, result.scheduled_at))
        lines.append(f"{symbol} {pad(name, widest)}  {result.status:9}  {error}".rstrip())
    return "\n".join([*lines, paint("bold", results_summary(results))])


def handed_over_until(phase: str, status: str, scheduled_at: str) -> str:
    """`handed over, public at 2026-03-01 18:00 UTC`: what `completed` does not say of what is not public."""
    if phase != "handed_over":
        return ""
    is_done = status == "completed"
    return "handed over" + (f", public at {utc_moment(read_utc(scheduled_at))} UTC" if is_done else "")


def results_summary(results: Sequence[Result]) -> str:
    """`2 completed (1 not public yet), 1 failed.`, or `Nothing to do.`"""
    counts = Counter(result.status for result in results)
    early = sum(result.phase == "handed_over" and TRAITS[result.status].is_settled for result in results)
    parts = [
        f"{counts[status]:,} {status}"
        + (f" ({early:,} not public yet)" if early and status == "completed" else "")
        for status in TRAITS
        if counts[status]
    ]
    return f"{', '.join(parts)}." if parts else "Nothing to do."
