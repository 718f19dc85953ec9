"""`scheduler run`: what is sent late, missed, kept waiting, refused; what it says, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from git_repository import commit_all, git
from github_stand_in import GitHub
from miniature import TOKEN, Miniature

DUE = "2026-03-01T18:00:00Z"
THREE_MINUTES_LATE = "2026-03-01T18:03:00Z"
AT_CATCH_UP = "2026-03-01T19:00:00Z"
JUST_AFTER_CATCH_UP = "2026-03-01T19:00:01Z"
DAYS_BEFORE = "2026-02-20T12:00:00Z"


def wave(*channels: str, at: str = DUE, video: str = "teaser", more: str = "", top: str = "") -> str:
    """One simultaneous entry; `more` are further lines of the entry, `top` of the wave."""
    names = ", ".join(channels)
    lines = [line for line in top.splitlines() if line]
    lines += [
        "schedules:",
        f"  - {{type: simultaneous, video: {video}, at: {at}, channels: [{names}]{more}}}",
    ]
    return "\n".join(lines) + "\n"


def videos(github: GitHub) -> list[str]:
    return [dispatch.payload["video_id"] for dispatch in github.dispatches]


# --- late -----------------------------------------------------------------------------------------


def test_what_is_late_by_minutes_is_sent_and_says_how_late(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    outcome = live.json("run", now=THREE_MINUTES_LATE)
    record = live.records["spring/teaser/alpha"]
    assert (outcome.code, outcome.results) == (0, {"spring/teaser/alpha": "completed"})
    assert 180 <= record["lateness_seconds"] <= 185
    assert (record["attempts"], record["evidence"]) == (1, "accepted")


def test_exactly_at_catch_up_is_still_sent(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    assert live.run("run", "--dry-run", now=AT_CATCH_UP).code == 0
    live.json("run", now=AT_CATCH_UP)
    assert videos(github) == ["teaser"]


def test_later_than_catch_up_is_missed_loudly_and_once(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    first = live.json("run", now=JUST_AFTER_CATCH_UP)
    second = live.json("run", now="2026-03-01T19:05:00Z")
    assert (first.code, first.results) == (1, {"spring/teaser/alpha": "failed"})
    assert "more than 1h (catch_up)" in first.json["results"][0]["error"]
    assert live.statuses == {"spring/teaser/alpha": "failed (missed)"}
    assert (second.code, second.results) == (0, {})
    assert github.dispatches == []


def test_a_wave_s_own_catch_up_counts_for_its_schedules(live: Miniature, github: GitHub) -> None:
    live.write({"waves/short.yaml": wave("alpha", top="catch_up: 2m"), "waves/long.yaml": wave("beta")})
    live.run("run", now=THREE_MINUTES_LATE)
    assert live.statuses == {
        "long/teaser/beta": "completed",
        "short/teaser/alpha": "failed (missed)",
    }


def test_lead_sends_ahead_of_the_publish_time(live: Miniature, github: GitHub) -> None:
    live.channels("alpha", lead="6h").write({"waves/spring.yaml": wave("alpha")})
    before = live.json("run", now="2026-03-01T11:59:00Z")
    due = live.json("run", now="2026-03-01T12:00:00Z")
    assert (before.results, due.results) == ({}, {"spring/teaser/alpha": "completed"})
    body = github.dispatches[0].payload
    assert (body["scheduled_at"], body["not_after"]) == (DUE, AT_CATCH_UP)
    record = live.records["spring/teaser/alpha"]
    assert (record["lateness_seconds"], record["dispatch_lateness_seconds"] <= 5) == (0, True)


def test_what_leaves_within_its_lead_is_late_for_nobody_but_its_dispatch(live: Miniature) -> None:
    live.channels("alpha", lead="6h").write({"waves/spring.yaml": wave("alpha")})
    assert "send" in (planned := live.run("plan", now="2026-03-01T14:30:00Z").out) and "late" not in planned
    live.json("run", now="2026-03-01T14:30:00Z")
    record = live.records["spring/teaser/alpha"]
    assert record["lateness_seconds"] == 0
    assert 9_000 <= record["dispatch_lateness_seconds"] <= 9_005
    assert " late" not in live.run("show", "spring/teaser/alpha", now="2026-03-01T14:31:00Z").out


def test_with_a_lead_missed_still_counts_from_the_publish_time(live: Miniature, github: GitHub) -> None:
    live.channels("alpha", lead="6h").write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now="2026-03-01T18:59:00Z")
    assert videos(github) == ["teaser"]
    record = live.records["spring/teaser/alpha"]
    assert 3_540 <= record["lateness_seconds"] <= 3_545
    assert 25_140 <= record["dispatch_lateness_seconds"] <= 25_145


# --- what cannot be read --------------------------------------------------------------------------


def test_a_broken_wave_file_stops_neither_the_good_one_nor_what_was_recorded(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/good.yaml": wave("alpha"), "waves/broken.yaml": wave("beta", video="trailer")})
    live.run("run", now=DAYS_BEFORE)
    live.write({"waves/broken.yaml": "schedules:\n  - type simultaneous\n    video: trailer\n"})
    outcome = live.json("run", now=THREE_MINUTES_LATE)
    assert outcome.code == 1
    assert outcome.results == {"broken/trailer/beta": "completed", "good/teaser/alpha": "completed"}
    assert [place.split(" ")[0].rsplit(":", 2)[0] for place in outcome.places] == ["waves/broken.yaml"]
    assert sorted(videos(github)) == ["teaser", "trailer"]


def test_a_broken_scheduler_yaml_stops_the_run(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha"), "scheduler.yaml": "catch_up: soon\n"})
    outcome = live.json("run", now=THREE_MINUTES_LATE)
    assert (outcome.code, outcome.codes, outcome.results) == (1, ["invalid-value"], {})
    assert "scheduler.yaml:1:11" in live.run("run", now=THREE_MINUTES_LATE).err
    assert github.dispatches == []


def test_without_a_state_nothing_is_sent_and_the_way_out_is_named(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")}).remove("state.json")
    outcome = live.run("run", now=THREE_MINUTES_LATE)
    assert outcome.code == 3
    assert "scheduler state init" in outcome.err
    assert github.dispatches == []


def test_a_damaged_state_sends_nothing_and_stays_as_it_was(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=DAYS_BEFORE)
    whole = (live.root / "state.json").read_bytes()
    for damaged in (b"", b"null", whole[:-3], whole.replace(b'"version": 2', b'"version": 3'), whole + whole):
        (live.root / "state.json").write_bytes(damaged)
        assert live.run("run", now=THREE_MINUTES_LATE).code == 3
        assert (live.root / "state.json").read_bytes() == damaged
    assert github.dispatches == []


def test_a_pinned_lineage_refuses_another_state(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha"), "scheduler.yaml": "lineage: another\n"})
    refused = live.run("run", now=THREE_MINUTES_LATE)
    assert refused.code == 3
    assert live.state["lineage"] in refused.err
    live.write({"scheduler.yaml": f"lineage: {live.state['lineage']}\n"})
    assert live.run("run", now=THREE_MINUTES_LATE).code == 0


# --- paused ---------------------------------------------------------------------------------------


PAUSES = {
    "schedule": {"waves/spring.yaml": wave("{id: alpha, paused: true}")},
    "wave": {"waves/spring.yaml": wave("alpha", top="paused: {reason: waiting}")},
    "channel": {"channels/alpha.yaml": "repository: acme/alpha\ntoken: ACME_TOKEN\npaused: true\n"},
    "freeze": {
        "scheduler.yaml": """
            freezes: [{reason: Holidays, from: 2026-03-01T17:55:00Z, until: 2026-03-05T00:00:00Z}]
            """
    },
}


@pytest.mark.parametrize("who", PAUSES)
def test_a_due_schedule_that_is_paused_waits_resumed_in_time_it_is_sent(
    live: Miniature, github: GitHub, who: str
) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=DAYS_BEFORE)
    before = {name: (live.root / name).read_text() for name in PAUSES[who] if (live.root / name).exists()}
    live.write(PAUSES[who])
    paused = live.json("run", now=THREE_MINUTES_LATE)
    record = live.records["spring/teaser/alpha"]
    assert (paused.code, paused.results, record["is_paused"]) == (0, {}, True)
    assert [pause["by"] for pause in record["pauses"]] == [who]

    for name in PAUSES[who]:
        live.write({name: before[name]}) if name in before else live.remove(name)
    resumed = live.json("run", now=AT_CATCH_UP)
    assert resumed.results == {"spring/teaser/alpha": "completed"}
    assert live.records["spring/teaser/alpha"]["is_paused"] is False


def test_the_operator_s_stop_pauses_everything_without_a_pull_request(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    stopped = live.json("run", now=THREE_MINUTES_LATE, SCHEDULER_PAUSED="1")
    assert (stopped.code, github.dispatches) == (0, [])
    assert live.records["spring/teaser/alpha"]["pauses"] == [
        {"by": "operator", "reason": "SCHEDULER_PAUSED=1"}
    ]
    assert live.json("run", now=AT_CATCH_UP).results == {"spring/teaser/alpha": "completed"}


def test_paused_for_days_it_stays_pending_and_resumed_too_late_it_is_missed(
    live: Miniature, github: GitHub
) -> None:
    live.write(PAUSES["wave"])
    for late in (THREE_MINUTES_LATE, "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"):
        assert live.json("run", now=late).code == 0
    assert live.statuses == {"spring/teaser/alpha": "pending"}
    live.write({"waves/spring.yaml": wave("alpha")})
    assert live.json("run", now="2026-03-04T00:05:00Z").code == 1
    assert live.statuses == {"spring/teaser/alpha": "failed (missed)"}
    assert github.dispatches == []


def test_a_pause_ends_by_itself_at_its_until(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha", top="paused: {until: 2026-03-01T18:30:00Z}")})
    assert live.json("run", now="2026-03-01T18:29:50Z").results == {}
    assert live.json("run", now="2026-03-01T18:30:00Z").results == {"spring/teaser/alpha": "completed"}


def test_any_of_several_pauses_pauses_and_lifting_one_names_what_remains(
    live: Miniature, github: GitHub
) -> None:
    live.write(PAUSES["wave"] | PAUSES["channel"])
    live.run("run", now=DAYS_BEFORE)
    assert [p["by"] for p in live.records["spring/teaser/alpha"]["pauses"]] == ["wave", "channel"]
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=THREE_MINUTES_LATE)
    record = live.records["spring/teaser/alpha"]
    assert ([p["by"] for p in record["pauses"]], github.dispatches) == (["channel"], [])
    assert record["history"][-1]["why"] == "paused by channel"
    assert record["is_paused"] is True


def test_a_freeze_of_one_channel_leaves_the_others_alone(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha", "beta")})
    live.run("run", now=DAYS_BEFORE)
    freeze = "{from: 2026-03-01T00:00:00Z, until: 2026-03-02T00:00:00Z, channels: [beta]}"
    live.write({"scheduler.yaml": f"freezes: [{freeze}]"})
    assert live.json("run", now=THREE_MINUTES_LATE).results == {"spring/teaser/alpha": "completed"}


def test_a_publish_time_inside_a_freeze_waits_though_its_lead_falls_due_before_it(
    live: Miniature, github: GitHub
) -> None:
    live.channels("alpha", lead="6h").write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=DAYS_BEFORE)
    live.write({"scheduler.yaml": "freezes: [{from: 2026-03-01T17:00:00Z, until: 2026-03-01T18:30:00Z}]"})
    assert live.json("run", now="2026-03-01T12:00:00Z").results == {}
    assert live.json("run", now="2026-03-01T18:30:00Z").results == {"spring/teaser/alpha": "completed"}


# --- one-offs, revivals ---------------------------------------------------------------------------


def one_offs(*lines: str) -> dict[str, str]:
    schedules = "\n".join(f"  - {{{line}}}" for line in lines)
    return {"channels/alpha.yaml": f"repository: acme/alpha\ntoken: ACME_TOKEN\nschedules:\n{schedules}\n"}


def test_a_one_off_that_falls_due_without_a_video_fails(live: Miniature, github: GitHub) -> None:
    live.write(one_offs(f"at: {DUE}"))
    outcome = live.json("run", now=THREE_MINUTES_LATE)
    assert (outcome.code, live.statuses) == (1, {f"alpha/{DUE}": "failed (no_video)"})
    assert outcome.json["results"][0]["error"] == "it fell due with no video assigned"


def test_the_video_of_a_one_off_may_be_assigned_later(live: Miniature, github: GitHub) -> None:
    live.write(one_offs(f"at: {DUE}"))
    live.run("run", now=DAYS_BEFORE)
    live.write(one_offs(f"at: {DUE}, video: anniversary"))
    live.run("run", now=THREE_MINUTES_LATE)
    assert live.statuses == {f"alpha/{DUE}": "completed"}
    body = github.dispatches[0].payload
    assert (body["video_id"], body["schedule_type"], body["wave_id"]) == ("anniversary", "independent", None)


def test_a_cancelled_one_declared_uncancelled_for_a_time_to_come_is_pending_again(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": wave("alpha", top="cancelled: true")})
    live.run("run", now=DAYS_BEFORE)
    assert live.statuses == {"spring/teaser/alpha": "cancelled (declared)"}
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now="2026-02-21T12:00:00Z")
    assert live.statuses == {"spring/teaser/alpha": "pending"}
    assert live.json("run", now=THREE_MINUTES_LATE).results == {"spring/teaser/alpha": "completed"}


def test_a_cancelled_one_declared_uncancelled_for_a_time_gone_by_stays_cancelled(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": wave("alpha", top="cancelled: true")})
    live.run("run", now=DAYS_BEFORE)
    live.write({"waves/spring.yaml": wave("alpha")})
    assert live.json("run", now=THREE_MINUTES_LATE).results == {}
    assert (live.statuses, github.dispatches) == ({"spring/teaser/alpha": "cancelled (declared)"}, [])


def test_a_missed_one_is_revived_by_an_edit_to_a_time_to_come_and_by_nothing_else(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=JUST_AFTER_CATCH_UP)
    live.write({"waves/spring.yaml": wave("alpha", more=", metadata: {note: touched}")})
    live.run("run", now="2026-03-01T20:00:00Z")
    assert live.statuses == {"spring/teaser/alpha": "failed (missed)"}
    live.write({"waves/spring.yaml": wave("alpha", at="2026-03-02T18:00:00Z")})
    live.run("run", now="2026-03-01T21:00:00Z")
    record = live.records["spring/teaser/alpha"]
    assert (record["status"], record["error_message"], record["attempts"]) == ("scheduled", None, 0)
    assert live.json("run", now="2026-03-02T18:00:00Z").results == {"spring/teaser/alpha": "completed"}


def test_no_edit_gives_a_publication_another_key(live: Miniature, github: GitHub) -> None:
    edits = [
        {"waves/spring.yaml": wave("alpha")},
        {"waves/spring.yaml": wave("alpha", at="2026-03-01T18:02:00Z", more=", metadata: {a: b}")},
        {"waves/spring.yaml": wave("alpha", video="other", more=", group: teaser")},
        {"channels/alpha.yaml": "repository: acme/beta\ntoken: ACME_TOKEN\nevent_type: publish\nlead: 1h\n"},
    ]
    untouched = (live.root / "state.json").read_bytes()
    for edit in edits:
        (live.root / "state.json").write_bytes(untouched)
        live.write({"waves/spring.yaml": wave("alpha")}).run("run", now=DAYS_BEFORE)
        live.write(edit).run("run", now=THREE_MINUTES_LATE)
    assert len(github.dispatches) == len(edits)
    assert len({dispatch.payload["key"] for dispatch in github.dispatches}) == 1


def test_what_was_sent_removed_and_declared_again_does_not_fire_again(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=THREE_MINUTES_LATE)
    live.remove("waves/spring.yaml")
    live.run("run", now="2026-03-01T18:10:00Z")
    live.write({"waves/spring.yaml": wave("alpha", at="2026-03-09T18:00:00Z")})
    moved = live.json("run", now="2026-03-09T18:00:00Z")
    assert (moved.code, moved.codes, len(github.dispatches)) == (1, ["edited-after-dispatch"], 1)


# --- tokens ---------------------------------------------------------------------------------------


def test_a_token_that_is_not_set_makes_the_schedule_wait_and_later_be_missed(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    del live.environ["ACME_TOKEN"]
    waiting = live.json("run", now=THREE_MINUTES_LATE)
    again = live.json("run", now="2026-03-01T18:30:00Z")
    assert waiting.code == again.code == 1
    assert waiting.results == {"spring/teaser/alpha": "pending"}
    assert "ACME_TOKEN" in waiting.json["results"][0]["error"]
    assert (live.statuses, live.records["spring/teaser/alpha"]["attempts"]) == (
        {"spring/teaser/alpha": "pending"},
        0,
    )
    assert live.json("run", now=JUST_AFTER_CATCH_UP).code == 1
    assert (live.statuses, github.requests) == ({"spring/teaser/alpha": "failed (missed)"}, [])


def test_a_token_that_is_set_meanwhile_lets_it_go(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    del live.environ["ACME_TOKEN"]
    live.run("run", now=THREE_MINUTES_LATE)
    assert live.json("run", now="2026-03-01T18:30:00Z", ACME_TOKEN=TOKEN).code == 0
    assert videos(github) == ["teaser"]


def test_a_token_may_stand_in_a_file(live: Miniature, github: GitHub, tmp_path: Path) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    del live.environ["ACME_TOKEN"]
    secret = tmp_path / "secret"
    live.environ["ACME_TOKEN_FILE"] = str(secret)
    assert live.json("run", now=THREE_MINUTES_LATE).results == {"spring/teaser/alpha": "pending"}
    secret.write_text("\n")
    assert live.json("run", now="2026-03-01T18:04:00Z").results == {"spring/teaser/alpha": "pending"}
    secret.write_text(TOKEN + "\n")
    assert live.json("run", now="2026-03-01T18:05:00Z").results == {"spring/teaser/alpha": "completed"}
    assert github.dispatches[0].token == TOKEN


@pytest.mark.parametrize(
    ("environ", "sent_with"),
    [
        ({"SCHEDULER_TOKEN": "own", "GITHUB_TOKEN": "ambient"}, "own"),
        ({"GITHUB_TOKEN": "ambient"}, "ambient"),
        ({"SCHEDULER_TOKEN": " ", "GITHUB_TOKEN": "ambient"}, "ambient"),
    ],
)
def test_where_no_token_is_named_the_scheduler_s_own_is_taken_else_github_s(
    live: Miniature, github: GitHub, environ: dict[str, str], sent_with: str
) -> None:
    github.tokens = {"own", "ambient"}
    live.write({"channels/alpha.yaml": "repository: acme/alpha\n", "waves/spring.yaml": wave("alpha")})
    live.run("run", now=THREE_MINUTES_LATE, **environ)
    assert [dispatch.token for dispatch in github.dispatches] == [sent_with]


def test_where_a_token_is_named_no_other_stands_in_for_it(live: Miniature, github: GitHub) -> None:
    github.tokens = {"own", "ambient"}
    live.write({"waves/spring.yaml": wave("alpha")})
    del live.environ["ACME_TOKEN"]
    outcome = live.run("run", now=THREE_MINUTES_LATE, SCHEDULER_TOKEN="own", GITHUB_TOKEN="ambient")
    assert (outcome.code, github.requests) == (1, [])


def test_a_token_is_never_seen_in_any_output_or_in_the_record(live: Miniature, github: GitHub) -> None:
    github.tokens = set()
    live.write({"waves/spring.yaml": wave("alpha")})
    text, document = live.run("run", now=THREE_MINUTES_LATE), live.json("list")
    assert text.code == 1
    for shown in (text.out, text.err, document.out, (live.root / "state.json").read_text()):
        assert TOKEN not in shown


# --- what comes out -------------------------------------------------------------------------------


def test_metadata_arrives_as_it_was_typed(live: Miniature, github: GitHub) -> None:
    live.write(
        {"waves/spring.yaml": wave("alpha", more=", metadata: {a: no, b: 012, c: [1.50, {d: 18:30}]}")}
    )
    live.run("run", now=THREE_MINUTES_LATE)
    assert github.dispatches[0].payload["metadata"] == {"a": "no", "b": "012", "c": ["1.50", {"d": "18:30"}]}


def test_the_json_of_a_run_has_a_result_a_schedule_with_its_error(live: Miniature, github: GitHub) -> None:
    github.repositories.pop("acme/beta")
    live.write({"waves/spring.yaml": wave("alpha", "beta")})
    document = live.json("run", now=THREE_MINUTES_LATE).json
    assert document["version"] == 1
    assert document["diagnostics"] == []
    alpha, beta = document["results"]
    completed = {"status": "completed", "phase": "public", "reason": None, "error": None}
    at = {"scheduled_at": "2026-03-01T18:00:00Z"}
    assert alpha == {"schedule_id": "spring/teaser/alpha", **at, **completed}
    assert (beta["schedule_id"], beta["status"]) == ("spring/teaser/beta", "failed")
    assert beta["reason"] == "rejected"
    assert beta["error"].startswith("HTTP 404: Not Found")


def test_the_text_of_a_run_is_one_line_a_schedule_and_a_sum(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha", "beta")})
    assert live.run("run", now=THREE_MINUTES_LATE).out == (
        "Recorded: 2 created.\n"
        "+ spring/teaser/alpha  completed\n"
        "+ spring/teaser/beta   completed\n"
        "2 completed.\n"
    )


def test_a_dry_run_says_what_would_be_done_and_does_nothing(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    before = (live.root / "state.json").read_bytes()
    outcome = live.json("run", "--dry-run", now=THREE_MINUTES_LATE)
    assert outcome.code == 0
    assert outcome.actions == ["create spring/teaser/alpha", "send spring/teaser/alpha"]
    assert (live.root / "state.json").read_bytes() == before
    assert github.requests == []


def test_a_dry_run_late_is_no_proposal_the_past_is_no_fault_there(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    assert live.json("run", "--dry-run", now=THREE_MINUTES_LATE).codes == []
    assert live.json("plan", now=THREE_MINUTES_LATE).codes == ["past"]


def test_plan_tells_by_its_exit_code_whether_there_is_something_to_do(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    assert live.run("plan", "--detailed-exitcode", now=DAYS_BEFORE).code == 4
    live.run("run", now=DAYS_BEFORE)
    assert live.run("plan", "--detailed-exitcode", now=DAYS_BEFORE).code == 0
    assert live.run("plan", now=DAYS_BEFORE).code == 0


# --- the record -----------------------------------------------------------------------------------


def test_the_serial_rises_only_when_the_content_changes(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=DAYS_BEFORE)
    serial = live.state["serial"]
    live.run("run", now="2026-02-21T12:00:00Z")
    assert live.state["serial"] == serial
    live.run("run", now=THREE_MINUTES_LATE)
    assert live.state["serial"] == serial + 2  # the intent, and the outcome


def test_a_run_with_nothing_to_do_leaves_the_state_byte_for_byte(live: Miniature, github: GitHub) -> None:
    live.write(
        {"waves/spring.yaml": wave("alpha"), "waves/summer.yaml": wave("beta", at="2026-06-01T18:00:00Z")}
    )
    live.run("run", now=THREE_MINUTES_LATE)
    live.run("run", now="2026-03-02T18:00:00Z")
    before = (live.root / "state.json").read_bytes()
    for now in ("2026-03-03T18:00:00Z", "2026-03-04T18:00:00Z"):
        assert live.run("run", now=now).out == "Nothing to do.\n"
        assert (live.root / "state.json").read_bytes() == before


def test_a_run_with_an_error_does_not_close_as_if_all_were_well(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave("alpha"), "waves/summer.yaml": "schedules: [oops]\n"})
    assert live.run("run", now=DAYS_BEFORE).code == 1
    again = live.run("run", now="2026-02-26T12:00:00Z")
    assert again.code == 1
    assert "Nothing to do" not in again.out
    assert again.out.splitlines()[-1] == "1 error; nothing else to do."


def test_a_schedule_that_waits_for_its_token_does_not_rewrite_the_state(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    del live.environ["ACME_TOKEN"]
    live.run("run", now=THREE_MINUTES_LATE)
    before = (live.root / "state.json").read_bytes()
    live.run("run", now="2026-03-01T18:05:00Z")
    assert (live.root / "state.json").read_bytes() == before


def test_all_that_is_confirmed_a_day_ahead_is_scheduled(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha", "beta")})
    github.repository("acme/beta").workflows.clear()
    outcome = live.json("run", now="2026-02-28T18:00:00Z")
    assert live.statuses == {"spring/teaser/alpha": "scheduled", "spring/teaser/beta": "pending"}
    assert "no workflow" in live.records["spring/teaser/beta"]["unconfirmed"]
    assert (outcome.code, outcome.codes) == (0, ["unreachable"])
    asked = len(github.requests)
    live.run("run", now="2026-02-28T18:30:00Z")
    assert len(github.requests) == asked
    github.repository("acme/beta").workflows["publish.yml"] = github.repository("acme/alpha").workflows[
        "publish.yml"
    ]
    live.run("run", now="2026-02-28T19:00:10Z")
    assert live.statuses["spring/teaser/beta"] == "scheduled"


def test_an_unconfirmed_schedule_is_sent_all_the_same(live: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").workflows.clear()
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now="2026-02-28T18:00:00Z")
    assert live.statuses == {"spring/teaser/alpha": "pending"}
    assert live.json("run", now=THREE_MINUTES_LATE).results == {"spring/teaser/alpha": "completed"}


# --- machines that forget -------------------------------------------------------------------------


def test_on_github_actions_a_state_in_a_file_is_refused(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    outcome = live.run("run", now=THREE_MINUTES_LATE, GITHUB_ACTIONS="true")
    assert outcome.code == 3
    assert "branch:scheduler-state" in outcome.err
    assert github.requests == []


def test_the_record_says_which_files_were_declared(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave("alpha")})
    live.run("run", now=DAYS_BEFORE)
    digest = live.state["declared"]["digest"]
    live.write({"waves/spring.yaml": wave("alpha") + "# a remark\n"})
    live.run("run", now=DAYS_BEFORE)
    assert live.state["declared"]["digest"] != digest
    assert json.loads((live.root / "state.json").read_text())["schedules"].keys() == {"spring/teaser/alpha"}


def test_on_github_actions_a_queue_in_a_file_is_refused_where_a_channel_uses_it(live: Miniature) -> None:
    git(live.root, "init", "-q", "-b", "main")
    git(live.root, "init", "-q", "--bare", "origin.git")
    git(live.root, "remote", "add", "origin", str(live.root / "origin.git"))
    live.write({"scheduler.yaml": "state: branch:scheduler-state\n"})
    live.run("state", "init", now=DAYS_BEFORE)
    assert live.run("run", now=DAYS_BEFORE, GITHUB_ACTIONS="true").code == 0
    live.write({"channels/shop.yaml": "command: ./publish\n"})
    refused = live.run("run", now=DAYS_BEFORE, GITHUB_ACTIONS="true")
    assert refused.code == 3
    assert "shop" in refused.err
    assert live.run("run", now=DAYS_BEFORE).code == 0


# --- old checkouts --------------------------------------------------------------------------------


def test_a_checkout_older_than_what_was_declared_last_is_refused(live: Miniature, github: GitHub) -> None:
    git(live.root, "init", "-q", "-b", "main")
    live.write({"waves/spring.yaml": wave("alpha")})
    old = commit_all(live.root, "Announce spring")
    live.run("run", now=DAYS_BEFORE)
    live.write({"waves/spring.yaml": wave("alpha", top="cancelled: true")})
    new = commit_all(live.root, "Call spring off")
    live.run("run", now=DAYS_BEFORE)
    assert live.state["declared"]["commit"] == new

    git(live.root, "checkout", "-q", old)
    refused = live.run("run", now=THREE_MINUTES_LATE)
    assert refused.code == 1
    assert old[:12] in refused.err
    assert new[:12] in refused.err
    assert live.statuses == {"spring/teaser/alpha": "cancelled (declared)"}

    git(live.root, "checkout", "-q", "main")
    assert live.run("run", now=THREE_MINUTES_LATE).code == 0
    assert github.dispatches == []


@pytest.fixture
def foreign(live: Miniature) -> Miniature:
    """A repository with a first commit that is recorded, and that soon belongs to another user."""
    live.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    git(live.root, "init", "-q", "-b", "main")
    live.write({"waves/spring.yaml": wave("alpha")})
    commit_all(live.root, "Announce spring")
    return live


def test_a_run_is_refused_where_git_does_not_trust_the_owner_of_the_work_tree(
    foreign: Miniature, github: GitHub
) -> None:
    """A container or sudo: whether the checkout is an old one cannot be told, which does not make it new."""
    foreign.run("run", now=DAYS_BEFORE)
    before = (foreign.root / "state.json").read_bytes()
    foreign.environ["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    foreign.write({"waves/spring.yaml": wave("alpha", at="2026-03-05T18:00:00Z")})
    refused = foreign.run("run", now=DAYS_BEFORE)
    assert refused.code == 3
    assert "cannot tell whether this checkout is older than the one recorded last" in refused.err
    assert f"git config --global --add safe.directory {foreign.root}" in refused.err
    assert (foreign.root / "state.json").read_bytes() == before
    planned = foreign.json("plan", now=DAYS_BEFORE)
    assert (planned.code, planned.codes) == (0, ["stale-checkout"])


def test_a_first_run_where_git_does_not_trust_the_owner_says_that_no_commit_is_recorded(
    foreign: Miniature, github: GitHub
) -> None:
    foreign.environ["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    outcome = foreign.json("run", now=DAYS_BEFORE)
    assert (outcome.code, outcome.codes) == (0, ["stale-checkout"])
    assert "the commit of this checkout is not recorded" in outcome.json["diagnostics"][0]["message"]


def test_an_empty_folder_that_git_cannot_look_into_is_not_an_empty_declaration(
    foreign: Miniature, github: GitHub
) -> None:
    """It may be a submodule that nobody fetched; taken for empty, all that it declares would be cancelled."""
    foreign.environ["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    (foreign.root / "waves/partners").mkdir()
    outcome = foreign.json("validate", now=DAYS_BEFORE)
    assert outcome.code == 1
    assert "waves/partners is empty, and may be a submodule" in outcome.json["diagnostics"][0]["message"]


def test_a_clock_behind_the_record_is_refused(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha", at="2998-03-01T18:00:00Z")})
    live.run("run", now="2998-02-01T18:00:00Z")
    refused = live.run("run")
    assert refused.code == 1
    assert "2998-02-01" in refused.err
