"""A channel's own schedule: slots over DST changes, and the lineup that fills them."""

from __future__ import annotations

import json

import pytest
from declaring import one
from github_stand_in import Fault, GitHub
from miniature import Miniature

from scheduler.times import read_utc

pytestmark = pytest.mark.usefixtures("still_clock")

SUNDAY = "2026-03-01T00:00:00Z"
DAILY = "['*-*-* 18:00']"


def alpha(mini: Miniature, lineup: str, slots: str = DAILY, **keys: str) -> Miniature:
    """The channel alpha with slots and a lineup; each day at 18:00 UTC unless said otherwise."""
    return mini.channels("alpha", slots=slots, lineup=lineup, **keys)


def filled(mini: Miniature, now: str = SUNDAY, count: int = 4) -> list[str]:
    """The next few of alpha's schedules as `day video`, open slots as `day -`."""
    rows = mini.json("list", "--channel", "alpha", "--from", now, now=now).json["schedules"]
    live = [row for row in rows if row["status"] in ("pending", "scheduled")]
    return [f"{row['scheduled_at'][8:10]} {row['video_id'] or '-'}" for row in live][:count]


def sent(github: GitHub) -> list[str]:
    return [f"{d.payload['scheduled_at'][8:10]} {d.payload['video_id']}" for d in github.dispatches]


def noon(day: int) -> str:
    return f"2026-03-{day:02}T12:00:00Z"


def evening(day: int) -> str:
    return f"2026-03-{day:02}T18:00:00Z"


