"""Waves and channels become schedules: one value for each publication that is declared.

Instants are whole seconds since 1970-01-01T00:00:00Z; the publish time is `at`, and `at - lead` is when
it falls due. Names and places travel along, so that every later room can say where a schedule is from.
"""

from __future__ import annotations

from typing import Any

import msgspec

from scheduler.state import Pause, ScheduleType
from scheduler.times import Instant

Loc = tuple[str | int, ...]


class Group(msgspec.Struct, kw_only=True):
    """What the members of one entry share. A one-off and a channel's slots have groups of their own."""

    id: str | None
    """The coordination group's id, `<wave>/<group>`; None for independent schedules."""
    wave: str | None
    schedule_type: ScheduleType
    metadata: dict[str, Any] | None
    repeat: bool
    catch_up: int
    halt: bool
    after_success: bool
    wave_paused: Pause | None = None
    wave_cancelled: bool = False


class Schedule(msgspec.Struct, kw_only=True):
    """One publication as it is declared: one video, one channel, one instant."""

    id: str
    group: Group
    channel: str
    video: str | None
    at: Instant
    file: str
    loc: Loc
    """The route to its member (or entry) in the file; `Places` turns it into line and column."""
    position: int = 0
    paused: Pause | None = None
    cancelled: bool = False
    slot: bool = False
