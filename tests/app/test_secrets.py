"""A token is a value only at the socket: whatever fails, no output, file, commit or argument shows it.

The token is a canary. It is looked for in all that commands print, in every file and in every commit that
they leave behind, and in the arguments of every git that they start.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from due import DUE, after, at
from git_repository import git
from github_stand_in import Fault, GitHub
from miniature import TOKEN, Miniature
from state_branch import put_on_a_branch

ALPHA = "spring/teaser/alpha"
WAVE = """
    schedules:
      - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha] }
    """
ECHO = f"Bad credentials: Bearer {TOKEN} (x-access-token:{TOKEN}@github.com)"
GIT = """#!/bin/sh
printf '%s\\n' "$0" "$@" '' >> '{log}'
exec {git} "$@"
"""


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """One schedule that is due, with its state on a branch, and a git that writes down what it is told."""
    true_git = shutil.which("git")
    log = live.root / "arguments"
    live.write({"bin/git": GIT.format(log=log, git=true_git)})
    (live.root / "bin/git").chmod(0o755)
    put_on_a_branch(live)
    live.environ["PATH"] = f"{live.root / 'bin'}:{live.environ['PATH']}"
    live.write({"waves/spring.yaml": WAVE})
    at(github, 0)
    assert live.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    return live


def left_behind(mini: Miniature) -> Iterator[tuple[str, bytes]]:
    """Every file, those of git unpacked, and what git was told."""
    for path in sorted(mini.root.rglob("*")):
        if path.is_file() and "objects" not in path.parts:
            yield str(path.relative_to(mini.root)), path.read_bytes()
    yield "commits", git(mini.root / "origin.git", "log", "-p", "--format=raw", "scheduler-state").encode()


LOOKING = (
    ("run",), ("run", "--format", "json"), ("list", "--format", "csv"), ("show", ALPHA),
    ("plan", "--format", "markdown"), ("state", "show"), ("doctor",), ("doctor", "--format", "json"),
)  # fmt: skip

ANSWERS: dict[str, dict[str, Any]] = {
    "refused with the token in its words": {"status": 401, "body": {"message": ECHO}},
    "invalid with the token in its words": {"status": 422, "body": {"message": ECHO}},
    "limited with the token in its words": {
        "status": 403, "headers": {"retry-after": "60"}, "body": {"message": ECHO},
    },
    "broken with the token in its words": {"status": 502, "body": ECHO},
    "moved to an address with the token": {
        "status": 307, "headers": {"Location": f"http://127.0.0.1:9/{TOKEN}"}, "body": {"message": ECHO},
    },
    "a header that is none": {"what": "raw", "raw": f"HTTP/1.1 204 OK\r\n{ECHO}\x00\r\n\r\n".encode()},
}  # fmt: skip


@pytest.mark.parametrize("what", ANSWERS)
def test_whatever_a_server_echoes_the_token_is_nowhere(spring: Miniature, github: GitHub, what: str) -> None:
    github.faults = [Fault(**ANSWERS[what], times=None, method=method) for method in ("POST", "GET")]
    for number, command in enumerate(LOOKING):
        outcome = spring.run(*command, now=at(github, 100 * number))
        assert TOKEN not in outcome.out + outcome.err, command
        assert "Traceback" not in outcome.err, command
    assert any(TOKEN in seen.headers.get("authorization", "") for seen in github.requests), "it was used"
    assert [name for name, text in left_behind(spring) if TOKEN.encode() in text] == []


def test_git_is_told_no_token(spring: Miniature, github: GitHub) -> None:
    assert spring.run("run", now=DUE).code == 0
    told = (spring.root / "arguments").read_text()
    assert "\npush\n" in told, "it was this git"
    assert TOKEN not in told


@pytest.mark.parametrize("around", ["\n", "\r\n", " \n\n", "\t"])
def test_white_space_around_a_token_is_dropped(spring: Miniature, github: GitHub, around: str) -> None:
    assert spring.run("run", now=DUE, ACME_TOKEN=TOKEN + around).code == 0
    assert [dispatch.token for dispatch in github.dispatches] == [TOKEN]


@pytest.mark.parametrize("inside", ["\n", "\r\nX-Evil: ", " ", "ä"])
def test_a_token_that_no_header_can_carry_is_not_sent_and_not_shown(
    spring: Miniature, github: GitHub, inside: str
) -> None:
    first, second = TOKEN[:12], TOKEN[12:]
    outcome = spring.run("run", now=DUE, ACME_TOKEN=first + inside + second)
    assert (outcome.code, github.dispatches) == (1, [])
    assert "ACME_TOKEN" in outcome.out + outcome.err
    for part in (first, second):
        assert part not in outcome.out + outcome.err
        assert [name for name, text in left_behind(spring) if part.encode() in text] == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_gets_neither_the_token_nor_a_request(
    spring: Miniature, github: GitHub, status: int
) -> None:
    with GitHub() as elsewhere:
        elsewhere.repository("acme/alpha")
        for method in ("POST", "GET"):
            headers = {"Location": f"{elsewhere.url}/repos/acme/alpha/dispatches"}
            github.faults.append(Fault(status=status, headers=headers, times=None, method=method))
        refused = spring.json("run", now=DUE)
        assert (refused.code, refused.results) == (1, {ALPHA: "failed"})
        spring.run("doctor", now=after(60))
        assert (elsewhere.requests, elsewhere.connections) == ([], 0)
    assert "redirects are not followed" in refused.json["results"][0]["error"]


def test_a_lookup_that_is_redirected_is_no_answer(spring: Miniature, github: GitHub) -> None:
    with GitHub() as elsewhere:
        headers = {"Location": f"{elsewhere.url}/repos/acme/alpha/actions/runs"}
        github.faults = [
            Fault(status=502, accept=True),
            Fault(status=302, headers=headers, times=None, method="GET"),
        ]
        for seconds in (0, 150):
            assert spring.json("run", now=at(github, seconds)).results == {ALPHA: "executing"}
        assert elsewhere.connections == 0


def test_a_password_in_the_remotes_address_is_in_no_output(spring: Miniature) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    git(spring.root, "remote", "set-url", "origin", f"http://bot:{TOKEN}@127.0.0.1:{port}/waves.git")
    for command in (("run",), ("plan",), ("state", "verify"), ("doctor",)):
        outcome = spring.run(*command, now=DUE)
        assert outcome.code == 3
        assert TOKEN not in outcome.out + outcome.err


def test_a_token_typed_into_a_file_is_refused_and_not_repeated(spring: Miniature, github: GitHub) -> None:
    slip = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
    spring.write({"channels/alpha.yaml": f"repository: acme/alpha\ntoken: {slip}\n"})
    for form in ("text", "json", "github", "sarif"):
        outcome = spring.run("validate", "--format", form, now="2026-02-01T00:00:00Z")
        assert outcome.code == 1
        assert slip not in outcome.out + outcome.err
    outcome = spring.run("run", now=DUE)
    assert slip not in outcome.out + outcome.err
    assert slip not in json.dumps(git(spring.root / "origin.git", "log", "-p", "scheduler-state"))


def test_the_canary_is_found_where_it_is(spring: Miniature) -> None:
    Path(spring.root / "waves/leak.txt").write_text(TOKEN)
    assert [name for name, text in left_behind(spring) if TOKEN.encode() in text] == ["waves/leak.txt"]
