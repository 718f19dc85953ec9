"""Runs and workers on one embedded queue that crash, stall and lose its file: each protection switched off.

More seeds: `cd tests/support && python -c "from simulation.queues import play_queues; play_queues(1000)"`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from simulation.driver import Violation
from simulation.queue_mutants import QUEUE_MUTANTS
from simulation.queues import play_queues

SEEDS, BLOCK = 30, 10

CAUGHT = {
    "take_its_own_for_lost": (9, "one effect"),
    "begin_what_is_held_back": (41, "as declared"),
    "work_for_any_repository": (5, "whose"),
}
"""Mutant -> the first seed that catches it, and the rule that is broken there."""


@pytest.mark.parametrize("first", range(1, SEEDS, BLOCK))
def test_no_job_is_begun_twice_or_lost_whatever_crashes_or_sleeps(first: int) -> None:
    for seed in range(first, first + BLOCK):
        play_queues(seed)


@pytest.mark.parametrize("mutant", QUEUE_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_this_protection_a_job_is_lost_or_begun_wrongly(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    seed, rule = CAUGHT[mutant.__name__]
    play_queues(seed)
    with mutant(), pytest.raises(Violation) as broken:
        play_queues(seed)
    assert broken.value.rule == rule, f"seed {seed} is another history now: search the table anew"
