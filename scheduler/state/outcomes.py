"""What an answer, or a lookup of the channel's runs, makes of a record.

One table: a complete yes completes (or waits for the run), a definite no
fails, a definite not-now is pending again, and everything else stays executing until it is looked up.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from scheduler.desired import SettingsSpec
from scheduler.state.answers import Answer, LookupResult, Run
from scheduler.state.jobs import Conclusion, End, after_end
from scheduler.state.record import NOTHING_SENT, Intent, Record, advance, note
from scheduler.state.statuses import Reason
from scheduler.times import Instant, instant_text, read_utc

IN_FLIGHT = 120
"""Seconds for which an intent without an outcome is taken to be another runner's, still at work."""
LOOKUP_WINDOW = 15 * 60
"""Seconds for which the run of a key may still show up."""
LATE = 15 * 60
"""Seconds after which a first request is looked up before it is made: the record may have been set back."""
RUN_WINDOW = 24 * 3600
"""Seconds within which a run must end, and within which a re-run may still succeed."""


def after_nothing_left(record: Record, why: str, now: Instant) -> Record:
    """The record of an executing schedule whose request was never made, or whose job was taken back before
    anybody began it: the attempt does not count."""
    undone: dict[str, Any] = {"attempts": record.attempts - 1, "accepted_at": None, "evidence": None}
    if record.doubtful:  # an earlier attempt may have been accepted, so it stays executing
        return note(record, now, why, next_attempt_at=instant_text(now), **undone)
    return advance(
        record, "pending", now, why, run_id=None, checked_at=None, **NOTHING_SENT, **undone,
    )  # fmt: skip


def after_answer(record: Record, answer: Answer, now: Instant, settings: SettingsSpec) -> Record:
    """The record of an executing schedule once its one request was answered (or not)."""
    intent = record.intent
    assert intent is not None, "only an executing schedule has an answer to wait for"
    if answer.verdict == "accepted" or record.lease is not None:  # a worker has it, whatever the broker said
        return _accepted(record, answer, now)
    if answer.token_ended:
        return _after_token_ended(record, answer, now)
    if answer.verdict == "unknown":
        return note(record, now, f"no definite answer: {answer.error}", error_message=answer.error)
    if record.doubtful:  # an earlier attempt may have been accepted: a no to this one proves nothing
        if answer.verdict == "not-now" and record.counted_attempts < settings.retry.attempts:
            return note(
                record,
                now,
                f"not now: {answer.error}",
                error_message=answer.error,
                next_attempt_at=instant_text(_next_attempt(record, answer, now, settings)),
                limited=answer.limited,
            )
        return advance(
            record, "failed", now, "an earlier attempt may have been accepted", reason="unknown_outcome",
            error_message=answer.error,
        )  # fmt: skip
    if answer.verdict == "refused":
        return advance(
            record, "failed", now, f"refused: {answer.error}", reason="rejected",
            error_message=answer.error, **NOTHING_SENT,
        )  # fmt: skip
    if record.counted_attempts >= settings.retry.attempts:
        why = f"{record.counted_attempts} attempts: {answer.error}"
        exhausted = advance(
            record, "failed", now, why, reason="retries_exhausted", error_message=answer.error,
            **NOTHING_SENT,
        )  # fmt: skip
        if answer.limited:  # its token's other schedules have to wait all the same
            exhausted.limited = True
            exhausted.next_attempt_at = instant_text(_next_attempt(record, answer, now, settings))
        return exhausted
    return advance(
        record,
        "pending",
        now,
        f"not now: {answer.error}",
        error_message=answer.error,
        **NOTHING_SENT,
        next_attempt_at=instant_text(_next_attempt(record, answer, now, settings)),
        limited=answer.limited,
    )


def _after_token_ended(record: Record, answer: Answer, now: Instant) -> Record:
    """It waits for another token, as for one that is not set: the publication itself was not refused."""
    why = f"its token is not accepted: {answer.error}"
    changes = {"error_message": answer.error, "limited": False, "token_refusals": record.token_refusals + 1}
    if record.doubtful:  # an earlier attempt may have been accepted, so it stays executing
        return note(record, now, why, next_attempt_at=instant_text(now), **changes)
    return advance(record, "pending", now, why, next_attempt_at=None, **NOTHING_SENT, **changes)


def _next_attempt(record: Record, answer: Answer, now: Instant, settings: SettingsSpec) -> Instant:
    """What the server names, or the backoff, which doubles with each attempt."""
    backoff: int = now + settings.retry.backoff * 2 ** (max(record.counted_attempts, 1) - 1)
    return max(answer.retry_at, now + 1) if answer.retry_at is not None else backoff


