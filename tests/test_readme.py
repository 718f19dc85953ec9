"""The examples of the README and of the days in docs/: every console block prints what the page says.

`python tests/test_readme.py --rewrite` writes the outputs anew, for review.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from pages import PROJECT, rewritten

PAGES = ("README.md", "docs/an-editors-day.md", "docs/an-operators-day.md", "docs/punctuality.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_console_block_prints_what_the_page_says(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    assert rewritten(text) == text, "if this is meant: python tests/test_readme.py --rewrite"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    path = PROJECT / page
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def rewrite(path: Path) -> None:
    path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__" and "--rewrite" in sys.argv:
    for name in PAGES:
        rewrite(PROJECT / name)
