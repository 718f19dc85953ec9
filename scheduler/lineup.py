"""A channel's own schedule: its slots, filled in order by the videos of its lineup.

A slot becomes a schedule only while its instant is ahead and a video is left for it. One that is
recorded and was not sent follows the lineup. Each slot that was sent uses up one occurrence of its
video; whatever else happened to it, its video returns to the head.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from scheduler import slots, spec
from scheduler.declarations import Declarations
from scheduler.diagnostics import Diagnostic, warning
from scheduler.schedules import Expansion, Group, Schedule, occupied_instant
from scheduler.state import Record
from scheduler.times import Instant, instant_text, read_zone


class OpenSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot ahead for which no video is left."""

    id: str
    channel: str
    at: Instant


class Calendar(msgspec.Struct, kw_only=True):
    """What filling the slots of all channels came to."""

    open_slots: list[OpenSlot]
    next_slot: Instant | None
    """When the next slot comes within the horizon, so that a later run has something new to record."""


class _Channel(msgspec.Struct, kw_only=True):
    """One channel's side of the work."""

    id: str
    declared: spec.ChannelSpec
    file: str
    rules: Sequence[slots.SlotRule]
    records: Mapping[str, Record]
    """Recorded slots of this channel by id."""
    taken: list[Instant]
    """Publish times of everything else on the channel, sorted."""
    freezes: Sequence[spec.Freeze]


def fill(
    declared: Declarations,
    records: Mapping[str, Record],
    expansion: Expansion,
    now: Instant,
    missed: Callable[[str, Record], bool],
    counts: Callable[[str, Record], bool],
) -> Calendar:
    """Add the filled slots of every channel to the expansion, and tell which stay open.

    `missed` says whether an unsent record is too late to be sent; `counts` whether a record that is
    not declared still occupies its instant (it was sent, or is kept).
    """
    calendar = Calendar(open_slots=[], next_slot=None)
    with_slots = [name for name, channel in sorted(declared.channels.items()) if channel.slots]
    own, elsewhere = _by_channel(records, expansion, counts, set(with_slots), now)
    for name in with_slots:
        channel = _Channel(
            id=name,
            declared=declared.channels[name],
            file=declared.files["channel", name],
            rules=[slots.read_slot(text) for text in declared.channels[name].slots],
            records=own.get(name, {}),
            taken=sorted(elsewhere.get(name, ())),
            freezes=[
                freeze
                for freeze in declared.settings.freezes
                if freeze.channels is None or name in freeze.channels
            ],
        )
        _fill_one(declared, channel, expansion, now, missed, calendar)
    return calendar


def _by_channel(
    records: Mapping[str, Record],
    expansion: Expansion,
    counts: Callable[[str, Record], bool],
    names: set[str],
    now: Instant,
) -> tuple[dict[str, dict[str, Record]], dict[str, list[Instant]]]:
    """Recorded slots, and the instants that are taken by anything else, for the channels in `names`."""
    own: dict[str, dict[str, Record]] = defaultdict(dict)
    elsewhere: dict[str, list[Instant]] = defaultdict(list)
    if not names:
        return own, elsewhere
    for schedule_id, record in records.items():
        if record.channel_id not in names:
            continue
        if record.slot:
            own[record.channel_id][schedule_id] = record
            if record.was_sent:
                elsewhere[record.channel_id].append(record.at)
        elif schedule_id not in expansion.schedules and counts(schedule_id, record):
            elsewhere[record.channel_id].append(record.at)
    for schedule in expansion.schedules.values():
        if schedule.channel in names and not schedule.cancelled:
            at = occupied_instant(schedule, records.get(schedule.id), now)
            if at is not None:
                elsewhere[schedule.channel].append(at)
    return own, elsewhere


