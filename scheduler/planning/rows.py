"""One line of a listing, one outcome of a run, one commit: what the reports are given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

import msgspec

from scheduler.diagnostics import Location
from scheduler.state.record import Record
from scheduler.state.statuses import OVER, Reason, Status
from scheduler.times import Instant

Phase = Literal["declared", "recorded", "handed_over", "public", "over"]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
"""In the order of a life."""


def phase_of(record: Record | None, now: Instant, *, is_recorded: bool = True) -> Phase:
    """How far a publication is on its way to the public at `now`; None is one without a record.

    With a `lead` its channel accepts it long before: it is handed over until it is completed and its publish
    time has come. A job that no worker has begun can be taken back, so it is not handed over.
    """
    if record is not None and record.status in OVER:
        return "over"
    if record is None or not is_recorded:
        return "declared"
    if record.traits.was_sent and not is_queued(record):
        if record.traits.is_settled:
            return "public" if record.at <= now else "handed_over"
        if record.accepted_at is not None:
            return "handed_over"
    return "recorded"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule in a listing: as it is recorded, or as the next run would record it."""

    schedule_id: str
    record: Record
    now: Instant
    """When it is looked at."""
    recorded: bool = True
    problem: str | None = None
    """The code of the rule that blocks it."""
    location: Location | None = None
    """Where it is declared."""
    zone: str = "UTC"
    """The IANA name of its channel's time zone."""
    tags: tuple[str, ...] = ()
    """Those of its channel, as declared."""
    stopped_at: str | None = None
    """When a run recorded that the operator's SCHEDULER_PAUSED holds it back, which is not set here."""

    @property
    def phase(self) -> Phase:
        """How far it is on its way to the public."""
        return phase_of(self.record, self.now, is_recorded=self.recorded)

    @property
    def is_ahead(self) -> bool:
        """Whether it is handed over and its publish time is still to come."""
        return self.record.at > self.now and self.phase == "handed_over"

    @property
    def is_late(self) -> bool:
        """Whether it was sent after its publish time, or is not public although that has passed."""
        is_waiting = self.phase in ("declared", "recorded", "handed_over") and self.record.at < self.now
        return is_waiting or (self.record.lateness_seconds or 0) > 0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run made of one schedule."""

    schedule_id: str
    status: Status
    phase: Phase
    scheduled_at: str
    """The publish time (RFC 3339, UTC)."""
    reason: Reason | None = None
    """Why it failed or was cancelled."""
    error: str | None = None


def is_dead_letter(record: Record) -> bool:
    """Whether its job on a queue was given up: it did not end well, and no worker takes it up again."""
    return record.status == "failed" and record.was_sent and _on_queue(record)


def waits_for_worker(record: Record) -> bool:
    """Whether its job is on the queue and the record knows of no worker that has it."""
    is_open = record.traits.was_sent and record.evidence != "run"
    return is_open and record.lease is None and _on_queue(record)


def is_queued(record: Record) -> bool:
    """Whether the queue has accepted its job, and no worker has said that it is done or under way."""
    return record.accepted_at is not None and waits_for_worker(record)


def _on_queue(record: Record) -> bool:
    return record.intent is not None and record.intent.traits.is_job


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The one order of listings: by publish time, then id."""
    return sorted(rows, key=lambda row: (row.record.scheduled_at, row.schedule_id))
