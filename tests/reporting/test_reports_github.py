"""Annotations on GitHub Actions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from git_repository import git
from hypothesis import given
from miniature import Miniature
from reporting import HOSTILE, diagnostics, hidden

from scheduler.diagnostics import Diagnostic, Location, Related, error, warning
from scheduler.reporting.annotations import annotations_text, path_below
from scheduler.reporting.diagnostics_text import diagnostics_text

COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def test_an_annotation_has_place_title_message_hint_and_related_places() -> None:
    related = [Related("the other one", Location("waves/b.yaml", 2, 3)), Related("recorded")]
    problem = error("min-gap", Location("waves/a.yaml", 7, 5), "100% too close", "move one", related)
    assert annotations_text([problem], {}).splitlines()[0] == (
        "::error file=waves/a.yaml,line=7,col=5,title=min-gap::100%25 too close%0Ahint: move one"
        "%0Awaves/b.yaml:2:3: the other one%0Asee: recorded"
    )


def test_a_repository_below_the_workspace_is_named_in_the_path() -> None:
    problem = warning("past", Location("waves/a.yaml"), "late")
    for folder in ("videos/de", "./videos/de/"):
        first = annotations_text([problem], {}, folder=folder).splitlines()[0]
        assert first == "::warning file=videos/de/waves/a.yaml,line=1,col=1,title=past::late"
    assert "file=waves/a.yaml" in annotations_text([problem], {}, folder=".")


def test_a_problem_of_the_folder_as_a_whole_is_at_the_folder() -> None:
    assert path_below("media", ".") == "media"
    assert path_below("", ".") == "."


def test_in_a_folder_of_a_repository_annotations_and_sarif_name_paths_from_its_top(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    mini = Miniature(tmp_path / "media/de").write({"waves/w.yaml": "chanels: []\n"})
    assert "::error file=media/de/waves/w.yaml,line=1" in mini.run("validate", "--format", "github").out
    assert _sarif_uri(mini) == "media/de/waves/w.yaml"


def test_at_the_top_of_a_repository_and_outside_of_any_paths_are_as_they_were(tmp_path: Path) -> None:
    mini = Miniature(tmp_path / "media").write({"waves/w.yaml": "chanels: []\n"})
    workspace = str(tmp_path)
    assert _sarif_uri(mini) == "waves/w.yaml"
    assert _sarif_uri(mini, GITHUB_WORKSPACE=workspace) == "media/waves/w.yaml"  # checked out without git
    git(mini.root, "init", "-q")
    assert _sarif_uri(mini, GITHUB_WORKSPACE=workspace) == "waves/w.yaml"  # `path: media` of the checkout


def _sarif_uri(mini: Miniature, **environ: str) -> str:
    log = json.loads(mini.run("validate", "--format", "sarif", **environ).out)
    places = [place for result in log["runs"][0]["results"] for place in result["locations"]]
    uri: str = places[0]["physicalLocation"]["artifactLocation"]["uri"]
    return uri


def test_properties_are_escaped_by_the_runners_rules() -> None:
    problem = error("past", Location("waves/a,b:c%.yaml"), "x")
    assert annotations_text([problem], {}).startswith("::error file=waves/a%2Cb%3Ac%25.yaml,line=1,")


def test_everything_is_in_the_log_as_text_too() -> None:
    found = [
        error("past", Location("waves/a.yaml", 1, 1), "late"),
        warning("frozen", Location("b.yaml"), "waits"),
    ]
    sources = {"waves/a.yaml": "at: x"}
    assert annotations_text(found, sources).endswith("\n\n" + diagnostics_text(found, sources))


def test_no_more_are_asked_for_than_github_shows_and_it_is_said_that_there_are_more() -> None:
    errors = [error("past", Location("a.yaml", line), "late") for line in range(1, 13)]
    warnings = [warning("frozen", Location("a.yaml", line), "waits") for line in range(1, 12)]
    lines = annotations_text([*warnings, *errors], {}).splitlines()
    assert sum(line.startswith("::error ") for line in lines) == 10
    assert sum(line.startswith("::warning ") for line in lines) == 10
    assert lines[20] == (
        "::notice title=More problems::GitHub shows 10 of each kind for a step; "
        "2 errors and 1 warning more are in the log."
    )
    assert sum("error: late" in line for line in lines) == 12


def test_nothing_is_printed_where_there_is_nothing_to_tell() -> None:
    assert annotations_text([], {}) == ""


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE)
def test_no_text_becomes_a_command_of_its_own(harm: str) -> None:
    problem = error("past", Location(harm), harm, harm, [Related(harm, Location(harm)), Related(harm)])
    lines = annotations_text([problem], {harm: harm}).split("\n")
    commands = [line for line in lines if line.strip().startswith("::")]
    assert len(commands) == 1
    assert not hidden("\n".join(lines))
    assert "##[" not in "\n".join(lines)


@given(diagnostics())
def test_there_is_one_command_a_diagnostic_whatever_the_texts(found: list[Diagnostic]) -> None:
    lines = annotations_text(found, {}).split("\n")
    commands = [COMMAND.fullmatch(line) for line in lines if line.strip().startswith("::")]
    assert len(commands) == len(found)
    assert all(command is not None and command[2].count(",") == 3 for command in commands)
