"""Listings: the table and the CSV."""

from __future__ import annotations

import csv
import io
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from reporting import NOW, WRITABLE, assert_harmless, encodable_texts, one_off, record

from scheduler.diagnostics import Location
from scheduler.planning.rows import Row
from scheduler.reporting.list_text import COLUMNS, csv_text, table
from scheduler.reporting.terminal import visible
from scheduler.state.record import Pause
from scheduler.times import instant_text


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_the_table_is_aligned_in_the_order_of_time_and_neither_wrapped_nor_cut() -> None:
    paused = record(is_paused=True, pauses=(Pause("wave", "legal"), Pause("operator")))
    rows = [
        Row(
            now=NOW,
            schedule_id="tech/2026-03-02T17:00:00Z",
            record=one_off(scheduled_at="2026-03-02T17:00:00Z", video_id=None),
            recorded=False,
        ),
        Row(
            now=NOW,
            schedule_id="日本/x/alpha",
            record=record(status="failed", reason="missed"),
            zone="Asia/Tokyo",
        ),
        Row(now=NOW, schedule_id="spring/teaser/alpha", record=paused, zone="Europe/Berlin"),
        Row(now=NOW, schedule_id="spring/teaser/beta", record=record(video_id="v" * 90), problem="min-gap"),
    ]
    assert table(rows) == dedent(f"""
        ID                         LOCAL TIME                      UTC               STATUS                                     VIDEO
        spring/teaser/alpha        2026-03-01 19:00 Europe/Berlin  2026-03-01 18:00  pending, paused by wave (legal), operator  teaser-4k
        spring/teaser/beta         2026-03-01 18:00 UTC            2026-03-01 18:00  pending, blocked by min-gap                {"v" * 90}
        日本/x/alpha               2026-03-02 03:00 Asia/Tokyo     2026-03-01 18:00  failed (missed)                            teaser-4k
        tech/2026-03-02T17:00:00Z  2026-03-02 17:00 UTC            2026-03-02 17:00  pending, not yet recorded                  (open)
        4 publications
    """).strip("\n")  # noqa: E501 - the table is as wide as it is


def test_an_empty_table_says_so() -> None:
    assert table([]) == "No publications."


@pytest.mark.parametrize(
    ("facts", "is_late"),
    [
        ({"scheduled_at": instant_text(NOW + 60)}, False),
        ({"scheduled_at": instant_text(NOW)}, False),
        ({"scheduled_at": instant_text(NOW - 60)}, True),
        ({"scheduled_at": instant_text(NOW - 60), "status": "executing"}, True),
        ({"scheduled_at": instant_text(NOW - 60), "status": "completed", "lateness_seconds": 0}, False),
        ({"scheduled_at": instant_text(NOW - 60), "status": "completed", "lateness_seconds": -5}, False),
        ({"scheduled_at": instant_text(NOW - 60), "status": "completed", "lateness_seconds": 30}, True),
        ({"scheduled_at": instant_text(NOW - 60), "status": "cancelled"}, False),
    ],
)
def test_late_is_what_was_sent_after_its_time_or_is_not_public_although_it_has_passed(
    facts: dict[str, Any], is_late: bool
) -> None:
    assert Row(now=NOW, schedule_id="a", record=record(**facts)).is_late is is_late


def test_colour_changes_nothing_but_colour() -> None:
    import re

    rows = [
        Row(now=NOW, schedule_id="a", record=record()),
        Row(now=NOW, schedule_id="b", record=record(), problem="past"),
    ]
    assert re.sub(r"\x1b\[[\d;]*m", "", table(rows, colour=True)) == table(rows)


def test_csv_has_a_header_and_one_line_a_schedule() -> None:
    held = record(
        is_paused=True,
        pauses=(Pause("wave"), Pause("halt")),
        lateness_seconds=-5,
        metadata={"b": "2", "a": "1"},
    )
    row = Row(
        now=NOW,
        schedule_id="spring/teaser/alpha",
        record=held,
        recorded=False,
        problem="min-gap",
        location=Location("waves/spring.yaml", 7, 5),
        zone="Europe/Berlin",
    )
    text = csv_text([row])
    assert text == (
        f"{','.join(COLUMNS)}\r\n"
        "spring/teaser/alpha,simultaneous,spring,spring/teaser,alpha,teaser-4k,2026-03-01T18:00:00Z,"
        '2026-03-01T19:00:00+01:00,Europe/Berlin,pending,declared,true,"wave, halt",false,min-gap,0,,,,-5,,,,'
        '"{""a"":""1"",""b"":""2""}",waves/spring.yaml:7:5\r\n'
    )


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_finds_no_formula(value: str) -> None:
    cell = read(csv_text([Row(now=NOW, schedule_id="a", record=record(video_id=value))]))[0]["video_id"]
    assert cell == f"'{visible(value)}"


@pytest.mark.parametrize("harm", WRITABLE.values(), ids=WRITABLE)
def test_nothing_hostile_comes_through_in_a_listing(harm: str) -> None:
    pauses = (Pause("wave", harm),)
    held = record(video_id=harm, error_message=harm, is_paused=True, pauses=pauses, metadata={harm: harm})
    row = Row(now=NOW, schedule_id=harm, record=held, location=Location(harm))
    assert_harmless(table([row]))
    assert_harmless(csv_text([row]).replace("\r\n", "\n"))


@given(encodable_texts, encodable_texts)
def test_csv_reads_back_to_the_same_values(schedule_id: str, video: str) -> None:
    told = read(csv_text([Row(now=NOW, schedule_id=schedule_id, record=record(video_id=video))]))
    assert len(told) == 1
    for cell, value in ((told[0]["schedule_id"], schedule_id), (told[0]["video_id"], video)):
        assert cell in (visible(value), f"'{visible(value)}")
        assert not cell.startswith(("=", "+", "-", "@"))
