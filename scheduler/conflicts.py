"""The rules that schedules keep together: a table of named functions, each returning its diagnostics.

Declared and recorded schedules count alike. What was cancelled, what failed without being sent, and what
this very run cancels or renames does not. A fault blocks the schedules that are new or moved; what is
recorded and unchanged goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import msgspec

from scheduler import spec
from scheduler.declarations import Declarations
from scheduler.diagnostics import Code, Location, Related, error, warning
from scheduler.schedules import Expansion, Schedule, may_revive, member_place, occupied_instant
from scheduler.state import Record
from scheduler.times import Instant, duration_text, in_zone, instant_text, read_zone


class Inquiry(msgspec.Struct, kw_only=True):
    """What the rules look at. Instants are epoch seconds."""

    declared: Declarations
    records: Mapping[str, Record]
    """Recorded and archived schedules by id."""
    undeclared: Mapping[str, Record]
    """Of these, the ones that no declaration stands behind and that count all the same."""
    expansion: Expansion
    now: Instant
    proposal: bool
    """True for `validate` and `plan`: the rule against the past is for proposals alone."""


Rule = Callable[[Inquiry], None]


def check(inquiry: Inquiry) -> None:
    """Apply every rule; faults and blocked ids go into the expansion."""
    for rule in RULES.values():
        rule(inquiry)


# --- one schedule by itself -------------------------------------------------------------------------


def is_new_or_moved(schedule: Schedule, record: Record | None) -> bool:
    """Whether the declaration asks for an instant that the record does not have yet."""
    if schedule.cancelled:
        return False
    if record is None:
        return True
    return not record.was_sent and schedule.at != record.at


def _new_or_moved(inquiry: Inquiry) -> Iterator[Schedule]:
    for schedule in inquiry.expansion.schedules.values():
        if not schedule.slot and is_new_or_moved(schedule, inquiry.records.get(schedule.id)):
            yield schedule


def past(inquiry: Inquiry) -> None:
    """A new or moved schedule lies before now. In proposals only: a late run is no editor's fault."""
    if not inquiry.proposal:
        return
    for schedule in _new_or_moved(inquiry):
        if schedule.at < inquiry.now:
            inquiry.expansion.faults.append(
                error(
                    "past",
                    time_place(inquiry.declared, schedule),
                    f"{_shown(inquiry.declared, schedule)} lies in the past "
                    f"(it is {instant_text(inquiry.now)} now)",
                    "choose a time to come, or set `cancelled: true`",
                )
            )


def frozen(inquiry: Inquiry) -> None:
    """A new or moved schedule lies inside a freeze; an unmoved one waits, and says so."""
    freezes = inquiry.declared.settings.freezes
    if not freezes:
        return
    for schedule in inquiry.expansion.schedules.values():
        freeze = _freeze_over(schedule, freezes)
        if freeze is None or schedule.cancelled or (inquiry.proposal and schedule.at < inquiry.now):
            continue
        record = inquiry.records.get(schedule.id)
        until = instant_text(freeze.until)
        where = time_place(inquiry.declared, schedule)
        if is_new_or_moved(schedule, record):
            fault = error(
                "frozen",
                where,
                f"{_shown(inquiry.declared, schedule)} lies inside the freeze {_name(freeze)!r}, "
                f"which ends at {until}",
                "choose a time outside it, or change the freeze in scheduler.yaml",
            )
            inquiry.expansion.block(schedule.id, fault)
        elif record is not None and record.is_unsent_live and inquiry.now < freeze.until:
            inquiry.expansion.faults.append(
                warning("frozen", where, f"{schedule.id} waits until {until}: freeze {_name(freeze)!r}")
            )


def _freeze_over(schedule: Schedule, freezes: tuple[spec.Freeze, ...]) -> spec.Freeze | None:
    for freeze in freezes:
        if freeze.from_ <= schedule.at < freeze.until and (
            freeze.channels is None or schedule.channel in freeze.channels
        ):
            return freeze
    return None


def _name(freeze: spec.Freeze) -> str:
    return freeze.reason or f"from {instant_text(freeze.from_)}"


def edited_after_dispatch(inquiry: Inquiry) -> None:
    """The time or the video of what was sent was changed: nothing can come of it."""
    for schedule_id, schedule in inquiry.expansion.schedules.items():
        record = inquiry.records.get(schedule_id)
        if record is None or not record.was_sent or schedule.cancelled:
            continue
        if schedule.at != record.at:
            where = time_place(inquiry.declared, schedule)
            what = f"to publish at {record.scheduled_at}"
        elif schedule.video != record.video_id:
            where = video_place(inquiry.declared, schedule)
            what = f"with the video {record.video_id!r}"
        else:
            continue
        inquiry.expansion.faults.append(
            error(
                "edited-after-dispatch",
                where,
                f"{schedule_id} was sent already, {what}",
                "change it back; for another publication add an entry of its own",
            )
        )


