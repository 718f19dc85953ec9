"""Runs a channel's `command:`, with the payload on its standard input and in `SCHEDULER_*` variables.

A command is one line (or block) for `/bin/sh`, run in the repository's folder. Values never become part of
its text: they are in variables, which a shell does not parse as commands as long as they are quoted.

Of the operator's environment a command sees a short list, and what SCHEDULER_COMMAND_ENV names: no channel's
token, and nothing else that happens to be set.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from scheduler.errors import Error
from scheduler.state.jobs import End, Work
from scheduler.state.outcomes import RUN_WINDOW

PASSED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR")
"""What every command gets of the operator's environment, in addition to the locale (LC_*)."""
LONGEST_VARIABLE = 100_000
"""Bytes; Linux allows at most 131,072 in one variable. Standard input has everything."""
LINE = 4_000
"""Characters of a line of output that are read at once."""
SECRET = 6
"""The shortest value, in characters, that is masked in output: shorter ones occur in ordinary text."""


class CommandRunner:
    """Runs commands in `root`. `echo` gets their output, line by line, from several threads.

    Raises Error where SCHEDULER_COMMAND_ENV names a variable that cannot be passed.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        echo: Callable[[str], None],
        *,
        longest: int = RUN_WINDOW,
    ) -> None:
        self._root = root
        self._environment = passed(environ)
        self._echo = echo
        self._longest = longest
        named = {name: environ[name] for name in named_variables(environ) if name in environ}
        self._secrets = sorted((v for v in named.values() if len(v) >= SECRET), key=len, reverse=True)

    def run(self, work: Work) -> End:
        """Run the command of one attempt to its end. Never raises: one that cannot be run has failed."""
        if work.command is None:
            message = f"the channel {work.payload['channel_id']} has no `command:` to run"
            return End(conclusion="failure", message=message)
        try:
            with tempfile.TemporaryFile() as payload:
                payload.write((json.dumps(work.payload, ensure_ascii=False) + "\n").encode())
                payload.seek(0)
                return self._run(work, work.command, payload)
        except (OSError, ValueError) as problem:
            return End(
                conclusion="failure", message=f"the command could not be run: {self._masked(str(problem))}"
            )

    def _run(self, work: Work, command: str, payload: IO[bytes]) -> End:
        process = subprocess.Popen(  # noqa: S603 - the operator allowed the commands of this repository
            ["/bin/sh", "-c", command],
            cwd=self._root,
            env=self._environment | variables(work),
            stdin=payload,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must reach only the worker, which finishes what it holds
            encoding="utf-8",
            errors="replace",
        )
        lines: deque[str] = deque(maxlen=1)
        reader = threading.Thread(target=self._read, args=(work, process.stdout, lines), daemon=True)
        reader.start()
        stopped = ""
        try:
            code = process.wait(self._longest)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code, stopped = process.wait(), f"stopped after {self._longest} s: "
        reader.join(1.0)  # a process left in the background may keep the output open for long
        if code == 0:
            return End(conclusion="success")
        output = f": {lines[0][:300]}" if lines else ""
        return End(conclusion="failure", message=f"{stopped}{_exit_text(code)}{output}")

    def _read(self, work: Work, output: IO[str] | None, lines: deque[str]) -> None:
        assert output is not None, "it is a pipe"
        with output, suppress(ValueError, OSError):
            while line := output.readline(LINE):
                shown = self._masked(line.rstrip())
                if shown:
                    lines.append(shown)
                    self._echo(f"{work.schedule_id}: {shown}")

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _exit_text(code: int) -> str:
    if code > 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def variables(work: Work) -> dict[str, str]:
    """The payload as `SCHEDULER_*` variables: empty where it does not apply; metadata is JSON."""
    found = {f"SCHEDULER_{name.upper()}": _text(value) for name, value in work.payload.items()}
    found |= {"SCHEDULER_JOB_ID": work.job_id, "SCHEDULER_ATTEMPT": str(work.attempt)}
    return {name: value for name, value in found.items() if len(value.encode()) <= LONGEST_VARIABLE}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def passed(environ: Mapping[str, str]) -> dict[str, str]:
    """What a command sees of the operator's environment."""
    names = [*PASSED, *named_variables(environ), *(name for name in environ if name.startswith("LC_"))]
    return {name: environ[name] for name in names if name in environ}


def named_variables(environ: Mapping[str, str]) -> list[str]:
    """The names in SCHEDULER_COMMAND_ENV. Raises Error for one of the scheduler's own."""
    names = list(filter(None, re.split(r"[,\s]+", environ.get("SCHEDULER_COMMAND_ENV", ""))))
    own = [name for name in names if name.startswith("SCHEDULER_")]
    if own:
        raise Error(
            f"SCHEDULER_COMMAND_ENV names {own[0]}: SCHEDULER_* variables are reserved for the scheduler",
            hint=f"take {own[0]} out of SCHEDULER_COMMAND_ENV",
        )
    return names
