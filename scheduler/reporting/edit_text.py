"""What an edit changes, for people: the diff, how many schedules it touches, what remains."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.editing import Effect, Proposal, RemainingPause
from scheduler.planning.plan import pauses_text
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.terminal import Paint, pad, visible, width
from scheduler.reporting.time_format import moment
from scheduler.state.record import Record
from scheduler.wording import count

_DONE = {
    "pause": "Paused",
    "resume": "Resumed",
    "cancel": "Cancelled",
    "move": "Moved",
    "assign": "Assigned a video to",
    "create": "Created",
}
_NOTHING = {
    "pause": "is paused like this already",
    "resume": "is not paused itself",
    "cancel": "is cancelled already",
    "move": "lies there already",
    "assign": "has this video already",
    "create": "is there already",
}
SHOWN = 12
"""Schedules that are listed one by one."""


def edit_text(proposal: Proposal, *, commit: str | None = None, colour: bool = False) -> str:
    """Several lines; the diff comes first, so that what it means stands where one looks last."""
    paint = Paint(colour)
    lines: list[str] = []
    if proposal.is_empty:
        lines.append(f"{visible(proposal.target)} {_NOTHING[proposal.verb]}: nothing to change.")
    else:
        lines += _diff(proposal.diff, paint)
        lines.append("")
        lines.append(paint("bold", _head(proposal)))
        lines += _shifts(proposal.touched)
    if proposal.also:
        lines.append(f"Because of it, {_changes(len(proposal.also))}:")
        lines += _shifts(proposal.also)
    lines += [_held(held) for held in proposal.remaining]
    lines += _next(proposal)
    if proposal.warnings:
        lines.append(diagnostics_text(proposal.warnings, {proposal.file: proposal.after}, colour=colour))
    if commit is not None:
        lines.append(f"Committed {proposal.file} as {commit[:12]}.")
    return "\n".join(lines) + "\n"


def _head(proposal: Proposal) -> str:
    target, number = visible(proposal.target), len(proposal.touched)
    if number == 1 and proposal.touched[0].schedule_id == proposal.target:
        return f"{_DONE[proposal.verb]} 1 schedule in {proposal.file}:"
    end = ":" if number else "."
    return f"{_DONE[proposal.verb]} {target} in {proposal.file}: {count(number, 'schedule')}{end}"


def _changes(number: int) -> str:
    return "1 other schedule changes" if number == 1 else f"{number} other schedules change"


def _diff(diff: str, paint: Paint) -> list[str]:
    lines = []
    for line in diff.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        shown = visible(line)
        lines.append(paint(style, shown) if style and not line.startswith(("+++", "---")) else shown)
    return lines


def _shifts(shifts: Sequence[Effect]) -> list[str]:
    """One line a schedule: its id, its time, what else becomes of it; in columns."""
    rows = [(visible(shift.schedule_id), _time(shift), _fate(shift)) for shift in shifts[:SHOWN]]
    first, second = (max((width(row[column]) for row in rows), default=0) for column in (0, 1))
    lines = [f"  {pad(name, first)}  {pad(time, second)}  {fate}".rstrip() for name, time, fate in rows]
    if len(shifts) > SHOWN:
        lines.append(f"  ... and {len(shifts) - SHOWN} more")
    return lines


def _time(shift: Effect) -> str:
    """When it is published, or from when to when it moves."""
    before, after = shift.before, shift.after
    times = dict.fromkeys(moment(record.at, shift.zone) for record in (before, after) if record is not None)
    return " -> ".join(times)


def _fate(shift: Effect) -> str:
    """What becomes of one schedule besides, in a few words."""
    before, after = shift.before, shift.after
    if after is None:
        return "is no longer declared"
    if before is None:
        return _video(after)
    parts = []
    if before.video_id != after.video_id:
        parts.append(f"{_video(before)} -> {_video(after)}")
    if before.status != after.status:
        parts.append(after.status if after.reason is None else f"{after.status} ({after.reason})")
    if before.pauses != after.pauses and after.status != "cancelled":
        parts.append(visible(pauses_text(after.pauses)) or "not paused any more")
    return "  ".join(parts)


def _video(record: Record) -> str:
    return "(no video)" if record.video_id is None else visible(record.video_id)


def _held(held: RemainingPause) -> str:
    pause, number = held.pause, len(held.schedule_ids)
    who = count(number, "schedule") if number > 1 else visible(held.schedule_ids[0])
    how = ""
    if held.lifted_by is not None and number > 1 and pause.by == "schedule":
        how = "; resume each of them, or their group"
    elif held.lifted_by is not None:
        how = f"; `scheduler resume {visible(held.lifted_by)}` lifts that"
    elif pause.by == "halt":
        how = "; retry or cancel that one"
    elif pause.by == "operator":
        how = "; the operator takes it out of the environment"
    return f"Still held back: {who}, {visible(pauses_text((pause,)))}{how}."


def _next(proposal: Proposal) -> list[str]:
    lines = []
    if proposal.due:
        them = visible(proposal.due[0]) if len(proposal.due) == 1 else count(len(proposal.due), "schedule")
        lines.append(f"Due now: the next run sends {them}.")
    if ids := proposal.outlasted:
        them = f"{visible(ids[0])} is" if len(ids) == 1 else f"{count(len(ids), 'schedule')} are"
        lines.append(
            f"Mind: {them} missed when the pause ends, more than `catch_up` after the publish time; "
            "`scheduler move` sets a later one."
        )
    missed = [s for s in proposal.touched if s.after is not None and s.after.reason == "missed"]
    late = [s for s in missed if s.before is None or s.before.status != "failed"]
    if late:
        them = visible(late[0].schedule_id) if len(late) == 1 else count(len(late), "schedule")
        lines.append(
            f"Too late: the next run records {them} as missed; `scheduler retry` sends it all the same."
        )
    return lines
