"""A Chromium of the machine's own, driven by Playwright.

With CHROMIUM=required a test that finds none fails, where else it were skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def do_without(missing: str) -> NoReturn:
    """Skip what needs something that this machine lacks; fail where it has to be there."""
    if os.environ.get("CHROMIUM") == "required":
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def a_browser() -> Iterator[Browser]:
    """The browser, for as long as the block lasts."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        do_without(
            "needs Playwright (uv sync --group ci) and Chromium (apt-get install chromium-headless-shell)"
        )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()
