"""This machine's clock held against a server's: by a wrong one all would seem missed, or due too early."""

from __future__ import annotations

from scheduler.times import Instant, duration_text

CLOCK_TOLERANCE = 120
"""Seconds that this machine's clock and a server's may differ."""
CLOCK_TRUST = 600
"""Seconds for which a clock that was right is not compared anew before something is saved."""


def clock_problem(now: Instant, server_time: Instant) -> str | None:
    """How far a clock that says `now` is from a server's, in words; None where both may be right."""
    ahead = now - server_time
    if abs(ahead) <= CLOCK_TOLERANCE:
        return None
    side = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {duration_text(abs(ahead))} {side} the server's"
