"""What a broker delivers to a worker, through Celery's own worker: threads, reconnection, a warm shutdown.

A message is acknowledged late: not before its job has ended, or, where that takes long, not before a copy is
on the queue that comes back later. No broker waits for hours for an acknowledgement: RabbitMQ closes the
connection after half an hour, and Redis gives the message to somebody else. So a message that is delivered
twice is nothing out of the ordinary, and the record decides what it means (`scheduler.state.jobs`).
"""

from __future__ import annotations

import importlib
import logging
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from scheduler.delivery.queue.celery import TASK, Broker, queue_name
from scheduler.errors import Error, QueueError
from scheduler.state.answers import Pointer

TICK = 0.3
"""Seconds after which Celery's loop looks up at the latest."""
IDLE_LOOK = 0.15
"""Seconds between two looks of a worker that ends once nothing waits."""
IDLE_LOOKS = 5
"""Looks that have to find nothing: a message is in nobody's count while it is handed over."""
NEW_NAMES = 15
"""Seconds between two looks at which queues there are to listen to."""
TROUBLE_PAUSE = 5
"""Seconds after which a message is given back that could not be handled."""
BUSY_PAUSE = 1
"""Seconds for which a message waits here for a job to end, before it goes back to the queue for others."""
LONGEST_LEASE = 25 * 60
"""Seconds. Nothing is held unacknowledged for longer than a lease; RabbitMQ's own limit is 30 minutes."""


class Delivery:
    """One message at work. `pass_on` lets go of it while its job goes on."""

    def __init__(
        self, pointer: Pointer, pass_on: Callable[[int], None], put_aside: Callable[[str], None]
    ) -> None:
        self.pointer = pointer
        self._pass_on = pass_on
        self._put_aside = put_aside

    def put_aside(self, words: str) -> None:
        """Keep a copy among the dead letters, with the reason. Raises QueueError."""
        self._put_aside(words)

    def pass_on(self, seconds: int) -> None:
        """Acknowledge the message, once a copy is on the queue that comes after so many seconds.

        Raises QueueError where that cannot be done now; the message is then kept.
        """
        self._pass_on(seconds)


