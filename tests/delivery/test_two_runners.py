"""Two runners over one due schedule: every place at which one may be left, with every fault.

All cases with a second switch, and with groups: `cd tests/support && python -m simulation.exhaustive`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from simulation import mutants
from simulation.driver import Violation, simulated
from simulation.exhaustive import AWAY, EVERY_ONE, Case, Setting, faults, one_switch


@pytest.mark.parametrize("setting", EVERY_ONE, ids=lambda setting: f"{setting.delivery}, {setting.confirm}")
def test_one_may_be_left_at_any_place_with_any_fault(setting: Setting) -> None:
    with simulated():
        played = sum(1 for _ in one_switch([setting]))
    wrong_things = len(list(faults(Case(setting, None))))
    assert played > 10 * len(AWAY) * wrong_things, "a run passes more than ten points"


@pytest.mark.parametrize(
    "mutant",
    [
        mutants.save_without_comparing,
        mutants.merge_after_a_lost_race,
        mutants.send_before_the_intent,
        mutants.take_over_at_once,
        mutants.keep_the_due_list,
        mutants.send_when_held_up,
        mutants.look_nothing_up,
        mutants.unknown_is_only_failed,
    ],
    ids=lambda mutant: mutant.__name__,
)
def test_without_this_protection_two_runners_break_a_rule(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    with simulated(), mutant(), pytest.raises(Violation):
        for _ in one_switch(EVERY_ONE):
            pass
