"""What lies far ahead is passed over in one step; the plan is the one that a closer look would make."""

from __future__ import annotations

import random
from unittest.mock import patch

import msgspec
import pytest
from declaring import entry, wave

from scheduler.checkout.source import Source
from scheduler.planning.plan import Plan, Surroundings, not_yet_due
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.state.record import Record, State, advance
from scheduler.times import Instant, instant_text, read_time

NOW = read_time("2026-03-01T12:00:00Z")
HOUR = 3600
NEVER = State(version=2, lineage="l", serial=1)

HOURS = [-2, 0, 1, 20, 24, 25, 26, 30, 49, 72, 200]
WAVES = ["", "", "", "paused: true\n", "on_failure: halt\n", "catch_up: 5m\n", "broken\n"]
MEMBERS = ["{}", "{}", "{}", "{{id: {}, paused: true}}", "{{id: {}, cancelled: true}}"]
CHANNELS = ["", "", "", "lead: 6h", "lead: 2d", "paused: true", "active: false", "broken"]
SETTINGS = [
    "",
    "freezes: [{from: 2026-03-01T00:00:00Z, until: 2026-03-02T18:00:00Z}]",
    "freezes: [{from: 2026-03-02T12:00:00Z, until: 2026-03-05T00:00:00Z, channels: [alpha]}]",
]


def repository(chance: random.Random) -> list[Source]:
    """Three channels and three waves with a few of the things that hold a schedule back."""
    names = ["alpha", "beta", "gamma"]
    sources = [
        Source(
            kind="channel",
            file=f"channels/{name}.yaml",
            content=f"repository: acme/{name}\n{chance.choice(CHANNELS)}\n".encode(),
        )
        for name in names
    ]
    for name in "abc":
        at = instant_text(NOW + chance.choice(HOURS) * HOUR + chance.randrange(3) * 60)
        members = [chance.choice(MEMBERS).format(channel) for channel in names]
        if chance.random() < 0.5:
            one = entry(f"video-{name}", at, *members)
        else:
            waits = chance.choice(["true", "false"])
            one = entry(f"video-{name}", at, *members, kind="staggered", delay="1h", after_success=waits)
        text = chance.choice(WAVES) + wave(one)
        sources.append(Source(kind="wave", file=f"waves/{name}.yaml", content=text.encode()))
    text = f"conflicts: {{min_gap: {chance.choice(['0s', '0s', '4h'])}}}\n{chance.choice(SETTINGS)}\n"
    return [*sources, Source(kind="scheduler", file="scheduler.yaml", content=text.encode())]


def look(sources: list[Source], state: State, now: Instant, stopped: bool) -> Reconciled:
    surroundings = Surroundings(stopped=stopped, tokens=frozenset({"GITHUB_TOKEN"}))
    return reconcile(sources, state, {}, now, surroundings)


def look_closely(sources: list[Source], state: State, now: Instant, stopped: bool) -> Reconciled:
    with patch.object(not_yet_due, "_unheld_channels", lambda _: {}):
        return look(sources, state, now, stopped)


@pytest.mark.parametrize("seed", range(200))
def test_a_plan_is_the_same_as_if_every_record_had_been_looked_at(seed: int) -> None:
    chance = random.Random(seed)
    state, now, sources = NEVER, NOW, repository(chance)
    for _ in range(3):
        sources = [
            chance.choice([old, old, new]) for old, new in zip(sources, repository(chance), strict=True)
        ]
        stopped = chance.random() < 0.1
        reconciled, closely = look(sources, state, now, stopped), look_closely(sources, state, now, stopped)
        assert (reconciled.plan, reconciled.booked) == (closely.plan, closely.booked)
        state = msgspec.structs.replace(state, schedules=confirmed(reconciled, now, chance))
        now += chance.choice([1, 20, 30]) * HOUR


def confirmed(reconciled: Reconciled, now: Instant, chance: random.Random) -> dict[str, Record]:
    """The records as they are once some channels were asked whether they are ready."""
    records = dict(reconciled.booked)
    for change in reconciled.plan.changes:
        if change.action == "confirm" and change.before is not None:
            checked = instant_text(now)
            was = change.before
            asked = msgspec.structs.replace(was, checked_at=checked, unconfirmed="no workflow")
            ready = msgspec.structs.replace(was, checked_at=checked)
            if was.status == "pending":
                ready = advance(was, "scheduled", now, "its channel is ready", checked_at=checked)
            records[change.schedule_id] = chance.choice([asked, ready])
    return records


def test_what_lies_far_ahead_is_not_looked_at() -> None:
    sources = [
        Source(kind="channel", file="channels/alpha.yaml", content=b"queue: q\nlead: 1h\n"),
        Source(
            kind="wave",
            file="waves/a.yaml",
            content=wave(entry("v", instant_text(NOW + 50 * HOUR), "alpha")).encode(),
        ),
    ]
    with patch("scheduler.planning.plan.pending.proceed", side_effect=AssertionError("a closer look")):
        plan: Plan = look(sources, NEVER, NOW, False).plan
    assert plan.next_due == NOW + 49 * HOUR
    assert plan.wake == NOW + 25 * HOUR


def test_what_a_rule_holds_back_is_not_passed_over() -> None:
    def declared(*hours: int) -> list[Source]:
        entries = [entry(f"v{hour}", instant_text(NOW + hour * HOUR), "alpha", group=f"g{i}")
                   for i, hour in enumerate(hours)]  # fmt: skip
        return [
            Source(kind="channel", file="channels/alpha.yaml", content=b"queue: q\nname: Alpha\n"),
            Source(kind="wave", file="waves/a.yaml", content=wave(*entries).encode()),
        ]

    state = msgspec.structs.replace(NEVER, schedules=dict(look(declared(40, 45), NEVER, NOW, False).booked))
    plan = look(declared(50, 50), state, NOW, False).plan
    assert plan == look_closely(declared(50, 50), state, NOW, False).plan
    assert plan.next_due is None
