"""The console blocks of a page, run in order on a copy of this repository, with a GitHub of its own.

A page may say in comments, which a reader does not see, when it is and what goes wrong:

    <!-- at 2030-03-01T18:00:00Z -->
    <!-- answer brightside/channel-de 422 No such workflow -->
    <!-- edit waves/2030/spring-launch.yaml s/old/new/ -->

The answer is to the next dispatch of that repository; after a 500 no run shows up either.
Blocks run `scheduler` and `git`, with variables before the command as in a shell. What differs from machine
to machine (lineages, keys, commits) is written in one form.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

from github_stand_in import Fault, GitHub
from miniature import TOKEN, Miniature
from still_clock import StillClock

from scheduler.times import read_time

PROJECT = Path(__file__).resolve().parents[2]
NOW = "2030-02-25T09:00:00Z"
_PART = re.compile(r"<!-- (?P<told>(?:at|answer|edit) .*?) -->|```console\n(?P<block>.*?)```", re.DOTALL)
_VARIABLE = re.compile(r"[A-Z_]+=\S*")
_SAME = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "3e1c50f2-6a53-4b0a-9f57-d5a2ea0c4a52"),
    (re.compile(r"\bgs1-[a-z2-7]{26}\b"), "gs1-q5w2e7r3t4y6uiopasdfghjklz"),
    (re.compile(r"(?<=\bin )[0-9a-f]{12}(?= \()|(?<=\bas )[0-9a-f]{12}(?=\.)"), "5f0c9d3a7b12"),
    (re.compile(r"^[0-9a-f]{7}(?= )", re.MULTILINE), "5f0c9d3"),
)


class Page:
    """One page on its way through its blocks."""

    def __init__(self, folder: Path, hub: GitHub) -> None:
        self.hub = hub
        self.now = NOW
        self.home = copy_of_the_repository(folder)
        self.mini = Miniature(self.home)
        self.mini.environ |= {
            "BRIGHTSIDE_TOKEN": TOKEN,
            "GITHUB_API_URL": hub.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "HOME": str(folder),
        }
        (folder / "gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")

    def part(self, match: re.Match[str]) -> str:
        """A block with the outputs that it has now; a comment as it is, once it is obeyed."""
        if match["told"]:
            self._obey(match["told"])
            return match.group()
        lines = []
        for line in match["block"].splitlines():
            if line.startswith("$ "):
                lines += [line, self._run(shlex.split(line.removeprefix("$ ")))]
        return "```console\n" + "\n".join(filter(None, lines)) + "\n```"

    def _obey(self, told: str) -> None:
        word, rest = told.split(" ", 1)
        if word == "at":
            self.now = rest
        elif word == "answer":
            name, status, message = rest.split(" ", 2)
            repository = self.hub.repository(name)
            repository.runs_per_dispatch = 0 if status == "500" else 1
            repository.faults.append(Fault(status=int(status), body={"message": message}))
        else:
            file, change = rest.split(" ", 1)
            _, old, new, _ = change.split("/")
            path = self.home / file
            text = path.read_text(encoding="utf-8")
            assert old in text, f"{file} has no {old!r}"
            path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def _run(self, words: list[str]) -> str:
        environ = {}
        while _VARIABLE.fullmatch(words[0]):
            name, _, environ[name] = words.pop(0).partition("=")
        text = self._git(words[1:]) if words[0] == "git" else self._scheduler(words, environ)
        for pattern, same in _SAME:
            text = pattern.sub(same, text)
        return text.replace(str(self.home), "~/brightside").rstrip("\n")

    def _scheduler(self, words: list[str], environ: dict[str, str]) -> str:
        assert words[0] == "scheduler", f"a page runs scheduler and git, not {words[0]}"
        at = read_time(self.now)
        self.hub.clock = lambda: float(at)
        dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), self.now)
        with contextlib.chdir(self.home), mock.patch("scheduler.cli.main.Clock", StillClock):
            outcome = self.mini.run(*words[1:], now=self.now, **environ, **dates)
        assert outcome.code in (0, 1, 3), outcome.err
        return outcome.out + outcome.err

    def _git(self, words: list[str]) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.home, env=self.mini.environ, capture_output=True, text=True, check=True
        )
        return done.stdout


def copy_of_the_repository(folder: Path) -> Path:
    """The example as a clone with a remote, as an operator has it."""
    home, remote = folder / "home", folder / "remote.git"
    home.mkdir()
    for name in ("waves", "channels", "schemas", "examples"):
        shutil.copytree(PROJECT / name, home / name)
    shutil.copy(PROJECT / "scheduler.yaml", home)
    date = {"GIT_AUTHOR_DATE": "2030-02-20T09:00:00Z", "GIT_COMMITTER_DATE": "2030-02-20T09:00:00Z"}
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    for command in (
        ["init", "--quiet", "--bare", str(remote)],
        ["-C", str(home), "init", "--quiet"],
        ["-C", str(home), "add", "."],
        ["-C", str(home), "commit", "--quiet", "-m", "Begin"],
        ["-C", str(home), "remote", "add", "origin", remote.as_uri()],
        ["-C", str(home), "push", "--quiet", "origin", "HEAD:main"],
    ):
        subprocess.run([*git, *command], check=True, env={"PATH": os.environ["PATH"], **date})
    return home


def rewritten(text: str) -> str:
    """A page with the outputs that its commands have now."""
    with tempfile.TemporaryDirectory() as folder, GitHub() as hub:
        hub.tokens = {TOKEN}
        for name in ("channel-en", "channel-de", "channel-au", "git-in-a-minute"):
            hub.repository(f"brightside/{name}")
        page = Page(Path(folder), hub)
        return _PART.sub(page.part, text)
