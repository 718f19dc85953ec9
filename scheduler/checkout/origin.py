"""Where a line of a file comes from."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.times import Instant


class Origin(NamedTuple):
    """Where a line of a file comes from; `commit` is None where it is not committed yet."""

    commit: str | None
    author: str = ""
    at: Instant = 0
    """When it was written."""
    summary: str = ""
