"""`scheduler doctor`."""

from __future__ import annotations

import sys

import click

from scheduler.cli.main import BROKEN, FINE, PROBLEMS, Context, guarded, pass_context, write


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@pass_context
@guarded
def doctor(context: Context, form: str) -> None:
    """Ask whether everything is ready. Sends and writes nothing.

    Each channel's repository (there, may the token dispatch, does a workflow listen, carry and claim the
    key), the tokens by name, the queue, the state, the clock, the settings. Exit 1 where something will
    not work, 3 where the state cannot be reached.
    """
    from scheduler.app.doctor import examine
    from scheduler.reporting.doctor_text import findings_json, findings_text
    from scheduler.reporting.findings import has_failed

    try:
        examination = examine(context.repository)
    finally:
        context.repository.close()
    if form == "json":
        write(findings_json(examination.findings).decode() + "\n")
    else:
        write(findings_text(examination.findings, colour=context.colour) + "\n")
    if examination.is_state_out_of_reach:
        sys.exit(BROKEN)
    sys.exit(PROBLEMS if has_failed(examination.findings) else FINE)
