"""The state in a file: old or new and never mixed, one winner a race, and told in words what went wrong."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from store_writer import added, record

from scheduler.errors import LostRace, StateError, StateMissing
from scheduler.failpoints import FAILPOINTS
from scheduler.state.codec import decode, encode
from scheduler.state.record import Idle, State
from scheduler.state.stores import open_store
from scheduler.state.stores.file import FileStore
from scheduler.state.stores.git_branch import GitBranchStore

ROOT = Path(__file__).parents[2]
WRITER = [sys.executable, str(ROOT / "tests/support/store_writer.py")]
FIRST = State(version=2, lineage="5b0d4c5e", serial=1, schedules={"spring/teaser/alpha": record()})
FILE_FAILPOINTS = [name for name in FAILPOINTS if name.startswith("file-")]


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)} | more


@pytest.fixture
def path(tmp_path: Path) -> Path:
    FileStore(tmp_path / "state.json", "state.json").create(FIRST)
    return tmp_path / "state.json"


@pytest.fixture
def store(path: Path) -> FileStore:
    return FileStore(path, "state.json")


def files(folder: Path) -> set[str]:
    return {str(found.relative_to(folder)) for found in folder.rglob("*") if found.is_file()}


# --- which store ----------------------------------------------------------------------------------


def test_a_setting_names_a_file_below_the_root_or_a_branch(tmp_path: Path) -> None:
    file, branch = open_store(tmp_path, "kept/state.json"), open_store(tmp_path, "branch:scheduler-state")
    assert isinstance(file, FileStore)
    assert file.name == "kept/state.json"
    assert isinstance(branch, GitBranchStore)
    assert branch.name == "branch scheduler-state"


# --- saving ---------------------------------------------------------------------------------------


def test_what_was_saved_is_loaded(store: FileStore) -> None:
    second = added(FIRST, "beta")
    saved = store.save(second, store.load(), "Record beta")
    assert saved == store.load()
    assert saved.state == second


def test_a_saved_snapshot_is_good_for_the_next_save(store: FileStore) -> None:
    snapshot = store.load()
    for number in range(3):
        snapshot = store.save(added(snapshot.state, f"c{number}"), snapshot, "again")
    assert store.load().state.serial == 4


def test_of_two_that_read_the_same_version_the_second_loses(store: FileStore, path: Path) -> None:
    mine = theirs = store.load()
    store.save(added(FIRST, "beta"), theirs, "theirs")
    before = path.read_bytes()
    with pytest.raises(LostRace):
        store.save(added(FIRST, "gamma"), mine, "mine")
    assert path.read_bytes() == before


def test_an_edit_by_hand_since_the_reading_is_a_lost_race(store: FileStore, path: Path) -> None:
    snapshot = store.load()
    path.write_bytes(path.read_bytes().replace(b"teaser-4k", b"teaser-8k"))
    with pytest.raises(LostRace):
        store.save(added(FIRST, "beta"), snapshot, "mine")
    assert b"teaser-8k" in path.read_bytes()


def test_a_state_that_was_deleted_since_the_reading_is_not_written_anew(store: FileStore, path: Path) -> None:
    snapshot = store.load()
    path.unlink()
    with pytest.raises(LostRace):
        store.save(added(FIRST, "beta"), snapshot, "mine")
    assert not path.exists()


def test_an_unchanged_state_is_not_written_again(store: FileStore, path: Path) -> None:
    before = path.stat()
    snapshot = store.load()
    assert store.save(msgspec.structs.replace(FIRST), snapshot, "nothing") == snapshot
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_bookkeeping_on_the_first_line_needs_no_new_serial(store: FileStore) -> None:
    idle = msgspec.structs.replace(FIRST, idle=Idle("2026-03-01T18:00:00Z", "s"))
    store.save(idle, store.load(), "idle")
    assert store.load().state == idle


@pytest.mark.parametrize(
    "after",
    [
        msgspec.structs.replace(added(FIRST, "beta"), serial=1),
        msgspec.structs.replace(FIRST, serial=3),
        msgspec.structs.replace(FIRST, serial=0),
        msgspec.structs.replace(FIRST, serial=2, lineage="another"),
        msgspec.structs.replace(FIRST, serial=2, version=3),
    ],
)
def test_a_state_that_cannot_follow_is_a_fault_of_the_program(
    after: State, store: FileStore, path: Path
) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"serial|lineage"):
        store.save(after, store.load(), "wrong")
    assert path.read_bytes() == before


def test_a_snapshot_that_was_changed_in_place_is_a_fault_of_the_program(store: FileStore) -> None:
    snapshot = store.load()
    snapshot.state.serial += 1
    with pytest.raises(ValueError, match="in place"):
        store.save(snapshot.state, snapshot, "wrong")


def test_eight_writers_at_once_lose_nothing(path: Path) -> None:
    writers = [
        subprocess.Popen(
            [*WRITER, str(path.parent), "state.json+archive", f"w{number}", "5"],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    serials = sorted(int(line) for writer in writers for line in writer.communicate()[0].splitlines())
    assert serials == list(range(2, 42)), "each save has a serial of its own, none is missing"
    end = FileStore(path, "state.json")
    assert set(end.load().state.schedules) == {"spring/teaser/alpha"} | {
        f"spring/teaser/w{writer}-{save}" for writer in range(8) for save in range(5)
    }
    assert len(end.load_archive()) == 40


# --- the file itself ------------------------------------------------------------------------------


def test_the_mode_of_the_file_is_kept(store: FileStore, path: Path) -> None:
    path.chmod(0o640)
    store.save(added(FIRST, "beta"), store.load(), "more")
    assert path.stat().st_mode & 0o7777 == 0o640


def test_only_the_lock_stays_beside_the_state(store: FileStore, path: Path) -> None:
    store.save(added(FIRST, "beta"), store.load(), "more")
    assert files(path.parent) == {"state.json", ".state.json.lock"}


def test_a_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    linked = FileStore(link, "link.json")
    with pytest.raises(StateError, match=r"link\.json is a symbolic link"):
        linked.load()
    with pytest.raises(StateError, match="is a symbolic link"):
        linked.save(added(FIRST, "beta"), FileStore(path, "x").load(), "more")
    with pytest.raises(StateError, match="a state already exists"):
        linked.create(FIRST)
    assert decode(path.read_bytes(), "x") == FIRST


def test_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for name in (".", "pipe.json"):
        with pytest.raises(StateError, match="is not a file"):
            FileStore(tmp_path / name, name).load()


def test_no_file_is_no_state_and_names_the_way_to_begin(tmp_path: Path) -> None:
    with pytest.raises(StateMissing, match=r"state\.json does not exist") as missing:
        FileStore(tmp_path / "state.json", "state.json").load()
    assert "scheduler state init" in str(missing.value.hint)


def test_a_damaged_state_stays_as_it_was(store: FileStore, path: Path) -> None:
    damaged = path.read_bytes()[:-5]
    path.write_bytes(damaged)
    with pytest.raises(StateError, match="damaged"):
        store.load()
    assert path.read_bytes() == damaged


def test_a_first_state_does_not_replace_another(store: FileStore, path: Path) -> None:
    with pytest.raises(StateError, match="a state already exists"):
        store.create(msgspec.structs.replace(FIRST, lineage="another"))
    assert store.load().state == FIRST


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"cannot be written: No such file") as refused:
        FileStore(tmp_path / "none/state.json", "none/state.json").create(FIRST)
    assert "folder" in str(refused.value.hint)


def test_a_lock_that_nobody_lets_go_is_an_error_after_a_while(path: Path) -> None:
    waits: list[float] = []
    store = FileStore(path, "state.json", patience=1, sleep=waits.append)
    snapshot = store.load()
    with path.with_name(".state.json.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="locked by another process"):
            store.save(added(FIRST, "beta"), snapshot, "more")
    assert sum(waits) == pytest.approx(1, abs=0.1)
    assert store.save(added(FIRST, "beta"), snapshot, "more").state.serial == 2


# --- the archive ----------------------------------------------------------------------------------


def test_archived_records_are_kept_by_month_beside_the_state(store: FileStore, path: Path) -> None:
    snapshot = store.save_with_archive(
        added(FIRST, "beta"), {"2026-02": {"spring/old/a": record("a")}}, store.load(), "archive"
    )
    snapshot = store.save_with_archive(
        added(snapshot.state, "gamma"),
        {"2026-02": {"spring/old/b": record("b")}, "2026-03": {"spring/old/c": record("c")}},
        snapshot,
        "archive",
    )
    assert files(path.parent / "archive") == {"2026-02.json", "2026-03.json"}
    assert {key: found.channel_id for key, found in store.load_archive().items()} == {
        "spring/old/a": "a",
        "spring/old/b": "b",
        "spring/old/c": "c",
    }


def test_without_an_archive_nothing_is_archived(store: FileStore) -> None:
    assert store.load_archive() == {}


def test_a_lost_race_archives_nothing(store: FileStore, path: Path) -> None:
    mine = store.load()
    store.save(added(FIRST, "beta"), mine, "theirs")
    with pytest.raises(LostRace):
        store.save_with_archive(added(FIRST, "c"), {"2026-02": {"spring/old/a": record("a")}}, mine, "m")
    assert not (path.parent / "archive").exists()


def test_an_archive_one_step_ahead_of_the_state_is_what_a_killed_run_leaves(path: Path) -> None:
    store, texts = FileStore(path, "state.json"), []
    snapshot = store.load()
    for channel in "abc":
        moved = {"2026-02": {f"spring/old/{channel}": record(channel)}}
        snapshot = store.save_with_archive(added(snapshot.state, channel), moved, snapshot, "archive")
        texts.append(path.read_bytes())
    path.write_bytes(texts[1])  # the archive was written, and the state was not
    late = FileStore(path, "state.json")
    snapshot = late.load()
    assert set(late.load_archive()) == {"spring/old/a", "spring/old/b", "spring/old/c"}
    late.save_with_archive(
        added(snapshot.state, "d"), {"2026-02": {"spring/old/d": record("d")}}, snapshot, "archive"
    )
    assert len(FileStore(path, "state.json").load_archive()) == 4
    path.write_bytes(texts[0])  # what nobody was killed at: the archive has forgotten, or belongs elsewhere
    older = FileStore(path, "state.json")
    older.load()
    with pytest.raises(StateError, match=r"archive/2026-02\.json is not as the state lists it"):
        older.load_archive()


@pytest.mark.parametrize("month", ["2026-2", "../2026-02", "", "2026-02.json"])
def test_a_month_that_is_none_is_a_fault_of_the_program(month: str, store: FileStore) -> None:
    with pytest.raises(ValueError, match="month"):
        store.save_with_archive(added(FIRST, "b"), {month: {"a/b/c": record()}}, store.load(), "m")


def test_the_archive_of_another_state_is_refused(store: FileStore, path: Path) -> None:
    store.save_with_archive(
        added(FIRST, "beta"), {"2026-02": {"spring/old/a": record("a")}}, store.load(), "archive"
    )
    path.unlink()
    with pytest.raises(StateError, match=r"archive/2026-02\.json belongs to another state"):
        store.create(msgspec.structs.replace(FIRST, lineage="another"))
    assert not path.exists()


# --- faults of the machine ------------------------------------------------------------------------


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_only_half_of_the_text_leaves_the_old_one(store: FileStore, path: Path) -> None:
    before, snapshot = path.read_bytes(), store.load()
    with file_size_limit(len(before) // 2), pytest.raises(StateError, match="File too large") as refused:
        store.save(added(FIRST, "beta"), snapshot, "more")
    assert "the previous state is intact" in str(refused.value.hint)
    assert path.read_bytes() == before
    assert files(path.parent) == {"state.json", ".state.json.lock"}


strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace orders faults of the kernel")


def under_strace(path: Path, rules: Sequence[str], of: Path) -> subprocess.CompletedProcess[str]:
    orders = [part for rule in rules for part in ("-e", f"inject={rule}")]
    return subprocess.run(
        ["strace", "-f", "-o", os.devnull, "-P", str(of), *orders, *WRITER, str(path.parent), "state.json",
         "w", "1"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip


@strace
@pytest.mark.parametrize(
    ("rule", "of", "words"),
    [
        ("write:error=ENOSPC", ".state.json.new", os.strerror(errno.ENOSPC)),
        ("fsync:error=EIO", ".state.json.new", os.strerror(errno.EIO)),
        ("openat:error=EROFS", ".state.json.new", os.strerror(errno.EROFS)),
        ("openat:error=EROFS", ".state.json.lock", os.strerror(errno.EROFS)),
        ("openat:error=EACCES", ".state.json.new", os.strerror(errno.EACCES)),
        ("/^rename:error=EIO", ".state.json.new", os.strerror(errno.EIO)),
        ("flock:error=ENOLCK", ".state.json.lock", os.strerror(errno.ENOLCK)),
    ],
)
def test_a_fault_of_the_disk_is_told_and_leaves_the_old_text(
    rule: str, of: str, words: str, path: Path
) -> None:
    before = path.read_bytes()
    ran = under_strace(path, [rule], path.with_name(of))
    assert f"StateError: state.json cannot be written: {words}" in ran.stderr
    assert path.read_bytes() == before
    assert files(path.parent) == {"state.json", ".state.json.lock"}


@strace
def test_a_folder_that_does_not_reach_the_disk_is_told(path: Path) -> None:
    ran = under_strace(path, ["fsync:error=EIO"], path.parent)
    assert "was written, but the disk did not confirm it" in ran.stderr


def killed_at(point: str, path: Path) -> None:
    ran = subprocess.run(
        [*WRITER, str(path.parent), "state.json+archive", "w", "1"],
        env=environment(SCHEDULER_CRASH_AT=point),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()


@pytest.mark.parametrize("point", FILE_FAILPOINTS)
def test_a_run_killed_while_it_archives_loses_nothing(point: str, path: Path) -> None:
    before = path.read_bytes()
    killed_at(point, path)
    assert path.read_bytes() == before, "the archive comes first"
    store = FileStore(path, "state.json")
    assert set(store.load_archive()) <= {"spring/old/w-0"}


@pytest.mark.parametrize("point", FILE_FAILPOINTS[1:])
def test_a_run_killed_while_it_saves_leaves_the_old_text_or_the_new_one(point: str, path: Path) -> None:
    old = FIRST
    new = added(FIRST, "w-0")
    killed_at(f"{point}#2", path)  # the first time, each point belongs to the archive
    store = FileStore(path, "state.json")
    replaced = point in ("file-replaced", "file-folder-synced")
    stored = store.load().state
    assert stored == msgspec.structs.replace(new if replaced else old, archived=stored.archived)
    assert path.read_bytes() == encode(stored)
    assert set(stored.archived) == ({"2026-03"} if replaced else set())
    assert set(store.load_archive()) == {"spring/old/w-0"}


@pytest.mark.parametrize("point", FILE_FAILPOINTS)
def test_the_run_after_a_killed_one_saves_and_leaves_no_litter(point: str, path: Path) -> None:
    killed_at(point, path)
    store = FileStore(path, "state.json")
    store.save_with_archive(
        added(FIRST, "beta"), {"2026-03": {"spring/old/w-0": record("w-0")}}, store.load(), "next"
    )
    assert files(path.parent) == {"state.json", ".state.json.lock", "archive/2026-03.json"}


def test_every_named_boundary_is_in_the_code_and_every_one_in_the_code_is_named() -> None:
    code = "\n".join(file.read_text() for file in sorted((ROOT / "scheduler").rglob("*.py")))
    called = re.findall(r'(?<!def )\bfailpoint\("([^"]+)"\)', code)
    assert set(called) == set(FAILPOINTS)
    assert len(FAILPOINTS) == len(set(FAILPOINTS))
    assert not re.search(r'\bfailpoint\((?!"|name: str)', code), "a failpoint's name is written out"
