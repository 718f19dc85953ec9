"""The protections, switched off one by one: the test of the simulation is that it notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any
from unittest import mock

import msgspec

import scheduler.planning.plan as plan
import scheduler.planning.plan.diff as diff
import scheduler.planning.plan.in_flight as sent
import scheduler.planning.plan.order as departures
import scheduler.planning.plan.retractions as retractions
import scheduler.state.outcomes as outcomes
import scheduler.state.retraction as retraction
from scheduler.clock import SteadyClock
from scheduler.delivery import Runner, hold_and_watch, lookups, run
from scheduler.delivery.github import responses
from scheduler.errors import LostRace
from scheduler.planning import expand, lineup, local_times, passes, reconcile, spacing, taking_back
from scheduler.planning.local_times import Identified, Zones
from scheduler.planning.plan import Withdrawal
from scheduler.planning.plan.pauses import Pauses
from scheduler.planning.plan.situation import Situation
from scheduler.state.answers import Answer, LookupResult, Run
from scheduler.state.record import Intent, Record, State, advance
from scheduler.state.stores import Snapshot
from scheduler.times import zone_release

from . import driver
from .invariants import Rule, Violation
from .world import Process, SimulatedStore

Archived = dict[str, dict[str, Record]]


@contextmanager
def save_without_comparing() -> Iterator[None]:
    """A save overwrites whatever is stored: the last writer wins."""

    def save(
        self: SimulatedStore, state: State, archived: Archived, snapshot: Snapshot, message: str
    ) -> Snapshot:
        self.process.point("before save")
        self.store(state, archived, message)
        return Snapshot(state, str(self.world.version))

    with mock.patch.object(SimulatedStore, "save_with_archive", save):
        yield


@contextmanager
def _saved_after_a_lost_race(made_of: Callable[[State, State, State], State]) -> Iterator[None]:
    """A lost save is made all the same, of what was read, what was to be saved, and what is there now."""
    plain = SimulatedStore.save_with_archive

    def save(
        self: SimulatedStore, state: State, archived: Archived, snapshot: Snapshot, message: str
    ) -> Snapshot:
        try:
            return plain(self, state, archived, snapshot, message)
        except LostRace:
            theirs = self.world.state
            again = msgspec.structs.replace(made_of(snapshot.state, state, theirs), serial=theirs.serial + 1)
            self.store(again, archived, message)
            return Snapshot(again, str(self.world.version))

    with mock.patch.object(SimulatedStore, "save_with_archive", save):
        yield


@contextmanager
def write_again_after_a_lost_race() -> Iterator[None]:
    """A lost save is made again, as it was decided, on top of what the other saved."""
    with _saved_after_a_lost_race(lambda read, ours, theirs: ours):
        yield


@contextmanager
def merge_after_a_lost_race() -> Iterator[None]:
    """A lost save is rebased: our records over theirs, where they differ from what we read."""

    def merged(read: State, ours: State, theirs: State) -> State:
        changed = {i: one for i, one in ours.schedules.items() if read.schedules.get(i) is not one}
        return msgspec.structs.replace(theirs, schedules={**theirs.schedules, **changed})

    with _saved_after_a_lost_race(merged):
        yield


@contextmanager
def without_a_nonce() -> Iterator[None]:
    """Nothing tells two runs, or their commits, apart: equal ones of one second are one commit for git."""
    with (
        mock.patch.object(SimulatedStore, "nonce", lambda self: ""),
        mock.patch.object(Process, "owner", property(lambda self: "run")),
    ):
        yield


@contextmanager
def keep_the_due_list() -> Iterator[None]:
    """What is due is found out once a run, and kept when everything is read again."""
    plain = Runner.observe

    def observe(self: Any, at: int | None = None) -> Any:
        fresh = plain(self, at)
        self.kept = getattr(self, "kept", fresh.reconciled.plan.sends)
        stale = msgspec.structs.replace(fresh.reconciled.plan, sends=self.kept)
        reconciled = msgspec.structs.replace(fresh.reconciled, plan=stale)
        return msgspec.structs.replace(fresh, reconciled=reconciled)

    with mock.patch.object(Runner, "observe", observe):
        yield


@contextmanager
def read_what_is_declared_once() -> Iterator[None]:
    """A run reads what is declared once, so that it does not see what is cancelled while it goes on."""
    plain = Runner.observe

    def observe(self: Any, at: int | None = None) -> Any:
        fresh = plain(self, at)
        self.ports.sources = lambda: fresh.sources
        return fresh

    with mock.patch.object(Runner, "observe", observe):
        yield


@contextmanager
def send_before_the_intent() -> Iterator[None]:
    """Requests leave first, and the intent is saved with their outcome."""

    plain = Runner._save

    def save(self: Any, state: State, snapshot: Snapshot, message: str, archived: Any = None) -> Snapshot:
        fresh = {
            i
            for i, record in state.schedules.items()
            if record.status == "executing"
            and record.accepted_at is None
            and record.intent is not None
            and record.intent.owner == self._owner
            and (i not in snapshot.state.schedules or snapshot.state.schedules[i].intent != record.intent)
        }
        if fresh:
            return Snapshot(state, snapshot.mark)  # not saved at all: as if the save came later
        return plain(self, state, snapshot, message, archived)

    with mock.patch.object(Runner, "_save", save):
        yield


@contextmanager
def look_nothing_up() -> Iterator[None]:
    """Every lookup answers that no run carries the key."""
    plain = outcomes.after_lookup

    def blind(record: Record, lookup: LookupResult, now: int, *_: object) -> Record:
        return plain(record, LookupResult(runs=()), now)

    with mock.patch.object(lookups, "after_lookup", blind):
        yield


@contextmanager
def retry_blindly() -> Iterator[None]:
    """An unknown outcome is taken for a not-now, and sent again."""
    plain = outcomes.after_answer

    def blind(record: Record, answer: Any, now: int, settings: Any) -> Record:
        if answer.verdict == "unknown":
            answer = msgspec.structs.replace(answer, verdict="not-now")
        return plain(record, answer, now, settings)

    with mock.patch.object(run, "after_answer", blind):
        yield


@contextmanager
def key_with_the_time() -> Iterator[None]:
    """The key changes with each attempt, so that a channel cannot know the second delivery."""
    plain = Runner._intend

    def timed(self: Any, *rest: Any) -> Any:
        record, request = plain(self, *rest)
        intent = msgspec.structs.replace(request.intent, key=f"{request.intent.key}-{request.intent.at}")
        record = msgspec.structs.replace(record, intent=intent)
        return record, msgspec.structs.replace(request, intent=intent)

    with mock.patch.object(Runner, "_intend", timed):
        yield


@contextmanager
def take_over_at_once() -> Iterator[None]:
    """Another runner's fresh intent is taken for a dead one's, and its lookup is believed at once."""
    with (
        mock.patch.object(sent, "IN_FLIGHT", -1),
        mock.patch.object(outcomes, "LOOKUP_WINDOW", 0),
        mock.patch.object(sent, "LOOKUP_WINDOW", 0),
    ):
        yield


@contextmanager
def unknown_is_only_failed() -> Iterator[None]:
    """What failed as unknown is retried like any other failure."""
    plain = outcomes.after_lookup

    def eager(record: Record, lookup: LookupResult, now: int, *_: object) -> Record:
        after = plain(record, lookup, now)
        if after.status == "failed" and after.reason == "unknown_outcome":
            return advance(after, "pending", now, "failed, so try again", reason=None, intent=None)
        return after

    with mock.patch.object(lookups, "after_lookup", eager):
        yield


@contextmanager
def attempt_after_the_deadline() -> Iterator[None]:
    """Further attempts are made however late."""
    plain = sent._send_again

    def again(situation: Situation, schedule_id: str, record: Record, intent: Any) -> None:
        plain(
            situation, schedule_id, record, msgspec.structs.replace(intent, not_after="2099-01-01T00:00:00Z")
        )

    with mock.patch.object(sent, "_send_again", again):
        yield


@contextmanager
def send_when_held_up() -> Iterator[None]:
    """A run that was held up between its decision and its requests sends them all the same."""
    with mock.patch.object(Runner, "_too_late", lambda self, requests, look: None):
        yield


@contextmanager
def begin_in_any_order() -> Iterator[None]:
    """What is due leaves in the wrong order."""
    plain = run.reconcile

    def reconcile(*args: Any, **named: Any) -> Any:
        found = plain(*args, **named)
        backwards = msgspec.structs.replace(found.plan, sends=found.plan.sends[::-1])
        return msgspec.structs.replace(found, plan=backwards)

    with mock.patch.object(run, "reconcile", reconcile):
        yield


@contextmanager
def send_what_is_late_at_once() -> Iterator[None]:
    """What is late on one channel leaves together."""
    with mock.patch.object(plan, "take_turns", lambda situation: None):
        yield


@contextmanager
def wait_for_no_answer() -> Iterator[None]:
    """Under `halt` a member does not wait for the answer before it."""
    with mock.patch.object(departures, "_turns", lambda situation: {}):
        yield


@contextmanager
def wait_for_no_success() -> Iterator[None]:
    """Under `after_success` a member does not wait for the one before it."""
    with mock.patch.object(Situation, "predecessor", lambda self, schedule_id, record: None):
        yield


@contextmanager
def find_halts_too_early() -> Iterator[None]:
    """What a plan gives up itself halts nobody in that plan."""
    with mock.patch.object(plan, "_is_under_way", lambda record: False):
        yield


@contextmanager
def pause_nothing() -> Iterator[None]:
    """No pause holds anything back: not a wave's, not a channel's, not the operator's."""
    with mock.patch.object(Pauses, "of", lambda self, schedule_id, record: ()):
        yield


