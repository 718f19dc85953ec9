"""The state on a branch: one winner a race, nothing merged, and every answer of a push understood.

The remote is a real bare repository, over `file://` and over HTTP.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from git_http_server import Fault, GitServer, serve
from miniature import Miniature
from store_writer import added, record

from scheduler.checkout.git import Output, scrubbed
from scheduler.errors import LostRace, StateError, StateMissing
from scheduler.failpoints import FAILPOINTS
from scheduler.state.codec import encode, encode_archive
from scheduler.state.record import State
from scheduler.state.stores import Snapshot
from scheduler.state.stores.git_branch import GitBranchStore, classify

ROOT = Path(__file__).parents[2]
BRANCH = "scheduler-state"
REF = f"refs/heads/{BRANCH}"
FIRST = State(version=2, lineage="5b0d4c5e", serial=1, schedules={"spring/teaser/alpha": record()})


def git(*arguments: str, cwd: Path) -> str:
    ran = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.fixture(autouse=True)
def plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git as on a machine where nobody has configured anything."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


class Remote:
    """A bare repository with a `main` of its own, and clones of it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.bare, self.url = folder, folder / "served/state.git", url
        git("init", "-q", "--bare", "-b", "main", str(self.bare), cwd=folder)
        git("config", "receive.denyDeletes", "false", cwd=self.bare)
        seed = folder / "seed"
        git("init", "-q", "-b", "main", str(seed), cwd=folder)
        for text in ("one", "two"):
            (seed / "README.md").write_text(text)
            git("add", ".", cwd=seed)
            git("-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", text, cwd=seed)
        git("push", "-q", str(self.bare), "main", cwd=seed)

    def clone(self, name: str, *options: str) -> Path:
        git("clone", "-q", *options, self.url, str(self.folder / name), cwd=self.folder)
        return self.folder / name

    def store(self, name: str, *options: str) -> GitBranchStore:
        return GitBranchStore(self.clone(name, *options), BRANCH, sleep=lambda _: None)

    def tip(self) -> str:
        return git("rev-parse", REF, cwd=self.bare)

    def hook(self, name: str, script: str) -> None:
        path = self.bare / "hooks" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "served").mkdir()
    with serve(tmp_path / "served") as server:
        yield server


