"""Each row of the contract's table of answers, through `run`, against a server that really gives them."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from github_stand_in import Fault, GitHub, rate_limited
from miniature import Miniature, Outcome

from scheduler.times import instant_text, read_utc

DUE = "2026-03-01T18:00:00Z"
ALPHA, BETA = "spring/teaser/alpha", "spring/teaser/beta"
WAVE = """
    catch_up: 6h
    schedules:
      - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha, beta] }
    """


def after(seconds: int) -> str:
    """An instant so many seconds after the publish time."""
    return instant_text(read_utc(DUE) + seconds)


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """A wave of two channels that is due; the server's clock agrees with the scheduler's."""
    github.clock = lambda: float(read_utc(DUE))
    return live.write({"waves/spring.yaml": WAVE})


def run(mini: Miniature, github: GitHub, seconds: int) -> Outcome:
    """A run so many seconds after the publish time, by both clocks."""
    github.clock = lambda: float(read_utc(DUE) + seconds)
    return mini.json("run", now=after(seconds))


def error_of(outcome: Outcome, schedule_id: str = ALPHA) -> str:
    return str(next(r["error"] for r in outcome.json["results"] if r["schedule_id"] == schedule_id))


def record(mini: Miniature, schedule_id: str = ALPHA) -> Any:
    return mini.records[schedule_id]


def posts(github: GitHub, repository: str = "acme/alpha") -> int:
    """Dispatches that were asked for, whether they took effect or not."""
    return sum(seen.method == "POST" and repository in seen.path for seen in github.requests)


# --- yes ----------------------------------------------------------------------------------------


def test_a_204_completes_with_the_evidence_accepted(spring: Miniature, github: GitHub) -> None:
    outcome = run(spring, github, 0)
    assert (outcome.code, outcome.results) == (0, {ALPHA: "completed", BETA: "completed"})
    assert (record(spring)["evidence"], record(spring)["attempts"]) == ("accepted", 1)
    assert record(spring)["error_message"] is None


def test_a_managed_users_repository_is_sent_to(spring: Miniature, github: GitHub) -> None:
    github.repository("jdoe_acme/alpha")
    spring.write({"scheduler.yaml": "allow: [jdoe_acme/*, acme/beta]\n"})
    spring.write({"channels/alpha.yaml": "repository: jdoe_acme/alpha\ntoken: ACME_TOKEN\n"})
    assert run(spring, github, 0).results == {ALPHA: "completed", BETA: "completed"}
    assert {dispatch.repository for dispatch in github.dispatches} == {"jdoe_acme/alpha", "acme/beta"}


def test_a_workflow_dispatch_completes_and_knows_its_run(spring: Miniature, github: GitHub) -> None:
    spring.channels("alpha", transport="workflow_dispatch", workflow="publish.yml")
    assert run(spring, github, 0).code == 0
    run_id = github.repository("acme/alpha").runs[0].id
    assert (record(spring)["run_id"], record(spring)["evidence"]) == (run_id, "accepted")
    assert record(spring)["run_url"] == f"https://github.com/acme/alpha/actions/runs/{run_id}"
    assert github.dispatches[0].ref == "main"


@pytest.mark.parametrize("server", ["ignored", "refused"])
def test_an_older_server_that_names_no_run_is_a_yes_too(
    spring: Miniature, github: GitHub, server: Any
) -> None:
    github.run_details = server
    spring.channels("alpha", transport="workflow_dispatch", workflow="publish.yml")
    assert run(spring, github, 0).results[ALPHA] == "completed"
    assert len(github.repository("acme/alpha").runs) == 1


# --- a definite no ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 413, 422, 451])
def test_a_definite_no_fails_at_once_and_the_other_channels_go_on(
    spring: Miniature, github: GitHub, status: int
) -> None:
    github.repository("acme/alpha").faults = [Fault(status=status, body={"message": "No way, José"})]
    outcome = run(spring, github, 0)
    assert (outcome.code, outcome.results) == (1, {ALPHA: "failed", BETA: "completed"})
    assert spring.statuses[ALPHA] == "failed (rejected)"
    assert record(spring)["error_message"] == error_of(outcome)
    assert error_of(outcome).startswith(f"HTTP {status}: ")
    assert "No way, José" in error_of(outcome)
    assert run(spring, github, 600).results == {}
    assert posts(github) == 1


def test_a_renamed_repository_is_not_followed_and_the_hint_says_so(spring: Miniature, github: GitHub) -> None:
    github.rename("acme/alpha", "acme/renamed")
    outcome = run(spring, github, 0)
    assert spring.statuses[ALPHA] == "failed (rejected)"
    assert error_of(outcome).startswith("HTTP 301: Moved Permanently")
    assert "redirects are not followed" in error_of(outcome)
    assert [dispatch.repository for dispatch in github.dispatches] == ["acme/beta"]


def test_a_wrong_token_holds_up_its_own_channels_alone(spring: Miniature, github: GitHub) -> None:
    spring.write({"channels/alpha.yaml": "repository: acme/alpha\ntoken: OLD_TOKEN\n"})
    spring.environ["OLD_TOKEN"] = "revoked"
    outcome = run(spring, github, 0)
    assert (outcome.code, outcome.results) == (1, {ALPHA: "pending", BETA: "completed"})
    assert (
        error_of(outcome)
        == "HTTP 401: Unauthorized (Bad credentials); the token in OLD_TOKEN is wrong or has expired"
    )


# --- not now -------------------------------------------------------------------------------------------


def test_a_refused_connection_is_tried_again_and_the_backoff_doubles(
    spring: Miniature, github: GitHub
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url, spring.environ["GITHUB_API_URL"] = spring.environ["GITHUB_API_URL"], f"http://127.0.0.1:{port}"
    first = run(spring, github, 0)
    assert (first.code, first.results[ALPHA]) == (0, "pending")
    assert (record(spring)["attempts"], record(spring)["reason"]) == (1, None)
    assert "nothing was sent" in record(spring)["error_message"]
    waits = read_utc(record(spring)["next_attempt_at"]) - read_utc(DUE)
    assert 60 <= waits <= 70

    assert run(spring, github, 50).results == {}  # not yet
    second = run(spring, github, 100)
    waits = read_utc(record(spring)["next_attempt_at"]) - read_utc(after(100))
    assert (second.results[ALPHA], record(spring)["attempts"]) == ("pending", 2)
    assert 120 <= waits <= 130

    spring.environ["GITHUB_API_URL"] = url
    third = run(spring, github, 300)
    assert (third.code, third.results[ALPHA], record(spring)["attempts"]) == (0, "completed", 3)
    assert posts(github) == 1


def test_after_all_its_attempts_it_fails(spring: Miniature, github: GitHub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        spring.environ["GITHUB_API_URL"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
    codes = [run(spring, github, seconds).code for seconds in (0, 100, 400, 2000)]
    assert codes == [0, 0, 1, 0]
    assert (spring.statuses[ALPHA], record(spring)["attempts"]) == ("failed (retries_exhausted)", 3)
    assert "nothing was sent" in record(spring)["error_message"]


def test_attempts_and_backoff_are_settings(spring: Miniature, github: GitHub) -> None:
    spring.write({"scheduler.yaml": "retry: { attempts: 1, backoff: 10m }\n"})
    with socket.create_server(("127.0.0.1", 0)) as closed:
        spring.environ["GITHUB_API_URL"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert run(spring, github, 0).code == 1
    assert spring.statuses[ALPHA] == "failed (retries_exhausted)"


def test_a_failed_tls_handshake_is_a_not_now(spring: Miniature, github: GitHub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_in_the_clear() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server = threading.Thread(target=answer_in_the_clear)
        server.start()
        spring.environ["GITHUB_API_URL"] = f"https://127.0.0.1:{listener.getsockname()[1]}"
        outcome = run(spring, github, 0)
        server.join(10)
    assert (outcome.code, outcome.results) == (0, {ALPHA: "pending", BETA: "pending"})
    assert "nothing was sent" in error_of(outcome)


def test_no_automatic_attempt_starts_after_not_after(spring: Miniature, github: GitHub) -> None:
    spring.write({"waves/spring.yaml": WAVE.replace("6h", "5m")})
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url, spring.environ["GITHUB_API_URL"] = (
            spring.environ["GITHUB_API_URL"],
            f"http://127.0.0.1:{closed.getsockname()[1]}",
        )
    run(spring, github, 290)
    spring.environ["GITHUB_API_URL"] = url
    outcome = run(spring, github, 360)
    assert (outcome.code, spring.statuses[ALPHA], posts(github)) == (1, "failed (missed)", 0)
    assert "the last attempt: nothing was sent" in error_of(outcome)


# --- rate limits ------------------------------------------------------------------------------------------


def limited_for(github: GitHub, fault: Fault) -> None:
    github.repository("acme/alpha").faults = [fault]


def test_retry_after_is_honoured(spring: Miniature, github: GitHub) -> None:
    limited_for(github, rate_limited(retry_after="600"))
    first = run(spring, github, 0)
    assert (first.code, first.results[ALPHA]) == (0, "pending")
    assert error_of(first).startswith("HTTP 403: Forbidden (You have exceeded a secondary rate limit")
    waits = read_utc(record(spring)["next_attempt_at"]) - read_utc(DUE)
    assert 600 <= waits <= 605
    assert run(spring, github, 590).results == {}
    assert run(spring, github, 610).results == {ALPHA: "completed"}
    assert record(spring)["attempts"] == 2


def test_the_reset_of_an_exhausted_limit_is_honoured(spring: Miniature, github: GitHub) -> None:
    reset = str(read_utc(DUE) + 2400)
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    limited_for(github, Fault(status=403, headers=headers, body={"message": "API rate limit exceeded"}))
    run(spring, github, 0)
    waits = read_utc(record(spring)["next_attempt_at"]) - read_utc(DUE)
    assert 2400 <= waits <= 2405


def test_a_limit_that_names_no_time_is_waited_for_by_the_backoff(spring: Miniature, github: GitHub) -> None:
    limited_for(github, Fault(status=429, body={"message": "Too many requests"}))
    run(spring, github, 0)
    assert 60 <= read_utc(record(spring)["next_attempt_at"]) - read_utc(DUE) <= 65


def test_a_limited_token_delays_its_other_schedules_without_costing_them_attempts(
    spring: Miniature, github: GitHub
) -> None:
    spring.write({"channels/gamma.yaml": "repository: acme/gamma\ntoken: OTHER_TOKEN\n"})
    spring.environ["OTHER_TOKEN"] = "another"
    github.tokens = {*(github.tokens or ()), "another"}
    spring.write(
        {
            "waves/later.yaml": """
                catch_up: 6h
                schedules:
                  - { type: simultaneous, video: trailer, at: 2026-03-01T18:02:00Z, channels: [beta, gamma] }
                """,
        }
    )
    limited_for(github, rate_limited(retry_after="600"))
    run(spring, github, 0)
    later = run(spring, github, 120)
    assert (later.code, later.results) == (0, {"later/trailer/gamma": "completed"})
    waiting = record(spring, "later/trailer/beta")
    assert (waiting["status"], waiting["attempts"], waiting["error_message"]) == ("scheduled", 0, None)
    assert run(spring, github, 610).results == {ALPHA: "completed", "later/trailer/beta": "completed"}
    assert record(spring, "later/trailer/beta")["attempts"] == 1


def test_a_limit_holds_for_its_token_even_where_it_was_the_last_attempt(
    spring: Miniature, github: GitHub
) -> None:
    spring.write({"scheduler.yaml": "retry: { attempts: 1 }\n"})
    spring.write({"waves/later.yaml": WAVE.replace("teaser", "trailer").replace("18:00:00", "18:02:00")})
    limited_for(github, rate_limited(retry_after="600"))
    assert run(spring, github, 0).results[ALPHA] == "failed"
    assert run(spring, github, 120).results == {}
    assert run(spring, github, 610).results == {
        "later/trailer/alpha": "completed",
        "later/trailer/beta": "completed",
    }


# --- unknown ------------------------------------------------------------------------------------------------


LOST: dict[str, dict[str, Any]] = {
    "500": {"status": 500, "body": {"message": "Oops"}},
    "502": {"status": 502, "body": "<html>Bad gateway</html>"},
    "201": {"status": 201},
    "reset": {"what": "reset"},
    "closed": {"what": "close"},
    "cut in the status line": {"what": "cut", "cut_at": 14},
    "cut in the headers": {"what": "cut", "cut_at": 40},
}


@pytest.mark.parametrize("how", LOST)
def test_what_may_have_been_accepted_is_unknown_and_adopted_once_its_run_is_found(
    spring: Miniature, github: GitHub, how: str
) -> None:
    github.repository("acme/alpha").faults = [Fault(**LOST[how], accept=True)]
    first = run(spring, github, 0)
    assert (first.code, first.results) == (1, {ALPHA: "executing", BETA: "completed"})
    assert error_of(first)
    in_flight = run(spring, github, 60)
    assert (in_flight.code, in_flight.results, posts(github)) == (0, {}, 1)
    found = run(spring, github, 130)
    assert (found.code, found.results) == (0, {ALPHA: "completed"})
    assert record(spring)["run_id"] == github.repository("acme/alpha").runs[0].id
    assert posts(github) == len(github.repository("acme/alpha").runs) == 1


def unknown(mini: Miniature, github: GitHub) -> None:
    """Alpha's request was lost on the way back, and nothing came of it."""
    github.repository("acme/alpha").faults = [Fault(status=502)]
    assert run(mini, github, 0).results[ALPHA] == "executing"


