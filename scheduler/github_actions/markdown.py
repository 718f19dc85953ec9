"""Text on its way to GitHub: Markdown that other people's text cannot break, cut to GitHub's limits.

A comment or an issue can hold 65,536 characters, a job summary 1 MiB for each step.
"""

from __future__ import annotations

import re
import unicodedata

COMMENT_LIMIT = 65_536
"""Characters of a comment or of an issue."""
SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's part of the job summary."""

_TAG = re.compile(r"<(/?)details\b[^<>]*>", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}+|~{3,}+)(.*)")


def plain(text: str) -> str:
    """The text on one line, without control, formatting or direction characters."""
    spaced = " ".join(text.split())
    return "".join(one for one in spaced if unicodedata.category(one) not in ("Cc", "Cf", "Cs"))


def code(text: str) -> str:
    """The text as a code span, safe inside a table: no Markdown, HTML or mention in it takes effect."""
    clean = plain(text).replace("|", "\\|") or " "
    longest = max((len(run) for run in re.findall(r"`+", clean)), default=0)
    fence = "`" * (longest + 1)
    space = " " if clean.startswith("`") or clean.endswith("`") else ""
    return f"{fence}{space}{clean}{space}{fence}"


def fit(markdown: str, limit: int, note: str, *, in_bytes: bool = False) -> str:
    """The Markdown itself where it fits, else as many whole lines as fit, and the note.

    A code block or a `<details>` that the cut leaves open is closed: it would swallow the rest of the page.
    """

    def size(text: str) -> int:
        return len(text.encode()) if in_bytes else len(text)

    if size(markdown) <= limit:
        return markdown
    room = limit - size(note) - 200  # for the closing fence and a few `</details>`
    kept: list[str] = []
    for line in markdown.splitlines(keepends=True):
        room -= size(line)
        if room < 0:
            break
        kept.append(line)
    while True:
        text = "".join(kept).rstrip("\n")
        closing = _closing(text)
        if size(text) + size(closing) + size(note) + 2 <= limit or not kept:
            return f"{text}{closing}\n\n{note}"[: limit if not in_bytes else None]
        kept.pop()


def _closing(text: str) -> str:
    """What ends the code block and the `<details>` that the text leaves open."""
    fence = ""
    depth = 0
    for line in text.splitlines():
        match = _FENCE.fullmatch(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
        elif match:
            fence = match[1]
        else:
            for tag in _TAG.finditer(line):
                depth = max(0, depth - 1) if tag[1] else depth + 1
    return (f"\n{fence}" if fence else "") + "\n\n</details>" * depth
