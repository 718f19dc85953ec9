"""The declared files while git replaces them: read again, or as committed. Effects: files, git, waits.

git removes a file and writes it anew, and a filter (git-lfs, git-crypt) can make that take seconds. A file
that is missing in between was not removed by anybody: taken for that, it would be cancelled.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from scheduler.checkout.git_objects import place
from scheduler.checkout.reading import BUSY, git_mark, read_once
from scheduler.checkout.remote import sources_at
from scheduler.checkout.source import Source
from scheduler.errors import Error

PATIENCE = 20
"""How often the disk is looked at before the commit counts: a second in all, since what falls due waits."""
_STEP = 0.05


def read_replaced(top: str) -> list[Source]:
    """The files once git is done; after a second, with those that are missing or empty as they are committed.

    Raises Error as `reading.read_sources`.
    """
    for _ in range(PATIENCE):
        threading.Event().wait(_STEP)
        mark = git_mark(top)
        if mark != BUSY:
            with contextlib.suppress(Error):
                sources = read_once(top)
                if git_mark(top) == mark:
                    return sources
    committed: list[Source] = []
    with contextlib.suppress(Error):  # no commit yet: then only the disk has anything
        committed = sources_at(Path(top), "HEAD")
    if not committed:
        return read_once(top)
    by_file = {source.file: source for source in committed}
    with contextlib.suppress(Error):
        by_file |= {s.file: s for s in read_once(top) if s.file not in by_file or (s.content and not s.fault)}
    return sorted(by_file.values(), key=lambda source: place(source.file))
