"""The help texts: whole sentences within 80 columns, for every command and every option."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from scheduler.cli.main import cli


def commands(command: click.Command = cli, name: str = "") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from commands(found, f"{name} {child}".strip())


ALL = dict(commands())


@pytest.mark.parametrize("name", ALL)
def test_the_help_of_a_command_fits_80_columns_and_cuts_no_sentence(name: str) -> None:
    shown = CliRunner().invoke(cli, [*name.split(), "--help"], terminal_width=80, prog_name="scheduler")
    assert shown.exit_code == 0
    assert [line for line in shown.output.splitlines() if len(line) > 80] == []
    assert "..." not in shown.output.replace("[ARGS]...", "")


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_says_in_a_sentence_what_it_does(name: str) -> None:
    command = ALL[name]
    assert command.help is not None
    assert command.help.split("\n\n")[0].endswith(".")
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.opts for option in options if not option.help or not option.help.endswith(".")] == []
