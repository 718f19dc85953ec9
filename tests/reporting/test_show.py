"""`show`: where a schedule is declared, its history, and one sentence on why it has or has not been sent.

And `list` at a glance: how far a wave has come, open slots, what a shell offers while an id is typed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from declaring import one
from github_stand_in import Fault, GitHub
from miniature import Miniature

from scheduler.delivery.queue.sqlite import SqliteQueue
from scheduler.times import read_utc

NOW = "2026-02-25T09:00:00Z"
DUE = "2026-03-01T18:00:00Z"
SPRING = """\
schedules:
  - type: simultaneous
    group: teaser
    video: teaser-4k
    at: 2026-03-01T18:00:00Z
    channels: [alpha, beta]
"""
ALPHA = "spring/teaser/alpha"


@pytest.fixture
def desk(live: Miniature) -> Miniature:
    live.write({"waves/spring.yaml": SPRING})
    assert live.run("run", now=NOW).code == 0
    return live


def why(desk: Miniature, schedule_id: str = ALPHA, now: str = NOW, **environ: str) -> str:
    """The sentence, which is the last line of the text and a key of the document."""
    text = desk.run("show", schedule_id, now=now, **environ)
    document = desk.json("show", schedule_id, now=now, **environ)
    assert text.code == document.code == 0, text.err
    sentence: str = document.json["why"]
    assert text.out.splitlines()[-1] == sentence
    return sentence


# --- the whole of it --------------------------------------------------------------------------------


def test_a_schedule_is_told_from_its_line_to_its_outcome(desk: Miniature) -> None:
    for command in (
        ["init", "--quiet"],
        ["add", "waves"],
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "Plan the launch",
         "--date=2026-02-20T12:00:00Z"],
    ):  # fmt: skip
        subprocess.run(["git", "-C", str(desk.root), *command], check=True, env=desk.environ)
    head = subprocess.run(
        ["git", "-C", str(desk.root), "rev-parse", "HEAD"], check=True, env=desk.environ, capture_output=True
    )
    desk.run("run", now="2026-03-01T18:03:00Z")
    told = desk.run("show", ALPHA, now="2026-03-01T18:10:00Z").out
    commit, key = head.stdout.decode()[:12], desk.records[ALPHA]["intent"]["key"]
    assert told == (
        "spring/teaser/alpha\n"
        "  video      teaser-4k\n"
        "  channel    alpha (acme/alpha)\n"
        "  group      spring/teaser (simultaneous)\n"
        "  publishes  2026-03-01 18:00 UTC\n"
        "  status     completed\n"
        f"  declared   waves/spring.yaml:6:16, by Ada on 2026-02-20 in {commit} (Plan the launch)\n"
        "  sent       2026-03-01 18:03 UTC, 3m late\n"
        "  attempts   1\n"
        f"  key        {key}\n"
        "\n"
        "History\n"
        "  2026-02-25 09:00 UTC  pending    declared in waves/spring.yaml\n"
        "  2026-03-01 18:03 UTC  executing  attempt 1\n"
        "  2026-03-01 18:03 UTC  completed  accepted\n"
        "\n"
        "Sent at 2026-03-01T18:03:00Z (3m late). Completed: acme/alpha accepted it. It is never sent again.\n"
    )


def test_the_document_for_programs_has_the_same_facts(desk: Miniature) -> None:
    document = desk.json("show", ALPHA, now=NOW).json
    assert document["version"] == 1
    assert document["declared"] == {
        "file": "waves/spring.yaml", "line": 6, "column": 16, "commit": None, "author": None,
        "committed_at": None,
    }  # fmt: skip
    assert document["schedule"]["schedule_id"] == ALPHA
    assert document["schedule"]["status"] == "pending"
    assert document["schedule"]["history"] == [
        {"at": NOW, "status": "pending", "why": "declared in waves/spring.yaml"}
    ]
    assert document["key"].startswith("gs1-")


def test_a_line_that_is_not_committed_yet_says_so(desk: Miniature) -> None:
    git = ["git", "-C", str(desk.root), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True, env=desk.environ)
    subprocess.run([*git, "commit", "--allow-empty", "-qm", "Begin"], check=True, env=desk.environ)
    told = desk.run("show", ALPHA, now=NOW).out
    assert "declared   waves/spring.yaml:6:16, not committed yet\n" in told


# --- the sentence -----------------------------------------------------------------------------------


def test_before_its_time_it_says_when_and_until_when(desk: Miniature) -> None:
    assert why(desk) == (
        "Not due yet. The first run at or after 2026-03-01T18:00:00Z sends it. If no run comes by "
        "2026-03-01T19:00:00Z, it is missed."
    )


def test_what_no_run_has_recorded_says_so(desk: Miniature) -> None:
    desk.write({"waves/spring.yaml": SPRING.replace("beta]", "beta, gamma]")})
    assert "No run has recorded it so far." in why(desk, "spring/teaser/gamma")


def test_a_lead_is_told(desk: Miniature) -> None:
    desk.channels("alpha", lead="6h")
    assert "The first run at or after 2026-03-01T12:00:00Z sends it (6h ahead, `lead`)." in why(desk)


def test_what_is_due_is_sent_by_the_next_run(desk: Miniature) -> None:
    assert why(desk, now=DUE) == (
        "Due now. The next run sends it. If no run comes by 2026-03-01T19:00:00Z, it is missed."
    )


def test_a_missing_token_is_named(desk: Miniature) -> None:
    assert "It is due but not sent: no token: ACME_TOKEN is not set" in why(desk, now=DUE, ACME_TOKEN="")
    broken = why(desk, now=DUE, ACME_TOKEN="ghp_one two")
    assert "no token: ACME_TOKEN does not look like one: it contains whitespace or an unexpected" in broken
    assert "is not set" not in broken


def test_whoever_holds_it_back_is_named_with_what_follows(desk: Miniature) -> None:
    desk.run("pause", "wave:spring", "--reason", "strike", now=NOW)
    assert why(desk) == (
        "It is paused by wave (strike). Once nothing pauses it, a run sends it when it is due. "
        "If that is after 2026-03-01T19:00:00Z, it is missed."
    )
    assert "it is missed: 2026-03-01T19:00:00Z has passed." in why(desk, now="2026-03-01T20:00:00Z")
    assert "operator (SCHEDULER_PAUSED=1)" in why(desk, SCHEDULER_PAUSED="1")


def test_a_pause_with_an_end_says_what_becomes_of_it_then(desk: Miniature) -> None:
    desk.run("pause", "wave:spring", "--until", "2026-03-01T18:30:00Z", now=NOW)
    assert "The pause ends at 2026-03-01T18:30:00Z. A run then sends it when it is due." in why(desk)
    desk.run("pause", "wave:spring", "--until", "2026-03-01T20:00:00Z", now=NOW)
    assert "The pause ends at 2026-03-01T20:00:00Z. It is then missed" in why(desk)


def test_the_rule_that_blocks_it_is_told_with_its_place(desk: Miniature) -> None:
    desk.channels("alpha", active="false")
    assert why(desk) == (
        "It is not sent: channel alpha is not active [inactive-channel, waves/spring.yaml:6:16]. "
        "Once that is fixed, a run sends it when it is due. "
        "If that is not fixed by 2026-03-01T19:00:00Z, it is missed."
    )


def test_where_one_id_begins_with_another_each_shows_the_rule_that_blocks_itself(desk: Miniature) -> None:
    desk.channels("alpha-2")
    members = {
        "waves/near.yaml": ("alpha-2", "2026-04-01T18:00:00Z"),
        "waves/far.yaml": ("alpha", "2026-04-01T18:00:10Z"),
    }
    desk.write({name: one("other", at, channel) for name, (channel, at) in members.items()})
    desk.write({"waves/summer.yaml": one("teaser", "2026-04-01T18:00:30Z", "alpha-2", "alpha")})
    assert "summer/teaser/alpha-2 (2026-04-01T18:00:30Z) and near/other/alpha-2" in why(
        desk, "summer/teaser/alpha-2"
    )
    assert "summer/teaser/alpha (2026-04-01T18:00:30Z) and far/other/alpha" in why(
        desk, "summer/teaser/alpha"
    )


def test_a_file_that_cannot_be_read_goes_on_as_recorded(desk: Miniature) -> None:
    desk.write({"waves/spring.yaml": SPRING + "    oops: 1\n"})
    found = why(desk)
    assert "Its file waves/spring.yaml cannot be read, so it continues as recorded. Not due yet. " in found


def test_a_member_that_waits_for_the_one_before_says_for_which(desk: Miniature) -> None:
    desk.write(
        {
            "waves/careful.yaml": """
                schedules:
                  - type: staggered
                    video: careful
                    at: 2026-03-03T18:00:00Z
                    delay: 10m
                    after_success: true
                    channels: [alpha, beta]
                """
        }
    )
    assert "It waits until careful/careful/alpha is completed" in why(desk, "careful/careful/beta")


def test_the_outcomes_of_failing_say_what_a_person_can_do(desk: Miniature, github: GitHub) -> None:
    github.repository("acme/alpha").faults.append(Fault(status=422, body={"message": "no workflow"}))
    github.repository("acme/beta").faults.append(Fault(status=500))
    github.repository("acme/beta").runs_per_dispatch = 0
    desk.run("run", now=DUE)
    assert "It failed (rejected) and was not sent: " in why(desk, now=DUE)
    assert "`scheduler retry spring/teaser/alpha`" in why(desk, now=DUE)
    beta = "spring/teaser/beta"
    assert "Runs look it up by its key until 2026-03-01T18:15:00Z." in why(desk, beta, now=DUE)
    desk.run("run", now="2026-03-01T18:16:00Z")
    found = why(desk, beta, now=DUE)
    assert "If it was not published, run `scheduler retry spring/teaser/beta --resend`." in found


def test_what_the_next_run_will_miss_is_told_as_that(desk: Miniature) -> None:
    assert why(desk, now="2026-03-01T20:00:00Z").startswith("The next run records it as failed (missed): ")


def test_a_limit_says_when_the_next_attempt_is(desk: Miniature, github: GitHub) -> None:
    limit = Fault(status=429, headers={"Retry-After": "120"}, body={"message": "slow down"})
    github.repository("acme/alpha").faults.append(limit)
    desk.run("run", now=DUE)
    assert "Attempt 1 was refused for now" in why(desk, now=DUE)
    assert "The first run at or after 2026-03-01T18:02:" in why(desk, now=DUE)


def test_what_was_cancelled_says_by_what(desk: Miniature) -> None:
    desk.run("cancel", ALPHA, now=NOW)
    assert "It is declared cancelled in waves/spring.yaml:6:" in why(desk)
    desk.remove("waves/spring.yaml")
    desk.run("run", now=NOW)
    assert why(desk) == "It is no longer declared, so it was cancelled and is not sent."


def test_an_open_slot_and_one_without_a_video_say_how_to_fill_them(desk: Miniature) -> None:
    desk.write(
        {"channels/daily.yaml": "queue: q\nslots: [18:00]\nschedules:\n  - { at: 2026-02-26T09:00:00Z }\n"}
    )
    assert "It is an open slot" in why(desk, "daily/2026-02-25T18:00:00Z")
    assert "At 2026-02-26T09:00:00Z it fails (no_video)." in why(desk, "daily/2026-02-26T09:00:00Z")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("spring/teaser/alhpa", "did you mean alpha?"),
        ("spring/taeser/alpha", "did you mean teaser?"),
        ("sprnig/teaser/alpha", "did you mean spring?"),
        ("spring", "run `scheduler list --wave spring` to see its publications"),
        ("spring/teaser", "run `scheduler list --group spring/teaser` to see its publications"),
    ],
)
def test_an_unknown_id_gets_a_suggestion(desk: Miniature, wanted: str, hint: str) -> None:
    outcome = desk.run("show", wanted, now=NOW)
    assert outcome.code == 1
    assert f"hint: {hint}" in outcome.err


def test_a_former_id_leads_to_the_new_one(desk: Miniature) -> None:
    (desk.root / "waves/spring.yaml").rename(desk.root / "waves/fall.yaml")
    desk.write({"waves/fall.yaml": f"renamed_from: spring\n{SPRING}"})
    outcome = desk.run("show", ALPHA, now=NOW)
    assert (outcome.code, outcome.err) == (
        1,
        "error: spring/teaser/alpha was renamed\nhint: its id is now fall/teaser/alpha\n",
    )


# --- list at a glance -------------------------------------------------------------------------------


def test_a_wave_that_has_begun_shows_how_far_it_has_come(desk: Miniature, github: GitHub) -> None:
    assert desk.run("list", now=NOW).out.splitlines()[-1] == "2 publications"
    github.repository("acme/beta").faults.append(Fault(status=422))
    second = SPRING.removeprefix("schedules:\n").replace("teaser", "later").replace("03-01", "03-08")
    desk.write({"waves/spring.yaml": SPRING + second.replace("beta]", "{ id: beta, paused: true }]")})
    desk.run("run", now=DUE)
    for only in ([], ["--channel", "alpha"], ["--status", "failed"]):
        listed = desk.run("list", *only, now=DUE).out
        assert listed.splitlines()[-1] == "spring: 1 of 4 public, 1 failed, 2 to come (1 paused)"


def test_open_slots_are_counted(desk: Miniature) -> None:
    desk.write({"channels/daily.yaml": "queue: q\nslots: [18:00]\nlineup: [one]\n"})
    listed = desk.run("list", "--channel", "daily", "--to", "2026-02-28", now=NOW).out
    assert listed.splitlines()[-1] == "3 publications, including 2 open slots"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (["--wave", "sprnig"], "warning: there is no wave 'sprnig'; did you mean spring?\n"),
        (["--channel", "Alpha"], "warning: there is no channel 'Alpha'; did you mean alpha?\n"),
        (
            ["--group", "spring/tease"],
            "warning: there is no group 'spring/tease'; did you mean spring/teaser?\n",
        ),
        (["--wave", "xyz"], "warning: there is no wave 'xyz'\n"),
        (["--wave", "spring", "--status", "failed"], ""),
    ],
)
def test_a_list_of_nothing_says_which_name_is_not_there(desk: Miniature, name: list[str], told: str) -> None:
    listed = desk.run("list", *name, now=NOW)
    assert (listed.code, listed.out, listed.err) == (0, "No publications.\n", told)


# --- completion -------------------------------------------------------------------------------------


def offers(desk: Miniature, words: str, *, at: int) -> list[str]:
    """What the command offers to a shell for the last of these words."""
    environ = {"_SCHEDULER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    environ |= desk.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-m", "scheduler"], cwd=desk.root, env=environ, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return [line.partition(",")[2] for line in done.stdout.split()]


def test_ids_waves_and_channels_are_completed(desk: Miniature) -> None:
    assert offers(desk, "scheduler pause w", at=2) == ["wave:spring"]
    assert offers(desk, "scheduler pause channel:a", at=2) == ["channel:alpha"]
    assert offers(desk, "scheduler show spring/", at=2) == ["spring/teaser/alpha", "spring/teaser/beta"]
    assert offers(desk, "scheduler pause spring/t", at=2) == [
        "spring/teaser",
        "spring/teaser/alpha",
        "spring/teaser/beta",
    ]
    assert offers(desk, "scheduler list --channel b", at=3) == ["beta"]
    assert offers(desk, "scheduler list --group spring/", at=3) == ["spring/teaser"]


def test_completion_stays_silent_where_nothing_can_be_read(desk: Miniature) -> None:
    desk.write({"scheduler.yaml": "catch_up: soon\n", "waves/spring.yaml": "schedules: ["})
    assert offers(desk, "scheduler show spring/", at=2) == []


def test_the_script_for_bash_keeps_colons_inside_of_words(desk: Miniature) -> None:
    script = desk.run("completion", "bash").out
    assert script.startswith('COMP_WORDBREAKS="${COMP_WORDBREAKS//:/}"\n')
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "_SCHEDULER_COMPLETE=zsh_complete" in desk.run("completion", "zsh").out


# --- queues -----------------------------------------------------------------------------------------


def lobby(desk: Miniature, command: str, keys: str = "") -> str:
    """A channel on a queue whose one job has been sent; its id."""
    schedule = f"schedules: [{{ video: teaser, at: {DUE} }}]\n"
    desk.write({"channels/lobby.yaml": f"queue: screens\ncommand: {command}\n{keys}{schedule}"})
    assert desk.run("run", now=NOW).code == 0
    assert desk.run("run", now=DUE).code == 0
    return f"lobby/{DUE}"


def test_a_job_says_which_worker_has_it_since_when(desk: Miniature) -> None:
    job = lobby(desk, "'true'", "confirm: run\n")
    assert "No worker has taken it yet." in why(desk, job, now=DUE)
    assert desk.json("show", job, now=DUE).json["worker"] is None
    SqliteQueue(desk.root / "queue.db").take("studio.4711.9f3a", read_utc("2026-03-01T18:00:10Z"))
    assert "The worker studio.4711.9f3a has had it since 2026-03-01T18:00:10Z, and counts as lost" in why(
        desk, job, now="2026-03-01T18:00:20Z"
    )
    told = desk.run("show", job, now="2026-03-01T18:00:20Z").out
    assert "  channel    lobby (queue screens)\n" in told
    assert "  worker     studio.4711.9f3a, since 2026-03-01 18:00:10 UTC\n" in told
    assert desk.json("show", job, now=DUE).json["worker"] == {
        "worker": "studio.4711.9f3a", "at": "2026-03-01T18:00:10Z", "state": "running",
        "until": "2026-03-01T18:01:10Z",
    }  # fmt: skip
    assert "accepted; waiting for its worker" in told
    assert "the channel's run" not in told


def test_a_queue_that_cannot_be_read_keeps_show_from_nothing(desk: Miniature) -> None:
    job = lobby(desk, "'true'", "confirm: run\n")
    (desk.root / "queue.db").write_bytes(b"no database at all, but long enough to be looked at" * 10)
    assert "No worker has taken it yet." in why(desk, job, now=DUE)


def test_a_dead_letter_is_told_as_one_by_list_and_show(desk: Miniature) -> None:
    job = lobby(desk, "echo no such video; exit 3")
    later = "2026-03-01T18:01:00Z"
    assert desk.run("worker", "--once", now=later, SCHEDULER_ALLOW_COMMANDS="1").code == 1
    listed = desk.run("list", "--channel", "lobby", now=later).out
    assert "failed (run_failed), a dead letter" in listed
    assert listed.splitlines()[-1] == "1 publication, including 1 dead letter"
    rows = desk.json("list", now=later).json["schedules"]
    assert {row["schedule_id"]: row["dead_letter"] for row in rows} == {
        job: True, ALPHA: False, "spring/teaser/beta": False,
    }  # fmt: skip
    assert desk.json("show", job, now=later).json["schedule"]["dead_letter"] is True
    assert "No worker takes its job up again." in why(desk, job, now=later)
    assert desk.run("retry", job, "--resend", now=later).code == 0
    assert not any(row["dead_letter"] for row in desk.json("list", now=later).json["schedules"])


# --- the operator's pause, seen from elsewhere --------------------------------------------------------


def test_a_pause_of_the_operator_is_told_where_it_is_not_set_until_a_run_lifts_it(desk: Miniature) -> None:
    assert desk.run("run", now="2026-02-25T21:55:00Z", SCHEDULER_PAUSED="1").code == 0
    for now, after in ((DUE, "a run sends it when it is due"), ("2026-03-01T20:00:00Z", "it is missed")):
        listed = desk.run("list", now=now).out
        words = "paused by operator (SCHEDULER_PAUSED=1), as recorded by a run at 2026-02-25T21:55:00Z"
        assert listed.count(words) == 2
        assert {row["is_paused"] for row in desk.json("list", now=now).json["schedules"]} == {True}
        assert f"the variable is not set here. Once nothing pauses it, {after}" in why(desk, now=now)
    here = desk.run("list", now=DUE, SCHEDULER_PAUSED="1").out
    assert "paused by operator (SCHEDULER_PAUSED=1)" in here
    assert "as recorded by a run" not in here
    assert desk.run("run", now=DUE).code == 0, "where it is lifted, a run sends"
    assert "operator" not in desk.run("list", now=DUE).out


# --- completion in a real shell -----------------------------------------------------------------------


def test_bash_itself_completes_ids_with_colons(desk: Miniature) -> None:
    desk.write({"channels/daily.yaml": f"queue: q\nslots: [18:00]\nschedules: [{{ video: x, at: {DUE} }}]\n"})
    program = desk.root / "bin" / "scheduler"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scheduler "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(scheduler completion bash)"
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _scheduler_completion scheduler; }
        ask scheduler pause channel:da; echo "${COMPREPLY[*]}"
        ask scheduler --now 2026-02-25T09:00:00Z show daily/2026-03-01T; echo "${COMPREPLY[*]}"
        ask scheduler list --wave s; echo "${COMPREPLY[*]}"
        complete -p scheduler
    """
    environ = desk.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    environ["PATH"] = f"{program.parent}:{environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=desk.root,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "channel:daily",
        f"daily/{DUE}",
        "spring",
        "complete -o nosort -F _scheduler_completion scheduler",
    ]
