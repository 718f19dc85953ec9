"""Everything that is declared, file by file: documents become channels, waves and settings.

A file that cannot be read is not a file that is gone: its stem stays known, so that what it declared
before continues as recorded and no second, false fault is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Any, Literal

import msgspec

from scheduler import desired
from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, SUFFIXES, Source
from scheduler.desired import yaml_reader
from scheduler.diagnostics import Code, Diagnostic, Location, Related, error
from scheduler.times import Instant

_RENAMED_FROM = re.compile(
    rb"""^renamed_from:[ \t]*["']?([A-Za-z0-9][A-Za-z0-9._-]{0,63})["']?[ \t\r]*(?:#|$)""", re.M
)


class Declarations(msgspec.Struct, kw_only=True):
    """A repository as it is declared. Ids are file stems."""

    settings: desired.SettingsSpec
    channels: dict[str, desired.ChannelSpec]
    waves: dict[str, desired.WaveSpec]
    files: dict[tuple[str, str], str]
    """(kind, id) -> file, readable or not."""
    documents: dict[str, yaml_reader.Document]
    unreadable: dict[tuple[str, str], Code]
    """(kind, id) -> the code of the fault, for files that cannot be read or that share a stem, and for
    the ids that such files say they were renamed from."""

    hidden: set[str]
    """Kinds of which a whole folder cannot be read: any file that is not known may be in there."""

    refused: dict[str, Code]
    """Channels whose repository is not allowed."""

    @property
    def settings_file(self) -> str:
        """The file of the settings; the one that they would be in, where there is none."""
        return SETTINGS_TOO if SETTINGS_TOO in self.documents else SETTINGS

    def place(self, file: str, loc: tuple[str | int, ...] = (), *, key: bool = False) -> Location:
        """The place of a value (or of its key) in a file."""
        document = self.documents.get(file)
        if document is None:
            return Location(file)
        return document.key_place(loc) if key else document.place(loc)

    def fault_of(self, kind: Literal["wave", "channel"], name: str) -> Code | None:
        """Why a file that may well be declared cannot be read; None where it can be, or is not there."""
        fault = self.unreadable.get((kind, name))
        if fault is None and kind in self.hidden and (kind, name) not in self.files:
            return "yaml-syntax"
        return fault

    def unreadable_file(self, kind: Literal["wave", "channel"], name: str) -> str | None:
        """The file of a wave or a channel, where it cannot be read; the id, where its name is not known."""
        return self.files.get((kind, name), name) if self.fault_of(kind, name) else None

    def lead(self, channel: str) -> int:
        """Seconds that a channel wants its dispatch ahead of the publish time; 0 for an unknown one."""
        found = self.channels.get(channel)
        return 0 if found is None else found.lead

    def thawed(self, channel: str, at: Instant) -> Instant:
        """The end of the freezes in which a channel is at an instant: one may begin in another."""
        for freeze in sorted(self.settings.freezes, key=lambda freeze: freeze.from_):
            if freeze.from_ <= at < freeze.until and (freeze.channels is None or channel in freeze.channels):
                at = freeze.until
        return at

    def catch_up(self, own: int | None) -> int:
        """Seconds after its time until which a publication may be sent: its wave's own, or the setting."""
        return self.settings.catch_up if own is None else own

    def can_send(self, channel: str) -> bool:
        """Whether the channel is readable, active, and allowed."""
        found = self.channels.get(channel)
        return found is not None and found.active and channel not in self.refused


Reader = Callable[[Iterable[Source]], tuple[Declarations | None, list[Diagnostic]]]
"""How sources are read: `declare`, or something that does the same."""


