"""`on_failure: halt`: a failure pauses what its wave has not sent yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scheduler.planning.plan.situation import Situation
from scheduler.state.record import Pause, Record
from scheduler.times import Instant

Place = tuple[Instant, int, str]


class Halts:
    """Halted waves, each with the schedule that failed."""

    def __init__(self, culprits: dict[str, str]) -> None:
        self._culprits = culprits

    def pause(self, record: Record) -> Pause | None:
        """The pause of an unsent record, where its wave is halted. A person's `retry` goes past it."""
        if not record.halt or record.retried_at is not None:
            return None
        culprit = self._culprits.get(record.wave_id or "")
        return None if culprit is None else Pause("halt", f"{culprit} failed")


def find_halts(situation: Situation, fail: Callable[[str], None]) -> Halts:
    """The waves that are halted at this instant.

    Of several members that are about to fail at once, the first one fails (`fail` books it) and halts
    the others, as it would have done had the run come in time.
    """
    culprits: dict[str, str] = {}
    failing: dict[str, Place] = {}
    for schedule_id, record in _halting(situation):
        wave_id = record.wave_id or ""
        if _has_failed(record):
            known = culprits.get(wave_id)
            culprits[wave_id] = schedule_id if known is None else min(known, schedule_id)
        elif record.is_unsent_live and _will_fail(situation, schedule_id, record):
            place = (record.at, record.position, schedule_id)
            failing[wave_id] = min(failing.get(wave_id, place), place)
    for wave_id, (_, _, schedule_id) in failing.items():
        if wave_id not in culprits:
            fail(schedule_id)
            culprits[wave_id] = schedule_id
    return Halts(culprits)


def _halting(situation: Situation) -> Iterator[tuple[str, Record]]:
    """The records whose failure halts their wave: declared still (or unreadable), and not cancelled."""
    subject, records = situation.subject, situation.draft.records
    waves = {name for name, wave in subject.declared.waves.items() if wave.on_failure == "halt"}
    if not (waves or subject.declared.unreadable or subject.declared.hidden):
        return
    archived = {i: record for i, record in subject.archive.items() if i not in records}
    for some in (records, archived):
        for schedule_id, record in some.items():
            if record.wave_id in waves:
                schedule = subject.schedules.get(schedule_id)
                if schedule is not None and not schedule.cancelled:
                    yield schedule_id, record
            elif record.halt and subject.is_unreadable(record):
                yield schedule_id, record


def _has_failed(record: Record) -> bool:
    """It failed, and no retry of it has succeeded yet."""
    return record.status == "failed" or (record.retried_at is not None and record.status != "completed")


def _will_fail(situation: Situation, schedule_id: str, record: Record) -> bool:
    if schedule_id in situation.subject.kept or situation.pauses.of(schedule_id, record):
        return False
    timing = situation.timing(schedule_id, record)
    if timing is None:
        return False
    if situation.is_too_late(record, timing):
        return True
    held = situation.subject.is_held(schedule_id, record.channel_id)
    return situation.now >= timing.due and record.video_id is None and not held
