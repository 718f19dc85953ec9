"""The JSON Schemas (draft 2020-12) of the files, for editors and other tools; written by this program.

What an editor shows comes with them: hovers (`markdownDescription`), completions (`examples`, `enum`,
`defaultSnippets`), messages (`patternErrorMessage`, `errorMessage`). The rules are pydantic's; where a schema
can't say one, it allows more, never less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from scheduler.desired.fields import ABSOLUTE_TIME, CHANNEL_ID_MARK, text_schema
from scheduler.desired.model_errors import ROOTS
from scheduler.desired.specs import ID, ID_HINT

Kind = Literal["wave", "channel", "scheduler"]
Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLES: Mapping[Kind, str] = {
    "wave": "A wave: a set of publications that belong together",
    "channel": "A channel: a place where videos are published",
    "scheduler": "The settings of the scheduler",
}


def schema_of(kind: Kind, channels: Mapping[str, str] | None = None) -> Schema:
    """The schema of a kind of file; with the ids of channels and a description of each, where given."""
    made = ROOTS[kind].model_json_schema(schema_generator=_ForEditors)
    definitions: Schema = {name.removesuffix("File"): part for name, part in made.pop("$defs", {}).items()}
    schema: Schema = {
        "$schema": _DIALECT,
        "$id": f"urn:wave-scheduler:{kind}",
        **made,
        "title": _TITLES[kind],
        "defaultSnippets": _SNIPPETS[kind],
        "$defs": {**definitions, "channel-id": _channel_ids(channels)},
    }
    for name, rules in _RULES.items():
        if name == kind:
            schema["allOf"] = rules
        elif name in definitions:
            definitions[name]["allOf"] = rules
    if "Entry" in definitions:
        definitions["Entry"]["defaultSnippets"] = [
            {**snippet, "body": snippet["body"]["schedules"][0]} for snippet in _SNIPPETS["wave"]
        ]
    finished: Schema = _finish(schema)
    if '"#/$defs/channel-id"' not in json.dumps(finished):
        del finished["$defs"]["channel-id"]
    return finished


class _ForEditors(GenerateJsonSchema):
    """pydantic's schemas of what a file may say: a key is there with a value, or is left out."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        return value  # in the order of the models, which is the order of editors' completions

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if isinstance(
            default, bool | int | str
        ):  # others are shown as an editor would write them (`files.key`)
            return {**inner, "default": default}
        return inner


def _channel_ids(channels: Mapping[str, str] | None) -> Schema:
    """What stands for the id of a channel: any, or one of those that are there."""
    if not channels:
        return text_schema(pattern=ID, hint=ID_HINT)
    ids: list[Any] = []
    words: list[str] = []
    for name, description in channels.items():
        for reading in dict.fromkeys((name, _as_editors_read(name))):
            ids.append(reading)
            words.append(description)
    return {"enum": ids, "markdownEnumDescriptions": words}


