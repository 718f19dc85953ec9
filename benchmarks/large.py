"""Large repositories: `validate` and `plan` beside the C parser, the memory of a plan, the state on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.generator import write_repository
from benchmarks.report import Figure, ratio
from benchmarks.timing import ROOT, Cost, environment, in_turns, once, scheduler

COMPOSE = str(ROOT / "benchmarks" / "compose.py")


def reading(folder: Path, *, waves: int, channels: int, rounds: int) -> Iterator[Figure]:
    """`validate` and `plan --format json` against composing the same files."""
    small = folder / "small"
    write_repository(small, waves, channels)
    best = in_turns(
        {
            "compose": lambda: once([sys.executable, COMPOSE, str(small)]),
            "validate": lambda: once(scheduler(small, "validate")),
            "plan": lambda: once(scheduler(small, "plan", "--format", "json")),
        },
        rounds,
    )
    size = f"{waves:,} x {channels}"
    floor = best["compose"].processor
    yield ratio(f"validate, {size} / composing", best["validate"].processor, floor, 2)
    yield ratio(f"plan --format json, {size} / composing", best["plan"].processor, floor, 4)


def growth(folder: Path, *, waves: int, channels: int, rounds: int) -> Iterator[Figure]:
    """`validate` of ten times as much against ten times the cost of the small one."""
    small, large = folder / "small", folder / "large"
    write_repository(small, waves, channels)
    write_repository(large, 10 * waves, channels)
    best = in_turns(
        {
            "small": lambda: once(scheduler(small, "validate")),
            "large": lambda: once(scheduler(large, "validate")),
        },
        rounds,
    )
    name = f"validate, {10 * waves:,} x {channels} / 10 x {waves:,}"
    yield ratio(name, best["large"].processor, 10 * best["small"].processor, 1.1)


def memory(folder: Path, *, waves: int, channels: int) -> Iterator[Figure]:
    """The most memory that planning everything anew holds at any time."""
    write_repository(folder / "small", waves, channels)
    command = scheduler(folder / "small", "plan", "--format", "json")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment()) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"plan ended with {process.returncode}")
    name = f"peak memory of a plan of {waves * channels:,}"
    yield Figure(name, usage.ru_maxrss / 1024, "MiB", 300, "json, all of it new")


STATE = """
import gc, sys, time
gc.disable()  # as the program does
from pathlib import Path
import msgspec
from scheduler.state.stores.file import FileStore
store = FileStore(Path(sys.argv[1]), "state.json")
begun = time.process_time(), time.perf_counter()
snapshot = store.load()
state = msgspec.structs.replace(snapshot.state, serial=snapshot.state.serial + 1)
store.save(state, snapshot, "")
print(time.perf_counter() - begun[1], time.process_time() - begun[0])
"""


def state(folder: Path, *, waves: int, channels: int, rounds: int) -> Iterator[Figure]:
    """Reading and replacing a state with everything recorded, fsync included."""
    recorded = folder / "recorded"
    record_everything(recorded, waves, channels)
    command = [sys.executable, "-c", STATE, str(recorded / "state.json")]

    def run() -> Cost:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
        return Cost(*map(float, done.stdout.split()))

    best = in_turns({"state": run}, rounds)["state"]
    detail = f"{(recorded / 'state.json').stat().st_size / 1e6:.0f} MB, {best.processor:.2f} s of processor"
    yield Figure(f"state load + save, {waves * channels:,}", best.wall, "s", 0.5, detail)


def record_everything(folder: Path, waves: int, channels: int) -> None:
    """A repository whose schedules are all recorded, as a first run leaves it."""
    write_repository(folder, waves, channels)
    (folder / "state.json").unlink(missing_ok=True)
    once(scheduler(folder, "state", "init"))
    once(scheduler(folder, "run"))
