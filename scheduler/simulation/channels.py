"""Channels that answer as the conditions say: accepted, refused, rate limited, or unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from scheduler.delivery.dispatcher import Request
from scheduler.simulation.conditions import Conditions
from scheduler.simulation.world import SimulatedDispatcher, World
from scheduler.state.answers import Answer
from scheduler.times import Instant

RUN_TAKES = 60
"""Seconds from the dispatch to the end of the channel's workflow run."""
LIMITED_FOR = 60
"""Seconds that a rate limit asks to wait: GitHub's minimum where it does not state a time."""


class Channels(SimulatedDispatcher):
    """All channels. A request's outcome depends on its schedule and attempt alone.

    So trying another setting changes nothing for the requests that are made in both cases.
    """

    def __init__(self, world: World, conditions: Conditions, number: int) -> None:
        super().__init__(world)
        self._conditions = conditions
        self._number = number
        self._requests: Counter[str] = Counter()
        self.left: dict[str, float] = {}
        """When the last request of each schedule left (epoch seconds)."""

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """All requests leave now; the answers arrive as late as the latency says, one after the other."""
        begun = self.world.now
        answers = []
        for place, request in enumerate(requests):
            if not request.intent.retracts:
                self.left[request.schedule_id] = begun
            random = self._random(request.schedule_id)
            answer = self._answer(request, random.random(), random.random())
            answers.append((begun + self._conditions.latency.at(random.random()), place, request, answer))
        for moment, _, request, answer in sorted(answers, key=lambda each: each[:2]):
            self.world.now = max(self.world.now, moment)
            yield request, answer

    def _random(self, schedule_id: str) -> Random:
        self._requests[schedule_id] += 1
        attempt = self._requests[schedule_id]
        return Random(f"{self._conditions.seed} {self._number} {schedule_id} {attempt}")  # noqa: S311 - no secret

    def _answer(self, request: Request, share: float, arrives: float) -> Answer:
        given = self._conditions
        if share < given.refuse:
            return Answer(verdict="refused", error="HTTP 404 (simulated)")
        share -= given.refuse
        if share < given.limit:
            until: Instant = int(self.world.now) + LIMITED_FOR
            return Answer(verdict="not-now", error="HTTP 429 (simulated)", retry_at=until, limited=True)
        share -= given.limit
        is_known = share >= given.unknown
        if is_known or arrives < 0.5:
            lag = given.latency.most
            self.world.start_run(request.intent.run_word, lag=lag, takes=RUN_TAKES)
        if not is_known:
            return Answer(verdict="unknown", error="timeout (simulated)")
        return Answer(verdict="accepted")
