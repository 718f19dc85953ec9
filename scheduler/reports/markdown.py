"""A plan as a comment on a pull request, and a run as the summary of a job.

Everything that is not ours stands in `<code>` or `<pre>`, with every sign that Markdown, HTML, GitHub's
mentions and references, or a log could act upon written as a character reference. A comment stays below
50,000 bytes: what does not fit is left out in whole rows, and said to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from scheduler.diagnostics import Diagnostic
from scheduler.plan import Action, Change, Plan
from scheduler.reports.changes import (
    SIGNS,
    Section,
    checksum,
    differences,
    is_move,
    pace_lines,
    record_of,
    sections,
    tally,
)
from scheduler.reports.characters import clip, count, visible
from scheduler.reports.moments import local_moment, utc_moment
from scheduler.reports.results import SIGNS as RESULT_SIGNS
from scheduler.reports.results import results_summary
from scheduler.reports.text import Teller, weights
from scheduler.rows import Result
from scheduler.state import Record

if TYPE_CHECKING:
    from scheduler.spec import Pace

MARKER = "<!-- wave-scheduler:plan"
"""How the one comment that is kept up to date begins."""
COMMENT_LIMIT = 50_000
"""Bytes; GitHub refuses a comment of more than 65,536 characters."""
SUMMARY_LIMIT = 1_000_000
"""Bytes; GitHub refuses a job summary of more than 1 MiB a step."""
_OPEN = 10
"""A list of fewer rows is shown unfolded."""
_LONGEST = 120
"""Characters of one value; whole ones are in the JSON."""
_MOST_TASKS = 60
"""Tasks of the diagram: more are no picture any more."""
_NOTES = 1_000
"""Bytes kept free for saying what was left out."""


# --- escaping -------------------------------------------------------------------------------------

_ACTIVE = re.compile(r"[!\"#$&'()*:<>@\[\\\]^_`{|}~]|w(?=ww\.)", re.IGNORECASE)


def escape(text: str) -> str:
    """Text in which nothing is left to act upon: for use inside `<code>` or `<pre>` alone."""
    return _ACTIVE.sub(lambda match: f"&#x{ord(match.group()):x};", text)


def code(text: str) -> str:
    """A value within a line or a table."""
    return f"<code>{escape(visible(clip(text, _LONGEST)))}</code>"


# --- a plan ---------------------------------------------------------------------------------------


def plan_markdown(
    plan: Plan,
    diagnostics: Sequence[Diagnostic],
    *,
    zones: Mapping[str, str],
    sources: Mapping[str, str] | None = None,
    pace: Pace | None = None,
    limit: int = COMMENT_LIMIT,
) -> str:
    """The comment: the same bytes for the same plan, whenever it is made.

    `zones` are the channels' time zones (IANA names), `sources` the texts of the files by name.
    """
    total = checksum(plan)
    head = [_marker(plan, total), "### Publication plan", _words(plan, diagnostics)]
    head += [f"{_sentence(line)}." for line in pace_lines(plan.sends, pace)]
    foot = f"Plan checksum: <code>{total}</code>"
    room = limit - len("\n\n".join([*head, foot]).encode()) - _NOTES
    told, left_out = _problems(diagnostics, sources or {}, room // 3)
    picture = _gantt(plan, room // 4)
    room -= _size(told) + _size(picture)
    table, rest = _table(plan, zones, room)
    left_out += rest
    notes = [f"Left out here, to keep this short: {'; '.join(left_out)}."] if left_out else []
    return "\n\n".join(part for part in [*head, told, table, picture, *notes, foot] if part)


def _size(text: str) -> int:
    return len(text.encode()) + 2 if text else 0


def _marker(plan: Plan, total: str) -> str:
    """Numbers and hexadecimal digits alone: nothing in it can end the comment."""
    counts = tally(plan.changes)
    facts: dict[str, object] = {
        "version": 1,
        "checksum": total,
        "changes": len(plan.changes),
        **{action: counts[action] for action in SIGNS if counts[action]},
    }
    return f"{MARKER} {msgspec.json.encode(facts).decode()} -->"


def _words(plan: Plan, diagnostics: Sequence[Diagnostic]) -> str:
    """`This pull request adds 3 publications on 2 channels, moves 1 and cancels none.`"""
    sentences = [_what_it_does(plan)]
    counts = tally(plan.changes)
    steps: tuple[tuple[Action, str], ...] = (
        ("send", "send {}"),
        ("miss", "give {} up as missed"),
        ("fail", "record {} as failed"),
        ("confirm", "confirm {}"),
        ("lookup", "look {} up"),
        ("complete", "complete {}"),
        ("archive", "archive {}"),
    )
    found = [words.format(f"{counts[action]:,}") for action, words in steps if counts[action]]
    if found:
        sentences.append(f"A run now would {_listed(found)}.")
    if plan.waiting:
        sentences.append(f"{count(len(plan.waiting), 'publication')} due now cannot be sent.")
    if diagnostics:
        sentences.append(f"**{weights(diagnostics)}.**")
    return " ".join(sentences)


def _what_it_does(plan: Plan) -> str:
    counts = tally(plan.changes)
    moved = sum(map(is_move, plan.changes))
    edited = counts["update"] + counts["reopen"] - moved
    numbers = (
        ("adds", counts["create"]),
        ("moves", moved),
        ("edits", edited),
        ("pauses", counts["pause"]),
        ("resumes", counts["resume"]),
        ("cancels", counts["cancel"]),
    )
    clauses = [
        f"{verb} {f'{number:,}' if number else 'none'}"
        for verb, number in numbers
        if number or verb == "cancels"
    ]
    if clauses == ["cancels none"]:
        return "This pull request changes no publication."
    verb, number = clauses[0].split(" ")
    clauses[0] = f"{verb} {number} {'publication' if number == '1' else 'publications'}"
    if verb == "adds":
        channels = {record_of(change).channel_id for change in plan.changes if change.action == "create"}
        clauses[0] += f" on {count(len(channels), 'channel')}"
    return f"This pull request {_listed(clauses)}."


def _listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _sentence(line: str) -> str:
    """A line that may begin with a name: `TOKEN: 100 sends …`."""
    if line.count(": ") < 2:
        return line
    name, _, rest = line.partition(": ")
    return f"{code(name)}: {rest}"


def _problems(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], room: int
) -> tuple[str, list[str]]:
    """As many diagnostics as fit, errors first, and how many do not."""
    if not diagnostics:
        return "", []
    teller = Teller(sources)
    ordered = sorted(diagnostics, key=lambda fault: not fault.is_error)
    told: list[str] = []
    for fault in ordered:
        text = escape(teller.tell(fault))
        room -= len(text.encode()) + 2
        if room < 0:
            break
        told.append(text)
    rest = len(ordered) - len(told)
    left_out = [f"{count(rest, 'problem')} (`scheduler validate` tells all)"] if rest else []
    text = "\n\n".join(told)
    return (_folded(weights(diagnostics), len(told), f"<pre>\n{text}\n</pre>") if told else ""), left_out


def _folded(summary: str, rows: int, body: str) -> str:
    """A fold, open where it holds little. The summary is ours: HTML, where Markdown does not apply."""
    sign = " open" if rows < _OPEN else ""
    return f"<details{sign}><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _table(plan: Plan, zones: Mapping[str, str], room: int) -> tuple[str, list[str]]:
    """Tables by wave and channel, as many rows as fit, and what does not."""
    if not plan.changes:
        return "", []
    blocks: list[str] = []
    left_out = []
    room -= 200
    for section in sections(plan.changes):
        lines: list[str] = []
        for line in _rows(section, zones):
            room -= len(line.encode()) + 1
            if room < 0:
                break
            lines.append(line)
        missing = len(section.changes) + 1 - max(len(lines), 1)
        if len(lines) > 1:
            blocks.append("\n".join(lines))
        if missing:
            left_out.append((section, missing))
    shown = len(plan.changes) - sum(number for _, number in left_out)
    title = count(len(plan.changes), "step")
    body = "\n\n".join(blocks)
    return (_folded(title, shown, body) if blocks else ""), _left_out(left_out)


def _left_out(found: Sequence[tuple[Section, int]]) -> list[str]:
    if not found:
        return []
    total = count(sum(number for _, number in found), "step")
    some = ", ".join(f"{number:,} of {section.kind} {code(section.name)}" for section, number in found[:3])
    more = f" and {len(found) - 3:,} other waves and channels" if len(found) > 3 else ""
    return [f"{total}: {some}{more} (`scheduler plan` shows all)"]


def _rows(section: Section, zones: Mapping[str, str]) -> Iterator[str]:
    """A heading with the table's head, then one line a change."""
    yield (
        f"**{section.kind.capitalize()}** {code(section.name)}\n\n"
        "| | Schedule | Video | Before | After | Why |\n|-|-|-|-|-|-|"
    )
    for change in section.changes:
        zone = zones.get(record_of(change).channel_id, "UTC")
        after = "archived" if change.action == "archive" else _when(change.after, zone)
        cells = (
            code(SIGNS[change.action]),
            code(change.schedule_id),
            _video(change),
            _when(change.before, zone),
            after,
            _why(change, zone),
        )
        yield f"| {' | '.join(cells)} |"


