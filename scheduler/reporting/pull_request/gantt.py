"""The publication times of a proposal as a Mermaid Gantt chart, which GitHub draws.

The chart shows what is when. Many publications are drawn as groups instead of one by one, and no more of
them than a chart can show; a move has a mark for the old time and one for the new.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scheduler.planning.plan import Change
from scheduler.reporting.plan_sections import is_move, record_of, series_of
from scheduler.reporting.pull_request.escaping import that_fit
from scheduler.reporting.terminal import clip, visible
from scheduler.wording import count

MOST = 40
"""Tasks of one chart: nobody can read more."""
_HEADER = ("```mermaid", "gantt", "title Publication times in UTC", "dateFormat YYYY-MM-DD HH:mm:ss",
         "axisFormat %m-%d %H:%M")  # fmt: skip
_LONGEST = 40
"""Characters of one label."""
_DRAWN = frozenset({"create", "update", "reopen", "cancel"})


class _Task(NamedTuple):
    """One mark. The tag sets the colour: `active` is the new time, `done` the old one, `crit` is
    cancelled."""

    section: str
    at: str
    word: str
    name: str
    tag: str


def gantt(changes: Sequence[Change], room: int) -> tuple[str, list[str]]:
    """The chart and what was left out of it; empty for a single publication, which needs no chart."""
    drawn = [
        change
        for change in changes
        if change.action in _DRAWN and (change.action != "update" or is_move(change))
    ]
    tasks = [task for change in drawn for task in _tasks(change, record_of(change).channel_id)]
    if len(drawn) < 2:
        return "", []
    if len(tasks) > MOST:
        # Those of one section, instant and name as one: `new teaser-4k x 40`.
        numbers: dict[_Task, int] = defaultdict(int)
        for task in [task for change in drawn for task in _tasks(change, series_of(record_of(change)))]:
            numbers[task] += 1
        tasks = [
            task if number == 1 else task._replace(name=f"{clip(task.name, 30)} x {number}")
            for task, number in numbers.items()
        ]
    tasks.sort(key=lambda task: (task.at, task.section, task.name, task.word))
    room -= sum(len(line) + 1 for line in _HEADER) + len("```")
    shown = tasks[:MOST]
    while shown and len(that_fit(_lines(shown), room)) < len(list(_lines(shown))):
        shown = shown[: len(shown) * 3 // 4]
    left_out = len(tasks) - len(shown)
    notes = [f"{count(left_out, 'later mark')} of the chart"] if left_out and shown else []
    return "\n".join([*_HEADER, *_lines(shown), "```"]) if shown else "", notes


def _tasks(change: Change, section: str) -> Iterator[_Task]:
    """Each begins with a word of ours, so that Mermaid takes none for a keyword."""
    record = record_of(change)
    name = record.video_id or change.schedule_id
    if record.traits.is_called_off:
        yield _Task(section, record.scheduled_at, "cancelled", name, "crit")
        return
    if is_move(change) and change.before is not None:
        yield _Task(section, change.before.scheduled_at, "was", name, "done")
    word = "new" if change.action == "create" else "now"
    if record.is_paused:
        word += " paused"
    yield _Task(section, record.scheduled_at, word, name, "active")


def _lines(tasks: Sequence[_Task]) -> Iterator[str]:
    by_section: dict[str, list[_Task]] = defaultdict(list)
    for task in tasks:
        by_section[task.section].append(task)
    headings = _headings(sorted(by_section))
    for section in sorted(by_section):
        yield f"section {headings[section]}"
        for task in by_section[section]:
            when = f"{task.at[:10]} {task.at[11:19]}"
            yield f"  {task.word} {_label(task.name)} :{task.tag}, milestone, {when}, 0m"


def _headings(sections: Sequence[str]) -> dict[str, str]:
    """The heading of each section, all different: Mermaid draws sections of one heading as one."""
    short = {section: _label(section) for section in sections}
    times = Counter(short.values())
    headings: dict[str, str] = {}
    for section, label in short.items():
        if times[label] > 1 and len(plain := _plain(section)) > _LONGEST:  # often it is the end that differs
            label = f"{plain[: _LONGEST // 2 - 3]}...{plain[-_LONGEST // 2 :]}"
        taken = headings.values()
        numbered = (f"{label} {number}" for number in itertools.count(2))
        headings[section] = label if label not in taken else next(one for one in numbered if one not in taken)
    return headings


def _label(text: str) -> str:
    return clip(_plain(text), _LONGEST).replace("…", "...")


def _plain(text: str) -> str:
    """A text without characters that mean something to Mermaid. Vowel signs are marks, and stay."""
    return "".join(
        letter if letter in " ./+-_" or unicodedata.category(letter)[0] in "LMN" else "_"
        for letter in visible(text)
    )
