"""The ground of a soak: a bare remote, one clone of it, and the programs that live on that clone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]
CHANNELS = {
    "alpha": "repository: acme/alpha\ntoken: ACME_TOKEN\n",
    "beta": "repository: acme/beta\ntoken: ACME_TOKEN\nlead: 20m\ndelivery: at-least-once\n",
    "gamma": "repository: acme/gamma\ntoken: ACME_TOKEN\ntransport: workflow_dispatch\n"
    "workflow: publish.yml\nconfirm: run\ndelivery: at-least-once\n",
    "delta": "queue: first\ncommand: sh ./receive at-most-once\n",
    "epsilon": "queue: second\ncommand: sh ./receive at-least-once\ndelivery: at-least-once\n",
}
LEADS = {"beta": 1200}
CATCH_UP = 7200
LEASE = 600
"""Seconds; ten of them are a hiccup of 0.16 s of this machine."""
SETTINGS = "catch_up: 2h\nconflicts: { min_gap: 10s }\nretry: { attempts: 5, backoff: 1m }\n"
RECEIVE = """\
# What a receiver does: it claims the key, as the workflow of channel repositories does, and then publishes.
if [ "$1" = at-least-once ] && [ "$SCHEDULER_ATTEMPT" = 1 ] && [ $(($(date +%s) % 5)) = 0 ]; then exit 75; fi
acts=false
if mkdir "$RECEIVED/$SCHEDULER_KEY"; then acts=true; fi
printf '{"at": %s, "acts": %s, "schedule_id": "%s", "key": "%s", "video": "%s", "scheduled_at": "%s"}\\n' \\
  "$(date +%s.%N)" $acts "$SCHEDULER_SCHEDULE_ID" "$SCHEDULER_KEY" "$SCHEDULER_VIDEO_ID" \\
  "$SCHEDULER_SCHEDULED_AT" >>"$RECEIVED.log"
