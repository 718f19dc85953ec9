"""`pace` is too slow for what is due at once: something would be missed while it waits for its turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic, Severity, warning
from scheduler.planning.expand import Schedule
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.planning.rate_limit import Bucket
from scheduler.times import Instant, duration_text, instant_text
from scheduler.wording import count


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """Each wave once, at its first publication that would be too late."""
    declared = inquiry.declared
    seen: set[str] = set()
    for token, line in _lines(inquiry).items():
        bucket = Bucket(declared.settings.pace)
        leads = {name: channel.lead for name, channel in declared.channels.items()}
        line.sort(key=lambda s: (s.at - leads[s.channel], s.position, s.id))
        for schedule in line:
            late = bucket.take(float(schedule.at - leads[schedule.channel])) - schedule.at
            wave = schedule.group.wave or schedule.file
            if late > declared.catch_up(schedule.group.catch_up) and wave not in seen:
                seen.add(wave)
                describe = partial(_describe, declared, schedule, token, round(late))
                yield Violation(file=schedule.file, describe=describe)


def _lines(inquiry: Inquiry) -> dict[str, list[Schedule]]:
    """What is still to be sent by each token, for the tokens that have too much to do at any time."""
    declared, records, schedules = inquiry.declared, inquiry.records, inquiry.schedules
    tokens = {
        name: (inquiry.surroundings.token_for(channel) or "", channel.lead)
        for name, channel in declared.channels.items()
        if channel.repository is not None
    }
    demand: dict[str, dict[Instant, int]] = {token: {} for token, _ in tokens.values()}
    of_channel = {name: (demand[token], lead) for name, (token, lead) in tokens.items()}
    for schedule_id, schedule in schedules.items():  # a Counter would take half as long again
        channel = of_channel.get(schedule.channel)
        if channel is None or schedule.cancelled:
            continue
        record = records.get(schedule_id)
        if record is None or record.is_unsent_live:
            counts, lead = channel
            counts[schedule.at - lead] = counts.get(schedule.at - lead, 0) + 1
    waves = [wave.catch_up for wave in declared.waves.values() if wave.catch_up is not None]
    least = min([declared.settings.catch_up, *waves])
    busy = {token for token, due in demand.items() if _may_be_late(declared, due, least)}
    lines: dict[str, list[Schedule]] = {token: [] for token in demand if token in busy}
    for schedule_id, schedule in schedules.items() if busy else ():
        token, _ = tokens.get(schedule.channel, ("", 0))
        record = records.get(schedule_id)
        if token in lines and not schedule.cancelled and (record is None or record.is_unsent_live):
            lines[token].append(schedule)
    return lines


def _may_be_late(declared: Declarations, demand: Mapping[Instant, int], catch_up: int) -> bool:
    """Whether a token's bucket ever falls behind by more than `catch_up`.

    The fast path: counts at each instant in place of one publication after the other, since hardly any
    repository is so busy. `check` itself is the slow twin.
    """
    bucket = Bucket(declared.settings.pace)
    return any(bucket.take_many(float(due), demand[due]) - due > catch_up for due in sorted(demand))


def _describe(declared: Declarations, schedule: Schedule, token: str, late: int) -> Diagnostic:
    pace = declared.settings.pace
    return warning(
        RULE.code,
        declared.place(schedule.file, (*schedule.loc[:2], "at")),
        f"{schedule.id} and those after it would be missed: at {count(pace.count, 'request')} in "
        f"{duration_text(pace.seconds)} (`pace`), token {token} is free for it only "
        f"{duration_text(late)} after {instant_text(schedule.at)}",
        "raise `pace` or `catch_up`, use a second token, or spread the wave out",
        schedules=[schedule.id],
    )


RULE = Rule(
    code="late-by-pace",
    title="The pace lets a wave leave in time",
    severity=Severity.WARNING,
    meaning="""\
`pace` limits how many requests one token makes, so a wave that is due all at once leaves one after the
other. The last of it must leave within `catch_up`, or it is missed.""",
    remedy="Raise `pace` or `catch_up`, give some channels another token, or spread the wave out.",
    bad=Example(
        files="""\
-- scheduler.yaml --
pace: 1/h
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha, beta, gamma]
""",
        fix=("1/h", "30/min"),
    ),
    check=check,
)
