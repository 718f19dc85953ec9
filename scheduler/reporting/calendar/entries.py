"""What is in a calendar: an entry for each publication, freezes, and problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from scheduler.desired import BareMembers, Freeze, SettingsSpec, TagSelector
from scheduler.desired.calendar_expressions import instants as instants_of
from scheduler.desired.calendar_expressions import read_slots
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic
from scheduler.planning import query
from scheduler.planning.plan.pending import CONFIRM_AHEAD
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Row
from scheduler.reporting.explain import Explainer
from scheduler.state.record import Lease, Record, State
from scheduler.state.statuses import Status
from scheduler.times import Instant, read_utc, read_zone

_SLOTS_AGO = 40 * 86_400
"""Seconds: slots that passed before that have no part in what is still to come."""
_TIMES_OF_A_RECORD = (
    "executed_at", "accepted_at", "completed_at", "checked_at", "not_found_at", "next_attempt_at",
    "retried_at",
)  # fmt: skip
Kind = Status | Literal["handed_over", "paused", "blocked", "open", "missed"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One publication in the calendar."""

    row: Row
    kind: Kind
    why: str
    """Why it has or has not been sent, and what happens next, as in `show`."""
    changed: Instant
    """When anything last changed that its text depends on (`_Changes`)."""
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
    lineage: str | None
    """That of the state; None where there is none."""
    declared_since: Instant
    """When what is declared last changed."""

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
    declared_since: Instant,
) -> Calendar:
    """The calendar of the publications that the filter accepts. `leases` says which worker has a job, by the
    publication's key."""
    rows = query.rows(reconciled, state, wanted)
    explainer = Explainer(reconciled)
    changes = _Changes(reconciled, state, rows, declared_since)
    declared = {} if reconciled.declared is None else reconciled.declared.waves
    waves = sorted({row.record.wave_id for row in rows if row.record.wave_id is not None})
    return Calendar(
        now=reconciled.plan.now,
        start=wanted.start,
        end=wanted.end,
        entries=[_entry(explainer, changes, row, leases) for row in rows],
        channels=_channels(reconciled, rows, wanted),
        waves={name: (declared[name].title if name in declared else None) or name for name in waves},
        freezes=_freezes(reconciled, wanted),
        problems=reconciled.diagnostics,
        lineage=None if state is None else state.lineage,
        declared_since=declared_since,
    )


class _Changes:
    """When the text of an entry last changed, as far as state and files can tell: never earlier than it did.

    Programs that subscribe show a changed event only where this has increased. It is no clock: it is the last
    of the instants at which the text may change, all of which are recorded or declared, so that two calendars
    between which nothing happened are the same bytes.
    """

    def __init__(
        self, reconciled: Reconciled, state: State | None, rows: Sequence[Row], declared_since: Instant
    ) -> None:
        self.state, self._now = state, reconciled.plan.now
        self._newest: dict[str, Instant] = {}
        """By channel and by wave: one publication may hold back another, or take its video."""
        declared = reconciled.declared
        settings = SettingsSpec() if declared is None else declared.settings
        channels = {} if declared is None else declared.channels
        ends = {at for freeze in settings.freezes for at in (freeze.from_, freeze.until)}
        ends |= set() if declared is None else set(_ends_of_pauses(declared))
        self._common = max(declared_since, self._last(ends))
        recorded: dict[str, str] = {}
        for record in () if state is None else state.schedules.values():
            for of in _groups(record) if record.history else ():
                recorded[of] = max(recorded.get(of, ""), record.history[-1].at)
        for of, text in recorded.items():
            self._note(of, read_utc(text))
        for row in rows:
            record, at = row.record, row.record.at
            lead = channels[record.channel_id].lead if record.channel_id in channels else 0
            catch_up = settings.catch_up if record.catch_up is None else record.catch_up
            instants = [at, at - lead, at - lead - CONFIRM_AHEAD, at + catch_up]
            texts = [getattr(record, field) for field in _TIMES_OF_A_RECORD]
            texts += [record.intent.at, record.intent.not_after] if record.intent is not None else []
            instants += [read_utc(text) for text in texts if text is not None]
            for of in _groups(record):
                self._note(of, *instants)
        for name, channel in channels.items():
            rules, zone = read_slots(channel.slots), read_zone(channel.timezone)
            self._note(f"channel {name}", *instants_of(rules, zone, self._now - _SLOTS_AGO, self._now)[0])

    def of(self, row: Row, recorded: Record | None, lease: Lease | None) -> Instant:
        texts = [] if recorded is None else [event.at for event in recorded.history[-1:]]
        texts += [] if lease is None else [lease.at, lease.until]
        newest = [self._newest.get(of, 0) for of in _groups(row.record)]
        return max(self._common, *newest, self._last(map(read_utc, texts)))

    def _last(self, instants: Iterable[Instant]) -> Instant:
        return max((instant for instant in instants if instant <= self._now), default=0)

    def _note(self, of: str, *instants: Instant) -> None:
        self._newest[of] = max(self._newest.get(of, 0), self._last(instants))


def _groups(record: Record) -> list[str]:
    return [f"channel {record.channel_id}", *([f"wave {record.wave_id}"] if record.wave_id else [])]


def _ends_of_pauses(declared: Declarations) -> Iterator[Instant]:
    """Every `until` of a pause."""
    channels, waves = declared.channels.values(), declared.waves.values()
    entries = [entry for wave in waves for entry in wave.schedules]
    bare = (BareMembers, TagSelector)
    members = [member for e in entries if not isinstance(e.channels, bare) for member in e.channels]
    members += [member for entry in entries for member in entry.members]
    pauses = [*(held.paused for held in channels), *(held.paused for held in waves)]
    pauses += [member.paused for member in members]
    pauses += [one_off.paused for channel in channels for one_off in channel.schedules]
    for pause in pauses:
        if pause is not None and pause.until is not None:
            yield pause.until


def _entry(explainer: Explainer, changes: _Changes, row: Row, leases: Mapping[str, Lease]) -> Entry:
    recorded = _recorded(explainer.reconciled, changes.state, row)
    intent = row.record.intent
    lease = row.record.lease or (None if intent is None else leases.get(intent.key))
    return Entry(
        row=row,
        kind=kind_of(row),
        why=explainer.explain(row, recorded, lease).text,
        changed=changes.of(row, recorded, lease),
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
    """The one word for a publication on a calendar: its status, where that says too little its phase, or
    what keeps it from being sent."""
    record = row.record
    if record.status == "failed":
        return "missed" if record.reason == "missed" else "failed"
    if row.phase == "handed_over":
        return "handed_over"
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
