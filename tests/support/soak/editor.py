"""An editor who adds, moves, cancels, pauses, renames, breaks and deletes waves, and pushes each edit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from soak.processes import CHANNELS, Ground, now


@dataclass
class Entry:
    """One entry of a wave; `off` has members that are cancelled or paused, with which of the two."""

    type: str
    group: str
    video: str
    at: int
    delay: int
    channels: list[str]
    off: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.at))
        delay = f"delay: {self.delay}s, " if self.type == "staggered" else ""
        members = ", ".join(
            f"{{ id: {name}, {self.off[name]}: true }}" if name in self.off else name
            for name in self.channels
        )
        about = f"type: {self.type}, group: {self.group}, video: {self.video}, at: {at}"
        return f"  - {{ {about}, {delay}channels: [{members}] }}\n"


class Editor:
    """Edits what is declared. No publication is further ahead than `furthest` seconds."""

    def __init__(self, ground: Ground, chance: Random, furthest: float) -> None:
        self.furthest = furthest
        self._ground, self._chance = ground, chance
        self._waves: dict[str, list[Entry]] = {}
        self._renamed: dict[str, str] = {}
        self._broken: str | None = None
        self._count = 0
        self._taken: set[tuple[str, int]] = set()
        """Minutes of channels: no edit breaks `min-gap`."""

    def pause(self) -> float:
        """Seconds until the next edit."""
        return self._chance.uniform(30, 360)

    def edit(self) -> None:
        """One edit, committed and pushed. What has been over for hours is cleared away with it."""
        self.repair()
        for name, entries in list(self._waves.items()):
            if all(entry.at + entry.delay * len(entry.channels) + 4 * 3600 < now() for entry in entries):
                self._delete(name)
        verbs: list[Callable[[], str | None]] = [
            self._add,
            self._move,
            self._switch,
            self._use_the_clone,
            self._replace_video,
        ]
        verbs += [self._delete, self._rename, self._break]
        verb = self._chance.choices(verbs, weights=[45, 14, 14, 6, 5, 4, 4, 4])[0]
        message = verb() if verb == self._add or self._waves else self._add()
        if message is not None:
            self._ground.push(message)

    def repair(self) -> None:
        """Give a broken file its text again."""
        if self._broken is not None:
            self._write(self._broken)
            self._broken = None
            self._ground.push("mend what was broken")

    def _minute(self, channels: list[str], delay: int) -> int:
        """An instant ahead at which none of the channels has another publication."""
        while True:
            at = int(now() + self._chance.uniform(360, self.furthest)) // 60 * 60
            wanted = {(name, (at + i * delay) // 60) for i, name in enumerate(channels)}
            if not wanted & self._taken:
                self._taken |= wanted
                return at

    def _add(self) -> str:
        self._count += 1
        entries = []
        for number in range(self._chance.randint(1, 3)):
            kind = self._chance.choice(["simultaneous", "staggered"])
            channels = self._chance.sample(sorted(CHANNELS), self._chance.randint(1, len(CHANNELS)))
            delay = 0
            if kind == "staggered":
                delay = self._chance.choice([60, 180, 600])
            at = self._minute(channels, delay)
            entries.append(Entry(kind, f"g{number}", f"video-{self._count}-{number}", at, delay, channels))
        self._waves[f"w{self._count}"] = entries
        self._write(f"w{self._count}")
        return f"add w{self._count}"

    def _one(self) -> tuple[str, Entry]:
        """An entry, most often one that is ahead."""
        every = [(name, entry) for name, entries in self._waves.items() for entry in entries]
        ahead = [(name, entry) for name, entry in every if entry.at > now()]
        return self._chance.choice(ahead if ahead and self._chance.random() < 0.95 else every)

    def _move(self) -> str:
        name, entry = self._one()
        entry.at = self._minute(entry.channels, entry.delay)
        self._write(name)
        return f"move {name}/{entry.group}"

    def _switch(self) -> str:
        """Cancel or pause a member, or take that back."""
        name, entry = self._one()
        member = self._chance.choice(entry.channels)
        if entry.off.pop(member, None) is None:
            entry.off[member] = self._chance.choice(["cancelled", "paused"])
        self._write(name)
        return f"switch {name}/{entry.group}/{member}"

    def _use_the_clone(self) -> None:
        """The same by a command on the clone, in a wave of its own: the next pull merges."""
        ground = self._ground
        with ground.git_lock:
            names = [
                n
                for n, one in ground.records().items()
                if n.startswith("local") and one["status"] in ("pending", "scheduled")
            ]
            if not names or self._chance.random() < 0.5:
                channel = self._chance.choice(sorted(CHANNELS))
                at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._minute([channel], 0)))
                self._count += 1
                wave = f"local-{self._count}"
                options = ["--channels", channel, "--at", at, "--wave", wave, "--commit"]
                done = ground.scheduler("create", "simultaneous", f"video-{wave}", *options)
            else:
                done = ground.scheduler(
                    self._chance.choice(["cancel", "pause"]), self._chance.choice(names), "--commit"
                )
            print(
                f"{now():.0f} on the clone: {(done.stdout + done.stderr).strip().splitlines()[:1]}",
                flush=True,
            )

    def _replace_video(self) -> str:
        name, entry = self._one()
        self._count += 1
        entry.video = f"video-{self._count}-new"
        self._write(name)
        return f"replace the video of {name}/{entry.group}"

    def _delete(self, name: str = "") -> str:
        name = name or self._one()[0]
        del self._waves[name]
        self._file(name).unlink()
        return f"delete {name}"

    def _rename(self) -> str:
        name, _ = self._one()
        self._count += 1
        new = f"w{self._count}"
        self._waves[new] = self._waves.pop(name)
        self._renamed[new] = name
        self._file(name).unlink()
        self._write(new)
        return f"rename {name} to {new}"

    def _break(self) -> str:
        self._broken, _ = self._one()
        with self._file(self._broken).open("a") as file:
            file.write("  - { type: simultaneous, [\n")
        return f"break {self._broken}"

    def _write(self, name: str) -> None:
        was = f"renamed_from: {self._renamed[name]}\n" if name in self._renamed else ""
        text = f"{was}schedules:\n" + "".join(entry.text() for entry in self._waves[name])
        self._file(name).write_text(text)

    def _file(self, name: str) -> Path:
        return self._ground.desk / "waves" / f"{name}.yaml"
