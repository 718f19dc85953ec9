"""What must hold of every history: the rules that saves, requests and publications are held against.

The judge sees everything from outside (what was declared when, what was saved, what really arrived) and knows
nothing of how the scheduler decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn

import msgspec

from scheduler.delivery.dispatcher import Request
from scheduler.planning.reconcile import reconcile
from scheduler.state.answers import Answer
from scheduler.state.codec import encode
from scheduler.state.record import Intent, Record, State
from scheduler.times import instant_text, read_utc

from .declared import FOLDER, Member, Version, declare_once

if TYPE_CHECKING:
    from .world import Process, World

SECRET = "ghs_CANARYcanaryCANARYcanary0123456789"
"""The value of every token in this world."""

Rule = Literal[
    "one effect",  # a guarded receiver publishes a schedule once, and once more for each deliberate resend
    "at most once",  # no request follows one that may have been accepted
    "doubt first",  # one request for a saved intent; another intent only after a saved doubt or a definite no
    "nothing lost",  # when all is quiet everything declared has come to its end, or waits for a person
    "monotone",  # the serial rises by one; no record goes back but by a definite no or a person's word
    "as declared",  # nothing is sent by a run that read that it is cancelled, paused or removed
    "plan applied",  # the plan of an applied plan is empty
    "order",  # a stagger is begun in order, and `halt` and `after_success` wait for what is before
    "tokens",  # a token that was refused is not used again, and costs no publication
    "apart",  # what is late on a channel leaves `min_gap` from what else it publishes
    "no secret",  # no output says a token
    "never forgotten",  # no id leaves the record and its archive
    "in time",  # no attempt begins before it is due, after its deadline, or in a run that was held up
    "whose",  # nobody saves the state of another folder
    "taken back",  # no retraction without its publication; what is recorded as taken back is not public
    "sound",  # nothing breaks that is not a broken machine
]

RANK = {"pending": 0, "scheduled": 1, "executing": 2, "failed": 3, "cancelled": 3, "completed": 4}
DEFINITE = ("refused", "not-now")
GAP = 60
"""`min_gap`, as it is unless somebody says otherwise."""
HELD_UP = 60
"""Seconds after a look within which a run may pass the point behind which its requests leave."""
BOOKINGS = frozenset({"create", "update", "cancel", "pause", "resume", "reopen", "miss", "fail", "archive"})


class Violation(AssertionError):
    """An invariant does not hold."""

    def __init__(self, rule: Rule, words: str) -> None:
        super().__init__(f"[{rule}] {words}")
        self.rule = rule


@dataclass
class Effect:
    """One request that arrived at a channel, or was lost on its way."""

    schedule_id: str
    intent: Intent
    is_accepted: bool
    verdict: str
    """What the sender was told, or would have been."""
    token_ended: bool = False


@dataclass
class Judge:
    """The rules, and what has to be remembered for them."""

    world: World
    effects: dict[str, list[Effect]] = field(default_factory=dict)
    """By key, in order."""
    begun: dict[Intent, Version] = field(default_factory=dict)
    """Every intent that was ever saved, and the declaration that it was decided from."""
    stopped: set[Intent] = field(default_factory=set)
    """Those whose run had seen the operator's stop."""
    doubts: set[str] = field(default_factory=set)
    """Keys for which a save said that the outcome of an earlier request is unknown."""
    published: Counter[str] = field(default_factory=Counter)
    resent: Counter[str] = field(default_factory=Counter)
    """How often a person had a schedule sent again on purpose."""
    ids: set[str] = field(default_factory=set)
    first_broken: Violation | None = None
    text: bytes = b""
    """The state as it was last saved."""

    def fail(self, rule: Rule, words: str) -> NoReturn:
        """Say that a rule is broken. The first breach is kept: what is raised may be swallowed."""
        violation = Violation(rule, words)
        self.first_broken = self.first_broken or violation
        raise violation

    # --- every save ---------------------------------------------------------------------------------

    def see_save(self, process: Process, before: State, after: State, message: str) -> None:
        """Hold a state that is about to be stored against the one before it."""
        if self.text and encode(before) != self.text:
            self.fail("monotone", "a stored record was changed without a save")
        if after.serial != before.serial + 1:
            self.fail("monotone", f"the serial went from {before.serial} to {after.serial}")
        if process.folder != FOLDER or after.folder != FOLDER:
            self.fail("whose", f"{process.name} of {process.folder} saved the state of {after.folder}")
        if after.lineage != before.lineage:
            self.fail("monotone", "the lineage changed")
        self.see_text(message)
        old_ones, new_ones = before.schedules, after.schedules
        changed = {i: record for i, record in new_ones.items() if old_ones.get(i) is not record}
        intents: dict[str, Record] = {}
        for schedule_id, record in changed.items():
            old = self._before_save(before, schedule_id, record)
            self.see_text(msgspec.json.encode(record).decode())
            if old is None:
                if record.status == "completed" or (record.was_sent and record.intent is None):
                    self.fail("monotone", f"{schedule_id} began as {record.status}")
            else:
                self._see_step(process, schedule_id, old, record)
            intent = record.intent
            if intent is not None and (old is None or intent != old.intent):
                self._see_intent(process, schedule_id, old, record)
                intents[schedule_id] = record
            if intent is not None and record.doubtful:
                self.doubts.add(intent.key)
        self._see_order(process, intents, after)
        self.text = encode(after)

    def _before_save(self, before: State, schedule_id: str, record: Record) -> Record | None:
        """What a record was until now."""
        return before.schedules.get(schedule_id) or self.world.archive.get(schedule_id)

    def see_ids(self, state: State, archive: Mapping[str, Record]) -> None:
        """No id is ever forgotten."""
        known = state.schedules.keys() | archive.keys()
        if lost := self.ids - known:
            self.fail("never forgotten", f"{sorted(lost)}")
        self.ids |= known

    def _see_step(self, process: Process, schedule_id: str, old: Record, new: Record) -> None:
        where = f"{schedule_id} by {process.name}: {old.status} ({old.reason}) -> {new.status} ({new.reason})"
        if new.history[: len(old.history)] != old.history or (new.first_id, new.slot) != (
            old.first_id,
            old.slot,
        ):
            self.fail("monotone", f"{where}: its history was rewritten")
        if new.resends != old.resends:
            if not process.is_person or new.resends != old.resends + 1:
                self.fail("monotone", f"{where}: {new.resends} resends")
            self.resent[schedule_id] += 1
        if old.status == "completed" and new.status != "completed":
            self.fail("monotone", where)
        if RANK[new.status] < RANK[old.status]:
            self._see_fall(process, schedule_id, old, new, where)
        denied = old.status == "executing" and not new.was_sent
        if denied and not self._is_no(process, old):
            self.fail("monotone", f"{where}: it may have been sent")
        if new.reason in ("rejected", "retries_exhausted") and old.status == "executing":
            last = self.effects.get(old.intent.key, ())[-1:] if old.intent is not None else ()
            if any(effect.token_ended for effect in last):
                self.fail("tokens", f"{where}: only its token was refused")
        came_back = any(event.status == "pending" for event in new.history[len(old.history) :])
        if new.attempts < old.attempts and not (
            (old.status in ("failed", "cancelled") and came_back)  # with a lead it may leave in the same save
            or (new.attempts == old.attempts - 1 and not self._left(old.intent) and self._owns(process, old))
        ):
            self.fail("monotone", f"{where}: attempts fell from {old.attempts} to {new.attempts}")
        self._see_takeover(process, schedule_id, old, new)

    def _see_fall(self, process: Process, schedule_id: str, old: Record, new: Record, where: str) -> None:
        """Back to pending leads a definite no, a person's retry, or an edit of what was never sent."""
        member = self._basis(process).members.get(schedule_id)
        is_edited = member is not None and not member.is_cancelled and member.at == new.at
        fine = {
            "executing": True,
            "scheduled": (new.at, new.video_id) != (old.at, old.video_id),
            "failed": process.is_person or (not old.was_sent and is_edited and new.at != old.at),
            "cancelled": is_edited,
        }
        began = new.status == "executing" and new.intent != old.intent  # pending and begun in one save
        if (new.status != "pending" and not began) or not fine.get(old.status, False):
            self.fail("monotone", where)
        if old.was_sent and old.status == "failed" and new.resends == old.resends:
            self.fail("monotone", f"{where}: sent, then not")

    def _is_no(self, process: Process, old: Record) -> bool:
        """Whether it is certain, for the one who says so and in truth, that nothing was accepted."""
        assert old.intent is not None
        return self._owns(process, old) and all(
            effect.verdict in DEFINITE and not effect.is_accepted
            for effect in self.effects.get(old.intent.key, ())
        )

    def _owns(self, process: Process, old: Record) -> bool:
        return old.intent is not None and old.intent.owner == process.owner

    def _left(self, intent: Intent | None) -> bool:
        """Whether a request left for this intent."""
        if intent is None:
            return False
        return any(effect.intent == intent for effect in self.effects.get(intent.key, ()))

    def _see_takeover(self, process: Process, schedule_id: str, old: Record, new: Record) -> None:
        """Nobody else settles an intent that is a minute old, unless one of the clocks is wrong."""
        intent = old.intent
        if old.status != "executing" or intent is None or old.accepted_at is not None or process.skew > 60:
            return
        if old.next_attempt_at is not None:  # it was answered: not now
            return
        if intent.owner != process.owner and process.clock() - read_utc(intent.at) < HELD_UP:
            self.fail(
                "doubt first", f"{schedule_id}: {process.name} took over what {intent.owner} is sending"
            )

    # --- every intent -------------------------------------------------------------------------------

    def _basis(self, process: Process) -> Version:
        """What a run knows to be declared: what it read since it read the record, or should have read."""
        return self.world.versions[process.read if process.has_read else process.in_force]

    def _see_intent(self, process: Process, schedule_id: str, old: Record | None, new: Record) -> None:
        intent = new.intent
        assert intent is not None
        where = f"{schedule_id} by {process.name}"
        if not self._owns(process, new) or new.status != "executing":
            self.fail("doubt first", f"{where}: an intent of {intent.owner}'s")
        if old is not None and old.status == "executing" and not old.doubtful:
            self.fail("doubt first", f"{where}: sent again without a saved doubt")
        for effect in self.effects.get(intent.key, ()):
            if effect.verdict in DEFINITE:
                continue
            if intent.delivery == "at-most-once":
                self.fail("at most once", f"{where}: an attempt may have been accepted already")
            if intent.key not in self.doubts:
                self.fail("doubt first", f"{where}: sent again without a saved doubt")
        self.begun[intent] = self._basis(process)
        if process.saw_stop:
            self.stopped.add(intent)
        self._see_time(process, schedule_id, old, new, intent)

    def _see_time(
        self, process: Process, schedule_id: str, old: Record | None, new: Record, intent: Intent
    ) -> None:
        """An attempt begins neither before it is due nor after its deadline, by its runner's own clock."""
        at, deadline = read_utc(intent.at), read_utc(intent.not_after)
        if at > deadline:
            self.fail(
                "in time",
                f"{schedule_id}: attempt {new.attempts} at {intent.at}, not after {intent.not_after}",
            )
        if old is not None and old.status == "executing":
            if old.intent is not None and intent.not_after != old.intent.not_after:
                self.fail("in time", f"{schedule_id}: the deadline moved with an attempt")
            return
        member = self._basis(process).members.get(schedule_id)
        if member is None:
            return
        if new.at != member.at:
            self.fail(
                "as declared", f"{schedule_id} goes at {new.scheduled_at}, not {instant_text(member.at)}"
            )
        if at < member.at - member.lead:
            self.fail(
                "in time", f"{schedule_id} goes at {intent.at}, due {instant_text(member.at - member.lead)}"
            )
        others = self._public(schedule_id, member.channel)
        if at > member.at and any(abs(at - other) < GAP for other in others):
            self.fail("apart", f"{schedule_id} is late and goes at {intent.at}, too near another one")
        freed = max((other + GAP for other in others if other <= at), default=0) if new.retried_at else 0
        base = max(member.at, read_utc(new.retried_at) if new.retried_at else 0, freed)
        if member.after_success:
            base = max(base, self._released(process, schedule_id, member))
        if deadline != base + member.catch_up:
            self.fail(
                "in time",
                f"{schedule_id}: not after {intent.not_after}, not {instant_text(base + member.catch_up)}",
            )

    def _public(self, schedule_id: str, channel: str) -> list[int]:
        """When what a channel was sent before is or was public, by the records."""
        return [
            max(record.at, read_utc(record.executed_at))
            for other_id, record in self.world.state.schedules.items()
            if other_id != schedule_id and record.channel_id == channel and record.was_sent
            if record.executed_at is not None
        ]

    def _released(self, process: Process, schedule_id: str, member: Member) -> int:
        """When the one before it was completed."""
        before = self._before(process, schedule_id, member)
        record = None if before is None else self._known(before)
        return read_utc(record.completed_at) if record is not None and record.completed_at else 0

    def _before(self, process: Process, schedule_id: str, member: Member) -> str | None:
        """The one before it in its group, past those that are cancelled."""
        found = None
        for other_id, other in self._basis(process).members.items():
            if other_id == schedule_id:
                return found
            known = self._known(other_id)
            gone = other.is_cancelled or (known is not None and known.status == "cancelled")
            if other.group == member.group and not gone:
                found = other_id
        return found

    def _known(self, schedule_id: str) -> Record | None:
        return self.world.state.schedules.get(schedule_id) or self.world.archive.get(schedule_id)

    def _see_order(self, process: Process, intents: Mapping[str, Record], after: State) -> None:
        """Who is begun by this save, against what is before it in its group and its wave."""
        members = self._basis(process).members
        for schedule_id, record in intents.items():
            member = members.get(schedule_id)
            old = self.world.state.schedules.get(schedule_id)
            if member is None or (old is not None and old.status == "executing"):
                continue
            if member.after_success:
                before = self._before(process, schedule_id, member)
                known = None if before is None else self._known(before)
                if before is not None and (known is None or known.status != "completed"):
                    self.fail("order", f"{schedule_id} is begun before {before} is completed")
            for other_id, other in members.items():
                known = after.schedules.get(other_id)
                if other_id == schedule_id or known is None or other.is_cancelled:
                    continue
                if other.group == member.group and self._is_passed_over(
                    process, member, other, other_id, known
                ):
                    self.fail("order", f"{schedule_id} is begun, and {other_id} before it is not")
                if member.halt and other.wave == member.wave and record.retried_at is None:
                    self._see_halt(schedule_id, record, other_id, known)

    def _is_passed_over(
        self, process: Process, member: Member, other: Member, other_id: str, known: Record
    ) -> bool:
        """Whether one that could be begun stands before it and is not: both leave by the same token."""
        return (
            (other.at, other.position) < (member.at, member.position)
            and other.token == member.token
            and other.at - other.lead <= process.decided()
            and not other.after_success
            and known.is_unsent_live
            and not known.is_paused
            and known.next_attempt_at is None
            and not self._tried(process, other_id)
            and other_id not in process.blocked()
            and not (other.at < process.decided() and other_id in process.put_off())
        )

    def _tried(self, process: Process, schedule_id: str) -> bool:
        """Whether this run has made a request for it: no run makes a second one, of a reopened one either."""
        made = [effect for effects in self.effects.values() for effect in effects]
        return any((one.schedule_id, one.intent.owner) == (schedule_id, process.owner) for one in made)

    def _see_halt(self, schedule_id: str, record: Record, other_id: str, known: Record) -> None:
        """What is under way stands at the time that it was sent for, whatever its file says since."""
        if known.status == "failed" or (known.retried_at is not None and known.status != "completed"):
            self.fail("order", f"{schedule_id} is begun, and {other_id} of its halted wave failed")
        unanswered = known.status == "executing" and known.accepted_at is None
        if unanswered and known.at < record.at:
            self.fail("order", f"{schedule_id} is begun before the answer for {other_id}")

    # --- every request, every publication -----------------------------------------------------------

    def see_check(self, process: Process, seen: float) -> None:
        """A run passes the point behind which its requests leave: `seen` is when it looked."""
        if self.world.now - seen > HELD_UP:
            self.fail("in time", f"{process.name} was held up and sends all the same")
        process.places.clear()

    def see_request(self, process: Process, request: Request, answer: Answer, *, is_accepted: bool) -> None:
        """A request leaves. Whether it arrives, only this world knows."""
        intent, where = request.intent, f"{request.schedule_id} by {process.name}"
        version = self.begun.get(intent)
        if version is None:
            self.fail("doubt first", f"{where}: a request left before its intent was saved")
        if self._left(intent):
            self.fail("doubt first", f"{where}: two requests for one saved intent")
        if process.token_refused is not None:
            self.fail("tokens", f"{where}: its token was refused before")
        if version.withdraws(request.schedule_id) or intent in self.stopped:
            self.fail("as declared", f"{where}: sent, though it read that it must not be")
        earlier = self.effects.setdefault(intent.key, [])
        if intent.delivery == "at-most-once" and any(effect.verdict not in DEFINITE for effect in earlier):
            self.fail("at most once", f"{where}: an earlier request may have been accepted")
        if intent.key not in self.doubts:  # else it was begun before, in the place that it had then
            self._see_place(process, request, version)
        earlier.append(
            Effect(request.schedule_id, intent, is_accepted, answer.verdict, token_ended=answer.token_ended)
        )

    def _see_place(self, process: Process, request: Request, version: Version) -> None:
        """The requests of one batch leave in the order of their group."""
        member = version.members.get(request.schedule_id)
        if member is None:
            return
        place = (member.at, member.position)
        if place < process.places.get(member.group, place):
            self.fail("order", f"{request.schedule_id} leaves after what comes after it")
        process.places[member.group] = place

    def see_publication(self, schedule_id: str) -> None:
        """The guarded receiver of a channel published."""
        self.published[schedule_id] += 1
        if self.published[schedule_id] > 1 + self.resent[schedule_id]:
            self.fail("one effect", f"{schedule_id} was published {self.published[schedule_id]} times")

    def see_text(self, text: str) -> None:
        """Something that people and programs read."""
        if SECRET in text:
            self.fail("no secret", text[:200])

    # --- every plan ---------------------------------------------------------------------------------

    def see_applied(self, process: Process, state: State) -> None:
        """A plan was booked: made again at the same instant, it has nothing left to book."""
        last = process.runner.report.last
        assert last is not None
        again = reconcile(
            self.world.versions[process.read].sources,
            state,
            self.world.archive,
            last.plan.now,
            process.surroundings,
            declare=declare_once,
        )
        left = [change for change in again.plan.changes if change.action in BOOKINGS]
        if left:
            told = ", ".join(f"{change.action} {change.schedule_id} ({change.reason})" for change in left)
            self.fail("plan applied", f"{process.name} booked, and there is still to do: {told}")
