"""The documents that other programs read: UTF-8, one line, keys in the order of the contract.

Characters that a terminal would obey are written as `\\u` escapes, which mean the same to a program.
Records are encoded as they are, without a Python object for each field: a plan of 100,000 publications
takes a fraction of a second. Each document is bytes (a plan: parts of them), without a line break at its
end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from scheduler.diagnostics import Diagnostic, Location
from scheduler.planning.plan import Plan
from scheduler.planning.rows import Result, Row, in_order, is_dead_letter
from scheduler.reporting.troubles import OpenTrouble
from scheduler.times import instant_text

VERSION = 1

# What a screen obeys or hides, in UTF-8: DEL and C1, soft hyphen, bidirectional controls, line separators,
# invisible operators, byte order marks, tags. C0 is escaped in any JSON.
_HIDDEN = re.compile(
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe1\xa0\x8e|\xe2(?:\x80[\x8b\x8e\x8f\xa8-\xae]|\x81[\xa0-\xaf])"
    rb"|\xef(?:\xbb\xbf|\xbf[\xb9-\xbb\xbe\xbf])|\xf3\xa0[\x80-\xbf][\x80-\xbf]"
)
_LEADS = (b"\x7f", b"\xc2", b"\xd8\x9c", b"\xe1\xa0\x8e", b"\xe2", b"\xef", b"\xf3")
_AT_ONCE = 500
"""Changes that are encoded in one part."""
_encoder = msgspec.json.Encoder(order="deterministic")


def document_json(**values: object) -> bytes:
    """A document: its version, then the values in the order given."""
    return safe(msgspec.json.encode({"version": VERSION, **values}))


def validation_json(diagnostics: Sequence[Diagnostic]) -> bytes:
    """The document of `validate`."""
    return document_json(diagnostics=list(map(fault_document, diagnostics)))


def plan_json(plan: Plan, diagnostics: Sequence[Diagnostic]) -> Iterator[bytes]:
    """The document of `plan`, in parts; `before` and `after` are records, or null.

    100,000 changes are 63 MB: parts that fit the processor's cache take half the time of one piece, and
    none of its memory.
    """
    faults = list(map(fault_document, diagnostics))
    outline = document_json(now=instant_text(plan.now), changes=(), diagnostics=faults)
    before, separator, after = outline.partition(b'"changes":[')
    yield before + separator
    for start in range(0, len(plan.changes), _AT_ONCE):
        some = _encoder.encode(plan.changes[start : start + _AT_ONCE])
        yield safe((b"," if start else b"") + some[1:-1])
    yield after


def results_json(
    results: Sequence[Result], diagnostics: Sequence[Diagnostic], troubles: Sequence[OpenTrouble]
) -> bytes:
    """The document of `run`."""
    faults = list(map(fault_document, diagnostics))
    return document_json(results=results, diagnostics=faults, troubles=list(map(_trouble_document, troubles)))


def _trouble_document(trouble: OpenTrouble) -> dict[str, object]:
    """A trouble as it is, with lone surrogates (from the names of files) as escapes."""
    fields = msgspec.structs.asdict(trouble)
    return {name: encodable(value) if isinstance(value, str) else value for name, value in fields.items()}


def listing_json(rows: Iterable[Row]) -> bytes:
    """The document of `list`: each schedule with its recorded fields, by time, then id.

    `phase` says how far it is on its way to the public; `recorded` is false where no run has recorded it
    yet; `problem` is the code of the rule that blocks it; `dead_letter` is true where its job was given up.
    """
    lines = [
        b'{"schedule_id":%b,%b,"phase":%b,"recorded":%b,"problem":%b,"dead_letter":%b}'
        % (
            _encoder.encode(row.schedule_id),
            _encoder.encode(row.record)[1:-1],
            _encoder.encode(row.phase),
            b"true" if row.recorded else b"false",
            _encoder.encode(row.problem),
            b"true" if is_dead_letter(row.record) else b"false",
        )
        for row in in_order(rows)
    ]
    return safe(b'{"version":%d,"schedules":[%b]}' % (VERSION, b",".join(lines)))


def fault_document(fault: Diagnostic) -> dict[str, object]:
    """A diagnostic as it is in every document."""
    return {
        "severity": fault.severity,
        "code": fault.code,
        "message": encodable(fault.message),
        **place_document(fault.location),
        "hint": None if fault.hint is None else encodable(fault.hint),
        "related": [{**place_document(r.location), "message": encodable(r.message)} for r in fault.related],
    }


def place_document(place: Location | None) -> dict[str, str | int | None]:
    """A place; line and column are null for a file as a whole, and the file for what is only recorded."""
    if place is None:
        return {"file": None, "line": None, "column": None}
    return {"file": encodable(place.file), "line": place.line or None, "column": place.column or None}


def encodable(text: str) -> str:
    """The text, with lone surrogates (from file names that are not UTF-8) as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def safe(document: bytes) -> bytes:
    """The same JSON document, with everything that a screen would obey or hide written as an escape."""
    if b"##[" in document:  # how an older workflow command of GitHub begins; only strings can hold it
        document = document.replace(b"##[", rb"#\u0023[")
    # Fast path: nearly always there is nothing to escape, which a search for the first bytes (memchr) finds
    # out. The expression alone gives the same and takes 3 times as long (tests/reporting/test_fast_paths.py).
    leads = (b"\x7f",) if document.isascii() else _LEADS
    return _HIDDEN.sub(_escape, document) if any(lead in document for lead in leads) else document


def _escape(match: re.Match[bytes]) -> bytes:
    units = match.group().decode().encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)).encode()
