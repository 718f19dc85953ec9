"""Something is to be published on a channel with `active: false`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic, Related, error
from scheduler.planning.expand import Schedule, may_revive, member_place
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """Each schedule at its place; recorded slots once for each channel, at its `active`."""
    declared, schedules = inquiry.declared, inquiry.schedules
    inactive = {name for name, channel in declared.channels.items() if not channel.active}
    slots: dict[str, list[str]] = defaultdict(list)
    for schedule in schedules.values() if inactive else ():
        if schedule.channel not in inactive or schedule.cancelled or schedule.id in inquiry.blocked:
            continue
        if schedule.slot:
            slots[schedule.channel].append(schedule.id)
            continue
        record = inquiry.records.get(schedule.id)
        if record is not None and not record.is_unsent_live and not may_revive(schedule, record):
            continue
        yield Violation(
            file=schedule.file,
            describe=partial(_describe, declared, schedule),
            blocks=[schedule.id],
        )
    for channel, ids in slots.items():
        yield Violation(
            file=declared.files["channel", channel],
            describe=partial(_describe_slots, declared, channel, ids),
            blocks=ids,
        )


def _describe(declared: Declarations, schedule: Schedule) -> Diagnostic:
    file = declared.files["channel", schedule.channel]
    return error(
        RULE.code,
        member_place(declared, schedule),
        f"channel {schedule.channel} is not active",
        f"remove it here, or set `active: true` in {file}",
        [Related("it is switched off here", declared.place(file, ("active",)))],
        schedules=[schedule.id],
    )


def _describe_slots(declared: Declarations, channel: str, ids: Sequence[str]) -> Diagnostic:
    wait = "1 recorded slot waits" if len(ids) == 1 else f"{len(ids):,} recorded slots wait"
    return error(
        RULE.code,
        declared.place(declared.files["channel", channel], ("active",)),
        f"channel {channel} is not active: {wait}, and will be missed",
        "remove its `slots` as well, which cancels them, or set `active: true`",
        schedules=ids,
    )


RULE = Rule(
    code="inactive-channel",
    title="A channel that is published on is active",
    meaning="""\
`active: false` says that nothing may be scheduled on a channel. What is recorded there and was not sent
is not cancelled silently: it waits, and is missed in the end. To hold a channel back for a while, use
`paused: true`.""",
    remedy="Remove the channel where it is named, or set `active: true` in its file.",
    bad=Example(
        files="""\
-- channels/beta.yaml --
repository: acme/beta
token: ACME_TOKEN
active: false
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha, beta]
""",
        fix=("[alpha, beta]", "[alpha]"),
    ),
    check=check,
)
