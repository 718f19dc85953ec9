"""What waves and one-offs expand to: instants, members, ids, and what a rename moves along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from declaring import entry, one, stagger, wave
from github_stand_in import GitHub
from hypothesis import given
from hypothesis import strategies as st
from miniature import Miniature

from scheduler.checkout import reading
from scheduler.checkout.source import Source
from scheduler.planning.plan import Surroundings
from scheduler.planning.reconcile import reconcile
from scheduler.reporting.json_output import plan_json, validation_json
from scheduler.state.codec import decode
from scheduler.state.record import State
from scheduler.times import read_time

pytestmark = pytest.mark.usefixtures("still_clock")

JANUARY = "2026-01-01T00:00:00Z"
EVENING = "2026-03-01T18:00:00Z"
LATER = "2026-03-01T18:30:00Z"


def times(mini: Miniature, now: str = JANUARY) -> dict[str, str]:
    """Channel -> publish time of every schedule, without the date where it is 1 March, in order of time."""
    rows = mini.json("list", now=now).json["schedules"]
    return {row["channel_id"]: row["scheduled_at"].removeprefix("2026-03-01T") for row in rows}


def updates(mini: Miniature, now: str = JANUARY) -> dict[str, str]:
    """Schedule id -> reason of each change that the plan makes, but for questions to channels."""
    changes = mini.json("plan", now=now).json["changes"]
    return {c["schedule_id"]: f"{c['action']}: {c['reason']}" for c in changes if c["action"] != "confirm"}


# --- simultaneous -----------------------------------------------------------------------------------


def test_a_simultaneous_entry_is_one_schedule_a_channel_at_one_time(mini: Miniature) -> None:
    mini.channels("alpha", "beta").write({"waves/spring.yaml": one("teaser", EVENING, "alpha", "beta")})
    rows = mini.json("list", now=JANUARY).json["schedules"]
    assert [(row["schedule_id"], row["coordination_group_id"], row["wave_id"]) for row in rows] == [
        ("spring/teaser/alpha", "spring/teaser", "spring"),
        ("spring/teaser/beta", "spring/teaser", "spring"),
    ]
    assert {row["schedule_type"] for row in rows} == {"simultaneous"}
    assert {row["scheduled_at"] for row in rows} == {EVENING}


def test_a_member_with_its_own_time_moves_nobody_else(mini: Miniature) -> None:
    mini.channels("alpha", "beta", "gamma")
    mini.write({"waves/a.yaml": one("v", EVENING, "alpha", f"{{ id: beta, at: {LATER} }}", "gamma")})
    assert times(mini) == {"alpha": "18:00:00Z", "gamma": "18:00:00Z", "beta": "18:30:00Z"}


def test_the_same_wall_clock_time_in_each_channels_own_zone(mini: Miniature) -> None:
    mini.channels("berlin", timezone="Europe/Berlin")
    mini.channels("york", timezone="America/New_York")
    mini.channels("utc")
    mini.write(
        {
            "waves/a.yaml": one(
                "v", "2026-03-01T18:00", "berlin", "utc", "york", timezone="channel", group="evening"
            )
        }
    )
    assert times(mini) == {"berlin": "17:00:00Z", "utc": "18:00:00Z", "york": "23:00:00Z"}


def test_a_wall_clock_time_that_a_zone_skips_is_one_error_for_all_its_channels(
    live: Miniature, github: GitHub
) -> None:
    live.channels("alpha", "beta", timezone="Europe/Berlin")
    live.write({"waves/a.yaml": one("v", "2026-03-29T02:30", "alpha", "beta", "gamma", timezone="channel")})
    outcome = live.json("validate", now=JANUARY)
    assert outcome.places == ["waves/a.yaml:4:9 [invalid-value]"]
    assert "does not exist in Europe/Berlin" in outcome.out
    ran = live.json("run", now="2026-03-29T02:30:00Z")
    assert (ran.code, ran.results) == (1, {"a/v/gamma": "completed"})


def test_the_default_group_is_the_video(mini: Miniature) -> None:
    mini.channels("alpha").write({"waves/a.yaml": one("v.1", EVENING, "alpha")})
    assert mini.json("plan", now=JANUARY).actions == ["create a/v.1/alpha"]


# --- staggered --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (("alpha", "beta", "gamma"), {"alpha": "18:00", "beta": "19:00", "gamma": "20:00"}),
        (
            ("alpha", "{ id: beta, paused: true }", "gamma"),
            {"alpha": "18:00", "beta": "19:00", "gamma": "20:00"},
        ),
        (
            ("alpha", "{ id: beta, cancelled: true }", "gamma"),
            {"alpha": "18:00", "beta": "19:00", "gamma": "20:00"},
        ),
        (
            ("alpha", "{ id: beta, shift: 30m }", "gamma"),
            {"alpha": "18:00", "beta": "19:30", "gamma": "20:30"},
        ),
        (
            ("alpha", "{ id: beta, shift: -30m }", "{ id: gamma, shift: 10m }"),
            {"alpha": "18:00", "beta": "18:30", "gamma": "19:40"},
        ),
        (
            ("alpha", "{ id: beta, at: 2026-03-01T22:00:00Z }", "gamma"),
            {"alpha": "18:00", "gamma": "20:00", "beta": "22:00"},
        ),
        (("gamma", "alpha", "beta"), {"gamma": "18:00", "alpha": "19:00", "beta": "20:00"}),
    ],
    ids=["plain", "paused", "cancelled", "shift", "two shifts", "own time", "order of the list"],
)
def test_a_stagger_gives_each_member_its_time(
    mini: Miniature, channels: tuple[str, ...], expected: dict[str, str]
) -> None:
    mini.channels("alpha", "beta", "gamma").write({"waves/a.yaml": stagger("v", EVENING, "1h", *channels)})
    assert times(mini) == {name: f"{time}:00Z" for name, time in expected.items()}


def test_a_paused_and_a_cancelled_member_are_not_sent_and_the_others_are(
    live: Miniature, github: GitHub
) -> None:
    members = ("{ id: alpha, paused: { reason: legal } }", "{ id: beta, cancelled: true }", "gamma")
    live.write({"waves/a.yaml": stagger("v", EVENING, "10m", *members)})
    ran = live.json("run", now="2026-03-01T18:20:00Z")
    assert ran.results == {"a/v/gamma": "completed"}
    assert live.statuses["a/v/beta"] == "cancelled (declared)"
    assert live.statuses["a/v/alpha"] in ("pending", "scheduled")
    assert live.records["a/v/alpha"]["pauses"] == [{"by": "schedule", "reason": "legal"}]
    (body,) = [dispatch.payload for dispatch in github.dispatches]
    assert (body["schedule_id"], body["scheduled_at"]) == ("a/v/gamma", "2026-03-01T18:20:00Z")
    assert live.json("run", now="2026-03-01T18:21:00Z").results == {}
    assert len(github.dispatches) == 1


def test_deleting_a_member_moves_those_after_it_and_the_plan_says_so(live: Miniature) -> None:
    live.write({"waves/a.yaml": stagger("v", EVENING, "1h", "alpha", "beta", "gamma")})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": stagger("v", EVENING, "1h", "alpha", "gamma")})
    assert updates(live) == {
        "a/v/gamma": "update: moved from 2026-03-01T20:00:00Z to 2026-03-01T19:00:00Z",
        "a/v/beta": "cancel: no longer declared",
    }


def test_a_delay_that_leaves_the_calendar_is_an_error(mini: Miniature) -> None:
    mini.channels("alpha", "beta").write(
        {"waves/a.yaml": stagger("v", "2998-03-01T18:00:00Z", "3650d", "alpha", "beta")}
    )
    assert mini.json("validate", now=JANUARY).places == ["waves/a.yaml:5:23 [invalid-value]"]


# --- one-offs ---------------------------------------------------------------------------------------


def test_a_one_off_has_its_channel_and_its_time_in_utc_as_its_id(mini: Miniature) -> None:
    one_offs = "[{ video: v, at: 2026-03-01T18:00 }, { at: 2026-03-02T18:00:00Z }]"
    mini.channels("alpha", timezone="Europe/Berlin", schedules=one_offs)
    rows = mini.json("list", now=JANUARY).json["schedules"]
    assert [(row["schedule_id"], row["video_id"], row["schedule_type"]) for row in rows] == [
        ("alpha/2026-03-01T17:00:00Z", "v", "independent"),
        ("alpha/2026-03-02T18:00:00Z", None, "independent"),
    ]


def test_a_one_off_that_falls_due_without_a_video_fails(live: Miniature) -> None:
    live.channels("alpha", schedules=f"[{{ at: {EVENING} }}]")
    assert live.json("run", now=EVENING).code == 1
    assert live.statuses == {f"alpha/{EVENING}": "failed (no_video)"}


# --- channels by tags -------------------------------------------------------------------------------


def tagged(mini: Miniature, *names: str, tags: str = "[gaming]", **keys: str) -> Miniature:
    return mini.channels(*names, tags=tags, **keys)


def by_tags(at: str = EVENING, delay: str = "1h", tags: str = "[gaming]", **keys: str) -> str:
    text = stagger("v", at, delay, "x", **keys)
    return text.replace("channels: [x]", f"channels: {{ tags: {tags} }}")


def test_tags_choose_the_active_channels_that_have_them_all_by_id(mini: Miniature) -> None:
    tagged(mini, "zulu", "alpha", tags="[de, gaming]")
    tagged(mini, "beta")
    tagged(mini, "gamma", tags="[de, gaming]", active="false")
    mini.write({"waves/a.yaml": by_tags(tags="[gaming, de]")})
    assert times(mini) == {"alpha": "18:00:00Z", "zulu": "19:00:00Z"}


def test_members_say_something_about_single_channels_of_the_tags(mini: Miniature) -> None:
    tagged(mini, "alpha", "beta", "gamma")
    mini.write({"waves/a.yaml": by_tags(members="[{ id: beta, shift: 5m }, { id: gamma, cancelled: true }]")})
    assert times(mini) == {"alpha": "18:00:00Z", "beta": "19:05:00Z", "gamma": "20:05:00Z"}
    rows = mini.json("list", now=JANUARY).json["schedules"]
    assert [row["status"] for row in rows] == ["pending", "pending", "cancelled"]


def test_a_channel_that_gets_the_tag_before_the_first_is_sent_joins_and_moves_those_after_it(
    live: Miniature, github: GitHub
) -> None:
    tagged(live, "alpha", "gamma").write({"waves/a.yaml": by_tags()})
    live.run("run", now=JANUARY)
    tagged(live, "beta")
    assert updates(live) == {
        "a/v/beta": "create: declared in waves/a.yaml",
        "a/v/gamma": "update: moved from 2026-03-01T19:00:00Z to 2026-03-01T20:00:00Z",
    }


def test_a_channel_that_gets_the_tag_after_the_first_was_sent_does_not_join(
    live: Miniature, github: GitHub
) -> None:
    tagged(live, "alpha", "gamma").write({"waves/a.yaml": by_tags()})
    live.run("run", now=EVENING)
    tagged(live, "beta")
    assert updates(live, now=LATER) == {}
    live.write({"waves/a.yaml": by_tags(members="[{ id: beta, paused: true }]")})
    outcome = live.json("validate", now=LATER)
    assert outcome.places == ["waves/a.yaml:7:21 [unknown-channel]"]
    assert "got its tags after the first of this group was sent" in outcome.out


def test_a_member_that_was_sent_keeps_its_place_when_it_loses_its_tag(
    live: Miniature, github: GitHub
) -> None:
    tagged(live, "alpha", "gamma").write({"waves/a.yaml": by_tags()})
    live.run("run", now=EVENING)
    tagged(live, "alpha", tags="[]")
    assert updates(live, now=LATER) == {}
    tagged(live, "alpha", active="false")
    assert updates(live, now=LATER) == {}
    live.remove("channels/alpha.yaml")
    assert updates(live, now=LATER) == {}


def test_a_channel_that_loses_the_tag_leaves_the_group(live: Miniature) -> None:
    tagged(live, "alpha", "gamma").write({"waves/a.yaml": by_tags()})
    live.run("run", now=JANUARY)
    live.channels("alpha")
    assert updates(live) == {
        "a/v/alpha": "cancel: no longer declared",
        "a/v/gamma": "update: moved from 2026-03-01T19:00:00Z to 2026-03-01T18:00:00Z",
    }


def test_what_was_missed_on_an_inactive_channel_keeps_its_place_in_its_group(live: Miniature) -> None:
    tagged(live, "alpha", "gamma").write({"waves/a.yaml": by_tags(delay="3h")})
    live.run("run", now=JANUARY)
    tagged(live, "alpha", active="false")
    live.run("run", now="2026-03-01T19:30:00Z")
    assert live.statuses["a/v/alpha"] == "failed (missed)"
    assert updates(live, now="2026-03-01T19:31:00Z") == {}, "nobody moves up"


def test_what_failed_halts_its_wave_though_a_tag_is_mistyped(live: Miniature) -> None:
    halting = "on_failure: halt\n" + by_tags()
    tagged(live, "alpha").write({"waves/a.yaml": halting + entry("w", "2026-03-02T18:00:00Z", "beta")})
    live.run("run", now=JANUARY)
    live.run("run", now="2026-03-01T19:30:00Z")
    assert live.records["a/w/beta"]["is_paused"] is True
    mistyped = by_tags(tags="[gamin]")
    live.write({"waves/a.yaml": f"on_failure: halt\n{mistyped}" + entry("w", "2026-03-02T18:00:00Z", "beta")})
    assert updates(live, now="2026-03-01T19:31:00Z") == {}


def test_an_unreadable_channel_keeps_its_place_in_a_group_by_tags(live: Miniature, github: GitHub) -> None:
    tagged(live, "alpha", "gamma").write({"waves/a.yaml": by_tags()})
    live.run("run", now=JANUARY)
    live.write({"channels/alpha.yaml": "repository: nonsense\n"})
    assert live.json("validate", now=JANUARY).places == ["channels/alpha.yaml:1:13 [invalid-value]"]
    assert updates(live) == {}
    assert live.json("run", now=EVENING).results == {}, "it waits, and nobody takes its place"


def test_a_cancelled_member_keeps_its_place_while_its_channel_is_unreadable(live: Miniature) -> None:
    tagged(live, "alpha", "gamma")
    live.write({"waves/a.yaml": by_tags(members="[{ id: alpha, cancelled: true }]")})
    live.run("run", now=JANUARY)
    live.write({"channels/alpha.yaml": "repository: nonsense\n"})
    assert live.json("validate", now=JANUARY).places == ["channels/alpha.yaml:1:13 [invalid-value]"]
    assert updates(live) == {}


def test_tags_that_match_nothing_are_an_error_with_the_tag_that_was_meant(
    live: Miniature, github: GitHub
) -> None:
    tagged(live, "alpha").write({"waves/a.yaml": by_tags()})
    live.run("run", now=JANUARY)
    live.write({"waves/a.yaml": by_tags(tags="[gamign]")})
    outcome = live.json("validate", now=JANUARY)
    assert outcome.places == ["waves/a.yaml:5:23 [unknown-channel]"]
    assert outcome.json["diagnostics"][0]["hint"] == "did you mean gaming?"
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.results, live.statuses) == (1, {}, {"a/v/alpha": "pending"}), "held, not cancelled"


def test_a_line_about_a_channel_that_the_tags_do_not_choose_keeps_new_ones_back(
    live: Miniature, github: GitHub
) -> None:
    tagged(live, "alpha").write({"waves/a.yaml": by_tags(members="[{ id: alhpa, paused: true }]")})
    outcome = live.json("validate", now=JANUARY)
    assert outcome.places == ["waves/a.yaml:7:21 [unknown-channel]"]
    assert outcome.json["diagnostics"][0]["hint"] == "did you mean alpha?"
    assert live.json("run", now=EVENING).results == {}, "the pause was meant for somebody"


def test_a_line_about_an_unreadable_channel_is_no_second_error(mini: Miniature) -> None:
    tagged(mini, "alpha").write(
        {
            "channels/beta.yaml": "repository: nonsense\n",
            "waves/a.yaml": by_tags(members="[{ id: beta, paused: true }]"),
        }
    )
    assert mini.json("validate", now=JANUARY).places == ["channels/beta.yaml:1:13 [invalid-value]"]


# --- identity ---------------------------------------------------------------------------------------


def test_moving_a_wave_keeps_its_ids_and_its_keys(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/2026/a.yml": one("v", LATER, "alpha")}).remove("waves/a.yaml")
    assert updates(live) == {"a/v/alpha": "update: moved from 2026-03-01T18:00:00Z to 2026-03-01T18:30:00Z"}
    assert live.json("run", now=LATER).results == {"a/v/alpha": "completed"}


REPOSITORY = {
    "scheduler.yaml": """
        conflicts: { min_gap: 5m }
        freezes: [{ reason: Holidays, from: 2026-03-20T00:00:00Z, until: 2026-03-21T00:00:00Z }]
        """,
    "channels/alpha.yaml": """
        repository: acme/alpha
        timezone: Europe/Berlin
        tags: [gaming]
        slots: ["Mon,Wed 18:00", "Fri 09:00"]
        lineup: [one, two, three, four]
        """,
    "channels/beta.yaml": """
        repository: acme/beta
        tags: [gaming, de]
        schedules: [{ video: v, at: 2026-03-02T09:00:00Z }, { video: w, at: 2026-03-02T09:04:00Z }]
        """,
    "channels/gamma.yaml": "repository: acme/gamma\nactive: false\ntags: [de]\n",
    "channels/broken.yaml": "repository: nonsense\n",
    "waves/a.yaml": wave(
        entry("v", EVENING, "alpha", "beta"), entry("w", "2026-03-02T17:01:00Z", "alpha", "gamma", "delta")
    ),
    "waves/b.yaml": by_tags(at="2026-03-01T18:04:00Z"),
    "waves/c.yaml": one("v", "2026-03-20T12:00:00Z", "beta", group="frozen"),
    "waves/d.yaml": "renamed_from: a-former-one\n" + one("x", "2026-03-03T12:00:00Z", "beta", "alpha"),
    "waves/deep/B.yaml": one("y", "2026-03-05T12:00:00Z", "beta"),
}
SURROUNDINGS = Surroundings(tokens=frozenset({"GITHUB_TOKEN"}))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Source], State, Path]:
    """A repository in which much is wrong, with a record from the day before it went wrong."""
    mini = Miniature(tmp_path_factory.mktemp("kept"))
    mini.channels("alpha", "beta", "gamma", tags="[gaming]")
    mini.write({"waves/a-former-one.yaml": one("x", "2026-03-03T12:00:00Z", "alpha", "beta")})
    mini.write(
        {"waves/b.yaml": by_tags(at="2026-03-01T18:04:00Z"), "waves/gone.yaml": one("z", LATER, "beta")}
    )
    mini.run("state", "init", now="2026-02-27T12:00:00Z")
    mini.run("run", now="2026-02-27T12:00:00Z")
    for name in ("waves/a-former-one.yaml", "waves/gone.yaml"):
        mini.remove(name)
    mini.write(REPOSITORY)
    state = decode((mini.root / "state.json").read_bytes(), "state.json")
    return reading.read_sources(mini.root), state, mini.root


def told(sources: list[Source], state: State) -> bytes:
    found = reconcile(sources, state, {}, read_time("2026-03-01T17:00:00Z"), SURROUNDINGS, proposal=True)
    return b"".join(plan_json(found.plan, found.diagnostics)) + validation_json(found.diagnostics)


def test_the_repository_of_the_order_tests_has_something_to_order(
    kept: tuple[list[Source], State, Path],
) -> None:
    sources, state, _ = kept
    found = reconcile(sources, state, {}, read_time("2026-03-01T17:00:00Z"), SURROUNDINGS, proposal=True)
    assert {change.action for change in found.plan.changes} >= {"create", "update", "cancel"}
    assert {fault.code for fault in found.diagnostics} >= {
        "duplicate-id",
        "unknown-channel",
        "inactive-channel",
        "min-gap",
        "frozen",
    }


@given(data=st.data())
def test_shuffled_files_and_records_give_the_same_plan(
    kept: tuple[list[Source], State, Path], data: st.DataObject
) -> None:
    sources, state, _ = kept
    shuffled = data.draw(st.permutations(sources))
    names = data.draw(st.permutations(list(state.schedules)))
    again = State(
        version=2, lineage=state.lineage, serial=state.serial,
        schedules={name: state.schedules[name] for name in names},
    )  # fmt: skip
    assert sorted(told(shuffled, again)) == sorted(told(sources, state))
    assert told(shuffled, state) == told(sources, state)


def test_every_hash_seed_gives_the_same_bytes(kept: tuple[list[Source], State, Path]) -> None:
    """In processes of their own, since a process keeps its seed; at one instant, which a command cannot."""
    program = (
        "import sys; from test_schedules import *; mini = Path(sys.argv[1]);"
        "state = decode((mini / 'state.json').read_bytes(), 'state.json');"
        "sys.stdout.buffer.write(told(reading.read_sources(mini), state))"
    )
    tests, support = Path(__file__).parent, Path(__file__).parents[1] / "support"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(kept[2])],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{tests}:{support}:{tests.parents[1]}"},
            stdout=subprocess.PIPE,
        )
        for seed in ("0", "1", "4242")
    ]
    texts = {process.communicate(timeout=60)[0] for process in started}
    assert texts == {told(*kept[:2])}


# --- renames ----------------------------------------------------------------------------------------


def keys(github: GitHub) -> list[str]:
    return [dispatch.payload["key"] for dispatch in github.dispatches]


def test_a_renamed_wave_keeps_its_records_and_sends_nothing_again(live: Miniature, github: GitHub) -> None:
    text = stagger("v", EVENING, "1h", "alpha", "beta")
    live.write({"waves/spring-lanch.yaml": text})
    live.run("run", now=EVENING)
    live.remove("waves/spring-lanch.yaml")
    live.write({"waves/spring-launch.yaml": "renamed_from: spring-lanch\n" + text})
    assert updates(live, now=LATER) == {
        "spring-launch/v/alpha": "update: renamed from spring-lanch/v/alpha",
        "spring-launch/v/beta": "update: renamed from spring-lanch/v/beta",
    }
    ran = live.json("run", now="2026-03-01T19:00:00Z")
    assert (ran.code, ran.results) == (0, {"spring-launch/v/beta": "completed"})
    assert live.records["spring-launch/v/alpha"]["former_ids"] == ["spring-lanch/v/alpha"]
    live.write({"waves/spring-launch.yaml": text})
    assert updates(live, now="2026-03-01T19:01:00Z") == {}, "the line may go after the run"


def test_a_renamed_schedule_keeps_its_key(live: Miniature, github: GitHub) -> None:
    """The key is that of the id under which it was first recorded, so a resend is known by its receiver."""
    text = one("v", EVENING, "alpha")
    live.write({"waves/a.yaml": text})
    live.run("run", now=JANUARY)
    state = (live.root / "state.json").read_text()
    live.run("run", now=EVENING)
    (live.root / "state.json").write_text(state)
    live.remove("waves/a.yaml").write({"waves/b.yaml": "renamed_from: a\n" + text})
    assert live.json("run", now=EVENING).results == {"b/v/alpha": "completed"}
    assert len(keys(github)) == 2
    assert len(set(keys(github))) == 1


def test_a_renamed_group_keeps_its_records(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.write({"waves/a.yaml": one("v", EVENING, "alpha", group="teaser", renamed_from="v")})
    assert updates(live, now=LATER) == {"a/teaser/alpha": "update: renamed from a/v/alpha"}


def test_a_wave_and_its_group_are_renamed_at_once(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.remove("waves/a.yaml")
    live.write(
        {"waves/b.yaml": wave(entry("v", EVENING, "alpha", group="t", renamed_from="v"), renamed_from="a")}
    )
    assert updates(live, now=LATER) == {"b/t/alpha": "update: renamed from a/v/alpha"}


def test_a_renamed_channel_keeps_waves_one_offs_and_slots(live: Miniature, github: GitHub) -> None:
    own = {"slots": "['*-*-* 12:00']", "lineup": "[s1, s2]", "schedules": f"[{{ video: o, at: {LATER} }}]"}
    live.channels("alpha", **own).write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now="2026-03-01T11:00:00Z")
    live.run("run", now="2026-03-01T12:00:00Z")
    text = (live.root / "channels/alpha.yaml").read_text()
    live.remove("channels/alpha.yaml").write({"channels/first.yaml": "renamed_from: alpha\n" + text})
    live.write({"waves/a.yaml": one("v", EVENING, "first")})
    assert updates(live, now="2026-03-01T12:01:00Z") == {
        "a/v/first": "update: renamed from a/v/alpha",
        "first/2026-03-01T12:00:00Z": "update: renamed from alpha/2026-03-01T12:00:00Z",
        "first/2026-03-01T18:30:00Z": "update: renamed from alpha/2026-03-01T18:30:00Z",
        "first/2026-03-02T12:00:00Z": "update: renamed from alpha/2026-03-02T12:00:00Z",
    }
    ran = live.json("run", now=EVENING)
    assert (ran.code, ran.results) == (0, {"a/v/first": "completed"})
    assert [d.payload["video_id"] for d in github.dispatches] == ["s1", "v"]


def test_a_wave_that_still_names_a_renamed_channel_is_one_error_and_its_record_waits(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    text = (live.root / "channels/alpha.yaml").read_text()
    live.remove("channels/alpha.yaml").write({"channels/first.yaml": "renamed_from: alpha\n" + text})
    ran = live.json("run", now="2026-02-28T00:00:00Z")
    assert (ran.code, ran.places) == (1, ["waves/a.yaml:5:16 [unknown-channel]"])
    assert ran.json["diagnostics"][0]["hint"] == "it was renamed: write first"
    live.channels("first").write({"channels/first.yaml": text})
    ran = live.json("run", now=EVENING)
    assert (ran.places, live.statuses) == (["waves/a.yaml:5:16 [unknown-channel]"], {"a/v/first": "pending"})
    live.write({"waves/a.yaml": one("v", EVENING, "first")})
    assert live.json("run", now=LATER).results == {"a/v/first": "completed"}


def test_a_former_id_stays_taken(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.remove("waves/a.yaml").write({"waves/b.yaml": "renamed_from: a\n" + one("v", EVENING, "alpha")})
    live.run("run", now=LATER)
    live.write({"waves/b.yaml": one("v", EVENING, "alpha")})
    live.write({"waves/a.yaml": one("v", "2026-06-01T18:00:00Z", "alpha", repeat="true")})
    outcome = live.json("validate", now=LATER)
    assert outcome.places == ["waves/a.yaml:5:16 [duplicate-id]"]
    assert outcome.json["diagnostics"][0]["message"] == (
        "a/v/alpha was renamed to b/v/alpha, and a former id cannot be used again"
    )
    assert live.json("run", now="2026-06-01T18:00:00Z").results == {}


def test_a_name_that_is_declared_still_cannot_be_a_former_one(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.write({"waves/b.yaml": "renamed_from: a\n" + one("w", LATER, "alpha")})
    outcome = live.json("validate", now=JANUARY)
    assert outcome.places == ["waves/b.yaml:1:15 [duplicate-id]"]
    assert updates(live) == {"b/w/alpha": "create: declared in waves/b.yaml"}


def test_a_copy_that_says_it_was_renamed_is_not_adopted(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.write({"waves/b.yaml": "renamed_from: a\n" + one("v", "2026-03-04T18:00:00Z", "alpha")})
    outcome = live.json("run", now="2026-03-04T18:00:00Z")
    assert (outcome.code, outcome.places, outcome.results) == (1, ["waves/b.yaml:1:15 [duplicate-id]"], {})
    assert len(github.dispatches) == 1
    live.remove("waves/a.yaml")
    assert "b/v/alpha" in live.run("run", now="2026-03-04T18:05:00Z").out
    assert len(github.dispatches) == 1, "it was sent as a/v/alpha"


def test_a_copied_channel_and_a_copied_group_are_not_adopted_either(live: Miniature) -> None:
    slots = "repository: acme/alpha\nslots: ['*-*-* 18:00']\nlineup: [one]\n"
    live.write({"channels/alpha.yaml": slots, "waves/a.yaml": wave(entry("v", LATER, "beta"))})
    live.run("run", now="2026-03-01T12:00:00Z")
    again = entry("v", "2026-03-05T18:00:00Z", "beta", group="w", renamed_from="v")
    live.write({"channels/copy.yaml": "renamed_from: alpha\n" + slots})
    live.write({"waves/a.yaml": wave(entry("v", LATER, "beta"), again)})
    assert live.json("validate", now="2026-03-01T12:00:00Z").codes == ["duplicate-id"] * 2
    assert updates(live, now="2026-03-01T12:00:00Z") == {}


def test_of_two_that_get_one_id_the_one_that_was_sent_has_it(live: Miniature, github: GitHub) -> None:
    late = "{ id: gamma, paused: true }"
    live.write({"waves/a.yaml": one("v", EVENING, f"beta, {late}")})
    assert live.json("run", now=EVENING).results == {"a/v/beta": "completed"}
    live.remove("waves/a.yaml").remove("channels/gamma.yaml").channels("beta", renamed_from="gamma")
    live.write({"waves/b.yaml": "renamed_from: a\n" + one("v", EVENING, "beta")})
    assert updates(live, now=LATER) == {
        "b/v/beta": "update: renamed from a/v/beta",
        "a/v/gamma": "cancel: no longer declared",
    }
    live.run("run", now=LATER)
    assert live.statuses == {"b/v/beta": "completed", "a/v/gamma": "cancelled (withdrawn)"}
    assert len(github.dispatches) == 1


@pytest.mark.parametrize("fault", ["titel: Spring\n", "title: [\n"])
def test_renamed_in_a_file_that_cannot_be_read_it_is_not_withdrawn(
    live: Miniature, github: GitHub, fault: str
) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.remove("waves/a.yaml")
    live.write({"waves/b.yaml": "renamed_from: a\n" + fault + one("v", EVENING, "alpha")})
    outcome = live.json("run", now=EVENING)
    assert (outcome.code, outcome.results) == (1, {"a/v/alpha": "completed"})
    live.write({"waves/b.yaml": "renamed_from: a\n" + one("v", EVENING, "alpha")})
    live.run("run", now=LATER)
    assert live.statuses == {"b/v/alpha": "completed"}
    assert len(github.dispatches) == 1


def test_what_is_on_a_channel_that_is_renamed_in_an_unreadable_file_waits(live: Miniature) -> None:
    own = f"repository: acme/alpha\ntoken: ACME_TOKEN\nschedules: [{{ video: w, at: {LATER} }}]\n"
    live.write({"channels/alpha.yaml": own, "waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=JANUARY)
    live.remove("channels/alpha.yaml")
    live.write({"channels/anew.yaml": "renamed_from: alpha\nowner: acme\n" + own})
    outcome = live.json("run", now=LATER)
    assert outcome.places == ["channels/anew.yaml:2:1 [unknown-key]"], "and no second, false fault"
    assert live.statuses == {"a/v/alpha": "pending", f"alpha/{LATER}": "pending"}
    live.write(
        {"channels/anew.yaml": "renamed_from: alpha\n" + own, "waves/a.yaml": one("v", EVENING, "anew")}
    )
    assert live.json("run", now=LATER).results == {f"anew/{LATER}": "completed"}
    assert live.json("run", now="2026-03-01T18:31:00Z").results == {"a/v/anew": "completed"}, "late: in turn"


def test_an_archived_schedule_is_renamed_too_and_counted_once(live: Miniature, github: GitHub) -> None:
    live.write({"waves/a.yaml": one("v", EVENING, "alpha")})
    live.run("run", now=EVENING)
    live.run("run", now="2026-07-01T00:00:00Z")
    assert live.records == {}
    live.remove("waves/a.yaml").write({"waves/b.yaml": "renamed_from: a\n" + one("v", EVENING, "alpha")})
    assert updates(live, now="2026-07-02T00:00:00Z") == {"b/v/alpha": "update: renamed from a/v/alpha"}
    assert live.json("run", now="2026-07-02T00:00:00Z").code == 0
    live.write({"waves/c.yaml": one("v", "2026-12-01T00:00:00Z", "alpha")})
    for now in ("2026-07-03T00:00:00Z", "2026-11-30T00:00:00Z"):  # before and after b is archived in its turn
        assert live.json("validate", now=now).codes == [], "b still declares what was sent as a"
        live.run("run", now=now)
    rows = live.json("list", "--wave", "a", "--wave", "b", now="2026-11-30T00:00:00Z").json["schedules"]
    assert [row["schedule_id"] for row in rows] == ["b/v/alpha"]
