"""Cuts GitHub's own OpenAPI description to the operations that the scheduler uses: `github.json` beside this.

    npm install --ignore-scripts @octokit/openapi@23.0.2      # in a folder of its own
    python tests/support/openapi/cut.py node_modules/@octokit/openapi

OpenAPI 3.0 is nearly JSON Schema; what differs is written as JSON Schema here, so that a validator can take
it as it is. Of the rest only what decides whether a request or an answer is right is kept. Two things are
stricter than GitHub's text: an object has no properties but those that are named (a misspelt one is found),
and an answer's optional part that is a definition of its own may be anything (else this would be the whole).
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDTH = 110
TARGET = Path(__file__).with_name("github.json")
REPO = "/repos/{owner}/{repo}"
OPERATIONS = [
    ("GET", "/rate_limit"),
    ("GET", REPO),
    ("POST", f"{REPO}/dispatches"),
    ("GET", f"{REPO}/contents/{{path}}"),
    ("GET", f"{REPO}/actions/runs"),
    ("GET", f"{REPO}/actions/runs/{{run_id}}"),
    ("GET", f"{REPO}/actions/workflows"),
    ("GET", f"{REPO}/actions/workflows/{{workflow_id}}"),
    ("POST", f"{REPO}/actions/workflows/{{workflow_id}}/dispatches"),
    ("GET", f"{REPO}/actions/workflows/{{workflow_id}}/runs"),
    ("PUT", f"{REPO}/actions/workflows/{{workflow_id}}/enable"),
    ("POST", f"{REPO}/actions/runs/{{run_id}}/cancel"),
    ("POST", f"{REPO}/git/tags"),
    ("GET", f"{REPO}/git/tags/{{tag_sha}}"),
    ("POST", f"{REPO}/git/refs"),
    ("GET", f"{REPO}/git/ref/{{ref}}"),
    ("PATCH", f"{REPO}/git/refs/{{ref}}"),
    ("GET", f"{REPO}/git/commits/{{commit_sha}}"),
    ("POST", f"{REPO}/git/commits"),
    ("POST", f"{REPO}/git/trees"),
    ("GET", f"{REPO}/collaborators/{{username}}/permission"),
    ("GET", f"{REPO}/commits"),
    ("GET", f"{REPO}/commits/{{commit_sha}}/pulls"),
    ("GET", f"{REPO}/pulls"),
    ("POST", f"{REPO}/pulls"),
    ("PATCH", f"{REPO}/pulls/{{pull_number}}"),
    ("GET", f"{REPO}/issues"),
    ("POST", f"{REPO}/issues"),
    ("PATCH", f"{REPO}/issues/{{issue_number}}"),
    ("GET", f"{REPO}/issues/{{issue_number}}/comments"),
    ("POST", f"{REPO}/issues/{{issue_number}}/comments"),
    ("PATCH", f"{REPO}/issues/comments/{{comment_id}}"),
]
KEPT = {
    "type", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "items", "minItems",
    "maxItems", "properties", "required", "additionalProperties", "maxProperties", "oneOf", "anyOf", "allOf",
}  # fmt: skip
DEFINITIONS = "#/$defs/"

Json = dict[str, Any]


class Cut:
    """The description, and the definitions that what was converted so far refers to."""

    def __init__(self, description: Json) -> None:
        self._description = description
        self.definitions: dict[str, Any] = {}

    def operation(self, method: str, path: str) -> Json:
        """What may be asked, and what may be answered."""
        item = self._description["paths"][path]
        told = item[method.lower()]
        parameters = [self._at(one) for one in (*item.get("parameters", ()), *told.get("parameters", ()))]
        cut: Json = {
            place: {one["name"]: self._parameter(one) for one in parameters if one["in"] == place}
            for place in ("path", "query")
        }
        cut["required"] = [one["name"] for one in parameters if one["in"] == "query" and one.get("required")]
        if "requestBody" in told:
            cut["body"] = self.schema(_content(self._at(told["requestBody"])), whole=True)
        answers = {status: self._at(answer) for status, answer in sorted(told["responses"].items())}
        cut["answers"] = {status: self.schema(_content(answer)) for status, answer in answers.items()}
        return cut

    def _parameter(self, parameter: Json) -> Any:
        schema = self.schema(parameter["schema"], whole=True)
        if parameter["name"] == "created":
            schema.pop("format")  # it is said to be a date-time, and its words ask for `>=2026-03-01...`
        return schema

    def _at(self, thing: Json) -> Json:
        """The thing, or what it refers to."""
        while "$ref" in thing:
            found: Any = self._description
            for step in thing["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            thing = found
        return thing

    def schema(self, schema: Json | None, *, whole: bool = False) -> Any:
        """JSON Schema for a schema of OpenAPI 3.0; None stays None. `whole`: leave nothing open."""
        if schema is None:
            return None
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in self.definitions:
                self.definitions[name] = None  # it may refer to itself
                self.definitions[name] = self.schema(self._at(schema), whole=whole)
            return {"$ref": DEFINITIONS + name}
        known = {name: value for name, value in schema.items() if name in KEPT}
        kept = {name: self._below(name, value, schema, whole) for name, value in known.items()}
        if "properties" in kept and not schema.get("x-part"):
            kept.setdefault("additionalProperties", False)
        return _nullable(kept) if schema.get("nullable") else kept

    def _below(self, name: str, value: Any, schema: Json, whole: bool) -> Any:
        if name == "properties":
            required = schema.get("required", ())
            return {
                key: self.schema(one, whole=whole) if whole or key in required or not _refers(one) else True
                for key, one in value.items()
            }
        if name == "allOf":  # parts of one object: none of them knows all of its properties
            return [self.schema({**self._at(one), "x-part": True}, whole=whole) for one in value]
        if name in ("oneOf", "anyOf"):
            part = {"x-part": True} if "properties" in schema or schema.get("x-part") else {}
            return [self.schema({**one, **part}, whole=whole) for one in value]
        if name == "items" or (name == "additionalProperties" and isinstance(value, dict)):
            return self.schema(value, whole=whole)
        return value


def _content(told: Json) -> Json | None:
    schema: Json | None = told.get("content", {}).get("application/json", {}).get("schema")
    return schema


def _refers(schema: Json) -> bool:
    """Whether a definition is needed to say this."""
    return '"$ref"' in json.dumps(schema)


def _nullable(schema: Json) -> Json:
    """OpenAPI 3.0 says `nullable`, JSON Schema says the type null."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    made = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema and None not in schema["enum"]:
        made["enum"] = [*schema["enum"], None]
    return made


