"""`on_failure: halt`, `after_success`: a wave stops where one failed, and goes on by a person's word."""

from __future__ import annotations

from typing import Any

import pytest
from github_stand_in import Fault, GitHub
from miniature import Miniature, Outcome
from simulated_time import Stage

from scheduler.times import instant_text, read_utc

DUE = "2026-03-01T18:00:00Z"
HOUR = 3600
ALPHA, BETA, GAMMA = (f"spring/premiere/{name}" for name in ("alpha", "beta", "gamma"))


def after(seconds: int) -> str:
    return instant_text(read_utc(DUE) + seconds)


def stagger(
    *members: str, top: str = "on_failure: halt", delay: str = "1h", more: str = "", catch_up: str = "30m"
) -> dict[str, str]:
    names = ", ".join(members or ("alpha", "beta", "gamma"))
    entry = (
        f"type: staggered, group: premiere, video: film, at: {DUE}, delay: {delay}, channels: [{names}]{more}"
    )
    return {"waves/spring.yaml": f"{top}\ncatch_up: {catch_up}\nschedules:\n  - {{ {entry} }}\n"}


def run(mini: Miniature, github: GitHub, seconds: int) -> Outcome:
    github.clock = lambda: float(read_utc(DUE) + seconds)
    return mini.json("run", now=after(seconds))


def halted_by(mini: Miniature, schedule_id: str) -> str | None:
    pauses: list[dict[str, Any]] = mini.records[schedule_id].get("pauses", [])
    return next((pause["reason"] for pause in pauses if pause["by"] == "halt"), None)


@pytest.fixture
def failed(live: Miniature, github: GitHub) -> Miniature:
    """A stagger whose first member was refused."""
    github.repository("acme/alpha").faults = [Fault(status=422, body={"message": "No"})]
    live.write(stagger())
    assert run(live, github, 0).code == 1
    return live


# --- stop -----------------------------------------------------------------------------------------


def test_a_stagger_stops_where_a_member_failed_and_says_so(failed: Miniature, github: GitHub) -> None:
    outcome = run(failed, github, HOUR)
    assert (outcome.code, outcome.results) == (0, {})
    assert failed.statuses[ALPHA] == "failed (rejected)"
    assert failed.records[BETA]["is_paused"] is True
    assert halted_by(failed, BETA) == halted_by(failed, GAMMA) == f"{ALPHA} failed"
    assert github.dispatches == []


def test_what_is_given_up_halts_what_falls_due_in_that_very_run(live: Miniature, github: GitHub) -> None:
    live.channels("alpha", delivery="at-least-once")
    live.write({"scheduler.yaml": "retry: { attempts: 1 }\n"} | stagger(delay="16m"))
    github.repository("acme/alpha").faults = [Fault(status=502)]
    run(live, github, 0)
    assert run(live, github, 16 * 60).results == {ALPHA: "failed"}
    assert (halted_by(live, BETA), github.dispatches) == (f"{ALPHA} failed", [])


def test_what_is_halted_waits_however_long(failed: Miniature, github: GitHub) -> None:
    assert [run(failed, github, seconds).code for seconds in (HOUR, 4 * HOUR, 50 * HOUR)] == [0, 0, 0]
    assert failed.statuses[BETA] in ("pending", "scheduled")


def test_a_wave_that_continues_is_not_stopped(live: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=422)]
    live.write(stagger(top="on_failure: continue"))
    run(live, github, 0)
    assert run(live, github, HOUR).results == {BETA: "completed"}


def test_a_halt_stops_its_own_wave_alone(failed: Miniature, github: GitHub) -> None:
    other = stagger("gamma")["waves/spring.yaml"].replace("film", "other").replace(DUE, after(600))
    failed.write({"waves/other.yaml": other})
    assert run(failed, github, 600).results == {"other/premiere/gamma": "completed"}


@pytest.mark.parametrize("kind", ["missed", "unknown_outcome", "run_failed"])
def test_any_failure_halts(live: Miniature, github: GitHub, kind: str) -> None:
    alpha, begin = github.repository("acme/alpha"), 0
    if kind == "missed":
        begin = 1801
    elif kind == "unknown_outcome":
        alpha.faults = [Fault(status=502)]
    else:
        live.channels("alpha", confirm="run")
        alpha.conclusion = "failure"
    live.write(stagger())
    for seconds in (begin, 1000 + begin):
        run(live, github, seconds)
    assert live.statuses[ALPHA] == f"failed ({kind})"
    assert run(live, github, HOUR).results == {}
    assert halted_by(live, BETA) == f"{ALPHA} failed"