def test_at_most_once_gives_up_after_fifteen_minutes_without_a_run(spring: Miniature, github: GitHub) -> None:
    unknown(spring, github)
    early, late, later = run(spring, github, 840), run(spring, github, 910), run(spring, github, 2000)
    assert (early.code, early.results) == (1, {ALPHA: "executing"})
    assert error_of(early).startswith("its outcome is unknown: HTTP 502")
    assert (late.code, spring.statuses[ALPHA]) == (1, "failed (unknown_outcome)")
    assert error_of(late).startswith("HTTP 502: Bad Gateway")
    assert (later.code, later.results, posts(github)) == (0, {}, 1)


def test_at_least_once_sends_again_with_the_same_key(spring: Miniature, github: GitHub) -> None:
    spring.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").faults = [Fault(status=502)]
    run(spring, github, 0)
    first_key = next(seen.json for seen in github.requests if "alpha" in seen.path)["client_payload"]["key"]
    run(spring, github, 840)
    assert posts(github) == 1
    again = run(spring, github, 910)
    assert (again.code, again.results) == (0, {ALPHA: "completed"})
    assert [d.payload["key"] for d in github.dispatches if d.repository == "acme/alpha"] == [first_key]
    assert (posts(github), record(spring)["attempts"]) == (2, 2)


