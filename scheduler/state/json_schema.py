"""The JSON Schema of the recorded state, from the structs that read and write it.

msgspec knows the types and what each field is; the forms of times and ids are added here. The schema allows
all that `scheduler.state.codec` reads, and nothing that has another shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from scheduler.desired.fields import ID
from scheduler.state.header import VERSION
from scheduler.state.record import State
from scheduler.state.statuses import STATUSES, TRAITS

_TIME = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_SCHEDULE_ID = rf"^{ID}/(?:[^/]+/{ID}|[^/]+Z)$"
_CHECKSUM = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "description": "SHA-256 over the rest of the text; leave it out (or as it is) after an edit by hand.",
}

_FORMS: Mapping[str, Mapping[str, Any]] = {
    "State": {
        "version": {"enum": list(range(1, VERSION + 1))},
        "lineage": {"type": "string", "minLength": 1, "maxLength": 200},
    },
    "Record": {
        "run_id": {"type": ["integer", "null"]},
        "lateness_seconds": {"type": ["integer", "null"]},
        "dispatch_lateness_seconds": {"type": ["integer", "null"]},
    },
}
_TIMES = frozenset({"at", "not_after"})
_TIMES_OR_NULL = frozenset({"until"})
_COUNTS = frozenset({"serial", "attempts", "position", "resends"})


def state_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `state.json`."""
    definitions = msgspec.json.schema(State)["$defs"]
    definitions["State"]["properties"]["checksum"] = _CHECKSUM
    definitions["State"]["required"].append("schedules")
    for title, definition in definitions.items():
        definition["description"] = definition["description"].split("\n")[0]
        definition["properties"] = {
            name: _described(title, name, part) for name, part in definition["properties"].items()
        }
    root = definitions.pop("State")
    root["properties"]["schedules"]["propertyNames"] = {"pattern": _SCHEDULE_ID}
    definitions["Record"]["allOf"] = [
        {
            "if": {"properties": {"status": {"const": status}}},
            "then": {
                "properties": {needed: {"type": "object" if needed == "intent" else "string"}},
                "required": [needed],
            },
        }
        for status in reversed(STATUSES)
        if (needed := TRAITS[status].needs) is not None
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:wave-scheduler:state",
        **root,
        "title": "The recorded state of the scheduler",
        "$defs": definitions,
    }


def _described(title: str, name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    bare = {key: value for key, value in part.items() if key != "description"}
    return {**_form(title, name, bare), "description": part["description"]}


def _form(title: str, name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """The form of a field, narrower than its type where it is a time or a count."""
    if form := _FORMS.get(title, {}).get(name):
        return dict(form)
    if title == "Lease" and name == "until":
        return dict(_TIME)
    if name in _COUNTS:
        return {**_COUNT, **({"default": part["default"]} if "default" in part else {})}
    if title != "Idle" and (name in _TIMES or name.endswith("_at")):
        optional = "anyOf" in part
        return {"anyOf": [_TIME, {"type": "null"}]} if optional else dict(_TIME)
    if title == "Pause" and name in _TIMES_OR_NULL:
        return {"anyOf": [_TIME, {"type": "null"}]}
    return dict(part)
