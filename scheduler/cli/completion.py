"""What a shell offers while a target or an id is typed, and the script that makes it ask.

The ids of waves and channels come from the names of files alone; other ids are completed step by step, and no
state is fetched for them. An error in here must not disturb the terminal: then nothing is offered.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from scheduler.checkout import reading
from scheduler.checkout.source import SUFFIXES
from scheduler.errors import Error

if TYPE_CHECKING:
    from scheduler.planning.reconcile import Reconciled

_MOST = 200
"""Offers; nobody reads more."""
_QUIETLY = contextlib.suppress(Error, OSError, ValueError)
"""A repository that cannot be read offers nothing."""


def waves(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The ids of waves."""
    return _offer(_stems(context, "waves"), incomplete)


def channels(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The ids of channels."""
    return _offer(_stems(context, "channels"), incomplete)


def groups(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The ids of coordination groups."""
    return _offer(_groups(context, incomplete), incomplete)


def schedules(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The ids of schedules."""
    return _offer(_schedules(context, incomplete), incomplete)


def targets(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Everything that an edit can be about."""
    found = [f"wave:{wave}" for wave in _stems(context, "waves")]
    found += [f"channel:{channel}" for channel in _stems(context, "channels")]
    if "/" in incomplete:
        found += _groups(context, incomplete)
    return _offer([*found, *_schedules(context, incomplete)], incomplete)


def _offer(found: list[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(found) if name.startswith(incomplete)][:_MOST]


def _root(context: click.Context) -> Path:
    return Path(context.find_root().params.get("directory") or ".")


def _stems(context: click.Context, folder: str) -> list[str]:
    """The ids of the files below a folder: their names without the suffix, in whatever subfolder."""
    found = []
    for _, _, names in os.walk(_root(context) / folder):
        found += [PurePosixPath(name).stem for name in names if name.endswith(SUFFIXES)]
    return sorted(found)


def _groups(context: click.Context, incomplete: str) -> list[str]:
    if "/" not in incomplete:
        return [f"{wave}/" for wave in _stems(context, "waves")]
    with _QUIETLY:
        schedules = _look(context, incomplete).schedules.values()
        return sorted({schedule.group.id for schedule in schedules if schedule.group.id is not None})
    return []


def _schedules(context: click.Context, incomplete: str) -> list[str]:
    """First the waves and channels, then the ids in the one that was chosen."""
    if "/" not in incomplete:
        return [f"{name}/" for name in [*_stems(context, "waves"), *_stems(context, "channels")]]
    with _QUIETLY:
        reconciled = _look(context, incomplete)
        slots = [slot.id for slot in reconciled.open_slots]
        return sorted([*reconciled.schedules, *slots])
    return []


def _look(context: click.Context, incomplete: str) -> Reconciled:
    """What one wave or channel declares; other waves and the state are not read, for speed."""
    from scheduler.clock import Clock
    from scheduler.planning.plan import Surroundings
    from scheduler.planning.reconcile import reconcile

    stem = incomplete.split("/", 1)[0]
    sources = [
        source
        for source in reading.read_sources(_root(context))
        if source.kind != "wave" or PurePosixPath(source.file).stem == stem
    ]
    now = context.find_root().params.get("now")
    return reconcile(sources, None, {}, Clock(now).now(), Surroundings())


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes ids in your shell.

    To use it in bash or zsh: eval "$(scheduler completion bash)", in fish: scheduler completion fish | source
    """
    root = context.find_root()
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these three"
    script = kind(root.command, {}, "scheduler", "_SCHEDULER_COMPLETE").source()
    if shell == "bash":  # where a colon ends a word; ids contain colons
        script = f'COMP_WORDBREAKS="${{COMP_WORDBREAKS//:/}}"\n{script}'
    click.echo(script)
