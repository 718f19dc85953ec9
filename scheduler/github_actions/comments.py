"""The one comment of a pull request: made once, then updated in place."""

from __future__ import annotations

from typing import Literal

from scheduler.github_actions.markdown import COMMENT_LIMIT, fit
from scheduler.github_actions.rest import ApiError, RestClient
from scheduler.reporting.pull_request.comment import MARKER

AUTHOR = "github-actions[bot]"


def put_comment(
    repository: RestClient, number: int, markdown: str, *, note: str, update_only: bool
) -> Literal["made", "updated", "unchanged", "none"]:
    """Say `markdown` in the pull request's one comment. Raises ApiError.

    `note` closes a text that had to be cut. With `update_only` no comment is made where there is none.
    Only a comment of our own author counts: anybody may write the marker into one of theirs.
    """
    marked = markdown if markdown.startswith(MARKER) else f"{MARKER} -->\n{markdown}"
    body = fit(marked, COMMENT_LIMIT, note)
    for comment in repository.list(f"issues/{number}/comments"):
        if (comment.get("user") or {}).get("login") == AUTHOR and (comment["body"] or "").startswith(MARKER):
            if comment["body"] == body:
                return "unchanged"
            try:
                repository.patch(f"issues/comments/{comment['id']}", {"body": body})
            except ApiError as answer:
                if answer.status != 404:  # somebody deleted it meanwhile: then it is made anew
                    raise
                break
            return "updated"
    if update_only:
        return "none"
    repository.post(f"issues/{number}/comments", {"body": body})
    return "made"
