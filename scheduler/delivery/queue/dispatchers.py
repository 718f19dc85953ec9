"""The dispatchers of channels without a repository, and the queue that a URL names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from scheduler.delivery.dispatcher import Check, Readiness, Request
from scheduler.delivery.queue.celery import CONNECT, SCHEMES, TASK, Broker, messages_on, queue_name
from scheduler.delivery.queue.database import NothingWritten
from scheduler.delivery.queue.sqlite import ENDED, PUT_ASIDE, Job, SqliteQueue, job_id_of, row_of
from scheduler.errors import Error, QueueError
from scheduler.state.answers import Answer, LookupResult, Pointer, Run
from scheduler.state.record import Intent
from scheduler.times import Instant, read_utc

MISSING = 5 * 60
"""Seconds after which a job that no worker has begun must be among the messages of its queue."""


def open_queue(
    url: str, root: Path, *, attempts: int = 3, backoff: int = 60, password: str | None = None
) -> SqliteQueue | Broker:
    """The queue that a URL names: `sqlite:///queue.db` (below `root`), `sqlite:////var/lib/queue.db`, or a
    broker's, such as `redis://queue.internal/0`.

    `attempts` and `backoff` (seconds, doubling) are those of jobs that may be repeated; `password` is for
    the broker. Nothing is opened or created yet. Raises Error for a URL that does not name a queue, or one
    with a password in it, which is not shown.
    """
    scheme, separator, rest = url.partition("://")
    if scheme in SCHEMES and separator:
        return Broker(url, password)
    if scheme.startswith("valkey") and separator:
        raise Error(
            "the setting `queue` is not the URL of a supported queue",
            hint=f"write `queue: {url.replace('valkey', 'redis', 1)}`: Valkey speaks Redis' protocol",
        )
    if scheme != "sqlite" or not separator:
        raise Error(
            "the setting `queue` is not the URL of a supported queue",
            hint=f"write `queue: sqlite:///queue.db`, or a broker's URL ({', '.join(SCHEMES)})",
        )
    path = rest.removeprefix("/")
    if not rest.startswith("/") or not path.strip("/") or set(path) & set("?#\0"):
        raise Error(
            "the setting `queue` does not name a file",
            hint="write three slashes and a path: `queue: sqlite:///queue.db`",
        )
    return SqliteQueue(root / path, attempts=attempts, backoff=backoff)


class AnyQueue(Protocol):
    """What both kinds of queue have in common."""

    @property
    def name(self) -> str:
        """What messages call it, without secrets."""

    def check(self) -> None:
        """Raise QueueError where jobs could not be enqueued now. Creates nothing."""


class _ToQueue:
    """What a dispatcher does where the channel behind it is a queue: one check says it all."""

    def __init__(self, queue: AnyQueue) -> None:
        self._checked = queue

    def prepare(self, requests: Sequence[Request]) -> None:
        """Nothing to prepare: a job waits for its worker anyway."""

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        """Whether the queue accepts jobs. Whether any worker takes them is not checked."""
        check = self._check()
        problem = None if check.ok else check.message
        return dict.fromkeys(intents, Readiness(ready=bool(check.ok), problem=problem, hint=check.hint))

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        return dict.fromkeys(intents, (self._check(),))

    def _check(self) -> Check:
        try:
            self._checked.check()
        except QueueError as problem:
            return Check("queue", False, problem.message, problem.hint)
        return Check("queue", True, f"the queue {self._checked.name} accepts jobs")

    def close(self) -> None:
        """Nothing is held open."""


class SqliteDispatcher(_ToQueue):
    """Enqueues on the embedded queue.

    `now` is the scheduler's clock: with it, a lookup also finds the workers that went away; without it,
    that is left to the workers.
    """

    def __init__(
        self,
        queue: SqliteQueue,
        *,
        now: Callable[[], Instant] | None = None,
        lineage: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(queue)
        self.queue = queue
        self._now = now
        self._lineage = lineage

    def identity(self) -> str:
        return self.queue.identity()

    def take_back(self, intents: Mapping[str, Intent], reasons: Mapping[str, str]) -> None:
        known = {intents[i].key: why for i, why in reasons.items() if i in intents}
        with suppress(QueueError):  # the lookup that follows finds the same trouble, or the job still there
            self.queue.withdraw(known, self._now() if self._now is not None else 0)

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Enqueue all jobs in one transaction, in the order given; a job that is there already is a yes."""
        good: list[Request] = []
        for request in requests:
            try:
                row_of(request)  # `enqueue` takes all or none: one bad payload must not hold up the others
            except (ValueError, TypeError, RecursionError) as problem:
                yield request, Answer(verdict="refused", error=f"nothing was enqueued: {problem}")
            else:
                good.append(request)
        if not good:
            return
        try:
            self.queue.lineage = self._lineage()
            jobs = self.queue.enqueue(good)
        except NothingWritten as problem:
            yield from ((request, Answer(verdict="not-now", error=problem.message)) for request in good)
            return
        except QueueError as problem:
            yield from ((request, self._in_doubt(request, problem)) for request in good)
            return
        for request, job in zip(good, jobs, strict=True):
            yield request, _answer(request, job)

    def _in_doubt(self, request: Request, problem: QueueError) -> Answer:
        """A commit that reported an error may still have happened: look for the job, if that is possible."""
        try:
            job = self.queue.find([job_id_of(request.schedule_id, request.intent)])
        except QueueError:
            return Answer(verdict="unknown", error=problem.message)
        if job:
            return _answer(request, next(iter(job.values())))
        return Answer(verdict="not-now", error=problem.message)

    def look_up(
        self,
        intents: Mapping[str, Intent],
        run_ids: Mapping[str, int] | None = None,  # noqa: ARG002 - the protocol's; the job id is enough
    ) -> Mapping[str, LookupResult]:
        """The job of each intent, as a run."""
        ids = {schedule_id: job_id_of(schedule_id, intent) for schedule_id, intent in intents.items()}
        try:
            if self._now is not None:
                self.queue.lineage = self._lineage()
                self.queue.reap(self._now())
            jobs, file = self.queue.look(ids.values())
        except QueueError as problem:
            return dict.fromkeys(intents, LookupResult(error=problem.message))
        seen: dict[str, LookupResult] = {}
        for schedule_id, intent in intents.items():
            job = jobs.get(ids[schedule_id])
            runs = (_as_run(job),) if job is not None and job.key == intent.key else ()
            is_absent = not runs and proves_absence(file, intent)
            seen[schedule_id] = LookupResult(runs=runs, is_absent=is_absent)
        return seen