@contextmanager
def drop_what_is_finished() -> Iterator[None]:
    """What leaves the record for the archive never arrives there."""
    plain = SimulatedStore.save_with_archive

    def save(
        self: SimulatedStore, state: State, archived: Archived, snapshot: Snapshot, message: str
    ) -> Snapshot:
        return plain(self, state, {}, snapshot, message)

    with mock.patch.object(SimulatedStore, "save_with_archive", save):
        yield


@contextmanager
def read_the_archive_once() -> Iterator[None]:
    """A run keeps the archive that it read first, whatever others archive meanwhile."""
    plain = SimulatedStore.load_archive

    def load_archive(self: Any) -> dict[str, Record]:
        self.kept = getattr(self, "kept", None) or (plain(self),)
        found: dict[str, Record] = self.kept[0]
        return found

    with mock.patch.object(SimulatedStore, "load_archive", load_archive):
        yield


@contextmanager
def repeat_the_words_of_servers() -> Iterator[None]:
    """The words of a server are shown as they are, and this one repeats the token."""
    with mock.patch.object(responses, "scrubber", lambda secrets: lambda text: text):
        yield


@contextmanager
def fail_what_meets_an_ended_token() -> Iterator[None]:
    """A 401 is a no to the publication, as it was once."""
    plain = outcomes.after_answer

    def after_answer(record: Record, answer: Answer, now: int, settings: Any) -> Record:
        if answer.token_ended:
            answer = msgspec.structs.replace(answer, verdict="refused", token_ended=False)
        return plain(record, answer, now, settings)

    with mock.patch.object(run, "after_answer", after_answer):
        yield


