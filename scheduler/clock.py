"""The only module that reads the clock and that sleeps.

A clock started at a given instant (`--now`) continues from there at normal speed; the real one is read each
time, so that it is right after the machine was suspended or its clock was corrected.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable

from scheduler.times import Instant

_UNSET = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock for deadlines. On Linux the plain monotonic one stops while the machine is suspended."""
NAP = 0.2
"""Seconds of one sleep: how soon a waiting process notices that it should end."""
JUMP = 1.0
"""Seconds by which wall and monotonic time may part before somebody must have set the wall clock."""


class Clock:
    """Wall-clock time as epoch seconds, and waiting that can be ended early."""

    def __init__(self, start: Instant | None = None) -> None:
        self.is_real = start is None
        self._offset = 0.0 if start is None else start - time.monotonic()
        self._ended = False

    def now(self) -> Instant:
        """The present instant, whole seconds."""
        return int(self.moment())

    def moment(self) -> float:
        """The present instant with its fraction."""
        if self.is_real:
            return time.time()  # noqa: TID251 - this is that module
        return time.monotonic() + self._offset

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets, and that continues during suspend: for deadlines."""
        return time.clock_gettime(_UNSET)

    def end(self) -> None:
        """End all waiting, now and later. Called from a signal handler, so it takes no lock."""
        self._ended = True

    @property
    def is_ended(self) -> bool:
        return self._ended

    def sleep(self, seconds: float) -> bool:
        """Wait; False if the wait was ended early."""
        end = time.monotonic() + seconds
        return self._nap(lambda: end - time.monotonic())

    def sleep_until(self, moment: float) -> bool:
        """Wait until the clock shows `moment`; False if the wait was ended early."""
        return self._nap(lambda: moment - self.moment())

    def _nap(self, left: Callable[[], float]) -> bool:
        while not self._ended and (rest := left()) > 0:
            time.sleep(min(rest, NAP))
        return not self._ended

    def back_off(self, attempt: int) -> None:
        """Wait a random time, longer with each attempt, so that two that collided do not collide again."""
        longest = min(0.05 * 2**attempt, 5.0)
        self.sleep(longest * secrets.randbelow(1_000) / 1_000)


class SteadyClock:
    """The clock of one run: wall-clock time that nobody sets.

    It shows what the wall clock shows as long as that keeps pace with the monotonic one. After a jump it
    continues from before, until `follow` says which of the two is right: a run asks a server first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nap = NAP if clock.is_real else math.inf
        self._base = clock.moment() - clock.monotonic()
        self._refused = 0.0

    def now(self) -> Instant:
        """The present instant, whole seconds."""
        return int(self.moment())

    def moment(self) -> float:
        """The present instant with its fraction."""
        wall, ticks = self._clock.moment(), self._clock.monotonic()
        if abs(wall - ticks - self._base) > JUMP:
            return ticks + self._base
        self._base, self._refused = wall - ticks, 0.0
        return wall

    def jump(self) -> float:
        """Seconds by which the wall clock was set ahead (negative: back); 0 where not, or once refused."""
        gap = self._clock.moment() - self.moment()
        return gap if abs(gap - self._refused) > JUMP else 0.0

    def follow(self, *, wall: bool) -> None:
        """Settle a jump: show the wall clock from now on, or refuse it and continue from before."""
        gap = self._clock.moment() - self.moment()
        self._base, self._refused = (self._base + gap, 0.0) if wall else (self._base, gap)

    def monotonic(self) -> float:
        """As of `Clock`."""
        return self._clock.monotonic()

    @property
    def is_ended(self) -> bool:
        return self._clock.is_ended

    def sleep(self, seconds: float) -> bool:
        """As of `Clock`."""
        return self._clock.sleep(seconds)

    def sleep_until(self, moment: float) -> bool:
        """Wait until this clock shows `moment`; False if the wait was ended early."""
        while not self.is_ended and (rest := moment - self.moment()) > 0:
            self._clock.sleep(min(rest, self._nap))
        return not self.is_ended

    def back_off(self, attempt: int) -> None:
        """As of `Clock`."""
        self._clock.back_off(attempt)
