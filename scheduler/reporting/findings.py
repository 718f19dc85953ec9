"""What `doctor` found in the environment: one value for each check. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

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
