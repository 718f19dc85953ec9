"""Queries to GitHub's REST API: one GET each, over our own connections.

Nothing here retries, waits or follows a redirect. Only a complete 200 whose JSON has the expected shape
is an answer; everything else is a `QueryError`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from scheduler.delivery.github.http_burst import HttpBurst
from scheduler.delivery.github.http_connection import Headers, Outcome, Outgoing, Reply
from scheduler.delivery.github.responses import server_time, summary
from scheduler.times import Instant

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of the answer to a query: a page of a hundred runs takes about 2 MB."""

T = TypeVar("T")


class QueryError(Exception):
    """A query without a usable answer; the reply and the server's time where it did answer."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply
        self.status = None if reply is None else reply.status
        self.server_time = None if reply is None else server_time(reply.headers)


class Answered(msgspec.Struct, Generic[T], frozen=True):
    """A complete 200: its JSON as the type that was asked for, and the server's time."""

    data: T
    server_time: Instant | None


class Query(Protocol):
    """GET `path`, with `parameters` as its query string. Raises QueryError."""

    def __call__(
        self, path: str, expected: type[T], parameters: Mapping[str, str] | None = None, /
    ) -> Answered[T]: ...


class ApiReader:
    """A `Query` with one token. One thread may use `http` at a time.

    `headers` makes those of one request (raises ValueError where none may be made), `refused` gets each
    answer that is not a 200, with its request. Nothing is waited for after `until`, on the monotonic clock.
    """

    def __init__(
        self,
        http: HttpBurst,
        headers: Callable[[], Headers],
        refused: Callable[[Outgoing, Outcome], object],
        *,
        until: float = float("inf"),
    ) -> None:
        self._http, self._headers, self._refused, self._until = http, headers, refused, until
        self.is_cut = False
        """A request was not made, or its answer not waited for, because of `until`."""

    def __call__(
        self, path: str, expected: type[T], parameters: Mapping[str, str] | None = None, /
    ) -> Answered[T]:
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        try:
            request = Outgoing(method="GET", target=target, headers=self._headers())
        except ValueError as problem:
            raise QueryError(str(problem)) from None
        left = self._until - time.monotonic()
        if left <= 0:
            self.is_cut = True
            raise QueryError("there was no time to ask")
        self._http.connect_timeout = min(self._http.connect_timeout, left)
        patience = min(self._http.answer_timeout, left)
        ((_, outcome),) = self._http.exchange([request], largest=LARGEST_ANSWER, answer_timeout=patience)
        if not isinstance(outcome, Reply):
            self.is_cut = time.monotonic() >= self._until
            raise QueryError(outcome.why)
        if outcome.status != 200:
            self._refused(request, outcome)
            raise QueryError(summary(outcome), outcome)
        if outcome.truncated:
            raise QueryError(f"the API's answer is larger than {LARGEST_ANSWER:,} bytes", outcome)
        try:
            # Decoding into the type costs a third of decoding everything: a run has a hundred fields.
            return Answered(msgspec.json.decode(outcome.body, type=expected), server_time(outcome.headers))
        except msgspec.ValidationError:
            raise QueryError("the API's answer does not have the expected shape", outcome) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise QueryError("the API's answer is not valid JSON", outcome) from None
