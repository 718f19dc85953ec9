"""What must hold of the state, the clock and the checkout before a run may act on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.checkout import reading
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.errors import RunRefused, StateError
from scheduler.state.record import State
from scheduler.times import Instant, instant_text

if TYPE_CHECKING:
    from scheduler.desired import SettingsSpec

BEHIND = 120
"""Seconds that the clock may be behind the state: two runners' clocks differ a little."""


def demand_lineage(state: State, settings: SettingsSpec, name: str) -> None:
    """Refuse a state whose lineage is not the pinned one. Raises StateError."""
    if settings.lineage is not None and settings.lineage != state.lineage:
        raise StateError(
            f"{name} has the lineage {state.lineage}, but scheduler.yaml pins {settings.lineage}",
            hint="this is the state of another repository: restore the right one",
        )


def clock_behind(state: State, now: Instant) -> str | None:
    """The message for a clock that is behind the state: what is recorded cannot be in the future."""
    latest = max((record.history[-1].at for record in state.schedules.values() if record.history), default="")
    if latest <= instant_text(now + BEHIND):
        return None
    return f"this machine's clock says {instant_text(now)}, but the state has an entry of {latest}"


def older_checkout(head: str, recorded: str) -> str:
    """The message for a checkout that is older than the one that the state was saved from."""
    return f"this checkout ({head[:12]}) is older than the one recorded last ({recorded[:12]})"


def unknown_checkout(problem: StateError) -> str:
    """The message for a checkout whose commit git cannot name."""
    return f"cannot tell whether this checkout is older than the one recorded last: {problem}"


class Guard:
    """Checks every state that a run loads. `now` is None for a clock that was set by hand: not compared."""

    def __init__(
        self,
        root: Path,
        settings: SettingsSpec,
        name: str,
        *,
        now: Callable[[], Instant] | None,
        commit: Callable[[], str | None],
        remarks: Callable[[], Sequence[Diagnostic]],
    ) -> None:
        self._root = root
        self._settings = settings
        self._name = name
        self._now = now
        self._commit = commit
        self._remarks = remarks
        self._compared: dict[tuple[str, str], list[Diagnostic]] = {}
        """By commits: comparing two may fetch, and a run checks several states."""

    def check(self, state: State) -> list[Diagnostic]:
        """Raises StateError for another lineage, RunRefused for an old checkout or a clock behind."""
        demand_lineage(state, self._settings, self._name)
        if self._now is not None and (message := clock_behind(state, self._now())) is not None:
            hint = "set the clock (ntp); if the state was written with --now, create a new one"
            raise RunRefused(message, hint=hint)
        recorded = None if state.declared is None else state.declared.commit
        remarks = list(self._remarks())
        try:
            head = self._commit()
        except StateError as problem:
            if recorded is not None:
                raise StateError(unknown_checkout(problem), hint=problem.hint) from None
            message = f"the commit of this checkout is not recorded: {problem}"
            return [*remarks, warning("stale-checkout", Location.whole("."), message, problem.hint)]
        if recorded is None or head is None:
            return remarks
        if (recorded, head) not in self._compared:
            self._compared[recorded, head] = self._compare(recorded, head)
        return remarks + self._compared[recorded, head]

    def _compare(self, recorded: str, head: str) -> list[Diagnostic]:
        found = reading.ancestry(self._root, recorded, head)
        if found == "older":
            hint = "an old workflow run was started again: start a new one from the tip of the branch"
            raise RunRefused(older_checkout(head, recorded), hint=hint)
        if found == "unknown":
            message = (
                f"cannot tell whether this checkout is newer than the one recorded last ({recorded[:12]})"
            )
            hint = "fetch the whole history of the branch"
            return [warning("stale-checkout", Location.whole("."), message, hint)]
        return []
