"""`calendar`: the files that it writes, what is in the feed and in the document, and what it never does.

The page is tried in a real browser, in tests/reporting/browser. `PYTHONPATH=tests/support python
tests/reporting/test_calendar.py --rewrite` writes the expected files again, for review.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent
from typing import Any
from unittest import mock

import icalendar
import pytest
from calendar_sample import EXPECTED, NOW, edit_record, publish, sample
from git_repository import commit_all, git
from miniature import Miniature
from still_clock import StillClock

from scheduler.delivery.queue.sqlite import SqliteQueue
from scheduler.reporting.calendar import NAMES
from scheduler.times import available_zones, moment_of, read_utc, read_zone

PROJECT = Path(__file__).parents[2]
READER = Path(__file__).parent / "feed_reader"
TEASER = "spring/teaser/alpha"
PLAIN = {
    "waves/spring.yaml": """\
        schedules:
          - { type: simultaneous, group: teaser, video: t-4k, at: 2026-03-28T18:00:00Z, channels: [alpha] }
        """
}

pytestmark = pytest.mark.usefixtures("still_clock")


@pytest.fixture
def shown(mini: Miniature) -> Miniature:
    """The sample, and its calendar in `public`."""
    publish(sample(mini))
    return mini


def written(mini: Miniature, name: str) -> str:
    return (mini.root / "public" / name).read_bytes().decode()


def events(mini: Miniature) -> dict[str, Any]:
    """The feed as its library reads it: schedule id (or freeze) -> event."""
    feed = icalendar.Calendar.from_ical(written(mini, "calendar.ics"))
    return {str(event["uid"]).split("@")[0]: event for event in feed.walk("VEVENT")}


# --- the files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["calendar.ics", "schedules.json"])
def test_the_feed_and_the_document_are_as_expected(shown: Miniature, name: str) -> None:
    expected = (EXPECTED / name).read_text(encoding="utf-8")
    assert written(shown, name).replace("\r\n", "\n") == expected, (
        "if intended: PYTHONPATH=tests/support python tests/reporting/test_calendar.py --rewrite, and review"
    )


def test_what_is_wrong_is_told_and_the_rest_is_written_all_the_same(mini: Miniature) -> None:
    outcome = publish(sample(mini))
    assert outcome.code == 1
    assert "waves/close.yaml:2:77: error: close/near/alpha" in outcome.err
    assert outcome.out.startswith("wrote 14 publications to ")
    assert sorted(path.name for path in (mini.root / "public").iterdir()) == sorted(NAMES)


def test_the_same_look_gives_the_same_bytes(mini: Miniature) -> None:
    sample(mini)
    publish(mini)
    before = {name: written(mini, name) for name in NAMES}
    shutil.rmtree(mini.root / "public")
    with mock.patch.dict(os.environ, {"TZ": "Pacific/Auckland", "LC_ALL": "C"}):
        publish(mini)
    assert {name: written(mini, name) for name in NAMES} == before


def test_a_feed_stays_the_same_while_nothing_happens(mini: Miniature) -> None:
    mini.channels("alpha").write(PLAIN)
    mini.run("state", "init", now="2026-03-01T00:00:00Z")
    mini.run("run", now="2026-03-02T00:00:00Z")
    publish(mini, now="2026-03-03T00:00:00Z")
    before = written(mini, "calendar.ics")
    publish(mini, now="2026-03-04T00:00:00Z")
    assert written(mini, "calendar.ics") == before


def test_a_file_that_would_stay_the_same_is_left_alone(shown: Miniature) -> None:
    before = (shown.root / "public" / "calendar.ics").stat().st_ino
    publish(shown)
    assert (shown.root / "public" / "calendar.ics").stat().st_ino == before


def test_nothing_but_its_files_is_written(mini: Miniature) -> None:
    def tree() -> dict[str, bytes]:
        files = [path for path in mini.root.rglob("*") if path.is_file() and "public" not in path.parts]
        return {str(path): path.read_bytes() for path in files}

    sample(mini)
    (mini.root / "public").mkdir()
    (mini.root / "public" / "CNAME").write_text("waves.example.org\n", encoding="utf-8")
    before = tree()
    publish(mini)
    assert tree() == before
    assert written(mini, "CNAME") == "waves.example.org\n"


def test_it_works_before_there_is_a_record(mini: Miniature) -> None:
    mini.channels("alpha").write(PLAIN)
    outcome = publish(mini)
    assert (outcome.code, outcome.err) == (0, "")
    assert events(mini)[TEASER]["status"] == "TENTATIVE"
    assert not (mini.root / "state.json").exists()


def test_a_broken_record_writes_nothing(mini: Miniature) -> None:
    sample(mini)
    (mini.root / "state.json").write_text("{", encoding="utf-8")
    assert publish(mini).code == 3
    assert not (mini.root / "public").exists()


def test_without_readable_settings_nothing_is_written(shown: Miniature) -> None:
    before = written(shown, "index.html")
    shown.write({"scheduler.yaml": "state: [\n"})
    outcome = publish(shown)
    assert outcome.code == 1
    assert "scheduler.yaml" in outcome.err
    assert "Nothing was written" in outcome.err
    assert written(shown, "index.html") == before


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_somebody_else_is_never_replaced(mini: Miniature, name: str) -> None:
    mini.channels("alpha").write(PLAIN)
    mini.write({f"public/{name}": "mine\n"})
    outcome = publish(mini)
    assert outcome.code == 2
    assert f"{name} was not written by `scheduler calendar`, so nothing was replaced" in outcome.err
    assert [path.name for path in (mini.root / "public").iterdir()] == [name]
    assert written(mini, name) == "mine\n"


def test_a_folder_that_is_a_link_or_a_file_is_refused(mini: Miniature, tmp_path: Path) -> None:
    mini.channels("alpha").write(PLAIN)
    (mini.root / "elsewhere").mkdir()
    (mini.root / "public").symlink_to("elsewhere")
    assert publish(mini).code == 2
    (mini.root / "public").unlink()
    (mini.root / "public").write_text("a file", encoding="utf-8")
    assert publish(mini).code == 2
    (mini.root / "public").unlink()
    (mini.root / "public").mkdir()
    (mini.root / "public" / "index.html").symlink_to("../waves/spring.yaml")
    assert "is not a regular file" in publish(mini).err


def test_the_folder_may_be_the_one_that_one_stands_in(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini.channels("alpha").write(PLAIN)
    (mini.root / "public").mkdir()
    monkeypatch.chdir(mini.root / "public")
    for name in (".", "../public/.", "./below"):
        outcome = mini.run("calendar", "--output", name, now=NOW)
        assert (outcome.code, outcome.err) == (0, "")
    files = ["calendar.ics", "index.html", "schedules.json"]
    for folder in (Path(), Path("below")):
        assert sorted(path.name for path in folder.iterdir() if path.is_file()) == files


# --- the span and the filters -----------------------------------------------------------------------


def test_it_looks_back_ninety_days_and_ahead_to_the_last(mini: Miniature) -> None:
    sample(mini)
    publish(mini, now="2026-06-18T17:59:59Z")
    assert TEASER in events(mini)
    publish(mini, now="2026-06-18T18:00:01Z")
    assert TEASER not in events(mini)
    far = PLAIN["waves/spring.yaml"].replace("2026-03-28", "2031-03-28")
    mini.write({"waves/far.yaml": far})
    publish(mini)
    assert "far/teaser/alpha" in events(mini)


def test_the_filters_are_those_of_list(mini: Miniature) -> None:
    sample(mini)
    publish(mini, "--channel", "beta", "--from", "2026-03-21", "--to", "2026-03-29")
    assert [name for name in events(mini) if not name.startswith("freeze-")] == ["late/notice/beta"]
    publish(mini, "--status", "cancelled")
    assert [name for name in events(mini) if "/" in name] == ["spring/premiere/gamma"]


def test_archived_schedules_are_there(mini: Miniature) -> None:
    sample(mini)
    now = "2026-06-25T00:00:00Z"
    mini.run("run", now=now)
    assert TEASER not in mini.records, "it was archived"
    publish(mini, "--from", "2026-01-01", now=now)
    assert events(mini)[TEASER]["status"] == "CONFIRMED"


# --- the document -----------------------------------------------------------------------------------


def test_the_document_has_the_very_rows_of_list(shown: Miniature) -> None:
    document = json.loads(written(shown, "schedules.json"))
    listed = shown.json("list", "--from", "2025-12-23T08:00:00Z", now=NOW).json
    assert document["schedules"] == listed["schedules"]
    assert document["version"] == 1
    assert document["details"].keys() == {row["schedule_id"] for row in listed["schedules"]}


def test_the_document_tells_the_sentence_of_show(shown: Miniature) -> None:
    details = json.loads(written(shown, "schedules.json"))["details"]
    for schedule_id, detail in details.items():
        assert detail["why"] == shown.json("show", schedule_id, now=NOW).json["why"]


def test_a_job_on_the_embedded_queue_says_which_worker_has_it(mini: Miniature) -> None:
    due = "2026-03-23T07:00:00Z"
    one_off = f"schedules: [{{ video: teaser, at: {due} }}]\n"
    mini.write({"channels/lobby.yaml": f"queue: screens\ncommand: ./play\nconfirm: run\n{one_off}"})
    for command, now in ((("state", "init"), "2026-03-01T00:00:00Z"), (("run",), "2026-03-02T00:00:00Z")):
        mini.run(*command, now=now)
    assert mini.run("run", now=due).code == 0
    SqliteQueue(mini.root / "queue.db").take("studio.4711.9f3a", read_utc("2026-03-23T07:59:30Z"))
    publish(mini)
    why = json.loads(written(mini, "schedules.json"))["details"][f"lobby/{due}"]["why"]
    assert "The worker studio.4711.9f3a has had it since 2026-03-23T07:59:30Z" in why
    assert why == mini.json("show", f"lobby/{due}", now=NOW).json["why"]


def test_an_unreadable_wave_is_told_and_shown_as_it_is_recorded(mini: Miniature) -> None:
    sample(mini).write({"waves/spring.yaml": "schedules: [\n"})
    outcome = publish(mini)
    assert outcome.code == 1
    assert "waves/spring.yaml" in outcome.err
    premiere = events(mini)["spring/premiere/alpha"]
    assert premiere["status"] == "CONFIRMED"
    assert "Its file waves/spring.yaml cannot be read" in premiere["description"]
    assert "waves/spring.yaml" in " ".join(_Page(written(mini, "index.html")).words)


def test_the_token_is_nowhere(shown: Miniature) -> None:
    assert not any(shown.environ["ACME_TOKEN"] in written(shown, name) for name in NAMES)


# --- the feed ---------------------------------------------------------------------------------------


def test_an_event_says_when_what_and_how_sure(shown: Miniature) -> None:
    found = events(shown)
    event = found["spring/premiere/beta"]
    assert event.decoded("dtstart") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(minutes=5)
    assert event["summary"] == "beta: premiere (paused)"
    assert event["categories"].cats == ["spring"]
    assert "paused by schedule (waiting for legal)" in event["description"]
    assert "Sat 2026-03-28 21:30 America/New_York (2026-03-29 01:30 UTC)" in event["description"]
    wanted = [name for name in found if name.startswith(("spring", "alpha/2026-03-3"))]
    assert {name: str(found[name]["status"]) for name in wanted} == {
        "spring/teaser/alpha": "CONFIRMED",
        "spring/teaser/beta": "CONFIRMED",
        "spring/teaser/gamma": "TENTATIVE",
        "spring/premiere/alpha": "CONFIRMED",
        "spring/premiere/beta": "TENTATIVE",
        "spring/premiere/gamma": "CANCELLED",
        "alpha/2026-03-30T00:30:00Z": "TENTATIVE",
    }  # fmt: skip


def test_a_move_raises_the_sequence_and_keeps_the_uid(mini: Miniature) -> None:
    mini.channels("alpha").write(PLAIN)
    mini.run("state", "init", now="2026-03-01T00:00:00Z")
    mini.run("run", now="2026-03-02T00:00:00Z")
    publish(mini)
    before = events(mini)[TEASER]
    mini.write({"waves/spring.yaml": PLAIN["waves/spring.yaml"].replace("18:00", "19:00")})
    mini.run("run", now="2026-03-03T00:00:00Z")
    publish(mini)
    after = events(mini)[TEASER]
    assert after["uid"] == before["uid"]
    assert (before["sequence"], after["sequence"]) == (0, 1)
    assert after.decoded("last-modified") == datetime(2026, 3, 3, tzinfo=UTC)


def test_two_repositories_with_waves_of_one_name_have_events_of_their_own(mini: Miniature) -> None:
    mini.channels("alpha").write(PLAIN)
    publish(mini)
    assert events(mini)[TEASER]["uid"] == f"{TEASER}@wave-scheduler"
    mini.run("state", "init", now="2026-03-01T00:00:00Z")
    publish(mini)
    assert events(mini)[TEASER]["uid"] == f"{TEASER}@{mini.state['lineage']}.wave-scheduler"


CHANGES = {
    "the channel is made inactive": ("channels/alpha.yaml", "repository: acme/alpha\nactive: false\n"),
    "the channel gets a name": ("channels/alpha.yaml", "repository: acme/alpha\nname: Alpha TV\n"),
    "the channel gets a zone": (
        "channels/alpha.yaml",
        "repository: acme/alpha\ntimezone: Asia/Tokyo\n",
    ),
    "the channel is paused": ("channels/alpha.yaml", "repository: acme/alpha\npaused: { reason: legal }\n"),
    "the wave gets a title": ("waves/spring.yaml", "title: Spring\n" + dedent(PLAIN["waves/spring.yaml"])),
    "a line is added above it": (
        "waves/spring.yaml",
        "# Spring\n" + dedent(PLAIN["waves/spring.yaml"]),
    ),
    "the wave cannot be read": ("waves/spring.yaml", "a: ["),
    "a freeze": (
        "scheduler.yaml",
        "freezes: [{ from: 2026-03-28T00:00:00Z, until: 2026-03-30T00:00:00Z }]\n",
    ),
    "repositories are no longer allowed": ("scheduler.yaml", "allow: [other/*]\n"),
}
"""Texts of an event change by what is declared, though its record stays as it is."""


def test_every_text_that_changes_has_a_newer_stamp(mini: Miniature) -> None:
    mini.run("state", "init", now="2026-03-01T00:00:00Z")
    day = 2
    for sentence, (file, text) in CHANGES.items():
        mini.channels("alpha").write(PLAIN | {"scheduler.yaml": "horizon: 14d\n"})
        mini.run("run", now=f"2026-03-{day:02}T00:00:00Z")
        publish(mini, now=f"2026-03-{day:02}T00:30:00Z")
        before, same = events(mini)[TEASER], written(mini, "calendar.ics")
        publish(mini, now=f"2026-03-{day:02}T00:45:00Z")
        assert written(mini, "calendar.ics") == same, f"no clock ({sentence})"
        mini.write({file: text})
        for run in (False, True):
            if run:
                mini.run("run", now=f"2026-03-{day:02}T01:00:00Z")
            publish(mini, now=f"2026-03-{day:02}T01:30:00Z")
            after = events(mini)[TEASER]
            assert after.to_ical() != before.to_ical(), sentence
            assert after.decoded("last-modified") > before.decoded("last-modified"), (sentence, run)
            assert after["dtstamp"].to_ical() == after["last-modified"].to_ical()
            before = after if run else before
        day += 1


def test_what_a_commit_declares_is_as_new_as_the_commit(mini: Miniature) -> None:
    mini.channels("alpha").write(PLAIN)
    mini.run("state", "init", now="2026-03-01T00:00:00Z")
    mini.run("run", now="2026-03-02T00:00:00Z")
    mini.channels("alpha", name="Alpha TV")
    git(mini.root, "init", "-q")
    commit_all(mini.root, "Name the channel")
    committed = int(git(mini.root, "log", "-1", "--format=%ct"))
    publish(mini)
    assert events(mini)[TEASER].decoded("last-modified").timestamp() == committed


@pytest.mark.parametrize("runs", [False, True])
def test_what_time_alone_changes_has_a_newer_stamp_too(mini: Miniature, runs: bool) -> None:
    """A lead, a freeze, a pause that ends, `catch_up`, the horizon of slots: at any of their instants."""
    sample(mini)
    seen: dict[str, tuple[bytes, datetime]] = {}
    for hour in range(0, 22 * 24, 7):  # from what was recorded last on
        now = (datetime(2026, 3, 22, 13, tzinfo=UTC) + timedelta(hours=hour)).isoformat()
        if runs and hour % 3 == 0:
            mini.run("run", now=now)
        publish(mini, now=now)
        for name, event in events(mini).items():
            stamp = event.decoded("last-modified")
            del event["last-modified"], event["dtstamp"]
            text, before = seen.get(name, (event.to_ical(), stamp))
            assert stamp >= before, (now, name)
            assert stamp > before or text == event.to_ical(), (now, name, text, event.to_ical())
            seen[name] = event.to_ical(), stamp


def test_the_page_has_the_offset_of_every_zone_at_every_instant(shown: Miniature) -> None:
    """A browser's own zone data are never needed, and never used."""
    page = written(shown, "index.html")
    facts = json.loads(_Page(page).scripts[1])
    instants = {int(at) for at in re.findall(r'data-at="(\d+)"', page)} | {facts["now"]}
    assert {name for names, _ in facts["zones"] for name in names} == available_zones()
    for names, changes in facts["zones"]:
        for at in instants:
            offset = next(seconds for since, seconds in reversed(changes) if since <= at)
            for name in names:
                right = moment_of(at).astimezone(read_zone(name)).utcoffset()
                assert right == timedelta(seconds=offset), (name, at)
    (india,) = (names for names, _ in facts["zones"] if "Asia/Kolkata" in names)
    assert "Asia/Calcutta" in india


