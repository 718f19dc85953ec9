"""A filled form of a new wave becomes a pull request, or a comment that says in words why not.

The form is anybody's text; whoever's event this is must be able to write to the repository. Nothing of the
form reaches a shell, a path that was not checked, or Markdown outside of a code block.
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
"""What GitHub calls the permission of those who may push; `maintain` is told as `write`."""
_NO_CHECK = (
    "*GitHub starts no check by itself for what a workflow made: approve the run of* Plan *below, or close "
    "and reopen this.*"
)
_CUT = "*This was too long; the branch has all of it.*"


@dataclass(frozen=True)
class Issue:
    """The issue of an event, and whose event it was."""

    number: int
    body: str
    sender: str
    base: str
    """The default branch."""

    @property
    def branch(self) -> str:
        """Derived from the number alone, so that an edited form updates what it made."""
        return f"{branches.PREFIX}{self.number}"


def read_event(event: Mapping[str, Any]) -> Issue:
    """The issue in a webhook event of the kind `issues`."""
    issue = event["issue"]
    return Issue(
        number=int(issue["number"]),
        body=issue["body"] or "",
        sender=event["sender"]["login"],
        base=event["repository"]["default_branch"],
    )


def answer(client: GitHubClient, waves: Waves, issue: Issue, server: str) -> str:
    """Do what the form asks for, and say so in the issue's one comment; the same in a line for the log.

    Raises ApiError, and Error where nothing can be said about the form: the state can't be reached.
    """
    if not _may_write(client, issue.sender):
        return "nothing was done: whoever filled in, edited or labelled the form may not write here"
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
        return _refuse(client, issue, opened, block(_words(problem)))
    rival = branches.rival_of(client, issue.branch, proposal.file)
    if rival is not None:
        words = f"#{rival.number} proposes {code(proposal.file)} already. Write another “Name of the file”."
        return _refuse(client, issue, opened, words)
    return _propose(client, waves, issue, opened, form, proposal, server)


def _may_write(client: GitHubClient, login: str) -> bool:
    try:
        with asking(f"read the permission of {login}"):
            return client.api.get_collaborator_permission(login) in _WRITERS
    except ApiError as answer:
        if answer.status == 404:
            return False
        raise


def _words(problem: ScheduleError) -> str:
    """What a command would have printed."""
    texts = problem.texts if isinstance(problem, Refused) else {}
    parts = [diagnostics_text(problem.diagnostics, texts)] if problem.diagnostics else []
    hint = "" if problem.hint is None else f"\n  hint: {problem.hint}"
    return "\n\n".join([*parts, f"error: {problem}{hint}"])


def _refuse(client: GitHubClient, issue: Issue, opened: PullRequest | None, words: str) -> str:
    still = "Nothing was written." if opened is None else f"#{opened.number} stays as it was."
    told = f"**This cannot become a wave yet.** {still}\n\n{words}\n\nEdit the form above: it is read again."
    return f"refused; comment {_comment(client, issue, told)}"


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
        raise Error("the checkout is no git work tree, so there is nothing to propose on top of")
    content = Content(proposal.file, proposal.after, commit)
    title = f"Add {proposal.target}"
    done = branches.put(client, issue.branch, content, f"{title}\n\nAsked for in #{issue.number}.")
    if done == "theirs":
        where = f"#{opened.number}" if opened else f"the branch {code(issue.branch)}"
        words = f"Somebody else has committed to {where}: make the change in {code(proposal.file)} there."
        return _refuse(client, issue, opened, words)
    body = fit(branches.marked(proposal.file, _description(issue, form, proposal)), COMMENT_LIMIT, _CUT)
    number = branches.propose(client, issue.branch, issue.base, opened, title, body)
    if number is None:
        link = branches.link_to_open(server, client, issue.base, issue.branch)
        where = f"The branch {code(issue.branch)} has the wave: **[open its pull request]({link})**."
    else:
        where = f"#{number} has the wave."
    told = f"{where} Edit the form above, and it follows.\n\n{_what_is_done(form, proposal)}"
    return f"branch {done}, pull request {number or 'not allowed'}, comment {_comment(client, issue, told)}"


def _description(issue: Issue, form: forms.Form, proposal: Proposal) -> str:
    """What the pull request says."""
    parts = [f"Closes #{issue.number}, asked for by {code(issue.sender)}."]
    if form.reason is not None:
        parts.append(block("\n".join(map(visible, form.reason.splitlines()))))
    parts.append(_what_is_done(form, proposal))
    parts.append(_NO_CHECK)
    return "\n\n".join(parts)


def _what_is_done(form: forms.Form, proposal: Proposal) -> str:
    """The edit, and before it what of the form is not in it."""
    why = title_left_out(proposal, form.title)
    note = "" if why is None else f"**The title was left out:** {why}.\n\n"
    return note + block(edit_text(proposal))


def _comment(
    client: GitHubClient, issue: Issue, markdown: str
) -> Literal["made", "updated", "unchanged", "none"]:
    return put_comment(client, issue.number, markdown, note=_CUT, update_only=False)


def block(text: str) -> str:
    """The text as a code block that nothing in it can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"
