"""`python -m scheduler.actions`: the name that workflows out there call for `scheduler.github_actions`."""

from __future__ import annotations

import sys

from scheduler.github_actions.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
