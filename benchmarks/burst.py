"""A hundred dispatches at once to a server that answers after 80 ms: late, or to the second (`--hold`)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.generator import write_repository
from benchmarks.report import Figure
from benchmarks.timing import environment, once, scheduler

LATENCY = 0.08
LEAST_AHEAD = 4
"""Seconds until the instant of a held burst: enough to start, plan and confirm."""


class Server:
    """The stand-in's process, and what arrived there."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = self._answer().strip()

    def add(self, repository: str) -> None:
        self._tell(f"repository {repository}")

    def arrivals(self) -> list[float]:
        """When the dispatches since the last question arrived, in seconds on the monotonic clock."""
        self._tell("arrivals")
        found: list[float] = json.loads(self._answer())
        return sorted(found)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def server(channels: int) -> Iterator[Server]:
    """The stand-in with the repositories of `write_repository`."""
    command = [sys.executable, "-m", "benchmarks.server", str(LATENCY)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        hub = Server(process)
        for number in range(channels):
            hub.add(f"acme/channel-{number:03d}")
        yield hub
        assert process.stdin is not None
        process.stdin.close()


def late(folder: Path, *, channels: int, rounds: int) -> Iterator[Figure]:
    """One wave of `channels` channels that has just fallen due, sent by a cold process."""
    with server(channels) as hub:
        wall, spread = min(_sent_late(folder / f"late-{i}", channels, hub) for i in range(rounds))
    detail = f"first to last request {spread * 1000:.0f} ms; one answer takes {LATENCY:g} s"
    yield Figure(f"burst of {channels}, the whole cold process", wall, "s", 0.8, detail)


def held(folder: Path, *, channels: int, rounds: int) -> Iterator[Figure]:
    """The same wave a few seconds ahead, and `run --hold` waiting for it with open connections."""
    with server(channels) as hub:
        spread, off = min(_sent_on_time(folder / f"held-{i}", channels, hub) for i in range(rounds))
    detail = f"the first came {off * 1000:+.0f} ms from its instant"
    yield Figure(f"burst of {channels} with --hold, first to last", spread * 1000, "ms", 50, detail)


def _sent_late(folder: Path, channels: int, hub: Server) -> tuple[float, float]:
    """Seconds of the whole process, and from the first request to the last."""
    due = datetime.now(UTC).replace(microsecond=0)
    write_repository(folder, 1, channels, start=due, pace="6000/min")
    an_hour_before = (due - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    once(scheduler(folder, "--now", an_hour_before, "state", "init"))
    wall = once(scheduler(folder, "run"), environment(GITHUB_API_URL=hub.url)).wall
    arrived = _all(hub, channels)
    return wall, arrived[-1] - arrived[0]


def _sent_on_time(folder: Path, channels: int, hub: Server) -> tuple[float, float]:
    """Seconds from the first request to the last, and of the first from the instant that was meant."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LEAST_AHEAD + 1)
    write_repository(folder, 1, channels, start=due, pace="6000/min")
    once(scheduler(folder, "state", "init"))
    once(scheduler(folder, "run", "--hold", "1m"), environment(GITHUB_API_URL=hub.url))
    arrived = _all(hub, channels)
    meant = time.monotonic() - (datetime.now(UTC) - due).total_seconds()
    return arrived[-1] - arrived[0], arrived[0] - meant


def _all(hub: Server, channels: int) -> list[float]:
    arrived = hub.arrivals()
    if len(arrived) != channels:
        raise RuntimeError(f"{len(arrived)} of {channels} dispatches arrived")
    return arrived
