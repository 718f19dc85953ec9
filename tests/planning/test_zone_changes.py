"""A rule of a zone changes under a recorded state: nothing is published twice, nothing is forgotten.

The zone `America/Vancouver` is synthetic: each release of the zone data gives it an offset for good, so that
a local time has another instant in each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zone_data import release

from scheduler.checkout.source import Source
from scheduler.planning.local_times import by_zones_in_use
from scheduler.planning.plan import Surroundings
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.state.codec import decode, encode
from scheduler.state.record import Intent, Record, State, advance, note
from scheduler.times import Instant, ZoneData, installed_zones, instant_text, later, read_time, using_zones

ZONE = "America/Vancouver"
OLD, NEW, NEWER = (
    release(name, {ZONE: f"<-{hours:02}>{hours}"})
    for name, hours in (("2098z", 8), ("2099a", 7), ("2099b", 9))
)
"""18:00 in Vancouver is 02:00Z, 01:00Z and 03:00Z."""
HOUR = 3_600
START = read_time("2030-01-07T12:00:00Z")  # a Monday
CHANNEL = f"""\
repository: acme/van
timezone: {ZONE}
"""
SLOTS = CHANNEL + "slots: ['18:00']\nlineup: [v1, v2, v3, v4, v5, v6, v7, v8, v9]\n"
WAVE = f"""\
schedules:
  - {{ type: staggered, group: g, video: w, at: '2030-01-08T18:00', delay: 30m, timezone: {ZONE},
      channels: [van, two] }}
"""
ONE_OFF = CHANNEL + "schedules:\n  - { video: o, at: '2030-01-08T18:00' }\n"
LIVES = {
    "a slot": {"channels/van.yaml": SLOTS},
    "a wave": {"channels/van.yaml": CHANNEL, "channels/two.yaml": CHANNEL, "waves/w.yaml": WAVE},
    "a one-off": {"channels/van.yaml": ONE_OFF},
}
SETTINGS = "horizon: 4d\nbrake: { cancel_percent: 1, at_least: 1 }\nconflicts: { repeat_window: 7d }\n"


def sources(files: dict[str, str]) -> list[Source]:
    kinds = {"channels": "channel", "waves": "wave", "scheduler.yaml": "scheduler"}
    return [
        Source(kind=kinds[name.split("/")[0]], file=name, content=text.encode())  # type: ignore[arg-type]
        for name, text in {"scheduler.yaml": SETTINGS, **files}.items()
    ]


class World:
    """One state, and a machine for each run: its zone data, its files and its instant."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.state = State(version=2, lineage="l", serial=1)
        self.sent: list[tuple[str, str | None, str | None]] = []
        """Channel, video and local time of each request that was made."""

    def look(self, zones: ZoneData, now: Instant) -> Reconciled:
        with using_zones(zones):
            surroundings = Surroundings(tokens=frozenset({"GITHUB_TOKEN"}))
            return reconcile(sources(self.files), self.state, {}, now, surroundings)

    def run(self, zones: ZoneData, now: Instant, answer: str = "completed") -> Reconciled:
        """A run that records, sends what is due, and gets one answer for all of it."""
        found = self.look(zones, now)
        records = dict(found.booked)
        for send in found.plan.sends:
            record = records[send.schedule_id]
            self.sent.append((record.channel_id, record.video_id, record.local_time))
            records[send.schedule_id] = answered(record, now, answer)
        newest = max(self.state.zone_release or "", zones.release)
        state = msgspec.structs.replace(
            self.state, serial=self.state.serial + 1, schedules=records, zone_release=newest
        )
        self.state = decode(encode(state), "state.json", trust_checksum=False)
        return found

    def retry(self, now: Instant) -> None:
        """What `scheduler retry` does to all that failed; it refuses where another slot has the video."""
        known = self.state.schedules
        taken = {record.video_id for record in known.values() if record.slot and record.status != "failed"}
        for name, record in list(known.items()):
            if record.status == "failed" and not (record.slot and record.video_id in taken):
                taken.add(record.video_id if record.slot else None)
                known[name] = advance(
                    record, "pending", now, "retried", reason=None, retried_at=instant_text(now)
                )

    @property
    def times(self) -> list[str]:
        return [record.scheduled_at for _, record in sorted(self.state.schedules.items())]


def answered(record: Record, now: Instant, answer: str) -> Record:
    moment = instant_text(now)
    intent = Intent(owner="n", at=moment, key="k", not_after=moment, transport="repository_dispatch")
    record = advance(record, "executing", now, "sending", intent=intent, attempts=1, executed_at=moment)
    if answer == "executing":
        return record
    if answer == "refused once":
        return advance(record, "pending", now, "not now", intent=None, next_attempt_at=None)
    reason = "rejected" if answer == "failed" else None
    status = "failed" if answer == "failed" else "completed"
    return advance(record, status, now, answer, reason=reason, accepted_at=moment)  # type: ignore[arg-type]


