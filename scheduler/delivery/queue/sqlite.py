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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from scheduler.delivery.dispatcher import Request
from scheduler.delivery.queue.database import NothingWritten, QueueFile
from scheduler.state.intent import key_of
from scheduler.state.record import Intent, Lease
from scheduler.times import Instant, instant_text, read_utc

LEASE = 60
"""Seconds after which a worker that did not renew its lease is presumed lost."""
KEEP_UNKNOWN = 7 * 24 * 3600
"""Seconds for which a job that is not in the state is kept, so that somebody can look at it."""
JobState = Literal[
    "waiting", "running", "success", "failure", "lost", "expired", "withdrawn", "superseded", "stray"
]
ENDED: frozenset[str] = frozenset({"success", "failure", "lost", "expired", "withdrawn"})
PUT_ASIDE: frozenset[str] = frozenset({"superseded", "stray"})
_COLUMNS = (
    "number, job_id, key, queue, schedule_id, payload, command, repeatable, state, attempts, "
    "enqueued_at, available_at, not_after, worker, lease_until, started_at, finished_at, words"
)
_OURS = "(? IS NULL OR lineage = ?)"
"""Of one state's jobs; of all where no lineage is known."""


class Job(msgspec.Struct, frozen=True):
    """One job as the queue has it. `number` identifies it to people; `attempts` counts its starts.

    `repeatable` is `delivery: at-least-once`: the job may be started again after it failed or was lost.
    Four states were never started: `expired`, it came too late; `withdrawn`, a run took it back;
    `superseded`, its publication has ended or has another job by now; `stray`, it is not in the state.
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
    is no longer this worker's: its result is then ignored, except where nobody else has started it since.

    `lineage` is that of the state whose jobs are put, taken and reported; the jobs of other states in the
    file are left alone. None for all of them.
    """

    lineage: str | None = None

    def __init__(self, path: Path, *, attempts: int = 3, backoff: int = 60) -> None:
        super().__init__(path)
        self._attempts, self._backoff = attempts, backoff
        self._adopted: str | None = None

    def identity(self) -> str:
        """The id of the file, which is created where it does not exist. A job that is absent here was never
        put into this very file; another one at the same path proves nothing."""
        with self.transaction() as db:
            return _identity(db)

    def enqueue(self, requests: Sequence[Request]) -> list[Job]:
        """Enqueue all or none; for a job id that was ever begun, the job it belongs to, unchanged.

        Raises NothingWritten where this is not the file that an intent names.
        """
        with self.transaction() as db:
            here = _identity(db)
            if any(request.intent.queue_file not in (None, here) for request in requests):
                raise NothingWritten(f"the queue {self.name} was replaced by another file")
            self._adopt(db)
            for request in requests:
                db.execute(
                    "INSERT INTO jobs (job_id, key, queue, schedule_id, payload, command, repeatable, state,"
                    " enqueued_at, available_at, not_after, lineage)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?) ON CONFLICT (job_id) DO UPDATE SET"
                    " state = 'waiting', payload = excluded.payload, command = excluded.command,"
                    " queue = excluded.queue, repeatable = excluded.repeatable, finished_at = NULL,"
                    " available_at = excluded.available_at, not_after = excluded.not_after, words = NULL,"
                    " reported = 0 WHERE key = excluded.key AND attempts = 0"
                    " AND state IN ('waiting', 'withdrawn', 'expired', 'superseded', 'stray')",
                    (*row_of(request), self.lineage),
                )
            ids = [job_id_of(request.schedule_id, request.intent) for request in requests]
            found = _find(db, ids)
        return [found[job_id] for job_id in ids]

    def find(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """The jobs of those ids that the queue has, ended ones included."""
        return self.look(job_ids)[0]

    def look(self, job_ids: Iterable[str]) -> tuple[dict[str, Job], str | None]:
        """The same, and the id of the file in which they were looked for; None where there is no file."""
        if not self.exists():
            return {}, None
        with self.transaction() as db:
            return _find(db, job_ids), _identity(db)

    def withdraw(self, reasons: Mapping[str, str], now: Instant) -> None:
        """Take back, by key, the jobs that no worker has begun."""
        if not self.exists():
            return
        with self.transaction() as db:
            db.executemany(
                "UPDATE jobs SET state = 'withdrawn', finished_at = ?, words = ?, reported = 1"
                " WHERE key = ? AND state = 'waiting' AND attempts = 0",
                [(now, why, key) for key, why in reasons.items()],
            )

    def foreign_jobs(self, lineage: str) -> list[Job]:
        """The jobs of other states that wait or run, oldest first."""
        if not self.exists():
            return []
        with self.transaction() as db:
            self._adopt(db)
            return _select(
                db, "state IN ('waiting', 'running') AND lineage IS NOT ? ORDER BY number", (lineage,)
            )

    def _adopt(self, db: sqlite3.Connection) -> None:
        """Version 1 of the file did not say whose a job is; its key does."""
        if self.lineage is None or self._adopted == self.lineage:
            return
        self._adopted = self.lineage
        for number, job_id, key in db.execute(
            "SELECT number, job_id, key FROM jobs WHERE lineage IS NULL"
        ).fetchall():
            first_id, _, resends = job_id.partition("#")
            if key == key_of(self.lineage, first_id, int(resends or 0)):
                db.execute("UPDATE jobs SET lineage = ? WHERE number = ?", (self.lineage, number))

    def take(
        self, worker: str, now: Instant, *, queues: Sequence[str] | None = None, lease: int = LEASE
    ) -> Job | None:
        """Start the next waiting job; durable before it is handed out. None where none is waiting."""
        jobs = self.take_some(1, worker, now, queues=queues, lease=lease)
        return jobs[0] if jobs else None

    def take_some(
        self,
        most: int,
        worker: str,
        now: Instant,
        *,
        queues: Sequence[str] | None = None,
        lease: int = LEASE,
        spare: Iterable[Job] | None = (),
    ) -> list[Job]:
        """Start up to `most` waiting jobs in one transaction; see `take`, and `reap` for `spare`."""
        with self.transaction() as db:
            self._reap(db, now, spare)
            names = json.dumps(list(queues)) if queues is not None else None
            rows = db.execute(
                "SELECT number FROM jobs WHERE state = 'waiting' AND available_at <= ?"
                " AND (? IS NULL OR queue IN (SELECT value FROM json_each(?)))"
                " AND (? IS NULL OR lineage = ?) ORDER BY number LIMIT ?",
                (now, names, names, self.lineage, self.lineage, most),
            ).fetchall()
            db.executemany(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, worker = ?, lease_until = ?,"
                " started_at = ? WHERE number = ?",
                [(worker, now + lease, now, number) for (number,) in rows],
            )
            numbers = json.dumps([number for (number,) in rows])
            return _select(db, "number IN (SELECT value FROM json_each(?)) ORDER BY number", (numbers,))

    def renew(self, job: Job, now: Instant, lease: int = LEASE) -> bool:
        """The worker is still running the job, also where it was presumed lost and nobody has acted on it."""
        with self.transaction() as db:
            done = db.execute(
                "UPDATE jobs SET state = 'running', lease_until = ?, finished_at = NULL WHERE number = ?"
                " AND key = ? AND worker = ? AND attempts = ?"
                " AND (state IN ('running', 'waiting') OR (state = 'lost' AND NOT reported))",
                (now + lease, job.number, job.key, job.worker, job.attempts),
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
            " words = ? WHERE number = ? AND key = ? AND worker = ? AND attempts = ?"
            " AND state IN ('running', 'waiting')",
            (now + self._wait(job), message, job.number, job.key, job.worker, job.attempts),
        )
        return done.rowcount == 1

    def reap(self, now: Instant, spare: Iterable[Job] | None = ()) -> list[Job]:
        """End the jobs of lost workers, and those past their `not_after`; returns the jobs changed.

        `spare`: running jobs whose workers are known to live; None for all of them.
        """
        if not self.exists():
            return []
        with self.transaction() as db:
            return self._reap(db, now, spare)

    def unknown_jobs(self) -> list[Job]:
        """The jobs set aside because they are not in the state, oldest first."""
        if not self.exists():
            return []
        with self.transaction() as db:
            return _select(db, "state = 'stray' ORDER BY number")

    def give_back(self, job: Job, available_at: Instant | None = None) -> None:
        """Return a job that was taken and not begun: it waits as before, or until `available_at`."""
        with self.transaction() as db:
            db.execute(
                "UPDATE jobs SET state = 'waiting', attempts = attempts - 1, worker = NULL,"
                " lease_until = NULL, started_at = NULL, available_at = ?"
                " WHERE number = ? AND key = ? AND worker = ? AND attempts = ? AND state = 'running'",
                (available_at or job.available_at, job.number, job.key, job.worker, job.attempts),
            )

    def set_aside(self, job: Job, now: Instant, reason: str, *, is_unknown: bool) -> None:
        """End a job that was taken and that nobody may begin."""
        with self.transaction() as db:
            if _end_job(db, job, "stray" if is_unknown else "superseded", now, reason, reported=True):
                db.execute("UPDATE jobs SET attempts = attempts - 1 WHERE number = ?", (job.number,))

    def unreported(self) -> list[Job]:
        """The jobs that have ended and whose end is not in the state yet."""
        if not self.exists():
            return []
        with self.transaction() as db:
            where = f"finished_at IS NOT NULL AND NOT reported AND {_OURS} ORDER BY number"
            return _select(db, where, (self.lineage, self.lineage))

    def mark_reported(self, jobs: Iterable[Job]) -> None:
        """The ends of these are in the state; does nothing for a job that has ended again since."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE jobs SET reported = 1 WHERE number = ? AND state = ? AND finished_at = ?",
                [(job.number, job.state, job.finished_at) for job in jobs],
            )

    def _reap(self, db: sqlite3.Connection, now: Instant, spare: Iterable[Job] | None) -> list[Job]:
        changed: list[int] = []
        self._adopt(db)
        ours = (self.lineage, self.lineage)
        db.execute("DELETE FROM jobs WHERE state = 'stray' AND finished_at < ?", (now - KEEP_UNKNOWN,))
        spared = frozenset(job.number for job in spare or ())
        lapsed = _select(db, f"state = 'running' AND lease_until <= ? AND {_OURS}", (now, *ours))
        for job in lapsed:
            if spare is None or job.number in spared:
                continue
            message = f"the worker {job.worker} went away"
            if job.repeatable and job.attempts < self._attempts:
                db.execute(  # the worker stays named: until the next attempt, it may report its own
                    "UPDATE jobs SET state = 'waiting', available_at = ?, lease_until = NULL,"
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
        for job in _select(db, f"state = 'waiting' AND not_after < ? AND {_OURS}", (now, *ours)):
            late = f"no attempt starts after {instant_text(job.not_after)}"
            never = f"no worker began its job by {instant_text(job.not_after)}"
            state, message = ("expired", never)
            if job.attempts:  # of a worker that is still named the attempt may have been done
                state, message = "failure" if job.worker is None else "lost", f"{job.message}; {late}"
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
        " WHERE number = ? AND key = ? AND worker = ? AND attempts = ?"
        " AND state IN ('running', 'lost', 'waiting')",
        (state, now, message, int(reported), job.number, job.key, job.worker, job.attempts),
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


def _identity(db: sqlite3.Connection) -> str:
    found: str = db.execute("SELECT id FROM file").fetchone()[0]
    return found


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