def test_of_several_that_are_late_at_once_the_first_fails_and_halts_the_others(
    live: Miniature, github: GitHub
) -> None:
    live.write(stagger(delay="1m"))
    outcome = run(live, github, 2 * HOUR)
    assert (outcome.code, outcome.results) == (1, {ALPHA: "failed"})
    assert live.statuses == {ALPHA: "failed (missed)", BETA: "pending", GAMMA: "pending"}
    assert github.dispatches == []


# --- go on ----------------------------------------------------------------------------------------


def test_it_goes_on_after_a_retry_that_succeeds(failed: Miniature, github: GitHub) -> None:
    run(failed, github, HOUR)
    assert failed.run("retry", ALPHA, now=after(HOUR + 60)).code == 0
    assert run(failed, github, HOUR + 120).results == {ALPHA: "completed", BETA: "completed"}
    assert run(failed, github, 2 * HOUR).results == {GAMMA: "completed"}


def test_what_is_missed_by_the_time_it_goes_on_halts_it_again(failed: Miniature, github: GitHub) -> None:
    run(failed, github, 2 * HOUR)
    failed.run("retry", ALPHA, now=after(2 * HOUR + 60))
    assert run(failed, github, 2 * HOUR + 120).results == {ALPHA: "completed", BETA: "failed"}
    assert halted_by(failed, GAMMA) == f"{BETA} failed"


def test_a_retry_that_fails_again_keeps_the_halt(failed: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=422)]
    failed.run("retry", ALPHA, now=after(60))
    assert run(failed, github, 120).results == {ALPHA: "failed"}
    assert run(failed, github, HOUR).results == {}
    assert halted_by(failed, BETA) == f"{ALPHA} failed"


def test_until_the_retry_has_succeeded_the_rest_waits(failed: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=502, accept=True)]
    failed.run("retry", ALPHA, now=after(HOUR - 30))
    run(failed, github, HOUR)
    assert failed.statuses[ALPHA] == "executing"
    assert halted_by(failed, BETA) is not None
    assert run(failed, github, HOUR + 200).results == {ALPHA: "completed", BETA: "completed"}


@pytest.mark.parametrize(
    "edit",
    [
        stagger("{id: alpha, cancelled: true}", "beta", "gamma"),
        stagger("{id: beta, at: 2026-03-01T19:00:00Z}", "{id: gamma, at: 2026-03-01T20:00:00Z}"),
        stagger(top="on_failure: continue"),
        stagger("{id: alpha, at: 2026-03-01T19:30:00Z}", "beta", "gamma"),
    ],
    ids=["cancelled", "withdrawn", "on_failure changed", "revived by an edit"],
)
def test_it_goes_on_when_the_declaration_says_so(
    failed: Miniature, github: GitHub, edit: dict[str, str]
) -> None:
    run(failed, github, 600)
    assert halted_by(failed, BETA) is not None
    failed.write(edit)
    outcome = run(failed, github, HOUR)
    assert outcome.results == {BETA: "completed"}, outcome.out
    assert halted_by(failed, GAMMA) is None


def test_a_wave_that_is_told_to_halt_after_the_failure_halts(live: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=422)]
    live.write(stagger(top="on_failure: continue"))
    run(live, github, 0)
    live.write(stagger())
    assert run(live, github, HOUR).results == {}
    assert halted_by(live, BETA) == f"{ALPHA} failed"


def test_a_halt_stays_when_its_failure_goes_into_the_archive(live: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=422)]
    live.write(stagger(delay="100d"))
    run(live, github, 0)
    run(live, github, 95 * 24 * HOUR)
    assert ALPHA not in live.records
    assert run(live, github, 100 * 24 * HOUR).results == {}
    assert halted_by(live, BETA) == f"{ALPHA} failed"


def test_a_halt_stays_while_the_wave_cannot_be_read(failed: Miniature, github: GitHub) -> None:
    failed.write({"waves/spring.yaml": "schedules: [\n"})
    outcome = run(failed, github, HOUR)
    assert (outcome.code, outcome.results, github.dispatches) == (1, {}, [])
    assert halted_by(failed, BETA) == f"{ALPHA} failed"


