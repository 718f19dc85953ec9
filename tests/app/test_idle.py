"""The tick that finds nothing to do: short cut or not, the same outcome; and next to no imports."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine
from git_repository import commit_all, git
from github_stand_in import GitHub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniature import TOKEN, Miniature, Outcome
from sealed import changed

from scheduler.app import idle
from scheduler.times import instant_text, read_utc

BEGIN = read_utc("2026-02-20T12:00:00Z")
DAY = 86_400


def short_cut(mini: Miniature, *command: str) -> str | None:
    """What the short cut answers, None where it leaves the answer to the long way."""
    return idle.answer(["-C", str(mini.root), *(command or ("run",))], mini.environ)


def long_way(mini: Miniature, *command: str) -> Outcome:
    return mini.run(*(command or ("run",)))


def wave(top: str = "", at: str = "2026-03-01T18:00:00Z") -> str:
    entry = f"{{ type: simultaneous, video: teaser, at: {at}, channels: [alpha, beta] }}"
    return f"{top}\nschedules:\n  - {entry}\n"


# --- the same outcome -----------------------------------------------------------------------------

Edit = Callable[[Miniature], Any]
WAVES = [
    wave(),
    wave("# a remark"),
    wave("cancelled: true"),
    wave("paused: true"),
    wave("paused: { until: 2026-02-28T12:00:00Z }"),
    wave("paused: { until: 2026-03-01T18:30:00Z }"),
    wave("on_failure: halt"),
    wave("catch_up: 1m"),
    wave(at="2026-02-20T12:00:30Z"),
    wave(at="2026-03-01T19:00:00Z"),
    "schedules: [\n",
]
SETTINGS = [
    "catch_up: 2h\n",
    "allow: [acme/*]\n",
    "allow: [other/*]\n",
    "freezes: [{ from: 2026-02-25T00:00:00Z, until: 2026-03-01T18:10:00Z }]\n",
    "horizon: 2d\n",
    "catch_up: soon\n",
]
CHANNELS = [
    "repository: acme/beta\ntoken: ACME_TOKEN\n",
    "repository: acme/beta\ntoken: ACME_TOKEN\npaused: { until: 2026-02-21T00:00:00Z }\n",
    "repository: acme/beta\ntoken: ACME_TOKEN\nlead: 2d\n",
    "repository: acme/beta\ntoken: ACME_TOKEN\nslots: [daily 09:00]\nlineup: [one, two, three]\n",
    "repository: acme/beta\ntoken: ACME_TOKEN\nschedules: [{ at: 2026-02-22T09:00:00Z }]\n",
    "repository: acme/beta\n",
    "repository: acme/beta\ntoken: ACME_TOKEN\nactive: false\n",
]
ENVIRONMENTS: list[dict[str, str | None]] = [
    {"ACME_TOKEN": None},
    {"ACME_TOKEN": TOKEN},
    {"SCHEDULER_PAUSED": "1"},
    {"SCHEDULER_PAUSED": None},
    {"SCHEDULER_ALLOW": "other/*"},
    {"SCHEDULER_ALLOW": None},
    {"GITHUB_TOKEN": TOKEN},
    {"GITHUB_ACTIONS": "true"},
    {"GITHUB_ACTIONS": None},
]
STEPS = (0, 1, 70, 600, 3600, DAY, 4 * DAY, 100 * DAY)


def change_environment(change: dict[str, str | None]) -> Edit:
    def apply(mini: Miniature) -> None:
        for name, value in change.items():
            if value is None:
                mini.environ.pop(name, None)
            else:
                mini.environ[name] = value

    return apply


def write(name: str, text: str) -> Edit:
    return lambda mini: mini.write({name: text})


def remove(name: str) -> Edit:
    return lambda mini: (mini.root / name).unlink(missing_ok=True)


edits: st.SearchStrategy[Edit] = st.one_of(
    st.sampled_from([write("waves/spring.yaml", text) for text in WAVES]),
    st.sampled_from([write("scheduler.yaml", text) for text in SETTINGS]),
    st.sampled_from([write("channels/beta.yaml", text) for text in CHANNELS]),
    st.sampled_from([change_environment(change) for change in ENVIRONMENTS]),
    st.sampled_from([remove("waves/spring.yaml"), remove("scheduler.yaml")]),
    st.just(lambda mini: None),
)


def one_tick(mini: Miniature, github: GitHub) -> None:
    """Where the short cut says that there is nothing to do, the long way must find just that."""
    words = short_cut(mini)
    state, asked = (mini.root / "state.json").read_bytes(), len(github.requests)
    outcome = long_way(mini)
    if words is not None:
        assert (outcome.code, outcome.out, outcome.err) == (0, words, "")
        assert (mini.root / "state.json").read_bytes() == state
        assert len(github.requests) == asked


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(edits, st.sampled_from(STEPS)), min_size=3, max_size=9))
def test_with_the_short_cut_or_without_the_outcome_is_the_same(life: list[tuple[Edit, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, GitHub() as github:
        for name in ("alpha", "beta"):
            github.repository(f"acme/{name}")
        mini = Miniature(Path(folder)).channels("alpha", "beta")
        mini.environ["GITHUB_API_URL"] = github.url
        now = BEGIN
        with time_machine.travel(now, tick=True):
            mini.write({"waves/spring.yaml": wave()}).run("state", "init")
        for edit, seconds in life:
            edit(mini)
            for moment in (now, now + seconds):
                with time_machine.travel(moment, tick=True):
                    one_tick(mini, github)
            now += seconds


# --- when it is taken -----------------------------------------------------------------------------


@pytest.fixture
def quiet(live: Miniature) -> Miniature:
    """A repository with a wave to come, in which two ticks found nothing more to do."""
    live.write({"waves/spring.yaml": wave()})
    with time_machine.travel(BEGIN, tick=True):
        live.run("run")
        live.run("run")
    return live


def test_the_second_tick_without_a_change_is_short(quiet: Miniature) -> None:
    with time_machine.travel(BEGIN + 60, tick=True):
        assert short_cut(quiet) == long_way(quiet).out == "Nothing to do.\n"
        as_json = ("run", "--format", "json")
        assert short_cut(quiet, *as_json) == long_way(quiet, *as_json).out


def test_it_lasts_until_time_alone_can_change_something(quiet: Miniature) -> None:
    a_day_ahead = read_utc("2026-02-28T18:00:00Z")  # from then on the channels are asked
    assert quiet.state["idle"]["until"] == instant_text(a_day_ahead)
    for moment, is_short in ((a_day_ahead - 2, True), (a_day_ahead, False)):
        with time_machine.travel(moment, tick=False):
            assert (short_cut(quiet) is not None) is is_short


@pytest.mark.parametrize(
    "change",
    [
        write("waves/spring.yaml", wave("# a remark")),
        write("waves/another.yaml", wave()),
        write("channels/alpha.yaml", "repository: acme/other\n"),
        write("scheduler.yaml", "catch_up: 2h\n"),
        change_environment({"ACME_TOKEN": None}),
        change_environment({"SCHEDULER_PAUSED": "1"}),
        change_environment({"SCHEDULER_ALLOW": "other/*"}),
        change_environment({"GITHUB_API_URL": "https://example.org"}),
        change_environment({"GITHUB_ACTIONS": "true"}),
        remove("state.json"),
        write("archive/2026-01.json", "{}"),
    ],
)
def test_any_change_of_what_decides_takes_the_long_way(quiet: Miniature, change: Edit) -> None:
    change(quiet)
    with time_machine.travel(BEGIN + 60, tick=True):
        assert short_cut(quiet) is None


def test_a_default_token_that_is_set_meanwhile_takes_the_long_way_once(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave(), "channels/beta.yaml": "repository: acme/beta\n"})
    with time_machine.travel(BEGIN, tick=True):
        for name in ("ACME_TOKEN", "GITHUB_TOKEN", "SCHEDULER_TOKEN"):
            live.environ[name] = TOKEN
            long_way(live)
            long_way(live)
            assert short_cut(live) is not None
            del live.environ[name]
            assert short_cut(live) is None


def test_a_state_that_was_touched_takes_the_long_way_at_every_byte(quiet: Miniature) -> None:
    path = quiet.root / "state.json"
    whole = path.read_bytes()
    with time_machine.travel(BEGIN + 60, tick=True):
        for place in range(0, len(whole), 7):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert short_cut(quiet) is None, place
        path.write_bytes(whole)
        assert short_cut(quiet) is not None


def test_a_state_of_a_newer_version_takes_the_long_way(quiet: Miniature) -> None:
    path = quiet.root / "state.json"
    path.write_bytes(changed(path.read_bytes(), (b'{"version": 2', b'{"version": 3')))
    with time_machine.travel(BEGIN + 60, tick=True):
        assert short_cut(quiet) is None
        refused = long_way(quiet)
        assert (refused.code, "was written by a newer version" in refused.err) == (3, True)


def test_another_commit_takes_the_long_way_once(live: Miniature) -> None:
    git(live.root, "init", "-q", "-b", "main")
    live.write({"waves/spring.yaml": wave()})
    commit_all(live.root, "Announce spring")
    with time_machine.travel(BEGIN, tick=True):
        for _ in range(2):
            live.run("run")
        assert short_cut(live) is not None
        commit_all(live.root, "Say something else")
        assert short_cut(live) is None
        live.run("run")
        assert short_cut(live) is not None


@pytest.mark.parametrize(
    "words", [["run", "--dry-run"], ["run", "--hold", "1m"], ["plan"], ["run", "--force"], []]
)
def test_every_other_command_takes_the_long_way(quiet: Miniature, words: list[str]) -> None:
    with time_machine.travel(BEGIN + 60, tick=True):
        assert idle.answer(["-C", str(quiet.root), *words], quiet.environ) is None


def test_a_run_that_ended_red_leaves_no_mark(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave(), "waves/broken.yaml": "schedules: [\n"})
    with time_machine.travel(BEGIN, tick=True):
        assert [live.run("run").code for _ in range(3)] == [1, 1, 1]
        assert short_cut(live) is None


# --- what it costs --------------------------------------------------------------------------------

HEAVY = {
    "yaml", "pydantic", "pydantic_core", "msgspec", "click", "github", "h11", "jsonschema", "ssl", "socket",
    "urllib", "http", "email", "subprocess", "asyncio", "logging", "pathlib", "dataclasses", "zoneinfo",
    "inspect", "ast", "sqlite3",
}  # fmt: skip


def test_an_idle_tick_imports_next_to_nothing(live: Miniature) -> None:
    live.write({"waves/spring.yaml": wave(at="2998-03-01T18:00:00Z")})
    for _ in range(2):
        live.run("run")
    ticked = subprocess.run(
        [sys.executable, "-S", "-X", "importtime", "-m", "scheduler", "-C", str(live.root), "run"],
        env=live.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ticked.stdout == "Nothing to do.\n"
    imported = {line.rpartition("|")[2].strip() for line in ticked.stderr.splitlines()}
    assert "scheduler.app.idle" in imported
    # From 3.14 on, making a NamedTuple takes annotationlib, and with it ast: two thirds of a millisecond.
    heavy = HEAVY - {"ast"} if sys.version_info >= (3, 14) else HEAVY
    assert {name.partition(".")[0] for name in imported} & heavy == set()
    assert {name for name in imported if name.startswith("scheduler.")} <= {
        "scheduler.app", "scheduler.app.idle", "scheduler.checkout", "scheduler.checkout.reading",
        "scheduler.checkout.source", "scheduler.errors", "scheduler.state", "scheduler.state.header",
        "scheduler.times", "scheduler.wording", "scheduler.reporting", "scheduler.reporting.nothing_to_do",
    }  # fmt: skip
