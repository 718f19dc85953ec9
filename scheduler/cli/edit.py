"""The commands that edit YAML: pause, resume, cancel, move, assign, create.

Each prints the diff, the publications that it touches, and what follows from it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from scheduler import editing
from scheduler.app import operations
from scheduler.cli import completion
from scheduler.cli.arguments import DURATION, PAIR, SHIFT, together
from scheduler.cli.main import PROBLEMS, Context, with_context, write
from scheduler.editing import Proposal, Refused, View
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.edit_text import edit_text
from scheduler.reporting.terminal import visible
from scheduler.times import duration_text

_target = click.argument("target", shell_complete=completion.targets)
_anyway = click.option(
    "--anyway", is_flag=True, help="Write it although some of it, or all, becomes public all the same."
)
_commit = click.option("--commit", is_flag=True, help="Commit this file, and nothing else, to git.")
_commit_reason = click.option("--reason", metavar="TEXT", help="Why; goes into the commit message.")
_metadata = click.option(
    "--metadata", multiple=True, type=PAIR, metavar="KEY=VALUE", help="Sent to the channel; may be repeated."
)
_repeat = click.option(
    "--repeat", is_flag=True, help="Allow a video that a channel had less than `repeat_window` ago."
)


def _carry_out(
    context: Context, propose: Callable[[View], Proposal], *, commit: bool, anyway: bool = True
) -> None:
    """Write a proposal and print it; a refusal quotes the file as it would have been.

    Without `anyway`, it exits with 1 where something becomes public all the same.
    """
    try:
        changed = operations.change(context.repository, propose, commit=commit, anyway=anyway)
    except Refused as refusal:
        click.echo(diagnostics_text(refusal.diagnostics, refusal.texts) + "\n", err=True)
        click.echo(f"error: {refusal.message}", err=True)
        sys.exit(PROBLEMS)
    write(edit_text(changed.proposal, commit=changed.commit, colour=context.colour))
    if changed.proposal.public and not anyway:
        sys.exit(PROBLEMS)


@click.command()
@_target
@click.option("--reason", metavar="TEXT", help="Why; goes into the file, and `list` shows it.")
@click.option("--until", metavar="TIME", help="Resume automatically at this time.")
@_anyway
@_commit
@with_context
def pause(
    context: Context, target: str, reason: str | None, until: str | None, commit: bool, anyway: bool
) -> None:
    """Pause a channel, a wave, a group or a publication.

    TARGET is channel:ID, wave:ID, or the id of a group or a publication. What falls due in the meantime is
    sent if the pause ends within `catch_up` of its time, and is missed otherwise.
    """
    _carry_out(
        context,
        lambda view: editing.pause(view, target, reason=reason, until=until),
        commit=commit,
        anyway=anyway,
    )


@click.command()
@_target
@_commit_reason
@_commit
@with_context
def resume(context: Context, target: str, reason: str | None, commit: bool) -> None:
    """Lift a target's own pause, and show what still holds it back.

    TARGET is channel:ID, wave:ID, or the id of a group or a publication.
    """
    _carry_out(context, lambda view: editing.resume(view, target, reason=reason), commit=commit)
    _warn_of_lost_reason(reason, commit=commit)


@click.command()
@_target
@_commit_reason
@_anyway
@_commit
@with_context
def cancel(context: Context, target: str, reason: str | None, commit: bool, anyway: bool) -> None:
    """Cancel a wave, a group or a publication.

    TARGET is wave:ID, or the id of a group or a publication. What was not sent yet is never sent.
    """
    _carry_out(
        context, lambda view: editing.cancel(view, target, reason=reason), commit=commit, anyway=anyway
    )
    _warn_of_lost_reason(reason, commit=commit)


def _warn_of_lost_reason(reason: str | None, *, commit: bool) -> None:
    if reason is not None and reason.strip() and not commit:
        click.echo("The reason was not saved: only --commit saves it, in the commit message.")


@click.command(context_settings={"ignore_unknown_options": True})
@_target
@click.argument("time", required=False)
@click.option("--shift", type=SHIFT, help="Move it, and all after it in its group, by +30m or -30m.")
@_anyway
@_commit
@with_context
def move(
    context: Context, target: str, time: str | None, shift: int | None, commit: bool, anyway: bool
) -> None:
    """Move a wave, a group or a publication to another time.

    TARGET is wave:ID, or the id of a group or a publication. TIME has an offset, or is local where the file
    names a time zone. A wave moves as a whole: its first entry is then at TIME.
    """
    if (time is None) == (shift is None):
        raise click.UsageError("give either a TIME or --shift")
    if shift is not None:
        _carry_out(context, lambda view: editing.shift(view, target, shift), commit=commit, anyway=anyway)
    elif time is not None:
        _carry_out(context, lambda view: editing.move(view, target, time), commit=commit, anyway=anyway)


@click.command()
@click.argument("schedule_id", metavar="ID", shell_complete=completion.schedules)
@click.argument("video")
@_anyway
@_commit
@with_context
def assign(context: Context, schedule_id: str, video: str, commit: bool, anyway: bool) -> None:
    """Assign a video to an open slot or a one-off.

    ID is that of the publication, as `list` shows it.
    """
    _carry_out(context, lambda view: editing.assign(view, schedule_id, video), commit=commit, anyway=anyway)


# --- create -----------------------------------------------------------------------------------------


@click.group()
def create() -> None:
    """Declare a new publication."""


_group_options = together(
    click.option("--at", required=True, metavar="TIME", help="With an offset, or local with --timezone."),
    click.option(
        "--channels",
        multiple=True,
        metavar="ID[,ID…]",
        help="The channels in order; may be repeated.",
        shell_complete=completion.channels,
    ),
    click.option("--tags", metavar="TAG[,TAG…]", help="All active channels that have all these tags."),
    click.option(
        "--wave",
        metavar="ID",
        help="The wave to add it to, existing or new; default: VIDEO-TIME.",
        shell_complete=completion.waves,
    ),
    click.option("--group", metavar="ID", help="The id of the group; default: VIDEO."),
    click.option("--title", metavar="TEXT", help="The title of a new wave."),
    click.option("--timezone", metavar="ZONE", help="Zone of a local --at: an IANA name, or `channel`."),
    _metadata,
    _repeat,
    _commit,
)


@create.command()
@click.argument("video")
@_group_options
@with_context
def simultaneous(context: Context, /, video: str, **options: Any) -> None:
    """Publish VIDEO on several channels at once."""
    _create_group(context, "simultaneous", video, None, **options)


@create.command()
@click.argument("video")
@click.option("--delay", required=True, type=DURATION, help="From each channel to the next.")
@_group_options
@with_context
def staggered(context: Context, /, video: str, delay: int, **options: Any) -> None:
    """Publish VIDEO on one channel after the other."""
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
    metadata: Sequence[tuple[str, str]],
    repeat: bool,
    commit: bool,
) -> None:
    listed = [name.strip() for some in channels for name in some.split(",") if name.strip()]
    if bool(listed) == (tags is not None):
        raise click.UsageError("give either --channels or --tags")
    chosen: Sequence[str] | Mapping[str, Any] = listed if tags is None else {"tags": tags.split(",")}

    def propose(view: View) -> Proposal:
        proposal = editing.create_group(
            view, kind, video=video, channels=chosen, at=at, wave=wave, group=group, title=title,
            delay=delay, timezone=timezone, metadata=dict(metadata),
            repeat=repeat,
        )  # fmt: skip
        why = editing.title_left_out(proposal, title)
        if why is not None:
            raise click.UsageError(f"{visible(why)}; leave it out, or edit `title:` in {proposal.file}")
        return proposal

    _carry_out(context, propose, commit=commit)


@create.command()
@click.argument("channel", shell_complete=completion.channels)
@click.option("--at", required=True, metavar="TIME", help="With an offset, or local in the channel's zone.")
@click.option("--video", metavar="ID", help="Default: none, to be assigned later.")
@_metadata
@_repeat
@_commit
@with_context
def independent(
    context: Context,
    channel: str,
    at: str,
    video: str | None,
    metadata: Sequence[tuple[str, str]],
    repeat: bool,
    commit: bool,
) -> None:
    """Publish once, on one CHANNEL."""

    def propose(view: View) -> Proposal:
        return editing.create_one_off(
            view, channel, at=at, video=video, metadata=dict(metadata), repeat=repeat
        )

    _carry_out(context, propose, commit=commit)
