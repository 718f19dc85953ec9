"""The pages of docs/ that code makes are committed as it makes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def test_every_page_that_code_makes_is_committed_as_it_makes_it() -> None:
    build = [sys.executable, "docs/build/__main__.py", "--check"]
    done = subprocess.run(build, cwd=PROJECT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", ""), "if this is meant: make docs"
    assert done.returncode == 0


def test_every_variable_that_the_code_reads_is_on_the_page(tmp_path: Path) -> None:
    reads = tmp_path / "reads.py"
    reads.write_text(
        'import os\nos.environ["SCHEDULER_NEW"], [f"GITHUB_{name}" for name in ("SHINY", "RUN_ID")]\n'
    )
    code = "import environment as page, pathlib, sys; page.PACKAGE = pathlib.Path(sys.argv[1]); page.page()"
    asked = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(asked, cwd=PROJECT / "docs" / "build", capture_output=True, text=True)
    assert "does not list ['GITHUB_SHINY', 'SCHEDULER_NEW']" in done.stderr
