"""What will not happen as declared, or did not: everything that is wrong now, with who has to know. Pure.

A trouble is found in the state and in what is declared, never in what one run happened to do. So it is the
same for every run until it is over, and an issue or a notification about it can be kept up to date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

import msgspec

from scheduler.checkout.source import SETTINGS
from scheduler.delivery.lookups import is_unready
from scheduler.delivery.report import Report
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic
from scheduler.planning.plan import DEFAULT_TOKENS, new_record
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Row
from scheduler.reporting.explain import Explainer
from scheduler.reporting.time_format import local_moment_with_utc
from scheduler.state.record import Record
from scheduler.times import read_utc
from scheduler.wording import and_more

Kind = Literal["stopped", "blocked", "unreadable", "not_ready", "waiting", "failed", "retried", "halted"]
AHEAD: frozenset[Kind] = frozenset({"blocked", "unreadable", "not_ready", "waiting"})
"""What endangers a publication that may still be published in time."""
_NAMED = 5
"""Faults of one file that its message has."""
_FOLDERS = {"waves": "wave", "channels": "channel", "lineups": "channel"}
MISSED_BY_RULE = frozenset({"missed-by-pause", "late-by-pace"})
"""The codes of warnings that say of a publication that it will be missed."""


class OpenTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, about one publication or one file."""

    topic: str
    """Whose business it is: `wave:spring`, `channel:alpha` or `scheduler`."""
    kind: Kind
    schedule_id: str | None = None
    """The publication; null for what is about a file or about everything."""
    message: str
    remedy: str | None = None
    """What to do, in words."""
    command: str | None = None
    """What to run, as it is: `scheduler retry spring/teaser/alpha`."""
    token: str | None = None
    """The NAME of the variable that its channel's token is read from, if that is what is wrong."""
    scheduled_at: str | None = None
    """RFC 3339, UTC."""
    local_time: str | None = None
    """The same for people, as the clocks of its channel show it."""
    file: str | None = None
    """Where it is declared, relative to the folder of the scheduler."""
    line: int | None = None

    @property
    def name(self) -> str:
        """What is in trouble; a run has one trouble of each name at most in a topic."""
        return self.schedule_id or self.file or "."


def troubles(report: Report) -> list[OpenTrouble]:
    """Everything that is wrong after a run, by topic, then time.

    Where the settings cannot be read or the clock is wrong, only that is known, as kind `stopped`.
    """
    if report.last is None:
        return []
    return troubles_of(report.last, report.records, report.diagnostics, _waiting(report))


def _waiting(report: Report) -> dict[str, str]:
    """What should have been sent or answered by now, and why it is not."""
    return {name: report.results[name].error or "it cannot be sent" for name in report.waiting}


def troubles_of(
    reconciled: Reconciled,
    records: Mapping[str, Record],
    diagnostics: Sequence[Diagnostic],
    waiting: Mapping[str, str],
) -> list[OpenTrouble]:
    """The same from its parts; `records` are those after the run."""
    declared = reconciled.declared
    errors = [fault for fault in diagnostics if fault.is_error]
    if declared is None:
        stopping = [fault for fault in errors if fault.location.file == SETTINGS] or errors
    else:
        stopping = [fault for fault in errors if fault.code == "clock"]
    if declared is None or stopping:
        return [_of_file(stopping, "scheduler", "stopped")]
    finder = _Finder(declared, reconciled, records, diagnostics, waiting)
    found: dict[tuple[str, str], OpenTrouble] = {}
    for trouble in finder.all():
        # The first is the nearest to what happened; of one publication the others follow from it.
        found.setdefault(
            ("", trouble.schedule_id) if trouble.schedule_id else ("file", trouble.name), trouble
        )
    return sorted(found.values(), key=lambda one: (one.topic, one.scheduled_at or "", one.name))


