"""YAML text -> data: what is kept, what is refused, where everything stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scheduler.desired.plain import Plain
from scheduler.desired.yaml_reader import Document, read
from scheduler.diagnostics import Location

WAVE = """\
# the spring launch
title: Spring launch
schedules:
  - type: simultaneous
    video: "teaser-4k"
    at: 2026-03-01T18:00:00Z
    channels: [alpha, beta]
    metadata:
      campaign: >
        spring
        sale
  - {type: staggered, delay: 1h}
"""


def of(text: str | bytes) -> Document:
    return read("waves/a.yaml", text if isinstance(text, bytes) else text.encode())


def told(document: Document) -> list[str]:
    """`line:column code` of every problem, in the order told."""
    return [f"{p.location.line}:{p.location.column} {p.code}" for p in document.problems]


# What is kept


def test_a_file_becomes_mappings_lists_and_texts_in_their_order() -> None:
    document = of(WAVE)
    assert document.problems == []
    assert document.text == WAVE
    assert document.data == {
        "title": "Spring launch",
        "schedules": [
            {
                "type": "simultaneous",
                "video": "teaser-4k",
                "at": "2026-03-01T18:00:00Z",
                "channels": ["alpha", "beta"],
                "metadata": {"campaign": "spring sale\n"},
            },
            {"type": "staggered", "delay": "1h"},
        ],
    }
    assert list(document.data["schedules"][0]) == ["type", "video", "at", "channels", "metadata"]


TYPED = """
no on y Yes true ~ null NULL = 012 0777 0o17 0x1F 0b11 1_000 +1 -1 1e9 1e400 .nan .inf 1.10 50% 18:30 12:30:00
2026-03-01 2026-03-01T18:00:00Z 2026-02-30 1h30m a:b http://x/y#z x?y it's Mon,Wed
"""


@pytest.mark.parametrize(
    "typed",
    [*TYPED.split(), "Mon *-*-1..7 09:30", "Rock & Roll", "wait! what", "9" * 5000, "ünï 👩\u200d👧 \u200f"],
)
def test_a_scalar_keeps_the_text_that_was_typed(typed: str) -> None:
    quoted = typed.replace("'", "''")
    document = of(f"a: {typed}\nb: [x]\nc: '{quoted}'\n")
    assert document.problems == []
    assert document.data["a"] == typed
    assert isinstance(document.data["a"], Plain)
    assert document.data["c"] == typed
    assert not isinstance(document.data["c"], Plain)


@pytest.mark.parametrize("key", ["no", "on", "012", "1.0", "true", "null", "2026-03-01", "a b", "ünï"])
def test_a_key_is_the_text_that_was_typed(key: str) -> None:
    assert of(f"{key}: 1\n").data == {key: "1"}


def test_only_a_scalar_without_quotes_is_plain() -> None:
    data = of("[a, 'a', \"a\", b\n  c]").data
    assert [isinstance(value, Plain) for value in data] == [True, False, False, True]
    assert not isinstance(of("a: |\n  x\n").data["a"], Plain)


def test_nothing_after_a_colon_or_a_dash_is_an_empty_plain_text() -> None:
    document = of("a:\nb: ''\nc:\n  -\n  - ~\n")
    assert document.data == {"a": "", "b": "", "c": ["", "~"]}
    assert isinstance(document.data["a"], Plain)
    assert not isinstance(document.data["b"], Plain)


@pytest.mark.parametrize(
    "text", ["", "\n \n", "# a comment\n", "---\n", "--- # x\n", "\ufeff", "\ufeff# x\r\n"]
)
def test_a_file_that_says_nothing_is_none_without_a_problem(text: str) -> None:
    document = of(text)
    assert (document.data, document.problems) == (None, [])
    assert document.place(("schedules",)) == Location("waves/a.yaml", 1, 1)
    assert document.key_place(()) == Location("waves/a.yaml", 1, 1)


@pytest.mark.parametrize(
    ("text", "data"), [("~", "~"), ("null", "null"), ("- a", ["a"]), ("x y", "x y"), ("''", "")]
)
def test_a_list_or_a_scalar_at_the_top_is_left_to_the_models(text: str, data: object) -> None:
    assert of(text).data == data


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_reads_the_same(end: str) -> None:
    document = of(WAVE.replace("\n", end))
    assert document.data == of(WAVE).data
    assert document.place(("schedules", 1, "delay")) == Location("waves/a.yaml", 12, 30)
    assert document.line(12) == "  - {type: staggered, delay: 1h}"


def test_a_byte_order_mark_is_dropped_and_moves_no_column() -> None:
    document = of("\ufefftitle: x\n")
    assert document.data == {"title": "x"}
    assert document.key_place(("title",)) == Location("waves/a.yaml", 1, 1)


def test_a_last_line_without_its_end_reads_like_one_with() -> None:
    assert of("a: |\n  x\n   ").data == of("a: |\n  x\n   \n").data == {"a": "x\n \n"}


@pytest.mark.parametrize(
    "text", ["---\na: 1\n", "a: 1\n...\n", "---\na: 1\n...\n# the end\n", "# x\n---\na: 1"]
)
def test_marks_around_the_one_document_are_fine(text: str) -> None:
    assert of(text).data == {"a": "1"}


def test_thirty_two_levels_are_read_and_thirty_three_are_not() -> None:
    assert told(of("[" * 32 + "]" * 32)) == []
    assert told(of("[" * 33 + "]" * 33)) == ["1:33 yaml-syntax"]


# What is refused: rows are sentence, text, place, words of the message, words of the hint

SYNTAX = [
    ("a missing colon", "a: 1\nb 2\nc: 3\n", "2:1", "missing `:` in `b 2`", "`b: 2`"),
    (
        "a missing colon in the first line",
        "title x\nschedules: []\n",
        "1:1",
        "missing `:` in",
        "`title: x`",
    ),
    ("a missing colon in the last line", "a: 1\nb 2", "2:1", "missing `:` in", "`b: 2`"),
    ("a missing colon with a comment", "a: 1\nb 2 # see: c\nc: 1\n", "2:1", "in `b 2`", "`b: 2`"),
    ("a missing colon before a list", "a: 1\nschedules\n  - a\n", "2:1", "in `schedules`", "`schedules:`"),
    ("a missing colon in an entry", "x:\n  - type y\n    video: z\n", "2:5", "in `type y`", "`type: y`"),
    ("a missing colon deep in an entry", "x:\n  - a: y\n    b z\n    c: 1\n", "3:5", "in `b z`", "`b: z`"),
    ("a wide colon", "a： 1\nb: 2\n", "1:2", "full-width colon", "`a: 1`"),
    ("no space after a colon", "a:1\nb: 2\n", "1:2", "missing space after `:`", "`a: 1`"),
    ("no space after a later colon", "a: 1\nb:2\nc: 3\n", "2:2", "missing space after `:`", "`b: 2`"),
    (
        "no space after a colon in an entry",
        "x:\n  - a:y\n    b: z\n",
        "2:6",
        "missing space after `:`",
        "`a: y`",
    ),
    ("a no-break space after a colon", "a:\u00a01\nb: 2\n", "1:2", "missing space after `:`", "`a: 1`"),
    ("a narrow space after a colon", "a:\u202f1\nb: 2\n", "1:2", "missing space after `:`", "`a: 1`"),
    ("a wide space after a colon", "a:\u30001\nb: 2\n", "1:2", "missing space after `:`", "`a: 1`"),
    ("a zero-width space after a colon", "a:\u200b1\nb: 2\n", "1:2", "missing space after `:`", "`a: 1`"),
    ("a byte order mark as indentation", "x:\n  - a: 1\n\ufeffb: 2\n", "3:1", "U+FEFF", "before `b: 2`"),
    ("a zero-width space as indentation", "x:\n  - a: 1\n\u200b\u200bb: 2\n", "3:1", "U+200B", "`b: 2`"),
    ("a semicolon for a colon", "a: 1\nb; 2\nc: 3\n", "2:1", "`;` is used in place of `:`", "`b: 2`"),
    ("an arrow for a colon", "a: 1\nb -> 2\nc: 3\n", "2:1", "`->` is used in place of `:`", "`b: 2`"),
    ("a fat arrow for a colon", "a: 1\nb => 2\nc: 3\n", "2:1", "`=>` is used in place of `:`", "`b: 2`"),
    (
        "a comment of another language",
        "a: 1\n// see b\nc: 3\n",
        "2:1",
        "does not begin a comment",
        "`# see b`",
    ),
    ("a comment with a semicolon", "a: 1\n; see b\nc: 3\n", "2:1", "does not begin a comment", "`# see b`"),
    ("braces around a line", "a: 1\n{b: 2}\nc: 3\n", "2:1", "cannot begin a line among keys", "`b: 2`"),
    ("an at sign in a list", "a: [@b, c]\n", "1:5", "cannot begin with `@`", '"@b"'),
    ("a mapping without its braces", "a: tags: [de]\n", "1:8", "another key", "`a: { tags: [de] }`"),
    (
        "a colon in a value",
        "t: Spring: the launch\n",
        "1:10",
        "`Spring: the launch`",
        't: "Spring: the launch"',
    ),
    ("a colon in a value with quotes", 't: Say "a": b\n', "1:11", "colon", "t: 'Say \"a\": b'"),
    ("a colon at the end of a value", "a: b:\n", "1:5", "`b:`", 'a: "b:"'),
    ("a key on the line of the dashes", "--- a: 1\n", "1:6", "`---`", "a line of its own"),
    ("a key of 1,100 characters", "k" * 1100 + ": 1\n", "1:1101", "1,024", "shorten"),
    ("a key over two lines", '"a\n b": 1\n', "1:1", "not closed on its line", "one line"),
    ("a line too deep", "a: 1\n  b: 2\n", "2:3", "`b` is indented deeper than `a`", "column 1, below `a`"),
    ("a line too deep in an entry", "x:\n  - a: 1\n     b: 2\n", "3:6", "deeper than `a`", "column 5"),
    (
        "a line between two levels",
        "a:\n    b: 1\n  c: 2\n",
        "3:3",
        "matches no line",
        "1, below `a`, or in column 5",
    ),
    ("an item between two levels", "x:\n  - a\n - b\n", "3:2", "a list item", "column 3, below `- a`"),
    ("an item among keys", "x: 1\n- b\n", "2:1", "expected a key, not a list item", "column 1, below `x`"),
    ("a key among items", "- b\nx: 1\n", "2:1", "does not begin with a dash", "`- x: 1`"),
    ("a key below the dash of its item", "x:\n  - a: 1\n  b: 2\n", "3:3", "a dash", "column 5, below `a`"),
    ("a key beside the text of its item", "x:\n  - a: 1\n   b: 2\n", "3:4", "a dash", "column 5, below `a`"),
    (
        "a key between the dash and its keys",
        "- a: 1\n  b: 2\n c: 3\n",
        "3:2",
        "a dash",
        "start it in column 3, below `b`",
    ),
    ("no blank after a dash", "x:\n  - a\n  -b # c\n", "3:3", "missing space after `-` in `-b`", "`- b`"),
    (
        "no blank after the first dash",
        "x:\n  -a: 1\n   b: 2\n",
        "2:3",
        "missing space after `-` in `-a: 1`",
        "`- a: 1`",
    ),
    (
        "no blank after a later dash",
        "x:\n  - a: 1\n  -a: 2\n",
        "3:3",
        "missing space after `-` in `-a: 2`",
        "`- a: 2`",
    ),
    ("a missing dash", "x:\n  - a\n  b\n  - c\n", "3:3", "missing `-` before `b`", "`- b`"),
    ("a first line that is indented", "  a: 1\nb: 2\n", "2:1", "does not belong", "column 3, below `a`"),
    ("a tab before a key", "a:\n\tb: 1\n", "2:1", "a tab", "spaces"),
    ("a tab on a later line", "a:\n  b: 1\n\tc: 1\n", "3:1", "a tab", "spaces"),
    ("a tab in an entry", "x:\n  - a: 1\n\tb: 2\n", "3:1", "a tab", "spaces"),
    ("a tab after a dash", "x:\n  -\ta: 1\n    b: 2\n", "2:4", "a tab", "spaces"),
    ("an open double quote", 'a: "x\nb: 1\n', "1:4", '`"x` is never closed', '`"`'),
    ("an open single quote", "a: 'x\nb: 1\n", "1:4", "`'x` is never closed", "`'`"),
    ("an open quote before another", 'a: "x y\nb:\n  - c: "z"\n', "1:4", '`"x y` is never closed', '`"`'),
    ("an apostrophe in single quotes", "a: 'it's'\nb: 1\n", "1:8", "closing quote", "it''s"),
    ("a quote in double quotes", 'a: "x" y\nb: 1\n', "1:8", "closing quote", '\\"'),
    ("an open list", "a: [x, y\nb: 1\n", "1:4", "`[` is never closed", "`]`"),
    ("a number sign in brackets", "a: [#x, y]\n", "1:5", "a comment begins here", "in quotes"),
    ("an open list at the end", "a: [x, y", "1:4", "`[` is never closed", "`]`"),
    ("an open mapping", "a: {x: 1, y: 2\nb: 1\n", "1:4", "`{` is never closed", "`}`"),
    ("a missing comma in a list", "a: ['x' 'y']\n", "1:9", "missing `,` or", "between two items"),
    ("a missing comma in a mapping", "a: {x: 1 y: 2}\n", "1:11", "missing `,` or", "between two items"),
    ("a bracket that closes nothing", "b: ]\n", "1:4", "unmatched `]`", "quotes"),
    ("a bracket too many", "a: [x, y]]\nb: 1\n", "1:10", "unmatched `]`", "delete it"),
    ("a value that begins with a bracket", "t: [Live] Spring\nb: 1\n", "1:11", "closing `]`", "in quotes"),
    ("a value that begins with a brace", "t: {Live} Spring\nb: 1\n", "1:11", "closing `}`", "in quotes"),
    ("a template", "t: {{ video }}\n", "1:5", "cannot be a key", "quotes"),
    ("a value that begins with @", "a: @foo # x\n", "1:4", "cannot begin with `@`", '"@foo"'),
    ("a value that begins with a backtick", "a: `foo`\n", "1:4", "a backtick", '"`foo`"'),
    ("a value that begins with %", "a: 1\nb: %20\n", "2:4", "cannot begin with `%`", '"%20"'),
    ("a value that begins with a question mark", "a: ? b\n", "1:4", "`?`", '"? b"'),
    ("a list that begins after its key", "a: - b\n", "1:4", "a list with dashes", "next line"),
    ("two commas", "a: [x,,y]\n", "1:7", "before this comma", "delete the comma"),
    ("a key without a value in brackets", "a: {x:, y: z}\n", "1:6", "colon", "quotes"),
    ("a dash in brackets", "a: [x, - y]\n", "1:8", "dashes is not allowed inside brackets", "commas"),
    ("a value that begins with a colon", "a: [: x]\n", "1:5", "begin with a colon", "quotes"),
    ("brackets that end with the file", "a: {b: ", "2:1", "the file ends", "close"),
    ("a line below a lone dash", "x:\n  -\n  y: 1\n", "3:3", "the dash above it", "column 5"),
    ("a tab in a key", "a\tb: c\n", "1:1", "a control character", "one line"),
    ("a colon below its key in brackets", '{"a"\n: "b"}\n', "2:1", "different line from its key", "one line"),
    ("a key with a question mark in brackets", "{?a: 1}\n", "1:3", "question mark", "quotes"),
    (
        "a Windows path in double quotes",
        'a: "C:\\path"\n',
        "1:7",
        "`\\p` is not a valid escape",
        "single quotes",
    ),
    ("half a surrogate pair", 'a: "\\ud800"\n', "1:7", "is not a valid character", "single quotes"),
    ("an escape without digits", 'a: "\\xZZ"\n', "1:7", "is not a valid character", "two"),
    ("text after a block sign", "a: | x\n", "1:4", "`|` or `>`", "next line"),
    ("a key that is missing", "a: 1\n: x\n", "2:1", "missing key before", "`key: value`"),
    ("a key that is nothing", "~: x\n", "1:1", "missing key before", "`key: value`"),
    ("a list as a key", "? [a]\n: b\n", "1:3", "cannot be a key", "quotes"),
    ("a mapping as a key", "{a: b}: c\n", "1:1", "cannot be a key", "quotes"),
    ("a key with an escaped NUL", '"a\\0b": 1\n', "1:1", "control character", "one line"),
    ("a key with a line break", '"a\\nb": 1\n', "1:1", "a line break", "one line"),
    ("a merge key", "a: 1\n<<: {b: 2}\n", "2:1", "merge keys", "write the merged keys out"),
]
REFUSED = [
    ("an anchor", "a: &x 1\n", "1:4", "a YAML anchor", '"&x 1"'),
    (
        "an anchor at a mapping",
        "a: &x\n  b: 1\n",
        "1:4",
        "a YAML anchor",
        "write the value out in both places",
    ),
    ("an anchor at a key", "&x a: 1\n", "1:1", "a YAML anchor", "write the value out in both places"),
    ("an ampersand before a space", "title: & more\n", "1:8", "`&`", '"& more"'),
    ("an alias that nothing defines", "a: *x\n", "1:4", "a YAML alias", "write the value out"),
    ("an alias as a key", "*x : 1\n", "1:1", "a YAML alias", "write the value out"),
    (
        "an anchor that holds itself",
        "&a [*a]\n",
        "1:1",
        "a YAML anchor",
        "write the value out in both places",
    ),
    (
        "a posting slot that begins with a star",
        "a:\n - *-*-1 18:00\n",
        "2:4",
        "a YAML alias",
        '"*-*-1 18:00"',
    ),
    (
        "billion laughs",
        "a: &a [x]\nb: &b [*a,*a]\n",
        "1:4",
        "a YAML anchor",
        "write the value out in both places",
    ),
    ("a tag that runs code", "a: !!python/object/apply:os.system [id]\n", "1:4", "a YAML tag", "delete it"),
    ("a tag of a type", "a: !!str 1\n", "1:4", "a YAML tag", '"!!str 1"'),
    ("a tag on nothing", "title: !important\n", "1:8", "a YAML tag", '"!important"'),
    ("a tag of nobody", "a: !e!x y\n", "1:4", "a YAML tag", "delete it"),
    ("a tag at a mapping", "--- !!set\na: 1\n", "1:5", "a YAML tag", "delete it"),
    ("a bare tag", "a: ! x\n", "1:4", "a YAML tag", '"! x"'),
    ("two documents", "a: 1\n---\nb: 2\n", "2:1", "a second document", "delete the `---`"),
    ("an empty second document", "a: 1\n---\n", "2:1", "a second document", "delete the `---`"),
    ("text after the end", "a: 1\n...\nb: 2\n", "3:1", "after the end", "delete that line"),
    ("a version", "%YAML 9.9\n---\na: 1\n", "1:1", "a YAML directive", "delete the line"),
    ("a version that fits", "# x\n%YAML 1.2\n---\na: 1\n", "2:1", "a YAML directive", "delete the line"),
    ("a tag directive", "%TAG ! tag:x:\n---\na: 1\n", "1:1", "a YAML directive", "delete the line"),
    ("a directive of nobody", "%FOO\r---\ra: 1\n", "1:1", "a YAML directive", "delete the line"),
    (
        "a merge conflict",
        "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n",
        "2:1",
        "merge conflict",
        "sides",
    ),
    ("half a merge conflict", "a: 1\nb: 2\n>>>>>>> feature\n", "3:1", "merge conflict", "sides"),
    ("the middle of a merge conflict", "a: 1\n=======\nb: 1\n", "2:1", "merge conflict", "sides"),
    ("a merge conflict with CRLF", "a: 1\r\n<<<<<<<\r\nb: 1\r\n", "2:1", "merge conflict", "sides"),
    ("a NUL in a comment", "a: 1 # x\0\n", "1:9", "U+0000 (NUL, a control character)", "delete it"),
    ("a NUL in a key", "a\0: 1\n", "1:2", "U+0000", "delete it"),
    ("a reversed comment", "a: 1\n# \u202ex\n", "2:3", "U+202E", "delete it"),
    ("a hidden line break in a comment", "# x\u2028b: 1\na: 1\n", "1:4", "U+2028", "delete it"),
    ("two byte order marks", "\ufeff\ufeffa: 1\n", "1:1", "a byte order mark", "delete it"),
    (
        "a pointer of Git LFS",
        "version https://git-lfs.github.com/spec/v1\noid x\n",
        "1:1",
        "LFS",
        "git lfs pull",
    ),
]
BYTES = [
    ("UTF-16 with its mark", "a: 1\n".encode("utf-16"), "1:1", "UTF-16", "UTF-8"),
    ("UTF-16 without a mark", "a: 1\n".encode("utf-16-be"), "1:1", "UTF-16", "UTF-8"),
    ("UTF-32", "a: 1\n".encode("utf-32"), "1:1", "UTF-32", "UTF-8"),
    ("Latin-1", "a: 1\nb: ü café\n".encode("latin-1"), "2:4", "0xFC", "UTF-8"),
    ("a cut UTF-8 character", "a: ü\nb: ü".encode()[:-1], "2:4", "0xC3", "UTF-8"),
    ("a surrogate in UTF-8", b"a: \xed\xa0\x80\n", "1:4", "0xED", "UTF-8"),
    ("a file over 1 MiB", b"# " + b"x" * 1_048_576, "1:1", "1,048,578 bytes", "several files"),
    ("260,000 values", b"- a\n" * 260_000, "1:1", "200,000", "several files"),
    ("260,000 keys", b"{" + b"a," * 260_000 + b"}", "1:1", "200,000", "several files"),
    ("200,000 brackets", b"[" * 200_000, "1:33", "32 levels", "brackets"),
    ("a million dashes", b"- " * 500_000, "1:65", "32 levels", "dashes"),
    ("1,000 mappings in one another", "".join(f"{' ' * n}a:\n" for n in range(1000)), "33:33", "32", "check"),
    ("60,000 tag directives", "".join(f"%TAG !{n}! x\n" for n in range(60_000)), "1:1", "directive", "line"),
]


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [pytest.param(*row[1:], id=row[0]) for row in SYNTAX + REFUSED + BYTES],
)
def test_what_cannot_be_read_is_one_error_at_its_place(
    text: str | bytes, place: str, message: str, hint: str
) -> None:
    document = of(text)
    assert told(document) == [f"{place} yaml-syntax"]
    assert message in document.problems[0].message
    assert hint in (document.problems[0].hint or "")
    assert document.data is None
    assert document.problems[0].location.file == "waves/a.yaml"


@pytest.mark.parametrize("text", [pytest.param(row[1], id=row[0]) for row in SYNTAX + REFUSED + BYTES])
def test_no_message_carries_what_a_terminal_would_obey(text: str | bytes) -> None:
    problem = of(text).problems[0]
    assert (problem.message + (problem.hint or "")).isprintable()


@pytest.mark.parametrize("text", [pytest.param(row[1], id=row[0]) for row in SYNTAX])
def test_a_fault_of_an_editor_is_never_told_in_the_words_of_a_parser(text: str) -> None:
    assert "this is not YAML" not in of(text).problems[0].message


def test_a_file_that_cannot_be_decoded_has_no_text() -> None:
    document = of(b"\xff\xfe\x00")
    assert (document.text, document.line(1)) == ("", "")
    assert document.place(("a",)) == Location("waves/a.yaml", 1, 1)


# What is told beside the data


def test_a_duplicate_key_is_told_with_its_first_place_and_the_first_value_stands() -> None:
    document = of("a: 1\nb: 2\na:\n  c: 3\n")
    assert told(document) == ["3:1 duplicate-key"]
    assert "`a`" in document.problems[0].message
    assert [related.location for related in document.problems[0].related] == [Location("waves/a.yaml", 1, 1)]
    assert document.data == {"a": "1", "b": "2"}
    assert document.place(("a",)) == Location("waves/a.yaml", 1, 4)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "{a: 1, 'a': 2}", '{a: 1, "\\x61": 2}'])
def test_keys_are_duplicates_however_they_are_written(text: str) -> None:
    assert [p.code for p in of(text).problems] == ["duplicate-key"]


def test_every_duplicate_of_a_file_is_told_those_inside_a_duplicate_too() -> None:
    document = of("a: {x: 1, x: 2}\na: {y: 1, y: 2}\nb: 1\nb: 2\n")
    assert told(document) == [
        "1:11 duplicate-key",
        "2:1 duplicate-key",
        "2:11 duplicate-key",
        "4:1 duplicate-key",
    ]


@pytest.mark.parametrize("text", ["a: 1\n" * 30_000, "[" + '"\\0",' * 30_000 + "]"])
def test_of_very_many_problems_a_hundred_are_told_and_the_others_counted(text: str) -> None:
    problems = of(text).problems
    assert len(problems) == 101
    not_shown = 29_900 - text.startswith("a")  # the first of many keys is none too many
    assert problems[-1].message == f"…and {not_shown:,} more in this file are not shown"
    assert problems[-1].not_shown == not_shown


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param('"x\\0y"', "U+0000", id="an escaped NUL"),
        pytest.param('"x\0y"', "U+0000", id="a NUL"),
        pytest.param("x\0y", "U+0000", id="a NUL without quotes"),
        pytest.param("\0", "U+0000", id="nothing but a NUL"),
        pytest.param("x\x1b[31my", "U+001B", id="a colour of a terminal"),
        pytest.param('"x\\ey"', "U+001B", id="an escaped escape"),
        pytest.param('"x\\ry"', "U+000D", id="an escaped carriage return"),
        pytest.param("x\x7fy", "U+007F", id="DEL"),
        pytest.param("x\x85 y", "U+0085", id="a line break of mainframes"),
        pytest.param('"x\\Ny"', "U+0085", id="an escaped one"),
        pytest.param("x\u2028y", "U+2028", id="a line separator"),
        pytest.param("gnp.\u202e4k", "U+202E", id="text that is shown backwards"),
        pytest.param('"\\u2066x"', "U+2066", id="an isolate"),
        pytest.param("x\ufeffy", "U+FEFF", id="a byte order mark"),
        pytest.param("x\uffffy", "U+FFFF", id="a noncharacter"),
        pytest.param("|\n  x\n  y\0\n", "U+0000", id="a NUL in a block"),
    ],
)
def test_a_hidden_character_in_a_value_is_an_invalid_value_at_the_value(value: str, number: str) -> None:
    document = of(f"b: 1\na: {value}\nc: 2\n")
    assert told(document) == ["2:4 invalid-value"]
    assert number in document.problems[0].message
    assert document.data["c"] == "2"
    assert "\N{REPLACEMENT CHARACTER}" in document.data["a"]
    assert document.line(3 if "|" in value else 2).isprintable()
    assert document.place(("a",)) == document.problems[0].location


def test_all_faults_beside_the_data_are_told_in_one_pass() -> None:
    document = of('a: "\\0"\nb: 1\nb: x\x1by\nc: [ok, "\\e"]\n')
    assert told(document) == [
        "1:4 invalid-value",
        "3:1 duplicate-key",
        "3:4 invalid-value",
        "4:9 invalid-value",
    ]


def test_tabs_and_line_breaks_inside_a_value_are_text() -> None:
    assert of('a: "x\\ty\\nz"\nb: |\n  x\ty\n').data == {"a": "x\ty\nz", "b": "x\ty\n"}


# Places


@pytest.mark.parametrize(
    ("loc", "value", "key"),
    [
        ((), "2:1", "2:1"),
        (("title",), "2:8", "2:1"),
        (("schedules",), "4:3", "3:1"),
        (("schedules", 0), "4:5", "4:5"),
        (("schedules", 0, "video"), "5:12", "5:5"),
        (("schedules", 0, "channels"), "7:15", "7:5"),
        (("schedules", 0, "channels", 1), "7:23", "7:23"),
        (("schedules", 0, "metadata", "campaign"), "9:17", "9:7"),
        (("schedules", 1), "12:5", "12:5"),
        (("schedules", 1, "delay"), "12:30", "12:23"),
        (("schedules", 1, "delay", "deeper", 0), "12:30", "12:23"),
        (("schedules", 0, "missing"), "4:5", "4:5"),
        (("schedules", 2), "4:3", "3:1"),
        (("schedules", -1), "4:3", "3:1"),
        (("schedules", "0"), "4:3", "3:1"),
        ((0,), "2:1", "2:1"),
    ],
)
def test_a_route_leads_to_its_value_its_key_or_the_nearest_ancestor(
    loc: tuple[str | int, ...], value: str, key: str
) -> None:
    document = of(WAVE)
    assert str(document.place(loc)) == f"waves/a.yaml:{value}"
    assert str(document.key_place(loc)) == f"waves/a.yaml:{key}"


def test_columns_count_characters_not_bytes() -> None:
    document = of("{ü: é👩, b: x}\n")
    assert document.place(("b",)) == Location("waves/a.yaml", 1, 12)


def test_a_line_is_shown_as_it_stands_and_beyond_the_text_there_is_none() -> None:
    document = of("a: 1\r\n\tb\rc\n")
    assert [document.line(n) for n in (0, 1, 2, 3, 4, 5)] == ["", "a: 1", "\tb", "c", "", ""]


# Properties


def leaves(data: Any, route: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, (*route, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaves(value, (*route, index))
    else:
        yield route, data


def assert_sound(document: Document) -> None:
    """What holds for every file, good or bad."""
    assert len([p for p in document.problems if p.code == "yaml-syntax"]) in (0, len(document.problems))
    count = document.text.count("\n") + document.text.count("\r") + 2
    for problem in document.problems:
        assert problem.location.file == document.file
        assert problem.location.line >= 1
        assert problem.location.line <= count or not document.text  # no text is kept of what is not UTF-8
        assert problem.location.column >= 1
        assert (problem.message + (problem.hint or "")).isprintable()
    for route, value in leaves(document.data):
        place = document.place(route)
        rest = document.line(place.line)[place.column - 1 :]
        if isinstance(value, Plain):
            assert rest.startswith(value.split("\n")[0].split(" ")[0])
        elif value is not None:
            assert rest[:1] in ("'", '"', "|", ">")


SIGNS = """
a b:_ a:_ -_ ^ ^__ ^____ [ ] { } ,_ ' " \\ :_ ? ?_ # _#_ |^ > &x_ *x ! % ---^ ...^ <<:_ <<<<<<<_ ======= @ `
~ 1 - it's x:y é
"""
"""Pieces of YAML; `_` stands for a space and `^` for a line end."""
YAML_SIGNS = st.lists(
    st.sampled_from(
        [sign.replace("_", " ").replace("^", "\n") for sign in SIGNS.split()]
        + ["\t", "\r\n", "\r", "\0", "\x85", "\u2028", "\ufeff"]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=400)
@given(YAML_SIGNS)
@example("a: 'x\n' y\n")
@example("? ")
def test_text_made_of_the_signs_of_yaml_is_read_or_told(text: str) -> None:
    assert_sound(of(text))


@settings(max_examples=300)
@given(st.binary(max_size=300))
@example(b"\0")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
def test_any_bytes_are_read_or_told(raw: bytes) -> None:
    assert_sound(of(raw))


@settings(max_examples=200)
@given(st.integers(0, len(WAVE)), YAML_SIGNS)
def test_a_file_with_anything_typed_into_it_is_read_or_told(position: int, typed: str) -> None:
    assert_sound(of(WAVE[:position] + typed + WAVE[position:]))


TEXTS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs", "Cc")), max_size=20
).filter(lambda text: not any((c < " " and c not in "\t\n") or "\x7f" <= c <= "\x9f" for c in text))
KEYS = st.text("abcdefgh-_. ü1", min_size=1, max_size=8)
DATA = st.recursive(
    TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=200)
@given(DATA, st.sampled_from([None, True, False]))
def test_what_another_writer_of_yaml_wrote_is_read_back_with_its_places(data: Any, flow: bool | None) -> None:
    text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow, sort_keys=False, width=30)
    document = of(text)
    assert document.problems == []
    assert document.data == data
    assert_sound(document)


@settings(max_examples=100)
@given(YAML_SIGNS)
def test_reading_twice_tells_the_same(text: str) -> None:
    first, second = of(text), of(text)
    assert (first.data, first.problems) == (second.data, second.problems)