@pytest.fixture(params=["file", "http"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, served: GitServer) -> Remote:
    """The remote with a first state on it."""
    url = f"file://{tmp_path}/served/state.git" if request.param == "file" else f"{served.url}/state.git"
    made = Remote(tmp_path, url)
    made.store("creator").create(FIRST)
    return made


@pytest.fixture
def over_http(tmp_path: Path, served: GitServer) -> Remote:
    made = Remote(tmp_path, f"{served.url}/state.git")
    made.store("creator").create(FIRST)
    return made


@pytest.fixture
def over_file(tmp_path: Path) -> Remote:
    (tmp_path / "served").mkdir()
    made = Remote(tmp_path, f"file://{tmp_path}/served/state.git")
    made.store("creator").create(FIRST)
    return made


# --- saving ---------------------------------------------------------------------------------------


def test_what_one_clone_saves_another_loads(remote: Remote) -> None:
    mine, theirs = remote.store("mine"), remote.store("theirs")
    saved = mine.save(added(FIRST, "beta"), mine.load(), "Record beta")
    assert theirs.load() == saved == mine.load()


def test_the_first_commit_has_no_parent_and_each_save_is_one_commit(remote: Remote) -> None:
    store = remote.store("mine")
    snapshot = store.load()
    for number in range(3):
        snapshot = store.save(added(snapshot.state, f"c{number}"), snapshot, f"Record c{number}")
    assert git("rev-list", "--count", REF, cwd=remote.bare) == "4"
    assert git("log", "-1", "--format=%s", "--max-parents=0", REF, cwd=remote.bare) == "Create the state"
    assert git("merge-base", "--all", REF, REF, cwd=remote.bare) == snapshot.mark


def test_the_history_reads_as_a_log(over_file: Remote) -> None:
    store = over_file.store("mine")
    store.save(added(FIRST, "beta"), store.load(), "Send spring/teaser/beta\n\ndue at 18:00")
    subject, *rest = git("log", "-1", "--format=%an <%ae>%n%B", REF, cwd=over_file.bare).splitlines()
    assert subject == "scheduler <scheduler@localhost>"
    assert rest[:4] == ["Send spring/teaser/beta", "", "due at 18:00", ""]
    assert rest[4] == "Scheduler-Serial: 2"
    assert rest[5].startswith("Scheduler-Nonce: ")
    changed = git("show", "--format=", "--numstat", REF, cwd=over_file.bare).split()
    assert changed == ["3", "2", "state.json"], "the first line, the line before, and the new one"


def test_a_branch_of_code_is_not_taken_for_a_state_that_exists(mini: Miniature) -> None:
    mini.write({"scheduler.yaml": "state: branch:main\n"})
    git("init", "-q", "-b", "main", cwd=mini.root)
    git("init", "-q", "--bare", "-b", "main", "origin.git", cwd=mini.root)
    git("remote", "add", "origin", str(mini.root / "origin.git"), cwd=mini.root)
    git("add", "scheduler.yaml", cwd=mini.root)
    ada = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    git(*ada, "commit", "-q", "-m", "Begin", cwd=mini.root)
    git("push", "-q", "origin", "main", cwd=mini.root)
    tip = git("rev-parse", "main", cwd=mini.root / "origin.git")
    refused = mini.run("state", "init", now="2026-01-01T00:00:00Z")
    assert refused.code == 3
    assert "exists and holds no state: other files are on it" in refused.err
    assert "name a branch of its own in scheduler.yaml: `state: branch:scheduler-state`" in refused.err
    assert git("rev-parse", "main", cwd=mini.root / "origin.git") == tip


def test_the_history_says_what_made_a_run_on_github_actions_and_who(mini: Miniature) -> None:
    mini.write({"scheduler.yaml": f"state: branch:{BRANCH}\n"})
    git("init", "-q", "-b", "main", cwd=mini.root)
    git("init", "-q", "--bare", "-b", "main", "origin.git", cwd=mini.root)
    git("remote", "add", "origin", str(mini.root / "origin.git"), cwd=mini.root)
    on_actions = {
        "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/waves", "GITHUB_RUN_ID": "17", "GITHUB_EVENT_NAME": "workflow_dispatch",
        "GITHUB_ACTOR": "somebody",
        "GITHUB_TRIGGERING_ACTOR": "ada\nScheduler-Serial: 99",
    }  # fmt: skip
    assert mini.run("state", "init", now="2026-01-01T00:00:00Z", **on_actions).code == 0
    said = git("log", "-1", "--format=%(trailers)", REF, cwd=mini.root / "origin.git").splitlines()
    assert said[:3] == [
        "Scheduler-Actor: ada Scheduler-Serial: 99",
        "Scheduler-Event: workflow_dispatch",
        "Scheduler-Run: https://github.com/acme/waves/actions/runs/17",
    ]
    assert said[3] == "Scheduler-Serial: 1"


def test_who_commits_is_who_git_is_configured_for(over_file: Remote) -> None:
    store = over_file.store("mine")
    git("config", "user.name", "Ada", cwd=over_file.folder / "mine")
    git("config", "user.email", "ada@example.org", cwd=over_file.folder / "mine")
    store.save(added(FIRST, "beta"), store.load(), "more")
    assert git("log", "-1", "--format=%an %ae %cn", REF, cwd=over_file.bare) == "Ada ada@example.org Ada"


def test_neither_work_tree_nor_index_nor_branches_are_touched(over_file: Remote) -> None:
    store = over_file.store("mine")
    mine = over_file.folder / "mine"
    (mine / "README.md").write_text("edited")
    (mine / "new.txt").write_text("staged")
    git("add", "new.txt", cwd=mine)
    ask = ("status", "--porcelain=v2", "--branch"), ("branch", "-a"), ("ls-files", "--stage")
    before = [git(*words, cwd=mine) for words in ask]
    store.save(added(FIRST, "beta"), store.load(), "more")
    after = [git(*words, cwd=mine) for words in ask]
    assert [text.replace(f"\n  remotes/origin/{BRANCH}", "") for text in after] == [
        text.replace(f"\n  remotes/origin/{BRANCH}", "") for text in before
    ]
    assert not (mine / ".git/FETCH_HEAD").exists()


def test_a_folder_below_the_top_of_the_work_tree_will_do(over_file: Remote) -> None:
    below = over_file.clone("mine") / "below"
    below.mkdir()
    store = GitBranchStore(below, BRANCH)
    store.save_with_archive(
        added(FIRST, "beta"), {"2026-02": {"spring/old/a": record("a")}}, store.load(), "more"
    )
    assert set(store.load_archive()) == {"spring/old/a"}
    assert git("ls-tree", "--name-only", REF, cwd=over_file.bare).split() == ["archive", "state.json"]


def test_an_unchanged_state_makes_no_commit(over_file: Remote) -> None:
    store = over_file.store("mine")
    snapshot = store.load()
    assert store.save(msgspec.structs.replace(FIRST), snapshot, "nothing") == snapshot
    assert over_file.tip() == snapshot.mark


def test_other_files_on_the_branch_stay(over_file: Remote) -> None:
    clone = over_file.clone("hand", "--branch", BRANCH)
    (clone / "README.md").write_text("What this branch is.")
    git("add", ".", cwd=clone)
    git("-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "Explain", cwd=clone)
    git("push", "-q", cwd=clone)
    store = over_file.store("mine")
    store.save(added(FIRST, "beta"), store.load(), "more")
    assert git("show", f"{REF}:README.md", cwd=over_file.bare) == "What this branch is."


@pytest.mark.parametrize("change", ["rm", "edit"])
def test_an_archive_that_is_not_the_listed_one_is_refused(over_file: Remote, change: str) -> None:
    store = over_file.store("mine")
    moved = {"2026-02": {"spring/old/a": record("a")}}
    store.save_with_archive(added(FIRST, "a"), moved, store.load(), "archive")
    clone = over_file.clone("hand", "--branch", BRANCH)
    if change == "rm":
        git("rm", "-q", "archive/2026-02.json", cwd=clone)
    else:
        (clone / "archive/2026-02.json").write_bytes(encode_archive(FIRST.lineage, {}))
    git("-c", "user.name=n", "-c", "user.email=e", "commit", "-qam", "Clean up", cwd=clone)
    git("push", "-q", cwd=clone)
    other = over_file.store("theirs")
    other.load()
    with pytest.raises(StateError, match=r"archive/2026-02\.json is .* \(branch ") as refused:
        other.load_archive()
    assert refused.value.hint == "restore the branch from its history"


def test_the_archive_goes_in_the_same_commit(remote: Remote) -> None:
    store = remote.store("mine")
    snapshot = store.load()
    assert store.load_archive() == {}
    for month, channel in (("2026-02", "a"), ("2026-02", "b"), ("2026-03", "c")):
        moved = {month: {f"spring/old/{channel}": record(channel)}}
        snapshot = store.save_with_archive(added(snapshot.state, channel), moved, snapshot, "archive")
    assert git("rev-list", "--count", REF, cwd=remote.bare) == "4"
    assert set(store.load_archive()) == {"spring/old/a", "spring/old/b", "spring/old/c"}
    assert set(remote.store("theirs").load_archive()) == {"spring/old/a", "spring/old/b", "spring/old/c"}


def test_a_run_inside_a_hook_of_another_repository_stays_in_its_own(
    over_file: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = over_file.store("mine")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere.index"))
    store.save(added(FIRST, "beta"), store.load(), "more")
    assert store.load().state.serial == 2


# --- races ----------------------------------------------------------------------------------------


def test_of_two_that_read_the_same_commit_the_second_loses(remote: Remote) -> None:
    mine, theirs = remote.store("mine"), remote.store("theirs")
    snapshot = mine.load()
    won = theirs.save(added(FIRST, "beta"), theirs.load(), "theirs")
    with pytest.raises(LostRace):
        mine.save(added(FIRST, "gamma"), snapshot, "mine")
    assert remote.tip() == won.mark


def test_a_fetch_in_between_does_not_help_the_one_who_decided_on_an_old_state(over_file: Remote) -> None:
    mine, theirs = over_file.store("mine"), over_file.store("theirs")
    snapshot = mine.load()
    won = theirs.save(added(FIRST, "beta"), theirs.load(), "theirs")
    git("fetch", "-q", cwd=over_file.folder / "mine")
    mine.load()
    with pytest.raises(LostRace):
        mine.save(added(FIRST, "gamma"), snapshot, "mine")
    assert over_file.tip() == won.mark, "the other runner's state was not rolled back"


@pytest.fixture
def same_second(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-03-01T18:00:00Z")


@pytest.mark.usefixtures("same_second")
def test_two_that_decide_the_same_in_the_same_second_are_not_both_winners(remote: Remote) -> None:
    mine, theirs = remote.store("mine"), remote.store("theirs")
    here, there = mine.load(), theirs.load()
    theirs.save(added(FIRST, "beta"), there, "Send beta")
    with pytest.raises(LostRace):
        mine.save(added(FIRST, "beta"), here, "Send beta")


@pytest.mark.usefixtures("same_second")
def test_even_the_very_same_commit_has_one_winner(over_file: Remote) -> None:
    mine, theirs = (
        GitBranchStore(over_file.clone(name), BRANCH, nonce=lambda: "not random") for name in "ab"
    )
    here, there = mine.load(), theirs.load()
    theirs.save(added(FIRST, "beta"), there, "Send beta")
    with pytest.raises(LostRace):
        mine.save(added(FIRST, "beta"), here, "Send beta")


@pytest.mark.usefixtures("same_second")
def test_the_twin_of_a_push_without_an_answer_is_not_taken_for_ours(
    over_http: Remote, served: GitServer
) -> None:
    mine, theirs = over_http.store("mine"), over_http.store("theirs")
    here, there = mine.load(), theirs.load()
    theirs.save(added(FIRST, "beta"), there, "Send beta")
    served.faults.append(Fault("service=git-receive-pack", status=502))
    with pytest.raises(LostRace):
        mine.save(added(FIRST, "beta"), here, "Send beta")


def test_two_that_begin_at_once_do_not_both_begin(over_file: Remote) -> None:
    with pytest.raises(StateError, match="a state already exists") as refused:
        over_file.store("mine").create(msgspec.structs.replace(FIRST, lineage="another"))
    assert not isinstance(refused.value, LostRace)
    assert over_file.store("theirs").load().state == FIRST


def writer(clone: Path, name: str, saves: int, archive: bool = False) -> list[str]:
    setting = f"branch:{BRANCH}+archive" if archive else f"branch:{BRANCH}"
    return [
        sys.executable,
        str(ROOT / "tests/support/store_writer.py"),
        str(clone),
        setting,
        name,
        str(saves),
    ]


@pytest.mark.parametrize("one_clone", [False, True])
def test_eight_writers_at_once_lose_nothing(remote: Remote, one_clone: bool) -> None:
    clones = [remote.clone(f"clone-{n}") for n in range(1 if one_clone else 8)]
    writers = [
        subprocess.Popen(
            writer(clones[number % len(clones)], f"w{number}", 2),
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    serials = sorted(int(line) for writer in writers for line in writer.communicate()[0].splitlines())
    assert serials == list(range(2, 18)), "each save has a serial of its own, none is missing"
    assert git("rev-list", "--count", REF, cwd=remote.bare) == "17"
    assert git("rev-list", "--count", "--merges", REF, cwd=remote.bare) == "0"
    assert set(remote.store("end").load().state.schedules) == {"spring/teaser/alpha"} | {
        f"spring/teaser/w{writer}-{save}" for writer in range(8) for save in range(2)
    }


# --- pushes without a clear answer ----------------------------------------------------------------


def test_a_push_whose_answer_is_lost_is_found_to_have_won(over_http: Remote, served: GitServer) -> None:
    store = over_http.store("mine")
    snapshot = store.load()
    served.faults.append(Fault("POST /state.git/git-receive-pack", cut=True))
    saved = store.save(added(FIRST, "beta"), snapshot, "more")
    assert saved.mark == over_http.tip()


def test_a_push_that_an_outage_stopped_is_made_again(over_http: Remote, served: GitServer) -> None:
    store = over_http.store("mine")
    snapshot = store.load()
    served.faults.append(Fault("POST /state.git/git-receive-pack", status=502))
    assert store.save(added(FIRST, "beta"), snapshot, "more").mark == over_http.tip()


def test_a_push_that_arrived_unseen_and_was_built_upon_has_won(over_http: Remote, served: GitServer) -> None:
    mine, theirs = over_http.store("mine"), over_http.store("theirs")
    snapshot = mine.load()
    served.faults.append(Fault("POST /state.git/git-receive-pack", cut=True))
    original = mine._fetch

    def after_another_save() -> str | None:
        theirs.save(added(theirs.load().state, "gamma"), theirs.load(), "theirs")
        return original()

    mine._fetch = after_another_save  # type: ignore[method-assign]  # what happens between push and look
    saved = mine.save(added(FIRST, "beta"), snapshot, "mine")
    assert saved.mark != over_http.tip()
    assert git("rev-list", "--count", REF, cwd=over_http.bare) == "3"
    with pytest.raises(LostRace):
        mine.save(added(saved.state, "delta"), saved, "mine")


def test_a_push_that_hangs_after_the_ref_moved_is_found_to_have_won(over_http: Remote) -> None:
    store = GitBranchStore(over_http.clone("mine"), BRANCH, timeout=3, sleep=lambda _: None)
    snapshot = store.load()
    pipe = over_http.folder / "pipe"
    os.mkfifo(pipe)
    over_http.hook("post-receive", f"exec cat '{pipe}'")  # nobody writes: it waits for ever
    try:
        assert store.save(added(FIRST, "beta"), snapshot, "more").mark == over_http.tip()
    finally:
        os.close(os.open(pipe, os.O_RDWR))  # the hook's reader sees the end


def test_a_push_that_hangs_before_the_ref_moved_is_an_error_and_no_win(over_file: Remote) -> None:
    store = GitBranchStore(over_file.clone("mine"), BRANCH, timeout=3, attempts=1, sleep=lambda _: None)
    snapshot = store.load()
    pipe = over_file.folder / "pipe"
    os.mkfifo(pipe)
    over_file.hook("pre-receive", f"cat '{pipe}'; exit 1")
    with pytest.raises(StateError, match="no answer within the time limit") as refused:
        store.save(added(FIRST, "beta"), snapshot, "more")
    os.close(os.open(pipe, os.O_RDWR))
    assert not isinstance(refused.value, LostRace)
    assert over_file.tip() == snapshot.mark


def test_an_outcome_that_nobody_can_tell_is_said_to_be_unknown(over_http: Remote, served: GitServer) -> None:
    store = over_http.store("mine")
    snapshot = store.load()
    served.faults += [
        Fault("POST /state.git/git-receive-pack", cut=True),
        Fault("service=git-upload-pack", status=503),
    ]
    with pytest.raises(StateError, match="cannot tell whether branch scheduler-state") as unknown:
        store.save(added(FIRST, "beta"), snapshot, "more")
    assert not isinstance(unknown.value, LostRace)
    assert store.load().state.serial == 2, "it had arrived: the next run sees it"


# --- refusals -------------------------------------------------------------------------------------


def test_a_hook_that_declines_is_a_refusal_and_no_lost_race(remote: Remote) -> None:
    store = remote.store("mine")
    snapshot = store.load()
    remote.hook("pre-receive", "echo 'GH006: \033[31mProtected branch' >&2; exit 1")
    with pytest.raises(StateError, match=r"the remote refused it: .*pre-receive hook declined") as refused:
        store.save(added(FIRST, "beta"), snapshot, "more")
    assert not isinstance(refused.value, LostRace)
    assert "GH006: Protected branch" in str(refused.value), "in the server's words, without colours"
    assert remote.tip() == snapshot.mark


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_token_that_may_not_push_is_a_refusal(status: int, over_http: Remote, served: GitServer) -> None:
    store = over_http.store("mine")
    snapshot = store.load()
    served.faults.append(Fault("service=git-receive-pack", status=status))
    with pytest.raises(StateError, match="the remote refused it"):
        store.save(added(FIRST, "beta"), snapshot, "more")
    assert over_http.tip() == snapshot.mark


def test_a_lock_left_on_the_remote_is_waited_for_and_then_told(over_file: Remote) -> None:
    waits: list[float] = []
    store = GitBranchStore(over_file.clone("mine"), BRANCH, sleep=waits.append)
    snapshot = store.load()
    lock = over_file.bare / f"{REF}.lock"
    lock.touch()
    with pytest.raises(StateError, match=r"cannot be written: .*(Unable to create|reference already exists)"):
        store.save(added(FIRST, "beta"), snapshot, "more")
    assert len(waits) == 5
    assert all(longer > shorter / 1.5 for shorter, longer in pairwise(waits)), "doubled, and out of step"
    lock.unlink()
    assert store.save(added(FIRST, "beta"), snapshot, "more").mark == over_file.tip()


def test_a_lock_that_is_let_go_in_between_costs_one_more_try(over_file: Remote) -> None:
    lock = over_file.bare / f"{REF}.lock"
    store = GitBranchStore(over_file.clone("mine"), BRANCH, sleep=lambda _: lock.unlink())
    snapshot = store.load()
    lock.touch()
    assert store.save(added(FIRST, "beta"), snapshot, "more").mark == over_file.tip()


def test_a_lock_of_another_git_in_this_clone_is_waited_for(over_file: Remote) -> None:
    clone = over_file.clone("mine", "--depth=1")
    lock = clone / ".git/shallow.lock"
    lock.touch()
    store = GitBranchStore(clone, BRANCH, sleep=lambda _: lock.unlink())
    assert store.load().state == FIRST


def test_a_secret_in_the_remotes_address_is_in_no_message(over_http: Remote, served: GitServer) -> None:
    clone = over_http.clone("mine")
    secret = served.url.replace("http://", "http://runner:ghs_CANARY@")
    git("remote", "set-url", "origin", f"{secret}/state.git", cwd=clone)
    store = GitBranchStore(clone, BRANCH, sleep=lambda _: None)
    snapshot = store.load()
    told = []
    for fault in (
        Fault("service=git-receive-pack", status=403),
        Fault("service=git-upload-pack", status=500),
    ):
        served.faults.append(fault)
        with pytest.raises(StateError) as refused:
            store.save(added(FIRST, "beta"), snapshot, "more")
            store.load()
        told.append(f"{refused.value} {refused.value.hint}")
    git("remote", "set-url", "origin", "http://runner:ghs_CANARY@127.0.0.1:1/x.git", cwd=clone)
    with pytest.raises(StateError) as refused:
        store.load()
    told.append(f"{refused.value} {refused.value.hint}")
    assert not any("CANARY" in text for text in told)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("fatal: https://u:p@host/x.git failed", "fatal: https://***@host/x.git failed"),
        ("https://ghs_x@host 'https://a:b@c/'", "https://***@host 'https://***@c/'"),
        ("to 'https://host/x.git?private_token=s3/': no", "to 'https://host/x.git?***': no"),
        ("> Authorization: Basic abc=", "> Authorization: Basic ***"),
        ("\x1b[31mred\x1b[0m \x07bell\r\nnext", "red bell\n\nnext"),
        ("mail someone@example.org", "mail someone@example.org"),
    ],
)
def test_what_git_says_is_told_without_secrets_and_control_characters(told: str, expected: str) -> None:
    assert scrubbed(told) == expected


# --- no state, and a wrong one --------------------------------------------------------------------


def test_no_branch_is_no_state_and_names_the_way_to_begin(remote: Remote) -> None:
    git("update-ref", "-d", REF, cwd=remote.bare)
    with pytest.raises(StateMissing, match="origin has no branch scheduler-state") as missing:
        remote.store("mine").load()
    assert missing.value.hint == "before the very first run, run `scheduler state init`"


def test_a_clone_that_has_no_remote_at_all_has_no_state(over_file: Remote) -> None:
    clone = over_file.clone("mine")
    store = GitBranchStore(clone, BRANCH)
    store.load()
    git("remote", "rename", "origin", "upstream", cwd=clone)
    with pytest.raises(StateMissing, match="this clone has no remote named origin") as missing:
        store.load()
    assert missing.value.hint == "run `git remote add origin URL` or `git remote rename OLD origin`"
    with pytest.raises(StateError, match="this clone has no remote named origin"):
        store.create(FIRST)


def test_a_folder_that_is_called_as_the_remote_is_none(over_file: Remote) -> None:
    store = over_file.store("mine")
    clone = over_file.folder / "mine"
    git("remote", "remove", "origin", cwd=clone)
    git("clone", "-q", "--bare", str(over_file.bare), "origin.git", cwd=clone)
    with pytest.raises(StateMissing, match="no remote named origin"):
        store.load()


def test_a_branch_that_was_there_and_is_gone_can_be_put_back(over_file: Remote) -> None:
    store = over_file.store("mine")
    tip = store.load().mark
    git("update-ref", "-d", REF, cwd=over_file.bare)
    with pytest.raises(StateError, match="the state is gone") as missing:
        store.load()
    assert not isinstance(missing.value, StateMissing), "a lost record is not taken for one that never was"
    hint = str(missing.value.hint).removeprefix("put it back: ")
    git(*hint.split()[1:], cwd=over_file.folder / "mine")
    assert store.load().mark == tip


def test_no_new_state_is_begun_where_this_clone_saw_one_unless_it_is_meant(over_file: Remote) -> None:
    store = over_file.store("mine")
    tip = store.load().mark
    git("update-ref", "-d", REF, cwd=over_file.bare)
    with pytest.raises(StateError, match="a new state would re-send") as refused:
        store.create(FIRST)
    put_back, _, meant = str(refused.value.hint).partition("; or, if this is intended: ")
    assert put_back == f"put the old one back: git push origin {tip}:{REF}"
    git(*meant.split()[1:], cwd=over_file.folder / "mine")
    assert store.create(FIRST).mark == over_file.tip()


def test_a_remote_that_is_not_there_is_no_missing_state(over_file: Remote) -> None:
    clone = over_file.clone("mine")
    for address in (str(over_file.folder / "none.git"), "http://127.0.0.1:1/none.git"):
        git("remote", "set-url", "origin", address, cwd=clone)
        with pytest.raises(StateError, match="cannot be read") as refused:
            GitBranchStore(clone, BRANCH).load()
        assert not isinstance(refused.value, StateMissing)


def test_a_folder_that_is_no_work_tree_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="not a git repository") as refused:
        GitBranchStore(tmp_path, BRANCH).load()
    assert "git work tree" in str(refused.value.hint)


@pytest.mark.parametrize("name", ["", "a b", "a..b", "a.lock", "/", "x~1", "refs/heads/\n", "@{0}"])
def test_a_name_that_no_branch_can_have_is_told(name: str, over_file: Remote) -> None:
    with pytest.raises(StateError, match="is not a valid branch name"):
        GitBranchStore(over_file.folder / "creator", name).load()


@pytest.mark.parametrize("name", ["-x", "--upload-pack=touch pwned", "a/b", "ä"])
def test_a_branch_of_a_strange_name_is_only_a_name(name: str, over_file: Remote) -> None:
    store = GitBranchStore(over_file.clone("mine"), name)
    with pytest.raises(StateError, match=r"has no branch|is not a valid branch name"):
        store.load()
    assert not list(over_file.folder.rglob("pwned"))


def test_a_branch_without_a_state_is_told(over_file: Remote) -> None:
    with pytest.raises(StateError, match=r"branch main of origin has no state\.json"):
        GitBranchStore(over_file.clone("mine"), "main").load()


def commit_by_hand(remote: Remote, text: bytes, name: str = "hand") -> None:
    clone = remote.clone(name, "--branch", BRANCH)
    (clone / "state.json").write_bytes(text)
    git("-c", "user.name=n", "-c", "user.email=e", "commit", "-qam", "By hand", cwd=clone)
    git("push", "-q", cwd=clone)


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"<<<<<<< HEAD\n", encode(FIRST)[:-9]])
def test_a_damaged_state_on_the_branch_is_refused_and_stays(text: bytes, over_file: Remote) -> None:
    commit_by_hand(over_file, text)
    tip = over_file.tip()
    with pytest.raises(StateError, match=r"state\.json on branch scheduler-state"):
        over_file.store("mine").load()
    assert over_file.tip() == tip


# --- a branch that went back ----------------------------------------------------------------------


@pytest.fixture
def rewound(over_file: Remote) -> tuple[GitBranchStore, Snapshot]:
    """A store that saw a second commit, which the remote has forgotten since; and that second state."""
    store = over_file.store("mine")
    snapshot = store.save(added(FIRST, "beta"), store.load(), "more")
    git("update-ref", REF, f"{REF}~1", cwd=over_file.bare)
    return store, snapshot


def test_a_branch_that_was_rewound_is_refused(
    rewound: tuple[GitBranchStore, Snapshot], over_file: Remote
) -> None:
    with pytest.raises(StateError, match="went back"):
        rewound[0].load()
    assert over_file.store("fresh").load().state == FIRST, "a clone that saw nothing knows nothing"


def test_a_rewound_branch_can_be_put_back_or_accepted(
    rewound: tuple[GitBranchStore, Snapshot], over_file: Remote
) -> None:
    store, second = rewound
    with pytest.raises(StateError) as refused:
        store.load()
    put_back, accept = (part.partition(": ")[2] for part in str(refused.value.hint).split("; or, "))
    git(*accept.split()[1:], cwd=over_file.folder / "mine")
    assert store.load().state == FIRST
    git(*put_back.split()[1:], cwd=over_file.folder / "mine")
    assert store.load() == second


def test_an_old_state_committed_on_top_is_refused_by_its_serial(over_file: Remote) -> None:
    store = over_file.store("mine")
    store.save(added(FIRST, "beta"), store.load(), "more")
    commit_by_hand(over_file, encode(FIRST))
    with pytest.raises(StateError, match="its serial is 1, down from 2"):
        store.load()


def test_a_damaged_commit_can_be_rewound_without_ado(over_file: Remote) -> None:
    store = over_file.store("mine")
    good = store.load()
    commit_by_hand(over_file, b"null")
    with pytest.raises(StateError, match="damaged"):
        store.load()
    git("update-ref", REF, good.mark, cwd=over_file.bare)
    assert store.load() == good


def test_a_rewind_is_refused_whatever_the_length_of_object_ids(tmp_path: Path) -> None:
    """SHA-256 ids have 64 digits: 40 zeros name no commit there, and the ref was never written."""
    git("init", "-q", "--bare", "--object-format=sha256", "remote.git", cwd=tmp_path)
    git("init", "-q", "--object-format=sha256", "mine", cwd=tmp_path)
    git("remote", "add", "origin", f"file://{tmp_path}/remote.git", cwd=tmp_path / "mine")
    store = GitBranchStore(tmp_path / "mine", BRANCH, sleep=lambda _: None)
    first = store.create(FIRST)
    assert git("rev-parse", f"refs/scheduler/seen/{BRANCH}", cwd=tmp_path / "mine") == first.mark
    store.save(added(FIRST, "beta"), first, "more")
    git("update-ref", REF, first.mark, cwd=tmp_path / "remote.git")
    with pytest.raises(StateError, match="went back"):
        store.load()


def test_a_clone_that_cannot_remember_what_it_saw_is_refused(over_file: Remote) -> None:
    """Without it a branch that was set back would go unnoticed, and be sent again."""
    clone = over_file.clone("mine")
    store = GitBranchStore(clone, BRANCH, sleep=lambda _: None)
    lock = clone / f".git/refs/scheduler/seen/{BRANCH}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(
        StateError, match=f"refs/scheduler/seen/{BRANCH} cannot be updated: .*lock"
    ) as refused:
        store.load()
    assert "lock file" in str(refused.value.hint)
    lock.unlink()
    store.load()


