"""When ticks come: wanted at regular times, late, some of them never.

Ticks do not overtake each other: one that is very late holds up those after it, as was seen of GitHub's
cron, whose five-minute ticks came every 20 to 190 minutes. The first tick is the beginning of the span
itself, and in time: merging what is simulated is a tick, too.
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
    """How many were wanted within the span."""
    dropped: int
    """How many of these never came."""


def ticks(conditions: Conditions, number: int, start: Instant, end: Instant, last: Instant) -> Ticks:
    """The ticks of run `number` over `start <= time < end`; they go on until `last`.

    Each tick takes its chances in the same order whatever the conditions say, so that a run under other
    conditions is the same run.
    """
    random = Random(f"{conditions.seed} ticks {number}")  # noqa: S311 - a simulation, no secret
    wanted = dropped = 0
    arrivals = [start]
    at = start - conditions.late.most - conditions.every.most * random.random()  # some are on their way
    while at <= last:
        share, lateness = random.random(), conditions.late.at(random.random())
        is_dropped = share < conditions.drop
        if start <= at < end:
            wanted += 1
            dropped += is_dropped
        if not is_dropped:
            arrival = math.ceil(at + lateness)
            if arrivals[-1] < arrival <= last:  # otherwise it comes together with the one before it
                arrivals.append(arrival)
        at += conditions.every.at(random.random())
    return Ticks(arrivals=arrivals, wanted=wanted, dropped=dropped)
