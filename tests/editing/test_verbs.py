"""The verbs of editors and operators on real files: the difference, what is printed, what is refused."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from github_stand_in import Fault, GitHub
from miniature import Miniature, Outcome
from odd_yaml import OPENING

from scheduler import editing
from scheduler.app import operations
from scheduler.app.environment import surroundings_of
from scheduler.app.repository import Repository
from scheduler.clock import Clock
from scheduler.diagnostics import Location, error
from scheduler.errors import ScheduleError
from scheduler.times import read_time

NOW = "2026-02-25T09:00:00Z"
SPRING = (
    OPENING
    + """\
      at: "2026-03-02T18:00:00Z"
      delay: 1h
      channels:
      - alpha   # first
      - { id: beta, paused: { reason: waiting for legal } }
      - gamma
"""
)
DAILY = """\
name: Daily   # on air since 2019
repository: acme/daily
token: ACME_TOKEN
timezone: Europe/Berlin
slots:
  - Mon,Wed,Fri 18:00   # prime time
lineup: [intro, branches, rebase]
schedules:
  - { video: birthday, at: 2026-03-05T09:00 }
  - { at: 2026-03-12T09:00 }   # to be decided
"""


@pytest.fixture
def desk(live: Miniature, github: GitHub) -> Miniature:
    """A wave and a channel with slots, recorded, at the stand-in."""
    github.repository("acme/daily")
    live.write({"waves/spring.yaml": SPRING, "channels/daily.yaml": DAILY})
    assert live.run("run", now=NOW).code == 0
    return live


def do(desk: Miniature, *command: str, now: str = NOW, code: int = 0) -> Outcome:
    """Run a command that is to end in a certain way."""
    outcome = desk.run(*command, now=now)
    assert outcome.code == code, outcome.out + outcome.err
    return outcome


def tick(desk: Miniature, now: str) -> None:
    """A run, red or not: the days that these tests skip leave slots behind that are missed."""
    assert desk.run("run", now=now).code in (0, 1)


def changed_lines(outcome: Outcome) -> list[str]:
    """The lines that a printed diff takes out and puts in."""
    lines = outcome.out.splitlines()
    return [line for line in lines if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")]


def spring(desk: Miniature) -> str:
    return (desk.root / "waves/spring.yaml").read_text()


def daily(desk: Miniature) -> str:
    return (desk.root / "channels/daily.yaml").read_text()


# --- pause and resume -------------------------------------------------------------------------------


def test_pausing_a_wave_prints_the_diff_and_how_many_schedules_it_touches(desk: Miniature) -> None:
    outcome = do(desk, "pause", "wave:spring", "--reason", "waiting for legal")
    assert changed_lines(outcome) == ["+paused: { reason: waiting for legal }"]
    assert "Paused wave:spring in waves/spring.yaml: 5 publications:" in outcome.out
    assert (
        "  spring/teaser/alpha       2026-03-01 18:00 UTC  paused by wave (waiting for legal)" in outcome.out
    )
    assert "+paused" not in do(desk, "pause", "wave:spring", "--reason", "waiting for legal").out


@pytest.mark.parametrize(
    "target",
    ["wave:spring", "channel:daily", "spring/teaser", "spring/teaser/beta", "daily/2026-02-27T17:00:00Z",
     "daily/2026-03-12T08:00:00Z"],
)  # fmt: skip
def test_pausing_and_resuming_leaves_no_difference(desk: Miniature, target: str) -> None:
    before = spring(desk), daily(desk)
    do(desk, "pause", target, "--reason", "a reason", "--until", "2026-02-26T18:00:00+01:00")
    assert (spring(desk), daily(desk)) != before
    do(desk, "resume", target)
    assert (spring(desk), daily(desk)) == before


def test_what_is_paused_is_not_sent_and_what_is_resumed_in_time_is(desk: Miniature, github: GitHub) -> None:
    do(desk, "pause", "spring/teaser/alpha")
    tick(desk, "2026-03-01T18:00:00Z")
    assert [dispatch.repository for dispatch in github.dispatches if "teaser" in str(dispatch.payload)] == [
        "acme/beta"
    ]
    resumed = do(desk, "resume", "spring/teaser/alpha", now="2026-03-01T18:20:00Z")
    assert "Due now: the next run sends spring/teaser/alpha." in resumed.out
    tick(desk, "2026-03-01T18:21:00Z")
    assert desk.statuses["spring/teaser/alpha"] == "completed"


def test_resuming_too_late_says_that_it_will_be_missed(desk: Miniature) -> None:
    do(desk, "pause", "spring/teaser/alpha")
    tick(desk, "2026-03-01T18:00:00Z")
    resumed = do(desk, "resume", "spring/teaser/alpha", now="2026-03-01T19:20:00Z")
    assert "Too late: the next run records spring/teaser/alpha as missed" in resumed.out


@pytest.mark.parametrize(
    ("until", "told"),
    [
        ("2026-03-01T19:00:00Z", False),
        ("2026-03-01T19:00:01Z", True),
        ("2026-03-05T00:00:00Z", True),
    ],
)
def test_a_pause_that_ends_too_late_says_that_it_will_be_missed(
    desk: Miniature, until: str, told: bool
) -> None:
    paused = do(desk, "pause", "spring/teaser/alpha", "--until", until)
    assert ("Note: spring/teaser/alpha is missed when the pause ends" in paused.out) == told
    tick(desk, "2026-03-01T18:00:00Z")
    tick(desk, until)
    assert (desk.statuses["spring/teaser/alpha"] == "failed (missed)") == told


def test_resuming_lifts_its_target_alone_and_names_what_remains(desk: Miniature) -> None:
    do(desk, "pause", "wave:spring", "--reason", "strike")
    do(desk, "pause", "channel:beta", "--until", "2026-03-01T20:00:00Z")
    outcome = do(desk, "resume", "wave:spring")
    assert "Resumed wave:spring in waves/spring.yaml: 5 publications:" in outcome.out
    assert (
        "Still paused by channel (until 2026-03-01T20:00:00Z): 2 publications. "
        "Run `scheduler resume channel:beta` to lift that." in outcome.out
    )
    assert (
        "Still paused by schedule (waiting for legal): spring/premiere-4k/beta. "
        "Run `scheduler resume spring/premiere-4k/beta` to lift that." in outcome.out
    )


def test_resuming_what_is_not_paused_itself_says_who_pauses_it(desk: Miniature) -> None:
    do(desk, "pause", "wave:spring")
    outcome = do(desk, "resume", "spring/teaser/alpha")
    assert "spring/teaser/alpha is not paused itself: nothing to change." in outcome.out
    assert "Still paused by wave: spring/teaser/alpha. Run `scheduler resume wave:spring`" in outcome.out


def test_pausing_a_slot_tells_what_the_lineup_does_about_it(desk: Miniature) -> None:
    outcome = do(desk, "pause", "daily/2026-02-25T17:00:00Z")
    assert changed_lines(outcome) == ["+  - { at: 2026-02-25T17:00:00Z, paused: true }"]
    assert "3 other publications change because of this:" in outcome.out
    assert (
        "daily/2026-02-27T17:00:00Z  2026-02-27 17:00 UTC (18:00 Europe/Berlin)  branches -> intro"
        in outcome.out
    )


def test_a_pause_that_would_be_over_already_is_refused(desk: Miniature) -> None:
    outcome = do(desk, "pause", "wave:spring", "--until", "2026-02-25T08:00:00Z", code=1)
    assert "a pause until 2026-02-25T08:00:00Z would already be over" in outcome.err
    assert spring(desk) == SPRING


def test_what_was_sent_can_be_neither_paused_nor_cancelled_nor_moved(desk: Miniature) -> None:
    tick(desk, "2026-03-01T18:00:00Z")
    for command in (["pause"], ["cancel"], ["move"]):
        time = ["2026-04-01T18:00:00Z"] if command == ["move"] else []
        outcome = do(desk, *command, "spring/teaser/alpha", *time, now="2026-03-01T18:05:00Z", code=1)
        assert "error: spring/teaser/alpha is completed, so it" in outcome.err
    assert spring(desk) == SPRING


# --- cancel -----------------------------------------------------------------------------------------


def test_cancelling_a_wave_cancels_what_was_not_sent(desk: Miniature, github: GitHub) -> None:
    tick(desk, "2026-03-01T18:00:00Z")
    outcome = do(desk, "cancel", "wave:spring", now="2026-03-01T18:05:00Z")
    assert changed_lines(outcome) == ["+cancelled: true"]
    assert "Cancelled wave:spring in waves/spring.yaml: 3 publications:" in outcome.out
    tick(desk, "2026-03-02T21:00:00Z")
    assert desk.statuses["spring/premiere-4k/gamma"] == "cancelled (declared)"
    assert desk.statuses["spring/teaser/alpha"] == "completed"


def test_cancelling_a_group_leaves_the_members_that_were_sent_as_they_are(desk: Miniature) -> None:
    tick(desk, "2026-03-02T18:30:00Z")
    outcome = do(desk, "cancel", "spring/premiere-4k", now="2026-03-02T18:31:00Z")
    assert changed_lines(outcome) == [
        "-      - { id: beta, paused: { reason: waiting for legal } }",
        "-      - gamma",
        "+      - { id: beta, paused: { reason: waiting for legal }, cancelled: true }",
        "+      - { id: gamma, cancelled: true }",
    ]


def test_a_blank_reason_is_none(desk: Miniature) -> None:
    assert changed_lines(do(desk, "pause", "wave:spring", "--reason", "   ")) == ["+paused: true"]
    do(desk, "pause", "channel:daily", "--reason", "strike")
    assert changed_lines(do(desk, "pause", "channel:daily", "--reason", " ")) == []
    assert "The reason was not saved" not in do(desk, "resume", "wave:spring", "--reason", "").out


def test_a_reason_that_is_not_kept_is_told_to_be_lost(desk: Miniature) -> None:
    outcome = do(desk, "cancel", "spring/teaser/beta", "--reason", "a typing error in it")
    assert "The reason was not saved" in outcome.out


# --- move -------------------------------------------------------------------------------------------


def test_moving_a_group_says_from_when_to_when(desk: Miniature) -> None:
    outcome = do(desk, "move", "spring/teaser", "2026-03-01T20:00:00+01:00")
    assert changed_lines(outcome) == [
        "-    at: 2026-03-01T18:00:00Z   # prime time",
        "+    at: 2026-03-01T19:00:00Z   # prime time",
    ]
    assert "spring/teaser/alpha  2026-03-01 18:00 UTC -> 2026-03-01 19:00 UTC" in outcome.out


def test_shifting_a_member_of_a_stagger_takes_along_all_that_follow(desk: Miniature) -> None:
    outcome = do(desk, "move", "spring/premiere-4k/beta", "--shift", "+30m")
    assert "Moved spring/premiere-4k/beta in waves/spring.yaml: 2 publications:" in outcome.out
    assert "spring/premiere-4k/gamma  2026-03-02 20:00 UTC -> 2026-03-02 20:30 UTC" in outcome.out
    back = do(desk, "move", "spring/premiere-4k/beta", "--shift", "-30m")
    assert "2026-03-02 20:30 UTC -> 2026-03-02 20:00 UTC" in back.out
    assert spring(desk) == SPRING


def test_a_one_off_that_is_moved_becomes_another_schedule_and_both_are_told(desk: Miniature) -> None:
    outcome = do(desk, "move", "daily/2026-03-05T08:00:00Z", "2026-03-06T09:00")
    assert "+  - { video: birthday, at: 2026-03-06T09:00 }" in changed_lines(outcome)
    assert "daily/2026-03-05T08:00:00Z  2026-03-05 08:00 UTC (09:00 Europe/Berlin)  cancelled" in outcome.out
    assert "daily/2026-03-06T08:00:00Z  2026-03-06 08:00 UTC (09:00 Europe/Berlin)  birthday" in outcome.out


@pytest.mark.parametrize(
    ("target", "time", "code", "words"),
    [
        ("spring/teaser", "2026-02-01T18:00:00Z", "past", "in the past"),
        ("spring/teaser", "2026-03-02T18:00:30Z", "min-gap", "30s apart"),
    ],
)
def test_a_move_that_breaks_a_rule_is_refused_with_its_place(
    desk: Miniature, target: str, time: str, code: str, words: str
) -> None:
    outcome = do(desk, "move", target, time, code=1)
    assert f"[{code}]" in outcome.err
    assert "the change would break a rule; waves/spring.yaml was not written" in outcome.err
    assert words in outcome.err
    assert spring(desk) == SPRING


def test_a_move_needs_a_time_or_a_shift(desk: Miniature) -> None:
    assert do(desk, "move", "wave:spring", code=2).err.endswith("give either a TIME or --shift\n")
    do(desk, "move", "wave:spring", "2026-03-01T18:00:00Z", "--shift", "1h", code=2)
    assert "write 90s" in do(desk, "move", "wave:spring", "--shift", "90", code=2).err


# --- faults that are there already --------------------------------------------------------------------


def test_a_fault_that_was_there_before_does_not_stand_in_the_way(desk: Miniature) -> None:
    desk.write({"waves/other.yaml": "schedules:\n  - type: simultaneous\n"})
    twice = SPRING.replace("channels: [alpha, beta]", "channels: [alpha, beta, nobody]")
    desk.write({"waves/spring.yaml": twice})
    outcome = do(desk, "pause", "wave:spring")
    assert changed_lines(outcome) == ["+paused: true"]


def test_a_file_that_cannot_be_read_is_not_edited_and_the_way_out_is_told(desk: Miniature) -> None:
    desk.write({"waves/spring.yaml": SPRING.replace("delay: 1h", "dealy: 1h")})
    outcome = do(desk, "pause", "wave:spring", code=1)
    assert "waves/spring.yaml has errors, so an edit in it would have no effect" in outcome.err
    assert "SCHEDULER_PAUSED=1" in outcome.err
    assert "waves/spring.yaml:16:7" in outcome.err


def test_without_settings_nothing_is_edited(desk: Miniature) -> None:
    desk.write({"scheduler.yaml": "catch_up: soon\n"})
    assert "fix scheduler.yaml first" in do(desk, "pause", "wave:spring", code=1).err


# --- unknown targets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        ("wave:sprnig", "wave 'sprnig' is not declared", "did you mean spring?"),
        ("wave:sp", "wave 'sp' is not declared", "did you mean spring?"),
        ("channel:aplha", "channel 'aplha' is not declared", "did you mean alpha?"),
        ("spring", "'spring' is not a target", "did you mean wave:spring?"),
        ("spring/teser", "wave spring has no group 'teser'", "did you mean teaser?"),
        ("spring/teaser/gama", "group spring/teaser has no channel 'gama'",
         "the channels of group spring/teaser are alpha, beta"),
        ("daily/2026-02-28T17:00:00Z", "channel daily has no publication at 2026-02-28T17:00:00Z",
         "the nearest are daily/2026-02-27T17:00:00Z,"),
        ("daily/18:00", "'18:00' is not a time", "the nearest are daily/"),
        ("daily/2026-02-28", "'2026-02-28' is a day", "the nearest are daily/2026-02-27T17:00:00Z,"),
        ("daily/27.2.2026", "'27.2.2026' is not a time with an offset", "the nearest are daily/"),
        ("waves/spring.yaml", "'waves/spring.yaml' is the name of a file", "did you mean wave:spring?"),
        ("wave:spring.yaml", "'wave:spring.yaml' is the name of a file", "did you mean wave:spring?"),
        ("channel:alpha.yml", "channel 'alpha.yml' is not declared", "did you mean alpha?"),
        ("what is this", "'what is this' is not a target", "write `channel:ID`"),
    ],
)  # fmt: skip
def test_an_unknown_target_gets_a_suggestion(desk: Miniature, target: str, message: str, hint: str) -> None:
    outcome = do(desk, "pause", target, code=1)
    assert f"error: {message}" in outcome.err
    assert f"hint: {hint}" in outcome.err


def test_a_schedule_may_be_named_in_the_time_of_any_zone(desk: Miniature) -> None:
    outcome = do(desk, "cancel", "daily/2026-03-05T09:00+01:00")
    assert "daily/2026-03-05T08:00:00Z" in outcome.out


# --- assign and create --------------------------------------------------------------------------------


def test_a_video_is_assigned_to_a_one_off_and_to_an_open_slot(desk: Miniature) -> None:
    one_off = do(desk, "assign", "daily/2026-03-12T08:00:00Z", "the-video")
    assert changed_lines(one_off)[-1] == "+  - { at: 2026-03-12T09:00, video: the-video }   # to be decided"
    assert "(no video) -> the-video" in one_off.out
    slot = do(desk, "assign", "daily/2026-03-06T17:00:00Z", "a-late-idea")
    assert changed_lines(slot) == ["+  - { video: a-late-idea, at: 2026-03-06T17:00:00Z }"]


def test_a_member_of_a_wave_has_the_video_of_its_entry(desk: Miniature) -> None:
    assert "share the `video:` of their entry" in do(desk, "assign", "spring/teaser/alpha", "x", code=1).err


def test_creating_a_wave_writes_a_file_that_reads_as_an_editors(desk: Miniature) -> None:
    outcome = do(
        desk, "create", "staggered", "finale", "--at", "2026-04-01T18:00+02:00", "--delay", "90m",
        "--channels", "gamma,alpha", "--channels", "beta", "--wave", "summer", "--title", "Summer: all of it",
        "--metadata", "campaign=sun",
    )  # fmt: skip
    assert (desk.root / "waves/summer.yaml").read_text() == (
        'title: "Summer: all of it"\n'
        "schedules:\n"
        "  - type: staggered\n"
        "    video: finale\n"
        "    at: 2026-04-01T18:00+02:00\n"
        "    delay: 1h30m\n"
        "    channels: [gamma, alpha, beta]\n"
        "    metadata: { campaign: sun }\n"
    )
    assert "--- /dev/null\n+++ b/waves/summer.yaml\n" in outcome.out
    assert "Created summer/finale in waves/summer.yaml: 3 publications:" in outcome.out


def test_a_local_time_beside_its_zone_is_written_as_it_was_given(desk: Miniature) -> None:
    do(
        desk, "create", "simultaneous", "night", "--at", "2026-04-01T23:00", "--timezone", "America/New_York",
        "--channels", "alpha",
    )  # fmt: skip
    text = (desk.root / "waves/night-20260402T030000Z.yaml").read_text()
    assert "at: 2026-04-01T23:00\n    timezone: America/New_York\n" in text


def test_a_second_group_is_appended_to_its_wave_in_the_waves_own_style(desk: Miniature) -> None:
    outcome = do(
        desk, "create", "simultaneous", "trailer", "--at", "2026-03-03T18:00:00Z", "--channels",
        "alpha,gamma", "--wave", "spring",
    )  # fmt: skip
    assert not [line for line in changed_lines(outcome) if line.startswith("-")]
    assert spring(desk).startswith(SPRING)


def test_a_title_is_that_of_a_new_wave_and_is_not_dropped_in_silence(desk: Miniature) -> None:
    group = (
        "create", "simultaneous", "trailer", "--at", "2026-03-03T18:00:00Z", "--channels", "alpha",
        "--wave", "spring", "--title",
    )  # fmt: skip
    wrong = do(desk, *group, "New title", code=2)
    assert "wave spring already exists, and a title is only for a new wave" in wrong.err
    assert "edit `title:` in waves/spring.yaml" in wrong.err
    assert spring(desk) == SPRING
    do(desk, *group, "Spring: launch")


def test_a_group_that_conflicts_in_one_member_is_not_created_at_all(desk: Miniature) -> None:
    outcome = do(
        desk, "create", "simultaneous", "clash", "--at", "2026-03-01T18:00:30Z", "--channels", "gamma,alpha",
        code=1,
    )  # fmt: skip
    assert "[min-gap]" in outcome.err
    assert not list((desk.root / "waves").glob("clash*"))


def test_a_one_off_is_created_in_the_channels_own_time(desk: Miniature) -> None:
    outcome = do(desk, "create", "independent", "daily", "--at", "2026-03-10T12:00", "--video", "special")
    assert changed_lines(outcome) == ["+  - { video: special, at: 2026-03-10T12:00 }"]
    assert "daily/2026-03-10T11:00:00Z" in outcome.out
    twice = do(desk, "create", "independent", "daily", "--at", "2026-03-10T11:00:00Z", code=1)
    assert "channel daily already has a publication at 2026-03-10T11:00:00Z" in twice.err


# --- writing ----------------------------------------------------------------------------------------


def test_an_edited_file_keeps_its_mode_and_leaves_nothing_beside_it(desk: Miniature) -> None:
    file = desk.root / "waves/spring.yaml"
    file.chmod(0o640)
    do(desk, "pause", "wave:spring")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (desk.root / "waves").iterdir()] == ["spring.yaml"]


def test_a_file_that_changed_since_it_was_read_is_not_overwritten(desk: Miniature) -> None:
    repository = Repository(desk.root, desk.environ, Clock(read_time(NOW)))

    def slowly(view: editing.View) -> editing.Proposal:
        proposal = editing.pause(view, "wave:spring")
        (desk.root / "waves/spring.yaml").write_text(SPRING + "# saved by somebody else\n")
        return proposal

    with pytest.raises(ScheduleError, match="was changed meanwhile"):
        operations.change(repository, slowly)
    assert spring(desk) == SPRING + "# saved by somebody else\n"


def test_edits_from_many_threads_lose_nothing(desk: Miniature) -> None:
    def create(number: int) -> None:
        repository = Repository(desk.root, desk.environ, Clock(read_time(NOW)))
        operations.change(
            repository,
            lambda view: editing.create_group(
                view, "simultaneous", video=f"video-{number}", channels=["alpha"], wave="many",
                at=f"2026-05-{number:02}T18:00:00Z",
            ),
        )  # fmt: skip

    threads = [threading.Thread(target=create, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = desk.json("list", "--wave", "many", now=NOW).json["schedules"]
    assert [schedule["video_id"] for schedule in listed] == [f"video-{number}" for number in range(1, 9)]


# --- commits ----------------------------------------------------------------------------------------


def git(desk: Miniature, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(desk.root), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=desk.environ,
    )
    return done.stdout


@pytest.fixture
def committed(desk: Miniature) -> Iterator[Miniature]:
    """The desk as a git repository whose user has a name."""
    git(desk, "init", "--quiet", "--initial-branch=main")
    git(desk, "config", "user.name", "Ada")
    git(desk, "config", "user.email", "ada@example.org")
    git(desk, "add", "waves", "channels")
    git(desk, "commit", "--quiet", "-m", "Begin")
    yield desk


def test_a_commit_takes_the_edited_file_and_nothing_that_is_staged(committed: Miniature) -> None:
    committed.write({"channels/alpha.yaml": "repository: acme/alpha\n", "notes.txt": "mine\n"})
    git(committed, "add", "channels/alpha.yaml", "notes.txt")
    outcome = do(committed, "pause", "wave:spring", "--reason", "strike", "--commit")
    assert outcome.out.splitlines()[-1].startswith("Committed waves/spring.yaml as ")
    assert git(committed, "show", "--format=%s", "--name-only", "HEAD").split("\n\n") == [
        "Pause wave:spring: strike",
        "waves/spring.yaml\n",
    ]
    assert "spring/teaser/alpha" in git(committed, "log", "-1", "--format=%b")
    assert git(committed, "diff", "--cached", "--name-only").split() == ["channels/alpha.yaml", "notes.txt"]


def test_a_new_wave_is_committed_too(committed: Miniature) -> None:
    do(committed, "create", "simultaneous", "finale", "--at", "2026-04-01T18:00Z", "--channels", "alpha",
       "--wave", "summer", "--commit")  # fmt: skip
    assert git(committed, "show", "--format=%s", "--name-only", "HEAD").split("\n\n") == [
        "Create summer/finale",
        "waves/summer.yaml\n",
    ]


def test_a_commit_would_not_take_along_somebody_elses_changes(committed: Miniature) -> None:
    committed.write({"waves/spring.yaml": SPRING + "# a change of my own\n"})
    outcome = do(committed, "pause", "wave:spring", "--commit", code=1)
    assert "has uncommitted changes" in outcome.err
    assert spring(committed) == SPRING + "# a change of my own\n"


def test_outside_of_git_nothing_is_written_that_should_be_committed(desk: Miniature) -> None:
    outcome = do(desk, "pause", "wave:spring", "--commit", code=1)
    assert "is not a git work tree" in outcome.err
    assert spring(desk) == SPRING


def test_a_commit_that_a_hook_refuses_is_told_in_the_hooks_words(committed: Miniature) -> None:
    hook = committed.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    outcome = do(committed, "pause", "wave:spring", "--commit", code=1)
    assert "waves/spring.yaml was written, but git did not commit it: not on a Friday" in outcome.err


# --- retry ------------------------------------------------------------------------------------------


def fail(desk: Miniature, github: GitHub, name: str = "acme/alpha") -> None:
    """Let the teaser be rejected on a channel."""
    github.repository(name).faults.append(Fault(status=422, body={"message": "no workflow"}))
    tick(desk, "2026-03-01T18:00:00Z")


def test_a_rejected_schedule_is_retried_however_late(desk: Miniature, github: GitHub) -> None:
    fail(desk, github)
    outcome = do(desk, "retry", "spring/teaser/alpha", now="2026-03-01T23:00:00Z")
    assert outcome.out == (
        "spring/teaser/alpha is pending again.\n"
        "Due now. The next run sends it. If no run comes by 2026-03-02T00:00:00Z, it is missed.\n"
    )
    tick(desk, "2026-03-01T23:01:00Z")
    assert desk.statuses["spring/teaser/alpha"] == "completed"
    assert [event["why"] for event in desk.records["spring/teaser/alpha"]["history"]][-3:] == [
        "retried after rejected",
        "attempt 2",
        "accepted",
    ]


def test_what_may_have_been_published_wants_resend_and_gets_a_key_of_its_own(
    desk: Miniature, github: GitHub
) -> None:
    github.repository("acme/alpha").faults.append(Fault(status=500))
    github.repository("acme/alpha").runs_per_dispatch = 0
    for now in ("2026-03-01T18:00:00Z", "2026-03-01T18:03:00Z", "2026-03-01T18:16:00Z"):
        tick(desk, now)
    assert desk.statuses["spring/teaser/alpha"] == "failed (unknown_outcome)"
    first = desk.records["spring/teaser/alpha"]["intent"]["key"]

    desk.environ["GITHUB_SERVER_URL"] = "https://github.example.com/"
    refused = do(desk, "retry", "spring/teaser/alpha", now="2026-03-01T19:00:00Z", code=1)
    assert "spring/teaser/alpha may have been published (unknown_outcome)" in refused.err
    runs = "https://github.example.com/acme/alpha/actions"
    assert f"check {runs} for a run with {first} in its title\n" in refused.out
    assert "scheduler retry spring/teaser/alpha --resend" in refused.err

    outcome = do(desk, "retry", "spring/teaser/alpha", "--resend", now="2026-03-01T19:00:00Z")
    assert f"for a run with {first} in its title" in outcome.out
    assert "as resend 1 with a new key" in outcome.out
    tick(desk, "2026-03-01T19:01:00Z")
    assert desk.statuses["spring/teaser/alpha"] == "completed"
    assert desk.records["spring/teaser/alpha"]["intent"]["key"] != first


def test_without_a_server_address_the_runs_are_those_of_the_server_that_was_asked(
    desk: Miniature, github: GitHub
) -> None:
    github.repository("acme/alpha").faults.append(Fault(status=500))
    github.repository("acme/alpha").runs_per_dispatch = 0
    for now in ("2026-03-01T18:00:00Z", "2026-03-01T18:03:00Z", "2026-03-01T18:16:00Z"):
        tick(desk, now)
    refused = do(desk, "retry", "spring/teaser/alpha", now="2026-03-01T19:00:00Z", code=1)
    assert f"check {github.url}/acme/alpha/actions for a run with " in refused.out
    assert "github.com" not in refused.out


@pytest.mark.parametrize(
    ("environ", "server"),
    [
        ({}, "https://github.com"),
        ({"GITHUB_API_URL": "https://api.github.com"}, "https://github.com"),
        ({"GITHUB_API_URL": "https://api.github.com/"}, "https://github.com"),
        ({"GITHUB_API_URL": "https://github.acme.example/api/v3"}, "https://github.acme.example"),
        ({"GITHUB_API_URL": "https://api.acme.example:8443/api/v3/"}, "https://api.acme.example:8443"),
        ({"GITHUB_API_URL": "https://api.acme.ghe.com"}, "https://acme.ghe.com"),
        ({"GITHUB_API_URL": "https://bot:secret@git.example/api/v3"}, "https://git.example"),
        (
            {"GITHUB_SERVER_URL": "https://git.example/", "GITHUB_API_URL": "https://api.github.com"},
            "https://git.example",
        ),
    ],
)
def test_the_address_of_githubs_pages_is_known_from_the_environment(
    environ: dict[str, str], server: str
) -> None:
    assert surroundings_of(environ).server == server


def test_resend_of_what_was_never_sent_is_a_plain_retry(desk: Miniature, github: GitHub) -> None:
    fail(desk, github)
    do(desk, "retry", "spring/teaser/alpha", "--resend", now="2026-03-01T18:05:00Z")
    assert desk.records["spring/teaser/alpha"].get("resends", 0) == 0


@pytest.mark.parametrize(
    ("schedule_id", "words"),
    [
        ("spring/teaser/beta", "is completed: only a failed schedule can be retried"),
        ("spring/premiere-4k/gamma", "is pending: only a failed schedule can be retried"),
        ("spring/teaser/gama", "has no channel 'gama'"),
        ("wave:sprin", "wave 'sprin' is not declared"),
        ("wave:spring", "nothing of wave:spring failed, so there is nothing to retry"),
        ("spring/premiere-4k", "nothing of spring/premiere-4k failed"),
        ("tag:delay", "no channel has the tag 'delay'"),
        ("spring", "did you mean wave:spring?"),
    ],
)
def test_what_did_not_fail_is_not_retried(
    desk: Miniature, github: GitHub, schedule_id: str, words: str
) -> None:
    if schedule_id != "wave:spring":
        fail(desk, github)
    assert words in do(desk, "retry", schedule_id, now="2026-03-01T18:05:00Z", code=1).err


def test_several_are_retried_at_once_and_what_cannot_be_is_reported(desk: Miniature, github: GitHub) -> None:
    github.repository("acme/beta").faults.append(Fault(status=422, body={"message": "no workflow"}))
    fail(desk, github)
    ids = ("spring/teaser/alpha", "spring/teaser/gama", "spring/premiere-4k/gamma", "spring/teaser/beta")
    serial = desk.state["serial"]
    outcome = do(desk, "retry", *ids, now="2026-03-01T18:05:00Z", code=1)
    assert [line for line in outcome.out.splitlines() if line.endswith(" is pending again.")] == [
        "spring/teaser/alpha is pending again.",
        "spring/teaser/beta is pending again.",
    ]
    assert [line for line in outcome.err.splitlines() if line.startswith("error: ")] == [
        "error: group spring/teaser has no channel 'gama'",
        "error: spring/premiere-4k/gamma is pending: only a failed schedule can be retried",
    ]
    assert desk.state["serial"] == serial + 1, "all are saved at once"
    tick(desk, "2026-03-01T18:06:00Z")
    assert desk.statuses["spring/teaser/alpha"] == desk.statuses["spring/teaser/beta"] == "completed"


@pytest.mark.parametrize(
    "targets",
    [
        ["wave:spring"],
        ["spring/teaser"],
        ["channel:alpha"],
        ["tag:main"],
        ["--failed"],
        ["--failed", "wave:spring"],
    ],
)
def test_what_failed_of_a_wave_a_group_a_channel_or_a_tag_is_retried(
    desk: Miniature, github: GitHub, targets: list[str]
) -> None:
    desk.channels("alpha", tags="[main]")
    fail(desk, github)
    outcome = do(desk, "retry", *targets, now="2026-03-01T18:05:00Z")
    retried = [line.split()[0] for line in outcome.out.splitlines() if line.endswith(" is pending again.")]
    missed = ["daily/2026-02-25T17:00:00Z", "daily/2026-02-27T17:00:00Z"] if targets == ["--failed"] else []
    assert retried == [*missed, "spring/teaser/alpha"]
    assert {desk.statuses[schedule_id] for schedule_id in retried} == {"pending"}


def test_where_nothing_failed_a_retry_of_all_that_failed_does_nothing(desk: Miniature) -> None:
    before = desk.state
    for targets in (["--failed"], ["--failed", "wave:spring"], ["--failed", "spring/teaser/beta"]):
        assert do(desk, "retry", *targets).out == "Nothing failed, so there is nothing to retry.\n"
    assert desk.state == before
    assert "give at least one TARGET, or --failed" in do(desk, "retry", code=2).err


def test_what_a_rule_holds_back_does_not_hold_back_the_other_retries(desk: Miniature, github: GitHub) -> None:
    github.repository("acme/beta").faults.append(Fault(status=422, body={"message": "no workflow"}))
    fail(desk, github)
    desk.channels("alpha", active="false")
    outcome = do(desk, "retry", "wave:spring", now="2026-03-01T18:05:00Z", code=1)
    assert "spring/teaser/alpha would not be sent: it breaks the rule [inactive-channel]" in outcome.err
    assert "spring/teaser/beta is pending again." in outcome.out
    assert desk.statuses["spring/teaser/alpha"] == "failed (rejected)"
    assert desk.statuses["spring/teaser/beta"] == "pending"


def test_what_is_no_longer_declared_is_not_retried(desk: Miniature, github: GitHub) -> None:
    fail(desk, github)
    desk.remove("waves/spring.yaml")
    outcome = do(desk, "retry", "spring/teaser/alpha", now="2026-03-01T18:05:00Z", code=1)
    assert "spring/teaser/alpha is no longer declared" in outcome.err


def test_what_is_declared_cancelled_is_not_retried(desk: Miniature, github: GitHub) -> None:
    fail(desk, github)
    do(desk, "cancel", "spring/teaser/alpha", now="2026-03-01T18:05:00Z")
    outcome = do(desk, "retry", "spring/teaser/alpha", now="2026-03-01T18:06:00Z", code=1)
    assert "is declared cancelled in waves/spring.yaml" in outcome.err


def test_what_a_rule_would_hold_back_is_not_retried(desk: Miniature, github: GitHub) -> None:
    fail(desk, github)
    desk.channels("alpha", active="false")
    outcome = do(desk, "retry", "spring/teaser/alpha", now="2026-03-01T18:05:00Z", code=1)
    assert "it breaks the rule [inactive-channel]" in outcome.err


def test_a_retried_slot_takes_its_video_back_from_the_lineup(desk: Miniature, github: GitHub) -> None:
    github.repository("acme/daily").faults.append(Fault(status=422, body={"message": "no"}))
    tick(desk, "2026-02-25T17:00:00Z")
    assert desk.records["daily/2026-02-27T17:00:00Z"]["video_id"] == "intro", (
        "its video went back to the head"
    )

    do(desk, "retry", "daily/2026-02-25T17:00:00Z", now="2026-02-25T18:00:00Z")
    tick(desk, "2026-02-25T18:01:00Z")
    assert desk.statuses["daily/2026-02-25T17:00:00Z"] == "completed"
    assert desk.records["daily/2026-02-25T17:00:00Z"]["video_id"] == "intro"
    assert desk.records["daily/2026-02-27T17:00:00Z"]["video_id"] == "branches"


def test_a_slot_whose_video_was_sent_from_another_one_is_not_retried(desk: Miniature, github: GitHub) -> None:
    github.repository("acme/daily").faults.append(Fault(status=422, body={"message": "no"}))
    tick(desk, "2026-02-25T17:00:00Z")
    tick(desk, "2026-02-26T17:00:00Z")
    tick(desk, "2026-02-27T17:00:00Z")
    assert desk.records["daily/2026-02-27T17:00:00Z"]["video_id"] == "intro"
    outcome = do(desk, "retry", "daily/2026-02-25T17:00:00Z", now="2026-02-27T17:05:00Z", code=1)
    assert "video 'intro' has been sent from another slot of channel daily" in outcome.err


def test_a_slot_that_is_gone_or_whose_video_left_the_lineup_is_not_retried(
    desk: Miniature, github: GitHub
) -> None:
    github.repository("acme/daily").faults.append(Fault(status=422, body={"message": "no"}))
    tick(desk, "2026-02-25T17:00:00Z")
    desk.write({"channels/daily.yaml": DAILY.replace("[intro, ", "[")})
    outcome = do(desk, "retry", "daily/2026-02-25T17:00:00Z", now="2026-02-25T18:00:00Z", code=1)
    assert "its video 'intro' is not in the lineup of channel daily any more" in outcome.err
    desk.write({"channels/daily.yaml": DAILY.replace("Mon,Wed,Fri", "Mon,Fri")})
    outcome = do(desk, "retry", "daily/2026-02-25T17:00:00Z", now="2026-02-25T18:00:00Z", code=1)
    assert "channel daily has no slot at that time" in outcome.err


def test_a_retry_lifts_the_halt_of_its_wave_once_it_succeeds(desk: Miniature, github: GitHub) -> None:
    desk.write({"waves/spring.yaml": SPRING.replace("schedules:", "on_failure: halt\nschedules:", 1)})
    tick(desk, NOW)
    fail(desk, github)
    told = do(desk, "show", "spring/premiere-4k/gamma", now="2026-03-01T18:05:00Z").out
    assert "paused by halt (spring/teaser/alpha failed)" in told
    do(desk, "retry", "spring/teaser/alpha", now="2026-03-01T18:10:00Z")
    tick(desk, "2026-03-01T18:11:00Z")
    told = do(desk, "show", "spring/premiere-4k/gamma", now="2026-03-01T18:12:00Z").out
    assert "  status     pending\n" in told or "  status     scheduled\n" in told


def test_on_actions_a_retry_into_a_file_is_refused_because_it_would_be_lost(
    desk: Miniature, github: GitHub
) -> None:
    fail(desk, github)
    outcome = desk.run("retry", "spring/teaser/alpha", now="2026-03-01T18:05:00Z", GITHUB_ACTIONS="true")
    assert outcome.code == 3
    assert "would be lost" in outcome.err


def test_retries_that_race_are_decided_again(desk: Miniature, github: GitHub, tmp_path: Path) -> None:
    fail(desk, github)
    errors: list[str] = []
    clock = Clock(read_time("2026-03-01T18:05:00Z"))

    def retry() -> None:
        done = operations.retry(Repository(desk.root, desk.environ, clock), ["spring/teaser/alpha"])
        errors.extend(problem.message for problem in done.refused)

    threads = [threading.Thread(target=retry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == ["spring/teaser/alpha is pending: only a failed schedule can be retried"] * 3


def test_the_text_of_a_refusal_has_every_reason_with_its_place() -> None:
    reasons = [
        error("past", Location("waves/a.yaml", 4, 9), "it is over"),
        error("frozen", Location("waves/a.yaml", 6, 9), "it is frozen"),
    ]
    assert str(ScheduleError("refused", reasons)).splitlines() == [
        "refused",
        "  waves/a.yaml:4:9: it is over [past]",
        "  waves/a.yaml:6:9: it is frozen [frozen]",
    ]


def test_one_of_very_many_faults_can_be_mended_and_none_added(mini: Miniature) -> None:
    past = "".join(
        f"  - {{ type: simultaneous, video: v{n}, at: 2026-02-01T00:{n % 60:02}:00Z, channels: [c{n}] }}\n"
        for n in range(150)
    )
    mini.channels(*(f"c{n}" for n in range(150))).write({"waves/old.yaml": f"schedules:\n{past}"})
    assert mini.json("validate", now=NOW).codes == ["past"] * 101
    assert mini.run("cancel", "old/v7/c7", now=NOW).code == 0
    last = mini.json("validate", now=NOW).json["diagnostics"][-1]
    assert last["message"] == "…and 49 more in this file are not shown"
    added = mini.run(
        "create",
        "simultaneous",
        "v",
        "--at",
        "2026-02-01T00:00Z",
        "--channels",
        "c7",
        "--wave",
        "old",
        now=NOW,
    )
    assert added.code == 1
    assert "[past]" in added.err
