"""A problem is data: where it is, which rule it breaks, a sentence, and what to do about it.

What finds problems returns lists of `Diagnostic` and raises nothing. Exceptions are for broken
machinery (`scheduler.errors`). `scheduler.reporting` decides how a diagnostic looks on a screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Final

Code = str
"""What `[...]` shows: the code of a rule in `scheduler.planning.rules` or `scheduler.planning.catalogue`."""


MOST: Final = 100
"""At most so many problems of one code are shown for a file; the rest are counted."""


class Severity(StrEnum):
    """How serious a problem is: an error ends the command with exit code 1, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file below the repository's root; line and column count from 1.

    Both are 0 for a folder, or for the repository as a whole (`.`).
    """

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        if self.is_whole:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def is_whole(self) -> bool:
        """Whether it is the file or folder itself, not a line of it."""
        return self.line == 0

    @classmethod
    def whole(cls, name: str) -> Location:
        """The place of a folder, or of a problem that is in no line of a file."""
        return cls(name, 0, 0)


@dataclass(frozen=True, slots=True)
class Related:
    """The other place that a problem is about; one that is only recorded has no location."""

    message: str
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, reported once."""

    severity: Severity
    code: Code
    message: str
    location: Location
    hint: str | None = None
    related: tuple[Related, ...] = ()
    not_shown: int = 0
    """For a line that stands for others: how many more problems of this code its file has."""
    schedules: tuple[str, ...] = field(default=(), compare=False)
    """The ids of the schedules it is about, so that no one searches for an id in a sentence.

    Two faults that read alike are one, about the schedules of both: it does not count in comparisons.
    """

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        return f"{self.location}: {self.message} [{self.code}]"


def _diagnostic(
    severity: Severity,
    code: Code,
    location: Location,
    message: str,
    hint: str | None = None,
    related: Iterable[Related] = (),
    *,
    schedules: Iterable[str] = (),
) -> Diagnostic:
    return Diagnostic(severity, code, message, location, hint, tuple(related), schedules=tuple(schedules))


error = partial(_diagnostic, Severity.ERROR)
"""A problem that ends the command with exit code 1."""
warning = partial(_diagnostic, Severity.WARNING)
"""A problem that stops nothing and that should be known."""


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The one order of diagnostics: by place, then code, then message; each once."""
    unique: dict[Diagnostic, Diagnostic] = {}
    for found in diagnostics:
        first = unique.setdefault(found, found)
        if first.schedules != found.schedules:
            both = dict.fromkeys([*first.schedules, *found.schedules])
            unique[found] = replace(first, schedules=tuple(both))
    return sorted(unique.values(), key=lambda d: (d.location, d.code, d.message))


def and_more(last: Diagnostic, not_shown: int) -> Diagnostic:
    """The line that stands for the problems of a file that are not shown; `last` is the last that is."""
    message = f"…and {not_shown:,} more in this file {'is' if not_shown == 1 else 'are'} not shown"
    hint = "fix those that are shown, then validate again: one cause often makes many"
    return replace(last, message=message, hint=hint, related=(), not_shown=not_shown, schedules=())


class Tally:
    """Collects problems where one mistake may make thousands: `MOST` of each code are kept for a file.

    The rest are counted without being described, since finding places and similar names takes time.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Code, str], list[Diagnostic]] = {}
        self._found: Counter[tuple[Code, str]] = Counter()

    def __len__(self) -> int:
        """How many were found, kept or only counted."""
        return self._found.total()

    def add(self, fault: Diagnostic) -> None:
        """Count one that is described already."""
        self.report(fault.code, fault.location.file, lambda: fault)

    def report(self, code: Code, file: str, describe: Callable[[], Diagnostic]) -> None:
        """Count one of `code` in `file`; it is described if it is among the first."""
        self._found[code, file] += 1
        if self._found[code, file] <= MOST:
            self._kept.setdefault((code, file), []).append(describe())

    @classmethod
    def joined(cls, parts: Iterable[Tally]) -> Tally:
        """What several tallies found, one after the other, as if one had counted it all."""
        whole = cls()
        for part in parts:
            whole._found += part._found
            for kind, kept in part._kept.items():
                known = whole._kept.setdefault(kind, [])
                known += kept[: MOST - len(known)]
        return whole

    def all(self) -> list[Diagnostic]:
        """Those kept, and for each file and code the line that stands for the rest."""
        found = [fault for kept in self._kept.values() for fault in kept]
        for kind, kept in self._kept.items():
            if (not_shown := self._found[kind] - len(kept)) > 0:
                found.append(and_more(max(kept, key=lambda fault: fault.location), not_shown))
        return found
