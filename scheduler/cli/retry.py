"""`retry`: a failed publication is pending again, and is sent however late."""

from __future__ import annotations

from collections.abc import Sequence

import click

from scheduler.app import operations
from scheduler.cli import completion
from scheduler.cli.main import Context, guarded, pass_context
from scheduler.editing import MayBePublished
from scheduler.reporting.terminal import visible


@click.command()
@click.argument("schedule_id", metavar="ID", shell_complete=completion.schedules)
@click.option("--resend", is_flag=True, help="Send it again even if it may have been published.")
@pass_context
@guarded
def retry(context: Context, schedule_id: str, resend: bool) -> None:
    """Make a failed publication pending again.

    The next run then sends it, however late it is.
    """
    try:
        retried = operations.retry(context.repository, schedule_id, resend=resend)
    except MayBePublished as refusal:
        _print(refusal.look_at)
        raise
    _print(retried.retry.look_at)
    name = visible(retried.retry.schedule_id)
    if retried.retry.is_resend:
        click.echo(f"{name} is pending again, as resend {retried.retry.record.resends} with a new key.")
    else:
        click.echo(f"{name} is pending again.")
    click.echo(visible(retried.next))


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(visible(line))
