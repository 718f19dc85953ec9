"""What a run did, for people: one line for each publication, and the totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scheduler.planning.rows import Result
from scheduler.reporting.terminal import Paint, pad, visible, width
from scheduler.state.statuses import TRAITS


def results_text(results: Sequence[Result], *, colour: bool = False) -> str:
    """`+ spring/teaser/alpha  completed`, with the error if there was one; the last line has the totals."""
    paint = Paint(colour)
    ids = [visible(result.schedule_id) for result in results]
    widest = max(map(width, ids), default=0)
    lines = []
    for result, name in zip(results, ids, strict=True):
        traits = TRAITS[result.status]
        symbol = paint(traits.style, traits.symbol)
        error = visible(result.error) if result.error else ""
        lines.append(f"{symbol} {pad(name, widest)}  {result.status:9}  {error}".rstrip())
    return "\n".join([*lines, paint("bold", results_summary(results))])


def results_summary(results: Iterable[Result]) -> str:
    """`2 completed, 1 failed.`, or `Nothing to do.`"""
    counts = Counter(result.status for result in results)
    parts = [f"{counts[status]:,} {status}" for status in TRAITS if counts[status]]
    return f"{', '.join(parts)}." if parts else "Nothing to do."
