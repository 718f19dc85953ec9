"""What each command prints in each of its formats: one function for each command, values to text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from scheduler import __version__
from scheduler.diagnostics import Diagnostic
from scheduler.reporting.nothing_to_do import NOTHING_TEXT
from scheduler.wording import count

if TYPE_CHECKING:
    from scheduler.delivery import Report
    from scheduler.planning.plan import Action
    from scheduler.planning.reconcile import Reconciled
    from scheduler.planning.rows import Row
    from scheduler.reporting.review import Review

_RECORDED: Mapping[Action, str] = {
    "create": "created",
    "update": "updated",
    "cancel": "cancelled",
    "pause": "paused",
    "resume": "resumed",
    "reopen": "reopened",
    "complete": "completed",
    "archive": "archived",
}
"""What a run records besides its results, by action, as `run` prints it."""


def for_validate(
    form: str,
    reconciled: Reconciled,
    texts: Mapping[str, str],
    *,
    colour: bool,
    folder: Callable[[], str],
    rules_page: Callable[[], str | None],
) -> str:
    """`validate`: every diagnostic, and the totals. `folder` gives where the files are below the top of the
    git repository."""
    found = reconciled.diagnostics
    if form == "json":
        from scheduler.reporting.json_output import validation_json

        return validation_json(found).decode() + "\n"
    if form == "sarif":
        from scheduler.reporting.sarif import sarif_json

        log = sarif_json(found, version=__version__, folder=folder(), rules_page=rules_page())
        return log.decode() + "\n"
    if form == "github":
        from scheduler.reporting.annotations import annotations_text

        text = annotations_text(found, texts, folder=folder(), colour=colour)
        return text + "\n" + _summary(reconciled, colour=False)
    return _problems(found, texts, colour=colour) + _summary(reconciled, colour=colour)


def _problems(found: Sequence[Diagnostic], texts: Mapping[str, str], *, colour: bool) -> str:
    from scheduler.reporting.diagnostics_text import diagnostics_text

    return diagnostics_text(found, texts, colour=colour) + "\n\n" if found else ""


def _summary(reconciled: Reconciled, *, colour: bool) -> str:
    from scheduler.reporting.diagnostics_text import summary_text

    declared = reconciled.declared
    text = summary_text(
        reconciled.diagnostics,
        publications=len(reconciled.schedules),
        waves=0 if declared is None else len(declared.waves),
        channels=0 if declared is None else len(declared.channels),
        colour=colour,
    )
    return text + "\n"


def for_plan(
    form: str,
    reconciled: Reconciled,
    texts: Mapping[str, str],
    *,
    colour: bool,
    review: Review | None = None,
    limit: int | None = None,
) -> str | Iterable[bytes]:
    """`plan` and `run --dry-run`: diagnostics, then every step with its reason. JSON comes in parts.

    `review` and `limit` (bytes) are for Markdown.
    """
    plan, found = reconciled.plan, reconciled.diagnostics
    if form == "json":
        from scheduler.reporting.json_output import plan_json

        return chain(plan_json(plan, found), [b"\n"])
    declared = reconciled.declared
    pace = None if declared is None else declared.settings.pace
    if form == "markdown":
        from scheduler.reporting.pull_request.comment import COMMENT_LIMIT, plan_markdown

        return plan_markdown(
            plan, found, zones=_zones(reconciled), sources=texts, pace=pace, review=review,
            limit=COMMENT_LIMIT if limit is None else limit,
        ) + "\n"  # fmt: skip
    from scheduler.reporting.plan_text import plan_text

    text = plan_text(plan, zones=_zones(reconciled), pace=pace, colour=colour)
    return _problems(found, texts, colour=colour) + text + "\n"


def _zones(reconciled: Reconciled) -> dict[str, str]:
    declared = reconciled.declared
    return {} if declared is None else {name: channel.timezone for name, channel in declared.channels.items()}


def for_list(form: str, rows: Iterable[Row], *, every: Iterable[Row] = (), colour: bool) -> str:
    """`list`: a table, CSV, or JSON. `every` is all rows: the progress of the listed waves is counted in
    them."""
    if form == "json":
        from scheduler.reporting.json_output import listing_json

        return listing_json(rows).decode() + "\n"
    from scheduler.reporting.list_text import csv_text, table

    return csv_text(rows) if form == "csv" else table(rows, every=every, colour=colour) + "\n"


def for_run(form: str, report: Report, texts: Mapping[str, str], *, colour: bool) -> str:
    """`run`: the problems, what was recorded, a line for each publication that was acted on, and the
    totals."""
    results = [report.results[schedule_id] for schedule_id in sorted(report.results)]
    if form == "json":
        from scheduler.reporting.json_output import results_json
        from scheduler.reporting.troubles import troubles

        return results_json(results, report.diagnostics, troubles(report)).decode() + "\n"
    from scheduler.reporting.run_text import results_text

    problems = _problems(report.diagnostics, texts, colour=colour)
    recorded = _recorded(report)
    if results:
        return problems + recorded + results_text(results, colour=colour) + "\n"
    if recorded:
        return problems + recorded
    errors = sum(fault.is_error for fault in report.diagnostics)
    if errors:  # with an error, nobody should read that there was nothing to do
        return problems + f"{count(errors, 'error')}; nothing else to do.\n"
    return problems + NOTHING_TEXT


def _recorded(report: Report) -> str:
    """`Recorded: 3 created, 1 updated.`, or nothing. What was sent or failed is among the results."""
    from collections import Counter

    counts = Counter(change.action for change in report.changes if change.action in _RECORDED)
    if not counts:
        return ""
    return (
        "Recorded: "
        + ", ".join(f"{number:,} {_RECORDED[action]}" for action, number in counts.items())
        + ".\n"
    )
