"""Many runners on one record: each schedule has one owner, and each save is one commit."""

from __future__ import annotations

import json

from git_repository import git
from github_stand_in import GitHub
from miniature import Miniature

DUE = "2026-03-01T18:00:00Z"


def test_of_eight_runners_and_two_hundred_schedules_each_is_sent_by_one(
    live: Miniature, github: GitHub
) -> None:
    names = [f"c{number:03}" for number in range(200)]
    for name in names:
        github.repository(f"acme/{name}")
    wave = f"type: simultaneous, video: teaser, at: {DUE}, channels: [{', '.join(names)}]"
    live.channels(*names).write(
        {
            "scheduler.yaml": "state: branch:scheduler-state\npace: 1000/s\n",
            "waves/spring.yaml": f"schedules: [{{ {wave} }}]\n",
        }
    )
    remote = live.root / "origin.git"
    git(live.root, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(live.root, "init", "-q", "-b", "main")
    git(live.root, "add", "waves", "channels", "scheduler.yaml")
    git(live.root, "commit", "-q", "-m", "Announce spring")
    git(live.root, "remote", "add", "origin", f"file://{remote}")
    git(live.root, "push", "-q", "origin", "main")
    assert live.run("state", "init", now="2026-01-01T00:00:00Z").code == 0
    runners = []
    for number in range(8):
        git(live.root, "clone", "-q", f"file://{remote}", f"runner{number}")
        clone = Miniature(live.root / f"runner{number}")
        clone.environ = live.environ
        runners.append(clone.start("--now", DUE, "run"))
    words = [runner.communicate(timeout=300) for runner in runners]
    assert [runner.returncode for runner in runners] == [0] * 8, words
    sent = [dispatch.payload["schedule_id"] for dispatch in github.dispatches]
    assert sorted(sent) == [f"spring/teaser/{name}" for name in names]
    recorded = json.loads(git(remote, "show", "scheduler-state:state.json"))
    assert {record["status"] for record in recorded["schedules"].values()} == {"completed"}
    assert recorded["serial"] == int(git(remote, "rev-list", "--count", "scheduler-state"))
    assert git(remote, "rev-list", "--count", "--merges", "scheduler-state") == "0"
