"""Writes repositories of any size: waves of plain channels, as an editor would type them."""

from __future__ import annotations

from pathlib import Path

HOUR = 3600


def write_repository(root: Path, waves: int, channels: int, *, start: str = "2031-01-01") -> None:
    """`waves` waves, each simultaneous on all `channels` channels, an hour apart from `start` on."""
    from datetime import UTC, datetime, timedelta

    (root / "waves").mkdir(parents=True, exist_ok=True)
    (root / "channels").mkdir(exist_ok=True)
    (root / "scheduler.yaml").write_text("pace: 100000/s\n", encoding="utf-8")
    names = [f"channel-{number:03d}" for number in range(channels)]
    for name in names:
        text = f"name: {name}\nrepository: acme/{name}\ntoken: ACME_TOKEN\n"
        (root / "channels" / f"{name}.yaml").write_text(text, encoding="utf-8")
    members = "".join(f"      - {name}\n" for name in names)
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    for number in range(waves):
        at = (begin + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = (
            f"title: Wave {number}\nschedules:\n  - type: simultaneous\n    video: video-{number:05d}\n"
            f"    at: {at}\n    channels:\n{members}"
        )
        folder = root / "waves" / f"{number // 1000:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"wave-{number:05d}.yaml").write_text(text, encoding="utf-8")
