"""Notifications: what is told, to a real receiver on loopback; once for each event, and never in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from broker_servers import eventually, free_port, need_extra
from miniature import Miniature

from scheduler.delivery.queue.sqlite import SqliteQueue
from scheduler.reporting.notifications import MOST, Notice, events, message
from scheduler.reporting.notify import Notifier
from scheduler.state.record import Event, Pause, Record, State
from scheduler.times import read_utc

need_extra("apprise", "notify")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's own

BEFORE, NOON, SOON, LATE = (
    "2030-03-01T11:00:00Z", "2030-03-01T12:00:00Z", "2030-03-01T12:00:30Z", "2030-03-01T14:00:00Z",
)  # fmt: skip
AFTER = "2030-03-01T12:02:00Z"
CANARY = "canary-0cc175b9"


class Receiver:
    """A service that takes messages: each is a title and a text."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.answer = 200
        self.release = threading.Event()
        self.release.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.release.wait(30)
                outer.messages.append((body["title"], body["message"]))
                self.send_response(outer.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://user:{CANARY}@127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.messages]

    @property
    def lines(self) -> list[str]:
        return [line for _, text in self.messages for line in text.splitlines()]

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def mini(tmp_path: Path, receiver: Receiver) -> Miniature:
    made = Miniature(tmp_path)
    made.environ |= {"TEAM_URL": receiver.url, "SCHEDULER_ALLOW_COMMANDS": "1"}
    return made.write({"scheduler.yaml": "notify: [TEAM_URL]\n"})


def wave(mini: Miniature, command: str = "true", keys: str = "", channels: str = "[lobby]") -> Miniature:
    """A wave of one video at noon, on channels with a queue."""
    for name in channels.strip("[]").split(", "):
        mini.write({f"channels/{name}.yaml": f"queue: screens\ncommand: '{command}'\n"})
    entry = f"schedules: [{{ type: simultaneous, video: teaser, at: {NOON}, channels: {channels} }}]\n"
    mini.write({"waves/spring.yaml": keys + entry})
    assert mini.run("state", "init", now=BEFORE).code == 0
    return mini


def done(mini: Miniature) -> None:
    """The jobs are on the queue, and were done by a worker that could not reach the state."""
    assert mini.run("run", now=SOON).code == 0
    queue, now = SqliteQueue(mini.root / "queue.db"), read_utc(SOON)
    while (job := queue.take("w", now)) is not None:
        assert queue.finish(job, now)


# --- what is told ---------------------------------------------------------------------------------------


def test_a_completed_wave_is_told_once_however_many_runs_follow(mini: Miniature, receiver: Receiver) -> None:
    wave(mini, channels="[hall, lobby]")
    assert mini.run("run", now=BEFORE).code == 0
    done(mini)
    assert receiver.messages == []
    for _ in range(3):
        assert mini.run("run", now=AFTER).code == 0
    assert receiver.messages == [
        ("scheduler: 1 wave completed", "completed: wave spring: 2 public"),
    ]  # fmt: skip


def test_what_was_missed_is_told(mini: Miniature, receiver: Receiver) -> None:
    wave(mini)
    mini.run("run", now=BEFORE)
    for _ in range(2):
        mini.run("run", now=LATE)
    assert receiver.titles == ["scheduler: 1 failed"]
    assert receiver.lines[0].startswith(
        f"failed: spring/teaser/lobby (video teaser, scheduled for {NOON}): missed: "
    )


def test_a_command_that_failed_is_told_by_its_worker(mini: Miniature, receiver: Receiver) -> None:
    wave(mini, command="echo no such video; exit 3")
    mini.run("run", now=SOON)
    for _ in range(2):
        mini.run("worker", "--once", now=SOON)
    assert receiver.titles == ["scheduler: 1 failed"]
    assert receiver.lines[0] == (
        f"failed: spring/teaser/lobby (video teaser, scheduled for {NOON}): run_failed: "
        "exit code 3: no such video; it may have been published"
    )


def test_a_halted_wave_is_told_with_what_halted_it(mini: Miniature, receiver: Receiver) -> None:
    mini.channels("alpha", "beta", "gamma")
    mini.write(
        {
            "waves/spring.yaml": f"""
                on_failure: halt
                schedules:
                  - type: staggered
                    video: teaser
                    at: {NOON}
                    delay: 3h
                    channels: [alpha, beta, gamma]
            """,
        }
    )
    mini.run("state", "init", now=BEFORE)
    mini.run("run", now="2030-02-01T00:00:00Z")
    for _ in range(2):
        mini.run("run", now=LATE)
    assert receiver.lines[1:] == [
        "halted: wave spring: spring/teaser/alpha failed; 2 unsent publications wait"
    ]  # fmt: skip
    assert receiver.lines[0].startswith("failed: spring/teaser/alpha ")


def test_what_is_at_risk_is_told_once_and_again_when_it_has_recovered(
    mini: Miniature, receiver: Receiver
) -> None:
    wave(mini)
    mini.run("run", now=BEFORE)
    near = NOON.replace("00Z", "30Z")
    entry = f"schedules: [{{ type: simultaneous, group: x, video: v, at: {near}, channels: [lobby] }}]\n"
    mini.write({"waves/two.yaml": entry, "waves/typo.yaml": "titel: x\nschedules: []\n"})
    for _ in range(2):
        assert mini.run("run", now=BEFORE).code == 1
    assert receiver.titles == ["scheduler: 2 at risk"]
    assert receiver.lines == [
        f"at risk: two/x/lobby (Fri 2030-03-01 12:00:30 UTC): two/x/lobby ({near}) and spring/teaser/lobby "
        f"({NOON}) are only 30s apart on channel lobby; `min_gap` requires at least 1m [min-gap]; move one "
        "of them by 30s or more; if it is not to be published, cancel it; run `scheduler cancel two/x/lobby`",
        "at risk: waves/typo.yaml: unknown key `titel`; did you mean `title`? [unknown-key]; run `scheduler "
        "validate`",
    ]  # fmt: skip
    assert mini.state["notified"] == {"two/x/lobby": "at_risk", "waves/typo.yaml": "at_risk"}
    mini.write({"waves/two.yaml": entry.replace(near, AFTER), "waves/typo.yaml": "schedules: []\n"})
    for _ in range(2):
        assert mini.run("run", now=BEFORE).code == 0
    assert receiver.messages[1:] == [
        ("scheduler: 2 recovered",
         f"recovered: two/x/lobby: to be sent for {AFTER}\nrecovered: waves/typo.yaml can be read"),
    ]  # fmt: skip
    assert "notified" not in mini.state


def test_a_lost_token_is_told_before_its_time(mini: Miniature, receiver: Receiver) -> None:
    mini.channels("alpha")
    wave(mini, channels="[alpha]")
    mini.channels("alpha")
    del mini.environ["ACME_TOKEN"]
    for now in (BEFORE, "2030-03-01T11:20:00Z", NOON):
        mini.run("run", now=now)
    assert receiver.titles == ["scheduler: 1 at risk"]
    assert "no token: ACME_TOKEN is not set; run `scheduler doctor`" in receiver.lines[0]
    mini.run("run", now=LATE)
    assert receiver.titles[1:] == ["scheduler: 1 failed"]


def test_what_failed_and_was_retried_has_recovered_once_it_is_completed(
    mini: Miniature, receiver: Receiver
) -> None:
    wave(mini)
    mini.run("run", now=BEFORE)
    mini.run("run", now=LATE)
    assert mini.run("retry", "spring/teaser/lobby", now=LATE).code == 0
    mini.run("run", now=LATE)
    assert mini.state["notified"] == {"spring/teaser/lobby": "failed"}
    mini.run("worker", "--once", now=LATE)
    for _ in range(2):
        mini.run("run", now=LATE)
    assert [title for title in receiver.titles if "recovered" in title] == ["scheduler: 1 recovered"]
    assert receiver.lines[-1] == "recovered: spring/teaser/lobby: completed"


def test_what_is_cancelled_has_not_recovered(mini: Miniature, receiver: Receiver) -> None:
    wave(mini)
    mini.run("run", now=BEFORE)
    mini.write({"channels/lobby.yaml": "queue: screens\nactive: false\n"})
    assert mini.run("run", now=BEFORE).code == 1
    assert receiver.titles == ["scheduler: 1 at risk"]
    mini.run("cancel", "spring/teaser/lobby", now=BEFORE)
    assert mini.run("run", now=BEFORE).code == 0
    assert receiver.titles == ["scheduler: 1 at risk"]
    assert "notified" not in mini.state


def test_each_address_gets_the_message(mini: Miniature, receiver: Receiver) -> None:
    mini.write({"scheduler.yaml": "notify: [TEAM_URL, BOSS_URL]\n"})
    wave(mini)
    done(mini)
    mini.run("run", now=AFTER, BOSS_URL=receiver.url)
    assert receiver.titles == ["scheduler: 1 wave completed"] * 2


def test_an_address_may_stand_in_a_file(mini: Miniature, receiver: Receiver) -> None:
    (mini.root / "address").write_text(receiver.url + "\n")
    del mini.environ["TEAM_URL"]
    wave(mini)
    done(mini)
    mini.run("run", now=AFTER, TEAM_URL_FILE=str(mini.root / "address"))
    assert receiver.titles == ["scheduler: 1 wave completed"]


# --- what goes wrong with it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "TEAM_URL is not set"),
        (f"nonsense-{CANARY}", "does not hold an address that apprise recognizes"),
        (f"json://user:{CANARY}@127.0.0.1:{{closed}}/", "the service did not accept it"),
    ],
)
def test_a_notification_that_fails_is_a_warning_and_shows_no_address(
    mini: Miniature, address: str, words: str
) -> None:
    wave(mini)
    done(mini)
    outcome = mini.json("run", now=AFTER, TEAM_URL=address.format(closed=free_port()))
    assert outcome.code == 0
    assert outcome.results == {"spring/teaser/lobby": "completed"}
    (told,) = outcome.json["diagnostics"]
    assert (told["severity"], told["file"]) == ("warning", "scheduler.yaml")
    assert words in told["message"]
    assert CANARY not in outcome.out + outcome.err


