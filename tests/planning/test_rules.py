"""The rules of section 3: every code with its exact place, its hint, and what `run` does with it."""

from __future__ import annotations

from typing import Any

import pytest
from declaring import entry, one, stagger, wave
from github_stand_in import GitHub
from miniature import Miniature, Outcome

pytestmark = pytest.mark.usefixtures("still_clock")

JANUARY = "2026-01-01T00:00:00Z"
A_DAY_BEFORE = "2026-02-28T18:00:00Z"
MORNING = "2026-03-01T08:00:00Z"
EVENING = "2026-03-01T18:00:00Z"
THREE_MINUTES_LATE = "2026-03-01T18:03:00Z"
TWO_HOURS_LATE = "2026-03-01T20:00:00Z"


def fault(outcome: Outcome, code: str | None = None) -> Any:
    """The one diagnostic of that code (or at all), as data."""
    found = [d for d in outcome.json["diagnostics"] if code is None or d["code"] == code]
    assert len(found) == 1, outcome.out
    return found[0]


def related(outcome: Outcome) -> list[str]:
    """The other places of the one diagnostic: `file:line:column message`, or the message alone."""
    return [
        (f"{r['file']}:{r['line']}:{r['column']} " if r.get("file") else "") + r["message"]
        for r in fault(outcome)["related"]
    ]


def validate(mini: Miniature, now: str = JANUARY, **environ: str) -> Outcome:
    return mini.json("validate", now=now, **environ)


# --- the file itself --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("schedules:\n  - type: [\n", "waves/a.yaml:3:1 [yaml-syntax]"),
        ("title: a\ntitle: b\nschedules: []\n", "waves/a.yaml:2:1 [duplicate-key]"),
        ("titel: a\nschedules: []\n", "waves/a.yaml:1:1 [unknown-key]"),
        ("title: a\n", "waves/a.yaml:1:1 [missing-key]"),
        ("", "waves/a.yaml:1:1 [missing-key]"),
        (one("v", "2026-03-01", "alpha"), "waves/a.yaml:4:9 [invalid-value]"),
    ],
    ids=["yaml-syntax", "duplicate-key", "unknown-key", "missing-key", "empty", "invalid-value"],
)
def test_a_fault_of_the_file_itself_has_its_place(mini: Miniature, text: str, place: str) -> None:
    mini.channels("alpha").write({"waves/a.yaml": text})
    outcome = validate(mini)
    assert (outcome.code, outcome.places) == (1, [place])