# --- DST --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "slot", "now", "expected", "skipped"),
    [
        ("Europe/Berlin", "Sat,Sun,Mon 18:00", "2026-03-27T12:00:00Z",
         ["2026-03-28T17:00:00Z", "2026-03-29T16:00:00Z", "2026-03-30T16:00:00Z"], None),
        ("Europe/Berlin", "Sat,Sun,Mon 02:30", "2026-03-27T12:00:00Z",
         ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z", "2026-04-04T00:30:00Z"], "2026-03-29T02:30"),
        ("Europe/Berlin", "Sat,Sun,Mon 02:30", "2026-10-23T12:00:00Z",
         ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"], None),
        ("America/New_York", "Sat,Sun,Mon 18:00", "2026-03-06T12:00:00Z",
         ["2026-03-07T23:00:00Z", "2026-03-08T22:00:00Z", "2026-03-09T22:00:00Z"], None),
        ("America/New_York", "Sat,Sun,Mon 02:30", "2026-03-06T12:00:00Z",
         ["2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z", "2026-03-14T06:30:00Z"], "2026-03-08T02:30"),
        ("America/New_York", "Sat,Sun,Mon 01:30", "2026-10-30T12:00:00Z",
         ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"], None),
        # Lord Howe changes by half an hour: 02:15 is skipped in October, 01:45 is repeated in April.
        ("Australia/Lord_Howe", "Sat,Sun,Mon 02:15", "2026-10-02T00:00:00Z",
         ["2026-10-02T15:45:00Z", "2026-10-04T15:15:00Z", "2026-10-09T15:15:00Z"], "2026-10-04T02:15"),
        ("Australia/Lord_Howe", "Sat,Sun,Mon 01:45", "2026-04-03T00:00:00Z",
         ["2026-04-03T14:45:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"], None),
    ],
    ids=[
        "Berlin spring", "Berlin skipped", "Berlin repeated", "New York spring", "New York skipped",
        "New York repeated", "Lord Howe skipped", "Lord Howe repeated",
    ],
)  # fmt: skip
def test_slots_keep_their_wall_clock_time_from_yaml_to_what_the_channel_receives(
    live: Miniature,
    github: GitHub,
    zone: str,
    slot: str,
    now: str,
    expected: list[str],
    skipped: str | None,
) -> None:
    alpha(live, "[one, two, three]", f"['{slot}']", timezone=zone)
    ran = live.json("run", now=now)
    recorded = live.records
    assert sorted(recorded) == [f"alpha/{at}" for at in expected]
    assert [recorded[i]["scheduled_at"] for i in sorted(recorded)] == expected
    assert [recorded[i]["video_id"] for i in sorted(recorded)] == ["one", "two", "three"]
    warned = [fault["message"].split(" does not")[0] for fault in ran.json["diagnostics"]]
    assert (ran.code, warned) == (0, [] if skipped is None else [f"slot {skipped}"])

    for at in expected:
        live.run("run", now=at)
        live.run("run", now=at)  # a second one finds nothing to send
    bodies = [dispatch.payload for dispatch in github.dispatches]
    assert [(body["scheduled_at"], body["video_id"]) for body in bodies] == list(
        zip(expected, ["one", "two", "three"], strict=True)
    )
    assert [body["schedule_id"] for body in bodies] == [f"alpha/{at}" for at in expected]


def test_a_skipped_slot_is_a_warning_at_its_rule(mini: Miniature) -> None:
    alpha(mini, "[one]", "['Mon 09:00', '*-*-* 02:30']", timezone="Europe/Berlin")
    outcome = mini.json("validate", now="2026-03-28T12:00:00Z")
    assert (outcome.code, outcome.places) == (0, ["channels/alpha.yaml:3:22 [skipped-slot]"])


def test_a_repeated_slot_is_sent_once(live: Miniature, github: GitHub) -> None:
    alpha(live, "[one, two, three]", "['*-*-* 02:30']", timezone="Europe/Berlin")
    for now in (
        "2026-10-24T12:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-25T12:00:00Z",
    ):
        live.run("run", now=now)
    assert sent(github) == ["25 one"]


# --- filling ----------------------------------------------------------------------------------------


def test_the_lineup_fills_open_slots_in_order_and_the_rest_stay_open(mini: Miniature) -> None:
    alpha(mini, "[one, two]")
    assert filled(mini) == ["01 one", "02 two", "03 -", "04 -"]


def test_open_slots_are_in_list_alone_and_conflict_with_nothing(mini: Miniature) -> None:
    alpha(mini, "[]").write({"waves/a.yaml": one("v", "2026-03-02T18:00:30Z", "alpha")})
    assert mini.json("validate", now=SUNDAY).places == []
    assert mini.json("plan", now=SUNDAY).actions == ["create a/v/alpha"]
    row = mini.json("list", now=SUNDAY).json["schedules"][0]
    assert (row["schedule_id"], row["video_id"], row["recorded"]) == (
        "alpha/2026-03-01T18:00:00Z",
        None,
        False,
    )
    assert filled(mini) == ["01 -", "02 v", "03 -", "04 -"], "a slot near a publication is none"


def test_slots_become_schedules_within_the_horizon_only(live: Miniature) -> None:
    live.write({"scheduler.yaml": "horizon: 36h\n"})
    alpha(live, "[one, two, three]")
    live.run("run", now=SUNDAY)
    assert sorted(live.records) == [f"alpha/{evening(1)}"]
    live.run("run", now=evening(1))
    live.run("run", now="2026-03-02T05:59:59Z")
    assert sorted(live.records)[-1] == f"alpha/{evening(2)}"
    live.run("run", now="2026-03-02T06:00:00Z")
    assert sorted(live.records)[-1] == f"alpha/{evening(3)}"


def test_a_slot_becomes_a_schedule_only_while_it_is_ahead(live: Miniature, github: GitHub) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=evening(1))
    assert list(live.records) == ["alpha/2026-03-02T18:00:00Z", "alpha/2026-03-03T18:00:00Z"]
    assert sent(github) == []


def test_a_video_inserted_ahead_shifts_the_rest(live: Miniature) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=SUNDAY)
    alpha(live, "[zero, one, two]")
    assert filled(live) == ["01 zero", "02 one", "03 two", "04 -"]
    changes = live.json("plan", now=SUNDAY).json["changes"]
    assert [
        f"{c['action']} {c['schedule_id'][6:16]}: {c['reason']}" for c in changes if c["action"] != "confirm"
    ] == [
        "update 2026-03-01: video one -> zero",
        "update 2026-03-02: video two -> one",
        "create 2026-03-03: declared in channels/alpha.yaml",
    ]


