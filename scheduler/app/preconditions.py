"""What must hold of the state, the clock and the checkout before a run may act on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scheduler.checkout import history, reading
from scheduler.checkout.history import Standing
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.errors import RunRefused, StateError
from scheduler.state.record import Declared, State
from scheduler.times import Instant, instant_text

if TYPE_CHECKING:
    from scheduler.checkout.source import Source
    from scheduler.desired import SettingsSpec

BEHIND = 120
"""Seconds that the clock may be behind the state: two runners' clocks differ a little."""

ADOPT = (
    "use the branch's tip (`git pull`, or a new workflow run); to act on exactly this checkout, run "
    "`scheduler run --adopt`"
)
"""What to do about an outdated checkout."""


def demand_lineage(state: State, settings: SettingsSpec, name: str) -> None:
    """Refuse a state whose lineage is not the pinned one. Raises StateError."""
    if settings.lineage is not None and settings.lineage != state.lineage:
        raise StateError(
            f"{name} has the lineage {state.lineage}, but scheduler.yaml pins {settings.lineage}",
            hint="this is the state of another repository: restore the right one",
        )


def demand_owner(state: State, folder: str | None, name: str, declares: Callable[[], bool]) -> None:
    """Refuse the state of another folder of the repository: acting on it would withdraw all it has.

    `folder` is None for a state in a file, which is in its folder. A state that names none is taken by the
    folder that `declares` what is in it. Raises StateError.
    """
    if folder in (None, state.folder) or (state.folder is None and (not state.schedules or declares())):
        return
    own = f"scheduler-state-{slug_of(folder or '')}".removesuffix("-.")
    raise StateError(
        f"{name} is the state of another folder of this repository, not of {folder}"
        if state.folder is None
        else f"{name} is the state of the folder {state.folder}, not of {folder}",
        hint=f"to give this folder a state of its own, write `state: branch:{own}` in scheduler.yaml and run "
        "`scheduler state init`; if it is the same folder under a new name, run `scheduler state adopt`",
    )


def slug_of(folder: str) -> str:
    """A folder of a repository as a part of a name: `shop/videos` -> `shop-videos`."""
    return folder.replace("/", "-")


def clock_behind(state: State, now: Instant) -> str | None:
    """The message for a clock that is behind the state: what is recorded cannot be in the future."""
    latest = max((record.history[-1].at for record in state.schedules.values() if record.history), default="")
    if latest <= instant_text(now + BEHIND):
        return None
    return f"this machine's clock says {instant_text(now)}, but the state has an entry of {latest}"


def outdated(standing: Standing, head: str, recorded: str) -> str:
    """The message for a checkout that does not contain the commit that the state was saved from."""
    if standing == "older":
        return f"this checkout ({head[:12]}) is older than the one recorded last ({recorded[:12]})"
    return f"this checkout ({head[:12]}) does not contain the one recorded last ({recorded[:12]})"


def other_branch(state: State, branch: str | None) -> str | None:
    """The message for a checkout of another branch than the state's; a detached one is of none."""
    if branch is None or state.branch in (None, branch):
        return None
    return f"this checkout is on the branch {branch}, but the state follows {state.branch}"


def unknown_checkout(problem: StateError) -> str:
    """The message for a checkout of which git or the remote cannot say whether it is outdated."""
    return f"cannot tell whether this checkout is older than the one recorded last: {problem.message}"


class Guard:
    """Checks every state that a run loads. `now` is None for a clock that was set by hand: not compared.

    `adopts`: this checkout is taken over whatever is recorded, until it is the one that is recorded.
    """

    def __init__(
        self,
        root: Path,
        folder: str | None,
        *,
        demand: Callable[[State], None],
        now: Callable[[], Instant] | None,
        commit: Callable[[], str | None],
        branch: Callable[[], str | None],
        remarks: Callable[[], Sequence[Diagnostic]],
        adopts: bool = False,
    ) -> None:
        self._root = root
        self._folder = folder
        self._demand = demand
        self._now = now
        self._commit = commit
        self._branch = branch
        self._remarks = remarks
        self._adopts = adopts
        self._found: dict[tuple[str, str], Standing | StateError] = {}
        """By commits: comparing two may fetch, and a run checks several states."""

    def check(self, state: State, sources: Sequence[Source]) -> list[Diagnostic]:
        """Raises StateError for another's state and where a checkout cannot be compared; RunRefused for one
        of another branch, one that does not contain what was recorded last, and for a clock behind."""
        self._demand(state)
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
            message = f"the commit of this checkout is not recorded: {problem.message}"
            return [*remarks, warning("stale-checkout", Location.whole("."), message, problem.hint)]
        message = other_branch(state, self._branch())
        self._adopts = self._adopts and (message is not None or recorded != head)
        if message is not None and not self._adopts:
            hint = f"run `git switch {state.branch}`; for the state to follow this branch, run "
            raise RunRefused(message, hint=f"{hint}`scheduler run --adopt`")
        if state.declared is None or recorded is None or head is None:
            return remarks
        if recorded == head or self._adopts or state.declared.digest == reading.digest(sources):
            return remarks
        return remarks + self._outdated(recorded, head, state.branch)

    def _outdated(self, recorded: str, head: str, branch: str | None) -> list[Diagnostic]:
        """Refuse a checkout that does not contain the recorded commit; only the remote's tip is a warning."""
        found = self._standing(recorded, head, again=True)
        if found == "contained":
            return []
        try:
            is_tip = not isinstance(found, StateError) and head == history.remote_tip(self._root, branch)
        except StateError as problem:
            found, is_tip = problem if found == "missing" else found, False
        if isinstance(found, StateError):
            raise StateError(unknown_checkout(found), hint=found.hint)
        message = outdated(found, head, recorded)
        if not is_tip:
            raise RunRefused(message, hint=ADOPT)
        message += ", but is the tip of the remote's branch, which was set back or rewritten"
        hint = "if that was a mistake, restore the branch: what only the other commit declares is withdrawn"
        return [warning("stale-checkout", Location.whole("."), message, hint)]

    def declared(self, sources: Sequence[Source], state: State, now: Instant) -> State:
        """The state with what is declared at `now`, and where.

        The commit moves on with the checkout even while the files stay the same. Otherwise a commit in
        between, whose files were others, would later seem to be newer than what is recorded.
        """
        before, digest = state.declared, reading.digest(sources)
        try:
            head, branch = self._commit(), self._branch()
        except StateError:  # `check` refused or warned; what is recorded is never forgotten
            head = branch = None
        recorded = None if before is None else before.commit
        is_kept = before is not None and before.digest == digest and not self._adopts
        if head is None or (is_kept and recorded and self._standing(recorded, head) != "contained"):
            head = recorded
        is_new = before is None or before.digest != digest
        since = instant_text(now) if is_new or before is None else before.since
        declared = Declared(digest=digest, commit=head, since=since)
        return msgspec.structs.replace(
            state, declared=declared, folder=self._folder, branch=branch or state.branch
        )

    def _standing(self, recorded: str, head: str, *, again: bool = False) -> Standing | StateError:
        """What the recorded commit is for this checkout; `again`: ask anew where nobody could say."""
        found = self._found.get((recorded, head))
        if found is None or (again and isinstance(found, StateError)):
            try:
                found = history.standing(self._root, recorded, head)
            except StateError as problem:
                found = problem
            self._found[recorded, head] = found
        return found
