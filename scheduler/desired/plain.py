"""A scalar as it was typed. Kept apart from the reader, so that the types of keys do not import YAML."""

from __future__ import annotations

from typing import Final

NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})
"""How YAML 1.2 spells "no value"."""


class Plain(str):
    """A scalar written without quotes: only such a one may become a number, a boolean or nothing."""

    __slots__ = ()


def is_nothing(value: object) -> bool:
    """Whether an editor left the value out, or wrote YAML's word for that."""
    return isinstance(value, Plain) and value in NOTHING
