"""`simulate`: what would happen with late runs and faults; nothing is written or sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from scheduler import desired
from scheduler.app.repository import Repository
from scheduler.checkout.source import Source
from scheduler.cli.arguments import DAY_OR_TIME, DURATION, Argument, format_option
from scheduler.cli.main import FINE, PROBLEMS, Context, readable_settings, with_context, write
from scheduler.desired import yaml_reader
from scheduler.desired.declarations import declare
from scheduler.planning import first_state
from scheduler.planning.plan import Surroundings
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.simulation_text import simulation_json, simulation_text
from scheduler.simulation.conditions import Conditions, read_spread
from scheduler.simulation.replay import Stage
from scheduler.simulation.study import study
from scheduler.times import Instant, instant_text

LONGEST = 366 * 86_400
"""Seconds of the longest span: a longer one is a typing error."""


def _read_share(text: str) -> float:
    number = text.removesuffix("%")
    if number == text or not number.replace(".", "", 1).isdecimal() or float(number) > 100:
        raise click.BadParameter(f"{text!r} is not a share; write a percentage such as 30%")
    return float(number) / 100


def _read_pace(text: str) -> desired.Pace:
    """As scheduler.yaml reads it."""
    line = f"pace: {text}\n".encode(errors="replace")
    settings, faults = desired.read_settings(yaml_reader.read("--pace", line))
    if settings is None:
        raise click.BadParameter("; ".join(filter(None, (faults[0].message, faults[0].hint))))
    return settings.pace


SPREAD = Argument("duration[..duration]", read_spread)
"""`20m`, `0s..20m`, `0s..2h..5h` (with the median in the middle), or `github`."""
SHARE = Argument("percent", _read_share)
"""From 0 to 1: `30%`."""
PACE = Argument("pace", _read_pace)
"""`60/min`."""


@click.command()
@click.option("--from", "start", type=DAY_OR_TIME, help="Start of the span; default: now.")
@click.option("--for", "span", type=DURATION, help="Length of the span; default: the horizon (14d).")
@click.option("--to", "end", type=DAY_OR_TIME, help="End of the span, instead of --for.")
@click.option("--every", type=SPREAD, default="15m", show_default=True, help="Time from tick to tick.")
@click.option(
    "--late",
    type=SPREAD,
    default="0s",
    show_default=True,
    help="How late a tick starts; `github`: as measured there.",
)
@click.option("--drop", type=SHARE, default="0%", show_default=True, help="Ticks that never start.")
@click.option("--hold", type=DURATION, default="0s", show_default=True, help="The --hold of each run.")
@click.option(
    "--latency",
    type=SPREAD,
    default="1s",
    show_default=True,
    help="How long a channel, or where the state is kept, takes to answer.",
)
@click.option("--refuse", type=SHARE, default="0%", show_default=True, help="Requests that are rejected.")
@click.option("--limit", type=SHARE, default="0%", show_default=True, help="Requests that are throttled.")
@click.option("--unknown", type=SHARE, default="0%", show_default=True, help="Responses that are lost.")
@click.option("--lead", type=DURATION, help="Try this `lead` on all channels.")
@click.option("--catch-up", type=DURATION, help="Try this `catch_up` for everything.")
@click.option("--pace", type=PACE, help="Try this `pace`, such as 60/min.")
@click.option(
    "--runs", type=click.IntRange(1, 10_000), default=5, show_default=True, help="How many times to replay."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same result.")
@format_option("text", "json")
@with_context
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
    """Replay what is declared with late runs and faults.

    Shows how late publications would be sent, what would be missed, and which `catch_up`, `lead` or --hold
    would be enough. Nothing is written or sent.
    """
    given = Conditions(**conditions)
    if given.every.least < 1:
        raise click.UsageError("--every must be at least 1s")
    if given.refuse + given.limit + given.unknown > 1:
        raise click.UsageError("--refuse, --limit and --unknown must not exceed 100% together")
    if span is not None and end is not None:
        raise click.UsageError("--for and --to cannot be combined")
    begin = context.clock.now() if start is None else start
    settings = readable_settings(context)
    until = begin + (settings.horizon if span is None else span) if end is None else end
    if until <= begin:
        raise click.UsageError(
            f"the span would end at {instant_text(until)}, not after its start, {instant_text(begin)}"
        )
    if until - begin > LONGEST:
        raise click.UsageError("the span must not be longer than a year")
    found = study(_stage(context.repository, settings, begin, until), given, runs)
    if form == "json":
        write(simulation_json(found).decode() + "\n")
    else:
        if found.diagnostics:
            reconciled, _ = context.repository.observe()
            write(
                diagnostics_text(found.diagnostics, context.texts(reconciled), colour=context.colour) + "\n\n"
            )
        write(simulation_text(found, colour=context.colour) + "\n")
    sys.exit(PROBLEMS if any(fault.is_error for fault in found.diagnostics) else FINE)


def _stage(repository: Repository, settings: desired.SettingsSpec, start: Instant, end: Instant) -> Stage:
    """What is declared and recorded now. Without a state, it starts with the one of `state init`.

    Raises StateError where the state cannot be reached, and ScheduleError where none can be created.
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
    """The operator's environment as if every needed token were set and nothing stopped."""
    declared, _ = declare(sources)
    channels = () if declared is None else declared.channels.values()
    needed = {name for channel in channels if (name := surroundings.token_for(channel)) is not None}
    return msgspec.structs.replace(surroundings, stopped=False, tokens=surroundings.tokens | needed)
