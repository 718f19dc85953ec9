"""The main job in a few seconds, on this machine alone: `make demo`.

It writes a small repository around the present moment, starts a server on loopback that answers as GitHub
does for the two channels that have repositories (the third one gets jobs on the embedded queue), and runs
the same commands that an editor and an operator would: validate, plan, state init, run --hold, list.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(PROJECT / "tests/support"))

from github_stand_in import GitHub  # noqa: E402 - the tests' stand-in, found by the line above

HOLD = "12s"


def moment(seconds: float) -> str:
    """A time a little ahead (or behind), as an editor would write it."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_repository(root: Path) -> None:
    """Three channels, a wave that is three minutes late, and a stagger that is about to begin."""
    files = {
        "scheduler.yaml": "conflicts: { min_gap: 1s }\n",
        "channels/alpha.yaml": "repository: demo/alpha\ntoken: DEMO_TOKEN\ntimezone: Europe/Berlin\n",
        "channels/beta.yaml": "repository: demo/beta\ntoken: DEMO_TOKEN\ntimezone: America/New_York\n",
        "channels/lobby.yaml": "name: The screen in the lobby\nqueue: screens\n",
        "waves/teaser.yaml": f"""\
title: A teaser that GitHub's cron brought three minutes late
schedules:
  - type: simultaneous
    video: teaser-4k
    at: {moment(-180)}
    channels: [alpha, beta, lobby]
""",
        "waves/premiere.yaml": f"""\
title: A premiere that begins while the run holds
schedules:
  - type: staggered
    video: premiere-4k
    at: {moment(6)}
    delay: 2s
    channels:
      - alpha
      - {{ id: beta, paused: {{ reason: waiting for legal }} }}
      - lobby
""",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def show(root: Path, environ: dict[str, str], *command: str) -> None:
    """Run a command as a person would, and show it with its output."""
    print(f"\n$ scheduler {' '.join(command)}", flush=True)
    ended = subprocess.run(
        [sys.executable, "-m", "scheduler", "-C", str(root), *command], env=environ, check=False
    )
    if ended.returncode not in (0, 1):  # 1: the teaser lies in the past, which a proposal is told
        raise SystemExit(f"scheduler {command[0]} ended with {ended.returncode}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wave-demo-") as folder, GitHub() as github:
        root = Path(folder)
        for name in ("alpha", "beta"):
            github.repository(f"demo/{name}")
        environ = {
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "GITHUB_API_URL": github.url,
            "DEMO_TOKEN": "only-for-the-demo",
        }
        environ.pop("GITHUB_ACTIONS", None)
        # The state begins before the wave is merged, as it does in a repository that is in use.
        (root / "channels").mkdir()
        show(root, environ, "state", "init")
        write_repository(root)
        print(
            "\n# The teaser is late on purpose: a proposal may not lie in the past, and a run still sends it."
        )
        show(root, environ, "plan")
        show(root, environ, "run", "--hold", HOLD)
        show(root, environ, "list")
        print("\nWhat the channels received:")
        for dispatch in github.dispatches:
            got = dispatch.payload
            print(f"  {dispatch.repository}  {got['video_id']}  {got['schedule_id']}  {got['key']}")
        show(root, environ, "run")
        if len(github.dispatches) != 3:
            raise SystemExit(f"the channels received {len(github.dispatches)} requests instead of 3")


if __name__ == "__main__":
    main()
