"""Checks of the queue, where a channel has no repository."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.app.doctor.installation import MOST_NAMED, Installation, finding
from scheduler.delivery.queue.celery import Broker
from scheduler.delivery.queue.sqlite import SqliteQueue
from scheduler.errors import Error
from scheduler.planning.rows import is_dead_letter, waits_for_worker
from scheduler.reporting.doctor_text import Finding
from scheduler.state.record import State
from scheduler.times import Instant, duration_text, instant_text, read_utc
from scheduler.wording import and_more, count

NOT_TAKEN = 5 * 60
"""Seconds after which a job that no worker has taken is reported."""


def queue(installation: Installation) -> Iterator[Finding]:
    """Whether jobs can be enqueued, are taken by workers and end well, and whether other jobs get in."""
    repository, declared = installation.repository, installation.declared
    if all(channel.repository is not None for channel in declared.channels.values()):
        return
    title = "it accepts jobs"
    try:
        found = repository.queue(declared.settings)
        found.check()
        yield finding("queue", "queue", title, "ok", f"the queue {found.name} accepts jobs")
        if isinstance(found, Broker) and (policy := found.dropped_by()) is not None:
            message = f"Redis deletes jobs when its memory is full (`maxmemory-policy {policy}`)"
            hint = "run `redis-cli config set maxmemory-policy noeviction`, and set it in redis.conf"
            yield finding("queue", "eviction", "it keeps what it has", "warning", message, hint)
        state = installation.read.state
        if state is None:
            return
        yield _workers(found, state, repository.clock.now())
        yield _dead_letters(state)
        yield _unknown_jobs(found, state)
    except Error as problem:
        yield finding("queue", "queue", title, "failed", problem.message, problem.hint)


def _workers(queue: SqliteQueue | Broker, state: State, now: Instant) -> Finding:
    title = "workers take its jobs"
    waiting = {
        intent.job_id or schedule_id: read_utc(intent.at)
        for schedule_id, record in state.schedules.items()
        if (intent := record.intent) is not None and waits_for_worker(record)
    }
    if isinstance(queue, SqliteQueue):  # here the queue, not the state, has who works on what
        waiting = {i: waiting[i] for i, job in queue.find(waiting).items() if not job.attempts}
    late = sorted((at, job) for job, at in waiting.items() if now - at > NOT_TAKEN)
    if not late:
        message = f"no job has waited for longer than {duration_text(NOT_TAKEN)}"
        return finding("queue", "workers", title, "ok", message)
    first, names = instant_text(late[0][0]), and_more([job for _, job in late], MOST_NAMED)
    message = f"{count(len(late), 'job')} not taken by any worker, the first since {first}: {names}"
    hint = "start `scheduler worker` for this queue, or check why the running one takes no jobs"
    return finding("queue", "workers", title, "warning", message, hint)


def _dead_letters(state: State) -> Finding:
    title = "no job is a dead letter"
    dead = {i: record for i, record in state.schedules.items() if is_dead_letter(record)}
    if not dead:
        return finding("queue", "jobs", title, "ok", "every job that ended succeeded")
    latest = sorted(dead, key=lambda i: dead[i].history[-1].at if dead[i].history else "", reverse=True)
    names = and_more([f"{i} ({dead[i].reason})" for i in latest], MOST_NAMED)
    message = f"{count(len(dead), 'job')} given up, latest first: {names}"
    hint = f"run `scheduler show {latest[0]}` to see what happened and what to do"
    return finding("queue", "jobs", title, "warning", message, hint)


def _unknown_jobs(queue: SqliteQueue | Broker, state: State) -> Finding:
    """Jobs and messages that do not belong to this state."""
    title = "all of its jobs belong to this state"
    if isinstance(queue, SqliteQueue):
        unknown, others = queue.unknown_jobs(), queue.foreign_jobs(state.lineage)
        number = len(unknown)
        if others:
            names = and_more([job.job_id for job in others], MOST_NAMED)
            message = f"{count(len(others), 'job')} of another repository in {queue.name}: {names}"
            hint = "each takes its own jobs alone; name another file in `queue:` of one of the two"
            return finding("queue", "strays", title, "warning", message, hint)
        names = and_more([job.job_id for job in unknown], MOST_NAMED)
        message = f"{count(number, 'unknown job')} set aside: {names}"
        hint = "find out what else uses the file; unknown jobs are deleted after 7 days"
    else:
        number = queue.count_dead_letters(state.lineage)
        message = f"{count(number, 'unknown message')} set aside"
        hint = f"find out what sends them, then delete them: `{queue.removal(state.lineage)}`"
    if not number:
        return finding("queue", "strays", title, "ok", "nothing was set aside")
    return finding("queue", "strays", title, "warning", message, hint)
