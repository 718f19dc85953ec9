"""A problem is data: where it is, which rule it breaks, a sentence, and what to do about it.

Rooms that find problems return lists of `Diagnostic`; they do not raise them. Exceptions are for
broken machinery (`scheduler.errors`). How a diagnostic looks on a screen is the business of
`scheduler.reports`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Code = Literal[
    "yaml-syntax",
    "duplicate-key",
    "unknown-key",
    "missing-key",
    "invalid-value",
    "unknown-channel",
    "inactive-channel",
    "duplicate-id",
    "min-gap",
    "repeat-video",
    "past",
    "frozen",
    "edited-after-dispatch",
    "not-allowed",
    "brake",
    "missing-token",
    "late-by-pace",
    "skipped-slot",
    "stale-checkout",
    "clock",
    "forgotten",
    "unreachable",
]


class Severity(StrEnum):
    """How much a problem weighs: an error ends red (exit 1), a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file below the repository's root; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """The other place that a problem is about; one that is only recorded has no location."""

    message: str
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault, told once."""

    severity: Severity
    code: Code
    message: str
    location: Location
    hint: str | None = None
    related: tuple[Related, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def error(
    code: Code,
    location: Location,
    message: str,
    hint: str | None = None,
    related: Iterable[Related] = (),
) -> Diagnostic:
    """A fault that ends the command red."""
    return Diagnostic(Severity.ERROR, code, message, location, hint, tuple(related))


def warning(
    code: Code,
    location: Location,
    message: str,
    hint: str | None = None,
    related: Iterable[Related] = (),
) -> Diagnostic:
    """Something worth a person's look that stops nothing."""
    return Diagnostic(Severity.WARNING, code, message, location, hint, tuple(related))


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The one order in which diagnostics are told: by place, then code, then words; each once."""
    unique = dict.fromkeys(diagnostics)
    return sorted(unique, key=lambda d: (d.location, d.code, d.message))
