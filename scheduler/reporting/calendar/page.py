"""`index.html`: one file that needs no network, no server and no cookie.

The page is a table, complete without JavaScript. The script draws a calendar from that table and a small
block of JSON. A strict Content-Security-Policy allows exactly these scripts and style sheets by their
digests, so that text that was not escaped by mistake still could not run.
"""

from __future__ import annotations

import base64
import hashlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from scheduler.diagnostics import Diagnostic
from scheduler.reporting.calendar.entries import Calendar, Entry, Kind
from scheduler.reporting.json_output import encodable
from scheduler.reporting.list_text import status_notes, until_public
from scheduler.reporting.terminal import visible
from scheduler.reporting.time_format import (
    day_and_time,
    local_day_and_time,
    local_moment_with_utc,
    utc_moment,
)
from scheduler.state.statuses import STATUSES, TRAITS
from scheduler.times import (
    Instant,
    duration_text,
    instant_text,
    moment_of,
    read_utc,
    read_zone,
    zones_by_rules,
)
from scheduler.wording import count

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_STATUSES: dict[Kind, tuple[str, str]] = {
    status: (TRAITS[status].icon, TRAITS[status].meaning) for status in STATUSES
}
KINDS: dict[Kind, tuple[str, str]] = {
    **{status: _STATUSES[status] for status in STATUSES if TRAITS[status].is_live},
    "handed_over": ("⇥", "accepted by its channel, to be public at its time"),
    "completed": _STATUSES["completed"],
    "paused": ("‖", "paused, not sent until that is lifted or ends"),
    "blocked": ("!", "not sent until a problem is fixed"),
    "open": ("+", "a slot without a video"),
    "failed": _STATUSES["failed"],
    "missed": ("∅", "too late, so not published"),
    **_STATUSES,
}
"""The symbol of each kind, which identifies it without colour, and what the kind means."""

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_ROWS = 200
"""Rows of one table; the rest of the month is in the next one."""
_COLUMNS = """\
<thead><tr><th scope="col" class="clock">Local time of the channel</th><th scope="col">UTC</th>\
<th scope="col">Channel</th><th scope="col">Video</th><th scope="col">Status</th><th scope="col">Wave</th>\
<th scope="col">What happened, what comes next</th></tr></thead>
"""
_encoder = msgspec.json.Encoder(order="deterministic")


def page_html(calendar: Calendar) -> bytes:
    """The whole page, UTF-8."""
    scripts = [_EARLY, _asset("vendor/event-calendar.min.js"), _asset("page.js")]
    styles = [_asset("vendor/event-calendar.min.css"), _asset("page.css")]
    policy = (
        f"default-src 'none'; script-src {_digests(scripts)}; style-src {_digests(styles)}; "
        "base-uri 'none'; form-action 'none'"
    )
    total = f"{count(len(calendar.entries), 'publication')} on {count(len(calendar.channels), 'channel')}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="generator" content="wave-scheduler calendar">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        '<title>Publications</title>\n<link rel="alternate" type="text/calendar" href="calendar.ics">\n',
        *(f"<style>{style}</style>\n" for style in styles),
        f'<script>{_EARLY}</script>\n</head>\n<body class="ec-auto-dark">\n',
        '<a class="skip" href="#list">Skip to the list of all publications</a>\n'
        "<header>\n<h1>Publications</h1>\n"
        f'<p>As of <time id="now" datetime="{instant_text(calendar.now)}">'
        f"{day_and_time(calendar.now)} UTC</time>"
        f'<span id="age"></span> · {total} · <a href="#now-line">what comes next</a></p>\n'
        "</header>\n",
        *_problems(calendar.problems),
        _TOOLS,
        *_table(calendar),
        *_freezes(calendar),
        _FOOT,
        f'<script type="application/json" id="facts">{_facts(calendar)}</script>\n',
        *(f"<script>{script}</script>\n" for script in scripts[1:]),
        "</body>\n</html>\n",
    ]
    return "".join(parts).encode()


# --- what is the same on every page -----------------------------------------------------------------


@cache
def _asset(name: str) -> str:
    """A script or a style sheet of this package, to be put into the page."""
    content = pkgutil.get_data("scheduler.reporting.calendar", name)
    assert content is not None  # None is for loaders that cannot read data
    text = content.decode()
    mapped = text.rfind("\n//# sourceMappingURL=")  # the map is not published, and a page must not request it
    return text if mapped < 0 else text[:mapped]


def _digests(texts: Sequence[str]) -> str:
    """The sources for a policy that allows exactly these inline texts."""
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
    )


_EARLY = 'document.documentElement.classList.add("scripted")'
"""Hides the list while it is loading: to lay it out takes longer than all the rest."""

