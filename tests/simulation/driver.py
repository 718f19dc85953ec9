"""One seed, one history: runners that start, stall, die and race; editors; time; and the invariants after it.

`python -m simulation.driver 1 100000` (in tests/) plays a range of seeds and says which ones break a rule.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from random import Random
from unittest import mock

import scheduler.apply
from scheduler.apply import Edge, Runner
from scheduler.declarations import declare
from scheduler.errors import LostRace, StateError
from scheduler.plan import Surroundings
from scheduler.reconciler import Reconciled, reconcile
from scheduler.simulation.world import at_once
from scheduler.sources import Source
from scheduler.state import Declared, Record
from scheduler.times import instant_text, read_utc

from .world import (
    Killed,
    Process,
    SimulatedClock,
    SimulatedGitHub,
    SimulatedStore,
    Violation,
    World,
    fresh_state,
)

START = read_utc("2026-03-01T12:00:00Z")
CHANNELS = ("alpha", "beta", "gamma", "delta")
STEPS = 90
QUIET_ROUNDS = 80


# --- what editors declare -------------------------------------------------------------------------------


def channel_file(name: str, random: Random) -> bytes:
    delivery = random.choice(("at-most-once", "at-least-once"))
    confirm = random.choice(("accepted", "accepted", "run"))
    lines = [f"repository: acme/{name}", "token: ACME_TOKEN", f"delivery: {delivery}", f"confirm: {confirm}"]
    if random.random() < 0.2:
        lines.append("lead: 10m")
    return ("\n".join(lines) + "\n").encode()


class Wave:
    """One wave as its editors change it."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self.type = random.choice(("simultaneous", "staggered"))
        self.at = START + random.randrange(60, 3600)
        self.delay = random.choice((0, 120, 600))
        self.halt = random.random() < 0.3
        self.after_success = self.type == "staggered" and random.random() < 0.2
        self.members = dict.fromkeys(random.sample(CHANNELS, random.randrange(1, 4)), "")
        self.paused = False
        self.cancelled = False
        self.there = True

    def text(self) -> bytes:
        lines = [
            f"title: {self.name}",
            f"paused: {str(self.paused).lower()}",
            f"cancelled: {str(self.cancelled).lower()}",
            "catch_up: 45m",
            f"on_failure: {'halt' if self.halt else 'continue'}",
            "schedules:",
            f"  - type: {self.type}",
            f"    video: {self.name}",
            f"    at: {instant_text(self.at)}",
        ]
        if self.type == "staggered":
            lines.append(f"    delay: {self.delay}s")
        if self.after_success:
            lines.append("    after_success: true")
        lines.append("    channels:")
        lines += [f"      - {{ id: {name}{flag} }}" for name, flag in self.members.items()]
        return ("\n".join(lines) + "\n").encode()

    def edit(self, random: Random, now: float) -> None:
        """Something that an editor does at any time."""
        what = random.randrange(7)
        name = random.choice(list(self.members))
        if what == 0:
            self.paused = not self.paused
        elif what == 1:
            self.members[name] = random.choice(("", ", paused: true", ", cancelled: true"))
        elif what == 2:
            self.at = int(now) + random.randrange(-600, 1800)
        elif what == 3:
            self.there = not self.there
        elif what == 4:
            self.cancelled = not self.cancelled
        elif what == 5 and len(self.members) > 1:
            del self.members[name]
        else:
            self.halt = not self.halt


def sources_of(channels: Mapping[str, bytes], waves: Sequence[Wave]) -> tuple[Source, ...]:
    files = [Source("channel", f"channels/{name}.yaml", text) for name, text in channels.items()]
    files += [Source("wave", f"waves/{wave.name}.yaml", wave.text()) for wave in waves if wave.there]
    files.append(Source("scheduler", "scheduler.yaml", b"brake: { at_least: 100, cancel_percent: 100 }\n"))
    return tuple(files)


declare_once = lru_cache(maxsize=256)(declare)
"""Equal files are parsed once; the sources must be a tuple."""


@contextmanager
def simulated() -> Iterator[None]:
    """The boundaries of the code are points, too, at which a process may stop for a while or for good."""

    def boundary(name: str) -> None:
        process = _current.get("process")
        if process is not None:
            process.point(f"boundary {name}")

    with mock.patch.object(scheduler.apply, "boundary", boundary):
        yield


_current: dict[str, Process] = {}


# --- one history ----------------------------------------------------------------------------------------


