"""How long the scheduler was away: the time between this tick and the previous one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.times import Instant

_NO_TICK = frozenset({"cancelled", "skipped", "action_required", "startup_failure", "stale"})
"""Conclusions of runs that did not reconcile: replaced while they waited, or never started."""


@dataclass(frozen=True)
class Tick:
    """A run of the workflow that reconciles. `conclusion` is how GitHub says it ended, None until then."""

    id: int
    conclusion: str | None
    started: Instant


def gap_before(run_id: int, runs: Iterable[Tick]) -> tuple[Instant, Instant] | None:
    """The start of the tick before the run `run_id`, and that run's own; None where either is unknown.

    The runs may come in any order. A tick that failed was a tick all the same.
    """
    begun = {run.id: run.started for run in runs if run.conclusion not in _NO_TICK or run.id == run_id}
    own = begun.pop(run_id, None)
    earlier = [start for start in begun.values() if own is not None and start < own]
    if own is None or not earlier:
        return None
    return max(earlier), own
