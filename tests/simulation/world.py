"""The world of `scheduler.simulation`, with runners in it that are stopped and killed between two effects.

Each part adds the points at which that may happen, the faults, and the rules that every save and every
request is held against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import msgspec
from greenlet import getcurrent, greenlet

import scheduler.simulation.world as plain
from scheduler.dispatchers import Answer, Readiness, Request, Sighting
from scheduler.errors import LostRace, StateError
from scheduler.state import Intent, Record, State
from scheduler.stores import Snapshot
from scheduler.times import read_utc

if TYPE_CHECKING:
    from collections.abc import Callable

RANK = {"pending": 0, "scheduled": 1, "executing": 2, "failed": 3, "cancelled": 3, "completed": 4}


class Killed(BaseException):
    """The process is gone; nothing that it does from here on has any effect."""


class Violation(AssertionError):
    """An invariant does not hold."""


class Process:
    """One runner, stopped at points between its effects."""

    def __init__(self, world: World, name: str, skew: float, work: Callable[[Process], None]) -> None:
        self.world = world
        self.name = name
        self.skew = skew
        self.killed = False
        self.wake = 0.0
        self.fault: BaseException | None = None
        self.saw_declared = 0
        self._greenlet = greenlet(lambda: self._live(work))

    def _live(self, work: Callable[[Process], None]) -> None:
        try:
            work(self)
        except Killed:
            pass
        except (StateError, LostRace) as fault:
            self.fault = fault

    @property
    def is_alive(self) -> bool:
        return not self._greenlet.dead

    @property
    def is_asleep(self) -> bool:
        return self.wake > self.world.now

    def step(self) -> None:
        """Let it go on to its next point."""
        self._greenlet.switch()

    def kill(self) -> None:
        self.killed = True
        while self.is_alive:
            self.step()

    def point(self, name: str) -> None:
        """A place between two effects."""
        self.world.trace.append(f"{self.world.now:.0f} {self.name} {name}")
        hub = self._greenlet.parent
        if getcurrent() is self._greenlet and hub is not None:
            hub.switch()
        if self.killed:
            raise Killed


@dataclass
class Effect:
    """One request that arrived at a channel."""

    key: str
    intended: str
    """When its intent was saved."""
    schedule_id: str
    at: float
    accepted: bool
    process: str
    delivery: str
    declared: int


@dataclass(kw_only=True)
class World(plain.World):
    """Everything outside the runners."""

    random: Random
    sources: list[Mapping[str, bytes]]
    """Every version of what was declared; the last one is in force."""
    trace: list[str] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    """Keys that a channel's workflow has claimed: what a guarded receiver published."""
    published: Counter[str] = field(default_factory=Counter)
    faulty: bool = True
    intents: set[tuple[str, str]] = field(default_factory=set)
    """(key, instant) of every intent that was ever saved."""
    doubts: set[str] = field(default_factory=set)
    """Keys for which a save said that the outcome of an earlier request is unknown."""

    # --- the record -----------------------------------------------------------------------------------

    def commit(self, state: State, before: State, writer: str) -> None:
        """Store a state, and hold it against what must never happen to a record."""
        if state.serial not in (before.serial + 1, before.serial):
            raise Violation(f"the serial went from {before.serial} to {state.serial}")
        if state.lineage != before.lineage:
            raise Violation("the lineage changed")
        lost = before.schedules.keys() - state.schedules.keys()
        if lost:
            raise Violation(f"forgotten: {sorted(lost)}")
        for schedule_id, record in state.schedules.items():
            old = before.schedules.get(schedule_id)
            self._hold_record(schedule_id, old, record)
            if old is not None and old is not record:
                self._hold_owner(schedule_id, old, writer)
        self.overwrite(state)

    def _hold_record(self, schedule_id: str, old: Record | None, new: Record) -> None:
        if new.intent is not None:
            self.intents.add((new.intent.key, new.intent.at))
            if new.doubtful:
                self.doubts.add(new.intent.key)
        if old is None or old is new:
            return
        if old.is_live and new.attempts < old.attempts and self._left(old):
            raise Violation(f"{schedule_id}: attempts fell")
        if old.status == "completed" and new.status != "completed":
            raise Violation(f"{schedule_id}: {old.status} -> {new.status}")
        if old.was_sent and not new.was_sent and new.resends == old.resends and not self._no(old, new):
            raise Violation(f"{schedule_id}: {old.status} ({old.reason}) -> {new.status}: sent, then not")

    def _hold_owner(self, schedule_id: str, old: Record, writer: str) -> None:
        """Nobody else touches an intent that is a minute old: its runner may be at work."""
        intent = old.intent
        if old.status != "executing" or intent is None or old.accepted_at is not None:
            return
        if intent.owner != writer and self.now - read_utc(intent.at) < 60:
            raise Violation(f"{schedule_id}: {writer} took over what {intent.owner} is sending")

    def _left(self, old: Record) -> bool:
        """Whether a request left for its intent; an attempt that never began may be taken back."""
        mark = None if old.intent is None else (old.intent.key, old.intent.at)
        return any((effect.key, effect.intended) == mark for effect in self.effects)

    def _no(self, old: Record, new: Record) -> bool:
        """From executing back to pending or to rejected only a definite answer leads."""
        return old.status == "executing" and new.status in ("pending", "failed")

    # --- GitHub ---------------------------------------------------------------------------------------

    def receive(self, process: Process, request: Request) -> Answer:
        """A request arrives, or does not; and an answer comes back, or does not."""
        if not self.faulty:
            return self._accept(process, request)
        chance = self.random.random()
        if chance < 0.55:
            return self._accept(process, request)
        if chance < 0.65:
            self._accept(process, request)
            return Answer(verdict="unknown", error="HTTP 502: Bad Gateway")
        if chance < 0.72:
            self._arrive(process, request, accepted=False)
            return Answer(verdict="unknown", error="HTTP 503: Service Unavailable")
        if chance < 0.78:
            self._arrive(process, request, accepted=False)
            return Answer(verdict="unknown", error="timeout")
        if chance < 0.83:
            self._arrive(process, request, accepted=False)
            return Answer(verdict="refused", error="HTTP 404: Not Found")
        if chance < 0.92:
            self._arrive(process, request, accepted=False)
            wait = self.random.randrange(5, 600)
            return Answer(verdict="not-now", error="HTTP 429", retry_at=int(self.now) + wait, limited=True)
        return Answer(verdict="not-now", error="connection refused")

    def _arrive(self, process: Process, request: Request, *, accepted: bool) -> None:
        intent = request.intent
        if (intent.key, intent.at) not in self.intents:
            raise Violation(f"{request.schedule_id}: a request left before its intent was saved")
        earlier = [effect for effect in self.effects if effect.key == intent.key and effect.accepted]
        if earlier and intent.delivery == "at-most-once" and accepted:
            raise Violation(f"{request.schedule_id}: sent twice under at-most-once")
        if earlier and accepted and intent.key not in self.doubts:
            raise Violation(f"{request.schedule_id}: sent again without a saved doubt")
        self.effects.append(
            Effect(
                intent.key,
                intent.at,
                request.schedule_id,
                self.now,
                accepted,
                process.name,
                intent.delivery,
                process.saw_declared,
            )
        )

    def _accept(self, process: Process, request: Request) -> Answer:
        self._arrive(process, request, accepted=True)
        doubled = self.faulty and self.random.random() < 0.05
        for _ in range(2 if doubled else 1):
            self._start_run(request)
        return Answer(verdict="accepted")

    def _start_run(self, request: Request) -> None:
        lag = self.random.uniform(0, 600) if self.faulty else 1.0
        guarded = request.intent.key not in self.claimed
        late = self.now > read_utc(request.intent.not_after)
        conclusion = "success"
        if late or not guarded:
            conclusion = "cancelled"  # what the channel's own workflow makes of it
        elif self.faulty and self.random.random() < 0.1:
            conclusion = "failure"
        if guarded and not late:
            self.claimed.add(request.intent.key)
            self.published[request.schedule_id] += 1
        self.start_run(request.intent.key, lag=lag, takes=60, conclusion=conclusion)

    def sighting(self, intent: Intent) -> Sighting:
        """What a listing of the channel's runs says of a key now, if it says anything."""
        if self.faulty and self.random.random() < 0.1:
            return Sighting(error="HTTP 502")
        return super().sighting(intent)


