"""A premiere at 18:00 on six channels is stopped at 14:00, when half of them have it already.

Three channels get it at its time; three have a lead of six hours, and two of these take back what they have.
"""

from __future__ import annotations

import html
from collections import defaultdict

import icalendar
import pytest
from due import after, run
from github_stand_in import RETRACTING, GitHub
from miniature import Miniature

from scheduler import ScheduleError, SchedulingService
from scheduler.clock import Clock
from scheduler.times import read_time

HOUR = 3600
AT_NOON, AT_TWO, ONE_PAST_TWO, JUST_BEFORE, JUST_AFTER = -6 * HOUR, -4 * HOUR, -4 * HOUR + 60, -60, 60
ON_TIME, KEPT, RECALLED = ("anna", "bert", "carl"), ("dora",), ("emil", "fred")
PREMIERE = f"""\
schedules:
  - type: simultaneous
    group: premiere
    video: premiere-4k
    at: 2026-03-01T18:00:00Z
    channels: [{", ".join((*ON_TIME, *KEPT, *RECALLED))}]
"""
GOES_PUBLIC = (
    "launch/premiere/dora goes public at 2026-03-01 18:00 UTC on channel dora all the same ({why}): it was "
    "handed over at 2026-03-01T12:00:00Z and cannot be taken back from here"
)


@pytest.fixture
def stage(github: GitHub, live: Miniature) -> Miniature:
    """At 12:00 the three with a lead have the premiere."""
    for name in (*ON_TIME, *KEPT, *RECALLED):
        github.repository(f"acme/{name}")
    for name in RECALLED:
        github.repository(f"acme/{name}").workflows = {"publish.yml": RETRACTING}
    live.channels(*ON_TIME).channels(*KEPT, lead="6h")
    live.channels(*RECALLED, lead="6h", retract="retract-video").write({"waves/launch.yaml": PREMIERE})
    sent = run(live, github, AT_NOON).results
    assert sent == dict.fromkeys((f"launch/premiere/{name}" for name in (*KEPT, *RECALLED)), "completed")
    return live


def received(github: GitHub) -> dict[str, list[str]]:
    """By channel: what it was asked to do, in this order."""
    found: dict[str, list[str]] = defaultdict(list)
    for dispatch in github.dispatches:
        what = (
            "take back" if "retract" in dispatch.payload else f"publish at {dispatch.payload['scheduled_at']}"
        )
        found[dispatch.payload["channel_id"]].append(what)
    return dict(found)


def listed(stage: Miniature, seconds: int) -> dict[str, str]:
    """By channel: what `list` says of it; and the progress of the wave under its id."""
    *rows, _, progress = stage.run("list", "--wave", "launch", now=after(seconds)).out.splitlines()[1:]
    wave, _, words = progress.partition(": ")
    return {
        row.split()[0].rpartition("/")[2]: row.partition("UTC  ")[2].partition("  ")[2].strip()
        for row in rows
    } | {wave: words}


def phases(stage: Miniature, seconds: int) -> dict[str, str]:
    told = stage.json("list", now=after(seconds)).json["schedules"]
    return {row["channel_id"]: row["phase"] for row in told}


def stopped(stage: Miniature, github: GitHub, *command: str) -> None:
    """The command at 14:00, and the runs that follow its merge."""
    assert stage.run(*command, now=after(AT_TWO)).code == 1  # something goes public all the same
    run(stage, github, AT_TWO)
    run(stage, github, AT_TWO + 70)


def test_before_the_crisis_nobody_takes_what_is_handed_over_for_public(stage: Miniature) -> None:
    assert phases(stage, ONE_PAST_TWO) == {
        **dict.fromkeys(ON_TIME, "recorded"),
        **dict.fromkeys((*KEPT, *RECALLED), "handed_over"),
    }
    told = listed(stage, ONE_PAST_TWO)
    assert told["launch"] == "0 of 6 public, 3 handed over, 3 to come"
    assert "handed over, public at 18:00" in told["dora"]


