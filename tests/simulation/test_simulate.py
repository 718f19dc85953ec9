"""`scheduler simulate`: what would be late, missed or failed under given conditions, and what is enough.

Nothing here sends: the runs are real ones, in a world of memory.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from declaring import entry, one, stagger, wave
from github_stand_in import GitHub
from hypothesis import example, given, settings
from hypothesis import strategies as st
from miniature import Miniature

from scheduler.checkout.source import Source
from scheduler.planning.plan import Surroundings
from scheduler.simulation.conditions import GITHUB, Conditions, Spread, read_spread
from scheduler.simulation.replay import Stage, replay
from scheduler.simulation.ticks import ticks
from scheduler.state.record import State
from scheduler.times import TimeError, instant_text, read_utc

BEGIN = "2026-03-01T00:00:00Z"
DAY = ("simulate", "--for", "1d", "--runs", "1")
"""One run over one day, with a tick every quarter of an hour unless it is said otherwise."""


@pytest.fixture
def spring(mini: Miniature) -> Miniature:
    """A wave at 18:00 on three channels, and no record."""
    mini.channels("alpha", "beta", "gamma")
    return mini.write({"waves/spring.yaml": one("teaser", "2026-03-01T18:00:00Z", "alpha", "beta", "gamma")})


def simulated(mini: Miniature, *options: str) -> Any:
    """The document of a day's simulation."""
    outcome = mini.json(*DAY, *options, now=BEGIN)
    assert outcome.code == 0, outcome.err
    return outcome.json


def of(document: Any, kind: str, name: str) -> Any:
    return next(each for each in document[kind] if each["id"] == name)


def spring_of(mini: Miniature, *options: str) -> Any:
    return of(simulated(mini, *options), "waves", "spring")


# --- what is told ---------------------------------------------------------------------------------------


def test_a_simulation_tells_lateness_misses_and_what_would_be_enough(spring: Miniature) -> None:
    spring.write({"waves/spring.yaml": stagger("teaser", "2026-03-01T17:00:00Z", "1h", "alpha", "beta")})
    outcome = spring.run(
        "simulate", "--for", "1d", "--runs", "3", "--late", "0..2h", "--drop", "70%", now=BEGIN
    )
    assert outcome.code == 0
    assert (
        outcome.out
        == """\
3 runs with 2 publications from 2026-03-01 00:00 UTC to 2026-03-02 00:00 UTC (seed 1)
a tick every 15m, 0s to 2h late: 97 of 288 ran, at most 3h2m46s apart

               sent  on time  missed  failed  held  median    95 %   worst  lead  catch_up
wave spring       4        0       2       0     0  22m25s  48m30s  48m30s    0s        1h
channel alpha     2        0       1       0     0   7m54s  48m30s  48m30s    0s        1h
channel beta      2        0       1       0     0  22m25s  47m42s  47m42s    0s        1h

Lateness counts from the publish time. On time means sent by then, at the latest.

Not sent:
  spring/teaser/alpha  missed in 1 of 3 runs: more than 1h (catch_up) after 2026-03-01T17:00:00Z
  spring/teaser/beta   missed in 1 of 3 runs: more than 1h (catch_up) after 2026-03-01T18:00:00Z

To miss nothing, any one of these is enough: catch_up 2h1m, lead 12m, hold 12m.
To be on time, any one of these is enough: lead 1h10m, hold 1h10m.
"""
    )