class SimulatedStore(plain.SimulatedStore):
    """The record, as one process reaches it."""

    world: World

    def __init__(self, process: Process) -> None:
        super().__init__(process.world)
        self.process = process

    def load(self) -> Snapshot:
        self.process.point("load")
        return super().load()

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        self.process.point("before save")
        if self.world.faulty and self.world.random.random() < 0.05:
            raise StateError("the push was refused")
        if str(self.world.version) != snapshot.mark:
            raise LostRace("another runner saved first")
        self.world.commit(state, self.world.state, self.process.name)
        mark = str(self.world.version)
        self.process.point("after save")
        return Snapshot(state, mark)

    def save_with_archive(self, state: State, archived: object, snapshot: Snapshot, message: str) -> Snapshot:
        raise Violation("nothing in a simulation is old enough to be archived")

    def create(self, state: State) -> Snapshot:
        raise Violation("a run must never begin a record")


class SimulatedGitHub(plain.SimulatedWay):
    """The way out, as one process has it."""

    world: World

    def __init__(self, process: Process) -> None:
        super().__init__(process.world)
        self.process = process

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        for request in requests:
            self.process.point(f"before the request for {request.schedule_id}")
            answer = self.world.receive(self.process, request)
            self.process.point(f"after the request for {request.schedule_id}: {answer.verdict}")
            yield request, answer

    def look_up(
        self, intents: Mapping[str, Intent], run_ids: Mapping[str, int] | None = None
    ) -> Mapping[str, Sighting]:
        self.process.point("look up")
        return super().look_up(intents, run_ids)

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        self.process.point("ask")
        return super().ask_ready(intents)


class SimulatedClock(plain.SimulatedClock):
    """The clock of one process: asleep until the driver lets time pass."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.world, process.skew)
        self.process = process

    def sleep(self, seconds: float) -> bool:
        self.process.wake = self.process.world.now + max(seconds, 0.0)
        while self.process.is_asleep:
            self.process.point("asleep")
        return True


def fresh_state() -> State:
    return msgspec.structs.replace(State(version=1, lineage="simulated", serial=1))
