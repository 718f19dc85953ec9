"""The state in a file: replaced as a whole, durably, by one process at a time.

A save locks (`flock` on `.state.json.lock` beside the file, which stays), compares what is stored with
what was read, writes a new file beside the old one, has it on the disk, and renames it over the old one:
whoever reads sees the old text or the new one. Readers take no lock.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scheduler.errors import LostRace, StateError, StateMissing
from scheduler.failpoints import failpoint
from scheduler.state import header
from scheduler.state.stores import Snapshot, not_as_listed, successor

if TYPE_CHECKING:
    from scheduler.state.record import Record, State

_MONTH_FILE = re.compile(r"\d{4}-\d{2}\.json", re.ASCII)
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_HINTS = {
    errno.ENOSPC: "free some disk space; the previous state is intact",
    errno.EDQUOT: "free some of the quota; the previous state is intact",
    errno.EFBIG: "raise the file size limit; the previous state is intact",
    errno.EROFS: "the file system is read-only: remount it, or set `state:` to another path",
    errno.ENOENT: "create its folder first, or correct the path in `state:`",
    errno.EACCES: "give this user write access to the file and its folder",
    errno.EPERM: "give this user write access to the file and its folder",
}
_CHUNK = 1024 * 1024  # bytes that are read at once; the first line of a state is shorter
_PAUSE = 0.05  # seconds between two tries for the lock


class _Month(NamedTuple):
    """A month of the archive, with the fingerprints of its text and of the one before it."""

    records: Mapping[str, Record]
    texts: tuple[str, str | None]


class FileStore:
    """A state in the file `path`, which messages call `name`; archived months in `archive/` beside it.

    `sleep` waits between tries for the lock, `patience` seconds in all.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        patience: float = 30,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._name = name
        self._patience = patience
        self._sleep = sleep
        self._lineage: str | None = None
        self._listed: Mapping[str, str] = {}
        """The months that the state lists, with their fingerprints."""

    @property
    def name(self) -> str:
        return self._name

    def _read(self) -> tuple[bytes, str]:
        text = _read_file(self._path, self._name)
        if text is None:
            raise StateMissing(
                f"there is no state: {self._name} does not exist",
                hint="if there was one, restore it from git history; "
                "before the very first run, run `scheduler state init`",
            )
        return text, header.fingerprint(text)

    def load(self) -> Snapshot:
        """The stored state. Raises StateMissing or StateError."""
        from scheduler.state.codec import decode

        text, mark = self._read()
        state = decode(text, self._name, is_whole=not mark.startswith(header.EDITED))
        self._lineage, self._listed = state.lineage, state.archived
        return Snapshot(state, mark)

    def create(self, state: State) -> Snapshot:
        """Store the very first state. Raises StateError where one is there, or an archive of another."""
        from scheduler.state.codec import encode_parts

        with self._locked():
            if os.path.lexists(self._path):
                raise StateError(
                    f"a state already exists: {self._name}",
                    hint="to start over, first move it and the archive beside it away",
                )
            self._lineage = state.lineage
            self.load_archive()  # refuses the archive of another lineage
            parts = encode_parts(state)
            self._replace(self._path, parts)
        return Snapshot(state, header.sealed_with(parts[0]))

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        """Replace the snapshot's version by `state`. The file has no log: `message` is not kept."""
        return self.save_with_archive(state, {}, snapshot, message)

    def load_archive(self) -> dict[str, Record]:
        """The records of all archived months. Raises StateError where one cannot be read, or is not there."""
        while True:
            months = self._read_months()
            problem = not_as_listed(self._listed, {month: found.texts for month, found in months.items()})
            if problem is None:
                return {key: record for found in months.values() for key, record in found.records.items()}
            listed = self._listed
            self.load()  # another run may have archived and saved since this one read the state
            if self._listed == listed:
                raise StateError(problem, hint="restore it from git history or your backup")

    def save_with_archive(
        self,
        state: State,
        archived: Mapping[str, Mapping[str, Record]],
        snapshot: Snapshot,
        message: str,  # noqa: ARG002 - a file has no log
    ) -> Snapshot:
        """Like `save`, and adds records to archive months, which are written first."""
        from msgspec.structs import replace

        from scheduler.state.codec import encode_parts

        state = successor(state, snapshot)
        parts = encode_parts(state)
        with self._locked():
            if self._stored_mark() != snapshot.mark:
                raise LostRace(f"another runner saved {self._name} meanwhile", hint="run it again")
            self._lineage = state.lineage
            listed = dict(state.archived)
            for month in sorted(archived):
                listed[month] = self._add_to_month(month, archived[month], listed.get(month))
            if snapshot.state.version != state.version:  # that version listed no months
                listed |= {month: found.texts[0] for month, found in self._read_months().items()}
            if listed != state.archived:
                state = replace(state, archived=listed)
                parts = encode_parts(state)
            mark = header.sealed_with(parts[0])
            if mark != snapshot.mark:
                self._replace(self._path, parts)
        self._listed = state.archived
        return Snapshot(state, mark)

    # --- the archive ------------------------------------------------------------------------------

    def _read_months(self) -> dict[str, _Month]:
        folder = self._path.parent / "archive"
        try:
            paths = sorted(path for path in folder.iterdir() if _MONTH_FILE.fullmatch(path.name))
        except FileNotFoundError:
            return {}
        except OSError as problem:
            raise _unreadable("archive", problem) from None
        months = ((path.stem, self._read_month(path)) for path in paths)
        return {month: found for month, found in months if found is not None}

    def _read_month(self, path: Path) -> _Month | None:
        from scheduler.state.codec import decode_archive

        name = f"archive/{path.name}"
        text = _read_file(path, name)
        if text is None:
            return None
        lineage, records, follows = decode_archive(text, name)
        if self._lineage is not None and lineage != self._lineage:
            raise StateError(
                f"{name} belongs to another state: its lineage is {lineage}, not {self._lineage}",
                hint="restore the state that it belongs to, or move the archive away",
            )
        return _Month(records, (header.fingerprint(text), follows))

    def _add_to_month(self, month: str, records: Mapping[str, Record], listed: str | None) -> str:
        """Add records to a month, and return the fingerprint of its text.

        A run may be killed before it saves the state, which then lists the text before this one: so the new
        text names that one.
        """
        from scheduler.state.codec import encode_archive

        if not _MONTH.fullmatch(month):
            raise ValueError(f"not a month of the archive: {month!r}")
        path = self._path.parent / "archive" / f"{month}.json"
        found = self._read_month(path)
        before = {} if found is None else found.records
        after = {**before, **records}
        if found is not None and after == before:
            return found.texts[0]
        self._make_archive_folder(path.parent)
        text = encode_archive(self._lineage or "", after, listed)
        self._replace(path, [text])
        return header.fingerprint(text)

    def _make_archive_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(exist_ok=True)
            _sync_folder(folder.parent)
        except OSError as problem:
            raise self._unwritable(problem) from None

    # --- the file ---------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self._path.with_name(f".{self._path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as problem:
            raise self._unwritable(problem) from None
        try:
            self._wait_for(descriptor, lock)
            failpoint("file-locked")
            yield
        finally:
            os.close(descriptor)  # the lock goes with it

    def _wait_for(self, descriptor: int, lock: Path) -> None:
        waited = 0.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waited >= self._patience:
                    raise StateError(
                        f"{self._name} has been locked by another process for {self._patience:g} s",
                        hint=f"find the process that holds the lock: fuser {lock.name}",
                    ) from None
                self._sleep(_PAUSE)
                waited += _PAUSE
            except OSError as problem:
                raise self._unwritable(problem) from None
            else:
                return

    def _stored_mark(self) -> str | None:
        """The mark of what is stored, without a copy of it in memory; None where there is nothing."""
        try:
            with _open_plain(self._path, self._name) as file:
                own = header.own_checksum(file.read(_CHUNK), iter(lambda: file.read(_CHUNK), b""))
                file.seek(0)
                return own or header.EDITED + hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise _unreadable(self._name, problem) from None

    def _replace(self, path: Path, parts: Sequence[bytes]) -> None:
        """Put a new text in the place of the old one, atomically and durably. The lock is held."""
        new = path.with_name(f".{path.name}.new")  # one name: what a killed run left is written over
        try:
            try:
                _write_new(new, path, parts)
                new.replace(path)
                failpoint("file-replaced")
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            self._confirm(path.parent)
        except OSError as problem:
            raise self._unwritable(problem) from None

    def _confirm(self, folder: Path) -> None:
        """Have the new name on the disk. The new text is in its place whatever comes of it."""
        try:
            _sync_folder(folder)
        except OSError as problem:
            raise StateError(
                f"{self._name} was written, but the disk did not confirm it: {problem.strerror or problem}",
                hint="check the disk, then run it again",
            ) from None
        failpoint("file-folder-synced")

    def _unwritable(self, problem: OSError) -> StateError:
        return StateError(
            f"{self._name} cannot be written: {problem.strerror or problem}",
            hint=_HINTS.get(problem.errno or 0),
        )


