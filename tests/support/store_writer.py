"""One writer as a process of its own: `python store_writer.py ROOT SETTING NAME SAVES`.

Each save adds one schedule; whoever loses a race reads again and decides again, as a run does. The
serials that it saved are printed, one a line. `SETTING` may end in `+archive`: then each save archives
one record too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from scheduler.errors import LostRace
from scheduler.state.record import Record, State
from scheduler.state.stores import Store, open_store


def record(channel: str = "alpha", video: str | None = "teaser-4k") -> Record:
    return Record(
        schedule_type="simultaneous",
        channel_id=channel,
        scheduled_at="2026-03-01T18:00:00Z",
        status="pending",
        wave_id="spring",
        coordination_group_id="spring/teaser",
        video_id=video,
    )


def added(state: State, *channels: str) -> State:
    """The state that follows, with a schedule more for each channel."""
    more = {f"spring/teaser/{channel}": record(channel) for channel in channels}
    return msgspec.structs.replace(state, serial=state.serial + 1, schedules={**state.schedules, **more})


def save_one(store: Store, channel: str, archive: bool) -> int:
    while True:
        snapshot = store.load()
        after = added(snapshot.state, channel)
        message = f"Record {channel}\n\nas writer"
        archived = {"2026-03": {f"spring/old/{channel}": record(channel)}} if archive else {}
        try:
            return store.save_with_archive(after, archived, snapshot, message).state.serial
        except LostRace:
            continue


def main(root: str, setting: str, name: str, saves: str) -> None:
    store = open_store(Path(root), setting.removesuffix("+archive"))
    for number in range(int(saves)):
        print(save_one(store, f"{name}-{number}", setting.endswith("+archive")), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
