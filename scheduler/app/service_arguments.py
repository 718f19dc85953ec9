"""What Python passes to `SchedulingService`, held against what its methods take. Pure.

A type checker refuses most of this earlier; notebooks and web backends have none. Each function returns its
value as the plain type that the other rooms expect, or raises ScheduleError before anything is read. Whether
an id exists, and whether a time may be scheduled, is for the rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, SupportsIndex, cast

from scheduler.desired.yaml_reader import DEEPEST
from scheduler.errors import ScheduleError
from scheduler.state.intent import PAYLOAD_LIMIT
from scheduler.state.statuses import STATUSES, Status
from scheduler.times import LONGEST_DURATION, Instant, instant
from scheduler.wording import did_you_mean, quoted

_MOST_BITS = 1_024
"""Of a whole number in metadata: more digits than any use has, and fewer than Python refuses to write."""


def text(name: str, value: object) -> str:
    """A text, such as an id."""
    if isinstance(value, str):
        return str.__str__(value)  # of an Enum that is a text, its value: `str` would name the member
    hint = None if value is None else f"if that is what it is called, write str({name})"
    if isinstance(value, (bytes, bytearray)):
        hint = f"write {name}.decode()"
    raise _wrong(name, "a text", value, hint)


def text_or_none(name: str, value: object) -> str | None:
    """A text, where one is given."""
    return None if value is None else text(name, value)


def texts(name: str, value: object) -> list[str]:
    """A list of texts, in its order. A single text is refused: it would be read letter by letter."""
    if isinstance(value, str):
        raise ScheduleError(
            f"{name} must be a list of texts, and is the one text {quoted(value)}",
            hint=f'write ["{value}"]' if value.isprintable() and len(value) <= 64 else 'write ["alpha"]',
        )
    if not isinstance(value, Sequence) or isinstance(value, (bytes, bytearray, memoryview)):
        raise _wrong(name, "a list of texts", value, 'write ["alpha", "beta"]: the order counts')
    return [text(f"{name}[{index}]", member) for index, member in enumerate(value)]


def flag(name: str, value: object) -> bool:
    """True or False, and not what Python would merely take for one of them."""
    if isinstance(value, bool):
        return value
    raise _wrong(name, "True or False", value, None)


def status(value: object) -> Status | None:
    """One of the statuses, where one is asked for."""
    name = text_or_none("status", value)
    if name is None or name in STATUSES:
        return name
    raise ScheduleError(
        f"there is no status {quoted(name)}: the statuses are {', '.join(STATUSES)}",
        hint=did_you_mean(name.lower()[:64], STATUSES) or "leave it out for all of them",
    )


# --- times ------------------------------------------------------------------------------------------


def moment(name: str, value: object) -> datetime:
    """A datetime, naive or aware."""
    if not isinstance(value, datetime):
        hint = f"write a datetime with a zone, such as datetime(2026, 3, 1, 18, tzinfo=UTC), for {name}"
        raise _wrong(name, "a datetime", value, hint)
    return value


def instant_of(name: str, value: datetime) -> Instant:
    """The instant of an aware datetime; parts of a second are dropped."""
    try:
        if value.utcoffset() is None:  # `astimezone` would take this machine's zone for it
            raise ValueError
        return instant(value.astimezone(UTC).replace(microsecond=0))
    except (ArithmeticError, TypeError, ValueError):  # min and max in a zone; what only looks like a datetime
        raise ScheduleError(
            f"{name} is no instant that can be told in UTC: it lies outside the years 1 to 9999, or its zone "
            "has no offset for it",
            hint="times of schedules lie in the years 1971 to 2998",
        ) from None


def seconds(name: str, value: object) -> int:
    """A whole number of seconds from 0 on; `90.0`, as `total_seconds()` gives it, is one."""
    rule = "a delay is a whole number of seconds from 0 on"
    if isinstance(value, timedelta):
        raise ScheduleError(f"{rule}, and {name} is a timedelta", hint=f"write {name}.total_seconds()")
    if isinstance(value, bool) or not isinstance(value, (float, SupportsIndex)):
        raise ScheduleError(f"{rule}, and {name} is {_kind(value)}", hint="write 5400 for an hour and a half")
    if isinstance(value, float) and not value.is_integer():
        raise ScheduleError(f"{rule}, not {float(value)!r}")
    number = int(value)
    if number < 0:
        raise ScheduleError(f"{rule}, and {name} is negative", hint="give the channels in their order")
    if number > LONGEST_DURATION:
        raise ScheduleError(f"{name} is longer than ten years", hint="write 5400 for an hour and a half")
    return number


# --- metadata ---------------------------------------------------------------------------------------


def metadata(value: object) -> dict[str, Any] | None:
    """A mapping that JSON can say, of plain dicts, lists and scalars; shared by nothing outside."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _wrong("metadata", "a mapping", value, 'write keys and values, such as {"campaign": "spring"}')
    # What holds a list twice is written out twice, so a few lists can mean billions of values.
    room = iter(range(PAYLOAD_LIMIT))
    return cast("dict[str, Any]", _json("metadata", value, (), room))


def _json(place: str, value: object, within: tuple[int, ...], room: Iterator[int]) -> Any:
    """A value of JSON; `within` are the collections around it, `room` is used up by one for each value."""
    if next(room, None) is None:
        raise ScheduleError(
            f"the metadata is too long: it has more than {PAYLOAD_LIMIT:,} values",
            hint="keep long texts elsewhere, and put a link here",
        )
    if isinstance(value, (Mapping, list, tuple)):
        if id(value) in within:
            raise ScheduleError(f"{place} contains itself, so it cannot be written out", hint="leave it out")
        if len(within) == DEEPEST:
            raise ScheduleError(
                f"the metadata is nested deeper than {DEEPEST} levels",
                hint="keep it elsewhere, and put a link here",
            )
        inner = (*within, id(value))
        if isinstance(value, Mapping):
            return {_key(place, key): _json(f"{place}[{_shown(key)}]", item, inner, room)
                    for key, item in value.items()}  # fmt: skip
        return [_json(f"{place}[{index}]", item, inner, room) for index, item in enumerate(value)]
    return _scalar(place, value)


def _key(place: str, key: object) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise ScheduleError(
        f"every key of {place} must be a text, and one is {_kind(key)}", hint='write {"1": "a"}, not {1: "a"}'
    )


def _shown(key: object) -> str:
    return quoted(str.__str__(key)) if isinstance(key, str) else "..."


def _scalar(place: str, value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise ScheduleError(f"{place} has too many digits", hint="write it as a text")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ScheduleError(f"{place} is no number that JSON has", hint="leave it out, or write a text")
        return float(value)
    raise _wrong(
        place, "a text, a number, True, False, None, a list or a mapping", value, "write it as a text"
    )


# --- words ------------------------------------------------------------------------------------------


def _wrong(name: str, wanted: str, value: object, hint: str | None) -> ScheduleError:
    return ScheduleError(f"{name} must be {wanted}, and is {_kind(value)}", hint=hint)


def _kind(value: object) -> str:
    """What a value is. Not the value itself: it may be long, secret, or unable to be shown."""
    return "None" if value is None else f"of the type {type(value).__name__}"
