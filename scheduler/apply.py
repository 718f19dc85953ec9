"""Carries a plan out: save the intent, send, save the outcome. All effects come in as arguments.

The order is the guarantee. What is due is taken from the very snapshot that the save compares against;
the intent is durable before its request leaves; one request is made for one saved intent; after any
lost save everything is read and decided again from the start.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from scheduler import audit
from scheduler.boundaries import boundary
from scheduler.diagnostics import Diagnostic
from scheduler.dispatchers import Answer, Dispatcher, Readiness, Request, Sighting
from scheduler.envelope import intent_of, payload_of
from scheduler.errors import LostRace, StateError
from scheduler.outcomes import IN_FLIGHT, after_answer, after_lookup
from scheduler.plan import Change, PlannedSend, Surroundings
from scheduler.reconciler import Reconciled, reconcile
from scheduler.rows import Result
from scheduler.sources import Source
from scheduler.state import Declared, Idle, Intent, Record, State, advance
from scheduler.stores import Snapshot, Store
from scheduler.times import Instant, instant_text

A = TypeVar("A")

RACES = 60
"""How often a save may be lost before the run gives up; four writers were seen to need 33 at worst."""
NOW = 0.05
"""Seconds: what pace lets leave within this is sent at once."""


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


def is_red(result: Result) -> bool:
    """It failed, its outcome is unknown, or it could not be sent."""
    return result.status == "failed" or (result.error is not None and not result.error.startswith(NOT_NOW))


NOT_NOW = "not now: "
"""How the error of a request begins that will be made again: no failure of this run."""


class Report(msgspec.Struct, kw_only=True):
    """What came of a run: results by schedule, the diagnostics of the last look, what was changed."""

    results: dict[str, Result]
    diagnostics: Sequence[Diagnostic]
    changes: list[Change]
    last: Reconciled | None = None
    saves: int = 0

    @property
    def is_red(self) -> bool:
        return any(fault.is_error for fault in self.diagnostics) or any(
            is_red(result) for result in self.results.values()
        )


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of everything, and what was decided from it."""

    snapshot: Snapshot
    sources: Sequence[Source]
    reconciled: Reconciled


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


