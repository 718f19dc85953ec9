"""The page of guarantees: each line names a test that exists, and each command is one of the program."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest
from github_stand_in import GitHub
from miniature import Miniature
from state_branch import Branch

from scheduler.cli.main import cli

PAGE = Path(__file__).parent.parent / "docs/guarantees.md"
DUE, LATER = "2026-03-01T18:00:00Z", "2026-03-01T18:01:00Z"
WAVE = f"type: simultaneous, video: teaser, at: {DUE}, channels: [alpha]"
TEXT = PAGE.read_text(encoding="utf-8")
HEAD = ["fault", "what happens", "what you do", "the test"]
PROOF = re.compile(r"\[([\w ]+)\]\((\.\./tests/[^)]+)\)")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


TABLED = [cells(line) for line in TEXT.splitlines() if line.startswith("|") and not line.startswith("|--")]
ROWS = [row for row in TABLED if row != HEAD]
COMMANDS = sorted(set(re.findall(r"(?:^|`)scheduler ((?:[a-z]+)[^`#\n]*)", TEXT, re.MULTILINE)))


@cache
def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_fault_has_what_happens_what_to_do_and_a_test() -> None:
    assert len(ROWS) > 90
    for row in ROWS:
        assert len(row) == len(HEAD), row
        assert all(row), row
        assert re.fullmatch(rf"{PROOF.pattern}( · {PROOF.pattern})*", row[3]), row


def test_every_test_that_is_named_is_in_the_file_that_is_named() -> None:
    missing = []
    for words, target in PROOF.findall(TEXT):
        name = f"test_{words.replace(' ', '_')}"
        file = (PAGE.parent / target).resolve()
        if not file.is_file() or name not in names_in(file):
            missing.append(f"{name} in {target}")
    assert missing == []


def test_no_fault_is_told_twice() -> None:
    faults = [row[0] for row in ROWS]
    assert sorted(faults) == sorted(set(faults))


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        path, _, anchor = target.partition("#")
        assert not path or (PAGE.parent / path).exists(), target
        assert path or f'id="{anchor}"' in TEXT, target


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_of_the_program(line: str) -> None:
    words = line.split()
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        assert words, line
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options, line


@pytest.mark.parametrize("harm", ["cut off", "set back"])
def test_the_way_to_restore_the_record_works_as_it_stands_there(
    live: Miniature, github: GitHub, harm: str
) -> None:
    """As a shell takes it; only the good commit is filled in."""
    live.write({"waves/spring.yaml": f"schedules: [{{ {WAVE} }}]\n"})
    branch = Branch(live)
    live.run("state", "init", now="2026-01-01T00:00:00Z")
    live.run("run", now=DUE)
    good = branch.tip
    if harm == "cut off":
        branch.commit(branch.text()[:-100])
    else:
        branch.set_back()
    assert live.run("run", now=LATER).code == 3
    steps = TEXT.partition('<a id="restore">')[2].partition("```sh\n")[2].partition("```")[0]
    live.write({"bin/scheduler": f'#!/bin/sh\nexec {sys.executable} -m scheduler "$@"\n'})
    (live.root / "bin/scheduler").chmod(0o755)
    told = subprocess.run(
        ["sh", "-ec", steps.replace("GOOD", good)],
        cwd=live.root,
        env=live.environ
        | {"PATH": f"{live.root / 'bin'}:{live.environ['PATH']}", "PYTHONPATH": str(PAGE.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1].startswith("fine: version 2")
    assert (branch.tip, live.run("run", now=LATER).code, len(github.dispatches)) == (good, 0, 1)


def test_the_readme_leads_to_it() -> None:
    assert "(docs/guarantees.md)" in (PAGE.parent.parent / "README.md").read_text(encoding="utf-8")
