"""What became of a dispatch: the channel's runs whose title carries the key.

GitHub answers a dispatch without naming its run (except a workflow_dispatch that asks), so the key
stands in the receiver's `run-name`, and one listing of a repository's runs serves all its keys.
A listing that is not whole is no proof of absence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from scheduler.delivery.github.responses import Scrub, page
from scheduler.state.answers import Run, Sighting
from scheduler.state.record import Intent
from scheduler.times import Instant, instant, instant_text, read_utc

T = TypeVar("T")

EARLIER = 300
"""Seconds before the intent from which runs are listed: the two clocks may differ."""
PAGE_SIZE = 100
MOST_LISTED = 1_000
"""GitHub shows no more results of one search."""


class NoAnswerError(Exception):
    """A question to the API without a usable answer; `status` and the server's time where there was one."""

    def __init__(self, words: str, status: int | None = None, server_time: Instant | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.server_time = server_time


class Told(msgspec.Struct, frozen=True):
    """A complete 200: the JSON, and the server's time."""

    data: Any
    server_time: Instant | None


Ask = Callable[[str, Mapping[str, str]], Told]
"""GET a path with a query. Raises NoAnswerError for anything but a complete 200 with JSON."""


class _Run(msgspec.Struct):
    """What matters of a run as GitHub describes it."""

    id: int
    status: str | None = None
    conclusion: str | None = None
    display_title: str | None = None
    html_url: str | None = None
    run_started_at: str | None = None
    created_at: str | None = None


class _Page(msgspec.Struct):
    total_count: int
    workflow_runs: list[_Run]


def sight(
    ask: Ask, repository: str, intents: Mapping[str, Intent], run_ids: Mapping[str, int], scrub: Scrub
) -> dict[str, Sighting]:
    """What became of intents that went to one repository by one transport. Raises nothing.

    `run_ids`: the run of a schedule, where it is known already; a run that is gone is searched by key.
    """
    seen: dict[str, Sighting] = {}
    for schedule_id in intents:
        if schedule_id in run_ids:
            known = _one_run(ask, repository, run_ids[schedule_id], scrub)
            if known is not None:
                seen[schedule_id] = known
    rest = {schedule_id: intent for schedule_id, intent in intents.items() if schedule_id not in seen}
    return seen | (_by_key(ask, repository, rest, scrub) if rest else {})


def _one_run(ask: Ask, repository: str, run_id: int, scrub: Scrub) -> Sighting | None:
    try:
        told = ask(f"/repos/{repository}/actions/runs/{run_id}", {})
        run = _shape(told.data, _Run)
    except NoAnswerError as problem:
        return None if problem.status == 404 else Sighting(error=scrub(str(problem)))
    return Sighting(runs=(_as_run(run, scrub),), server_time=told.server_time)


def _by_key(ask: Ask, repository: str, intents: Mapping[str, Intent], scrub: Scrub) -> dict[str, Sighting]:
    event = next(iter(intents.values())).transport
    since = min(read_utc(intent.at) for intent in intents.values()) - EARLIER
    try:
        runs, total, time = _listing(ask, repository, event, since)
    except NoAnswerError as problem:
        return dict.fromkeys(intents, Sighting(error=scrub(str(problem))))
    found: dict[str, Sighting] = {}
    for schedule_id, intent in intents.items():
        key = re.compile(rf"(?<![A-Za-z0-9]){re.escape(intent.key)}(?![A-Za-z0-9])")
        mine = tuple(_as_run(run, scrub) for run in runs if key.search(run.display_title or ""))
        error = None
        if not mine and total > len(runs):
            error = (
                f"{repository} has {total:,} runs since {instant_text(since)}, and GitHub lists {len(runs):,}"
            )
        found[schedule_id] = Sighting(runs=mine, error=error, server_time=time)
    return found


def _listing(ask: Ask, repository: str, event: str, since: Instant) -> tuple[list[_Run], int, Instant | None]:
    """All runs of an event since then that GitHub lists, their true number, and the server's time."""
    query = {"event": event, "created": f">={instant_text(since)}", "per_page": str(PAGE_SIZE)}
    runs: dict[int, _Run] = {}
    total, time = 0, None
    for number in range(1, MOST_LISTED // PAGE_SIZE + 1):
        told = ask(f"/repos/{repository}/actions/runs", {**query, "page": str(number)})
        listed = _shape(told.data, _Page)
        runs.update((run.id, run) for run in listed.workflow_runs)
        total, time = listed.total_count, told.server_time if time is None else time
        if len(listed.workflow_runs) < PAGE_SIZE or len(runs) >= total:
            break
    return list(runs.values()), total, time


def _shape(data: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError:
        raise NoAnswerError("the API answered something else than what was asked for") from None


def _as_run(run: _Run, scrub: Scrub) -> Run:
    conclusion = scrub(run.conclusion or "unknown") if run.status == "completed" else None
    started = _moment(run.run_started_at) or _moment(run.created_at)
    return Run(run_id=run.id, url=page(run.html_url, scrub), conclusion=conclusion, started_at=started)


def _moment(text: str | None) -> Instant | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return instant(moment) if moment is not None and moment.tzinfo is not None else None
