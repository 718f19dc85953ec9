"""What an operator limits, and the channels' side: repositories, sizes, how much at once, how fast. Pure.

`allow` and SCHEDULER_ALLOW say which repositories may be pointed at; a payload has the size that GitHub
takes; the brake keeps a great many schedules from being cancelled at once; `pace` may be too slow for a wave.
"""

from __future__ import annotations

import fnmatch
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Literal

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic, Location, Related, error, warning
from scheduler.planning.expand import Expansion, Schedule
from scheduler.planning.plan import Surroundings
from scheduler.planning.rate_limit import Bucket
from scheduler.state.intent import payload_problem
from scheduler.state.record import Record
from scheduler.times import Instant, duration_text, instant_text

NAMED = 5
"""Patterns that one sentence names."""

# --- which repositories may be pointed at -----------------------------------------------------------


def check_allowed(declared: Declarations, surroundings: Surroundings, expansion: Expansion) -> None:
    """Refuse channels whose repository is not allowed by the settings or the operator's environment."""
    lists: list[tuple[str, Sequence[str]]]
    lists = [("scheduler.yaml", declared.settings.allow)] if declared.settings.allow else []
    if surroundings.allow is not None:
        lists.append(("SCHEDULER_ALLOW", surroundings.allow))
    refused: dict[str, tuple[str, Sequence[str]]] = {}
    for name, channel in declared.channels.items():
        for origin, patterns in lists:
            if channel.repository is not None and not is_allowed(channel.repository, patterns):
                refused.setdefault(name, (origin, patterns))
                declared.refused[name] = "not-allowed"
    if not refused:
        return
    held: dict[str, list[str]] = defaultdict(list)
    for schedule_id, schedule in expansion.schedules.items():
        if schedule.channel in refused:
            expansion.blocked.setdefault(schedule_id, "not-allowed")
            held[schedule.channel].append(schedule_id)
    for name, (origin, patterns) in refused.items():
        repository = declared.channels[name].repository
        expansion.faults.add(
            error(
                "not-allowed",
                declared.place(declared.files["channel", name], ("repository",)),
                f"the repository {repository} is not among those allowed by {origin}: {_listed(patterns)}",
                "an operator has to add it there",
                schedules=held[name],
            )
        )


def _listed(patterns: Sequence[str]) -> str:
    more = f" and {len(patterns) - NAMED} more" if len(patterns) > NAMED else ""
    return ", ".join(patterns[:NAMED]) + more or "none"


def is_allowed(repository: str, patterns: Iterable[str]) -> bool:
    """Whether one of the `owner/name` patterns fits a repository, whatever its case."""
    return any(fnmatch.fnmatchcase(repository.lower(), pattern.lower()) for pattern in patterns)


# --- what GitHub would refuse -------------------------------------------------------------------------


def check_payloads(declared: Declarations, expansion: Expansion) -> None:
    """A payload that GitHub would refuse is refused here, at its metadata."""
    problems: dict[int, str | None] = {}
    refused: dict[int, list[Schedule]] = {}
    for schedule in expansion.schedules.values():
        metadata, group = schedule.group.metadata, id(schedule.group)
        if metadata is None:
            continue
        if group not in problems:
            problems[group] = payload_problem(metadata)
        if problems[group] is not None:
            refused.setdefault(group, []).append(schedule)
            expansion.blocked.setdefault(schedule.id, "invalid-value")
    for group, schedules in refused.items():
        where = declared.place(schedules[0].file, (*schedules[0].loc[:2], "metadata"), key=True)
        expansion.faults.add(
            error(
                "invalid-value",
                where,
                problems[group] or "",
                "keep long texts elsewhere, and put a link here",
                schedules=[schedule.id for schedule in schedules],
            )
        )


# --- the brake ----------------------------------------------------------------------------------------


def brake(
    declared: Declarations,
    records: Mapping[str, Record],
    expansion: Expansion,
    as_recorded: Set[str],
    *,
    proposal: bool,
    force: bool,
) -> dict[str, str]:
    """Undeclared live records that are kept since there are too many of them at once."""
    live = [schedule_id for schedule_id, record in records.items() if record.is_live]
    gone = [i for i in live if i not in expansion.schedules and i not in as_recorded]
    limit = declared.settings.brake
    if len(gone) < limit.at_least or len(gone) * 100 <= limit.cancel_percent * len(live) or force:
        return {}
    tell = warning if proposal else error
    related = _vanished(declared, records, gone)
    expansion.faults.add(
        tell(
            "brake",
            _brake_place(declared, related, records[gone[0]]),
            f"{len(gone)} of {len(live)} live schedules are no longer declared: more than "
            f"{limit.cancel_percent} % are not cancelled at once, and none of them is sent",
            "restore the files, or say `scheduler run --force` if it is meant",
            related,
            schedules=gone,
        )
    )
    return {schedule_id: "brake" for schedule_id in gone if records[schedule_id].is_unsent_live}