def test_a_second_attempt_that_is_unknown_too_is_looked_for_as_long_as_the_first(
    spring: Miniature, github: GitHub
) -> None:
    spring.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").faults = [Fault(status=502, times=2)]
    run(spring, github, 0)
    run(spring, github, 910)
    run(spring, github, 1700)
    assert posts(github) == 2
    assert run(spring, github, 1830).results == {ALPHA: "completed"}
    assert posts(github) == 3


KEYLESS = "name: P\nrun-name: publish\non: {repository_dispatch: {types: [process-video]}}\njobs: {}\n"


def test_at_least_once_is_never_repeated_where_no_run_could_be_found(
    spring: Miniature, github: GitHub
) -> None:
    """Each lost answer would be one publication more: nothing can be found, so nothing is."""
    spring.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").workflows = {"publish.yml": KEYLESS}
    github.repository("acme/alpha").faults = [Fault(status=502, accept=True, times=None)]
    ahead = run(spring, github, -3600)
    (warned,) = ahead.json["diagnostics"]
    assert warned["code"] == "unreachable"
    assert "the run name of publish.yml does not contain the key" in warned["message"]
    for seconds in (0, 130, 910, 1900, 3000):
        run(spring, github, seconds)
    assert (posts(github), spring.statuses[ALPHA]) == (1, "failed (unknown_outcome)")
    assert "the run name of the channel does not contain the key" in record(spring)["error_message"]


