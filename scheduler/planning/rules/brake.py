"""So much is no longer declared that it looks like an accident: nothing of it is cancelled or sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic, Location, Related, error, warning
from scheduler.planning.expand import Schedule
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.planning.taking_back import can_be_taken_back
from scheduler.state.record import Record
from scheduler.times import Instant
from scheduler.wording import count

NAMED = 5
"""How many waves and channels are named."""


def withheld(
    declared: Declarations,
    records: Mapping[str, Record],
    schedules: Mapping[str, Schedule],
    as_recorded: Set[str],
    now: Instant,
) -> list[str]:
    """Live ids that are no longer declared, where they are too many at once; else none.

    `records` are those of the state, renames applied; `as_recorded`, those that no readable file declares.
    """
    gone = [
        schedule_id
        for schedule_id, record in records.items()
        if schedule_id not in schedules
        and schedule_id not in as_recorded
        and not _is_sent_slot(record)
        and _is_live(declared, record, now)
    ]
    limit = declared.settings.brake
    if len(gone) < limit.at_least or len(gone) * 100 <= limit.cancel_percent * _live(declared, records, now):
        return []
    return gone


def _is_live(declared: Declarations, record: Record, now: Instant) -> bool:
    """Whether it is neither finished nor cancelled, or can still be taken back."""
    return record.is_live or can_be_taken_back(declared, record, now)


def _live(declared: Declarations, records: Mapping[str, Record], now: Instant) -> int:
    return sum(_is_live(declared, record, now) for record in records.values())


def _is_sent_slot(record: Record) -> bool:
    """A slot is declared only while it is ahead: one that was sent has not vanished."""
    return record.slot and record.was_sent


def check(inquiry: Inquiry) -> Iterator[Violation]:
    if inquiry.withheld:
        place = partial(_describe, inquiry, inquiry.withheld)
        yield Violation(file=inquiry.declared.settings_file, describe=place)


def _describe(inquiry: Inquiry, gone: Sequence[str]) -> Diagnostic:
    declared, records = inquiry.declared, inquiry.records
    percent = declared.settings.brake.cancel_percent
    live = _live(declared, records, inquiry.now)
    related = _vanished(declared, records, gone)
    report = warning if inquiry.proposal else error
    return report(
        RULE.code,
        _place(declared, related, records[gone[0]]),
        f"{len(gone):,} of {count(live, 'live publication')} are no longer declared, more than "
        f"`cancel_percent` ({percent} %) allows at once: none of them is cancelled or sent",
        "restore the files, or run `scheduler run --force` if this is intended",
        related,
        schedules=gone,
    )


def _vanished(declared: Declarations, records: Mapping[str, Record], gone: Sequence[str]) -> list[Related]:
    """What is no longer declared, by wave or channel; with its file's place where that is still there."""
    kinds = Counter(records[schedule_id].declarer for schedule_id in gone)
    related = []
    for (kind, name), number in list(kinds.items())[:NAMED]:
        file = declared.files.get((kind, name))
        where = None if file is None else declared.place(file, ("schedules",), key=True)
        lost = ", whose file is gone" if file is None else ""
        related.append(Related(f"{count(number, 'publication')} of {kind} {name}{lost}", where))
    if len(kinds) > NAMED:
        related.append(Related(f"and those of {count(len(kinds) - NAMED, 'more file')}"))
    return related


def _place(declared: Declarations, related: Iterable[Related], gone: Record) -> Location:
    """Where something vanished from; where whole files did, the setting, or else their folder."""
    document = declared.documents.get(declared.settings_file)
    there = next((found.location for found in related if found.location is not None), None)
    if there is not None:
        return there
    if document is not None and isinstance(document.data, dict) and "brake" in document.data:
        return document.place(("brake",))
    return Location.whole(f"{gone.declarer[0]}s")


RULE = Rule(
    code="brake",
    title="Not too many publications are withdrawn at once",
    meaning="""\
A publication that is no longer declared is cancelled. When more than `brake.cancel_percent` of the live
ones (and at least `brake.at_least`) vanish at once, that is more likely an accident: a wrong branch, a
bad merge, a folder that was moved. Then nothing is cancelled, and nothing of what would be cancelled is
sent. It is a warning in `validate` and `plan`, and an error in `run`.""",
    remedy="Restore the files. If it is intended, run `scheduler run --force` once.",
    bad=Example(
        recorded="""\
-- scheduler.yaml --
brake: { cancel_percent: 30, at_least: 2 }
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha, beta, gamma]
""",
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha]
""",
        fix=("[alpha]", "[alpha, beta]"),
    ),
    check=check,
)
