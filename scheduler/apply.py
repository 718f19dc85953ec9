"""Carries a plan out: save the intent, send, save the outcome. All effects come in as arguments.

The order is the guarantee. What is due is taken from the very snapshot that the save compares against;
the intent is durable before its request leaves; one request is made for one saved intent; after any
lost save everything is read and decided again from the start.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from scheduler import audit
from scheduler.boundaries import boundary
from scheduler.declarations import Reader, declare
from scheduler.diagnostics import Diagnostic, Location, error, warning
from scheduler.dispatchers import Answer, Dispatcher, Readiness, Request, Sighting
from scheduler.envelope import intend, intend_again, intent_of, payload_of
from scheduler.errors import LostRace, StateError
from scheduler.outcomes import (
    IN_FLIGHT,
    LATE,
    after_answer,
    after_lookup,
    after_nothing_left,
    after_sighting,
)
from scheduler.pace import Sent
from scheduler.plan import Change, PlannedSend, Surroundings
from scheduler.reconciler import Reconciled, reconcile
from scheduler.rows import Result
from scheduler.sources import Source
from scheduler.state import Declared, Idle, Intent, Record, State, Status, advance
from scheduler.stores import Snapshot, Store
from scheduler.times import Instant, duration_text, instant_text, read_utc
from scheduler.ways import Ways

if TYPE_CHECKING:
    from scheduler.spec import Pace

A = TypeVar("A")

RACES = 60
"""How often a save may be lost before the run gives up; four writers were seen to need 33 at worst."""
LAST_SAVES = 6
"""How often the saving of outcomes is tried that the store would not take."""
NOW = 0.05
"""Seconds: what pace lets leave within this is sent at once."""
BATCH = 100
"""Requests of one intent commit: all of them are begun at once, so none of them begins late."""
NAMED = 5
"""Schedules that one sentence names."""
_SET_BACK = "look whether the state was set back: its history says by whom and from what"
CLOCK_TOLERANCE = 120
"""Seconds that this machine's clock and a server's may differ."""
CLOCK_TRUST = 600
"""Seconds for which a clock that was right is not compared anew before something is saved."""


class Waiter(Protocol):
    """The waiting that a run does; `scheduler.clock.Clock` is one, a simulation has another."""

    def now(self) -> Instant: ...
    def moment(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> bool: ...
    def sleep_until(self, moment: float) -> bool: ...
    def back_off(self, attempt: int) -> None: ...
    @property
    def is_ended(self) -> bool: ...


class Report(msgspec.Struct, kw_only=True):
    """What came of a run: results by schedule, the diagnostics of the last look, what was changed."""

    results: dict[str, Result]
    diagnostics: Sequence[Diagnostic]
    changes: list[Change]
    last: Reconciled | None = None
    saves: int = 0
    put_off: set[str] = msgspec.field(default_factory=set)
    """Schedules whose request will be made again by itself: no failure of this run."""
    waiting: set[str] = msgspec.field(default_factory=set)
    """Schedules that could not be sent, as of the last look."""

    @property
    def is_red(self) -> bool:
        """Something is wrong in what is declared, failed, is unknown, or could not be sent."""
        return any(fault.is_error for fault in self.diagnostics) or any(
            result.status == "failed" or (result.error is not None and result.schedule_id not in self.put_off)
            for result in self.results.values()
        )

    def tell(self, schedule_id: str, record: Record) -> None:
        """What this run made of a schedule."""
        self.put_off.discard(schedule_id)
        self.waiting.discard(schedule_id)
        if record.status == "pending":
            self.put_off.add(schedule_id)
        problem = record.error_message if record.status != "completed" else None
        self.results[schedule_id] = Result(schedule_id=schedule_id, status=record.status, error=problem)

    def tell_look(self, reconciled: Reconciled) -> None:
        """What was decided without a request: too late, no video, no token, or not known yet."""
        for schedule_id in self.waiting:
            self.results.pop(schedule_id, None)
        self.waiting.clear()
        for change in reconciled.plan.changes:
            if change.action in ("miss", "fail") and change.after is not None:
                self.tell(change.schedule_id, change.after)
        for waiting in reconciled.plan.waiting:
            self._wait(waiting.schedule_id, "pending", waiting.why)
        for schedule_id in reconciled.plan.unknown:
            problem = reconciled.booked[schedule_id].error_message
            if schedule_id not in self.results and reconciled.booked[schedule_id].status == "executing":
                why = f"its outcome is unknown: {problem or 'the runner stopped before the answer'}"
                self._wait(schedule_id, "executing", why)

    def tell_broken_ways(self, faults: Mapping[str, str]) -> None:
        """What is due and has no way out."""
        for schedule_id, fault in faults.items():
            self._wait(schedule_id, "pending", fault)

    def _wait(self, schedule_id: str, status: Status, why: str) -> None:
        self.waiting.add(schedule_id)
        self.put_off.discard(schedule_id)
        self.results[schedule_id] = Result(schedule_id=schedule_id, status=status, error=why)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of everything, and what was decided from it."""

    snapshot: Snapshot
    sources: Sequence[Source]
    reconciled: Reconciled
    begun: float
    """On the monotonic clock."""
    begun_at: float
    """On the wall clock."""


