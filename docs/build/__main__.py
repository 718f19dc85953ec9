"""Write the pages of docs/ that code makes: `python docs/build/__main__.py`, or `make docs`.

With `--check` nothing is written: the pages that differ are named, and the exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import commands
import environment
import json_documents
import keys
import python_api
import rules

PROJECT = Path(__file__).resolve().parents[2]
PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/wave.md": keys.wave,
    "docs/reference/channel.md": keys.channel,
    "docs/reference/settings.md": keys.settings,
    "docs/reference/commands.md": commands.page,
    "docs/reference/environment.md": environment.page,
    "docs/reference/json.md": json_documents.page,
    "docs/reference/python.md": python_api.page,
    "docs/rules.md": rules.page,
}
"""Each page with the function that makes its text."""


def differing() -> list[str]:
    """The committed pages that are not what code makes."""
    return [page for page, make in PAGES.items() if _committed(page) != make()]


def _committed(page: str) -> str | None:
    path = PROJECT / page
    return path.read_text(encoding="utf-8") if path.exists() else None


def write() -> None:
    """Write every page anew."""
    for page, make in PAGES.items():
        (PROJECT / page).parent.mkdir(parents=True, exist_ok=True)
        (PROJECT / page).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        pages = differing()
        for name in pages:
            print(f"{name} differs from what code makes: run `make docs` and commit it")
        sys.exit(1 if pages else 0)
    write()
