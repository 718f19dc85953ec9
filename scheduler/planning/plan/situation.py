"""What decisions look at, at one instant: deadlines, predecessors, tokens that must wait. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec

from scheduler.planning.plan.pauses import Pauses
from scheduler.planning.plan.plan import PlanDraft
from scheduler.state.intent import intent_for
from scheduler.state.record import Record
from scheduler.times import Instant, read_utc


class Timing(msgspec.Struct, frozen=True, gc=False):
    """The instants of one record that is to be sent."""

    base: Instant
    """From when `catch_up` counts: the publish time, the retry, or the completion of the one before."""
    due: Instant
    """From when a request may leave."""
    deadline: Instant
    """Until when one may."""
    late_from: Instant
    """From when it is late: the publish time, or the completion of the one before."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that may be sent now."""

    schedule_id: str
    record: Record
    token: str | None
    due: Instant
    late_from: Instant
    deadline: Instant
    reason: str
    event_type: str | None = None
    """Where it is to be taken back: the type of the event that does."""


class Situation:
    """What every decision of the second pass looks at; made once the bookings are done."""

    def __init__(self, draft: PlanDraft, pauses: Pauses) -> None:
        self.draft = draft
        self.subject = draft.subject
        self.now = draft.now
        self.pauses = pauses
        self.limited = _limited_tokens(draft.records)
        self.archived: dict[str, Record] = {}
        """What this plan moves to the archive: it still counts."""
        self.due: list[Due] = []
        self.delayed: list[tuple[str, Record]] = []
        """Due ones that must wait a little before a request is made for them (again)."""
        self.gap: int = self.subject.declared.settings.conflicts.min_gap
        self._groups = _ordered_groups(draft)
        self._about: dict[str, str] = {}
        self._bookings: tuple[dict[str, list[Instant]], dict[str, list[Instant]]] | None = None

    def timing(self, schedule_id: str, record: Record) -> Timing | None:
        """The instants of a record; None while it waits for the one before it in its group."""
        at = record.at
        base, due, late_from = at, at - self.subject.lead(record.channel_id), at
        if record.retried_at is not None:  # it is not missed for having waited for its turn
            base = max(base, read_utc(record.retried_at), self.freed(record.channel_id))
        if record.after_success:
            before = self.predecessor(schedule_id, record)
            if before is not None:
                released = self._completed_at(before)
                if released is None:
                    return None
                base, due, late_from = max(base, released), max(due, released), max(at, released)
        return Timing(base, due, base + self.subject.catch_up(record), late_from)

    def about_channel(self, channel_id: str) -> str:
        """A digest of all that decides whether a declared channel is ready, as far as it is known here."""
        if channel_id not in self._about:
            declared, surroundings = self.subject.declared, self.subject.surroundings
            channel = declared.channels[channel_id]
            token = surroundings.token_for(channel)
            facts = (
                intent_for(channel, declared.settings, owner="", at="", key="", not_after="", token=token),
                declared.settings.queue, surroundings.server,
                token in surroundings.tokens, token in surroundings.unusable,
                token and surroundings.why_ended(token, channel.repository),
            )  # fmt: skip
            self._about[channel_id] = sha256(repr(facts).encode("utf-8", "backslashreplace")).hexdigest()[:12]
        return self._about[channel_id]

    def is_too_late(self, record: Record, timing: Timing) -> bool:
        """Whether it is missed. A retried one is not while its channel cannot take it."""
        if self.now <= timing.deadline:
            return False
        waits = record.retried_at and free_from(self.taken(record.channel_id), self.now, self.gap) > self.now
        return not waits

    def freed(self, channel_id: str) -> Instant:
        """From when a channel may send again after its last publication, by `min_gap`; 0 before the first."""
        sent = self._booked()[0].get(channel_id, ())
        return max((at + self.gap for at in sent if at <= self.now), default=0)

    def taken(self, channel_id: str) -> list[Instant]:
        """When a channel's publications left, were or are to be public: ascending, without the late ones."""
        sent, planned = self._booked()
        return sorted([*sent.get(channel_id, ()), *planned.get(channel_id, ())])

    def _booked(self) -> tuple[dict[str, list[Instant]], dict[str, list[Instant]]]:
        """By channel: what was sent, and what is to be sent in time. Made when it is first asked for."""
        if self._bookings is None:
            sent: dict[str, list[Instant]] = defaultdict(list)
            planned: dict[str, list[Instant]] = defaultdict(list)
            for schedule_id, record in self.draft.records.items():
                if record.executed_at is not None and record.was_sent:
                    sent[record.channel_id].append(max(record.at, read_utc(record.executed_at)))
                elif record.is_unsent_live and record.at >= self.now and self._is_coming(schedule_id, record):
                    planned[record.channel_id].append(record.at)
            self._bookings = sent, planned
        return self._bookings

    def _is_coming(self, schedule_id: str, record: Record) -> bool:
        subject = self.subject
        held = schedule_id in subject.kept or subject.is_held(schedule_id, record.channel_id)
        return not (held or self.pauses.of(schedule_id, record))

    def predecessor(self, schedule_id: str, record: Record) -> str | None:
        """Under `after_success`: the one before it in its group, past those that were cancelled.

        What `show` says of the wait is found by `Explainer.before` (`scheduler.reporting.explain`).
        """
        before: str | None = None
        for _, member in self._groups.get(record.coordination_group_id or "", ()):
            if member == schedule_id:
                return before
            known = self._known(member)
            if known is None or not known.traits.is_called_off:
                before = member
        return before

    def _completed_at(self, schedule_id: str) -> Instant | None:
        known = self._known(schedule_id)
        if known is None or known.status != "completed":
            return None
        return read_utc(known.completed_at or known.executed_at or known.scheduled_at)

    def _known(self, schedule_id: str) -> Record | None:
        for known in (self.draft.records, self.archived, self.subject.archive):
            if schedule_id in known:
                return known[schedule_id]
        return None