def test_a_sent_slot_uses_up_one_occurrence_of_its_video(live: Miniature, github: GitHub) -> None:
    alpha(live, "[one, two, one, three]")
    live.run("run", now=noon(1))
    live.run("run", now=evening(1))
    assert filled(live, now=noon(2)) == ["02 two", "03 one", "04 three", "05 -"]
    alpha(live, "[zero, one, two, one, three]")
    assert filled(live, now=noon(2)) == ["02 zero", "03 two", "04 one", "05 three"], "nothing is sent twice"


def test_it_stays_used_up_when_its_record_is_archived(live: Miniature, github: GitHub) -> None:
    alpha(live, "[one, two]", "['*-01,06-01 18:00']")
    live.run("run", now="2026-05-30T00:00:00Z")
    live.run("run", now="2026-06-01T18:00:00Z")
    live.run("run", now="2026-12-30T00:00:00Z")
    assert sorted(live.records) == ["alpha/2027-01-01T18:00:00Z"]
    assert live.records["alpha/2027-01-01T18:00:00Z"]["video_id"] == "two"


def test_a_missed_slots_video_returns_to_the_head_in_the_same_plan(live: Miniature, github: GitHub) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=noon(1))
    changes = live.json("plan", now="2026-03-01T23:00:00Z").json["changes"]
    assert [
        (c["action"], c["schedule_id"][6:16], c["after"]["video_id"])
        for c in changes
        if c["action"] != "confirm"
    ] == [
        ("update", "2026-03-02", "one"),
        ("create", "2026-03-03", "two"),
        ("miss", "2026-03-01", "one"),
    ]
    live.run("run", now="2026-03-01T23:00:00Z")
    again = live.json("plan", now="2026-03-01T23:00:00Z").actions
    assert again == [], "the plan of an applied plan is empty"


def test_a_failed_slots_video_returns_to_the_head(live: Miniature, github: GitHub) -> None:
    channel = "repository: acme/nowhere\ntoken: ACME_TOKEN\n" + f"slots: {DAILY}\nlineup: [one, two]\n"
    live.write({"channels/alpha.yaml": channel})
    live.run("run", now=noon(1))
    live.run("run", now=evening(1))
    assert live.statuses["alpha/2026-03-01T18:00:00Z"] == "failed (rejected)"
    assert filled(live, now=noon(2)) == ["02 one", "03 two", "04 -", "05 -"]


def test_a_slot_that_failed_ahead_of_its_time_is_not_filled_again(live: Miniature, github: GitHub) -> None:
    """With a lead it is sent, and refused, hours before its instant."""
    channel = "repository: acme/nowhere\ntoken: ACME_TOKEN\nlead: 4h\n"
    live.write({"channels/alpha.yaml": channel + f"slots: {DAILY}\nlineup: [one, two]\n"})
    live.run("run", now=SUNDAY)
    live.run("run", now="2026-03-01T14:00:00Z")
    assert live.statuses[f"alpha/{evening(1)}"] == "failed (rejected)"
    assert filled(live, now="2026-03-01T15:00:00Z") == ["02 one", "03 two", "04 -", "05 -"]


def test_a_slot_that_may_have_been_published_does_not_return_its_video(live: Miniature) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=noon(1))
    rewrite(live, f"alpha/{evening(1)}", status="failed", reason="unknown_outcome")
    assert filled(live, now=noon(2)) == ["02 two", "03 -", "04 -", "05 -"]


