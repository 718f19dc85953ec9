"""The protections, switched off one by one: the test of the simulation is that it notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec

import scheduler.apply as apply
import scheduler.outcomes as outcomes
import scheduler.plan.sent as sent
from scheduler.dispatchers import Sighting
from scheduler.errors import LostRace
from scheduler.state import Record, State, advance
from scheduler.stores import Snapshot

from .world import SimulatedStore


@contextmanager
def save_without_comparing() -> Iterator[None]:
    """A save overwrites whatever is stored: the last writer wins."""

    def save(self: SimulatedStore, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        self.process.point("before save")
        self.world.overwrite(state)
        mark = str(self.world.version)
        self.process.point("after save")
        return Snapshot(state, mark)

    with mock.patch.object(SimulatedStore, "save", save):
        yield


@contextmanager
def merge_after_a_lost_race() -> Iterator[None]:
    """A lost save is rebased: our records over theirs, where they differ from what we read."""

    plain = SimulatedStore.save

    def save(self: SimulatedStore, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        try:
            return plain(self, state, snapshot, message)
        except LostRace:
            theirs = self.world.state
            read = snapshot.state.schedules
            ours = {i: record for i, record in state.schedules.items() if read.get(i) is not record}
            merged = msgspec.structs.replace(
                theirs, schedules={**theirs.schedules, **ours}, serial=theirs.serial + 1
            )
            self.world.overwrite(merged)
            return Snapshot(merged, str(self.world.version))

    with mock.patch.object(SimulatedStore, "save", save):
        yield


@contextmanager
def send_before_the_intent() -> Iterator[None]:
    """Requests leave first, and the intent is saved with their outcome."""

    plain = apply.Runner._save

    def save(self: Any, state: State, snapshot: Snapshot, message: str, archived: Any = None) -> Snapshot:
        fresh = {
            i
            for i, record in state.schedules.items()
            if record.status == "executing"
            and record.accepted_at is None
            and record.intent is not None
            and record.intent.owner == self._owner
            and (i not in snapshot.state.schedules or snapshot.state.schedules[i].intent != record.intent)
        }
        if fresh:
            return Snapshot(state, snapshot.mark)  # not saved at all: as if the save came later
        return plain(self, state, snapshot, message, archived)

    with mock.patch.object(apply.Runner, "_save", save):
        yield


@contextmanager
def look_nothing_up() -> Iterator[None]:
    """Every lookup answers that no run carries the key."""
    plain = outcomes.after_lookup

    def blind(record: Record, sighting: Sighting, now: int) -> Record:
        return plain(record, Sighting(runs=()), now)

    with mock.patch.object(apply, "after_lookup", blind):
        yield


@contextmanager
def retry_blindly() -> Iterator[None]:
    """An unknown outcome is taken for a not-now, and sent again."""
    plain = outcomes.after_answer

    def blind(record: Record, answer: Any, now: int, settings: Any) -> Record:
        if answer.verdict == "unknown":
            answer = msgspec.structs.replace(answer, verdict="not-now")
        return plain(record, answer, now, settings)

    with mock.patch.object(apply, "after_answer", blind):
        yield


@contextmanager
def key_with_the_time() -> Iterator[None]:
    """The key changes with each attempt, so that a channel cannot know the second delivery."""
    plain = apply.Runner._intend

    def timed(self: Any, *rest: Any) -> Any:
        record, request = plain(self, *rest)
        intent = msgspec.structs.replace(request.intent, key=f"{request.intent.key}-{request.intent.at}")
        record = msgspec.structs.replace(record, intent=intent)
        return record, msgspec.structs.replace(request, intent=intent)

    with mock.patch.object(apply.Runner, "_intend", timed):
        yield


@contextmanager
def take_over_at_once() -> Iterator[None]:
    """Another runner's fresh intent is taken for a dead one's, and its lookup is believed at once."""
    with (
        mock.patch.object(sent, "IN_FLIGHT", -1),
        mock.patch.object(outcomes, "LOOKUP_WINDOW", 0),
        mock.patch.object(sent, "LOOKUP_WINDOW", 0),
    ):
        yield


@contextmanager
def unknown_is_only_failed() -> Iterator[None]:
    """What failed as unknown is retried like any other failure."""
    plain = outcomes.after_lookup

    def eager(record: Record, sighting: Sighting, now: int) -> Record:
        after = plain(record, sighting, now)
        if after.status == "failed" and after.reason == "unknown_outcome":
            return advance(after, "pending", now, "failed, so try again", reason=None, intent=None)
        return after

    with mock.patch.object(apply, "after_lookup", eager):
        yield


MUTANTS: tuple[Callable[[], Any], ...] = (
    save_without_comparing,
    merge_after_a_lost_race,
    send_before_the_intent,
    look_nothing_up,
    retry_blindly,
    key_with_the_time,
    take_over_at_once,
    unknown_is_only_failed,
)
