"""The whole pipeline on one page: sources + state + now -> a plan and diagnostics. Pure.

Text becomes documents, documents become declarations, declarations become schedules, the schedules are held
against the rules and the state (`scheduler.planning.passes`), and what is left to do is the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec

from scheduler.checkout.source import Source
from scheduler.desired.declarations import Declarations, Reader, declare
from scheduler.diagnostics import Code, Diagnostic, Tally, in_order
from scheduler.planning import lineup, rename
from scheduler.planning.expand import Schedule
from scheduler.planning.local_times import identify, zones_of
from scheduler.planning.passes import Facts, Given, establish
from scheduler.planning.plan import Plan, Subject, Surroundings, make_plan
from scheduler.planning.plan.catch_up import described
from scheduler.state.record import Record, State
from scheduler.times import Instant, instant_text


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of holding the repository against the state."""

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

    `proposal` is for `validate` and `plan`, which also refuse the past and only warn of the brake; `force`
    lets a run past the brake. `state` is None where nothing was recorded yet. `only_check` leaves the plan,
    half of the work, empty: for callers that need the diagnostics alone. `declare` reads the files, which a
    simulation does once for many plans.
    """
    declared, faults = declare(sources)
    if declared is None:
        return Reconciled(
            plan=Plan(now=now, changes=()), diagnostics=in_order(faults), declared=None, schedules={},
            booked=state.schedules if state else {}, blocked={}, open_slots=(), archive=archive,
        )  # fmt: skip
    renaming = rename.rename(declared, state.schedules if state else {}, archive, now)
    archive = rename.without_former(archive, renaming.records)
    zones = zones_of(state.zone_release if state else None)
    identified = identify(declared, renaming.records, archive, now, zones)
    records = identified.records
    given = Given(
        declared=declared,
        records=records,
        known={**archive, **records} if archive else records,
        failing={},
        kept_blocked={},
        renaming=renaming,
        identified=identified,
        zones=zones,
        surroundings=surroundings,
        now=now,
        proposal=proposal,
        force=force,
    )
    only_check = only_check and not _may_fail(declared, records, now)
    decided = _decide(given, archive, only_check=only_check)
    for _ in range(REPEATS):
        again = _with_failures_known(decided)
        if again is None:
            break
        decided = _decide(again, archive, only_check=only_check)
    facts = decided.facts
    return Reconciled(
        plan=_woken(decided.plan, facts.calendar.next_slot),
        diagnostics=in_order(
            [*faults, *Tally.joined(facts.faults).all(), *described(decided.plan.put_off, facts.declared)]
        ),
        declared=facts.declared,
        schedules=facts.schedules,
        booked=decided.booked,
        blocked=facts.blocked,
        open_slots=facts.calendar.open_slots,
        archive=archive,
    )


class _Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: a plan, and what it was made from."""

    plan: Plan
    booked: Mapping[str, Record]
    facts: Facts


REPEATS = 3
"""How often a plan that fails something is made again; the second time was enough in every test."""


def _decide(given: Given, archive: Mapping[str, Record], *, only_check: bool) -> _Decided:
    """Establish the facts, and plan."""
    facts = establish(given)
    if only_check:
        return _Decided(plan=Plan(now=given.now, changes=()), booked=given.records, facts=facts)
    subject = Subject(
        declared=facts.declared,
        schedules=facts.schedules,
        blocked=facts.blocked,
        records=given.records,
        archive=archive,
        renamed=given.renaming.renamed,
        moved=given.identified.moved,
        zones=given.zones,
        kept=facts.kept,
        as_recorded=frozenset(facts.as_recorded),
        withdrawals=facts.allowed_withdrawals,
        surroundings=given.surroundings,
        now=given.now,
        why_blocked=None if given.proposal else partial(_why_blocked, facts),
    )
    plan, booked = make_plan(subject)
    return _Decided(plan=plan, booked=booked, facts=facts)


def _why_blocked(facts: Facts, schedule_id: str) -> str:
    """What the rule says that blocks a publication: as it said before this failure was known."""
    known = facts.given.failing.get(schedule_id)
    if known is not None and known.error_message is not None:
        return known.error_message
    code = facts.blocked[schedule_id]
    faults = (fault for fault in Tally.joined(facts.faults).all() if fault.code == code)
    said = next((fault.message for fault in faults if schedule_id in fault.schedules), "a rule is broken")
    return f"{said} [{code}]"


def _with_failures_known(decided: _Decided) -> Given | None:
    """What a plan that fails something is made from again; None where nothing more fails than was known.

    The video of a missed slot is free for the next slot in the same plan, and nothing is refused for the
    sake of a publication that will not be. What was kept back stays so.
    """
    given, blocked = decided.facts.given, decided.facts.blocked
    # A slot that new zone data moves so far back that it is missed is missed at its new instant.
    moved = {
        change.schedule_id: msgspec.structs.replace(record, scheduled_at=change.after.scheduled_at)
        for change in decided.plan.changes
        if change.action == "miss" and change.after is not None
        if (record := given.records.get(change.schedule_id)) is not None and record.slot
    }
    failing = {
        change.schedule_id: msgspec.structs.replace(
            moved.get(change.schedule_id) or given.records.get(change.schedule_id, change.after),
            status="failed",
            reason=change.after.reason,
        )
        for change in decided.plan.changes
        if change.action in ("miss", "fail") and change.after is not None
    }
    if failing.keys() <= given.failing.keys():
        return None
    failing = {**given.failing, **failing}
    kept_blocked = {i: blocked[i] for i in failing if i in blocked}
    return msgspec.structs.replace(
        given,
        records={**given.records, **moved},
        known={**given.known, **moved},
        failing=failing,
        kept_blocked=kept_blocked,
    )


def _may_fail(declared: Declarations, records: Mapping[str, Record], now: Instant) -> bool:
    """Whether a plan could fail anything that is recorded: then it must be made, to know what is checked."""
    lead = max((channel.lead for channel in declared.channels.values()), default=0)
    due = instant_text(now + lead)
    return any(record.scheduled_at <= due and record.is_unsent_live for record in records.values())


def _woken(plan: Plan, next_slot: Instant | None) -> Plan:
    """A slot that comes within the horizon is something new, too."""
    if next_slot is None or (plan.wake is not None and plan.wake <= next_slot):
        return plan
    return msgspec.structs.replace(plan, wake=max(next_slot, plan.now + 1))
