"""Taking a publication back: the intent, and what an answer or a lookup makes of the record. Pure.

It is the protocol of a publication (`scheduler.state.outcomes`) for a second event under the same key: an
intent first, an unknown outcome looked up, nothing repeated that may have arrived. The success of its own run
alone confirms it, and the end of that run has to lie before the publish time.
"""

from __future__ import annotations

from msgspec.structs import replace

from scheduler.desired import SettingsSpec
from scheduler.state.answers import Answer, LookupResult
from scheduler.state.outcomes import LOOKUP_WINDOW, decisive
from scheduler.state.record import UNTRIED, Record, Retraction, advance, note
from scheduler.times import Instant, instant_text, read_utc

MAY_BE_PUBLIC = "may be public"


def intend_retraction(
    record: Record, *, event_type: str, token: str | None, owner: str, now: Instant, why: str
) -> Record:
    """The record of a publication that is about to be taken back: to where it went, under its key."""
    sent, before = record.intent, record.retraction
    assert sent is not None, "only what was handed over is taken back"
    intent = replace(
        sent, owner=owner, at=instant_text(now), not_after=record.scheduled_at, confirm="run",
        delivery="at-most-once", event_type=event_type, token=token, retract=None, retracts=True,
    )  # fmt: skip
    attempts = 1 if before is None else before.attempts + 1
    retraction = Retraction(status="sending", at=intent.at, why=why, intent=intent, attempts=attempts)
    return note(record, now, f"to be taken back: {why}", retraction=retraction)


def after_none_left(record: Record, why: str, now: Instant) -> Record:
    """The record once it is certain that no request to take it back was made; the next run decides again."""
    before = record.retraction
    assert before is not None
    after = None if before.attempts < 2 else replace(before, attempts=before.attempts - 1, intent=None)
    return note(record, now, why, retraction=after)


def after_retraction_answer(record: Record, answer: Answer, now: Instant, settings: SettingsSpec) -> Record:
    """The record once the request to take it back was answered (or not)."""
    before = record.retraction
    assert before is not None
    if answer.verdict == "accepted":
        after = replace(
            before, status="accepted", accepted_at=instant_text(now), run_url=answer.run_url, error=None
        )
        return note(record, now, "accepted; waiting for the run that takes it back", retraction=after)
    error = answer.error or "no answer"
    if answer.verdict == "unknown":
        why = f"no definite answer to taking it back: {error}"
        return note(record, now, why, retraction=replace(before, error=error))
    if answer.token_ended:
        why = f"its token is not accepted: {error}"
        after = replace(before, intent=None, error=error, attempts=before.attempts - 1)
        return note(record, now, why, retraction=after)
    if answer.verdict == "refused" or before.attempts >= settings.retry.attempts:
        return in_vain(record, replace(before, intent=None), f"refused: {error}", now)
    backoff = now + settings.retry.backoff * 2 ** (before.attempts - 1)
    again = backoff if answer.retry_at is None else max(answer.retry_at, now + 1)
    after = replace(
        before, intent=None, error=error, next_attempt_at=instant_text(again), limited=answer.limited
    )
    return note(record, now, f"not taken back yet: {error}", retraction=after)


def after_retraction_lookup(record: Record, lookup: LookupResult, now: Instant) -> Record:
    """The record once the run that takes it back was looked up: when it ended counts, not when it is seen."""
    before = record.retraction
    assert before is not None
    assert before.intent is not None
    seen = replace(before, checked_at=instant_text(now))
    if lookup.error is not None:
        if before.status == "failed" or now <= record.at + LOOKUP_WINDOW:
            return replace(record, retraction=seen)
        return in_vain(record, seen, f"its run cannot be looked up: {lookup.error}", now)
    if not lookup.runs:
        since = read_utc(before.accepted_at or before.intent.at)
        if before.status == "failed" or now - since < LOOKUP_WINDOW:
            return replace(record, retraction=seen)
        error = f"no run has {before.intent.run_word} in its title"
        return in_vain(record, seen, f"{error} ({before.error})" if before.error else error, now)
    run = decisive(lookup)
    ended = now if run.ended_at is None else run.ended_at
    seen = replace(
        seen, run_url=run.url or before.run_url,
        accepted_at=before.accepted_at or instant_text(run.started_at or read_utc(before.intent.at)),
    )  # fmt: skip
    if run.conclusion == "success" and ended < record.at:
        return _taken_back(record, replace(seen, status="confirmed", error=None), now)
    if run.conclusion is None and now < record.at:
        after = replace(seen, status="accepted", error=None)
        if before.status == "accepted":
            return replace(record, retraction=after)
        return note(record, now, "the run that takes it back was found", retraction=after)
    if before.status == "failed":
        return replace(record, retraction=seen)
    if run.conclusion in ("success", None):
        return in_vain(record, seen, "its run did not end before the publish time", now)
    return in_vain(record, seen, f"its run ended as {run.conclusion}", now)


def _taken_back(record: Record, retraction: Retraction, now: Instant) -> Record:
    """Pending under the next key; the same plan that follows cancels it, if that is what is declared."""
    return advance(
        record, "pending", now, "taken back before it was public", retraction=retraction,
        resends=record.resends + 1, retractions=record.retractions + 1, earlier_attempts=record.attempts,
        **UNTRIED,
    )  # fmt: skip


def in_vain(record: Record, retraction: Retraction, error: str, now: Instant) -> Record:
    """It stays handed over: only a person can find out what the channel made of it."""
    after = replace(retraction, status="failed", error=error)
    return note(record, now, f"it could not be taken back and {MAY_BE_PUBLIC}: {error}", retraction=after)