def test_the_document_has_every_figure(spring: Miniature) -> None:
    spring.write({"waves/spring.yaml": one("teaser", "2026-03-01T18:00:00Z", "alpha")})
    assert simulated(spring, "--late", "10m") == {
        "version": 1,
        "from": "2026-03-01T00:00:00Z",
        "to": "2026-03-02T00:00:00Z",
        "runs": 1,
        "publications": 1,
        "conditions": {
            "every": {"least": 900, "middle": 900.0, "most": 900},
            "late": {"least": 600, "middle": 600.0, "most": 600},
            "drop": 0.0,
            "hold": 0,
            "latency": {"least": 1, "middle": 1.0, "most": 1},
            "refuse": 0.0,
            "limit": 0.0,
            "unknown": 0.0,
            "lead": None,
            "catch_up": None,
            "pace": None,
            "seed": 1,
        },
        "ticks": {"wanted": 96, "dropped": 0, "longest_gap_seconds": 900},
        "put_off": 0,
        "waves": [
            {
                "id": "spring",
                "sent": 1,
                "on_time": 0,
                "missed": 0,
                "failed": 0,
                "held": 0,
                "lateness_seconds": {"median": 491, "p95": 491, "worst": 491},
                "lead_seconds": 0,
                "catch_up_seconds": 3600,
            }
        ],
        "channels": [
            {
                "id": "alpha",
                "sent": 1,
                "on_time": 0,
                "missed": 0,
                "failed": 0,
                "held": 0,
                "lateness_seconds": {"median": 491, "p95": 491, "worst": 491},
                "lead_seconds": 0,
                "catch_up_seconds": 3600,
            }
        ],
        "not_sent": [],
        "enough": {
            "to_miss_nothing": {"catch_up_seconds": 540, "lead_seconds": 0, "hold_seconds": 0},
            "to_be_in_time": {"lead_seconds": 420, "hold_seconds": 420},
        },
        "diagnostics": [],
    }


def test_the_same_seed_gives_the_same_bytes_and_another_one_gives_others(spring: Miniature) -> None:
    options = (*DAY, "--late", "0..1h", "--drop", "30%", "--unknown", "20%")
    first = spring.run(*options, now=BEGIN)
    assert spring.run(*options, now=BEGIN) == first
    assert spring.run(*options, "--seed", "2", now=BEGIN) != first


# --- lateness, lead, catch_up ---------------------------------------------------------------------------


def test_ticks_that_come_two_hours_late_miss_what_may_be_one_hour_late(spring: Miniature) -> None:
    late = ("--every", "1d", "--late", "20h")
    told = spring_of(spring, *late)
    assert (told["sent"], told["missed"]) == (0, 3)


def test_with_enough_lead_the_same_ticks_miss_nothing(spring: Miniature) -> None:
    told = spring_of(spring, "--every", "1d", "--late", "20h", "--lead", "18h")
    assert (told["sent"], told["on_time"], told["missed"]) == (3, 3, 0)


def test_the_lead_of_a_channel_counts_without_being_tried(spring: Miniature) -> None:
    spring.channels("gamma", lead="18h")
    told = simulated(spring, "--every", "1d", "--late", "20h")
    assert {each["id"]: each["missed"] for each in told["channels"]} == {"alpha": 1, "beta": 1, "gamma": 0}


@pytest.mark.parametrize("option", ["--catch-up", "--lead", "--hold"])
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_what_is_told_to_be_enough_is_enough_and_a_minute_less_is_not(
    spring: Miniature, option: str, seed: str
) -> None:
    hard = ("--every", "2h", "--late", "0..5h", "--catch-up", "5m", "--seed", seed)
    document = simulated(spring, *hard)
    assert document["not_sent"], "the conditions are to be such that something is missed"
    enough = document["enough"]["to_miss_nothing"][option[2:].replace("-", "_") + "_seconds"]
    assert spring_of(spring, *hard, option, f"{enough}s")["missed"] == 0
    assert spring_of(spring, *hard, option, f"{enough - 60}s")["missed"] > 0


def test_what_is_told_to_be_in_time_is_in_time(spring: Miniature) -> None:
    hard = ("--every", "2h", "--late", "0..5h")
    in_time = simulated(spring, *hard)["enough"]["to_be_in_time"]
    assert spring_of(spring, *hard, "--lead", f"{in_time['lead_seconds']}s")["on_time"] == 3
    assert spring_of(spring, *hard, "--hold", f"{in_time['hold_seconds']}s")["on_time"] == 3


def test_a_hold_sends_to_the_second(spring: Miniature) -> None:
    told = spring_of(spring, "--hold", "15m")
    assert told["lateness_seconds"] == {"median": 0, "p95": 0, "worst": 0}
    assert told["on_time"] == 3


