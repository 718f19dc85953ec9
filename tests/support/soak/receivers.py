"""What receives: repositories on a server that behaves as GitHub does, and the log of the commands."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from random import Random

from github_stand_in import Fault, GitHub, rate_limited
from soak.processes import now

PAYLOAD = ("schedule_id", "key", "video_id", "scheduled_at")


@dataclass(frozen=True)
class Reception:
    """One delivery as its receiver saw it; `acts`: it claimed the key first, and in time."""

    at: float
    schedule_id: str
    key: str
    video: str
    scheduled_at: str
    acts: bool


class Hub(GitHub):
    """The stand-in, with a share of its answers lost."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance
        for name in ("alpha", "beta", "gamma"):
            self.repository(f"acme/{name}").lag = 45.0

    def trouble(self) -> str:
        """Something goes wrong with the next requests."""
        what = self.chance.choice(["lost answer", "lost request", "cut", "limit", "double", "gateway"])
        repo = self.repository(f"acme/{self.chance.choice(['alpha', 'beta', 'gamma'])}")
        match what:
            case "lost answer":
                repo.faults.append(Fault("reset", accept=True))
            case "lost request":
                repo.faults.append(Fault("close"))
            case "cut":
                repo.faults.append(Fault("cut", cut_at=20))
            case "limit":
                repo.faults.append(rate_limited(retry_after="60"))
            case "gateway":
                repo.faults.append(Fault(status=502, accept=self.chance.random() < 0.5))
            case "double":
                repo.runs_per_dispatch = 3 - repo.runs_per_dispatch
        return f"{what} at {repo.name}"

    def received(self) -> list[Reception]:
        """Every dispatch, as the channels' workflow takes it: in time, the first of a key acts."""
        ahead = now() - time.monotonic()
        claimed: set[str] = set()
        seen = []
        for one in self.dispatches:
            payload, at = one.payload, one.at + ahead
            deadline = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
            acts = payload["key"] not in claimed and deadline <= payload["not_after"]
            if acts:
                claimed.add(payload["key"])
            schedule_id, key, video, scheduled_at = itemgetter(*PAYLOAD)(payload)
            seen.append(Reception(at, schedule_id, key, video, scheduled_at, acts))
        return seen


def received_by_commands(log: Path) -> list[Reception]:
    """What the channels' commands wrote."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [Reception(**json.loads(line)) for line in lines]
