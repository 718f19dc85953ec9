"""A new or moved publication is inside a freeze; one that was there before waits, with a warning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from scheduler import desired
from scheduler.diagnostics import Diagnostic, Related, error, warning
from scheduler.planning.causes import by_cause, ids, listed, others_too, time_place, time_text
from scheduler.planning.expand import Schedule
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.planning.rules.missed_by_pause import is_too_late, wait_end
from scheduler.times import instant_text
from scheduler.wording import quoted


def check(inquiry: Inquiry) -> Iterator[Violation]:
    for index, freeze in enumerate(inquiry.declared.settings.freezes):
        refused, waiting = [], []
        for schedule in inquiry.distinct():
            if not _is_inside(schedule, freeze) or (inquiry.proposal and schedule.at < inquiry.now):
                continue
            record = inquiry.records.get(schedule.id)
            if inquiry.is_new_or_moved(schedule, record):
                refused.append(schedule)
            elif (
                record is not None
                and record.is_unsent_live
                and inquiry.now < freeze.until
                and not is_too_late(inquiry, schedule, wait_end(inquiry, schedule))  # else `missed-by-pause`
            ):
                waiting.append(schedule)
        for group in by_cause(inquiry.declared, refused):
            describe = partial(_refused, inquiry, freeze, index, group)
            yield Violation(file=group[0].file, describe=describe, blocks=ids(group))
        for group in by_cause(inquiry.declared, waiting):
            describe = partial(_waits, inquiry, freeze, group)
            yield Violation(file=group[0].file, describe=describe)


def _is_inside(schedule: Schedule, freeze: desired.Freeze) -> bool:
    return (
        freeze.from_ <= schedule.at < freeze.until
        and not schedule.cancelled
        and (freeze.channels is None or schedule.channel in freeze.channels)
    )


def _refused(inquiry: Inquiry, freeze: desired.Freeze, index: int, group: Sequence[Schedule]) -> Diagnostic:
    file, end = inquiry.declared.settings_file, instant_text(freeze.until)
    time = time_text(inquiry.declared, group[0])
    return error(
        RULE.code,
        time_place(inquiry.declared, group[0]),
        f"{time} is inside the freeze {_name(freeze)}, which ends at {end}{others_too(group)}",
        f"choose {end} or later, or change the freeze in {file}",
        [Related("the freeze", inquiry.declared.place(file, ("freezes", index)))],
        schedules=ids(group),
    )


def _waits(inquiry: Inquiry, freeze: desired.Freeze, group: Sequence[Schedule]) -> Diagnostic:
    end = instant_text(max(wait_end(inquiry, schedule) for schedule in group))
    message = f"{listed(group, 'waits', 'wait')} until {end}: freeze {_name(freeze)}"
    return warning(RULE.code, time_place(inquiry.declared, group[0]), message, schedules=ids(group))


def _name(freeze: desired.Freeze) -> str:
    return quoted(freeze.reason or f"from {instant_text(freeze.from_)}")


RULE = Rule(
    code="frozen",
    title="A new or moved publication is outside every freeze",
    meaning="""\
Nothing is sent while a freeze of `scheduler.yaml` lasts. A new publication inside one is refused, so
that nobody is surprised when it does not appear. One that was there before the freeze waits until its
end, which is a warning (`missed-by-pause` where that is too late for it); the video of a slot goes to the
next slot.""",
    remedy="Choose a time outside the freeze, or change the freeze.",
    bad=Example(
        files="""\
-- scheduler.yaml --
freezes:
  - { reason: Easter, from: 2026-04-03T00:00:00Z, until: 2026-04-07T00:00:00Z }
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-04-05T18:00:00Z
    channels: [alpha]
""",
        fix=("at: 2026-04-05", "at: 2026-04-07"),
    ),
    check=check,
)
