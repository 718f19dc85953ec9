"""A repository whose runs live in simulated time: waiting takes no time, and things happen meanwhile.

Everything else is real: the files, the store, git, the server. `at` puts an event on the time line; it
happens when the run waits past it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from github_stand_in import GitHub
from miniature import Miniature

from scheduler.app.repository import Repository
from scheduler.delivery import Ports, Runner
from scheduler.simulation.world import at_once
from scheduler.times import Instant, instant_text, read_utc


class SimulatedClock:
    """Jumps to whatever is waited for, past the events on the way."""

    is_real = False

    def __init__(self, start: Instant) -> None:
        self._moment = float(start)
        self.wrong = 0.0
        """Seconds by which somebody has set the wall clock ahead of the true time."""
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._ended = False
        self.races = 0

    def at(self, text: str, event: Callable[[], object], *, plus: float = 0.0) -> None:
        """Let something happen at an instant (and a fraction of a second later)."""
        heapq.heappush(self._events, (read_utc(text) + plus, next(self._numbers), event))

    def now(self) -> Instant:
        return int(self.moment())

    def moment(self) -> float:
        return self._moment + self.wrong

    def set(self, seconds: float) -> None:
        """Set the wall clock ahead, or back."""
        self.wrong += seconds

    def monotonic(self) -> float:
        return self._moment

    def end(self) -> None:
        self._ended = True

    @property
    def is_ended(self) -> bool:
        return self._ended

    def sleep_until(self, moment: float) -> bool:
        return self.sleep(moment - self.moment())

    def sleep(self, seconds: float) -> bool:
        moment = self._moment + seconds
        while not self._ended and self._events and self._events[0][0] <= moment:
            at, _, event = heapq.heappop(self._events)
            self._moment = max(self._moment, at)
            event()
        if not self._ended:
            self._moment = max(self._moment, moment)
        return not self._ended

    def back_off(self, attempt: int) -> None:
        self.races += 1


class Stage:
    """A miniature, the stand-in for GitHub, and one clock for both."""

    def __init__(self, mini: Miniature, github: GitHub, start: str) -> None:
        self.mini, self.github = mini, github
        self.clock = SimulatedClock(read_utc(start))
        github.clock = self.clock.monotonic  # the true time
        self.repository = Repository(mini.root, mini.environ, self.clock)  # type: ignore[arg-type]

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.repository.close()

    def ports(self, *, follow: bool = True) -> Ports:
        settings = self.repository.settings()
        assert settings is not None
        ports = self.repository.ports(settings, follow=follow)
        ports.beside = at_once
        return ports

    def runner(self) -> Runner:
        """A run that is about to begin."""
        return Runner(self.ports())

    @property
    def now(self) -> str:
        return instant_text(self.clock.now())

    @property
    def arrivals(self) -> list[tuple[str, str]]:
        """When each publication arrived at the server, and whose it was, in the order of arrival."""
        runs = [run for repository in self.github.repositories.values() for run in repository.runs]
        when = {run.title.rpartition(" ")[2]: run.created for run in runs}
        return [
            (instant_text(int(when[d.payload["key"]])), d.payload["schedule_id"])
            for d in self.github.dispatches
        ]
