"""`scheduler doctor`."""

from __future__ import annotations

import sys

import click

from scheduler.cli import completion
from scheduler.cli.arguments import DURATION, format_option
from scheduler.cli.main import BROKEN, FINE, PROBLEMS, Context, with_context, write


@click.command()
@format_option("text", "json")
@click.option(
    "--hold", type=DURATION, envvar="SCHEDULER_HOLD", help="How long your runs wait for what falls due."
)
@click.option(
    "--channel", "channels", multiple=True, metavar="ID", shell_complete=completion.channels,
    help="Of all channels ask only this one; may be repeated.",
)  # fmt: skip
@click.option(
    "--wave", "waves", multiple=True, metavar="ID", shell_complete=completion.waves,
    help="Of all channels ask only those of this wave; may be repeated.",
)  # fmt: skip
@with_context
def doctor(
    context: Context, form: str, hold: int | None, channels: tuple[str, ...], waves: tuple[str, ...]
) -> None:
    """Check whether everything is ready.

    This covers each channel's repository (does it exist, may the token dispatch, does a workflow listen, and
    pass on and claim the key), the tokens by name, the queue, the state, the clock and the settings. Nothing
    is written or sent. Exits with 1 if something will not work, and with 3 if the state cannot be reached.
    """
    from scheduler.app.doctor import examine
    from scheduler.reporting.doctor_text import findings_json, findings_text, has_failed

    try:
        examination = examine(context.repository, hold=hold, channels=channels, waves=waves)
    finally:
        context.repository.close()
    if form == "json":
        write(findings_json(examination.findings).decode() + "\n")
    else:
        write(findings_text(examination.findings, colour=context.colour) + "\n")
    if examination.is_state_out_of_reach:
        sys.exit(BROKEN)
    sys.exit(PROBLEMS if has_failed(examination.findings) else FINE)
