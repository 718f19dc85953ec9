"""The pages about the files that people write: every key of a wave, a channel and scheduler.yaml.

All of it comes from the JSON Schemas that editors use, which come from the models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from scheduler.app.schemas import schema_files

MADE = "<!-- Made by docs/build from the code: edit the code, then run `make docs`. -->"


def wave() -> str:
    """docs/reference/wave.md"""
    return _page(
        "wave", "Waves", "`waves/<id>.yaml`, in any folder below `waves/`. The name of the file is the id."
    )


def channel() -> str:
    """docs/reference/channel.md"""
    return _page(
        "channel",
        "Channels",
        "`channels/<id>.yaml`, in any folder below `channels/`. The name of the file is the id.",
    )


def settings() -> str:
    """docs/reference/settings.md"""
    return _page(
        "scheduler", "Settings", "`scheduler.yaml`, beside `waves/` and `channels/`. The file is optional."
    )


class _Plain(yaml.SafeDumper):
    """Texts as an editor types them: the reader keeps every scalar as text, so none needs quotes."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own form


_Plain.add_representer(bool, lambda dumper, value: dumper.represent_str(str(value).lower()))
_Plain.add_representer(int, lambda dumper, value: dumper.represent_str(str(value)))


def _page(kind: str, title: str, where: str) -> str:
    schema = json.loads(schema_files()[f"{kind}.schema.json"])
    parts = [f"# {title}", MADE, f"{schema['markdownDescription']} {where}", _index(schema, "")]
    parts += _keys(schema, "")
    for name, heading in _mappings(schema).items():
        part = schema["$defs"][name]
        parts += [f"## {heading}", part["markdownDescription"], _index(part, f"{name}-")]
        parts += _keys(part, f"{name}-")
    return "\n\n".join(parts) + "\n"


def _mappings(schema: dict[str, Any]) -> dict[str, str]:
    """The mappings inside a file, each with its heading, in the order in which keys first lead to them."""
    found: dict[str, str] = {}
    waiting = [schema]
    while waiting:
        for key, value in waiting.pop(0)["properties"].items():
            for name, listed in _references(value):
                if name not in found and "properties" in schema["$defs"][name]:
                    found[name] = f"An entry of `{key}`" if listed else f"`{key}` as a mapping"
                    waiting.append(schema["$defs"][name])
    return found


def _references(schema: dict[str, Any], listed: bool = False) -> Iterator[tuple[str, bool]]:
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2], listed
    for one in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _references(one, listed)
    if isinstance(schema.get("items"), dict):
        yield from _references(schema["items"], True)


def _index(schema: dict[str, Any], prefix: str) -> str:
    required = schema.get("required", ())
    lines = ["| key | type | default |", "|---|---|---|"]
    for key, value in schema["properties"].items():
        default = "required" if key in required else _default(value)
        lines.append(f"| [`{key}`](#{_anchor(prefix + key)}) | {_type(value)} | {default} |")
    return "\n".join(lines)


def _keys(schema: dict[str, Any], prefix: str) -> list[str]:
    parts = []
    for key, value in schema["properties"].items():
        parts.append(f'### <a id="{_anchor(prefix + key)}"></a>`{key}`')
        parts.append(value["markdownDescription"])
        facts = [f"- Type: {_type(value)}. {_form(value)}".rstrip()]
        if key in schema.get("required", ()):
            facts.append("- Required.")
        elif "default" in value:
            facts.append(f"- Default: {_default(value)}")
        for choice, meaning in zip(
            value.get("enum", ()), value.get("markdownEnumDescriptions", ()), strict=False
        ):
            facts.append(f"- `{choice}`: {meaning}")
        parts.append("\n".join(facts))
        parts += [f"```yaml\n{_yaml(key, example)}```" for example in value.get("examples", ())]
    return parts


def _anchor(key: str) -> str:
    return f"key-{key.lower()}"


def _yaml(key: str, example: Any) -> str:
    style = (
        None if isinstance(example, dict | list) else False
    )  # None: what has no mapping inside, on one line
    return yaml.dump({key: example}, Dumper=_Plain, default_flow_style=style, sort_keys=False, width=100)


def _default(schema: dict[str, Any]) -> str:
    if "default" not in schema:
        return ""
    value = schema["default"]
    if value is None:
        return "none"
    if isinstance(value, dict):
        return "`" + ", ".join(f"{key}: {_scalar(one)}" for key, one in value.items()) + "`"
    return f"`{_scalar(value)}`"


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "id of a channel" if name == "channel-id" else "mapping"
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[key])))
    if "else" in schema:
        return _type(schema["else"])
    kind = schema.get("type")
    if kind == "array":
        return f"list ({_type(schema['items'])})"
    if kind == "boolean":
        return "`true` or `false`"
    if kind == "object":
        return "mapping"
    if kind in ("integer", "number"):
        return "number"
    if kind == "null":
        return "`null`"
    return "text"


def _form(schema: dict[str, Any]) -> str:
    """What the editor shows where a value has the wrong form."""
    inner = schema.get("else", schema)
    found = schema.get("errorMessage") or inner.get("errorMessage") or inner.get("patternErrorMessage") or ""
    length = ""
    if "maxLength" in inner:
        length = f"At most {inner['maxLength']} characters."
    bounds = [f"at least {inner['minimum']}"] if "minimum" in inner else []
    bounds += [f"at most {inner['maximum']}"] if "maximum" in inner else []
    said = f"{', '.join(bounds).capitalize()}." if bounds else ""
    return " ".join(filter(None, (length, said, found)))
