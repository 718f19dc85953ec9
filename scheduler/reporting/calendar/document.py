"""`schedules.json`: the rows of `list --format json`, and beside them what the page shows."""

from __future__ import annotations

import msgspec

from scheduler.reporting.calendar.entries import Calendar, Entry
from scheduler.reporting.json_output import VERSION, encodable, fault_document, listing_json, safe
from scheduler.reporting.list_text import status_text
from scheduler.reporting.time_format import local_time
from scheduler.times import Instant, instant_text

GENERATOR = "wave-scheduler calendar"
_encoder = msgspec.json.Encoder(order="deterministic")


class _Place(msgspec.Struct, frozen=True):
    file: str
    line: int | None
    column: int | None


class _Detail(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of one publication besides its record."""

    kind: str
    words: str
    why: str
    local_time: str
    timezone: str
    declared: _Place | None


class _Freeze(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    reason: str | None
    from_: str
    until: str
    channels: tuple[str, ...] | None


class _Wave(msgspec.Struct, frozen=True):
    title: str


class _Facts(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    generator: str = GENERATOR
    now: str
    from_: str | None
    to: str | None
    diagnostics: list[object]
    channels: dict[str, object]
    waves: dict[str, _Wave]
    freezes: list[_Freeze]
    details: dict[str, _Detail]


def document_json(calendar: Calendar) -> bytes:
    """`{"version": 1, "generator", "now", "from", "to", "diagnostics", "channels", "waves", "freezes",
    "details": {"<schedule_id>": {…}}, "schedules": [{…as in `list`…}]}`, with a line break at its end."""
    facts = safe(_encoder.encode(_facts(calendar)))
    outline = b'{"version":%d,' % VERSION
    listed = listing_json(entry.row for entry in calendar.entries)
    return outline + facts[1:-1] + b"," + listed.removeprefix(outline) + b"\n"


def _facts(calendar: Calendar) -> _Facts:
    return _Facts(
        now=instant_text(calendar.now),
        from_=_text(calendar.start),
        to=_text(calendar.end),
        diagnostics=[fault_document(fault) for fault in calendar.problems],
        channels=dict(calendar.channels),
        waves={name: _Wave(title) for name, title in calendar.waves.items()},
        freezes=[
            _Freeze(freeze.reason, instant_text(freeze.from_), instant_text(freeze.until), freeze.channels)
            for freeze in calendar.freezes
        ],
        details={entry.row.schedule_id: _detail(entry) for entry in calendar.entries},
    )


def _text(at: Instant | None) -> str | None:
    return None if at is None else instant_text(at)


def _detail(entry: Entry) -> _Detail:
    row = entry.row
    place = row.location
    return _Detail(
        kind=entry.kind,
        words=encodable(status_text(row)),
        why=encodable(entry.why),
        local_time=local_time(row.record.at, row.zone),
        timezone=row.zone,
        declared=None
        if place is None
        else _Place(encodable(place.file), place.line or None, place.column or None),
    )
