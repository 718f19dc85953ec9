"""Runners that crash between any two effects: a few thousand seeds, and each protection switched off.

More of them: `cd tests/support && python -m simulation.driver 1 100000`; the rules:
`simulation/invariants.py` there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from simulation.driver import Violation, play, simulated
from simulation.mutants import MUTANTS, RETRACTING_MUTANTS, SLOW_MUTANTS, WAITING_MUTANTS, ZONE_MUTANTS
from simulation.retracting import play_retracting
from simulation.slow import play_slow
from simulation.waiting import play_waiting
from simulation.zoned import play_zoned

SEEDS = 2_500
BLOCK = 250

CAUGHT = {
    "without_a_nonce": (13, "doubt first"),
    "look_nothing_up": (3, "nothing lost"),
    "send_before_the_intent": (1, "doubt first"),
    "write_again_after_a_lost_race": (9, "monotone"),
    "retry_blindly": (1, "monotone"),
    "key_with_the_time": (123, "one effect"),
    "unknown_is_only_failed": (1, "monotone"),
    "merge_after_a_lost_race": (9, "monotone"),
    "keep_the_due_list": (7, "sound"),
    "save_without_comparing": (6, "monotone"),
    "take_over_at_once": (13, "doubt first"),
    "attempt_after_the_deadline": (51, "in time"),
    "send_when_held_up": (12, "in time"),
    "begin_in_any_order": (2, "order"),
    "send_what_is_late_at_once": (72, "apart"),
    "wait_for_no_answer": (35, "order"),
    "wait_for_no_success": (9, "order"),
    "find_halts_too_early": (232, "plan applied"),
    "read_what_is_declared_once": (76, "as declared"),
    "pause_nothing": (2, "as declared"),
    "drop_what_is_finished": (2, "never forgotten"),
    "read_the_archive_once": (103, "monotone"),
    "repeat_the_words_of_servers": (1, "no secret"),
    "fail_what_meets_an_ended_token": (13, "tokens"),
    "use_an_ended_token_again": (13, "tokens"),
    "take_any_folder_s_state": (1, "whose"),
    "forget_what_is_restored": (1, "nothing lost"),
}
"""Mutant -> the first seed that catches it, and the rule that is broken there.

A seed plays another history once a run passes other points than it did. Then the table is searched anew:
`cd tests/support && python -m simulation.driver --mutants`.
"""

CAUGHT_WHILE_WAITING = {
    "sleep_past_what_is_merged": (3, "in time"),
    "end_at_a_hiccup": (7, "in time"),
    "believe_a_clock_that_was_set": (2, "in time"),
    "ask_nobody_which_time_is_right": (2, "in time"),
}

CAUGHT_BESIDE_THE_SLOW = {
    "wait_for_every_answer": (5, "in time"),
    "give_way_to_nothing": (6, "in time"),
}

CAUGHT_WITH_ZONES = {
    "recognize_slots_by_their_instant": (1, "monotone"),
    "let_any_zone_data_decide": (2, "as declared"),
    "record_the_zone_data_of_the_last_run": (4, "monotone"),
    "move_what_was_sent": (2, "as declared"),
    "take_zone_data_for_an_edit": (10, "as declared"),
    "give_what_was_requested_a_new_id": (28, "monotone"),
    "take_what_was_sent_for_a_neighbour": (4, "as declared"),
}


CAUGHT_WITH_RETRACTIONS = {
    "take_acceptance_for_a_retraction": (2, "taken back"),
    "take_the_publication_s_run_for_the_retraction_s": (2, "taken back"),
    "believe_when_a_retraction_was_seen": (289, "taken back"),
    "retract_blindly": (2, "at most once"),
    "retract_too_late": (21, "in time"),
    "retract_what_cannot_be_read": (24, "as declared"),
    "retract_what_may_have_arrived": (3, "taken back"),
    "take_over_a_retraction_at_once": (23, "doubt first"),
    "keep_the_key_of_what_was_taken_back": (2, "monotone"),
    "look_for_no_retraction": (2, "nothing lost"),
}


@pytest.mark.parametrize("first", range(1, SEEDS, BLOCK))
def test_nothing_is_published_twice_and_nothing_is_lost(first: int) -> None:
    with simulated():
        for seed in range(first, first + BLOCK):
            play(seed)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_this_protection_the_simulation_fails(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    demand_caught(mutant, play, *CAUGHT[mutant.__name__])


def demand_caught(
    mutant: Callable[[], AbstractContextManager[None]], play: Callable[[int], object], seed: int, rule: str
) -> None:
    """A seed is a history in which all is well, and in which this rule is broken without the protection."""
    with simulated():
        play(seed)
        broken = ""
        with mutant():
            try:
                play(seed)
            except Violation as violation:
                broken = violation.rule
    assert broken == rule, f"seed {seed} is another history now: search the table anew (see CAUGHT)"


def test_a_run_that_waits_sends_to_the_second_what_is_merged_and_whatever_the_clock_is_set_to() -> None:
    with simulated():
        for seed in range(1, 200):
            play_waiting(seed)


@pytest.mark.parametrize("mutant", WAITING_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_run_that_waits_without_this_protection_is_late_or_early(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    demand_caught(mutant, play_waiting, *CAUGHT_WHILE_WAITING[mutant.__name__])


@pytest.mark.parametrize("first", (1, 151))
def test_two_machines_with_different_zone_data_publish_each_local_time_once(first: int) -> None:
    with simulated():
        for seed in range(first, first + 150):
            play_zoned(seed)


@pytest.mark.parametrize("mutant", ZONE_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_two_machines_with_different_zone_data_need_this_protection(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    demand_caught(mutant, play_zoned, *CAUGHT_WITH_ZONES[mutant.__name__])


def test_a_channel_that_answers_slowly_holds_up_no_punctual_one() -> None:
    with simulated():
        for seed in range(1, 200):
            play_slow(seed)


@pytest.mark.parametrize("mutant", SLOW_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_beside_a_slow_channel_others_are_late_without_this_protection(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    demand_caught(mutant, play_slow, *CAUGHT_BESIDE_THE_SLOW[mutant.__name__])


def test_the_same_seed_is_the_same_history() -> None:
    with simulated():
        assert play(30).world.trace == play(30).world.trace


@pytest.mark.parametrize("first", range(1, 600, 150))
def test_what_is_taken_back_was_handed_over_and_is_never_public(first: int) -> None:
    with simulated():
        for seed in range(first, first + 150):
            play_retracting(seed)


@pytest.mark.parametrize("mutant", RETRACTING_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_this_protection_a_retraction_does_harm(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    demand_caught(mutant, play_retracting, *CAUGHT_WITH_RETRACTIONS[mutant.__name__])