def test_an_entry_before_its_time_is_passed_over_and_keeps_its_place(live: Miniature) -> None:
    alpha(live, "[{ video: one, not_before: 2026-03-02T18:00:00Z }, two, three]")
    assert filled(live) == ["01 two", "02 one", "03 three", "04 -"]


# --- what a slot gives way to -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("2026-03-02T18:00:00Z", ["01 one", "02 v", "03 two", "04 three"]),
        ("2026-03-02T17:59:01Z", ["01 one", "02 v", "03 two", "04 three"]),
        ("2026-03-02T18:00:59Z", ["01 one", "02 v", "03 two", "04 three"]),
        ("2026-03-02T18:01:00Z", ["01 one", "02 two", "02 v", "03 three"]),
        ("2026-03-02T17:59:00Z", ["01 one", "02 v", "02 two", "03 three"]),
    ],
)
def test_a_slot_near_another_publication_is_skipped_and_its_video_moves_on(
    mini: Miniature, other: str, expected: list[str]
) -> None:
    alpha(mini, "[one, two, three]").write({"waves/a.yaml": one("v", other, "alpha")})
    assert filled(mini) == expected
    assert mini.json("validate", now=SUNDAY).places == []


def test_a_slot_near_a_cancelled_publication_is_not_skipped(mini: Miniature) -> None:
    alpha(mini, "[one, two]").write({"waves/a.yaml": one("v", evening(2), "{ id: alpha, cancelled: true }")})
    assert filled(mini) == ["01 one", "02 two", "03 -", "04 -"]


def test_a_recorded_slot_gives_way_to_a_wave_that_comes_later(live: Miniature, github: GitHub) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=SUNDAY)
    live.write({"waves/a.yaml": one("v", evening(1), "alpha")})
    assert live.json("validate", now=SUNDAY).places == []
    live.run("run", now=noon(1))
    assert filled(live, now=noon(1)) == ["01 v", "02 one", "03 two", "04 -"]
    assert live.statuses["alpha/2026-03-01T18:00:00Z"] == "cancelled (withdrawn)"


def test_a_slot_inside_a_freeze_is_skipped_and_its_video_moves_on(live: Miniature) -> None:
    alpha(live, "[one, two, three]")
    live.run("run", now=SUNDAY)
    live.write({"scheduler.yaml": f"freezes: [{{ from: {noon(2)}, until: {evening(3)} }}]\n"})
    assert filled(live) == ["01 one", "03 two", "04 three", "05 -"], "the end of a freeze is outside it"
    assert live.json("validate", now=SUNDAY).places == []


def test_two_slots_nearer_than_min_gap_are_one(mini: Miniature) -> None:
    alpha(mini, "[one, two]", "['*-*-* 18:00:30', '*-*-* 18:00']")
    assert filled(mini) == ["01 one", "02 two", "03 -", "04 -"]


@pytest.mark.parametrize(
    ("one_off", "expected"),
    [
        ("{ video: special, at: 2026-03-02T18:00:00Z }", ["01 one", "02 special", "03 two"]),
        ("{ at: 2026-03-02T18:00:00Z }", ["01 one", "02 -", "03 two"]),
        ("{ at: 2026-03-02T18:00:00Z, paused: true }", ["01 one", "02 -", "03 two"]),
        ("{ at: 2026-03-02T18:00:00Z, cancelled: true }", ["01 one", "03 two", "04 -"]),
    ],
    ids=["assigned", "without a video", "paused", "cancelled"],
)
def test_a_one_off_at_a_slots_instant_replaces_it(live: Miniature, one_off: str, expected: list[str]) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=SUNDAY)
    alpha(live, "[one, two]", schedules=f"[{one_off}]")
    assert filled(live, count=3) == expected
    live.run("run", now=SUNDAY)
    assert filled(live, count=3) == expected
    alpha(live, "[one, two]")
    assert filled(live, count=3) == ["01 one", "02 two", "03 -"], "the slot is back when the one-off goes"


