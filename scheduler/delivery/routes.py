"""The dispatchers of one run, by intent.

A dispatcher that cannot be opened (an invalid GITHUB_API_URL, an unreachable queue) must be noticed before
an intent is saved: once the intent is in the state, nothing shows that the request was never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TypeVar

import msgspec

from scheduler.delivery.dispatcher import Dispatcher, HasFile, Opening
from scheduler.errors import Error
from scheduler.state.record import Intent

T = TypeVar("T")


def open_dispatcher(package: str, opening: Opening) -> Dispatcher:
    """The dispatcher of a package below `scheduler/delivery`, imported only where it is used.

    Raises Error where it cannot be opened. A package is named by its transports' traits.
    """
    opened: Dispatcher = import_module(f"scheduler.delivery.{package}").open_dispatcher(opening)
    return opened


def said(fault: Exception) -> str:
    """What is wrong with the way to a receiver, and what to do about it."""
    if not isinstance(fault, Error):
        return f"its dispatcher failed unexpectedly ({type(fault).__name__})"
    return fault.with_hint


class Routes:
    """Dispatchers by intent. `dispatcher` returns the same object for the same transport, or raises Error."""

    def __init__(self, dispatcher: Callable[[Intent], Dispatcher]) -> None:
        self._dispatcher = dispatcher

    def fault_of(self, intent: Intent) -> str | None:
        """Why the intent cannot be sent now; None where it can."""
        try:
            self._dispatcher(intent)
        except Exception as fault:  # noqa: BLE001 - a broken package of one transport is not everybody's
            return said(fault)
        return None

    def marked(self, intent: Intent) -> Intent:
        """The intent with the id of the file that will get its job. Raises Error where it cannot be sent."""
        dispatcher = self._dispatcher(intent)
        if not isinstance(dispatcher, HasFile):
            return intent
        return msgspec.structs.replace(intent, queue_file=dispatcher.identity())

    def group(self, items: Iterable[tuple[T, Intent]]) -> list[tuple[Dispatcher, list[T]]]:
        """The items of each dispatcher together, in their order. All of them can be opened."""
        groups: dict[int, tuple[Dispatcher, list[T]]] = {}
        for item, intent in items:
            dispatcher = self._dispatcher(intent)
            groups.setdefault(id(dispatcher), (dispatcher, []))[1].append(item)
        return list(groups.values())
