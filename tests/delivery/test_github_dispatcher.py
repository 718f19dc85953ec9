"""What leaves for GitHub, what every answer means, and what must never leave: over real sockets."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from certificates import certificate
from github_stand_in import PUBLISH, Fault, GitHub, rate_limited

from scheduler.delivery.dispatcher import Request
from scheduler.delivery.github import http_burst, queries
from scheduler.delivery.github.api_url import read_api_url
from scheduler.delivery.github.github_dispatcher import GitHubDispatcher
from scheduler.delivery.github.http_burst import HttpBurst
from scheduler.delivery.github.http_connection import HttpConnection, Outgoing, Reply
from scheduler.delivery.github.responses import scrubber, summary
from scheduler.errors import Error
from scheduler.state.answers import Answer
from scheduler.state.record import Intent
from scheduler.times import instant_text

TOKEN = "ghs_CANARY0123456789abcdefCANARY"
SENT_AT = 1_772_388_000  # 2026-03-01T18:00:00Z
ACCEPTED = b"HTTP/1.1 204 No Content\r\nDate: Sun, 01 Mar 2026 18:00:05 GMT\r\nServer: github.com\r\n\r\n"


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with GitHub() as server:
        server.clock = lambda: float(SENT_AT)
        server.repository("acme/alpha")
        yield server


Connect = Callable[..., GitHubDispatcher]


@pytest.fixture
def connect(hub: GitHub) -> Iterator[Connect]:
    """A dispatcher to the hub; every one is closed at the end."""
    made: list[GitHubDispatcher] = []

    def make(url: str | None = None, token: str | None = TOKEN, **settings: Any) -> GitHubDispatcher:
        made.append(GitHubDispatcher(url or hub.url, lambda _: token, **settings))
        return made[-1]

    yield make
    for dispatcher in made:
        dispatcher.close()


def intent(key: str = "gs1-alpha", **changes: Any) -> Intent:
    usual: dict[str, Any] = {
        "owner": "nonce",
        "at": instant_text(SENT_AT),
        "key": key,
        "not_after": instant_text(SENT_AT + 3600),
        "transport": "repository_dispatch",
        "repository": "acme/alpha",
        "event_type": "process-video",
        "token": "ACME_TOKEN",
    }
    return Intent(**(usual | changes))


def request(
    name: str = "spring/teaser/alpha", payload: dict[str, Any] | None = None, **changes: Any
) -> Request:
    made = intent(**changes)
    return Request(schedule_id=name, intent=made, payload={"key": made.key, **(payload or {})})


def by_workflow(name: str = "spring/teaser/alpha", **changes: Any) -> Request:
    return request(name, **({"transport": "workflow_dispatch", "workflow": "publish.yml"} | changes))


def answer_to(dispatcher: GitHubDispatcher, one: Request) -> Answer:
    ((answered, answer),) = dispatcher.send([one])
    assert answered is one
    return answer


# --- the request ------------------------------------------------------------------------------------


def test_a_repository_dispatch_is_one_post_with_the_event_and_the_payload(
    hub: GitHub, connect: Connect
) -> None:
    answer = answer_to(connect(), request(payload={"video_id": "téaser-4k", "metadata": None}))

    assert answer == Answer(verdict="accepted", server_time=SENT_AT)
    (seen,) = hub.requests
    assert (seen.method, seen.path) == ("POST", "/repos/acme/alpha/dispatches")
    assert seen.json == {
        "event_type": "process-video",
        "client_payload": {"key": "gs1-alpha", "video_id": "téaser-4k", "metadata": None},
    }
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["accept"] == "application/vnd.github+json"
    assert seen.headers["x-github-api-version"] == "2022-11-28"
    assert seen.headers["user-agent"] == "wave-scheduler"
    assert seen.headers["host"] == f"127.0.0.1:{hub.port}"


def test_a_workflow_dispatch_goes_to_the_default_branch_and_learns_its_run(
    hub: GitHub, connect: Connect
) -> None:
    hub.repository("acme/alpha").default_branch = "trunk"
    answer = answer_to(connect(), by_workflow())

    (run,) = hub.repository("acme/alpha").runs
    assert answer.verdict == "accepted"
    assert answer.run_id == run.id
    assert answer.run_url == f"https://github.com/acme/alpha/actions/runs/{run.id}"
    (dispatch,) = hub.dispatches
    assert (dispatch.ref, dispatch.payload) == ("trunk", {"key": "gs1-alpha"})


def test_the_default_branch_is_asked_for_once_a_repository(hub: GitHub, connect: Connect) -> None:
    dispatcher = connect()
    dispatcher.prepare([by_workflow("a"), by_workflow("b")])
    assert [one.method for one in hub.requests] == ["GET"]
    assert [answer.verdict for _, answer in dispatcher.send([by_workflow("a"), by_workflow("b")])] == [
        "accepted",
        "accepted",
    ]
    assert [one.method for one in hub.requests] == ["GET", "POST", "POST"]


def test_an_older_server_that_ignores_run_details_says_yes_with_204(hub: GitHub, connect: Connect) -> None:
    hub.run_details = "ignored"
    answer = answer_to(connect(), by_workflow())
    assert (answer.verdict, answer.run_id) == ("accepted", None)
    assert len(hub.dispatches) == 1


def test_an_older_server_that_refuses_run_details_is_asked_once_without_them(
    hub: GitHub, connect: Connect
) -> None:
    hub.run_details = "refused"
    dispatcher = connect()
    for name in ("a", "b"):
        assert answer_to(dispatcher, by_workflow(name)).verdict == "accepted"
    assert len(hub.dispatches) == 2
    posts = [one.json for one in hub.requests if one.method == "POST"]
    assert ["return_run_details" in post for post in posts] == [True, False, False]


def test_a_400_that_is_not_about_run_details_is_a_definite_no(hub: GitHub, connect: Connect) -> None:
    hub.faults.append(Fault(status=400, body={"message": "Problems parsing JSON"}))
    assert answer_to(connect(), by_workflow()).verdict == "refused"
    assert [one.method for one in hub.requests] == ["GET", "POST"]


def test_the_base_path_of_an_enterprise_server_is_kept(connect: Connect) -> None:
    with GitHub(prefix="/api/v3") as server:
        server.repository("acme/alpha")
        dispatcher = connect(server.url + "/")
        assert answer_to(dispatcher, by_workflow()).verdict == "accepted"
        assert answer_to(dispatcher, request()).verdict == "accepted"
        assert dispatcher.look_up({"a": intent(at="2020-01-01T00:00:00Z")})["a"].runs
        assert all(one.path.startswith("/api/v3/repos/") for one in server.requests)


def test_loopback_by_its_ipv6_address(connect: Connect) -> None:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(GitHub(host="::1"))
        except OSError:
            pytest.skip("this machine has no IPv6")
        server.repository("acme/alpha")
        assert answer_to(connect(server.url), request()).verdict == "accepted"
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


# --- the table of answers ---------------------------------------------------------------------------

DEFINITE_NO = [400, 403, 404, 405, 409, 410, 413, 415, 418, 422, 451, 300, 301, 302, 303, 304, 307, 308]
UNKNOWN = [200, 201, 202, 203, 205, 206, 299, 500, 501, 502, 503, 504, 520, 599]


@pytest.mark.parametrize("status", DEFINITE_NO)
def test_a_definite_no_is_refused(hub: GitHub, connect: Connect, status: int) -> None:
    hub.faults.append(Fault(status=status, body={"message": "words of the server"}))
    answer = answer_to(connect(), request())
    assert answer.verdict == "refused"
    assert answer.error is not None
    assert answer.error.startswith(f"HTTP {status}: ")
    assert not answer.limited
    assert len(hub.requests) == 1


@pytest.mark.parametrize("status", UNKNOWN)
@pytest.mark.parametrize("accepted", [True, False], ids=["which took effect", "which did not"])
def test_any_other_2xx_and_every_5xx_is_unknown(
    hub: GitHub, connect: Connect, status: int, accepted: bool
) -> None:
    hub.faults.append(Fault(status=status, body={"message": "oops"}, accept=accepted))
    assert answer_to(connect(), request()).verdict == "unknown"
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[7]",
        b'{"workflow_run_id": true}',
        b'{"workflow_run_id": "7"}',
        b'{"workflow_run_id": 0}',
        b'{"workflow_run_id": 7',
        b"[" * 5000,
        b'{"workflow_run_id": 7, "x": "' + b"x" * 70_000 + b'"}',
    ],
)
def test_a_200_without_a_run_id_is_unknown(hub: GitHub, connect: Connect, body: bytes) -> None:
    hub.faults.append(Fault(status=200, body=body))
    assert answer_to(connect(), by_workflow()).verdict == "unknown"


def test_a_run_id_to_a_repository_dispatch_is_unknown_since_nobody_asked_for_it(
    hub: GitHub, connect: Connect
) -> None:
    hub.faults.append(Fault(status=200, body={"workflow_run_id": 7}))
    assert answer_to(connect(), request()).verdict == "unknown"


def test_the_words_of_a_refusal_say_what_to_look_at(hub: GitHub, connect: Connect) -> None:
    answer = answer_to(connect(), request(repository="acme/gone"))
    assert answer.error == (
        "HTTP 404: Not Found; acme/gone does not exist, or the token in ACME_TOKEN has no access to it"
    )
    invalid = {"message": "Validation Failed", "errors": [{"field": "event_type", "code": "invalid"}, "odd"]}
    hub.faults.append(Fault(status=422, body=invalid))
    told = answer_to(connect(), request()).error
    assert told is not None
    assert told.endswith("(Validation Failed; event_type invalid; odd)")


def test_a_renamed_repository_is_a_no_with_a_hint(hub: GitHub, connect: Connect) -> None:
    hub.rename("acme/alpha", "acme/omega")
    for one in (request(), by_workflow()):
        answer = answer_to(connect(), one)
        assert answer.verdict == "refused"
        assert "renamed or transferred" in (answer.error or "")
    assert hub.dispatches == []
    assert len(hub.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed_and_the_token_stays_at_home(
    hub: GitHub, connect: Connect, status: int
) -> None:
    with GitHub() as elsewhere:
        elsewhere.repository("acme/alpha")
        for method in ("POST", "GET"):
            hub.faults.append(
                Fault(
                    status=status,
                    headers={"Location": elsewhere.url + "/repos/acme/alpha/dispatches"},
                    body={"message": "Moved"},
                    method=method,
                    times=None,
                )
            )
        dispatcher = connect()
        assert answer_to(dispatcher, request()).verdict == "refused"
        assert answer_to(dispatcher, by_workflow()).verdict == "refused"
        assert dispatcher.look_up({"a": intent()})["a"].error is not None
        assert not dispatcher.ask_ready({"a": intent()})["a"].ready
        assert elsewhere.connections == 0


# --- limits -----------------------------------------------------------------------------------------


def exhausted(reset: int) -> Fault:
    """The primary limit: nothing remains until `reset`, in the server's time."""
    return Fault(status=403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)})


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        (rate_limited(retry_after="60"), 60),
        (Fault(status=429, headers={"Retry-After": "7"}), 7),
        (Fault(status=429), None),
        (Fault(status=403, headers={"Retry-After": "Sun, 01 Mar 2026 18:01:30 GMT"}), 90),
        (exhausted(SENT_AT + 2400), 2400),
        (exhausted(1), 0),
        (Fault(status=403, headers={"x-ratelimit-remaining": "0"}), None),
        (Fault(status=403, body={"message": "API rate limit exceeded for installation."}), None),
        (Fault(status=429, headers={"Retry-After": "soon"}), None),
        (Fault(status=429, headers={"Retry-After": "-5"}), None),
        (Fault(status=429, headers={"Retry-After": "999999999"}), 86_400),
        (Fault(status=429, headers={"Retry-After": "9" * 400}), None),
    ],
)  # fmt: skip
def test_a_rate_limit_is_not_now_and_about_the_token(
    hub: GitHub, connect: Connect, fault: Fault, wait: int | None
) -> None:
    hub.faults.append(fault)
    answer = answer_to(connect(), request())
    assert (answer.verdict, answer.limited) == ("not-now", True)
    assert answer.retry_at == (None if wait is None else SENT_AT + wait)


