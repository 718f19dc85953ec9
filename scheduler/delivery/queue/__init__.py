"""Jobs for channels without a repository: the embedded queue, brokers by Celery, and the worker."""

from __future__ import annotations

from functools import cache

from scheduler.delivery.dispatcher import Dispatcher, Opening


def open_dispatcher(opening: Opening) -> Dispatcher:
    """The dispatcher to the queue of the settings. Raises Error where `queue:` is not usable."""
    from scheduler.delivery.queue.dispatchers import BrokerDispatcher, SqliteDispatcher, open_queue
    from scheduler.delivery.queue.sqlite import SqliteQueue

    queue = open_queue(
        opening.settings.queue,
        opening.root,
        attempts=opening.settings.retry.attempts,
        backoff=opening.settings.retry.backoff,
        password=opening.token("SCHEDULER_QUEUE_PASSWORD"),
    )
    if isinstance(queue, SqliteQueue):
        queue.check_place()
        return SqliteDispatcher(queue, now=opening.now, lineage=cache(opening.lineage))
    return BrokerDispatcher(queue, cache(opening.lineage), opening.now)
