"""Late together is not all at once: what is late on one channel leaves at least `min_gap` apart. Pure.

`min_gap` is held against the times that are declared, and a run that comes hours late would send all of them
within milliseconds. Late is what is past its publish time; what is in time never waits for it.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.planning.plan.plan import PutOff
from scheduler.planning.plan.situation import Situation, free_from
from scheduler.state.record import Record
from scheduler.times import duration_text, instant_text, read_utc
from scheduler.wording import count


def take_turns(situation: Situation) -> None:
    """Put off what is late and due until its channel may send again; by publish time, and it keeps its place.

    One that has to wait for its next attempt keeps its place, too: those behind it wait with it.
    """
    gap = situation.gap
    late = [(due.schedule_id, due.record) for due in situation.due if _is_late(situation, due.record)]
    if not (gap and late):
        return
    late += ((i, record) for i, record in situation.delayed if _is_late(situation, record))
    lines: dict[str, list[tuple[str, Record]]] = defaultdict(list)
    for schedule_id, record in sorted(late, key=lambda one: (one[1].at, one[1].position, one[0])):
        lines[record.channel_id].append((schedule_id, record))
    waiting: dict[str, PutOff] = {}
    for channel, line in lines.items():
        waiting |= _line_up(situation, channel, line)
    late_and_due = {due.schedule_id: due.record for due in situation.due}
    for schedule_id, put_off in waiting.items():
        if schedule_id in late_and_due:
            situation.draft.put_off.append(put_off)
            situation.draft.due_at(put_off.until)
            situation.delayed.append((schedule_id, late_and_due[schedule_id]))
    situation.due = [due for due in situation.due if due.schedule_id not in waiting]


def _is_late(situation: Situation, record: Record) -> bool:
    """Past its publish time, and not begun: a resend of an unknown outcome has had its turn."""
    return record.at < situation.now and record.is_unsent_live


def _line_up(situation: Situation, channel: str, line: Iterable[tuple[str, Record]]) -> dict[str, PutOff]:
    """Which of a channel's late ones have to wait, and until when."""
    gap, taken = situation.gap, situation.taken(channel)
    turn, waiting = situation.now, {}
    for schedule_id, record in line:
        attempt = situation.now if record.next_attempt_at is None else read_utc(record.next_attempt_at)
        at = free_from(taken, max(turn, attempt), gap)
        timing = situation.timing(schedule_id, record)
        missed = timing is not None and record.retried_at is None and at > timing.deadline
        if not missed:  # else it is in nobody's way
            insort(taken, at)
            turn = at
        if at > situation.now:
            waiting[schedule_id] = PutOff(
                schedule_id=schedule_id, channel_id=channel, until=at, is_missed=missed
            )
    return waiting


def described(put_off: Sequence[PutOff], declared: Declarations) -> Iterator[Diagnostic]:
    """One warning for each channel whose late ones wait."""
    for channel, group in groupby(put_off, key=lambda one: one.channel_id):
        some = list(group)
        missed = sum(one.is_missed for one in some)
        turns = [instant_text(one.until) for one in some if not one.is_missed]
        message = f"{count(len(some), 'late publication')} of channel {channel} cannot leave yet: "
        message += f"`min_gap` keeps them {duration_text(declared.settings.conflicts.min_gap)} apart"
        if turns:
            message += f"; the next leaves at {turns[0]}" + (
                f", the last at {turns[-1]}" if turns[1:] else ""
            )
        if missed:
            message += f"; {missed} would be missed, being later than `catch_up` by then"
        yield warning(
            "late-together",
            Location.whole(declared.files.get(("channel", channel), ".")),
            message,
            "to send them sooner, lower `min_gap`; to miss none, raise `catch_up`" if missed else None,
            schedules=[one.schedule_id for one in some],
        )
