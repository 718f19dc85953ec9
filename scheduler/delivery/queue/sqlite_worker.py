"""A worker on the embedded queue: takes jobs, runs their commands, and saves to the state how they ended.

The queue itself keeps who works on what, and is polled once a second. Ended jobs are reported to the state
from there, so that the end of a job is not lost where the state is unreachable for a while. A job begins
only while its publication waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial

from scheduler.delivery import Waiter
from scheduler.delivery.queue.attempts import HELD, AttemptRunner, Gate, WorkerSettings, every
from scheduler.delivery.queue.batch_writer import BatchWriter
from scheduler.delivery.queue.sqlite import Job, SqliteQueue
from scheduler.errors import QueueError, StateError
from scheduler.failpoints import failpoint
from scheduler.state.jobs import Begun, Conclusion, End, Records, Work, may_begin, report
from scheduler.times import Instant, duration_text
from scheduler.wording import and_more, count

POLL = 1.0
"""Seconds between two polls of an empty queue."""
TRY_AGAIN = 10
"""Seconds before an unreachable state is tried again."""
LONG_LOOK = 3 * POLL
"""Seconds without a look at the queue after which time may have jumped, however short the leases are."""
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
        self.records: Records = {}
        self._read_at: float | None = None

    def refusal(self, job: Job) -> Begun | None:
        """Why a job may not begin; None where it may. Raises StateError where the state is unreachable."""
        is_fresh = self._read_at is not None and self._clock.monotonic() - self._read_at < FRESH
        if is_fresh and may_begin(self.records, job.schedule_id, job.key) is None:
            return None
        self.records = self._writer.read().schedules
        self._read_at = self._clock.monotonic()
        return may_begin(self.records, job.schedule_id, job.key)


def _name(job: Job) -> tuple[str, int]:
    return job.key, job.attempts


class SqliteWorker:
    """Takes jobs from the queue in a file."""

    def __init__(
        self,
        queue: SqliteQueue,
        writer: BatchWriter,
        runner: AttemptRunner,
        settings: WorkerSettings,
        gate: Gate,
    ) -> None:
        self._queue = queue
        self._writer = writer
        self._runner = runner
        self._settings = settings
        self._gate = gate
        self._clock = runner.clock
        self._held: dict[Future[End], Job] = {}
        self._mine: dict[tuple[str, int], Job] = {}
        """By key and attempt, since numbers begin anew with a new file: every job that was taken and not
        released yet. This worker never takes one for lost."""
        self._to_release: dict[tuple[str, int], Callable[[], None]] = {}
        """What is still to be done with jobs that were taken and not begun."""
        self._report_at = 0.0
        self._take_at = 0.0
        self._seen: tuple[float, float] | None = None
        self._reap_at = 0.0
        self._records = _ReadRecords(writer, runner.clock)
        self._said: set[str] = set()

    def work(self, *, once: bool) -> None:
        """Work until the clock is ended; with `once`, until no job waits.

        Raises QueueError and StateError: at the start where nothing can be reached, and at the end where
        the ends of jobs could not be saved. While it holds jobs, it tries again.
        """
        state, has_worked = self._writer.read(), False
        self._queue.lineage = state.lineage
        if self._gate.is_stopped:
            self._runner.log("SCHEDULER_PAUSED is set: this worker begins no job")
        with (
            ThreadPoolExecutor(self._settings.jobs) as pool,
            every(self._settings.lease / 3, self._renew),
        ):
            while not self._clock.is_ended:
                try:
                    self._look_at_others(state.lineage)
                    self._report()
                    self._take(pool)
                    has_worked = True
                except QueueError as problem:
                    if not self._mine and (once or not has_worked):
                        raise
                    self._say(f"{problem.message}; trying again until it is back")
                if self._held:
                    wait(self._held, timeout=POLL, return_when=FIRST_COMPLETED)
                    self._collect()
                elif once and not self._mine:
                    break
                else:
                    self._clock.sleep(POLL)
            wait(self._held)
            self._collect()
        self._release()
        self._reap(self._mine.values())
        self._save_ends()

    def _say(self, line: str) -> None:
        """Log what has not been logged since a job was last begun."""
        if line not in self._said:
            self._said.add(line)
            self._runner.log(line)

    def _look_at_others(self, lineage: str) -> None:
        """Report the jobs of other repositories, which are left where they are."""
        others = self._queue.foreign_jobs(lineage) if self._clock.monotonic() >= self._report_at else ()
        if others:
            names = and_more([job.job_id for job in others], 3)
            self._say(
                f"{count(len(others), 'job')} of another repository left alone on {self._queue.name}: {names}"
            )

    def _take(self, pool: ThreadPoolExecutor) -> None:
        settings, clock = self._settings, self._clock
        self._release()
        while (free := settings.jobs - len(self._held)) and not clock.is_ended and not self._gate.is_stopped:
            if clock.monotonic() < self._take_at:
                return
            jobs = self._queue.take_some(
                free,
                settings.name,
                clock.now(),
                queues=settings.queues,
                lease=settings.lease,
                spare=self._living(),
            )
            if not jobs:
                return
            self._mine |= {_name(job): job for job in jobs}
            failpoint("job-taken")
            for job in filter(self._is_wanted, jobs):
                self._said.clear()
                self._held[pool.submit(self._perform, job)] = job
            self._release()

    def _living(self) -> Iterable[Job] | None:
        """The jobs whose workers are known to live: its own; all of them where time has jumped.

        A machine that slept or whose clock was set wakes up with every lease in the file run out. Then the
        other workers get as long as a lease to renew theirs.
        """
        seen, self._seen = self._seen, (self._clock.monotonic(), self._clock.moment())
        passed = 0.0 if seen is None else max(now - then for now, then in zip(self._seen, seen, strict=True))
        if passed > max(self._settings.lease / 3, LONG_LOOK):
            self._reap_at = self._clock.monotonic() + self._settings.lease
            self._renew()
        return None if self._clock.monotonic() < self._reap_at else list(self._mine.values())

    def _is_wanted(self, job: Job) -> bool:
        """Whether its publication waits for this job, and nothing holds it back.

        If not, the job is set aside, or goes back to the queue: also where the state is unreachable.
        """
        queue, now = self._queue, self._clock.now()
        try:
            refusal = self._records.refusal(job)
        except StateError as problem:
            self._take_at = self._clock.monotonic() + TRY_AGAIN
            self._to_release[_name(job)] = partial(queue.give_back, job)
            self._runner.log(
                f"{job.job_id}: not begun, the state is unreachable: {problem.message}; "
                f"trying again in {duration_text(TRY_AGAIN)}"
            )
            return False
        if refusal is not None:
            self._to_release[_name(job)] = partial(
                queue.set_aside, job, now, refusal.message, is_unknown=refusal.is_unknown
            )
            self._runner.log(f"{job.job_id}: set aside: {refusal.message}")
        elif (why := self._gate.reason(self._records.records, job.schedule_id)) is not None:
            self._to_release[_name(job)] = partial(queue.give_back, job, now + HELD)
            self._say(f"{job.job_id}: not begun: {why}")
        return _name(job) not in self._to_release

    def _release(self) -> None:
        """Do with unbegun jobs what is to be done; what the queue does not take now is tried again."""
        for name, act in list(self._to_release.items()):
            act()
            del self._to_release[name], self._mine[name]

    def _collect(self) -> None:
        """Save how finished jobs ended, in one transaction, and release them."""
        over = [future for future in self._held if future.done()]
        if not over:
            return
        ended = [(self._held[future], future.result().message) for future in over]
        names = ", ".join(job.job_id for job, _ in ended)
        kept = self._runner.keep_trying(
            lambda: self._queue.end_some(ended, self._clock.now()), f"the end of {names} is not saved"
        )
        failpoint("job-kept")
        for future in over:
            del self._mine[_name(self._held.pop(future))]
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
            for job in list(self._mine.values()):
                self._queue.renew(job, self._clock.now(), self._settings.lease)

    def _report(self) -> None:
        """Save what ended, at most once a second; later, where the state is unreachable."""
        if self._clock.monotonic() < self._report_at:
            return
        self._report_at = self._clock.monotonic() + POLL
        self._reap(self._living())
        try:
            self._save_ends()
        except StateError as problem:
            self._report_at = self._clock.monotonic() + TRY_AGAIN
            self._say(
                f"the state could not be saved: {problem.message}; trying again in {duration_text(TRY_AGAIN)}"
            )

    def _reap(self, spare: Iterable[Job] | None) -> None:
        """End the jobs that nobody can do any more. One that came too late is a failure of this worker."""
        for job in self._queue.reap(self._clock.now(), spare):
            if job.state in _CONCLUSIONS:
                self._runner.log(f"{job.job_id}: failed: {job.message}")
            if job.state == "expired":  # no run is red for what a worker has saved
                self._runner.tally.count(End(conclusion="expired", message=job.message))

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
