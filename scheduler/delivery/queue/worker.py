"""A worker: takes jobs from the queue, runs their commands, and reports to the record how they ended.

From the embedded queue jobs are taken here, a poll a second; the queue itself is the book of who works on
what, and what ended is told to the record from there, so that the end of a job is not lost where the record
is out of reach for a while. Only what the record waits for is begun. From a broker they are delivered
(`scheduler.delivery.queue.celery_consumer`), and the record is the book (`scheduler.state.jobs`).

A job belongs to its worker for the time of a lease, which a thread renews; asked to end, a worker takes
no more jobs and finishes those it holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TypeVar

import msgspec

from scheduler.delivery import Waiter
from scheduler.delivery.queue.batch_writer import Ledger
from scheduler.delivery.queue.celery_consumer import Delivery
from scheduler.delivery.queue.sqlite import Job, SqliteQueue
from scheduler.errors import Error, QueueError, StateError
from scheduler.failpoints import boundary
from scheduler.state.answers import Pointer
from scheduler.state.jobs import Begun, Conclusion, End, Records, Work, begin, end, may_begin, renew, report
from scheduler.state.record import Record
from scheduler.times import Instant, duration_text, instant_text

T = TypeVar("T")
POLL = 1.0
"""Seconds between two looks at an empty queue."""
REPORT_AGAIN = 10
"""Seconds after which the record is tried again that was out of reach."""
LOOK_AGAIN = 60
"""Seconds after which the record is read again, to know which jobs it waits for."""
LAST_REPORTS = 12
"""How often the end of a job is reported in vain, about half a minute in all."""
_CONCLUSIONS: dict[str, Conclusion] = {
    "success": "success", "failure": "failure", "lost": "lost", "expired": "expired",
}  # fmt: skip


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker works: `lease` and `backoff` in seconds; `attempts` and `backoff` are the settings'."""

    name: str
    jobs: int
    lease: int
    attempts: int
    backoff: int
    queues: tuple[str, ...] | None = None
    """Only jobs of these queues; None for all."""


class WorkerTally:
    """How many attempts ended well and badly."""

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


class Hands:
    """What the workers of both kinds of queue share: the attempt itself, told line by line."""

    def __init__(self, run: Callable[[Work], End], clock: Waiter, tell: Callable[[str], None]) -> None:
        self.run = run
        self.clock = clock
        self.tally = WorkerTally()
        self._tell = tell

    def attempt(self, work: Work) -> End:
        """Run one attempt to its end."""
        self.tell(f"{work.job_id}: begun" + (f", attempt {work.attempt}" if work.attempt > 1 else ""))
        outcome = self.run(work)
        boundary("job-ended")
        self.tally.count(outcome)
        self.tell(f"{work.job_id}: " + ("done" if outcome.words is None else f"failed: {outcome.words}"))
        return outcome

    def tell(self, line: str) -> None:
        """Say something, with the time."""
        self._tell(f"{instant_text(self.clock.now())} {line}")

    def insist(self, act: Callable[[], T], what: str) -> T:
        """Do what must not be lost, again and again for a while. Raises what it raises in the end."""
        for attempt in range(1, LAST_REPORTS):
            try:
                return act()
            except (StateError, QueueError) as problem:
                self.tell(f"{what}: {problem}; trying again")
                self.clock.back_off(min(attempt, 6))
        return act()