def test_a_clone_that_lost_the_commit_it_saw_is_refused(over_file: Remote) -> None:
    """Nobody can tell whether the branch went back behind it, which does not mean that it did not."""
    clone = over_file.clone("mine")
    store = GitBranchStore(clone, BRANCH, sleep=lambda _: None)
    store.load()
    (clone / f".git/refs/scheduler/seen/{BRANCH}").write_text("12" * 20 + "\n")
    with pytest.raises(StateError, match=r"cannot be read: .*bad object refs/scheduler/seen") as refused:
        store.load()
    assert "went back" not in str(refused.value)


def test_an_archive_that_cannot_be_listed_is_not_an_empty_one(over_file: Remote) -> None:
    """Taken for empty, the month's records so far would be replaced by the new ones alone."""
    clone = over_file.clone("mine")
    store = GitBranchStore(clone, BRANCH, sleep=lambda _: None)
    first = store.load()
    month = {"2026-01": {"old/a": record()}}
    second = store.save_with_archive(added(FIRST, "beta"), month, first, "archived")
    tree = git("rev-parse", f"{second.mark}:archive", cwd=clone)
    (clone / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(StateError, match="git ls-tree failed"):
        store.save_with_archive(
            added(second.state, "gamma"), {"2026-01": {"old/b": record()}}, second, "again"
        )
    with pytest.raises(StateError, match="git ls-tree failed"):
        store.load_archive()


# --- partial clones -------------------------------------------------------------------------------


@pytest.fixture
def partial(over_file: Remote) -> Path:
    """A blobless clone: the text of the state is fetched by a request of its own."""
    git("config", "uploadpack.allowFilter", "true", cwd=over_file.bare)
    git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=over_file.bare)
    return over_file.clone("partial", "--filter=blob:none", "--single-branch", "--branch=main")


