"""The very first state: what lies in the past is cancelled, so that no run ever sends it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from scheduler import desired
from scheduler.checkout.source import Source
from scheduler.desired import calendar_expressions
from scheduler.desired.declarations import Declarations, declare
from scheduler.diagnostics import in_order
from scheduler.errors import ScheduleError
from scheduler.planning import expand
from scheduler.planning.plan import new_record
from scheduler.state.record import VERSION, Event, Record, State
from scheduler.times import Instant, instant_text, read_zone

FAR_BACK = 5 * 366 * 86_400
"""Seconds to look back for the slots that a lineup has used up already."""
NAMED = 5
"""Schedules that one line names."""
NEAR = 14 * 86_400
"""Seconds of the first look, which each further one doubles: calendars differ from minutely to yearly."""


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """The first state, and what to tell the operator of it."""

    state: State
    words: Sequence[str]


def begin(
    sources: Iterable[Source], *, lineage: str, now: Instant, lineup_from: Mapping[str, str]
) -> Beginning:
    """The first state of a repository. `lineup_from` names the next video of channels that are under way.

    Raises ScheduleError where a file cannot be read (what it declares in the past would be sent later), or
    where `lineup_from` names what is not declared.
    """
    declared, faults = declare(sources)
    if declared is None or declared.unreadable or declared.hidden:
        raise ScheduleError(
            "a state cannot begin while a file cannot be read: its past would be sent later",
            in_order(faults),
            hint="run `scheduler validate`, and put the files right first",
        )
    records = dict(_past(declared, now))
    words = (
        [f"{len(records)} schedules in the past are recorded as cancelled (before_init)"] if records else []
    )
    words += _already_due(declared, now)
    for channel_id, video in lineup_from.items():
        used = list(_used_up(declared, channel_id, video, now, records))
        records |= dict(used)
        words.append(f"{channel_id} goes on with {video!r}; {len(used)} videos before it are used up")
    return Beginning(
        state=State(version=VERSION, lineage=lineage, serial=1, schedules=records), words=tuple(words)
    )


def _past(declared: Declarations, now: Instant) -> Iterator[tuple[str, Record]]:
    for schedule in expand.expand(declared, {}).schedules.values():
        if schedule.at < now:
            yield schedule.id, _closed(new_record(schedule), now)


def _already_due(declared: Declarations, now: Instant) -> list[str]:
    """Those that a `lead` lets go out at once: somebody may have sent them before there was a record."""
    due = sorted(
        schedule.id
        for schedule in expand.expand(declared, {}).schedules.values()
        if not schedule.cancelled
        and (channel := declared.channels.get(schedule.channel)) is not None
        and schedule.at - channel.lead <= now <= schedule.at
    )
    if not due:
        return []
    more = f" and {len(due) - NAMED:,} more" if len(due) > NAMED else ""
    return [
        f"due already, and sent by the next run: {', '.join(due[:NAMED])}{more}; "
        "cancel what was sent before this record began"
    ]


def _closed(record: Record, now: Instant) -> Record:
    record.status = "cancelled"
    record.reason = "before_init"
    record.history = (Event(instant_text(now), "cancelled", "it lay in the past when the record began"),)
    return record


def _used_up(
    declared: Declarations, channel_id: str, video: str, now: Instant, taken: Mapping[str, Record]
) -> Iterator[tuple[str, Record]]:
    """One past slot for each video that the lineup has behind it."""
    channel = declared.channels.get(channel_id)
    videos = [] if channel is None else [entry.video for entry in channel.lineup]
    if channel is None or video not in videos:
        known = "it has no lineup" if channel is not None and not videos else ", ".join(videos)
        raise ScheduleError(
            f"--lineup-from {channel_id}={video}: "
            + (f"there is no channel {channel_id!r}" if channel is None else "the lineup has no such video"),
            hint=None if channel is None else known,
        )
    behind = videos[: videos.index(video)]
    free = (at for at in _back(channel, now) if f"{channel_id}/{instant_text(at)}" not in taken)
    for used, at in zip(reversed(behind), free, strict=False):
        record = Record(
            schedule_type="independent",
            channel_id=channel_id,
            video_id=used,
            scheduled_at=instant_text(at),
            status="pending",
            slot=True,
        )
        yield f"{channel_id}/{instant_text(at)}", _closed(record, now)


def _back(channel: desired.ChannelSpec, now: Instant) -> Iterator[Instant]:
    """Past slots, the latest first; where the calendar has too few, minutes before the first of them."""
    rules = [calendar_expressions.read_slot(text) for text in channel.slots]
    at = end = now
    span = NEAR
    while end > now - FAR_BACK:
        past, _ = calendar_expressions.instants(rules, read_zone(channel.timezone), end - span, end)
        yield from (at := instant for instant in reversed(past) if instant < now)
        end -= span
        span *= 2
    while True:
        at -= 60
        yield at
