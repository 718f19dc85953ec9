"""One run: as many rounds as there is something to send, each decided from a fresh snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from scheduler.delivery import commit_messages
from scheduler.delivery.clock_skew import CLOCK_TRUST, clock_problem
from scheduler.delivery.dispatcher import Request
from scheduler.delivery.fan_out import exchange
from scheduler.delivery.lookups import QUESTIONS, Lookups, forgotten, unready
from scheduler.delivery.ports import Observation, Ports
from scheduler.delivery.report import Report
from scheduler.delivery.routes import Routes, said
from scheduler.desired.transports import TRANSPORTS, transport_of
from scheduler.diagnostics import Diagnostic, Location, error, warning
from scheduler.errors import LostRace, StateError
from scheduler.failpoints import failpoint
from scheduler.planning.plan import PlannedSend
from scheduler.planning.rate_limit import Sent
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.state.answers import Answer
from scheduler.state.intent import intend, intend_again, intent_of, payload_of
from scheduler.state.outcomes import IN_FLIGHT, after_answer, after_nothing_left
from scheduler.state.record import Intent, Record, State
from scheduler.state.retraction import after_none_left, after_retraction_answer, intend_retraction
from scheduler.state.stores import Snapshot
from scheduler.times import Instant, duration_text, read_utc, zone_release
from scheduler.wording import and_more

if TYPE_CHECKING:
    from scheduler.desired import Pace
    from scheduler.desired.declarations import Declarations

RACES = 60
"""Lost saves after which the run gives up; four writers needed 33 at worst."""
LAST_SAVES = 6
"""Attempts to save outcomes that the store would not take."""
NOW = 0.05
"""Seconds: what the pace allows within this is sent at once."""
SHORTLY = 3.0
"""Seconds that questions about what is late may take at least: without an answer it is sent unseen."""
BATCH = 100
"""Requests of one intent commit: all of them are begun at once, so none begins late."""
NAMED = 5
"""Schedules that one message names."""


class Runner:
    """One run: as many rounds as there is something to send, each decided from a fresh snapshot."""

    def __init__(self, ports: Ports, *, force: bool = False) -> None:
        self.ports = ports
        self.force = force
        self.report = Report(results={}, diagnostics=(), changes=[])
        self.margin = 1.0
        """Seconds before an instant at which the round for it begins."""
        self._owner = ports.nonce()
        self._archive: Mapping[str, Record] = {}
        self._archive_mark: str | None = None
        """The version of the state with which the archive was read; a later one may have archived more."""
        self._was_held_up = False
        self._remarks: list[Diagnostic] = []
        self._routes = Routes(ports.dispatcher)
        self._lookups = Lookups(self._routes)
        self._unroutable: dict[str, str] = {}
        """What is due and cannot be sent because its dispatcher cannot be opened, and why."""
        self._sent = Sent()
        self._clock_is_good_until = 0.0
        """On the monotonic clock."""
        self.is_in_doubt = False
        """The clock was set, and no server could be asked yet which time is right."""
        self._set_wrong: Diagnostic | None = None
        """What to report of a clock that was set wrong while this run waited."""

    @property
    def needs_another_run(self) -> bool:
        """Whether something due waits for a token that only a later run can have."""
        last = self.report.last
        waiting = () if last is None else last.plan.waiting
        return self.ports.keeps_tokens and any(one.token_ended for one in waiting)

    # --- one reconciliation -----------------------------------------------------------------------

    def reconcile_once(self, at: Instant | None = None) -> Report:
        """Record, send what is due, record outcomes; then look up and confirm.

        `at` plans for an instant a moment ahead: intents are saved before it, requests are sent at it.
        """
        attempted: set[str] = set()
        self._was_held_up = self.is_in_doubt = False
        self._remarks = [] if self._set_wrong is None else [self._set_wrong]
        self._unroutable = {}
        races = 0
        while True:
            try:
                finished = self._round(attempted, at)
            except LostRace:
                races += 1
                if races >= RACES:
                    raise
                self.ports.clock.back_off(min(races, 6))
                continue
            finally:
                if self.report.last is not None:
                    self.report.diagnostics = [*self.report.last.diagnostics, *self._remarks]
            if finished:
                return self.report

    def _round(self, attempted: set[str], at: Instant | None) -> bool:
        """One observation, one intent commit, one batch. True when nothing is left to do now."""
        observed = self.observe(at)
        reconciled = observed.reconciled
        self.report.last = reconciled
        if reconciled.declared is None:
            return True
        if self._settle_jump(reconciled.declared):
            return False  # this was decided by a clock that nobody believes any more
        if not self._has_wrong_clock():
            self._check_clock(reconciled)
        if self._has_wrong_clock():
            return True
        ready, wait = self._ready(reconciled.declared.settings.pace, reconciled.plan.sends, attempted)
        first = self._lookups.leaves_first(ready, reconciled, attempted)
        if first:
            ready = first
        elif self._look_back(observed, ready, attempted):
            return False
        snapshot, requests = self._book(observed, ready, attempted)
        self.report.note_observation(reconciled)
        self.report.note_unroutable(reconciled, self._unroutable)
        if requests:
            if self._send(snapshot, requests, at, observed):
                attempted |= {_mark(send) for send in ready}
            elif self._was_held_up:
                return True  # twice is enough: the next run may get a faster machine
            else:
                self._was_held_up = True  # decide everything again, in order
            return self.ports.clock.is_ended or self._has_wrong_clock()
        if wait is not None:
            return not self.ports.clock.sleep(wait)
        if self._ask(snapshot, reconciled, attempted):
            return False
        self._remarks += unready(reconciled, self.report.records)
        self.report.diagnostics = [*reconciled.diagnostics, *self._remarks]
        noted = self.ports.notified(self.report, self._snapshot.state)
        if noted is not self._snapshot.state:
            snapshot = self._save(noted, self._snapshot, commit_messages.notified(noted))
        if not reconciled.plan.changes and not reconciled.diagnostics and not self._remarks:
            self._leave_mark(snapshot, reconciled)
        return True

    def observe(self, at: Instant | None = None) -> Observation:
        """Read everything and decide, without doing anything."""
        begun, begun_at = self.ports.clock.monotonic(), self.ports.clock.moment()
        self._snapshot = snapshot = self.ports.store.load()
        self.report.records = snapshot.state.schedules
        sources = self.ports.sources()
        remarks = self.ports.guard(snapshot.state, sources)
        if snapshot.mark != self._archive_mark:
            self._archive = self.ports.store.load_archive()
            self._archive_mark = snapshot.mark
        reconciled = reconcile(
            sources,
            snapshot.state,
            self._archive,
            self.ports.clock.now() if at is None else max(at, self.ports.clock.now()),
            self.ports.surroundings(),
            force=self.force,
            declare=self.ports.declare,
        )
        if remarks:
            diagnostics = [*reconciled.diagnostics, *remarks]
            reconciled = msgspec.structs.replace(reconciled, diagnostics=diagnostics)
        return Observation(
            snapshot=snapshot, sources=sources, reconciled=reconciled, begun=begun, begun_at=begun_at
        )

    def _ready(
        self, pace: Pace, sends: Sequence[PlannedSend], attempted: set[str]
    ) -> tuple[list[PlannedSend], float | None]:
        """What the pace allows now, and the seconds until it allows more."""
        free = [s for s in sends if s.waits_for is None and _mark(s) not in attempted]
        own = self._sent.waits(pace, (send.token for send in free), self.ports.clock.moment())
        waits = [max(send.offset_seconds, wait) for send, wait in zip(free, own, strict=True)]
        ready = [send for send, wait in zip(free, waits, strict=True) if wait <= NOW]
        return ready[:BATCH], min(waits, default=None)

    def _leave_mark(self, snapshot: Snapshot, reconciled: Reconciled) -> None:
        """Nothing was done or reported: leave a mark by which the next tick knows that without planning."""
        wake = reconciled.plan.wake
        if wake is not None and wake <= reconciled.plan.now + 1:
            return  # something is under way: the next tick has to plan anyway
        idle = self.ports.idle(reconciled)
        if idle is not None and idle != snapshot.state.idle:
            self.ports.store.save(msgspec.structs.replace(snapshot.state, idle=idle), snapshot, "")

    # --- booking ------------------------------------------------------------------------------------

    def _book(
        self, observed: Observation, batch: Sequence[PlannedSend], attempted: set[str]
    ) -> tuple[Snapshot, list[Request]]:
        """Save the plan's changes, together with the intents of what can be sent."""
        snapshot, reconciled = observed.snapshot, observed.reconciled
        schedules = dict(reconciled.booked)
        requests: list[Request] = []
        for send in batch:
            record, request = self._intend(snapshot.state, reconciled, schedules[send.schedule_id], send)
            try:
                intent = self._routes.marked(request.intent)
            except Exception as fault:  # noqa: BLE001 - one transport's trouble is not everybody's
                attempted.add(_mark(send))
                self._unroutable[send.schedule_id] = said(fault)
            else:
                if not intent.retracts:
                    record = msgspec.structs.replace(record, intent=intent)
                schedules[send.schedule_id] = record
                requests.append(msgspec.structs.replace(request, intent=intent))
        archived: dict[str, dict[str, Record]] = {}
        for change in reconciled.plan.changes:
            if change.action == "archive" and change.before is not None:
                month = change.before.scheduled_at[:7]
                archived.setdefault(month, {})[change.schedule_id] = change.before
        state = msgspec.structs.replace(
            self.ports.declared(observed.sources, snapshot.state),
            schedules=schedules,
            zone_release=max(snapshot.state.zone_release or "", zone_release()),
        )
        if state == snapshot.state:
            return snapshot, requests
        booked = [
            c for c in reconciled.plan.changes if c.action not in ("send", "retract", "lookup", "confirm")
        ]
        message = commit_messages.diff(booked, [(r.verb, r.schedule_id) for r in requests])
        try:
            saved = self._save(state, snapshot, message, archived)
        except LostRace:
            raise
        except StateError as problem:
            raise StateError(problem.message, hint=_and_then("nothing was sent", problem.hint)) from None
        self.report.changes += booked
        failpoint("intent-saved")
        return saved, requests

    def _intend(
        self, state: State, reconciled: Reconciled, record: Record, send: PlannedSend
    ) -> tuple[Record, Request]:
        """The record with its intent, and the request for it."""
        declared, now = reconciled.declared, reconciled.plan.now
        assert declared is not None, "nothing is sent while the settings cannot be read"
        if send.event_type is not None:
            after = intend_retraction(
                record, event_type=send.event_type, token=send.token, owner=self._owner, now=now, why=send.why
            )
        elif record.status == "executing":
            after = intend_again(record, owner=self._owner, now=now)
        else:
            intent = intent_of(
                send.schedule_id,
                record,
                declared.channels[record.channel_id],
                declared.settings,
                lineage=state.lineage,
                owner=self._owner,
                now=now,
                not_after=send.not_after,
                token=send.token,
            )
            after = intend(record, intent, now=now, due=send.due, base=send.late_from)
        saved = _intent_in(after, retracts=send.event_type is not None)
        assert saved is not None, "intend() has just set it"
        payload = payload_of(send.schedule_id, after, saved)
        return after, Request(schedule_id=send.schedule_id, intent=saved, payload=payload)

    def _save(
        self,
        state: State,
        snapshot: Snapshot,
        message: str,
        archived: Mapping[str, dict[str, Record]] | None = None,
    ) -> Snapshot:
        state = msgspec.structs.replace(state, serial=snapshot.state.serial + 1, idle=None)
        if archived:
            saved = self.ports.store.save_with_archive(state, dict(archived), snapshot, message)
        else:
            saved = self.ports.store.save(state, snapshot, message)
            if self._archive_mark == snapshot.mark:  # our own save did not touch the archive
                self._archive_mark = saved.mark
        self.report.saves += 1
        self._snapshot, self.report.records = saved, saved.state.schedules
        return saved

    # --- sending ------------------------------------------------------------------------------------

    def _send(
        self, snapshot: Snapshot, requests: Sequence[Request], at: Instant | None, observed: Observation
    ) -> bool:
        """Send what was intended, and save the outcomes as they arrive; False where it was too late."""
        routes = self._routes.group((request, request.intent) for request in requests)
        if at is not None and at > self.ports.clock.moment():
            for dispatcher, some in routes:
                dispatcher.prepare(some)
            self.ports.clock.sleep_until(float(at))
        why = self._too_late(requests, observed)
        if why is not None:
            self._release(snapshot, requests, why)
            return False
        failpoint("before-send")
        for request in requests:
            self._sent.note(request.intent.token, self.ports.clock.moment())
        unsaved: list[tuple[Request, Answer]] = []
        try:
            for answered in exchange(routes, self.ports.beside):
                unsaved += answered
                try:
                    snapshot = self._record(snapshot, unsaved)
                    unsaved = []
                except StateError:
                    continue  # saved together with the next answers
        finally:
            if unsaved:
                self._record_at_last(snapshot, unsaved)
        return True

    def _too_late(self, requests: Sequence[Request], observed: Observation) -> str | None:
        """Why nothing may be sent any more, although the intents are saved."""
        clock = self.ports.clock
        if clock.is_ended:
            return "this run was asked to end before it was sent"
        held_up = "this run was held up before it could send"
        # A wall clock may be set, and a monotonic one does not advance while the machine sleeps.
        jump = clock.jump()
        passed = max(clock.monotonic() - observed.begun, clock.moment() + jump - observed.begun_at)
        if passed > IN_FLIGHT / 2:  # another runner may soon take over
            return held_up
        if clock.now() > min(read_utc(request.intent.not_after) for request in requests):
            return held_up
        return "this machine's clock was set before it could send" if jump else None

    def _release(self, snapshot: Snapshot, requests: Sequence[Request], why: str) -> None:
        """Withdraw intents for which no request was made."""
        now = self.ports.clock.now()

        def settle(schedules: dict[str, Record]) -> None:
            for request in requests:
                record = schedules.get(request.schedule_id)
                if record is not None and _is_awaited(record, request.intent):
                    undo = after_none_left if request.intent.retracts else after_nothing_left
                    schedules[request.schedule_id] = undo(record, why, now)

        self._amend(snapshot, settle)

    def _record(self, snapshot: Snapshot, outcomes: Sequence[tuple[Request, Answer]]) -> Snapshot:
        """Save outcomes, each only where the record still has this run's intent."""
        last = self.report.last
        assert last is not None and last.declared is not None, "outcomes follow an observation"
        settings = last.declared.settings
        now = self.ports.clock.now()

        def settle(schedules: dict[str, Record]) -> None:
            for request, answer in outcomes:
                record = schedules.get(request.schedule_id)
                if record is None or not _is_awaited(record, request.intent):
                    continue
                judge = after_retraction_answer if request.intent.retracts else after_answer
                after = judge(record, answer, now, settings)
                schedules[request.schedule_id] = after
                self.report.note(request.schedule_id, after, now, may_repeat=not answer.token_ended)

        for _, answer in outcomes:
            self._compare_clocks(answer.server_time, now)
        return self._amend(snapshot, settle)

    def _record_at_last(self, snapshot: Snapshot, outcomes: Sequence[tuple[Request, Answer]]) -> None:
        """Try several times to save answers: what is lost has to be looked up, by a run or by a person."""
        for attempt in range(1, LAST_SAVES + 1):
            self.ports.clock.back_off(attempt)
            try:
                self._record(snapshot, outcomes)
            except StateError as problem:
                if attempt == LAST_SAVES:
                    raise _unrecorded(outcomes, problem) from None
            else:
                return

    def _amend(self, snapshot: Snapshot, change: Callable[[dict[str, Record]], None]) -> Snapshot:
        """Save a change of some records; after a lost race, make it again on what is stored then."""
        for attempt in range(RACES):
            schedules = dict(snapshot.state.schedules)
            change(schedules)
            if schedules == snapshot.state.schedules:
                return snapshot
            state = msgspec.structs.replace(snapshot.state, schedules=schedules)
            try:
                saved = self._save(
                    state, snapshot, commit_messages.outcomes(snapshot.state.schedules, schedules)
                )
            except LostRace:
                self.ports.clock.back_off(min(attempt, 6))
                snapshot = self.ports.store.load()
                continue
            failpoint("outcome-saved")
            return saved
        raise StateError("other runners saved first each time; the next run looks the outcomes up")

    def _settle_jump(self, declared: Declarations) -> bool:
        """Ask a server which time is right where the wall clock was set; True where it is the new one.

        Until one answers nothing is saved or sent. Where none can be asked, the wall clock is believed, as
        at the beginning of a run.
        """
        clock = self.ports.clock
        jump = clock.jump()
        if not jump:
            return False
        has_server = self.ports.compares_clocks and any(
            TRANSPORTS[transport_of(channel)].has_clock for channel in declared.channels.values()
        )
        server_time = self.ports.server_time(declared.channels.values()) if has_server else None
        self.is_in_doubt = has_server and server_time is None
        if self.is_in_doubt:
            self._remark_clock(f"{_set(jump)}, and no server says which time is right")
            return False
        off = 0.0 if server_time is None else server_time - clock.moment()
        is_right = server_time is None or abs(off - jump) < abs(off)
        clock.follow(wall=is_right)
        self._clock_is_good_until, self._set_wrong = 0.0, None
        if not is_right:
            self._set_wrong = warning(
                "clock",
                Location.whole("."),
                f"{_set(jump)}; the server's clock says otherwise, so this run continues by the time before",
                "set the clock (ntp): the next run refuses to act by a wrong one",
            )
            self._remarks.append(self._set_wrong)
        return is_right

    def _check_clock(self, reconciled: Reconciled) -> None:
        """Compare the clock before anything is saved or sent: a wrong one makes everything seem missed.

        Where no server answers, the clock is trusted; the answers to requests are compared as well.
        """
        ports, declared = self.ports, reconciled.declared
        if not ports.compares_clocks or not reconciled.plan.changes or declared is None:
            return
        if ports.clock.monotonic() < self._clock_is_good_until:
            return
        self._compare_clocks(ports.server_time(declared.channels.values()), ports.clock.now())
        if not self._has_wrong_clock():
            self._clock_is_good_until = ports.clock.monotonic() + CLOCK_TRUST

    def _compare_clocks(self, server_time: Instant | None, now: Instant) -> None:
        """A wrong clock sends at the wrong time: report it, and send nothing more in this run."""
        if not self.ports.compares_clocks or server_time is None or self._has_wrong_clock():
            return
        problem = clock_problem(now, server_time)
        if problem is not None:
            self._remark_clock(problem)

    def _remark_clock(self, problem: str) -> None:
        hint = "set the clock (ntp); until then, nothing is sent"
        self._remarks.append(error("clock", Location.whole("."), problem, hint))

    def _has_wrong_clock(self) -> bool:
        return any(remark.code == "clock" and remark.is_error for remark in self._remarks)

    # --- asking -------------------------------------------------------------------------------------

    def _ask(self, snapshot: Snapshot, reconciled: Reconciled, asked: set[str]) -> bool:
        """Look up what is unknown and confirm what is due soon. True where something was looked up."""

        def intended(schedule_id: str, record: Record) -> Intent | None:
            return self._intent_now(snapshot.state, reconciled, schedule_id, record)

        self._give_time(reconciled.plan.next_due)
        answers = self._lookups.look_up_and_confirm(snapshot.state.schedules, reconciled, asked, intended)
        self._remarks += self._lookups.faults(reconciled)
        if answers.lookups or answers.readiness:
            failpoint("asked")
            now = self.ports.clock.now()
            for lookup in answers.lookups.values():
                self._compare_clocks(lookup.server_time, now)
            self._amend(snapshot, lambda schedules: answers.settle(schedules, now, self.report.note))
        return bool(answers.lookups)

    def _give_time(self, due: Instant | None, *, at_least: float = 0.0) -> None:
        """Bound what is asked next: a run that stays gives way to what falls due."""
        clock, seconds = self.ports.clock, QUESTIONS
        if due is not None and self.ports.tip is not None:
            seconds = min(seconds, due - clock.moment() - self.margin - 1.0)
        until = clock.monotonic() + max(seconds, at_least)
        self._lookups.time_left = lambda: max(0.0, until - clock.monotonic())

    def _look_back(self, observed: Observation, sends: Sequence[PlannedSend], asked: set[str]) -> bool:
        """Record what is late but was sent before. True where something was queried."""
        state, booked = observed.snapshot.state, observed.reconciled.booked

        def intended(send: PlannedSend) -> Intent:
            return self._intend(state, observed.reconciled, booked[send.schedule_id], send)[1].intent

        self._give_time(observed.reconciled.plan.next_due, at_least=SHORTLY)
        found = self._lookups.look_back(sends, observed.reconciled, asked, intended)
        self._remarks += self._lookups.faults(observed.reconciled)
        if found:
            now = self.ports.clock.now()
            schedules = state.schedules | {name: one.adopted(now) for name, one in found.items()}
            after = msgspec.structs.replace(state, schedules=schedules)
            self._save(after, observed.snapshot, commit_messages.outcomes(state.schedules, schedules))
            failpoint("sighting-saved")
            self._remarks += map(forgotten, found)
            for name in found:
                self.report.note(name, schedules[name], now)
        return found is not None

    def _intent_now(
        self, state: State, reconciled: Reconciled, schedule_id: str, record: Record
    ) -> Intent | None:
        """The intent that would be sent now; None where its channel is not declared."""
        declared = reconciled.declared
        channel = None if declared is None else declared.channels.get(record.channel_id)
        if declared is None or channel is None:
            return None
        return intent_of(
            schedule_id,
            record,
            channel,
            declared.settings,
            lineage=state.lineage,
            owner=self._owner,
            now=reconciled.plan.now,
            not_after=reconciled.plan.now,
            token=self.ports.surroundings().token_for(channel),
        )


