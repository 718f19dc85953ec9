"""Two machines with different zone data on one state: a rule of a zone moves, on one of them first.

The zone is synthetic: each release of the zone data has another offset for good. What is declared never
changes: slots, one-offs and a wave, all in local time. Runners start on either machine by chance, crash and
race, and the machines are upgraded in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import permutations
from random import Random

from zone_data import release

from scheduler.checkout.source import Source
from scheduler.state.record import Intent, Record, State
from scheduler.times import ZoneData, instant_text, read_duration, read_time, read_utc, using_zones

from .declared import Channel, Version
from .driver import Chance, DisturbedHistory, retry_of, run
from .invariants import Judge
from .world import Process, World

ZONE = "America/Vancouver"
OFFSETS = ("8:00", "8:20", "8:40", "9:00", "9:20")
"""What the releases put the zone behind UTC by."""
MOVES = tuple(permutations(OFFSETS, 3))
LOCAL_START = datetime(2026, 3, 1, 4, 10)  # noqa: DTZ001 - a local time
"""At START every release shows an earlier local time: all that is declared is still to come."""
Local = tuple[str, str, str]
"""Channel, wave or "", local time: what a publication is, whatever instant the zone data makes of it."""


@lru_cache
def releases(number: int) -> tuple[ZoneData, ...]:
    """Three releases, from the oldest to the newest; no other number has one of the same name."""
    return tuple(
        release(f"{2100 + number}{letter}", {ZONE: f"<LOC>{offset}"})
        for letter, offset in zip("abc", MOVES[number], strict=True)
    )


def local_of(record: Record) -> Local:
    return record.channel_id, record.wave_id or "", record.local_time or ""


def instant_by(zones: ZoneData, local_time: str) -> int:
    """The instant of a recorded local time, with its delay, by one release."""
    time, _, delay = local_time.partition("+")
    with using_zones(zones):
        return read_time(f"{time} {ZONE}") + (read_duration(delay) if delay else 0)


class Unedited(Version):
    """What nobody edits: nothing in it is ever withdrawn, and its ids are those of local times."""

    def withdraws(self, schedule_id: str) -> bool:
        return False


class ZonedJudge(Judge):
    """The rules; what a record was before is found by its local time, since ids move with instants."""

    def __init__(self, world: World, zones: Iterable[ZoneData], leads: Mapping[str, int]) -> None:
        super().__init__(world)
        self.by_release = {one.release: one for one in zones}
        self.leads = leads
        self.known_by: dict[Local, str] = {}
        """The newest release of a run that saved while it was not under way."""
        self.locals: set[Local] = set()
        """All that was ever recorded."""
        self.ids_by_local: dict[Local, set[str]] = defaultdict(set)
        self.ids_by_video: dict[tuple[str, str | None], set[str]] = defaultdict(set)
        """Of what was published."""

    def see_save(self, process: Process, before: State, after: State, message: str) -> None:
        super().see_save(process, before, after, message)
        for record in before.schedules.values():
            if record.status not in ("executing", "failed") and not process.is_person:
                known = self.known_by.get(local_of(record), "")
                self.known_by[local_of(record)] = max(known, process.zones.release)
        if (after.zone_release or "") < max(before.zone_release or "", process.zones.release):
            self.fail("monotone", f"the newest zone data is {after.zone_release}, by {process.name}")

    def _before_save(self, before: State, schedule_id: str, record: Record) -> Record | None:
        same = [i for i, old in before.schedules.items() if local_of(old) == local_of(record)]
        if len(same) > 1:
            self.fail("one effect", f"{local_of(record)} is recorded {len(same)} times")
        requested = {effect.schedule_id for effects in self.effects.values() for effect in effects}
        if same and same[0] != schedule_id and same[0] in requested:
            self.fail("monotone", f"{same[0]} has the id {schedule_id} after a request")
        return before.schedules[same[0]] if same else None

    def see_ids(self, state: State, archive: Mapping[str, Record]) -> None:
        """No local time is ever forgotten, and none is there twice."""
        known = [local_of(record) for record in [*state.schedules.values(), *archive.values()]]
        if lost := self.locals - {*known}:
            self.fail("never forgotten", f"{sorted(lost)}")
        self.locals.update(known)
        if len(known) > len({*known}):
            self.fail("one effect", f"one local time has two records: {sorted(known)}")

    def _see_step(self, process: Process, schedule_id: str, old: Record, new: Record) -> None:
        super()._see_step(process, schedule_id, old, new)
        if new.status == "cancelled":
            self.fail("as declared", f"{schedule_id} by {process.name} was withdrawn, and nobody edited it")
        if old.was_sent and (new.at, new.local_time) != (old.at, old.local_time):
            self.fail("as declared", f"{schedule_id} was sent for {old.scheduled_at}, and moved")

    def _see_time(
        self, process: Process, schedule_id: str, old: Record | None, new: Record, intent: Intent
    ) -> None:
        """It leaves not before its local time by the newest data of a run that recorded it, or by its own.

        What was under way meanwhile stays as it is, and so do the further attempts of its run.
        """
        super()._see_time(process, schedule_id, old, new, intent)
        if old is not None and old.status == "executing":
            return
        newest = max(self.known_by.get(local_of(new), ""), process.zones.release)
        at, began = instant_by(self.by_release[newest], new.local_time or ""), read_utc(intent.at)
        if began < at - self.leads[new.channel_id]:
            self.fail(
                "in time",
                f"{schedule_id} goes at {intent.at}, for {instant_text(at)}; {process.zones.release}",
            )

    def see_publication(self, schedule_id: str) -> None:
        super().see_publication(schedule_id)
        record = self.world.state.schedules[schedule_id]
        self.ids_by_local[local_of(record)].add(schedule_id)
        if record.slot:
            self.ids_by_video[record.channel_id, record.video_id].add(schedule_id)
        for what, ids in [*self.ids_by_local.items(), *self.ids_by_video.items()]:
            if len(ids) > 1:
                self.fail("one effect", f"{what} was published as {sorted(ids)}")

    def see_applied(self, process: Process, state: State) -> None:
        """Whatever the zone data says, nothing is red but zone data that is too old, and that is."""
        super().see_applied(process, state)
        last = process.runner.report.last
        assert last is not None
        errors = {fault.code for fault in last.diagnostics if fault.is_error}
        expected = {"zone-data"} if process.zones.release < (state.zone_release or "") else set()
        if errors != expected:
            told = "; ".join(str(fault) for fault in last.diagnostics if fault.is_error)
            self.fail("as declared", f"{process.name} with {process.zones.release} reports: {told}")


class ZonedHistory(DisturbedHistory):
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)  # the same seed, the same history
        self.lives = Random(seed)
        self.releases = releases(random.randrange(len(MOVES)))
        self.machines = [0, 0]
        """The place of each machine's release in `releases`."""
        self.zones = self.releases[0]
        self.batch = random.choice((100, 100, 2, 1))
        self.edits, self.operations = random.choice(((0.03, 0.01), (0.06, 0.04)))
        channels = [Channel.by_chance(name, random) for name in ("alpha", "beta")]
        self.files, self.declared = self._declare(channels)
        attempts, pace = random.choice((1, 3, 3)), random.choice(("60/min", "60/min", "1/min"))
        settings = f"retry: {{ attempts: {attempts}, backoff: 1m }}\npace: {pace}\nhorizon: 3d\n"
        brake = "brake: { cancel_percent: 1, at_least: 1 }\n"
        super().__init__(Chance(random), channels, [], settings + brake)
        leads = {channel.name: channel.lead for channel in channels}
        self.world.judge = ZonedJudge(self.world, self.releases, leads)

    def _declare(self, channels: list[Channel]) -> tuple[tuple[Source, ...], set[Local]]:
        """Files, and what they declare: slots on alpha, one-offs and a wave on both.

        An instant of one release is often that of another local time in the next."""
        random = self.random
        minutes = random.sample(range(0, 200, 20), 8)
        texts = [LOCAL_START + timedelta(minutes=one) for one in minutes]
        slots, one_offs, (wave,) = texts[:4], texts[4:7], texts[7:]
        delay = random.choice((0, 2, 33))
        alpha, beta = (channel.text().decode() + f"timezone: {ZONE}\n" for channel in channels)
        alpha += f"slots: {[f'{one:%Y-%m-%d %H:%M}' for one in slots]}\n"
        alpha += f"lineup: {[f'v{number}' for number in range(9)]}\n"
        lines = [f"  - {{ video: o{minute:%H%M}, at: '{minute:%Y-%m-%dT%H:%M}' }}\n" for minute in one_offs]
        alpha += f"schedules:\n{lines[0]}"
        beta += f"schedules:\n{''.join(lines[1:])}"
        entry = f"""\
schedules:
  - {{ type: staggered, group: g, video: w, at: '{wave:%Y-%m-%dT%H:%M}', delay: {delay}m, timezone: {ZONE},
      channels: [alpha, beta] }}
"""
        later = f"+{delay}m" if delay else ""
        return (
            Source("channel", "channels/alpha.yaml", alpha.encode()),
            Source("channel", "channels/beta.yaml", beta.encode()),
            Source("wave", "waves/w.yaml", entry.encode()),
        ), {
            *(("alpha", "", one.isoformat()) for one in slots),
            ("alpha", "", one_offs[0].isoformat()),
            *(("beta", "", one.isoformat()) for one in one_offs[1:]),
            ("alpha", "w", wave.isoformat()),
            ("beta", "w", wave.isoformat() + later),
        }

    def publish(self) -> None:
        settings = Source("scheduler", "scheduler.yaml", self.settings.encode())
        version = Unedited(sources=(*self.files, settings), members={}, unreadable=frozenset())
        self.world.versions.append(version)

    def trouble(self) -> None:
        """All that is declared is recorded by the older release, before anything goes wrong."""
        self.finish(self.start())
        super().trouble()

    def start(self, work=run, **named):  # type: ignore[no-untyped-def]
        self.zones = self.releases[self.random.choice(self.machines)]
        return super().start(work, **named)

    def edit(self) -> None:
        """A machine gets a newer release."""
        machine = self.random.randrange(2)
        self.machines[machine] = min(self.machines[machine] + 1, len(self.releases) - 1)

    def operate(self) -> None:
        failed = [i for i, record in self.world.state.schedules.items() if record.status == "failed"]
        if self.random.random() < 0.3:
            self.world.is_stopped = not self.world.is_stopped
        elif failed:
            self.start(retry_of(self.random.choice(failed), resend=self.random.random() < 0.5))

    def dues(self) -> Iterable[int]:
        return [record.at for record in self.world.state.schedules.values()]

    def calm(self) -> None:
        """Both machines get the newest release."""
        super().calm()
        self.machines = [len(self.releases) - 1] * 2

    def check_end(self) -> None:
        super().check_end()
        known = {local_of(record) for record in self.world.state.schedules.values()}
        known |= {local_of(record) for record in self.world.archive.values()}
        if known != self.declared:
            self.world.judge.fail("nothing lost", f"{sorted(known ^ self.declared)}")


def play_zoned(seed: int) -> ZonedHistory:
    """Play one seed. Raises Violation."""
    history = ZonedHistory(seed)
    history.play()
    return history
