"""What is finished for ninety days moves to the archive, and counts there as if it were in the state."""

from __future__ import annotations

import json
from typing import Any

import pytest
from git_repository import git
from github_stand_in import Fault, GitHub
from miniature import Miniature, Outcome
from simulated_time import Stage

from scheduler.state.codec import encode_archive
from scheduler.times import instant_text, read_utc

DUE = "2026-03-01T18:00:00Z"
ALPHA = "spring/teaser/alpha"
DAY = 86_400


def wave(at: str = DUE, video: str = "teaser", more: str = "", top: str = "") -> str:
    entry = f"{{ type: simultaneous, group: teaser, video: {video}, at: {at}, channels: [alpha]{more} }}"
    return f"{top}\nschedules:\n  - {entry}\n"


def after(days: float) -> str:
    return instant_text(read_utc(DUE) + int(days * DAY))


def run(mini: Miniature, github: GitHub, days: float) -> Outcome:
    github.clock = lambda: float(read_utc(DUE) + days * DAY)
    return mini.json("run", now=after(days))


def archive(mini: Miniature) -> dict[str, Any]:
    """Month -> schedule id -> status."""
    return {
        path.stem: {
            name: record["status"] for name, record in json.loads(path.read_text())["schedules"].items()
        }
        for path in sorted((mini.root / "archive").glob("*.json"))
    }


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """One schedule that was sent, and is in the archive since."""
    live.write({"waves/spring.yaml": wave()})
    run(live, github, 0)
    run(live, github, 90.5)
    assert archive(live) == {"2026-03": {ALPHA: "completed"}}
    return live


@pytest.mark.parametrize("what", ["the folder", "one month", "another text"])
def test_an_archive_that_is_not_the_listed_one_is_noticed_and_nothing_is_sent(
    spring: Miniature, github: GitHub, what: str
) -> None:
    sent, month = len(github.dispatches), spring.root / "archive" / "2026-03.json"
    text = month.read_bytes()
    month.unlink()
    if what == "the folder":
        month.parent.rmdir()
    elif what == "another text":
        month.write_bytes(encode_archive(spring.state["lineage"], {}))
    spring.write({"waves/spring.yaml": wave(after(100))})
    for command in (["run"], ["state", "verify"], ["list"], ["plan"]):
        outcome = spring.run(*command, now=after(100))
        assert outcome.code == 3, command
        assert "archive/2026-03.json is " in outcome.err
    assert "archive/2026-03.json is " in spring.run("doctor", now=after(100)).out
    assert len(github.dispatches) == sent
    month.parent.mkdir(exist_ok=True)
    month.write_bytes(text)
    assert spring.run("state", "verify", now=after(100)).code == 0


def test_after_ninety_days_and_not_before(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave()})
    run(live, github, 0)
    run(live, github, 89.9)
    assert (set(live.records), archive(live)) == ({ALPHA}, {})
    outcome = run(live, github, 90.1)
    assert (outcome.code, outcome.results) == (0, {})
    assert (live.records, archive(live)) == ({}, {"2026-03": {ALPHA: "completed"}})


def test_the_plan_says_so(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave()})
    run(live, github, 0)
    changes = live.json("run", "--dry-run", now=after(91)).json["changes"]
    assert [(change["action"], change["reason"]) for change in changes] == [
        ("archive", "finished more than 90d ago")
    ]


def test_the_file_is_named_for_the_month_of_the_publish_time(live: Miniature, github: GitHub) -> None:
    for number, at in enumerate(("2026-02-28T23:59:59Z", "2026-03-01T00:30:00Z")):
        live.write({f"waves/w{number}.yaml": wave(at, video=f"v{number}")})
    run(live, github, 0)
    run(live, github, 95)
    assert archive(live) == {
        "2026-02": {"w0/teaser/alpha": "failed"},
        "2026-03": {"w1/teaser/alpha": "failed"},
    }


def test_what_is_archived_never_goes_out_again(spring: Miniature, github: GitHub) -> None:
    for text in (wave(), wave(at=after(120)), wave(video="other", at=after(120))):
        spring.write({"waves/spring.yaml": text})
        run(spring, github, 91)
        run(spring, github, 120)
    spring.remove("waves/spring.yaml")
    run(spring, github, 121)
    spring.write({"waves/spring.yaml": wave(at=after(130))})
    outcome = run(spring, github, 130)
    assert (outcome.codes, len(github.dispatches)) == (["edited-after-dispatch"], 1)


def test_a_second_run_after_the_archive_finds_nothing_to_do(spring: Miniature, github: GitHub) -> None:
    before = (spring.root / "state.json").read_bytes(), (spring.root / "archive/2026-03.json").read_bytes()
    assert run(spring, github, 92).results == {}
    assert (spring.root / "state.json").read_bytes() == before[0]
    assert (spring.root / "archive/2026-03.json").read_bytes() == before[1]