def test_a_key_that_is_added_after_the_first_request_makes_no_second_one(
    spring: Miniature, github: GitHub
) -> None:
    spring.channels("alpha", delivery="at-least-once")
    alpha = github.repository("acme/alpha")
    shipped, alpha.workflows = alpha.workflows, {"publish.yml": KEYLESS}
    alpha.faults = [Fault(status=502, accept=True)]
    run(spring, github, -3600)
    run(spring, github, 0)
    alpha.workflows = shipped
    run(spring, github, 910)
    assert (posts(github), spring.statuses[ALPHA]) == (1, "failed (unknown_outcome)")


def test_a_channel_that_was_not_asked_before_is_looked_at_before_a_second_request(
    spring: Miniature, github: GitHub
) -> None:
    spring.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").workflows = {"publish.yml": KEYLESS}
    github.repository("acme/alpha").faults = [Fault(status=502, accept=True)]
    for seconds in (0, 910, 1900):
        run(spring, github, seconds)
    assert (posts(github), spring.statuses[ALPHA]) == (1, "failed (unknown_outcome)")


def test_a_second_request_obeys_allow_where_the_first_one_went(spring: Miniature, github: GitHub) -> None:
    spring.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").faults = [Fault(status=502)]
    run(spring, github, 0)
    spring.write({"channels/alpha.yaml": "repository: other/alpha\ntoken: ACME_TOKEN\n"})
    spring.environ["SCHEDULER_ALLOW"] = "other/* acme/beta"
    run(spring, github, 910)
    run(spring, github, 1900)
    assert posts(github) == 1
    del spring.environ["SCHEDULER_ALLOW"]
    run(spring, github, 2000)
    assert posts(github) == 2


