"""git as an editor uses it, with a name of its own and none of this machine's settings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; what it printed."""
    names = [f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    environ |= dict.fromkeys(names, "editor@example.org")
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(folder: Path, words: str) -> str:
    """Commit what is declared; the commit."""
    git(folder, "add", "-A", "waves", "channels")
    git(folder, "commit", "-q", "--allow-empty", "-m", words)
    return git(folder, "rev-parse", "HEAD")