def free_from(taken: Sequence[Instant], at: Instant, gap: int) -> Instant:
    """The first instant from `at` on that is `gap` seconds from all that is taken (ascending)."""
    for other in taken[bisect_right(taken, at - gap) :]:
        if other >= at + gap:
            break
        at = other + gap
    return at


def _ordered_groups(draft: PlanDraft) -> dict[str, list[tuple[int, str]]]:
    """The uncancelled members of groups whose members wait for each other, by position.

    Of a group whose file cannot be read these are the recorded ones, sent or not.
    """
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    subject = draft.subject
    for schedule_id, schedule in subject.schedules.items():
        if schedule.group.after_success and not schedule.cancelled:
            groups[schedule.group.id or ""].append((schedule.position, schedule_id))
    if subject.declared.unreadable or subject.declared.hidden:
        for schedule_id, record in {**subject.archive, **draft.records}.items():
            if record.after_success and subject.is_unreadable(record):
                groups[record.coordination_group_id or ""].append((record.position, schedule_id))
    for members in groups.values():
        members.sort()
    return groups


def _limited_tokens(records: Mapping[str, Record]) -> dict[str, Instant]:
    """Tokens for which a server asked to wait, and until when."""
    limited: dict[str, Instant] = {}
    for record in records.values():
        if record.limited and record.next_attempt_at and record.intent and record.intent.token:
            until = read_utc(record.next_attempt_at)
            limited[record.intent.token] = max(until, limited.get(record.intent.token, until))
        taken_back = record.retraction
        if taken_back is not None and taken_back.limited and taken_back.next_attempt_at and record.intent:
            until, token = read_utc(taken_back.next_attempt_at), record.intent.token
            if token is not None:
                limited[token] = max(until, limited.get(token, until))
    return limited
