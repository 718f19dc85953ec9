"""The whole pipeline on one page: sources + record + now -> a plan and diagnostics. Pure.

Text becomes documents, documents become declarations, declarations become schedules, the schedules are held
against the rules and the record, and what is left to do is the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from scheduler import conflicts, limits, lineup, renames, schedules
from scheduler.declarations import Declarations, declare
from scheduler.diagnostics import Code, Diagnostic, in_order
from scheduler.plan import Plan, Subject, Surroundings, make_plan
from scheduler.schedules import Expansion, Schedule
from scheduler.sources import Source
from scheduler.state import Record, State
from scheduler.times import Instant


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
) -> Reconciled:
    """Plan what to do at `now`.

    `proposal` is for `validate` and `plan`, which also refuse the past and only warn of the brake;
    `force` lets a run past the brake. `state` is None where nothing was recorded yet. `only_check` is
    for whoever wants the diagnostics alone: the plan, half of the work, is left empty.
    """
    declared, faults = declare(sources)
    if declared is None:
        return Reconciled(
            plan=Plan(now=now, changes=()), diagnostics=in_order(faults), declared=None, schedules={},
            booked=state.schedules if state else {}, blocked={}, open_slots=(), archive=archive,
        )  # fmt: skip
    renaming = renames.rename(declared, state.schedules if state else {}, archive, now)
    archive = renames.without_former(archive, renaming.records)
    known = {**archive, **renaming.records} if archive else renaming.records
    faults += renaming.faults

    expansion = schedules.expand(declared, known)
    schedules.check_channels(declared, known, expansion)
    limits.check_allowed(declared, surroundings, expansion)
    limits.check_payloads(declared, expansion)
    as_recorded = _as_recorded(declared, renaming.records, expansion)
    late = lineup.late_slots(declared, renaming.records, expansion, now, stopped=surroundings.stopped)
    calendar = lineup.fill(declared, known, expansion, now, late=late, as_recorded=as_recorded)
    limits.block_refused(declared, expansion)
    as_recorded |= late - expansion.schedules.keys()
    as_recorded |= renames.check_former_ids(declared, known, expansion)
    kept = limits.brake(declared, renaming.records, expansion, as_recorded, proposal=proposal, force=force)
    conflicts.check(
        conflicts.Inquiry(
            declared=declared,
            records=known,
            undeclared=_undeclared(known, expansion, as_recorded, kept),
            expansion=expansion,
            now=now,
            proposal=proposal,
        )
    )
    limits.check_pace(declared, known, expansion, surroundings)
    subject = Subject(
        declared=declared,
        expansion=expansion,
        records=renaming.records,
        archive=archive,
        renamed=renaming.renamed,
        kept=kept,
        as_recorded=frozenset(as_recorded),
        surroundings=surroundings,
        now=now,
    )
    plan, booked = (Plan(now=now, changes=()), renaming.records) if only_check else make_plan(subject)
    return Reconciled(
        plan=_woken(plan, calendar.next_slot),
        diagnostics=in_order([*faults, *expansion.faults]),
        declared=declared,
        schedules=expansion.schedules,
        booked=booked,
        blocked=expansion.blocked,
        open_slots=calendar.open_slots,
        archive=archive,
    )


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


def _undeclared(
    known: Mapping[str, Record], expansion: Expansion, as_recorded: set[str], kept: Mapping[str, str]
) -> dict[str, Record]:
    return {
        schedule_id: record
        for schedule_id, record in known.items()
        if schedule_id not in expansion.schedules
        and (record.was_sent or schedule_id in as_recorded or schedule_id in kept)
    }
