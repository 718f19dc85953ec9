"""The first line of a state or an archive: its facts, and the checksum by which this program knows its own.

A state or an archive begins with one line that can be read without reading the records:

    {"version": 2, "lineage": "...", "serial": 17, "checksum": "<64 hex digits>", "schedules": {

`checksum` covers every byte of the text but itself: it is the SHA-256 of the first line without the
member `checksum`, followed by the SHA-256 of all that comes after that line. A text whose checksum holds
is as this program wrote it; one whose checksum does not hold was edited by hand (or is damaged) and is
read by the strict, slow reader of `scheduler.state`.

A run that finds nothing to do reads a state with this module alone: it needs only the standard library.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

VERSION = 2
"""The form of states and archives. Version 1 is read too, and the first save makes it this one."""
EDITED = "edited "
"""What the fingerprint of a text begins with that somebody edited."""
OPENING = b'"schedules": {'
"""What a first line ends with: from the next line on, each line is one record."""
_CHECKSUM = re.compile(rb', "checksum": "([0-9a-f]{64})"(?=, "schedules": \{$)')
_LONGEST_HEAD = 1_048_576  # bytes: of a text without line breaks not all is searched


class Head(NamedTuple):
    """The facts of a text's first line. An archive has no serial."""

    version: int
    lineage: str
    serial: int | None
    declared: Mapping[str, Any] | None
    idle: Mapping[str, Any] | None
    checksum: str | None


def read_head(text: bytes) -> Head | None:
    """The facts of the first line, or None where it is not of the form that this program writes.

    Whether those facts can be trusted is for `checksum_holds` to say.
    """
    line = _first_line(text)
    if line is None:
        return None
    try:
        facts = json.loads(line + b"}}", object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError):
        return None
    return Head(*(facts.get(name) for name in Head._fields)) if _is_plausible(facts) else None


def checksum_holds(text: bytes, rest: Iterable[bytes | memoryview] = ()) -> bool:
    """Whether every byte of the text is as this program wrote it.

    Of a file that was not read as a whole, `text` is the beginning and `rest` gives the other parts.
    """
    return own_checksum(text, rest) is not None


def own_checksum(text: bytes, rest: Iterable[bytes | memoryview] = ()) -> str | None:
    """The checksum that a text carries, None where it has none or another one than it should."""
    line = _first_line(text)
    if line is None:
        return None
    found = _CHECKSUM.search(line)
    if found is None:
        return None
    bare = line[: found.start()] + line[found.end() :]
    body = body_digest(chain([memoryview(text)[len(line) + 1 :]], rest))
    carried = found[1].decode()
    return carried if checksum(bare, body) == carried else None


def fingerprint(text: bytes) -> str:
    """What tells a text from any other: its own checksum, or a digest of what somebody edited.

    The checksum covers every byte, so that a text is digested once, however often this is asked for.
    """
    return own_checksum(text) or EDITED + hashlib.sha256(text).hexdigest()


def sealed_with(first_line: bytes) -> str:
    """The checksum in a first line that `seal` has just made. Raises ValueError for any other."""
    found = _CHECKSUM.search(first_line.removesuffix(b"\n"))
    if found is None:
        raise ValueError("not a first line with a checksum")
    return found[1].decode()


def seal(members: bytes, body: bytes) -> bytes:
    """The first line (with its line end) for `members`, the JSON text of the facts without braces.

    `body` is the digest of all that follows, from `body_digest`.
    """
    bare = b"{" + members + b", " + OPENING
    mark = checksum(bare, body).encode()
    return b"{" + members + b', "checksum": "' + mark + b'", ' + OPENING + b"\n"


def checksum(bare_line: bytes, body: bytes) -> str:
    """The checksum of a text whose first line, without line end and checksum, is `bare_line`."""
    return hashlib.sha256(bare_line + body).hexdigest()


def body_digest(parts: Iterable[bytes | memoryview]) -> bytes:
    """The digest of all that follows the first line."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _first_line(text: bytes) -> bytes | None:
    end = text.find(b"\n", 0, _LONGEST_HEAD)
    line = text[:end] if end > 0 else b""
    return line if line.endswith(OPENING) else None


def _is_plausible(facts: dict[str, Any]) -> bool:
    kinds = {"version": int, "lineage": str}
    may_miss = {"serial": int, "declared": dict, "idle": dict, "checksum": str}
    return all(type(facts.get(name)) is kind for name, kind in kinds.items()) and all(
        name not in facts or type(facts[name]) is kind for name, kind in may_miss.items()
    )


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    facts = dict(pairs)
    if len(facts) != len(pairs):
        raise ValueError("duplicate key")
    return facts