def test_an_unreadable_wave_is_not_withdrawn_and_is_sent_as_recorded(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write(
        {"waves/a.yaml": one("v", "18:00 tomorrow", "alpha"), "waves/b.yaml": one("w", EVENING, "beta")}
    )
    ran = live.json("run", now=THREE_MINUTES_LATE)

    assert ran.code == 1
    assert ran.places == ["waves/a.yaml:4:9 [invalid-value]"]
    assert ran.results == {"a/v/alpha": "completed", "b/w/beta": "completed"}
    assert sorted(d.payload["video_id"] for d in github.dispatches) == ["v", "w"]


def test_a_pause_that_was_recorded_holds_while_its_file_cannot_be_read(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "{ id: alpha, paused: { reason: legal } }")})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": "schedules: ["})
    assert live.json("run", now=THREE_MINUTES_LATE).results == {}
    assert github.dispatches == []


def test_a_folder_behind_a_link_withdraws_nothing(live: Miniature) -> None:
    live.write({"waves/2026/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    (live.root / "waves/2026").rename(live.root / "elsewhere")
    (live.root / "waves/2026").symlink_to(live.root / "elsewhere")
    ran = live.json("run", now=THREE_MINUTES_LATE)
    assert ran.places == ["waves/2026:1:1 [yaml-syntax]"]
    assert ran.results == {"a/v/alpha": "completed"}


def test_a_halt_holds_behind_a_link_too(live: Miniature, github: GitHub) -> None:
    live.write({"channels/nowhere.yaml": "repository: acme/nowhere\ntoken: ACME_TOKEN\n"})
    text = "on_failure: halt\n" + stagger("v", EVENING, "10m", "nowhere", "alpha")
    live.write({"waves/2026/a.yaml": text})
    live.run("run", now=EVENING)
    (live.root / "waves/2026").rename(live.root / "elsewhere")
    (live.root / "waves/2026").symlink_to(live.root / "elsewhere")
    live.run("run", now="2026-03-01T18:10:00Z")
    assert live.statuses["a/v/nowhere"] == "failed (rejected)"
    assert live.records["a/v/alpha"]["is_paused"]
    assert github.dispatches == []


def test_a_broken_settings_file_stops_the_run(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"scheduler.yaml": "catch_up: 15\n"})
    ran = live.json("run", now=THREE_MINUTES_LATE)
    assert (ran.code, ran.places) == (1, ["scheduler.yaml:1:11 [invalid-value]"])
    assert github.dispatches == []
    assert live.statuses == {"a/v/alpha": "pending"}


# --- unknown-channel --------------------------------------------------------------------------------


def test_a_typo_in_a_channel_is_one_error_with_the_channel_that_was_meant(mini: Miniature) -> None:
    mini.channels("alpha", "beta").write({"waves/a.yaml": one("v", EVENING, "alpha", "bata")})
    outcome = validate(mini)
    assert outcome.places == ["waves/a.yaml:5:23 [unknown-channel]"]
    assert fault(outcome)["message"] == "channel 'bata' is not declared"
    assert fault(outcome)["hint"] == "did you mean beta?"


def test_a_channel_in_the_wrong_case_is_recognised(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/a.yaml": one("v", EVENING, "ALPHA")})
    assert fault(validate(mini))["hint"] == "did you mean alpha?"


def test_a_channel_that_is_like_no_other_is_to_be_declared(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/a.yaml": one("v", EVENING, "zulu-radio")})
    assert fault(validate(mini))["hint"] == "declare it in channels/zulu-radio.yaml"


def test_an_unknown_channel_at_each_channels_own_time_is_told_as_such(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/a.yaml": one("v", "2026-03-01T18:00", "alhpa", timezone="channel")})
    assert validate(mini).places == ["waves/a.yaml:5:16 [unknown-channel]"]


def test_a_broken_channel_file_is_no_second_error_in_waves(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "channels/beta.yaml": "repository: nonsense\n",
            "waves/a.yaml": wave(
                entry("v", EVENING, "alpha", "beta"),
                entry("w", "2026-03-02T18:00", "beta", timezone="channel"),
            ),
        }
    )
    assert validate(mini).places == ["channels/beta.yaml:1:13 [invalid-value]"]


def test_an_unknown_channel_is_not_adopted_and_the_rest_of_its_group_is_sent(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", "bata")})
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.results) == (1, {"a/v/alpha": "completed"})
    assert list(live.records) == ["a/v/alpha"]


def test_what_is_recorded_waits_while_its_channel_is_gone_and_later_is_missed(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", "beta")})
    live.run("run", now=JANUARY)
    live.remove("channels/alpha.yaml")
    soon = live.json("run", now=THREE_MINUTES_LATE)
    assert (soon.code, soon.codes) == (1, ["unknown-channel"])
    assert live.statuses == {"a/v/alpha": "pending", "a/v/beta": "completed"}
    late = live.json("run", now=TWO_HOURS_LATE)
    assert late.code == 1
    assert live.statuses["a/v/alpha"] == "failed (missed)"


def test_a_channel_may_go_once_its_publications_are_over(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.remove("channels/alpha.yaml")
    assert live.json("run", now=TWO_HOURS_LATE).code == 0


def test_a_freeze_of_an_unknown_channel_is_told_in_the_settings(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "scheduler.yaml": """
                freezes:
                  - reason: Holidays
                    from: 2026-12-24T00:00:00Z
                    until: 2026-12-27T00:00:00Z
                    channels: [alpah]
                """
        }
    )
    outcome = validate(mini)
    assert outcome.places == ["scheduler.yaml:5:16 [unknown-channel]"]
    assert fault(outcome)["hint"] == "did you mean alpha?"


# --- inactive-channel -------------------------------------------------------------------------------


def test_an_inactive_channel_is_told_where_the_wave_names_it(mini: Miniature) -> None:
    mini.channels("alpha").channels("beta", active="false")
    mini.write({"waves/a.yaml": one("v", EVENING, "alpha", "beta")})
    outcome = validate(mini)
    assert outcome.places == ["waves/a.yaml:5:23 [inactive-channel]"]
    assert fault(outcome)["hint"] == "remove it here, or set `active: true` in channels/beta.yaml"
    assert related(outcome) == ["channels/beta.yaml:3:9 it is switched off here"]


def test_a_one_off_on_an_inactive_channel_is_told_at_its_entry(mini: Miniature) -> None:
    mini.channels("alpha", active="false", schedules="[{ video: v, at: 2026-03-01T18:00:00Z }]")
    assert validate(mini).places == ["channels/alpha.yaml:4:13 [inactive-channel]"]


def test_what_is_recorded_waits_on_a_channel_that_became_inactive_and_later_is_missed(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.channels("alpha", active="false")
    assert live.json("run", now=THREE_MINUTES_LATE).codes == ["inactive-channel"]
    assert live.statuses == {"a/v/alpha": "pending"}
    assert live.json("run", now=TWO_HOURS_LATE).code == 1
    assert live.statuses == {"a/v/alpha": "failed (missed)"}
    assert github.dispatches == []


def test_a_cancelled_member_on_an_inactive_channel_is_no_error(mini: Miniature) -> None:
    mini.channels("alpha").channels("beta", active="false")
    mini.write({"waves/a.yaml": one("v", EVENING, "alpha", "{ id: beta, cancelled: true }")})
    assert validate(mini).places == []


# --- duplicate-id -----------------------------------------------------------------------------------


def test_a_channel_twice_in_one_group_is_told_at_the_second(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", "beta", "alpha")})
    outcome = validate(live)
    assert outcome.places == ["waves/a.yaml:5:29 [duplicate-id]"]
    assert related(outcome) == ["waves/a.yaml:5:16 the first one"]
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.results) == (1, {"a/v/beta": "completed"}), "of two new ones, neither"


def test_of_a_channel_that_stands_twice_the_recorded_one_goes_on(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": stagger("v", EVENING, "1h", "beta", "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": stagger("v", EVENING, "1h", "alpha", "alpha")})
    assert live.json("run", now=EVENING).results == {}
    ran = live.json("run", now="2026-03-01T19:00:00Z")
    assert (ran.code, ran.codes, ran.results) == (1, ["duplicate-id"], {"a/v/alpha": "completed"})


def test_a_new_one_too_near_to_the_record_of_one_that_is_declared_twice_is_refused(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha"), "scheduler.yaml": "conflicts: { min_gap: 2h }\n"})
    live.run("run", now=JANUARY)
    moved = one("v", MORNING, "alpha", "alpha")
    live.write({"waves/a.yaml": moved, "waves/b.yaml": one("w", "2026-03-01T17:00:00Z", "alpha")})
    outcome = live.json("run", now=JANUARY)
    assert sorted(outcome.codes) == ["duplicate-id", "min-gap"]
    assert list(live.records) == ["a/v/alpha"]


def test_a_group_twice_in_a_wave_is_told_at_its_second_name(live: Miniature, github: GitHub) -> None:
    live.write(
        {"waves/a.yaml": wave(entry("v", EVENING, "alpha"), entry("v", "2026-03-03T18:00:00Z", "beta"))}
    )
    outcome = validate(live)
    assert outcome.places == ["waves/a.yaml:7:12 [duplicate-id]"]
    assert fault(outcome)["hint"] == "give this entry another name: `group: v-2`"
    assert related(outcome) == ["waves/a.yaml:3:12 the first one"]
    assert live.json("run", now=EVENING).results == {}, "of two new ones, neither"


def test_the_one_of_two_groups_that_is_recorded_goes_on(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write(
        {"waves/a.yaml": wave(entry("v", EVENING, "alpha"), entry("v", "2026-03-03T18:00:00Z", "beta"))}
    )
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.results) == (1, {"a/v/alpha": "completed"})
    assert list(live.records) == ["a/v/alpha"]


def test_two_one_offs_at_one_instant_are_told_at_the_second(mini: Miniature) -> None:
    mini.write(
        {
            "channels/alpha.yaml": """
                repository: acme/alpha
                schedules:
                  - { video: v, at: 2026-03-01T18:00:00Z }
                  - { video: w, at: 2026-03-01T19:00:00+01:00 }
                """
        }
    )
    outcome = validate(mini)
    assert outcome.places == ["channels/alpha.yaml:4:5 [duplicate-id]"]
    assert related(outcome) == ["channels/alpha.yaml:3:5 the first one"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("waves/2026/spring.yml", "the wave 'spring' is declared by two files; the name of a file is its id"),
        ("waves/2026/Spring.yaml", "the names of two wave files differ only in upper and lower case"),
    ],
)
def test_two_files_of_one_stem_are_one_error(mini: Miniature, other: str, words: str) -> None:
    mini.channels("alpha").write(
        {"waves/spring.yaml": one("v", EVENING, "alpha"), other: one("w", EVENING, "alpha")}
    )
    outcome = validate(mini)
    assert outcome.places == ["waves/spring.yaml:1:1 [duplicate-id]"]
    assert fault(outcome)["message"] == words
    assert related(outcome) == [f"{other}:1:1 the other file"]
    assert mini.json("list", now=JANUARY).json["schedules"] == [], "there is no telling which is meant"


def test_twins_leave_what_is_recorded_as_it_is(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/spring.yml": one("v", "2026-03-05T18:00:00Z", "alpha")})
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.results) == (1, {"spring/v/alpha": "completed"})


def test_a_wave_and_a_channel_may_share_a_stem(mini: Miniature) -> None:
    mini.channels("spring").write({"waves/spring.yaml": one("v", EVENING, "spring")})
    assert validate(mini).code == 0


# --- min-gap ----------------------------------------------------------------------------------------


def test_two_schedules_too_near_are_told_at_the_later_with_the_other_place(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("w", "2026-03-01T18:00:59Z", "alpha"),
        }
    )
    outcome = validate(mini)
    assert outcome.places == ["waves/b.yaml:5:16 [min-gap]"]
    assert fault(outcome)["message"] == (
        "b/w/alpha (2026-03-01T18:00:59Z) and a/v/alpha (2026-03-01T18:00:00Z) are only 59s apart "
        "on channel alpha; `min_gap` requires at least 1m"
    )
    assert related(outcome) == ["waves/a.yaml:5:16 a/v/alpha"]


def test_exactly_min_gap_is_allowed(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("w", "2026-03-01T18:01:00Z", "alpha"),
        }
    )
    assert validate(mini).places == []


def test_exactly_min_gap_is_allowed_also_beside_a_fault(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("w", "2026-03-01T18:01:00Z", "alpha"),
            "waves/c.yaml": one("x", "2026-03-01T18:01:30Z", "alpha"),
        }
    )
    assert validate(mini).places == ["waves/c.yaml:5:16 [min-gap]"]


@pytest.mark.parametrize("fault", ["frozen", "too near"])
def test_while_an_edit_is_refused_nobody_takes_the_time_that_it_would_leave(
    live: Miniature, github: GitHub, fault: str
) -> None:
    live.channels("alpha", "beta").write(
        {
            "waves/a.yaml": one("v", "2026-03-01T18:30:00Z", "alpha"),
            "waves/b.yaml": one("w", EVENING, "alpha"),
        }
    )
    live.run("run", now=MORNING)
    if fault == "frozen":
        freeze = "{ reason: Fair, from: 2026-03-01T20:00:00Z, until: 2026-03-01T21:00:00Z }"
        live.write({"scheduler.yaml": f"freezes: [{freeze}]\n"})
    moved = EVENING if fault == "too near" else "2026-03-01T20:00:00Z"
    live.write(
        {
            "waves/a.yaml": one("v", moved, "alpha"),
            "waves/c.yaml": one("x", "2026-03-01T18:30:00Z", "alpha"),
        }
    )
    outcome = live.json("run", now=MORNING)
    assert "c/x/alpha" not in live.statuses, "the edit may be taken back"
    if fault == "too near":
        assert outcome.places == ["waves/a.yaml:5:16 [min-gap]", "waves/c.yaml:5:16 [min-gap]"]
        assert "a/v/alpha (2026-03-01T18:30:00Z)" in outcome.json["diagnostics"][1]["message"]


def test_two_may_change_places(live: Miniature, github: GitHub) -> None:
    texts = {
        "waves/a.yaml": one("v", "2026-03-01T18:30:00Z", "alpha"),
        "waves/b.yaml": one("w", EVENING, "alpha"),
    }
    live.channels("alpha").write(texts)
    live.run("run", now=MORNING)
    live.write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("w", "2026-03-01T18:30:00Z", "alpha"),
        }
    )
    assert live.json("run", now=MORNING).places == []


def test_what_was_sent_too_near_each_other_is_nobodys_fault_any_more(live: Miniature, github: GitHub) -> None:
    live.write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("w", "2026-03-01T18:02:00Z", "alpha"),
        }
    )
    live.run("run", now=THREE_MINUTES_LATE)
    live.remove("waves/a.yaml").write({"scheduler.yaml": "conflicts: { min_gap: 5m }\n"})
    assert validate(live, now=TWO_HOURS_LATE).places == []


