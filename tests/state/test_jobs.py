"""The record as the book of a broker's jobs: whatever is delivered, however often, begins as it should."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.desired import SettingsSpec
from scheduler.state.answers import Answer, LookupResult, Pointer
from scheduler.state.jobs import Begun, End, Work, begin, end, overdue, renew, report
from scheduler.state.outcomes import after_answer, after_lookup
from scheduler.state.record import Intent, Record
from scheduler.times import instant_text

NOW = 1_772_388_000  # 2026-03-01T18:00:00Z
LEASE = 600
LAST = NOW + 3600
NAME = "spring/teaser/lobby"
SUCCESS, FAILURE = End(conclusion="success"), End(conclusion="failure", message="exit code 1")


def intent(**changes: Any) -> Intent:
    usual = {
        "owner": "run-1", "at": instant_text(NOW), "key": "gs1-a", "not_after": instant_text(LAST),
        "transport": "queue", "queue": "screens", "command": "play",
    }  # fmt: skip
    return Intent(**(usual | changes))


def record(status: str = "completed", *, delivery: str = "at-most-once", **changes: Any) -> Record:
    usual: dict[str, Any] = {
        "schedule_type": "simultaneous", "channel_id": "lobby", "wave_id": "spring", "status": status,
        "coordination_group_id": "spring/teaser", "scheduled_at": instant_text(NOW), "video_id": "teaser",
        "intent": intent(delivery=delivery), "evidence": "accepted" if status == "completed" else None,
    }  # fmt: skip
    return Record(**(usual | changes))


def deliver(records: dict[str, Record], now: int = NOW, worker: str = "w1", **pointer: str) -> Begun:
    sent = intent()
    named = {"schedule_id": NAME, "key": sent.key, "owner": sent.owner, "at": sent.at} | pointer
    return begin(records, Pointer(**named), worker=worker, now=now, lease=LEASE, attempts=3)


def begun(records: dict[str, Record], now: int = NOW, worker: str = "w1") -> Work:
    work = deliver(records, now, worker).work
    assert work is not None
    return work


def finish(records: dict[str, Record], work: Work, outcome: End, now: int = NOW) -> int | None:
    return end(records, work, outcome, now, attempts=3, backoff=60)


def told(record: Record) -> tuple[str, str | None, str | None]:
    return record.status, record.reason, record.evidence


# --- what begins ----------------------------------------------------------------------------------------


def test_a_delivered_job_begins_once_and_carries_what_the_record_says() -> None:
    records = {NAME: record()}
    work = begun(records)
    assert (work.command, work.payload["video_id"], work.attempt) == ("play", "teaser", 1)
    assert deliver(records, worker="w2") == Begun(wait=LEASE, message="the worker w1 is running it")
    finish(records, work, SUCCESS)
    assert deliver(records, worker="w2") == Begun(message="it is already completed")


@pytest.mark.parametrize(
    ("pointer", "words"),
    [
        ({"key": "gs1-b"}, "the state has another job in its place"),
        ({"owner": "run-0"}, "the message belongs to an earlier attempt to send it"),
        ({"at": instant_text(NOW - 1)}, "the message belongs to an earlier attempt to send it"),
    ],
)
def test_a_message_that_does_not_fit_the_record_does_nothing(pointer: dict[str, str], words: str) -> None:
    records = {NAME: record()}
    assert deliver(records, **pointer) == Begun(message=words)
    assert records == {NAME: record()}


def test_a_message_of_which_the_record_knows_nothing_at_all_is_a_stray() -> None:
    assert deliver({}) == Begun(message="the state has no such job", is_unknown=True)
    before_init = record("cancelled", reason="before_init", intent=None)
    assert deliver({NAME: before_init}).is_unknown, "the job is of another lineage's record"


@pytest.mark.parametrize("status", ["pending", "scheduled", "cancelled"])
def test_a_job_that_was_taken_back_does_not_begin(status: str) -> None:
    assert deliver({NAME: record(status)}).work is None


def test_a_job_of_a_renamed_schedule_is_found_by_its_key() -> None:
    records = {"summer/teaser/lobby": record(wave_id="summer", coordination_group_id="summer/teaser")}
    work = begun(records)
    assert (work.schedule_id, work.payload["wave_id"]) == ("summer/teaser/lobby", "summer")


def test_a_job_may_begin_before_its_runner_has_saved_that_it_was_accepted() -> None:
    records = {NAME: record("executing")}
    begun(records)
    assert records[NAME].accepted_at == instant_text(NOW)
    after = after_answer(records[NAME], Answer(verdict="not-now", error="reset"), NOW + 1, SettingsSpec())
    assert told(after) == ("executing", None, "accepted"), "a worker has it, whatever the broker said"


def test_nothing_begins_after_its_not_after() -> None:
    records = {NAME: record()}
    assert deliver(records, LAST + 1).work is None
    assert told(records[NAME]) == ("failed", "missed", None)


# --- how it ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["executing", "completed"])
def test_the_end_of_a_job_is_the_end_of_its_schedule(status: str) -> None:
    for outcome, expected in ((SUCCESS, ("completed", None)), (FAILURE, ("failed", "run_failed"))):
        records = {NAME: record(status)}
        finish(records, begun(records), outcome)
        assert told(records[NAME])[:2] == expected


def test_at_least_once_waits_for_its_next_attempt_and_begins_it_no_sooner() -> None:
    records = {NAME: record(delivery="at-least-once")}
    assert finish(records, begun(records), FAILURE) == 60
    assert deliver(records, NOW + 59, "w2").wait == 1
    again = begun(records, NOW + 60, "w2")
    assert again.attempt == 2
    assert finish(records, again, FAILURE, NOW + 60) == 120
    assert finish(records, begun(records, NOW + 180), FAILURE, NOW + 181) is None
    assert told(records[NAME])[:2] == ("failed", "run_failed")


def test_a_success_stands_whatever_is_said_after_it() -> None:
    records = {NAME: record()}
    finish(records, begun(records), SUCCESS)
    for conclusion in ("failure", "lost", "expired"):
        report(records, NAME, "gs1-a", End(conclusion=conclusion), NOW + 5)
    assert told(records[NAME]) == ("completed", None, "run")


# --- workers that go away -------------------------------------------------------------------------------


def test_a_worker_that_shows_no_sign_is_lost_and_its_job_is_never_begun_again() -> None:
    records = {NAME: record()}
    begun(records)
    assert deliver(records, NOW + LEASE, "w2").work is None
    assert told(records[NAME])[:2] == ("failed", "unknown_outcome")


def test_at_least_once_the_next_worker_takes_over_and_the_lost_ones_word_no_longer_counts() -> None:
    records = {NAME: record(delivery="at-least-once")}
    lost = begun(records)
    after = begun(records, NOW + LEASE, "w2")
    assert finish(records, lost, FAILURE, NOW + LEASE + 1) is None
    assert told(records[NAME]) == ("completed", None, "accepted")
    finish(records, after, SUCCESS, NOW + LEASE + 2)
    assert told(records[NAME]) == ("completed", None, "run")


def test_a_lost_worker_that_comes_back_tells_how_its_one_attempt_ended() -> None:
    for outcome, expected in ((SUCCESS, ("completed", None)), (FAILURE, ("failed", "run_failed"))):
        records = {NAME: record()}
        work = begun(records)
        records[NAME] = overdue(records[NAME], NOW + LEASE, 3)
        assert told(records[NAME])[:2] == ("failed", "unknown_outcome")
        finish(records, work, outcome, NOW + LEASE + 60)
        assert told(records[NAME])[:2] == expected


def test_a_worker_that_renews_keeps_its_job() -> None:
    records = {NAME: record()}
    work = begun(records)
    renew(records, [work], NOW + 500, LEASE)
    assert overdue(records[NAME], NOW + LEASE, 3) is records[NAME]
    assert deliver(records, NOW + LEASE, "w2").wait == 500


def test_time_itself_ends_what_waits_for_an_attempt_that_may_not_start_any_more() -> None:
    records = {NAME: record(delivery="at-least-once")}
    finish(records, begun(records), FAILURE)
    assert overdue(records[NAME], LAST, 3) is records[NAME]
    assert told(overdue(records[NAME], LAST + 1, 3))[:2] == ("failed", "run_failed")


# --- looking up -----------------------------------------------------------------------------------------


def test_a_job_that_may_not_be_on_the_queue_is_taken_back_and_sent_anew() -> None:
    unsure = record("executing", attempts=1)
    after = after_lookup(unsure, LookupResult(by_record=True), NOW + 300)
    assert (after.status, after.attempts) == ("pending", 0)
    assert deliver({NAME: after}).work is None, "a message that got through all the same does nothing"


def test_a_job_that_no_worker_took_in_time_has_failed() -> None:
    waits = record("executing", accepted_at=instant_text(NOW))
    assert after_lookup(waits, LookupResult(by_record=True), LAST).status == "executing"
    assert told(after_lookup(waits, LookupResult(by_record=True), LAST + 1))[:2] == ("failed", "missed")


# --- any order of anything ------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["deliver", "success", "failure", "renew", "look"]), st.integers(0, 900)),
    max_size=30,
)


@given(steps=STEPS, delivery=st.sampled_from(["at-most-once", "at-least-once"]))
def test_whatever_happens_in_whatever_order_a_job_that_succeeded_never_begins_again(
    steps: list[tuple[str, int]], delivery: str
) -> None:
    records = {NAME: record("executing", delivery=delivery)}
    held: list[Work] = []
    now, starts, succeeded = NOW, 0, False
    for step, seconds in steps:
        now += seconds
        if step == "deliver":
            work = deliver(records, now, f"w{starts}").work
            if work is not None:
                assert not succeeded, "it had been done"
                assert now <= LAST
                starts += 1
                held.append(work)
        elif step == "look":
            records[NAME] = overdue(records[NAME], now, 3)
        elif held and step == "renew":
            renew(records, held, now, LEASE)
        elif held:
            work = held.pop(0)
            finish(records, work, SUCCESS if step == "success" else FAILURE, now)
            succeeded = told(records[NAME]) == ("completed", None, "run")
    assert starts <= (1 if delivery == "at-most-once" else 3)
    msgspec.json.decode(msgspec.json.encode(records[NAME]), type=Record)
