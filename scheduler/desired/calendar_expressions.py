"""Posting slots: which instants a channel's own calendar names within a span of time.

A slot is a systemd calendar expression (systemd.time(7), "Calendar Events"), such as `Mon,Wed 18:00` or
`*-*~1 09:30`, without a zone: it is read as the wall clock of the channel's zone shows it. A wall-clock
time that a clock change skips is skipped and reported; one that is repeated happens once, the first time.

The reader is our own. The libraries for the format name no faulty part in their errors and
read some expressions other than systemd does (`10..10/7` as 10, 17, 24); the tests hold this one against
systemd itself.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from scheduler.times import Instant, TimeError, available_zones, moment_of
from scheduler.wording import closest, quoted

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

LONGEST_SLOT = 256
"""Characters: more than any expression needs (a list of all 60 minutes has 180)."""

_FORMS = "write a systemd calendar expression, such as Mon,Wed,Fri 18:00 or Mon *-*-1..7 09:30"
_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAYS = {name: i for i, full in enumerate(_DAY_NAMES) for name in (full.lower(), full[:3].lower())}
_SHORTHANDS = {
    "minutely": "*:*",
    "hourly": "*:00",
    "daily": "00:00",
    "weekly": "Mon 00:00",
    "monthly": "*-*-1",
    "quarterly": "*-1,4,7,10-1",
    **dict.fromkeys(("semiannually", "semi-annually", "biannually", "bi-annually"), "*-1,7-1"),
    **dict.fromkeys(("annually", "yearly", "anually"), "*-1-1"),
}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall-clock times are counted from here
_SECOND = timedelta(seconds=1)
_NOTHING = timedelta(0)
_TERM = re.compile(r"(\d+)(?:\.\.(\d+))?(?:/(\d+))?", re.ASCII)
_ONE_TIME = re.compile(r"\d{4}-\d\d-\d\d([Tt]| \d\d:\d\d(:\d\d)?([Zz]|[+-]\d\d:))", re.ASCII)
_ATTACHED_ZONE = re.compile(r".*:\d\d([Zz]|[+-](?:0\d|1[0-4]):?\d\d)", re.ASCII)
_ABBREVIATION = re.compile(r"[A-Z]{1,4}T|[Zz]|[+-](0\d|1[0-4])(:?\d\d)?", re.ASCII)
_CRON = re.compile(r"[\d*?LW#/,-]+(?: +[\dA-Za-z*?LW#/,-]+){4,5}", re.ASCII)
_LOOSE_TIME = re.compile(r"(\d{1,2})(?:[.:h](\d\d))?(h|am|pm)?", re.ASCII | re.IGNORECASE)


class _Field(NamedTuple):
    name: str
    low: int
    high: int


_YEARS = _Field("year", 1970, 2199)
_MONTHS = _Field("month", 1, 12)
_DAYS = _Field("day", 1, 31)
_DAYS_FROM_END = _Field("day from the end of the month", 1, 28)
_HOURS = _Field("hour", 0, 23)
_MINUTES = _Field("minute", 0, 59)
_SECONDS = _Field("second", 0, 59)


@dataclass(frozen=True, slots=True)
class SlotRule:
    """A calendar expression that was read. Rules of one text are equal; the text is as it was typed."""

    text: str
    weekdays: frozenset[int] = member(compare=False, repr=False)
    """0 is Monday."""
    years: frozenset[int] | None = member(compare=False, repr=False)
    """None: every year."""
    months: frozenset[int] = member(compare=False, repr=False)
    days: frozenset[int] = member(compare=False, repr=False)
    """Days of the month; negative ones count from its end (-1 is the last)."""
    times: tuple[int, ...] = member(compare=False, repr=False)
    """Wall-clock times of such a day, in seconds since its 00:00, ascending."""

    def falls_on(self, day: date) -> bool:
        """Whether that local day is one of the rule's days."""
        if day.weekday() not in self.weekdays or day.month not in self.months:
            return False
        if self.years is not None and day.year not in self.years:
            return False
        return day.day in self.days or day.day - 1 - monthrange(day.year, day.month)[1] in self.days

    def shows(self, wall: datetime) -> bool:
        """Whether the rule names that wall-clock time (its zone and fold are not looked at)."""
        second = wall.hour * 3_600 + wall.minute * 60 + wall.second
        return second in self.times and self.falls_on(wall.date())


class Skipped(NamedTuple):
    """A slot that a clock change skips: the local time that no clock shows, and the rule's text."""

    wall: str
    rule: str


