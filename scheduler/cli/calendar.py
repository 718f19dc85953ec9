"""`calendar`: what happens when, and why, as a page, a feed and a document in a folder to publish."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from scheduler.app import operations
from scheduler.checkout import writing
from scheduler.cli.list_and_show import filtered
from scheduler.cli.main import FINE, PROBLEMS, Context, with_context
from scheduler.errors import Error
from scheduler.planning.query import Filter
from scheduler.planning.rows import waits_for_worker
from scheduler.reporting.calendar import MARK, NAMES, files, gather
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.terminal import visible
from scheduler.wording import count

BACK = 90 * 86_400
"""Seconds before now at which the calendar begins by default: after as many, records are archived."""
_BEGINNING = 16_384
"""Bytes at the start of a file that must contain the mark of this command."""


def _named_folder(_context: click.Context, _option: click.Parameter, name: str) -> Path:
    """The folder. An empty name, such as that of an unset variable, does not mean the current folder."""
    if not name:
        raise click.BadParameter("the name is empty; write . for the current folder")
    return Path(name)


@click.command()
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(),
    callback=_named_folder,
    help="Write the files to this folder.",
)
@filtered
@with_context
def calendar(context: Context, folder: Path, wanted: Filter) -> None:
    """Write a page, calendar.ics and schedules.json.

    They show what is recorded, what the next run would record, open slots and freezes; by default from 90
    days ago to the last of them. Nothing else is written, and a file that this command did not write is never
    replaced.
    """
    before = _before(folder)
    reconciled, state = context.repository.observe()
    if reconciled.diagnostics:
        click.echo(
            diagnostics_text(reconciled.diagnostics, context.texts(reconciled), colour=False), err=True
        )
    if reconciled.declared is None:
        click.echo("Nothing was written: scheduler.yaml, which names the state, has errors.", err=True)
        sys.exit(PROBLEMS)
    if wanted.start is None:
        wanted = msgspec.structs.replace(wanted, start=reconciled.plan.now - BACK)
        if wanted.end is not None and wanted.end <= reconciled.plan.now - BACK:
            raise click.UsageError(
                "without --from the calendar begins 90 days ago, which is after --to; add --from"
            )
    jobs = [] if state is None else filter(waits_for_worker, state.schedules.values())
    leases = operations.leases(context.repository, reconciled.declared, jobs)
    found = gather(reconciled, state, wanted, leases, context.repository.declared_since(state))
    for name, content in files(found).items():  # each is replaced whole, or not at all
        if before[name] != content:
            writing.replace(Path(), str(folder / name), before[name], content)
    click.echo(
        f"wrote {count(len(found.entries), 'publication')} to {visible(str(folder))}: {', '.join(NAMES)}"
    )
    sys.exit(PROBLEMS if reconciled.is_red else FINE)


def _before(folder: Path) -> dict[str, bytes | None]:
    """The content of each file as it is now. Raises Error where it is not from this command."""
    try:
        taken = folder.is_symlink() or (folder.exists() and not folder.is_dir())
    except OSError as problem:  # a name that is too long, a folder without permission
        raise Error(f"cannot create {folder}: {problem.strerror}") from None
    if taken:
        raise Error(
            f"{folder} is not a folder", hint="choose another one; it is created if it does not exist"
        )
    return {name: _ours(folder / name) for name in NAMES}


def _ours(path: Path) -> bytes | None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Error(f"{path} is not a regular file", hint="choose another folder")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise Error(f"cannot read {path}: {problem.strerror}") from None
    if MARK not in content[:_BEGINNING]:
        raise Error(
            f"{path} was not written by `scheduler calendar`, so nothing was replaced",
            hint="choose another folder",
        )
    return content
