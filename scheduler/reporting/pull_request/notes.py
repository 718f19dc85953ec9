"""What stands around a proposal and in no diff: who may be pointed at, clock changes, freezes, neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler.reporting.pull_request.escaping import code, folded, some, that_fit, zone_name
from scheduler.reporting.review import ClockChange, Frozen, Neighbour, Review
from scheduler.reporting.time_format import day_and_time, local_day_and_time, moment, utc_moment
from scheduler.times import Instant, duration_text
from scheduler.wording import count

_IDS = 3
_SHOWN = 10
"""Lines of one kind."""


# --- settings --------------------------------------------------------------------------------------


def settings_table(review: Review, room: int) -> tuple[str, list[str]]:
    """What changes in scheduler.yaml and at channels' ends: first, which record counts, who gets a token."""
    warnings = []
    if review.other_record is not None:
        before, after = map(code, review.other_record)
        warnings.append(
            f"**Another record.** Runs would no longer look into {before} for what was sent, but into "
            f"{after}: whatever that one does not know of **is sent again**, and where there is none, "
            "nothing is sent any more. The plan here was made with the new one and cannot tell."
        )
    if review.beyond:
        told = some([f"{name}: {to}" for name, to in review.beyond.items()], _IDS, "channel")
        warnings.append(
            "**Outside of what the base branch allows.** Only because this pull request itself changes "
            f"`allow` may these be pointed at: {told}. Whoever decides about tokens should look at that."
        )
    if not review.settings:
        return "\n\n".join(warnings), []
    head = "| File | Key | Before | After |\n|-|-|-|-|"
    lines = [
        f"| {code(one.file)} | {code(one.key)} | {_value(one.before)} | {_value(one.after)} |"
        for one in review.settings
    ]
    kept = that_fit(lines, room - len(head) - 200 - sum(len(words.encode()) for words in warnings))
    rest = len(lines) - len(kept)
    left_out = [count(rest, "changed setting")] if rest else []
    if kept:
        title = f"Settings and channels: {count(len(lines), 'change')}"
        warnings.append(folded(title, len(kept), "\n".join([head, *kept])))
    return "\n\n".join(warnings), left_out


def _value(words: str | None) -> str:
    return "" if words is None else code(words)


# --- notes -----------------------------------------------------------------------------------------


def notes(review: Review, zones: Mapping[str, str], room: int) -> tuple[str, list[str]]:
    """Clock changes, freezes and near neighbours, a line each, and how many had no room."""
    lines = [
        *_limited([_clock_line(one) for one in review.clocks], "clock changes"),
        *_limited([_freeze_line(one, zones) for one in review.freezes], "freezes"),
        *_limited([_neighbour_line(one, zones) for one in review.neighbours], "neighbours"),
    ]
    if not lines:
        return "", []
    head = f"#### Worth knowing\n\n{_near_text(review)}" if review.neighbours else "#### Worth knowing\n"
    kept = that_fit(lines, room - len(head.encode()) - 2)
    left_out = [count(len(lines) - len(kept), "remark")] if len(kept) < len(lines) else []
    return "\n".join([head, *kept]) if kept else "", left_out


def _near_text(review: Review) -> str:
    return f"Neighbours are told within {duration_text(review.near)} on one channel.\n"


def _limited(lines: Sequence[str], what: str) -> list[str]:
    if len(lines) <= _SHOWN + 1:
        return list(lines)
    return [*lines[:_SHOWN], f"- and {len(lines) - _SHOWN:,} more {what}"]


def _clock_line(change: ClockChange) -> str:
    zone = zone_name(change.zone)
    way = "forward" if change.after > change.before else "back"
    size = duration_text(abs(change.after - change.before))
    day = local_day_and_time(change.at - 1, change.zone)[:14]
    utc = utc_moment(change.at)
    utc = utc.removeprefix(f"{day[4:]} ")
    words = [
        f"- **Clocks**: in {zone} they go {way} {size} on {day} ({utc} UTC).",
        f"{_clock(change.clock)} there is {_clock(change.clock - change.before)} UTC until then, and "
        f"{_clock(change.clock - change.after)} UTC afterwards.",
    ]
    if change.across:
        words.append(f"On both sides of it: {some(change.across, _IDS, 'other')}.")
    if change.near:
        words.append(f"Within a day of it: {some(change.near, _IDS, 'publication')}.")
    if change.twice:
        words.append(
            f"At a local time that is shown twice: {some(change.twice, _IDS, 'publication')}; "
            "the instant in UTC counts."
        )
    return " ".join(words)


def _clock(seconds: int) -> str:
    """A time of the day, from its seconds."""
    seconds %= 86_400
    return f"{seconds // 3_600:02}:{seconds % 3_600 // 60:02}"


def _freeze_line(one: Frozen, zones: Mapping[str, str]) -> str:
    freeze = one.freeze
    reason = f" {code(freeze.reason)}" if freeze.reason is not None else ""
    where = "all channels" if freeze.channels is None else some(freeze.channels, _IDS, "channel")
    zone = _one_zone(freeze.channels, zones)
    words = f"- **Freeze**{reason} on {where}: {_when(freeze.from_, zone)} to {_when(freeze.until, zone)}."
    if one.waiting:
        verb = "waits" if len(one.waiting) == 1 else "wait"
        told = some(one.waiting, _IDS, "publication")
        return f"{words} Until it ends, {count(len(one.waiting), 'publication')} {verb}: {told}."
    return f"{words} Nothing of this waits for it."


def _one_zone(channels: Sequence[str] | None, zones: Mapping[str, str]) -> str:
    """The zone that all these channels share, or UTC."""
    found = {zones.get(channel, "UTC") for channel in (zones if channels is None else channels)}
    return found.pop() if len(found) == 1 else "UTC"


def _when(at: Instant, zone: str) -> str:
    return zone_name(moment(at, zone))


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
