"""A clock that `--now` sets and that stands still, so that a test says the same on a busy machine."""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.times import Instant


class StillClock(Clock):
    """Time passes only where somebody waits for it, and then at once."""

    def __init__(self, start: Instant | None = None) -> None:
        super().__init__(start)
        self._still = 0.0 if start is None else float(start)

    def moment(self) -> float:
        return super().moment() if self.is_real else self._still

    def sleep(self, seconds: float) -> bool:
        self._still += seconds
        return not self.is_ended

    def sleep_until(self, moment: float) -> bool:
        self._still = max(self._still, moment)
        return not self.is_ended
