"""What has to be known before a plan can be made, in passes that return values. Pure.

A pass is given everything that is established so far, changes none of it, and returns what it adds.
`establish` puts that together, in one place and in the order of `PASSES`, which says of each pass why it
is where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple, TypeVar

import msgspec

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Code, Tally
from scheduler.planning import expand, lineup, rename, rules
from scheduler.planning.expand import Schedule
from scheduler.planning.inquiry import Inquiry
from scheduler.planning.local_times import Identified, Zones
from scheduler.planning.plan import Surroundings, Withdrawal
from scheduler.planning.rules import brake, not_allowed
from scheduler.planning.taking_back import withdrawals
from scheduler.state.record import Record
from scheduler.times import Instant

T = TypeVar("T")


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What no pass changes: what is declared and recorded at `now`, renames applied."""

    declared: Declarations
    records: Mapping[str, Record]
    """The state."""
    known: Mapping[str, Record]
    """The state and the archive."""
    failing: Mapping[str, Record]
    """What this very run will fail, as it will be: see `scheduler.planning.reconcile`."""
    kept_blocked: Mapping[str, Code]
    """Of these, what the plan before kept back, and why."""
    renaming: rename.Renaming
    identified: Identified
    zones: Zones
    surroundings: Surroundings
    now: Instant
    proposal: bool
    force: bool

    @property
    def coming(self) -> Mapping[str, Record]:
        """The state and the archive, with `failing` as it will be."""
        return {**self.known, **self.failing} if self.failing else self.known


class PassResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass adds."""

    schedules: Mapping[str, Schedule] = {}
    blocked: Mapping[str, Code] = {}
    """Ids that must not be adopted, moved or sent, with the rule they break."""
    faults: Tally | None = None
    refused: Mapping[str, Code] = {}
    """Channels that must not be used."""
    as_recorded: Set[str] = frozenset()
    """Ids of live records that nothing readable declares, and that stay as they are recorded."""
    withheld: Sequence[str] = ()
    """Ids that are no longer declared, and are too many to cancel at once."""
    withdrawals: Mapping[str, Withdrawal] = {}
    """What was handed over and is to be taken back, or is being taken back."""
    undeclared: Mapping[str, Record] = {}
    """Records that count in the rules though nothing declares them."""
    calendar: lineup.SlotCalendar | None = None
    elsewhere: Mapping[str, Instant] = {}
    """Ids of what was sent, where the zone data in use gives another publish time: that one."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is established so far."""

    given: Given
    declared: Declarations
    schedules: Mapping[str, Schedule] = {}
    blocked: Mapping[str, Code] = {}
    faults: tuple[Tally, ...] = ()
    as_recorded: Set[str] = frozenset()
    withheld: Sequence[str] = ()
    withdrawals: Mapping[str, Withdrawal] = {}
    undeclared: Mapping[str, Record] = {}
    calendar: lineup.SlotCalendar
    elsewhere: Mapping[str, Instant] = {}

    @property
    def kept(self) -> dict[str, str]:
        """Ids of undeclared live records that are neither cancelled nor sent, with the reason."""
        records = self.given.records
        return {schedule_id: "brake" for schedule_id in self.withheld if records[schedule_id].is_unsent_live}

    @property
    def allowed_withdrawals(self) -> dict[str, Withdrawal]:
        """The withdrawals without those that the brake keeps, and those whose edit breaks a rule."""
        return {
            schedule_id: found
            for schedule_id, found in self.withdrawals.items()
            if schedule_id not in self.withheld
            and not (schedule_id in self.blocked and found.kind == "edited")
            and self.blocked.get(schedule_id) != "duplicate-id"
        }


class Pass(NamedTuple):
    """One step towards a plan, and why it is where it is."""

    run: Callable[[Facts], PassResult]
    why_here: str


def establish(given: Given) -> Facts:
    """Run every pass, and put together what they find. Of two codes for one schedule the first stays."""
    nothing = lineup.SlotCalendar(filled={}, open_slots=[], next_slot=None, skipped=[])
    facts = Facts(given=given, declared=given.declared, calendar=nothing)
    for each in PASSES:
        facts = _with(facts, each.run(facts))
    return facts


def _with(facts: Facts, found: PassResult) -> Facts:
    declared = facts.declared
    return Facts(
        given=facts.given,
        declared=msgspec.structs.replace(declared, refused={**found.refused}) if found.refused else declared,
        schedules=_joined(facts.schedules, found.schedules),
        blocked=_joined(facts.blocked, found.blocked),
        faults=facts.faults if found.faults is None else (*facts.faults, found.faults),
        as_recorded=facts.as_recorded | found.as_recorded,
        withheld=found.withheld or facts.withheld,
        withdrawals=found.withdrawals or facts.withdrawals,
        undeclared=found.undeclared or facts.undeclared,
        calendar=found.calendar or facts.calendar,
        elsewhere=found.elsewhere or facts.elsewhere,
    )


def _joined(known: Mapping[str, T], new: Mapping[str, T]) -> Mapping[str, T]:
    """Both, where nothing that is known is replaced; copied only where both have something: there may be
    a hundred thousand."""
    if not (known and new):
        return known or new
    return {**known, **{key: value for key, value in new.items() if key not in known}}


