"""`python -m scheduler` and the `scheduler` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line. Leaves by SystemExit."""
    gc.disable()  # a short-lived process: the collector costs more than what it would free
    from scheduler import idle

    words = idle.answer(sys.argv[1:], os.environ)
    if words is not None:
        sys.stdout.write(words)
        sys.exit(0)
    from scheduler.cli import main as run

    try:
        run()
    finally:
        gc.freeze()  # what is left goes with the process: nothing has to be looked through at its end


if __name__ == "__main__":
    main()