@contextmanager
def use_an_ended_token_again() -> Iterator[None]:
    """A run forgets that its token was refused."""
    with mock.patch.object(Process, "known_surroundings", lambda self: self.surroundings):
        yield


@contextmanager
def sleep_past_what_is_merged() -> Iterator[None]:
    """A run that waits asks for nothing until what it waits for is due."""
    with mock.patch.object(hold_and_watch.Lookout, "_ask", lambda self, tip: None):
        yield


@contextmanager
def end_at_a_hiccup() -> Iterator[None]:
    """The first error ends a run that waits."""

    def tried(runner: Runner, at: int | None, *_: object) -> None:
        hold_and_watch._timed(runner, at)

    with mock.patch.object(hold_and_watch, "_tried", tried):
        yield


@contextmanager
def believe_a_clock_that_was_set() -> Iterator[None]:
    """A run takes the wall clock for the time, whoever sets it."""
    with (
        mock.patch.object(SteadyClock, "moment", lambda self: self._clock.moment()),
        mock.patch.object(SteadyClock, "jump", lambda self: 0.0),
    ):
        yield


@contextmanager
def ask_nobody_which_time_is_right() -> Iterator[None]:
    """After a jump the wall clock counts, without a question to a server."""
    with mock.patch.object(Runner, "_settle_jump", lambda self, declared: self.ports.clock.follow(wall=True)):
        yield


@contextmanager
def wait_for_every_answer() -> Iterator[None]:
    """A question takes as long as its channel likes."""
    with mock.patch.object(lookups, "HasPatience", int):
        yield


@contextmanager
def give_way_to_nothing() -> Iterator[None]:
    """Questions take their minute, whatever falls due meanwhile."""
    with mock.patch.object(Runner, "_give_time", lambda *_, **__: None):
        yield


@contextmanager
def take_any_folder_s_state() -> Iterator[None]:
    """A run acts on whatever state it finds."""
    with mock.patch.object(driver, "demand_owner", lambda *_: None):
        yield