def test_an_address_that_refuses_does_not_keep_the_message_from_the_others(
    mini: Miniature, receiver: Receiver
) -> None:
    mini.write({"scheduler.yaml": "notify: [BROKEN_URL, TEAM_URL]\n"})
    wave(mini)
    done(mini)
    mini.run("run", now=AFTER, BROKEN_URL="nonsense")
    assert receiver.titles == ["scheduler: 1 wave completed"]


def test_no_address_is_asked_for_where_nothing_happened(mini: Miniature) -> None:
    wave(mini)
    del mini.environ["TEAM_URL"]
    assert mini.json("run", now=BEFORE).json["diagnostics"] == []


def test_a_service_that_hangs_holds_up_no_save_and_an_end_only_for_a_while(receiver: Receiver) -> None:
    receiver.release.clear()
    notifier = Notifier(["TEAM_URL"], {"TEAM_URL": receiver.url}.get, patience=0.2)
    before = State(version=2, lineage="l", serial=1)
    after = State(version=2, lineage="l", serial=2, schedules={"spring/teaser/alpha": failed()})
    notifier.saw(before, after)
    assert notifier.close() == ["a notification was not delivered within 0 s"]
    assert receiver.messages == []


# --- what an event is -----------------------------------------------------------------------------------


def record(status: str = "pending", wave: str | None = "spring", **changes: Any) -> Record:
    usual: dict[str, Any] = {
        "schedule_type": "simultaneous", "channel_id": "alpha", "wave_id": wave, "scheduled_at": NOON,
        "status": status, "video_id": "teaser",
    }  # fmt: skip
    return Record(**(usual | changes))


