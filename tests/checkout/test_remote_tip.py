"""What is declared on the remote, for a run that stays: read as the work tree is, and without touching it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_http_server import Fault, GitServer, serve
from git_repository import git
from github_stand_in import GitHub
from miniature import TOKEN, Miniature

from scheduler.checkout.reading import LARGEST, digest, read_sources
from scheduler.checkout.remote import OWN_REF, RemoteTip, sources_at
from scheduler.checkout.source import Source
from scheduler.errors import Error, RunRefused

MAIN = "refs/heads/main"
WAVE = "schedules: []\n"
CHANNEL = "repository: acme/alpha\n"


class Scene:
    """A server with one repository, the clone of an editor, and that of a job, one commit deep."""

    def __init__(self, folder: Path, server: GitServer) -> None:
        self.folder, self.server = folder, server
        self.editor, self.job = folder / "editor", folder / "job"
        self.url = f"{server.url}/waves.git"
        git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", "served/waves.git")
        git(folder, "-C", "served/waves.git", "config", "http.receivepack", "true")
        git(folder, "init", "--quiet", "--initial-branch", "main", "editor")
        git(self.editor, "remote", "add", "origin", self.url)
        self.write("waves/a.yaml", WAVE)
        self.write("channels/alpha.yaml", CHANNEL)
        self.push()
        git(folder, "clone", "--quiet", "--depth=1", self.url, "job")

    def write(self, name: str, text: str) -> None:
        path = self.editor / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def push(self) -> str:
        """Commit and push what the editor has; the commit."""
        git(self.editor, "add", "--all")
        git(self.editor, "commit", "--quiet", "--allow-empty", "--message", "Change")
        git(self.editor, "push", "--quiet", "origin", "HEAD:main")
        return git(self.editor, "rev-parse", "HEAD")

    def tip(self, below: str = ".", **settings: float) -> RemoteTip:
        return RemoteTip(self.job / below, MAIN, **settings)  # type: ignore[arg-type]  # only a timeout

    def demand_same(self, below: str = ".") -> list[Source]:
        """Push, and read the tip and the editor's work tree: they have to be the same."""
        self.push()
        tip = self.tip(below)
        found = tip.read()
        assert tip.remarks == []
        assert found == read_sources(self.editor / below)
        assert digest(found) == digest(read_sources(self.editor / below))
        return found


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "served").mkdir()
    with serve(tmp_path / "served") as server:
        yield Scene(tmp_path, server)


# --- what is read -----------------------------------------------------------------------------------


def test_the_tip_is_read_as_a_work_tree_is_read_files_order_and_all(scene: Scene) -> None:
    names = [
        "waves/a/x.yaml", "waves/a-b.yaml", "waves/a.yml", "waves/B.yaml", "waves/2026/q1/deep.yaml",
        "waves/ö 'quoted' \"x\".yaml", "waves/tab\there.yaml", "waves/new\nline.yaml", "channels/z.yaml",
    ]  # fmt: skip
    for name in [*names, "waves/README.md", "waves/.gitkeep", "scheduler.yaml", "other/waves/no.yaml"]:
        scene.write(name, f"# {name}\n")
    found = scene.demand_same()
    assert {source.file for source in found} == {
        *names,
        "waves/a.yaml",
        "channels/alpha.yaml",
        "scheduler.yaml",
    }
    assert [source.kind for source in found] == ["wave"] * 9 + ["channel"] * 2 + ["scheduler"]


def test_a_name_that_is_not_utf_8_is_read_as_the_disk_gives_it(scene: Scene) -> None:
    (scene.editor / os.fsdecode(b"waves/\xff.yaml")).write_text(WAVE)
    assert os.fsdecode(b"waves/\xff.yaml") in {source.file for source in scene.demand_same()}


