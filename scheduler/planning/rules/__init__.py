"""The rules that schedules keep together: a table of named functions, each returning its diagnostics.

Declared and recorded schedules count alike. What was cancelled, what failed without being sent, and what
this very run cancels or renames does not. A fault blocks the schedules that are new or moved; what is
recorded and unchanged goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import partial
from itertools import pairwise
from operator import sub
from typing import Any

import msgspec

from scheduler import desired
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Code, Diagnostic, Location, Related, error, warning
from scheduler.planning.expand import Expansion, Loc, Schedule, may_revive, member_place, occupied_instant
from scheduler.state.record import Record
from scheduler.times import Instant, duration_text, in_zone, instant_text, read_zone


class Inquiry(msgspec.Struct, kw_only=True):
    """What the rules look at. Instants are epoch seconds."""

    declared: Declarations
    records: Mapping[str, Record]
    """Recorded and archived schedules by id."""
    coming: Mapping[str, Record]
    """The same, with those failed that this very run will fail: they stand in nobody's way."""
    undeclared: Mapping[str, Record]
    """Of these, the ones that no declaration stands behind and that count all the same."""
    expansion: Expansion
    now: Instant
    proposal: bool
    """True for `validate` and `plan`: the rule against the past is for proposals alone."""

    def one_of_a_kind(self) -> Iterable[Schedule]:
        """The schedules but for those whose id is taken: that fault is told, and they are not."""
        schedules, blocked = self.expansion.schedules, self.expansion.blocked
        if "duplicate-id" not in blocked.values():
            return schedules.values()
        return [s for schedule_id, s in schedules.items() if blocked.get(schedule_id) != "duplicate-id"]


Rule = Callable[[Inquiry], None]
Place = Callable[[Declarations, Schedule], Location]


def check(inquiry: Inquiry) -> None:
    """Apply every rule; faults and blocked ids go into the expansion."""
    for rule in RULES.values():
        rule(inquiry)


# --- one schedule by itself -------------------------------------------------------------------------


def is_new_or_moved(schedule: Schedule, record: Record | None, now: Instant) -> bool:
    """Whether the declaration asks for an instant that the record does not have, or has no longer."""
    if schedule.cancelled:
        return False
    if record is None:
        return True
    revived = schedule.at > now and may_revive(schedule, record)
    return not record.was_sent and (schedule.at != record.at or revived)


def past(inquiry: Inquiry) -> None:
    """A new or moved schedule lies before now. In proposals only: a late run is no editor's fault."""
    if not inquiry.proposal:
        return
    records, now = inquiry.records, inquiry.now
    found = [
        schedule
        for schedule in inquiry.one_of_a_kind()
        if schedule.at < now
        and not schedule.slot
        and is_new_or_moved(schedule, records.get(schedule.id), now)
    ]
    for group in _by_cause(inquiry.declared, found):
        inquiry.expansion.faults.tell("past", group[0].file, partial(_in_the_past, inquiry, group))


def _in_the_past(inquiry: Inquiry, group: list[Schedule]) -> Diagnostic:
    return error(
        "past",
        time_place(inquiry.declared, group[0]),
        f"{_shown(inquiry.declared, group[0])} lies in the past (it is {instant_text(inquiry.now)} now)"
        + _others_too(group),
        "choose a time to come, or set `cancelled: true`",
        schedules=_ids(group),
    )


def too_late(inquiry: Inquiry) -> None:
    """What is asked for can no longer be: to publish at a time that is over, to cancel what was sent.

    Warnings, and in proposals only. A cancellation is told for a day: later its line is no news.
    """
    if not inquiry.proposal:
        return
    records, now = inquiry.records, inquiry.now
    revived: dict[tuple[str, Loc, str], list[Schedule]] = {}
    called_off: dict[tuple[str, Loc], list[Schedule]] = {}
    for schedule in inquiry.one_of_a_kind():
        if not (schedule.cancelled or schedule.at <= now) or schedule.slot:
            continue
        record = records.get(schedule.id)
        if record is None:
            continue
        if schedule.cancelled:
            if record.was_sent and record.at > now - SENT_LATELY:
                called_off.setdefault((schedule.file, _cancelled_route(inquiry, schedule)), []).append(
                    schedule
                )
        elif schedule.at == record.at and _would_revive(schedule, record):
            key = (schedule.file, time_route(inquiry.declared, schedule), record.status)
            revived.setdefault(key, []).append(schedule)
    for (file, _, _), group in revived.items():
        inquiry.expansion.faults.tell("past", file, partial(_stays_over, inquiry, group))
    for (file, route), group in called_off.items():
        word = partial(_cancelled_too_late, inquiry, group, route)
        inquiry.expansion.faults.tell("edited-after-dispatch", file, word)


