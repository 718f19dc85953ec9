"""This repository on GitHub through PyGithub: no retries, no redirects, no token in any message.

`GitHubClient.api` is PyGithub's repository. Use it inside `asking`, which turns everything that PyGithub
raises into an ApiError.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from scheduler.delivery.github.api_url import read_api_url
from scheduler.delivery.github.http_burst import trust
from scheduler.delivery.github.proxy import proxy_for
from scheduler.errors import Error

# PyGithub is imported where it is used: it takes 0.2 s, and `summary` never asks GitHub anything.
if TYPE_CHECKING:
    from github.NamedUser import NamedUser
    from github.Organization import Organization
    from github.PaginatedList import PaginatedList
    from github.Repository import Repository

_AUTHOR = "github-actions[bot]"
"""Who writes with the token of a workflow."""
_TIMEOUT = 20
"""Seconds for one answer."""
_MOST = 1_000
"""Entries of a listing that are read at most: ten pages."""
_NOT_FOLLOWED = (202, 301, 302, 303, 307, 308)
"""Statuses after which PyGithub would ask again by itself, without a limit."""

Entry = TypeVar("Entry")


class ApiError(Error):
    """GitHub refused, did not answer, or answered something unreadable. The message holds no secret."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """`status` is the HTTP status, where an answer came."""
        super().__init__(message)
        self.status = status


class GitHubClient:
    """One repository on GitHub, as one token sees it."""

    def __init__(self, api_url: str, name: str, token: str, *, page: int = 100) -> None:
        """`api_url` is GITHUB_API_URL, `name` is owner/name, `page` the entries of one page of a listing.

        Asks nothing yet. Raises Error for a wrong address, proxy or SSL_CERT_FILE, and for a token that no
        header can carry.
        """
        from github import Auth, Github
        from urllib3.util import Retry

        if not (token.isascii() and token.isprintable()):  # the HTTP library would repeat it in its message
            raise Error("the token of this step contains a character that an HTTP header cannot carry")
        url = read_api_url(api_url)
        proxy_for(url, os.environ)  # `requests` reads these by itself; here each gets the clear error that it
        trust(os.environ)  # gets everywhere
        self.name = name
        # No failed request is repeated, and the listed statuses are failures too: that is how PyGithub's
        # public API is kept from following a redirect and from polling after a 202.
        once = Retry(total=0, status_forcelist=_NOT_FOLLOWED, allowed_methods=None)
        self.api: Repository = Github(
            auth=Auth.Token(token),
            base_url=str(url),
            verify=os.environ.get("SSL_CERT_FILE") or True,
            timeout=_TIMEOUT,
            user_agent="wave-scheduler",
            per_page=page,
            retry=once,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,  # `get_repo`, `get_issue` and the like ask nothing by themselves
            api_version="2022-11-28",
        ).get_repo(name)


def entries(listing: PaginatedList[Entry]) -> Iterator[Entry]:  # type: ignore[type-var] # its bound is private
    """The entries of a listing, page after page, up to a thousand."""
    return islice(listing, _MOST)


def is_by_workflow(user: NamedUser | Organization | None) -> bool:
    """Whether a workflow wrote it. None is a deleted account."""
    return user is not None and user.login == _AUTHOR


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raise ApiError for everything that PyGithub raises; `what` is the request in words ("open an issue").

    PyGithub checks little of what it reads: an answer that GitHub would not send becomes one of Python's
    errors.
    """
    from github import BadAttributeException, GithubException, IncompletableObject
    from urllib3.exceptions import ResponseError

    unreadable = (BadAttributeException, IncompletableObject)  # PyGithub's own; the rest are Python's
    odd = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
    try:
        yield
    except (*unreadable, *odd) as failure:
        problem = f"GitHub's answer cannot be read ({type(failure).__name__})"
        raise ApiError(f"could not {what}: {problem}") from None
    except GithubException as answer:
        said = answer.data.get("message", "") if isinstance(answer.data, dict) else ""
        message = f"could not {what}: HTTP {answer.status} {said}".rstrip()
        raise ApiError(message, status=answer.status) from None
    except OSError as failure:  # what `requests` raises, RetryError among it
        reason = getattr(next(iter(failure.args), None), "reason", None)
        if isinstance(reason, ResponseError):  # "too many 301 error responses": one is too many
            raise ApiError(f"could not {what}: GitHub redirected the request or did not finish it") from None
        refused = re.search(r"Tunnel connection failed: (\d{3})", str(failure))
        if refused is not None:
            problem = f"the proxy in HTTPS_PROXY refused to connect to GitHub: HTTP {refused[1]}"
            raise ApiError(f"could not {what}: {problem}") from None
        raise ApiError(f"could not {what}: no answer from GitHub ({type(failure).__name__})") from None
