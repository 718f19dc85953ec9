"""What the operator's environment says: switches, allow lists, and tokens by the names of their variables.

Pure: it reads a mapping. The value of a token leaves through `token_value` alone, for the socket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from scheduler.errors import SchedulerError
from scheduler.plan import Surroundings

FILE_SUFFIX = "_FILE"


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


def _token_names(environ: Mapping[str, str]) -> set[str]:
    """Every variable that could hold a token: it has a value itself, or names a file that holds it."""
    names = {name for name, value in environ.items() if value.strip()}
    return names | {name.removesuffix(FILE_SUFFIX) for name in names if name.endswith(FILE_SUFFIX)}


def token_reader(environ: Mapping[str, str]) -> Callable[[str | None], str | None]:
    """How the value of a token is read from the environment, or from the file that `<NAME>_FILE` names.

    The file is read each time: what rotates tokens needs no restart.
    """

    def read(name: str | None) -> str | None:
        if name is None:
            return None
        value = environ.get(name, "").strip()
        if value:
            return value
        file = environ.get(name + FILE_SUFFIX, "").strip()
        if not file:
            return None
        try:
            return Path(file).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as problem:
            words = problem.strerror if isinstance(problem, OSError) else "it is not text"
            raise SchedulerError(f"the file that {name}{FILE_SUFFIX} names cannot be read: {words}") from None

    return read


def on_actions(environ: Mapping[str, str]) -> bool:
    """Whether this runs in a GitHub Actions job, whose disk is gone afterwards."""
    return environ.get("GITHUB_ACTIONS") == "true"
