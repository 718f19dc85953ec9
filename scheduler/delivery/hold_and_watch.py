"""Runs that stay: `--hold` for what falls due soon, `--watch` for as long as is wanted.

Before each round everything is read again, so that a cancel that was merged a minute before is obeyed.
Intents are saved a little ahead of the instant, and the requests leave at it.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler.delivery import Report, Runner
from scheduler.errors import Error, RunRefused, StateMissing
from scheduler.times import Instant

POLL = 10
"""Seconds after which `--watch` looks at the repository and the record again."""
SOON = 2
"""Seconds after which it looks again after trouble."""
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


def watch(
    runner: Runner,
    seconds: int | None,
    complain: Callable[[Error], None],
    tell: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Keep reconciling for `seconds`, or until the program is asked to end.

    Trouble on the way (a store that cannot be reached) is told to `complain` and tried again; it is raised
    where it still lasts at the end. After each look `tell` gets the report as it is then.
    """
    clock = runner.edge.clock
    end = None if seconds is None else clock.now() + seconds
    _timed(runner, None)
    tell(runner.report)
    trouble: Error | None = None
    while not clock.is_ended and (end is None or clock.now() < end):
        at = None
        if trouble is None:
            at = _wait(runner, end)
        else:
            clock.sleep(SOON if end is None else min(SOON, end - clock.now()))
        if clock.is_ended:
            break
        try:
            _timed(runner, at)
            tell(runner.report)
            trouble = None
        except (StateMissing, RunRefused):
            raise  # neither passes by itself, and going on could send the past
        except Error as problem:
            if trouble is None or str(problem) != str(trouble):
                complain(problem)
            trouble = problem
    if trouble is not None:
        raise trouble
    return runner.report


def _wait(runner: Runner, end: Instant | None) -> Instant | None:
    """Wait for the next look, or for the next instant at which something leaves, which is returned."""
    clock = runner.edge.clock
    pause = POLL if end is None else min(POLL, end - clock.now())
    due = next_due(runner)
    if due is None or due - runner.margin > clock.moment() + pause or due <= clock.now():
        clock.sleep(pause)
        return None
    clock.sleep_until(due - runner.margin)
    return due


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
