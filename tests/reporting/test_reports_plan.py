"""A plan, and a run's results, as people read them at a terminal."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from reporting import HOSTILE, NOW, WRITABLE, assert_harmless, change, one_off, plan_of, plans, record, result

from scheduler.desired import Pace
from scheduler.planning.plan import Plan, PlannedSend, Waiting
from scheduler.reporting.plan_sections import checksum, pace_notes, tally_text
from scheduler.reporting.plan_text import plan_text
from scheduler.reporting.run_text import results_text
from scheduler.state.record import Event, Pause

ZONES = {"alpha": "Europe/Berlin"}


def text(expected: str) -> str:
    return dedent(expected).strip("\n")


def test_a_plan_is_told_by_wave_and_channel_with_times_changes_and_reasons() -> None:
    before = record(channel_id="beta")
    moved = record(channel_id="beta", scheduled_at="2026-03-01T19:30:00Z", metadata={"a": "b"})
    autumn = record(wave_id="autumn")
    dropped = record(wave_id="autumn", status="cancelled")
    plan = plan_of(
        change("create", "tech/2026-03-02T17:00:00Z", None, one_off(channel_id="tech", video_id=None)),
        change("update", "spring/teaser/beta", before, moved, "moved by 1h30m"),
        change("create", "spring/teaser/alpha", None, record(), "declared in waves/spring.yaml"),
        change("send", "spring/teaser/alpha", record(), record(status="executing"), "due"),
        change("cancel", "autumn/x/beta", autumn, dropped, "no longer declared"),
    )
    assert plan_text(plan, zones=ZONES) == text("""
        wave autumn
          - cancel  autumn/x/beta  2026-03-01 18:00 UTC (19:00 Europe/Berlin)  teaser-4k  # no longer declared

        wave spring
          + create  spring/teaser/alpha  2026-03-01 18:00 UTC (19:00 Europe/Berlin)  teaser-4k  # declared in waves/spring.yaml
          > send    spring/teaser/alpha  2026-03-01 18:00 UTC (19:00 Europe/Berlin)  teaser-4k  # due
          ~ update  spring/teaser/beta   2026-03-01 19:30 UTC                        teaser-4k  # moved by 1h30m
                    time: 2026-03-01 18:00 UTC -> 2026-03-01 19:30 UTC
                    metadata: none -> {"a":"b"}

        channel tech
          + create  tech/2026-03-02T17:00:00Z  2026-03-01 18:00 UTC  (no video)  # declared

        Plan: 2 to add, 1 to change, 1 to cancel, 1 to send.
    """)  # noqa: E501 - the table is as wide as it is


def test_an_edit_names_the_old_and_the_new() -> None:
    before = record(status="scheduled")
    after = record(video_id="b", pauses=(Pause("wave", "legal"),), halt=True, catch_up=900)
    told = plan_text(plan_of(change("update", "s/t/a", before, after)), zones={}).splitlines()
    assert [line.strip() for line in told[2:-2]] == [
        "video: teaser-4k -> b",
        "paused: not paused -> paused by wave (legal)",
        "catch_up: as in scheduler.yaml -> 15m",
        "halt on failure: no -> yes",
        "status: scheduled -> pending",
    ]


def test_no_changes_are_said_in_two_words() -> None:
    assert plan_text(plan_of(), zones={}) == "No changes."


def test_the_sum_names_other_steps_where_there_are_any() -> None:
    steps = [
        change(action, "x", record(), record())
        for action in (
            "pause",
            "resume",
            "reopen",
            "miss",
            "fail",
            "confirm",
            "lookup",
            "complete",
            "archive",
        )
    ]
    assert tally_text(steps) == (
        "Plan: 0 to add, 3 to change, 0 to cancel, 0 to send, 1 to miss, 1 to fail, 1 to confirm, "
        "1 to look up, 1 to complete, 1 to archive."
    )


def test_what_is_due_and_cannot_be_sent_is_told() -> None:
    plan = plan_of(waiting=[Waiting(schedule_id="a/b/c", why="ACME_TOKEN is not set")])
    assert plan_text(plan, zones={}) == text("""
        due but cannot be sent
          ! a/b/c  # ACME_TOKEN is not set

        No changes.
    """)


def sends(count: int, token: str | None = "ONE", step: float = 1.0) -> list[PlannedSend]:
    return [
        PlannedSend(
            schedule_id=str(i),
            token=token,
            offset_seconds=max(0.0, (i - 59) * step),
            not_after=NOW,
            due=NOW,
            late_from=NOW,
        )
        for i in range(count)
    ]


def test_pace_is_told_where_it_spreads_the_sends() -> None:
    plan = plan_of(sends=sends(100))
    assert plan_text(plan, zones={}, pace=Pace()) == text("""
        100 sends at 60/min: the last leaves 40 s after the first.
        No changes.
    """)


def test_pace_is_told_for_each_token_that_has_to_wait() -> None:
    found = [*sends(100), *sends(700, "TWO", 3.0), *sends(60, "FAST"), *sends(500, None)]
    assert pace_notes(found, Pace(60, 3600)) == [
        ("ONE", "100 sends at 60/h: the last leaves 40 s after the first"),
        ("TWO", "700 sends at 60/h: the last leaves 32m after the first"),
    ]


@pytest.mark.parametrize("harm", WRITABLE.values(), ids=WRITABLE)
def test_nothing_hostile_comes_through_in_any_part_of_a_plan(harm: str) -> None:
    before = record(video_id="x", wave_id=harm)
    after = record(video_id=harm, wave_id=harm, metadata={harm: harm}, pauses=(Pause("wave", harm),))
    plan = plan_of(change("update", harm, before, after, harm), waiting=[Waiting(schedule_id=harm, why=harm)])
    assert_harmless(plan_text(plan, zones={}))


@given(plans())
def test_whatever_the_plan_no_control_character_comes_out(plan: Plan) -> None:
    assert_harmless(plan_text(plan, zones=ZONES))
    assert "\x1b[" not in plan_text(plan, zones=ZONES)


# --- the checksum ---------------------------------------------------------------------------------


def test_the_checksum_is_the_same_a_minute_later() -> None:
    def made_at(moment: str) -> Plan:
        after = record(history=(Event(moment, "pending", "declared"),))
        return plan_of(change("create", "s/t/a", None, after))

    first, later = made_at("2026-02-28T12:00:00Z"), made_at("2026-02-28T12:01:00Z")
    assert checksum(first.changes) == checksum(later.changes)


@pytest.mark.parametrize(
    "other",
    {
        "another time": record(scheduled_at="2026-03-01T18:00:01Z"),
        "another video": record(video_id="b"),
        "other metadata": record(metadata={"a": "b"}),
        "paused": record(is_paused=True),
    }.values(),
)
def test_the_checksum_differs_where_the_plan_does(other: object) -> None:
    first = plan_of(change("create", "s/t/a", None, record()))
    assert checksum(first.changes) != checksum(plan_of(change("create", "s/t/a", None, other)).changes)  # type: ignore[arg-type]


def test_the_checksum_does_not_depend_on_the_order_of_steps() -> None:
    a, b = change("create", "a", None, record()), change("create", "b", None, record())
    assert checksum(plan_of(a, b).changes) == checksum(plan_of(b, a).changes)


# --- a run ----------------------------------------------------------------------------------------


def test_a_run_is_told_in_one_line_a_schedule_and_a_sum() -> None:
    results = [
        result("spring/teaser/alpha", "completed"),
        result("spring/teaser/b", "failed", error="404: Not\nFound"),
        result("spring/teaser/c", "executing", error="timeout"),
        result("spring/teaser/d", "pending", error="rate limit"),
        result("spring/teaser/e", "completed", phase="handed_over"),
        result("spring/teaser/f", "executing", phase="handed_over"),
    ]
    assert results_text(results) == text("""
        + spring/teaser/alpha  completed
        ! spring/teaser/b      failed     404: Not\\nFound
        > spring/teaser/c      executing  timeout
        ~ spring/teaser/d      pending    rate limit
        + spring/teaser/e      completed  handed over, public at 2026-02-28 12:00 UTC
        > spring/teaser/f      executing  handed over
        2 completed (1 not public yet), 2 executing, 1 pending, 1 failed.
    """)


def test_a_run_without_results_says_so() -> None:
    assert results_text([]) == "Nothing to do."


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE)
def test_nothing_hostile_comes_through_in_results(harm: str) -> None:
    assert_harmless(results_text([result(harm, "failed", error=harm)]))
