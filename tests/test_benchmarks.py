"""The benchmarks run, at the smallest size: what they measure is no business of the tests."""

from __future__ import annotations

import math

import pytest

from benchmarks.__main__ import BENCHMARKS, Sizes, main, run
from benchmarks.report import Figure

TINY = Sizes(waves=2, channels=2, few=1, rounds=1, apart=0)


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - {"hold"}))  # that one waits for an instant to come
def test_a_benchmark_prints_a_figure_and_its_goal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run([name], TINY)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith(("ok ", "MISS ")) and " goal " in line for line in lines)


def test_a_benchmark_that_nobody_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idle", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_a_goal_is_met_up_to_its_very_value() -> None:
    figure = Figure("x", 2.0, "x", 2, "")
    assert figure.is_met
    assert not figure._replace(value=math.nextafter(2.0, 3)).is_met
