"""Runs that come late, or not at all for days: nothing is lost silently, and the order is kept."""

from __future__ import annotations

from textwrap import dedent

import pytest
from due import after, run, sent
from github_stand_in import Fault, GitHub
from miniature import Miniature

HOUR, DAY = 3600, 86_400
MEMBERS = [f"spring/teaser/{name}" for name in ("gamma", "alpha", "beta")]
STAGGER = """
    catch_up: 4h
    schedules:
      - type: staggered
        video: teaser
        at: 2026-03-01T18:00:00Z
        delay: 1h
        channels: [gamma, alpha, beta]
    """


@pytest.fixture
def spring(live: Miniature, github: GitHub) -> Miniature:
    """A stagger of three, an hour apart, recorded the day before."""
    live.write({"waves/spring.yaml": STAGGER})
    run(live, github, -DAY)
    assert list(live.statuses) == sorted(MEMBERS)
    return live


# --- late runs --------------------------------------------------------------------------------------


def test_three_hours_late_a_stagger_goes_out_in_its_order(spring: Miniature, github: GitHub) -> None:
    outcome = run(spring, github, 3 * HOUR)
    assert (outcome.code, sent(github)) == (0, MEMBERS)
    assert [spring.records[name]["lateness_seconds"] // HOUR for name in MEMBERS] == [3, 2, 1]


def test_what_is_later_than_catch_up_is_missed_and_the_rest_goes_out(
    spring: Miniature, github: GitHub
) -> None:
    spring.write({"waves/spring.yaml": STAGGER.replace("catch_up: 4h", "catch_up: 1h")})
    outcome = run(spring, github, 3 * HOUR)
    assert outcome.code == 1
    assert outcome.results == dict(zip(MEMBERS, ["failed", "failed", "completed"], strict=True))
    assert sent(github) == MEMBERS[2:]
    assert [spring.statuses[name] for name in MEMBERS[:2]] == ["failed (missed)"] * 2


def test_two_days_without_a_run_lose_nothing_silently(spring: Miniature, github: GitHub) -> None:
    declared = [f"w{number:02}/teaser/{name}" for number in range(12) for name in ("alpha", "beta")]
    for number in range(12):
        text = STAGGER.replace("[gamma, alpha, beta]", "[alpha, beta]").replace("18:00:00Z", "20:00:00Z")
        text = text.replace("catch_up: 4h", "catch_up: 6h").replace("delay: 1h", "delay: 2h")
        text = text.replace("video: teaser", f"video: v{number}\n        group: teaser")
        at = after(number * 4 * HOUR + 600)
        spring.write({f"waves/w{number:02}.yaml": text.replace("2026-03-01T20:00:00Z", at)})
    run(spring, github, -HOUR)
    late = run(spring, github, 2 * DAY)
    assert late.code == 1
    assert set(declared) <= spring.records.keys()
    later = run(spring, github, 2 * DAY + 60)
    assert later.code == 0, "what was late on one channel leaves one at a time"
    ended = {name: spring.statuses[name] for name in declared}
    assert set(ended.values()) == {"failed (missed)", "completed"}
    assert {name for name, status in ended.items() if status == "completed"} == set(sent(github))
    assert {*late.results, *later.results} == {*declared, *MEMBERS}, "each one is told"
    assert run(spring, github, 2 * DAY + 120).results == {}


def test_more_than_a_hundred_missed_slots_give_their_videos_back_in_order(
    live: Miniature, github: GitHub
) -> None:
    videos = [f"v{number:03}" for number in range(160)]
    live.channels("alpha", slots='["*:00/15"]', lineup=f"[{', '.join(videos)}]")
    live.write({"scheduler.yaml": "horizon: 36h\n"})
    run(live, github, -35 * HOUR)
    assert len(live.records) == 144
    late = run(live, github, -HOUR + 60)
    missed = [name for name, status in live.statuses.items() if status == "failed (missed)"]
    assert (late.code, len(missed) > 100) == (1, True)
    published = [dispatch.payload["video_id"] for dispatch in github.dispatches]
    assert len(published) == 1, "what is late leaves one at a time"
    coming = [record["video_id"] for record in live.records.values() if record["status"] == "pending"]
    coming += [record["video_id"] for record in live.records.values() if record["status"] == "scheduled"]
    left = [video for video in videos if video not in published]
    assert sorted(coming) == sorted(left[: len(coming)]), "nothing is left out and nothing comes twice"
    assert run(live, github, -HOUR + 120).code == 0


# --- edits meanwhile --------------------------------------------------------------------------------


def test_a_wave_removed_in_the_middle_of_its_stagger_keeps_what_was_sent(
    spring: Miniature, github: GitHub
) -> None:
    run(spring, github, 0)
    spring.remove("waves/spring.yaml")
    assert run(spring, github, HOUR).code == 0
    first, *rest = MEMBERS
    assert sent(github) == [first]
    assert spring.statuses[first] == "completed"
    assert {spring.records[name]["status"] for name in rest} == {"cancelled"}
    spring.write({"waves/spring.yaml": STAGGER})  # it comes back: what was sent does not fire again
    run(spring, github, HOUR + 60)
    run(spring, github, 2 * HOUR)
    assert sent(github).count(first) == 1


@pytest.mark.parametrize("edit", ["cancelled", "paused", "removed"])
def test_what_is_taken_back_while_its_outcome_is_unknown_is_not_sent_again(
    spring: Miniature, github: GitHub, edit: str
) -> None:
    spring.channels("gamma", delivery="at-least-once")
    github.repository("acme/gamma").faults = [Fault(status=502)]
    run(spring, github, 0)
    if edit == "removed":
        spring.remove("waves/spring.yaml")
    else:
        spring.write({"waves/spring.yaml": f"{edit}: true\n" + dedent(STAGGER)})
    for seconds in (150, 1000, 2000):
        run(spring, github, seconds)
    asked = [seen for seen in github.requests if seen.method == "POST" and "gamma" in seen.path]
    assert (len(asked), sent(github)) == (1, [])
    told = {"paused": "executing"}.get(edit, "failed (unknown_outcome)")
    assert spring.statuses[MEMBERS[0]] == told


def test_moved_into_another_folder_a_wave_is_the_same(spring: Miniature, github: GitHub) -> None:
    before = spring.json("plan", now=after(-HOUR))
    spring.remove("waves/spring.yaml").write({"waves/2026/march/spring.yaml": STAGGER})
    assert spring.json("plan", now=after(-HOUR)).json == before.json
    assert {change["action"] for change in before.json["changes"]} <= {"confirm"}


def test_while_a_wave_cannot_be_read_what_it_sent_is_still_looked_up(
    spring: Miniature, github: GitHub
) -> None:
    github.repository("acme/gamma").faults = [Fault(status=502, accept=True)]
    run(spring, github, 0)
    spring.write({"waves/spring.yaml": "schedules: [\n"})
    outcome = run(spring, github, 150)
    assert (outcome.code, outcome.codes) == (1, ["yaml-syntax"])
    assert outcome.results == {MEMBERS[0]: "completed"}
    assert run(spring, github, HOUR).results == {MEMBERS[1]: "completed"}, "unreadable is not withdrawn"


def test_a_channel_that_is_pointed_elsewhere_sends_nothing_there(spring: Miniature, github: GitHub) -> None:
    github.repository("evil/gamma")
    spring.write(
        {
            "scheduler.yaml": "allow: [acme/*]\n",
            "channels/gamma.yaml": "repository: evil/gamma\ntoken: ACME_TOKEN\n",
        }
    )
    outcome = run(spring, github, 0)
    assert (outcome.code, outcome.codes) == (1, ["not-allowed"])
    assert [seen for seen in github.requests if "evil" in seen.path] == []
    spring.channels("gamma")
    assert run(spring, github, HOUR).results == {MEMBERS[0]: "completed", MEMBERS[1]: "completed"}


def test_one_request_that_starts_two_runs_is_one_publication(spring: Miniature, github: GitHub) -> None:
    gamma = github.repository("acme/gamma")
    gamma.runs_per_dispatch = 2
    gamma.faults = [Fault(status=502, accept=True)]
    run(spring, github, 0)
    assert run(spring, github, 150).results == {MEMBERS[0]: "completed"}
    assert len({run_.title for run_ in gamma.runs}) == 1, "the channel claims the key: one of them publishes"
    assert sent(github) == [MEMBERS[0]]