def test_listings_still_have_it(spring: Miniature) -> None:
    rows = spring.json("list", "--wave", "spring", now=after(92)).json["schedules"]
    assert [(row["schedule_id"], row["status"], row["recorded"]) for row in rows] == [
        (ALPHA, "completed", True)
    ]


def test_a_renamed_wave_takes_its_archived_records_along(spring: Miniature, github: GitHub) -> None:
    spring.remove("waves/spring.yaml")
    spring.write({"waves/summer.yaml": wave(at=after(100), top="renamed_from: spring")})
    outcome = run(spring, github, 100)
    assert (outcome.codes, len(github.dispatches)) == (["edited-after-dispatch"], 1)


def test_a_video_that_was_sent_by_what_is_gone_is_still_a_repetition(
    spring: Miniature, github: GitHub
) -> None:
    spring.remove("waves/spring.yaml")
    spring.write({"waves/again.yaml": wave(at=after(100))})
    assert run(spring, github, 95).codes == ["repeat-video"]


def test_a_lineup_entry_that_an_archived_slot_used_up_stays_used_up(live: Miniature, github: GitHub) -> None:
    live.write(
        {
            "channels/alpha.yaml": """
                repository: acme/alpha
                token: ACME_TOKEN
                slots: ["*-*-01 18:00"]
                lineup: [one, two, three]
                """,
            "scheduler.yaml": "horizon: 5d\n",
        }
    )
    for days in (-1, 0, 30, 31, 95, 121, 122):
        run(live, github, days)
    sent = [dispatch.payload["video_id"] for dispatch in github.dispatches]
    assert sent == ["one", "two", "three"]
    assert archive(live)["2026-03"] == {"alpha/2026-03-01T18:00:00Z": "completed"}


def test_a_missed_one_in_the_archive_is_revived_by_an_edit(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave()})
    run(live, github, 1)
    run(live, github, 95)
    assert archive(live) == {"2026-03": {ALPHA: "failed"}}
    live.write({"waves/spring.yaml": wave(at=after(100))})
    run(live, github, 96)
    assert run(live, github, 100).results == {ALPHA: "completed"}
    run(live, github, 195)
    assert archive(live) == {"2026-03": {ALPHA: "failed"}, "2026-06": {ALPHA: "completed"}}
    live.write({"waves/spring.yaml": wave(at=after(200))})
    assert run(live, github, 200).codes == ["edited-after-dispatch"]


def test_an_unknown_outcome_is_archived_as_such(live: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults = [Fault(status=502)]
    live.write({"waves/spring.yaml": wave()})
    for days in (0, 0.1, 95):
        run(live, github, days)
    assert archive(live) == {"2026-03": {ALPHA: "failed"}}


def test_an_archive_of_another_lineage_is_refused(spring: Miniature, github: GitHub) -> None:
    path = spring.root / "archive/2026-03.json"
    path.write_text(path.read_text().replace(spring.state["lineage"], "another"))
    outcome = run(spring, github, 92)
    assert outcome.code == 3
    assert "archive/2026-03.json" in outcome.err


def test_a_damaged_archive_stops_the_run(spring: Miniature, github: GitHub) -> None:
    path = spring.root / "archive/2026-03.json"
    path.write_bytes(path.read_bytes()[:-20])
    assert run(spring, github, 92).code == 3
    spring.write({"waves/new.yaml": wave(at=after(92), video="new")})
    assert run(spring, github, 92).code == 3
    assert len(github.dispatches) == 1


def test_on_a_branch_state_and_archive_move_in_one_commit(live: Miniature, github: GitHub) -> None:
    git(live.root, "init", "-q", "-b", "main")
    git(live.root, "init", "-q", "--bare", "origin.git")
    git(live.root, "remote", "add", "origin", str(live.root / "origin.git"))
    live.write({"scheduler.yaml": "state: branch:scheduler-state\n", "waves/spring.yaml": wave()})
    live.run("state", "init", now="2026-01-01T00:00:00Z")
    run(live, github, 0)
    run(live, github, 91)
    changed = git(live.root / "origin.git", "show", "--name-only", "--format=%s", "scheduler-state")
    assert changed.split("\n\n") == ["Archive 1", "archive/2026-03.json\nstate.json"]
    assert run(live, github, 92).results == {}


def test_what_another_run_archives_meanwhile_is_not_taken_for_new(live: Miniature, github: GitHub) -> None:
    live.write({"waves/spring.yaml": wave()})
    run(live, github, 0)
    with Stage(live, github, after(89)) as stage:
        watching = stage.runner()
        watching.reconcile_once()
        stage.clock.sleep(2 * DAY)
        stage.runner().reconcile_once()
        assert archive(live) == {"2026-03": {ALPHA: "completed"}}
        live.write({"waves/spring.yaml": wave(after(91), video="another")})
        watching.reconcile_once()
    assert (live.records, len(github.dispatches)) == ({}, 1)
