"""The queue on an existing broker, Redis or RabbitMQ, through Celery (the extra `celery`).

A message carries the name of one saved intent and nothing else: no command, no payload, no secret. With
write access to the broker one can make a worker read the state, and no more. The state decides whether a job
may begin (`scheduler.state.jobs`), which is why nothing here has to be exactly once: Celery delivers messages
that are acknowledged late at least once, and a message sent twice is one job.

The queues of two repositories on one broker are kept apart by the lineage of their states.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from scheduler.errors import Error, QueueError

SCHEMES = ("redis", "rediss", "amqp", "amqps")
TASK = "scheduler.publish"
_VERIFIED = (("ssl_cert_reqs", "required"), ("ssl_check_hostname", "true"))
CONNECT = 5
"""Seconds within which a broker has to accept a connection, and answer on it."""
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
        with self.app() as app:
            self.guarded(lambda: self.connect(app).release())

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
            raise QueueError(
                f"the queue {self.name} failed: {self.clean(str(problem) or type(problem).__name__)}",
                hint="check that the broker runs at that address, and that SCHEDULER_QUEUE_PASSWORD is right",
            ) from None

    def clean(self, message: str) -> str:
        """A library's message without the URL and the password, on one line."""
        password = urlsplit(self._url).password
        for secret in filter(None, (self._url, password, quote(password or "", safe=""))):
            message = message.replace(secret, "***")
        return " ".join(message.split())[:300]


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
