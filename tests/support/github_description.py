"""GitHub's own description of its REST API, as far as we talk to it, and answers made whole by it.

`openapi/github.json` is cut from GitHub's OpenAPI description. The stand-ins say for themselves what decides
something; `complete` adds the rest that GitHub never leaves out. What they say themselves is held against the
description all the same (`github_conformance`).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Told = TypeVar("Told", bound=dict[str, Any] | list[dict[str, Any]])

DESCRIPTION: dict[str, Any] = json.loads(
    Path(__file__).with_name("openapi").joinpath("github.json").read_text(encoding="utf-8")
)
DEFINITIONS: dict[str, Any] = DESCRIPTION["$defs"]


def complete(definition: str, told: Told) -> Told:
    """What a stand-in tells (an object, or a list of them), with all that GitHub's definition requires."""
    made: Told = _completed({"$ref": f"#/$defs/{definition}"}, told)
    return made


def _completed(schema: Any, told: Any) -> Any:
    if schema is True:  # an optional part, of which the description was cut
        return told
    if isinstance(told, list):
        return [_completed(_at(schema).get("items", True), one) for one in told]
    if not isinstance(told, dict):
        return told
    known = _at(schema).get("properties", {})
    return _required(json.dumps(schema)) | {
        key: _completed(known.get(key, True), one) for key, one in told.items()
    }


@cache
def _required(schema: str) -> dict[str, Any]:
    """The least of each property that an object of that schema (as JSON, to be remembered) has to have."""
    told = _at(json.loads(schema))
    return {key: _least(told["properties"][key]) for key in told.get("required", ())}


def _at(schema: Any) -> Any:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = DEFINITIONS[schema["$ref"].rpartition("/")[2]]
    return schema


def _least(schema: Any) -> Any:
    """The least that is allowed: null where it may be, else empty, false or zero."""
    schema = _at(schema)
    if schema is True:
        return None
    either = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if "null" in schema.get("type", ()) or {"type": "null"} in either:
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if either:
        return _least(either[0])
    if "allOf" in schema:
        return {key: value for one in schema["allOf"] for key, value in _least(one).items()}
    if schema["type"] == "object":
        return _required(json.dumps(schema))
    if schema["type"] == "string":
        texts = {"uri": "https://api.github.com/", "date-time": "2026-01-01T00:00:00Z"}
        return texts.get(schema.get("format", ""), "x" * schema.get("minLength", 0))
    return {"array": [], "boolean": False, "integer": 0, "number": 0}[schema["type"]]
