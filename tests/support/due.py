"""One publish time, and runs that come so many seconds after it by both clocks: ours and the server's."""

from __future__ import annotations

from github_stand_in import GitHub
from miniature import Miniature, Outcome

from scheduler.times import instant_text, read_utc

DUE = "2026-03-01T18:00:00Z"


def after(seconds: int) -> str:
    """The instant so many seconds after the publish time."""
    return instant_text(read_utc(DUE) + seconds)


def at(github: GitHub, seconds: int) -> str:
    """The same, and the server's clock is set to it."""
    github.clock = lambda: float(read_utc(DUE) + seconds)
    return after(seconds)


def run(mini: Miniature, github: GitHub, seconds: int) -> Outcome:
    """A run so many seconds after the publish time."""
    return mini.json("run", now=at(github, seconds))


def posts(github: GitHub) -> int:
    """Dispatches that were asked for, whether they took effect or not."""
    return sum(seen.method == "POST" for seen in github.requests)


def sent(github: GitHub) -> list[str]:
    """The schedules whose dispatch took effect, in the order of arrival."""
    return [dispatch.payload["schedule_id"] for dispatch in github.dispatches]
