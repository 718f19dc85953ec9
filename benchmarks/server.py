"""The stand-in for GitHub in a process of its own: `python -m benchmarks.server LATENCY`.

It prints its address; for each line that it is sent it prints, as JSON, when each dispatch since the last
line arrived (seconds on the monotonic clock, which all processes of a machine share). It ends with its input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from github_stand_in import GitHub


def main(latency: float) -> None:
    with GitHub(latency=latency) as hub:
        print(hub.url, flush=True)
        told = 0
        for line in sys.stdin:
            if line.startswith("repository "):
                hub.repository(line.split()[1])
                continue
            arrived = [dispatch.at for dispatch in hub.dispatches[told:]]
            told += len(arrived)
            print(json.dumps(arrived), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