class _Finder:
    """Finds the troubles of one moment."""

    def __init__(
        self,
        declared: Declarations,
        reconciled: Reconciled,
        records: Mapping[str, Record],
        diagnostics: Sequence[Diagnostic],
        waiting: Mapping[str, str],
    ) -> None:
        self._declared = declared
        self._reconciled = reconciled
        self._records = records
        self._diagnostics = diagnostics
        self._waiting = waiting
        self._explainer = Explainer(reconciled)

    def all(self) -> Iterator[OpenTrouble]:
        for schedule_id, record in self._records.items():
            is_over = (
                record.status == "completed" or record.status == "cancelled"
            )  # as nearly all are, in time
            if not is_over or record.retraction is not None:
                yield from self._of_record(schedule_id, record)
            elif schedule_id in self._waiting:
                why = f"it is to be taken back: {self._waiting[schedule_id]}"
                yield self._of_channel(schedule_id, record, "waiting", why)
        files: dict[str, list[Diagnostic]] = {}
        for fault in self._diagnostics:
            if fault.is_error and not fault.schedules:
                files.setdefault(fault.location.file, []).append(fault)
            elif fault.is_error or fault.code in MISSED_BY_RULE:
                yield from self._of_fault(fault)
        for file, faults in files.items():
            path = PurePosixPath(file)
            kind = _FOLDERS.get(path.parts[0] if path.parts else "")
            yield _of_file(
                faults, f"{kind}:{path.stem}" if kind and path.suffix else "scheduler", "unreadable"
            )
        for schedule_id, code in self._reconciled.blocked.items():  # what a file has too many of to describe
            held = self._record(schedule_id)
            if held is not None and not held.was_sent:
                message, command = f"it breaks the rule [{code}]", f"scheduler show {schedule_id}"
                yield self._about(schedule_id, held, "blocked", message, command=command)
        yield from self._unsendable()

    def _of_record(self, schedule_id: str, record: Record) -> Iterator[OpenTrouble]:
        """What the state says of one that is not over, or that is taken back."""
        if record.retraction is not None and record.retraction.status == "failed":
            yield self._explained(schedule_id, record, "failed")
        elif record.status == "failed":
            if record.was_sent or record.slot or self._is_declared(schedule_id, record):
                yield self._explained(schedule_id, record, "failed")
        elif schedule_id in self._waiting:
            why = self._waiting[schedule_id]
            if record.status == "pending":
                yield self._of_channel(schedule_id, record, "waiting", f"it is due and cannot be sent: {why}")
            else:
                remedy, command = "the next runs look it up", f"scheduler show {schedule_id}"
                yield self._about(schedule_id, record, "waiting", why, remedy, command=command)
        elif record.retried_at is not None:
            message = f"retried at {record.retried_at}, and not completed yet"
            yield self._about(schedule_id, record, "retried", message)
        elif any(pause.by == "halt" for pause in record.pauses):
            yield self._explained(schedule_id, record, "halted")
        elif is_unready(self._reconciled, schedule_id, record):
            why = f"it is due soon and not ready: {record.unconfirmed}"
            yield self._of_channel(schedule_id, record, "not_ready", why, record.unconfirmed_hint)

    def _of_fault(self, fault: Diagnostic) -> Iterator[OpenTrouble]:
        """What a rule says. Of the publications that it names, those that it blocks."""
        code, blocked = fault.code, self._reconciled.blocked
        held = [name for name in fault.schedules if blocked.get(name) == code] or list(fault.schedules)
        message = f"{fault.message} [{code}]"
        for schedule_id in held:
            record = self._record(schedule_id)
            if record is not None and record.was_sent and record.retraction is not None:
                command = f"scheduler show {schedule_id}"
                yield self._about(schedule_id, record, "failed", message, fault.hint, command=command)
            elif record is not None and record.status not in ("completed", "cancelled"):
                remedy = fault.hint and f"{fault.hint}; if it is not to be published, cancel it"
                command = f"scheduler cancel {schedule_id}"
                yield self._about(
                    schedule_id, record, "blocked", message, remedy, command=command, fault=fault
                )

    def _unsendable(self) -> Iterator[OpenTrouble]:
        """Recorded ones whose own file or whose channel cannot be read, or that no channel takes."""
        declared = self._declared
        for schedule_id, record in self._records.items():
            if not record.is_unsent_live or record.is_paused:
                continue
            file = declared.unreadable_file(*record.declarer)
            if not declared.can_send(record.channel_id):
                yield self._explained(schedule_id, record, "blocked")
            elif file is not None and schedule_id not in self._reconciled.schedules:
                message = f"it is sent as recorded, whatever {file} says: that file cannot be read"
                yield self._about(
                    schedule_id,
                    record,
                    "unreadable",
                    message,
                    "correct the file",
                    command="scheduler validate",
                )

    # --- putting one together ----------------------------------------------------------------------------

    def _record(self, schedule_id: str) -> Record | None:
        """As it is recorded, or would be."""
        schedule = self._reconciled.schedules.get(schedule_id)
        return self._records.get(schedule_id) or (new_record(schedule) if schedule is not None else None)

    def _is_declared(self, schedule_id: str, record: Record) -> bool:
        return (
            schedule_id in self._reconciled.schedules or self._declared.fault_of(*record.declarer) is not None
        )

    def _of_channel(
        self, schedule_id: str, record: Record, kind: Kind, message: str, hint: str | None = None
    ) -> OpenTrouble:
        """The channel's business: its token, its repository, its workflow, or a video that it lacks."""
        channel = self._declared.channels.get(record.channel_id)
        token = None
        if channel is not None and channel.repository is not None:
            token = channel.token or DEFAULT_TOKENS[0]
        found = self._about(
            schedule_id, record, kind, message, hint, command="scheduler doctor", on_channel=True
        )
        return msgspec.structs.replace(found, token=token if token and token in f"{message} {hint}" else None)

    def _explained(self, schedule_id: str, record: Record, kind: Kind) -> OpenTrouble:
        """In the words of `show`."""
        row = Row(schedule_id=schedule_id, record=record, now=self._reconciled.plan.now)
        said = self._explainer.explain(row, record)
        command = f"scheduler show {schedule_id}"
        if record.status == "failed" and said.remedy is not None and record.reason != "no_video":
            command = f"scheduler retry {schedule_id}{' --resend' if record.was_sent else ''}"
        return self._about(schedule_id, record, kind, " ".join(said.facts), said.remedy, command=command)

    def _about(
        self,
        schedule_id: str,
        record: Record,
        kind: Kind,
        message: str,
        remedy: str | None = None,
        *,
        command: str | None = None,
        fault: Diagnostic | None = None,
        on_channel: bool = False,
    ) -> OpenTrouble:
        declared = self._declared
        declarer = ("channel", record.channel_id) if on_channel else record.declarer
        channel = declared.channels.get(record.channel_id)
        zone = "UTC" if channel is None else channel.timezone
        schedule = self._reconciled.schedules.get(schedule_id)
        file = schedule.file if schedule is not None and not on_channel else declared.files.get(declarer)
        at_fault = fault is not None and fault.location.file == file
        return OpenTrouble(
            topic=":".join(declarer),
            kind=kind,
            schedule_id=schedule_id,
            message=message,
            remedy=remedy,
            command=command,
            scheduled_at=record.scheduled_at,
            local_time=local_moment_with_utc(read_utc(record.scheduled_at), zone),
            file=file,
            line=fault.location.line if fault is not None and at_fault else None,
        )


def _of_file(faults: Sequence[Diagnostic], topic: str, kind: Kind) -> OpenTrouble:
    """The faults of one file, which stand in one trouble: one mistake often makes several."""
    faults = sorted(faults, key=lambda fault: fault.code != "unknown-key")  # of which the others may follow
    first = faults[0]
    file = None if first.location.file == "." else first.location.file
    return OpenTrouble(
        topic=topic,
        kind=kind,
        message=and_more([f"{fault.message} [{fault.code}]" for fault in faults], _NAMED),
        remedy=first.hint if len(faults) == 1 else "correct these places",
        command="scheduler validate" if file else "scheduler run --dry-run",
        file=file,
        line=first.location.line or None,
    )
