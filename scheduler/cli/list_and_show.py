"""`list` and `show`: what is scheduled, what has become of it, and why."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any, cast

import click

from scheduler.app import operations
from scheduler.cli import completion
from scheduler.cli.main import PROBLEMS, Context, F, TimeArgument, guarded, pass_context, write
from scheduler.planning import query
from scheduler.reporting.terminal import visible
from scheduler.state.statuses import STATUSES
from scheduler.times import Instant, instant_text

_TYPES = ("simultaneous", "staggered", "independent")


_FILTERS = (
    click.option(
        "--channel",
        multiple=True,
        shell_complete=completion.channels,
        help="Only this channel; may be repeated.",
    ),
    click.option("--wave", multiple=True, shell_complete=completion.waves, help="Only this wave."),
    click.option(
        "--group",
        multiple=True,
        shell_complete=completion.groups,
        help="Only this coordination group, <wave>/<group>.",
    ),
    click.option("--status", multiple=True, type=click.Choice(STATUSES)),
    click.option("--type", "kind", multiple=True, type=click.Choice(_TYPES)),
    click.option("--from", "start", type=TimeArgument(dates=True), help="Published at this time or later."),
    click.option("--to", "end", type=TimeArgument(dates=True), help="Published before this time."),
)


def _demand_span(start: Instant | None, end: Instant | None) -> None:
    """Refuse a span in which nothing can lie. Raises UsageError."""
    if start is not None and end is not None and end <= start:
        raise click.UsageError(
            f"nothing can lie between --from {instant_text(start)} and --to {instant_text(end)}: --to is a "
            "later time"
        )


def filtered(command: F) -> F:
    """Give a command the options that choose schedules, together as its argument `wanted`."""

    @functools.wraps(command)
    def run(
        *arguments: Any,
        channel: Sequence[str],
        wave: Sequence[str],
        group: Sequence[str],
        status: Sequence[str],
        kind: Sequence[str],
        start: Instant | None,
        end: Instant | None,
        **options: Any,
    ) -> Any:
        _demand_span(start, end)
        wanted = query.Filter(
            channels=frozenset(channel),
            waves=frozenset(wave),
            groups=frozenset(group),
            statuses=frozenset(status),
            types=frozenset(kind),
            start=start,
            end=end,
        )
        return command(*arguments, wanted=wanted, **options)

    for option in reversed(_FILTERS):
        run = option(run)
    return cast("F", run)


@click.command("list")
@filtered
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@pass_context
@guarded
def list_schedules(
    context: Context,
    wanted: query.Filter,
    form: str,
) -> None:
    """List schedules: what is recorded, what the next run would record, and open slots."""
    from scheduler.reporting.render import for_list

    reconciled, state = context.repository.look()
    every = query.rows(reconciled, state)
    chosen = [row for row in every if wanted.accepts(row)]
    write(for_list(form, chosen, every=every, colour=context.colour))
    for words in query.unknown_names(wanted, reconciled, every):
        click.echo(f"warning: {visible(words)}", err=True)
    if reconciled.declared is None:
        from scheduler.reporting.diagnostics_text import diagnostics_text

        click.echo(diagnostics_text(reconciled.diagnostics, context.texts(reconciled)), err=True)
        sys.exit(PROBLEMS)


list = list_schedules  # noqa: A001 - the table of commands finds each by its name


@click.command()
@click.argument("schedule_id", metavar="ID", shell_complete=completion.schedules)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@pass_context
@guarded
def show(context: Context, schedule_id: str, form: str) -> None:
    """Tell one schedule: where it is declared, its history, and why it has or has not been sent."""
    from scheduler.reporting.show_text import show_json, show_text

    shown = operations.show(context.repository, schedule_id)
    if form == "json":
        write(show_json(shown).decode() + "\n")
    else:
        write(show_text(shown, colour=context.colour))
