"""The commands that edit YAML: pause, resume, cancel, move, assign, create.

Each prints the diff, how many schedules it touches, and what comes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from scheduler import editing
from scheduler.app import operations
from scheduler.cli import completion
from scheduler.cli.main import PROBLEMS, Context, DurationArgument, guarded, pass_context, write
from scheduler.editing import Proposal, Refused, View
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.edit_text import edit_text
from scheduler.reporting.terminal import visible
from scheduler.times import TimeError, duration_text, read_duration

F = TypeVar("F", bound=Callable[..., Any])

_commit = click.option("--commit", is_flag=True, help="Commit the file in git, and nothing else.")
_reason = click.option("--reason", metavar="TEXT", help="Why; it stands in the file, and `list` shows it.")
_commit_reason = click.option("--reason", metavar="TEXT", help="Why; it stands in the commit.")
_target = click.argument("target", shell_complete=completion.targets)


def _carry_out(context: Context, propose: Callable[[View], Proposal], *, commit: bool) -> None:
    """Write what is proposed and tell it; a refusal shows the file as it would have been."""
    try:
        changed = operations.change(context.repository, propose, commit=commit)
    except Refused as refusal:
        click.echo(diagnostics_text(refusal.diagnostics, refusal.texts) + "\n", err=True)
        click.echo(f"error: {refusal.message}", err=True)
        sys.exit(PROBLEMS)
    write(edit_text(changed.proposal, commit=changed.commit, colour=context.colour))


@click.command()
@_target
@_reason
@click.option("--until", metavar="TIME", help="When it goes on by itself.")
@_commit
@pass_context
@guarded
def pause(context: Context, target: str, reason: str | None, until: str | None, commit: bool) -> None:
    """Hold back a channel, a wave, a group or a schedule: channel:ID, wave:ID, or an id."""
    _carry_out(context, lambda view: editing.pause(view, target, reason=reason, until=until), commit=commit)


@click.command()
@_target
@_commit_reason
@_commit
@pass_context
@guarded
def resume(context: Context, target: str, reason: str | None, commit: bool) -> None:
    """Lift the pause of a target itself, and tell what remains."""
    _carry_out(context, lambda view: editing.resume(view, target, reason=reason), commit=commit)
    _tell_lost_reason(reason, commit=commit)


@click.command()
@_target
@_commit_reason
@_commit
@pass_context
@guarded
def cancel(context: Context, target: str, reason: str | None, commit: bool) -> None:
    """Call off a wave, a group or a schedule: what was not sent yet is never sent."""
    _carry_out(context, lambda view: editing.cancel(view, target, reason=reason), commit=commit)
    _tell_lost_reason(reason, commit=commit)


def _tell_lost_reason(reason: str | None, *, commit: bool) -> None:
    if reason is not None and reason.strip() and not commit:
        click.echo("The reason is not kept: the file has no place for it, and --commit writes it into git.")


@click.command(context_settings={"ignore_unknown_options": True})
@_target
@click.argument("time", required=False)
@click.option("--shift", metavar="DURATION", help="+30m or -30m: it, and all that follows it in its group.")
@_commit
@pass_context
@guarded
def move(context: Context, target: str, time: str | None, shift: str | None, commit: bool) -> None:
    """Move a schedule, a group or a wave to another time; a wave moves as a whole."""
    if (time is None) == (shift is None):
        raise click.UsageError("give either a TIME or --shift")
    if shift is not None:
        seconds = _signed(shift)
        _carry_out(context, lambda view: editing.shift(view, target, seconds), commit=commit)
    elif time is not None:
        _carry_out(context, lambda view: editing.move(view, target, time), commit=commit)


def _signed(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    try:
        return sign * read_duration(text.lstrip("+-"))
    except TimeError as problem:
        raise click.BadParameter(f"{problem}; {problem.hint}", param_hint="--shift") from None


@click.command()
@click.argument("schedule_id", metavar="ID", shell_complete=completion.schedules)
@click.argument("video")
@_commit
@pass_context
@guarded
def assign(context: Context, schedule_id: str, video: str, commit: bool) -> None:
    """Give an open slot or a one-off of a channel its video."""
    _carry_out(context, lambda view: editing.assign(view, schedule_id, video), commit=commit)


# --- create -----------------------------------------------------------------------------------------


@click.group()
def create() -> None:
    """Write a new publication: simultaneous, staggered, or independent."""


def _entry_options(command: F) -> F:
    """The options that both kinds of group have."""
    for option in reversed(
        (
            click.option("--at", required=True, metavar="TIME", help="With an offset, or with --timezone."),
            click.option(
                "--channels",
                multiple=True,
                metavar="ID[,ID…]",
                help="In their order; may be repeated.",
                shell_complete=completion.channels,
            ),
            click.option("--tags", metavar="TAG[,TAG…]", help="All active channels that have every tag."),
            click.option("--wave", metavar="ID", shell_complete=completion.waves,
                         help="A new wave, or one to add to; default: the video and the time."),
            click.option("--group", metavar="ID", help="Default: the video's id."),
            click.option("--title", metavar="TEXT", help="Of a new wave."),
            click.option("--timezone", metavar="ZONE", help="An IANA name for local times."),
            click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="May be repeated."),
            _commit,
        )
    ):  # fmt: skip
        command = option(command)
    return command


@create.command()
@click.argument("video")
@_entry_options
@pass_context
@guarded
def simultaneous(context: Context, /, video: str, **options: Any) -> None:
    """One VIDEO on several channels at the same instant."""
    _create_group(context, "simultaneous", video, None, **options)


@create.command()
@click.argument("video")
@click.option("--delay", required=True, type=DurationArgument(), help="Between each channel and the next.")
@_entry_options
@pass_context
@guarded
def staggered(context: Context, /, video: str, delay: int, **options: Any) -> None:
    """One VIDEO on one channel after the other."""
    _create_group(context, "staggered", video, duration_text(delay), **options)


def _create_group(
    context: Context,
    kind: Any,
    video: str,
    delay: str | None,
    *,
    at: str,
    channels: Sequence[str],
    tags: str | None,
    wave: str | None,
    group: str | None,
    title: str | None,
    timezone: str | None,
    metadata: Sequence[str],
    commit: bool,
) -> None:
    listed = [name for some in channels for name in some.split(",") if name]
    if bool(listed) == (tags is not None):
        raise click.UsageError("give either --channels or --tags")
    chosen: Sequence[str] | Mapping[str, Any] = listed if tags is None else {"tags": tags.split(",")}
    told = _pairs(metadata)

    def propose(view: View) -> Proposal:
        proposal = editing.create_group(
            view, kind, video=video, channels=chosen, at=at, wave=wave, group=group, title=title,
            delay=delay, timezone=timezone, metadata=told,
        )  # fmt: skip
        why = editing.title_left_out(proposal, title)
        if why is not None:
            raise click.UsageError(f"{visible(why)}: leave --title out, or edit `title:` in {proposal.file}")
        return proposal

    _carry_out(context, propose, commit=commit)


@create.command()
@click.argument("channel", shell_complete=completion.channels)
@click.option("--at", required=True, metavar="TIME", help="With an offset, or local in the channel's zone.")
@click.option("--video", metavar="ID", help="It can be assigned later.")
@click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@_commit
@pass_context
@guarded
def independent(
    context: Context, channel: str, at: str, video: str | None, metadata: Sequence[str], commit: bool
) -> None:
    """One publication on one CHANNEL."""
    told = _pairs(metadata)

    def propose(view: View) -> Proposal:
        return editing.create_one_off(view, channel, at=at, video=video, metadata=told)

    _carry_out(context, propose, commit=commit)


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise click.UsageError(f"--metadata wants KEY=VALUE, not {text!r}")
        found[key] = value
    return found
