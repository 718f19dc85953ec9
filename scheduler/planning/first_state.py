"""The very first state: what is in the past is recorded as cancelled, so that no run sends it. Pure."""

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
from scheduler.planning.local_times import wall_text
from scheduler.planning.plan import new_record
from scheduler.state.header import VERSION
from scheduler.state.record import Event, Record, State
from scheduler.times import Instant, instant_text, read_zone, zone_release
from scheduler.wording import and_more, count, did_you_mean

FAR_BACK = 5 * 366 * 86_400
"""Seconds to look back for the slots that a lineup has already used up."""
NAMED = 5
"""How many publications one line names."""
NEAR = 14 * 86_400
"""Seconds of the first span searched; each further one is twice as long, as slots are minutely to yearly."""


class FirstState(msgspec.Struct, frozen=True, kw_only=True):
    """The first state, and what the operator should know about it."""

    state: State
    notes: Sequence[str]


def begin(
    sources: Iterable[Source], *, lineage: str, now: Instant, lineup_from: Mapping[str, str]
) -> FirstState:
    """The first state of a repository. `lineup_from` maps a channel to the video its lineup continues with.

    Raises ScheduleError if a file cannot be read (what it declares in the past would be sent later), or if
    `lineup_from` names a channel or a video that is not declared.
    """
    declared, faults = declare(sources)
    if declared is None or declared.unreadable or declared.hidden:
        raise ScheduleError(
            "no state can be created while a file cannot be read: its past would be sent later",
            in_order(faults),
            hint="run `scheduler validate` and fix the files first",
        )
    records = dict(_past(declared, now))
    notes = []
    if records:
        notes.append(f"{count(len(records), 'past publication')} recorded as cancelled (before_init)")
    notes += _already_due(declared, now)
    for channel_id, video in lineup_from.items():
        used = list(_used_up(declared, channel_id, video, now, records))
        records |= dict(used)
        notes.append(f"{channel_id} continues with {video!r}; {count(len(used), 'earlier video')} used up")
    state = State(version=VERSION, lineage=lineage, serial=1, schedules=records, zone_release=zone_release())
    return FirstState(state=state, notes=tuple(notes))


def _past(declared: Declarations, now: Instant) -> Iterator[tuple[str, Record]]:
    for schedule in expand.expand(declared, {}).schedules.values():
        if schedule.at < now:
            yield schedule.id, _closed(new_record(schedule), now)


def _already_due(declared: Declarations, now: Instant) -> list[str]:
    """What the next run sends at once because of a `lead`: it may have been sent before there was a state."""
    due = sorted(
        schedule.id
        for schedule in expand.expand(declared, {}).schedules.values()
        if not schedule.cancelled
        and (channel := declared.channels.get(schedule.channel)) is not None
        and schedule.at - channel.lead <= now <= schedule.at
    )
    if not due:
        return []
    return [
        f"already due, and sent by the next run: {and_more(due, NAMED)}; cancel what has been sent already"
    ]


def _closed(record: Record, now: Instant) -> Record:
    record.status = "cancelled"
    record.reason = "before_init"
    record.history = (Event(instant_text(now), "cancelled", "it was in the past when the state was created"),)
    return record


def _used_up(
    declared: Declarations, channel_id: str, video: str, now: Instant, taken: Mapping[str, Record]
) -> Iterator[tuple[str, Record]]:
    """A past slot for each video of the lineup before `video`."""
    channel = declared.channels.get(channel_id)
    videos = [] if channel is None else [entry.video for entry in channel.lineup]
    if channel is None or video not in videos:
        if channel is None:
            problem, hint = f"there is no channel {channel_id!r}", did_you_mean(channel_id, declared.channels)
        elif not videos:
            problem, hint = f"the channel {channel_id} has no lineup", None
        else:
            problem = f"the lineup of {channel_id} has no video {video!r}"
            hint = f"its videos: {', '.join(videos)}"
        raise ScheduleError(f"--lineup-from {channel_id}={video}: {problem}", hint=hint)
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
            local_time=wall_text(at, channel.timezone),
            timezone=channel.timezone,
        )
        yield f"{channel_id}/{instant_text(at)}", _closed(record, now)


def _back(channel: desired.ChannelSpec, now: Instant) -> Iterator[Instant]:
    """Past slots, latest first; if the calendar has too few, the minutes before the first of them."""
    rules = calendar_expressions.read_slots(channel.slots)
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
