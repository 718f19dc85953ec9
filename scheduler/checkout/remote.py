"""What is declared at the tip of a remote branch: for a run that stays, in a job of GitHub Actions.

The work tree there stays as it was checked out, so a cancel that is merged while the run waits can only be
seen on the remote. Its tip is fetched into a ref of this room's own; files are read from git's objects, and
neither the work tree nor the index nor a branch of this clone is touched. Effects: git, network.

A tip that cannot be fetched stops nothing: the run continues with what was read last, and says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from scheduler.checkout import reading
from scheduler.checkout.git import Git, hint_for
from scheduler.checkout.reading import FOLDERS, LARGEST
from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, SUFFIXES, Kind, Source
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.errors import Error, RunRefused, StateError

TIMEOUT = 15.0
"""Seconds that a fetch may take: what falls due must not wait long for it."""
OWN_REF = "refs/scheduler/declared"
LINK, SUBMODULE = "120000", "160000"

_Entry = tuple[str, str, str]
"""Mode, object and path below the root, as git lists them."""


def sources_at(root: Path, revision: str) -> list[Source]:
    """Every declared file as a commit of this clone has it, read as a work tree's would be.

    Raises Error where there is no such commit, StateError where there is no git.
    """
    return RemoteTip(root, revision).at(revision)


class RemoteTip:
    """The declared files of `ref` (`refs/heads/main`) on `remote`, as they are there now.

    `root` may be a folder inside of the clone. `remarks` is what there is to say about the last reading.
    """

    def __init__(self, root: Path, ref: str, remote: str = "origin", *, timeout: float = TIMEOUT) -> None:
        self._root = root
        self._ref = ref
        self._remote = remote
        self._git = Git(root, timeout)
        self._tip: str | None = None
        self._sources: list[Source] | None = None
        self.remarks: list[Diagnostic] = []

    def read(self) -> list[Source]:
        """Every declared file, in the order and with the faults of a work tree's.

        Where the tip cannot be had: what was read last, or the work tree, and a remark. Raises
        RunRefused where there is neither a folder waves/ nor a folder channels/.
        """
        self.remarks = []
        try:
            tip = self._fetch()
            if tip != self._tip:
                self._sources, self._tip = self._read(tip), tip
        except StateError as problem:
            self.remarks.append(self._remark(str(problem)))
        return reading.read_sources(self._root) if self._sources is None else self._sources

    def commit(self) -> str | None:
        """The commit of what was read last."""
        return reading.head_commit(self._root) if self._tip is None else self._tip

    def _remark(self, words: str) -> Diagnostic:
        last = "the work tree" if self._tip is None else f"the commit {self._tip[:12]}, which was read last"
        return warning(
            "unreachable",
            Location.whole("."),
            f"{words}; this run continues with {last}",
            "what was merged since is not seen: to stop something now, cancel the run",
        )

    def _fetch(self) -> str:
        """The tip's commit. Raises StateError with git's words where it cannot be had."""
        output = self._git.run(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=",
            "--", self._remote, f"+{self._ref}:{OWN_REF}", network=True,
        )  # fmt: skip
        if output.code != 0:
            raise StateError(f"{self._ref} of {self._remote} cannot be fetched: {output.words}")
        return self._git.line("rev-parse", "--verify", f"{OWN_REF}^{{commit}}")

    def _read(self, commit: str) -> list[Source]:
        """The files of the tip. Raises StateError where git cannot give them, RunRefused as `read`."""
        entries = self._entries(commit)
        if not any(name.startswith(tuple(f"{folder}/" for _, folder in FOLDERS)) for _, _, name in entries):
            raise RunRefused(
                f"the commit {commit[:12]} of {self._ref} has neither a folder waves/ nor a folder channels/",
                hint="put them back on that branch",
            )
        return self._sources_of(commit, entries)

    def at(self, revision: str) -> list[Source]:
        """The files of any commit of this clone; none where it declares nothing yet.

        Raises Error where the clone has no such commit.
        """
        found = self._git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
        if found.code not in (0, 1):
            raise StateError(
                f"git cannot read the commit {revision!r}: {found.words}", hint=hint_for(found.words)
            )
        if found.code == 1:
            raise Error(
                f"git does not know the commit {revision!r} here",
                hint="name a commit or a branch that this clone has, such as origin/main",
            )
        commit = found.out.decode("ascii").strip()
        return self._sources_of(commit, self._entries(commit))

    def _entries(self, commit: str) -> list[_Entry]:
        """What a commit holds below our folders, in the order in which a work tree is read."""
        folders = [folder for _, folder in FOLDERS]
        listed = self._git.demand("ls-tree", "-r", "-z", commit, "--", *folders, SETTINGS, SETTINGS_TOO)
        return sorted(map(_entry, filter(None, listed.split(b"\0"))), key=_place)

    def _sources_of(self, commit: str, entries: Sequence[_Entry]) -> list[Source]:
        contents = self._contents([blob for mode, blob, _ in entries if mode.startswith("100")])
        sources = (self._source(commit, mode, name, contents.get(blob, b"")) for mode, blob, name in entries)
        # Each once: a folder in the place of scheduler.yaml is listed file by file.
        return list(dict.fromkeys(source for source in sources if source is not None))

    def _source(self, commit: str, mode: str, name: str, content: bytes) -> Source | None:
        """A file as the work tree's reader would return it; None for what is not declared at all."""
        kind = _kind(name)
        is_ours = name.endswith(SUFFIXES) or name in (SETTINGS, SETTINGS_TOO)
        if mode == SUBMODULE:
            return Source(kind=kind, file=name, fault=f"{name} is a submodule, and submodules are not read")
        if mode == LINK:
            if is_ours or "/" not in name or self._leads_to_folder(commit, name):
                return Source(
                    kind=kind, file=name, fault=f"{name} is a symbolic link, and links are not followed"
                )
            return None
        if name.startswith(f"{SETTINGS}/"):
            return Source(kind=kind, file=SETTINGS, fault=f"{SETTINGS} is not a regular file")
        if not is_ours and "/" not in name:
            return Source(kind=kind, file=name, fault=f"{name} cannot be read: Not a directory")
        return Source(kind=kind, file=name, content=content[: LARGEST + 1]) if is_ours else None

    def _leads_to_folder(self, commit: str, name: str) -> bool:
        """Whether a link points to a folder; one that leads out of the repository may."""
        if "\n" in name:
            return True
        asked = f"{commit}:./{name}\n".encode("utf-8", "surrogateescape")
        answer = self._git.demand("cat-file", "--batch-check", "--follow-symlinks", given=asked)
        words = answer.split(b"\n", 1)[0].split(b" ")
        return words[0] == b"symlink" or words[1:2] == [b"tree"]

    def _contents(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """The bytes of blobs, in one call of git. Raises StateError."""
        unique = list(dict.fromkeys(blobs))
        output = self._git.demand(
            "cat-file", "--batch", given="".join(f"{blob}\n" for blob in unique).encode()
        )
        return dict(zip(unique, _batch(output), strict=True))


def _batch(output: bytes) -> Iterator[bytes]:
    """The contents that `git cat-file --batch` gave. Raises StateError where one is missing."""
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        facts = output[at:end].split(b" ")
        if len(facts) != 3:
            raise StateError(
                f"git does not have an object of the tip: {output[at:end].decode('ascii', 'replace')}"
            )
        begin, size = end + 1, int(facts[2])
        yield output[begin : begin + size]
        at = begin + size + 1


def _entry(line: bytes) -> _Entry:
    """`100644 blob <object>\\t<path>` taken apart; the path as the disk would give it."""
    facts, _, path = line.partition(b"\t")
    mode, _, blob = facts.decode("ascii").split(" ")
    return mode, blob, os.fsdecode(path)


def _kind(name: str) -> Kind:
    return next((kind for kind, folder in FOLDERS if name.split("/", 1)[0] == folder), "scheduler")


def _place(entry: _Entry) -> tuple[int, list[str]]:
    """The order in which a work tree is read, so that the same files have the same digest."""
    kinds = [kind for kind, _ in FOLDERS]
    kind = _kind(entry[2])
    return (kinds.index(kind) if kind in kinds else len(kinds)), entry[2].split("/")
