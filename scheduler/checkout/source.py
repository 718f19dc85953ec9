"""One declared file as it was found. Nothing but the standard library: every idle run imports it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["wave", "channel", "scheduler"]

SUFFIXES = (".yaml", ".yml")
"""The names of declared files end so; others are ignored."""
SETTINGS = "scheduler.yaml"
SETTINGS_TOO = "scheduler.yml"
"""The other name that the settings may have; both at once are a fault."""


class Source(NamedTuple):
    """A file's bytes, or the fault that kept them from being read."""

    kind: Kind
    file: str
    """Its path below the repository's root, with forward slashes; with a fault also that of a folder."""
    content: bytes = b""
    fault: str | None = None
    """Why the bytes cannot be had, in words (a link, no permission)."""
