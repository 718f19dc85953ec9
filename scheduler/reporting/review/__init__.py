"""What a reviewer of a proposal should know beyond its plan. Pure.

A proposal is compared with the state and, where there is one, with the base it is to be merged into: what is
different afterwards, what would happen in any case, which settings change. Beside that is what no diff shows:
clock changes, freezes, near neighbours, and how punctual the last publications were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scheduler.planning.plan import APP_TOKEN_LIFE, Change, Plan, Surroundings
from scheduler.planning.reconcile import Reconciled
from scheduler.reporting.review.clocks import ClockChange, clock_changes
from scheduler.reporting.review.comparison import (
    BOOKINGS,
    anyway,
    effects,
    handed_over,
    refused,
    steps,
    waiting,
)
from scheduler.reporting.review.freezes import Frozen, frozen
from scheduler.reporting.review.neighbours import Neighbour, near, span_of
from scheduler.reporting.review.punctuality import Need, Sample, needs_of, sample_of
from scheduler.reporting.review.settings import Setting, beyond, other_state, settings_changed

__all__ = [
    "BOOKINGS",
    "ClockChange",
    "Frozen",
    "Need",
    "Neighbour",
    "Review",
    "Sample",
    "Setting",
    "review",
    "review_of_plan",
]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal as a reviewer sees it. Durations are in seconds."""

    changes: Sequence[Change]
    """What is different afterwards: compared with the base, or else with the state."""
    steps: Sequence[Change] = ()
    """What follows from the time in the plan and not in that of the base: sends, confirmations, failures."""
    waiting: int = 0
    """How many are due and cannot be sent, and are not waiting with the base as well."""
    is_planned: bool = True
    """False where scheduler.yaml cannot be read: then a run stops, and nothing is planned."""
    has_base: bool = False
    anyway: int = 0
    """How many changes the base declares as well, so that a run records them in any case."""
    refused: Sequence[str] = ()
    """Ids that a rule blocks here and not with the base."""
    handed_over: Sequence[str] = ()
    """Ids that the proposal's zone data gives another time than the one they were handed over with."""
    titles: Mapping[str, str] = {}
    """Wave -> its title."""
    leads: Mapping[str, int] = {}
    """Channel -> how long before the publish time its dispatch is sent; only channels with a lead."""
    settings: Sequence[Setting] = ()
    beyond: Mapping[str, str] = {}
    """Channel -> its repository, where the `allow` of the base does not permit it."""
    other_state: tuple[str, str] | None = None
    """The state that runs use now, and the one that they would use instead (values of `state`)."""
    clocks: Sequence[ClockChange] = ()
    freezes: Sequence[Frozen] = ()
    neighbours: Sequence[Neighbour] = ()
    near: int = 0
    """How near a publication has to be to count as a neighbour."""
    sample: Sample = Sample()
    needs: Mapping[str, Need] = {}
    hold: int | None = None
    """How long a run waits for what falls due; None where that is not given."""
    outlived: Sequence[str] = ()
    """Tokens of a GitHub App that end before such a wait does."""
    perhaps_outlived: Sequence[str] = ()
    """The same where nobody knows here whether they are an App's."""

    @property
    def changes_anything(self) -> bool:
        """Whether a merge makes any difference that the scheduler sees."""
        return bool(self.changes or self.settings or self.refused or self.handed_over) or not self.is_planned


def review_of_plan(plan: Plan) -> Review:
    """A review that knows only the plan."""
    return Review(
        changes=[change for change in plan.changes if change.action in BOOKINGS],
        steps=steps(None, plan),
        waiting=waiting(None, plan),
    )


def review(
    proposal: Reconciled, base: Reconciled | None, surroundings: Surroundings, *, hold: int | None = None
) -> Review:
    """Review a proposal. A base whose scheduler.yaml cannot be read counts as none."""
    if proposal.declared is None:
        return Review(changes=(), is_planned=False)
    if base is not None and base.declared is None:
        base = None
    declared = proposal.declared
    used = {surroundings.token_for(channel) for channel in declared.channels.values() if channel.active}
    short = sorted(name for name in used if name is not None) if (hold or 0) >= APP_TOKEN_LIFE else []
    changes = effects(base, proposal)
    neighbours = near(changes, proposal.booked, declared.settings.conflicts.min_gap)
    return Review(
        changes=changes,
        steps=steps(None if base is None else base.plan, proposal.plan),
        waiting=waiting(None if base is None else base.plan, proposal.plan),
        has_base=base is not None,
        anyway=anyway(base, proposal),
        refused=refused(base, proposal),
        handed_over=handed_over(base, proposal),
        titles={name: wave.title for name, wave in declared.waves.items() if wave.title is not None},
        leads={name: channel.lead for name, channel in declared.channels.items() if channel.lead},
        settings=settings_changed(base, proposal),
        beyond=beyond(base, proposal),
        other_state=other_state(base, proposal),
        clocks=clock_changes(changes, neighbours, declared),
        freezes=frozen(changes, declared),
        neighbours=neighbours,
        near=span_of(declared.settings.conflicts.min_gap),
        sample=sample_of([*proposal.archive.values(), *proposal.booked.values()]),
        needs=needs_of(changes, proposal, surroundings),
        hold=hold,
        outlived=[name for name in short if name in surroundings.app_tokens],
        perhaps_outlived=[name for name in short if name not in surroundings.tokens],
    )
