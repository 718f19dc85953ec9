"""What happens next to a record that was not sent yet: it waits, is missed, or falls due. Pure."""

from __future__ import annotations

import msgspec

from scheduler.planning.plan.halts import Halts
from scheduler.planning.plan.pauses import pauses_text, until_when
from scheduler.planning.plan.plan import Waiting
from scheduler.planning.plan.situation import Due, Situation, Timing
from scheduler.state.record import Pause, Record, advance, note
from scheduler.times import duration_text, instant_text, read_utc

CONFIRM_AHEAD = 24 * 3600
"""Seconds before a schedule falls due within which its channel is asked whether it is ready."""
ASK_AGAIN = 3600
"""Seconds after which a channel is asked again, if nothing about it changed in the meantime."""


def proceed(situation: Situation, schedule_id: str, record: Record, halts: Halts | None) -> None:
    """Decide for one pending or scheduled record. `halts` is None while they are being found out."""
    draft = situation.draft
    pauses = situation.pauses.of(schedule_id, record)
    halt = None if halts is None else halts.pause(record)
    if halt is not None:
        pauses = (*pauses, halt)
    record = _note_pauses(situation, schedule_id, record, pauses)
    for pause in pauses:
        if pause.until is not None:
            draft.wake_at(read_utc(pause.until))
    if schedule_id in situation.subject.kept:
        return
    timing = situation.timing(schedule_id, record)
    if pauses or timing is None:
        ends = until_when(pauses)
        if timing is not None and ends is not None:
            draft.due_at(max(timing.due, ends))
        if not pauses:
            _confirm_ahead(situation, schedule_id, record)
    elif situation.is_too_late(record, timing):
        _miss(situation, schedule_id, record, timing)
    else:
        draft.wake_at(timing.deadline + 1)
        if not situation.subject.is_held(schedule_id, record.channel_id):
            _approach(situation, schedule_id, record, timing)


def _note_pauses(situation: Situation, schedule_id: str, record: Record, pauses: tuple[Pause, ...]) -> Record:
    if pauses == record.pauses and record.is_paused == bool(pauses):
        return record
    why = pauses_text(pauses) or "no longer paused"
    after = note(record, situation.now, why, is_paused=bool(pauses), pauses=pauses)
    if bool(pauses) == record.is_paused:
        situation.draft.change("update", schedule_id, after, why)
    else:
        situation.draft.change("pause" if pauses else "resume", schedule_id, after, why)
    return after


def _miss(situation: Situation, schedule_id: str, record: Record, timing: Timing) -> None:
    catch_up = duration_text(situation.subject.catch_up(record))
    why = f"more than {catch_up} (catch_up) after {instant_text(timing.base)}"
    freed = situation.freed(record.channel_id)
    if record.at < freed - situation.gap < timing.deadline < freed:
        why += f"; until then, `min_gap` kept it apart from what {record.channel_id} sent late"
    if record.error_message:
        why += f"; {'the last attempt' if record.counted_attempts else 'it waited'}: {record.error_message}"
    after = advance(record, "failed", situation.now, f"missed: {why}", reason="missed", error_message=why)
    situation.draft.change("miss", schedule_id, after, why)


def _approach(situation: Situation, schedule_id: str, record: Record, timing: Timing) -> None:
    """It is neither paused nor held back nor too late."""
    if situation.now < timing.due:
        situation.draft.due_at(timing.due)
        _confirm_ahead(situation, schedule_id, record)
    elif record.video_id is None:
        why = "it fell due with no video assigned"
        after = advance(record, "failed", situation.now, why, reason="no_video", error_message=why)
        situation.draft.change("fail", schedule_id, after, why)
    else:
        _fall_due(situation, schedule_id, record, timing)


def _confirm_ahead(situation: Situation, schedule_id: str, record: Record) -> None:
    """Ask within the last 24 h whether its channel is ready: hourly, and at once when anything about it
    changed, such as whether its token is set. A yes may end as well as a no."""
    if situation.subject.is_held(schedule_id, record.channel_id):
        return
    begins = record.at - situation.subject.lead(record.channel_id) - CONFIRM_AHEAD
    asked_about = situation.about_channel(record.channel_id)
    if record.checked_at is not None and record.asked_about in (None, asked_about):
        if record.status == "scheduled" and record.at <= situation.now:
            return  # it waits for the one before it, which may take for ever
        begins = max(begins, read_utc(record.checked_at) + ASK_AGAIN)
    if begins > situation.now:
        situation.draft.wake_at(begins)
        return
    why = "due within 24 h: asking whether its channel is ready"
    after = msgspec.structs.replace(record, asked_about=asked_about)
    situation.draft.note("confirm", schedule_id, record, after, why)


def _fall_due(situation: Situation, schedule_id: str, record: Record, timing: Timing) -> None:
    draft, surroundings = situation.draft, situation.subject.surroundings
    channel = situation.subject.declared.channels[record.channel_id]
    token = surroundings.token_for(channel)
    if record.next_attempt_at is not None and read_utc(record.next_attempt_at) > situation.now:
        draft.due_at(read_utc(record.next_attempt_at))
        situation.delayed.append((schedule_id, record))
    elif may_ask_for(situation, schedule_id, record, token, channel.repository):
        late = situation.now - timing.late_from
        situation.due.append(
            Due(
                schedule_id=schedule_id,
                record=record,
                token=token,
                due=timing.due,
                late_from=timing.late_from,
                deadline=timing.deadline,
                reason="due" if late <= 0 else f"due, {duration_text(late)} late",
            )
        )


def may_ask_for(
    situation: Situation,
    schedule_id: str,
    record: Record,
    token: str | None,
    repository: str | None,
    *,
    is_retraction: bool = False,
) -> bool:
    """Whether its token is set, accepted and not asked to wait; says so where not."""
    if token is None:  # a queue wants none
        return True
    draft, surroundings = situation.draft, situation.subject.surroundings
    limited_until = situation.limited.get(token, situation.now)
    if token not in surroundings.tokens:
        draft.wake_at(situation.now + 1)
        why = (
            f"no token: {token} does not look like one: it contains whitespace or an unexpected character"
            if token in surroundings.unusable
            else f"no token: {token} is not set, and {token}_FILE does not name a file that holds one"
        )
        draft.waiting.append(Waiting(schedule_id=schedule_id, why=why))
    elif (ended := surroundings.why_ended(token, repository)) is not None:
        draft.wake_at(situation.now + 1)
        draft.waiting.append(Waiting(schedule_id=schedule_id, why=ended, token_ended=True))
        if record.error_message != ended and not is_retraction:
            why = f"its token is not accepted: {ended}"
            record = note(record, situation.now, why, error_message=ended)
            draft.change("update", schedule_id, record, why)
    elif limited_until > situation.now:
        draft.due_at(limited_until)
    else:
        return True
    if not is_retraction:
        situation.delayed.append((schedule_id, record))
    return False
