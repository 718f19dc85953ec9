"""The world of `scheduler.simulation`, with runners in it that are stopped and killed between two effects.

Each part adds the points at which that may happen, and asks `Faults` what goes wrong there; the judge
(`invariants.py`) sees every save, every request and every publication.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec
from greenlet import getcurrent, greenlet

import scheduler.simulation.world as plain
from scheduler.delivery.dispatcher import Readiness, Request
from scheduler.delivery.github import responses
from scheduler.delivery.github.http_connection import NotSent, Outcome, Reply, ResponseLost
from scheduler.delivery.github.refusal_hints import where_token_ended
from scheduler.errors import LostRace, ScheduleError, StateError
from scheduler.planning.plan import Surroundings
from scheduler.state.answers import Answer, LookupResult
from scheduler.state.record import Intent, Record, State
from scheduler.state.stores import Snapshot
from scheduler.times import ZoneData, installed_zones, read_utc, using_zones

from .declared import FOLDER, TOKENS, Version
from .invariants import SECRET, Judge, Violation

if TYPE_CHECKING:
    from scheduler.delivery import Runner

STOPPED = Surroundings(tokens=frozenset(TOKENS), stopped=True)
GOING = Surroundings(tokens=frozenset(TOKENS))


ENDLESS = 3_000
"""Points that no run passes."""


class Killed(BaseException):
    """The process is gone; nothing that it does from here on has any effect."""


# --- what goes wrong --------------------------------------------------------------------------------------

Push = Literal["stored", "refused", "lost before", "lost after"]


class Reception(NamedTuple):
    """What becomes of one request: how many runs it starts, after how long, and what the sender hears."""

    outcome: Callable[[float], Outcome]
    """The answer at an instant, as it comes out of the connection."""
    runs: int = 0
    is_accepted: bool = False
    after: float = 0.0


def _reply(status: int, words: str = "", **headers: str) -> Callable[[float], Outcome]:
    """An answer whose words repeat the token, as no server should."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = msgspec.json.encode({"message": f"{words} (token {SECRET})"}) if words else b""

    def reply(now: float) -> Outcome:
        return Reply(status=status, headers={**named, "date": formatdate(now, usegmt=True)}, body=body)

    return reply


RECEPTIONS: Mapping[str, Reception] = {
    "204": Reception(_reply(204), runs=1, is_accepted=True),
    "204, two runs": Reception(_reply(204), runs=2, is_accepted=True),
    "204, no run": Reception(_reply(204), is_accepted=True),
    "502, accepted": Reception(_reply(502, "Bad Gateway"), runs=1, is_accepted=True),
    "503, not accepted": Reception(_reply(503, "Service Unavailable")),
    "cut, accepted": Reception(lambda _: ResponseLost("the answer was cut"), runs=1, is_accepted=True),
    "timeout, accepted later": Reception(
        lambda _: ResponseLost("timeout"), runs=1, is_accepted=True, after=700
    ),
    "lost": Reception(lambda _: ResponseLost("timeout")),
    "404": Reception(_reply(404, "Not Found")),
    "401": Reception(_reply(401, "Bad credentials")),
    "429": Reception(_reply(429, "Too many", retry_after="90")),
    "403, limited": Reception(_reply(403, "You have exceeded a secondary rate limit")),
    "connection refused": Reception(lambda _: NotSent("connection refused")),
}


class Faults(Protocol):
    """What goes wrong, by chance or by a script."""

    def push(self) -> Push: ...
    def reception(self) -> Reception: ...
    def lookup_fails(self) -> bool: ...
    def lag(self) -> float:
        """Seconds until a listing shows a new run."""

    def conclusion(self) -> str | None:
        """How a run that publishes ends; None for one that never does."""

    def pick(self, count: int) -> int:
        """Which of several things happens next."""


class Calm:
    """Nothing goes wrong."""

    def push(self) -> Push:
        return "stored"

    def reception(self) -> Reception:
        return RECEPTIONS["204"]

    def lookup_fails(self) -> bool:
        return False

    def lag(self) -> float:
        return 1.0

    def conclusion(self) -> str | None:
        return "success"

    def pick(self, count: int) -> int:
        return 0


# --- processes --------------------------------------------------------------------------------------------


