"""The page of `calendar` in a real browser, as an editor uses it: by mouse, by keyboard, without script.

Needs Playwright (the dependency group `ci`) and a Chromium of the machine's own; with CHROMIUM=required a
test that finds none fails, where else it were skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from calendar_sample import edit_record, publish, sample
from miniature import Miniature
from real_browser import a_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

BETA = "spring/premiere/beta"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published sample."""
    mini = sample(Miniature(tmp_path_factory.mktemp("calendar")))
    edit_record(mini, "spring/teaser/beta", run_url="https://github.com/acme/beta/actions/runs/7")
    assert publish(mini).code == 1, "the sample has a fault, so that the page has something to tell"
    return mini.root / "public"


def shown(part: Locator) -> str:
    """What a part of the list says. The browser lays out what is out of sight only when it comes near."""
    from playwright.sync_api import expect

    part.scroll_into_view_if_needed()
    expect(part).not_to_have_text("", use_inner_text=True)
    return part.inner_text()


class Visit:
    """One look at the page from file://: what it says on the console, and what it asks the network for."""

    def __init__(self, browser: Browser, folder: Path, *, zone: str | None = None, **context: Any) -> None:
        options = {"timezone_id": "Asia/Tokyo", "viewport": {"width": 1300, "height": 900}} | context
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        if zone is not None:  # a name that Playwright may refuse
            options_of = "Intl.DateTimeFormat.prototype.resolvedOptions"
            self.page.add_init_script(f"{options_of} = () => ({{ timeZone: '{zone}' }})")
        self.page.set_default_timeout(20_000)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda problem: self.said.append(str(problem)))
        self.page.on(
            "dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss())
        )
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.address = (folder / "index.html").as_uri()
        self.page.goto(self.address)

    def events(self) -> list[str]:
        """The labels of the events in sight, which a screen reader says, without freezes."""
        found = self.page.locator(".ec-event.kind")
        return [found.nth(i).get_attribute("aria-label") or "" for i in range(found.count())]

    def view(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def told(self) -> dict[str, str]:
        """The details of one schedule as they are shown: term -> words."""
        terms = self.page.locator("dialog dt").all_inner_texts()
        return dict(zip(terms, self.page.locator("dialog dd").all_inner_texts(), strict=True))


@pytest.fixture
def visit(browser: Browser, folder: Path) -> Iterator[Visit]:
    visit = Visit(browser, folder)
    yield visit
    assert visit.said == [], "nothing is said on the console, and nothing of a hostile text ran"
    assert {url.partition("#")[0] for url in visit.asked} == {visit.address}, "the network is not asked"
    assert visit.page.title() == "Publications"
    visit.context.close()


def test_each_publication_stands_at_the_local_time_of_its_channel(visit: Visit) -> None:
    labels = visit.events()
    assert "premiere on Alpha auf Deutsch, Sun 2026-03-29 01:30 Europe/Berlin, pending" in labels
    assert "premiere on beta, Sat 2026-03-28 21:30 America/New_York, paused" in labels
    assert (
        'premiere on Gamma <b>&amp;</b> "sons", Sun 2026-03-29 12:30 Australia/Lord_Howe, cancelled' in labels
    )
    saturday = visit.page.locator(".ec-event", has_text="21:30 New York")
    assert saturday.inner_text().split("\n") == ["‖21:30 New York", "premiere"]
    assert visit.page.locator("#title").inner_text() == "March 2026"


def test_a_zone_is_chosen_for_all_and_always_printed(visit: Visit) -> None:
    visit.page.select_option("#zone", "Asia/Tokyo")
    assert "Asia/Tokyo (yours)" in visit.page.locator("#zone").inner_text()
    assert "premiere on beta, Sun 2026-03-29 10:30 Asia/Tokyo, paused" in visit.events()
    assert visit.page.locator("#shown").inner_text() == "14 of 14 publications, in the time of Asia/Tokyo"
    visit.view("List")
    row = visit.page.locator(f'tr[id="{BETA}"]')
    assert shown(row.locator("td").nth(0)).split("\n") == ["Sun 2026-03-29 10:30", "Asia/Tokyo"]
    assert shown(row.locator("td").nth(1)) == "2026-03-29 01:30"


@pytest.mark.parametrize(
    ("device", "offered"),
    [
        ("Asia/Calcutta", ["Asia/Kolkata (yours)", "UTC"]),
        ("Asia/Kolkata", ["Asia/Kolkata (yours)", "UTC"]),
        ("Europe/Kiev", ["Asia/Kolkata", "Europe/Kiev (yours)", "UTC"]),
        ("Etc/Unknown", ["Asia/Kolkata", "UTC"]),
    ],
)
def test_only_zones_that_the_page_knows_are_offered_and_each_once(
    browser: Browser, tmp_path: Path, device: str, offered: list[str]
) -> None:
    """Browsers call zones by former names, and `Etc/Unknown` what they do not know."""
    mini = Miniature(tmp_path).channels("alpha", timezone="Asia/Kolkata")
    wave = "schedules: [{ type: simultaneous, video: v, at: 2026-03-29T12:00:00Z, channels: [alpha] }]\n"
    publish(mini.write({"waves/one.yaml": wave}))
    visit = Visit(browser, mini.root / "public", zone=device)
    assert visit.page.locator("#zone option").all_inner_texts() == ["each channel's zone", *offered]
    for zone in offered:
        visit.page.select_option("#zone", label=zone)
        visit.page.click("#today")
    assert visit.said == []
    visit.context.close()


def test_a_time_that_the_viewers_own_clocks_skip_stands_in_its_place(
    browser: Browser, tmp_path: Path
) -> None:
    """02:30 of that night is missing in Berlin, where the viewer is; in UTC it is a time as any other."""
    mini = Miniature(tmp_path).channels("alpha")
    entries = "".join(
        f"  - {{ type: simultaneous, video: v{hour}, at: 2026-03-29T{hour:02}:30:00Z, channels: [alpha] }}\n"
        for hour in (1, 2, 3, 23)
    )
    publish(mini.write({"waves/night.yaml": f"schedules:\n{entries}"}))
    visit = Visit(browser, mini.root / "public", timezone_id="Europe/Berlin")
    visit.view("Week")
    assert len(visit.events()) == 4, "to the very end of the week"
    sunday = visit.page.get_by_text("Sun 29 Mar").bounding_box()
    places = [visit.page.locator(".ec-event", has_text=f"0{hour}:30").bounding_box() for hour in (1, 2, 3)]
    assert sunday is not None
    assert {round(place["x"] - sunday["x"]) < sunday["width"] for place in places if place} == {True}
    tops = [round(place["y"]) for place in places if place]
    assert tops[1] - tops[0] == tops[2] - tops[1] > 0
    visit.context.close()


def test_week_channels_and_list_show_the_same(visit: Visit) -> None:
    visit.view("Week")
    assert visit.page.locator("#title").inner_text() == "23 – 29 Mar 2026"
    assert any("near on Alpha auf Deutsch" in label and "blocked" in label for label in visit.events())
    visit.view("Channels")
    names = visit.page.locator(".ec-row-head strong").all_inner_texts()
    assert names == ["Alpha auf Deutsch", "beta", 'Gamma <b>&amp;</b> "sons"']
    assert visit.page.locator(".ec-bg-event.freeze").first.inner_text() == "Freeze: Audit"
    visit.page.get_by_role("button", name="Later").click()
    assert len(visit.events()) == 2, "two open slots"
    visit.view("List")
    assert visit.page.locator("tr.entry:visible").count() == 14
    assert visit.page.locator("#dates").is_hidden()


def test_filters_by_channel_wave_status_and_words(visit: Visit) -> None:
    visit.view("List")
    shown = visit.page.locator("tr.entry:visible")
    visit.page.select_option("#channel", "beta")
    assert shown.count() == 3
    visit.page.select_option("#wave", "spring")
    assert shown.count() == 2
    visit.page.get_by_role("checkbox", name="paused").uncheck()
    assert shown.evaluate_all("rows => rows.map((row) => row.id)") == ["spring/teaser/beta"]
    visit.page.select_option("#channel", "")
    visit.page.select_option("#wave", "")
    visit.page.fill("#find", "PREMIERE")
    assert shown.evaluate_all("rows => rows.map((row) => row.id)") == [
        "spring/premiere/alpha",
        "spring/premiere/gamma",
    ]
    assert visit.page.get_by_role("status").inner_text().startswith("2 of 14 publications")


def test_a_click_tells_everything(visit: Visit) -> None:
    visit.page.locator(".ec-event", has_text="21:30 New York").click()
    told = visit.told()
    assert told == {
        "Status": "‖ paused\npending, paused by schedule (waiting for legal)",
        "Publishes": "Sat 2026-03-28 21:30 America/New_York\nSun 2026-03-29 01:30 UTC",
        "Channel": "beta",
        "Wave": "Spring, </script><script>document.title = 'taken over'</script>\nspring/premiere",
        "Declared": "waves/spring.yaml:14:15",
        "Id": BETA,
    }
    assert visit.page.locator("dialog .why").inner_text().startswith("It is paused by schedule")
    assert visit.page.url.endswith(f"#{BETA}")
    visit.page.get_by_role("button", name="Close").click()
    assert visit.page.locator("dialog").is_hidden()


def test_what_was_sent_tells_when_and_leads_to_its_run(visit: Visit) -> None:
    visit.page.goto(f"{visit.address}#spring/teaser/beta")
    visit.page.reload()
    assert visit.told()["Sent"] == "Fri 2026-03-20 14:01 America/New_York (18:01 UTC), 1m late"
    run = visit.page.locator("dialog a")
    assert run.get_attribute("href") == "https://github.com/acme/beta/actions/runs/7"
    assert run.get_attribute("rel") == "noopener noreferrer"
    assert visit.page.locator("#about").inner_text() == "<img src=x onerror=alert(1)>; teaser, 4k"


def test_many_of_a_day_are_gathered_and_told_one_by_one(browser: Browser, tmp_path: Path) -> None:
    mini = Miniature(tmp_path).channels(*(f"c{number:02}" for number in range(30)))
    names = ", ".join(f"c{number:02}" for number in range(30))
    wave = (
        f"schedules:\n  - {{type: simultaneous, video: v, at: 2026-03-28T18:00:00Z, channels: [{names}]}}\n"
    )
    publish(mini.write({"waves/all.yaml": wave}))
    visit = Visit(browser, mini.root / "public")
    assert visit.events() == ["30 pending: show them"]
    visit.page.locator(".ec-event.many").click()
    visit.page.get_by_role("button", name="c07").click()
    assert visit.told()["Id"] == "all/v/c07"
    visit.page.get_by_role("button", name="‹ all 30").click()
    assert visit.page.locator(".roll li").count() == 30
    assert visit.said == []
    visit.context.close()


def test_the_keyboard_reaches_everything(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the list of all publications"
    for _ in range(60):
        page.keyboard.press("Tab")
        if "21:30 New York" in page.evaluate("document.activeElement.textContent"):
            break
    page.keyboard.press("Enter")
    assert visit.told()["Id"] == BETA
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_hidden()
    assert "21:30 New York" in page.evaluate("document.activeElement.textContent"), "where one was before"


def test_a_screen_reader_finds_names_and_places(visit: Visit) -> None:
    visit.view("List")
    page = visit.page
    assert page.get_by_role("heading", level=1).inner_text() == "Publications"
    assert page.get_by_role("table").count() == 3, "March before now and after it, and April"
    assert page.get_by_role("columnheader", name="Local time of the channel").count() >= 1
    assert page.get_by_role("button", name="List", exact=True).get_attribute("aria-pressed") == "true"
    for name in ("Times in", "Channel", "Wave"):
        assert page.get_by_role("combobox", name=name).count() == 1
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, select, input, a')].filter((element) => "
        "!(element.textContent.trim() || element.ariaLabel || element.labels?.length)).length"
    )
    assert unnamed == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_status_is_told_by_a_sign_and_can_be_read(browser: Browser, folder: Path, scheme: str) -> None:
    visit = Visit(browser, folder, color_scheme=scheme)
    visit.view("List")
    signs = visit.page.locator("tr.entry .kind > span:first-child").all_text_contents()
    kinds = visit.page.locator("tr.entry").evaluate_all("rows => rows.map((row) => row.dataset.kind)")
    assert len(set(signs)) == len(set(kinds)) == len(set(zip(signs, kinds, strict=True))) == 8
    contrasts = visit.page.evaluate(CONTRASTS)
    assert min(contrasts.values()) >= 4.5, contrasts
    visit.context.close()


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const found = {};
  for (const element of document.querySelectorAll("tr.entry .kind, small, .why, .utc, header p, a, .zone")) {
    const ink = light(getComputedStyle(element).color);
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    const name = element.className || element.tagName;
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
}"""
"""The contrast of each kind of text with the paper; WCAG 2.2 asks for 4.5."""


def test_without_scripts_the_table_tells_it_all(browser: Browser, folder: Path) -> None:
    visit = Visit(browser, folder, java_script_enabled=False)
    page = visit.page
    assert page.locator("#tools").is_hidden()
    assert page.locator("tr.entry:visible").count() == 14
    assert "waiting for legal" in shown(page.locator(f'tr[id="{BETA}"]'))
    assert page.locator(".problems").inner_text().startswith("1 error in the files")
    assert "Holidays" in page.locator("#freezes").inner_text()
    visit.context.close()


def test_on_a_phone_it_begins_with_the_list_and_nothing_sticks_out(browser: Browser, folder: Path) -> None:
    visit = Visit(browser, folder, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert visit.page.locator("tr.entry:visible").count() == 14
    for view in ("List", "Month", "Week", "Channels"):
        visit.view(view)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360, view
    visit.context.close()


def test_it_works_below_any_path_of_a_server(browser: Browser, folder: Path) -> None:
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder.parent))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        visit = Visit(browser, folder)
        visit.page.goto(f"http://127.0.0.1:{server.server_port}/public/")
        assert len(visit.events()) > 5
        with visit.page.expect_download() as downloaded:
            visit.page.evaluate("document.querySelector('footer a').click()")
        assert downloaded.value.suggested_filename == "calendar.ics"
        assert visit.said == []
        answer = visit.page.request.get(f"http://127.0.0.1:{server.server_port}/public/schedules.json")
        assert json.loads(answer.body())["version"] == 1
        visit.context.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