def _nobody_says() -> Instant | None:
    return None


def clock_problem(now: Instant, server_time: Instant) -> str | None:
    """How far a clock that says `now` is from a server's, in words; None where both may be right."""
    ahead = now - server_time
    if abs(ahead) <= CLOCK_TOLERANCE:
        return None
    side = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {duration_text(abs(ahead))} {side} the server's"


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


class Edge(msgspec.Struct, kw_only=True):
    """The world as a run sees it: everything that is not a pure function."""

    store: Store
    sources: Callable[[], Sequence[Source]]
    surroundings: Callable[[], Surroundings]
    dispatcher: Callable[[Intent], Dispatcher]
    """The way out for an intent; the same object for the same way."""
    clock: Waiter
    nonce: Callable[[], str]
    declared: Callable[[Sequence[Source], Declared | None], Declared]
    """Digest and commit of what is declared; the one given where nothing changed."""
    idle: Callable[[Reconciled], Idle | None]
    """What the next tick compares to know that there is nothing to do; None where it does not."""
    guard: Callable[[State], Sequence[Diagnostic]]
    """What must hold of a state before it is acted upon; raises where it does not."""
    compares_clocks: bool = False
    """Whether the servers' `Date` is held against the clock; a clock that was set by hand is not."""
    server_time: Callable[[], Instant | None] = _nobody_says
    """What a server's clock says now; None where none does."""
    declare: Reader = declare
    """How files are read; a simulation reads them once, and under settings of its own."""
    beside: Callable[[Callable[[], None]], None] = _in_a_thread
    """Does a piece of work beside others; in a simulation one comes after the other."""


