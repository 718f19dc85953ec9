"""The repository of the calendar's tests: statuses, zones around their clock changes, hostile texts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from miniature import Miniature, Outcome

HERE = Path(__file__).parents[1] / "reporting/calendar_golden"
EXPECTED = HERE / "expected"
NOW = "2026-03-23T08:00:00Z"


def sample(mini: Miniature) -> Miniature:
    """The sample in a miniature repository."""
    shutil.copytree(HERE / "repository", mini.root, dirs_exist_ok=True)
    return mini


def publish(mini: Miniature, *options: str, now: str = NOW) -> Outcome:
    """Make the calendar in the folder `public` of the repository."""
    return mini.run("calendar", "--output", str(mini.root / "public"), *options, now=now)


def edit_record(mini: Miniature, schedule_id: str, **fields: Any) -> None:
    """Change recorded fields by hand, which the record's reader allows."""
    import json

    state = mini.state
    state["schedules"][schedule_id] |= fields
    (mini.root / "state.json").write_text(json.dumps(state) + "\n", encoding="utf-8")
