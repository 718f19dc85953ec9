"""One line of a listing, one outcome of a run, one commit: what the reports are given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from scheduler.diagnostics import Location
from scheduler.state import Record, Status
from scheduler.times import Instant


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule in a listing: as it is recorded, or as the next run would record it."""

    schedule_id: str
    record: Record
    recorded: bool = True
    problem: str | None = None
    """The code of the rule that blocks it."""
    location: Location | None = None
    """Where it is declared."""
    zone: str = "UTC"
    """The IANA name of its channel's time zone."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run made of one schedule."""

    schedule_id: str
    status: Status
    error: str | None = None


class Origin(NamedTuple):
    """Where a line of a file comes from; `commit` is None where it is not committed yet."""

    commit: str | None
    author: str = ""
    at: Instant = 0
    """When it was written."""
    summary: str = ""


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The one order of listings: by publish time, then id."""
    return sorted(rows, key=lambda row: (row.record.scheduled_at, row.schedule_id))
