"""`SchedulingService`: the commands for Python, over a repository instead of a database.

    from scheduler import SchedulingService

    service = SchedulingService(".")
    service.create_simultaneous_schedule("teaser-4k", ["alpha", "beta"], tomorrow, wave_id="spring")

Calls that change what is declared edit the YAML in place, and keep comments; the change can be reviewed and
committed like any other. Nothing is kept between calls: each reads the files and the state again, so one
service is enough for a notebook or for all threads of a web backend.

Times are `datetime`s: aware ones of any zone, or naive ones, which are taken as UTC with a warning. Parts of
a second are dropped. Returned times are aware, in UTC.

Every method raises ScheduleError (a ValueError) for an argument of the wrong type, for an id that does not
exist and for what breaks a rule, and StateError where the state cannot be reached or trusted.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

import msgspec

from scheduler import editing
from scheduler.app import operations, service_arguments
from scheduler.app.repository import Repository, root_of
from scheduler.clock import Clock
from scheduler.delivery import Observation, Runner
from scheduler.editing import Proposal, View
from scheduler.errors import ScheduleError
from scheduler.planning import query
from scheduler.planning.rows import Phase, Row
from scheduler.state.record import ScheduleType
from scheduler.state.statuses import Status
from scheduler.times import Instant, duration_text, instant_text, moment_of, read_utc
from scheduler.wording import listed

_log = logging.getLogger("scheduler")


class Validation(TypedDict):
    """What `validate_schedule` returns: `issues` has a sentence for each rule that is broken."""

    valid: bool
    issues: list[str]


class ExecutionResult(TypedDict):
    """The outcome of a run for one publication; `error` is None where nothing went wrong.

    `reason` is why it failed or was cancelled (`missed`, `rejected`, …), and `phase` how far it is on its way
    to the public, as in a Publication.
    """

    schedule_id: str
    status: Status
    phase: Phase
    reason: str | None
    error: str | None


@dataclasses.dataclass
class Publication:
    """One video on one channel at one instant, as the next run would record it.

    Times are aware, in UTC. To assign to an attribute changes only this object; `schedule_repo.update` takes
    a `status` of `"pending"` as a retry.
    """

    id: str
    schedule_type: ScheduleType
    channel_id: str
    video_id: str | None
    scheduled_at: datetime
    status: Status
    is_paused: bool
    wave_id: str | None
    coordination_group_id: str | None
    attempts: int
    reason: str | None
    """Why it failed or was cancelled: `missed`, `rejected`, `unknown_outcome`, …; None otherwise."""
    error_message: str | None
    metadata: dict[str, Any] | None
    executed_at: datetime | None
    lateness_seconds: int | None
    """From its publish time, or its release by `after_success`, to when it was sent; never negative."""
    dispatch_lateness_seconds: int | None
    """From when it was due, the publish time minus the lead, to when it was sent."""
    evidence: str | None
    """What completed it: `accepted` (GitHub's answer) or its `run`; None before that."""
    run_url: str | None
    recorded: bool
    """Whether a run has recorded it."""
    phase: Phase
    """How far it is on its way to the public: `declared`, `recorded`, `handed_over` (its channel has accepted
    it), `public`, or `over` (failed or cancelled)."""
    problem: str | None
    """The code of the rule that keeps it from being sent; None where nothing does."""


class ScheduleRepo:
    """`get_all` and `update`, for code that expects a repository of records."""

    def __init__(self, service: SchedulingService) -> None:
        self._service = service

    def get_all(self, status: Status | None = None) -> list[Publication]:
        """All publications, or those of one status, ordered by time, then id."""
        return self._service.get_schedules(status)

    def update(self, schedule: Publication) -> Publication:
        """Write what was changed in `schedule`, one of `get_all`'s. Returns the publication as it is then.

        `status` of a failed one may be set to `"pending"`, which retries it; `video_id` and `scheduled_at` to
        other values, which edits the YAML, one after the other. Where the retry is refused (it may have been
        published, it has no video) it stays as it is, with a warning on the logger `scheduler`, so that a
        loop reaches the next one; `retry_schedule` raises. Raises ScheduleError for any other change, and for
        one that breaks a rule.
        """
        if not isinstance(schedule, Publication):
            raise ScheduleError(
                f"update takes a Publication, as `get_schedule` returns it, not a {type(schedule).__name__}"
            )
        current = self._service.get_schedule(schedule.id)
        changed = {
            field.name
            for field in dataclasses.fields(schedule)
            if getattr(schedule, field.name) != getattr(current, field.name)
        }
        retried = "status" in changed and schedule.status == "pending" and current.status == "failed"
        fixed = changed - {"video_id", "scheduled_at"} - ({"status"} if retried else set())
        if fixed:
            raise ScheduleError(
                f"{listed(sorted(fixed))} of {schedule.id} cannot be changed here",
                hint="set `status` of a failed one to 'pending' to retry it, or its `video_id` or "
                "`scheduled_at`; use the service's methods to pause, resume, cancel or create one, and edit "
                "the YAML for anything else",
            )
        if "video_id" in changed:
            current = self._service.assign_video(current.id, schedule.video_id or "")
        if "scheduled_at" in changed:
            current = self._service.move_schedule(current.id, schedule.scheduled_at)
        if not retried:
            return current
        try:
            return self._service.retry_schedule(current.id)
        except ScheduleError as refusal:
            _log.warning("%s", refusal.with_hint)
            return current


class SchedulingService:
    """Create, pause, resume, cancel, query, retry and execute the publications of one repository.

    Every method raises ScheduleError for an argument of the wrong type, and StateError where the state cannot
    be reached or trusted. A naive datetime is taken as UTC, with a warning.
    """

    def __init__(
        self,
        repository: str | os.PathLike[str] = ".",
        *,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`repository` is the folder with `waves/` and `channels/`.

        `environ` holds tokens and switches, as for the command line (default: `os.environ`). `clock` is for
        trying things out at another time. Raises Error where there is no such folder.
        """
        self._root = root_of(os.fspath(repository))
        self._environ = os.environ if environ is None else environ
        self._clock = Clock() if clock is None else clock
        self._run = threading.Lock()
        self.schedule_repo = ScheduleRepo(self)

    @property
    def root(self) -> Path:
        """The repository's folder."""
        return self._root

    # --- creating -------------------------------------------------------------------------------------

    def create_simultaneous_schedule(
        self,
        video_id: str,
        channel_ids: Sequence[str],
        scheduled_at: datetime,
        wave_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        repeat: bool = False,
    ) -> list[Publication]:
        """Declare one video on several channels at the same instant. Returns them in the channels' order.

        Adds an entry to the wave `wave_id`, which is created if it is not declared; without `wave_id`, to a
        new wave `<video>-<UTC time>`. `metadata` is sent to the channels: a mapping that JSON can represent,
        whose numbers and booleans become strings, as in YAML. `repeat` allows a video that a channel has had
        less than `repeat_window` ago. All or nothing: raises ScheduleError, and
        writes nothing, where any of them breaks a rule.
        """
        return self._create_group(
            "simultaneous", video_id, channel_ids, ("scheduled_at", scheduled_at), wave_id, metadata, repeat
        )

    def create_staggered_schedule(
        self,
        video_id: str,
        channel_ids: Sequence[str],
        start_time: datetime,
        delay_seconds: int,
        wave_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        repeat: bool = False,
    ) -> list[Publication]:
        """Declare one video on one channel after the other, `delay_seconds` (at least 0) apart.

        Otherwise like `create_simultaneous_schedule`.
        """
        delay = duration_text(service_arguments.seconds("delay_seconds", delay_seconds))
        return self._create_group(
            "staggered", video_id, channel_ids, ("start_time", start_time), wave_id, metadata, repeat, delay
        )

    def _create_group(
        self,
        kind: Any,
        video_id: str,
        channel_ids: Sequence[str],
        at: tuple[str, datetime],
        wave_id: str | None,
        metadata: Mapping[str, Any] | None,
        repeat: bool,
        delay: str | None = None,
    ) -> list[Publication]:
        """`at` is the time with the name of its argument, for messages."""
        video = service_arguments.text("video_id", video_id)
        channels = service_arguments.texts("channel_ids", channel_ids)
        wave = service_arguments.text_or_none("wave_id", wave_id)
        details = service_arguments.metadata(metadata)
        again = service_arguments.flag("repeat", repeat)
        time = instant_text(_instant(*at))
        proposal = self._change(
            lambda view: editing.create_group(
                view, kind, video=video, channels=channels, at=time, wave=wave, delay=delay,
                metadata=details, repeat=again,
            )
        )  # fmt: skip
        return _made(proposal)

    def create_independent_schedule(
        self,
        channel_id: str,
        scheduled_at: datetime,
        video_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        repeat: bool = False,
    ) -> Publication:
        """Declare one publication on one channel; without `video_id`, the video is assigned later.

        `repeat` allows a video that the channel has had less than `repeat_window` ago. Raises ScheduleError,
        and writes nothing, where it breaks a rule.
        """
        channel = service_arguments.text("channel_id", channel_id)
        video = service_arguments.text_or_none("video_id", video_id)
        details = service_arguments.metadata(metadata)
        again = service_arguments.flag("repeat", repeat)
        time = instant_text(_instant("scheduled_at", scheduled_at))
        proposal = self._change(
            lambda view: editing.create_one_off(
                view, channel, at=time, video=video, metadata=details, repeat=again
            )
        )
        return _made(proposal)[0]

    # --- managing -------------------------------------------------------------------------------------

    def validate_schedule(self, schedule_id: str) -> Validation:
        """Check one publication against every rule, as a pull request is checked.

        An id that does not exist is an issue, and no error.
        """
        name = service_arguments.text("schedule_id", schedule_id)
        view = self._view()
        try:
            row = editing.find_schedule(view, name)
        except ScheduleError as problem:
            return {"valid": False, "issues": [problem.message]}
        issues = [
            f"{fault.message} [{fault.code}]"
            for fault in view.reconciled.diagnostics
            if fault.is_error and row.schedule_id in fault.schedules
        ]
        if row.problem is not None and not issues:
            issues = [f"it is blocked by an error elsewhere [{row.problem}]"]
        return {"valid": not issues, "issues": issues}

    def pause_schedule(
        self, schedule_id: str, reason: str | None = None, until: datetime | None = None
    ) -> Publication:
        """Pause one publication, until it is resumed or `until` a time.

        `reason` goes into the file. Raises ScheduleError where it was sent or is cancelled, and for an
        `until` that has passed.
        """
        why = service_arguments.text_or_none("reason", reason)
        end = None if until is None else instant_text(_instant("until", until))
        return self._edit_one(
            schedule_id, lambda view, name: editing.pause(view, name, reason=why, until=end)
        )

    def resume_schedule(self, schedule_id: str) -> Publication:
        """Lift the pause of one publication.

        A pause of its wave or channel stays: see `is_paused` of the result.
        """
        return self._edit_one(schedule_id, editing.resume)

    def cancel_schedule(self, schedule_id: str) -> Publication:
        """Cancel one publication. Raises ScheduleError where it was sent."""
        return self._edit_one(schedule_id, editing.cancel)

    def assign_video(self, schedule_id: str, video_id: str) -> Publication:
        """Give an open slot or a one-off its video, or another one.

        Raises ScheduleError where it was sent, and for a member of a wave, whose video is that of its entry.
        """
        video = service_arguments.text("video_id", video_id)
        return self._edit_one(schedule_id, lambda view, name: editing.assign(view, name, video))

    def move_schedule(self, schedule_id: str, scheduled_at: datetime) -> Publication:
        """Move one publication to another time. A one-off has a new id then: see `id` of the result.

        Raises ScheduleError where it was sent, for a slot, whose time is that of its rule, and where it would
        break a rule.
        """
        time = instant_text(_instant("scheduled_at", scheduled_at))
        return self._edit_one(schedule_id, lambda view, name: editing.move(view, name, time), time)

    def pause_channel_schedules(self, channel_id: str, reason: str | None = None) -> int:
        """Pause a channel. Returns how many publications change by it."""
        name = f"channel:{service_arguments.text('channel_id', channel_id)}"
        why = service_arguments.text_or_none("reason", reason)
        return len(self._change(lambda view: editing.pause(view, name, reason=why)).touched)

    def resume_channel_schedules(self, channel_id: str) -> int:
        """Lift the pause of a channel. Returns how many publications change by it."""
        name = f"channel:{service_arguments.text('channel_id', channel_id)}"
        return len(self._change(lambda view: editing.resume(view, name)).touched)

    def retry_schedule(self, schedule_id: str, resend: bool = False) -> Publication:
        """Make a failed publication pending again: the next run sends it, however late it is.

        `resend` sends even what may have been published, with a new idempotency key. Raises ScheduleError
        where it did not fail, is no longer declared, or may have been published and `resend` is False.
        """
        name = service_arguments.text("schedule_id", schedule_id)
        again = service_arguments.flag("resend", resend)
        if not editing.is_single(name):
            editing.find_schedule(self._view(), name)  # raises: it is a wave, a channel or a group
        retried = operations.retry(self._repository(), [name], resend=again)
        for problem in retried.refused:
            raise problem
        return self.get_schedule(retried.retries[0].schedule_id)

    # --- executing ------------------------------------------------------------------------------------

    def execute_pending_schedules(self, before: datetime | None = None) -> list[ExecutionResult]:
        """Run once, like `scheduler run`: record what is declared, send what is due, record the outcomes.

        With `before`, only what fell due until then is sent; nothing is ever sent before it is due. Returns
        the outcome of each publication that has one, ordered by id. Errors in what is declared do not stop
        the rest; they are logged to `scheduler`. Raises StateMissing where there is no state, RunRefused
        where this run must not act (an old checkout, a wrong clock), QueueError where the queue cannot be
        reached, and ScheduleError where scheduler.yaml has errors.
        """
        until = None if before is None else _instant("before", before)
        repository = self._repository()
        settings = repository.settings()
        if settings is None:
            view = operations.current_view(repository)
            raise ScheduleError("scheduler.yaml has errors, so nothing was run", view.reconciled.diagnostics)
        with self._run:
            try:
                report = _Until(Runner(repository.ports(settings)), until).reconcile_once()
            finally:
                repository.close()
        for fault in report.diagnostics:
            level = logging.ERROR if fault.is_error else logging.WARNING
            _log.log(level, "%s: %s [%s]", fault.location, fault.message, fault.code)
        results = [report.results[schedule_id] for schedule_id in sorted(report.results)]
        return [
            {
                "schedule_id": result.schedule_id,
                "status": result.status,
                "phase": result.phase,
                "reason": result.reason,
                "error": result.error,
            }
            for result in results
        ]

    # --- querying -------------------------------------------------------------------------------------

    def get_schedule(self, schedule_id: str) -> Publication:
        """One publication by its id. Raises ScheduleError, with a suggestion, where there is no such id."""
        return _publication(
            editing.find_schedule(self._view(), service_arguments.text("schedule_id", schedule_id))
        )

    def get_schedules(self, status: Status | None = None) -> list[Publication]:
        """All publications, or those of one status, ordered by time, then id."""
        return self._query(query.Filter(statuses=_these(service_arguments.status(status))))

    def get_schedules_by_date_range(
        self, start_date: datetime, end_date: datetime, channel_id: str | None = None
    ) -> list[Publication]:
        """Those at `start_date` or later and before `end_date`, ordered by time, then id."""
        start, end = _instant("start_date", start_date), _instant("end_date", end_date)
        channels = _these(service_arguments.text_or_none("channel_id", channel_id))
        return self._query(query.Filter(start=start, end=end, channels=channels))

    def get_schedules_by_channel(self, channel_id: str, status: Status | None = None) -> list[Publication]:
        """Those of one channel, and of one status if given, ordered by time, then id."""
        channels = _these(service_arguments.text("channel_id", channel_id))
        return self._query(query.Filter(channels=channels, statuses=_these(service_arguments.status(status))))

    def get_schedules_by_wave(self, wave_id: str) -> list[Publication]:
        """Those of one wave, ordered by time; those at the same time in the order of their group."""
        return self._query(
            query.Filter(waves=_these(service_arguments.text("wave_id", wave_id))),
            lambda row: (row.record.at, row.record.coordination_group_id, row.record.position),
        )

    def get_schedules_by_group(self, coordination_group_id: str) -> list[Publication]:
        """The members of one group (`<wave>/<group>`), in the order of its channels."""
        return self._query(
            query.Filter(
                groups=_these(service_arguments.text("coordination_group_id", coordination_group_id))
            ),
            lambda row: (row.record.position, row.schedule_id),
        )

    # --- inside ---------------------------------------------------------------------------------------

    def _repository(self) -> Repository:
        """A new one for each call, so that threads share nothing."""
        return Repository(self._root, self._environ, self._clock)

    def _view(self) -> View:
        return operations.current_view(self._repository())

    def _change(self, propose: Callable[[View], Proposal]) -> Proposal:
        """Write a proposal; warn of each publication that becomes public all the same."""
        proposal = operations.change(self._repository(), propose).proposal
        for fault in proposal.warnings:
            if fault.code == "goes-public":
                _log.warning("%s", fault.message)
        return proposal

    def _edit_one(
        self, schedule_id: str, propose: Callable[[View, str], Proposal], moved_to: str | None = None
    ) -> Publication:
        """Edit one publication. Returns it as it is after the edit: the id of a one-off contains its time."""
        name = service_arguments.text("schedule_id", schedule_id)
        if not editing.is_single(name):
            editing.find_schedule(self._view(), name)  # raises: it is a wave, a channel or a group
        proposal = self._change(lambda view: propose(view, name))
        channel, _, rest = proposal.target.partition("/")
        is_one_off = moved_to is not None and "/" not in rest
        target = f"{channel}/{moved_to}" if is_one_off else proposal.target
        return _publication(editing.find_schedule(proposal.edited, target))

    def _query(self, wanted: query.Filter, order: Callable[[Row], Any] | None = None) -> list[Publication]:
        """Rows as `list` shows them, without open slots, which are not publications yet."""
        repository = self._repository()
        reconciled, state = repository.observe()
        open_slots = {slot.id for slot in reconciled.open_slots}
        rows = [row for row in query.rows(reconciled, state, wanted) if row.schedule_id not in open_slots]
        return [_publication(row) for row in (rows if order is None else sorted(rows, key=order))]


class _Until(Runner):
    """A run that sends nothing that falls due after an instant."""

    def __init__(self, runner: Runner, until: Instant | None) -> None:
        super().__init__(runner.ports)
        self._until = until

    def observe(self, at: Instant | None = None) -> Observation:
        """As in any run, without the later sends."""
        observed = super().observe(at)
        if self._until is None:
            return observed
        plan, until = observed.reconciled.plan, self._until
        late = {send.schedule_id for send in plan.sends if send.due > until}
        kept = msgspec.structs.replace(
            plan,
            sends=[send for send in plan.sends if send.schedule_id not in late],
            changes=[c for c in plan.changes if c.action != "send" or c.schedule_id not in late],
        )
        reconciled = msgspec.structs.replace(observed.reconciled, plan=kept)
        return msgspec.structs.replace(observed, reconciled=reconciled)


# --- values -----------------------------------------------------------------------------------------


def _instant(name: str, value: datetime) -> Instant:
    """The instant of an argument, in whole seconds; a naive datetime is taken as UTC, with a warning."""
    moment = service_arguments.moment(name, value)
    if moment.tzinfo is None:
        warnings.warn(
            f"the datetime {moment.isoformat()} is naive and is taken as UTC; "
            f"pass an aware one, such as {name}.replace(tzinfo=UTC)",
            UserWarning,
            stacklevel=_callers(),
        )
        moment = moment.replace(tzinfo=UTC)
    return service_arguments.instant_of(name, moment)


def _callers() -> int:
    """How many frames up the first caller outside of this file is, so that the warning points there."""
    frame: FrameType | None = sys._getframe(1)
    depth = 0
    while frame is not None and frame.f_code.co_filename == __file__:
        frame, depth = frame.f_back, depth + 1
    return depth + 1


def _these(value: str | None) -> frozenset[str]:
    return frozenset() if value is None else frozenset({value})


def _made(proposal: Proposal) -> list[Publication]:
    """The publications that a proposal is about, in the order given, as they are once it is written."""
    return [_publication(proposal.edited.rows[schedule_id]) for schedule_id in proposal.about]


def _publication(row: Row) -> Publication:
    record = row.record
    return Publication(
        id=row.schedule_id,
        schedule_type=record.schedule_type,
        channel_id=record.channel_id,
        video_id=record.video_id,
        scheduled_at=moment_of(record.at),
        status=record.status,
        is_paused=record.is_paused,
        wave_id=record.wave_id,
        coordination_group_id=record.coordination_group_id,
        attempts=record.attempts,
        reason=record.reason,
        error_message=record.error_message,
        metadata=record.metadata,
        executed_at=None if record.executed_at is None else moment_of(read_utc(record.executed_at)),
        lateness_seconds=record.lateness_seconds,
        dispatch_lateness_seconds=record.dispatch_lateness_seconds,
        evidence=record.evidence,
        run_url=record.run_url,
        recorded=row.recorded,
        phase=row.phase,
        problem=row.problem,
    )
