"""Runs that stay: `--hold` sends to the second, `--watch` keeps reconciling, and both obey what changed.

Time is simulated, so that nobody waits; the files, the store, git and the server are real. The last tests
start true processes on the true clock.
"""

from __future__ import annotations

import json
import math
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from git_repository import commit_all, git
from github_stand_in import GitHub
from miniature import TOKEN, Miniature
from simulated_time import Stage

from scheduler.delivery import LAST_SAVES, RACES, Runner
from scheduler.delivery.hold_and_watch import hold, watch
from scheduler.errors import Error, LostRace, StateError, StateMissing
from scheduler.state.record import Record, State
from scheduler.state.stores import Snapshot
from scheduler.state.stores.file import FileStore
from scheduler.times import instant_text, read_utc

BEGIN = "2026-03-01T17:55:00Z"
DUE = "2026-03-01T18:00:00Z"
ALPHA = "spring/teaser/alpha"


def wave(*channels: str, at: str = DUE, top: str = "") -> str:
    entry = f"{{ type: simultaneous, video: teaser, at: {at}, channels: [{', '.join(channels)}] }}"
    return f"{top}\nschedules:\n  - {entry}\n"


@pytest.fixture
def stage(live: Miniature, github: GitHub) -> Iterator[Stage]:
    """Alpha is due at 18:00, and a run begins at 17:55."""
    live.write({"waves/spring.yaml": wave("alpha")})
    with Stage(live, github, BEGIN) as stage:
        yield stage


# --- to the second --------------------------------------------------------------------------------


def test_hold_sends_what_falls_due_within_it_at_its_instant(stage: Stage) -> None:
    stagger = """
        schedules:
          - type: staggered
            video: teaser
            at: 2026-03-01T18:00:00Z
            delay: 90s
            channels: [gamma, alpha, beta]
        """
    stage.mini.write({"waves/spring.yaml": stagger})
    report = hold(stage.runner(), 600, quiet)
    assert stage.arrivals == [
        ("2026-03-01T18:00:00Z", "spring/teaser/gamma"),
        ("2026-03-01T18:01:30Z", "spring/teaser/alpha"),
        ("2026-03-01T18:03:00Z", "spring/teaser/beta"),
    ]
    assert not report.is_red
    assert {record["lateness_seconds"] for record in stage.mini.records.values()} == {0}


def test_hold_saves_the_intent_before_the_instant_and_sends_at_it(stage: Stage) -> None:
    seen: list[tuple[str, int]] = []

    def look() -> None:
        seen.append((stage.mini.statuses[ALPHA], len(stage.github.dispatches)))

    stage.clock.at("2026-03-01T17:59:58Z", look)
    stage.clock.at("2026-03-01T17:59:59Z", look, plus=0.5)
    hold(stage.runner(), 600, quiet)
    assert seen == [("scheduled", 0), ("executing", 0)]
    assert stage.arrivals == [(DUE, ALPHA)]


def test_what_falls_due_after_the_hold_is_not_waited_for(stage: Stage) -> None:
    hold(stage.runner(), 299, quiet)
    assert (stage.now, stage.github.dispatches) == (BEGIN, [])
    hold(stage.runner(), 300, quiet)
    assert (stage.now, stage.arrivals) == (DUE, [(DUE, ALPHA)])


def test_hold_catches_up_first_on_what_is_due_already(stage: Stage) -> None:
    stage.mini.write({"waves/late.yaml": wave("beta", at="2026-03-01T17:50:00Z")})
    hold(stage.runner(), 600, quiet)
    assert stage.arrivals == [(BEGIN, "late/teaser/beta"), (DUE, ALPHA)]


def test_a_pause_that_ends_within_the_hold_ends_to_the_second(stage: Stage) -> None:
    stage.mini.write({"waves/spring.yaml": wave("alpha", top="paused: {until: 2026-03-01T18:02:00Z}")})
    hold(stage.runner(), 600, quiet)
    assert stage.arrivals == [("2026-03-01T18:02:00Z", ALPHA)]


# --- what changes meanwhile -----------------------------------------------------------------------


