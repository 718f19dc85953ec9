"""This machine's clock compared with a server's. A wrong one sends early, or misses."""

from __future__ import annotations

from scheduler.times import Instant, duration_text

CLOCK_TOLERANCE = 120
"""Seconds that this machine's clock and a server's may differ."""
CLOCK_TRUST = 600
"""Seconds for which a clock that was right is not compared again before a save."""


def clock_problem(now: Instant, server_time: Instant) -> str | None:
    """How far a clock that says `now` is from a server's, as a message; None where both may be right."""
    ahead = now - server_time
    if abs(ahead) <= CLOCK_TOLERANCE:
        return None
    side = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {duration_text(abs(ahead))} {side} the server's"
