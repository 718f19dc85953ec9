"""One file on a branch of our own, and the one pull request that proposes it.

The branch belongs to an issue. What we committed there may be replaced; what somebody else committed there
stays. All of it goes through the API, so no step needs git's credentials, and GitHub signs the commits.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from scheduler.github_actions.comments import AUTHOR
from scheduler.github_actions.rest import ApiError, RestClient

PREFIX = "wave-form/"
"""What the names of our branches begin with; the number of the issue follows."""
_DIGEST = re.compile(r"^Wave-form: ([0-9a-f]{64})$", re.MULTILINE)
_FILE = re.compile(r"\A<!-- wave-form: (\S+) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Content:
    """A file as it is to be, on top of a commit."""

    file: str
    text: str
    base: str

    @property
    def digest(self) -> str:
        """Tells this text in this file from every other, whatever it is based on."""
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
        """The file that it proposes, where we made it."""
        match = _FILE.match(self.body) if self.is_ours else None
        return match[1] if match else None


def marked(file: str, markdown: str) -> str:
    """The text of a pull request that says which file it proposes."""
    return f"<!-- wave-form: {file} -->\n{markdown}"


def put(
    repository: RestClient, branch: str, content: Content, message: str
) -> Literal["made", "updated", "unchanged", "theirs"]:
    """Let the branch hold that content in one commit of ours. Raises ApiError.

    "theirs": somebody else committed there meanwhile, and nothing was done.
    """
    head = _head(repository, branch)
    if head is not None:
        before = _DIGEST.search(repository.get(f"git/commits/{head}")["message"])
        if before is None:
            return "theirs"
        if before[1] == content.digest:
            return "unchanged"
    commit = _commit(repository, content, f"{message}\n\nWave-form: {content.digest}\n")
    if head is None:
        repository.post("git/refs", {"ref": f"refs/heads/{branch}", "sha": commit})
        return "made"
    repository.patch(f"git/refs/heads/{branch}", {"sha": commit, "force": True})
    return "updated"


def _head(repository: RestClient, branch: str) -> str | None:
    try:
        return str(repository.get(f"git/ref/heads/{branch}")["object"]["sha"])
    except ApiError as answer:
        if answer.status == 404:
            return None
        raise


def _commit(repository: RestClient, content: Content, message: str) -> str:
    below = repository.get(f"git/commits/{content.base}")["tree"]["sha"]
    entry = {"path": content.file, "mode": "100644", "type": "blob", "content": content.text}
    tree = repository.post("git/trees", {"base_tree": below, "tree": [entry]})["sha"]
    made = repository.post("git/commits", {"message": message, "tree": tree, "parents": [content.base]})
    return str(made["sha"])


# --- pull requests ----------------------------------------------------------------------------------


def pull_requests_of(repository: RestClient, branch: str) -> list[PullRequest]:
    """All that there ever were from that branch, newest first. Raises ApiError."""
    owner = repository.name.partition("/")[0]
    return [_told(one) for one in repository.list("pulls", state="all", head=f"{owner}:{branch}")]


def rival_of(repository: RestClient, branch: str, file: str) -> PullRequest | None:
    """An open pull request of ours, from another branch, that proposes the same file. Raises ApiError."""
    opened = (_told(one) for one in repository.list("pulls", state="open"))
    others = (one for one in opened if one.branch.startswith(PREFIX) and one.branch != branch)
    return next((one for one in others if one.file == file), None)


def propose(
    repository: RestClient, branch: str, base: str, known: PullRequest | None, title: str, body: str
) -> int | None:
    """Open the pull request, or let it say this; its number. None where workflows may not open any.

    The words of one that a person opened stay. Raises ApiError.
    """
    if known is None:
        try:
            asked = {"title": title, "head": branch, "base": base, "body": body}
            return int(repository.post("pulls", asked)["number"])
        except ApiError as answer:
            if answer.status == 403:  # a setting of the repository
                return None
            raise
    if known.is_ours and (known.title, known.body) != (title, body):
        repository.patch(f"pulls/{known.number}", {"title": title, "body": body})
    return known.number


def link_to_open(server: str, repository: RestClient, base: str, branch: str) -> str:
    """Where a person opens the pull request with one click."""
    return f"{server}/{repository.name}/compare/{quote(base)}...{quote(branch)}?expand=1"


def _told(one: dict[str, Any]) -> PullRequest:
    return PullRequest(
        number=one["number"],
        state="open" if one["state"] == "open" else "merged" if one["merged_at"] else "closed",
        is_ours=(one["user"] or {}).get("login") == AUTHOR,
        branch=one["head"]["ref"],
        title=one["title"],
        body=one["body"] or "",
    )
