"""What an editor can check after a refusal, by the server's own words and headers. Pure.

A 403 has many causes, and only one of them is a missing right. A hint that is guessed from the status alone
sends people to make a new token in vain, so a 403 whose message fits none of these gets no hint.
"""

from __future__ import annotations

import re

from scheduler.delivery.github.http_connection import Reply
from scheduler.delivery.github.responses import message_of

_SSO_PAGE = re.compile(r"\burl=(https://[\x21-\x7e]{1,300})")
_FORBIDDEN = (
    (r"\bSAML\b|single sign-on", "authorize the token in {token} for single sign-on to {owner}"),
    (r"\barchived\b", "unarchive {repository}, or set `active: false` on the channel"),
    (r"\bIP allow list\b", "add this machine's address to the IP allow list of {owner}"),
    (
        r"\binstallation\b.*\bsuspended\b",
        "unsuspend the GitHub App whose token {token} has, in the settings of {owner}",
    ),
    (r"\bsuspended\b", "the account of the token in {token} is suspended: use a token of another account"),
    (
        r"\bpersonal access token \(classic\)",
        "use a fine-grained token or that of a GitHub App in {token}: {owner} accepts no classic ones",
    ),
    (r"\blifetime\b", "shorten the lifetime of the token in {token}, as {owner} requires"),
    (
        r"\bOAuth App access restrictions\b",
        "approve the app whose token {token} has in the settings of {owner}",
    ),
    (
        r"\brepository (access blocked|has been disabled)\b",
        "GitHub has blocked {repository}: ask GitHub's support about it",
    ),
    (
        r"\bnot accessible\b|\bmust have\b.*\b(?:rights|access)\b",
        "the token in {token} needs {right} on {repository}",
    ),
)
"""The words of GitHub's messages, in the order in which they are searched, and the hint for each."""


def forbidden_hint(reply: Reply, *, repository: str, token: str, right: str) -> str | None:
    """The hint for a 403; None where its message fits no known cause.

    `token`: the names of the variables that may hold it; `right`: what the request needs.
    """
    message, sso = message_of(reply), reply.headers.get("x-github-sso", "")
    facts = {"owner": repository.partition("/")[0], "repository": repository, "token": token, "right": right}
    if sso.startswith("required"):
        page = _SSO_PAGE.search(sso)
        return _FORBIDDEN[0][1].format(**facts) + (f": {page[1]}" if page else "")
    for words, hint in _FORBIDDEN:
        if re.search(words, message, re.IGNORECASE):
            return hint.format(**facts)
    return None
