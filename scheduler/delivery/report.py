"""The report of a run: results by schedule, the diagnostics of its last round, what it changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scheduler.diagnostics import Diagnostic
from scheduler.planning.plan import Change
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Result
from scheduler.state.record import Record, Retraction
from scheduler.state.retraction import MAY_BE_PUBLIC
from scheduler.state.statuses import Status


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

    def note(self, schedule_id: str, record: Record, *, may_repeat: bool = True) -> None:
        """Note the result for one schedule. `may_repeat`: the program can repeat its request by itself."""
        self.put_off.discard(schedule_id)
        self.waiting.discard(schedule_id)
        if record.status == "pending" and may_repeat:
            self.put_off.add(schedule_id)
        problem = record.error_message if record.status != "completed" else None
        if record.retraction is not None and record.was_sent:
            problem = _retraction_problem(record.retraction) or problem
            if record.retraction.next_attempt_at is not None:
                self.put_off.add(schedule_id)
        self.results[schedule_id] = Result(
            schedule_id=schedule_id, status=record.status, reason=record.reason, error=problem
        )

    def note_observation(self, reconciled: Reconciled) -> None:
        """Note what was decided without a request: too late, no video, no token, or not known yet."""
        for schedule_id in self.waiting:
            self.results.pop(schedule_id, None)
        self.waiting.clear()
        for change in reconciled.plan.changes:
            is_over = change.after is not None and change.after.reason == "retracted"
            if (change.action in ("miss", "fail") or is_over) and change.after is not None:
                self.note(change.schedule_id, change.after)
        for waiting in reconciled.plan.waiting:
            record = reconciled.booked[waiting.schedule_id]
            self._wait(waiting.schedule_id, record.status if record.was_sent else "pending", waiting.why)
        for schedule_id in reconciled.plan.unknown:
            record = reconciled.booked[schedule_id]
            problem = record.error_message
            if record.retraction is not None:
                why = _retraction_problem(record.retraction)
                self._wait(schedule_id, record.status, why or "it is unknown whether it is taken back")
            elif schedule_id not in self.results and record.status == "executing":
                why = f"its outcome is unknown: {problem or 'the runner stopped before the answer'}"
                self._wait(schedule_id, "executing", why)

    def note_unroutable(self, faults: Mapping[str, str]) -> None:
        """Note what is due and has no dispatcher."""
        for schedule_id, fault in faults.items():
            self._wait(schedule_id, "pending", fault)

    def _wait(self, schedule_id: str, status: Status, why: str) -> None:
        self.waiting.add(schedule_id)
        self.put_off.discard(schedule_id)
        self.results[schedule_id] = Result(schedule_id=schedule_id, status=status, error=why)


def _retraction_problem(retraction: Retraction) -> str | None:
    """What is wrong with taking a publication back, as far as it is known."""
    if retraction.error is None:
        return None
    if retraction.status == "failed":
        return f"it could not be taken back and {MAY_BE_PUBLIC}: {retraction.error}"
    return f"not taken back yet: {retraction.error}"