SENT_LATELY = 86_400
"""Seconds after its time for which it is worth saying that something was sent before it was cancelled."""


def _would_revive(schedule: Schedule, record: Record) -> bool:
    """Whether only its time keeps a schedule from being pending again; `state init` found it over already."""
    return may_revive(schedule, record) and record.reason != "before_init"


def _stays_over(inquiry: Inquiry, group: list[Schedule]) -> Diagnostic:
    record = inquiry.records[group[0].id]
    if record.status == "cancelled":
        hint = "choose a time to come, or set `cancelled: true` again"
        words = f"{_listed(group, 'was', 'were')} cancelled, and"
    else:
        hint = "choose a time to come"
        words = f"{_listed(group, 'failed', 'failed')} ({record.reason}), and"
    words += f" {_shown(inquiry.declared, group[0])} is over: nothing will be published"
    return warning("past", time_place(inquiry.declared, group[0]), words, hint, schedules=_ids(group))


def _cancelled_too_late(inquiry: Inquiry, group: list[Schedule], route: Loc) -> Diagnostic:
    where = inquiry.declared.place(group[0].file, route, key=True)
    words = f"{_listed(group, 'was', 'were')} sent before this: `cancelled: true` comes too late"
    hint = f"`scheduler show {group[0].id}` tells what became of it; only its channel can take it back"
    return warning("edited-after-dispatch", where, words, hint, schedules=_ids(group))


def _cancelled_route(inquiry: Inquiry, schedule: Schedule) -> Loc:
    """The route to the line that cancels a schedule: its own, or its wave's."""
    if schedule.group.cancelled:
        return ("cancelled",)
    data: Any = inquiry.declared.documents[schedule.file].data
    for step in schedule.loc:
        data = data[step]
    return (*schedule.loc, "cancelled") if isinstance(data, dict) and "cancelled" in data else schedule.loc


def frozen(inquiry: Inquiry) -> None:
    """A new or moved schedule lies inside a freeze; an unmoved one waits, and says so."""
    for freeze in inquiry.declared.settings.freezes:
        refused, waiting = [], []
        for schedule in inquiry.one_of_a_kind():
            if not _is_inside(schedule, freeze) or (inquiry.proposal and schedule.at < inquiry.now):
                continue
            record = inquiry.records.get(schedule.id)
            if is_new_or_moved(schedule, record, inquiry.now):
                refused.append(schedule)
            elif record is not None and record.is_unsent_live and inquiry.now < freeze.until:
                waiting.append(schedule)
        for group in _by_cause(inquiry.declared, refused):
            _refuse_frozen(inquiry, freeze, group)
        for group in _by_cause(inquiry.declared, waiting):
            word = partial(_waits_for_thaw, inquiry, freeze, group)
            inquiry.expansion.faults.tell("frozen", group[0].file, word)


def _waits_for_thaw(inquiry: Inquiry, freeze: desired.Freeze, group: list[Schedule]) -> Diagnostic:
    words = f"{_listed(group, 'waits', 'wait')} until {instant_text(freeze.until)}"
    where = time_place(inquiry.declared, group[0])
    return warning("frozen", where, f"{words}: freeze {_name(freeze)!r}", schedules=_ids(group))


def _is_inside(schedule: Schedule, freeze: desired.Freeze) -> bool:
    return (
        freeze.from_ <= schedule.at < freeze.until
        and not schedule.cancelled
        and (freeze.channels is None or schedule.channel in freeze.channels)
    )


def _refuse_frozen(inquiry: Inquiry, freeze: desired.Freeze, group: list[Schedule]) -> None:
    for schedule in group:
        inquiry.expansion.blocked.setdefault(schedule.id, "frozen")
    word = partial(_inside_a_freeze, inquiry, freeze, group)
    inquiry.expansion.faults.tell("frozen", group[0].file, word)


