"""Pace: that many at once, refilled evenly, for each token; planned, told in the plan, and kept."""

from __future__ import annotations

from itertools import pairwise

import pytest
from github_stand_in import Fault, GitHub
from hypothesis import given
from hypothesis import strategies as st
from miniature import Miniature
from simulated_time import Stage

from scheduler.desired import Pace
from scheduler.planning.rate_limit import Bucket
from scheduler.times import instant_text, read_utc

DUE = "2026-03-01T18:00:00Z"


# --- the bucket ----------------------------------------------------------------------------------


def test_a_full_bucket_gives_all_it_holds_at_once_and_then_one_at_a_time() -> None:
    bucket = Bucket(Pace(4, 60))
    assert [bucket.take(0.0) for _ in range(7)] == [0, 0, 0, 0, 15, 30, 45]


def test_it_is_full_again_after_its_whole_time() -> None:
    bucket = Bucket(Pace(4, 60))
    granted = [bucket.take(at) for at in (0.0, 0.0, 0.0, 0.0, 60.0, 60.0, 60.0, 60.0, 60.0)]
    assert granted[4:] == [60, 60, 60, 60, 75]


takes = st.lists(st.integers(min_value=0, max_value=40), max_size=30)


@given(st.integers(1, 9), st.integers(1, 120), takes)
def test_whatever_is_asked_no_window_holds_more_than_it_may(
    count: int, seconds: int, gaps: list[int]
) -> None:
    bucket, at, granted = Bucket(Pace(count, seconds)), 0.0, []
    for gap in gaps:
        at += gap
        granted.append(bucket.take(at))
    assert granted == sorted(granted)
    for place, first in enumerate(granted):
        # at most `count` at once, and one more for each interval that has gone by
        for further, moment in enumerate(granted[place:]):
            assert further + 1 <= count + (moment - first) * count / seconds + 1e-6


@given(st.integers(1, 9), st.integers(1, 120), takes, st.integers(0, 200))
def test_a_bucket_that_is_rebuilt_from_what_was_sent_goes_on_as_the_first_one(
    count: int, seconds: int, gaps: list[int], later: int
) -> None:
    bucket, at, granted = Bucket(Pace(count, seconds)), 0.0, []
    for gap in gaps:
        at += gap
        granted.append(bucket.take(at))
    wanted = max(granted, default=0.0) + later
    again = Bucket(Pace(count, seconds), granted)
    assert [again.take(wanted) for _ in range(5)] == pytest.approx([bucket.take(wanted) for _ in range(5)])


# --- the plan -----------------------------------------------------------------------------------------


def many(mini: Miniature, github: GitHub, count: int, *, pace: str, token: str = "ACME_TOKEN") -> list[str]:
    """A stagger of that many channels that are all due; their ids in order."""
    names = [f"c{number:02}" for number in range(count)]
    for name in names:
        github.repository(f"acme/{name}")
        mini.write({f"channels/{name}.yaml": f"repository: acme/{name}\ntoken: {token}\n"})
    members = ", ".join(names)
    entry = f"{{ type: staggered, video: teaser, at: {DUE}, delay: 0s, channels: [{members}] }}"
    mini.write({"waves/spring.yaml": f"schedules:\n  - {entry}\n", "scheduler.yaml": f"pace: {pace}\n"})
    return [f"spring/teaser/{name}" for name in names]


def test_the_plan_tells_the_order_and_the_spread(live: Miniature, github: GitHub) -> None:
    ids = many(live, github, 5, pace="2/min")
    plan = live.json("run", "--dry-run", now=DUE)
    sends = [change for change in plan.json["changes"] if change["action"] == "send"]
    assert [change["schedule_id"] for change in sends] == ids
    assert [change["reason"] for change in sends] == [
        "due",
        "due",
        "due; 30s later because of `pace`",
        "due; 1m later because of `pace`",
        "due; 1m30s later because of `pace`",
    ]


