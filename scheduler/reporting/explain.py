"""Why a publication has or has not been sent, and what happens next. Pure.

An explanation is made from the very decisions of the reconciliation, so it cannot say anything else than what
a run would do. It is data: whole sentences, each of which could stand alone. `Explanation.text` joins them,
and nobody cuts or changes the letters of one of them to make another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec

from scheduler.checkout.origin import Origin
from scheduler.desired.declarations import Declarations
from scheduler.planning.expand import Schedule
from scheduler.planning.plan import PlannedSend, PutOff, pauses_text
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Row
from scheduler.state.outcomes import LOOKUP_WINDOW, RUN_WINDOW
from scheduler.state.record import Event, Lease, Record
from scheduler.state.statuses import Status
from scheduler.times import Instant, duration_text, instant_text, read_utc


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a publication is where it is. Every part is a whole sentence: a capital first, a full stop last."""

    facts: Sequence[str]
    """What happened, or what is so now."""
    next: str | None = None
    """What happens next by itself."""
    deadline: str | None = None
    """Until when, and what becomes of it then."""
    remedy: str | None = None
    """What a person can do, with the command to run."""
    notes: Sequence[str] = ()
    """What is good to know besides."""

    @property
    def text(self) -> str:
        """All of it in one paragraph."""
        return " ".join(filter(None, (*self.facts, self.next, self.deadline, self.remedy, *self.notes)))


def explain(reconciled: Reconciled, row: Row, recorded: Record | None, lease: Lease | None = None) -> str:
    """The explanation of one row as text. `recorded` is its record in the state, if it has one; `lease` says
    which worker has its job."""
    return Explainer(reconciled).explain(row, recorded, lease).text


class Explainer:
    """Explains the rows of one reconciliation. What all of them need is looked up once, not once a row."""

    def __init__(self, reconciled: Reconciled) -> None:
        self.reconciled = reconciled

    def explain(self, row: Row, recorded: Record | None, lease: Lease | None = None) -> Explanation:
        """One row; the arguments are those of the function `explain`."""
        declared = self.reconciled.declared
        if declared is None:
            return Explanation(
                facts=["scheduler.yaml is broken, so nothing is sent."],
                remedy="Run `scheduler validate` to see what is wrong with it.",
            )
        case = _Case(self, declared, row, recorded, lease)
        return _taken_back(case) or _EXPLAIN[row.record.status](case)

    @cached_property
    def open_slots(self) -> frozenset[str]:
        return frozenset(slot.id for slot in self.reconciled.open_slots)

    @cached_property
    def waiting(self) -> dict[str, str]:
        """Why each publication waits that is due and cannot be sent."""
        return {waiting.schedule_id: waiting.why for waiting in self.reconciled.plan.waiting}

    @cached_property
    def sends(self) -> dict[str, PlannedSend]:
        return {send.schedule_id: send for send in self.reconciled.plan.sends}

    @cached_property
    def put_off(self) -> dict[str, PutOff]:
        return {one.schedule_id: one for one in self.reconciled.plan.put_off}

    @cached_property
    def before(self) -> dict[str, str]:
        """For each member of a group under `after_success`: the last one before it that is not cancelled.

        As `Situation.predecessor` (`scheduler.planning.plan.situation`) has it, for declared members.
        """
        found: dict[str, str] = {}
        last: dict[str | None, str] = {}
        members = [member for member in self.reconciled.schedules.values() if member.group.after_success]
        for member in sorted(members, key=lambda member: member.position):
            if member.group.id in last:
                found[member.id] = last[member.group.id]
            if not member.cancelled:
                last[member.group.id] = member.id
        return found

    @cached_property
    def problems(self) -> dict[tuple[str, str], str]:
        """(id, code) -> the first error of that code about that publication: `message [code, place]`."""
        found: dict[tuple[str, str], str] = {}
        for fault in self.reconciled.diagnostics:
            if fault.is_error:
                text = f"{fault.message} [{fault.code}, {fault.location}]"
                for schedule_id in fault.schedules:
                    found.setdefault((schedule_id, fault.code), text)
        return found


