"""What is in a calendar: an entry for each publication, freezes, and problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from scheduler.desired import Freeze
from scheduler.diagnostics import Diagnostic
from scheduler.planning import query
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Row
from scheduler.reporting.explain import Explainer
from scheduler.state.record import Lease, Record, State
from scheduler.state.statuses import Status
from scheduler.times import Instant, read_utc

Kind = Status | Literal["paused", "blocked", "open", "missed"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One publication in the calendar."""

    row: Row
    kind: Kind
    why: str
    """Why it has or has not been sent, and what happens next, as in `show`."""
    changed: Instant | None
    """When its record last changed; None where there is none yet."""
    revision: int
    """How often it has changed since it was first recorded. Never falls."""

    @property
    def video(self) -> str:
        """What is published, or a note that no video is assigned."""
        record = self.row.record
        if record.video_id is not None:
            return record.video_id
        return "open slot" if self.kind == "open" else "no video yet"


class CalendarChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as people know it: its name, and its zone (IANA)."""

    name: str
    timezone: str


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page, the feed and the document show, as of `now`."""

    now: Instant
    start: Instant | None
    """Entries are published at this time or later."""
    end: Instant | None
    """Entries are published before this time; None for no limit."""
    entries: Sequence[Entry]
    """By publish time, then id."""
    channels: Mapping[str, CalendarChannel]
    """Every declared channel, and every other one that has an entry, by id."""
    waves: Mapping[str, str]
    """The titles of the waves that have entries, by id."""
    freezes: Sequence[Freeze]
    """Those that overlap the span, by their start."""
    problems: Sequence[Diagnostic]

    @property
    def past(self) -> Sequence[Entry]:
        return [entry for entry in self.entries if entry.row.record.at < self.now]

    @property
    def coming(self) -> Sequence[Entry]:
        return [entry for entry in self.entries if entry.row.record.at >= self.now]


def gather(
    reconciled: Reconciled,
    state: State | None,
    wanted: query.Filter,
    leases: Mapping[str, Lease],
) -> Calendar:
    """The calendar of the publications that the filter accepts. `leases` says which worker has a job, by the
    publication's key."""
    rows = query.rows(reconciled, state, wanted)
    explainer = Explainer(reconciled)
    declared = {} if reconciled.declared is None else reconciled.declared.waves
    waves = sorted({row.record.wave_id for row in rows if row.record.wave_id is not None})
    return Calendar(
        now=reconciled.plan.now,
        start=wanted.start,
        end=wanted.end,
        entries=[_entry(explainer, state, row, leases) for row in rows],
        channels=_channels(reconciled, rows, wanted),
        waves={name: (declared[name].title if name in declared else None) or name for name in waves},
        freezes=_freezes(reconciled, wanted),
        problems=reconciled.diagnostics,
    )


def _entry(explainer: Explainer, state: State | None, row: Row, leases: Mapping[str, Lease]) -> Entry:
    recorded = _recorded(explainer.reconciled, state, row)
    history = () if recorded is None else recorded.history
    intent = row.record.intent
    lease = row.record.lease or (None if intent is None else leases.get(intent.key))
    return Entry(
        row=row,
        kind=kind_of(row),
        why=explainer.explain(row, recorded, lease).text,
        changed=read_utc(history[-1].at) if history else None,
        revision=max(0, len(row.record.history) - 1),
    )


def _recorded(reconciled: Reconciled, state: State | None, row: Row) -> Record | None:
    """The record of a row as it is in the state or the archive, under this id or a former one."""
    known = {} if state is None else state.schedules
    for name in (row.schedule_id, *reversed(row.record.former_ids)):
        found = known.get(name) or reconciled.archive.get(name)
        if found is not None:
            return found
    return None


def kind_of(row: Row) -> Kind:
    """The one word for a publication on a calendar: its status, or what keeps it from being sent."""
    record = row.record
    if record.status == "failed":
        return "missed" if record.reason == "missed" else "failed"
    if not record.is_unsent_live:
        return record.status
    if row.problem is not None:
        return "blocked"
    if record.slot and record.video_id is None:
        return "open"
    return "paused" if record.is_paused else record.status


def _channels(
    reconciled: Reconciled, rows: Sequence[Row], wanted: query.Filter
) -> dict[str, CalendarChannel]:
    """Declared channels that the filter accepts, and those of the rows."""
    declared = {} if reconciled.declared is None else reconciled.declared.channels
    named = {name for name in declared if not wanted.channels or name in wanted.channels}
    zones = {row.record.channel_id: row.zone for row in rows}
    return {
        name: CalendarChannel(name=declared[name].name, timezone=declared[name].timezone)
        if name in declared
        else CalendarChannel(name=name, timezone=zones[name])
        for name in sorted(named | zones.keys())
    }


def _freezes(reconciled: Reconciled, wanted: query.Filter) -> list[Freeze]:
    declared = () if reconciled.declared is None else reconciled.declared.settings.freezes
    reaching = [
        freeze
        for freeze in declared
        if (wanted.start is None or freeze.until > wanted.start)
        and (wanted.end is None or freeze.from_ < wanted.end)
        and (not wanted.channels or freeze.channels is None or wanted.channels & {*freeze.channels})
    ]
    return sorted(reaching, key=lambda freeze: (freeze.from_, freeze.until, freeze.reason or ""))
