"""What a file says, once it has been read: plain values that never change again.

Instants are whole seconds since 1970-01-01T00:00:00Z, durations whole seconds. An id, a zone or a time in
one of these has been checked; a text is a bare `str`. Nothing here reads a file or knows pydantic, so that
the rooms above can make their own in a line.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from scheduler.times import Instant

ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""The pattern of the ids of channels, waves and groups."""
ID_HINT: Final = (
    "ids have 1 to 64 letters a-z, digits, dots, underscores and hyphens, and begin with a letter or digit"
)
DEFAULT_QUEUE: Final = "publications"
"""The queue of a channel that names neither a repository nor a queue."""


class PauseSpec(msgspec.Struct, frozen=True):
    """Something is held back, perhaps with a reason, perhaps until an instant (exclusive)."""

    reason: str | None = None
    until: Instant | None = None


class MemberSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A channel in an entry. At most one of `at`, `local_at` and `shift` is set.

    `local_at` is the text of a local time, to be read in the channel's own zone; `shift` is in seconds,
    negative for earlier.
    """

    id: str
    at: Instant | None = None
    local_at: str | None = None
    shift: int | None = None
    paused: PauseSpec | None = None
    cancelled: bool = False


class BareMembers(tuple[MemberSpec, ...]):
    """Members that are ids and nothing else, as most lists are: none of them needs a look of its own."""

    __slots__ = ()


class TagSelector(msgspec.Struct, frozen=True):
    """All active channels that carry every one of these tags."""

    tags: tuple[str, ...]


class EntrySpec(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a wave: a video on several channels. Exactly one of `at` and `local_at` is set.

    `local_at` (with `timezone: channel`) is the text of a local time, to be read in each channel's own zone.
    `members` are lines about channels that `channels` selects; `delay` is in seconds.
    """

    type: Literal["simultaneous", "staggered"]
    group: str
    video: str
    at: Instant | None = None
    local_at: str | None = None
    delay: int = 0
    after_success: bool = False
    channels: tuple[MemberSpec, ...] | TagSelector
    members: tuple[MemberSpec, ...] = ()
    metadata: dict[str, Any] | None = None
    repeat: bool = False
    renamed_from: str | None = None


class WaveSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A file below `waves/`. `catch_up` (seconds) overrides the setting."""

    title: str | None = None
    paused: PauseSpec | None = None
    cancelled: bool = False
    catch_up: int | None = None
    on_failure: Literal["continue", "halt"] = "continue"
    renamed_from: str | None = None
    schedules: tuple[EntrySpec, ...] = ()


class LineupEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A video that waits for an open slot; before `not_before` it is passed over."""

    video: str
    not_before: Instant | None = None
    repeat: bool = False


class OneOff(msgspec.Struct, frozen=True, kw_only=True):
    """A single publication of a channel; the video may come later."""

    video: str | None = None
    at: Instant
    paused: PauseSpec | None = None
    cancelled: bool = False
    repeat: bool = False
    metadata: dict[str, Any] | None = None


class ChannelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A file below `channels/`. Either `repository` or `queue` is set. `lead` is in seconds.

    `event_type` is None where the settings' one holds; `token` is the NAME of an environment variable.
    """

    name: str
    repository: str | None = None
    event_type: str | None = None
    token: str | None = None
    timezone: str = "UTC"
    lead: int = 0
    transport: Literal["repository_dispatch", "workflow_dispatch"] = "repository_dispatch"
    workflow: str | None = None
    confirm: Literal["accepted", "run"] = "accepted"
    delivery: Literal["at-most-once", "at-least-once"] = "at-most-once"
    active: bool = True
    paused: PauseSpec | None = None
    tags: tuple[str, ...] = ()
    renamed_from: str | None = None
    slots: tuple[str, ...] = ()
    lineup: tuple[LineupEntry, ...] = ()
    schedules: tuple[OneOff, ...] = ()
    queue: str | None = None
    command: str | None = None


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """A span in which nothing is sent: `from_` inside, `until` outside. `channels` None means all."""

    reason: str | None = None
    from_: Instant
    until: Instant
    channels: tuple[str, ...] | None = None


class Pace(msgspec.Struct, frozen=True):
    """How fast one token may be used: `count` at once, refilled evenly over `seconds`."""

    count: int = 60
    seconds: int = 60


class SettingsSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`scheduler.yaml`, and what holds where it says nothing. Durations are in seconds."""

    min_gap: int = 60
    repeat_window: int = 86_400
    catch_up: int = 3_600
    horizon: int = 14 * 86_400
    retry_attempts: int = 3
    retry_backoff: int = 60
    pace: Pace = Pace()
    allow: tuple[str, ...] = ()
    cancel_percent: int = 30
    at_least: int = 10
    event_type: str = "process-video"
    state: str = "state.json"
    lineage: str | None = None
    queue: str = "sqlite:///queue.db"
    freezes: tuple[Freeze, ...] = ()
    notify: tuple[str, ...] = ()
