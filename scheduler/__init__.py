"""A GitOps scheduler that publishes video on many channels at once.

The Python API is `SchedulingService`, the `Publication` that it returns and the errors that it raises. Each
is imported on first use: a run that finds nothing to do imports this package too, and must cost little more
than starting Python (tests/app/test_idle.py holds what it may import).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.app.service import Publication, SchedulingService
    from scheduler.errors import Error, QueueError, RunRefused, ScheduleError, StateError

__version__ = "0.2.0"
__all__ = [
    "Error",
    "Publication",
    "QueueError",
    "RunRefused",
    "ScheduleError",
    "SchedulingService",
    "StateError",
    "__version__",
]

_LAZY = {
    "Error": "scheduler.errors",
    "Publication": "scheduler.app.service",
    "QueueError": "scheduler.errors",
    "RunRefused": "scheduler.errors",
    "ScheduleError": "scheduler.errors",
    "SchedulingService": "scheduler.app.service",
    "StateError": "scheduler.errors",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
