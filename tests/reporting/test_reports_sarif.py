"""SARIF, held against its own schema (tests/reporting/schemas: SchemaStore's copy of the standard's)."""

from __future__ import annotations

import json
from email.message import Message
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import given, settings
from reporting import assert_harmless, diagnostics

from scheduler.app.rules_page import rules_page
from scheduler.diagnostics import Diagnostic, Location, Related, error, warning
from scheduler.planning.catalogue import CATALOGUE
from scheduler.reporting.sarif import MOST_RESULTS, sarif_json


@cache
def validator() -> jsonschema.Draft4Validator:
    schema = Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json"
    return jsonschema.Draft4Validator(json.loads(schema.read_text(encoding="utf-8")))


def log_of(found: list[Diagnostic], folder: str = "") -> dict[str, Any]:
    document = json.loads(sarif_json(found, version="1.2.3", folder=folder))
    validator().validate(document)
    return document["runs"][0]  # type: ignore[no-any-return]


def test_a_result_has_its_rule_place_hint_and_related_places() -> None:
    related = [Related("the other one", Location("waves/b.yaml", 2, 3)), Related("recorded")]
    run = log_of([error("min-gap", Location("waves/a.yaml", 7, 5), "too close", "move one", related)])
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "min-gap"
    assert run["columnKind"] == "unicodeCodePoints"
    assert result["level"] == "error"
    assert result["message"]["text"] == "too close\nhint: move one\nsee: recorded"
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "waves/a.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 7, "startColumn": 5},
            }
        }
    ]
    (other,) = result["relatedLocations"]
    assert other["message"]["text"] == "the other one"
    assert other["physicalLocation"]["artifactLocation"]["uri"] == "waves/b.yaml"


def test_every_code_is_a_rule_with_a_description() -> None:
    rules = log_of([])["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CATALOGUE)
    for rule in rules:
        documented = CATALOGUE[rule["id"]]
        assert rule["shortDescription"]["text"] == f"{documented.title}."
        assert rule["fullDescription"]["text"].split() == documented.meaning.split()
        assert rule["help"]["text"].split() == documented.remedy.split()
        assert rule["defaultConfiguration"]["level"] == documented.severity


@pytest.mark.parametrize(
    ("installed", "urls", "page"),
    [
        (None, [], None),
        ('{"url": "file:///home/me/scheduler", "dir_info": {}}', [], None),
        (None, ["Documentation, https://example.org/docs"], None),
        (None, ["Source, https://github.com/acme/waves"], "https://github.com/acme/waves/blob/HEAD"),
        (
            '{"url": "https://github.com/acme/waves.git", "vcs_info": {"vcs": "git", "commit_id": "1a2b"}}',
            ["Source, https://github.com/upstream/waves"],
            "https://github.com/acme/waves/blob/1a2b",
        ),
    ],
)
def test_a_rule_links_to_its_help_where_an_address_is_known(
    installed: str | None, urls: list[str], page: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = Message()
    for url in urls:
        metadata["Project-URL"] = url
    ours = SimpleNamespace(read_text=lambda _: installed, metadata=metadata)
    monkeypatch.setattr("importlib.metadata.distribution", lambda _: ours)
    document = json.loads(sarif_json([], version="1.2.3", rules_page=rules_page()))
    validator().validate(document)
    for rule in document["runs"][0]["tool"]["driver"]["rules"]:
        assert rule.get("helpUri") == (page and f"{page}/docs/rules.md#{rule['id']}")


def test_paths_are_relative_and_percent_encoded() -> None:
    names = ("waves/früh ling#1.yaml", "waves/a:b%.yaml", "waves/\udcff.yaml")
    run = log_of([error("past", Location(name), "late") for name in names], folder="./my videos/")
    uris = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]
    ]
    assert uris == [
        "my%20videos/waves/fr%C3%BCh%20ling%231.yaml",
        "my%20videos/waves/a%3Ab%25.yaml",
        "my%20videos/waves/%FF.yaml",
    ]


def test_what_would_read_as_a_link_is_escaped() -> None:
    (result,) = log_of([error("past", Location("a.yaml"), "[x](javascript:alert(1)) and [a, b]")])["results"]
    assert result["message"]["text"] == r"\[x\](javascript:alert(1)) and \[a, b\]"


def test_brackets_that_are_no_link_stay() -> None:
    (result,) = log_of([error("past", Location("a.yaml"), "write [alpha, beta]")])["results"]
    assert result["message"]["text"] == "write [alpha, beta]"


def test_no_more_results_than_github_accepts_and_errors_are_kept_first() -> None:
    found = [warning("past", Location("a.yaml", line), "late") for line in range(1, MOST_RESULTS + 1)]
    document = json.loads(sarif_json([*found, error("past", Location("b.yaml"), "late")], version="1"))
    run = document["runs"][0]
    assert len(run["results"]) == MOST_RESULTS
    assert run["results"][0]["level"] == "error"
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["message"]["text"].startswith("1 problem left out")


@settings(max_examples=30)
@given(diagnostics())
def test_whatever_the_diagnostics_the_log_is_valid_and_safe_to_print(found: list[Diagnostic]) -> None:
    assert_harmless(sarif_json(found, version="1").decode())
    results = log_of(found)["results"]
    assert len(results) == len(found)
    for result in results:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.isascii()
        assert unquote(uri, errors="surrogateescape") in {fault.location.file for fault in found}
