"""`retry`: failed publications are pending again, and are sent however late."""

from __future__ import annotations

import sys

import click

from scheduler.app import operations
from scheduler.cli import completion
from scheduler.cli.main import PROBLEMS, Context, print_problem, with_context
from scheduler.editing import MayBePublished
from scheduler.reporting.terminal import visible


@click.command()
@click.argument("targets", metavar="[TARGET]…", nargs=-1, shell_complete=completion.targets)
@click.option("--failed", is_flag=True, help="Only what failed; without a TARGET, everything that failed.")
@click.option("--resend", is_flag=True, help="Send it again even if it may have been published.")
@with_context
def retry(context: Context, targets: tuple[str, ...], failed: bool, resend: bool) -> None:
    """Make failed publications pending again.

    TARGET is wave:ID, channel:ID, tag:TAG, or the id of a group or a publication. The next run then sends
    them, however late they are. What cannot be retried is reported, and does not hold back the rest.
    """
    if not targets and not failed:
        raise click.UsageError("give at least one TARGET, or --failed for everything that failed")
    done = operations.retry(context.repository, targets, failed=failed, resend=resend)
    for retried in done.retries:
        for line in retried.look_at:
            click.echo(visible(line))
        name = visible(retried.schedule_id)
        resent = f", as resend {retried.record.resends} with a new key" if retried.is_resend else ""
        click.echo(f"{name} is pending again{resent}.")
        click.echo(visible(done.next[retried.schedule_id]))
    for problem in done.refused:
        for line in problem.look_at if isinstance(problem, MayBePublished) else ():
            click.echo(visible(line))
        print_problem(problem)
    if done.refused:
        sys.exit(PROBLEMS)
    if not done.retries:
        click.echo("Nothing failed, so there is nothing to retry.")
