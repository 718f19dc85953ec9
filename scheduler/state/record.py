"""The record: what was decided and what happened, as values and as text.

`State` holds one `Record` a schedule. Every change of a record's status goes through `advance`, which
knows the legal transitions and keeps each one with its time and its reason for `show` to tell.
The text form is one JSON document with one schedule a line, so that the history of the file reads as
a log. Times in the record are RFC 3339 in UTC, whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from scheduler.desired.transports import TRANSPORTS, Transport, TransportTraits
from scheduler.state.statuses import LIVE, MAYBE_SENT, SENT, TRAITS, UNSENT, Reason, Status, StatusTraits
from scheduler.times import Instant, instant_text, read_utc

ScheduleType = Literal["simultaneous", "staggered", "independent"]
Evidence = Literal["accepted", "run"]
Pauser = Literal["schedule", "wave", "channel", "freeze", "halt", "operator"]

T = TypeVar("T")


def _is(words: str) -> msgspec.Meta:
    """What a field is, for the published schema of the state."""
    return msgspec.Meta(description=words)


def _always(value: T) -> T:
    """A field whose default is written out all the same: readers of the file find it every time."""
    factory: T = msgspec.field(default_factory=lambda: value)
    return factory


class Pause(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Who holds a schedule back, why, and until when (RFC 3339, UTC)."""

    by: Annotated[Pauser, _is("Who holds it back.")]
    reason: Annotated[str | None, _is("Why.")] = None
    until: Annotated[str | None, _is("When the pause ends by itself.")] = None


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One transition: when (RFC 3339, UTC), to which status, and why."""

    at: Annotated[str, _is("When.")]
    status: Annotated[Status, _is("The status from then on.")]
    why: Annotated[str, _is("The reason.")]


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What was to be sent, as it was when the request was about to leave; later edits do not change it.

    A field that the spec of a channel has as well is copied from there (`scheduler.state.intent`).
    `owner` is the nonce of the run that saved it, so that only that run records its outcome.
    """

    owner: Annotated[str, _is("The run that saved it; only that run records its outcome.")]
    at: Annotated[str, _is("When it was saved.")]
    key: Annotated[str, _is("What identifies the publication to the receiver.")]
    not_after: Annotated[str, _is("The instant after which the receiver should refuse it.")]
    transport: Annotated[Transport, _is("How it is sent.")]
    confirm: Annotated[Evidence, _is("What completes it.")] = "accepted"
    delivery: Annotated[
        Literal["at-most-once", "at-least-once"], _is("What happens if its outcome is unknown.")
    ] = "at-most-once"
    repository: Annotated[str | None, _is("Where it is sent.")] = None
    event_type: Annotated[str | None, _is("The type of the event.")] = None
    workflow: Annotated[str | None, _is("The workflow that is started by name.")] = None
    token: Annotated[str | None, _is("The NAME of the environment variable that holds the token.")] = None
    queue: Annotated[str | None, _is("The queue that gets the job.")] = None
    job_id: Annotated[str | None, _is("The job's id on the queue.")] = None
    """On a queue: the schedule's id, `...#n` for the n-th deliberate resend."""
    command: Annotated[str | None, _is("What a worker runs.")] = None
    queue_file: Annotated[str | None, _is("The id of the queue's file, if the queue is embedded.")] = None
    """Only in the file that was to get the job is absence proof; another one at its path proves nothing."""
    retract: Annotated[
        str | None, _is("The type of the event that takes it back, if the channel has one.")
    ] = None
    retracts: Annotated[bool, _is("Whether this takes the publication of its key back.")] = False

    @property
    def traits(self) -> TransportTraits:
        """What its transport is like."""
        return TRANSPORTS[self.transport]

    @property
    def run_word(self) -> str:
        """The word in the title of its run; a publication and its retraction share no word."""
        return f"{self.key}retract" if self.retracts else self.key


