"""States of other versions of the program: an older one is taken over, a newer one is left as it is."""

from __future__ import annotations

import json
import re

import pytest
from due import after, run, sent
from git_repository import git
from github_stand_in import GitHub
from miniature import Miniature
from msgspec.structs import replace
from sealed import as_version_1, changed
from state_branch import REF, Branch
from test_broken_state import ALPHA, BETA, branch, spring
from test_state import STATE, TEXT

from scheduler.errors import StateError
from scheduler.state import codec
from scheduler.state.codec import decode, encode
from scheduler.times import zone_release

__all__ = ["branch", "spring"]
MONTHS = 91 * 86_400


def facts(text: bytes) -> tuple[int, str | None, list[str]]:
    """Version, zone release and ids of a stored state."""
    read = json.loads(text)
    return read["version"], read.get("zone_release"), list(read["schedules"])


# --- version 1 --------------------------------------------------------------------------------------


def test_what_version_1_recorded_reads_as_it_was() -> None:
    old = decode(as_version_1(TEXT), "state.json")
    assert old.version == 1
    assert codec.taken_over(old) == replace(STATE, zone_release=None)


@pytest.mark.parametrize(
    ("sent", "counted", "lateness"),
    [
        ("2026-03-01T14:30:00Z", 9_000, 0),  # within its lead of six hours
        ("2026-03-01T18:03:00Z", 21_780, 180),
        ("2026-03-01T20:10:00Z", 600, 600),  # released at 20:00 by the one before it
    ],
)
def test_the_one_lateness_of_version_1_becomes_that_of_the_public_and_that_of_the_dispatch(
    sent: str, counted: int, lateness: int
) -> None:
    record = replace(
        next(iter(STATE.schedules.values())),
        scheduled_at="2026-03-01T18:00:00Z", executed_at=sent, lateness_seconds=counted,
    )  # fmt: skip
    state = replace(STATE, version=1, schedules={"spring/teaser/alpha": record})
    read = decode(encode(state), "state.json").schedules["spring/teaser/alpha"]
    assert (read.lateness_seconds, read.dispatch_lateness_seconds) == (lateness, counted)


def test_the_first_save_makes_a_file_of_version_1_one_of_version_2(spring: Miniature, github: GitHub) -> None:
    path = spring.root / "state.json"
    path.write_bytes(as_version_1(path.read_bytes()))
    outcome = spring.run("state", "verify")
    assert outcome.out.startswith("fine: version 1 (the next save makes it version 2), lineage ")
    assert spring.run("state", "show").out.encode() == path.read_bytes()
    for command in ("plan", "list", "validate"):
        assert spring.run(command, now=after(1800)).code == 0
        assert facts(path.read_bytes())[0] == 1, "reading writes nothing"
    assert run(spring, github, 3600).results == {BETA: "completed"}
    assert sent(github) == [ALPHA, BETA]
    assert facts(path.read_bytes()) == (2, zone_release(), [ALPHA, BETA])
    assert f", zone data {zone_release()}, 2 publications" in spring.run("state", "verify").out


def test_on_a_branch_it_is_one_commit(branch: Branch, github: GitHub) -> None:
    branch.commit(as_version_1(branch.text()))
    before = branch.tip
    assert run(branch.mini, github, 1800).code == 0
    assert git(branch.remote, "rev-list", "--count", f"{before}..{REF}") == "1"
    assert facts(branch.text()) == (2, zone_release(), [ALPHA, BETA])
    assert run(branch.mini, github, 1860).code == 0
    assert git(branch.remote, "rev-list", "--count", f"{before}..{REF}") == "1", (
        "once a release, not once a run"
    )


def test_months_that_version_1_archived_still_count(spring: Miniature, github: GitHub) -> None:
    run(spring, github, 3600)
    run(spring, github, MONTHS + 3600)
    for path in (spring.root / "state.json", *(spring.root / "archive").iterdir()):
        path.write_bytes(as_version_1(path.read_bytes()))
    assert run(spring, github, MONTHS + 7200).code == 0
    assert (facts((spring.root / "state.json").read_bytes())[::2], len(sent(github))) == ((2, []), 2)