def test_of_two_new_ones_that_conflict_neither_is_adopted(live: Miniature, github: GitHub) -> None:
    live.write(
        {"waves/a.yaml": one("v", EVENING, "alpha"), "waves/b.yaml": one("w", EVENING, "alpha", "beta")}
    )
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.codes, ran.results) == (1, ["min-gap"], {"b/w/beta": "completed"})


def test_a_new_one_near_a_recorded_one_is_not_adopted_and_the_recorded_one_is_sent(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/z.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": one("w", EVENING, "alpha")})
    outcome = validate(live)
    assert outcome.places == ["waves/a.yaml:5:16 [min-gap]"], "the new one is at fault"
    assert live.json("run", now=EVENING).results == {"z/v/alpha": "completed"}


def moved_too_near(live: Miniature) -> None:
    """a/v/alpha is recorded for 18:00, and then declared 30 seconds after b/w/alpha at 20:00."""
    live.write(
        {"waves/a.yaml": one("v", EVENING, "alpha"), "waves/b.yaml": one("w", TWO_HOURS_LATE, "alpha")}
    )
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": one("v", "2026-03-01T20:00:30Z", "alpha")})


def test_a_live_one_whose_edit_breaks_a_rule_is_sent_at_neither_time(live: Miniature, github: GitHub) -> None:
    moved_too_near(live)
    at_its_old_time = live.json("run", now=THREE_MINUTES_LATE)
    assert (at_its_old_time.code, at_its_old_time.codes, at_its_old_time.results) == (1, ["min-gap"], {})
    assert live.records["a/v/alpha"]["scheduled_at"] == EVENING
    assert live.json("list", now=THREE_MINUTES_LATE).json["schedules"][0]["problem"] == "min-gap"
    at_its_new_time = live.json("run", now="2026-03-01T20:01:00Z")
    assert at_its_new_time.results == {"a/v/alpha": "failed", "b/w/alpha": "completed"}
    assert live.statuses["a/v/alpha"] == "failed (missed)"


def test_a_held_one_that_was_missed_is_pending_again_once_its_edit_is_put_right(
    live: Miniature, github: GitHub
) -> None:
    moved_too_near(live)
    live.run("run", now="2026-03-01T20:01:00Z")
    live.write({"waves/a.yaml": one("v", "2026-03-01T21:00:00Z", "alpha")})
    assert live.json("plan", now="2026-03-01T20:02:00Z").actions[:1] == ["reopen a/v/alpha"]
    live.run("run", now="2026-03-01T20:02:00Z")
    assert live.json("run", now="2026-03-01T21:00:00Z").results == {"a/v/alpha": "completed"}


def test_cancelled_ones_do_not_count(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "waves/a.yaml": one("v", EVENING, "{ id: alpha, cancelled: true }"),
            "waves/b.yaml": one("v", EVENING, "alpha"),
            "waves/c.yaml": wave(entry("v", EVENING, "alpha"), cancelled="true"),
        }
    )
    assert validate(mini).places == []