def test_at_least_once_ends_after_all_its_attempts(spring: Miniature, github: GitHub) -> None:
    spring.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").faults = [Fault(status=502, times=None)]
    for seconds in range(0, 3000, 910):
        last = run(spring, github, seconds)
    assert (posts(github), last.code, spring.statuses[ALPHA]) == (3, 1, "failed (unknown_outcome)")


def test_at_least_once_starts_no_attempt_after_not_after(spring: Miniature, github: GitHub) -> None:
    spring.write({"waves/spring.yaml": WAVE.replace("6h", "10m")}).channels("alpha", delivery="at-least-once")
    unknown(spring, github)
    assert run(spring, github, 910).code == 1
    assert (spring.statuses[ALPHA], posts(github)) == ("failed (unknown_outcome)", 1)


def test_a_no_to_the_second_attempt_proves_nothing_of_the_first(spring: Miniature, github: GitHub) -> None:
    spring.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").faults = [Fault(status=502), Fault(status=422, body={"message": "No"})]
    run(spring, github, 0)
    assert run(spring, github, 910).code == 1
    assert spring.statuses[ALPHA] == "failed (unknown_outcome)"
    assert record(spring)["error_message"].startswith("HTTP 422")


def test_a_run_of_the_first_attempt_that_shows_late_is_found_after_the_second(
    spring: Miniature, github: GitHub
) -> None:
    spring.channels("alpha", delivery="at-least-once")
    alpha = github.repository("acme/alpha")
    alpha.lag = 1000
    alpha.faults = [Fault(status=502, accept=True), Fault(status=502)]
    run(spring, github, 0)
    run(spring, github, 910)
    assert posts(github) == 2
    assert run(spring, github, 1100).results == {ALPHA: "completed"}
    assert posts(github) == 2


