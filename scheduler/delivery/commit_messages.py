"""Commit messages, for saves of the state and for edits of files. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from scheduler.planning.plan import Change
from scheduler.state.record import Record

LINES = 50
"""Lines of detail in one message, which has to stay readable in a log."""


def diff(changes: Sequence[Change], sending: Sequence[str]) -> str:
    """`Send 2, create 3`, and a line for each with its reason."""
    counts = Counter(change.action for change in changes)
    title = [f"{action} {count}" for action, count in counts.items()]
    if sending:
        title.insert(0, f"send {len(sending)}")
    lines = [f"send {schedule_id}" for schedule_id in sending]
    lines += [f"{change.action} {change.schedule_id}: {change.reason}" for change in changes]
    return _message(", ".join(title) or "record what is declared now", lines)


def outcomes(before: Mapping[str, Record], after: Mapping[str, Record]) -> str:
    """`Record 2 completed, 1 failed`, and a line for each with its reason."""
    changed = {i: record for i, record in after.items() if before.get(i) is not record}
    counts = Counter(record.status for record in changed.values())
    lines = [
        f"{record.status} {schedule_id}: {record.history[-1].why if record.history else ''}"
        for schedule_id, record in changed.items()
    ]
    return _message("record " + ", ".join(f"{n} {status}" for status, n in counts.items()), lines)


def retry(schedule_id: str, record: Record) -> str:
    """`Retry spring/teaser/alpha`, and why."""
    return _message(f"retry {schedule_id}", [record.history[-1].why] if record.history else [])


def edit(verb: str, target: str, reason: str | None, schedule_ids: Sequence[str]) -> str:
    """`Pause wave:spring: waiting for legal`, and what it changes: for the commit of a file."""
    title = f"{verb} {target}" + (f": {reason}" if reason else "")
    return _message(title, list(schedule_ids))


def _message(title: str, lines: Sequence[str]) -> str:
    shown = list(lines[:LINES])
    if len(lines) > LINES:
        shown.append(f"... and {len(lines) - LINES} more")
    return "\n".join([title[:1].upper() + title[1:], "", *shown]).rstrip() + "\n"
