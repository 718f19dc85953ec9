"""Delivers messages to a worker through Celery's own worker: threads, reconnection, a warm shutdown.

A message is acknowledged late: when its job has ended or, where that takes long, once a copy is on the queue
that comes back later. No broker waits hours for an acknowledgement: RabbitMQ closes the connection after half
an hour, and Redis gives the message to another worker. So a message that is delivered twice is normal, and
the state decides what it means (`scheduler.state.jobs`).
"""

from __future__ import annotations

import importlib
import logging
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from scheduler.delivery.queue.celery import TASK, Broker, messages_on, queue_name
from scheduler.errors import Error, QueueError
from scheduler.state.answers import Pointer

WAKE = 0.3
"""Seconds between wake-ups of Celery's loop."""
IDLE_POLL = 0.15
"""Seconds between two polls of a worker that ends once no job waits."""
IDLE_POLLS = 5
"""Polls in a row that must find nothing: a message being handed over is counted nowhere."""
NEW_QUEUES = 15
"""Seconds between two checks for queues to listen to."""
TROUBLE_PAUSE = 5
"""Seconds before a message that could not be handled is put on the queue again."""
BUSY_PAUSE = 1
"""Seconds that a message waits here for a job to end, before it goes back to the queue for others."""
LONGEST_LEASE = 25 * 60
"""Seconds. No message is held unacknowledged for longer than a lease; RabbitMQ's own limit is 30 minutes."""


class Delivery:
    """One message whose job may be running."""

    def __init__(
        self, pointer: Pointer, pass_on: Callable[[int], None], set_aside: Callable[[str], None]
    ) -> None:
        self.pointer = pointer
        self.pass_on = pass_on
        """Put a copy on the queue that comes after so many seconds, then acknowledge the message; its job
        continues. Raises QueueError where that cannot be done now; the message is then kept."""
        self.set_aside = set_aside
        """Keep a copy among the dead letters, with the reason. Raises QueueError."""


