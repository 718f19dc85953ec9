"""Long lists of names are read as one item each; nobody may see that but a clock."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.desired import yaml_reader
from scheduler.desired.plain import Plain

LONG = "".join(f"  - channel-{number}\n" for number in range(20))


def described(data: Any) -> Any:
    """The data with its types, which `==` does not tell apart."""
    if isinstance(data, dict):
        return {key: described(value) for key, value in data.items()}
    if isinstance(data, list):
        return [described(value) for value in data]
    return type(data), data


def read_line_by_line(text: str) -> yaml_reader.Document:
    """The same text, read the long way."""
    with patch.object(yaml_reader, "_RUN", re.compile("(?!)")):
        return yaml_reader.read("waves/a.yaml", text.encode())


def assert_same(text: str) -> None:
    quick, slow = yaml_reader.read("waves/a.yaml", text.encode()), read_line_by_line(text)
    assert described(quick.data) == described(slow.data)
    assert quick.problems == slow.problems
    assert quick.text == text


def test_a_long_list_keeps_every_name_and_its_place() -> None:
    document = yaml_reader.read("waves/a.yaml", f"channels:\n{LONG}title: x\n".encode())
    assert document.data["channels"] == [f"channel-{number}" for number in range(20)]
    assert all(type(name) is Plain for name in document.data["channels"])
    assert (document.place(("channels", 19)).line, document.place(("title",)).line) == (21, 22)


@pytest.mark.parametrize(
    "text",
    [
        f"channels:\n{LONG}",
        LONG,
        f"a:\n{LONG}b:\n{LONG}c:\n  - - x\n{LONG.replace('  -', '    -')}",
        f"text: |\n{LONG}",
        f"text: >-\n  first\n{LONG}channels: [a]\n",
        f"text: plain\n{LONG}channels: [a]\n",
        f'text: "\n{LONG}"\n',
        f"channels: [\n{LONG}]\n",
        f"channels:\n{LONG}    and more\n",
        f"channels:\n{LONG}    - deeper\n",
        f"channels:\n{LONG} - shallower\n",
        f"channels:\n{LONG}  - {{id: x}}\n{LONG}",
        f"channels: &all\n{LONG}",
        f"? {LONG}",
        f"channels:\n{LONG}channels:\n{LONG}",
        f"channels:\n{LONG}...\nmore\n",
        f"channels:\n{LONG}---\n{LONG}",
        f"channels:\n{LONG}title: one-for-all-0\n",
        f"channels:\n{LONG}title: [\n",
    ],
)
def test_wherever_lines_like_a_long_list_stand_they_mean_what_they_meant(text: str) -> None:
    assert_same(text)


LINES = st.sampled_from(
    [
        LONG,
        LONG.replace("  -", "-"),
        LONG.replace("  -", "    -"),
        "  - x\n",
        "- x\n",
        "a:\n",
        "  b:\n",
        "c: |\n",
        "  d: >\n",
        "e: f\n",
        "  g: 'h\n",
        "  '\n",
        "- - i\n",
        "  text\n",
        "# no\n",
        "\n",
        "  ]\n",
        "j: [\n",
    ]
)


@given(st.lists(LINES, max_size=8).map("".join))
def test_any_text_with_long_lists_reads_as_it_did(text: str) -> None:
    assert_same(text)


def test_a_file_of_more_values_than_are_read_is_refused_with_long_lists_too() -> None:
    text = "".join(f"- c{number % 10}\n" for number in range(yaml_reader.MOST)).encode()
    assert [fault.code for fault in yaml_reader.read("waves/a.yaml", text).problems] == ["yaml-syntax"]