def test_a_video_assigned_to_a_slot_is_not_published_a_second_time(live: Miniature, github: GitHub) -> None:
    assigned = {"schedules": f"[{{ video: two, at: {evening(1)} }}]"}
    alpha(live, "[one, two, three]", **assigned)
    assert filled(live) == ["01 two", "02 one", "03 three", "04 -"]
    live.run("run", now=evening(1))
    assert filled(live, now=noon(2)) == ["02 one", "03 three", "04 -", "05 -"]
    alpha(live, "[one, two, three]")
    assert filled(live, now=noon(2)) == ["02 one", "03 three", "04 -", "05 -"], "nor when its line is gone"


def test_a_slot_that_was_paused_over_its_time_is_sent_when_it_is_resumed_in_time(
    live: Miniature, github: GitHub
) -> None:
    """`pause` writes a one-off without a video in the slot's place, and `resume` takes it out again."""
    alpha(live, "[one, two]", schedules=f"[{{ at: {evening(1)}, paused: true }}]")
    live.run("run", now=noon(1))
    live.run("run", now=evening(1))
    alpha(live, "[one, two]")
    assert live.json("run", now="2026-03-01T18:30:00Z").results == {"alpha/2026-03-01T18:00:00Z": "completed"}
    assert sent(github) == ["01 one"]


def test_a_paused_channel_keeps_the_video_in_its_slot_until_it_is_resumed(
    live: Miniature, github: GitHub
) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=noon(1))
    alpha(live, "[one, two]", paused="true")
    live.run("run", now="2026-03-01T23:00:00Z")
    assert live.statuses["alpha/2026-03-01T18:00:00Z"] in ("pending", "scheduled")
    assert filled(live, now=noon(2)) == ["02 two", "03 -", "04 -", "05 -"]
    alpha(live, "[one, two]")
    live.run("run", now="2026-03-01T23:30:00Z")
    assert live.statuses["alpha/2026-03-01T18:00:00Z"] == "failed (missed)"
    assert filled(live, now=noon(2)) == ["02 one", "03 two", "04 -", "05 -"]


# --- a person's retry, inactive channels, renames ---------------------------------------------------


def rewrite(mini: Miniature, schedule_id: str, **fields: object) -> None:
    """Change a record, as a person with an editor could."""
    state = mini.state
    state["schedules"][schedule_id] |= fields
    del state["checksum"]
    (mini.root / "state.json").write_text(json.dumps(state))


def missed_and_retried(mini: Miniature) -> None:
    """alpha's slot on 1 March was missed, and at 23:10 a person said `retry`."""
    alpha(mini, "[one, two]")
    mini.run("run", now=noon(1))
    mini.run("run", now="2026-03-01T23:00:00Z")
    rewrite(mini, f"alpha/{evening(1)}", status="pending", reason=None, retried_at="2026-03-01T23:10:00Z")


def test_a_retried_slot_keeps_its_video_and_the_lineup_goes_on_without_it(
    live: Miniature, github: GitHub
) -> None:
    missed_and_retried(live)
    assert filled(live, now="2026-03-01T23:11:00Z") == ["02 two", "03 -", "04 -", "05 -"]
    assert live.json("run", now="2026-03-01T23:11:00Z").results == {f"alpha/{evening(1)}": "completed"}
    assert sent(github) == ["01 one"]


def test_a_retried_slot_that_is_missed_again_gives_its_video_back(live: Miniature) -> None:
    missed_and_retried(live)
    live.run("run", now=noon(2))
    assert live.statuses[f"alpha/{evening(1)}"] == "failed (missed)"
    assert filled(live, now=noon(2)) == ["02 one", "03 two", "04 -", "05 -"]