def _mark(send: PlannedSend) -> str:
    """What a run remembers of a request that it has made."""
    return send.schedule_id if send.event_type is None else f"retract {send.schedule_id}"


def _intent_in(record: Record, *, retracts: bool) -> Intent | None:
    """The saved intent of its publication, or that of taking it back."""
    if not retracts:
        return record.intent
    return None if record.retraction is None else record.retraction.intent


def _is_awaited(record: Record, intent: Intent) -> bool:
    """Whether the record still waits for the answer to the request that this run made for it."""
    is_open = record.status == "executing" or (intent.retracts and record.status == "completed")
    return is_open and _intent_in(record, retracts=intent.retracts) == intent


def _unrecorded(outcomes: Sequence[tuple[Request, Answer]], problem: StateError) -> StateError:
    """The error after requests were sent and their answers could not be saved."""
    names = and_more([request.schedule_id for request, _ in outcomes], NAMED)
    return StateError(
        f"the answers for {names} are not recorded: {problem.message}",
        hint=_and_then("these were sent; the next run looks them up", problem.hint),
    )


def _set(jump: float) -> str:
    """That the machine's clock was set, by how much, and where to."""
    by = duration_text(max(1, round(abs(jump))))
    return f"this machine's clock was set {by} {'ahead' if jump > 0 else 'back'} during this run"


def _and_then(fact: str, hint: str | None) -> str:
    return fact if hint is None else f"{fact}; {hint}"
