"""What lies far ahead and is held back by nothing: there is nothing to decide, only when to wake. Pure.

So it is with most records on most days. To find that out costs a tenth of deciding it one by one
(`scheduler.planning.plan.pending`, which says the same of them): 0.3 us a record.
"""

from __future__ import annotations

from scheduler.planning.plan.deadlines import Situation
from scheduler.planning.plan.pending import CONFIRM_AHEAD
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
