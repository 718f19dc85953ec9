"""What an answer of GitHub means: the verdict on it, and a message that is safe to show.

Only a complete 204, or a complete 200 that names the run that was asked for, is a yes. An answer that may
mean acceptance without saying so is unknown. Pure: the bytes of an answer in, an `Answer` out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from scheduler.delivery.github.http_connection import NotSent, Outcome, Reply, ResponseLost
from scheduler.state.answers import Answer, Verdict
from scheduler.times import Instant, instant

LONGEST_MESSAGE = 500
LONGEST_TEXT = 4096
"""Characters of a server's message that are searched: what is shown of it is shorter still."""
LONGEST_WAIT = 86_400
"""Seconds, at most, that a server may ask to wait."""
_LIMIT_TEXT = re.compile(r"rate.?limit|secondary|abuse detection|throttled", re.IGNORECASE)
_TOKEN_LIKE = re.compile(r"\b(gh[a-z]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})")
_PAGE = re.compile(r"https://[A-Za-z0-9./_:-]{1,300}")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"\w{{3}}, (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)

Scrub = Callable[[str], str]


def scrubber(secrets: Iterable[str]) -> Scrub:
    """A function that makes foreign text safe to show: no secrets, no control characters, short."""
    known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "***")
        return _TOKEN_LIKE.sub("***", text)

    def scrub(text: str) -> str:
        visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in hide(text))
        message = " ".join(visible.split())
        return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"

    return scrub


def judge(
    outcome: Outcome, scrub: Scrub, *, asked_for_run: bool = False, hint: str | None = None,
    token_ended: bool = False, now: Instant | None = None,
) -> Answer:  # fmt: skip
    """The verdict on the one request of a dispatch.

    `asked_for_run`: the request asked for the run's id, so that a 200 can be a yes.
    `hint`: what an editor can check after a refusal, added to the message.
    `token_ended`: the refusal is about the token, so it is merely not now.
    `now`: the scheduler's own time, to which a wait that the server asks for is added; the server's
    `Date` where it is None.
    """
    if isinstance(outcome, NotSent):
        return Answer(verdict="not-now", error=scrub(f"nothing was sent: {outcome.why}"))
    if isinstance(outcome, ResponseLost):
        return Answer(verdict="unknown", error=scrub(f"it may have been sent: {outcome.why}"))
    time = server_time(outcome.headers)
    status = outcome.status
    if status == 204:
        return Answer(verdict="accepted", server_time=time)
    if status == 200 and asked_for_run and not outcome.truncated:
        run_id, page = _run_of(outcome.body, scrub)
        if run_id is not None:
            return Answer(verdict="accepted", run_id=run_id, run_url=page, server_time=time)
    message = summary(outcome)
    if is_limited(outcome):
        wait = _wait(outcome.headers, time)
        base = now if now is not None else time
        retry_at = base + wait if base is not None and wait is not None else None
        return Answer(
            verdict="not-now", error=scrub(message), retry_at=retry_at, limited=True, server_time=time
        )
    if 300 <= status < 500:
        error = scrub(f"{message}; {hint}" if hint else message)
        verdict: Verdict = "not-now" if token_ended else "refused"
        return Answer(verdict=verdict, error=error, token_ended=token_ended, server_time=time)
    return Answer(verdict="unknown", error=scrub(message), server_time=time)


_PHRASES = {
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Entity",
}
"""GitHub's phrases where Python's differ between 3.12 and 3.13: one state says the same on every machine."""


def summary(reply: Reply) -> str:
    """`HTTP 422: Unprocessable Entity (the server's message)`, not yet scrubbed."""
    try:
        phrase = _PHRASES.get(reply.status) or HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "unknown status"
    message = message_of(reply)
    shown = f" ({message})" if message and message.lower() != phrase.lower() else ""
    return f"HTTP {reply.status}: {phrase}{shown}"


def is_limited(reply: Reply) -> bool:
    """Whether this is a rate limit, which is about the token and not about the request."""
    if reply.status == 429:
        return True
    if reply.status != 403:
        return False
    return (
        "retry-after" in reply.headers
        or reply.headers.get("x-ratelimit-remaining", "").strip() == "0"
        or _LIMIT_TEXT.search(message_of(reply)) is not None
    )


def refuses_run_details(reply: Reply) -> bool:
    """Whether an older server rejected a dispatch because of the one key that it does not know."""
    return reply.status in (400, 422) and "return_run_details" in message_of(reply)


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
        clock = int(match[4]), int(match[5]), min(int(match[6]), 59)  # our instants have no leap seconds
        return instant(day.replace(hour=clock[0], minute=clock[1], second=clock[2]))
    except ValueError:
        return None


def _wait(headers: Mapping[str, str], time: Instant | None) -> int | None:
    """The seconds that the server asks to wait; None where it does not say."""
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


def message_of(reply: Reply) -> str:
    """The server's own message: GitHub's `message` and `errors`, or plain text; never markup."""
    try:
        body = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        text = reply.body[:LONGEST_TEXT].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return ""
    errors = body.get("errors")
    details = [_detail(error) for error in errors[:5]] if isinstance(errors, list) else []
    return "; ".join(part[:LONGEST_TEXT] for part in (body["message"], *details) if part)


def _detail(error: Any) -> str:
    if isinstance(error, dict):
        parts = (error.get("message"), error.get("field"), error.get("code"))
        return " ".join(part for part in parts if isinstance(part, str))
    return error if isinstance(error, str) else ""


def _run_of(body: bytes, scrub: Scrub) -> tuple[int | None, str | None]:
    """The id and page of the run that a 200 names; None without a valid id."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None, None
    run_id = data.get("workflow_run_id") if isinstance(data, dict) else None
    if not isinstance(run_id, int) or isinstance(run_id, bool) or not 0 < run_id < 2**63:
        return None, None
    return run_id, page(data.get("html_url"), scrub)


def page(url: Any, scrub: Scrub) -> str | None:
    """The address of a run's page, where it is safe to keep and show."""
    return url if isinstance(url, str) and _PAGE.fullmatch(url) and scrub(url) == url else None
