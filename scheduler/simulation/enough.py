"""Which setting would have been enough. Each candidate is simulated, so every answer is a tested one.

A candidate is first computed from the ticks, then tried with a `catch_up` that nothing exceeds, so that the
trial shows by how much it falls short; then it is raised by that much.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from scheduler.simulation.conditions import Conditions
from scheduler.simulation.replay import Fate, History
from scheduler.times import Instant

PATIENT = 366 * 86_400
"""Seconds: a `catch_up` with which nothing is missed."""
TRIES = 5
"""How often a candidate is raised before the search gives up."""

Play = Callable[[Conditions], Sequence[History]]
Limit = Callable[[Fate], int]
"""How long after its publish time a publication may be sent, in seconds."""


class Enough(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest sufficient values (seconds, whole minutes), each on its own; None where none was found."""

    catch_up: int | None
    lead: int | None
    hold: int | None


class Search:
    """Tries settings on runs whose ticks and answers stay the same."""

    def __init__(self, play: Play, conditions: Conditions) -> None:
        self._play = play
        self._conditions = conditions
        self._histories = play(conditions)
        self._catch_ups: dict[str, int] = {
            fate.schedule_id: fate.catch_up for history in self._histories for fate in history.fates
        }

    def to_miss_nothing(self) -> Enough:
        """Settings with which every publication is sent within its `catch_up`."""
        return Enough(
            catch_up=self._catch_up(),
            lead=self._lead(self._own_catch_up),
            hold=self._hold(self._own_catch_up),
        )

    def to_be_in_time(self) -> Enough:
        """Settings with which every publication is sent by its publish time."""
        return Enough(catch_up=None, lead=self._lead(self._in_time), hold=self._hold(self._in_time))

    def _in_time(self, fate: Fate) -> int:
        """0, unless the publish time is so near the start that nothing could be in time for it."""
        return max(0, self._histories[0].starts[0] + self._slack - fate.at)

    def _own_catch_up(self, fate: Fate) -> int:
        return self._catch_ups.get(fate.schedule_id, fate.catch_up)

    # --- each setting -----------------------------------------------------------------------------

    def _catch_up(self) -> int | None:
        histories = self._histories
        if any(fate.kind == "missed" for history in histories for fate in history.fates):
            histories = self._patiently({})
        short = _short(histories, lambda _: 0)
        return None if short is None else _minutes(short)

    def _lead(self, limit: Limit) -> int | None:
        """Enough that some run starts between due and the limit."""
        hold, slack = self._conditions.hold, self._slack

        def missing(fate: Fate, starts: Sequence[Instant]) -> int:
            return fate.at - _last(starts, fate.at + limit(fate) - slack) - hold

        return self._raised("lead", _minutes(_most(self._histories, missing)), limit)

    def _hold(self, limit: Limit) -> int | None:
        """Enough that a run that started before due still holds then (the ticks are those without hold)."""
        without = self._patiently({"hold": 0})

        def missing(fate: Fate, starts: Sequence[Instant]) -> int:
            due, last = fate.at - fate.lead, fate.at + limit(fate) - self._slack
            begun = _last(starts, max(due, last))
            return due - begun

        return self._raised("hold", _minutes(_most(without, missing)), limit)

    # --- trying -----------------------------------------------------------------------------------

    def _raised(self, setting: Literal["lead", "hold"], candidate: int, limit: Limit) -> int | None:
        """The candidate, raised until it is enough; None where raising does not help."""
        for _ in range(TRIES):
            short = _short(self._patiently({setting: candidate}), limit)
            if short is None:
                break
            if short <= 0:
                return candidate
            candidate += _minutes(max(short, candidate / 4 if setting == "hold" else 0))
        return None

    @property
    def _slack(self) -> int:
        """Seconds that a run takes to load, to save its intents, and to send."""
        return 3 * self._conditions.latency.most

    def _patiently(self, changes: Mapping[str, Any]) -> Sequence[History]:
        return self._play(msgspec.structs.replace(self._conditions, catch_up=PATIENT, **changes))


def _most(histories: Sequence[History], missing: Callable[[Fate, Sequence[Instant]], int]) -> int:
    """The largest shortfall of any publication, given the starts of the runs."""
    return max(
        (
            missing(fate, history.starts)
            for history in histories
            for fate in history.fates
            if fate.kind in ("sent", "missed")
        ),
        default=0,
    )


def _short(histories: Sequence[History], limit: Limit) -> int | None:
    """By how many seconds the latest publication exceeded its limit; None where one was never sent."""
    worst = -PATIENT
    for history in histories:
        for fate in history.fates:
            if fate.kind == "missed":
                return None
            if fate.needed is not None:
                worst = max(worst, fate.needed - limit(fate))
    return worst


def _last(starts: Sequence[Instant], before: Instant) -> Instant:
    """The last start at or before an instant; the first of all where there is none."""
    return starts[max(bisect_right(starts, before) - 1, 0)]


def _minutes(seconds: float) -> int:
    """Rounded up to whole minutes."""
    return max(0, math.ceil(seconds / 60)) * 60
