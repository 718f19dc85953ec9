"""declared x recorded x now -> what to do, each step with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from scheduler.state import Record
from scheduler.times import Instant

Action = Literal[
    "create",
    "update",
    "cancel",
    "pause",
    "resume",
    "reopen",
    "send",
    "miss",
    "confirm",
    "lookup",
    "complete",
    "fail",
    "archive",
]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan. `before` is None for what is new; `after` is None for what is archived."""

    action: Action
    schedule_id: str
    before: Record | None
    after: Record | None
    reason: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` would do at `now`."""

    now: Instant
    changes: Sequence[Change]
