"""A fast path for what is far ahead and held back by nothing: only when to wake has to be found. Pure.

Most records are like that on most days. Its slow twin is `scheduler.planning.plan.pending`, which decides
the same of them one by one, at ten times the cost (this takes 0.3 us a record).
`tests/planning/test_plan_ahead.py` holds the two equal.
"""

from __future__ import annotations

from scheduler.planning.plan.pending import CONFIRM_AHEAD
from scheduler.planning.plan.situation import Situation
from scheduler.times import Instant


def without_far_ahead(situation: Situation) -> list[str]:
    """The ids of all records that need a decision now. Remembers when to wake for the others."""
    subject, draft = situation.subject, situation.draft
    schedules, blocked = subject.schedules, subject.blocked
    channels = _unheld_channels(situation)
    soonest: Instant | None = None
    others: list[str] = []
    for schedule_id, record in draft.records.items():
        schedule = schedules.get(schedule_id)
        if (
            schedule is not None
            and record.status == "pending"
            and schedule.channel in channels
            and schedule.paused is schedule.group.paused is None
            and record.checked_at is record.retried_at is None
            and not (record.is_paused or record.after_success or record.halt)
            and schedule_id not in blocked
        ):
            lead, near = channels[schedule.channel]
            due = schedule.at - lead
            if due > near:
                if soonest is None or due < soonest:
                    soonest = due
                continue
        others.append(schedule_id)
    if soonest is not None:
        draft.wake_at(soonest - CONFIRM_AHEAD)
        draft.due_at(soonest)
    return others


def _unheld_channels(situation: Situation) -> dict[str, tuple[int, Instant]]:
    """For the channels that may send: their lead, and the instant up to which a closer look is needed."""
    subject = situation.subject
    if subject.surroundings.stopped:
        return {}
    return {
        name: (channel.lead, max([situation.now + CONFIRM_AHEAD, *situation.pauses.ends_of_freezes(name)]))
        for name, channel in subject.declared.channels.items()
        if channel.paused is None and subject.declared.can_send(name)
    }
