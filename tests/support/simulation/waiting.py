"""Runs that wait: a commit arrives meanwhile, the state's remote is away, and the clock is set, both ways.

One seed is one hold. What is due at its beginning, and what becomes due sooner meanwhile, has to leave at
its instant by the true time, but for the seconds in which that was not possible.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from scheduler.clock import SteadyClock
from scheduler.delivery import Runner, hold_and_watch
from scheduler.errors import StateError

from .declared import START, Channel, Wave
from .driver import History, ports_of
from .world import Calm, Process

HOLD = 900
SLACK = 5
"""Seconds after its instant, or after the end of a trouble, within which a request has to leave."""
SEEN = hold_and_watch.POLL + SLACK
"""Seconds after which a waiting run has seen what was merged."""


class Answering(Calm):
    """Nothing goes wrong but what the history says; servers say what time it is."""

    def pick(self, count: int) -> int:
        return count - 1


class Span(NamedTuple):
    """A stretch of trouble, in epoch seconds."""

    begin: int
    end: int

    def delays(self, due: int) -> bool:
        """Whether what is due then, or has to be seen by then, may have to wait for its end."""
        return self.begin - SLACK <= due <= self.end + SEEN


class WaitingHistory(History):
    """One hold, and what happens while it waits."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)  # the same seed, the same history
        self.first = Wave("first", START + random.randrange(300, 800), {"alpha": ""}, catch_up=60)
        merged = START + random.randrange(20, 200)
        self.merged, self.due = merged, merged + SEEN + random.randrange(2, 60)
        self.second = Wave("second", self.due, {"beta": ""}, catch_up=60)
        self.kind = random.choice(("new", "moved", "resumed"))
        self.second.there = self.kind != "new"
        self.second.paused = self.kind == "resumed"
        if self.kind == "moved":
            self.second.at += 3600
        self.away = self._span(0.5, 30)
        self.silent = self._span(0.3, 30)
        self.jump_at = START + random.randrange(10, 600)
        self.jump = random.choice((0, 0, 5, -5, 300, -300, 3600, -3600, 86_400))
        self.wrong_at_first = random.choice((90, -90)) if random.random() < 0.2 else 0
        channels = [Channel("alpha"), Channel("beta")]
        super().__init__(Answering(), channels, [self.first, self.second], "pace: 60/min\n")

    def _span(self, chance: float, longest: int) -> Span:
        begin = START + self.random.randrange(10, 600)
        length = self.random.randrange(1, longest) if self.random.random() < chance else 0
        return Span(begin, begin + length)

    def trouble(self) -> None:
        process = self.start(self._hold)
        process.is_person = False
        events = {self.merged, self.jump_at, *self.away, *self.silent}
        while process.is_alive:
            self._happen(process)
            if process.is_asleep:
                now = self.world.now
                self.world.now = min([process.wake, *(event for event in events if event > now)])
            else:
                self.step(process)
        self.world.is_away = self.world.is_silent = False
        for schedule_id, due in (("first/first/alpha", self.first.at), ("second/second/beta", self.due)):
            self._check_sent(schedule_id, due)

    def _happen(self, process: Process) -> None:
        """What happens by now."""
        now, world = self.world.now, self.world
        world.is_away = self.away.begin <= now < self.away.end
        world.is_silent = self.silent.begin <= now < self.silent.end
        set_to = 0 if self.wrong_at_first else self.jump
        process.skew = float(set_to if now >= self.jump_at else self.wrong_at_first)
        if now >= self.merged and (not self.second.there or self.second.paused or self.second.at != self.due):
            self.second.there, self.second.paused, self.second.at = True, False, self.due
            self.publish()

    def _hold(self, process: Process) -> None:
        """`scheduler run --hold 15m`."""
        ports = ports_of(process)
        ports.clock = SteadyClock(ports.clock)  # type: ignore[arg-type]

        def tip() -> object:
            process.point("ask for the tip")
            if self.world.is_away:
                raise StateError("the remote is away")
            return len(self.world.versions), self.world.version

        ports.tip = tip
        process.runner = Runner(ports)
        hold_and_watch.hold(process.runner, HOLD, lambda problem: None)

    def _check_sent(self, schedule_id: str, due: int) -> None:
        """It left, once, at its instant by the true time, or as soon as that was possible."""
        said = f"before the request for {schedule_id}"
        left = [now for now, _, what in self.world.trace if what == said]
        if self.wrong_at_first and due < self.jump_at + SEEN + abs(self.wrong_at_first):
            return  # nobody could know
        troubles = [self.away, *([self.silent] if self.jump or self.wrong_at_first else [])]
        latest = max([due, *(span.end for span in troubles if span.delays(due))]) + SLACK
        if len(left) != 1 and latest < due + self.first.catch_up:
            self.world.judge.fail(
                "in time", f"{schedule_id} left {len(left)} times while a run waited for it"
            )
        if left and not due <= left[0] <= latest:
            self.world.judge.fail("in time", f"{schedule_id} left {left[0] - due:+.1f} s from its instant")


def play_waiting(seed: int) -> WaitingHistory:
    """Play one seed. Raises Violation."""
    history = WaitingHistory(seed)
    history.play()
    return history
