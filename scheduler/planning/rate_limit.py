"""Pace: how many requests a token may make, as a bucket that is refilled evenly.

A bucket of `count` holds that many at once and gets a new one every `seconds / count` seconds. It is
rebuilt from the recorded sends, so that a second run does not start with a full one.
"""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.desired import Pace


class Bucket:
    """One token's bucket, as a theoretical arrival time (the generic cell rate algorithm, ITU-T I.371)."""

    def __init__(self, pace: Pace, sent: Iterable[float] = ()) -> None:
        self.interval = pace.seconds / pace.count
        self.tolerance = self.interval * (pace.count - 1)
        self._theoretical = float("-inf")
        for moment in sorted(sent):
            self._theoretical = max(self._theoretical, moment) + self.interval

    def take(self, wanted: float) -> float:
        """When a request that is wanted at `wanted` (epoch seconds) may leave."""
        granted = max(wanted, self._theoretical - self.tolerance)
        self._theoretical = max(self._theoretical, granted) + self.interval
        return granted

    def take_many(self, wanted: float, count: int) -> float:
        """When the last of `count` requests that are all wanted at `wanted` may leave."""
        begun = max(self._theoretical, wanted)
        self._theoretical = begun + count * self.interval
        return max(wanted, begun + (count - 1) * self.interval - self.tolerance)


class Sent:
    """What one run really sent, to the fraction of a second: records have whole seconds."""

    def __init__(self) -> None:
        self._moments: dict[str, list[float]] = {}

    def note(self, token: str | None, moment: float) -> None:
        """A request left (epoch seconds)."""
        if token is not None:
            self._moments.setdefault(token, []).append(moment)

    def waits(self, pace: Pace, tokens: Iterable[str | None], moment: float) -> list[float]:
        """For requests in their order, by the token of each: the seconds until it may leave."""
        buckets: dict[str, Bucket] = {}
        waits = []
        for token in tokens:
            if token is None:
                waits.append(0.0)
                continue
            if token not in buckets:
                recent = (sent for sent in self._moments.get(token, ()) if sent > moment - 2 * pace.seconds)
                buckets[token] = Bucket(pace, recent)
            waits.append(buckets[token].take(moment) - moment)
        return waits
