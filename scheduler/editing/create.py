"""Assign and create: what the files do not say yet. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.editing.proposal import Proposal, propose
from scheduler.editing.targets import resolve
from scheduler.errors import ScheduleError
from scheduler.times import TimeError, instant_text, read_time, read_zone

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST = 64


def assign(view: View, schedule_id: str, video: str) -> Proposal:
    """Give an open slot or a one-off its video."""
    target = resolve(view, schedule_id)
    if not isinstance(target.place, edits.SinglePlace):
        raise ScheduleError(
            f"{schedule_id} is no slot or one-off of a channel, so no video can be assigned to it",
            hint="the members of a wave share the `video:` of their entry; edit it there",
        )
    after = edits.assign(view.text(target.file) or "", target.place, video, file=target.file)
    return propose(
        view, "assign", target.name, kind="channel", file=target.file, after=after,
        about=lambda _: [target.id],
    )  # fmt: skip


# --- groups -----------------------------------------------------------------------------------------


def create_group(
    view: View,
    kind: Literal["simultaneous", "staggered"],
    *,
    video: str,
    channels: Sequence[str] | Mapping[str, Any],
    at: str,
    wave: str | None = None,
    group: str | None = None,
    title: str | None = None,
    delay: str | None = None,
    timezone: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Proposal:
    """Add an entry to a wave, or begin a new one.

    `channels` are ids, or `{"tags": [...]}`. `at` is a time with an offset, or a local one beside a
    `timezone`. Without `wave` the wave is `<video>-<UTC time>`. `title` is that of a new wave; one that is
    there keeps its own, which `title_left_out` tells. Whole or not at all: raises ScheduleError where any
    member breaks a rule.
    """
    starts = _instant(at, timezone, "name its zone: --timezone Europe/Berlin")
    wave_id = _wave_id(video, starts) if wave is None else wave
    if not _ID.fullmatch(wave_id):
        raise ScheduleError(
            f"{wave_id!r} cannot be the id of a wave",
            hint="an id is 1 to 64 letters, digits, `.`, `_`, `-`, and begins with a letter or a digit",
        )
    if not channels:
        raise ScheduleError("a group needs at least one channel", hint="name the channels to publish on")
    declared = view.declared
    file = declared.files.get(("wave", wave_id)) or _new_file(view, wave_id, at)
    name = _group_name(view, wave_id, video) if group is None else group
    if ("wave", wave_id) in declared.files:
        target = resolve(view, f"wave:{wave_id}")  # refuses a file that cannot be read
        taken = {entry.group for entry in declared.waves[wave_id].schedules}
        if name in taken:
            raise ScheduleError(
                f"the wave {wave_id} has a group {name!r} already", hint="give this one another name"
            )
        text, file = view.text(target.file), target.file
    else:
        text = _heading(view, file, title)
    entry = _entry(kind, name, video, at, timezone, delay, channels, metadata)
    after = edits.create_entry(text, entry, file=file)
    group_id = f"{wave_id}/{name}"
    proposal = propose(
        view, "create", group_id, kind="wave", file=file, after=after,
        about=lambda edited: _members(edited, group_id),
    )  # fmt: skip
    _demand_unblocked(proposal)
    return proposal


def title_left_out(proposal: Proposal, title: str | None) -> str | None:
    """Why a new group's wave does not get the title that was asked for, in words; None where it has it."""
    wave_id = proposal.target.split("/", 1)[0]
    wave = proposal.edited.declared.waves.get(wave_id)
    if title is None or wave is None or wave.title == title:
        return None
    return f"the wave {wave_id} is there already, and a title belongs to a new wave"


def _demand_unblocked(proposal: Proposal) -> None:
    """Refuse what would not be sent because of a fault that is told elsewhere, as in a channel's file."""
    edited = proposal.edited
    for schedule_id in proposal.about:
        code = edited.reconciled.blocked.get(schedule_id)
        if code is not None:
            channel = edited.reconciled.schedules[schedule_id].channel
            file = edited.declared.files.get(("channel", channel), f"channels/{channel}.yaml")
            raise ScheduleError(
                f"{schedule_id} would not be sent: [{code}]; nothing was written",
                edited.faults_in(file),
                hint=f"mend {file} first",
            )


