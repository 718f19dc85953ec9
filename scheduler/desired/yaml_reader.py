"""YAML text becomes data, with the place of every key and value.

This is the only module that reads YAML. It takes the small YAML that people write by hand: one document
of mappings, lists and scalars. Scalars keep the text that the editor typed (`no`, `012`, `18:30` and
`2026-03-01` stay what they are; the models give types). Anchors, aliases, tags, directives, merge keys,
several documents, nesting deeper than 32, hidden characters, and whatever makes a file slow or
dangerous to read are problems with a place, never a crash.

The events of libyaml are read, not its nodes: its own composer dies by segmentation fault at deep
nesting. Places cost nothing until they are asked for: they are found by reading the kept text again.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import count, islice
from sys import intern
from typing import Any, Final

from yaml import MarkedYAMLError, YAMLError
from yaml._yaml import CParser, Mark
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from scheduler.desired import yaml_errors
from scheduler.desired.plain import Plain
from scheduler.desired.yaml_errors import Failure, Fault, shortened
from scheduler.diagnostics import Diagnostic, Location, Related, Tally, error

Route = tuple[str | int, ...]
"""The way from the root to a value: keys of mappings, indexes of lists."""

LARGEST: Final = 1_048_576
"""Bytes of a file."""
DEEPEST: Final = 32
"""Mappings and lists inside one another; the root is the first."""
MOST: Final = 200_000
"""Keys, values, and ends of mappings and lists in a file: what is read in well under a second."""

_PRINTABLE_ASCII: Final = bytes((9, 10, 13, *range(32, 127)))
# Control characters; the line breaks that no editor shows as such (NEL, LS, PS: libyaml would break the
# line there); what reverses the text around it; byte order marks and noncharacters. Joiners and direction
# marks stay: emoji and names need them.
_UNSEEN: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff"
_HIDDEN_IN_FILE: Final = re.compile(f"[{_UNSEEN}]")
_HIDDEN_IN_VALUE: Final = re.compile(rf"[\r{_UNSEEN}]")
_HIDDEN_IN_KEY: Final = re.compile(rf"[\t\n\r{_UNSEEN}]")
_STAND_IN: Final = "\N{REPLACEMENT CHARACTER}"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_DIRECTIVE: Final = re.compile(r"(?:^|(?<=[\r\n]))%")
_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7})(?: |\r?$)", re.MULTILINE)
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_NO_KEYS: Final = frozenset(("", "~", "<<"))
# Eight lines or more that are one list item each, mere names without quotes, indented alike.
_RUN: Final = re.compile(
    r"^( *)- [A-Za-z0-9][A-Za-z0-9._-]*\n(?:\1- [A-Za-z0-9][A-Za-z0-9._-]*\n){7,}", re.MULTILINE
)
_ONE_FOR_ALL: Final = "one-for-all-"


class Document:
    """One file as it was read."""

    __slots__ = ("_lines", "_root", "data", "file", "problems", "text")

    def __init__(self, file: str, text: str, data: Any, problems: list[Diagnostic]) -> None:
        self.file = file
        """The path below the repository's root, with forward slashes."""
        self.text = text
        """The decoded text; empty where the bytes are too many or not UTF-8."""
        self.data = data
        """`dict`, `list`, `str` or `Plain`; None where the file says nothing or cannot be read."""
        self.problems = problems
        """What the reader refuses; with a `yaml-syntax` among them `data` is None."""
        self._root: _Node | Mark | None = None
        self._lines: list[str] | None = None

    def place(self, loc: Route) -> Location:
        """Where the value at that route begins, or its nearest ancestor that is there."""
        return self._location(self._find(loc)[1])

    def key_place(self, loc: Route) -> Location:
        """Where the key at that route begins (of a list: the item), or its nearest ancestor's."""
        return self._location(self._find(loc)[0])

    def line(self, number: int) -> str:
        """A source line, counted from 1, safe to print: a hidden character is shown as U+FFFD."""
        if self._lines is None:
            self._lines = _lines(self.text)
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def _find(self, loc: Route) -> tuple[Mark | None, Mark | None]:
        """The marks of the key and of the value at a route, as far as it goes."""
        if self._root is None and self.data is not None:
            self._root = _Reading(self.text).document()[1]
        node = self._root
        key = value = _mark(node)
        for part in loc:
            if not isinstance(node, _Node):
                break
            below = node.child(part)
            if below is None:
                break
            value = _mark(below)
            key = value if isinstance(part, int) else node.keys[part]
            node = below
        return key, value

    def _location(self, mark: Mark | None) -> Location:
        return Location(self.file) if mark is None else _location(self.file, mark)


