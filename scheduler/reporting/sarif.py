"""Diagnostics as SARIF 2.1.0, for code scanning and editors.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub reads of it:
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from scheduler.diagnostics import Diagnostic, Location
from scheduler.planning.catalogue import CATALOGUE
from scheduler.planning.inquiry import Rule
from scheduler.reporting.annotations import path_below
from scheduler.reporting.json_output import encodable, safe
from scheduler.wording import count

MOST_RESULTS = 25_000
"""GitHub refuses a run with more."""

_INDEX: Mapping[str, int] = {code: index for index, code in enumerate(CATALOGUE)}


def sarif_json(
    diagnostics: Sequence[Diagnostic], *, version: str, folder: str = "", rules_page: str | None = None
) -> bytes:
    """The log of one run. `version` is the program's; `folder` is where the files are below the top of the
    git repository; `rules_page` is the address of docs/rules.md, to which each rule links."""
    shown = sorted(diagnostics, key=lambda fault: not fault.is_error)[:MOST_RESULTS]
    left_out = len(diagnostics) - len(shown)
    found: dict[str, Any] = {"executionSuccessful": True}
    if left_out:
        text = f"{count(left_out, 'problem')} left out: GitHub accepts {MOST_RESULTS:,}."
        found["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "wave-scheduler",
                "version": version,
                "rules": [_rule(rule, rules_page) for rule in CATALOGUE.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [found],
        "results": [_result(fault, folder) for fault in shown],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return safe(msgspec.json.encode(document))


def _rule(rule: Rule, page: str | None) -> dict[str, Any]:
    link = {} if page is None else {"helpUri": f"{page}#{rule.code}"}
    return {
        **link,
        "id": rule.code,
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": _on_one_line(rule.meaning)},
        "defaultConfiguration": {"level": rule.severity.value},
        "help": {"text": _on_one_line(rule.remedy)},
    }


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _result(fault: Diagnostic, folder: str) -> dict[str, Any]:
    """A result. What is only recorded has no place, so the message says it."""
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
    # a relative reference (RFC 3986): percent-encoded, so that a colon is never taken for a scheme
    path = path_below(folder, location.file).encode("utf-8", "surrogateescape")
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(path, safe="/"), "uriBaseId": "%SRCROOT%"}}
    if not location.is_whole:
        place["region"] = {"startLine": location.line, "startColumn": location.column}
    return place
