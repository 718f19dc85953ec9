"""What an editor is shown in a new repository: the yaml-language-server that VS Code runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from language_server import LanguageServer
from miniature import Miniature

PROJECT = Path(__file__).resolve().parents[3]
SERVER = Path(__file__).parent / "node_modules/yaml-language-server/bin/yaml-language-server"
OURS = [*sorted(PROJECT.glob("waves/**/*.yaml")), *sorted(PROJECT.glob("channels/*.yaml"))]

WAVE = """\
title: Spring
schedules:
  - type: staggered
    video: premiere-4k
    at: 2030-03-01T18:00:00Z
    delay: 1h
    channels: [alpha, { id: beta, paused: true }]
"""
BLOCK = "\n      - id: beta\n        ‸\n"
CHANNEL = """\
name: Tech Daily
repository: acme/tech-daily
timezone: Europe/Berlin
slots:
  - Mon,Wed,Fri 18:00
lineup: [intro-to-git]
schedules:
  - { video: anniversary, at: 2030-03-05T09:00 }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new repository, as `scheduler init` makes it."""
    above = tmp_path_factory.mktemp("editor")
    outcome = Miniature(above).run("init", str(above / "new"), "--owner", "acme")
    assert outcome.code == 0, outcome.err
    return above / "new"


def serve(folder: Path, settings: dict[str, Any]) -> LanguageServer:
    node = shutil.which("node")
    if node is None or not SERVER.exists():
        pytest.skip(
            "yaml-language-server is not installed (npm ci --ignore-scripts --prefix tests/desired/editors)"
        )
    return LanguageServer([node, str(SERVER), "--stdio"], folder, settings)


@pytest.fixture(scope="module")
def editor(folder: Path) -> Iterator[LanguageServer]:
    """An editor that opened the repository's folder and took its settings."""
    server = serve(folder, json.loads((folder / ".vscode/settings.json").read_text()))
    yield server
    server.close()


def told(diagnostics: list[dict[str, Any]], text: str) -> list[tuple[str, str]]:
    """What is underlined, with what is said of it."""
    lines = text.splitlines()
    places = [(one["range"]["start"], one["range"]["end"]) for one in diagnostics]
    return [
        (lines[start["line"]][start["character"] : end["character"]], one["message"])
        for one, (start, end) in zip(diagnostics, places, strict=True)
    ]


# --- diagnostics ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "right", "wrong", "underlined", "words"),
    [
        ("waves/spring.yaml", WAVE, ("delay:", "dealy: 2h\n    delay:"), "dealy", "not allowed"),
        ("waves/2030/march/deep.yml", WAVE, ("    delay: 1h\n", ""), "t", 'Missing property "delay"'),
        ("waves/spring.yaml", WAVE, ("staggered", "stagered"), "stagered", "simultaneous"),
        ("waves/spring.yaml", WAVE, ("18:00:00Z", "18:00"), "2030-03-01T18:00", "needs a timezone beside it"),
        ("waves/spring.yaml", WAVE, ("1h", "60"), "60", "1h30m"),
        ("channels/tech-daily.yaml", CHANNEL, ("lineup:", "line_up:"), "line_up", "not allowed"),
        ("channels/de/tech-daily.yml", CHANNEL, ("acme/", ""), "tech-daily", "owner/name"),
        ("channels/tech-daily.yaml", CHANNEL, ("name:", "active: yes\nname:"), "yes", "boolean"),
        ("scheduler.yaml", "pace: 60/min\n", ("60/min", "60"), "60", "60/min"),
    ],
)  # fmt: skip
def test_a_fault_is_underlined_at_its_place_and_the_right_text_is_not(
    editor: LanguageServer, file: str, right: str, wrong: tuple[str, str], underlined: str, words: str
) -> None:
    broken = right.replace(*wrong, 1)
    found = editor.show(file, broken)
    assert [place for place, _ in told(found, broken)] == [underlined]
    assert words in found[0]["message"]
    (schema,) = found[0]["data"]["schemaUri"]
    assert Path(schema).parent.name == "schemas"
    assert editor.show(file, right) == []


