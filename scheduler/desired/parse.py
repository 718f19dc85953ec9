"""Documents become specs, or the diagnostics that say why not."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import ValidationError

from scheduler.desired import models, specs
from scheduler.desired.fields import CHANNEL_ZONE, FileContext
from scheduler.desired.keys import Kind
from scheduler.desired.model_errors import translate
from scheduler.desired.plain import is_nothing
from scheduler.desired.yaml_reader import Document
from scheduler.desired.zone_warnings import zone_warnings
from scheduler.diagnostics import Diagnostic, error, warning

S = TypeVar("S", bound=specs.Spec)

_EMPTY = {
    "wave": ("the file is empty: a wave has `schedules`", "write the wave, or delete the file"),
    "channel": (
        "the file is empty: nothing describes the channel",
        "write the channel, or delete the file",
    ),
    "scheduler": ("the file is empty", "write a setting, or delete the file to use the defaults"),
}


def wave(document: Document) -> tuple[specs.WaveSpec | None, list[Diagnostic]]:
    return _read("wave", specs.WaveSpec, document)


def channel(document: Document) -> tuple[specs.ChannelSpec | None, list[Diagnostic]]:
    zone = document.data.get("timezone") if isinstance(document.data, dict) else None
    zone = models.known_zone(zone) if zone != CHANNEL_ZONE else None
    found, problems = _read("channel", specs.ChannelSpec, document, zone)
    if found is not None and found.lineup and not found.slots:
        message = "`lineup` has no effect: the channel has no `slots`, so nothing takes its videos"
        hint = "add a line such as `slots: [Mon 18:00]`, or give each video a time of its own in `schedules`"
        problems.append(warning("unused-lineup", document.key_place(("lineup",)), message, hint))
    return found, problems


def settings(document: Document) -> tuple[specs.SettingsSpec | None, list[Diagnostic]]:
    return _read("scheduler", specs.SettingsSpec, document)


def _read(
    kind: Kind, spec: type[S], document: Document, zone: str | None = None
) -> tuple[S | None, list[Diagnostic]]:
    """The spec of a document that has no errors, and all that is wrong with one that has."""
    problems = list(document.problems)
    broken = any(problem.is_error for problem in problems)
    if document.data is None or is_nothing(document.data):
        if not broken:
            message, hint = _EMPTY[kind]
            problems.append(error("missing-key", document.place(()), message, hint))
        return None, problems
    if isinstance(document.data, dict):
        problems += zone_warnings(document)
    context = FileContext(PurePosixPath(document.file).stem, zone)
    try:
        found = models.adapter(spec).validate_python(document.data, context=context)
    except ValidationError as problem:
        reported = {fault.location for fault in problems}
        problems += [fault for fault in translate(kind, document, problem) if fault.location not in reported]
        return None, problems
    return (None if broken else found), problems
