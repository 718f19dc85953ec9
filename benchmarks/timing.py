"""Cold processes, run in turns, the best of several runs of each: what is compared is measured side by side.

Machines that are shared move by a factor of two between minutes. The best run is the least disturbed one,
and turns let every contestant meet the same weather.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Cost(NamedTuple):
    """Seconds by the clock, and seconds of processor time (user and system)."""

    wall: float
    processor: float


def environment(**more: str) -> dict[str, str]:
    """What the processes see: bytecode is kept, nothing of the caller's scheduler, no world outside."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SCHEDULER_", "GITHUB_", "PYTHON"))
    }
    own = {"PYTHONPATH": str(ROOT), "ACME_TOKEN": "a-token", "GITHUB_API_URL": "http://127.0.0.1:9"}
    return {**kept, **own, **more}


def scheduler(folder: Path, *words: str) -> list[str]:
    """The command line of a cold scheduler."""
    return [sys.executable, "-m", "scheduler", "-C", str(folder), *words]


def once(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Cost:
    """One run. Raises CalledProcessError, with what it wrote, where it fails."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ or environment()
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def in_turns(contestants: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """The best of `rounds` runs of each, by processor time and by the clock, run in turns."""
    best: dict[str, Cost] = {}
    for name, run in contestants.items():
        run()  # writes bytecode, warms the disk
        best[name] = Cost(float("inf"), float("inf"))
    for _ in range(rounds):
        for name, run in contestants.items():
            best[name] = Cost(*map(min, best[name], run()))
    return best
