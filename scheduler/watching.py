"""Runs that stay: `--hold` for what falls due soon, `--watch` for as long as is wanted.

Before each round everything is read again, so that a cancel that was merged a minute before is obeyed.
Intents are saved a little ahead of the instant, and the requests leave at it.
"""

from __future__ import annotations

from scheduler.apply import Report, Runner
from scheduler.times import Instant

POLL = 10
"""Seconds after which `--watch` looks at the repository and the record again."""
LEAST_MARGIN, MOST_MARGIN = 1.0, 20.0
"""Seconds ahead of an instant at which a round begins: twice what the last one took, within these."""


def hold(runner: Runner, seconds: int) -> Report:
    """Reconcile, then wait for what falls due within `seconds`, and send it to the second."""
    clock = runner.edge.clock
    end = clock.now() + seconds
    _timed(runner, None)
    while not clock.is_ended:
        due = next_due(runner)
        if due is None or due > end:
            break
        if clock.sleep_until(due - runner.margin):
            _timed(runner, due)
    return runner.report


def watch(runner: Runner, seconds: int | None) -> Report:
    """Keep reconciling for `seconds`, or until the program is asked to end."""
    clock = runner.edge.clock
    end = None if seconds is None else clock.now() + seconds
    _timed(runner, None)
    while not clock.is_ended and (end is None or clock.now() < end):
        due = next_due(runner)
        pause = POLL if end is None else min(POLL, end - clock.now())
        if due is not None and due - runner.margin <= clock.moment() + pause:
            if clock.sleep_until(due - runner.margin):
                _timed(runner, due)
        elif clock.sleep(pause):
            _timed(runner, None)
    return runner.report


def next_due(runner: Runner) -> Instant | None:
    """When the next request leaves, as far as the last look knows."""
    last = runner.report.last
    return None if last is None else last.plan.next_due


def _timed(runner: Runner, at: Instant | None) -> None:
    """One reconciliation, begun ahead of `at`; how long it took sets the next margin."""
    clock = runner.edge.clock
    begun = clock.monotonic()
    runner.reconcile_once(at)
    took = clock.monotonic() - begun
    if at is None:
        runner.margin = min(max(2 * took, LEAST_MARGIN), MOST_MARGIN)
