"""Documents become the values of `scheduler.spec.values`, or the diagnostics that say why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scheduler.diagnostics import Diagnostic, error
from scheduler.documents import Document
from scheduler.spec import files, values
from scheduler.spec.faults import Kind, translate
from scheduler.spec.scalars import CHANNEL_ZONE, Surroundings, is_nothing

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S")

_EMPTY = {
    "wave": ("the file is empty: a wave has `schedules`", "write the wave, or delete the file"),
    "channel": ("the file is empty: it says nothing of its channel", "write the channel, or delete the file"),
    "scheduler": ("the file is empty", "write a setting, or delete the file: without it, the defaults hold"),
}


def wave(document: Document) -> tuple[values.WaveSpec | None, list[Diagnostic]]:
    return _read("wave", files.WaveFile, _wave, document, Surroundings())


def channel(document: Document) -> tuple[values.ChannelSpec | None, list[Diagnostic]]:
    zone = document.data.get("timezone") if isinstance(document.data, dict) else None
    surroundings = Surroundings(files.known_zone(zone) if zone != CHANNEL_ZONE else None)

    def convert(file: files.ChannelFile) -> values.ChannelSpec:
        return _channel(file, PurePosixPath(document.file).stem)

    return _read("channel", files.ChannelFile, convert, document, surroundings)


def settings(document: Document) -> tuple[values.SettingsSpec | None, list[Diagnostic]]:
    return _read("scheduler", files.SettingsFile, _settings, document, Surroundings())


def _read(
    kind: Kind, model: type[M], convert: Callable[[M], S], document: Document, surroundings: Surroundings
) -> tuple[S | None, list[Diagnostic]]:
    """The value of a document that has no errors, and all that is wrong with one that has."""
    problems = list(document.problems)
    broken = any(problem.is_error for problem in problems)
    if document.data is None or is_nothing(document.data):
        if not broken:
            message, hint = _EMPTY[kind]
            problems.append(error("missing-key", document.place(()), message, hint))
        return None, problems
    try:
        file = model.model_validate(document.data, context=surroundings)
    except ValidationError as problem:
        told = {fault.location for fault in problems}
        problems += [fault for fault in translate(kind, document, problem) if fault.location not in told]
        return None, problems
    return (None if broken else convert(file)), problems


def _pause(paused: bool | files.PauseFile) -> values.PauseSpec | None:
    if isinstance(paused, files.PauseFile):
        return values.PauseSpec(paused.reason, paused.until)
    return values.PauseSpec() if paused else None


def _split(at: int | str | None) -> tuple[int | None, str | None]:
    """An instant, or the text of a time that is local to each channel."""
    return (None, at) if isinstance(at, str) else (at, None)


def _member(member: files.MemberFile | values.MemberSpec | str) -> values.MemberSpec:
    if isinstance(member, values.MemberSpec):
        return member
    if isinstance(member, str):
        return values.MemberSpec(id=member)
    at, local_at = _split(member.at)
    return values.MemberSpec(
        id=member.id,
        at=at,
        local_at=local_at,
        shift=member.shift,
        paused=_pause(member.paused),
        cancelled=member.cancelled,
    )


def _channels(
    channels: tuple[files.MemberFile | values.MemberSpec | str, ...] | files.TagsFile,
) -> tuple[values.MemberSpec, ...] | values.TagSelector:
    if isinstance(channels, files.TagsFile):
        return values.TagSelector(channels.tags)
    if isinstance(channels, values.BareMembers):
        return channels
    return tuple(map(_member, channels))


def _entry(entry: files.EntryFile) -> values.EntrySpec:
    at, local_at = _split(entry.at)
    return values.EntrySpec(
        type=entry.type,
        group=entry.group or entry.video,
        video=entry.video,
        at=at,
        local_at=local_at,
        delay=entry.delay or 0,
        after_success=entry.after_success,
        channels=_channels(entry.channels),
        members=tuple(map(_member, entry.members)),
        metadata=entry.metadata,
        repeat=entry.repeat,
        renamed_from=entry.renamed_from,
    )


def _wave(file: files.WaveFile) -> values.WaveSpec:
    return values.WaveSpec(
        title=file.title,
        paused=_pause(file.paused),
        cancelled=file.cancelled,
        catch_up=file.catch_up,
        on_failure=file.on_failure,
        renamed_from=file.renamed_from,
        schedules=tuple(map(_entry, file.schedules)),
    )


def _lineup_entry(item: files.LineupFile | str) -> values.LineupEntry:
    if isinstance(item, str):
        return values.LineupEntry(video=item)
    return values.LineupEntry(video=item.video, not_before=item.not_before, repeat=item.repeat)


def _one_off(item: files.OneOffFile) -> values.OneOff:
    return values.OneOff(
        video=item.video,
        at=item.at,
        paused=_pause(item.paused),
        cancelled=item.cancelled,
        repeat=item.repeat,
        metadata=item.metadata,
    )


def _channel(file: files.ChannelFile, stem: str) -> values.ChannelSpec:
    return values.ChannelSpec(
        name=file.name or stem,
        repository=file.repository,
        event_type=file.event_type,
        token=file.token,
        timezone=file.timezone,
        lead=file.lead,
        transport=file.transport,
        workflow=file.workflow,
        confirm=file.confirm,
        delivery=file.delivery,
        active=file.active,
        paused=_pause(file.paused),
        tags=file.tags,
        renamed_from=file.renamed_from,
        slots=file.slots,
        lineup=tuple(map(_lineup_entry, file.lineup)),
        schedules=tuple(map(_one_off, file.schedules)),
        queue=None if file.repository else file.queue or values.DEFAULT_QUEUE,
        command=file.command,
    )


def _settings(file: files.SettingsFile) -> values.SettingsSpec:
    return values.SettingsSpec(
        min_gap=file.conflicts.min_gap,
        repeat_window=file.conflicts.repeat_window,
        catch_up=file.catch_up,
        horizon=file.horizon,
        retry_attempts=file.retry.attempts,
        retry_backoff=file.retry.backoff,
        pace=file.pace,
        allow=file.allow,
        cancel_percent=file.brake.cancel_percent,
        at_least=file.brake.at_least,
        event_type=file.event_type,
        state=file.state,
        lineage=file.lineage,
        queue=file.queue,
        freezes=tuple(
            values.Freeze(reason=span.reason, from_=span.from_, until=span.until, channels=span.channels)
            for span in file.freezes
        ),
        notify=file.notify,
    )