def _read_file(path: Path, name: str) -> bytes | None:
    """The bytes of a plain file, None where there is none."""
    try:
        with _open_plain(path, name) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _unreadable(name, problem) from None


def _open_plain(path: Path, name: str) -> FileIO:
    """Open a plain file. Links and devices are refused, with StateError.

    A link would be replaced by a file, or would let a pull request aim the state at any file of the
    machine that runs it.
    """
    if path.is_symlink():
        raise StateError(f"{name} is a symbolic link", hint="set `state:` to the path it points to")
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return FileIO(descriptor)
    os.close(descriptor)
    raise StateError(f"{name} is not a file", hint="set `state:` to the path of a file")


def _unreadable(name: str, problem: OSError) -> StateError:
    return StateError(
        f"{name} cannot be read: {problem.strerror or problem}", hint=_HINTS.get(problem.errno or 0)
    )


def _write_new(new: Path, old: Path, parts: Sequence[bytes]) -> None:
    """Write `new` with the mode (and, where that is allowed, the owner) of `old`, down to the disk."""
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        failpoint("file-created")
        _keep_mode(descriptor, old)
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[file.write(rest) :]
        failpoint("file-written")
        os.fsync(descriptor)
    failpoint("file-synced")


def _keep_mode(descriptor: int, old: Path) -> None:
    try:
        before = os.lstat(old)
    except FileNotFoundError:
        return
    now = os.fstat(descriptor)
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        with suppress(PermissionError):  # another user's file in a shared folder: the owner changes
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
