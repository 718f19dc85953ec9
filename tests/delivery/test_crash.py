"""Runners that are killed: whatever the point, nothing is lost and nothing is published twice.

The runners are processes of their own, killed as `kill -9` would, at every failpoint that the code names.
"""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from due import DUE, after, posts, run
from git_http_server import serve
from git_repository import git
from github_stand_in import Fault, GitHub
from miniature import Miniature
from state_branch import put_on_a_branch

import scheduler
from scheduler.failpoints import FAILPOINTS
from scheduler.times import read_utc

ALPHA = "spring/teaser/alpha"
WAVE = """
    schedules:
      - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha] }
    """
OF_FILES = [name for name in FAILPOINTS if name.startswith("file-")]
OF_GIT = [name for name in FAILPOINTS if name.startswith("git-")]
OF_SENDING = ["intent-saved", "before-send", "answered", "outcome-saved"]
OF_ASKING = ["asked"]
OF_LOOKING_BACK = ["sighting-saved"]
OF_WORKING = [name for name in FAILPOINTS if name.startswith("job-")]


def killed(
    mini: Miniature, github: GitHub, at: str, seconds: int = 0, command: Sequence[str] = ("run",)
) -> None:
    """A command that dies at a failpoint."""
    github.clock = lambda: float(read_utc(DUE) + seconds)
    process = mini.start("--now", after(seconds), *command, SCHEDULER_CRASH_AT=at)
    words = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, (at, process.returncode, words)


