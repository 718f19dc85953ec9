"""What an edit is about, and where a file declares it: whole files, entries and their members, one-offs.

A member is changed where it is written: in the `channels` of its entry, or in its `members`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scheduler.editing.yaml.spans import Loc, Node
from scheduler.editing.yaml.splice import Draft
from scheduler.editing.yaml.style import Value
from scheduler.editing.yaml.times import instant_at, zone_at
from scheduler.editing.yaml.toggle import is_bare, is_on, turn_off, turn_on
from scheduler.errors import ScheduleError
from scheduler.times import Instant, instant_text
from scheduler.wording import and_more, did_you_mean, quoted


class WavePlace(msgspec.Struct, frozen=True):
    """A whole wave file."""


class ChannelPlace(msgspec.Struct, frozen=True):
    """A whole channel file."""


class GroupPlace(msgspec.Struct, frozen=True):
    """An entry of a wave, with all its members."""

    group: str
    members: tuple[str, ...] = ()
    """The channels' ids, in order; needed where the entry chooses its channels by tags."""


class MemberPlace(msgspec.Struct, frozen=True):
    """One channel of an entry."""

    group: str
    channel: str
    members: tuple[str, ...] = ()
    """As in `GroupPlace`; needed to shift a member of a stagger whose channels are chosen by tags."""


class SinglePlace(msgspec.Struct, frozen=True):
    """A publication of a channel at an instant: a one-off, or a slot that no one-off has taken yet."""

    at: Instant
    slot: bool = False
    """Whether one of the channel's slots falls on that instant."""


Place = WavePlace | ChannelPlace | GroupPlace | MemberPlace | SinglePlace


# --- entries of a wave and their members ----------------------------------------------------------


def entry_at(draft: Draft, group: str) -> Loc:
    """The route of a wave's entry, by its name: the `group`, or else the video's id."""
    names: list[str] = []
    for loc in draft.routes(("schedules",)):
        names.append(draft.get((*loc, "group")) or draft.get((*loc, "video")) or "")
        if names[-1] == group:
            return loc
    hint = did_you_mean(group, names) or (f"it has {and_more(names, 10)}" if names else None)
    raise ScheduleError(f"{draft.file} has no group {quoted(group)}", hint=hint)


def names_of(draft: Draft, entry: Loc) -> list[str] | None:
    """The ids of the channels that an entry lists; None where it chooses them by tags."""
    channels = draft.node((*entry, "channels"))
    if channels is None or channels.kind != "sequence":
        return None
    return [_id(item) for item in channels.items]


def _id(item: Node) -> str:
    named = item.child("id") if item.kind == "mapping" else item
    return named.text if named is not None else ""


def members_meant(draft: Draft, place: GroupPlace | MemberPlace) -> tuple[Loc, list[str]]:
    """The route of an entry, and the channels that are meant, in order: all of its own, or one."""
    entry = entry_at(draft, place.group)
    names = names_of(draft, entry)
    listed = list(place.members) if names is None else names
    if isinstance(place, GroupPlace):
        if not listed:
            raise ScheduleError(
                f"no channel has the tags of group {place.group}, so there is nothing to edit"
            )
        return entry, listed
    if names is not None and place.channel not in names:
        raise ScheduleError(
            f"group {place.group} in {draft.file} has no channel {quoted(place.channel)}",
            hint=did_you_mean(place.channel, names) or f"it has {and_more(names, 10)}",
        )
    return entry, [place.channel]


def member_at(draft: Draft, entry: Loc, name: str) -> Loc | None:
    """Where a member is written: in `members`, or else in `channels`; None where it is in neither."""
    for key in ("members", "channels"):
        node = draft.node((*entry, key))
        if node is not None and node.kind == "sequence":
            for index, item in enumerate(node.items):
                if _id(item) == name:
                    return (*entry, key, index)
    return None


def change_members(draft: Draft, entry: Loc, changes: Mapping[str, tuple[str, Value]]) -> None:
    """Set one key of each of these members; those that the file does not name yet are added to `members`."""
    new: list[dict[str, Value]] = []
    for name, (key, value) in changes.items():
        loc = member_at(draft, entry, name)
        node = None if loc is None else draft.node(loc)
        if loc is None or node is None:
            new.append({"id": name, key: value})
        elif node.kind == "scalar":
            draft.wrap(loc, "id", {key: value})
        elif key in ("paused", "cancelled"):
            turn_on(draft, loc, key, value, bare="id")
        elif draft.node((*loc, key)) is None:
            draft.insert(loc, key, value, apart=len(node.pairs) == 1)
        else:
            draft.set((*loc, key), value)
    members: Loc = (*entry, "members")
    if new and draft.node(members) is None:
        draft.insert(entry, "members", new)
    else:
        for value in new:
            draft.append(members, value, block=False, spaced=value is new[0])


def turn_off_member(draft: Draft, loc: Loc, key: str, off: Value = False) -> bool:
    """Remove a key of a member. False where that key is all that `members` says of it: drop the member."""
    if draft.node((*loc, key)) is None:
        return True
    if loc[-2] == "members" and is_on(draft.node((*loc, key))) and is_bare(draft, (*loc, key), "id"):
        return False
    turn_off(draft, loc, key, off=off)
    return True


def drop_members(draft: Draft, entry: Loc, doomed: list[Loc]) -> None:
    """Remove items from `members`; with the last one goes the key, where an edit had added it."""
    loc: Loc = (*entry, "members")
    node = draft.node(loc)
    if node is None or not doomed:
        return
    if len(doomed) < len(node.items):
        draft.remove_items(loc, [int(place[-1]) for place in doomed])
    elif draft.looks_inserted_block(loc) or (
        node.flow and draft.looks_inserted(loc) and node.items[0].start == node.start + 1
    ):
        draft.remove(loc)
    elif not node.flow:
        draft.set(loc, [])
    else:
        draft.empty(loc)


# --- one-offs and slots of a channel --------------------------------------------------------------


def single_at(draft: Draft, place: SinglePlace) -> int | None:
    """The index of the channel's one-off at the instant; None for a slot without one."""
    for index, loc in enumerate(draft.routes(("schedules",))):
        written = draft.get((*loc, "at"))
        if written is not None and instant_at(written, zone_at(draft, loc)) == place.at:
            return index
    if place.slot:
        return None
    raise ScheduleError(
        f"{draft.file} has no publication at {instant_text(place.at)}",
        hint="run `scheduler list` to see the channel's one-offs and slots",
    )


def add_single(draft: Draft, one_off: Mapping[str, Value]) -> None:
    """Write a one-off on one line, so that it can be removed again without a trace."""
    if draft.node(("schedules",)) is None:
        draft.insert_block((), "schedules", [one_off], block=False)
    else:
        draft.append(("schedules",), one_off, block=False)
