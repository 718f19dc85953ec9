"""One issue for one thing that went wrong: opened, kept up to date, closed and opened again.

An issue belongs to a *topic* (a wave, the ticks, the scheduler itself), named in a hidden line of its
body together with the facts that it tells. So a tick that brings nothing new changes and notifies nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.github_actions.markdown import COMMENT_LIMIT, code, fit
from scheduler.github_actions.rest import RestClient

LABEL = "wave-scheduler"
_MARKER = re.compile(r"\A<!-- wave-scheduler: (\{.*\}) -->\s*$", re.MULTILINE)
_AUTHOR = "github-actions[bot]"
_SHOWN = 60
"""Facts that an issue shows, so that it fits twice: hidden and seen. The run's summary has them all."""


@dataclass(frozen=True)
class Topic:
    """What an issue is about: a key that never changes, a title, and what to do about it."""

    key: str
    title: str
    advice: str


@dataclass(frozen=True)
class Known:
    """An issue that is there, with the facts it tells (name -> words)."""

    number: int
    is_open: bool
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """What to do with a topic's issue: `facts` are what it tells from now on, `comment` is said aloud."""

    topic: Topic
    facts: Mapping[str, str]
    comment: str | None


def known_issues(listed: Iterable[Mapping[str, Any]]) -> dict[str, Known]:
    """The issues of our own among those listed, by topic; of several the open one, else the newest."""
    found: dict[str, Known] = {}
    for issue in sorted(listed, key=lambda one: (one["state"] == "open", one["number"])):
        match = _MARKER.search(issue.get("body") or "")
        if match is None or "pull_request" in issue or (issue.get("user") or {}).get("login") != _AUTHOR:
            continue
        try:
            marker = json.loads(match[1])
            found[marker["topic"]] = Known(issue["number"], issue["state"] == "open", dict(marker["facts"]))
        except (ValueError, KeyError, TypeError):
            continue  # somebody edited it: then it is theirs
    return found


def step_for(topic: Topic, known: Known | None, wrong: Mapping[str, str], fine: Iterable[str]) -> Step | None:
    """What this run changes: `wrong` are names with their words, `fine` are names that are well now.

    None where the issue says it all already.
    """
    before = known.facts if known is not None and known.is_open else {}
    well = set(fine)
    facts = {name: words for name, words in before.items() if name not in well} | dict(wrong)
    if facts == before:
        return None
    news = {name: words for name, words in wrong.items() if before.get(name) != words}
    if not facts:
        return Step(topic, {}, "All of it is well now.")
    return Step(topic, facts, _list_of(news) if news and known is not None else None)


def take(repository: RestClient, step: Step, known: Known | None, run_url: str) -> str:
    """Do it, and say in a few words what was done. Raises ApiError."""
    body = _body(step, run_url)
    if known is None:
        made = repository.post("issues", {"title": step.topic.title, "body": body, "labels": [LABEL]})
        return f"opened issue #{made['number']}: {step.topic.title}"
    change: dict[str, Any] = {"body": body, "state": "open" if step.facts else "closed"}
    if not step.facts:
        change["state_reason"] = "completed"
    if step.comment is not None:
        said = fit(f"{step.comment}\n\n[This run]({run_url})", COMMENT_LIMIT, "…")
        repository.post(f"issues/{known.number}/comments", {"body": said})
    repository.patch(f"issues/{known.number}", change)
    verb = "updated" if step.facts and known.is_open else "reopened" if step.facts else "closed"
    return f"{verb} issue #{known.number}: {step.topic.title}"


def _body(step: Step, run_url: str) -> str:
    # `>` is escaped, so that no text in the facts can end the hidden line.
    facts = dict(list(step.facts.items())[:_SHOWN])
    hidden = json.dumps({"topic": step.topic.key, "facts": facts}, ensure_ascii=False).replace(">", "\\u003e")
    what = _list_of(facts) if facts else "Nothing is wrong at present."
    more = len(step.facts) - len(facts)
    note = f"\n- and {more} more: see the run" if more else ""
    text = f"<!-- wave-scheduler: {hidden} -->\n{what}{note}\n\n{step.topic.advice}\n\n[The run]({run_url})\n"
    return fit(text, COMMENT_LIMIT, "…")


def _list_of(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {code(name)}: {code(words)}" for name, words in sorted(facts.items()))
