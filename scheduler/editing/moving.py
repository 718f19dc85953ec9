"""Move and shift: other times. Pure."""

from __future__ import annotations

from contextlib import suppress

from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.editing.proposal import Proposal, propose
from scheduler.editing.targets import Target, demand_unsent, resolve
from scheduler.errors import ScheduleError
from scheduler.times import TimeError, duration_text, read_shift
from scheduler.wording import quoted


def move(view: View, name: str, time: str) -> Proposal:
    """Give a schedule, a group or a wave another time.

    `time` has an offset, or is local where the place in the file has a zone. A wave moves as a whole: its
    earliest entry is then at `time`. Raises ScheduleError for an unknown target, for one that was sent and
    for what is not a time; Refused where the new time breaks a rule.
    """
    target = _movable(view, name)
    with suppress(TimeError):
        distance = duration_text(read_shift(time))
        sign = "" if distance.startswith("-") else "+"
        hint = f"run `scheduler move {name} --shift {sign}{distance}`"
        raise ScheduleError(f"{quoted(time)} is a duration, not a time", hint=hint)
    return _proposal(view, target, edits.move(target.text, target.place, time, file=target.file))


def shift(view: View, name: str, seconds: int) -> Proposal:
    """Move a target, and everything after it in its group, by `seconds` (negative: earlier).

    Raises as `move` does.
    """
    target = _movable(view, name)
    if seconds == 0:
        raise ScheduleError("a shift of 0s changes nothing", hint="write --shift +30m or --shift -30m")
    return _proposal(view, target, edits.shift(target.text, target.place, seconds, file=target.file))


def _movable(view: View, name: str) -> Target:
    target = resolve(view, name)
    demand_unsent(view, target, "its time cannot change")
    return target


def _proposal(view: View, target: Target, after: str) -> Proposal:
    """Members of one group move together, and a one-off gets a new id with its new time."""
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
