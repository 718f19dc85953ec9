"""A worker on the embedded queue: takes jobs, runs their commands, and saves to the state how they ended.

The queue itself keeps who works on what, and is polled once a second. Ended jobs are reported to the state
from there, so that the end of a job is not lost where the state is unreachable for a while. A job begins
only while its publication waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

from scheduler.delivery import Waiter
from scheduler.delivery.queue.attempts import AttemptRunner, WorkerSettings, every
from scheduler.delivery.queue.batch_writer import BatchWriter
from scheduler.delivery.queue.sqlite import Job, SqliteQueue
from scheduler.errors import QueueError, StateError
from scheduler.failpoints import failpoint
from scheduler.state.jobs import Begun, Conclusion, End, Records, Work, may_begin, report
from scheduler.state.record import Record
from scheduler.times import Instant, duration_text

POLL = 1.0
"""Seconds between two polls of an empty queue."""
TRY_AGAIN = 10
"""Seconds before an unreachable state is tried again."""
FRESH = 60
"""Seconds for which the records read last decide whether a job may begin."""
_CONCLUSIONS: dict[str, Conclusion] = {
    "success": "success", "failure": "failure", "lost": "lost", "expired": "expired",
}  # fmt: skip


class _ReadRecords:
    """The records as they were read last.

    A fast path: reading the state for each job would be a fetch for each where it is a branch. Only "it may
    begin" is answered from memory; every refusal is of records read just then.
    """

    def __init__(self, writer: BatchWriter, clock: Waiter) -> None:
        self._writer = writer
        self._clock = clock
        self._records: Mapping[str, Record] = {}
        self._read_at: float | None = None

    def refusal(self, job: Job) -> Begun | None:
        """Why a job may not begin; None where it may. Raises StateError where the state is unreachable."""
        is_fresh = self._read_at is not None and self._clock.monotonic() - self._read_at < FRESH
        if is_fresh and may_begin(self._records, job.schedule_id, job.key) is None:
            return None
        self._records = self._writer.read().schedules
        self._read_at = self._clock.monotonic()
        return may_begin(self._records, job.schedule_id, job.key)


class SqliteWorker:
    """Takes jobs from the queue in a file."""

    def __init__(
        self, queue: SqliteQueue, writer: BatchWriter, runner: AttemptRunner, settings: WorkerSettings
    ) -> None:
        self._queue = queue
        self._writer = writer
        self._runner = runner
        self._settings = settings
        self._clock = runner.clock
        self._held: dict[Future[End], Job] = {}
        self._report_at = 0.0
        self._take_at = 0.0
        self._records = _ReadRecords(writer, runner.clock)

    def work(self, *, once: bool) -> None:
        """Work until the clock is ended; with `once`, until no job waits.

        Raises QueueError and StateError: at the start where nothing can be reached, and at the end where
        the ends of jobs could not be saved.
        """
        self._writer.read()
        with (
            ThreadPoolExecutor(self._settings.jobs) as pool,
            every(self._settings.lease / 3, self._renew),
        ):
            while not self._clock.is_ended:
                self._report()
                self._take(pool)
                if self._held:
                    wait(self._held, timeout=POLL, return_when=FIRST_COMPLETED)
                    self._collect()
                elif once:
                    break
                else:
                    self._clock.sleep(POLL)
            wait(self._held)
            self._collect()
        self._queue.reap(self._clock.now())
        self._save_ends()

    def _take(self, pool: ThreadPoolExecutor) -> None:
        settings, clock = self._settings, self._clock
        while (free := settings.jobs - len(self._held)) and not clock.is_ended:
            if clock.monotonic() < self._take_at:
                return
            jobs = self._queue.take_some(
                free, settings.name, clock.now(), queues=settings.queues, lease=settings.lease
            )
            if not jobs:
                return
            failpoint("job-taken")
            for job in filter(self._is_wanted, jobs):
                self._held[pool.submit(self._perform, job)] = job

    def _is_wanted(self, job: Job) -> bool:
        """Whether its publication waits for this job. If not, the job is set aside; where the state is
        unreachable, it goes back to the queue."""
        try:
            refusal = self._records.refusal(job)
        except StateError as problem:
            self._queue.give_back(job)
            self._take_at = self._clock.monotonic() + TRY_AGAIN
            self._runner.log(
                f"{job.job_id}: not begun, the state is unreachable: {problem}; "
                f"trying again in {duration_text(TRY_AGAIN)}"
            )
            return False
        if refusal is not None:
            self._queue.set_aside(job, self._clock.now(), refusal.message, is_unknown=refusal.is_unknown)
            self._runner.log(f"{job.job_id}: set aside: {refusal.message}")
        return refusal is None

    def _collect(self) -> None:
        """Save how finished jobs ended, in one transaction, and release them."""
        over = [future for future in self._held if future.done()]
        if not over:
            return
        ended = [(self._held[future], future.result().message) for future in over]
        names = ", ".join(job.job_id for job, _ in ended)
        kept = self._runner.keep_trying(
            lambda: self._queue.end_some(ended, self._clock.now()), f"the end of {names} could not be saved"
        )
        failpoint("job-kept")
        for future in over:
            del self._held[future]
        for (job, _), is_kept in zip(ended, kept, strict=True):
            if not is_kept:
                self._runner.log(f"{job.job_id}: another worker has taken it over; this result is ignored")

    def _perform(self, job: Job) -> End:
        return self._runner.attempt(
            Work(
                job_id=job.job_id,
                schedule_id=job.schedule_id,
                key=job.key,
                payload=job.payload,
                command=job.command,
                attempt=job.attempts,
                worker=self._settings.name,
            )
        )

    def _renew(self) -> None:
        with suppress(QueueError):  # the next renewal comes soon: there are three in one lease
            for job in list(self._held.values()):
                self._queue.renew(job, self._clock.now(), self._settings.lease)

    def _report(self) -> None:
        """Save what ended, at most once a second; later, where the state is unreachable."""
        if self._clock.monotonic() < self._report_at:
            return
        self._report_at = self._clock.monotonic() + POLL
        self._queue.reap(self._clock.now())
        try:
            self._save_ends()
        except StateError as problem:
            self._report_at = self._clock.monotonic() + TRY_AGAIN
            self._runner.log(
                f"the state could not be saved: {problem}; trying again in {duration_text(TRY_AGAIN)}"
            )

    def _save_ends(self) -> None:
        """Save to the state the end of every job that ended; a crash in between only repeats this."""
        jobs = self._queue.unreported()
        if not jobs:
            return

        def change(records: Records, now: Instant) -> None:
            for job in jobs:
                outcome = End(conclusion=_CONCLUSIONS[job.state], message=job.message, run_id=job.number)
                report(records, job.schedule_id, job.key, outcome, now)

        self._writer.write(change)
        failpoint("job-told")
        self._queue.mark_reported(jobs)
        failpoint("job-marked")
