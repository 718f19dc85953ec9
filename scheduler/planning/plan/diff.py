"""The first pass: what is declared is booked against what is recorded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec.structs import replace

from scheduler.planning.expand import Group, Schedule, return_of
from scheduler.planning.plan.pauses import Pauses
from scheduler.planning.plan.plan import PlanDraft, Subject
from scheduler.state.record import UNTRIED, Event, Record, advance, note
from scheduler.times import instant_text


def book(draft: PlanDraft, pauses: Pauses) -> None:
    """Create, update, cancel, reopen; then cancel what is no longer declared."""
    subject = draft.subject
    for schedule_id, former in subject.renamed.items():
        renamed = draft.records[schedule_id]
        draft.note("update", schedule_id, renamed, renamed, f"renamed from {former}")
    blocked, archive = subject.blocked, subject.archive
    catch_up = subject.declared.settings.catch_up
    for schedule_id, former in subject.moved.items():  # else what updates or withdraws it says so
        schedule, waiting = subject.schedules.get(schedule_id), draft.records[schedule_id]
        why = f"belongs to the slot at {schedule_id.partition('/')[2]}, was {former}"
        if schedule is not None and schedule_id in blocked:  # it is missed by its new time
            at = {"scheduled_at": instant_text(schedule.at), "local_time": schedule.local_time}
            draft.change("update", schedule_id, note(waiting, draft.now, why, **at), why)
        elif schedule is None and schedule_id in subject.kept:
            draft.note("update", schedule_id, waiting, waiting, why)
    mint = _Mint(draft, pauses)
    for schedule_id, schedule in subject.schedules.items():
        record = draft.records.get(schedule_id) or archive.get(schedule_id)
        if record is None:
            if schedule_id not in blocked:
                mint.create(schedule)
            elif blocked[schedule_id] not in ("duplicate-id", "zone-data") and not schedule.cancelled:
                _fail_in_time(draft, pauses, mint, schedule)
        elif record.is_unsent_live:
            if schedule.cancelled:
                _cancel(draft, schedule_id, record, "declared", "declared cancelled")
            elif schedule_id not in blocked:
                _update(draft, schedule, record)
        elif schedule_id not in blocked and return_of(schedule, record, draft.now, catch_up):
            _reopen(draft, pauses, schedule, record)
        elif _lacks_local_time(schedule, record) and schedule_id in draft.records:
            local = {"local_time": schedule.local_time, "timezone": schedule.timezone}
            draft.records[schedule_id] = replace(record, **local)
    _withdraw(draft)


def _fail_in_time(draft: PlanDraft, pauses: Pauses, mint: _Mint, schedule: Schedule) -> None:
    """Record what a rule kept from being recorded until it was too late: nobody would hear of it otherwise.

    What shares its id with another declaration has no record of its own to fail.
    """
    subject = draft.subject
    deadline = schedule.at + subject.declared.catch_up(schedule.group.catch_up)
    draft.wake_at(deadline + 1)
    if draft.now <= deadline or subject.why_blocked is None or pauses.of(schedule.id, new_record(schedule)):
        return
    mint.create(schedule)
    why = subject.why_blocked(schedule.id)
    record = draft.records[schedule.id]
    after = advance(record, "failed", draft.now, f"blocked: {why}", reason="blocked", error_message=why)
    draft.change("fail", schedule.id, after, why)


def _lacks_local_time(schedule: Schedule, record: Record) -> bool:
    """Whether it was sent by a version of the program that did not record local times."""
    is_missing = record.local_time is None and schedule.local_time is not None
    return record.was_sent and is_missing and schedule.at == record.at


def new_record(schedule: Schedule) -> Record:
    """A schedule as it is first recorded, without its history."""
    group = schedule.group
    return Record(
        wave_id=group.wave,
        coordination_group_id=group.id,
        channel_id=schedule.channel,
        status="pending",
        **_declared_fields(schedule),
    )


def _declared_fields(schedule: Schedule) -> dict[str, Any]:
    """The fields of a record that follow the declaration until it is sent."""
    group = schedule.group
    return {
        "schedule_type": group.schedule_type,
        "video_id": schedule.video,
        "scheduled_at": instant_text(schedule.at),
        "metadata": group.metadata,
        "local_time": schedule.local_time,
        "timezone": schedule.timezone,
        "slot": schedule.slot,
        "position": schedule.position,
        "catch_up": group.catch_up,
        "halt": group.halt,
        "after_success": group.after_success,
    }


class _Mint:
    """Makes the records of what is new.

    Those of one group have all but three fields in common: coined from one another they cost a quarter
    of what they would cost one by one, and share their history.
    """

    def __init__(self, draft: PlanDraft, pauses: Pauses) -> None:
        self._draft = draft
        self._pauses = pauses
        self._group: Group | None = None
        self._coin: Record | None = None
        self._reason = ""

    def create(self, schedule: Schedule) -> None:
        draft, coin = self._draft, self._coin
        if coin is None or schedule.group is not self._group:
            self._reason = f"declared in {schedule.file}"
            coin = new_record(schedule)
            coin.history = (Event(instant_text(draft.now), "pending", self._reason),)
            self._group, self._coin = schedule.group, coin
        record = replace(
            coin,
            channel_id=schedule.channel,
            scheduled_at=instant_text(schedule.at),
            local_time=schedule.local_time,
            timezone=schedule.timezone,
            position=schedule.position,
        )
        reason = self._reason
        if schedule.cancelled:
            reason += ", cancelled"
            record.status, record.reason = "cancelled", "declared"
            record.history = (Event(instant_text(draft.now), record.status, reason),)
        elif pauses := self._pauses.of(schedule.id, record):
            record.pauses, record.is_paused = pauses, True
        draft.change("create", schedule.id, record, reason)


def _cancel(
    draft: PlanDraft, schedule_id: str, record: Record, reason: Literal["declared", "withdrawn"], why: str
) -> None:
    after = advance(
        record,
        "cancelled",
        draft.now,
        why,
        reason="retracted" if record.was_retracted else reason,
        is_paused=False,
        pauses=(),
        retried_at=None,
    )
    if not record.limited:  # a limit is about the token, whose other schedules still have to wait
        after.next_attempt_at = None
    draft.change("cancel", schedule_id, after, why)


def _update(draft: PlanDraft, schedule: Schedule, record: Record) -> None:
    wanted = _declared_fields(schedule)
    if record.slot and record.retried_at:
        del wanted["video_id"]  # it keeps the video that it failed with
    changed = {name: value for name, value in wanted.items() if getattr(record, name) != value}
    if changed.keys() <= {"local_time", "timezone"} and schedule.id not in draft.subject.moved:
        # the same instant, in other words
        if changed:
            draft.records[schedule.id] = replace(record, **changed)
        return
    why = _what_changed(draft.subject, schedule, record, changed)
    if "scheduled_at" in changed or "video_id" in changed:
        changed |= {"checked_at": None, "unconfirmed": None, "unconfirmed_hint": None, "asked_about": None}
        if record.status == "scheduled":
            draft.change("update", schedule.id, advance(record, "pending", draft.now, why, **changed), why)
            return
    draft.change("update", schedule.id, note(record, draft.now, why, **changed), why)


def _what_changed(subject: Subject, schedule: Schedule, record: Record, changed: Mapping[str, Any]) -> str:
    words = []
    if "scheduled_at" in changed:
        words.append(f"moved from {record.scheduled_at} to {changed['scheduled_at']}")
        if record.local_time is not None and record.local_time == schedule.local_time and schedule.timezone:
            zones = subject.zones.step(schedule.timezone)
            is_data = record.timezone == schedule.timezone
            words[-1] += f" ({zones if is_data else f'{record.timezone} -> {schedule.timezone}'})"
    if schedule.id in subject.moved:
        words.append(f"{'' if words else 'moved, '}was {subject.moved[schedule.id]}")
    if "video_id" in changed:
        words.append(f"video {record.video_id or 'none'} -> {changed['video_id'] or 'none'}")
    if "metadata" in changed:
        words.append("metadata changed")
    others = sorted(changed.keys() - {"local_time", "timezone"})
    return ", ".join(words) or "its declaration changed: " + ", ".join(others)


def _reopen(draft: PlanDraft, pauses: Pauses, schedule: Schedule, record: Record) -> None:
    why = "declared again" if record.status == "cancelled" else "its declaration changed"
    after = advance(record, "pending", draft.now, why, **UNTRIED, **_declared_fields(schedule))
    after.earlier_attempts = record.attempts
    after.pauses = pauses.of(schedule.id, after)
    after.is_paused = bool(after.pauses)
    draft.change("reopen", schedule.id, after, why)


def _withdraw(draft: PlanDraft) -> None:
    """Cancel what is recorded, live, unsent, and no longer declared (unless it is kept)."""
    subject = draft.subject
    for schedule_id, record in subject.records.items():
        if (
            record.is_unsent_live
            and schedule_id not in subject.schedules
            and schedule_id not in subject.kept
            and schedule_id not in subject.as_recorded
        ):
            former = subject.moved.get(schedule_id)
            why = "no longer declared" + (f", was {former}" if former else "")
            _cancel(draft, schedule_id, record, "withdrawn", why)