@contextmanager
def forget_what_is_restored() -> Iterator[None]:
    """What was withdrawn is pending again only for a time that is to come, as it was once."""
    plain = diff.return_of

    def return_of(*given: Any) -> Any:
        found = plain(*given)
        return found if found == "in time" else None

    with mock.patch.object(diff, "return_of", return_of):
        yield


@contextmanager
def recognize_slots_by_their_instant() -> Iterator[None]:
    """A slot or a one-off is recognized by its instant, as it was once."""

    def identify(_: object, records: Any, *__: object) -> Identified:
        return Identified(records=records)

    with mock.patch.object(reconcile, "identify", identify):
        yield


@contextmanager
def let_any_zone_data_decide() -> Iterator[None]:
    """A machine with older zone data than the state's adds and moves local times by it."""
    with mock.patch.object(Zones, "is_older", False):
        yield


@contextmanager
def record_the_zone_data_of_the_last_run() -> Iterator[None]:
    """The state names the zone data of the run that saved last, and not the newest."""
    plain = Runner._save

    def save(self: Any, state: State, *rest: Any) -> Snapshot:
        return plain(self, msgspec.structs.replace(state, zone_release=zone_release()), *rest)

    with mock.patch.object(Runner, "_save", save):
        yield


@contextmanager
def move_what_was_sent() -> Iterator[None]:
    """New zone data moves what was sent, too."""
    with mock.patch.object(expand, "_keep_recorded_times", lambda *_: None):
        yield


@contextmanager
def take_zone_data_for_an_edit() -> Iterator[None]:
    """A local time with another instant counts as edited, whatever moved it."""
    with mock.patch.object(expand, "is_same_declaration", lambda *_: False):
        yield


@contextmanager
def give_what_was_requested_a_new_id() -> Iterator[None]:
    """An id moves with its instant even if a request was made under it."""
    with mock.patch.object(local_times, "was_never_requested", lambda record: True):
        yield


@contextmanager
def take_what_was_sent_for_a_neighbour() -> Iterator[None]:
    """What was sent keeps a local time away that only zone data moved to its instant."""

    def by_instant(_: object, __: object, at: int) -> int:
        return at

    with (
        mock.patch.object(spacing, "by_zones_in_use", by_instant),
        mock.patch.object(lineup, "by_zones_in_use", by_instant),
    ):
        yield


ZONE_MUTANTS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    recognize_slots_by_their_instant,
    let_any_zone_data_decide,
    record_the_zone_data_of_the_last_run,
    move_what_was_sent,
    take_zone_data_for_an_edit,
    give_what_was_requested_a_new_id,
    take_what_was_sent_for_a_neighbour,
)
"""Those that only two releases of the zone data can miss: `simulation/zoned.py` plays them."""

SLOW_MUTANTS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    wait_for_every_answer,
    give_way_to_nothing,
)
"""Those that only a channel that answers slowly can miss: `simulation/slow.py` plays them."""

WAITING_MUTANTS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    sleep_past_what_is_merged,
    end_at_a_hiccup,
    believe_a_clock_that_was_set,
    ask_nobody_which_time_is_right,
)
"""Those that only a run that waits can miss: `simulation/waiting.py` plays them."""


@contextmanager
def take_acceptance_for_a_retraction() -> Iterator[None]:
    """What accepted the event that takes back has taken it back."""

    def at_once(record: Record, answer: Answer, now: int, settings: Any) -> Record:
        after = retraction.after_retraction_answer(record, answer, now, settings)
        accepted = after.retraction is not None and after.retraction.status == "accepted"
        done = LookupResult(runs=[Run(run_id=1, conclusion="success", ended_at=now)])
        return retraction.after_retraction_lookup(after, done, now) if accepted else after

    with mock.patch.object(run, "after_retraction_answer", at_once):
        yield


@contextmanager
def take_the_publication_s_run_for_the_retraction_s() -> Iterator[None]:
    """Both have one word in the title of their run."""
    with mock.patch.object(Intent, "run_word", property(lambda self: self.key)):
        yield


@contextmanager
def believe_when_a_retraction_was_seen() -> Iterator[None]:
    """Whenever its run ended: it succeeded."""
    plain = retraction.after_retraction_lookup

    def whenever(record: Record, lookup: LookupResult, now: int) -> Record:
        runs = [msgspec.structs.replace(run, ended_at=run.ended_at and record.at - 1) for run in lookup.runs]
        return plain(record, msgspec.structs.replace(lookup, runs=runs), now)

    with mock.patch.object(lookups, "after_retraction_lookup", whenever):
        yield