def test_a_pause_holds_three_recalls_two_and_names_the_one_that_goes_public(
    stage: Miniature, github: GitHub
) -> None:
    paused = stage.run("pause", "wave:launch", "--reason", "lawsuit", now=after(AT_TWO))
    assert paused.code == 1
    assert GOES_PUBLIC.format(why="paused by wave (lawsuit)") in paused.out
    assert "taken back by the next run: launch/premiere/emil, launch/premiere/fred." in paused.out
    for command in ("validate", "plan"):
        told = stage.run(command, now=after(AT_TWO))
        assert GOES_PUBLIC.format(why="paused by wave (lawsuit)") in told.out + told.err, command
    comment = html.unescape(stage.run("plan", "--format", "markdown", now=after(AT_TWO)).out)
    assert "<code>premiere-4k</code> | 2026-03-01 18:00 UTC, handed over | taken back |" in comment
    assert "launch/premiere/dora goes public at 2026-03-01 18:00 UTC on channel dora all the same" in comment
    assert "goes-public" in run(stage, github, AT_TWO).codes
    run(stage, github, AT_TWO + 70)
    assert received(github) == {
        "dora": ["publish at 2026-03-01T18:00:00Z"],
        "emil": ["publish at 2026-03-01T18:00:00Z", "take back"],
        "fred": ["publish at 2026-03-01T18:00:00Z", "take back"],
    }
    for seconds in (AT_TWO + 120, JUST_BEFORE):
        told = listed(stage, seconds)
        assert told["launch"] == "0 of 6 public, 1 handed over, 5 to come (5 paused)"
        assert "paused by wave (lawsuit)" in told["emil"]
        assert "handed over, public at 18:00" in told["dora"]
        shown = stage.run("show", "launch/premiere/dora", now=after(seconds)).out
        assert "It becomes public at 2026-03-01T18:00:00Z, and is never sent again." in shown
        stage.run("calendar", "--output", str(stage.root / "out"), now=after(seconds))
        assert "public at 18:00" in (stage.root / "out/index.html").read_text()
        assert '"words":"handed over, public at 18:00"' in (stage.root / "out/schedules.json").read_text()
        feed = icalendar.Calendar.from_ical((stage.root / "out/calendar.ics").read_bytes())
        events = {str(event["SUMMARY"]): str(event["DESCRIPTION"]) for event in feed.walk("VEVENT")}
        assert "handed over, public at 18:00" in events["dora: premiere-4k"]
        assert "paused by wave (lawsuit)" in events["emil: premiere-4k (paused)"]
    assert listed(stage, JUST_AFTER)["launch"] == "1 of 6 public, 5 to come (5 paused)"
    assert phases(stage, JUST_AFTER)["dora"] == "public"
    assert "goes-public" not in stage.run("validate", now=after(JUST_AFTER)).out


def test_after_a_resume_the_five_are_sent_and_the_recalled_ones_under_a_new_key(
    stage: Miniature, github: GitHub
) -> None:
    stopped(stage, github, "pause", "wave:launch")
    assert stage.run("resume", "wave:launch", now=after(-3 * HOUR)).code == 0
    run(stage, github, -3 * HOUR)
    run(stage, github, JUST_AFTER)
    assert {name: len(what) for name, what in received(github).items()} == {
        **dict.fromkeys((*ON_TIME, *KEPT), 1),
        **dict.fromkeys(RECALLED, 3),
    }
    keys = [d.payload["key"] for d in github.dispatches if d.payload["channel_id"] == "emil"]
    assert keys[0] == keys[1] != keys[2]
    assert phases(stage, JUST_AFTER + 60) == dict.fromkeys((*ON_TIME, *KEPT, *RECALLED), "public")


