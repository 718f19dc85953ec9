"""What happens next to a record that was sent or may have been, and to one that is finished. Pure."""

from __future__ import annotations

from scheduler.planning.plan.pauses import pauses_text
from scheduler.planning.plan.pending import may_ask_for
from scheduler.planning.plan.retractions import LOOK_AGAIN, LOOK_BACK, proceed_retraction
from scheduler.planning.plan.situation import Due, Situation
from scheduler.state.jobs import overdue
from scheduler.state.outcomes import IN_FLIGHT, LOOKUP_WINDOW, RUN_WINDOW, awaited
from scheduler.state.record import Intent, Record, advance
from scheduler.times import duration_text, read_utc

ARCHIVE_AFTER = 90 * 24 * 3600
"""Seconds after which what is finished moves to the archive."""


def proceed_executing(situation: Situation, schedule_id: str, record: Record) -> None:
    """Look up what is not settled; under `at-least-once`, send again what was looked for in vain."""
    intent = record.intent
    assert intent is not None, "the reader of states refuses an executing record without an intent"
    if proceed_retraction(situation, schedule_id, record):
        return
    draft, now = situation.draft, situation.now
    draft.wake_at(now + 1)
    record = draft.records[schedule_id]
    if _proceed_claimed(situation, schedule_id, record):
        return
    why = _not_to_begin(situation, schedule_id, record) if intent.traits.is_job else None
    if why is not None:
        draft.taken_back[schedule_id] = why
    is_answered = record.accepted_at is not None or record.next_attempt_at is not None
    if not is_answered and now - read_utc(intent.at) < IN_FLIGHT:
        return  # its runner is still at work
    if record.accepted_at is None:
        draft.unknown.append(schedule_id)
        if _may_go_again(record, intent):
            _send_again(situation, schedule_id, record, intent)
            return
    if why is not None:
        draft.note("lookup", schedule_id, record, record, f"{why}: taken back unless a worker has begun it")
    elif (looked := record.checked_at or (record.accepted_at if intent.traits.is_job else None)) is None or (
        now - read_utc(looked) >= LOOK_AGAIN
    ):
        why = f"waiting for {awaited(intent)}" if record.accepted_at else "its outcome is unknown"
        draft.note("lookup", schedule_id, record, record, why)


def _not_to_begin(situation: Situation, schedule_id: str, record: Record) -> str | None:
    """Why no worker may begin its job any more: cancelled, paused, frozen or stopped since it was queued."""
    subject = situation.subject
    schedule = subject.schedules.get(schedule_id)
    if schedule is not None and schedule.cancelled:
        return "declared cancelled"
    if schedule is None and not (record.slot or subject.is_unreadable(record)):
        return "no longer declared"
    return pauses_text(situation.pauses.of(schedule_id, record)) or None


def _proceed_claimed(situation: Situation, schedule_id: str, record: Record) -> bool:
    """Leave a job to the worker that has it, which records its outcome; fail it if that worker is lost."""
    if record.lease is None or record.lease.state == "ended":
        return False
    after = overdue(record, situation.now, situation.subject.declared.settings.retry.attempts)
    if after is record:
        situation.draft.wake_at(max(read_utc(record.lease.until), situation.now + 1))
    else:
        situation.draft.change("fail", schedule_id, after, after.error_message or "its job failed")
    return True


def _may_go_again(record: Record, intent: Intent) -> bool:
    """Whether the last attempt is known to have come to nothing, as far as that can be known."""
    if not record.doubtful:
        return False
    if record.next_attempt_at is not None:  # the last attempt was a definite not-now
        return True
    looked = record.not_found_at
    return looked is not None and read_utc(looked) - read_utc(intent.at) >= LOOKUP_WINDOW


def _send_again(situation: Situation, schedule_id: str, record: Record, intent: Intent) -> None:
    """`at-least-once`: the lookup found nothing, so the same key goes out once more."""
    subject, now = situation.subject, situation.now
    schedule = subject.schedules.get(schedule_id)
    withdrawn = not subject.is_unreadable(record) if schedule is None else schedule.cancelled
    deadline = read_utc(intent.not_after)
    if withdrawn or now > deadline or record.counted_attempts >= subject.declared.settings.retry.attempts:
        _give_up(situation, schedule_id, record)
    elif record.next_attempt_at is not None and read_utc(record.next_attempt_at) > now:
        situation.draft.due_at(read_utc(record.next_attempt_at))
    elif (
        not situation.pauses.of(schedule_id, record)
        and not subject.is_held(schedule_id, record.channel_id)
        and subject.allows(intent.repository)  # where the first one went
        and may_ask_for(situation, schedule_id, record, intent.token, intent.repository)
    ):
        situation.due.append(
            Due(
                schedule_id=schedule_id,
                record=record,
                token=intent.token,
                due=now,
                late_from=record.at,
                deadline=deadline,
                reason="its outcome is unknown and no run was found",
            )
        )


def _give_up(situation: Situation, schedule_id: str, record: Record) -> None:
    attempts = f"{record.attempts} attempt{'s' if record.attempts != 1 else ''}"
    why = f"no run carries the key after {attempts}; it may have been published"
    after = advance(
        record, "failed", situation.now, why,
        reason="unknown_outcome", error_message=record.error_message or why, next_attempt_at=None,
    )  # fmt: skip
    situation.draft.change("fail", schedule_id, after, why)


# --- finished -------------------------------------------------------------------------------------


def proceed_finished(situation: Situation, schedule_id: str, record: Record) -> None:
    """Look again at a run that may be re-run; archive what has been over for a long time."""
    draft, now = situation.draft, situation.now
    if record.status == "completed" and _proceed_claimed(situation, schedule_id, record):
        return
    if record.status == "completed" and proceed_retraction(situation, schedule_id, record):
        return
    if _may_still_complete(situation, record):
        again = read_utc(record.checked_at) + LOOK_BACK if record.checked_at else now
        if again <= now:
            why = "a failed run may have been re-run"
            draft.note("lookup", schedule_id, record, record, why)
            again = now + 1
        draft.wake_at(again)
        return
    ended = max(record.at, read_utc(record.history[-1].at) if record.history else 0)
    if now - ended <= ARCHIVE_AFTER:
        draft.wake_at(ended + ARCHIVE_AFTER + 1)
    elif not _is_ahead(situation, schedule_id):
        why = f"finished more than {duration_text(ARCHIVE_AFTER)} ago"
        draft.note("archive", schedule_id, record, None, why)
        situation.archived[schedule_id] = draft.records.pop(schedule_id)


def _is_ahead(situation: Situation, schedule_id: str) -> bool:
    schedule = situation.subject.schedules.get(schedule_id)
    return schedule is not None and schedule.at > situation.now


def _may_still_complete(situation: Situation, record: Record) -> bool:
    """For a day, a failed run may be re-run, and one that was not found may show up."""
    return (
        record.status == "failed"
        and record.was_sent
        and record.intent is not None
        and record.intent.traits.has_runs
        and situation.now - read_utc(record.intent.at) <= RUN_WINDOW
    )
