"""The workflow that ships for channel repositories, run as it is: one key, one publication."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from acting import Outcome, Runner
from loopback_github import LoopbackGitHub, Repository

KEY = "gs1-abcdefghijklmnopqrstuvwxyz"
CLAIM = f"refs/tags/wave-claims/{KEY}"


def payload(**changes: Any) -> dict[str, Any]:
    return {
        "video_id": "teaser-4k", "schedule_id": "spring/teaser/tech-daily", "key": KEY, "wave_id": "spring",
        "coordination_group_id": "spring/teaser", "channel_id": "tech-daily", "schedule_type": "simultaneous",
        "scheduled_at": "2026-03-01T18:00:00Z", "not_after": "2999-01-01T00:00:00Z", "metadata": {"a": "b"},
    } | changes  # fmt: skip


def test_the_first_delivery_claims_the_key_and_publishes(
    deliver: Callable[..., Outcome], channel: Repository
) -> None:
    run = deliver(payload(), run_id=11)
    assert run.conclusion == "success"
    assert run.said("Publishing teaser-4k for spring/teaser/tech-daily")
    assert list(channel.refs) == [CLAIM]
    assert channel.tags[channel.refs[CLAIM]["sha"]]["message"].startswith("run=11\n")


def test_a_second_delivery_does_nothing_and_ends_as_cancelled(
    deliver: Callable[..., Outcome], channel: Repository
) -> None:
    assert deliver(payload(), run_id=11).conclusion == "success"
    second = deliver(payload(), run_id=12)
    assert not second.said("Publishing")
    assert second.said("is published by run 11")
    assert channel.cancelled == [12]
    assert second.conclusion == "cancelled"


def test_a_re_run_of_the_owner_publishes_even_when_it_is_late(deliver: Callable[..., Outcome]) -> None:
    assert deliver(payload(), run_id=11).said("Publishing")
    again = deliver(payload(not_after="2020-01-01T00:00:00Z"), run_id=11)
    assert again.conclusion == "success"
    assert again.said("Publishing")


def test_what_is_too_old_fails_before_it_claims(deliver: Callable[..., Outcome], channel: Repository) -> None:
    run = deliver(payload(not_after="2020-01-01T00:00:00Z"))
    assert run.conclusion == "failure"
    assert run.said("this was to be published until 2020-01-01T00:00:00Z")
    assert channel.refs == {}


def test_a_claim_whose_answer_was_lost_is_still_this_runs_own(
    deliver: Callable[..., Outcome], github: LoopbackGitHub
) -> None:
    github.lose_next_answer_to = "/git/refs"
    run = deliver(payload(), run_id=11)
    assert len(github.asked("POST", "/git/refs")) == 2, "the request was made again after the 502"
    assert run.said("Publishing")


def test_another_key_is_another_publication(deliver: Callable[..., Outcome]) -> None:
    assert deliver(payload(), run_id=11).said("Publishing")
    assert deliver(payload(key=KEY + "-2"), run_id=12).said("Publishing")


def test_text_from_outside_is_only_ever_text(deliver: Callable[..., Outcome], witness: Path) -> None:
    # No ${{ }} in it: this runner evaluates a job's `env` twice, which GitHub does not.
    evil = f"$(touch {witness})`touch {witness}`';touch {witness};\"${{HOME}} ::error::%0A|</details>"
    run = deliver(payload(video_id=evil, metadata={"title": evil}))
    assert run.said(f"Publishing {evil} for"), "handed on as it was written"


def test_of_runs_that_race_for_a_key_exactly_one_publishes(
    deliver: Callable[..., Outcome], channel: Repository
) -> None:
    with ThreadPoolExecutor(3) as pool:  # the runner knows no `concurrency`, so they really race
        runs = list(pool.map(lambda run_id: deliver(payload(), run_id=run_id), (11, 12, 13)))
    assert sorted(run.conclusion for run in runs) == ["cancelled", "cancelled", "success"]
    assert [run.said("Publishing") for run in runs].count(True) == 1
    assert len(channel.refs) == 1


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"key": "../../heads/main"}, "key"),
        ({"key": KEY + "\n"}, "key"),
        ({"key": None}, "key"),
        ({"video_id": "teaser\nSCHEDULE_ID=other"}, "video_id"),
        ({"video_id": None}, "video_id"),
        ({"not_after": "tomorrow"}, "not_after"),
        ({"schedule_id": 7, "scheduled_at": "2026-03-01"}, "schedule_id, scheduled_at"),
    ],
    ids=["a-path", "a-line-break", "null", "a-second-line", "no-video", "no-time", "two-faults"],
)
def test_a_malformed_payload_is_refused_by_name(
    fault: dict[str, Any], named: str, deliver: Callable[..., Outcome], channel: Repository
) -> None:
    run = deliver(payload(**fault))
    assert run.conclusion == "failure"
    assert run.said(f"The payload is malformed: {named}."), run.log
    assert channel.refs == {}


def test_only_the_named_sender_may_publish_where_one_is_named(deliver: Callable[..., Outcome]) -> None:
    assert deliver(payload(), variables={"WAVE_SENDER": "someone-else"}).said("The sender is not the one")
    assert deliver(payload(), variables={"WAVE_SENDER": "acme-scheduler[bot]"}).said("Publishing")


def test_a_channel_may_narrow_what_is_a_video_id(deliver: Callable[..., Outcome]) -> None:
    form = {"WAVE_VIDEO_ID_FORM": "[A-Za-z0-9_-]{11}"}
    assert deliver(payload(), variables=form).said("The payload is malformed: video_id.")
    assert deliver(payload(video_id="dQw4w9WgXcQ"), variables=form).said("Publishing dQw4w9WgXcQ")


def test_a_workflow_dispatch_carries_the_same_payload_in_one_input(
    runner: Runner, channel: Repository
) -> None:
    event = {"inputs": {"payload": json.dumps(payload())}, "sender": {"login": "acme-scheduler[bot]"}}
    run = runner.run("workflow_dispatch", event, run_id=11, workflow="publish.yml")
    assert run.conclusion == "success"
    assert run.said("Publishing teaser-4k for spring/teaser/tech-daily")
    assert list(channel.refs) == [CLAIM]


def test_a_token_is_neither_printed_nor_an_argument(deliver: Callable[..., Outcome]) -> None:
    assert "loopback-token" not in deliver(payload()).log


# --- taking a publication back ------------------------------------------------------------------------

TAKEN_BACK = f"{CLAIM}retract"


def retraction(**changes: Any) -> dict[str, Any]:
    body = payload(scheduled_at="2999-01-01T00:00:00Z") | {"retract": True} | changes
    return {name: value for name, value in body.items() if name != "not_after"}


def test_a_retraction_claims_its_word_and_undoes_what_was_published(
    deliver: Callable[..., Outcome], channel: Repository
) -> None:
    assert deliver(payload(), run_id=11).said("Publishing")
    channel.runs.append({"id": 11, "status": "completed", "conclusion": "success"})
    run = deliver(retraction(), run_id=12)
    assert run.conclusion == "success"
    assert run.said("Taking back teaser-4k for spring/teaser/tech-daily")
    assert not run.said("Publishing")
    assert list(channel.refs) == [CLAIM, TAKEN_BACK]
    assert channel.tags[channel.refs[TAKEN_BACK]["sha"]]["message"].startswith("run=12\n")


def test_a_retraction_that_comes_first_claims_the_key_so_that_nothing_is_published(
    deliver: Callable[..., Outcome], channel: Repository
) -> None:
    assert deliver(retraction(), run_id=12).said("Taking back")
    assert sorted(channel.refs) == [CLAIM, TAKEN_BACK]
    late = deliver(payload(), run_id=11)
    assert (late.said("Publishing"), late.conclusion) == (False, "cancelled")


@pytest.mark.parametrize("run_id", [11, 13], ids=["a-re-run", "another-run"])
def test_no_run_of_a_publication_acts_once_it_was_taken_back(
    deliver: Callable[..., Outcome], channel: Repository, run_id: int
) -> None:
    assert deliver(payload(), run_id=11).said("Publishing")
    assert deliver(retraction(), run_id=12).said("Taking back")
    again = deliver(payload(), run_id=run_id)
    assert not again.said("Publishing")
    assert again.conclusion == ("failure" if run_id == 11 else "cancelled")


def test_the_job_publish_asks_once_more_since_it_is_re_run_alone(
    deliver: Callable[..., Outcome], github: LoopbackGitHub, channel: Repository
) -> None:
    """What "Re-run failed jobs" does: the claim was won before, and the job `publish` begins."""

    def take_back_now() -> None:
        channel.refs[TAKEN_BACK] = channel.refs[CLAIM]

    github.after = ("GET", f"git/ref/tags/wave-claims/{KEY}retract", take_back_now)
    run = deliver(payload(), run_id=11)
    assert run.said(f"{KEY} was taken back")
    assert not run.said("Publishing")
    assert run.conclusion == "failure"


def test_a_retraction_waits_for_the_publication_that_is_under_way(
    deliver: Callable[..., Outcome], github: LoopbackGitHub, channel: Repository
) -> None:
    assert deliver(payload(), run_id=11).said("Publishing")
    described: dict[str, Any] = {"id": 11, "status": "in_progress", "conclusion": None}
    channel.runs.append(described)

    def end() -> None:
        described.update(status="completed", conclusion="success")

    github.after = ("GET", "actions/runs/11", end)
    run = deliver(retraction(), run_id=12, environment={"POLL_SECONDS": "0"})
    assert run.said("Run 11 is under way: waiting for its end.")
    assert run.said("Taking back")
    assert len(github.asked("GET", "actions/runs/11")) == 2


def test_from_the_publish_time_on_a_retraction_is_refused(
    deliver: Callable[..., Outcome], channel: Repository
) -> None:
    run = deliver(retraction(scheduled_at="2020-01-01T00:00:00Z"), run_id=12)
    assert run.conclusion == "failure"
    assert run.said("it was to be public from 2020-01-01T00:00:00Z")
    assert channel.refs == {}


def test_a_second_delivery_of_a_retraction_ends_as_cancelled(deliver: Callable[..., Outcome]) -> None:
    assert deliver(retraction(), run_id=12).said("Taking back")
    second = deliver(retraction(), run_id=13)
    assert (second.said("Taking back"), second.conclusion) == (False, "cancelled")


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"retract": "yes"}, "retract"),
        ({"retract": False}, "retract"),
        ({"scheduled_at": None}, "scheduled_at"),
    ],
)
def test_a_malformed_retraction_is_refused_by_name(
    fault: dict[str, Any], named: str, deliver: Callable[..., Outcome], channel: Repository
) -> None:
    run = deliver(retraction(**fault))
    assert (run.conclusion, channel.refs) == ("failure", {})
    assert run.said(f"The payload is malformed: {named}."), run.log


def test_a_workflow_that_knows_no_retraction_refuses_it_as_malformed(
    deliver: Callable[..., Outcome], runner: Runner, channel: Repository
) -> None:
    """The workflow before this one demands `not_after`, in whose place `retract` is."""
    file = runner.checkout / ".github/workflows/publish.yml"
    file.write_text(file.read_text().replace('if has("retract") then {} else ', "if false then {} else "))
    run = deliver(retraction())
    assert (run.conclusion, channel.refs) == ("failure", {})
    assert run.said("The payload is malformed: not_after."), run.log
