"""The whole pipeline on one page: sources + record + now -> a plan and diagnostics. Pure.

Text becomes documents, documents become declarations, declarations become schedules, the schedules are held
against the rules and the record, and what is left to do is the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from scheduler.checkout.source import Source
from scheduler.desired.declarations import Declarations, Reader, declare
from scheduler.diagnostics import Code, Diagnostic, in_order
from scheduler.planning import expand, lineup, rename, rules
from scheduler.planning.expand import Expansion, Schedule
from scheduler.planning.inquiry import Inquiry
from scheduler.planning.plan import Plan, Subject, Surroundings, make_plan
from scheduler.planning.rules import brake, not_allowed
from scheduler.state.record import Record, State
from scheduler.times import Instant, instant_text


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one look at the repository and the record."""

    plan: Plan
    diagnostics: Sequence[Diagnostic]
    declared: Declarations | None
    """None where scheduler.yaml is broken: then nothing is planned."""
    schedules: Mapping[str, Schedule]
    booked: Mapping[str, Record]
    """The records as the next run would leave them, before it sends anything."""
    blocked: Mapping[str, Code]
    open_slots: Sequence[lineup.OpenSlot]
    archive: Mapping[str, Record]

    @property
    def is_red(self) -> bool:
        return any(fault.is_error for fault in self.diagnostics)


def reconcile(
    sources: Iterable[Source],
    state: State | None,
    archive: Mapping[str, Record],
    now: Instant,
    surroundings: Surroundings,
    *,
    proposal: bool = False,
    force: bool = False,
    only_check: bool = False,
    declare: Reader = declare,
) -> Reconciled:
    """Plan what to do at `now`.

    `proposal` is for `validate` and `plan`, which also refuse the past and only warn of the brake;
    `force` lets a run past the brake. `state` is None where nothing was recorded yet. `only_check` is
    for whoever wants the diagnostics alone: the plan, half of the work, is left empty. `declare` reads the
    files, which a simulation does once for many plans.
    """
    declared, faults = declare(sources)
    if declared is None:
        return Reconciled(
            plan=Plan(now=now, changes=()), diagnostics=in_order(faults), declared=None, schedules={},
            booked=state.schedules if state else {}, blocked={}, open_slots=(), archive=archive,
        )  # fmt: skip
    renaming = rename.rename(declared, state.schedules if state else {}, archive, now)
    situation = _Situation(
        declared=declared,
        records=renaming.records,
        archive=rename.without_former(archive, renaming.records),
        renaming=renaming,
        now=now,
        surroundings=surroundings,
        proposal=proposal,
        force=force,
        only_check=only_check and not _may_fail(declared, renaming.records, now),
    )
    decided = _decide(situation)
    for _ in range(REPEATS):
        if not _fails_more(situation, decided):
            break
        decided = _decide(situation, decided)
    expansion = decided.expansion
    return Reconciled(
        plan=_woken(decided.plan, decided.calendar.next_slot),
        diagnostics=in_order([*faults, *expansion.faults.all()]),
        declared=declared,
        schedules=expansion.schedules,
        booked=decided.booked,
        blocked=expansion.blocked,
        open_slots=decided.calendar.open_slots,
        archive=situation.archive,
    )


class _Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at `now`, renames applied."""

    declared: Declarations
    records: Mapping[str, Record]
    archive: Mapping[str, Record]
    renaming: rename.Renaming
    now: Instant
    surroundings: Surroundings
    proposal: bool
    force: bool
    only_check: bool


class _Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: a plan, and what it was made from."""

    plan: Plan
    booked: Mapping[str, Record]
    expansion: Expansion
    calendar: lineup.SlotCalendar
    over: Mapping[str, Record]
    """What this run will fail, as it will be."""


REPEATS = 3
"""How often a plan is made again that fails something; the second time was enough in every test."""


def _failing(situation: _Situation, decided: _Decided) -> dict[str, Record]:
    """What a plan fails: as it is recorded (or would be), but failed."""
    return {
        change.schedule_id: msgspec.structs.replace(
            situation.records.get(change.schedule_id, change.after),
            status="failed",
            reason=change.after.reason,
        )
        for change in decided.plan.changes
        if change.action in ("miss", "fail") and change.after is not None
    }


