"""What was handed over and cannot be taken back becomes public, whatever is declared or set since."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from scheduler.diagnostics import Diagnostic, Location, Severity, warning
from scheduler.planning.expand import member_place
from scheduler.planning.inquiry import Inquiry, Rule, Violation
from scheduler.planning.taking_back import going_public, local_and_utc
from scheduler.state.record import Record
from scheduler.times import instant_text


def check(inquiry: Inquiry) -> Iterator[Violation]:
    """A warning for each, in proposals and in runs, until it is public."""
    now = instant_text(inquiry.now)
    for schedule_id, record in inquiry.records.items():
        if record.scheduled_at <= now or record.accepted_at is None:
            continue  # as nearly always; both texts have one form
        if record.retraction is not None and record.retraction.status == "failed":
            continue  # `edited-after-dispatch` says more of it
        schedule = inquiry.schedules.get(schedule_id)
        is_stopped = inquiry.surroundings.stopped
        why = going_public(inquiry.declared, record, schedule, inquiry.now, is_stopped=is_stopped)
        if why is not None:
            yield Violation(
                file=_file(inquiry, record), describe=partial(_describe, inquiry, schedule_id, record, why)
            )


def _file(inquiry: Inquiry, record: Record) -> str:
    files = inquiry.declared.files
    return files.get(record.declarer) or files.get(("channel", record.channel_id)) or ""


def _describe(inquiry: Inquiry, schedule_id: str, record: Record, why: str) -> Diagnostic:
    declared, schedule, file = inquiry.declared, inquiry.schedules.get(schedule_id), _file(inquiry, record)
    whole = declared.place(file) if file else Location.whole(".")
    where = whole if schedule is None else member_place(declared, schedule)
    return named(schedule_id, where, record, local_and_utc(declared, record), why)


def named(schedule_id: str, place: Location, record: Record, when: str, why: str) -> Diagnostic:
    """The warning, with what is to keep it back in a few words; `when` is local and UTC."""
    where = f"channel {record.channel_id}" + (f" ({record.run_url})" if record.run_url else "")
    return warning(
        RULE.code,
        place,
        f"{schedule_id} goes public at {when} on channel {record.channel_id} all the same ({why}): "
        f"it was handed over at {record.accepted_at} and cannot be taken back from here",
        f"to stop it, take it back by hand on {where}",
        schedules=[schedule_id],
    )


RULE = Rule(
    code="goes-public",
    title="Nothing becomes public against what is declared",
    severity=Severity.WARNING,
    meaning="""\
With a `lead`, a channel accepts a publication hours before it is public. If it is paused, cancelled, moved,
given another video or removed in these hours, or a freeze or `SCHEDULER_PAUSED=1` covers its publish time,
it becomes public all the same, unless its channel has `retract` and there are at least 5 minutes (or
`min_gap`) left. A freeze and `SCHEDULER_PAUSED=1` never take anything back.""",
    remedy="""\
Take it back by hand, on the platform or in the channel's workflow run. With `retract` on the channel
([Punctuality](punctuality.md#retract)), the scheduler does that the next time.""",
    check=check,
)
