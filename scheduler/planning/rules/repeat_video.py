"""One video is published twice on one channel within `repeat_window`, or again under another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from scheduler.desired import SettingsSpec
from scheduler.planning.inquiry import Booking, Clash, Example, Rule
from scheduler.planning.spacing import booked
from scheduler.times import duration_text
from scheduler.wording import quoted


def pairs(settings: SettingsSpec, channel: str, line: Sequence[Booking]) -> Iterator[Clash]:
    """Each video and the one before it; at any distance from what was sent and is no longer declared."""
    latest: dict[str, Booking] = {}
    gone: dict[str, Booking] = {}
    for booking in line:
        if booking.vanished and booking.video is not None:
            gone.setdefault(booking.video, booking)
    for booking in line:
        if booking.video is None:
            continue
        before = latest.get(booking.video)
        latest[booking.video] = booking
        first = gone.get(booking.video)
        apart = 0 if before is None else booking.at - before.at
        if before is not None and before.id != booking.id and apart < settings.conflicts.repeat_window:
            if not ((before.settled and booking.settled) or before.may_repeat or booking.may_repeat):
                describe = partial(_too_soon, channel, booking.video, apart, settings.conflicts.repeat_window)
                yield Clash(code=RULE.code, first=before, second=booking, describe=describe)
        elif first is not None and first.id != booking.id and booking.fresh and not booking.may_repeat:
            describe = partial(_once_more, channel, booking.video)
            yield Clash(code=RULE.code, first=first, second=booking, describe=describe)


def _too_soon(
    channel: str, video: str, apart: int, window: int, it: Booking, other: Booking
) -> tuple[str, str]:
    shown = f", {duration_text(apart)} apart" if apart else " at the same time"
    return (
        f"video {quoted(video)} is published twice on channel {channel}{shown}: "
        f"{booked(it)} and {booked(other)}",
        f"move them {duration_text(window)} apart (`repeat_window`), or set `repeat: true`",
    )


def _once_more(channel: str, video: str, it: Booking, other: Booking) -> tuple[str, str]:
    return (
        f"video {quoted(video)} was already sent to channel {channel} by a declaration that is gone: "
        f"{booked(it)} and {booked(other)}",
        "if that one was renamed, set `renamed_from:`; to publish the video again, set `repeat: true`",
    )


RULE = Rule(
    code="repeat-video",
    title="A video is not published twice on a channel by mistake",
    meaning="""\
A video that appears twice within `conflicts.repeat_window` (24h by default) on one channel is most
often a mistake. At any distance, a video that was sent as part of a wave, group or one-off that is no
longer declared is not published once more by another: it may have been renamed without `renamed_from`.""",
    remedy="Move one of the two or remove it. If it is intended, set `repeat: true` on the entry.",
    bad=Example(
        files="""\
-- waves/spring.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-05T18:00:00Z
    channels: [alpha]
-- waves/summer.yaml --
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-06T09:00:00Z
    channels: [alpha]
""",
        fix=("at: 2026-03-06T09:00:00Z", "at: 2026-03-06T09:00:00Z\n    repeat: true"),
    ),
    pairs=pairs,
)