def test_a_shorter_hold_that_would_do_is_told(spring: Miniature) -> None:
    short = simulated(spring)["enough"]["to_be_in_time"]["hold_seconds"]
    assert 0 < short <= 900
    assert simulated(spring, "--hold", "2h")["enough"]["to_be_in_time"]["hold_seconds"] == short


def test_without_a_hold_it_leaves_when_the_next_tick_has_saved_its_intent(spring: Miniature) -> None:
    told = spring_of(spring, "--every", "10m", "--latency", "2s")
    assert 4 <= told["lateness_seconds"]["worst"] < 604


def test_where_every_tick_is_dropped_all_is_missed_and_no_catch_up_helps(spring: Miniature) -> None:
    document = simulated(spring, "--drop", "100%")
    assert of(document, "waves", "spring")["missed"] == 3
    assert document["not_sent"][0]["why"] == "no run started after it was due"
    assert document["enough"]["to_miss_nothing"]["catch_up_seconds"] is None


def test_a_wave_larger_than_the_pace_is_spread_and_its_end_is_missed(spring: Miniature) -> None:
    options = ("--pace", "1/h", "--every", "10m")
    assert spring_of(spring, *options, "--catch-up", "3h")["missed"] == 0
    told = spring_of(spring, *options, "--catch-up", "90m")
    assert (told["sent"], told["missed"]) == (2, 1)


# --- what channels answer -------------------------------------------------------------------------------


def test_what_is_refused_fails_and_halts_the_rest_of_its_wave(spring: Miniature) -> None:
    text = stagger("teaser", "2026-03-01T17:00:00Z", "1h", "alpha", "beta")
    spring.write({"waves/spring.yaml": f"on_failure: halt\n{text}"})
    document = simulated(spring, "--refuse", "100%")
    assert document["not_sent"] == [
        {"schedule_id": "spring/teaser/alpha", "outcome": "failed", "why": "rejected", "runs": 1},
        {
            "schedule_id": "spring/teaser/beta",
            "outcome": "held",
            "why": "paused by halt (spring/teaser/alpha failed)",
            "runs": 1,
        },
    ]


def test_a_rate_limit_costs_time_and_only_without_end_the_publication(spring: Miniature) -> None:
    told = simulated(spring, "--limit", "100%", "--every", "2m")
    assert {each["why"] for each in told["not_sent"]} == {"retries_exhausted"}
    told = spring_of(spring, "--limit", "40%", "--every", "2m")
    assert told["sent"] == 3
    assert told["lateness_seconds"]["worst"] > 60


def test_of_what_is_not_answered_half_has_arrived_and_is_found(spring: Miniature) -> None:
    outcome = spring.json("simulate", "--for", "1d", "--runs", "20", "--unknown", "100%", now=BEGIN)
    told = of(outcome.json, "waves", "spring")
    assert told["sent"] + told["failed"] == 60
    assert 15 < told["sent"] < 45
    assert {each["why"] for each in outcome.json["not_sent"]} == {"unknown_outcome"}


def test_a_channel_that_confirms_by_its_run_is_followed_to_the_end(spring: Miniature) -> None:
    spring.channels("alpha", "beta", "gamma", confirm="run")
    text = stagger("teaser", "2026-03-01T17:00:00Z", "1h", "alpha", "beta", after_success="true")
    spring.write({"waves/spring.yaml": text})
    assert spring_of(spring)["sent"] == 2


# --- what it leaves alone -------------------------------------------------------------------------------


