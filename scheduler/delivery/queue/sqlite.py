"""The embedded queue: one job a publication, taken by workers, never twice by accident.

It is one table in one SQLite file, and needs no server. We wrote it ourselves because what matters here is
not the queueing but the bookkeeping: a job id is used up for good (enqueuing it again, even after it ended,
adds no job), the start of a job is durable before its command runs, and the lease of a worker that went
away runs out. Existing libraries keep no ids of finished jobs, or hand a job to two processes, or give the
jobs of a living worker to the next one that opens the file.

All times are instants (UTC, whole seconds) that the caller passes; durations are seconds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from scheduler.delivery.dispatcher import Request
from scheduler.delivery.queue.database import QueueFile
from scheduler.state.record import Intent, Lease
from scheduler.times import Instant, instant_text, read_utc

LEASE = 60
"""Seconds after which a worker that did not renew its lease is presumed lost."""
KEEP_UNKNOWN = 7 * 24 * 3600
"""Seconds for which a job that is not in the state is kept, so that somebody can look at it."""
JobState = Literal["waiting", "running", "success", "failure", "lost", "expired", "superseded", "stray"]
ENDED: frozenset[str] = frozenset({"success", "failure", "lost", "expired"})
NEVER_BEGUN: frozenset[str] = frozenset({"superseded", "stray"})
_COLUMNS = (
    "number, job_id, key, queue, schedule_id, payload, command, repeatable, state, attempts, "
    "enqueued_at, available_at, not_after, worker, lease_until, started_at, finished_at, words"
)


class Job(msgspec.Struct, frozen=True):
    """One job as the queue has it. `number` identifies it to people; `attempts` counts its starts.

    `repeatable` is `delivery: at-least-once`: the job may be started again after it failed or was lost.
    Three states were never started: `expired`, it came too late; `superseded`, its publication has ended
    or has another job by now; `stray`, it is not in the state.
    """

    number: int
    job_id: str
    key: str
    queue: str
    schedule_id: str
    payload: dict[str, Any]
    command: str | None
    repeatable: bool
    state: JobState
    attempts: int
    enqueued_at: Instant
    available_at: Instant
    not_after: Instant
    worker: str | None = None
    lease_until: Instant | None = None
    started_at: Instant | None = None
    finished_at: Instant | None = None
    message: str | None = None


class SqliteQueue(QueueFile):
    """The embedded queue.

    Every method raises QueueError where the file cannot be read or written. A job that was taken belongs
    to its worker until it ends, or its lease runs out. `renew`, `finish` and `fail` return False where it
    is no longer this worker's: its result is then ignored, except the end of an at-most-once job, which
    nobody else can have started.
    """

    def __init__(self, path: Path, *, attempts: int = 3, backoff: int = 60) -> None:
        super().__init__(path)
        self._attempts, self._backoff = attempts, backoff

    def enqueue(self, requests: Sequence[Request]) -> list[Job]:
        """Enqueue all or none; for a job id that was ever used, the job it belongs to, unchanged."""
        with self.transaction() as db:
            for request in requests:
                db.execute(
                    "INSERT INTO jobs (job_id, key, queue, schedule_id, payload, command, repeatable, state,"
                    " enqueued_at, available_at, not_after) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?)"
                    " ON CONFLICT (job_id) DO NOTHING",
                    row_of(request),
                )
            ids = [job_id_of(request.schedule_id, request.intent) for request in requests]
            found = _find(db, ids)
        return [found[job_id] for job_id in ids]

    def find(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """The jobs of those ids that the queue has, ended ones included."""
        if not self.exists():
            return {}
        with self.transaction() as db:
            return _find(db, job_ids)

    def take(
        self, worker: str, now: Instant, *, queues: Sequence[str] | None = None, lease: int = LEASE
    ) -> Job | None:
        """Start the next waiting job; durable before it is handed out. None where none is waiting."""
        jobs = self.take_some(1, worker, now, queues=queues, lease=lease)
        return jobs[0] if jobs else None

    def take_some(
        self, most: int, worker: str, now: Instant, *, queues: Sequence[str] | None = None, lease: int = LEASE
    ) -> list[Job]:
        """Start up to `most` waiting jobs in one transaction; see `take`."""
        with self.transaction() as db:
            self._reap(db, now)
            names = json.dumps(list(queues)) if queues is not None else None
            rows = db.execute(
                "SELECT number FROM jobs WHERE state = 'waiting' AND available_at <= ?"
                " AND (? IS NULL OR queue IN (SELECT value FROM json_each(?))) ORDER BY number LIMIT ?",
                (now, names, names, most),
            ).fetchall()
            db.executemany(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, worker = ?, lease_until = ?,"
                " started_at = ? WHERE number = ?",
                [(worker, now + lease, now, number) for (number,) in rows],
            )
            numbers = json.dumps([number for (number,) in rows])
            return _select(db, "number IN (SELECT value FROM json_each(?)) ORDER BY number", (numbers,))

    def renew(self, job: Job, now: Instant, lease: int = LEASE) -> bool:
        """The worker is still running the job."""
        with self.transaction() as db:
            done = db.execute(
                "UPDATE jobs SET lease_until = ? WHERE number = ? AND worker = ? AND attempts = ?"
                " AND state = 'running'",
                (now + lease, job.number, job.worker, job.attempts),
            )
            return done.rowcount == 1

    def finish(self, job: Job, now: Instant) -> bool:
        """The command exited with 0."""
        return self.end_some([(job, None)], now)[0]

    def fail(self, job: Job, now: Instant, message: str) -> bool:
        """The command failed: the job waits for its next attempt if it may have one; otherwise it failed."""
        return self.end_some([(job, message)], now)[0]

    def end_some(self, ended: Sequence[tuple[Job, str | None]], now: Instant) -> list[bool]:
        """Save how attempts ended, in one transaction: None for exit 0, otherwise what went wrong."""
        with self.transaction() as db:
            return [self._end_attempt(db, job, now, message) for job, message in ended]

    def _end_attempt(self, db: sqlite3.Connection, job: Job, now: Instant, message: str | None) -> bool:
        if message is None:
            return _end_job(db, job, "success", now, None)
        if not job.repeatable or job.attempts >= self._attempts:
            return _end_job(db, job, "failure", now, message)
        done = db.execute(
            "UPDATE jobs SET state = 'waiting', available_at = ?, worker = NULL, lease_until = NULL,"
            " words = ? WHERE number = ? AND worker = ? AND attempts = ? AND state = 'running'",
            (now + self._wait(job), message, job.number, job.worker, job.attempts),
        )
        return done.rowcount == 1

    def reap(self, now: Instant) -> list[Job]:
        """End the jobs of lost workers, and those past their `not_after`; returns the jobs changed."""
        if not self.exists():
            return []
        with self.transaction() as db:
            return self._reap(db, now)

    def unknown_jobs(self) -> list[Job]:
        """The jobs set aside because they are not in the state, oldest first."""
        if not self.exists():
            return []
        with self.transaction() as db:
            return _select(db, "state = 'stray' ORDER BY number")

    def give_back(self, job: Job) -> None:
        """Return a job that was taken and not begun: it waits as before."""
        with self.transaction() as db:
            db.execute(
                "UPDATE jobs SET state = 'waiting', attempts = attempts - 1, worker = NULL,"
                " lease_until = NULL, started_at = NULL WHERE number = ? AND worker = ? AND attempts = ?"
                " AND state = 'running'",
                (job.number, job.worker, job.attempts),
            )

    def set_aside(self, job: Job, now: Instant, reason: str, *, is_unknown: bool) -> None:
        """End a job that was taken and that nobody may begin."""
        with self.transaction() as db:
            _end_job(db, job, "stray" if is_unknown else "superseded", now, reason, reported=True)

    def unreported(self) -> list[Job]:
        """The jobs that have ended and whose end is not in the state yet."""
        if not self.exists():
            return []
        with self.transaction() as db:
            return _select(db, "finished_at IS NOT NULL AND NOT reported ORDER BY number")

    def mark_reported(self, jobs: Iterable[Job]) -> None:
        """The ends of these are in the state; does nothing for a job that has ended again since."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE jobs SET reported = 1 WHERE number = ? AND state = ? AND finished_at = ?",
                [(job.number, job.state, job.finished_at) for job in jobs],
            )

    def _reap(self, db: sqlite3.Connection, now: Instant) -> list[Job]:
        changed: list[int] = []
        db.execute("DELETE FROM jobs WHERE state = 'stray' AND finished_at < ?", (now - KEEP_UNKNOWN,))
        for job in _select(db, "state = 'running' AND lease_until <= ?", (now,)):
            message = f"the worker {job.worker} went away"
            if job.repeatable and job.attempts < self._attempts:
                db.execute(
                    "UPDATE jobs SET state = 'waiting', available_at = ?, worker = NULL, lease_until = NULL,"
                    " words = ? WHERE number = ?",
                    (now + self._wait(job), message, job.number),
                )
            else:
                db.execute(
                    "UPDATE jobs SET state = 'lost', finished_at = ?, lease_until = NULL, words = ?"
                    " WHERE number = ?",
                    (now, message, job.number),
                )
            changed.append(job.number)
        for job in _select(db, "state = 'waiting' AND not_after < ?", (now,)):
            late = f"no attempt starts after {instant_text(job.not_after)}"
            state, message = ("failure", f"{job.message}; {late}") if job.attempts else ("expired", late)
            db.execute(
                "UPDATE jobs SET state = ?, finished_at = ?, words = ? WHERE number = ?",
                (state, now, message, job.number),
            )
            changed.append(job.number)
        return _select(db, "number IN (SELECT value FROM json_each(?))", (json.dumps(changed),))

    def _wait(self, job: Job) -> int:
        """Seconds until the next attempt; the backoff doubles."""
        wait: int = self._backoff * 2 ** max(job.attempts - 1, 0)
        return wait