class Retraction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What became of taking a publication back that was handed over.

    `sending` without an intent: nothing left, and the next attempt waits. `failed` without one: refused.
    """

    status: Annotated[
        Literal["sending", "accepted", "confirmed", "failed"],
        _is("About to leave, accepted, confirmed by the success of its own run, or in vain."),
    ]
    at: Annotated[str, _is("When the (last) request left.")]
    why: Annotated[str, _is("Why it is taken back.")]
    run_url: Annotated[str | None, _is("The run that takes it back.")] = None
    error: Annotated[str | None, _is("What went wrong.")] = None
    intent: Annotated[Intent | None, _is("What was to be sent.")] = None
    attempts: Annotated[int, _is("How many requests were made that were not refused for their token.")] = 0
    accepted_at: Annotated[str | None, _is("When the request was accepted.")] = None
    checked_at: Annotated[str | None, _is("When the channel was last asked for the run.")] = None
    next_attempt_at: Annotated[str | None, _is("Before this time no further request is made.")] = None
    limited: Annotated[bool, _is("Whether it waits for a rate limit of its token.")] = False

    @property
    def is_under_way(self) -> bool:
        """A request left, or may have, and how it ended is not known yet."""
        return self.status == "accepted" or (self.status == "sending" and self.intent is not None)


class Lease(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Who works on a job that a broker carries. Brokers deliver twice at times: the record decides.

    `until` is, of a running job, when its worker is taken for lost; of a waiting one, when its next attempt
    may begin; of an ended one, when it ended.
    """

    worker: Annotated[str, _is("The worker.")]
    at: Annotated[str, _is("When its attempt began.")]
    state: Annotated[
        Literal["running", "waiting", "ended"], _is("Running; waiting for its next attempt; ended.")
    ]
    until: Annotated[
        str, _is("When the worker is presumed lost; when the next attempt may begin; when it ended.")
    ]
    attempts: Annotated[int, _is("How often the job was begun.")] = 1


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What is recorded of one schedule."""

    schedule_type: Annotated[ScheduleType, _is("How it was declared.")]
    channel_id: Annotated[str, _is("The channel.")]
    scheduled_at: Annotated[str, _is("The publish time, in UTC.")]
    status: Annotated[Status, _is("Its status.")]
    wave_id: Annotated[str | None, _is("The wave; null for a slot or a one-off.")] = _always(None)
    coordination_group_id: Annotated[str | None, _is("`<wave>/<group>`; null for a slot or a one-off.")] = (
        _always(None)
    )
    video_id: Annotated[str | None, _is("The video; null while none is assigned.")] = _always(None)
    is_paused: Annotated[bool, _is("Whether anything holds it back.")] = _always(False)
    attempts: Annotated[int, _is("How many requests were ever made.")] = _always(0)
    reason: Annotated[Reason | None, _is("Why it failed or was cancelled.")] = _always(None)
    error_message: Annotated[
        str | None, _is("What went wrong: the HTTP status and what the server answered.")
    ] = _always(None)
    metadata: Annotated[dict[str, Any] | None, _is("What else the channel's workflow receives.")] = _always(
        None
    )
    executed_at: Annotated[str | None, _is("When the (last) request left.")] = _always(None)
    lateness_seconds: Annotated[
        int | None,
        _is(
            "Seconds from the publish time, or its release by `after_success`, to when it was sent; 0 before."
        ),
    ] = _always(None)
    evidence: Annotated[
        Evidence | None, _is("What made it completed: GitHub's acceptance, or the channel's run.")
    ] = _always(None)
    run_url: Annotated[str | None, _is("The channel's run.")] = _always(None)

    # What sending, looking up and `show` need besides; left out of the text while it says nothing.
    dispatch_lateness_seconds: Annotated[
        int | None, _is("Seconds from when it was due, the publish time minus the lead, to when it was sent.")
    ] = None
    slot: Annotated[bool, _is("Whether the channel's own calendar made it.")] = False
    """True where the channel's own calendar made it, false for a wave's or a one-off."""
    local_time: Annotated[
        str | None,
        _is(
            "The local time it was declared for, such as 2026-03-01T18:00:00; `+1h` or `-15m` after it is "
            "the delay of a stagger. Null for a time with an offset."
        ),
    ] = None
    """What a slot or a one-off is recognized by when new zone data moves its instant."""
    timezone: Annotated[
        str | None,
        _is(
            "The zone of that local time; null for a one-off that only replaces the slot of that local time."
        ),
    ] = None
    position: Annotated[int, _is("The place in its group, counted from 0.")] = 0
    """The place in its group, so that a stagger keeps its order when its file cannot be read."""
    catch_up: Annotated[int | None, _is("Seconds; only if the wave overrides the setting.")] = None
    """Seconds; where the wave overrides the setting."""
    halt: Annotated[bool, _is("Whether a failure in its wave pauses it.")] = False
    after_success: Annotated[bool, _is("Whether it waits until the one before it is completed.")] = False
    pauses: Annotated[tuple[Pause, ...], _is("Who holds it back, and why.")] = ()
    first_id: Annotated[
        str | None, _is("The id under which it was first recorded, if a rename changed it.")
    ] = None
    """The id under which it was first recorded, where a rename changed it: the key stays."""
    former_ids: Annotated[tuple[str, ...], _is("The ids it had before renames; they stay taken.")] = ()
    resends: Annotated[int, _is("How often somebody had it sent again.")] = 0
    retried_at: Annotated[str | None, _is("When somebody last made it pending again.")] = None
    next_attempt_at: Annotated[str | None, _is("Before this time no further request is made.")] = None
    limited: Annotated[bool, _is("Whether it waits for a rate limit of its token.")] = False
    """The next attempt waits for a rate limit of its token, which its other schedules share."""
    earlier_attempts: Annotated[
        int, _is("How many of the attempts precede the last retry, which `retry.attempts` does not count.")
    ] = 0
    token_refusals: Annotated[
        int, _is("How many of the attempts ended with their token, which `retry.attempts` does not count.")
    ] = 0
    keyless: Annotated[
        bool, _is("Whether its channel was seen without the key in its run name, so no run can be found.")
    ] = False
    doubtful: Annotated[bool, _is("Whether an earlier attempt with the same key may have been accepted.")] = (
        False
    )
    """An earlier attempt with the same key may have been accepted."""
    intent: Annotated[
        Intent | None, _is("What was to be sent, as it was when the request was about to leave.")
    ] = None
    lease: Annotated[Lease | None, _is("Who works on its job, if a broker carries it.")] = msgspec.field(
        default=None, name="claim"
    )
    accepted_at: Annotated[str | None, _is("When the request was accepted.")] = None
    """When a complete yes came back; an intent without it may or may not have left."""
    completed_at: Annotated[str | None, _is("When it was completed.")] = None
    run_id: Annotated[int | None, _is("The number of the channel's run.")] = None
    checked_at: Annotated[
        str | None, _is("When the channel was last asked whether it is ready, or for the run.")
    ] = None
    """The last time the channel was asked whether it is ready (while pending), or for the run."""
    not_found_at: Annotated[
        str | None, _is("When a lookup last answered that it knows no run of the key.")
    ] = None
    """The last lookup that answered and knew no run of the key."""
    unconfirmed: Annotated[str | None, _is("Why the channel could not be confirmed.")] = None
    """Why the channel could not be confirmed, in words."""
    unconfirmed_hint: Annotated[str | None, _is("What to do about that.")] = None
    asked_about: Annotated[
        str | None,
        _is(
            "A digest of what its channel and token were like when it was asked; it is asked again at once "
            "when they change."
        ),
    ] = None
    retraction: Annotated[Retraction | None, _is("What became of taking it back.")] = None
    retractions: Annotated[int, _is("How many of the resends follow a retraction.")] = 0
    history: Annotated[tuple[Event, ...], _is("What happened to it, oldest first.")] = ()

    @property
    def is_live(self) -> bool:
        """Recorded and neither finished nor cancelled."""
        return self.status in LIVE

    @property
    def is_unsent_live(self) -> bool:
        return self.status in UNSENT

    @property
    def counted_attempts(self) -> int:
        """The attempts that `retry.attempts` counts."""
        return self.attempts - self.earlier_attempts - self.token_refusals

    @property
    def was_sent(self) -> bool:
        """A request left, or may have."""
        return self.status in SENT or (self.status == "failed" and self.reason in MAYBE_SENT)

    @property
    def was_retracted(self) -> bool:
        """It was taken back, and not sent again since."""
        return self.retraction is not None and self.retraction.status == "confirmed"

    @property
    def intent_to_look_up(self) -> Intent | None:
        """What a lookup asks for: its retraction, if that is under way or its failed run may be re-run."""
        retraction = self.retraction
        if retraction is None or retraction.intent is None or retraction.status == "confirmed":
            return self.intent
        is_first = retraction.is_under_way or self.status == "completed"
        return retraction.intent if is_first else self.intent

    @property
    def declarer(self) -> tuple[Literal["wave", "channel"], str]:
        """The kind and the id of the file that declares it."""
        return ("channel", self.channel_id) if self.wave_id is None else ("wave", self.wave_id)

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

    digest: Annotated[str, _is("A digest of the files.")]
    commit: Annotated[str | None, _is("The commit of these files.")] = None
    since: Annotated[str | None, _is("When a run first read these files.")] = None


class Idle(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a tick compares to know that there is nothing to do (see `scheduler.app.idle`).

    Whether the text is as it was written is for its checksum (`scheduler.state.header`).
    """

    until: Annotated[str, _is("The next instant at which anything can change.")]
    surroundings: Annotated[str, _is("A digest of what else the outcome depends on.")]
    tokens: Annotated[
        tuple[str, ...], _is("The NAMES of the environment variables of tokens that the digest covers.")
    ] = ()
    """The names of the variables whose being set or not the surroundings cover."""
    troubled: Annotated[bool, _is("Whether something failed that a run lists in its JSON.")] = False