def test_a_wait_is_counted_on_the_schedulers_own_clock(hub: GitHub, connect: Connect) -> None:
    hub.faults.append(exhausted(SENT_AT + 60))
    answer = answer_to(connect(now=lambda: 5_000), request())
    assert (answer.retry_at, answer.server_time) == (5_060, SENT_AT)


def test_a_403_of_missing_rights_is_a_definite_no(hub: GitHub, connect: Connect) -> None:
    words = "Resource not accessible by personal access token"
    hub.faults.append(Fault(status=403, body={"message": words}))
    answer = answer_to(connect(), request())
    assert (answer.verdict, answer.limited) == ("refused", False)
    assert answer.error == (
        f"HTTP 403: Forbidden ({words}); the token in ACME_TOKEN needs Contents: write on acme/alpha"
    )


SSO = "https://github.com/orgs/acme/sso?authorization_request=AZSCKtL4U8yX1H3s"
FORBIDDEN = {
    "single sign-on": (
        {"X-GitHub-SSO": f"required; url={SSO}"},
        "Resource protected by organization SAML enforcement. You must grant your Personal Access token"
        " access to this organization.",
        f"authorize the token in ACME_TOKEN for single sign-on to acme: {SSO}",
    ),
    "single sign-on without an address": (
        {},
        "Resource protected by organization SAML enforcement.",
        "authorize the token in ACME_TOKEN for single sign-on to acme",
    ),
    "an address that no browser should open": (
        {"X-GitHub-SSO": "required; url=javascript:alert(1)"},
        "Resource protected by organization SAML enforcement.",
        "authorize the token in ACME_TOKEN for single sign-on to acme",
    ),
    "archived": (
        {},
        "Repository was archived so is read-only.",
        "unarchive acme/alpha, or set `active: false` on the channel",
    ),
    "an IP allow list": (
        {},
        "Although you appear to have the correct authorization credentials, the `acme` organization has an IP"
        " allow list enabled, and 192.0.2.7 is not permitted to access this resource.",
        "add this machine's address to the IP allow list of acme",
    ),
    "a suspended App": (
        {},
        "This installation has been suspended",
        "unsuspend the GitHub App whose token ACME_TOKEN has, in the settings of acme",
    ),
    "a suspended account": (
        {},
        "Sorry. Your account was suspended.",
        "the account of the token in ACME_TOKEN is suspended: use a token of another account",
    ),
    "an expired token": (
        {},
        "Your token has expired.",
        "the token in ACME_TOKEN has expired: renew it",
    ),
    "a revoked token": (
        {},
        "This token has been revoked.",
        "the token in ACME_TOKEN was revoked: put a new one there",
    ),
    "classic tokens": (
        {},
        "`acme` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or"
        " a personal access token with fine-grained permissions.",
        "use a fine-grained token or that of a GitHub App in ACME_TOKEN: acme accepts no classic ones",
    ),
    "a token that lives for too long": (
        {},
        "The 'acme' organization forbids access via a fine-grained personal access tokens if the token's"
        " lifetime is greater than 366 days.",
        "shorten the lifetime of the token in ACME_TOKEN, as acme requires",
    ),
    "an app that is not approved": (
        {},
        "Although you appear to have the correct authorization credentials, the `acme` organization has"
        " enabled OAuth App access restrictions",
        "approve the app whose token ACME_TOKEN has in the settings of acme",
    ),
    "a blocked repository": (
        {},
        "Repository access blocked",
        "GitHub has blocked acme/alpha: ask GitHub's support about it",
    ),
    "a missing right of an App": (
        {},
        "Resource not accessible by integration",
        "the token in ACME_TOKEN needs Contents: write on acme/alpha",
    ),
    "a missing right of a person": (
        {},
        "Must have admin rights to Repository.",
        "the token in ACME_TOKEN needs Contents: write on acme/alpha",
    ),
    "a message that nobody has seen before": ({}, "The moon is in the wrong house", None),
    "no message": ({}, "", None),
}