def _end_job(
    db: sqlite3.Connection,
    job: Job,
    state: JobState,
    now: Instant,
    message: str | None,
    *,
    reported: bool = False,
) -> bool:
    """End a job, if it is this worker's: a worker presumed lost may still report how its job ended."""
    done = db.execute(
        "UPDATE jobs SET state = ?, finished_at = ?, words = ?, lease_until = NULL, reported = ?"
        " WHERE number = ? AND worker = ? AND attempts = ? AND state IN ('running', 'lost')",
        (state, now, message, int(reported), job.number, job.worker, job.attempts),
    )
    return done.rowcount == 1


def job_id_of(schedule_id: str, intent: Intent) -> str:
    """The schedule's own id, unless the intent has another one (`…#1`, of a resend)."""
    return intent.job_id or schedule_id


def row_of(request: Request) -> tuple[Any, ...]:
    """What `enqueue` inserts. Raises ValueError, TypeError or RecursionError for what JSON cannot hold."""
    intent = request.intent
    at = read_utc(intent.at)
    payload = json.dumps(dict(request.payload), allow_nan=False)
    return (
        job_id_of(request.schedule_id, intent), intent.key, intent.queue or "publications",
        request.schedule_id, payload, intent.command, int(intent.delivery == "at-least-once"),
        at, at, read_utc(intent.not_after),
    )  # fmt: skip


