"""What a sparse checkout (`skip-worktree`) keeps off the disk, read from the index's blobs. Effects: git.

Such a file is declared although the work tree does not have it: taken for removed, it would be cancelled.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scheduler.checkout.git import LOCAL, OFFLINE, Git
from scheduler.checkout.git_objects import (
    FOLDER,
    GitEntry,
    asked_for,
    contents_of,
    has_text,
    kind_of,
    source_of,
)
from scheduler.checkout.reading import FOLDERS
from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, Source
from scheduler.errors import StateError


def read_kept_off(root: str) -> list[Source]:
    """The declared files that the index has and the disk has not, on purpose; in git's order.

    One whose blob cannot be had is a fault. Raises StateError where git cannot list them.
    """
    git = Git(Path(root), LOCAL)
    folders = [folder for _, folder in FOLDERS]
    try:
        listed = git.demand("ls-files", "-z", "-s", "-t", "--", *folders, SETTINGS, SETTINGS_TOO)
    except StateError as problem:
        message = f"cannot tell which files a sparse checkout keeps off the disk: {problem.message}"
        raise StateError(message, hint=problem.hint) from None
    found = [_entry(line) for line in listed.split(b"\0") if line.startswith(b"S ")]
    entries = [entry for entry in found if not os.path.lexists(f"{root}/{entry.file}")]
    if not entries:
        return []
    contents, words = _contents(git, entries)
    sources: list[Source | None] = []
    for entry in entries:
        name = entry.file.rstrip("/")
        if entry.mode == FOLDER or (has_text(entry) and entry.blob not in contents):
            fault = f"{name} is not on the disk (sparse checkout), and git cannot read it: {words}"
            sources.append(Source(kind=kind_of(name), file=name, fault=fault))
        else:
            sources.append(source_of(git, "HEAD", entry, contents.get(entry.blob, b"")))
    return list(dict.fromkeys(source for source in sources if source is not None))


def _entry(line: bytes) -> GitEntry:
    """`S 100644 <object> <stage>\\t<path>` taken apart; the path as the disk would give it."""
    facts, _, path = line.partition(b"\t")
    _, mode, blob, _ = facts.decode("ascii").split(" ")
    return GitEntry(mode, blob, os.fsdecode(path))


def _contents(git: Git, entries: Sequence[GitEntry]) -> tuple[dict[str, bytes], str]:
    """Object -> content, as far as they can be had; and git's words for the others.

    A partial clone would fetch what is missing over one connection an object; `_fetch` takes one for all.
    """
    wanted = asked_for(entries)
    output = git.run(*OFFLINE, "cat-file", "--batch", given=wanted)
    contents = contents_of(output.out)
    words = "the object is missing"
    if any(entry.blob not in contents for entry in entries if has_text(entry)):
        words = _fetch(git, wanted) or words
        contents = contents_of(git.run(*OFFLINE, "cat-file", "--batch", given=wanted).out)
    return dict(contents), words


def _fetch(git: Git, wanted: bytes) -> str | None:
    """Fetch objects into a partial clone, as git itself would; git's words where that fails."""
    remotes = git.ask("config", "--get-regexp", r"^remote\..*\.promisor$") or ""
    names = [line.rpartition(".promisor ")[0].removeprefix("remote.") for line in remotes.splitlines()]
    if not names:
        return None
    output = git.run(
        "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
        "--no-recurse-submodules", "--refmap=", "--filter=blob:none", "--stdin", "--", names[0],
        given=wanted, network=True,
    )  # fmt: skip
    return None if output.code == 0 else output.words
