"""A channel points at a repository that the settings or the operator's environment do not allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic, error
from scheduler.planning.expand import may_revive
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.planning.plan import Surroundings, is_allowed
from scheduler.wording import and_more

NAMED = 5
"""How many patterns the message shows."""


def refused(declared: Declarations, surroundings: Surroundings) -> dict[str, tuple[str, Sequence[str]]]:
    """Channels that are not allowed: by which list, and its patterns. The environment can only narrow."""
    lists: list[tuple[str, Sequence[str]]] = []
    if declared.settings.allow:
        lists.append(("`allow` in scheduler.yaml", declared.settings.allow))
    if surroundings.allow is not None:
        lists.append(("SCHEDULER_ALLOW", surroundings.allow))
    found: dict[str, tuple[str, Sequence[str]]] = {}
    for name, channel in declared.channels.items():
        for origin, patterns in lists:
            if channel.repository is not None and not is_allowed(channel.repository, patterns):
                found.setdefault(name, (origin, patterns))
    return found


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """Each such channel once; it blocks everything on it. A run reports it while anything waits for it."""
    found = refused(inquiry.declared, inquiry.surroundings)
    held: dict[str, list[str]] = defaultdict(list)
    for schedule_id, schedule in inquiry.schedules.items() if found else ():
        record = inquiry.records.get(schedule_id)
        if schedule.channel in found and (
            record is None or record.is_unsent_live or may_revive(schedule, record)
        ):
            held[schedule.channel].append(schedule_id)
    for name, (origin, patterns) in found.items():
        if not (held[name] or inquiry.proposal):
            continue
        yield Violation(
            file=inquiry.declared.files["channel", name],
            describe=partial(_describe, inquiry.declared, name, origin, patterns, held[name]),
            blocks=held[name],
        )


def _describe(
    declared: Declarations, channel: str, origin: str, patterns: Sequence[str], held: Sequence[str]
) -> Diagnostic:
    repository = declared.channels[channel].repository
    return error(
        RULE.code,
        declared.place(declared.files["channel", channel], ("repository",)),
        f"repository {repository} is not among those in {origin}: {and_more(patterns, NAMED) or 'none'}",
        f"an operator can add {repository} to {origin}",
        schedules=held,
    )


RULE = Rule(
    code="not-allowed",
    title="A channel points at an allowed repository",
    meaning="""\
`allow` in `scheduler.yaml` lists the repositories that channels may point at, and `SCHEDULER_ALLOW` in
the environment can narrow that list further. So nobody can have a token of yours send events to another
repository by editing a channel.""",
    remedy="Correct `repository`, or have an operator add it to the list that the message names.",
    bad=Example(
        files="""\
-- scheduler.yaml --
allow: [acme/*]
-- channels/delta.yaml --
repository: acne/delta
token: ACME_TOKEN
""",
        fix=("acne/", "acme/"),
    ),
    check=check,
)
