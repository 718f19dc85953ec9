"""Two publications on one channel are less than `min_gap` apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from scheduler.desired import SettingsSpec
from scheduler.planning.inquiry import Booking, Clash, Example, Rule
from scheduler.planning.spacing import booked
from scheduler.times import duration_text


def pairs(settings: SettingsSpec, channel: str, line: Sequence[Booking]) -> Iterator[Clash]:
    """Neighbours on the time line; exactly `min_gap` is allowed.

    What was sent is no neighbour of a local time that only new zone data moved to its instant.
    """
    gap = settings.conflicts.min_gap
    for before, after in pairwise(line):
        apart = after.at - before.at
        if apart >= gap or (before.settled and after.settled) or before.id == after.id:
            continue
        if (before.settled or after.settled) and abs(after.today - before.today) >= gap:
            continue
        describe = partial(_describe, channel, apart, gap)
        yield Clash(code=RULE.code, first=before, second=after, describe=describe)


def _describe(channel: str, apart: int, gap: int, it: Booking, other: Booking) -> tuple[str, str]:
    shown = "at the same time" if apart == 0 else f"only {duration_text(apart)} apart"
    return (
        f"{booked(it)} and {booked(other)} are {shown} on channel {channel}; "
        f"`min_gap` requires at least {duration_text(gap)}",
        f"move one of them by {duration_text(gap - apart)} or more",
    )


RULE = Rule(
    code="min-gap",
    title="Publications on one channel keep their distance",
    meaning="""\
Two publications at once on one channel are most often a mistake: a wave that another one knows nothing
of, or a line that was copied. `conflicts.min_gap` in `scheduler.yaml` (1m by default) is the least
distance between their publish times. What is recorded and no longer declared counts too, if it was
sent.""",
    remedy="Move one of the two, or lower `min_gap`.",
    bad=Example(
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha, beta]
-- waves/summer.yaml --
schedules:
  - type: simultaneous
    video: trailer
    at: 2026-03-05T18:00:30Z
    channels: [alpha]
""",
        fix=("T18:00:30Z", "T18:01:00Z"),
    ),
    pairs=pairs,
)
