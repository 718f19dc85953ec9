"""What a proposal does, in a few sentences that an editor understands, before any table.

This pull request adds 2 publications on 2 channels, moves 1 and cancels none.

- Wave spring: adds 2 on alpha and beta, moves 1 on gamma (1h30m later). The first goes out on alpha: Sun
  2026-03-01 19:00 Europe/Berlin (18:00 UTC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from scheduler.diagnostics import Diagnostic
from scheduler.planning.plan import Action, Change, pauses_text
from scheduler.reporting.diagnostics_text import weights
from scheduler.reporting.plan_sections import (
    Section,
    differences,
    is_move,
    record_of,
    sections,
    shift_text,
    tally,
)
from scheduler.reporting.pull_request.escaping import code, some, that_fit, zone_name
from scheduler.reporting.review import Review
from scheduler.reporting.time_format import local_moment_with_utc
from scheduler.times import duration_text
from scheduler.wording import count, listed, more

_SECTIONS = 8
"""Waves and channels that get a line each."""
_CHANNELS = 3
_IDS = 3
_UNPLANNED = (
    "Nothing can be planned with this <code>scheduler.yaml</code>: **every run stops, and nothing is sent.**"
)


def headline(review: Review, diagnostics: Sequence[Diagnostic]) -> str:
    """`This pull request adds 3 publications on 2 channels, moves 1 and cancels none.`, and what is wrong."""
    sentences = [_what_it_does(review) if review.is_planned else _UNPLANNED]
    if review.refused:
        ids = some(review.refused, _IDS, "publication")
        verb = "is" if len(review.refused) == 1 else "are"
        sentences.append(f"**{len(review.refused):,} {verb} blocked**: {ids}; the problems below say why.")
    if review.anyway:
        sentences.append(
            f"Not counted: {count(review.anyway, 'change')} already declared on the base branch that no run "
            "has recorded yet."
        )
    found = _steps(review)
    if found:
        sentences.append(f"A run now would {listed(found)}.")
    if review.waiting:
        sentences.append(f"{count(review.waiting, 'publication')} due now cannot be sent.")
    if diagnostics:
        sentences.append(f"**{weights(diagnostics)}.**")
    return " ".join(sentences)


def _steps(review: Review) -> list[str]:
    counts = tally(review.steps)
    steps: tuple[tuple[Action, str], ...] = (
        ("send", "send {}"),
        ("retract", "take {} back"),
        ("miss", "give {} up as missed"),
        ("fail", "record {} as failed"),
        ("confirm", "confirm {}"),
        ("lookup", "look {} up"),
        ("complete", "complete {}"),
        ("archive", "archive {}"),
    )
    return [phrase.format(f"{counts[action]:,}") for action, phrase in steps if counts[action]]


def _what_it_does(review: Review) -> str:
    counts = tally(review.changes)
    moved = sum(map(is_move, review.changes))
    edited = counts["update"] + counts["reopen"] - moved
    numbers = (
        ("adds", counts["create"]),
        ("moves", moved),
        ("edits", edited),
        ("pauses", counts["pause"]),
        ("resumes", counts["resume"]),
        ("cancels", counts["cancel"]),
    )
    clauses: list[str] = []
    for verb, number in numbers:
        if not number:
            clauses += ["cancels none"] if verb == "cancels" and clauses else []
        elif clauses:
            clauses.append(f"{verb} {number:,}")
        elif verb == "adds":  # only the first clause names what is counted
            channels = {
                record_of(change).channel_id for change in review.changes if change.action == "create"
            }
            clauses.append(f"adds {count(number, 'publication')} on {count(len(channels), 'channel')}")
        else:
            clauses.append(f"{verb} {count(number, 'publication')}")
    if not clauses:
        return "This pull request changes no publication."
    return f"This pull request {listed(clauses)}."


# --- wave by wave ---------------------------------------------------------------------------------


def by_series(review: Review, zones: Mapping[str, str], room: int) -> str:
    """A line for each wave, and for each channel whose own file declares publications."""
    found = sections(review.changes)
    lines = that_fit((_sentences(section, review, zones) for section in found[:_SECTIONS]), room)
    rest = len(found) - len(lines)
    if rest and lines:
        what = "wave or channel" if rest == 1 else "waves and channels"
        lines.append(f"- {more(rest)} {what}, listed below")
    return "\n".join(lines)


def _sentences(section: Section, review: Review, zones: Mapping[str, str]) -> str:
    title = review.titles.get(section.name) if section.kind == "wave" else None
    name = f"{section.title} {code(section.name)}" + (f" ({code(title)})" if title else "")
    clauses = listed(list(_clauses(section)))
    return " ".join([f"- {name}: {clauses}.", *_first(section, review, zones)])


def _clauses(section: Section) -> Iterator[str]:
    changes = section.changes
    is_own = section.kind == "channel"
    kinds: tuple[tuple[str, Callable[[Change], bool]], ...] = (
        ("adds", lambda change: change.action == "create"),
        ("moves", is_move),
        ("edits", lambda change: change.action in ("update", "reopen") and not is_move(change)),
        ("pauses", lambda change: change.action == "pause"),
        ("resumes", lambda change: change.action == "resume"),
        ("cancels", lambda change: change.action == "cancel"),
    )
    for verb, belongs in kinds:
        found = [change for change in changes if belongs(change)]
        if found:
            channels = list(dict.fromkeys(record_of(change).channel_id for change in found))
            where = "" if is_own else f" on {some(channels, _CHANNELS, 'channel')}"
            remark = _remark(verb, found)
            yield f"{verb} {len(found):,}{where}" + (f" ({remark})" if remark else "")


def _remark(verb: str, changes: Sequence[Change]) -> str:
    records = [record_of(change) for change in changes]
    if verb == "moves":
        shifts = {record_of(c).at - c.before.at for c in changes if c.before is not None}
        return shift_text(shifts.pop()) if len(shifts) == 1 else ""
    if verb == "edits":
        labels = {label: None for change in changes for label, _, _ in differences(change, "UTC")}
        return ", ".join(labels)
    if verb == "pauses":
        reasons = dict.fromkeys(pauses_text(record.pauses) for record in records)
        return code(next(iter(reasons))) if len(reasons) == 1 and any(reasons) else ""
    if verb == "adds":
        notes = (
            ("paused", sum(record.is_paused for record in records)),
            ("cancelled", sum(record.status == "cancelled" for record in records)),
            ("without a video yet", sum(record.video_id is None for record in records)),
        )
        return ", ".join(f"{number:,} {note}" for note, number in notes if number)
    return ""


def _first(section: Section, review: Review, zones: Mapping[str, str]) -> Iterable[str]:
    """When the first of what is added or moved is published."""
    placed = (change for change in section.changes if change.action not in ("cancel", "pause"))
    coming = [record for record in map(record_of, placed) if record.is_unsent_live and not record.is_paused]
    if not coming:
        return
    first = min(coming, key=lambda record: (record.scheduled_at, record.position, record.channel_id))
    subject = "It" if len(coming) == len(section.changes) == 1 else "The first"
    where = "" if section.kind == "channel" else f" on {code(first.channel_id)}"
    zone = zones.get(first.channel_id, "UTC")
    when = zone_name(local_moment_with_utc(first.at, zone))
    lead = review.leads.get(first.channel_id)
    ahead = f"; it is sent {duration_text(lead)} ahead" if lead else ""
    yield f"{subject} goes out{where}: {when}{ahead}."
