"""Move and shift: new times for one place, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.editing.yaml.places import (
    GroupPlace,
    MemberPlace,
    Place,
    SinglePlace,
    WavePlace,
    change_members,
    drop_members,
    entry_at,
    member_at,
    members_meant,
    names_of,
    single_at,
    turn_off_member,
)
from scheduler.editing.yaml.spans import Loc
from scheduler.editing.yaml.splice import Draft
from scheduler.editing.yaml.times import (
    CHANNEL_ZONE,
    instant_at,
    is_wall,
    later,
    moved,
    seconds_of,
    time_at,
    zone_at,
)
from scheduler.errors import ScheduleError
from scheduler.times import duration_text, instant_text


def move(text: str, place: Place, time: str, *, file: str = "the file") -> str:
    """Give a place another time, written in the form of the old one.

    `time` may be local where the place in the file has a zone. A group's time is its entry's `at`
    (members with a time of their own keep it), a member gets an `at` of its own, and a wave moves as
    a whole so that its earliest entry is at `time`.
    """
    draft = Draft(text, file)
    if isinstance(place, WavePlace):
        _shift_wave(draft, _distance(draft, time))
    elif isinstance(place, GroupPlace):
        entry = entry_at(draft, place.group)
        draft.set((*entry, "at"), moved(draft, (*entry, "at"), time))
    elif isinstance(place, MemberPlace):
        _move_member(draft, place, time)
    elif isinstance(place, SinglePlace):
        loc = _one_off_time(draft, place)
        draft.set(loc, moved(draft, loc, time))
    else:
        raise _no_own_time(file)
    return draft.finish()


def shift(text: str, place: Place, seconds: int, *, file: str = "the file") -> str:
    """Move a place, and everything after it in its group, by a number of seconds (negative: earlier).

    In a stagger a member gets a `shift`, and the first member moves the whole entry; later members with a
    time of their own move too. In a simultaneous entry nothing follows a member.
    """
    draft = Draft(text, file)
    if isinstance(place, WavePlace):
        _shift_wave(draft, seconds)
    elif isinstance(place, GroupPlace):
        _shift_entry(draft, entry_at(draft, place.group), seconds)
    elif isinstance(place, MemberPlace):
        _shift_member(draft, place, seconds)
    elif isinstance(place, SinglePlace):
        _shift_time(draft, _one_off_time(draft, place), seconds)
    else:
        raise _no_own_time(file)
    return draft.finish()


def _one_off_time(draft: Draft, place: SinglePlace) -> Loc:
    index = single_at(draft, place)
    if index is None:
        raise ScheduleError(
            f"{instant_text(place.at)} is a slot; its time comes from the channel's `slots`",
            hint="cancel it, and create a one-off at the new time",
        )
    return ("schedules", index, "at")


def _no_own_time(file: str) -> ScheduleError:
    return ScheduleError(
        f"a channel has no time of its own, so {file} cannot be moved",
        hint="move its schedules, or edit its `slots`",
    )


def _shift_time(draft: Draft, loc: Loc, seconds: int) -> None:
    draft.set(loc, later(draft, loc, time_at(draft, loc), seconds))


def _distance(draft: Draft, time: str) -> int:
    """Seconds from a wave's earliest entry to a time.

    Entries at one wall-clock time in many zones have no single instant: where the wave has others, those
    alone count; where it has none, the wall-clock times are compared with each other, as if in UTC.
    """
    entries = draft.routes(("schedules",))
    written = [(time_at(draft, (*loc, "at")), zone_at(draft, loc)) for loc in entries]
    if not written:
        raise ScheduleError(f"{draft.file} has no schedules to move")
    fixed = [(instant_at(old, zone), zone) for old, zone in written if not is_wall(old, zone)]
    if not fixed:
        return instant_at(time, "UTC") - min(instant_at(old, "UTC") for old, _ in written)
    first, zone = min(fixed, key=lambda pair: pair[0])
    return instant_at(time, None if zone == CHANNEL_ZONE else zone) - first


def _shift_wave(draft: Draft, seconds: int) -> None:
    for entry in draft.routes(("schedules",)):
        _shift_entry(draft, entry, seconds)


def _shift_entry(draft: Draft, entry: Loc, seconds: int) -> None:
    _shift_time(draft, (*entry, "at"), seconds)
    for key in ("channels", "members"):
        for loc in draft.routes((*entry, key)):
            if draft.node((*loc, "at")) is not None:
                _shift_time(draft, (*loc, "at"), seconds)


def _own(draft: Draft, entry: Loc, name: str, key: str) -> Loc | None:
    """The route of a key that a member sets for itself; None where it does not."""
    loc = member_at(draft, entry, name)
    return None if loc is None or draft.node((*loc, key)) is None else (*loc, key)


def _in_order(draft: Draft, entry: Loc, place: MemberPlace) -> list[str]:
    """The members of a stagger, from the given one to the last."""
    names = names_of(draft, entry) or list(place.members)
    if place.channel not in names:
        raise ScheduleError(f"the order of the channels in group {place.group} is unknown")
    return names[names.index(place.channel) :]


def _shift_member(draft: Draft, place: MemberPlace, seconds: int) -> None:
    entry, _ = members_meant(draft, place)
    if draft.get((*entry, "type")) != "staggered":
        written = _own(draft, entry, place.channel, "at") or (*entry, "at")
        new = later(draft, written, time_at(draft, written), seconds)
        change_members(draft, entry, {place.channel: ("at", new)})
        return
    names = _in_order(draft, entry, place)
    everyone = names_of(draft, entry) or list(place.members)
    if names == everyone:
        _shift_entry(draft, entry, seconds)
        return
    own_times = {name: loc for name in names if (loc := _own(draft, entry, name, "at")) is not None}
    for loc in own_times.values():
        _shift_time(draft, loc, seconds)
    _add_shift(draft, entry, [name for name in names if name not in own_times], seconds)


def _add_shift(draft: Draft, entry: Loc, names: Iterable[str], seconds: int) -> None:
    """Shift the first of these members, and so all after it; nothing to do where there is none."""
    name = next(iter(names), None)
    if name is None:
        return
    loc = _own(draft, entry, name, "shift")
    total = seconds + (seconds_of(time_at(draft, loc)) if loc is not None else 0)
    if total or loc is None:
        change_members(draft, entry, {name: ("shift", duration_text(total))})
    elif not turn_off_member(draft, loc[:-1], "shift", off="0s"):
        drop_members(draft, entry, [loc[:-1]])


def _move_member(draft: Draft, place: MemberPlace, time: str) -> None:
    """Give a member a time of its own; its `shift` passes to the next one, so that the others do not move."""
    entry, _ = members_meant(draft, place)
    own = _own(draft, entry, place.channel, "at")
    if own is not None:
        draft.set(own, moved(draft, own, time))
        return
    loc = (*(member_at(draft, entry, place.channel) or entry), "at")
    new = moved(draft, loc, time, like=time_at(draft, (*entry, "at")))
    shifted = _own(draft, entry, place.channel, "shift")
    if shifted is None:
        change_members(draft, entry, {place.channel: ("at", new)})
        return
    draft.replace(shifted, "at", new)
    after = _in_order(draft, entry, place)[1:]
    _add_shift(
        draft,
        entry,
        (name for name in after if _own(draft, entry, name, "at") is None),
        seconds_of(time_at(draft, shifted)),
    )
