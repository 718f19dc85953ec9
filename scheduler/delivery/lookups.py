"""The queries of a run: what became of a request, is a channel ready, was a late publication sent before.

Queries change nothing, and what the answers make of records is pure. The runner saves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from scheduler.delivery.dispatcher import Dispatcher, HasFile, HasPatience, Readiness
from scheduler.delivery.routes import Routes
from scheduler.diagnostics import Diagnostic, Location, error, warning
from scheduler.errors import Error
from scheduler.planning.plan import PlannedSend
from scheduler.planning.reconcile import Reconciled
from scheduler.state.answers import LookupResult
from scheduler.state.outcomes import LATE, after_found_run, after_lookup
from scheduler.state.record import Intent, Record, advance
from scheduler.state.retraction import after_retraction_lookup
from scheduler.times import Instant, instant_text

A = TypeVar("A")
QUESTIONS = 60.0
"""Seconds that the questions of one round may take in all, where nothing is waited for."""
_SET_BACK = "check the history of the state: it was probably reset to an older version"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to the lookups and the confirmations of one plan, by schedule."""

    about: Mapping[str, Record]
    """The records that were queried."""
    lookups: Mapping[str, LookupResult]
    readiness: Mapping[str, Readiness]
    asked_about: Mapping[str, str | None]
    """What the channels were like whose readiness was asked."""
    taken_back: Mapping[str, str]
    """Why the jobs of some were taken back, unless a worker had begun them."""

    def settle(
        self, schedules: dict[str, Record], now: Instant, report: Callable[[str, Record, Instant], None]
    ) -> None:
        """Update `schedules` with the answers, where the record is unchanged since the query."""
        for schedule_id, lookup in self.lookups.items():
            record = schedules.get(schedule_id)
            about = self.about[schedule_id].intent_to_look_up
            if lookup.is_put_off or record is None or record.intent_to_look_up != about:
                continue
            if about is not None and about.retracts:
                if record.status in ("executing", "completed"):
                    after = after_retraction_lookup(record, lookup, now)
                    schedules[schedule_id] = after
                    if after.history is not record.history:
                        report(schedule_id, after, now)
            elif record.status in ("executing", "failed"):  # another runner may have settled it meanwhile
                after = after_lookup(record, lookup, now, self.taken_back.get(schedule_id))
                schedules[schedule_id] = after
                if after.status != record.status:
                    report(schedule_id, after, now)
        for schedule_id, answer in self.readiness.items():
            record = schedules.get(schedule_id)
            if record is not None and record.is_unsent_live and not answer.is_put_off:
                schedules[schedule_id] = _after_asking(
                    schedule_id, record, answer, now, self.asked_about[schedule_id]
                )


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A late publication that has a run although its record has no request."""

    record: Record
    intent: Intent
    send: PlannedSend
    lookup: LookupResult

    def adopted(self, now: Instant) -> Record:
        return after_found_run(self.record, self.intent, self.lookup, self.send.due, self.send.late_from, now)


def not_ready(schedules: Sequence[str], where: Location, problem: str, hint: str | None) -> Diagnostic:
    """The warning about a channel that is not ready for what is due on it within a day."""
    message = f"{schedules[0]} is due within 24 h and is not ready: {problem}"
    return warning("unreachable", where, message, hint, schedules=schedules)


def is_unready(reconciled: Reconciled, schedule_id: str, record: Record) -> bool:
    """Whether its channel was asked and is not ready, and nothing else keeps it back anyway."""
    declared = reconciled.declared
    if not record.unconfirmed or not record.is_unsent_live or record.is_paused or declared is None:
        return False
    return schedule_id not in reconciled.blocked and declared.can_send(record.channel_id)


def unready(reconciled: Reconciled, records: Mapping[str, Record]) -> Iterator[Diagnostic]:
    """A warning, a day ahead, for what is not confirmed: one a channel and problem, as long as it is so."""
    declared = reconciled.declared
    assert declared is not None, "nothing is asked while the settings cannot be read"
    found: dict[tuple[str, str], list[str]] = {}
    for schedule_id, record in records.items():
        if is_unready(reconciled, schedule_id, record):
            found.setdefault((record.channel_id, record.unconfirmed or ""), []).append(schedule_id)
    for (channel, problem), some in found.items():
        where = declared.place(declared.files["channel", channel])
        yield not_ready(some, where, problem, records[some[0]].unconfirmed_hint)


def forgotten(schedule_id: str) -> Diagnostic:
    """The error about a state that has lost a request."""
    message = f"{schedule_id} was sent before, but the state did not know: its channel has a run with its key"
    return error("forgotten", Location.whole("."), message, _SET_BACK, schedules=[schedule_id])


class Lookups:
    """The queries of one run."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._faults: dict[str, str] = {}
        self.time_left: Callable[[], float] = lambda: QUESTIONS
        """Seconds that what is asked next may take in all."""

    def leaves_first(
        self, sends: Sequence[PlannedSend], reconciled: Reconciled, asked: set[str]
    ) -> list[PlannedSend]:
        """What does not wait until it is known whether others, which are late, were sent before.

        Nothing of the same wave or channel leaves ahead of those. Empty where all have to wait.
        """
        waves: set[str | None] = set()
        channels: set[str] = set()
        first: list[PlannedSend] = []
        for send in sends:
            record = reconciled.booked[send.schedule_id]
            is_behind = record.channel_id in channels or record.wave_id in waves
            if is_behind or self._is_late(send, reconciled, asked):
                channels.add(record.channel_id)
                waves |= {record.wave_id} - {None}
            else:
                first.append(send)
        return first if len(first) < len(sends) else []

    def _is_late(self, send: PlannedSend, reconciled: Reconciled, asked: set[str]) -> bool:
        record = reconciled.booked[send.schedule_id]
        is_asked = f"before {send.schedule_id}" in asked or record.status == "executing"
        return not is_asked and reconciled.plan.now - send.due > LATE

    def faults(self, reconciled: Reconciled) -> Iterator[Diagnostic]:
        """An error for each publication about which asking failed as it never should, each reported once."""
        faults, self._faults = self._faults, {}
        for schedule_id, message in faults.items():
            declared, channel = reconciled.declared, reconciled.booked[schedule_id].channel_id
            file = None if declared is None else declared.files.get(("channel", channel))
            where = Location.whole(".") if declared is None or file is None else declared.place(file)
            hint = "this is an error of the scheduler, and holds nothing else back: please report it"
            message = f"{schedule_id} cannot be looked up: {message}"
            yield error("unreachable", where, message, hint, schedules=[schedule_id])

    def look_up_and_confirm(
        self,
        records: Mapping[str, Record],
        reconciled: Reconciled,
        asked: set[str],
        intended: Callable[[str, Record], Intent | None],
    ) -> Asked:
        """Look up what is unknown, and confirm what is due soon, each once: `asked` remembers which.

        `intended` makes the intent that would be sent now.
        """
        wanted: dict[str, dict[str, Intent]] = {"lookup": {}, "confirm": {}}
        asked_about: dict[str, str | None] = {}
        for change in reconciled.plan.changes:
            mark = f"{change.action} {change.schedule_id}"
            if change.action in wanted and mark not in asked and change.before is not None:
                asked.add(mark)
                is_lookup = change.action == "lookup"
                intent = _sent(change.before) if is_lookup else intended(change.schedule_id, change.before)
                if intent is not None:
                    wanted[change.action][change.schedule_id] = intent
                    asked_about[change.schedule_id] = change.after.asked_about if change.after else None
        run_ids, taken_back = _known_runs(records, wanted["lookup"]), reconciled.plan.taken_back

        def look_up(dispatcher: Dispatcher, some: Mapping[str, Intent]) -> Mapping[str, LookupResult]:
            if isinstance(dispatcher, HasFile) and not taken_back.keys().isdisjoint(some):
                dispatcher.take_back(some, taken_back)
            return dispatcher.look_up(some, run_ids)

        return Asked(
            about=records,
            lookups=self._look_up(wanted["lookup"], look_up),
            asked_about=asked_about,
            taken_back=taken_back,
            readiness=self._ask_all(
                wanted["confirm"],
                lambda dispatcher, some: dispatcher.ask_ready(some),
                lambda fault, _: Readiness(ready=False, problem=fault),
            ),
        )

    def look_back(
        self,
        sends: Sequence[PlannedSend],
        reconciled: Reconciled,
        asked: set[str],
        intended: Callable[[PlannedSend], Intent],
    ) -> dict[str, Found] | None:
        """Check whether what is late was sent before. None where nothing was queried.

        A state branch that was reset forgets what was sent, and a fresh clone has nothing to compare it
        with; the channel's runs remember. A missing answer holds nothing back: the token may not be allowed
        to read runs, and a late publication must not wait for that.
        """
        late: dict[str, PlannedSend] = {}
        intents: dict[str, Intent] = {}
        for send in sends:
            if not self._is_late(send, reconciled, asked):
                continue
            intent = intended(send)
            if intent.traits.has_runs:
                late[send.schedule_id] = send
                intents[send.schedule_id] = msgspec.structs.replace(intent, at=instant_text(send.due))
        if not intents:
            return None
        lookups = self._look_up(intents, lambda dispatcher, some: dispatcher.look_up(some))
        found: dict[str, Found] = {}
        for name, lookup in lookups.items():
            if lookup.runs:  # query again, until it is recorded
                found[name] = Found(
                    record=reconciled.booked[name], intent=intents[name], send=late[name], lookup=lookup
                )
            else:
                asked.add(f"before {name}")
        return found

    def _look_up(
        self,
        intents: Mapping[str, Intent],
        look_up: Callable[[Dispatcher, Mapping[str, Intent]], Mapping[str, LookupResult]],
    ) -> Mapping[str, LookupResult]:
        def broken(why: str, is_fault: bool) -> LookupResult:
            return LookupResult(error=why, is_fault=is_fault)

        answers = self._ask_all(intents, look_up, broken)
        self._faults |= {name: one.error or "" for name, one in answers.items() if one.is_fault}
        return answers

    def _ask_all(
        self,
        intents: Mapping[str, Intent],
        ask: Callable[[Dispatcher, Mapping[str, Intent]], Mapping[str, A]],
        broken: Callable[[str, bool], A],
    ) -> dict[str, A]:
        """Query each dispatcher about its intents; `broken` makes the answer where one cannot be asked."""
        faults = {i: fault for i, intent in intents.items() if (fault := self._routes.fault_of(intent))}
        answers = {schedule_id: broken(fault, False) for schedule_id, fault in faults.items()}
        open_ones = ((i, intent) for i, intent in intents.items() if i not in faults)
        for dispatcher, ids in self._routes.group(open_ones):
            if isinstance(dispatcher, HasPatience):
                dispatcher.allow(self.time_left())
            answers |= _asked(dispatcher, {i: intents[i] for i in ids}, ask, broken)
        return answers


