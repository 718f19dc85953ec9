"""What a run printed (`scheduler run --format json`), as topics for issues and as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from scheduler.github_actions.issues import Topic
from scheduler.github_actions.markdown import code, plain
from scheduler.reporting.annotations import command, path_below
from scheduler.reporting.run_text import handed_over_until
from scheduler.reporting.troubles import OpenTrouble
from scheduler.times import Instant

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
    troubles: tuple[OpenTrouble, ...] = ()
    complete: bool = True
    """Whether it printed its document. A run that is refused prints none."""


def read_printed(text: str) -> Printed:
    """What the run printed; empty where that is not the JSON of a run."""
    try:
        document = json.loads(text)
        troubles = msgspec.convert(document.get("troubles", ()), tuple[OpenTrouble, ...])
        return Printed(tuple(document["results"]), tuple(document["diagnostics"]), troubles)
    except (ValueError, KeyError, TypeError):  # msgspec's own is a ValueError
        return Printed((), (), complete=False)


def topic_of(key: str, found: Sequence[OpenTrouble]) -> Topic:
    """The issue of `wave:spring`, `channel:alpha` or `scheduler`, titled for what is wrong now."""
    kinds = {trouble.kind for trouble in found}
    if key == "scheduler":
        advice = (
            "The run's log has the reason; `scheduler doctor` and `scheduler state verify` check the rest."
        )
        if "stopped" in kinds or not kinds:
            return Topic(key, "The scheduler cannot run", f"Nothing is sent until this is fixed. {advice}")
        return Topic(key, "The scheduler reports errors", advice)
    kind, _, name = key.partition(":")
    advice = "This issue follows what is wrong: it is updated by each run, and closed when all is well."
    if "failed" in kinds:
        advice = (
            "What failed is not sent again by itself: fix the cause, then retry. What may have been "
            f"published is sent again only with `resend`: check first. {advice}"
        )
    state = "failed" if "failed" in kinds else "at risk"
    return Topic(key, f"{kind.capitalize()} {name}: publications {state}", advice)


def concerns(printed: Printed, exit_code: int, open_topics: Iterable[str]) -> dict[str, list[OpenTrouble]]:
    """By topic: what is wrong. `open_topics` are those of known issues, in which all may be well by now.

    A run that broke off, or could not read the settings, says nothing of the others.
    """
    found: dict[str, list[OpenTrouble]] = {"scheduler": []}
    if not printed.complete:
        broken = OpenTrouble(
            topic="scheduler", kind="stopped", message=f"the run ended with exit code {exit_code}"
        )
        return {"scheduler": [broken]}
    for trouble in printed.troubles:
        found.setdefault(trouble.topic, []).append(trouble)
    if any(trouble.kind == "stopped" for trouble in printed.troubles):
        return {"scheduler": found["scheduler"]}
    for topic in open_topics:
        if topic.startswith(("wave:", "channel:")):
            found.setdefault(topic, [])
    return found


def log_lines(printed: Printed, folder: str = "") -> list[str]:
    """The run for its log: one line for each publication, and annotations for what needs a person.

    `folder` is where the scheduler's files are below the top of the repository.
    """
    problems = [_diagnostic_line(problem, folder) for problem in printed.diagnostics]
    return [*map(_result_line, printed.results), *problems]


def _result_line(result: Mapping[str, Any]) -> str:
    if result["status"] != "failed":
        return f"{result['status']:<10} {plain(result['schedule_id'])}  {_later(result)}".rstrip()
    message = f"{result['schedule_id']}: {plain(str(result.get('error') or 'failed'))}"
    return command("error", message, title="Not published")


def _later(result: Mapping[str, Any]) -> str:
    """When it becomes public, where it is only handed over."""
    return handed_over_until(result.get("phase", ""), result["status"], result.get("scheduled_at", ""))


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
            error = code(str(one["error"])) if one.get("error") else _later(one)
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
