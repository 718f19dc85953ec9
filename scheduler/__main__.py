"""`python -m scheduler` and the `scheduler` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line. Leaves by SystemExit."""
    _open_closed_streams()
    gc.disable()  # a short-lived process: collecting costs more than it frees
    from scheduler.app import idle

    output = idle.answer(sys.argv[1:], os.environ)
    if output is not None:
        sys.stdout.write(output)
        sys.exit(0)
    from scheduler.cli.main import main as run

    try:
        run()
    finally:
        gc.freeze()  # the process ends: nothing has to be collected


def _open_closed_streams() -> None:
    """Open stdin, stdout and stderr where a cron or supervisor has closed them.

    Otherwise the next file to be opened, perhaps the state, would get their numbers, and be written to.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free one, which is its own
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


if __name__ == "__main__":
    main()
