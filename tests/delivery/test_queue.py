"""The embedded queue: a job id is one job for good, and what started is never lost sight of."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scheduler.delivery.dispatcher import Request
from scheduler.delivery.queue.dispatchers import SqliteDispatcher, open_queue
from scheduler.delivery.queue.sqlite import KEEP_UNKNOWN, LEASE, Job, SqliteQueue
from scheduler.errors import Error, QueueError
from scheduler.state.answers import Answer
from scheduler.state.record import Intent
from scheduler.times import instant_text

NOW = 1_772_388_000  # 2026-03-01T18:00:00Z
LATER = NOW + LEASE + 1


@pytest.fixture
def queue(tmp_path: Path) -> SqliteQueue:
    return SqliteQueue(tmp_path / "queue.db", attempts=3, backoff=60)


def request(name: str = "spring/teaser/alpha", *, resends: int = 0, **changes: Any) -> Request:
    usual: dict[str, Any] = {
        "owner": "nonce",
        "at": instant_text(NOW),
        "key": f"gs1-{name}-{resends}",
        "not_after": instant_text(NOW + 3600),
        "transport": "queue",
        "queue": "publications",
        "job_id": f"{name}#{resends}" if resends else name,
        "command": "publish",
    }
    intent = Intent(**(usual | changes))
    return Request(schedule_id=name, intent=intent, payload={"key": intent.key, "video_id": "téaser"})


def taken(queue: SqliteQueue, now: int = NOW, worker: str = "w1") -> Job:
    job = queue.take(worker, now)
    assert job is not None
    return job


def state_of(queue: SqliteQueue, job_id: str = "spring/teaser/alpha") -> str:
    return queue.find([job_id])[job_id].state


# --- one id, one job --------------------------------------------------------------------------------


def test_a_job_carries_the_payload_and_what_the_intent_froze(queue: SqliteQueue) -> None:
    queue.enqueue([request()])
    job = taken(queue)
    assert job.payload == {"key": "gs1-spring/teaser/alpha-0", "video_id": "téaser"}
    assert (job.queue, job.command, job.repeatable) == ("publications", "publish", False)
    assert (job.state, job.attempts, job.worker, job.started_at) == ("running", 1, "w1", NOW)


def test_enqueuing_twice_is_one_job_even_after_it_ended(queue: SqliteQueue) -> None:
    first = queue.enqueue([request()])[0]
    assert queue.enqueue([request(), request()]) == [first, first]
    assert queue.finish(taken(queue), NOW)
    assert queue.enqueue([request()])[0].state == "success"
    assert queue.take("w2", LATER) is None


def test_a_deliberate_resend_is_a_job_of_its_own(queue: SqliteQueue) -> None:
    queue.enqueue([request(), request(resends=1)])
    assert [taken(queue).job_id, taken(queue).job_id] == ["spring/teaser/alpha", "spring/teaser/alpha#1"]


def test_jobs_come_in_the_order_in_which_they_were_put_and_from_the_named_queues(queue: SqliteQueue) -> None:
    queue.enqueue([request("c"), request("a", queue="other"), request("b")])
    mine = [queue.take("w", NOW, queues=["publications"]) for _ in range(3)]
    assert [job and job.job_id for job in mine] == ["c", "b", None]
    assert queue.take("w", NOW, queues=[]) is None
    assert taken(queue).job_id == "a"


def test_no_job_is_taken_twice_however_many_ask_at_once(queue: SqliteQueue) -> None:
    names = [f"j{number}" for number in range(60)]
    queue.enqueue([request(name) for name in names])
    together = threading.Barrier(4)

    def take_all(worker: str) -> list[str]:
        ids = []
        together.wait(30)
        while (job := queue.take(worker, NOW)) is not None:
            ids.append(job.job_id)
        return ids

    with ThreadPoolExecutor(4) as workers:
        shares = list(workers.map(take_all, ["w1", "w2", "w3", "w4"]))
    assert sorted(job for share in shares for job in share) == sorted(names)


def test_threads_that_enqueue_the_same_jobs_make_each_once(queue: SqliteQueue) -> None:
    batch = [request(f"j{number}") for number in range(20)]
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda _: [job.number for job in queue.enqueue(batch)], range(8)))
    assert all(row == numbers[0] for row in numbers)


def test_a_job_that_is_given_back_unbegun_waits_as_if_it_had_never_been_taken(queue: SqliteQueue) -> None:
    queue.enqueue([request()])
    job = taken(queue)
    before = queue.find([job.job_id])[job.job_id]
    queue.give_back(job)
    (waiting,) = queue.find([job.job_id]).values()
    assert (before.state, waiting.state, waiting.attempts) == ("running", "waiting", 0)
    assert taken(queue) == before


def test_what_was_put_aside_is_kept_for_a_week(queue: SqliteQueue) -> None:
    queue.enqueue([request("theirs"), request("old")])
    queue.set_aside(taken(queue), NOW, "the state has no such job", is_unknown=True)
    queue.set_aside(taken(queue), NOW, "it is failed already", is_unknown=False)
    assert (state_of(queue, "theirs"), state_of(queue, "old")) == ("stray", "superseded")
    assert queue.take("w1", NOW) is None
    assert queue.unreported() == [], "the record has nothing to do with them"
    queue.reap(NOW + KEEP_UNKNOWN)
    assert [job.job_id for job in queue.unknown_jobs()] == ["theirs"]
    queue.reap(NOW + KEEP_UNKNOWN + 1)
    assert queue.unknown_jobs() == []
    assert state_of(queue, "old") == "superseded", "its id is used up for good"


# --- at most once, at least once --------------------------------------------------------------------


def test_an_at_most_once_job_that_started_never_starts_again(queue: SqliteQueue) -> None:
    queue.enqueue([request("fails"), request("lost")])
    assert queue.fail(taken(queue), NOW, "exit code 3")
    taken(queue)
    assert queue.take("w2", LATER) is None
    assert (state_of(queue, "fails"), state_of(queue, "lost")) == ("failure", "lost")
    assert [job.message for job in queue.unreported()] == ["exit code 3", "the worker w1 went away"]


def test_an_at_least_once_job_is_repeated_with_a_doubling_backoff_and_then_is_dead(
    queue: SqliteQueue,
) -> None:
    queue.enqueue([request(delivery="at-least-once")])
    waits = []
    now = NOW
    for attempt in (1, 2):
        job = taken(queue, now)
        assert job.attempts == attempt
        assert queue.fail(job, now, f"exit code {attempt}")
        waits.append(queue.find([job.job_id])[job.job_id].available_at - now)
        assert queue.take("w1", now + waits[-1] - 1) is None
        now += waits[-1]
    assert waits == [60, 120]
    assert queue.fail(taken(queue, now), now, "exit code 3")
    assert [(job.state, job.message) for job in queue.unreported()] == [("failure", "exit code 3")]
    assert queue.take("w1", now + 3000) is None


def test_an_at_least_once_job_of_a_lost_worker_is_taken_over(queue: SqliteQueue) -> None:
    queue.enqueue([request(delivery="at-least-once")])
    before = taken(queue)
    assert queue.take("w2", NOW + LEASE - 1) is None
    queue.reap(LATER)
    after = taken(queue, LATER + 60, "w2")
    assert (after.attempts, after.worker) == (2, "w2")
    assert not queue.finish(before, LATER + 61)
    assert not queue.fail(before, LATER + 61, "x")
    assert not queue.renew(before, LATER + 61)
    assert queue.finish(after, LATER + 62)


def test_a_worker_that_renews_its_lease_keeps_its_job(queue: SqliteQueue) -> None:
    queue.enqueue([request(delivery="at-least-once")])
    job = taken(queue)
    for minute in range(1, 10):
        assert queue.renew(job, NOW + minute * LEASE - 1)
        assert queue.take("w2", NOW + minute * LEASE) is None
    assert queue.finish(job, NOW + 9 * LEASE)


def test_a_worker_that_was_taken_for_lost_may_still_tell_how_its_one_attempt_ended(
    queue: SqliteQueue,
) -> None:
    queue.enqueue([request()])
    job = taken(queue)
    assert [one.state for one in queue.reap(LATER)] == ["lost"]
    assert queue.finish(job, LATER)
    assert state_of(queue) == "success"
    assert not queue.fail(job, LATER, "too late: it has ended")


@pytest.mark.parametrize("delivery", ["at-most-once", "at-least-once"])
def test_a_lease_that_ran_out_while_its_worker_lives_is_renewed(queue: SqliteQueue, delivery: str) -> None:
    queue.enqueue([request(delivery=delivery)])
    job = taken(queue)
    queue.reap(LATER)
    assert queue.renew(job, LATER)
    assert queue.take("w2", LATER + LEASE - 1) is None
    assert (state_of(queue), queue.unreported()) == ("running", [])
    assert queue.finish(job, LATER)


def test_the_last_attempt_of_a_lost_worker_may_have_been_done_however_late_that_is_seen(
    queue: SqliteQueue,
) -> None:
    queue.enqueue([request(delivery="at-least-once")])
    job = taken(queue)
    queue.reap(NOW + 4000)
    assert state_of(queue) == "lost"
    assert queue.finish(job, NOW + 4001)
    assert state_of(queue) == "success"


def test_once_it_was_reported_that_a_worker_is_lost_its_lease_is_over(queue: SqliteQueue) -> None:
    queue.enqueue([request()])
    job = taken(queue)
    queue.mark_reported(queue.reap(LATER))
    assert not queue.renew(job, LATER)


def test_what_nobody_has_begun_is_taken_back_and_may_be_put_again_in_its_new_form(queue: SqliteQueue) -> None:
    (job,) = queue.enqueue([request()])
    queue.withdraw({job.key: "paused"}, NOW)
    assert queue.take("w1", NOW) is None
    again = queue.enqueue([request(command="other", not_after=instant_text(NOW + 9000))])[0]
    assert (again.number, again.state, again.command, again.not_after) == (
        job.number,
        "waiting",
        "other",
        NOW + 9000,
    )
    begun = taken(queue)
    queue.withdraw({job.key: "paused"}, NOW)
    assert queue.enqueue([request(command="third")])[0].command == "other"
    assert queue.finish(begun, NOW)


def test_jobs_go_into_the_very_file_that_their_intent_names(queue: SqliteQueue) -> None:
    queue.enqueue([request("one", queue_file=queue.identity())])
    with pytest.raises(QueueError, match="was replaced by another file"):
        queue.enqueue([request("other", queue_file="another")])
    assert queue.find(["other"]) == {}


def test_a_worker_of_one_state_takes_ends_and_reports_no_job_of_another(queue: SqliteQueue) -> None:
    queue.lineage = "theirs"
    queue.enqueue([request("lost"), request("waits"), request("late", not_after=instant_text(NOW + 1))])
    taken(queue)
    queue.lineage = "ours"
    assert queue.take("w", LATER + 4000) is None
    assert (queue.reap(LATER + 4000), queue.unreported()) == ([], [])
    assert [job.job_id for job in queue.foreign_jobs("ours")] == ["lost", "waits", "late"]
    queue.lineage = "theirs"
    assert [job.state for job in queue.reap(LATER + 4000)] == ["lost", "expired", "expired"]


def test_nothing_starts_after_its_not_after(queue: SqliteQueue) -> None:
    queue.enqueue([request("never"), request("again", delivery="at-least-once")])
    queue.take("w1", NOW)
    again = taken(queue)
    queue.fail(again, NOW + 3590, "exit code 1")
    assert queue.take("w1", NOW + 3660) is None
    assert state_of(queue, "again") == "failure"
    queue.enqueue([request("late")])
    assert queue.take("w1", NOW + 3601) is None
    assert state_of(queue, "late") == "expired"


# --- crashes and damage -----------------------------------------------------------------------------


def test_the_start_of_a_job_survives_the_death_of_its_worker(queue: SqliteQueue) -> None:
    queue.enqueue([request()])
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from scheduler.delivery.queue.sqlite import SqliteQueue\n"
        f"SqliteQueue(Path(sys.argv[1])).take('w1', {NOW}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parents[2]
    died = subprocess.run([sys.executable, "-c", program, str(queue.path)], cwd=root, check=False)
    assert died.returncode == -signal.SIGKILL
    assert queue.take("w2", NOW + 1) is None
    assert state_of(queue) == "running"


def test_a_transaction_that_dies_half_way_leaves_all_or_nothing(queue: SqliteQueue) -> None:
    queue.enqueue([request("a")])
    program = (
        "import os, signal, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('PRAGMA cache_size = 1')\n"
        "db.execute('BEGIN IMMEDIATE')\n"
        "db.execute(\"UPDATE jobs SET state = 'success', words = hex(zeroblob(90000))\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(queue.path)], check=False)
    assert state_of(queue, "a") == "waiting"


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 100)


def _other_program(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE jobs (x)")
    db.close()


def _newer(path: Path) -> None:
    SqliteQueue(path).enqueue([])
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(_garbage, "not a database"), (_other_program, "another program"), (_newer, "has version 9")],
)
def test_a_file_that_is_no_queue_of_ours_is_left_as_it_is(
    queue: SqliteQueue, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(queue.path)
    before = queue.path.read_bytes()
    with pytest.raises(QueueError, match=words) as refusal:
        queue.enqueue([request()])
    assert refusal.value.hint
    assert queue.path.read_bytes() == before


def test_a_missing_folder_is_told_with_the_setting_to_look_at(tmp_path: Path) -> None:
    queue = SqliteQueue(tmp_path / "nowhere" / "queue.db")
    with pytest.raises(QueueError) as refusal:
        queue.enqueue([request()])
    assert "nowhere" in (refusal.value.hint or "")
    ready = SqliteDispatcher(queue).ask_ready({"a": request().intent})["a"]
    assert ready.problem == "the queue queue.db cannot be created"


def test_the_place_of_a_queue_is_looked_at_without_waiting_for_its_lock(queue: SqliteQueue) -> None:
    queue.enqueue([request()])
    with closing(sqlite3.connect(queue.path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        queue.check_place()


# --- the dispatcher ---------------------------------------------------------------------------------


def dispatcher(tmp_path: Path, now: int | None = None) -> SqliteDispatcher:
    return SqliteDispatcher(SqliteQueue(tmp_path / "queue.db"), now=None if now is None else lambda: now)


def test_sending_is_enqueuing_and_sending_again_changes_nothing(tmp_path: Path) -> None:
    way = dispatcher(tmp_path)
    batch = [request("a"), request("b")]
    way.prepare(batch)
    assert not (tmp_path / "queue.db").exists()
    for _ in range(2):
        answers = list(way.send(batch))
        assert [(one.schedule_id, answer) for one, answer in answers] == [
            ("a", Answer(verdict="accepted", run_id=1)),
            ("b", Answer(verdict="accepted", run_id=2)),
        ]


def test_a_lookup_tells_a_job_as_a_run(tmp_path: Path) -> None:
    way = dispatcher(tmp_path)
    batch = [request(name) for name in ("waits", "runs", "ends", "fails")]
    list(way.send(batch))
    intents = {one.schedule_id: one.intent for one in [*batch, request("unknown")]}
    jobs = {job.job_id: job for job in (taken(way.queue) for _ in range(4))}
    way.queue.finish(jobs["ends"], NOW)
    way.queue.fail(jobs["fails"], NOW, "exit code 3: no such video")
    seen = way.look_up(intents)
    assert {name: [(run.conclusion, run.message) for run in one.runs] for name, one in seen.items()} == {
        "waits": [(None, None)],
        "runs": [(None, None)],
        "ends": [("success", None)],
        "fails": [("failure", "exit code 3: no such video")],
        "unknown": [],
    }


def test_with_a_clock_a_lookup_tells_a_lost_worker(tmp_path: Path) -> None:
    way = dispatcher(tmp_path, now=LATER)
    list(way.send([request("a")]))
    taken(way.queue)
    assert [run.conclusion for run in way.look_up({"a": request("a").intent})["a"].runs] == ["lost"]


def test_a_job_of_another_lineage_is_not_ours(tmp_path: Path) -> None:
    way = dispatcher(tmp_path)
    list(way.send([request("a")]))
    ((_, answer),) = way.send([request("a", key="gs1-foreign")])
    assert answer.verdict == "refused"
    assert "another scheduler" in (answer.error or "")
    assert way.look_up({"a": request("a", key="gs1-foreign").intent})["a"].runs == ()


def test_a_queue_that_cannot_be_opened_is_not_now_and_one_that_cannot_be_asked_unknown(
    tmp_path: Path,
) -> None:
    way = SqliteDispatcher(SqliteQueue(tmp_path / "nowhere" / "queue.db"))
    ((_, answer),) = way.send([request()])
    assert answer.verdict == "not-now"
    _garbage(tmp_path / "queue.db")
    ((_, answer),) = dispatcher(tmp_path).send([request()])
    assert answer.verdict == "not-now"
    broken = SqliteQueue(tmp_path / "broken.db")
    broken.enqueue([request()])
    with closing(sqlite3.connect(broken.path)) as db:
        db.execute("DROP TABLE jobs")
    ((_, answer),) = SqliteDispatcher(broken).send([request()])
    assert answer.verdict == "unknown"
    assert dispatcher(tmp_path).look_up({"a": request().intent})["a"].error
    assert not dispatcher(tmp_path).ask_ready({"a": request().intent})["a"].ready


def test_a_lookup_and_a_question_make_no_file(tmp_path: Path) -> None:
    way = dispatcher(tmp_path, now=NOW)
    assert way.look_up({"a": request().intent})["a"].runs == ()
    assert way.ask_ready({"a": request().intent})["a"].ready
    assert list(tmp_path.iterdir()) == []


# --- the URL ----------------------------------------------------------------------------------------


def test_a_relative_path_starts_at_the_repository_and_an_absolute_one_does_not(tmp_path: Path) -> None:
    relative = open_queue("sqlite:///var/queue.db", tmp_path)
    absolute = open_queue("sqlite:////var/queue.db", tmp_path)
    assert isinstance(relative, SqliteQueue)
    assert isinstance(absolute, SqliteQueue)
    assert (relative.path, absolute.path) == (tmp_path / "var/queue.db", Path("/var/queue.db"))


@pytest.mark.parametrize(
    "url",
    ["", "queue.db", "sqlite:queue.db", "sqlite://queue.db", "sqlite:///", "sqlite:///a?mode=ro", "http://x/y",
     "redis://:CANARY@host/0", "amqp://user:CANARY@host//", "sqs://CANARY", "CANARY://x"],
)  # fmt: skip
def test_a_url_of_no_known_queue_is_refused_without_showing_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(Error) as refusal:
        open_queue(url, tmp_path)
    assert refusal.value.hint
    assert "CANARY" not in f"{refusal.value}{refusal.value.hint}"


def test_a_broker_without_celery_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(Error, match=r"redis:// needs Celery") as refusal:
        open_queue("redis://localhost/0", tmp_path)
    assert "wave-scheduler[celery]" in (refusal.value.hint or "")


def test_what_has_ended_is_to_be_reported_until_that_is_marked_and_anew_when_it_ends_otherwise(
    queue: SqliteQueue,
) -> None:
    queue.enqueue([request()])
    job = taken(queue)
    assert queue.unreported() == []
    queue.reap(LATER)
    (lost,) = queue.unreported()
    queue.mark_reported([lost])
    assert queue.unreported() == []
    assert queue.finish(job, LATER + 1)
    assert [one.state for one in queue.unreported()] == ["success"]
    queue.mark_reported([lost])
    assert queue.unreported() != [], "that was another end"
