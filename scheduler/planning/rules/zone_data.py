"""Zone data changed: what was handed over keeps its time, and older data than the state's moves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from scheduler.diagnostics import Diagnostic, Location, error, warning
from scheduler.planning.causes import time_place
from scheduler.planning.inquiry import Inquiry, Rule, Violation
from scheduler.planning.local_times import Zones
from scheduler.state.record import Record
from scheduler.times import Instant, instant_text


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """One error for data that is too old; a warning for what becomes public at another time."""
    zones = inquiry.zones
    if zones.is_older and (
        any(zones.holds(schedule.timezone) for schedule in inquiry.schedules.values())
        or any(
            channel.slots and zones.holds(channel.timezone) for channel in inquiry.declared.channels.values()
        )
    ):
        held = [schedule_id for schedule_id, code in inquiry.blocked.items() if code == RULE.code]
        yield Violation(describe=partial(too_old, zones, held))
    for schedule_id, at in _handed_over(inquiry).items():
        record = inquiry.records[schedule_id]
        yield Violation(describe=partial(_at_another_time, inquiry, schedule_id, record, at))


def _handed_over(inquiry: Inquiry) -> Mapping[str, Instant]:
    """What was sent, is not public yet, and would be public at another time by the zone data in use."""
    return {
        schedule_id: at
        for schedule_id, at in inquiry.elsewhere.items()
        if max(at, inquiry.records[schedule_id].at) > inquiry.now
        and inquiry.records[schedule_id].status in ("executing", "completed")
        and not inquiry.zones.holds(inquiry.records[schedule_id].timezone)
    }


def too_old(zones: Zones, held: Sequence[str]) -> Diagnostic:
    """The error for zone data that is older than the state's; `held` are the ids that it keeps back."""
    year, letters = str(zones.recorded)[:4], str(zones.recorded)[4:]
    version = f"{year}.{ord(letters[-1]) - ord('a') + 1}" if letters.isalpha() else year
    return error(
        RULE.code,
        Location.whole("."),
        f"the zone data in use (tzdata {zones.used}) is older than that of the state (tzdata "
        f"{zones.recorded}): local times are sent as they are recorded, and none is added or moved",
        f'run `pip install "tzdata>={version}"`, or update the lock file that this machine installs from',
        schedules=held,
    )


def _at_another_time(inquiry: Inquiry, schedule_id: str, record: Record, at: Instant) -> Diagnostic:
    schedule = inquiry.schedules.get(schedule_id)
    place = Location.whole(".") if schedule is None else time_place(inquiry.declared, schedule)
    run = f" ({record.run_url})" if record.run_url else ""
    return warning(
        RULE.code,
        place,
        f"channel {record.channel_id} publishes {schedule_id} at {record.scheduled_at}, as it was handed "
        f"over{run}; by the zone data in use, its time is {instant_text(at)} "
        f"({inquiry.zones.step(str(record.timezone))})",
        f"to publish it at {instant_text(at)}, change its time where channel {record.channel_id} publishes",
        schedules=[schedule_id],
    )


RULE = Rule(
    code="zone-data",
    title="Local times are read with zone data that is current",
    meaning="""\
Local times are computed with the zone data of the package `tzdata`, and the state names the newest release
that a run used. A run with an older one adds and moves no local time, sends what is recorded at its recorded
time, and ends with this error. It is a warning where new zone data gives another time to what its channel has
accepted and not yet published.""",
    remedy="Install the release that the error names, or a newer one. What was handed over can only be "
    "changed where the channel publishes it.",
    check=check,
)
