"""What was sent has another time or video now, or was cancelled: that can have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from scheduler.diagnostics import Diagnostic, Location, error, warning
from scheduler.planning.causes import (
    by_cause,
    cancelled_route,
    ids,
    listed,
    time_place,
    video_place,
)
from scheduler.planning.expand import Loc, Schedule, member_place
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.planning.rows import is_queued
from scheduler.planning.taking_back import is_handed_over, retract_event, withdrawal
from scheduler.state.record import Record
from scheduler.wording import quoted

SENT_LATELY = 86_400
"""Seconds after its time for which it is worth a warning that something was sent before it was cancelled."""


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """Errors for times and videos; in proposals, warnings for what was cancelled too late."""
    declared, blocked = inquiry.declared, inquiry.blocked
    moved: list[Schedule] = []
    replaced: dict[tuple[str, Loc], list[Schedule]] = {}
    cancelled: dict[tuple[str, Loc], list[Schedule]] = {}
    for schedule_id, schedule in inquiry.schedules.items():
        record = inquiry.records.get(schedule_id)
        if record is None or not record.was_sent or _is_open(inquiry, schedule_id, record):
            continue
        if schedule.cancelled:
            is_news = inquiry.proposal and not schedule.slot and record.at > inquiry.now - SENT_LATELY
            # The job of a queued one is taken back; `goes-public` names what is not public yet.
            is_news = is_news and not is_queued(record) and not is_handed_over(record, inquiry.now)
            if is_news and blocked.get(schedule_id) != "duplicate-id":
                route = cancelled_route(declared, schedule)
                cancelled.setdefault((schedule.file, route), []).append(schedule)
        elif schedule.at != record.at:
            moved.append(schedule)
        elif schedule.video != record.video_id:
            replaced.setdefault((schedule.file, schedule.loc[:2]), []).append(schedule)

    def is_coming(group: Sequence[Schedule]) -> bool:
        return any(inquiry.records[schedule.id].at > inquiry.now for schedule in group)

    for group in by_cause(declared, moved):
        sent = f"to publish at {inquiry.records[group[0].id].scheduled_at}"
        place = partial(time_place, declared, group[0])
        describe = partial(_edited, place, group, sent, is_coming=is_coming(group))
        yield Violation(file=group[0].file, describe=describe)
    for group in replaced.values():
        sent = f"with the video {quoted(inquiry.records[group[0].id].video_id or '')}"
        place = partial(video_place, declared, group[0])
        describe = partial(_edited, place, group, sent, is_coming=is_coming(group))
        yield Violation(file=group[0].file, describe=describe)
    for (file, route), group in cancelled.items():
        describe = partial(_cancelled_too_late, inquiry, group, route)
        yield Violation(file=file, describe=describe)
    for schedule_id, record in inquiry.records.items():
        if record.retraction is not None and _is_news_of_a_failure(inquiry, schedule_id, record):
            yield Violation(describe=partial(_not_taken_back, inquiry, schedule_id, record))


def _is_open(inquiry: Inquiry, schedule_id: str, record: Record) -> bool:
    """Whether it can still be edited, or its retraction is reported of: it is not public yet."""
    if schedule_id in inquiry.withdrawals:
        return True
    if record.retraction is not None and record.retraction.status == "failed":
        return record.at > inquiry.now - SENT_LATELY
    return is_handed_over(record, inquiry.now) and retract_event(inquiry.declared, record) is not None


def _is_news_of_a_failure(inquiry: Inquiry, schedule_id: str, record: Record) -> bool:
    """For a day after its publish time, as long as it is declared otherwise than it was sent."""
    failed = record.was_sent and record.retraction is not None and record.retraction.status == "failed"
    return (
        failed
        and record.at > inquiry.now - SENT_LATELY
        and withdrawal(inquiry.declared, record, inquiry.schedules.get(schedule_id)) is not None
    )


def _not_taken_back(inquiry: Inquiry, schedule_id: str, record: Record) -> Diagnostic:
    """An error of runs; no other proposal is at fault for it."""
    retraction, declared = record.retraction, inquiry.declared
    assert retraction is not None, "the caller has looked"
    schedule = inquiry.schedules.get(schedule_id)
    file = declared.files.get(record.declarer) or declared.files.get(("channel", record.channel_id))
    where = declared.place(file) if file else Location.whole(".")
    return (warning if inquiry.proposal else error)(
        RULE.code,
        where if schedule is None else member_place(declared, schedule),
        f"{schedule_id} could not be taken back ({retraction.why}), so it may be public: {retraction.error}",
        f"check {retraction.run_url or f'channel {record.channel_id}'}, and take it back there by hand",
        schedules=[schedule_id],
    )


def _edited(place: partial[Location], group: Sequence[Schedule], sent: str, *, is_coming: bool) -> Diagnostic:
    """`is_coming`: it is not public yet, so another entry would publish it twice."""
    return error(
        RULE.code,
        place(),
        f"{listed(group, 'was', 'were')} already sent, {sent}",
        "undo this change" if is_coming else "undo this change; to publish again, add another entry",
        schedules=ids(group),
    )


def _cancelled_too_late(inquiry: Inquiry, group: Sequence[Schedule], route: Loc) -> Diagnostic:
    return warning(
        RULE.code,
        inquiry.declared.place(group[0].file, route, key=True),
        f"{listed(group, 'was', 'were')} already sent: `cancelled: true` comes too late",
        f"`scheduler show {group[0].id}` shows what became of it; only its channel can take it back",
        schedules=ids(group),
    )


RULE = Rule(
    code="edited-after-dispatch",
    title="What was sent is not edited",
    meaning="""\
What was sent is never sent again, so another time or another video has no effect, and the files would
say something that is not true. It is a warning where something is cancelled within a day after it was
sent.

On a channel with `retract`, what was handed over and is not public yet is taken back instead, up to 5 minutes
(or `min_gap`) before its publish time. It is an error of `run` if that fails: it may be public.""",
    remedy="Undo the change. To publish again, add another entry.",
    bad=Example(
        recorded="""\
-- channels/alpha.yaml --
queue: publications
command: ./publish
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-02-05T18:00:00Z
    channels: [alpha]
""",
        recorded_at="2026-02-05T18:00:00Z",
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha]
""",
        fix=(
            "at: 2026-03-05T18:00:00Z",
            """\
at: 2026-02-05T18:00:00Z
    channels: [alpha]
  - type: simultaneous
    group: teaser-again
    video: teaser
    at: 2026-03-05T18:00:00Z""",
        ),
    ),
    check=check,
)
