"""What we ask of GitHub, and what the stand-in answers for it, held against GitHub's own description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from github_conformance import problems_of_answer, problems_of_request
from github_description import DEFINITIONS, DESCRIPTION, complete
from github_stand_in import PUBLISH, GitHub
from jsonschema import Draft202012Validator
from miniature import TOKEN, Miniature

from scheduler.delivery.dispatcher import Request
from scheduler.delivery.github import dispatch_events
from scheduler.delivery.github.github_dispatcher import GitHubDispatcher
from scheduler.state.record import Intent

DUE = "2026-03-01T18:00:00Z"


def problems_of(github: GitHub) -> list[str]:
    """What GitHub does not know of whatever the stand-in was asked, and answered."""
    problems = []
    for one in github.requests:
        assert one.answer is not None
        status, _, body = one.answer
        problems += problems_of_request(one.method, one.path, one.query, one.body)
        problems += problems_of_answer(one.method, one.path, status, body)
    return problems


@pytest.fixture
def held(github: GitHub) -> Iterator[GitHub]:
    """Whatever the test asks of the stand-in and is answered has to be as GitHub describes it."""
    github.repository("acme/alpha")
    yield github
    assert github.requests
    assert problems_of(github) == []


@pytest.fixture
def dispatcher(held: GitHub) -> Iterator[GitHubDispatcher]:
    made = GitHubDispatcher(held.url, lambda _: TOKEN)
    yield made
    made.close()


def by_event(key: str = "gs1-alpha", repository: str = "acme/alpha") -> Intent:
    return Intent(
        owner="nonce", at=DUE, key=key, not_after=DUE, transport="repository_dispatch", token="ACME_TOKEN",
        repository=repository, event_type="process-video",
    )  # fmt: skip


def by_workflow(workflow: str = "publish.yml") -> Intent:
    return Intent(
        owner="nonce", at=DUE, key="gs1-alpha", not_after=DUE, transport="workflow_dispatch",
        token="ACME_TOKEN", repository="acme/alpha", workflow=workflow,
    )  # fmt: skip


def send(dispatcher: GitHubDispatcher, intent: Intent) -> tuple[str, int | None]:
    one = Request(schedule_id="spring/teaser/alpha", intent=intent, payload={"key": intent.key})
    ((_, answer),) = dispatcher.send([one])
    return answer.verdict, answer.run_id


# --- the dispatcher -----------------------------------------------------------------------------------


def test_a_dispatch_by_event(dispatcher: GitHubDispatcher) -> None:
    assert send(dispatcher, by_event()) == ("accepted", None)


@pytest.mark.parametrize("run_details", ["answered", "ignored", "refused"])
def test_a_dispatch_by_workflow(github: GitHub, dispatcher: GitHubDispatcher, run_details: str) -> None:
    vars(github)["run_details"] = run_details
    verdict, run_id = send(dispatcher, by_workflow())
    assert verdict == "accepted"
    assert (run_id is not None) == (run_details == "answered")


def test_dispatches_that_are_refused(github: GitHub, dispatcher: GitHubDispatcher) -> None:
    assert send(dispatcher, by_event(repository="acme/gone"))[0] == "refused"
    assert send(dispatcher, by_workflow("other.yml"))[0] == "refused"
    github.rename("acme/alpha", "acme/beta")
    assert send(dispatcher, by_workflow())[0] == "refused"
    github.tokens = {"another"}
    assert send(dispatcher, by_event())[0] == "not-now"


def test_looking_up_a_run_by_its_key_by_its_id_and_in_vain(dispatcher: GitHubDispatcher) -> None:
    send(dispatcher, by_event())
    _, run_id = send(dispatcher, by_workflow())
    assert run_id is not None
    assert dispatcher.look_up({"a": by_event()})["a"].runs
    assert dispatcher.look_up({"a": by_workflow()}, {"a": run_id})["a"].runs
    assert dispatcher.look_up({"a": by_workflow()}, {"a": 4})["a"].runs
    assert dispatcher.look_up({"a": by_event(repository="acme/gone")})["a"].error


def test_asking_whether_a_channel_is_ready(github: GitHub, dispatcher: GitHubDispatcher) -> None:
    github.repository("acme/beta", workflows={"other.yml": PUBLISH}, permissions=None)
    github.repository("acme/empty", workflows={})
    ready = dispatcher.ask_ready({"a": by_event(), "b": by_workflow()})
    assert ready["a"].ready
    assert ready["b"].ready
    names = ("acme/beta", "acme/empty", "acme/gone")
    checks = dispatcher.inspect({name: by_event(repository=name) for name in names})
    assert [all(check.ok is not False for check in checks[name]) for name in names] == [True, False, False]
    assert not dispatcher.ask_ready({"a": by_workflow("other.yml")})["a"].ready


# --- the whole program --------------------------------------------------------------------------------


def test_a_run_of_the_scheduler_with_all_that_a_payload_can_hold(live: Miniature, held: GitHub) -> None:
    live.channels("alpha", confirm="run")
    live.channels("beta", transport="workflow_dispatch", workflow="publish.yml")
    live.write(
        {
            "waves/spring.yaml": """
            schedules:
              - type: staggered
                video: teaser
                at: 2026-03-01T18:00:00Z
                delay: 1m
                channels: [alpha, beta]
                metadata: {campaign: spring, note: "é"}
            """
        }
    )
    assert live.run("run", now="2026-02-28T20:00:00Z").code == 0  # asks whether the channels are ready
    assert live.run("run", now="2026-03-01T18:02:00Z").code == 0  # sends
    held.clock = lambda: 1_772_388_300.0
    live.run("run", now="2026-03-01T18:05:00Z")  # looks for the run
    assert [len(dispatch.payload) for dispatch in held.dispatches] == [10, 10]
    assert set(live.statuses.values()) <= {"completed", "executing"}


# --- the description itself ---------------------------------------------------------------------------

DISPATCH = "/repos/acme/alpha/dispatches"
RUNS = "/repos/acme/alpha/actions/runs"


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "problem"),
    [
        ("POST", DISPATCH, {}, {"event_typ": "x"}, "'event_type' is a required property"),
        (
            "POST",
            DISPATCH,
            {},
            {"event_type": "x", "client_payloads": {}},
            "'client_payloads' was unexpected",
        ),
        ("POST", DISPATCH, {}, {"event_type": "x" * 101}, "is too long"),
        (
            "POST",
            DISPATCH,
            {},
            {"event_type": "x", "client_payload": dict.fromkeys("abcdefghijk")},
            "too many",
        ),
        ("POST", DISPATCH, {}, None, "the body is missing"),
        ("GET", RUNS, {"evnt": "x"}, None, "no query parameter evnt"),
        ("GET", RUNS, {"per_page": "many"}, None, "is not of type 'integer'"),
        ("GET", RUNS, {}, {}, "a body where there is none"),
        ("GET", f"{RUNS}/latest", {}, None, "is not of type 'integer'"),
        ("GET", "/repos/acme/alpha/action/runs", {}, None, "no operation of GitHub's"),
        ("PUT", DISPATCH, {}, {"event_type": "x"}, "no operation of GitHub's"),
    ],
)
def test_a_slip_in_a_request_is_found(
    method: str, path: str, query: dict[str, str], body: Any, problem: str
) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    assert problem in "\n".join(problems_of_request(method, path, query, content))


def test_a_misspelt_field_of_the_dispatcher_would_be_found(
    github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.repository("acme/alpha")
    written = dispatch_events.compact_json
    slip = (b'"client_payload"', b'"client_paylod"')
    monkeypatch.setattr(dispatch_events, "compact_json", lambda data: written(data).replace(*slip))
    dispatcher = GitHubDispatcher(github.url, lambda _: TOKEN)
    assert send(dispatcher, by_event())[0] == "refused"
    (problem,) = problems_of(github)
    assert "'client_paylod' was unexpected" in problem


@pytest.mark.parametrize(
    ("path", "status", "changes", "problem"),
    [
        (RUNS, 200, {"display_titel": "x"}, "'display_titel' was unexpected"),
        (RUNS, 200, {"id": "7"}, "'7' is not of type 'integer'"),
        (RUNS, 200, {"created_at": "yesterday"}, "is not a 'date-time'"),
        (RUNS, 200, {"node_id": None}, "None is not of type 'string'"),
        (RUNS, 202, {}, "never answers 202"),
        (DISPATCH, 204, {}, "204 has no body"),
        (DISPATCH, 200, {}, "never answers 200"),
    ],
)
def test_a_slip_in_an_answer_is_found(path: str, status: int, changes: dict[str, Any], problem: str) -> None:
    run = complete("workflow-run", {"id": 7}) | changes
    body = json.dumps({"total_count": 1, "workflow_runs": [run]}).encode()
    method = "POST" if path == DISPATCH else "GET"
    assert problem in "\n".join(problems_of_answer(method, path, status, body))


def test_an_answer_that_lacks_what_github_always_tells_is_found() -> None:
    lacking = json.dumps({"total_count": 1, "workflow_runs": [{"id": 7}]}).encode()
    assert "'display_title' is a required property" in "\n".join(
        problems_of_answer("GET", RUNS, 200, lacking)
    )


def test_the_description_is_whole_and_says_where_it_is_from() -> None:
    assert "@octokit/openapi" in DESCRIPTION["source"]
    assert DESCRIPTION["license"][0].startswith("MIT License Copyright")
    for schema in DEFINITIONS.values():
        Draft202012Validator.check_schema(schema)
    referred = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(DESCRIPTION)))
    assert referred == set(DEFINITIONS)
