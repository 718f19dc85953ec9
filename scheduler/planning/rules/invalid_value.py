"""A payload that GitHub would refuse. Every other invalid value is found while the files are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from scheduler.diagnostics import Diagnostic, error
from scheduler.planning.expand import Schedule
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.state.intent import payload_problem


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """The `metadata` of an entry, once for all of its schedules."""
    problems: dict[int, str | None] = {}
    refused: dict[int, list[Schedule]] = {}
    for schedule in inquiry.schedules.values():
        metadata, group = schedule.group.metadata, id(schedule.group)
        if metadata is None:
            continue
        if group not in problems:
            problems[group] = payload_problem(metadata)
        if problems[group] is not None:
            refused.setdefault(group, []).append(schedule)
    for group, schedules in refused.items():
        yield Violation(
            file=schedules[0].file,
            describe=partial(_describe, inquiry, schedules, problems[group] or ""),
            blocks=[schedule.id for schedule in schedules],
        )


def _describe(inquiry: Inquiry, schedules: Sequence[Schedule], problem: str) -> Diagnostic:
    route = (*schedules[0].loc[:2], "metadata")
    return error(
        RULE.code,
        inquiry.declared.place(schedules[0].file, route, key=True),
        problem,
        "keep long texts elsewhere and put a link here",
        schedules=[schedule.id for schedule in schedules],
    )


RULE = Rule(
    code="invalid-value",
    title="A value has the form that its key requires",
    meaning="""\
Every key has a form: a time with an offset, a duration with a unit, an id, a number within its limits.
Text is never guessed into something else: a time without a zone could be read in two ways, so it is an
error. The message shows the right form. The whole file counts as unreadable until the value is
corrected, and what it declared before is published as it is recorded.""",
    remedy="Write the value as the hint shows it.",
    bad=Example(
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00
    channels: [alpha]
""",
        fix=("T18:00", "T18:00:00+01:00"),
    ),
    check=check,
)
