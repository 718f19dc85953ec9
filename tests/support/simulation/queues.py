"""Runs and workers on one embedded queue that crash, sleep and lose its file, in any order, by seed.

The workers, the runs, the queue and the state are the real ones; only their clock and the commands are
simulated. A process crashes at any of its failpoints, and a worker may stall while the others go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest import mock

from miniature import Miniature

from scheduler.app.repository import Repository
from scheduler.clock import Clock
from scheduler.delivery import Runner
from scheduler.delivery.queue.attempts import AttemptRunner, Gate, WorkerSettings
from scheduler.delivery.queue.sqlite import Job, SqliteQueue
from scheduler.delivery.queue.sqlite_worker import SqliteWorker
from scheduler.errors import Error
from scheduler.state.jobs import End
from scheduler.times import instant_text, read_utc

from .invariants import Violation

START = read_utc("2030-03-01T12:00:00Z")
STEPS = 40
NEWS = 3
"""Seconds after an edit within which a worker may have read the files just before it."""


class Killed(BaseException):
    """A process is killed here."""


@contextmanager
def killed_at(module: str, last: int) -> Iterator[None]:
    """Kill a process at the failpoint of this number; 0: at none."""
    passed = 0

    def failpoint(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed == last:
            raise Killed

    with mock.patch(f"scheduler.delivery.{module}.failpoint", failpoint):
        yield


class SetClock(Clock):
    """A clock that stands until the world lets time pass; waiting on it takes no time."""

    def __init__(self) -> None:
        super().__init__(START)
        self.at = float(START)

    def moment(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> bool:
        return True

    def sleep_until(self, moment: float) -> bool:
        return True


class Pool:
    """Commands that run until the world ends them."""

    def __init__(self, world: QueueWorld) -> None:
        self.world = world
        self.running: dict[Future[End], Job] = {}

    def submit(self, _: Any, job: Job) -> Future[End]:
        future: Future[End] = Future()
        self.running[future] = job
        self.world.see_begin(job)
        return future


class QueueWorker:
    """One process: it works in steps, and may be left at any of them."""

    def __init__(self, world: QueueWorld, number: int) -> None:
        self.world = world
        self.pool = Pool(world)
        runner = AttemptRunner(lambda _: End(conclusion="success"), world.clock, lambda _: None)
        options = WorkerSettings(name=f"w{number}", jobs=2, lease=60, attempts=3, backoff=10)
        queue = world.repository.queue(world.settings)
        assert isinstance(queue, SqliteQueue)
        queue.lineage = world.lineage
        writer = world.repository.batch_writer(world.settings, lambda _: None)
        gate = Gate(world.clock, taken_back=world.repository.taken_back)
        self.real = SqliteWorker(queue, writer, runner, options, gate)

    def step(self) -> None:
        """One round of its loop. Raises Killed where it crashes."""
        with killed_at("queue.sqlite_worker", self.world.last_point()), suppress(Error):
            self.real._report()
            self.real._take(cast("Any", self.pool))
            self.real._collect()

    def end_one(self, conclusion: str) -> None:
        """One of its commands ends."""
        for future, job in list(self.pool.running.items())[:1]:
            del self.pool.running[future]
            self.world.see_end(job, conclusion)
            message = None if conclusion == "success" else "exit code 1"
            future.set_result(End(conclusion=cast("Any", conclusion), message=message))


class QueueWorld:
    """One seed's history."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = Random(seed)
        self.clock = SetClock()
        self.delivery = self.random.choice(("at-most-once", "at-least-once"))
        self.mini = Miniature(root)
        self.paused = False
        self.cancelled = False
        self.declare()
        assert self.mini.run("state", "init", now=instant_text(START - 3600)).code == 0
        self.repository = Repository(root, self.mini.environ, self.clock)
        settings = self.repository.settings()
        assert settings is not None
        self.settings = settings
        self.lineage = self.mini.state["lineage"]
        self.begun: Counter[str] = Counter()
        self.done: set[str] = set()
        """Keys of which a command ended well."""
        self.unsure: set[str] = set()
        """Keys of which a worker crashed or stalled, which may know more than it could say."""
        self.alive: dict[str, int] = {}
        """Key -> the attempt that runs."""
        self.lost_file = False
        self.may_crash = True
        self.workers = [QueueWorker(self, n) for n in range(2)]
        self.made = 2

    def declare(self) -> None:
        """What the editors say now."""
        self.edited = self.clock.at
        lines = [f"queue: q\ncommand: 'true'\ndelivery: {self.delivery}\n"]
        if self.paused:
            lines.append("paused: true\n")
        lines.append("schedules:\n")
        for n in range(3):
            flag = ", cancelled: true" if self.cancelled and n == 1 else ""
            lines.append(f"  - {{ video: v{n}, at: {instant_text(START + 600 * n)}{flag} }}\n")
        self.mini.write({"channels/lobby.yaml": "".join(lines)})

    def see_begin(self, job: Job) -> None:
        self.begun[job.key] += 1
        if self.delivery == "at-most-once" and self.begun[job.key] > 1:
            raise Violation("at most once", f"{job.schedule_id} was begun {self.begun[job.key]} times")
        is_news = self.clock.at - self.edited < NEWS
        if not is_news and (self.paused or (self.cancelled and "12:10" in job.schedule_id)):
            raise Violation("as declared", f"{job.schedule_id} was begun, and is held back")
        if job.key in self.alive:
            raise Violation("one effect", f"two workers run {job.schedule_id}")
        self.alive[job.key] = job.attempts

    def see_end(self, job: Job, conclusion: str) -> None:
        if self.alive.get(job.key) == job.attempts:
            del self.alive[job.key]
        if conclusion == "success":
            self.done.add(job.key)

    def last_point(self) -> int:
        """The failpoint at which a process crashes; 0 for none."""
        return self.random.randrange(1, 6) if self.may_crash and self.random.random() < 0.2 else 0

    def tick(self) -> None:
        runner = Runner(self.repository.ports(self.settings))
        with killed_at("run", self.last_point()), suppress(Error, Killed):
            runner.reconcile_once()

    def work(self, worker: QueueWorker) -> None:
        """One round of a worker, and another worker in its place where it crashes."""
        try:
            worker.step()
        except Killed:
            self.replace(worker)

    def replace(self, worker: QueueWorker) -> None:
        """A worker is killed, and its commands end with it."""
        self.lose_sight(worker)
        self.workers[self.workers.index(worker)] = QueueWorker(self, self.made)
        self.made += 1

    def lose_sight(self, worker: QueueWorker) -> None:
        for job in worker.real._mine.values():
            self.alive.pop(job.key, None)
            self.unsure.add(job.key)

    def pass_time(self, renewing: list[QueueWorker]) -> None:
        """Time passes, and workers that go on renew their leases."""
        for _ in range(12):
            self.clock.at += 10
            for one in renewing:
                one.real._renew()

    def step(self) -> None:
        chance = self.random.random()
        worker = self.random.choice(self.workers)
        if chance < 0.3:
            self.tick()
        elif chance < 0.6:
            self.work(worker)
        elif chance < 0.7:
            worker.end_one("success" if self.random.random() < 0.8 else "failure")
        elif chance < 0.78:
            self.clock.at += self.random.choice((1, 10, 30, 200, 900))  # the machine sleeps
            for one in self.random.sample(self.workers, 2):
                self.work(one)
        elif chance < 0.84:
            self.pass_time(self.workers)
        elif chance < 0.86:
            self.lose_sight(worker)  # it stalls for longer than its leases
            self.pass_time([one for one in self.workers if one is not worker])
        elif chance < 0.9:
            self.replace(worker)
        elif chance < 0.94:
            self.paused = not self.paused
            self.declare()
        elif chance < 0.96:
            self.cancelled = not self.cancelled
            self.declare()
        elif chance < 0.98:
            stranger = self.repository.queue(self.settings)
            assert isinstance(stranger, SqliteQueue)
            stranger.lineage = "theirs"
            taken = stranger.take_some(9, "stranger", self.clock.now()) if stranger.exists() else []
            if taken:
                raise Violation("whose", f"another repository's worker took {taken[0].schedule_id}")
        elif self.random.random() < 0.3:
            (self.mini.root / "queue.db").unlink(missing_ok=True)
            self.lost_file = True

    def settle(self) -> None:
        """Nothing goes wrong any more, and time passes."""
        self.paused = self.may_crash = False
        self.declare()
        for _ in range(12):
            self.clock.at += 600
            self.tick()
            for worker in self.workers:
                self.work(worker)
                while worker.pool.running:
                    worker.end_one("success")
                self.work(worker)
        for schedule_id, record in self.mini.records.items():
            key = (record.get("intent") or {}).get("key")
            status, reason = record["status"], record["reason"]
            if status not in ("completed", "failed", "cancelled"):
                raise Violation("nothing lost", f"{schedule_id} is {status} for ever")
            if status == "completed" and key not in self.done:
                raise Violation("nothing lost", f"{schedule_id} is completed, and no command did it")
            if reason == "missed" and self.begun[key]:
                raise Violation("monotone", f"{schedule_id} is missed, and was begun")
            if key in self.done - self.unsure and status != "completed" and not self.lost_file:
                raise Violation("nothing lost", f"{schedule_id} is {status} ({reason}), and was done")


def play_queues(seed: int) -> None:
    """Play one seed. Raises Violation."""
    with TemporaryDirectory() as folder:
        world = QueueWorld(Path(folder), seed)
        for _ in range(STEPS):
            world.step()
        world.settle()
