"""The verbs of editors and operators, carried out: `change` edits a file, `retry` a record, `show` reads.

`change` holds the lock of edits from reading to writing. `retry` saves the state by compare-and-swap: after a
lost race it decides again from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from scheduler import editing
from scheduler.app.repository import Repository
from scheduler.checkout import writing
from scheduler.delivery import RACES, commit_messages
from scheduler.delivery.queue.sqlite import SqliteQueue, lease_of
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Code, Diagnostic, in_order
from scheduler.editing import Proposal, Retry, View
from scheduler.errors import Error, LostRace, ScheduleError, StateError
from scheduler.planning.rows import Row
from scheduler.reporting.explain import ShownSchedule, explain
from scheduler.state.intent import key_of
from scheduler.state.record import Lease, Record, State
from scheduler.wording import and_more

_NAMED = 3
"""Publications that one message names; the diagnostics beside it have all."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a change: the proposal as it was written, and its commit where one was made."""

    proposal: Proposal
    commit: str | None = None
    message: str | None = None


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a retry: what was saved, and why the rest cannot be retried, in the order asked for."""

    retries: Sequence[Retry]
    next: Mapping[str, str]
    """By id: what happens next, in a sentence."""
    refused: Sequence[ScheduleError]


def current_view(repository: Repository) -> View:
    """The files and the state as they are now. Raises StateError where the state cannot be reached."""
    sources = repository.sources()
    settings = repository.settings(sources)
    state, archive = (None, {}) if settings is None else repository.recorded(settings)
    return editing.view_of(sources, state, archive, repository.clock.now(), repository.surroundings())


def change(
    repository: Repository,
    propose: Callable[[View], Proposal],
    *,
    commit: bool = False,
    anyway: bool = False,
) -> Changed:
    """Read everything, compute a proposal and write it; an empty proposal writes nothing.

    Raises ScheduleError where it is refused, where all that it is about becomes public all the same (unless
    `anyway`), and where somebody else changed the file in the meantime; StateError where the state cannot be
    reached.
    """
    root = repository.root
    with writing.editing(root):
        proposal = propose(current_view(repository))
        if proposal.is_empty:
            return Changed(proposal=proposal)
        if proposal.holds_nothing and not anyway:
            raise _too_late(proposal)
        if commit:
            writing.demand_committable(root, proposal.file, is_new=proposal.before is None)
        before = None if proposal.before is None else proposal.before.encode()
        writing.replace(root, proposal.file, before, proposal.after.encode())
        if not commit:
            return Changed(proposal=proposal)
        ids = [effect.schedule_id for effect in proposal.touched]
        message = commit_messages.edit(proposal.verb, proposal.target, proposal.reason, ids)
        return Changed(
            proposal=proposal, commit=writing.commit(root, proposal.file, message), message=message
        )


def _too_late(proposal: Proposal) -> ScheduleError:
    """Nothing that it is about can be held back any more."""
    warnings = [
        w for w in proposal.warnings if w.code == "goes-public" and {*w.schedules} & {*proposal.public}
    ]
    hint = (
        f"take {'it' if len(proposal.public) == 1 else 'them'} back by hand on the platform; to write this "
    )
    hint += f"into {proposal.file} all the same, repeat the command with --anyway"
    goes = "goes" if len(proposal.public) == 1 else "go"
    return ScheduleError(
        f"{and_more(proposal.public, _NAMED)} {goes} public all the same, so nothing was written",
        warnings,
        hint=hint,
    )


# --- the state ----------------------------------------------------------------------------------------


def retry(
    repository: Repository, names: Sequence[str], *, failed: bool = False, resend: bool = False
) -> Retried:
    """Make failed schedules pending again, to be sent however late; all that can be is saved at once.

    A name is an id, `wave:ID`, `channel:ID`, `tag:TAG` or a group; `failed` adds all that failed. Raises
    ScheduleError where scheduler.yaml cannot be read; StateError where the state cannot be saved, or would be
    lost with this machine (on GitHub Actions); RunRefused where this checkout is outdated or the clock wrong.
    """
    settings = repository.settings()
    if settings is None:
        raise ScheduleError(
            "scheduler.yaml cannot be read, so nothing can be retried",
            current_view(repository).reconciled.diagnostics,
        )
    ports = repository.ports(settings)
    repository.demand_right_clock()
    for attempt in range(RACES):
        snapshot = ports.store.load()
        sources = ports.sources()
        ports.guard(snapshot.state, sources)
        archive = ports.store.load_archive()
        now, surroundings = repository.clock.now(), ports.surroundings()
        view = editing.view_of(sources, snapshot.state, archive, now, surroundings)
        wanted, refused = _retries(view, names, failed=failed, resend=resend)
        done, after, held_back = _unblocked(view, wanted)
        refused += held_back
        if not done:
            return Retried(retries=(), next={}, refused=refused)
        records = {each.schedule_id: each.record for each in done}
        state = msgspec.structs.replace(_with(snapshot.state, records), serial=snapshot.state.serial + 1)
        try:
            ports.store.save(state, snapshot, commit_messages.retry(records))
        except LostRace:
            repository.clock.back_off(min(attempt, 6))
            continue
        follows = {
            each.schedule_id: explain(after.reconciled, after.rows[each.schedule_id], each.record)
            for each in done
        }
        return Retried(retries=done, next=follows, refused=refused)
    raise StateError("other runs saved the state first each time; nothing was written", hint="try again")


def _retries(
    view: View, names: Sequence[str], *, failed: bool, resend: bool
) -> tuple[list[Retry], list[ScheduleError]]:
    """Each is decided as if the ones before it were saved: two slots may want the same video of a lineup."""
    assert view.state is not None, "the view was made from a state"
    known = {**view.archive, **view.state.schedules}
    all_failed = failed and not names
    rows = {
        row.schedule_id: row for row in view.rows.values() if all_failed and row.record.status == "failed"
    }
    refused: list[ScheduleError] = []
    for name in names:
        try:
            found = editing.named(view, name)
        except ScheduleError as problem:
            refused.append(problem)
            continue
        if failed or not editing.is_single(name):
            found = [row for row in found if row.record.status == "failed"]
        rows |= {row.schedule_id: row for row in found}
        if not found and not failed:
            nothing = f"nothing of {name} failed, so there is nothing to retry"
            refused.append(
                ScheduleError(nothing, hint="run `scheduler list --status failed` to see what failed")
            )
    retries = []
    for row in rows.values():
        try:
            retried = _retried(view, row, known, resend=resend)
        except ScheduleError as problem:
            refused.append(problem)
        else:
            known[retried.schedule_id] = retried.record
            retries.append(retried)
    return retries, refused


def _retried(view: View, row: Row, known: Mapping[str, Record], *, resend: bool) -> Retry:
    assert view.state is not None, "the view was made from a state"
    record = known.get(row.schedule_id)
    if record is None:
        if row.recorded:
            raise ScheduleError(
                f"{row.schedule_id} is a new id that no run has recorded yet",
                hint="run `scheduler run` first",
            )
        raise ScheduleError(
            f"{row.schedule_id} was never recorded, so there is nothing to retry",
            hint="run `scheduler run` to record it",
        )
    if row.record.status != record.status:  # its time has passed, and no run has recorded that it was missed
        record = row.record
    return editing.retry(
        row.schedule_id,
        record,
        view.reconciled,
        known,
        lineage=view.state.lineage,
        server=view.surroundings.server,
        now=view.now,
        resend=resend,
    )


def _with(state: State, records: Mapping[str, Record]) -> State:
    return msgspec.structs.replace(state, schedules={**state.schedules, **records}, idle=None)


def _unblocked(view: View, retries: list[Retry]) -> tuple[list[Retry], View, list[ScheduleError]]:
    """The retries that no rule holds back, the view after them, and what holds back the others."""
    assert view.state is not None, "the view was made from a state"
    state = _with(view.state, {each.schedule_id: each.record for each in retries})
    after = editing.view_of(view.sources, state, view.archive, view.now, view.surroundings)
    anew, faults = _blocked_anew(view, retries)
    blocked = {**anew, **after.reconciled.blocked}
    faults = in_order([*faults, *after.reconciled.diagnostics])
    refused = [
        ScheduleError(
            f"{each.schedule_id} would not be sent: it breaks the rule [{blocked[each.schedule_id]}]",
            [f for f in faults if f.code == blocked[each.schedule_id]],
            hint="fix that first",
        )
        for each in retries
        if each.schedule_id in blocked
    ]
    if not refused:
        return retries, after, []
    kept, after, _ = _unblocked(view, [each for each in retries if each.schedule_id not in blocked])
    return kept, after, refused


def _blocked_anew(view: View, retries: Sequence[Retry]) -> tuple[Mapping[str, Code], Sequence[Diagnostic]]:
    """What failed as blocked and would be blocked again, were it declared for the first time now."""
    assert view.state is not None, "the view was made from a state"
    known = {**view.archive, **view.state.schedules}
    ids = {each.schedule_id for each in retries if known[each.schedule_id].reason == "blocked"}
    if not ids:
        return {}, ()
    kept = {name: record for name, record in view.state.schedules.items() if name not in ids}
    archive = {name: record for name, record in view.archive.items() if name not in ids}
    state = msgspec.structs.replace(view.state, schedules=kept, idle=None)
    fresh = editing.view_of(view.sources, state, archive, view.now, view.surroundings).reconciled
    return {name: code for name, code in fresh.blocked.items() if name in ids}, fresh.diagnostics


# --- reading ------------------------------------------------------------------------------------------


def show(repository: Repository, name: str) -> ShownSchedule:
    """Everything about one schedule. Raises ScheduleError, with a suggestion, for an unknown id, and
    StateError where the state cannot be reached."""
    view = current_view(repository)
    row = editing.find_schedule(view, name)
    known = {} if view.state is None else view.state.schedules
    recorded = known.get(row.schedule_id) or view.archive.get(row.schedule_id)
    declared = view.reconciled.declared
    channel = None if declared is None else declared.channels.get(row.record.channel_id)
    place, owner = row.location, row.record.declarer
    is_unreadable = place is None and declared is not None and declared.fault_of(*owner) is not None
    known_leases = leases(repository, declared, [row.record])
    lease = next(iter(known_leases.values()), row.record.lease)
    return ShownSchedule(
        row=row,
        history=() if recorded is None else recorded.history,
        why=explain(view.reconciled, row, recorded, lease),
        key=None
        if view.state is None
        else key_of(view.state.lineage, row.record.first_id or row.schedule_id, row.record.resends),
        origin=None if place is None else writing.origin_of(repository.root, place.file, place.line),
        unreadable=declared.files.get(owner) if declared is not None and is_unreadable else None,
        lease=lease,
        repository=None if channel is None else channel.repository,
    )


def leases(
    repository: Repository, declared: Declarations | None, records: Iterable[Record]
) -> dict[str, Lease]:
    """Which worker has each job, by the job's key: the record says so for a broker, else the queue itself."""
    found: dict[str, Lease] = {}
    asked: dict[str, str] = {}
    for record in records:
        intent = record.intent
        if intent is None or intent.job_id is None:
            continue
        if record.lease is not None:
            found[intent.key] = record.lease
        else:
            asked[intent.job_id] = intent.key
    if declared is None or not asked:
        return found
    try:
        queue = repository.queue(declared.settings)
        jobs = queue.find(asked) if isinstance(queue, SqliteQueue) else {}
    except Error:
        return found  # `doctor` reports what is wrong with the queue
    known = ((job.key, lease_of(job)) for job_id, job in jobs.items() if job.key == asked[job_id])
    return found | {key: lease for key, lease in known if lease is not None}
