"""Late together is not all at once: what is late on one channel leaves at least `min_gap` apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from github_stand_in import GitHub
from hypothesis import given
from hypothesis import strategies as st
from miniature import Miniature
from simulated_time import Stage

from scheduler.delivery import Report
from scheduler.delivery.hold_and_watch import hold, watch
from scheduler.errors import Error
from scheduler.planning.plan.situation import free_from
from scheduler.times import read_utc

SETTINGS = "catch_up: 12h\nconflicts: { min_gap: 1h }\n"
EVERY_TWO_HOURS = """
    repository: acme/alpha
    token: ACME_TOKEN
    slots: ['*-*-* 0/2:00']
    lineup: [v1, v2, v3, v4, v5, v6, v7, v8, v9]
    """


def quiet(problem: Error) -> None:
    raise AssertionError(f"there was nothing to complain about: {problem}")


@pytest.fixture
def outage(live: Miniature) -> Miniature:
    """A channel that publishes every two hours, last seen at 05:10."""
    live.write({"scheduler.yaml": SETTINGS, "channels/alpha.yaml": EVERY_TWO_HOURS})
    live.run("run", now="2026-03-01T05:10:00Z")
    return live


@pytest.fixture
def stage(outage: Miniature, github: GitHub) -> Iterator[Stage]:
    with Stage(outage, github, "2026-03-01T16:30:00Z") as stage:
        yield stage


def wave(name: str, *channels: str, at: str, more: str = "") -> dict[str, str]:
    entry = f"{{ type: simultaneous, video: {name}, at: {at}, channels: [{', '.join(channels)}] }}"
    return {f"waves/{name}.yaml": f"{more}\nschedules: [{entry}]\n"}


def test_a_late_run_sends_one_of_a_channel_and_leaves_the_rest_to_the_next(stage: Stage) -> None:
    report = stage.runner().reconcile_once()
    assert stage.arrivals == [("2026-03-01T16:30:00Z", "alpha/2026-03-01T06:00:00Z")]
    assert not report.is_red
    stage.clock.sleep(3600)
    stage.runner().reconcile_once()
    assert len(stage.arrivals) == 1, "18:00 is planned: nothing may leave at 17:30"
    stage.clock.sleep(3600 + 1800)
    stage.runner().reconcile_once()
    assert stage.arrivals[1:] == [("2026-03-01T19:00:00Z", "alpha/2026-03-01T08:00:00Z")]


@pytest.mark.parametrize("stays", [hold, watch])
def test_a_run_that_stays_sends_each_at_its_turn_and_what_is_in_time_never_waits(
    stage: Stage, stays: Callable[..., Report]
) -> None:
    report = stays(stage.runner(), 8 * 3600, quiet)
    assert stage.arrivals == [
        ("2026-03-01T16:30:00Z", "alpha/2026-03-01T06:00:00Z"),
        ("2026-03-01T18:00:00Z", "alpha/2026-03-01T18:00:00Z"),
        ("2026-03-01T19:00:00Z", "alpha/2026-03-01T08:00:00Z"),
        ("2026-03-01T20:00:00Z", "alpha/2026-03-01T20:00:00Z"),
        ("2026-03-01T21:00:00Z", "alpha/2026-03-01T10:00:00Z"),
        ("2026-03-01T22:00:00Z", "alpha/2026-03-01T22:00:00Z"),
        ("2026-03-01T23:00:00Z", "alpha/2026-03-01T12:00:00Z"),
        ("2026-03-02T00:00:00Z", "alpha/2026-03-01T14:00:00Z"),
    ]
    assert not report.is_red


def test_the_plan_and_show_say_who_waits_and_until_when(outage: Miniature) -> None:
    now = "2026-03-01T16:30:00Z"
    plan = outage.run("plan", now=now)
    warned = (
        "channels/alpha.yaml: warning: 5 late publications of channel alpha cannot leave yet: `min_gap` "
        "keeps them 1h apart; the next leaves at 2026-03-01T19:00:00Z, the last at 2026-03-02T01:00:00Z "
        "[late-together]"
    )
    assert (plan.code, plan.out.splitlines()[0]) == (0, warned)
    assert plan.out.endswith("Plan: 0 to add, 0 to change, 0 to cancel, 1 to send, 3 to confirm.\n")
    assert outage.run("run", now=now).out.splitlines()[0] == warned
    assert (
        "It is late, and its channel alpha publishes one at a time (`min_gap`). The first run at or after "
        "2026-03-01T19:00:00Z sends it. If it cannot be sent by 2026-03-01T20:00:00Z, it is missed."
    ) in outage.run("show", "alpha/2026-03-01T08:00:00Z", now=now).out


def test_channels_do_not_wait_for_each_other(live: Miniature, github: GitHub) -> None:
    live.write({"scheduler.yaml": SETTINGS, **wave("teaser", "alpha", "beta", at="2026-03-01T18:00:00Z")})
    live.run("run", now="2026-03-01T17:00:00Z")
    assert len(live.json("run", now="2026-03-01T19:30:00Z").results) == 2


def test_without_a_gap_all_of_it_leaves_at_once(outage: Miniature, github: GitHub) -> None:
    outage.write({"scheduler.yaml": "catch_up: 12h\nconflicts: { min_gap: 0s }\n"})
    outage.run("run", now="2026-03-01T16:30:00Z")
    assert len(github.dispatches) == 6


def test_what_a_channel_gets_hours_ahead_never_waits(live: Miniature, github: GitHub) -> None:
    live.write(
        {
            "scheduler.yaml": SETTINGS,
            "channels/alpha.yaml": "repository: acme/alpha\ntoken: ACME_TOKEN\nlead: 6h\n",
            **wave("one", "alpha", at="2026-03-01T18:00:00Z"),
            **wave("two", "alpha", at="2026-03-01T19:00:00Z"),
        }
    )
    live.run("run", now="2026-03-01T10:00:00Z")
    assert set(live.json("run", now="2026-03-01T17:30:00Z").results.values()) == {"completed"}


def test_what_was_handed_over_ahead_is_left_its_room(live: Miniature, github: GitHub) -> None:
    """Late, and 30 minutes before a publication that its channel has already."""
    live.write(
        {
            "scheduler.yaml": SETTINGS,
            "channels/alpha.yaml": "repository: acme/alpha\ntoken: ACME_TOKEN\nlead: 6h\n",
            **wave("one", "alpha", at="2026-03-01T18:00:00Z", more="paused: true"),
            **wave("two", "alpha", at="2026-03-01T20:00:00Z"),
        }
    )
    live.run("run", now="2026-03-01T17:00:00Z")
    live.write(wave("one", "alpha", at="2026-03-01T18:00:00Z"))
    assert live.json("run", now="2026-03-01T19:30:00Z").results == {}
    assert live.json("run", now="2026-03-01T20:59:59Z").results == {}
    assert live.json("run", now="2026-03-01T21:00:00Z").results == {"one/one/alpha": "completed"}


def test_retried_ones_take_their_turn_and_are_not_missed(live: Miniature, github: GitHub) -> None:
    names = ("one", "two", "three")
    live.write({"scheduler.yaml": "catch_up: 10m\nconflicts: { min_gap: 1h }\n"})
    for name, at in zip(names, ("10", "12", "14"), strict=True):
        live.write(wave(name, "alpha", at=f"2026-03-01T{at}:00:00Z"))
    live.run("run", now="2026-03-01T09:00:00Z")
    live.run("run", now="2026-03-01T16:00:00Z")
    assert set(live.statuses.values()) == {"failed (missed)"}
    for name in names:
        live.run("retry", f"{name}/{name}/alpha", now="2026-03-01T16:01:00Z")
    with Stage(live, github, "2026-03-01T16:02:00Z") as stage:
        hold(stage.runner(), 3 * 3600, quiet)
        assert stage.arrivals == [
            ("2026-03-01T16:02:00Z", "one/one/alpha"),
            ("2026-03-01T17:02:00Z", "two/two/alpha"),
            ("2026-03-01T18:02:00Z", "three/three/alpha"),
        ]


def test_one_that_cannot_get_its_turn_in_time_is_missed_and_says_why(live: Miniature, github: GitHub) -> None:
    live.write({"scheduler.yaml": "catch_up: 70m\nconflicts: { min_gap: 1h }\n"})
    live.write(
        wave("one", "alpha", at="2026-03-01T10:00:00Z") | wave("two", "alpha", at="2026-03-01T11:00:00Z")
    )
    live.run("run", now="2026-03-01T09:00:00Z")
    late = live.json("run", now="2026-03-01T11:10:00Z")
    assert late.results == {"one/one/alpha": "completed"}
    assert "1 would be missed" not in str(late.json["diagnostics"])
    live.write({"scheduler.yaml": "catch_up: 65m\nconflicts: { min_gap: 1h }\n"})
    warned = live.json("plan", now="2026-03-01T11:20:00Z").json["diagnostics"]
    assert "1 would be missed, being later than `catch_up` by then" in warned[0]["message"]
    assert "it is missed" in live.run("show", "two/two/alpha", now="2026-03-01T11:20:00Z").out
    live.run("run", now="2026-03-01T12:30:00Z")
    assert "`min_gap` kept it apart" in live.records["two/two/alpha"]["error_message"]


def test_a_queue_gets_its_late_jobs_apart_as_well(mini: Miniature) -> None:
    at = ("2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z")
    one_offs = ", ".join(f"{{ video: v{number}, at: {when} }}" for number, when in enumerate(at))
    mini.write(
        {"scheduler.yaml": SETTINGS, "channels/lobby.yaml": f"queue: publications\nschedules: [{one_offs}]\n"}
    )
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    mini.run("run", now="2026-03-01T09:00:00Z")
    assert list(mini.json("run", now="2026-03-01T13:30:00Z").results) == [f"lobby/{at[0]}"]
    assert list(mini.json("run", now="2026-03-01T14:30:00Z").results) == [f"lobby/{at[1]}"]


def test_simulate_says_how_many_waited_for_their_turn(outage: Miniature) -> None:
    out = outage.run(
        "simulate",
        "--from",
        "2026-03-01T05:30:00Z",
        "--for",
        "24h",
        "--every",
        "11h",
        now="2026-03-01T05:20:00Z",
    ).out
    assert "late publications waited for another of the same channel (`min_gap`)." in out


@given(st.lists(st.integers(0, 300)), st.integers(0, 300), st.integers(1, 40))
def test_the_turn_is_the_first_instant_with_room_on_both_sides(taken: list[int], at: int, gap: int) -> None:
    def has_room(instant: int) -> bool:
        return all(abs(instant - other) >= gap for other in taken)

    first = next(instant for instant in range(at, 1_000_000) if has_room(instant))
    assert free_from(sorted(taken), at, gap) == first


def test_turns_of_one_channel_are_apart(stage: Stage) -> None:
    hold(stage.runner(), 12 * 3600, quiet)
    when = [read_utc(at) for at, _ in stage.arrivals]
    assert all(after - before >= 3600 for before, after in pairwise(when))
