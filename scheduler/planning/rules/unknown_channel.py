"""A schedule, a freeze or a line of a wave names a channel that no file declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from scheduler.desired.declarations import Declarations
from scheduler.desired.fields import is_id
from scheduler.desired.plain import is_nothing
from scheduler.diagnostics import Diagnostic, Location, error
from scheduler.planning.expand import Loc, may_revive, member_place
from scheduler.planning.inquiry import Example, Inquiry, Rule, Violation
from scheduler.wording import did_you_mean


def check(inquiry: Inquiry) -> Iterator[Violation]:
    yield from _schedules(inquiry)
    yield from _freezes(inquiry.declared)
    yield from _unreadable_waves(inquiry.declared)


def _schedules(inquiry: Inquiry) -> Iterator[Violation]:
    """Schedules on channels that are not declared, but for those that are over: their channel may go."""
    declared, schedules = inquiry.declared, inquiry.schedules
    missing = {schedule.channel for schedule in schedules.values()} - declared.channels.keys()
    for schedule in schedules.values() if missing else ():
        if schedule.channel not in missing or schedule.id in inquiry.blocked:
            continue
        record = inquiry.records.get(schedule.id)
        if record is not None and not record.is_unsent_live and not may_revive(schedule, record):
            continue
        fault = declared.fault_of("channel", schedule.channel)
        if fault is not None:  # its file is there and cannot be read, which is reported
            yield Violation(code=fault, blocks=[schedule.id])
            continue
        place = partial(member_place, declared, schedule)
        yield Violation(
            file=schedule.file,
            describe=partial(_describe, declared, schedule.channel, place, schedule.id),
            blocks=[schedule.id],
        )


def _freezes(declared: Declarations) -> Iterator[Violation]:
    for index, freeze in enumerate(declared.settings.freezes):
        for i, channel in enumerate(freeze.channels or ()):
            if ("channel", channel) not in declared.files and "channel" not in declared.hidden:
                file = declared.settings_file
                place = partial(declared.place, file, ("freezes", index, "channels", i))
                yield Violation(file=file, describe=partial(_describe, declared, channel, place))


def _unreadable_waves(declared: Declarations) -> Iterator[Violation]:
    """Unknown channels in a wave that has other errors too: all errors of a file in one pass."""
    if not declared.unreadable:
        return
    for kind, wave_id in declared.unreadable:
        document = declared.documents.get(declared.files.get((kind, wave_id), ""))
        if kind != "wave" or document is None or not isinstance(document.data, dict):
            continue
        entries = document.data.get("schedules")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            named = entry.get("channels") if isinstance(entry, dict) else None
            for i, member in enumerate(named if isinstance(named, list) else ()):
                is_mapping = isinstance(member, dict)
                channel = member.get("id") if is_mapping else member
                if not isinstance(channel, str) or not is_id(channel) or is_nothing(channel):
                    continue
                if ("channel", channel) not in declared.files and "channel" not in declared.hidden:
                    loc: Loc = ("schedules", index, "channels", i)
                    place = partial(declared.place, document.file, (*loc, "id") if is_mapping else loc)
                    yield Violation(
                        file=document.file,
                        describe=partial(_describe, declared, channel, place),
                    )


def _describe(
    declared: Declarations, channel: str, place: Callable[[], Location], *schedules: str
) -> Diagnostic:
    renamed = next((name for name, other in declared.channels.items() if other.renamed_from == channel), None)
    names = sorted(name for kind, name in declared.files if kind == "channel")
    if renamed is not None:
        hint = f"it was renamed: write {renamed}"
    else:
        hint = did_you_mean(channel, names) or f"declare it in channels/{channel}.yaml"
    return error(RULE.code, place(), f"channel {channel!r} is not declared", hint, schedules=schedules)


RULE = Rule(
    code="unknown-channel",
    title="A channel that is named is declared",
    meaning="""\
Every channel has a file of its own in `channels/`. A name without one is most often a typing error, so
nothing is published for it. A channel whose own file has errors is known by the file's name, and is not
reported twice. Tags that no active channel has are reported under this code as well.""",
    remedy="Correct the name, or declare the channel in `channels/<name>.yaml`.",
    bad=Example(
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha, betta]
""",
        fix=("betta", "beta"),
    ),
    check=check,
)
