"""The worker on the embedded queue: what a command gets, what its end means, and who may run one at all."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from broker_servers import PATIENCE, eventually
from miniature import Miniature, Outcome

from scheduler.app.repository import Repository
from scheduler.clock import Clock
from scheduler.delivery.queue.attempts import AttemptRunner, Gate, WorkerSettings
from scheduler.delivery.queue.commands import CommandRunner
from scheduler.delivery.queue.sqlite import SqliteQueue
from scheduler.delivery.queue.sqlite_worker import SqliteWorker
from scheduler.times import read_utc

BEFORE, NOON, SOON = "2030-03-01T11:00:00Z", "2030-03-01T12:00:00Z", "2030-03-01T12:00:05Z"
JOB = f"lobby/{NOON}"


@pytest.fixture
def mini(tmp_path: Path) -> Miniature:
    made = Miniature(tmp_path)
    made.environ["SCHEDULER_ALLOW_COMMANDS"] = "1"
    return made


def sent(mini: Miniature, command: str, *, keys: str = "", video: str = "teaser") -> Miniature:
    """A channel with one publication, which a run has put on the queue."""
    schedule = json.dumps({"video": video, "at": NOON, "metadata": {"title": "Ein Lied"}})
    lines = [f"queue: screens\ncommand: {json.dumps(command)}\n", keys, f"schedules: [{schedule}]\n"]
    mini.write({"channels/lobby.yaml": "".join(lines)})
    assert mini.run("state", "init", now=BEFORE).code == 0
    assert mini.run("run", now=NOON).code == 0
    return mini


def work(mini: Miniature, now: str = SOON, *options: str, **environ: str) -> Outcome:
    return mini.run("worker", "--once", *options, now=now, **environ)


def why(mini: Miniature) -> str:
    words: str = mini.records[JOB]["error_message"]
    return words


# --- what a command gets --------------------------------------------------------------------------------


def test_a_command_gets_the_payload_on_its_input_and_in_variables(mini: Miniature) -> None:
    sent(mini, "cat > input; env > variables")
    assert work(mini).code == 0
    payload = json.loads((mini.root / "input").read_text())
    seen = dict(line.split("=", 1) for line in (mini.root / "variables").read_text().splitlines())
    assert {name: seen[f"SCHEDULER_{name.upper()}"] for name in payload} == {
        **payload, "wave_id": "", "coordination_group_id": "", "metadata": '{"title": "Ein Lied"}',
    }  # fmt: skip
    assert (payload["video_id"], payload["schedule_id"]) == ("teaser", JOB)
    assert (seen["SCHEDULER_JOB_ID"], seen["SCHEDULER_ATTEMPT"]) == (JOB, "1")
    assert seen["PWD"] == str(mini.root)


def test_a_command_sees_no_token_and_nothing_else_of_the_operators_environment(mini: Miniature) -> None:
    sent(mini, "env > variables")
    work(mini, SCHEDULER_TOKEN="canary", GITHUB_TOKEN="canary", AWS_SECRET="canary")
    seen = (mini.root / "variables").read_text()
    assert "canary" not in seen
    assert mini.environ["ACME_TOKEN"] not in seen
    assert "ALLOW_COMMANDS" not in seen


def test_what_the_operator_names_is_passed_on_and_masked_in_what_a_command_says(mini: Miniature) -> None:
    sent(mini, 'printf %s "$UPLOAD_KEY" > key; echo "denied: $UPLOAD_KEY"; exit 1')
    outcome = work(mini, SCHEDULER_COMMAND_ENV="UPLOAD_KEY, NOT_SET", UPLOAD_KEY="canary-5d41402a")
    assert (mini.root / "key").read_text() == "canary-5d41402a"
    assert why(mini) == "exit code 1: denied: ***"
    assert "canary-5d41402a" not in outcome.out + outcome.err + json.dumps(mini.state)


def test_the_schedulers_own_variables_cannot_be_passed_on(mini: Miniature) -> None:
    sent(mini, "true")
    outcome = work(mini, SCHEDULER_COMMAND_ENV="SCHEDULER_TOKEN", SCHEDULER_TOKEN="canary")
    assert outcome.code == 2
    assert "SCHEDULER_COMMAND_ENV names SCHEDULER_TOKEN" in outcome.err
    assert mini.statuses == {JOB: "executing"}


def test_a_video_id_is_a_value_and_never_a_part_of_the_command(mini: Miniature) -> None:
    evil = '$(touch pwned); `touch pwned`; "; touch pwned; #'
    sent(mini, 'printf %s "$SCHEDULER_VIDEO_ID" > played', video=evil)
    assert work(mini).code == 0
    assert (mini.root / "played").read_text() == evil
    assert not (mini.root / "pwned").exists()


def test_a_command_that_reads_nothing_and_leaves_something_running_is_over_when_it_ends(
    mini: Miniature,
) -> None:
    sent(mini, "sleep 30 & echo $! > left; echo started")
    assert work(mini).code == 0
    os.kill(int((mini.root / "left").read_text()), signal.SIGKILL)


# --- how it ends ----------------------------------------------------------------------------------------


def test_exit_0_is_evidence_that_the_schedule_was_run(mini: Miniature) -> None:
    sent(mini, "true")
    assert mini.records[JOB]["evidence"] == "accepted"
    assert work(mini).code == 0
    assert (mini.statuses, mini.records[JOB]["evidence"]) == ({JOB: "completed"}, "run")
    assert mini.json("run", now=SOON).json["results"] == []


@pytest.mark.parametrize("confirm", ["accepted", "run"])
def test_a_command_that_fails_is_run_failed_and_never_starts_again(mini: Miniature, confirm: str) -> None:
    sent(mini, "echo x >> tries; echo no such video; exit 3", keys=f"confirm: {confirm}\n")
    outcome = work(mini)
    assert outcome.code == 1
    assert mini.statuses == {JOB: "failed (run_failed)"}
    assert why(mini) == "exit code 3: no such video"
    work(mini, "2030-03-01T12:30:00Z")
    assert (mini.root / "tries").read_text() == "x\n"


def test_at_least_once_repeats_a_failing_command_with_a_doubling_backoff(mini: Miniature) -> None:
    sent(
        mini,
        'echo $SCHEDULER_ATTEMPT >> tries; [ "$SCHEDULER_ATTEMPT" = 3 ]',
        keys="delivery: at-least-once\n",
    )
    for now in ("12:00:05", "12:00:50", "12:01:10", "12:02:50", "12:03:20"):
        work(mini, f"2030-03-01T{now}Z")
    assert (mini.root / "tries").read_text().split() == ["1", "2", "3"]
    assert (mini.statuses, mini.records[JOB]["evidence"]) == ({JOB: "completed"}, "run")


def test_at_least_once_gives_up_after_the_attempts_of_the_setting(mini: Miniature) -> None:
    mini.write({"scheduler.yaml": "retry: { attempts: 2, backoff: 10s }\n"})
    sent(mini, "echo x >> tries; false", keys="delivery: at-least-once\n")
    for now in ("12:00:05", "12:00:20", "12:01:00", "12:02:00"):
        work(mini, f"2030-03-01T{now}Z")
    assert (mini.root / "tries").read_text() == "x\nx\n"
    assert mini.statuses == {JOB: "failed (run_failed)"}


def test_a_job_that_comes_after_its_not_after_is_refused(mini: Miniature) -> None:
    sent(mini, "touch played")
    late = work(mini, "2030-03-01T13:00:01Z")
    assert not (mini.root / "played").exists()
    assert mini.statuses == {JOB: "failed (missed)"}
    assert (late.code, "0 done, 1 failed" in late.out) == (1, True), "the run after it has nothing to say"
    assert f"{JOB}: failed: no worker began its job by 2030-03-01T13:00:00Z" in late.out
    assert why(mini) == "no worker began its job by 2030-03-01T13:00:00Z"


def test_a_run_that_has_to_confirm_waits_for_the_worker(mini: Miniature) -> None:
    sent(mini, "true", keys="confirm: run\n")
    assert mini.statuses == {JOB: "executing"}
    work(mini)
    assert mini.statuses == {JOB: "completed"}


def test_a_failing_command_halts_its_wave(mini: Miniature) -> None:
    mini.write(
        {
            "channels/lobby.yaml": "queue: screens\ncommand: 'false'\n",
            "waves/spring.yaml": f"""
                on_failure: halt
                schedules:
                  - {{ type: simultaneous, group: a, video: a, at: {NOON}, channels: [lobby] }}
                  - {{ type: simultaneous, group: b, video: b, at: 2030-03-01T12:10:00Z, channels: [lobby] }}
            """,
        }
    )
    mini.run("state", "init", now=BEFORE)
    mini.run("run", now=NOON)
    work(mini)
    mini.run("run", now="2030-03-01T12:10:00Z")
    assert mini.statuses == {"spring/a/lobby": "failed (run_failed)", "spring/b/lobby": "scheduled"}
    assert mini.records["spring/b/lobby"]["pauses"][0]["by"] == "halt"


def test_a_channel_without_a_command_is_told_so(mini: Miniature) -> None:
    mini.write({"channels/lobby.yaml": f"queue: screens\nschedules: [{{ video: teaser, at: {NOON} }}]\n"})
    mini.run("state", "init", now=BEFORE)
    mini.run("run", now=NOON)
    assert work(mini).code == 1
    assert why(mini) == "the channel lobby has no `command:` to run"


def test_what_a_command_says_is_told_without_control_characters(mini: Miniature) -> None:
    sent(mini, "printf '\\033[2Jred\\n'; exit 1")
    assert "\x1b" not in work(mini).out


# --- lost workers, and a record out of reach ------------------------------------------------------------


def test_a_worker_that_is_lost_leaves_an_unknown_outcome_to_a_person(mini: Miniature) -> None:
    sent(mini, "touch played")
    assert SqliteQueue(mini.root / "queue.db").take("lost", 1898596810) is not None  # 12:00:10
    outcome = work(mini, "2030-03-01T12:05:00Z")
    assert mini.statuses == {JOB: "failed (unknown_outcome)"}
    assert not (mini.root / "played").exists()
    assert outcome.code == 0, "this worker did nothing wrong"
    assert mini.run("retry", JOB, now="2030-03-01T12:06:00Z").code == 1
    assert mini.run("retry", JOB, "--resend", now="2030-03-01T12:06:00Z").code == 0
    mini.run("run", now="2030-03-01T12:06:10Z")
    work(mini, "2030-03-01T12:06:20Z")
    assert (mini.statuses, mini.records[JOB]["evidence"]) == ({JOB: "completed"}, "run")


def test_a_worker_that_comes_back_may_still_tell_how_its_one_attempt_ended(mini: Miniature) -> None:
    sent(mini, "true")
    queue = SqliteQueue(mini.root / "queue.db")
    job = queue.take("slow", 1898596810)
    assert job is not None
    work(mini, "2030-03-01T12:05:00Z")
    assert mini.statuses == {JOB: "failed (unknown_outcome)"}
    assert queue.finish(job, 1898597400)
    work(mini, "2030-03-01T12:10:00Z")
    assert mini.statuses == {JOB: "completed"}


def test_an_end_that_could_not_be_recorded_is_recorded_by_the_next_worker(mini: Miniature) -> None:
    sent(mini, "echo x >> tries; mv state.json away.json")
    outcome = work(mini)
    assert outcome.code == 3
    assert "there is no state" in outcome.err
    (mini.root / "away.json").rename(mini.root / "state.json")
    assert mini.records[JOB]["evidence"] == "accepted"
    assert work(mini).code == 0
    assert mini.records[JOB]["evidence"] == "run"
    assert (mini.root / "tries").read_text() == "x\n"


def test_a_worker_without_a_record_takes_no_job(mini: Miniature) -> None:
    sent(mini, "touch played")
    (mini.root / "state.json").unlink()
    assert work(mini).code == 3
    assert not (mini.root / "played").exists()


# --- who may run commands, and how many -----------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "0", "true"])
def test_no_command_is_run_where_the_operator_did_not_allow_it(mini: Miniature, value: str) -> None:
    sent(mini, "touch played")
    outcome = work(mini, SCHEDULER_ALLOW_COMMANDS=value)
    assert outcome.code == 2
    assert "SCHEDULER_ALLOW_COMMANDS=1 is not set" in outcome.err
    assert not (mini.root / "played").exists()
    work(mini)
    assert (mini.root / "played").exists()


def test_on_actions_a_record_or_a_queue_in_a_file_would_be_lost(mini: Miniature) -> None:
    sent(mini, "touch played")
    outcome = work(mini, GITHUB_ACTIONS="true")
    assert outcome.code == 3
    assert not (mini.root / "played").exists()


def test_a_worker_takes_only_the_queues_it_is_told(mini: Miniature) -> None:
    sent(mini, "touch played")
    work(mini, SOON, "--queue", "uploads")
    assert not (mini.root / "played").exists()
    work(mini, SOON, "--queue", "uploads", "--queue", "screens")
    assert (mini.root / "played").exists()


def test_as_many_jobs_run_at_one_time_as_were_asked_for(mini: Miniature) -> None:
    meet = 'touch "here-$SCHEDULER_VIDEO_ID"; while [ "$(ls here-* | wc -l)" -lt 3 ]; do sleep 0.02; done'
    at = "2030-03-01T12:00:00Z"
    for n in range(3):
        schedules = f'[{{ video: v{n}, at: "{at}" }}]'
        lines = f"queue: q\ncommand: {json.dumps(meet)}\nschedules: {schedules}\n"
        mini.write({f"channels/lobby-{n}.yaml": lines})
    mini.run("state", "init", now=BEFORE)
    mini.run("run", now=at)
    assert work(mini, "2030-03-01T12:03:00Z", "--jobs", "3").code == 0
    assert {record["evidence"] for record in mini.records.values()} == {"run"}


def test_a_worker_stays_and_takes_what_comes_until_it_is_asked_to_end(mini: Miniature) -> None:
    sent(mini, "touch played")
    worker = mini.start("--now", SOON, "worker")
    try:
        eventually((mini.root / "played").exists, "the job is done")
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=PATIENCE)
    finally:
        worker.kill()
        worker.wait()
    assert worker.returncode == 0, err
    assert f"{JOB}: done" in out
    assert mini.records[JOB]["evidence"] == "run"


# --- what a worker does not begin -----------------------------------------------------------------------


def test_a_job_of_another_state_stays_where_it_is_and_is_not_run(mini: Miniature) -> None:
    sent(mini, "touch played")
    first = (mini.root / "state.json").read_text()
    (mini.root / "state.json").unlink()
    assert mini.run("state", "init", now=SOON).code == 0
    outcome = work(mini)
    assert (outcome.code, (mini.root / "played").exists()) == (0, False)
    assert f"1 job of another repository left alone on queue.db: {JOB}" in outcome.out
    told = mini.run("doctor", now=SOON).out
    assert f"1 job of another repository in queue.db: {JOB}" in told
    (mini.root / "state.json").write_text(first)
    work(mini)
    assert (mini.root / "played").exists()


def test_a_job_that_the_record_does_not_know_is_put_aside_and_never_run(mini: Miniature) -> None:
    sent(mini, "touch played")
    records = mini.state
    records["schedules"][JOB] |= {"status": "cancelled", "reason": "before_init"}
    del records["schedules"][JOB]["intent"]
    (mini.root / "state.json").write_text(json.dumps(records) + "\n")
    outcome = work(mini)
    assert (outcome.code, (mini.root / "played").exists()) == (0, False)
    assert f"{JOB}: set aside: the state has no such job" in outcome.out
    assert [job.job_id for job in SqliteQueue(mini.root / "queue.db").unknown_jobs()] == [JOB]
    assert mini.statuses == {JOB: "cancelled (before_init)"}


def test_a_job_that_was_sent_anew_meanwhile_is_run_in_its_new_shape_alone(mini: Miniature) -> None:
    sent(mini, 'echo "$SCHEDULER_JOB_ID" >> played', keys="confirm: run\n")
    records = mini.state  # a person gave the first job up, which waits on the queue all the same
    records["schedules"][JOB] |= {"status": "failed", "reason": "unknown_outcome"}
    (mini.root / "state.json").write_text(json.dumps(records) + "\n")
    assert mini.run("retry", JOB, "--resend", now=SOON).code == 0
    assert mini.run("run", now=SOON).code == 0
    assert "the state has another job in its place" in work(mini).out
    assert (mini.root / "played").read_text() == f"{JOB}#1\n"
    assert mini.statuses == {JOB: "completed"}
    assert SqliteQueue(mini.root / "queue.db").unknown_jobs() == []


def test_a_job_whose_schedule_was_given_up_meanwhile_is_not_run(mini: Miniature) -> None:
    sent(mini, "touch played", keys="confirm: run\n")
    records = mini.state
    records["schedules"][JOB] |= {"status": "failed", "reason": "unknown_outcome"}
    (mini.root / "state.json").write_text(json.dumps(records) + "\n")
    assert ": set aside: it is already failed" in work(mini).out
    assert not (mini.root / "played").exists()


def test_a_queued_job_is_called_queued_and_is_completed_by_its_worker_alone(mini: Miniature) -> None:
    sent(mini, "true")
    assert mini.statuses == {JOB: "executing"}
    listed = mini.run("list", now=SOON).out
    assert "  queued  " in listed
    assert "completed" not in listed
    assert (
        "If no worker has begun it by 2030-03-01T13:00:00Z, it is missed"
        in mini.run("show", JOB, now=SOON).out
    )
    work(mini)
    assert "  completed  " in mini.run("list", now=SOON).out


def stop(mini: Miniature, how: str) -> dict[str, str]:
    """Hold back what was sent; the environment of what follows."""
    if how == "freeze":
        mini.write(
            {"scheduler.yaml": f"freezes: [{{ reason: x, from: {BEFORE}, until: 2030-03-01T12:10:00Z }}]\n"}
        )
    elif how == "removed":
        text = (mini.root / "channels/lobby.yaml").read_text()
        mini.write({"channels/lobby.yaml": text.partition("schedules:")[0]})
    elif how != "stopped":
        target = "channel:lobby" if how == "paused" else JOB
        done = mini.run("cancel" if how == "cancelled" else "pause", target, now=SOON)
        assert (done.code, "1 publication" in done.out) == (0, True), done
    return {"SCHEDULER_PAUSED": "1"} if how == "stopped" else {}


HELD_BACK = {
    "stopped": "pending", "paused": "pending", "cancelled": "cancelled (declared)", "freeze": "pending",
    "removed": "cancelled (withdrawn)",
}  # fmt: skip


@pytest.mark.parametrize("how", HELD_BACK)
def test_what_is_held_back_after_it_was_queued_is_not_begun_by_a_worker(mini: Miniature, how: str) -> None:
    sent(mini, "touch played")
    environ = stop(mini, how)
    outcome = work(mini, **environ)
    assert (outcome.code, (mini.root / "played").exists()) == (0, False)
    assert ("SCHEDULER_PAUSED" if how == "stopped" else f"{JOB}: not begun: ") in outcome.out


@pytest.mark.parametrize("how", HELD_BACK)
def test_what_is_held_back_after_it_was_queued_is_taken_back_by_a_run(mini: Miniature, how: str) -> None:
    sent(mini, "touch played")
    environ = stop(mini, how)
    ran = mini.run("run", now="2030-03-01T12:05:00Z", **environ)
    assert (ran.code, mini.statuses) == (0, {JOB: HELD_BACK[how]}), ran
    work(mini, "2030-03-01T12:06:00Z")  # without the switch: the job is off the queue
    assert not (mini.root / "played").exists()


@pytest.mark.parametrize("how", ["stopped", "paused", "freeze"])
def test_what_was_taken_back_is_queued_again_once_nothing_holds_it_back(mini: Miniature, how: str) -> None:
    sent(mini, "echo x >> played")
    key = mini.records[JOB]["intent"]["key"]
    mini.run("run", now="2030-03-01T12:05:00Z", **stop(mini, how))
    if how == "paused":
        assert mini.run("resume", "channel:lobby", now="2030-03-01T12:06:00Z").code == 0
    assert mini.run("run", now="2030-03-01T12:20:00Z").code == 0
    assert (mini.statuses, mini.records[JOB]["intent"]["key"]) == ({JOB: "executing"}, key)
    work(mini, "2030-03-01T12:21:00Z")
    assert (mini.statuses, (mini.root / "played").read_text()) == ({JOB: "completed"}, "x\n")


@pytest.mark.parametrize("how", HELD_BACK)
def test_what_a_worker_has_begun_is_not_taken_back(mini: Miniature, how: str) -> None:
    sent(mini, "touch played", keys="delivery: at-least-once\n")
    queue = SqliteQueue(mini.root / "queue.db")
    job = queue.take("w", 1898596810, lease=3600)  # 12:00:10
    assert job is not None
    mini.run("run", now="2030-03-01T12:05:00Z", **stop(mini, how))
    assert mini.statuses == {JOB: "executing"}
    assert queue.finish(job, 1898596820)
    mini.run("run", now="2030-03-01T12:07:00Z")
    assert mini.statuses == {JOB: "completed"}


# --- the queue is part of what is known -----------------------------------------------------------------


def declared(mini: Miniature) -> None:
    """A channel with one publication, and a state that has not heard of it."""
    text = f"command: echo x >> played\nschedules: [{{ video: v, at: {NOON} }}]\n"
    mini.write({"channels/lobby.yaml": text})
    assert mini.run("state", "init", now=BEFORE).code == 0


def run_until(mini: Miniature, point: str) -> None:
    """A run that is killed at a point."""
    with mini.start("--now", NOON, "run", SCHEDULER_CRASH_AT=point) as process:
        process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL


def test_a_job_that_nobody_began_is_missed_once_its_time_is_over(mini: Miniature) -> None:
    sent(mini, "touch played")
    assert mini.run("run", now="2030-03-01T13:00:00Z").code == 0
    ran = mini.run("run", now="2030-03-01T13:02:00Z")
    assert (ran.code, mini.statuses) == (1, {JOB: "failed (missed)"})
    assert mini.run("retry", JOB, now="2030-03-01T13:03:00Z").code == 0
    assert mini.run("run", now="2030-03-01T13:03:00Z").code == 0
    work(mini, "2030-03-01T13:04:00Z")
    assert (mini.statuses, (mini.root / "played").exists()) == ({JOB: "completed"}, True)


@pytest.mark.parametrize("point", ["intent-saved", "before-send"])
def test_a_job_that_never_came_onto_its_queue_is_put_there_by_the_next_run(
    mini: Miniature, point: str
) -> None:
    mini.write(
        {"channels/lobby.yaml": f"command: echo x >> played\nschedules: [{{ video: v, at: {NOON} }}]\n"}
    )
    mini.run("state", "init", now=BEFORE)
    run_until(mini, point)
    mini.run("run", now="2030-03-01T12:01:00Z")
    assert mini.statuses == {JOB: "executing"}, "its run may be at work"
    mini.run("run", now="2030-03-01T12:03:00Z")
    work(mini, "2030-03-01T12:04:00Z")
    assert (mini.statuses, (mini.root / "played").read_text()) == ({JOB: "completed"}, "x\n")


@pytest.mark.parametrize("point", ["before-send", "answered"])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_absence_from_another_file_than_the_one_that_was_to_get_it_proves_nothing(
    mini: Miniature, point: str, is_replaced: bool
) -> None:
    """The worker may have done the job before the file was lost."""
    mini.write(
        {"channels/lobby.yaml": f"command: echo x >> played\nschedules: [{{ video: v, at: {NOON} }}]\n"}
    )
    mini.run("state", "init", now=BEFORE)
    run_until(mini, point)
    (mini.root / "queue.db").unlink()
    if is_replaced:
        SqliteQueue(mini.root / "queue.db").identity()
    assert mini.run("run", now="2030-03-01T12:03:00Z").code == 1
    assert mini.statuses == {JOB: "executing"}
    assert mini.run("run", now="2030-03-01T12:20:00Z").code == 1
    assert mini.statuses == {JOB: "failed (unknown_outcome)"}
    assert why(mini) == "the queue that had its job is gone", "and no word of a run, which a job has not"


def test_a_queue_that_is_restored_from_before_a_job_proves_nothing_of_it(mini: Miniature) -> None:
    mini.write(
        {"channels/lobby.yaml": f"command: echo x >> played\nschedules: [{{ video: v, at: {NOON} }}]\n"}
    )
    mini.run("state", "init", now=BEFORE)
    SqliteQueue(mini.root / "queue.db").identity()
    backup = (mini.root / "queue.db").read_bytes()
    mini.run("run", now=NOON)
    (mini.root / "queue.db").write_bytes(backup)
    assert mini.run("run", now="2030-03-01T12:03:00Z").code == 1
    assert mini.statuses == {JOB: "failed (unknown_outcome)"}
    assert why(mini) == "its job is not on the queue any more"


def test_a_queue_of_the_first_version_is_taken_over_with_its_jobs(mini: Miniature) -> None:
    sent(mini, "touch played")
    with closing(sqlite3.connect(mini.root / "queue.db")) as db:
        db.executescript("ALTER TABLE jobs DROP COLUMN lineage; DROP TABLE file; PRAGMA user_version = 1")
    work(mini)
    assert (mini.statuses, (mini.root / "played").exists()) == ({JOB: "completed"}, True)


# --- a worker that is held up ---------------------------------------------------------------------------


def test_a_queue_that_is_locked_while_a_job_ends_costs_no_end(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(mini, "echo x >> played; touch ended", keys="delivery: at-least-once\n")
    monkeypatch.setattr("scheduler.delivery.queue.database.BUSY", 0.1)
    refused = iter(["database is locked"] * 3)
    end_some = SqliteQueue.end_some

    def locked(queue: SqliteQueue, *args: Any) -> Any:
        if next(refused, None):
            with closing(sqlite3.connect(queue.path, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                return end_some(queue, *args)
        return end_some(queue, *args)

    monkeypatch.setattr(SqliteQueue, "end_some", locked)
    outcome = work(mini)
    assert (outcome.code, (mini.root / "played").read_text()) == (0, "x\n")
    assert f"the end of {JOB} is not saved: the queue queue.db failed: database is locked" in outcome.out
    assert mini.records[JOB]["evidence"] == "run"


def test_a_worker_does_not_take_its_own_job_for_lost_when_the_clock_jumps(mini: Miniature) -> None:
    """The jump also shows other workers that leases ran out unseen: they wait until those are renewed."""
    sent(mini, "echo x >> played; while [ ! -e go ]; do sleep 0.05; done", keys="delivery: at-least-once\n")
    clock = Clock(read_utc(SOON))
    workers = [threading.Thread(target=in_process(mini, clock, name)) for name in ("one", "other")]
    for worker in workers:
        worker.start()
    try:
        eventually((mini.root / "played").exists, "it is begun")
        clock._offset += 3600
        eventually(lambda: lease_ends(mini) > read_utc("2030-03-01T13:00:00Z"), "the lease is renewed")
    finally:
        (mini.root / "go").touch()
        eventually(lambda: mini.statuses == {JOB: "completed"}, "it is done")
        clock.end()
        for worker in workers:
            worker.join(PATIENCE)
    assert (mini.root / "played").read_text() == "x\n"


def test_a_worker_that_holds_a_job_of_a_lost_file_does_not_take_it_for_one_of_the_new_file(
    mini: Miniature,
) -> None:
    """Numbers begin anew in a new file."""
    hold = (
        'echo "$SCHEDULER_VIDEO_ID" >> played; while [ ! -e "go-$SCHEDULER_VIDEO_ID" ]; do sleep 0.05; done'
    )
    sent(mini, hold)
    clock = Clock(read_utc("2030-03-01T12:10:00Z"))
    worker = threading.Thread(target=in_process(mini, clock, "one"))
    worker.start()
    try:
        eventually((mini.root / "played").exists, "it is begun")
        (mini.root / "queue.db").unlink()
        other = f"queue: screens\ncommand: {json.dumps(hold)}\nschedules: [{{ video: b, at: {NOON} }}]\n"
        mini.write({"channels/hall.yaml": other})
        assert mini.run("run", now="2030-03-01T12:10:00Z").code == 0
        eventually(lambda: "b" in (mini.root / "played").read_text(), "the other one is begun")
        (mini.root / "go-teaser").touch()
        (mini.root / "go-b").touch()
        eventually(lambda: mini.statuses[f"hall/{NOON}"] == "completed", "it is done")
    finally:
        clock.end()
        worker.join(PATIENCE)
    assert mini.statuses[JOB] in ("executing", "failed (unknown_outcome)")


def lease_ends(mini: Miniature) -> int:
    (job,) = SqliteQueue(mini.root / "queue.db").find([JOB]).values()
    return job.lease_until or 0


def in_process(mini: Miniature, clock: Clock, name: str) -> Callable[[], None]:
    """A worker in this process, on a clock that the test can set."""
    repository = Repository(mini.root, mini.environ, clock)
    settings = repository.settings()
    assert settings is not None
    runner = AttemptRunner(CommandRunner(mini.root, mini.environ, print).run, clock, print)
    queue = repository.queue(settings)
    assert isinstance(queue, SqliteQueue)
    options = WorkerSettings(name=name, jobs=2, lease=60, attempts=3, backoff=1)
    worker = SqliteWorker(queue, repository.batch_writer(settings, print), runner, options, Gate(clock))
    return lambda: worker.work(once=False)


# --- hostile --------------------------------------------------------------------------------------------


def test_hostile_metadata_reaches_a_command_as_text(mini: Miniature) -> None:
    evil = {
        "a": "x\ny",
        "b": "$(touch pwned)`touch pwned`'\"; touch pwned #",
        "c": "\\u0000 \\0 %00",
        "é": "日本",
    }
    schedule = json.dumps({"video": "v", "at": NOON, "metadata": evil})
    command = 'printf %s "$SCHEDULER_METADATA" > seen; cat > input'
    mini.write({"channels/lobby.yaml": f"command: {json.dumps(command)}\nschedules: [{schedule}]\n"})
    mini.run("state", "init", now=BEFORE)
    assert mini.run("run", now=NOON).code == 0
    assert work(mini).code == 0
    assert json.loads((mini.root / "seen").read_text()) == evil
    assert json.loads((mini.root / "input").read_text())["metadata"] == evil
    assert not (mini.root / "pwned").exists()


def test_a_nul_that_was_edited_into_the_record_fails_the_job_and_not_the_worker(mini: Miniature) -> None:
    sent(mini, "touch played")
    with sqlite3.connect(mini.root / "queue.db") as db:
        payload = json.loads(db.execute("SELECT payload FROM jobs").fetchone()[0])
        db.execute("UPDATE jobs SET payload = ?", (json.dumps(payload | {"video_id": "a\0b"}),))
    db.close()
    assert work(mini).code == 1
    assert why(mini) == "the command could not be run: embedded null byte"
    assert not (mini.root / "played").exists()


def test_a_queue_that_is_damaged_is_told_with_what_to_do_and_nothing_is_begun(mini: Miniature) -> None:
    sent(mini, "touch played")
    queue = mini.root / "queue.db"
    queue.write_bytes(queue.read_bytes()[:100] + b"\xff" * 8000)
    for outcome in (work(mini), mini.run("doctor", now=SOON)):
        assert outcome.code in (1, 3)
        assert "the queue queue.db failed: " in outcome.out + outcome.err
        assert "Traceback" not in outcome.err
    assert not (mini.root / "played").exists()
    mini.write(
        {"channels/lobby.yaml": "queue: screens\nschedules: [{ video: b, at: 2030-03-01T12:10:00Z }]\n"}
    )
    run = mini.run("run", now="2030-03-01T12:10:00Z")
    assert run.code == 1
    assert "the queue queue.db failed: " in run.out + run.err
    assert mini.statuses["lobby/2030-03-01T12:10:00Z"] == "pending", "nothing was put on it"


def test_a_queue_that_cannot_be_written_is_told_and_nothing_is_begun(mini: Miniature) -> None:
    sent(mini, "touch played")
    (mini.root / "queue.db-journal").mkdir()  # as on a disk that may only be read
    outcome = work(mini)
    assert outcome.code == 3
    assert "the queue queue.db failed: disk I/O error" in outcome.err
    assert not (mini.root / "played").exists()