def _video(change: Change) -> str:
    before, after = change.before, change.after
    names = [record.video_id or "(none)" for record in (before, after) if record is not None]
    return " → ".join(code(name) for name in dict.fromkeys(names))


def _when(record: Record | None, zone: str) -> str:
    """The publish time as the channel's clocks show it, or what became of it."""
    if record is None:
        return ""
    if record.status in ("cancelled", "completed"):
        return record.status
    if record.status == "failed":
        return f"failed: {record.reason}".replace("_", " ")
    words = local_moment(record.at, zone).replace("_", "&#x5f;")
    if zone != "UTC":
        words += f"<br>{utc_moment(record.at)} UTC"
    if record.status == "executing":
        words += ", sent"
    return words + (", paused" if record.is_paused else "")


def _why(change: Change, zone: str) -> str:
    other = [
        f"{label}: {old} -> {new}"
        for label, old, new in differences(change, zone)
        if label not in ("time", "video", "status")
    ]
    return "<br>".join(code(words) for words in (change.reason, *other) if words)


# --- the picture ----------------------------------------------------------------------------------

_PLAIN = re.compile(r"[^\w ./+-]")


def _gantt(plan: Plan, room: int) -> str:
    """A Mermaid Gantt chart in UTC: where publications were, and where they will be."""
    by_channel: dict[str, list[str]] = {}
    moved = [
        change
        for change in plan.changes
        if change.action in ("create", "update", "reopen", "cancel")
        and (change.action != "update" or is_move(change))
    ]
    moved.sort(key=lambda change: (record_of(change).scheduled_at, change.schedule_id))
    if not 2 <= len(moved) <= _MOST_TASKS:
        return ""
    for change in moved:
        by_channel.setdefault(record_of(change).channel_id, []).extend(_tasks(change))
    lines = ["```mermaid", "gantt", "title Publication times in UTC", "dateFormat YYYY-MM-DD HH:mm:ss"]
    lines.append("axisFormat %m-%d %H:%M")
    for channel in sorted(by_channel):
        lines += [f"section {_label(channel)}", *by_channel[channel]]
    text = "\n".join([*lines, "```"])
    return text if len(text.encode()) <= room else ""


