"""Files of the repository edited and committed, and the commit that a line came with.

Effects: files, git. A file is replaced whole or not at all, and only where it still is what the edit was
computed from. A commit takes exactly that file; whatever else is staged stays staged.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scheduler.checkout.origin import Origin
from scheduler.checkout.reading import git, head_commit
from scheduler.errors import ScheduleError

_LONG = 300.0
"""Seconds that a commit may take: hooks run in it."""


@contextlib.contextmanager
def editing(root: Path) -> Iterator[None]:
    """Keep other edits of this program out, in this process and in others, until the end of the block.

    The lock is on the folder itself, so that nothing is left behind.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace(root: Path, file: str, before: bytes | None, after: bytes) -> None:
    """Put `after` in the place of `before` (None: there is no file), atomically and durably; its mode stays.

    Raises ScheduleError where the file is not `before` any more, or cannot be written.
    """
    path = root / file
    found = _content(path, file)
    if found is None and before is not None:
        folder = path.parent.relative_to(root)
        raise ScheduleError(
            f"{file} is not on the disk, so it cannot be edited; nothing was written",
            hint=f"if this is a sparse checkout, run `git sparse-checkout add {folder}`",
        )
    if found != before:
        raise ScheduleError(
            f"{file} was changed meanwhile; nothing was written", hint="run the command again"
        )
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_new(new, path, after)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as problem:
        raise ScheduleError(f"{file} cannot be written: {problem.strerror or problem}") from None


def _content(path: Path, file: str) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ScheduleError(f"{file} cannot be read: {problem.strerror or problem}") from None


def _write_new(new: Path, old: Path, content: bytes) -> None:
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(descriptor, stat.S_IMODE(old.lstat().st_mode))
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- git ------------------------------------------------------------------------------------------


def demand_committable(root: Path, file: str, *, is_new: bool) -> None:
    """Refuse, before anything is written, what a commit of that one file could not say.

    Raises ScheduleError outside of a git work tree, and where the file has changes of somebody's own
    that the commit would take along; StateError where git cannot say.
    """
    changes = _git(root, "status", "--porcelain", "--untracked-files=all", "--", file)
    if head_commit(root) is None or changes is None:
        raise ScheduleError(
            f"{root} is not a git work tree with a commit, so nothing can be committed; nothing was written",
            hint="leave out `--commit`",
        )
    if changes.strip() and not is_new:
        raise ScheduleError(
            f"{file} has uncommitted changes, which the commit would include; nothing was written",
            hint="commit them first, or leave out `--commit`",
        )


def commit(root: Path, file: str, message: str) -> str:
    """Commit exactly this file; the commit's id. Other staged work stays as it is.

    Raises ScheduleError with git's own words where it refuses; the file stays written.
    """
    is_known = bool(_git(root, "ls-files", "--", file))
    if not is_known:
        _git(root, "add", "--intent-to-add", "--", file)
    done = _run(root, "commit", "--quiet", "--only", f"--message={message}", "--", file)
    if done is None or done.returncode != 0:
        if not is_known:
            _git(root, "reset", "--quiet", "--", file)
        words = "" if done is None else (done.stderr.strip() or done.stdout.strip())
        raise ScheduleError(
            f"{file} was written, but git did not commit it: {words or 'it could not be run'}",
            hint="commit it by hand, or undo the change with `git checkout`",
        )
    return head_commit(root) or ""


def origin_of(root: Path, file: str, line: int) -> Origin | None:
    """The commit that a line came with; None where the repository is not in git."""
    blame = _git(root, "blame", "--porcelain", "-L", f"{line},{line}", "--", file)
    if blame is None:
        return None if _git(root, "rev-parse", "--verify", "--quiet", "HEAD") is None else Origin(None)
    lines = blame.splitlines()
    facts = dict(part.partition(" ")[::2] for part in lines[1:] if not part.startswith("\t"))
    name = lines[0].split(" ", 1)[0] if lines else ""
    if not name.strip("0"):
        return Origin(None)
    return Origin(name, facts.get("author", ""), int(facts.get("author-time", "0")), facts.get("summary", ""))


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints; None where it refuses or cannot be run."""
    done = _run(root, *arguments)
    return None if done is None or done.returncode != 0 else done.stdout


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return git(root, "--literal-pathspecs", *arguments, timeout=_LONG)
    except (OSError, subprocess.TimeoutExpired):
        return None
