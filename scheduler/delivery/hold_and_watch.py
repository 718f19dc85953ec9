"""Runs that stay: `--hold` for what is due soon, `--watch` for a duration or until stopped.

Before each round everything is read again, so that a cancellation that was merged a minute ago is obeyed.
Intents are saved a little before the instant, and the requests are sent at it. While a hold waits, it keeps
asking whether anything changed, since what was merged meanwhile may be due sooner. Neither of the two ends
at an error that may pass: being there at the instant is what they are for.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler.delivery import Ports, Report, Runner
from scheduler.errors import Error, RemoteAway, RunRefused, StateMissing
from scheduler.times import Instant

POLL = 10
"""Seconds after which `--watch` reads the repository and the state again, and `--hold` asks for changes."""
SLICE = 1.0
"""Seconds after which a hold looks whether its question was answered."""
SOON = 2
"""Seconds after which they try again after an error."""
LEAST_MARGIN, MOST_MARGIN = 1.0, 20.0
"""Seconds before an instant at which a round begins: twice what the last one took, within these."""

Complain = Callable[[Error], None]


def hold(runner: Runner, seconds: int, complain: Complain) -> Report:
    """Reconcile, then wait for what is due within `seconds`, and send it to the second.

    What is declared meanwhile counts as well. An error after the first round is handled as in `watch`, and so
    is a remote that does not answer in the first one. It ends early where something due needs another token
    than this process can get.
    """
    clock = runner.ports.clock
    end = clock.monotonic() + seconds
    lookout = Lookout(runner.ports)
    trouble: Error | None = None
    try:
        _timed(runner, None)
    except RemoteAway as problem:
        complain(problem)
        trouble = problem
    while not clock.is_ended:
        at = None
        if trouble is None and not runner.is_in_doubt:
            due = next_due(runner)
            if due is None or runner.needs_another_run or due - clock.moment() > end - clock.monotonic():
                break
            at = lookout.wait(due, runner.margin)
        elif clock.monotonic() >= end:
            break
        else:
            clock.sleep(SOON)
        if not clock.is_ended:
            trouble = _tried(runner, at, complain, trouble)
    if trouble is not None:
        raise trouble
    return runner.report


class Lookout:
    """Asks every `POLL` seconds whether anything changed that a hold waits past, and waits meanwhile.

    One question at a time, in a thread of its own: what falls due never waits for a slow remote. A question
    without an answer is asked again; the next round reports what is wrong with the remote.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._next = ports.clock.monotonic()
        self._is_asking = False
        self._answer: object = None
        self._known: object = None

    def wait(self, due: Instant, margin: float) -> Instant | None:
        """Wait until `margin` seconds before `due`, which is returned; None where something changed first."""
        clock, tip = self._ports.clock, self._ports.tip
        while not clock.is_ended and (left := due - margin - clock.moment()) > 0:
            if tip is None:
                clock.sleep(left)
                continue
            if clock.monotonic() >= self._next:
                self._next = clock.monotonic() + POLL
                if clock.jump():
                    return None  # the round finds out which time is right
                self._ask(tip)
            if self._answer != self._known and left > margin:  # else the round for `due` sees it soon enough
                self._known = self._answer
                return None
            clock.sleep(min(left, SLICE))
        return due

    def _ask(self, tip: Callable[[], object]) -> None:
        if not self._is_asking:
            self._is_asking = True
            self._ports.beside(lambda: self._hear(tip))

    def _hear(self, tip: Callable[[], object]) -> None:
        try:
            self._answer = tip()
        except Error:
            pass
        finally:
            self._is_asking = False


def watch(
    runner: Runner, seconds: int | None, complain: Complain, show: Callable[[Report], None] = lambda _: None
) -> Report:
    """Keep reconciling for `seconds`, or until the program is asked to end.

    An error on the way (a store that cannot be reached) is passed to `complain` and tried again; it is
    raised where it persists at the end. `show` gets the report after each round.
    """
    clock = runner.ports.clock
    end = float("inf") if seconds is None else clock.monotonic() + seconds
    _timed(runner, None)
    show(runner.report)
    trouble: Error | None = None
    while not clock.is_ended and (left := end - clock.monotonic()) > 0:
        at = None
        if trouble is None:
            at = _wait(runner, min(POLL, left))
        else:
            clock.sleep(min(SOON, left))
        if clock.is_ended:
            break
        trouble = _tried(runner, at, complain, trouble)
        if trouble is None:
            show(runner.report)
    if trouble is not None:
        raise trouble
    return runner.report


def _tried(runner: Runner, at: Instant | None, complain: Complain, before: Error | None) -> Error | None:
    """One round; what went wrong in it, of which `complain` hears once. `before` is the error of the last."""
    try:
        _timed(runner, at)
    except (StateMissing, RunRefused):
        raise  # neither passes by itself, and continuing could send the past
    except Error as problem:
        if before is None or problem.message != before.message:
            complain(problem)
        return problem
    return None


def _wait(runner: Runner, pause: float) -> Instant | None:
    """Wait for the next round, or for the next instant at which something is sent, which is returned."""
    clock = runner.ports.clock
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
