"""The words of a plan, what a plan is made from, and a plan in the making. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from scheduler import desired
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Code
from scheduler.planning.expand import Schedule
from scheduler.planning.local_times import Zones
from scheduler.planning.rows import Phase, phase_of
from scheduler.state.record import Record
from scheduler.times import Instant

Action = Literal[
    "create",
    "update",
    "cancel",
    "pause",
    "resume",
    "reopen",
    "send",
    "retract",
    "miss",
    "confirm",
    "lookup",
    "complete",
    "fail",
    "archive",
]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan. `before` is None for what is new; `after` is None for what is archived."""

    action: Action
    schedule_id: str
    before: Record | None
    after: Record | None
    reason: str
    phase: Phase
    """How far the publication was on its way to the public before this step."""


class PlannedSend(msgspec.Struct, frozen=True, kw_only=True):
    """One request that is due. `offset_seconds` is how much later than now `pace` lets it leave."""

    schedule_id: str
    token: str | None
    offset_seconds: float
    not_after: Instant
    due: Instant
    """From when it may leave: its publish time minus `lead`, or when it was released."""
    late_from: Instant
    """From when it is late: its publish time, or when it was released."""
    waits_for: str | None = None
    """Under `halt`: the schedule whose answer comes first."""
    event_type: str | None = None
    """Of a request that takes a publication back: the type of its event."""
    why: str = ""
    """Why it is taken back."""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a publication that was handed over is to be taken back, or is being taken back."""

    why: str
    kind: Literal["gone", "held", "edited", "restored", "too late"]
    """It is not to be published; it waits; it has another time or video; it is declared as it was sent; no
    request reached its channel in time."""
    event_type: str | None = None
    """The type of the event that takes it back, if one may leave."""

    @property
    def leaves(self) -> bool:
        """Whether what it occupies will be free."""
        return self.kind in ("gone", "edited")


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that is due and cannot be sent; the run ends red for it."""

    schedule_id: str
    why: str
    token_ended: bool = False
    """Its token is not accepted any more: it waits for another one."""


class PutOff(msgspec.Struct, frozen=True, kw_only=True):
    """A late publication that waits, so that its channel's leave `min_gap` apart: no fault of the run."""

    schedule_id: str
    channel_id: str
    until: Instant
    """When it may leave, if nothing changes."""
    is_missed: bool
    """Whether that is too late for it."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` would do at `now`."""

    now: Instant
    changes: Sequence[Change]
    sends: Sequence[PlannedSend] = ()
    waiting: Sequence[Waiting] = ()
    put_off: Sequence[PutOff] = ()
    """By channel, then in the order in which they leave."""
    unknown: Sequence[str] = ()
    """Schedules that may or may not have been sent, and that no other runner is still at work on."""
    taken_back: Mapping[str, str] = {}
    """Schedules whose jobs no worker may begin any more, and why: they are taken back from the queue."""
    wake: Instant | None = None
    """The next instant at which time alone can change anything; None for never."""
    next_due: Instant | None = None
    """When the next request may leave that is not due yet, as far as is known now."""


APP_TOKEN_LIFE = 3600
"""Seconds for which GitHub accepts the token of an App's installation."""
DEFAULT_TOKENS = ("SCHEDULER_TOKEN", "GITHUB_TOKEN")


def is_allowed(repository: str, patterns: Iterable[str]) -> bool:
    """Whether one of the `owner/name` patterns matches a repository, whatever its case."""
    return any(fnmatch.fnmatchcase(repository.lower(), pattern.lower()) for pattern in patterns)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's environment says; values of tokens never enter here."""

    stopped: bool = False
    """SCHEDULER_PAUSED=1: nothing is sent."""
    allow: tuple[str, ...] | None = None
    """SCHEDULER_ALLOW: patterns that narrow the repositories a channel may point at."""
    tokens: frozenset[str] = frozenset()
    """The names of the environment variables in question that are set."""
    unusable: frozenset[str] = frozenset()
    """The names of variables that are set and are not tokens: with a space or a line break inside."""
    app_tokens: frozenset[str] = frozenset()
    """Those that a GitHub App minted before this process began: they live for `APP_TOKEN_LIFE`."""
    ended: Mapping[tuple[str, str | None], str] = {}
    """What servers said of tokens that they do not accept, by name and owner (None: wherever it is used)."""
    server: str = "https://github.com"
    """The beginning of links to GitHub's pages, without a trailing slash."""

    def token_for(self, channel: desired.ChannelSpec) -> str | None:
        """The name of the variable that a channel's token is read from."""
        if channel.repository is None:
            return None
        if channel.token is not None:
            return channel.token
        return next((name for name in DEFAULT_TOKENS if name in self.tokens), DEFAULT_TOKENS[0])

    def why_ended(self, token: str, repository: str | None) -> str | None:
        """Why requests to `repository` with a token are in vain; None where they may be made."""
        owner = (repository or "").partition("/")[0].lower()
        return self.ended.get((token, None)) or self.ended.get((token, owner))


