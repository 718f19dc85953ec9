"""Whether a checkout contains a commit, and what the tip of the remote's branch is. Effects: git, network.

The history that a shallow clone lacks is fetched as commits alone, into a repository of its own that is
removed afterwards: the clone's configuration, depth and refs stay as they are.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from scheduler.checkout.git import OFFLINE, Git, hint_for
from scheduler.checkout.reading import top_of
from scheduler.errors import StateError

Standing = Literal["contained", "older", "diverged", "missing", "unknown"]
"""What a commit is for a checkout: in its history; newer than it; on another line of history; not in this
clone, and not in its history on the remote either; not known without asking the remote."""
TIMEOUT = 120.0
"""Seconds that the history of a branch may take, and less than a minute what is asked of a remote besides."""
_DEPTHS = (200, 2**31 - 1)
"""Commits of history that are fetched: first what is recent, then (git's word for it) all."""
_CONNECTING = ("core.gitproxy", "core.sshcommand", "credential.", "http.", "remote.", "ssh.", "url.")
_OF_THE_CLONE = (".fetch", ".mirror", ".partialclonefilter", ".promisor", ".prune", ".tagopt")


def standing(root: Path, recorded: str, head: str, *, fetch: bool = True) -> Standing:
    """What the recorded commit is for a checkout of the commit `head`; `unknown` only without `fetch`.

    Raises StateError where git or the remote cannot say.
    """
    if recorded == head:
        return "contained"
    top = Path(top_of(root) or root)  # a remote may be named by its path from there
    git = Git(top, TIMEOUT)
    is_here = _has(git, recorded)
    if is_here:
        if _is_ancestor(git, recorded, head):
            return "contained"
        if _is_ancestor(git, head, recorded):
            return "older"
    boundary = _boundary(git, top, head)
    if boundary and not fetch:
        return "unknown"
    if boundary and _is_behind(git, boundary, recorded):
        return "contained"
    return "diverged" if is_here else "missing"


def remote_tip(root: Path, branch: str | None, remote: str = "origin") -> str | None:
    """The commit of a branch of the remote, of its default branch where `branch` is None.

    None where there is no such branch, or no such remote. Raises StateError where the remote does not say.
    """
    git = Git(root, TIMEOUT / 4)
    if git.ask("config", "--get", f"remote.{remote}.url") is None:
        return None
    ref = "HEAD" if branch is None else f"refs/heads/{branch}"
    output = git.run("ls-remote", "--quiet", "--", remote, ref, network=True)
    if output.code != 0:
        message = f"the tip of {branch or 'the default branch'} of {remote} cannot be read: {output.words}"
        raise StateError(message, hint="check the network and the remote's URL (`git remote -v`)")
    lines = (line.split("\t") for line in output.out.decode(errors="replace").splitlines())
    return next((commit for commit, name in lines if name == ref), None)


def _has(git: Git, commit: str) -> bool:
    """Whether the clone has a commit, without fetching it."""
    facts = git.demand(*OFFLINE, "cat-file", "--batch-check", given=f"{commit}\n".encode())
    return not facts.endswith(b" missing\n")


def _is_ancestor(git: Git, before: str, after: str) -> bool:
    return git.ask(*OFFLINE, "merge-base", "--is-ancestor", before, after) is not None


def _boundary(git: Git, top: Path, head: str) -> list[str]:
    """The commits at which the history of `head` is cut off in this clone."""
    try:
        cut = (top / git.line("rev-parse", "--git-path", "shallow")).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    reached = set(git.demand(*OFFLINE, "rev-list", head).decode("ascii").split())
    return [commit for commit in cut if commit in reached]


def _is_behind(git: Git, boundary: Sequence[str], commit: str) -> bool:
    """Whether a commit is in the history that the clone lacks. Raises StateError where that fails."""
    form = git.line("rev-parse", "--show-object-format")
    environment = _connection(git)
    wanted = [f"+{one}:refs/heads/{one}" for one in boundary]
    with tempfile.TemporaryDirectory(prefix="scheduler-history-") as folder:
        beside = f"--git-dir={folder}"
        git.demand("init", "--quiet", "--bare", "--template=", f"--object-format={form}", folder)
        for depth in _DEPTHS:
            fetched = git.run(
                beside, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=",
                "--filter=tree:0", f"--depth={depth}", "--", "origin", *wanted,
                network=True, environment=environment,
            )  # fmt: skip
            if fetched.code != 0:
                raise StateError(
                    f"the history of this shallow clone cannot be fetched: {fetched.words}",
                    hint=hint_for(fetched.words) or "check the network, or run `git fetch --unshallow`",
                )
            if commit in git.demand(beside, *OFFLINE, "rev-list", "--all").decode("ascii").split():
                return True
            if not (Path(folder) / "shallow").exists():
                break
    return False


def _connection(git: Git) -> Mapping[str, str]:
    """The environment that gives another repository this clone's own way to its remotes."""
    words = git.demand("config", "--list", "--show-scope", "-z").decode(errors="surrogateescape").split("\0")
    own = [
        entry.partition("\n")
        for scope, entry in zip(words[::2], words[1::2], strict=False)
        if scope in ("local", "worktree") and entry.startswith(_CONNECTING)
    ]
    kept = [
        (key, value if equals else "true") for key, equals, value in own if not key.endswith(_OF_THE_CLONE)
    ]
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    named = {f"GIT_CONFIG_KEY_{first + n}": key for n, (key, _) in enumerate(kept)}
    given = {f"GIT_CONFIG_VALUE_{first + n}": value for n, (_, value) in enumerate(kept)}
    return {"GIT_CONFIG_COUNT": str(first + len(kept)), **named, **given}