def test_what_would_not_read_the_same_is_not_written(
    spring: Miniature, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spring.root / "state.json"
    path.write_bytes(as_version_1(path.read_bytes()))
    before = path.read_bytes()
    monkeypatch.setattr(
        codec, "encode", lambda state: encode(state).replace(b'"attempts":1', b'"attempts":0')
    )
    outcome = run(spring, github, 3600)
    assert (outcome.code, path.read_bytes(), sent(github)) == (3, before, [ALPHA])
    assert "cannot be taken over from version 1 without a loss" in outcome.err


# --- a newer program --------------------------------------------------------------------------------

NEWER: dict[str, tuple[bytes, bytes]] = {
    "a field of a record": (b'"attempts":1', b'"attempts":1,"zz_urgency":1'),
    "a status": (b'"status":"completed"', b'"status":"held"'),
    "a reason": (b'"reason":null', b'"reason":"overtaken"'),
    "a field of an event": (b'"why":', b'"by":"somebody","why":'),
    "a field of an intent": (b'"transport":"repository_dispatch"', b'"transport":"carrier_pigeon"'),
    "a count that became text": (b'"attempts":1', b'"attempts":"once"'),
    "a field of the state": (b'"lineage":', b'"folder": {"name": "de"}, "lineage":'),
    "a version": (b'"version": 2', b'"version": 3'),
    "another outline": (b'{"version": 2', b'{"version": 12, "shards": [1, 2]'),
}


@pytest.mark.parametrize("what", NEWER)
def test_what_a_newer_program_wrote_is_left_alone_with_the_advice_to_upgrade(
    spring: Miniature, github: GitHub, what: str
) -> None:
    path = spring.root / "state.json"
    newer = changed(path.read_bytes(), NEWER[what])
    path.write_bytes(newer)
    for command in (
        ("run",),
        ("plan",),
        ("validate",),
        ("state", "verify"),
        ("state", "show"),
        ("retry", ALPHA),
    ):
        outcome = spring.run(*command, now=after(3600))
        assert (outcome.code, path.read_bytes()) == (3, newer), (command, outcome)
        assert "state.json was written by a newer version of this program: " in outcome.err
        assert "upgrade the scheduler, or run the version that wrote it" in outcome.err
        assert not re.search("damaged|restore|Traceback", outcome.err), outcome.err
    assert sent(github) == [ALPHA]


@pytest.mark.parametrize("what", NEWER)
def test_on_a_branch_too(branch: Branch, github: GitHub, what: str) -> None:
    branch.commit(changed(branch.text(), NEWER[what]))
    before = branch.tip
    outcome = branch.mini.run("run", now=after(3600))
    assert (outcome.code, branch.tip, sent(github)) == (3, before, [ALPHA])
    assert "state.json on branch scheduler-state was written by a newer version" in outcome.err
    assert not re.search("damaged|restore|Traceback", outcome.err)


@pytest.mark.parametrize("what", [name for name in NEWER if name != "a field of the state"])
def test_in_an_archived_month_too(spring: Miniature, github: GitHub, what: str) -> None:
    run(spring, github, 3600)
    run(spring, github, MONTHS + 3600)
    (month,) = (spring.root / "archive").iterdir()
    newer = changed(month.read_bytes(), NEWER[what])
    month.write_bytes(newer)
    outcome = spring.run("run", now=after(MONTHS + 7200))
    assert (outcome.code, month.read_bytes(), len(sent(github))) == (3, newer, 2)
    assert f"archive/{month.name} was written by a newer version" in outcome.err
    assert not re.search("damaged|restore|Traceback", outcome.err)


def test_the_same_typed_by_hand_is_damage() -> None:
    with pytest.raises(StateError, match=r"is damaged: invalid record .* `zz_urgency`") as refused:
        decode(TEXT.replace(b'"attempts":1', b'"attempts":1,"zz_urgency":1'), "state.json")
    assert refused.value.hint == "restore the last good version from git history"