class Runner:
    """One run: as many rounds as there is something to send, each decided from a fresh snapshot."""

    def __init__(self, edge: Edge, *, force: bool = False) -> None:
        self.edge = edge
        self.force = force
        self.report = Report(results={}, diagnostics=(), changes=[])
        self.margin = 1.0
        """Seconds ahead of an instant at which a round for it begins."""
        self._owner = edge.nonce()
        self._archive: Mapping[str, Record] = {}
        self._archive_mark: str | None = None
        """The version of the state with which the archive was read: another one may have archived since."""
        self._was_held_up = False
        self._remarks: list[Diagnostic] = []
        self._ways = Ways(edge.dispatcher)
        self._without_a_way: dict[str, str] = {}
        """What is due and cannot leave since its way out is broken, and why."""
        self._sent = Sent()
        self._clock_is_good_until = 0.0
        """On the monotonic clock."""

    # --- one reconciliation -----------------------------------------------------------------------

    def reconcile_once(self, at: Instant | None = None) -> Report:
        """Record, send what is due, record outcomes; then look up and confirm.

        `at` plans for an instant a moment ahead: intents are saved before it, requests leave at it.
        """
        attempted: set[str] = set()
        self._was_held_up = False
        self._remarks = []
        self._without_a_way = {}
        races = 0
        while True:
            try:
                finished = self._round(attempted, at)
            except LostRace:
                races += 1
                if races >= RACES:
                    raise
                self.edge.clock.back_off(min(races, 6))
                continue
            finally:
                if self.report.last is not None:
                    self.report.diagnostics = [*self.report.last.diagnostics, *self._remarks]
            if finished:
                return self.report

    def _round(self, attempted: set[str], at: Instant | None) -> bool:
        """One look, one intent commit, one batch. True when nothing is left to do now."""
        look = self.look(at)
        reconciled = look.reconciled
        self.report.last = reconciled
        if reconciled.declared is None:
            return True
        self._check_clock(reconciled)
        if self._has_wrong_clock():
            return True
        ready, wait = self._ready(reconciled.declared.settings.pace, reconciled.plan.sends, attempted)
        if self._look_back(look, ready, attempted):
            return False
        snapshot, requests = self._book(look, ready, attempted)
        self.report.tell_look(reconciled)
        self.report.tell_broken_ways(self._without_a_way)
        if requests:
            if self._send(snapshot, requests, at, look):
                attempted |= {request.schedule_id for request in requests}
            elif self._was_held_up:
                return True  # twice is enough: the next run may be on a machine that keeps up
            else:
                self._was_held_up = True  # all is decided again, in its order
            return self.edge.clock.is_ended or self._has_wrong_clock()
        if wait is not None:
            return not self.edge.clock.sleep(wait)
        if self._ask(snapshot, reconciled, attempted):
            return False
        if not reconciled.plan.changes and not reconciled.diagnostics and not self._remarks:
            self._leave_mark(snapshot, reconciled)
        return True

    def look(self, at: Instant | None = None) -> Look:
        """Read everything and decide, without doing anything."""
        begun, begun_at = self.edge.clock.monotonic(), self.edge.clock.moment()
        snapshot = self.edge.store.load()
        sources = self.edge.sources()
        remarks = self.edge.guard(snapshot.state)
        if snapshot.mark != self._archive_mark:
            self._archive = self.edge.store.load_archive()
            self._archive_mark = snapshot.mark
        reconciled = reconcile(
            sources,
            snapshot.state,
            self._archive,
            self.edge.clock.now() if at is None else max(at, self.edge.clock.now()),
            self.edge.surroundings(),
            force=self.force,
            declare=self.edge.declare,
        )
        if remarks:
            told = [*reconciled.diagnostics, *remarks]
            reconciled = msgspec.structs.replace(reconciled, diagnostics=told)
        return Look(snapshot=snapshot, sources=sources, reconciled=reconciled, begun=begun, begun_at=begun_at)

    def _ready(
        self, pace: Pace, sends: Sequence[PlannedSend], attempted: set[str]
    ) -> tuple[list[PlannedSend], float | None]:
        """What pace lets leave now; and where there is none, for how many seconds it must wait."""
        free = [s for s in sends if s.waits_for is None and s.schedule_id not in attempted]
        own = self._sent.waits(pace, (send.token for send in free), self.edge.clock.moment())
        waits = [max(send.offset_seconds, wait) for send, wait in zip(free, own, strict=True)]
        ready = [send for send, wait in zip(free, waits, strict=True) if wait <= NOW]
        return ready[:BATCH], min(waits, default=None)

    def _leave_mark(self, snapshot: Snapshot, reconciled: Reconciled) -> None:
        """Nothing was done and nothing is to be said: let the next tick know that at a glance."""
        wake = reconciled.plan.wake
        if wake is not None and wake <= reconciled.plan.now + 1:
            return  # something is under way: the next tick has to look anyway
        idle = self.edge.idle(reconciled)
        if idle is not None and idle != snapshot.state.idle:
            self.edge.store.save(msgspec.structs.replace(snapshot.state, idle=idle), snapshot, "")

    # --- booking ------------------------------------------------------------------------------------

    def _book(
        self, look: Look, batch: Sequence[PlannedSend], attempted: set[str]
    ) -> tuple[Snapshot, list[Request]]:
        """Save the plan's bookings together with the intents of what has a way out."""
        snapshot, reconciled = look.snapshot, look.reconciled
        schedules = dict(reconciled.booked)
        requests: list[Request] = []
        for send in batch:
            record, request = self._intend(snapshot.state, reconciled, schedules[send.schedule_id], send)
            fault = self._ways.fault_of(request.intent)
            if fault is None:
                schedules[send.schedule_id] = record
                requests.append(request)
            else:
                attempted.add(send.schedule_id)
                self._without_a_way[send.schedule_id] = fault
        archived: dict[str, dict[str, Record]] = {}
        for change in reconciled.plan.changes:
            if change.action == "archive" and change.before is not None:
                month = change.before.scheduled_at[:7]
                archived.setdefault(month, {})[change.schedule_id] = change.before
        declared = self.edge.declared(look.sources, snapshot.state.declared)
        state = msgspec.structs.replace(snapshot.state, schedules=schedules, declared=declared)
        if state.schedules == snapshot.state.schedules and declared == snapshot.state.declared:
            return snapshot, requests
        booked = [c for c in reconciled.plan.changes if c.action not in ("send", "lookup", "confirm")]
        message = audit.booking(booked, [request.schedule_id for request in requests])
        try:
            saved = self._save(state, snapshot, message, archived)
        except LostRace:
            raise
        except StateError as problem:
            raise StateError(str(problem), hint=_and_then("nothing was sent", problem.hint)) from None
        self.report.changes += booked
        boundary("intent-saved")
        return saved, requests

    def _intend(
        self, state: State, reconciled: Reconciled, record: Record, send: PlannedSend
    ) -> tuple[Record, Request]:
        """The record with its intent, and the request that it stands for."""
        declared, now = reconciled.declared, reconciled.plan.now
        assert declared is not None, "nothing is sent while the settings cannot be read"
        if record.status == "executing":
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
            after = intend(record, intent, now=now, due=record.at if send.due is None else send.due)
        saved = after.intent
        assert saved is not None, "it was given one just now"
        payload = payload_of(send.schedule_id, after, saved.key, saved.not_after)
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
            saved = self.edge.store.save_with_archive(state, dict(archived), snapshot, message)
        else:
            saved = self.edge.store.save(state, snapshot, message)
            if self._archive_mark == snapshot.mark:  # our own save: the archive is as it was
                self._archive_mark = saved.mark
        self.report.saves += 1
        return saved

    # --- sending ------------------------------------------------------------------------------------

    def _send(self, snapshot: Snapshot, requests: Sequence[Request], at: Instant | None, look: Look) -> bool:
        """Send what was intended, and save the outcomes as they come; False where it was too late."""
        ways = self._ways.group((request, request.intent) for request in requests)
        if at is not None and at > self.edge.clock.moment():
            for way, some in ways:
                way.prepare(some)
            self.edge.clock.sleep_until(float(at))
        why = self._too_late(requests, look)
        if why is not None:
            self._release(snapshot, requests, why)
            return False
        boundary("before-send")
        for request in requests:
            self._sent.note(request.intent.token, self.edge.clock.moment())
        unsaved: list[tuple[Request, Answer]] = []
        try:
            for answered in _exchange(ways, self.edge.beside):
                unsaved += answered
                try:
                    snapshot = self._record(snapshot, unsaved)
                    unsaved = []
                except StateError:
                    continue  # the others' answers may still be saved, and these with them
        finally:
            if unsaved:
                self._record_at_last(snapshot, unsaved)
        return True

    def _too_late(self, requests: Sequence[Request], look: Look) -> str | None:
        """Why nothing may leave any more, though the intents are saved."""
        clock = self.edge.clock
        if clock.is_ended:
            return "this run was asked to end before it was sent"
        held_up = "this run was held up before it could send"
        # A wall clock may be set, and a monotonic one stands still while a machine sleeps.
        passed = max(clock.monotonic() - look.begun, clock.moment() - look.begun_at)
        if passed > IN_FLIGHT / 2:  # another runner may soon take over
            return held_up
        if clock.now() > min(read_utc(request.intent.not_after) for request in requests):
            return held_up
        return None

    def _release(self, snapshot: Snapshot, requests: Sequence[Request], why: str) -> None:
        """Take intents back for which no request was made."""
        now = self.edge.clock.now()

        def settle(schedules: dict[str, Record]) -> None:
            for request in requests:
                record = schedules.get(request.schedule_id)
                if record is not None and record.status == "executing" and record.intent == request.intent:
                    schedules[request.schedule_id] = after_nothing_left(record, why, now)

        self._amend(snapshot, settle)

    def _record(self, snapshot: Snapshot, outcomes: Sequence[tuple[Request, Answer]]) -> Snapshot:
        """Save outcomes, each only where the record still has our own intent."""
        last = self.report.last
        assert last is not None and last.declared is not None, "outcomes follow a look"
        settings = last.declared.settings
        now = self.edge.clock.now()

        def settle(schedules: dict[str, Record]) -> None:
            for request, answer in outcomes:
                record = schedules.get(request.schedule_id)
                if record is None or record.status != "executing" or record.intent != request.intent:
                    continue
                after = after_answer(record, answer, now, settings)
                schedules[request.schedule_id] = after
                self.report.tell(request.schedule_id, after)

        for _, answer in outcomes:
            self._compare_clocks(answer.server_time, now)
        return self._amend(snapshot, settle)

    def _record_at_last(self, snapshot: Snapshot, outcomes: Sequence[tuple[Request, Answer]]) -> None:
        """Try hard to save what is known: what is not saved has to be looked up later, or by a person."""
        for attempt in range(1, LAST_SAVES + 1):
            self.edge.clock.back_off(attempt)
            try:
                self._record(snapshot, outcomes)
            except StateError as problem:
                if attempt == LAST_SAVES:
                    raise _unrecorded(outcomes, problem) from None
            else:
                return

    def _amend(self, snapshot: Snapshot, change: Callable[[dict[str, Record]], None]) -> Snapshot:
        """Save a change of some records; after a lost race it is made again on what is stored then."""
        for attempt in range(RACES):
            schedules = dict(snapshot.state.schedules)
            change(schedules)
            if schedules == snapshot.state.schedules:
                return snapshot
            state = msgspec.structs.replace(snapshot.state, schedules=schedules)
            try:
                saved = self._save(state, snapshot, audit.outcomes(snapshot.state.schedules, schedules))
            except LostRace:
                self.edge.clock.back_off(min(attempt, 6))
                snapshot = self.edge.store.load()
                continue
            boundary("outcome-saved")
            return saved
        raise StateError("other runners saved first each time; the next run will look the outcomes up")

    def _check_clock(self, reconciled: Reconciled) -> None:
        """Ask for the time before anything is saved or sent: by a wrong clock, all would seem missed.

        Where nobody answers, the clock is taken as it is; the answers to what is sent are compared too.
        """
        edge, declared = self.edge, reconciled.declared
        if not edge.compares_clocks or not reconciled.plan.changes or declared is None:
            return
        if all(channel.repository is None for channel in declared.channels.values()):
            return
        if edge.clock.monotonic() < self._clock_is_good_until:
            return
        self._compare_clocks(edge.server_time(), edge.clock.now())
        if not self._has_wrong_clock():
            self._clock_is_good_until = edge.clock.monotonic() + CLOCK_TRUST

    def _compare_clocks(self, server_time: Instant | None, now: Instant) -> None:
        """A clock that is wrong sends at the wrong time: say so, and do no more in this run."""
        if not self.edge.compares_clocks or server_time is None or self._has_wrong_clock():
            return
        problem = clock_problem(now, server_time)
        if problem is not None:
            self._remarks.append(
                error(
                    "clock", Location.whole("."), problem, "set the clock (ntp); nothing is sent until then"
                )
            )

    def _has_wrong_clock(self) -> bool:
        return any(remark.code == "clock" for remark in self._remarks)

    # --- asking -------------------------------------------------------------------------------------

    def _ask(self, snapshot: Snapshot, reconciled: Reconciled, asked: set[str]) -> bool:
        """Look up what is unknown and confirm what is near. True where something was looked up."""
        wanted: dict[str, dict[str, Intent]] = {"lookup": {}, "confirm": {}}
        for change in reconciled.plan.changes:
            mark = f"{change.action} {change.schedule_id}"
            if change.action in wanted and mark not in asked and change.before is not None:
                asked.add(mark)
                intent = self._intent_for(reconciled, snapshot, change)
                if intent is not None:
                    wanted[change.action][change.schedule_id] = intent
        run_ids = _known_runs(snapshot.state.schedules, wanted["lookup"])
        sightings = self._ask_all(
            wanted["lookup"],
            lambda way, some: way.look_up(some, run_ids),
            lambda fault: Sighting(error=fault),
        )
        readiness = self._ask_all(
            wanted["confirm"],
            lambda way, some: way.ask_ready(some),
            lambda fault: Readiness(ready=False, problem=fault),
        )
        if sightings or readiness:
            boundary("asked")
            self._settle(snapshot, sightings, readiness)
            self._warn(reconciled, readiness)
        return bool(sightings)

    def _look_back(self, look: Look, sends: Sequence[PlannedSend], asked: set[str]) -> bool:
        """Look first whether what is late was sent before. True where something was asked.

        A state branch that somebody set back forgets what was sent, and a fresh clone has nothing to hold
        it against; the channel's runs remember. An answer that does not come keeps nothing back: the
        token may not be allowed to read runs, and a late publication must not wait for that.
        """
        snapshot, reconciled = look.snapshot, look.reconciled
        dues: dict[str, Instant] = {}
        intents: dict[str, Intent] = {}
        for send in sends:
            record, mark = reconciled.booked[send.schedule_id], f"before {send.schedule_id}"
            due = record.at if send.due is None else send.due
            if mark in asked or record.status == "executing" or reconciled.plan.now - due <= LATE:
                continue
            intent = self._intend(snapshot.state, reconciled, record, send)[1].intent
            if intent.transport != "queue":
                asked.add(mark)
                dues[send.schedule_id] = due
                intents[send.schedule_id] = msgspec.structs.replace(intent, at=instant_text(due))
        sightings = self._ask_all(
            intents, lambda way, some: way.look_up(some), lambda fault: Sighting(error=fault)
        )
        found = {name: sighting for name, sighting in sightings.items() if sighting.runs}
        if found:
            self._adopt(look, found, intents, dues)
        return bool(intents)

    def _adopt(
        self,
        look: Look,
        found: Mapping[str, Sighting],
        intents: Mapping[str, Intent],
        dues: Mapping[str, Instant],
    ) -> None:
        """Record what was sent before, and say that the record had forgotten it."""
        now, state = self.edge.clock.now(), look.snapshot.state
        schedules = dict(state.schedules)
        for name, sighting in found.items():
            record = look.reconciled.booked[name]
            schedules[name] = after_sighting(record, intents[name], sighting, dues[name], now)
            words = f"{name} was sent before, and the record did not know: its channel has a run with its key"
            self._remarks.append(error("forgotten", Location.whole("."), words, _SET_BACK))
        after = msgspec.structs.replace(state, schedules=schedules)
        self._save(after, look.snapshot, audit.outcomes(state.schedules, schedules))
        boundary("sighting-saved")
        for name in found:
            self.report.tell(name, schedules[name])

    def _settle(
        self, snapshot: Snapshot, sightings: Mapping[str, Sighting], readiness: Mapping[str, Readiness]
    ) -> None:
        """Save what was learnt, each only where the record is as it was when it was asked about."""
        now = self.edge.clock.now()
        asked_about = snapshot.state.schedules

        def settle(schedules: dict[str, Record]) -> None:
            for schedule_id, sighting in sightings.items():
                record = schedules.get(schedule_id)
                if record is None or record.intent != asked_about[schedule_id].intent:
                    continue
                if record.status in ("executing", "failed"):  # another runner may have settled it meanwhile
                    after = schedules[schedule_id] = after_lookup(record, sighting, now)
                    if after.status != record.status:
                        self.report.tell(schedule_id, after)
            for schedule_id, answer in readiness.items():
                record = schedules.get(schedule_id)
                if record is not None and record.status == "pending":
                    schedules[schedule_id] = _after_asking(record, answer, now)

        for sighting in sightings.values():
            self._compare_clocks(sighting.server_time, now)
        self._amend(snapshot, settle)

    def _warn(self, reconciled: Reconciled, readiness: Mapping[str, Readiness]) -> None:
        """Tell a day ahead what cannot be confirmed, once a channel."""
        told: set[tuple[str, str]] = set()
        declared = reconciled.declared
        for schedule_id, answer in readiness.items():
            record = reconciled.booked[schedule_id]
            problem = _unready(record, answer)
            if problem is None or declared is None or (record.channel_id, problem) in told:
                continue
            told.add((record.channel_id, problem))
            where = declared.place(declared.files["channel", record.channel_id])
            words = f"{schedule_id} falls due within 24 h and is not ready: {problem}"
            self._remarks.append(warning("unreachable", where, words, answer.hint))

    def _intent_for(self, reconciled: Reconciled, snapshot: Snapshot, change: Change) -> Intent | None:
        """The envelope to ask about: the recorded one, or the one that would be sent now."""
        record = change.before
        assert record is not None, "only what is recorded is asked about"
        if change.action == "lookup":
            intent = record.intent
            if intent is None or record.executed_at is None:
                return intent
            # The runs of all attempts carry the key: the search begins with the first of them.
            return msgspec.structs.replace(intent, at=min(intent.at, record.executed_at))
        declared = reconciled.declared
        channel = None if declared is None else declared.channels.get(record.channel_id)
        if declared is None or channel is None:
            return None
        return intent_of(
            change.schedule_id,
            record,
            channel,
            declared.settings,
            lineage=snapshot.state.lineage,
            owner=self._owner,
            now=reconciled.plan.now,
            not_after=reconciled.plan.now,
            token=self.edge.surroundings().token_for(channel),
        )

    def _ask_all(
        self,
        intents: Mapping[str, Intent],
        ask: Callable[[Dispatcher, Mapping[str, Intent]], Mapping[str, A]],
        broken: Callable[[str], A],
    ) -> dict[str, A]:
        """Ask each way for all that go there; for those whose way is broken, `broken` makes an answer."""
        faults = {i: fault for i, intent in intents.items() if (fault := self._ways.fault_of(intent))}
        answers = {schedule_id: broken(fault) for schedule_id, fault in faults.items()}
        open_ones = ((i, intent) for i, intent in intents.items() if i not in faults)
        for way, ids in self._ways.group(open_ones):
            answers |= ask(way, {schedule_id: intents[schedule_id] for schedule_id in ids})
        return answers