_TOOLS = """\
<section id="tools" aria-label="Calendar" hidden>
<div class="bar">
<div class="group" role="group" aria-label="View">
<button type="button" data-view="month">Month</button>
<button type="button" data-view="week">Week</button>
<button type="button" data-view="channels">Channels</button>
<button type="button" data-view="list">List</button>
</div>
<div class="group" role="group" aria-label="Dates" id="dates">
<button type="button" id="back" aria-label="Earlier">‹</button>
<button type="button" id="today">Today</button>
<button type="button" id="on" aria-label="Later">›</button>
</div>
<h2 id="title" aria-live="polite"></h2>
</div>
<details id="choices">
<summary>Filters</summary>
<div class="bar filters">
<label>Times in <select id="zone"></select></label>
<label>Channel <select id="channel"></select></label>
<label>Wave <select id="wave"></select></label>
<label>Find <input type="search" id="find" placeholder="id or video" autocomplete="off"></label>
</div>
<fieldset id="kinds"><legend>Status</legend></fieldset>
</details>
<p id="shown" role="status"></p>
<div id="calendar"></div>
</section>
"""

_FOOT = """\
<footer>
<p>Subscribe to <a href="calendar.ics">calendar.ics</a> ·
<a href="schedules.json">schedules.json</a> for programs</p>
<p>Drawn with EventCalendar (MIT). This page makes no network requests.</p>
</footer>
<dialog id="details" aria-labelledby="about">
<div class="bar"><h2 id="about" tabindex="-1"></h2>
<button type="button" id="close" aria-label="Close">✕</button></div>
<div id="shown-details"></div>
</dialog>
"""


# --- what it shows -------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """Other people's text, as text."""
    return escape(visible(text))


def _problems(problems: Sequence[Diagnostic]) -> Iterator[str]:
    if not problems:
        return
    errors = sum(fault.is_error for fault in problems)
    title = count(errors, "error") if errors else count(len(problems), "warning")
    state = " open" if errors else ""
    yield f'<details class="problems"{state}>\n<summary>{title} in the files</summary>\n<ul>\n'
    for fault in problems:
        hint = f"<br>{_text(fault.hint)}" if fault.hint else ""
        yield (
            f"<li><code>{_text(str(fault.location))}</code> {fault.severity}: {_text(fault.message)} "
            f"[{fault.code}]{hint}</li>\n"
        )
    yield "</ul>\n</details>\n"


def _table(calendar: Calendar) -> Iterator[str]:
    """All entries, a table for each month (UTC), with a line at the present time.

    A browser only lays out the tables that are visible, so a long month is split into several of them.
    """
    yield '<main id="list">\n<h2>All publications</h2>\n'
    line = (
        f'<p id="now-line">Now: {day_and_time(calendar.now)} UTC. '
        "Everything above this line is in the past.</p>\n"
    )
    parts = ((False, calendar.past), (True, calendar.coming))
    for is_ahead, entries in parts:
        if is_ahead:
            yield line
        for month, some in groupby(entries, lambda entry: entry.row.record.scheduled_at[:7]):
            name = f"{_MONTHS[int(month[5:]) - 1]} {month[:4]}"
            rows = [_row(calendar, entry) for entry in some]
            for start in range(0, len(rows), _ROWS):
                title = f"{name}, continued" if start else name
                yield f'<div class="part">\n<table>\n<caption>{title}</caption>\n{_COLUMNS}<tbody>\n'
                yield from rows[start : start + _ROWS]
                yield "</tbody>\n</table>\n</div>\n"
    yield "</main>\n"


def _row(calendar: Calendar, entry: Entry) -> str:
    row, record = entry.row, entry.row.record
    wave = record.wave_id
    symbol, word = KINDS[entry.kind][0], entry.kind.replace("_", " ")
    where = [f"<span>{_text(row.schedule_id)}</span>", *_outcome(entry)]
    if row.location is not None:
        where.append(f'declared in <span class="place">{_text(str(row.location))}</span>')
    group = record.coordination_group_id
    return (
        f'<tr class="entry" id="{_text(row.schedule_id)}" data-at="{record.at}" data-kind="{entry.kind}" '
        f'data-channel="{_text(record.channel_id)}" data-wave="{_text(wave or "")}">'
        f'<td><time datetime="{record.scheduled_at}">{local_day_and_time(record.at, row.zone)}</time> '
        f'<span class="zone">{_text(row.zone)}</span></td>'
        f'<td class="utc">{utc_moment(record.at)}</td>'
        f"<td>{_text(calendar.channels[record.channel_id].name)}</td>"
        f'<th scope="row"><a href="#{_text(row.schedule_id)}">{_text(entry.video)}</a></th>'
        f'<td><span class="kind {entry.kind}"><span aria-hidden="true">{symbol}</span> {word}</span>'
        f"{_status_notes(entry)}</td>"
        f"<td>{'' if wave is None else _text(calendar.waves[wave])}"
        f"{'' if group is None else f'<br><small>{_text(group)}</small>'}</td>"
        f'<td><span class="why">{_text(entry.why)}</span><br><small>{" · ".join(where)}</small></td></tr>\n'
    )