def failed(reason: str = "rejected") -> Record:
    return record("failed", reason=reason, error_message="404 Not Found")


def kinds(before: dict[str, Record], after: dict[str, Record]) -> list[str]:
    return [event.kind for event in events(before, after)]


def test_only_what_changed_is_an_event() -> None:
    broken = failed()
    assert kinds({"a": record()}, {"a": broken}) == ["failed"]
    assert kinds({"a": broken}, {"a": broken}) == []
    assert kinds({"a": broken}, {"a": failed("unknown_outcome")}) == [], "it had failed before"
    assert kinds({"a": record()}, {"a": record("cancelled")}) == [], "a person did that"


def test_a_second_failure_after_a_retry_is_told_again() -> None:
    versions = [{"a": record()}, {"a": failed()}, {"a": record()}, {"a": failed()}]
    told = [kinds(before, after) for before, after in pairwise(versions)]
    assert told == [["failed"], [], ["failed"]]


def test_a_wave_is_completed_with_its_last_member_whatever_became_of_the_others() -> None:
    members = {"a": record("completed"), "b": failed(), "c": record("cancelled"), "d": record("executing")}
    (event,) = events(members, members | {"d": record("completed")})
    assert event.text == "completed: wave spring: 2 public, 1 failed, 1 cancelled"
    assert kinds(members, members | {"d": record("cancelled")}) == ["completed"]
    assert kinds({"d": record()}, {"d": record("cancelled")}) == [], "nothing of it was published"


