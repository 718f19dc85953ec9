"""`list`: publications as a table for people and as CSV for spreadsheets.

The table never wraps and never truncates: any id on the screen can be copied, and `grep` finds whole lines.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from scheduler.planning.plan import pauses_text
from scheduler.planning.rows import Row, in_order, is_dead_letter, is_queued
from scheduler.reporting.terminal import Paint, pad, visible, width
from scheduler.reporting.time_format import clock_time, local_moment, local_time, utc_moment
from scheduler.state.outcomes import awaited
from scheduler.state.record import Record
from scheduler.state.statuses import STATUSES, TRAITS
from scheduler.wording import count, listed

_HEADER = ("ID", "LOCAL TIME", "UTC", "STATUS", "VIDEO")


def table(rows: Iterable[Row], *, every: Iterable[Row] = (), colour: bool = False) -> str:
    """An aligned table by time, then id; below it their number and the progress of their waves.

    `every` is all rows: the progress of a wave counts those that are not listed too.
    """
    paint = Paint(colour)
    found = in_order(rows)
    if not found:
        return "No publications."
    cells = [_cells(row) for row in found]
    widths = [max(map(width, column)) for column in zip(_HEADER, *cells, strict=True)]
    header = (pad(text, size) for text, size in zip(_HEADER, widths, strict=True))
    lines = [paint("bold", "  ".join(header).rstrip())]
    for row, texts in zip(found, cells, strict=True):
        padded = [pad(text, size) for text, size in zip(texts, widths, strict=True)]
        style = "alarm" if row.problem else row.record.traits.list_style
        padded[3] = paint(style, padded[3])
        lines.append("  ".join(padded).rstrip())
    waves = dict.fromkeys(row.record.wave_id for row in found if row.record.wave_id is not None)
    return "\n".join([*lines, _sum(found), *_progress(waves, every)])


def _sum(rows: Sequence[Row]) -> str:
    """`8 publications, including 1 open slot and 2 dead letters`."""
    slots = sum(row.record.slot and row.record.video_id is None for row in rows)
    dead = sum(is_dead_letter(row.record) for row in rows)
    parts = [count(number, noun) for number, noun in ((slots, "open slot"), (dead, "dead letter")) if number]
    return count(len(rows), "publication") + (f", including {listed(parts)}" if parts else "")


def _progress(waves: Iterable[str], every: Iterable[Row]) -> list[str]:
    """`spring: 2 of 5 public, 1 handed over, 1 failed, 1 to come (1 paused)`, for each wave that has
    started."""
    members: dict[str, list[Row]] = {wave: [] for wave in waves}
    for row in every:
        if row.record.wave_id in members:
            members[row.record.wave_id].append(row)
    lines = []
    for wave, rows in members.items():
        counts = Counter(map(_step, rows))
        begun = [word for word in _BEGUN if counts[word]]
        if not begun and not counts["public"]:
            continue
        called_off = [status for status in STATUSES if counts[status] and TRAITS[status].is_called_off]
        to_come = [row.record for row in rows if row.record.is_unsent_live]
        paused = sum(record.is_paused for record in to_come)
        due = len(rows) - sum(counts[status] for status in called_off)
        parts = [f"{counts['public']} of {due} public"]
        parts += [f"{counts[word]} {word}" for word in begun]
        if to_come:
            parts.append(f"{len(to_come)} to come" + (f" ({paused} paused)" if paused else ""))
        parts += [f"{counts[status]} {status}" for status in called_off]
        lines.append(f"{visible(wave)}: {', '.join(parts)}")
    return lines


def _step(row: Row) -> str:
    """The word under which the progress of a wave counts a publication."""
    return row.phase.replace("_", " ") if row.phase in ("handed_over", "public") else _word(row.record)


_BEGUN = (
    "handed over",
    *(s for s in STATUSES if not (TRAITS[s].is_unsent or TRAITS[s].is_called_off)),
    "queued",
)


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    at = row.record.at
    video = row.record.video_id
    return (
        visible(row.schedule_id),
        local_moment(at, row.zone),
        utc_moment(at),
        visible(status_text(row)),
        "(open)" if video is None else visible(video),
    )


def _word(record: Record) -> str:
    return "queued" if is_queued(record) else record.status


def status_text(row: Row) -> str:
    """`pending, paused by wave (waiting for legal)`; `failed (missed)`; `queued`, for a job;
    `handed over, public at 18:00`, by the clocks of its channel."""
    record = row.record
    status = _word(record) if record.reason is None else f"{record.status} ({record.reason})"
    if row.phase == "handed_over":
        status = f"handed over, {until_public(row)}"
    return ", ".join([status, *status_notes(row)])


def until_public(row: Row) -> str:
    """`public at 18:00`, by the clocks of its channel: what is to come of a publication that is handed
    over."""
    if row.record.at > row.now:
        return f"public at {clock_time(row.record.at, row.zone)}"
    assert row.record.intent is not None, "what is handed over was sent"
    return f"waiting for {awaited(row.record.intent)}"


def status_notes(row: Row) -> list[str]:
    """What is true of a publication besides its status and reason, each in a few words."""
    record = row.record
    notes = []
    if not row.recorded:
        notes.append("not yet recorded")
    if record.is_paused:
        notes.append(pauses_text(record.pauses) or "paused")
    if row.stopped_at is not None:
        notes.append(f"as recorded by a run at {row.stopped_at}")
    if is_dead_letter(record):
        notes.append("a dead letter")
    if row.problem is not None:
        notes.append(f"blocked by {row.problem}")
    return notes


# --- CSV ------------------------------------------------------------------------------------------

COLUMNS = (
    "schedule_id",
    "schedule_type",
    "wave_id",
    "coordination_group_id",
    "channel_id",
    "video_id",
    "scheduled_at",
    "local_time",
    "timezone",
    "status",
    "phase",
    "is_paused",
    "paused_by",
    "recorded",
    "problem",
    "attempts",
    "reason",
    "error_message",
    "executed_at",
    "lateness_seconds",
    "dispatch_lateness_seconds",
    "evidence",
    "run_url",
    "metadata",
    "declared_at",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[Row]) -> str:
    """RFC 4180 with a header. A value that is not there is an empty cell, metadata is JSON, lines end in CR
    LF.

    Text that a spreadsheet would take for a formula gets an apostrophe in front of it. Control characters are
    shown as escapes, so that a publication stays on one line.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in in_order(rows):
        writer.writerow(map(_cell, _values(row)))
    return text.getvalue()


def _values(row: Row) -> tuple[str | int | None, ...]:
    record = row.record
    return (
        row.schedule_id,
        record.schedule_type,
        record.wave_id,
        record.coordination_group_id,
        record.channel_id,
        record.video_id,
        record.scheduled_at,
        local_time(record.at, row.zone),
        row.zone,
        record.status,
        row.phase,
        record.is_paused,
        ", ".join(pause.by for pause in record.pauses),
        row.recorded,
        row.problem,
        record.attempts,
        record.reason,
        record.error_message,
        record.executed_at,
        record.lateness_seconds,
        record.dispatch_lateness_seconds,
        record.evidence,
        record.run_url,
        None if record.metadata is None else msgspec.json.encode(record.metadata, order="sorted").decode(),
        None if row.location is None else str(row.location),
    )


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    guard = "'" if value.startswith(_FORMULA) else ""
    return guard + visible(value)
