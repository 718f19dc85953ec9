"""The JSON Schemas (draft 2020-12) of the files, for editors and other tools; written by this program.

What an editor shows comes with them: hovers (`markdownDescription`), completions (`examples`, `enum`,
`defaultSnippets`), messages (`patternErrorMessage`, `errorMessage`). The rules are those of `models`; where a
schema cannot express one, it allows more, never less.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import MinLen

from scheduler.desired.fields import ABSOLUTE_TIME, ID, ID_HINT, text_schema
from scheduler.desired.keys import ROOTS, DeclaredKey, Kind, keys_of
from scheduler.desired.markers import OneOf, Read
from scheduler.desired.specs import Spec
from scheduler.desired.transports import TRANSPORTS

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLES: Mapping[Kind, str] = {
    "wave": "A wave: a set of publications that belong together",
    "channel": "A channel: a place where videos are published",
    "scheduler": "The settings of the scheduler",
}


def schema_of(kind: Kind, channels: Mapping[str, str] | None = None) -> Schema:
    """The schema of a kind of file; with the ids of channels and a description of each, where given."""
    definitions: dict[str, Schema] = {}
    schema: Schema = {
        "$schema": _DIALECT,
        "$id": f"urn:wave-scheduler:{kind}",
        **_mapping(ROOTS[kind], definitions),
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
    if '"#/$defs/channel-id"' not in json.dumps(schema):
        del schema["$defs"]["channel-id"]
    return schema


def _mapping(spec: type[Spec], definitions: dict[str, Schema]) -> Schema:
    """The schema of a mapping, in the order of its keys, which is the order of editors' completions."""
    keys = keys_of(spec)
    schema: Schema = {"type": "object", "properties": {key.name: _property(key, definitions) for key in keys}}
    if required := [key.name for key in keys if key.is_required]:
        schema["required"] = required
    about = inspect.cleandoc(spec.__doc__ or "").split("\n")[0]
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _name(spec)).capitalize()
    return schema | {"title": title, **_described(about), "additionalProperties": False}


def _name(spec: type[Spec]) -> str:
    """The name of a mapping among the definitions of a schema."""
    return spec.__name__.removesuffix("Spec")


def _property(declared: DeclaredKey, definitions: dict[str, Schema]) -> Schema:
    """The schema of a key: its title (else hovers show that of its parent), its form, what editors show."""
    key = declared.key
    form = _form(declared.kind, definitions)
    if not (declared.is_required or key.instead_of_null):
        form = _or_null(form)
    schema = {"title": declared.name.replace("_", " ").capitalize(), **form}
    if key.shown is not None:
        schema["default"] = key.shown
    elif isinstance(declared.default, bool | int | str):
        schema["default"] = declared.default
    schema |= _described(key.hover)
    if key.examples:
        schema["examples"] = list(key.examples)
    if key.meanings:
        schema["markdownEnumDescriptions"] = [*key.meanings, "The default."][: len(form["enum"])]
    return schema


def _or_null(form: Schema) -> Schema:
    """A form, or null. `if` rather than `type` where it is possible: editors would offer `null`."""
    if "if" in form:
        return form | {"if": {"type": [form["if"]["type"], "null"]}}
    if form.get("type") != "boolean" and "enum" not in form:
        return {"if": _NULL, "else": form}
    return (
        form | {"type": [form["type"], "null"]} | ({"enum": [*form["enum"], None]} if "enum" in form else {})
    )


def _described(words: str) -> Schema:
    return {"description": words.replace("`", ""), "markdownDescription": words}


def _form(kind: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of a type, without None: `_or_null` adds it to keys."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        for marker in reversed(kind.__metadata__):
            if isinstance(marker, Read):
                return copy.deepcopy(dict(marker.schema))
            if isinstance(marker, OneOf):
                return {"oneOf": [_form(choice, definitions) for choice in marker.forms.values()]}
        form = _form(parts[0], definitions)
        for marker in kind.__metadata__:
            if isinstance(marker, MinLen):
                form["minItems"] = marker.min_length
        return form
    if origin is Literal:
        return {"enum": list(parts), "type": "string"}
    if origin is tuple:
        return {"type": "array", "items": _form(parts[0], definitions)}
    if origin is UnionType or origin is Union:
        return _form(next(part for part in parts if part is not NoneType), definitions)
    if _name(kind) not in definitions:
        definitions[_name(kind)] = {}  # keeps the place: before the mappings inside it
        definitions[_name(kind)] = _mapping(kind, definitions)
    return {"$ref": f"#/$defs/{_name(kind)}"}


def _channel_ids(channels: Mapping[str, str] | None) -> Schema:
    """The schema of the id of a channel: any, or one of those that exist."""
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
    """What an editor's YAML reader makes of an id without quotes; floats are left out."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else text


# --- rules about several keys -----------------------------------------------------------------------


def _is(key: str, value: object) -> Schema:
    return {"properties": {key: {"const": value}}, "required": [key]}


def _rule(condition: Schema, then: Schema, otherwise: Schema | None = None) -> Schema:
    return {"if": condition, "then": then} | ({"else": otherwise} if otherwise else {})


_NULL: Schema = {"type": "null"}


def _has(key: str) -> Schema:
    return {"required": [key], "properties": {key: {"not": _NULL}}}


def _without(hint: str) -> Schema:
    return _NULL | {"errorMessage": hint}


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
            _is("type", "simultaneous"),
            {
                "properties": {
                    "delay": _without("`delay` needs a staggered entry."),
                    "after_success": {"enum": [False, None]},
                }
            },
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
    "Member": [{"not": {"allOf": [_has("at"), _has("shift")]}}],
    "Freeze": [_absolute("from", "until")],
    "channel": [
        _rule(
            {
                "properties": {"transport": {"enum": [n for n, t in TRANSPORTS.items() if t.names_workflow]}},
                "required": ["transport"],
            },
            {"required": ["repository", "workflow"]},
            {"properties": {"workflow": _without("`workflow` needs `transport: workflow_dispatch`.")}},
        ),
        _rule(
            {
                "properties": {
                    "transport": {"enum": [n for n, t in TRANSPORTS.items() if not t.can_retract]}
                },
                "required": ["transport"],
            },
            {"properties": {"retract": _without("`retract` needs `transport: repository_dispatch`.")}},
            _rule(
                {"not": _has("repository")},
                {"properties": {"retract": _without("`retract` needs a `repository`.")}},
            ),
        ),
        _rule(
            _has("repository"),
            {
                "properties": dict.fromkeys(
                    ("queue", "command"), _without("A channel has a `repository`, or `queue` and `command`.")
                )
            },
            {"anyOf": [_has("queue"), _has("command")]},
        ),
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
