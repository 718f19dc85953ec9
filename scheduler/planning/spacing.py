"""What is booked on each channel, by time, and the rules between two publications on it. Pure.

Those rules are judged together: a schedule that one of them holds back stays where it was recorded, where it
may break another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from functools import partial
from operator import sub
from pathlib import PurePosixPath

import msgspec

from scheduler.diagnostics import Diagnostic, Related, error, warning
from scheduler.planning.expand import Loc, Schedule, may_revive, member_place, occupied_instant
from scheduler.planning.inquiry import Booking, Clash, Inquiry, PairRule, Violation
from scheduler.planning.local_times import by_zones_in_use
from scheduler.state.record import Record
from scheduler.times import Instant, instant_text
from scheduler.wording import count


def clashes(inquiry: Inquiry, rules: Sequence[PairRule]) -> list[Violation]:
    """What the rules find on all channels, each pair of places once.

    Everything is looked at again with what was just blocked, until nothing new is: each schedule that is held
    counts at its old time too. Blocked ids only grow, so this ends.
    """
    suspicious = _suspicious(inquiry)
    if not suspicious:
        return []
    settings = inquiry.declared.settings
    blocked = set(inquiry.blocked)
    while True:
        held = {name for name in blocked if _is_moved(inquiry, name)}
        found: list[Clash] = []
        waiting: list[Clash] = []
        for channel, line in _time_lines(inquiry, suspicious, held).items():
            staying = [booking for booking in line if not booking.leaves]
            for rule in rules:
                found += rule(settings, channel, staying)
                if len(staying) < len(line):
                    waiting += (clash for clash in rule(settings, channel, line) if _only_waits(clash))
        now_blocked = blocked | {b.id for c in (*found, *waiting) for b in _blocked(inquiry, c)}
        if now_blocked == blocked:
            return _violations(inquiry, found) + _waits(inquiry, waiting)
        blocked = now_blocked


def _only_waits(clash: Clash) -> bool:
    """Whether one of the two is being taken back, and the other waits for that."""
    return clash.first.leaves != clash.second.leaves


def _blocked(inquiry: Inquiry, clash: Clash) -> list[Booking]:
    """The bookings that a clash keeps back. Two that change places are both taken back first."""
    if not _only_waits(clash):
        return [b for b in (clash.first, clash.second) if b.changeable]
    return [b for b in (clash.first, clash.second) if b.changeable and not inquiry.is_edited(b.id)]


def _is_moved(inquiry: Inquiry, schedule_id: str) -> bool:
    """Whether a live schedule is declared for another time than it is recorded for."""
    record, schedule = inquiry.coming.get(schedule_id), inquiry.schedules.get(schedule_id)
    return record is not None and schedule is not None and record.is_unsent_live and record.at != schedule.at


# --- the fast path: most channels have neither near neighbours nor a video twice --------------------


class _Quick(msgspec.Struct):
    """Just enough of a channel's time line to see that no rule is broken."""

    instants: list[Instant]
    videos: list[str]


def _suspicious(inquiry: Inquiry) -> set[str]:
    """The channels that have near neighbours, or a video twice: only there can two publications clash.

    It may name a channel too many and never one too few, since each schedule counts at every time and with
    every video that it may come to have. `_time_lines` of all channels is the slow twin, with which
    `validate` takes twice as long. They are held equal by
    `test_the_fast_path_finds_every_clash_that_the_time_lines_have`.
    """
    gap = inquiry.declared.settings.conflicts.min_gap
    result = set()
    for channel, line in _quick_lines(inquiry).items():
        instants = sorted(line.instants)
        near = gap > 0 and min(map(sub, instants[1:], instants), default=gap) < gap
        if near or len(set(line.videos)) < len(line.videos):
            result.add(channel)
    return result


def _quick_lines(inquiry: Inquiry) -> dict[str, _Quick]:
    lines: dict[str, _Quick] = {}
    records, now, catch_up = inquiry.coming, inquiry.now, inquiry.declared.settings.catch_up
    for schedule in inquiry.distinct():
        record = records.get(schedule.id)
        if not schedule.cancelled and (record is None or record.is_unsent_live):
            at: Instant | None = schedule.at  # what `occupied_instant` says of most of them, without the call
        else:
            at = occupied_instant(schedule, record, now, catch_up)
        if at is None:
            continue
        line = lines.get(schedule.channel)
        if line is None:
            line = lines[schedule.channel] = _Quick([], [])
        line.instants.append(at)
        if record is not None and record.at != at and record.is_unsent_live:
            line.instants.append(record.at)
        if schedule.video is not None:
            line.videos.append(schedule.video)
        if inquiry.is_edited(schedule.id):
            line.instants.append(schedule.at)
        if record is not None and record.video_id is not None and record.video_id != schedule.video:
            line.videos.append(record.video_id)
    for record in inquiry.as_recorded().values():
        line = lines.setdefault(record.channel_id, _Quick([], []))
        line.instants.append(record.at)
        if record.video_id is not None:
            line.videos.append(record.video_id)
    return lines


