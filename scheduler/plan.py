"""declared x recorded x now -> what to do, each step with its reason.

A plan is a value. It is printed, commented on a pull request, tested, and carried out by `scheduler.apply`;
nothing is carried out that is not in it. It is made in two passes: first what is declared is booked
against what is recorded (create, update, cancel, reopen), then each live record is asked what is to come
of it now (pause, resume, miss, confirm, send, look up).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from scheduler import spec
from scheduler.declarations import Declarations
from scheduler.outcomes import IN_FLIGHT, LOOKUP_WINDOW, RUN_WINDOW
from scheduler.pace import Bucket
from scheduler.schedules import Expansion, Schedule, may_revive, pause_of
from scheduler.state import Event, Pause, Record, advance, note
from scheduler.times import Instant, duration_text, instant_text, read_utc

Action = Literal[
    "create",
    "update",
    "cancel",
    "pause",
    "resume",
    "reopen",
    "send",
    "miss",
    "confirm",
    "lookup",
    "complete",
    "fail",
    "archive",
]

CONFIRM_AHEAD = 24 * 3600
"""Seconds before a schedule falls due within which its channel is asked whether it is ready."""
ASK_AGAIN = 3600
"""Seconds after which a channel that was not ready is asked again."""
LOOK_AGAIN = 60
"""Seconds between two lookups of one key."""
LOOK_BACK = 15 * 60
"""Seconds between two looks at a failed run that may be run again."""
ARCHIVE_AFTER = 90 * 24 * 3600
"""Seconds after which what is finished moves to the archive."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan. `before` is None for what is new; `after` is None for what is archived."""

    action: Action
    schedule_id: str
    before: Record | None
    after: Record | None
    reason: str


