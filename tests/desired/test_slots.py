"""Posting slots: what is read, what is refused and how, and which instants come of it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from systemd_calendar import Row, ask, installed, questions, table

from scheduler.desired.calendar_expressions import Skipped, instants, is_instant, read_slot
from scheduler.times import TimeError, instant, instant_text, read_time, read_utc

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
UTC_ZONE = ZoneInfo("UTC")
FORMS = "write a systemd calendar expression, such as Mon,Wed,Fri 18:00 or Mon *-*-1..7 09:30"
DATES = "dates are year-month-day: *-*-1..7 09:30 is a month's first week, *-*~1 09:30 its last day"
LEAVE_OUT = "leave out the zone: slots are in the channel's `timezone`, such as Mon,Wed,Fri 18:00 or daily"

needs_systemd = pytest.mark.skipif(not installed, reason="systemd-analyze is not installed")


def told(texts: str | list[str], zone: ZoneInfo, start: str, end: str) -> tuple[list[str], list[Skipped]]:
    """Instants and what is skipped as text, of the span between two UTC times."""
    rules = [read_slot(text) for text in ([texts] if isinstance(texts, str) else texts)]
    found, skipped = instants(rules, zone, read_time(start), read_time(end))
    return [instant_text(at) for at in found], skipped


# --- the expressions of the contract --------------------------------------------------------------


def test_weekdays_and_a_time_in_the_zone_of_the_channel() -> None:
    found, skipped = told("Mon,Wed,Fri 18:00", BERLIN, "2026-03-27T00:00:00Z", "2026-04-02T00:00:00Z")
    assert found == ["2026-03-27T17:00:00Z", "2026-03-30T16:00:00Z", "2026-04-01T16:00:00Z"]
    assert skipped == []


def test_the_first_monday_of_a_month() -> None:
    found, _ = told("Mon *-*-1..7 09:30", BERLIN, "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert found == ["2026-01-05T08:30:00Z", "2026-02-02T08:30:00Z", "2026-03-02T08:30:00Z"]


def test_the_last_day_of_a_month() -> None:
    found, _ = told("*-*~1 12:00", UTC_ZONE, "2028-01-01T00:00:00Z", "2028-04-01T00:00:00Z")
    assert found == ["2028-01-31T12:00:00Z", "2028-02-29T12:00:00Z", "2028-03-31T12:00:00Z"]


def test_the_start_of_a_span_is_outside_and_its_end_inside() -> None:
    found, _ = told("daily", UTC_ZONE, "2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")
    assert found == ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"]


def test_an_instant_that_many_rules_name_comes_once() -> None:
    texts = ["18:00", "Mon 18:00", "18:00", "*-3-2 18:00:00"]
    found, _ = told(texts, UTC_ZONE, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
    assert found == ["2026-03-02T18:00:00Z"]


@pytest.mark.parametrize(("start", "end"), [("2026-03-02", "2026-03-02"), ("2026-03-05", "2026-03-02")])
def test_a_span_of_nothing_has_no_instants(start: str, end: str) -> None:
    assert told("minutely", BERLIN, f"{start}T00:00:00Z", f"{end}T00:00:00Z") == ([], [])


def test_no_rules_have_no_instants() -> None:
    assert instants([], BERLIN, 0, 2_000_000_000) == ([], [])
    assert not is_instant([], BERLIN, 0)


def test_a_rule_whose_years_are_over_is_read_and_names_nothing_any_more() -> None:
    found, _ = told("2020-*-* 18:00", UTC_ZONE, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert found == []


def test_rules_of_one_text_are_one_rule() -> None:
    assert read_slot("Mon 18:00") is read_slot("Mon 18:00")
    assert len({read_slot("Mon 18:00"), read_slot("Mon 18:00"), read_slot("Mon 18:01")}) == 2
    assert repr(read_slot("Mon 18:00")) == "SlotRule(text='Mon 18:00')"


# --- what systemd says ----------------------------------------------------------------------------


def ours(row: Row) -> tuple[str, ...]:
    """Our instants between the start of a row and its last answer (three years where it has none)."""
    start = read_utc(row.start)
    end = read_utc(row.instants[-1]) if row.instants else start + 3 * 366 * 86_400
    found, _ = instants([read_slot(row.expression)], ZoneInfo(row.zone), start, end)
    return tuple(instant_text(at) for at in found)


def name_of(row: Row) -> str:
    return f"{row.expression} {row.zone} {row.start[:10]}"


def test_the_table_has_every_question_once() -> None:
    assert [row[:3] for row in table()] == questions()


@pytest.mark.parametrize("row", table(), ids=name_of)
def test_the_instants_are_those_that_systemd_gave(row: Row) -> None:
    assert ours(row) == row.instants


@needs_systemd
@pytest.mark.parametrize("row", table(), ids=name_of)
def test_the_table_is_what_systemd_says_today(row: Row) -> None:
    assert ask(row.expression, row.zone, row.start) == row.instants


def random_expression(dice: random.Random) -> str:
    """An expression of numbers in their fields, with lists, ranges and steps, well-formed or nearly."""

    def part(low: int, high: int) -> str:
        terms = []
        for _ in range(dice.choice([1, 1, 2])):
            a, b, step = dice.randint(low, high), dice.randint(low, high), dice.randint(0, 9)
            terms.append(dice.choice([f"{a}", f"{a:02d}", f"{a}..{b}", f"{a}/{step}", f"{a}..{b}/{step}"]))
        return ",".join(terms) if dice.random() < 0.8 else "*"

    days = [dice.choice(["Mon", "tue", "Friday", "Sat..Sun", "Wed-Thu", "Sun..Tue"]) for _ in range(2)]
    # One term from the end of a month: systemd 252 counts a list's limit wrongly (28, 25, 22...).
    from_end = dice.choice([f"~{dice.randint(1, 29)}", f"~{dice.randint(1, 9)}..{dice.randint(1, 20)}/3"])
    date = part(1, 12) + (from_end if dice.random() < 0.3 else "-" + part(1, 31))
    year = dice.choice(["", "*-", f"{dice.randint(2026, 2029)}-", f"{dice.randint(0, 99)}-"])
    time = f"{part(0, 23)}:{part(0, 59)}" + dice.choice(["", f":{dice.randint(0, 59)}"])
    pieces = [",".join(days[: dice.choice([0, 0, 1, 2])]), dice.choice(["", year + date]), time]
    return " ".join(piece for piece in pieces if piece)


@needs_systemd
@pytest.mark.parametrize("seed", range(120))
def test_systemd_and_we_read_random_expressions_alike(seed: int) -> None:
    expression, start = random_expression(random.Random(seed)), "2026-01-15T10:20:30Z"
    answer = ask(expression, "UTC", start)
    if answer:
        assert ours(Row(expression, "UTC", start, answer)) == answer
    elif answer is None:
        with pytest.raises(TimeError):
            read_slot(expression)


# --- clock changes --------------------------------------------------------------------------------


def test_a_slot_in_the_hour_that_spring_skips_is_skipped_and_told() -> None:
    found, skipped = told("02:30", BERLIN, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z")
    assert found == ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]
    assert skipped == [("2026-03-29T02:30", "02:30")]


def test_a_slot_in_the_hour_that_autumn_repeats_happens_the_first_time() -> None:
    found, skipped = told("02:30", BERLIN, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z")
    assert found == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    assert skipped == []


def test_the_edges_of_a_skipped_hour() -> None:
    texts = ["01:59:59", "02:00", "02:59:59", "03:00"]
    found, skipped = told(texts, BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z")
    assert found == ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"]
    assert skipped == [("2026-03-29T02:00", "02:00"), ("2026-03-29T02:59:59", "02:59:59")]


def test_the_edges_of_a_repeated_hour() -> None:
    texts = ["00:59", "01:00", "01:59:59", "02:00"]
    found, skipped = told(texts, NEW_YORK, "2026-11-01T04:00:00Z", "2026-11-01T12:00:00Z")
    assert found == [
        "2026-11-01T04:59:00Z",
        "2026-11-01T05:00:00Z",
        "2026-11-01T05:59:59Z",
        "2026-11-01T07:00:00Z",
    ]
    assert skipped == []


def test_the_spring_of_new_york() -> None:
    found, skipped = told("02:15", NEW_YORK, "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z")
    assert found == ["2026-03-09T06:15:00Z"]
    assert skipped == [("2026-03-08T02:15", "02:15")]


def test_half_an_hour_is_skipped_and_repeated_on_lord_howe() -> None:
    found, skipped = told("*:0/15", LORD_HOWE, "2026-10-03T15:00:00Z", "2026-10-03T16:00:00Z")
    assert found[:4] == [
        "2026-10-03T15:15:00Z",  # 01:45
        "2026-10-03T15:30:00Z",  # 02:30
        "2026-10-03T15:45:00Z",
        "2026-10-03T16:00:00Z",
    ]
    assert skipped == [("2026-10-04T02:00", "*:0/15"), ("2026-10-04T02:15", "*:0/15")]
    found, skipped = told("*:0/15", LORD_HOWE, "2026-04-04T14:15:00Z", "2026-04-04T15:30:00Z")
    assert found == [
        "2026-04-04T14:30:00Z",  # 01:30, the first time
        "2026-04-04T14:45:00Z",  # 01:45, the first time
        "2026-04-04T15:30:00Z",  # 02:00
    ]
    assert skipped == []


def test_a_whole_day_is_skipped_in_apia() -> None:
    found, skipped = told(["daily", "18:00"], APIA, "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z")
    assert found == [
        "2011-12-30T04:00:00Z",  # Thursday 29th, 18:00
        "2011-12-30T10:00:00Z",  # Saturday 31st, 00:00
        "2011-12-31T04:00:00Z",  # Saturday 31st, 18:00
        "2011-12-31T10:00:00Z",
    ]
    assert skipped == [("2011-12-30T00:00", "daily"), ("2011-12-30T18:00", "18:00")]


def test_a_midnight_is_skipped_and_an_evening_hour_repeated_in_sao_paulo() -> None:
    found, skipped = told("daily", SAO_PAULO, "2018-11-03T04:00:00Z", "2018-11-05T04:00:00Z")
    assert found == ["2018-11-05T02:00:00Z"]
    assert skipped == [("2018-11-04T00:00", "daily")]
    found, skipped = told("23:30", SAO_PAULO, "2018-02-17T12:00:00Z", "2018-02-18T12:00:00Z")
    assert found == ["2018-02-18T01:30:00Z"]
    assert skipped == []


def test_each_rule_tells_what_it_skips_and_each_once() -> None:
    texts = ["02:30", "Sun 02:30", "02:30"]
    _, skipped = told(texts, BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z")
    assert skipped == [("2026-03-29T02:30", "02:30"), ("2026-03-29T02:30", "Sun 02:30")]


def test_the_second_showing_of_a_repeated_time_is_no_instant_of_the_rule() -> None:
    rules = [read_slot("02:30")]
    assert is_instant(rules, BERLIN, read_time("2026-10-25T02:30:00+02:00"))
    assert not is_instant(rules, BERLIN, read_time("2026-10-25T02:30:00+01:00"))


def test_what_a_skipped_slot_would_have_been_is_no_instant_of_the_rule() -> None:
    rules = [read_slot("02:30")]
    assert not is_instant(rules, BERLIN, read_time("2026-03-29T01:30:00Z"))
    assert not is_instant(rules, BERLIN, read_time("2026-03-29T00:30:00Z"))


def test_a_second_beside_a_slot_is_no_instant_of_it() -> None:
    at = read_time("2026-03-02T18:00:00Z")
    assert [is_instant([read_slot("Mon 18:00")], UTC_ZONE, at + d) for d in (-1, 0, 1)] == [
        False,
        True,
        False,
    ]


# --- properties -----------------------------------------------------------------------------------

TEXTS = (
    "Mon,Wed,Fri 18:00", "*-*~1 02:30", "hourly", "02:30", "*:0/15", "Sun 01:45", "daily", "*-*-1..7 0/6:30",
    "23:30:15", "Mon", "2026-10-25 02:30",
)  # fmt: skip
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
)
CHANGES = [
    instant(datetime(*day, tzinfo=UTC))
    for day in (
        (2026, 3, 29),
        (2026, 10, 25),
        (2026, 3, 8),
        (2026, 11, 1),
        (2026, 4, 4),
        (2026, 10, 3),
        (2018, 11, 4),
        (2018, 2, 18),
    )
]
rule_lists = st.lists(st.sampled_from(TEXTS).map(read_slot), max_size=4)
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.builds(int.__add__, st.sampled_from(CHANGES), st.integers(-3 * 86_400, 3 * 86_400))
lengths = st.integers(0, 5 * 86_400)


@given(rule_lists, zones, moments, lengths)
def test_instants_are_sorted_unique_and_within_the_span(rules, zone, start, length) -> None:  # type: ignore[no-untyped-def]
    found, _ = instants(rules, zone, start, start + length)
    assert found == sorted(set(found))
    assert all(start < at <= start + length for at in found)


@given(rule_lists, zones, moments, lengths, lengths)
def test_two_adjacent_spans_are_their_whole(rules, zone, start, first, second) -> None:  # type: ignore[no-untyped-def]
    middle, end = start + first, start + first + second
    left, right = instants(rules, zone, start, middle), instants(rules, zone, middle, end)
    found, skipped = instants(rules, zone, start, end)
    assert found == left[0] + right[0]
    order = {rule.text: place for place, rule in reversed(list(enumerate(rules)))}
    assert skipped == sorted(left[1] + right[1], key=lambda one: (one.wall, order[one.rule]))


@given(rule_lists, zones, moments)
def test_is_instant_agrees_with_instants(rules, zone, at) -> None:  # type: ignore[no-untyped-def]
    at -= at % 900  # on the quarter hours, where there is something to find
    assert is_instant(rules, zone, at) is (instants(rules, zone, at - 1, at)[0] == [at])


@given(rule_lists, zones, moments, lengths)
def test_every_instant_is_an_instant_of_its_rules(rules, zone, start, length) -> None:  # type: ignore[no-untyped-def]
    found, skipped = instants(rules, zone, start, start + length)
    assert all(is_instant(rules, zone, at) for at in found)
    for wall, _ in skipped:  # no clock shows it: on the way to UTC and back it comes out as another
        local = datetime.fromisoformat(wall).replace(tzinfo=zone)
        assert local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None)


@given(rule_lists, zones, moments)
def test_the_order_of_the_rules_does_not_matter(rules, zone, start) -> None:  # type: ignore[no-untyped-def]
    forwards, backwards = (instants(r, zone, start, start + 172_800) for r in (rules, rules[::-1]))
    assert forwards[0] == backwards[0]
    assert sorted(forwards[1]) == sorted(backwards[1])


near_expressions = st.text(alphabet="MonTueSat0123456789*-~.,:/ ", max_size=30)


@given(st.text(max_size=300) | near_expressions)
def test_any_text_is_read_or_refused_with_a_hint(text: str) -> None:
    try:
        rule = read_slot(text)
    except TimeError as problem:
        assert problem.hint
        assert len(str(problem)) < 400
    else:
        assert rule.times


# --- what is refused, and the words for it --------------------------------------------------------

NOT_A_SLOT = {
    # a typo in a word
    "Mno 18:00": ("'Mno' is not a weekday", f"did you mean Mon? {FORMS}"),
    "Tues 18:00": ("'Tues' is not a weekday", f"did you mean Tue? {FORMS}"),
    "Mon,Wendesday 18:00": ("'Wendesday' is not a weekday", f"did you mean Wednesday? {FORMS}"),
    "Montag 18:00": ("'Montag' is not a weekday", f"did you mean Monday? {FORMS}"),
    "dayly": ("'dayly' is not a weekday", f"did you mean daily? {FORMS}"),
    "every Monday 18:00": ("'every' is not a weekday", FORMS),
    "Mon,,Tue 18:00": ("a weekday is missing", FORMS),
    "Mon.. 18:00": ("a weekday is missing", FORMS),
    # something of another kind
    "0 18 * * 1": ("it is a cron line", FORMS),
    "*/5 9-17 * * MON-FRI": ("it is a cron line", FORMS),
    "@daily": ("'@daily' is out of place", "write daily alone, or a weekday and a time: Mon 18:00"),
    "@1772388000": ("'@1772388000' is out of place", FORMS),
    "2026-03-01T18:00:00Z": (
        "it is one time",
        "put it under `schedules:` as `at:`; a slot repeats, such as Mon 18:00 or daily",
    ),
    "2026-03-01 18:00+02:00": (
        "it is one time",
        "put it under `schedules:` as `at:`; a slot repeats, such as Mon 18:00 or daily",
    ),
    # times of day
    "Mon 18": ("'18' is not a time", "write 18:00, such as Mon 18:00 or Mon..Fri 18:00"),
    "18.30": ("'18.30' is not a time", "write 18:30, such as Mon 18:30 or Mon..Fri 18:30"),
    "Mon 6pm": ("'6pm' is not a time", "write 18:00, such as Mon 18:00 or Mon..Fri 18:00"),
    "12:30am": ("'12:30am' is not a time", "write 00:30, such as Mon 00:30 or Mon..Fri 00:30"),
    "13pm": ("'13pm' is out of place", FORMS),
    "18:": ("'18:' is not a time", "write hours:minutes, such as 18:00 or Mon..Fri 09,18:30"),
    "1:2:3:4": ("'1:2:3:4' is not a time", "write hours:minutes, such as 18:00 or Mon..Fri 09,18:30"),
    "25:00": ("25 is not a valid hour (0-23)", FORMS),
    "24:00": ("24 is not a valid hour (0-23)", FORMS),
    "18:60": ("60 is not a valid minute (0-59)", FORMS),
    "18:00:60": ("60 is not a valid second (0-59)", FORMS),
    "18:00-20:00": ("'00-20' is not a valid minute", FORMS),
    "18:00:00.5": (
        "it has fractions of a second",
        "leave out the fraction: slots are on whole seconds, such as 18:00 or 18:00:30",
    ),
    "18:00 Uhr": ("'Uhr' is out of place", FORMS),
    "18:00 18:00": ("'18:00' is out of place", FORMS),
    # weekdays
    "18:00 Mon": (
        "'Mon' is out of place",
        "weekdays come first, with commas and without spaces: Mon,Wed,Fri 18:00 or Mon..Fri 18:00",
    ),
    "Mon, Wed 18:00": (
        "'Wed' is out of place",
        "weekdays come first, with commas and without spaces: Mon,Wed,Fri 18:00 or Mon..Fri 18:00",
    ),
    "Sat..Mon 18:00": (
        "Sat..Mon runs backwards: a week begins on Monday",
        "write Sat,Sun,Mon; a slot is such as Sat,Sun,Mon 18:00 or Mon..Fri 18:00",
    ),
    "daily 18:00": (
        "'daily' must be written alone, without a day or a time",
        "leave it out: 18:00 is each day at that time, Mon 18:00 each week, *-*-1 18:00 each month",
    ),
    # dates
    "~1 18:00": ("'~1' is not a date", DATES),
    "1-2-3-4": ("'1-2-3-4' is not a date", DATES),
    "*-*-1~2": ("'*-*-1~2' is not a date", DATES),
    "*-13-1": ("13 is not a valid month (1-12)", FORMS),
    "*-*-32": ("32 is not a valid day (1-31)", FORMS),
    "01-03-2026": ("2026 is not a valid day (1-31)", FORMS),
    "*-*~29": ("29 is not a valid day from the end of the month (1-28)", FORMS),
    "2200-1-1": ("2200 is not a valid year (1970-2199)", FORMS),
    "1-": ("a number is missing", FORMS),
    # lists, ranges, steps
    "*,5:00": ("'*' is not a valid hour (`*` cannot be part of a list, a range or a step)", FORMS),
    "*/5:00": ("'*/5' is not a valid hour (`*` cannot be part of a list, a range or a step)", FORMS),
    "5..3:00": ("5..3 runs backwards", f"write 3..5; {FORMS}"),
    "0/0:00": ("0/0 has a step of 0", FORMS),
    "17/9:00": ("17/9 never reaches a second hour", f"leave out the step, or make it smaller; {FORMS}"),
    "*-*~7/7": (
        "7/7 never reaches a second day from the end of the month",
        f"leave out the step, or make it smaller; {FORMS}",
    ),
    # signs
    "Mon–Fri 18:00": ("it contains the character '–'", "write two dots: Mon..Fri 18:00 or *-*-1..7 18:00"),
    "Mon\t18:00": (r"it contains the character '\t'", FORMS),
    "²:00": ("it contains the character '²'", FORMS),
    "٣:00": ("it contains the character '٣'", FORMS),
    "18:00\x00": (r"it contains the character '\x00'", FORMS),
}


@pytest.mark.parametrize("text", NOT_A_SLOT)
def test_what_is_no_slot_is_told_with_the_part_and_two_right_forms(text: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_slot(text)
    reason, hint = NOT_A_SLOT[text]
    assert (str(caught.value), caught.value.hint) == (f"{text!r} is not a posting slot: {reason}", hint)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Mon 18:00 Europe/Berlin", "Europe/Berlin"),
        ("18:00 europe/berlin", "europe/berlin"),
        ("daily UTC", "UTC"),
        ("18:00 CEST", "CEST"),
        ("18:00Z", "Z"),
        ("18:00 Z", "Z"),
        ("Mon 18:00+02:00", "+02:00"),
        ("Mon 18:00 +0200", "+0200"),
    ],
)
def test_a_zone_belongs_to_the_channel_not_to_a_slot(text: str, zone: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_slot(text)
    assert str(caught.value) == f"{text!r} has a zone of its own, {zone}"
    assert caught.value.hint == LEAVE_OUT


@pytest.mark.parametrize(
    "text", ["*-2-30", "*-4,6,9,11-31 18:00", "Mon 2026-03-01", "2027-2-29", "Mon *-2-30..31"]
)
def test_a_slot_on_a_day_that_no_calendar_has_never_happens(text: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_slot(text)
    assert str(caught.value) == f"{text!r} never happens: there is no such day"
    assert "*-*~1 18:00" in caught.value.hint


@pytest.mark.parametrize("text", ["*:*:*", "*:*:0/30", "18:00:00,01", "Mon 18:00:10..20"])
def test_more_often_than_once_a_minute_is_refused(text: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_slot(text)
    assert str(caught.value) == f"{text!r} happens more often than once a minute"
    assert caught.value.hint == "choose one second, such as *:*:00 for each minute or *:00 for each hour"


@pytest.mark.parametrize("text", ["", " ", "    "])
def test_an_empty_slot_is_refused(text: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_slot(text)
    assert (str(caught.value), caught.value.hint) == ("a posting slot is empty", FORMS)


@pytest.mark.parametrize(
    "text", ["1" * 100_000 + ":00", "Mon," * 5_000, "*" * 300, "1..2/3," * 10_000 + ":0"]
)
def test_a_text_longer_than_any_expression_is_refused_unread_and_cut(text: str) -> None:
    with pytest.raises(TimeError) as caught:
        read_slot(text)
    assert str(caught.value).endswith(f"it has {len(text)} characters; at most 256 are read")
    assert len(str(caught.value)) < 200


def test_a_list_of_all_minutes_is_short_enough() -> None:
    assert len(read_slot("Mon 18:" + ",".join(f"{minute:02d}" for minute in range(60))).times) == 60


def test_where_we_are_wider_or_narrower_than_systemd() -> None:
    """Blanks at the ends do no harm; a range that ends at no hour is a typing error."""
    assert read_slot(" Mon 18:00 ").times == read_slot("Mon 18:00").times
    with pytest.raises(TimeError, match="24 is not a valid hour"):
        read_slot("20..24/2:00")


def test_skipped_is_a_pair_of_the_local_time_and_the_rule() -> None:
    assert Skipped("2026-03-29T02:30", "02:30")._asdict() == {"wall": "2026-03-29T02:30", "rule": "02:30"}


def test_five_years_of_weeks_are_as_many_instants() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    span = instant(start), instant(start + timedelta(days=5 * 364))
    assert len(instants([read_slot("Mon 18:00")], BERLIN, *span)[0]) == 5 * 52


@pytest.mark.parametrize(("text", "year"), [("69-1-1", 2069), ("70-1-1", 1970), ("0-1-1", 2000)])
def test_years_of_two_digits_are_those_of_systemd(text: str, year: int) -> None:
    assert read_slot(text).years == frozenset({year})
