"""The statuses of a record and what each one means: one row a status, read by every wing. Pure.

A status is a plain string in files, JSON and Python. What the code needs to know about it is in `TRAITS`,
so that a new status is a row here, and not a search through reports, lists and calendars. An enum with
properties would say the same; it decodes 4 % slower and makes callers of the Python API import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

import msgspec

Status = Literal["pending", "scheduled", "executing", "completed", "failed", "cancelled"]
Reason = Literal[
    "missed",
    "blocked",
    "no_video",
    "rejected",
    "retries_exhausted",
    "unknown_outcome",
    "run_failed",
    "before_init",
    "declared",
    "withdrawn",
    "retracted",
]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""In the order of a life: the order of messages and of the calendar's legend."""


class StatusTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of every record with one status, and how the status is shown."""

    next: frozenset[Status]
    """The statuses that may follow; every change of a status is held against it."""
    is_live: bool = False
    """Neither finished nor cancelled."""
    is_unsent: bool = False
    """It waits for its time, and no request has left."""
    was_sent: bool = False
    """A request left, or may have. A failed record may have been sent, too: its reason says so."""
    is_settled: bool = False
    """It ended as somebody intended, and needs nobody's attention."""
    is_called_off: bool = False
    """It is not to be published: it does not count towards its wave."""
    needs: Literal["reason", "intent"] | None = None
    """The field of a record that cannot be empty under this status."""
    symbol: str
    """The mark of a line in the results of a run."""
    style: str
    """How the symbol is painted there (see `scheduler.reporting.terminal`)."""
    list_style: str
    """How the status is painted in lists."""
    icon: str
    """The mark in the calendar, which tells statuses apart without colour."""
    meaning: str
    """What the calendar's legend says of it."""
    is_certain: bool = False
    """Whether a calendar may show the publication as confirmed, with no remark after its title."""


TRAITS: Final[Mapping[Status, StatusTraits]] = {
    "completed": StatusTraits(
        next=frozenset({"failed", "pending"}),  # a job whose worker then failed; what was taken back
        was_sent=True,
        is_settled=True,
        is_certain=True,
        symbol="+",
        style="green",
        list_style="green",
        icon="✓",
        meaning="published",
    ),
    "executing": StatusTraits(
        next=frozenset({"pending", "completed", "failed"}),
        is_live=True,
        was_sent=True,
        is_certain=True,
        needs="intent",
        symbol=">",
        style="cyan",
        list_style="cyan",
        icon="↗",
        meaning="sent, and its outcome is not known yet",
    ),
    "scheduled": StatusTraits(
        next=frozenset({"pending", "executing", "failed", "cancelled"}),
        is_live=True,
        is_unsent=True,
        is_certain=True,
        symbol="=",
        style="green",
        list_style="green",
        icon="◉",
        meaning="to be sent at its time; its channel is ready",
    ),
    "pending": StatusTraits(
        next=frozenset({"scheduled", "executing", "failed", "cancelled"}),
        is_live=True,
        is_unsent=True,
        is_certain=True,
        symbol="~",
        style="yellow",
        list_style="yellow",
        icon="○",
        meaning="recorded or declared, to be sent at its time",
    ),
    "failed": StatusTraits(
        next=frozenset({"pending", "completed"}),
        needs="reason",
        symbol="!",
        style="alarm",
        list_style="red",
        icon="✕",
        meaning="not published, or not known to be",
    ),
    "cancelled": StatusTraits(
        next=frozenset({"pending"}),
        is_settled=True,
        is_called_off=True,
        symbol="-",
        style="red",
        list_style="dim",
        icon="–",
        meaning="not published, as decided",
    ),
}
"""In the order in which the sum of a run counts them."""

# `in` one of these costs a third of a row looked up: records are asked a hundred thousand at a time.
LIVE: Final = frozenset(status for status, traits in TRAITS.items() if traits.is_live)
UNSENT: Final = frozenset(status for status, traits in TRAITS.items() if traits.is_unsent)
SENT: Final = frozenset(status for status, traits in TRAITS.items() if traits.was_sent)
OVER: Final = frozenset(TRAITS) - LIVE - SENT
"""Nothing of it is, or becomes, public by itself."""

MAYBE_SENT: Final[frozenset[Reason]] = frozenset({"unknown_outcome", "run_failed"})
"""The reasons of a failed record whose request left, or may have."""
