"""The house: eleven wings above six leaves. Each wing's `__init__` says what it may import, and keeps to it.

The contract of a wing is what follows `Imports:` in the docstring of its package. What is imported
for the type checker alone counts like the rest, so that no wing knows another's types by the back door.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "scheduler"
LEAVES = ("times", "errors", "diagnostics", "wording", "clock", "failpoints")
"""Anyone may import these; they import nothing but each other."""

WINGS = (
    "checkout",
    "desired",
    "state",
    "planning",
    "delivery",
    "editing",
    "simulation",
    "reporting",
    "app",
    "cli",
    "github_actions",
)
DOORS = ("__init__", "__main__", "actions")
"""How the package is entered: `import scheduler`, `python -m scheduler`, and a name that workflows call."""

MOST_NAMES, MOST_FLOORS, MOST_ARROWS = 22, 12, 100

PURE = ("times", "errors", "diagnostics", "wording", "desired", "planning", "editing", "simulation")
"""No clock, no disk, no environment, no network in any file of these."""
PURE_APART_FROM = {
    "state": {"stores"},
    "reporting": {"notify"},
}
"""Wings that are pure but for the rooms named."""
IMPURE_MODULES = {
    "time", "os", "subprocess", "socket", "pathlib", "random", "secrets", "tempfile", "shutil", "io",
}  # fmt: skip
ALLOWED_IN_PURE = {
    ("times", "io"): "a buffer in memory for the rules of a zone",
    ("simulation", "random"): "seeded: the same seed, the same history",
    ("reporting", "io"): "a buffer in memory for the csv writer",
}
ONLY_IN = {
    "github": {"github_actions"},
    "click": {"cli", "github_actions"},
    "yaml": {"desired/yaml_reader.py"},
    "celery": {"delivery/queue"},
    "apprise": {"reporting/notify.py"},
    "subprocess": {"checkout", "delivery/queue/commands.py", "state/stores", "github_actions"},
    "sqlite3": {"delivery/queue"},
    "h11": {"delivery/github"},
}


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _files(folder: Path = PACKAGE) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def _room(file: Path) -> str:
    """The leaf, wing or door that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it and for whatever purpose."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "scheduler":
                yield from (f"scheduler.{alias.name}" for alias in node.names)
            elif node.module != "pathlib" or {alias.name for alias in node.names} != {"PurePosixPath"}:
                yield node.module  # a PurePosixPath takes names apart and touches no disk


def _rooms_imported(file: Path) -> set[str]:
    """The leaves and wings that a file imports, without its own."""
    parts = (name.split(".") for name in _imports(file))
    found = {part[1] for part in parts if part[0] == "scheduler" and len(part) > 1}
    return found - {"__version__", _room(file)}


def _arrows() -> dict[str, set[str]]:
    arrows: dict[str, set[str]] = {_room(file): set() for file in _files()}
    for file in _files():
        arrows[_room(file)] |= _rooms_imported(file)
    return arrows


def _contract(wing: str) -> set[str]:
    docstring = ast.get_docstring(_tree(PACKAGE / wing / "__init__.py")) or ""
    (line,) = re.findall(r"^Imports: (.*(?:\n.*)*)\.$", docstring, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", line))


def test_the_top_level_is_the_leaves_the_wings_and_the_doors() -> None:
    names = {_room(file) for file in _files()}
    assert names <= {*LEAVES, *WINGS, *DOORS}
    assert len(names) <= MOST_NAMES


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_says_in_a_paragraph_what_it_is_for(wing: str) -> None:
    docstring = ast.get_docstring(_tree(PACKAGE / wing / "__init__.py")) or ""
    assert len(docstring.split("Imports:")[0].split()) > 20


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_what_its_contract_says_and_nothing_else(wing: str) -> None:
    imported: defaultdict[str, list[str]] = defaultdict(list)
    for file in _files(PACKAGE / wing):
        for room in _rooms_imported(file):
            imported[room].append(_name(file))
    assert {room: files for room, files in imported.items() if room not in _contract(wing)} == {}
    assert sorted(_contract(wing) - imported.keys()) == [], "the contract allows what nobody imports"


def test_leaves_import_leaves_alone() -> None:
    assert {leaf: rooms for leaf, rooms in _arrows().items() if leaf in LEAVES and rooms - {*LEAVES}} == {}


def test_floors_arrows_and_circles_are_few() -> None:
    """The floor of a room is one above the highest that it imports. A circle would have none."""
    arrows = _arrows()
    floors: dict[str, int] = {}
    while len(floors) < len(arrows):
        ready = [room for room in arrows if room not in floors and arrows[room] <= floors.keys()]
        assert ready, f"a circle among {sorted(arrows.keys() - floors.keys())}"
        floors |= {room: 1 + max((floors[below] for below in arrows[room]), default=0) for room in ready}
    assert max(floors.values()) <= MOST_FLOORS
    assert sum(len(rooms) for rooms in arrows.values()) <= MOST_ARROWS


def test_module_names_are_unique_within_a_wing_and_class_names_in_the_package() -> None:
    modules: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for file in _files():
        if file.stem not in ("__init__", "__main__"):
            modules[_room(file), file.stem].append(_name(file))
        for node in _tree(file).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(_name(file))
    assert {key: files for key, files in modules.items() if len(files) > 1} == {}
    assert {name: files for name, files in classes.items() if len(files) > 1} == {}


def _is_pure(file: Path) -> bool:
    room, *rest = Path(_name(file)).with_suffix("").parts
    return room in PURE or (room in PURE_APART_FROM and not {*rest} & PURE_APART_FROM[room])


@pytest.mark.parametrize("file", list(filter(_is_pure, _files())), ids=_name)
def test_a_pure_room_has_no_clock_no_file_and_no_environment(file: Path) -> None:
    found = {name.split(".")[0] for name in _imports(file)} & IMPURE_MODULES
    assert {name for name in found if (_room(file), name) not in ALLOWED_IN_PURE} == set()
    calls = {
        node.func.id
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_guest_library_stays_in_its_room(library: str) -> None:
    users = [
        _name(file)
        for file in _files()
        if any(name.split(".")[0] == library for name in _imports(file))
        and not any(_name(file) == room or _name(file).startswith(f"{room}/") for room in ONLY_IN[library])
    ]
    assert users == []


def test_the_architecture_page_names_every_room() -> None:
    page = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [room for room in (*LEAVES, *WINGS) if f"`{room}`" not in page] == []


def test_tests_mirror_the_wings() -> None:
    folders = {path.name for path in (PROJECT / "tests").iterdir() if path.is_dir()}
    assert {*folders} - {"__pycache__"} == {*WINGS, "support", "corpora"}