Arrival = tuple[Request, Answer] | BaseException | None


def _exchange(
    ways: Sequence[tuple[Dispatcher, list[Request]]], beside: Callable[[Callable[[], None]], None]
) -> Iterator[list[tuple[Request, Answer]]]:
    """Send over all ways at once; what has been answered meanwhile comes together.

    A fault in one way leaves its other requests unknown; it is raised once all ways are through.
    """
    arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
    for way, some in ways:
        beside(partial(_send_all, way, some, arrivals))
    working, fault = len(ways), None
    while working:
        arrived = [arrivals.get()]
        while not arrivals.empty():
            arrived.append(arrivals.get())
        boundary("answered")
        working -= sum(item is None for item in arrived)
        fault = next((item for item in arrived if isinstance(item, BaseException)), fault)
        answered = [item for item in arrived if isinstance(item, tuple)]
        if answered:
            yield answered
    if fault is not None:
        raise fault


def _send_all(way: Dispatcher, requests: Sequence[Request], arrivals: queue.SimpleQueue[Arrival]) -> None:
    """Pass one dispatcher's answers on, then whatever broke it, then None."""
    try:
        for answered in way.send(requests):
            arrivals.put(answered)
    except BaseException as fault:  # noqa: BLE001 - it is raised again in the run's own thread
        arrivals.put(fault)
    finally:
        arrivals.put(None)


