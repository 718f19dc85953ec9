"""The exceptions that this package raises on purpose.

Error                 the base of all: `message`, and `hint`, what to do about it (or None)
├── StateError        the state cannot be trusted, reached or written             (exit 3)
│   ├── StateMissing  there is no state at all
│   ├── RemoteAway    its remote did not answer, and may answer the next time
│   └── LostRace      another run saved first: read again, decide again
├── QueueError        the queue cannot be reached or written                      (exit 3)
├── RunRefused        this run must not act: old checkout, wrong clock            (exit 1)
└── ScheduleError     what was asked for breaks a rule; carries the diagnostics   (exit 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.diagnostics import Diagnostic


class Error(Exception):
    """The base of every error that this package raises on purpose.

    `message` is one sentence; `hint` is the text to write or the command to run, or None. `str(error)`
    has both: a program that catches the error prints what to do as well.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def with_hint(self) -> str:
        """The message and the hint in one line, for places that have no other."""
        return self.message if self.hint is None else f"{self.message}; {self.hint}"

    def __str__(self) -> str:
        return self.with_hint


class StateError(Error):
    """The state cannot be trusted, reached or written. Nothing was sent without a record of it."""


class StateMissing(StateError):
    """There is no state at all. A run must never take that for an empty one: it would send the past again."""


class RemoteAway(StateError):
    """The remote of the state did not answer. It may the next time: a run that stays tries again."""


class LostRace(StateError):
    """Another run saved since this snapshot was read."""


class QueueError(Error):
    """The queue cannot be reached or written."""


class RunRefused(Error):
    """This run must not act: its checkout is too old, its clock is wrong, or nothing at all is declared."""


class ScheduleError(Error, ValueError):
    """What was asked for breaks a rule, names something that does not exist, or is of the wrong type.

    `diagnostics` holds the broken rules, each with its place; it is empty where the message says it all.
    """

    def __init__(
        self, message: str, diagnostics: Sequence[Diagnostic] = (), *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        """The message and hint; below, each diagnostic with its place and hint: for a traceback or a log."""
        lines = [self.with_hint]
        for reason in self.diagnostics:
            lines += [f"  {reason}", *([f"    hint: {reason.hint}"] if reason.hint else [])]
        return "\n".join(lines)
