"""Text that came from elsewhere, on its way into Markdown that GitHub draws.

Everything that is not ours stands in `<code>` or `<pre>`, with every sign that Markdown, HTML, GitHub's
mentions and references, or a log could act upon written as a character reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from scheduler.reporting.terminal import clip, visible
from scheduler.wording import listed

_LONGEST = 120
"""Characters of one value; whole ones are in the JSON."""
_OPEN = 10
"""A list of fewer rows is shown unfolded."""
_ACTIVE = re.compile(r"[!\"#$&'()*:<>@\[\\\]^_`{|}~]|w(?=ww\.)", re.IGNORECASE)


def escape(text: str) -> str:
    """Text in which nothing is left to act upon: for use inside `<code>` or `<pre>` alone."""
    return _ACTIVE.sub(lambda match: f"&#x{ord(match.group()):x};", text)


def code(text: str) -> str:
    """A value within a line or a table."""
    return f"<code>{escape(visible(clip(text, _LONGEST)))}</code>"


def zone_name(name: str) -> str:
    """The IANA name of a zone, of which `_` alone could be taken for emphasis."""
    return name.replace("_", "&#x5f;")


def some(values: Sequence[str], most: int, noun: str) -> str:
    """The first few values as code, and how many more there are: `a`, `b` and 38 more channels."""
    if len(values) <= most + 1:
        return listed([code(value) for value in values])
    rest = len(values) - most
    return f"{', '.join(code(value) for value in values[:most])} and {rest:,} more {noun}s"


def folded(summary: str, rows: int, body: str) -> str:
    """A fold, open where it holds little. The summary is ours: HTML, where Markdown does not apply."""
    sign = " open" if rows < _OPEN else ""
    return f"<details{sign}><summary>{summary}</summary>\n\n{body}\n\n</details>"


def that_fit(lines: Iterable[str], room: int) -> list[str]:
    """As many of the lines, from the first, as have room (in bytes, with their line breaks)."""
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return kept
