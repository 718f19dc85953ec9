"""What the operator's environment says: switches, allow lists, and tokens by the names of their variables.

The value of a token leaves through `token_reader` alone, for the socket. A token may stand in a file that
`<NAME>_FILE` names, which is read anew each time: what rotates tokens needs no restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from scheduler.planning.plan import Surroundings

FILE_SUFFIX = "_FILE"
LONGEST_TOKEN = 16_384
"""Bytes that are read of a token's file."""


def surroundings_of(environ: Mapping[str, str]) -> Surroundings:
    """The part of the environment that decisions depend on; only the names of tokens enter it."""
    return Surroundings(
        stopped=_is_on(environ.get("SCHEDULER_PAUSED", "")),
        allow=_patterns(environ.get("SCHEDULER_ALLOW", "")),
        tokens=frozenset(_token_names(environ)),
    )


def _is_on(text: str) -> bool:
    """`1`, and whatever else is meant as a yes: a stop that is misspelled must still stop."""
    return text.strip().lower() not in ("", "0", "false", "no", "off")


def _patterns(text: str) -> tuple[str, ...] | None:
    """A list parted by commas or blanks; an empty one is taken as not given, as CI passes unset variables."""
    patterns = tuple(filter(None, re.split(r"[,\s]+", text)))
    return patterns or None


def _token_names(environ: Mapping[str, str]) -> Iterator[str]:
    """Every variable that could hold a token: it has a value itself, or names a file that has one."""
    for name, value in environ.items():
        if value.strip():
            if _is_sendable(value.strip()):
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


def _is_sendable(token: str) -> bool:
    """Whether a header can carry it; a token with a blank in it counts as not set."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def _in_file(path: str) -> str | None:
    """The token in a file; None where it is empty, no text, or cannot be read."""
    try:
        if not Path(path).is_file():  # a pipe would be waited for
            return None
        with Path(path).open("rb") as file:
            text = file.read(LONGEST_TOKEN).decode("ascii").strip()
            return text if _is_sendable(text) else None
    except (OSError, ValueError):
        return None


def who_runs(environ: Mapping[str, str]) -> dict[str, str]:
    """Who and what made GitHub Actions run this, for the history of the record: `actor`, `event`, `run`.

    Elsewhere it is empty: there git's own author says it.
    """
    if not on_actions(environ):
        return {}
    server, repository, run = (
        environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    told = {
        "actor": environ.get("GITHUB_TRIGGERING_ACTOR") or environ.get("GITHUB_ACTOR", ""),
        "event": environ.get("GITHUB_EVENT_NAME", ""),
        "run": f"{server}/{repository}/actions/runs/{run}" if server and repository and run else "",
    }
    return {name: " ".join(words.split()) for name, words in told.items() if words.strip()}


def on_actions(environ: Mapping[str, str]) -> bool:
    """Whether this runs in a GitHub Actions job, whose disk is gone afterwards."""
    return environ.get("GITHUB_ACTIONS") == "true"
