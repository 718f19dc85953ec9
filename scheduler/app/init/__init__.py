"""A new repository for somebody who installed the package: its files, and how they are written.

Workflows, pages and the channel's side are this project's own files: links below `files`, which a built
package contains as plain files. The action that installs the scheduler differs: there is no source and no
lock file beside it, so it installs by name, at the versions that are installed here.

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
from scheduler.app.schemas import schema_files
from scheduler.desired.fields import OWNER
from scheduler.errors import Error
from scheduler.times import Instant, moment_of
from scheduler.wording import quoted

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
    ("${{ hashFiles('uv.lock', 'pyproject.toml', 'scheduler/**') }}", "${{ hashFiles('requirements.txt') }}"),
    (
        "run: uv sync --locked --no-dev --no-editable --compile-bytecode",
        "run: uv venv --quiet --clear .venv &&"
        " uv pip install --python .venv --compile-bytecode --requirement requirements.txt",
    ),
)
"""Texts of the action that installs the scheduler: in this project, and in a new repository."""


def files(owner: str, now: Instant, pinned: Pinned) -> dict[str, str]:
    """The text of every file of a new repository, by path. Raises Error for an invalid owner."""
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
    texts["requirements.txt"] = pinned.text
    texts |= {f"schemas/{name}": text for name, text in schema_files().items()}
    return dict(sorted(texts.items()))


def _text(name: str) -> str:
    return (Path(__file__).parent / "files" / name).read_text(encoding="utf-8")


def _filled(text: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


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
