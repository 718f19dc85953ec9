"""What an answer of GitHub means: the table of answers, and words that are fit to be shown.

Only a complete 204, or a complete 200 that names the run that was asked for, is a yes. Whatever could
have been accepted and does not say so is unknown. Pure: the bytes of an answer in, an `Answer` out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from scheduler.delivery.github.http_connection import Lost, NothingLeft, Outcome, Reply
from scheduler.state.answers import Answer
from scheduler.times import Instant, instant

LONGEST_WORDS = 500
LONGEST_WAIT = 86_400
"""Seconds: a server that names a later time than a day ahead is not believed beyond it."""
_LIMIT_WORDS = re.compile(r"rate.?limit|secondary|abuse detection", re.IGNORECASE)
_TOKEN_LIKE = re.compile(r"\b(gh[a-z]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})")
_PAGE = re.compile(r"https://[A-Za-z0-9./_:-]{1,300}")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"\w{{3}}, (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)

Scrub = Callable[[str], str]


def scrubber(secrets: Iterable[str]) -> Scrub:
    """A function that makes foreign text fit to be shown: no secrets, no control characters, short."""
    known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "***")
        return _TOKEN_LIKE.sub("***", text)

    def scrub(text: str) -> str:
        visible = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in hide(text))
        words = " ".join(visible.split())
        return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"

    return scrub


def judge(
    outcome: Outcome, scrub: Scrub, *, asked_for_run: bool = False, hint: str | None = None,
    now: Instant | None = None,
) -> Answer:  # fmt: skip
    """The verdict on the one request of a dispatch.

    `asked_for_run`: the request asked for the run's id, so that a 200 can be a yes.
    `hint`: what an editor may look at after a refusal, added to the words.
    `now`: the scheduler's own time, to which a wait that the server names is added; without it the
    server's `Date` stands in.
    """
    if isinstance(outcome, NothingLeft):
        return Answer(verdict="not-now", error=scrub(f"nothing was sent: {outcome.why}"))
    if isinstance(outcome, Lost):
        return Answer(verdict="unknown", error=scrub(f"it may have been sent: {outcome.why}"))
    time = server_time(outcome.headers)
    status = outcome.status
    if status == 204:
        return Answer(verdict="accepted", server_time=time)
    if status == 200 and asked_for_run and not outcome.truncated:
        run_id, page = _run_of(outcome.body, scrub)
        if run_id is not None:
            return Answer(verdict="accepted", run_id=run_id, run_url=page, server_time=time)
    words = told(outcome)
    if is_limited(outcome):
        wait = _wait(outcome.headers, time)
        base = now if now is not None else time
        retry_at = base + wait if base is not None and wait is not None else None
        return Answer(
            verdict="not-now", error=scrub(words), retry_at=retry_at, limited=True, server_time=time
        )
    if 300 <= status < 500:
        error = scrub(f"{words}; {hint}" if hint else words)
        return Answer(verdict="refused", error=error, server_time=time)
    return Answer(verdict="unknown", error=scrub(words), server_time=time)


def told(reply: Reply) -> str:
    """`HTTP 422: Unprocessable Entity (the server's words)`, not yet scrubbed."""
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "unknown status"
    words = _words_of(reply)
    shown = f" ({words})" if words and words.lower() != phrase.lower() else ""
    return f"HTTP {reply.status}: {phrase}{shown}"


def is_limited(reply: Reply) -> bool:
    """Whether this is a rate limit: about the token, and not about the request."""
    if reply.status == 429:
        return True
    if reply.status != 403:
        return False
    return (
        "retry-after" in reply.headers
        or reply.headers.get("x-ratelimit-remaining", "").strip() == "0"
        or _LIMIT_WORDS.search(_words_of(reply)) is not None
    )


def refuses_run_details(reply: Reply) -> bool:
    """Whether an older server turned a dispatch down for the one key that it does not know."""
    return reply.status in (400, 422) and "return_run_details" in _words_of(reply)


def server_time(headers: Mapping[str, str]) -> Instant | None:
    """The server's `Date`."""
    return _http_date(headers.get("date", ""))


def _http_date(text: str) -> Instant | None:
    """The instant of `Sun, 06 Nov 1994 08:49:37 GMT`, the form that RFC 9110 asks servers to send."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    month = _MONTHS.index(match[2]) + 1
    try:
        day = datetime(int(match[3]), month, int(match[1]), tzinfo=UTC)
        clock = int(match[4]), int(match[5]), min(int(match[6]), 59)  # a leap second is no instant of ours
        return instant(day.replace(hour=clock[0], minute=clock[1], second=clock[2]))
    except ValueError:
        return None


def _wait(headers: Mapping[str, str], time: Instant | None) -> int | None:
    """The seconds that the server asks to wait; None where it names none."""
    after = headers.get("retry-after", "").strip()
    wait: int | None = None
    if re.fullmatch(r"[0-9]{1,9}", after):
        wait = int(after)
    elif after:
        date = _http_date(after)
        wait = date - time if date is not None and time is not None else None
    if wait is None and headers.get("x-ratelimit-remaining", "").strip() == "0":
        reset = headers.get("x-ratelimit-reset", "").strip()
        if re.fullmatch(r"[0-9]{1,12}", reset) and time is not None:
            wait = int(reset) - time
    return None if wait is None else min(max(wait, 0), LONGEST_WAIT)


def _words_of(reply: Reply) -> str:
    """What the server says about it: GitHub's `message` and `errors`, or plain text; never markup."""
    try:
        body = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        text = reply.body[:4096].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return ""
    errors = body.get("errors")
    details = [_detail(error) for error in errors[:5]] if isinstance(errors, list) else []
    return "; ".join(part for part in (body["message"], *details) if part)


def _detail(error: Any) -> str:
    if isinstance(error, dict):
        parts = (error.get("message"), error.get("field"), error.get("code"))
        return " ".join(part for part in parts if isinstance(part, str))
    return error if isinstance(error, str) else ""


def _run_of(body: bytes, scrub: Scrub) -> tuple[int | None, str | None]:
    """The run that a 200 names, and its page; no id is no run."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None, None
    run_id = told.get("workflow_run_id") if isinstance(told, dict) else None
    if not isinstance(run_id, int) or isinstance(run_id, bool) or not 0 < run_id < 2**63:
        return None, None
    return run_id, page(told.get("html_url"), scrub)


def page(url: Any, scrub: Scrub) -> str | None:
    """The address of a run's page, where it is one that may be kept and shown."""
    return url if isinstance(url, str) and _PAGE.fullmatch(url) and scrub(url) == url else None
