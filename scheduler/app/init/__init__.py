"""A new repository for somebody who installed the package: its files, and how they are written.

Workflows, pages and the channel's side are this project's own files: links below `files`, which a built
package contains as plain files. The action that installs the scheduler differs: there is no source and no
lock file beside it, so it installs what requirements.txt locks and the scheduler from where it came. In a
folder of an existing repository the workflows are written at its top, with names of their own.

Effects: files. No existing file is ever overwritten.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path, PurePosixPath

from scheduler.app.init.requirements import Pinned, pin
from scheduler.app.preconditions import slug_of
from scheduler.app.schemas import schema_files
from scheduler.desired.fields import OWNER
from scheduler.errors import Error
from scheduler.reporting.terminal import visible
from scheduler.times import Instant, moment_of
from scheduler.wording import and_more, quoted

__all__ = ["Pinned", "files", "pin", "write"]

AHEAD = timedelta(days=365)
"""How far in the future the first wave is, so that it surprises nobody."""

AS_THEY_ARE: Mapping[str, str] = {
    ".github/ISSUE_TEMPLATE/new-wave.yml": "new-wave.yml",
    ".github/PULL_REQUEST_TEMPLATE.md": "PULL_REQUEST_TEMPLATE.md",
    ".github/dependabot.yml": "dependabot.yml",
    ".github/workflows/new-wave.yml": "new-wave-workflow.yml",
    ".github/workflows/reconcile.yml": "reconcile.yml",
    ".github/workflows/validate.yml": "validate.yml",
    ".gitignore": "gitignore",
    ".vscode/extensions.json": "extensions.json",
    ".vscode/settings.json": "settings.json",
    ".vscode/waves.code-snippets": "waves.code-snippets",
    "README.md": "README.md",
    "docs/punctuality.md": "punctuality.md",
    "docs/setting-up-on-github.md": "setting-up-on-github.md",
    "docs/threat-model.md": "threat-model.md",
    "examples/channel-repository/.github/workflows/publish.yml": "publish.yml",
    "examples/channel-repository/README.md": "channel-repository.md",
}
"""A file of the new repository -> the file that is copied."""
TEMPLATES: Mapping[str, str] = {
    ".github/CODEOWNERS": "CODEOWNERS",
    "channels/my-channel.yaml": "my-channel.yaml",
    "scheduler.yaml": "scheduler.yaml",
    "waves/first-wave.yaml": "first-wave.yaml",
}
"""Files in which the owner and the time of the first wave are filled in."""
INSTALLING = (
    (", from the lock file", ", from requirements.txt"),
    ("changes with the lock file and the source", "changes with the pinned versions"),
    (
        "${{ hashFiles('uv.lock', 'pyproject.toml', 'scheduler/**') }}",
        "${{ hashFiles('requirements*.txt') }}",
    ),
    (
        "run: uv sync --locked --no-dev --no-editable --compile-bytecode",
        "run: uv venv --quiet --clear .venv"
        " && uv pip install --python .venv --compile-bytecode --require-hashes --requirement requirements.txt"
        " && uv pip install --python .venv --compile-bytecode --no-deps"
        " --requirement requirements-scheduler.txt",
    ),
)
"""Texts of the action that installs the scheduler: in this project, and in a new repository."""
AT_THE_TOP = frozenset(
    {
        ".github/CODEOWNERS",
        ".github/ISSUE_TEMPLATE/new-wave.yml",
        ".github/PULL_REQUEST_TEMPLATE.md",
        ".github/dependabot.yml",
        ".github/workflows/new-wave.yml",
    }
)
"""Files that are the whole repository's: a scheduler in a folder of it leaves them to its owners."""
ALLOWED = (".git", ".gitignore")
KEPT = ("README.md", ".gitignore")
"""Of what a new repository may have already, the files that are ours too, and stay as they are."""


def files(owner: str, now: Instant, pinned: Pinned, folder: str = "") -> dict[str, str]:
    """The text of every file, by its path from the top of the repository; `folder` is the scheduler's.

    Raises Error for an invalid owner, and for a folder that a workflow cannot name.
    """
    if not re.fullmatch(OWNER, owner):
        raise Error(
            f"{quoted(owner)} is not the name of a GitHub user or organization",
            hint="write the name as in github.com/NAME: `--owner acme`",
        )
    at = (moment_of(now) + AHEAD).replace(hour=18, minute=0, second=0)
    values = {"<owner>": owner, "<time>": f"{at:%Y-%m-%dT%H:%M:%SZ}", "<local time>": f"{at:%Y-%m-%dT%H:%M}"}
    texts = {path: _text(name) for path, name in AS_THEY_ARE.items()}
    for path, name in TEMPLATES.items():
        texts[path] = _filled(_text(name), values)
    texts[".github/actions/scheduler/action.yml"] = _filled(_text("action.yml"), dict(INSTALLING))
    texts |= {"requirements.txt": pinned.dependencies, "requirements-scheduler.txt": pinned.own}
    texts |= {f"schemas/{name}": text for name, text in schema_files().items()}
    return dict(sorted((_within(folder, texts) if folder else texts).items()))


