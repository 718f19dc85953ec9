"""Saves to the state what workers report: many threads, one save at a time, and as few saves as possible.

A change that arrives during a save waits, and is then saved together with all others that waited: on a
branch, each save is a push. A change may be made several times, each time on the state read last; only the
last one counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import msgspec

from scheduler.delivery import commit_messages
from scheduler.errors import LostRace, StateError
from scheduler.state.jobs import Records
from scheduler.state.record import State
from scheduler.state.stores import Store
from scheduler.times import Instant

T = TypeVar("T")
RACES = 60
"""How many saves may lose the race against other writers before a change is given up."""


class BackoffClock(Protocol):
    """The part of `scheduler.clock.Clock` that is needed here."""

    def now(self) -> Instant: ...
    def back_off(self, attempt: int) -> None: ...


class _PendingChange:
    """One change that waits to be saved, and its result."""

    def __init__(self, change: Callable[[Records, Instant], Any]) -> None:
        self.change = change
        self.is_done = False
        self.result: Any = None
        self.problem: Exception | None = None


class BatchWriter:
    """The state, for writers in threads. `demand` raises StateError for a state that is not ours."""

    def __init__(
        self,
        store: Store,
        clock: BackoffClock,
        *,
        demand: Callable[[State], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._demand = demand
        self._waiting_lock = threading.Lock()  # guards `_waiting`; held for a moment
        self._save_lock = threading.Lock()  # held by the one thread that saves
        self._waiting: list[_PendingChange] = []

    def read(self) -> State:
        """The state as it is. Raises StateError."""
        state = self._store.load().state
        self._demand(state)
        return state

    def write(self, change: Callable[[Records, Instant], T]) -> T:
        """Change some records and save them; returns what the change returned, once it is saved.

        Raises StateError where it could not be saved, and what the change itself raises.
        """
        pending = _PendingChange(change)
        with self._waiting_lock:
            self._waiting.append(pending)
        with self._save_lock:
            if not pending.is_done:  # otherwise the thread that held the lock saved it along with its own
                with self._waiting_lock:
                    batch, self._waiting = self._waiting, []
                problem: Exception | None = None
                try:
                    self._save(batch)
                except StateError as failure:
                    problem = failure
                for one in batch:
                    one.is_done = True
                    one.problem = problem or one.problem
        if pending.problem is not None:
            raise pending.problem
        return cast("T", pending.result)

    def _save(self, batch: list[_PendingChange]) -> None:
        """Save all changes of a batch at once. Raises StateError."""
        for attempt in range(RACES):
            snapshot = self._store.load()
            before = snapshot.state
            self._demand(before)
            records, now = dict(before.schedules), self._clock.now()
            for pending in batch:
                _apply(pending, records, now)
            if records == before.schedules:
                return
            state = msgspec.structs.replace(before, schedules=records, serial=before.serial + 1, idle=None)
            try:
                self._store.save(state, snapshot, commit_messages.outcomes(before.schedules, records))
            except LostRace:
                self._clock.back_off(min(attempt, 6))
                continue
            return
        raise StateError(f"other writers saved the state first, {RACES} times in a row")


def _apply(pending: _PendingChange, records: Records, now: Instant) -> None:
    """Make one change, or, where it raises, none of it: the others are saved nevertheless."""
    pending.problem = None
    untouched = dict(records)
    try:
        pending.result = pending.change(records, now)
    except Exception as problem:  # noqa: BLE001 - raised again in the thread whose change it is
        pending.problem = problem
        records.clear()
        records |= untouched