class Process:
    """One process of the scheduler, stopped at points between its effects."""

    runner: Runner

    def __init__(
        self,
        world: World,
        name: str,
        work: Callable[[Process], None],
        *,
        skew: float = 0.0,
        is_person: bool = False,
        folder: str = FOLDER,
        zones: ZoneData | None = None,
    ) -> None:
        self.world = world
        self.zones = zones or installed_zones()
        """The zone data of its machine."""
        self.folder = folder
        """Of the repository, whose files it reads."""
        self.name = name
        self.skew = skew
        self.is_person = is_person
        """A person's command, and no run."""
        self.is_ended = False
        """It was asked to end (SIGTERM)."""
        self.killed = False
        self.wake = 0.0
        self.suspended = 0.0
        """Seconds for which its machine slept: a monotonic clock does not count them."""
        self.fault: BaseException | None = None
        self.in_force = 0
        """The version that was in force when it read the record."""
        self.read = 0
        """The version that it read last."""
        self.has_read = False
        """Whether it read what is declared since it read the record."""
        self.surroundings = GOING
        self.token_ends = float("inf")
        """When the token ends that was minted for it."""
        self.token_refused: str | None = None
        """What the server said of its token; another process has another one."""
        self.looked = 0.0
        self.saved: State | None = None
        self.places: dict[str, tuple[int, int]] = {}
        """By group: the time and position of the last of this batch that left."""
        self.threads: list[greenlet] = []
        self.points = 0
        self._greenlet = greenlet(lambda: self._live(work))

    def _live(self, work: Callable[[Process], None]) -> None:
        try:
            with using_zones(self.zones):
                work(self)
        except Killed:
            pass
        except (StateError, LostRace, ScheduleError) as fault:
            self.fault = fault
            self.world.judge.see_text(f"{fault} {getattr(fault, 'hint', '')}")
        except Violation:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever breaks is a find
            self.world.judge.fail("sound", f"{self.name} broke: {type(fault).__name__}: {fault}")
        finally:
            self.killed = True
            for thread in self.threads:
                if thread and not thread.dead:
                    thread.throw(Killed)

    @property
    def owner(self) -> str:
        """The random name that a run gives itself."""
        return self.name

    @property
    def is_alive(self) -> bool:
        return not self._greenlet.dead

    @property
    def is_asleep(self) -> bool:
        return self.wake > self.world.now

    def known_surroundings(self) -> Surroundings:
        """What it read last, and that its token was refused."""
        if self.token_refused is None:
            return self.surroundings
        ended = {(name, None): self.token_refused for name in TOKENS}
        return msgspec.structs.replace(self.surroundings, ended=ended)

    @property
    def saw_stop(self) -> bool:
        return self.surroundings.stopped

    def clock(self) -> int:
        """What its wall clock shows."""
        return int(self.world.now + self.skew)

    def ticks(self) -> float:
        """What its monotonic clock shows."""
        return self.world.now - self.suspended

    def decided(self) -> int:
        """The instant for which its last plan was made, by its own clock."""
        last = self.runner.report.last
        assert last is not None
        return last.plan.now

    def blocked(self) -> Mapping[str, Any]:
        """What a rule holds back, as its last look found."""
        last = self.runner.report.last
        return {} if last is None else last.blocked

    def put_off(self) -> Collection[str]:
        """What waits for its turn, as its last look found."""
        last = self.runner.report.last
        return () if last is None else [one.schedule_id for one in last.plan.put_off]

    def step(self) -> None:
        """Let it go on to its next point. Raises the first Violation that anything has met."""
        self.world.current = self
        try:
            self._greenlet.switch()
        finally:
            self.world.current = None
        if self.world.judge.first_broken is not None:
            raise self.world.judge.first_broken

    def kill(self) -> None:
        self.killed = True
        while self.is_alive:
            self.step()

    def point(self, name: str) -> None:
        """A place between two effects. In one of its threads only the thread stops here."""
        self.world.trace.append((self.world.now, self.name, name))
        self.points += 1
        if self.points > ENDLESS and not self.killed:
            self.world.judge.fail("sound", f"{self.name} goes on for ever")
        inside = getcurrent()
        hub = inside.parent
        if hub is not None and (inside is self._greenlet or inside in self.threads):
            hub.switch()
        if self.killed:
            raise Killed

    def beside(self, work: Callable[[], None]) -> None:
        """A thread: it goes on while the process waits for what threads have to say."""
        self.threads.append(greenlet(work))

    def let_threads_go_on(self) -> None:
        """Let each thread go on to its next point while the process itself does nothing."""
        for thread in [thread for thread in self.threads if not thread.dead]:
            thread.switch()

    def wait_for_threads(self) -> None:
        """Let one thread go on to its next point, and stop there as a whole."""
        alive = [thread for thread in self.threads if not thread.dead]
        thread = alive[self.world.faults.pick(len(alive))]
        thread.switch()
        hub = self._greenlet.parent
        if not thread.dead and hub is not None and getcurrent() is self._greenlet:
            hub.switch()
        if self.killed:
            raise Killed


