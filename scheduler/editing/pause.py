"""Pause, resume and cancel: what is held back or called off. Pure."""

from __future__ import annotations

from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.editing.proposal import Proposal, Verb, propose
from scheduler.editing.targets import Target, resolve
from scheduler.errors import ScheduleError
from scheduler.times import TimeError, instant_text, read_time


def pause(view: View, name: str, *, reason: str | None = None, until: str | None = None) -> Proposal:
    """Hold a target back; `until` (a time with an offset) is when that ends by itself.

    Raises ScheduleError for an unknown target, for one schedule that is over, and for an `until` that is.
    A blank reason is none.
    """
    reason = _reason(reason)
    target = resolve(view, name)
    _demand_open(view, target, "paused")
    if until is not None:
        _demand_ahead(view, until)
    text = _text(view, target)
    after = edits.pause(text, target.place, reason=reason, until=until, file=target.file)
    return _proposal(view, "pause", target, after, reason)


def resume(view: View, name: str, *, reason: str | None = None) -> Proposal:
    """Lift the target's own pause; the proposal names what remains."""
    target = resolve(view, name)
    after = edits.resume(_text(view, target), target.place, file=target.file)
    return _proposal(view, "resume", target, after, reason)


def cancel(view: View, name: str, *, reason: str | None = None) -> Proposal:
    """Call a target off: what of it was not sent yet is never sent.

    In a group whose first members were sent, only the others are cancelled.
    """
    target = resolve(view, name)
    _demand_open(view, target, "cancelled")
    text = _text(view, target)
    for place in _uncancelled(view, target):
        text = edits.cancel(text, place, file=target.file)
    return _proposal(view, "cancel", target, text, reason)


def _uncancelled(view: View, target: Target) -> list[edits.Target]:
    """What to cancel of a target: a group as a whole, or those of its members that were not sent."""
    rows = target.rows(view)
    if target.kind != "group" or not any(row.record.was_sent for row in rows):
        return [target.place]
    group, members = target.id.split("/", 1)[1], tuple(row.record.channel_id for row in rows)
    return [
        edits.MemberPlace(group, row.record.channel_id, members) for row in rows if not row.record.was_sent
    ]


def _text(view: View, target: Target) -> str:
    text = view.text(target.file)
    assert text is not None, "a target's file was read in this very look"
    return text


def _proposal(view: View, verb: Verb, target: Target, after: str, reason: str | None = None) -> Proposal:
    about = [row.schedule_id for row in target.rows(view)]
    return propose(
        view, verb, target.name, kind=target.file_kind, file=target.file, after=after,
        about=lambda _: about, reason=_reason(reason),
    )  # fmt: skip


def _reason(typed: str | None) -> str | None:
    return typed if typed and not typed.isspace() else None


def _demand_open(view: View, target: Target, what: str) -> None:
    """Refuse one schedule that was sent, or is cancelled: nothing of it is left to decide."""
    row = view.rows.get(target.id) if target.kind == "schedule" else None
    if row is None:
        return
    record = row.record
    if record.was_sent:
        words = "may have been published" if record.status == "failed" else f"is {record.status}"
        raise ScheduleError(
            f"{target.id} {words}, so it cannot be {what}",
            hint=f"`scheduler show {target.id}` tells what became of it",
        )
    if record.status == "cancelled" and what == "paused":
        raise ScheduleError(f"{target.id} is cancelled, so there is nothing to pause")


def _demand_ahead(view: View, until: str) -> None:
    try:
        at = read_time(until)
    except TimeError as problem:
        raise ScheduleError(f"--until: {problem}", hint=problem.hint) from None
    if at <= view.now:
        raise ScheduleError(
            f"a pause until {until} would be over already: it is {instant_text(view.now)} now",
            hint="name a time to come, or leave it out",
        )
