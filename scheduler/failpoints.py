"""The named points before and after each effect, where a test may kill or stop the process.

`failpoint` does nothing unless an environment variable (set only by tests) names the point:
`SCHEDULER_CRASH_AT`: the process kills itself as `kill -9` would, without cleaning up;
`SCHEDULER_STOP_AT`: it stops, like a suspended machine, until it gets SIGCONT.
`name#2` means the second time that the point is passed.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

FAILPOINTS = (
    # scheduler/state/stores/file.py
    "file-locked",
    "file-created",
    "file-written",
    "file-synced",
    "file-replaced",
    "file-folder-synced",
    # scheduler/state/stores/git_branch.py
    "git-fetched",
    "git-blob-written",
    "git-tree-written",
    "git-committed",
    "git-pushed",
    "git-seen",
    # scheduler/delivery/__init__.py
    "intent-saved",
    "before-send",
    "answered",
    "outcome-saved",
    "sighting-saved",
    "asked",
    # scheduler/delivery/queue/{attempts,sqlite_worker}.py
    "job-taken",
    "job-ended",
    "job-kept",
    "job-told",
    "job-marked",
)
"""Every name, by module, in the order in which they are passed; a test compares them with the calls."""

_passed: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Kill or stop the process here, if a test asked for it."""
    crash, stop = os.environ.get("SCHEDULER_CRASH_AT"), os.environ.get("SCHEDULER_STOP_AT")
    if crash is None and stop is None:
        return
    _passed[name] += 1
    here = {f"{name}#{_passed[name]}"} | ({name} if _passed[name] == 1 else set())
    if crash in here:
        os.kill(os.getpid(), signal.SIGKILL)
    if stop in here:
        os.kill(os.getpid(), signal.SIGSTOP)