def test_what_was_planned_is_kept(live: Miniature, github: GitHub) -> None:
    ids = many(live, github, 5, pace="2/min")
    with Stage(live, github, DUE) as stage:
        report = stage.runner().reconcile_once()
        arrived = [(read_utc(when) - read_utc(DUE), who) for when, who in stage.arrivals]
    assert [who for _, who in arrived] == ids
    assert [seconds for seconds, _ in arrived] == [0, 0, 30, 60, 90]
    assert not report.is_red


def test_a_second_run_does_not_begin_with_a_full_bucket(live: Miniature, github: GitHub) -> None:
    many(live, github, 5, pace="2/min")
    with Stage(live, github, DUE) as first:
        first.clock.at(DUE, first.clock.end, plus=10)
        first.runner().reconcile_once()
    assert len(github.dispatches) == 2
    with Stage(live, github, "2026-03-01T18:00:20Z") as second:
        second.runner().reconcile_once()
        seconds = [read_utc(when) - read_utc(DUE) for when, _ in second.arrivals]
    assert seconds == [0, 0, 30, 60, 90]


def test_after_hours_at_full_pace_no_burst_is_let_through(live: Miniature, github: GitHub) -> None:
    """A bucket that looked back no further than its own time would think that it is half full."""
    many(live, github, 20, pace="6/min")
    with Stage(live, github, DUE) as first:
        first.clock.at(DUE, first.clock.end, plus=81)
        first.runner().reconcile_once()
        sent = [read_utc(when) for when, _ in first.arrivals]
    with Stage(live, github, instant_text(sent[-1] + 1)) as second:
        second.runner().reconcile_once()
        every = [read_utc(when) for when, _ in second.arrivals]
    assert (len(sent), len(every)) == (14, 20)
    assert all(after - before >= 9 for before, after in pairwise(every[5:]))


def test_each_token_has_a_pace_of_its_own(live: Miniature, github: GitHub) -> None:
    github.tokens = {*(github.tokens or ()), "another"}
    live.environ["OTHER_TOKEN"] = "another"
    many(live, github, 4, pace="2/min")
    for name in ("c02", "c03"):
        live.write({f"channels/{name}.yaml": f"repository: acme/{name}\ntoken: OTHER_TOKEN\n"})
    with Stage(live, github, DUE) as stage:
        stage.runner().reconcile_once()
        assert {when for when, _ in stage.arrivals} == {DUE}


def test_a_poisoned_channel_does_not_hold_up_the_others(live: Miniature, github: GitHub) -> None:
    many(live, github, 4, pace="60/min")
    github.repository("acme/c00").faults = [Fault("reset", times=None)]
    with Stage(live, github, DUE) as stage:
        results = stage.runner().reconcile_once().results
    assert [result.status for _, result in sorted(results.items())] == ["executing", *["completed"] * 3]


def test_more_than_a_hundred_leave_in_batches_in_order_and_each_once(live: Miniature, github: GitHub) -> None:
    ids = many(live, github, 130, pace="1000/min")
    with Stage(live, github, DUE) as stage:
        report = stage.runner().reconcile_once()
    sent = [dispatch.payload["schedule_id"] for dispatch in github.dispatches]
    assert sorted(sent) == sorted(ids)
    assert (set(sent[:100]), set(sent[100:])) == (set(ids[:100]), set(ids[100:]))
    assert {result.status for result in report.results.values()} == {"completed"}


def test_a_wave_that_pace_spreads_beyond_its_catch_up_is_a_warning(live: Miniature, github: GitHub) -> None:
    many(live, github, 5, pace="1/h")
    outcome = live.json("validate", now="2026-02-01T00:00:00Z")
    assert (outcome.code, outcome.codes) == (0, ["late-by-pace"])


def test_what_pace_makes_too_late_is_missed(live: Miniature, github: GitHub) -> None:
    many(live, github, 3, pace="1/h")
    with Stage(live, github, DUE) as stage:
        results = stage.runner().reconcile_once().results
    assert [result.status for _, result in sorted(results.items())] == ["completed", "completed", "failed"]
    assert len(github.dispatches) == 2
