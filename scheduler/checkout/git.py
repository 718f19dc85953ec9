"""Running git: quietly, without prompts, within a time limit, and with nothing secret in its messages.

Commands run beside the work tree they are given; they never touch its files or its index.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scheduler.checkout.reading import environment_for_git
from scheduler.errors import StateError

_QUIET = (
    "-c", "core.hooksPath=/dev/null",  # a pre-push hook of this clone is about its code
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "i18n.commitEncoding=UTF-8",
)  # fmt: skip
OFFLINE = ("-c", "protocol.allow=never")
"""Options before a command that must fetch nothing, not even into a partial clone."""
LOCAL = 30.0
"""Seconds that any other command may take: in a partial clone, any of them may fetch what is missing."""
_GRACE = 2  # seconds in which a git that was asked to stop can remove its lock files
_USERINFO = re.compile(r"(?<=://)[^/@\s'\"]*@")
_PROXY_USER = re.compile(r"(?i)(?<=proxy syntax in ')[^']*@")
_QUERY = re.compile(r"(://[^\s'\"?]*+)(\?[^\s'\"]+)?")
_AUTHORIZATION = re.compile(r"(?i)\b(authorization:\s*+\S++)(?:(\s++)\S++)?")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DUBIOUS = re.compile(r"dubious ownership in repository at '([^']*)'")
_LONGEST = 600  # characters of git's words that a message repeats


class Output(NamedTuple):
    """What a git command did. `code` is None where it was stopped at its time limit."""

    code: int | None
    out: bytes
    error: str

    @property
    def words(self) -> str:
        """Git's own words on one line, without secrets and control characters."""
        if self.code is None:
            return "no answer within the time limit"
        lines = (line.strip() for line in self.error.splitlines())
        message = "; ".join(line for line in lines if line and not line.startswith("hint:"))
        return message[:_LONGEST] or f"git ended with code {self.code}"


def scrubbed(text: str) -> str:
    """The text without users, passwords and queries in URLs, credentials in headers, control characters."""
    text = _PROXY_USER.sub("***@", _USERINFO.sub("***@", text))
    text = _QUERY.sub(lambda url: url[1] + ("?***" if url[2] else ""), text)
    text = _AUTHORIZATION.sub(lambda header: header[1] + (f"{header[2]}***" if header[2] else ""), text)
    return _CONTROL.sub("", text.replace("\r", "\n"))


class Git:
    """Git in a work tree. `timeout` is the seconds that a command over the network may take; no command
    may take longer than the larger of it and `LOCAL`."""

    def __init__(self, worktree: Path, timeout: float) -> None:
        self._worktree = worktree
        self._timeout = timeout

    def run(
        self,
        *arguments: str,
        given: bytes = b"",
        network: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Output:
        """Run one command to its end, whatever that is. Raises StateError if git is missing."""
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell; refs are checked, and follow `--`
                ["git", *_QUIET, *arguments],  # noqa: S607 - git is found on PATH, as for every git tool
                cwd=self._worktree,
                env=_environment() | dict(environment or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,  # so that its helpers (ssh, git-remote-https) can be stopped with it
            )
        except OSError as problem:
            raise StateError(
                f"git cannot be started in {self._worktree}: {problem.strerror or problem}",
                hint="a state on a branch needs git and a work tree; a state in a file needs neither",
            ) from None
        with process:
            try:
                out, error = process.communicate(
                    given, self._timeout if network else max(self._timeout, LOCAL)
                )
            except subprocess.TimeoutExpired:
                _stop(process)
                return Output(None, b"", "")
            except BaseException:
                _stop(process)
                raise
        return Output(process.returncode, out, scrubbed(error.decode(errors="replace")))

    def demand(
        self, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> bytes:
        """The output of a local command that has no reason to fail. Raises StateError where it does."""
        output = self.run(*arguments, given=given, environment=environment)
        if output.code != 0:
            raise StateError(f"git {arguments[0]} failed: {output.words}", hint=hint_for(output.words))
        return output.out

    def ask(self, *arguments: str) -> str | None:
        """What a command prints; None where it answers "no" (exit code 1). Raises StateError otherwise."""
        output = self.run(*arguments)
        if output.code not in (0, 1):
            raise StateError(f"git {arguments[0]} failed: {output.words}", hint=hint_for(output.words))
        return None if output.code else output.out.decode(errors="replace").strip()

    def line(self, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None) -> str:
        """The one line that a local command prints, as `demand`."""
        return self.demand(*arguments, given=given, environment=environment).decode().strip()


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in environment_for_git().items()
        if not name.startswith(("GIT_TRACE", "GIT_CURL_VERBOSE"))
    }
    kept.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    return kept | {"LANGUAGE": "", "GCM_INTERACTIVE": "never"}


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a command and its helpers: politely first, since a killed git leaves its lock files."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GRACE)
            return


def hint_for(words: str) -> str | None:
    """What to do about git's message; None where there is no advice."""
    if "dubious ownership" in words and (path := _DUBIOUS.search(words)) is not None:
        return f"run as the owner of the folder, or run `git config --global --add safe.directory {path[1]}`"
    if "promisor" in words or "time limit" in words:
        return "this clone fetches files as they are needed: check the network and `git remote -v`"
    if "CONNECT" in words or "proxy" in words.lower():
        return "git goes through the proxy in HTTPS_PROXY: check it, its user name and password, and NO_PROXY"
    if "certificate" in words:
        return "set SSL_CERT_FILE to a file with the certificate of the CA that issued the server's"
    if "not a git repository" in words:
        return "a state on a branch needs a git work tree at -C; a state in a file needs none"
    if "No space left" in words:
        return "free some disk space; what was stored before is unchanged"
    if ".lock" in words:
        return "if no other git command is running here, remove the lock file that git names"
    return None
