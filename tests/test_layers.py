"""Imports point one way, and pure rooms are pure: read off the source, room by room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "scheduler"

# From the ground up: a room imports only rooms that stand before it (docs/architecture.md tells them).
ROOMS = (
    "__init__",
    "times",
    "sources",
    "diagnostics",
    "errors",
    "heads",
    "boundaries",
    "clock",
    "workspace",
    "state",
    "slots",
    "syntax",
    "documents",
    "spec",
    "edits",
    "stores",
    "remote_tip",
    "dispatchers",
    "declarations",
    "schedules",
    "envelope",
    "jobs",
    "pace",
    "renames",
    "lineup",
    "conflicts",
    "outcomes",
    "plan",
    "environment",
    "audit",
    "limits",
    "reconciler",
    "review",
    "beginnings",
    "rows",
    "findings",
    "listing",
    "explanation",
    "proposals",
    "retries",
    "worktree",
    "ways",
    "apply",
    "watching",
    "programs",
    "ledger",
    "working",
    "simulation",
    "reports",
    "calendar",
    "notifying",
    "idle",
    "wiring",
    "verbs",
    "doctor",
    "scaffold",
    "arguments",
    "service",
    "cli",
    "commands",
    "actions",
    "__main__",
)
"""Every room of the package, in the order of its imports."""

PURE = frozenset(ROOMS) - {
    "boundaries",
    "clock",
    "workspace",
    "environment",
    "stores",
    "remote_tip",
    "dispatchers",
    "apply",
    "watching",
    "programs",
    "ledger",
    "working",
    "notifying",
    "idle",
    "wiring",
    "worktree",
    "verbs",
    "doctor",
    "scaffold",
    "service",
    "cli",
    "commands",
    "actions",
    "__main__",
}
IMPURE_MODULES = {
    "time",
    "os",
    "subprocess",
    "socket",
    "pathlib",
    "random",
    "secrets",
    "tempfile",
    "shutil",
    "io",
}
ALLOWED_IN_PURE = {
    ("simulation", "random"): "seeded: the same seed, the same history",
    ("reports", "io"): "a buffer in memory for the csv writer",
}
ONLY_IN = {
    "github": {"dispatchers"},
    "click": {"cli", "commands", "actions"},
    "yaml": {"documents"},
    "celery": {"dispatchers"},
    "apprise": {"notifying"},
    "subprocess": {"workspace", "programs", "worktree", "stores", "actions"},
    "sqlite3": {"dispatchers"},
    "h11": {"dispatchers"},
}


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(file: Path) -> Iterator[str]:
    """Every module that a file imports at run time; those for type checking alone do not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped |= {inner for statement in node.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "scheduler":
                yield from (f"scheduler.{alias.name}" for alias in node.names)
            elif node.module != "pathlib" or {alias.name for alias in node.names} != {"PurePosixPath"}:
                yield node.module  # a PurePosixPath takes names apart and touches no disk


def _rooms_imported(file: Path) -> Iterator[str]:
    for name in _imports(file):
        parts = name.split(".")
        if parts[0] == "scheduler" and len(parts) > 1 and parts[1] != "__version__":
            yield parts[1]


def test_every_room_has_its_place_in_the_order() -> None:
    assert {_room(file) for file in _files()} == set(ROOMS)


@pytest.mark.parametrize("file", _files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(file: Path) -> None:
    here = _room(file)
    upward = {room for room in _rooms_imported(file) if ROOMS.index(room) > ROOMS.index(here)}
    assert not upward, f"{here} imports {sorted(upward)}, which stand above it"


@pytest.mark.parametrize("file", _files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_pure_room_has_no_clock_no_file_and_no_environment(file: Path) -> None:
    if _room(file) not in PURE:
        return
    found = {name.split(".")[0] for name in _imports(file)} & IMPURE_MODULES
    assert {name for name in found if (_room(file), name) not in ALLOWED_IN_PURE} == set()
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}


@pytest.mark.parametrize("file", _files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_guest_library_stays_in_its_room(file: Path) -> None:
    for library, rooms in ONLY_IN.items():
        if any(name.split(".")[0] == library for name in _imports(file)):
            assert _room(file) in rooms, f"{library} is imported in {_room(file)}"


def test_the_architecture_page_names_every_room() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    unnamed = [room for room in ROOMS if f"`{room}`" not in page and room != "__init__"]
    assert unnamed == []