class Subject(msgspec.Struct, kw_only=True):
    """Everything that a plan is made from."""

    declared: Declarations
    schedules: Mapping[str, Schedule]
    blocked: Mapping[str, Code]
    """Ids of schedules that must not be adopted, moved or sent, with the rule they break."""
    records: Mapping[str, Record]
    """The state, renames applied."""
    archive: Mapping[str, Record]
    renamed: Mapping[str, str]
    """New id -> former id, for what this run renames."""
    moved: Mapping[str, str]
    """New id -> former id, of slots and one-offs whose instant is another by now."""
    zones: Zones
    kept: Mapping[str, str]
    """Ids of undeclared live records that are neither cancelled nor sent, with the reason."""
    as_recorded: frozenset[str]
    """Ids of live records whose file cannot be read: they continue as they are recorded."""
    withdrawals: Mapping[str, Withdrawal]
    """What was handed over and is to be taken back, or is being taken back."""
    surroundings: Surroundings
    now: Instant
    why_blocked: Callable[[str], str] | None = None
    """What the rule says that blocks an id; None in a proposal, which fails nothing for being blocked."""

    def allows(self, repository: str | None) -> bool:
        """Whether a recorded request may be repeated to where it went."""
        lists = (self.declared.settings.allow or None, self.surroundings.allow)
        return repository is None or all(is_allowed(repository, one) for one in lists if one is not None)

    def is_unreadable(self, record: Record) -> bool:
        """Whether the file that declared a record cannot be read now: unreadable is not withdrawn."""
        return self.declared.fault_of(*record.declarer) is not None

    def lead(self, channel_id: str) -> int:
        """Seconds that a channel wants its dispatch ahead of the publish time."""
        return self.declared.lead(channel_id)

    def catch_up(self, record: Record) -> int:
        """Seconds after the publish time until which a record may be sent."""
        return self.declared.catch_up(record.catch_up)

    def is_held(self, schedule_id: str, channel_id: str) -> bool:
        """A rule keeps it back, or its channel cannot be used: it waits, and later is missed."""
        return schedule_id in self.blocked or not self.declared.can_send(channel_id)


class PlanDraft:
    """A plan in the making: what was decided so far, and the records as they are after it."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.now = subject.now
        self.records: dict[str, Record] = dict(subject.records)
        self.changes: list[Change] = []
        self.sends: list[PlannedSend] = []
        self.waiting: list[Waiting] = []
        self.put_off: list[PutOff] = []
        self.unknown: list[str] = []
        self.taken_back: dict[str, str] = {}
        self.wake: Instant | None = None
        self.next_due: Instant | None = None

    def change(self, action: Action, schedule_id: str, after: Record, reason: str) -> None:
        """Decide a step that changes the record at once."""
        self.note(action, schedule_id, self.records.get(schedule_id), after, reason)
        self.records[schedule_id] = after

    def note(
        self, action: Action, schedule_id: str, before: Record | None, after: Record | None, reason: str
    ) -> None:
        """Decide a step whose outcome is not known yet, or that is only reported."""
        self.changes.append(
            Change(
                action=action,
                schedule_id=schedule_id,
                before=before,
                after=after,
                reason=reason,
                phase=phase_of(before, self.now),
            )
        )

    def wake_at(self, at: Instant) -> None:
        """Remember an instant still to come at which something can change."""
        if at > self.now and (self.wake is None or at < self.wake):
            self.wake = at

    def due_at(self, at: Instant) -> None:
        """Remember an instant still to come at which a request may leave."""
        self.wake_at(at)
        if at > self.now and (self.next_due is None or at < self.next_due):
            self.next_due = at

    def finished(self) -> Plan:
        """The plan, as far as it is made."""
        return Plan(
            now=self.now,
            changes=self.changes,
            sends=self.sends,
            waiting=self.waiting,
            put_off=self.put_off,
            unknown=self.unknown,
            taken_back=self.taken_back,
            wake=self.wake,
            next_due=self.next_due,
        )