def _fill_one(
    declared: Declarations,
    channel: _Channel,
    expansion: Expansion,
    now: Instant,
    missed: Callable[[str, Record], bool],
    calendar: Calendar,
) -> None:
    settings = declared.settings
    zone = read_zone(channel.declared.timezone)
    ahead, skipped = slots.instants(channel.rules, zone, now, now + settings.horizon)
    expansion.faults += [_skipped(declared, channel, gone) for gone in skipped]
    later, _ = slots.instants(channel.rules, zone, now + settings.horizon, now + 2 * settings.horizon)
    entering = (later[0] - settings.horizon) if later else now + settings.horizon
    calendar.next_slot = min(filter(None, (calendar.next_slot, entering)))

    kept = {
        record.at: schedule_id
        for schedule_id, record in channel.records.items()
        if record.is_unsent_live
        and not missed(schedule_id, record)
        and slots.is_instant(channel.rules, zone, record.at)
    }
    done = {record.at for record in channel.records.values() if record.was_sent or record.status == "failed"}
    candidates = sorted({*kept, *ahead} - done)
    left = _Lineup(channel)
    if not channel.declared.active:
        candidates = sorted(kept)
    last: Instant | None = None
    for at in candidates:
        schedule_id = f"{channel.id}/{instant_text(at)}"
        record = channel.records.get(schedule_id)
        if schedule_id in expansion.schedules:
            continue  # a one-off replaces the slot, even a cancelled one
        if _is_taken(channel, at, last, settings.min_gap) or _is_frozen(channel, at):
            continue
        entry = left.keep(record) if record is not None and record.retried_at else left.take(at)
        if entry is None:
            if at > now and channel.declared.active:
                calendar.open_slots.append(OpenSlot(id=schedule_id, channel=channel.id, at=at))
            continue
        last = at
        expansion.schedules[schedule_id] = _slot(channel, schedule_id, at, *entry)
        if not channel.declared.active:
            expansion.blocked.setdefault(schedule_id, "inactive-channel")


class _Lineup:
    """The lineup entries that are not used up, in their order, and where each stands in the file."""

    def __init__(self, channel: _Channel) -> None:
        used = Counter(
            record.video_id
            for record in channel.records.values()
            if record.was_sent or record.reason == "before_init"
        )
        self.left: list[tuple[int, spec.LineupEntry]] = []
        for index, entry in enumerate(channel.declared.lineup):
            if used[entry.video] > 0:
                used[entry.video] -= 1
            else:
                self.left.append((index, entry))
        for record in channel.records.values():
            if record.is_unsent_live and record.retried_at:  # `retry` took its video back
                self._remove(record.video_id)

    def _remove(self, video: str | None) -> None:
        for place, (_, entry) in enumerate(self.left):
            if entry.video == video:
                del self.left[place]
                return

    def take(self, at: Instant) -> tuple[int | None, str | None, bool] | None:
        """The first entry that may be published at `at`; one that may not yet keeps its place."""
        for place, (index, entry) in enumerate(self.left):
            if entry.not_before is None or entry.not_before <= at:
                del self.left[place]
                return index, entry.video, entry.repeat
        return None

    def keep(self, record: Record) -> tuple[int | None, str | None, bool]:
        """A slot that was retried keeps the video that it failed with."""
        return None, record.video_id, True


def _is_taken(channel: _Channel, at: Instant, last: Instant | None, min_gap: int) -> bool:
    """Whether something else is published on the channel less than `min_gap` away."""
    if last is not None and at - last < min_gap:
        return True
    place = bisect_left(channel.taken, at)
    near = channel.taken[max(place - 1, 0) : place + 1]
    return any(abs(at - other) < min_gap for other in near)


def _is_frozen(channel: _Channel, at: Instant) -> bool:
    return any(freeze.from_ <= at < freeze.until for freeze in channel.freezes)


def _slot(
    channel: _Channel, schedule_id: str, at: Instant, index: int | None, video: str | None, repeat: bool
) -> Schedule:
    return Schedule(
        id=schedule_id,
        group=Group(id=None, wave=None, schedule_type="independent", repeat=repeat),
        channel=channel.id,
        video=video,
        at=at,
        file=channel.file,
        loc=("slots",) if index is None else ("lineup", index),
        slot=True,
    )


def _skipped(declared: Declarations, channel: _Channel, gone: slots.Skipped) -> Diagnostic:
    index = channel.declared.slots.index(gone.rule) if gone.rule in channel.declared.slots else 0
    return warning(
        "skipped-slot",
        declared.place(channel.file, ("slots", index)),
        f"the slot {gone.wall} does not exist in {channel.declared.timezone}: "
        "a clock change skips it, and its video moves on to the next",
        "add a one-off under `schedules:` if something must be published on that day",
    )