class Arrivals:
    """The queue between the threads of a simulated process: whoever waits for it lets them go on."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._items: deque[Any] = deque()
        self._world = world

    def put(self, item: Any) -> None:
        self._items.append(item)

    def get(self) -> Any:
        while not self._items:
            process = self._world().current
            assert process is not None, "only a process waits"
            process.wait_for_threads()
        return self._items.popleft()

    def empty(self) -> bool:
        return not self._items


# --- the world --------------------------------------------------------------------------------------------


class Tip(NamedTuple):
    """One commit of the record. Equal ones are the same commit for git."""

    parent: int
    state: State
    second: int
    nonce: str


@dataclass(kw_only=True)
class World(plain.World):
    """Everything outside the runners."""

    faults: Faults
    versions: list[Version] = field(default_factory=list)
    """Every version of what was declared; the last one is in force."""
    is_stopped: bool = False
    """SCHEDULER_PAUSED=1"""
    has_trouble: bool = True
    is_away: bool = False
    """The remote of the record does not answer."""
    is_silent: bool = False
    """No server says what time it is."""
    trace: list[tuple[float, str, str]] = field(default_factory=list)
    owners: dict[str, int] = field(default_factory=dict)
    """Key -> the run whose claim it is: the one run that may publish."""
    scheduled: dict[str, str] = field(default_factory=dict)
    """Key -> schedule id."""
    current: Process | None = None
    tip: Tip | None = None

    def __post_init__(self) -> None:
        self.judge = Judge(self)
        self.scrub = responses.scrubber((SECRET,))

    @property
    def surroundings(self) -> Surroundings:
        return STOPPED if self.is_stopped else GOING

    def start_runs(self, request: Request, reception: Reception) -> None:
        """What GitHub makes of a dispatch that it accepted."""
        key = request.intent.key
        self.scheduled[key] = request.schedule_id
        for _ in range(reception.runs):
            lag = reception.after + self.faults.lag()
            self.start_run(key, lag=lag, takes=60)
            run = self.runs[key][-1]
            is_late = self.now + reception.after > read_utc(request.intent.not_after)
            if is_late or self.owners.setdefault(key, run.id) != run.id:
                run.conclusion = "cancelled"  # what the channel's own workflow makes of it
            else:
                self._end(key, run)

    def _end(self, key: str, run: plain.SimulatedRun) -> None:
        conclusion = self.faults.conclusion()
        run.conclusion = conclusion or "never"
        if conclusion is None:
            run.ends = float("inf")
        if conclusion == "success":
            self.judge.see_publication(self.scheduled[key])

    def run_again(self, key: str) -> None:
        """A person runs the run of a key again that failed. It is the claim's owner, so it may go on."""
        for run in self.runs[key]:
            is_over = run.ends <= self.now and run.conclusion not in ("success", "never")
            if is_over and self.owners.get(key) == run.id:
                run.ends = self.now + 60
                self._end(key, run)

    def lookup_result(self, intent: Intent) -> LookupResult:
        """What a listing of the channel's runs says of a key now, if it says anything."""
        if self.faults.lookup_fails():
            return LookupResult(error="HTTP 502")
        return msgspec.structs.replace(super().lookup_result(intent), server_time=int(self.now))


