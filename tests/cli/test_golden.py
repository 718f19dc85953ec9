"""Golden tests: a miniature repository, a command, and all that it prints.

Each folder below `golden/` is named by a sentence. It holds `waves/`, `channels/`, perhaps `scheduler.yaml`
and `state.json`; the `command` as an editor would type it (lines before the last one prepare the record); and
`expected.txt`: the exit code, what came on standard output, and what came on standard error.

`python tests/cli/test_golden.py --rewrite`, or `make golden`, writes every `expected.txt` anew, for review.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from miniature import Miniature
from still_clock import StillClock

from scheduler.diagnostics import Severity
from scheduler.planning.catalogue import OF_FILES
from scheduler.planning.rules import RULES
from scheduler.times import zone_release

GOLDEN = Path(__file__).parent / "golden"
NOT_COMPARED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""Lineages are random; everything else is the same on every machine."""


def printed(folder: Path, scratch: Path) -> str:
    """What the last line of the folder's `command` prints, with its exit code."""
    mini = Miniature(scratch)
    for name in ("waves", "channels", "scheduler.yaml", "state.json"):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, scratch / name, dirs_exist_ok=True)
        elif (folder / name).exists():
            shutil.copy(folder / name, scratch / name)
    lines = (folder / "command").read_text(encoding="utf-8").splitlines()
    for line in filter(None, lines):
        words = shlex.split(line)
        assert words[:2] == ["scheduler", "--now"], "every command of a golden test says when it is"
        with mock.patch("scheduler.cli.main.Clock", StillClock):
            outcome = mini.run(*words[3:], now=words[2])
    text = f"exit {outcome.code}\n{outcome.out}" + (f"--- stderr\n{outcome.err}" if outcome.err else "")
    text = text.replace("\r\n", "\n").replace(str(scratch), "<repository>")
    text = text.replace(f"tzdata {zone_release()}", "tzdata <in use>")
    return NOT_COMPARED.sub("<lineage>", text)


def folders() -> list[Path]:
    return sorted(path.parent for path in GOLDEN.glob("*/command"))


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_golden(folder: Path, tmp_path: Path) -> None:
    expected = (folder / "expected.txt").read_text(encoding="utf-8")
    assert printed(folder, tmp_path) == expected, "if this is meant: make golden, and review the diff"


def test_every_folder_is_a_golden_test() -> None:
    assert sorted(path for path in GOLDEN.iterdir() if path.is_dir()) == folders()
    assert len(folders()) > 10


ERRORS = [rule.code for rule in (*OF_FILES, *RULES) if rule.severity is Severity.ERROR]
"""The codes of what editors do wrong; the others are warnings, or about machines."""


@pytest.mark.parametrize("code", ERRORS)
def test_every_rule_is_seen_as_people_see_it(code: str) -> None:
    told = "".join((folder / "expected.txt").read_text(encoding="utf-8") for folder in folders())
    assert re.search(rf"(?m)^\S+ error: .* \[{code}\]$|\"error\",\"code\":\"{code}\"", told)


def rewrite() -> None:
    """Write every `expected.txt` anew."""
    for folder in folders():
        with tempfile.TemporaryDirectory() as scratch:
            text = printed(folder, Path(scratch))
        file = folder / "expected.txt"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file.relative_to(GOLDEN.parent)}")


if __name__ == "__main__":
    if sys.argv[1:] != ["--rewrite"]:
        sys.exit("usage: python tests/cli/test_golden.py --rewrite")
    rewrite()
