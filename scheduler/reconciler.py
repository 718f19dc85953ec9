"""The whole pipeline on one page: sources + record + now -> a plan and diagnostics. Pure.

Text becomes documents, documents become declarations, declarations become schedules, the schedules are held
against the rules and the record, and what is left to do is the plan.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from scheduler import conflicts, lineup, renames, schedules
from scheduler.declarations import Declarations, declare
from scheduler.diagnostics import Code, Diagnostic, Location, error, in_order, warning
from scheduler.envelope import payload_problem
from scheduler.pace import Bucket
from scheduler.plan import Plan, Subject, Surroundings, make_plan
from scheduler.schedules import Expansion, Schedule
from scheduler.slots import is_instant, read_slot
from scheduler.sources import Source
from scheduler.state import Record, State
from scheduler.times import Instant, duration_text, instant_text, read_utc, read_zone


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one look at the repository and the record."""

    plan: Plan
    diagnostics: Sequence[Diagnostic]
    declared: Declarations | None
    """None where scheduler.yaml is broken: then nothing is planned."""
    schedules: Mapping[str, Schedule]
    booked: Mapping[str, Record]
    """The records as the next run would leave them, before it sends anything."""
    blocked: Mapping[str, Code]
    open_slots: Sequence[lineup.OpenSlot]
    archive: Mapping[str, Record]

    @property
    def is_red(self) -> bool:
        return any(fault.is_error for fault in self.diagnostics)


def reconcile(
    sources: Iterable[Source],
    state: State | None,
    archive: Mapping[str, Record],
    now: Instant,
    surroundings: Surroundings,
    *,
    proposal: bool = False,
    force: bool = False,
) -> Reconciled:
    """Plan what to do at `now`.

    `proposal` is for `validate` and `plan`, which also refuse the past and only warn of the brake;
    `force` lets a run past the brake. `state` is None where nothing was recorded yet.
    """
    declared, faults = declare(sources)
    if declared is None:
        return Reconciled(
            plan=Plan(now=now, changes=()), diagnostics=in_order(faults), declared=None, schedules={},
            booked=state.schedules if state else {}, blocked={}, open_slots=(), archive=archive,
        )  # fmt: skip
    renaming = renames.rename(declared, state.schedules if state else {}, archive, now)
    known = {**archive, **renaming.records} if archive else renaming.records
    faults += renaming.faults

    expansion = schedules.expand(declared, known)
    schedules.check_channels(declared, known, expansion)
    renames.check_former_ids(declared, known, expansion)
    _check_allowed(declared, surroundings, expansion)
    _check_payloads(declared, expansion)
    as_recorded = _as_recorded(declared, renaming.records, expansion)
    late = _late_slots(declared, renaming.records, expansion, now, surroundings)
    calendar = lineup.fill(
        declared,
        known,
        expansion,
        now,
        missed=lambda schedule_id, _: schedule_id in late,
        counts=lambda schedule_id, record: record.was_sent or schedule_id in as_recorded,
    )
    _block_refused(declared, expansion)
    as_recorded |= late - expansion.schedules.keys()
    kept = _brake(declared, renaming.records, expansion, as_recorded, proposal=proposal, force=force)
    conflicts.check(
        conflicts.Inquiry(
            declared=declared,
            records=known,
            undeclared=_undeclared(known, expansion, as_recorded, kept),
            expansion=expansion,
            now=now,
            proposal=proposal,
        )
    )
    _check_pace(declared, known, expansion, surroundings)
    plan, booked = make_plan(
        Subject(
            declared=declared,
            expansion=expansion,
            records=renaming.records,
            archive=archive,
            renamed=renaming.renamed,
            kept=kept,
            as_recorded=frozenset(as_recorded),
            surroundings=surroundings,
            now=now,
        )
    )
    return Reconciled(
        plan=_woken(plan, calendar.next_slot),
        diagnostics=in_order([*faults, *expansion.faults]),
        declared=declared,
        schedules=expansion.schedules,
        booked=booked,
        blocked=expansion.blocked,
        open_slots=calendar.open_slots,
        archive=archive,
    )


