"""What was withdrawn is declared again after its time. In proposals only: a run sends or misses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from scheduler.diagnostics import Diagnostic, Severity, warning
from scheduler.planning.causes import by_cause, ids, listed, time_place, time_text
from scheduler.planning.expand import Schedule, return_of
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.times import duration_text


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """One warning for what is sent late and one for what is missed, for each cause."""
    catch_up = inquiry.declared.settings.catch_up
    found: dict[str | None, list[Schedule]] = {"late": [], "missed": []}
    for schedule in inquiry.distinct() if inquiry.proposal else ():
        record = inquiry.records.get(schedule.id)
        if record is not None and not record.is_live and schedule.at == record.at:
            how = return_of(schedule, record, inquiry.now, catch_up)
            found.get(how, []).append(schedule)
    for name, schedules in found.items():
        for group in by_cause(inquiry.declared, schedules):
            describe = partial(_describe, inquiry, group, name == "late")
            yield Violation(file=group[0].file, describe=describe)


def _describe(inquiry: Inquiry, group: Sequence[Schedule], is_sent: bool) -> Diagnostic:
    catch_up = f"{duration_text(inquiry.declared.catch_up(group[0].group.catch_up))} (catch_up)"
    then = (
        f"within {catch_up}, so it is sent late" if is_sent else f"by more than {catch_up}, so it is missed"
    )
    time = time_text(inquiry.declared, group[0])
    return warning(
        RULE.code,
        time_place(inquiry.declared, group[0]),
        f"{listed(group, 'was', 'were')} withdrawn and declared again after {time}, {then}",
        "choose a later time, or set `cancelled: true` if nothing should be sent",
        schedules=ids(group),
    )


_FILES = """\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-01T11:30:00Z
    channels: [alpha]
"""
RULE = Rule(
    code="restored",
    title="What was withdrawn is declared again before its time",
    severity=Severity.WARNING,
    meaning="""\
A publication whose file or entry was removed is withdrawn. If it is declared again after its time, a run
sends it within `catch_up`, like anything that is late. Later, the run records it as `failed` (`missed`)
if its time passed while it was not declared, for up to a week; otherwise it stays cancelled.""",
    remedy="Merge it soon, choose a later time, or set `cancelled: true`.",
    bad=Example(
        files=_FILES,
        recorded=_FILES,
        fix=("2026-03-01T11:30", "2026-03-01T18:00"),
        withdrawn_at="2026-03-01T11:00:00Z",
    ),
    check=check,
)
