"""What sends a publication: a dispatcher makes one request for one saved intent and returns the answer.

A dispatcher decides nothing: it never repeats a request, follows a redirect or waits before an attempt.
What an answer means for the record is decided in `scheduler.state.outcomes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from scheduler.desired import SettingsSpec
from scheduler.state.answers import Answer, LookupResult
from scheduler.state.record import Intent
from scheduler.times import Instant


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One publication, ready to be sent: the saved intent and the payload of ten keys."""

    schedule_id: str
    intent: Intent
    payload: Mapping[str, Any]

    @property
    def verb(self) -> str:
        """What it does, as in the actions of a plan."""
        return "retract" if self.intent.retracts else "send"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a channel can be expected to publish, as far as can be found out without sending."""

    ready: bool
    problem: str | None = None
    hint: str | None = None
    is_put_off: bool = False
    """There was no time for the answer: it is asked again."""
    is_keyless: bool = False
    """Its run name does not contain the key, so no run of it can be found."""


class Check(msgspec.Struct, frozen=True):
    """One check of a channel. `ok` is None where the answer is not visible to us.

    `server_time` is the server's `Date`, where the answer to this check had one.
    """

    name: Literal["repository", "token", "workflow", "key", "claim", "queue"]
    ok: bool | None
    message: str
    hint: str | None = None
    server_time: Instant | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispatcher may need to be opened. Each package takes what it needs."""

    root: Path
    environ: Mapping[str, str]
    token: Callable[[str | None], str | None]
    """From the name of an environment variable (None: the default ones) to the token in it."""
    now: Callable[[], Instant]
    settings: SettingsSpec
    lineage: Callable[[], str]
    """The lineage of the state, which is read when this is called."""


@runtime_checkable
class HasClock(Protocol):
    """A dispatcher whose server sends the time."""

    def server_time(self) -> Instant | None:
        """The server's clock; None where it does not answer. Never raises."""


@runtime_checkable
class HasFile(Protocol):
    """A dispatcher that puts jobs into a file, where a job can be looked for and taken back."""

    def identity(self) -> str:
        """The id of the file; it is created where it does not exist. Raises QueueError."""

    def take_back(self, intents: Mapping[str, Intent], reasons: Mapping[str, str]) -> None:
        """Take back the jobs that no worker has begun, with the reasons by schedule. Never raises."""


@runtime_checkable
class HasPatience(Protocol):
    """A dispatcher whose answers may take long."""

    def allow(self, seconds: float) -> None:
        """The seconds that the next lookup or confirmation may take in all; then the rest is put off."""


@runtime_checkable
class HasTokens(Protocol):
    """A dispatcher whose servers accept tokens, and may stop to."""

    def ended_tokens(self) -> Mapping[tuple[str, str | None], str]:
        """What was said of tokens whose value is still the one that was not accepted, by name and owner.

        The owner is in lower case, and None where the token is accepted nowhere.
        """


class Dispatcher(Protocol):
    """Sends by one kind of transport. One thread may use it at a time."""

    def prepare(self, requests: Sequence[Request]) -> None:
        """Open connections before the instant. Never raises, never sends."""

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Make one request each, concurrently, begun in the order given; yield answers as they come."""

    def look_up(
        self, intents: Mapping[str, Intent], run_ids: Mapping[str, int] | None = None
    ) -> Mapping[str, LookupResult]:
        """What became of each schedule's intent. One listing serves all intents of a repository.

        `run_ids` (by schedule id) where the run is known: that run alone is queried.
        """

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        """Whether each channel could take what these (not yet saved) intents describe."""

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        """Every check of each intent's channel, by the names given, for `doctor`."""

    def close(self) -> None:
        """Close connections and files."""
