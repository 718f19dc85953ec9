"""What commands have in common: types of arguments, and the options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from scheduler.times import TimeError, read_duration, read_shift, read_time, without_weekday

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Argument(click.ParamType[T]):
    """An argument that a function reads from its text.

    The function raises TimeError or click.BadParameter; click adds the option's name to the message.
    """

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        if not isinstance(value, str):  # click converts what it has converted before once more
            return value  # type: ignore[no-any-return]
        try:
            return self._read(value)
        except TimeError as problem:
            self.fail(f"{problem}; {problem.hint}", param, ctx)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE")
    return key, value


TIME = Argument("time", read_time)
"""A time with an offset."""
DAY_OR_TIME = Argument(
    "time",
    lambda text: read_time(f"{text}T00:00:00Z" if len(without_weekday(text)) == len("2026-03-01") else text),
)
"""A time with an offset, or a date: its beginning in UTC."""
DURATION = Argument("duration", read_duration)
"""Seconds: `90s`, `10m`, `1h30m`."""
SHIFT = Argument("duration", read_shift)
"""Seconds, with or without a sign: `30m`, `+30m`, `-30m`."""
PAIR = Argument("key=value", _pair)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator; the help lists them in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def format_option(*forms: str) -> Callable[[F], F]:
    """`--format`; the first form is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="Output format.",
    )
