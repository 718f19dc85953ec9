"""The queue on a broker that people run already, Redis or RabbitMQ, through Celery (the extra `celery`).

A message carries the name of one saved intent and nothing else: no command, no payload, no secret. Whoever
can write to the broker can make a worker look at the record, and no more. Whether a job may begin is decided
on the record (`scheduler.state.jobs`), which is why nothing here has to be exactly once: Celery delivers late
acknowledged messages at least once, and a message that is sent twice is one job.

The queues of two repositories on one broker are kept apart by the lineage of their states.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from scheduler.delivery.dispatcher import Check, Readiness, Request
from scheduler.errors import Error, QueueError
from scheduler.state.answers import Answer, LookupResult, Pointer
from scheduler.state.record import Intent

SCHEMES = ("redis", "rediss", "amqp", "amqps")
TASK = "scheduler.publish"
CONNECT = 5
"""Seconds within which a broker has to answer a connection, and a step of it."""
LONGEST_LETTER = 10_000
"""Characters that are kept of a message that nothing can be made of."""


def broker_url(url: str, password: str | None) -> str:
    """The URL with the password of the operator's environment in it. Raises Error where it has one.

    The settings are in git, and a password in them would be told to everybody who can read that.
    """
    parts = urlsplit(url)
    if parts.password is not None:
        raise Error(
            "the setting `queue` holds a password, and scheduler.yaml is no place for one",
            hint="change it, write the URL without it, and set SCHEDULER_QUEUE_PASSWORD in the environment",
        )
    if password is None:
        return url
    _, _, address = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{parts.username or ''}:{quote(password, safe='')}@{address}").geturl()


class Broker:
    """One broker, as `doctor` and `ask_ready` see it. Raises Error where Celery is not installed."""

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

    def put_aside(self, app: Any, lineage: str, words: str, content: Any) -> None:
        """Keep a message that nothing can be made of, with the reason. Raises QueueError."""
        letter = {"why": words, "message": repr(content)[:LONGEST_LETTER]}

        def put() -> None:
            with self.reach(app) as connection, connection.SimpleQueue(dead_letters(lineage)) as queue:
                queue.put(letter, serializer="json", retry=False)

        self.guarded(put)

    def letters(self, lineage: str) -> int:
        """How many messages were put aside. Raises QueueError."""
        with self.app() as app:
            return int(self.guarded(lambda: self._count(app, dead_letters(lineage))))

    def _count(self, app: Any, name: str) -> int:
        """How many messages are on a queue; none where there is no such queue."""
        with self.reach(app) as connection, connection.channel() as channel:
            try:
                return int(channel.queue_declare(name, passive=True).message_count)
            except connection.channel_errors:
                return 0

    def removal(self, lineage: str) -> str:
        """The command by which a person throws away what was put aside."""
        name = dead_letters(lineage)
        is_redis = urlsplit(self._url).scheme.startswith("redis")
        return f"redis-cli del {name}" if is_redis else f"rabbitmqctl delete_queue {name}"

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
                f"the queue {self.name} failed: {self.clean(words)}",
                hint="see that the broker runs, that `queue:` names it, and SCHEDULER_QUEUE_PASSWORD fits",
            ) from None

    def clean(self, words: str) -> str:
        """Some words of a library, without the URL, on one line."""
        password = urlsplit(self._url).password
        for secret in filter(None, (self._url, password, quote(password or "", safe=""))):
            words = words.replace(secret, "***")
        return " ".join(words.split())[:300]


def queue_name(lineage: str, name: str) -> str:
    """What a queue of this repository is called on the broker."""
    return f"scheduler.{lineage}.{name}"


def dead_letters(lineage: str) -> str:
    """The queue of what was put aside; the two dots keep it apart from every name that a channel may use."""
    return f"scheduler.{lineage}..dead"


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
            failure: QueueError | None = None
            with connection, app.amqp.Producer(connection) as producer:
                for request in requests:
                    if failure is None:  # a broker that failed once would only hold the others up
                        failure = self._send_one(app, producer, request)
                    error = None if failure is None else str(failure)
                    yield request, Answer(verdict="accepted" if failure is None else "not-now", error=error)

    def _send_one(self, app: Any, producer: Any, request: Request) -> QueueError | None:
        """Send the message of one request; what went wrong, where it did."""
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
                    timeout=CONNECT,
                    confirm_timeout=CONNECT,  # RabbitMQ, short of memory or disk, takes no messages
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
        """The record itself says what became of each: a broker does not know."""
        return dict.fromkeys(intents, LookupResult(by_record=True))

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


def _celery(scheme: str) -> Any:
    """Celery, which has no types and is installed only where it is wanted. Raises Error."""
    try:
        if scheme.startswith("redis"):
            importlib.import_module("redis")
        return importlib.import_module("celery")
    except ImportError:
        raise Error(
            f"a queue at {scheme}:// needs Celery, which is not part of this installation",
            hint="pip install 'wave-scheduler[celery]', or write `queue: sqlite:///queue.db`",
        ) from None