# --- rules and a span -> instants -----------------------------------------------------------------


def instants(
    rules: Sequence[SlotRule], zone: ZoneInfo, start: Instant, end: Instant
) -> tuple[list[Instant], list[Skipped]]:
    """All instants `start` < t <= `end` that the rules name on the clocks of `zone`, ascending, each once.

    Beside them, by local time, what a clock change within the span skips; its place is the instant that
    it would have had without the change, so that adjacent spans report it exactly once.
    """
    found: set[Instant] = set()
    skipped: dict[tuple[str, int], Skipped] = {}
    for order, rule, wall in _walls(list(dict.fromkeys(rules)), start, end):
        at, exists = first_reading(wall, zone)
        if not start < at <= end:
            continue
        if exists:
            found.add(at)
        else:
            text = wall.isoformat(timespec="seconds" if wall.second else "minutes")
            skipped[text, order] = Skipped(text, rule.text)
    return sorted(found), [skipped[key] for key in sorted(skipped)]


def is_instant(rules: Sequence[SlotRule], zone: ZoneInfo, at: Instant) -> bool:
    """Whether `instants` gives exactly this one, for a span that it lies in."""
    wall = moment_of(at).astimezone(zone)
    if wall.fold:  # the second showing of a repeated time: the slot was the first
        return False
    return any(rule.shows(wall) for rule in rules)


def _walls(
    rules: Sequence[SlotRule], start: Instant, end: Instant
) -> Iterator[tuple[int, SlotRule, datetime]]:
    """Each wall-clock time that a rule names on a local day that the span can touch, in any zone."""
    if start >= end or not rules:
        return
    one = timedelta(days=1)  # no zone is a whole day away from UTC
    day, last = moment_of(start).date() - one, moment_of(end).date() + one
    while day <= last:
        for order, rule in enumerate(rules):
            if rule.falls_on(day):
                midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone's own clocks
                for second in rule.times:
                    yield order, rule, midnight + timedelta(seconds=second)
        day += one


def first_reading(wall: datetime, zone: ZoneInfo) -> tuple[Instant, bool]:
    """The first instant at which clocks show that time, and whether they do at all.

    PEP 495: in a gap `fold=0` reads with the smaller offset, the one from before the change; in an
    overlap with the greater one, which is the first showing.
    """
    before = zone.utcoffset(wall) or _NOTHING  # a zone's offset is never None; the types allow it
    after = zone.utcoffset(wall.replace(fold=1)) or _NOTHING
    return (wall - before - _EPOCH) // _SECOND, before >= after


# --- text -> rule ---------------------------------------------------------------------------------


def read_slots(texts: Iterable[str]) -> list[SlotRule]:
    """The rules of a channel's `slots`. Raises TimeError as `read_slot`."""
    return [read_slot(text) for text in texts]


@lru_cache(maxsize=4_096)
def read_slot(text: str) -> SlotRule:
    """The rule of a calendar expression.

    Raises TimeError for what is not an expression, has a zone of its own or fractions of a second, can never
    match, or happens more often than once a minute. One whose years are over is a rule without instants:
    no clock is read here.
    """
    _demand_plain(text)
    words = _SHORTHANDS.get(text.lower(), text).split()
    if not words:
        raise TimeError("a posting slot is empty", _FORMS)
    _demand_own_form(words, text)
    weekdays, years, months, days = frozenset(range(7)), _all(_YEARS), _all(_MONTHS), _all(_DAYS)
    times: tuple[int, ...] = (0,)
    rest = list(words)
    if rest[0][0].isalpha():
        weekdays = _read_weekdays(rest.pop(0), text)
    if rest and ":" not in rest[0] and re.search(r"[-~]", rest[0]):
        years, months, days = _read_date(rest.pop(0), text)
    if rest and ":" in rest[0]:
        times = _read_time_of_day(rest.pop(0), text)
    if rest:
        raise _misplaced(rest[0], text)
    rule = SlotRule(text, weekdays, None if years == _all(_YEARS) else years, months, days, times)
    if not _can_match(rule, years):
        raise TimeError(
            f"{quoted(text)} never happens: there is no such day",
            "the last day of each month is *-*~1 18:00, the first Monday is Mon *-*-1..7 18:00",
        )
    return rule


def _no_slot(text: str, why: str, hint: str = _FORMS) -> TimeError:
    return TimeError(f"{quoted(text)} is not a posting slot: {why}", hint)


def _all(field: _Field) -> frozenset[int]:
    return frozenset(range(field.low, field.high + 1))


