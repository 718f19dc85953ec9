"""Diagnostics as data: which schedules they are about, and each of them once."""

from __future__ import annotations

from scheduler.diagnostics import MOST, Location, Tally, error, in_order

PLACE = Location("waves/a.yaml", 4, 9)


def test_two_faults_that_read_alike_are_one_about_the_schedules_of_both() -> None:
    found = [error("past", PLACE, "it is over", schedules=ids) for ids in (["a/b/c"], ["a/b/d", "a/b/c"], [])]
    (one,) = in_order(found)
    assert one.schedules == ("a/b/c", "a/b/d")


def test_the_line_that_counts_the_rest_is_about_no_schedule() -> None:
    tally = Tally()
    for line in range(MOST + 1):
        tally.add(error("past", Location("waves/a.yaml", line + 1), "it is over", schedules=[f"a/b/{line}"]))
    found = tally.all()
    assert [fault.schedules for fault in found if fault.not_shown] == [()]
    assert [fault.schedules for fault in found if not fault.not_shown] == [(f"a/b/{i}",) for i in range(MOST)]
