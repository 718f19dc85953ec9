"""`calendar.ics`: the calendar as RFC 5545 (https://www.rfc-editor.org/rfc/rfc5545), to subscribe to.

What a subscriber's program must not confuse is derived: the UID from the id under which a publication was
first recorded and the state's lineage, so that it stays the same event when it is moved or renamed; SEQUENCE
from its record; DTSTAMP and LAST-MODIFIED from all that its text depends on (`entries._Changes`). All times
are in UTC, so that the feed does not have to define zones.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import icalendar

from scheduler.desired import Freeze
from scheduler.reporting.calendar.entries import Calendar, Entry
from scheduler.reporting.list_text import status_text
from scheduler.reporting.terminal import visible
from scheduler.reporting.time_format import local_moment_with_utc
from scheduler.state.statuses import TRAITS
from scheduler.times import Instant, moment_of
from scheduler.wording import listed

PRODUCT = "-//wave-scheduler calendar//EN"
DOMAIN = "wave-scheduler"
LENGTH = timedelta(minutes=5)
"""A publication is an instant; several programs hide events without a length."""
REFRESH = timedelta(hours=1)
_CERTAIN = {"handed_over", *(status for status, traits in TRAITS.items() if traits.is_certain)}
_CALLED_OFF = frozenset(status for status, traits in TRAITS.items() if traits.is_called_off)


def feed_text(calendar: Calendar) -> bytes:
    """The feed, its lines folded at 75 octets and ended by CR LF."""
    feed = icalendar.Calendar()
    feed.add("prodid", PRODUCT)
    feed.add("version", "2.0")
    feed.add("calscale", "GREGORIAN")
    feed.add("method", "PUBLISH")
    feed.add("name", "Publications")
    feed.add("x-wr-calname", "Publications")
    feed.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    feed.add("x-published-ttl", icalendar.vDuration(REFRESH), encode=False)
    for entry in calendar.entries:
        feed.add_component(_publication(calendar, entry))
    for freeze in calendar.freezes:
        feed.add_component(_freeze(calendar, freeze))
    written: bytes = feed.to_ical(sorted=False)
    return written


def _publication(calendar: Calendar, entry: Entry) -> icalendar.Event:
    row, record = entry.row, entry.row.record
    event = _event(
        _uid(calendar, record.first_id or row.schedule_id),
        record.at,
        moment_of(record.at) + LENGTH,
        entry.changed,
    )
    event.add("sequence", entry.revision)
    event.add("status", _status(entry))
    name = calendar.channels[entry.row.record.channel_id].name
    mark = "" if entry.kind in {*_CERTAIN, "open"} else f" ({entry.kind})"
    event.add("summary", visible(f"{name}: {entry.video}{mark}"))
    event.add("description", _description(calendar, entry))
    if record.wave_id is not None:
        event.add("categories", [record.wave_id])
    if record.run_url is not None and record.run_url.startswith("https://"):
        event.add("url", record.run_url)
    return event


def _uid(calendar: Calendar, name: str) -> str:
    """Two repositories may have waves of one name: the state's lineage tells their events apart."""
    return f"{name}@{'' if calendar.lineage is None else f'{calendar.lineage}.'}{DOMAIN}"


def _event(uid: str, start: Instant, end: datetime, changed: Instant) -> icalendar.Event:
    """An event that does not show anybody as busy."""
    stamp = moment_of(changed)
    event = icalendar.Event()
    event.add("uid", uid)
    event.add("dtstamp", stamp)
    event.add("last-modified", stamp)
    event.add("dtstart", moment_of(start))
    event.add("dtend", end)
    event.add("transp", "TRANSPARENT")
    return event


def _status(entry: Entry) -> str:
    if entry.kind in _CALLED_OFF:
        return "CANCELLED"
    is_decided = entry.kind in _CERTAIN and entry.row.recorded and entry.row.record.video_id is not None
    return "CONFIRMED" if is_decided else "TENTATIVE"


def _description(calendar: Calendar, entry: Entry) -> str:
    row, record = entry.row, entry.row.record
    lines = [
        f"{row.schedule_id}: {status_text(row)}",
        local_moment_with_utc(record.at, row.zone),
        entry.why,
    ]
    if record.wave_id is not None:
        lines.insert(1, f"Wave: {calendar.waves[record.wave_id]}")
    if row.location is not None:
        lines.append(f"Declared in {row.location}")
    return "\n".join(map(visible, lines))


def _freeze(calendar: Calendar, freeze: Freeze) -> icalendar.Event:
    """A freeze has no id: its reason, span and channels identify it."""
    identity = f"{freeze.from_}/{freeze.until}/{freeze.channels}/{freeze.reason}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    uid = _uid(calendar, f"freeze-{name}")
    event = _event(uid, freeze.from_, moment_of(freeze.until), calendar.declared_since)
    event.add("status", "CONFIRMED")
    event.add("summary", visible(f"Freeze: {freeze.reason}" if freeze.reason else "Freeze"))
    names = [
        calendar.channels[name].name if name in calendar.channels else name for name in freeze.channels or ()
    ]
    event.add("description", visible(f"Nothing is sent on {listed(names, 'or') or 'any channel'}."))
    event.add("categories", ["freeze"])
    return event
