"""Where a publication goes. A dispatcher makes one request for one saved intent and says what came of it.

A dispatcher decides nothing: it never repeats a request, never follows a redirect, never sleeps for a
backoff. What an answer means for the record is `scheduler.planning.plan`'s and `scheduler.delivery`'s
business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from scheduler.state.answers import Answer, LookupResult
from scheduler.state.record import Intent
from scheduler.times import Instant


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One publication, ready to leave: the saved intent and the payload of ten keys."""

    schedule_id: str
    intent: Intent
    payload: Mapping[str, Any]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a channel can be expected to publish, as far as can be told without sending."""

    ready: bool
    problem: str | None = None
    hint: str | None = None


class Check(msgspec.Struct, frozen=True):
    """One thing that was asked about a channel. `ok` is None where it cannot be told.

    `server_time` is the server's `Date`, where an answer to this very question had one.
    """

    name: Literal["repository", "token", "workflow", "key", "claim", "queue"]
    ok: bool | None
    words: str
    hint: str | None = None
    server_time: Instant | None = None


class Dispatcher(Protocol):
    """One way out. Implementations are safe to use from one thread at a time."""

    def prepare(self, requests: Sequence[Request]) -> None:
        """Open what can be opened before the instant (connections). Never raises, never sends."""

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Make one request each, concurrently, begun in the order given; yield answers as they come."""

    def look_up(
        self, intents: Mapping[str, Intent], run_ids: Mapping[str, int] | None = None
    ) -> Mapping[str, LookupResult]:
        """What became of each schedule's intent. One listing serves all intents of a repository.

        `run_ids` (by schedule id) where the run is known: it is asked for itself.
        """

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        """Whether each channel could take what these (not yet saved) intents describe."""

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        """Every check of each intent's channel, by the names given, for `doctor`."""

    def close(self) -> None:
        """Let go of connections and files."""
