"""A soak: `run --watch`, two workers, a puller and an editor's commits on one clone, on a fast clock.

    .venv/bin/python tests/support/soak --minutes 60 --seed 1

Every process, git's and the commands' included, is real, and lives on one clock that runs `--speed` times
faster (`clock.c`, which needs a C compiler). Processes are killed and stopped, requests are lost or
cut. At the end, what the receivers saw is held against what git's history declared: nothing may be lost,
doubled or early.
The troubles and edits follow from the seed; what falls between them depends on the machine.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
sys.path[:0] = [str(PROJECT), str(HERE.parent)]

from soak.editor import Editor  # noqa: E402 - found by the line above
from soak.processes import Ground, now, pause  # noqa: E402
from soak.receivers import Hub  # noqa: E402
from soak.troubles import Troubles  # noqa: E402
from soak.verdict import verdict  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.5, help="of wall time, without the end (2.5)")
    parser.add_argument("--speed", type=float, default=60, help="how much faster the clock runs (60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", choices=["file", "branch"], default="file", help="the home of the state")
    parser.add_argument("--folder", type=Path, help="where everything is kept; default: a new one in /tmp")
    options = parser.parse_args()
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="soak-"))).resolve()
    if "SOAK_CLOCK" not in os.environ:
        _begin_on_a_clock(folder, options.speed)
    sys.exit(play(folder, options.minutes * 60 * options.speed, options.seed, options.state))


def _begin_on_a_clock(folder: Path, speed: float) -> None:
    """Start this program again, in the given folder, with a clock that runs `speed` times faster."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "clock.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "clock.c"), "-ldl"]
    subprocess.run(command, check=True)
    clock = f"{speed} {time.monotonic():.6f} {time.time():.6f}"  # noqa: TID251 - it sets the clock of the soak
    environ = os.environ | {"LD_PRELOAD": str(library), "SOAK_CLOCK": clock}
    arguments = [*sys.argv[1:], f"--folder={folder}"]  # the last one counts
    os.execve(sys.executable, [sys.executable, "-u", str(HERE), *arguments], environ)


def play(folder: Path, seconds: float, seed: int, home: str) -> int:
    """Play a soak of so many seconds of its own clock; 0 where the verdict is good."""
    print(f"soak of {seconds / 3600:.1f} h, seed {seed}, state in a {home}, in {folder}", flush=True)
    chance = random.Random(seed)
    ground = Ground(folder, home)
    hub = Hub(random.Random(chance.random()))
    with hub:
        ground.set_up(hub.url)
        editor = Editor(ground, random.Random(chance.random()), furthest=min(3 * 3600, seconds / 3))
        troubles = Troubles(ground, hub, random.Random(chance.random()))
        ground.start()
        end = now() + seconds
        try:
            while now() < end - editor.furthest - 1800:  # what is declared last is sent before the end
                editor.edit()
                troubles.make_some(editor.pause())
            while now() < end:
                troubles.make_some(300)
                print(ground.state_of_things(), flush=True)
            troubles.cease()
            editor.repair()
            _settle(ground)
        finally:
            troubles.cease()
            ground.stop()
        return verdict(ground, hub, troubles.happened)


def _settle(ground: Ground) -> None:
    """Wait until nothing is under way, for two hours at most."""
    end = now() + 7200
    while now() < end and ground.under_way():
        pause(60)


if __name__ == "__main__":
    main()