def test_the_repository_is_untouched_and_no_request_leaves(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": one("teaser", "2026-03-01T18:00:00Z", "alpha", "beta", "gamma")})
    live.run("run", now=BEGIN)
    asked, before = len(github.requests), contents(live.root)
    assert spring_of(live, "--hold", "15m", "--unknown", "50%")["sent"] > 0
    assert contents(live.root) == before
    assert len(github.requests) == asked


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_what_was_sent_already_is_not_simulated_again(live: Miniature) -> None:
    live.channels("alpha", lead="6h")
    live.write({"waves/spring.yaml": one("teaser", "2026-03-01T18:00:00Z", "alpha", "beta")})
    live.run("run", now="2026-03-01T12:00:00Z")
    outcome = live.json("simulate", "--for", "1d", "--runs", "1", now="2026-03-01T12:01:00Z")
    assert [each["id"] for each in outcome.json["channels"]] == ["beta"]


def test_neither_tokens_nor_a_running_stop_matter(spring: Miniature) -> None:
    spring.environ.pop("ACME_TOKEN")
    spring.environ["SCHEDULER_PAUSED"] = "1"
    assert spring_of(spring)["sent"] == 3


def test_without_a_record_the_past_is_left_out_as_by_state_init(spring: Miniature) -> None:
    text = stagger("teaser", "2026-02-28T23:00:00Z", "2h", "alpha", "beta")
    spring.write({"waves/spring.yaml": text})
    assert [each["id"] for each in simulated(spring)["channels"]] == ["beta"]


def test_slots_are_filled_as_time_goes_on(mini: Miniature) -> None:
    text = "repository: acme/alpha\nslots: ['*-*-* 09:00']\nlineup: [one, two, three]\n"
    mini.write({"channels/alpha.yaml": text, "scheduler.yaml": "horizon: 1d\n"})
    outcome = mini.json("simulate", "--for", "5d", "--runs", "1", now=BEGIN)
    assert of(outcome.json, "channels", "alpha")["sent"] == 3


# --- trouble --------------------------------------------------------------------------------------------


def test_a_schedule_that_breaks_a_rule_is_told_and_fails(spring: Miniature) -> None:
    spring.write({"waves/twin.yaml": one("other", "2026-03-01T18:00:10Z", "alpha")})
    outcome = spring.run(*DAY, now=BEGIN)
    assert outcome.code == 1
    assert "[min-gap]" in outcome.out
    assert re.search(
        r"spring/teaser/alpha +failed in 1 of 1 run: .* requires at least 1m \[min-gap\]", outcome.out
    )


def test_where_nothing_is_to_be_published_that_is_said(spring: Miniature) -> None:
    outcome = spring.run("simulate", "--to", "2026-03-01T12:00:00Z", now=BEGIN)
    assert outcome.out.endswith("Nothing is published in this period.\n")


def test_a_broken_settings_file_stops_it(spring: Miniature) -> None:
    spring.write({"scheduler.yaml": "pace: fast\n"})
    outcome = spring.run(*DAY, now=BEGIN)
    assert outcome.code == 1
    assert "'fast' is not a pace" in outcome.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--late", "soon"), "'soon' is not a duration"),
        (("--late", "5m..1m"), "'5m..1m' is not a range of durations"),
        (("--drop", "30"), "write a percentage such as 30%"),
        (("--drop", "101%"), "write a percentage such as 30%"),
        (("--pace", "30"), "'30' is not a pace"),
        (("--every", "0s"), "--every must be at least 1s"),
        (
            ("--refuse", "60%", "--limit", "60%"),
            "--refuse, --limit and --unknown must not exceed 100% together",
        ),
        (("--to", "2926-04-01"), "the span must not be longer than a year"),
        (("--to", "2026-02-01"), "the span would end at 2026-02-01T00:00:00Z, not after its start"),
        (("--to", "2026-04-01", "--for", "1d"), "--for and --to cannot be combined"),
    ],
)
def test_wrong_usage_is_told(spring: Miniature, options: tuple[str, ...], words: str) -> None:
    outcome = spring.run("simulate", *options, now=BEGIN)
    assert outcome.code == 2
    assert words in outcome.err


# --- the parts ------------------------------------------------------------------------------------------


def test_a_spread_has_half_of_its_durations_below_the_middle() -> None:
    assert read_spread("0..20m") == Spread(0, 600, 1200)
    assert read_spread("github") == GITHUB == read_spread("0s..286m..732m")
    assert [GITHUB.at(share) / 60 for share in (0, 0.25, 0.5, 0.75, 1)] == [0, 143, 286, 509, 732]
    assert read_spread("90s").at(0.7) == 90
    with pytest.raises(TimeError):
        read_spread("1m..2m..3m..4m")