# --- the passes ---------------------------------------------------------------------------------------


def _expand(facts: Facts) -> PassResult:
    """The schedules of waves and one-offs."""
    given = facts.given
    found = expand.expand(facts.declared, given.known, given.identified.one_offs, given.zones)
    return PassResult(
        schedules=found.schedules, blocked=found.blocked, faults=found.faults, elsewhere=found.elsewhere
    )


def _still_blocked(facts: Facts) -> PassResult:
    """What the plan before kept back, of what fails now."""
    return PassResult(blocked=facts.given.kept_blocked)


def _unreadable(facts: Facts) -> PassResult:
    """Live records whose own file cannot be read: unreadable is not withdrawn."""
    declared = facts.declared
    if not (declared.unreadable or declared.hidden):
        return PassResult()
    return PassResult(
        as_recorded={
            schedule_id
            for schedule_id, record in facts.given.records.items()
            if record.is_unsent_live
            and schedule_id not in facts.schedules
            and declared.fault_of(*record.declarer)
        }
    )


def _fill_slots(facts: Facts) -> PassResult:
    """The slots of every channel, filled from its lineup."""
    given = facts.given
    waiting = facts.as_recorded - given.failing.keys()
    calendar = lineup.fill(
        facts.declared, given.coming, facts.schedules, given.now, waiting, given.identified, given.zones
    )
    held = dict.fromkeys(given.identified.held & calendar.filled.keys(), "zone-data")
    return PassResult(schedules=calendar.filled, calendar=calendar, blocked=held)


def _failing_slots(facts: Facts) -> PassResult:
    """Recorded slots that fail in this run: their video is free again, and they are not withdrawn."""
    records = facts.given.records
    return PassResult(
        as_recorded={i for i in facts.given.failing if i in records and records[i].slot}
        - facts.schedules.keys()
    )


def _renamed(facts: Facts) -> PassResult:
    """Renamed records whose wave still has the former id of their channel: they wait for their file."""
    return PassResult(as_recorded=rename.waiting(facts.declared, facts.given.known, facts.schedules))


def _brake(facts: Facts) -> PassResult:
    """What vanished, where it is too much to be meant."""
    given = facts.given
    if given.force:
        return PassResult()
    return PassResult(
        withheld=brake.withheld(facts.declared, given.records, facts.schedules, facts.as_recorded, given.now)
    )


def _withdrawals(facts: Facts) -> PassResult:
    """What was handed over and is declared otherwise now: it is taken back where that is possible."""
    given = facts.given
    return PassResult(withdrawals=withdrawals(facts.declared, given.records, facts.schedules, given.now))


def _refuse_channels(facts: Facts) -> PassResult:
    """Channels whose repository is not allowed."""
    refused = not_allowed.refused(facts.declared, facts.given.surroundings)
    return PassResult(refused=dict.fromkeys(refused, "not-allowed"))


def _undeclared(facts: Facts) -> PassResult:
    """Records that count though nothing declares them: sent ones, and those that are kept."""
    kept = {*facts.as_recorded, *facts.kept}.difference(facts.given.failing)
    return PassResult(
        undeclared={
            schedule_id: record
            for schedule_id, record in facts.given.coming.items()
            if schedule_id not in facts.schedules and (record.was_sent or schedule_id in kept)
        }
    )


def _check_rules(facts: Facts) -> PassResult:
    """Every rule of `scheduler.planning.rules`, in the order given there."""
    given = facts.given
    blocked, faults = rules.check(
        Inquiry(
            declared=facts.declared,
            records=given.known,
            coming=given.coming,
            undeclared=facts.undeclared,
            withheld=facts.withheld,
            schedules=facts.schedules,
            blocked=facts.blocked,
            calendar=facts.calendar,
            renaming=given.renaming,
            zones=given.zones,
            elsewhere=facts.elsewhere,
            withdrawals=facts.withdrawals,
            surroundings=given.surroundings,
            now=given.now,
            proposal=given.proposal,
        )
    )
    return PassResult(blocked=blocked, faults=faults)


PASSES = (
    Pass(_expand, "First: every other pass asks whether a schedule is declared."),
    Pass(_still_blocked, "Before the rules, whose codes would take the place of the one that is known."),
    Pass(_unreadable, "Before slots are filled: what waits for its file still occupies its instant."),
    Pass(_fill_slots, "Before anything asks what is no longer declared: a filled slot is declared."),
    Pass(_failing_slots, "After slots are filled: only then is it known which of them are not."),
    Pass(
        _renamed, "After slots are filled: one may be the new id. Before the brake, which leaves these out."
    ),
    Pass(_brake, "After everything that accounts for a record: what is left has vanished."),
    Pass(_refuse_channels, "Before the rules and the plan, which both ask whether a channel can be used."),
    Pass(_withdrawals, "Before the rules, which check the new time, and let wait what the old one is in."),
    Pass(_undeclared, "After the brake: what it keeps is in the way of others, as what was sent is."),
    Pass(_check_rules, "Last: rules look at all of the above, and what they block is not planned."),
)