# --- two schedules on one channel -------------------------------------------------------------------


class _Booking(msgspec.Struct, kw_only=True):
    """One publication on a channel's time line."""

    at: Instant
    video: str | None
    id: str
    schedule: Schedule | None
    """None where only the record knows it."""
    changeable: bool
    """It is new, moved, or has another video: a fault keeps it back."""
    settled: bool
    """It was sent: nothing can be changed any more."""
    vanished: bool = False
    """It was sent as a one-off or group that is no longer declared."""


class _Quick(msgspec.Struct):
    """Just enough of a channel's time line to tell that no rule is broken."""

    instants: list[Instant]
    videos: list[str]


def _quick_lines(inquiry: Inquiry) -> dict[str, _Quick]:
    lines: dict[str, _Quick] = {}
    records, now = inquiry.records, inquiry.now
    for schedule_id, schedule in inquiry.expansion.schedules.items():
        record = records.get(schedule_id)
        if record is None and not schedule.cancelled:
            at: Instant | None = schedule.at
        else:
            at = occupied_instant(schedule, record, now)
        if at is None:
            continue
        line = lines.get(schedule.channel)
        if line is None:
            line = lines[schedule.channel] = _Quick([], [])
        line.instants.append(at)
        if schedule.video is not None:
            line.videos.append(schedule.video)
        if record is not None and record.video_id is not None and record.video_id != schedule.video:
            line.videos.append(record.video_id)
    for record in inquiry.undeclared.values():
        line = lines.setdefault(record.channel_id, _Quick([], []))
        line.instants.append(record.at)
        if record.video_id is not None:
            line.videos.append(record.video_id)
    return lines


def _suspicious(inquiry: Inquiry) -> set[str]:
    """The channels worth a closer look: most have neither near neighbours nor a video twice."""
    gap = inquiry.declared.settings.min_gap
    result = set()
    for channel, line in _quick_lines(inquiry).items():
        instants = sorted(line.instants)
        near = gap > 0 and any(after - before < gap for before, after in pairwise(instants))
        if near or len(set(line.videos)) < len(line.videos):
            result.add(channel)
    return result


def _time_lines(inquiry: Inquiry) -> dict[str, list[_Booking]]:
    """The publications of the suspicious channels, by time, then id."""
    lines: dict[str, list[_Booking]] = defaultdict(list)
    suspicious = _suspicious(inquiry)
    if not suspicious:
        return lines
    for schedule in inquiry.expansion.schedules.values():
        if schedule.channel in suspicious:
            record = inquiry.records.get(schedule.id)
            at = occupied_instant(schedule, record, inquiry.now)
            if at is not None:
                lines[schedule.channel].append(_declared_booking(schedule, record, at))
    for schedule_id, record in inquiry.undeclared.items():
        if record.channel_id in suspicious:
            lines[record.channel_id].append(
                _Booking(
                    at=record.at,
                    video=record.video_id,
                    id=schedule_id,
                    schedule=None,
                    changeable=False,
                    settled=record.was_sent,
                    vanished=record.was_sent and not record.slot,
                )
            )
    for line in lines.values():
        line.sort(key=lambda booking: (booking.at, booking.id))
    return lines


def _declared_booking(schedule: Schedule, record: Record | None, at: Instant) -> _Booking:
    sent = record is not None and record.was_sent
    same = record is not None and (record.at, record.video_id) == (schedule.at, schedule.video)
    revived = record is not None and may_revive(schedule, record)
    return _Booking(
        at=at,
        video=record.video_id if sent and record is not None else schedule.video,
        id=schedule.id,
        schedule=schedule,
        changeable=not sent and (not same or revived),
        settled=sent,
    )


def neighbours(inquiry: Inquiry) -> None:
    """min-gap and repeat-video: what two publications on one channel must keep."""
    for line in _time_lines(inquiry).values():
        _too_near(inquiry, line)
        _repeated(inquiry, line)


def _too_near(inquiry: Inquiry, line: list[_Booking]) -> None:
    gap = inquiry.declared.settings.min_gap
    for before, after in pairwise(line):
        apart = after.at - before.at
        if apart >= gap or (before.settled and after.settled):
            continue
        shown = "at the same time" if apart == 0 else f"{duration_text(apart)} apart"
        _tell(
            inquiry,
            "min-gap",
            before,
            after,
            "{it} and {other} are " + shown + " on one channel; the least is " + duration_text(gap),
            f"move one of them: `min_gap` in scheduler.yaml asks for {duration_text(gap)}",
        )


