"""One pass of a simulation: tick after tick, each the real `run`, and what became of every publication."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Literal, NoReturn

import msgspec

from scheduler.checkout.source import Source
from scheduler.delivery import Ports, Runner, hold_and_watch
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic
from scheduler.errors import Error
from scheduler.planning.plan import Surroundings, pauses_text
from scheduler.planning.reconcile import Reconciled
from scheduler.simulation.channels import Channels
from scheduler.simulation.conditions import Conditions, Reading
from scheduler.simulation.ticks import ticks
from scheduler.simulation.world import SimulatedClock, SimulatedStore, World, at_once
from scheduler.state.record import Record, State
from scheduler.state.stores import Snapshot
from scheduler.times import Instant, read_utc

AFTERWARDS = 7 * 86_400
"""Seconds that a simulation continues after its span at most, for publications still in progress."""

Kind = Literal["sent", "missed", "failed", "held"]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared and recorded, and the span `start <= publish time < end` that is simulated."""

    sources: Sequence[Source]
    state: State
    archive: Mapping[str, Record]
    surroundings: Surroundings
    start: Instant
    end: Instant


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one publication. Durations are in seconds."""

    schedule_id: str
    wave: str | None
    channel: str
    at: Instant
    lead: int
    catch_up: int
    kind: Kind
    why: str = ""
    """Empty where it was sent."""
    lateness: int | None = None
    """From its publish time, or its release by `after_success`, until its request left; never negative."""
    needed: int | None = None
    """The `catch_up` that it needed; 0 or less where it was sent by its publish time."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of a simulation."""

    fates: Sequence[Fate]
    starts: Sequence[Instant]
    """When the runs started, ascending."""
    wanted: int
    """Ticks scheduled within the span; `dropped` of them never started."""
    dropped: int
    put_off: int
    """Publications that waited because others of their channel were late, too."""
    diagnostics: Sequence[Diagnostic]
    """Of the first run."""


def replay(stage: Stage, conditions: Conditions, number: int = 1, *, skip_idle: bool = True) -> History:
    """Play pass `number`.

    `skip_idle` is a fast path, `False` its slow twin: a tick that would find nothing to do is not played. A
    pass of 577 ticks and 100 publications is 7 times as fast. test_simulate.py compares the histories.
    """
    given = ticks(conditions, number, stage.start, stage.end, stage.end + AFTERWARDS)
    machine = _Machine(stage, conditions, number)
    taken = stage.start - 1
    starts: list[Instant] = []
    diagnostics: Sequence[Diagnostic] = ()
    for arrival in given.arrivals:
        if arrival <= taken:
            continue  # it waited while another run was in progress, and a later tick replaced it
        begin = max(arrival, math.ceil(machine.world.now))
        taken = begin
        if begin >= stage.end and machine.is_settled(begin):
            break
        starts.append(begin)
        machine.begin(begin)
        if skip_idle and machine.is_idle(begin):
            machine.glance()
        else:
            machine.tick()
        if len(starts) == 1 and machine.last is not None:
            diagnostics = machine.last.diagnostics
    return History(
        fates=machine.fates(),
        starts=starts,
        wanted=given.wanted,
        dropped=given.dropped,
        put_off=len(machine.put_off),
        diagnostics=diagnostics,
    )


