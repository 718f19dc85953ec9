"""`renamed_from`: records move to the new id of a wave, a group or a channel, and keep their keys.

The former id stays taken: declaring it anew would publish a second time what was published under it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic, Related, error
from scheduler.planning.expand import Loc, Schedule
from scheduler.state.record import Record, note
from scheduler.times import Instant, instant_text
from scheduler.wording import quoted


class Names(msgspec.Struct, kw_only=True):
    """Former name -> new name; of those that were refused, new name -> former name."""

    waves: dict[str, str]
    groups: dict[str, str]
    """Of coordination group ids, after waves were renamed."""
    channels: dict[str, str]


class RefusedRename(NamedTuple):
    """A `renamed_from` that cannot be true."""

    kind: str
    name: str
    """The new name: of a wave, a channel, or a group (`<wave>/<group>`)."""
    fault: Diagnostic


class Renaming(msgspec.Struct, kw_only=True):
    """The records under their new ids. Archived ones that were renamed come back into the state."""

    records: dict[str, Record]
    renamed: dict[str, str]
    """New id -> former id."""
    faults: list[RefusedRename]
    refused: Names
    """New name -> the former one that it claims, which is declared still or was claimed before."""


def rename(
    declared: Declarations, records: Mapping[str, Record], archive: Mapping[str, Record], now: Instant
) -> Renaming:
    """Apply every `renamed_from` that the repository declares."""
    refused = Names(waves={}, groups={}, channels={})
    result = Renaming(records=dict(records), renamed={}, faults=[], refused=refused)
    names = _names(declared, result)
    if not (names.waves or names.groups or names.channels):
        return result
    moved: dict[str, tuple[str, Record]] = {}
    for schedule_id, record in {**archive, **records}.items():
        renamed = _renamed(schedule_id, record, names, now)
        if renamed is None or renamed[0] in records or renamed[0] in archive:
            continue
        new_id, after = renamed
        moved[new_id] = min(moved.get(new_id, (schedule_id, after)), (schedule_id, after), key=_claim)
    for new_id, (schedule_id, after) in moved.items():
        result.records.pop(schedule_id, None)
        result.records[new_id] = after
        result.renamed[new_id] = schedule_id
    return result


def _claim(candidate: tuple[str, Record]) -> tuple[bool, bool, str]:
    """Of two records that get one new id, the lesser keeps it; the other keeps its former id.

    What was sent comes first: under another record's id it would be forgotten, and sent again.
    """
    schedule_id, record = candidate
    return (not record.was_sent, not record.is_live, schedule_id)


def _names(declared: Declarations, result: Renaming) -> Names:
    names, faults, refused = Names(waves={}, groups={}, channels={}), result.faults, result.refused
    for wave_id, wave in declared.waves.items():
        file = declared.files["wave", wave_id]
        former = wave.renamed_from
        if former is not None and (fault := _take(declared, "wave", former, wave_id, file, names.waves)):
            faults.append(RefusedRename("wave", wave_id, fault))
            refused.waves[wave_id] = former
        own = {entry.group for entry in wave.schedules}
        for index, entry in enumerate(wave.schedules):
            if entry.renamed_from is None:
                continue
            if entry.renamed_from in own:
                route: Loc = ("schedules", index, "renamed_from")
                group_id = f"{wave_id}/{entry.group}"
                fault = _still_there(declared, "group", entry.renamed_from, file, route, file)
                faults.append(RefusedRename("group", group_id, fault))
                refused.groups[group_id] = f"{wave_id}/{entry.renamed_from}"
            else:
                names.groups[f"{wave_id}/{entry.renamed_from}"] = f"{wave_id}/{entry.group}"
    for channel_id, channel in declared.channels.items():
        file, former = declared.files["channel", channel_id], channel.renamed_from
        if former is not None and (
            fault := _take(declared, "channel", former, channel_id, file, names.channels)
        ):
            faults.append(RefusedRename("channel", channel_id, fault))
            refused.channels[channel_id] = former
    return names


def _take(
    declared: Declarations,
    kind: str,
    former: str,
    name: str,
    file: str,
    names: dict[str, str],
) -> Diagnostic | None:
    """Note a new name; the fault, where the former one is declared still or was taken before."""
    other = declared.files.get((kind, former)) or declared.files.get((kind, names.get(former, "")))
    if other is not None:
        return _still_there(declared, kind, former, file, ("renamed_from",), other)
    names[former] = name
    return None


def _still_there(
    declared: Declarations, kind: str, former: str, file: str, route: Loc, other: str
) -> Diagnostic:
    if PurePosixPath(other).stem == former or kind == "group":
        message = f"{kind} {quoted(former)} is still declared, so it cannot have been renamed"
    else:
        message = f"another {kind} was renamed from {quoted(former)} as well"
    return error(
        "duplicate-id",
        declared.place(file, route),
        message,
        "remove one of the two, or this line",
        [Related("declared here", declared.place(other))],
    )


def _renamed(schedule_id: str, record: Record, names: Names, now: Instant) -> tuple[str, Record] | None:
    wave, group, channel = record.wave_id, record.coordination_group_id, record.channel_id
    if wave is not None and wave in names.waves:
        wave = names.waves[wave]
        group = f"{wave}/{(group or '/').split('/', 1)[1]}"
    if group is not None and group in names.groups:
        group = names.groups[group]
    channel = names.channels.get(channel, channel)
    if (wave, group, channel) == (record.wave_id, record.coordination_group_id, record.channel_id):
        return None
    new_id = f"{group}/{channel}" if group is not None else f"{channel}/{schedule_id.split('/', 1)[1]}"
    after = note(
        record,
        now,
        f"renamed from {schedule_id}",
        wave_id=wave,
        coordination_group_id=group,
        channel_id=channel,
        first_id=record.first_id or schedule_id,
        former_ids=(*record.former_ids, schedule_id),
    )
    return new_id, after


def former_id(schedule: Schedule, refused: Names) -> str | None:
    """The id that a schedule had, if what its file says of its name is true."""
    channel = refused.channels.get(schedule.channel, schedule.channel)
    if schedule.group.id is None:
        former = f"{channel}/{instant_text(schedule.at)}"
    else:
        group = refused.groups.get(schedule.group.id, schedule.group.id)
        wave, name = group.split("/", 1)
        former = f"{refused.waves.get(wave, wave)}/{name}/{channel}"
    return None if former == schedule.id else former


def without_former(archive: Mapping[str, Record], records: Mapping[str, Record]) -> Mapping[str, Record]:
    """The archive without the records whose id there is one from before they were renamed."""
    former = {
        old
        for known in (archive, records)
        for schedule_id, record in known.items()
        for old in record.former_ids
        if old != schedule_id
    }
    if not former:
        return archive
    return {schedule_id: record for schedule_id, record in archive.items() if schedule_id not in former}


def waiting(
    declared: Declarations, records: Mapping[str, Record], schedules: Mapping[str, Schedule]
) -> set[str]:
    """Recorded ids that are not declared because their wave still names the channel by its former id.

    They wait: the former id is reported as an unknown channel.
    """
    return {
        new
        for new, record in records.items()
        if record.former_ids and new not in schedules and record.is_unsent_live
        for old in record.former_ids
        if old in schedules and schedules[old].channel not in declared.channels
    }