def _as_editors_read(text: str) -> str | int | bool:
    """What an editor's YAML reader makes of an id without quotes (a float can't be told by its text)."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else text


def _finish(part: Any) -> Any:
    """The schema with our names of definitions, and what only editors read."""
    if isinstance(part, list):
        return [_finish(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.items() >= CHANNEL_ID_MARK.items():
        part = {"$ref": "#/$defs/channel-id", **{k: v for k, v in part.items() if k not in CHANNEL_ID_MARK}}
    done: Schema = {}
    for name, value in part.items():
        if name == "$ref":
            done[name] = value.removesuffix("File")
        elif name == "properties":
            done[name] = {key: _titled(key, _finish(inner)) for key, inner in value.items()}
        elif name == "examples" and not value:
            continue
        elif name in ("examples", "default", "enum", "const", "defaultSnippets"):
            done[name] = value
        elif name == "description" and isinstance(value, str):
            done["description"] = value.replace("`", "")
            done["markdownDescription"] = value
        elif name == "title" and isinstance(value, str):
            done[name] = value.removesuffix("File")
        else:
            done[name] = _finish(value)
    return done


def _titled(key: str, schema: Any) -> Any:
    """A property with the title under which hovers show it (else they show its parent's)."""
    if not isinstance(schema, dict) or "description" not in schema:
        return schema
    rest = {name: part for name, part in schema.items() if name != "title"}
    return {"title": key.replace("_", " ").capitalize(), **rest}


# --- rules about several keys -----------------------------------------------------------------------


def _is(key: str, value: object) -> Schema:
    return {"properties": {key: {"const": value}}, "required": [key]}


def _rule(condition: Schema, then: Schema, otherwise: Schema | None = None) -> Schema:
    return {"if": condition, "then": then} | ({"else": otherwise} if otherwise else {})


def _has(key: str) -> Schema:
    return {"required": [key]}


_OFFSET_NEEDED = {
    "type": "string",
    "pattern": ABSOLUTE_TIME,
    "patternErrorMessage": "A local time needs a timezone beside it; or write an offset, as in 18:00:00Z.",
}


def _absolute(*keys: str) -> Schema:
    """Without a zone of its own, a mapping's times have offsets."""
    return _rule({"not": _has("timezone")}, {"properties": dict.fromkeys(keys, _OFFSET_NEEDED)})


_RULES: Mapping[str, list[Schema]] = {
    "Entry": [
        _rule(
            _is("type", "simultaneous"), {"properties": {"delay": False, "after_success": {"const": False}}}
        ),
        _rule(
            {"allOf": [_is("type", "staggered"), {"not": _is("after_success", True)}]},
            {"required": ["delay"]},
        ),
        _rule(_is("type", "staggered"), {"properties": {"timezone": {"not": {"const": "channel"}}}}),
        _rule(_is("timezone", "channel"), {"properties": {"at": {"not": {"pattern": ABSOLUTE_TIME}}}}),
        _rule(
            {
                "properties": {"video": {"type": "string", "not": {"pattern": f"^{ID}$"}}},
                "required": ["video"],
            },
            {"required": ["group"]},
        ),
        _absolute("at"),
    ],
    "Member": [{"not": {"required": ["at", "shift"]}}],
    "Freeze": [_absolute("from", "until")],
    "channel": [
        _rule(
            _is("transport", "workflow_dispatch"),
            {"required": ["repository", "workflow"]},
            {"properties": {"workflow": False}},
        ),
        _rule(_has("repository"), {"properties": {"queue": False, "command": False}}),
        _rule(
            {"not": _has("timezone")},
            {
                "properties": {
                    "lineup": {"items": _absolute("not_before")},
                    "schedules": {"items": _absolute("at")},
                }
            },
        ),
    ],
}

# --- what an editor offers for an empty file --------------------------------------------------------


def _wave_snippet(label: str, words: str, title: str, entry: Schema) -> Schema:
    return {"label": label, "description": words, "body": {"title": f"${{1:{title}}}", "schedules": [entry]}}


_SNIPPETS: Mapping[Kind, list[Schema]] = {
    "wave": [
        _wave_snippet(
            "simultaneous wave",
            "One video on several channels at the same time",
            "Spring launch",
            {
                "type": "simultaneous",
                "video": "${2:premiere-4k}",
                "at": "${3:2030-03-01T18:00:00Z}",
                "channels": ["${4:alpha}", "${5:beta}"],
            },
        ),
        _wave_snippet(
            "staggered wave",
            "One video on several channels, one after the other",
            "Spring tour",
            {
                "type": "staggered",
                "video": "${2:premiere-4k}",
                "at": "${3:2030-03-01T18:00:00Z}",
                "delay": "${4:1h}",
                "channels": ["${5:alpha}", "${6:beta}"],
            },
        ),
        _wave_snippet(
            "local-time wave",
            "One video at the same wall-clock time in each channel's own zone",
            "Spring evening",
            {
                "type": "simultaneous",
                "video": "${2:trailer}",
                "at": "${3:2030-03-01T18:00}",
                "timezone": "channel",
                "channels": {"tags": ["${4:gaming}"]},
            },
        ),
    ],
    "channel": [
        {
            "label": "channel with a repository",
            "description": "A workflow in a GitHub repository publishes",
            "body": {
                "name": "${1:Tech Daily}",
                "repository": "${2:acme/tech-daily}",
                "token": "${3:ACME_TOKEN}",
                "timezone": "${4:Europe/Berlin}",
            },
        },
        {
            "label": "channel with a queue",
            "description": "A worker publishes",
            "body": {
                "name": "${1:Tech Daily}",
                "queue": "${2:publications}",
                "command": "${3:./publish.sh}",
                "timezone": "${4:Europe/Berlin}",
            },
        },
    ],
    "scheduler": [
        {
            "label": "settings",
            "description": "The settings that most repositories want to choose",
            "body": {"catch_up": "${1:1h}", "allow": ["${2:acme/*}"], "state": "${3:branch:scheduler-state}"},
        }
    ],
}