def errors(found: Reconciled) -> list[str]:
    return [str(fault) for fault in found.diagnostics if fault.is_error]


# --- examples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LIVES)
def test_what_was_not_sent_moves_with_the_zone_and_the_reason_names_both_releases(kind: str) -> None:
    world = World(LIVES[kind])
    world.run(OLD, START)
    before = len(world.state.schedules)
    found = world.run(NEW, START + HOUR)
    assert errors(found) == []
    updates = [change for change in found.plan.changes if change.action != "confirm"]
    assert [change.action for change in updates] == ["update"] * before
    assert all("(America/Vancouver: tzdata 2098z -> 2099a)" in change.reason for change in updates)
    assert all("T01:" in time for time in world.times), world.times
    for name, record in world.state.schedules.items():
        assert record.wave_id or name == f"van/{record.scheduled_at}", "the id is that of the new instant"
        assert record.first_id is None
    again = world.run(NEW, START + HOUR)
    assert [change for change in again.plan.changes if change.action != "confirm"] == []


@pytest.mark.parametrize("kind", LIVES)
@pytest.mark.parametrize("answer", ["completed", "executing", "failed"])
@pytest.mark.parametrize("newer", [NEW, NEWER])
def test_what_was_sent_stays_as_it_is_and_green(kind: str, answer: str, newer: ZoneData) -> None:
    world = World(LIVES[kind])
    world.run(OLD, START)
    world.run(OLD, read_time("2030-01-09T02:00:00Z"), answer)
    world.run(OLD, read_time("2030-01-09T02:30:00Z"), answer)
    sent = list(world.sent)
    assert sent
    for minute in range(0, 180, 15):
        found = world.run(newer, read_time("2030-01-09T02:40:00Z") + minute * 60)
        assert errors(found) == []
    assert world.sent == sent, "no second request for the same local time"


def test_an_older_release_moves_and_adopts_nothing_and_sends_the_rest_as_recorded() -> None:
    world = World({**LIVES["a wave"], "channels/van.yaml": SLOTS})
    world.run(NEW, START)
    before = world.state.schedules
    world.files["waves/later.yaml"] = WAVE.replace("group: g, video: w", "group: h, video: x").replace(
        "-08T", "-11T"
    )
    found = world.run(OLD, START + HOUR)
    assert world.state.schedules == before
    assert [fault.partition("[")[2] for fault in errors(found)] == ["zone-data]"]
    assert "older than that of the state (tzdata 2099a)" in errors(found)[0]
    world.run(OLD, read_time("2030-01-09T01:00:00Z"))
    assert [(channel, video) for channel, video, _ in world.sent] == [("van", "w")], (
        "and in its place no slot"
    )
    assert world.state.zone_release == "2099a"


def test_an_edited_local_time_is_held_by_an_older_release() -> None:
    world = World(dict(LIVES["a wave"]))
    world.run(NEW, START)
    world.files["waves/w.yaml"] = WAVE.replace("T18:00", "T20:00")
    for minute in range(-10, 240, 10):
        world.run(OLD, read_time("2030-01-09T01:00:00Z") + minute * 60)
    assert world.sent == [], "sent at neither time"


def test_what_was_handed_over_and_would_be_public_at_another_time_is_a_warning() -> None:
    world = World({"channels/van.yaml": ONE_OFF + "lead: 6h\n"})
    world.run(OLD, START)
    world.run(OLD, read_time("2030-01-08T20:00:00Z"))
    (name,) = world.state.schedules
    run = note(
        world.state.schedules[name], START, "found", run_url="https://github.com/acme/van/actions/runs/7"
    )
    world.state.schedules[name] = run
    found = world.run(NEW, read_time("2030-01-08T21:00:00Z"))
    (warning,) = found.diagnostics
    assert not warning.is_error
    assert warning.message == (
        "channel van publishes van/2030-01-09T02:00:00Z at 2030-01-09T02:00:00Z, as it was handed over "
        "(https://github.com/acme/van/actions/runs/7); by the zone data in use, its time is "
        "2030-01-09T01:00:00Z (America/Vancouver: tzdata 2098z -> 2099a)"
    )
    assert len(world.sent) == 1


