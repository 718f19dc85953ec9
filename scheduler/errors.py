"""The exceptions of the scheduler: broken machinery, and what breaks a rule when Python calls.

SchedulerError
├── StateError        the recorded state cannot be trusted, reached or written   (exit 3)
│   ├── StateMissing  there is no state at all
│   └── LostRace      another runner saved first: read again, decide again
├── QueueError        the queue cannot be reached or written                      (exit 3)
├── RunRefused        this run must not act (an old checkout, a wrong clock)       (exit 1)
└── ScheduleError     what was asked for breaks a rule; carries the diagnostics    (exit 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.diagnostics import Diagnostic


class SchedulerError(Exception):
    """Every error that this package raises on purpose. `hint` says what a person can do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class StateError(SchedulerError):
    """The recorded state cannot be trusted, reached or written."""


class StateMissing(StateError):
    """No state is there at all. A run must never take that for an empty one."""


class LostRace(StateError):
    """Another runner saved since this snapshot was read."""


class QueueError(SchedulerError):
    """The queue cannot be reached or written."""


class RunRefused(SchedulerError):
    """This run must not act: its checkout is too old, its clock is wrong, or nothing is declared at all."""


class ScheduleError(SchedulerError, ValueError):
    """What was asked for breaks a rule."""

    def __init__(
        self, message: str, diagnostics: Sequence[Diagnostic] = (), *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        """The sentence, and below it each reason with its place: what a traceback or a log shows."""
        return "\n".join([self.message, *(f"  {reason}" for reason in self.diagnostics)])
