"""The JSON Schema of the recorded state, from the structs that read and write it.

msgspec knows the types; what they mean, and the forms of times and ids, is said here. The schema allows
all that `scheduler.state.decode` reads, and nothing that has another shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from scheduler.desired.fields import ID
from scheduler.state.record import VERSION, State
from scheduler.state.statuses import STATUSES, TRAITS

_TIME = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_SCHEDULE_ID = rf"^{ID}/(?:[^/]+/{ID}|[^/]+Z)$"
_CHECKSUM = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

_WORDS: Mapping[str, Mapping[str, str]] = {
    "State": {
        "version": "The version of this form.",
        "lineage": "The identity of this state; part of every key, so that two states never share one.",
        "serial": "Rises by one with each save that changes the content.",
        "schedules": "All that is recorded and not archived, by schedule id.",
        "declared": "What was declared when that last changed.",
        "idle": "What a tick compares to know that there is nothing to do.",
        "checksum": "SHA-256 over the rest of the text; leave it out (or as it is) after an edit by hand.",
    },
    "Record": {
        "schedule_type": "How it was declared.",
        "channel_id": "The channel.",
        "scheduled_at": "The publish time, in UTC.",
        "status": "Where it stands.",
        "wave_id": "The wave; null for a slot or a one-off.",
        "coordination_group_id": "`<wave>/<group>`; null for a slot or a one-off.",
        "video_id": "The video; null while none is assigned.",
        "is_paused": "Whether anything holds it back.",
        "attempts": "How many requests were made.",
        "reason": "Why it failed or was cancelled.",
        "error_message": "What went wrong, in words: the HTTP status and what the server said.",
        "metadata": "What the channel's workflow gets along.",
        "executed_at": "When the (last) request left.",
        "lateness_seconds": "Seconds from due to sent.",
        "evidence": "What made it completed: GitHub's yes, or the channel's run.",
        "run_url": "The channel's run.",
        "slot": "Whether the channel's own calendar made it.",
        "position": "The place in its group, counted from 0.",
        "catch_up": "Seconds; where the wave overrides the setting.",
        "halt": "Whether a failure of its wave pauses it.",
        "after_success": "Whether it waits until the one before it is completed.",
        "pauses": "Who holds it back, and why.",
        "first_id": "The id under which it was first recorded, where a rename changed it.",
        "former_ids": "The ids it had before renames; they stay taken.",
        "resends": "How often a person had it sent again.",
        "retried_at": "When a person last made it pending again.",
        "next_attempt_at": "Before this time no further request is made.",
        "limited": "Whether it waits for a rate limit of its token.",
        "doubtful": "Whether an earlier attempt with the same key may have been accepted.",
        "intent": "The envelope as it was when the request was about to leave.",
        "claim": "Who works on its job, where a broker carries it.",
        "accepted_at": "When a complete yes came back.",
        "completed_at": "When it was completed.",
        "run_id": "The number of the channel's run.",
        "checked_at": "When the channel was last asked whether it is ready, or for the run.",
        "not_found_at": "When a lookup last answered and knew no run of the key.",
        "unconfirmed": "Why the channel could not be confirmed, in words.",
        "history": "What happened to it, oldest first.",
    },
    "Pause": {
        "by": "Who holds it back.",
        "reason": "Why.",
        "until": "When the pause ends by itself.",
    },
    "Event": {"at": "When.", "status": "The status from then on.", "why": "The reason, in words."},
    "Intent": {
        "owner": "The run that saved it; only that run records its outcome.",
        "at": "When it was saved.",
        "key": "What names the publication to the receiver.",
        "not_after": "The instant after which the receiver should refuse.",
        "transport": "How it is sent.",
        "confirm": "What completes it.",
        "delivery": "What happens where its outcome is unknown.",
        "repository": "Where it is sent.",
        "event_type": "The type of the event.",
        "workflow": "The workflow that is started by name.",
        "token": "The NAME of the environment variable that holds the token.",
        "queue": "The queue that gets the job.",
        "job_id": "The job's id on the queue.",
        "command": "What a worker runs.",
    },
    "Lease": {
        "worker": "The worker.",
        "at": "When its attempt began.",
        "state": "Running; waiting for its next attempt; ended.",
        "until": "When the worker is taken for lost; when the next attempt may begin; when it ended.",
        "attempts": "How often the job was begun.",
    },
    "Declared": {
        "digest": "A digest of the files.",
        "commit": "The commit at which they stood.",
    },
    "Idle": {
        "until": "The next instant at which anything can change.",
        "surroundings": "A digest of what else the outcome depends on.",
        "tokens": "The NAMES of the environment variables of tokens that the digest covers.",
    },
}
_FORMS: Mapping[str, Mapping[str, Any]] = {
    "State": {"version": {"const": VERSION}, "lineage": {"type": "string", "minLength": 1, "maxLength": 200}},
    "Record": {"run_id": {"type": ["integer", "null"]}, "lateness_seconds": {"type": ["integer", "null"]}},
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
    words = _WORDS.get(title, {}).get(name)
    return _form(title, name, part) | ({"description": words} if words else {})


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