class SimulatedStore(plain.SimulatedStore):
    """The record, as one process reaches it: commits on a branch, pushed as compare-and-swap."""

    world: World

    def __init__(self, process: Process) -> None:
        super().__init__(process.world)
        self.process = process

    def load(self) -> Snapshot:
        self.process.point("load")
        self._demand_remote()
        self.process.in_force = len(self.world.versions) - 1
        self.process.has_read = False
        self.process.looked = self.world.now
        return super().load()

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        return self.save_with_archive(state, {}, snapshot, message)

    def save_with_archive(
        self, state: State, archived: dict[str, dict[str, Record]], snapshot: Snapshot, message: str
    ) -> Snapshot:
        process, world = self.process, self.world
        process.point("before save")
        self._demand_remote()
        push = world.faults.push()
        if push in ("refused", "lost before"):
            raise StateError(f"the push was {push}")
        tip = Tip(int(snapshot.mark), state, process.clock(), self.nonce())
        if str(world.version) != snapshot.mark:
            if world.tip == tip:  # git: everything up to date
                return Snapshot(state, str(world.version))
            raise LostRace("another runner saved first")
        self.store(state, archived, message)
        world.tip = tip
        mark = str(world.version)
        process.point("after save")
        if push == "lost after":
            raise StateError("it is not known whether it was saved")
        return Snapshot(state, mark)

    def _demand_remote(self) -> None:
        if self.world.is_away:
            raise StateError("the remote is away")

    def nonce(self) -> str:
        """The random mark of a commit."""
        return f"{self.process.name} {len(self.world.trace)}"

    def store(self, state: State, archived: dict[str, dict[str, Record]], message: str) -> None:
        """Store without a question, before the eyes of the judge."""
        world = self.world
        world.judge.see_save(self.process, world.state, state, message)
        for month in archived.values():
            world.archive |= month
        world.overwrite(state)
        world.judge.see_ids(state, world.archive)
        self.process.saved = state

    def create(self, state: State) -> Snapshot:
        self.world.judge.fail("sound", "a run must never begin a record")


class SimulatedGitHub(plain.SimulatedDispatcher):
    """The way out, as one process has it."""

    world: World

    def __init__(self, process: Process) -> None:
        super().__init__(process.world)
        self.process = process

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Begun in their order; the answers come as they like."""
        answered: list[tuple[Request, Answer]] = []
        refused = None
        for request in requests:
            self.process.point(f"before the request for {request.schedule_id}")
            answer = self._receive(request)
            refused = answer.error if answer.token_ended else refused
            self.process.point(
                f"after the request for {request.schedule_id}: {answer.verdict} {answer.error}"
            )
            answered.append((request, answer))
            if request is requests[-1]:  # the requests of one batch are all on their way at once
                self.process.token_refused = self.process.token_refused or refused
            while answered and self.world.faults.pick(2) == 0:
                yield answered.pop(self.world.faults.pick(len(answered)))
        while answered:
            yield answered.pop(self.world.faults.pick(len(answered)))

    def _receive(self, request: Request) -> Answer:
        """A request arrives, or does not; and an answer comes back, or does not."""
        world = self.world
        reception = world.faults.reception()
        if world.now >= self.process.token_ends:
            reception = RECEPTIONS["401"]
        outcome = reception.outcome(world.now)
        ended = where_token_ended(outcome) is not None
        answer = responses.judge(outcome, world.scrub, token_ended=ended, now=self.process.clock())
        world.judge.see_request(self.process, request, answer, is_accepted=reception.is_accepted)
        if reception.is_accepted:
            world.start_runs(request, reception)
        return answer

    def look_up(
        self, intents: Mapping[str, Intent], run_ids: Mapping[str, int] | None = None
    ) -> Mapping[str, LookupResult]:
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

    @property
    def is_ended(self) -> bool:  # type: ignore[override]
        return self.process.is_ended

    def moment(self) -> float:
        return self.process.world.now + self.process.skew

    def monotonic(self) -> float:
        return self.process.ticks()

    def sleep(self, seconds: float) -> bool:
        self.process.wake = self.process.world.now + max(seconds, 0.0)
        while self.process.is_asleep and not self.is_ended:
            self.process.point("asleep")
            self.process.let_threads_go_on()
        return not self.is_ended


def fresh_state() -> State:
    return State(version=2, lineage="simulated", serial=1, folder=FOLDER)