def test_a_retried_slot_waits_for_the_end_of_a_freeze_and_keeps_its_video(
    live: Miniature, github: GitHub
) -> None:
    missed_and_retried(live)
    live.write({"scheduler.yaml": f"freezes: [{{ from: {noon(1)}, until: 2026-03-01T23:30:00Z }}]\n"})
    assert live.json("run", now="2026-03-01T23:11:00Z").results == {}
    assert live.json("run", now="2026-03-01T23:31:00Z").results == {f"alpha/{evening(1)}": "completed"}
    assert sent(github) == ["01 one"]


def test_an_inactive_channel_schedules_nothing_new_and_what_is_recorded_waits(
    live: Miniature, github: GitHub
) -> None:
    alpha(live, "[one, two]")
    live.run("run", now=noon(1))
    alpha(live, "[one, two, three]", active="false")
    outcome = live.json("validate", now=noon(1))
    assert outcome.places == ["channels/alpha.yaml:5:9 [inactive-channel]"]
    assert "2 recorded slots wait" in outcome.json["diagnostics"][0]["message"]
    ran = live.json("run", now=evening(1))
    assert (ran.code, ran.results, len(live.records)) == (1, {}, 2)
    rows = live.json("list", "--channel", "alpha", now=evening(1)).json["schedules"]
    assert {row["problem"] for row in rows} == {"inactive-channel"}
    live.run("run", now="2026-03-01T23:00:00Z")
    assert live.statuses["alpha/2026-03-01T18:00:00Z"] == "failed (missed)"


def test_an_inactive_channel_without_recorded_slots_is_fine(mini: Miniature) -> None:
    alpha(mini, "[one, two]", active="false")
    assert mini.json("validate", now=SUNDAY).places == []
    assert filled(mini) == []


def test_slots_of_a_channel_whose_former_id_they_have_are_refused(live: Miniature, github: GitHub) -> None:
    alpha(live, "[one]")
    live.run("run", now=SUNDAY)
    text = (live.root / "channels/alpha.yaml").read_text()
    live.remove("channels/alpha.yaml").write({"channels/first.yaml": "renamed_from: alpha\n" + text})
    live.run("run", now=SUNDAY)
    live.write({"channels/first.yaml": text})
    alpha(live, "[other]")
    outcome = live.json("validate", now=SUNDAY)
    assert outcome.places == ["channels/alpha.yaml:4:10 [duplicate-id]"]


def test_what_may_have_been_published_is_used_up_also_when_its_resend_is_cancelled(
    live: Miniature, github: GitHub
) -> None:
    alpha(live, "[one, two, three]")
    live.run("run", now=noon(1))
    github.repository("acme/alpha").faults = [Fault(status=502)]
    for now in (evening(1), "2026-03-01T18:20:00Z"):
        github.clock = lambda now=now: float(read_utc(now))
        live.run("run", now=now)
    slot = f"alpha/{evening(1)}"
    assert live.statuses[slot] == "failed (unknown_outcome)"
    assert live.run("retry", slot, "--resend", now="2026-03-01T18:30:00Z").code == 0
    assert live.run("cancel", slot, now="2026-03-01T18:31:00Z").code == 0
    live.run("run", now="2026-03-01T18:32:00Z")
    assert live.statuses[slot].startswith("cancelled")
    assert filled(live, now=noon(2)) == ["02 two", "03 three", "04 -", "05 -"]


# --- state init -------------------------------------------------------------------------------------


def test_init_records_what_lies_in_the_past_and_it_is_never_sent(mini: Miniature) -> None:
    mini.channels(
        "alpha", schedules="[{ video: o, at: 2026-02-01T00:00:00Z }, { video: p, at: 2026-03-09T00:00:00Z }]"
    )
    mini.write({"waves/a.yaml": one("v", "2026-02-28T23:30:00Z", "alpha")})
    made = mini.run("state", "init", now=SUNDAY)
    assert made.code == 0
    assert "2 past publications recorded as cancelled (before_init)" in made.out
    assert mini.statuses == {
        "a/v/alpha": "cancelled (before_init)",
        "alpha/2026-02-01T00:00:00Z": "cancelled (before_init)",
    }
    assert mini.json("validate", now=SUNDAY).places == []
    assert mini.json("plan", now=SUNDAY).actions == ["create alpha/2026-03-09T00:00:00Z"]


