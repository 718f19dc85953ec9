"""What goes wrong in a soak: kills, stops, and a machine that sleeps."""

from __future__ import annotations

import contextlib
import os
import signal
from random import Random

from soak.processes import Ground, now, pause
from soak.receivers import Hub


class Troubles:
    """Makes troubles while time passes, and remembers each."""

    def __init__(self, ground: Ground, hub: Hub, chance: Random) -> None:
        self._ground, self._hub, self._chance = ground, hub, chance
        self.happened: list[tuple[float, str]] = []
        self._next = now() + 300
        self._stopped: list[tuple[float, list[str]]] = []

    def make_some(self, seconds: float) -> None:
        """Let so many seconds pass."""
        end = now() + seconds
        while (moment := min([end, self._next, *(at for at, _ in self._stopped)])) < end or now() < end:
            pause(max(moment - now(), 0))
            for entry in [one for one in self._stopped if one[0] <= now()]:
                self._stopped.remove(entry)
                for name in entry[1]:
                    self._signal(name, signal.SIGCONT)
            if now() >= self._next:
                self._next = now() + self._chance.uniform(90, 900)
                self._one()

    def cease(self) -> None:
        """Continue whatever is stopped."""
        for _, names in self._stopped:
            for name in names:
                self._signal(name, signal.SIGCONT)

    def _one(self) -> None:
        chance = self._chance
        kind = chance.choices(
            ["kill", "stop", "term", "sleep", "pull", "answer"], weights=[30, 25, 10, 5, 10, 20]
        )[0]
        names = list(self._ground.services)
        match kind:
            case "answer":
                self._say(self._hub.trouble())
            case "pull":
                self._kill_a_pull()
            case "sleep":
                self._stop(names, chance.uniform(60, 900))
            case "stop":
                self._stop([chance.choice(names)], chance.uniform(30, 1500))
            case _:
                name = chance.choice(names)
                self._signal(name, signal.SIGKILL if kind == "kill" else signal.SIGTERM)
                self._say(f"{kind} {name}")

    def _stop(self, names: list[str], seconds: float) -> None:
        self._say(f"stop {' '.join(names)} for {seconds:.0f} s")
        for name in names:
            self._signal(name, signal.SIGSTOP)
        self._stopped.append((now() + seconds, names))

    def _kill_a_pull(self) -> None:
        """Kill a pull and its helpers soon after it began."""
        old, end = self._ground.pull, now() + 600
        while self._ground.pull is old and now() < end:
            pause(0.5)
        pause(self._chance.uniform(0, 8))
        if self._ground.pull is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._ground.pull.pid, signal.SIGKILL)
                self._say("kill pull")

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self._ground.services[name].process
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def _say(self, what: str) -> None:
        self.happened.append((now(), what))
        print(f"{now():.0f} {what}", flush=True)