def _status_notes(entry: Entry) -> str:
    """What the kind alone does not say of the status: another status, its reason, its notes."""
    record = entry.row.record
    if entry.kind == "handed_over":
        return f', <span class="notes">{_text(until_public(entry.row))}</span>'
    reason = "" if record.reason is None else f"({record.reason})"
    parts = [reason if record.status == entry.kind else f"{record.status} {reason}".rstrip()]
    notes = ", ".join(filter(None, [*parts, *status_notes(entry.row)]))
    return f' <span class="notes">{_text(notes)}</span>' if notes else ""


def _outcome(entry: Entry) -> Iterator[str]:
    """When it was sent, the error, and the link to its run."""
    record = entry.row.record
    if record.executed_at is not None:
        late = f", {duration_text(record.lateness_seconds)} late" if record.lateness_seconds else ", on time"
        sent = local_moment_with_utc(read_utc(record.executed_at), entry.row.zone)
        yield f'sent <span class="sent">{_text(sent)}{late}</span>'
    if record.error_message is not None and record.error_message not in entry.why:
        yield f'<span class="error">{_text(record.error_message)}</span>'
    if record.run_url is not None and record.run_url.startswith("https://"):
        address = escape(record.run_url)
        yield f'<a class="run" rel="noopener noreferrer" href="{address}">the channel\'s run</a>'


def _freezes(calendar: Calendar) -> Iterator[str]:
    if not calendar.freezes:
        return
    yield '<section id="freezes">\n<h2>Freezes</h2>\n<p>Nothing is sent during a freeze.</p>\n<ul>\n'
    for freeze in calendar.freezes:
        known = calendar.channels
        names = [_text(known[name].name if name in known else name) for name in freeze.channels or ()]
        yield (
            f"<li>{_text(freeze.reason or 'Freeze')}: {day_and_time(freeze.from_)} to "
            f"{day_and_time(freeze.until)} UTC, {', '.join(names) or 'all channels'}</li>\n"
        )
    yield "</ul>\n</section>\n"


# --- what the script needs beside the table -------------------------------------------------------------


class _Span(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    reason: str
    from_: Instant
    until: Instant
    channels: Sequence[str] | None


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    now: Instant
    channels: list[tuple[str, str, str]]
    """Id, name and zone, by name."""
    waves: list[tuple[str, str]]
    """Id and title, by title."""
    zones: list[tuple[Sequence[str], list[tuple[Instant, int]]]]
    """Its names, and (instant, offset from then on in seconds east of UTC) for every instant of the page."""
    freezes: list[_Span]
    kinds: list[tuple[Kind, str, str]]
    """Each kind with its symbol and its meaning."""


def _facts(calendar: Calendar) -> str:
    """JSON that cannot close the element it is in."""
    channels = sorted(
        ((name, visible(channel.name), channel.timezone) for name, channel in calendar.channels.items()),
        key=lambda channel: (channel[1].casefold(), channel[0]),
    )
    waves = sorted(
        ((name, visible(title)) for name, title in calendar.waves.items()),
        key=lambda wave: (wave[1].casefold(), wave[0]),
    )
    facts = _Facts(
        now=calendar.now,
        channels=channels,
        waves=waves,
        zones=_zones(calendar),
        freezes=[
            _Span(visible(freeze.reason or ""), freeze.from_, freeze.until, freeze.channels)
            for freeze in calendar.freezes
        ],
        kinds=[(kind, *symbol_and_meaning) for kind, symbol_and_meaning in KINDS.items()],
    )
    text = encodable(_encoder.encode(facts).decode())
    return text.translate({ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def _zones(calendar: Calendar) -> list[tuple[Sequence[str], list[tuple[Instant, int]]]]:
    """The offsets of all zones at the instants of the page, listed where they change, with the zone's names.

    A browser's own zone data may be older than those that the scheduler uses. With every zone here, it is
    asked for nothing but the name of its viewer's.
    """
    instants = {calendar.now, *(entry.row.record.at for entry in calendar.entries)}
    for freeze in calendar.freezes:
        instants |= {freeze.from_, freeze.until}
    ordered = sorted(instants)
    return [(names, _offsets(read_zone(names[0]), ordered)) for names in zones_by_rules()]


_STEADY = 7 * 86_400
"""Seconds within which no zone changes its offset twice (Morocco does within a month, around Ramadan)."""


def _offsets(zone: ZoneInfo, instants: Sequence[Instant]) -> list[tuple[Instant, int]]:
    """The first of these instants, and those at which the offset is another than before.

    Only as many are asked for as it takes: there are 350 zones, and may be 100,000 instants.
    """

    @cache
    def offset(index: int) -> int:
        found = moment_of(instants[index]).astimezone(zone).utcoffset()
        assert found is not None
        return int(found.total_seconds())

    found = [(instants[0], offset(0))]
    spans = [(0, len(instants) - 1)]
    while spans:
        low, high = spans.pop()
        if high - low < 1 or (offset(low) == offset(high) and instants[high] - instants[low] < _STEADY):
            continue
        if high - low == 1:
            found.append((instants[high], offset(high)))
            continue
        middle = (low + high) // 2
        spans += [(middle, high), (low, middle)]
    return [change for i, change in enumerate(found) if not i or change[1] != found[i - 1][1]]
