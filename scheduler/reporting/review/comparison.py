"""What a proposal changes: the records as they would be with it, compared with those without it. Pure.

What `main` declares and no run has recorded yet is not a change of the proposal: it is in the plans of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from scheduler.planning.plan import Action, Change, Plan
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import phase_of
from scheduler.state.record import Record

BOOKINGS: frozenset[Action] = frozenset({"create", "update", "cancel", "pause", "resume", "reopen"})
"""Steps that follow from what is declared; the others follow from the time."""
_DECLARED = (
    "schedule_type",
    "channel_id",
    "video_id",
    "scheduled_at",
    "status",
    "pauses",
    "metadata",
    "catch_up",
    "halt",
    "after_success",
)


def effects(base: Reconciled | None, proposal: Reconciled) -> list[Change]:
    """What is different once the proposal is merged: one change for each schedule, in the order of the
    plan."""
    own = [change for change in proposal.plan.changes if change.action in BOOKINGS]
    if base is None:
        return own
    reasons = {change.schedule_id: change for change in own}
    held = set(_held(base, proposal))
    theirs = [change.schedule_id for change in base.plan.changes if change.action in BOOKINGS]
    touched = dict.fromkeys([*reasons, *(schedule_id for schedule_id in theirs if schedule_id not in held)])
    return list(_compared(touched, reasons, base.booked, proposal))


def _held(base: Reconciled, proposal: Reconciled) -> Iterator[str]:
    """Ids that only the base would record, because a rule or an unreadable file keeps them out of the
    proposal.

    They are not withdrawn: whether they continue depends on whether a run records them before the merge.
    """
    declared = proposal.declared
    for change in base.plan.changes:
        record = change.after
        if record is None or change.action not in BOOKINGS or change.schedule_id in proposal.booked:
            continue
        if change.schedule_id in proposal.blocked or (declared and declared.fault_of(*record.declarer)):
            yield change.schedule_id


def _compared(
    touched: Mapping[str, None],
    reasons: Mapping[str, Change],
    before: Mapping[str, Record],
    proposal: Reconciled,
) -> Iterator[Change]:
    for schedule_id in touched:
        new = proposal.booked.get(schedule_id)
        old = before.get(schedule_id)
        if old is None and new is not None:  # renamed: it is what it was under its former id
            old = next((before[former] for former in new.former_ids if former in before), None)
        if old is None and new is None:
            continue
        if new is None and old is not None:
            new = replace(old, status="cancelled", reason="withdrawn", is_paused=False, pauses=())
        assert new is not None
        action = _action(old, new)
        if action is not None:
            known = reasons.get(schedule_id)
            reason = known.reason if known is not None and known.action == action else _why(action, old, new)
            yield Change(
                action=action, schedule_id=schedule_id, before=old, after=new, reason=reason,
                phase=phase_of(old, proposal.plan.now),
            )  # fmt: skip


def _action(old: Record | None, new: Record) -> Action | None:
    """The action that leads from one to the other; None where they do not differ."""
    if old is None:
        return "create"
    if _is_declared_alike(old, new):
        return None
    if new.status == "cancelled":
        return "cancel" if old.status != "cancelled" else None
    if not old.is_live and new.is_live:
        return "reopen"
    if _is_declared_alike(old, new, but="pauses"):
        return "pause" if new.is_paused and not old.is_paused else "resume" if not new.is_paused else "update"
    return "update"


def _why(action: Action, old: Record | None, new: Record) -> str:
    """The reason, where the plan has none because it does not know the base."""
    if action == "cancel":
        return "no longer declared" if new.reason == "withdrawn" else "declared cancelled"
    moved = old is not None and old.scheduled_at != new.scheduled_at
    return f"moved from {old.scheduled_at} to {new.scheduled_at}" if old is not None and moved else ""


def anyway(base: Reconciled | None, proposal: Reconciled) -> int:
    """How many of these changes the plans of both have in common."""
    if base is None:
        return 0
    found = 0
    theirs = {(change.action, change.schedule_id): change.after for change in base.plan.changes}
    for change in proposal.plan.changes:
        other = theirs.get((change.action, change.schedule_id))
        if change.action in BOOKINGS and other is not None and change.after is not None:
            found += _is_declared_alike(other, change.after)
    return found


def _is_declared_alike(one: Record, other: Record, but: str = "") -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _DECLARED if name != but)


def steps(base: Plan | None, proposal: Plan) -> list[Change]:
    """What follows from the time with the proposal and not with the base."""
    theirs = set() if base is None else {(change.action, change.schedule_id) for change in base.changes}
    return [
        change
        for change in proposal.changes
        if change.action not in BOOKINGS and (change.action, change.schedule_id) not in theirs
    ]


def waiting(base: Plan | None, proposal: Plan) -> int:
    """How many are due and cannot be sent, without those for which that is so with the base as well."""
    theirs = set() if base is None else {one.schedule_id for one in base.waiting}
    return sum(one.schedule_id not in theirs for one in proposal.waiting)


def refused(base: Reconciled | None, proposal: Reconciled) -> list[str]:
    """Ids that a rule or an unreadable file blocks here and not on the base."""
    if base is None:
        return sorted(proposal.blocked)
    held = (schedule_id for schedule_id in proposal.blocked if schedule_id not in base.blocked)
    return sorted({*held, *_held(base, proposal)})


def handed_over(base: Reconciled | None, proposal: Reconciled) -> list[str]:
    """Ids of what was sent, and has another time by the zone data of the proposal alone."""
    before, after = (
        {name for fault in found.diagnostics if fault.code == "zone-data" for name in fault.schedules}
        if found is not None
        else set()
        for found in (base, proposal)
    )
    return sorted(after - before)
