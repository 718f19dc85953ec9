"""Requests are sent by all dispatchers at once, and answers are passed on as they arrive."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from scheduler.delivery.dispatcher import Dispatcher, Request
from scheduler.failpoints import failpoint
from scheduler.state.answers import Answer

Arrival = tuple[Request, Answer] | BaseException | None


def exchange(
    routes: Sequence[tuple[Dispatcher, list[Request]]], beside: Callable[[Callable[[], None]], None]
) -> Iterator[list[tuple[Request, Answer]]]:
    """Send by all dispatchers at once; yield together whatever has been answered since the last time.

    An error in one dispatcher leaves its other requests unknown; what ends the process (a signal) is raised
    after all have finished.
    """
    arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
    for dispatcher, some in routes:
        beside(partial(_send_all, dispatcher, some, arrivals))
    working, fault = len(routes), None
    while working:
        arrived = [arrivals.get()]
        while not arrivals.empty():
            arrived.append(arrivals.get())
        failpoint("answered")
        working -= sum(item is None for item in arrived)
        fault = next((item for item in arrived if isinstance(item, BaseException)), fault)
        answered = [item for item in arrived if isinstance(item, tuple)]
        if answered:
            yield answered
    if fault is not None:
        raise fault


def _send_all(
    dispatcher: Dispatcher, requests: Sequence[Request], arrivals: queue.SimpleQueue[Arrival]
) -> None:
    """Put one dispatcher's answers on the queue, then its fault if it had one, then None."""
    left = {request.schedule_id: request for request in requests}
    try:
        for request, answer in dispatcher.send(requests):
            left.pop(request.schedule_id, None)
            arrivals.put((request, answer))
    except Exception as fault:  # noqa: BLE001 - its own requests are in doubt, the run goes on
        error = f"it may have been sent: sending failed unexpectedly ({type(fault).__name__})"
        for request in left.values():
            arrivals.put((request, Answer(verdict="unknown", error=error)))
    except BaseException as fault:  # noqa: BLE001 - raised again in the run's own thread
        arrivals.put(fault)
    finally:
        arrivals.put(None)