def until(happened: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """One schedule that is due, with the state in a file."""
    return live.write({"waves/spring.yaml": WAVE})


@pytest.fixture
def on_a_branch(live: Miniature, github: GitHub) -> Miniature:
    """The same with the state on a branch."""
    put_on_a_branch(live)
    live.run("state", "init", now="2026-01-01T00:00:00Z")
    return live.write({"waves/spring.yaml": WAVE})


# --- the points ------------------------------------------------------------------------------------


def test_every_boundary_in_the_code_is_enumerated_and_tried_here() -> None:
    root = Path(scheduler.__file__).parent
    calls = (node for file in root.rglob("*.py") for node in ast.walk(ast.parse(file.read_text())))
    named = {
        node.args[0].value
        for node in calls
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "failpoint"
        and isinstance(node.args[0], ast.Constant)
    }
    assert named == set(FAILPOINTS)
    assert {*OF_FILES, *OF_GIT, *OF_SENDING, *OF_ASKING, *OF_LOOKING_BACK, *OF_WORKING} == set(FAILPOINTS)


# The first save is of the intent, the second of the outcome.
POINTS = [*OF_SENDING, *OF_FILES, *(f"{name}#2" for name in OF_FILES)]


@pytest.mark.parametrize("point", POINTS)
def test_at_most_once_whatever_the_point_it_is_sent_once_or_told_to_a_person(
    spring: Miniature, github: GitHub, point: str
) -> None:
    killed(spring, github, point)
    was_sent, was_intended = len(github.dispatches), spring.state["schedules"] != {}
    assert was_intended or not was_sent
    outcomes = [run(spring, github, seconds) for seconds in (60, 180, 1000, 2000)]
    assert len(github.dispatches) <= 1
    if was_intended and not was_sent:  # nobody can know that it never left
        assert spring.statuses == {ALPHA: "failed (unknown_outcome)"}
        assert max(outcome.code for outcome in outcomes) == 1
    else:
        assert spring.statuses == {ALPHA: "completed"}
        assert len(github.dispatches) == 1
    assert outcomes[-1].code == 0


@pytest.mark.parametrize("point", POINTS)
def test_at_least_once_whatever_the_point_it_is_sent_under_one_key(
    spring: Miniature, github: GitHub, point: str
) -> None:
    spring.channels("alpha", delivery="at-least-once")
    killed(spring, github, point)
    for seconds in (180, 1000, 2000):
        run(spring, github, seconds)
    assert spring.statuses == {ALPHA: "completed"}
    assert len({dispatch.payload["key"] for dispatch in github.dispatches}) == 1
    assert len(github.dispatches) == 1  # every run that was made could be found


@pytest.mark.parametrize("point", [*OF_GIT, *(f"{name}#2" for name in OF_GIT)])
def test_on_a_branch_whatever_the_point_it_is_sent_once_or_told_to_a_person(
    on_a_branch: Miniature, github: GitHub, point: str
) -> None:
    killed(on_a_branch, github, point)
    for seconds in (180, 1000, 2000):
        last = run(on_a_branch, github, seconds)
    listed = on_a_branch.json("list", now=after(2000)).json["schedules"]
    assert [row["status"] for row in listed] == ["completed" if github.dispatches else "failed"]
    assert (last.code, len(github.dispatches) <= 1) == (0, True)


@pytest.mark.parametrize("point", [*OF_ASKING, *OF_FILES])
def test_a_lookup_that_is_cut_off_is_made_again(spring: Miniature, github: GitHub, point: str) -> None:
    github.repository("acme/alpha").faults = [Fault(status=502, accept=True)]
    run(spring, github, 0)
    killed(spring, github, point, seconds=200)
    run(spring, github, 300)
    assert (spring.statuses, posts(github)) == ({ALPHA: "completed"}, 1)


@pytest.mark.parametrize("point", [*OF_LOOKING_BACK, *OF_FILES])
def test_what_a_record_that_was_set_back_forgot_is_found_again_whenever_the_search_is_cut_off(
    spring: Miniature, github: GitHub, point: str
) -> None:
    before = (spring.root / "state.json").read_bytes()
    run(spring, github, 0)
    (spring.root / "state.json").write_bytes(before)
    killed(spring, github, point, seconds=1000)
    run(spring, github, 1100)
    assert (spring.statuses, posts(github)) == ({ALPHA: "completed"}, 1)


@pytest.mark.parametrize("point", [*OF_FILES, *(f"{name}#2" for name in OF_FILES if name != "file-locked")])
def test_no_record_is_forgotten_on_its_way_into_the_archive(
    spring: Miniature, github: GitHub, point: str
) -> None:
    run(spring, github, 0)
    months = 91 * 86_400
    killed(spring, github, point, seconds=months)
    before = spring.json("list", now=after(months)).json["schedules"]
    assert [(row["schedule_id"], row["status"]) for row in before] == [(ALPHA, "completed")]
    assert run(spring, github, months + 60).code == 0
    assert spring.records == {}
    rows = spring.json("list", now=after(months + 60)).json["schedules"]
    assert [(row["schedule_id"], row["status"]) for row in rows] == [(ALPHA, "completed")]
    assert len(github.dispatches) == 1


# --- the other commands that save -------------------------------------------------------------------


@pytest.mark.parametrize("point", [*OF_FILES, *(name for name in OF_GIT if name != "git-fetched")])
def test_a_first_state_that_was_cut_off_can_be_made_again_and_sends_nothing_of_the_past(
    spring: Miniature, github: GitHub, point: str
) -> None:
    (spring.root / "state.json").unlink()
    if point in OF_GIT:
        put_on_a_branch(spring)
    killed(spring, github, point, seconds=600, command=("state", "init"))
    again = spring.run("state", "init", now=after(660))
    assert again.code == 0 or "already exists" in again.err
    assert spring.run("state", "verify").code == 0
    assert (run(spring, github, 700).code, github.dispatches) == (0, [])
    (row,) = spring.json("list", now=after(700)).json["schedules"]
    assert (row["status"], row["reason"]) == ("cancelled", "before_init")


@pytest.mark.parametrize("point", [*OF_FILES, "git-committed", "git-pushed"])
def test_a_resend_that_was_cut_off_and_asked_for_again_is_one_resend(
    spring: Miniature, github: GitHub, point: str
) -> None:
    if point in OF_GIT:
        put_on_a_branch(spring)
        assert spring.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    github.repository("acme/alpha").faults = [Fault(status=502)]
    for seconds in (0, 1000):
        run(spring, github, seconds)
    killed(spring, github, point, seconds=1100, command=("retry", ALPHA, "--resend"))
    again = spring.run("retry", ALPHA, "--resend", now=after(1200))
    assert again.code == 0 or "is pending: only a failed schedule can be retried" in again.err
    for seconds in (1300, 1400):
        run(spring, github, seconds)
    assert (posts(github), len(github.dispatches)) == (2, 1)


# The first save of a worker comes with its end: a job is begun by the queue's own book.
@pytest.mark.parametrize("point", [*OF_WORKING, *OF_FILES])
def test_a_worker_that_is_killed_has_begun_its_command_once_or_not_at_all(
    mini: Miniature, github: GitHub, point: str
) -> None:
    mini.environ["SCHEDULER_ALLOW_COMMANDS"] = "1"
    job = f"lobby/{DUE}"
    mini.write(
        {
            "channels/lobby.yaml": f"""
                command: echo begun >> begun
                schedules: [{{ video: teaser, at: {DUE} }}]
                """
        }
    )
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    mini.run("run", now=DUE)
    killed(mini, github, point, seconds=5, command=("worker", "--once"))
    for seconds in (300, 600):
        assert mini.run("worker", "--once", now=after(seconds)).code == 0
    begun = mini.root / "begun"
    times = begun.read_text().count("begun") if begun.exists() else 0
    if point in ("job-taken", "job-ended"):  # nobody can know whether the command came to its end
        assert times <= 1
        assert mini.statuses == {job: "failed (unknown_outcome)"}
    else:
        assert times == 1
        assert (mini.statuses, mini.records[job]["evidence"]) == ({job: "completed"}, "run")


# --- while the server holds the request ----------------------------------------------------------------


def held_by_the_server(mini: Miniature, github: GitHub, *, accepted: bool) -> None:
    """kill -9 while the request is at the server and no answer is there yet."""
    github.clock = lambda: float(read_utc(DUE))
    github.repository("acme/alpha").faults = [Fault("hang", accept=accepted)]
    process = mini.start("--now", DUE, "run")
    until(lambda: posts(github))
    process.kill()
    process.communicate(timeout=60)
    record = mini.records[ALPHA]
    assert (record["status"], record["attempts"]) == ("executing", 1)
    assert record["intent"]["key"].startswith("gs1-")


@pytest.mark.parametrize(("accepted", "end"), [(True, "completed"), (False, "failed (unknown_outcome)")])
def test_the_intent_is_on_disk_and_the_next_runs_do_not_repeat_it(
    spring: Miniature, github: GitHub, accepted: bool, end: str
) -> None:
    held_by_the_server(spring, github, accepted=accepted)
    in_flight = run(spring, github, 60)
    assert (in_flight.code, in_flight.results) == (0, {})
    for seconds in (130, 1000, 2000):
        run(spring, github, seconds)
    assert (posts(github), spring.statuses) == (1, {ALPHA: end})


def test_an_edit_while_the_outcome_is_unknown_changes_nothing(spring: Miniature, github: GitHub) -> None:
    held_by_the_server(spring, github, accepted=True)
    intent: Any = spring.records[ALPHA]["intent"]
    spring.channels("alpha", event_type="other").write({"waves/spring.yaml": WAVE.replace("18:00", "23:00")})
    spring.write({"channels/alpha.yaml": "repository: acme/beta\ntoken: ACME_TOKEN\n"})
    outcome = run(spring, github, 130)
    assert outcome.codes == ["edited-after-dispatch"]
    assert outcome.results == {ALPHA: "completed"}  # found where it was sent
    assert spring.records[ALPHA]["intent"] == intent
    assert run(spring, github, 5 * 3600).results == {}
    assert posts(github) == 1


# --- signals, and two at once -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_in_flight_finish_and_records_it(
    spring: Miniature, github: GitHub, number: signal.Signals
) -> None:
    github.repository("acme/alpha").faults = [Fault("slow", delay=0.5)]
    process = spring.start("--now", DUE, "run", "--watch")
    until(lambda: posts(github))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "1 completed." in out
    assert (spring.statuses, len(github.dispatches)) == ({ALPHA: "completed"}, 1)