def declare(sources: Iterable[Source]) -> tuple[Declarations | None, list[Diagnostic]]:
    """What the sources declare, and their faults. None where the settings themselves are broken."""
    found: list[Diagnostic] = []
    settings: desired.SettingsSpec | None = desired.SettingsSpec()
    declared = Declarations(
        settings=desired.SettingsSpec(), channels={}, waves={}, files={}, documents={}, unreadable={},
        hidden=set(), refused={},
    )  # fmt: skip
    twins: dict[tuple[str, str], str] = {}
    in_order = sorted(sources, key=lambda source: (source.kind, source.file))
    for source in in_order:
        document = _document(source, declared, found)
        if source.kind == "scheduler":
            settings = None
            if document is not None:
                settings, faults = desired.read_settings(document)
                found += faults
            continue
        if source.fault is not None and not source.file.endswith(SUFFIXES):
            declared.hidden.add(source.kind)
            continue
        stem = PurePosixPath(source.file).stem
        if fault := desired.stem_problem(source.kind, source.file):
            found.append(fault)
            continue
        if twin := twins.get((source.kind, stem.casefold())):
            found.append(_same_stem(source.kind, stem, source.file, declared.files[source.kind, twin]))
            declared.files.setdefault((source.kind, stem), source.file)
            for name in (stem, twin):
                _forget(declared, source.kind, name)
            continue
        twins[source.kind, stem.casefold()] = stem
        declared.files[source.kind, stem] = source.file
        found += _read(declared, source.kind, stem, document)
    if settings is None:
        return None, found
    declared.settings = settings
    _note_former_names(declared, in_order)
    return declared, found


def _note_former_names(declared: Declarations, sources: Iterable[Source]) -> None:
    """What a file that cannot be read says it was renamed from cannot be read either: it is not withdrawn.

    Such a file may not even be YAML, so the line is searched for in its text.
    """
    for source in sources:
        if source.kind == "scheduler":
            continue
        stem = PurePosixPath(source.file).stem
        is_read = stem in (declared.waves if source.kind == "wave" else declared.channels)
        line = None if is_read else _RENAMED_FROM.search(source.content)
        if line is not None and (source.kind, former := line[1].decode()) not in declared.files:
            fault = declared.unreadable.get((source.kind, stem), "invalid-value")
            declared.unreadable.setdefault((source.kind, former), fault)


def _document(source: Source, declared: Declarations, found: list[Diagnostic]) -> yaml_reader.Document | None:
    if source.fault is not None:
        hint = "put a regular file there and commit it" if source.kind != "scheduler" else None
        hint = "rename the folder" if source.fault.endswith("is not UTF-8") else hint
        found.append(error("yaml-syntax", Location(source.file), source.fault, hint))
        return None
    document = yaml_reader.read(source.file, source.content)
    declared.documents[source.file] = document
    return document


def _read(
    declared: Declarations, kind: Literal["wave", "channel"], stem: str, document: yaml_reader.Document | None
) -> list[Diagnostic]:
    """Read one file into its model; a faulty one is unreadable."""
    if document is None:
        declared.unreadable[kind, stem] = "yaml-syntax"
        return []
    faults: list[Diagnostic]
    value: Any
    if kind == "wave":
        value, faults = desired.read_wave(document)
    else:
        value, faults = desired.read_channel(document)
    if value is None:
        first = next((fault for fault in faults if fault.is_error), None)
        declared.unreadable[kind, stem] = first.code if first else "invalid-value"
    else:
        shelf: dict[str, Any] = declared.waves if kind == "wave" else declared.channels
        shelf[stem] = value
    return faults


def _forget(declared: Declarations, kind: str, stem: str) -> None:
    """Take a readable file back: with two of that name it is unclear which one is meant."""
    declared.unreadable[kind, stem] = "duplicate-id"
    shelf: dict[str, Any] = declared.waves if kind == "wave" else declared.channels
    shelf.pop(stem, None)


def _same_stem(kind: str, stem: str, file: str, other: str) -> Diagnostic:
    where = Location(other)
    if PurePosixPath(other).stem == stem:
        message = f"the {kind} {stem!r} is declared by two files; the name of a file is its id"
    else:
        message = f"the names of two {kind} files differ only in upper and lower case"
    return error(
        "duplicate-id",
        Location(file),
        message,
        "rename one of them (with `renamed_from:` if it was running under the old name), or delete it",
        [Related("the other file", where)],
    )
