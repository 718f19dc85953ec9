"""Runners that crash between any two effects: a few thousand seeds, and each protection switched off.

More of them: `cd tests && python -m simulation.driver 1 100000`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from simulation.driver import Violation, play, simulated
from simulation.mutants import MUTANTS

SEEDS = 2_500
BLOCK = 250
ENOUGH = 600
"""Seeds within which the loss of a protection is seen; the slowest needed 45."""


@pytest.mark.parametrize("first", range(1, SEEDS, BLOCK))
def test_nothing_is_published_twice_and_nothing_is_lost(first: int) -> None:
    with simulated():
        for seed in range(first, first + BLOCK):
            play(seed)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_this_protection_the_simulation_fails(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    with simulated(), mutant():
        for seed in range(1, ENOUGH):
            try:
                play(seed)
            except Violation:
                return
    pytest.fail(f"{ENOUGH} seeds saw nothing of {mutant.__name__}")