def test_a_wave_is_not_said_to_be_public_when_it_is_only_handed_over() -> None:
    at_ten = (Event("2026-03-01T10:00:00Z", "completed", "accepted"),)
    members = {"a": record("completed", scheduled_at="2026-03-01T09:00:00Z"), "b": record("executing")}
    (event,) = events(members, members | {"b": record("completed", history=at_ten)})
    assert event.text == f"completed: wave spring: 1 public, 1 handed over (public by {NOON})"


def test_a_wave_whose_job_fails_later_is_not_completed_anew() -> None:
    done = {"a": record("completed")}
    assert kinds(done, {"a": failed("run_failed")}) == ["failed"]


def test_a_halt_is_one_event_until_it_is_over() -> None:
    halted = record(pauses=(Pause("halt", "spring/x/alpha failed"),))
    assert kinds({"a": record()}, {"a": halted}) == ["halted"]
    assert kinds({"a": halted, "b": record()}, {"a": halted, "b": halted}) == []
    assert kinds({"a": record(pauses=(Pause("wave"),))}, {"a": record()}) == []


def test_a_long_message_is_cut_and_counts_the_rest() -> None:
    many = [Notice("failed", f"failed: {number}") for number in range(MOST + 5)]
    title, text = message([*many, Notice("halted", "halted: \x1b[2J")])
    assert title == "scheduler: 25 failed, 1 wave halted"
    assert text.splitlines()[-1] == "and 6 more: run `scheduler list`"
    assert "\x1b" not in message([Notice("halted", "halted: \x1b[2J")])[1]


# --- once for each event, whatever runs and dies ----------------------------------------------------------


def test_two_runs_that_race_tell_an_event_once(mini: Miniature, receiver: Receiver) -> None:
    wave(mini, channels="[hall, lobby]")
    done(mini)
    runs = [mini.start("--now", AFTER, "run") for _ in range(4)]
    for run in runs:
        run.communicate(timeout=60)
    assert receiver.messages == [("scheduler: 1 wave completed", "completed: wave spring: 2 public")]


@pytest.mark.parametrize(("failpoint", "told"), [("asked", 1), ("outcome-saved", 0)])
def test_a_run_that_dies_after_its_save_never_makes_an_event_be_told_twice(
    mini: Miniature, receiver: Receiver, failpoint: str, told: int
) -> None:
    """What was saved and not yet told is told no more; what was not saved is told by whoever saves it."""
    receiver.release.clear()  # the message is not out when the run dies
    wave(mini)
    done(mini)
    killed = mini.start("--now", AFTER, "run", SCHEDULER_CRASH_AT=failpoint)
    killed.communicate(timeout=60)
    assert killed.returncode != 0
    receiver.release.set()
    for now in ("2030-03-01T12:05:00Z", "2030-03-01T12:10:00Z"):
        mini.run("run", now=now)
    eventually(lambda: mini.statuses == {"spring/teaser/lobby": "completed"}, "it is completed")
    assert len(receiver.messages) == told