@pytest.mark.parametrize("top", ["cancelled: true", "paused: true", "wave is: gone"])
def test_a_cancel_a_pause_or_a_removal_during_the_hold_is_obeyed(stage: Stage, top: str) -> None:
    def edit() -> None:
        if top.startswith("wave"):
            stage.mini.remove("waves/spring.yaml")
        else:
            stage.mini.write({"waves/spring.yaml": wave("alpha", top=top)})

    stage.clock.at("2026-03-01T17:59:00Z", edit)
    hold(stage.runner(), 600, quiet)
    assert stage.github.dispatches == []
    assert stage.mini.statuses[ALPHA].split()[0] in ("cancelled", "scheduled")


def test_a_move_during_the_hold_is_obeyed(stage: Stage) -> None:
    moved = {"waves/spring.yaml": wave("alpha", at="2026-03-01T18:01:00Z")}
    stage.clock.at("2026-03-01T17:59:00Z", lambda: stage.mini.write(moved))
    hold(stage.runner(), 600, quiet)
    assert stage.arrivals == [("2026-03-01T18:01:00Z", ALPHA)]


@pytest.mark.parametrize(
    "before",
    [
        None,
        wave("beta", at="2026-03-01T19:30:00Z"),
        wave("beta", at="2026-03-01T17:57:00Z", top="paused: true"),
    ],
    ids=["new", "moved ahead", "resumed"],
)
def test_what_becomes_due_sooner_while_a_hold_waits_is_sent_in_its_time(
    stage: Stage, before: str | None
) -> None:
    if before is not None:
        stage.mini.write({"waves/sooner.yaml": before})
    sooner = {"waves/sooner.yaml": wave("beta", at="2026-03-01T17:57:00Z")}
    stage.clock.at("2026-03-01T17:56:31Z", lambda: stage.mini.write(sooner))
    hold(stage.runner(), 600, quiet)
    assert stage.arrivals == [("2026-03-01T17:57:00Z", "sooner/teaser/beta"), (DUE, ALPHA)]


def test_a_retry_while_a_hold_waits_is_sent_within_seconds(stage: Stage) -> None:
    stage.mini.write({"waves/late.yaml": wave("beta", at="2026-03-01T16:00:00Z")})
    stage.mini.run("run", now="2026-03-01T15:00:00Z")
    retried = lambda: stage.mini.run("retry", "late/teaser/beta", now=stage.now)  # noqa: E731
    stage.clock.at("2026-03-01T17:56:31Z", retried)
    hold(stage.runner(), 600, quiet)
    (when, who), other = stage.arrivals
    assert (who, other) == ("late/teaser/beta", (DUE, ALPHA))
    assert "2026-03-01T17:56:31Z" <= when <= "2026-03-01T17:56:43Z"


def test_what_falls_due_never_waits_for_a_remote_that_does_not_answer(stage: Stage) -> None:
    ports, over = stage.ports(), threading.Event()
    ports.tip = over.wait
    ports.beside = lambda work: threading.Thread(target=work, daemon=True).start()
    hold(Runner(ports), 600, quiet)
    over.set()
    assert stage.arrivals == [(DUE, ALPHA)]


def test_a_hold_outlives_a_state_that_cannot_be_read_for_a_while(stage: Stage) -> None:
    stage.mini.write({"waves/later.yaml": wave("beta", at="2026-03-01T18:02:00Z")})
    state = stage.mini.root / "state.json"
    kept: list[bytes] = []
    complaints: list[str] = []

    def damage() -> None:
        kept.append(state.read_bytes())
        state.write_bytes(b"<<<<<<< HEAD\n")

    stage.clock.at("2026-03-01T17:57:00Z", damage)
    stage.clock.at("2026-03-01T18:00:30Z", lambda: state.write_bytes(kept[0]))
    hold(stage.runner(), 600, lambda problem: complaints.append(str(problem)))
    assert len(complaints) == 1
    assert "contains a merge conflict marker" in complaints[0]
    (when, who), other = stage.arrivals
    assert (who, DUE < when <= "2026-03-01T18:00:33Z") == (ALPHA, True)
    assert other == ("2026-03-01T18:02:00Z", "later/teaser/beta")


def test_a_hold_outlives_a_remote_that_is_away_at_its_beginning(on_actions: Stage) -> None:
    stage, complaints = on_actions, []
    origin = stage.mini.root / "origin.git"
    origin.rename(origin.with_name("away"))
    stage.clock.at("2026-03-01T17:56:00Z", lambda: origin.with_name("away").rename(origin))
    hold(stage.runner(), 600, lambda problem: complaints.append(problem.message))
    assert stage.arrivals == [(DUE, ALPHA)]
    assert len(complaints) == 1
    assert "branch scheduler-state of origin cannot be read" in complaints[0]


