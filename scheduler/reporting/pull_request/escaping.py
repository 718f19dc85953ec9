"""Text that came from elsewhere, on its way into Markdown that GitHub renders.

Everything that is not ours is put into `<code>` or `<pre>`, with every character that Markdown, HTML,
GitHub's mentions and references, or a log could act upon written as a character reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from scheduler.reporting.terminal import clip, visible
from scheduler.wording import and_more, listed

_LONGEST = 120
"""Characters of one value; whole ones are in the JSON."""
_OPEN = 10
"""A list of fewer rows is shown unfolded."""
_ACTIVE = re.compile(r"[!\"#$&'()*:<>@\[\\\]^_`{|}~]|w(?=ww\.)", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that nothing can act upon any more: for use inside `<code>` or `<pre>` only."""
    return _ACTIVE.sub(lambda match: f"&#x{ord(match.group()):x};", text)


def code(text: str) -> str:
    """A value within a line or a table."""
    return f"<code>{escape(visible(clip(text, _LONGEST)))}</code>"


def zone_name(name: str) -> str:
    """Text with the IANA name of a zone in it, where only `_` could be taken for emphasis."""
    return name.replace("_", "&#x5f;")


def some(values: Sequence[str], most: int, noun: str) -> str:
    """The first few values as code, and how many more there are: `a`, `b` and 38 more channels."""
    if len(values) <= most + 1:  # one more is as short as saying that there is one more
        return listed([code(value) for value in values])
    return and_more([code(value) for value in values[:most]], most, noun, total=len(values))


def folded(summary: str, rows: int, body: str) -> str:
    """A fold that is open where it holds few rows. The summary is our own HTML, where Markdown does not
    apply."""
    state = " open" if rows < _OPEN else ""
    return f"<details{state}><summary>{summary}</summary>\n\n{body}\n\n</details>"


def that_fit(lines: Iterable[str], room: int) -> list[str]:
    """As many of the lines, from the first, as fit into `room` (bytes, with their line breaks)."""
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return kept