sleep $(($(date +%s) % 60 * 3))
"""


def now() -> float:
    """The time of the soak."""
    return time.time()  # noqa: TID251 - the clock of a soak is not the scheduler's


pause = time.sleep


class Service:
    """A program that is started again half a minute after it ended, as under systemd."""

    def __init__(self, name: str, command: list[str], environ: dict[str, str], log: Path) -> None:
        self.name = name
        self._command, self._environ, self._log = command, environ, log
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._is_over = False

    def start(self) -> None:
        threading.Thread(target=self._keep, daemon=True).start()

    def stop(self) -> int | None:
        """End it as an operator does; its exit code."""
        self._is_over = True
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(3600)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None

    def _keep(self) -> None:
        while not self._is_over:
            with self._log.open("ab") as log:
                self.starts += 1
                self.process = subprocess.Popen(
                    self._command,
                    env=self._environ,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                code = self.process.wait()
                log.write(f"--- {now():.0f}: it ended with {code}\n".encode())
            if not self._is_over:
                pause(30)


class Ground:
    """The remote, the editor's desk, the clone, and what runs on it."""

    def __init__(self, folder: Path, home: str) -> None:
        self.folder, self.home = folder, home
        self.remote, self.desk, self.clone = folder / "remote.git", folder / "desk", folder / "clone"
        self.received = folder / "received"
        self.git_lock = threading.Lock()
        """Held by whoever uses git on the clone, so that only a kill gets in the way of a pull."""
        self.pull: subprocess.Popen[bytes] | None = None
        self._is_over = False
        names = [f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
        self.environ = {
            name: os.environ[name] for name in ("PATH", "LD_PRELOAD", "SOAK_CLOCK")
        } | dict.fromkeys(names, "editor@example.org") | {
            "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "ACME_TOKEN": "a-token-of-the-soak",
            "RECEIVED": str(self.received), "SCHEDULER_ALLOW_COMMANDS": "1", "PYTHONPATH": str(PROJECT),
            "SCHEDULER_COMMAND_ENV": "LD_PRELOAD,SOAK_CLOCK,RECEIVED",
        }  # fmt: skip
        self.services: dict[str, Service] = {}

    def git(self, where: Path, *arguments: str, check: bool = True) -> str:
        ran = subprocess.run(
            ["git", "-C", str(where), *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and ran.returncode:
            raise RuntimeError(f"git {' '.join(arguments)}: {ran.stderr}")
        return ran.stdout

    def scheduler(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of ours on the clone."""
        command = [sys.executable, "-m", "scheduler", "-C", str(self.clone), *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)

    def set_up(self, url: str) -> None:
        self.environ["GITHUB_API_URL"] = url
        self.received.mkdir()
        (self.folder / ".gitconfig").write_text(
            "[gc]\n\tauto = 0\n[pull]\n\trebase = false\n[advice]\n\tdetachedHead = false\n"
        )
        self.git(self.folder, "init", "-q", "--bare", "-b", "main", str(self.remote))
        self.git(self.folder, "clone", "-q", f"file://{self.remote}", str(self.desk))
        state = "state: branch:scheduler-state\n" if self.home == "branch" else ""
        files = {"scheduler.yaml": SETTINGS + state, "receive": RECEIVE}
        files |= {f"channels/{name}.yaml": text for name, text in CHANNELS.items()}
        files |= {".gitignore": "queue.db*\nstate.json\narchive/\n.state.json.lock\n", "waves/.keep": ""}
        for name, text in files.items():
            (self.desk / name).parent.mkdir(exist_ok=True)
            (self.desk / name).write_text(text)
        self.push("begin")
        self.git(self.folder, "clone", "-q", f"file://{self.remote}", str(self.clone))
        begun = self.scheduler("state", "init")
        assert begun.returncode == 0, begun.stderr

    def push(self, message: str) -> None:
        """Commit what is on the desk, and push it; what was pushed from the clone meanwhile is merged."""
        self.git(self.desk, "add", "-A")
        self.git(self.desk, "commit", "-q", "--allow-empty", "-m", message)
        for _ in range(5):
            try:
                self.git(self.desk, "push", "-q", "origin", "HEAD:main")
                return
            except RuntimeError:
                self.git(self.desk, "pull", "-q", "--no-edit")
        raise RuntimeError("five pushes in a row were refused")

    def start(self) -> None:
        base = [sys.executable, "-m", "scheduler", "-C", str(self.clone)]
        work = [*base, "worker", "--jobs", "2", "--lease", f"{LEASE}s"]
        for name, command in {"watch": [*base, "run", "--watch"], "worker-1": work, "worker-2": work}.items():
            self.services[name] = Service(name, command, self.environ, self.folder / f"{name}.log")
            self.services[name].start()
        threading.Thread(target=self._keep_pulling, daemon=True).start()

    def _keep_pulling(self) -> None:
        """`git pull` once a minute; after one that was killed, what an operator does then."""
        with (self.folder / "pull.log").open("ab") as log:
            while not self._is_over:
                with self.git_lock:
                    arguments = ["git", "-C", str(self.clone), "pull", "-q", "--no-edit"]
                    self.pull = subprocess.Popen(
                        arguments, env=self.environ, stdout=log, stderr=log, start_new_session=True
                    )
                    code = self.pull.wait()
                    if code:
                        log.write(f"--- {now():.0f}: the pull ended with {code}\n".encode())
                        log.flush()
                        self._repair_the_clone()
                    elif self.git(
                        self.clone, "rev-list", "origin/main..HEAD"
                    ):  # commands commit on the clone
                        self.git(self.clone, "push", "-q", "origin", "HEAD:main", check=False)
                pause(60)

    def _repair_the_clone(self) -> None:
        """The index anew, what HEAD has in the work tree; then the lock goes, and nobody ever saw it torn."""
        pause(20)
        for lock in (self.clone / ".git").rglob("*.lock"):
            lock.unlink(missing_ok=True)
        self.git(self.clone, "merge", "--abort", check=False)
        self.git(self.clone, "reset", "-q", "--hard")

    def records(self) -> dict[str, dict[str, Any]]:
        """What `list` shows, by id."""
        shown = self.scheduler("list", "--format", "json")
        if not shown.stdout:
            return {}
        return {one["schedule_id"]: one for one in json.loads(shown.stdout)["schedules"]}

    def under_way(self) -> list[str]:
        """What is being sent, or should be by now."""
        done = ("completed", "failed", "cancelled")
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now()))
        return [
            name
            for name, one in self.records().items()
            if one["status"] not in done and (one["status"] == "executing" or not one["is_paused"])
            and one["scheduled_at"] <= at
        ]  # fmt: skip

    def state_of_things(self) -> str:
        counts: dict[str, int] = {}
        for one in self.records().values():
            counts[one["status"]] = counts.get(one["status"], 0) + 1
        return f"{now():.0f} {counts}"

    def stop(self) -> None:
        self._is_over = True
        codes = {name: service.stop() for name, service in self.services.items()}
        print(f"ended: {codes}; started: { {n: s.starts for n, s in self.services.items()} }")