def _repeated(inquiry: Inquiry, line: list[_Booking]) -> None:
    window = inquiry.declared.settings.repeat_window
    latest: dict[str, _Booking] = {}
    gone: dict[str, _Booking] = {}
    for booking in line:
        if booking.vanished and booking.video is not None:
            gone.setdefault(booking.video, booking)
    for booking in line:
        if booking.video is None:
            continue
        before = latest.get(booking.video)
        latest[booking.video] = booking
        if before is not None and booking.at - before.at < window:
            if not _is_lifted(before, booking):
                apart = duration_text(booking.at - before.at) if booking.at > before.at else "no time"
                _tell(
                    inquiry,
                    "repeat-video",
                    before,
                    booking,
                    f"the video {booking.video!r} is published twice on one channel, {apart} apart: "
                    "{it} and {other}",
                    f"leave {duration_text(window)} between them (`repeat_window`), or write `repeat: true`",
                )
            continue
        first = gone.get(booking.video)
        if first is not None and first is not booking and booking.changeable and not _repeats(booking):
            _tell(
                inquiry,
                "repeat-video",
                first,
                booking,
                f"the video {booking.video!r} was sent to this channel by a declaration that is gone: "
                "{it} and {other}",
                "if it was renamed, write `renamed_from:`; if it is to be published again, `repeat: true`",
            )


def _repeats(booking: _Booking) -> bool:
    return booking.schedule is not None and booking.schedule.group.repeat


def _is_lifted(before: _Booking, after: _Booking) -> bool:
    """Whether `repeat: true` stands where the repetition is asked for."""
    if before.settled and after.settled:
        return True
    if not before.changeable and not after.changeable:
        return _repeats(before) or _repeats(after)
    return _repeats(after) or (before.changeable and _repeats(before))


def _tell(inquiry: Inquiry, code: Code, first: _Booking, second: _Booking, message: str, hint: str) -> None:
    """One error for a pair, at the one that can be changed (the later of two); what is new is blocked."""
    ranked = sorted(
        (first, second),
        key=lambda b: (b.changeable, b.schedule is not None, not b.settled, b is second),
        reverse=True,
    )
    at_fault, other = ranked
    if at_fault.schedule is None:
        return
    where = member_place(inquiry.declared, at_fault.schedule)
    fault = error(
        code,
        where,
        message.format(it=_booked(at_fault), other=_booked(other)),
        hint,
        [_related(inquiry, other)],
    )
    inquiry.expansion.faults.append(fault)
    for booking in (first, second):
        if booking.changeable:
            inquiry.expansion.blocked.setdefault(booking.id, code)


def _related(inquiry: Inquiry, booking: _Booking) -> Related:
    if booking.schedule is not None:
        return Related(booking.id, member_place(inquiry.declared, booking.schedule))
    return Related(f"{booking.id}, which is recorded")


def _booked(booking: _Booking) -> str:
    return f"{booking.id} ({instant_text(booking.at)})"


# --- words and places -----------------------------------------------------------------------------


def _shown(declared: Declarations, schedule: Schedule) -> str:
    """A publish time in UTC and in its channel's zone."""
    channel = declared.channels.get(schedule.channel)
    text = instant_text(schedule.at)
    if channel is None or channel.timezone == "UTC":
        return text
    local = in_zone(schedule.at, read_zone(channel.timezone))
    return f"{text} ({local[:16].replace('T', ' ')} {channel.timezone})"


def time_place(declared: Declarations, schedule: Schedule) -> Location:
    """Where the time of a schedule is written: its own `at`, its entry's, or its place in a stagger."""
    data = declared.documents[schedule.file].data
    for step in schedule.loc:
        data = data[step]
    if isinstance(data, dict):
        for key in ("at", "shift"):
            if key in data:
                return declared.place(schedule.file, (*schedule.loc, key))
    if schedule.group.schedule_type == "simultaneous" or schedule.position == 0:
        return declared.place(schedule.file, (*schedule.loc[:2], "at"))
    return member_place(declared, schedule)


def video_place(declared: Declarations, schedule: Schedule) -> Location:
    """Where the video of a schedule is written."""
    route = schedule.loc if schedule.slot else schedule.loc[:2]
    return declared.place(schedule.file, (*route, "video"))


RULES: Mapping[str, Rule] = {
    "past": past,
    "frozen": frozen,
    "edited-after-dispatch": edited_after_dispatch,
    "min-gap and repeat-video": neighbours,
}
