"""Assign and create: what the files do not declare yet. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.editing.proposal import Proposal, propose
from scheduler.editing.targets import members_of, resolve
from scheduler.errors import ScheduleError
from scheduler.times import Instant, TimeError, instant_text, read_time, read_zone
from scheduler.wording import quoted

_LONGEST = 64
"""Characters of an id."""
_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_LONGEST - 1}}}")


def assign(view: View, schedule_id: str, video: str) -> Proposal:
    """Give an open slot or a one-off its video.

    Raises ScheduleError for an unknown id, and for a member of a wave, whose video is that of its entry.
    """
    target = resolve(view, schedule_id)
    if not isinstance(target.place, edits.SinglePlace):
        raise ScheduleError(
            f"{schedule_id} is not a slot or a one-off of a channel, so no video can be assigned to it",
            hint="members of a wave share the `video:` of their entry; edit it there",
        )
    after = edits.assign(target.text, target.place, video, file=target.file)
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
    repeat: bool = False,
) -> Proposal:
    """Add an entry to a wave, or to a new wave.

    `channels` are ids in their order, or `{"tags": [...]}`. `at` is a time with an offset, or a local time in
    `timezone` (an IANA name, or "channel": each channel's own). `delay` is a duration as a file has it, such
    as `1h30m`. Without `wave` the wave's id is `<video>-<UTC time>`; without `group` the group's id is the
    video's. `title` is for a new wave: an existing one keeps its own, which `title_left_out` reports. All or
    nothing: raises ScheduleError where any member breaks a rule.
    """
    starts = _instant(at, timezone, "add --timezone Europe/Berlin")
    time = re.sub(r"[-:]", "", instant_text(starts))
    wave_id = f"{_as_id(video, _LONGEST - len(time) - 1) or 'wave'}-{time}" if wave is None else wave
    if not _ID.fullmatch(wave_id):
        raise ScheduleError(
            f"{quoted(wave_id)} cannot be the id of a wave",
            hint="an id has 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or a digit",
        )
    if not channels:
        raise ScheduleError("a group needs at least one channel", hint="name the channels to publish on")
    declared = view.declared
    if ("wave", wave_id) in declared.files:
        target = resolve(view, f"wave:{wave_id}")  # refuses a file that cannot be read
        file, text = target.file, target.text
        taken = {entry.group for entry in declared.waves[wave_id].schedules}
    else:
        # Where a new wave goes: into the folder of its year where the repository has such a folder.
        year = at[:4]
        yearly = any(source.file.startswith(f"waves/{year}/") for source in view.sources)
        file = f"waves/{year}/{wave_id}.yaml" if yearly else f"waves/{wave_id}.yaml"
        text, taken = _heading(view, file, title), set()
    name = _group_name(video, taken) if group is None else group
    if name in taken:
        raise ScheduleError(
            f"wave {wave_id} already has a group {quoted(name)}",
            hint=f"choose another id, such as --group {_numbered(name, taken)}",
        )
    entry = _entry(kind, name, video, at, timezone, delay, channels, metadata)
    if repeat:
        entry["repeat"] = True
    after = edits.create_entry(text, entry, file=file)
    group_id = f"{wave_id}/{name}"
    proposal = propose(
        view, "create", group_id, kind="wave", file=file, after=after,
        about=lambda edited: [schedule.id for schedule in members_of(edited, group_id)],
    )  # fmt: skip
    _demand_unblocked(proposal)
    return proposal


def title_left_out(proposal: Proposal, title: str | None) -> str | None:
    """Why the wave of a new group does not have the title that was asked for; None where it has."""
    wave_id = proposal.target.split("/", 1)[0]
    wave = proposal.edited.declared.waves.get(wave_id)
    if title is None or wave is None or wave.title == title:
        return None
    return f"wave {wave_id} already exists, and a title is only for a new wave"


def _demand_unblocked(proposal: Proposal) -> None:
    """Refuse what would not be sent because of an error elsewhere, such as in a channel's file."""
    edited = proposal.edited
    for schedule_id in proposal.about:
        code = edited.reconciled.blocked.get(schedule_id)
        if code is not None:
            channel = edited.reconciled.schedules[schedule_id].channel
            file = edited.declared.files.get(("channel", channel), f"channels/{channel}.yaml")
            raise ScheduleError(
                f"{schedule_id} would not be sent because of [{code}] in {file}; nothing was written",
                edited.problems_in(file),
                hint=f"fix {file} first",
            )


def _instant(at: str, timezone: str | None, or_else: str) -> Instant:
    """The instant of a written time; one in each channel's own zone is taken as UTC (it only names a wave).

    `or_else` is what else the hint suggests for a local time without a zone.
    """
    try:
        zone = None if timezone is None else read_zone("UTC" if timezone == "channel" else timezone)
        return read_time(at, zone, or_else=or_else)
    except TimeError as problem:
        raise ScheduleError(str(problem), hint=problem.hint) from None


def _group_name(video: str, taken: set[str]) -> str:
    """The video's id as far as an id can have its characters; with a number after it where that is taken."""
    name = video if _ID.fullmatch(video) else _as_id(video, _LONGEST - 4) or "group"
    return _numbered(name, taken) if name in taken else name


def _numbered(name: str, taken: set[str]) -> str:
    """`name-2`, or the first number after it that is free."""
    names = (f"{name[: _LONGEST - 4]}-{number}" for number in range(2, len(taken) + 3))
    return next(other for other in names if other not in taken)


def _as_id(text: str, longest: int) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:longest]


def _heading(view: View, file: str, title: str | None) -> str:
    """The first lines of a new wave: the comment that names its schema, as in the other waves; the title."""
    modeline = ""
    for source in view.sources:
        first = source.content.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
        if source.kind == "wave" and first.startswith("# yaml-language-server: $schema="):
            path = first.partition("=")[2]
            if "://" not in path:
                path = "../" * file.count("/") + path.lstrip("./")
            modeline = f"# yaml-language-server: $schema={path}\n"
            break
    return modeline if title is None else edits.set_value(modeline, ("title",), title, file=file)


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
    repeat: bool = False,
) -> Proposal:
    """Add a one-off to a channel; the video may be assigned later.

    `at` is a time with an offset, or a local time in the zone that the channel's file names. Raises
    ScheduleError for an unknown channel, for a time that has a one-off, and where it breaks a rule.
    """
    target = resolve(view, f"channel:{channel}")
    written = view.declared.documents[target.file].data
    # UTC, the zone of a channel that names none, must be written down before a local time relies on it.
    zone = view.declared.channels[channel].timezone if "timezone" in written else None
    instant = instant_text(_instant(at, zone, f"add `timezone:` to {target.file}"))
    schedule_id = f"{channel}/{instant}"
    there = view.reconciled.schedules.get(schedule_id)
    if there is not None and not there.slot:
        raise ScheduleError(
            f"channel {channel} already has a publication at {instant}",
            hint=f"run `scheduler assign {schedule_id} VIDEO` to change its video",
        )
    one_off: dict[str, Any] = {} if video is None else {"video": video}
    one_off["at"] = at
    if metadata:
        one_off["metadata"] = dict(metadata)
    if repeat:
        one_off["repeat"] = True
    after = edits.create_one_off(target.text, one_off, file=target.file)
    proposal = propose(
        view, "create", schedule_id, kind="channel", file=target.file, after=after,
        about=lambda _: [schedule_id],
    )  # fmt: skip
    _demand_unblocked(proposal)
    return proposal
