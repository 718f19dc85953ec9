"""Files and folders whose names look as if they were to be read, and are not. Effects: the disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from scheduler.checkout.reading import FOLDERS
from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, SUFFIXES
from scheduler.diagnostics import Diagnostic, Location, warning

_SUFFIX = re.compile(r"(?P<stem>[^.].*)(?:\.ya?ml(?:\.txt)?|\.json)", re.IGNORECASE)
_SETTINGS = re.compile(r"scheduler\.ya?ml(?:\.txt)?", re.IGNORECASE)
_MOST = 10_000
"""Entries of a folder that are looked at."""


def ignored_files(root: str) -> list[Diagnostic]:
    """A warning for each, with what to do: another suffix in `waves/` or `channels/`, a misspelt folder."""
    found = []
    for _, folder in FOLDERS:
        for path in _files_below(f"{root}/{folder}", folder):
            name = path.rpartition("/")[2]
            if not name.endswith(SUFFIXES) and (match := _SUFFIX.fullmatch(name)) is not None:
                found.append(ignored(path, f"rename it to {match['stem']}.yaml to have it read"))
    for name in _names(root):
        meant = next((folder for _, folder in FOLDERS if name.lower() in (folder, folder[:-1])), None)
        if (
            meant
            and name != meant
            and any(p.endswith(SUFFIXES) for p in _files_below(f"{root}/{name}", name))
        ):
            is_there = os.path.isdir(f"{root}/{meant}")  # noqa: PTH112 - as the rest of this wing
            move = f"move its files to {meant}/" if is_there else f"rename it to {meant}/"
            found.append(ignored(f"{name}/", f"{move} to have them read"))
        elif _SETTINGS.fullmatch(name) and name not in (SETTINGS, SETTINGS_TOO):
            found.append(ignored(name, f"rename it to {SETTINGS} to have it read"))
    return found


def ignored(name: str, hint: str) -> Diagnostic:
    """The warning about a file or a folder (with a slash at its end)."""
    return warning("ignored-file", Location.whole(name), f"{name} is not read", hint)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - as the rest of this wing
    except OSError:  # reported by the reading, where it matters
        return []


def _files_below(folder: str, name: str) -> Iterator[str]:
    """The files of a folder and those below it by their paths, as long as there are not too many."""
    seen = 0
    for path, folders, files in os.walk(folder):
        folders.sort()
        below = os.path.relpath(path, folder).replace(os.sep, "/")
        yield from (f"{name}/{file}" if below == "." else f"{name}/{below}/{file}" for file in sorted(files))
        seen += len(files) + len(folders)
        if seen > _MOST:
            return