def _answer(request: Request, job: Job) -> Answer:
    if job.key != request.intent.key:
        error = f"the queue has a job {job.job_id} of another scheduler (another lineage)"
        return Answer(verdict="refused", error=error)
    return Answer(verdict="accepted", run_id=job.number)


def _as_run(job: Job) -> Run:
    return Run(
        run_id=job.number,
        conclusion="put-aside" if job.state in PUT_ASIDE else job.state if job.state in ENDED else None,
        started_at=job.started_at,
        message=job.message,
    )


def proves_absence(file: str | None, intent: Intent) -> bool:
    """Whether what is not in this queue file was never enqueued: only where this file was to get it."""
    return file is not None and file == intent.queue_file


class BrokerDispatcher(_ToQueue):
    """Sends messages to a broker. `lineage` is asked for when the first message leaves."""

    def __init__(self, broker: Broker, lineage: Callable[[], str], now: Callable[[], Instant]) -> None:
        super().__init__(broker)
        self._now = now
        self._broker = broker
        self._lineage = lineage

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Send one message each, in the order given, over one connection.

        A failure is a definite "not now": should the message have arrived all the same, no worker begins
        its job, because the state has no such intent any more.
        """
        with self._broker.app() as app:
            try:
                connection = self._broker.guarded(lambda: self._broker.connect(app))
            except QueueError as problem:
                yield from (
                    (request, Answer(verdict="not-now", error=problem.message)) for request in requests
                )
                return
            failure: QueueError | None = None
            with connection, app.amqp.Producer(connection) as producer:
                for request in requests:
                    if failure is None:  # a broker that failed once would only delay the others
                        failure = self._send_one(app, producer, request)
                    error = None if failure is None else failure.message
                    yield request, Answer(verdict="accepted" if failure is None else "not-now", error=error)

    def _send_one(self, app: Any, producer: Any, request: Request) -> QueueError | None:
        """Send the message of one request; returns what went wrong, if anything."""
        intent = request.intent
        pointer = Pointer(request.schedule_id, intent.key, intent.owner, intent.at)
        queue = self._broker.add_queue(app, self._lineage(), intent.queue or "publications")
        try:
            self._broker.guarded(
                lambda: app.send_task(
                    TASK,
                    kwargs=msgspec.to_builtins(pointer),
                    task_id=job_id_of(request.schedule_id, intent),
                    queue=queue,
                    producer=producer,
                    retry=False,
                    timeout=CONNECT,
                    confirm_timeout=CONNECT,  # RabbitMQ confirms nothing while short of memory or disk
                )
            )
        except QueueError as problem:
            return problem
        return None

    def look_up(
        self,
        intents: Mapping[str, Intent],
        run_ids: Mapping[str, int] | None = None,  # noqa: ARG002 - the protocol's; a job has none
    ) -> Mapping[str, LookupResult]:
        """The state itself says what became of each: a broker does not know.

        It knows whether a queue is empty. A job that should have waited there for a while is then missing.
        """
        old = {
            i: intent.queue or "publications"
            for i, intent in intents.items()
            if self._now() - read_utc(intent.at) > MISSING
        }
        empty = self._empty(set(old.values())) if old else set()
        return {i: LookupResult(by_record=True, is_absent=old.get(i) in empty) for i in intents}

    def _empty(self, names: Iterable[str]) -> set[str]:
        """Those queues on which no message waits; none where the broker does not answer."""

        def ask() -> set[str]:
            with self._broker.connect(app) as connection:
                return {n for n in names if not messages_on(connection, queue_name(self._lineage(), n))}

        with self._broker.app() as app, suppress(QueueError):
            found: set[str] = self._broker.guarded(ask)
            return found
        return set()
