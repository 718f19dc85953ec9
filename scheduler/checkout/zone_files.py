"""A release of the zone data from a folder, such as an unpacked `tzdata` wheel. Effects: files.

Read as data: nothing is imported, no link out of the folder is followed, and sizes and numbers are bounded,
since a workflow reads what a proposal chose.
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from scheduler.errors import Error
from scheduler.times import NOT_ZONES, ZoneData, installed_zones

LARGEST = 64 * 1024
"""Bytes of the largest zone file that is read; those of the `tzdata` package have less than 4 KiB."""
MOST = 5_000
"""Files below the folder; the `tzdata` package has about 600."""
_RELEASE = re.compile(rb"""^(?:IANA_VERSION\s*=\s*["']|# version )(\d{4}[a-z]{1,2})\b""", re.MULTILINE)
_HINT = "run `pip download tzdata` and `unzip tzdata-*.whl -d zones`, and name the folder `zones`"


def read_zones(folder: Path) -> ZoneData:
    """The zone data of an unpacked wheel, its package `tzdata`, or a folder `zoneinfo` with `tzdata.zi`.

    Raises Error where there is none, where it does not say its release, and for a file that cannot be read.
    """
    top = os.path.realpath(folder)
    if not os.path.isdir(top):  # noqa: PTH112
        raise Error(f"{folder} is not a folder", hint=_HINT)
    try:
        for zoneinfo in (f"{top}/tzdata/zoneinfo", f"{top}/zoneinfo", top):
            real = os.path.realpath(zoneinfo)
            if not os.path.isdir(real) or not f"{real}/".startswith(f"{top}/"):  # noqa: PTH112
                continue
            for file in (f"{os.path.dirname(zoneinfo)}/__init__.py", f"{zoneinfo}/tzdata.zi"):  # noqa: PTH120
                said = _RELEASE.search(_content(file, top) or b"")
                if said is not None and (zones := dict(_zones(zoneinfo, top))):
                    return ZoneData(said[1].decode(), frozenset(zones), zones.__getitem__)
    except OSError as problem:
        raise Error(
            f"{problem.filename} cannot be read: {problem.strerror}", hint=f"run `chmod -R a+rX {folder}`"
        ) from None
    raise Error(f"{folder} does not contain zone files and the release they belong to", hint=_HINT)


def _zones(zoneinfo: str, top: str) -> Iterator[tuple[str, bytes]]:
    """Each zone's name and file. Raises Error, and OSError."""
    expected, seen = installed_zones().names, 0
    for path, folders, files in os.walk(zoneinfo, onerror=_fail):
        if path == zoneinfo:  # a system has all zones there twice more, with and without leap seconds
            folders[:] = [name for name in folders if name not in ("posix", "right")]
        seen += len(files) + len(folders)
        if seen > MOST:
            raise Error(
                f"{zoneinfo} has more than {MOST:,} files, so it contains more than zone data", hint=_HINT
            )
        for file in files:
            name = os.path.relpath(f"{path}/{file}", zoneinfo)
            data = _content(f"{path}/{file}", top)
            if name in NOT_ZONES or (name not in expected and (data is None or data[:4] != b"TZif")):
                continue
            if data is None or not _is_zone(data):
                raise Error(f"{path}/{file} is not a zone file", hint=_HINT)
            yield name, data


class _Ending(io.BytesIO):
    """A file whose end is an error: `zoneinfo` looks for the last line of a shortened one for ever."""

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if size and not found:
            raise EOFError
        return found


def _is_sound(data: bytes) -> bool:
    """Whether the counts, indexes and flags of a TZif file (RFC 8536) fit it: `zoneinfo` trusts them.

    Raises struct.error where it is too short.
    """
    at = 0
    for size in (4, 8):  # bytes of an instant: in the part for old readers, which may be empty, and after it
        magic, version, *counts = struct.unpack_from(">4sc15x6I", data, at)
        isut, isstd, leap, times, types, chars = counts
        indexes = at + 44 + times * size
        texts = indexes + times + types * 6
        at = texts + chars + leap * (size + 4) + isstd + isut
        if (
            magic != b"TZif"
            or at > len(data)
            or max(data[indexes : indexes + times], default=0) > max(types, 1) - 1
        ):
            return False
        for offset, is_dst, text in struct.iter_unpack(">iBB", data[indexes + times : texts]):
            if abs(offset) >= 24 * 3600 or is_dst > 1 or b"\0" not in data[texts + text : texts + chars]:
                return False
        if version == b"\0" or size == 8:
            return bool(types)
    return False


def _is_zone(data: bytes) -> bool:
    try:
        if len(data) > LARGEST or not _is_sound(data):
            return False
        zone = ZoneInfo.from_file(_Ending(data))
        for month in (1, 7):  # an offset of a day or more is noticed when it is used
            datetime(2030, month, 1, tzinfo=zone).utcoffset()
    except (ValueError, LookupError, OverflowError, AssertionError, EOFError, struct.error):
        return False
    return True


def _content(file: str, top: str) -> bytes | None:
    """What a regular file inside of `top` begins with; None for anything else. Raises OSError."""
    real = os.path.realpath(file)
    if not real.startswith(f"{top}/") or not os.path.isfile(real):  # noqa: PTH113
        return None
    with open(real, "rb") as opened:  # noqa: PTH123
        return opened.read(LARGEST + 1)


def _fail(problem: OSError) -> None:
    raise problem
