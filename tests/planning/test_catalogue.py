"""Every code is documented, every documented code is reported, and every example does what its page says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import Miniature, Outcome

from scheduler.planning import rules, spacing
from scheduler.planning.catalogue import CATALOGUE
from scheduler.planning.inquiry import Example, Inquiry, Rule

pytestmark = pytest.mark.usefixtures("still_clock")

PACKAGE = Path(rules.__file__).parents[2]
REPORTERS = {
    "error", "warning", "report", "refuse", "hold_back", "Violation", "Clash",
}  # fmt: skip
"""What is called with a code, as its first or second argument or as `code=`."""

WITH_EXAMPLES = {code: rule for code, rule in CATALOGUE.items() if rule.bad is not None}


def _reported() -> Iterator[tuple[str, str]]:
    """Every text that looks like a code and is given to a reporter, with its file."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in REPORTERS:
                given = [*node.args[:2], *(word.value for word in node.keywords if word.arg == "code")]
                for value in given:
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        yield value.value, file.relative_to(PACKAGE).as_posix()


def test_what_is_reported_is_documented_and_what_is_documented_is_reported() -> None:
    reported = dict(_reported())
    named = {code for code in reported if code in CATALOGUE}
    literal = {code: file for code, file in reported.items() if code.replace("-", "").isalpha()}
    assert {code: file for code, file in literal.items() if code not in CATALOGUE} == {}
    own = {rule.code for rule in rules.RULES}
    by_faults_of_yaml_and_models = {"yaml-syntax", "duplicate-key", "unknown-key", "missing-key"}
    assert CATALOGUE.keys() - named - own <= by_faults_of_yaml_and_models
    for code in by_faults_of_yaml_and_models:
        assert any(
            f'"{code}"' in file.read_text(encoding="utf-8") for file in (PACKAGE / "desired").glob("*.py")
        )


def test_the_file_of_a_rule_is_named_by_its_code() -> None:
    files = {file.stem for file in (PACKAGE / "planning" / "rules").glob("*.py")} - {"__init__"}
    assert files == {rule.code.replace("-", "_") for rule in rules.RULES}
    assert {*rules.ORDER} < {rule.code for rule in rules.RULES}


@pytest.mark.parametrize("rule", CATALOGUE.values(), ids=CATALOGUE)
def test_a_code_says_what_it_means_and_what_to_do(rule: Rule) -> None:
    assert rule.title and not rule.title.endswith(".")
    assert rule.meaning.endswith(".") and rule.remedy.endswith(".")
    assert (rule.bad is None) == (rule.good is None)


def _validate(mini: Miniature, example: Example, *also: Example) -> Outcome:
    """`validate` of an example, which may leave out files of another one that it goes with."""
    files = {name: text for one in (*also, example) for name, text in Example.split(one.files).items()}
    mini.channels("alpha", "beta", "gamma")
    if example.recorded:
        mini.write(Example.split(example.recorded))
        assert mini.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
        assert mini.run("run", now=example.recorded_at).code == 0
        if example.withdrawn_at:
            for name in Example.split(example.recorded):
                mini.remove(name)
            assert mini.run("run", now=example.withdrawn_at).code == 0
    mini.write(files)
    return mini.json("validate", now=example.now)


@pytest.mark.parametrize("rule", WITH_EXAMPLES.values(), ids=WITH_EXAMPLES)
def test_the_bad_example_breaks_its_rule_alone_and_show_gives_the_place(mini: Miniature, rule: Rule) -> None:
    assert rule.bad is not None
    outcome = _validate(mini, rule.bad)
    assert outcome.codes == [rule.code]
    rows = mini.json("list", now=rule.bad.now)
    blocked = [row for row in rows.json["schedules"] if row["problem"]] if rows.code == 0 else []
    for row in blocked:
        shown = mini.json("show", row["schedule_id"], now=rule.bad.now).json["why"]
        assert f"[{row['problem']}, " in shown, "a diagnostic names the schedule that its rule blocks"


@pytest.mark.parametrize("rule", WITH_EXAMPLES.values(), ids=WITH_EXAMPLES)
def test_the_good_example_breaks_no_rule(mini: Miniature, rule: Rule) -> None:
    assert rule.bad is not None and rule.good is not None
    outcome = _validate(mini, rule.good, rule.bad)
    assert (outcome.code, outcome.codes) == (0, [])


@pytest.mark.parametrize("seed", range(12))
def test_the_fast_path_finds_every_clash_that_the_time_lines_have(
    mini: Miniature, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini.channels("alpha", "beta", "gamma").run("state", "init", now="2026-01-01T00:00:00Z")
    for step, now in enumerate(("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z")):
        for wave in range(4):  # small primes spread times and videos over the seeds, some of them too near
            number = seed * 7 + wave * 5 + step * 3
            mini.write({f"waves/w{wave}.yaml": _wave(number, wave)})
        fast = mini.json("validate", now=now)
        with monkeypatch.context() as patch:
            patch.setattr(spacing, "_suspicious", _all_channels)
            assert mini.json("validate", now=now).out == fast.out
        mini.run("run", now=now)


def _all_channels(inquiry: Inquiry) -> set[str]:
    return {*inquiry.declared.channels}


def _wave(number: int, wave: int) -> str:
    channels = ["alpha", "beta", "gamma"][number % 2 : 2 + number % 3]
    at = f"2026-03-0{1 + wave % 2}T18:00:{number * 11 % 60:02}Z"
    lines = [f"video: v{number % 23}", f"group: g{wave}", f"at: {at}", f"channels: [{', '.join(channels)}]"]
    return "schedules:\n  - type: simultaneous\n" + "".join(f"    {line}\n" for line in lines)