def test_ticks_do_not_overtake_each_other_and_github_s_then_come_as_seldom_as_was_seen() -> None:
    """Late as one project saw them, ticks come as far apart as another one did: 20 to 190 minutes."""
    start = read_utc(BEGIN)
    conditions = Conditions(every=read_spread("5m"), late=GITHUB)
    arrivals = ticks(conditions, 1, start, start + 30 * 86_400, start + 30 * 86_400).arrivals
    assert arrivals == sorted(set(arrivals))
    gaps = sorted(after - before for before, after in itertools.pairwise(arrivals))
    assert 20 * 60 < gaps[len(gaps) // 2] < 190 * 60


def test_dropping_more_ticks_changes_nothing_for_the_others() -> None:
    start = read_utc(BEGIN)
    some, fewer = (
        ticks(Conditions(every=read_spread("15m..20m"), drop=drop), 1, start, start + 86_400, start + 86_400)
        for drop in (0.2, 0.6)
    )
    assert set(fewer.arrivals) < set(some.arrivals)
    assert some.dropped < fewer.dropped < fewer.wanted == some.wanted


def stage_of(*waves: str, channels: int = 4) -> Stage:
    files = [
        Source("channel", f"channels/c{n}.yaml", f"repository: acme/c{n}\ntoken: T\n".encode())
        for n in range(channels)
    ]
    files += [Source("wave", f"waves/w{n}.yaml", text.encode()) for n, text in enumerate(waves)]
    return Stage(
        sources=files,
        state=State(version=2, lineage="simulated", serial=1),
        archive={},
        surroundings=Surroundings(tokens=frozenset({"T"})),
        start=read_utc(BEGIN),
        end=read_utc(BEGIN) + 2 * 86_400,
    )


@settings(max_examples=25)
@example(
    seed=1341, hold=7200, late="0s", faults=0.1
)  # due within the hold once the state is loaded, not before
@given(
    seed=st.integers(1, 10_000),
    hold=st.sampled_from([0, 900, 7200]),
    late=st.sampled_from(["0s", "0..40m", "github"]),
    faults=st.sampled_from([0.0, 0.1]),
)
def test_leaving_out_ticks_that_find_nothing_changes_nothing(
    seed: int, hold: int, late: str, faults: float
) -> None:
    stage = stage_of(
        stagger("one", "2026-03-01T05:00:00Z", "3h", "c0", "c1", "c2", after_success="true"),
        f"on_failure: halt\n{stagger('two', '2026-03-02T05:00:00Z', '20m', 'c0', 'c1', 'c2', 'c3')}",
    )
    conditions = Conditions(
        every=read_spread("15m"), late=read_spread(late), hold=hold, latency=read_spread("0..2s"),
        refuse=faults, limit=faults, unknown=faults, seed=seed,
    )  # fmt: skip
    assert replay(stage, conditions) == replay(stage, conditions, skip_idle=False)


def test_what_is_foretold_is_what_runs_at_those_times_do(live: Miniature) -> None:
    """The same ticks once more, with real runs, a real record and a real server."""
    members = entry("one", "2026-03-01T05:00:00Z", "alpha", "beta", "gamma", kind="staggered", delay="50m")
    live.write({"waves/w0.yaml": wave(members, catch_up="30m")})
    files = [
        Source(
            "channel" if path.parent.name == "channels" else "wave",
            f"{path.parent.name}/{path.name}",
            path.read_bytes(),
        )
        for path in sorted(live.root.glob("*/*.yaml"))
    ]
    stage = msgspec.structs.replace(
        stage_of(), sources=files, surroundings=Surroundings(tokens=frozenset({"ACME_TOKEN"}))
    )
    history = replay(stage, Conditions(every=read_spread("30m..80m"), seed=4))
    assert {fate.kind for fate in history.fates} == {"sent", "missed"}
    for start in history.starts:
        live.run("run", now=instant_text(start))
    for fate in history.fates:
        record = live.records[fate.schedule_id]
        assert record["status"] == ("completed" if fate.kind == "sent" else "failed")
        assert record["reason"] == (None if fate.kind == "sent" else "missed")
        assert record["lateness_seconds"] == fate.lateness
