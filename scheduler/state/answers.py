"""What came back: of a request, and of the question what became of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from scheduler.times import Instant

Verdict = Literal["accepted", "refused", "not-now", "unknown"]


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a broker carries of a job: the name of one saved intent, and nothing that has to be trusted."""

    schedule_id: str
    key: str
    owner: str
    at: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    accepted   a complete 204, or 200 with a run id; or the job is on the queue
    refused    a definite no: nothing will come of it
    not-now    a definite no for the moment: nothing left, or a rate limit; `retry_at` where it was named
    unknown    it may have been published

    `error` holds the HTTP status and the server's words, without secrets or control characters.
    `limited` is true where the answer is about the token and not about this request, which its other requests
    share; `token_ended` where it is not accepted any more, so that only another token is worth a request.
    `server_time` is the server's `Date`, where it sent one.
    """

    verdict: Verdict
    error: str | None = None
    run_id: int | None = None
    run_url: str | None = None
    retry_at: Instant | None = None
    limited: bool = False
    token_ended: bool = False
    server_time: Instant | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a channel's workflow (or job of a queue) that carries the key.

    `conclusion` is None while it has not ended; else GitHub's word for it. A job's are `success`,
    `failure`, `lost` (its worker went away: it may have been published), and three that were never started:
    `expired` (too late), `put-aside` (by a worker that knew nothing of it), `withdrawn` (by a run).
    """

    run_id: int
    url: str | None = None
    conclusion: str | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    """When it ended; None where the server does not say, or it has not."""
    message: str | None = None
    """What the run itself says about its end, where it can (a job's error)."""


class LookupResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "what became of this key": all its runs, none, or no answer (`error`)."""

    runs: Sequence[Run] = ()
    error: str | None = None
    is_fault: bool = False
    """Asking failed as it never should: that is reported, too."""
    server_time: Instant | None = None
    is_put_off: bool = False
    """There was no time for the answer: it is asked again."""
    is_keyless: bool = False
    """The channel's run name does not contain the key, so no run could be found."""
    by_record: bool = False
    """Nothing begins that the record does not say: what it does not know of has not happened."""
    is_absent: bool = False
    """Without runs: it is not where it was put, and never was unless it was accepted."""