def _inside_a_freeze(inquiry: Inquiry, freeze: desired.Freeze, group: list[Schedule]) -> Diagnostic:
    file = inquiry.declared.settings_file
    return error(
        "frozen",
        time_place(inquiry.declared, group[0]),
        f"{_shown(inquiry.declared, group[0])} lies inside the freeze {_name(freeze)!r}, "
        f"which ends at {instant_text(freeze.until)}" + _others_too(group),
        f"choose a time outside it, or change the freeze in {file}",
        [Related("the freeze", inquiry.declared.place(file, _freeze_route(inquiry, freeze)))],
        schedules=_ids(group),
    )


def _freeze_route(inquiry: Inquiry, freeze: desired.Freeze) -> Loc:
    return ("freezes", inquiry.declared.settings.freezes.index(freeze))


def _name(freeze: desired.Freeze) -> str:
    return freeze.reason or f"from {instant_text(freeze.from_)}"


def edited_after_dispatch(inquiry: Inquiry) -> None:
    """The time or the video of what was sent was changed: nothing can come of it."""
    moved: list[Schedule] = []
    replaced: dict[tuple[str, Loc], list[Schedule]] = {}
    for schedule_id, schedule in inquiry.expansion.schedules.items():
        record = inquiry.records.get(schedule_id)
        if record is None or not record.was_sent or schedule.cancelled:
            continue
        if schedule.at != record.at:
            moved.append(schedule)
        elif schedule.video != record.video_id:
            replaced.setdefault((schedule.file, schedule.loc[:2]), []).append(schedule)
    for group in _by_cause(inquiry.declared, moved):
        sent_at = inquiry.records[group[0].id].scheduled_at
        _tell_edited(inquiry, group, time_place, f"to publish at {sent_at}")
    for group in replaced.values():
        video = inquiry.records[group[0].id].video_id
        _tell_edited(inquiry, group, video_place, f"with the video {video!r}")


def _tell_edited(inquiry: Inquiry, group: list[Schedule], place: Place, how: str) -> None:
    def word() -> Diagnostic:
        return error(
            "edited-after-dispatch",
            place(inquiry.declared, group[0]),
            f"{_listed(group, 'was', 'were')} sent already, {how}",
            "change it back; for another publication add an entry of its own",
            schedules=_ids(group),
        )

    inquiry.expansion.faults.tell("edited-after-dispatch", group[0].file, word)


def _by_cause(declared: Declarations, found: Iterable[Schedule]) -> list[list[Schedule]]:
    """Schedules by what gives them their time: one line is one fault, on however many channels."""
    causes: dict[tuple[str, Loc], list[Schedule]] = {}
    for schedule in found:
        causes.setdefault((schedule.file, time_route(declared, schedule)), []).append(schedule)
    return list(causes.values())


def _others_too(group: list[Schedule]) -> str:
    """Besides the first, how many other times of a stagger share its fault."""
    others = len({schedule.at for schedule in group}) - 1
    if others < 1:
        return ""
    return f", and so {'does 1 more' if others == 1 else f'do {others} more'} of this entry"


def _ids(group: Iterable[Schedule]) -> list[str]:
    return [schedule.id for schedule in group]


def _listed(group: list[Schedule], one: str, many: str) -> str:
    """`spring/teaser/alpha was`, `spring/teaser/alpha and 2 more were`."""
    return f"{group[0].id} {one}" if len(group) == 1 else f"{group[0].id} and {len(group) - 1} more {many}"


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
    fresh: bool
    """It is new, or has another video."""
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
    records, now = inquiry.coming, inquiry.now
    for schedule in inquiry.one_of_a_kind():
        record = records.get(schedule.id)
        if not schedule.cancelled and (record is None or record.is_unsent_live):
            at: Instant | None = schedule.at
        else:
            at = occupied_instant(schedule, record, now)
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
    gap = inquiry.declared.settings.conflicts.min_gap
    result = set()
    for channel, line in _quick_lines(inquiry).items():
        instants = sorted(line.instants)
        near = gap > 0 and min(map(sub, instants[1:], instants), default=gap) < gap
        if near or len(set(line.videos)) < len(line.videos):
            result.add(channel)
    return result