class Deliveries:
    """The messages of some queues, handed to `handle` by up to `jobs` threads at once.

    `handle` answers how many seconds later a message has to come again, or None: it is acknowledged, and
    not before. Where it raises Error the message goes back; `tell` gets what a person should know.
    `names` answers which queues to listen to, and is asked again now and then; what it raises is told once.
    `is_ended`: a signal came before Celery, which listens to SIGTERM and SIGINT itself, was up.

    A message that nothing can be made of is put aside, on a queue of its own (`dead_letters`).
    """

    def __init__(
        self,
        broker: Broker,
        lineage: str,
        names: Callable[[], Sequence[str]],
        handle: Callable[[Delivery], int | None],
        tell: Callable[[str], None],
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
        self._tell = tell
        self._is_ended = is_ended
        self._jobs = jobs
        self._lease = lease
        self._free = threading.Semaphore(jobs)
        self._busy = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._found: list[str] = []

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
            worker_enable_prefetch_count_reduction=False,  # it would never come back to the full count
            broker_transport_options=self._transport(),
        )

        @app.task(name=TASK, bind=True, max_retries=None)  # type: ignore[untyped-decorator]  # it has no types
        def publish(task: Any, **named: Any) -> None:
            wait = self._deliver(task, named)
            if wait is not None:
                raise task.retry(countdown=min(wait, self._lease) + 1)

        platforms: Any = importlib.import_module("celery.platforms")
        exceptions: Any = importlib.import_module("celery.exceptions")
        for category in (platforms.SecurityWarning, exceptions.CPendingDeprecationWarning):
            warnings.filterwarnings("ignore", category=category)  # they name options not ours, or set above
        worker = app.Worker(
            pool="threads",
            concurrency=self._jobs + 1,  # one to spare, so that no message is stuck behind a long job
            queues=self._queues,
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._connect(app, importlib.import_module("celery.signals"))
        threading.Thread(target=self._follow, daemon=True).start()
        threading.Thread(target=self._watch, args=(app, once), daemon=True).start()
        try:
            worker.start()
        finally:
            self._over.set()
            app.close()
        if worker.exitcode:
            raise QueueError(f"the queue {self._broker.name} failed: the worker ended with {worker.exitcode}")

    def _connect(self, app: Any, signals: Any) -> None:
        """Have Celery say when it is up, and what it can make nothing of."""
        remarks = logging.getLogger("celery")
        remarks.handlers, remarks.propagate = [_Remarks(self._broker, self._tell)], False
        signals.setup_logging.connect(lambda **_: None, weak=False)  # else it sets up its own

        @signals.worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]  # it has no types
        def begin(sender: Any, **_: Any) -> None:
            """Wake Celery's loop now and then: else it notices late that it was asked to end.

            Called again, with empty timers, whenever a lost connection is back.
            """
            sender.timer.call_repeatedly(TICK, self._listen, (app, sender))
            sender.on_decode_error = undecodable

        @signals.task_unknown.connect(weak=False)  # type: ignore[untyped-decorator]  # it has no types
        @signals.task_rejected.connect(weak=False)  # type: ignore[untyped-decorator]  # it has no types
        def unknown(message: Any, **_: Any) -> None:
            self._drop(app, "it is no message of a scheduler", message.body)

        def undecodable(message: Any, problem: Exception) -> None:
            self._drop(app, f"it cannot be read ({type(problem).__name__})", message.body)
            message.ack()

    def _listen(self, app: Any, consumer: Any) -> None:
        """Listen to the queues that were found since. In Celery's own thread, as its connection wants it."""
        while self._found:
            name = self._found.pop()
            self._queues.append(name)
            app.amqp.queues.select_add(name)
            consumer.add_task_queue(name)

    def _follow(self) -> None:
        """Look again and again whether there are queues that nobody here listens to."""
        trouble = ""
        while not self._over.wait(min(NEW_NAMES, self._lease)):
            try:
                names = [queue_name(self._lineage, name) for name in self._names()]
            except Error as problem:
                if str(problem) != trouble:
                    self._tell(f"whether there are new queues cannot be told: {problem}")
                trouble = str(problem)
                continue
            trouble = ""
            self._found.extend(name for name in names if name not in (*self._queues, *self._found))

    def _drop(self, app: Any, words: str, content: Any) -> None:
        """Put aside what nothing can be made of; where that fails, it is told, and is gone."""
        told = f"a message that is none of ours was put aside: {words}"
        try:
            self._broker.put_aside(app, self._lineage, words, content)
        except QueueError as problem:
            told = f"a message that is none of ours was dropped: {words} ({problem})"
        self._tell(told)

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

    def _deliver(self, task: Any, named: Mapping[str, Any]) -> int | None:
        """Hand one message on. It is acknowledged where this returns, and given back where it raises."""
        with self._lock:
            self._busy += 1
        is_free = self._free.acquire(timeout=BUSY_PAUSE)
        try:
            if not is_free or self._is_ending():
                raise self._given_back()
            pointer = msgspec.convert(named, Pointer)
            aside = self._putting_aside(task, named)
            return self._try(Delivery(pointer, self._passing_on(task), aside))
        except msgspec.ValidationError as problem:
            self._drop(task.app, str(problem), dict(named))
            return None
        finally:
            if is_free:
                self._free.release()
            with self._lock:
                self._busy -= 1

    def _try(self, delivery: Delivery) -> int | None:
        try:
            return self._handle(delivery)
        except Exception as problem:  # noqa: BLE001 - whatever it was, the job must not be lost with it
            name = delivery.pointer.schedule_id
            self._tell(f"{name} goes back to the queue: {type(problem).__name__}: {problem}")
            self._over.wait(TROUBLE_PAUSE)
            raise self._given_back() from None

    def _is_ending(self) -> bool:
        """Whether this worker was asked to end: it begins nothing any more."""
        state: Any = importlib.import_module("celery.worker.state")
        return self._is_ended() or (state.should_stop is not None and state.should_stop is not False)

    def _given_back(self) -> Exception:
        """What tells Celery to give a message back to the queue."""
        found: Exception = importlib.import_module("celery.exceptions").Reject(requeue=True)
        return found

    def _putting_aside(self, task: Any, named: Mapping[str, Any]) -> Callable[[str], None]:
        return lambda words: self._broker.put_aside(task.app, self._lineage, words, dict(named))

    def _passing_on(self, task: Any) -> Callable[[int], None]:
        """How to let go of the message that this thread has at hand; may be called from another one."""
        state: Any = importlib.import_module("celery.worker.state")
        copy, name = task.signature_from_request(retries=task.request.retries), task.request.id

        def pass_on(seconds: int) -> None:
            self._broker.guarded(lambda: copy.apply_async(countdown=min(seconds, self._lease) + 1))
            for message in list(state.active_requests):
                if message.id == name:
                    message.acknowledge()

        return pass_on

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
        for name in list(self._queues):
            with connection.channel() as channel:
                try:
                    found += channel.queue_declare(name, passive=True).message_count
                except connection.channel_errors:
                    continue
        return found


class _Remarks(logging.Handler):
    """What Celery logs, as far as a person wants to know it, in one line each.

    It would show whole messages, which anybody may have written who can write to the broker.
    """

    def __init__(self, broker: Broker, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._broker = broker
        self._say = tell
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        if "to broker lost" in words:
            told = f"the connection to the queue {self._broker.name} was lost; what is held goes on"
        elif "Cannot connect" in words:
            told = f"the queue {self._broker.name} is out of reach; trying again until it is back"
        elif record.levelno >= logging.CRITICAL and not words.startswith("Couldn't "):  # it comes again
            told = f"Celery says: {self._broker.clean(words)}"
        else:
            return
        if told != self._last:  # it tries again every few seconds
            self._say(told)
        self._last = told
