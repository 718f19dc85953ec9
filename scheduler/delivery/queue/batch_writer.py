"""Writes into the record what workers say: many threads, one save at a time, and as few saves as can be.

Whoever has something to write while another save is under way waits, and is then saved together with all
others that waited: on a branch each save is a push. A change may be made several times, each time on what is
stored then; only the last one counts.
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
"""How often a save may be lost before it is given up."""


class SavePace(Protocol):
    """What of a clock is wanted here; `scheduler.clock.Clock` has it."""

    def now(self) -> Instant: ...
    def back_off(self, attempt: int) -> None: ...


class _Entry:
    """One change that waits to be saved, and what came of it."""

    def __init__(self, change: Callable[[Records, Instant], Any]) -> None:
        self.change = change
        self.is_done = False
        self.result: Any = None
        self.problem: Exception | None = None


class Ledger:
    """The record, for writers in threads. `demand` refuses a state that is not ours: it raises StateError."""

    def __init__(
        self,
        store: Store,
        clock: SavePace,
        *,
        demand: Callable[[State], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._demand = demand
        self._door = threading.Lock()  # guards the list of those that wait
        self._pen = threading.Lock()  # one saves at a time
        self._waiting: list[_Entry] = []

    def read(self) -> State:
        """The record as it is. Raises StateError."""
        state = self._store.load().state
        self._demand(state)
        return state

    def write(self, change: Callable[[Records, Instant], T]) -> T:
        """Make a change of some records and save it; what the change returned, once it is stored.

        Raises StateError where it could not be saved, and what the change itself raises.
        """
        entry = _Entry(change)
        with self._door:
            self._waiting.append(entry)
        with self._pen:
            if not entry.is_done:
                with self._door:
                    batch, self._waiting = self._waiting, []
                self._settle(batch)
        if entry.problem is not None:
            raise entry.problem
        return cast("T", entry.result)

    def _settle(self, batch: list[_Entry]) -> None:
        problem: Exception | None = None
        try:
            self._save(batch)
        except StateError as failure:
            problem = failure
        for entry in batch:
            entry.is_done = True
            entry.problem = problem or entry.problem

    def _save(self, batch: list[_Entry]) -> None:
        """Save the changes of a batch in one step. Raises StateError."""
        for attempt in range(RACES):
            snapshot = self._store.load()
            before = snapshot.state
            self._demand(before)
            records, now = dict(before.schedules), self._clock.now()
            for entry in batch:
                _apply(entry, records, now)
            if records == before.schedules:
                return
            state = msgspec.structs.replace(before, schedules=records, serial=before.serial + 1, idle=None)
            try:
                self._store.save(state, snapshot, commit_messages.outcomes(before.schedules, records))
            except LostRace:
                self._clock.back_off(min(attempt, 6))
                continue
            return
        raise StateError("other writers saved the state first each time")


def _apply(entry: _Entry, records: Records, now: Instant) -> None:
    """Make one change, or none at all where it fails: the others' are saved nevertheless."""
    entry.problem = None
    untouched = dict(records)
    try:
        entry.result = entry.change(records, now)
    except Exception as problem:  # noqa: BLE001 - it is raised again for the writer whose change it is
        entry.problem = problem
        records.clear()
        records |= untouched
