"""The queue on a broker that people run already, Redis or RabbitMQ, through Celery (the extra `celery`).

A message carries the name of one saved intent and nothing else: no command, no payload, no secret. Whoever
can write to the broker can make a worker look at the record, and no more. Whether a job may begin is decided
on the record (`scheduler.jobs`), which is why nothing here has to be exactly once: Celery delivers late
acknowledged messages at least once, and a message that is sent twice is one job.

The queues of two repositories on one broker are kept apart by the lineage of their states.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from scheduler.dispatchers import Answer, Check, Pointer, Readiness, Request, Sighting
from scheduler.errors import QueueError, SchedulerError
from scheduler.state import Intent

SCHEMES = ("redis", "rediss", "amqp", "amqps")
TASK = "scheduler.publish"
CONNECT = 5
"""Seconds within which a broker has to answer a connection, and a step of it."""
IDLE_LOOK = 0.3
"""Seconds between two looks of a worker that ends once nothing waits."""
IDLE_LOOKS = 4
"""Looks that have to find nothing: a message is in nobody's count while it is handed over."""
TROUBLE_PAUSE = 5
"""Seconds after which a message is given back that could not be handled."""


def broker_url(url: str, password: str | None) -> str:
    """The URL with the password of the operator's environment in it. Raises SchedulerError where it has one.

    The settings are in git, and a password in them would be told to everybody who can read that.
    """
    parts = urlsplit(url)
    if parts.password is not None:
        raise SchedulerError(
            "the setting `queue` holds a password, and scheduler.yaml is no place for one",
            hint="change it, write the URL without it, and set SCHEDULER_QUEUE_PASSWORD in the environment",
        )
    if password is None:
        return url
    _, _, address = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{parts.username or ''}:{quote(password, safe='')}@{address}").geturl()


class Broker:
    """One broker, as `doctor` and `ask_ready` see it. Raises SchedulerError where Celery is not installed."""

    def __init__(self, url: str, password: str | None = None) -> None:
        self._url = broker_url(url, password)
        self._celery = _celery(urlsplit(url).scheme)

    @property
    def name(self) -> str:
        """What messages call it: where it is, without who logs in."""
        parts = urlsplit(self._url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or 'localhost'}{port}"

    def check(self) -> None:
        """Raise QueueError where jobs could not be put on the queue now. Makes nothing."""
        with self.app() as app:
            self.guarded(lambda: self.reach(app).release())

    def dead(self) -> list[Any]:
        """None: what did not end well is in the record, for `list` to show."""
        return []

    def app(self, **options: Any) -> Any:
        """A Celery application for this broker alone, which nothing global knows of."""
        transport: dict[str, Any] = {"confirm_publish": True}  # RabbitMQ: a yes once the message is kept
        if urlsplit(self._url).scheme.startswith("redis"):
            transport = {"socket_connect_timeout": CONNECT, "socket_timeout": 4 * CONNECT}
        transport |= options.pop("broker_transport_options", {})
        app = self._celery.Celery("scheduler", broker=self._url, set_as_current=False, fixups=[])
        app.conf.update(
            accept_content=["json"],
            task_serializer="json",
            task_ignore_result=True,
            broker_connection_timeout=CONNECT,
            broker_transport_options=transport,
            **options,
        )
        return app

    def reach(self, app: Any) -> Any:
        """A connection that is open; whoever asks for it releases it."""
        connection = app.connection_for_write()
        connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=CONNECT)
        return connection

    def guarded(self, act: Callable[[], Any]) -> Any:
        """Do something with the broker. Raises QueueError, without the URL, for whatever goes wrong."""
        try:
            return act()
        except Exception as problem:  # noqa: BLE001 - every transport has exceptions of its own
            words = str(problem) or type(problem).__name__
            raise QueueError(
                f"the queue {self.name} failed: {self._clean(words)}",
                hint="see that the broker runs, that `queue:` names it, and SCHEDULER_QUEUE_PASSWORD fits",
            ) from None

    def _clean(self, words: str) -> str:
        password = urlsplit(self._url).password
        for secret in filter(None, (self._url, password, quote(password or "", safe=""))):
            words = words.replace(secret, "***")
        return " ".join(words.split())[:300]


