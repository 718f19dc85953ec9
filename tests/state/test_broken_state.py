"""States that cannot be trusted, through whole commands: exit 3, nothing is sent, the state stays as it was.

What the reader of states refuses byte by byte is in `test_state.py`; here is what becomes of a run, on a
file and on a branch, when a state was cut off, merged, emptied, set back, deleted or changed by a bit.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from due import DUE, after, run, sent
from git_repository import git
from github_stand_in import GitHub
from miniature import Miniature
from state_branch import REF, Branch

from scheduler.checkout.reading import read_sources
from scheduler.errors import StateError
from scheduler.planning.plan import Surroundings
from scheduler.planning.reconcile import reconcile
from scheduler.state.codec import decode
from scheduler.times import read_utc

ALPHA, BETA = "spring/teaser/alpha", "spring/teaser/beta"
WAVE = """
    schedules:
      - type: staggered
        video: teaser
        at: 2026-03-01T18:00:00Z
        delay: 1h
        channels: [alpha, beta]
    """


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """The first of two was sent, the second is due in an hour; the state is in a file."""
    live.write({"waves/spring.yaml": WAVE})
    run(live, github, 0)
    assert (sent(github), live.statuses) == ([ALPHA], {ALPHA: "completed", BETA: "scheduled"})
    return live


@pytest.fixture
def branch(live: Miniature, github: GitHub) -> Branch:
    live.write({"waves/spring.yaml": WAVE})
    made = Branch(live)
    assert live.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    run(live, github, 0)
    assert sent(github) == [ALPHA]
    return made


# --- a state that is none ---------------------------------------------------------------------------


def merged(text: bytes) -> bytes:
    first, *lines = text.splitlines(keepends=True)
    sides = [b"<<<<<<< HEAD\n", *lines[:1], b"=======\n", *lines[:1], b">>>>>>> other\n"]
    return b"".join([first, *sides, *lines[1:]])


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an empty file": (lambda text: b"", "is empty"),
    "null": (lambda text: b"null\n", "Expected `object`"),
    "a list": (lambda text: b"[]\n", "Expected `object`"),
    "an object": (lambda text: b"{}\n", "version"),
    "half a file": (lambda text: text[: len(text) // 2], "truncated"),
    "all but the last byte": (lambda text: text[:-1], "truncated"),
    "a newer version": (lambda text: text.replace(b'"version": 2', b'"version": 3'), "upgrade the scheduler"),
    "an older version": (lambda text: text.replace(b'"version": 2', b'"version": 0'), "version 0"),
    "a merge conflict": (merged, "merge conflict marker"),
    "a key twice": (
        lambda text: text.replace(b'"serial":', b'"serial": 1, "serial":'),
        "duplicate key 'serial'",
    ),
    "NaN": (lambda text: text.replace(b'"attempts":1', b'"attempts":NaN'), "malformed"),
    "a record that is none": (lambda text: text.replace(b'"completed"', b'"done"'), "invalid record"),
    "zeros after a power cut": (lambda text: bytes(len(text)), "UTF-16"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_state_that_is_none_stops_the_run_and_stays(spring: Miniature, github: GitHub, what: str) -> None:
    breaks, words = BROKEN[what]
    path = spring.root / "state.json"
    broken = breaks(path.read_bytes())
    assert broken != path.read_bytes()
    path.write_bytes(broken)
    for command in (("run",), ("plan",), ("state", "verify"), ("retry", ALPHA)):
        outcome = spring.run(*command, now=after(3600))
        assert (outcome.code, "Traceback" in outcome.err) == (3, False), (command, outcome)
        assert words in outcome.err
        assert path.read_bytes() == broken
    assert sent(github) == [ALPHA]


@pytest.mark.parametrize("what", ["an empty file", "half a file", "a merge conflict", "a newer version"])
def test_on_a_branch_too_and_the_last_good_commit_puts_it_right(
    branch: Branch, github: GitHub, what: str
) -> None:
    good = branch.tip
    branch.commit(BROKEN[what][0](branch.text()))
    broken = branch.tip
    outcome = branch.mini.run("run", now=after(3600))
    assert (outcome.code, branch.tip, sent(github)) == (3, broken, [ALPHA])
    assert BROKEN[what][1] in outcome.err
    git(branch.mini.root, "push", "-q", "--force", "origin", f"{good}:{REF}")
    assert run(branch.mini, github, 3660).results == {BETA: "completed"}
    assert sent(github) == [ALPHA, BETA]


def test_the_state_of_another_repository_is_refused_where_the_lineage_is_pinned(
    spring: Miniature, github: GitHub
) -> None:
    lineage = spring.state["lineage"]
    spring.write({"scheduler.yaml": f"lineage: {lineage}\n"})
    assert spring.run("state", "verify").code == 0
    path = spring.root / "state.json"
    other = path.read_bytes().replace(lineage.encode(), b"0f0f0f0f-another")
    path.write_bytes(other)
    outcome = spring.run("run", now=after(3600))
    assert (outcome.code, path.read_bytes(), sent(github)) == (3, other, [ALPHA])
    assert "the state of another repository" in outcome.err


# --- every byte -------------------------------------------------------------------------------------


def test_a_state_cut_off_at_any_byte_is_refused(spring: Miniature) -> None:
    text = (spring.root / "state.json").read_bytes()
    for length in range(len(text)):
        with pytest.raises(StateError):
            decode(text[:length], "state.json")


def test_a_state_with_any_byte_changed_is_refused_or_sends_nothing_again(
    spring: Miniature, github: GitHub
) -> None:
    """An edit by hand that makes sense is welcome, so not every flipped bit is refused; none sends twice."""
    text = (spring.root / "state.json").read_bytes()
    sources = read_sources(spring.root)
    surroundings = Surroundings(tokens=frozenset({"ACME_TOKEN"}))
    due = []
    refused = 0
    for place in range(len(text)):
        flipped = bytearray(text)
        flipped[place] ^= 1 << place % 8
        try:
            state = decode(bytes(flipped), "state.json")
        except StateError:
            refused += 1
            continue
        plan = reconcile(sources, state, {}, read_utc(DUE) + 60, surroundings).plan
        due += [(place, send.schedule_id) for send in plan.sends]
    assert due == []
    assert refused > len(text) / 4


@pytest.mark.parametrize("part", range(5))
def test_a_run_on_a_state_with_a_changed_byte_ends_in_words(
    spring: Miniature, github: GitHub, part: int
) -> None:
    path = spring.root / "state.json"
    text = path.read_bytes()
    flipped = bytearray(text)
    flipped[len(text) * (2 * part + 1) // 10] ^= 4
    path.write_bytes(bytes(flipped))
    outcome = spring.run("run", now=after(60))
    assert outcome.code in (0, 1, 3)
    assert "Traceback" not in outcome.err
    assert outcome.code != 3 or path.read_bytes() == bytes(flipped)
    assert sent(github) == [ALPHA]


# --- a state that is gone, or set back ----------------------------------------------------------------


def test_a_deleted_branch_stops_the_run_and_the_hint_puts_it_back(branch: Branch, github: GitHub) -> None:
    git(branch.remote, "update-ref", "-d", REF)
    outcome = branch.mini.run("run", now=after(3600))
    assert (outcome.code, sent(github)) == (3, [ALPHA])
    command = outcome.err.partition("put it back: ")[2].split()
    assert command[:2] == ["git", "push"]
    git(branch.mini.root, *command[1:])
    assert run(branch.mini, github, 3660).results == {BETA: "completed"}


def test_in_a_fresh_clone_a_deleted_branch_is_no_first_run_and_init_sends_nothing_of_the_past(
    branch: Branch, github: GitHub
) -> None:
    git(branch.remote, "update-ref", "-d", REF)
    fresh = branch.fresh_clone()
    outcome = fresh.run("run", now=after(3000))
    assert (outcome.code, "scheduler state init" in outcome.err) == (3, True)
    assert fresh.run("state", "init", now=after(3000)).code == 0
    assert run(fresh, github, 3660).results == {BETA: "completed"}
    assert sent(github) == [ALPHA, BETA]


def test_a_branch_that_was_set_back_is_refused_by_a_clone_that_saw_more(
    branch: Branch, github: GitHub
) -> None:
    branch.set_back()
    outcome = branch.mini.run("run", now=after(60))
    assert (outcome.code, sent(github)) == (3, [ALPHA])
    assert "a state that forgets could send twice" in outcome.err
    command = outcome.err.partition("put it back: ")[2].partition(";")[0].split()
    git(branch.mini.root, *command[1:])
    assert run(branch.mini, github, 120).code == 0
    assert sent(github) == [ALPHA]


def test_in_a_fresh_clone_a_branch_that_was_set_back_sends_nothing_late_again(
    branch: Branch, github: GitHub
) -> None:
    branch.set_back()
    fresh = branch.fresh_clone()
    outcome = run(fresh, github, 1800)  # its channel's runs remember what the branch forgot
    assert sent(github) == [ALPHA]
    assert outcome.results.get(ALPHA, "completed") == "completed"


def test_in_a_fresh_clone_what_is_sent_again_at_once_has_the_same_key(branch: Branch, github: GitHub) -> None:
    branch.set_back()
    run(branch.fresh_clone(), github, 60)
    assert sent(github) == [ALPHA, ALPHA], "no fresh clone can know: keep the branch from being set back"
    assert len({dispatch.payload["key"] for dispatch in github.dispatches}) == 1


# --- while it is being saved --------------------------------------------------------------------------


def test_a_hook_that_declines_the_record_sends_nothing(branch: Branch, github: GitHub) -> None:
    hook = branch.remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = branch.tip
    outcome = branch.mini.run("run", now=after(3600))
    assert (outcome.code, branch.tip, sent(github)) == (3, before, [ALPHA])
    assert "GH006: Protected branch update failed" in outcome.err
    assert "nothing was sent" in outcome.err
    hook.unlink()
    assert run(branch.mini, github, 3660).results == {BETA: "completed"}


def test_a_remote_that_is_gone_sends_nothing(branch: Branch, github: GitHub) -> None:
    shutil.move(branch.remote, branch.remote.with_name("elsewhere.git"))
    outcome = branch.mini.run("run", now=after(3600))
    assert (outcome.code, sent(github)) == (3, [ALPHA])
    assert "cannot be read" in outcome.err
    assert "Traceback" not in outcome.err


def test_an_archive_that_was_cut_off_sends_nothing(spring: Miniature, github: GitHub) -> None:
    months = 91 * 86_400
    run(spring, github, 3600)
    run(spring, github, months + 3600)
    (archive,) = (spring.root / "archive").iterdir()
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    before = (spring.root / "state.json").read_bytes()
    outcome = spring.run("run", now=after(months + 7200))
    assert (outcome.code, (spring.root / "state.json").read_bytes()) == (3, before)
    assert "archive/2026-03.json" in outcome.err
    archive.write_bytes(whole)
    assert spring.run("run", now=after(months + 7200)).code == 0
    assert json.loads(whole)["schedules"].keys() == {ALPHA, BETA}


def test_a_million_entries_are_refused_for_their_size_before_they_are_read(
    spring: Miniature, github: GitHub
) -> None:
    entry = "  - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha] }\n"
    Path(spring.root / "waves/huge.yaml").write_text("schedules:\n" + entry * 1_000_000)
    outcome = spring.json("validate", now=after(60))
    assert (outcome.code, outcome.places) == (1, ["waves/huge.yaml:1:1 [yaml-syntax]"])
    assert "at most 1,048,576 are read" in outcome.json["diagnostics"][0]["message"]
