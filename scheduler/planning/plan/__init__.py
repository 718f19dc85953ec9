"""declared x recorded x now -> what to do, each step with its reason. Pure.

A plan is a value. It is printed, commented on a pull request, tested, and carried out by
`scheduler.delivery`; nothing is carried out that is not in it. It is made in steps, each of which needs the
one before it:

1. `diff`: what is declared is compared with what is recorded, and records are created, updated, cancelled.
2. `not_yet_due`: what is far ahead needs no decision, and is left out of all that follows.
3. `in_flight`: what was sent comes before what was not, since what is given up here halts its wave.
4. `halts`: the waves in which something failed, before any member of them is decided.
5. `pending`: what was not sent waits, is missed, or falls due.
6. `catch_up`: of what is late, each channel sends one at a time.
7. `order`: what is due is put in order once all of it is known, as requests share a pace.
"""

from __future__ import annotations

from scheduler.planning.plan import in_flight, pending
from scheduler.planning.plan.catch_up import take_turns
from scheduler.planning.plan.diff import book, new_record
from scheduler.planning.plan.halts import find_halts
from scheduler.planning.plan.not_yet_due import without_far_ahead
from scheduler.planning.plan.order import order_sends
from scheduler.planning.plan.pauses import Pauses, pauses_text
from scheduler.planning.plan.plan import (
    APP_TOKEN_LIFE,
    DEFAULT_TOKENS,
    Action,
    Change,
    Plan,
    PlanDraft,
    PlannedSend,
    PutOff,
    Subject,
    Surroundings,
    Waiting,
    Withdrawal,
    is_allowed,
)
from scheduler.planning.plan.situation import Situation
from scheduler.state.record import Record

__all__ = [
    "APP_TOKEN_LIFE",
    "DEFAULT_TOKENS",
    "Action",
    "Change",
    "Plan",
    "PlannedSend",
    "PutOff",
    "Subject",
    "Surroundings",
    "Waiting",
    "Withdrawal",
    "is_allowed",
    "make_plan",
    "new_record",
    "pauses_text",
]


def make_plan(subject: Subject) -> tuple[Plan, dict[str, Record]]:
    """The plan, and the records as they are after its first step, before anything is sent."""
    draft = PlanDraft(subject)
    pauses = Pauses(subject)
    book(draft, pauses)
    situation = Situation(draft, pauses)
    _proceed(situation)
    take_turns(situation)
    order_sends(situation)
    return draft.finished(), draft.records


def _proceed(situation: Situation) -> None:
    """Decide what happens to each record now: steps 2 to 5 above."""
    draft = situation.draft

    def fail(schedule_id: str) -> None:
        pending.proceed(situation, schedule_id, draft.records[schedule_id], None)

    near = without_far_ahead(situation)
    under_way = [schedule_id for schedule_id in near if _is_under_way(draft.records[schedule_id])]
    for schedule_id in under_way:
        _proceed_sent(situation, schedule_id, draft.records[schedule_id])
    halts = find_halts(situation, fail)
    settled = set(under_way)
    for schedule_id in near:
        record = draft.records[schedule_id]
        if record.is_unsent_live:
            pending.proceed(situation, schedule_id, record, halts)
        elif schedule_id not in settled:
            _proceed_sent(situation, schedule_id, record)
    for freeze in situation.subject.declared.settings.freezes:
        draft.wake_at(freeze.from_)
        draft.wake_at(freeze.until)


def _proceed_sent(situation: Situation, schedule_id: str, record: Record) -> None:
    if record.status == "executing":
        in_flight.proceed_executing(situation, schedule_id, record)
    else:
        in_flight.proceed_finished(situation, schedule_id, record)


def _is_under_way(record: Record) -> bool:
    """It was sent, and a plan may still give it up: a job does so as long as a worker has it."""
    return record.status == "executing" or (record.status == "completed" and record.lease is not None)