def _demand_plain(text: str) -> None:
    """Refuse, before anything looks closer, what no expression has: length, other scripts, controls."""
    if len(text) > LONGEST_SLOT:
        raise _no_slot(text, f"it has {len(text)} characters; at most {LONGEST_SLOT} are read")
    for sign in text:
        if sign in "–—…":  # what a word processor makes of `-` and `..`
            raise _no_slot(
                text,
                f"it contains the character {sign!r}",
                "write two dots: Mon..Fri 18:00 or *-*-1..7 18:00",
            )
        if not (sign.isascii() and sign.isprintable()):
            raise _no_slot(text, f"it contains the character {sign!r}")


def _demand_own_form(words: list[str], text: str) -> None:
    """Refuse what is another kind of thing: a single time, a cron line, an expression with a zone."""
    if _ONE_TIME.match(text):
        hint = "put it under `schedules:` as `at:`; a slot repeats, such as Mon 18:00 or daily"
        raise _no_slot(text, "it is one time", hint)
    if _CRON.fullmatch(text):
        raise _no_slot(text, "it is a cron line", _FORMS)
    last = words[-1]
    attached = _ATTACHED_ZONE.fullmatch(last)
    zone = last if len(words) > 1 and _is_zone(last) else attached and attached[1]
    if zone:
        # One slot would be in another zone than its neighbours, and than the page that shows it.
        hint = "leave out the zone: slots are in the channel's `timezone`, such as Mon,Wed,Fri 18:00 or daily"
        raise TimeError(f"{quoted(text)} has a zone of its own, {zone}", hint)


def _is_zone(word: str) -> bool:
    if word.lower() in _WEEKDAYS:
        return False
    if _ABBREVIATION.fullmatch(word):
        return True
    return word[0].isalpha() and word.lower() in {name.lower() for name in available_zones()}


def _misplaced(word: str, text: str) -> TimeError:
    """What a word is that is out of place in an expression."""
    if (shorthand := word.removeprefix("@").lower()) in _SHORTHANDS:
        return _no_slot(
            text,
            f"{quoted(word)} is out of place",
            f"write {shorthand} alone, or a weekday and a time: Mon 18:00",
        )
    if word.lower().rstrip(",") in _WEEKDAYS:
        hint = "weekdays come first, with commas and without spaces: Mon,Wed,Fri 18:00 or Mon..Fri 18:00"
        return _no_slot(text, f"{quoted(word)} is out of place", hint)
    if ":" not in word and (time := _tidy_time(word)):
        return _no_slot(
            text, f"{quoted(word)} is not a time", f"write {time}, such as Mon {time} or Mon..Fri {time}"
        )
    return _no_slot(text, f"{quoted(word)} is out of place")


def _tidy_time(word: str) -> str | None:
    """`18:00` for `6pm`, `6:00pm`, `18.00`, `18h` and `18`; None for what is not a time of day."""
    match = _LOOSE_TIME.fullmatch(word)
    if match is None:
        return None
    hour, minutes, suffix = int(match[1]), match[2] or "00", (match[3] or "").lower()
    if suffix in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if suffix == "pm" else 0)
    return f"{hour:02d}:{minutes}" if hour < 24 and minutes < "60" else None


def _read_weekdays(word: str, text: str) -> frozenset[int]:
    """`Mon,Wed..Fri`, in any case; a comma at the end and `-` for `..` are old forms that systemd reads."""
    found: set[int] = set()
    for term in word.removesuffix(",").split(","):
        names = re.split(r"\.\.|-", term, maxsplit=1)
        first, last = _weekday(names[0], text), _weekday(names[-1], text)
        if last < first:
            wrapped = ",".join(_DAY_NAMES[day % 7][:3] for day in range(first, last + 8))
            raise _no_slot(
                text,
                f"{term} runs backwards: a week begins on Monday",
                f"write {wrapped}; a slot is such as {wrapped} 18:00 or Mon..Fri 18:00",
            )
        found.update(range(first, last + 1))
    return frozenset(found)


def _weekday(name: str, text: str) -> int:
    day = _WEEKDAYS.get(name.lower())
    if day is not None:
        return day
    if name.lower() in _SHORTHANDS:
        hint = "leave it out: 18:00 is each day at that time, Mon 18:00 each week, *-*-1 18:00 each month"
        raise _no_slot(text, f"{quoted(name)} must be written alone, without a day or a time", hint)
    close = closest(name, [*_WEEKDAYS, *(_SHORTHANDS if name == text else ())])
    if close is None:
        raise _no_slot(text, f"{quoted(name)} is not a weekday" if name else "a weekday is missing")
    meant = close.title() if close in _WEEKDAYS else close
    raise _no_slot(text, f"{quoted(name)} is not a weekday", f"did you mean {meant}? {_FORMS}")


