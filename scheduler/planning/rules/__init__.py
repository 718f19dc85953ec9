"""The rules that schedules keep, one file a rule: a code, what it means, what to do, examples, a function.

A module here with a `RULE` is a rule; nothing else registers it. `ORDER` has those whose place matters. The
others follow, by code. Declared and recorded schedules count alike. What was cancelled, what failed without
being sent, and what this very run cancels or renames does not. A fault blocks the schedules that are new or
moved; what is recorded and unchanged continues.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

import msgspec

from scheduler.diagnostics import Code, Tally
from scheduler.planning import spacing
from scheduler.planning.inquiry import Inquiry, Rule, Violation

ORDER = (
    # What has no channel to be sent on is checked first: its code is the one that `show` gives. Both skip
    # schedules that are blocked by then, as twice declared or without a readable time.
    "unknown-channel",
    "inactive-channel",
    # Then what no run could send, whatever its time.
    "invalid-value",
    "not-allowed",
    # After `unknown-channel`, which already blocks a schedule that names a channel by its former id; before
    # the rules about times, which leave out what has the id of another.
    "duplicate-id",
    # These are about many schedules, and block none that the rules below look at.
    "brake",
    # What one schedule asks for by itself: a new time, then a new time in a freeze.
    "past",
    "frozen",
    "edited-after-dispatch",
)
"""The code that blocks a schedule first is the one that is shown for it.

Rules between two publications (`Rule.pairs`) come after all others: a schedule that is blocked by then stays
at its recorded time, where it may break one of them.
"""


def _rules() -> tuple[Rule, ...]:
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found: dict[str, Rule] = {module.RULE.code: module.RULE for module in modules}
    return tuple([found.pop(code) for code in ORDER] + [found[code] for code in sorted(found)])


RULES = _rules()


def check(inquiry: Inquiry) -> tuple[dict[str, Code], Tally]:
    """Apply every rule: what is blocked after it, and what is to be reported.

    Rules only return what they find. It is put together here, at once, so that a rule sees what those
    before it have blocked; of two codes for one schedule the first stays.
    """
    blocked, faults = dict(inquiry.blocked), Tally()
    inquiry = msgspec.structs.replace(inquiry, blocked=blocked)

    def enter(violations: Iterable[Violation], code: Code = "") -> None:
        for violation in violations:
            for schedule_id in violation.blocks:
                blocked.setdefault(schedule_id, violation.code or code)
            if violation.describe is not None:
                faults.report(violation.code or code, violation.file, violation.describe)

    for rule in RULES:
        if rule.check is not None:
            enter(rule.check(inquiry), rule.code)
    enter(spacing.clashes(inquiry, [rule.pairs for rule in RULES if rule.pairs is not None]))
    return blocked, faults
