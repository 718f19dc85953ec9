"""Where the state lives. A store loads a snapshot and saves against exactly that snapshot.

`save` is a compare-and-swap: it succeeds only where what is stored is still what the snapshot was read
from, and raises `LostRace` otherwise. Nothing is ever merged: whoever loses reads again and decides
again.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from scheduler.state import Record, State


class Snapshot(msgspec.Struct, frozen=True):
    """A state as it was read, with the store's own mark of that version (bytes' digest, commit id)."""

    state: State
    mark: str


class Store(Protocol):
    """A home of the state."""

    @property
    def name(self) -> str:
        """What messages call it: `state.json`, `branch scheduler-state`."""

    def load(self) -> Snapshot:
        """The stored state. Raises StateMissing where there is none, StateError where it can't be read."""

    def create(self, state: State) -> Snapshot:
        """Store the very first state. Raises StateError where one is there already."""

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        """Replace the snapshot's version by `state`, durably. `message` is for the audit log.

        Raises LostRace where the stored version is another one, StateError where nothing can be
        written (the old version is then intact).
        """

    def load_archive(self) -> dict[str, Record]:
        """All records that were moved to `archive/<year>-<month>.json`, by schedule id."""

    def save_with_archive(
        self, state: State, archived: dict[str, dict[str, Record]], snapshot: Snapshot, message: str
    ) -> Snapshot:
        """Like `save`, and adds records to archive months (`"2026-03"`), both or neither.

        Where both cannot be written in one step, the archive is written first: a record in both places
        is one record, a record in neither would be forgotten.
        """