def _woken(plan: Plan, next_slot: Instant | None) -> Plan:
    """A slot that comes within the horizon is something new, too."""
    if next_slot is None or (plan.wake is not None and plan.wake <= next_slot):
        return plan
    return msgspec.structs.replace(plan, wake=max(next_slot, plan.now + 1))


# --- which repositories may be pointed at -----------------------------------------------------------


def _check_allowed(declared: Declarations, surroundings: Surroundings, expansion: Expansion) -> None:
    lists = [("scheduler.yaml", declared.settings.allow)] if declared.settings.allow else []
    if surroundings.allow is not None:
        lists.append(("SCHEDULER_ALLOW", surroundings.allow))
    for name, channel in declared.channels.items():
        for origin, patterns in lists:
            if channel.repository is None or _matches(channel.repository, patterns):
                continue
            declared.refused[name] = "not-allowed"
            expansion.faults.append(
                error(
                    "not-allowed",
                    declared.place(declared.files["channel", name], ("repository",)),
                    f"the repository {channel.repository} is not among those allowed by {origin}: "
                    f"{', '.join(patterns) or 'none'}",
                    "an operator has to add it there",
                )
            )
            break


def _matches(repository: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(repository.lower(), pattern.lower()) for pattern in patterns)


def _block_refused(declared: Declarations, expansion: Expansion) -> None:
    if declared.refused:
        for schedule_id, schedule in expansion.schedules.items():
            if schedule.channel in declared.refused:
                expansion.blocked.setdefault(schedule_id, declared.refused[schedule.channel])


def _check_payloads(declared: Declarations, expansion: Expansion) -> None:
    """A payload that GitHub would refuse is refused here, at its metadata."""
    verdicts: dict[int, str | None] = {}
    for schedule in expansion.schedules.values():
        group = schedule.group
        if group.metadata is None:
            continue
        if id(group) not in verdicts:
            verdicts[id(group)] = problem = payload_problem(group.metadata)
            if problem is not None:
                route = (*schedule.loc[:2], "metadata")
                where = declared.place(schedule.file, route, key=True)
                expansion.faults.append(
                    error("invalid-value", where, problem, "keep long texts elsewhere, and put a link here")
                )
        if verdicts[id(group)] is not None:
            expansion.blocked.setdefault(schedule.id, "invalid-value")


# --- what is recorded and not declared ---------------------------------------------------------------


def _as_recorded(declared: Declarations, records: Mapping[str, Record], expansion: Expansion) -> set[str]:
    """Live records whose own file cannot be read: unreadable is not withdrawn."""
    if not declared.unreadable:
        return set()
    return {
        schedule_id
        for schedule_id, record in records.items()
        if record.is_unsent_live
        and schedule_id not in expansion.schedules
        and (
            ("wave", record.wave_id) in declared.unreadable
            if record.wave_id is not None
            else ("channel", record.channel_id) in declared.unreadable
        )
    }


def _late_slots(
    declared: Declarations,
    records: Mapping[str, Record],
    expansion: Expansion,
    now: Instant,
    surroundings: Surroundings,
) -> set[str]:
    """Recorded slots that this run will have to call missed: their videos are free for the next slots."""
    late: set[str] = set()
    if surroundings.stopped:
        return late
    for schedule_id, record in records.items():
        channel = declared.channels.get(record.channel_id)
        if not record.slot or not record.is_unsent_live or channel is None:
            continue
        base = max(record.at, read_utc(record.retried_at) if record.retried_at else 0)
        if now <= base + declared.settings.catch_up or schedule_id in expansion.schedules:
            continue
        paused = channel.paused is not None and (channel.paused.until is None or channel.paused.until > now)
        frozen = any(
            (freeze.channels is None or record.channel_id in freeze.channels)
            and now < freeze.until
            and (freeze.from_ <= now or freeze.from_ <= record.at < freeze.until)
            for freeze in declared.settings.freezes
        )
        rules = [read_slot(text) for text in channel.slots]
        if not paused and not frozen and is_instant(rules, read_zone(channel.timezone), record.at):
            late.add(schedule_id)
    return late


