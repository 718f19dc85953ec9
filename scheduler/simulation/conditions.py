"""What a simulation is given: how often runs start and how late, how channels answer, and settings to try."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from scheduler.checkout.source import Source
from scheduler.desired import Pace
from scheduler.desired.declarations import Declarations, declare
from scheduler.diagnostics import Diagnostic
from scheduler.times import TimeError, duration_text, read_duration
from scheduler.wording import quoted

_FORM = (
    "write a duration (`20m`), a minimum and maximum (`0s..20m`), or with the median between (`0s..2h..5h`)"
)


class Spread(msgspec.Struct, frozen=True):
    """A distribution of durations in seconds: half of them below the middle, uniform on either side of it."""

    least: int
    middle: float
    most: int

    def at(self, share: float) -> float:
        """The quantile: the duration that this share (0 to 1) of all does not exceed."""
        if share <= 0.5:
            return self.least + (self.middle - self.least) * share * 2
        return self.middle + (self.most - self.middle) * (share * 2 - 1)

    @property
    def text(self) -> str:
        """`20m`, `0s to 20m`, or `0s to 12h12m (half within 4h46m)`."""
        if self.least == self.most:
            return duration_text(self.least)
        text = f"{duration_text(self.least)} to {duration_text(self.most)}"
        if self.middle != (self.least + self.most) / 2:
            text += f" (half within {duration_text(round(self.middle))})"
        return text


GITHUB = Spread(0, 286 * 60, 732 * 60)
"""How late GitHub's cron was measured to be: 25 runs, a median of 286 and a maximum of 732 minutes."""


def read_spread(text: str) -> Spread:
    """Read `20m`, `0s..20m`, `0s..2h..5h` or `github`. Raises TimeError."""
    if text == "github":
        return GITHUB
    ends = [read_duration("0s" if part == "0" else part) for part in text.split("..")]
    if len(ends) > 3 or ends != sorted(ends):
        raise TimeError(f"{quoted(text)} is not a range of durations", _FORM)
    middle = ends[1] if len(ends) == 3 else (ends[0] + ends[-1]) / 2
    return Spread(ends[0], middle, ends[-1])


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions of a simulation. Durations are in seconds, shares from 0 to 1."""

    every: Spread
    """From one scheduled tick to the next."""
    late: Spread = Spread(0, 0, 0)
    """How much later than scheduled a tick starts."""
    drop: float = 0.0
    """The share of ticks that never start."""
    hold: int = 0
    latency: Spread = Spread(0, 0, 0)
    """How long a channel takes to answer, and the store to load or save the state."""
    refuse: float = 0.0
    """The share of requests that are refused permanently."""
    limit: float = 0.0
    """The share that is rate limited."""
    unknown: float = 0.0
    """The share whose answer is lost; half of these requests arrived."""
    lead: int | None = None
    """Overrides each channel's own."""
    catch_up: int | None = None
    """Overrides the settings' and each wave's own."""
    pace: Pace | None = None
    seed: int = 1


class Reading:
    """Reads the files once, and replaces the declared settings by those to try."""

    def __init__(self, sources: Iterable[Source], conditions: Conditions) -> None:
        declared, self._faults = declare(sources)
        self.declared = None if declared is None else _overridden(declared, conditions)

    def __call__(self, _: Iterable[Source]) -> tuple[Declarations | None, list[Diagnostic]]:
        return self.declared, self._faults


def _overridden(declared: Declarations, conditions: Conditions) -> Declarations:
    settings, channels, waves = declared.settings, declared.channels, declared.waves
    lead, catch_up = conditions.lead, conditions.catch_up
    if conditions.pace is not None:
        settings = msgspec.structs.replace(settings, pace=conditions.pace)
    if catch_up is not None:
        settings = msgspec.structs.replace(settings, catch_up=catch_up)
        waves = {name: msgspec.structs.replace(wave, catch_up=catch_up) for name, wave in waves.items()}
    if lead is not None:
        channels = {name: msgspec.structs.replace(c, lead=lead) for name, c in channels.items()}
    return msgspec.structs.replace(declared, settings=settings, channels=channels, waves=waves)
