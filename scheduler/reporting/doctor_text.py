"""What `doctor` found: one dotted line for each check for people, and a document for programs.

alpha: the repository is there ............................................. ok
alpha: a workflow listens to process-video ............................. failed
  no workflow on the default branch of acme/alpha listens to process-video
  hint: add `on: {repository_dispatch: {types: [process-video]}}` to a workflow there
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from scheduler.reporting.json_output import document_json, encodable
from scheduler.reporting.terminal import Paint, visible, width
from scheduler.wording import count

Verdict = Literal["ok", "warning", "failed", "unknown", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """The outcome of one check.

    ok        as it should be
    warning   it works, but could be better or safer
    failed    it will not work
    unknown   it cannot be determined from here
    skipped   it was not checked; `message` says why

    `about` is a channel, or a part of the installation (`state`); `check` is the name of the check for
    programs.
    """

    kind: Literal["installation", "channel"]
    about: str
    check: str
    title: str
    """What should be, in a few words: `a workflow listens to process-video`."""
    verdict: Verdict
    message: str
    hint: str | None = None


def has_failed(findings: Iterable[Finding]) -> bool:
    """Whether anything will not work."""
    return any(finding.verdict == "failed" for finding in findings)


_LINE = 79
"""Cells of a line; a longer title still gets three dots."""
_STYLE: dict[Verdict, str] = {
    "ok": "green",
    "warning": "yellow",
    "failed": "alarm",
    "unknown": "cyan",
    "skipped": "dim",
}


def findings_text(findings: Sequence[Finding], *, colour: bool = False) -> str:
    """Every check with its verdict, the message and hint of those that are not ok, and the totals."""
    paint = Paint(colour)
    lines: list[str] = []
    for finding in findings:
        title = visible(f"{finding.about}: {finding.title}")
        dots = "." * max(3, _LINE - width(title) - len(finding.verdict) - 2)
        lines.append(f"{title} {paint('dim', dots)} {paint(_STYLE[finding.verdict], finding.verdict)}")
        if finding.verdict != "ok":
            lines.append(f"  {visible(finding.message)}")
            if finding.hint is not None:
                lines.append(f"  {paint('cyan', 'hint:')} {visible(finding.hint)}")
    counts = Counter(finding.verdict for finding in findings)
    parts = [f"{counts['failed']} failed"] if counts["failed"] else []
    parts += [count(counts["warning"], "warning")] if counts["warning"] else []
    parts += [f"{counts[verdict]} {verdict}" for verdict in ("unknown", "skipped") if counts[verdict]]
    return "\n".join(
        [*lines, "", paint("bold", f"{count(len(findings), 'check')}: {', '.join(parts) or 'fine'}")]
    )


def findings_json(findings: Sequence[Finding]) -> bytes:
    """The document of `doctor`; it ends without a line break."""
    checks = [
        {
            "kind": finding.kind,
            "about": encodable(finding.about),
            "check": finding.check,
            "verdict": finding.verdict,
            "message": encodable(finding.message),
            "hint": None if finding.hint is None else encodable(finding.hint),
        }
        for finding in findings
    ]
    return document_json(checks=checks)
