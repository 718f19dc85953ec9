"""What a look at the surroundings found: one value a check, for `doctor` to tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Verdict = Literal["ok", "warning", "failed", "unknown", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """The outcome of one check.

    ok        as it should be
    warning   it works, and could be better or safer
    failed    it will not work
    unknown   it cannot be told from here
    skipped   it was not asked; `message` says why

    `about` is a channel, or a part of the installation (`state`); `check` names the check for programs.
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
