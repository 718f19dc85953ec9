"""The record: what was decided and what happened, as values and as text.

`State` holds one `Record` a schedule. Every change of a record's status goes through `advance`, which
knows the legal transitions and keeps each one with its time and its reason for `show` to tell.
The text form is one JSON document with one schedule a line, so that the history of the file reads as
a log. Times in the record are RFC 3339 in UTC, whole seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from scheduler.errors import StateError
from scheduler.times import Instant, instant_text, read_utc

VERSION = 1

Status = Literal["pending", "scheduled", "executing", "completed", "failed", "cancelled"]
Reason = Literal[
    "missed",
    "no_video",
    "rejected",
    "retries_exhausted",
    "unknown_outcome",
    "run_failed",
    "before_init",
    "declared",
    "withdrawn",
]
ScheduleType = Literal["simultaneous", "staggered", "independent"]
Evidence = Literal["accepted", "run"]
Pauser = Literal["schedule", "wave", "channel", "freeze", "halt", "operator"]

LIVE: frozenset[str] = frozenset({"pending", "scheduled", "executing"})
UNSENT_LIVE: frozenset[str] = frozenset({"pending", "scheduled"})

# From each status, what may come next; a status that is not here never changes again.
TRANSITIONS: Mapping[Status | None, frozenset[Status]] = {
    None: frozenset({"pending", "cancelled"}),
    "pending": frozenset({"scheduled", "executing", "failed", "cancelled"}),
    "scheduled": frozenset({"pending", "executing", "failed", "cancelled"}),
    "executing": frozenset({"pending", "completed", "failed"}),
    "failed": frozenset({"pending", "completed"}),
    "cancelled": frozenset({"pending"}),
    "completed": frozenset(),
}

T = TypeVar("T")


def _always(value: T) -> T:
    """A field whose default is written out all the same: readers of the file find it every time."""
    factory: T = msgspec.field(default_factory=lambda: value)
    return factory


class Pause(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who holds a schedule back, why, and until when (RFC 3339, UTC)."""

    by: Pauser
    reason: str | None = None
    until: str | None = None


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One transition: when (RFC 3339, UTC), to which status, and why."""

    at: str
    status: Status
    why: str


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The envelope as it was when the request was about to leave; later edits do not touch it.

    `owner` is the nonce of the run that saved it, so that only that run records its outcome.
    """

    owner: str
    at: str
    key: str
    not_after: str
    transport: Literal["repository_dispatch", "workflow_dispatch", "queue"]
    confirm: Evidence = "accepted"
    delivery: Literal["at-most-once", "at-least-once"] = "at-most-once"
    repository: str | None = None
    event_type: str | None = None
    workflow: str | None = None
    token: str | None = None
    queue: str | None = None
    command: str | None = None


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
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
    pauses: tuple[Pause, ...] = ()
    first_id: str | None = None
    """The id under which it was first recorded, where a rename changed it: the key stays."""
    former_ids: tuple[str, ...] = ()
    resends: int = 0
    retried_at: str | None = None
    next_attempt_at: str | None = None
    intent: Intent | None = None
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
        return self.status in UNSENT_LIVE

    @property
    def was_sent(self) -> bool:
        """A request left, or may have: executing, completed, or failed without certainty."""
        return self.status in ("executing", "completed") or (
            self.status == "failed" and self.reason in ("unknown_outcome", "run_failed")
        )

    @property
    def at(self) -> Instant:
        """The publish time."""
        return read_utc(self.scheduled_at)


