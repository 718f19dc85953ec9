"""Checks that everything a run relies on is in place. Records nothing, sends nothing.

A check is a function that yields findings; `CHECKS` lists them in the order of the report. No request goes to
a repository that is not allowed: the request itself would carry a token there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from scheduler.app.doctor import channel_checks, queue_checks, setup_checks
from scheduler.app.doctor.installation import Installation, read_state
from scheduler.app.repository import Repository
from scheduler.desired.declarations import Declarations
from scheduler.errors import ScheduleError
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.reporting.doctor_text import Finding
from scheduler.wording import did_you_mean, quoted

CHECKS: tuple[Callable[[Installation], Iterable[Finding]], ...] = (
    setup_checks.zone_data,
    setup_checks.allowed_repositories,
    setup_checks.operator_switch,
    setup_checks.state,
    setup_checks.pushable_state,
    setup_checks.lasting_homes,
    setup_checks.proxy,
    setup_checks.tokens,
    setup_checks.notifications,
    queue_checks.queue,
    channel_checks.clock_and_channels,
)
"""After the files, which come first: without valid settings there is nothing else to check."""


class Examination(msgspec.Struct, frozen=True):
    """All findings, in the order of the report."""

    findings: Sequence[Finding]
    is_state_out_of_reach: bool = False
    """The state exists, and is unreachable or cannot be trusted. A missing state is a failed check only."""


def examine(
    repository: Repository,
    *,
    hold: int | None = None,
    channels: Iterable[str] = (),
    waves: Iterable[str] = (),
) -> Examination:
    """Run every check. `hold`: the seconds that runs wait. Raises Error where there is nothing to check.

    Where there are `channels` or `waves`, of all channels only these, and those of these waves, are asked.
    """
    sources = repository.sources()
    settings = repository.settings(sources)
    state = None if settings is None else read_state(repository, settings)
    now, surroundings = repository.clock.now(), repository.surroundings()
    recorded = (None, {}) if state is None else (state.state, state.archive)
    reconciled = reconcile(sources, *recorded, now, surroundings, only_check=True)
    findings = [setup_checks.files(reconciled.diagnostics)]
    if reconciled.declared is not None and state is not None:
        installation = Installation(repository, reconciled.declared, surroundings, state, hold,
                                    _chosen(reconciled, reconciled.declared, channels, waves))  # fmt: skip
        findings += [finding for check in CHECKS for finding in check(installation)]
    return Examination(findings, state is not None and state.is_out_of_reach)


def _chosen(
    reconciled: Reconciled, declared: Declarations, channels: Iterable[str], waves: Iterable[str]
) -> frozenset[str] | None:
    """The channels that are named, and those of the waves. Raises ScheduleError for what does not exist."""
    names, of_waves = set(channels), set(waves)
    if not names and not of_waves:
        return None
    for noun, wanted in (("channel", names), ("wave", of_waves)):
        there = sorted(stem for kind, stem in declared.files if kind == noun)
        for name in sorted(wanted.difference(there)):
            raise ScheduleError(f"there is no {noun} {quoted(name)}", hint=did_you_mean(name, there))
    names.update(one.channel for one in reconciled.schedules.values() if one.group.wave in of_waves)
    return frozenset(names.union(r.channel_id for r in reconciled.booked.values() if r.wave_id in of_waves))
