"""This build beside another checkout, in turns in one run: `python -m benchmarks beside CHECKOUT`.

Processor time of whole processes; the figure is the median of the ratios of the pairs that ran one after the
other, since a shared machine drifts by more than what is looked for. The other checkout needs its own `.venv`
(`make demo` there makes one).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.burst import server
from benchmarks.generator import write_repository
from benchmarks.report import Figure
from benchmarks.timing import ROOT, environment, once

MOST = 1.05
"""A build may cost this much more than the one before it."""


class Build(NamedTuple):
    """A checkout, and the interpreter that has its dependencies."""

    root: Path
    python: str

    def processor(self, folder: Path, *words: str, **environ: str) -> float:
        """Seconds of processor time of one cold command."""
        command = [self.python, "-m", "scheduler", "-C", str(folder), *words]
        return once(command, environment(PYTHONPATH=str(self.root), **environ)).processor


def beside(
    other: Path, folder: Path, *, waves: int, channels: int, rounds: int, apart: float
) -> Iterator[Figure]:
    """`validate`, `plan`, the idle run and a burst of this build against those of `other`."""
    builds = Build(ROOT, sys.executable), Build(other, str(other / ".venv/bin/python"))
    repository = folder / "repository"
    write_repository(repository, waves, channels)
    size = f"{waves:,} x {channels}"
    yield _figure(f"validate, {size}", rounds, builds, lambda one: one.processor(repository, "validate"))
    plan = ("plan", "--format", "json")
    yield _figure(f"plan, {size}", rounds, builds, lambda one: one.processor(repository, *plan))
    yield _figure(f"idle run, {size}", rounds, builds, _idle(folder, builds, waves, channels, apart))
    with server(channels) as hub:
        made = iter(range(10_000))

        def burst(build: Build) -> float:
            now = datetime.now(UTC).replace(microsecond=0)
            own = folder / f"burst-{next(made)}"
            write_repository(own, 1, channels, start=now, pace="6000/min")
            an_hour_before = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            build.processor(own, "--now", an_hour_before, "state", "init")
            spent = build.processor(own, "run", GITHUB_API_URL=hub.url)
            assert len(hub.arrivals()) == channels
            return spent

        yield _figure(f"burst of {channels}", rounds, builds, burst)


def _idle(
    folder: Path, builds: tuple[Build, Build], waves: int, channels: int, apart: float
) -> Callable[[Build], float]:
    """A record of its own for each build, which may write another version of it."""
    for number, build in enumerate(builds):
        own = folder / f"idle-{number}"
        write_repository(own, waves, channels)
        build.processor(own, "state", "init")
        for _ in range(2):
            build.processor(own, "run")
    time.sleep(apart)  # ticks come minutes apart, and a state of a moment ago is read as a whole
    return lambda build: build.processor(folder / f"idle-{builds.index(build)}", "run")


def _figure(name: str, rounds: int, builds: tuple[Build, Build], cost: Callable[[Build], float]) -> Figure:
    for build in builds:
        cost(build)  # writes bytecode, warms the disk
    pairs = [(cost(builds[0]), cost(builds[1])) for _ in range(rounds)]
    ours, theirs = (median(costs) for costs in zip(*pairs, strict=True))
    detail = f"{ours * 1000:.0f} ms / {theirs * 1000:.0f} ms"
    return Figure(name, median(a / b for a, b in pairs), "x", MOST, detail)


def checkout(words: list[str]) -> Path | None:
    """The other checkout that the words `beside CHECKOUT` name, where they are that."""
    if len(words) != 2 or words[0] != "beside":
        return None
    return Path(os.path.abspath(words[1]))  # noqa: PTH100 - a link stays one: the checkout is where it is called
