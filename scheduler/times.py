"""Times and durations: what an editor may write, and the one form that everything is kept in.

An `Instant` is a whole number of seconds since 1970-01-01T00:00:00Z; a duration is a whole number of
seconds. Text becomes an instant here and nowhere else. RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339)
is the form, with seconds optional and a space for the `T` allowed. Programs that write YAML add a fraction of
zero (`.000Z`) or a space before the offset, and people name a zone after the time: all of it is read. So is a
weekday before it, which has to be that of the date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from scheduler.wording import closest, quoted

if TYPE_CHECKING:  # the idle run imports this module, and needs no zone
    from zoneinfo import ZoneInfo

Instant = int

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?"
    # Of the zones only `Area/City`: an abbreviation such as CET or EST is not what people take it for.
    r"(?: ?(Z|z|[+-]\d\d:\d\d)| ([A-Za-z]\w*(?:/[\w+-]+)+))?)?",
    re.ASCII,
)
_WEEKDAY = re.compile(r"([A-Za-z]{2,10}),? (?=\d)", re.ASCII)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Editors check durations by `desired.fields.DURATION`: the same two forms, as a JSON Schema writes them.
_SHORT = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_DHMS: tuple[int, ...] = (86_400, 3_600, 60, 1)
_ISO = re.compile(
    r"P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII
)
LAST: Instant = 32_503_679_999
"""2999-12-31T23:59:59Z: no schedule is later."""
LONGEST_DURATION = 10 * 366 * 86_400
"""Ten years, in seconds: more than that is a typing error."""


class TimeError(ValueError):
    """A text that is not a time or no duration; `hint` shows the right form."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def instant(moment: datetime) -> Instant:
    """The instant of an aware datetime; parts of a second are dropped. Raises TypeError for a naive one."""
    return (moment - _EPOCH) // timedelta(seconds=1)


def moment_of(at: Instant) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(seconds=at)


@lru_cache(maxsize=65_536)
def instant_text(at: Instant) -> str:
    """`2026-03-01T18:00:00Z`: the form in which everything is kept and printed for programs."""
    return f"{(_EPOCH + timedelta(seconds=at)).isoformat()[:19]}Z"


@lru_cache(maxsize=65_536)
def read_utc(text: str) -> Instant:
    """The instant of a text that `instant_text` wrote. Raises ValueError for any other."""
    # `fromisoformat` reads much more (week dates, offsets, no separators): the places of the
    # separators leave it nothing but this one form.
    if len(text) != 20 or text[4:20:3] != "--T::Z" or not text.isascii():
        raise ValueError(f"not a UTC time of this form: {quoted(text)}")
    return instant(datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC))


IN_A_FILE = "add `timezone: Europe/Berlin` beside it"
"""What else helps a local time without a zone, in a file."""


def read_time(text: str, zone: ZoneInfo | None = None, *, or_else: str | None = None) -> Instant:
    """The instant that an editor wrote: with an offset or a zone's name, or local in `zone`.

    `or_else` is what an editor may do besides writing an offset, where a local time has no zone.

    Raises TimeError for any other form, for a weekday that is not the date's, for a local time without a
    zone, and for a local time that a DST change skips or repeats (the message names both readings).
    """
    whole, text = text, without_weekday(text)
    match = _TIME.fullmatch(text)
    if match is None:
        raise TimeError(f"{quoted(text)} is not a time", _meant_time(text, zone, or_else) or _form(zone))
    *numbers, fraction, offset, named = match.groups()
    zone = zone if named is None else read_zone(named)
    wall = _wall([int(number or 0) for number in numbers], text, zone)
    if whole != text:
        _demand_weekday(whole, text, wall)
    if numbers[3] is None:
        raise TimeError(f"{text!r} is a date without a time", f"write {text}T18:00:00Z")
    if fraction is not None and (len(fraction) > 10 or fraction.strip(".0")):
        raise TimeError(
            f"{quoted(text)} has fractions of a second", "leave out the fraction: times are in whole seconds"
        )
    if offset is not None:
        return instant(wall.replace(tzinfo=_offset(offset, text)))
    if zone is None:
        raise TimeError(f"{text!r} is a local time without a zone", _with_zone(text, or_else))
    return _local(wall, zone, text)


def without_weekday(text: str) -> str:
    """A written time without the weekday before it: `2026-12-04 18:00` of `Fri 2026-12-04 18:00`."""
    match = _WEEKDAY.match(text)
    return text if match is None else text[match.end() :]