class PlannedSend(msgspec.Struct, frozen=True, kw_only=True):
    """One request that is due. `offset_seconds` is how much later than now `pace` lets it leave."""

    schedule_id: str
    token: str | None
    offset_seconds: float
    not_after: Instant
    waits_for: str | None = None
    """Under `halt`: the schedule whose answer comes first."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that is due and cannot be sent; the run ends red for it."""

    schedule_id: str
    why: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` would do at `now`."""

    now: Instant
    changes: Sequence[Change]
    sends: Sequence[PlannedSend] = ()
    waiting: Sequence[Waiting] = ()
    wake: Instant | None = None
    """The next instant at which time alone can change anything; None for never."""
    next_due: Instant | None = None
    """When the next request may leave that is not due yet, as far as is known now."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's environment says; values of tokens never enter here."""

    stopped: bool = False
    """SCHEDULER_PAUSED=1: nothing is sent."""
    allow: tuple[str, ...] | None = None
    """SCHEDULER_ALLOW: patterns that narrow the repositories a channel may point at."""
    tokens: frozenset[str] = frozenset()
    """The names of the environment variables in question that are set."""

    def token_for(self, channel: spec.ChannelSpec) -> str | None:
        """The name of the variable that a channel's token is read from."""
        if channel.repository is None:
            return None
        if channel.token is not None:
            return channel.token
        return next((name for name in DEFAULT_TOKENS if name in self.tokens), DEFAULT_TOKENS[0])


DEFAULT_TOKENS = ("SCHEDULER_TOKEN", "GITHUB_TOKEN")


class Subject(msgspec.Struct, kw_only=True):
    """Everything that a plan is made from."""

    declared: Declarations
    expansion: Expansion
    records: Mapping[str, Record]
    """The state, renames applied."""
    archive: Mapping[str, Record]
    renamed: Mapping[str, str]
    """New id -> former id, for what this run renames."""
    kept: Mapping[str, str]
    """Ids of undeclared live records that are neither cancelled nor sent, with the reason."""
    as_recorded: frozenset[str]
    """Ids of live records whose file cannot be read: they go on as they are recorded."""
    surroundings: Surroundings
    now: Instant


def make_plan(subject: Subject) -> tuple[Plan, dict[str, Record]]:
    """The plan, and the records as they are once its bookings are made (before anything is sent)."""
    planner = _Planner(subject)
    planner.book()
    planner.proceed()
    planner.order()
    return (
        Plan(
            now=subject.now,
            changes=planner.changes,
            sends=planner.sends,
            waiting=planner.waiting,
            wake=planner.wake,
            next_due=planner.next_due,
        ),
        planner.records,
    )


def new_record(schedule: Schedule) -> Record:
    """A schedule as it is first recorded, without its history."""
    group = schedule.group
    return Record(
        schedule_type=group.schedule_type,
        wave_id=group.wave,
        coordination_group_id=group.id,
        channel_id=schedule.channel,
        video_id=schedule.video,
        scheduled_at=instant_text(schedule.at),
        status="pending",
        metadata=group.metadata,
        slot=schedule.slot,
        position=schedule.position,
        catch_up=group.catch_up,
        halt=group.halt,
        after_success=group.after_success,
    )


class _Planner:
    """The two passes over one subject, collecting changes."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.now = subject.now
        self.settings = subject.declared.settings
        self.records: dict[str, Record] = dict(subject.records)
        self.changes: list[Change] = []
        self.sends: list[PlannedSend] = []
        self.waiting: list[Waiting] = []
        self.wake: Instant | None = None
        self.next_due: Instant | None = None
        self._due: list[_Due] = []
        self._channel_pauses: dict[str, Pause | None] = {}
        self._freezes: dict[str, list[spec.Freeze]] = {}

    # --- small steps ------------------------------------------------------------------------------

    def change(self, action: Action, schedule_id: str, after: Record, reason: str) -> None:
        """Book a change of the record."""
        self.changes.append(
            Change(
                action=action,
                schedule_id=schedule_id,
                before=self.records.get(schedule_id),
                after=after,
                reason=reason,
            )
        )
        self.records[schedule_id] = after

    def wake_at(self, at: Instant) -> None:
        """Remember an instant still to come at which something can change."""
        if at > self.now and (self.wake is None or at < self.wake):
            self.wake = at

    def due_at(self, at: Instant) -> None:
        """Remember an instant still to come at which a request may leave."""
        self.wake_at(at)
        if at > self.now and (self.next_due is None or at < self.next_due):
            self.next_due = at

    # --- first pass: declared against recorded ------------------------------------------------------

    def book(self) -> None:
        """Create, update, cancel, reopen."""
        self._book_renames()
        blocked, archive = self.subject.expansion.blocked, self.subject.archive
        for schedule_id, schedule in self.subject.expansion.schedules.items():
            record = self.records.get(schedule_id) or archive.get(schedule_id)
            if record is None:
                if schedule_id not in blocked:
                    self._create(schedule)
            elif record.is_unsent_live:
                if schedule.cancelled:
                    self._cancel(schedule_id, record, "declared", "declared cancelled")
                elif schedule_id not in blocked:
                    self._update(schedule, record)
            elif schedule.at > self.now and schedule_id not in blocked and may_revive(schedule, record):
                self._reopen(schedule, record)
        self._withdraw()

    def _book_renames(self) -> None:
        for schedule_id, former in self.subject.renamed.items():
            record = self.records[schedule_id]
            self.changes.append(
                Change(
                    action="update",
                    schedule_id=schedule_id,
                    before=record,
                    after=record,
                    reason=f"renamed from {former}",
                )
            )

    def _create(self, schedule: Schedule) -> None:
        record = new_record(schedule)
        reason = f"declared in {schedule.file}"
        if schedule.cancelled:
            record.status = "cancelled"
            record.reason = "declared"
            reason += ", cancelled"
        record.history = (Event(instant_text(self.now), record.status, reason),)
        if record.status == "pending":
            _set_pauses(record, self._pauses(schedule.id, record))
        self.change("create", schedule.id, record, reason)

    def _cancel(
        self, schedule_id: str, record: Record, reason: Literal["declared", "withdrawn"], why: str
    ) -> None:
        after = advance(record, "cancelled", self.now, why, reason=reason, is_paused=False, pauses=())
        after.retried_at = after.next_attempt_at = None
        self.change("cancel", schedule_id, after, why)

    def _update(self, schedule: Schedule, record: Record) -> None:
        wanted = _declared_fields(schedule)
        changed = {name: value for name, value in wanted.items() if getattr(record, name) != value}
        if not changed:
            return
        if record.slot and record.retried_at:
            changed.pop("video_id", None)  # it keeps the video that it failed with
        why = _what_changed(record, changed)
        if "scheduled_at" in changed or "video_id" in changed:
            changed |= {"checked_at": None, "unconfirmed": None}
            if "scheduled_at" in changed:
                changed |= {"next_attempt_at": None, "limited": False}
            if record.status == "scheduled":
                self.change("update", schedule.id, advance(record, "pending", self.now, why, **changed), why)
                return
        self.change("update", schedule.id, note(record, self.now, why, **changed), why)

    def _reopen(self, schedule: Schedule, record: Record) -> None:
        why = "declared again" if record.status == "cancelled" else "its declaration was changed"
        after = advance(
            record,
            "pending",
            self.now,
            why,
            **_declared_fields(schedule),
            reason=None,
            error_message=None,
            attempts=0,
            next_attempt_at=None,
            retried_at=None,
            limited=False,
            checked_at=None,
            unconfirmed=None,
            executed_at=None,
            lateness_seconds=None,
            intent=None,
        )
        _set_pauses(after, self._pauses(schedule.id, after))
        self.change("reopen", schedule.id, after, why)

    def _withdraw(self) -> None:
        """Cancel what is recorded, live, unsent, and no longer declared (unless it is kept)."""
        subject = self.subject
        for schedule_id, record in subject.records.items():
            if (
                record.is_unsent_live
                and schedule_id not in subject.expansion.schedules
                and schedule_id not in subject.kept
                and schedule_id not in subject.as_recorded
            ):
                self._cancel(schedule_id, record, "withdrawn", "no longer declared")

    # --- second pass: what is to come of each record now ----------------------------------------------

    def proceed(self) -> None:
        """Pause, resume, miss, fail, confirm, look up, and collect what is due."""
        self._limited = self._limited_tokens()
        self._groups = self._ordered_groups()
        halted = self._halts()
        for schedule_id in list(self.records):
            record = self.records[schedule_id]
            if record.status == "executing":
                self._proceed_executing(schedule_id, record)
            elif record.is_unsent_live:
                self._proceed_unsent(schedule_id, record, halted)
            else:
                self._proceed_finished(schedule_id, record)
        self._wake_for_freezes()

    def _proceed_finished(self, schedule_id: str, record: Record) -> None:
        ended = max(record.at, read_utc(record.history[-1].at) if record.history else 0)
        if self._may_still_complete(record):
            return self._look_back(schedule_id, record)
        if self.now - ended > ARCHIVE_AFTER and not self._declared_ahead(schedule_id):
            self.changes.append(
                Change(
                    action="archive",
                    schedule_id=schedule_id,
                    before=record,
                    after=None,
                    reason=f"finished more than {duration_text(ARCHIVE_AFTER)} ago",
                )
            )
            del self.records[schedule_id]
        else:
            self.wake_at(ended + ARCHIVE_AFTER + 1)
        return None

    def _declared_ahead(self, schedule_id: str) -> bool:
        schedule = self.subject.expansion.schedules.get(schedule_id)
        return schedule is not None and schedule.at > self.now

    def _may_still_complete(self, record: Record) -> bool:
        """A failed run may be run again, and one that was not found may show up, for a day."""
        return (
            record.status == "failed"
            and record.was_sent
            and record.intent is not None
            and record.intent.transport != "queue"
            and self.now - read_utc(record.intent.at) <= RUN_WINDOW
        )

    def _look_back(self, schedule_id: str, record: Record) -> None:
        again = read_utc(record.checked_at) + LOOK_BACK if record.checked_at else self.now
        if again <= self.now:
            self._look_up(schedule_id, record, "a run that ended badly may have been run again")
        else:
            self.wake_at(again)

    def _look_up(self, schedule_id: str, record: Record, reason: str) -> None:
        self.changes.append(
            Change(action="lookup", schedule_id=schedule_id, before=record, after=record, reason=reason)
        )
        self.wake_at(self.now + 1)

    # --- executing --------------------------------------------------------------------------------

    def _proceed_executing(self, schedule_id: str, record: Record) -> None:
        intent = record.intent
        assert intent is not None, "the reader of states refuses an executing record without an intent"
        self.wake_at(self.now + 1)
        age = self.now - read_utc(intent.at)
        if record.accepted_at is None and age < IN_FLIGHT:
            return
        if record.doubtful and record.accepted_at is None and age >= LOOKUP_WINDOW:
            self._resend(schedule_id, record)
        elif record.checked_at is None or self.now - read_utc(record.checked_at) >= LOOK_AGAIN:
            waiting = "waiting for the channel's run" if record.accepted_at else "its outcome is unknown"
            self._look_up(schedule_id, record, waiting)

    def _resend(self, schedule_id: str, record: Record) -> None:
        """`at-least-once`: the lookup found nothing, so the same key goes out once more."""
        intent = record.intent
        assert intent is not None
        schedule = self.subject.expansion.schedules.get(schedule_id)
        not_after = read_utc(intent.not_after)
        if (
            self.now > not_after
            or record.attempts >= self.settings.retry_attempts
            or (schedule is None and schedule_id not in self.subject.as_recorded)
            or (schedule is not None and schedule.cancelled)
        ):
            why = f"no run carries the key after {record.attempts} attempts; it may have been published"
            after = advance(
                record,
                "failed",
                self.now,
                why,
                reason="unknown_outcome",
                error_message=record.error_message or why,
            )
            self.change("fail", schedule_id, after, why)
        elif record.next_attempt_at is not None and read_utc(record.next_attempt_at) > self.now:
            self.wake_at(read_utc(record.next_attempt_at))
        elif not self._pauses(schedule_id, record) and schedule_id not in self.subject.expansion.blocked:
            self._collect(schedule_id, record, not_after, "its outcome is unknown and no run was found")

    # --- not yet sent -----------------------------------------------------------------------------

    def _proceed_unsent(self, schedule_id: str, record: Record, halted: Mapping[str, str]) -> None:
        pauses = self._pauses(schedule_id, record)
        culprit = halted.get(record.wave_id or "")
        if culprit is not None and record.halt and not record.retried_at:
            pauses = (*pauses, Pause("halt", f"{culprit} failed"))
        record = self._sync_pauses(schedule_id, record, pauses)
        for pause in pauses:
            if pause.until is not None:
                self.wake_at(read_utc(pause.until))
        if schedule_id in self.subject.kept:
            return
        follows = self._predecessor(schedule_id, record)
        if follows is not None and follows[1] is None:
            if not pauses:
                self._confirm_ahead(schedule_id, record)
            return  # blocked by the one before: neither due nor too late
        base, due = self._clock_of(record, None if follows is None else follows[1])
        deadline = base + self._catch_up(record)
        if pauses:
            if all(pause.until is not None for pause in pauses):
                self.due_at(max(due, *(read_utc(pause.until) for pause in pauses if pause.until)))
            self._confirm_ahead(schedule_id, record)
            return
        if self.now > deadline:
            self._miss(schedule_id, record, base)
            return
        self.wake_at(deadline + 1)
        if self._is_held(schedule_id):
            return
        if self.now < due:
            self.due_at(due)
            self._confirm_ahead(schedule_id, record)
        elif record.video_id is None:
            why = "it fell due and no video is assigned"
            after = advance(record, "failed", self.now, why, reason="no_video", error_message=why)
            self.change("fail", schedule_id, after, why)
        else:
            self._fall_due(schedule_id, record, due, deadline)

    def _sync_pauses(self, schedule_id: str, record: Record, pauses: tuple[Pause, ...]) -> Record:
        if pauses == record.pauses and record.is_paused == bool(pauses):
            return record
        why = pauses_text(pauses) or "nothing pauses it any more"
        after = note(record, self.now, why, is_paused=bool(pauses), pauses=pauses)
        if bool(pauses) == record.is_paused:
            self.change("update", schedule_id, after, why)
        else:
            self.change("pause" if pauses else "resume", schedule_id, after, why)
        return after

    def _clock_of(self, record: Record, released: Instant | None) -> tuple[Instant, Instant]:
        """From when lateness is counted, and when it falls due."""
        lead = self._lead(record.channel_id)
        base, due = record.at, record.at - lead
        if record.retried_at is not None:
            base = max(base, read_utc(record.retried_at))
        if released is not None:
            base, due = max(base, released), max(due, released)
        return base, due

    def _lead(self, channel_id: str) -> int:
        channel = self.subject.declared.channels.get(channel_id)
        return channel.lead if channel is not None else 0

    def _catch_up(self, record: Record) -> int:
        return record.catch_up if record.catch_up is not None else self.settings.catch_up

    def _is_held(self, schedule_id: str) -> bool:
        """A rule keeps it back, or its channel cannot be used: it waits, and later is missed."""
        if schedule_id in self.subject.expansion.blocked:
            return True
        record = self.records[schedule_id]
        return not self.subject.declared.can_send(record.channel_id)

    def _miss(self, schedule_id: str, record: Record, base: Instant) -> None:
        catch_up = duration_text(self._catch_up(record))
        why = f"more than {catch_up} (catch_up) after {instant_text(base)}"
        if record.error_message and record.attempts:
            why += f"; the last attempt: {record.error_message}"
        after = advance(record, "failed", self.now, f"missed: {why}", reason="missed", error_message=why)
        self.change("miss", schedule_id, after, why)

    def _confirm_ahead(self, schedule_id: str, record: Record) -> None:
        begins = record.at - self._lead(record.channel_id) - CONFIRM_AHEAD
        if record.status != "pending" or self._is_held(schedule_id):
            return
        if record.checked_at is not None:
            begins = max(begins, read_utc(record.checked_at) + ASK_AGAIN)
        if begins > self.now:
            self.wake_at(begins)
            return
        self.changes.append(
            Change(
                action="confirm",
                schedule_id=schedule_id,
                before=record,
                after=record,
                reason="it falls due within 24 h: is its channel ready?",
            )
        )

    def _fall_due(self, schedule_id: str, record: Record, due: Instant, deadline: Instant) -> None:
        if record.next_attempt_at is not None and read_utc(record.next_attempt_at) > self.now:
            self.due_at(read_utc(record.next_attempt_at))
            return
        channel = self.subject.declared.channels[record.channel_id]
        token = self.subject.surroundings.token_for(channel)
        if token is not None and token not in self.subject.surroundings.tokens:
            self.wake_at(self.now + 1)
            why = f"the environment variable {token}, which holds its token, is not set"
            self.waiting.append(Waiting(schedule_id=schedule_id, why=why))
            return
        late = self.now - due
        reason = "due" if late == 0 else f"due, {duration_text(late)} late"
        self._collect(schedule_id, record, deadline, reason)

    def _collect(self, schedule_id: str, record: Record, deadline: Instant, reason: str) -> None:
        channel = self.subject.declared.channels.get(record.channel_id)
        token = None if channel is None else self.subject.surroundings.token_for(channel)
        until = self._limited.get(token or "")
        if until is not None and until > self.now:
            self.due_at(until)
            return
        self._due.append(
            _Due(schedule_id=schedule_id, record=record, token=token, deadline=deadline, reason=reason)
        )

    # --- pauses -----------------------------------------------------------------------------------

    def _pauses(self, schedule_id: str, record: Record) -> tuple[Pause, ...]:
        """Everything that holds a record back now, but for a halt."""
        subject = self.subject
        found: list[Pause | None] = []
        schedule = subject.expansion.schedules.get(schedule_id)
        if schedule is not None:
            found += (schedule.paused, schedule.group.paused)
        else:  # its file cannot be read: as it was recorded
            found += (pause for pause in record.pauses if pause.by in ("schedule", "wave"))
        found.append(self._channel_pause(record.channel_id))
        if self.settings.freezes:
            found.append(self._freeze(record))
        if subject.surroundings.stopped:
            found.append(Pause("operator", "SCHEDULER_PAUSED=1"))
        return tuple(
            pause
            for pause in found
            if pause is not None and (pause.until is None or read_utc(pause.until) > self.now)
        )

    def _channel_pause(self, channel_id: str) -> Pause | None:
        if channel_id not in self._channel_pauses:
            channel = self.subject.declared.channels.get(channel_id)
            paused = None if channel is None else channel.paused
            self._channel_pauses[channel_id] = pause_of("channel", paused)
        return self._channel_pauses[channel_id]

    def _freeze(self, record: Record) -> Pause | None:
        """A freeze holds back what lies in it until it ends, and whatever falls due while it lasts."""
        freezes = self._freezes.get(record.channel_id)
        if freezes is None:
            freezes = self._freezes[record.channel_id] = [
                freeze
                for freeze in self.settings.freezes
                if freeze.until > self.now
                and (freeze.channels is None or record.channel_id in freeze.channels)
            ]
        due = record.at - self._lead(record.channel_id)
        for freeze in freezes:
            inside_now = freeze.from_ <= self.now and due < freeze.until
            if inside_now or freeze.from_ <= record.at < freeze.until:
                return Pause("freeze", freeze.reason, instant_text(freeze.until))
        return None

    def _wake_for_freezes(self) -> None:
        for freeze in self.settings.freezes:
            self.wake_at(freeze.from_)
            self.wake_at(freeze.until)

    # --- what waits for others ---------------------------------------------------------------------

    def _halts(self) -> dict[str, str]:
        """Waves under `on_failure: halt` in which something failed, with the schedule that did."""
        halted: dict[str, str] = {}
        expiring: dict[str, tuple[Instant, int, str]] = {}
        unreadable = self._unreadable_waves()
        for schedule_id, record in self.records.items():
            if not record.halt or record.wave_id is None:
                continue
            schedule = self.subject.expansion.schedules.get(schedule_id)
            if schedule is None and record.wave_id not in unreadable:
                continue  # withdrawn: it halts nothing any more
            if schedule is not None and (schedule.cancelled or not schedule.group.halt):
                continue
            if record.status == "failed" or (record.retried_at and record.status != "completed"):
                known = halted.get(record.wave_id)
                halted[record.wave_id] = schedule_id if known is None else min(known, schedule_id)
            elif record.is_unsent_live and self._will_fail(schedule_id, record):
                place = (record.at, record.position, schedule_id)
                expiring[record.wave_id] = min(expiring.get(record.wave_id, place), place)
        for wave_id, (_, _, schedule_id) in expiring.items():
            if wave_id not in halted:
                self._fail_first(schedule_id)
                halted[wave_id] = schedule_id
        return halted

    def _unreadable_waves(self) -> set[str]:
        return {name for kind, name in self.subject.declared.unreadable if kind == "wave"}

    def _will_fail(self, schedule_id: str, record: Record) -> bool:
        if self._pauses(schedule_id, record) or schedule_id in self.subject.kept:
            return False
        follows = self._predecessor(schedule_id, record)
        if follows is not None and follows[1] is None:
            return False
        base, due = self._clock_of(record, None if follows is None else follows[1])
        too_late = self.now > base + self._catch_up(record)
        return too_late or (self.now >= due and record.video_id is None and not self._is_held(schedule_id))

    def _fail_first(self, schedule_id: str) -> None:
        """Of several that fail at once under `halt`, the first fails and halts the others."""
        self._proceed_unsent(schedule_id, self.records[schedule_id], {})

    def _ordered_groups(self) -> dict[str, list[tuple[int, str]]]:
        """The uncancelled members of groups whose members wait for each other, by position."""
        groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for schedule_id, schedule in self.subject.expansion.schedules.items():
            if schedule.group.after_success and not schedule.cancelled:
                groups[schedule.group.id or ""].append((schedule.position, schedule_id))
        for schedule_id in self.subject.as_recorded:
            record = self.records[schedule_id]
            if record.after_success:
                groups[record.coordination_group_id or ""].append((record.position, schedule_id))
        unreadable = self._unreadable_waves()
        for schedule_id, record in self.records.items() if unreadable else ():
            if record.after_success and record.wave_id in unreadable and record.was_sent:
                groups[record.coordination_group_id or ""].append((record.position, schedule_id))
        for members in groups.values():
            members.sort()
        return groups

    def _predecessor(self, schedule_id: str, record: Record) -> tuple[str, Instant | None] | None:
        """Under `after_success`: the one before, and when it was completed (None: not yet)."""
        if not record.after_success:
            return None
        before: str | None = None
        for _, member in self._groups.get(record.coordination_group_id or "", ()):
            if member == schedule_id:
                break
            before = member
        if before is None:
            return None
        known = self.records.get(before) or self.subject.archive.get(before)
        if known is None or known.status != "completed":
            return before, None
        return before, read_utc(known.completed_at or known.executed_at or known.scheduled_at)

    def _limited_tokens(self) -> dict[str, Instant]:
        """Tokens that a server asked to wait, and until when."""
        limited: dict[str, Instant] = {}
        for record in self.records.values():
            if record.limited and record.next_attempt_at and record.intent and record.intent.token:
                until = read_utc(record.next_attempt_at)
                limited[record.intent.token] = max(until, limited.get(record.intent.token, until))
        return limited

    # --- what is due, in order ----------------------------------------------------------------------

    def order(self) -> None:
        """Order what is due, spread it by pace, and say who waits for whom."""
        if not self._due:
            return
        self.wake_at(self.now + 1)
        self._due.sort(key=lambda due: (due.record.at, due.record.position, due.schedule_id))
        buckets = self._buckets()
        first_of_wave: dict[str, _Due] = {}
        pending_answers = self._pending_answers()
        for due in self._due:
            record = due.record
            waits_for = None
            if record.halt and record.wave_id is not None:
                leader = first_of_wave.setdefault(record.wave_id, due)
                waits_for = pending_answers.get(record.wave_id)
                if leader is not due and leader.record.at < record.at:
                    waits_for = waits_for or leader.schedule_id
                    first_of_wave[record.wave_id] = due
            offset = 0.0
            if due.token is not None:
                offset = buckets[due.token].take(float(self.now)) - self.now
            self.sends.append(
                PlannedSend(
                    schedule_id=due.schedule_id,
                    token=due.token,
                    offset_seconds=offset,
                    not_after=due.deadline,
                    waits_for=waits_for,
                )
            )
            self._plan_send(due, offset, waits_for)

    def _plan_send(self, due: _Due, offset: float, waits_for: str | None) -> None:
        reason = due.reason
        if offset > 0:
            reason += f"; {duration_text(round(offset))} later by pace" if offset >= 1 else ""
        if waits_for:
            reason += f"; after the answer for {waits_for}"
        self.changes.append(
            Change(
                action="send",
                schedule_id=due.schedule_id,
                before=due.record,
                after=msgspec.structs.replace(
                    due.record, status="executing", attempts=due.record.attempts + 1
                ),
                reason=reason,
            )
        )

    def _pending_answers(self) -> dict[str, str]:
        """Waves under `halt` with a request whose answer is not known, and which one."""
        return {
            record.wave_id: schedule_id
            for schedule_id, record in self.records.items()
            if record.halt
            and record.wave_id is not None
            and record.status == "executing"
            and record.accepted_at is None
        }

    def _buckets(self) -> dict[str, Bucket]:
        """One bucket a token, as the recorded sends left it."""
        pace = self.settings.pace
        since = instant_text(self.now - pace.seconds)
        sent: dict[str, list[float]] = {due.token: [] for due in self._due if due.token is not None}
        for record in self.records.values():
            intent = record.intent
            if intent is not None and intent.token in sent and intent.at >= since:
                sent[intent.token].append(float(read_utc(record.executed_at or intent.at)))
        return {token: Bucket(pace, moments) for token, moments in sent.items()}


class _Due(msgspec.Struct, kw_only=True):
    """A schedule that may be sent now."""

    schedule_id: str
    record: Record
    token: str | None
    deadline: Instant
    reason: str


def _declared_fields(schedule: Schedule) -> dict[str, Any]:
    group = schedule.group
    return {
        "schedule_type": group.schedule_type,
        "video_id": schedule.video,
        "scheduled_at": instant_text(schedule.at),
        "metadata": group.metadata,
        "slot": schedule.slot,
        "position": schedule.position,
        "catch_up": group.catch_up,
        "halt": group.halt,
        "after_success": group.after_success,
    }


def _what_changed(record: Record, changed: Mapping[str, Any]) -> str:
    words = []
    if "scheduled_at" in changed:
        words.append(f"moved from {record.scheduled_at} to {changed['scheduled_at']}")
    if "video_id" in changed:
        words.append(f"video {record.video_id or 'none'} -> {changed['video_id'] or 'none'}")
    if "metadata" in changed:
        words.append("metadata changed")
    return ", ".join(words) or "its declaration changed in " + ", ".join(sorted(changed))


def _set_pauses(record: Record, pauses: tuple[Pause, ...]) -> None:
    record.pauses = pauses
    record.is_paused = bool(pauses)


def pauses_text(pauses: Iterable[Pause]) -> str:
    """`paused by channel (strike, until 2026-03-01T18:00:00Z), freeze (Holidays)`."""
    parts = []
    for pause in pauses:
        details = [pause.reason or "", f"until {pause.until}" if pause.until else ""]
        inside = ", ".join(filter(None, details))
        parts.append(f"{pause.by} ({inside})" if inside else pause.by)
    return "paused by " + ", ".join(parts) if parts else ""