def awaited(intent: Intent) -> str:
    """Who reports how it ended, where `confirm: run` waits for that."""
    return intent.traits.worker


def _accepted(record: Record, answer: Answer, now: Instant) -> Record:
    intent = record.intent
    assert intent is not None
    found = {
        "accepted_at": instant_text(now),
        "run_id": answer.run_id or record.run_id,
        "run_url": answer.run_url or record.run_url,
        "error_message": None,
        "evidence": "accepted",
        "doubtful": False,
        "next_attempt_at": None,
        "limited": False,
    }
    if intent.confirm == "run" or intent.traits.is_job:  # a job is done when its worker says so
        return note(record, now, f"accepted; waiting for {awaited(intent)}", **found)
    return advance(
        record, "completed", now, "accepted", reason=None, completed_at=instant_text(now),
        retried_at=None, **found,
    )  # fmt: skip


# --- looking up -------------------------------------------------------------------------------------


def after_lookup(record: Record, lookup: LookupResult, now: Instant, taken_back: str | None = None) -> Record:
    """The record once its key was looked up. A lookup that failed is no answer, until a day is over.

    `taken_back`: why its job was to be taken back from the queue, if nobody had begun it.
    """
    intent = record.intent
    assert intent is not None
    if lookup.error is not None:
        return _not_answered(record, lookup.error, now)
    if lookup.by_record:
        return _by_record(record, lookup, now, taken_back)
    if intent.traits.is_job:
        return _after_job(record, intent, lookup, now)
    if record.status == "failed":
        return _after_failure(record, lookup, now)
    if not lookup.runs:
        return _nothing_found(record, lookup, now)
    run = decisive(lookup)
    seen = {
        "run_id": run.run_id,
        "run_url": run.url or record.run_url,
        "checked_at": instant_text(now),
        "accepted_at": record.accepted_at or instant_text(run.started_at or read_utc(intent.at)),
        "not_found_at": None,
        "doubtful": False,
    }
    if intent.confirm == "accepted":
        return advance(
            record, "completed", now, f"{intent.traits.work} was found", evidence="accepted",
            error_message=None, completed_at=instant_text(now), retried_at=None, **seen,
        )  # fmt: skip
    if run.conclusion == "success":
        return advance(
            record, "completed", now, f"{intent.traits.work} succeeded", evidence="run", error_message=None,
            completed_at=instant_text(now), retried_at=None, **seen,
        )  # fmt: skip
    if run.conclusion == "lost":  # a job whose worker vanished: it may have been done
        message = run.message or "the worker that had the job is gone"
        return advance(
            record, "failed", now, message, reason="unknown_outcome", error_message=message, **seen
        )
    if run.conclusion is not None:
        message = run.message or f"{intent.traits.work} ended as {run.conclusion}"
        return advance(record, "failed", now, message, reason="run_failed", error_message=message, **seen)
    if now - read_utc(intent.at) > RUN_WINDOW:
        message = f"{intent.traits.work} did not finish within 24 h"
        return advance(record, "failed", now, message, reason="run_failed", error_message=message, **seen)
    return msgspec.structs.replace(record, **seen)


def after_found_run(
    record: Record, intent: Intent, lookup: LookupResult, due: Instant, base: Instant, now: Instant
) -> Record:
    """The record of an unsent schedule whose key a run carries all the same: its record was set back."""
    begun = min((run.started_at for run in lookup.runs if run.started_at is not None), default=now)
    sent = advance(
        record, "executing", now, "it was sent before, but not recorded: a run carries its key",
        intent=intent, attempts=max(1, record.attempts), executed_at=instant_text(begun),
        lateness_seconds=max(0, begun - base), dispatch_lateness_seconds=max(0, begun - due),
        error_message=None, next_attempt_at=None, limited=False, unconfirmed=None, unconfirmed_hint=None,
        asked_about=None,
    )  # fmt: skip
    return after_lookup(sent, lookup, now)


def _not_answered(record: Record, error: str, now: Instant) -> Record:
    """Nothing answered. After a day the lookup is given up, and a person has to look."""
    intent = record.intent
    assert intent is not None
    checked = {"checked_at": instant_text(now)}
    if record.status == "failed" or now - read_utc(intent.at) <= RUN_WINDOW:
        return msgspec.structs.replace(record, **checked)
    message = f"it could not be looked up within 24 h: {error}"
    reason: Reason = "run_failed" if record.run_id is not None else "unknown_outcome"
    return advance(record, "failed", now, message, reason=reason, error_message=message, **checked)


