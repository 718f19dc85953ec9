"""The main job: from YAML to the bodies that channels receive, and a second run that sends nothing."""

from __future__ import annotations

from github_stand_in import GitHub
from miniature import Miniature


def test_a_simultaneous_wave_reaches_three_channels_once(live: Miniature, github: GitHub) -> None:
    live.write(
        {
            "waves/spring.yaml": """
                title: Spring launch
                schedules:
                  - type: simultaneous
                    group: teaser
                    video: teaser-4k
                    at: 2026-03-01T18:00:00Z
                    channels: [alpha, beta, gamma]
                    metadata: { campaign: spring, number: 012 }
                """
        }
    )
    first = live.json("run", now="2026-03-01T18:03:00Z")
    second = live.json("run", now="2026-03-01T18:04:00Z")

    assert first.code == second.code == 0, first.err + second.err
    assert first.results == {f"spring/teaser/{name}": "completed" for name in ("alpha", "beta", "gamma")}
    assert second.results == {}
    assert sorted(dispatch.repository for dispatch in github.dispatches) == [
        "acme/alpha",
        "acme/beta",
        "acme/gamma",
    ]
    body = next(d for d in github.dispatches if d.repository == "acme/alpha").payload
    key = body.pop("key")
    assert key.startswith("gs1-")
    assert body == {
        "video_id": "teaser-4k",
        "schedule_id": "spring/teaser/alpha",
        "wave_id": "spring",
        "coordination_group_id": "spring/teaser",
        "channel_id": "alpha",
        "schedule_type": "simultaneous",
        "scheduled_at": "2026-03-01T18:00:00Z",
        "not_after": "2026-03-01T19:00:00Z",
        "metadata": {"campaign": "spring", "number": "012"},
    }
    assert len({d.payload.get("key") for d in github.dispatches}) == 3