@contextmanager
def retract_blindly() -> Iterator[None]:
    """A retraction whose outcome is unknown is sent again."""
    plain = retraction.after_retraction_answer

    def blind(record: Record, answer: Answer, now: int, settings: Any) -> Record:
        if answer.verdict == "unknown":
            answer = msgspec.structs.replace(answer, verdict="not-now")
        return plain(record, answer, now, settings)

    with mock.patch.object(run, "after_retraction_answer", blind):
        yield


@contextmanager
def retract_too_late() -> Iterator[None]:
    """Until the last second something is taken back."""
    with mock.patch.object(taking_back, "NOTICE", 0):
        yield


@contextmanager
def retract_what_cannot_be_read() -> Iterator[None]:
    """What no readable file declares is taken back."""
    plain = taking_back.withdrawal

    def unread(declared: Any, record: Record, schedule: Any) -> Any:
        gone = Withdrawal(why="no longer declared", kind="gone")
        return gone if schedule is None else plain(declared, record, schedule)

    with mock.patch.object(taking_back, "withdrawal", unread):
        yield


@contextmanager
def retract_what_may_have_arrived() -> Iterator[None]:
    """What was sent counts as handed over before anybody accepted it."""
    plain = taking_back.withdrawals

    def withdrawals(declared: Any, records: Any, *rest: Any) -> Any:
        sent = {i: record for i, record in records.items() if record.intent is not None and record.was_sent}
        eager = {i: msgspec.structs.replace(r, accepted_at=r.intent.at) for i, r in sent.items()}
        return plain(declared, {**records, **eager}, *rest)

    with mock.patch.object(passes, "withdrawals", withdrawals):
        yield


@contextmanager
def take_over_a_retraction_at_once() -> Iterator[None]:
    """Another runner's fresh retraction is taken for a dead one's, and its lookup is believed at once."""
    with mock.patch.object(retractions, "IN_FLIGHT", -1), mock.patch.object(retraction, "LOOKUP_WINDOW", 0):
        yield


@contextmanager
def keep_the_key_of_what_was_taken_back() -> Iterator[None]:
    """What is sent after a retraction has the key of what was taken back."""
    plain = retraction._taken_back

    def same_key(record: Record, *rest: Any) -> Record:
        return msgspec.structs.replace(plain(record, *rest), resends=record.resends)

    with mock.patch.object(retraction, "_taken_back", same_key):
        yield


@contextmanager
def look_for_no_retraction() -> Iterator[None]:
    """Every lookup of a retraction answers that there is no run of it."""
    plain = retraction.after_retraction_lookup

    def blind(record: Record, _: LookupResult, now: int) -> Record:
        return plain(record, LookupResult(), now)

    with mock.patch.object(lookups, "after_retraction_lookup", blind):
        yield


RETRACTING_MUTANTS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    take_acceptance_for_a_retraction,
    take_the_publication_s_run_for_the_retraction_s,
    believe_when_a_retraction_was_seen,
    retract_blindly,
    retract_too_late,
    retract_what_cannot_be_read,
    retract_what_may_have_arrived,
    take_over_a_retraction_at_once,
    keep_the_key_of_what_was_taken_back,
    look_for_no_retraction,
)
"""Those that only channels that take back can miss: `simulation/retracting.py` plays them."""

MUTANTS: tuple[Callable[[], AbstractContextManager[None]], ...] = (
    without_a_nonce,
    look_nothing_up,
    send_before_the_intent,
    write_again_after_a_lost_race,
    retry_blindly,
    key_with_the_time,
    unknown_is_only_failed,
    merge_after_a_lost_race,
    keep_the_due_list,
    save_without_comparing,
    take_over_at_once,
    attempt_after_the_deadline,
    send_when_held_up,
    begin_in_any_order,
    send_what_is_late_at_once,
    wait_for_no_answer,
    wait_for_no_success,
    find_halts_too_early,
    read_what_is_declared_once,
    pause_nothing,
    drop_what_is_finished,
    read_the_archive_once,
    repeat_the_words_of_servers,
    fail_what_meets_an_ended_token,
    use_an_ended_token_again,
    take_any_folder_s_state,
    forget_what_is_restored,
)


def first_seeds(
    play: Callable[[int], object], mutants: Sequence[Callable[[], AbstractContextManager[None]]] = MUTANTS
) -> Iterator[tuple[str, int, Rule]]:
    """For each mutant the first seed that catches it, and the rule that is broken there."""
    for mutant in mutants:
        with mutant():
            for seed in count(1):
                try:
                    play(seed)
                except Violation as violation:
                    yield mutant.__name__, seed, violation.rule
                    break