def test_a_lookup_that_fails_is_no_answer(spring: Miniature, github: GitHub) -> None:
    unknown(spring, github)
    github.repository("acme/alpha").faults = [Fault(status=500, method="GET", times=None)]
    for seconds in (200, 1000, 5000, 20_000):
        outcome = run(spring, github, seconds)
        assert (outcome.code, outcome.results) == (1, {ALPHA: "executing"})
    github.repository("acme/alpha").faults.clear()
    assert run(spring, github, 20_100).code == 1
    assert spring.statuses[ALPHA] == "failed (unknown_outcome)"


def test_nobody_asks_in_vain_for_ever(spring: Miniature, github: GitHub) -> None:
    unknown(spring, github)
    github.repository("acme/alpha").faults = [Fault(status=403, method="GET", times=None)]
    assert run(spring, github, 86_500).code == 1
    assert spring.statuses[ALPHA] == "failed (unknown_outcome)"
    assert "could not be looked up within 24 h" in record(spring)["error_message"]


def test_a_run_that_shows_up_after_the_search_was_given_up_is_adopted(
    spring: Miniature, github: GitHub
) -> None:
    alpha = github.repository("acme/alpha")
    alpha.lag = 1200
    alpha.faults = [Fault(status=502, accept=True)]
    run(spring, github, 0)
    assert run(spring, github, 910).code == 1
    assert run(spring, github, 1900).results == {ALPHA: "completed"}
    assert spring.statuses[ALPHA] == "completed"


def test_a_run_without_the_key_in_its_title_is_nobody_s(spring: Miniature, github: GitHub) -> None:
    alpha = github.repository("acme/alpha")
    alpha.workflows["publish.yml"] = alpha.workflows["publish.yml"].replace("client_payload.key", "sha")
    alpha.faults = [Fault(status=502, accept=True)]
    run(spring, github, 0)
    run(spring, github, 910)
    assert (len(alpha.runs), spring.statuses[ALPHA]) == (1, "failed (unknown_outcome)")


# --- confirm: run -----------------------------------------------------------------------------------------


@pytest.fixture
def confirmed(spring: Miniature, github: GitHub) -> Miniature:
    """Alpha is completed only once its run succeeded."""
    github.repository("acme/alpha").conclusion = None
    return spring.channels("alpha", confirm="run")


def test_a_run_under_way_is_waited_for_without_a_failure(confirmed: Miniature, github: GitHub) -> None:
    outcome = run(confirmed, github, 0)
    assert (outcome.code, outcome.results) == (0, {ALPHA: "executing", BETA: "completed"})
    assert run(confirmed, github, 3600).code == 0
    github.repository("acme/alpha").runs[0].conclude("success")
    done = run(confirmed, github, 3700)
    assert (done.code, done.results, record(confirmed)["evidence"]) == (0, {ALPHA: "completed"}, "run")


@pytest.mark.parametrize(
    "conclusion",
    [
        "failure",
        "cancelled",
        "skipped",
        "timed_out",
        "startup_failure",
        "action_required",
        "neutral",
        "stale",
    ],
)
def test_any_conclusion_but_success_is_a_run_that_failed(
    confirmed: Miniature, github: GitHub, conclusion: str
) -> None:
    run(confirmed, github, 0)
    github.repository("acme/alpha").runs[0].conclude(conclusion)
    outcome = run(confirmed, github, 300)
    assert (outcome.code, confirmed.statuses[ALPHA]) == (1, "failed (run_failed)")
    assert conclusion in error_of(outcome)
    assert (run(confirmed, github, 400).code, posts(github)) == (0, 1)


def test_a_failed_run_that_is_run_again_and_succeeds_completes(confirmed: Miniature, github: GitHub) -> None:
    run(confirmed, github, 0)
    only = github.repository("acme/alpha").runs[0]
    only.conclude("failure")
    run(confirmed, github, 300)
    only.conclude("success")
    assert run(confirmed, github, 1300).results == {ALPHA: "completed"}
    assert (record(confirmed)["reason"], record(confirmed)["evidence"]) == (None, "run")