def test_all_that_a_new_repository_holds_is_right(editor: LanguageServer, folder: Path) -> None:
    for file in ("scheduler.yaml", "channels/my-channel.yaml", "waves/first-wave.yaml"):
        assert editor.show(file, (folder / file).read_text()) == [], file


@pytest.mark.parametrize("file", OURS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_the_example_of_this_project_is_right(editor: LanguageServer, file: Path) -> None:
    assert editor.show(str(file.relative_to(PROJECT)), file.read_text()) == []


def test_the_first_line_of_a_file_is_enough_where_no_setting_is(folder: Path) -> None:
    server = serve(folder, {"yaml.schemaStore.enable": False})
    try:
        broken = WAVE.replace("delay:", "dealy: 2h\n    delay:")
        assert server.show("waves/spring.yaml", broken) == [], "without it, nobody knows what a wave is"
        first = "# yaml-language-server: $schema=../schemas/wave.schema.json\n"
        assert [
            place for place, _ in told(server.show("waves/spring.yaml", first + broken), first + broken)
        ] == ["dealy"]
        assert server.show("waves/spring.yaml", first + WAVE) == []
    finally:
        server.close()


# --- hovers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("waves/spring.yaml", WAVE.replace("    at", "    a‸t"), ["When to publish", "2030-", "timezone"]),
        ("waves/spring.yaml", WAVE.replace("type", "ty‸pe"), ["`staggered`: One channel after the other"]),
        ("waves/spring.yaml", WAVE.replace("paused", "pau‸sed"), ["Holds back", "reason"]),
        ("waves/spring.yaml", WAVE.replace("delay", "del‸ay"), ["`1h30m`"]),
        ("channels/tech-daily.yaml", CHANNEL.replace("slots", "slo‸ts"), ["systemd", "Mon,Wed,Fri 18:00"]),
        ("channels/tech-daily.yaml", CHANNEL.replace("lineup", "line‸up"), ["in this order"]),
        ("scheduler.yaml", "bra‸ke:\n  at_least: 20\n", ["disappear at once"]),
    ],
)
def test_the_mouse_over_a_key_tells_what_it_is_for(
    editor: LanguageServer, file: str, text: str, words: list[str]
) -> None:
    shown = editor.hover(file, text)
    assert [word for word in words if word not in shown] == []


# --- completions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "offered"),
    [
        ("waves/new.yaml", "‸", {"simultaneous wave", "staggered wave", "local-time wave", "schedules"}),
        ("waves/spring.yaml", WAVE + "    ‸\n", {"metadata", "members", "repeat", "after_success"}),
        ("waves/spring.yaml", WAVE.replace("staggered", "‸"), {"simultaneous", "staggered"}),
        ("waves/spring.yaml", WAVE.replace("[alpha, { id: beta, paused: true }]", BLOCK),
         {"paused", "cancelled", "shift", "at"}),
        ("waves/spring.yaml", WAVE.replace("title", "on_failure: ‸\ntitle"), {"continue", "halt"}),
        ("channels/new.yaml", "‸", {"channel with a repository", "channel with a queue", "repository"}),
        ("channels/tech-daily.yaml", CHANNEL + "‸\n", {"token", "lead", "paused", "tags"}),
        ("channels/tech-daily.yaml", CHANNEL + "transport: ‸\n",
         {"repository_dispatch", "workflow_dispatch"}),
        ("scheduler.yaml", "‸\n", {"freezes", "allow", "state"}),
    ],
)  # fmt: skip
def test_what_can_stand_at_the_cursor_is_offered(
    editor: LanguageServer, file: str, text: str, offered: set[str]
) -> None:
    assert offered - editor.complete(file, text).keys() == set()


def test_a_key_is_offered_with_what_it_is_for(editor: LanguageServer) -> None:
    item = editor.complete("channels/tech-daily.yaml", CHANNEL + "‸\n")["lead"]
    assert "before the publish time" in item["documentation"]["value"]
