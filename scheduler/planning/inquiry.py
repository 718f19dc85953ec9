"""What a rule is, what it is given, and what it returns. The rules are in `scheduler.planning.rules`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from scheduler import desired
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Code, Diagnostic, Severity
from scheduler.planning.expand import Schedule, may_revive
from scheduler.planning.lineup import SlotCalendar
from scheduler.planning.local_times import Zones
from scheduler.planning.plan import Surroundings, Withdrawal
from scheduler.planning.rename import Renaming
from scheduler.state.record import Record
from scheduler.times import Instant


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that rules look at; they change none of it. Instants are epoch seconds."""

    declared: Declarations
    records: Mapping[str, Record]
    """Recorded and archived schedules by id."""
    coming: Mapping[str, Record]
    """The same, but with those failed that this very run will fail: they are in nobody's way."""
    undeclared: Mapping[str, Record]
    """Of these, the ones that nothing declares and that count all the same."""
    withheld: Sequence[str]
    """Ids that are no longer declared and are too many to cancel at once: see `rules.brake`."""
    schedules: Mapping[str, Schedule]
    blocked: Mapping[str, Code]
    """Ids that are blocked by now, by an earlier rule or by this one."""
    calendar: SlotCalendar
    renaming: Renaming
    zones: Zones
    elsewhere: Mapping[str, Instant]
    """Ids of what was sent, where the zone data in use gives another publish time: that one."""
    withdrawals: Mapping[str, Withdrawal]
    """What was handed over and is to be taken back, or is being taken back."""
    surroundings: Surroundings
    now: Instant
    proposal: bool
    """True for `validate` and `plan`: only a proposal can be in the past."""

    def distinct(self) -> Iterable[Schedule]:
        """The schedules without those whose id is taken: that error is reported, and they are not checked."""
        schedules, blocked = self.schedules, self.blocked
        if "duplicate-id" not in blocked.values():
            return schedules.values()
        return [s for schedule_id, s in schedules.items() if blocked.get(schedule_id) != "duplicate-id"]

    def as_recorded(self) -> Mapping[str, Record]:
        """Records that are in the way of others although no schedule of theirs is checked.

        They are the undeclared ones, and those that are declared twice and continue as they are recorded.
        """
        twice = {
            schedule_id: record
            for schedule_id, code in self.blocked.items()
            if code == "duplicate-id"
            and (record := self.coming.get(schedule_id)) is not None
            and (record.is_unsent_live or record.was_sent)
        }
        return {**self.undeclared, **twice} if twice else self.undeclared

    def is_edited(self, schedule_id: str) -> bool:
        """Whether it was handed over, and has another time or video by the time it is taken back."""
        found = self.withdrawals.get(schedule_id)
        return found is not None and found.kind == "edited"

    def is_new_or_moved(self, schedule: Schedule, record: Record | None) -> bool:
        """Whether the declaration asks for an instant that the record does not have, or no longer has."""
        if schedule.cancelled:
            return False
        if record is None:
            return True
        revived = schedule.at > self.now and may_revive(schedule, record)
        return (not record.was_sent or self.is_edited(schedule.id)) and (schedule.at != record.at or revived)


class Booking(msgspec.Struct, kw_only=True):
    """One publication on a channel's time line."""

    at: Instant
    today: Instant
    """Where the zone data in use has its local time: of what was sent, that may be another instant."""
    video: str | None
    id: str
    schedule: Schedule | None
    """None where only the record knows it."""
    changeable: bool
    """It is new, moved, or has another video: a fault keeps it back."""
    fresh: bool
    """It is new, or has another video."""
    settled: bool
    """It was sent: it can no longer be changed."""
    vanished: bool = False
    """It was sent as a one-off or group that is no longer declared."""
    leaves: bool = False
    """It is being taken back: what is in its way waits, and is not at fault."""

    @property
    def may_repeat(self) -> bool:
        """Whether it is declared with `repeat: true`."""
        return self.schedule is not None and self.schedule.group.repeat


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Two publications on one channel that break a rule together."""

    code: Code
    first: Booking
    second: Booking
    describe: Callable[[Booking, Booking], tuple[str, str]]
    """Given the one at fault and the other: the message and the hint."""

    @property
    def at_fault(self) -> Booking:
        """The one that can be changed; of two, the later."""
        return max(
            (self.first, self.second),
            key=lambda b: (b.changeable, b.schedule is not None, not b.settled, b is self.second),
        )

    @property
    def other(self) -> Booking:
        return self.first if self.at_fault is self.second else self.second


PairRule = Callable[[desired.SettingsSpec, str, Sequence[Booking]], Iterable[Clash]]
"""Given the settings, a channel and what is booked on it, by time: the pairs that break the rule.

It is asked only about channels on which two publications are near each other or one video comes twice
(`spacing`), since nearly all channels have neither. Any other rule about a channel is a `check`.
"""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that a rule found."""

    code: Code = ""
    """Where it is not that of the rule."""
    file: str = ""
    describe: Callable[[], Diagnostic] | None = None
    """Called for the first faults of a file only; None where the fault is already reported elsewhere."""
    blocks: Iterable[str] = ()
    """Ids of the schedules that must not be adopted, moved or sent because of it."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A tiny repository, as a reader of the documentation sees it, and when somebody validates it."""

    files: str
    """`-- path --` on a line of its own, then the file. The channels alpha, beta and gamma exist."""
    fix: tuple[str, str]
    """What is wrong in `files`, and what is right in its place."""
    now: str = "2026-03-01T12:00:00Z"
    recorded: str = ""
    """The files that a run has seen before, where the rule compares with what is recorded."""
    recorded_at: str = "2026-02-01T12:00:00Z"
    withdrawn_at: str = ""
    """When a run did not find the waves that it had recorded."""

    @staticmethod
    def split(text: str) -> dict[str, str]:
        """The files by path."""
        files: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in text.splitlines(keepends=True):
            if line.startswith("-- ") and line.rstrip().endswith(" --"):
                files[line.strip("- \n")] = lines = []
            else:
                lines.append(line)
        return {name: "".join(body) for name, body in files.items()}

    def fixed(self) -> Example:
        """The same with the files that the fix changes, and no others."""
        changed = {name: body for name, body in self.split(self.files).items() if self.fix[0] in body}
        text = "".join(f"-- {name} --\n{body.replace(*self.fix)}" for name, body in changed.items())
        return replace(self, files=text)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One code of `Diagnostic`: what it means, what to do about it, and how it is found."""

    code: Code
    title: str
    """What holds where nothing is wrong, as one short sentence without a full stop."""
    severity: Severity = Severity.ERROR
    meaning: str
    """Why there is such a rule, in Markdown."""
    remedy: str
    """What to do, in Markdown."""
    bad: Example | None = None
    """None where no repository alone is wrong: the clock, git or a server must be."""
    check: Callable[[Inquiry], Iterable[Violation]] | None = None
    pairs: PairRule | None = None
    """For rules between two publications on one channel, which are judged together: see `spacing`."""

    @property
    def good(self) -> Example | None:
        """The bad example once it is fixed."""
        return None if self.bad is None else self.bad.fixed()
