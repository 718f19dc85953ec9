"""Retry: which failed schedules may be pending again, and what their record becomes. Pure.

A retried schedule is sent however late it is: lateness counts from the retry. What may have been published
is sent again only on request (`resend`); its resend number rises, and so its idempotency key changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from scheduler import desired
from scheduler.desired import calendar_expressions
from scheduler.errors import ScheduleError
from scheduler.planning.reconcile import Reconciled
from scheduler.state.intent import key_of
from scheduler.state.record import UNTRIED, Record, advance
from scheduler.times import Instant, instant_text, read_zone


class MayBePublished(ScheduleError):
    """A retry without `resend` of what may have been published; `look_at` says where to check that first."""

    def __init__(self, message: str, look_at: Sequence[str], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.look_at = look_at


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is pending again, and where to check whether it was published before."""

    schedule_id: str
    record: Record
    is_resend: bool
    look_at: Sequence[str] = ()


def retry(
    schedule_id: str,
    record: Record,
    reconciled: Reconciled,
    known: Mapping[str, Record],
    *,
    lineage: str,
    server: str,
    now: Instant,
    resend: bool,
) -> Retry:
    """The record after a retry at `now`. `known` holds all records by id, archived ones too.
    `server` is the address of GitHub's pages.

    Raises ScheduleError for what did not fail, for what is no longer declared, and for a slot whose video was
    sent from another slot; MayBePublished where `resend` is needed and was not given.
    """
    if record.status != "failed":
        raise ScheduleError(
            f"{schedule_id} is {record.status}: only a failed schedule can be retried",
            hint=_instead(schedule_id, record),
        )
    _demand_declared(schedule_id, record, reconciled, known)
    look_at = what_to_look_at(schedule_id, record, lineage, server) if record.was_sent else ()
    if record.was_sent and not resend:
        raise MayBePublished(
            f"{schedule_id} may have been published ({record.reason})",
            look_at,
            hint=f"if it was not, run `scheduler retry {schedule_id} --resend`",
        )
    why = f"retried after {record.reason}"
    if record.was_sent:
        why = f"sent again on purpose after {record.reason}: resend {record.resends + 1}"
        why += f" (previous run: {record.run_url})" if record.run_url else ""
    return Retry(
        schedule_id=schedule_id,
        record=_pending(schedule_id, record, reconciled, now, why),
        is_resend=record.was_sent,
        look_at=look_at,
    )


def _instead(schedule_id: str, record: Record) -> str:
    if record.status == "executing":
        return f"its outcome is being looked up; run `scheduler show {schedule_id}` to follow it"
    if record.status == "completed":
        return "to publish the video once more, add a new entry for it"
    if record.status == "cancelled":
        return "remove its `cancelled`, and give it a later time"
    return f"run `scheduler show {schedule_id}` to see what it is waiting for"


def _pending(schedule_id: str, record: Record, reconciled: Reconciled, now: Instant, why: str) -> Record:
    schedule = reconciled.schedules.get(schedule_id)
    took_over = record.slot and schedule is not None and not schedule.slot
    changes = {**UNTRIED, "retried_at": instant_text(now), "earlier_attempts": record.attempts}
    resends = record.resends + 1 if record.was_sent else record.resends
    after = advance(record, "pending", now, why, resends=resends, **changes)
    if took_over and schedule is not None:  # a one-off has taken the slot, with a video of its own
        after.slot, after.video_id = False, schedule.video
    return after


def what_to_look_at(schedule_id: str, record: Record, lineage: str, server: str) -> tuple[str, ...]:
    """Where to check whether something was published: its run, the runs or the queue; and the channel."""
    key = key_of(lineage, record.first_id or schedule_id, record.resends)
    intent = record.intent
    lines = [f"last known: {record.error_message}"] if record.error_message else []
    if record.run_url is not None:
        lines.append(f"check its run: {record.run_url}")
    elif intent is not None and intent.repository is not None:
        lines.append(f"check {server}/{intent.repository}/actions for a run with {key} in its title")
    elif intent is not None and intent.traits.is_job:
        lines.append(f"check queue {intent.queue} for job {intent.job_id}")
    lines.append(f"check channel {record.channel_id} for the video {record.video_id}")
    return tuple(lines)


# --- what may not be retried ---------------------------------------------------------------------------


def _demand_declared(
    schedule_id: str, record: Record, reconciled: Reconciled, known: Mapping[str, Record]
) -> None:
    """Refuse what is no longer declared, what is declared cancelled, and what has no video."""
    declared = reconciled.declared
    if declared is None:
        raise ScheduleError(
            "scheduler.yaml cannot be read, so nothing can be retried", reconciled.diagnostics
        )
    schedule = reconciled.schedules.get(schedule_id)
    if schedule is not None:
        if schedule.cancelled:
            raise ScheduleError(
                f"{schedule_id} is declared cancelled in {schedule.file}",
                hint=f"remove its `cancelled` in {schedule.file}",
            )
        if schedule.video is None and record.video_id is None:
            raise ScheduleError(
                f"{schedule_id} still has no video",
                hint=f"run `scheduler assign {schedule_id} VIDEO`",
            )
        return
    if record.wave_id is not None and declared.fault_of("wave", record.wave_id):
        return  # unreadable is not withdrawn
    channel = declared.channels.get(record.channel_id)
    if channel is None and declared.fault_of("channel", record.channel_id):
        raise ScheduleError(
            f"{schedule_id} would not be sent: the file of channel {record.channel_id} has errors",
            reconciled.diagnostics,
        )
    if not record.slot or channel is None:
        raise ScheduleError(
            f"{schedule_id} is no longer declared", hint="restore its declaration, or add a new entry"
        )
    _demand_slot(schedule_id, record, channel, known)


def _demand_slot(
    schedule_id: str, record: Record, channel: desired.ChannelSpec, known: Mapping[str, Record]
) -> None:
    """Refuse a slot that no longer exists, or whose video the lineup can no longer give it."""
    rules, zone = calendar_expressions.read_slots(channel.slots), read_zone(channel.timezone)
    if not calendar_expressions.is_instant(rules, zone, record.at):
        raise ScheduleError(
            f"{schedule_id} is no longer declared: channel {record.channel_id} has no slot at that time",
            hint="to publish its video, create a one-off",
        )
    there = sum(entry.video == record.video_id for entry in channel.lineup)
    if there == 0:
        raise ScheduleError(
            f"{schedule_id} is no longer declared: its video {record.video_id!r} is not in the lineup of "
            f"channel {record.channel_id} any more",
            hint="add the video to the lineup again, or create a one-off for it",
        )
    others = (other for name, other in known.items() if name != schedule_id)
    if _used(record, others, lambda at: calendar_expressions.is_instant(rules, zone, at)) >= there:
        raise ScheduleError(
            f"video {record.video_id!r} has been sent from another slot of channel {record.channel_id}",
            hint="to publish it once more, add it to the lineup again",
        )


def _used(record: Record, others: Iterable[Record], is_slot: Callable[[Instant], bool]) -> int:
    """How many of the lineup's entries for its video other slots, and one-offs in their place, have used."""
    return sum(
        other.channel_id == record.channel_id
        and other.wave_id is None
        and other.video_id == record.video_id
        and (
            other.was_sent
            or (other.slot and (other.reason == "before_init" or (other.is_live and bool(other.retried_at))))
        )
        and (other.slot or is_slot(other.at))
        for other in others
    )
