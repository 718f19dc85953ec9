"""The arguments of `SchedulingService`, checked and made plain. Pure.

A type checker finds most of these mistakes earlier; notebooks and web backends have none. Each function
returns its value as the plain type that the other wings expect, or raises ScheduleError, which names the
argument, before anything is read. Whether an id exists and a time is allowed is for the rules.

pydantic's `validate_call` was tried: it calls a positional argument `0` instead of `channel_ids`, quotes
values that may be secret, has no hints, and lets NaN pass as JSON. To translate its errors takes as much code
as this.
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
"""Of an integer in metadata: more than any use needs, and few enough for Python to print (4,300 digits)."""


def text(name: str, value: object) -> str:
    """A string, such as an id."""
    if isinstance(value, str):
        return str.__str__(value)  # the value of an Enum that is a str: plain `str` would name the member
    hint = None if value is None else f"pass str({name})"
    if isinstance(value, (bytes, bytearray)):
        hint = f"pass {name}.decode()"
    raise _wrong(name, "a string", value, hint)


def text_or_none(name: str, value: object) -> str | None:
    """A string, or None."""
    return None if value is None else text(name, value)


def texts(name: str, value: object) -> list[str]:
    """A list of strings, in order. A single string is refused: as a sequence it is a list of letters."""
    if isinstance(value, str):
        raise ScheduleError(
            f"{name} must be a list of strings, not the string {quoted(value)}",
            hint=f'pass ["{value}"]' if value.isprintable() and len(value) <= 64 else 'pass ["alpha"]',
        )
    if not isinstance(value, Sequence) or isinstance(value, (bytes, bytearray, memoryview)):
        raise _wrong(name, "a list of strings", value, 'pass a list such as ["alpha", "beta"], in order')
    return [text(f"{name}[{index}]", member) for index, member in enumerate(value)]


def flag(name: str, value: object) -> bool:
    """True or False, and nothing that is merely truthy or falsy."""
    if isinstance(value, bool):
        return value
    raise _wrong(name, "True or False", value, None)


def status(value: object) -> Status | None:
    """One of the statuses, or None."""
    name = text_or_none("status", value)
    if name is None or name in STATUSES:
        return name
    raise ScheduleError(
        f"status must be one of {', '.join(STATUSES)}, not {quoted(name)}",
        hint=did_you_mean(name.lower()[:64], STATUSES) or "leave it out for all statuses",
    )


# --- times ------------------------------------------------------------------------------------------


def moment(name: str, value: object) -> datetime:
    """A datetime, naive or aware."""
    if not isinstance(value, datetime):
        hint = "pass a datetime with a time zone, such as datetime(2026, 3, 1, 18, tzinfo=UTC)"
        raise _wrong(name, "a datetime", value, hint)
    return value


def instant_of(name: str, value: datetime) -> Instant:
    """The instant of an aware datetime; parts of a second are dropped."""
    try:
        if value.utcoffset() is None:  # then `astimezone` would assume this machine's zone
            raise ValueError
        return instant(value.astimezone(UTC).replace(microsecond=0))
    except (
        ArithmeticError,
        TypeError,
        ValueError,
    ):  # the first and last hours of `datetime`; odd tzinfo classes
        raise ScheduleError(
            f"{name} cannot be converted to UTC: it is outside the years 1 to 9999, "
            "or its tzinfo has no offset for it",
            hint="pass a time in the years 1971 to 2998",
        ) from None


def seconds(name: str, value: object) -> int:
    """A whole number of seconds, at least 0; `90.0`, as `total_seconds()` returns it, is one."""
    wanted = f"{name} must be a whole number of seconds"
    if isinstance(value, timedelta):
        raise ScheduleError(f"{wanted}, not timedelta", hint=f"pass {name}.total_seconds()")
    if isinstance(value, bool) or not isinstance(value, (float, SupportsIndex)):
        raise ScheduleError(f"{wanted}, not {_type(value)}", hint="pass 5400 for an hour and a half")
    if isinstance(value, float) and not value.is_integer():
        raise ScheduleError(f"{wanted}, not {float(value)!r}", hint="pass 5400 for an hour and a half")
    number = int(value)
    if number < 0:
        raise ScheduleError(f"{name} must not be negative", hint="pass the channels in order of their times")
    if number > LONGEST_DURATION:
        raise ScheduleError(f"{name} is more than ten years", hint="pass 5400 for an hour and a half")
    return number


# --- metadata ---------------------------------------------------------------------------------------


def metadata(value: object) -> dict[str, Any] | None:
    """A mapping of plain dicts, lists and scalars that JSON can represent: a copy. None stays None."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _wrong("metadata", "a mapping", value, 'pass a dict such as {"campaign": "spring"}')
    # A list that is contained twice is written out twice, so a few nested lists can mean billions of values.
    room = iter(range(PAYLOAD_LIMIT))
    return cast("dict[str, Any]", _json("metadata", value, (), room))


def _json(place: str, value: object, within: tuple[int, ...], room: Iterator[int]) -> Any:
    """A copy of a JSON value. `within`: the ids of the collections around it; `room`: one step per value."""
    if next(room, None) is None:
        raise ScheduleError(
            f"the metadata is too long: it has more than {PAYLOAD_LIMIT:,} values",
            hint="store the data elsewhere, and pass a link to it",
        )
    if isinstance(value, (Mapping, list, tuple)):
        if id(value) in within:
            raise ScheduleError(
                f"{place} contains itself, so it cannot be written as JSON", hint="leave it out"
            )
        if len(within) == DEEPEST:
            raise ScheduleError(
                f"the metadata is nested deeper than {DEEPEST} levels",
                hint="store the data elsewhere, and pass a link to it",
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
        f"every key of {place} must be a string, not {_type(key)}", hint='pass {"1": "a"} instead of {1: "a"}'
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
            raise ScheduleError(f"{place} has too many digits", hint="pass it as a string")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ScheduleError(f"{place} is not a number in JSON", hint="leave it out, or pass a string")
        return float(value)
    raise _wrong(
        place, "a string, a number, True, False, None, a list or a mapping", value, "pass it as a string"
    )


# --- messages ---------------------------------------------------------------------------------------


def _wrong(name: str, wanted: str, value: object, hint: str | None) -> ScheduleError:
    return ScheduleError(f"{name} must be {wanted}, not {_type(value)}", hint=hint)


def _type(value: object) -> str:
    """The type of a value. Not the value itself: it may be long, secret, or impossible to print."""
    return "None" if value is None else type(value).__name__
