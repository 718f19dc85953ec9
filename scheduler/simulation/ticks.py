"""When ticks start: scheduled at regular times, late, some of them never.

Ticks do not overtake each other: one that is very late delays those after it, as was measured of GitHub's
cron, whose five-minute ticks came every 20 to 190 minutes. The first tick is at the start of the span, and
on time: merging a change is a tick, too.
"""

from __future__ import annotations

import math
from random import Random

import msgspec

from scheduler.simulation.conditions import Conditions
from scheduler.times import Instant


class Ticks(msgspec.Struct, frozen=True, kw_only=True):
    """The arrivals, ascending, each instant once."""

    arrivals: list[Instant]
    wanted: int
    """How many were scheduled within the span."""
    dropped: int
    """How many of these never started."""


def ticks(conditions: Conditions, number: int, start: Instant, end: Instant, last: Instant) -> Ticks:
    """The ticks of pass `number` over `start <= time < end`; they continue until `last`.

    Each tick draws its random numbers in the same order whatever the conditions, so that passes under
    different conditions can be compared.
    """
    random = Random(f"{conditions.seed} ticks {number}")  # noqa: S311 - a simulation, no secret
    wanted = dropped = 0
    arrivals = [start]
    at = (
        start - conditions.late.most - conditions.every.most * random.random()
    )  # some are already late at the start
    while at <= last:
        share, lateness = random.random(), conditions.late.at(random.random())
        is_dropped = share < conditions.drop
        if start <= at < end:
            wanted += 1
            dropped += is_dropped
        if not is_dropped:
            arrival = math.ceil(at + lateness)
            if arrivals[-1] < arrival <= last:  # otherwise it starts together with the one before it
                arrivals.append(arrival)
        at += conditions.every.at(random.random())
    return Ticks(arrivals=arrivals, wanted=wanted, dropped=dropped)
