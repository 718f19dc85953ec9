"""`worker`: takes the jobs of channels without a repository, and runs their commands."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from scheduler.cli.arguments import DURATION
from scheduler.cli.main import FINE, PROBLEMS, Context, readable_settings, with_context
from scheduler.errors import Error, StateMissing
from scheduler.reporting.terminal import visible

if TYPE_CHECKING:
    from scheduler.delivery.queue.attempts import AttemptRunner, Gate, WorkerSettings
    from scheduler.delivery.queue.batch_writer import BatchWriter
    from scheduler.delivery.queue.celery import Broker
    from scheduler.desired import SettingsSpec

ALLOWED = "SCHEDULER_ALLOW_COMMANDS"
LEASE, BROKER_LEASE = 60, 600
"""Seconds. To renew the lease of a broker's job takes a save of the state, so that is done less often."""


@click.command()
@click.option("--once", is_flag=True, help="Run the jobs that are waiting, then exit; with 1 if one failed.")
@click.option(
    "--queue", "queues", multiple=True, metavar="NAME", help="Only jobs of this queue; may be repeated."
)
@click.option(
    "--jobs", type=click.IntRange(1, 100), default=1, show_default=True, help="Jobs to run at once."
)
@click.option(
    "--lease",
    type=DURATION,
    help="After this long in silence a worker counts as lost; default: 1m, with a broker 10m.",
)
@with_context
def worker(context: Context, once: bool, queues: Sequence[str], jobs: int, lease: int | None) -> None:
    """Take jobs from the queue, and run their commands.

    The commands are those of the channels without a repository. They come from this repository, so they run
    only if SCHEDULER_ALLOW_COMMANDS=1 is set. A worker runs until it gets SIGTERM or SIGINT.
    """
    if lease is not None and lease < 1:
        raise click.UsageError("--lease must be at least 1s")
    if context.environ.get(ALLOWED) != "1":
        raise Error(
            f"{ALLOWED}=1 is not set, so this worker runs no commands",
            hint=f"set {ALLOWED}=1 to let everyone who can merge decide what runs on this machine",
        )
    settings = readable_settings(context)
    context.repository.demand_lasting_homes(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: context.clock.end())
    runner = _work(context, settings, tuple(queues) or None, once=once, jobs=jobs, lease=lease)
    sys.exit(PROBLEMS if once and runner.tally.failed else FINE)


def _work(
    context: Context,
    settings: SettingsSpec,
    queues: tuple[str, ...] | None,
    *,
    once: bool,
    jobs: int,
    lease: int | None,
) -> AttemptRunner:
    from scheduler.delivery.queue.attempts import AttemptRunner, Gate, WorkerSettings
    from scheduler.delivery.queue.commands import CommandRunner
    from scheduler.delivery.queue.sqlite import SqliteQueue
    from scheduler.delivery.queue.sqlite_worker import SqliteWorker

    repository = context.repository
    queue = repository.queue(settings)
    runner = AttemptRunner(CommandRunner(repository.root, context.environ, _print).run, context.clock, _print)
    writer = repository.batch_writer(settings, runner.log)
    embedded = isinstance(queue, SqliteQueue)
    if embedded and repository.folder(settings) is not None:
        with contextlib.suppress(StateMissing):
            writer.read()  # refuses the state of another folder before any job of ours is begun
    options = WorkerSettings(
        name=f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(2)}",
        jobs=jobs,
        lease=lease or (LEASE if embedded else BROKER_LEASE),
        attempts=settings.retry.attempts,
        backoff=settings.retry.backoff,
        queues=queues,
    )
    gate = Gate(
        context.clock,
        is_stopped=repository.surroundings().stopped,
        taken_back=repository.taken_back,
    )
    runner.log(f"worker {options.name} is waiting for jobs on {queue.name}")
    try:
        if isinstance(queue, SqliteQueue):
            SqliteWorker(queue, writer, runner, options, gate).work(once=once)
        else:
            _work_from_broker(queue, context, writer, runner, options, gate, once=once)
    finally:
        repository.close()
    runner.log(f"worker stopped: {runner.tally.done} done, {runner.tally.failed} failed")
    return runner


def _work_from_broker(
    broker: Broker,
    context: Context,
    writer: BatchWriter,
    runner: AttemptRunner,
    options: WorkerSettings,
    gate: Gate,
    *,
    once: bool,
) -> None:
    from scheduler.delivery.queue.celery_consumer import LONGEST_LEASE, CeleryConsumer
    from scheduler.delivery.queue.celery_worker import CeleryWorker, queue_names

    if options.lease > LONGEST_LEASE:
        raise click.UsageError(
            "--lease must be at most 25m with a broker: RabbitMQ takes a job back after half an hour"
        )
    repository, state = context.repository, writer.read()

    def names() -> Sequence[str]:
        """The queues to listen to; without `--queue`, every queue that a channel names now.

        Those of jobs that were sent before are read from the state once, since each read may fetch a branch.
        """
        return options.queues or queue_names(repository.queues(), state.schedules)

    if gate.is_stopped:
        runner.log("SCHEDULER_PAUSED is set: this worker begins no job")
        while not once and context.clock.sleep(3600):
            pass
        return
    celery_worker = CeleryWorker(writer, runner, options, gate)
    consumer = CeleryConsumer(
        broker,
        state.lineage,
        names,
        celery_worker.handle,
        runner.log,
        is_ended=lambda: context.clock.is_ended,
        jobs=options.jobs,
        lease=options.lease,
    )
    with celery_worker.renewing():
        consumer.work(once=once)


def _print(line: str) -> None:
    click.echo(visible(line))