def weekday(day: datetime, like: str) -> str:
    """The English weekday of a day; in three letters, or with a comma, where another one is written so."""
    name = _DAYS[day.weekday()]
    return (name[:3] if len(like.rstrip(", ")) < 6 else name) + ("," if "," in like else "")


def _demand_weekday(whole: str, text: str, wall: datetime) -> None:
    """Raise TimeError where the weekday before a time is not that of its date."""
    written = whole[: -len(text)].rstrip(", ")
    right, rest = f"{weekday(wall, written)} {text}", text[10:]
    named = [i for i, day in enumerate(_DAYS) if written.lower() in (day.lower(), day[:3].lower())]
    if not named:
        raise TimeError(f"{quoted(written)} is not an English weekday", f"write {right}")
    if named[0] != wall.weekday():
        meant = wall + timedelta(days=(named[0] - wall.weekday() + 3) % 7 - 3)  # the nearest such day
        raise TimeError(
            f"{wall:%Y-%m-%d} is a {_DAYS[wall.weekday()]}, not a {_DAYS[named[0]]}",
            f"write {right} or {weekday(meant, written)} {meant:%Y-%m-%d}{rest}",
        )


def _with_zone(text: str, or_else: str | None) -> str:
    return f"write {text}Z for UTC, or {or_else or f'its offset, such as {text}+02:00'}"


_NEARLY = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d)?) ?(?:([+-])(\d{1,2}):?(\d\d)?|(?!(?:UTC|GMT)$)[A-Za-z]{2,5})",
    re.ASCII,
)


# `2.3.2030 6:30 pm`, `2030/3/2, 18.30 UTC+1`, `2030-03-02 18:00 (Europe/Berlin)`, what `Temporal` prints.
_LOOSE = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:(T)|,? +(?:at +)?)(\d{1,2})(?:[:.h](\d\d))?(:\d\d)? ?([ap]m)? ?"
    r"(?:(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?|(Z|UTC|GMT))? ?([(\[]?[A-Za-z]+/[\w/+-]+[)\]]?)?",
    re.ASCII | re.IGNORECASE,
)


def _meant_time(text: str, zone: ZoneInfo | None, or_else: str | None) -> str | None:
    """The hint for a time in another form: the text to write, or the two that it could mean."""
    if (match := _NEARLY.fullmatch(text)) is not None:
        wall, sign, hours, minutes = match.groups()
        if sign is not None:
            return f"write the offset with hours and minutes: {wall}{sign}{hours:0>2}:{minutes or '00'}"
        return (
            f"a zone abbreviation is not an offset: write {wall}Z for UTC, or an offset such as {wall}+01:00"
        )
    if (loose := _LOOSE.fullmatch(text)) is None:
        return None
    one, mark, two, three, t, hour, minute, second, half, sign, hours, minutes, utc, named = loose.groups()
    hour = str(int(hour) % 12 + 12 * (half in ("pm", "PM"))) if half else hour
    orders = [(one, two, three)] if len(one) == 4 else [(three, two, one)]
    if len(one) < 4 and mark != "." and two != one:  # 3/2/2030 is in March or in February
        orders.append((three, one, two))
    zulu = "Z" if utc else f"{sign}{hours:0>2}:{minutes or '00'}" if sign else ""
    place = f" {named.strip('()[]')}" if named and not zulu else ""
    texts = [
        f"{year}-{month:0>2}-{day:0>2}{t or ' '}{hour:0>2}:{minute or '00'}{second or ''}{zulu}{place}"
        for year, month, day in orders
    ]
    texts = [meant for meant in texts if meant != text and _is_time(meant)]
    if len(texts) == 1 and not zulu and not place and zone is None:
        return _with_zone(texts[0], or_else)
    return f"write {' or '.join(texts)}" if texts else None


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:  # whose hint would be sought in turn
        return False
    try:
        read_time(text, read_zone("UTC"))
    except TimeError:
        return False
    return True


def _wall(numbers: list[int], text: str, zone: ZoneInfo | None) -> datetime:
    """The naive datetime of year, month, day, hour, minute, second. Raises TimeError."""
    year, month, day, hour, minute, second = numbers
    if not 1970 < year < 2999:
        raise TimeError(f"{quoted(text)} is outside the years 1971 to 2998", _form(zone))
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone follows
    except ValueError:  # with a message of our own: those of Python differ between versions
        limits = (
            ("month", month, 1, 12),
            ("hour", hour, 0, 23),
            ("minute", minute, 0, 59),
            ("second", second, 0, 59),
        )
        wrong = [
            f"{value} is not a valid {name} ({low}-{high})"
            for name, value, low, high in limits
            if not low <= value <= high
        ]
        problem = wrong[0] if wrong else f"{year}-{month:02d} has no day {day}"
        raise TimeError(f"{quoted(text)} does not exist: {problem}", _form(zone)) from None


