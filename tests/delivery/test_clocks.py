"""Machines whose clock is wrong: nothing is recorded, missed or sent by it, and a person is told.

The commands are processes of their own, on a machine whose clock was set wrong; the server has the true time.
"""

from __future__ import annotations

import json
import time

import pytest
from github_stand_in import Fault, GitHub
from meddling import on_a_faulty_machine
from miniature import Miniature

from scheduler.times import instant_text

HOUR, DAY = 3600, 86_400
YEARS = 10 * 365 * DAY
ALPHA, BETA = "spring/teaser/alpha", "spring/later/beta"


def true_now() -> int:
    return int(time.time())  # noqa: TID251 - the true time, which the server has too


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """One schedule that has just fallen due by the true time, and one that is due in an hour."""
    now = true_now()
    return live.write(
        {
            "waves/spring.yaml": f"""
                schedules:
                  - {{ type: simultaneous, video: teaser, at: {instant_text(now - 5)}, channels: [alpha] }}
                  - type: simultaneous
                    group: later
                    video: later-4k
                    at: {instant_text(now + HOUR)}
                    channels: [beta]
                """
        }
    )


def sent(github: GitHub) -> list[str]:
    return [dispatch.payload["schedule_id"] for dispatch in github.dispatches]


@pytest.mark.parametrize("wrong", [3 * HOUR, YEARS], ids=["three hours", "ten years"])
def test_a_clock_that_is_ahead_misses_nothing_and_sends_nothing_early(
    spring: Miniature, github: GitHub, wrong: int
) -> None:
    before = (spring.root / "state.json").read_bytes()
    outcome = on_a_faulty_machine(spring, "run", "--format", "json", clock=wrong)
    assert (outcome.code, outcome.codes, outcome.results) == (1, ["clock"], {})
    assert "ahead of the server's" in outcome.json["diagnostics"][0]["message"]
    assert outcome.json["diagnostics"][0]["hint"] == "set the clock (ntp); until then, nothing is sent"
    assert (sent(github), (spring.root / "state.json").read_bytes()) == ([], before)


@pytest.mark.parametrize("wrong", [HOUR, YEARS], ids=["one hour", "ten years"])
def test_a_clock_that_is_behind_records_nothing(spring: Miniature, github: GitHub, wrong: int) -> None:
    before = (spring.root / "state.json").read_bytes()
    outcome = on_a_faulty_machine(spring, "run", "--format", "json", clock=-wrong)
    assert (outcome.code, outcome.codes) == (1, ["clock"])
    assert "behind the server's" in outcome.json["diagnostics"][0]["message"]
    assert (sent(github), (spring.root / "state.json").read_bytes()) == ([], before)


@pytest.mark.parametrize("wrong", [3 * HOUR, YEARS, -HOUR, -YEARS])
def test_after_the_clock_is_set_right_all_goes_on(spring: Miniature, github: GitHub, wrong: int) -> None:
    on_a_faulty_machine(spring, "run", clock=wrong)
    assert spring.run("run").code == 0
    assert (sent(github), spring.statuses[ALPHA]) == ([ALPHA], "completed")
    assert spring.statuses[BETA] == "scheduled"


@pytest.mark.parametrize("wrong", [HOUR, YEARS])
def test_without_a_server_a_clock_behind_the_record_is_refused(
    spring: Miniature, github: GitHub, wrong: int
) -> None:
    spring.run("run")
    before = (spring.root / "state.json").read_bytes()
    outcome = on_a_faulty_machine(spring, "run", clock=-wrong, GITHUB_API_URL="http://127.0.0.1:9")
    assert outcome.code == 1
    assert "but the state has an entry of" in outcome.err
    assert (spring.root / "state.json").read_bytes() == before


def test_a_hold_by_a_wrong_clock_sends_nothing_at_its_wrong_instant(
    spring: Miniature, github: GitHub
) -> None:
    outcome = on_a_faulty_machine(spring, "run", "--hold", "2s", "--format", "json", clock=HOUR - 1)
    assert (outcome.code, outcome.codes, sent(github)) == (1, ["clock"], [])


@pytest.mark.parametrize("wrong", [3 * HOUR, -YEARS])
def test_neither_a_first_state_nor_a_retry_is_written_by_a_wrong_clock(
    spring: Miniature, github: GitHub, wrong: int
) -> None:
    github.repository("acme/alpha").faults = [Fault(status=404)]
    assert spring.run("run").code == 1
    before = (spring.root / "state.json").read_bytes()
    retried = on_a_faulty_machine(spring, "retry", ALPHA, clock=wrong)
    assert (retried.code, (spring.root / "state.json").read_bytes()) == (1, before)
    (spring.root / "state.json").unlink()
    begun = on_a_faulty_machine(spring, "state", "init", clock=wrong)
    assert (begun.code, (spring.root / "state.json").exists()) == (1, False)
    for outcome in (retried, begun):
        assert "the server's" in outcome.err
        assert "set the clock (ntp); nothing was written" in outcome.err


def test_two_minutes_are_tolerated(spring: Miniature, github: GitHub) -> None:
    assert on_a_faulty_machine(spring, "run", clock=100).code == 0
    assert sent(github) == [ALPHA]


def test_the_time_is_asked_without_a_token_and_a_refusal_tells_it_too(
    spring: Miniature, github: GitHub
) -> None:
    spring.run("run")
    asked = github.requests[0]
    assert (asked.method, asked.path, "authorization" in asked.headers) == ("GET", "/rate_limit", False)
    assert asked.answer is not None
    assert asked.answer[0] == 401


def test_a_server_that_tells_no_time_stops_nothing(spring: Miniature, github: GitHub) -> None:
    github.rate_limit["Date"] = "soon"
    assert spring.run("run").code == 0
    assert sent(github) == [ALPHA]


def test_a_tick_with_nothing_to_do_asks_nobody(spring: Miniature, github: GitHub) -> None:
    spring.run("run")
    asked = len(github.requests)
    assert spring.run("run").code == 0
    assert len(github.requests) == asked


def test_where_all_channels_are_queues_nobody_is_asked(mini: Miniature, github: GitHub) -> None:
    at = instant_text(true_now() - 5)
    mini.environ["GITHUB_API_URL"] = github.url
    mini.write(
        {"channels/lobby.yaml": f"queue: q\nschedules: [{json.dumps({'video': 'teaser', 'at': at})}]\n"}
    )
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    assert mini.run("run").code == 0
    assert (mini.statuses, github.requests) == ({f"lobby/{at}": "executing"}, []), "no worker has done it"
