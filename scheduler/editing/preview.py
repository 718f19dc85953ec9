"""The repository and the state as they were read at one instant, and the same with one file edited. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scheduler.checkout.source import Kind, Source
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic
from scheduler.errors import ScheduleError
from scheduler.planning import query
from scheduler.planning.plan import Surroundings
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.planning.rows import Row
from scheduler.state.record import Record, State
from scheduler.times import Instant


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read, and the plan that follows from it."""

    sources: Sequence[Source]
    state: State | None
    archive: Mapping[str, Record]
    now: Instant
    surroundings: Surroundings
    reconciled: Reconciled
    rows: Mapping[str, Row]
    """Every schedule as `list` shows it, by id."""

    @property
    def declared(self) -> Declarations:
        """What the files declare. Raises ScheduleError where scheduler.yaml cannot be read."""
        if self.reconciled.declared is None:
            raise ScheduleError(
                "scheduler.yaml cannot be read, so nothing can be checked or edited",
                self.reconciled.diagnostics,
                hint="fix scheduler.yaml first",
            )
        return self.reconciled.declared

    def text(self, file: str) -> str | None:
        """The text of a file; None where it does not exist. Raises ScheduleError where it is not UTF-8."""
        for source in self.sources:
            if source.file == file:
                try:
                    return source.content.decode()
                except UnicodeDecodeError:
                    raise ScheduleError(f"{file} is not UTF-8, so it cannot be edited") from None
        return None

    def problems_in(self, file: str) -> list[Diagnostic]:
        return [problem for problem in self.reconciled.diagnostics if problem.location.file == file]

    def edited(self, kind: Kind, file: str, text: str) -> View:
        """The same view with another text in one file."""
        sources = [source for source in self.sources if source.file != file]
        sources.append(Source(kind=kind, file=file, content=text.encode()))
        return view_of(sources, self.state, self.archive, self.now, self.surroundings)


def view_of(
    sources: Sequence[Source],
    state: State | None,
    archive: Mapping[str, Record],
    now: Instant,
    surroundings: Surroundings,
) -> View:
    """The view of these files and this state at `now`; as in a proposal, a new past time is an error."""
    reconciled = reconcile(sources, state, archive, now, surroundings, proposal=True)
    rows = {row.schedule_id: row for row in query.rows(reconciled, state)}
    return View(
        sources=sources,
        state=state,
        archive=archive,
        now=now,
        surroundings=surroundings,
        reconciled=reconciled,
        rows=rows,
    )
