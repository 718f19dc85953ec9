"""A miniature whose state is on a branch of a remote, and what an administrator can do to that branch."""

from __future__ import annotations

import subprocess
from pathlib import Path

from git_repository import git
from miniature import Miniature

REF = "refs/heads/scheduler-state"


def put_on_a_branch(mini: Miniature) -> Path:
    """From now on the state is on a branch of a remote, where there is none yet; the remote's folder."""
    git(mini.root, "init", "-q", "-b", "main")
    git(mini.root, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(mini.root, "remote", "add", "origin", str(mini.root / "origin.git"))
    mini.write({"scheduler.yaml": "state: branch:scheduler-state\n"})
    return mini.root / "origin.git"


class Branch:
    """`remote` is the bare repository that holds the branch; there is no state on it yet."""

    def __init__(self, mini: Miniature) -> None:
        self.mini = mini
        self.remote = put_on_a_branch(mini)
        git(self.remote, "config", "receive.denyDeletes", "false")
        git(mini.root, "add", "channels", "waves", "scheduler.yaml")
        git(mini.root, "commit", "-q", "-m", "Announce spring")
        git(mini.root, "push", "-q", "origin", "main")

    @property
    def tip(self) -> str:
        return git(self.remote, "rev-parse", "--verify", REF)

    def text(self) -> bytes:
        return git(self.remote, "show", f"{REF}:state.json").encode() + b"\n"

    def commit(self, text: bytes) -> None:
        """Commit a state by hand on top of what is there."""
        blob = subprocess.run(
            ["git", "-C", str(self.remote), "hash-object", "-w", "--stdin"],
            input=text, capture_output=True, check=True,
        ).stdout.decode().strip()  # fmt: skip
        rows = f"100644 blob {blob}\tstate.json\n"
        tree = subprocess.run(
            ["git", "-C", str(self.remote), "mktree"], input=rows, capture_output=True, text=True, check=True
        ).stdout.strip()
        made = git(self.remote, "commit-tree", tree, "-p", self.tip, "-m", "By hand")
        git(self.remote, "update-ref", REF, made)

    def set_back(self) -> None:
        """What an administrator can do: the branch forgets all that followed its first commit."""
        git(self.remote, "update-ref", REF, git(self.remote, "rev-list", "--max-parents=0", REF))

    def fresh_clone(self) -> Miniature:
        """What the next job on GitHub Actions begins with: nothing but a checkout."""
        git(self.mini.root, "clone", "-q", str(self.remote), "fresh")
        clone = Miniature(self.mini.root / "fresh")
        clone.environ = self.mini.environ
        return clone