ABOUT_THE_TOKEN = {
    "single sign-on", "single sign-on without an address", "an address that no browser should open",
    "an IP allow list", "a suspended App", "a suspended account", "classic tokens",
    "an app that is not approved", "a token that lives for too long", "an expired token",
    "a revoked token",
}  # fmt: skip
"""Where another token, or another right of the same one, is all that is missing: the publication waits."""


@pytest.mark.parametrize("case", FORBIDDEN)
def test_the_hint_for_a_403_fits_the_servers_message(hub: GitHub, connect: Connect, case: str) -> None:
    headers, message, hint = FORBIDDEN[case]
    hub.faults.append(Fault(status=403, headers=headers, body={"message": message}))
    answer = answer_to(connect(), request())
    shown = f" ({message})" if message else ""
    assert answer.error == f"HTTP 403: Forbidden{shown}" + (f"; {hint}" if hint else "")
    verdict = "not-now" if case in ABOUT_THE_TOKEN else "refused"
    assert (answer.verdict, answer.limited, answer.token_ended) == (verdict, False, verdict == "not-now")


def test_a_403_that_throttles_is_a_limit_and_no_refusal(hub: GitHub, connect: Connect) -> None:
    message = "This endpoint is temporarily being throttled. Please try again later."
    hub.faults.append(Fault(status=403, body={"message": message}))
    answer = answer_to(connect(), request())
    assert (answer.verdict, answer.limited) == ("not-now", True)


# --- answers that are none --------------------------------------------------------------------------


@pytest.mark.parametrize("cut_at", range(len(ACCEPTED)))
def test_a_204_cut_at_any_byte_is_unknown(hub: GitHub, connect: Connect, cut_at: int) -> None:
    hub.faults.append(Fault("raw", raw=ACCEPTED[:cut_at]))
    assert answer_to(connect(), request()).verdict == "unknown"


def test_the_whole_204_is_a_yes(hub: GitHub, connect: Connect) -> None:
    hub.faults.append(Fault("raw", raw=ACCEPTED))
    assert answer_to(connect(), request()) == Answer(verdict="accepted", server_time=SENT_AT + 5)


