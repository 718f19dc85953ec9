"""A state whose checksum was seen to hold is not read again until it changes, in whatever way."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import time_machine
from miniature import Miniature

from scheduler.app import idle

WAVE = (
    "schedules: [{ type: simultaneous, video: teaser, at: 2998-03-01T18:00:00Z, channels: [alpha, beta] }]\n"
)


@pytest.fixture
def recorded(live: Miniature) -> Iterator[Miniature]:
    """A repository with nothing to do, whose state was written a minute ago."""
    live.write({"waves/spring.yaml": WAVE})
    for _ in range(2):
        live.run("run")
    with time_machine.travel(time.time() + 60, tick=True):  # noqa: TID251 - the files have the true time
        yield live


def tick(mini: Miniature) -> str | None:
    return idle.answer(["-C", str(mini.root), "run"], mini.environ)


def lock(mini: Miniature) -> Path:
    return mini.root / ".state.json.lock"


def test_a_state_that_was_seen_whole_is_not_read_again(recorded: Miniature) -> None:
    assert tick(recorded) is not None
    with patch.object(idle, "checksum_holds", side_effect=AssertionError("read again")):
        assert tick(recorded) is not None


def test_a_change_is_seen_though_size_and_time_of_the_file_are_as_they_were(recorded: Miniature) -> None:
    assert tick(recorded) is not None
    path = recorded.root / "state.json"
    before, text = path.stat(), path.read_bytes()
    path.write_bytes(text.replace(b"teaser", b"teased"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert tick(recorded) is None
    path.write_bytes(text)
    assert tick(recorded) is not None


def test_a_state_put_in_its_place_is_read(recorded: Miniature) -> None:
    assert tick(recorded) is not None
    path = recorded.root / "state.json"
    other = path.with_name("other.json")
    other.write_bytes(path.read_bytes().replace(b"teaser", b"teased"))
    other.replace(path)
    assert tick(recorded) is None


def test_a_state_that_was_written_this_very_moment_is_not_remembered(recorded: Miniature) -> None:
    with time_machine.travel((recorded.root / "state.json").stat().st_ctime + 1, tick=False):
        assert tick(recorded) is not None
    assert lock(recorded).read_bytes() == b""


def test_a_damaged_state_is_not_remembered(recorded: Miniature) -> None:
    path = recorded.root / "state.json"
    path.write_bytes(path.read_bytes().replace(b"teaser", b"teased"))
    for _ in range(2):
        assert tick(recorded) is None
    assert lock(recorded).read_bytes() == b""


def test_without_a_lock_file_nothing_is_remembered_and_none_is_made(recorded: Miniature) -> None:
    lock(recorded).unlink()
    assert tick(recorded) is not None
    assert not lock(recorded).exists()


def test_what_stands_in_the_lock_file_does_not_hinder_a_save(recorded: Miniature) -> None:
    assert tick(recorded) is not None
    assert lock(recorded).read_bytes() != b""
    recorded.write({"waves/spring.yaml": WAVE.replace("teaser", "trailer")})
    assert recorded.run("run").code == 0
    assert b"trailer" in (recorded.root / "state.json").read_bytes()
