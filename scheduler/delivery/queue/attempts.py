"""What the workers of both kinds of queue share: their settings, and one attempt at a job.

A job belongs to its worker for the time of a lease, which a thread renews. Asked to end, a worker takes no
more jobs and finishes those it holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from scheduler.delivery import Waiter
from scheduler.errors import QueueError, StateError
from scheduler.failpoints import failpoint
from scheduler.state.jobs import End, Work
from scheduler.times import instant_text

T = TypeVar("T")
MOST_TRIES = 12
"""How often saving the end of a job is tried: about half a minute in all."""


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
        """Do what must not be lost, again and again for a while. Raises the last error in the end."""
        for attempt in range(1, MOST_TRIES):
            try:
                return act()
            except (StateError, QueueError) as problem:
                self.log(f"{failure}: {problem}; trying again")
                self.clock.back_off(min(attempt, 6))
        return act()


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
