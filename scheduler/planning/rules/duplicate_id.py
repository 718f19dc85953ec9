"""Two declarations have one id. Most are found while waves are expanded; here are those of `renamed_from`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from scheduler.diagnostics import Diagnostic, error
from scheduler.planning.expand import Schedule, member_place
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.planning.rename import former_id


def check(inquiry: Inquiry) -> Iterator[Violation]:
    yield from _copies(inquiry)
    yield from _former_ids(inquiry)


def _copies(inquiry: Inquiry) -> Iterator[Violation]:
    """What says that it was renamed from something that is still declared.

    It is either a copy, which would publish the same once more, or the original: only its author knows.
    """
    renaming, records, schedules = inquiry.renaming, inquiry.records, inquiry.schedules
    if not renaming.faults:
        return
    held: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for schedule_id, schedule in schedules.items():
        former = former_id(schedule, renaming.refused)
        if schedule_id not in records and (former in records or former in schedules):
            held["wave", schedule.group.wave].append(schedule_id)
            held["group", schedule.group.id].append(schedule_id)
            held["channel", schedule.channel].append(schedule_id)
    for kind, name, fault in renaming.faults:
        ids = tuple(held[kind, name])
        yield Violation(
            file=fault.location.file,
            describe=partial(replace, fault, schedules=ids),
            blocks=ids,
        )


def _former_ids(inquiry: Inquiry) -> Iterator[Violation]:
    """What is declared under an id that a renamed schedule had before: it would be published again.

    Where a wave still names a channel by its former id, which is reported as an unknown channel, what is
    recorded under the new id waits.
    """
    declared, schedules = inquiry.declared, inquiry.schedules
    for new, record in inquiry.records.items():
        for old in record.former_ids:
            schedule = schedules.get(old)
            if schedule is None or old == new:
                continue
            if new not in schedules and schedule.channel not in declared.channels:
                if record.is_unsent_live:
                    yield Violation(code="unknown-channel", blocks=[new])
                if old in inquiry.blocked:
                    continue
            yield Violation(
                file=schedule.file,
                describe=partial(_describe, inquiry, schedule, new),
                blocks=[old],
            )


def _describe(inquiry: Inquiry, schedule: Schedule, new: str) -> Diagnostic:
    return error(
        RULE.code,
        member_place(inquiry.declared, schedule),
        f"{schedule.id} was renamed to {new}, and a former id cannot be used again",
        "give the wave or group another name, or the one-off another time",
        schedules=[schedule.id],
    )


RULE = Rule(
    code="duplicate-id",
    title="Every id is declared once",
    meaning="""\
An id is the name under which a publication is recorded, so that it is sent once and only once: a
channel is in a group once, a wave has one group of a name, and two files of one kind do not share a
name. The former id of what was renamed with `renamed_from` stays taken.""",
    remedy="Remove one of the two, or give one of them another name.",
    bad=Example(
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha, beta]
  - type: simultaneous
    video: teaser
    at: 2026-03-12T18:00:00Z
    channels: [gamma]
""",
        fix=("at: 2026-03-12T18:00:00Z", "group: teaser-2\n    at: 2026-03-12T18:00:00Z"),
    ),
    check=check,
)
