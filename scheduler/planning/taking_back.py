"""What was handed over and is not public yet: whether it can be taken back, and whether it is to be. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from scheduler.desired.declarations import Declarations
from scheduler.planning.expand import Schedule, pause_of
from scheduler.planning.plan import Withdrawal, pauses_text
from scheduler.planning.rows import phase_of
from scheduler.state.record import Record
from scheduler.times import Instant, in_zone, instant_text, moment_of, read_utc, read_zone
from scheduler.wording import quoted

NOTICE = 300
"""Seconds that a channel needs at least to take a publication back before its publish time."""


def is_handed_over(record: Record, now: Instant) -> bool:
    """Whether its channel has accepted it, and its publish time is still ahead."""
    if record.accepted_at is None or record.intent is None or record.at <= now:
        return False
    return record.status in ("executing", "completed") and not record.intent.traits.is_job


def retract_event(declared: Declarations, record: Record) -> str | None:
    """The type of the event that takes it back; None where there is none.

    The channel's, as it is declared now; what was declared when it was sent, if the channel is gone.
    """
    intent = record.intent
    if intent is None or not intent.traits.can_retract:
        return None
    channel = declared.channels.get(record.channel_id)
    if channel is not None:
        return channel.retract
    return None if declared.fault_of("channel", record.channel_id) else intent.retract


def can_be_taken_back(declared: Declarations, record: Record, now: Instant) -> bool:
    """Whether it was handed over, and there is an event and time enough to take it back."""
    return (
        record.accepted_at is not None
        and retract_event(declared, record) is not None
        and is_handed_over(record, now)
        and now <= record.at - max(NOTICE, declared.settings.conflicts.min_gap)
        and (record.retraction is None or record.retraction.status != "failed")
    )


def going_public(
    declared: Declarations, record: Record, schedule: Schedule | None, now: Instant, *, is_stopped: bool
) -> str | None:
    """What is to keep it back and no longer can, in a few words: it becomes public all the same.

    None where nothing is to keep it back, where it is not handed over or public already, and where it can be
    taken back or that has begun. `is_stopped`: SCHEDULER_PAUSED is set.
    """
    if record.at <= now or phase_of(record, now) != "handed_over":
        return None
    wanted = withdrawal(declared, record, schedule)
    if wanted is not None:
        is_begun = record.retraction is not None and record.retraction.is_under_way
        return None if is_begun or can_be_taken_back(declared, record, now) else wanted.why
    if is_stopped:
        return "SCHEDULER_PAUSED is set"
    for freeze in declared.settings.freezes:
        is_covered = freeze.channels is None or record.channel_id in freeze.channels
        if is_covered and freeze.from_ <= record.at < freeze.until:
            return f"freeze {quoted(freeze.reason)}" if freeze.reason else "a freeze"
    return None


def local_and_utc(declared: Declarations, record: Record) -> str:
    """`2030-03-01 19:00 Europe/Berlin (18:00 UTC)`: its publish time, by the clocks of its channel."""
    channel = declared.channels.get(record.channel_id)
    if channel is None or channel.timezone == "UTC":
        return f"{moment_of(record.at):%Y-%m-%d %H:%M} UTC"
    local = in_zone(record.at, read_zone(channel.timezone))[:16].replace("T", " ")
    return f"{local} {channel.timezone} ({moment_of(record.at):%H:%M} UTC)"


def withdrawals(
    declared: Declarations, records: Mapping[str, Record], schedules: Mapping[str, Schedule], now: Instant
) -> dict[str, Withdrawal]:
    """What is to be taken back by what is declared, and what is being taken back whatever is declared."""
    found: dict[str, Withdrawal] = {}
    for schedule_id, record in records.items():
        if record.accepted_at is None or not record.traits.was_sent:
            continue  # as nearly always
        retraction = record.retraction
        is_begun = retraction is not None and retraction.status in ("sending", "accepted")
        is_possible = can_be_taken_back(declared, record, now)
        wanted = withdrawal(declared, record, schedules.get(schedule_id)) if is_begun or is_possible else None
        if wanted is not None and is_possible:
            wanted = replace(wanted, event_type=retract_event(declared, record))
        elif retraction is not None and retraction.is_under_way:
            wanted = wanted or Withdrawal(why=retraction.why, kind="restored")
        elif wanted is not None:
            wanted = Withdrawal(why=wanted.why, kind="too late")
        if wanted is not None:
            found[schedule_id] = wanted
    return found


def withdrawal(declared: Declarations, record: Record, schedule: Schedule | None) -> Withdrawal | None:
    """Why it is not to be published as it was sent; None where it is, or where that cannot be read."""
    channel = declared.channels.get(record.channel_id)
    held = [pause_of("channel", None if channel is None else channel.paused)]
    if schedule is not None:
        if schedule.cancelled:
            return Withdrawal(why="declared cancelled", kind="gone")
        held += [schedule.paused, schedule.group.paused]
    elif not declared.fault_of(*record.declarer) and (channel is None or not record.slot):
        return Withdrawal(why="no longer declared", kind="gone")
    pauses = [p for p in held if p is not None and (p.until is None or read_utc(p.until) > record.at)]
    is_edited = schedule is not None and (schedule.at, schedule.video) != (record.at, record.video_id)
    if schedule is not None and is_edited:
        why = (
            f"moved to {instant_text(schedule.at)}"
            if schedule.at != record.at
            else f"video {record.video_id} -> {schedule.video or 'none'}"
        )
        return Withdrawal(why=why, kind="edited")
    return Withdrawal(why=pauses_text(pauses), kind="held") if pauses else None
