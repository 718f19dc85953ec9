"""`python -m scheduler.actions`: the name under which existing workflows call `scheduler.github_actions`."""

from __future__ import annotations

import sys

from scheduler.github_actions.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
