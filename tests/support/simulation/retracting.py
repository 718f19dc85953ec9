"""Publications that are handed over long before their time, and editors who change their minds meanwhile.

One seed is a history of `driver.RandomHistory` whose channels can all take back what they were given. The
channel's workflow claims as the shipped one does: a retraction waits for its publication, is refused from the
publish time on, and nothing is published under a key that was taken back. What is public is decided here, by
the platform's clock, and not by the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

import msgspec

import scheduler.simulation.world as plain
from scheduler.delivery.dispatcher import Request
from scheduler.planning.reconcile import Reconciled
from scheduler.state.answers import Answer
from scheduler.state.record import Intent, Record, State
from scheduler.times import instant_text, read_utc

from .declared import NAMES, START, Channel, Version
from .driver import RandomHistory
from .invariants import DEFINITE, HELD_UP, Effect, Judge
from .world import Process, Reception, World

NOTICE = 300
"""Seconds before the publish time until which something may be taken back."""
LEAD = 7200


@dataclass
class RetractingChannel(Channel):
    """A channel that takes back what it was given."""

    def text(self) -> bytes:
        return super().text() + b"retract: take-back\n"


@dataclass
class Taken:
    """A retraction that a channel's run carries out: from when, and when its effect is there."""

    schedule_id: str
    scheduled_at: int
    at: float

    @property
    def in_time(self) -> bool:
        return self.at < self.scheduled_at


@dataclass
class RetractingJudge(Judge):
    """The rules of publications, and those of taking them back."""

    world: RetractingWorld
    retracted: dict[str, list[Effect]] = field(default_factory=dict)
    """By key: the requests that take a publication back, in order."""

    def see_save(self, process: Process, before: State, after: State, message: str) -> None:
        for schedule_id, record in after.schedules.items():
            old = before.schedules.get(schedule_id)
            if old is not record and old is not None and record.retraction is not None:
                self._see_retraction(process, schedule_id, old, record)
        super().see_save(process, before, after, message)

    def _see_retraction(self, process: Process, schedule_id: str, old: Record, new: Record) -> None:
        assert new.retraction is not None
        intent, known = new.retraction.intent, old.retraction
        mine = intent is not None and intent.owner == process.owner
        if (
            known is not None
            and known.status == "sending"
            and known.intent is not None
            and known.error is None
        ):
            is_fresh = process.clock() - read_utc(known.intent.at) < HELD_UP and process.skew <= 60
            if known.intent.owner != process.owner and is_fresh and new.retraction != known:
                self.fail("doubt first", f"{schedule_id}: {process.name} took over a retraction under way")
        if intent is None or (known is not None and known.intent == intent):
            return
        where = f"{schedule_id} by {process.name}"
        if not mine or new.retraction.status != "sending" or old.intent is None:
            self.fail("doubt first", f"{where}: an intent of {intent.owner}'s to take it back")
        if intent.key != old.intent.key or old.accepted_at is None:
            self.fail("taken back", f"{where}: what was not handed over is taken back")
        if self._uncertain(intent.key):
            self.fail("at most once", f"{where}: it may be taken back already")
        basis = self._basis(process)
        if not withdrawn(basis, schedule_id, old):
            self.fail("as declared", f"{where}: taken back, though it is declared as it was sent")
        if read_utc(intent.at) > old.at - NOTICE:
            self.fail("in time", f"{where}: taken back at {intent.at}, public at {old.scheduled_at}")
        self.begun[intent] = basis

    def _uncertain(self, key: str) -> bool:
        return any(effect.verdict not in DEFINITE for effect in self.retracted.get(key, ()))

    def _see_step(self, process: Process, schedule_id: str, old: Record, new: Record) -> None:
        if new.retractions == old.retractions:
            super()._see_step(process, schedule_id, old, new)
            return
        where = f"{schedule_id} by {process.name}"
        key = "" if old.intent is None else old.intent.key
        taken = self.world.taken.get(key)
        if (new.status, new.resends, new.retractions) != ("pending", old.resends + 1, old.retractions + 1):
            self.fail("monotone", f"{where}: taken back and {new.status}, resend {new.resends}")
        if taken is None or taken.at > self.world.now or not taken.in_time:
            self.fail("taken back", f"{where}: recorded as taken back, and it is public or will be")

    def see_request(self, process: Process, request: Request, answer: Answer, *, is_accepted: bool) -> None:
        intent, where = request.intent, f"{request.schedule_id} by {process.name}"
        if not intent.retracts:
            if intent.key in self.retracted:
                self.fail("one effect", f"{where}: sent under a key that was taken back")
            super().see_request(process, request, answer, is_accepted=is_accepted)
            return
        earlier = self.retracted.setdefault(intent.key, [])
        if intent not in self.begun:
            self.fail("doubt first", f"{where}: a request to take back left before its intent was saved")
        if any(effect.intent == intent for effect in earlier):
            self.fail("doubt first", f"{where}: two requests for one saved intent")
        if self._uncertain(intent.key):
            self.fail("at most once", f"{where}: an earlier request may have taken it back")
        if process.token_refused is not None:
            self.fail("tokens", f"{where}: its token was refused before")
        if not any(effect.is_accepted for effect in self.effects.get(intent.key, ())):
            self.fail("taken back", f"{where}: a retraction without its publication")
        if request.payload.get("retract") is not True or "not_after" in request.payload:
            self.fail("taken back", f"{where}: {request.payload}")
        earlier.append(Effect(request.schedule_id, intent, is_accepted, answer.verdict))

    def see_publication(self, schedule_id: str) -> None:
        self.published[schedule_id] += 1
        now = self.world.now
        back = sum(
            t.schedule_id == schedule_id and t.in_time and t.at <= now for t in self.world.taken.values()
        )
        if self.published[schedule_id] > 1 + self.resent[schedule_id] + back:
            self.fail("one effect", f"{schedule_id} was published {self.published[schedule_id]} times")


