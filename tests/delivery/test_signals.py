"""Runners that are stopped, suspended and killed from outside, at the moments where it matters.

Each runner is a process of its own. `SCHEDULER_STOP_AT` suspends it at a named failpoint, as a machine does
that goes to sleep: meanwhile another runner takes over, and then the first one wakes up.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker_servers import eventually
from due import DUE, after, posts, run
from git_repository import git
from github_stand_in import Fault, GitHub
from miniature import Miniature
from state_branch import put_on_a_branch

from scheduler.clock import Clock
from scheduler.times import read_utc

ALPHA = "spring/teaser/alpha"
WAVE = """
    schedules:
      - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha] }
    """


def keys(github: GitHub) -> list[str]:
    return [dispatch.payload["key"] for dispatch in github.dispatches]


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """One schedule that is due, with the state in a file."""
    github.clock = lambda: float(read_utc(DUE))
    return live.write({"waves/spring.yaml": WAVE})


def begun_on_a_branch(mini: Miniature) -> Path:
    """From now on the state is on a branch of a remote, which is returned."""
    remote = put_on_a_branch(mini)
    assert mini.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    return remote


@contextmanager
def suspended(mini: Miniature, at: str) -> Iterator[subprocess.Popen[str]]:
    """A run that is asleep at a failpoint for as long as the block runs, and then ends as it will."""
    process = mini.start("--now", DUE, "run", SCHEDULER_STOP_AT=at)
    try:
        met = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert met is not None
        assert met.si_code == os.CLD_STOPPED, "it never came to that failpoint"
        yield process
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()


# --- runners that wake up after another one took over -------------------------------------------------


def test_at_most_once_a_runner_that_wakes_up_late_makes_the_only_request(
    spring: Miniature, github: GitHub
) -> None:
    with suspended(spring, "before-send"):
        for seconds in (130, 1000):
            run(spring, github, seconds)
        assert (spring.statuses, posts(github)) == ({ALPHA: "failed (unknown_outcome)"}, 0)
    assert posts(github) == 1
    assert run(spring, github, 2000).results == {ALPHA: "completed"}  # its run is found after all
    assert posts(github) == 1


def test_at_least_once_a_runner_that_wakes_up_late_sends_the_same_key_again(
    spring: Miniature, github: GitHub
) -> None:
    spring.channels("alpha", delivery="at-least-once")
    with suspended(spring, "before-send"):
        for seconds in (130, 1000):
            run(spring, github, seconds)
        assert (spring.statuses, posts(github)) == ({ALPHA: "completed"}, 1)
    assert len(keys(github)) == 2, "no sender can prevent this one"
    assert len(set(keys(github))) == 1, "the channel's claim of the key makes one publication of it"
    assert (spring.statuses, spring.records[ALPHA]["attempts"]) == ({ALPHA: "completed"}, 2)


@pytest.mark.parametrize("asleep", ["answered", "outcome-saved"])
def test_a_runner_that_wakes_up_with_its_answer_overwrites_nothing(
    spring: Miniature, github: GitHub, asleep: str
) -> None:
    with suspended(spring, asleep) as process:
        run(spring, github, 150)
        before = spring.records
        assert spring.statuses == {ALPHA: "completed"}
    assert process.returncode == 0
    assert (spring.records, posts(github)) == (before, 1)


@pytest.mark.parametrize("asleep", ["git-fetched", "git-committed"])
def test_a_runner_that_wakes_up_before_its_push_has_lost_and_decides_again(
    spring: Miniature, github: GitHub, asleep: str
) -> None:
    begun_on_a_branch(spring)
    with suspended(spring, asleep) as process:
        assert run(spring, github, 10).results == {ALPHA: "completed"}
    assert process.returncode == 0
    assert posts(github) == 1


def test_deadlines_go_on_while_a_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a runner which was put to sleep after its decision knows that it is too late to send."""
    shown = {time.CLOCK_MONOTONIC: 100.0, getattr(time, "CLOCK_BOOTTIME", None): 3_700.0}
    monkeypatch.setattr(time, "clock_gettime", shown.__getitem__)
    assert Clock().monotonic() == max(shown.values())