# --- the time lines ---------------------------------------------------------------------------------


def _time_lines(inquiry: Inquiry, suspicious: Set[str], held: Set[str]) -> dict[str, list[Booking]]:
    """The publications of the suspicious channels, by time, then id.

    A schedule that is held because its edit is refused is there twice: the edit may be corrected or undone.
    """
    lines: dict[str, list[Booking]] = defaultdict(list)
    for schedule in inquiry.distinct():
        if schedule.channel in suspicious:
            record = inquiry.coming.get(schedule.id)
            catch_up = inquiry.declared.settings.catch_up
            at = occupied_instant(schedule, record, inquiry.now, catch_up)
            if record is not None and (found := inquiry.withdrawals.get(schedule.id)) and found.leaves:
                leaving = msgspec.structs.replace(_recorded_booking(schedule.id, record), leaves=True)
                lines[schedule.channel].append(leaving)
                if found.kind == "edited":
                    lines[schedule.channel].append(_edited_booking(schedule))
            elif at is not None:
                lines[schedule.channel].append(_declared_booking(schedule, record, at))
            if record is not None and schedule.id in held:
                lines[schedule.channel].append(_recorded_booking(schedule.id, record))
    for schedule_id, record in inquiry.as_recorded().items():
        if record.channel_id in suspicious:
            booking = _recorded_booking(schedule_id, record)
            # What is declared in a file that cannot be read is not withdrawn.
            is_unreadable = inquiry.declared.fault_of(*record.declarer) is not None
            is_gone = record.was_sent and not record.slot and schedule_id not in inquiry.schedules
            vanished = is_gone and not is_unreadable
            leaves = schedule_id in inquiry.withdrawals and inquiry.withdrawals[schedule_id].leaves
            booking = msgspec.structs.replace(booking, vanished=vanished, leaves=leaves)
            lines[record.channel_id].append(booking)
    for line in lines.values():
        line.sort(key=lambda booking: (booking.at, booking.id))
    return lines


def _recorded_booking(schedule_id: str, record: Record) -> Booking:
    return Booking(
        at=record.at,
        today=by_zones_in_use(record.local_time, record.timezone, record.at),
        video=record.video_id,
        id=schedule_id,
        schedule=None,
        changeable=False,
        fresh=False,
        settled=record.was_sent,
    )


def _edited_booking(schedule: Schedule) -> Booking:
    """Where a publication is to be that is to be taken back first."""
    today = by_zones_in_use(schedule.local_time, schedule.timezone, schedule.at)
    return Booking(
        at=schedule.at, today=today, video=schedule.video, id=schedule.id, schedule=schedule,
        changeable=True, fresh=True, settled=False,
    )  # fmt: skip


def _declared_booking(schedule: Schedule, record: Record | None, at: Instant) -> Booking:
    sent = record is not None and record.was_sent
    same = record is not None and (record.at, record.video_id) == (schedule.at, schedule.video)
    revived = record is not None and may_revive(schedule, record)
    return Booking(
        at=at,
        today=by_zones_in_use(schedule.local_time, schedule.timezone, at),
        video=record.video_id if sent and record is not None else schedule.video,
        id=schedule.id,
        schedule=schedule,
        changeable=not sent and (not same or revived),
        fresh=not sent and (revived or record is None or record.video_id != schedule.video),
        settled=sent,
    )


# --- what is reported -------------------------------------------------------------------------------

_Source = tuple[str, Loc]
"""The file and the route that declare a publication; of one that is only recorded, its id."""