def withdrawn(version: Version, schedule_id: str, record: Record) -> bool:
    """Whether what was handed over is not to be published as it was sent."""
    member = version.members.get(schedule_id)
    if schedule_id.partition("/")[0] in version.unreadable:  # then its channel alone can say so
        own = f"channels/{record.channel_id}.yaml"
        return any(source.file == own and b"paused: true" in source.content for source in version.sources)
    return version.withdraws(schedule_id) or (member is not None and member.at != record.at)


@dataclass(kw_only=True)
class RetractingWorld(World):
    """A world whose channels publish at the publish time, and take back what they were given."""

    taken: dict[str, Taken] = field(default_factory=dict)
    """By key: what was taken back, or was to be."""
    due: dict[str, Taken] = field(default_factory=dict)
    """By the word of a retraction's runs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.judge = RetractingJudge(self)

    def start_runs(self, request: Request, reception: Reception) -> None:
        intent = request.intent
        if not intent.retracts:
            super().start_runs(request, reception)
            return
        word, at = intent.run_word, read_utc(str(request.payload["scheduled_at"]))
        self.due[word] = Taken(request.schedule_id, at, 0.0)
        for _ in range(reception.runs):
            self.start_run(word, lag=reception.after + self.faults.lag(), takes=60)
            run = self.runs[word][-1]
            if self.owners.setdefault(word, run.id) != run.id:
                run.conclusion = "cancelled"
            else:
                self._carry_out(intent, run, begins=run.shows)

    def _carry_out(self, intent: Intent, run: plain.SimulatedRun, begins: float) -> None:
        """Wait for the publication under way, and undo it: after the publish time that has no effect."""
        key, word = intent.key, intent.run_word
        owner = self.owners.setdefault(key, run.id)
        for other in self.runs.get(key, ()):
            if other.id == owner and other.conclusion != "never":
                begins = max(begins, other.ends)
        due = self.due[word]
        run.ends = begins + 60
        run.conclusion = self.faults.conclusion() or "failure"
        if begins >= due.scheduled_at:
            run.conclusion = "failure"
        if run.conclusion == "success":
            self.taken[key] = replace(due, at=run.ends)

    def run_again(self, key: str) -> None:
        """A person runs it again: no publication acts once its retraction has begun."""
        if key.endswith("retract"):
            for run in self.runs[key]:
                is_over = run.ends <= self.now and run.conclusion == "failure"
                if is_over and self.owners[key] == run.id and self.now < self.due[key].scheduled_at:
                    run.ends, run.conclusion = self.now + 60, "success"
                    self.taken[key.removesuffix("retract")] = replace(self.due[key], at=run.ends)
        elif f"{key}retract" not in self.owners:
            super().run_again(key)


class RetractingHistory(RandomHistory):
    """One seed: everything is handed over early, and edited until it is public."""

    world_type = RetractingWorld
    world: RetractingWorld

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.kept_back: set[str] = set()
        random = self.early = Random(seed)
        self.grows_old = False
        self.channels = [
            RetractingChannel(name, lead=LEAD, confirm=random.choice(("accepted", "run"))) for name in NAMES
        ]
        for wave in self.waves:
            wave.at = START + random.randrange(1200, LEAD)
            wave.delay = random.choice((0, 600))
        self.edits, self.operations = 0.06, 0.03
        self.publish()

    def edit(self) -> None:
        """Mostly of what makes them change their minds."""
        wave, random = self.early.choice(self.waves), self.early
        what = random.randrange(8)
        if what < 2:
            wave.paused = not wave.paused
        elif what < 4:
            wave.cancelled = not wave.cancelled
        elif what == 4:
            wave.at = int(self.world.now) + random.randrange(600, LEAD)
        elif what == 5:
            wave.there = not wave.there
        else:
            wave.edit(random, self.world.now)
        self.publish()

    def dues(self) -> Iterable[int]:
        members = self.world.versions[-1].members.values()
        return [*super().dues(), *(member.at for member in members), *(m.at - NOTICE for m in members)]

    def _waiting(self, last: Reconciled) -> list[str]:
        under_way = [
            schedule_id
            for schedule_id, record in self.world.state.schedules.items()
            if record.was_sent and record.retraction is not None and self._is_open(record)
        ]
        return [*super()._waiting(last), *under_way]

    def _see_misses(self, last: Reconciled, begun: float) -> None:
        """What stood against something that was taken back after all could not be sent in its time."""
        self.kept_back |= last.blocked.keys()
        super()._see_misses(
            msgspec.structs.replace(last, blocked=dict.fromkeys(self.kept_back, "min-gap")), begun
        )

    def _is_open(self, record: Record) -> bool:
        """It is being taken back, or a run that does so may still be found."""
        assert record.retraction is not None
        if record.retraction.status in ("sending", "accepted"):
            return True
        return record.status == "completed" and self.world.now < record.at + 90_000

    def check_end(self) -> None:
        super().check_end()
        judge = self.world.judge
        for schedule_id, record in self.world.state.schedules.items():
            retraction, key = record.retraction, record.intent.key if record.intent is not None else ""
            if not record.was_sent or retraction is None:
                if record.was_sent and key in self.world.taken and self.world.taken[key].in_time:
                    judge.fail("taken back", f"{schedule_id} is {record.status}, and was taken back")
                continue
            if retraction.status in ("sending", "accepted"):
                judge.fail("nothing lost", f"{schedule_id} is being taken back for ever")
            taken = self.world.taken.get(key)
            if record.status == "completed" and taken is not None and taken.in_time:
                told = f"public at {instant_text(record.at)}, taken back at {instant_text(int(taken.at))}"
                judge.fail("nothing lost", f"{schedule_id}: {told}, and nobody knows")


def play_retracting(seed: int) -> RetractingHistory:
    """Play one seed. Raises Violation."""
    history = RetractingHistory(seed)
    history.play()
    return history
