"""The verdict of the soak (`tests/support/soak`, run by hand) sees each thing that may not happen."""

from __future__ import annotations

from typing import Any

import pytest
from soak.receivers import Reception
from soak.verdict import Span, Want, judge

from scheduler.times import instant_text

AT, HOUR = 1_900_000_000, 3600
UNTIL = AT + 9 * HOUR
FIRST = Want(AT, "teaser", "alpha", is_on=True)
OFF, LATER = Want(AT, "teaser", "alpha", is_on=False), Want(AT + HOUR, "teaser", "alpha", is_on=True)
ALWAYS = [Span(AT - 5 * HOUR, float("inf"), FIRST)]
CANCELLED = [Span(AT - 5 * HOUR, AT - 3 * HOUR, FIRST), Span(AT - 3 * HOUR, float("inf"), OFF)]
MOVED = [Span(AT - 5 * HOUR, AT - 3 * HOUR, FIRST), Span(AT - 3 * HOUR, float("inf"), LATER)]
PULLED = [Span(AT + 100, float("inf"), FIRST)]
DONE, UNKNOWN = {"status": "completed", "reason": None}, {"status": "failed", "reason": "unknown_outcome"}


def seen(after: float = 1, *, key: str = "k", acts: bool = True, video: str = "teaser") -> Reception:
    return Reception(AT + after, "w/g/alpha", key, video, instant_text(AT), acts)


@pytest.mark.parametrize(
    ("spans", "received", "record", "word"),
    [
        (ALWAYS, [seen()], DONE, "sent"),
        (ALWAYS, [seen(), seen(9, acts=False)], DONE, "sent"),
        (PULLED, [seen()], DONE, "sent"),
        (ALWAYS, [seen()], UNKNOWN, "sent, recorded as unknown_outcome"),
        (ALWAYS, [], UNKNOWN, "excused: unknown_outcome"),
        (CANCELLED, [], {"status": "cancelled", "reason": "declared"}, "not to be sent"),
    ],
)
def test_what_may_happen_is_no_fault(
    spans: list[Span], received: list[Reception], record: dict[str, Any], word: str
) -> None:
    assert judge(spans, received, record, UNTIL) == (word, "")


@pytest.mark.parametrize(
    ("spans", "received", "record", "word"),
    [
        (ALWAYS, [], {"status": "pending", "reason": None}, "lost"),
        (ALWAYS, [], {"status": "failed", "reason": "missed"}, "lost"),
        (ALWAYS, [], {"status": "cancelled", "reason": "withdrawn"}, "lost"),
        (ALWAYS, [], None, "lost"),
        (ALWAYS, [], DONE, "recorded and not sent"),
        (ALWAYS, [seen(), seen(9)], DONE, "doubled"),
        (ALWAYS, [seen(), seen(9, key="other", acts=False)], DONE, "doubled"),
        (ALWAYS, [seen(-2)], DONE, "early"),
        (ALWAYS, [seen(video="another")], DONE, "not as declared"),
        (CANCELLED, [seen()], DONE, "not as declared"),
        (MOVED, [seen()], DONE, "not as declared"),
        (ALWAYS, [seen()], {"status": "pending", "reason": None}, "sent and unrecorded"),
        (ALWAYS, [seen()], {"status": "failed", "reason": "missed"}, "sent and unrecorded"),
    ],
)
def test_what_may_not_happen_is_a_fault(
    spans: list[Span], received: list[Reception], record: dict[str, Any] | None, word: str
) -> None:
    found, problem = judge(spans, received, record, UNTIL)
    assert (found, bool(problem)) == (word, True)
