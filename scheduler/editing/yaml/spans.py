"""The values of a YAML text with the spans in which they are written, and what they mean.

Offsets count characters of the text, as libyaml's marks do. The text is one that `yaml_reader.read` accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from scheduler.desired import yaml_reader
from scheduler.desired.plain import NOTHING

BREAK = re.compile(r"\r\n|\n|\r")
_LAST_BREAK = re.compile(r"(\r\n|\n|\r)\Z")
Loc = tuple[str | int, ...]
"""The route to a value: keys of mappings, indexes of lists."""


class Node(msgspec.Struct):
    """A value with its span in the text. A block collection ends where its last value ends."""

    kind: Literal["scalar", "mapping", "sequence"]
    start: int
    end: int
    text: str = ""
    """The value of a scalar."""
    style: str = ""
    """How a scalar is written: plain (empty), `'`, `"`, `|` or `>`."""
    flow: bool = False
    items: list[Node] = []
    pairs: list[tuple[Node, Node]] = []

    def index(self, key: str) -> int | None:
        """The position of a key in a mapping."""
        return next((i for i, (name, _) in enumerate(self.pairs) if name.text == key), None)

    def child(self, step: str | int) -> Node | None:
        """The value one step down, if it is there."""
        if isinstance(step, int):
            return self.items[step] if 0 <= step < len(self.items) else None
        index = self.index(step)
        return None if index is None else self.pairs[index][1]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written where a value could be."""
        return self.kind == "scalar" and self.start == self.end

    @property
    def is_null(self) -> bool:
        return self.kind == "scalar" and not self.style and self.text in NOTHING


def outline(text: str) -> Node | None:
    """The values of a text with their spans; None where it holds none. The text must be readable."""
    events = iter(yaml_reader.CParser(text).get_event, None)  # type: ignore[attr-defined]  # yaml is imported there alone
    for event in events:
        if _kind(event) in ("Scalar", "MappingStart", "SequenceStart"):
            root = _node(event, events, text)
            return None if root.is_empty else root
    return None


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")


def _node(event: Any, events: Iterator[Any], text: str) -> Node:
    """The value that begins with an event; its other events are taken from the iterator."""
    start, kind = event.start_mark.index, _kind(event)
    if kind == "Scalar":
        return _scalar(event, start, text)
    node = Node(
        "mapping" if kind == "MappingStart" else "sequence", start, start, flow=bool(event.flow_style)
    )
    values: list[Node] = []
    while not _kind(event := next(events)).endswith("End"):
        values.append(_node(event, events, text))
    node.end = event.end_mark.index if node.flow else values[-1].end
    if node.kind == "sequence":
        node.items = values
    else:
        node.pairs = list(zip(values[::2], values[1::2], strict=True))
    return node


def _scalar(event: Any, start: int, text: str) -> Node:
    style = "" if event.implicit[0] else event.style
    end = event.end_mark.index
    if style in ("|", ">"):  # its mark lies behind the blank lines that follow; with `+` they are part of it
        written = text[start:end]
        header = BREAK.split(written, maxsplit=1)[0]
        end = start + len(_LAST_BREAK.sub("", written) if "+" in header else written.rstrip())
    return Node("scalar", start, end, text=event.value, style=style)


Data = tuple[str, str] | dict[str, Any] | list[Any]
"""What a text means: scalars as ("plain" or "quoted", text), since `true` and `"true"` are not the same."""


def data_of(node: Node) -> Data:
    """The meaning of a node, free of its formatting."""
    if node.kind == "scalar":
        return ("quoted" if node.style else "plain", node.text)
    if node.kind == "sequence":
        return [data_of(item) for item in node.items]
    return {key.text: data_of(value) for key, value in node.pairs}


def line_start(text: str, at: int) -> int:
    """Where the line of an offset begins."""
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def column_of(text: str, at: int) -> int:
    """How many characters of its line come before an offset."""
    return at - line_start(text, at)


def without_scalars(root: Node | None, text: str) -> str:
    """The text with an `x` for every character of a scalar: what remains is punctuation and comments."""
    pieces, at = [], 0
    for start, end in _scalars(root):
        pieces += [text[at:start], "x" * (end - start)]
        at = end
    return "".join([*pieces, text[at:]])


def _scalars(node: Node | None) -> Iterator[tuple[int, int]]:
    if node is None:
        return
    if node.kind == "scalar":
        yield node.start, node.end
    for item in node.items:
        yield from _scalars(item)
    for pair in node.pairs:
        for part in pair:
            yield from _scalars(part)


def walk(node: Node | None, text: str, column: int | None) -> Iterable[tuple[Node, int | None]]:
    """Every value in the order of the text, with the column of its key where it has one in a block."""
    if node is None:
        return
    yield node, column
    for item in node.items:
        yield from walk(item, text, None)
    for key, value in node.pairs:
        yield from walk(value, text, None if node.flow else column_of(text, key.start))
