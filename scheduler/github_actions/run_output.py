"""What a run printed (`scheduler run --format json`), as topics for issues and as text for people."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.github_actions.issues import Topic
from scheduler.github_actions.markdown import code, plain
from scheduler.reporting.annotations import command, path_below
from scheduler.times import Instant

BROKEN = Topic(
    "scheduler",
    "The scheduler cannot run",
    "Nothing is sent until this is fixed. The run's log has the reason; `scheduler doctor` and "
    "`scheduler state verify` check the rest.",
)
TICKS = Topic(
    "ticks",
    "Ticks are missing",
    "GitHub's cron is sometimes late or absent. The next tick sends what is due, within `catch_up`; "
    "`docs/punctuality.md` says how to become independent of it.",
)


@dataclass(frozen=True)
class Printed:
    """The JSON of a run, read leniently: a run that was interrupted may have printed nothing."""

    results: tuple[Mapping[str, Any], ...]
    diagnostics: tuple[Mapping[str, Any], ...]
    complete: bool = True
    """Whether it printed its document. A run that is refused prints none."""


def read_printed(text: str) -> Printed:
    """What the run printed; empty where that is not the JSON of a run."""
    try:
        document = json.loads(text)
        return Printed(tuple(document["results"]), tuple(document["diagnostics"]))
    except (ValueError, KeyError, TypeError):
        return Printed((), (), complete=False)


def wave_of(schedule_id: str) -> str | None:
    """`spring` of `spring/teaser/alpha`; None for a channel's own publication, `alpha/2026-…`."""
    parts = schedule_id.split("/")
    return parts[0] if len(parts) == 3 else None


def topic_of(schedule_id: str) -> Topic:
    """The issue that a publication belongs to: its wave's, or its channel's."""
    wave = wave_of(schedule_id)
    name = schedule_id.split("/")[0]
    advice = (
        f"`scheduler show ID` says what happened. Fix the cause, then retry: *Actions → reconcile → Run "
        f"workflow*, with the id as `retry` (and `resend` where it may have been published: check first). "
        f"{'The rest of the wave continues, unless the wave says `on_failure: halt`.' if wave else ''}"
    ).rstrip()
    if wave is not None:
        return Topic(f"wave:{wave}", f"Wave {wave}: publications failed", advice)
    return Topic(f"channel:{name}", f"Channel {name}: publications failed", advice)


def by_topic(printed: Printed) -> dict[Topic, tuple[dict[str, str], list[str]]]:
    """For each topic of this run: what failed, with its message, and what has recovered."""
    found: dict[Topic, tuple[dict[str, str], list[str]]] = defaultdict(lambda: ({}, []))
    for result in printed.results:
        wrong, settled = found[topic_of(result["schedule_id"])]
        if result["status"] == "failed":
            wrong[result["schedule_id"]] = plain(str(result.get("error") or "failed"))[:160]
        elif result["status"] in ("completed", "cancelled"):
            settled.append(result["schedule_id"])
    return dict(found)


def log_lines(printed: Printed, folder: str = "") -> list[str]:
    """The run for its log: one line for each publication, and annotations for what needs a person.

    `folder` is where the scheduler's files are below the top of the repository.
    """
    problems = [_diagnostic_line(problem, folder) for problem in printed.diagnostics]
    return [*map(_result_line, printed.results), *problems]


def _result_line(result: Mapping[str, Any]) -> str:
    if result["status"] != "failed":
        return f"{result['status']:<10} {plain(result['schedule_id'])}"
    message = f"{result['schedule_id']}: {plain(str(result.get('error') or 'failed'))}"
    return command("error", message, title="Not published")


def _diagnostic_line(problem: Mapping[str, Any], folder: str) -> str:
    message = f"{problem['message']} [{problem['code']}]"
    if problem.get("hint"):
        message += f"\n{problem['hint']}"
    file = problem.get("file")
    path = path_below(folder, file) if file else None
    line, column = problem.get("line") or None, problem.get("column") or None
    return command(problem["severity"], message, file=path, line=line, col=column)


def summary(printed: Printed, exit_code: int) -> str:
    """The run for its summary page, in Markdown."""
    lines = []
    if not printed.complete or exit_code not in (0, 1):
        lines += [f"**This run ended with exit code {exit_code}: see the log.**", ""]
    if printed.results:
        lines += ["| publication | status | |", "|---|---|---|"]
        for one in printed.results:
            error = code(str(one["error"])) if one.get("error") else ""
            lines.append(f"| {code(one['schedule_id'])} | {one['status']} | {error} |")
    elif printed.complete and not printed.diagnostics:
        lines.append("Nothing was due.")
    if printed.diagnostics:
        lines += ["", "| | where | what |", "|---|---|---|"]
        for problem in printed.diagnostics:
            place = ":".join(str(problem[key]) for key in ("file", "line", "column") if problem.get(key))
            what = code(f"{problem['message']} [{problem['code']}]")
            lines.append(f"| {problem['severity']} | {code(place) if place else ''} | {what} |")
    return "\n".join(lines) + "\n"


# --- how long the scheduler was away: the time between this tick and the previous one ----------------

_NO_TICK = frozenset({"cancelled", "skipped", "action_required", "startup_failure", "stale"})
"""Conclusions of runs that did not reconcile: replaced while they waited, or never started."""


@dataclass(frozen=True)
class Tick:
    """A run of the workflow that reconciles. `conclusion` is how GitHub says it ended, None until then."""

    id: int
    conclusion: str | None
    started: Instant


def gap_before(run_id: int, runs: Iterable[Tick]) -> tuple[Instant, Instant] | None:
    """The start of the tick before the run `run_id`, and that run's own; None where either is unknown.

    The runs may come in any order. A tick that failed was a tick all the same.
    """
    begun = {run.id: run.started for run in runs if run.conclusion not in _NO_TICK or run.id == run_id}
    own = begun.pop(run_id, None)
    earlier = [start for start in begun.values() if own is not None and start < own]
    if own is None or not earlier:
        return None
    return max(earlier), own
