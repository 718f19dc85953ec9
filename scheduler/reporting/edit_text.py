"""What an edit changes, for people: the diff, the publications it changes, what still holds them back."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.editing import Effect, Proposal, RemainingPause
from scheduler.planning.plan import pauses_text
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.terminal import Paint, pad, visible, width
from scheduler.reporting.time_format import moment
from scheduler.state.record import Record
from scheduler.wording import and_more, count, more

_DONE = {
    "pause": "Paused",
    "resume": "Resumed",
    "cancel": "Cancelled",
    "move": "Moved",
    "assign": "Assigned a video to",
    "create": "Created",
}
_NOTHING = {
    "pause": "is already paused like this",
    "resume": "is not paused itself",
    "cancel": "is already cancelled",
    "move": "is already at that time",
    "assign": "already has this video",
    "create": "already exists",
}
SHOWN = 12
"""Publications that are listed one by one."""


def edit_text(proposal: Proposal, *, commit: str | None = None, colour: bool = False) -> str:
    """Several lines. The diff comes first, so that what it means is at the end, where people look."""
    paint = Paint(colour)
    lines: list[str] = []
    if proposal.is_empty:
        lines.append(f"{visible(proposal.target)} {_NOTHING[proposal.verb]}: nothing to change.")
    else:
        lines += _diff(proposal.diff, paint)
        lines.append("")
        lines.append(paint("bold", _summary(proposal)))
        lines += _shifts(proposal.touched)
    if proposal.also:
        others = "1 other publication changes"
        if len(proposal.also) > 1:
            others = f"{len(proposal.also):,} other publications change"
        lines.append(f"{others} because of this:")
        lines += _shifts(proposal.also)
    if proposal.taken_back:
        lines.append(f"Handed over, and taken back by the next run: {and_more(proposal.taken_back, SHOWN)}.")
    lines += [_held(held) for held in proposal.remaining]
    lines += _next(proposal)
    if proposal.warnings:
        lines.append(diagnostics_text(proposal.warnings, {proposal.file: proposal.after}, colour=colour))
    if commit is not None:
        lines.append(f"Committed {proposal.file} as {commit[:12]}.")
    return "\n".join(lines) + "\n"


def _summary(proposal: Proposal) -> str:
    target, number = visible(proposal.target), len(proposal.touched)
    if number == 1 and proposal.touched[0].schedule_id == proposal.target:
        return f"{_DONE[proposal.verb]} 1 publication in {proposal.file}:"
    if not number and (proposal.taken_back or proposal.public):
        return f"{_DONE[proposal.verb]} {target} in {proposal.file}."
    end = ":" if number else "."
    return f"{_DONE[proposal.verb]} {target} in {proposal.file}: {count(number, 'publication')}{end}"


def _diff(diff: str, paint: Paint) -> list[str]:
    lines = []
    for line in diff.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        shown = visible(line)
        lines.append(paint(style, shown) if style and not line.startswith(("+++", "---")) else shown)
    return lines


def _shifts(shifts: Sequence[Effect]) -> list[str]:
    """One line for each publication, in columns: its id, its time, what else changes."""
    rows = [(visible(shift.schedule_id), _time(shift), _fate(shift)) for shift in shifts[:SHOWN]]
    first, second = (max((width(row[column]) for row in rows), default=0) for column in (0, 1))
    lines = [f"  {pad(name, first)}  {pad(time, second)}  {fate}".rstrip() for name, time, fate in rows]
    if len(shifts) > SHOWN:
        lines.append(f"  {more(len(shifts) - SHOWN)}")
    return lines


def _time(shift: Effect) -> str:
    """When it is published, or from when to when it moves."""
    before, after = shift.before, shift.after
    times = dict.fromkeys(moment(record.at, shift.zone) for record in (before, after) if record is not None)
    return " -> ".join(times)


def _fate(shift: Effect) -> str:
    """What else changes for one publication, in a few words."""
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
        parts.append(visible(pauses_text(after.pauses)) or "no longer paused")
    return "  ".join(parts)


def _video(record: Record) -> str:
    return "(no video)" if record.video_id is None else visible(record.video_id)


def _held(held: RemainingPause) -> str:
    pause, number = held.pause, len(held.schedule_ids)
    who = count(number, "publication") if number > 1 else visible(held.schedule_ids[0])
    remedy = ""
    if held.lifted_by is not None and number > 1 and pause.by == "schedule":
        remedy = " Resume each of them, or their group."
    elif held.lifted_by is not None:
        remedy = f" Run `scheduler resume {visible(held.lifted_by)}` to lift that."
    elif pause.by == "halt":
        remedy = " Retry or cancel the one that failed."
    elif pause.by == "operator":
        remedy = " Only the operator can lift that, by unsetting the variable."
    return f"Still {visible(pauses_text((pause,)))}: {who}.{remedy}"


def _next(proposal: Proposal) -> list[str]:
    lines = []
    if proposal.due:
        them = visible(proposal.due[0]) if len(proposal.due) == 1 else count(len(proposal.due), "publication")
        lines.append(f"Due now: the next run sends {them}.")
    if ids := proposal.outlasted:
        them = f"{visible(ids[0])} is" if len(ids) == 1 else f"{count(len(ids), 'publication')} are"
        lines.append(
            f"Note: {them} missed when the pause ends, which is more than `catch_up` after the publish time. "
            "Run `scheduler move` to set a later one."
        )
    missed = [s for s in proposal.touched if s.after is not None and s.after.reason == "missed"]
    late = [s for s in missed if s.before is None or s.before.status != "failed"]
    if late:
        them = visible(late[0].schedule_id) if len(late) == 1 else count(len(late), "publication")
        lines.append(
            f"Too late: the next run records {them} as missed. Run `scheduler retry` to send it anyway."
        )
    return lines
