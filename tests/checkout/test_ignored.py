"""What looks as if it were declared, and is not read: a warning says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from miniature import Miniature

NOW = "2030-01-01T00:00:00Z"
WAVE = "schedules: []\n"


@pytest.mark.parametrize(
    ("file", "place", "hint"),
    [
        ("waves/spring.YAML", "waves/spring.YAML", "rename it to spring.yaml to have it read"),
        ("waves/2030/spring.Yml", "waves/2030/spring.Yml", "rename it to spring.yaml to have it read"),
        ("waves/spring.yaml.txt", "waves/spring.yaml.txt", "rename it to spring.yaml to have it read"),
        ("channels/tv.yml.txt", "channels/tv.yml.txt", "rename it to tv.yaml to have it read"),
        ("waves/spring.json", "waves/spring.json", "rename it to spring.yaml to have it read"),
        ("wave/spring.yaml", "wave/", "move its files to waves/ to have them read"),
        ("Waves/2030/spring.yaml", "Waves/", "move its files to waves/ to have them read"),
        ("channel/tv.yml", "channel/", "move its files to channels/ to have them read"),
        ("waves/spring.ymal", "waves/spring.ymal", "rename it to spring.yaml to have it read"),
        ("waves/spring.yaml ", "waves/spring.yaml ", "rename it to spring.yaml to have it read"),
        ("waves/spring", "waves/spring", "rename it to spring.yaml to have it read"),
        ("wavs/spring.yaml", "wavs/", "move its files to waves/ to have them read"),
        ("chanels/tv.yml", "chanels/", "move its files to channels/ to have them read"),
        ("scheduler.json", "scheduler.json", "rename it to scheduler.yaml to have it read"),
        ("scheduler.YAML", "scheduler.YAML", "rename it to scheduler.yaml to have it read"),
        ("Scheduler.yml.txt", "Scheduler.yml.txt", "rename it to scheduler.yaml to have it read"),
    ],
)
def test_what_looks_meant_is_a_warning(tmp_path: Path, file: str, place: str, hint: str) -> None:
    mini = Miniature(tmp_path).channels("alpha").write({file: WAVE})
    for command in ("validate", "plan"):
        told = mini.json(command, now=NOW)
        (warning,) = told.json["diagnostics"]
        assert (told.code, warning["severity"], warning["code"]) == (0, "warning", "ignored-file")
        assert (warning["file"], warning["message"]) == (place, f"{place} is not read")
        assert warning["hint"] == hint


@pytest.mark.parametrize(
    "file",
    ["waves/README.md", "waves/spring.yaml.bak", "waves/notes.txt", "waves/.hidden.json", "wave/sound.wav",
     "Channels/index.html", "data/spring.YAML", "scheduler.py", "Waves"],
)  # fmt: skip
def test_other_files_are_nobodys_business(tmp_path: Path, file: str) -> None:
    told = Miniature(tmp_path).channels("alpha").write({file: WAVE}).json("validate", now=NOW)
    assert (told.code, told.json["diagnostics"]) == (0, [])


def test_a_wave_beside_the_folder_of_waves_is_a_warning(tmp_path: Path) -> None:
    entry = "schedules:\n  - type: simultaneous\n    video: v\n"
    mini = Miniature(tmp_path).channels("alpha").write({"spring.yaml": entry, "mkdocs.yml": "type: site\n"})
    (warning,) = mini.json("validate", now=NOW).json["diagnostics"]
    assert (warning["file"], warning["hint"]) == (
        "spring.yaml",
        "move it to waves/spring.yaml to have it read",
    )


def test_where_nothing_else_is_there_the_misspelt_folder_is_named(tmp_path: Path) -> None:
    mini = Miniature(tmp_path).write({"Wave/spring.yaml": WAVE})
    (tmp_path / "waves").rmdir()
    (tmp_path / "channels").rmdir()
    told = mini.run("validate", now=NOW)
    assert told.code != 0
    assert "hint: rename Wave/ to waves/" in told.err
