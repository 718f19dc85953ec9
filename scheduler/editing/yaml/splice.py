"""One value of a YAML text changed, and every other character left as it was.

A `Draft` reads a text once, collects splices (set, insert, remove, append) against that reading, and
`finish` applies them. The result is parsed again and must hold exactly the data that was asked for, which is
computed from the old data without looking at the new text; otherwise `finish` raises. So formatting that
these rules do not foresee ends in a refusal, never in a corrupted file. (ruamel.yaml, which keeps comments
too, would reformat 17 of the 95 files that it was tried on.)

Comments stay. One is removed only inside a value that is removed, or after it on its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from scheduler.desired import yaml_reader
from scheduler.editing.yaml.spans import (
    BREAK,
    Data,
    Loc,
    Node,
    column_of,
    data_of,
    line_start,
    outline,
    without_scalars,
)
from scheduler.editing.yaml.style import Value, meant, style_of
from scheduler.errors import ScheduleError

_TO_DASH = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r|(-))")
"""The rest of a line up to its break, or the dash of an item."""


class Draft:
    """The changes to one text. Routes are those of the text as it was read, for all of them."""

    def __init__(self, text: str, file: str = "the file") -> None:
        """Raises ScheduleError, with the diagnostics, where the text cannot be read."""
        self.file = file
        self._mark = "\ufeff" if text.startswith("\ufeff") else ""
        self.text = text[len(self._mark) :]
        document = yaml_reader.read(file, text.encode(errors="surrogatepass"))
        if document.problems:
            raise ScheduleError(
                f"{file} cannot be edited because it cannot be read: {document.problems[0].message}",
                document.problems,
                hint="fix it first; `scheduler validate` shows where",
            )
        self.root = outline(self.text)
        self.style = style_of(self.root, self.text)
        self._bare = without_scalars(self.root, self.text)
        self._splices: list[tuple[int, int, int, str]] = []
        self._set: dict[Loc, Data] = {}
        self._gone: set[Loc] = set()
        self._added: dict[Loc, list[Any]] = {}

    # --- reading ---

    def node(self, loc: Loc) -> Node | None:
        """The value at a route, if it is there: a key that is null counts as absent."""
        node = self._written(loc)
        is_value = bool(loc) and isinstance(loc[-1], str)
        return None if node is not None and is_value and node.is_null else node

    def _written(self, loc: Loc) -> Node | None:
        node = self.root
        for step in loc:
            if node is None:
                return None
            node = node.child(step)
        return node

    def routes(self, loc: Loc) -> list[Loc]:
        """The routes of the items of a list; none where there is no list."""
        node = self.node(loc)
        return [(*loc, index) for index in range(len(node.items) if node is not None else 0)]

    def get(self, loc: Loc) -> str | None:
        """The text of the scalar at a route; None where there is none."""
        node = self.node(loc)
        return node.text if node is not None and node.kind == "scalar" else None

    def source(self, node: Node) -> str:
        """A value as it is written."""
        return self.text[node.start : node.end]

    def position(self, mapping: Loc, key: str, before: tuple[str, ...] = ()) -> int:
        """Where a new key goes in a mapping: before the first key of `before`, or at the end."""
        names = [name.text for name, _ in self._mapping(mapping).pairs if name.text != key]
        return next((i for i, name in enumerate(names) if name in before), len(names))

    def spaces(self, loc: Loc) -> int | None:
        """How many spaces are between the colon and the value; None where there is anything else."""
        between = self.text[self._colon(loc) + 1 : self._there(loc).start]
        return None if between.strip(" ") else len(between)

    def gap(self, loc: Loc) -> str:
        """The text before a key in a flow mapping, from the end of the value before it."""
        mapping, index = self._pair(loc)
        start = mapping.pairs[index - 1][1].end if index else mapping.start + 1
        return self.text[start : mapping.pairs[index][0].start]

    def looks_inserted(self, loc: Loc, before: tuple[str, ...] = ()) -> bool:
        """Whether a pair is where and as `insert` would write it, on one line, uncommented."""
        mapping, index = self._pair(loc)
        key, value = mapping.pairs[index]
        if self.spaces(loc) is None or BREAK.search(self.text, key.start, value.end):
            return False
        if mapping.flow:
            return 0 < index == len(mapping.pairs) - 1 and self.gap(loc) in (", ", ",  ")
        if index != self.position(loc[:-1], str(loc[-1]), before) or value.end != self._line_end(value.end):
            return False
        return self._on_next_line(mapping, index)

    def looks_inserted_block(self, loc: Loc) -> bool:
        """Whether a list is where and as `insert_block` would write it, uncommented."""
        mapping, index = self._pair(loc)
        key, value = mapping.pairs[index]
        behind = self.text[value.end : self._line_end(value.end)]
        return (
            index == len(mapping.pairs) - 1
            and index > 0
            and not mapping.flow
            and not value.flow
            and self._colon(loc) + 1 == self._line_end(key.end)
            and not behind
            and not self._comments(key.end, value.end)
            and self._on_next_line(mapping, index)
        )

    def _on_next_line(self, mapping: Node, index: int) -> bool:
        """Whether a pair of a block is on the line right after its neighbour (the first one: before it)."""
        if len(mapping.pairs) < 2:
            return False
        above, below = mapping.pairs[max(index, 1) - 1][1].end, mapping.pairs[max(index, 1)][0].start
        column = column_of(self.text, mapping.pairs[0][0].start)
        own_line = index > 0 or not self.text[mapping.start - column : mapping.start].strip(" ")
        return own_line and self.text[self._next_line(above) : below] == " " * column

    def _comments(self, start: int, end: int) -> bool:
        """Whether there is a comment in a span that begins and ends outside of comments."""
        return "#" in self._bare[start:end]

    def _mapping(self, loc: Loc) -> Node:
        node = self._there(loc)
        if node.kind != "mapping":
            self._refuse(f"{_route(loc)} is not a mapping", node.start)
        return node

    def _there(self, loc: Loc) -> Node:
        node = self._written(loc)
        if node is None:
            raise ScheduleError(f"{self.file} has no {_route(loc)}")
        return node

    def _pair(self, loc: Loc) -> tuple[Node, int]:
        mapping = self._mapping(loc[:-1])
        self._there(loc)
        index = mapping.index(str(loc[-1]))
        assert index is not None, "it is there"
        return mapping, index

    def _colon(self, loc: Loc) -> int:
        mapping, index = self._pair(loc)
        key, value = mapping.pairs[index]
        colon = self.text.find(":", key.end, max(value.start, key.end + 1))
        if colon < 0:
            self._refuse(f"{_route(loc)} has no colon on its line", key.start)
        return colon

    def _line_end(self, at: int) -> int:
        found = BREAK.search(self.text, at)
        return found.start() if found else len(self.text)

    def _next_line(self, at: int) -> int:
        found = BREAK.search(self.text, at)
        return found.end() if found else len(self.text)

    def _refuse(self, why: str, at: int) -> NoReturn:
        line = len(BREAK.findall(self.text, 0, at)) + 1
        raise ScheduleError(
            f"{self.file} cannot be edited safely at line {line}: {why}; nothing was written",
            hint="make this change by hand",
        )

    def _splice(self, start: int, end: int, new: str) -> None:
        self._splices.append((start, end, len(self._splices), new))

    # --- changing ---

    def set(self, loc: Loc, value: Value, *, spaces: int | None = None) -> None:
        """Replace the value at a route; its quotes stay, and so does the comment after it.

        `spaces`: how many spaces to write between the colon and the value; default: as many as there are.
        """
        node = self._there(loc)
        scalar = isinstance(value, str) or not isinstance(value, Mapping | Sequence)
        if scalar and node.kind == "scalar" and node.style in ("'", '"') and isinstance(value, str):
            new = self.style.scalar(value, node.style)
            self._set[loc] = ("quoted", value)
        else:
            new = self.style.flow(value)
            self._set[loc] = meant(value)
        if spaces is not None:
            self._splice(self._colon(loc) + 1, node.end, " " * spaces + new)
        elif node.is_empty:
            self._splice(node.start, node.start, " " + new)
        elif node.kind == "scalar" or node.flow or isinstance(loc[-1], int):
            self._splice(node.start, node.end, new)
        else:  # a block below its key: the new value goes next to the key, before the comment there
            colon = self._colon(loc) + 1
            self._splice(colon, colon, " " + new)
            self._splice(self._line_end(colon), node.end, "")

    def insert(
        self, mapping: Loc, key: str, value: Value, *, before: tuple[str, ...] = (), apart: bool = False
    ) -> None:
        """Add a key to a mapping, at `position`. `apart`: with an extra space before it (flow only)."""
        if self.root is None and not mapping:
            self._begin(key, value, self.style.pair(key, value, 0))
            return
        node = self._mapping(mapping)
        if node.index(key) is not None:  # it is null
            self.set((*mapping, key), value)
            return
        self._added.setdefault(mapping, []).append((key, meant(value)))
        if node.flow:
            self._insert_flow(node, key, value, apart)
            return
        first = node.pairs[0][0].start
        column = column_of(self.text, first)
        new = self.style.pair(key, value, column)
        index = self.position(mapping, key, before)
        if index == 0 and not self.text[first - column : first].strip(" "):
            self._splice(first - column, first - column, " " * column + new + self.style.newline)
            return
        end = self._line_end(node.pairs[max(index, 1) - 1][1].end)
        self._splice(end, end, self._break(end) + " " * column + new)

    def _insert_flow(self, node: Node, key: str, value: Value, apart: bool) -> None:
        new = f"{self.style.scalar(key)}: {self.style.flow(value)}"
        if node.pairs:
            end = node.pairs[-1][1].end
            self._splice(end, end, (",  " if apart else ", ") + new)
        else:
            pad = self.style.brace
            self._splice(node.start + 1, node.start + 1, pad + new + pad)

    def _begin(self, key: str, value: Value, new: str) -> None:
        """The first key of a file that holds nothing but comments."""
        self._set[()] = {key: meant(value)}
        start = "" if not self.text or self.text[-1] in "\r\n" else self.style.newline
        self._splice(len(self.text), len(self.text), start + new + self.style.newline)

    def _break(self, at: int) -> str:
        """The line break to use at a line's end: the one that is there."""
        found = BREAK.match(self.text, at)
        return found.group() if found else self.style.newline

    def insert_block(self, mapping: Loc, key: str, items: Sequence[Value], *, block: bool) -> None:
        """Add a key with a block sequence at the end of a mapping."""
        if self.root is not None and self._mapping(mapping).flow:
            self.insert(mapping, key, items)
            return
        if self._written((*mapping, key)) is not None:  # it is null
            self.append((*mapping, key), items[0], block=block)
            return
        column = column_of(self.text, self._mapping(mapping).pairs[0][0].start) if self.root else 0
        lines = [self.style.item(item, column + self.style.step, block=block) for item in items]
        new = self.style.newline.join([f"{self.style.scalar(key)}:", *lines])
        if self.root is None:
            self._begin(key, items, new)
            return
        self._added.setdefault(mapping, []).append((key, meant(items)))
        end = self._line_end(self._mapping(mapping).end)
        self._splice(end, end, self._break(end) + " " * column + new)

    def append(
        self, loc: Loc, value: Value, *, block: bool | None = None, below: bool = False, spaced: bool = False
    ) -> None:
        """Add an item to a sequence.

        `block`: write a mapping on lines of its own, after an empty line where the other items have one
        (default: where another item is written so). `below`: an empty flow sequence becomes lines below its
        key. `spaced`: in an empty flow sequence, a space before the item.
        """
        node = self._there(loc)
        if node.is_empty or (below and node.kind == "sequence" and not node.items):
            self._append_first(loc, node, value, bool(block))
            return
        if node.kind != "sequence":
            self._refuse(f"{_route(loc)} is not a list", node.start)
        added = self._added.setdefault(loc, [])
        added.append(meant(value))
        if node.flow:
            at = node.items[-1].end if node.items else node.start + 1
            start = ", " if node.items or len(added) > 1 else " " * spaced
            self._splice(at, at, start + self.style.flow(value))
            return
        last = node.items[-1]
        apart = block is not False and self._set_apart(node)
        if block is None:
            block = any(item.kind == "mapping" and not item.flow for item in node.items)
        dash = self._dash(node, len(node.items) - 1)
        gap = last.start - dash if last.kind == "mapping" and last.start - dash < 9 else 2
        new = self.style.item(value, column_of(self.text, node.start), block=block, gap=gap)
        end = self._line_end(last.end)
        self._splice(end, end, self._break(end) * (1 + apart) + new)

    def _append_first(self, loc: Loc, node: Node, value: Value, block: bool) -> None:
        """Write the first item of `key:` or `key: []` as a block below the key; the comment there stays."""
        mapping, index = self._pair(loc)
        if node.is_empty and mapping.flow:
            self.set(loc, [value])
            return
        if mapping.flow or self._comments(node.start, node.end):
            self.append(loc, value)
            return
        colon = self._colon(loc) + 1
        column = column_of(self.text, mapping.pairs[index][0].start) + self.style.step
        self._set[loc] = [meant(value)]
        self._splice(colon, node.end, "")
        end = self._line_end(node.end)
        self._splice(end, end, self._break(end) + self.style.item(value, column, block=block))

    def _set_apart(self, node: Node) -> bool:
        """Whether the last two items of a block sequence have an empty line between them."""
        if len(node.items) < 2:
            return False
        end = self._line_end(node.items[-2].end)
        between = self.text[end : self._dash(node, len(node.items) - 1)]
        return re.match(r"(\r\n|\n|\r)[ \t]*(\r|\n)", between) is not None

    def _dash(self, node: Node, index: int) -> int:
        """The offset of the dash of an item of a block sequence."""
        if index == 0:
            return node.start
        at = node.items[index - 1].end
        while (match := _TO_DASH.match(self.text, at)) is not None and not match[1]:
            at = match.end()
        if match is None:
            self._refuse("the `-` of a list item was not found", at)
        return match.start(1)

    def wrap(self, loc: Loc, key: str, extra: Mapping[str, Value]) -> None:
        """Turn a scalar into `{ key: scalar, …extra }`, the scalar written as before."""
        node = self._there(loc)
        if node.style in ("|", ">") or node.is_empty or BREAK.search(self.source(node)):
            self._refuse(f"{_route(loc)} is not written on one line", node.start)
        pad = self.style.brace
        pairs = "".join(f", {self.style.scalar(name)}: {self.style.flow(v)}" for name, v in extra.items())
        self._splice(node.start, node.start, f"{{{pad}{key}: ")
        self._splice(node.end, node.end, f"{pairs}{pad}}}")
        self._set[loc] = {key: data_of(node), **{name: meant(v) for name, v in extra.items()}}

    def unwrap(self, loc: Loc, key: str) -> bool:
        """Undo `wrap` where a mapping is written exactly as `wrap` writes one with one extra key."""
        node = self._mapping(loc)
        if len(node.pairs) != 2 or node.pairs[0][0].text != key or not node.flow:
            return False
        value, (name, last) = node.pairs[0][1], node.pairs[1]
        for pad in ("", " "):
            start, end = f"{{{pad}{key}: ", f"{pad}}}"
            exact = f"{start}{self.source(value)}, {self.source(name)}: {self.source(last)}{end}"
            if exact == self.source(node) and not BREAK.search(exact):
                self._splice(node.start, value.start, "")
                self._splice(value.end, node.end, "")
                self._set[loc] = data_of(value)
                return True
        return False

    def replace(self, loc: Loc, key: str, value: Value) -> None:
        """Replace a key and its value with another key and value; the comment after them stays."""
        mapping, index = self._pair(loc)
        old, node = mapping.pairs[index]
        if node.kind != "scalar" or node.is_empty:
            self._refuse(f"{_route(loc)} is not a scalar", old.start)
        self._splice(old.start, old.end, self.style.scalar(key))
        self._splice(node.start, node.end, self.style.flow(value))
        self._gone.add(loc)
        self._added.setdefault(loc[:-1], []).append((key, meant(value)))

    def remove(self, loc: Loc) -> None:
        """Remove a key with its value, its lines and the comment after it."""
        mapping, index = self._pair(loc)
        key, value = mapping.pairs[index]
        self._gone.add(loc)
        following = mapping.pairs[index + 1][0].start if index + 1 < len(mapping.pairs) else None
        if mapping.flow:
            self._remove_flow(mapping, index)
            return
        if len(mapping.pairs) == 1 and len(loc) == 1:
            self._refuse(f"{_route(loc)} is the only key of the file", key.start)
        line = line_start(self.text, key.start)
        if not self.text[line : key.start].strip(" "):
            self._remove_lines(line, self._next_line(value.end))
        elif following is None:  # the only key of an item
            self._splice(key.start, value.end, "{}")
        elif self._comments(value.end, following):
            self._refuse(f"there is a comment between {_route(loc)} and the next key", value.end)
        else:
            self._splice(key.start, following, "")

    def _remove_flow(self, mapping: Node, index: int) -> None:
        pairs = mapping.pairs
        key, value = pairs[index]
        if index:
            span = (pairs[index - 1][1].end, value.end)
        elif len(pairs) > 1:
            span = (key.start, pairs[1][0].start)
        else:
            span = (mapping.start + 1, mapping.end - 1)
        if self._comments(span[0], key.start) or self._comments(value.end, span[1]):
            self._refuse("there is a comment next to the key that would be removed", key.start)
        self._splice(*span, "")

    def _remove_lines(self, start: int, after: int) -> None:
        """Remove whole lines, up to the start of another; a file without a final line break stays so."""
        if after == len(self.text) and start and self.text[-1] not in "\r\n":
            start -= 2 if self.text[start - 2 : start] == "\r\n" else 1
        self._splice(start, after, "")

    def remove_items(self, loc: Loc, indices: Iterable[int]) -> None:
        """Remove items from a sequence that keeps at least one, with the comments after them."""
        node = self._there(loc)
        doomed = sorted(set(indices))
        self._gone.update((*loc, index) for index in doomed)
        if node.flow:
            self._remove_flow_items(node, doomed)
            return
        spans: list[tuple[int, int]] = []
        for index in doomed:
            dash = self._dash(node, index)
            start, after = line_start(self.text, dash), self._next_line(node.items[index].end)
            if self.text[start:dash].strip(" "):
                self._refuse("the list starts in the middle of a line", dash)
            if spans and spans[-1][1] == start:
                start = spans.pop()[0]
            spans.append((start, after))
        for span in spans:
            self._remove_lines(*span)

    def _remove_flow_items(self, node: Node, doomed: list[int]) -> None:
        kept = next(i for i in range(len(node.items)) if i not in doomed)
        spans = [(node.items[i - 1].end, node.items[i].end) for i in doomed if i > kept]
        if kept:
            spans.append((node.items[0].start, node.items[kept].start))
        for start, end in spans:
            if self._comments(start, end):
                self._refuse("there is a comment next to the item that would be removed", start)
            self._splice(start, end, "")

    def empty(self, loc: Loc) -> None:
        """Remove the only item of a flow sequence, which stays, and a space before the item."""
        node = self._there(loc)
        if self._comments(node.start, node.end):
            self._refuse("there is a comment next to the item that would be removed", node.start)
        start = node.items[0].start
        start -= self.text[start - 1] == " "
        self._splice(start, node.items[-1].end, "")
        self._set[loc] = []

    # --- finishing ---

    def finish(self) -> str:
        """The new text. Raises ScheduleError where it does not mean exactly what was asked for."""
        if not self._splices:
            return self._mark + self.text
        pieces, at = [self._mark], 0
        for start, end, _, new in sorted(self._splices):
            if start < at:
                self._refuse("two changes overlap", start)
            pieces += [self.text[at:start], new]
            at = end
        text = "".join([*pieces, self.text[at:]])
        document = yaml_reader.read(self.file, text.encode(errors="surrogatepass"))
        first = min(self._splices)[0]
        if document.problems:
            self._refuse(f"the result would be invalid: {document.problems[0].message}", first)
        wanted = self._expected(self.root, ()) if self.root is not None else self._set[()]
        after = outline(text[len(self._mark) :])
        if after is None or data_of(after) != wanted:
            self._refuse("its formatting is not supported there", first)
        return text

    def _expected(self, node: Node, loc: Loc) -> Data:
        """The data that was asked for, from the old data and the changes alone."""
        if loc in self._set:
            return self._set[loc]
        added = self._added.get(loc, [])
        if node.kind == "mapping":
            kept = [(key.text, value) for key, value in node.pairs if (*loc, key.text) not in self._gone]
            old = {key: self._expected(value, (*loc, key)) for key, value in kept}
            return {**old, **dict(added)}
        if node.kind == "sequence":
            left = [(i, item) for i, item in enumerate(node.items) if (*loc, i) not in self._gone]
            return [*(self._expected(item, (*loc, i)) for i, item in left), *added]
        return data_of(node)


def _route(loc: Loc) -> str:
    """`schedules[2].at`: a route as messages show it."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return f"`{path.lstrip('.')}`" if path else "the file's content"


def set_value(text: str, loc: Loc, value: Value, *, file: str = "the file") -> str:
    """The text with one value replaced, or one key added at the end of its mapping.

    Raises ScheduleError where the text cannot be read, or cannot be edited safely.
    """
    draft = Draft(text, file)
    if draft.node(loc) is None:
        draft.insert(loc[:-1], str(loc[-1]), value)
    else:
        draft.set(loc, value)
    return draft.finish()