def test_what_this_run_cancels_does_not_count(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.remove("waves/a.yaml").write({"waves/b.yaml": one("v", EVENING, "alpha")})
    assert validate(live).places == []
    assert live.json("run", now=EVENING).results == {"b/v/alpha": "completed"}


def test_what_failed_without_being_sent_does_not_count(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.run("run", now=TWO_HOURS_LATE)
    assert live.statuses == {"a/v/alpha": "failed (missed)"}
    live.write({"waves/b.yaml": one("v", "2026-03-01T21:00:00Z", "alpha")})
    assert validate(live, now=TWO_HOURS_LATE).places == []


def test_what_this_run_misses_does_not_count_and_validate_knows_it_too(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/b.yaml": one("v", "2026-03-01T21:00:00Z", "alpha")})
    assert validate(live, now="2026-03-01T18:30:00Z").codes == ["repeat-video"], "it may yet be sent"
    assert validate(live, now=TWO_HOURS_LATE).codes == []
    assert live.json("run", now=TWO_HOURS_LATE).codes == []
    assert live.statuses["b/v/alpha"] in ("pending", "scheduled")
    assert live.json("plan", now=TWO_HOURS_LATE).actions == []


def test_a_recorded_one_counts_although_its_file_cannot_be_read(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": "schedules: [", "waves/b.yaml": one("w", EVENING, "alpha")})
    outcome = validate(live)
    assert outcome.places == ["waves/a.yaml:2:1 [yaml-syntax]", "waves/b.yaml:5:16 [min-gap]"]
    assert fault(outcome, "min-gap")["related"][0]["message"] == "a/v/alpha, which is recorded"
    assert live.json("run", now=EVENING).results == {"a/v/alpha": "completed"}


# --- repeat-video -----------------------------------------------------------------------------------


def test_a_video_twice_within_the_window_is_told_at_the_later(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("v", "2026-03-02T17:59:59Z", "alpha", group="again"),
        }
    )
    outcome = validate(mini)
    assert outcome.places == ["waves/b.yaml:5:16 [repeat-video]"]
    assert "23h59m59s apart" in fault(outcome)["message"]
    assert "`repeat: true`" in fault(outcome)["hint"]
    assert related(outcome) == ["waves/a.yaml:5:16 a/v/alpha"]


def test_exactly_the_window_apart_is_allowed(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("v", "2026-03-02T18:00:00Z", "alpha"),
        }
    )
    assert validate(mini).places == []


def test_repeat_true_lifts_the_rule_on_an_entry_and_on_a_one_off(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "channels/beta.yaml": """
                repository: acme/beta
                schedules: [{ video: v, at: 2026-03-01T20:00:00Z, repeat: true }]
                """,
            "waves/a.yaml": one("v", EVENING, "alpha", "beta"),
            "waves/b.yaml": one("v", TWO_HOURS_LATE, "alpha", repeat="true"),
        }
    )
    assert validate(mini).places == []


def test_repeat_true_lifts_the_rule_on_a_lineup_entry(mini: Miniature) -> None:
    channel = "repository: acme/alpha\nslots: ['*-*-* 18:00']\nlineup: [v, {}]\n"
    mini.write({"scheduler.yaml": "conflicts: { repeat_window: 25h }\n"})
    mini.write({"channels/alpha.yaml": channel.format("{ video: v }")})
    assert validate(mini).places == ["channels/alpha.yaml:3:13 [repeat-video]"]
    mini.write({"channels/alpha.yaml": channel.format("{ video: v, repeat: true }")})
    assert validate(mini).places == []


def test_one_channel_whose_pair_is_found_twice_is_counted_once(live: Miniature, github: GitHub) -> None:
    channel = "repository: acme/alpha\ntoken: ACME_TOKEN\nschedules: [{ video: v, at: %s }]\n"
    live.write({"channels/alpha.yaml": channel % EVENING})
    live.run("run", now="2026-03-01T17:00:00Z")
    live.run("run", now=EVENING)
    live.write({"channels/alpha.yaml": channel % "2026-03-01T17:00:00Z"})
    outcome = validate(live, now=EVENING)
    assert "repeat-video" in str(outcome.places)
    assert "more channel" not in outcome.out


def test_a_video_of_a_declaration_that_is_gone_is_not_sent_again_at_any_distance(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.remove("waves/spring.yaml").write({"waves/summer.yaml": one("v", "2026-07-01T18:00:00Z", "alpha")})
    outcome = validate(live, now=TWO_HOURS_LATE)
    assert outcome.places == ["waves/summer.yaml:5:16 [repeat-video]"]
    assert "`renamed_from:`" in fault(outcome)["hint"]
    assert related(outcome) == ["spring/v/alpha, which is recorded"]
    assert live.json("run", now="2026-07-01T18:00:00Z").results == {}

    live.write({"waves/summer.yaml": one("v", "2026-07-01T18:00:00Z", "alpha", repeat="true")})
    assert live.json("run", now="2026-07-01T18:00:00Z").results == {"summer/v/alpha": "completed"}


def test_the_same_holds_after_ninety_days_for_what_is_archived(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.remove("waves/spring.yaml")
    live.run("run", now="2026-07-01T18:00:00Z")
    assert live.records == {}
    live.write({"waves/summer.yaml": one("v", "2026-12-01T18:00:00Z", "alpha")})
    assert validate(live, now="2026-07-02T00:00:00Z").codes == ["repeat-video"]


def test_a_one_off_that_was_sent_and_moved_in_the_file_is_not_sent_again(
    live: Miniature, github: GitHub
) -> None:
    live.channels("alpha", schedules=f"[{{ video: v, at: {EVENING} }}]")
    live.run("run", now=EVENING)
    live.channels("alpha", schedules="[{ video: v, at: 2026-03-09T18:00:00Z }]")
    ran = live.json("run", now="2026-03-09T18:00:00Z")
    assert (ran.code, ran.codes, ran.results) == (1, ["repeat-video"], {})
    assert len(github.dispatches) == 1


def test_removing_a_finished_wave_is_no_change_for_a_recorded_one_with_its_video(
    live: Miniature, github: GitHub
) -> None:
    live.write(
        {
            "waves/a.yaml": one("v", EVENING, "alpha"),
            "waves/b.yaml": one("v", "2026-03-09T18:00:00Z", "alpha"),
        }
    )
    live.run("run", now=EVENING)
    live.remove("waves/a.yaml")
    assert validate(live, now=TWO_HOURS_LATE).places == []
    live.write({"waves/b.yaml": one("v", "2026-03-09T19:00:00Z", "alpha")})
    assert validate(live, now=TWO_HOURS_LATE).places == [], "nor when that one is moved"


# --- past -------------------------------------------------------------------------------------------


def test_a_new_schedule_in_the_past_is_an_error_in_proposals_and_none_in_run(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", "beta")})
    for command in ("validate", "plan"):
        outcome = live.json(command, now=THREE_MINUTES_LATE)
        assert (outcome.code, outcome.places) == (1, ["waves/a.yaml:4:9 [past]"]), "one line is one fault"
    assert fault(outcome)["message"] == (
        "2026-03-01T18:00:00Z is in the past (it is now 2026-03-01T18:03:00Z)"
    )
    ran = live.json("run", now=THREE_MINUTES_LATE)
    assert (ran.code, ran.codes) == (0, [])
    assert ran.results == {"a/v/alpha": "completed", "a/v/beta": "completed"}


def test_now_is_not_the_past(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    assert validate(live, now=EVENING).places == []


def test_a_moved_schedule_in_the_past_is_an_error_and_an_unmoved_one_is_none(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    assert validate(live, now=THREE_MINUTES_LATE).places == []
    live.write({"waves/a.yaml": one("v", "2026-03-01T17:00:00Z", "alpha")})
    assert validate(live, now=THREE_MINUTES_LATE).places == ["waves/a.yaml:4:9 [past]"]


def test_a_stagger_in_the_past_is_one_error_that_counts_the_later_ones(live: Miniature) -> None:
    live.write({"waves/a.yaml": stagger("v", EVENING, "1h", "alpha", "beta", "gamma")})
    outcome = validate(live, now="2026-03-01T19:30:00Z")
    assert outcome.places == ["waves/a.yaml:4:9 [past]"]
    assert fault(outcome)["message"].endswith("; so is 1 more time of this entry")


def test_a_member_with_a_time_of_its_own_in_the_past_is_told_there(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", "{ id: beta, at: 2025-03-01T18:00:00Z }")})
    assert validate(live).places == ["waves/a.yaml:5:39 [past]"]


def test_a_cancelled_schedule_may_lie_in_the_past(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", "2025-03-01T18:00:00Z", "{ id: alpha, cancelled: true }")})
    assert validate(live).places == []


# --- frozen -----------------------------------------------------------------------------------------

FREEZE = """
    freezes:
      - { reason: Holidays, from: 2026-12-24T00:00:00Z, until: 2026-12-27T00:00:00Z }
    """


def test_a_new_schedule_inside_a_freeze_is_an_error_and_is_not_adopted(
    live: Miniature, github: GitHub
) -> None:
    live.write({"scheduler.yaml": FREEZE, "waves/a.yaml": one("v", "2026-12-24T00:00:00Z", "alpha", "beta")})
    outcome = validate(live)
    assert outcome.places == ["waves/a.yaml:4:9 [frozen]"]
    assert fault(outcome)["message"] == (
        "2026-12-24T00:00:00Z is inside the freeze 'Holidays', which ends at 2026-12-27T00:00:00Z"
    )
    assert live.json("run", now="2026-12-24T00:00:00Z").results == {}
    assert live.records == {}


def test_the_end_of_a_freeze_is_outside_it(live: Miniature) -> None:
    live.write({"scheduler.yaml": FREEZE, "waves/a.yaml": one("v", "2026-12-27T00:00:00Z", "alpha")})
    assert validate(live).places == []


def test_a_freeze_of_some_channels_leaves_the_others(live: Miniature) -> None:
    freeze = FREEZE.replace("Z }", "Z, channels: [alpha] }")
    live.write({"scheduler.yaml": freeze, "waves/a.yaml": one("v", "2026-12-25T00:00:00Z", "beta")})
    assert validate(live).places == []


def test_an_unmoved_recorded_one_is_a_warning_and_waits_for_the_end_of_the_freeze(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", "2026-12-26T23:30:00Z", "alpha", "beta")})
    live.run("run", now=JANUARY)
    live.write({"scheduler.yaml": FREEZE})
    outcome = validate(live)
    assert (outcome.code, outcome.places) == (0, ["waves/a.yaml:4:9 [frozen]"])
    assert fault(outcome)["severity"] == "warning"
    assert fault(outcome)["message"] == (
        "a/v/alpha and 1 more wait until 2026-12-27T00:00:00Z: freeze 'Holidays'"
    )
    assert live.json("run", now="2026-12-26T23:59:59Z").results == {}
    sent = live.json("run", now="2026-12-27T00:00:00Z").results
    assert sent == {"a/v/alpha": "completed", "a/v/beta": "completed"}


def test_what_is_cancelled_does_not_wait_for_the_end_of_a_freeze(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", "2026-12-25T00:00:00Z", "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": one("v", "2026-12-25T00:00:00Z", "{ id: alpha, cancelled: true }")})
    live.write({"scheduler.yaml": FREEZE})
    assert validate(live).places == []


def test_a_recorded_one_that_is_moved_into_a_freeze_is_held(live: Miniature, github: GitHub) -> None:
    live.write({"scheduler.yaml": FREEZE, "waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": one("v", "2026-12-25T00:00:00Z", "alpha")})
    assert validate(live).places == ["waves/a.yaml:4:9 [frozen]"]
    assert live.json("run", now=EVENING).results == {}


def test_a_cancelled_one_declared_again_inside_a_freeze_is_an_error(live: Miniature) -> None:
    cancelled = one("v", "2026-12-25T00:00:00Z", "{ id: alpha, cancelled: true }")
    live.write({"scheduler.yaml": FREEZE, "waves/a.yaml": cancelled})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": one("v", "2026-12-25T00:00:00Z", "alpha")})
    assert validate(live).places == ["waves/a.yaml:4:9 [frozen]"]


# --- edited-after-dispatch --------------------------------------------------------------------------


def test_a_changed_time_of_what_was_sent_is_one_error_at_the_time(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", "beta")})
    live.run("run", now=EVENING)
    live.write({"waves/a.yaml": one("v", "2026-03-05T18:00:00Z", "alpha", "beta")})
    for outcome in (validate(live, now=TWO_HOURS_LATE), live.json("run", now="2026-03-05T18:00:00Z")):
        assert outcome.code == 1
        assert outcome.places == ["waves/a.yaml:4:9 [edited-after-dispatch]"]
    assert fault(outcome)["message"] == (
        "a/v/alpha and 1 more were already sent, to publish at 2026-03-01T18:00:00Z"
    )
    assert len(github.dispatches) == 2


def test_a_changed_video_of_what_was_sent_is_an_error_at_the_video(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", group="g")})
    live.run("run", now=EVENING)
    live.write({"waves/a.yaml": one("w", EVENING, "alpha", group="g")})
    outcome = validate(live, now=TWO_HOURS_LATE)
    assert outcome.places == ["waves/a.yaml:3:12 [edited-after-dispatch]"]
    assert fault(outcome)["message"] == "a/g/alpha was already sent, with the video 'v'"


def test_what_failed_without_being_sent_may_be_edited(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.run("run", now=TWO_HOURS_LATE)
    live.write({"waves/a.yaml": one("v", "2026-03-02T18:00:00Z", "alpha")})
    assert validate(live, now=TWO_HOURS_LATE).places == []


# --- not-allowed ------------------------------------------------------------------------------------


def test_a_repository_outside_the_allowed_ones_is_told_at_its_line(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", "beta")})
    live.run("run", now=JANUARY)
    live.write({"scheduler.yaml": "allow: ['acme/b*']\n"})
    live.remove("channels/gamma.yaml")
    outcome = validate(live)
    assert outcome.places == ["channels/alpha.yaml:1:13 [not-allowed]"]
    assert live.json("run", now=THREE_MINUTES_LATE).results == {"a/v/beta": "completed"}
    assert live.statuses["a/v/alpha"] == "pending"
    live.run("run", now=TWO_HOURS_LATE)
    assert live.statuses["a/v/alpha"] == "failed (missed)"


@pytest.mark.parametrize(
    ("settings", "environment", "allowed"),
    [
        ("[]", "", True),
        ("['acme/*']", "", True),
        ("['ACME/*']", "", True),
        ("[]", "acme/*", True),
        ("[]", "other/*", False),
        ("['other/*']", "acme/*", False),  # the environment can only narrow
        ("['acme/*']", "other/*, acme/alpha", True),
        ("['acme/*']", "acme/alph", False),
    ],
)
def test_the_environment_can_only_narrow_what_is_allowed(
    mini: Miniature, settings: str, environment: str, allowed: bool
) -> None:
    mini.channels("alpha").write({"scheduler.yaml": f"allow: {settings}\n"})
    outcome = validate(mini, SCHEDULER_ALLOW=environment)
    assert outcome.codes == ([] if allowed else ["not-allowed"])


# --- brake ------------------------------------------------------------------------------------------


def ten_waves(mini: Miniature) -> None:
    for hour in range(10):
        mini.write({f"waves/w{hour}.yaml": one(f"v{hour}", f"2026-03-01T{hour:02}:00:00Z", "alpha")})


def test_over_the_brake_nothing_is_cancelled_and_nothing_of_it_is_sent(
    live: Miniature, github: GitHub
) -> None:
    ten_waves(live)
    live.write({"waves/stays.yaml": one("other", "2026-03-01T00:00:00Z", "beta")})
    live.run("run", now=JANUARY)
    for hour in range(10):
        live.remove(f"waves/w{hour}.yaml")
    for command in ("validate", "plan"):
        outcome = live.json(command, now=JANUARY)
        assert (outcome.code, fault(outcome)["severity"]) == (0, "warning"), "a warning in proposals"
    assert fault(outcome)["message"] == (
        "10 of 11 live publications are no longer declared, more than `cancel_percent` (30 %) allows "
        "at once: none of them is cancelled or sent"
    )
    ran = live.json("run", now="2026-03-01T00:00:00Z")
    assert (ran.code, fault(ran)["severity"]) == (1, "error")
    assert ran.results == {"stays/other/beta": "completed"}
    assert set(live.statuses.values()) == {"pending", "completed"}

    forced = live.json("run", "--force", now="2026-03-01T00:00:01Z")
    assert forced.code == 0
    assert list(live.statuses.values()).count("cancelled (withdrawn)") == 10


def test_under_ten_nothing_brakes(live: Miniature) -> None:
    ten_waves(live)
    live.run("run", now=JANUARY)
    for hour in range(9):
        live.remove(f"waves/w{hour}.yaml")
    ran = live.json("run", now=JANUARY)
    assert (ran.code, list(live.statuses.values()).count("cancelled (withdrawn)")) == (0, 9)


def test_exactly_the_percentage_is_not_over_the_brake(live: Miniature) -> None:
    live.write({"scheduler.yaml": "brake: { cancel_percent: 50, at_least: 5 }\n"})
    ten_waves(live)
    live.run("run", now=JANUARY)
    for hour in range(5):
        live.remove(f"waves/w{hour}.yaml")
    assert live.json("plan", now=JANUARY).codes == []
    live.remove("waves/w5.yaml")
    outcome = live.json("plan", now=JANUARY)
    assert outcome.places == ["scheduler.yaml:1:8 [brake]"]


def test_the_restored_files_need_no_force(live: Miniature, github: GitHub) -> None:
    ten_waves(live)
    live.run("run", now=JANUARY)
    for hour in range(10):
        live.remove(f"waves/w{hour}.yaml")
    live.run("run", now="2026-02-28T00:00:00Z")
    ten_waves(live)
    ran = live.json("run", now="2026-03-01T00:00:00Z")
    assert (ran.code, ran.results) == (0, {"w0/v0/alpha": "completed"})


def test_a_rename_is_no_cancellation_for_the_brake(live: Miniature) -> None:
    ten_waves(live)
    live.run("run", now=JANUARY)
    for hour in range(10):
        text = (live.root / f"waves/w{hour}.yaml").read_text()
        live.remove(f"waves/w{hour}.yaml")
        live.write({f"waves/x{hour}.yaml": f"renamed_from: w{hour}\n{text}"})
    assert live.json("run", now=JANUARY).codes == []


def test_the_brake_names_the_file_that_lost_its_schedules_and_the_waves_that_are_gone(
    live: Miniature,
) -> None:
    ten_waves(live)
    live.write(
        {
            "waves/many.yaml": wave(
                *(entry(f"m{hour}", f"2026-03-02T{hour:02}:00Z", "beta") for hour in range(9))
            )
        }
    )
    live.run("run", now=JANUARY)
    live.remove("waves/w0.yaml")
    live.write({"waves/many.yaml": one("m0", "2026-03-02T00:00Z", "beta")})
    outcome = live.json("plan", now=JANUARY)
    assert outcome.places == []
    live.remove("waves/w1.yaml")
    outcome = live.json("plan", now=JANUARY)
    assert outcome.places == ["waves/many.yaml:1:1 [brake]"]
    assert related(outcome) == [
        "waves/many.yaml:1:1 8 publications of wave many",
        "1 publication of wave w0, whose file is gone",
        "1 publication of wave w1, whose file is gone",
    ]


def test_where_whole_files_vanished_the_brake_has_no_line(live: Miniature) -> None:
    ten_waves(live)
    live.run("run", now=JANUARY)
    for hour in range(10):
        live.remove(f"waves/w{hour}.yaml")
    assert live.json("plan", now=JANUARY).places == ["waves:None:None [brake]"]
    assert live.run("validate", now=JANUARY).out.startswith("waves: warning: 10 of 10 live publications")
    annotated = live.run("validate", "--format", "github", now=JANUARY).out
    assert annotated.startswith("::warning title=brake::10 of 10")
    assert "and those of 5 more files" in annotated


# --- what is there a hundred times ---------------------------------------------------------------------


def test_of_very_many_faults_of_one_kind_a_hundred_are_told_and_all_are_counted(mini: Miniature) -> None:
    names = (f"c{number}" for number in range(250))
    mini.channels("alpha").write(
        {"waves/a.yaml": one("v", EVENING, *names), "waves/b.yaml": one("v", EVENING, "x")}
    )
    outcome = validate(mini)
    assert outcome.codes == ["unknown-channel"] * 102
    last = outcome.json["diagnostics"][100]
    assert (last["file"], last["message"]) == ("waves/a.yaml", "…and 150 more in this file are not shown")
    assert mini.run("validate", now=JANUARY).out.endswith("\n251 errors in 2 files\n")


# --- what comes too late ----------------------------------------------------------------------------


def test_declared_again_after_its_time_a_cancelled_one_stays_cancelled_and_says_so(live: Miniature) -> None:
    text = one("v", EVENING, "alpha", "beta")
    live.write({"waves/a.yaml": "cancelled: true\n" + text})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": text})
    planned = live.json("plan", now=TWO_HOURS_LATE)
    assert (planned.code, planned.actions, planned.places) == (0, [], ["waves/a.yaml:4:9 [past]"])
    assert fault(planned)["severity"] == "warning"
    assert fault(planned)["message"] == (
        "a/v/alpha and 1 more were cancelled, and 2026-03-01T18:00:00Z is in the past: "
        "nothing will be published"
    )
    assert live.json("run", now=TWO_HOURS_LATE).codes == []
    assert live.json("validate", now=A_DAY_BEFORE).codes == []


def test_a_video_that_is_assigned_after_its_time_says_that_it_comes_too_late(live: Miniature) -> None:
    channel = "repository: acme/alpha\ntoken: ACME_TOKEN\nschedules:\n  - at: 2026-03-01T18:00:00Z\n"
    live.write({"channels/alpha.yaml": channel})
    live.run("run", now=JANUARY)
    live.run("run", now=EVENING)
    assert live.statuses == {f"alpha/{EVENING}": "failed (no_video)"}
    live.write({"channels/alpha.yaml": channel + "    video: v\n"})
    planned = live.json("plan", now=THREE_MINUTES_LATE)
    assert planned.places == ["channels/alpha.yaml:4:9 [past]"]
    assert "failed (no_video), and 2026-03-01T18:00:00Z is in the past" in fault(planned)["message"]


def test_what_was_over_before_the_first_run_is_not_told_again_and_again(live: Miniature) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.remove("state.json")
    live.run("state", "init", now=TWO_HOURS_LATE)
    assert live.statuses == {"a/v/alpha": "cancelled (before_init)"}
    assert live.json("plan", now=TWO_HOURS_LATE).codes == []


@pytest.mark.parametrize(
    ("cancelled", "place"),
    [("cancelled: true\n", "waves/a.yaml:1:1"), ("", "waves/a.yaml:5:29")],
    ids=["the wave", "the member"],
)
def test_cancelling_what_was_sent_says_for_a_day_that_it_comes_too_late(
    live: Miniature, github: GitHub, cancelled: str, place: str
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    own = "alpha" if cancelled else "{ id: alpha, cancelled: true }"
    live.write({"waves/a.yaml": cancelled + one("v", EVENING, own)})
    planned = live.json("plan", now=TWO_HOURS_LATE)
    assert (planned.code, planned.actions, planned.places) == (0, [], [f"{place} [edited-after-dispatch]"])
    assert fault(planned)["severity"] == "warning"
    assert "a/v/alpha was already sent: `cancelled: true` comes too late" in fault(planned)["message"]
    assert live.json("run", now=TWO_HOURS_LATE).codes == []
    assert live.json("plan", now="2026-03-03T00:00:00Z").codes == []


# --- what is removed --------------------------------------------------------------------------------


def test_removing_a_finished_wave_is_no_change(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.remove("waves/a.yaml")
    planned = live.json("plan", now=TWO_HOURS_LATE)
    assert (planned.code, planned.actions, planned.codes) == (0, [], [])


def test_removing_a_wave_with_live_schedules_cancels_them(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": stagger("v", EVENING, "1h", "alpha", "beta")})
    live.run("run", now=EVENING)
    live.remove("waves/a.yaml")
    assert live.json("plan", now=THREE_MINUTES_LATE).actions == ["cancel a/v/beta"]
    live.run("run", now=THREE_MINUTES_LATE)
    assert live.statuses == {"a/v/alpha": "completed", "a/v/beta": "cancelled (withdrawn)"}


def test_a_wave_that_comes_back_is_pending_again_for_what_is_to_come_or_not_too_late(
    live: Miniature, github: GitHub
) -> None:
    text = stagger("v", EVENING, "1h", "alpha", "beta", "gamma")
    live.write({"waves/a.yaml": text})
    live.run("run", now=EVENING)
    live.remove("waves/a.yaml")
    live.run("run", now=THREE_MINUTES_LATE)
    live.write({"waves/a.yaml": text})
    planned = live.json("plan", now="2026-03-01T19:30:00Z")
    assert [action for action in planned.actions if "confirm" not in action] == [
        "reopen a/v/beta",
        "reopen a/v/gamma",
        "send a/v/beta",
    ]
    live.run("run", now="2026-03-01T19:30:00Z")
    live.run("run", now=TWO_HOURS_LATE)
    assert live.statuses == {
        "a/v/alpha": "completed",
        "a/v/beta": "completed",
        "a/v/gamma": "completed",
    }


def test_what_was_refused_stays_failed_until_its_declaration_changes(live: Miniature, github: GitHub) -> None:
    live.write({"channels/nowhere.yaml": "repository: acme/nowhere\ntoken: ACME_TOKEN\nlead: 4h\n"})
    live.write({"waves/a.yaml": one("v", EVENING, "nowhere")})
    live.run("run", now=JANUARY)
    live.run("run", now="2026-03-01T14:00:00Z")
    assert live.statuses == {"a/v/nowhere": "failed (rejected)"}
    assert live.json("plan", now="2026-03-01T15:00:00Z").actions == []
    live.write({"waves/a.yaml": one("w", EVENING, "nowhere", group="v")})
    assert "reopen a/v/nowhere" in live.json("plan", now="2026-03-01T15:00:00Z").actions


# --- payloads, states -------------------------------------------------------------------------------


def test_a_payload_that_github_would_refuse_is_told_at_its_metadata_and_not_adopted(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", metadata="{ text: " + "x" * 65_000 + " }")})
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.places, ran.results) == (1, ["waves/a.yaml:6:5 [invalid-value]"], {})
    assert live.records == {}


def test_a_wave_that_pace_spreads_beyond_catch_up_is_a_warning_at_its_time(mini: Miniature) -> None:
    mini.channels("alpha", "beta", "gamma").write(
        {"waves/a.yaml": one("v", EVENING, "alpha", "beta", "gamma")}
    )
    mini.write({"scheduler.yaml": "pace: 1/min\ncatch_up: 2m\n"})
    assert validate(mini).places == [], "the third leaves exactly two minutes late"
    mini.write({"scheduler.yaml": "pace: 1/min\ncatch_up: 119s\n"})
    outcome = validate(mini)
    assert (outcome.code, outcome.places) == (0, ["waves/a.yaml:4:9 [late-by-pace]"])
    assert fault(outcome)["message"].startswith(
        "a/v/gamma and those after it would be missed: at 1 request in 1m"
    )
    mini.channels("gamma", lead="1h")
    assert validate(mini).places == [], "one leaves an hour before"


def test_a_state_that_is_absent_is_no_fault_for_validate_and_plan(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/a.yaml": one("v", EVENING, "alpha")})
    assert validate(mini).code == 0
    assert mini.json("plan", now=JANUARY).actions == ["create a/v/alpha"]
    assert mini.json("run", now=JANUARY).code == 3


@pytest.mark.parametrize("command", ["validate", "plan", "run", "list"])
def test_a_state_that_cannot_be_trusted_is_exit_3(live: Miniature, command: str) -> None:
    (live.root / "state.json").write_text('{"version": 1, "lineage"')
    outcome = live.json(command, now=JANUARY)
    assert (outcome.code, outcome.out) == (3, "")
    assert "state.json" in outcome.err
