"""The chart of a pull request's comment, drawn by Mermaid in a real browser, in several viewers' zones.

Needs `npm ci --prefix tests/reporting/diagram`, Playwright and a Chromium; see `test_calendar_page`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from miniature import Miniature
from real_browser import a_browser, do_without

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MERMAID = Path(__file__).parents[1] / "diagram/node_modules/mermaid/dist/mermaid.min.js"
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
NOW = "2030-03-01T00:00:00Z"
WIDTH = 850
"""Pixels, about those of a comment on GitHub."""
BOXES = """
() => {
  const box = (one) => {
    const at = one.getBoundingClientRect();
    return {text: one.textContent.trim(), left: at.left, right: at.right, top: at.top, bottom: at.bottom};
  };
  const all = (names) => [...document.querySelectorAll(names)].map(box);
  return {
    axis: all(".grid .tick text"), headings: all(".sectionTitle"), labels: all("[class*='taskText']"),
    marks: all("rect.task"), whole: all("svg")[0],
  };
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not MERMAID.exists():
        do_without("needs `npm ci --prefix tests/reporting/diagram`")
    with a_browser() as chromium:
        yield chromium


def chart(mini: Miniature) -> str:
    """The chart in the comment on what is declared."""
    text = mini.run("plan", "--format", "markdown", now=NOW).out
    found = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert found is not None, text
    return found[1]


def drawn(browser: Browser, text: str, zone: str, picture: Path | None = None) -> dict[str, Any]:
    """Where everything is that Mermaid draws for a viewer in a zone."""
    context = browser.new_context(timezone_id=zone, viewport={"width": WIDTH, "height": 1200})
    with context:
        page = context.new_page()
        page.set_content('<body style="margin: 0"><pre class="mermaid"></pre></body>')
        page.locator("pre").evaluate("(pre, text) => { pre.textContent = text }", text)
        page.add_script_tag(path=MERMAID)
        page.evaluate("async () => { mermaid.initialize({startOnLoad: false}); await mermaid.run() }")
        if picture is not None:
            page.screenshot(path=picture, full_page=True)
        found: dict[str, Any] = page.evaluate(BOXES)
        return found


def spread(mini: Miniature, times: list[str], channels: list[str], group: str = "teaser") -> Miniature:
    """One publication a time, on all these channels."""
    mini.channels(*channels)
    entries = [
        {
            "type": "simultaneous",
            "group": f"{group}-{n}",
            "video": f"{group}-{n}",
            "at": at,
            "channels": channels,
        }
        for n, at in enumerate(times)
    ]
    return mini.write({"waves/spring.yaml": f"schedules: {json.dumps(entries)}\n"})


def hours(count: int, step: int, first: int = 0) -> list[str]:
    """Instants, `step` hours apart, over the days on which clocks in Europe and Australia change."""
    day, hour = divmod(first, 24)
    ats = [(30 + day + (hour + n * step) // 24, (hour + n * step) % 24) for n in range(count)]
    return [f"2030-{3 + (d > 31):02}-{d - 31 * (d > 31):02}T{h:02}:30:00Z" for d, h in ats]


def overlapping(boxes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    boxes = sorted(boxes, key=lambda box: (round(box["top"]), box["left"]))
    return [
        (one["text"], other["text"])
        for one, other in pairwise(boxes)
        if abs(one["top"] - other["top"]) < 2 and one["right"] > other["left"]
    ]


SPANS = {
    "minutes": ["2030-03-31T02:00:00Z", "2030-03-31T02:07:00Z"],
    "a day": hours(8, 3),
    "days": hours(5, 24),
    "weeks": [*hours(3, 24), "2030-04-14T09:00:00Z", "2030-05-02T09:00:00Z"],
    "months": ["2030-03-31T02:00:00Z", "2030-07-01T02:00:00Z", "2030-12-24T18:00:00Z"],
    "years": ["2030-03-31T02:00:00Z", "2032-02-29T18:00:00Z", "2033-12-24T18:00:00Z"],
}


@pytest.mark.parametrize("span", SPANS)
def test_no_label_of_the_axis_lies_upon_another(tmp_path: Path, browser: Browser, span: str) -> None:
    mini = spread(Miniature(tmp_path), SPANS[span], ["alpha", "beta"])
    found = drawn(browser, chart(mini), "Europe/Berlin", tmp_path / "chart.png")
    assert 2 <= len(found["axis"]) <= 13
    assert overlapping(found["axis"]) == []


@pytest.mark.parametrize("zone", ZONES)
def test_every_mark_is_at_its_time_whatever_the_clocks_of_the_viewer_do(
    tmp_path: Path, browser: Browser, zone: str
) -> None:
    """An hour that the clocks of Berlin (31 March) or New York (10 March) skip, and those around it."""
    times = [
        "2030-03-10T00:30:00Z",
        "2030-03-10T02:30:00Z",
        "2030-03-31T01:30:00Z",
        "2030-03-31T02:30:00Z",
        "2030-10-06T02:15:00Z",
    ]
    mini = spread(Miniature(tmp_path), times, ["alpha"])
    text = chart(mini)
    here, utc = drawn(browser, text, zone), drawn(browser, text, "UTC")
    assert [box["text"] for box in here["axis"]] == [box["text"] for box in utc["axis"]]
    for mark, right in zip(here["marks"], utc["marks"], strict=True):
        assert abs(mark["left"] - right["left"]) < 0.5


def test_the_names_of_all_channels_are_there_and_lie_upon_no_mark(tmp_path: Path, browser: Browser) -> None:
    long = "brightside-entertainment-trailers-and-teasers"
    channels = ["alpha", f"{long}-de", f"{long}-en"]
    mini = spread(Miniature(tmp_path), hours(14, 3), channels)  # 42 marks
    found = drawn(browser, chart(mini), "America/New_York", tmp_path / "chart.png")
    (names,) = {box["text"] for box in found["headings"]}
    end = "-trailers-and-teasers"
    assert re.fullmatch(rf"alphabrightside.*{end[-16:]}-debrightside.*{end[-16:]}-en", names)
    first = min(box["left"] for box in found["marks"])
    assert max(box["right"] for box in found["headings"]) < first
    assert found["whole"]["right"] <= WIDTH


def test_a_wave_on_a_hundred_channels_names_the_first_and_counts_the_others(
    tmp_path: Path, browser: Browser
) -> None:
    mini = spread(Miniature(tmp_path), hours(2, 24), [f"channel-{n:03}" for n in range(100)])
    found = drawn(browser, chart(mini), "UTC", tmp_path / "chart.png")
    assert [box["text"] for box in found["headings"]] == ["channel-000channel-001and 98 more"]
    assert sorted(box["text"] for box in found["labels"]) == ["new teaser-0 x 100", "new teaser-1 x 100"]