def _vanished(declared: Declarations, records: Mapping[str, Record], gone: Sequence[str]) -> list[Related]:
    """What is no longer declared, by wave or channel; with its file's place where that is still there."""
    kinds = Counter(_declarer(records[schedule_id]) for schedule_id in gone)
    related = []
    for (kind, name), number in list(kinds.items())[:NAMED]:
        file = declared.files.get((kind, name))
        where = None if file is None else declared.place(file, ("schedules",), key=True)
        words = f"{number} of the {kind} {name}" + (", whose file is gone" if file is None else "")
        related.append(Related(words, where))
    if len(kinds) > NAMED:
        related.append(Related(f"and those of {len(kinds) - NAMED} more files"))
    return related


def _declarer(record: Record) -> tuple[Literal["wave", "channel"], str]:
    """The kind and the id of the file that a record was declared in."""
    return ("channel", record.channel_id) if record.wave_id is None else ("wave", record.wave_id)


def _brake_place(declared: Declarations, related: Iterable[Related], gone: Record) -> Location:
    """Where something vanished from; where whole files did, the setting; where that is none, their folder."""
    document = declared.documents.get(declared.settings_file)
    there = next((found.location for found in related if found.location is not None), None)
    if there is not None:
        return there
    if document is not None and isinstance(document.data, dict) and "brake" in document.data:
        return document.place(("brake",))
    return Location.whole(f"{_declarer(gone)[0]}s")


# --- pace ----------------------------------------------------------------------------------------------


def check_pace(
    declared: Declarations, known: Mapping[str, Record], expansion: Expansion, surroundings: Surroundings
) -> None:
    """Warn of a wave that pace would spread beyond its catch-up."""
    told: set[str] = set()
    for token, line in _lines(declared, known, expansion, surroundings).items():
        bucket = Bucket(declared.settings.pace)
        leads = {name: channel.lead for name, channel in declared.channels.items()}
        line.sort(key=lambda s: (s.at - leads[s.channel], s.position, s.id))
        for schedule in line:
            late = bucket.take(float(schedule.at - leads[schedule.channel])) - schedule.at
            wave = schedule.group.wave or schedule.file
            if late > _catch_up(declared, schedule) and wave not in told:
                told.add(wave)
                expansion.faults.add(_too_slow(declared, schedule, token, round(late)))


def _catch_up(declared: Declarations, schedule: Schedule) -> int:
    own = schedule.group.catch_up
    return declared.settings.catch_up if own is None else own


def _lines(
    declared: Declarations, known: Mapping[str, Record], expansion: Expansion, surroundings: Surroundings
) -> dict[str, list[Schedule]]:
    """What is still to be sent by each token, for the tokens that have too much to do at any time."""
    tokens = {
        name: (surroundings.token_for(channel) or "", channel.lead)
        for name, channel in declared.channels.items()
        if channel.repository is not None
    }
    demand: dict[str, dict[Instant, int]] = {token: {} for token, _ in tokens.values()}
    of_channel = {name: (demand[token], lead) for name, (token, lead) in tokens.items()}
    for schedule_id, schedule in expansion.schedules.items():  # a Counter would take half as long again
        channel = of_channel.get(schedule.channel)
        if channel is None or schedule.cancelled:
            continue
        record = known.get(schedule_id)
        if record is None or record.is_unsent_live:
            counts, lead = channel
            counts[schedule.at - lead] = counts.get(schedule.at - lead, 0) + 1
    waves = [wave.catch_up for wave in declared.waves.values() if wave.catch_up is not None]
    least = min([declared.settings.catch_up, *waves])
    busy = {token for token, due in demand.items() if _may_be_late(declared, due, least)}
    lines: dict[str, list[Schedule]] = {token: [] for token in demand if token in busy}
    for schedule_id, schedule in expansion.schedules.items() if busy else ():
        token, _ = tokens.get(schedule.channel, ("", 0))
        record = known.get(schedule_id)
        if token in lines and not schedule.cancelled and (record is None or record.is_unsent_live):
            lines[token].append(schedule)
    return lines


def _may_be_late(declared: Declarations, demand: Mapping[Instant, int], catch_up: int) -> bool:
    """Whether a token's bucket ever falls behind by more than `catch_up`: counted, not walked through."""
    bucket = Bucket(declared.settings.pace)
    return any(bucket.take_many(float(due), demand[due]) - due > catch_up for due in sorted(demand))


def _too_slow(declared: Declarations, schedule: Schedule, token: str, late: int) -> Diagnostic:
    pace = declared.settings.pace
    return warning(
        "late-by-pace",
        declared.place(schedule.file, (*schedule.loc[:2], "at")),
        f"{schedule.id} and what follows would be missed: at {pace.count} requests in "
        f"{duration_text(pace.seconds)} (`pace`) the token {token} gets to it "
        f"{duration_text(late)} after {instant_text(schedule.at)}",
        "raise `pace` or `catch_up`, use a second token, or spread the wave",
        schedules=[schedule.id],
    )
