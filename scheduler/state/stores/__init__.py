"""Where the state lives. A store loads a snapshot and saves against exactly that snapshot.

`save` is a compare-and-swap: it succeeds only where what is stored is still what the snapshot was read
from, and raises `LostRace` otherwise. Nothing is ever merged: the run that loses reads again and decides
again.

The records are decoded where they are needed and not on import, because a run that finds nothing to
do reads a state's first line alone (`scheduler.state.header`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scheduler.state.header import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scheduler.state.record import Record, State


class Snapshot(NamedTuple):
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

        The caller has raised the serial by one; only where nothing but the first line's bookkeeping
        changed (`declared`, `idle`, `zone_release`) may it be the same. A text that is already stored is
        not written again; one in the form of an older version is taken over into the present one. Raises
        LostRace where another text is stored by now, StateError where nothing can be written (the old text
        is then intact) or where it is not known whether it was, and ValueError for a state that cannot
        follow the snapshot.
        """

    def load_archive(self) -> dict[str, Record]:
        """All records that were moved to `archive/<year>-<month>.json`, by schedule id.

        Raises StateError where a month that the state lists is missing, or is another text: what was sent
        then would be sent again.

        Call it after `load`, never before: the archive is written first, so that a record which moves
        meanwhile is then seen in one place at least.
        """

    def save_with_archive(
        self, state: State, archived: dict[str, dict[str, Record]], snapshot: Snapshot, message: str
    ) -> Snapshot:
        """Like `save`, and adds records to archive months (`"2026-03"`), both or neither.

        Where both cannot be written in one step, the archive is written first: a record in both places
        is one record, a record in neither would be forgotten.
        """


def open_store(root: Path, setting: str, who: Mapping[str, str] | None = None) -> Store:
    """The store that a `state:` setting names: a path below `root`, or `branch:<name>` of its remote.

    `who` says in a branch's history who and what made this process run, by name.
    """
    kind, colon, branch = setting.partition(":")
    if colon and kind == "branch":
        from scheduler.state.stores.git_branch import GitBranchStore

        return GitBranchStore(root, branch, who=who or {})
    from scheduler.state.stores.file import FileStore

    return FileStore(root / setting, setting)


def not_as_listed(listed: Mapping[str, str], found: Mapping[str, Sequence[str | None]]) -> str | None:
    """What is wrong with the archive, where it is not the one that the state lists; None where it is.

    `found`: by month, the fingerprints that count as the listed one. A month that is not listed is no harm.
    """
    for month, fingerprint in listed.items():
        if month not in found:
            return f"archive/{month}.json is missing, so what was sent then would be sent again"
        if fingerprint not in found[month]:
            return f"archive/{month}.json is not as the state lists it, so it may have lost what was sent"
    return None


def successor(state: State, snapshot: Snapshot) -> State:
    """The state to store after `snapshot`: `state`, in the present version of the form.

    Raises ValueError where it cannot follow the snapshot (a fault of this program), and StateError where an
    older version cannot be taken over without a loss.
    """
    before = snapshot.state
    if state is before:
        raise ValueError("a snapshot's own state was changed in place; save a new one")
    if (state.version, state.lineage) != (before.version, before.lineage):
        raise ValueError("a save may not change the version or the lineage")
    is_bookkeeping = state.serial == before.serial and state.schedules == before.schedules
    if not is_bookkeeping and state.serial != before.serial + 1:
        raise ValueError(f"the serial after {before.serial} is {before.serial + 1}, not {state.serial}")
    if state.version == VERSION:
        return state
    from scheduler.state.codec import taken_over

    return taken_over(state)
