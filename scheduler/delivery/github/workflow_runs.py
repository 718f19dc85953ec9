"""What became of a dispatch: the channel's runs whose title carries the key.

GitHub answers a dispatch without naming its run (except a workflow_dispatch that asks for it), so the
receiver's `run-name` carries the key, and one listing of a repository's runs serves all its keys.
An incomplete listing is not proof of absence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from scheduler.delivery.github.queries import Query, QueryError
from scheduler.delivery.github.responses import Scrub, page
from scheduler.state.answers import LookupResult, Run
from scheduler.state.record import Intent
from scheduler.times import Instant, instant, instant_text, read_utc

EARLIER = 300
"""Seconds before the intent from which runs are listed, since the two clocks may differ."""
PAGE_SIZE = 100
MOST_LISTED = 1_000
"""GitHub returns at most this many results of one search."""


class _Run(msgspec.Struct):
    """The fields of GitHub's workflow run that matter here."""

    id: int
    status: str | None = None
    conclusion: str | None = None
    display_title: str | None = None
    html_url: str | None = None
    run_started_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class _Page(msgspec.Struct):
    total_count: int
    workflow_runs: list[_Run]


def find_runs(
    query: Query, intents: Mapping[str, Intent], run_ids: Mapping[str, int], scrub: Scrub
) -> dict[str, LookupResult]:
    """What became of intents that went to one repository by one event. Raises nothing.

    `run_ids`: the run of a schedule, where it is known already; a run that was deleted is searched by key.
    """
    repository = next(iter(intents.values())).repository or ""
    seen: dict[str, LookupResult] = {}
    for schedule_id in intents:
        if schedule_id in run_ids:
            known = _one_run(query, repository, run_ids[schedule_id], scrub)
            if known is not None:
                seen[schedule_id] = known
    rest = {schedule_id: intent for schedule_id, intent in intents.items() if schedule_id not in seen}
    return seen | (_by_key(query, repository, rest, scrub) if rest else {})


def _one_run(query: Query, repository: str, run_id: int, scrub: Scrub) -> LookupResult | None:
    try:
        answer = query(f"/repos/{repository}/actions/runs/{run_id}", _Run)
    except QueryError as problem:
        return None if problem.status == 404 else LookupResult(error=scrub(str(problem)))
    return LookupResult(runs=(_as_run(answer.data, scrub),), server_time=answer.server_time)


def _by_key(
    query: Query, repository: str, intents: Mapping[str, Intent], scrub: Scrub
) -> dict[str, LookupResult]:
    event = next(iter(intents.values())).transport
    since = min(read_utc(intent.at) for intent in intents.values()) - EARLIER
    try:
        runs, total, time = _listing(query, repository, event, since)
    except QueryError as problem:
        return dict.fromkeys(intents, LookupResult(error=scrub(str(problem))))
    found: dict[str, LookupResult] = {}
    for schedule_id, intent in intents.items():
        key = re.compile(rf"(?<![A-Za-z0-9]){re.escape(intent.run_word)}(?![A-Za-z0-9])")
        mine = tuple(_as_run(run, scrub) for run in runs if key.search(run.display_title or ""))
        error = None
        if not mine and total > len(runs):
            since_text = instant_text(since)
            error = f"{repository} has {total:,} runs since {since_text}; GitHub lists only {len(runs):,}"
        found[schedule_id] = LookupResult(runs=mine, error=error, server_time=time)
    return found


def _listing(
    query: Query, repository: str, event: str, since: Instant
) -> tuple[list[_Run], int, Instant | None]:
    """The runs of an event since then that GitHub lists, their true number, and the server's time."""
    search = {"event": event, "created": f">={instant_text(since)}", "per_page": str(PAGE_SIZE)}
    runs: dict[int, _Run] = {}
    total, time = 0, None
    for number in range(1, MOST_LISTED // PAGE_SIZE + 1):
        answer = query(f"/repos/{repository}/actions/runs", _Page, {**search, "page": str(number)})
        listed = answer.data
        runs.update((run.id, run) for run in listed.workflow_runs)
        total, time = listed.total_count, answer.server_time if time is None else time
        if len(listed.workflow_runs) < PAGE_SIZE or len(runs) >= total:
            break
    return list(runs.values()), total, time


def _as_run(run: _Run, scrub: Scrub) -> Run:
    conclusion = scrub(run.conclusion or "unknown") if run.status == "completed" else None
    started = _moment(run.run_started_at) or _moment(run.created_at)
    return Run(
        run_id=run.id, url=page(run.html_url, scrub), conclusion=conclusion, started_at=started,
        ended_at=None if conclusion is None else _moment(run.updated_at),
    )  # fmt: skip


def _moment(text: str | None) -> Instant | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return instant(moment) if moment is not None and moment.tzinfo is not None else None
