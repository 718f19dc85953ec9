"""Declared files out of git's objects: of a commit, or of what the index keeps off the disk. Effects: git.

A file is read as the disk would give it, faults included, so that the same files have the same digest
wherever they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scheduler.checkout.git import Git
from scheduler.checkout.reading import FOLDERS, LARGEST, undecodable_folder, undecodable_part
from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, SUFFIXES, Kind, Source
from scheduler.errors import StateError

LINK, SUBMODULE, FOLDER = "120000", "160000", "040000"


class GitEntry(NamedTuple):
    """A path as git lists it."""

    mode: str
    blob: str
    """The id of its object."""
    file: str
    """Its path below the scheduler's folder, as the disk would give it."""


def sources_of(git: Git, commit: str, entries: Sequence[GitEntry]) -> list[Source]:
    """The declared files among the entries of a commit. Raises StateError where git cannot give one."""
    contents = contents_of(git.demand("cat-file", "--batch", given=asked_for(entries)))
    missing = next((entry for entry in entries if has_text(entry) and entry.blob not in contents), None)
    if missing is not None:
        raise StateError(f"git does not have an object of the tip: {missing.blob} ({missing.file})")
    sources = (source_of(git, commit, entry, contents.get(entry.blob, b"")) for entry in entries)
    # Each once: a folder in the place of scheduler.yaml is listed file by file.
    return list(dict.fromkeys(source for source in sources if source is not None))


def has_text(entry: GitEntry) -> bool:
    """Whether it is a file whose content counts: a regular one, executable or not, with a name of ours."""
    return entry.mode.startswith("100") and _is_ours(entry.file)


def _is_ours(name: str) -> bool:
    return name.endswith(SUFFIXES) or name in (SETTINGS, SETTINGS_TOO)


def asked_for(entries: Sequence[GitEntry]) -> bytes:
    """The objects of the files that have a text, each once: the input of `git cat-file --batch`."""
    return "".join(f"{blob}\n" for blob in dict.fromkeys(e.blob for e in entries if has_text(e))).encode()


def contents_of(output: bytes) -> Mapping[str, bytes]:
    """Object -> content, as `git cat-file --batch` gave them; without those that git does not have.

    Where git ended early, the output may be cut: an object without its end is left out, too.
    """
    found: dict[str, bytes] = {}
    at = 0
    while (end := output.find(b"\n", at)) >= 0:
        facts = output[at:end].split(b" ")
        at = end + 1
        if len(facts) == 3:
            size = int(facts[2])
            if at + size >= len(output):
                break
            found[facts[0].decode("ascii")] = output[at : at + size]
            at += size + 1
    return found


def source_of(git: Git, commit: str, entry: GitEntry, content: bytes) -> Source | None:
    """A file as the work tree's reader would return it; None for what is not declared at all."""
    name, kind = entry.file, kind_of(entry.file)
    if undecodable := undecodable_part(name):
        return undecodable_folder(kind, undecodable)
    is_ours = _is_ours(name)
    if entry.mode == SUBMODULE:
        return Source(kind=kind, file=name, fault=f"{name} is a submodule, and submodules are not read")
    if entry.mode == LINK:
        if is_ours or "/" not in name or _leads_to_folder(git, commit, name):
            return Source(
                kind=kind, file=name, fault=f"{name} is a symbolic link, and links are not followed"
            )
        return None
    if name.startswith(f"{SETTINGS}/"):
        return Source(kind=kind, file=SETTINGS, fault=f"{SETTINGS} is not a regular file")
    if not is_ours and "/" not in name:
        return Source(kind=kind, file=name, fault=f"{name} cannot be read: Not a directory")
    return Source(kind=kind, file=name, content=content[: LARGEST + 1]) if is_ours else None


def _leads_to_folder(git: Git, commit: str, name: str) -> bool:
    """Whether a link points to a folder; one that leads out of the repository may, as may one that the commit
    does not have."""
    if "\n" in name:
        return True
    asked = f"{commit}:./{name}\n".encode("utf-8", "surrogateescape")
    answer = git.demand("cat-file", "--batch-check", "--follow-symlinks", given=asked)
    words = answer.split(b"\n", 1)[0].split(b" ")
    return words[0] == b"symlink" or words[1:2] == [b"tree"] or words[-1] == b"missing"


def kind_of(name: str) -> Kind:
    """What a path below the scheduler's folder declares."""
    return next((kind for kind, folder in FOLDERS if name.split("/", 1)[0] == folder), "scheduler")


def place(name: str) -> tuple[int, list[str]]:
    """The order in which a work tree is read, so that the same files have the same digest."""
    kinds = [kind for kind, _ in FOLDERS]
    kind = kind_of(name)
    return (kinds.index(kind) if kind in kinds else len(kinds)), name.split("/")