@pytest.mark.parametrize("cut_at", [1, 100, 330, -1])
def test_a_200_with_a_run_id_that_is_cut_is_unknown(hub: GitHub, connect: Connect, cut_at: int) -> None:
    hub.faults.append(Fault("cut", cut_at=cut_at))
    assert answer_to(connect(), by_workflow()).verdict == "unknown"
    assert len(hub.dispatches) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"not http\r\n\r\n",
        b"HTTP/1.1 204\r\nbad header line\r\n\r\n",
        b"HTTP/1.1 20 4\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n" + b"X-Filler: " + b"x" * 400_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 50\r\n\r\n{",
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_what_is_no_whole_http_answer_is_unknown(hub: GitHub, connect: Connect, raw: bytes) -> None:
    hub.faults.append(Fault("raw", raw=raw))
    assert answer_to(connect(), request()).verdict == "unknown"


def test_informational_answers_are_passed_over(hub: GitHub, connect: Connect) -> None:
    hub.faults.append(
        Fault("raw", raw=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ACCEPTED)
    )
    assert answer_to(connect(), request()).verdict == "accepted"


@pytest.mark.parametrize("what", ["hang", "drip", "reset", "close"])
@pytest.mark.parametrize("accepted", [True, False], ids=["after it took effect", "before"])
def test_silence_and_a_lost_connection_are_unknown(
    hub: GitHub, connect: Connect, what: Any, accepted: bool
) -> None:
    hub.faults.append(Fault(what, accept=accepted))
    answer = answer_to(connect(answer_timeout=0.2), request())
    assert answer.verdict == "unknown"
    assert (answer.error or "").startswith("it may have been sent: ")
    assert len(hub.requests) == 1


def test_an_endless_refusal_is_still_a_refusal(hub: GitHub, connect: Connect) -> None:
    hub.faults.append(Fault(status=404, body=b"x" * 3_000_000))
    answer = answer_to(connect(), request())
    assert answer.verdict == "refused"
    assert len(answer.error or "") <= 500


# --- nothing left -----------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def reset(line: socket.socket) -> None:
    """Hang up so that the other side's next word is an error."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def test_a_refused_connection_is_not_now(connect: Connect) -> None:
    dispatcher = connect(f"http://127.0.0.1:{closed_port()}")
    requests = [request(str(number)) for number in range(250)]
    dispatcher.prepare(requests)
    answers = list(dispatcher.send(requests))
    assert {answer.verdict for _, answer in answers} == {"not-now"}
    assert {one.schedule_id for one, _ in answers} == {str(number) for number in range(250)}
    assert "nothing was sent" in (answers[0][1].error or "")
    assert not answers[0][1].limited


def test_an_unknown_host_is_not_now(connect: Connect) -> None:
    answer = answer_to(connect("https://no-such-host.invalid"), request())
    assert answer.verdict == "not-now"
    assert "no such host" in (answer.error or "")


def test_a_server_that_hangs_up_before_a_request_is_not_now(connect: Connect) -> None:
    """Nothing of the request left: it may be tried on one more connection, and no others."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        port = listener.getsockname()[1]
        dispatcher = connect(f"http://127.0.0.1:{port}")
        dispatcher.prepare([request()])
        reset(listener.accept()[0])
        listener.close()  # the prepared line is dead, and nobody answers any more
        assert answer_to(dispatcher, request()).verdict == "not-now"


def test_an_unreadable_default_branch_is_judged_by_the_table_and_unknown_is_not_now(
    hub: GitHub, connect: Connect
) -> None:
    """A question changes nothing: whatever became of it, no dispatch has left."""
    expected = {500: "not-now", 404: "refused", 401: "not-now", 429: "not-now", 204: "not-now"}
    for status, verdict in expected.items():
        hub.faults.append(Fault(status=status, method="GET"))
        assert answer_to(connect(), by_workflow()).verdict == verdict, status
    hub.faults.append(Fault("hang", method="GET"))
    assert answer_to(connect(answer_timeout=0.2), by_workflow()).verdict == "not-now"
    assert hub.dispatches == []


def test_one_repository_without_a_branch_holds_no_other_back(hub: GitHub, connect: Connect) -> None:
    hub.repository("acme/beta")
    batch = [by_workflow("a", repository="acme/gone"), by_workflow("b", repository="acme/beta"), request("c")]
    answers = {one.schedule_id: answer.verdict for one, answer in connect().send(batch)}
    assert answers == {"a": "refused", "b": "accepted", "c": "accepted"}


def test_a_line_that_turns_out_dead_at_the_first_byte_is_replaced_once_and_the_order_kept(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look at a line and the first byte on it, the server may hang up."""
    monkeypatch.setattr(HttpConnection, "is_alive", lambda _: True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        dispatcher = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        requests = [request("a", key="ka"), request("b", key="kb")]
        dispatcher.prepare(requests)
        for _ in requests:
            reset(listener.accept()[0])
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.extend(one for _, one in dispatcher.send(requests)))
        thread.start()
        for key in (b'"ka"', b'"kb"'):
            with listener.accept()[0] as line:
                assert key in line.recv(65_536)
                line.sendall(ACCEPTED)
        thread.join()
    assert [answer.verdict for answer in answers] == ["accepted", "accepted"]


def test_a_server_that_always_hangs_up_first_is_given_up(
    hub: GitHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpConnection, "is_alive", lambda _: False)
    answers = list(connect().send([request("a"), request("b")]))
    assert {answer.verdict for _, answer in answers} == {"not-now"}
    assert "hung up before anything was sent" in (answers[0][1].error or "")
    assert hub.requests == []


def test_a_branch_that_was_renamed_is_asked_for_again_next_time(hub: GitHub, connect: Connect) -> None:
    dispatcher = connect()
    assert answer_to(dispatcher, by_workflow()).verdict == "accepted"
    hub.repository("acme/alpha").default_branch = "trunk"
    assert answer_to(dispatcher, by_workflow()).verdict == "refused"
    assert answer_to(dispatcher, by_workflow()).verdict == "accepted"


# --- TLS --------------------------------------------------------------------------------------------


def test_a_certificate_that_nobody_vouches_for_is_not_now_and_no_byte_leaves(
    tmp_path: Path, connect: Connect
) -> None:
    _, context = certificate(tmp_path, "127.0.0.1")
    with GitHub(tls=context) as server:
        server.repository("acme/alpha")
        dispatcher = connect(server.url)
        answer = answer_to(dispatcher, request())
        assert answer.verdict == "not-now"
        assert "certificate: self-signed certificate" in (answer.error or "")
        assert "self-signed" in (dispatcher.look_up({"a": intent()})["a"].error or "")
        assert server.requests == []


def test_a_certificate_in_ssl_cert_file_is_trusted_for_its_own_name_alone(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with GitHub(tls=context) as server:
        server.repository("acme/alpha")
        dispatcher = connect(server.url)
        requests = [request(str(number)) for number in range(20)]
        dispatcher.prepare(requests)
        assert [answer.verdict for _, answer in dispatcher.send(requests)] == ["accepted"] * 20
        assert dispatcher.look_up({"a": intent(at="2020-01-01T00:00:00Z")})["a"].runs
        other = connect(server.url.replace("127.0.0.1", "localhost"))
        assert "certificate: " in (answer_to(other, request()).error or "")


def talk_tls(context: ssl.SSLContext, listener: socket.socket) -> ssl.SSLSocket:
    line = listener.accept()[0]
    return context.wrap_socket(line, server_side=True)


@pytest.mark.parametrize("raw", [b"HTTP/1.1 204 No", b"HTTP/1.1 404 Not Found\r\n\r\nNot all of", b""])
def test_a_tls_answer_that_ends_without_a_goodbye_is_unknown(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    """Without the goodbye, somebody between may have cut what the server said."""
    pem, context = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:
        listener.settimeout(30)
        dispatcher = connect(f"https://127.0.0.1:{listener.getsockname()[1]}")
        answer = thread.submit(answer_to, dispatcher, request())
        with talk_tls(context, listener) as line:
            assert line.recv(65_536).startswith(b"POST ")
            line.sendall(raw)
        assert answer.result().verdict == "unknown"


def test_a_tls_line_that_dies_at_the_first_byte_is_unknown(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell how much of an encrypted request went out before the error."""
    pem, context = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as thread:
        listener.settimeout(30)
        dispatcher = connect(f"https://127.0.0.1:{listener.getsockname()[1]}")
        ready = thread.submit(dispatcher.prepare, [request()])
        line = talk_tls(context, listener)
        ready.result()
        reset(line)
        monkeypatch.setattr(HttpConnection, "is_alive", lambda _: True)
        assert answer_to(dispatcher, request()).verdict == "unknown"


def test_a_plain_server_at_an_https_address_is_not_now(hub: GitHub, connect: Connect) -> None:
    answer = answer_to(connect(hub.url.replace("http:", "https:"), connect_timeout=0.3), request())
    assert answer.verdict == "not-now"
    assert "no TLS handshake within 0.3 s" in (answer.error or "")
    assert hub.requests == []


# --- many at once -----------------------------------------------------------------------------------


def test_a_hundred_leave_in_order_each_once_and_all_are_answered(hub: GitHub, connect: Connect) -> None:
    for number in range(100):
        hub.repository(f"acme/channel-{number}")
    hub.latency = 0.02
    dispatcher = connect()
    requests = [request(f"{n}", key=f"k{n}", repository=f"acme/channel-{n}") for n in range(100)]
    dispatcher.prepare(requests)
    answers = {one.schedule_id: answer.verdict for one, answer in dispatcher.send(requests)}
    assert answers == {f"{number}": "accepted" for number in range(100)}
    assert [one.payload["key"] for one in hub.dispatches] == [f"k{number}" for number in range(100)]
    assert [one.repository for one in hub.dispatches] == [f"acme/channel-{number}" for number in range(100)]
    assert hub.connections == 100


def test_more_than_the_bound_go_in_waves_in_order(hub: GitHub, connect: Connect) -> None:
    requests = [request(f"{number}", key=f"k{number}") for number in range(60)]
    answers = list(connect(at_once=7).send(requests))
    assert [answer.verdict for _, answer in answers] == ["accepted"] * 60
    assert sorted(one.payload["key"] for one in hub.dispatches) == sorted(f"k{n}" for n in range(60))
    assert [one.payload["key"] for one in hub.dispatches][:7] == [f"k{number}" for number in range(7)]


def test_one_silent_channel_does_not_keep_the_others_from_being_told(hub: GitHub, connect: Connect) -> None:
    hub.repository("acme/silent").faults.append(Fault("hang"))
    requests = [request("slow", repository="acme/silent"), *(request(str(number)) for number in range(5))]
    told = [one.schedule_id for one, _ in connect(answer_timeout=1.0).send(requests)]
    assert told[-1] == "slow"
    assert sorted(told[:-1]) == ["0", "1", "2", "3", "4"]


def test_time_that_the_caller_takes_between_answers_is_not_the_servers(
    hub: GitHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = 0.0
    monkeypatch.setattr(http_burst, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + away))
    hub.faults.append(Fault("slow", delay=0.05, path="second"))
    hub.repository("acme/second")
    answers = connect().send([request("a"), request("b", repository="acme/second")])
    assert next(answers)[0].schedule_id == "a"
    away = 1_000.0  # a very slow save
    assert next(answers)[1].verdict == "accepted"


def test_a_prepared_connection_that_died_is_opened_again(hub: GitHub, connect: Connect) -> None:
    dispatcher = connect()
    requests = [request(str(number), key=f"k{number}") for number in range(10)]
    dispatcher.prepare(requests)
    assert hub.requests == []
    hub.close_idle_connections()
    assert [answer.verdict for _, answer in dispatcher.send(requests)] == ["accepted"] * 10
    assert [one.payload["key"] for one in hub.dispatches] == [f"k{number}" for number in range(10)]


def test_a_connection_on_which_the_server_complains_unasked_is_not_used(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        dispatcher = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        dispatcher.prepare([request()])
        answers: list[Answer] = []
        first = listener.accept()[0]
        first.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        with first:
            thread = threading.Thread(target=lambda: answers.append(answer_to(dispatcher, request())))
            thread.start()
            with listener.accept()[0] as second:
                assert second.recv(65_536).startswith(b"POST ")
                second.sendall(ACCEPTED)
                thread.join()
            with contextlib.suppress(ConnectionResetError):
                assert first.recv(10) == b""  # hung up, nothing sent
    assert [answer.verdict for answer in answers] == ["accepted"]


def test_prepare_raises_nothing_and_sends_nothing(hub: GitHub, connect: Connect) -> None:
    connect(f"http://127.0.0.1:{closed_port()}").prepare([request(), by_workflow()])
    connect(token=None).prepare([request(), by_workflow()])
    connect("https://no-such-host.invalid").prepare([request()])
    connect().prepare([request()] * 300)
    assert hub.requests == []
    assert hub.connections <= 102


def test_a_caller_that_stops_listening_leaves_no_connection_open(hub: GitHub, connect: Connect) -> None:
    hub.latency = 0.01
    answers = connect().send([request(str(number)) for number in range(20)])
    next(answers)
    answers.close()  # type: ignore[attr-defined] # a generator; ResourceWarning would fail this test


def test_a_server_that_reads_slowly_gets_the_whole_of_a_large_payload(connect: Connect) -> None:
    """The kernel takes a large request in parts; each part is written once."""
    big = request(payload={"metadata": {"text": "ü" * 900_000}})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        dispatcher = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(answer_to(dispatcher, big)))
        thread.start()
        with listener.accept()[0] as server:
            with server.makefile("rb") as reader:
                head = b"".join(iter(reader.readline, b"\r\n"))
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                body = reader.read(size)
            server.sendall(ACCEPTED)
            thread.join()
    assert json.loads(body)["client_payload"]["metadata"]["text"] == "ü" * 900_000
    assert [answer.verdict for answer in answers] == ["accepted"]


# --- secrets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "  \n", None])
def test_without_a_token_nothing_is_sent(hub: GitHub, connect: Connect, token: str | None) -> None:
    answer = answer_to(connect(token=token), request())
    assert (answer.verdict, answer.error) == ("not-now", "nothing was sent: no token: ACME_TOKEN is not set")
    assert answer.token_ended
    assert answer_to(connect(token=token), by_workflow()).verdict == "not-now"
    assert hub.requests == []


def test_white_space_around_a_token_is_dropped(hub: GitHub, connect: Connect) -> None:
    assert answer_to(connect(token=f" {TOKEN}\r\n"), request()).verdict == "accepted"
    assert hub.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "bad", ["ghs_CANARY\nX-Evil: 1", "ghs_ CANARY", "ghs_CANARY\0", "ghs_CANARYé", "ghs_CANARY\u2028x"]
)
def test_a_token_that_no_header_may_carry_is_refused_and_not_shown(
    hub: GitHub, connect: Connect, bad: str
) -> None:
    dispatcher = connect(token=bad)
    said = [answer_to(dispatcher, request()).error, dispatcher.look_up({"a": intent()})["a"].error]
    said.append(dispatcher.ask_ready({"a": intent()})["a"].problem)
    assert all(words and "ACME_TOKEN" in words and "CANARY" not in words for words in said)
    assert hub.connections == 0


@pytest.mark.parametrize("token", [TOKEN, "a-CANARY-of/another+kind="])
def test_a_token_that_the_server_echoes_is_struck_out_everywhere(
    hub: GitHub,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    token: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = {"message": f"Bad \x1b[31m credentials {token}\u202e in {token}", "html_url": f"https://x/{token}"}
    for status in (401, 404, 500, 429):
        hub.faults += [Fault(status=status, body=echo), Fault(status=status, body=f"plain {token}\x00\x07")]
        hub.faults += [Fault(status=status, body=echo, method="GET") for _ in range(3)]
        dispatcher = connect(token=token)
        said = [
            repr(answer_to(dispatcher, request())),
            repr(answer_to(dispatcher, request())),
            repr(answer_to(dispatcher, by_workflow())),
            repr(dispatcher.look_up({"a": intent()})),
            repr(dispatcher.inspect({"a": intent()})),
        ]
        assert "CANARY" not in "".join(said)
        assert "***" in said[0]
        assert not any(sign in "".join(said) for sign in ("\\x", "\\u", "\x1b", "\u202e"))
    hub.faults.append(Fault(status=200, body={"workflow_run_id": 7, "html_url": f"https://x/{token}"}))
    assert answer_to(connect(token=token), by_workflow()).run_url is None
    heard = capfd.readouterr()
    assert "CANARY" not in caplog.text + heard.out + heard.err


def test_a_request_does_not_show_its_token_when_it_is_printed() -> None:
    one = Outgoing(method="POST", target="/x", headers=(("Authorization", f"Bearer {TOKEN}"),))
    assert "CANARY" not in f"{one!r}{one}"


def test_words_are_short_visible_and_without_anything_that_looks_like_a_token() -> None:
    scrub = scrubber([])
    assert scrub("a ghp_0123456789abcdef0123 b github_pat_0123456789abcdef0123") == "a *** b ***"
    assert scrub("tab\tline\nnul\0bell\x07 done") == "tab line nul bell done"
    assert len(scrub("x" * 9_999)) == 500


def test_an_intent_for_a_path_of_its_own_making_is_refused(hub: GitHub, connect: Connect) -> None:
    for name in (
        "acme/alpha/../../user",
        "acme",
        "acme/..",
        "acme/a b",
        "acme/a?x",
        "../acme/x",
        "acme/a%2f",
    ):
        assert answer_to(connect(), request(repository=name)).verdict == "refused"
        assert connect().look_up({"a": intent(repository=name)})["a"].error
    assert answer_to(connect(), by_workflow(workflow="../../dispatches")).verdict == "refused"
    assert all(one.path.count("..") == 0 or "%2F" in one.path for one in hub.requests)
    assert hub.dispatches == []


# --- the address ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://api.github.com", "https://api.github.com"),
        ("https://api.github.com/", "https://api.github.com"),
        ("https://GitHub.example.com:8443/api/v3/", "https://github.example.com:8443/api/v3"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://localhost:80/api", "http://localhost/api"),
        ("http://[::1]:4010", "http://[::1]:4010"),
    ],
)
def test_addresses_that_may_be_used(text: str, shown: str) -> None:
    assert str(read_api_url(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.github.com",
        "//api.github.com",
        "ftp://api.github.com",
        "file:///etc/passwd",
        "http://api.github.com",
        "http://169.254.169.254/",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://0.0.0.0",
        "http://2130706433",
        "https://api.github.com@evil.com",
        "https://user:CANARY@api.github.com",
        "https://api.github.com?x=1",
        "https://api.github.com/#x",
        "https://api.github.com/a/../b",
        "https://api.github.com//x",
        "https://api.github.com/%2e%2e",
        "https://api.github.com:0",
        "https://api.github.com:99999",
        "https://api.github.com:x",
        "https://api github.com",
        "https://api.github.com\n.evil.com",
        "https://api.github.com\\evil.com",
        "https://аpi.github.com",
        "https://[::1",
        "https://[fe80::1%eth0]",
        "https://-x.com",
        "https://",
    ],
)
def test_addresses_that_are_refused_with_a_hint(text: str) -> None:
    with pytest.raises(Error) as refusal:
        read_api_url(text)
    assert "GITHUB_API_URL" in str(refusal.value)
    assert refusal.value.hint
    assert "CANARY" not in str(refusal.value)


def test_a_localhost_that_is_elsewhere_gets_no_plain_request(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: away)
    way = HttpBurst(read_api_url("http://localhost"))
    ((_, outcome),) = way.exchange([Outgoing(method="GET", target="/")])
    assert "no such host" in repr(outcome)


# --- looking up -------------------------------------------------------------------------------------


def test_a_run_is_found_by_the_key_in_its_title(hub: GitHub, connect: Connect) -> None:
    dispatcher = connect()
    answer_to(dispatcher, request())
    (run,) = hub.repository("acme/alpha").runs
    for status, conclusion, expected in [
        ("queued", None, None), ("in_progress", None, None), ("completed", "success", "success"),
        ("completed", "failure", "failure"), ("completed", "cancelled", "cancelled"),
        ("completed", "skipped", "skipped"), ("completed", "startup_failure", "startup_failure"),
    ]:  # fmt: skip
        run.status, run.conclusion = status, conclusion
        lookup = dispatcher.look_up({"a": intent()})["a"]
        assert [(one.run_id, one.conclusion) for one in lookup.runs] == [(run.id, expected)]
    assert lookup.server_time == SENT_AT
    assert lookup.runs[0].started_at == SENT_AT
    assert lookup.runs[0].url == f"https://github.com/acme/alpha/actions/runs/{run.id}"
    asked = hub.requests[-1].query
    assert asked["event"] == "repository_dispatch"
    assert asked["created"] == ">=2026-03-01T17:55:00Z"


def test_a_run_that_is_not_there_yet_or_never_comes_is_no_run_and_no_error(
    hub: GitHub, connect: Connect
) -> None:
    repo = hub.repository("acme/alpha")
    repo.lag = 1_200
    dispatcher = connect()
    answer_to(dispatcher, request())
    assert dispatcher.look_up({"a": intent()})["a"].runs == ()
    assert dispatcher.look_up({"a": intent()})["a"].error is None
    hub.clock = lambda: SENT_AT + 1_201.0
    assert len(dispatcher.look_up({"a": intent()})["a"].runs) == 1


def test_two_runs_of_one_key_are_both_told(hub: GitHub, connect: Connect) -> None:
    hub.repository("acme/alpha").runs_per_dispatch = 2
    dispatcher = connect()
    answer_to(dispatcher, request())
    assert len(dispatcher.look_up({"a": intent()})["a"].runs) == 2


def test_a_key_that_begins_like_another_is_another(hub: GitHub, connect: Connect) -> None:
    dispatcher = connect()
    answer_to(dispatcher, request(key="gs1-alphabet"))
    assert dispatcher.look_up({"a": intent(key="gs1-alpha")})["a"].runs == ()


def test_one_listing_serves_all_keys_of_a_repository_on_all_its_pages(hub: GitHub, connect: Connect) -> None:
    dispatcher = connect()
    names = [f"k{number}x" for number in range(250)]
    for _, answer in dispatcher.send([request(name, key=name) for name in names]):
        assert answer.verdict == "accepted"
    hub.requests.clear()
    seen = dispatcher.look_up({name: intent(key=name) for name in names})
    assert all(len(seen[name].runs) == 1 for name in names)
    assert [one.query["page"] for one in hub.requests] == ["1", "2", "3"]


def test_where_github_lists_no_further_absence_is_no_answer(hub: GitHub, connect: Connect) -> None:
    repo = hub.repository("acme/alpha")
    dispatcher = connect()
    answer_to(dispatcher, request(key="first"))
    repo.runs += [
        repo.runs[0].__class__(**{**vars(repo.runs[0]), "id": 5_000 + n, "title": "x"}) for n in range(1_100)
    ]
    answer_to(dispatcher, request(key="last"))
    repo.runs[-1].id = 9_999
    seen = dispatcher.look_up({"first": intent(key="first"), "last": intent(key="last")})
    assert len(seen["last"].runs) == 1
    assert seen["first"].runs == ()
    assert "1,102 runs" in (seen["first"].error or "")


def test_repositories_events_and_failures_are_looked_up_apart(hub: GitHub, connect: Connect) -> None:
    hub.repository("acme/beta").faults.append(Fault(status=502, method="GET"))
    dispatcher = connect()
    list(dispatcher.send([request("a"), by_workflow("b", key="other")]))
    seen = dispatcher.look_up(
        {
            "a": intent(),
            "b": by_workflow(key="other").intent,
            "c": intent(repository="acme/beta"),
            "d": intent(repository="acme/gone"),
        }
    )
    assert len(seen["a"].runs) == len(seen["b"].runs) == 1
    assert (seen["c"].error or "").startswith("HTTP 502: Bad Gateway")
    assert (seen["d"].error or "").startswith("HTTP 404: Not Found")


def test_a_known_run_is_asked_for_itself_and_searched_by_key_where_it_is_gone(
    hub: GitHub, connect: Connect
) -> None:
    dispatcher = connect()
    answer = answer_to(dispatcher, by_workflow())
    assert answer.run_id is not None
    hub.repository("acme/alpha").runs[0].conclude("failure")
    hub.requests.clear()
    seen = dispatcher.look_up({"a": by_workflow().intent}, {"a": answer.run_id})
    assert [run.conclusion for run in seen["a"].runs] == ["failure"]
    assert [one.path.rpartition("/")[2] for one in hub.requests] == [str(answer.run_id)]
    assert [run.run_id for run in dispatcher.look_up({"a": by_workflow().intent}, {"a": 4})["a"].runs] == [
        answer.run_id
    ]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=202, body={"message": "later"}, method="GET", times=None),
        Fault(status=200, body=b"[]", method="GET"),
        Fault(status=200, body=b"not json", method="GET"),
        Fault(status=200, body=b"\xff\xfe{}", method="GET"),
        Fault(status=200, body=b'{"total_count": 1, "workflow_runs": [{"id": "x"}]}', method="GET"),
        Fault(status=200, body=b"[" * 100_000 + b"]" * 100_000, method="GET"),
        Fault("cut", cut_at=-1, method="GET"),
        Fault("reset", method="GET"),
        Fault("hang", method="GET"),
        rate_limited(retry_after="60"),
    ],
)
def test_a_lookup_without_a_usable_answer_is_an_error_and_no_absence(
    hub: GitHub, connect: Connect, fault: Fault
) -> None:
    fault.method = "GET"
    hub.faults.append(fault)
    lookup = connect(answer_timeout=0.3).look_up({"a": intent()})["a"]
    assert lookup.error
    assert lookup.runs == ()
    assert len(hub.requests) == 1