def _form(zone: ZoneInfo | None) -> str:
    if zone is None:
        return "write a time with an offset, such as 2026-03-01T18:00:00Z or 2026-03-01T18:00:00+02:00"
    return f"write a time such as 2026-03-01T18:00 (in {zone.key}) or 2026-03-01T18:00:00Z"


def _offset(text: str, whole: str) -> fixed_offset:
    if text in ("Z", "z"):
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise TimeError(f"{whole!r} has the offset {text}, which does not exist", _form(None))
    size = timedelta(hours=hours, minutes=minutes)
    return fixed_offset(-size if text[0] == "-" else size)


def _local(wall: datetime, zone: ZoneInfo, text: str) -> Instant:
    """The instant of a wall-clock time. PEP 495 (fold) tells a gap and an overlap apart."""
    first = wall.replace(tzinfo=zone, fold=0)
    second = wall.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before == after or before is None or after is None:
        return instant(first)
    both = sorted((instant(first), instant(second)))
    if before > after:  # PEP 495: set back, so that the time is shown twice
        what = f"{text!r} happens twice in {zone.key}: a clock change repeats it"
    else:
        what = f"{text!r} does not exist in {zone.key}: a clock change skips it"
    readings = " or ".join(f"{in_zone(at, zone)} ({instant_text(at)})" for at in both)
    raise TimeError(what, f"write the one you mean: {readings}")


def in_zone(at: Instant, zone: ZoneInfo) -> str:
    """`2026-03-01T19:00:00+01:00`: an instant as the clocks of a zone show it."""
    return moment_of(at).astimezone(zone).isoformat(timespec="seconds")


def local_time(text: str) -> tuple[str, str | None] | None:
    """The wall-clock time (`2026-03-01T18:00:00`) and the zone that a time without an offset names itself.

    None for a time with an offset, whose instant no zone data decides, and for what is not a time.
    """
    text = without_weekday(text)
    match = _TIME.fullmatch(text)
    if match is None or match[8] is not None or match[4] is None:
        return None
    return f"{text[:10]}T{match[4]}:{match[5]}:{match[6] or '00'}", match[9]


class ZoneData:
    """One release of the zone data: its name, the names of its zones, and what reads a zone's file."""

    def __init__(self, release: str, names: frozenset[str], read: Callable[[str], bytes]) -> None:
        self.release = release
        self.names = names
        self.read = read


@cache
def installed_zones() -> ZoneData:
    """The zone data of the `tzdata` package, so that every machine with its lock knows the same instants.

    The machine's own are never read; `ZoneInfo(name)` would prefer them.
    """
    import pkgutil  # `zoneinfo.available_timezones` opens every file of every zone, for 50 ms

    def data(path: str) -> bytes:
        found = pkgutil.get_data("tzdata", path)
        assert found is not None  # None is for loaders that cannot read data
        return found

    names = frozenset(data("zones").decode().split()) - NOT_ZONES
    return ZoneData(_installed_release(), names, lambda name: data(f"zoneinfo/{name}"))


NOT_ZONES = frozenset({"Factory", "localtime", "posixrules"})
"""Files beside those of zones, in their form, that nobody means."""
_in_use: ContextVar[ZoneData | None] = ContextVar("zones", default=None)


@contextmanager
def using_zones(zones: ZoneData) -> Iterator[None]:
    """Compute local times with this zone data, to see what another release would move."""
    token = _in_use.set(zones)
    try:
        yield
    finally:
        _in_use.reset(token)


def other_zones() -> ZoneData | None:
    """The zone data of `using_zones`, None for the installed: a part of the key of whatever is cached."""
    return _in_use.get()


def read_zone(name: str) -> ZoneInfo:
    """The IANA zone of that name, exactly as it is spelled. Raises TimeError for any other."""
    return _zone(_in_use.get() or installed_zones(), name)


@cache
def _zone(zones: ZoneData, name: str) -> ZoneInfo:
    import io
    from zoneinfo import ZoneInfo

    if name in zones.names:
        return ZoneInfo.from_file(io.BytesIO(zones.read(name)), key=name)
    raise TimeError(f"{quoted(name)} is not a time zone", _zone_hint(name))


def zones_by_rules() -> tuple[tuple[str, ...], ...]:
    """All zones; the names of one zone (Asia/Kolkata, Asia/Calcutta), which share its rules, together."""
    return _by_rules(_in_use.get() or installed_zones())