def _fails_more(situation: _Situation, decided: _Decided) -> bool:
    return not _failing(situation, decided).keys() <= decided.over.keys()


def _may_fail(declared: Declarations, records: Mapping[str, Record], now: Instant) -> bool:
    """Whether a plan could fail anything that is recorded: then it must be made, to know what is checked."""
    lead = max((channel.lead for channel in declared.channels.values()), default=0)
    due = instant_text(now + lead)
    return any(record.scheduled_at <= due and record.is_unsent_live for record in records.values())


def _decide(situation: _Situation, before: _Decided | None = None) -> _Decided:
    """Expand, check, plan.

    A plan that fails something is made again with that known (`before` is the one in question): the video of
    a missed slot is free for the next slot in the same plan, and nothing is refused for the sake of a
    publication that will not be. What was kept back the first time stays so.
    """
    declared, records, now = situation.declared, situation.records, situation.now
    over = {} if before is None else {**before.over, **_failing(situation, before)}
    known = {**situation.archive, **records} if situation.archive else records
    coming = {**known, **over} if over else known
    expansion = expand.expand(declared, known)
    if before is not None:
        expansion.blocked |= {i: code for i, code in before.expansion.blocked.items() if i in over}
    as_recorded = _as_recorded(declared, records, expansion)
    calendar = lineup.fill(declared, coming, expansion, now, as_recorded.difference(over))
    as_recorded |= {i for i in over if i in records and records[i].slot} - expansion.schedules.keys()
    as_recorded |= rename.waiting(declared, known, expansion)
    withheld = [] if situation.force else brake.withheld(declared, records, expansion.schedules, as_recorded)
    kept = {schedule_id: "brake" for schedule_id in withheld if records[schedule_id].is_unsent_live}
    for channel in not_allowed.refused(declared, situation.surroundings):
        declared.refused[channel] = "not-allowed"
    rules.check(
        Inquiry(
            declared=declared,
            records=known,
            coming=coming,
            undeclared=_undeclared(coming, expansion, {*as_recorded, *kept}.difference(over)),
            withheld=withheld,
            expansion=expansion,
            calendar=calendar,
            renaming=situation.renaming,
            surroundings=situation.surroundings,
            now=now,
            proposal=situation.proposal,
        )
    )
    if situation.only_check:
        return _Decided(
            plan=Plan(now=now, changes=()), booked=records, expansion=expansion, calendar=calendar, over=over
        )
    plan, booked = make_plan(
        Subject(
            declared=declared,
            expansion=expansion,
            records=records,
            archive=situation.archive,
            renamed=situation.renaming.renamed,
            kept=kept,
            as_recorded=frozenset(as_recorded),
            surroundings=situation.surroundings,
            now=now,
        )
    )
    return _Decided(plan=plan, booked=booked, expansion=expansion, calendar=calendar, over=over)


def _woken(plan: Plan, next_slot: Instant | None) -> Plan:
    """A slot that comes within the horizon is something new, too."""
    if next_slot is None or (plan.wake is not None and plan.wake <= next_slot):
        return plan
    return msgspec.structs.replace(plan, wake=max(next_slot, plan.now + 1))


# --- what is recorded and not declared ---------------------------------------------------------------


def _as_recorded(declared: Declarations, records: Mapping[str, Record], expansion: Expansion) -> set[str]:
    """Live records whose own file cannot be read: unreadable is not withdrawn."""
    if not (declared.unreadable or declared.hidden):
        return set()
    return {
        schedule_id
        for schedule_id, record in records.items()
        if record.is_unsent_live
        and schedule_id not in expansion.schedules
        and (
            declared.fault_of("wave", record.wave_id)
            if record.wave_id is not None
            else declared.fault_of("channel", record.channel_id)
        )
    }


def _undeclared(known: Mapping[str, Record], expansion: Expansion, kept: Set[str]) -> dict[str, Record]:
    """Records that count in the rules though nothing declares them: sent ones, and those that are kept."""
    return {
        schedule_id: record
        for schedule_id, record in known.items()
        if schedule_id not in expansion.schedules and (record.was_sent or schedule_id in kept)
    }
