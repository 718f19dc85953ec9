"""`retry`: what failed is pending again, and is sent however late."""

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
@click.option("--resend", is_flag=True, help="Even though it may have been published.")
@pass_context
@guarded
def retry(context: Context, schedule_id: str, resend: bool) -> None:
    """Make a failed schedule pending again; it is then sent however late."""
    try:
        retried = operations.retry(context.repository, schedule_id, resend=resend)
    except MayBePublished as refusal:
        _tell(refusal.look_at)
        raise
    _tell(retried.retry.look_at)
    name = visible(retried.retry.schedule_id)
    if retried.retry.is_resend:
        click.echo(
            f"{name} is pending again, as resend {retried.retry.record.resends} with a key of its own."
        )
    else:
        click.echo(f"{name} is pending again.")
    click.echo(visible(retried.next))


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(visible(line))
