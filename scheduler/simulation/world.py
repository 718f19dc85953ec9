"""A world in memory: time, the state, and what the channels have received.

`scheduler simulate` plays one runner in it, and waiting moves the clock. The tests use the same parts with
runners that are stopped and killed between any two effects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.delivery.dispatcher import Check, Readiness, Request
from scheduler.errors import LostRace, StateError
from scheduler.state.answers import LookupResult, Run
from scheduler.state.record import Intent, Record, State
from scheduler.state.stores import Snapshot
from scheduler.times import Instant


@dataclass(kw_only=True)
class SimulatedRun:
    """A workflow run that a dispatch started in a channel's repository. Times are epoch seconds."""

    id: int
    shows: float
    """From when it is listed."""
    ends: float
    conclusion: str


@dataclass(kw_only=True)
class World:
    """Everything outside the runners."""

    now: float
    """Epoch seconds."""
    state: State
    archive: dict[str, Record] = field(default_factory=dict)
    version: int = 0
    """Rises with each save."""
    runs: defaultdict[str, list[SimulatedRun]] = field(default_factory=lambda: defaultdict(list))
    """By the word in the title."""

    def overwrite(self, state: State) -> None:
        """Store a state without comparing."""
        self.state = state
        self.version += 1

    def start_run(self, key: str, *, lag: float, takes: float, conclusion: str = "success") -> None:
        """Start a run that is listed after `lag` seconds, and that ends `takes` seconds after that."""
        shows = self.now + lag
        number = sum(map(len, self.runs.values())) + 1
        run = SimulatedRun(id=number, shows=shows, ends=shows + takes, conclusion=conclusion)
        self.runs[key].append(run)

    def lookup_result(self, intent: Intent) -> LookupResult:
        """What a listing of the channel's runs shows for a key now."""
        shown = [run for run in self.runs.get(intent.run_word, ()) if run.shows <= self.now]
        return LookupResult(
            runs=[
                Run(run_id=run.id, conclusion=run.conclusion, ended_at=int(run.ends))
                if run.ends <= self.now
                else Run(run_id=run.id)
                for run in shown
            ]
        )


class SimulatedClock:
    """The clock of one runner, `skew` seconds ahead of the world's. Waiting makes time pass."""

    is_ended = False
    is_real = False

    def __init__(self, world: World, skew: float = 0.0) -> None:
        self.world = world
        self.skew = skew

    def now(self) -> Instant:
        return int(self.moment())

    def moment(self) -> float:
        return self.world.now + self.skew

    def monotonic(self) -> float:
        return self.world.now

    def jump(self) -> float:
        return 0.0

    def follow(self, *, wall: bool) -> None:
        pass

    def sleep(self, seconds: float) -> bool:
        self.world.now += max(seconds, 0.0)
        return True

    def sleep_until(self, moment: float) -> bool:
        return self.sleep(moment - self.moment())

    def back_off(self, attempt: int) -> None:
        self.sleep(0.1 * 2 ** min(attempt, 5))


class SimulatedStore:
    """The state as one runner reaches it: a save is a compare-and-swap, as in every store."""

    name = "the simulated state"

    def __init__(self, world: World) -> None:
        self.world = world

    def load(self) -> Snapshot:
        return Snapshot(self.world.state, str(self.world.version))

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:  # noqa: ARG002 - nobody reads its log
        if str(self.world.version) != snapshot.mark:
            raise LostRace("another runner saved first")
        self.world.overwrite(state)
        return Snapshot(state, str(self.world.version))

    def save_with_archive(
        self, state: State, archived: dict[str, dict[str, Record]], snapshot: Snapshot, message: str
    ) -> Snapshot:
        saved = self.save(state, snapshot, message)
        for month in archived.values():
            self.world.archive |= month
        return saved

    def load_archive(self) -> dict[str, Record]:
        return dict(self.world.archive)

    def create(self, state: State) -> Snapshot:  # noqa: ARG002 - it is never stored
        raise StateError("a simulation starts with a state")


class SimulatedDispatcher:
    """All of a dispatcher but `send`: lookups see the world's runs, and every channel is ready."""

    def __init__(self, world: World) -> None:
        self.world = world

    def prepare(self, requests: Sequence[Request]) -> None:
        pass

    def look_up(
        self,
        intents: Mapping[str, Intent],
        run_ids: Mapping[str, int] | None = None,  # noqa: ARG002 - a listing has them all
    ) -> Mapping[str, LookupResult]:
        return {schedule_id: self.world.lookup_result(intent) for schedule_id, intent in intents.items()}

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        return {schedule_id: Readiness(ready=True) for schedule_id in intents}

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        return dict.fromkeys(intents, ())

    def close(self) -> None:
        pass


def at_once(work: Callable[[], None]) -> None:
    """In place of a thread: a simulated runner does one thing at a time."""
    work()
