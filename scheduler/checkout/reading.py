"""The repository on disk: its YAML files as bytes, and what git says of the commit. Effects: files, git.

Regular files are read and nothing else: a link, a pipe or a device in their place is a fault with a name.
Every idle run imports this module, so it imports almost nothing itself.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, SUFFIXES, Kind, Source
from scheduler.errors import Error, StateError

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

LARGEST = 1024 * 1024
"""Bytes of the largest file that is read; `desired.yaml_reader` refuses one byte more."""
FOLDERS: tuple[tuple[Kind, str], ...] = (("wave", "waves"), ("channel", "channels"))


def read_sources(root: Path | str) -> list[Source]:
    """Every declared file below `root`, in the order of their paths; none torn by a git that replaces them.

    Raises Error where `root` holds neither waves nor channels.
    """
    top = os.fspath(root)
    mark, failure = git_mark(top), None
    try:
        sources = read_once(top)
    except Error as problem:
        sources, failure = [], problem
    if mark == BUSY or git_mark(top) != mark:
        from scheduler.checkout.replaced import read_replaced

        return read_replaced(top)
    if failure is not None:
        raise failure
    return sources


def read_once(top: str) -> list[Source]:
    """What is on the disk now. Raises Error where there are neither waves nor channels."""
    kept_off = _kept_off_disk(top)
    declares = {source.kind for source in kept_off} & {"wave", "channel"}
    if not declares and not any(os.path.isdir(f"{top}/{folder}") for _, folder in FOLDERS):  # noqa: PTH112
        hint = "go to the repository's top folder, or name it with -C"
        for name in sorted(os.listdir(top)) if os.path.isdir(top) else ():  # noqa: PTH112, PTH208
            if (meant := f"{name.lower().removesuffix('s')}s") in ("waves", "channels"):
                hint = f"rename {name}/ to {meant}/"
        raise Error(f"{top} has neither a folder waves/ nor a folder channels/", hint=hint)
    sources: list[Source] = []
    for kind, folder in FOLDERS:
        if os.path.lexists(f"{top}/{folder}"):
            sources += _read_folder(kind, f"{top}/{folder}", folder)
    sources += (
        _read_file("scheduler", f"{top}/{name}", name)
        for name in (SETTINGS, SETTINGS_TOO)
        if os.path.lexists(f"{top}/{name}")
    )
    if kept_off:
        from scheduler.checkout.git_objects import place

        # by file: one that git has just put on the disk is there twice
        by_file = {source.file: source for source in [*kept_off, *sources]}
        sources = sorted(by_file.values(), key=lambda source: place(source.file))
    if [source.file for source in sources[-2:]] == [SETTINGS, SETTINGS_TOO]:
        fault = f"both {SETTINGS} and {SETTINGS_TOO} exist: keep one of them"
        return [*sources[:-2], Source("scheduler", SETTINGS_TOO, fault=fault)]
    return sources


def _kept_off_disk(top: str) -> list[Source]:
    """What a sparse checkout keeps off the disk (`sparse.read_kept_off`).

    A fast path: almost no clone has anything of this kind, and starting git takes longer than an idle run. An
    index of version 2 cannot mark a file as kept off, unless it shares entries with another file.
    tests/checkout/test_sparse.py holds it equal to asking git each time.
    """
    if not _may_keep_off(top):
        return []
    from scheduler.checkout.sparse import read_kept_off

    return read_kept_off(top)


def _git_folder(top: str) -> str | None:
    """Where git keeps the index of the work tree; None outside of any. Raises OSError."""
    above = top_of(top)
    folder = f"{above}/.git"
    if above is not None and os.path.isfile(folder):  # noqa: PTH113 - a submodule or a linked work tree
        with open(folder, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            return os.path.join(above, file.readline().removeprefix("gitdir: ").rstrip("\n"))  # noqa: PTH118
    return None if above is None else folder


BUSY = (-1, -1)
"""The mark while git has the index locked."""
_STALE = 600
"""Seconds after which a lock is one that a killed git left behind."""


def git_mark(top: str) -> tuple[int, int]:
    """What differs once git has replaced files: its index is locked before that, and a new one after it.

    Never `BUSY` in a hook: there git itself waits for this program.
    """
    try:
        folder = None if "GIT_INDEX_FILE" in os.environ else _git_folder(top)
        if folder is None:
            return (0, 0)
        if os.path.lexists(f"{folder}/index.lock"):
            from time import time  # noqa: TID251 - importing scheduler.clock takes longer

            if time() - os.lstat(f"{folder}/index.lock").st_mtime < _STALE:
                return BUSY
        facts = os.stat(f"{folder}/index")  # noqa: PTH116 - no pathlib here
    except OSError:
        return (0, 0)
    return facts.st_ino, facts.st_mtime_ns


def _may_keep_off(top: str) -> bool:
    try:
        folder = _git_folder(top)
        if folder is None:
            return False
        with open(f"{folder}/index", "rb", buffering=0) as file:  # noqa: PTH123
            beginning = file.read(8)
        is_shared = any(name.startswith("sharedindex.") for name in os.listdir(folder))  # noqa: PTH208
    except FileNotFoundError:
        return False
    except OSError:
        return True  # git says why it cannot be read
    return is_shared or beginning[4:] != b"\0\0\0\2"


def _read_folder(kind: Kind, path: str, name: str) -> Iterator[Source]:
    """The YAML files of one folder and those below it. A folder behind a link is a fault."""
    if undecodable := undecodable_part(f"{name}/"):
        yield undecodable_folder(kind, undecodable)
        return
    if os.path.islink(path):  # noqa: PTH114 - no pathlib here
        yield Source(kind=kind, file=name, fault=f"{name} is a symbolic link, and links are not followed")
        return
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as problem:
        yield Source(kind=kind, file=name, fault=f"{name} cannot be read: {problem.strerror}")
        return
    try:
        is_submodule = any(entry.name == ".git" for entry in entries) or _is_unfetched(path, name, entries)
    except StateError as problem:  # what a submodule declares must not look withdrawn
        yield Source(
            kind=kind, file=name, fault=f"{name} is empty, and may be a submodule: {problem.message}"
        )
        return
    if is_submodule:
        yield Source(kind=kind, file=name, fault=f"{name} is a submodule, and submodules are not read")
        return
    for entry in entries:
        below = f"{name}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _read_folder(kind, entry.path, below)
        elif entry.name.endswith(SUFFIXES):
            yield _read_file(kind, entry.path, below)
        elif entry.is_symlink() and entry.is_dir():
            yield Source(
                kind=kind, file=below, fault=f"{below} is a symbolic link, and links are not followed"
            )


def undecodable_part(name: str) -> str | None:
    """The first folder of a path whose name is not UTF-8; a file's name is its id, and checked as that."""
    parts = name.split("/")
    for length in range(1, len(parts)):
        if any("\udc80" <= character <= "\udcff" for character in parts[length - 1]):
            return "/".join(parts[:length])
    return None


