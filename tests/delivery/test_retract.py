"""What was handed over and is not public yet is taken back: one event, under the whole protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from due import DUE, after, at, posts, run
from github_stand_in import RETRACTING, Fault, GitHub, Repository, rate_limited
from miniature import Miniature
from simulated_time import Stage

from scheduler.delivery.hold_and_watch import hold
from scheduler.times import read_utc

HOUR = 3600
ID = "spring/teaser/alpha"
WAVE = """\
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-01T18:00:00Z
    channels: [alpha]
"""
MOVED = WAVE.replace("03-01T18", "03-02T18")


@pytest.fixture
def alpha(github: GitHub, live: Miniature) -> Repository:
    """The channel's repository; its publication was handed over 6 h before its time."""
    repo = github.repository("acme/alpha")
    repo.workflows = {"publish.yml": RETRACTING}
    live.channels("alpha", lead="6h", retract="retract-video").write({"waves/spring.yaml": WAVE})
    assert run(live, github, -6 * HOUR).results == {ID: "completed"}
    return repo


def cancelled(live: Miniature) -> Miniature:
    return live.write({"waves/spring.yaml": "cancelled: true\n" + WAVE})


def events(github: GitHub) -> list[tuple[str | None, str, bool]]:
    """The events that took effect: type, key, whether it takes the publication of that key back."""
    return [(d.event_type, d.payload["key"], "retract" in d.payload) for d in github.dispatches]


def retraction(live: Miniature, schedule_id: str = ID) -> dict[str, Any]:
    found: dict[str, Any] = live.records[schedule_id]["retraction"]
    return found


def taken_back(live: Miniature, github: GitHub, seconds: int) -> None:
    """A run that takes it back, and one that sees the run of that."""
    run(live, github, seconds)
    run(live, github, seconds + 70)


# --- the protocol -----------------------------------------------------------------------------------


