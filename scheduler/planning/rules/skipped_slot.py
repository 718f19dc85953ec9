"""A slot of a channel is at a local time that a clock change skips."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scheduler.desired.calendar_expressions import Skipped
from scheduler.diagnostics import Diagnostic, Severity, warning
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation


def check(inquiry: Inquiry) -> Iterator[Violation]:
    for channel, gone in inquiry.calendar.skipped:
        yield Violation(
            file=inquiry.declared.files["channel", channel],
            describe=partial(_describe, inquiry, channel, gone),
        )


def _describe(inquiry: Inquiry, channel: str, gone: Skipped) -> Diagnostic:
    declared, spec = inquiry.declared, inquiry.declared.channels[channel]
    return warning(
        RULE.code,
        declared.place(declared.files["channel", channel], ("slots", spec.slots.index(gone.rule))),
        f"slot {gone.wall} does not exist in {spec.timezone}, because of a clock change; "
        "its video goes to the next slot",
        "to publish something on that day, add a one-off under `schedules:`",
    )


RULE = Rule(
    code="skipped-slot",
    title="A slot is at a time that exists",
    severity=Severity.WARNING,
    meaning="""\
When clocks go forward, an hour of local time does not exist. A slot in it is skipped, and its video
goes to the next slot. The warning appears when the day comes within `horizon`.""",
    remedy="Nothing, if one publication less is fine. Otherwise add a one-off on that day.",
    bad=Example(
        files="""\
-- channels/delta.yaml --
repository: acme/delta
token: ACME_TOKEN
timezone: Europe/Berlin
slots: [Sun 02:30]
lineup: [intro]
""",
        fix=("Sun 02:30", "Sun 03:30"),
        now="2026-03-27T12:00:00Z",
    ),
    check=check,
)
