"""What VS Code finds in a repository of waves: settings, recommended extensions, snippets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from miniature import Miniature

from scheduler.app.schemas import schema_files

PROJECT = Path(__file__).resolve().parents[3]
FOLDER = PROJECT / ".vscode"
SNIPPETS: dict[str, dict[str, Any]] = json.loads((FOLDER / "waves.code-snippets").read_text(encoding="utf-8"))
SETTINGS: dict[str, Any] = json.loads((FOLDER / "settings.json").read_text(encoding="utf-8"))


def expanded(snippet: dict[str, Any]) -> str:
    """What stands in the file of somebody who takes every default."""
    text = "\n".join(snippet["body"])
    plain = re.sub(r"\$\{\d+:([^${}]*)\}|\$0", lambda match: match[1] or "", text)
    assert "$" not in plain
    return plain


def stops(snippet: dict[str, Any]) -> list[int]:
    """The numbers of the places where the cursor stops, as they stand in the text."""
    return [int(number) for number in re.findall(r"\$\{?(\d+)", "\n".join(snippet["body"]))]


@pytest.fixture
def desk(mini: Miniature) -> Miniature:
    """A repository with the channels that the snippets name, alpha and beta, both about games."""
    return mini.channels("alpha", "beta", tags="[gaming]", timezone="Europe/Berlin")


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_with_its_defaults_is_valid(desk: Miniature, name: str) -> None:
    kind = "channels" if name.startswith("Channel") else "waves"
    desk.write({f"{kind}/new.yaml": expanded(SNIPPETS[name])})
    outcome = desk.json("validate", now="2029-12-01T00:00:00Z")
    assert (outcome.code, outcome.json["diagnostics"]) == (0, [])
    assert desk.json("list", now="2030-02-28T00:00:00Z").json["schedules"], "and publishes something"


def test_there_is_a_wave_of_each_type_and_a_channel_with_a_calendar_of_its_own() -> None:
    read = {name: yaml.safe_load(expanded(snippet)) for name, snippet in SNIPPETS.items()}
    entries = [document["schedules"][0] for name, document in read.items() if "wave" in name]
    assert [(entry["type"], entry.get("timezone"), type(entry["channels"])) for entry in entries] == [
        ("simultaneous", None, list),
        ("staggered", None, list),
        ("simultaneous", "channel", dict),
    ]
    (channel,) = [document for name, document in read.items() if "wave" not in name]
    assert channel["slots"] and channel["lineup"] and channel["schedules"]


@pytest.mark.parametrize("name", SNIPPETS)
def test_the_cursor_goes_from_top_to_bottom_and_ends_behind_the_text(name: str) -> None:
    numbers = stops(SNIPPETS[name])
    assert numbers == [*range(1, len(numbers)), 0]
    assert SNIPPETS[name]["body"][-1] == "$0"


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_is_offered_in_yaml_and_for_a_whole_file(name: str) -> None:
    snippet = SNIPPETS[name]
    assert (snippet["scope"], snippet["isFileTemplate"]) == ("yaml", True)
    assert snippet["description"]


def test_the_settings_name_a_published_schema_for_each_kind_of_file() -> None:
    named = {Path(path).name: patterns for path, patterns in SETTINGS["yaml.schemas"].items()}
    assert named.keys() == schema_files().keys() - {"state.schema.json"}
    found = {str(file.relative_to(PROJECT)) for patterns in named.values()
             for pattern in patterns for file in PROJECT.glob(pattern)}  # fmt: skip
    declared = {str(file.relative_to(PROJECT)) for kind in ("waves", "channels")
                for file in (PROJECT / kind).rglob("*.y*ml")}  # fmt: skip
    assert found == declared | {"scheduler.yaml"}


def test_nothing_is_fetched_for_an_editor_and_no_formatter_touches_the_files() -> None:
    assert SETTINGS["yaml.schemaStore.enable"] is False
    assert SETTINGS["yaml.format.enable"] is False


def test_the_extension_that_reads_the_settings_is_recommended() -> None:
    assert "redhat.vscode-yaml" in json.loads((FOLDER / "extensions.json").read_text())["recommendations"]