def test_files_with_the_same_bytes_and_empty_ones_are_told_apart(scene: Scene) -> None:
    scene.write("waves/b.yaml", WAVE)
    scene.write("waves/empty.yaml", "")
    scene.write("waves/unfinished.yaml", "no newline at the end")
    scene.demand_same()


def test_an_executable_file_is_a_file(scene: Scene) -> None:
    (scene.editor / "waves/a.yaml").chmod(0o755)
    scene.demand_same()


def test_of_a_file_that_is_too_large_no_more_is_read_than_tells_it(scene: Scene) -> None:
    scene.write("waves/large.yaml", "#" * (3 * LARGEST))
    assert len(next(s for s in scene.demand_same() if "large" in s.file).content) == LARGEST + 1


def test_a_folder_inside_of_a_repository_is_read_by_its_own_paths(scene: Scene) -> None:
    scene.write("publishing/waves/w.yaml", WAVE)
    scene.write("publishing/channels/c.yaml", CHANNEL)
    (scene.job / "publishing").mkdir()
    assert [s.file for s in scene.demand_same("publishing")] == ["waves/w.yaml", "channels/c.yaml"]


def test_only_what_is_on_that_branch_counts(scene: Scene) -> None:
    git(scene.editor, "checkout", "--quiet", "-b", "proposal")
    scene.write("waves/proposed.yaml", WAVE)
    git(scene.editor, "add", "--all")
    git(scene.editor, "commit", "--quiet", "--message", "Propose")
    git(scene.editor, "push", "--quiet", "origin", "proposal")
    assert [source.file for source in scene.tip().read()] == ["waves/a.yaml", "channels/alpha.yaml"]


# --- what is a fault --------------------------------------------------------------------------------


def faults(sources: list[Source]) -> list[tuple[str, str]]:
    return [(source.kind, source.fault) for source in sources if source.fault is not None]


def link(scene: Scene, name: str, target: str) -> None:
    path = scene.editor / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def test_a_link_in_the_place_of_a_file_is_a_fault_as_on_disk(scene: Scene) -> None:
    link(scene, "waves/link.yaml", "a.yaml")
    link(scene, "waves/to-nothing.yml", "nowhere")
    assert faults(scene.demand_same()) == [
        ("wave", "waves/link.yaml is a symbolic link, and links are not followed"),
        ("wave", "waves/to-nothing.yml is a symbolic link, and links are not followed"),
    ]


def test_a_link_to_a_folder_is_a_fault_as_on_disk_and_one_to_another_file_is_nothing(scene: Scene) -> None:
    scene.write("elsewhere/b.yaml", WAVE)
    link(scene, "waves/2026", "../elsewhere")
    link(scene, "waves/v1.2", "2026")
    link(scene, "waves/README", "a.yaml")
    link(scene, "waves/dangling", "nowhere")
    assert faults(scene.demand_same()) == [
        ("wave", "waves/2026 is a symbolic link, and links are not followed"),
        ("wave", "waves/v1.2 is a symbolic link, and links are not followed"),
    ]


def test_a_link_that_leads_out_of_the_repository_is_a_fault_since_it_may_be_a_folder(scene: Scene) -> None:
    link(scene, "waves/outside", "/etc")
    assert faults(scene.demand_same()) == [
        ("wave", "waves/outside is a symbolic link, and links are not followed")
    ]


def test_a_folder_of_waves_that_became_a_link_is_a_fault_and_not_a_withdrawal(scene: Scene) -> None:
    link(scene, "waves", "elsewhere")
    scene.write("elsewhere/a.yaml", WAVE)
    assert faults(scene.demand_same()) == [("wave", "waves is a symbolic link, and links are not followed")]


def test_a_folder_of_waves_that_became_a_file_is_a_fault_and_not_a_withdrawal(scene: Scene) -> None:
    shutil.rmtree(scene.editor / "waves")
    scene.write("waves", "a file")
    assert faults(scene.demand_same()) == [("wave", "waves cannot be read: Not a directory")]


