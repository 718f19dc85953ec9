"""`calendar`: what happens when, and why, as a page, a feed and a document, in a folder to publish."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from scheduler.app import operations
from scheduler.checkout import writing
from scheduler.cli.list_and_show import filtered
from scheduler.cli.main import FINE, PROBLEMS, Context, guarded, pass_context
from scheduler.errors import Error
from scheduler.planning.query import Filter
from scheduler.planning.rows import waits_for_worker
from scheduler.reporting.calendar import MARK, NAMES, files, gather
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.terminal import visible
from scheduler.wording import count

BACK = 90 * 86_400
"""Seconds that the calendar looks back where nothing else is said: as long as finished schedules stay in
the record before they are archived."""
_BEGINNING = 16_384
"""Bytes of a file in which its mark must stand."""


def _named_folder(_context: click.Context, _option: click.Parameter, name: str) -> Path:
    """The folder; an empty name, as of a variable that is not set, is not the current one."""
    if not name:
        raise click.BadParameter("it names no folder; write . for the one you stand in")
    return Path(name)


@click.command()
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(),
    callback=_named_folder,
    help="Write the files into this folder.",
)
@filtered
@pass_context
@guarded
def calendar(context: Context, folder: Path, wanted: Filter) -> None:
    """Write a page, calendar.ics and schedules.json, to be published or opened as they are.

    They show what is recorded, what the next run would record, open slots and freezes: without --from, from
    90 days back, and without --to, as far ahead as there is anything. Nothing else is written, and files
    that this command did not make are never replaced.
    """
    before = _before(folder)
    reconciled, state = context.repository.look()
    if reconciled.diagnostics:
        told = diagnostics_text(reconciled.diagnostics, context.texts(reconciled), colour=False)
        click.echo(told, err=True)
    if reconciled.declared is None:
        click.echo("Nothing was written: without scheduler.yaml nobody knows where the record is.", err=True)
        sys.exit(PROBLEMS)
    if wanted.start is None:
        wanted = msgspec.structs.replace(wanted, start=reconciled.plan.now - BACK)
        if wanted.end is not None and wanted.end <= reconciled.plan.now - BACK:
            raise click.UsageError(
                "without --from it begins 90 days back, which is after --to: give --from too"
            )
    jobs = [] if state is None else filter(waits_for_worker, state.schedules.values())
    claims = operations.claims(context.repository, reconciled.declared, jobs)
    found = gather(reconciled, state, wanted, claims)
    _write(folder, before, files(found))
    click.echo(f"wrote {count(len(found.entries), 'schedule')} to {visible(str(folder))}: {', '.join(NAMES)}")
    sys.exit(PROBLEMS if reconciled.is_red else FINE)


def _before(folder: Path) -> dict[str, bytes | None]:
    """What is in the place of each file now. Raises Error where it is somebody else's."""
    try:
        taken = folder.is_symlink() or (folder.exists() and not folder.is_dir())
    except OSError as problem:  # a name that is too long, a folder that is closed to us
        raise Error(f"{folder} cannot be made: {problem.strerror}") from None
    if taken:
        raise Error(f"{folder} is no folder", hint="name a folder; it is made where there is none")
    return {name: _ours(folder / name) for name in NAMES}


def _ours(path: Path) -> bytes | None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Error(f"{path} is no plain file", hint="choose another folder")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise Error(f"{path} cannot be read: {problem.strerror}") from None
    if MARK not in content[:_BEGINNING]:
        raise Error(
            f"{path} was not made by `scheduler calendar`; nothing was written", hint="choose another folder"
        )
    return content


def _write(folder: Path, before: Mapping[str, bytes | None], contents: Mapping[str, bytes]) -> None:
    """Replace each file whole or not at all; one that would stay the same is left alone."""
    for name, content in contents.items():
        if before[name] != content:
            writing.replace(Path(), str(folder / name), before[name], content)
