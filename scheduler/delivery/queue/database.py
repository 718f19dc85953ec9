"""The SQLite file of the embedded queue: is it ours, can it be opened, and one transaction at a time.

A rollback journal with `synchronous=EXTRA` rather than a write-ahead log: a commit is on disk when it
returns, the queue is one file that can be copied, and jobs are few.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from scheduler.errors import QueueError

LATEST_VERSION = 2
APPLICATION = 0x77617665  # "wave": distinguishes our file from any other SQLite file
BUSY = 15.0
"""Seconds to wait for another process's transaction."""

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
  reported INTEGER NOT NULL DEFAULT 0,
  lineage TEXT
);
CREATE TABLE IF NOT EXISTS file (id TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS jobs_to_do ON jobs (state, available_at) WHERE state IN ('waiting', 'running');
CREATE INDEX IF NOT EXISTS jobs_to_report ON jobs (number) WHERE finished_at IS NOT NULL AND NOT reported;
CREATE INDEX IF NOT EXISTS jobs_put_aside ON jobs (finished_at) WHERE state = 'stray';
"""
_OTHER_FILE = "name another file in `queue:`, such as `queue: sqlite:///queue.db`"


class NothingWritten(QueueError):
    """The file could not be opened as a queue, or not locked in time: nothing in it was changed."""


class QueueFile:
    """The file. It is opened anew for each transaction, so threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()  # SQLite's own waiting backs off in growing steps: this is sooner

    @property
    def name(self) -> str:
        """What messages call the queue."""
        return self.path.name

    def exists(self) -> bool:
        try:
            return self.path.exists()
        except OSError as problem:
            raise self._cannot_open(problem) from None

    def check(self) -> None:
        """Raise QueueError where jobs could not be enqueued now. Creates nothing."""
        self.check_place()
        if self.exists():
            with self.transaction():
                return

    def check_place(self) -> None:
        """Raise QueueError where no queue can be at this path. Creates nothing, and waits for no lock."""
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if not _is_folder(self.path.parent) or not os.access(self.path.parent, os.W_OK):
                raise QueueError(f"the queue {self.name} cannot be created", hint=self._hint()) from None
            return
        except OSError as problem:
            raise self._cannot_open(problem) from None
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise QueueError(f"the queue {self.name} is {kind}", hint=_OTHER_FILE)
        try:
            with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as db:
                self._version(db)
        except sqlite3.Error as problem:
            if _code_of(problem) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise self._failed(problem, QueueError) from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock, committed at the end.

        Raises QueueError; its subclass NothingWritten where the body never started.
        """
        has_begun = False
        try:
            with self._turn, closing(sqlite3.connect(self.path, timeout=BUSY, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = EXTRA")
                db.execute("BEGIN IMMEDIATE")
                try:
                    if (version := self._version(db)) != LATEST_VERSION:
                        _bring_up_to_date(db, version)
                    has_begun = True
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        except sqlite3.Error as problem:
            raise self._failed(problem, QueueError if has_begun else NothingWritten) from None

    def _version(self, db: sqlite3.Connection) -> int:
        """The version of our tables; 0 for a new file.

        Raises NothingWritten for the file of another program, or of a later version.
        """
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        if application == APPLICATION and 0 < version <= LATEST_VERSION:
            return version
        if application == APPLICATION:
            raise NothingWritten(
                f"the queue {self.name} has version {version}; this program supports version "
                f"{LATEST_VERSION}",
                hint="upgrade the scheduler, or run the version that wrote this file",
            )
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise NothingWritten(f"{self.name} is the database of another program", hint=_OTHER_FILE)
        return 0

    def _cannot_open(self, problem: OSError) -> QueueError:
        """For a name that is too long, or a folder without access."""
        return QueueError(f"the queue {self.name} cannot be opened: {problem.strerror}", hint=_OTHER_FILE)

    def _failed(self, problem: sqlite3.Error, kind: type[QueueError]) -> QueueError:
        hint = _OTHER_FILE if _code_of(problem) == sqlite3.SQLITE_NOTADB else self._hint()
        return kind(f"the queue {self.name} failed: {problem}", hint=hint)

    def _hint(self) -> str:
        if not _is_folder(self.path.parent):
            return f"create the folder {self.path.parent}, or correct `queue:` in scheduler.yaml"
        return "check that the disk has room, the file is writable, and no other program holds a lock on it"


def _bring_up_to_date(db: sqlite3.Connection, version: int) -> None:
    """Make the tables of a new file, or add what version 1 lacks: whose a job is, and the file's own id."""
    if version == 1:
        db.execute("ALTER TABLE jobs ADD COLUMN lineage TEXT")
    for statement in _SCHEMA.split(";"):  # `executescript` would commit first
        db.execute(statement)
    db.execute("INSERT INTO file VALUES (?)", (secrets.token_hex(8),))
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {LATEST_VERSION}")


def _code_of(problem: sqlite3.Error) -> int:
    """The primary result code; 0 for what Python's own module rejects, which has none."""
    code: int = getattr(problem, "sqlite_errorcode", 0)
    return code & 0xFF


def _is_folder(path: Path) -> bool:
    """Whether it is a folder that we can see; False for a name that no folder can have."""
    try:
        return path.is_dir()
    except OSError:
        return False