def test_a_renamed_wave_keeps_its_events(mini: Miniature) -> None:
    mini.channels("alpha").write(PLAIN)
    mini.run("state", "init", now="2026-03-01T00:00:00Z")
    mini.run("run", now="2026-03-02T00:00:00Z")
    mini.remove("waves/spring.yaml")
    mini.write(
        {"waves/easter.yaml": "renamed_from: spring\n" + re.sub("(?m)^ {8}", "", PLAIN["waves/spring.yaml"])}
    )
    for _ in range(2):  # before a run has recorded the name, and after it
        publish(mini)
        assert list(events(mini)) == [TEASER]
        assert "easter/teaser/alpha" in events(mini)[TEASER]["description"]
        mini.run("run", now="2026-03-03T00:00:00Z")


def test_a_freeze_is_an_event_that_takes_nobodys_time(shown: Miniature) -> None:
    freezes = {str(event["summary"]): event for name, event in events(shown).items() if "freeze" in name}
    assert list(freezes) == ["Freeze: Audit", "Freeze: Holidays"]
    assert freezes["Freeze: Holidays"].decoded("dtend") == datetime(2026, 4, 6, tzinfo=UTC)
    assert freezes["Freeze: Holidays"]["transp"] == "TRANSPARENT"
    assert "beta" in freezes["Freeze: Audit"]["description"]


