"""Freezes during the changes of a proposal, and what has to wait for their end. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scheduler import desired
from scheduler.desired.declarations import Declarations
from scheduler.planning.plan import Change


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """A declared freeze, and the changed schedules that it holds back."""

    freeze: desired.Freeze
    waiting: Sequence[str]
    """Ids whose publish time or dispatch is in it: they wait until it ends."""
    missed: Sequence[str]
    """Of these, the ids for which its end is too late (`catch_up`)."""


def frozen(changes: Sequence[Change], declared: Declarations) -> list[Frozen]:
    """The freezes, by their beginning, from the first dispatch of the changes to their last publication."""
    live = [
        (change.schedule_id, change.after)
        for change in changes
        if change.after is not None and change.after.is_unsent_live
    ]
    records = dict(live)
    deadlines = {i: r.at + declared.catch_up(r.catch_up) for i, r in live}
    found = []
    for freeze in sorted(declared.settings.freezes, key=lambda one: (one.from_, one.until)):
        spans = [
            (schedule_id, record.at - declared.lead(record.channel_id), record.at)
            for schedule_id, record in live
            if freeze.channels is None or record.channel_id in freeze.channels
        ]
        if not spans or max(at for _, _, at in spans) < freeze.from_:
            continue
        if min(due for _, due, _ in spans) >= freeze.until:
            continue
        waiting = [
            schedule_id
            for schedule_id, due, at in spans
            if freeze.from_ <= due < freeze.until or freeze.from_ <= at < freeze.until
        ]
        missed = [
            i
            for i in waiting
            if declared.thawed(records[i].channel_id, freeze.until) > deadlines[i]
            and not records[i].after_success
        ]
        found.append(Frozen(freeze=freeze, waiting=waiting, missed=missed))
    return found