def test_settings_that_are_a_link_or_a_folder_are_a_fault_as_on_disk(scene: Scene) -> None:
    link(scene, "scheduler.yaml", "waves/a.yaml")
    assert faults(scene.demand_same()) == [
        ("scheduler", "scheduler.yaml is a symbolic link, and links are not followed")
    ]
    (scene.editor / "scheduler.yaml").unlink()
    scene.write("scheduler.yaml/a", "1")
    scene.write("scheduler.yaml/b", "2")
    assert faults(scene.demand_same()) == [("scheduler", "scheduler.yaml is not a regular file")]


def test_a_submodule_is_a_fault_since_what_it_declares_is_not_seen(scene: Scene) -> None:
    commit = git(scene.editor, "rev-parse", "HEAD")
    git(scene.editor, "update-index", "--add", "--cacheinfo", f"160000,{commit},waves/theirs")
    git(scene.editor, "commit", "--quiet", "--message", "Add a submodule")
    git(scene.editor, "push", "--quiet", "origin", "main")
    found = scene.tip().read()
    assert faults(found) == [("wave", "waves/theirs is a submodule, and submodules are not read")]
    assert "waves/a.yaml" in {source.file for source in found}


def test_a_tip_without_any_folder_of_ours_stops_the_run(scene: Scene) -> None:
    shutil.rmtree(scene.editor / "waves")
    shutil.rmtree(scene.editor / "channels")
    scene.write("scheduler.yaml", "")
    scene.push()
    with pytest.raises(RunRefused, match="has neither a folder waves/ nor a folder channels/"):
        scene.tip().read()


# --- what is touched --------------------------------------------------------------------------------


def snapshot(clone: Path) -> dict[str, bytes]:
    """Everything in a clone that somebody works with: the work tree, the index, the branches, HEAD."""
    names = [
        path for path in clone.rglob("*") if path.is_file() and ".git" not in path.relative_to(clone).parts
    ]
    names += [clone / ".git/HEAD", clone / ".git/index", clone / ".git/config"]
    names += [path for path in (clone / ".git/refs").rglob("*") if path.is_file()]
    return {str(path.relative_to(clone)): path.read_bytes() for path in names}


def test_neither_the_work_tree_nor_the_index_nor_a_branch_is_touched(scene: Scene) -> None:
    (scene.job / "waves/a.yaml").write_text("# an edit that is not committed\n")
    before = snapshot(scene.job)
    scene.write("waves/b.yaml", WAVE)
    commit = scene.push()
    tip = scene.tip()
    assert [source.file for source in tip.read()] == ["waves/a.yaml", "waves/b.yaml", "channels/alpha.yaml"]
    assert tip.commit() == commit
    after = snapshot(scene.job)
    assert after.pop(f".git/{OWN_REF}").decode().strip() == commit
    assert after == before
    assert not (scene.job / ".git/FETCH_HEAD").exists()


