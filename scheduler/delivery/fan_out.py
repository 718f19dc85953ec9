"""Requests leave over all ways at once, and their answers come back as they come."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from scheduler.delivery.dispatcher import Dispatcher, Request
from scheduler.failpoints import boundary
from scheduler.state.answers import Answer

Arrival = tuple[Request, Answer] | BaseException | None


def exchange(
    ways: Sequence[tuple[Dispatcher, list[Request]]], beside: Callable[[Callable[[], None]], None]
) -> Iterator[list[tuple[Request, Answer]]]:
    """Send over all ways at once; what has been answered meanwhile comes together.

    A fault in one way leaves its other requests unknown; it is raised once all ways are through.
    """
    arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
    for way, some in ways:
        beside(partial(_send_all, way, some, arrivals))
    working, fault = len(ways), None
    while working:
        arrived = [arrivals.get()]
        while not arrivals.empty():
            arrived.append(arrivals.get())
        boundary("answered")
        working -= sum(item is None for item in arrived)
        fault = next((item for item in arrived if isinstance(item, BaseException)), fault)
        answered = [item for item in arrived if isinstance(item, tuple)]
        if answered:
            yield answered
    if fault is not None:
        raise fault


def _send_all(way: Dispatcher, requests: Sequence[Request], arrivals: queue.SimpleQueue[Arrival]) -> None:
    """Pass one dispatcher's answers on, then whatever broke it, then None."""
    try:
        for answered in way.send(requests):
            arrivals.put(answered)
    except BaseException as fault:  # noqa: BLE001 - it is raised again in the run's own thread
        arrivals.put(fault)
    finally:
        arrivals.put(None)