# --- asked to end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_on_a_branch_too_what_is_in_flight_is_finished_and_recorded(
    spring: Miniature, github: GitHub, number: signal.Signals
) -> None:
    begun_on_a_branch(spring)
    github.repository("acme/alpha").faults = [Fault("slow", delay=0.5)]
    process = spring.start("--now", DUE, "run")
    eventually(lambda: posts(github), "its request is there")
    process.send_signal(number)
    process.send_signal(number)  # somebody is impatient
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (row,) = spring.json("list", now=after(10)).json["schedules"]
    assert (row["status"], row["evidence"]) == ("completed", "accepted")


def test_asked_to_end_before_its_request_left_it_takes_the_intent_back(
    spring: Miniature, github: GitHub
) -> None:
    with suspended(spring, "intent-saved") as process:
        process.send_signal(signal.SIGTERM)
    assert (spring.statuses, posts(github)) == ({ALPHA: "pending"}, 0)
    assert run(spring, github, 90).results == {ALPHA: "completed"}
    assert posts(github) == 1


# --- killed from outside ------------------------------------------------------------------------------

BLOCKING = """#!/bin/sh
test "$(git rev-list --count scheduler-state)" -lt {commits} && exit
: > '{remote}/blocked'
exec cat '{remote}/pipe'
"""


def killed_while_it_pushes(mini: Miniature, remote: Path, commits: int) -> None:
    """A run that is killed when the branch has so many commits and that push has no answer yet."""
    os.mkfifo(remote / "pipe")
    hook = remote / "hooks/post-receive"
    hook.write_text(BLOCKING.format(remote=remote, commits=commits))
    hook.chmod(0o755)
    process = mini.start("--now", DUE, "run")
    try:
        eventually((remote / "blocked").exists, "the branch has moved")
    finally:
        process.kill()
        process.communicate(timeout=60)
        hook.unlink()
        os.close(os.open(remote / "pipe", os.O_RDWR))  # the hook's reader sees the end


def test_killed_while_it_pushes_the_intent_it_is_told_to_a_person(spring: Miniature, github: GitHub) -> None:
    remote = begun_on_a_branch(spring)
    killed_while_it_pushes(spring, remote, commits=2)
    assert (posts(github), git(remote, "rev-list", "--count", "scheduler-state")) == (0, "2")
    in_flight = run(spring, github, 60)
    assert (in_flight.code, in_flight.results) == (0, {})
    for seconds in (150, 1000):
        last = run(spring, github, seconds)
    assert (last.results, posts(github)) == ({ALPHA: "failed"}, 0)


def test_killed_while_it_pushes_the_outcome_it_is_known_all_the_same(
    spring: Miniature, github: GitHub
) -> None:
    remote = begun_on_a_branch(spring)
    killed_while_it_pushes(spring, remote, commits=3)
    assert run(spring, github, 60).results == {}
    (row,) = spring.json("list", now=after(60)).json["schedules"]
    assert (row["status"], posts(github)) == ("completed", 1)


def test_killed_after_some_of_many_each_is_found_or_told(live: Miniature, github: GitHub) -> None:
    github.clock = lambda: float(read_utc(DUE))
    answered, lost, gone = ([f"{kind}{number}" for number in range(4)] for kind in "alg")
    names = [*answered, *lost, *gone]
    for name in names:
        faults = [] if name in answered else [Fault("hang", accept=name in lost)]
        github.repository(f"acme/{name}", faults=faults)
    live.channels(*names).write({"waves/spring.yaml": WAVE.replace("[alpha]", f"[{', '.join(names)}]")})
    process = live.start("--now", DUE, "run")
    eventually(
        lambda: posts(github) == 12 and list(live.statuses.values()).count("completed") == 4,
        "all were asked for, and the answers that came are saved",
    )
    process.kill()
    process.communicate(timeout=60)
    assert list(live.statuses.values()).count("executing") == 8
    for seconds in (150, 1000, 1100):
        run(live, github, seconds)
    assert {live.statuses[f"spring/teaser/{name}"] for name in answered + lost} == {"completed"}
    assert {live.statuses[f"spring/teaser/{name}"] for name in gone} == {"failed (unknown_outcome)"}
    assert (posts(github), len(set(keys(github)))) == (12, 8)
