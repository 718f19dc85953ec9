"""The publication times of a proposal as a Mermaid Gantt chart, which GitHub draws.

The chart shows what is when. Many publications are drawn as groups instead of one by one, and no more of
them than a chart can show; a move has a mark for the old time and one for the new.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scheduler.planning.plan import Change
from scheduler.reporting.plan_sections import is_move, record_of
from scheduler.reporting.pull_request.escaping import that_fit
from scheduler.reporting.terminal import clip, visible, width
from scheduler.times import read_utc
from scheduler.wording import count, more

MOST = 40
"""Tasks of one chart: nobody can read more."""
_YEARS_BACK = 400
"""Mermaid has no UTC: it draws in the viewer's zone, and an hour late what the clocks there skip.
In the 17th century no zone had such an hour, and after 400 years the calendar is the same, day by day."""
_DAY = 86_400
_INTERVALS = (
    (60, "1minute"), (300, "5minute"), (900, "15minute"), (3600, "1hour"), (3 * 3600, "3hour"),
    (6 * 3600, "6hour"), (12 * 3600, "12hour"), (_DAY, "1day"), (7 * _DAY, "1week"), (31 * _DAY, "1month"),
    (92 * _DAY, "3month"), (184 * _DAY, "6month"), (366 * _DAY, "12month"),
)  # fmt: skip
"""Seconds and name of the intervals of the axis. No two or three days: Mermaid begins anew each month."""
_LONGEST = 40
"""Characters of one label."""
_NAMES = 3
"""Lines of one heading."""
_LETTER = 7
"""Pixels of a letter of a heading, with some to spare."""
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
        tasks = _together(drawn)
    tasks.sort(key=lambda task: (task.at, task.section, task.name, task.word))
    shown = tasks[:MOST]
    header = _header(shown)
    room -= sum(len(line) + 1 for line in header) + len("```")
    while shown and len(that_fit(_lines(shown), room)) < len(list(_lines(shown))):
        shown = shown[: len(shown) * 3 // 4]
    left_out = len(tasks) - len(shown)
    notes = [f"{count(left_out, 'later mark')} of the chart"] if left_out and shown else []
    return "\n".join([*header, *_lines(shown), "```"]) if shown else "", notes


def _together(drawn: Sequence[Change]) -> list[_Task]:
    """Those of one series, instant and name as one: `new teaser-4k x 40` on `alpha`, `beta` `and 38 more`."""
    channels: dict[_Task, list[str]] = defaultdict(list)
    for change in drawn:
        for task in _tasks(change, " ".join(record_of(change).declarer)):
            channels[task].append(record_of(change).channel_id)
    return [
        task._replace(section=names[0])
        if len(names) == 1
        else task._replace(section=_some(sorted(names)), name=f"{clip(task.name, 30)} x {len(names)}")
        for task, names in channels.items()
    ]


def _some(names: Sequence[str]) -> str:
    """The first names, one a line, and how many more there are."""
    most = len(names) if len(names) <= _NAMES else _NAMES - 1
    rest = [more(len(names) - most)] if most < len(names) else []
    return "\n".join([*names[:most], *rest])


def _labels(interval: int) -> int:
    """How many labels an axis of this interval may have at most: more would overlap."""
    return 12 if interval >= _DAY else 6


def _header(tasks: Sequence[_Task]) -> list[str]:
    """The lines before the marks. The axis gets an interval by which few labels are needed."""
    ats = [read_utc(task.at) for task in tasks]
    span = max(ats, default=0) - min(ats, default=0)
    seconds, name = next((i for i in _INTERVALS if span <= _labels(i[0]) * i[0]), _INTERVALS[-1])
    headings = _headings(sorted({task.section for task in tasks})).values()
    lines = (line for heading in headings for line in heading.split("<br>"))
    padding = 20 + _LETTER * max(map(width, lines), default=0)
    return [
        "```mermaid",
        f'%%{{init: {{"gantt": {{"leftPadding": {padding}}}}}}}%%',
        "gantt",
        "title Publication times in UTC",
        f"%% The years are {_YEARS_BACK} too early: in no viewer's zone did the clocks skip an hour then.",
        "dateFormat YYYY-MM-DD HH:mm:ss",
        f"axisFormat {'%m-%d' if seconds >= _DAY else '%m-%d %H:%M'}",
        f"tickInterval {name}",
        "todayMarker off",
    ]


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
            when = f"{int(task.at[:4]) - _YEARS_BACK:04}{task.at[4:10]} {task.at[11:19]}"
            yield f"  {task.word} {_label(task.name)} :{task.tag}, milestone, {when}, 0m"


def _headings(sections: Sequence[str]) -> dict[str, str]:
    """The heading of each section, all different: Mermaid draws sections of one heading as one."""
    headings: dict[str, str] = {}
    for section in sections:
        label = "<br>".join(map(_name, section.split("\n")))
        taken = headings.values()
        numbered = (f"{label} {number}" for number in itertools.count(2))
        headings[section] = label if label not in taken else next(one for one in numbered if one not in taken)
    return headings


def _name(text: str) -> str:
    """Of a long id often the end is what differs from others."""
    plain = _plain(text)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST // 2 - 3]}...{plain[-_LONGEST // 2 :]}"


def _label(text: str) -> str:
    return clip(_plain(text), _LONGEST).replace("…", "...")


def _plain(text: str) -> str:
    """A text without characters that mean something to Mermaid. Vowel signs are marks, and stay."""
    return "".join(
        letter if letter in " ./+-_" or unicodedata.category(letter)[0] in "LMN" else "_"
        for letter in visible(text)
    )