class _Case:
    """One publication, and what is known of it at the instant of the reconciliation."""

    def __init__(
        self,
        explainer: Explainer,
        declared: Declarations,
        row: Row,
        recorded: Record | None,
        lease: Lease | None,
    ) -> None:
        self.explainer = explainer
        self.reconciled = explainer.reconciled
        self.declared = declared
        self.row = row
        self.id = row.schedule_id
        self.record = row.record
        self.recorded = recorded
        self.lease = lease
        self.schedule: Schedule | None = self.reconciled.schedules.get(row.schedule_id)
        self.now: Instant = self.reconciled.plan.now

    @property
    def is_job(self) -> bool:
        return self.record.intent is not None and self.record.intent.traits.is_job

    @property
    def receiver(self) -> str:
        """Who gets it: `acme/alpha`, `the queue screens`."""
        intent = self.record.intent
        if intent is None:
            return "its channel"
        return intent.repository or f"the queue {intent.queue}"

    @cached_property
    def unreadable_file(self) -> str | None:
        """The file that declared it, where it cannot be read now."""
        return None if self.schedule is not None else self.declared.unreadable_file(*self.record.declarer)

    @cached_property
    def unusable_channel(self) -> str | None:
        """That and why nothing can be sent to its channel; None where something can."""
        name = self.record.channel_id
        if self.declared.can_send(name):
            return None
        file = self.declared.unreadable_file("channel", name)
        if file is not None:
            return f"It is not sent: the file of its channel, {file}, cannot be read."
        if name not in self.declared.channels:
            return f"It is not sent: its channel {name} is not declared."
        if name in self.declared.refused:
            return f"It is not sent: the repository of its channel {name} is not allowed."
        return f"It is not sent: its channel {name} is not active."

    @property
    def predecessor(self) -> str | None:
        """Under `after_success`: the one before it, while that is not completed."""
        before = self.explainer.before.get(self.id) if self.record.after_success else None
        if before is None:
            return None
        known = self.reconciled.booked.get(before) or self.reconciled.archive.get(before)
        return None if known is not None and known.status == "completed" else before

    @cached_property
    def base(self) -> Instant:
        """From when `catch_up` counts."""
        record = self.record
        return max(record.at, read_utc(record.retried_at)) if record.retried_at else record.at

    @cached_property
    def deadline(self) -> str:
        """Until when it may be sent (RFC 3339, UTC)."""
        return instant_text(self.base + self.declared.catch_up(self.record.catch_up))