def test_nothing_of_the_repository_is_executed(scene: Scene, tmp_path: Path) -> None:
    """Neither filters that the tip's attributes name, nor hooks of the clone."""
    witness = tmp_path / "witness"
    evil = f"touch {witness}"
    for name in ("filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "core.fsmonitor"):
        git(scene.job, "config", name, evil)
    for name in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc"):
        hook = scene.job / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\n{evil}\n")
        hook.chmod(0o755)
    scene.write(".gitattributes", "* filter=evil\n")
    scene.write("waves/$(touch x).yaml", f"title: $({evil}) `{evil}`\n")
    scene.push()
    assert len(scene.tip().read()) == 3
    assert not witness.exists()


@pytest.mark.parametrize("ref", ["--upload-pack=touch /nowhere", "refs/heads/a b", "refs/heads/../x"])
def test_a_ref_that_is_none_is_told_and_never_an_option(scene: Scene, ref: str) -> None:
    tip = RemoteTip(scene.job, ref)
    assert [source.file for source in tip.read()] == ["waves/a.yaml", "channels/alpha.yaml"]
    assert [remark.code for remark in tip.remarks] == ["unreachable"]


# --- when it cannot be had --------------------------------------------------------------------------


def test_where_nothing_was_read_yet_the_work_tree_stands_in_and_it_is_told(scene: Scene) -> None:
    head = git(scene.job, "rev-parse", "HEAD")
    scene.push()
    scene.server.faults.append(Fault("info/refs", status=503))
    tip = scene.tip()
    assert tip.read() == read_sources(scene.job)
    assert tip.commit() == head
    (remark,) = tip.remarks
    assert not remark.is_error
    assert remark.message.startswith("refs/heads/main of origin cannot be fetched: ")
    assert remark.message.endswith("; this run continues with the work tree")
    assert "503" in remark.message


def test_later_what_was_read_last_stands_until_it_can_be_had_again(scene: Scene) -> None:
    scene.write("waves/b.yaml", WAVE)
    first = scene.push()
    tip = scene.tip()
    before = tip.read()
    scene.write("waves/c.yaml", WAVE)
    second = scene.push()
    scene.server.faults.append(Fault("info/refs", status=503))

    assert (tip.read(), tip.commit()) == (before, first)
    assert tip.remarks[0].message.endswith(
        f"; this run continues with the commit {first[:12]}, which was read last"
    )
    assert (len(tip.read()), tip.commit(), tip.remarks) == (len(before) + 1, second, [])


def test_a_server_that_hangs_costs_no_more_than_the_time_limit(scene: Scene) -> None:
    """It does not answer at all; the test ends because the fetch is given up."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        git(scene.job, "remote", "set-url", "origin", f"http://127.0.0.1:{silent.getsockname()[1]}/waves.git")
        tip = scene.tip(timeout=0.5)
        assert tip.read() == read_sources(scene.job)
    assert "no answer within the time limit" in tip.remarks[0].message


def test_a_branch_that_is_gone_is_told(scene: Scene) -> None:
    tip = RemoteTip(scene.job, "refs/heads/gone")
    tip.read()
    assert "couldn't find remote ref refs/heads/gone" in tip.remarks[0].message


def test_no_password_of_the_remote_is_told(scene: Scene) -> None:
    git(scene.job, "remote", "set-url", "origin", "http://me:s3cret@127.0.0.1:9/waves.git")
    tip = scene.tip()
    tip.read()
    assert "s3cret" not in tip.remarks[0].message
    assert "127.0.0.1" in tip.remarks[0].message


def test_a_tip_that_did_not_move_is_not_read_again(scene: Scene) -> None:
    tip = scene.tip()
    assert tip.read() is tip.read()


# --- the command ------------------------------------------------------------------------------------


@pytest.fixture
def job(scene: Scene, github: GitHub) -> Miniature:
    """A job on GitHub Actions, checked out before the wave was merged."""
    scene.write("scheduler.yaml", "state: branch:scheduler-state\n")
    scene.write("channels/alpha.yaml", "repository: acme/alpha\ntoken: ACME_TOKEN\n")
    scene.push()
    git(scene.job, "pull", "--quiet")
    github.repository("acme/alpha")
    job = Miniature(scene.job)
    job.environ |= {"GITHUB_API_URL": github.url, "ACME_TOKEN": TOKEN}
    assert job.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    job.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_REF": MAIN, "GITHUB_REF_NAME": "main"}
    return job


DUE = """\
schedules:
  - type: simultaneous
    group: teaser
    video: teaser-4k
    at: 2026-03-01T18:00:00Z
    channels: [alpha]
"""


@pytest.mark.parametrize("stays", [["--hold", "0s"], ["--watch", "0s"]])
def test_a_run_that_stays_publishes_what_was_merged_after_its_checkout(
    scene: Scene, job: Miniature, github: GitHub, stays: list[str]
) -> None:
    scene.write("waves/a.yaml", DUE)
    commit = scene.push()
    outcome = job.json("run", *stays, now="2026-03-01T18:01:00Z")
    assert (outcome.code, outcome.results) == (0, {"a/teaser/alpha": "completed"})
    assert len(github.dispatches) == 1
    recorded = job.run("state", "show").out
    assert re.search(rf'"commit": ?"{commit}"', recorded), "the record names the tip, not the checkout"
    assert (scene.job / "waves/a.yaml").read_text() == WAVE


def test_a_plain_run_takes_the_work_tree_as_it_was_checked_out(
    scene: Scene, job: Miniature, github: GitHub
) -> None:
    scene.write("waves/a.yaml", DUE)
    scene.push()
    assert job.json("run", now="2026-03-01T18:01:00Z").results == {}
    assert github.dispatches == []


def test_off_actions_a_run_that_stays_takes_the_work_tree(
    scene: Scene, job: Miniature, github: GitHub
) -> None:
    del job.environ["GITHUB_ACTIONS"]
    scene.write("waves/a.yaml", DUE)
    scene.push()
    assert job.json("run", "--hold", "0s", now="2026-03-01T18:01:00Z").results == {}


def test_a_run_of_a_tag_takes_the_work_tree(scene: Scene, job: Miniature, github: GitHub) -> None:
    scene.write("waves/a.yaml", DUE)
    scene.push()
    outcome = job.json("run", "--hold", "0s", now="2026-03-01T18:01:00Z", GITHUB_REF="refs/tags/v1")
    assert (outcome.code, outcome.results) == (0, {})


def test_a_tip_that_cannot_be_fetched_is_a_warning_and_what_is_due_is_sent(
    scene: Scene, job: Miniature, github: GitHub
) -> None:
    scene.write("waves/a.yaml", DUE)
    scene.push()
    git(scene.job, "pull", "--quiet")
    outcome = job.json("run", "--hold", "0s", now="2026-03-01T18:01:00Z", GITHUB_REF="refs/heads/gone")
    assert (outcome.code, outcome.results) == (0, {"a/teaser/alpha": "completed"})
    assert outcome.codes == ["unreachable"]
    assert "this run continues with the work tree" in outcome.json["diagnostics"][0]["message"]


def test_waves_that_became_a_link_on_the_branch_are_kept_as_recorded(
    scene: Scene, job: Miniature, github: GitHub
) -> None:
    scene.write("waves/a.yaml", DUE)
    scene.push()
    job.run("run", "--hold", "0s", now="2026-03-01T17:00:00Z")
    link(scene, "waves", "elsewhere")
    scene.push()
    outcome = job.json("run", "--hold", "0s", now="2026-03-01T18:01:00Z")
    assert (outcome.code, outcome.codes) == (1, ["yaml-syntax"])
    assert outcome.results == {"a/teaser/alpha": "completed"}


# --- any commit, for a comparison --------------------------------------------------------------------


def test_any_commit_is_read_as_its_work_tree_was(scene: Scene) -> None:
    before = read_sources(scene.editor)
    commit = git(scene.editor, "rev-parse", "HEAD")
    scene.write("waves/b.yaml", WAVE)
    scene.write("scheduler.yaml", "pace: 1/s\n")
    scene.push()
    assert sources_at(scene.editor, commit) == before
    assert sources_at(scene.editor, "main") == read_sources(scene.editor)


def test_a_commit_that_declares_nothing_has_no_files_and_one_that_is_not_there_is_an_error(
    scene: Scene,
) -> None:
    git(scene.editor, "rm", "-r", "--quiet", "waves", "channels")
    git(scene.editor, "commit", "--quiet", "--message", "Remove everything")
    assert sources_at(scene.editor, "HEAD") == []
    for absent in ("no-such-branch", "--all", "HEAD:waves", ""):
        with pytest.raises(Error, match="this clone does not have the commit"):
            sources_at(scene.editor, absent)
