"""The named points before and after each effect, where a test may end the process for good.

`boundary` does nothing unless the environment variable `SCHEDULER_CRASH_AT` (set by tests alone) names
the point: then the process kills itself as `kill -9` would, without cleaning up. `name#2` dies the second
time that the point is passed.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

BOUNDARIES = (
    # scheduler/stores/file.py
    "file-locked",
    "file-created",
    "file-written",
    "file-synced",
    "file-replaced",
    "file-folder-synced",
    # scheduler/stores/git.py
    "git-fetched",
    "git-blob-written",
    "git-tree-written",
    "git-committed",
    "git-pushed",
    "git-seen",
    # scheduler/apply.py
    "intent-saved",
    "before-send",
    "answered",
    "outcome-saved",
    "asked",
)
"""Every name, by room, in the order in which they are passed; a test compares them with the calls."""

_passed: Counter[str] = Counter()


def boundary(name: str) -> None:
    """Die here, if a test asked for it."""
    wanted = os.environ.get("SCHEDULER_CRASH_AT")
    if wanted is None:
        return
    _passed[name] += 1
    if wanted in (name, f"{name}#{_passed[name]}"):
        os.kill(os.getpid(), signal.SIGKILL)
