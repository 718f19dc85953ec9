"""What no diff shows of a proposal: settings and channels, clock changes, freezes, neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler.reporting.pull_request.escaping import code, folded, some, that_fit, zone_name
from scheduler.reporting.review import ClockChange, Frozen, Neighbour, Review
from scheduler.reporting.time_format import (
    day_and_time,
    day_before_with_utc,
    local_day_and_time,
    moment,
)
from scheduler.times import duration_text
from scheduler.wording import count, more

_IDS = 3
_SHOWN = 10
"""Lines of one kind."""


# --- settings --------------------------------------------------------------------------------------


def settings_table(review: Review, room: int) -> tuple[str, list[str]]:
    """What changes in scheduler.yaml and in how channels are reached; first another state, and who gets a
    token."""
    warnings = []
    if review.other_state is not None:
        before, after = map(code, review.other_state)
        warnings.append(
            f"**Another state.** Runs would look up what was sent in {after} instead of {before}. Whatever "
            "that state does not contain **is sent again**; if it does not exist, nothing is sent at all. "
            "This plan was made with the new state and cannot show the difference."
        )
    if review.beyond:
        channels = some([f"{name}: {to}" for name, to in review.beyond.items()], _IDS, "channel")
        warnings.append(
            "**Not allowed by the base branch.** These repositories can only be used because this pull "
            f"request changes `allow`: {channels}. Have somebody who is responsible for the tokens review it."
        )
    if not review.settings:
        return "\n\n".join(warnings), []
    header = "| File | Key | Before | After |\n|-|-|-|-|"
    lines = []
    for one in review.settings:
        before, after = ("" if value is None else code(value) for value in (one.before, one.after))
        lines.append(f"| {code(one.file)} | {code(one.key)} | {before} | {after} |")
    kept = that_fit(lines, room - len(header) - 200 - sum(len(text.encode()) for text in warnings))
    rest = len(lines) - len(kept)
    left_out = [count(rest, "changed setting")] if rest else []
    if kept:
        title = f"Settings and channels: {count(len(lines), 'change')}"
        warnings.append(folded(title, len(kept), "\n".join([header, *kept])))
    return "\n\n".join(warnings), left_out


# --- notes -----------------------------------------------------------------------------------------


def notes(review: Review, zones: Mapping[str, str], room: int) -> tuple[str, list[str]]:
    """Clock changes, freezes and neighbours, a line each, and how many did not fit."""
    lines = [
        *_limited([_clock_line(one) for one in review.clocks], "clock change"),
        *_limited([_freeze_line(one, zones) for one in review.freezes], "freeze"),
        *_limited([_neighbour_line(one, zones) for one in review.neighbours], "neighbour"),
    ]
    if not lines:
        return "", []
    header = "#### Worth knowing\n"
    if review.neighbours:
        header += f"\nNeighbours are publications within {duration_text(review.near)} on the same channel.\n"
    kept = that_fit(lines, room - len(header.encode()) - 2)
    left_out = [count(len(lines) - len(kept), "remark")] if len(kept) < len(lines) else []
    return "\n".join([header, *kept]) if kept else "", left_out


def _limited(lines: Sequence[str], noun: str) -> list[str]:
    if len(lines) <= _SHOWN + 1:  # one more is as short as saying that there is one more
        return list(lines)
    return [*lines[:_SHOWN], f"- {more(len(lines) - _SHOWN, noun)}"]


def _clock_line(change: ClockChange) -> str:
    zone = zone_name(change.zone)
    way = "forward" if change.after > change.before else "back"
    size = duration_text(abs(change.after - change.before))
    day, utc = day_before_with_utc(change.at, change.zone)
    sentences = [
        f"- **Clocks**: in {zone} they go {way} {size} on {day} ({utc} UTC).",
        f"{_clock(change.clock)} there is {_clock(change.clock - change.before)} UTC until then, and "
        f"{_clock(change.clock - change.after)} UTC afterwards.",
    ]
    if change.across:
        sentences.append(f"On both sides of it: {some(change.across, _IDS, 'other')}.")
    if change.near:
        sentences.append(f"Within a day of it: {some(change.near, _IDS, 'publication')}.")
    if change.twice:
        sentences.append(
            f"At a local time that occurs twice: {some(change.twice, _IDS, 'publication')}; "
            "the time in UTC counts."
        )
    return " ".join(sentences)


def _clock(seconds: int) -> str:
    """`18:00`, from the seconds of the day."""
    seconds %= 86_400
    return f"{seconds // 3_600:02}:{seconds % 3_600 // 60:02}"


def _freeze_line(one: Frozen, zones: Mapping[str, str]) -> str:
    freeze = one.freeze
    reason = f" {code(freeze.reason)}" if freeze.reason is not None else ""
    where = "all channels" if freeze.channels is None else some(freeze.channels, _IDS, "channel")
    found = {zones.get(channel, "UTC") for channel in (zones if freeze.channels is None else freeze.channels)}
    zone = found.pop() if len(found) == 1 else "UTC"
    start, end = (zone_name(moment(at, zone)) for at in (freeze.from_, freeze.until))
    fact = f"- **Freeze**{reason} on {where}: {start} to {end}."
    waiting = [name for name in one.waiting if name not in one.missed]
    if waiting:
        verb = "waits" if len(waiting) == 1 else "wait"
        ids = some(waiting, _IDS, "publication")
        fact += f" Until it ends, {count(len(waiting), 'publication')} {verb}: {ids}."
    if one.missed:
        ids = some(one.missed, _IDS, "publication")
        fact += f" **{count(len(one.missed), 'publication')} will be missed** (`catch_up` is shorter): {ids}."
    return fact if one.waiting else f"{fact} Nothing in this pull request waits for it."


def _neighbour_line(one: Neighbour, zones: Mapping[str, str]) -> str:
    zone = zones.get(one.channel_id, "UTC")
    apart = duration_text(abs(one.other_at - one.at))
    side = "after" if one.other_at > one.at else "before"
    what = "went out" if one.was_sent else "goes out"
    if one.other_at == one.at:
        return f"- **Near**: {code(one.other_id)} {what} at the same time as {code(one.schedule_id)}."
    clock = day_and_time(one.other_at) if zone == "UTC" else local_day_and_time(one.other_at, zone)
    return (
        f"- **Near**: {code(one.other_id)} {what} {apart} {side} {code(one.schedule_id)}, "
        f"at {clock} {zone_name(zone)}."
    )
