"""Times and durations: every form that is read, every form that is refused, and the words for it."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.desired.fields import DURATION
from scheduler.times import (
    LAST,
    LONGEST_DURATION,
    TimeError,
    available_zones,
    duration_text,
    in_zone,
    instant,
    instant_text,
    moment_of,
    read_duration,
    read_time,
    read_utc,
    read_zone,
)
from scheduler.wording import quoted

BERLIN = ZoneInfo("Europe/Berlin")
OFFSET_FORM = "write a time with an offset, such as 2026-03-01T18:00:00Z or 2026-03-01T18:00:00+02:00"
LOCAL_FORM = "write a time such as 2026-03-01T18:00 (in Europe/Berlin) or 2026-03-01T18:00:00Z"
DURATION_FORM = "write 90s, 45m, 1h30m, 2d or PT1H30M"

instants = st.integers(read_utc("1971-01-02T00:00:00Z"), read_utc("2998-12-30T00:00:00Z"))


def refusal(text: str, zone: ZoneInfo | None = None) -> tuple[str, str]:
    with pytest.raises(TimeError) as caught:
        read_time(text, zone)
    return str(caught.value), caught.value.hint


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-01T18:00:00Z", "2026-03-01T18:00:00Z"),
        ("2026-03-01T18:00Z", "2026-03-01T18:00:00Z"),
        ("2026-03-01 18:00:00Z", "2026-03-01T18:00:00Z"),
        ("2026-03-01t18:00:00z", "2026-03-01T18:00:00Z"),
        ("2026-03-01T18:00:00+02:00", "2026-03-01T16:00:00Z"),
        ("2026-03-01 18:00-03:30", "2026-03-01T21:30:00Z"),
        ("2026-03-01T18:00:00+00:00", "2026-03-01T18:00:00Z"),
        ("2026-03-01T18:00:00-00:00", "2026-03-01T18:00:00Z"),
        ("2026-03-01T00:30+23:59", "2026-02-28T00:31:00Z"),
        ("2028-02-29T23:59:59Z", "2028-02-29T23:59:59Z"),
        ("1971-01-01T00:00:00Z", "1971-01-01T00:00:00Z"),
        ("2998-12-31T23:59:59Z", "2998-12-31T23:59:59Z"),
        ("2026-03-01T18:00:00.000Z", "2026-03-01T18:00:00Z"),  # js-yaml, npm yaml
        ("2026-03-01T18:00:00.000000+00:00", "2026-03-01T18:00:00Z"),  # php-yaml, Python's isoformat
        ("2026-03-01 18:00:00.000000000 Z", "2026-03-01T18:00:00Z"),  # Psych
        ("2026-03-01 19:00:00.000000000 +01:00", "2026-03-01T18:00:00Z"),
        ("2026-03-01 18:00 Z", "2026-03-01T18:00:00Z"),
        ("2026-03-01 18:00 America/New_York", "2026-03-01T23:00:00Z"),
        ("2026-07-01T18:00:30 America/Argentina/Buenos_Aires", "2026-07-01T21:00:30Z"),
    ],
)
def test_a_time_with_an_offset_is_read_alike_with_and_without_a_zone(text: str, utc: str) -> None:
    assert instant_text(read_time(text)) == utc
    assert read_time(text, BERLIN) == read_time(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-01T18:00", "2026-03-01T17:00:00Z"),
        ("2026-07-01 18:00:30", "2026-07-01T16:00:30Z"),
        ("2026-07-01T18:00:30.000", "2026-07-01T16:00:30Z"),
        ("2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
        ("2026-03-29T03:00", "2026-03-29T01:00:00Z"),
        ("2026-10-25T01:59:59", "2026-10-24T23:59:59Z"),
        ("2026-10-25T03:00", "2026-10-25T02:00:00Z"),
    ],
)
def test_a_local_time_is_read_in_its_zone(text: str, utc: str) -> None:
    assert instant_text(read_time(text, BERLIN)) == utc


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("Fri 2026-12-04 18:00", "2026-12-04T17:00:00Z"),
        ("Friday, 2026-12-04T18:00:00Z", "2026-12-04T18:00:00Z"),
        ("fri 2026-12-04 18:00 Asia/Tokyo", "2026-12-04T09:00:00Z"),
        ("Sat 2026-12-05 01:00+09:00", "2026-12-04T16:00:00Z"),  # the weekday is that of the date as written
    ],
)
def test_a_weekday_before_a_time_is_that_of_the_date_as_it_is_written(text: str, utc: str) -> None:
    assert instant_text(read_time(text, BERLIN)) == utc


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "Fri 2026-12-05 18:00",
            "2026-12-05 is a Saturday, not a Friday",
            "write Sat 2026-12-05 18:00 or Fri 2026-12-04 18:00",
        ),
        (
            "Monday, 2026-12-04T18:00Z",
            "2026-12-04 is a Friday, not a Monday",
            "write Friday 2026-12-04T18:00Z or Monday 2026-12-07T18:00Z",
        ),
        ("Fr 2026-12-04 18:00", "'Fr' is not an English weekday", "write Fri 2026-12-04 18:00"),
        ("Fri 2026-12-04", "'2026-12-04' is a date without a time", "write 2026-12-04T18:00:00Z"),
    ],
)
def test_a_weekday_that_disagrees_gets_both_readings(text: str, message: str, hint: str) -> None:
    assert refusal(text, BERLIN) == (message, hint)


@given(st.integers(0, LAST - 86_400), st.sampled_from(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]))
def test_of_the_seven_weekdays_one_is_right_and_a_hint_of_any_other_is_a_time(at: int, day: str) -> None:
    if not 1971 <= moment_of(at).year <= 2997:
        return
    text = f"{day} {instant_text(at)}"
    try:
        assert read_time(text) == at
    except TimeError as problem:
        kept, moved = problem.hint.removeprefix("write ").split(" or ")
        assert read_time(kept) == at
        assert moved.startswith(day)
        assert abs(read_time(moved) - at) <= 3 * 86_400


def test_a_time_that_names_its_zone_must_name_one_that_is_there() -> None:
    assert refusal("2026-03-01 18:00 Europe/Berln") == (
        "'Europe/Berln' is not a time zone",
        "did you mean Europe/Berlin?",
    )
    assert "a clock change skips it" in refusal("2026-03-29 02:30 Europe/Berlin")[0]


NO_TIME = {
    "2026-03-01T18:00": (
        "is a local time without a zone",
        "write 2026-03-01T18:00Z for UTC, or its offset, such as 2026-03-01T18:00+02:00",
    ),
    "2026-03-01 18:00:00": (
        "is a local time without a zone",
        "write 2026-03-01 18:00:00Z for UTC, or its offset, such as 2026-03-01 18:00:00+02:00",
    ),
    "2026-03-01": ("is a date without a time", "write 2026-03-01T18:00:00Z"),
    "2026-02-30": ("does not exist: 2026-02 has no day 30", OFFSET_FORM),
    "2026-03-01T18:00:00.5Z": (
        "has fractions of a second",
        "leave out the fraction: times are in whole seconds",
    ),
    "2026-02-30T18:00Z": ("does not exist: 2026-02 has no day 30", OFFSET_FORM),
    "2027-02-29T18:00Z": ("does not exist: 2027-02 has no day 29", OFFSET_FORM),
    "2026-03-00T18:00Z": ("does not exist: 2026-03 has no day 0", OFFSET_FORM),
    "2026-13-01T18:00Z": ("does not exist: 13 is not a valid month (1-12)", OFFSET_FORM),
    "2026-03-01T24:00Z": ("does not exist: 24 is not a valid hour (0-23)", OFFSET_FORM),
    "2026-03-01T18:60Z": ("does not exist: 60 is not a valid minute (0-59)", OFFSET_FORM),
    "2026-12-31T23:59:60Z": ("does not exist: 60 is not a valid second (0-59)", OFFSET_FORM),
    "2026-03-01T18:00+24:00": ("has the offset +24:00, which does not exist", OFFSET_FORM),
    "2026-03-01T18:00+02:60": ("has the offset +02:60, which does not exist", OFFSET_FORM),
    "1970-12-31T23:59:59Z": ("is outside the years 1971 to 2998", OFFSET_FORM),
    "2999-01-01T00:00:00Z": ("is outside the years 1971 to 2998", OFFSET_FORM),
    "0000-01-01T00:00:00Z": ("is outside the years 1971 to 2998", OFFSET_FORM),
}


@pytest.mark.parametrize("text", NO_TIME)
def test_a_time_that_cannot_be_meant_is_told_with_the_right_form(text: str) -> None:
    reason, hint = NO_TIME[text]
    assert refusal(text) == (f"{text!r} {reason}", hint)


MEANT = {
    "2026-3-1T18:00Z": "2026-03-01T18:00Z",
    "2026-03-01T18Z": "2026-03-01T18:00Z",
    "2026-03-01T18:00:00  Z": "2026-03-01T18:00:00Z",
    "2026-03-01T18:00Europe/Berlin": "2026-03-01T18:00 Europe/Berlin",
    "2026-03-01  18:00Z": "2026-03-01 18:00Z",
    "2026/03/01 18:00Z": "2026-03-01 18:00Z",
    "2026-03-01, 18.30 UTC": "2026-03-01 18:30Z",
    "2026-03-01 18:00 UTC+1": "2026-03-01 18:00+01:00",
    "2026-03-01 18:00 GMT-0330": "2026-03-01 18:00-03:30",
    "2026-03-01 6:30 pm (Europe/Berlin)": "2026-03-01 18:30 Europe/Berlin",
    "2026-03-01T18:00:00+01:00[Europe/Berlin]": "2026-03-01T18:00:00+01:00",
    "1.3.2026 12am Europe/Berlin": "2026-03-01 00:00 Europe/Berlin",
    "03/02/2026 18:00Z": "2026-02-03 18:00Z or 2026-03-02 18:00Z",
    "3/31/2026 at 6pm": "2026-03-31 18:00Z for UTC, or its offset, such as 2026-03-31 18:00+02:00",
}


@pytest.mark.parametrize("text", MEANT)
def test_a_time_in_another_form_gets_the_text_to_write(text: str) -> None:
    assert refusal(text) == (f"{text!r} is not a time", f"write {MEANT[text]}")


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "tomorrow", "18:00", "1772388000", "1772388000.0", "2026-03",
        "26-03-01T18:00Z", "1-2-3 4", "2026-03-01T1800Z", "20260301T180000Z",
        " 2026-03-01T18:00Z", "2026-03-01T18:00Z\n", "2026-03-01Z", "2/30/2026 18:00",
        "2026-W09-7T18:00:00Z", "2026-03-01T18:00:00.Z", "2026-03-01 18:00 Europe/Nowhere)",
        "٢٠٢٦-03-01T18:00Z", "2026-03-01T18:00:0０Z", "2026-03-01T18:00\u221202:00",
        "2026\u201103\u201101T18:00Z",
    ],
)  # fmt: skip
def test_every_other_form_is_no_time_and_the_right_one_is_shown(text: str) -> None:
    assert refusal(text) == (f"{text!r} is not a time", OFFSET_FORM)
    assert refusal(text, BERLIN) == (f"{text!r} is not a time", LOCAL_FORM)


@pytest.mark.parametrize(
    ("zone", "text", "first", "second"),
    [
        (
            "Europe/Berlin",
            "2026-03-29T02:30",
            "2026-03-29T01:30:00+01:00 (2026-03-29T00:30:00Z)",
            "2026-03-29T03:30:00+02:00 (2026-03-29T01:30:00Z)",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-04T02:00:00",
            "2026-10-04T01:30:00+10:30 (2026-10-03T15:00:00Z)",
            "2026-10-04T02:30:00+11:00 (2026-10-03T15:30:00Z)",
        ),
        (
            "Pacific/Apia",
            "2011-12-30 12:00",
            "2011-12-29T12:00:00-10:00 (2011-12-29T22:00:00Z)",
            "2011-12-31T12:00:00+14:00 (2011-12-30T22:00:00Z)",
        ),
        (
            "America/Sao_Paulo",
            "2018-11-04T00:00",
            "2018-11-03T23:00:00-03:00 (2018-11-04T02:00:00Z)",
            "2018-11-04T01:00:00-02:00 (2018-11-04T03:00:00Z)",
        ),
    ],
)
def test_a_local_time_that_a_clock_change_skips_names_both_readings(
    zone: str, text: str, first: str, second: str
) -> None:
    assert refusal(text, ZoneInfo(zone)) == (
        f"{text!r} does not exist in {zone}: a clock change skips it",
        f"write the one you mean: {first} or {second}",
    )


@pytest.mark.parametrize(
    ("zone", "text", "first", "second"),
    [
        (
            "Europe/Berlin",
            "2026-10-25T02:30:15",
            "2026-10-25T02:30:15+02:00 (2026-10-25T00:30:15Z)",
            "2026-10-25T02:30:15+01:00 (2026-10-25T01:30:15Z)",
        ),
        (
            "America/New_York",
            "2026-11-01 01:00",
            "2026-11-01T01:00:00-04:00 (2026-11-01T05:00:00Z)",
            "2026-11-01T01:00:00-05:00 (2026-11-01T06:00:00Z)",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-05T01:45",
            "2026-04-05T01:45:00+11:00 (2026-04-04T14:45:00Z)",
            "2026-04-05T01:45:00+10:30 (2026-04-04T15:15:00Z)",
        ),
        (
            "America/Sao_Paulo",
            "2018-02-17T23:59:59",
            "2018-02-17T23:59:59-02:00 (2018-02-18T01:59:59Z)",
            "2018-02-17T23:59:59-03:00 (2018-02-18T02:59:59Z)",
        ),
    ],
)
def test_a_local_time_that_a_clock_change_repeats_names_both_readings(
    zone: str, text: str, first: str, second: str
) -> None:
    assert refusal(text, ZoneInfo(zone)) == (
        f"{text!r} happens twice in {zone}: a clock change repeats it",
        f"write the one you mean: {first} or {second}",
    )


@given(instants, st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"]))
def test_what_is_printed_in_a_zone_is_read_back(at: int, zone: str) -> None:
    assert read_time(in_zone(at, ZoneInfo(zone))) == at


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_is_refused_with_a_hint(text: str) -> None:
    try:
        assert read_time(text, BERLIN) <= LAST
    except TimeError as problem:
        assert problem.hint


# --- the one form that is kept --------------------------------------------------------------------


@given(instants)
def test_an_instant_survives_its_text(at: int) -> None:
    text = instant_text(at)
    assert len(text) == 20
    assert read_utc(text) == read_time(text) == at


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)))  # noqa: DTZ001 - hypothesis wants them so
def test_any_year_has_four_digits_and_is_read_back(moment: datetime) -> None:
    at = instant(moment.replace(tzinfo=UTC))
    assert read_utc(instant_text(at)) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T18:00:0xZ",
        "2026-03-01t18:00:00Z",
        "2026-03-01T18:00:00z",
        "2026-03-01 18:00:00Z",
        "2026-03-01T18:00:00",
        "2026-03-01T18:00:00ZZ",
        "2026-03-01T18:00Z",
        "2026-03-01T18+01:00Z",  # fromisoformat would read it, and its offset would be lost
        "2026-W09-7T18:00:00Z",  # a week date of the right length
        "2026-03-01T180000.0Z",
        "2026-03-01T18:00,00Z",
        "2026-02-30T18:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T18:00:60Z",
        "-026-03-01T18:00:00Z",
        "+026-03-01T18:00:00Z",
        "0000-03-01T18:00:00Z",
        "2026-03-01T18:00:0\u0660Z",
        "2026-03-01T18:00:0 Z",
        "",
        "x" * 1_000_000,
    ],
)
def test_no_other_text_is_taken_for_the_kept_form(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_utc(text)
    assert len(str(caught.value)) < 200


@given(st.text(alphabet="0123456789-+TWZ:., ", min_size=19, max_size=19))
def test_what_is_read_as_the_kept_form_is_the_kept_form(text: str) -> None:
    try:
        at = read_utc(text + "Z")
    except ValueError:
        return
    assert instant_text(at) == text + "Z"


def test_parts_of_a_second_are_dropped_from_a_datetime() -> None:
    moment = datetime(2026, 3, 1, 18, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert instant_text(instant(moment)) == "2026-03-01T16:00:00Z"
    assert moment_of(instant(moment)) == datetime(2026, 3, 1, 16, tzinfo=UTC)


def test_a_naive_datetime_has_no_instant() -> None:
    with pytest.raises(TypeError):
        instant(datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


def test_the_last_instant_is_the_end_of_2999() -> None:
    assert instant_text(LAST) == "2999-12-31T23:59:59Z"


# --- zones ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Etc/GMT+3", "US/Eastern", "CET"]
)
def test_a_zone_is_known_by_its_iana_name(name: str) -> None:
    assert read_zone(name).key == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("America/New York", "did you mean America/New_York?"),
        ("Eastern", "did you mean Canada/Eastern or US/Eastern?"),
        ("utc", "did you mean UTC?"),
        ("CEST", "write an IANA name, such as Europe/Berlin or UTC"),
        ("UTC+2", "write an IANA name, such as Europe/Berlin or UTC"),
        ("GMT+1", "write an IANA name, such as Europe/Berlin or UTC"),
        ("+02:00", "write an IANA name, such as Europe/Berlin or UTC"),
        ("", "write an IANA name, such as Europe/Berlin or UTC"),
        ("../../etc/passwd", "write an IANA name, such as Europe/Berlin or UTC"),
        ("posix/Europe/Berlin", "did you mean Europe/Berlin?"),
        ("localtime", "write an IANA name, such as Europe/Berlin or UTC"),
        ("Factory", "write an IANA name, such as Europe/Berlin or UTC"),
    ],
)
def test_what_is_no_zone_is_told_with_the_one_that_was_plainly_meant(name: str, hint: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_zone(name)
    assert (str(caught.value), caught.value.hint) == (f"{name!r} is not a time zone", hint)


def test_a_zone_of_a_million_characters_is_refused_in_a_short_message() -> None:
    with pytest.raises(TimeError) as caught:
        read_zone("Europe/" * 150_000)
    assert str(caught.value).endswith("(1050000 characters) is not a time zone")
    assert len(str(caught.value)) < 200


def test_every_zone_that_is_listed_can_be_read() -> None:
    assert len(available_zones()) > 500
    assert all(read_zone(name).key == name for name in available_zones())


# --- durations ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0), ("90s", 90), ("45m", 2_700), ("1h30m", 5_400), ("2d", 172_800), ("1d2h3m4s", 93_784),
        ("1h5s", 3_605), ("007m", 420), ("14d", 1_209_600), ("3660d", LONGEST_DURATION),
        ("PT1H30M", 5_400), ("PT90S", 90), ("P2D", 172_800), ("P1W", 604_800), ("P1DT12H", 129_600),
        ("PT0S", 0),
    ],
)  # fmt: skip
def test_a_duration_is_read_to_seconds(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "s", "P", "PT", "P1DT", "1h 30m", "30m1h", "1h1h", "1.5h", "1,5h", "-30m", "+30m",
        "1H30M", "pt1h", "1w", "1M", "P1M", "P1Y", "PT1.5H", "01:30", "1:30:00", "one hour",
        " 90s", "90s\n", "٩٠s", "９０s", "1_000s", "1e3s", "0x10s", "1234567890s", "12345678901234567890",
    ],
)  # fmt: skip
def test_what_is_no_duration_is_told_with_the_right_forms(text: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_duration(text)
    assert (str(caught.value), caught.value.hint) == (f"{text!r} is not a duration", DURATION_FORM)


@pytest.mark.parametrize(("text", "number"), [("90", "90"), ("0", "0"), ("-5", "5")])
def test_a_bare_number_is_no_duration(text: str, number: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_duration(text)
    hint = f"write {number}s for seconds or {number}m for minutes"
    assert (str(caught.value), caught.value.hint) == (f"{text!r} has no unit", hint)


@pytest.mark.parametrize("text", ["3661d", "3660d1s", "999999999s", "P523W"])
def test_more_than_ten_years_are_a_typing_error(text: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_duration(text)
    assert (str(caught.value), caught.value.hint) == (f"{text!r} is longer than ten years", DURATION_FORM)


@given(st.integers(0, LONGEST_DURATION))
def test_a_duration_survives_its_text(seconds: int) -> None:
    assert read_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (60, "1m"), (5_400, "1h30m"), (86_400, "1d"), (90_061, "1d1h1m1s"), (-1_800, "-30m")],
)
def test_a_duration_is_written_as_an_editor_would(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


# --- hostile and cheap ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["9" * 1_000_000, "1h" * 500_000, "2026-03-01T18:00:00." + "0" * 1_000_000 + "Z"]
)
def test_a_text_of_a_million_characters_is_refused_in_a_short_message(text: str) -> None:
    for read in (read_time, read_duration):
        with pytest.raises(TimeError) as caught:
            read(text)
        assert len(str(caught.value)) < 200
        assert len(caught.value.hint) < 200


def test_a_quoted_text_is_whole_up_to_80_characters_and_has_no_control_character() -> None:
    assert quoted("x" * 80) == repr("x" * 80)
    assert quoted("x" * 81) == repr("x" * 60) + "... (81 characters)"
    assert quoted("\x1b[2J\n") == r"'\x1b[2J\n'"


def test_importing_times_brings_neither_zones_nor_difflib() -> None:
    """Every idle run imports `times`: what only an editor's text needs is imported where it is read."""
    late = {"zoneinfo", "difflib", "pkgutil", "tzdata"}
    code = f"import sys, scheduler.times; print(*({late} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("2026-03-01T18:00:00+02", "2026-03-01T18:00:00+02:00"),
        ("2026-03-01T18:00+0200", "2026-03-01T18:00+02:00"),
        ("2026-03-01T18:00+1", "2026-03-01T18:00+01:00"),
        ("2026-03-01 18:00:00 -0530", "2026-03-01 18:00:00-05:30"),
        ("2026-03-01T18:00 CET", "an offset such as 2026-03-01T18:00+01:00"),
    ],
)
def test_a_time_that_is_nearly_one_gets_its_own_right_form(typed: str, hint: str) -> None:
    with pytest.raises(TimeError) as problem:
        read_time(typed, BERLIN)
    assert hint in problem.value.hint


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("1 hour", "write 1h"),
        ("90 s", "write 90s"),
        ("90 min", "write 90m"),
        ("2 days", "write 2d"),
        ("0777", "write 777s"),
    ],
)
def test_a_duration_in_words_gets_its_own_right_form(typed: str, hint: str) -> None:
    with pytest.raises(TimeError) as problem:
        read_duration(typed)
    assert problem.value.hint.startswith(hint)


@given(st.from_regex(re.compile(DURATION, re.ASCII), fullmatch=True) | st.text("0129PTWDHMSdhms", max_size=8))
def test_editors_check_durations_as_the_program_reads_them(text: str) -> None:
    """What lasts longer than ten years has the form all the same."""
    try:
        read_duration(text)
        is_read = True
    except TimeError as problem:
        is_read = "longer than ten years" in str(problem)
    assert is_read == (re.fullmatch(DURATION, text, re.ASCII) is not None)
