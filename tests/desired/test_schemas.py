"""The published JSON Schemas say what the program says: never stricter, and as strict as a schema can be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from declaring import with_a_queue
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_spec import BAD_CHANNELS, BAD_ENTRIES, BAD_SETTINGS, ENTRY

from scheduler import desired
from scheduler.app.schemas import schema_files
from scheduler.desired import yaml_reader
from scheduler.desired.plain import Plain
from scheduler.errors import StateError
from scheduler.state import codec, header
from scheduler.state import record as state

SCHEMAS = Path(__file__).parents[2] / "schemas"
KINDS = ("wave", "channel", "scheduler")
READERS: dict[str, Any] = {
    "wave": desired.read_wave,
    "channel": desired.read_channel,
    "scheduler": desired.read_settings,
}
VALIDATORS = {kind: Draft202012Validator(desired.schema_of(kind)) for kind in KINDS}


def as_editors_read(value: Any) -> Any:
    """What the YAML 1.2 reader of an editor makes of data: plain scalars get types (core schema)."""
    if isinstance(value, dict):
        return {str(key): as_editors_read(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_editors_read(part) for part in value]
    if not isinstance(value, Plain):
        return value
    if value in ("", "~", "null", "Null", "NULL"):
        return None
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return value.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", value):
        return int(value)
    if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", value):
        return int(value, 0)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", value):
        return float(value)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", value):
        return float(value.lower().replace(".", ""))
    return str(value)


def both(kind: str, text: str) -> tuple[bool, bool]:
    """Whether the program and the schema take a text."""
    document = yaml_reader.read(f"{kind}s/x.yaml", text.encode())
    value, _ = READERS[kind](document)
    return value is not None, VALIDATORS[kind].is_valid(as_editors_read(document.data))


@pytest.mark.parametrize("name", ["wave", "channel", "scheduler", "state"])
def test_the_published_schema_is_the_one_that_the_program_writes(name: str) -> None:
    file = f"{name}.schema.json"
    assert (SCHEMAS / file).read_text(encoding="utf-8") == schema_files()[file]


@pytest.mark.parametrize("name", ["wave", "channel", "scheduler", "state"])
def test_the_schema_is_a_schema_of_its_draft(name: str) -> None:
    schema = json.loads(schema_files()[f"{name}.schema.json"])
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(schema)


def mappings(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in (schema, *schema["$defs"].values()) if "properties" in part]


INTERNAL = re.compile(r"pydantic|\b(model|regex|schema|null|None|str|tuple|dict)\b")
"""What a program's author would say, and no editor."""


