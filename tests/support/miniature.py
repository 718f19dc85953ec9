"""A miniature repository: files, a command at a given instant, and what it printed.

Most tests of this project read as: these files, this command at that time, this output. The command runs in
this process, through the same door as `scheduler` does, with an environment of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import IO, Any
from unittest import mock

from scheduler.cli.main import main

TOKEN = "canary-token-f81d4fae"
"""The value of ACME_TOKEN in a miniature; it must never be seen in any output."""


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def codes(self) -> list[str]:
        """The codes of the diagnostics in a JSON document, in their order."""
        return [fault["code"] for fault in self.json["diagnostics"]]

    @property
    def places(self) -> list[str]:
        """`file:line:column [code]` of each diagnostic."""
        return [f"{f['file']}:{f['line']}:{f['column']} [{f['code']}]" for f in self.json["diagnostics"]]

    @property
    def results(self) -> dict[str, str]:
        """The results of a run: schedule id -> status."""
        return {result["schedule_id"]: result["status"] for result in self.json["results"]}

    @property
    def actions(self) -> list[str]:
        """`action schedule_id` of each change in a plan."""
        return [f"{change['action']} {change['schedule_id']}" for change in self.json["changes"]]


class Miniature:
    """A repository in a folder of its own, with the environment of its operator."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: dict[str, str] = {"ACME_TOKEN": TOKEN, "PATH": os.environ["PATH"], "HOME": str(root)}
        (root / "waves").mkdir(parents=True, exist_ok=True)
        (root / "channels").mkdir(exist_ok=True)

    def write(self, files: Mapping[str, str]) -> Miniature:
        """Write files by their paths; texts are dedented."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return self

    def channels(self, *names: str, **keys: str) -> Miniature:
        """Plain channels that dispatch to acme/<name>; `keys` are further lines of each."""
        more = "".join(f"{key}: {value}\n" for key, value in keys.items())
        return self.write(
            {f"channels/{name}.yaml": f"repository: acme/{name}\ntoken: ACME_TOKEN\n{more}" for name in names}
        )

    def remove(self, name: str) -> Miniature:
        (self.root / name).unlink()
        return self

    def run(self, *command: str, now: str | None = None, **environ: str) -> Outcome:
        """Run a command in this process. `now` starts its clock."""
        arguments = ["-C", str(self.root), *(["--now", now] if now else []), *command]
        out, err, code = io.BytesIO(), io.BytesIO(), 0
        stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
        stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
        with (
            mock.patch.dict(os.environ, self.environ | environ, clear=True),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            _signals_kept(),
        ):
            try:
                main(arguments)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else (0 if end.code is None else 1)
        return Outcome(code, out.getvalue().decode(), err.getvalue().decode())

    def json(self, *command: str, now: str | None = None, **environ: str) -> Outcome:
        """The same with `--format json`."""
        return self.run(*command, "--format", "json", now=now, **environ)

    def start(
        self, *command: str, stdout: int | IO[bytes] = subprocess.PIPE, **environ: str
    ) -> subprocess.Popen[str]:
        """Start a command as a process of its own, to be killed or raced against."""
        return subprocess.Popen(
            [sys.executable, "-m", "scheduler", "-C", str(self.root), *command],
            env=self.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environ,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def state(self) -> Any:
        """The state file as data."""
        return json.loads((self.root / "state.json").read_text(encoding="utf-8"))

    @property
    def records(self) -> Any:
        return self.state["schedules"]

    @property
    def statuses(self) -> dict[str, str]:
        """Schedule id -> status, with the reason where it failed or was cancelled."""
        return {
            name: record["status"] + (f" ({record['reason']})" if record["reason"] else "")
            for name, record in self.records.items()
        }


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """A run installs handlers for the signals that end it; a test must not keep them."""
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
