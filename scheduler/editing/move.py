"""Move and shift: other times. Pure."""

from __future__ import annotations

from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.editing.proposal import Proposal, propose
from scheduler.editing.targets import Target, resolve
from scheduler.errors import ScheduleError


def move(view: View, name: str, time: str) -> Proposal:
    """Give a schedule, a group or a wave another time; local where its place in the file has a zone.

    A wave moves as a whole: its earliest entry comes to lie at `time`.
    """
    target = _movable(view, name)
    text = view.text(target.file) or ""
    return _proposal(view, target, edits.move(text, target.place, time, file=target.file))


def shift(view: View, name: str, seconds: int) -> Proposal:
    """Move a target, and all that follows it in its group, by so many seconds (negative: earlier)."""
    target = _movable(view, name)
    if seconds == 0:
        raise ScheduleError("a shift of 0s moves nothing", hint="write --shift +30m, or --shift -30m")
    text = view.text(target.file) or ""
    return _proposal(view, target, edits.shift(text, target.place, seconds, file=target.file))


def _movable(view: View, name: str) -> Target:
    target = resolve(view, name)
    row = view.rows.get(target.id) if target.kind == "schedule" else None
    if row is not None and row.record.was_sent:
        words = "may have been published" if row.record.status == "failed" else f"is {row.record.status}"
        raise ScheduleError(
            f"{target.id} {words}, so its time cannot change",
            hint="publish it again under a new entry, or move what was not sent yet",
        )
    return target


def _proposal(view: View, target: Target, after: str) -> Proposal:
    """Members of one group move together, and a one-off gets a new id by its new time."""
    rows = target.rows(view)
    groups = {row.record.coordination_group_id for row in rows} - {None}
    old = [row.schedule_id for row in rows]
    old += [i for i, row in view.rows.items() if row.record.coordination_group_id in groups]

    def about(edited: View) -> list[str]:
        if not isinstance(target.place, edits.SinglePlace):
            return old
        own, channel = view.reconciled.schedules, target.id.split("/", 1)[0]
        return old + [
            name
            for name, schedule in edited.reconciled.schedules.items()
            if name not in own and schedule.channel == channel
        ]

    return propose(
        view, "move", target.name, kind=target.file_kind, file=target.file, after=after, about=about
    )
