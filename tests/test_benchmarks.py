"""The benchmarks run, at the smallest size: what they measure is no business of the tests."""

from __future__ import annotations

import math
import re

import pytest

from benchmarks import patterns
from benchmarks.__main__ import BENCHMARKS, Sizes, main, run, run_beside
from benchmarks.report import Figure
from benchmarks.timing import ROOT

TINY = Sizes(waves=2, channels=2, few=1, rounds=1, apart=0, letters=200)


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - {"hold"}))  # that one waits for an instant to come
def test_a_benchmark_prints_a_figure_and_its_goal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run([name], TINY)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith(("ok ", "MISS ")) and " goal " in line for line in lines)


def test_the_patterns_are_found_where_they_are_made_and_where_they_are_used() -> None:
    found = {(use.place.partition(":")[0], use.method) for use in patterns.uses()}
    assert len(found) > 50
    made = ("delivery.github.dispatch_events", "search"), ("github_actions.markdown", "finditer")
    written_out = ("app.environment", "split"), ("delivery.github.responses", "fullmatch")
    assert found.issuperset([*made, *written_out, ("delivery.github.refusal_hints", "search")])


@pytest.mark.parametrize(
    ("pattern", "again"),
    [(r"tojson\([^)]*payload\)", "tojson("), (r"(?:a|b)-\s*\w+:", "a"), (r"(?<=://)[^@]*:[^@]*@", ":")],
)
def test_a_pattern_that_backtracks_is_tried_on_a_text_on_which_it_does(pattern: str, again: str) -> None:
    assert again in {recipe.again for recipe in patterns.recipes(re.compile(pattern))}


def test_a_benchmark_that_nobody_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["idle", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_a_build_is_measured_beside_another_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    if not (ROOT / ".venv/bin/python").exists():
        pytest.skip("the checkout has no .venv of its own")
    run_beside(ROOT, TINY)
    names = [line[5:].partition("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["validate, 2 x 2", "plan, 2 x 2", "idle run, 2 x 2", "burst of 2"]


def test_a_goal_is_met_up_to_its_very_value() -> None:
    figure = Figure("x", 2.0, "x", 2, "")
    assert figure.is_met
    assert not figure._replace(value=math.nextafter(2.0, 3)).is_met
