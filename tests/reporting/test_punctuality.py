"""How punctual a proposal can be, from the recorded lateness of the last publications."""

from __future__ import annotations

from typing import Any

from scheduler.reporting.pull_request.punctuality_section import punctuality
from scheduler.reporting.review import Need, Review, Sample
from scheduler.reporting.review.punctuality import SAMPLE, sample_of
from scheduler.state.record import Record

ROOM = 10_000


def record(at: str, late: int | None = None, **more: Any) -> Record:
    status = "failed" if late is None else "completed"
    return Record(
        schedule_type="simultaneous", channel_id="alpha", scheduled_at=at, status=status,
        executed_at=None if late is None else at, dispatch_lateness_seconds=late, **more,
    )  # fmt: skip


def told(sample: Sample, hold: int | None = None, **needs: Need) -> str:
    named = {name.replace("_", " "): need for name, need in needs.items()}
    return punctuality(Review(changes=[], sample=sample, needs=named, hold=hold), ROOM)[0]


def test_the_newest_publications_count_and_retries_do_not() -> None:
    old = [record(f"2026-01-01T00:00:{i:02}Z", 9_000) for i in range(10)]
    new = [record(f"2026-02-01T00:{i:02}:00Z", i) for i in range(SAMPLE - 1)]
    missed = record("2026-02-02T00:00:00Z", reason="missed")
    retried = record("2026-02-03T00:00:00Z", 90_000, retried_at="2026-02-04T00:00:00Z")
    sample = sample_of([retried, *new, missed, *old])
    assert sample == Sample(tuple(range(SAMPLE - 1)), 1)


def test_the_record_is_held_against_what_the_wave_can_bear() -> None:
    sample = Sample((0, 0, 1, 240, 720, 5_000), missed=1)
    text = told(sample, wave_spring=Need(0, 3_600), channel_alpha=Need(21_600, 3_600))
    assert "Of the last 7 publications, half left within 4m of their due time" in text
    assert "the latest after 1h23m20s; 1 was missed." in text
    assert "| <code>wave spring</code> | 0s | 1h | the second | 1h | 3 late, 2 missed |" in text
    assert "| <code>channel alpha</code> | 6h | 1h | 6h | 7h | 0 late, 1 missed |" in text


def test_a_hold_and_what_pace_takes_are_told() -> None:
    text = told(Sample((1,)), hold=900, wave_spring=Need(0, 3_600, spread=40))
    assert "A run that finds something due within 15m (the hold) waits for it" in text
    assert "the second; <code>pace</code> alone takes 40s" in text


def test_without_a_history_it_says_so_and_without_a_change_nothing() -> None:
    assert "nothing is known about delays" in told(Sample(), wave_spring=Need(0, 3_600))
    assert told(Sample((1, 2))) == ""


def test_waves_that_have_no_room_are_counted() -> None:
    needs = {f"wave {i:03}": Need(0, 3_600) for i in range(100)}
    text, left_out = punctuality(Review(changes=[], sample=Sample((1,)), needs=needs), 2_000)
    shown = text.count("<code>wave ")
    assert len(text.encode()) <= 2_000
    assert left_out == [f"{100 - shown} of the waves and channels under punctuality"]