def queue_name(lineage: str, name: str) -> str:
    """What a queue of this repository is called on the broker."""
    return f"scheduler.{lineage}.{name}"


class BrokerDispatcher:
    """The way to channels without a repository, where the queue is a broker's.

    `lineage` is asked for when the first message leaves.
    """

    def __init__(self, broker: Broker, lineage: Callable[[], str]) -> None:
        self._broker = broker
        self._lineage = lineage

    def prepare(self, requests: Sequence[Request]) -> None:
        """Nothing: a job waits for its worker anyway."""

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Send one message each, in the order given, over one connection.

        A failure is a definite not-now: should the message have got through all the same, the record does
        not have its intent any more, and no worker begins.
        """
        with self._broker.app() as app:
            try:
                connection = self._broker.guarded(lambda: self._broker.reach(app))
            except QueueError as problem:
                yield from ((request, Answer(verdict="not-now", error=str(problem))) for request in requests)
                return
            with connection, app.amqp.Producer(connection) as producer:
                for request in requests:
                    yield request, self._send_one(app, producer, request)

    def _send_one(self, app: Any, producer: Any, request: Request) -> Answer:
        intent = request.intent
        pointer = Pointer(request.schedule_id, intent.key, intent.owner, intent.at)
        queue = queue_name(self._lineage(), intent.queue or "publications")
        try:
            self._broker.guarded(
                lambda: app.send_task(
                    TASK,
                    kwargs=msgspec.to_builtins(pointer),
                    task_id=intent.job_id or request.schedule_id,
                    queue=queue,
                    producer=producer,
                    retry=False,
                )
            )
        except QueueError as problem:
            return Answer(verdict="not-now", error=str(problem))
        return Answer(verdict="accepted")

    def look_up(
        self,
        intents: Mapping[str, Intent],
        run_ids: Mapping[str, int] | None = None,  # noqa: ARG002 - the protocol's; a job has none
    ) -> Mapping[str, Sighting]:
        """The record itself says what became of each: a broker does not know."""
        return dict.fromkeys(intents, Sighting(by_record=True))

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        """Whether the broker takes jobs. Whether somebody works on them is not its business."""
        check = self._check()
        problem = None if check.ok else check.words
        return dict.fromkeys(intents, Readiness(ready=check.ok is True, problem=problem, hint=check.hint))

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        return dict.fromkeys(intents, (self._check(),))

    def _check(self) -> Check:
        try:
            self._broker.check()
        except QueueError as problem:
            return Check("queue", False, str(problem), problem.hint)
        return Check("queue", True, f"the queue {self._broker.name} takes jobs")

    def close(self) -> None:
        """Nothing is held open."""


# --- the worker's side --------------------------------------------------------------------------------


class Deliveries:
    """The messages of some queues, handed to `handle` by up to `jobs` threads at once.

    `handle` answers how many seconds later a message has to come again, or None: it is acknowledged, and
    not before. Where it raises SchedulerError the message goes back; `tell` gets what a person should know.
    `is_ended`: a signal came before Celery, which listens to SIGTERM and SIGINT itself, was up.
    """

    def __init__(
        self,
        broker: Broker,
        lineage: str,
        queues: Sequence[str],
        handle: Callable[[Pointer], int | None],
        tell: Callable[[str], None],
        *,
        is_ended: Callable[[], bool],
        jobs: int,
        lease: int,
    ) -> None:
        self._broker = broker
        self._lineage = lineage
        self._queues = [queue_name(lineage, name) for name in queues]
        self._handle = handle
        self._tell = tell
        self._is_ended = is_ended
        self._jobs = jobs
        self._lease = lease
        self._busy = 0
        self._lock = threading.Lock()
        self._over = threading.Event()

    def work(self, *, once: bool) -> None:
        """Work until a signal asks to end (held jobs are finished first), or, with `once`, until none waits.

        Raises QueueError where the broker cannot be reached in the beginning.
        """
        self._broker.check()
        app = self._broker.app(
            task_acks_late=True,
            worker_prefetch_multiplier=1,  # what waits here could be worked on elsewhere
            worker_enable_remote_control=False,
            worker_hijack_root_logger=False,
            worker_redirect_stdouts=False,
            broker_connection_retry_on_startup=True,
            worker_cancel_long_running_tasks_on_connection_loss=False,
            broker_transport_options=self._transport(),
        )

        @app.task(name=TASK, bind=True, max_retries=None)  # type: ignore[untyped-decorator]  # it has no types
        def publish(task: Any, **named: str) -> None:
            wait = self._deliver(named)
            if wait is not None:
                raise task.retry(countdown=wait + 1)

        worker = app.Worker(
            pool="threads",
            concurrency=self._jobs,
            queues=self._queues,
            loglevel="ERROR",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        signals: Any = importlib.import_module("celery.signals")

        @signals.worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]  # it has no types
        def tick(sender: Any, **_: Any) -> None:
            """Wake Celery's loop now and then: else it notices late that it was asked to end."""
            sender.timer.call_repeatedly(IDLE_LOOK, lambda: None)

        threading.Thread(target=self._watch, args=(app, once), daemon=True).start()
        platforms: Any = importlib.import_module("celery.platforms")
        warnings.filterwarnings(
            "ignore", category=platforms.SecurityWarning
        )  # it tells of an option not ours
        try:
            worker.start()
        finally:
            self._over.set()
            app.close()
        if worker.exitcode:
            raise QueueError(f"the queue {self._broker.name} failed: the worker ended with {worker.exitcode}")

    def _transport(self) -> dict[str, Any]:
        """How Redis, which does not notice that a worker is gone, gives its messages to another one.

        The notes on them are kept apart from those of other programs on the same server, whose messages
        would else come again after our time.
        """
        notes = f"scheduler.{self._lineage}"
        return {
            "visibility_timeout": 2 * self._lease,
            "unacked_restore_interval": min(self._lease, 10),
            "unacked_restore_throttle": 1,
            "unacked_key": f"{notes}.unacked",
            "unacked_index_key": f"{notes}.unacked-index",
            "unacked_mutex_key": f"{notes}.unacked-mutex",
        }

    def _deliver(self, named: Mapping[str, str]) -> int | None:
        """Hand one message on. It is acknowledged where this returns, and given back where it raises."""
        with self._lock:
            self._busy += 1
        try:
            return self._handle(msgspec.convert(named, Pointer))
        except msgspec.ValidationError as problem:
            self._tell(f"a message that is none of ours was dropped: {problem}")
            return None
        except Exception as problem:  # noqa: BLE001 - whatever it was, the job must not be lost with it
            self._tell(f"{named['schedule_id']} goes back to the queue: {type(problem).__name__}: {problem}")
            self._over.wait(TROUBLE_PAUSE)
            raise importlib.import_module("celery.exceptions").Reject(requeue=True) from None
        finally:
            with self._lock:
                self._busy -= 1

    def _watch(self, app: Any, once: bool) -> None:
        """Ask Celery to end where a signal came too early for it; with `once`, when nothing is to be done."""
        quiet = 0
        with app.connection_for_read() as connection:
            while quiet < IDLE_LOOKS and not self._is_ended() and not self._over.wait(IDLE_LOOK):
                idle = once and not self._busy and not self._waiting(connection)
                quiet = quiet + 1 if idle else 0
        state: Any = importlib.import_module("celery.worker.state")
        state.should_stop = 0

    def _waiting(self, connection: Any) -> int:
        """How many messages wait; none on a queue that nobody made yet."""
        found = 0
        for name in self._queues:
            with connection.channel() as channel:
                try:
                    found += channel.queue_declare(name, passive=True).message_count
                except connection.channel_errors:
                    continue
        return found


def _celery(scheme: str) -> Any:
    """Celery, which has no types and is installed only where it is wanted. Raises SchedulerError."""
    try:
        if scheme.startswith("redis"):
            importlib.import_module("redis")
        return importlib.import_module("celery")
    except ImportError:
        raise SchedulerError(
            f"a queue at {scheme}:// needs Celery, which is not part of this installation",
            hint="pip install 'wave-scheduler[celery]', or write `queue: sqlite:///queue.db`",
        ) from None