class CeleryConsumer:
    """The messages of some queues, passed to `handle` by up to `jobs` threads at once.

    `handle` returns after how many seconds a message must come again, or None; only then is the message
    acknowledged. Where it raises, the message goes back. `log` gets what the operator should know.
    `names` returns the queues to listen to, and is called again now and then; an error that it raises is
    logged once. `is_ended`: a signal arrived before Celery, which handles SIGTERM and SIGINT itself, was up.

    An unusable message is set aside, on a queue of its own (`dead_letters`).
    """

    def __init__(
        self,
        broker: Broker,
        lineage: str,
        names: Callable[[], Sequence[str]],
        handle: Callable[[Delivery], int | None],
        log: Callable[[str], None],
        *,
        is_ended: Callable[[], bool],
        jobs: int,
        lease: int,
    ) -> None:
        self._broker = broker
        self._lineage = lineage
        self._names = names
        self._queues = [queue_name(lineage, name) for name in names()]
        self._handle = handle
        self._log = log
        self._is_ended = is_ended
        self._jobs = jobs
        self._lease = lease
        self._free = threading.Semaphore(jobs)
        self._busy = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._found: list[str] = []

    def work(self, *, once: bool) -> None:
        """Work until a signal arrives (held jobs are finished first) or, with `once`, until no job waits.

        Raises QueueError where the broker cannot be reached at the start.
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
            worker_enable_prefetch_count_reduction=False,  # it would never return to the full count
            broker_transport_options=self._transport(),
        )

        @app.task(name=TASK, bind=True, max_retries=None)  # type: ignore[untyped-decorator]  # it has no types
        def publish(task: Any, **named: Any) -> None:
            wait = self._deliver(task, named)
            if wait is not None:
                self._give_back(task, min(wait, self._lease) + 1)

        self._broker.declare(app, self._lineage, self._names())
        platforms: Any = importlib.import_module("celery.platforms")
        exceptions: Any = importlib.import_module("celery.exceptions")
        for category in (platforms.SecurityWarning, exceptions.CPendingDeprecationWarning):
            warnings.filterwarnings(
                "ignore", category=category
            )  # about options that are not ours, or set above
        worker = app.Worker(
            pool="threads",
            concurrency=self._jobs + 1,  # a spare one, so that no message is stuck behind a long job
            queues=self._queues,
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._connect_signals(app, importlib.import_module("celery.signals"))
        threading.Thread(target=self._follow, daemon=True).start()
        threading.Thread(target=self._watch, args=(app, once), daemon=True).start()
        try:
            worker.start()
        finally:
            self._over.set()
            app.close()
        if worker.exitcode:
            raise QueueError(f"the queue {self._broker.name} failed: the worker ended with {worker.exitcode}")

    def _connect_signals(self, app: Any, signals: Any) -> None:
        """Have Celery call us when it is up, and with messages that it cannot use."""
        logger = logging.getLogger("celery")
        logger.handlers, logger.propagate = [_CeleryLog(self._broker, self._log)], False
        signals.setup_logging.connect(lambda **_: None, weak=False)  # otherwise Celery sets up its own

        @signals.worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]  # it has no types
        def begin(sender: Any, **_: Any) -> None:
            """Wake Celery's loop regularly; otherwise it notices late that it should end.

            Called again, with empty timers, whenever a lost connection is back.
            """
            sender.timer.call_repeatedly(WAKE, self._listen, (app, sender))
            sender.on_decode_error = undecodable

        @signals.task_unknown.connect(weak=False)  # type: ignore[untyped-decorator]  # it has no types
        @signals.task_rejected.connect(weak=False)  # type: ignore[untyped-decorator]  # it has no types
        def unknown(message: Any, **_: Any) -> None:
            self._drop(app, "it is not from a scheduler", message.body, is_rejected=True)

        def undecodable(message: Any, problem: Exception) -> None:
            self._drop(app, f"it cannot be read ({type(problem).__name__})", message.body)
            message.ack()

    def _listen(self, app: Any, consumer: Any) -> None:
        """Listen to newly found queues. Runs in Celery's own thread: its connection is not thread-safe."""
        while self._found:
            name = self._found.pop()
            self._queues.append(name)
            self._broker.add_queue(app, self._lineage, name.removeprefix(queue_name(self._lineage, "")))
            app.amqp.queues.select_add(app.amqp.queues[name])
            consumer.add_task_queue(name)

    def _follow(self) -> None:
        """Find queues that this worker does not listen to yet."""
        trouble = ""
        while not self._over.wait(min(NEW_QUEUES, self._lease)):
            try:
                names = [queue_name(self._lineage, name) for name in self._names()]
            except Error as problem:
                if problem.message != trouble:
                    self._log(f"cannot check for new queues: {problem.message}")
                trouble = problem.message
                continue
            trouble = ""
            self._found.extend(name for name in names if name not in (*self._queues, *self._found))

    def _drop(self, app: Any, reason: str, content: Any, *, is_rejected: bool = False) -> None:
        """Set an unusable message aside; where that fails, it is lost, and that is logged."""
        line = f"an unusable message was set aside: {reason}"
        try:
            if not (is_rejected and self._broker.keeps_rejected):
                self._broker.set_aside(app, self._lineage, reason, content)
        except QueueError as problem:
            line = f"an unusable message was dropped: {reason} ({problem.message})"
        self._log(line)

    def _transport(self) -> dict[str, Any]:
        """How Redis, which does not notice that a worker is gone, redelivers its messages.

        Our keys are kept apart from those of other programs on the same server, whose messages would
        otherwise be redelivered after our time limit.
        """
        prefix = f"scheduler.{self._lineage}"
        return {
            "visibility_timeout": 2 * self._lease,
            "unacked_restore_interval": min(self._lease, 10),
            "unacked_restore_throttle": 1,
            "unacked_key": f"{prefix}.unacked",
            "unacked_index_key": f"{prefix}.unacked-index",
            "unacked_mutex_key": f"{prefix}.unacked-mutex",
        }

    def _deliver(self, task: Any, named: Mapping[str, Any]) -> int | None:
        """Handle one message. It is acknowledged where this returns, and given back where it raises."""
        with self._lock:
            self._busy += 1
        is_free = self._free.acquire(timeout=BUSY_PAUSE)
        try:
            if not is_free or self._is_ending():
                self._give_back(task)
                return None
            delivery = Delivery(
                msgspec.convert(named, Pointer),
                self._passing_on(task),
                lambda reason: self._broker.set_aside(task.app, self._lineage, reason, dict(named)),
            )
            return self._try(task, delivery)
        except msgspec.ValidationError as problem:
            self._drop(task.app, str(problem), dict(named))
            return None
        finally:
            if is_free:
                self._free.release()
            with self._lock:
                self._busy -= 1

    def _try(self, task: Any, delivery: Delivery) -> int | None:
        try:
            return self._handle(delivery)
        except Exception as problem:  # noqa: BLE001 - whatever it was, the job must not be lost with it
            name = delivery.pointer.schedule_id
            self._log(f"{name} goes back to the queue: {type(problem).__name__}: {problem}")
            self._over.wait(TROUBLE_PAUSE)
            self._give_back(task)
            return None

    def _is_ending(self) -> bool:
        """Whether this worker was asked to end: it begins no more jobs."""
        state: Any = importlib.import_module("celery.worker.state")
        return self._is_ended() or (state.should_stop is not None and state.should_stop is not False)

    def _copying(self, task: Any) -> Callable[[int], None]:
        """How to put a copy of the message that this thread handles on its queue, after so many seconds."""
        queue = task.request.delivery_info["routing_key"]
        copy = task.signature_from_request(
            queue=queue, headers=None
        )  # RabbitMQ's own are of this message alone

        def put(seconds: int) -> None:
            to = self._broker.destination(self._lineage, queue, seconds)
            self._broker.guarded(lambda: copy.apply_async(**to))

        return put

    def _give_back(self, task: Any, seconds: int = 0) -> None:
        """Put a copy on the queue, and have the message acknowledged: brokers count returns, and drop what is
        returned too often. Raises what Celery returns a message for, where that cannot be done now."""
        try:
            self._copying(task)(seconds)
        except QueueError as problem:
            if seconds:
                self._log(f"a job that has to wait goes back to the queue: {problem.message}")
                self._over.wait(TROUBLE_PAUSE)
            raise importlib.import_module("celery.exceptions").Reject(requeue=True) from None

    def _passing_on(self, task: Any) -> Callable[[int], None]:
        """How to release the message that this thread handles; may be called from another thread."""
        state: Any = importlib.import_module("celery.worker.state")
        put, name = self._copying(task), task.request.id

        def pass_on(seconds: int) -> None:
            put(min(seconds, self._lease) + 1)
            for message in list(state.active_requests):
                if message.id == name:
                    message.acknowledge()

        return pass_on

    def _watch(self, app: Any, once: bool) -> None:
        """Ask Celery to end: where a signal came too early for it or, with `once`, when no job waits."""
        quiet = 0
        with app.connection_for_read() as connection:
            while quiet < IDLE_POLLS and not self._is_ended() and not self._over.wait(IDLE_POLL):
                idle = (
                    once
                    and not self._busy
                    and not sum(messages_on(connection, name) for name in list(self._queues))
                )
                quiet = quiet + 1 if idle else 0
        state: Any = importlib.import_module("celery.worker.state")
        state.should_stop = 0


class _CeleryLog(logging.Handler):
    """The part of Celery's log that concerns an operator, one line each.

    The rest would show whole messages, which may come from anybody with write access to the broker.
    """

    def __init__(self, broker: Broker, log: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._broker = broker
        self._log = log
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "to broker lost" in message:
            cause = self._broker.clean(str(record.exc_info[1])) if record.exc_info else ""
            line = f"lost the connection to the queue {self._broker.name}; jobs that have begun continue"
            line += f" ({cause})" if cause else ""
        elif "Cannot connect" in message:
            line = f"the queue {self._broker.name} is unreachable; trying again until it is back"
        elif record.levelno >= logging.CRITICAL and not message.startswith("Couldn't "):  # it is logged again
            line = f"Celery: {self._broker.clean(message)}"
        else:
            return
        if line != self._last:  # Celery tries again every few seconds
            self._log(line)
        self._last = line
