"""What was handed over and is not to be published: it is taken back, and that is followed up. Pure.

A freeze, a halt and the operator's stop take nothing back, and hold nothing of this back either.
"""

from __future__ import annotations

from scheduler.planning.plan.pending import may_ask_for
from scheduler.planning.plan.plan import Waiting, Withdrawal
from scheduler.planning.plan.situation import Due, Situation
from scheduler.state.outcomes import IN_FLIGHT, RUN_WINDOW
from scheduler.state.record import Record, note
from scheduler.state.retraction import in_vain
from scheduler.times import read_utc

LOOK_AGAIN = 60
"""Seconds between two lookups of one key."""
LOOK_BACK = 15 * 60
"""Seconds between two lookups of a failed run that may be re-run."""


def proceed_retraction(situation: Situation, schedule_id: str, record: Record) -> bool:
    """Take it back, or follow that up. True where nothing else is to be decided about the record now."""
    draft, now, retraction = situation.draft, situation.now, record.retraction
    wanted = situation.subject.withdrawals.get(schedule_id)
    if retraction is None or (retraction.status == "sending" and retraction.intent is None):
        if wanted is not None and wanted.event_type is not None:
            _take_back(situation, schedule_id, record, wanted, wanted.event_type)
        elif retraction is not None and wanted is None:  # nothing left, and it is declared again
            why = "not taken back: declared again"
            draft.change("update", schedule_id, note(record, now, why, retraction=None), why)
        elif retraction is not None:
            after = in_vain(record, retraction, retraction.error or "there was no time left", now)
            draft.change("update", schedule_id, after, after.history[-1].why)
        return False
    if retraction.status == "confirmed" or retraction.intent is None:
        return False
    if retraction.status == "failed":
        if record.status != "completed" or now > record.at + RUN_WINDOW:
            return False
        again = read_utc(retraction.checked_at or retraction.at) + LOOK_BACK
        if again <= now:
            why = "the failed run that was to take it back may have been re-run"
            draft.note("lookup", schedule_id, record, record, why)
        draft.wake_at(max(again, now + 1))
        return True
    draft.wake_at(now + 1)
    schedule = situation.subject.schedules.get(schedule_id)
    if wanted is not None and wanted.kind in ("edited", "restored") and schedule is not None:
        # Once that is confirmed it leaves under the next key: a run that stays looks again by then.
        draft.due_at(max(now + LOOK_AGAIN, schedule.at - situation.subject.lead(record.channel_id)))
    if retraction.status == "sending":
        if now - read_utc(retraction.intent.at) < IN_FLIGHT and retraction.error is None:
            return True  # its runner is still at work
        draft.unknown.append(schedule_id)
    looked = retraction.checked_at
    if looked is None or now - read_utc(looked) >= LOOK_AGAIN:
        is_known = retraction.status == "accepted"
        why = (
            "waiting for the run that takes it back" if is_known else "it is unknown whether it is taken back"
        )
        draft.note("lookup", schedule_id, record, record, why)
    return True


def _take_back(
    situation: Situation, schedule_id: str, record: Record, wanted: Withdrawal, event_type: str
) -> None:
    subject, draft, before = situation.subject, situation.draft, record.retraction
    intent = record.intent
    assert intent is not None, "only what was sent is taken back"
    channel = subject.declared.channels.get(record.channel_id)
    is_same = channel is not None and channel.repository == intent.repository
    token = subject.surroundings.token_for(channel) if channel is not None and is_same else intent.token
    if before is not None and before.next_attempt_at and read_utc(before.next_attempt_at) > situation.now:
        draft.due_at(read_utc(before.next_attempt_at))
    elif not subject.allows(intent.repository):
        why = f"it cannot be taken back: repository {intent.repository} is not allowed"
        draft.waiting.append(Waiting(schedule_id=schedule_id, why=why))
        draft.wake_at(situation.now + 1)
    elif may_ask_for(situation, schedule_id, record, token, intent.repository, is_retraction=True):
        situation.due.append(
            Due(
                schedule_id=schedule_id,
                record=record,
                token=token,
                due=situation.now,
                late_from=record.at,
                deadline=record.at,
                reason=wanted.why,
                event_type=event_type,
            )
        )
