"""What is due leaves in order: by publish time, spread by pace, under `halt` one after the other. Pure."""

from __future__ import annotations

from itertools import groupby

import msgspec

from scheduler.planning.plan.plan import PlannedSend
from scheduler.planning.plan.situation import Due, Situation
from scheduler.planning.rate_limit import Bucket
from scheduler.times import duration_text, instant_text, read_utc

FAR_BACK = 24 * 3600
"""Seconds of recorded sends that a bucket is rebuilt from; a token busier than that starts it anew."""


def order_sends(situation: Situation) -> None:
    """Order what is due, spread it by pace, and say who waits for whom."""
    if not situation.due:
        return
    draft = situation.draft
    draft.wake_at(draft.now + 1)
    buckets = _buckets(situation)
    turns = _turns(situation)
    for due in sorted(situation.due, key=lambda due: (due.record.at, due.record.position, due.schedule_id)):
        offset = 0.0
        if due.token is not None:
            offset = buckets[due.token].take(float(draft.now)) - draft.now
        send = PlannedSend(
            schedule_id=due.schedule_id,
            token=due.token,
            offset_seconds=offset,
            not_after=due.deadline,
            due=due.due,
            late_from=due.late_from,
            waits_for=None if due.event_type else turns.get(due.schedule_id),
            event_type=due.event_type,
            why=due.reason if due.event_type else "",
        )
        draft.sends.append(send)
        if due.event_type is not None:
            draft.note("retract", due.schedule_id, due.record, due.record, _reason(due, send))
            continue
        after = msgspec.structs.replace(due.record, status="executing", attempts=due.record.attempts + 1)
        draft.note("send", due.schedule_id, due.record, after, _reason(due, send))


def _reason(due: Due, send: PlannedSend) -> str:
    reason = due.reason
    if send.offset_seconds >= 1:
        reason += f"; {duration_text(round(send.offset_seconds))} later because of `pace`"
    if send.waits_for:
        reason += f"; after the answer for {send.waits_for}"
    return reason


def _turns(situation: Situation) -> dict[str, str]:
    """Under `halt`: whom each waits for, the answer of what its wave publishes before it.

    Members of one instant leave together. A request that is under way, or was put off, is one whose
    answer is not in.
    """
    outstanding = {due.schedule_id: due.record for due in situation.due if due.event_type is None} | dict(
        situation.delayed
    )
    halting = {record.wave_id for record in outstanding.values() if record.halt}
    for schedule_id, record in situation.draft.records.items() if halting else ():
        # What is under way keeps the `halt` that it was sent with; its wave may have one since.
        if record.status == "executing" and record.accepted_at is None:
            outstanding[schedule_id] = record
    line = sorted(
        (record.wave_id, record.at, schedule_id)
        for schedule_id, record in outstanding.items()
        if record.wave_id is not None and record.wave_id in halting
    )
    waits: dict[str, str] = {}
    for _, members in groupby(line, key=lambda place: place[0]):
        before: str | None = None
        for _, together in groupby(members, key=lambda place: place[1]):
            names = [schedule_id for _, _, schedule_id in together]
            if before is not None:
                waits |= dict.fromkeys(names, before)
            before = names[0]
    return waits


def _buckets(situation: Situation) -> dict[str, Bucket]:
    """A bucket for each token, as the recorded sends left it."""
    pace = situation.subject.declared.settings.pace
    since = instant_text(max(0, situation.now - max(FAR_BACK, pace.seconds)))
    sent: dict[str, list[float]] = {due.token: [] for due in situation.due if due.token is not None}
    for record in situation.draft.records.values():
        intent = record.intent
        if intent is not None and intent.token in sent and intent.at >= since:
            sent[intent.token].append(float(read_utc(intent.at)))
        taken_back = record.retraction
        if taken_back is not None and intent is not None and intent.token in sent and taken_back.at >= since:
            sent[intent.token].append(float(read_utc(taken_back.at)))
    return {token: Bucket(pace, moments) for token, moments in sent.items()}
