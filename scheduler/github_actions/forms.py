"""The issue form for a new wave: how GitHub renders it, and the wave that it asks for. Pure.

GitHub writes a heading for each field, with the answer below it. All of it is other people's text: only its
form is checked here. The proposal is then checked by the same rules as every wave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scheduler import editing
from scheduler.editing import Proposal, View
from scheduler.reporting.terminal import visible
from scheduler.times import TimeError, duration_text, read_duration

FIELDS = ("Type", "Video", "Time", "Time zone", "Channels", "Delay", "Title", "Name of the file", "Reason")
"""The labels of the form's fields, in their order (`.github/ISSUE_TEMPLATE/new-wave.yml`)."""
REQUIRED = ("Type", "Video", "Time", "Channels")
EMPTY = "_No response_"
"""What GitHub writes for a field that was left empty."""
_REASON = "Reason"
_HEADING = re.compile(r"###(?=[ \t])")
_TAGS = re.compile(r"\{?\s*tags?(?:\s*:|\s)\s*", re.IGNORECASE)

Type = Literal["simultaneous", "staggered", "local time"]
_TYPES: tuple[Type, ...] = ("simultaneous", "staggered", "local time")


@dataclass(frozen=True)
class Form:
    """What a form asks for, as it was typed; None for what was left empty."""

    type: Type
    video: str
    time: str
    zone: str | None
    channels: Sequence[str] | Mapping[str, Any]
    """Ids, or `{"tags": [...]}`."""
    delay: str | None
    title: str | None
    name: str | None
    reason: str | None


def read_form(body: str) -> tuple[Form | None, list[str]]:
    """The form in the body of an issue, or None; and what is wrong with it, in sentences."""
    answers, problems = _answers(body)
    if not answers:
        return None, ["this issue is not a *New wave* form: the headings are missing"]
    for label in REQUIRED:
        if not answers.get(label) and not any(f"“{label}”" in problem for problem in problems):
            problems.append(f"“{label}” is empty")
    kind = next((kind for kind in _TYPES if answers.get("Type", "").lower().startswith(kind)), None)
    if kind is None and answers.get("Type"):
        problems.append(f"“Type” must be one of: {', '.join(_TYPES)}")
    delay, more = _delay(answers.get("Delay") or None)
    problems += more
    zone = answers.get("Time zone") or None
    if kind == "local time" and zone is not None:
        problems.append("“Time zone” must be empty for local time: each channel has its own")
    if problems or kind is None:
        return None, problems
    return Form(
        type=kind,
        video=answers["Video"],
        time=re.sub(r"(?<=\d) +(?=\d)", "T", answers["Time"], count=1),  # `2030-03-01 18:00`
        zone="channel" if kind == "local time" else zone,
        channels=_channels(answers["Channels"]),
        delay=delay,
        title=answers.get("Title") or None,
        name=answers.get("Name of the file") or None,
        reason=answers.get(_REASON) or None,
    ), []


def propose(view: View, form: Form) -> Proposal:
    """The wave that a form asks for, as `scheduler create` would write it. Raises ScheduleError."""
    return editing.create_group(
        view,
        "staggered" if form.type == "staggered" else "simultaneous",
        video=form.video,
        channels=form.channels,
        at=form.time,
        timezone=form.zone,
        delay=form.delay,
        title=form.title,
        wave=form.name,
    )


def _answers(body: str) -> tuple[dict[str, str], list[str]]:
    """The answer below each heading. Below the last one there may be anything, headings included."""
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    label = None
    for line in body.splitlines():
        heading = line[3:].strip(" \t") if _HEADING.match(line) else None
        if heading in FIELDS and label != _REASON:
            label = heading
            if label in found:
                problems.append(f"duplicate heading “{label}”: keep one of them")
            found[label] = []
        elif label is not None:
            found[label].append(line)
    answers = {}
    for label, lines in found.items():
        text = "\n".join(lines).strip()
        answers[label] = "" if text == EMPTY else text
        if label != _REASON and "\n" in answers[label]:
            problems.append(f"“{label}” must be a single line")
    return answers, problems


def _delay(typed: str | None) -> tuple[str | None, list[str]]:
    """A duration as `scheduler create` writes it."""
    try:
        return (None if typed is None else duration_text(read_duration(typed))), []
    except TimeError as problem:
        return None, [f"“Delay”: {visible(str(problem))}; {problem.hint}"]


def _channels(text: str) -> Sequence[str] | Mapping[str, Any]:
    """Ids; or tags as YAML or as people write them: `{ tags: [gaming, german] }`, `tag gaming`."""
    opening = _TAGS.match(text)
    if opening:
        listed = text[opening.end() :].removesuffix("}").rstrip()
        tags = _names(listed.removeprefix("[").removesuffix("]"))
        if tags:
            return {"tags": tags}
    return _names(text)


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[,\s]+", text) if name]