def read(file: str, raw: bytes) -> Document:
    """The document of a file's bytes. Raises nothing: what is wrong is in its `problems`.

    `file` is the path below the repository's root. A file has at most one `yaml-syntax`. Duplicate keys
    (the first value counts) and hidden characters in values are reported together, with the data.
    """
    if len(raw) > LARGEST:
        return _unreadable(file, "", _too_large(len(raw)))
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    ordinary = not raw.translate(None, _PRINTABLE_ASCII)
    try:
        text = raw.decode("ascii" if ordinary else "utf-8")
    except UnicodeDecodeError as problem:
        return _unreadable(file, "", _undecodable(raw, problem.start))
    fault = _refused_at_sight(raw, text)
    if fault is not None:
        return _unreadable(file, text, fault)
    if ordinary and (data := _condensed(text)) is not None:
        return Document(file, text, data, [])
    reading = _Reading(text, escapes="\\" in text, ordinary=ordinary)
    try:
        data = reading.document()[0]
    except _RefusedError as refused:
        return _unreadable(file, text, refused.fault)
    except YAMLError as failure:
        return _unreadable(file, text, _explained(failure, text))
    return Document(file, text, data, reading.problems(file))


def _condensed(text: str) -> Any:
    """The data of a text with long lists of names, each list read as one item; None where that fails.

    Waves are such texts: with 100 channels each, this reads one in a fifth of the time. The slow twin is
    `_Reading` of the whole text; tests/reporting/test_long_lists.py holds the two equal.
    It is the same reading, since lines that are indented alike are all items of one list or all parts of
    one scalar, and the names mean nothing in YAML. Whatever is found wrong, or leaves an item that stands
    for others anywhere but in a list, is left to the reading of the whole text.
    """
    if len(text) > MOST // 2 or _ONE_FOR_ALL in text:  # so short a text has no more than `MOST` events
        return None
    runs: dict[str, list[Plain]] = {}
    numbers = count()

    def condense(run: re.Match[str]) -> str:
        name = f"{_ONE_FOR_ALL}{next(numbers)}"
        runs[name] = _items(run[0])
        return f"{run[1]}- {name}\n"

    short = _RUN.sub(condense, text)
    if not runs:
        return None
    reading = _Reading(short, escapes="\\" in text, ordinary=True, runs=runs)
    try:
        data = reading.document()[0]
    except (_RefusedError, YAMLError):
        return None
    return data if reading.is_whole else None


@lru_cache(maxsize=256)
def _items(run: str) -> list[Plain]:
    """The names in lines of `- name`. Waves name the same channels again and again."""
    return list(map(Plain, run.split()[1::2]))


class _Node:
    """The places of a mapping or a list, and of what is in it. A scalar has no more than its mark."""

    __slots__ = ("children", "keys", "mark")

    def __init__(
        self, mark: Mark, children: dict[str, Any] | list[Any], keys: dict[str, Mark] | None = None
    ) -> None:
        self.mark = mark
        self.children = children
        self.keys = keys or {}

    def child(self, part: str | int) -> _Node | Mark | None:
        found: _Node | Mark | None = None
        if isinstance(self.children, dict):
            if isinstance(part, str):
                found = self.children.get(part)
        elif isinstance(part, int) and 0 <= part < len(self.children):
            found = self.children[part]
        return found


