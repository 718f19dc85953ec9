"""Faults of a machine, ordered from inside of a process: Python imports this before anything else.

    mini.start("run", PYTHONPATH=meddled, MEDDLE_CLOCK="10800")

`MEDDLE_CLOCK`: seconds by which the machine's clock is wrong; what counts seconds is left alone.
`MEDDLE_DISK`: `call:error:name` or `call:error:name:n`: the call (`open`, `write`, `fsync`, `rename`) fails
with that error for files of that name, from the n-th time on; half of a text is written before a write
fails. `KILL` for the error: the process dies there.

`MEDDLE_FILES`: how many files may be open at a time.

It works without privileges and without tools of the system, wherever the tests run.
"""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


def _set_clock(seconds: float) -> None:
    true = time.time  # noqa: TID251 - this is the machine's clock, as a test sets it
    time.time = lambda: true() + seconds  # noqa: TID251


class _Fault:
    """One fault of the disk, from its n-th call on."""

    def __init__(self, order: str) -> None:
        self.call, self.what, self.name, *first = order.split(":")
        self._left = int(first[0]) - 1 if first else 0

    def strikes(self, call: str, path: Any) -> bool:
        if call != self.call or not isinstance(path, str | os.PathLike) or Path(path).name != self.name:
            return False
        self._left -= 1
        return self._left < 0

    def strike(self) -> NoReturn:
        if self.what == "KILL":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self.what)
        raise OSError(number, os.strerror(number))


class _Faulty(io.FileIO):
    """A file of which half a text is written before the fault."""

    fault: _Fault

    def write(self, text: Any, /) -> int:
        super().write(memoryview(text)[: len(text) // 2])
        self.fault.strike()


def _meddle_with_disk(fault: _Fault) -> None:
    names: dict[int, str] = {}
    true_open, true_fdopen, true_fsync, true_replace = os.open, os.fdopen, os.fsync, os.replace

    def fault_first(call: str, path: Any) -> None:
        if fault.strikes(call, path):
            fault.strike()

    def open_(path: Any, *rest: Any, **more: Any) -> int:
        fault_first("open", path)
        descriptor = true_open(path, *rest, **more)
        names[descriptor] = os.fspath(path)
        return descriptor

    def fdopen(descriptor: int, *rest: Any, **more: Any) -> Any:
        if fault.strikes("write", names.get(descriptor)):
            faulty = _Faulty(descriptor, "wb")
            faulty.fault = fault
            return faulty
        return true_fdopen(descriptor, *rest, **more)

    def fsync(descriptor: int) -> None:
        fault_first("fsync", names.get(descriptor))
        true_fsync(descriptor)

    def replace(old: Any, new: Any, **more: Any) -> None:
        fault_first("rename", old)
        true_replace(old, new, **more)

    replacements: dict[str, Callable[..., Any]] = {
        "open": open_, "fdopen": fdopen, "fsync": fsync, "replace": replace,
    }  # fmt: skip
    for name, replacement in replacements.items():
        setattr(os, name, replacement)


if "MEDDLE_CLOCK" in os.environ:
    _set_clock(float(os.environ["MEDDLE_CLOCK"]))
if "MEDDLE_FILES" in os.environ:
    _most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(os.environ["MEDDLE_FILES"]), _most))
if "MEDDLE_DISK" in os.environ:
    _meddle_with_disk(_Fault(os.environ["MEDDLE_DISK"]))
