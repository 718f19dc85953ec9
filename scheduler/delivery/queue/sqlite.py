"""The queue for channels without a repository: one job a schedule, taken by workers, never twice by accident.

The embedded queue is one table in one SQLite file, and needs no server. It is our own table because what
matters here is not the queueing but the ledger around it: a job id is used up for good (enqueuing it
again, even after it ended, is no job), the start of a job is durable before its command runs, and a
worker that went away leaves a lease that runs out. Queues from the shelf keep no ids of finished jobs,
or hand a job to two processes, or give the jobs of a living worker to the next one that opens the file.

A rollback journal with `synchronous=EXTRA` rather than a write-ahead log: a commit is on the disk when
it returns, the queue is one file that can be copied, and jobs are few. All times are instants (UTC,
whole seconds) that the caller passes; durations are seconds.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from scheduler.delivery.dispatcher import Check, Readiness, Request
from scheduler.delivery.queue.celery import SCHEMES, Broker
from scheduler.errors import Error, QueueError
from scheduler.state.answers import Answer, LookupResult, Run
from scheduler.state.record import Intent, Lease
from scheduler.times import Instant, instant_text, read_utc

LEASE = 60
"""Seconds after which a worker that did not renew its lease is taken for lost."""
LATEST_VERSION = 1
APPLICATION = 0x77617665  # "wave": tells our file from any other SQLite file
BUSY = 15.0
"""Seconds to wait for another process's transaction."""
KEEP_STRAYS = 7 * 24 * 3600
"""Seconds for which a job that no record knows is kept for a person to see."""
JobState = Literal["waiting", "running", "success", "failure", "lost", "expired", "superseded", "stray"]
ENDED: frozenset[str] = frozenset({"success", "failure", "lost", "expired"})
NEVER_BEGUN: frozenset[str] = frozenset({"superseded", "stray"})

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL UNIQUE,
  key TEXT NOT NULL,
  queue TEXT NOT NULL,
  schedule_id TEXT NOT NULL,
  payload TEXT NOT NULL,
  command TEXT,
  repeatable INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  enqueued_at INTEGER NOT NULL,
  available_at INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  worker TEXT,
  lease_until INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  words TEXT,
  reported INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS jobs_to_do ON jobs (state, available_at) WHERE state IN ('waiting', 'running');
CREATE INDEX IF NOT EXISTS jobs_to_report ON jobs (number) WHERE finished_at IS NOT NULL AND NOT reported;
CREATE INDEX IF NOT EXISTS jobs_put_aside ON jobs (finished_at) WHERE state = 'stray';
"""
_COLUMNS = (
    "number, job_id, key, queue, schedule_id, payload, command, repeatable, state, attempts, "
    "enqueued_at, available_at, not_after, worker, lease_until, started_at, finished_at, words"
)


_OTHER_FILE = "name another file in `queue:`, such as sqlite:///queue.db"


class NothingBegun(QueueError):
    """The file could not be opened as a queue, or not locked in time: nothing in it was changed."""


class Job(msgspec.Struct, frozen=True):
    """One job as the queue has it. `number` names it for people; `attempts` counts its starts.

    `repeatable` is `delivery: at-least-once`: the job may be started again after it failed or was lost.
    Never begun were: `expired`, it came too late; `superseded`, the record has ended it, or has another job
    in its place; `stray`, the record knows nothing of it.
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
    words: str | None = None


class Queue(Protocol):
    """What every queue tells of itself."""

    @property
    def name(self) -> str:
        """What messages call it, without secrets."""

    def check(self) -> None:
        """Raise QueueError where jobs could not be put on the queue now. Makes nothing."""


