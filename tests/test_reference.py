"""The pages of docs/: code makes some of them, every link leads somewhere, and README leads to each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]


def _links(page: Path) -> list[tuple[Path, str]]:
    """The file and the anchor of every link to a file of this repository, outside of code blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = (link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link)
    parts = (link.partition("#") for link in found)
    return [((page.parent / file).resolve() if file else page, anchor) for file, _, anchor in parts]


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings, and those that are written out."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = _links(page)
    assert [file for file, _ in links if not file.exists()] == []
    lost = [(file.name, anchor) for file, anchor in links if anchor and anchor not in _anchors(file)]
    assert lost == []


def test_readme_leads_to_every_page() -> None:
    waiting, reached = [PROJECT / "README.md"], set()
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting += [file for file, _ in _links(page) if file.suffix == ".md" and file not in reached]
    assert {*PAGES} - reached == set()


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