def test_a_day_later_nobody_looks_any_more(confirmed: Miniature, github: GitHub) -> None:
    run(confirmed, github, 0)
    only = github.repository("acme/alpha").runs[0]
    only.conclude("failure")
    run(confirmed, github, 300)
    only.conclude("success")
    asked = len(github.requests)
    assert run(confirmed, github, 90_000).results == {}
    assert (len(github.requests), confirmed.statuses[ALPHA]) == (asked, "failed (run_failed)")


def test_no_run_within_fifteen_minutes_is_an_unknown_outcome(confirmed: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").runs_per_dispatch = 0
    run(confirmed, github, 0)
    assert run(confirmed, github, 840).code == 0
    assert run(confirmed, github, 920).code == 1
    assert confirmed.statuses[ALPHA] == "failed (unknown_outcome)"
    assert "no run of the channel appeared within 15 minutes" in record(confirmed)["error_message"]


def test_after_a_204_nothing_is_resent_even_at_least_once(confirmed: Miniature, github: GitHub) -> None:
    confirmed.channels("alpha", confirm="run", delivery="at-least-once")
    github.repository("acme/alpha").runs_per_dispatch = 0
    for seconds in (0, 920, 2000):
        run(confirmed, github, seconds)
    assert (posts(github), confirmed.statuses[ALPHA]) == (1, "failed (unknown_outcome)")


def test_a_run_that_does_not_end_within_a_day_failed(confirmed: Miniature, github: GitHub) -> None:
    run(confirmed, github, 0)
    assert run(confirmed, github, 86_000).code == 0
    assert run(confirmed, github, 86_500).code == 1
    assert confirmed.statuses[ALPHA] == "failed (run_failed)"


@pytest.mark.parametrize("first", ["cancelled", "failure", None])
def test_of_two_runs_of_one_key_the_one_that_succeeded_counts(
    confirmed: Miniature, github: GitHub, first: str | None
) -> None:
    github.repository("acme/alpha").runs_per_dispatch = 2
    run(confirmed, github, 0)
    one, two = github.repository("acme/alpha").runs
    if first is not None:
        one.conclude(first)
    assert run(confirmed, github, 100).results == {}  # the other one is under way
    two.conclude("success")
    assert run(confirmed, github, 200).results == {ALPHA: "completed"}
    assert record(confirmed)["run_id"] == two.id


def test_a_workflow_dispatch_is_followed_by_its_run_s_id(confirmed: Miniature, github: GitHub) -> None:
    alpha = github.repository("acme/alpha")
    alpha.workflows["publish.yml"] = alpha.workflows["publish.yml"].replace("inputs.payload).key", "x)")
    confirmed.channels("alpha", confirm="run", transport="workflow_dispatch", workflow="publish.yml")
    run(confirmed, github, 0)
    alpha.runs[0].title = "no key here"
    alpha.runs[0].conclude("success")
    assert run(confirmed, github, 100).results == {ALPHA: "completed"}


# --- clocks ----------------------------------------------------------------------------------------------


def test_a_machine_whose_clock_is_far_off_is_told_and_sends_no_more(live: Miniature, github: GitHub) -> None:
    github.date_offset = -3 * 3600
    github.faults = [Fault("close", method="GET", path="rate_limit")]  # asked for the time, it said nothing
    live.write(
        {
            "scheduler.yaml": "pace: 1/s\n",
            "waves/spring.yaml": WAVE.replace("2026-03-01T18:00:00Z", instant_text(int(github.clock()) - 5)),
        }
    )
    outcome = live.json("run")
    assert (outcome.code, outcome.codes) == (1, ["clock"])
    assert "3h ahead of the server's" in outcome.json["diagnostics"][0]["message"]
    assert len(github.dispatches) == 1


def test_a_clock_that_was_started_by_hand_is_not_compared(spring: Miniature, github: GitHub) -> None:
    github.clock = lambda: 0.0
    assert spring.json("run", now=DUE).code == 0
