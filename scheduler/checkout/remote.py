"""What is declared at the tip of a remote branch: for a run that stays, in a job of GitHub Actions.

The work tree there stays as it was checked out, so a cancel that is merged while the run waits can only be
seen on the remote. Its tip is fetched into a ref of its own; files are read from git's objects, and
neither the work tree nor the index nor a branch of this clone is touched. Effects: git, network.

A tip that cannot be fetched stops nothing: the run continues with what was read last, and says so.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scheduler.checkout import reading
from scheduler.checkout.git import Git, hint_for
from scheduler.checkout.git_objects import GitEntry, place, sources_of
from scheduler.checkout.reading import FOLDERS
from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, Source
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.errors import Error, RunRefused, StateError

TIMEOUT = 15.0
"""Seconds that a fetch may take: what falls due must not wait long for it."""
OWN_REF = "refs/scheduler/declared"


def sources_at(root: Path, revision: str) -> list[Source]:
    """Every declared file as a commit of this clone has it, read as a work tree's would be.

    Raises Error where there is no such commit, StateError where there is no git.
    """
    return RemoteTip(root, revision).at(revision)


def remote_tips(root: Path, refs: Sequence[str], remote: str = "origin") -> bytes:
    """What a remote has at each of some refs, as one answer to compare. Raises StateError without one."""
    output = Git(root, TIMEOUT).run("ls-remote", "--quiet", "--", remote, *refs, network=True)
    if output.code != 0:
        raise StateError(f"the branches of {remote} cannot be read: {output.words}")
    return output.out


class RemoteTip:
    """The declared files of `ref` (`refs/heads/main`) on `remote`, as they are there now.

    `root` may be a folder inside of the clone. `remarks` is what there is to say about the last reading.
    """

    def __init__(self, root: Path, ref: str, remote: str = "origin", *, timeout: float = TIMEOUT) -> None:
        self._root = root
        self.ref = ref
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
            self.remarks.append(self._remark(problem.message))
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
            "--", self._remote, f"+{self.ref}:{OWN_REF}", network=True,
        )  # fmt: skip
        if output.code != 0:
            raise StateError(f"{self.ref} of {self._remote} cannot be fetched: {output.words}")
        return self._git.line("rev-parse", "--verify", f"{OWN_REF}^{{commit}}")

    def _read(self, commit: str) -> list[Source]:
        """The files of the tip. Raises StateError where git cannot give them, RunRefused as `read`."""
        entries = self._entries(commit)
        if not any(entry.file.startswith(tuple(f"{folder}/" for _, folder in FOLDERS)) for entry in entries):
            raise RunRefused(
                f"the commit {commit[:12]} of {self.ref} has neither a folder waves/ nor a folder channels/",
                hint="restore them on that branch",
            )
        return sources_of(self._git, commit, entries)

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
                f"this clone does not have the commit {revision!r}",
                hint="name a commit or a branch that this clone has, such as origin/main",
            )
        commit = found.out.decode("ascii").strip()
        return sources_of(self._git, commit, self._entries(commit))

    def _entries(self, commit: str) -> list[GitEntry]:
        """What a commit holds below our folders, in the order in which a work tree is read."""
        folders = [folder for _, folder in FOLDERS]
        listed = self._git.demand("ls-tree", "-r", "-z", commit, "--", *folders, SETTINGS, SETTINGS_TOO)
        return sorted(map(_entry, filter(None, listed.split(b"\0"))), key=lambda entry: place(entry.file))


def _entry(line: bytes) -> GitEntry:
    """`100644 blob <object>\\t<path>` taken apart; the path as the disk would give it."""
    facts, _, path = line.partition(b"\t")
    mode, _, blob = facts.decode("ascii").split(" ")
    return GitEntry(mode, blob, os.fsdecode(path))
