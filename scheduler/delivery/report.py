"""The report of a run: results by schedule, the diagnostics of its last round, what it changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scheduler.diagnostics import Diagnostic
from scheduler.planning.plan import Change
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Result, phase_of
from scheduler.state.record import Record, Retraction
from scheduler.state.retraction import MAY_BE_PUBLIC
from scheduler.state.statuses import Status
from scheduler.times import Instant


class Report(msgspec.Struct, kw_only=True):
    """The outcome of a run, updated while it runs."""

    results: dict[str, Result]
    diagnostics: Sequence[Diagnostic]
    changes: list[Change]
    last: Reconciled | None = None
    records: Mapping[str, Record] = {}
    """What is recorded, as far as this run knows."""
    saves: int = 0
    put_off: set[str] = msgspec.field(default_factory=set)
    """Schedules whose request will be repeated automatically, which is not a failure of this run."""
    waiting: set[str] = msgspec.field(default_factory=set)
    """Schedules that could not be sent, as of the last round."""

    @property
    def is_red(self) -> bool:
        """Something is wrong in what is declared, failed, is unknown, or could not be sent."""
        return any(fault.is_error for fault in self.diagnostics) or any(
            result.status == "failed" or (result.error is not None and result.schedule_id not in self.put_off)
            for result in self.results.values()
        )

    def note(self, schedule_id: str, record: Record, now: Instant, *, may_repeat: bool = True) -> None:
        """Note what is true of one schedule at `now`. `may_repeat`: its request can be repeated by itself."""
        self.put_off.discard(schedule_id)
        self.waiting.discard(schedule_id)
        if record.status == "pending" and may_repeat:
            self.put_off.add(schedule_id)
        problem = record.error_message if record.status != "completed" else None
        if record.retraction is not None and record.was_sent:
            problem = _retraction_problem(record.retraction) or problem
            if record.retraction.next_attempt_at is not None:
                self.put_off.add(schedule_id)
        self._enter(schedule_id, record, now, record.status, problem)

    def note_observation(self, reconciled: Reconciled) -> None:
        """Note what was decided without a request: too late, no video, no token, or not known yet."""
        for schedule_id in self.waiting:
            self.results.pop(schedule_id, None)
        self.waiting.clear()
        plan, booked = reconciled.plan, reconciled.booked
        for change in plan.changes:
            is_over = change.after is not None and change.after.reason == "retracted"
            if (change.action in ("miss", "fail") or is_over) and change.after is not None:
                self.note(change.schedule_id, change.after, plan.now)
        for waiting in plan.waiting:
            record = booked[waiting.schedule_id]
            status = record.status if record.was_sent else "pending"
            self._wait(reconciled, waiting.schedule_id, status, waiting.why)
        for schedule_id in plan.unknown:
            record = booked[schedule_id]
            problem = record.error_message
            if record.retraction is not None:
                why = _retraction_problem(record.retraction) or "it is unknown whether it is taken back"
                self._wait(reconciled, schedule_id, record.status, why)
            elif schedule_id not in self.results and record.status == "executing":
                why = f"its outcome is unknown: {problem or 'the runner stopped before the answer'}"
                self._wait(reconciled, schedule_id, "executing", why)

    def note_unroutable(self, reconciled: Reconciled, faults: Mapping[str, str]) -> None:
        """Note what is due and has no dispatcher."""
        for schedule_id, fault in faults.items():
            self._wait(reconciled, schedule_id, "pending", fault)

    def _wait(self, reconciled: Reconciled, schedule_id: str, status: Status, why: str) -> None:
        self.waiting.add(schedule_id)
        self.put_off.discard(schedule_id)
        self._enter(schedule_id, reconciled.booked[schedule_id], reconciled.plan.now, status, why)

    def _enter(
        self, schedule_id: str, record: Record, now: Instant, status: Status, error: str | None
    ) -> None:
        self.results[schedule_id] = Result(
            schedule_id=schedule_id, status=status, phase=phase_of(record, now),
            scheduled_at=record.scheduled_at, reason=record.reason, error=error,
        )  # fmt: skip


def _retraction_problem(retraction: Retraction) -> str | None:
    """What is wrong with taking a publication back, as far as it is known."""
    if retraction.error is None:
        return None
    if retraction.status == "failed":
        return f"it could not be taken back and {MAY_BE_PUBLIC}: {retraction.error}"
    return f"not taken back yet: {retraction.error}"
