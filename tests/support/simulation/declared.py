"""What the editors of a simulated repository declare: files for the scheduler, and plain facts for the rules.

The facts are worked out here by themselves, so that a mistake of the reader shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from scheduler.checkout.source import Source
from scheduler.desired.declarations import Declarations, declare
from scheduler.diagnostics import Diagnostic
from scheduler.times import instant_text, read_utc, zone_release

START = read_utc("2026-03-01T12:00:00Z")
NAMES = ("alpha", "beta", "gamma", "delta")
TOKENS = ("ACME_TOKEN", "OTHER_TOKEN")
FOLDER = "media"
"""The folder of the repository whose state it is."""


def declare_once(sources: Iterable[Source]) -> tuple[Declarations | None, list[Diagnostic]]:
    """Equal files are parsed once for each release of the zone data; the sources must be a tuple."""
    return _declare(sources, zone_release())


@lru_cache(maxsize=256)
def _declare(sources: Iterable[Source], release: str) -> tuple[Declarations | None, list[Diagnostic]]:
    return declare(sources)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One schedule as one version of the files declares it. Times are epoch seconds."""

    wave: str
    group: str
    channel: str
    at: int
    position: int
    catch_up: int
    is_cancelled: bool
    is_paused: bool
    """By itself, its wave or its channel."""
    halt: bool
    after_success: bool
    lead: int
    token: str


@dataclass(frozen=True, kw_only=True)
class Version:
    """What was declared at one time, as files and as facts."""

    sources: tuple[Source, ...]
    members: Mapping[str, Member]
    """By schedule id; the waves that can be read."""
    unreadable: frozenset[str]
    """Waves whose file is broken."""

    def withdraws(self, schedule_id: str) -> bool:
        """Whether it says that this schedule must not be sent: cancelled, paused, or not there."""
        if schedule_id.partition("/")[0] in self.unreadable:
            return False  # unreadable is not withdrawn
        member = self.members.get(schedule_id)
        return member is None or member.is_cancelled or member.is_paused


@dataclass
class Channel:
    """One channel as its editors have it."""

    name: str
    delivery: str = "at-most-once"
    confirm: str = "accepted"
    lead: int = 0
    token: str = TOKENS[0]
    paused: bool = False

    @classmethod
    def by_chance(cls, name: str, random: Random) -> Channel:
        return cls(
            name,
            delivery=random.choice(("at-most-once", "at-least-once")),
            confirm=random.choice(("accepted", "accepted", "run")),
            lead=600 if random.random() < 0.2 else 0,
            token=TOKENS[random.random() < 0.2],
        )

    def text(self) -> bytes:
        lines = [
            f"repository: acme/{self.name}",
            f"token: {self.token}",
            f"delivery: {self.delivery}",
            f"confirm: {self.confirm}",
            f"lead: {self.lead}s",
            f"paused: {str(self.paused).lower()}",
        ]
        return ("\n".join(lines) + "\n").encode()


@dataclass
class Wave:
    """One wave of one entry, as its editors change it."""

    name: str
    at: int
    members: dict[str, str]
    """Channel -> "", "paused" or "cancelled", in order."""
    type: str = "simultaneous"
    delay: int = 0
    halt: bool = False
    after_success: bool = False
    catch_up: int = 2700
    paused: bool = False
    cancelled: bool = False
    there: bool = True
    broken: bool = False

    @classmethod
    def by_chance(cls, name: str, random: Random) -> Wave:
        kind = random.choice(("simultaneous", "staggered"))
        return cls(
            name,
            type=kind,
            at=START + random.randrange(60, 3600),
            delay=random.choice((0, 120, 600)),
            halt=random.random() < 0.3,
            after_success=kind == "staggered" and random.random() < 0.25,
            catch_up=random.choice((2700, 2700, 900)),
            members=dict.fromkeys(random.sample(NAMES, random.randrange(1, 4)), ""),
        )

    def text(self) -> bytes:
        lines = [
            f"title: {self.name}",
            f"paused: {str(self.paused).lower()}",
            f"cancelled: {str(self.cancelled).lower()}",
            f"catch_up: {self.catch_up}s",
            f"on_failure: {'halt' if self.halt else 'continue'}",
            "schedules:",
            f"  - type: {self.type}",
            f"    video: {self.name}",
            f"    at: {instant_text(self.at)}",
        ]
        if self.type == "staggered":
            lines += [f"    delay: {self.delay}s", f"    after_success: {str(self.after_success).lower()}"]
        lines.append("    channels:")
        for channel, flag in self.members.items():
            lines.append(f"      - {{ id: {channel}{f', {flag}: true' if flag else ''} }}")
        if self.broken:
            lines.append("   }} an editor was interrupted here")
        return ("\n".join(lines) + "\n").encode()

    def facts(self, channels: Mapping[str, Channel]) -> dict[str, Member]:
        """Its schedules by id."""
        return {
            f"{self.name}/{self.name}/{name}": Member(
                wave=self.name,
                group=f"{self.name}/{self.name}",
                channel=name,
                at=self.at + (self.delay * place if self.type == "staggered" else 0),
                position=place,
                catch_up=self.catch_up,
                is_cancelled=self.cancelled or flag == "cancelled",
                is_paused=self.paused or flag == "paused" or channels[name].paused,
                halt=self.halt,
                after_success=self.after_success and self.type == "staggered",
                lead=channels[name].lead,
                token=channels[name].token,
            )
            for place, (name, flag) in enumerate(self.members.items())
        }

    def edit(self, random: Random, now: float) -> None:
        """Something that an editor does at any time."""
        what = random.randrange(9)
        name = random.choice(list(self.members))
        if what == 0:
            self.paused = not self.paused
        elif what == 1:
            self.members[name] = random.choice(("", "paused", "cancelled"))
        elif what in (2, 8):
            self.at = int(now) + random.randrange(-600, 1800)
        elif what == 3:
            self.there = not self.there
        elif what == 4:
            self.cancelled = not self.cancelled
        elif what == 5 and len(self.members) > 1:
            del self.members[name]
        elif what == 6 and len(self.members) < len(NAMES):
            self.members[random.choice([other for other in NAMES if other not in self.members])] = ""
        elif what == 7:
            self.broken = not self.broken
        else:
            self.halt = not self.halt


def version_of(channels: Sequence[Channel], waves: Sequence[Wave], settings: str) -> Version:
    """What is declared now."""
    files = [Source("channel", f"channels/{one.name}.yaml", one.text()) for one in channels]
    files += [Source("wave", f"waves/{wave.name}.yaml", wave.text()) for wave in waves if wave.there]
    files.append(Source("scheduler", "scheduler.yaml", settings.encode()))
    by_name = {channel.name: channel for channel in channels}
    members: dict[str, Member] = {}
    for wave in waves:
        if wave.there and not wave.broken:
            members |= wave.facts(by_name)
    return Version(
        sources=tuple(files),
        members=members,
        unreadable=frozenset(wave.name for wave in waves if wave.there and wave.broken),
    )
