"""A company's proxy: all that goes to GitHub goes through it by CONNECT, over real sockets and real TLS."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from certificates import certificate
from connect_proxy import ConnectProxy
from git_http_server import serve
from git_repository import git
from github_stand_in import GitHub
from miniature import TOKEN, Miniature

from scheduler.checkout.git import Git
from scheduler.delivery.dispatcher import Request
from scheduler.delivery.github.api_url import read_api_url
from scheduler.delivery.github.github_dispatcher import GitHubDispatcher
from scheduler.delivery.github.proxy import canonical, is_exempt, proxy_for
from scheduler.errors import Error
from scheduler.github_actions.client import ApiError, GitHubClient, asking
from scheduler.state.answers import Answer
from scheduler.state.record import Intent

HOST = "github.example.internal"
"""A name that no resolver knows: only the proxy can reach it."""
API = f"https://{HOST}/api/v3"
WAVE = """
    schedules:
      - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha] }
    """


class Company(NamedTuple):
    """An enterprise server that is reached through a proxy alone, and the settings that say so."""

    hub: GitHub
    proxy: ConnectProxy
    environ: dict[str, str]
    tls: ssl.SSLContext


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "GIT_SSL_CAINFO"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    folder = tmp_path / "certificates"
    folder.mkdir()
    pem, tls = certificate(folder, HOST)
    with GitHub(prefix="/api/v3", tls=tls) as hub, ConnectProxy(hub.port) as proxy:
        hub.tokens = {TOKEN}
        hub.clock = lambda: 1_772_388_000.0
        hub.repository("acme/alpha")
        yield Company(hub, proxy, {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(pem)}, tls)


def request() -> Request:
    intent = Intent(
        owner="nonce", at="2026-03-01T18:00:00Z", key="gs1-alpha", not_after="2026-03-01T19:00:00Z",
        transport="repository_dispatch", repository="acme/alpha", event_type="process-video",
    )  # fmt: skip
    return Request(schedule_id="spring/teaser/alpha", intent=intent, payload={"key": intent.key})


def send(company: Company, url: str = API, **changes: Any) -> Answer:
    dispatcher = GitHubDispatcher(url, lambda _: TOKEN, environ=company.environ, **changes)
    try:
        ((_, answer),) = dispatcher.send([request()])
        return answer
    finally:
        dispatcher.close()


def test_dispatches_lookups_and_doctor_go_through_the_proxy_and_nothing_is_resolved_here(
    company: Company, mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved: list[str] = []
    resolve = socket.getaddrinfo

    def noted(host: str, *rest: Any, **named: Any) -> Any:
        resolved.append(host)
        return resolve(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    mini.channels("alpha", confirm="run")
    mini.environ |= {"GITHUB_API_URL": API, **company.environ}
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    mini.write({"waves/spring.yaml": WAVE})

    assert mini.json("run", now="2026-03-01T18:00:00Z").results == {"spring/teaser/alpha": "completed"}
    examined = mini.run("doctor", now="2026-03-01T18:02:00Z")

    assert len(company.hub.dispatches) == 1
    assert "GitHub is reached through the proxy" in examined.out
    assert "failed" not in examined.out
    assert set(company.proxy.asked) == {f"{HOST}:443"}
    assert len(company.proxy.asked) == len(company.hub.requests)
    assert set(resolved) == {"127.0.0.1"}
    for readable in (TOKEN, "HTTP/1.1", "dispatches", "teaser"):
        assert readable.encode() not in company.proxy.passed


def test_a_hundred_prepared_connections_go_through_it(company: Company) -> None:
    dispatcher = GitHubDispatcher(API, lambda _: TOKEN, environ=company.environ)
    requests = [request()] * 100
    dispatcher.prepare(requests)
    assert {answer.verdict for _, answer in dispatcher.send(requests)} == {"accepted"}
    assert len(company.proxy.asked) == 100
    dispatcher.close()


def test_a_user_name_and_a_password_are_sent_to_the_proxy_alone(company: Company) -> None:
    company.environ["HTTPS_PROXY"] = company.proxy.url.replace("//", "//CORP%5Cjane:p%40ss%3Aw%C3%B6rd@")
    assert send(company).verdict == "accepted"
    told = company.proxy.headers[0]["proxy-authorization"].removeprefix("Basic ")
    assert base64.b64decode(told).decode() == "CORP\\jane:p@ss:wörd"
    assert all("proxy-authorization" not in seen.headers for seen in company.hub.requests)


REFUSED = {
    "without credentials": (b"HTTP/1.1 407 Auth\r\nContent-Length: 5\r\n\r\nno!!!", "write `HTTPS_PROXY=http://USER"),
    "forbidden": (b"HTTP/1.0 403 Forbidden\r\n\r\n", f"have the proxy allow {HOST}:443"),
    "unreachable behind it": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", f"the proxy itself can reach {HOST}"),
    "silent": (None, "no answer to CONNECT within 0.5 s"),
    "hanging up": (b"", "hung up before it answered"),
    "hanging up in its answer": (b"HTTP/1.1 200 Conn", "hung up before it answered"),
    "no proxy at all": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "did not answer in HTTP"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n", "HTTP 302"),
    "speaking first": (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 204 OK\r\n\r\n", "sent something in the place"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_connect_is_not_now_with_a_hint_and_no_token_leaves(company: Company, case: str) -> None:
    company.proxy.answer, hint = REFUSED[case]
    answer = send(company, connect_timeout=0.5 if case == "silent" else 5)
    assert answer.verdict == "not-now"
    assert f"nothing was sent: the proxy 127.0.0.1:{company.proxy.port} (HTTPS_PROXY)" in (answer.error or "")
    assert hint in (answer.error or "")
    assert (company.hub.requests, bytes(company.proxy.passed)) == ([], b"")


def test_a_refused_password_is_in_no_output_and_no_file(company: Company, mini: Miniature) -> None:
    company.proxy.answer = b"HTTP/1.1 407 no s3cr%2Fet s3cr/et\r\n\r\n"
    mini.channels("alpha")
    secret = company.proxy.url.replace("//", "//jane:s3cr%2Fet@")
    mini.environ |= {"GITHUB_API_URL": API, **company.environ, "HTTPS_PROXY": secret}
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    mini.write({"waves/spring.yaml": WAVE})
    shown = [mini.run(*command, now="2026-03-01T18:00:00Z") for command in (("run",), ("doctor",), ("list",))]
    assert "check the user name and the password in HTTPS_PROXY" in shown[0].out
    for text in (*(one.out + one.err for one in shown), (mini.root / "state.json").read_text()):
        assert not any(word in text for word in ("s3cr", base64.b64encode(b"jane:s3cr/et").decode()))


def test_a_proxy_that_is_not_there_is_not_now(company: Company) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        company.environ["HTTPS_PROXY"] = f"127.0.0.1:{listener.getsockname()[1]}"
    assert "connection refused" in (send(company).error or "")
    company.environ["HTTPS_PROXY"] = "http://no-such-proxy.invalid:3128"
    answer = send(company)
    assert "the proxy in HTTPS_PROXY: no such host: no-such-proxy.invalid" in (answer.error or "")
    assert answer.verdict == "not-now"


def test_what_the_proxy_shows_must_be_githubs_own_certificate(company: Company) -> None:
    del company.environ["SSL_CERT_FILE"]
    answer = send(company)
    assert answer.verdict == "not-now"
    assert "set SSL_CERT_FILE to a file with the certificate of its CA" in (answer.error or "")
    company.environ["SSL_CERT_FILE"] = str(Path(__file__))
    with pytest.raises(Error, match=r"SSL_CERT_FILE is .*, which is not a readable file of PEM") as refused:
        send(company)
    assert "unset SSL_CERT_FILE" in (refused.value.hint or "")


def test_no_proxy_and_plain_http_go_directly(company: Company, github: GitHub) -> None:
    github.repository("acme/alpha")
    assert send(company, github.url).verdict == "accepted"
    company.environ["NO_PROXY"] = ".internal"
    assert "no such host" in (send(company).error or "")
    assert company.proxy.asked == []


def test_issues_and_comments_go_through_the_proxy(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**company.environ, "NO_PROXY": "example.org 10.0.0.0/8", "HTTP_PROXY": "http://127.0.0.1:9"}
    for name, value in (settings | canonical(settings)).items():
        monkeypatch.setenv(name, value)
    client = GitHubClient(API, "acme/alpha", TOKEN)
    with asking("ask"):
        assert client.api.default_branch == "main"
    assert company.proxy.asked == [f"{HOST}:443"]
    company.proxy.answer = b"HTTP/1.1 407 Authentication required\r\n\r\n"
    with (
        pytest.raises(ApiError, match=r"the proxy in HTTPS_PROXY refused.*HTTP 407"),
        asking("ask"),
    ):
        print(GitHubClient(API, "acme/alpha", TOKEN).api.default_branch)


@pytest.mark.parametrize(
    ("name", "value"), [("HTTPS_PROXY", "socks5://127.0.0.1:1080"), ("SSL_CERT_FILE", "/nowhere.pem")]
)
def test_issues_and_comments_name_a_setting_that_cannot_be_used(
    company: Company, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Error, match=name):
        GitHubClient(API, "acme/alpha", TOKEN)


def test_git_goes_through_the_proxy_and_trusts_ssl_cert_file(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, clone = tmp_path / "served", tmp_path / "clone"
    for path, option in ((folder / "state.git", "--bare"), (clone, "--quiet")):
        path.mkdir(parents=True)
        git(path, "init", option)
    with serve(folder) as server:
        server.socket = company.tls.wrap_socket(server.socket, server_side=True)
        with ConnectProxy(server.server_address[1]) as proxy:
            for name, value in (company.environ | {"HTTPS_PROXY": proxy.url}).items():
                monkeypatch.setenv(name, value)
            answer = Git(clone, 20).run("ls-remote", f"https://{HOST}/state.git", network=True)
            assert (answer.code, answer.error) == (0, "")
            assert set(proxy.asked) == {f"{HOST}:443"}
            proxy.answer = b"HTTP/1.1 407 Authentication required\r\n\r\n"
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//jane:s3cret@"))
            refused = Git(clone, 20).run("ls-remote", f"https://{HOST}/state.git", network=True)
            assert refused.code != 0
            assert "407" in refused.words
            assert "s3cret" not in refused.error


SETTINGS: dict[str, tuple[dict[str, str], str | None]] = {
    "upper case": ({"HTTPS_PROXY": "http://up:3128"}, "up:3128 by HTTPS_PROXY"),
    "lower case": ({"https_proxy": "http://low:2"}, "low:2 by https_proxy"),
    "lower case first": ({"HTTPS_PROXY": "up:1", "https_proxy": "http://low:2"}, "low:2 by https_proxy"),
    "an empty one is not set": ({"HTTPS_PROXY": "http://up:1", "https_proxy": " "}, "up:1 by HTTPS_PROXY"),
    "for all protocols": ({"ALL_PROXY": "up:3128"}, "up:3128 by ALL_PROXY"),
    "HTTPS_PROXY before ALL_PROXY": ({"ALL_PROXY": "all:1", "HTTPS_PROXY": "up:2"}, "up:2 by HTTPS_PROXY"),
    "plain http is another protocol": ({"HTTP_PROXY": "http://up:3128"}, None),
    "without http://": ({"HTTPS_PROXY": "Proxy_1.acme.:3128"}, "proxy_1.acme:3128 by HTTPS_PROXY"),
    "without a port": ({"HTTPS_PROXY": "http://up/"}, "up:80 by HTTPS_PROXY"),
    "an IPv6 address": ({"HTTPS_PROXY": "http://[::1]:3128"}, "[::1]:3128 by HTTPS_PROXY"),
    "exempt": ({"HTTPS_PROXY": "http://up:1", "NO_PROXY": "a, github.com"}, None),
    "exempt in lower case": ({"HTTPS_PROXY": "http://up:1", "NO_PROXY": "", "no_proxy": "github.com"}, None),
    "nothing": ({}, None),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_where_the_proxy_is_read(case: str) -> None:
    environ, expected = SETTINGS[case]
    found = proxy_for(read_api_url("https://api.github.com"), environ)
    assert (None if found is None else f"{found} by {found.variable}") == expected


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "exempt"),
    [
        ("github.com", "github.com", 443, True),
        ("GitHub.com", "api.github.com", 443, True),
        (".github.com", "api.github.com", 443, True),
        (".github.com", "github.com", 443, True),
        ("*.github.com", "api.github.com", 443, True),
        ("*", "api.github.com", 443, True),
        ("a,*", "api.github.com", 443, True),
        ("localhost b.example github.com", "api.github.com", 443, True),
        ("hub.com", "github.com", 443, False),
        ("api.github.com", "github.com", 443, False),
        ("github.com:443", "api.github.com", 443, True),
        ("github.com:8443", "api.github.com", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:443", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("2.3", "10.1.2.3", 443, False),
        ("10.0.0.0/8", "github.com", 443, False),
        ("[::1]:443,x", "::1", 443, True),
        ("fd00::/8", "fd00::7", 443, True),
        ("::1", "::1", 443, True),
        ("10.0.0.0/99, ., ,:", "10.1.2.3", 443, False),
    ],
)
def test_what_no_proxy_exempts(no_proxy: str, host: str, port: int, exempt: bool) -> None:
    assert is_exempt(host, port, no_proxy) == exempt


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("socks5h://jane:s3cret@up:1080", "HTTPS_PROXY names a proxy of the kind socks5h://"),
        ("https://up:3128", "HTTPS_PROXY names a proxy of the kind https://, which is not supported"),
        ("http://jane:s3cret#1@up:3128", "HTTPS_PROXY is not a valid proxy address"),
        ("http://jane:s3cret/1@up:3128", "HTTPS_PROXY is not a valid proxy address"),
        ("http://up:port", "HTTPS_PROXY is not a valid proxy address: 'http://up:port'"),
        ("http://up:99999", "HTTPS_PROXY is not a valid proxy address"),
        ("http://up:0", "HTTPS_PROXY is not a valid proxy address"),
        ("http://", "HTTPS_PROXY is not a valid proxy address: 'http://'"),
        ("up proxy:3128", "HTTPS_PROXY is not a valid proxy address"),
        ("http://up:3128/proxy.pac", "HTTPS_PROXY is not a valid proxy address"),
        ("http://jane%3As3cret:x@up:3128", "the user name in HTTPS_PROXY contains a colon"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_an_error_with_a_hint(value: str, message: str) -> None:
    with pytest.raises(Error) as refused:
        proxy_for(read_api_url("https://api.github.com"), {"HTTPS_PROXY": value})
    assert str(refused.value).startswith(message)
    assert "http://" in (refused.value.hint or "")
    assert "s3cret" not in f"{refused.value} {refused.value.hint}"


def test_a_run_with_an_unusable_proxy_sends_nothing_and_says_what_to_write(
    company: Company, mini: Miniature
) -> None:
    mini.channels("alpha")
    mini.environ |= {"GITHUB_API_URL": API, **company.environ, "HTTPS_PROXY": "socks5://127.0.0.1:1080"}
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    mini.write({"waves/spring.yaml": WAVE})
    outcome = mini.json("run", now="2026-03-01T18:00:00Z")
    assert (outcome.code, outcome.results) == (1, {"spring/teaser/alpha": "pending"})
    assert "write an HTTP proxy, `HTTPS_PROXY=http://HOST:PORT`" in outcome.json["results"][0]["error"]
    assert mini.records["spring/teaser/alpha"]["attempts"] == 0
    assert "HTTPS_PROXY names a proxy of the kind socks5://" in mini.run("doctor").out