def test_a_slot_for_which_a_request_was_made_moves_and_keeps_its_id() -> None:
    world = World({"channels/van.yaml": SLOTS})
    world.run(OLD, START)
    world.run(OLD, read_time("2030-01-08T02:00:00Z"), "refused once")
    world.run(NEWER, read_time("2030-01-08T02:05:00Z"))
    assert world.state.schedules["van/2030-01-08T02:00:00Z"].scheduled_at == "2030-01-08T03:00:00Z"
    world.run(NEWER, read_time("2030-01-08T03:00:00Z"))
    assert world.state.schedules["van/2030-01-08T02:00:00Z"].status == "completed"
    assert world.sent[-1] == ("van", "v1", "2030-01-07T18:00:00")


@pytest.mark.parametrize("first", ["slots: ['18:00', '19:00']", "slots: ['19:00']", "a wave"])
def test_a_slot_that_new_zone_data_moves_to_the_instant_of_another_that_was_sent_is_sent_too(
    first: str,
) -> None:
    """19:00 by the newer data is the instant that 18:00 was by the older."""
    slots = first if first.startswith("slots") else "slots: ['19:00']"
    files = {"channels/van.yaml": CHANNEL + f"{slots}\nlineup: [v1, v2, v3, v4, v5, v6, v7, v8, v9]\n"}
    if first == "a wave":
        files |= {"channels/two.yaml": CHANNEL, "waves/w.yaml": WAVE}
    elif "18:00" not in first:
        files["channels/van.yaml"] += "schedules:\n  - { video: o, at: '2030-01-08T18:00' }\n"
    world = World(files)
    world.run(OLD, START)
    world.run(OLD, read_time("2030-01-08T12:00:00Z"))
    world.run(OLD, read_time("2030-01-09T02:00:00Z"))
    assert world.sent[-1][2] == "2030-01-08T18:00:00"
    for zones in (NEW, OLD):
        found = world.run(zones, read_time("2030-01-09T02:05:00Z"))
        assert errors(found)[: zones is NEW] == []
    assert [change.action for change in found.plan.changes if change.action == "cancel"] == []
    assert world.sent[-1][2] == "2030-01-08T19:00:00"


def test_a_slot_that_new_zone_data_moves_too_far_back_is_missed_and_its_video_is_not_used_twice() -> None:
    world = World({"channels/van.yaml": SLOTS, "scheduler.yaml": SETTINGS + "catch_up: 30m\n"})
    world.run(OLD, START)
    found = world.run(NEW, read_time("2030-01-08T01:45:00Z"))
    assert errors(found) == []
    assert ("miss", "van/2030-01-08T01:00:00Z") in [(c.action, c.schedule_id) for c in found.plan.changes]
    again = world.run(NEW, read_time("2030-01-08T01:46:00Z"))
    assert [change for change in again.plan.changes if change.action != "confirm"] == []
    missed, following = (record for _, record in sorted(world.state.schedules.items())[:2])
    assert (missed.status, missed.scheduled_at) == ("failed", "2030-01-08T01:00:00Z")
    assert following.video_id == "v1"


def test_a_one_off_that_replaces_a_slot_replaces_it_after_the_zone_changed() -> None:
    world = World(
        {"channels/van.yaml": SLOTS + "schedules:\n  - { at: '2030-01-09T02:00:00Z', paused: true }\n"}
    )
    world.run(OLD, START)
    for hour in range(48):
        world.run(NEW, START + hour * HOUR)
    assert [local for _, _, local in world.sent] == ["2030-01-07T18:00:00"]


def test_moving_a_daily_slot_by_an_hour_moves_what_is_recorded() -> None:
    world = World({"channels/van.yaml": SLOTS})
    world.run(OLD, START)
    videos = [record.video_id for _, record in sorted(world.state.schedules.items())]
    world.files["channels/van.yaml"] = SLOTS.replace("18:00", "19:00")
    found = world.run(OLD, START + HOUR)
    assert errors(found) == []
    assert {change.action for change in found.plan.changes} <= {"update", "confirm"}
    assert [record.video_id for _, record in sorted(world.state.schedules.items())] == videos
    assert all("T03:00:00Z" in name for name in world.state.schedules)
    assert ", was van/2030-01-08T02:00:00Z" in found.plan.changes[0].reason


def test_a_weekly_slot_that_moves_within_its_week_takes_its_video_with_it() -> None:
    world = World({"channels/van.yaml": SLOTS.replace("18:00", "Tue 18:00")})
    world.run(OLD, START)
    assert world.times == ["2030-01-09T02:00:00Z"]
    world.files["channels/van.yaml"] = SLOTS.replace("18:00", "Thu 18:00")
    found = world.run(OLD, START + HOUR)
    assert [change.action for change in found.plan.changes] == ["update"]
    assert world.times == ["2030-01-11T02:00:00Z"]