def test_init_names_what_a_lead_lets_go_out_at_once(mini: Miniature) -> None:
    mini.channels("alpha", lead="6h").channels("beta")
    mini.write({"waves/a.yaml": one("v", "2026-03-01T05:00:00Z", "alpha, beta")})
    made = mini.run("state", "init", now=SUNDAY)
    assert "already due, and sent by the next run: a/v/alpha; cancel what has been sent already" in made.out


def test_what_init_finds_due_at_this_very_second_is_sent(live: Miniature, github: GitHub) -> None:
    (live.root / "state.json").unlink()
    live.write({"waves/a.yaml": one("v", SUNDAY, "alpha")})
    live.run("state", "init", now=SUNDAY)
    assert live.json("run", now=SUNDAY).results == {"a/v/alpha": "completed"}


def test_what_lay_in_the_past_and_is_moved_ahead_is_pending(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/a.yaml": one("v", "2026-02-28T23:30:00Z", "alpha")})
    mini.run("state", "init", now=SUNDAY)
    mini.write({"waves/a.yaml": one("v", evening(5), "alpha")})
    assert mini.json("plan", now=SUNDAY).actions == ["reopen a/v/alpha"]


def test_init_while_a_file_cannot_be_read_is_refused(mini: Miniature) -> None:
    mini.write({"waves/a.yaml": "schedules: ["})
    made = mini.run("state", "init", now=SUNDAY)
    assert made.code == 1
    assert "waves/a.yaml:" in made.err
    assert not (mini.root / "state.json").exists()


def test_init_takes_a_lineup_up_where_it_was(mini: Miniature) -> None:
    alpha(mini, "[one, two, three, four]", "['Mon,Thu 18:00']")
    made = mini.run("state", "init", "--lineup-from", "alpha=three", now=SUNDAY)
    assert "alpha continues with 'three'; 2 earlier videos used up" in made.out
    assert {i: r["video_id"] for i, r in mini.records.items()} == {
        "alpha/2026-02-23T18:00:00Z": "one",
        "alpha/2026-02-26T18:00:00Z": "two",
    }
    assert filled(mini) == ["02 three", "05 four", "09 -", "12 -"]


@pytest.mark.parametrize("slot", ["*-01-01 00:00", "2030-01-01 00:00", "minutely"])
def test_init_finds_places_for_used_videos_in_rare_and_in_frequent_slots(mini: Miniature, slot: str) -> None:
    videos = [f"v{number}" for number in range(12)]
    alpha(mini, f"[{', '.join(videos)}]", f"['{slot}']")
    assert mini.run("state", "init", "--lineup-from", "alpha=v11", now=SUNDAY).code == 0
    assert sorted(record["video_id"] for record in mini.records.values()) == sorted(videos[:11])
    assert mini.json("validate", now=SUNDAY).places == []


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("beta=one", "there is no channel 'beta'"),
        ("alpha=nine", "the lineup of alpha has no video 'nine'"),
    ],
)
def test_init_refuses_a_lineup_that_is_not_there(mini: Miniature, pair: str, words: str) -> None:
    alpha(mini, "[one]")
    made = mini.run("state", "init", "--lineup-from", pair, now=SUNDAY)
    assert made.code == 1
    assert words in made.err


def test_a_second_init_is_refused(live: Miniature) -> None:
    before = (live.root / "state.json").read_bytes()
    assert live.run("state", "init", now=SUNDAY).code == 3
    assert (live.root / "state.json").read_bytes() == before
