"""The difference that an edit makes: to the text, to the schedules, and to the diagnostics. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from scheduler.checkout.source import Kind
from scheduler.diagnostics import MOST, Diagnostic
from scheduler.editing.preview import View
from scheduler.errors import ScheduleError
from scheduler.planning.rows import Row, is_queued
from scheduler.planning.taking_back import going_public
from scheduler.state.record import Pause, Record
from scheduler.times import read_utc

Verb = Literal["pause", "resume", "cancel", "move", "assign", "create"]


class Refused(ScheduleError):
    """The edit would break a rule; nothing was written. `texts` has the file as it would be, by name."""

    def __init__(self, message: str, diagnostics: Sequence[Diagnostic], texts: Mapping[str, str]) -> None:
        super().__init__(message, diagnostics)
        self.texts = texts


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What an edit does to one schedule: its record before and after; None where it does not exist."""

    schedule_id: str
    before: Record | None
    after: Record | None
    zone: str = "UTC"
    """The channel's zone, for display."""


class RemainingPause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause that remains after a resume, and the schedules that it holds back."""

    pause: Pause
    schedule_ids: Sequence[str]
    lifted_by: str | None
    """The target to resume; None where the pause ends in another way."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What a verb would write, and the effects of it."""

    verb: Verb
    target: str
    """As on the command line: `wave:spring`, `spring/teaser/alpha`."""
    file: str
    before: str | None
    """The text of the file as it is; None for a new file."""
    after: str
    touched: Sequence[Effect]
    """The schedules that the verb is about and that change."""
    also: Sequence[Effect]
    """Other schedules that change because of it: a lineup moves up, a halt ends."""
    warnings: Sequence[Diagnostic]
    """The new ones."""
    remaining: Sequence[RemainingPause]
    """The pauses that still hold back what was resumed."""
    due: Sequence[str]
    """Schedules that the next run sends because of the edit."""
    outlasted: Sequence[str]
    """Those of `touched` whose pause ends only after they are missed."""
    about: Sequence[str]
    """All schedules that the verb is about, whether they change or not; new ones in the order given."""
    edited: View
    """The repository as it would be."""
    public: Sequence[str] = ()
    """Those of `about` that become public all the same: handed over, and not to be taken back from here."""
    taken_back: Sequence[str] = ()
    """Those of `about` that are handed over and that the next run takes back because of the edit."""
    reason: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return self.before == self.after

    @property
    def holds_nothing(self) -> bool:
        """Whether all that it is about becomes public all the same, so that it has no effect."""
        ahead = any(effect.schedule_id not in self.public for effect in self.touched)
        return bool(self.public) and not self.taken_back and not ahead

    @property
    def diff(self) -> str:
        """The unified diff of the file, as git shows it."""
        lines = difflib.unified_diff(
            (self.before or "").splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.file}" if self.before is not None else "/dev/null",
            f"b/{self.file}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
                       for line in lines)  # fmt: skip


def propose(
    view: View,
    verb: Verb,
    target: str,
    *,
    kind: Kind,
    file: str,
    after: str,
    about: Callable[[View], Iterable[str]],
    reason: str | None = None,
) -> Proposal:
    """The proposal of a new text for a file.

    `about` returns the ids of the schedules that the verb is about, given the edited view. Raises Refused
    where the edit introduces an error.
    """
    before = view.text(file)
    edited = view if before == after else view.edited(kind, file, after)
    faults = _new_faults(view, edited)
    if verb == "pause":  # `outlasted` reports it; to pause something for so long may be intended
        faults = [fault for fault in faults if fault.code != "missed-by-pause"]
    meant = dict.fromkeys(about(edited))
    public = [] if verb in ("resume", "create") else list(_public(edited, meant))
    errors = [fault for fault in faults if fault.is_error and not _is_of(public, fault)]
    if errors:
        raise Refused(f"the change would break a rule; {file} was not written", errors, {file: after})
    effects = list(_effects(view, edited))
    touched = [effect for effect in effects if effect.schedule_id in meant]
    return Proposal(
        verb=verb,
        target=target,
        file=file,
        before=before,
        after=after,
        touched=touched,
        also=[effect for effect in effects if effect.schedule_id not in meant],
        warnings=faults,
        remaining=_remaining(edited, meant) if verb == "resume" else (),
        due=sorted(_sends(edited) - _sends(view)),
        outlasted=[effect.schedule_id for effect in touched if _is_outlasted(edited, effect.after)],
        reason=reason,
        about=list(meant),
        edited=edited,
        public=public,
        taken_back=sorted((_taken_back(edited) - _taken_back(view)) & meant.keys()),
    )