def open_queue(
    url: str, root: Path, *, attempts: int = 3, backoff: int = 60, password: str | None = None
) -> SqliteQueue | Broker:
    """The queue that a URL names: `sqlite:///queue.db` (below `root`), `sqlite:////var/lib/queue.db`, or a
    broker's, such as `redis://queue.internal/0`.

    `attempts` and `backoff` (seconds, doubling) are those of jobs that may be repeated; `password` is for
    the broker. Nothing is opened or made yet. Raises Error for a URL that names no queue, or one
    with a password in it, which is not shown.
    """
    scheme, separator, rest = url.partition("://")
    if scheme in SCHEMES and separator:
        return Broker(url, password)
    if scheme != "sqlite" or not separator:
        raise Error(
            "the setting `queue` is no URL of a queue that is known",
            hint=f"write `queue: sqlite:///queue.db`, or a broker's URL ({', '.join(SCHEMES)})",
        )
    path = rest.removeprefix("/")
    if not rest.startswith("/") or not path.strip("/") or set(path) & set("?#\0"):
        raise Error("the setting `queue` names no file", hint="three slashes and a path: sqlite:///queue.db")
    return SqliteQueue(root / path, attempts=attempts, backoff=backoff)


class SqliteQueue:
    """The embedded queue. Each call opens the file for itself, so threads and processes may share it.

    Every method raises QueueError where the file cannot be read or written. A job that was taken belongs
    to its worker until it ends, or its lease runs out. `renew`, `finish` and `fail` say False where it is
    not (any more) this worker's: whatever it did then counts for nothing, except the end of an at-most-once
    job, which nobody else can have started.
    """

    def __init__(self, path: Path, *, attempts: int = 3, backoff: int = 60) -> None:
        self.path = path
        self._attempts, self._backoff = attempts, backoff
        self._turn = threading.Lock()  # SQLite makes those wait that collide, longer than they need to

    @property
    def name(self) -> str:
        return self.path.name

    def enqueue(self, requests: Sequence[Request]) -> list[Job]:
        """Put each on the queue, all or none; a job id that was ever used is that job, unchanged."""
        with self._transaction() as db:
            for request in requests:
                db.execute(
                    "INSERT INTO jobs (job_id, key, queue, schedule_id, payload, command, repeatable, state,"
                    " enqueued_at, available_at, not_after) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?)"
                    " ON CONFLICT (job_id) DO NOTHING",
                    _row_of(request),
                )
            ids = [_id_of(request.schedule_id, request.intent) for request in requests]
            found = _find(db, ids)
        return [found[job_id] for job_id in ids]

    def find(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """The jobs of those ids that the queue knows, ended ones too."""
        if not self._exists():
            return {}
        with self._transaction() as db:
            return _find(db, job_ids)

    def take(
        self, worker: str, now: Instant, *, queues: Sequence[str] | None = None, lease: int = LEASE
    ) -> Job | None:
        """The next job that waits, started: durable before it is handed out. None where none waits."""
        jobs = self.take_some(1, worker, now, queues=queues, lease=lease)
        return jobs[0] if jobs else None

    def take_some(
        self, most: int, worker: str, now: Instant, *, queues: Sequence[str] | None = None, lease: int = LEASE
    ) -> list[Job]:
        """The next jobs that wait, all started in one step; `take` tells what that means."""
        with self._transaction() as db:
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
        """The worker is still at it."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE jobs SET lease_until = ? WHERE number = ? AND worker = ? AND attempts = ?"
                " AND state = 'running'",
                (now + lease, job.number, job.worker, job.attempts),
            )
            return done.rowcount == 1

    def finish(self, job: Job, now: Instant) -> bool:
        """Exit 0."""
        return self.end_some([(job, None)], now)[0]

    def fail(self, job: Job, now: Instant, words: str) -> bool:
        """The command failed: the job waits for its next attempt where it may have one, or has failed."""
        return self.end_some([(job, words)], now)[0]

    def end_some(self, ended: Sequence[tuple[Job, str | None]], now: Instant) -> list[bool]:
        """How some attempts ended, kept in one step: None for exit 0, else what went wrong."""
        with self._transaction() as db:
            return [self._end_one(db, job, now, words) for job, words in ended]

    def _end_one(self, db: sqlite3.Connection, job: Job, now: Instant, words: str | None) -> bool:
        if words is None:
            return self._end(db, job, "success", now, None)
        if not job.repeatable or job.attempts >= self._attempts:
            return self._end(db, job, "failure", now, words)
        done = db.execute(
            "UPDATE jobs SET state = 'waiting', available_at = ?, worker = NULL, lease_until = NULL,"
            " words = ? WHERE number = ? AND worker = ? AND attempts = ? AND state = 'running'",
            (now + self._wait(job), words, job.number, job.worker, job.attempts),
        )
        return done.rowcount == 1

    def reap(self, now: Instant) -> list[Job]:
        """What time itself does: lost workers and jobs past their `not_after`. The jobs that changed."""
        if not self._exists():
            return []
        with self._transaction() as db:
            return self._reap(db, now)

    def strays(self) -> list[Job]:
        """The jobs that were put aside because no record knows them, in the order in which they came."""
        if not self._exists():
            return []
        with self._transaction() as db:
            return _select(db, "state = 'stray' ORDER BY number")

    def give_back(self, job: Job) -> None:
        """A job that was taken and not begun: it waits as before."""
        with self._transaction() as db:
            db.execute(
                "UPDATE jobs SET state = 'waiting', attempts = attempts - 1, worker = NULL,"
                " lease_until = NULL, started_at = NULL WHERE number = ? AND worker = ? AND attempts = ?"
                " AND state = 'running'",
                (job.number, job.worker, job.attempts),
            )

    def put_aside(self, job: Job, now: Instant, words: str, *, is_stray: bool) -> None:
        """A job that was taken and is not to be begun by anybody."""
        with self._transaction() as db:
            self._end(db, job, "stray" if is_stray else "superseded", now, words, reported=True)

    def unreported(self) -> list[Job]:
        """The jobs that have ended and of which the record has not been told yet."""
        if not self._exists():
            return []
        with self._transaction() as db:
            return _select(db, "finished_at IS NOT NULL AND NOT reported ORDER BY number")

    def mark_reported(self, jobs: Iterable[Job]) -> None:
        """The record knows how these ended, unless they ended anew since."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE jobs SET reported = 1 WHERE number = ? AND state = ? AND finished_at = ?",
                [(job.number, job.state, job.finished_at) for job in jobs],
            )

    def check(self) -> None:
        self.check_place()
        if self._exists():
            with self._transaction():
                return

    def check_place(self) -> None:
        """Raise QueueError where no queue can be at its path. Makes nothing, and waits for nobody."""
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if not _is_folder(self.path.parent) or not os.access(self.path.parent, os.W_OK):
                raise QueueError(f"the queue {self.name} cannot be made", hint=self._hint()) from None
            return
        except OSError as problem:
            raise self._unreachable(problem) from None
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no plain file"
            raise QueueError(f"the queue {self.name} is {what}", hint=_OTHER_FILE)
        try:
            with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as db:
                self._is_made(db)
        except sqlite3.Error as problem:
            if _code_of(problem) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise self._failed(problem) from None

    def _exists(self) -> bool:
        try:
            return self.path.exists()
        except OSError as problem:
            raise self._unreachable(problem) from None

    def _unreachable(self, problem: OSError) -> QueueError:
        """A name that is too long, a folder that is closed to us."""
        return QueueError(f"the queue {self.name} cannot be opened: {problem.strerror}", hint=_OTHER_FILE)

    def _end(
        self,
        db: sqlite3.Connection,
        job: Job,
        state: JobState,
        now: Instant,
        words: str | None,
        *,
        reported: bool = False,
    ) -> bool:
        """The end of a job. A worker that was taken for lost may still tell how it ended."""
        done = db.execute(
            "UPDATE jobs SET state = ?, finished_at = ?, words = ?, lease_until = NULL, reported = ?"
            " WHERE number = ? AND worker = ? AND attempts = ? AND state IN ('running', 'lost')",
            (state, now, words, int(reported), job.number, job.worker, job.attempts),
        )
        return done.rowcount == 1

    def _reap(self, db: sqlite3.Connection, now: Instant) -> list[Job]:
        changed: list[int] = []
        db.execute("DELETE FROM jobs WHERE state = 'stray' AND finished_at < ?", (now - KEEP_STRAYS,))
        for job in _select(db, "state = 'running' AND lease_until <= ?", (now,)):
            words = f"the worker {job.worker} went away"
            if job.repeatable and job.attempts < self._attempts:
                db.execute(
                    "UPDATE jobs SET state = 'waiting', available_at = ?, worker = NULL, lease_until = NULL,"
                    " words = ? WHERE number = ?",
                    (now + self._wait(job), words, job.number),
                )
            else:
                db.execute(
                    "UPDATE jobs SET state = 'lost', finished_at = ?, lease_until = NULL, words = ?"
                    " WHERE number = ?",
                    (now, words, job.number),
                )
            changed.append(job.number)
        for job in _select(db, "state = 'waiting' AND not_after < ?", (now,)):
            late = f"no attempt starts after {instant_text(job.not_after)}"
            state, words = ("failure", f"{job.words}; {late}") if job.attempts else ("expired", late)
            db.execute(
                "UPDATE jobs SET state = ?, finished_at = ?, words = ? WHERE number = ?",
                (state, now, words, job.number),
            )
            changed.append(job.number)
        return _select(db, "number IN (SELECT value FROM json_each(?))", (json.dumps(changed),))

    def _wait(self, job: Job) -> int:
        """Seconds until the next attempt; the backoff doubles."""
        wait: int = self._backoff * 2 ** max(job.attempts - 1, 0)
        return wait

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that alone may write, committed at the end.

        Raises QueueError, and of that NothingBegun where it never came to do anything.
        """
        has_begun = False
        try:
            with self._turn, closing(sqlite3.connect(self.path, timeout=BUSY, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = EXTRA")
                db.execute("BEGIN IMMEDIATE")
                try:
                    self._make_tables(db)
                    has_begun = True
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        except sqlite3.Error as problem:
            raise self._failed(problem, QueueError if has_begun else NothingBegun) from None

    def _failed(self, problem: sqlite3.Error, kind: type[QueueError] = QueueError) -> QueueError:
        hint = _OTHER_FILE if _code_of(problem) == sqlite3.SQLITE_NOTADB else self._hint()
        return kind(f"the queue {self.name} failed: {problem}", hint=hint)

    def _hint(self) -> str:
        if not _is_folder(self.path.parent):
            return f"make the folder {self.path.parent} first, or correct `queue:` in scheduler.yaml"
        return "see that the disk has room and the file may be written, and that no other program holds it"

    def _is_made(self, db: sqlite3.Connection) -> bool:
        """Whether the file has our tables; False for a new one.

        Raises NothingBegun for a file of another program, or of a later version.
        """
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application == APPLICATION and version == LATEST_VERSION:
            return True
        if application == APPLICATION:
            raise NothingBegun(
                f"the queue {self.name} has version {version}; this program knows {LATEST_VERSION}",
                hint="upgrade the scheduler, or run the one that wrote it",
            )
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise NothingBegun(f"{self.name} is the database of another program", hint=_OTHER_FILE)
        return False

    def _make_tables(self, db: sqlite3.Connection) -> None:
        """Make the tables in a new file."""
        if self._is_made(db):
            return
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {LATEST_VERSION}")


def _code_of(problem: sqlite3.Error) -> int:
    """The primary result code; 0 for what Python's own module refuses, which has none."""
    code: int = getattr(problem, "sqlite_errorcode", 0)
    return code & 0xFF


