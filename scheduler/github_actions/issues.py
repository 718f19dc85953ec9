"""One issue for one thing that went wrong: opened, kept up to date, closed and opened again.

An issue belongs to a *topic* (a wave, the ticks, the scheduler itself). A hidden line of its body names the
topic and the facts that the issue reports, so that a tick with nothing new changes and notifies nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduler.github_actions.client import GitHubClient, asking, entries, is_by_workflow
from scheduler.github_actions.markdown import COMMENT_LIMIT, code, fit

if TYPE_CHECKING:
    from github.Issue import Issue as GitHubIssue

LABEL = "wave-scheduler"
_MARKER = re.compile(r"\A<!-- wave-scheduler: (\{.*\}) -->\s*$", re.MULTILINE)
_SHOWN = 60
"""Facts that an issue lists at most: they must fit twice, hidden and visible. The summary has them all."""


@dataclass(frozen=True)
class Topic:
    """What an issue is about: a key that never changes, a title, and what to do about it."""

    key: str
    title: str
    advice: str

    def within(self, folder: str) -> Topic:
        """The topic in one of several folders of a repository, each with a scheduler; "" is the top."""
        return (
            replace(self, key=f"{folder}: {self.key}", title=f"{self.title} ({folder})") if folder else self
        )


@dataclass(frozen=True)
class Known:
    """An existing issue, with the facts it reports (name -> message)."""

    number: int
    is_open: bool
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """What to do with a topic's issue: `facts` is what it reports from now on, `comment` notifies people."""

    topic: Topic
    facts: Mapping[str, str]
    comment: str | None


def known_issues(client: GitHubClient) -> dict[str, Known]:
    """Our own issues by topic; where a topic has several, the open one, else the newest. Raises ApiError."""
    found: dict[str, Known] = {}
    with asking("list the issues"):
        listed = list(entries(client.api.get_issues(state="all", labels=[LABEL])))
        for issue in sorted(listed, key=lambda one: (one.state == "open", one.number)):
            match = _MARKER.search(issue.body or "")
            if match is None or _is_pull_request(issue) or not is_by_workflow(issue.user):
                continue
            try:
                marker = json.loads(match[1])
                found[marker["topic"]] = Known(issue.number, issue.state == "open", dict(marker["facts"]))
            except (ValueError, KeyError, TypeError):
                continue  # somebody edited it: from now on it is theirs
    return found


def _is_pull_request(issue: GitHubIssue) -> bool:
    # Not `issue.pull_request`: where a listing has no such key, PyGithub would ask for each issue by itself.
    return "/pull/" in issue.html_url


def step_for(topic: Topic, known: Known | None, wrong: Mapping[str, str], fine: Iterable[str]) -> Step | None:
    """What this run changes: `wrong` maps names to messages, `fine` holds the names that have recovered.

    None where the issue is up to date.
    """
    before = known.facts if known is not None and known.is_open else {}
    well = set(fine)
    facts = {name: message for name, message in before.items() if name not in well} | dict(wrong)
    if facts == before:
        return None
    news = {name: message for name, message in wrong.items() if before.get(name) != message}
    if not facts:
        return Step(topic, {}, "Everything has recovered.")
    return Step(topic, facts, _list_of(news) if news and known is not None else None)


def take(client: GitHubClient, step: Step, known: Known | None, run_url: str) -> str:
    """Carry out the step; a line for the log. Raises ApiError."""
    body = _body(step, run_url)
    if known is None:
        with asking("open an issue"):
            number = int(client.api.create_issue(step.topic.title, body, labels=[LABEL]).number)
        return f"opened issue #{number}: {step.topic.title}"
    with asking(f"update issue #{known.number}"):
        issue = client.api.get_issue(known.number)
        if step.comment is not None:
            issue.create_comment(fit(f"{step.comment}\n\n[This run]({run_url})", COMMENT_LIMIT, "…"))
        if step.facts:
            issue.edit(body=body, state="open")
        else:
            issue.edit(body=body, state="closed", state_reason="completed")
    verb = "updated" if step.facts and known.is_open else "reopened" if step.facts else "closed"
    return f"{verb} issue #{known.number}: {step.topic.title}"


def _body(step: Step, run_url: str) -> str:
    # `>` is escaped, so that no text in the facts can end the hidden line.
    facts = dict(list(step.facts.items())[:_SHOWN])
    hidden = json.dumps({"topic": step.topic.key, "facts": facts}, ensure_ascii=False).replace(">", "\\u003e")
    what = _list_of(facts) if facts else "Nothing is wrong at the moment."
    more = len(step.facts) - len(facts)
    note = f"\n- and {more} more: see the run" if more else ""
    text = f"<!-- wave-scheduler: {hidden} -->\n{what}{note}\n\n{step.topic.advice}\n\n[The run]({run_url})\n"
    return fit(text, COMMENT_LIMIT, "…")


def _list_of(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {code(name)}: {code(message)}" for name, message in sorted(facts.items()))
