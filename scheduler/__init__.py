"""A GitOps scheduler that publishes video on many channels at once.

`SchedulingService` and `ScheduleError` are imported when they are asked for: the tick that finds nothing to
do imports this package too, and must cost little more than starting Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.app.service import SchedulingService
    from scheduler.errors import ScheduleError

__version__ = "0.1.0"
__all__ = ["ScheduleError", "SchedulingService", "__version__"]

_LAZY = {"ScheduleError": "scheduler.errors", "SchedulingService": "scheduler.app.service"}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
