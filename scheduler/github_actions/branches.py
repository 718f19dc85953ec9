"""One file on a branch of our own, and the one pull request that proposes it.

The branch belongs to an issue. What we committed there may be replaced; what somebody else committed there
stays. Everything goes through the API, so that no step needs git credentials and GitHub signs the commits.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from scheduler.github_actions.client import ApiError, GitHubClient, asking, entries, is_by_workflow

if TYPE_CHECKING:
    from github.GitRef import GitRef
    from github.PullRequest import PullRequest as GitHubPullRequest

PREFIX = "wave-form/"
"""Prefix of our branches' names; the number of the issue follows."""
_DIGEST = re.compile(r"^Wave-form: ([0-9a-f]{64})$", re.MULTILINE)
_FILE = re.compile(r"\A<!-- wave-form: (\S+) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Content:
    """The text that a file is to have, on top of a commit."""

    file: str
    text: str
    base: str

    @property
    def digest(self) -> str:
        """Identifies this text in this file, whatever commit it is based on."""
        return hashlib.sha256(f"{self.file}\0{self.text}".encode()).hexdigest()


@dataclass(frozen=True)
class PullRequest:
    """A pull request from one of our branches."""

    number: int
    state: Literal["open", "merged", "closed"]
    is_ours: bool
    branch: str
    title: str
    body: str

    @property
    def file(self) -> str | None:
        """The file that it proposes; None where it is not ours."""
        match = _FILE.match(self.body) if self.is_ours else None
        return match[1] if match else None


def marked(file: str, markdown: str) -> str:
    """The body of a pull request, with a hidden first line that names the proposed file."""
    return f"<!-- wave-form: {file} -->\n{markdown}"


def put(
    client: GitHubClient, branch: str, content: Content, message: str
) -> Literal["made", "updated", "unchanged", "theirs"]:
    """Make the branch hold that content in one commit of ours. Raises ApiError.

    "theirs": somebody else has committed there, and nothing was done.
    """
    head = _head(client, branch)
    if head is not None:
        with asking(f"read the branch {branch}"):
            before = _DIGEST.search(client.api.get_git_commit(head.object.sha).message)
        if before is None:
            return "theirs"
        if before[1] == content.digest:
            return "unchanged"
    commit = _commit(client, content, f"{message}\n\nWave-form: {content.digest}\n")
    with asking(f"update the branch {branch}"):
        if head is None:
            client.api.create_git_ref(f"refs/heads/{branch}", commit)
            return "made"
        head.edit(commit, force=True)
    return "updated"


def _head(client: GitHubClient, branch: str) -> GitRef | None:
    try:
        with asking(f"read the branch {branch}"):
            return client.api.get_git_ref(f"heads/{branch}").complete()
    except ApiError as answer:
        if answer.status == 404:
            return None
        raise


def _commit(client: GitHubClient, content: Content, message: str) -> str:
    from github import InputGitTreeElement

    with asking("commit the wave"):
        below = client.api.get_git_commit(content.base)
        entry = InputGitTreeElement(content.file, "100644", "blob", content=content.text)
        tree = client.api.create_git_tree([entry], below.tree)
        return client.api.create_git_commit(message, tree, [below]).sha


# --- pull requests ----------------------------------------------------------------------------------


def pull_requests_of(client: GitHubClient, branch: str) -> list[PullRequest]:
    """Every pull request there has been from that branch, newest first. Raises ApiError."""
    owner = client.name.partition("/")[0]
    with asking("list the pull requests"):
        return [_read(one) for one in entries(client.api.get_pulls("all", head=f"{owner}:{branch}"))]


def rival_of(client: GitHubClient, branch: str, file: str) -> PullRequest | None:
    """An open pull request of ours, from another branch, that proposes the same file. Raises ApiError."""
    with asking("list the pull requests"):
        opened = map(_read, entries(client.api.get_pulls("open")))
        others = (one for one in opened if one.branch.startswith(PREFIX) and one.branch != branch)
        return next((one for one in others if one.file == file), None)


def propose(
    client: GitHubClient, branch: str, base: str, known: PullRequest | None, title: str, body: str
) -> int | None:
    """Open the pull request, or update its text; its number. None where workflows may not open any.

    The text of one that a person opened stays. Raises ApiError.
    """
    if known is None:
        try:
            with asking("open a pull request"):
                return int(client.api.create_pull(base, branch, title=title, body=body).number)
        except ApiError as answer:
            if answer.status == 403:  # a setting of the repository
                return None
            raise
    if known.is_ours and (known.title, known.body) != (title, body):
        with asking(f"update #{known.number}"):
            client.api.get_pull(known.number).edit(title=title, body=body)
    return known.number


def link_to_open(server: str, client: GitHubClient, base: str, branch: str) -> str:
    """Where a person opens the pull request with one click."""
    return f"{server}/{client.name}/compare/{quote(base)}...{quote(branch)}?expand=1"


def _read(one: GitHubPullRequest) -> PullRequest:
    return PullRequest(
        number=one.number,
        state="open" if one.state == "open" else "merged" if one.merged_at else "closed",
        is_ours=is_by_workflow(one.user),
        branch=one.head.ref,
        title=one.title,
        body=one.body or "",
    )
