"""One repository, three queues: the embedded one, Redis, RabbitMQ. The URL is the only change."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from broker_servers import (
    PATIENCE,
    Absent,
    Wire,
    do_without,
    eventually,
    free_port,
    need_extra,
    rabbitmqctl,
    redis_server,
    shared,
)
from certificates import certificate
from git_repository import git
from miniature import Miniature

from scheduler.app.repository import Repository
from scheduler.clock import Clock
from scheduler.delivery.dispatcher import Request
from scheduler.delivery.queue.celery import Broker, broker_url, messages_on
from scheduler.delivery.queue.dispatchers import open_queue
from scheduler.errors import Error, QueueError
from scheduler.state.codec import decode
from scheduler.state.intent import payload_of
from scheduler.times import read_utc

BEFORE, NOON, SOON = "2030-03-01T11:59:00Z", "2030-03-01T12:00:00Z", "2030-03-01T12:00:05Z"
PLAY = """\
command: |
  echo "$SCHEDULER_VIDEO_ID" >> played
  if [ "$SCHEDULER_VIDEO_ID" = hangs ] && [ "$SCHEDULER_ATTEMPT" = 1 ]; then
    echo $$ > hanging
    exec sleep 600
  fi
  if [ "$SCHEDULER_VIDEO_ID" = fails ] && [ "$SCHEDULER_ATTEMPT" = 1 ]; then exit 1; fi
  while [ "$SCHEDULER_VIDEO_ID" = waits ] && [ ! -e go ]; do sleep 0.05; done
