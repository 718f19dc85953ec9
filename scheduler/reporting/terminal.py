"""Text that came from elsewhere, made safe and measurable before it reaches a screen.

Titles, reasons, file names and servers' answers are other people's text. What a terminal would obey or an
eye would not see (control characters, escapes, bidirectional overrides, lone surrogates) is shown as an
escape such as `\\x1b`; everything else stays as written.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# C0, DEL and C1; soft hyphen; bidirectional controls (https://www.unicode.org/reports/tr9/); line and
# paragraph separators; invisible operators, byte order marks, tags; surrogates. The two joiners stay: emoji
# and several scripts need them. `##[` is how the older syntax of GitHub's workflow commands begins, which
# the runner obeys anywhere in a line.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff\ud800-\udfff]|#(?=#\\[)"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """The text on one line, with everything hidden in it shown as an escape."""
    # Fast path: nearly every text is plain. The expression alone gives the same and takes 6 times as long
    # (tests/reporting/test_fast_paths.py).
    if text.isascii() and text.isprintable() and "##[" not in text:
        return text
    return _HIDDEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clip(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis where it has more than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def width(text: str) -> int:
    """The cells that a visible text takes on a terminal: wide characters two, combining characters none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


@lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def pad(text: str, cells: int) -> str:
    """A visible text, padded with spaces to that many cells."""
    return text + " " * (cells - width(text))


# --- colour ---------------------------------------------------------------------------------------

_SGR = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2", "alarm": "1;31"}


class Paint:
    """Colours for a terminal, or none: `Paint(False)` returns every text unchanged."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if self._colour and text else text