def _time_lines(inquiry: Inquiry, suspicious: Set[str], held: Set[str]) -> dict[str, list[_Booking]]:
    """The publications of the suspicious channels, by time, then id.

    Those that are held, their edit being refused, stand there twice: the edit may be mended, or taken back.
    """
    lines: dict[str, list[_Booking]] = defaultdict(list)
    for schedule in inquiry.one_of_a_kind():
        if schedule.channel in suspicious:
            record = inquiry.coming.get(schedule.id)
            at = occupied_instant(schedule, record, inquiry.now)
            if at is not None:
                lines[schedule.channel].append(_declared_booking(schedule, record, at))
            if record is not None and schedule.id in held:
                lines[schedule.channel].append(_recorded_booking(schedule.id, record))
    for schedule_id, record in inquiry.undeclared.items():
        if record.channel_id in suspicious:
            booking = _recorded_booking(schedule_id, record)
            vanished = record.was_sent and not record.slot and not _is_unreadable(inquiry, record)
            lines[record.channel_id].append(msgspec.structs.replace(booking, vanished=vanished))
    for line in lines.values():
        line.sort(key=lambda booking: (booking.at, booking.id))
    return lines


def _is_unreadable(inquiry: Inquiry, record: Record) -> bool:
    """Whether the file that may still declare a record cannot be read: unreadable is not withdrawn."""
    if record.wave_id is not None:
        return inquiry.declared.fault_of("wave", record.wave_id) is not None
    return inquiry.declared.fault_of("channel", record.channel_id) is not None


def _recorded_booking(schedule_id: str, record: Record) -> _Booking:
    return _Booking(
        at=record.at,
        video=record.video_id,
        id=schedule_id,
        schedule=None,
        changeable=False,
        fresh=False,
        settled=record.was_sent,
    )


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
        fresh=not sent and (revived or record is None or record.video_id != schedule.video),
        settled=sent,
    )


