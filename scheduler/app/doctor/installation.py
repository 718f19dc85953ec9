"""What the checks look at: the repository, what it declares, its state, and the operator's environment."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scheduler.app.repository import Repository
from scheduler.desired import SettingsSpec
from scheduler.desired.declarations import Declarations
from scheduler.errors import StateError, StateMissing
from scheduler.planning.plan import Surroundings
from scheduler.reporting.doctor_text import Finding, Verdict
from scheduler.state.record import Record, State

MOST_NAMED = 5
"""Names of a longer list that a message repeats."""


class StateRead(msgspec.Struct, frozen=True):
    """The state and its archive, or why they could not be read."""

    name: str
    state: State | None = None
    archive: Mapping[str, Record] = {}
    problem: StateError | None = None

    @property
    def is_out_of_reach(self) -> bool:
        return self.problem is not None and not isinstance(self.problem, StateMissing)


class Installation(msgspec.Struct, frozen=True):
    """What the checks look at."""

    repository: Repository
    declared: Declarations
    surroundings: Surroundings
    read: StateRead
    hold: int | None = None
    """Seconds for which runs wait for what falls due; None where that is not given."""
    only: frozenset[str] | None = None
    """The channels to look at; None for all."""


def read_state(repository: Repository, settings: SettingsSpec) -> StateRead:
    """Read the state; never raises StateError."""
    store = repository.store(settings)
    try:
        state = store.load().state
        repository.demand_own(state, settings)
        return StateRead(store.name, state, store.load_archive())
    except StateError as problem:
        return StateRead(store.name, problem=problem)


def finding(
    about: str, check: str, title: str, verdict: Verdict, message: str, hint: str | None = None
) -> Finding:
    """A finding about a part of the installation."""
    return Finding("installation", about, check, title, verdict, message, hint)
