"""The two events by which GitHub starts a workflow from outside, and all their differences. Pure."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from scheduler.state.record import Intent


class DispatchEvent(ABC):
    """The event that carries one intent. `name` is the word in a workflow's `on:`, and the transport."""

    name: str
    right: str
    """What the token needs on the repository, as GitHub's settings page words it."""
    needs_push: bool
    """Whether a token that may not push may not dispatch either."""
    run_name: str
    """The line of a workflow that makes its runs findable by key."""
    key_in_run_name: re.Pattern[str]

    def __init__(self, intent: Intent) -> None:
        self.intent = intent

    @property
    @abstractmethod
    def trigger(self) -> str:
        """What a workflow has to listen to, for messages."""

    @abstractmethod
    def request(self, payload: Mapping[str, Any], branch: str | None, *, with_run: bool) -> tuple[str, bytes]:
        """The target below the repository, and the body. `with_run`: ask for the run's id.

        Raises ValueError where the intent cannot be sent.
        """

    def carries_key(self, run_name: str) -> bool:
        """Whether the runs of a workflow with this `run-name` can be found by the word of the intent."""
        is_marked = not self.intent.retracts or "retract" in run_name
        return is_marked and self.key_in_run_name.search(run_name) is not None

    @property
    def run_name_to_add(self) -> str:
        """The line of a workflow that makes its runs findable."""
        mark = "${{ github.event.client_payload.retract && 'retract' || '' }}"
        return self.run_name + (mark if self.intent.retracts else "")

    @abstractmethod
    def mismatch(self, file: str, settings: Mapping[str, Any]) -> str | None:
        """Why a workflow with these settings below the event would not take the intent."""

    @abstractmethod
    def is_mentioned(self, code: str) -> bool | None:
        """Whether a workflow that could not be parsed seems to listen; None where that is unclear."""


class RepositoryDispatch(DispatchEvent):
    """Starts every workflow of the default branch that listens to the event type."""

    name = "repository_dispatch"
    right = "Contents: write"
    needs_push = True
    run_name = "run-name: publish ${{ github.event.client_payload.key }}"
    key_in_run_name = re.compile(
        r"client_payload\s*+(\.\s*+key\b|\[\s*+['\"]key['\"]\s*+\])"
        r"|tojson\((?:(?!client_payload|tojson)[^)])*+client_payload\s*+\)",
        re.IGNORECASE,
    )

    @property
    def trigger(self) -> str:
        return str(self.intent.event_type)

    def request(self, payload: Mapping[str, Any], *_: object, **__: object) -> tuple[str, bytes]:
        body = {"event_type": self.intent.event_type, "client_payload": dict(payload)}
        return "/dispatches", compact_json(body)

    def mismatch(self, file: str, settings: Mapping[str, Any]) -> str | None:
        types = settings.get("types")
        if isinstance(types, str) and types:
            types = [types]
        if not isinstance(types, list) or self.intent.event_type in types:
            return None
        listed = ", ".join(str(one) for one in types[:5])
        return f"{file} listens to {listed}, not to {self.intent.event_type}"

    def is_mentioned(self, code: str) -> bool | None:
        if self.name not in re.findall(r"\w+", code):
            return False
        if (self.intent.event_type or "") in code:
            return True
        return None if "types" in code else True


class WorkflowDispatch(DispatchEvent):
    """Starts one workflow by its file name."""

    name = "workflow_dispatch"
    right = "Actions: write"
    needs_push = False
    run_name = "run-name: publish ${{ fromJSON(inputs.payload).key }}"
    key_in_run_name = re.compile(r"inputs\s*+(\.\s*+payload\b|\[\s*+['\"]payload['\"]\s*+\])", re.IGNORECASE)

    @property
    def trigger(self) -> str:
        return self.name

    def request(self, payload: Mapping[str, Any], branch: str | None, *, with_run: bool) -> tuple[str, bytes]:
        workflow = self.intent.workflow
        if not workflow or branch is None:
            raise ValueError("the workflow to start, or its branch, is missing")
        body: dict[str, Any] = {"ref": branch, "inputs": {"payload": compact_json(dict(payload)).decode()}}
        if with_run:
            body["return_run_details"] = True
        return f"/actions/workflows/{quote(workflow, safe='')}/dispatches", compact_json(body)

    def mismatch(self, file: str, settings: Mapping[str, Any]) -> str | None:
        inputs = settings.get("inputs")
        if isinstance(inputs, dict) and "payload" in inputs:
            return None
        return f"{file} has no workflow_dispatch input named payload"

    def is_mentioned(self, code: str) -> bool | None:
        return self.name in re.findall(r"\w+", code)


_EVENTS: Mapping[str, type[DispatchEvent]] = {
    event.name: event for event in (RepositoryDispatch, WorkflowDispatch)
}


def event_of(intent: Intent) -> DispatchEvent:
    """The event that carries an intent. Raises KeyError for one that does not go to GitHub."""
    return _EVENTS[intent.transport](intent)


def compact_json(data: Any) -> bytes:
    """JSON without spaces. Raises ValueError for NaN, TypeError for what JSON does not have."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