def _brake(
    declared: Declarations,
    records: Mapping[str, Record],
    expansion: Expansion,
    as_recorded: set[str],
    *,
    proposal: bool,
    force: bool,
) -> dict[str, str]:
    """Undeclared live records that are kept since there are too many of them at once."""
    live = [schedule_id for schedule_id, record in records.items() if record.is_live]
    gone = [i for i in live if i not in expansion.schedules and i not in as_recorded]
    settings = declared.settings
    if len(gone) < settings.at_least or len(gone) * 100 <= settings.cancel_percent * len(live) or force:
        return {}
    tell = warning if proposal else error
    expansion.faults.append(
        tell(
            "brake",
            Location("scheduler.yaml") if "scheduler.yaml" in declared.documents else Location("waves"),
            f"{len(gone)} of {len(live)} live schedules are no longer declared: more than "
            f"{settings.cancel_percent} % are not cancelled at once, and none of them is sent",
            "restore the files, or say `scheduler run --force` if it is meant",
        )
    )
    return {schedule_id: "brake" for schedule_id in gone if records[schedule_id].is_unsent_live}


def _undeclared(
    known: Mapping[str, Record], expansion: Expansion, as_recorded: set[str], kept: Mapping[str, str]
) -> dict[str, Record]:
    return {
        schedule_id: record
        for schedule_id, record in known.items()
        if schedule_id not in expansion.schedules
        and (record.was_sent or schedule_id in as_recorded or schedule_id in kept)
    }


# --- pace ----------------------------------------------------------------------------------------------


def _check_pace(
    declared: Declarations, known: Mapping[str, Record], expansion: Expansion, surroundings: Surroundings
) -> None:
    """Warn of a wave that pace would spread beyond its catch-up."""
    lines: dict[str, list[Schedule]] = {}
    for schedule in expansion.schedules.values():
        channel = declared.channels.get(schedule.channel)
        if channel is None or channel.repository is None or schedule.cancelled:
            continue
        record = known.get(schedule.id)
        if record is None or record.is_unsent_live:
            lines.setdefault(surroundings.token_for(channel) or "", []).append(schedule)
    pace = declared.settings.pace
    told: set[str] = set()
    for token, line in lines.items():
        if len(line) <= pace.count:
            continue
        bucket = Bucket(pace)
        leads = {name: channel.lead for name, channel in declared.channels.items()}
        line.sort(key=lambda s: (s.at - leads[s.channel], s.position, s.id))
        for schedule in line:
            due = schedule.at - leads[schedule.channel]
            late = bucket.take(float(due)) - schedule.at
            catch_up = schedule.group.catch_up
            if late > (declared.settings.catch_up if catch_up is None else catch_up):
                wave = schedule.group.wave or schedule.file
                if wave not in told:
                    told.add(wave)
                    expansion.faults.append(_too_slow(declared, schedule, token, round(late)))


def _too_slow(declared: Declarations, schedule: Schedule, token: str, late: int) -> Diagnostic:
    pace = declared.settings.pace
    return warning(
        "late-by-pace",
        declared.place(schedule.file, (*schedule.loc[:2], "at")),
        f"{schedule.id} and what follows would be missed: at {pace.count} requests in "
        f"{duration_text(pace.seconds)} (`pace`) the token {token} gets to it "
        f"{duration_text(late)} after {instant_text(schedule.at)}",
        "raise `pace` or `catch_up`, use a second token, or spread the wave",
    )