@pytest.fixture
def thirty(live: Miniature, github: GitHub) -> Iterator[Miniature]:
    """Thirty schedules that are due, and a server that takes its time."""
    names = [f"c{number:02}" for number in range(30)]
    for name in names:
        github.repository(f"acme/{name}")
    live.channels(*names).write({"waves/spring.yaml": WAVE.replace("[alpha]", f"[{', '.join(names)}]")})
    github.latency = 0.05
    yield live


def all_sent_once(github: GitHub) -> bool:
    names = [dispatch.payload["schedule_id"] for dispatch in github.dispatches]
    return len(names) == len(set(names)) == 30


def test_of_runners_on_one_file_each_schedule_is_sent_by_one(thirty: Miniature, github: GitHub) -> None:
    runners = [thirty.start("--now", DUE, "run") for _ in range(3)]
    words = [runner.communicate(timeout=120) for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0, 0], words
    assert all_sent_once(github)
    assert set(thirty.statuses.values()) == {"completed"}


@pytest.mark.parametrize("way", ["file", "http"])
def test_of_four_runners_on_clones_each_schedule_is_sent_by_one(
    thirty: Miniature, github: GitHub, way: str
) -> None:
    served = thirty.root / "served"
    served.mkdir()
    git(served, "init", "-q", "--bare", "-b", "main", "waves.git")
    with serve(served) as server:
        url = f"file://{served}/waves.git" if way == "file" else f"{server.url}/waves.git"
        git(thirty.root, "init", "-q", "-b", "main")
        thirty.write({"scheduler.yaml": "state: branch:scheduler-state\n"})
        git(thirty.root, "add", "waves", "channels", "scheduler.yaml")
        git(thirty.root, "commit", "-q", "-m", "Announce spring")
        git(thirty.root, "remote", "add", "origin", url)
        git(thirty.root, "push", "-q", "origin", "main")
        thirty.run("state", "init", now="2026-01-01T00:00:00Z")
        runners: list[subprocess.Popen[str]] = []
        for name in ("one", "two", "three", "four"):
            git(thirty.root, "clone", "-q", url, name)
            clone = Miniature(thirty.root / name)
            clone.environ = thirty.environ
            runners.append(clone.start("--now", DUE, "run"))
        words = [runner.communicate(timeout=120) for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0, 0, 0], words
    assert all_sent_once(github)
    recorded = json.loads(git(served / "waves.git", "show", "scheduler-state:state.json"))
    commits = git(served / "waves.git", "rev-list", "--count", "scheduler-state")
    assert recorded["serial"] == int(commits), "each save is one commit, and raises the serial by one"
