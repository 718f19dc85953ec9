"""The most common run finds nothing to do. It ends here, before YAML is even imported.

A fast path; its slow twin is `scheduler run` itself. The state keeps a digest of what was declared, and the
next instant at which anything can change. A run that finds the files unchanged, that instant not reached, the
state as this program wrote it and the environment as it was, knows the outcome: nothing to do, exit 0. In
every other case the full run starts. Only a run without warnings leaves the mark that is compared here.

tests/app/test_idle.py holds output and exit code equal to those of the full run; `make bench` measures the
gain. Only the standard library is imported here, and little of it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from scheduler import __version__
from scheduler.checkout import reading
from scheduler.errors import Error
from scheduler.reporting.nothing_to_do import NOTHING_JSON, NOTHING_TEXT
from scheduler.state.header import VERSION, checksum_holds, read_head
from scheduler.times import zone_release

if TYPE_CHECKING:
    from io import FileIO

_STATE = re.compile(rb"^state:[ \t]*([A-Za-z0-9][A-Za-z0-9._/-]*)[ \t]*(?:#.*)?$", re.MULTILINE)
_CHUNK = 1024 * 1024
"""Bytes that are read at once; the first line of a state is shorter."""
_MOMENT = 2
"""Seconds: no file system stores modification times more coarsely."""
_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|KEY)(_FILE)?$")


def surroundings_digest(root: str, state: str, environ: Mapping[str, str], tokens: Iterable[str]) -> str:
    """One digest of what else decides: program, zone data, switches, tokens, commit, archive.

    `state` is the path of the state below `root`; the archive is beside it. Of the variables in `tokens`,
    only whether they are set is included.
    """
    facts = [f"version={__version__}", f"zones={zone_release()}", f"commit={_head(root)}"]
    facts += [
        f"{name}={environ[name]}"
        for name in sorted(environ)
        if name in ("GITHUB_API_URL", "GITHUB_ACTIONS")
        or (name.startswith("SCHEDULER_") and not _SECRET.search(name))
    ]
    facts += [
        f"{name} {bool(environ.get(name, '').strip())} {environ.get(name + '_FILE', '')}"
        for name in sorted(tokens)
    ]
    whole = hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape"))
    for part in _archives(os.path.dirname(f"{root}/{state}") + "/archive"):
        whole.update(part)
    return whole.hexdigest()


def _head(root: str) -> str:
    """Branch and commit of an ordinary clone, read without starting git; '' where that is not possible."""
    folder = f"{reading.top_of(root) or ''}/.git"
    try:
        head = _text(f"{folder}/HEAD")
        if not head.startswith("ref: "):
            return head
        name = head[5:]
        try:
            return head + _text(f"{folder}/{name}")
        except OSError:
            packed = _text(f"{folder}/packed-refs").splitlines()
            return head + next((line for line in packed if line.endswith(f" {name}")), "")
    except OSError:
        return ""


def _text(path: str) -> str:
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace").strip()


def _archives(folder: str) -> list[bytes]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    parts = []
    for name in names:
        with open(f"{folder}/{name}", "rb") as file:
            parts += [name.encode("utf-8", "surrogateescape"), hashlib.sha256(file.read()).digest()]
    return parts


def nothing_to_do(root: str, environ: Mapping[str, str], now: int, *, lists_troubles: bool = False) -> bool:
    """Whether a plain `run` at `now` (epoch seconds) would find nothing to do and nothing to report.

    `lists_troubles`: it would also print what failed earlier, so there must be nothing of that kind either.
    """
    try:
        sources = reading.read_sources(root)
        if any(source.fault is not None for source in sources):
            return False
        settings = next((source.content for source in sources if source.kind == "scheduler"), b"")
        named = _STATE.findall(settings)
        if len(named) > 1:
            return False
        path = named[0].decode() if named else "state.json"
        with open(f"{root}/{path}", "rb", buffering=0) as file:
            text = file.read(_CHUNK)
            head = read_head(text)
            return (
                head is not None
                and head.version <= VERSION
                and head.idle is not None
                and head.declared is not None
                and now < _seconds(head.idle.get("until"))
                and not (lists_troubles and head.idle.get("troubled"))
                and head.declared.get("digest") == reading.digest(sources)
                and head.idle.get("surroundings")
                == surroundings_digest(root, path, environ, head.idle.get("tokens") or ())
                and _is_whole(file, text, f"{root}/{path}", now)
            )
    except (OSError, Error, ValueError):
        return False


def _is_whole(file: FileIO, text: bytes, path: str, now: int) -> bool:
    """Whether the state is as this program wrote it; `text` is its beginning.

    A file unchanged since its checksum was verified is not read again: for 50 MB that would be half of the
    run. The lock file beside it has the file's identity, including the nanosecond of its last change
    (ctime), which no program can set. A file that changed within the last moment is not noted, because it
    could change again within that moment. Before anything is sent, the whole file is read and verified.
    """
    facts = os.fstat(file.fileno())
    folder, name = os.path.split(path)
    lock = f"{folder}/.{name}.lock"
    verified = b"whole: %d %d %d %d %d\n" % (
        facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns,
    )  # fmt: skip
    if _content(lock) == verified:
        return True
    if not checksum_holds(text, _parts(file)):
        return False
    if now - facts.st_ctime > _MOMENT:
        _note(lock, verified)
    return True


def _content(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(1_000)
    except OSError:
        return b""


def _note(path: str, content: bytes) -> None:
    """Note what was verified, if the lock file exists and is writable."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        os.write(handle, content)
    except OSError:
        pass  # the next run verifies the whole file again
    finally:
        os.close(handle)


def _parts(file: FileIO) -> Iterator[memoryview]:
    """The rest of a file in parts that share one buffer: 50 MB at once cost 30 ms more."""
    memory = memoryview(bytearray(_CHUNK))
    while count := file.readinto(memory):
        yield memory[:count]


def _seconds(text: object) -> int:
    from scheduler.times import read_utc

    return read_utc(text) if isinstance(text, str) else 0


def answer(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """What a plain `run` prints where there is nothing to do; None where the full run has to start."""
    if environ.get("GITHUB_ACTIONS") == "true" or environ.get("SCHEDULER_PAUSED"):
        return None
    root, form, rest = ".", "text", list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "-C" and rest:
            root = rest.pop(0)
        elif word == "run" and rest in ([], ["--format", "json"], ["--format", "text"]):
            form = rest[1] if rest else "text"
            from time import time  # noqa: TID251 - importing scheduler.clock takes longer

            if not nothing_to_do(root, environ, int(time()), lists_troubles=form == "json"):
                return None
            return NOTHING_JSON if form == "json" else NOTHING_TEXT
        else:
            return None
    return None
