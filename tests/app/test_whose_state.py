"""Whose state it is: a state on a branch is that of one folder of the repository, and follows one branch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from git_repository import commit_all, git
from github_stand_in import GitHub
from miniature import Miniature

DAYS_BEFORE, LATE = "2026-02-20T12:00:00Z", "2026-03-01T18:03:00Z"
ON_A_BRANCH = "state: branch:scheduler-state\n"


def wave(video: str, channel: str, more: str = "") -> str:
    entry = f"{{type: simultaneous, video: {video}, at: 2026-03-01T18:00:00Z, channels: [{channel}]}}"
    return f"{more}schedules:\n  - {entry}\n"


class Monorepo:
    """A clone with an origin, and the folders `media` and `shop/de` with a scheduler each."""

    def __init__(self, top: Path, github: GitHub) -> None:
        self.top = top
        git(top, "init", "-q", "--bare", "-b", "main", "origin.git")
        git(top, "init", "-q", "-b", "main")
        git(top, "remote", "add", "origin", str(top / "origin.git"))
        self.media, self.shop = (Miniature(top / name) for name in ("media", "shop/de"))
        for mini, channel in ((self.media, "alpha"), (self.shop, "beta")):
            github.repository(f"acme/{channel}")
            mini.environ |= {"GITHUB_API_URL": github.url, "HOME": str(top)}
            mini.channels(channel).write(
                {"scheduler.yaml": ON_A_BRANCH, f"waves/{channel}.yaml": wave(channel, channel)}
            )
        self.commit("Begin")
        assert self.media.run("state", "init", now=DAYS_BEFORE).code == 0

    def commit(self, message: str) -> str:
        git(self.top, "add", "-A", "media", "shop")
        git(self.top, "commit", "-q", "--allow-empty", "-m", message)
        git(self.top, "push", "-q", "origin", "HEAD:main")
        return git(self.top, "rev-parse", "HEAD")

    @property
    def state(self) -> Any:
        return json.loads(self.media.run("state", "show").out)

    def forget_owner(self) -> None:
        """Make the state one of version 1, which names no folder."""
        text = git(self.top, "show", "origin/scheduler-state:state.json")
        facts = {
            name: value for name, value in json.loads(text).items() if name not in ("folder", "checksum")
        }
        git(self.top, "switch", "-q", "--detach", "origin/scheduler-state")
        (self.top / "state.json").write_text(json.dumps(facts | {"version": 1}), encoding="utf-8")
        git(self.top, "commit", "-q", "-m", "An older program", "state.json")
        git(self.top, "push", "-q", "origin", "HEAD:scheduler-state")
        git(self.top, "switch", "-q", "main")
        git(self.top, "fetch", "-q", "origin")


@pytest.fixture
def monorepo(tmp_path: Path, github: GitHub) -> Monorepo:
    return Monorepo(tmp_path, github)


def test_another_folder_s_state_is_refused_before_anything_is_cancelled(
    monorepo: Monorepo, github: GitHub
) -> None:
    assert monorepo.media.run("run", now=DAYS_BEFORE).code == 0
    before = monorepo.state
    assert (before["folder"], before["branch"]) == ("media", "main")
    for command in (
        ("run",), ("run", "--force", "--adopt"), ("run", "--dry-run"), ("plan",), ("validate",), ("list",),
        ("retry", "alpha/alpha/alpha"), ("worker", "--once"),
    ):  # fmt: skip
        refused = monorepo.shop.run(*command, now=LATE, SCHEDULER_ALLOW_COMMANDS="1")
        assert refused.code == 3, command
        assert "is the state of the folder media, not of shop/de" in refused.err
        assert "write `state: branch:scheduler-state-shop-de`" in refused.err
    refused = monorepo.shop.run("state", "init", now=LATE)
    assert (refused.code, "a branch of its own" in refused.err) == (3, True)
    assert (monorepo.state, github.dispatches) == (before, [])
    assert monorepo.media.json("run", now=LATE).results == {"alpha/alpha/alpha": "completed"}


def test_each_folder_with_a_branch_of_its_own_publishes_its_own(monorepo: Monorepo, github: GitHub) -> None:
    monorepo.shop.write({"scheduler.yaml": "state: branch:scheduler-state-shop-de\n"})
    assert monorepo.shop.run("state", "init", now=DAYS_BEFORE).code == 0
    for _ in range(2):
        for mini in (monorepo.media, monorepo.shop):
            assert mini.run("run", now=LATE).code == 0
    assert sorted(dispatch.payload["video_id"] for dispatch in github.dispatches) == ["alpha", "beta"]


@pytest.mark.parametrize("change", ["nothing", "a title", "everything"])
def test_a_state_that_names_no_folder_is_taken_by_the_one_that_declares_what_is_in_it(
    monorepo: Monorepo, change: str
) -> None:
    monorepo.media.run("run", now=DAYS_BEFORE)
    monorepo.forget_owner()
    if change == "a title":
        monorepo.media.write({"waves/alpha.yaml": wave("alpha", "alpha", "title: Spring\n")})
    elif change == "everything":
        monorepo.media.remove("waves/alpha.yaml").write({"waves/new.yaml": wave("new", "alpha")})
    for command in ("plan", "run"):
        assert monorepo.shop.run(command, now=DAYS_BEFORE).code == 3
    taken = monorepo.media.run("run", now=DAYS_BEFORE)
    assert taken.code == (3 if change == "everything" else 0)
    assert monorepo.state.get("folder") == (None if change == "everything" else "media")
    if change == "everything":
        assert "is the state of another folder of this repository, not of media" in taken.err
        assert monorepo.media.run("state", "adopt").code == 0
        assert monorepo.media.run("run", now=DAYS_BEFORE).code == 0


def test_after_a_renaming_the_state_is_adopted_once(monorepo: Monorepo) -> None:
    monorepo.media.run("run", now=DAYS_BEFORE)
    (monorepo.top / "media").rename(monorepo.top / "films")
    monorepo.commit("Rename the folder")
    films = Miniature(monorepo.top / "films")
    films.environ = monorepo.media.environ
    assert films.run("run", now=DAYS_BEFORE).code == 3
    adopted = films.run("state", "adopt")
    assert adopted.out == (
        "branch scheduler-state is now the state of the folder films, and no longer of media\n"
    )
    assert films.run("state", "adopt").out == "branch scheduler-state is already the state of this folder\n"
    assert films.run("run", now=DAYS_BEFORE).code == 0
    assert json.loads(films.run("state", "show").out)["folder"] == "films"


def test_at_the_top_the_folder_is_a_dot_and_a_state_in_a_file_names_none(
    live: Miniature, tmp_path: Path
) -> None:
    live.run("run", now=DAYS_BEFORE)
    assert "folder" not in live.state
    top = Miniature(tmp_path / "top").channels("alpha").write({"scheduler.yaml": ON_A_BRANCH})
    git(top.root, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(top.root, "init", "-q", "-b", "main")
    git(top.root, "remote", "add", "origin", str(top.root / "origin.git"))
    top.run("state", "init", now=DAYS_BEFORE)
    assert json.loads(top.run("state", "show").out)["folder"] == "."


def test_a_file_outside_of_the_folders_is_the_state_of_one_of_them(monorepo: Monorepo) -> None:
    for mini in (monorepo.media, monorepo.shop):
        mini.write({"scheduler.yaml": f"state: {monorepo.top}/state.json\n"})
    assert monorepo.media.run("state", "init", now=DAYS_BEFORE).code == 0
    assert monorepo.media.run("run", now=DAYS_BEFORE).code == 0
    refused = monorepo.shop.run("run", now=DAYS_BEFORE)
    assert (refused.code, "of the folder media, not of shop/de" in refused.err) == (3, True)


# --- the branch -----------------------------------------------------------------------------------


def test_another_branch_is_refused_even_where_it_is_ahead(live: Miniature, github: GitHub) -> None:
    git(live.root, "init", "-q", "-b", "main")
    commit_all(live.root, "Begin")
    assert live.run("run", now=DAYS_BEFORE).code == 0
    assert live.state["branch"] == "main"
    git(live.root, "switch", "-q", "-c", "idea")
    for files in ({}, {"waves/w.yaml": wave("v", "alpha")}):
        live.write(files)
        refused = live.run("run", now=LATE)  # also where nothing is different, and a run on main ends at once
        assert refused.code == 1
        assert "this checkout is on the branch idea, but the state follows main" in refused.err
        assert "`git switch main`" in refused.err
    commit_all(live.root, "An idea")
    assert live.json("plan", now=DAYS_BEFORE).codes == ["stale-checkout"]
    assert live.json("validate", now=DAYS_BEFORE).codes == []
    git(live.root, "switch", "-q", "--detach")
    assert live.run("run", "--dry-run", now=LATE).code == 0
    assert github.dispatches == []
    git(live.root, "switch", "-q", "idea")
    assert live.run("run", "--adopt", now=DAYS_BEFORE).code == 0
    assert live.state["branch"] == "idea"
    git(live.root, "switch", "-q", "main")
    assert live.run("run", now=DAYS_BEFORE).code == 1


def test_on_actions_the_branch_is_that_of_the_event(monorepo: Monorepo) -> None:
    """The checkout there may be detached, and a pull request or a tag is of no branch."""
    monorepo.media.run("run", now=DAYS_BEFORE)
    for ref, code in (
        ("refs/heads/main", 0), ("refs/heads/idea", 1), ("refs/pull/7/merge", 0), ("refs/tags/v1", 0),
    ):  # fmt: skip
        ended = monorepo.media.run("run", now=DAYS_BEFORE, GITHUB_ACTIONS="true", GITHUB_REF=ref)
        assert ended.code == code, ref
        assert monorepo.state["branch"] == "main"
