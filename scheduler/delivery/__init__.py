"""Carries out a plan: save the intent, send, save the outcome. All effects come in as arguments.

The order is the guarantee. What is due is taken from the same snapshot that the save compares against; the
intent is durable before its request is sent; one request is made for one saved intent; after a lost save,
everything is read and decided again from the start.

Imports: `times`, `errors`, `diagnostics`, `failpoints`, `wording`, `checkout`, `desired`, `state`,
`planning`.
"""

from __future__ import annotations

from scheduler.delivery.clock_skew import CLOCK_TOLERANCE, clock_problem
from scheduler.delivery.ports import Observation, Ports, Waiter
from scheduler.delivery.report import Report
from scheduler.delivery.run import LAST_SAVES, RACES, Runner

__all__ = [
    "CLOCK_TOLERANCE",
    "LAST_SAVES",
    "RACES",
    "Observation",
    "Ports",
    "Report",
    "Runner",
    "Waiter",
    "clock_problem",
]
