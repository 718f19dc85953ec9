"""`schedules.json`: the rows of `list --format json`, and beside them what the page shows."""

from __future__ import annotations

from scheduler.reporting.calendar.entries import Calendar, Entry
from scheduler.reporting.json_output import (
    VERSION,
    document_json,
    encodable,
    fault_document,
    listing_json,
    place_document,
)
from scheduler.reporting.list_text import status_text
from scheduler.reporting.time_format import local_time
from scheduler.times import Instant, instant_text

GENERATOR = "wave-scheduler calendar"


def calendar_json(calendar: Calendar) -> bytes:
    """`{"version": 1, "generator", "now", "from", "to", "diagnostics", "channels", "waves", "freezes",
    "details": {"<schedule_id>": {…}}, "schedules": [{…as in `list`…}]}`, with a line break at its end."""
    freezes = [
        {
            "reason": freeze.reason,
            "from": instant_text(freeze.from_),
            "until": instant_text(freeze.until),
            "channels": freeze.channels,
        }
        for freeze in calendar.freezes
    ]
    details = {entry.row.schedule_id: _detail(entry) for entry in calendar.entries}
    facts = document_json(**{
        "generator": GENERATOR,
        "now": instant_text(calendar.now),
        "from": _text(calendar.start),
        "to": _text(calendar.end),
        "diagnostics": list(map(fault_document, calendar.problems)),
        "channels": dict(sorted(calendar.channels.items())),
        "waves": {name: {"title": title} for name, title in sorted(calendar.waves.items())},
        "freezes": freezes,
        "details": dict(sorted(details.items())),
    })  # fmt: skip
    listed = listing_json(entry.row for entry in calendar.entries)
    return facts[:-1] + b"," + listed.removeprefix(b'{"version":%d,' % VERSION) + b"\n"


def _text(at: Instant | None) -> str | None:
    return None if at is None else instant_text(at)


def _detail(entry: Entry) -> dict[str, object]:
    """What the page shows of one publication besides its record."""
    row = entry.row
    return {
        "kind": entry.kind,
        "words": encodable(status_text(row)),
        "why": encodable(entry.why),
        "local_time": local_time(row.record.at, row.zone),
        "timezone": row.zone,
        "declared": None if row.location is None else place_document(row.location),
    }