def _lines(value: Any, indent: str = "", name: str = "") -> Iterator[str]:
    """Pretty JSON in which what fits on a line stands on one."""
    short = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(name) + len(short) <= WIDTH or not isinstance(value, dict | list) or not value:
        yield f"{indent}{name}{short}"
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield f"{indent}{name}{opening}"
    keys = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    entries = value.values() if isinstance(value, dict) else value
    for number, (key, one) in enumerate(zip(keys, entries, strict=True), 1):
        *lines, last = _lines(one, indent + " ", key)
        yield from lines
        yield last + ("," if number < len(value) else "")
    yield indent + closing


def _sentences(text: str) -> list[str]:
    return [line for paragraph in text.splitlines() for line in textwrap.wrap(paragraph, WIDTH - 8) or [""]]


def main(package: Path) -> None:
    """Write github.json from the unpacked npm package."""
    description = json.loads((package / "generated/api.github.com.json").read_text(encoding="utf-8"))
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    cut = Cut(description)
    operations = {f"{method} {path}": cut.operation(method, path) for method, path in OPERATIONS}
    refusal = cut.schema({"$ref": "#/components/schemas/basic-error"})
    made = {
        "source": f"npm {about['name']} {about['version']}, GitHub's OpenAPI description, cut by cut.py",
        "license": _sentences((package / "LICENSE").read_text(encoding="utf-8")),
        "operations": operations,
        "refusal": refusal,
        "$defs": dict(sorted(cut.definitions.items())),
    }
    TARGET.write_text("\n".join(_lines(made)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
