"""What a worker does with a broker's messages, as `scheduler.delivery.queue.celery_consumer` delivers them.

Who works on what is kept in the state (`scheduler.state.jobs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress

from scheduler.delivery.queue.attempts import HELD, AttemptRunner, Gate, WorkerSettings, every
from scheduler.delivery.queue.batch_writer import BatchWriter
from scheduler.delivery.queue.celery_consumer import Delivery
from scheduler.errors import Error, QueueError
from scheduler.state.jobs import Begun, End, Records, Work, begin, end, find, renew
from scheduler.times import Instant


class _HeldJob:
    """A running job, and the message that named it."""

    def __init__(self, work: Work, delivery: Delivery, since: float) -> None:
        self.work = work
        self.delivery = delivery
        self.since = since
        self.is_passed_on = False


class CeleryWorker:
    """Handles the messages that a broker delivers; `handle` may be called from several threads."""

    def __init__(
        self, writer: BatchWriter, runner: AttemptRunner, settings: WorkerSettings, gate: Gate
    ) -> None:
        self._writer = writer
        self._gate = gate
        self._runner = runner
        self._settings = settings
        self._held: dict[str, _HeldJob] = {}
        self._said: set[str] = set()

    def renewing(self) -> AbstractContextManager[None]:
        """Renew the leases of held jobs while the block lasts."""
        return every(self._settings.lease / 3, self._renew)

    def handle(self, delivery: Delivery) -> int | None:
        """Run the job that a message names. Seconds until it must be delivered again; None: never.

        Raises StateError where the state is unreachable: the message must be delivered again then, too.
        """
        begun = self._writer.write(lambda records, now: self._begin(records, delivery, now))
        if begun.work is None:
            if begun.is_held and begun.message not in self._said:
                self._said.add(begun.message)
                self._runner.log(begun.message)
            if begun.is_unknown:
                delivery.set_aside(begun.message)
            if begun.wait is None:
                action = "set aside" if begun.is_unknown else "nothing to do"
                self._runner.log(f"{delivery.pointer.schedule_id}: {action}: {begun.message}")
            return begun.wait
        work = begun.work
        self._held[work.key] = _HeldJob(work, delivery, self._runner.clock.monotonic())
        try:
            outcome = self._runner.attempt(work)
            return self._runner.keep_trying(
                lambda: self._writer.write(lambda records, now: self._end(records, work, outcome, now)),
                f"the end of {work.job_id} is not saved",
            )
        finally:
            del self._held[work.key]

    def _begin(self, records: Records, delivery: Delivery, now: Instant) -> Begun:
        settings, pointer = self._settings, delivery.pointer
        found = find(records, pointer.schedule_id, pointer.key)
        if found is not None and (why := self._gate.reason(records, found)) is not None:
            return Begun(wait=HELD, message=f"{found}: not begun: {why}", is_held=True)
        return begin(
            records,
            pointer,
            worker=settings.name,
            now=now,
            lease=settings.lease,
            attempts=settings.attempts,
        )

    def _end(self, records: Records, work: Work, outcome: End, now: Instant) -> int | None:
        settings = self._settings
        return end(records, work, outcome, now, attempts=settings.attempts, backoff=settings.backoff)

    def _renew(self) -> None:
        """Renew the leases of held jobs. After half a lease a message is released; a copy returns later."""
        held, lease = list(self._held.values()), self._settings.lease
        if not held:
            return
        works = [job.work for job in held]
        with suppress(Error):  # the next renewal comes soon: there are three in one lease
            self._writer.write(lambda records, now: renew(records, works, now, lease))
        for job in held:
            if not job.is_passed_on and self._runner.clock.monotonic() - job.since >= lease / 2:
                with suppress(QueueError):
                    job.delivery.pass_on(lease)
                    job.is_passed_on = True


def queue_names(declared: Sequence[str | None], records: Records) -> list[str]:
    """Every queue that a channel names or that a sent job is on: where a worker of all queues listens."""
    recorded = (r.intent.queue for r in records.values() if r.intent is not None and r.was_sent)
    return sorted({name for name in (*declared, *recorded) if name is not None})
