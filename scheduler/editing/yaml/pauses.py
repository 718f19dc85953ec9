"""Pause, resume and cancel."""

from __future__ import annotations

from scheduler.editing.yaml.places import (
    ChannelPlace,
    SinglePlace,
    Target,
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
"""What fills a file: keys about the whole file go before it."""


def pause(
    text: str, target: Target, *, reason: str | None = None, until: str | None = None, file: str = "the file"
) -> str:
    """Hold a target back. `until` is a time as it is to be written.

    What is paused already keeps its reason and its end where no new ones are given.
    """
    told = {key: value for key, value in (("reason", reason), ("until", until)) if value is not None}
    draft = Draft(text, file)
    _switch_on(draft, target, "paused", told or True)
    return draft.finish()


def cancel(text: str, target: Target, *, file: str = "the file") -> str:
    """Cancel a wave, a group, a member, a one-off or a slot."""
    if isinstance(target, ChannelPlace):
        raise ScheduleError(
            f"a channel cannot be cancelled ({file})",
            hint="pause it, set `active: false`, or cancel its schedules",
        )
    draft = Draft(text, file)
    _switch_on(draft, target, "cancelled", True)
    return draft.finish()


def resume(text: str, target: Target, *, file: str = "the file") -> str:
    """Take the target's own pause back. What is not paused stays as it is."""
    draft = Draft(text, file)
    if isinstance(target, WavePlace | ChannelPlace):
        turn_off(draft, (), "paused", before=_LISTS)
    elif isinstance(target, SinglePlace):
        _resume_single(draft, target)
    else:
        entry, names = members_meant(draft, target)
        places = [loc for name in names if (loc := member_at(draft, entry, name)) is not None]
        drop_members(draft, entry, [loc for loc in places if not turn_off_member(draft, loc, "paused")])
    return draft.finish()


def _switch_on(draft: Draft, target: Target, key: str, value: Value) -> None:
    if isinstance(target, WavePlace | ChannelPlace):
        turn_on(draft, (), key, value, before=_LISTS)
    elif isinstance(target, SinglePlace):
        index = single_at(draft, target)
        if index is None:
            add_single(draft, {"at": instant_text(target.at), key: value})
        else:
            turn_on(draft, ("schedules", index), key, value, bare="at" if target.slot else None)
    else:
        entry, names = members_meant(draft, target)
        change_members(draft, entry, dict.fromkeys(names, (key, value)))


def _resume_single(draft: Draft, target: SinglePlace) -> None:
    """A one-off that was written only to pause a slot goes; another one loses its pause."""
    index = single_at(draft, target)
    if index is None:
        return
    base: Loc = ("schedules", index)
    if not (target.slot and is_on(draft.node((*base, "paused"))) and is_bare(draft, (*base, "paused"), "at")):
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