# --- late members ---------------------------------------------------------------------------------


def test_late_members_are_begun_in_order_and_each_waits_for_the_answer_before_it(
    live: Miniature, github: GitHub
) -> None:
    live.write(stagger(delay="1m"))
    github.latency = 0.05
    outcome = run(live, github, 600)
    assert set(outcome.results.values()) == {"completed"}
    posts = [seen for seen in github.requests if seen.method == "POST"]
    assert [seen.path.split("/")[3] for seen in posts] == ["alpha", "beta", "gamma"]
    assert live.state["serial"] >= 1 + 2 * 3  # an intent and an outcome each


def test_the_plan_says_who_waits_for_whom(live: Miniature, github: GitHub) -> None:
    live.write(stagger(delay="1m"))
    plan = live.json("run", "--dry-run", now=after(600)).json
    assert [change["reason"] for change in plan["changes"] if change["action"] == "send"] == [
        "due, 10m late",
        f"due, 9m late; after the answer for {ALPHA}",
        f"due, 8m late; after the answer for {BETA}",
    ]


def test_late_members_stop_at_the_first_that_fails(live: Miniature, github: GitHub) -> None:
    github.repository("acme/beta").faults = [Fault(status=422)]
    live.write(stagger(delay="1m"))
    assert run(live, github, 600).results == {ALPHA: "completed", BETA: "failed"}
    assert halted_by(live, GAMMA) == f"{BETA} failed"


def test_a_member_waits_while_the_answer_before_it_is_unknown(live: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=502, accept=True)]
    live.write(stagger(delay="1m"))
    assert run(live, github, 600).results == {ALPHA: "executing"}
    assert run(live, github, 660).results == {}
    assert set(run(live, github, 800).results.values()) == {"completed"}


def test_a_halt_declared_meanwhile_waits_for_what_is_under_way(live: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=502)]
    live.write(stagger("alpha", "beta", top="on_failure: continue", delay="1m"))
    assert run(live, github, 0).results == {ALPHA: "executing"}
    live.write(stagger("alpha", "beta", delay="1m"))
    assert run(live, github, 60).results == {}
    assert live.statuses[BETA] in ("pending", "scheduled")


def test_a_member_waits_while_the_one_before_it_is_told_to_come_again(
    live: Miniature, github: GitHub
) -> None:
    github.repository("acme/alpha").faults = [Fault(status=429, headers={"retry-after": "120"})]
    live.write(stagger(delay="1m"))
    assert run(live, github, 600).results == {ALPHA: "pending"}
    assert set(run(live, github, 730).results.values()) == {"completed"}
    assert [dispatch.payload["channel_id"] for dispatch in github.dispatches] == ["alpha", "beta", "gamma"]


def test_without_halt_late_members_leave_together_in_order(live: Miniature, github: GitHub) -> None:
    live.write(stagger(top="on_failure: continue", delay="1m"))
    outcome = run(live, github, 600)
    assert set(outcome.results.values()) == {"completed"}
    assert live.state["serial"] <= 2 + 1 + 3  # one intent for all


def test_members_of_one_instant_leave_together_under_halt_too(live: Miniature, github: GitHub) -> None:
    live.write(stagger(delay="0s"))
    plan = live.json("run", "--dry-run", now=DUE).json
    assert {change["reason"] for change in plan["changes"] if change["action"] == "send"} == {"due"}


# --- a canary -------------------------------------------------------------------------------------


CANARY = ", after_success: true"


@pytest.fixture
def canary(live: Miniature, github: GitHub) -> Miniature:
    """Each member waits until the one before it is completed, and completed means: its run succeeded."""
    for name in ("alpha", "beta", "gamma"):
        github.repository(f"acme/{name}").conclusion = None
    live.channels("alpha", "beta", "gamma", confirm="run")
    return live.write(stagger(top="", delay="10m", more=CANARY))


def conclude(github: GitHub, name: str, conclusion: str = "success") -> None:
    github.repository(f"acme/{name}").runs[0].conclude(conclusion)


