"""Documents become the values of `scheduler.desired.specs`, or the diagnostics that say why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scheduler.desired import models, specs
from scheduler.desired.fields import CHANNEL_ZONE, FileContext, is_nothing
from scheduler.desired.model_errors import Kind, translate
from scheduler.desired.yaml_reader import Document
from scheduler.diagnostics import Diagnostic, error

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S")

_EMPTY = {
    "wave": ("the file is empty: a wave has `schedules`", "write the wave, or delete the file"),
    "channel": ("the file is empty: it says nothing of its channel", "write the channel, or delete the file"),
    "scheduler": ("the file is empty", "write a setting, or delete the file: without it, the defaults hold"),
}


def wave(document: Document) -> tuple[specs.WaveSpec | None, list[Diagnostic]]:
    return _read("wave", models.WaveFile, _wave, document, FileContext())


def channel(document: Document) -> tuple[specs.ChannelSpec | None, list[Diagnostic]]:
    zone = document.data.get("timezone") if isinstance(document.data, dict) else None
    surroundings = FileContext(models.known_zone(zone) if zone != CHANNEL_ZONE else None)

    def convert(file: models.ChannelFile) -> specs.ChannelSpec:
        return _channel(file, PurePosixPath(document.file).stem)

    return _read("channel", models.ChannelFile, convert, document, surroundings)


def settings(document: Document) -> tuple[specs.SettingsSpec | None, list[Diagnostic]]:
    return _read("scheduler", models.SettingsFile, _settings, document, FileContext())


def _read(
    kind: Kind, model: type[M], convert: Callable[[M], S], document: Document, surroundings: FileContext
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


def _pause(paused: bool | models.PauseFile) -> specs.PauseSpec | None:
    if isinstance(paused, models.PauseFile):
        return specs.PauseSpec(paused.reason, paused.until)
    return specs.PauseSpec() if paused else None


def _split(at: int | str | None) -> tuple[int | None, str | None]:
    """An instant, or the text of a time that is local to each channel."""
    return (None, at) if isinstance(at, str) else (at, None)


def _member(member: models.MemberFile | specs.MemberSpec | str) -> specs.MemberSpec:
    if isinstance(member, specs.MemberSpec):
        return member
    if isinstance(member, str):
        return specs.MemberSpec(id=member)
    at, local_at = _split(member.at)
    return specs.MemberSpec(
        id=member.id,
        at=at,
        local_at=local_at,
        shift=member.shift,
        paused=_pause(member.paused),
        cancelled=member.cancelled,
    )


def _channels(
    channels: tuple[models.MemberFile | specs.MemberSpec | str, ...] | models.TagsFile,
) -> tuple[specs.MemberSpec, ...] | specs.TagSelector:
    if isinstance(channels, models.TagsFile):
        return specs.TagSelector(channels.tags)
    if isinstance(channels, specs.BareMembers):
        return channels
    return tuple(map(_member, channels))


def _entry(entry: models.EntryFile) -> specs.EntrySpec:
    at, local_at = _split(entry.at)
    return specs.EntrySpec(
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


def _wave(file: models.WaveFile) -> specs.WaveSpec:
    return specs.WaveSpec(
        title=file.title,
        paused=_pause(file.paused),
        cancelled=file.cancelled,
        catch_up=file.catch_up,
        on_failure=file.on_failure,
        renamed_from=file.renamed_from,
        schedules=tuple(map(_entry, file.schedules)),
    )


def _lineup_entry(item: models.LineupFile | str) -> specs.LineupEntry:
    if isinstance(item, str):
        return specs.LineupEntry(video=item)
    return specs.LineupEntry(video=item.video, not_before=item.not_before, repeat=item.repeat)


def _one_off(item: models.OneOffFile) -> specs.OneOff:
    return specs.OneOff(
        video=item.video,
        at=item.at,
        paused=_pause(item.paused),
        cancelled=item.cancelled,
        repeat=item.repeat,
        metadata=item.metadata,
    )


def _channel(file: models.ChannelFile, stem: str) -> specs.ChannelSpec:
    return specs.ChannelSpec(
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
        queue=None if file.repository else file.queue or specs.DEFAULT_QUEUE,
        command=file.command,
    )


def _settings(file: models.SettingsFile) -> specs.SettingsSpec:
    return specs.SettingsSpec(
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
            specs.Freeze(reason=span.reason, from_=span.from_, until=span.until, channels=span.channels)
            for span in file.freezes
        ),
        notify=file.notify,
    )
