"""`list` and `show`: what is scheduled, what has happened, and why."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

import click

from scheduler.app import operations
from scheduler.cli import completion
from scheduler.cli.arguments import DAY_OR_TIME, F, format_option, together
from scheduler.cli.main import PROBLEMS, Context, guarded, pass_context, write
from scheduler.planning import query
from scheduler.reporting.terminal import visible
from scheduler.state.statuses import STATUSES
from scheduler.times import Instant, instant_text

_TYPES = ("simultaneous", "staggered", "independent")


def _only(noun: str, metavar: str, complete: Callable[..., Any]) -> Callable[[F], F]:
    text = f"Only this {noun}; may be repeated."
    return click.option(f"--{noun}", multiple=True, metavar=metavar, shell_complete=complete, help=text)


_filters = together(
    _only("channel", "ID", completion.channels),
    _only("wave", "ID", completion.waves),
    _only("group", "WAVE/GROUP", completion.groups),
    click.option(
        "--status",
        multiple=True,
        type=click.Choice(STATUSES),
        help="Only this status; may be repeated.",
    ),
    click.option(
        "--type", "kind", multiple=True, type=click.Choice(_TYPES), help="Only this type; may be repeated."
    ),
    click.option("--from", "start", type=DAY_OR_TIME, help="Only what is published then or later."),
    click.option("--to", "end", type=DAY_OR_TIME, help="Only what is published before then."),
)


def filtered(command: F) -> F:
    """Give a command the options that choose publications, together as its argument `wanted`."""

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
        if start is not None and end is not None and end <= start:
            raise click.UsageError(
                f"--to {instant_text(end)} must be later than --from {instant_text(start)}"
            )
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

    return cast("F", _filters(run))


@click.command("list")
@filtered
@format_option("table", "json", "csv")
@pass_context
@guarded
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
@pass_context
@guarded
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