def test_what_is_cancelled_is_taken_back_by_one_event_of_ten_keys(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    cancelled(live)
    plan = live.json("plan", now=at(github, -4 * HOUR))
    assert plan.actions == [f"retract {ID}"]
    assert plan.json["changes"][0]["reason"] == "declared cancelled"
    first = run(live, github, -4 * HOUR)
    assert (first.code, first.json["results"][0]["status"]) == (0, "cancelled")
    (_, key, _), (event_type, same_key, is_retraction) = events(github)
    assert (event_type, same_key, is_retraction) == ("retract-video", key, True)
    assert list(github.dispatches[1].payload) == [
        "video_id", "schedule_id", "key", "wave_id", "coordination_group_id", "channel_id", "schedule_type",
        "scheduled_at", "retract", "metadata",
    ]  # fmt: skip
    assert github.dispatches[1].payload["retract"] is True
    assert live.statuses == {ID: "cancelled (retracted)"}
    assert retraction(live)["status"] == "confirmed"
    assert retraction(live)["run_url"].startswith("https://github.com/acme/alpha/actions/runs/")
    for seconds in (-HOUR, 0, HOUR):
        assert run(live, github, seconds).results == {}
    assert len(github.dispatches) == 2


def test_the_intent_is_saved_before_the_request_leaves(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    cancelled(live)
    alpha.faults = [Fault(what="hang")]
    killed = live.start("--now", at(github, -4 * HOUR), "run", SCHEDULER_CRASH_AT="before-send")
    killed.communicate(timeout=60)
    assert (retraction(live)["status"], live.statuses) == ("sending", {ID: "completed"})
    assert posts(github) == 1, "the publication's"


@pytest.mark.parametrize("arrived", [True, False])
def test_an_unknown_outcome_is_looked_up_and_never_repeated(
    live: Miniature, github: GitHub, alpha: Repository, arrived: bool
) -> None:
    cancelled(live)
    alpha.faults = [Fault(status=502, accept=arrived)]
    alpha.conclusion, alpha.lag = None, 100
    first = run(live, github, -4 * HOUR)
    assert first.code == 1
    assert first.results == {ID: "completed"}
    for seconds in (60, 300, 600, 1200):
        last = run(live, github, -4 * HOUR + seconds)
    assert posts(github) == 2
    if arrived:
        assert retraction(live)["status"] == "accepted"
        alpha.runs[-1].conclude("success")
        assert run(live, github, -HOUR).results == {ID: "cancelled"}
    else:
        assert retraction(live)["status"] == "failed"
        assert "so it may be public" in last.json["diagnostics"][0]["message"]
        assert live.statuses == {ID: "completed"}, "it stays handed over"
        assert run(live, github, -HOUR).code == 1, "and red"


def test_a_refused_retraction_is_red_and_leaves_it_handed_over(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    cancelled(live)
    alpha.faults = [Fault(status=422, body={"message": "No"})]
    outcome = run(live, github, -4 * HOUR)
    assert outcome.code == 1
    assert outcome.json["results"][0]["error"].startswith(
        "it could not be taken back and may be public: refused: HTTP 422"
    )
    assert (live.statuses, retraction(live)["status"]) == ({ID: "completed"}, "failed")
    trouble = outcome.json["troubles"][0]
    assert (trouble["topic"], trouble["kind"], trouble["schedule_id"]) == ("wave:spring", "failed", ID)
    assert "so it may be public" in trouble["message"]
    again = run(live, github, -HOUR)
    assert (again.code, again.codes) == (1, ["edited-after-dispatch"])
    assert posts(github) == 2, "it is not repeated"


def test_a_rate_limit_is_waited_for(live: Miniature, github: GitHub, alpha: Repository) -> None:
    cancelled(live)
    alpha.faults = [rate_limited(retry_after="90")]
    assert run(live, github, -4 * HOUR).code == 0
    assert retraction(live)["status"] == "sending"
    run(live, github, -4 * HOUR + 30)
    assert posts(github) == 2
    taken_back(live, github, -4 * HOUR + 100)
    assert live.statuses == {ID: "cancelled (retracted)"}
    assert [is_retraction for *_, is_retraction in events(github)] == [False, True]


def test_its_own_run_alone_confirms_it_and_its_failure_is_red(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    cancelled(live)
    alpha.conclusion = "failure"
    outcome = run(live, github, -4 * HOUR)
    assert (outcome.code, live.statuses) == (1, {ID: "completed"})
    assert retraction(live)["error"] == "its run ended as failure"
    alpha.runs[-1].conclude("success")  # somebody re-ran it
    run(live, github, -3 * HOUR)
    assert live.statuses == {ID: "cancelled (retracted)"}


def test_when_its_run_ended_counts_and_not_when_that_was_seen(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    cancelled(live)
    alpha.conclusion = None
    run(live, github, -600)
    alpha.runs[-1].conclude("success")
    alpha.runs[-1].ended = float(read_utc(after(-1)))
    assert run(live, github, 300).results == {ID: "cancelled"}
    assert live.statuses == {ID: "cancelled (retracted)"}


def test_a_run_that_ended_after_the_publish_time_confirms_nothing(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    cancelled(live)
    alpha.conclusion = None
    run(live, github, -600)
    alpha.runs[-1].conclude("success")
    alpha.runs[-1].ended = float(read_utc(DUE))
    outcome = run(live, github, 300)
    assert (outcome.code, outcome.results) == (1, {ID: "completed"})
    assert retraction(live)["error"] == "its run did not end before the publish time"


def test_the_run_of_the_publication_is_never_taken_for_that_of_the_retraction(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    cancelled(live)
    alpha.runs_per_dispatch = 0
    run(live, github, -4 * HOUR)
    assert run(live, github, -4 * HOUR + 70).results == {}
    assert retraction(live)["status"] == "accepted", "the publication's run, which succeeded, is another one"


# --- what triggers it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"waves/spring.yaml": "paused: true\n" + WAVE}, "paused by wave"),
        ({"waves/spring.yaml": "paused: {until: 2026-03-01T18:00:01Z}\n" + WAVE}, "paused by wave"),
        ({"waves/spring.yaml": WAVE.replace("[alpha]", "[{id: alpha, paused: true}]")}, "paused by schedule"),
        ({"waves/spring.yaml": MOVED}, "moved to 2026-03-02T18:00:00Z"),
        (
            {"waves/spring.yaml": WAVE.replace("video: teaser", "group: teaser\n    video: other")},
            "video teaser",
        ),
        ({"waves/spring.yaml": "schedules: []\n"}, "no longer declared"),
    ],
    ids=["a-paused-wave", "a-pause-that-outlasts-it", "a-paused-member", "moved", "another-video", "removed"],
)
def test_it_is_taken_back_if(
    live: Miniature, github: GitHub, alpha: Repository, files: dict[str, str], why: str
) -> None:
    plan = live.write(files).json("plan", now=at(github, -4 * HOUR))
    assert plan.actions == [f"retract {ID}"]
    assert plan.json["changes"][0]["reason"].startswith(why)
    assert (plan.code, plan.codes) == (0, [])


def test_a_paused_channel_takes_back_what_it_was_given(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    live.channels("alpha", lead="6h", retract="retract-video", paused="{reason: strike}")
    assert live.json("plan", now=at(github, -4 * HOUR)).actions == [f"retract {ID}"]


@pytest.mark.parametrize(
    "files",
    [
        {"waves/spring.yaml": "paused: {until: 2026-03-01T18:00:00Z}\n" + WAVE},
        {"waves/spring.yaml": "schedules: [\n"},
        {"channels/alpha.yaml": "repository: [\n"},
        {"scheduler.yaml": "freezes: [{from: 2026-03-01T12:00:00Z, until: 2026-03-02T12:00:00Z}]\n"},
        {"waves/spring.yaml": "catch_up: 2h\n" + WAVE + "    metadata: {a: b}\n"},
    ],
    ids=["a-pause-that-ends", "an-unreadable-wave", "an-unreadable-channel", "a-freeze", "other-edits"],
)
def test_it_is_not_taken_back_for(
    live: Miniature, github: GitHub, alpha: Repository, files: dict[str, str]
) -> None:
    live.write(files)
    assert run(live, github, -4 * HOUR).json["results"] == []
    assert posts(github) == 1


def test_the_stop_takes_nothing_back_and_holds_no_retraction_back(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    live.json("run", now=at(github, -4 * HOUR), SCHEDULER_PAUSED="1")
    assert posts(github) == 1
    live.write({"scheduler.yaml": "freezes: [{from: 2026-03-01T12:00:00Z, until: 2026-03-02T12:00:00Z}]\n"})
    cancelled(live).json("run", now=at(github, -4 * HOUR), SCHEDULER_PAUSED="1")
    assert live.statuses == {ID: "cancelled (retracted)"}


def test_an_edit_that_breaks_a_rule_takes_nothing_back(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    other = WAVE.replace("teaser", "trailer").replace("03-01T18", "03-02T18")
    live.write({"waves/summer.yaml": other, "waves/spring.yaml": MOVED})
    outcome = run(live, github, -4 * HOUR)
    assert (outcome.code, set(outcome.codes)) == (1, {"min-gap"})
    assert posts(github) == 1
    live.write({"waves/summer.yaml": "schedules: []\n"})
    run(live, github, -4 * HOUR + 5)
    assert posts(github) == 2


@pytest.mark.parametrize(
    ("seconds", "min_gap", "is_taken_back"),
    [(-300, "1m", True), (-299, "1m", False), (-600, "10m", True), (-599, "10m", False)],
)
def test_five_minutes_or_min_gap_before_its_time_it_is_too_late(
    live: Miniature,
    github: GitHub,
    alpha: Repository,
    still_clock: None,
    seconds: int,
    min_gap: str,
    is_taken_back: bool,
) -> None:
    live.write({"scheduler.yaml": f"conflicts: {{min_gap: {min_gap}}}\n"})
    cancelled(live)
    run(live, github, seconds)
    assert (posts(github) == 2) is is_taken_back


def test_without_the_key_nothing_is_taken_back(live: Miniature, github: GitHub, alpha: Repository) -> None:
    live.channels("alpha", lead="6h")
    cancelled(live)
    run(live, github, -4 * HOUR)
    assert posts(github) == 1


def test_of_a_channel_that_is_gone_it_is_taken_back_as_it_was_sent(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    live.remove("channels/alpha.yaml").remove("waves/spring.yaml")
    taken_back(live, github, -4 * HOUR)
    assert live.statuses == {ID: "cancelled (retracted)"}


def test_the_brake_counts_what_could_be_taken_back(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    live.remove("waves/spring.yaml").write({"scheduler.yaml": "brake: {at_least: 1}\n"})
    outcome = run(live, github, -4 * HOUR)
    assert (outcome.code, outcome.codes, posts(github)) == (1, ["brake"], 1)
    live.json("run", "--force", now=at(github, -4 * HOUR + 10))
    assert live.statuses == {ID: "cancelled (retracted)"}


# --- afterwards -------------------------------------------------------------------------------------


def test_what_was_moved_is_sent_again_under_the_next_key(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    live.write({"waves/spring.yaml": MOVED})
    taken_back(live, github, -4 * HOUR)
    record = live.records[ID]
    assert (record["status"], record["scheduled_at"]) == ("scheduled", "2026-03-02T18:00:00Z")
    run(live, github, 18 * HOUR)
    (_, first, _), (_, same, _), (event_type, second, is_retraction) = events(github)
    assert first == same != second
    assert (event_type, is_retraction) == ("process-video", False)
    assert live.statuses == {ID: "completed"}


def test_nothing_leaves_under_the_next_key_until_it_is_confirmed(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    alpha.conclusion = None
    live.write({"waves/spring.yaml": "paused: true\n" + WAVE})
    run(live, github, -4 * HOUR)
    live.write({"waves/spring.yaml": WAVE})  # resumed
    for seconds in (60, 200, 1200):
        run(live, github, -4 * HOUR + seconds)
    assert posts(github) == 2
    alpha.runs[-1].conclude("success")
    alpha.conclusion = "success"
    run(live, github, -HOUR)
    run(live, github, -HOUR + 60)
    keys = [key for _, key, _ in events(github)]
    assert keys[0] == keys[1] != keys[2]
    assert (live.statuses, len(keys)) == ({ID: "completed"}, 3)


def test_what_it_is_in_the_way_of_waits_and_is_no_error(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    alpha.conclusion = None
    live.write({"waves/spring.yaml": "schedules: []\n", "waves/summer.yaml": WAVE})
    outcome = run(live, github, -4 * HOUR)
    assert (outcome.code, live.statuses) == (0, {ID: "completed"})
    assert {fault["severity"] for fault in outcome.json["diagnostics"]} == {"warning"}
    assert "waits until spring/teaser/alpha (2026-03-01T18:00:00Z) is taken back" in outcome.out
    alpha.runs[-1].conclude("success")
    alpha.conclusion = "success"
    run(live, github, -HOUR)
    run(live, github, -HOUR + 60)
    assert live.statuses == {ID: "cancelled (retracted)", "summer/teaser/alpha": "completed"}


def test_two_that_change_places_are_both_taken_back(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    later = WAVE.replace("teaser", "trailer").replace("T18:00", "T18:30")
    live.write({"waves/summer.yaml": later})
    run(live, github, -5 * HOUR)
    live.write(
        {
            "waves/spring.yaml": WAVE.replace("T18:00", "T18:30"),
            "waves/summer.yaml": later.replace("T18:30", "T18:00"),
        }
    )
    outcome = run(live, github, -4 * HOUR)
    assert outcome.code == 0
    run(live, github, -4 * HOUR + 60)
    assert live.statuses == {ID: "completed", "summer/trailer/alpha": "completed"}
    assert [is_retraction for *_, is_retraction in events(github)] == [False, False, True, True, False, False]
    times = {d.payload["schedule_id"]: d.payload["scheduled_at"] for d in github.dispatches[-2:]}
    assert times == {ID: "2026-03-01T18:30:00Z", "summer/trailer/alpha": "2026-03-01T18:00:00Z"}


def test_from_the_publish_time_on_an_edit_is_an_error_again(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    live.write({"waves/spring.yaml": MOVED})
    assert run(live, github, -10).code == 0, "too late to take it back, and not public yet"
    assert run(live, github, 10).codes == ["edited-after-dispatch"]
    assert posts(github) == 1


def test_a_slot_is_taken_back_by_a_one_off_and_its_video_returns_to_the_head(
    live: Miniature, github: GitHub
) -> None:
    github.repository("acme/alpha").workflows = {"publish.yml": RETRACTING}
    keys = {
        "lead": "6h",
        "retract": "retract-video",
        "slots": "['*-*-* 18:00']",
        "lineup": "[one, two, three]",
    }
    live.channels("alpha", **keys)
    run(live, github, -6 * HOUR)
    slot = f"alpha/{DUE}"
    assert (live.statuses[slot], live.records[slot]["video_id"]) == ("completed", "one")
    live.channels("alpha", **keys | {"lineup": "[three]", "slots": "['*-*-9 18:00']"})
    assert run(live, github, -5 * HOUR).results == {}, "an edit of slots or lineup takes nothing back"
    live.channels("alpha", **keys, schedules=f"[{{at: {DUE}, cancelled: true}}]")
    taken_back(live, github, -4 * HOUR)
    assert live.statuses[slot] == "cancelled (retracted)"
    assert live.records["alpha/2026-03-02T18:00:00Z"]["video_id"] == "one"


def test_a_paused_channel_gives_the_video_of_its_slot_back_and_sends_it_again(
    live: Miniature, github: GitHub
) -> None:
    github.repository("acme/alpha").workflows = {"publish.yml": RETRACTING}
    keys = {"lead": "6h", "retract": "retract-video", "slots": "['*-*-* 18:00']", "lineup": "[one, two]"}
    live.channels("alpha", **keys)
    run(live, github, -6 * HOUR)
    live.channels("alpha", **keys, paused="true")
    taken_back(live, github, -4 * HOUR)
    assert live.statuses[f"alpha/{DUE}"] == "pending"
    live.channels("alpha", **keys)
    run(live, github, -HOUR)
    sent = [(d.payload["video_id"], "retract" in d.payload) for d in github.dispatches]
    assert sent == [("one", False), ("one", True), ("one", False)]
    assert live.records["alpha/2026-03-02T18:00:00Z"]["video_id"] == "two"


def test_a_second_retraction_is_of_the_second_key(live: Miniature, github: GitHub, alpha: Repository) -> None:
    for seconds in (-5 * HOUR, -3 * HOUR):
        live.write({"waves/spring.yaml": "paused: true\n" + WAVE})
        taken_back(live, github, seconds)
        live.write({"waves/spring.yaml": WAVE})
        run(live, github, seconds + 600)
    keys = [key for _, key, _ in events(github)]
    assert keys[0] == keys[1] != keys[2] == keys[3] != keys[4]
    assert len(set(keys)) == 3
    assert live.statuses == {ID: "completed"}
    assert json.dumps(live.records).count("confirmed") == 0, "of the publication that is handed over now"


def test_a_run_that_stays_sends_what_was_moved_as_soon_as_it_is_taken_back(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    alpha.conclusion = None
    live.write({"waves/spring.yaml": WAVE.replace("T18:00", "T19:00")})
    with Stage(live, github, after(-3 * HOUR)) as stage:

        def end() -> None:
            alpha.runs[-1].conclude("success")
            alpha.conclusion = "success"

        stage.clock.at(after(-3 * HOUR + 130), end)
        hold(stage.runner(), 900, lambda _: None)
        assert stage.now < after(-3 * HOUR + 300), "nothing else is waited for"
    assert [is_retraction for *_, is_retraction in events(github)] == [False, True, False]
    assert github.dispatches[-1].payload["scheduled_at"] == "2026-03-01T19:00:00Z"


def test_while_a_run_stays_a_cancellation_takes_it_back_within_seconds(
    live: Miniature, github: GitHub, alpha: Repository
) -> None:
    live.write({"waves/summer.yaml": WAVE.replace("teaser", "trailer").replace("alpha", "beta")})
    with Stage(live, github, after(-600)) as stage:
        stage.clock.at(after(-500), lambda: cancelled(live))
        hold(stage.runner(), 900, lambda _: None)
    assert live.statuses == {ID: "cancelled (retracted)", "summer/trailer/beta": "completed"}