def _within(folder: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The files of a scheduler in a folder: GitHub reads workflows at the top alone."""
    slug = slug_of(folder)
    if not re.fullmatch(r"(?!-)(?!.*\.(?:\.|lock$|$))[A-Za-z0-9._-]+", slug):
        raise Error(
            f"the folder {quoted(folder)} cannot be named in a workflow and a branch",
            hint="choose one whose name has only letters, digits, `_` and `-`, such as `media`",
        )
    said = {
        ".venv/bin/scheduler -C proposal": f".venv/bin/scheduler -C proposal/{folder}",
        "scheduler.actions comment": f"scheduler.actions comment -C proposal/{folder}",
        "scheduler.actions zones -C proposal": f"scheduler.actions zones -C proposal/{folder}",
        "scheduler.actions report": f"scheduler.actions report -C {folder}",
        "./.github/actions/scheduler ": f"./.github/actions/scheduler-{slug} ",
        "group: reconcile-": f"group: reconcile-{slug}-",
        "group: validate-": f"group: validate-{slug}-",
        "name: reconcile\n": f"name: reconcile-{slug}\n",
        "name: validate\n": f"name: validate-{slug}\n",
        "key: scheduler-": f"key: scheduler-{slug}-",
        "hashFiles('": f"hashFiles('{folder}/",
        "--requirement ": f"--requirement {folder}/",
        "docs/punctuality.md says": f"{folder}/docs/punctuality.md says",
        "reconcile.yml": f"reconcile-{slug}.yml",
        "validate.yml": f"validate-{slug}.yml",
        "scheduler-state": f"scheduler-state-{slug}",
        " In the browser, *Issues → New issue → New wave* is a form that becomes a pull request.": "",
    }
    placed = {}
    for path, text in texts.items():
        if path.startswith(".github/"):
            at = re.sub(r"(/(?:reconcile|validate)(?=\.yml)|/actions/scheduler)", rf"\1-{slug}", path)
            text = re.sub(r"(\.venv/bin/scheduler) (?=[a-z])", rf"\1 -C {folder} ", text)
        else:
            at = f"{folder}/{path}"
        if path not in AT_THE_TOP:
            placed[at] = _filled(text, said)
    return placed


def _text(name: str) -> str:
    return (Path(__file__).parent / "files" / name).read_text(encoding="utf-8")


def _filled(text: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def demand_room(folder: Path) -> list[str]:
    """The files that stay as they are. Raises Error where anything else than a new repository's is there."""
    try:
        there = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise Error(f"{folder} cannot be read: {problem.strerror or problem}") from None
    strange = [name for name in there if name not in ALLOWED and not name.startswith(("README", "LICENSE"))]
    if strange:
        raise Error(
            f"{folder} is not empty: it has {and_more([visible(name) for name in strange], 3)}; "
            "nothing was written",
            hint=f"name a new folder, such as `scheduler init {folder / 'publishing'}`",
        )
    return [name for name in KEPT if name in there]


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files, all or none. Raises Error where one exists, or cannot be written."""
    try:
        taken = next(_taken(folder, texts), None)
    except OSError as problem:
        raise Error(f"{folder} cannot be created: {problem.strerror or problem}") from None
    if taken is not None:
        raise Error(
            f"{folder / taken} already exists; nothing was written",
            hint="choose another folder, or move that file away",
        )
    made: list[Path] = []
    try:
        for name, text in texts.items():
            _make_folders(folder / PurePosixPath(name).parent, made)
            with (folder / name).open("x", encoding="utf-8") as file:
                made.append(folder / name)
                file.write(text)
    except OSError as problem:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise Error(f"{folder / name} cannot be written: {problem.strerror or problem}") from None


def _taken(folder: Path, names: Mapping[str, str]) -> Iterator[str]:
    """What is in the way of a new file: a file of that name, or something above it that is not a folder."""
    if os.path.lexists(folder) and not folder.is_dir():
        yield "."
    for name in names:
        for above in PurePosixPath(name).parents[-2::-1]:  # from the top, and without the top
            path = folder / above
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                yield str(above)
        if os.path.lexists(folder / name):
            yield name


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = [folder, *folder.parents]
    for one in reversed([one for one in missing if not one.exists()]):
        one.mkdir()
        made.append(one)
