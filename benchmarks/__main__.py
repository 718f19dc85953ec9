"""Prints a line a figure, and ends with 1 where a goal is missed.

python -m benchmarks [NAME ...]
python -m benchmarks beside CHECKOUT    this build against another one
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import beside, burst, idle, large, patterns
from benchmarks.report import Figure

Benchmark = Callable[[Path, "Sizes"], Iterator[Figure]]


class Sizes(NamedTuple):
    """How much is measured, and how often; the goals hold for these."""

    waves: int = 1_000
    channels: int = 100
    few: int = 10
    """Waves of a small repository."""
    rounds: int = 7
    apart: float = 3
    """Seconds between the last run and the idle ones."""
    letters: int = 100_000
    """Of the longer of two texts on which a pattern is tried."""


def _idle(folder: Path, sizes: Sizes, waves: int, channels: int) -> Iterator[Figure]:
    return idle.tick(folder, waves=waves, channels=channels, rounds=sizes.rounds, apart=sizes.apart)


BENCHMARKS: Mapping[str, Benchmark] = {
    "reading": lambda folder, s: large.reading(folder, waves=s.waves, channels=s.channels, rounds=s.rounds),
    "growth": lambda folder, s: large.growth(folder, waves=s.waves, channels=s.channels, rounds=2),
    "memory": lambda folder, s: large.memory(folder, waves=s.waves, channels=s.channels),
    "state": lambda folder, s: large.state(folder, waves=s.waves, channels=s.channels, rounds=s.rounds),
    "idle": lambda folder, s: _idle(folder, s, s.waves, s.channels),
    "idle-small": lambda folder, s: _idle(folder, s, s.few, s.few),
    "burst": lambda folder, s: burst.late(folder, channels=s.channels, rounds=s.rounds),
    "hold": lambda folder, s: burst.held(folder, channels=s.channels, rounds=3),
    "patterns": lambda _, s: patterns.linear(s.letters),
}


def run(names: list[str], sizes: Sizes) -> bool:
    """Print the figures of these benchmarks as they come; whether all goals are met."""
    met = True
    for name in names:
        met = _show(lambda folder, name=name: BENCHMARKS[name](folder, sizes)) and met
    return met


def _show(benchmark: Callable[[Path], Iterator[Figure]]) -> bool:
    met = True
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for figure in benchmark(Path(folder)):
            print(figure, flush=True)
            met = met and figure.is_met
    return met


def run_beside(other: Path, sizes: Sizes) -> bool:
    """The same for this build against another checkout."""
    return _show(
        lambda folder: beside.beside(
            other, folder, waves=sizes.waves, channels=sizes.channels, rounds=sizes.rounds, apart=sizes.apart
        )
    )


def main(words: list[str]) -> int:
    if (other := beside.checkout(words)) is not None:
        return 0 if run_beside(other, Sizes(rounds=10)) else 1
    unknown = [word for word in words if word not in BENCHMARKS]
    if unknown:
        print(f"no benchmark is called {unknown[0]}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    return 0 if run(words or list(BENCHMARKS), Sizes()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
