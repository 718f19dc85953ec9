"""The page about the command line: every command, argument and option, from click."""

from __future__ import annotations

import inspect

import click
from keys import MADE

from scheduler.cli.main import BROKEN, CHANGES, FINE, PROBLEMS, USAGE, cli

_CODES = {
    FINE: "fine",
    PROBLEMS: "problems in what is declared, or publications of this run that failed or whose outcome is unknown",
    USAGE: "wrong usage",
    BROKEN: "the state, its store or the queue cannot be reached or trusted",
    CHANGES: "`plan --detailed-exitcode` alone: there are changes",
}


def page() -> str:
    """docs/reference/commands.md"""
    context = click.Context(cli, info_name="scheduler", max_content_width=100)
    parts = [
        "# Commands",
        MADE,
        "`scheduler [OPTIONS] COMMAND …`, also as `python -m scheduler`. Options of the program come before the "
        "command. Text is for people; every listing takes `--format json`, described in [JSON documents](json.md).",
        "\n".join(
            [
                "| exit code | meaning |",
                "|---|---|",
                *(f"| {code} | {text} |" for code, text in _CODES.items()),
            ]
        ),
        _options(cli, context),
    ]
    names = [name for name, _ in _leaves(cli, context)]
    parts.append(" · ".join(f"[`{name}`](#{_anchor(name)})" for name in names))
    for name, found in _leaves(cli, context):
        parts += _command(name, found)
    return "\n\n".join(filter(None, parts)) + "\n"


def _leaves(group: click.Group, context: click.Context) -> list[tuple[str, click.Context]]:
    """Every command that does something, with its path: `state init`."""
    found: list[tuple[str, click.Context]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context, max_content_width=100)
        if isinstance(command, click.Group):
            found += _leaves(command, below)
        elif not command.hidden:
            found.append((below.command_path.removeprefix("scheduler "), below))
    return found


def _command(name: str, context: click.Context) -> list[str]:
    command = context.command
    usage = command.get_usage(context).removeprefix("Usage: ").replace("\n", " ")
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    return [
        f"## {name}",
        f"```text\n{' '.join(usage.split())}\n```",
        _prose(text),
        _options(command, context),
    ]


def _prose(text: str) -> str:
    """Paragraphs; what click keeps as it is (indented, or after a backspace mark) becomes a block."""
    parts = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if all(line.startswith("  ") for line in lines):
            block = "\n".join(line[2:] for line in lines)
            parts.append(f"```text\n{block}\n```")
        else:
            parts.append("\n".join(line.strip() for line in lines))
    return "\n\n".join(parts)


def _options(command: click.Command, context: click.Context) -> str:
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        is_told = isinstance(parameter, click.Option) or (record is not None and record[1])
        if record is not None and is_told and not record[0].endswith("--help"):
            rows.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
    return "\n".join(["| option | does |", "|---|---|", *rows]) if rows else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
