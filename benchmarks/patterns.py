"""Every regular expression of the package on hostile texts of 10 and of 100 KB: linear is 10 times the time.

A match holds the interpreter's lock: while a pattern backtracks over what somebody else wrote, nothing of
the same process is sent. The patterns are found in the code, and the texts are made from each pattern: a
piece of it again and again, after what comes before it, and before what it can never accept.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import scheduler
from benchmarks.report import Figure

GOAL = 30
"""A linear pattern takes 10 times as long for ten times the text, a quadratic one 100 times."""
UNNOTICED = 0.02
"""Seconds for the long text below which a ratio says more about the machine than about the pattern."""
_PLACES_OF_FLAGS = {"compile": 1, "search": 2, "match": 2, "fullmatch": 2, "findall": 2, "finditer": 2}
_METHODS = (*_PLACES_OF_FLAGS, "sub", "subn", "split")
MADE: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "delivery.github.refusal_hints": lambda module: [row[0] for row in module._FORBIDDEN],
    "delivery.github.workflow_runs": lambda _: ["(?<![A-Za-z0-9])gs1-abc(?![A-Za-z0-9])"],
    "desired.fields": lambda module: [module._ALLOW, module._QUEUE_URL],
    "github_actions.locked_zones": lambda module: [text for pair in module._FILES.values() for text in pair],
}
"""By module: the patterns that it puts together while it runs."""
_parser: Any = importlib.import_module("re._parser")


class Use(NamedTuple):
    """One pattern, and a method by which some place in the package uses it."""

    place: str
    pattern: re.Pattern[Any]
    method: str


def uses() -> list[Use]:
    """Every pattern of the package with each method that is called on it.

    Raises KeyError for a module that puts one together while it runs, and is not in `MADE`.
    """
    modules = [
        importlib.import_module(one.name)
        for one in pkgutil.walk_packages(scheduler.__path__, "scheduler.")
        if not one.name.endswith("__main__")
    ]
    trees = {module: ast.parse(Path(str(module.__file__)).read_text("utf-8")) for module in modules}
    called: defaultdict[str, set[str]] = defaultdict(
        set
    )  # by the last name: `_KEY.search`, `event.key.match`
    for node in (node for tree in trees.values() for node in ast.walk(tree)):
        if isinstance(node, ast.Attribute) and node.attr in _METHODS:
            called[_last_name(node.value)].add(node.attr)
    found: dict[tuple[Any, int, str], Use] = {}
    for module, tree in trees.items():
        named = _assigned(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            function = _last_name(call.func)
            if _last_name(getattr(call.func, "value", call)) != "re" or function not in _METHODS:
                continue
            own = {function} if function != "compile" else called[named.get(call, "")] - {"compile"}
            place = f"{module.__name__.partition('.')[2]}:{call.lineno}"
            for pattern in _patterns(module, call, function):
                for method in sorted(own) or ["search"]:
                    found.setdefault((pattern.pattern, pattern.flags, method), Use(place, pattern, method))
    return list(found.values())


def _last_name(node: ast.AST) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def _assigned(tree: ast.Module) -> dict[ast.AST, str]:
    """From each expression that is given a name, or is within one that is, to the name."""
    names: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            names |= dict.fromkeys(ast.walk(node.value), _last_name(target))
    return names


def _patterns(module: ModuleType, call: ast.Call, function: str) -> list[re.Pattern[Any]]:
    """What a call of a function of `re` may use."""

    def value(node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), "pattern", "eval"), dict(vars(module)))

    named = (keyword.value for keyword in call.keywords if keyword.arg == "flags")
    flags = [value(node) for node in (*call.args[_PLACES_OF_FLAGS.get(function, 4) :], *named)]
    first = call.args[0]
    try:
        texts = [
            value(node) for node in ([first.body, first.orelse] if isinstance(first, ast.IfExp) else [first])
        ]
    except NameError:
        texts = [*MADE[module.__name__.partition(".")[2]](module)]
    return [re.compile(text, *flags) for text in texts]


class Recipe(NamedTuple):
    """A text on which a pattern that can backtrack does: one piece of it again and again."""

    before: str
    again: str
    end: str

    def text(self, pattern: re.Pattern[Any], length: int) -> Any:
        text = self.before + self.again * (length // len(self.again)) + self.end
        return text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")


def recipes(pattern: re.Pattern[Any]) -> Iterator[Recipe]:
    """Each run of a few pieces of the pattern, after those that come before it."""
    for pieces in _ways(_parser.parse(pattern.pattern, pattern.flags)):
        letters = sorted({letter for piece in pieces for letter in piece})
        for start in range(len(pieces)):
            ends = range(start + 1, min(start + 5, len(pieces)) + 1)
            runs = {"".join(pieces[start:end]) for end in ends}
            for again in sorted(runs.union(letters)):
                for end in ("\0", "\n\0"):
                    yield Recipe("".join(pieces[:start]), again, end)


def _ways(tree: Any) -> list[list[str]]:
    """What a text has, piece by piece, that the pattern takes: one such list for each alternative."""
    ways: list[list[str]] = [[]]
    literal = False
    for kind, value in tree:
        name = str(kind)
        if name == "LITERAL" and literal:
            more = [[way[-1] + chr(value)] for way in ways]
            ways = [[*way[:-1], *one] for way, one in zip(ways, more, strict=True)]
            continue
        literal = name == "LITERAL"
        further = [[]]
        if name == "BRANCH":
            further = [way for branch in value[1] for way in _ways(branch)]
        elif name in ("SUBPATTERN", "ASSERT"):
            further = _ways(value[-1])
        elif name == "ATOMIC_GROUP":
            further = _ways(value)
        elif name.endswith("REPEAT"):
            further = [way * max(1, min(value[0], 10)) for way in _ways(value[2])]
        elif name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            further = [[letter] for letter in _letters(name, value)]
        first, *rest = further
        ways = [[*way, *first] for way in ways] + [[*ways[0], *one] for one in rest]
    return ways


def _letters(name: str, value: Any) -> list[str]:
    """A character or two that a class takes."""
    if name == "LITERAL":
        return [chr(value)]
    if name == "NOT_LITERAL":
        return ["a" if value != ord("a") else "b"]
    if name == "ANY":
        return ["a"]
    if str(value[0][0]) == "NEGATE":
        return ["a"]
    samples = {"LITERAL": chr, "RANGE": lambda ends: chr(ends[0]), "CATEGORY": lambda what: _IN[str(what)]}
    return [samples[str(kind)](one) for kind, one in value[:2]]


_IN = {
    "CATEGORY_DIGIT": "1", "CATEGORY_NOT_DIGIT": "a", "CATEGORY_SPACE": " ", "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_WORD": "a", "CATEGORY_NOT_WORD": "-",
}  # fmt: skip


def linear(long: int) -> Iterator[Figure]:
    """Each pattern that is not linear; where all are, the one that comes nearest to it."""
    figures = [_figure(use, long) for use in uses()]
    missed = [figure for figure in figures if not figure.is_met]
    yield from missed or [max(figures, key=lambda figure: figure.value)]


def _figure(use: Use, long: int) -> Figure:
    """The time that ten times the text takes, for the text on which the pattern is slowest."""

    def seconds(length: int, recipe: Recipe, rounds: int) -> float:
        text, match = recipe.text(use.pattern, length), getattr(use.pattern, use.method)
        given = (text[:0], text) if use.method.startswith("sub") else (text,)
        best = float("inf")
        for _ in range(rounds):
            begun = time.process_time()
            for _ in match(*given) if use.method == "finditer" else (match(*given),):
                pass
            best = min(best, time.process_time() - begun)
        return best

    ranked = sorted(recipes(use.pattern), key=lambda recipe: seconds(long // 10, recipe, 1))
    worst = ranked[-1] if ranked else Recipe("", "a", "")
    full = seconds(long, worst, 3)
    ratio = full / seconds(long // 10, worst, 5) if full >= UNNOTICED else 1.0
    detail = f"{full * 1000:.1f} ms for {worst.again[:20]!r} again and again, {long:,} characters"
    return Figure(f"{use.place}, {use.method}", ratio, "x", GOAL, detail)
