"""Diagnostics as SARIF 2.1.0, for code scanning and editors.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub reads of it:
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from urllib.parse import quote

import msgspec

from scheduler.diagnostics import Code, Diagnostic, Location
from scheduler.reporting.annotations import path_below
from scheduler.reporting.json_output import encodable, safe
from scheduler.wording import count

MOST_RESULTS = 25_000
"""GitHub refuses a run with more."""

RULES: Mapping[Code, str] = {
    "yaml-syntax": "A file is YAML that can be read",
    "duplicate-key": "A key stands once",
    "unknown-key": "Keys are those that the file's kind knows",
    "missing-key": "Required keys are there",
    "invalid-value": "A value has the form that its key asks for",
    "unknown-channel": "A schedule's channel is declared",
    "inactive-channel": "A schedule's channel is active",
    "duplicate-id": "Two declarations have two ids",
    "min-gap": "Publications on one channel keep their distance",
    "repeat-video": "A video is not repeated on a channel too soon",
    "past": "A new or moved schedule lies ahead",
    "frozen": "A new or moved schedule lies outside every freeze",
    "edited-after-dispatch": "What was sent is not edited",
    "not-allowed": "A channel points at an allowed repository",
    "brake": "Not too many schedules are withdrawn at once",
    "missing-token": "A channel's token is at hand",
    "late-by-pace": "The pace lets a wave leave in time",
    "skipped-slot": "A slot is a time that exists",
    "stale-checkout": "A run starts from what was declared last",
    "clock": "The machine's clock is right",
    "forgotten": "The record knows what was sent",
    "unreachable": "What is asked answers",
}
_INDEX: Mapping[str, int] = {code: index for index, code in enumerate(get_args(Code))}


def sarif_json(diagnostics: Sequence[Diagnostic], *, version: str, folder: str = "") -> bytes:
    """The log of one run. `version` is the program's; `folder` is where the files are below the workspace."""
    told = sorted(diagnostics, key=lambda fault: not fault.is_error)[:MOST_RESULTS]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "wave-scheduler",
                "version": version,
                "rules": [{"id": code, "shortDescription": {"text": RULES[code]}} for code in get_args(Code)],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(len(diagnostics) - len(told))],
        "results": [_result(fault, folder) for fault in told],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return safe(msgspec.json.encode(document))


def _invocation(left_out: int) -> dict[str, Any]:
    found: dict[str, Any] = {"executionSuccessful": True}
    if left_out:
        text = f"{count(left_out, 'problem')} left out: GitHub accepts {MOST_RESULTS:,}."
        found["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return found


def _result(fault: Diagnostic, folder: str) -> dict[str, Any]:
    """A result. What is only recorded has no place, and so is told in the message."""
    lines = [fault.message]
    if fault.hint is not None:
        lines.append(f"hint: {fault.hint}")
    lines += [f"see: {related.message}" for related in fault.related if related.location is None]
    result: dict[str, Any] = {
        "ruleId": fault.code,
        "ruleIndex": _INDEX[fault.code],
        "level": fault.severity.value,
        "message": _message("\n".join(lines)),
        "locations": [{"physicalLocation": _physical(fault.location, folder)}],
    }
    places = [(related.message, related.location) for related in fault.related]
    others = [
        {"id": index, "message": _message(message), "physicalLocation": _physical(place, folder)}
        for index, (message, place) in enumerate(places, 1)
        if place is not None
    ]
    if others:
        result["relatedLocations"] = others
    return result


def _message(text: str) -> dict[str, str]:
    """A plain text: what would read as an embedded link (section 3.11.6) is escaped."""
    text = encodable(text)
    if "](" in text:
        text = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return {"text": text}


def _physical(location: Location, folder: str) -> dict[str, Any]:
    place: dict[str, Any] = {
        "artifactLocation": {"uri": _uri(path_below(folder, location.file)), "uriBaseId": "%SRCROOT%"}
    }
    if not location.is_whole:
        place["region"] = {"startLine": location.line, "startColumn": location.column}
    return place


def _uri(path: str) -> str:
    """A relative reference (RFC 3986): percent-encoded, and a colon in it is never taken for a scheme."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")