def test_a_slot_that_finds_no_other_counts_for_the_brake() -> None:
    world = World({"channels/van.yaml": SLOTS})
    world.run(OLD, START)
    world.files["channels/van.yaml"] = CHANNEL
    assert "[brake]" in errors(world.look(OLD, START + HOUR))[0]


# --- every instant of a life ------------------------------------------------------------------------

EDGES = [
    read_time(f"2030-01-{day:02}T{hour:02}:{minute:02}:00Z")
    for day in (8, 9, 10)
    for hour, minute in ((0, 30), (1, 0), (1, 5), (2, 0), (2, 5), (2, 30), (3, 0), (3, 5), (3, 30), (12, 0))
]
machines = st.sampled_from([OLD, NEW, NEWER])
answers = st.sampled_from(["completed", "completed", "executing", "failed", "refused once"])


@given(
    kind=st.sampled_from(sorted(LIVES)),
    visits=st.lists(
        st.tuples(st.sampled_from(EDGES), machines, answers, st.booleans()), min_size=2, max_size=10
    ),
)
def test_whenever_a_rule_changes_nothing_is_published_twice_forgotten_or_red(
    kind: str, visits: Sequence[tuple[Instant, ZoneData, str, bool]]
) -> None:
    world = World(dict(LIVES[kind]))
    world.run(visits[0][1], START)
    for now, zones, answer, retried in sorted(visits, key=lambda visit: visit[0]):
        if retried:
            world.retry(now)
        sent = {name for name, record in world.state.schedules.items() if record.was_sent}
        newest = world.state.zone_release or ""
        found = world.run(zones, now, answer)
        codes = {fault.code for fault in found.diagnostics if fault.is_error}
        assert codes == ({"zone-data"} if zones.release < newest else set())
        assert not {s.schedule_id for s in found.plan.sends} & sent
        cancelled = [c for c in found.plan.changes if c.action == "cancel"]
        assert cancelled == [], "nothing is withdrawn, as nothing was edited"
        accepted = Counter(
            (record.channel_id, record.local_time)
            for record in world.state.schedules.values()
            if record.was_sent
        )
        assert max(accepted.values(), default=1) == 1, "one publication for each local time"
        videos = Counter(r.video_id for r in world.state.schedules.values() if r.was_sent and r.slot)
        assert max(videos.values(), default=1) == 1, "and each video of the lineup once"
    last = max(visits, key=lambda visit: visit[0])[0]
    waiting = {put_off.schedule_id for put_off in found.plan.put_off}  # a retried one keeps `min_gap`
    for name, record in world.state.schedules.items():
        is_forgotten = record.is_unsent_live and record.at + 2 * HOUR < last and record.attempts == 0
        assert not is_forgotten or name in waiting


@pytest.mark.parametrize("seconds", [0, 1, -900, 5_400, -5_400, 86_400, -90_061, 40 * 366 * 86_400])
def test_a_time_before_or_after_a_local_time_is_read_as_it_was_written(seconds: int) -> None:
    declared = read_time("2030-03-01T17:00:00Z")
    text = later("2030-03-01T18:00:00", seconds)
    assert by_zones_in_use(text, "Europe/Berlin", 0) == declared + seconds


NEAR = WAVE + "  - { type: simultaneous, video: n, at: '2030-01-09T01:45:30Z', channels: [van] }\n"
"""It has a publication half a minute from where `van` is at a shift of -15 minutes."""


def test_a_member_earlier_than_its_group_s_local_time_is_compared_with_its_neighbours() -> None:
    wave = NEAR.replace("channels: [van, two]", "channels: [{ id: van, shift: -15m }, two]")
    world = World({"channels/van.yaml": CHANNEL, "channels/two.yaml": CHANNEL, "waves/w.yaml": wave})
    (clash,) = errors(world.look(OLD, START))
    assert "w/n/van (2030-01-09T01:45:30Z) and w/g/van (2030-01-09T01:45:00Z) are only 30s apart" in clash
    world.run(OLD, START)
    assert {name: record.local_time for name, record in world.state.schedules.items()} == {
        "w/g/two": "2030-01-08T18:00:00+15m"
    }


def test_a_local_time_in_a_zone_that_the_data_does_not_have_stays_where_it_is() -> None:
    assert by_zones_in_use("2030-03-01T18:00:00", "America/Coyhaique", 7) != 7
    newest = installed_zones()
    with using_zones(ZoneData("2025a", newest.names - {"America/Coyhaique"}, newest.read)):
        assert by_zones_in_use("2030-03-01T18:00:00", "America/Coyhaique", 7) == 7
