"""What a refusal is about, and what an editor can check, by the server's own words and headers. Pure.

A 403 has many causes, and only one of them is a missing right. A hint that is guessed from the status alone
sends people to make a new token in vain, so a 403 whose message fits none of these gets no hint.
"""

from __future__ import annotations

import re
from typing import Literal

from scheduler.delivery.github.http_connection import Outcome, Reply
from scheduler.delivery.github.responses import LONGEST_MESSAGE, is_limited, message_of

Scope = Literal["everywhere", "owner"]
"""Where a token is not accepted: nowhere at all, or not for the repositories of one owner."""
_SSO_PAGE = re.compile(r"\burl=(https://[\x21-\x7e]{1,300})")
_FORBIDDEN: tuple[tuple[str, Scope | None, str], ...] = (
    (r"\bSAML\b|single sign-on", "owner", "authorize the token in {token} for single sign-on to {owner}"),
    (r"\barchived\b", None, "unarchive {repository}, or set `active: false` on the channel"),
    (r"\bIP allow list\b", "owner", "add this machine's address to the IP allow list of {owner}"),
    (
        r"\binstallation\b.*\bsuspended\b",
        "owner",
        "unsuspend the GitHub App whose token {token} has, in the settings of {owner}",
    ),
    (
        r"\bsuspended\b",
        "everywhere",
        "the account of the token in {token} is suspended: use a token of another account",
    ),
    (r"\A(?=.*\btoken\b).*\bexpired\b", "everywhere", "the token in {token} has expired: renew it"),
    (
        r"\A(?=.*\b(?:token|credential)s?\b).*\brevoked\b",
        "everywhere",
        "the token in {token} was revoked: put a new one there",
    ),
    (
        r"\bpersonal access token \(classic\)",
        "owner",
        "use a fine-grained token or that of a GitHub App in {token}: {owner} accepts no classic ones",
    ),
    (r"\blifetime\b", "owner", "shorten the lifetime of the token in {token}, as {owner} requires"),
    (
        r"\bOAuth App access restrictions\b",
        "owner",
        "approve the app whose token {token} has in the settings of {owner}",
    ),
    (
        r"\brepository (access blocked|has been disabled)\b",
        None,
        "GitHub has blocked {repository}: ask GitHub's support about it",
    ),
    (
        r"\bnot accessible\b|\bmust have\b.*\b(?:rights|access)\b",
        None,
        "the token in {token} needs {right} on {repository}",
    ),
)
"""The words of GitHub's messages, in the order in which they are searched; where the token is not accepted,
if they speak of it; and the hint."""


def where_token_ended(outcome: Outcome) -> Scope | None:
    """Where the token is not accepted any more, by this answer; None where it is not about the token."""
    if not isinstance(outcome, Reply) or is_limited(outcome):
        return None
    if outcome.status == 401:
        return "everywhere"
    row = _row(outcome) if outcome.status == 403 else None
    return None if row is None else row[1]


def _row(reply: Reply) -> tuple[str, Scope | None, str] | None:
    """The row of a 403."""
    if reply.headers.get("x-github-sso", "").startswith("required"):
        return _FORBIDDEN[0]
    message = message_of(reply)[:LONGEST_MESSAGE]
    return next((row for row in _FORBIDDEN if re.search(row[0], message, re.IGNORECASE)), None)


def forbidden_hint(reply: Reply, *, repository: str, token: str, right: str) -> str | None:
    """The hint for a 403; None where its message fits no known cause.

    `token`: the names of the variables that may hold it; `right`: what the request needs.
    """
    row = _row(reply)
    if row is None:
        return None
    facts = {"owner": repository.partition("/")[0], "repository": repository, "token": token, "right": right}
    sso = reply.headers.get("x-github-sso", "")
    page = _SSO_PAGE.search(sso) if sso.startswith("required") else None
    return row[2].format(**facts) + (f": {page[1]}" if page else "")
