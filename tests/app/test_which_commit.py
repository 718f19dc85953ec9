"""Which commit a run may act on: one that contains what was recorded last, or the tip of the remote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from git_repository import commit_all, git
from github_stand_in import GitHub
from miniature import Miniature

DAYS_BEFORE = "2026-02-20T12:00:00Z"
LATE = "2026-03-01T18:03:00Z"


def wave(video: str, *channels: str, top: str = "") -> str:
    entry = (
        f"{{type: simultaneous, video: {video}, at: 2026-03-01T18:00:00Z, channels: [{', '.join(channels)}]}}"
    )
    return f"{top}schedules:\n  - {entry}\n"


class Home(NamedTuple):
    """A remote, an operator's clone of it that is up to date, and the folder for more clones."""

    folder: Path
    main: Miniature

    def clone(self, name: str, *options: str) -> Miniature:
        """Another clone of the remote, with the same environment."""
        git(self.folder, "clone", "-q", *options, f"file://{self.folder}/origin.git", name)
        clone = Miniature(self.folder / name)
        clone.environ = self.main.environ | {"HOME": str(self.folder)}
        return clone

    def push(self, message: str, files: dict[str, str]) -> str:
        git(self.main.write(files).root, "add", "-A")
        commit = commit_all(self.main.root, message)
        git(self.main.root, "push", "-q", "origin", "HEAD:main")
        return commit

    @property
    def statuses(self) -> dict[str, str]:
        shown = json.loads(self.main.run("state", "show").out)
        return {name: record["status"] for name, record in shown["schedules"].items()}

    @property
    def recorded(self) -> str | None:
        commit: str | None = json.loads(self.main.run("state", "show").out)["declared"]["commit"]
        return commit


