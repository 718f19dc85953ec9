"""What people are told without asking: failures, halts, what was missed, a wave that is through. Pure.

An event is a difference between two versions of the record, one after the other. A save replaces exactly the
version that it was decided from, so each difference is seen by one writer alone, and told once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from scheduler.reporting.terminal import visible
from scheduler.state.record import Record
from scheduler.state.statuses import STATUSES

Kind = Literal["failed", "missed", "halted", "completed"]
MOST = 20
"""Lines of one message; whoever wants more asks `scheduler list`."""


class Notice(msgspec.Struct, frozen=True):
    """One thing to tell, in one line."""

    kind: Kind
    words: str


def events(before: Mapping[str, Record], after: Mapping[str, Record]) -> list[Notice]:
    """What happened between two versions of the record, failures first."""
    changed = {i: record for i, record in after.items() if before.get(i) is not record}
    found = [
        _failure(schedule_id, record)
        for schedule_id, record in sorted(changed.items())
        if record.status == "failed" and not _had_failed(before.get(schedule_id))
    ]
    waves = sorted({record.wave_id for record in changed.values() if record.wave_id is not None})
    if waves:
        earlier, later = _by_wave(before.values(), waves), _by_wave(after.values(), waves)
        found += _halts(waves, earlier, later)
        found += _completions(waves, earlier, later)
    return found


def _had_failed(record: Record | None) -> bool:
    return record is not None and record.status == "failed"


def _failure(schedule_id: str, record: Record) -> Notice:
    kind: Kind = "missed" if record.reason == "missed" else "failed"
    video = f"the video {record.video_id}" if record.video_id is not None else "no video"
    why = f": {record.error_message}" if record.error_message else ""
    doubt = "; it may have been published" if record.was_sent else ""
    what = f"{schedule_id} ({video}, for {record.scheduled_at})"
    return Notice(kind, f"{kind}: {what}: {record.reason}{why}{doubt}")


def _by_wave(records: Iterable[Record], waves: Sequence[str]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {wave: [] for wave in waves}
    for record in records:
        if record.wave_id in found:
            found[record.wave_id].append(record)
    return found


def _halts(
    waves: Sequence[str], before: Mapping[str, list[Record]], after: Mapping[str, list[Record]]
) -> Iterator[Notice]:
    for wave in waves:
        held = [pause.reason for record in after[wave] for pause in record.pauses if pause.by == "halt"]
        if held and not any(pause.by == "halt" for record in before[wave] for pause in record.pauses):
            wait = f"{len(held)} not sent yet wait{'s' if len(held) == 1 else ''}"
            yield Notice("halted", f"halted: the wave {wave}: {held[0]}; {wait}")


def _completions(
    waves: Sequence[str], before: Mapping[str, list[Record]], after: Mapping[str, list[Record]]
) -> Iterator[Notice]:
    for wave in waves:
        if _is_through(after[wave]) and not _is_through(before[wave]):
            counts = Counter(record.status for record in after[wave])
            told = ", ".join(f"{counts[s]} {s}" for s in STATUSES if counts[s])
            yield Notice("completed", f"completed: the wave {wave}: {told}")


def _is_through(records: Sequence[Record]) -> bool:
    """Nothing of the wave is left to be done, and something of it was."""
    return any(record.status == "completed" for record in records) and not any(r.is_live for r in records)


def message(found: Sequence[Notice]) -> tuple[str, str]:
    """A title and a text for some events."""
    counts = Counter(event.kind for event in found)
    of_waves = {"halted": "wave halted", "completed": "wave completed"}
    parts = []
    for kind in ("failed", "missed", "halted", "completed"):
        if counts[kind]:
            words = of_waves.get(kind, kind)
            parts.append(f"{counts[kind]} {words if counts[kind] == 1 else words.replace('wave', 'waves')}")
    lines = [visible(event.words) for event in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"... and {len(found) - MOST} more: scheduler list")
    return f"scheduler: {', '.join(parts)}", "\n".join(lines)
