"""`python -m scheduler` and the `scheduler` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line. Leaves by SystemExit."""
    _open_what_is_closed()
    gc.disable()  # a short-lived process: the collector costs more than what it would free
    from scheduler.app import idle

    words = idle.answer(sys.argv[1:], os.environ)
    if words is not None:
        sys.stdout.write(words)
        sys.exit(0)
    from scheduler.cli.main import main as run

    try:
        run()
    finally:
        gc.freeze()  # what is left goes with the process: nothing has to be looked through at its end


def _open_what_is_closed() -> None:
    """Have input, output and errors stand for something, as a cron or a supervisor may close them.

    Else the next file that is opened, perhaps the record, would be what every other program takes for them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: its own
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


if __name__ == "__main__":
    main()
