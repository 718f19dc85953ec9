"""A channel that answers questions slowly, or not at all, beside a punctual one, in a run that waits.

One seed is one hold. What falls due on the punctual channel while the slow one is asked has to leave at its
instant all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from scheduler.clock import SteadyClock
from scheduler.delivery import Runner, hold_and_watch
from scheduler.delivery.dispatcher import Readiness
from scheduler.state.answers import LookupResult
from scheduler.state.record import Intent

from .declared import START, Channel, Wave
from .driver import History, ports_of
from .waiting import HOLD, SLACK, Answering
from .world import Process, SimulatedGitHub


class SlowGitHub(SimulatedGitHub):
    """The way to a channel whose answers take long. It keeps to the time that it is allowed."""

    def __init__(self, process: Process, takes: float) -> None:
        super().__init__(process)
        self.takes = takes
        self.allowed = float("inf")

    def allow(self, seconds: float) -> None:
        self.allowed = seconds

    def _is_answered(self) -> bool:
        """Let time pass until the answer is there, or may not take longer."""
        process = self.process
        is_answered = self.takes <= self.allowed
        process.wake = process.world.now + min(self.takes, self.allowed)
        while process.is_asleep:
            process.point("waits for a slow answer")
        return is_answered

    def look_up(
        self, intents: Mapping[str, Intent], run_ids: Mapping[str, int] | None = None
    ) -> Mapping[str, LookupResult]:
        if self._is_answered():
            return super().look_up(intents, run_ids)
        return dict.fromkeys(intents, LookupResult(error="there was no time to ask", is_put_off=True))

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        if self._is_answered():
            return super().ask_ready(intents)
        none = Readiness(ready=False, problem="there was no time to ask", is_put_off=True)
        return dict.fromkeys(intents, none)


class SlowHistory(History):
    """One hold, with one channel that is asked and slow, and two publications of another that fall due."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)  # the same seed, the same history
        self.takes = random.choice((2, 15, 40, 200, 10_000))
        first = START + random.randrange(20, 200)
        self.dues = {"first": first, "second": first + random.randrange(120, 500)}
        waves = [Wave(name, at, {"beta": ""}, catch_up=60) for name, at in self.dues.items()]
        waves += [
            Wave(f"later-{n}", START + HOLD + random.randrange(600, 7200), {"alpha": ""}) for n in range(2)
        ]
        channels = [Channel("alpha"), Channel("beta")]
        super().__init__(Answering(), channels, waves, "pace: 60/min\n")

    def trouble(self) -> None:
        process = self.start(self._hold)
        process.is_person = False
        while process.is_alive:
            if process.is_asleep:
                self.world.now = process.wake
            self.step(process)
        for name, due in self.dues.items():
            said = f"before the request for {name}/{name}/beta"
            left = [now for now, _, what in self.world.trace if what == said]
            if len(left) != 1 or not due <= left[0] <= due + SLACK:
                self.world.judge.fail("in time", f"{name}, due {due}, left at {left} beside a slow channel")

    def _hold(self, process: Process) -> None:
        """`scheduler run --hold 15m`."""
        ports = ports_of(process)
        ports.clock = SteadyClock(ports.clock)  # type: ignore[arg-type]
        ports.tip = lambda: (len(self.world.versions), self.world.version)
        slow, punctual = SlowGitHub(process, self.takes), SimulatedGitHub(process)
        ports.dispatcher = lambda intent: slow if "alpha" in (intent.repository or "") else punctual
        process.runner = Runner(ports)
        hold_and_watch.hold(process.runner, HOLD, lambda problem: None)


def play_slow(seed: int) -> SlowHistory:
    """Play one seed. Raises Violation."""
    history = SlowHistory(seed)
    history.play()
    return history
