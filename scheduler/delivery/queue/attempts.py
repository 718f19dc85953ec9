"""What the workers of both kinds of queue share: their settings, and one attempt at a job.

A job belongs to its worker for the time of a lease, which a thread renews. Asked to end, a worker takes no
more jobs and finishes those it holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from scheduler.delivery import Waiter
from scheduler.errors import Error, QueueError, StateError
from scheduler.failpoints import failpoint
from scheduler.state.jobs import End, Records, Work
from scheduler.times import instant_text

T = TypeVar("T")
FRESH = 3
"""Seconds for which what is declared, read last, decides whether a job may begin."""
HELD = 15
"""Seconds after which a job that had to wait is looked at again."""
LAST_TRIES = 30
"""Seconds for which saving the end of a job is tried on once the worker was asked to end."""


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker works: `lease` and `backoff` in seconds; `attempts` and `backoff` are `retry` in
    scheduler.yaml."""

    name: str
    jobs: int
    lease: int
    attempts: int
    backoff: int
    queues: tuple[str, ...] | None = None
    """Only jobs of these queues; None for all."""


class Gate:
    """What keeps a worker from beginning jobs: the stop switch, and what is declared now.

    `taken_back` gives, for some records, the schedules whose jobs no worker may begin, with the reasons. It
    raises Error where what is declared cannot be read.
    """

    def __init__(
        self,
        clock: Waiter,
        *,
        is_stopped: bool = False,
        taken_back: Callable[[Records], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self.is_stopped = is_stopped
        self._clock = clock
        self._taken_back = taken_back
        self._known: Mapping[str, str] = {}
        self._read_at: float | None = None
        self._lock = threading.Lock()

    def reason(self, records: Records, schedule_id: str) -> str | None:
        """Why the job of a schedule must wait; None where it may begin."""
        with self._lock:
            now = self._clock.monotonic()
            if self._read_at is None or now - self._read_at >= FRESH:
                try:
                    self._known = self._taken_back(records)
                except Error as problem:
                    return f"what is declared cannot be read: {problem.message}"
                self._read_at = now
            return self._known.get(schedule_id)


class WorkerTally:
    """How many attempts succeeded and failed."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self._lock = threading.Lock()

    def count(self, outcome: End) -> None:
        with self._lock:
            if outcome.conclusion == "success":
                self.done += 1
            else:
                self.failed += 1


class AttemptRunner:
    """Runs attempts, logs when each begins and ends, and counts them."""

    def __init__(self, run: Callable[[Work], End], clock: Waiter, echo: Callable[[str], None]) -> None:
        self.run = run
        self.clock = clock
        self.tally = WorkerTally()
        self._echo = echo

    def attempt(self, work: Work) -> End:
        """Run one attempt to its end."""
        self.log(f"{work.job_id}: begun" + (f", attempt {work.attempt}" if work.attempt > 1 else ""))
        outcome = self.run(work)
        failpoint("job-ended")
        self.tally.count(outcome)
        self.log(f"{work.job_id}: " + ("done" if outcome.message is None else f"failed: {outcome.message}"))
        return outcome

    def log(self, line: str) -> None:
        """Print a line with the time."""
        self._echo(f"{instant_text(self.clock.now())} {line}")

    def keep_trying(self, act: Callable[[], T], failure: str) -> T:
        """Do what must not be lost, again and again until it is done.

        Raises the last error where the worker was asked to end, half a minute after that.
        """
        last, end, pause, attempt = "", None, threading.Event(), 0
        while True:
            attempt += 1
            try:
                return act()
            except (StateError, QueueError) as problem:
                if end is None and self.clock.is_ended:
                    end = self.clock.monotonic() + LAST_TRIES
                if end is not None and self.clock.monotonic() >= end:
                    raise
                if problem.message != last:
                    self.log(f"{failure}: {problem.message}; trying again until it is")
                last = problem.message
                pause.wait(min(0.05 * 2**attempt, 3.0))  # the clock of a worker that is to end waits no more


@contextmanager
def every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Call `act` in a thread every so many seconds, until the block ends."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
