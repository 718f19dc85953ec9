"""The repository of waves and channels, as it lies on a loopback GitHub, with a runner for its workflows."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from acting import PROJECT, Outcome, Runner, git
from git_server import GitServer
from loopback_github import LoopbackGitHub, Repository

STANDINS = Path(__file__).resolve().parent / "standins"
NAME = "acme/waves"

CHANNEL = """\
name: Tech Daily
repository: acme/tech-daily
"""
SETTINGS = """\
state: branch:scheduler-state
"""


def in_minutes(minutes: float) -> str:
    """A time from now, as an editor writes it. The workflows run by the real clock, as they do on GitHub."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251


def wave(at: str, video: str = "teaser-4k", channel: str = "tech-daily") -> str:
    entry = {"type": "simultaneous", "group": "teaser", "video": video, "at": at, "channels": [channel]}
    return f"schedules:\n  - {json.dumps(entry)}\n"


def pinned_actions() -> dict[str, Path]:
    """The actions that our files use, as `owner/name@sha`, and what stands in for each."""
    files = [*(PROJECT / ".github").rglob("*.yml")]
    used = {
        match
        for file in files
        for match in re.findall(r"uses: ([\w-]+/[\w-]+)[/\w-]*@(\w+)", file.read_text())
    }
    return {f"{name}@{sha}": STANDINS / name.partition("/")[2] for name, sha in used}


@dataclass
class Home:
    """The repository, its editor's clone (`clone`), and what runs its workflows."""

    github: LoopbackGitHub
    server: GitServer
    clone: Path
    runner: Runner
    api: Repository
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, github: LoopbackGitHub, server: GitServer, act: str, folder: Path) -> Home:
        bare = server.root / NAME
        bare.mkdir(parents=True)
        git(bare, "init", "--quiet", "--bare", "--initial-branch", "main")
        git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(bare, "config", "http.receivepack", "true")
        clone = folder / "waves"
        clone.mkdir()
        git(clone, "init", "--quiet", "--initial-branch", "main")
        git(clone, "remote", "add", "origin", f"https://github.com/{NAME}")  # what act reads the name from
        git(clone, "remote", "set-url", "--push", "origin", str(bare))
        shutil.copytree(PROJECT / ".github", clone / ".github")
        # This runner does not know one key yet.
        reconcile = clone / ".github/workflows/reconcile.yml"
        reconcile.write_text(reconcile.read_text().replace("      deployment: false\n", ""))
        runner = Runner(act, clone, folder / "home", github.url, local_actions=pinned_actions())
        home = cls(github, server, clone, runner, github.add(NAME))
        home.environment = {
            "GITHUB_SERVER_URL": server.url, "STANDIN_GIT_URL": server.url,
            "STANDIN_GIT_TOKEN": "loopback-token", "STANDIN_PYTHON": sys.executable,
            "PYTHONPATH": str(PROJECT),
        }  # fmt: skip
        home.commit({"scheduler.yaml": SETTINGS, "channels/tech-daily.yaml": CHANNEL}, "Begin")
        return home

    def commit(self, files: Mapping[str, str | None], message: str, branch: str = "main") -> str:
        """Write (or, for None, remove) files, commit, push; the commit."""
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", message)
        git(self.clone, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.clone, "rev-parse", "HEAD")

    def fresh_clone(self) -> Path:
        """A clone as somebody else has it, with the server's repository as its origin."""
        clone = self.clone.parent / f"clone-{len(list(self.clone.parent.glob('clone-*')))}"
        git(self.clone.parent, "clone", "--quiet", str(self.server.root / NAME), str(clone))
        return clone

    def tick(self, event: str = "schedule", run_id: int = 50, **changes: Any) -> Outcome:
        """One run of reconcile.yml. `given` is merged into the event."""
        payload: dict[str, Any] = {"repository": {"default_branch": "main", "full_name": NAME}}
        payload |= {"schedule": {"schedule": "7,22,37,52 * * * *"}, "push": {"ref": "refs/heads/main"}}.get(
            event, {}
        )
        payload |= changes.pop("given", {})
        secrets = changes.pop("secrets", {"SCHEDULER_TOKEN": "acme-token"})
        variables = {"SCHEDULER_HOLD": "0s"} | changes.pop("variables", {})
        now = in_minutes(0)
        run = {"id": run_id, "created_at": now, "run_started_at": now, "conclusion": None}
        self.api.runs.append(run | {"path": ".github/workflows/reconcile.yml", "head_branch": "main"})
        return self.runner.run(
            event, payload, run_id=run_id, workflow="reconcile.yml", secrets=secrets, variables=variables,
            environment=self.environment, more=["--no-skip-checkout"], **changes,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """The recorded state, from its branch on the server."""
        text = git(self.server.root / NAME, "show", "scheduler-state:state.json")
        document: dict[str, Any] = json.loads(text)
        return document

    def words_of_state(self) -> list[str]:
        """The last commit message of the state branch, line by line."""
        return git(self.server.root / NAME, "log", "-1", "--format=%B", "scheduler-state").splitlines()

    def log_of_state(self) -> list[str]:
        """The titles of the state branch's commits, newest first."""
        return git(self.server.root / NAME, "log", "--format=%s", "scheduler-state").splitlines()
