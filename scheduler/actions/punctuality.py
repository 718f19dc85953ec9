"""How punctual a proposal can be: how late the last publications left, against what the proposal needs.

Lateness is counted from the due time (the publish time minus the channel's `lead`). What leaves within
the lead is on time for the platform; what leaves after lead and `catch_up` together is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scheduler.actions.texts import code
from scheduler.declarations import Declarations
from scheduler.plan import Change
from scheduler.schedules import Schedule
from scheduler.state import Record
from scheduler.times import duration_text

SAMPLE = 50
"""Publications that are looked back at."""
_SHOWN = 20
"""Waves and channels that the table shows."""
_TOUCHES = frozenset({"create", "update", "reopen", "resume"})


@dataclass(frozen=True)
class Sample:
    """The last publications: how late each left (seconds, ascending), and how many never did."""

    late: tuple[int, ...]
    missed: int

    def share_within(self, share: float) -> int:
        """The lateness that this share of the sample did not exceed."""
        return self.late[min(len(self.late) - 1, int(share * len(self.late)))]

    def later_than(self, seconds: int) -> int:
        """How many left later than that."""
        return sum(late > seconds for late in self.late)


@dataclass(frozen=True)
class Need:
    """What a wave (or a channel's own schedules) can bear, in seconds after due: the least of its members."""

    on_time: int
    lost: int


def sample_of(records: Iterable[Record]) -> Sample:
    """The newest publications of the record. Retries say nothing of the clock, and are left out."""
    own = [record for record in records if record.retried_at is None]
    told = sorted(
        (record for record in own if record.lateness_seconds is not None or record.reason == "missed"),
        key=lambda record: record.executed_at or record.scheduled_at,
    )[-SAMPLE:]
    late = sorted(record.lateness_seconds for record in told if record.lateness_seconds is not None)
    return Sample(tuple(late), sum(record.reason == "missed" for record in told))


def needs_of(
    changes: Iterable[Change], schedules: Mapping[str, Schedule], declared: Declarations
) -> dict[str, Need]:
    """What the schedules that a plan changes need, by the wave (`wave spring`) or channel they belong to."""
    needs: dict[str, Need] = {}
    for change in changes:
        schedule = schedules.get(change.schedule_id)
        if change.action not in _TOUCHES or schedule is None or schedule.channel not in declared.channels:
            continue
        lead = declared.channels[schedule.channel].lead
        catch_up = schedule.group.catch_up
        lost = lead + (declared.settings.catch_up if catch_up is None else catch_up)
        wave = schedule.group.wave
        name = f"wave {wave}" if wave is not None else f"channel {schedule.channel}"
        known = needs.get(name, Need(lead, lost))
        needs[name] = Need(min(known.on_time, lead), min(known.lost, lost))
    return needs


def section(sample: Sample, needs: Mapping[str, Need]) -> str:
    """The part of the comment, in Markdown; empty where the proposal changes no time."""
    if not needs:
        return ""
    return "\n".join(
        ["", "#### How punctual this can be", "", *_history(sample), "", *_table(sample, needs), ""]
    )


def _history(sample: Sample) -> list[str]:
    if not sample.late:
        missed = f" {sample.missed} were missed." if sample.missed else ""
        return [
            f"Nothing was sent yet, so nothing is known of the clock.{missed} GitHub's cron alone can be "
            "hours late: `docs/punctuality.md` says how to do better."
        ]
    middle, most = (duration_text(sample.share_within(share)) for share in (0.5, 0.95))
    words = (
        f"Of the last {len(sample.late) + sample.missed} publications, half left within {middle} of their due"
    )
    words += f" time, 95 % within {most}, the latest after {duration_text(sample.late[-1])}"
    return [f"{words}; {sample.missed or 'none'} {'was' if sample.missed == 1 else 'were'} missed."]


def _table(sample: Sample, needs: Mapping[str, Need]) -> list[str]:
    rows = ["| | on time if it leaves within | missed if later than | had the last ones been these |"]
    rows.append("|---|---|---|---|")
    for name, need in sorted(needs.items())[:_SHOWN]:
        late = sample.later_than(need.on_time) - sample.later_than(need.lost)
        verdict = f"{late} late, {sample.later_than(need.lost) + sample.missed} missed" if sample.late else ""
        on_time = duration_text(need.on_time) if need.on_time else "the second"
        rows.append(f"| {code(name)} | {on_time} | {duration_text(need.lost)} | {verdict} |")
    if len(needs) > _SHOWN:
        rows.append(f"| and {len(needs) - _SHOWN} more | | | |")
    return rows
