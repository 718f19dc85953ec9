"""What `list`, `show` and the queries of `SchedulingService` look at: one row a schedule. Pure.

Rows show what the next run would record, beside what no run has recorded yet and what was archived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec
from msgspec.structs import replace

from scheduler.planning.expand import member_place
from scheduler.planning.plan import new_record, pauses_text
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Row
from scheduler.state.record import Record, State
from scheduler.times import Instant, instant_text
from scheduler.wording import did_you_mean


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are wanted; every condition that is given must hold. `start <= time < end`."""

    channels: frozenset[str] = frozenset()
    waves: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    """Of channels; one of them is enough."""
    videos: frozenset[str] = frozenset()
    phases: frozenset[str] = frozenset()
    late: bool = False
    start: Instant | None = None
    end: Instant | None = None

    def accepts(self, row: Row) -> bool:
        record = row.record
        return (
            (not self.channels or record.channel_id in self.channels)
            and (not self.waves or record.wave_id in self.waves)
            and (not self.groups or record.coordination_group_id in self.groups)
            and (not self.statuses or record.status in self.statuses)
            and (not self.types or record.schedule_type in self.types)
            and (not self.tags or not self.tags.isdisjoint(row.tags))
            and (not self.videos or record.video_id in self.videos)
            and (not self.phases or row.phase in self.phases)
            and (not self.late or row.is_late)
            and (self.start is None or record.at >= self.start)
            and (self.end is None or record.at < self.end)
        )


def rows(reconciled: Reconciled, state: State | None, wanted: Filter | None = None) -> list[Row]:
    """All schedules that the filter accepts, by publish time, then id."""
    chosen = Filter() if wanted is None else wanted
    found = (row for row in _all_rows(reconciled, state) if chosen.accepts(row))
    return sorted(found, key=lambda row: (row.record.scheduled_at, row.schedule_id))


def unknown_names(wanted: Filter, reconciled: Reconciled, every: Collection[Row]) -> list[str]:
    """A message for each name in a filter that no file and no row has, with a likely one."""
    files = reconciled.declared.files if reconciled.declared is not None else ()
    records = [row.record for row in every]
    channels = {name for kind, name in files if kind == "channel"}.union(r.channel_id for r in records)
    waves = {name for kind, name in files if kind == "wave"}.union(r.wave_id for r in records if r.wave_id)
    groups = {r.coordination_group_id for r in records if r.coordination_group_id is not None}
    declared = {} if reconciled.declared is None else reconciled.declared.channels
    tags = {tag for channel in declared.values() for tag in channel.tags}
    videos = {record.video_id for record in records if record.video_id is not None}
    found = []
    for noun, names, there in (
        ("channel", wanted.channels, channels),
        ("wave", wanted.waves, waves),
        ("group", wanted.groups, groups),
        ("tag", wanted.tags, tags),
        ("video", wanted.videos, videos),
    ):
        for name in sorted(names - there):
            likely = did_you_mean(name, sorted(there))
            found.append(f"there is no {noun} {name!r}" + (f"; {likely}" if likely else ""))
    return found


def _all_rows(reconciled: Reconciled, state: State | None) -> Iterator[Row]:
    recorded = state.schedules if state is not None else {}
    leaving = {c.schedule_id: c.before for c in reconciled.plan.changes if c.action == "archive" and c.before}
    archive = {**reconciled.archive, **leaving}
    known = {**archive, **reconciled.booked}
    former = {old for record in reconciled.booked.values() for old in record.former_ids}
    for schedule_id, record in known.items():
        if schedule_id in former and schedule_id not in reconciled.booked:
            continue  # archived under an id that was renamed since
        is_recorded = schedule_id in recorded or schedule_id in archive or bool(record.former_ids)
        record, stopped_at = _as_stopped(recorded.get(schedule_id), record)
        yield _row(reconciled, schedule_id, record, recorded=is_recorded, stopped_at=stopped_at)
    for schedule_id, schedule in reconciled.schedules.items():
        if schedule_id not in known:
            yield _row(reconciled, schedule_id, new_record(schedule), recorded=False)
    for slot in reconciled.open_slots:
        record = Record(
            schedule_type="independent",
            channel_id=slot.channel,
            scheduled_at=instant_text(slot.at),
            status="pending",
            slot=True,
        )
        yield _row(reconciled, slot.id, record, recorded=False)


def _as_stopped(recorded: Record | None, record: Record) -> tuple[Record, str | None]:
    """The record with the operator's pause that a run recorded, and when. The pause need not be set here.

    The time is None where there is no such pause, or where it is set here too.
    """
    held = () if recorded is None else tuple(pause for pause in recorded.pauses if pause.by == "operator")
    if recorded is None or not held or any(pause.by == "operator" for pause in record.pauses):
        return record, None
    why = pauses_text(held).removeprefix("paused by ")
    since = next((event.at for event in reversed(recorded.history) if why in event.why), "")
    if record.is_unsent_live:
        pauses = (*record.pauses, *held)
        return replace(record, is_paused=True, pauses=pauses, history=recorded.history), since
    if recorded.is_unsent_live and record.reason in ("missed", "no_video"):
        return recorded, since  # only a run without that pause would find it so
    return record, None


def _row(
    reconciled: Reconciled,
    schedule_id: str,
    record: Record,
    *,
    recorded: bool,
    stopped_at: str | None = None,
) -> Row:
    schedule = reconciled.schedules.get(schedule_id)
    declared = reconciled.declared
    channel = None if declared is None else declared.channels.get(record.channel_id)
    return Row(
        schedule_id=schedule_id,
        record=record,
        now=reconciled.plan.now,
        recorded=recorded,
        problem=reconciled.blocked.get(schedule_id),
        location=None if schedule is None or declared is None else member_place(declared, schedule),
        zone="UTC" if channel is None else channel.timezone,
        tags=() if channel is None else channel.tags,
        stopped_at=stopped_at,
    )
