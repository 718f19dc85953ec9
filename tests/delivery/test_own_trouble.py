"""One publication's trouble is never everybody's: whatever goes wrong with one channel, the others go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from due import DUE, at, run, sent
from github_stand_in import Fault, GitHub
from miniature import Miniature
from simulated_time import Stage

from scheduler.delivery.dispatcher import Request
from scheduler.delivery.github import github_dispatcher
from scheduler.delivery.github.github_dispatcher import GitHubDispatcher
from scheduler.delivery.hold_and_watch import hold
from scheduler.delivery.queue.dispatchers import SqliteDispatcher
from scheduler.state.record import Intent

ALPHA, BETA, GAMMA = (f"spring/teaser/{name}" for name in ("alpha", "beta", "gamma"))
HINT = "this is an error of the scheduler, and holds nothing else back: please report it"


def wave(*channels: str) -> str:
    entry = f"{{ type: simultaneous, video: teaser, at: {DUE}, channels: [{', '.join(channels)}] }}"
    return f"schedules:\n  - {entry}\n"


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    at(github, 0)
    return live.write({"waves/spring.yaml": wave("alpha", "beta", "gamma")})


def breaks(monkeypatch: pytest.MonkeyPatch, name: str, is_alpha: Callable[..., bool]) -> None:
    """A function that every channel is asked by raises for alpha what nobody has foreseen."""
    plain = getattr(github_dispatcher, name)

    def broken(*given: Any) -> Any:
        if is_alpha(*given):
            raise AttributeError("'NoneType' object has no attribute 'get'")
        return plain(*given)

    monkeypatch.setattr(github_dispatcher, name, broken)


def asks_alpha(_: object, intents: Mapping[str, Intent], *__: object) -> bool:
    return any(intent.repository == "acme/alpha" for intent in intents.values())


def test_a_late_channel_that_cannot_be_asked_holds_nothing_up(
    spring: Miniature, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks(monkeypatch, "find_runs", asks_alpha)
    outcome = run(spring, github, 1800)
    assert sorted(sent(github)) == [ALPHA, BETA, GAMMA]
    assert outcome.code == 1
    (fault,) = outcome.json["diagnostics"]
    assert (fault["code"], fault["file"], fault["hint"]) == ("unreachable", "channels/alpha.yaml", HINT)
    assert fault["message"] == (
        f"{ALPHA} cannot be looked up: asking acme/alpha failed unexpectedly (AttributeError)"
    )


def test_a_lookup_that_breaks_leaves_the_others_their_answers(
    spring: Miniature, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    spring.channels("alpha", "beta", "gamma", confirm="run")
    breaks(monkeypatch, "find_runs", asks_alpha)
    outcome = run(spring, github, 0)
    assert outcome.results == {ALPHA: "executing", BETA: "completed", GAMMA: "completed"}
    assert [fault["message"].partition(" ")[0] for fault in outcome.json["diagnostics"]] == [ALPHA]


def test_a_confirmation_that_breaks_is_the_warning_of_its_channel(
    spring: Miniature, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks(monkeypatch, "inspect", lambda _, intent, __: intent.repository == "acme/alpha")
    outcome = run(spring, github, -3600)
    assert {name: record["status"] for name, record in spring.records.items()} == {
        ALPHA: "pending", BETA: "scheduled", GAMMA: "scheduled",
    }  # fmt: skip
    (fault,) = outcome.json["diagnostics"]
    assert "asking acme/alpha failed unexpectedly (AttributeError)" in fault["message"]
    examined = spring.run("doctor", now=at(github, -3600))
    assert "asking acme/alpha failed unexpectedly" in examined.out
    assert "beta: its run name contains the key" in examined.out


def test_a_dispatcher_that_breaks_while_it_sends_leaves_what_it_had_in_doubt(
    spring: Miniature, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = GitHubDispatcher.send

    def send(self: GitHubDispatcher, requests: list[Request]) -> Any:
        yield from plain(self, requests[:1])
        raise AttributeError("never seen before")

    monkeypatch.setattr(GitHubDispatcher, "send", send)
    outcome = run(spring, github, 0)
    assert outcome.results == {ALPHA: "completed", BETA: "executing", GAMMA: "executing"}
    errors = {result["error"] for result in outcome.json["results"] if result["error"]}
    assert errors == {"it may have been sent: sending failed unexpectedly (AttributeError)"}


def test_questions_without_an_answer_in_time_are_put_off_and_the_others_answered(github: GitHub) -> None:
    for name in ("alpha", "beta"):
        github.repository(f"acme/{name}")
    github.repository("acme/alpha").faults = [Fault("hang", method="GET", times=None)]
    github.tokens = None
    dispatcher = GitHubDispatcher(github.url, lambda _: "token")
    asked = {
        name: Intent(
            owner="run", at=DUE, key="gs1-a", not_after=DUE, transport="repository_dispatch",
            repository=f"acme/{name}", event_type="process-video",
        )
        for name in ("alpha", "beta")
    }  # fmt: skip
    dispatcher.allow(0.5)
    ready = dispatcher.ask_ready(asked)
    assert [(one.is_put_off, one.ready) for one in ready.values()] == [(True, False), (False, True)]
    dispatcher.allow(0.5)
    found = dispatcher.look_up(asked)
    assert [(one.is_put_off, one.error is None) for one in found.values()] == [(True, False), (False, True)]
    dispatcher.allow(0.0)
    begun = len(github.requests)
    assert all(one.is_put_off for one in dispatcher.look_up(asked).values())
    assert len(github.requests) == begun
    dispatcher.close()


def test_in_a_hold_a_question_gives_way_to_what_falls_due_and_is_asked_again(
    live: Miniature, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alpha is asked about what it publishes in two hours, and has not answered when beta falls due."""
    allowed: list[float] = []

    def allow(self: GitHubDispatcher, seconds: float) -> None:
        allowed.append(seconds)
        self._patience = 0.2 if alpha.faults else seconds

    monkeypatch.setattr(GitHubDispatcher, "allow", allow)
    alpha = github.repository("acme/alpha")
    alpha.faults = [Fault("hang", method="GET", times=None)]
    later = wave("alpha").replace("18:00", "20:00")
    live.write({"waves/spring.yaml": wave("beta"), "waves/later.yaml": later})
    with Stage(live, github, "2026-03-01T17:59:50Z") as stage:
        stage.clock.at(DUE, alpha.faults.clear)
        report = hold(stage.runner(), 60, lambda problem: None)
        assert stage.arrivals == [(DUE, BETA)]
    assert allowed[0] == 10 - 1 - 1
    assert allowed[-1] == 60
    assert list(report.diagnostics) == []
    assert live.statuses == {BETA: "completed", "later/teaser/alpha": "scheduled"}


