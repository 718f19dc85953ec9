"""Whether a channel's workflow listens, and whether it carries and claims the key. Pure.

What GitHub starts is decided by the file on the default branch: `on:` names the event (and `types:` the
event types), and `run-name:` is the only thing about a run that the payload can reach. A claim can only be
guessed from the words: who makes a ref named after the key has a lock that GitHub gives to one run alone.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from scheduler.desired import yaml_reader
from scheduler.state.record import Intent

_KEY_IN_PAYLOAD = re.compile(
    r"client_payload\s*(\.\s*key\b|\[\s*['\"]key['\"]\s*\])|tojson\([^)]*client_payload\s*\)", re.IGNORECASE
)
_CLAIM = re.compile(r"\bwave-claims/|\bgit/refs\b")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_KEY_IN_INPUT = re.compile(r"inputs\s*(\.\s*payload\b|\[\s*['\"]payload['\"]\s*\])", re.IGNORECASE)


class Listening(msgspec.Struct, frozen=True):
    """What one workflow file says. None: it cannot be told. `problem` where it nearly listens.

    `claims`: a claim of the key is in sight. It may be made out of sight too, by an action or a script.
    """

    listens: bool | None
    carries_key: bool | None
    problem: str | None = None
    claims: bool = False


def read_workflow(file: str, raw: bytes, intent: Intent) -> Listening:
    """Whether the workflow of these bytes would take what the intent describes.

    The scheduler's own YAML is stricter than GitHub's (no anchors, no tags): where it refuses the file,
    the words in the text have to do.
    """
    said = _read(file, raw, intent)
    claims = _CLAIM.search(_COMMENT.sub("", raw.decode("utf-8", "replace"))) is not None
    return msgspec.structs.replace(said, claims=claims) if said.listens is not False else said


def _read(file: str, raw: bytes, intent: Intent) -> Listening:
    document = yaml_reader.read(file, raw)
    if not isinstance(document.data, dict):
        return _by_words(raw.decode("utf-8", "replace"), intent)
    name = document.data.get("run-name")
    carries = _key_pattern(intent).search(name) is not None if isinstance(name, str) else False
    event, settings = _settings(document.data.get("on"), intent.transport)
    if not event:
        return Listening(False, carries)
    if intent.transport == "workflow_dispatch":
        inputs = settings.get("inputs")
        if not isinstance(inputs, dict) or "payload" not in inputs:
            return Listening(False, carries, f"{file} has no workflow_dispatch input named payload")
        return Listening(True, carries)
    types = settings.get("types")
    if isinstance(types, str) and types:
        types = [types]
    if isinstance(types, list) and intent.event_type not in types:
        listed = ", ".join(str(one) for one in types[:5])
        return Listening(False, carries, f"{file} listens to {listed}, not to {intent.event_type}")
    return Listening(True, carries)


def _settings(on: Any, event: str) -> tuple[bool, dict[str, Any]]:
    """Whether `on:` names the event, and the settings below it. It may be a word, a list or a mapping."""
    if isinstance(on, dict):
        below = on.get(event)
        return event in on, below if isinstance(below, dict) else {}
    if isinstance(on, list):
        return event in on, {}
    return on == event, {}


def _by_words(text: str, intent: Intent) -> Listening:
    names = re.findall(r"^run-name:(.*)$", text, re.MULTILINE)
    carries = any(_key_pattern(intent).search(name) for name in names)
    code = _COMMENT.sub("", text)
    if not re.search(rf"\b{intent.transport}\b", code):
        return Listening(False, carries)
    if intent.transport == "repository_dispatch" and (intent.event_type or "") not in code:
        return Listening(None if "types" in code else True, carries)
    return Listening(True, carries)


def _key_pattern(intent: Intent) -> re.Pattern[str]:
    return _KEY_IN_INPUT if intent.transport == "workflow_dispatch" else _KEY_IN_PAYLOAD
