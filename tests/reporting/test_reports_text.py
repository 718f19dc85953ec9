"""Diagnostics as people read them."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting import HOSTILE, assert_harmless, diagnostics, texts

from scheduler.diagnostics import Diagnostic, Location, Related, error, warning
from scheduler.reporting.diagnostics_text import diagnostics_text, summary_text
from scheduler.reporting.terminal import visible, width
from scheduler.reporting.time_format import local_moment, moment
from scheduler.times import read_time

FILE = "waves/a.yaml"


def fault(line: int, column: int, message: str = "wrong", hint: str | None = None) -> Diagnostic:
    return error("invalid-value", Location(FILE, line, column), message, hint)


def text(expected: str) -> str:
    return dedent(expected).strip("\n")


def test_a_diagnostic_shows_its_place_its_line_a_caret_a_hint_and_the_other_place() -> None:
    problem = error(
        "min-gap",
        Location("waves/a.yaml", 3, 9),
        "alpha has two publications 30s apart",
        "move one of them by at least 30s",
        [
            Related("the other one", Location("waves/b.yaml", 1, 5)),
            Related("recorded as spring/teaser/alpha"),
        ],
    )
    sources = {
        "waves/a.yaml": "a: 1\r\nb: 2\r\n    at: 2026-03-01T18:00:30Z # late\r\n",
        "waves/b.yaml": "at: 2026",
    }
    assert diagnostics_text([problem], sources) == text("""
        waves/a.yaml:3:9: error: alpha has two publications 30s apart [min-gap]
          3 |     at: 2026-03-01T18:00:30Z # late
            |         ^~~~~~~~~~~~~~~~~~~~
          hint: move one of them by at least 30s
          waves/b.yaml:1:5: the other one
          1 | at: 2026
            |     ^~~~
          see: recorded as spring/teaser/alpha
    """)


def test_diagnostics_are_separated_by_an_empty_line_and_need_no_source() -> None:
    found = [fault(1, 1), warning("past", Location(FILE, 9, 1), "too late")]
    assert diagnostics_text(found, {}) == text("""
        waves/a.yaml:1:1: error: wrong [invalid-value]

        waves/a.yaml:9:1: warning: too late [past]
    """)


@pytest.mark.parametrize(
    ("source", "column", "frame"),
    {
        "wide characters take two cells": ("日本: x", 5, ("日本: x", "      ^")),
        "combining ones take none": ("e\u0301: x", 5, ("e\u0301: x", "   ^")),
        "a tab is four spaces": ("\tat: x", 6, ("    at: x", "        ^")),
        "an escape is as wide as it looks": ("\x1b: x", 4, ("\\x1b: x", "      ^")),
        "a caret behind the last character": ("at:", 4, ("at:", "   ^")),
        "a column that is not there": ("at:", 99, ("at:", "   ^")),
        "a list ends at its bracket": ("[ab, c]", 2, ("[ab, c]", " ^~")),
        "a long line is shown around the fault": ("x" * 300 + " y", 302, (f"…{'x' * 59} y", " " * 61 + "^")),
    }.values(),
)  # fmt: skip
def test_the_caret_stands_below_the_fault(source: str, column: int, frame: tuple[str, str]) -> None:
    lines = diagnostics_text([fault(1, column)], {FILE: source}).splitlines()
    assert lines[1:] == [f"  1 | {frame[0]}", f"    | {frame[1]}"]


def test_a_line_that_the_file_does_not_have_shows_no_frame() -> None:
    assert (
        diagnostics_text([fault(7, 1)], {FILE: "one line"})
        == "waves/a.yaml:7:1: error: wrong [invalid-value]"
    )


def test_colour_is_there_only_when_asked_for() -> None:
    plain = diagnostics_text([fault(1, 1, hint="h")], {FILE: "x"})
    coloured = diagnostics_text([fault(1, 1, hint="h")], {FILE: "x"}, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31merror:\x1b[0m" in coloured


def test_the_summary_counts_problems_and_the_files_they_are_in() -> None:
    found = [
        fault(1, 1),
        error("past", Location("waves/b.yaml"), "late"),
        warning("frozen", Location("waves/b.yaml"), "waits"),
    ]
    assert summary_text(found, publications=12, waves=3, channels=4) == "2 errors, 1 warning in 2 files"


def test_the_summary_says_fine_where_there_are_none() -> None:
    words = summary_text([], publications=12, waves=3, channels=1)
    assert words == "12 publications in 3 waves and 1 channel: fine"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[2J\x7f\x9b", "\\x1b[2J\\x7f\\x9b"),
        ("\u202eabc\u2069", "\\u202eabc\\u2069"),
        ("\ufeffx\u200b\U000e0041", "\\ufeffx\\u200b\\U000e0041"),
        ("\udcff", "\\udcff"),
        ("##[error]x", "\\x23#[error]x"),
        ("Grüße, 日本 👩\u200d💻 – ok", "Grüße, 日本 👩\u200d💻 – ok"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_an_escape(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE)
def test_nothing_hostile_comes_through_in_any_part_of_a_diagnostic(harm: str) -> None:
    related = [Related(harm, Location(harm)), Related(harm)]
    problem = error("invalid-value", Location(harm, 1, 3), harm, harm, related)
    assert_harmless(diagnostics_text([problem], {harm: harm}))


@given(diagnostics(), texts, st.integers(1, 99))
def test_whatever_the_text_no_control_character_comes_out(
    found: list[Diagnostic], source: str, column: int
) -> None:
    sources = {fault.location.file: source for fault in found}
    assert_harmless(diagnostics_text([*found, fault(1, column)], sources | {FILE: source}))


def test_a_name_that_begins_with_a_colon_makes_no_command_with_its_line() -> None:
    text = diagnostics_text([error("invalid-value", Location(":", 1, 1), "wrong")], {})
    assert text.startswith("./::1:1: error: wrong")
    assert_harmless(text)


@given(texts)
def test_making_visible_twice_is_making_visible_once(raw: str) -> None:
    assert visible(visible(raw)) == visible(raw)
    assert width(visible(raw)) >= 0


def test_a_time_is_told_in_utc_and_as_the_channels_clock_shows_it() -> None:
    at = read_time("2026-03-01T18:00:00Z")
    assert moment(at) == "2026-03-01 18:00 UTC"
    assert moment(at, "Europe/Berlin") == "2026-03-01 18:00 UTC (19:00 Europe/Berlin)"
    assert moment(at, "Asia/Tokyo") == "2026-03-01 18:00 UTC (2026-03-02 03:00 Asia/Tokyo)"
    assert moment(at + 5, "Europe/Berlin") == "2026-03-01 18:00:05 UTC (19:00:05 Europe/Berlin)"
    assert local_moment(at, "America/New_York") == "2026-03-01 13:00 America/New_York"
