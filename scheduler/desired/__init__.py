"""What people write: YAML becomes documents, documents become specs, each fault at its place.

`yaml_reader` keeps the text and the place of every value, and `yaml_errors` explains why a text is not YAML.
`specs` declares every key once: how it is read, what editors are shown, and the value that it becomes.
`models` (pydantic) reads files by these declarations and holds the rules about several keys; a spec exists
only where there is no error. `declarations` puts all files together, `json_schema` writes the schemas for
editors. pydantic is imported when the first file is read: importing the specs alone costs nothing of it.

Imports: `times`, `diagnostics`, `wording`, `checkout`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from scheduler.desired.fields import ID, ID_HINT, Pace, likely_id
from scheduler.desired.specs import (
    DEFAULT_QUEUE,
    BareMembers,
    ChannelSpec,
    EntrySpec,
    Freeze,
    LineupEntry,
    MemberSpec,
    OneOff,
    PauseSpec,
    SettingsSpec,
    TagSelector,
    WaveSpec,
)
from scheduler.diagnostics import Diagnostic, Location, error
from scheduler.wording import quoted

if TYPE_CHECKING:
    from scheduler.desired.yaml_reader import Document

__all__ = [
    "DEFAULT_QUEUE",
    "BareMembers",
    "ChannelSpec",
    "EntrySpec",
    "Freeze",
    "LineupEntry",
    "MemberSpec",
    "OneOff",
    "Pace",
    "PauseSpec",
    "SettingsSpec",
    "TagSelector",
    "WaveSpec",
    "read_channel",
    "read_settings",
    "read_wave",
    "schema_of",
    "stem_problem",
]


def read_wave(document: Document) -> tuple[WaveSpec | None, list[Diagnostic]]:
    """The wave that a document declares, with the document's own problems; None where any is an error."""
    from scheduler.desired import parse

    return parse.wave(document)


def read_channel(document: Document) -> tuple[ChannelSpec | None, list[Diagnostic]]:
    """The channel that a document declares, with the document's own problems; None where any is an error."""
    from scheduler.desired import parse

    return parse.channel(document)


def read_settings(document: Document | None) -> tuple[SettingsSpec | None, list[Diagnostic]]:
    """The settings that a document declares, without one the defaults; None where any problem is an error."""
    if document is None:
        return SettingsSpec(), []
    from scheduler.desired import parse

    return parse.settings(document)


def stem_problem(kind: Literal["wave", "channel"], path: str) -> Diagnostic | None:
    """What is wrong with the name of a file: its stem is the id of what it declares."""
    stem = PurePosixPath(path).stem
    if re.fullmatch(ID, stem):
        return None
    message = f"the name of a {kind} file is the {kind}'s id, and {quoted(stem)} is not an id"
    likely = likely_id(stem)
    rename = f"rename it to {likely}{PurePosixPath(path).suffix}" if likely else "rename the file"
    return error("invalid-value", Location(path), message, f"{rename}: {ID_HINT}")


def schema_of(
    kind: Literal["wave", "channel", "scheduler"], channels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of file, for editors.

    With `channels`, the ids of a repository's channels are an enumeration, each with its description
    (a name, slots): editors complete them and underline others.
    """
    from scheduler.desired import json_schema as schemas

    return schemas.schema_of(kind, channels)
