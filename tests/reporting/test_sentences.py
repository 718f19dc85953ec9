"""The explanation that `show` prints, for every status, every reason, and everything that may hold it back.

`PYTHONPATH=tests/support python tests/reporting/test_sentences.py` writes the table in sentences.txt. Read it
as an editor would: is it clear what happened, and what happens next?
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from textwrap import indent
from typing import Any, get_args

import pytest
from miniature import Miniature
from msgspec.structs import replace
from still_clock import StillClock

from scheduler.state.codec import encode
from scheduler.state.record import Event, Intent, Lease, Pause, Pauser, Record, Retraction, State
from scheduler.state.statuses import Reason, Status

TABLE = Path(__file__).parent / "sentences.txt"
EARLY, DUE, LATE = "2030-02-25T09:00:00Z", "2030-03-01T18:03:00Z", "2030-03-01T20:00:00Z"
AT, NOT_AFTER = "2030-03-01T18:00:00Z", "2030-03-01T19:00:00Z"
ALPHA = "repository: acme/alpha\ntoken: ACME_TOKEN\n"
REPO, JOB = "spring/teaser/alpha", "spring/teaser/lobby"
WAVE = """\
{keys}schedules:
  - type: simultaneous
    group: first
    video: first
    at: 2030-02-20T18:00:00Z
    channels: [alpha]
  - type: {kind}
    group: teaser
    video: teaser-4k
    at: {at}
    channels:
      - {{ id: alpha, {member} }}
      - {{ id: lobby, {member} }}