def _violations(inquiry: Inquiry, found: Iterable[Clash]) -> list[Violation]:
    """One for each clash, which blocks what is new or moved; then one to report for each two places."""
    found = [clash for clash in found if clash.at_fault.schedule is not None]  # else nobody can edit it
    blocks = [Violation(code=clash.code, blocks=[b.id for b in _blocked(inquiry, clash)]) for clash in found]
    copies = _copies(inquiry, found)
    pairs: dict[tuple[str, _Source, _Source], list[Clash]] = {}
    for clash in found:
        if (_source(clash.at_fault)[0], _source(clash.other)[0]) in copies:
            continue
        pairs.setdefault((clash.code, _source(clash.at_fault), _source(clash.other)), []).append(clash)
    reports = [
        Violation(code=code, file=file, describe=partial(_describe, inquiry, group))
        for (code, (file, _), _), group in pairs.items()
    ]
    reports += [
        Violation(code="repeat-video", file=copy, describe=partial(_describe_copy, inquiry, copy, original))
        for copy, original in sorted(copies)
    ]
    return blocks + reports


def _waits(inquiry: Inquiry, waiting: Iterable[Clash]) -> list[Violation]:
    """What is kept back until another is taken back: a warning each, and no error."""
    found = {b.id: (c, b) for c in waiting for b in _blocked(inquiry, c) if b.schedule is not None}
    return [
        Violation(
            code=clash.code, blocks=[booking.id], describe=partial(_describe_wait, inquiry, clash, booking),
            file="" if booking.schedule is None else booking.schedule.file,
        )
        for clash, booking in found.values()
    ]  # fmt: skip


def _describe_wait(inquiry: Inquiry, clash: Clash, booking: Booking) -> Diagnostic:
    assert booking.schedule is not None, "what only the record knows waits for nothing"
    other = clash.first if clash.second is booking else clash.second
    message = (
        f"{booked(booking)} waits until {booked(other)} is taken back from channel {booking.schedule.channel}"
    )
    place = member_place(inquiry.declared, booking.schedule)
    return warning(clash.code, place, message, schedules=[booking.id, other.id])


def _copies(inquiry: Inquiry, found: Sequence[Clash]) -> set[tuple[str, str]]:
    """Wave files all of whose publications are those of another one, with that one: one fault each."""
    repeated = [clash for clash in found if clash.code == "repeat-video"]
    wanted = {(_source(clash.at_fault)[0], _source(clash.other)[0]) for clash in repeated}
    files = {file for pair in wanted for file in pair}
    content: dict[str, set[tuple[str, str | None, Instant]]] = defaultdict(set)
    for schedule in inquiry.distinct() if len(files) > 1 else ():
        if schedule.group.wave is not None and schedule.file in files:
            content[schedule.file].add((schedule.channel, schedule.video, schedule.at))
    return {
        (copy, of) for copy, of in wanted if copy != of and content[copy] and content[copy] == content[of]
    }


def _describe_copy(inquiry: Inquiry, copy: str, original: str) -> Diagnostic:
    ids = [schedule.id for schedule in inquiry.distinct() if schedule.file == copy]
    wave, other = (PurePosixPath(file).stem for file in (copy, original))
    message = (
        f"wave {wave} is copied from {original}: it publishes the same videos on the same channels "
        f"at the same times ({count(len(ids), 'publication')})"
    )
    hint = (
        f"change `video` and `at` in {copy}; if it is to replace {original}, "
        f"add `renamed_from: {other}` to it and delete {original}"
    )
    related = Related("the original", inquiry.declared.place(original, ("schedules",), key=True))
    place = inquiry.declared.place(copy, ("schedules",), key=True)
    return error("repeat-video", place, message, hint, [related], schedules=ids)


def _source(booking: Booking) -> _Source:
    return (booking.id, ()) if booking.schedule is None else (booking.schedule.file, booking.schedule.loc)


def _describe(inquiry: Inquiry, pairs: Sequence[Clash]) -> Diagnostic:
    clash = pairs[0]
    assert clash.at_fault.schedule is not None, "those that only the record knows are not reported"
    message, hint = clash.describe(clash.at_fault, clash.other)
    # A schedule that is held at its old time is there twice, so one channel may have several pairs.
    channels = {pair.at_fault.schedule.channel for pair in pairs if pair.at_fault.schedule is not None}
    if len(channels) > 1:
        message += f" (and on {count(len(channels) - 1, 'more channel')})"
    if clash.other.schedule is None:
        related = Related(f"{clash.other.id}, which is recorded")
    else:
        related = Related(clash.other.id, member_place(inquiry.declared, clash.other.schedule))
    return error(
        clash.code,
        member_place(inquiry.declared, clash.at_fault.schedule),
        message,
        hint,
        [related],
        schedules=dict.fromkeys(booking.id for pair in pairs for booking in (pair.first, pair.second)),
    )


def booked(booking: Booking) -> str:
    """`spring/teaser/alpha (2026-03-01T18:00:00Z)`."""
    return f"{booking.id} ({instant_text(booking.at)})"
