"""How punctual a proposal can be: how late the last publications were sent, against what it needs. Pure.

Lateness counts from the due time (the publish time minus the channel's `lead`). What is sent within the
lead is on time for the platform; what is not sent within lead and `catch_up` together is missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from scheduler.desired.declarations import Declarations
from scheduler.planning.expand import Schedule
from scheduler.planning.plan import Change, Surroundings
from scheduler.planning.rate_limit import Bucket
from scheduler.planning.reconcile import Reconciled
from scheduler.state.record import Record

SAMPLE = 50
"""How many of the last publications count."""
_TOUCHES = frozenset({"create", "update", "reopen", "resume"})


class Sample(msgspec.Struct, frozen=True):
    """The last publications: how long after it was due each was sent (seconds, ascending); how many were
    missed."""

    late: tuple[int, ...] = ()
    missed: int = 0

    def share_within(self, share: float) -> int:
        """The lateness that this share of the sample did not exceed."""
        return self.late[min(len(self.late) - 1, int(share * len(self.late)))]

    def later_than(self, seconds: int) -> int:
        """How many were sent later than that."""
        return sum(late > seconds for late in self.late)


class Need(msgspec.Struct, frozen=True):
    """What a wave (or what a channel's own file declares) can tolerate, in seconds: the least of its
    members."""

    lead: int
    catch_up: int
    spread: int = 0
    """How long `pace` delays the last of it, if everything else of its tokens is on time."""

    @property
    def lost(self) -> int:
        """The lateness after which it is missed."""
        return self.lead + self.catch_up


def sample_of(records: Iterable[Record]) -> Sample:
    """The newest publications in the state. Retries say nothing about delays and are left out."""
    own = [record for record in records if record.retried_at is None]
    newest = sorted(
        (r for r in own if r.dispatch_lateness_seconds is not None or r.reason == "missed"),
        key=lambda record: record.executed_at or record.scheduled_at,
    )[-SAMPLE:]
    late = sorted(r.dispatch_lateness_seconds for r in newest if r.dispatch_lateness_seconds is not None)
    return Sample(tuple(late), sum(record.reason == "missed" for record in newest))


def needs_of(changes: Sequence[Change], proposal: Reconciled, surroundings: Surroundings) -> dict[str, Need]:
    """What the changed schedules need, by the wave (`wave spring`) or the channel they belong to."""
    declared = proposal.declared
    assert declared is not None, "the caller checks that there are declarations"
    touched = list(_touched(changes, proposal, declared))
    waits = _waits(touched, proposal, declared, surroundings)
    needs: dict[str, Need] = {}
    for schedule in touched:
        wave = schedule.group.wave
        name = f"wave {wave}" if wave is not None else f"channel {schedule.channel}"
        need = Need(
            declared.channels[schedule.channel].lead,
            declared.catch_up(schedule.group.catch_up),
            waits.get(schedule.id, 0),
        )
        known = needs.get(name, need)
        lead, lost = min(known.lead, need.lead), min(known.lost, need.lost)
        needs[name] = Need(lead, lost - lead, max(known.spread, need.spread))
    return needs


def _touched(changes: Sequence[Change], proposal: Reconciled, declared: Declarations) -> Iterator[Schedule]:
    for change in changes:
        schedule = proposal.schedules.get(change.schedule_id)
        after = change.after
        if schedule is None or after is None or not after.is_live or change.action not in _TOUCHES:
            continue
        if schedule.channel in declared.channels:
            yield schedule


def _waits(
    touched: Sequence[Schedule], proposal: Reconciled, declared: Declarations, surroundings: Surroundings
) -> dict[str, int]:
    """How many whole seconds `pace` delays each of the touched, behind what its token sends besides."""
    tokens = {name: surroundings.token_for(channel) for name, channel in declared.channels.items()}
    busy = {tokens[schedule.channel] for schedule in touched} - {None}
    lines: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for schedule_id, record in proposal.booked.items():
        token = tokens.get(record.channel_id)
        if token is not None and token in busy and record.is_unsent_live:
            due = record.at - declared.channels[record.channel_id].lead
            lines[token].append((due, record.position, schedule_id))
    waits = {}
    for line in lines.values():
        bucket = Bucket(declared.settings.pace)
        for due, _, schedule_id in sorted(line):
            waits[schedule_id] = round(bucket.take(float(due)) - due)
    return waits