class History:
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # the same seed, the same history
        self.channels = {name: channel_file(name, self.random) for name in CHANNELS}
        self.waves = [Wave(f"wave-{number}", self.random) for number in range(self.random.randrange(1, 4))]
        self.world = World(random=self.random, now=float(START), state=fresh_state(), sources=[])
        self.processes: list[Process] = []
        self.started = 0
        self.publish()

    def publish(self) -> None:
        self.world.sources.append({"version": b""})
        self.sources = sources_of(self.channels, self.waves)

    def start(self, skew: float = 0.0) -> Process:
        self.started += 1
        process = Process(self.world, f"runner-{self.started}", skew, self._work)
        self.processes.append(process)
        return process

    def _work(self, process: Process) -> None:
        github = SimulatedGitHub(process)

        def sources() -> Sequence[Source]:
            process.point("read what is declared")
            return self.sources

        edge = Edge(
            store=SimulatedStore(process),
            sources=sources,
            surroundings=lambda: Surroundings(tokens=frozenset({"ACME_TOKEN"})),
            dispatcher=lambda intent: github,
            clock=SimulatedClock(process),
            nonce=lambda: process.name,
            declared=lambda found, before: before or Declared(digest="simulated"),
            idle=lambda reconciled: None,
            guard=lambda state: [],
            declare=declare_once,
            beside=at_once,
        )
        Runner(edge).reconcile_once()

    def step(self, process: Process) -> None:
        _current["process"] = process
        process.step()
        _current.pop("process")
        if not process.is_alive:
            self.processes.remove(process)

    def kill(self, process: Process) -> None:
        _current["process"] = process
        process.kill()
        _current.pop("process")
        self.processes.remove(process)

    def play(self) -> None:
        """A stretch of trouble, then quiet; then everything must have come to an end."""
        for _ in range(STEPS):
            self._something()
        self.world.faulty = False
        for process in list(self.processes):
            self.kill(process)
        self._settle()
        self.check_end()

    def _something(self) -> None:
        awake = [process for process in self.processes if not process.is_asleep]
        chance = self.random.random()
        if awake and chance < 0.72:
            self.step(self.random.choice(awake))
        elif self.processes and chance < 0.76:
            self.kill(self.random.choice(self.processes))
        elif chance < 0.86 or not self.processes:
            if len(self.processes) < 3:
                self.start(self.random.choice((0.0, 0.0, 0.0, 30.0, -30.0)))
        elif chance < 0.96:
            self.world.now += self.random.choice((1, 20, 90, 300, 900))
        else:
            self.random.choice(self.waves).edit(self.random, self.world.now)
            self.publish()

    def _settle(self) -> None:
        """Run after run, each to its end, until nothing changes any more and nothing is to come."""
        for _ in range(QUIET_ROUNDS):
            before = self.world.version
            process = self.start()
            while process.is_alive:
                if process.is_asleep:
                    self.world.now = process.wake
                self.step(process)
            if process.fault is not None:
                raise Violation(f"a run without trouble failed: {process.fault}")
            plan = self.look().plan
            if self.world.version == before and plan.wake is None:
                return
            self.world.now = max(self.world.now + 61, min(plan.wake or 0, self.world.now + 1800))
            if self.world.now > START + 2 * 86_400:
                return

    def look(self) -> Reconciled:
        """What a run would decide now."""
        return reconcile(
            self.sources,
            self.world.state,
            {},
            int(self.world.now),
            Surroundings(tokens=frozenset({"ACME_TOKEN"})),
            declare=declare_once,
        )

    # --- what must hold at the end --------------------------------------------------------------------

    def check_end(self) -> None:
        counted = [name for name, times in self.world.published.items() if times > 1]
        if counted:
            raise Violation(f"published twice: {counted}")
        for schedule_id, record in self.world.state.schedules.items():
            self._check_record(schedule_id, record)
        declared = {
            f"{wave.name}/{wave.name}/{name}" for wave in self.waves if wave.there for name in wave.members
        }
        missing = declared - self.world.state.schedules.keys() - self.look().blocked.keys()
        if missing:
            raise Violation(f"declared and never recorded: {sorted(missing)}")

    def _check_record(self, schedule_id: str, record: Record) -> None:
        if record.status == "executing":
            raise Violation(f"{schedule_id} is executing for ever")
        if record.is_unsent_live and not record.is_paused:
            blocked = record.after_success or record.halt
            if not blocked and record.at + 7_200 < self.world.now:
                raise Violation(f"{schedule_id} is neither sent nor missed nor paused")
        accepted = [e for e in self.world.effects if e.schedule_id == schedule_id and e.accepted]
        key = None if record.intent is None else record.intent.key
        succeeded = any(run.conclusion == "success" for run in self.world.runs.get(key or "", ()))
        if succeeded and record.status == "failed":
            raise Violation(f"{schedule_id} failed ({record.reason}), and its run succeeded")
        if record.status == "cancelled" and accepted:
            raise Violation(f"{schedule_id} is recorded as cancelled, and was sent")
        if accepted and record.status == "failed" and record.reason in ("missed", "rejected", "no_video"):
            raise Violation(f"{schedule_id} is recorded as never sent ({record.reason}), and was sent")


def play(seed: int) -> History:
    """Play one seed. Raises Violation with the end of its trace."""
    history = History(seed)
    try:
        history.play()
    except (Violation, AssertionError, ValueError, LostRace, StateError) as fault:
        tail = "\n".join(history.world.trace[-60:])
        raise Violation(f"seed {seed}: {fault}\n{tail}") from fault
    return history


def main() -> None:
    first, last = int(sys.argv[1]), int(sys.argv[2])
    broken = 0
    with simulated():
        for seed in range(first, last):
            try:
                play(seed)
            except Violation as fault:
                broken += 1
                print(fault, flush=True)
                if broken > 3:
                    break
    print(f"{last - first} seeds, {broken} broken")


__all__ = ["History", "Killed", "Violation", "play", "simulated"]

if __name__ == "__main__":
    main()
