"""How values are written so that they look like the rest of a file, and are read back as what they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scheduler.editing.yaml.spans import BREAK, Data, Node, column_of, walk
from scheduler.errors import ScheduleError

Value = str | int | float | bool | None | Mapping[str, Any] | Sequence[Any]
"""What can be written. A str is text: it is quoted where a YAML tool could read it as something else."""

_WIDTH = 100
"""A list that makes its line longer than this is written with one item per line."""
_AMBIGUOUS = re.compile(
    r"~|null|true|false|yes|no|on|off|y|n|[-+]?\.(inf|nan)|[-+]?0x[0-9a-f]+|[-+]?0o[0-7]+"
    r"|[-+]?\.?\d[\d_.:]*(e[-+]?\d+)?",
    re.IGNORECASE | re.ASCII,
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
_JOINERS = "\u00a0\u200c\u200d"
"""Unprintable to Python, but part of ordinary text (no-break space, and what joins letters and emoji)."""


def meant(value: Value) -> Data:
    """What a value will mean once it is written."""
    if isinstance(value, str):
        return ("plain" if is_plain(value) else "quoted", value)
    if isinstance(value, Mapping):
        return {key: meant(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [meant(item) for item in value]
    return ("plain", _word(value))


def is_plain(text: str) -> bool:
    """Whether a text needs no quotes anywhere: any tool, for YAML 1.1 or 1.2, reads it as this text."""
    if not text or not text.isprintable() or _AMBIGUOUS.fullmatch(text):
        return False
    first, second = text[0], text[1:2]
    if not (first.isalnum() or first in "_/(" or (first in "-+." and second.isalnum())):
        return False
    if text[-1] in " :" or ": " in text:
        return False
    return all(letter.isalnum() or letter in " _./+-@()=;:'" for letter in text)


def _word(value: float | bool | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _single(text: str) -> str | None:
    """In single quotes, which have no escapes; None where it would need one."""
    if all(letter.isprintable() or letter in _JOINERS for letter in text):
        return "'" + text.replace("'", "''") + "'"
    return None


def _double(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable() or letter in _JOINERS:
        return letter
    code = ord(letter)
    if 0xD800 <= code <= 0xDFFF:
        raise ScheduleError("the text contains half a character (a lone surrogate)", hint="type it again")
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class Style(msgspec.Struct):
    """How this file is written, so that what is added looks like the rest of it."""

    newline: str = "\n"
    quote: str = '"'
    brace: str = " "
    """Inside the braces of a flow mapping."""
    bracket: str = ""
    """Inside the brackets of a flow sequence of scalars."""
    step: int = 2
    """How far the dashes below a key are indented from it."""

    def scalar(self, value: Value, quote: str = "") -> str:
        """A scalar; one that was quoted stays quoted."""
        if not isinstance(value, str):
            return _word(value)  # type: ignore[arg-type]  # collections never come here
        if not quote and is_plain(value):
            return value
        return (_single(value) if (quote or self.quote) == "'" else None) or _double(value)

    def flow(self, value: Value) -> str:
        """A value on one line."""
        if isinstance(value, Mapping):
            inside = ", ".join(f"{self.scalar(key)}: {self.flow(item)}" for key, item in value.items())
            return f"{{{self.brace}{inside}{self.brace}}}" if inside else "{}"
        if isinstance(value, Sequence) and not isinstance(value, str):
            inside = ", ".join(map(self.flow, value))
            pad = self.bracket if value and not isinstance(value[0], Mapping) else ""
            return f"[{pad}{inside}{pad}]" if inside else "[]"
        return self.scalar(value)

    def pair(self, key: str, value: Value, column: int) -> str:
        """`key: value` for a block mapping whose keys are in this column (from 0)."""
        line = f"{self.scalar(key)}: {self.flow(value)}"
        if column + len(line) <= _WIDTH or not isinstance(value, Sequence) or isinstance(value, str):
            return line
        items = [self.item(item, column + self.step) for item in value]
        return self.newline.join([f"{self.scalar(key)}:", *items])

    def item(self, value: Value, column: int, *, block: bool = False, gap: int = 2) -> str:
        """`- value`, the dash in this column; `gap` is from the dash to the value."""
        start = " " * column + "-" + " " * (gap - 1)
        if not block or not isinstance(value, Mapping):
            return start + self.flow(value)
        inner = column + gap
        lines = [self.pair(key, item, inner) for key, item in value.items()]
        return start + (self.newline + " " * inner).join(lines)


def style_of(root: Node | None, text: str) -> Style:
    """The habits of a file: for each, the first example of it."""
    style = Style()
    if found := BREAK.search(text):
        style.newline = found.group()
    quotes: set[str] = set()
    seen: set[str] = set()
    for node, column in walk(root, text, None):
        if node.kind == "scalar":
            quotes.add(node.style)
        elif node.flow and (node.items or node.pairs):
            name = "bracket" if node.items else "brace"
            if name not in seen:
                seen.add(name)
                setattr(style, name, " " if text[node.start + 1] == " " else "")
        elif node.kind == "sequence" and not node.flow and column is not None and "step" not in seen:
            seen.add("step")
            style.step = max(0, column_of(text, node.start) - column)
    if "'" in quotes and '"' not in quotes:
        style.quote = "'"
    return style