class _Machine:
    """The machine that runs the ticks, one after the other."""

    def __init__(self, stage: Stage, conditions: Conditions, number: int) -> None:
        self.stage = stage
        self.conditions = conditions
        self.world = World(now=float(stage.start), state=stage.state, archive=dict(stage.archive))
        self.channels = Channels(self.world, conditions, number)
        self.last: Reconciled | None = None
        self.put_off: set[str] = set()
        self._finished = {
            i for i, record in {**stage.archive, **stage.state.schedules}.items() if not record.is_unsent_live
        }
        names = itertools.count(1)
        self._number = number
        self._random = Random(0)  # noqa: S311 - no secret; each tick has its own
        self._ports = Ports(
            store=_Store(self.world, self._latency),
            sources=lambda: stage.sources,
            surroundings=lambda: stage.surroundings,
            dispatcher=lambda _: self.channels,
            clock=SimulatedClock(self.world),
            nonce=lambda: f"simulated-{next(names)}",
            declared=lambda _, state: state,
            idle=lambda _: None,
            guard=lambda *_: (),
            declare=Reading(stage.sources, conditions),
            beside=at_once,
        )

    def begin(self, at: Instant) -> None:
        """Start a tick. How long the store takes depends on the tick alone, not on earlier ones."""
        self.world.now = float(at)
        self._random = Random(f"{self.conditions.seed} record {self._number} {at}")  # noqa: S311 - no secret

    def _latency(self) -> float:
        return self.conditions.latency.at(self._random.random())

    def glance(self) -> None:
        """A run that finds nothing to do: it loads the state and ends."""
        self.world.now += self._latency()

    def tick(self) -> None:
        """One run, with its hold."""
        runner = Runner(self._ports)
        if self.conditions.hold:
            hold_and_watch.hold(runner, self.conditions.hold, _give_up)
        else:
            runner.reconcile_once()
        self.last = runner.report.last
        if self.last is not None:
            self.put_off |= {one.schedule_id for one in self.last.plan.put_off}

    def is_idle(self, now: Instant) -> bool:
        """Whether a tick would find nothing to do, by what the last run decided (as `scheduler.app.idle`).

        A run decides once the state is loaded: what comes within its hold only by then is something to do.
        """
        if self.last is None or self.last.is_red or self.last.plan.changes:
            return False
        wake, due = self.last.plan.wake, self.last.plan.next_due
        loaded = now + self.conditions.latency.most
        return (wake is None or loaded < wake) and (due is None or due > loaded + self.conditions.hold)

    # --- what became of each ----------------------------------------------------------------------

    def is_settled(self, now: Instant) -> bool:
        """Whether every publication of the span is settled."""
        return all(
            not record.is_live or record.is_paused or (record.is_unsent_live and self._is_over(record, now))
            for _, record in self._counted()
        )

    def _counted(self) -> list[tuple[str, Record]]:
        """The publications of the span that were not finished at its start, in order."""
        known = {**self.world.archive, **self.world.state.schedules}
        return sorted(
            (
                (schedule_id, record)
                for schedule_id, record in known.items()
                if self.stage.start <= record.at < self.stage.end
                and schedule_id not in self._finished
                and not record.traits.is_called_off
            ),
            key=lambda each: (each[1].scheduled_at, each[0]),
        )

    def fates(self) -> list[Fate]:
        last = self.last
        if last is None or last.declared is None:
            return []
        recorded = [self._fate(last, last.declared, *each) for each in self._counted()]
        known = {**self.world.archive, **self.world.state.schedules}
        never = [
            Fate(
                schedule_id=schedule_id,
                wave=schedule.group.wave,
                channel=schedule.channel,
                at=schedule.at,
                lead=last.declared.lead(schedule.channel),
                catch_up=last.declared.catch_up(schedule.group.catch_up),
                kind="held",
                why=last.blocked[schedule_id],
            )
            for schedule_id, schedule in last.schedules.items()
            if schedule_id in last.blocked
            and schedule_id not in known
            and self.stage.start <= schedule.at < self.stage.end
        ]
        return sorted([*recorded, *never], key=lambda fate: (fate.at, fate.schedule_id))

    def _is_over(self, record: Record, now: Instant) -> bool:
        assert self.last is not None and self.last.declared is not None
        return now > record.at + self.last.declared.catch_up(record.catch_up)

    def _fate(self, last: Reconciled, declared: Declarations, schedule_id: str, record: Record) -> Fate:
        catch_up = declared.catch_up(record.catch_up)
        fate = Fate(
            schedule_id=schedule_id,
            wave=record.wave_id,
            channel=record.channel_id,
            at=record.at,
            lead=declared.lead(record.channel_id),
            catch_up=catch_up,
            kind="sent",
        )
        kind, why = self._kind(last, schedule_id, record)
        if kind != "sent":
            return msgspec.structs.replace(fate, kind=kind, why=why)
        intent, left = record.intent, self.channels.left[schedule_id]
        assert intent is not None and record.lateness_seconds is not None, "it was sent"
        begun = read_utc(intent.at)
        late_from = begun - record.lateness_seconds if record.lateness_seconds else max(record.at, begun)
        return msgspec.structs.replace(
            fate,
            lateness=max(0, int(left - late_from)),
            needed=math.ceil(left) - (read_utc(intent.not_after) - catch_up),
        )

    def _kind(self, last: Reconciled, schedule_id: str, record: Record) -> tuple[Kind, str]:
        if record.status == "completed" or (record.status == "executing" and record.accepted_at):
            return "sent", ""
        if record.status == "failed" and record.reason == "missed":
            return "missed", record.error_message or ""
        if record.status == "failed":
            return "failed", str(record.error_message if record.reason == "blocked" else record.reason)
        if record.status == "executing":
            return "failed", "unknown_outcome"
        if schedule_id in last.blocked:
            return "held", last.blocked[schedule_id]
        if record.is_paused:
            return "held", pauses_text(record.pauses) or "paused"
        if record.after_success:
            return "held", "waits for the publication before it"
        return "missed", "no run started after it was due"


def _give_up(problem: Error) -> NoReturn:
    raise problem  # the state in memory has no trouble that passes


class _Store(SimulatedStore):
    """A store that takes time to answer."""

    def __init__(self, world: World, latency: Callable[[], float]) -> None:
        super().__init__(world)
        self._latency = latency

    def load(self) -> Snapshot:
        self.world.now += self._latency()
        return super().load()

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        self.world.now += self._latency()
        return super().save(state, snapshot, message)
