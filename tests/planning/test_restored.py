"""What was withdrawn and is declared again after its time: sent within `catch_up`, else missed."""

from __future__ import annotations

import pytest
from github_stand_in import GitHub
from miniature import Miniature

DUE = "2026-03-01T18:00:00Z"
WHEN_PLANNED, WITHDRAWN = "2026-03-01T05:00:00Z", "2026-03-01T17:50:00Z"
FIVE_MINUTES_LATE = "2026-03-01T18:05:00Z"
WAVE = f"schedules: [{{type: simultaneous, video: v, at: {DUE}, channels: [alpha]}}]\n"
ONE_OFF = f"repository: acme/alpha\ntoken: ACME_TOKEN\nschedules: [{{video: v, at: {DUE}}}]\n"
SLOT = "repository: acme/alpha\ntoken: ACME_TOKEN\nslots: [Sun 18:00]\nlineup: [v]\n"
CHANNEL = "repository: acme/alpha\ntoken: ACME_TOKEN\n"


def restore(
    live: Miniature, file: str, text: str, without: str | None, *, withdrawn: str = WITHDRAWN
) -> None:
    """Have a file recorded, and again without what it declares; then put it back."""
    live.write({file: text}).run("run", now=WHEN_PLANNED)
    live.remove(file) if without is None else live.write({file: without})
    assert live.run("run", now=withdrawn).code == 0
    assert [*live.statuses.values()] == ["cancelled (withdrawn)"]
    live.write({file: text})


@pytest.mark.parametrize(
    ("file", "text", "without"),
    [("waves/w.yaml", WAVE, None), ("channels/alpha.yaml", ONE_OFF, CHANNEL)],
    ids=["a wave", "a one-off"],
)
def test_within_catch_up_it_is_sent_late(
    live: Miniature, github: GitHub, file: str, text: str, without: str | None
) -> None:
    restore(live, file, text, without)
    for command in ("validate", "plan"):
        proposed = live.json(command, now=FIVE_MINUTES_LATE)
        assert (proposed.code, proposed.codes) == (0, ["restored"])
    message = proposed.json["diagnostics"][0]["message"]
    assert message.endswith(
        f"withdrawn and declared again after {DUE}, within 1h (catch_up), so it is sent late"
    )
    assert proposed.actions == [f"{action} {name}" for name in live.records for action in ("reopen", "send")]
    sent = live.json("run", now=FIVE_MINUTES_LATE)
    assert (sent.code, [*sent.results.values()], sent.codes) == (0, ["completed"], [])
    assert live.run("run", now=FIVE_MINUTES_LATE).code == 0
    assert len(github.dispatches) == 1


def test_later_it_is_missed_once_and_red(live: Miniature, github: GitHub) -> None:
    restore(live, "waves/w.yaml", WAVE, None)
    late = "2026-03-01T19:00:01Z"
    proposed = live.json("validate", now=late)
    assert (proposed.code, proposed.codes) == (0, ["restored"])
    assert proposed.json["diagnostics"][0]["message"].endswith("by more than 1h (catch_up), so it is missed")
    missed = live.json("run", now=late)
    assert (missed.code, live.statuses) == (1, {"w/v/alpha": "failed (missed)"})
    assert live.json("run", now=late).code == 0
    assert live.run("retry", "w/v/alpha", now=late).code == 0
    assert live.json("run", now=late).results == {"w/v/alpha": "completed"}


@pytest.mark.parametrize(
    ("now", "status"),
    [
        ("2026-03-01T18:02:00Z", "completed"),
        ("2026-03-01T18:02:01Z", "failed (missed)"),
        ("2026-03-08T18:00:00Z", "failed (missed)"),
        ("2026-03-08T18:00:01Z", "cancelled (withdrawn)"),
    ],
)
def test_a_wave_s_own_catch_up_counts_and_after_a_week_it_stays_cancelled(
    live: Miniature, still_clock: None, now: str, status: str
) -> None:
    restore(live, "waves/w.yaml", "catch_up: 2m\n" + WAVE, None)
    live.run("run", now=now)
    assert live.statuses == {"w/v/alpha": status}


def test_withdrawn_after_its_time_and_restored_too_late_it_stays_cancelled(live: Miniature) -> None:
    """It was not sent for another reason: it was paused."""
    restore(live, "waves/w.yaml", "paused: true\n" + WAVE, None, withdrawn=FIVE_MINUTES_LATE)
    live.write({"waves/w.yaml": WAVE})
    outcome = live.json("run", now="2026-03-01T20:00:00Z")
    assert (outcome.code, live.statuses) == (0, {"w/v/alpha": "cancelled (withdrawn)"})
    assert live.json("plan", now="2026-03-01T20:00:00Z").codes == ["past"]


def test_a_slot_is_filled_by_its_lineup_and_never_restored(live: Miniature, github: GitHub) -> None:
    live.write({"channels/alpha.yaml": SLOT}).run("run", now=WHEN_PLANNED)
    live.write({"channels/alpha.yaml": CHANNEL}).run("run", now=WITHDRAWN)
    live.write({"channels/alpha.yaml": SLOT}).run("run", now=FIVE_MINUTES_LATE)
    assert github.dispatches == []
    assert live.statuses[f"alpha/{DUE}"] == "cancelled (withdrawn)"


def test_what_was_declared_cancelled_does_not_come_back_after_its_time(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/w.yaml": "cancelled: true\n" + WAVE}).run("run", now=WHEN_PLANNED)
    live.write({"waves/w.yaml": WAVE})
    assert live.json("run", now=FIVE_MINUTES_LATE).code == 0
    assert github.dispatches == []


def test_what_comes_back_late_keeps_the_distance_to_what_is_new(live: Miniature, github: GitHub) -> None:
    restore(live, "waves/w.yaml", WAVE, None)
    live.write({"waves/x.yaml": WAVE.replace("video: v", "video: x").replace("18:00:00", "18:00:30")})
    outcome = live.json("run", now=FIVE_MINUTES_LATE)
    assert (outcome.code, outcome.codes, github.dispatches) == (1, ["min-gap"], [])
