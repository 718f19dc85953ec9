"""`simulate`: what would happen under given lateness and faults; nothing is written or sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from scheduler import desired
from scheduler.app.repository import Repository
from scheduler.checkout.source import Source
from scheduler.cli.main import (
    FINE,
    PROBLEMS,
    Context,
    DurationArgument,
    TimeArgument,
    guarded,
    pass_context,
    readable_settings,
    write,
)
from scheduler.desired import yaml_reader
from scheduler.desired.declarations import declare
from scheduler.planning import first_state
from scheduler.planning.plan import Surroundings
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.simulation_text import simulation_json, simulation_text
from scheduler.simulation.conditions import Conditions, Spread, read_spread
from scheduler.simulation.replay import Stage
from scheduler.simulation.study import study
from scheduler.times import Instant, TimeError

LONGEST = 366 * 86_400
"""Seconds of the longest span: more is a typing error."""


class SpreadArgument(click.ParamType[Spread]):
    """`20m`, `0s..20m`, `0s..2h..5h` (with the median between), or `github`."""

    name = "duration[..duration]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Spread:
        if isinstance(value, Spread):
            return value
        try:
            return read_spread(value)
        except TimeError as problem:
            self.fail(f"{problem}; {problem.hint}", param, ctx)


class ShareArgument(click.ParamType[float]):
    """`30%`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        number = value.removesuffix("%")
        if number == value or not number.replace(".", "", 1).isdecimal() or float(number) > 100:
            self.fail(f"{value!r} is not a share; write a percentage such as 30%", param, ctx)
        return float(number) / 100


class PaceArgument(click.ParamType[desired.Pace]):
    """`60/min`, as in scheduler.yaml."""

    name = "pace"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> desired.Pace:
        if isinstance(value, desired.Pace):
            return value
        line = f"pace: {value}\n".encode(errors="replace")
        settings, faults = desired.read_settings(yaml_reader.read("--pace", line))
        if settings is None:
            self.fail("; ".join(filter(None, (faults[0].message, faults[0].hint))), param, ctx)
        return settings.pace


_duration = DurationArgument()
_spread = SpreadArgument()
_share = ShareArgument()


@click.command()
@click.option("--from", "start", type=TimeArgument(dates=True), help="Default: now.")
@click.option("--for", "span", type=_duration, help="How long; default: the horizon (14d).")
@click.option("--to", "end", type=TimeArgument(dates=True), help="Until when, instead of --for.")
@click.option("--every", type=_spread, default="15m", show_default=True, help="From one tick to the next.")
@click.option(
    "--late",
    type=_spread,
    default="0s",
    show_default=True,
    help="How late a tick comes; `github`: as its cron was seen to be.",
)
@click.option("--drop", type=_share, default="0%", show_default=True, help="Ticks that never come.")
@click.option("--hold", type=_duration, default="0s", show_default=True, help="As for `run`.")
@click.option(
    "--latency",
    type=_spread,
    default="1s",
    show_default=True,
    help="How long a channel, or the home of the record, takes to answer.",
)
@click.option("--refuse", type=_share, default="0%", show_default=True, help="Requests that are refused.")
@click.option("--limit", type=_share, default="0%", show_default=True, help="That meet a rate limit.")
@click.option("--unknown", type=_share, default="0%", show_default=True, help="Whose answer is lost.")
@click.option("--lead", type=_duration, help="Try this `lead` on all channels.")
@click.option("--catch-up", type=_duration, help="Try this `catch_up` for everything.")
@click.option("--pace", type=PaceArgument(), help="Try this `pace`, such as 60/min.")
@click.option("--runs", type=click.IntRange(1, 10_000), default=5, show_default=True, help="How often.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same outcome.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@pass_context
@guarded
def simulate(
    context: Context,
    /,
    start: Instant | None,
    span: int | None,
    end: Instant | None,
    runs: int,
    form: str,
    **conditions: Any,
) -> None:
    """Replay what is declared under given lateness and faults; nothing is written or sent.

    Tells how late publications would leave, what would be missed, and which `catch_up`, `lead` or hold
    would have been enough.
    """
    given = Conditions(**conditions)
    if given.every.least < 1 or given.refuse + given.limit + given.unknown > 1:
        raise click.UsageError("ticks are at least 1s apart, and all faults together at most 100%")
    if span is not None and end is not None:
        raise click.UsageError("--for and --to exclude each other")
    begin = context.clock.now() if start is None else start
    settings = readable_settings(context)
    until = begin + (settings.horizon if span is None else span) if end is None else end
    if until <= begin:
        raise click.UsageError("the span ends before it begins")
    if until - begin > LONGEST:
        raise click.UsageError("the span is longer than a year")
    found = study(_stage(context.repository, settings, begin, until), given, runs)
    if form == "json":
        write(simulation_json(found).decode() + "\n")
    else:
        if found.diagnostics:
            reconciled, _ = context.repository.look()
            write(
                diagnostics_text(found.diagnostics, context.texts(reconciled), colour=context.colour) + "\n\n"
            )
        write(simulation_text(found, colour=context.colour) + "\n")
    sys.exit(PROBLEMS if any(fault.is_error for fault in found.diagnostics) else FINE)


def _stage(repository: Repository, settings: desired.SettingsSpec, start: Instant, end: Instant) -> Stage:
    """What is declared and recorded now. Without a record it begins as `state init` would begin it.

    Raises StateError where the state can't be reached, and ScheduleError where one cannot begin.
    """
    sources = repository.sources()
    state, archive = repository.recorded(settings)
    if state is None:
        state = first_state.begin(sources, lineage="simulated", now=start, lineup_from={}).state
    return Stage(
        sources=sources,
        state=state,
        archive=archive,
        surroundings=_with_all_tokens(repository.surroundings(), sources),
        start=start,
        end=end,
    )


def _with_all_tokens(surroundings: Surroundings, sources: Sequence[Source]) -> Surroundings:
    """The operator's environment with every token that is needed in it, and nothing stopped."""
    declared, _ = declare(sources)
    channels = () if declared is None else declared.channels.values()
    needed = {name for channel in channels if (name := surroundings.token_for(channel)) is not None}
    return msgspec.structs.replace(surroundings, stopped=False, tokens=surroundings.tokens | needed)