def test_each_waits_until_the_one_before_it_is_completed(canary: Miniature, github: GitHub) -> None:
    assert run(canary, github, 0).results == {ALPHA: "executing"}
    assert (
        run(canary, github, 2 * HOUR).results == {}
    )  # beta's own time is long over: neither sent nor missed
    conclude(github, "alpha")
    done = run(canary, github, 2 * HOUR + 100)
    assert done.results == {ALPHA: "completed", BETA: "executing"}
    assert canary.records[BETA]["lateness_seconds"] <= 5  # counted from when it was released
    assert github.dispatches[1].payload["not_after"] >= after(2 * HOUR + 100 + 1800)


def test_one_that_failed_blocks_those_after_it_without_a_miss(canary: Miniature, github: GitHub) -> None:
    run(canary, github, 0)
    conclude(github, "alpha", "failure")
    assert run(canary, github, 300).code == 1
    assert [run(canary, github, seconds).code for seconds in (HOUR, 30 * HOUR)] == [0, 0]
    assert canary.statuses[BETA].split()[0] in ("pending", "scheduled")
    assert len(github.dispatches) == 1


def test_released_too_long_ago_it_is_missed(canary: Miniature, github: GitHub) -> None:
    run(canary, github, 0)
    conclude(github, "alpha")
    run(canary, github, HOUR)  # beta is sent
    conclude(github, "beta")
    canary.json("run", now=after(HOUR + 100), SCHEDULER_PAUSED="1")  # completes beta, and gamma may not go
    assert run(canary, github, 3 * HOUR).code == 1
    assert canary.statuses[GAMMA] == "failed (missed)"


def test_one_that_is_cancelled_is_skipped(canary: Miniature, github: GitHub) -> None:
    canary.write(stagger("alpha", "{id: beta, cancelled: true}", "gamma", top="", delay="10m", more=CANARY))
    run(canary, github, 0)
    conclude(github, "alpha")
    assert run(canary, github, 1300).results == {ALPHA: "completed", GAMMA: "executing"}


def test_one_that_was_withdrawn_and_came_back_takes_its_turn_within_catch_up(
    canary: Miniature, github: GitHub
) -> None:
    run(canary, github, 0)
    canary.write(stagger("alpha", "gamma", top="", delay="20m", more=CANARY))
    run(canary, github, 60)
    canary.write(stagger(top="", delay="10m", more=CANARY))
    conclude(github, "alpha")
    outcome = run(canary, github, 1300)
    assert outcome.results == {ALPHA: "completed", BETA: "executing"}


def test_one_that_is_paused_blocks(canary: Miniature, github: GitHub) -> None:
    canary.write(stagger("alpha", "{id: beta, paused: true}", "gamma", top="", delay="10m", more=CANARY))
    run(canary, github, 0)
    conclude(github, "alpha")
    assert run(canary, github, 1300).results == {ALPHA: "completed"}


def test_its_own_time_is_the_earliest_a_member_leaves(canary: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").conclusion = "success"
    assert run(canary, github, 0).results == {ALPHA: "completed"}
    assert run(canary, github, 599).results == {}
    assert run(canary, github, 600).results == {BETA: "executing"}


def test_an_accepted_dispatch_releases_the_next_where_that_is_all_a_channel_confirms(
    live: Miniature, github: GitHub
) -> None:
    live.write(stagger(top="", delay="1m", more=CANARY))
    with Stage(live, github, after(600)) as stage:
        report = stage.runner().reconcile_once()
        assert [who for _, who in stage.arrivals] == [ALPHA, BETA, GAMMA]
    assert not report.is_red


def test_of_a_wave_that_cannot_be_read_the_order_is_kept(canary: Miniature, github: GitHub) -> None:
    run(canary, github, 0)
    canary.write({"waves/spring.yaml": "schedules: [\n"})
    assert run(canary, github, HOUR).results == {}
    conclude(github, "alpha")
    assert run(canary, github, HOUR + 100).results == {ALPHA: "completed", BETA: "executing"}


def test_one_that_is_archived_in_that_very_run_still_releases_the_next(
    live: Miniature, github: GitHub
) -> None:
    later = 100 * 24 * HOUR
    live.write(stagger("alpha", f"{{id: beta, at: {after(later)}}}", top="", delay="10m", more=CANARY))
    assert run(live, github, 0).results == {ALPHA: "completed"}
    assert run(live, github, later).results == {BETA: "completed"}
