"""One seed, one history: runners that start, stall, die and race; editors and operators; time; and the rules.

From `tests/support/`: `python -m simulation.driver 1 100000` plays a range of seeds and says which ones
break a rule.
`python -m simulation.driver --mutants` searches for the first seed that sees each protection switched off, as
`tests/simulation/test_simulation.py` has them.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from random import Random
from types import SimpleNamespace
from typing import ClassVar, cast
from unittest import mock

from scheduler.app import operations
from scheduler.app.preconditions import demand_owner
from scheduler.app.repository import Repository
from scheduler.checkout.source import Source
from scheduler.delivery import Ports, Runner, fan_out
from scheduler.delivery import run as runner
from scheduler.diagnostics import Diagnostic
from scheduler.editing import MayBePublished
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.state.record import Record, State
from scheduler.times import ZoneData, installed_zones, read_utc, using_zones

from .declared import FOLDER, NAMES, START, Channel, Wave, declare_once, version_of
from .invariants import Violation
from .world import (
    RECEPTIONS,
    Arrivals,
    Calm,
    Faults,
    Process,
    Push,
    Reception,
    SimulatedClock,
    SimulatedGitHub,
    SimulatedStore,
    World,
    fresh_state,
)

ELSEWHERE = (Source("channel", "channels/other.yaml", b"repository: acme/other\n"),)
"""What another folder declares."""
STEPS = 80
QUIET_ROUNDS = 120
DAY = 86_400
ARCHIVED = 91 * DAY
"""Seconds after which what is finished moves to the archive."""


class Chance:
    """What goes wrong, by chance."""

    WEIGHTS: ClassVar = {
        "204": 50, "204, two runs": 4, "204, no run": 3, "502, accepted": 7, "503, not accepted": 5,
        "cut, accepted": 4, "timeout, accepted later": 3, "lost": 5, "404": 3, "401": 1, "429": 5,
        "403, limited": 2, "connection refused": 6,
    }  # fmt: skip

    def __init__(self, random: Random) -> None:
        self.random = random
        self._receptions = list(self.WEIGHTS)
        self._weights = list(self.WEIGHTS.values())

    def push(self) -> Push:
        chance = self.random.random()
        if chance < 0.91:
            return "stored"
        return "refused" if chance < 0.94 else "lost before" if chance < 0.97 else "lost after"

    def reception(self) -> Reception:
        name = self.random.choices(self._receptions, self._weights)[0]
        reception = RECEPTIONS[name]
        return reception._replace(after=self.random.randrange(0, 2000)) if reception.after else reception

    def lookup_fails(self) -> bool:
        return self.random.random() < 0.1

    def lag(self) -> float:
        return self.random.uniform(0, 600) if self.random.random() < 0.9 else 1300.0

    def conclusion(self) -> str | None:
        chance = self.random.random()
        if chance < 0.84:
            return "success"
        return "failure" if chance < 0.92 else "cancelled" if chance < 0.97 else None

    def pick(self, count: int) -> int:
        return self.random.randrange(count)


# --- what a process does ----------------------------------------------------------------------------------


def ports_of(process: Process) -> Ports:
    """The world as one process sees it."""
    world, github = process.world, SimulatedGitHub(process)

    def sources() -> Sequence[Source]:
        process.point("read what is declared")
        process.read, process.has_read = len(world.versions) - 1, True
        process.surroundings = world.surroundings
        return world.versions[-1].sources if process.folder == FOLDER else ELSEWHERE

    return Ports(
        store=SimulatedStore(process),
        sources=sources,
        surroundings=process.known_surroundings,
        dispatcher=lambda intent: github,
        clock=SimulatedClock(process),
        nonce=lambda: process.owner,
        declared=lambda _, state: state,
        idle=lambda reconciled: None,
        guard=lambda state, _: _demand_own(state, process.folder),
        compares_clocks=True,
        server_time=lambda _: int(world.now) if world.faults.pick(3) and not world.is_silent else None,
        declare=declare_once,
        beside=process.beside,
    )


def _demand_own(state: State, folder: str) -> tuple[Diagnostic, ...]:
    demand_owner(state, folder, "the state", lambda: False)
    return ()


def run(process: Process) -> None:
    """`scheduler run`."""
    process.runner = Runner(ports_of(process))
    report = process.runner.reconcile_once()
    told = [*report.results.values(), *report.diagnostics]
    process.world.judge.see_text(" ".join(map(str, told)))


def retry_of(schedule_id: str, *, resend: bool) -> Callable[[Process], None]:
    """`scheduler retry`, and `--resend` by a person who looked and is sure that nothing was published."""

    def work(process: Process) -> None:
        ports = ports_of(process)
        repository = SimpleNamespace(
            settings=lambda: declare_once(tuple(ports.sources()))[0].settings,  # type: ignore[union-attr]
            ports=lambda settings: ports,
            clock=ports.clock,
            demand_right_clock=lambda: None,
        )
        done = operations.retry(cast("Repository", repository), [schedule_id])
        if resend and any(isinstance(problem, MayBePublished) for problem in done.refused):
            operations.retry(cast("Repository", repository), [schedule_id], resend=True)

    return work


_world: list[World] = []
"""The world that is played in."""


@contextmanager
def simulated() -> Iterator[None]:
    """The failpoints of the code are points, too, and its threads take their turns."""

    def failpoint(name: str) -> None:
        process = _world[-1].current if _world else None
        if process is None:
            return
        if name == "intent-saved" and process.saved is not None:
            process.world.judge.see_applied(process, process.saved)
        if name == "before-send":
            process.world.judge.see_check(process, process.looked)
        process.point(f"boundary {name}")

    threads = SimpleNamespace(SimpleQueue=lambda: Arrivals(lambda: _world[-1]))
    with (
        mock.patch.object(runner, "failpoint", failpoint),
        mock.patch.object(fan_out, "failpoint", failpoint),
        mock.patch.object(fan_out, "queue", threads),
    ):
        yield


# --- one history ------------------------------------------------------------------------------------------


class History(ABC):
    """A world and the processes in it. `play` ends with a Violation, or with everything settled."""

    batch = runner.BATCH
    grows_old = False
    """Whether months pass without a run: what ran again within a day was then seen by nobody."""

    lives: Random | None = None
    """How long the tokens of processes live; None: longer than all of them."""

    world_type: type[World] = World

    zones: ZoneData = installed_zones()
    """The zone data of the machine on which the next process starts."""

    def __init__(
        self, faults: Faults, channels: Sequence[Channel], waves: Sequence[Wave], settings: str
    ) -> None:
        self.world = self.world_type(now=float(START), state=fresh_state(), faults=faults)
        self.channels = list(channels)
        self.waves = list(waves)
        self.settings = settings
        self.processes: list[Process] = []
        self.started = 0
        self.publish()

    def publish(self) -> None:
        """Merge what the editors have."""
        self.world.versions.append(version_of(self.channels, self.waves, self.settings))

    def start(
        self, work: Callable[[Process], None] = run, *, skew: float = 0.0, folder: str = FOLDER
    ) -> Process:
        self.started += 1
        is_person = work is not run
        name = f"{'person' if is_person else 'runner'}-{self.started}"
        process = Process(
            self.world, name, work, skew=skew, is_person=is_person, folder=folder, zones=self.zones
        )
        if self.lives is not None and self.world.has_trouble:
            process.token_ends = self.world.now + self.lives.choice((30, 600, 3600, 36_000))
        self.processes.append(process)
        return process

    def step(self, process: Process) -> None:
        process.step()
        if not process.is_alive:
            self.processes.remove(process)

    def kill(self, process: Process) -> None:
        process.kill()
        self.processes.remove(process)

    def finish(self, process: Process) -> None:
        """Let it go on to its end."""
        while process.is_alive:
            if process.is_asleep:
                self.world.now = process.wake
            self.step(process)

    @abstractmethod
    def trouble(self) -> None:
        """What happens before it is quiet."""

    def play(self) -> None:
        """A stretch of trouble, then quiet; then everything must have come to an end."""
        _world.append(self.world)
        try:
            with mock.patch.object(runner, "BATCH", self.batch):
                self.trouble()
                self.calm()
                self.settle()
                self.check_end()
        finally:
            _world.pop()

    def calm(self) -> None:
        """Nothing goes wrong any more, and what was broken is mended."""
        for process in list(self.processes):
            self.kill(process)
        self.world.faults, self.world.has_trouble = Calm(), False
        self.world.is_stopped = False
        for wave in self.waves:
            wave.broken = False
        self.publish()

    def settle(self) -> None:
        """Run after run, each to its end, until nothing is to come any more."""
        world, begun, pause = self.world, self.world.now, 61.0
        for number in range(QUIET_ROUNDS):
            reach = DAY if number < QUIET_ROUNDS / 2 else 30 * DAY  # what ended late is archived months later
            before = world.version
            process = self.start()
            self.finish(process)
            if process.fault is not None:
                world.judge.fail("sound", f"a run without trouble failed: {process.fault}")
            last = process.runner.report.last
            assert last is not None
            self._see_misses(last, begun)
            if world.version == before and not self._waiting(last):
                return
            pause = min(pause * 1.2, 7200.0)
            soonest = max(world.now + pause, min(last.plan.wake or 0, world.now + reach))
            due = last.plan.next_due
            world.now = min(soonest, max(due, world.now + 1)) if due is not None else soonest
        world.judge.fail("nothing lost", "it never comes to rest")

    def _waiting(self, last: Reconciled) -> list[str]:
        """What a run may still do something about, or find out."""
        records, members = self.world.state.schedules, self.world.versions[-1].members
        return [
            schedule_id
            for schedule_id, record in records.items()
            if record.status == "executing"
            or self._may_be_found(record)
            or (
                record.is_unsent_live
                and not record.is_paused
                and schedule_id not in last.blocked
                and not (schedule_id in members and members[schedule_id].after_success)
            )
        ]

    def _may_be_found(self, record: Record) -> bool:
        """A run of a failed one has succeeded, or its run shows up still: somebody has to look again."""
        if record.intent is None or record.status != "failed" or not record.was_sent:
            return False
        runs = self.world.runs.get(record.intent.key, ())
        return any(run.conclusion == "success" or run.shows > self.world.now for run in runs)

    def _see_misses(self, last: Reconciled, begun: float) -> None:
        """While runs come in time, nothing is missed whose time was still to come."""
        for change in last.plan.changes:
            after = change.after
            if change.action != "miss" or after is None or after.after_success:
                continue
            if change.schedule_id in last.blocked:
                continue
            base = after.at if change.before is None or change.before.retried_at is None else 0
            if base > begun + 1500:
                self.world.judge.fail(
                    "nothing lost", f"{change.schedule_id} was missed though runs came in time"
                )

    def look(self) -> Reconciled:
        """What a run would decide now."""
        world = self.world
        with using_zones(self.zones):
            return reconcile(
                world.versions[-1].sources, world.state, world.archive, int(world.now), world.surroundings,
                declare=declare_once,
            )  # fmt: skip

    # --- what must hold at the end --------------------------------------------------------------------

    def check_end(self) -> None:
        """Everything declared is recorded and has come to its end, or waits for a person; and it is true."""
        found = self.look()
        members = self.world.versions[-1].members
        known = self.world.state.schedules.keys() | self.world.archive.keys()
        if missing := members.keys() - known - found.blocked.keys():
            self.world.judge.fail("nothing lost", f"declared and never recorded: {sorted(missing)}")
        for schedule_id, record in {**self.world.archive, **self.world.state.schedules}.items():
            self._check_record(schedule_id, record, found)

    def _check_record(self, schedule_id: str, record: Record, found: Reconciled) -> None:
        judge, member = self.world.judge, self.world.versions[-1].members.get(schedule_id)
        if record.status == "executing":
            judge.fail("nothing lost", f"{schedule_id} is executing for ever")
        if record.is_unsent_live and not record.is_paused and schedule_id not in found.blocked:
            if member is None:
                judge.fail("nothing lost", f"{schedule_id} is live and declared by nothing")
            if not member.after_success:
                judge.fail("nothing lost", f"{schedule_id} is neither sent nor missed nor paused")
        if (
            (record.status, record.reason) == ("cancelled", "withdrawn")
            and not (member is None or member.is_cancelled or self.grows_old or schedule_id in found.blocked)
            and read_utc(record.history[-1].at) < record.at == member.at
        ):
            judge.fail("nothing lost", f"{schedule_id} is declared again, and was neither sent nor missed")
        accepted = any(
            effect.is_accepted and effect.schedule_id == schedule_id
            for effects in judge.effects.values()
            for effect in effects
        )
        key = None if record.intent is None else record.intent.key
        succeeded = any(run.conclusion == "success" for run in self.world.runs.get(key or "", ()))
        recent = record.intent is not None and judge.begun.get(record.intent) is not None
        if succeeded and record.status == "failed" and recent and not self._is_old(record):
            judge.fail("nothing lost", f"{schedule_id} failed ({record.reason}), and its run succeeded")
        if accepted and record.resends == 0 and not record.was_sent:
            judge.fail("monotone", f"{schedule_id} is {record.status} ({record.reason}), and was sent")

    def _is_old(self, record: Record) -> bool:
        """Its run began too late to be looked for, or nobody looked."""
        assert record.intent is not None
        return self.grows_old or any(
            run.ends > datetime.fromisoformat(record.intent.at).timestamp() + 86_400 - 1800
            for run in self.world.runs[record.intent.key]
        )


class DisturbedHistory(History):
    """Runners that start, go on, stall and die by chance, while the world goes on by chance."""

    random: Random
    edits = 0.0
    operations = 0.0
    """How likely the next thing is one that editors do, or operators."""

    @abstractmethod
    def edit(self) -> None:
        """What editors do."""

    @abstractmethod
    def operate(self) -> None:
        """What people do beside editing."""

    @abstractmethod
    def dues(self) -> Iterable[int]:
        """When something leaves."""

    def trouble(self) -> None:
        for _ in range(STEPS):
            self._something()

    def _something(self) -> None:
        random, world = self.random, self.world
        awake = [process for process in self.processes if not process.is_asleep]
        chance = random.random()
        if awake and chance < 0.7:
            self._go_on(random.choice(awake))
        elif self.processes and chance < 0.76:
            self._disturb(random.choice(self.processes))
        elif chance < 0.86 or not self.processes:
            if len(self.processes) < 3:
                self.start(skew=random.choice((0.0, 0.0, 0.0, 0.0, 30.0, -30.0, 400.0, -400.0)))
        elif chance < 1 - self.edits - self.operations:
            world.now = self._later()
        elif chance < 1 - self.operations:
            self.edit()
        else:
            self.operate()

    def _go_on(self, process: Process) -> None:
        """Let one go on for some points: often for few, sometimes through to its end."""
        for _ in range(self.random.choice((1, 1, 2, 4, 12, 40))):
            self.step(process)
            if not process.is_alive or process.is_asleep:
                return

    def _later(self) -> float:
        """A while later, or just when something falls due."""
        now = self.world.now
        ahead = [due for due in self.dues() if now < due <= now + 1800]
        if ahead and self.random.random() < 0.5:
            return float(min(ahead))
        return now + self.random.choice((1, 20, 90, 300, 900))

    def _disturb(self, process: Process) -> None:
        """It is killed, asked to end, stalled, or its machine goes to sleep."""
        chance = self.random.random()
        if chance < 0.5:
            self.kill(process)
        elif chance < 0.6:
            process.is_ended = True
        else:
            away = self.random.choice((70, 130, 1000, 3000))
            process.wake = max(process.wake, self.world.now + away)
            process.suspended += away if chance < 0.7 else 0


class RandomHistory(DisturbedHistory):
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)  # the same seed, the same history
        self.lives = Random(seed)  # of its own: what else happens stays as it was
        channels = [Channel.by_chance(name, random) for name in NAMES]
        waves = [Wave.by_chance(f"wave-{number}", random) for number in range(random.randrange(1, 4))]
        attempts, pace = random.choice((1, 3, 3, 4)), random.choice(("60/min", "60/min", "1/min"))
        self.batch = random.choice((100, 100, 2, 1))
        self.grows_old = random.random() < 0.1
        self.edits, self.operations = random.choice(((0.005, 0.01), (0.01, 0.06), (0.03, 0.06)))
        settings = f"retry: {{ attempts: {attempts}, backoff: 1m }}\npace: {pace}\n"
        super().__init__(Chance(random), channels, waves, settings + "brake: { cancel_percent: 100 }\n")

    def trouble(self) -> None:
        super().trouble()
        if self.grows_old:
            self._grow_old()

    def edit(self) -> None:
        self.random.choice(self.waves).edit(self.random, self.world.now)
        self.publish()

    def dues(self) -> Iterable[int]:
        return [member.at - member.lead for member in self.world.versions[-1].members.values()]

    def operate(self) -> None:
        random, world = self.random, self.world
        chance = random.random()
        failed = [i for i, record in world.state.schedules.items() if record.status == "failed"]
        if chance < 0.2:
            world.is_stopped = not world.is_stopped
        elif chance < 0.4:
            channel = random.choice(self.channels)
            channel.paused = not channel.paused
            self.publish()
        elif chance < 0.6:
            for key in list(world.runs):
                world.run_again(key)
        elif failed:
            self.start(retry_of(random.choice(failed), resend=random.random() < 0.5))

    def calm(self) -> None:
        """Then another folder meets this state; and a wave is removed, and restored after its time."""
        super().calm()
        self.finish(self.start(folder="shop"))
        lost = Wave("lost", at=int(self.world.now) + 600, members={self.channels[0].name: ""})
        self.waves.append(lost)
        for lost.there, later in ((True, 0), (False, 300), (True, 400)):
            self.world.now += later
            self.publish()
            self.finish(self.start())

    def _grow_old(self) -> None:
        """So long after that what is finished is archived, with trouble; and what was removed comes back."""
        self.world.now += ARCHIVED
        for _ in range(STEPS // 4):
            self._something()
        for wave in self.waves:
            wave.there, wave.cancelled = True, False
        self.publish()


def play(seed: int) -> History:
    """Play one seed. Raises Violation, with the end of its trace as a note."""
    history = RandomHistory(seed)
    try:
        history.play()
    except Violation as violation:
        tail = [f"{int(now - START):>6} {name} {what}" for now, name, what in history.world.trace[-60:]]
        violation.add_note("\n".join([*tail, f"seed {seed}"]))
        raise
    return history


def main() -> None:
    if sys.argv[1:] == ["--mutants"]:
        from .mutants import RETRACTING_MUTANTS, SLOW_MUTANTS, WAITING_MUTANTS, ZONE_MUTANTS, first_seeds
        from .queue_mutants import QUEUE_MUTANTS
        from .queues import play_queues
        from .retracting import play_retracting
        from .slow import play_slow
        from .storage import play_storage
        from .storage_mutants import STORAGE_MUTANTS
        from .waiting import play_waiting
        from .zoned import play_zoned

        with simulated():
            found = [*first_seeds(play_waiting, WAITING_MUTANTS), *first_seeds(play_zoned, ZONE_MUTANTS),
                     *first_seeds(play_retracting, RETRACTING_MUTANTS),
                     *first_seeds(play_queues, QUEUE_MUTANTS),
                     *first_seeds(play_storage, STORAGE_MUTANTS),
                     *first_seeds(play_slow, SLOW_MUTANTS)]  # fmt: skip
            for name, seed, rule in chain(found, first_seeds(play)):
                print(f'    "{name}": ({seed}, "{rule}"),', flush=True)
        return
    first, last = int(sys.argv[1]), int(sys.argv[2])
    broken: list[int] = []
    with simulated():
        for seed in range(first, last):
            try:
                play(seed)
            except Violation as violation:
                broken.append(seed)
                print(f"seed {seed}: {violation}", *violation.__notes__, sep="\n", flush=True)
                if len(broken) > 20:
                    break
            if seed % 1000 == 0:
                print(f"{datetime.now(UTC):%H:%M:%S} seed {seed}: {len(broken)} broken", flush=True)  # noqa: TID251
    print(f"{last - first} seeds, {len(broken)} broken: {broken}")


__all__ = ["Chance", "History", "RandomHistory", "Violation", "play", "simulated"]

if __name__ == "__main__":
    main()