def _asked(
    dispatcher: Dispatcher,
    intents: Mapping[str, Intent],
    ask: Callable[[Dispatcher, Mapping[str, Intent]], Mapping[str, A]],
    broken: Callable[[str, bool], A],
) -> Mapping[str, A]:
    """The answers of one dispatcher. An error while it is asked about one is the trouble of that one."""
    try:
        return ask(dispatcher, intents)
    except Exception as fault:  # noqa: BLE001 - whatever it is, the others are asked all the same
        if len(intents) > 1:
            parts = [_asked(dispatcher, {i: intent}, ask, broken) for i, intent in intents.items()]
            return {i: answer for part in parts for i, answer in part.items()}
        message = (
            fault.message if isinstance(fault, Error) else f"failed unexpectedly ({type(fault).__name__})"
        )
        return {i: broken(message, True) for i in intents}


def _sent(record: Record) -> Intent | None:
    """The recorded intent. The runs of all attempts carry the key, so the search begins with the first."""
    intent = record.intent_to_look_up
    if intent is None or intent.retracts or record.executed_at is None:
        return intent
    return msgspec.structs.replace(intent, at=min(intent.at, record.executed_at))


def _known_runs(records: Mapping[str, Record], wanted: Mapping[str, Intent]) -> dict[str, int]:
    """The runs that can be asked about by id: where a request starts one run at most."""
    return {
        schedule_id: run_id
        for schedule_id, intent in wanted.items()
        if intent.traits.has_one_run
        and schedule_id in records
        and (run_id := records[schedule_id].run_id) is not None
    }


def _after_asking(
    schedule_id: str, record: Record, answer: Readiness, now: Instant, asked_about: str | None
) -> Record:
    """`scheduled` means confirmed; otherwise the problem is recorded and the channel queried again."""
    problem, hint = None, None
    if not answer.ready:
        problem, hint = answer.problem or "its channel is not ready", answer.hint
    elif record.video_id is None:
        problem, hint = "no video is assigned", f"run `scheduler assign {schedule_id} VIDEO`"
    seen = {
        "checked_at": instant_text(now), "keyless": answer.is_keyless, "asked_about": asked_about,
        "unconfirmed": problem, "unconfirmed_hint": hint,
    }  # fmt: skip
    if problem is None and record.status == "pending":
        return advance(record, "scheduled", now, "its channel is ready", **seen)
    if problem is not None and record.status == "scheduled":
        return advance(record, "pending", now, f"its channel is not ready any more: {problem}", **seen)
    return msgspec.structs.replace(record, **seen)
