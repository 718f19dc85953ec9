"""The queue on an existing broker, Redis or RabbitMQ, through Celery (the extra `celery`).

A message carries the name of one saved intent and nothing else: no command, no payload, no secret. With
write access to the broker one can make a worker read the state, and no more. The state decides whether a job
may begin (`scheduler.state.jobs`), which is why nothing here has to be exactly once: Celery delivers messages
that are acknowledged late at least once, and a message sent twice is one job.

The queues of two repositories on one broker are kept apart by the lineage of their states.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from scheduler.errors import Error, QueueError

SCHEMES = ("redis", "rediss", "amqp", "amqps")
TASK = "scheduler.publish"
_VERIFIED = (("ssl_cert_reqs", "required"), ("ssl_check_hostname", "true"))
CONNECT = 5
"""Seconds within which a broker has to accept a connection, and answer on it."""
KEPT_UNUSED = 300
"""Seconds after its last message has left that RabbitMQ keeps a queue of waiting messages."""
LONGEST_DEAD_LETTER = 10_000
"""Characters that are kept of an unusable message."""


def broker_url(url: str, password: str | None) -> str:
    """The URL with the password from the operator's environment; the server of `rediss://` has to prove
    its name. Raises Error where it has one already:
    the settings are in git, where everybody with read access would see it.
    """
    parts = urlsplit(url)
    if parts.password is not None:
        raise Error(
            "the setting `queue` contains a password, which must not be in scheduler.yaml",
            hint="change the password, write the URL without it, and set SCHEDULER_QUEUE_PASSWORD instead",
        )
    if parts.scheme == "rediss":
        # Celery takes TLS for Redis from the URL alone, and without these two it accepts any certificate.
        kept = [(k, v) for k, v in parse_qsl(parts.query) if k not in dict(_VERIFIED)]
        parts = parts._replace(query=urlencode([*kept, *_VERIFIED]))
    if password is None:
        return parts.geturl()
    _, _, address = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{parts.username or ''}:{quote(password, safe='')}@{address}").geturl()


class Broker:
    """One broker. Raises Error where Celery is not installed."""

    def __init__(self, url: str, password: str | None = None) -> None:
        self._url = broker_url(url, password)
        self._is_redis = urlsplit(url).scheme.startswith("redis")
        try:
            if self._is_redis:
                importlib.import_module("redis")
            self._celery: Any = importlib.import_module("celery")  # it has no types
        except ImportError:
            raise Error(
                f"a queue at {urlsplit(url).scheme}:// needs Celery, which is not part of this installation",
                hint="run `pip install 'wave-scheduler[celery]'`, or write `queue: sqlite:///queue.db`",
            ) from None

    @property
    def name(self) -> str:
        """What messages call it: the address, without user and password."""
        parts = urlsplit(self._url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or 'localhost'}{port}"

    def check(self) -> None:
        """Raise QueueError where jobs could not be enqueued now. Creates nothing."""

        def try_to_write() -> None:
            with self.connect(app) as connection, connection.channel() as channel:
                if self._is_redis:  # of no bytes, it writes nothing; a full server refuses it all the same
                    channel.client.setrange("scheduler.nothing", 0, b"")
                else:  # to no queue; a server short of memory or disk does not confirm it
                    message = importlib.import_module("amqp").Message(b"")
                    channel.basic_publish_confirm(message, routing_key="scheduler.nothing", timeout=CONNECT)

        with self.app() as app:
            self.guarded(try_to_write)

    def dropped_by(self) -> str | None:
        """The setting by which Redis deletes jobs when its memory is full; None where it does not, or does
        not say. Raises QueueError."""

        def ask() -> str | None:
            with self.connect(app) as connection, connection.channel() as channel:
                told = channel.client.info("memory")
                policy = str(told.get("maxmemory_policy", "noeviction"))
                return policy if told.get("maxmemory") and policy.startswith("allkeys") else None

        if not self._is_redis:
            return None
        with self.app() as app:
            found: str | None = self.guarded(ask)
            return found

    def add_queue(self, app: Any, lineage: str, name: str) -> str:
        """Have the application know one of our queues, and what it needs on RabbitMQ; its name there.

        A classic queue keeps a job however often it comes back, where a quorum queue drops it after 20 times
        and cannot hold back what its worker has no room for. What is dropped becomes a dead letter.
        """
        full, dead = queue_name(lineage, name), dead_letters(lineage)
        if self._is_redis:
            return full
        kombu = importlib.import_module("kombu")
        kind = {"x-queue-type": "classic"}
        wanted = kind | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}

        class JobQueue(kombu.Queue):  # type: ignore[name-defined,misc]  # it has no types
            def queue_declare(self, channel: Any = None, **_: Any) -> str:
                channel = channel or self.channel
                if _problem(channel, dead, passive=True) is not None:
                    channel.queue_declare(dead, durable=True, auto_delete=False)
                if _problem(channel, full, arguments=wanted) is not None:
                    # It exists. A classic one, as an older version made it, is used as it is.
                    problem = _problem(channel, full, arguments=kind)
                    if problem is not None and "x-queue-type" in str(problem):
                        raise problem
                return full

        app.amqp.queues.add(JobQueue(full, kombu.Exchange(full, "direct"), full))
        return full

    def declare(self, app: Any, lineage: str, names: Iterable[str]) -> None:
        """Make the queues that do not exist. Raises QueueError where one exists that cannot be used."""

        def declare() -> None:
            with self.connect(app) as connection:
                for name in names:
                    app.amqp.queues[self.add_queue(app, lineage, name)](connection.default_channel).declare()

        self.guarded(declare)

    def destination(self, lineage: str, full: str, seconds: int) -> dict[str, Any]:
        """Where a message is sent to be on one of our queues (its name there) after so many seconds.

        RabbitMQ itself keeps it meanwhile, on a queue for each number of seconds, which it deletes once that
        is no longer used. Celery would have a worker hold it, and then RabbitMQ 4 gives this worker no other:
        kombu cannot raise the number of messages that a worker may have there.
        """
        if self._is_redis or not seconds:
            return {"queue": full, "countdown": seconds or None}
        name = full.removeprefix(queue_name(lineage, ""))
        arguments = {
            "x-queue-type": "classic",
            "x-message-ttl": seconds * 1000,
            "x-expires": (seconds + KEPT_UNUSED) * 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": full,
        }
        queue_class = importlib.import_module("kombu").Queue
        return {"queue": queue_class(waiting_queue(lineage, name, seconds), queue_arguments=arguments)}

    @property
    def keeps_rejected(self) -> bool:
        """Whether the broker itself makes a dead letter of what is rejected (see `add_queue`)."""
        return not self._is_redis

    def set_aside(self, app: Any, lineage: str, reason: str, content: Any) -> None:
        """Keep an unusable message as a dead letter, with the reason. Raises QueueError."""
        letter = {"why": reason, "message": repr(content)[:LONGEST_DEAD_LETTER]}

        def put() -> None:
            with self.connect(app) as connection, connection.SimpleQueue(dead_letters(lineage)) as queue:
                queue.put(letter, serializer="json", retry=False)

        self.guarded(put)

    def count_dead_letters(self, lineage: str) -> int:
        """How many messages were set aside. Raises QueueError."""

        def count() -> int:
            with self.connect(app) as connection:
                return messages_on(connection, dead_letters(lineage))

        with self.app() as app:
            return int(self.guarded(count))

    def removal(self, lineage: str) -> str:
        """The command that deletes what was set aside."""
        name = dead_letters(lineage)
        return f"redis-cli del {name}" if self._is_redis else f"rabbitmqctl delete_queue {name}"

    def app(self, **options: Any) -> Any:
        """A Celery application for this broker alone, not registered globally."""
        transport: dict[str, Any] = {
            "confirm_publish": True
        }  # RabbitMQ answers once it has stored the message
        if self._is_redis:
            transport = {"socket_connect_timeout": CONNECT, "socket_timeout": 4 * CONNECT}
        transport |= options.pop("broker_transport_options", {})
        if urlsplit(self._url).scheme == "amqps":  # without a name it accepts any that a known CA vouches for
            options["broker_use_ssl"] = {"server_hostname": urlsplit(self._url).hostname}
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

    def connect(self, app: Any) -> Any:
        """An open connection; the caller releases it."""
        connection = app.connection_for_write()
        connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=CONNECT)
        return connection

    def guarded(self, act: Callable[[], Any]) -> Any:
        """Do something with the broker. Raises QueueError, without the URL, for anything that goes wrong."""
        try:
            return act()
        except Exception as problem:  # noqa: BLE001 - every transport has exceptions of its own
            what, hint = self._explained(problem)
            raise QueueError(f"the queue {self.name} {what}", hint=hint) from None

    def _explained(self, problem: Exception) -> tuple[str, str]:
        """What went wrong, and what to do."""
        text = self.clean(str(problem) or type(problem).__name__)
        causes = {type(one).__name__ for one in (problem, problem.__cause__, problem.__context__)}
        if "MessageNacked" in causes:
            return (
                "rejected the job: it holds as many jobs as its length limit allows",
                "start a worker, or raise the limit (`x-max-length`, `max-length` in a policy)",
            )
        if "OutOfMemoryError" in causes or text.startswith("OOM"):
            return (
                "is full: Redis uses all of its `maxmemory`",
                "raise `maxmemory`, or delete other keys",
            )
        if "PRECONDITION_FAILED" in text:
            return (
                f"has a queue of that name with other settings: {text}",
                "run `rabbitmqctl delete_queue NAME`: the next run makes it anew, with its jobs",
            )
        if "timed out" in text and not self._is_redis:
            return (
                f"did not confirm in {CONNECT} s: {text}",
                "check `rabbitmqctl list_alarms`: short of memory or disk, RabbitMQ confirms nothing",
            )
        return (
            f"failed: {text}",
            "check that the broker runs at that address, and that SCHEDULER_QUEUE_PASSWORD is right",
        )

    def clean(self, message: str) -> str:
        """A library's message without the URL and the password, on one line."""
        password = urlsplit(self._url).password
        for secret in filter(None, (self._url, password, quote(password or "", safe=""))):
            message = message.replace(secret, "***")
        return " ".join(message.split())[:300]


def _problem(channel: Any, queue: str, **options: Any) -> Exception | None:
    """Why a queue cannot be declared so; a refusal costs a channel of its own."""
    probe = channel.connection.channel()
    try:
        probe.queue_declare(queue, durable=True, auto_delete=False, **options)
    except channel.connection.channel_errors as problem:
        found: Exception = problem
        return found
    finally:
        if probe.is_open:
            probe.close()
    return None


def messages_on(connection: Any, name: str) -> int:
    """How many messages wait on a queue; 0 where there is no such queue."""
    with connection.channel() as channel:
        try:
            return int(channel.queue_declare(name, passive=True).message_count)
        except connection.channel_errors:
            return 0


def queue_name(lineage: str, name: str) -> str:
    """The name of a queue of this repository on the broker."""
    return f"scheduler.{lineage}.{name}"


def dead_letters(lineage: str) -> str:
    """The queue of messages set aside. No channel's queue has this name, because of the two dots."""
    return f"scheduler.{lineage}..dead"


def waiting_queue(lineage: str, name: str, seconds: int) -> str:
    """The queue on which RabbitMQ keeps what comes to another one after so many seconds."""
    return f"scheduler.{lineage}..wait.{seconds}.{name}"
