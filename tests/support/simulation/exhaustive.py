"""Two runners over one or two due schedules: every interleaving with two switches, and every fault in it.

From `tests/support/`: `python -m simulation.exhaustive` plays all cases and counts them; `--cut` those of
the test suite, complete with one switch. A case is one history without any chance:

- two runners are started; the first goes on for i points (every i that it has), then one thing happens to it:
  it waits, it is killed, or it stalls for a while;
- the second goes on for j points (every j, or to its end), then it waits or is killed, and the first goes on;
- one fault, or none: one of the first pushes is refused, or lost before or after it was applied, or the first
  request is answered in one of the ways that there are.

Then it is quiet, and everything must come to its end. The rules are those of `invariants.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

from .declared import START, Channel, Wave
from .driver import History, simulated
from .invariants import Violation
from .world import RECEPTIONS, Calm, Push, Reception

Away = Literal["waits", "is killed", "stalls 70 s", "stalls 130 s", "stalls 20 min", "stalls 50 min"]

AWAY: tuple[Away, ...] = (
    "waits",
    "is killed",
    "stalls 70 s",
    "stalls 130 s",
    "stalls 20 min",
    "stalls 50 min",
)
SECONDS = {"stalls 70 s": 70, "stalls 130 s": 130, "stalls 20 min": 1200, "stalls 50 min": 3000}
PUSHES: tuple[Push, ...] = ("refused", "lost before", "lost after")
ANSWERS = tuple(name for name in RECEPTIONS if name not in ("204", "403, limited", "401"))
DEPTH = 3
"""Pushes of which one may go wrong: the intents, the outcomes, what a lookup told."""


@dataclass(frozen=True)
class Setting:
    """What is declared."""

    delivery: str
    confirm: str
    kind: Literal["one", "two", "stagger", "halt", "canary"] = "one"

    def channels(self) -> list[Channel]:
        return [Channel(name, delivery=self.delivery, confirm=self.confirm) for name in ("alpha", "beta")]

    def wave(self) -> Wave:
        names = ("alpha",) if self.kind == "one" else ("alpha", "beta")
        return Wave(
            "wave",
            at=START,
            members=dict.fromkeys(names, ""),
            type="simultaneous" if self.kind in ("one", "two") else "staggered",
            delay=30,
            halt=self.kind == "halt",
            after_success=self.kind == "canary",
        )


@dataclass(frozen=True)
class Case:
    """One history."""

    setting: Setting
    first_points: int | None
    """After how many points the first runner is left; None for its end."""
    away: Away = "waits"
    second_points: int | None = None
    is_second_killed: bool = False
    push: tuple[int, Push] | None = None
    """Which push goes wrong, and how."""
    answer: str | None = None


class Script(Calm):
    """One thing goes wrong, at a given place."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._pushes = count()
        self._requests = count()

    def push(self) -> Push:
        place = next(self._pushes)
        wrong = self._case.push
        return wrong[1] if wrong is not None and wrong[0] == place else "stored"

    def reception(self) -> Reception:
        first = next(self._requests) == 0
        return RECEPTIONS[self._case.answer if first and self._case.answer else "204"]


class Play(History):
    """One case, played."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.is_over = {"first": False, "second": False}
        """Whether a runner came to its end before it was left: then there is no case with more points."""
        setting = case.setting
        super().__init__(
            Script(case), setting.channels(), [setting.wave()], "brake: { cancel_percent: 100 }\n"
        )
        self.world.now += 40.0

    def trouble(self) -> None:
        case = self.case
        first, second = self.start(), self.start()
        self.is_over["first"] = self._go(first, case.first_points)
        if first.is_alive and case.away == "is killed":
            self.kill(first)
        elif first.is_alive and case.away != "waits":
            self.world.now += SECONDS[case.away]
        self.is_over["second"] = self._go(second, case.second_points)
        if second.is_alive and case.is_second_killed:
            self.kill(second)
        self._take_over()
        self._go(first, None)
        self._go(second, None)

    def _go(self, process: object, points: int | None) -> bool:
        """Let a runner go on for some points; whether it came to its end."""
        for passed in count():
            runner = next((one for one in self.processes if one is process), None)
            if runner is None:
                return True
            if passed == points:
                return False
            if runner.is_asleep:
                self.world.now = runner.wake
            self.step(runner)
        raise AssertionError("never reached")

    def _take_over(self) -> None:
        """While the first is away for long, others come, find what it left, and settle it."""
        if self.case.away in ("stalls 20 min", "stalls 50 min"):
            for _ in range(2):
                self.finish(self.start())
                self.world.now += 61


def play(case: Case) -> Play:
    """Play one case. Raises Violation, with the case and its trace as notes."""
    history = Play(case)
    try:
        history.play()
    except Violation as violation:
        violation.add_note(f"{case}")
        for now, name, what in history.world.trace:
            violation.add_note(f"{int(now - START):>6} {name} {what}")
        raise
    return history


# --- every case -------------------------------------------------------------------------------------------

EVERY_ONE = tuple(
    Setting(delivery, confirm)
    for delivery in ("at-most-once", "at-least-once")
    for confirm in ("accepted", "run")
)
EVERY_PAIR = tuple(
    Setting(delivery, "accepted" if kind != "canary" else "run", kind)
    for delivery in ("at-most-once", "at-least-once")
    for kind in ("two", "stagger", "halt", "canary")
)


def faults(case: Case) -> Iterator[Case]:
    """The case as it is, and with each fault."""
    yield case
    for place in range(DEPTH):
        for push in PUSHES:
            yield replace(case, push=(place, push))
    for answer in ANSWERS:
        yield replace(case, answer=answer)


def one_switch(settings: Sequence[Setting]) -> Iterator[Play]:
    """Every place at which the first may be left, everything that may become of it there, every fault."""
    for setting in settings:
        for base in faults(Case(setting, None)):
            for away in AWAY:
                for points in count():
                    played = play(replace(base, first_points=points, away=away))
                    yield played
                    if played.is_over["first"]:
                        break


LEFT: tuple[Away, ...] = ("waits", "is killed", "stalls 130 s", "stalls 20 min")
"""What becomes of the first one where the second is left, too; how long it stalls, one switch has tried."""


def two_switches(settings: Sequence[Setting], left: Sequence[Away] = LEFT) -> Iterator[Play]:
    """And every place at which the second may be left, or killed, before the first goes on."""
    for setting in settings:
        for base in faults(Case(setting, None)):
            for points in count():
                case = replace(base, first_points=points)
                ended = False
                for played in _second_left(case, left):
                    yield played
                    ended = ended or played.is_over["first"]
                if ended:
                    break


def _second_left(case: Case, left: Sequence[Away]) -> Iterator[Play]:
    for away in left:
        for is_second_killed in (False, True):
            if away == "is killed" and not is_second_killed:
                continue  # nobody is there to go on while the second waits
            for points in count():
                played = play(
                    replace(case, away=away, second_points=points, is_second_killed=is_second_killed)
                )
                yield played
                if played.is_over["second"]:
                    break


def main() -> None:
    sets = [one_switch(EVERY_ONE)]
    if "--cut" not in sys.argv:
        sets += [
            one_switch(EVERY_PAIR),
            two_switches(EVERY_ONE),
            two_switches(EVERY_PAIR, ("waits", "stalls 20 min")),
        ]
    total = 0
    with simulated():
        for cases in sets:
            for _ in cases:
                total += 1
                if total % 10_000 == 0:
                    print(f"{total:,} cases", flush=True)
            print(f"{total:,} cases, and none breaks a rule", flush=True)


if __name__ == "__main__":
    main()
