"""The documents that programs read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from reporting import (
    HOSTILE,
    NOW,
    assert_harmless,
    change,
    diagnostics,
    encodable_texts,
    plan_of,
    plans,
    record,
    result,
)

from scheduler.diagnostics import Diagnostic, Location, Related, error
from scheduler.planning.plan import Plan
from scheduler.planning.rows import Row
from scheduler.reporting.json_output import listing_json, plan_json, results_json, safe, validation_json
from scheduler.reporting.troubles import OpenTrouble
from scheduler.times import instant_text

PROBLEM = error(
    "min-gap",
    Location("waves/a.yaml", 7, 5),
    "too close",
    "move one",
    [Related("the other one", Location("waves/b.yaml", 2, 3)), Related("recorded")],
)


def test_the_document_of_validate() -> None:
    assert validation_json([PROBLEM]) == (
        b'{"version":1,"diagnostics":[{"severity":"error","code":"min-gap","message":"too close",'
        b'"file":"waves/a.yaml","line":7,"column":5,"hint":"move one","related":['
        b'{"file":"waves/b.yaml","line":2,"column":3,"message":"the other one"},'
        b'{"file":null,"line":null,"column":null,"message":"recorded"}]}]}'
    )


def test_the_document_of_plan() -> None:
    after = record(metadata={"b": "2", "a": "1"})
    plan = plan_of(change("create", "s/t/alpha", None, after), change("archive", "s/t/b", after, None))
    document = b"".join(plan_json(plan, [PROBLEM]))
    assert document.startswith(
        b'{"version":1,"now":"2026-02-28T12:00:00Z","changes":[{"action":"create","schedule_id":"s/t/alpha",'
        b'"before":null,"after":{"schedule_type":"simultaneous","channel_id":"alpha",'
    )
    told = json.loads(document)
    assert list(told) == ["version", "now", "changes", "diagnostics"]
    assert list(told["changes"][1]) == ["action", "schedule_id", "before", "after", "reason", "phase"]
    assert told["changes"][1]["after"] is None
    assert list(told["changes"][0]["after"]["metadata"]) == ["a", "b"]
    assert told["diagnostics"] == json.loads(validation_json([PROBLEM]))["diagnostics"]


@pytest.mark.parametrize("changes", [0, 1, 500, 501, 1_700])
def test_a_plan_that_comes_in_parts_is_one_document(changes: int) -> None:
    names = [f"s/t/{number}" for number in range(changes)]
    plan = plan_of(*(change("create", name, None, record()) for name in names))
    told = json.loads(b"".join(plan_json(plan, [PROBLEM])))
    assert [one["schedule_id"] for one in told["changes"]] == names
    assert len(told["diagnostics"]) == 1


def test_the_document_of_run() -> None:
    results = [
        result("a", "completed"),
        result("b", "failed", error="404"),
    ]
    trouble = OpenTrouble(topic="wave:\udcff", kind="unreadable", message="x", file="waves/\udcff.yaml")
    assert results_json(results, [], [trouble]) == (
        b'{"version":1,"results":[{"schedule_id":"a","status":"completed","phase":"public",'
        b'"scheduled_at":"2026-02-28T12:00:00Z","reason":null,"error":null},'
        b'{"schedule_id":"b","status":"failed","phase":"over","scheduled_at":"2026-02-28T12:00:00Z",'
        b'"reason":null,"error":"404"}],"diagnostics":[],'
        b'"troubles":[{"topic":"wave:\\\\udcff","kind":"unreadable","schedule_id":null,"message":"x","remedy":null,'
        b'"command":null,"token":null,"scheduled_at":null,"local_time":null,"file":"waves/\\\\udcff.yaml",'
        b'"line":null}]}'
    )


def test_the_document_of_list_is_in_the_order_of_time_then_id() -> None:
    rows = [
        Row(now=NOW, schedule_id="b", record=record()),
        Row(now=NOW, schedule_id="a", record=record(), problem="min-gap"),
        Row(
            now=NOW,
            schedule_id="z",
            record=record(scheduled_at="2026-01-01T00:00:00Z", video_id=None),
            recorded=False,
        ),
    ]
    told = json.loads(listing_json(rows))
    assert told["version"] == 1
    assert [(row["schedule_id"], row["recorded"], row["problem"]) for row in told["schedules"]] == [
        ("z", False, None),
        ("a", True, "min-gap"),
        ("b", True, None),
    ]
    assert told["schedules"][0]["video_id"] is None
    assert told["schedules"][0]["status"] == "pending"
    assert list(told["schedules"][0])[:2] == ["schedule_id", "schedule_type"]


def test_an_empty_list_is_a_document_too() -> None:
    assert listing_json([]) == b'{"version":1,"schedules":[]}'


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_escaped_and_mean_the_same(harm: str) -> None:
    document = validation_json([error("past", Location(harm), harm, harm, [Related(harm)])])
    assert_harmless(document.decode())
    told = json.loads(document)["diagnostics"][0]
    expected = harm.encode("utf-8", "backslashreplace").decode()
    assert told["message"] == told["file"] == told["hint"] == told["related"][0]["message"] == expected


@given(encodable_texts)
def test_a_document_is_safe_to_print_and_says_the_same(text: str) -> None:
    document = safe(json.dumps(text, ensure_ascii=False).encode())
    assert_harmless(document.decode())
    assert json.loads(document) == text


@given(plans(), diagnostics())
def test_any_plan_reads_back_to_the_same_values(plan: Plan, found: list[Diagnostic]) -> None:
    document = b"".join(plan_json(plan, found))
    assert_harmless(document.decode())
    told = json.loads(document)
    assert told["now"] == instant_text(plan.now)
    assert [
        (step["action"], step["schedule_id"], step["reason"], (step["after"] or {}).get("video_id"))
        for step in told["changes"]
    ] == [
        (step.action, step.schedule_id, step.reason, step.after and step.after.video_id)
        for step in plan.changes
    ]


@given(encodable_texts, encodable_texts)
def test_any_listing_reads_back_to_the_same_values(schedule_id: str, video: str) -> None:
    row = Row(now=NOW, schedule_id=schedule_id, record=record(video_id=video, metadata={video: schedule_id}))
    told = json.loads(listing_json([row]))["schedules"][0]
    assert (told["schedule_id"], told["video_id"], told["metadata"]) == (
        schedule_id,
        video,
        {video: schedule_id},
    )
