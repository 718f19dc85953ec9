"""The one comment of a pull request: made once, then updated in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from scheduler.github_actions.client import ApiError, GitHubClient, asking, entries, is_by_workflow
from scheduler.github_actions.markdown import COMMENT_LIMIT, code, fit
from scheduler.reporting.pull_request.comment import MARKER

if TYPE_CHECKING:
    from github.IssueComment import IssueComment


def put_comment(
    client: GitHubClient, number: int, markdown: str, *, note: str, update_only: bool, folder: str = ""
) -> Literal["made", "updated", "unchanged", "none"]:
    """Put `markdown` into the one comment of a pull request or an issue. Raises ApiError.

    `note` ends a text that had to be cut. With `update_only` no comment is made where there is none.
    Only a comment by our own author counts: anybody can write the marker into one of theirs. Each `folder`
    with a scheduler has a comment of its own.
    """
    first, _, rest = (markdown if markdown.startswith(MARKER) else f"{MARKER} -->\n{markdown}").partition(
        "\n"
    )
    marker = marker_of(folder)
    about = f"In {code(folder)}:\n\n" if folder else ""
    body = fit(f"{marker}{first.removeprefix(MARKER)}\n{about}{rest}", COMMENT_LIMIT, note)
    with asking(f"list the comments of #{number}"):
        thread = client.api.get_issue(number)
        ours = next((one for one in entries(thread.get_comments()) if is_ours(one, marker)), None)
    if ours is not None:
        if ours.body == body:
            return "unchanged"
        try:
            with asking(f"update the comment of #{number}"):
                ours.edit(body)
            return "updated"
        except ApiError as answer:
            if answer.status != 404:  # deleted in the meantime: then it is made again
                raise
    if update_only:
        return "none"
    with asking(f"comment on #{number}"):
        int(thread.create_comment(body).id)
    return "made"


def marker_of(folder: str) -> str:
    """How the comment about a folder with a scheduler begins; "" is the top of the repository."""
    return f"{MARKER}@{quote(folder)}" if folder else MARKER


def is_ours(comment: IssueComment, marker: str) -> bool:
    """Whether our own author wrote it, with that marker: anybody can write the marker."""
    return is_by_workflow(comment.user) and (comment.body or "").startswith(f"{marker} ")
