"""Commit messages, for saves of the state and for edits of files. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from scheduler.planning.plan import Change
from scheduler.state.record import Record, State
from scheduler.wording import more

LINES = 50
"""Lines of detail in one message, which has to stay readable in a log."""


def diff(changes: Sequence[Change], requests: Sequence[tuple[str, str]]) -> str:
    """`Send 2, create 3`, and a line for each with its reason. `requests`: what is done with which."""
    counts = Counter(change.action for change in changes)
    made = Counter(verb for verb, _ in requests)
    title = [f"{action} {number}" for action, number in (*made.items(), *counts.items())]
    if not title:
        return _message("Record what is declared now", [])
    lines = [f"{verb} {schedule_id}" for verb, schedule_id in requests]
    lines += [f"{change.action} {change.schedule_id}: {change.reason}" for change in changes]
    return _message(", ".join([title[0].capitalize(), *title[1:]]), lines)


def outcomes(before: Mapping[str, Record], after: Mapping[str, Record]) -> str:
    """`Record 2 completed, 1 failed`, and a line for each with its reason."""
    changed = {i: record for i, record in after.items() if before.get(i) is not record}
    counts = Counter(record.status for record in changed.values())
    lines = [
        f"{record.status} {schedule_id}: {record.history[-1].why if record.history else ''}"
        for schedule_id, record in changed.items()
    ]
    return _message("Record " + ", ".join(f"{n} {status}" for status, n in counts.items()), lines)


def retry(retried: Mapping[str, Record]) -> str:
    """`Retry spring/teaser/alpha`, or `Retry 3 publications`, and a line for each with its reason."""
    lines = [f"{i}: {record.history[-1].why if record.history else ''}" for i, record in retried.items()]
    title = next(iter(retried)) if len(retried) == 1 else f"{len(retried)} publications"
    return _message(f"Retry {title}", lines)


def edit(verb: str, target: str, reason: str | None, schedule_ids: Sequence[str]) -> str:
    """`Pause wave:spring: waiting for legal`, and what it changes: for the commit of a file."""
    title = f"{verb.capitalize()} {target}" + (f": {reason}" if reason else "")
    return _message(title, list(schedule_ids))


def notified(state: State) -> str:
    """What people are notified of, as far as it is not well yet."""
    lines = [f"{kind.replace('_', ' ')} {name}" for name, kind in sorted(state.notified.items())]
    return _message("scheduler: notify", lines)


def _message(title: str, lines: Sequence[str]) -> str:
    rest = [more(len(lines) - LINES)] if len(lines) > LINES else []
    return "\n".join([title, "", *lines[:LINES], *rest]).rstrip() + "\n"