def _new_faults(before: View, after: View) -> list[Diagnostic]:
    """Those that were not there before. An edit moves lines, so the position within a file does not count.

    Where a file has too many errors of one kind to show each, they count as new when their number grows.
    """

    def name(fault: Diagnostic) -> tuple[str, str, str]:
        return fault.code, fault.location.file, fault.message

    known = Counter(map(name, before.reconciled.diagnostics))
    many, more = _kinds(before.reconciled.diagnostics), _kinds(after.reconciled.diagnostics)
    found = []
    for fault in after.reconciled.diagnostics:
        kind = name(fault)[:2]
        if known[name(fault)] > 0:
            known[name(fault)] -= 1
        elif many[kind] <= MOST or more[kind] > many[kind]:
            found.append(fault)
    return found


def _kinds(diagnostics: Iterable[Diagnostic]) -> Counter[tuple[str, str]]:
    """How many there are of each code in each file, shown or not."""
    counts: Counter[tuple[str, str]] = Counter()
    for fault in diagnostics:
        counts[fault.code, fault.location.file] += fault.not_shown or 1
    return counts


def _sends(view: View) -> set[str]:
    return {send.schedule_id for send in view.reconciled.plan.sends if send.event_type is None}


def _taken_back(view: View) -> set[str]:
    return {change.schedule_id for change in view.reconciled.plan.changes if change.action == "retract"}


def _public(edited: View, meant: Iterable[str]) -> Iterator[str]:
    for schedule_id in meant:
        row = edited.rows.get(schedule_id)
        schedule = edited.reconciled.schedules.get(schedule_id)
        if row is not None and going_public(
            edited.declared, row.record, schedule, edited.now, is_stopped=False
        ):
            yield schedule_id


def _is_of(public: Sequence[str], fault: Diagnostic) -> bool:
    """Whether it only says that an edit of what becomes public all the same comes too late."""
    return fault.code == "edited-after-dispatch" and {*fault.schedules} <= {*public}


# --- schedule by schedule -------------------------------------------------------------------------------


def _effects(before: View, after: View) -> Iterator[Effect]:
    """The schedules that are not over and that the edit changes, in the order of listings."""
    if before is after:
        return
    for schedule_id in dict.fromkeys([*before.rows, *after.rows]):
        old, new = before.rows.get(schedule_id), after.rows.get(schedule_id)
        if not (_is_ahead(old) or _is_ahead(new)):
            continue
        if _facts(before, schedule_id, old) != _facts(after, schedule_id, new):
            row = new or old
            yield Effect(
                schedule_id=schedule_id,
                before=None if old is None else old.record,
                after=None if new is None else new.record,
                zone="UTC" if row is None else row.zone,
            )


def _is_ahead(row: Row | None) -> bool:
    """Whether a schedule is not over, or can be retried."""
    return row is not None and (
        row.record.is_unsent_live or row.record.status == "failed" or is_queued(row.record)
    )


def _facts(view: View, schedule_id: str, row: Row | None) -> tuple[Any, ...]:
    """Everything about a schedule that an edit may change, as the next run records it and as declared."""
    if row is None:
        return ()
    record = row.record
    schedule = view.reconciled.schedules.get(schedule_id)
    held_back = view.reconciled.plan.taken_back.get(schedule_id)
    recorded = (record.scheduled_at, record.video_id, record.status, record.pauses, held_back)
    if schedule is None:
        return recorded
    declared = (schedule.at, schedule.video, schedule.cancelled)
    if record.status == "failed":  # a pause has no effect on it until it is retried
        return (*recorded, *declared)
    return (*recorded, *declared, schedule.paused, schedule.group.paused)


# --- what remains ---------------------------------------------------------------------------------------


def _remaining(view: View, about: Iterable[str]) -> list[RemainingPause]:
    """The pauses that still hold these schedules back, each with the schedules it holds."""
    held: dict[tuple[Pause, str | None], list[str]] = {}
    for schedule_id in about:
        row = view.rows.get(schedule_id)
        for pause in row.record.pauses if row is not None else ():
            assert row is not None, "only a row has pauses"
            held.setdefault((pause, _lifted_by(pause, row)), []).append(schedule_id)
    return [RemainingPause(pause=pause, schedule_ids=ids, lifted_by=by) for (pause, by), ids in held.items()]


def _is_outlasted(view: View, record: Record | None) -> bool:
    """Whether every pause of an unsent schedule has an end, the last of them after the schedule is missed."""
    if record is None or not record.is_unsent_live or record.after_success or not record.pauses:
        return False
    ends = [pause.until for pause in record.pauses if pause.until is not None]
    if len(ends) < len(record.pauses):
        return False
    base = max(record.at, read_utc(record.retried_at)) if record.retried_at else record.at
    end = view.declared.thawed(record.channel_id, max(map(read_utc, ends)))
    return end > base + view.declared.catch_up(record.catch_up)


def _lifted_by(pause: Pause, row: Row) -> str | None:
    if pause.by == "schedule":
        return row.schedule_id
    if pause.by == "wave":
        return f"wave:{row.record.wave_id}"
    return f"channel:{row.record.channel_id}" if pause.by == "channel" else None