class State(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything that is recorded. `serial` rises by one with each save that changes the content."""

    version: Annotated[int, _is("The version of the form that it is stored in.")]
    lineage: Annotated[
        str, _is("The identity of this state; part of every key, so that two states never share one.")
    ]
    serial: Annotated[int, _is("Rises by one with each save that changes the content.")]
    schedules: Annotated[dict[str, Record], _is("All that is recorded and not archived, by schedule id.")] = (
        _always({})
    )
    declared: Annotated[Declared | None, _is("What was declared when that last changed.")] = None
    idle: Annotated[Idle | None, _is("What a run compares to know that there is nothing to do.")] = None
    zone_release: Annotated[
        str | None, _is("The newest release of the zone data (`tzdata`) that a run used, such as 2026f.")
    ] = None
    folder: Annotated[
        str | None,
        _is("Whose state it is on a branch: the folder of the scheduler in its repository, `.` at the top."),
    ] = None
    branch: Annotated[str | None, _is("The branch whose files are declared.")] = None
    notified: Annotated[
        dict[str, Literal["at_risk", "failed"]],
        _is("What `notify` has reported as wrong and not yet as well: a publication, or a file."),
    ] = {}
    archived: Annotated[
        dict[str, str], _is("The months in the archive (`2026-03`), with the checksum of each.")
    ] = {}


NOTHING_SENT: Final[Mapping[str, Any]] = {
    "executed_at": None,
    "lateness_seconds": None,
    "dispatch_lateness_seconds": None,
}
"""What a record says while no request of it was accepted, or may have been."""

UNTRIED: Final[Mapping[str, Any]] = {
    "reason": None, "error_message": None, "token_refusals": 0, "keyless": False, "retried_at": None,
    "next_attempt_at": None, "limited": False, "doubtful": False, "intent": None, "accepted_at": None,
    "completed_at": None, **NOTHING_SENT, "evidence": None, "run_id": None,
    "run_url": None, "checked_at": None, "not_found_at": None, "unconfirmed": None, "unconfirmed_hint": None,
    "asked_about": None,
}  # fmt: skip
"""What a record says that nothing was tried of yet."""


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
