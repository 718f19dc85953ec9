"""Notifies people of what happened, through apprise (the extra `notify`), after it was saved.

Nothing here can delay or fail a run: messages are sent from a thread of their own, what cannot be delivered
is a warning, and at its end a run waits a few seconds for the last ones. An address is a secret: it comes
from the environment, goes into apprise, and is never shown.

An event (`scheduler.reporting.notifications`) is reported by the process that saved it: never twice, and
not at all if that process dies before the message is out.
"""

from __future__ import annotations

import importlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from scheduler.delivery.report import Report
from scheduler.reporting.notifications import Notice, changes_of, events, message
from scheduler.reporting.troubles import troubles
from scheduler.state.record import Record, State
from scheduler.state.stores import Snapshot, Store

PATIENCE = 20.0
"""Seconds that a run waits at its end for its last messages."""


class Notifier:
    """Sends events to the addresses that some environment variables hold.

    `read` returns a variable's value, or None; `warn`, if given, gets each problem at once.
    """

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[str], str | None],
        warn: Callable[[str], None] = lambda _: None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._names = names
        self._read = read
        self._warn = warn
        self._patience = patience
        self._waiting: queue.SimpleQueue[list[Notice] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._problems: dict[str, None] = {}
        self._noted: list[Notice] = []
        """The events of the save of `notified` that comes next."""

    def watch(self, store: Store) -> Store:
        """The store, with its saves watched for events."""
        return _Watched(store, self.saw) if self._names else store

    def noted(self, report: Report, state: State) -> State:
        """The state with what is wrong after a run; the same object where that was notified already."""
        found = troubles(report)
        if any(trouble.kind == "stopped" for trouble in found):
            return state  # it says nothing about the others
        wrong, self._noted = changes_of(state.notified, found, report.records)
        return state if wrong == state.notified else msgspec.structs.replace(state, notified=wrong)

    def saw(self, before: State, after: State) -> None:
        """A save replaced one version of the state by another. Returns at once."""
        found = events(before.schedules, after.schedules)
        if after.notified != before.notified:
            found, self._noted = [*found, *self._noted], []
        if not found:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._waiting.put(found)

    def close(self) -> list[str]:
        """Wait a little for what is still to be sent. Returns all problems there were, each once."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(self._patience)
            if thread.is_alive():
                self._add(f"a notification was not delivered within {self._patience:.0f} s")
        problems, self._problems = list(self._problems), {}
        return problems

    def _add(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems[problem] = None
            self._warn(problem)

    def _work(self) -> None:
        """Send what waits, all of it in one message, until None arrives."""
        while True:
            found = self._waiting.get()
            is_over = found is None
            batch = list(found or ())
            while not self._waiting.empty():
                more = self._waiting.get()
                is_over = is_over or more is None
                batch += more or ()
            if batch:
                self._send(batch)
            if is_over:
                return

    def _send(self, batch: Sequence[Notice]) -> None:
        title, body = message(batch)
        for name in self._names:
            try:
                problem = self._send_to(name, title, body)
            except Exception as fault:  # noqa: BLE001 - no service may stop the others, or the run
                problem = f"failed ({type(fault).__name__})"  # its message may hold the address
            if problem is not None:
                self._add(f"the notification through {name} {problem}")

    def _send_to(self, name: str, title: str, body: str) -> str | None:
        """Send to the address in one variable. Returns what went wrong, as a verb phrase about the
        notification."""
        address = self._read(name)
        if address is None:
            return f"was not sent: {name} is not set"
        apprise = _apprise()
        if apprise is None:
            return "was not sent: apprise is not installed; run `pip install 'wave-scheduler[notify]'`"
        sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="scheduler", secure_logging=True))
        if not sender.add(address):
            return f"was not sent: {name} does not hold an address that apprise recognizes"
        if not sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
            return "failed: the service did not accept it"
        return None


def _apprise() -> Any:
    """Apprise without its log, which may hold addresses. None where it is not installed."""
    try:
        found = importlib.import_module("apprise")
    except ImportError:
        return None
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    return found


class _Watched:
    """A store that reports each save, once it is saved: the schedules before and after."""

    def __init__(self, store: Store, saw: Callable[[State, State], None]) -> None:
        self._store = store
        self._saw = saw

    @property
    def name(self) -> str:
        return self._store.name

    def load(self) -> Snapshot:
        return self._store.load()

    def create(self, state: State) -> Snapshot:
        return self._store.create(state)

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        return self.save_with_archive(state, {}, snapshot, message)

    def load_archive(self) -> dict[str, Record]:
        return self._store.load_archive()

    def save_with_archive(
        self, state: State, archived: dict[str, dict[str, Record]], snapshot: Snapshot, message: str
    ) -> Snapshot:
        before = snapshot.state
        if archived:
            saved = self._store.save_with_archive(state, archived, snapshot, message)
        else:
            saved = self._store.save(state, snapshot, message)
        self._saw(before, state)
        return saved