class Declared(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was declared when that last changed: a digest of the files, and the commit."""

    digest: str
    commit: str | None = None


class Idle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tick compares to know that there is nothing to do (see `scheduler.idle`)."""

    until: str
    surroundings: str
    checksum: str


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
    if status not in TRANSITIONS[record.status]:
        raise ValueError(f"illegal transition: {record.status} -> {status} ({why})")
    event = Event(instant_text(now), status, why)
    return msgspec.structs.replace(record, status=status, history=(*record.history, event), **changes)


def note(record: Record, now: Instant, why: str, **changes: Any) -> Record:
    """The record with fields changed and a line in its history, its status as it was."""
    event = Event(instant_text(now), record.status, why)
    return msgspec.structs.replace(record, history=(*record.history, event), **changes)


# --- text <-> State -------------------------------------------------------------------------------

_decoder = msgspec.json.Decoder(State)
_encoder = msgspec.json.Encoder(order="sorted")


def encode(state: State) -> bytes:
    """The text of a state: top-level facts first, then one schedule a line, by id."""
    head: dict[str, Any] = {"version": state.version, "lineage": state.lineage, "serial": state.serial}
    if state.declared is not None:
        head["declared"] = state.declared
    if state.idle is not None:
        head["idle"] = state.idle
    lines = [b'"%s": %s' % (name.encode(), _encoder.encode(value)) for name, value in head.items()]
    return b"{" + b", ".join(lines) + b', "schedules": ' + encode_schedules(state.schedules) + b"}\n"


def encode_schedules(schedules: Mapping[str, Record]) -> bytes:
    """The schedules alone, as they stand in the text of a state and of an archive."""
    if not schedules:
        return b"{}"
    encode_one = _encoder.encode
    lines = [encode_one(key) + b": " + encode_one(schedules[key]) for key in sorted(schedules)]
    return b"{\n" + b",\n".join(lines) + b"\n}"


def decode(text: bytes, name: str) -> State:
    """The state that `text` says; `name` is what the messages call it.

    Raises StateError for anything that this version would not have written: a truncated or merged
    file, another version, duplicate keys, NaN, a record that is no record.
    """
    try:
        state = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise _explain(text, name, str(problem)) from None
    if state.version != VERSION:
        raise _unknown_version(name, state.version)
    if encode(state) != text:  # not our own hand: read it again with the strict, slow reader
        _demand_plain_json(text, name)
    _demand_sense(state, name)
    return state


def _explain(text: bytes, name: str, problem: str) -> StateError:
    """The most helpful of the errors that fit an unreadable text."""
    if not text.strip():
        return StateError(f"{name} is empty", hint="restore the last good version from git history")
    if any(line.startswith((b"<<<<<<< ", b"=======\n", b">>>>>>> ")) for line in text.splitlines(True)):
        return StateError(
            f"{name} holds a merge-conflict marker",
            hint="states are never merged: restore the version of one side from git history",
        )
    version = _version_of(text)
    if version is not None and version != VERSION:
        return _unknown_version(name, version)
    if not text.rstrip().endswith(b"}"):
        problem = f"it is cut off ({problem})"
    return StateError(f"{name} is damaged: {problem}", hint="restore the last good version from git history")


def _version_of(text: bytes) -> object:
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw]) and msgspec.json.decode(
            msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("version", msgspec.Raw(b"null"))
        )
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _unknown_version(name: str, version: object) -> StateError:
    return StateError(
        f"{name} has version {version!r}; this program reads version {VERSION}",
        hint="upgrade the scheduler, or run the one that wrote it",
    )


def _demand_plain_json(text: bytes, name: str) -> None:
    """Refuse duplicate keys, which a decoder would settle silently by taking the last one."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = dict(pairs)
        if len(seen) != len(pairs):
            twice = next(key for i, (key, _) in enumerate(pairs) if any(key == k for k, _ in pairs[:i]))
            raise StateError(
                f"{name} is damaged: the key {twice!r} stands there twice",
                hint="restore the last good version from git history",
            )
        return seen

    json.loads(text, object_pairs_hook=once)


def _demand_sense(state: State, name: str) -> None:
    """Refuse what has the right types but cannot be meant."""
    if state.serial < 0 or not state.lineage:
        raise StateError(f"{name} is damaged: serial {state.serial}, lineage {state.lineage!r}")
    for schedule_id, record in state.schedules.items():
        for moment in _moments(record):
            try:
                read_utc(moment)
            except ValueError:
                raise StateError(f"{name} is damaged: {schedule_id} has the time {moment!r}") from None
        if (record.status == "failed") and record.reason is None:
            raise StateError(f"{name} is damaged: {schedule_id} failed without a reason")
        if record.status == "executing" and record.intent is None:
            raise StateError(f"{name} is damaged: {schedule_id} is executing without an intent")


def _moments(record: Record) -> Iterable[str]:
    yield record.scheduled_at
    for moment in (record.executed_at, record.retried_at, record.next_attempt_at, record.accepted_at,
                   record.completed_at, record.checked_at, record.not_found_at):  # fmt: skip
        if moment is not None:
            yield moment
    for pause in record.pauses:
        if pause.until is not None:
            yield pause.until
    if record.intent is not None:
        yield record.intent.at
        yield record.intent.not_after
