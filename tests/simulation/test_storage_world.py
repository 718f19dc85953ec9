"""Runs whose archive is lost, whose state a newer program wrote, and whose files git replaces meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from simulation.driver import Violation
from simulation.storage import play_storage
from simulation.storage_mutants import STORAGE_MUTANTS

SEEDS, BLOCK = 20, 10

CAUGHT = {
    "take_a_lost_archive_for_an_empty_one": (3, "never forgotten"),
    "drop_what_a_newer_program_wrote": (1, "never forgotten"),
    "read_what_git_is_replacing": (1, "as declared"),
}
"""Mutant -> the first seed that catches it, and the rule that is broken there."""


@pytest.mark.parametrize("first", range(1, SEEDS, BLOCK))
def test_what_is_absent_unknown_or_torn_is_never_taken_for_empty(first: int) -> None:
    for seed in range(first, first + BLOCK):
        play_storage(seed)


@pytest.mark.parametrize("mutant", STORAGE_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_this_protection_it_is_taken_for_empty(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    seed, rule = CAUGHT[mutant.__name__]
    play_storage(seed)
    with mutant(), pytest.raises(Violation) as broken:
        play_storage(seed)
    assert broken.value.rule == rule, f"seed {seed} is another history now: search the table anew"