def _tasks(change: Change) -> Iterator[str]:
    """Each begins with a word of ours, so that none is taken for a keyword of the diagram."""
    record = record_of(change)
    name = _label(record.video_id or change.schedule_id)
    if change.action == "cancel":
        yield _task(f"cancelled {name}", "crit", record)
        return
    if is_move(change) and change.before is not None:
        yield _task(f"was {name}", "done", change.before)
    yield _task(f"{'new' if change.action == 'create' else 'now'} {name}", "active", record)


def _task(name: str, tag: str, record: Record) -> str:
    return f"  {name} :{tag}, milestone, {record.scheduled_at[:10]} {record.scheduled_at[11:19]}, 0m"


def _label(text: str) -> str:
    """A text of signs that mean nothing to the diagram."""
    return clip(_PLAIN.sub("_", visible(text)), 40).replace("…", "...")


# --- a run ----------------------------------------------------------------------------------------


def results_markdown(
    results: Sequence[Result],
    diagnostics: Sequence[Diagnostic],
    *,
    sources: Mapping[str, str] | None = None,
    limit: int = SUMMARY_LIMIT,
) -> str:
    """The summary of a job: what failed first, then the rest, then the problems."""
    head = f"### Publication run\n\n{results_summary(results)}"
    if diagnostics:
        head += f" **{weights(diagnostics)}.**"
    room = limit - len(head.encode()) - _NOTES
    told, left_out = _problems(diagnostics, sources or {}, room // 2)
    room -= _size(told) + 200
    ordered = sorted(results, key=lambda result: result.status != "failed")
    lines = ["| | Schedule | Outcome | Error |\n|-|-|-|-|"]
    for result in ordered:
        cells = (
            code(RESULT_SIGNS[result.status]),
            code(result.schedule_id),
            result.status,
            code(result.error) if result.error else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
        room -= len(lines[-1].encode()) + 1
        if room < 0:
            lines.pop()
            break
    rest = len(results) - (len(lines) - 1)
    if rest:
        left_out.append(f"{count(rest, 'outcome')} (the log has all)")
    table = _folded(count(len(results), "outcome"), len(results), "\n".join(lines)) if len(lines) > 1 else ""
    notes = f"Left out here, to keep this short: {'; '.join(left_out)}." if left_out else ""
    return "\n\n".join(part for part in (head, table, told, notes) if part)
