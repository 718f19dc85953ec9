"""What the operator's environment says: switches, allow lists, and tokens by the names of their variables.

The value of a token leaves through `token_reader` alone, for the socket. A token may stand in a file that
`<NAME>_FILE` names, which is read anew each time: what rotates tokens needs no restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from scheduler.plan import Surroundings

FILE_SUFFIX = "_FILE"
LONGEST_TOKEN = 16_384
"""Bytes that are read of a token's file."""


def surroundings_of(environ: Mapping[str, str]) -> Surroundings:
    """The part of the environment that decisions depend on; only the names of tokens enter it."""
    return Surroundings(
        stopped=environ.get("SCHEDULER_PAUSED", "") == "1",
        allow=_patterns(environ.get("SCHEDULER_ALLOW", "")),
        tokens=frozenset(_token_names(environ)),
    )


def _patterns(text: str) -> tuple[str, ...] | None:
    """A list parted by commas or blanks; an empty one is taken as not given, as CI passes unset variables."""
    patterns = tuple(filter(None, re.split(r"[,\s]+", text)))
    return patterns or None


def _token_names(environ: Mapping[str, str]) -> Iterator[str]:
    """Every variable that could hold a token: it has a value itself, or names a file that has one."""
    for name, value in environ.items():
        if value.strip():
            yield name
            owner = name.removesuffix(FILE_SUFFIX)
            if owner != name and _in_file(value.strip()) is not None:
                yield owner


def token_reader(environ: Mapping[str, str]) -> Callable[[str | None], str | None]:
    """How the value of a token is read from the environment, or from its file; None where there is none."""

    def read(name: str | None) -> str | None:
        if name is None:
            return None
        value = environ.get(name, "").strip()
        if value:
            return value
        file = environ.get(name + FILE_SUFFIX, "").strip()
        return _in_file(file) if file else None

    return read


def _in_file(path: str) -> str | None:
    """The token in a file; None where it is empty, no text, or cannot be read."""
    try:
        if not Path(path).is_file():  # a pipe would be waited for
            return None
        with Path(path).open("rb") as file:
            return file.read(LONGEST_TOKEN).decode("ascii").strip() or None
    except (OSError, ValueError):
        return None


def on_actions(environ: Mapping[str, str]) -> bool:
    """Whether this runs in a GitHub Actions job, whose disk is gone afterwards."""
    return environ.get("GITHUB_ACTIONS") == "true"