def _is_folder(path: Path) -> bool:
    """Whether it is one that can be seen; False for a name that none can have."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _id_of(schedule_id: str, intent: Intent) -> str:
    return intent.job_id or schedule_id


def _row_of(request: Request) -> tuple[Any, ...]:
    intent = request.intent
    at = read_utc(intent.at)
    payload = json.dumps(dict(request.payload), allow_nan=False)
    return (
        _id_of(request.schedule_id, intent), intent.key, intent.queue or "publications",
        request.schedule_id, payload, intent.command, int(intent.delivery == "at-least-once"),
        at, at, read_utc(intent.not_after),
    )  # fmt: skip


def _select(db: sqlite3.Connection, where: str, values: tuple[Any, ...] = ()) -> list[Job]:
    return [_job(row) for row in db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values)]  # noqa: S608 - our own words


def _find(db: sqlite3.Connection, job_ids: Iterable[str]) -> dict[str, Job]:
    jobs = _select(db, "job_id IN (SELECT value FROM json_each(?))", (json.dumps(list(job_ids)),))
    return {job.job_id: job for job in jobs}


def _job(row: tuple[Any, ...]) -> Job:
    number, job_id, key, queue, schedule_id, payload, command, repeatable, *rest = row
    return Job(number, job_id, key, queue, schedule_id, json.loads(payload), command, bool(repeatable), *rest)


def claim_of(job: Job) -> Lease | None:
    """Who works on a job, in the words of the record; None where nobody has begun it yet."""
    if job.started_at is None:
        return None
    begun, worker = instant_text(job.started_at), job.worker or ""
    if job.state == "running":
        assert job.lease_until is not None, "a running job has a lease"
        return Lease(worker, begun, "running", instant_text(job.lease_until), job.attempts)
    if job.state == "waiting":
        return Lease(worker, begun, "waiting", instant_text(job.available_at), job.attempts)
    return Lease(worker, begun, "ended", instant_text(job.finished_at or job.started_at), job.attempts)


class QueueDispatcher:
    """The way to channels without a repository, where the queue is the embedded one.

    `now`: the scheduler's clock; with it a lookup tells a worker that went away; without it that is left
    to the workers.
    """

    def __init__(self, queue: SqliteQueue, *, now: Callable[[], Instant] | None = None) -> None:
        self.queue = queue
        self._now = now

    def prepare(self, requests: Sequence[Request]) -> None:
        """Nothing: a job waits for its worker anyway."""

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Put all jobs on the queue in one step, in the order given; a job that is there already is a yes."""
        good: list[Request] = []
        for request in requests:
            try:
                _row_of(request)
            except (ValueError, TypeError, RecursionError) as problem:
                yield request, Answer(verdict="refused", error=f"nothing was enqueued: {problem}")
            else:
                good.append(request)
        if not good:
            return
        try:
            jobs = self.queue.enqueue(good)
        except NothingBegun as problem:
            yield from ((request, Answer(verdict="not-now", error=str(problem))) for request in good)
            return
        except QueueError as problem:
            yield from ((request, self._in_doubt(request, problem)) for request in good)
            return
        for request, job in zip(good, jobs, strict=True):
            yield request, _answer(request, job)

    def _in_doubt(self, request: Request, problem: QueueError) -> Answer:
        """A failed commit may have been one all the same: the queue itself knows, if it can be asked."""
        try:
            job = self.queue.find([_id_of(request.schedule_id, request.intent)])
        except QueueError:
            return Answer(verdict="unknown", error=str(problem))
        if job:
            return _answer(request, next(iter(job.values())))
        return Answer(verdict="not-now", error=str(problem))

    def look_up(
        self,
        intents: Mapping[str, Intent],
        run_ids: Mapping[str, int] | None = None,  # noqa: ARG002 - the protocol's; the job id says it all
    ) -> Mapping[str, LookupResult]:
        """The job of each intent, as a run."""
        ids = {schedule_id: _id_of(schedule_id, intent) for schedule_id, intent in intents.items()}
        try:
            if self._now is not None:
                self.queue.reap(self._now())
            jobs = self.queue.find(ids.values())
        except QueueError as problem:
            return dict.fromkeys(intents, LookupResult(error=str(problem)))
        seen: dict[str, LookupResult] = {}
        for schedule_id, intent in intents.items():
            job = jobs.get(ids[schedule_id])
            mine = job is not None and job.key == intent.key
            seen[schedule_id] = LookupResult(runs=(_as_run(job),) if job is not None and mine else ())
        return seen

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        """Whether the queue takes jobs. Whether somebody works on them is not its business."""
        check = self._check()
        ready = Readiness(
            ready=check.ok is not False, problem=None if check.ok else check.words, hint=check.hint
        )
        return dict.fromkeys(intents, ready)

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        checks = (self._check(),)
        return dict.fromkeys(intents, checks)

    def _check(self) -> Check:
        try:
            self.queue.check()
        except QueueError as problem:
            return Check("queue", False, str(problem), problem.hint)
        return Check("queue", True, f"the queue {self.queue.name} takes jobs")

    def close(self) -> None:
        """Nothing is held open."""


def _answer(request: Request, job: Job) -> Answer:
    if job.key != request.intent.key:
        words = f"the queue holds a job {job.job_id} of another scheduler (another lineage)"
        return Answer(verdict="refused", error=words)
    return Answer(verdict="accepted", run_id=job.number)


def _as_run(job: Job) -> Run:
    return Run(
        run_id=job.number,
        conclusion="expired" if job.state in NEVER_BEGUN else job.state if job.state in ENDED else None,
        started_at=job.started_at,
        words=job.words,
    )