def _by_record(record: Record, lookup: LookupResult, now: Instant, taken_back: str | None) -> Record:
    """The job of a broker: no worker begins it unless the record still has this intent.

    So whether it is on the queue need not be known: it is taken back, and put there again.
    """
    intent = record.intent
    assert intent is not None
    if record.status == "executing" and record.lease is None:
        if record.accepted_at is None:
            return after_nothing_left(record, "it may not have reached the queue, and no worker has it", now)
        if taken_back is not None:
            return after_nothing_left(record, f"taken back from the queue: {taken_back}", now)
        if now > read_utc(intent.not_after):
            message = f"no worker began its job by {intent.not_after}"
            return after_end(record, End(conclusion="expired", message=message), now)
        if lookup.is_absent:
            return after_nothing_left(
                record, "its job is not on the queue any more, and no worker has it", now
            )
    return msgspec.structs.replace(record, checked_at=instant_text(now))


def _after_job(record: Record, intent: Intent, lookup: LookupResult, now: Instant) -> Record:
    """The job of the embedded queue, which knows what was begun.

    That a job is absent is proof only in the file that was to get it, and only where it was not accepted.
    """
    run = decisive(lookup) if lookup.runs else None
    if run is None:
        since = read_utc(record.accepted_at or intent.at)
        if lookup.is_absent and record.accepted_at is None:
            return after_nothing_left(record, "its job was never put on the queue", now)
        if record.accepted_at is None and intent.delivery == "at-least-once":
            return _nothing_found(record, lookup, now)
        if not lookup.is_absent and now <= min(since + LOOKUP_WINDOW, read_utc(intent.not_after)):
            return msgspec.structs.replace(record, checked_at=instant_text(now))
        message = (
            "its job is not on the queue any more"
            if lookup.is_absent
            else "the queue that had its job is gone"
        )
        return advance(record, "failed", now, message, reason="unknown_outcome", error_message=message)
    if run.conclusion == "withdrawn":
        return after_nothing_left(record, f"taken back from the queue: {run.message}", now)
    if run.conclusion is not None:
        end = End(conclusion=cast("Conclusion", run.conclusion), message=run.message, run_id=run.run_id)
        return after_end(record, end, now)
    if record.accepted_at is None:
        return _accepted(record, Answer(verdict="accepted", run_id=run.run_id), now)
    return msgspec.structs.replace(record, checked_at=instant_text(now))


def decisive(lookup: LookupResult) -> Run:
    """Of several runs of one key, the one that says most: a success, one under way, then any other."""

    def weight(run: Run) -> tuple[bool, bool, bool, int]:
        return (
            run.conclusion == "success",
            run.conclusion is None,
            run.conclusion not in ("cancelled", "skipped"),
            run.run_id,
        )

    return max(lookup.runs, key=weight)


def _after_failure(record: Record, lookup: LookupResult, now: Instant) -> Record:
    """A failed run that was re-run and succeeded completes the schedule after all.

    So does, where an accepted dispatch is enough, any run that shows up after the search was given up.
    """
    intent = record.intent
    assert intent is not None
    enough = intent.confirm == "accepted" and record.reason == "unknown_outcome"
    found = next((run for run in lookup.runs if run.conclusion == "success" or enough), None)
    if found is None:
        return msgspec.structs.replace(record, checked_at=instant_text(now))
    succeeded = found.conclusion == "success"
    return advance(
        record,
        "completed",
        now,
        "the channel's run succeeded after all" if succeeded else "its run was found after all",
        reason=None,
        error_message=None,
        evidence="accepted" if enough else "run",
        run_id=found.run_id,
        run_url=found.url or record.run_url,
        checked_at=instant_text(now),
        completed_at=instant_text(now),
        retried_at=None,
    )


def _nothing_found(record: Record, lookup: LookupResult, now: Instant) -> Record:
    intent = record.intent
    assert intent is not None
    seen = {"checked_at": instant_text(now), "not_found_at": instant_text(now)}
    since = read_utc(record.accepted_at or intent.at)
    if now - since < LOOKUP_WINDOW:
        return msgspec.structs.replace(record, **seen)
    if record.accepted_at is not None:
        message = "accepted, but no run of the channel appeared within 15 minutes"
        return advance(
            record, "failed", now, message, reason="unknown_outcome", error_message=message, **seen
        )
    is_keyless = record.keyless or lookup.is_keyless
    if intent.delivery == "at-least-once" and not is_keyless:
        return msgspec.structs.replace(record, doubtful=True, **seen)
    message = record.error_message or "the runner stopped before the answer"
    if is_keyless:
        message += "; the run name of the channel does not contain the key, so its run cannot be found"
    return advance(
        record,
        "failed",
        now,
        "no run of the channel carries the key; it may have been published",
        reason="unknown_outcome",
        error_message=message,
        **seen,
    )
