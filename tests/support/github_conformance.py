"""Holds requests, and the stand-ins' answers, against GitHub's own description of its REST API.

Stricter than GitHub's text in one thing: a field or parameter that it does not name is a problem, so that
neither a misspelt nor an invented one passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from github_description import DEFINITIONS, DESCRIPTION
from jsonschema import Draft202012Validator, FormatChecker

REFUSALS = {301, 401, 403, 404}
"""What any operation may answer, though GitHub describes it for few; 301 where a repository moved."""
REFUSED_BODIES = {400, 422}
"""The same, for operations that take a body."""
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(text: Any) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def _is_uri(text: Any) -> bool:
    return not isinstance(text, str) or urlsplit(text).scheme in ("https", "http")


def problems_of_request(method: str, path: str, query: Mapping[str, str], body: bytes) -> list[str]:
    """What GitHub's description does not know of a request; `path` as it was sent, without a base path."""
    name, told, values = _operation(method, path)
    if told is None:
        return [name]
    found = [f"the query lacks {key}" for key in told["required"] if key not in query]
    for key, text in query.items():
        found += _of_text(told["query"][key], text) if key in told["query"] else [f"no query parameter {key}"]
    for key, text in values.items():
        found += _of_text(told["path"][key], text)
    if "body" in told:
        found += _of(told["body"], json.loads(body)) if body else ["the body is missing"]
    elif body:
        found.append("a body where there is none")
    return [f"{name}: {problem}" for problem in found]


def problems_of_answer(method: str, path: str, status: int, body: bytes) -> list[str]:
    """What GitHub would not have answered to that request."""
    name, told, _ = _operation(method, path)
    if told is None:  # nobody is there: a 404 alone can be the answer
        return [] if status == 404 else [name]
    if str(status) in told["answers"]:
        schema = told["answers"][str(status)]
    elif status in REFUSALS or (status in REFUSED_BODIES and "body" in told):
        schema = DESCRIPTION["refusal"]
    else:
        return [f"{name}: never answers {status}"]
    if schema is None:
        return [f"{name}: {status} has no body"] if body else []
    return [f"{name}: {status}: {problem}" for problem in _of(schema, json.loads(body))]


def _operation(method: str, path: str) -> tuple[str, dict[str, Any] | None, dict[str, str]]:
    """The operation's name, what is told of it, and the values in the path."""
    fitting = [(name, match) for name, pattern in _patterns(method) if (match := pattern.fullmatch(path))]
    if not fitting:
        return f"{method} {path} is no operation of GitHub's", None, {}
    name, match = fitting[0]
    values = {key: unquote(text) for key, text in match.groupdict().items()}
    return name, DESCRIPTION["operations"][name], values


@cache
def _patterns(method: str) -> list[tuple[str, re.Pattern[str]]]:
    """Paths without parameters first: `issues/comments/1` is no issue `comments`."""
    found = []
    for name in sorted(DESCRIPTION["operations"], key=lambda one: one.count("{")):
        if name.startswith(f"{method} "):
            template = re.escape(name.removeprefix(f"{method} ")).replace(r"\{", "{").replace(r"\}", "}")
            template = re.sub(r"\{(path|ref)\}", r"(?P<\1>.+)", template)  # those with slashes in them
            found.append((name, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))))
    return found


def _of_text(schema: Any, text: str) -> list[str]:
    """A parameter is text; where a number or a truth value is wanted, it has to read as one."""
    readings: list[Any] = [text]
    if re.fullmatch(r"-?\d+", text):
        readings.append(int(text))
    if text in ("true", "false"):
        readings.append(text == "true")
    problems = [_of(schema, one) for one in readings]
    return [] if [] in problems else problems[0]


def _of(schema: Any, data: Any) -> list[str]:
    validator = Draft202012Validator({**schema, "$defs": DEFINITIONS}, format_checker=FORMATS)
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(data)]