def _select(db: sqlite3.Connection, where: str, values: tuple[Any, ...] = ()) -> list[Job]:
    return [_job(row) for row in db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values)]  # noqa: S608 - our own text


def _find(db: sqlite3.Connection, job_ids: Iterable[str]) -> dict[str, Job]:
    jobs = _select(db, "job_id IN (SELECT value FROM json_each(?))", (json.dumps(list(job_ids)),))
    return {job.job_id: job for job in jobs}


def _job(row: tuple[Any, ...]) -> Job:
    number, job_id, key, queue, schedule_id, payload, command, repeatable, *rest = row
    return Job(number, job_id, key, queue, schedule_id, json.loads(payload), command, bool(repeatable), *rest)


def lease_of(job: Job) -> Lease | None:
    """Who works on a job, as a record has it; None where nobody has begun it yet."""
    if job.started_at is None:
        return None
    begun, worker = instant_text(job.started_at), job.worker or ""
    if job.state == "running":
        assert job.lease_until is not None, "a running job has a lease"
        return Lease(worker, begun, "running", instant_text(job.lease_until), job.attempts)
    if job.state == "waiting":
        return Lease(worker, begun, "waiting", instant_text(job.available_at), job.attempts)
    return Lease(worker, begun, "ended", instant_text(job.finished_at or job.started_at), job.attempts)