"""


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from server("redis", tmp_path_factory)


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from server("rabbitmq", tmp_path_factory)


def server(engine: str, factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server of the whole session, which several processes of pytest share."""
    need_extra("celery", "celery")
    base = factory.getbasetemp()
    try:
        with shared(engine, base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as url:
            yield url
    except Absent as why:
        do_without(str(why))


@pytest.fixture(params=["embedded", "redis", "rabbitmq"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "embedded":
        return "sqlite:///queue.db"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


class Screens:
    """A repository with a channel whose videos are played by workers."""

    def __init__(self, root: Path, url: str, *, is_new: bool = True) -> None:
        self.mini = Miniature(root)
        self.mini.environ["SCHEDULER_ALLOW_COMMANDS"] = "1"
        self.root = root
        settings = f"queue: {url}\nconflicts: {{ min_gap: 0s }}\nretry: {{ backoff: 1s }}\n"
        if is_new:
            self.mini.write({"scheduler.yaml": settings})

    def declare(self, *videos: str, keys: str = "", is_new: bool = True) -> Screens:
        """One publication of each video, a second apart, on the channel `lobby`; then they are sent."""
        times = [f"2030-03-01T12:{n // 60:02}:{n % 60:02}Z" for n in range(len(videos))]
        lines = [f"  - {{ video: {v}, at: {at} }}\n" for v, at in zip(videos, times, strict=True)]
        text = f"queue: screens\n{keys}{PLAY}schedules:\n{''.join(lines)}"
        self.mini.write({"channels/lobby.yaml": text})
        assert not is_new or self.mini.run("state", "init", now=BEFORE).code == 0
        sent = self.mini.run("run", now=f"2030-03-01T12:{1 + len(videos) // 60:02}:00Z")
        assert sent.code == 0, sent
        return self

    @contextmanager
    def worker(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """A worker process; it is ended by then, whatever happens."""
        with (self.root / "worker.log").open("a") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "scheduler", "-C", str(self.root)),
                    *("--now", "2030-03-01T12:20:00Z", "worker", *options),
                ],
                env=self.mini.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
                stdout=log,
                stderr=log,
                text=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def work(self, *options: str) -> None:
        """Work until nothing waits."""
        with self.worker("--once", *options) as process:
            assert process.wait(PATIENCE) in (0, 1), self.log
        assert "worker stopped" in self.log.splitlines()[-1], self.log

    def stop(self, process: subprocess.Popen[str]) -> None:
        process.terminate()
        assert process.wait(PATIENCE) == 0, self.log

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a worker at once, and the command that it holds."""
        process.kill()
        process.wait()
        with suppress(ProcessLookupError):
            os.kill(int((self.root / "hanging").read_text()), signal.SIGKILL)

    @property
    def log(self) -> str:
        return (self.root / "worker.log").read_text()

    @property
    def played(self) -> Counter[str]:
        file = self.root / "played"
        return Counter(file.read_text().split() if file.exists() else [])

    @property
    def outcomes(self) -> dict[str, str]:
        """Video -> status with its evidence or reason."""
        found = self.mini.records.values()
        return {r["video_id"]: f"{r['status']} ({r['reason'] or r['evidence']})" for r in found}

    def requests(self) -> list[Request]:
        """Every recorded intent, as a request to be made."""
        records = decode((self.root / "state.json").read_bytes(), "state.json").schedules
        found = []
        for schedule_id, record in records.items():
            assert record.intent is not None
            payload = payload_of(schedule_id, record, record.intent)
            found.append(Request(schedule_id=schedule_id, intent=record.intent, payload=payload))
        return found

    def send_again(self, requests: list[Request]) -> None:
        repository = Repository(self.root, self.mini.environ, Clock())
        settings = repository.settings()
        assert settings is not None
        way = repository.dispatcher(requests[0].intent, settings)
        assert {answer.verdict for _, answer in way.send(requests)} == {"accepted"}


@pytest.fixture
def screens(tmp_path: Path, url: str) -> Screens:
    return Screens(tmp_path, url)


# --- the same on all three ------------------------------------------------------------------------------


def test_what_a_run_puts_on_the_queue_a_worker_does_and_the_record_knows(screens: Screens) -> None:
    screens.declare("intro", "teaser")
    assert screens.outcomes == {"intro": "executing (accepted)", "teaser": "executing (accepted)"}
    screens.work()
    assert screens.played == {"intro": 1, "teaser": 1}
    assert screens.outcomes == {"intro": "completed (run)", "teaser": "completed (run)"}


def test_where_the_run_has_to_confirm_a_schedule_is_completed_by_its_worker(screens: Screens) -> None:
    screens.declare("intro", keys="confirm: run\n")
    assert screens.outcomes == {"intro": "executing (accepted)"}
    screens.work()
    assert screens.outcomes == {"intro": "completed (run)"}


def test_enqueuing_twice_is_one_job_before_and_after_it_was_done(screens: Screens) -> None:
    screens.declare("intro", "teaser")
    screens.send_again(screens.requests() * 2)
    screens.work("--jobs", "4")
    screens.send_again(screens.requests())
    screens.work()
    assert screens.played == {"intro": 1, "teaser": 1}


def test_a_worker_that_is_killed_loses_nothing_and_runs_nothing_twice(screens: Screens) -> None:
    screens.declare("intro", "hangs", "teaser")
    with screens.worker("--lease", "2s") as lost:
        eventually((screens.root / "hanging").exists, "the job hangs")
        screens.kill(lost)
    with screens.worker("--lease", "2s") as other:
        eventually(lambda: "failed" in screens.outcomes["hangs"], "the worker is taken for lost")
        eventually(lambda: "run" in screens.outcomes["teaser"], "the other job is done")
        screens.stop(other)
    assert screens.played == {"intro": 1, "hangs": 1, "teaser": 1}
    assert screens.outcomes == {
        "intro": "completed (run)", "hangs": "failed (unknown_outcome)", "teaser": "completed (run)",
    }  # fmt: skip


def test_at_least_once_the_job_of_a_killed_worker_is_done_by_another(screens: Screens) -> None:
    screens.declare("intro", "hangs", "teaser", keys="delivery: at-least-once\n")
    with screens.worker("--lease", "2s") as lost:
        eventually((screens.root / "hanging").exists, "the job hangs")
        screens.kill(lost)
    with screens.worker("--lease", "2s") as other:
        eventually(lambda: set(screens.outcomes.values()) == {"completed (run)"}, "all is done")
        screens.stop(other)
    assert screens.played == {"intro": 1, "hangs": 2, "teaser": 1}


def test_a_worker_that_is_asked_to_end_finishes_what_it_holds_and_takes_no_more(screens: Screens) -> None:
    screens.declare("waits", "teaser")
    with screens.worker() as process:
        eventually(lambda: screens.played["waits"], "the job has begun")
        process.terminate()
        eventually(lambda: process.poll() is None and (screens.root / "played").exists(), "it goes on")
        (screens.root / "go").touch()
        assert process.wait(PATIENCE) == 0, screens.log
    assert screens.outcomes == {"waits": "completed (run)", "teaser": "executing (accepted)"}
    screens.work()
    assert screens.played == {"waits": 1, "teaser": 1}


def test_two_workers_share_a_thousand_jobs_and_each_is_done_once(screens: Screens) -> None:
    videos = [f"v{number}" for number in range(1000)]
    screens.declare(*videos)
    with screens.worker("--jobs", "50") as one, screens.worker("--jobs", "50") as other:
        eventually(lambda: sum(screens.played.values()) >= 1000, "all were played")
        screens.stop(one)
        screens.stop(other)
    assert screens.played == Counter(videos)
    assert set(screens.outcomes.values()) == {"completed (run)"}
    shares = [int(line.split()[-4]) for line in screens.log.splitlines() if "worker stopped" in line]
    assert sum(shares) == 1000
    assert min(shares) > 0


# --- brokers alone --------------------------------------------------------------------------------------


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    """The URL of a queue that is carried by messages."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def by_broker(tmp_path: Path, broker: str) -> Screens:
    return Screens(tmp_path, broker)


def test_a_message_carries_no_command_and_no_payload(by_broker: Screens, broker: str) -> None:
    by_broker.declare("intro")
    with Broker(broker).app() as app, app.connection_for_read() as connection:
        message = connection.channel().basic_get(f"scheduler.{by_broker.mini.state['lineage']}.screens")
        text = f"{message.body!r} {message.headers}"
    text = text.replace('\\"', '"')
    assert '"lobby/2030-03-01T12:00:00Z"' in text
    assert not any(word in text for word in ("intro", "played", "echo"))


def test_a_message_that_is_none_of_ours_is_put_aside_and_the_others_are_done(
    by_broker: Screens, broker: str
) -> None:
    by_broker.declare("intro")
    real = by_broker.requests()[0]
    unknown = msgspec.structs.replace(real, schedule_id="hall/2030-03-01T12:00:00Z")
    unknown = msgspec.structs.replace(unknown, intent=msgspec.structs.replace(real.intent, key="gs1-unknown"))
    earlier = msgspec.structs.replace(real.intent, owner="another run")
    by_broker.send_again([unknown, msgspec.structs.replace(real, intent=earlier)])
    lineage = by_broker.mini.state["lineage"]
    name = f"scheduler.{lineage}.screens"
    with Broker(broker).app() as app, app.connection_for_write() as connection:
        Broker(broker).add_queue(app, lineage, "screens")
        app.send_task("scheduler.publish", kwargs={"command": "touch pwned"}, queue=name)
        app.send_task("theirs.task", kwargs={"secret": "\x1b[2J"}, queue=name)
        with app.amqp.Producer(connection) as producer:
            producer.publish("not even a task", exchange="", routing_key=name)
            headers = {"task": "scheduler.publish", "id": "x"}
            producer.publish(
                b"\xff{", exchange="", routing_key=name, content_type="application/json", headers=headers
            )
    by_broker.work()
    assert by_broker.played == {"intro": 1}
    assert not (by_broker.root / "pwned").exists()
    assert by_broker.log.count("set aside") == 5, by_broker.log
    assert "Traceback" not in by_broker.log
    assert "\x1b" not in by_broker.log
    told = by_broker.mini.json("doctor", now="2030-03-01T12:20:00Z").json["checks"]
    (strays,) = (check for check in told if check["check"] == "strays")
    assert strays["message"] == "5 unknown messages set aside"
    assert f"scheduler.{lineage}..dead" in strays["hint"]


def test_a_queue_that_is_named_while_a_worker_runs_is_listened_to_soon(by_broker: Screens) -> None:
    mini = by_broker.declare("intro").mini
    with by_broker.worker("--lease", "1s") as process:
        eventually(lambda: by_broker.played["intro"], "it works")
        text = f"queue: hall\n{PLAY}schedules: [{{ video: new, at: 2030-03-01T12:15:00Z }}]\n"
        mini.write({"channels/hall.yaml": text})
        mini.run("run", now="2030-03-01T12:15:00Z")
        eventually(lambda: by_broker.played["new"], "the new queue is found")
        by_broker.stop(process)


def test_while_the_broker_is_away_nothing_is_lost_and_nothing_is_done_twice(
    tmp_path: Path, broker: str
) -> None:
    with closing(Wire(broker)) as wire:
        screens = Screens(tmp_path, wire.url).declare("waits", "teaser")
        with screens.worker("--lease", "3s") as process:
            eventually(lambda: screens.played["waits"], "a job is held")
            wire.cut()
            late = f"queue: screens\n{PLAY}schedules: [{{ video: late, at: 2030-03-01T12:10:00Z }}]\n"
            screens.mini.write({"channels/late.yaml": late})
            run = screens.mini.run("run", now="2030-03-01T12:10:00Z")
            assert (run.code, screens.outcomes["late"]) == (0, "pending (None)"), run
            assert "refused" in run.out
            if broker.startswith("amqp:"):  # to Redis a worker connects anew without a word
                eventually(lambda: "jobs that have begun continue" in screens.log, "the worker says so")
            wire.mend()
            assert screens.mini.run("run", now="2030-03-01T12:12:00Z").code == 0
            (screens.root / "go").touch()
            eventually(lambda: set(screens.outcomes.values()) == {"completed (run)"}, "all is done")
            screens.stop(process)
        assert screens.played == {"waits": 1, "teaser": 1, "late": 1}
        assert "Traceback" not in screens.log


def test_workers_on_two_machines_share_the_work_of_one_branch(tmp_path: Path, broker: str) -> None:
    """Two clones of one repository, as on two machines: the record is a branch that both can reach."""
    videos = [f"v{number}" for number in range(6)]
    here = Screens(tmp_path / "here", broker)
    settings = (here.root / "scheduler.yaml").read_text()
    here.mini.write({"scheduler.yaml": f"{settings}state: branch:scheduler-state\n"})
    lines = [f"  - {{ video: {v}, at: 2030-03-01T12:00:0{n}Z }}\n" for n, v in enumerate(videos)]
    mark = 'touch "../$(basename "$PWD")-$SCHEDULER_VIDEO_ID"'
    meet = f"command: {mark}; while [ ! -e ../go ]; do sleep 0.05; done"
    here.mini.write({"channels/lobby.yaml": f"confirm: run\n{meet}\nschedules:\n{''.join(lines)}"})
    git(tmp_path, "init", "-q", "--bare", "origin")
    git(here.root, "init", "-q", "-b", "main")
    git(here.root, "remote", "add", "origin", str(tmp_path / "origin"))
    git(here.root, "add", "channels", "scheduler.yaml")
    git(here.root, "commit", "-qm", "Begin")
    git(here.root, "push", "-q", "origin", "main")
    assert here.mini.run("state", "init", now=BEFORE).code == 0
    assert here.mini.run("run", now="2030-03-01T12:01:00Z").code == 0
    git(tmp_path, "clone", "-q", "-b", "main", str(tmp_path / "origin"), "there")
    there = Screens(tmp_path / "there", broker, is_new=False)
    with here.worker("--jobs", "3"), there.worker("--jobs", "3"):
        eventually(lambda: len(list(tmp_path.glob("*here-v*"))) == 6, "each has taken three")
        (tmp_path / "go").touch()
        eventually(lambda: set(statuses(there.mini)) == {"completed"}, "the record says so")
    assert sorted(file.name.partition("-")[2] for file in tmp_path.glob("*here-v*")) == videos
    assert len(list(tmp_path.glob("there-v*"))) == 3


def statuses(mini: Miniature) -> list[str]:
    listed = mini.json("list", "--channel", "lobby", now="2030-03-01T12:30:00Z").json["schedules"]
    return [row["status"] for row in listed]


def test_a_redis_that_starts_anew_brings_its_jobs_back(tmp_path: Path, redis_url: str) -> None:
    port, data = free_port(), tmp_path / "redis"
    with redis_server(data, "--appendonly", "yes", port=port) as url:
        screens = Screens(tmp_path, url).declare("intro", "teaser")
    with redis_server(data, "--appendonly", "yes", port=port):
        screens.work()
    assert screens.played == {"intro": 1, "teaser": 1}


def test_a_job_that_takes_several_leases_stays_its_workers_and_is_not_held_unacknowledged(
    by_broker: Screens,
) -> None:
    by_broker.declare("waits")

    def leases() -> float:
        (record,) = by_broker.mini.records.values()
        claim = record.get("claim")
        return (read_utc(claim["until"]) - read_utc(claim["at"])) / 2 if claim else 0

    with by_broker.worker("--lease", "1s") as one, by_broker.worker("--lease", "1s") as other:
        eventually(lambda: leases() >= 2, "its lease was renewed again and again")
        (by_broker.root / "go").touch()
        eventually(lambda: by_broker.outcomes["waits"] == "completed (run)", "it is done")
        by_broker.stop(one)
        by_broker.stop(other)
    assert by_broker.played == {"waits": 1}


def test_jobs_that_wait_keep_no_worker_from_the_others(by_broker: Screens, broker: str) -> None:
    """The messages of a job wait for the lease of its killed worker; RabbitMQ 4 lets a worker have two."""
    by_broker.declare("hangs")
    with by_broker.worker("--lease", "10m") as lost:
        eventually((by_broker.root / "hanging").exists, "the job hangs")
        by_broker.kill(lost)
    by_broker.send_again(by_broker.requests() * 3)
    counts: list[int] = []
    with by_broker.worker("--lease", "10m") as other, Broker(broker).app() as app, app.connection() as line:

        def is_settled() -> bool:
            counts.append(messages_on(line, f"scheduler.{by_broker.mini.state['lineage']}.screens"))
            return len(counts) > 20 and len({*counts[-20:]}) == 1

        eventually(lambda: "waiting for jobs" in by_broker.log, "it works")
        eventually(is_settled, "every message has been looked at")
        by_broker.declare("hangs", "teaser", is_new=False)
        eventually(lambda: by_broker.outcomes["teaser"] == "completed (run)", "the other job is done")
        by_broker.stop(other)
    assert by_broker.played == {"hangs": 1, "teaser": 1}


def test_a_lease_that_is_longer_than_a_broker_waits_is_refused(by_broker: Screens) -> None:
    by_broker.declare("intro")
    refused = by_broker.mini.run("worker", "--once", "--lease", "1h", now=SOON)
    assert refused.code == 2
    assert "at most 25m" in refused.err


def test_two_repositories_on_one_broker_do_not_get_each_others_jobs(
    by_broker: Screens, tmp_path: Path, broker: str
) -> None:
    (tmp_path / "other").mkdir()
    other = Screens(tmp_path / "other", broker).declare("theirs")
    by_broker.declare("ours")
    by_broker.work()
    assert (by_broker.played, other.played) == ({"ours": 1}, {})


@pytest.mark.parametrize("engine", ["redis", "rabbitmq"])
def test_a_refused_password_is_told_without_it_and_the_job_is_sent_later(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with lockable(engine, request, tmp_path) as (url, password):
        refuse(Screens(tmp_path, url), password)


@contextmanager
def lockable(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, str | None]]:
    """A broker that wants a password, and that one; RabbitMQ always does, and has a guest."""
    if engine == "rabbitmq":
        yield request.getfixturevalue("rabbitmq_url"), None
        return
    request.getfixturevalue("redis_url")  # which knows whether there is one at all
    with redis_server(folder / "redis", "--requirepass", "opensesame") as url:
        yield url, "opensesame"


def refuse(by_broker: Screens, password: str | None) -> None:
    canary = "canary-b1946ac9"
    mini = by_broker.mini
    mini.write({"channels/lobby.yaml": f"queue: screens\n{PLAY}schedules: [{{ video: v, at: {NOON} }}]\n"})
    mini.run("state", "init", now=BEFORE)
    told = [
        mini.run(*command, now=SOON, SCHEDULER_QUEUE_PASSWORD=canary)
        for command in (["run"], ["worker", "--once"])
    ]
    assert by_broker.outcomes == {"v": "pending (None)"}
    assert [outcome.code for outcome in told] == [0, 3]
    assert "failed:" in told[1].err
    assert canary not in "".join([*(one.out + one.err for one in told), json.dumps(mini.state)])
    if password is not None:
        mini.environ["SCHEDULER_QUEUE_PASSWORD"] = password
    mini.run("run", now="2030-03-01T12:10:00Z")
    by_broker.work()
    assert by_broker.played == {"v": 1}


def test_a_broker_that_is_down_is_a_definite_not_now(tmp_path: Path) -> None:
    need_extra("celery", "celery")
    screens = Screens(tmp_path, f"redis://127.0.0.1:{free_port()}/0")
    screens.mini.write(
        {"channels/lobby.yaml": f"queue: screens\n{PLAY}schedules: [{{ video: v, at: {NOON} }}]\n"}
    )
    screens.mini.run("state", "init", now=BEFORE)
    screens.mini.run("run", now=SOON)
    record = next(iter(screens.mini.records.values()))
    assert (record["status"], record["attempts"]) == ("pending", 1)
    assert "refused" in record["error_message"]
    assert screens.mini.run("worker", "--once", now=SOON).code == 3


@pytest.mark.parametrize(("scheme", "first"), [("rediss", b"canary"), ("amqps", b"AMQP")])
def test_no_byte_goes_to_a_broker_whose_certificate_nobody_vouches_for(
    scheme: str, first: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trusted by SSL_CERT_FILE and for its own name, it is spoken to; else it gets nothing at all."""
    need_extra("celery", "celery")
    pem, context = certificate(tmp_path, "127.0.0.1")
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(line, server_side=True) as inside:
                    heard.append(inside.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        for trusted, host in ((False, "127.0.0.1"), (True, "localhost")):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            with pytest.raises(QueueError, match=r"(?i)certificate"):
                Broker(f"{scheme}://{host}:{port}/0", "canary").check()
            assert b"".join(heard) == b""
        with pytest.raises(QueueError):  # it does not answer
            Broker(f"{scheme}://127.0.0.1:{port}/0", "canary").check()
        assert first in b"".join(heard)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_the_password_comes_from_the_environment_and_never_from_the_settings() -> None:
    assert broker_url("amqp://wave@queue:5672/vhost", "p@ss/1") == "amqp://wave:p%40ss%2F1@queue:5672/vhost"
    assert broker_url("redis://queue/0", "secret") == "redis://:secret@queue/0"
    assert broker_url("redis://queue/0", None) == "redis://queue/0"
    verified = "ssl_cert_reqs=required&ssl_check_hostname=true"
    assert broker_url("rediss://queue/0", None) == f"rediss://queue/0?{verified}"
    assert broker_url("rediss://queue/0?ssl_cert_reqs=none", "s") == f"rediss://:s@queue/0?{verified}"
    with pytest.raises(Error, match="contains a password") as refusal:
        broker_url("redis://:canary@queue/0", None)
    assert "canary" not in f"{refusal.value} {refusal.value.hint}"


# --- what a broker may do to a job ----------------------------------------------------------------------


@pytest.fixture
def rabbitmq(rabbitmq_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The server's own control program."""
    base = tmp_path_factory.getbasetemp()
    return partial(rabbitmqctl, (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "rabbitmq")


@contextmanager
def virtual_host(rabbitmq: Callable[..., str], url: str, *options: str) -> Iterator[str]:
    """A virtual host of its own on the server; its URL."""
    name = f"films{secrets.token_hex(4)}"
    rabbitmq("add_vhost", name, *options)
    rabbitmq("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
    yield url.removesuffix("/") + name
    rabbitmq("delete_vhost", name)


@pytest.mark.parametrize(("kind", "is_there"), [("quorum", False), ("classic", False), ("classic", True)])
def test_a_job_that_waits_for_a_busy_worker_is_given_to_others_and_no_return_is_counted(
    tmp_path: Path, rabbitmq_url: str, rabbitmq: Callable[..., str], kind: str, is_there: bool
) -> None:
    """A quorum queue, as a virtual host may have them, drops what is returned 20 times."""
    options = ("--default-queue-type", kind)
    with virtual_host(rabbitmq, rabbitmq_url, *options) as url:
        screens = Screens(tmp_path, url)
        screens.mini.write({"channels/lobby.yaml": PLAY})
        assert screens.mini.run("state", "init", now=BEFORE).code == 0
        name = f"scheduler.{screens.mini.state['lineage']}.screens"
        with Broker(url).app() as app, app.connection_for_write() as line, line.channel() as channel:
            if is_there:
                channel.queue_declare(name, durable=True, auto_delete=False)
            screens.declare("waits", "teaser", is_new=False)
            got: list[Any] = []
            with screens.worker() as process:
                eventually(lambda: screens.played["waits"], "one is begun")
                channel.basic_consume(name, callback=got.append)

                def look() -> bool:
                    with suppress(TimeoutError):
                        line.drain_events(timeout=0.1)
                    return bool(got)

                eventually(look, "the other one comes to another worker")
                assert not got[0].delivery_info["redelivered"]
                assert "x-delivery-count" not in got[0].headers
                channel.basic_cancel(next(iter(channel.callbacks)))
                channel.basic_reject(got[0].delivery_tag, requeue=True)
                (screens.root / "go").touch()
                eventually(lambda: set(screens.outcomes.values()) == {"completed (run)"}, "both are done")
                screens.stop(process)
    assert screens.played == {"waits": 1, "teaser": 1}


@pytest.mark.parametrize("suffice", [True, False])
def test_the_permissions_of_the_docs_suffice(
    tmp_path: Path, rabbitmq_url: str, rabbitmq: Callable[..., str], suffice: bool
) -> None:
    """A job that failed once waits on a queue of the broker; where that may not be made, on its own queue."""
    page = (Path(__file__).parents[2] / "docs" / "queues.md").read_text()
    (permissions,) = re.findall(
        r"^rabbitmqctl set_permissions -p VHOST USER '(.*)' '(.*)' '(.*)'$", page, re.M
    )
    permissions = permissions if suffice else (r"^scheduler\.[^.]+\.(screens|\.dead)$", *permissions[1:])
    with virtual_host(rabbitmq, rabbitmq_url) as url:
        name = url.rpartition("/")[2]
        rabbitmq("add_user", name, "of-the-tests")
        rabbitmq("set_permissions", "-p", name, name, *permissions)
        screens = Screens(tmp_path, url.replace("amqp://", f"amqp://{name}@"))
        screens.mini.environ["SCHEDULER_QUEUE_PASSWORD"] = "of-the-tests"
        screens.declare("intro", "fails", keys="delivery: at-least-once\n")
        lineage = screens.mini.state["lineage"]
        with Broker(url).app() as app, app.connection() as line:
            with app.amqp.Producer(line) as producer:
                producer.publish("not even a task", exchange="", routing_key=f"scheduler.{lineage}.screens")
            with screens.worker() as process:
                eventually(lambda: set(screens.outcomes.values()) == {"completed (run)"}, "both are done")
                eventually(lambda: messages_on(line, f"scheduler.{lineage}..dead"), "it is set aside")
                screens.stop(process)
        queues = rabbitmq("list_queues", "-p", name, "name").split()
        assert (f"scheduler.{lineage}..wait.2.screens" in queues) == suffice
        assert ("a job that has to wait goes back to the queue: the queue" in screens.log) != suffice
        rabbitmq("delete_user", name)
    assert screens.played == {"intro": 1, "fails": 2}


def test_a_queue_of_another_kind_that_exists_already_costs_no_job(
    tmp_path: Path, rabbitmq_url: str, rabbitmq: Callable[..., str]
) -> None:
    with virtual_host(rabbitmq, rabbitmq_url, "--default-queue-type", "quorum") as url:
        screens = Screens(tmp_path, url)
        screens.mini.write({"channels/lobby.yaml": PLAY})
        screens.mini.run("state", "init", now=BEFORE)
        name = f"scheduler.{screens.mini.state['lineage']}.screens"
        with Broker(url).app() as app, app.connection_for_write() as line:
            line.channel().queue_declare(name, durable=True, auto_delete=False)
        screens.declare("intro", is_new=False)
        (record,) = screens.mini.records.values()
        assert record["status"] == "pending"
        assert "has a queue of that name with other settings: " in record["error_message"]
        refused = screens.mini.run("worker", "--once", now="2030-03-01T12:02:00Z")
        assert (refused.code, "rabbitmqctl delete_queue" in refused.err) == (3, True)
        rabbitmq("delete_queue", "-p", url.rpartition("/")[2], name)
        assert screens.mini.run("run", now="2030-03-01T12:04:00Z").code == 0
        screens.work()
    assert screens.played == {"intro": 1}


def test_a_job_that_is_on_no_queue_is_noticed_by_a_run_and_put_there_again(
    by_broker: Screens, broker: str
) -> None:
    by_broker.declare("intro", "teaser")
    name = f"scheduler.{by_broker.mini.state['lineage']}.screens"
    with Broker(broker).app() as app, app.connection_for_write() as connection:
        connection.channel().queue_purge(name)
    by_broker.mini.run("run", now="2030-03-01T12:04:00Z")
    assert {len(r["history"]) for r in by_broker.mini.records.values()} == {3}, "they may be with a worker"
    ran = by_broker.mini.run("run", now="2030-03-01T12:08:00Z")
    assert ran.code == 0, ran
    why = [event["why"] for event in by_broker.mini.records["lobby/2030-03-01T12:00:00Z"]["history"]]
    assert "its job is not on the queue any more, and no worker has it" in why
    by_broker.work()
    assert by_broker.played == {"intro": 1, "teaser": 1}


def test_what_nobody_began_by_its_deadline_is_missed_whatever_a_broker_has(by_broker: Screens) -> None:
    by_broker.declare("intro")
    assert by_broker.mini.run("run", now="2030-03-01T13:02:00Z").code == 1
    assert by_broker.outcomes == {"intro": "failed (missed)"}
    by_broker.work()
    assert by_broker.played == {}


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_what_is_held_back_waits_on_a_broker_too(by_broker: Screens, how: str) -> None:
    mini = by_broker.declare("intro").mini
    if how == "stopped":
        mini.environ["SCHEDULER_PAUSED"] = "1"
    else:
        assert mini.run("pause", "channel:lobby", now="2030-03-01T12:10:00Z").code == 0
    by_broker.work()
    assert by_broker.played == {}
    assert ("SCHEDULER_PAUSED is set" if how == "stopped" else "paused by channel") in by_broker.log
    assert mini.run("run", now="2030-03-01T12:21:00Z").code == 0
    assert by_broker.outcomes == {"intro": "pending (None)"}
    mini.environ.pop("SCHEDULER_PAUSED", None)
    mini.run("resume", "channel:lobby", now="2030-03-01T12:22:00Z")
    by_broker.work()
    assert by_broker.played == {}, "the first message is void"
    assert mini.run("run", now="2030-03-01T12:23:00Z").code == 0
    by_broker.work()
    assert by_broker.played == {"intro": 1}


def test_a_queue_that_rejects_what_exceeds_its_length_says_so(
    tmp_path: Path, rabbitmq_url: str, rabbitmq: Callable[..., str]
) -> None:
    limit = '{"max-length": 1, "overflow": "reject-publish"}'
    with virtual_host(rabbitmq, rabbitmq_url) as url:
        rabbitmq(
            "set_policy", "-p", url.rpartition("/")[2], "short", "screens", limit, "--apply-to", "queues"
        )
        screens = Screens(tmp_path, url).declare("intro", "teaser")
    assert Counter(screens.outcomes.values()) == {"executing (accepted)": 1, "pending (None)": 1}
    (error,) = [r["error_message"] for r in screens.mini.records.values() if r["error_message"]]
    assert "rejected the job: it holds as many jobs as its length limit allows" in error


def test_doctor_sees_a_redis_that_is_full_and_one_that_deletes_jobs(tmp_path: Path, redis_url: str) -> None:
    assert redis_url
    told = {}
    lossy = ("--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru")
    for name, options in (("full", ("--maxmemory", "1")), ("lossy", lossy)):
        with redis_server(tmp_path / name, *options) as url:
            screens = Screens(tmp_path / f"{name}-clone", url)
            screens.mini.write({"channels/lobby.yaml": f"queue: screens\n{PLAY}"})
            screens.mini.run("state", "init", now=BEFORE)
            checks = screens.mini.json("doctor", now=SOON).json["checks"]
            told[name] = {c["check"]: (c["verdict"], c["message"]) for c in checks if c["about"] == "queue"}
    assert told["full"]["queue"][0] == "failed"
    assert "is full: Redis uses all of its `maxmemory`" in told["full"]["queue"][1]
    assert told["lossy"]["queue"][0] == "ok"
    assert told["lossy"]["eviction"] == (
        "warning", "Redis deletes jobs when its memory is full (`maxmemory-policy allkeys-lru`)",
    )  # fmt: skip


def test_valkey_is_addressed_as_redis() -> None:
    with pytest.raises(Error) as refusal:
        open_queue("valkey://queue.internal/0", Path())
    assert refusal.value.hint == "write `queue: redis://queue.internal/0`: Valkey speaks Redis' protocol"
