"""Why a schedule has or has not been sent, and what happens next, in a sentence. Pure.

The sentence is made from the very decisions of the reconciliation, so that it cannot say anything else than
what a run would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import msgspec

from scheduler.checkout.origin import Origin
from scheduler.desired.declarations import Declarations
from scheduler.planning.expand import Schedule
from scheduler.planning.plan import PlannedSend, pauses_text
from scheduler.planning.reconcile import Reconciled
from scheduler.planning.rows import Row
from scheduler.state.outcomes import LOOKUP_WINDOW, RUN_WINDOW
from scheduler.state.record import Claim, Event, Record
from scheduler.times import Instant, duration_text, instant_text, read_utc


def explain(reconciled: Reconciled, row: Row, recorded: Record | None, claim: Claim | None = None) -> str:
    """The sentence for one row. `recorded` is what the state says of it now, where it says anything;
    `claim`, which worker has its job."""
    return Explainer(reconciled).explain(row, recorded, claim)


class Explainer:
    """Explains many rows of one look, in time that grows with their number."""

    def __init__(self, reconciled: Reconciled) -> None:
        self.reconciled = reconciled

    def explain(self, row: Row, recorded: Record | None, claim: Claim | None = None) -> str:
        """As `explain` does."""
        return _Teller(self, row, recorded, claim).sentence()

    @cached_property
    def open_slots(self) -> frozenset[str]:
        return frozenset(slot.id for slot in self.reconciled.open_slots)

    @cached_property
    def waiting(self) -> dict[str, str]:
        """Why each schedule waits that is due and cannot be sent."""
        return {waiting.schedule_id: waiting.why for waiting in self.reconciled.plan.waiting}

    @cached_property
    def sends(self) -> dict[str, PlannedSend]:
        return {send.schedule_id: send for send in self.reconciled.plan.sends}

    @cached_property
    def before(self) -> dict[str, str]:
        """For each member of a group under `after_success`: the last one before it that is not cancelled."""
        found: dict[str, str] = {}
        last: dict[str | None, str] = {}
        members = [member for member in self.reconciled.schedules.values() if member.group.after_success]
        for member in sorted(members, key=lambda member: member.position):
            if member.group.id in last:
                found[member.id] = last[member.group.id]
            if not member.cancelled:
                last[member.group.id] = member.id
        return found


class _Teller:
    """What is said of one schedule at the instant of one look."""

    def __init__(self, look: Explainer, row: Row, recorded: Record | None, claim: Claim | None) -> None:
        reconciled = look.reconciled
        self.look = look
        self.reconciled = reconciled
        self.row = row
        self.id = row.schedule_id
        self.record = row.record
        self.recorded = recorded
        self.claim = claim
        self.schedule: Schedule | None = reconciled.schedules.get(row.schedule_id)
        self.now: Instant = reconciled.plan.now

    def sentence(self) -> str:
        record = self.record
        if self.reconciled.declared is None:
            return "Nothing is sent while scheduler.yaml cannot be read."
        if record.status == "completed":
            return self._completed()
        if record.status == "executing":
            return self._executing()
        if record.status == "failed":
            return self._failed()
        if record.status == "cancelled":
            return self._cancelled()
        if self.id in self.look.open_slots:
            return (
                "It is an open slot: no video is left for it in the lineup, and nothing is sent unless one "
                f"is added or assigned (scheduler assign {self.id} VIDEO)."
            )
        return self._unsent(self.reconciled.declared)

    # --- over, or on its way ----------------------------------------------------------------------------

    def _completed(self) -> str:
        record = self.record
        late = record.lateness_seconds
        when = f" at {record.executed_at}" if record.executed_at else ""
        if late:
            when += f", {duration_text(late)} late,"
        sent = f"It was sent{when} and is completed"
        if _is_job(record) and record.evidence != "run":
            return (
                f"{sent}: {_receiver(record)} accepted its job (`confirm: accepted`); {self._at_work()}; it "
                "is never sent again, and becomes failed should the job fail."
            )
        if record.evidence == "run":
            how = "a worker has done its job" if _is_job(record) else "the channel's run succeeded"
        else:
            how = f"{_receiver(record)} accepted it"
        return f"{sent}: {how}; it is never sent again."

    def _at_work(self) -> str:
        """What has become of an accepted job since."""
        claim = self.claim
        if claim is None or claim.state == "ended":
            return "no worker has taken it yet"
        if claim.state == "waiting":
            return f"attempt {claim.attempts} failed, and the next one begins at {claim.until}"
        again = f" (attempt {claim.attempts})" if claim.attempts > 1 else ""
        return (
            f"the worker {claim.worker} has had it since {claim.at}{again}, and is taken for lost if it "
            f"gives no sign by {claim.until}"
        )

    def _executing(self) -> str:
        record = self.record
        intent = record.intent
        assert intent is not None, "the reader of states refuses an executing record without an intent"
        if record.accepted_at is not None and _is_job(record):
            return (
                f"Its job was put on {_receiver(record)} at {record.accepted_at}; {self._at_work()}; it "
                f"is completed once a worker has done it, and no attempt begins after {intent.not_after}."
            )
        if record.accepted_at is not None:
            end = instant_text(read_utc(record.accepted_at) + RUN_WINDOW)
            return (
                f"It was sent and accepted at {record.accepted_at}, and is completed once the channel's run "
                f"succeeds; a run that has not ended by {end} fails it."
            )
        end = instant_text(read_utc(intent.at) + LOOKUP_WINDOW)
        what = f" ({record.error_message})" if record.error_message else ""
        then = (
            "it is sent again with the same key"
            if intent.delivery == "at-least-once"
            else "it fails as unknown_outcome, and a person decides"
        )
        if _is_job(record):
            return (
                f"Its job was to be put on {_receiver(record)} at {intent.at} and no certain answer is "
                f"recorded{what}: runs look for it there until {end}, and if it is not found {then}."
            )
        return (
            f"A request was made at {intent.at} and no certain answer is recorded{what}: runs look it up by "
            f"its key until {end}, and if nothing is found {then}."
        )

    def _failed(self) -> str:
        record = self.record
        words = f": {record.error_message}" if record.error_message else ""
        if self.recorded is not None and self.recorded.status != "failed":
            lead = f"The next run records it as failed ({record.reason}){words}"
        elif record.was_sent:
            lead = f"It was sent and failed ({record.reason}){words}"
        else:
            lead = f"It was not sent and failed ({record.reason}){words}"
        if record.was_sent:
            dead = "no worker takes its job up again, and " if _is_job(record) else ""
            return (
                f"{lead}; {dead}it may have been published, so look at the channel first, and send it again "
                f"with `scheduler retry {self.id} --resend` only if it was not."
            )
        if self.schedule is None and not record.slot:
            return f"{lead}; nothing declares it any more, and nothing follows."
        if record.reason == "no_video":
            return (
                f"{lead}; assign one (scheduler assign {self.id} VIDEO) and say `scheduler retry {self.id}`, "
                "which sends it however late."
            )
        return (
            f"{lead}; nothing follows unless its time is moved ahead or a person says "
            f"`scheduler retry {self.id}`, which sends it however late."
        )

    def _cancelled(self) -> str:
        if self.schedule is not None and self.schedule.cancelled:
            place = self.row.location or self.schedule.file
            if self.record.at < self.now:
                return f"It is declared cancelled in {place}, its time is over, and it is not sent."
            return (
                f"It is declared cancelled in {place} and is not sent; without `cancelled` it is pending "
                "again."
            )
        if self.record.reason == "before_init":
            return "It lay in the past when the record began, and is never sent."
        if self.schedule is not None:
            return "It was cancelled, its time is over, and it is not sent."
        return "It is no longer declared, so it was cancelled and is not sent."

    # --- still to come ------------------------------------------------------------------------------------

    def _unsent(self, declared: Declarations) -> str:
        record = self.record
        file = self._unreadable(declared)
        if self.row.problem is None and self.schedule is None and file is None:
            return (
                "It is no longer declared, and the brake keeps it: nothing is cancelled or sent of so many "
                "until the files are back, or a person says `scheduler run --force`."
            )
        channel = declared.channels.get(record.channel_id)
        catch_up = record.catch_up if record.catch_up is not None else declared.settings.catch_up
        base = max(record.at, read_utc(record.retried_at)) if record.retried_at else record.at
        deadline = instant_text(base + catch_up)
        if self.row.problem is not None:
            missed = f"; after {deadline} it is missed" if self.row.recorded else ""
            return f"It is not sent because {self._rule()}{missed}."
        lead = 0 if channel is None else channel.lead
        due = base if record.retried_at else base - lead
        rest = self._to_come(due, lead, deadline)
        if file is None:
            return rest
        return f"Its file {file} cannot be read, so it goes on as it is recorded; i{rest[1:]}"

    def _to_come(self, due: Instant, lead: int, deadline: str) -> str:
        """What a run makes of it that nothing forbids."""
        record = self.record
        if record.pauses:
            return self._paused(deadline)
        before = self._predecessor()
        if before is not None:
            return (
                f"It waits for {before} to be completed (`after_success`), and follows "
                f"{'at its own time or ' if self.now < record.at else ''}as soon as that is."
            )
        waiting = self.look.waiting.get(self.id)
        if waiting is not None:
            return f"It is due and is not sent because {waiting}; after {deadline} it is missed."
        send = self.look.sends.get(self.id)
        if send is not None:
            after = f" after the answer for {send.waits_for}" if send.waits_for else ""
            return f"It is due: the next run sends it{after}, until {deadline}."
        if record.next_attempt_at is not None and read_utc(record.next_attempt_at) > self.now:
            why = record.error_message or "not now"
            return (
                f"Attempt {record.attempts} was answered with a no for now ({why}); the next one is made at "
                f"{record.next_attempt_at}, or by the first run after it, until {deadline}."
            )
        return self._ahead(due, lead, deadline)

    def _ahead(self, due: Instant, lead: int, deadline: str) -> str:
        record = self.record
        if record.video_id is None:
            return (
                f"No video is assigned: unless one is (scheduler assign {self.id} VIDEO), it fails as "
                f"no_video at {instant_text(due)}."
            )
        early = f", {duration_text(lead)} before it is published (`lead`)" if lead else ""
        doubt = f"; its channel is not ready yet: {record.unconfirmed}" if record.unconfirmed else ""
        if due <= self.now:
            return f"It is due and its token waits for a rate limit; it is sent until {deadline}{doubt}."
        unrecorded = "" if self.row.recorded else "no run has recorded it yet, and "
        return (
            f"It is not due yet: {unrecorded}the first run from {instant_text(due)} on sends it{early}, "
            f"until {deadline}{doubt}."
        )

    def _paused(self, deadline: str) -> str:
        who = f"It is held back, {pauses_text(self.record.pauses)}"
        if self.row.stopped_at is not None:
            who += f", which a run recorded at {self.row.stopped_at} and which is not set here"
        ends = [pause.until for pause in self.record.pauses]
        if None not in ends:
            end = max(end for end in ends if end is not None)
            if end > deadline:
                return f"{who}; it goes on at {end} and is missed then, because that is after {deadline}."
            return f"{who}; it goes on at {end}, and is sent when it is due, until {deadline}."
        if read_utc(deadline) < self.now:
            return f"{who}; once nothing pauses it any more it is missed, because that is after {deadline}."
        return f"{who}; once nothing pauses it any more it is sent when it is due, until {deadline}."

    def _predecessor(self) -> str | None:
        """Under `after_success`: the one before, while it is not completed."""
        before = self.look.before.get(self.id) if self.record.after_success else None
        if before is None:
            return None
        known = self.reconciled.booked.get(before) or self.reconciled.archive.get(before)
        return None if known is not None and known.status == "completed" else before

    def _rule(self) -> str:
        code = self.row.problem
        for fault in self.reconciled.diagnostics:
            if fault.code == code and fault.is_error and self.id in fault.schedules:
                return f"a rule holds it back until it is mended: {fault.message} [{code}, {fault.location}]"
        return f"the rule [{code}] holds it back until it is mended; `scheduler validate` shows the place"

    def _unreadable(self, declared: Declarations) -> str | None:
        """The file that declared it, where it cannot be read now."""
        if self.schedule is not None:
            return None
        kind: Literal["wave", "channel"] = "channel" if self.record.wave_id is None else "wave"
        name = self.record.wave_id or self.record.channel_id
        if (kind, name) in declared.unreadable or kind in declared.hidden:
            return declared.files.get((kind, name), name)
        return None


def _is_job(record: Record) -> bool:
    return record.intent is not None and record.intent.transport == "queue"


def _receiver(record: Record) -> str:
    intent = record.intent
    if intent is None:
        return "its channel"
    return intent.repository or f"the queue {intent.queue}"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `show` tells of one schedule."""

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
    claim: Claim | None
    """Which worker has its job on a queue, and since when; None where none has taken it."""
    repository: str | None
    """Where its channel publishes; None on a queue, or where the channel cannot be read."""
