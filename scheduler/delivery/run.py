"""One run: as many rounds as there is something to send, each decided from a fresh snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from scheduler.delivery import commit_messages
from scheduler.delivery.clock_skew import CLOCK_TRUST, clock_problem
from scheduler.delivery.dispatcher import Request
from scheduler.delivery.fan_out import exchange
from scheduler.delivery.lookups import Asking, forgotten
from scheduler.delivery.ports import Edge, Look
from scheduler.delivery.report import Report
from scheduler.delivery.routes import Ways
from scheduler.diagnostics import Diagnostic, Location, error
from scheduler.errors import LostRace, StateError
from scheduler.failpoints import boundary
from scheduler.planning.plan import PlannedSend
from scheduler.planning.rate_limit import Sent
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.state.answers import Answer
from scheduler.state.intent import intend, intend_again, intent_of, payload_of
from scheduler.state.outcomes import IN_FLIGHT, after_answer, after_nothing_left
from scheduler.state.record import Intent, Record, State
from scheduler.state.stores import Snapshot
from scheduler.times import Instant, read_utc

if TYPE_CHECKING:
    from scheduler.desired import Pace

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
        self._asking = Asking(self._ways)
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
        message = commit_messages.booking(booked, [request.schedule_id for request in requests])
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
            for answered in exchange(ways, self.edge.beside):
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
                saved = self._save(
                    state, snapshot, commit_messages.outcomes(snapshot.state.schedules, schedules)
                )
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

        def intended(schedule_id: str, record: Record) -> Intent | None:
            return self._intent_now(snapshot.state, reconciled, schedule_id, record)

        answers = self._asking.look_up_and_confirm(snapshot.state.schedules, reconciled, asked, intended)
        if answers.sightings or answers.readiness:
            boundary("asked")
            now = self.edge.clock.now()
            for sighting in answers.sightings.values():
                self._compare_clocks(sighting.server_time, now)
            self._amend(snapshot, lambda schedules: answers.settle(schedules, now, self.report.tell))
            self._remarks += answers.warnings(reconciled)
        return bool(answers.sightings)

    def _look_back(self, look: Look, sends: Sequence[PlannedSend], asked: set[str]) -> bool:
        """Record what is late and was sent before all the same. True where something was asked."""
        state, booked = look.snapshot.state, look.reconciled.booked

        def intended(send: PlannedSend) -> Intent:
            return self._intend(state, look.reconciled, booked[send.schedule_id], send)[1].intent

        found = self._asking.look_back(sends, look.reconciled, asked, intended)
        if found:
            now = self.edge.clock.now()
            schedules = state.schedules | {name: one.adopted(now) for name, one in found.items()}
            after = msgspec.structs.replace(state, schedules=schedules)
            self._save(after, look.snapshot, commit_messages.outcomes(state.schedules, schedules))
            boundary("sighting-saved")
            self._remarks += map(forgotten, found)
            for name in found:
                self.report.tell(name, schedules[name])
        return found is not None

    def _intent_now(
        self, state: State, reconciled: Reconciled, schedule_id: str, record: Record
    ) -> Intent | None:
        """The envelope that would be sent now; None where its channel is not declared."""
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
            token=self.edge.surroundings().token_for(channel),
        )


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