def _unrecorded(outcomes: Sequence[tuple[Request, Answer]], problem: StateError) -> StateError:
    """Requests left, and their answers are not in the record: it must not sound as if nothing happened."""
    names = ", ".join(request.schedule_id for request, _ in outcomes[:NAMED])
    more = f" and {len(outcomes) - NAMED:,} more" if len(outcomes) > NAMED else ""
    return StateError(
        f"what was answered is not recorded ({names}{more}): {problem}",
        hint=_and_then("these were sent, and the next run looks them up", problem.hint),
    )


def _and_then(fact: str, hint: str | None) -> str:
    return fact if hint is None else f"{fact}; {hint}"


def _known_runs(records: Mapping[str, Record], wanted: Mapping[str, Intent]) -> dict[str, int]:
    """The runs that can be asked for themselves. After a repository_dispatch there may be a second one."""
    return {
        schedule_id: run_id
        for schedule_id, intent in wanted.items()
        if intent.transport != "repository_dispatch"
        and schedule_id in records
        and (run_id := records[schedule_id].run_id) is not None
    }


def _after_asking(record: Record, answer: Readiness, now: Instant) -> Record:
    """`scheduled` means confirmed; what is not keeps its reason and is asked again."""
    checked = {"checked_at": instant_text(now)}
    problem = _unready(record, answer)
    if problem is None:
        return advance(record, "scheduled", now, "its channel is ready", unconfirmed=None, **checked)
    return msgspec.structs.replace(record, unconfirmed=problem, **checked)


def _unready(record: Record, answer: Readiness) -> str | None:
    """Why a schedule cannot be confirmed; None where it can."""
    if not answer.ready:
        return answer.problem or "its channel is not ready"
    return "no video is assigned" if record.video_id is None else None
