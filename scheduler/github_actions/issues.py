"""One issue for one thing that went wrong: opened, kept up to date, closed and opened again.

An issue belongs to a *topic* (a wave, the ticks, the scheduler itself). A hidden line of its body names the
topic and the facts that the issue reports, so that a tick with nothing new changes and notifies nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import TYPE_CHECKING

from scheduler.github_actions.client import ApiError, GitHubClient, asking, entries, is_by_workflow
from scheduler.github_actions.markdown import COMMENT_LIMIT, code, fit, plain
from scheduler.reporting.troubles import OpenTrouble
from scheduler.wording import listed, more

if TYPE_CHECKING:
    from github.Issue import Issue as GitHubIssue
    from github.NamedUser import NamedUser

LABEL = "wave-scheduler"
_MARKER = re.compile(r"\A<!-- wave-scheduler: (\{.*\}) -->\s*$", re.MULTILINE)
_SHOWN = 60
"""Troubles that an issue lists at most: they must fit twice, hidden and visible. The run has them all."""
_LONGEST, _LONGEST_SHOWN = 160, 320
"""Characters of a message, hidden and visible."""
_COMMANDS = 12
_FILES = 3
"""Files whose last author is asked for."""


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
    troubles: Sequence[OpenTrouble]
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


def step_for(topic: Topic, known: Known | None, found: Sequence[OpenTrouble]) -> Step | None:
    """What this run changes, given everything that is wrong now; None where the issue is up to date.

    An issue that a person closed stays closed until something is wrong that it does not report.
    """
    facts = {_name(trouble): plain(trouble.message)[:_LONGEST] for trouble in found[:_SHOWN]}
    if len(found) > _SHOWN:
        facts["…"] = f"{more(len(found) - _SHOWN)}: see the run"
    before = known.facts if known is not None else {}
    is_open = known is not None and known.is_open
    news = [name for name, message in facts.items() if before.get(name) != message]
    if facts == before or (known is not None and not is_open and not news):
        return None
    if not facts:
        return Step(topic, {}, (), "Everything has recovered.") if is_open else None
    told = "\n".join(f"- {code(name)}: {code(facts[name])}" for name in news)
    return Step(topic, facts, tuple(found[:_SHOWN]), told if told and known is not None else None)


def _name(trouble: OpenTrouble) -> str:
    return plain(trouble.name)


def take(client: GitHubClient, step: Step, known: Known | None, page: Page) -> str:
    """Carry out the step; a line for the log. Raises ApiError."""
    title, body = step.topic.title, _body(client, step, page)
    if known is None:
        with asking("open an issue"):
            number = int(client.api.create_issue(title, body, labels=[LABEL]).number)
        return f"opened issue #{number}: {title}"
    with asking(f"update issue #{known.number}"):
        issue = client.api.get_issue(known.number)
        if step.comment is not None:
            issue.create_comment(fit(f"{step.comment}\n\n[This run]({page.run_url})", COMMENT_LIMIT, "…"))
        if step.facts:
            issue.edit(title=title, body=body, state="open")
        else:
            issue.edit(body=body, state="closed", state_reason="completed")
    verb = "updated" if step.facts and known.is_open else "reopened" if step.facts else "closed"
    return f"{verb} issue #{known.number}: {title}"


def _body(client: GitHubClient, step: Step, page: Page) -> str:
    # `>` is escaped, so that no text in the facts can end the hidden line.
    hidden = json.dumps({"topic": step.topic.key, "facts": step.facts}, ensure_ascii=False)
    lines = ["<!-- wave-scheduler: " + hidden.replace(">", "\\u003e") + " -->"]
    lines += [line for trouble in step.troubles for line in _lines(trouble)]
    if "…" in step.facts:
        lines.append(f"- {step.facts['…']}")
    if not step.facts:
        lines.append("Nothing is wrong at the moment.")
    run = page.commands(step.troubles)
    if run:
        lines += ["", "What to run:", "", "```sh", *run, "```"]
    authors = page.authors(client, step.troubles)
    if authors:
        lines += ["", f"Last changed by {listed([f'@{login}' for login in authors])}."]
    text = "\n".join([*lines, "", step.topic.advice, "", f"[The run]({page.run_url})", ""])
    return fit(text, COMMENT_LIMIT, "…")


def _lines(trouble: OpenTrouble) -> Iterator[str]:
    """What is wrong, when it was to be published, and what to do."""
    when = f", {plain(trouble.local_time)}" if trouble.local_time else ""
    at = f" ({code(f'{trouble.file}:{trouble.line}')})" if trouble.file and trouble.line else ""
    yield f"- {code(_name(trouble))}{when}: {code(trouble.message[:_LONGEST_SHOWN])}{at}"
    if trouble.remedy:
        yield f"  What to do: {code(trouble.remedy)}"


@dataclass(frozen=True)
class Page:
    """Where the run is that an issue links to, and what its commands have to name."""

    run_url: str
    repository: str
    """owner/name."""
    workflow: str
    """The file name of the workflow that reconciles."""
    folder: str = ""
    """Where the scheduler's files are below the top of the repository; "" is the top."""
    commit: str = "HEAD"
    """What the run read, or another name of the default branch."""

    def commands(self, found: Sequence[OpenTrouble]) -> list[str]:
        """The commands of some troubles, each once and ready to be run: what needs the tokens or writes the
        state is run by the workflow."""
        start = f"gh workflow run {self.workflow} --repo {self.repository}"
        place = f"scheduler -C {quote(self.folder)}" if self.folder else "scheduler"
        retries: dict[str, list[str]] = {}
        lines: dict[str, None] = {}
        for trouble in found:
            if trouble.token is not None:
                lines[f"gh secret set {quote(trouble.token)} --repo {self.repository} --env scheduler"] = None
            verb, _, rest = (trouble.command or "").removeprefix("scheduler ").partition(" ")
            if verb == "retry":
                name, _, option = rest.partition(" ")
                retries.setdefault(option, []).append(name)
            elif verb == "doctor":
                lines[f"{start} -f doctor=true"] = None
            elif verb:
                lines[f"{place} {plain(verb)} {quote(plain(rest)) if rest else ''}".rstrip()] = None
        for option, names in retries.items():
            resend = " -f resend=true" if option else ""
            lines[f"{start} -f retry={quote(plain(' '.join(names)))}{resend}"] = None
        return list(lines)[:_COMMANDS]

    def authors(self, client: GitHubClient, found: Sequence[OpenTrouble]) -> list[str]:
        """The logins of those who last changed the files in question, where GitHub knows them."""
        files = dict.fromkeys(trouble.file for trouble in found if trouble.file)
        logins: dict[str, None] = {}
        for file in list(files)[:_FILES]:
            path = f"{self.folder}/{file}" if self.folder else file
            try:
                with asking(f"list the commits of {path}"):
                    commits = client.api.get_commits(path=path, sha=self.commit).get_page(0)
                    author: NamedUser | None = (
                        commits[0].author if commits else None
                    )  # whatever its type says
                    if author is not None and author.type == "User":
                        logins[author.login] = None
            except ApiError:
                continue  # a mention is a courtesy; the issue has to be there
        return list(logins)
