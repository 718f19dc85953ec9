"""Dispatches to channels' repositories on GitHub, and queries about their runs, over our own connections."""

from __future__ import annotations

from scheduler.delivery.dispatcher import Dispatcher, Opening

DEFAULT_API = "https://api.github.com"


def open_dispatcher(opening: Opening) -> Dispatcher:
    """The dispatcher to GitHub. Raises Error for an address, proxy or SSL_CERT_FILE that cannot be used."""
    from scheduler.delivery.github.github_dispatcher import GitHubDispatcher

    api_url = opening.environ.get("GITHUB_API_URL") or DEFAULT_API
    return GitHubDispatcher(api_url, opening.token, now=opening.now, environ=opening.environ)
