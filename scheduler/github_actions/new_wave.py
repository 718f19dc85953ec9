"""A completed *New wave* form becomes a pull request, or a comment that says why not.

Anybody can write the form; only an event by somebody who may write to the repository is acted on. Nothing
from the form reaches a shell, an unchecked path, or Markdown outside a code block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scheduler.app import operations
from scheduler.app.repository import Repository as Waves
from scheduler.editing import Proposal, Refused, title_left_out
from scheduler.errors import Error, ScheduleError
from scheduler.github_actions import branches, forms
from scheduler.github_actions.branches import Content, PullRequest
from scheduler.github_actions.client import ApiError, GitHubClient, asking
from scheduler.github_actions.comments import put_comment
from scheduler.github_actions.markdown import COMMENT_LIMIT, code, fit
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.edit_text import edit_text
from scheduler.reporting.terminal import visible

_WRITERS = ("admin", "write")
"""GitHub's names for the permission to push; it reports `maintain` as `write`."""
_NO_CHECK = (
    "*GitHub does not start checks for a pull request that a workflow opened: approve the run of* Plan "
    "*below, or close and reopen this pull request.*"
)
_CUT = "*Too long for a comment: the branch has everything.*"


@dataclass(frozen=True)
class Issue:
    """The issue of an event, and who caused the event."""

    number: int
    body: str
    sender: str
    base: str
    """The default branch."""

    @property
    def branch(self) -> str:
        """Derived from the number alone, so that an edited form updates its own branch."""
        return f"{branches.PREFIX}{self.number}"


def read_event(event: Mapping[str, Any]) -> Issue:
    """The issue in an `issues` webhook event."""
    issue = event["issue"]
    return Issue(
        number=int(issue["number"]),
        body=issue["body"] or "",
        sender=event["sender"]["login"],
        base=event["repository"]["default_branch"],
    )


def answer(client: GitHubClient, waves: Waves, issue: Issue, server: str) -> str:
    """Do what the form asks for and report it in the issue's one comment; a line for the log.

    Raises ApiError, and Error where the form cannot be checked, because the state cannot be reached.
    """
    if not _may_write(client, issue.sender):
        return "nothing was done: the author of this event may not write to the repository"
    pulls = branches.pull_requests_of(client, issue.branch)
    opened = next((one for one in pulls if one.state == "open"), None)
    merged = next((one for one in pulls if one.state == "merged"), None)
    if opened is None and merged is not None:
        return _refuse(
            client, issue, None, f"#{merged.number} was merged: edit its file, or fill in a new form."
        )
    form, problems = forms.read_form(issue.body)
    if form is None:
        return _refuse(client, issue, opened, "\n".join(f"- {problem}" for problem in problems))
    try:
        proposal = forms.propose(operations.current_view(waves), form)
    except ScheduleError as problem:
        texts = problem.texts if isinstance(problem, Refused) else {}
        parts = [diagnostics_text(problem.diagnostics, texts)] if problem.diagnostics else []
        hint = "" if problem.hint is None else f"\n  hint: {problem.hint}"
        return _refuse(client, issue, opened, block("\n\n".join([*parts, f"error: {problem.message}{hint}"])))
    rival = branches.rival_of(client, issue.branch, proposal.file)
    if rival is not None:
        why = f"#{rival.number} already proposes {code(proposal.file)}. Write another “Name of the file”."
        return _refuse(client, issue, opened, why)
    return _propose(client, waves, issue, opened, form, proposal, server)


def _may_write(client: GitHubClient, login: str) -> bool:
    try:
        with asking(f"read the permission of {login}"):
            return client.api.get_collaborator_permission(login) in _WRITERS
    except ApiError as answer:
        if answer.status == 404:
            return False
        raise


def _refuse(client: GitHubClient, issue: Issue, opened: PullRequest | None, why: str) -> str:
    still = "Nothing was written." if opened is None else f"#{opened.number} stays as it was."
    comment = f"**This cannot become a wave yet.** {still}\n\n{why}\n\nEdit the form above: it is read again."
    return f"refused; comment {_comment(client, issue, comment)}"


def _propose(
    client: GitHubClient,
    waves: Waves,
    issue: Issue,
    opened: PullRequest | None,
    form: forms.Form,
    proposal: Proposal,
    server: str,
) -> str:
    commit = waves.commit()
    if commit is None:
        raise Error("the checkout is not a git work tree, so there is no commit to build on")
    content = Content(proposal.file, proposal.after, commit)
    title = f"Add {proposal.target}"
    done = branches.put(client, issue.branch, content, f"{title}\n\nAsked for in #{issue.number}.")
    if done == "theirs":
        where = f"#{opened.number}" if opened else f"the branch {code(issue.branch)}"
        why = f"Somebody else has committed to {where}: change {code(proposal.file)} there."
        return _refuse(client, issue, opened, why)
    parts = [f"Closes #{issue.number}, asked for by {code(issue.sender)}."]
    if form.reason is not None:
        parts.append(block("\n".join(map(visible, form.reason.splitlines()))))
    parts.append(_what_is_done(form, proposal))
    parts.append(_NO_CHECK)
    body = fit(branches.marked(proposal.file, "\n\n".join(parts)), COMMENT_LIMIT, _CUT)
    number = branches.propose(client, issue.branch, issue.base, opened, title, body)
    if number is None:
        link = branches.link_to_open(server, client, issue.base, issue.branch)
        where = f"The branch {code(issue.branch)} has the wave: **[open its pull request]({link})**."
    else:
        where = f"#{number} has the wave."
    comment = f"{where} Edit the form above to update it.\n\n{_what_is_done(form, proposal)}"
    return (
        f"branch {done}, pull request {number or 'not allowed'}, comment {_comment(client, issue, comment)}"
    )


def _what_is_done(form: forms.Form, proposal: Proposal) -> str:
    """The edit, after a note on what was left out of it."""
    why = title_left_out(proposal, form.title)
    note = "" if why is None else f"**The title was left out:** {why}.\n\n"
    return note + block(edit_text(proposal))


def _comment(
    client: GitHubClient, issue: Issue, markdown: str
) -> Literal["made", "updated", "unchanged", "none"]:
    return put_comment(client, issue.number, markdown, note=_CUT, update_only=False)


def block(text: str) -> str:
    """The text as a code block that no text inside can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"
