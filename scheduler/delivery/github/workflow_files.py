"""Whether a channel's workflow listens, and whether it carries and claims the key. Pure.

The file on the default branch decides what GitHub starts: `on:` names the event (and `types:` the event
types), and `run-name:` is the only field of a run that the payload can reach. A claim can only be guessed
from the text: a run that creates a ref named after the key holds a lock that GitHub grants only once.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from scheduler.delivery.github.dispatch_events import event_of
from scheduler.desired import yaml_reader
from scheduler.state.record import Intent

LARGEST_FILE = 256 * 1024
"""Bytes of a workflow that are read: nobody else waits while a text is parsed or searched."""
_CLAIM = re.compile(r"\bwave-claims/|\bgit/refs\b")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


class WorkflowFile(msgspec.Struct, frozen=True):
    """What one workflow file declares; None where it cannot be decided. `problem` where it nearly listens.

    `claims`: the file itself claims the key. An action or a script that it runs may claim it too.
    """

    listens: bool | None
    carries_key: bool | None
    problem: str | None = None
    claims: bool = False


def read_workflow(file: str, raw: bytes, intent: Intent) -> WorkflowFile:
    """Whether the workflow of these bytes would take what the intent describes.

    Our YAML reader is stricter than GitHub's (no anchors, no tags), so a file that it rejects is searched
    as text. A file that is larger than `LARGEST_FILE` is not examined.
    """
    if len(raw) > LARGEST_FILE:
        return WorkflowFile(None, None)
    text = raw.decode("utf-8", "replace")
    document = yaml_reader.read(file, raw)
    found = (
        _of_data(file, document.data, intent) if isinstance(document.data, dict) else _of_text(text, intent)
    )
    if found.listens is False:
        return found
    return msgspec.structs.replace(found, claims=_CLAIM.search(_COMMENT.sub("", text)) is not None)


def _of_data(file: str, data: dict[str, Any], intent: Intent) -> WorkflowFile:
    event = event_of(intent)
    run_name = data.get("run-name")
    carries = isinstance(run_name, str) and event.carries_key(run_name)
    listens, settings = _settings(data.get("on"), event.name)
    mismatch = event.mismatch(file, settings) if listens else None
    return WorkflowFile(listens and mismatch is None, carries, mismatch)


def _settings(on: Any, event: str) -> tuple[bool, dict[str, Any]]:
    """Whether `on:` names the event, and the settings below it. It may be a string, a list or a mapping."""
    if isinstance(on, dict):
        below = on.get(event)
        return event in on, below if isinstance(below, dict) else {}
    if isinstance(on, list):
        return event in on, {}
    return on == event, {}


def _of_text(text: str, intent: Intent) -> WorkflowFile:
    event = event_of(intent)
    names = re.findall(r"^run-name:(.*)$", text, re.MULTILINE)
    carries = any(map(event.carries_key, names))
    return WorkflowFile(event.is_mentioned(_COMMENT.sub("", text)), carries)