"""


class Case:
    """What is declared and recorded of one schedule, and when somebody asks."""

    def __init__(
        self,
        name: str,
        *,
        of: str = REPO,
        now: str = EARLY,
        files: dict[str, str] | None = None,
        environ: dict[str, str] | None = None,
        first: dict[str, Any] | None = None,
        recorded: bool = True,
        **fields: Any,
    ) -> None:
        self.name = name
        self.of = of
        self.now = now
        self.files = files or {}
        self.environ = environ or {}
        self.first = first or {}
        self.is_recorded = recorded
        self.fields = fields

    def why(self, root: Path) -> str:
        """What `show` says."""
        mini = Miniature(root)
        lobby = "queue: screens\ncommand: ./play\n"
        mini.write({"channels/alpha.yaml": ALPHA, "channels/lobby.yaml": lobby, "waves/spring.yaml": wave()})
        mini.write({name: text for name, text in self.files.items() if text})
        for name in (name for name, text in self.files.items() if not text):
            mini.remove(name)
        records = {
            "spring/first/alpha": record("alpha", "first", **({"status": "completed"} | self.first)),
        }
        if self.is_recorded:
            records[self.of] = record(self.of.rpartition("/")[2], "teaser", **self.fields)
        state = State(version=2, lineage="3e1c50f2-6a53-4b0a-9f57-d5a2ea0c4a52", serial=1, schedules=records)
        (root / "state.json").write_bytes(encode(state))
        shown = mini.json("show", self.of, now=self.now, **self.environ)
        assert shown.code == 0, (self.name, shown)
        sentence: str = shown.json["why"]
        return sentence


def wave(*, keys: str = "", member: str = "", kind: str = "simultaneous", at: str = AT) -> str:
    return WAVE.format(keys=keys, member=member, kind=kind, at=at)


def record(channel: str, group: str, **changes: Any) -> Record:
    status = changes.get("status", "pending")
    usual: dict[str, Any] = {
        "schedule_type": "simultaneous", "channel_id": channel, "wave_id": "spring", "status": status,
        "coordination_group_id": f"spring/{group}", "video_id": "first" if group == "first" else "teaser-4k",
        "scheduled_at": "2030-02-20T18:00:00Z" if group == "first" else AT, "position": 0,
    }  # fmt: skip
    was_sent = status in ("executing", "completed") or changes.get("reason") in (
        "unknown_outcome", "run_failed", "rejected", "retries_exhausted",
    )  # fmt: skip
    if was_sent:
        usual |= {"intent": intent(channel), "attempts": 1, "executed_at": AT, "lateness_seconds": 0}
    if status == "completed":
        usual |= {"evidence": "accepted", "accepted_at": AT}
    found = Record(**(usual | changes))
    events = (Event("2030-02-19T09:00:00Z", "pending", "declared"), *changes.get("history", ()))
    return Record(**{name: getattr(found, name) for name in found.__struct_fields__} | {"history": events})


def intent(channel: str, **changes: Any) -> Intent:
    usual: dict[str, Any] = {"owner": "run-1", "at": AT, "key": "gs1-a", "not_after": NOT_AFTER}
    if channel == "lobby":
        usual |= {"transport": "queue", "queue": "screens", "job_id": JOB, "command": "./play"}
    else:
        usual |= {"transport": "repository_dispatch", "repository": "acme/alpha"}
    return Intent(**(usual | changes))


def claim(state: str, until: str, attempts: int = 1) -> Lease:
    return Lease("studio.4711.9f3a", "2030-03-01T18:00:05Z", state, until, attempts)  # type: ignore[arg-type]


def paused(by: str, until: str | None) -> dict[str, Any]:
    """The files and variables that make somebody hold it back."""
    ends = f", until: {until}" if until else ""
    pause = f"paused: {{ reason: strike{ends} }}"
    if by == "schedule":
        return {"files": {"waves/spring.yaml": wave(member=pause)}}
    if by == "wave":
        return {"files": {"waves/spring.yaml": wave(keys=f"{pause}\n")}}
    if by == "channel":
        return {"files": {"channels/alpha.yaml": f"{ALPHA}{pause}\n"}}
    if by == "freeze":
        end = until or "2030-03-01T18:45:00Z"
        freeze = f"freezes: [{{ reason: Holidays, from: 2030-02-24T00:00:00Z, until: {end} }}]\n"
        return {"files": {"scheduler.yaml": freeze}}
    if by == "halt":
        broken = {"status": "failed", "reason": "rejected", "error_message": "HTTP 422"}
        return {"files": {"waves/spring.yaml": wave(keys="on_failure: halt\n")}, "first": broken}
    return {"environ": {"SCHEDULER_PAUSED": "1"}}


def held() -> list[Case]:
    """Everybody who may hold back what was not sent: before its time, when it is due, and too late."""
    found = []
    for status in ("pending", "scheduled"):
        for by in get_args(Pauser):
            kwargs = paused(by, None)
            found.append(Case(f"{status}, paused by {by}", status=status, **kwargs))
            found.append(Case(f"{status}, paused by {by}, too late", status=status, now=LATE, **kwargs))
    for by in ("schedule", "wave", "channel", "freeze"):
        for until in ("2030-03-01T18:30:00Z", "2030-03-01T21:00:00Z"):
            words = "pending, paused by " + by + f" until {until}"
            found.append(Case(words, **paused(by, until)))
    elsewhere = {
        "is_paused": True,
        "pauses": (Pause("operator", "SCHEDULER_PAUSED=1"),),
        "history": (Event("2030-02-24T21:55:00Z", "pending", "paused by operator (SCHEDULER_PAUSED=1)"),),
    }
    words = "pending, paused by operator elsewhere, at"
    return [*found, *(Case(f"{words} {now}", now=now, **elsewhere) for now in (EARLY, DUE, LATE))]


def unsent() -> list[Case]:
    stagger = "delay: 1m\n    after_success: true\n    channels:\n      - { id"
    waits = wave(kind="staggered").replace("channels:\n      - { id", stagger)
    text = waits.replace("{ id: alpha,  }", "lobby").replace("{ id: lobby,  }", "alpha")
    return [
        Case("pending"),
        Case("scheduled", status="scheduled"),
        Case("pending, its channel is not ready", unconfirmed="no workflow listens to process-video"),
        Case("pending, with a lead", files={"channels/alpha.yaml": f"{ALPHA}lead: 6h\n"}),
        Case("pending, due", now=DUE),
        Case("pending, due, without a token", now=DUE, environ={"ACME_TOKEN": ""}),
        Case(
            "pending, answered with a no for now",
            now=DUE,
            attempts=1,
            error_message="HTTP 429: slow down",
            next_attempt_at="2030-03-01T18:05:00Z",
        ),
        Case("pending, tried again by a person", now=LATE, retried_at="2030-03-01T19:55:00Z", attempts=1),
        Case("pending, after_success", files={"waves/spring.yaml": text}, after_success=True),
        Case("pending, its file cannot be read", files={"waves/spring.yaml": "schedules: ["}),
        Case("pending, its channel is not active", files={"channels/alpha.yaml": f"{ALPHA}active: false\n"}),
        Case("pending, its channel is gone", files={"channels/alpha.yaml": ""}),
        *awkward(),
        Case("pending, on a queue", of=JOB),
        Case("pending, on a queue, due", of=JOB, now=DUE),
    ]


def awkward() -> list[Case]:
    """What cannot be read, is not there (any more), or is not there yet."""
    broken_wave = {"waves/spring.yaml": "schedules: ["}
    broken_channel = {"channels/alpha.yaml": "repository: ["}
    empty = {"of": f"alpha/{AT}", "wave_id": None, "coordination_group_id": None, "channel_id": "alpha",
             "schedule_type": "independent", "video_id": None}  # fmt: skip
    one_off: dict[str, Any] = empty | {"video_id": "teaser-4k"}
    own = {"channels/alpha.yaml": f"{ALPHA}schedules: [{{ at: {AT} }}]\n"}
    between: dict[str, Any] = {
        "now": DUE, "attempts": 1, "error_message": "HTTP 429: slow down",
        "next_attempt_at": "2030-03-01T18:05:00Z",
    }  # fmt: skip
    slots = {"channels/alpha.yaml": f"{ALPHA}slots: [18:00]\n"}
    return [
        Case("pending, its file cannot be read, due", files=broken_wave, now=DUE),
        Case("pending, its file cannot be read, between attempts", files=broken_wave, **between),
        Case(
            "pending, its file cannot be read, its channel is not active",
            files=broken_wave | {"channels/alpha.yaml": f"{ALPHA}active: false\n"},
        ),
        Case(
            "pending, its file cannot be read, its channel is gone",
            files=broken_wave | {"channels/alpha.yaml": ""},
        ),
        Case(
            "pending, its file cannot be read, its repository is not allowed",
            files=broken_wave | {"scheduler.yaml": "allow: [other/*]\n"},
        ),
        Case(
            "pending, its file cannot be read, paused by channel",
            files=broken_wave | paused("channel", None)["files"],
        ),
        Case("pending, its channel cannot be read", files=broken_channel),
        Case("pending, its channel cannot be read, due", files=broken_channel, now=DUE),
        Case("pending, one-off, its file cannot be read", files=broken_channel, **one_off),
        Case("pending, one-off, its file cannot be read, no video", files=broken_channel, **empty),
        Case("pending, one-off, no video", files=own, **empty),
        Case("pending, not recorded", recorded=False),
        Case("pending, not recorded, due", recorded=False, now=DUE),
        Case("pending, not recorded, paused by wave", recorded=False, **paused("wave", None)),
        Case("pending, open slot", of="alpha/2030-02-26T18:00:00Z", files=slots, recorded=False),
        Case("pending, waits for a rate limit", now=DUE, first=limited()),
    ]


def limited() -> dict[str, Any]:
    """Another one of the same token that a server asked to wait."""
    return {"status": "pending", "limited": True, "attempts": 1, "error_message": "HTTP 429: slow down",
            "next_attempt_at": "2030-03-01T18:05:00Z", "retried_at": DUE,
            "intent": intent("alpha", token="ACME_TOKEN")}  # fmt: skip


def sent() -> list[Case]:
    soon = "2030-03-01T18:00:30Z"
    executing: dict[str, Any] = {"status": "executing", "now": soon}
    accepted = executing | {"accepted_at": AT, "evidence": "accepted"}
    noon = "2030-03-01T12:00:00Z"
    ahead = {"now": "2030-03-01T14:01:00Z", "executed_at": noon, "accepted_at": noon}
    job = {"of": JOB}
    repeatable = {"intent": intent("alpha", delivery="at-least-once")}
    running, waiting = claim("running", "2030-03-01T18:10:05Z", 2), claim("waiting", "2030-03-01T18:01:05Z")
    return [
        Case("executing", **executing),
        Case("executing, with the words of a failure", **executing, error_message="HTTP 500"),
        Case("executing, at-least-once", **executing, **repeatable),
        Case("executing, accepted", **accepted),
        Case("executing, on a queue", **executing, **job),
        Case(
            "executing, on a queue, at-least-once",
            **executing,
            **job,
            intent=intent("lobby", delivery="at-least-once"),
        ),
        Case("executing, on a queue, accepted", **accepted, **job),
        Case("executing, on a queue, a worker has it", **accepted, **job, lease=running),
        Case("executing, on a queue, waiting for an attempt", **accepted, **job, lease=waiting),
        Case("executing, accepted, public later", **accepted | ahead),
        Case("completed", status="completed", now=DUE),
        Case("completed, public later", **{"status": "completed"} | ahead),
        Case("completed, by a run, public later", **{"status": "completed", "evidence": "run"} | ahead),
        Case("completed, late", status="completed", now=DUE, lateness_seconds=180),
        Case("completed, by a run", status="completed", now=DUE, evidence="run"),
        Case("completed, on a queue", status="completed", now=DUE, **job),
        Case("completed, on a queue, a worker has it", status="completed", now=soon, **job, lease=running),
        Case(
            "completed, on a queue, waiting for an attempt",
            status="completed",
            now=soon,
            **job,
            lease=waiting,
        ),
        Case(
            "completed, on a queue, by a worker",
            status="completed",
            now=DUE,
            **job,
            evidence="run",
            lease=claim("ended", DUE),
        ),
    ]


def over() -> list[Case]:
    words = {
        "missed": "more than 1h (catch_up) after 2030-03-01T18:00:00Z",
        "blocked": "spring/teaser/alpha is inside the freeze 'Holidays' [frozen]",
        "no_video": "it fell due with no video assigned",
        "rejected": "HTTP 404: Not Found",
        "retries_exhausted": "connection refused",
        "unknown_outcome": "HTTP 500: Server Error",
        "run_failed": "the run ended as failure",
    }
    found = [
        Case(f"failed, {reason}", status="failed", reason=reason, error_message=text, now=LATE)
        for reason, text in words.items()
    ]
    gone = {"waves/spring.yaml": wave().partition("  - type: simultaneous\n    group: teaser")[0]}
    dead = {
        "run_failed": "exit code 3: no such video",
        "unknown_outcome": "the worker studio.4711.9f3a went away",
    }
    failed: dict[str, Any] = {"status": "failed", "now": LATE, "of": JOB}
    found += [
        Case(f"failed, {reason}, on a queue", reason=reason, error_message=text, **failed)
        for reason, text in dead.items()
    ]
    found.append(
        Case("failed, missed, no longer declared", status="failed", reason="missed", now=LATE, files=gone)
    )
    cancelled: dict[str, Any] = {"status": "cancelled"}
    missed: dict[str, Any] = {"status": "failed", "reason": "missed", "now": LATE}
    unknown: dict[str, Any] = {"status": "failed", "reason": "unknown_outcome", "now": LATE}
    broken = {"waves/spring.yaml": "schedules: ["}
    declared = {"waves/spring.yaml": wave(member="cancelled: true")}
    return [
        *found,
        Case("pending, and missed by the next run", now=LATE),
        Case("cancelled, declared", **cancelled, reason="declared", files=declared),
        Case("cancelled, declared, too late", **cancelled, reason="declared", files=declared, now=LATE),
        Case("cancelled, before_init", **cancelled, reason="before_init", now=LATE),
        Case("cancelled, retracted", **cancelled, reason="retracted", files=declared),
        Case("cancelled, retracted, no longer declared", **cancelled, reason="retracted", files=gone),
        Case("cancelled, withdrawn", **cancelled, reason="withdrawn", files=gone),
        Case("cancelled, declared, its file cannot be read", **cancelled, reason="declared", files=broken),
        Case("failed, missed, its file cannot be read", files=broken, **missed),
        Case("failed, unknown_outcome, its file cannot be read", files=broken, **unknown),
    ]


def taken_back() -> list[Case]:
    """What was handed over, on its way back."""
    before = "2030-02-25T08:00:00Z"
    handed = {"status": "completed", "accepted_at": before}
    files = {"waves/spring.yaml": wave(member="cancelled: true"),
             "channels/alpha.yaml": f"{ALPHA}lead: 6d\nretract: retract-video\n"}  # fmt: skip
    retraction = Retraction(
        status="sending",
        at=before,
        why="declared cancelled",
        intent=intent("alpha", retracts=True),
        attempts=1,
    )
    between = replace(retraction, intent=None, error="HTTP 429: slow down", next_attempt_at=DUE)
    stages = {
        "sending": retraction,
        "between attempts": between,
        "accepted": replace(retraction, status="accepted", accepted_at=before),
        "failed": replace(retraction, status="failed", error="its run ended as failure"),
    }
    return [
        Case("completed, to be taken back", files=files, **handed),
        *(
            Case(f"completed, taken back, {k}", files=files, retraction=v, **handed)
            for k, v in stages.items()
        ),
    ]


CASES = [*unsent(), *held(), *sent(), *taken_back(), *over()]


def told(case: Case, root: Path) -> str:
    return f"{case.name}\n{indent(case.why(root), '  ')}\n"


@pytest.fixture(scope="module")
def table() -> dict[str, str]:
    entries = TABLE.read_text(encoding="utf-8").split("\n\n")
    return {entry.partition("\n")[0]: entry.strip() + "\n" for entry in entries}


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(", ", "-").replace(" ", "-"))
def test_every_situation_has_its_sentence(case: Case, table: dict[str, str], tmp_path: Path) -> None:
    assert told(case, tmp_path) == table[case.name]


def test_no_status_reason_or_pause_is_without_a_sentence(table: dict[str, str]) -> None:
    names = "\n".join(table)
    assert [status for status in get_args(Status) if status not in names] == []
    assert [reason for reason in get_args(Reason) if reason not in names] == []
    assert [by for by in get_args(Pauser) if f"paused by {by}" not in names] == []
    assert len(table) == len(CASES)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scheduler.cli.main.Clock", StillClock)
        entries = []
        for case in CASES:
            with tempfile.TemporaryDirectory() as folder:
                entries.append(told(case, Path(folder)))
        TABLE.write_text("\n".join(entries), encoding="utf-8")
