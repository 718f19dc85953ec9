"""The one room that reads the clock and that sleeps.

A clock that is started at a given instant (`--now`) runs on from there, at the machine's own speed.
"""

from __future__ import annotations

import secrets
import threading
import time

from scheduler.times import Instant


class Clock:
    """Wall-clock time as epoch seconds, monotonic from its start, and waiting that can be ended early."""

    def __init__(self, start: Instant | None = None) -> None:
        self.is_real = start is None
        wall = time.time() if start is None else float(start)  # noqa: TID251 - this is that room
        self._offset = wall - time.monotonic()
        self._ended = threading.Event()

    def now(self) -> Instant:
        """The present instant, whole seconds."""
        return int(self.moment())

    def moment(self) -> float:
        """The present instant with its fraction."""
        return time.monotonic() + self._offset

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets: for deadlines."""
        return time.monotonic()

    def end(self) -> None:
        """End every waiting, now and later (a signal asks the program to finish)."""
        self._ended.set()

    @property
    def is_ended(self) -> bool:
        return self._ended.is_set()

    def sleep(self, seconds: float) -> bool:
        """Wait; False where the waiting was ended early."""
        if seconds > 0:
            return not self._ended.wait(seconds)
        return not self._ended.is_set()

    def sleep_until(self, moment: float) -> bool:
        """Wait until the clock shows `moment`; False where the waiting was ended early."""
        return self.sleep(moment - self.moment())

    def back_off(self, attempt: int) -> None:
        """Wait a random while, longer with each attempt: two that lost a race do not meet again."""
        longest = min(0.05 * 2**attempt, 5.0)
        self.sleep(longest * secrets.randbelow(1_000) / 1_000)