def test_lines_are_folded_and_end_as_the_standard_says(shown: Miniature) -> None:
    lines = written(shown, "calendar.ics").encode().split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert b"\n" not in b"".join(lines)
    assert {b"METHOD:PUBLISH", b"X-WR-CALNAME:Publications", b"REFRESH-INTERVAL;VALUE=DURATION:PT1H"} <= {
        *lines
    }


def test_thunderbirds_reader_understands_the_feed(shown: Miniature) -> None:
    if shutil.which("node") is None or not (READER / "node_modules").exists():
        pytest.skip("needs node, and `npm ci --prefix tests/reporting/feed_reader`")
    feed = written(shown, "calendar.ics")
    told = subprocess.run(
        ["node", READER / "read.mjs"], input=feed.encode(), capture_output=True, check=True, env=shown.environ
    )
    read = json.loads(told.stdout)
    ours = events(shown)
    assert read["name"] == "Publications"
    assert len(read["events"]) == len(ours)
    for event in read["events"]:
        mine = ours[event["uid"].split("@")[0]]
        assert event["summary"] == mine["summary"]
        assert event["description"] == mine["description"]
        assert datetime.fromisoformat(event["start"]) == mine.decoded("dtstart")
        assert event["status"] == mine["status"]


# --- the page, as text --------------------------------------------------------------------------------


