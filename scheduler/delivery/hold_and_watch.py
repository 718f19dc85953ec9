"""Runs that stay: `--hold` for what is due soon, `--watch` for a duration or until stopped.

Before each round everything is read again, so that a cancellation that was merged a minute ago is obeyed.
Intents are saved a little before the instant, and the requests are sent at it.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler.delivery import Report, Runner
from scheduler.errors import Error, RunRefused, StateMissing
from scheduler.times import Instant

POLL = 10
"""Seconds after which `--watch` reads the repository and the state again."""
SOON = 2
"""Seconds after which it tries again after an error."""
LEAST_MARGIN, MOST_MARGIN = 1.0, 20.0
"""Seconds before an instant at which a round begins: twice what the last one took, within these."""


def hold(runner: Runner, seconds: int) -> Report:
    """Reconcile, then wait for what is due within `seconds`, and send it to the second."""
    clock = runner.ports.clock
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
    show: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Keep reconciling for `seconds`, or until the program is asked to end.

    An error on the way (a store that cannot be reached) is passed to `complain` and tried again; it is
    raised where it persists at the end. `show` gets the report after each round.
    """
    clock = runner.ports.clock
    end = None if seconds is None else clock.now() + seconds
    _timed(runner, None)
    show(runner.report)
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
            show(runner.report)
            trouble = None
        except (StateMissing, RunRefused):
            raise  # neither passes by itself, and continuing could send the past
        except Error as problem:
            if trouble is None or str(problem) != str(trouble):
                complain(problem)
            trouble = problem
    if trouble is not None:
        raise trouble
    return runner.report


def _wait(runner: Runner, end: Instant | None) -> Instant | None:
    """Wait for the next round, or for the next instant at which something is sent, which is returned."""
    clock = runner.ports.clock
    pause = POLL if end is None else min(POLL, end - clock.now())
    due = next_due(runner)
    if due is None or due - runner.margin > clock.moment() + pause or due <= clock.now():
        clock.sleep(pause)
        return None
    clock.sleep_until(due - runner.margin)
    return due


def next_due(runner: Runner) -> Instant | None:
    """When the next request is to be sent, as of the last round."""
    last = runner.report.last
    return None if last is None else last.plan.next_due


def _timed(runner: Runner, at: Instant | None) -> None:
    """One reconciliation, begun before `at`; how long it took sets the next margin."""
    clock = runner.ports.clock
    begun = clock.monotonic()
    runner.reconcile_once(at)
    took = clock.monotonic() - begun
    if at is None:
        runner.margin = min(max(2 * took, LEAST_MARGIN), MOST_MARGIN)