@contextmanager
def _beating(every: float, beat: Callable[[], None]) -> Iterator[None]:
    """Call `beat` in a thread every so many seconds."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(every):
            beat()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# --- the embedded queue -------------------------------------------------------------------------------


class _Book:
    """The record as it was read last, asked whether a job of the embedded queue may begin."""

    def __init__(self, ledger: Ledger, clock: Waiter) -> None:
        self._ledger = ledger
        self._clock = clock
        self._records: Mapping[str, Record] = {}
        self._read_at: float | None = None

    def refusal(self, job: Job) -> Begun | None:
        """Why it is not begun. Raises StateError where that cannot be told."""
        is_fresh = self._read_at is not None and self._clock.monotonic() - self._read_at < LOOK_AGAIN
        if is_fresh and may_begin(self._records, job.schedule_id, job.key) is None:
            return None
        self._records = self._ledger.read().schedules
        self._read_at = self._clock.monotonic()
        return may_begin(self._records, job.schedule_id, job.key)


class EmbeddedWorker:
    """Takes jobs from the queue in a file."""

    def __init__(self, queue: SqliteQueue, ledger: Ledger, hands: Hands, terms: Terms) -> None:
        self._queue = queue
        self._ledger = ledger
        self._hands = hands
        self._terms = terms
        self._clock = hands.clock
        self._held: dict[Future[End], Job] = {}
        self._report_at = 0.0
        self._take_at = 0.0
        self._book = _Book(ledger, hands.clock)

    def work(self, *, once: bool) -> None:
        """Work until the clock is ended; with `once`, until no job waits.

        Raises QueueError and StateError: at once where nothing can be reached, and at the end where the
        record could not be told of what ended.
        """
        self._ledger.read()
        lease = self._terms.lease
        with ThreadPoolExecutor(self._terms.jobs) as pool, _beating(lease / 3, self._renew):
            while not self._clock.is_ended:
                self._report()
                self._take(pool)
                if not self._held and once:
                    break
                self._rest()
            wait(self._held)
            self._collect()
        self._queue.reap(self._clock.now())
        self._tell_record()

    def _take(self, pool: ThreadPoolExecutor) -> None:
        terms, clock = self._terms, self._clock
        while (free := terms.jobs - len(self._held)) and not clock.is_ended:
            if clock.monotonic() < self._take_at:
                return
            now = clock.now()
            jobs = self._queue.take_some(free, terms.name, now, queues=terms.queues, lease=terms.lease)
            if not jobs:
                return
            boundary("job-taken")
            for job in filter(self._is_wanted, jobs):
                self._held[pool.submit(self._perform, job)] = job

    def _is_wanted(self, job: Job) -> bool:
        """Whether the record waits for this job. What it does not know is put aside; where it is out of
        reach the job waits."""
        try:
            refusal = self._book.refusal(job)
        except StateError as problem:
            self._queue.give_back(job)
            self._take_at = self._clock.monotonic() + REPORT_AGAIN
            again = f"the record is out of reach: {problem}; again in {duration_text(REPORT_AGAIN)}"
            self._hands.tell(f"{job.job_id} is not begun, because {again}")
            return False
        if refusal is not None:
            self._queue.put_aside(job, self._clock.now(), refusal.words, is_stray=refusal.is_stray)
            self._hands.tell(f"{job.job_id} is put aside: {refusal.words}")
        return refusal is None

    def _rest(self) -> None:
        if self._held:
            wait(self._held, timeout=POLL, return_when=FIRST_COMPLETED)
            self._collect()
        else:
            self._clock.sleep(POLL)

    def _collect(self) -> None:
        """Keep how jobs ended, all that are over in one step, and let go of them."""
        over = [future for future in self._held if future.done()]
        if not over:
            return
        ended = [(self._held[future], future.result().words) for future in over]
        names = ", ".join(job.job_id for job, _ in ended)

        def keep() -> list[bool]:
            return self._queue.end_some(ended, self._clock.now())

        kept = self._hands.insist(keep, f"the end of {names} could not be kept")
        boundary("job-kept")
        for future in over:
            del self._held[future]
        for (job, _), is_kept in zip(ended, kept, strict=True):
            if not is_kept:
                words = "it was taken over meanwhile, and this end of it does not count"
                self._hands.tell(f"{job.job_id}: {words}")

    def _perform(self, job: Job) -> End:
        return self._hands.attempt(
            Work(
                job_id=job.job_id,
                schedule_id=job.schedule_id,
                key=job.key,
                payload=job.payload,
                command=job.command,
                attempt=job.attempts,
                worker=self._terms.name,
            )
        )

    def _renew(self) -> None:
        with suppress(QueueError):  # the next beat comes soon, and a lease lasts three of them
            for job in list(self._held.values()):
                self._queue.renew(job, self._clock.now(), self._terms.lease)

    def _report(self) -> None:
        """Tell the record what has ended, all of a second in one save; where it is out of reach, later."""
        if self._clock.monotonic() < self._report_at:
            return
        self._report_at = self._clock.monotonic() + POLL
        self._queue.reap(self._clock.now())
        try:
            self._tell_record()
        except StateError as problem:
            self._report_at = self._clock.monotonic() + REPORT_AGAIN
            self._hands.tell(
                f"the record could not be told: {problem}; again in {duration_text(REPORT_AGAIN)}"
            )

    def _tell_record(self) -> None:
        jobs = self._queue.unreported()
        if not jobs:
            return

        def change(records: Records, now: Instant) -> None:
            for job in jobs:
                outcome = End(conclusion=_CONCLUSIONS[job.state], words=job.words, run_id=job.number)
                report(records, job.schedule_id, job.key, outcome, now)

        self._ledger.write(change)
        boundary("job-told")
        self._queue.mark_reported(jobs)
        boundary("job-marked")


# --- a broker -----------------------------------------------------------------------------------------


class _Holding:
    """A job at work, and the message that named it."""

    def __init__(self, work: Work, delivery: Delivery, since: float) -> None:
        self.work = work
        self.delivery = delivery
        self.since = since
        self.is_passed_on = False


class BrokerWorker:
    """Handles the jobs that a broker delivers; `handle` may be called from several threads."""

    def __init__(self, ledger: Ledger, hands: Hands, terms: Terms) -> None:
        self._ledger = ledger
        self._hands = hands
        self._terms = terms
        self._held: dict[str, _Holding] = {}

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Renew the leases of what is held, as long as this lasts."""
        with _beating(self._terms.lease / 3, self._beat):
            yield

    def handle(self, delivery: Delivery) -> int | None:
        """Do what a message names. Seconds after which it has to be delivered again; None: never.

        Raises StateError where the record cannot be reached: it has to be delivered again, too.
        """
        pointer = delivery.pointer
        begun = self._ledger.write(lambda records, now: self._begin(records, pointer, now))
        if begun.work is None:
            if begun.is_stray:
                delivery.put_aside(begun.words)
            if begun.wait is None:
                done = "put aside" if begun.is_stray else "nothing to do"
                self._hands.tell(f"{pointer.schedule_id}: {done}: {begun.words}")
            return begun.wait
        work = begun.work
        self._held[work.key] = _Holding(work, delivery, self._hands.clock.monotonic())
        try:
            outcome = self._hands.attempt(work)
            return self._hands.insist(
                lambda: self._ledger.write(lambda records, now: self._end(records, work, outcome, now)),
                f"the end of {work.job_id} could not be recorded",
            )
        finally:
            del self._held[work.key]

    def _begin(self, records: Records, pointer: Pointer, now: Instant) -> Begun:
        terms = self._terms
        return begin(records, pointer, worker=terms.name, now=now, lease=terms.lease, attempts=terms.attempts)

    def _end(self, records: Records, work: Work, outcome: End, now: Instant) -> int | None:
        return end(records, work, outcome, now, attempts=self._terms.attempts, backoff=self._terms.backoff)

    def _beat(self) -> None:
        """Stay at what is held. Of what takes long, the message is let go of: it comes back after a lease."""
        held, lease = list(self._held.values()), self._terms.lease
        if not held:
            return
        works = [holding.work for holding in held]
        with suppress(Error):  # the next beat comes soon, and a lease lasts three of them
            self._ledger.write(lambda records, now: renew(records, works, now, lease))
        for holding in held:
            if not holding.is_passed_on and self._hands.clock.monotonic() - holding.since >= lease / 2:
                with suppress(QueueError):
                    holding.delivery.pass_on(lease)
                    holding.is_passed_on = True


def queue_names(declared: Sequence[str | None], records: Records) -> list[str]:
    """Every queue that a channel names or that a sent job is on: where a worker of all queues listens."""
    recorded = (r.intent.queue for r in records.values() if r.intent is not None and r.was_sent)
    return sorted({name for name in (*declared, *recorded) if name is not None})
