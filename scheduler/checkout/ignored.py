"""Files and folders whose names look as if they were to be read, and are not. Effects: the disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from scheduler.checkout.reading import FOLDERS
from scheduler.checkout.source import SETTINGS, SETTINGS_TOO, SUFFIXES
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.wording import closest

_SUFFIX = re.compile(r"(?P<stem>[^.].*)(?:\.ya?ml(?:\.txt)?|\.json)", re.IGNORECASE)
_SETTINGS = re.compile(r"schedulers?\.(?:ya?ml(?:\.txt)?|json)", re.IGNORECASE)
_BARE = re.compile(r"(?P<stem>[^.]+)")
_KEYS = re.compile(r"^(?:schedules|repository|command|slots) *:", re.MULTILINE)
_ENTRY = re.compile(r"^ *(?:- +)?type *: *(?:simultaneous|staggered)", re.MULTILINE)
_MOST = 10_000
"""Entries of a folder that are looked at."""


def ignored_files(root: str) -> list[Diagnostic]:
    """A warning for each, with what to do: another suffix in `waves/` or `channels/`, a misspelt folder."""
    found = []
    for _, folder in FOLDERS:
        for path in _files_below(f"{root}/{folder}", folder):
            name = path.rpartition("/")[2]
            if name.endswith(SUFFIXES):
                continue
            match = _SUFFIX.fullmatch(name.strip())
            if match is None and (match := _BARE.fullmatch(name.strip())) is not None:
                match = match if _KEYS.search(_beginning(f"{root}/{path}")) else None
            stem = match["stem"] if match is not None else _misspelt(name)
            if stem:
                found.append(ignored(path, f"rename it to {stem}.yaml to have it read"))
    for name in _names(root):
        meant = _folder(name)
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
        elif name.endswith(SUFFIXES) and name[0] != "." and _ENTRY.search(_beginning(f"{root}/{name}")):
            found.append(ignored(name, f"move it to waves/{name} to have it read"))
    return found


def _folder(name: str) -> str | None:
    """The folder that was meant by the name of one."""
    plain = name.strip().lower()
    if plain[:1] not in ("w", "c"):
        return None
    return closest(plain, [folder for _, folder in FOLDERS], cutoff=0.85)


def _misspelt(name: str) -> str | None:
    """The stem of a name whose suffix is nearly the right one: `spring.yam`, `spring.ymal`."""
    stem, dot, suffix = name.strip().rpartition(".")
    is_near = dot and suffix.isalnum() and closest(suffix, ("yaml", "yml"), cutoff=0.75)
    return stem if is_near and stem[:1] not in ("", ".") else None


def _beginning(path: str) -> str:
    """The first lines of a file; empty where it cannot be read as text."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as the rest of this wing
            return file.read(4_096)
    except OSError:
        return ""


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
