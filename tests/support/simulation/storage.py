"""Runs whose archive is lost, whose state a newer program wrote, and whose files git replaces meanwhile.

The runs, the state, its archive and git are the real ones; what is published is what lies on an embedded
queue. Faults come and go, and while one lasts nothing may be sent that was sent before, nothing withdrawn,
and nothing saved over what this program does not know.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest import mock

from git_repository import commit_all, git
from miniature import Miniature
from sealed import changed

from scheduler.app.repository import Repository
from scheduler.checkout import replaced
from scheduler.delivery import Runner
from scheduler.errors import StateError
from scheduler.state.codec import encode_archive
from scheduler.times import instant_text

from .invariants import Violation
from .queues import START, SetClock

STEPS = 14
OLD = 91 * 86_400
"""Seconds after which what was sent is in the archive."""
NEWER = (
    (b'"lineage":', b'"folder": {"name": "de"}, "lineage":'),
    (b'"version": 2', b'"version": 3'),
    (b'{"version": 2', b'{"version": 12, "shards": [1, 2]'),
)
"""What a newer program writes otherwise."""


class StorageWorld:
    """One seed's history."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = Random(seed)
        self.clock = SetClock()
        self.mini = Miniature(root)
        self.times = {f"w{number}": START + 3600 * (number + 1) for number in range(3)}
        git(root, "init", "-q", "-b", "main")
        self.mini.write({"channels/lobby.yaml": "queue: q\ncommand: 'true'\nconfirm: accepted\n"})
        self.mini.write({"scheduler.yaml": "brake: { cancel_percent: 100 }\n"})
        self.edit()
        assert self.mini.run("state", "init", now=instant_text(START - 3600)).code == 0
        self.repository = Repository(root, self.mini.environ, self.clock)
        settings = self.repository.settings()
        assert settings is not None
        self.settings = settings
        self.run()

    def edit(self) -> None:
        """What is declared now, committed."""
        for name, at in self.times.items():
            entry = f"{{ type: simultaneous, video: v, at: {instant_text(at)}, channels: [lobby] }}"
            self.mini.write({f"waves/{name}.yaml": f"schedules:\n  - {entry}\n"})
        commit_all(self.mini.root, "Edit")

    def run(self, *, must_fail: bool = False) -> None:
        """A run. Raises Violation where it ends well and must not."""
        path = self.mini.root / "state.json"
        before = path.read_bytes()
        try:
            Runner(self.repository.ports(self.settings)).reconcile_once()
        except StateError:
            if not must_fail:
                raise
        else:
            if must_fail:
                raise Violation("never forgotten", "a run went on with a state that it cannot read whole")
        if must_fail and path.read_bytes() != before:
            raise Violation("monotone", "a run saved over what it does not know")
        self.check()

    def check(self) -> None:
        """Every publication was put on the queue once, not before its time, and nothing was withdrawn."""
        path = self.mini.root / "queue.db"
        rows: list[tuple[str]] = []
        if path.exists():
            with closing(sqlite3.connect(path)) as db:
                rows = db.execute("SELECT schedule_id FROM jobs").fetchall()
        for schedule_id, times in Counter(row[0] for row in rows).items():
            if times > 1:
                raise Violation("one effect", f"{schedule_id} is on the queue {times} times")
        for schedule_id, record in self.mini.records.items():
            if record["status"] == "cancelled":
                raise Violation("as declared", f"{schedule_id} was withdrawn, and nobody removed it")

    # --- what happens -----------------------------------------------------------------------------------

    def step(self) -> None:
        """Time passes and a run comes, or one fault lasts for a run."""
        chance = self.random.random()
        if chance < 0.35:
            self.clock.at += self.random.choice((60, 1800, 3600))
            self.run()
        elif chance < 0.5:
            self.clock.at += OLD
            self.run()
        elif chance < 0.7:
            self.lose_archive()
        elif chance < 0.85:
            self.meet_a_newer_program()
        else:
            self.tear()

    def lose_archive(self) -> None:
        """A month of the archive is gone, or another one, when a wave that was sent gets a new time."""
        months = sorted((self.mini.root / "archive").glob("*.json"))
        if not months:
            return
        texts = {month: month.read_bytes() for month in months}
        if self.random.random() < 0.5:
            months[0].unlink()
        else:
            months[0].write_bytes(encode_archive(self.mini.state["lineage"], {}))
        self.times[self.random.choice(sorted(self.times))] = int(self.clock.at) + 60
        self.edit()
        for _ in range(2):
            self.run(must_fail=True)
            self.clock.at += 61
        for month, text in texts.items():
            month.write_bytes(text)
        self.run()

    def meet_a_newer_program(self) -> None:
        """A newer program saved a field or a version of which this one knows nothing."""
        path = self.mini.root / "state.json"
        text = path.read_bytes()
        path.write_bytes(changed(text, self.random.choice(NEWER)))
        self.clock.at += 600
        self.run(must_fail=True)
        path.write_bytes(text)
        self.run()

    def tear(self) -> None:
        """git has removed some files, a new one among them, and writes them anew after this run."""
        self.times[f"w{len(self.times)}"] = int(self.clock.at) + 1800
        self.edit()
        self.run()
        lock = self.mini.root / ".git/index.lock"
        lock.touch()
        files = {path: path.read_bytes() for path in sorted((self.mini.root / "waves").iterdir())}
        for path in self.random.sample(sorted(files), self.random.randrange(1, len(files) + 1)):
            path.unlink()
        self.clock.at += self.random.choice((60, 1800))
        self.run()
        for path, text in files.items():
            path.write_bytes(text)
        lock.unlink()


def play_storage(seed: int) -> None:
    """Play one seed. Raises Violation."""
    with TemporaryDirectory() as folder, mock.patch.object(replaced, "PATIENCE", 1):
        world = StorageWorld(Path(folder), seed)
        for _ in range(STEPS):
            world.step()
        world.clock.at += 7200
        world.run()
        if lost := {i for i, record in world.mini.records.items() if record["status"] == "pending"}:
            raise Violation("nothing lost", f"{sorted(lost)} never left")
