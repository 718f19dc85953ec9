"""What is declared while git replaces files: a file that is missing for a moment was removed by nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from git_repository import commit_all, git
from github_stand_in import GitHub
from miniature import Miniature

from scheduler.checkout import reading, replaced
from scheduler.checkout.source import Source

BEFORE, DUE = "2026-02-20T12:00:00Z", "2026-03-01T18:00:00Z"
WAVE = f"schedules: [{{type: simultaneous, video: v, at: {DUE}, channels: [alpha]}}]\n"


@pytest.fixture
def clone(live: Miniature, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    """A clone with two waves, recorded; a reading waits for git only briefly."""
    monkeypatch.setattr(replaced, "PATIENCE", 2)
    git(live.root, "init", "-q", "-b", "main")
    live.write(
        {"waves/w.yaml": WAVE, "waves/x.yaml": WAVE.replace("video: v", "video: x").replace("alpha", "beta")}
    )
    commit_all(live.root, "Begin")
    live.run("run", now=BEFORE)
    return live


def lock(clone: Miniature) -> Path:
    """As git has it while it replaces files."""
    path = clone.root / ".git/index.lock"
    path.touch()
    return path


@pytest.mark.parametrize("torn", ["missing", "empty", "every file", "the folder"])
def test_what_git_is_replacing_is_published_as_it_is_committed(
    clone: Miniature, github: GitHub, torn: str
) -> None:
    lock(clone)
    file = clone.root / "waves/w.yaml"
    file.write_text("") if torn == "empty" else file.unlink()
    if torn in ("every file", "the folder"):
        clone.remove("waves/x.yaml")
    if torn == "the folder":
        (clone.root / "waves").rmdir()
    assert clone.json("run", now=DUE).results == {"w/v/alpha": "completed", "x/x/beta": "completed"}
    assert len(github.dispatches) == 2


def test_a_file_of_nobody_s_commit_still_counts_while_git_works(clone: Miniature) -> None:
    lock(clone)
    clone.write({"waves/new.yaml": WAVE.replace("video: v", "video: n").replace("alpha", "gamma")})
    clone.write({"waves/w.yaml": WAVE + "title: Edited\n"})
    read = {source.file: source.content for source in reading.read_sources(clone.root)}
    assert {"waves/new.yaml", "waves/w.yaml", "waves/x.yaml"} < read.keys()
    assert b"Edited" in read["waves/w.yaml"]


def test_files_that_git_replaced_during_a_reading_are_read_again(
    clone: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, read_once = (clone.root / "waves/w.yaml").read_text(), reading.read_once

    def torn(top: str) -> list[Source]:
        (clone.root / "waves/w.yaml").unlink()
        found = read_once(top)
        clone.write({"waves/w.yaml": whole, "waves/y.yaml": WAVE.replace("video: v", "video: y")})
        git(clone.root, "add", "waves")
        monkeypatch.setattr(reading, "read_once", read_once)
        return found

    monkeypatch.setattr(reading, "read_once", torn)
    names = [source.file for source in reading.read_sources(clone.root)]
    assert {"waves/w.yaml", "waves/y.yaml"} < set(names)


def test_a_file_that_a_person_removes_is_withdrawn(clone: Miniature) -> None:
    """Also beside a lock that a killed git left behind, and in a hook, where git waits for this program."""
    clone.remove("waves/w.yaml")
    path = lock(clone)
    os.utime(path, (0, 0))
    clone.run("run", now=BEFORE)
    assert clone.statuses["w/v/alpha"] == "cancelled (withdrawn)"
    path.unlink()
    lock(clone)
    clone.remove("waves/x.yaml")
    clone.run("run", now=BEFORE, GIT_INDEX_FILE=".git/index.lock")
    assert clone.statuses["x/x/beta"] == "cancelled (withdrawn)"


# --- names that are not UTF-8 -----------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["waves", "channels"])
def test_a_folder_whose_name_is_not_utf_8_is_named_and_the_rest_is_sent(
    live: Miniature, github: GitHub, folder: str
) -> None:
    odd = live.root / folder / os.fsdecode(b"Fr\xff\xf0")
    odd.mkdir()
    (odd / "odd.yaml").write_text(WAVE if folder == "waves" else "repository: acme/odd\n")
    live.write({"waves/good.yaml": WAVE.replace("alpha", "beta")})
    git(live.root, "init", "-q", "-b", "main")
    checked = live.json("validate", now=BEFORE)
    assert (checked.code, checked.codes) == (1, ["yaml-syntax"])
    fault = checked.json["diagnostics"][0]
    assert fault["message"] == f"the name of the folder {folder}/Fr\\xff\\xf0 is not UTF-8"
    assert (fault["file"], fault["hint"]) == (f"{folder}/Fr\\xff\\xf0", "rename the folder")
    ran = live.json("run", now=DUE)
    assert (ran.code, ran.results) == (1, {"good/v/beta": "completed"})
    for command in (
        ("list", "--format", "json"),
        ("plan", "--format", "markdown"),
        ("calendar", "--output", str(live.root / "site")),
    ):
        assert "Traceback" not in live.run(*command, now=DUE).err
    commit_all(live.root, "The same as a commit")
    from scheduler.checkout.remote import sources_at

    assert reading.digest(sources_at(live.root, "HEAD")) == reading.digest(reading.read_sources(live.root))
