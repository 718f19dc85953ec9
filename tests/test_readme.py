"""The README's examples: every console block is run, in order, on a copy of this repository.

`python tests/test_readme.py --rewrite` writes the outputs anew, for review.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
NOW = "2030-02-25T09:00:00Z"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_LINEAGE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LINEAGE = "3e1c50f2-6a53-4b0a-9f57-d5a2ea0c4a52"


def copy_of_the_repository(folder: Path) -> Path:
    """The example as a clone with a remote, as an operator has it."""
    home, remote = folder / "home", folder / "remote.git"
    home.mkdir()
    for name in ("waves", "channels", "schemas", "examples"):
        shutil.copytree(PROJECT / name, home / name)
    shutil.copy(PROJECT / "scheduler.yaml", home)
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    for command in (
        ["init", "--quiet", "--bare", str(remote)],
        ["-C", str(home), "init", "--quiet"],
        ["-C", str(home), "add", "."],
        ["-C", str(home), "commit", "--quiet", "-m", "Begin"],
        ["-C", str(home), "remote", "add", "origin", remote.as_uri()],
        ["-C", str(home), "push", "--quiet", "origin", "HEAD:main"],
    ):
        subprocess.run([*git, *command], check=True)
    return home


def run_commands(block: str, home: Path) -> str:
    """A console block with the outputs that its commands have now."""
    lines = []
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        words = line.removeprefix("$ scheduler ").split()
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "HOME": str(home)}
        done = subprocess.run(
            [sys.executable, "-m", "scheduler", "--now", NOW, *words],
            cwd=home,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        lines.append(line)
        lines.append(_LINEAGE.sub(LINEAGE, done.stdout).rstrip("\n"))
    return "\n".join(filter(None, lines)) + "\n"


def rewritten(text: str) -> str:
    """The README with the outputs that its commands have now."""
    with tempfile.TemporaryDirectory() as folder:
        home = copy_of_the_repository(Path(folder))
        return _BLOCK.sub(lambda match: f"```console\n{run_commands(match.group(1), home)}```", text)


def test_every_console_block_of_the_readme_prints_what_it_says() -> None:
    text = README.read_text(encoding="utf-8")
    assert rewritten(text) == text


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (PROJECT / link).exists()] == []


if __name__ == "__main__" and "--rewrite" in sys.argv:
    README.write_text(rewritten(README.read_text(encoding="utf-8")), encoding="utf-8")
