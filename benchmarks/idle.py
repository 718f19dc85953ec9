"""A tick that finds nothing to do, beside a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.large import record_everything
from benchmarks.report import Figure, ratio
from benchmarks.timing import environment, in_turns, once, scheduler

UNWANTED = ("yaml", "pydantic", "rich", "github", "http", "ssl", "click")
"""What such a tick has no need of; any of them would cost more than all that it does."""

WHAT_IS_IMPORTED = """
import sys
from scheduler import __main__
sys.argv = ["scheduler", "-C", sys.argv[1], "run"]
try:
    __main__.main()
finally:
    print(*sys.modules, sep="\\n")
"""


def tick(folder: Path, *, waves: int, channels: int, rounds: int, apart: float) -> Iterator[Figure]:
    """An idle `run` against `python -c pass`. Raises RuntimeError where it imports too much.

    The state is at least `apart` seconds old: ticks come minutes apart, and one of a moment ago is read
    as a whole.
    """
    record_everything(folder, waves, channels)
    once(scheduler(folder, "run"))  # finds nothing to do, and leaves the mark
    found = _unwanted(folder)
    if found:
        raise RuntimeError(f"an idle run imports {', '.join(found)}")
    time.sleep(apart)
    best = in_turns(
        {
            "pass": lambda: once([sys.executable, "-c", "pass"]),
            "idle": lambda: once(scheduler(folder, "run")),
        },
        rounds,
    )
    name = f"idle run, {waves:,} x {channels} / python -c pass"
    yield ratio(name, best["idle"].processor, best["pass"].processor, 6)


def _unwanted(folder: Path) -> list[str]:
    command = [sys.executable, "-c", WHAT_IS_IMPORTED, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    return [name for name in UNWANTED if name in imported]
