"""Pause, resume and cancel."""

from __future__ import annotations

from scheduler.editing.yaml.places import (
    ChannelPlace,
    Place,
    SinglePlace,
    WavePlace,
    add_single,
    change_members,
    drop_members,
    member_at,
    members_meant,
    single_at,
    turn_off_member,
)
from scheduler.editing.yaml.spans import Loc
from scheduler.editing.yaml.splice import Draft
from scheduler.editing.yaml.style import Value
from scheduler.editing.yaml.toggle import is_bare, is_on, turn_off, turn_on
from scheduler.errors import ScheduleError
from scheduler.times import instant_text

_LISTS = ("schedules", "slots", "lineup")
"""The long lists of a file: keys about the whole file go above them."""


def pause(
    text: str, place: Place, *, reason: str | None = None, until: str | None = None, file: str = "the file"
) -> str:
    """Pause a place. `until` is written as it is given.

    What is already paused keeps its reason and its end unless new ones are given.
    """
    details = {key: value for key, value in (("reason", reason), ("until", until)) if value is not None}
    draft = Draft(text, file)
    _switch_on(draft, place, "paused", details or True)
    return draft.finish()


def cancel(text: str, place: Place, *, file: str = "the file") -> str:
    """Cancel a wave, a group, a member, a one-off or a slot."""
    if isinstance(place, ChannelPlace):
        raise ScheduleError(
            f"a channel cannot be cancelled, so {file} was not changed",
            hint="pause it, set `active: false`, or cancel its schedules",
        )
    draft = Draft(text, file)
    _switch_on(draft, place, "cancelled", True)
    return draft.finish()


def resume(text: str, place: Place, *, file: str = "the file") -> str:
    """Remove the place's own pause. What is not paused stays as it is."""
    draft = Draft(text, file)
    if isinstance(place, WavePlace | ChannelPlace):
        turn_off(draft, (), "paused", before=_LISTS)
    elif isinstance(place, SinglePlace):
        _resume_single(draft, place)
    else:
        entry, names = members_meant(draft, place)
        places = [loc for name in names if (loc := member_at(draft, entry, name)) is not None]
        drop_members(draft, entry, [loc for loc in places if not turn_off_member(draft, loc, "paused")])
    return draft.finish()


def _switch_on(draft: Draft, place: Place, key: str, value: Value) -> None:
    if isinstance(place, WavePlace | ChannelPlace):
        turn_on(draft, (), key, value, before=_LISTS)
    elif isinstance(place, SinglePlace):
        index = single_at(draft, place)
        if index is None:
            add_single(draft, {"at": instant_text(place.at), key: value})
        else:
            turn_on(draft, ("schedules", index), key, value, bare="at" if place.slot else None)
    else:
        entry, names = members_meant(draft, place)
        change_members(draft, entry, dict.fromkeys(names, (key, value)))


def _resume_single(draft: Draft, place: SinglePlace) -> None:
    """Remove a one-off that was written only to pause a slot; of any other, remove just the pause."""
    index = single_at(draft, place)
    if index is None:
        return
    base: Loc = ("schedules", index)
    if not (place.slot and is_on(draft.node((*base, "paused"))) and is_bare(draft, (*base, "paused"), "at")):
        turn_off(draft, base, "paused")
        return
    one_offs = draft.node(("schedules",))
    assert one_offs is not None
    if len(one_offs.items) > 1:
        draft.remove_items(("schedules",), [index])
    elif one_offs.flow:
        draft.empty(("schedules",))
    elif draft.looks_inserted_block(("schedules",)):
        draft.remove(("schedules",))
    else:
        draft.set(("schedules",), [])
