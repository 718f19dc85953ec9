"""What a worker makes of a record: it begins a job, stays at it, and says how it ended. Pure.

The embedded queue keeps its own book of who works on what (`scheduler.delivery.queue.sqlite`), and only the
ends of its jobs come to the record. A broker keeps no such book, and delivers a message twice at times: there
the record is the book. A message merely names an intent; whether it may begin is decided here, and saved,
before the command runs.

All times are UTC instants; leases and waits are seconds. Functions that take `records` change that mapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from scheduler.state.answers import Pointer
from scheduler.state.intent import payload_of
from scheduler.state.record import NOTHING_SENT, Intent, Lease, Record, advance, note
from scheduler.state.statuses import Reason
from scheduler.times import Instant, instant_text, read_utc

Conclusion = Literal["success", "failure", "lost", "expired", "put-aside"]
Records = dict[str, Record]


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended. `lost`: its worker went away, and it may have been done; `expired` and `put-aside`:
    never begun."""

    conclusion: Conclusion
    message: str | None = None
    run_id: int | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a job, ready to be run."""

    job_id: str
    schedule_id: str
    key: str
    payload: Mapping[str, Any]
    command: str | None
    attempt: int
    worker: str


class Begun(msgspec.Struct, frozen=True):
    """Whether a delivered job is run: it is, where there is `work`; else it is looked at again after `wait`
    seconds, or, without those, never."""

    work: Work | None = None
    wait: int | None = None
    message: str = ""
    is_unknown: bool = False
    """Nothing in the record has to do with it: a person may want to see it."""
    is_held: bool = False
    """What is declared now keeps it back."""


# --- the end of a job -------------------------------------------------------------------------------


def report(records: Records, schedule_id: str, key: str, end: End, now: Instant) -> str | None:
    """Record how the job of `key` ended. The id of its schedule, which may have been renamed; None where
    the state has no such job."""
    found = find(records, schedule_id, key)
    if found is not None:
        records[found] = after_end(records[found], end, now)
    return found


def find(records: Mapping[str, Record], schedule_id: str, key: str) -> str | None:
    """The schedule whose job has this key, under whatever id it has now."""
    record = records.get(schedule_id)
    if record is not None and record.intent is not None and record.intent.key == key:
        return schedule_id
    return next((i for i, r in records.items() if r.intent is not None and r.intent.key == key), None)


def after_end(record: Record, end: End, now: Instant) -> Record:
    """The record of a sent schedule once its job has ended. A success stands, whatever comes after it."""
    if not record.was_sent or (record.status == "completed" and record.evidence == "run"):
        return record
    if end.conclusion in ("expired", "put-aside") and not record.doubtful and record.status != "failed":
        why = end.message or "no worker began its job"
        return advance(
            record, "failed", now, why, reason="missed", error_message=why, evidence=None,
            accepted_at=None, completed_at=None, **NOTHING_SENT,
        )  # fmt: skip
    seen: dict[str, Any] = {"accepted_at": record.accepted_at or instant_text(now)}
    if end.run_id is not None:
        seen["run_id"] = end.run_id
    if end.conclusion != "success":
        return _ended_badly(record, end, now, seen)
    if record.status == "completed":
        return note(record, now, "its job was done", evidence="run", **seen)
    why = "its job was done after all" if record.status == "failed" else "its job was done"
    return advance(
        record, "completed", now, why, reason=None, error_message=None, evidence="run",
        completed_at=instant_text(now), retried_at=None, **seen,
    )  # fmt: skip


def _ended_badly(record: Record, end: End, now: Instant, seen: Mapping[str, Any]) -> Record:
    reason: Reason = "run_failed" if end.conclusion == "failure" else "unknown_outcome"
    message = end.message or ("the worker went away" if end.conclusion == "lost" else "the job failed")
    if record.status != "failed":
        return advance(
            record, "failed", now, message, reason=reason, error_message=message, completed_at=None, **seen
        )
    if reason == "run_failed" and record.reason == "unknown_outcome":  # the lost worker came back
        return note(record, now, message, reason=reason, error_message=message, **seen)
    return record


# --- the book of a broker's jobs ----------------------------------------------------------------------


def begin(
    records: Records, pointer: Pointer, *, worker: str, now: Instant, lease: int, attempts: int
) -> Begun:
    """Claim the job that a message names for `worker`, where it may begin.

    `attempts`: how often a job may begin that may be repeated (`delivery: at-least-once`).
    """
    found = find(records, pointer.schedule_id, pointer.key)
    if found is None:
        return _unknown(records, pointer.schedule_id)
    record = records[found] = overdue(records[found], now, attempts)
    intent, held = record.intent, record.lease
    assert intent is not None, "it was found by its intent"
    if (intent.owner, intent.at) != (pointer.owner, pointer.at):
        return Begun(message="the message belongs to an earlier attempt to send it")
    if (message := _closed(record)) is not None:
        return Begun(message=message)
    if held is not None and (patience := _patience(held, now)) is not None:
        return patience
    if now > read_utc(intent.not_after):
        message = f"no worker began its job by {intent.not_after}"
        records[found] = after_end(record, End(conclusion="expired", message=message), now)
        return Begun(message=message)
    attempt = 1 if held is None else held.attempts + 1
    why = f"the worker {worker} began" + (f", attempt {attempt}" if attempt > 1 else "")
    running = Lease(worker, instant_text(now), "running", instant_text(now + lease), attempt)
    records[found] = note(
        record, now, why, lease=running, accepted_at=record.accepted_at or instant_text(now)
    )
    return Begun(_work(found, records[found], intent, running))


def may_begin(records: Mapping[str, Record], schedule_id: str, key: str) -> Begun | None:
    """Why a job of the embedded queue is not begun; None where it may. The queue has counted its attempts."""
    found = find(records, schedule_id, key)
    if found is None:
        return _unknown(records, schedule_id)
    message = _closed(records[found])
    return None if message is None else Begun(message=message)


def _unknown(records: Mapping[str, Record], schedule_id: str) -> Begun:
    """A job that no record has: of an earlier resend, or of something else altogether."""
    record = records.get(schedule_id)
    if record is not None and (record.intent is not None or record.resends):
        return Begun(message="the state has another job in its place")
    return Begun(message="the state has no such job", is_unknown=True)


def _closed(record: Record) -> str | None:
    """Why nothing is begun of a record any more; None where it waits for its worker."""
    if not record.traits.was_sent or record.evidence == "run":
        return f"it is already {record.status}"
    return None


def _patience(lease: Lease, now: Instant) -> Begun | None:
    """Why a claimed job has to be left alone, and for how long; None where it may begin again."""
    if lease.state == "ended":
        return Begun(message="it has already ended")
    left = read_utc(lease.until) - now
    if left <= 0:
        return None  # its next attempt, or its worker is lost and it may be repeated: else it were overdue
    if lease.state == "waiting":
        return Begun(wait=left, message=f"its next attempt is at {lease.until}")
    return Begun(wait=left, message=f"the worker {lease.worker} is running it")


def _work(schedule_id: str, record: Record, intent: Intent, lease: Lease) -> Work:
    return Work(
        job_id=intent.job_id or schedule_id,
        schedule_id=schedule_id,
        key=intent.key,
        payload=payload_of(schedule_id, record, intent),
        command=intent.command,
        attempt=lease.attempts,
        worker=lease.worker,
    )


def renew(records: Records, held: Iterable[Work], now: Instant, lease: int) -> None:
    """The workers of `held` are still at work."""
    for work in held:
        found = _held(records, work)
        if found is not None:
            record = records[found]
            assert record.lease is not None, "a held job has a lease"
            until = instant_text(now + lease)
            records[found] = msgspec.structs.replace(
                record, lease=msgspec.structs.replace(record.lease, until=until)
            )


def end(
    records: Records, work: Work, outcome: End, now: Instant, *, attempts: int, backoff: int
) -> int | None:
    """Record how an attempt ended. Seconds until the next one, where there is one; else None.

    Of a worker that was taken for lost meanwhile, only the end of a job counts that nobody else can have
    begun.
    """
    found = _held(records, work)
    if found is None:
        return None
    record = records[found]
    intent, lease = record.intent, record.lease
    assert intent is not None
    assert lease is not None, "a held job has a lease"
    wait: int = backoff * 2 ** (work.attempt - 1)
    is_last = work.attempt >= attempts or now + wait > read_utc(intent.not_after)
    if outcome.conclusion != "success" and _is_repeatable(intent) and not is_last:
        until = instant_text(now + wait)
        waiting = Lease(lease.worker, lease.at, "waiting", until, lease.attempts)
        why = f"attempt {work.attempt}: {outcome.message}; the next one is at {until}"
        records[found] = note(record, now, why, lease=waiting, error_message=outcome.message)
        return wait
    ended = Lease(lease.worker, lease.at, "ended", instant_text(now), lease.attempts)
    records[found] = msgspec.structs.replace(after_end(record, outcome, now), lease=ended)
    return None


def _held(records: Mapping[str, Record], work: Work) -> str | None:
    """The schedule whose job is still this worker's, in this attempt."""
    found = find(records, work.schedule_id, work.key)
    lease = None if found is None else records[found].lease
    if lease is None or (lease.worker, lease.attempts, lease.state) != (work.worker, work.attempt, "running"):
        return None
    return found


def overdue(record: Record, now: Instant, attempts: int) -> Record:
    """The record once it is plain that nobody will say how its job ended: its worker is lost, or time is up.

    A job that may be repeated is left to the next worker, as long as an attempt may start.
    """
    intent, lease = record.intent, record.lease
    if lease is None or intent is None or lease.state == "ended" or now < read_utc(lease.until):
        return record
    if not record.traits.was_sent:
        return record
    is_late = now > read_utc(intent.not_after)
    if lease.state == "waiting":
        if not is_late:
            return record
        message = f"{record.error_message}; no attempt starts after {intent.not_after}"
        outcome = End(conclusion="failure", message=message)
    elif _is_repeatable(intent) and not is_late and lease.attempts < attempts:
        return record
    else:
        outcome = End(conclusion="lost", message=f"the worker {lease.worker} went away")
    return after_end(record, outcome, now)


def _is_repeatable(intent: Intent) -> bool:
    return intent.delivery == "at-least-once"