def _stopped(text: str) -> str:
    """A sentence that ends with another program's text, with the full stop that it may lack."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


# --- over, or on its way ------------------------------------------------------------------------------


def _taken_back(case: _Case) -> Explanation | None:
    """What was handed over and is to be taken back, is being taken back, or was not."""
    record, send = case.record, case.explainer.sends.get(case.id)
    if not record.was_sent:
        return None
    sent = f"{case.receiver} accepted it at {record.accepted_at}, to be public at {record.scheduled_at}."
    if send is not None and send.event_type is not None:
        return Explanation(facts=[sent], next=f"A run now takes it back: {send.why}.")
    retraction = record.retraction
    if retraction is None or retraction.status == "confirmed":
        return None
    error = f": {retraction.error}" if retraction.error else ""
    if retraction.status == "failed":
        return Explanation(
            facts=[sent, _stopped(f"Taking it back ({retraction.why}) failed, so it may be public{error}")],
            next="No run tries again.",
            remedy=f"Check channel {record.channel_id}, and take it back there by hand.",
        )
    if retraction.intent is None:
        again = retraction.next_attempt_at
        return Explanation(
            facts=[sent, _stopped(f"It is to be taken back ({retraction.why}){error}")],
            next=f"The first run at or after {again} tries again." if again else "The next run tries again.",
        )
    if retraction.status == "accepted":
        fact = f"The event that takes it back ({retraction.why}) was accepted at {retraction.accepted_at}."
    else:
        fact = _stopped(
            f"An event to take it back ({retraction.why}) was requested at {retraction.at}, but no definite "
            f"answer is recorded{error}"
        )
    return Explanation(
        facts=[sent, fact],
        next="It counts as taken back if the run of that event succeeds before the publish time. Nothing "
        "else is sent for it until then.",
    )


def _completed(case: _Case) -> Explanation:
    record = case.record
    late = f" ({duration_text(record.lateness_seconds)} late)" if record.lateness_seconds else ""
    sent = f"Sent at {record.executed_at}{late}." if record.executed_at else "It was sent."
    if case.is_job and record.evidence != "run":
        accepted = f"Completed: {case.receiver} accepted its job (`confirm: accepted`)."
        return Explanation(
            facts=[sent, accepted, _work(case)],
            next="It is never sent again. If the job fails, it becomes failed.",
        )
    if record.evidence == "run":
        how = "a worker did its job" if case.is_job else "the channel's run succeeded"
    else:
        how = f"{case.receiver} accepted it"
    if case.row.phase == "handed_over":
        public = f"It becomes public at {record.scheduled_at}, and is never sent again."
        return Explanation(facts=[sent, f"Handed over: {how}."], next=public)
    return Explanation(facts=[sent, f"Completed: {how}."], next="It is never sent again.")


def _work(case: _Case) -> str:
    """What has become of an accepted job since."""
    lease = case.lease
    if lease is None or lease.state == "ended":
        return "No worker has taken it yet."
    if lease.state == "waiting":
        return f"Attempt {lease.attempts} failed; the next one starts at {lease.until}."
    again = f" (attempt {lease.attempts})" if lease.attempts > 1 else ""
    return (
        f"The worker {lease.worker} has had it since {lease.at}{again}, and counts as lost if it does not "
        f"report by {lease.until}."
    )


def _executing(case: _Case) -> Explanation:
    record = case.record
    intent = record.intent
    assert intent is not None, "the reader of states refuses an executing record without an intent"
    if record.accepted_at is not None and case.is_job:
        return Explanation(
            facts=[f"Its job was put on {case.receiver} at {record.accepted_at}.", _work(case)],
            next="It is completed once a worker has done the job.",
            deadline=f"If no worker has begun it by {intent.not_after}, it is missed."
            if case.lease is None
            else f"No attempt starts after {intent.not_after}.",
        )
    if record.accepted_at is not None:
        end = instant_text(read_utc(record.accepted_at) + RUN_WINDOW)
        return Explanation(
            facts=[f"Handed over: sent, and accepted at {record.accepted_at}."]
            + ([f"It becomes public at {record.scheduled_at}."] if record.at > case.now else []),
            next="It is completed once the channel's run succeeds.",
            deadline=f"If that run has not ended by {end}, it fails.",
        )
    error = f" ({record.error_message})" if record.error_message else ""
    end = instant_text(read_utc(intent.at) + LOOKUP_WINDOW)
    then = (
        "it is sent again with the same key"
        if intent.delivery == "at-least-once"
        else "it fails (unknown_outcome), and a person has to decide"
    )
    if case.is_job:
        fact = f"Its job was about to be put on {case.receiver} at {intent.at}"
        search = f"Runs look for it there until {end}."
    else:
        fact = f"It was requested at {intent.at}"
        search = f"Runs look it up by its key until {end}."
    return Explanation(
        facts=[f"{fact}, but no definite answer is recorded{error}."],
        next=search,
        deadline=f"If they do not find it, {then}.",
    )


def _failed(case: _Case) -> Explanation:
    record = case.record
    error = f": {record.error_message}" if record.error_message else ""
    if case.recorded is None or case.recorded.status != "failed":
        fact = f"The next run records it as failed ({record.reason}){error}"
    elif record.was_sent:
        fact = f"It was sent, but failed ({record.reason}){error}"
    else:
        fact = f"It failed ({record.reason}) and was not sent{error}"
    facts = [_stopped(fact)]
    if record.was_sent:
        facts += ["No worker takes its job up again."] if case.is_job else []
        return Explanation(
            facts=[*facts, "It may have been published: check the channel first."],
            remedy=f"If it was not published, run `scheduler retry {case.id} --resend`.",
        )
    if case.unreadable_file is not None:
        facts.append(f"Its file {case.unreadable_file} cannot be read.")
    elif case.schedule is None and not record.slot:
        return Explanation(facts=[*facts, "It is no longer declared."], next="It will not be retried.")
    if record.reason == "no_video":
        remedy = f"Run `scheduler assign {case.id} VIDEO`, then `scheduler retry {case.id}` to send it late."
    elif record.reason == "blocked":
        remedy = f"Correct that and give it a later time, or run `scheduler retry {case.id}` to send it late."
    else:
        remedy = f"Give it a later time, or run `scheduler retry {case.id}` to send it late."
    return Explanation(facts=facts, next="It will not be retried.", remedy=remedy)


def _cancelled(case: _Case) -> Explanation:
    found = _not_sent(case)
    if case.record.reason != "retracted":
        return found
    taken_back = f"It was taken back from channel {case.record.channel_id} before it was public."
    return msgspec.structs.replace(found, facts=[taken_back, *found.facts])


def _not_sent(case: _Case) -> Explanation:
    if case.record.reason == "before_init":
        return Explanation(facts=["Its time had passed when the state was created, so it is never sent."])
    if case.schedule is not None and case.schedule.cancelled:
        place = case.row.location or case.schedule.file
        facts = [f"It is declared cancelled in {place}, so it is not sent."]
        if case.record.at < case.now:
            return Explanation(facts=[*facts, "Its time has passed."])
        return Explanation(facts=facts, remedy="Remove `cancelled` there to make it pending again.")
    if case.schedule is not None:
        return Explanation(facts=["It was cancelled, so it is not sent.", "Its time has passed."])
    if case.unreadable_file is not None:
        return Explanation(
            facts=["It was cancelled, so it is not sent."],
            notes=[f"Its file {case.unreadable_file} cannot be read."],
        )
    return Explanation(facts=["It is no longer declared, so it was cancelled and is not sent."])


# --- still to come --------------------------------------------------------------------------------------


def _unsent(case: _Case) -> Explanation:
    """A pending or scheduled one: the first thing that keeps it from being sent, or when it is sent."""
    if case.id in case.explainer.open_slots:
        return Explanation(
            facts=["It is an open slot: the lineup has no video left for it.", "Nothing is sent for it."],
            remedy=f"Add a video to the lineup, or run `scheduler assign {case.id} VIDEO`.",
        )
    file = case.unreadable_file
    if case.row.problem is not None:
        return _blocked(case, case.row.problem)
    if case.schedule is None and file is None:
        return Explanation(
            facts=[
                "It is no longer declared, but the brake keeps it: of so many at once, none is cancelled "
                "or sent."
            ],
            remedy="Restore the files, or run `scheduler run --force` if this is intended.",
        )
    found = next(filter(None, (reason(case) for reason in _WAITS)), None) or _to_come(case)
    is_named = case.record.wave_id is None and case.unusable_channel is not None and not case.record.pauses
    if file is None or is_named:  # a channel's own: the broken file is the reason already
        return found
    fact = f"Its file {file} cannot be read, so it continues as recorded."
    return msgspec.structs.replace(found, facts=[fact, *found.facts])


def _blocked(case: _Case, code: str) -> Explanation:
    """A rule keeps it back."""
    problem = case.explainer.problems.get((case.id, code))
    if problem is not None:
        return _until_fixed(case, f"It is not sent: {problem}.")
    if case.unusable_channel is not None:
        return _until_fixed(case, case.unusable_channel)
    return _until_fixed(
        case, f"It is not sent: it breaks the rule [{code}]. `scheduler validate` shows where."
    )


def _until_fixed(case: _Case, fact: str) -> Explanation:
    return Explanation(
        facts=[fact],
        next="Once that is fixed, a run sends it when it is due.",
        deadline=f"If that is not fixed by {case.deadline}, it is missed." if case.row.recorded else None,
    )


def _paused(case: _Case) -> Explanation | None:
    pauses = case.record.pauses
    if not pauses:
        return None
    facts = [f"It is {pauses_text(pauses)}."]
    if case.row.stopped_at is not None:
        facts.append(f"A run recorded that at {case.row.stopped_at}; the variable is not set here.")
    ends = [pause.until for pause in pauses if pause.until is not None]
    if len(ends) < len(pauses):
        if read_utc(case.deadline) < case.now:
            return Explanation(
                facts=facts, next=f"Once nothing pauses it, it is missed: {case.deadline} has passed."
            )
        return Explanation(
            facts=facts,
            next="Once nothing pauses it, a run sends it when it is due.",
            deadline=f"If that is after {case.deadline}, it is missed.",
        )
    end = instant_text(case.declared.thawed(case.record.channel_id, read_utc(max(ends))))
    if end > case.deadline:
        fate = f"The pause ends at {end}. It is then missed, because that is after {case.deadline}."
        return Explanation(facts=facts, next=fate)
    return Explanation(
        facts=facts,
        next=f"The pause ends at {end}. A run then sends it when it is due.",
        deadline=f"If no run comes by {case.deadline}, it is missed.",
    )


def _after_another(case: _Case) -> Explanation | None:
    before = case.predecessor
    if before is None:
        return None
    then = (
        "It is then sent at its own time, or at once if that has passed."
        if case.now < case.record.at
        else "It is then sent at once."
    )
    return Explanation(facts=[f"It waits until {before} is completed (`after_success`)."], next=then)


def _without_token(case: _Case) -> Explanation | None:
    why = case.explainer.waiting.get(case.id)
    if why is None:
        return None
    return Explanation(
        facts=[_stopped(f"It is due but not sent: {why}")],
        deadline=f"If that is not fixed by {case.deadline}, it is missed.",
    )


def _next_run(case: _Case) -> Explanation | None:
    send = case.explainer.sends.get(case.id)
    if send is None:
        return None
    after = f", after the answer for {send.waits_for}" if send.waits_for else ""
    facts = ["Due now."]
    if case.record.token_refusals and case.record.error_message:
        facts.append(_stopped(f"Its token was not accepted: {case.record.error_message}"))
    return Explanation(
        facts=facts,
        next=f"The next run sends it{after}.",
        deadline=f"If no run comes by {case.deadline}, it is missed.",
    )


def _behind_others(case: _Case) -> Explanation | None:
    """Late, and not its turn yet."""
    put_off = case.explainer.put_off.get(case.id)
    if put_off is None:
        return None
    late = f"It is late, and its channel {case.record.channel_id} publishes one at a time (`min_gap`)."
    if put_off.is_missed:
        return Explanation(facts=[late], next=f"Its turn would come after {case.deadline}: it is missed.")
    return Explanation(
        facts=[late],
        next=f"The first run at or after {instant_text(put_off.until)} sends it.",
        deadline=None
        if case.record.retried_at
        else f"If it cannot be sent by {case.deadline}, it is missed.",
    )


def _between_attempts(case: _Case) -> Explanation | None:
    record = case.record
    if record.next_attempt_at is None or read_utc(record.next_attempt_at) <= case.now:
        return None
    why = f" ({record.error_message})" if record.error_message else ""
    return Explanation(
        facts=[f"Attempt {record.attempts} was refused for now{why}."],
        next=f"The first run at or after {record.next_attempt_at} tries again.",
        deadline=f"If no run comes by {case.deadline}, it is missed.",
    )


def _to_come(case: _Case) -> Explanation:
    """Nothing keeps it back."""
    record = case.record
    lead = case.declared.lead(record.channel_id)
    due = case.base if record.retried_at else case.base - lead
    if record.video_id is None:
        return Explanation(
            facts=["No video is assigned."],
            next=f"At {instant_text(due)} it fails (no_video).",
            remedy=f"Before that, run `scheduler assign {case.id} VIDEO`.",
        )
    notes = []
    if not case.row.recorded:
        notes.append("No run has recorded it so far.")
    if record.unconfirmed:
        notes.append(_stopped(f"Its channel is not ready yet: {record.unconfirmed}"))
    if due <= case.now:
        return Explanation(
            facts=["It is due, but has to wait for the rate limit of its token."],
            deadline=f"If it cannot be sent by {case.deadline}, it is missed.",
            notes=notes,
        )
    early = f" ({duration_text(lead)} ahead, `lead`)" if lead else ""
    return Explanation(
        facts=["Not due yet."],
        next=f"The first run at or after {instant_text(due)} sends it{early}.",
        deadline=f"If no run comes by {case.deadline}, it is missed.",
        notes=notes,
    )


_WAITS: tuple[Callable[[_Case], Explanation | None], ...] = (
    _paused,
    lambda case: None if case.unusable_channel is None else _until_fixed(case, case.unusable_channel),
    _after_another,
    _without_token,
    _next_run,
    _behind_others,
    _between_attempts,
)
"""Why it may have to wait, in the order in which a run asks; each gives None where it does not apply."""

_EXPLAIN: Mapping[Status, Callable[[_Case], Explanation]] = {
    "pending": _unsent,
    "scheduled": _unsent,
    "executing": _executing,
    "completed": _completed,
    "failed": _failed,
    "cancelled": _cancelled,
}


class ShownSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `show` shows of one publication."""

    row: Row
    history: Sequence[Event]
    """What is recorded, each transition with its time and reason."""
    why: str
    """Why it has or has not been sent, and what happens next."""
    key: str | None
    """The name of the publication for its receiver; None before there is a state."""
    origin: Origin | None
    """The commit that its declaration came with; None where it is not declared, or not in git."""
    unreadable: str | None
    """The file that declared it and cannot be read now."""
    lease: Lease | None
    """Which worker has its job on a queue, and since when; None where none has taken it."""
    repository: str | None
    """Where its channel publishes; None on a queue, or where the channel cannot be read."""