def _members(view: View, group_id: str) -> list[str]:
    """The ids of a group's schedules, in the order of its channels."""
    members = [s for s in view.reconciled.schedules.values() if s.group.id == group_id]
    return [schedule.id for schedule in sorted(members, key=lambda schedule: schedule.position)]


def _instant(at: str, timezone: str | None, or_else: str | None = None) -> int:
    """The instant that names a wave; a wall-clock time of each channel counts as UTC there."""
    try:
        zone = None if timezone is None else read_zone("UTC" if timezone == "channel" else timezone)
        return read_time(at, zone, or_else=or_else)
    except TimeError as problem:
        raise ScheduleError(str(problem), hint=problem.hint) from None


def _wave_id(video: str, at: int) -> str:
    """`<video>-<UTC time>`, with what cannot stand in an id left out."""
    time = re.sub(r"[-:]", "", instant_text(at))
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", video).strip("-._")[: _LONGEST - len(time) - 1]
    return f"{stem or 'wave'}-{time}"


def _group_name(view: View, wave_id: str, video: str) -> str:
    """The video's id where it may be one and is free, else with a number behind it."""
    wave = view.declared.waves.get(wave_id)
    taken = set() if wave is None else {entry.group for entry in wave.schedules}
    stem = video if _ID.fullmatch(video) else re.sub(r"[^A-Za-z0-9._-]+", "-", video).strip("-._")[:60]
    stem = stem or "group"
    numbered = (f"{stem[:60]}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (stem, *numbered) if name not in taken)


def _new_file(view: View, wave_id: str, at: str) -> str:
    """Where a new wave goes: into the folder of its year where the repository has such folders."""
    year = at[:4]
    yearly = any(source.file.startswith(f"waves/{year}/") for source in view.sources)
    return f"waves/{year}/{wave_id}.yaml" if yearly else f"waves/{wave_id}.yaml"


def _heading(view: View, file: str, title: str | None) -> str | None:
    """The first lines of a new wave: what tells editors the schema, as in the other waves, and a title."""
    modeline = ""
    for source in view.sources:
        first = source.content.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
        if source.kind == "wave" and first.startswith("# yaml-language-server: $schema="):
            path = first.partition("=")[2]
            if "://" not in path:
                path = "../" * file.count("/") + path.lstrip("./")
            modeline = f"# yaml-language-server: $schema={path}\n"
            break
    if title is None:
        return modeline or None
    return edits.set_value(modeline, ("title",), title, file=file)


def _entry(
    kind: str,
    name: str,
    video: str,
    at: str,
    timezone: str | None,
    delay: str | None,
    channels: Sequence[str] | Mapping[str, Any],
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": kind}
    if name != video:
        entry["group"] = name
    entry |= {"video": video, "at": at}
    if timezone is not None:
        entry["timezone"] = timezone
    if delay is not None:
        entry["delay"] = delay
    entry["channels"] = dict(channels) if isinstance(channels, Mapping) else list(channels)
    if metadata:
        entry["metadata"] = dict(metadata)
    return entry


# --- one-offs ---------------------------------------------------------------------------------------


def create_one_off(
    view: View,
    channel: str,
    *,
    at: str,
    video: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Proposal:
    """Add a publication to a channel; the video may be assigned later.

    A local time is in the channel's zone.
    """
    target = resolve(view, f"channel:{channel}")
    spec = view.declared.channels[channel]
    written = view.declared.documents[target.file].data
    at_zone = (
        spec.timezone if "timezone" in written else None
    )  # a zone that is only assumed helps no local time
    instant = instant_text(_instant(at, at_zone, f"write `timezone:` into {target.file} first"))
    schedule_id = f"{channel}/{instant}"
    if schedule_id in view.reconciled.schedules and not view.reconciled.schedules[schedule_id].slot:
        raise ScheduleError(
            f"{channel} has a publication at {instant} already",
            hint=f"`scheduler assign {schedule_id} VIDEO` changes its video",
        )
    one_off: dict[str, Any] = {} if video is None else {"video": video}
    one_off["at"] = at
    if metadata:
        one_off["metadata"] = dict(metadata)
    after = edits.create_one_off(view.text(target.file) or "", one_off, file=target.file)
    proposal = propose(
        view, "create", schedule_id, kind="channel", file=target.file, after=after,
        about=lambda _: [schedule_id],
    )  # fmt: skip
    _demand_unblocked(proposal)
    return proposal