@pytest.fixture
def home(tmp_path: Path, github: GitHub) -> Home:
    """Two channels and the wave `spring` on main, recorded."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(tmp_path / "origin.git", "config", "uploadpack.allowFilter", "true")
    made = Home(tmp_path, Miniature(tmp_path / "main").channels("alpha", "beta"))
    made.main.environ["GITHUB_API_URL"] = github.url
    git(made.main.root, "init", "-q", "-b", "main")
    git(made.main.root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    settings = "state: branch:scheduler-state\n"
    made.push("Announce spring", {"scheduler.yaml": settings, "waves/spring.yaml": wave("teaser", "alpha")})
    assert made.main.run("state", "init", now=DAYS_BEFORE).code == 0
    assert made.main.run("run", now=DAYS_BEFORE).code == 0
    return made


def test_a_checkout_that_lacks_what_was_merged_publishes_and_withdraws_nothing(
    home: Home, github: GitHub
) -> None:
    mine = home.clone("mine")
    git(mine.root, "switch", "-q", "--detach")
    commit_all(mine.write({"waves/idea.yaml": wave("unreviewed", "beta")}).root, "An idea")
    merged = home.push("Announce summer", {"waves/summer.yaml": wave("merged", "beta")})
    home.main.run("run", now=DAYS_BEFORE)
    for knows_it in (False, True):
        if knows_it:
            git(mine.root, "fetch", "-q", "origin")
        refused = mine.run("run", "--force", now=LATE)
        assert refused.code == 1
        assert f"does not contain the one recorded last ({merged[:12]})" in refused.err
        assert "`scheduler run --adopt`" in refused.err
        assert mine.run("retry", "spring/teaser/alpha", now=LATE).code == 1
        for command in ("plan", "validate"):
            assert mine.json(command, now=DAYS_BEFORE).codes == ["stale-checkout"]
    assert github.dispatches == []
    assert home.statuses == {"spring/teaser/alpha": "pending", "summer/merged/beta": "pending"}


def test_a_rebased_proposal_is_planned_without_a_warning(home: Home) -> None:
    mine = home.clone("mine")
    git(mine.root, "switch", "-q", "-c", "idea")
    commit_all(mine.write({"waves/idea.yaml": wave("proposed", "beta")}).root, "An idea")
    assert mine.json("validate", now=DAYS_BEFORE).codes == []


def test_adopt_takes_a_checkout_over(home: Home) -> None:
    mine = home.clone("mine")
    home.push("Announce summer", {"waves/summer.yaml": wave("merged", "beta")})
    home.main.run("run", now=DAYS_BEFORE)
    assert mine.run("run", now=DAYS_BEFORE).code == 1
    assert mine.run("run", "--dry-run", "--adopt", now=DAYS_BEFORE).code == 0
    assert home.statuses["summer/merged/beta"] == "pending"
    assert mine.run("run", "--adopt", now=DAYS_BEFORE).code == 0
    assert home.statuses["summer/merged/beta"] == "cancelled"
    assert mine.run("run", now=DAYS_BEFORE).code == 0


def test_adopt_is_not_the_brake_s_force(home: Home) -> None:
    """`--force` is about how much is cancelled, `--adopt` about whose word counts."""
    many = {f"waves/w{n}.yaml": wave(f"v{n}", "beta").replace("03-01", f"04-{n + 1:02}") for n in range(12)}
    home.push("Announce a lot", many)
    home.main.run("run", now=DAYS_BEFORE)
    mine = home.clone("mine")
    git(mine.root, "reset", "-q", "--hard", "HEAD~1")
    held = mine.json("run", "--adopt", now=DAYS_BEFORE)
    assert (held.code, held.codes) == (1, ["brake"])
    assert "cancelled" not in home.statuses.values()


def test_the_same_files_by_other_commits_are_what_is_recorded(home: Home) -> None:
    """A squash or a rebase makes other commits of what was run before it was merged."""
    git(home.main.root, "switch", "-q", "-c", "idea")
    for n in (1, 2):
        commit_all(home.main.write({f"waves/w{n}.yaml": wave(f"v{n}", "beta")}).root, f"Part {n}")
        home.main.write({f"waves/w{n}.yaml": wave(f"v{n}", "beta").replace("03-01", f"03-0{n + 3}")})
    commit_all(home.main.root, "Part 3")
    assert home.main.run("run", "--adopt", now=DAYS_BEFORE).code == 0
    git(home.main.root, "switch", "-q", "main")
    git(home.main.root, "merge", "-q", "--squash", "idea")
    home.push("An idea, squashed", {})
    outcome = home.main.json("run", "--adopt", now=DAYS_BEFORE)
    assert (outcome.code, outcome.codes) == (0, [])
    home.push("Announce summer", {"waves/summer.yaml": wave("merged", "alpha").replace("03-01", "03-20")})
    outcome = home.main.json("run", now=DAYS_BEFORE)
    assert outcome.code == 0, outcome.err
    assert home.statuses["summer/merged/alpha"] == "pending"


def test_a_commit_between_two_of_the_same_files_stays_outdated(home: Home, github: GitHub) -> None:
    """Announced and called off between two runs: the same files as before, by a newer commit."""
    between = home.push("Announce a mistake", {"waves/mistake.yaml": wave("wrong", "beta")})
    home.main.remove("waves/mistake.yaml")
    tip = home.push("Call it off", {})
    home.main.run("run", now=DAYS_BEFORE)
    assert home.recorded == tip
    git(home.main.root, "checkout", "-q", between)
    assert home.main.run("run", now=LATE).code == 1
    assert github.dispatches == []


def test_a_branch_that_was_set_back_is_a_warning_at_its_tip_alone(home: Home) -> None:
    before = git(home.main.root, "rev-parse", "HEAD")
    home.push("Announce summer", {"waves/summer.yaml": wave("merged", "beta")})
    home.main.run("run", now=DAYS_BEFORE)
    git(home.main.root, "reset", "-q", "--hard", before)
    assert home.main.run("run", now=DAYS_BEFORE).code == 1
    git(home.main.root, "push", "-q", "--force", "origin", "main")
    outcome = home.main.json("run", now=DAYS_BEFORE)
    assert (outcome.code, outcome.codes) == (0, ["stale-checkout"])
    assert "was set back or rewritten" in outcome.json["diagnostics"][0]["message"]
    assert home.statuses["summer/merged/beta"] == "cancelled"
    assert home.main.json("run", now=DAYS_BEFORE).codes == []


def test_a_shallow_checkout_fetches_commits_alone_and_stays_as_it_is(home: Home) -> None:
    """As a workflow has it: one commit deep."""
    for n in range(3):
        home.push(f"Part {n}", {f"waves/w{n}.yaml": wave(f"v{n}", "beta").replace("03-01", f"03-0{n + 3}")})
    clone = home.clone("clone", "--depth", "1")
    config = (clone.root / ".git/config").read_bytes()
    outcome = clone.json("run", now=DAYS_BEFORE)
    assert (outcome.code, outcome.codes) == (0, [])
    assert home.recorded == git(clone.root, "rev-parse", "HEAD")
    assert (clone.root / ".git/config").read_bytes() == config
    assert git(clone.root, "rev-list", "--count", "HEAD") == "1"
    assert not list(clone.root.parent.glob("scheduler-history-*"))


def test_a_shallow_checkout_of_an_old_commit_is_refused(home: Home, github: GitHub) -> None:
    """An old workflow run that was started again."""
    old = home.clone("old", "--depth", "1")
    home.push("Call spring off", {"waves/spring.yaml": wave("teaser", "alpha", top="cancelled: true\n")})
    home.main.run("run", now=DAYS_BEFORE)
    assert old.run("run", now=LATE).code == 1
    assert github.dispatches == []


@pytest.mark.parametrize("depth", ["--depth=1", "--single-branch"])
def test_a_history_that_cannot_be_asked_for_is_not_taken_for_the_right_one(
    home: Home, github: GitHub, depth: str
) -> None:
    """Neither where a shallow clone lacks it, nor where a whole clone may be the tip of a branch set back."""
    clone = home.clone("clone", depth).write({"scheduler.yaml": "state: state.json\n"})
    home.push("Announce summer", {"waves/summer.yaml": wave("merged", "beta")})
    home.main.run("run", now=DAYS_BEFORE)
    (clone.root / "state.json").write_text(home.main.run("state", "show").out, encoding="utf-8")
    (home.folder / "origin.git").rename(home.folder / "moved.git")
    refused = clone.run("run", now=LATE)
    assert refused.code == 3
    assert "cannot tell whether this checkout is older than the one recorded last" in refused.err
    assert clone.run("run", "--adopt", "--dry-run", now=LATE).code == 0
    assert github.dispatches == []


def test_the_history_is_asked_for_as_this_clone_s_own_configuration_says(home: Home) -> None:
    """A token, a proxy or a program for ssh that only this clone's configuration names."""
    clone = home.clone("clone", "--depth", "1")
    home.push("Announce summer", {"waves/summer.yaml": wave("merged", "beta")})
    git(clone.root, "fetch", "-q", "--depth", "1", "origin", "main")
    git(clone.root, "reset", "-q", "--hard", "FETCH_HEAD")
    git(clone.root, "config", "remote.origin.url", "../origin.git")
    server = home.folder / "serve"
    server.write_text(f'#!/bin/sh\necho asked >>{home.folder}/log\nexec git-upload-pack "$@"\n')
    server.chmod(0o755)
    git(clone.root, "config", "remote.origin.uploadpack", str(server))
    assert clone.run("run", "--dry-run", now=DAYS_BEFORE).code == 0
    assert (home.folder / "log").read_text().count("asked") >= 2  # for the state, and for the history
    assert home.statuses.keys() == {"spring/teaser/alpha"}


def test_without_a_remote_another_history_is_refused(home: Home, github: GitHub) -> None:
    clone = home.clone("clone")
    clone.write({"scheduler.yaml": "state: state.json\n"}).run("state", "init", now=DAYS_BEFORE)
    assert clone.run("run", now=DAYS_BEFORE).code == 0
    clone.write({"waves/spring.yaml": wave("teaser", "alpha", top="title: Spring\n")})
    shutil.rmtree(clone.root / ".git")
    git(clone.root, "init", "-q", "-b", "main")
    commit_all(clone.root, "Begin a new history")
    refused = clone.run("run", now=LATE)
    assert (refused.code, github.dispatches) == (1, [])
    assert "`scheduler run --adopt`" in refused.err
    clone.run("run", "--adopt", now=DAYS_BEFORE)
    assert clone.state["declared"]["commit"] == git(clone.root, "rev-parse", "HEAD")
