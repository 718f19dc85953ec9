"""What a rule keeps back until it is too late is recorded as failed, so that it is noticed."""

from __future__ import annotations

import pytest
from github_stand_in import GitHub
from miniature import Miniature

JANUARY, BEFORE = "2026-01-01T00:00:00Z", "2026-03-01T12:00:00Z"
AT, NEAR = "2026-03-01T18:00:00Z", "2026-03-01T18:00:30Z"
IN_TIME, OVER, LATER = "2026-03-01T19:00:30Z", "2026-03-01T19:00:31Z", "2026-03-02T12:00:00Z"
TWO = "two/x/alpha"


def wave(video: str, at: str, channel: str = "alpha", top: str = "") -> str:
    entry = f"{{ type: simultaneous, video: {video}, at: {at}, channels: [{channel}] }}"
    return f"{top}schedules: [{entry}]\n"


@pytest.fixture
def near(live: Miniature) -> Miniature:
    """A wave, and a second one that was merged 30 seconds from it on the same channel."""
    live.write({"waves/one.yaml": wave("v", AT)})
    live.run("run", now=BEFORE)
    return live.write({"waves/two.yaml": wave("x", NEAR)})


def test_it_fails_once_its_time_and_catch_up_have_passed_and_says_which_rule(near: Miniature) -> None:
    for now in (AT, IN_TIME):
        assert near.json("run", now=now).code == 1
        assert TWO not in near.records
    late = near.json("run", now=OVER)
    assert (late.code, late.results) == (1, {TWO: "failed"})
    record = near.records[TWO]
    assert (record["status"], record["reason"], record["attempts"]) == ("failed", "blocked", 0)
    assert record["error_message"] == (
        f"{TWO} ({NEAR}) and one/v/alpha ({AT}) are only 30s apart on channel alpha; `min_gap` requires at "
        "least 1m [min-gap]"
    )
    assert near.json("run", now=LATER).code == 0, "it is told once, and not a red run for ever"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"waves/two.yaml": wave("x", NEAR, "nobody")}, "unknown-channel"),
        ({"waves/two.yaml": wave("v", "2026-03-01T18:30:00Z")}, "repeat-video"),
        ({"channels/beta.yaml": "repository: acme/beta\nactive: false\n"}, "inactive-channel"),
        ({"scheduler.yaml": "allow: [acme/alpha]\n"}, "not-allowed"),
        (
            {"scheduler.yaml": f"freezes: [{{ from: {AT}, until: {IN_TIME}, channels: [beta] }}]\n"},
            "frozen",
        ),
    ],
)
def test_whatever_the_rule(live: Miniature, files: dict[str, str], code: str) -> None:
    live.write({"waves/one.yaml": wave("v", AT)})
    live.run("run", now=BEFORE)
    live.write({"waves/two.yaml": wave("x", NEAR, "beta")} | files)
    assert live.run("run", now=AT).code == 1
    live.run("run", now=LATER)
    assert live.run("run", now=LATER).code == 0, "it is reported once, and not by a red run for ever"
    ((name, record),) = [(i, one) for i, one in live.records.items() if i != "one/v/alpha"]
    assert (name.startswith("two/"), record["reason"]) == (True, "blocked")
    assert record["error_message"].endswith(f"[{code}]")


def test_of_two_that_are_both_new_each_fails_and_names_the_other(live: Miniature) -> None:
    live.write({"waves/one.yaml": wave("v", AT), "waves/two.yaml": wave("x", NEAR)})
    live.run("run", now=BEFORE)
    live.run("run", now=LATER)
    assert set(live.statuses.values()) == {"failed (blocked)"}
    assert {record["error_message"][-9:] for record in live.records.values()} == {"[min-gap]"}


@pytest.mark.parametrize(
    "top", ["paused: true\n", "cancelled: true\n", "catch_up: 2d\n"], ids=["paused", "cancelled", "patient"]
)
def test_what_would_not_have_been_sent_yet_does_not_fail(near: Miniature, top: str) -> None:
    near.write({"waves/two.yaml": wave("x", NEAR, top=top)})
    near.run("run", now=LATER)
    assert near.records.get(TWO, {}).get("reason") != "blocked"


def test_what_shares_its_id_has_no_record_to_fail(live: Miniature) -> None:
    live.write({"waves/one.yaml": wave("v", AT), "waves/more/one.yaml": wave("w", AT)})
    live.run("run", now=BEFORE)
    assert live.json("run", now=LATER).code == 1
    assert live.records == {}


def test_a_proposal_fails_nothing_for_being_blocked(near: Miniature) -> None:
    near.run("run", now=AT)
    proposed = near.json("plan", now=LATER).json
    assert [change for change in proposed["changes"] if change["schedule_id"] == TWO] == []
    assert {"min-gap", "past"} <= {fault["code"] for fault in proposed["diagnostics"]}


def test_a_retry_is_refused_while_the_rule_stands_and_sends_it_afterwards(
    near: Miniature, github: GitHub
) -> None:
    near.run("run", now=AT)
    near.run("run", now=LATER)
    refused = near.run("retry", TWO, now=LATER)
    assert refused.code == 1
    assert f"{TWO} would not be sent: it breaks the rule [min-gap]" in refused.err
    assert f"{TWO} ({NEAR}) and one/v/alpha ({AT}) are only 30s apart" in refused.err
    assert near.statuses[TWO] == "failed (blocked)"
    near.write({"scheduler.yaml": "conflicts: { min_gap: 30s }\n"})
    assert near.run("retry", TWO, now=LATER).code == 0
    assert near.json("run", now=LATER).results == {TWO: "completed"}


def test_a_later_time_makes_it_pending_again(near: Miniature) -> None:
    near.run("run", now=LATER)
    near.write({"waves/two.yaml": wave("x", "2026-03-03T18:00:00Z")})
    assert near.json("run", now=LATER).code == 0
    assert near.statuses[TWO] == "pending"


def test_show_and_the_wave_say_it(near: Miniature) -> None:
    near.run("run", now=LATER)
    shown = near.run("show", TWO, now=LATER).out
    assert "It failed (blocked) and was not sent: " in shown
    assert (
        "Correct that and give it a later time, or run `scheduler retry two/x/alpha` to send it late."
        in shown
    )
