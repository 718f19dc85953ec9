"""The record: what was decided and what happened, as values and as text.

`State` holds one `Record` a schedule. Every change of a record's status goes through `advance`, which
knows the legal transitions and keeps each one with its time and its reason for `show` to tell.
The text form is one JSON document with one schedule a line, so that the history of the file reads as
a log. Times in the record are RFC 3339 in UTC, whole seconds.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from scheduler.desired.transports import TRANSPORTS, Transport, TransportTraits
from scheduler.state.statuses import LIVE, MAYBE_SENT, SENT, TRAITS, UNSENT, Reason, Status, StatusTraits
from scheduler.times import Instant, instant_text, read_utc

VERSION = 1

ScheduleType = Literal["simultaneous", "staggered", "independent"]
Evidence = Literal["accepted", "run"]
Pauser = Literal["schedule", "wave", "channel", "freeze", "halt", "operator"]

T = TypeVar("T")


def _always(value: T) -> T:
    """A field whose default is written out all the same: readers of the file find it every time."""
    factory: T = msgspec.field(default_factory=lambda: value)
    return factory


class Pause(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Who holds a schedule back, why, and until when (RFC 3339, UTC)."""

    by: Pauser
    reason: str | None = None
    until: str | None = None


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One transition: when (RFC 3339, UTC), to which status, and why."""

    at: str
    status: Status
    why: str


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The envelope as it was when the request was about to leave; later edits do not touch it.

    `owner` is the nonce of the run that saved it, so that only that run records its outcome.
    """

    owner: str
    at: str
    key: str
    not_after: str
    transport: Transport
    confirm: Evidence = "accepted"
    delivery: Literal["at-most-once", "at-least-once"] = "at-most-once"
    repository: str | None = None
    event_type: str | None = None
    workflow: str | None = None
    token: str | None = None
    queue: str | None = None
    job_id: str | None = None
    """On a queue: the schedule's id, `...#n` for the n-th deliberate resend."""
    command: str | None = None

    @property
    def traits(self) -> TransportTraits:
        """What its transport is like."""
        return TRANSPORTS[self.transport]


class Lease(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Who works on a job that a broker carries. Brokers deliver twice at times: the record decides.

    `until` is, of a running job, when its worker is taken for lost; of a waiting one, when its next attempt
    may begin; of an ended one, when it ended.
    """

    worker: str
    at: str
    state: Literal["running", "waiting", "ended"]
    until: str
    attempts: int = 1


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What is recorded of one schedule."""

    schedule_type: ScheduleType
    channel_id: str
    scheduled_at: str
    status: Status
    wave_id: str | None = _always(None)
    coordination_group_id: str | None = _always(None)
    video_id: str | None = _always(None)
    is_paused: bool = _always(False)
    attempts: int = _always(0)
    reason: Reason | None = _always(None)
    error_message: str | None = _always(None)
    metadata: dict[str, Any] | None = _always(None)
    executed_at: str | None = _always(None)
    lateness_seconds: int | None = _always(None)
    evidence: Evidence | None = _always(None)
    run_url: str | None = _always(None)

    # What sending, looking up and `show` need besides; left out of the text while it says nothing.
    slot: bool = False
    """True where the channel's own calendar made it, false for a wave's or a one-off."""
    position: int = 0
    """The place in its group, so that a stagger keeps its order when its file cannot be read."""
    catch_up: int | None = None
    """Seconds; where the wave overrides the setting."""
    halt: bool = False
    after_success: bool = False
    pauses: tuple[Pause, ...] = ()
    first_id: str | None = None
    """The id under which it was first recorded, where a rename changed it: the key stays."""
    former_ids: tuple[str, ...] = ()
    resends: int = 0
    retried_at: str | None = None
    next_attempt_at: str | None = None
    limited: bool = False
    """The next attempt waits for a rate limit of its token, which its other schedules share."""
    doubtful: bool = False
    """An earlier attempt with the same key may have been accepted."""
    intent: Intent | None = None
    lease: Lease | None = msgspec.field(default=None, name="claim")
    accepted_at: str | None = None
    """When a complete yes came back; an intent without it may or may not have left."""
    completed_at: str | None = None
    run_id: int | None = None
    checked_at: str | None = None
    """The last time the channel was asked whether it is ready (while pending), or for the run."""
    not_found_at: str | None = None
    """The last lookup that answered and knew no run of the key."""
    unconfirmed: str | None = None
    """Why the channel could not be confirmed, in words."""
    history: tuple[Event, ...] = ()

    @property
    def is_live(self) -> bool:
        """Recorded and neither finished nor cancelled."""
        return self.status in LIVE

    @property
    def is_unsent_live(self) -> bool:
        return self.status in UNSENT

    @property
    def was_sent(self) -> bool:
        """A request left, or may have."""
        return self.status in SENT or (self.status == "failed" and self.reason in MAYBE_SENT)

    @property
    def traits(self) -> StatusTraits:
        """What its status means."""
        return TRAITS[self.status]

    @property
    def at(self) -> Instant:
        """The publish time."""
        return read_utc(self.scheduled_at)


class Declared(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was declared when that last changed: a digest of the files, and the commit."""

    digest: str
    commit: str | None = None


class Idle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tick compares to know that there is nothing to do (see `scheduler.app.idle`).

    That the text is as it was written, its own checksum says (`scheduler.state.header`).
    """

    until: str
    surroundings: str
    tokens: tuple[str, ...] = ()
    """The names of the variables whose being set or not the surroundings cover."""


class State(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything that is recorded. `serial` rises by one with each save that changes the content."""

    version: int
    lineage: str
    serial: int
    schedules: dict[str, Record] = _always({})
    declared: Declared | None = None
    idle: Idle | None = None


def advance(record: Record, status: Status, now: Instant, why: str, **changes: Any) -> Record:
    """The record after a transition at `now` (UTC) for the reason `why`, with other fields changed.

    Raises ValueError where the table does not allow the step: that is a fault of this program.
    """
    if status not in record.traits.next:
        raise ValueError(f"illegal transition: {record.status} -> {status} ({why})")
    event = Event(instant_text(now), status, why)
    return msgspec.structs.replace(record, status=status, history=(*record.history, event), **changes)


def note(record: Record, now: Instant, why: str, **changes: Any) -> Record:
    """The record with fields changed and a line in its history, its status as it was."""
    event = Event(instant_text(now), record.status, why)
    return msgspec.structs.replace(record, history=(*record.history, event), **changes)
