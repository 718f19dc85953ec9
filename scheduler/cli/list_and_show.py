"""`list` and `show`: what is scheduled, what has happened, and why."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, cast

import click

from scheduler.app import operations
from scheduler.cli import completion
from scheduler.cli.arguments import DAY_OR_TIME, F, format_option, together
from scheduler.cli.main import PROBLEMS, Context, with_context, write
from scheduler.planning import query
from scheduler.planning.rows import PHASES
from scheduler.reporting.terminal import visible
from scheduler.state.statuses import STATUSES
from scheduler.times import Instant, instant_text

_TYPES = ("simultaneous", "staggered", "independent")


def _only(noun: str, field: str, **more: Any) -> Callable[[F], F]:
    """An option for a field of Filter."""
    text = f"Only this {noun}; may be repeated."
    return click.option(f"--{noun}", field, multiple=True, help=text, **more)


_filters = together(
    _only("channel", "channels", metavar="ID", shell_complete=completion.channels),
    _only("wave", "waves", metavar="ID", shell_complete=completion.waves),
    _only("group", "groups", metavar="WAVE/GROUP", shell_complete=completion.groups),
    _only("status", "statuses", type=click.Choice(STATUSES)),
    _only("type", "types", type=click.Choice(_TYPES)),
    click.option(
        "--tag", "tags", multiple=True, metavar="TAG", help="Only channels with this tag; may be repeated."
    ),
    _only("video", "videos", metavar="ID"),
    _only("phase", "phases", type=click.Choice(PHASES)),
    click.option(
        "--late",
        is_flag=True,
        help="Only what was sent after its publish time, or is not public although that has passed.",
    ),
    click.option("--from", "start", type=DAY_OR_TIME, help="Only what is published then or later."),
    click.option("--to", "end", type=DAY_OR_TIME, help="Only what is published before then."),
)


def filtered(command: F) -> F:
    """Give a command the options that choose publications, together as its argument `wanted`."""

    @functools.wraps(command)
    def run(*arguments: Any, start: Instant | None, end: Instant | None, late: bool, **options: Any) -> Any:
        if start is not None and end is not None and end <= start:
            raise click.UsageError(
                f"--to {instant_text(end)} must be later than --from {instant_text(start)}"
            )
        chosen = {
            field: frozenset(options.pop(field))
            for field in ("channels", "waves", "groups", "statuses", "types", "tags", "videos", "phases")
        }
        return command(*arguments, wanted=query.Filter(start=start, end=end, late=late, **chosen), **options)

    return cast("F", _filters(run))


@click.command("list")
@filtered
@format_option("table", "json", "csv")
@with_context
def list_schedules(context: Context, wanted: query.Filter, form: str) -> None:
    """List publications and open slots.

    They are those that are recorded, and those that the next run would record.
    """
    from scheduler.reporting.render import for_list

    reconciled, state = context.repository.observe()
    every = query.rows(reconciled, state)
    chosen = [row for row in every if wanted.accepts(row)]
    write(for_list(form, chosen, every=every, colour=context.colour))
    for message in query.unknown_names(wanted, reconciled, every):
        click.echo(f"warning: {visible(message)}", err=True)
    if reconciled.declared is None:
        from scheduler.reporting.diagnostics_text import diagnostics_text

        click.echo(diagnostics_text(reconciled.diagnostics, context.texts(reconciled)), err=True)
        sys.exit(PROBLEMS)


list = list_schedules  # noqa: A001 - the table of commands finds each by its name


@click.command()
@click.argument("schedule_id", metavar="ID", shell_complete=completion.schedules)
@format_option("text", "json")
@with_context
def show(context: Context, schedule_id: str, form: str) -> None:
    """Show a publication, its history, and what comes next.

    Also where it is declared, by whom, and why it has or has not been sent.
    """
    from scheduler.reporting.show_text import show_json, show_text

    shown = operations.show(context.repository, schedule_id)
    if form == "json":
        write(show_json(shown).decode() + "\n")
    else:
        write(show_text(shown, colour=context.colour))
