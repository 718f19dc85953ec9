"""Our hook for pre-commit, in the repository of somebody who uses it.

The real pre-commit clones the hook's repository and reads its manifest. Only the environment that it would
make of `language: python` is this one (`language: system`), so that nothing is fetched; `.ci/run` makes a
real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from git_repository import git
from miniature import Miniature

PROJECT = Path(__file__).resolve().parent.parent
MANIFEST = PROJECT / ".pre-commit-hooks.yaml"
WAVE = """\
schedules:
  - type: simultaneous
    video: teaser-4k
    at: 2090-03-01T18:00:00Z
    channels: [alpha]
"""


@pytest.fixture
def pre_commit() -> str:
    beside = Path(sys.executable).parent / "pre-commit"
    found = str(beside) if beside.exists() else shutil.which("pre-commit")
    if found is None:
        pytest.skip("pre-commit is not installed (the dependency group ci)")
    return found


@pytest.fixture
def desk(mini: Miniature, tmp_path_factory: pytest.TempPathFactory, pre_commit: str) -> Miniature:
    """A repository of waves whose commits our hook checks."""
    hooks = tmp_path_factory.mktemp("hooks")
    git(hooks, "init", "--quiet")
    shutil.copy(MANIFEST, hooks)
    git(hooks, "add", ".")
    git(hooks, "commit", "--quiet", "--message", "Begin")
    hook = {"id": "scheduler-validate", "language": "system"}
    config = {"repos": [{"repo": str(hooks), "rev": git(hooks, "rev-parse", "HEAD"), "hooks": [hook]}]}
    mini.write({".pre-commit-config.yaml": yaml.safe_dump(config)}).channels("alpha")
    git(mini.root, "init", "--quiet")
    git(mini.root, "add", ".")
    git(mini.root, "commit", "--quiet", "--message", "Begin")
    run(mini, pre_commit, "install", home=hooks)
    mini.environ["PRE_COMMIT_HOME"] = str(hooks / "home")
    return mini


def run(mini: Miniature, *command: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command in the repository, with the `scheduler` of this environment on the PATH."""
    beside = str(Path(sys.executable).parent)
    environ = {
        **mini.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }  # fmt: skip
    if home is not None:
        environ["PRE_COMMIT_HOME"] = str(home / "home")
    return subprocess.run(command, cwd=mini.root, env=environ, capture_output=True, text=True)


def commit(desk: Miniature, *files: str) -> subprocess.CompletedProcess[str]:
    git(desk.root, "add", *files)
    return run(desk, "git", "commit", "--message", "Try")


def test_the_manifest_is_one(mini: Miniature, pre_commit: str) -> None:
    done = run(mini, pre_commit, "validate-manifest", str(MANIFEST), home=mini.root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fault_stops_the_commit_and_is_told_at_its_place(desk: Miniature) -> None:
    desk.write({"waves/spring.yaml": WAVE.replace("[alpha]", "[aplha]")})
    done = commit(desk, "waves/spring.yaml")
    assert done.returncode == 1
    assert "waves/spring.yaml:5:16: error: " in done.stderr
    assert "did you mean alpha?" in done.stderr


def test_what_is_fine_is_committed(desk: Miniature) -> None:
    desk.write({"waves/spring.yaml": WAVE})
    done = commit(desk, "waves/spring.yaml")
    assert done.returncode == 0, done.stderr
    assert git(desk.root, "log", "-1", "--format=%s") == "Try"


def test_what_is_staged_is_checked_and_not_what_is_typed_beside_it(desk: Miniature) -> None:
    desk.write({"waves/spring.yaml": WAVE.replace("video", "vidoe")})
    git(desk.root, "add", "waves/spring.yaml")
    desk.write({"waves/spring.yaml": WAVE})
    assert "did you mean `video`?" in run(desk, "git", "commit", "--message", "Try").stderr


@pytest.mark.parametrize(
    ("file", "is_checked"),
    [
        ("scheduler.yaml", True),
        ("channels/beta.yml", True),
        ("waves/2090/late.yaml", True),
        ("README.md", False),
        ("docs/waves/spring.yaml", False),
    ],
)
def test_the_hook_runs_for_what_is_declared_alone(desk: Miniature, file: str, is_checked: bool) -> None:
    desk.write({"waves/broken.yaml": "schedules: nothing\n"})  # no part of the commit, and seen where all are
    text = {"scheduler.yaml": "catch_up: 1h\n", "channels/beta.yml": "repository: acme/beta\n"}
    desk.write({file: text.get(file, WAVE)})
    assert commit(desk, file).returncode == is_checked
