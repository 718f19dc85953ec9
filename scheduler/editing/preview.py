"""One look at the repository and the record, and the same look with one file edited. Pure."""

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
    """Everything that was read, and what a proposal of it comes to."""

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
        """What is declared. Raises ScheduleError where scheduler.yaml is broken."""
        if self.reconciled.declared is None:
            raise ScheduleError(
                "scheduler.yaml cannot be read, so nothing can be checked or edited",
                self.reconciled.diagnostics,
                hint="mend it first",
            )
        return self.reconciled.declared

    def text(self, file: str) -> str | None:
        """The text of a declared file; None where there is none."""
        for source in self.sources:
            if source.file == file:
                try:
                    return source.content.decode()
                except UnicodeDecodeError:
                    raise ScheduleError(f"{file} is not UTF-8, so it cannot be edited") from None
        return None

    def faults_in(self, file: str) -> list[Diagnostic]:
        return [fault for fault in self.reconciled.diagnostics if fault.location.file == file]

    def edited(self, kind: Kind, file: str, text: str) -> View:
        """The same look with another text in one file."""
        sources = [source for source in self.sources if source.file != file]
        sources.append(Source(kind=kind, file=file, content=text.encode()))
        return look(sources, self.state, self.archive, self.now, self.surroundings)


def look(
    sources: Sequence[Source],
    state: State | None,
    archive: Mapping[str, Record],
    now: Instant,
    surroundings: Surroundings,
) -> View:
    """What a proposal of these files comes to at `now`."""
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