@cache
def _by_rules(zones: ZoneData) -> tuple[tuple[str, ...], ...]:
    found: dict[bytes, list[str]] = {}
    for name in sorted(zones.names):
        found.setdefault(zones.read(name), []).append(name)
    return tuple(map(tuple, found.values()))


def zone_release() -> str:
    """The release of the zone data in use, such as `2026f`."""
    zones = _in_use.get()
    return _installed_release() if zones is None else zones.release


def _installed_release() -> str:
    import tzdata  # a module of two strings

    release: str = tzdata.IANA_VERSION
    return release


def _zone_hint(name: str) -> str:
    """The zone that was meant, if that is clear: `Berlin`, `europe/berlin` and `Europe/Berln` are."""
    wanted = name.lower().replace(" ", "_")
    zones = sorted(zone for zone in available_zones() if not zone.startswith("Etc/"))  # Etc/GMT+1 is UTC-1
    close = [zone for zone in zones if zone.lower() == wanted]
    close = close or [zone for zone in zones if zone.lower().rpartition("/")[2] == wanted]
    if not close and 4 < len(name) <= 40:  # `CEST` is like many names and means none of them
        near = closest(name, (zone for zone in zones if "/" in zone), cutoff=0.7)
        close = [near] if near else []
    if not close:
        return "write an IANA name, such as Europe/Berlin or UTC"
    return f"did you mean {' or '.join(close[:3])}?"


def available_zones() -> frozenset[str]:
    """The IANA names of the zone data in use."""
    return (_in_use.get() or installed_zones()).names


def read_duration(text: str) -> int:
    """Seconds of `90s`, `45m`, `1h30m`, `2d`, `0s` or ISO 8601 (`PT1H30M`). Raises TimeError."""
    match = _SHORT.fullmatch(text)
    scale = _DHMS
    if match is None or not text:
        match = _ISO.fullmatch(text)
        scale = (604_800, *_DHMS)
        if match is None or text.endswith(("P", "T")):
            if re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
                number = abs(int(text))
                hint = f"write {number}s for seconds or {number}m for minutes"
                raise TimeError(f"{text!r} has no unit", hint)
            meant = _IN_WORDS.fullmatch(text)  # `1 hour`, `90 min`, `2 days`
            hint = f"write {meant[1]}{meant[2]}" if meant else "write 90s, 45m, 1h30m, 2d or PT1H30M"
            raise TimeError(f"{quoted(text)} is not a duration", hint)
    total = _total(match, scale)
    if total > LONGEST_DURATION:
        raise TimeError(f"{text!r} is longer than ten years", "write 90s, 45m, 1h30m, 2d or PT1H30M")
    return total


def _total(match: re.Match[str], scale: tuple[int, ...]) -> int:
    return sum(int(part) * unit for part, unit in zip(match.groups(), scale, strict=True) if part)


def read_shift(text: str) -> int:
    """Seconds of a duration with or without a sign: `30m`, `+30m`, `-30m`. Raises TimeError."""
    return -read_duration(text[1:]) if text.startswith("-") else read_duration(text.removeprefix("+"))


_IN_WORDS = re.compile(r"(\d{1,9}) ?(s|m|h|d)(?:ec|econd|in|inute|our|r|ay)?s?", re.ASCII)


def duration_text(seconds: int) -> str:
    """`1h30m`: a duration as an editor would write it; negative ones get a sign."""
    if seconds < 0:
        return "-" + duration_text(-seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def later(wall: str, seconds: int) -> str:
    """A local time, and how much elapsed time after or before it: `2026-03-01T18:00:00+1h`, or `...-15m`.

    A stagger counts in elapsed time, over clock changes too.
    """
    return f"{wall}{'+' if seconds > 0 else ''}{duration_text(seconds)}" if seconds else wall


@lru_cache(maxsize=65_536)
def read_later(text: str) -> tuple[datetime, int]:
    """The local time, and the seconds after it, of what `later` wrote. Raises ValueError for any other."""
    wall, sign, elapsed = text[:19], text[19:20], _SHORT.fullmatch(text[20:])
    seconds = 0 if elapsed is None else _total(elapsed, _DHMS)
    is_ours = wall[4:19:3] == "--T::" and wall.isascii() and sign in (("+", "-") if seconds else ("",))
    if elapsed is None or not is_ours:
        raise ValueError(f"not a local time of this form: {quoted(text)}")
    return datetime.fromisoformat(wall), -seconds if sign == "-" else seconds
