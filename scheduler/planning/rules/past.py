"""A new or moved publication is in the past. In proposals only: no editor makes a run late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from scheduler.diagnostics import Diagnostic, error, warning
from scheduler.planning.causes import by_cause, ids, listed, others_too, time_place, time_route, time_text
from scheduler.planning.expand import Loc, Schedule, may_revive, return_of
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.times import instant_text


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """Errors for what is new or moved; warnings for what would be pending again if its time were to come."""
    if not inquiry.proposal:
        return
    found: list[Schedule] = []
    revived: dict[tuple[str, Loc, str], list[Schedule]] = {}
    for schedule in inquiry.distinct():
        if schedule.at > inquiry.now or schedule.slot:
            continue
        record = inquiry.records.get(schedule.id)
        if schedule.at < inquiry.now and inquiry.is_new_or_moved(schedule, record):
            found.append(schedule)
        elif (
            record is not None
            and schedule.at == record.at
            and may_revive(schedule, record)
            and record.reason != "before_init"  # it was over before anything was recorded
            and not return_of(schedule, record, inquiry.now, inquiry.declared.settings.catch_up)
        ):
            key = (schedule.file, time_route(inquiry.declared, schedule), record.status)
            revived.setdefault(key, []).append(schedule)
    for group in by_cause(inquiry.declared, found):
        yield Violation(file=group[0].file, describe=partial(_describe, inquiry, group))
    for (file, _, _), group in revived.items():
        yield Violation(file=file, describe=partial(_stays_over, inquiry, group))


def _describe(inquiry: Inquiry, group: Sequence[Schedule]) -> Diagnostic:
    now = instant_text(inquiry.now)
    return error(
        RULE.code,
        time_place(inquiry.declared, group[0]),
        f"{time_text(inquiry.declared, group[0])} is in the past (it is now {now}){others_too(group)}",
        f"choose a time after {now}, or set `cancelled: true`",
        schedules=ids(group),
    )


def _stays_over(inquiry: Inquiry, group: Sequence[Schedule]) -> Diagnostic:
    record = inquiry.records[group[0].id]
    hint = f"choose a time after {instant_text(inquiry.now)}"
    if record.status == "cancelled":
        hint += ", or set `cancelled: true` again"
        what = f"{listed(group, 'was', 'were')} cancelled"
    else:
        what = f"{listed(group, 'failed', 'failed')} ({record.reason})"
    message = f"{what}, and {time_text(inquiry.declared, group[0])} is in the past: nothing will be published"
    place = time_place(inquiry.declared, group[0])
    return warning(RULE.code, place, message, hint, schedules=ids(group))


RULE = Rule(
    code="past",
    title="A new or moved publication is in the future",
    meaning="""\
Something in the past cannot be published on time. The rule is for proposals (`validate` and `plan`): a
run that comes late sends what is within `catch_up` and records the rest as missed. It is a warning
where something that was cancelled or has failed is declared again for a time that has passed.""",
    remedy="Choose a later time, or set `cancelled: true`.",
    bad=Example(
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-02-05T18:00:00Z
    channels: [alpha, beta]
""",
        fix=("2026-02-05", "2026-03-05"),
    ),
    check=check,
)
