"""What people are notified of: what is at risk, failures, halts, what has recovered, finished waves. Pure.

An event is a difference between two consecutive versions of the state. A save replaces exactly the version
that it was decided from, so each difference is seen by one writer only, and reported once. What is at risk is
in no record; so the state has a list of it (`notified`), and the difference of two lists is the event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from scheduler.planning.rows import phase_of
from scheduler.reporting.terminal import visible
from scheduler.reporting.troubles import AHEAD, OpenTrouble
from scheduler.state.record import Record
from scheduler.state.statuses import STATUSES
from scheduler.times import Instant, read_utc
from scheduler.wording import count, more

Kind = Literal["failed", "halted", "at_risk", "recovered", "completed"]
_TITLES: tuple[tuple[Kind, str, str], ...] = (
    ("failed", "1 failed", "{} failed"),
    ("halted", "1 wave halted", "{} waves halted"),
    ("at_risk", "1 at risk", "{} at risk"),
    ("recovered", "1 recovered", "{} recovered"),
    ("completed", "1 wave completed", "{} waves completed"),
)
"""What the title of a message says of the events of a kind: of one, and of several."""
MOST = 20
"""Lines of one message; `scheduler list` has the rest."""


class Notice(msgspec.Struct, frozen=True):
    """One event, on one line."""

    kind: Kind
    text: str


def events(before: Mapping[str, Record], after: Mapping[str, Record]) -> list[Notice]:
    """What happened between two versions of the state, failures first."""
    changed = {i: record for i, record in after.items() if before.get(i) is not record}
    found = [
        _failure(schedule_id, record)
        for schedule_id, record in sorted(changed.items())
        if record.status == "failed" and (schedule_id not in before or before[schedule_id].status != "failed")
    ]
    found += [
        Notice("failed", f"failed: {_named(schedule_id, record)}: {record.history[-1].why}")
        for schedule_id, record in sorted(changed.items())
        if _stays_out(record) and not _stays_out(before.get(schedule_id))
    ]
    waves = sorted({record.wave_id for record in changed.values() if record.wave_id is not None})
    if waves:
        earlier, later = _by_wave(before.values(), waves), _by_wave(after.values(), waves)
        found += _halts(waves, earlier, later)
        found += _completions(waves, earlier, later)
    return found


def _failure(schedule_id: str, record: Record) -> Notice:
    why = f": {record.error_message}" if record.error_message else ""
    doubt = "; it may have been published" if record.was_sent else ""
    return Notice("failed", f"failed: {_named(schedule_id, record)}: {record.reason}{why}{doubt}")


def changes_of(
    known: Mapping[str, str], found: Sequence[OpenTrouble], records: Mapping[str, Record]
) -> tuple[dict[str, Literal["at_risk", "failed"]], list[Notice]]:
    """What is wrong after a run, to be recorded, and the events that follow from what was recorded before.

    A failure is an event of the save that records it. What was withdrawn or cancelled has not recovered.
    """
    wrong: dict[str, Literal["at_risk", "failed"]] = {}
    notices = []
    for trouble in found:
        name = trouble.name
        if trouble.kind in AHEAD:
            wrong[name] = "at_risk"
            if known.get(name) != "at_risk":
                when = f" ({trouble.local_time})" if trouble.local_time else ""
                todo = f"; {trouble.remedy}" if trouble.remedy else ""
                run = f"; run `{trouble.command}`" if trouble.command else ""
                notices.append(Notice("at_risk", f"at risk: {name}{when}: {trouble.message}{todo}{run}"))
        elif trouble.kind == "failed" or (trouble.kind == "retried" and known.get(name) == "failed"):
            wrong[name] = "failed"
    for name in sorted(known.keys() - wrong.keys()):
        record = records.get(name)
        if record is not None and not (record.traits.is_called_off or _stays_out(record)):
            is_over = (
                f"{record.status}"
                if record.status == "completed"
                else f"to be sent for {record.scheduled_at}"
            )
            notices.append(Notice("recovered", f"recovered: {name}: {is_over}"))
        elif record is None and name.endswith((".yaml", ".yml")):
            notices.append(Notice("recovered", f"recovered: {name} can be read"))
    return wrong, notices


def _named(schedule_id: str, record: Record) -> str:
    video = f"video {record.video_id}" if record.video_id is not None else "no video"
    return f"{schedule_id} ({video}, scheduled for {record.scheduled_at})"


def _stays_out(record: Record | None) -> bool:
    """Whether taking it back has failed."""
    retraction = None if record is None or not record.was_sent else record.retraction
    return retraction is not None and retraction.status == "failed"


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
            waits = f"{count(len(held), 'unsent publication')} {'waits' if len(held) == 1 else 'wait'}"
            yield Notice("halted", f"halted: wave {wave}: {held[0]}; {waits}")


def _completions(
    waves: Sequence[str], before: Mapping[str, list[Record]], after: Mapping[str, list[Record]]
) -> Iterator[Notice]:
    for wave in waves:
        if _is_finished(after[wave]) and not _is_finished(before[wave]):
            ended = max(_changed_at(record) for record in after[wave])
            early = [r.scheduled_at for r in after[wave] if phase_of(r, ended) == "handed_over"]
            counts = Counter(record.status for record in after[wave])
            counts["completed"] -= len(early)
            totals = [f"{counts[s]} {'public' if s == 'completed' else s}" for s in STATUSES if counts[s]]
            if early:
                totals.append(f"{len(early)} handed over (public by {max(early)})")
            yield Notice("completed", f"completed: wave {wave}: {', '.join(totals)}")


def _changed_at(record: Record) -> Instant:
    return read_utc(record.history[-1].at) if record.history else record.at


def _is_finished(records: Sequence[Record]) -> bool:
    """Whether nothing of the wave is left to do, and something of it was done."""
    return any(record.status == "completed" for record in records) and not any(r.is_live for r in records)


def message(found: Sequence[Notice]) -> tuple[str, str]:
    """A title and a text for some events."""
    counts = Counter(event.kind for event in found)
    parts = [
        one if counts[kind] == 1 else many.format(counts[kind]) for kind, one, many in _TITLES if counts[kind]
    ]
    lines = [visible(event.text) for event in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"{more(len(found) - MOST)}: run `scheduler list`")
    return f"scheduler: {', '.join(parts)}", "\n".join(lines)