def undecodable_folder(kind: Kind, name: str) -> Source:
    """A folder whose name no output can hold: what is in it is not read."""
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    return Source(kind=kind, file=shown, fault=f"the name of the folder {shown} is not UTF-8")


def _is_unfetched(path: str, name: str, entries: Sequence[os.DirEntry[str]]) -> bool:
    """Whether a folder is empty since it is a submodule that nobody fetched: git keeps no empty folders.

    Raises StateError where git cannot say.
    """
    if entries or "/" not in name:
        return False
    parent, folder = os.path.split(path)
    answer = ask_git(parent, "ls-files", "--stage", "--", folder)
    return answer is not None and answer.startswith("160000 ")


def _read_file(kind: Kind, path: str, name: str) -> Source:
    """One file's bytes, up to one more than may be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        link = os.path.islink(path)  # noqa: PTH114 - no pathlib here
        words = (
            "is a symbolic link, and links are not followed"
            if link
            else f"cannot be read: {problem.strerror}"
        )
        return Source(kind=kind, file=name, fault=f"{name} {words}")
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            return Source(kind=kind, file=name, fault=f"{name} is not a regular file")
        size = min(facts.st_size, LARGEST) + 1  # of memory: room for the largest would take twice the time
        content = os.read(handle, size)
        while len(content) <= LARGEST and (more := os.read(handle, size)):
            content += more
        return Source(kind=kind, file=name, content=content)
    except OSError as problem:
        return Source(kind=kind, file=name, fault=f"{name} cannot be read: {problem.strerror}")
    finally:
        os.close(handle)


def digest(sources: Sequence[Source]) -> str:
    """One digest of everything that is declared: names, kinds and bytes."""
    whole = hashlib.sha256()
    for source in sources:
        for part in (source.kind.encode(), source.file.encode("utf-8", "surrogateescape"), source.content):
            whole.update(len(part).to_bytes(8, "big"))
            whole.update(part)
        whole.update((source.fault or "").encode("utf-8", "replace") + b"\0")
    return whole.hexdigest()


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever a file is written anew; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


# --- git ------------------------------------------------------------------------------------------------

FROM_A_HOOK = frozenset(
    {
        "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
        "GIT_NAMESPACE", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH",
    }
)  # fmt: skip
"""What git tells its hooks: with it, git would look into their repository whatever folder is named."""


def environment_for_git() -> dict[str, str]:
    """This process's environment for a quiet git that trusts SSL_CERT_FILE, as all else does."""
    kept = {name: value for name, value in os.environ.items() if name not in FROM_A_HOOK}
    if kept.get("SSL_CERT_FILE"):
        kept.setdefault("GIT_SSL_CAINFO", kept["SSL_CERT_FILE"])
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}


