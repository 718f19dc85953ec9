"""The YAML that others collected: we may refuse, but what we accept means what it means to everybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from scheduler.desired.plain import Plain
from scheduler.desired.yaml_reader import read

CORPORA = Path(__file__).parents[1] / "corpora"
SUITE: list[dict[str, Any]] = json.loads((CORPORA / "yaml-test-suite.json").read_text())
NAUGHTY: list[str] = json.loads((CORPORA / "naughty-strings.json").read_text())

LENIENT = {
    "9C9N": "a list in brackets may go on at the column of its key",
    "9JBA": "a comment may touch the bracket before it",
    "CVW2": "a comment may touch the comma before it",
    "SU5Z": "a comment may touch the quote before it",
    "X4QW": "a comment may touch the block sign before it",
    "DK95-1": "a tab may begin a further line inside quotes",
    "Y79Y-3": "a tab may begin a line inside brackets",
    "QB6E": "a text in quotes may go on at the column of its key",
    "G5U8": "a lone dash inside brackets is text",
    "YJV2": "a lone dash inside brackets is text",
    "S98Z": "blank lines before a comment may be deeper than the empty block above them",
}
"""Not YAML to the suite, yet read, as libyaml reads it; none of them can mean anything else."""

AS_THE_SUITE = {
    "JEF9-2": "a block that ends with the file, without a line break",
    "L24T-1": "a line of spaces that ends with the file, without a line break",
}
"""Where both of the others drop the last line break: here we read as the suite does."""


def expected(tree: str) -> Any:
    """The one document of the suite's events: texts, and whether each is plain."""
    top: list[Any] = []
    stack = [top]
    for line in tree.splitlines():
        event = line.strip(" ") if line.lstrip()[:4] != "=VAL" else line.lstrip(" ")
        match event[:4]:
            case "+MAP" | "+SEQ":
                inner: list[Any] = [event[:4]]
                stack[-1].append(inner)
                stack.append(inner)
            case "-MAP" | "-SEQ":
                stack.pop()
            case "=VAL":
                stack[-1].append((unescaped(event[6:]), event[5] == ":"))
    return shaped(top[0]) if top else None


def unescaped(text: str) -> str:
    for sign, character in (("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ("\\b", "\b"), ("\\\\", "\\")):
        text = text.replace("\\\\", "\0").replace(sign, character).replace("\0", "\\\\")
    return text.replace("\\\\", "\\")


def shaped(node: Any) -> Any:
    if isinstance(node, tuple):
        return node
    if node[0] == "+SEQ":
        return [shaped(item) for item in node[1:]]
    return {key[0]: shaped(value) for key, value in zip(node[1::2], node[2::2], strict=True)}


def typed(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: typed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [typed(value) for value in data]
    return ("", True) if data is None else (str(data), isinstance(data, Plain))


def of(case: dict[str, Any]) -> Any:
    return read("suite.yaml", case["yaml"].encode())


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['id']} {c['name']}") for c in SUITE if "tree" in c])
def test_what_is_accepted_means_what_the_suite_says(case: dict[str, Any]) -> None:
    document = of(case)
    if not document.problems:
        assert typed(document.data) == (expected(case["tree"]) or ("", True))


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['id']} {c['name']}") for c in SUITE if "fail" in c])
def test_what_is_no_yaml_is_refused(case: dict[str, Any]) -> None:
    accepted = not of(case).problems
    assert accepted == (case["id"] in LENIENT)


def as_yaml_reads(text: str) -> Any:
    """PyYAML's own parser in Python, not the one of libyaml that we read by; scalars stay texts."""
    return yaml.load(text, yaml.BaseLoader)  # noqa: TID251 - the other reader; all scalars stay texts


def as_ruamel_reads(text: str) -> Any:
    """ruamel.yaml, of YAML 1.2; scalars stay texts."""
    return YAML(typ="base", pure=True).load(text)


@pytest.mark.parametrize("reads", [as_yaml_reads, as_ruamel_reads])
@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['id']} {c['name']}") for c in SUITE])
def test_we_may_refuse_what_others_read_and_never_read_it_differently(
    case: dict[str, Any], reads: Callable[[str], Any]
) -> None:
    document = of(case)
    if document.problems:
        return
    try:
        theirs = reads(case["yaml"])
    except (yaml.YAMLError, YAMLError):
        return  # they refuse what we read as the suite does (or as LENIENT says)
    assert (as_texts(document.data) == as_texts(theirs)) == (case["id"] not in AS_THE_SUITE)


def as_texts(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): as_texts(value) for key, value in data.items()}
    if isinstance(data, list):
        return [as_texts(value) for value in data]
    return "" if data is None else str(data)


def test_most_of_the_suite_is_read() -> None:
    good = [case for case in SUITE if "tree" in case]
    read_well = [case for case in good if not of(case).problems]
    assert len(good) == 302
    assert len(read_well) == 166, "the rest has anchors, tags, directives, several documents or odd keys"


@pytest.mark.parametrize("text", [pytest.param(t, id=f"{n} {ascii(t)[:40]}") for n, t in enumerate(NAUGHTY)])
def test_a_naughty_string_in_quotes_comes_back_or_is_told(text: str) -> None:
    document = read("naughty.yaml", f"a:\n  - {json.dumps(text, ensure_ascii=False)}\nb: x\n".encode())
    if document.problems:
        assert [(p.code, p.location.line, p.location.column) for p in document.problems] == [
            ("invalid-value", 2, 5)
        ]
        assert "U+" in document.problems[0].message
        assert not text.isprintable()
    else:
        assert document.data == {"a": [text], "b": "x"}


def test_few_naughty_strings_are_told() -> None:
    told = [t for t in NAUGHTY if read("x", f"- {json.dumps(t, ensure_ascii=False)}\n".encode()).problems]
    assert 0 < len(told) < 15
