"""Tokens end: what meets one that is not accepted waits, red, and a later run with a good one sends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from due import DUE, after, at, posts, run, sent
from github_stand_in import Fault, GitHub, rate_limited
from miniature import TOKEN, Miniature
from simulated_time import Stage

from scheduler.delivery.hold_and_watch import hold, watch

ALPHA, BETA, GAMMA = (f"spring/teaser/{name}" for name in ("alpha", "beta", "gamma"))
ENDED = "HTTP 401: Unauthorized (Bad credentials); the token in ACME_TOKEN is wrong or has expired"
SSO = "https://github.com/orgs/acme/sso?authorization_request=AZSC"
PROTECTED = "Resource protected by organization SAML enforcement."


def wave(delay: str = "0s", top: str = "") -> str:
    return f"""
        {top}
        schedules:
          - type: staggered
            video: teaser
            at: {DUE}
            delay: {delay}
            channels: [alpha, beta, gamma]
        """


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """Three channels that are due at once, with one token."""
    at(github, 0)
    return live.write({"waves/spring.yaml": wave()})


@pytest.fixture
def stage(live: Miniature, github: GitHub) -> Iterator[Stage]:
    """Alpha, beta and gamma are due at 18:00, 19:00 and 20:00, and a run begins at 17:55."""
    live.write({"waves/spring.yaml": wave("1h")})
    with Stage(live, github, "2026-03-01T17:55:00Z") as stage:
        yield stage


def ends(stage: Stage, instant: str) -> None:
    """The token ends at an instant."""

    def end() -> None:
        stage.github.tokens = {"minted-by-the-next-run"}

    stage.clock.at(instant, end)


def quiet(problem: Exception) -> None:
    raise problem


def record(mini: Miniature, schedule_id: str = ALPHA) -> Any:
    return mini.records[schedule_id]


def test_what_meets_an_ended_token_waits_red_and_a_run_with_a_good_one_sends_it(
    spring: Miniature, github: GitHub
) -> None:
    github.tokens = {"minted-by-the-next-run"}
    outcome = run(spring, github, 0)
    assert (outcome.code, outcome.results) == (1, dict.fromkeys((ALPHA, BETA, GAMMA), "pending"))
    assert {result["error"] for result in outcome.json["results"]} == {ENDED}
    assert (record(spring)["error_message"], record(spring)["attempts"]) == (ENDED, 1)
    assert f"its token is not accepted: {ENDED}" in spring.run("show", ALPHA, now=after(0)).out

    spring.environ["ACME_TOKEN"] = "minted-by-the-next-run"
    outcome = run(spring, github, 300)
    assert (outcome.code, outcome.results) == (0, dict.fromkeys((ALPHA, BETA, GAMMA), "completed"))
    assert (record(spring)["error_message"], record(spring)["attempts"]) == (None, 2)


def test_an_ended_token_costs_none_of_the_attempts_of_retry(spring: Miniature, github: GitHub) -> None:
    """Five runs meet it, where three attempts are all; then two are not now, and the third is sent."""
    github.tokens = set()
    for number in range(5):
        assert run(spring, github, 60 * number).results[ALPHA] == "pending"
    github.tokens = {TOKEN}
    github.faults = [rate_limited(retry_after="60"), rate_limited(retry_after="60")]
    assert [run(spring, github, seconds).code for seconds in (300, 361, 423)] == [0, 0, 0]
    assert record(spring)["status"] == "completed"
    assert record(spring)["attempts"] - record(spring)["token_refusals"] <= 3


def test_later_than_catch_up_it_is_missed_with_what_the_server_said(
    spring: Miniature, github: GitHub
) -> None:
    github.tokens = set()
    run(spring, github, 0)
    assert run(spring, github, 3601).results[ALPHA] == "failed"
    assert record(spring)["reason"] == "missed"
    assert ENDED in record(spring)["error_message"]


@pytest.mark.parametrize(
    ("headers", "message", "hint"),
    [
        ({"X-GitHub-SSO": f"required; url={SSO}"}, PROTECTED, SSO),
        ({}, "the `acme` organization has an IP allow list enabled", "the IP allow list of acme"),
        ({}, "This installation has been suspended", "unsuspend the GitHub App"),
    ],
)
def test_where_an_organization_refuses_a_token_other_owners_go_on(
    spring: Miniature, github: GitHub, headers: dict[str, str], message: str, hint: str
) -> None:
    spring.write({"channels/beta.yaml": "repository: other/beta\ntoken: ACME_TOKEN\n"})
    github.repository("other/beta")
    for name in ("acme/alpha", "acme/gamma"):
        refusal = Fault(status=403, headers=headers, body={"message": message}, times=None)
        github.repository(name).faults = [refusal]
    outcome = run(spring, github, 0)
    assert (outcome.code, outcome.results) == (1, {ALPHA: "pending", BETA: "completed", GAMMA: "pending"})
    assert "HTTP 403: Forbidden" in record(spring)["error_message"]
    assert hint in record(spring)["error_message"]


def test_a_token_that_ends_is_used_for_nothing_else_in_this_process(stage: Stage) -> None:
    """Neither for what falls due later, nor for lookups, nor to ask whether a channel is ready."""
    ends(stage, "2026-03-01T18:30:00Z")
    report = hold(stage.runner(), 3 * 3600, quiet)
    assert [name for _, name in stage.arrivals] == [ALPHA]
    refused = [seen for seen in stage.github.requests if seen.answer is not None and seen.answer[0] == 401]
    assert [seen.path for seen in refused] == ["/repos/acme/beta/dispatches"]
    assert report.is_red
    for name, attempts in ((BETA, 1), (GAMMA, 0)):
        assert (record(stage.mini, name)["attempts"], record(stage.mini, name)["error_message"]) == (
            attempts,
            ENDED,
        )
        assert report.results[name].error == ENDED


def test_a_token_file_that_is_renewed_in_a_hold_sends_what_waited(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    del stage.mini.environ["ACME_TOKEN"]
    stage.mini.environ["ACME_TOKEN_FILE"] = str(file)
    ends(stage, "2026-03-01T18:30:00Z")
    stage.clock.at("2026-03-01T19:10:00Z", lambda: file.write_text("minted-by-the-next-run"))
    report = hold(stage.runner(), 3 * 3600, quiet)
    assert [name for _, name in stage.arrivals] == [ALPHA, BETA, GAMMA]
    assert "2026-03-01T19:10:00Z" <= stage.arrivals[1][0] <= "2026-03-01T19:10:11Z"
    assert not report.is_red


def test_a_watch_sends_once_the_token_file_is_renewed(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    del stage.mini.environ["ACME_TOKEN"]
    stage.mini.environ["ACME_TOKEN_FILE"] = str(file)
    ends(stage, "2026-03-01T17:56:00Z")
    stage.clock.at("2026-03-01T18:05:00Z", lambda: file.write_text("minted-by-the-next-run"))
    watch(stage.runner(), 3600, quiet)
    assert [name for _, name in stage.arrivals] == [ALPHA]
    assert sum(seen.answer is not None and seen.answer[0] == 401 for seen in stage.github.requests) == 1


@pytest.mark.parametrize("job", [True, False], ids=["in a job of GitHub Actions", "elsewhere"])
def test_a_hold_ends_once_something_due_needs_a_token_that_only_another_job_has(
    stage: Stage, job: bool
) -> None:
    ends(stage, "2026-03-01T18:30:00Z")
    runner = stage.runner()
    runner.ports.keeps_tokens = job
    hold(runner, 3 * 3600, quiet)
    assert (stage.now == "2026-03-01T19:00:00Z") == job


def test_a_late_publication_whose_lookup_meets_the_ended_token_is_not_sent(
    spring: Miniature, github: GitHub
) -> None:
    github.tokens = set()
    outcome = run(spring, github, 1800)
    assert (outcome.code, posts(github)) == (1, 0)
    assert {result["error"] for result in outcome.json["results"]} == {ENDED}
    assert len(github.requests) <= 3  # one for each channel, since they are looked up at once
    github.tokens = {TOKEN}
    assert run(spring, github, 1900).code == 0
    assert sorted(sent(github)) == [ALPHA, BETA, GAMMA]


def test_under_at_least_once_an_ended_token_leaves_the_first_attempt_unknown(
    live: Miniature, github: GitHub
) -> None:
    live.channels("alpha", delivery="at-least-once")
    live.write({"waves/spring.yaml": wave(top="catch_up: 6h").replace("[alpha, beta, gamma]", "[alpha]")})
    github.faults = [Fault("close")]
    assert run(live, github, 0).results == {ALPHA: "executing"}
    run(live, github, 130)
    github.faults = [Fault(status=401, times=4)]
    for seconds in (1000, 1100, 1200, 1300):
        assert run(live, github, seconds).results == {ALPHA: "executing"}
    run(live, github, 1400)
    assert (live.statuses, len(sent(github))) == ({ALPHA: "completed"}, 1)


def test_doctor_and_readiness_ask_no_more_once_the_token_is_refused(
    spring: Miniature, github: GitHub
) -> None:
    github.tokens = set()
    examined = spring.run("doctor", now=after(0))
    assert examined.code == 1
    assert "the token in ACME_TOKEN is wrong or has expired" in examined.out
    assert sum("authorization" in seen.headers for seen in github.requests) <= 3
