"""The ways out of one run: one dispatcher for all that goes the same way, and what is wrong with the others.

A way that cannot be opened (an address that is none, a queue that is not there) must be found out before an
intent is saved: with an intent in the record, nobody could tell later that nothing had left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from scheduler.delivery.dispatcher import Dispatcher
from scheduler.errors import Error
from scheduler.state.record import Intent

T = TypeVar("T")


class Ways:
    """Dispatchers by intent. `dispatcher` gives one object for one way, or raises Error."""

    def __init__(self, dispatcher: Callable[[Intent], Dispatcher]) -> None:
        self._dispatcher = dispatcher

    def fault_of(self, intent: Intent) -> str | None:
        """Why nothing can go this way now, in words; None where it can."""
        try:
            self._dispatcher(intent)
        except Error as fault:
            return str(fault)
        return None

    def group(self, items: Iterable[tuple[T, Intent]]) -> list[tuple[Dispatcher, list[T]]]:
        """The items of each way together, in their order. All of them can be opened."""
        groups: dict[int, tuple[Dispatcher, list[T]]] = {}
        for item, intent in items:
            way = self._dispatcher(intent)
            groups.setdefault(id(way), (way, []))[1].append(item)
        return list(groups.values())
