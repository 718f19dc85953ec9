"""What `show` prints: where a publication is declared, its history, why it is where it is, what is next."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from scheduler.planning.rows import is_dead_letter
from scheduler.reporting.explain import ShownSchedule
from scheduler.reporting.json_output import VERSION, encodable, place_document, safe
from scheduler.reporting.list_text import status_text
from scheduler.reporting.terminal import Paint, pad, visible
from scheduler.reporting.time_format import moment
from scheduler.times import duration_text, instant_text, read_utc

_encoder = msgspec.json.Encoder(order="deterministic")


def show_text(shown: ShownSchedule, *, colour: bool = False) -> str:
    """Facts, history, and the explanation."""
    paint = Paint(colour)
    lines = [paint("bold", visible(shown.row.schedule_id))]
    lines += [f"  {pad(name, 10)} {visible(text)}".rstrip() for name, text in _facts(shown)]
    if shown.history:
        lines += ["", paint("bold", "History")]
        lines += [
            f"  {moment(read_utc(event.at))}  {pad(event.status, 9)}  {visible(event.why)}".rstrip()
            for event in shown.history
        ]
    return "\n".join([*lines, "", visible(shown.why)]) + "\n"


def _facts(shown: ShownSchedule) -> Iterator[tuple[str, str]]:
    row, record = shown.row, shown.row.record
    yield "video", record.video_id or "(none assigned)"
    queue = record.intent.queue if record.intent is not None else None
    where = shown.repository or (f"queue {queue}" if queue else None)
    yield "channel", record.channel_id + (f" ({where})" if where else "")
    if record.coordination_group_id is not None:
        yield "group", f"{record.coordination_group_id} ({record.schedule_type})"
    yield "publishes", moment(record.at, row.zone)
    yield "status", status_text(row)
    yield "declared", _declared(shown)
    if record.executed_at is not None:
        late = "on time" if not record.lateness_seconds else f"{duration_text(record.lateness_seconds)} late"
        yield "sent", f"{moment(read_utc(record.executed_at))}, {late}"
    if record.attempts:
        yield "attempts", str(record.attempts)
    if shown.lease is not None and shown.lease.state == "running":
        lease = shown.lease
        again = f" (attempt {lease.attempts})" if lease.attempts > 1 else ""
        yield "worker", f"{lease.worker}, since {moment(read_utc(lease.at))}{again}"
    if record.error_message:
        yield "error", record.error_message
    if record.run_url is not None:
        yield "run", record.run_url
    if (retraction := record.retraction) is not None:
        where = f", {retraction.run_url}" if retraction.run_url else ""
        yield "taken back", f"{retraction.status} ({retraction.why}){where}"
    if shown.key is not None:
        yield "key", shown.key + (f" (resend {record.resends})" if record.resends else "")


def _declared(shown: ShownSchedule) -> str:
    place, origin = shown.row.location, shown.origin
    if place is None and shown.unreadable is not None:
        return f"{shown.unreadable}, which cannot be read"
    if place is None:
        return "no longer declared"
    if origin is None:
        return str(place)
    if origin.commit is None:
        return f"{place}, not committed yet"
    day = instant_text(origin.at)[:10]
    return f"{place}, by {origin.author} on {day} in {origin.commit[:12]} ({origin.summary})"


# --- for programs -----------------------------------------------------------------------------------


def show_json(shown: ShownSchedule) -> bytes:
    """`{"version": 1, "schedule": {…as in `list`, with its history…}, "declared": {…}, "key", "why"}`."""
    row = shown.row
    schedule = (
        b'{"schedule_id":%b,%b,"history":%b,"phase":%b,"recorded":%b,"problem":%b,"dead_letter":%b}'
        % (
            _encoder.encode(row.schedule_id),
            _encoder.encode(msgspec.structs.replace(row.record, history=()))[1:-1],
            _encoder.encode(shown.history),
            _encoder.encode(row.phase),
            b"true" if row.recorded else b"false",
            _encoder.encode(row.problem),
            b"true" if is_dead_letter(row.record) else b"false",
        )
    )
    return safe(
        b'{"version":%d,"schedule":%b,"declared":%b,"key":%b,"worker":%b,"why":%b}'
        % (
            VERSION,
            schedule,
            msgspec.json.encode(_place(shown)),
            _encoder.encode(shown.key),
            _encoder.encode(shown.lease),
            _encoder.encode(encodable(shown.why)),
        )
    )


def _place(shown: ShownSchedule) -> dict[str, object] | None:
    place, origin = shown.row.location, shown.origin
    if place is None:
        return None
    if origin is None or origin.commit is None:
        return {**place_document(place), "commit": None, "author": None, "committed_at": None}
    return {
        **place_document(place),
        "commit": origin.commit,
        "author": encodable(origin.author),
        "committed_at": instant_text(origin.at),
    }