class _Page(HTMLParser):
    """What a page has: elements with their attributes, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words.append(data)


def _addresses(page: _Page) -> Iterator[str]:
    for _, attributes in page.tags:
        yield from (
            value or "" for name, value in attributes.items() if name in ("href", "src", "srcset", "action")
        )


def test_hostile_texts_stay_texts(shown: Miniature) -> None:
    page = _Page(written(shown, "index.html"))
    assert [tag for tag, _ in page.tags if tag in ("img", "b", "iframe", "object", "form")] == []
    assert len(page.scripts) == 4
    assert "Spring, </script>" in json.loads(page.scripts[1])["waves"][2][1]
    assert "<img src=x onerror=alert(1)>; teaser, 4k" in page.words
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_the_page_asks_for_nothing_but_its_neighbours(shown: Miniature) -> None:
    edit_record(shown, "spring/teaser/beta", run_url="https://github.com/acme/beta/actions/runs/7")
    edit_record(shown, "spring/teaser/alpha", run_url="javascript:alert(1)")
    publish(shown)
    addresses = {
        address for address in _addresses(_Page(written(shown, "index.html"))) if not address.startswith("#")
    }
    assert addresses == {"calendar.ics", "schedules.json", "https://github.com/acme/beta/actions/runs/7"}


def test_its_policy_lets_nothing_in(shown: Miniature) -> None:
    page = _Page(written(shown, "index.html"))
    [policy] = [meta["content"] or "" for tag, meta in page.tags if tag == "meta" and "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_clock_changes_are_told_by_the_programs_own_zones(shown: Miniature) -> None:
    facts = json.loads(_Page(written(shown, "index.html")).scripts[1])
    zones = {name: changes for names, changes in facts["zones"] for name in names}
    assert [offset for _, offset in zones["Europe/Berlin"]] == [3600, 7200]
    assert [offset for _, offset in zones["Australia/Lord_Howe"]] == [39600, 37800]
    words = " ".join(_Page(written(shown, "index.html")).words)
    assert "Sun 2026-03-29 12:30" in words
    assert "Mon 2026-03-30 02:30" in words


# --- the page about it ------------------------------------------------------------------------------


def test_the_workflow_that_publishes_it_has_no_findings(tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "calendar.md").read_text(encoding="utf-8")
    [workflow] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    place = tmp_path / ".github" / "workflows" / "calendar.yml"
    place.parent.mkdir(parents=True)
    place.write_text(workflow, encoding="utf-8")
    beside = Path(sys.executable).parent
    if not (beside / "zizmor").exists() or not (beside / "actionlint").exists():
        pytest.skip("needs the dependency group `ci`")
    for command in (["actionlint"], ["zizmor", "--offline", "--persona=auditor", "--quiet"]):
        done = subprocess.run(
            [beside / command[0], *command[1:], place], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def rewrite() -> None:
    """Write the expected files anew."""
    with tempfile.TemporaryDirectory() as scratch, mock.patch("scheduler.cli.main.Clock", StillClock):
        mini = sample(Miniature(Path(scratch)))
        publish(mini)
        EXPECTED.mkdir(exist_ok=True)
        for name in ("calendar.ics", "schedules.json"):
            (EXPECTED / name).write_text(written(mini, name).replace("\r\n", "\n"), encoding="utf-8")


if __name__ == "__main__" and "--rewrite" in sys.argv:
    rewrite()