class _Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Two publications on one channel that break a rule together."""

    code: Code
    first: _Booking
    second: _Booking
    words: str
    """The sentence, with `{it}` for the one at fault and `{other}` for the other."""
    hint: str

    @property
    def at_fault(self) -> _Booking:
        """The one that can be changed; of two, the later."""
        return max(
            (self.first, self.second),
            key=lambda b: (b.changeable, b.schedule is not None, not b.settled, b is self.second),
        )

    @property
    def other(self) -> _Booking:
        return self.first if self.at_fault is self.second else self.second


def neighbours(inquiry: Inquiry) -> None:
    """min-gap and repeat-video: what two publications on one channel must keep."""
    suspicious = _suspicious(inquiry)
    if not suspicious:
        return
    blocked = set(inquiry.expansion.blocked)
    while True:
        held = {name for name in blocked if _is_moved(inquiry, name)}
        clashes: list[_Clash] = []
        for line in _time_lines(inquiry, suspicious, held).values():
            clashes += _too_near(inquiry.declared.settings.conflicts.min_gap, line)
            clashes += _repeated(inquiry.declared.settings.conflicts.repeat_window, line)
        now_blocked = blocked | {b.id for c in clashes for b in (c.first, c.second) if b.changeable}
        if now_blocked == blocked:
            break
        blocked = now_blocked
    _report(inquiry, clashes)


def _is_moved(inquiry: Inquiry, schedule_id: str) -> bool:
    """Whether a live schedule is declared for another time than it is recorded for."""
    record, schedule = inquiry.coming.get(schedule_id), inquiry.expansion.schedules.get(schedule_id)
    return record is not None and schedule is not None and record.is_unsent_live and record.at != schedule.at


def _too_near(gap: int, line: list[_Booking]) -> Iterator[_Clash]:
    for before, after in pairwise(line):
        apart = after.at - before.at
        if apart >= gap or (before.settled and after.settled) or before.id == after.id:
            continue
        shown = "at the same time" if apart == 0 else f"{duration_text(apart)} apart"
        yield _Clash(
            code="min-gap",
            first=before,
            second=after,
            words="{it} and {other} are " + shown + " on one channel; the least is " + duration_text(gap),
            hint=f"move one of them: `min_gap` in scheduler.yaml asks for {duration_text(gap)}",
        )


def _repeated(window: int, line: list[_Booking]) -> Iterator[_Clash]:
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
        first = gone.get(booking.video)
        if before is not None and before.id != booking.id and booking.at - before.at < window:
            if not ((before.settled and booking.settled) or _repeats(before) or _repeats(booking)):
                yield _repeated_soon(window, before, booking)
        elif first is not None and first.id != booking.id and booking.fresh and not _repeats(booking):
            yield _repeated_after_all(first, booking)


def _repeats(booking: _Booking) -> bool:
    return booking.schedule is not None and booking.schedule.group.repeat


def _repeated_soon(window: int, before: _Booking, after: _Booking) -> _Clash:
    apart = duration_text(after.at - before.at) if after.at > before.at else "no time"
    return _Clash(
        code="repeat-video",
        first=before,
        second=after,
        words=f"the video {_braced(after)} is published twice on one channel, {apart} apart: "
        "{it} and {other}",
        hint=f"leave {duration_text(window)} between them (`repeat_window`), or write `repeat: true`",
    )


def _repeated_after_all(first: _Booking, again: _Booking) -> _Clash:
    return _Clash(
        code="repeat-video",
        first=first,
        second=again,
        words=f"the video {_braced(again)} was sent to this channel by a declaration that is gone: "
        "{it} and {other}",
        hint="if it was renamed, write `renamed_from:`; if it is to be published again, `repeat: true`",
    )


def _braced(booking: _Booking) -> str:
    """The video in quotes, for a text that is formatted later."""
    return repr(booking.video).replace("{", "{{").replace("}", "}}")


def _report(inquiry: Inquiry, clashes: Iterable[_Clash]) -> None:
    """Block what is new or moved in each pair, and tell each pair of places once."""
    told: dict[tuple[Code, _Source, _Source], list[_Clash]] = {}
    for clash in clashes:
        if clash.at_fault.schedule is None:
            continue  # the record alone knows both: nobody can edit that
        for booking in (clash.first, clash.second):
            if booking.changeable:
                inquiry.expansion.blocked.setdefault(booking.id, clash.code)
        told.setdefault((clash.code, _source(clash.at_fault), _source(clash.other)), []).append(clash)
    for (code, (file, _), _), pairs in told.items():
        inquiry.expansion.faults.tell(code, file, partial(_clash_told, inquiry, pairs))


_Source = tuple[str, Loc]
"""The file and the route that declare a publication; of one that is only recorded its id alone."""


def _source(booking: _Booking) -> _Source:
    return (booking.id, ()) if booking.schedule is None else (booking.schedule.file, booking.schedule.loc)


def _clash_told(inquiry: Inquiry, pairs: list[_Clash]) -> Diagnostic:
    """One error for all clashes between the same two places."""
    clash = pairs[0]
    assert clash.at_fault.schedule is not None, "those of the record alone are not told"
    message = clash.words.format(it=_booked(clash.at_fault), other=_booked(clash.other))
    if len(pairs) > 1:
        message += f" (and on {len(pairs) - 1} more channel{'s' if len(pairs) > 2 else ''})"
    where = member_place(inquiry.declared, clash.at_fault.schedule)
    ids = dict.fromkeys(booking.id for pair in pairs for booking in (pair.first, pair.second))
    return error(clash.code, where, message, clash.hint, [_related(inquiry, clash.other)], schedules=ids)


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


def time_route(declared: Declarations, schedule: Schedule) -> Loc:
    """The route to what gives a schedule its time: its own `at` or `shift`, or else its entry."""
    data: Any = declared.documents[schedule.file].data
    for step in schedule.loc:
        data = data[step]
    if isinstance(data, dict):
        for key in ("at", "shift"):
            if key in data:
                return (*schedule.loc, key)
    return schedule.loc[:2]


def time_place(declared: Declarations, schedule: Schedule) -> Location:
    """Where the time of a schedule is written: its own `at`, its entry's, or its place in a stagger."""
    route = time_route(declared, schedule)
    if len(route) > 2:
        return declared.place(schedule.file, route)
    if schedule.group.schedule_type == "simultaneous" or schedule.position == 0:
        return declared.place(schedule.file, (*route, "at"))
    return member_place(declared, schedule)


def video_place(declared: Declarations, schedule: Schedule) -> Location:
    """Where the video of a schedule is written."""
    route = schedule.loc if schedule.slot else schedule.loc[:2]
    return declared.place(schedule.file, (*route, "video"))


RULES: Mapping[str, Rule] = {
    "past": past,
    "too late": too_late,
    "frozen": frozen,
    "edited-after-dispatch": edited_after_dispatch,
    "min-gap and repeat-video": neighbours,
}
