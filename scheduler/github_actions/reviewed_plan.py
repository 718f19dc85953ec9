"""Whether a merge does what its pull request's plan said when it was reviewed.

The first line of a plan's Markdown has a checksum of what the proposal changes, whatever time adds to it.
"""

from __future__ import annotations

import json
from typing import Any

from scheduler.github_actions.client import GitHubClient, asking, entries
from scheduler.github_actions.comments import is_ours, marker_of
from scheduler.reporting.pull_request.comment import MARKER


def difference(client: GitHubClient, sha: str, merged: str, folder: str) -> str | None:
    """A sentence about a merge whose plan is not the reviewed one; None where it is, or nothing was reviewed.

    `merged` is the plan of the commit `sha`, compared with what the branch was before. Raises ApiError.
    """
    now = _facts(merged, MARKER)
    with asking(f"find the pull request of {sha[:12]}"):
        pulls = [one for one in entries(client.api.get_commit(sha).get_pulls()) if one.merged_at is not None]
    if now is None or not pulls:
        return None
    number, marker = pulls[0].number, marker_of(folder)
    with asking(f"list the comments of #{number}"):
        comments = [
            one for one in entries(client.api.get_issue(number).get_comments()) if is_ours(one, marker)
        ]
    reviewed = _facts(comments[-1].body, marker) if comments else None
    if reviewed is None:
        empty = "the plan of this merge is not the reviewed one: the pull request had none"
        return f"#{number}: {empty}" if _changes(now) else None
    if reviewed.get("proposal") in (None, now["proposal"]):
        return None
    return (
        f"#{number}: the plan of this merge is not the reviewed one. Reviewed: {_changes(reviewed)}, merged: "
        f"{_changes(now)}. Something else was merged or recorded in the meantime; `scheduler list` shows "
        "what is planned now."
    )


def _facts(markdown: str, marker: str) -> dict[str, Any] | None:
    first = markdown.partition("\n")[0]
    try:
        facts: dict[str, Any] = json.loads(first.removeprefix(marker).removesuffix("-->"))
    except ValueError:
        return None
    return facts if "checksum" in facts else None


def _changes(facts: dict[str, Any]) -> str:
    """`2 create, 1 update`; empty where nothing is changed."""
    booked = ("create", "update", "pause", "resume", "reopen", "cancel", "retract")
    return ", ".join(f"{facts[action]} {action}" for action in booked if facts.get(action))
