"""What all tests share: a miniature repository, and a stand-in for GitHub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from github_stand_in import GitHub
from hypothesis import settings
from miniature import TOKEN, Miniature
from still_clock import StillClock

# How long an example takes says more of the machine than of the code: speed is the benchmarks' business.
settings.register_profile("without deadlines", settings(), deadline=None)
settings.load_profile("without deadlines")


@pytest.fixture
def mini(tmp_path: Path) -> Miniature:
    """An empty repository."""
    return Miniature(tmp_path)


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A server that behaves as GitHub does."""
    with GitHub() as server:
        server.tokens = {TOKEN}
        yield server


@pytest.fixture
def live(mini: Miniature, github: GitHub) -> Miniature:
    """A repository whose channels acme/alpha, acme/beta and acme/gamma are on the stand-in, with a state."""
    for name in ("alpha", "beta", "gamma"):
        github.repository(f"acme/{name}")
    mini.environ["GITHUB_API_URL"] = github.url
    mini.channels("alpha", "beta", "gamma")
    mini.run("state", "init", now="2026-01-01T00:00:00Z")
    return mini


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands with `--now` see exactly that instant, however long they take."""
    monkeypatch.setattr("scheduler.cli.main.Clock", StillClock)
