"""What a sparse checkout keeps off the disk is declared all the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from git_http_server import Fault, serve
from git_repository import git
from miniature import Miniature

from scheduler.app import idle
from scheduler.checkout import reading, sparse
from scheduler.checkout.reading import digest, read_sources
from scheduler.errors import StateError

CHANNEL = "repository: acme/alpha\ntoken: ACME_TOKEN\n"


def wave(year: int) -> str:
    entry = f"{{ type: simultaneous, video: v{year}, at: {year}-03-01T18:00:00Z, channels: [alpha] }}"
    return f"schedules:\n  - {entry}\n"


FILES = {
    "scheduler.yaml": "catch_up: 2h\n",
    "channels/alpha.yaml": CHANNEL,
    "waves/2030/one.yaml": wave(2030),
    "waves/2031/two.yaml": wave(2031),
    "waves/2031/q1/three.yml": wave(2032),
    "waves/2031/README.md": "Not declared.\n",
    "waves/first.yaml": wave(2033),
}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A clone with everything on the disk."""
    root = tmp_path / "whole"
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    mini = Miniature(root).write(FILES)
    (root / "waves/2031/link.yaml").symlink_to("two.yaml")
    git(mini.root, "add", "-A")
    git(mini.root, "commit", "-q", "-m", "Begin")
    return root


