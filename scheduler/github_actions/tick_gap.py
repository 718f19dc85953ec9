"""How long the scheduler was away: the time between this tick and the one before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scheduler.times import Instant, read_utc

_NO_TICK = frozenset({"cancelled", "skipped", "action_required", "startup_failure", "stale"})
"""Conclusions of runs that did not reconcile: replaced while they waited, or never begun."""


def gap_before(run_id: int, runs: Iterable[Mapping[str, Any]]) -> tuple[Instant, Instant] | None:
    """The start of the tick before the run `run_id`, and that run's own; None where either is not known.

    `runs` is GitHub's listing of the workflow's runs, in any order. A tick that failed was a tick.
    """
    begun = {}
    for run in runs:
        if run.get("conclusion") not in _NO_TICK or run["id"] == run_id:
            begun[int(run["id"])] = read_utc(run["run_started_at"] or run["created_at"])
    own = begun.pop(run_id, None)
    earlier = [start for start in begun.values() if own is not None and start < own]
    if own is None or not earlier:
        return None
    return max(earlier), own
