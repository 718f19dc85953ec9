"""Asking GitHub's REST API about this repository: plain requests, no redirects, no token in any message."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote, urlencode

from scheduler.delivery.github.api_url import ApiUrl, read_api_url
from scheduler.errors import Error

Method = Literal["GET", "POST", "PATCH"]

_TIMEOUT = 20
"""Seconds for one answer."""
_PAGES = 10
"""Pages of 100 entries that a listing reads at most."""


class ApiError(Error):
    """GitHub said no, or nothing that can be read. The words hold no secret."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """`status` is the HTTP status of an answer that came."""
        super().__init__(message)
        self.status = status


class RestClient:
    """One repository on GitHub, as one token sees it."""

    def __init__(self, api_url: str, name: str, token: str) -> None:
        """`api_url` is GITHUB_API_URL, `name` is owner/name.

        Raises Error for a wrong address, and for a token that no header can carry.
        """
        if not (token.isascii() and token.isprintable()):  # the HTTP library would repeat it in its words
            raise Error("the token of this step holds a character that no header can carry")
        self._url: ApiUrl = read_api_url(api_url)
        self.name = name
        self._token = token

    def get(self, path: str, **query: str | int) -> Any:
        """What stands at a path below the repository. Raises ApiError."""
        return self._ask("GET", path + ("?" + urlencode(query) if query else ""))

    def list(self, path: str, **query: str | int) -> Iterator[Any]:
        """Every entry of a listing, page after page. Raises ApiError."""
        for page in range(1, _PAGES + 1):
            entries = self.get(path, **query, per_page=100, page=page)
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise ApiError(f"GET {path}: what GitHub answered is no listing")
            yield from entries
            if len(entries) < 100:
                return

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Create something. Raises ApiError."""
        return self._ask("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change something. Raises ApiError."""
        return self._ask("PATCH", path, body)

    def _ask(self, method: Method, path: str, body: dict[str, Any] | None = None) -> Any:
        target = f"{self._url.path}/repos/{quote(self.name)}/{path}"
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "wave-scheduler",
        }
        content = None if body is None else json.dumps(body).encode()
        connection = self._connect()
        try:
            connection.request(method, target, content, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as failure:
            raise ApiError(f"{method} {path}: no answer from GitHub ({type(failure).__name__})") from None
        finally:
            connection.close()
        try:
            said = json.loads(text) if text else None
        except (ValueError, RecursionError):
            said = None
        if not 200 <= answer.status < 300:
            words = said.get("message", "") if isinstance(said, dict) else ""
            said_no = f"{method} {path}: HTTP {answer.status} {words}".rstrip()
            raise ApiError(said_no, status=answer.status)
        if not isinstance(said, dict | list):  # a proxy's page, or nothing: every answer we ask for is JSON
            raise ApiError(f"{method} {path}: HTTP {answer.status}, and no JSON that can be read")
        return said

    def _connect(self) -> http.client.HTTPConnection:
        if self._url.scheme == "http":
            return http.client.HTTPConnection(self._url.host, self._url.port, timeout=_TIMEOUT)
        return http.client.HTTPSConnection(
            self._url.host, self._url.port, timeout=_TIMEOUT, context=ssl.create_default_context()
        )