@pytest.fixture
def clone(whole: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", str(whole), "clone")
    return tmp_path / "clone"


def by_folders(clone: Path) -> None:
    git(clone, "sparse-checkout", "set", "channels", "waves/2030")


def by_folders_in_a_sparse_index(clone: Path) -> None:
    git(clone, "sparse-checkout", "set", "--sparse-index", "channels", "waves/2030")


def by_patterns(clone: Path) -> None:
    git(clone, "sparse-checkout", "set", "--no-cone", "/channels/", "/waves/2030/")


def without_any_folder_of_ours(clone: Path) -> None:
    git(clone, "sparse-checkout", "set", "--no-cone", "/nothing-of-ours")


def one_by_one(clone: Path) -> None:
    git(clone, "update-index", "--skip-worktree", "waves/2031/two.yaml")
    (clone / "waves/2031/two.yaml").unlink()


def in_an_index_of_version_4(clone: Path) -> None:
    git(clone, "update-index", "--index-version", "4")
    by_folders(clone)


def in_an_index_that_is_split(clone: Path) -> None:
    by_folders(clone)
    git(clone, "update-index", "--split-index")
    assert list(clone.glob(".git/sharedindex.*"))


SPARSE = [
    by_folders, by_folders_in_a_sparse_index, by_patterns, without_any_folder_of_ours, one_by_one,
    in_an_index_of_version_4, in_an_index_that_is_split,
]  # fmt: skip


@pytest.mark.parametrize("leave_out", SPARSE)
def test_what_is_left_out_is_read_as_the_whole_clone_reads_it(
    clone: Path, whole: Path, leave_out: Callable[[Path], None]
) -> None:
    leave_out(clone)
    assert not (clone / "waves/2031/two.yaml").exists()
    assert read_sources(clone) == read_sources(whole)
    assert digest(read_sources(clone)) == digest(read_sources(whole))


def test_a_linked_work_tree_has_an_index_of_its_own(clone: Path, whole: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    by_folders(tmp_path / "linked")
    assert read_sources(tmp_path / "linked") == read_sources(whole)


def test_a_folder_in_a_repository_is_read_by_its_own_paths(tmp_path: Path) -> None:
    root = tmp_path / "top"
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    mini = Miniature(root / "media").write(FILES)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Begin")
    before = read_sources(mini.root)
    git(root, "sparse-checkout", "set", "media/channels")
    assert not (mini.root / "waves").exists()
    assert read_sources(mini.root) == before


def test_what_is_on_the_disk_counts_as_it_is_there(clone: Path) -> None:
    by_folders(clone)
    (clone / "waves/2031").mkdir()
    (clone / "waves/2031/two.yaml").write_text("# edited\n")
    (clone / "waves/2030/one.yaml").unlink()  # removed, which is not left out
    (clone / "waves/new.yaml").write_text("# new\n")
    found = {source.file: source.content for source in read_sources(clone)}
    assert found["waves/2031/two.yaml"] == b"# edited\n"
    assert "waves/2030/one.yaml" not in found
    assert "waves/2031/q1/three.yml" in found
    assert "waves/new.yaml" in found


def test_two_files_of_settings_are_a_fault_though_one_is_left_out(clone: Path) -> None:
    by_patterns(clone)
    (clone / "scheduler.yml").write_text("")
    (fault,) = [source.fault for source in read_sources(clone) if source.kind == "scheduler"]
    assert fault == "both scheduler.yaml and scheduler.yml exist: keep one of them"


# --- the fast path, and the idle run ----------------------------------------------------------------


@pytest.mark.parametrize("leave_out", [*SPARSE, lambda _: None])
def test_git_is_asked_wherever_it_could_say_something(clone: Path, leave_out: Callable[[Path], None]) -> None:
    leave_out(clone)
    top = str(clone)
    assert reading._kept_off_disk(top) == sparse.read_kept_off(top)


def test_git_is_asked_where_a_plain_index_shares_entries_with_another(clone: Path) -> None:
    assert not reading._may_keep_off(str(clone))
    (clone / ".git/sharedindex.0").touch()
    assert reading._may_keep_off(str(clone))


def test_in_an_ordinary_clone_and_outside_of_any_git_is_not_started(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse, "read_kept_off", None)
    assert len(read_sources(clone)) == 7
    shutil.rmtree(clone / ".git")
    assert len(read_sources(clone)) == 7


def test_a_run_withdraws_nothing_and_the_idle_run_sees_what_is_left_out(clone: Path) -> None:
    mini = Miniature(clone)
    (clone / "waves/2031/link.yaml").unlink()
    assert mini.run("state", "init").code == 0
    assert mini.run("run").code == 0
    before = mini.statuses
    assert set(before.values()) == {"pending"}
    by_folders(clone)
    (clone / "waves/2031/link.yaml").unlink(missing_ok=True)
    git(clone, "rm", "-q", "--cached", "--sparse", "waves/2031/link.yaml")
    assert mini.run("run").code == 0
    assert mini.statuses == before

    arguments = ["-C", str(clone), "run"]
    assert idle.answer(arguments, mini.environ) is not None
    blob = git(clone, "hash-object", "-w", "scheduler.yaml")
    git(clone, "update-index", "--cacheinfo", f"100644,{blob},waves/2031/two.yaml")
    git(clone, "update-index", "--skip-worktree", "waves/2031/two.yaml")
    assert idle.answer(arguments, mini.environ) is None


# --- what cannot be had -----------------------------------------------------------------------------


def test_a_blob_that_is_lost_is_unreadable_and_not_withdrawn(clone: Path) -> None:
    mini = Miniature(clone)
    (clone / "waves/2031/link.yaml").unlink()
    mini.run("state", "init")
    mini.run("run")
    before = mini.statuses
    by_folders(clone)
    blob = git(clone, "rev-parse", "HEAD:waves/2031/two.yaml")
    (clone / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    outcome = mini.json("run")
    assert outcome.code == 1
    assert "waves/2031/two.yaml is not on the disk (sparse checkout), and git cannot read it: " in outcome.out
    assert mini.statuses == before


def test_where_git_cannot_list_them_nothing_is_taken_for_withdrawn(clone: Path) -> None:
    by_folders(clone)
    index = clone / ".git/index"
    index.write_bytes(b"LOST" + index.read_bytes()[4:])
    with pytest.raises(StateError, match="cannot tell which files a sparse checkout keeps off the disk"):
        read_sources(clone)


def test_a_partial_clone_fetches_all_that_is_missing_at_once_and_keeps_its_configuration(
    whole: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(whole), "served/waves.git")
    git(tmp_path, "-C", "served/waves.git", "config", "uploadpack.allowFilter", "true")
    with serve(tmp_path / "served") as server:
        url = f"{server.url}/waves.git"
        git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", url, "partial")
        partial = tmp_path / "partial"
        by_folders(partial)
        git(partial, "checkout", "-q", "main")
        configured = (partial / ".git/config").read_bytes()

        server.requests.clear()
        server.faults.append(Fault("info/refs", status=503))
        faults = {source.file: source.fault for source in read_sources(partial) if source.fault is not None}
        assert set(faults) == {"waves/2031/link.yaml", "waves/2031/q1/three.yml", "waves/2031/two.yaml"}
        assert "503" in str(faults["waves/2031/two.yaml"])

        server.requests.clear()
        assert read_sources(partial) == read_sources(whole)
        assert sum("info/refs" in target for target in server.requests) == 1
        server.requests.clear()
        assert read_sources(partial) == read_sources(whole)
        assert server.requests == []
        assert (partial / ".git/config").read_bytes() == configured


# --- editing ----------------------------------------------------------------------------------------


def test_a_file_that_is_left_out_is_not_edited_and_the_hint_says_how_to_get_it(clone: Path) -> None:
    by_folders(clone)
    refused = Miniature(clone).run("pause", "wave:two")
    assert refused.code == 1
    assert (
        "waves/2031/two.yaml is not on the disk, so it cannot be edited; nothing was written" in refused.err
    )
    assert "run `git sparse-checkout add waves/2031`" in refused.err
    assert not (clone / "waves/2031").exists()
