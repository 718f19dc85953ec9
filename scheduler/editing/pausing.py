"""Pause, resume and cancel: what is held back or called off. Pure."""

from __future__ import annotations

from scheduler.editing import yaml as edits
from scheduler.editing.preview import View
from scheduler.editing.proposal import Proposal, Verb, propose
from scheduler.editing.targets import Target, demand_unsent, resolve
from scheduler.errors import ScheduleError
from scheduler.planning.rows import is_queued
from scheduler.times import TimeError, instant_text, read_duration, read_time


def pause(view: View, name: str, *, reason: str | None = None, until: str | None = None) -> Proposal:
    """Pause a target; `until` (a time with an offset) is when the pause ends.

    Raises ScheduleError for an unknown target, for a schedule that was sent or is cancelled, and for an
    `until` that has passed. A reason of nothing but spaces counts as none.
    """
    reason = _reason(reason)
    target = resolve(view, name)
    demand_unsent(view, target, "it cannot be paused")
    row = view.rows.get(target.id)  # None for all but a single schedule
    if row is not None and row.record.status == "cancelled":
        raise ScheduleError(f"{target.id} is cancelled, so there is nothing to pause")
    if until is not None:
        _demand_ahead(view, until)
    after = edits.pause(target.text, target.place, reason=reason, until=until, file=target.file)
    return _proposal(view, "pause", target, after, reason)


def resume(view: View, name: str, *, reason: str | None = None) -> Proposal:
    """Lift the target's own pause; `Proposal.remaining` lists the pauses that still hold it back.

    Raises ScheduleError for an unknown target.
    """
    target = resolve(view, name)
    after = edits.resume(target.text, target.place, file=target.file)
    return _proposal(view, "resume", target, after, reason)


def cancel(view: View, name: str, *, reason: str | None = None) -> Proposal:
    """Cancel a target: what was not sent yet is never sent.

    In a group whose first members are public, only the others are cancelled. Raises ScheduleError for an
    unknown target, for a schedule that was sent, and for a channel.
    """
    target = resolve(view, name)
    demand_unsent(view, target, "it cannot be cancelled")
    text = target.text
    for place in _uncancelled(view, target):
        text = edits.cancel(text, place, file=target.file)
    return _proposal(view, "cancel", target, text, reason)


def _uncancelled(view: View, target: Target) -> list[edits.Place]:
    """What to cancel of a target: a group as a whole, or those of its members that were not sent."""
    rows = target.rows(view)
    kept = [row for row in rows if row.record.was_sent and not is_queued(row.record) and not row.is_ahead]
    if target.kind != "group" or not kept:
        return [target.place]
    group, members = target.id.split("/", 1)[1], tuple(row.record.channel_id for row in rows)
    return [edits.MemberPlace(group, row.record.channel_id, members) for row in rows if row not in kept]


def _proposal(view: View, verb: Verb, target: Target, after: str, reason: str | None = None) -> Proposal:
    about = [row.schedule_id for row in target.rows(view)]
    return propose(
        view, verb, target.name, kind=target.file_kind, file=target.file, after=after,
        about=lambda _: about, reason=_reason(reason),
    )  # fmt: skip


def _reason(typed: str | None) -> str | None:
    return typed if typed and not typed.isspace() else None


def _demand_ahead(view: View, until: str) -> None:
    try:
        at = read_time(until)
    except TimeError as problem:
        try:
            hint = f"write --until {instant_text(view.now + read_duration(until))}"
        except TimeError:
            hint = problem.hint
        raise ScheduleError(f"--until: {problem}", hint=hint) from None
    if at <= view.now:
        raise ScheduleError(
            f"a pause until {until} would already be over: it is {instant_text(view.now)} now",
            hint="give a later time, or leave --until out",
        )
