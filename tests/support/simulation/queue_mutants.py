"""What protects jobs on the embedded queue, switched off: `simulation/queues.py` plays these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest import mock

from scheduler.delivery.queue.attempts import Gate
from scheduler.delivery.queue.sqlite import SqliteQueue
from scheduler.delivery.queue.sqlite_worker import SqliteWorker


@contextmanager
def take_its_own_for_lost() -> Iterator[None]:
    """A worker judges its own leases, and those of others at once after a sleep."""
    with mock.patch.object(SqliteWorker, "_living", lambda self: ()):
        yield


@contextmanager
def begin_what_is_held_back() -> Iterator[None]:
    """No stop, pause or cancellation reaches a job that is on the queue already."""
    with mock.patch.object(Gate, "reason", lambda self, records, schedule_id: None):
        yield


@contextmanager
def work_for_any_repository() -> Iterator[None]:
    """A worker takes the jobs of whatever state."""
    with mock.patch.object(SqliteQueue, "lineage", property(lambda _: None, lambda *_: None)):
        yield


QUEUE_MUTANTS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    take_its_own_for_lost,
    begin_what_is_held_back,
    work_for_any_repository,
)