def _read_date(word: str, text: str) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    """The years, months and days of `[year-]month-day` or, counted from the end, `[year-]month~day`."""
    *year, month, sign, day = re.split(r"([-~])", word)
    if not month or (year and (len(year) != 2 or not year[0] or year[1] != "-")):
        raise _no_slot(
            text,
            f"{quoted(word)} is not a date",
            "dates are year-month-day: *-*-1..7 09:30 is a month's first week, *-*~1 09:30 its last day",
        )
    years = _values(year[0], _YEARS, text) if year else _all(_YEARS)
    months = _values(month, _MONTHS, text)
    if sign == "-" or day == "*":
        return years, months, _values(day, _DAYS, text)
    return years, months, frozenset(-value for value in _values(day, _DAYS_FROM_END, text))


def _read_time_of_day(word: str, text: str) -> tuple[int, ...]:
    """Seconds since 00:00 of `hour:minute[:second]`, ascending."""
    if word[-1].isalpha() and (time := _tidy_time(word)):
        raise _no_slot(
            text, f"{quoted(word)} is not a time", f"write {time}, such as Mon {time} or Mon..Fri {time}"
        )
    parts = word.split(":")
    if len(parts) > 3 or "" in parts:
        raise _no_slot(
            text, f"{quoted(word)} is not a time", "write hours:minutes, such as 18:00 or Mon..Fri 09,18:30"
        )
    if len(parts) == 3 and re.search(r"\d\.\d", parts[2]):
        raise _no_slot(
            text,
            "it has fractions of a second",
            "leave out the fraction: slots are on whole seconds, such as 18:00 or 18:00:30",
        )
    hours, minutes = _values(parts[0], _HOURS, text), _values(parts[1], _MINUTES, text)
    seconds = _values(parts[2], _SECONDS, text) if len(parts) == 3 else frozenset({0})
    if len(seconds) > 1:
        raise TimeError(
            f"{quoted(text)} happens more often than once a minute",
            "choose one second, such as *:*:00 for each minute or *:00 for each hour",
        )
    return tuple(sorted(h * 3_600 + m * 60 + s for h in hours for m in minutes for s in seconds))


def _values(word: str, field: _Field, text: str) -> frozenset[int]:
    """The values that `*` or a list of terms covers."""
    if word == "*":
        return _all(field)
    return frozenset(value for term in word.split(",") for value in _term(term, field, text))


def _term(term: str, field: _Field, text: str) -> range:
    """The values of `7`, `1..7`, `1..7/2` or `1/2`; systemd is followed in what these mean and may be."""
    match = _TERM.fullmatch(term)
    if match is None:
        alone = " (`*` cannot be part of a list, a range or a step)" if "*" in term else ""
        raise _no_slot(
            text, f"{quoted(term)} is not a valid {field.name}{alone}" if term else "a number is missing"
        )
    first, last, step = (int(part) if part else None for part in match.groups())
    assert first is not None  # the pattern has it
    first, last = _in_field(first, field, text), None if last is None else _in_field(last, field, text)
    if step == 0:
        raise _no_slot(text, f"{term} has a step of 0")
    if last is not None:
        if last < first:
            raise _no_slot(text, f"{term} runs backwards", f"write {last}..{first}; {_FORMS}")
        return range(first, last + 1, step or 1)
    if step is None:
        return range(first, first + 1)
    steps = range(first, 0, -step) if field is _DAYS_FROM_END else range(first, field.high + 1, step)
    if len(steps) < 2:
        raise _no_slot(
            text,
            f"{term} never reaches a second {field.name}",
            f"leave out the step, or make it smaller; {_FORMS}",
        )
    return steps


def _in_field(value: int, field: _Field, text: str) -> int:
    if field is _YEARS and value < 100:
        value += 2_000 if value < 70 else 1_900
    if not field.low <= value <= field.high:
        raise _no_slot(text, f"{value} is not a valid {field.name} ({field.low}-{field.high})")
    return value


def _can_match(rule: SlotRule, years: frozenset[int]) -> bool:
    """Whether any day of the calendar is one of the rule's: 30 February is none."""
    return any(
        rule.falls_on(date(year, month, day))
        for year in sorted(years)
        for month in sorted(rule.months)
        for day in range(1, monthrange(year, month)[1] + 1)
    )
