"""A record that was set back forgets what was sent. The channels' runs do not: what is late is looked up."""

from __future__ import annotations

import pytest
from git_repository import git
from github_stand_in import Fault, GitHub
from miniature import Miniature, Outcome

from scheduler.times import instant_text, read_utc

DUE = "2026-03-01T18:00:00Z"
ALPHA, BETA = "spring/teaser/alpha", "spring/teaser/beta"
WAVE = """
    schedules:
      - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha, beta] }
    """


def at(mini: Miniature, github: GitHub, minutes: int) -> Outcome:
    """A run so many minutes after the publish time, by both clocks."""
    now = read_utc(DUE) + 60 * minutes
    github.clock = lambda: float(now)
    return mini.json("run", now=instant_text(now))


@pytest.fixture
def forgetful(live: Miniature, github: GitHub) -> Miniature:
    """Both were sent in time; then the state was set back to what it was an hour before."""
    live.write({"waves/spring.yaml": WAVE})
    at(live, github, -60)
    before = (live.root / "state.json").read_bytes()
    assert at(live, github, 0).results == {ALPHA: "completed", BETA: "completed"}
    (live.root / "state.json").write_bytes(before)
    return live


def lookups(github: GitHub) -> int:
    return sum(seen.method == "GET" and seen.path.endswith("/actions/runs") for seen in github.requests)


def test_what_was_sent_and_forgotten_is_found_and_not_sent_again(
    forgetful: Miniature, github: GitHub
) -> None:
    outcome = at(forgetful, github, 20)
    assert (outcome.code, outcome.results) == (1, {ALPHA: "completed", BETA: "completed"})
    assert outcome.codes == ["forgotten", "forgotten"]
    assert len(github.dispatches) == 2, "each once, an hour ago"
    found = forgetful.records[ALPHA]
    assert (found["executed_at"], found["lateness_seconds"], found["run_id"]) == (
        DUE,
        0,
        github.repository("acme/alpha").runs[0].id,
    )
    assert found["history"][-2]["why"] == "it was sent before, but not recorded: a run carries its key"
    assert at(forgetful, github, 21).code == 0, "it is told once, in red"


def test_what_is_late_and_was_never_sent_is_sent(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": WAVE})
    at(live, github, -60)
    assert at(live, github, 20).results == {ALPHA: "completed", BETA: "completed"}
    assert (len(github.dispatches), lookups(github)) == (2, 2)


def test_what_is_hardly_late_is_sent_without_a_question(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": WAVE})
    at(live, github, 15)
    assert (len(github.dispatches), lookups(github)) == (2, 0)


def test_a_token_that_may_not_read_runs_holds_nothing_back(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": WAVE})
    github.faults = [Fault(status=403, method="GET", path="/actions/runs", times=None)]
    assert at(live, github, 20).results == {ALPHA: "completed", BETA: "completed"}
    assert len(github.dispatches) == 2


def test_one_that_was_sent_does_not_keep_its_neighbour_from_being_sent(
    forgetful: Miniature, github: GitHub
) -> None:
    github.repository("acme/beta").runs.clear()
    assert at(forgetful, github, 20).results == {ALPHA: "completed", BETA: "completed"}
    assert [dispatch.repository for dispatch in github.dispatches] == ["acme/alpha", "acme/beta", "acme/beta"]


def test_a_run_that_failed_is_what_is_recorded_where_the_run_counts(
    forgetful: Miniature, github: GitHub
) -> None:
    forgetful.channels("alpha", confirm="run")
    github.repository("acme/alpha").runs[0].conclude("failure")
    at(forgetful, github, 20)
    assert forgetful.statuses == {ALPHA: "failed (run_failed)", BETA: "completed"}
    assert len(github.dispatches) == 2


def test_a_fresh_clone_of_a_branch_that_was_set_back_sends_nothing_twice(
    live: Miniature, github: GitHub
) -> None:
    bare = live.root / "served.git"
    git(live.root, "init", "-q", "--bare", "-b", "main", str(bare))
    live.write({"waves/spring.yaml": WAVE, "scheduler.yaml": "state: branch:scheduler-state\n"})
    git(live.root, "init", "-q", "-b", "main")
    git(live.root, "add", "waves", "channels", "scheduler.yaml")
    git(live.root, "commit", "-q", "-m", "Announce spring")
    git(live.root, "remote", "add", "origin", str(bare))
    git(live.root, "push", "-q", "origin", "main")
    assert live.run("state", "init", now="2026-03-01T12:00:00Z").code == 0
    at(live, github, -60)
    before = git(bare, "rev-parse", "scheduler-state").strip()
    assert at(live, github, 0).results == {ALPHA: "completed", BETA: "completed"}
    git(bare, "update-ref", "refs/heads/scheduler-state", before)

    refused = live.run("run", now="2026-03-01T18:20:00Z")
    assert (refused.code, len(github.dispatches)) == (3, 2), "this clone has seen the newer one"

    git(live.root, "clone", "-q", str(bare), "fresh")
    fresh = Miniature(live.root / "fresh")
    fresh.environ = live.environ
    found = at(fresh, github, 20)
    assert (found.code, found.codes) == (1, ["forgotten", "forgotten"])
    assert len(github.dispatches) == 2