def git(root: Path | str, *arguments: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Run git in `root`, quietly and without prompts. Raises OSError where there is no git."""
    import subprocess  # late: an idle run does without

    environment = environment_for_git() | {"GIT_OPTIONAL_LOCKS": "0"}
    return subprocess.run(  # noqa: S603 - a fixed program, arguments never from a shell
        ["git", "-C", str(root), *arguments],  # noqa: S607 - the operator's git
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        timeout=timeout,
        check=False,
    )


def ask_git(root: Path | str, *arguments: str) -> str | None:
    """What git prints; None where it answers "no" (exit code 1) and outside of any repository.

    Raises StateError where git cannot say: it is missing, it does not trust the owner of the folder, its
    files are damaged, or it does not answer in time.
    """
    import subprocess  # late: an idle run does without

    try:
        answer = git(root, *arguments)
    except OSError as problem:
        if top_of(root) is None:
            return None
        words = problem.strerror or str(problem)
    except subprocess.TimeoutExpired:
        words = "no answer within the time limit"
    else:
        if answer.returncode in (0, 1):
            return answer.stdout if answer.returncode == 0 else None
        if "not a git repository (or any" in answer.stderr:
            return None
        words = answer.stderr
    from scheduler.checkout.git import Output, hint_for, scrubbed

    words = Output(1, b"", scrubbed(words)).words
    raise StateError(f"git {arguments[0]} failed in {root}: {words}", hint=hint_for(words))


def top_of(root: Path | str) -> str | None:
    """The nearest folder at or above `root` that holds a `.git`, found without git; None if there is none."""
    folder = os.path.abspath(root)  # noqa: PTH100 - no pathlib here
    while not os.path.lexists(f"{folder}/.git"):
        parent = os.path.dirname(folder)  # noqa: PTH120 - no pathlib here
        if parent == folder:
            return None
        folder = parent
    return folder


def folder_below_top(root: Path | str, workspace: str = "") -> str:
    """Where `root` is below the top of its git repository, with forward slashes; "" for the top itself.

    Without a repository, where it is below `workspace`: GitHub's own checkout action leaves no `.git` where
    it finds no git.
    """
    top = top_of(root) or workspace
    if not top:
        return ""
    below = os.path.relpath(os.path.realpath(root), os.path.realpath(top))
    return "" if below == "." or below.startswith("..") else below.replace(os.sep, "/")


def branch_of(root: Path) -> str | None:
    """The branch of the work tree; None where it is detached, and outside of any repository.

    Raises StateError where git cannot say, as `ask_git`.
    """
    branch = ask_git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    return None if branch is None else branch.strip()


def head_commit(root: Path) -> str | None:
    """The commit of the work tree; None where there is no repository or no commit.

    Raises StateError where git cannot say, as `ask_git`.
    """
    commit = ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    return None if commit is None else commit.strip()