def keys_of(kind: Any) -> dict[str, dict[str, Any]]:
    """Every key of a kind of file, with what editors get to know of it."""
    whole = desired.schema_of(kind)
    named = [(kind, whole), *whole["$defs"].items()]
    return {
        f"{name}.{key}": schema for name, part in named for key, schema in part.get("properties", {}).items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_for_its_editor(kind: Any) -> None:
    for name, schema in keys_of(kind).items():
        assert {"title", "description", "markdownDescription"} <= schema.keys(), name
        words = schema["markdownDescription"]
        assert 10 <= len(words) <= 240, f"{name}: three lines of a hover are about 240 signs"
        assert words.endswith("."), name
        assert INTERNAL.search(words) is None, name
        assert schema["description"] == words.replace("`", ""), f"{name}: for editors that show plain text"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_shows_the_right_form(kind: Any) -> None:
    assert [name for name, schema in keys_of(kind).items() if not {"examples", "enum"} & schema.keys()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_a_choice_is_explained(kind: Any) -> None:
    for name, schema in keys_of(kind).items():
        if "enum" in schema:
            assert len(schema["markdownEnumDescriptions"]) == len(schema["enum"]), name


@pytest.mark.parametrize("kind", KINDS)
def test_no_time_that_editors_are_offered_is_over_already(kind: Any) -> None:
    times = re.findall(r"\b\d{4}-\d\d-\d\dT", json.dumps(desired.schema_of(kind)))
    assert {time[:4] for time in times} == {"2030"}


def test_every_field_of_the_state_is_described() -> None:
    schema = json.loads(schema_files()["state.schema.json"])
    bare = [
        key
        for part in mappings(schema)
        for key, field in part["properties"].items()
        if "description" not in field
    ]
    assert bare == []


NOW = "at: 2026-03-01T18:00Z"
GOOD = [
    ("wave", "schedules: []"),
    ("wave", f"title: 2026\npaused: {{reason: no, until: 2026-03-01T18:00Z}}\nschedules: [{{{ENTRY}}}]"),
    ("wave", f"schedules: [{{type: simultaneous, video: 12345, {NOW}, channels: [1, true, a]}}]"),
    ("wave", "schedules: [{type: simultaneous, video: false, at: 2026-03-01 18:00+02:00, channels: [x]}]"),
    ("wave", f"schedules: [{{type: simultaneous, group: 7, video: 1.5e3, {NOW}, channels: [x]}}]"),
    (
        "wave",
        f"schedules: [{{type: staggered, video: .inf, group: g, {NOW}, delay: PT1H30M, "
        f"channels: [{{id: 0x1F, shift: -30m, paused: true}}, {{id: b, {NOW}, cancelled: true}}]}}]",
    ),
    ("wave", f"schedules: [{{type: staggered, video: v, {NOW}, after_success: true, channels: [x]}}]"),
    (
        "wave",
        "schedules: [{type: simultaneous, video: v, at: 2026-03-01T18:00, timezone: channel, "
        "channels: {tags: [de, 4]}, members: [{id: x, at: 2026-03-01T19:00}], "
        "metadata: {a: [1, ~, {b: no}]}}]",
    ),
    ("channel", "{queue: q, name: ~, token: null, workflow: , tags: ~, confirm: ~, active: ~}"),
    ("channel", "{repository: a/b, queue: ~, command: null, workflow: ~}"),
    ("channel", "name: true\nrepository: https://github.com/a/b.git\nevent_type: 1\nslots: [daily]"),
    ("channel", "repository: a/b\ntransport: workflow_dispatch\nworkflow: p.yml\nactive: FALSE"),
    ("channel", "queue: 1\ncommand: |\n  a\n  b\nlineup: [1, {video: 2, not_before: 2026-03-01T18:00Z}]"),
    ("channel", "command: x\ntimezone: UTC\nschedules: [{at: 2026-03-01T18:00, video: ~}]\nlead: 0s"),
    ("channel", "queue: q\ntimezone: UTC\nlineup: [{video: v, not_before: 2026-03-01T18:00}]"),
    (
        "wave",
        f"title: ~\non_failure: ~\nschedules: [{{type: simultaneous, video: v, {NOW}, channels: [x], "
        "delay: ~, after_success: ~, group: ~, timezone: ~, members: ~, metadata: ~, renamed_from: ~}]",
    ),
    ("wave", f"schedules: [{{type: simultaneous, video: v, {NOW}, channels: [{{id: x, at: ~, shift: ~}}]}}]"),
    ("scheduler", "{}"),
    ("scheduler", "brake: ~\nretry: ~\nconflicts: ~\nnotify: ~\npace: ~\nstate: ~\nqueue: ~\nlineage: ~"),
    ("scheduler", "lineage: null\nallow: [acme/*, '*/x']\npace: 1/s\nnotify: [SLACK]\nstate: branch:x"),
    ("scheduler", "freezes: [{from: 2026-03-01T18:00, until: 2026-03-02T18:00, timezone: UTC}]"),
]


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_what_the_program_takes_the_schema_takes(kind: str, text: str) -> None:
    assert both(kind, text) == (True, True)


BEYOND_A_SCHEMA = {
    "a retraction that would publish",
    "a pause that ends on each channel's clock",
    "an unknown zone, with a local time beside it",
    "a time that a clock change skips",
    "a time that a clock change repeats",
    "a shift in a simultaneous entry",
    "a line about a channel that is not in the list",
    "two lines about one channel",
    "a line about a channel that has its own",
    "a token in metadata",
    "a slot that never was",
    "a zone for each channel",
    "a branch that git refuses",
    "a folder",
    "a queue on a port that is not there",
    "a queue on a port that is no number",
    "a queue whose brackets do not close",
    "a freeze that ends when it begins",
    "a number with a leading zero",
}
"""Faults that need a calendar, a second look at the file, or the text as it was typed."""
BAD = {
    **{name: ("wave", f"schedules: [{{{body}}}]") for name, (body, _) in BAD_ENTRIES.items()},
    **{name: ("channel", with_a_queue(text)) for name, (text, _) in BAD_CHANNELS.items()},
    **{name: ("scheduler", text) for name, (text, _) in BAD_SETTINGS.items()},
    "a time without a zone in a channel": ("channel", "queue: q\nschedules: [{at: 2026-03-01T18:00}]"),
    "nothing that publishes": ("channel", "name: x"),
    "nothing after a pause": ("wave", "paused:\nschedules: []"),
    "yes": ("wave", "paused: yes\nschedules: []"),
    "a quoted truth": ("wave", "cancelled: 'true'\nschedules: []"),
    "a key that is not there": ("wave", "schedule: []"),
    "a list of lists": ("wave", "schedules: [[]]"),
    "no group for a video that is no id": (
        "wave",
        "schedules: [{type: simultaneous, video: a b, at: 2026-03-01T18:00Z, channels: [x]}]",
    ),
    "a staggered entry without a delay": (
        "wave",
        "schedules: [{type: staggered, video: a, at: 2026-03-01T18:00Z, channels: [x]}]",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_program_refuses_the_schema_refuses_where_it_can(name: str) -> None:
    assert both(*BAD[name]) == (False, name in BEYOND_A_SCHEMA)


# --- documents made of random parts -----------------------------------------------------------------

# For each kind of value what editors type there, right and wrong.
_texts = ["v", "12", "true", "1.5", "no", "'~'", "a b", "~", "''", "[]"]
_ids = ["a", "b", "12", "true", "0x1F", "a b", "~"]
_times = ["2026-03-01T18:00Z", "2026-03-01 18:00:00+02:00", "2026-03-01T18:00", "2026-03-01", "12"]
_spans = ["1h", "0s", "PT1H30M", "1h30m", "60", "-30m", "''"]
_flags = ["true", "FALSE", "false", "'true'", "yes", "1"]
_zones = ["Europe/Berlin", "UTC", "channel", "Berlin"]


def _mapping(**values: Any) -> st.SearchStrategy[str]:
    """A flow mapping; `key_` is optional. A list of texts is what its value is chosen from."""
    chosen = {
        name: st.sampled_from(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return st.fixed_dictionaries(
        {name: value for name, value in chosen.items() if name[-1] != "_"},
        optional={name[:-1]: value for name, value in chosen.items() if name[-1] == "_"},
    ).map(lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}")


def _several(items: st.SearchStrategy[str] | list[str]) -> st.SearchStrategy[str]:
    chosen = st.sampled_from(items) if isinstance(items, list) else items
    return st.lists(chosen, max_size=2).map(lambda parts: f"[{', '.join(parts)}]")


_pause = st.sampled_from(_flags) | _mapping(until_=_times, reason_=_texts, timezone_=_zones)
_member = _mapping(id=_ids, at_=_times, shift_=["30m", "-30m", "5"], paused_=_pause, cancelled_=_flags)
_entry = _mapping(
    type=["simultaneous", "staggered"],
    video=_texts,
    at=_times,
    channels=_several(st.sampled_from(_ids) | _member) | _mapping(tags=_several(_ids)),
    group_=_ids,
    timezone_=_zones,
    delay_=_spans,
    after_success_=_flags,
    members_=_several(_member),
    repeat_=_flags,
)
_files = st.one_of(
    st.tuples(st.just("wave"), _entry.map(lambda entry: f"schedules: [{entry}]")),
    st.tuples(
        st.just("wave"), _mapping(title_=_texts, catch_up_=_spans, paused_=_pause, schedules=["[]", "~"])
    ),
    st.tuples(
        st.just("channel"),
        _mapping(
            name_=_texts,
            repository_=["acme/x", "https://github.com/acme/x.git", "acme"],
            queue_=_ids,
            command_=_texts,
            transport_=["workflow_dispatch", "repository_dispatch"],
            workflow_=["p.yml", "p"],
            retract_=["retract-video"],
            timezone_=_zones,
            lead_=_spans,
            active_=_flags,
            lineup_=_several(st.sampled_from(_texts) | _mapping(video=_texts, not_before_=_times)),
            schedules_=_several(_mapping(at=_times, video_=_texts, timezone_=_zones)),
        ),
    ),
    st.tuples(
        st.just("scheduler"),
        _mapping(
            pace_=["1/s", "60/min", "60"],
            state_=_texts,
            lineage_=_ids,
            queue_=["sqlite:///q.db", "q"],
            event_type_=_texts,
            brake_=_mapping(cancel_percent_=["30", "101", "'30'"], at_least_=["0", "1.0"]),
            freezes_=_several(_mapping(**{"from": _times}, until=_times, timezone_=_zones, reason_=_texts)),
        ),
    ),
)


@given(_files)
def test_the_schema_is_never_stricter_than_the_program(file: tuple[str, str]) -> None:
    program, schema = both(*file)
    assert schema or not program


# --- what editors get -------------------------------------------------------------------------------


def without_placeholders(body: Any) -> Any:
    return json.loads(re.sub(r"\$\{\d+:([^}]*)\}", r"\1", json.dumps(body)))


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_editor_offers_for_an_empty_file_is_valid(kind: Any) -> None:
    for snippet in desired.schema_of(kind)["defaultSnippets"]:
        text = json.dumps(without_placeholders(snippet["body"])).replace('"', "")
        assert both(kind, text) == (True, True), snippet["label"]


def test_an_editor_is_offered_a_wave_of_each_type() -> None:
    bodies = [snippet["body"] for snippet in desired.schema_of("wave")["defaultSnippets"]]
    assert {body["schedules"][0]["type"] for body in bodies} == {"simultaneous", "staggered"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_and_default_is_valid(kind: Any) -> None:
    whole = desired.schema_of(kind)
    for part in mappings(whole):
        for key, schema in part["properties"].items():
            validator = Draft202012Validator({**schema, "$defs": whole["$defs"]})
            for example in [
                *schema.get("examples", []),
                *([schema["default"]] if "default" in schema else []),
            ]:
                assert validator.is_valid(example), (key, example)


def test_with_the_channels_of_a_repository_others_are_underlined() -> None:
    channels = {"alpha": "Alpha, Mon 18:00", "2024": "The year", "true": "The truth"}
    schema = desired.schema_of("wave", channels)
    validator = Draft202012Validator(schema)

    def takes(ids: str) -> bool:
        text = f"schedules: [{{type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: {ids}}}]"
        return validator.is_valid(as_editors_read(yaml_reader.read("waves/x.yaml", text.encode()).data))

    assert takes("[alpha, 2024, '2024', true, {id: alpha}]")
    assert not takes("[alpha, beta]")
    assert not takes("[{id: beta}]")
    offered = schema["$defs"]["channel-id"]
    assert len(offered["enum"]) == len(offered["markdownEnumDescriptions"])


# --- the recorded state -----------------------------------------------------------------------------

STATE = Draft202012Validator(json.loads(schema_files()["state.schema.json"]))
NOON = "2026-03-01T12:00:00Z"


def full_state() -> state.State:
    """A state in which every field says something."""
    intent = state.Intent(
        owner="run-1",
        at=NOON,
        key="k",
        not_after=NOON,
        transport="queue",
        confirm="run",
        delivery="at-least-once",
        repository="acme/x",
        event_type="e",
        workflow="w.yml",
        token="TOKEN",
        queue="q",
        job_id="w/g/a",
        command="c",
        retract="r",
        retracts=True,
    )
    values: dict[str, Any] = {
        "schedule_type": "simultaneous",
        "status": "failed",
        "reason": "run_failed",
        "evidence": "run",
        "wave_id": "w",
        "coordination_group_id": "w/g",
        "channel_id": "a",
        "intent": intent,
        "lease": state.Lease("w1", NOON, "running", NOON),
        "metadata": {"a": ["b"]},
        "retraction": state.Retraction(
            status="accepted",
            at=NOON,
            why="cancelled",
            run_url="u",
            error="e",
            intent=intent,
            attempts=1,
            accepted_at=NOON,
            checked_at=NOON,
            next_attempt_at=NOON,
            limited=True,
        ),
        "pauses": (state.Pause("freeze", "Holidays", NOON),),
        "history": (state.Event(NOON, "failed", "it did"),),
        "former_ids": ("w/h/a",),
        "lateness_seconds": -3,
    }
    for field in msgspec.structs.fields(state.Record):
        text = NOON if field.name.endswith("_at") else "text"
        kind = str(field.type)
        values.setdefault(field.name, True if "bool" in kind else 1 if "int" in kind else text)
    record = msgspec.convert(msgspec.to_builtins(state.Record(**values)), state.Record)
    return state.State(
        version=header.VERSION,
        lineage="3f2b8c1e-6a51-4c7e-9f0d-2b1a5e8d7c43",
        serial=17,
        schedules={"w/g/a": record},
        declared=state.Declared("digest", "commit"),
        idle=state.Idle(NOON, "surroundings"),
        zone_release="2026f",
    )


def test_a_state_with_everything_in_it_fits_its_schema() -> None:
    text = codec.encode(full_state())
    assert codec.decode(text, "state.json") == full_state()
    assert [error.message for error in STATE.iter_errors(json.loads(text))] == []


def test_the_emptiest_state_fits_its_schema() -> None:
    text = codec.encode(state.State(version=header.VERSION, lineage="x", serial=0, schedules={}))
    assert STATE.is_valid(json.loads(text))


DAMAGE: dict[str, Any] = {
    "an unknown version": lambda s, r: s.update(version=header.VERSION + 1),
    "no lineage": lambda s, r: s.pop("lineage"),
    "an empty lineage": lambda s, r: s.update(lineage=""),
    "a negative serial": lambda s, r: s.update(serial=-1),
    "an unknown fact": lambda s, r: s.update(extra=1),
    "no schedules": lambda s, r: s.pop("schedules"),
    "an id that is none": lambda s, r: s["schedules"].update({"w": r}),
    "an unknown status": lambda s, r: r.update(status="gone"),
    "an unknown field": lambda s, r: r.update(extra=1),
    "a time of another form": lambda s, r: r.update(scheduled_at="2026-03-01 12:00"),
    "an optional time of another form": lambda s, r: r.update(executed_at="noon"),
    "negative attempts": lambda s, r: r.update(attempts=-1),
    "a failure without a reason": lambda s, r: r.update(reason=None),
    "executing without an intent": lambda s, r: (r.update(status="executing"), r.pop("intent")),
    "an event without a reason": lambda s, r: r["history"][0].pop("why"),
    "an intent without a key": lambda s, r: r["intent"].pop("key"),
    "a claim without an end": lambda s, r: r["claim"].update(until="noon"),
    "a claim of no attempt": lambda s, r: r["claim"].update(attempts=-1),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_state_that_the_program_refuses_the_schema_refuses(damage: str) -> None:
    whole = json.loads(codec.encode(full_state()))
    DAMAGE[damage](whole, whole["schedules"]["w/g/a"])
    with pytest.raises(StateError):
        codec.decode(json.dumps(whole).encode(), "state.json")
    assert not STATE.is_valid(whole)