class _RefusedError(Exception):
    """What libyaml would take, and is not read here."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Reading:
    """One pass over the events of a text. The recursion ends at `DEEPEST`.

    Events are of any type to mypy: a check of each one's class is what tells them apart here, and
    isinstance would cost a tenth of the whole reading.
    """

    __slots__ = (
        "_close_look",
        "_duplicates",
        "_events",
        "_hidden",
        "_in_values",
        "_outside",
        "_question_marks",
        "_runs",
        "_text",
    )

    def __init__(
        self,
        text: str,
        *,
        escapes: bool = True,
        ordinary: bool = False,
        runs: dict[str, list[Plain]] | None = None,
    ) -> None:
        self._text = text
        # Where hidden characters stand, in characters from the start. Each becomes one visible character,
        # so that libyaml reads on and the places stay.
        self._hidden = [] if ordinary else [match.start() for match in _HIDDEN_IN_FILE.finditer(text)]
        self._outside = set(self._hidden)
        self._in_values: list[tuple[Mark, str]] = []
        self._duplicates: list[tuple[str, Mark, Mark]] = []
        self._runs = runs or {}
        """Items that stand for several, and those; each is taken out when it is met in a list."""
        # Few files have anything in them that could be wrong with a scalar.
        self._close_look = escapes or bool(self._hidden) or "!" in text or "&" in text
        # libyaml takes `{?a: b}` for the key `a`, YAML 1.2 for `?a`.
        self._question_marks = "?" in text
        source = _HIDDEN_IN_FILE.sub(_STAND_IN, text) if self._hidden else text
        if not source.endswith(("\n", "\r")):
            source += "\n"  # else libyaml leaves out the last line break of a block scalar
        self._events: Iterator[Any] = islice(iter(CParser(source).get_event, None), MOST)

    def document(self) -> tuple[Any, _Node | Mark | None]:
        """The data and the places of the one document. Raises _RefusedError and YAMLError."""
        next(self._events)  # the start of the stream
        data: Any = None
        root: _Node | Mark | None = None
        if not isinstance(next(self._events), StreamEndEvent):
            data, root = self._value(next(self._events), 0)
            for event in self._events:
                if not isinstance(event, DocumentEndEvent | StreamEndEvent):
                    raise _refused(
                        event.start_mark,
                        "a second document begins here",
                        "one file is one document: delete the `---`, or move what follows to another file",
                    )
        self._refuse_hidden_outside_values()
        if data == "" and isinstance(data, Plain):
            return None, None
        return data, root

    @property
    def is_whole(self) -> bool:
        """Nothing is wrong, and every item that stands for others was found in a list."""
        return not (self._runs or self._duplicates or self._in_values)

    def problems(self, file: str) -> list[Diagnostic]:
        """Duplicate keys and hidden characters in values, in the order of the text."""
        found = Tally()
        for key, second, first in self._duplicates:
            found.report("duplicate-key", file, partial(_duplicate, file, key, second, first))
        for mark, character in self._in_values:
            found.report("invalid-value", file, partial(_hidden, file, mark, character))
        return sorted(found.all(), key=lambda problem: problem.location)

    def _value(self, event: Any, depth: int) -> tuple[Any, _Node | Mark]:
        kind = event.__class__
        if kind is ScalarEvent:
            return self._scalar(event), event.start_mark
        if kind is AliasEvent or event.anchor is not None or event.tag is not None:
            raise self._refused_character(event)
        if depth == DEEPEST:
            raise _refused(
                event.start_mark,
                f"this is nested deeper than {DEEPEST} levels",
                "check for extra brackets or dashes",
            )
        return (self._mapping if kind is MappingStartEvent else self._sequence)(event, depth + 1)

    def _sequence(self, start: Any, depth: int) -> tuple[list[Any], _Node]:
        values: list[Any] = []
        marks: list[Any] = []
        close_look, runs = self._close_look, self._runs
        for event in self._events:
            kind = event.__class__
            if runs and kind is ScalarEvent and event.value in runs:
                values += runs.pop(event.value)
            elif kind is ScalarEvent and not close_look:
                values.append(Plain(event.value) if event.implicit[0] else event.value)
                marks.append(event.start_mark)
            elif kind is SequenceEndEvent:
                return values, _Node(start.start_mark, marks)
            else:
                value, mark = self._value(event, depth)
                values.append(value)
                marks.append(mark)
        raise _too_many(start)

    def _mapping(self, start: Any, depth: int) -> tuple[dict[str, Any], _Node]:
        values: dict[str, Any] = {}
        marks: dict[str, Any] = {}
        keys: dict[str, Mark] = {}
        close_look = self._close_look
        for event in self._events:
            if event.__class__ is MappingEndEvent:
                return values, _Node(start.start_mark, marks, keys)
            key = self._key(event)
            content = next(self._events, None)
            if content is None:
                break
            if content.__class__ is ScalarEvent and not close_look:
                value: Any = Plain(content.value) if content.implicit[0] else content.value
                mark: Any = content.start_mark
            else:
                value, mark = self._value(content, depth)
            if key in values:
                self._duplicates.append((key, event.start_mark, keys[key]))
            else:
                values[key] = value
                marks[key] = mark
                keys[key] = event.start_mark
        raise _too_many(start)

    def _key(self, event: Any) -> str:
        kind = event.__class__
        if kind is AliasEvent or event.anchor is not None or event.tag is not None:
            raise self._refused_character(event)
        if kind is not ScalarEvent:
            raise _refused(
                event.start_mark,
                "a list or a mapping cannot be a key",
                "put a text that begins with `[` or `{` in quotes",
            )
        key: str = event.value
        if key in _NO_KEYS and event.implicit[0]:
            if key == "<<":
                message, hint = "merge keys (`<<`) are not supported", "write the merged keys out"
            else:
                message, hint = yaml_errors.NO_KEY
            raise _refused(event.start_mark, message, hint)
        if not key.isprintable() and _HIDDEN_IN_KEY.search(key):
            raise _refused(
                event.start_mark,
                "a key contains a control character or a line break",
                "write the key on one line, without escapes",
            )
        if not key[:1].isascii():
            mark = event.start_mark
            start = mark.index - mark.column
            odd = yaml_errors.odd_start(mark.line + 1, self._text[start : start + 200].split("\n", 1)[0])
            if odd is not None and odd.column == mark.column + 1:
                raise _RefusedError(odd)
        if self._question_marks and self._text[event.start_mark.index - 1] == "?" and event.start_mark.index:
            raise _refused(
                event.start_mark,
                "a question mark before a key inside brackets has a special meaning in YAML",
                "put the key in quotes, with its question mark",
            )
        return intern(key)

    def _scalar(self, event: Any) -> str:
        """The text of a scalar, after a close look."""
        if event.anchor is not None or event.tag is not None:
            raise self._refused_character(event)
        text: str = event.value
        found: str | None = None
        if self._hidden:
            first = bisect_left(self._hidden, event.start_mark.index)
            after = bisect_left(self._hidden, event.end_mark.index, lo=first)
            if after > first:
                self._outside.difference_update(self._hidden[first:after])
                found = self._text[self._hidden[first]]
        if not text.isprintable():
            escaped = _HIDDEN_IN_VALUE.search(text)
            if escaped is not None:
                found = found or escaped.group()
                text = _HIDDEN_IN_VALUE.sub(_STAND_IN, text)
        if found is not None:
            self._in_values.append((event.start_mark, found))
        return Plain(text) if event.implicit[0] else text

    def _refused_character(self, event: Any) -> _RefusedError:
        """An alias, an anchor or a tag: text that begins with a special character, or what it says."""
        mark = event.start_mark
        lines = _lines(self._text)
        rest = lines[mark.line][mark.column :] if mark.line < len(lines) else ""
        explain = {"*": yaml_errors.alias, "&": yaml_errors.anchor}.get(rest[:1], yaml_errors.tag)
        return _RefusedError(explain(mark.line + 1, mark.column + 1, rest))

    def _refuse_hidden_outside_values(self) -> None:
        """In a comment, a key, or between values: the file is not what it looks like."""
        if self._outside:
            index = min(self._outside)
            message = f"the file contains {_called(self._text[index])}"
            fault = Fault(*_line_and_column(self._text, index), message, "delete it, or retype the line")
            raise _RefusedError(fault)


def _refused_at_sight(raw: bytes, text: str) -> Fault | None:
    """What is known before libyaml reads, so that it can neither mistake it nor be slowed down by it."""
    if len(raw) > 1 and not (raw[0:8:2].strip(b"\0") and raw[1:8:2].strip(b"\0")):
        return _wrong_encoding("UTF-16 or UTF-32")
    if raw.startswith(_LFS_POINTER):
        return Fault(1, 1, "this is a Git LFS pointer, not the file itself", "run `git lfs pull`")
    if b"<<<<<<<" in raw or b">>>>>>>" in raw:
        marker = _CONFLICT.search(text)
        if marker is not None:
            return yaml_errors.conflict(_line_and_column(text, marker.start())[0])
    if b"%" in raw:
        # libyaml takes seconds for many %TAG lines: each is compared with all before it.
        sign = _DIRECTIVE.search(text)
        if sign is not None:
            return yaml_errors.directive(*_line_and_column(text, sign.start()))
    return None


def _explained(failure: YAMLError, text: str) -> Fault:
    """A fault of YAML itself, in plain words."""
    lines = _lines(text)
    if not isinstance(failure, MarkedYAMLError) or failure.problem_mark is None:
        return Fault(
            1, 1, f"this is not YAML ({shortened(str(failure), 200)})", "save it as plain UTF-8 text"
        )
    place = failure.problem_mark
    opened = failure.context_mark
    return yaml_errors.explain(
        Failure(
            lines,
            place.line + 1,
            place.column + 1,
            failure.problem or "",
            failure.context or "",
            None if opened is None else (opened.line + 1, opened.column + 1),
        )
    )


def _duplicate(file: str, key: str, second: Mark, first: Mark) -> Diagnostic:
    return error(
        "duplicate-key",
        _location(file, second),
        f"duplicate key `{shortened(key)}`",
        "keep one of the two",
        [Related("the first one", _location(file, first))],
    )


def _hidden(file: str, mark: Mark, character: str) -> Diagnostic:
    message = f"the value contains {_called(character)}"
    return error("invalid-value", _location(file, mark), message, "retype the value without it")


def _unreadable(file: str, text: str, fault: Fault) -> Document:
    place = Location(file, fault.line, fault.column)
    return Document(file, text, None, [error("yaml-syntax", place, fault.message, fault.hint)])


def _too_large(size: int) -> Fault:
    hint = "split it into several files of at most 1 MiB"
    return Fault(1, 1, f"the file is {size:,} bytes; at most {LARGEST:,} are read", hint)


def _too_many(start: Any) -> _RefusedError:
    message = f"the file has more than {MOST:,} keys and values"
    return _refused(start.start_mark, message, "split it into several files")


def _undecodable(raw: bytes, position: int) -> Fault:
    if raw.startswith(_BYTE_ORDER_MARKS):
        return _wrong_encoding("UTF-16 or UTF-32")
    before = raw[:position].decode("utf-8")
    line, column = _line_and_column(before, len(before))
    return Fault(
        line,
        column,
        f"the file is not valid UTF-8: unexpected byte 0x{raw[position]:02X}",
        "save the file as UTF-8",
    )


def _wrong_encoding(name: str) -> Fault:
    return Fault(1, 1, f"the file is {name}, not UTF-8", "save the file as UTF-8")


def _refused(mark: Mark, message: str, hint: str) -> _RefusedError:
    return _RefusedError(Fault(mark.line + 1, mark.column + 1, message, hint))


def _called(character: str) -> str:
    """A hidden character by its number and what it does."""
    number = ord(character)
    if number == 0xFEFF:
        what = "a byte order mark"
    elif number in (0x85, 0x2028, 0x2029):
        what = "a line break that editors do not show"
    elif 0x202A <= number <= 0x2069:
        what = "it changes the direction of the text around it"
    else:
        what = "NUL, a control character" if number == 0 else "a control character"
    return f"the hidden character U+{number:04X} ({what})"


def _lines(text: str) -> list[str]:
    """The lines as editors and libyaml count them, safe to print."""
    return _LINE_END.split(_HIDDEN_IN_FILE.sub(_STAND_IN, text))


def _line_and_column(text: str, index: int) -> tuple[int, int]:
    """Counted from 1."""
    before = _LINE_END.split(text[:index])
    return len(before), len(before[-1]) + 1


def _mark(node: _Node | Mark | None) -> Mark | None:
    return node.mark if isinstance(node, _Node) else node


def _location(file: str, mark: Mark) -> Location:
    return Location(file, mark.line + 1, mark.column + 1)