def test_a_move_by_a_day_publishes_five_a_day_later_and_one_never_twice(
    stage: Miniature, github: GitHub
) -> None:
    stopped(stage, github, "move", "wave:launch", "2026-03-02T18:00:00Z")
    for seconds in (JUST_AFTER, 24 * HOUR + AT_NOON, 24 * HOUR, 24 * HOUR + 70):
        run(stage, github, seconds)
    tomorrow, today = "publish at 2026-03-02T18:00:00Z", "publish at 2026-03-01T18:00:00Z"
    assert received(github) == {
        **{name: [tomorrow] for name in ON_TIME},
        **{name: [today] for name in KEPT},
        **{name: [today, "take back", tomorrow] for name in RECALLED},
    }


def test_a_cancel_ends_five_of_six(stage: Miniature, github: GitHub) -> None:
    stopped(stage, github, "cancel", "wave:launch")
    run(stage, github, JUST_AFTER)
    assert listed(stage, JUST_AFTER)["launch"] == "1 of 1 public, 5 cancelled"
    assert stage.statuses["launch/premiere/emil"] == "cancelled (retracted)"
    assert set(received(github)) == {*KEPT, *RECALLED}


@pytest.mark.parametrize(
    "command",
    [
        ("pause", "launch/premiere/dora"),
        ("cancel", "launch/premiere/dora"),
        ("move", "launch/premiere/dora", "2026-03-02T18:00:00Z"),
        ("move", "launch/premiere/dora", "--shift", "+1h"),
    ],
)
def test_a_command_that_can_hold_nothing_writes_only_anyway(
    stage: Miniature, command: tuple[str, ...]
) -> None:
    file = stage.root / "waves/launch.yaml"
    refused = stage.run(*command, now=after(AT_TWO))
    assert (refused.code, file.read_text()) == (1, PREMIERE)
    assert "launch/premiere/dora goes public all the same, so nothing was written" in refused.err
    assert "repeat the command with --anyway" in refused.err
    written = stage.run(*command, "--anyway", now=after(AT_TWO))
    assert written.code == 0
    assert file.read_text() != PREMIERE


def test_five_minutes_before_its_time_nothing_is_taken_back_any_more(stage: Miniature) -> None:
    refused = stage.run("cancel", "launch/premiere/emil", now=after(-4 * 60))
    assert refused.code == 1
    assert "launch/premiere/emil goes public all the same" in refused.err
    assert stage.run("cancel", "launch/premiere/emil", now=after(-5 * 60)).code == 0


def test_a_freeze_and_the_operators_stop_name_what_goes_public_and_take_nothing_back(
    stage: Miniature, github: GitHub
) -> None:
    told = stage.run("plan", now=after(AT_TWO), SCHEDULER_PAUSED="1").out
    for name in (*KEPT, *RECALLED):
        assert f"launch/premiere/{name} goes public at 2026-03-01 18:00 UTC" in told
    assert "SCHEDULER_PAUSED is set" in told
    assert "to take back" not in told
    freeze = "freezes: [{ reason: Mourning, from: 2026-03-01T13:00:00Z, until: 2026-03-01T20:00:00Z }]\n"
    stage.write({"scheduler.yaml": freeze})
    told = stage.run("plan", now=after(AT_TWO)).out
    assert told.count("all the same (freeze 'Mourning')") == 3
    assert "to take back" not in told


def test_a_removed_file_names_what_goes_public(stage: Miniature) -> None:
    (stage.root / "waves/launch.yaml").unlink()
    told = stage.run("plan", now=after(AT_TWO))
    assert GOES_PUBLIC.format(why="no longer declared") in told.out + told.err


def test_python_refuses_what_can_hold_nothing(stage: Miniature) -> None:
    service = SchedulingService(stage.root, environ=stage.environ, clock=Clock(read_time(after(AT_TWO))))
    with pytest.raises(ScheduleError, match="dora goes public all the same"):
        service.pause_schedule("launch/premiere/dora")
    assert service.pause_schedule("launch/premiere/emil").phase == "handed_over"