class Runner:
    """One run: as many rounds as there is something to send, each decided from a fresh snapshot."""

    def __init__(self, edge: Edge, *, force: bool = False) -> None:
        self.edge = edge
        self.force = force
        self.report = Report(results={}, diagnostics=(), changes=[])
        self.margin = 1.0
        """Seconds ahead of an instant at which a round for it begins."""
        self._owner = edge.nonce()
        self._archive: dict[str, Record] | None = None

    # --- one reconciliation -----------------------------------------------------------------------

    def reconcile_once(self, at: Instant | None = None) -> Report:
        """Record, send what is due, record outcomes; then look up and confirm.

        `at` plans for an instant a moment ahead: intents are saved before it, requests leave at it.
        """
        attempted: set[str] = set()
        races = 0
        while True:
            try:
                finished = self._round(attempted, at)
            except LostRace:
                races += 1
                if races >= RACES:
                    raise
                self._archive = None
                self.edge.clock.back_off(min(races, 6))
                continue
            if finished:
                return self.report

    def _round(self, attempted: set[str], at: Instant | None) -> bool:
        """One look, one intent commit, one batch. True when nothing is left to do now."""
        look = self.look(at)
        reconciled = look.reconciled
        self.report.diagnostics = reconciled.diagnostics
        self.report.last = reconciled
        if reconciled.declared is None:
            return True
        batch = self._batch(reconciled.plan.sends, attempted)
        self._note_results(reconciled)
        snapshot, requests = self._book(look, batch)
        if requests:
            attempted |= {request.schedule_id for request in requests}
            self._send(snapshot, requests, at)
            return self.edge.clock.is_ended
        rest = [send for send in reconciled.plan.sends if send.schedule_id not in attempted]
        pace = min((s.offset_seconds for s in rest if s.waits_for is None), default=None)
        if pace is not None:
            return not self.edge.clock.sleep(pace)
        if self._ask(snapshot, reconciled, attempted):
            return False
        if not reconciled.plan.changes and not reconciled.diagnostics:
            self._leave_mark(snapshot, reconciled)
        return True

    def _leave_mark(self, snapshot: Snapshot, reconciled: Reconciled) -> None:
        """Nothing was done and nothing is to be said: let the next tick know that at a glance."""
        idle = self.edge.idle(reconciled)
        if idle is not None and idle != snapshot.state.idle:
            self.edge.store.save(msgspec.structs.replace(snapshot.state, idle=idle), snapshot, "")

    def look(self, at: Instant | None = None) -> Look:
        """Read everything and decide, without doing anything."""
        snapshot = self.edge.store.load()
        remarks = self.edge.guard(snapshot.state)
        if self._archive is None:
            self._archive = self.edge.store.load_archive()
        sources = self.edge.sources()
        reconciled = reconcile(
            sources,
            snapshot.state,
            self._archive,
            self.edge.clock.now() if at is None else max(at, self.edge.clock.now()),
            self.edge.surroundings(),
            force=self.force,
        )
        if remarks:
            told = [*reconciled.diagnostics, *remarks]
            reconciled = msgspec.structs.replace(reconciled, diagnostics=told)
        return Look(snapshot=snapshot, sources=sources, reconciled=reconciled)

    def _batch(self, sends: Sequence[PlannedSend], attempted: set[str]) -> list[PlannedSend]:
        return [
            send
            for send in sends
            if send.offset_seconds <= NOW and send.waits_for is None and send.schedule_id not in attempted
        ]

    def _note_results(self, reconciled: Reconciled) -> None:
        for change in reconciled.plan.changes:
            if change.action in ("miss", "fail") and change.after is not None:
                self._result(change.schedule_id, change.after)
        for waiting in reconciled.plan.waiting:
            self.report.results[waiting.schedule_id] = Result(
                schedule_id=waiting.schedule_id, status="pending", error=waiting.why
            )

    def _result(self, schedule_id: str, record: Record) -> None:
        error = record.error_message if record.status != "completed" else None
        if record.status == "pending" and error is not None:
            error = f"{NOT_NOW}{error}"
        self.report.results[schedule_id] = Result(schedule_id=schedule_id, status=record.status, error=error)

    # --- booking ------------------------------------------------------------------------------------

    def _book(self, look: Look, batch: Sequence[PlannedSend]) -> tuple[Snapshot, list[Request]]:
        """Save the plan's bookings together with the intents of the batch."""
        snapshot, reconciled = look.snapshot, look.reconciled
        schedules = dict(reconciled.booked)
        requests: list[Request] = []
        for send in batch:
            record, request = self._intend(snapshot.state, reconciled, schedules[send.schedule_id], send)
            schedules[send.schedule_id] = record
            requests.append(request)
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
        saved = self._save(state, snapshot, message, archived)
        self.report.changes += booked
        boundary("intent-saved")
        return saved, requests

    def _intend(
        self, state: State, reconciled: Reconciled, record: Record, send: PlannedSend
    ) -> tuple[Record, Request]:
        declared = reconciled.declared
        now = reconciled.plan.now
        if record.status == "executing" and record.intent is not None:  # at-least-once, once more
            intent = msgspec.structs.replace(record.intent, owner=self._owner, at=instant_text(now))
            after = msgspec.structs.replace(
                record, intent=intent, attempts=record.attempts + 1, next_attempt_at=None, not_found_at=None
            )
        else:
            assert declared is not None, "nothing is sent while the settings cannot be read"
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
            late = max(0, now - self._due_at(reconciled, record))
            after = advance(
                record,
                "executing",
                now,
                f"attempt {record.attempts + 1}",
                intent=intent,
                attempts=record.attempts + 1,
                executed_at=instant_text(now),
                lateness_seconds=late,
                error_message=None,
                next_attempt_at=None,
                limited=False,
                accepted_at=None,
                checked_at=None,
                not_found_at=None,
                unconfirmed=None,
            )
        payload = payload_of(send.schedule_id, after, intent.key, intent.not_after)
        return after, Request(schedule_id=send.schedule_id, intent=intent, payload=payload)

    def _due_at(self, reconciled: Reconciled, record: Record) -> Instant:
        channel = reconciled.declared.channels.get(record.channel_id) if reconciled.declared else None
        return record.at - (channel.lead if channel is not None else 0)

    def _save(
        self,
        state: State,
        snapshot: Snapshot,
        message: str,
        archived: Mapping[str, dict[str, Record]] | None = None,
    ) -> Snapshot:
        state = msgspec.structs.replace(state, serial=snapshot.state.serial + 1, idle=None)
        if archived:
            self._archive = None
            saved = self.edge.store.save_with_archive(state, dict(archived), snapshot, message)
        else:
            saved = self.edge.store.save(state, snapshot, message)
        self.report.saves += 1
        return saved

    # --- sending ------------------------------------------------------------------------------------

    def _send(self, snapshot: Snapshot, requests: Sequence[Request], at: Instant | None) -> None:
        """Send what was intended, and save the outcomes as they come."""
        clock = self.edge.clock
        deadline = clock.monotonic() + IN_FLIGHT / 2
        ways = self._ways(requests)
        if at is not None and at > clock.moment():
            for way, some in ways:
                way.prepare(some)
            clock.sleep_until(float(at))
        answers: queue.SimpleQueue[tuple[Request, Answer] | BaseException | None] = queue.SimpleQueue()
        if clock.monotonic() > deadline:  # held up for so long that another runner may take over
            late = Answer(verdict="not-now", error="this run was held up before it could send")
            self._record(snapshot, [(request, late) for request in requests])
            return
        boundary("before-send")
        for way, some in ways:
            threading.Thread(target=_send_all, args=(way, some, answers), daemon=True).start()
        working, fault = len(ways), None
        while working:
            arrived = [answers.get()]
            while not answers.empty():
                arrived.append(answers.get())
            boundary("answered")
            working -= sum(item is None for item in arrived)
            fault = next((item for item in arrived if isinstance(item, BaseException)), fault)
            outcomes = [item for item in arrived if isinstance(item, tuple)]
            if outcomes:
                snapshot = self._record(snapshot, outcomes)
        if fault is not None:
            raise fault

    def _ways(self, requests: Sequence[Request]) -> list[tuple[Dispatcher, list[Request]]]:
        ways: dict[int, tuple[Dispatcher, list[Request]]] = {}
        for request in requests:
            way = self.edge.dispatcher(request.intent)
            ways.setdefault(id(way), (way, []))[1].append(request)
        return list(ways.values())

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
                self._result(request.schedule_id, after)

        return self._amend(snapshot, settle)

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

    # --- asking -------------------------------------------------------------------------------------

    def _ask(self, snapshot: Snapshot, reconciled: Reconciled, asked: set[str]) -> bool:
        """Look up what is unknown and confirm what is near. True where something changed by it."""
        wanted: dict[str, dict[str, Intent]] = {"lookup": {}, "confirm": {}}
        for change in reconciled.plan.changes:
            mark = f"{change.action} {change.schedule_id}"
            if change.action in wanted and mark not in asked and change.before is not None:
                asked.add(mark)
                intent = self._intent_for(reconciled, snapshot, change)
                if intent is not None:
                    wanted[change.action][change.schedule_id] = intent
        known = snapshot.state.schedules
        run_ids = {i: run_id for i in wanted["lookup"] if i in known and (run_id := known[i].run_id)}
        sightings = self._ask_all(wanted["lookup"], lambda way, some: way.look_up(some, run_ids))
        readiness = self._ask_all(wanted["confirm"], lambda way, some: way.ask_ready(some))
        if not sightings and not readiness:
            return False
        now = self.edge.clock.now()

        def settle(schedules: dict[str, Record]) -> None:
            for schedule_id, sighting in sightings.items():
                record = schedules.get(schedule_id)
                if record is None or record.intent != wanted["lookup"][schedule_id]:
                    continue
                if record.status in ("executing", "failed"):  # another runner may have settled it meanwhile
                    self._settle_sighting(schedules, schedule_id, record, sighting, now)
            for schedule_id, answer in readiness.items():
                record = schedules.get(schedule_id)
                if record is not None and record.status == "pending":
                    schedules[schedule_id] = _after_asking(record, answer, now)

        self._amend(snapshot, settle)
        return bool(sightings)

    def _settle_sighting(
        self, schedules: dict[str, Record], schedule_id: str, record: Record, sighting: Sighting, now: Instant
    ) -> None:
        after = after_lookup(record, sighting, now)
        schedules[schedule_id] = after
        if after.status != record.status:
            self._result(schedule_id, after)

    def _intent_for(self, reconciled: Reconciled, snapshot: Snapshot, change: Change) -> Intent | None:
        record = change.before
        assert record is not None, "only what is recorded is asked about"
        if change.action == "lookup":
            return record.intent
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
    ) -> dict[str, A]:
        ways: dict[int, tuple[Dispatcher, dict[str, Intent]]] = {}
        for schedule_id, intent in intents.items():
            way = self.edge.dispatcher(intent)
            ways.setdefault(id(way), (way, {}))[1][schedule_id] = intent
        answers: dict[str, A] = {}
        for way, some in ways.values():
            answers |= ask(way, some)
        return answers


def _send_all(
    way: Dispatcher,
    requests: Sequence[Request],
    answers: queue.SimpleQueue[tuple[Request, Answer] | BaseException | None],
) -> None:
    """Pass one dispatcher's answers on; a fault in it leaves the rest unknown, and is told."""
    try:
        for answered in way.send(requests):
            answers.put(answered)
    except BaseException as fault:  # noqa: BLE001 - it is raised again in the run's own thread
        answers.put(fault)
    finally:
        answers.put(None)


def _after_asking(record: Record, answer: Readiness, now: Instant) -> Record:
    """`scheduled` means confirmed; what is not keeps its reason and is asked again."""
    checked = {"checked_at": instant_text(now)}
    problem = answer.problem if not answer.ready else None
    if problem is None and record.video_id is None:
        problem = "no video is assigned"
    if problem is None:
        return advance(record, "scheduled", now, "its channel is ready", unconfirmed=None, **checked)
    return msgspec.structs.replace(record, unconfirmed=problem, **checked)
