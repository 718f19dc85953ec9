"""The operator's environment: switches, allow lists, and tokens by the names of their variables.

Only `token_reader` returns the value of a token, for the socket. A token may be in a file that `<NAME>_FILE`
names, which is read again each time, so tokens can be rotated without a restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from scheduler.planning.plan import Surroundings

FILE_SUFFIX = "_FILE"
LONGEST_TOKEN = 16_384
"""Bytes that are read from a token's file."""


def surroundings_of(environ: Mapping[str, str]) -> Surroundings:
    """The part of the environment that decisions depend on; of tokens, only the names."""
    return Surroundings(
        # anything but a clear no: a misspelled stop must still stop
        stopped=environ.get("SCHEDULER_PAUSED", "").strip().lower() not in ("", "0", "false", "no", "off"),
        # an empty list counts as not set: CI passes unset variables as empty ones
        allow=tuple(filter(None, re.split(r"[,\s]+", environ.get("SCHEDULER_ALLOW", "")))) or None,
        tokens=frozenset(_token_names(environ)),
        unusable=frozenset(n for n, v in environ.items() if v.strip() and not _is_sendable(v.strip())),
        app_tokens=frozenset(_app_tokens(environ)),
        server=server_of(environ),
    )


def server_of(environ: Mapping[str, str]) -> str:
    """The address of GitHub's pages: GITHUB_SERVER_URL, else the server whose API GITHUB_API_URL names.

    An enterprise server has its API below `/api/v3`; elsewhere the API has a host of its own, `api.<host>`.
    """
    named = environ.get("GITHUB_SERVER_URL", "").strip().rstrip("/")
    if named:
        return named
    scheme, _, rest = environ.get("GITHUB_API_URL", "").strip().partition("://")
    host, _, path = rest.partition("/")
    host = host.rpartition("@")[2]  # an address with a password is refused, and is not shown here either
    if not host:
        return "https://github.com"
    return f"{scheme}://{host if path.strip('/') else host.removeprefix('api.')}"


def _token_names(environ: Mapping[str, str]) -> Iterator[str]:
    """Every variable that could contain a token: itself, or in the file that its `_FILE` names."""
    for name, value in environ.items():
        if value.strip():
            if _is_sendable(value.strip()):
                yield name
            owner = name.removesuffix(FILE_SUFFIX)
            if owner != name and _in_file(value.strip()) is not None:
                yield owner


def _app_tokens(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables with a GitHub App's token. One in a file may be renewed; a job's own lives as long as it."""
    for name, value in environ.items():
        if value.strip().startswith("ghs_") and not (name == "GITHUB_TOKEN" and on_actions(environ)):
            yield name


def token_reader(environ: Mapping[str, str]) -> Callable[[str | None], str | None]:
    """A function that reads a token from its variable or its file; it returns None where there is none."""

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
    """Whether an HTTP header can carry it; a token with a space in it counts as not set."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def _in_file(path: str) -> str | None:
    """The token in a file; None where the file is empty, not text, or unreadable."""
    try:
        if not Path(path).is_file():  # reading a pipe would block
            return None
        with Path(path).open("rb") as file:
            text = file.read(LONGEST_TOKEN).decode("ascii").strip()
            return text if _is_sendable(text) else None
    except (OSError, ValueError):
        return None


def who_runs(environ: Mapping[str, str]) -> dict[str, str]:
    """Who and what started this on GitHub Actions, for the history of the state: `actor`, `event`, `run`.

    Empty elsewhere: there git's own author is enough.
    """
    if not on_actions(environ):
        return {}
    server, repository, run = (
        environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    facts = {
        "actor": environ.get("GITHUB_TRIGGERING_ACTOR") or environ.get("GITHUB_ACTOR", ""),
        "event": environ.get("GITHUB_EVENT_NAME", ""),
        "run": f"{server}/{repository}/actions/runs/{run}" if server and repository and run else "",
    }
    return {name: " ".join(text.split()) for name, text in facts.items() if text.strip()}


def on_actions(environ: Mapping[str, str]) -> bool:
    """Whether this runs in a GitHub Actions job, whose disk is gone afterwards."""
    return environ.get("GITHUB_ACTIONS") == "true"