def test_what_is_in_time_leaves_before_anything_is_asked_about_what_is_late(
    live: Miniature, github: GitHub
) -> None:
    late = wave("alpha").replace("18:00", "17:30")
    live.write({"waves/spring.yaml": wave("beta"), "waves/late.yaml": late})
    outcome = run(live, github, 0)
    assert outcome.results == {"late/teaser/alpha": "completed", BETA: "completed"}
    order = [f"{seen.method} {seen.path.removeprefix('/repos/acme/')}" for seen in github.requests]
    assert order == ["POST beta/dispatches", "GET alpha/actions/runs", "POST alpha/dispatches"]


def test_a_queue_that_cannot_be_asked_about_one_job_answers_for_the_others(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alpha", "beta"):
        mini.write({f"channels/{name}.yaml": "command: 'true'\n"})
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    mini.write({"waves/spring.yaml": wave("alpha", "beta")})
    plain = SqliteDispatcher.ask_ready

    def ask_ready(self: SqliteDispatcher, intents: Mapping[str, Intent]) -> Any:
        if ALPHA in intents:
            raise AttributeError("never seen before")
        return plain(self, intents)

    monkeypatch.setattr(SqliteDispatcher, "ask_ready", ask_ready)
    outcome = mini.json("run", now="2026-03-01T17:00:00Z")
    assert mini.statuses == {ALPHA: "pending", BETA: "scheduled"}
    (fault,) = outcome.json["diagnostics"]
    assert "failed unexpectedly (AttributeError)" in fault["message"]
