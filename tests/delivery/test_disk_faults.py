"""Disks that are full, read-only or broken: the old state stays, nothing is sent that is not recorded.

The commands are processes of their own. A small file system is mounted where the machine allows that; where
it does not, the same errors are given to the process from inside (`meddling/`), so that nothing is skipped.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from due import DUE, after, at, posts
from git_repository import git
from github_stand_in import GitHub
from meddling import on_a_faulty_machine
from miniature import Miniature
from state_branch import put_on_a_branch

ALPHA = "spring/teaser/alpha"
WAVE = """
    schedules:
      - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha] }
    """
NEW, LOCK = ".state.json.new", ".state.json.lock"


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """One schedule that is due, with the state in a file."""
    at(github, 0)
    return live.write({"waves/spring.yaml": WAVE})


# --- one fault at each call -------------------------------------------------------------------------

SAVING = {
    "a full disk": (f"write:ENOSPC:{NEW}", "No space left on device", "free some disk space"),
    "a full quota": (f"write:EDQUOT:{NEW}", "Disk quota exceeded", "free some of the quota"),
    "a write that fails": (f"write:EIO:{NEW}", "Input/output error", None),
    "a disk that does not confirm": (f"fsync:EIO:{NEW}", "Input/output error", None),
    "a rename that fails": (f"rename:EIO:{NEW}", "Input/output error", None),
    "a read-only file system": (f"open:EROFS:{NEW}", "Read-only file system", "remount it"),
    "a read-only lock": (f"open:EROFS:{LOCK}", "Read-only file system", "remount it"),
    "a folder of somebody else": (f"open:EACCES:{NEW}", "Permission denied", "give this user write access"),
}


@pytest.mark.parametrize("what", SAVING)
def test_an_intent_that_cannot_be_saved_leaves_the_old_state_and_sends_nothing(
    spring: Miniature, github: GitHub, what: str
) -> None:
    disk, words, hint = SAVING[what]
    before = (spring.root / "state.json").read_bytes()
    outcome = on_a_faulty_machine(spring, "--now", DUE, "run", disk=disk)
    assert outcome.code == 3, outcome
    assert f"state.json cannot be written: {words}" in outcome.err
    assert "hint: nothing was sent" in outcome.err
    assert hint is None or hint in outcome.err
    assert ((spring.root / "state.json").read_bytes(), posts(github)) == (before, 0)
    assert not (spring.root / NEW).exists()
    assert spring.json("run", now=at(github, 60)).results == {ALPHA: "completed"}


def test_an_intent_that_the_disk_does_not_confirm_is_not_sent_either(
    spring: Miniature, github: GitHub
) -> None:
    outcome = on_a_faulty_machine(spring, "--now", DUE, "run", disk=f"fsync:EIO:{spring.root.name}")
    assert (outcome.code, posts(github)) == (3, 0)
    assert "was written, but the disk did not confirm it" in outcome.err
    assert spring.statuses == {ALPHA: "executing"}  # it may be on the disk: whether it left is looked up


def test_an_answer_that_cannot_be_saved_is_told_as_sent_and_looked_up(
    spring: Miniature, github: GitHub
) -> None:
    outcome = on_a_faulty_machine(spring, "--now", DUE, "run", disk=f"write:ENOSPC:{NEW}:2")
    assert (outcome.code, posts(github)) == (3, 1)
    assert f"the answers for {ALPHA} are not recorded" in outcome.err
    assert "these were sent; the next run looks them up" in outcome.err
    assert spring.statuses == {ALPHA: "executing"}
    assert spring.json("run", now=at(github, 150)).results == {ALPHA: "completed"}
    assert posts(github) == 1


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
@pytest.mark.parametrize("save", [1, 2])
def test_killed_inside_of_a_call_the_state_is_the_old_one_or_the_new_one(
    spring: Miniature, github: GitHub, call: str, save: int
) -> None:
    before = (spring.root / "state.json").read_bytes()
    outcome = on_a_faulty_machine(spring, "--now", DUE, "run", disk=f"{call}:KILL:{NEW}:{save}")
    assert outcome.code == -9
    assert spring.run("state", "verify").code == 0
    assert posts(github) == save - 1
    if save == 1:
        assert (spring.root / "state.json").read_bytes() == before
    spring.json("run", now=at(github, 150))
    assert (spring.statuses, posts(github)) == ({ALPHA: "completed"}, 1)


# --- a file system of its own -----------------------------------------------------------------------


class Disk:
    """A folder whose file system can be full or read-only; `orders` are for machines that mount nothing."""

    def __init__(self, folder: Path, is_mounted: bool) -> None:
        self.folder, self.is_mounted = folder, is_mounted
        self.orders: str | None = None

    def fill(self) -> None:
        if not self.is_mounted:
            self.orders = f"write:ENOSPC:{NEW}"
            return
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                return

    def empty(self) -> None:
        self.orders = None
        (self.folder / "filler").unlink(missing_ok=True)

    def protect(self, protected: bool) -> None:
        if self.is_mounted:
            mode = "ro" if protected else "rw"
            subprocess.run(["mount", "-o", f"remount,{mode}", str(self.folder)], check=True)
        else:
            self.orders = f"open:EROFS:{LOCK}" if protected else None


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield Disk(folder, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def on_a_disk(spring: Miniature, disk: Disk) -> Miniature:
    """The same with the state on that disk."""
    spring.write({"scheduler.yaml": "state: disk/state.json\n"})
    assert spring.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    return spring


def test_a_disk_that_is_full_sends_nothing_until_there_is_room(
    on_a_disk: Miniature, disk: Disk, github: GitHub
) -> None:
    before = (disk.folder / "state.json").read_bytes()
    disk.fill()
    full = on_a_faulty_machine(on_a_disk, "--now", DUE, "run", disk=disk.orders)
    assert (full.code, posts(github)) == (3, 0)
    assert "No space left on device" in full.err
    assert (disk.folder / "state.json").read_bytes() == before
    disk.empty()
    assert on_a_faulty_machine(on_a_disk, "--now", after(60), "run").code == 0
    assert posts(github) == 1


def test_a_disk_that_became_read_only_sends_nothing_until_it_is_writable(
    on_a_disk: Miniature, disk: Disk, github: GitHub
) -> None:
    before = (disk.folder / "state.json").read_bytes()
    disk.protect(True)
    protected = on_a_faulty_machine(on_a_disk, "--now", DUE, "run", disk=disk.orders)
    disk.protect(False)
    assert (protected.code, posts(github)) == (3, 0)
    assert "Read-only file system" in protected.err
    assert (disk.folder / "state.json").read_bytes() == before
    assert on_a_faulty_machine(on_a_disk, "--now", after(60), "run").code == 0
    assert posts(github) == 1


def test_with_too_few_open_files_what_could_not_leave_leaves_later(live: Miniature, github: GitHub) -> None:
    at(github, 0)
    names = [f"c{number:02}" for number in range(40)]
    for name in names:
        github.repository(f"acme/{name}")
    live.channels(*names).write({"waves/spring.yaml": WAVE.replace("[alpha]", f"[{', '.join(names)}]")})
    github.latency = 0.3  # so that connections are open at one time
    few = on_a_faulty_machine(live, "--now", DUE, "run", files=20)
    assert few.code == 0
    assert "nothing was sent: too many open files" in few.out
    assert on_a_faulty_machine(live, "--now", after(120), "run").code == 0
    assert set(live.statuses.values()) == {"completed"}
    assert posts(github) == len(names)


# --- git on a full disk -----------------------------------------------------------------------------


@pytest.fixture
def on_a_branch(spring: Miniature) -> Miniature:
    """The same with the state on a branch of a remote beside it."""
    put_on_a_branch(spring)
    assert spring.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    return spring


FULL = """#!/bin/sh
case "$*" in *{on}*) echo 'fatal: write error: No space left on device' >&2; exit 128;; esac
exec {git} "$@"
"""


@pytest.mark.parametrize("on", ["hash-object", "mktree", "commit-tree"])
def test_a_clone_on_a_full_disk_sends_nothing(on_a_branch: Miniature, github: GitHub, on: str) -> None:
    true_git = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    stand_in = on_a_branch.root / "bin/git"
    on_a_branch.write({"bin/git": FULL.format(on=on, git=true_git)})
    stand_in.chmod(0o755)
    before = git(on_a_branch.root / "origin.git", "rev-parse", "scheduler-state")
    path = f"{stand_in.parent}:{on_a_branch.environ['PATH']}"
    outcome = on_a_branch.run("run", now=DUE, PATH=path)
    assert (outcome.code, posts(github)) == (3, 0)
    assert f"git {on} failed: fatal: write error: No space left on device" in outcome.err
    assert git(on_a_branch.root / "origin.git", "rev-parse", "scheduler-state") == before
    assert on_a_branch.json("run", now=at(github, 60)).results == {ALPHA: "completed"}


def test_a_remote_on_a_full_disk_sends_nothing(on_a_branch: Miniature, disk: Disk, github: GitHub) -> None:
    remote = disk.folder / "origin.git"
    shutil.move(on_a_branch.root / "origin.git", remote)
    git(on_a_branch.root, "remote", "set-url", "origin", str(remote))
    before = git(remote, "rev-parse", "scheduler-state")
    disk.fill()
    if not disk.is_mounted:
        git(remote, "config", "receive.maxInputSize", "1")  # it takes no object, as if none had room
    outcome = on_a_branch.run("run", now=DUE)
    assert (outcome.code, posts(github)) == (3, 0), outcome
    assert "nothing was sent" in outcome.err
    assert not disk.is_mounted or "No space left on device" in outcome.err
    assert git(remote, "rev-parse", "scheduler-state") == before
    disk.empty()
    git(remote, "config", "receive.maxInputSize", "0")
    assert on_a_branch.json("run", now=at(github, 60)).results == {ALPHA: "completed"}


def test_a_state_on_a_full_disk_can_still_be_read(on_a_disk: Miniature, disk: Disk, github: GitHub) -> None:
    disk.fill()
    for command in ("plan", "list", "validate"):
        outcome = on_a_faulty_machine(on_a_disk, "--now", DUE, command, disk=disk.orders)
        assert "Traceback" not in outcome.err
        assert outcome.code in (0, 1)  # the wave lies in the past by now: a proposal is told so