def test_trouble_that_lasts_to_the_end_of_a_hold_is_raised(stage: Stage) -> None:
    state = stage.mini.root / "state.json"
    stage.clock.at("2026-03-01T17:57:00Z", lambda: state.write_bytes(b"{"))
    with pytest.raises(StateError):
        hold(stage.runner(), 600, lambda problem: None)
    assert (stage.github.dispatches, stage.now >= "2026-03-01T18:05:00Z") == ([], True)


def test_a_token_that_is_rotated_during_the_hold_is_read_again(stage: Stage, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("expires-soon")
    del stage.mini.environ["ACME_TOKEN"]
    stage.mini.environ["ACME_TOKEN_FILE"] = str(secret)
    stage.github.tokens = {"expires-soon"}

    def rotate() -> None:
        stage.github.tokens = {TOKEN}
        secret.write_text(TOKEN)

    stage.clock.at("2026-03-01T17:59:00Z", rotate)
    hold(stage.runner(), 600, quiet)
    assert [dispatch.token for dispatch in stage.github.dispatches] == [TOKEN]


def test_asked_to_end_during_the_hold_it_ends_and_sends_nothing_early(stage: Stage) -> None:
    stage.clock.at("2026-03-01T17:57:00Z", stage.clock.end)
    hold(stage.runner(), 600, quiet)
    assert (stage.now, stage.github.dispatches) == ("2026-03-01T17:57:00Z", [])


def test_asked_to_end_between_intent_and_instant_it_takes_the_intent_back(stage: Stage) -> None:
    stage.clock.at("2026-03-01T17:59:59Z", stage.clock.end, plus=0.5)
    report = hold(stage.runner(), 600, quiet)
    record = stage.mini.records[ALPHA]
    assert (record["status"], record["attempts"], stage.github.dispatches) == ("pending", 0, [])
    assert "asked to end" in record["history"][-1]["why"]
    assert not report.is_red
    assert stage.mini.json("run", now=DUE).results == {ALPHA: "completed"}


def test_held_up_for_too_long_after_the_intent_nothing_is_sent(stage: Stage) -> None:
    def suspended() -> None:
        stage.clock._moment += 3700

    stage.clock.at("2026-03-01T17:59:59Z", suspended, plus=0.5)
    hold(stage.runner(), 600, quiet)
    record = stage.mini.records[ALPHA]
    assert (record["attempts"], stage.github.dispatches) == (0, [])
    assert record["status"] in ("pending", "failed")


def test_held_up_once_it_is_decided_again_and_the_order_is_kept(stage: Stage) -> None:
    entry = f"{{ type: staggered, video: teaser, at: {DUE}, delay: 2m, channels: [alpha, beta] }}"
    stage.mini.write({"waves/spring.yaml": f"schedules:\n  - {entry}\n"})

    def suspended() -> None:
        stage.clock._moment += 180

    stage.clock.at("2026-03-01T17:59:59Z", suspended, plus=0.5)
    hold(stage.runner(), 600, quiet)
    assert [sent for _, sent in stage.arrivals] == [ALPHA, "spring/teaser/beta"]
    assert stage.mini.records[ALPHA]["attempts"] == 1


def test_a_machine_that_slept_was_held_up_though_its_monotonic_clock_stood_still(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = [0.0]
    monkeypatch.setattr(stage.clock, "monotonic", lambda: stage.clock.moment() - slept[0])

    def suspended() -> None:
        stage.clock._moment += 900
        slept[0] += 900

    stage.clock.at("2026-03-01T17:59:59Z", suspended, plus=0.5)
    hold(stage.runner(), 600, quiet)
    assert "held up" in "".join(event["why"] for event in stage.mini.records[ALPHA]["history"])


# --- a clock that is set while a run waits --------------------------------------------------------


def compared(stage: Stage) -> Runner:
    """A run whose clock is compared with the server's, which has the true time."""
    ports = stage.ports()
    ports.compares_clocks = True
    return Runner(ports)


@pytest.mark.parametrize("by", [3600, -3600, 5, -5, 10 * 365 * 86_400])
@pytest.mark.parametrize("when", ["2026-03-01T17:57:00Z", "2026-03-01T17:59:59Z"])
@pytest.mark.parametrize("stays", ["hold", "watch"])
def test_a_clock_that_is_set_wrong_while_a_run_waits_sends_nothing_at_a_wrong_time(
    stage: Stage, by: int, when: str, stays: str
) -> None:
    later = {"waves/later.yaml": wave("beta", at="2026-03-01T18:50:00Z")}
    stage.mini.write(later)
    stage.clock.at(when, lambda: stage.clock.set(by), plus=0.5)
    report = hold(compared(stage), 600, quiet) if stays == "hold" else watch(compared(stage), 600, quiet)
    assert stage.arrivals == [(DUE, ALPHA)]
    assert stage.mini.statuses["later/teaser/beta"] == "scheduled"
    assert [(fault.code, fault.is_error) for fault in report.diagnostics] == [("clock", False)]
    assert "the server's clock says otherwise" in report.diagnostics[0].message


@pytest.mark.parametrize("wrong", [90, -90])
def test_a_clock_that_is_set_right_while_a_run_waits_is_followed(stage: Stage, wrong: int) -> None:
    stage.clock.set(wrong)
    stage.clock.at("2026-03-01T17:57:00Z", lambda: stage.clock.set(-wrong))
    report = hold(compared(stage), 900, quiet)
    assert (stage.arrivals, list(report.diagnostics)) == ([(DUE, ALPHA)], [])


def test_while_no_server_says_which_time_is_right_nothing_is_saved_or_sent(stage: Stage) -> None:
    runner = compared(stage)
    asked, answer = [0], runner.ports.server_time

    def silent(channels: Any) -> int | None:
        asked[0] += 1
        return answer(channels) if stage.clock.monotonic() > read_utc("2026-03-01T18:00:20Z") else None

    runner.ports.server_time = silent
    stage.clock.at("2026-03-01T17:57:00Z", lambda: stage.clock.set(3600))
    stage.clock.at("2026-03-01T18:00:15Z", lambda: seen.append(stage.mini.statuses[ALPHA]))
    seen: list[str] = []
    hold(runner, 600, quiet)
    ((when, who),) = stage.arrivals
    assert (who, seen, DUE < when < "2026-03-01T18:00:26Z") == (ALPHA, ["scheduled"], True)
    assert asked[0] > 2


# --- watch ----------------------------------------------------------------------------------------


def quiet(problem: Error) -> None:
    raise AssertionError(f"there was nothing to complain about: {problem}")


def test_watch_keeps_reconciling_for_its_duration(stage: Stage) -> None:
    later = {"waves/new.yaml": wave("beta", at="2026-03-01T18:03:07Z")}
    stage.clock.at("2026-03-01T18:01:00Z", lambda: stage.mini.write(later))
    report = watch(stage.runner(), 600, quiet)
    assert stage.arrivals == [(DUE, ALPHA), ("2026-03-01T18:03:07Z", "new/teaser/beta")]
    assert stage.now == "2026-03-01T18:05:00Z"
    assert not report.is_red


def test_watch_ends_when_it_is_asked_to(stage: Stage) -> None:
    stage.clock.at("2026-03-01T18:01:00Z", stage.clock.end)
    watch(stage.runner(), None, quiet)
    assert stage.now == "2026-03-01T18:01:00Z"


def test_watch_outlives_a_store_that_cannot_be_read_for_a_while(stage: Stage) -> None:
    state = stage.mini.root / "state.json"
    kept: list[bytes] = []
    complaints: list[str] = []

    def damage() -> None:
        kept.append(state.read_bytes())
        state.write_bytes(b"<<<<<<< HEAD\n")

    stage.clock.at("2026-03-01T17:57:00Z", damage)
    stage.clock.at("2026-03-01T18:00:30Z", lambda: state.write_bytes(kept[0]))
    watch(stage.runner(), 600, lambda problem: complaints.append(str(problem)))
    assert len(complaints) == 1
    assert "contains a merge conflict marker" in complaints[0]
    ((when, who),) = stage.arrivals
    assert (who, DUE < when <= "2026-03-01T18:00:40Z") == (ALPHA, True)


def test_trouble_that_lasts_to_the_end_of_a_watch_is_raised(stage: Stage) -> None:
    state = stage.mini.root / "state.json"
    stage.clock.at("2026-03-01T17:57:00Z", lambda: state.write_bytes(b"{"))
    with pytest.raises(StateError):
        watch(stage.runner(), 600, lambda problem: None)
    assert stage.github.dispatches == []


def test_a_state_that_is_lost_ends_the_watch(stage: Stage) -> None:
    stage.clock.at("2026-03-01T17:57:00Z", (stage.mini.root / "state.json").unlink)
    with pytest.raises(StateMissing):
        watch(stage.runner(), 600, quiet)
    assert stage.github.dispatches == []


def test_a_settings_file_that_breaks_stops_a_watch_from_sending_until_it_is_repaired(stage: Stage) -> None:
    stage.clock.at("2026-03-01T17:58:00Z", lambda: stage.mini.write({"scheduler.yaml": "pace: soon\n"}))
    stage.clock.at("2026-03-01T18:02:00Z", lambda: stage.mini.remove("scheduler.yaml"))
    report = watch(stage.runner(), 600, quiet)
    ((when, _),) = stage.arrivals
    assert "2026-03-01T18:02:00Z" <= when <= "2026-03-01T18:02:20Z"
    assert not report.is_red


# --- the remote tip -------------------------------------------------------------------------------


@pytest.fixture
def on_actions(live: Miniature, github: GitHub) -> Iterator[Stage]:
    """A job of GitHub Actions: a clone with the state on a branch; `editor/` is somebody else's clone."""
    live.write({"waves/spring.yaml": wave("alpha"), "scheduler.yaml": "state: branch:scheduler-state\n"})
    git(live.root, "init", "-q", "-b", "main")
    git(live.root, "add", "waves", "channels", "scheduler.yaml")
    git(live.root, "commit", "-q", "-m", "Announce spring")
    git(live.root, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(live.root, "remote", "add", "origin", str(live.root / "origin.git"))
    git(live.root, "push", "-q", "origin", "main")
    git(live.root, "clone", "-q", "origin.git", "editor")
    live.run("state", "init", now="2026-01-01T00:00:00Z")
    live.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"}
    with Stage(live, github, BEGIN) as stage:
        yield stage


def merge(stage: Stage, text: str) -> str:
    editor = stage.mini.root / "editor"
    (editor / "waves/spring.yaml").write_text(text)
    commit = commit_all(editor, "Change spring")
    git(editor, "push", "-q", "origin", "main")
    return commit


def test_on_actions_a_cancel_merged_a_minute_before_is_obeyed(on_actions: Stage) -> None:
    head = git(on_actions.mini.root, "rev-parse", "HEAD")
    stage, commits = on_actions, []
    stage.clock.at(
        "2026-03-01T17:59:00Z", lambda: commits.append(merge(stage, wave("alpha", top="cancelled: true")))
    )
    report = hold(stage.runner(), 600, quiet)
    assert (stage.github.dispatches, list(report.diagnostics)) == ([], [])
    recorded = stage.repository.store(stage.repository.settings()).load().state  # type: ignore[arg-type]
    assert recorded.schedules[ALPHA].status == "cancelled"
    assert recorded.declared is not None
    assert recorded.declared.commit == commits[0]
    assert git(stage.mini.root, "rev-parse", "HEAD") == head  # the work tree stays as it is
    assert "cancelled" not in (stage.mini.root / "waves/spring.yaml").read_text()
    assert git(stage.mini.root, "status", "--porcelain", "waves") == ""


def test_on_actions_a_move_merged_a_minute_before_is_obeyed(on_actions: Stage) -> None:
    stage = on_actions
    moved = wave("alpha", "beta", at="2026-03-01T18:01:00Z")
    stage.clock.at("2026-03-01T17:59:00Z", lambda: merge(stage, moved))
    hold(stage.runner(), 600, quiet)
    assert stage.arrivals == [
        ("2026-03-01T18:01:00Z", ALPHA),
        ("2026-03-01T18:01:00Z", "spring/teaser/beta"),
    ]


def test_on_actions_what_is_merged_while_a_hold_waits_and_due_sooner_is_sent_in_its_time(
    on_actions: Stage,
) -> None:
    stage = on_actions
    sooner = wave("alpha", "beta", at="2026-03-01T17:57:00Z")
    stage.clock.at("2026-03-01T17:56:31Z", lambda: merge(stage, sooner))
    hold(stage.runner(), 600, quiet)
    assert {when for when, _ in stage.arrivals} == {"2026-03-01T17:57:00Z"}
    assert len(stage.arrivals) == 2


def test_on_actions_a_tip_that_cannot_be_fetched_is_told_and_the_last_one_stands(on_actions: Stage) -> None:
    stage = on_actions
    origin = stage.mini.root / "origin.git"
    stage.clock.at("2026-03-01T17:59:00Z", lambda: git(origin, "update-ref", "-d", "refs/heads/main"))
    report = hold(stage.runner(), 600, quiet)
    assert stage.arrivals == [(DUE, ALPHA)]
    assert [(fault.code, fault.is_error) for fault in report.diagnostics] == [("unreachable", False)]


def test_on_actions_a_branch_that_is_set_back_counts_with_a_warning(on_actions: Stage) -> None:
    stage = on_actions
    first = git(stage.mini.root, "rev-parse", "HEAD")
    stage.clock.at("2026-03-01T17:57:00Z", lambda: merge(stage, wave("alpha", top="paused: true")))
    stage.clock.at("2026-03-01T17:58:30Z", lambda: merge(stage, wave("alpha", at="2026-03-01T18:02:00Z")))
    stage.clock.at(
        "2026-03-01T17:59:50Z",
        lambda: git(stage.mini.root, "push", "-q", "--force", "origin", f"{first}:refs/heads/main"),
    )
    seen: set[str] = set()
    watch(stage.runner(), 600, quiet, lambda report: seen.update(fault.code for fault in report.diagnostics))
    assert [dispatch.payload["scheduled_at"] for dispatch in stage.github.dispatches] == [DUE]
    assert seen == {"stale-checkout"}


# --- lost races and a store that fails ------------------------------------------------------------


class Contended(FileStore):
    """A file to which others save first, or that cannot be written, for a number of times."""

    def __init__(self, path: Path, *, races: int = 0, failures: dict[int, int] | None = None) -> None:
        super().__init__(path, "state.json")
        self.races, self.failures, self.saves = races, failures or {}, 0
        self.before_save: Any = None

    def save_with_archive(self, state: State, archived: Any, snapshot: Snapshot, message: str) -> Snapshot:
        self.saves += 1
        if self.races > 0:
            self.races -= 1
            self._save_as_another(snapshot)
        if self.failures.get(self.saves):
            raise StateError("state.json cannot be written: No space left on device")
        return super().save_with_archive(state, archived, snapshot, message)

    def _save_as_another(self, snapshot: Snapshot) -> None:
        mine = super().load()
        schedules: dict[str, Record] = {
            name: self.before_save(record) if self.before_save else record
            for name, record in mine.state.schedules.items()
        }
        other = msgspec.structs.replace(
            mine.state, serial=mine.state.serial + 1, schedules=schedules, idle=None
        )
        super().save_with_archive(other, {}, mine, "another runner's")


def contended(stage: Stage, **how: Any) -> tuple[Runner, Contended]:
    ports = stage.ports()
    store = ports.store = Contended(stage.mini.root / "state.json", **how)
    return Runner(ports), store


def test_after_lost_races_everything_is_decided_again(stage: Stage) -> None:
    stage.mini.run("run", now=BEGIN)
    stage.clock.sleep(300)
    runner, store = contended(stage, races=5)
    assert not runner.reconcile_once().is_red
    assert (stage.clock.races, stage.arrivals) == (5, [(DUE, ALPHA)])
    assert stage.mini.state["serial"] == store.load().state.serial


def test_what_another_runner_cancelled_meanwhile_is_not_sent(stage: Stage) -> None:
    stage.mini.run("run", now=BEGIN)
    stage.clock.sleep(300)
    runner, store = contended(stage, races=1)

    def cancel(record: Record) -> Record:
        return msgspec.structs.replace(record, status="cancelled", reason="declared")

    store.before_save = cancel
    assert runner.reconcile_once().results == {}
    assert stage.github.dispatches == []


def test_what_was_sent_and_forgotten_is_looked_up_again_after_a_lost_race(stage: Stage) -> None:
    stage.mini.run("run", now=BEGIN)
    before = (stage.mini.root / "state.json").read_bytes()
    stage.clock.sleep(300)
    stage.runner().reconcile_once()
    (stage.mini.root / "state.json").write_bytes(before)  # somebody set the record back
    stage.clock.sleep(1_200)
    runner, _ = contended(stage, races=2)
    report = runner.reconcile_once()
    assert [fault.code for fault in report.diagnostics] == ["forgotten"], "told once, when it is recorded"
    assert (stage.mini.statuses, len(stage.github.dispatches)) == ({ALPHA: "completed"}, 1)


def test_a_run_that_loses_every_race_gives_up_and_has_sent_nothing(stage: Stage) -> None:
    stage.clock.sleep(300)
    runner, _ = contended(stage, races=10_000)
    with pytest.raises(LostRace):
        runner.reconcile_once()
    assert (stage.clock.races, stage.github.dispatches) == (RACES - 1, [])


def test_an_answer_that_cannot_be_saved_at_once_is_saved_when_it_can(stage: Stage) -> None:
    stage.clock.sleep(300)
    runner, _ = contended(stage, failures={2: True, 3: True})  # the first save is of the intent
    assert not runner.reconcile_once().is_red
    assert stage.mini.statuses == {ALPHA: "completed"}
    assert len(stage.github.dispatches) == 1


def test_an_answer_that_can_never_be_saved_is_looked_up_by_a_later_run(stage: Stage) -> None:
    stage.clock.sleep(300)
    runner, store = contended(stage, failures=dict.fromkeys(range(2, 100), True))
    with pytest.raises(
        StateError, match=f"the answers for {ALPHA} are not recorded: .*No space left"
    ) as told:
        runner.reconcile_once()
    assert told.value.hint == "these were sent; the next run looks them up"
    assert store.saves == 1 + 1 + LAST_SAVES
    assert stage.mini.statuses == {ALPHA: "executing"}
    stage.clock.sleep(130)
    assert stage.mini.json("run", now=instant_text(stage.clock.now())).results == {ALPHA: "completed"}
    assert len(stage.github.dispatches) == 1


def test_an_intent_that_cannot_be_saved_sends_nothing(stage: Stage) -> None:
    stage.clock.sleep(300)
    runner, _ = contended(stage, failures={1: True})
    with pytest.raises(StateError) as told:
        runner.reconcile_once()
    assert told.value.hint == "nothing was sent"
    assert stage.github.dispatches == []


# --- true processes on the true clock -------------------------------------------------------------


def soon(seconds: int) -> int:
    """A whole second that is a little ahead."""
    return math.ceil(time.time()) + seconds  # noqa: TID251 - the true clock is what is tried here


def test_a_true_hold_sends_in_order_and_never_before_the_instant(live: Miniature, github: GitHub) -> None:
    first = soon(2)
    names = {"alpha": first, "beta": first + 1}
    for name, at in names.items():
        live.write({f"waves/of-{name}.yaml": wave(name, at=instant_text(at))})
    process = live.start("run", "--hold", "30s", "--format", "json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert {result["status"] for result in json.loads(out)["results"]} == {"completed"}
    assert [dispatch.payload["channel_id"] for dispatch in github.dispatches] == ["alpha", "beta"]
    for name, at in names.items():
        assert github.repository(f"acme/{name}").runs[0].created >= at


def test_a_true_watch_ends_by_a_signal_while_it_waits(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave("alpha", at=instant_text(soon(3600)))})
    process = live.start("run", "--watch")
    end = time.monotonic() + 30
    while "schedules" not in live.state or not live.records:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert github.dispatches == []
    assert "Recorded: 1 created." in out


def test_a_watch_tells_each_outcome_and_each_problem_once_as_it_comes(
    live: Miniature, github: GitHub
) -> None:
    live.write({"waves/spring.yaml": wave("alpha"), "waves/broken.yaml": "schedules: [\n"})
    process = live.start("--now", DUE, "run", "--watch", "2s")
    out, err = process.communicate(timeout=60)
    outcome, problem = sorted(err.splitlines(), key=lambda line: "broken" in line)
    assert re.fullmatch(rf"2026-03-01T18:00:0\dZ  {ALPHA}  completed", outcome)
    assert "waves/broken.yaml:2:1: error: " in problem
    assert "1 completed." in out
    assert process.returncode == 1


def test_a_true_watch_for_a_duration_ends_by_itself(live: Miniature) -> None:
    process = live.start("run", "--watch", "1s")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "Nothing to do.\n", "")


def test_hold_and_watch_exclude_each_other(live: Miniature) -> None:
    assert live.run("run", "--hold", "1m", "--watch").code == 2
    assert live.run("run", "--hold", "soon").code == 2
