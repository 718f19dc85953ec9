"""A freeze or an `until` ends when it is too late for what it holds back: that is a loss, not a wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from scheduler.diagnostics import Diagnostic, error, warning
from scheduler.planning.causes import ids, listed
from scheduler.planning.expand import Loc, Schedule, pause_of
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.state.record import Pause, Record
from scheduler.times import Instant, duration_text, instant_text, read_utc
from scheduler.wording import quoted


class _Hold(NamedTuple):
    """What holds something back, and where its end is written."""

    pause: Pause
    file: str
    loc: Loc
    since: Instant = 0
    """When a freeze begins; a pause is there already."""

    @property
    def until(self) -> Instant:
        return read_utc(self.pause.until or "")

    @property
    def name(self) -> str:
        """`the freeze 'Holidays'`, `the pause of its wave`."""
        if self.pause.by == "freeze":
            return f"the freeze {quoted(self.pause.reason or 'in ' + self.file)}"
        return "its pause" if self.pause.by == "schedule" else f"the pause of its {self.pause.by}"


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """One fault for each end that is too late: what this proposal adds or moves apart from what was there."""
    found: dict[tuple[_Hold, bool], list[Schedule]] = defaultdict(list)
    channels = _held_channels(inquiry)
    for schedule in inquiry.distinct():
        if schedule.paused is schedule.group.paused is None and schedule.channel not in channels:
            continue  # as nearly always
        record = inquiry.records.get(schedule.id)
        if schedule.id in inquiry.blocked or not _is_to_come(inquiry, schedule, record):
            continue
        for hold in _holds(inquiry, schedule):
            if hold.until > inquiry.now and is_too_late(inquiry, schedule, hold.until):
                found[hold, _is_new(inquiry, schedule, record, hold)].append(schedule)
    for (hold, is_new), group in found.items():
        describe = partial(_describe, inquiry, hold, group, is_new)
        yield Violation(file=hold.file, describe=describe)


def _held_channels(inquiry: Inquiry) -> set[str]:
    """The channels with a pause of their own, or in a freeze that is not over."""
    freezes = [freeze for freeze in inquiry.declared.settings.freezes if freeze.until > inquiry.now]
    return {
        name
        for name, channel in inquiry.declared.channels.items()
        if channel.paused or any(one.channels is None or name in one.channels for one in freezes)
    }


def _is_to_come(inquiry: Inquiry, schedule: Schedule, record: Record | None) -> bool:
    """Whether it is new, or recorded and not sent. What a person retried is sent however late."""
    if schedule.cancelled:
        return False
    if record is None or not record.is_live:
        return inquiry.is_new_or_moved(schedule, record) and schedule.at >= inquiry.now
    return record.is_unsent_live and record.retried_at is None


def is_too_late(inquiry: Inquiry, schedule: Schedule, until: Instant) -> bool:
    """Whether it is missed if it is held back until then: under `after_success` nobody can tell."""
    return until > _deadline(inquiry, schedule) and not (schedule.group.after_success and schedule.position)


def _deadline(inquiry: Inquiry, schedule: Schedule) -> Instant:
    """Until when a schedule may be sent."""
    return schedule.at + inquiry.declared.catch_up(schedule.group.catch_up)


def wait_end(inquiry: Inquiry, schedule: Schedule) -> Instant:
    """When nothing that ends by itself holds a schedule back any more; its time where nothing does."""
    return max((hold.until for hold in _holds(inquiry, schedule)), default=schedule.at)


def _holds(inquiry: Inquiry, schedule: Schedule) -> Sequence[_Hold]:
    """What holds a schedule back at its time, and what begins before that has ended, and so on."""
    reached, held = schedule.at, list[_Hold]()
    for hold in sorted(_ends(inquiry, schedule), key=lambda hold: hold.since):
        if hold.since <= reached and schedule.at < hold.until:
            held.append(hold)
            reached = max(reached, hold.until)
    return held


def _ends(inquiry: Inquiry, schedule: Schedule) -> Iterator[_Hold]:
    """The pauses of a schedule and the freezes of its channel that end by themselves."""
    declared, channel = inquiry.declared, inquiry.declared.channels.get(schedule.channel)
    if schedule.paused is not None and schedule.paused.until:
        yield _Hold(schedule.paused, schedule.file, (*schedule.loc, "paused", "until"))
    if schedule.group.paused is not None and schedule.group.paused.until:
        yield _Hold(schedule.group.paused, schedule.file, ("paused", "until"))
    pause = pause_of("channel", None if channel is None else channel.paused)
    if pause is not None and pause.until:
        yield _Hold(pause, declared.files["channel", schedule.channel], ("paused", "until"))
    for index, freeze in enumerate(declared.settings.freezes):
        if freeze.channels is None or schedule.channel in freeze.channels:
            pause = Pause("freeze", freeze.reason, instant_text(freeze.until))
            yield _Hold(pause, declared.settings_file, ("freezes", index, "until"), freeze.from_)


def _is_new(inquiry: Inquiry, schedule: Schedule, record: Record | None, hold: _Hold) -> bool:
    """Whether this proposal brings the two together. A slot loses nothing: its video moves on."""
    if schedule.slot or not inquiry.proposal:
        return False
    known = record is not None and record.is_live and record.at == schedule.at
    # A record has no freeze that begins later: it is as old as what holds the publication until then.
    begun = [hold] if hold.since <= schedule.at else _holds(inquiry, schedule)
    return not (
        known
        and record is not None
        and all(one.pause in record.pauses for one in begun if one.since <= schedule.at)
    )


def _describe(inquiry: Inquiry, hold: _Hold, group: Sequence[Schedule], is_new: bool) -> Diagnostic:
    first, end, last = group[0], instant_text(hold.until), _deadline(inquiry, group[0])
    ways = [f"end it by {instant_text(last)}", f"set `catch_up: {duration_text(hold.until - first.at)}`"]
    if not first.slot:
        ways.insert(0, f"run `scheduler move {first.id} {end}`")
    return (error if is_new else warning)(
        RULE.code,
        inquiry.declared.place(hold.file, hold.loc),
        f"{listed(group, 'will be missed', 'will be missed')}: {hold.name} ends at {end}, and `catch_up` "
        f"allows {'it' if len(group) == 1 else 'the first'} until {instant_text(last)}",
        f"{', '.join(ways[:-1])}, or {ways[-1]}",
        schedules=ids(group),
    )


RULE = Rule(
    code="missed-by-pause",
    title="A pause or a freeze ends while its publications can still be sent",
    meaning="""\
What is held back is sent once nothing holds it, unless that is more than `catch_up` after its time: then it
is missed. A freeze or an `until` that ends too late is therefore a loss and not a delay. It is an error in a
proposal that adds or moves the publication, the freeze or the pause, and a warning otherwise. The video of a
slot goes to a later slot, so slots are always a warning.""",
    remedy="Move the publication to the end of the pause, end the pause earlier, or raise `catch_up`.",
    bad=Example(
        recorded="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-04-05T18:00:00Z
    channels: [alpha]
""",
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
        fix=("at: 2026-04-05T18:00:00Z", "at: 2026-04-07T00:00:00Z"),
    ),
    check=check,
)