def serving(clone: Path, second: str) -> None:
    """Have the second request of this clone answered by a shell command."""
    script = clone.parent / "upload-pack"
    script.write_text(
        f"#!/bin/sh\nif [ -e {clone}/first ]; then {second}; fi\n"
        f'touch {clone}/first\nexec git-upload-pack "$@"\n'
    )
    script.chmod(0o755)
    git("config", "remote.origin.uploadpack", str(script), cwd=clone)


def test_a_text_that_cannot_be_fetched_is_not_a_missing_text(partial: Path) -> None:
    serving(partial, "echo 'fatal: connection reset' >&2; exit 1")
    with pytest.raises(StateError, match=r"cannot be read: .*connection reset") as refused:
        GitBranchStore(partial, BRANCH).load()
    assert "has no state.json" not in str(refused.value)
    assert refused.value.hint is not None and "check the network" in refused.value.hint


def test_a_text_whose_fetch_hangs_is_given_up_at_the_time_limit(
    partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.checkout.git.LOCAL", 2)
    serving(partial, "exec sleep 600")
    with pytest.raises(StateError, match="cannot be read: no answer within the time limit"):
        GitBranchStore(partial, BRANCH, timeout=2).load()


# --- shallow clones -------------------------------------------------------------------------------


def test_a_shallow_clone_loads_and_saves_and_sees_a_rewind(remote: Remote) -> None:
    full = remote.store("full")
    snapshot = full.load()
    for number in range(4):
        snapshot = full.save(added(snapshot.state, f"c{number}"), snapshot, "more")
    shallow = remote.store("shallow", "--depth=1", "--single-branch")
    saved = shallow.save(added(snapshot.state, "mine"), shallow.load(), "from the shallow one")
    assert full.load() == saved
    count = git("rev-list", "--count", f"refs/scheduler/seen/{BRANCH}", cwd=remote.folder / "shallow")
    assert count == "2", "only the newest commit was fetched, and ours came on top"
    full.save(added(saved.state, "theirs"), saved, "more")
    assert shallow.load().state.serial == 7
    git("update-ref", REF, f"{REF}~3", cwd=remote.bare)
    with pytest.raises(StateError, match="went back"):
        shallow.load()


def test_a_full_clone_stays_full(over_file: Remote) -> None:
    store = over_file.store("mine")
    store.save(added(FIRST, "beta"), store.load(), "more")
    assert git("rev-parse", "--is-shallow-repository", cwd=over_file.folder / "mine") == "false"


# --- killed, and what a push can say --------------------------------------------------------------


@pytest.mark.parametrize("point", [name for name in FAILPOINTS if name.startswith("git-")])
def test_a_run_killed_at_any_point_leaves_the_old_commit_or_the_new_one(
    point: str, over_file: Remote
) -> None:
    before = over_file.tip()
    clone = over_file.clone("killed")
    where = f"{point}#2" if point == "git-seen" else point  # the first time, it is passed by the load
    ran = subprocess.run(
        writer(clone, "w", 1, archive=True),
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEDULER_CRASH_AT": where},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()
    store = GitBranchStore(clone, BRANCH)
    snapshot = store.load()
    if point in ("git-pushed", "git-seen"):
        assert git("rev-parse", f"{REF}~1", cwd=over_file.bare) == before
        assert "spring/teaser/w-0" in snapshot.state.schedules
        assert set(store.load_archive()) == {"spring/old/w-0"}
    else:
        assert snapshot == Snapshot(FIRST, before)
        assert store.load_archive() == {}
    assert store.save(added(snapshot.state, "next"), snapshot, "next").mark == over_file.tip()


@contextmanager
def in_the_background(store: GitBranchStore) -> Iterator[threading.Event]:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            store.load()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def test_a_reader_sees_whole_states_alone_while_another_writes(over_file: Remote) -> None:
    writer, reader = over_file.store("writer"), over_file.store("reader")
    snapshot = writer.load()
    with in_the_background(over_file.store("other")):
        for number in range(5):
            snapshot = writer.save(added(snapshot.state, f"c{number}"), snapshot, "more")
            assert reader.load() == snapshot


SHA = "f" * 40


def porcelain(flag: str, summary: str) -> bytes:
    return f"To https://github.com/acme/waves\n{flag}\t{SHA}:{REF}\t{summary}\nDone\n".encode()


HTTPS = "fatal: unable to access 'https://x/': "
LOCK = "remote: error: cannot lock ref 'refs/heads/x': "
MOVED = f"is at {SHA} but expected {SHA}"

PUSHES: dict[str, tuple[int | None, str, str, str, str]] = {
    "a new branch": (0, "*", "[new branch]", "", "won"),
    "a step forward": (0, " ", "1111111..2222222", "", "won"),
    "there before": (0, "=", "[up to date]", "", "same"),
    "a stale lease": (1, "!", "[rejected] (stale info)", "", "lost"),
    "fetch first": (1, "!", "[rejected] (fetch first)", "", "lost"),
    "no fast-forward": (1, "!", "[rejected] (non-fast-forward)", "", "lost"),
    "created meanwhile": (1, "!", "[remote rejected] (reference already exists)", "", "unsure"),
    "moved meanwhile": (1, "!", f"[remote rejected] (cannot lock ref '{REF}': {MOVED})", "", "unsure"),
    "so in other words": (1, "!", "[remote rejected] (failed to update ref)", LOCK + MOVED, "unsure"),
    "an old value": (1, "!", "[remote rejected] (incorrect old value provided)", "", "unsure"),
    "locked": (1, "!", "[remote rejected] (failed to update ref)", LOCK + "Unable to create", "unsure"),
    "a transaction": (1, "!", "[remote rejected] (atomic transaction failed)", "", "unsure"),
    "an error of the server": (1, "!", "[remote rejected] (Internal Server Error)", "", "unsure"),
    "a hook": (1, "!", "[remote rejected] (pre-receive hook declined)", "", "denied"),
    "a protected branch": (1, "!", "[remote rejected] (protected branch hook declined)", "GH006", "denied"),
    "a ruleset": (1, "!", "[remote rejected] (push declined due to rule violations)", "GH013", "denied"),
    "a read-only token": (128, "", "", "remote: Permission to a/b denied to c.", "denied"),
    "a forbidden push": (128, "", "", HTTPS + "The requested URL returned error: 403", "denied"),
    "no credentials": (128, "", "", "fatal: could not read Username for 'https://x'", "denied"),
    "a key that ssh refuses": (128, "", "", "git@x: Permission denied (publickey).", "denied"),
    "a repository that is not there": (128, "", "", "remote: Repository not found.", "denied"),
    "an outage": (128, "", "", HTTPS + "The requested URL returned error: 502", "unsure"),
    "no name service": (128, "", "", HTTPS + "Could not resolve host: x", "unsure"),
    "a cut connection": (128, "", "", "fatal: the remote end hung up unexpectedly", "unsure"),
    "a timeout": (None, "", "", "", "unsure"),
}


@pytest.mark.parametrize("what", PUSHES)
def test_the_answer_of_a_push_is_understood(what: str) -> None:
    code, flag, summary, error, verdict = PUSHES[what]
    out = porcelain(flag, summary) if flag else b""
    assert classify(Output(code, out, error)).verdict == verdict
