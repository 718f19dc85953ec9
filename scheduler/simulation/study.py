"""A simulation as a whole: many passes, and what they show about each wave and each channel."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from scheduler.diagnostics import Diagnostic
from scheduler.simulation.conditions import Conditions
from scheduler.simulation.enough import Enough, Search
from scheduler.simulation.replay import Fate, History, Kind, Stage, replay


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one wave or one channel over all passes. Durations are in seconds."""

    kind: Literal["wave", "channel"]
    id: str
    lead: int
    """The smallest among its publications; so is `catch_up`."""
    catch_up: int
    sent: int
    on_time: int
    """How many were sent by their publish time."""
    missed: int
    failed: int
    held: int
    median: int | None
    """Lateness from due (the publish time minus the lead), of what was sent."""
    most: int | None
    """The 95th percentile."""
    worst: int | None


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A publication that was not sent in some passes."""

    schedule_id: str
    kind: Kind
    why: str
    """The most common reason."""
    runs: int


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a simulation."""

    stage: Stage
    conditions: Conditions
    runs: int
    publications: int
    """In one pass."""
    wanted: int
    """Ticks over all passes; so are `dropped`."""
    dropped: int
    gap: int
    """The longest time between the starts of two consecutive runs, in seconds."""
    put_off: int
    """Publications that waited their turn (`min_gap`), as they were late together; over all passes."""
    figures: Sequence[Figures]
    troubles: Sequence[Trouble]
    missing_nothing: Enough
    in_time: Enough
    diagnostics: Sequence[Diagnostic]


def study(stage: Stage, conditions: Conditions, runs: int) -> Study:
    """Play `runs` passes under the conditions, and search for settings that would have been enough."""
    played: dict[Conditions, list[History]] = {}

    def play(given: Conditions) -> list[History]:
        if given not in played:
            played[given] = [replay(stage, given, number) for number in range(1, runs + 1)]
        return played[given]

    histories = play(conditions)
    search = Search(play, conditions)
    fates = [fate for history in histories for fate in history.fates]
    return Study(
        stage=stage,
        conditions=conditions,
        runs=runs,
        publications=len({fate.schedule_id for fate in fates}),
        wanted=sum(history.wanted for history in histories),
        dropped=sum(history.dropped for history in histories),
        gap=max((b - a for each in histories for a, b in itertools.pairwise(each.starts)), default=0),
        put_off=sum(history.put_off for history in histories),
        figures=_figures(fates),
        troubles=_troubles(fates),
        missing_nothing=search.to_miss_nothing(),
        in_time=search.to_be_in_time(),
        diagnostics=histories[0].diagnostics,
    )


def _figures(fates: Iterable[Fate]) -> list[Figures]:
    """Waves first, then channels; a wave's publications count for both."""
    waves, channels = defaultdict(list), defaultdict(list)
    for fate in fates:
        channels[fate.channel].append(fate)
        if fate.wave is not None:
            waves[fate.wave].append(fate)
    return [
        *(_figures_of("wave", name, waves[name]) for name in sorted(waves)),
        *(_figures_of("channel", name, channels[name]) for name in sorted(channels)),
    ]


def _figures_of(kind: Literal["wave", "channel"], name: str, fates: Sequence[Fate]) -> Figures:
    counts = Counter(fate.kind for fate in fates)
    late = sorted(fate.lateness for fate in fates if fate.lateness is not None)
    return Figures(
        kind=kind,
        id=name,
        lead=min(fate.lead for fate in fates),
        catch_up=min(fate.catch_up for fate in fates),
        sent=counts["sent"],
        on_time=sum(fate.lateness == 0 for fate in fates),
        missed=counts["missed"],
        failed=counts["failed"],
        held=counts["held"],
        median=_share(late, 0.5),
        most=_share(late, 0.95),
        worst=_share(late, 1.0),
    )


def _share(ascending: Sequence[int], share: float) -> int | None:
    """The value that this share does not exceed (nearest rank)."""
    return ascending[math.ceil(share * len(ascending)) - 1] if ascending else None


def _troubles(fates: Iterable[Fate]) -> list[Trouble]:
    reasons: dict[tuple[str, Kind], Counter[str]] = defaultdict(Counter)
    for fate in fates:
        if fate.kind != "sent":
            reasons[fate.schedule_id, fate.kind][fate.why] += 1
    return [
        Trouble(schedule_id=name, kind=kind, why=whys.most_common(1)[0][0], runs=whys.total())
        for (name, kind), whys in sorted(reasons.items())
    ]
