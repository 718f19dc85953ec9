"""Assign and create: what a file does not declare yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.editing.yaml.places import SinglePlace, add_single, single_at
from scheduler.editing.yaml.splice import Draft
from scheduler.times import instant_text


def assign(text: str, place: SinglePlace, video: str, *, file: str = "the file") -> str:
    """Give an open slot or a one-off its video."""
    draft = Draft(text, file)
    index = single_at(draft, place)
    if index is None:
        add_single(draft, {"video": video, "at": instant_text(place.at)})
    elif draft.node(("schedules", index, "video")) is None:
        draft.insert(("schedules", index), "video", video)
    else:
        draft.set(("schedules", index, "video"), video)
    return draft.finish()


def create_entry(text: str, entry: Mapping[str, Any], *, file: str = "the file") -> str:
    """Add an entry to a wave, in the file's style and in the order of the entry's keys; "" is a new wave."""
    return _create(text, entry, file, block=True)


def create_one_off(text: str, one_off: Mapping[str, Any], *, file: str = "the file") -> str:
    """Add a one-off publication to a channel."""
    return _create(text, one_off, file, block=False)


def _create(text: str, item: Mapping[str, Any], file: str, *, block: bool) -> str:
    draft = Draft(text, file)
    there = draft.node(("schedules",))
    if there is None:
        draft.insert_block((), "schedules", [item], block=block)
    else:
        draft.append(("schedules",), item, below=True, block=None if there.items else block)
    return draft.finish()
