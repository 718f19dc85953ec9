"""One line a figure: what was measured, as a ratio to its floor, and the goal beside it."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """One figure. `value` and `goal` are of one `unit`; `detail` says what the value was made from."""

    name: str
    value: float
    unit: str
    goal: float
    detail: str

    @property
    def is_met(self) -> bool:
        return self.value <= self.goal

    def __str__(self) -> str:
        verdict = "ok  " if self.is_met else "MISS"
        goal = f"goal {self.goal:g} {self.unit}"
        return f"{verdict} {self.name:<46} {self.value:7.2f} {self.unit:<3} {goal:<13} {self.detail}"


def ratio(name: str, cost: float, floor: float, goal: float) -> Figure:
    """How many times its floor something costs; both in seconds."""
    return Figure(name, cost / floor, "x", goal, f"{cost * 1000:.0f} ms / {floor * 1000:.0f} ms")