def test_an_answer_to_a_query_is_bounded(
    hub: GitHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where what was read so far would be an answer by itself."""
    monkeypatch.setattr(queries, "LARGEST_ANSWER", 1_000)
    listing = b'{"total_count": 0, "workflow_runs": []}'
    hub.faults.append(Fault(status=200, body=listing.ljust(1_000), method="GET"))
    hub.faults.append(Fault(status=200, body=listing.ljust(1_001), method="GET"))
    dispatcher = connect()
    assert dispatcher.look_up({"a": intent()})["a"].error is None
    assert dispatcher.look_up({"a": intent()})["a"].error == "the API's answer is larger than 1,000 bytes"


def test_a_query_carries_the_headers_of_a_dispatch_and_no_body(hub: GitHub, connect: Connect) -> None:
    connect().look_up({"a": intent()})
    (seen,) = hub.requests
    assert (seen.method, seen.path, seen.body) == ("GET", "/repos/acme/alpha/actions/runs", b"")
    assert seen.query["created"] == f">={instant_text(SENT_AT - 300)}"
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["accept"] == "application/vnd.github+json"
    assert seen.headers["x-github-api-version"] == "2022-11-28"
    assert seen.headers["user-agent"] == "wave-scheduler"


# --- ready ------------------------------------------------------------------------------------------


def test_a_channel_that_is_ready_has_nothing_to_say(hub: GitHub, connect: Connect) -> None:
    ready = connect().ask_ready({"a": intent(), "b": by_workflow().intent, "c": intent()})
    assert [ready[name].ready for name in "abc"] == [True, True, True]
    assert len([one for one in hub.requests if one.path == "/repos/acme/alpha"]) == 2
    checks = connect().inspect({"a": intent()})["a"]
    assert [(check.name, check.ok) for check in checks] == [
        ("repository", True), ("token", True), ("workflow", True), ("key", True),
    ]  # fmt: skip


def test_the_words_of_a_channel_that_is_not_ready(hub: GitHub, connect: Connect) -> None:
    repo = hub.repository("acme/alpha")

    def problem(one: Intent) -> str:
        told = connect().ask_ready({"a": one})["a"]
        assert not told.ready
        return f"{told.problem} | {told.hint}"

    assert "cannot query acme/gone: HTTP 404" in problem(intent(repository="acme/gone"))
    repo.workflows = {"publish.yml": PUBLISH.replace("process-video", "other-event")}
    assert "publish.yml listens to other-event, not to process-video" in problem(intent())
    repo.workflows = {"publish.yml": "on: push\njobs: {}\n"}
    assert "no workflow on the default branch of acme/alpha listens to process-video" in problem(intent())
    assert "publish.yml of acme/alpha does not listen" in problem(by_workflow().intent)
    assert "has no workflow other.yml" in problem(by_workflow(workflow="other.yml").intent)
    repo.workflows = {"publish.yml": PUBLISH.replace("payload:", "video:")}
    assert "no workflow_dispatch input named payload" in problem(by_workflow().intent)
    repo.workflows = {"publish.yml": PUBLISH}
    repo.disabled = {"publish.yml"}
    assert "publish.yml listens to it but is disabled" in problem(intent())
    assert "is disabled" in problem(by_workflow().intent)
    repo.workflows = {}
    assert "no workflow on the default branch" in problem(intent())
    repo.permissions = {"push": False}
    assert "cannot write to acme/alpha" in problem(intent())
    repo.archived = True
    assert "acme/alpha is archived" in problem(intent())
    hub.tokens = {"another"}
    assert "the token in ACME_TOKEN is wrong or has expired" in problem(intent())


@pytest.mark.parametrize(
    "on",
    [
        "on: repository_dispatch",
        "on: [push, repository_dispatch]",
        "on: {repository_dispatch: {types: process-video}}",
        "on: {repository_dispatch: {types: [a, process-video]}}",
        "on:\n  push:\n  repository_dispatch:",
        '"on": {"repository_dispatch": {}}',
        "x: &anchor [process-video]\non:\n  repository_dispatch:\n    types: *anchor",
    ],
)
def test_the_forms_in_which_a_workflow_may_listen(hub: GitHub, connect: Connect, on: str) -> None:
    hub.repository("acme/alpha").workflows = {"other.yml": "on: push\n", "a.yaml": on + "\njobs: {}\n"}
    checks = {check.name: check for check in connect().inspect({"a": intent()})["a"]}
    assert checks["workflow"].ok is True
    assert checks["key"].ok is False
    assert "run-name" in (checks["key"].hint or "")


def test_a_run_that_could_never_be_found_matters_where_the_run_is_waited_for(
    hub: GitHub, connect: Connect
) -> None:
    hub.repository("acme/alpha").workflows = {"a.yml": "on: repository_dispatch\njobs: {}\n"}
    assert connect().ask_ready({"a": intent()})["a"].ready
    told = connect().ask_ready({"a": intent(confirm="run")})["a"]
    assert (told.ready, told.hint) == (
        False,
        "add `run-name: publish ${{ github.event.client_payload.key }}` to a.yml",
    )


def test_what_a_token_for_actions_alone_cannot_tell_is_no_problem(hub: GitHub, connect: Connect) -> None:
    repo = hub.repository("acme/alpha")
    repo.permissions = None
    repo.faults.append(Fault(status=403, method="GET", path="contents", times=None))
    checks = connect().inspect({"a": by_workflow().intent})["a"]
    assert [(check.name, check.ok) for check in checks] == [
        ("repository", True),
        ("token", None),
        ("workflow", None),
    ]
    assert connect().ask_ready({"a": by_workflow().intent})["a"].ready


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (404, "Not Found"),
        (413, "Payload Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Entity"),
    ],
)
def test_a_status_is_called_the_same_by_every_python(status: int, phrase: str) -> None:
    """Python 3.13 took other names for some; what is recorded must not depend on who recorded it."""
    assert summary(Reply(status=status, headers={}, body=b"")) == f"HTTP {status}: {phrase}"
