"""Writes repositories of any size: waves of plain channels, as an editor would type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

FAR = datetime(2031, 1, 1, tzinfo=UTC)
"""A time that no benchmark reaches: nothing is due."""


def write_repository(
    root: Path,
    waves: int,
    channels: int,
    *,
    start: datetime = FAR,
    apart: timedelta = timedelta(hours=1),
    pace: str = "60/min",
) -> None:
    """`waves` waves from `start` on, `apart` from one another, each on all of `channels` channels."""
    (root / "waves").mkdir(parents=True, exist_ok=True)
    (root / "channels").mkdir(exist_ok=True)
    (root / "scheduler.yaml").write_text(f"pace: {pace}\n", encoding="utf-8")
    names = [f"channel-{number:03d}" for number in range(channels)]
    for name in names:
        text = f"name: {name}\nrepository: acme/{name}\ntoken: ACME_TOKEN\n"
        (root / "channels" / f"{name}.yaml").write_text(text, encoding="utf-8")
    members = "".join(f"      - {name}\n" for name in names)
    for number in range(waves):
        at = (start + number * apart).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = (
            f"title: Wave {number}\nschedules:\n  - type: simultaneous\n    video: video-{number:05d}\n"
            f"    at: {at}\n    channels:\n{members}"
        )
        folder = root / "waves" / f"{number // 1000:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"wave-{number:05d}.yaml").write_text(text, encoding="utf-8")
