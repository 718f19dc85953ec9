"""Every status, reason, pause and circumstance, in every place that shows an explanation or a status.

One repository holds a publication for each combination; a circumstance is what happens to its files. The
calendar shows all of them at once, in the page, the feed and the document; `show` is asked for each. No
sentence may be cut or glued: it begins with a capital, ends with one full stop, has no doubled spaces, and
consists of words that the reviewed table in sentences.txt has as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any, get_args

import icalendar
import msgspec
import pytest
from miniature import Miniature

from scheduler.planning import reconcile
from scheduler.planning.plan import Surroundings
from scheduler.planning.rows import Row
from scheduler.reporting.explain import Explainer
from scheduler.reporting.notifications import events, message
from scheduler.state.codec import encode
from scheduler.state.record import Intent, Pauser, Record, State
from scheduler.state.statuses import STATUSES, Reason, Status
from scheduler.times import read_utc

AT, EARLY, DUE, LATE = (
    "2030-03-01T18:00:00Z", "2030-02-25T09:00:00Z", "2030-03-01T18:03:00Z", "2030-03-01T20:00:00Z",
)  # fmt: skip
ANSWER = "HTTP 429: slow down."
"""It ends with a full stop of its own, which is the only one."""
TABLE = Path(__file__).parent / "sentences.txt"
REASONS: Mapping[Status, tuple[Reason | None, ...]] = {
    "pending": (None,),
    "scheduled": (None,),
    "executing": (None,),
    "completed": (None,),
    "failed": (
        "missed",
        "blocked",
        "no_video",
        "rejected",
        "retries_exhausted",
        "unknown_outcome",
        "run_failed",
    ),
    "cancelled": ("declared", "withdrawn", "before_init", "retracted"),
}
PAUSERS: tuple[Pauser | None, ...] = (None, *get_args(Pauser))


def variants() -> dict[str, Record]:
    """By channel: a record of each status and reason, and of what else decides about the explanation."""
    found: dict[str, Record] = {}
    for status, reasons in REASONS.items():
        for reason in reasons:
            found[f"{status}-{reason or 'plain'}"] = record(status, reason)
    found["executing-accepted"] = record("executing", None, accepted_at=AT, evidence="accepted")
    found["completed-by-run"] = record(
        "completed", None, evidence="run", accepted_at=AT, lateness_seconds=180
    )
    found["pending-between"] = record(
        "pending", None, attempts=1, error_message=ANSWER,
        next_attempt_at="2030-03-01T18:05:00Z",
    )  # fmt: skip
    found["pending-retried"] = record("pending", None, retried_at="2030-03-01T19:55:00Z", attempts=1)
    found["pending-empty"] = record("pending", None, video_id=None)
    found["pending-doubtful"] = record("pending", None, unconfirmed="no workflow listens to process-video")
    return {name.replace("_", "-"): one for name, one in found.items()}


def record(status: Status, reason: Reason | None, **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "schedule_type": "independent", "channel_id": "", "video_id": "teaser", "scheduled_at": AT,
        "status": status, "reason": reason,
    }  # fmt: skip
    if status == "failed":
        fields["error_message"] = "HTTP 500: Server Error"
    if status in ("executing", "completed") or reason in ("unknown_outcome", "run_failed"):
        fields |= {"executed_at": AT, "attempts": 1, "intent": "channel"}
    if status == "completed":
        fields |= {"evidence": "accepted", "accepted_at": AT, "lateness_seconds": 0}
    return Record(**(fields | changes))


VARIANTS = variants()
QUEUED = {"queue", "queue-broken"}
CIRCUMSTANCES = {
    "declared": "nothing is wrong",
    "wave-broken": "the file of the wave cannot be read",
    "channels-broken": "the files of the channels cannot be read",
    "one-offs": "each is declared in the file of its channel",
    "one-offs-broken": "each was declared in the file of its channel, which cannot be read",
    "undeclared": "nothing declares them any more",
    "inactive": "the channels are not active",
    "not-allowed": "the repositories are not allowed",
    "not-recorded": "no run has recorded them",
    "queue": "the channels are on a queue",
    "queue-broken": "the channels are on a queue, and the file of the wave cannot be read",
    "no-token": "no token is set",
    "lead": "the channels have a lead",
}


def repository(mini: Miniature, circumstance: str, pauser: Pauser | None) -> dict[str, str]:
    """Write the files and the state. Returns the environment for the commands."""
    paused = "paused: { reason: strike }\n"
    target = (
        "queue: screens\ncommand: ./play\n"
        if circumstance in QUEUED
        else "repository: acme/{}\ntoken: ACME_TOKEN\n"
    )
    keys = {"inactive": "active: false\n", "lead": "lead: 6h\n"}.get(circumstance, "")
    keys += paused if pauser == "channel" else ""
    one_off = circumstance.startswith("one-offs")
    own = "schedules: [{{ at: {}, video: teaser{} }}]\n".format(
        AT, ", paused: true" if pauser == "schedule" else ""
    )
    for name in VARIANTS:
        text = target.format(name) + keys + (own if one_off else "")
        broken = circumstance in ("channels-broken", "one-offs-broken")
        mini.write({f"channels/{name}.yaml": "repository: [" if broken else text})
    member = ", paused: { reason: strike }" if pauser == "schedule" else ""
    wave = (
        f"{paused if pauser == 'wave' else ''}{'on_failure: halt' if pauser == 'halt' else ''}\nschedules:\n"
    )
    wave += "".join(
        f"  - {{ type: simultaneous, group: {name}, video: teaser, at: {AT}, "
        f"channels: [{{ id: {name}{member} }}] }}\n"
        for name in VARIANTS
    )
    if circumstance in ("wave-broken", "queue-broken"):
        mini.write({"waves/spring.yaml": "schedules: ["})
    elif circumstance != "undeclared" and not one_off:
        mini.write({"waves/spring.yaml": wave})
    settings = "brake: { cancel_percent: 100 }\n" if circumstance == "undeclared" else ""
    settings += "allow: [other/*]\n" if circumstance == "not-allowed" else ""
    if pauser == "freeze":
        settings += f"freezes: [{{ reason: Holidays, from: {EARLY}, until: 2030-03-01T18:45:00Z }}]\n"
    mini.write({"scheduler.yaml": settings or "{}\n"})
    records = {} if circumstance == "not-recorded" else dict(recorded(circumstance, one_off=one_off))
    state = State(version=2, lineage="3e1c50f2-6a53-4b0a-9f57-d5a2ea0c4a52", serial=1, schedules=records)
    (mini.root / "state.json").write_bytes(encode(state))
    environ = {"SCHEDULER_PAUSED": "1"} if pauser == "operator" else {}
    return environ | ({"ACME_TOKEN": ""} if circumstance == "no-token" else {})


def recorded(circumstance: str, *, one_off: bool) -> Iterator[tuple[str, Record]]:
    for name, one in VARIANTS.items():
        fields = {field: getattr(one, field) for field in one.__struct_fields__} | {"channel_id": name}
        if fields["intent"] is not None:
            fields["intent"] = intent(circumstance, name)
        if not one_off:
            fields |= {
                "wave_id": "spring",
                "coordination_group_id": f"spring/{name}",
                "schedule_type": "simultaneous",
            }
        yield f"{name}/{AT}" if one_off else f"spring/{name}/{name}", Record(**fields)


def intent(circumstance: str, name: str) -> Intent:
    common: dict[str, Any] = {
        "owner": "run-1",
        "at": AT,
        "key": f"gs1-{name}",
        "not_after": "2030-03-01T19:00:00Z",
    }
    if circumstance in QUEUED:
        job = f"spring/{name}/{name}"
        return Intent(**common, transport="queue", queue="screens", job_id=job, command="./play")
    return Intent(**common, transport="repository_dispatch", repository=f"acme/{name}")


# --- what no text may be --------------------------------------------------------------------------------


def plain_words(text: str) -> set[str]:
    """Our own words: without commands, the messages of rules, ids, times and places."""
    text = re.sub(r"It is not sent: .* (?=\[[a-z-]+, )", "It is not sent: ", text)
    text = re.sub(r"\(blocked\)(?: and was not sent)?: .* (?=\[[a-z-]+\])", "(blocked): ", text)
    plain = re.sub(r"`[^`]*`|\[[^]]*\]|\([^)]*\)", " ", text)
    tokens = (token.strip(".,:;") for token in plain.split())
    return {token for token in tokens if re.fullmatch(r"[A-Za-z']+", token)}


VOCABULARY = plain_words(TABLE.read_text(encoding="utf-8")) | plain_words(f"the last attempt: {ANSWER}")


def faults(text: str) -> list[str]:
    """What is wrong with an explanation as text."""
    unknown = sorted(plain_words(text) - VOCABULARY)
    checks = {
        "it does not begin with a capital": not text[:1].isupper()
        and not re.match(r"scheduler\.yaml ", text),
        "it does not end with one full stop": not re.search(r"[^.\s]\.$", text),
        "it has doubled spaces or stops": re.search(r"  |\s[.,;:]|\.\.|,,|\(\)|None|\[\]", text) is not None,
        "a sentence in it begins small": re.search(r"[a-z)`]\. [a-z]", text) is not None,
        f"words that no reviewed sentence has: {unknown}": bool(unknown),
    }
    return [fault for fault, is_so in checks.items() if is_so]


def bad_phrase(text: str) -> bool:
    """Whether a status or a notice, which is no sentence, was cut or glued badly."""
    return re.search(r"  |^\W*,|,\s*$|\(\)|None|: :|, ,|\s$", text) is not None or not text


# --- the table ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("circumstance", CIRCUMSTANCES)
@pytest.mark.parametrize("pauser", PAUSERS, ids=lambda pauser: str(pauser or "not-paused"))
def test_every_wrapper_shows_whole_sentences(
    circumstance: str, pauser: Pauser | None, mini: Miniature
) -> None:
    environ = repository(mini, circumstance, pauser)
    for now in (EARLY, DUE, LATE):
        done = mini.run("calendar", "--output", str(mini.root / "public"), now=now, **environ)
        assert done.code in (0, 1) and done.out, done.err
        public = mini.root / "public"
        details = json.loads((public / "schedules.json").read_text(encoding="utf-8"))["details"]
        assert len(details) == len(VARIANTS), "each is there"
        explanations = {name: detail["why"] for name, detail in details.items()}
        assert {name: found for name, text in explanations.items() if (found := faults(text))} == {}, (
            explanations
        )
        assert [detail["words"] for detail in details.values() if bad_phrase(detail["words"])] == []
        page = (public / "index.html").read_text(encoding="utf-8")
        assert sorted(map(unescape, re.findall(r'class="why">(.*?)</span>', page))) == sorted(
            explanations.values()
        )
        assert [notes for notes in re.findall(r'class="notes">(.*?)</span>', page) if bad_phrase(notes)] == []
        feed = icalendar.Calendar.from_ical((public / "calendar.ics").read_bytes())
        described = [
            str(event["description"]) for event in feed.walk("vevent") if event["uid"][:7] != "freeze-"
        ]
        assert [text for text in described if not any(why in text for why in explanations.values())] == []
        commands = [["list"], ["plan"], ["plan", "--format", "markdown"]]
        for command in commands if pauser is None else commands[:1]:  # a plan has no more to say of a pause
            lines = mini.run(*command, now=now, **environ).out.splitlines()
            assert [line for line in lines if re.search(r"\(\)|\bNone\b|,,|, ,|,$|: :", line)] == []
    for name in VARIANTS if pauser is None else ():
        schedule_id = f"{name}/{AT}" if circumstance.startswith("one-offs") else f"spring/{name}/{name}"
        shown = mini.run("show", schedule_id, now=LATE, **environ)
        assert shown.out.splitlines()[-1] == explanations[schedule_id], "`show` says the same"


@pytest.mark.parametrize(("name", "before"), [*product(VARIANTS, ("pending-plain", None))])
def test_every_notice_and_every_title_is_whole(name: str, before: str | None) -> None:
    channel = {"channel_id": "alpha", "wave_id": "spring"}
    after = dict(recorded("declared", one_off=False))[f"spring/{name}/{name}"]
    earlier = (
        {}
        if before is None
        else {"x": dict(recorded("declared", one_off=False))[f"spring/{before}/{before}"]}
    )
    found = events(earlier, {"x": after})
    if found:
        title, text = message(found)
        assert not bad_phrase(title) and not bad_phrase(text), (channel, title, text)
        assert re.match(r"(failed|missed|halted|completed): ", text)


def test_every_status_and_reason_is_in_the_table() -> None:
    assert tuple(REASONS) and set(REASONS) == set(STATUSES)
    assert {reason for reasons in REASONS.values() for reason in reasons if reason} == set(get_args(Reason))


def test_broken_settings_are_explained_too() -> None:
    source = reconcile.reconcile([], None, {}, read_utc(AT), Surroundings())
    broken = msgspec.structs.replace(source, declared=None)
    text = (
        Explainer(broken)
        .explain(Row(schedule_id="x", record=record("pending", None), now=read_utc(AT)), None)
        .text
    )
    assert text.startswith("scheduler.yaml is broken")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("io video is assigned.", "capital"),
        ("Its file cannot be read; ittempt 1 was refused.", "ittempt"),
        ("It is not sent", "full stop"),
        ("It is  not sent.", "doubled"),
        ("It is not sent: HTTP 429: slow down..", "doubled"),
        ("It is not sent. it waits.", "small"),
    ],
)
def test_a_cut_sentence_would_be_found(text: str, fault: str) -> None:
    assert any(fault in found for found in faults(text))
