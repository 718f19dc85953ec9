"""What holds for every repository, every record and every instant: properties of the whole pipeline.

A life is a list of days on each of which something is declared, a run comes, and its requests get answers.
Domains are small on purpose: a few channels, videos and times, so that most of them get in each other's way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.checkout.source import Source
from scheduler.planning.plan import Plan, Surroundings
from scheduler.planning.reconcile import Reconciled, reconcile
from scheduler.state.codec import decode, encode
from scheduler.state.record import Intent, Record, State, advance
from scheduler.times import Instant, instant_text, read_time

START = read_time("2026-03-01T12:00:00Z")
HOUR = 3600
BOOKED_ONLY = {"confirm", "lookup", "send"}
"""Actions that are carried out after the bookings, and planned again until they are."""


class Day(NamedTuple):
    """What is declared, when the run comes (hours after the one before), and how requests are answered."""

    sources: tuple[Source, ...]
    hours: float
    stopped: bool
    answers: tuple[str, ...]


def some(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


hours = st.integers(0, 40).map(lambda hour: instant_text(START + hour * HOUR // 2))
videos = some("u", "v", "w")
members = st.lists(
    st.tuples(some("alpha", "beta", "gamma"), some("", "", ", paused: true", ", cancelled: true")),
    min_size=1, max_size=3,
)  # fmt: skip


@st.composite
def entries(draw: st.DrawFn) -> str:
    kind = draw(some("simultaneous", "staggered"))
    lines = [
        f"type: {kind}",
        f"group: {draw(some('one', 'two'))}",
        f"video: {draw(videos)}",
        f"at: {draw(hours)}",
    ]
    if kind == "staggered":
        lines.append(f"delay: {draw(some('30m', '3h'))}")
        lines.append(f"after_success: {draw(some('true', 'false'))}")
    if draw(st.booleans()):
        listed = ", ".join(f"{{ id: {name}{more} }}" for name, more in draw(members))
        lines.append(f"channels: [{listed}]")
    else:
        lines.append("channels: { tags: [t] }")
    lines.append(f"repeat: {draw(some('true', 'false', 'false'))}")
    return "  - " + "\n    ".join(lines) + "\n"


@st.composite
def waves(draw: st.DrawFn) -> str:
    flags = draw(some("", "", "paused: true\n", "cancelled: true\n", "on_failure: halt\n", "nonsense\n"))
    return flags + "schedules:\n" + "".join(draw(st.lists(entries(), min_size=1, max_size=2)))


@st.composite
def channels(draw: st.DrawFn) -> str:
    lines = ["repository: acme/any", f"tags: {draw(some('[]', '[t]', '[t]'))}"]
    lines.append(draw(some("", "", "", "active: false", "paused: true", "lead: 2h", "tages: [t]")))
    if draw(st.booleans()):
        lines.append(f"slots: ['*-*-* {draw(some('13,15', '18', '18:30', '00/3'))}:00']")
        lines.append(f"lineup: [{', '.join(draw(st.lists(videos, max_size=4)))}]")
    one_offs = draw(
        st.lists(st.tuples(hours, some("", ", video: v", ", video: u, cancelled: true")), max_size=2)
    )
    lines.append(f"schedules: [{', '.join(f'{{ at: {at}{more} }}' for at, more in one_offs)}]")
    return "\n".join(lines) + "\n"


@st.composite
def days(draw: st.DrawFn) -> Day:
    files = {}
    for name in ("alpha", "beta", "gamma"):
        if draw(st.integers(0, 7)):
            files[f"channels/{name}.yaml"] = draw(channels())
    for name in ("spring", "summer"):
        if draw(st.integers(0, 3)):
            files[f"waves/{name}.yaml"] = draw(waves())
    freeze = f"freezes: [{{ from: {instant_text(START + HOUR)}, until: {instant_text(START + 9 * HOUR)} }}]\n"
    brake, dense = "brake: { cancel_percent: 10, at_least: 2 }\n", "horizon: 1d\nconflicts: { min_gap: 2h }\n"
    files["scheduler.yaml"] = draw(some("", "", freeze, brake, dense))
    kinds = {"channels": "channel", "waves": "wave", "scheduler.yaml": "scheduler"}
    sources = tuple(
        Source(kind=kinds[name.split("/")[0]], file=name, content=text.encode())  # type: ignore[arg-type]
        for name, text in files.items()
    )
    return Day(
        sources=sources,
        hours=draw(st.sampled_from([0, 0.5, 0.5, 2, 5, 24, 24 * 100])),
        stopped=draw(st.integers(0, 9)) == 0,
        answers=tuple(draw(st.lists(some("yes", "yes", "no", "unknown"), min_size=4, max_size=4))),
    )


lives = st.lists(days(), min_size=1, max_size=4)


def look(day: Day, now: Instant, state: State, archive: Mapping[str, Record]) -> Reconciled:
    surroundings = Surroundings(stopped=day.stopped, tokens=frozenset({"GITHUB_TOKEN"}))
    return reconcile(day.sources, state, archive, now, surroundings)


def saved(state: State, found: Reconciled, archive: dict[str, Record]) -> State:
    """The state once the bookings of a plan were saved, by way of its text."""
    archive.update(
        {c.schedule_id: c.before for c in found.plan.changes if c.action == "archive" and c.before}
    )
    after = msgspec.structs.replace(state, serial=state.serial + 1, schedules=dict(found.booked))
    return decode(encode(after), "state.json", trust_checksum=False)


def carried_out(state: State, plan: Plan, answers: tuple[str, ...]) -> State:
    """The state once the requests of a plan were answered in turn."""
    records = dict(state.schedules)
    for number, send in enumerate(plan.sends):
        answer = answers[number % len(answers)]
        moment = instant_text(plan.now)
        intent = Intent(owner="n", at=moment, key="k", not_after=moment, transport="repository_dispatch")
        record = advance(
            records[send.schedule_id], "executing", plan.now, "sending", intent=intent, attempts=1
        )
        outcomes: dict[str, Any] = {"yes": ("completed", None), "no": ("failed", "rejected"), "unknown": None}
        if outcomes[answer] is not None:
            status, reason = outcomes[answer]
            record = advance(record, status, plan.now, answer, reason=reason, executed_at=moment)
        records[send.schedule_id] = record
    return msgspec.structs.replace(state, schedules=records)


def steps(life: list[Day]) -> Any:
    """Each day of a life: what was found, the state before and after its bookings, and the archive."""
    state = State(version=2, lineage="l", serial=1)
    archive: dict[str, Record] = {}
    now = START
    for day in life:
        now += round(day.hours * HOUR)
        found = look(day, now, state, archive)
        after = saved(state, found, archive)
        yield day, found, state, after, archive
        state = carried_out(after, found.plan, day.answers)


@given(lives)
def test_the_plan_of_an_applied_plan_is_empty(life: list[Day]) -> None:
    for day, found, _, after, archive in steps(life):
        again = look(day, found.plan.now, after, archive)
        assert [c for c in again.plan.changes if c.action not in BOOKED_ONLY] == []
        assert [s.schedule_id for s in again.plan.sends] == [s.schedule_id for s in found.plan.sends]


@given(lives)
def test_what_is_cancelled_paused_or_blocked_is_never_among_the_sends(life: list[Day]) -> None:
    for day, found, _, after, _ in steps(life):
        for send in found.plan.sends:
            record, schedule = after.schedules[send.schedule_id], found.schedules.get(send.schedule_id)
            assert record.status in ("pending", "scheduled")
            assert not record.is_paused
            assert not day.stopped
            assert send.schedule_id not in found.blocked
            assert schedule is None or not (schedule.cancelled or schedule.paused or schedule.group.paused)
            assert schedule is None or (schedule.at, schedule.video) == (record.at, record.video_id)


@given(lives)
def test_every_id_is_sent_at_most_once_whatever_is_declared_later(life: list[Day]) -> None:
    sent: set[str] = set()
    for _, found, before, after, _ in steps(life):
        ids = [send.schedule_id for send in found.plan.sends]
        assert len(set(ids)) == len(ids)
        assert not sent & set(ids)
        sent |= {name for name, record in before.schedules.items() if record.was_sent}
        assert not sent & set(ids)
        assert not [name for name in sent if name in after.schedules and after.schedules[name].is_unsent_live]


def edited(*slots_and_lineup: tuple[str, str]) -> list[Day]:
    """A channel whose slots and lineup are edited, under a brake that keeps what no slot is left for."""
    brake = b"brake: { cancel_percent: 1, at_least: 1 }\n"
    return [
        Day(
            sources=(
                Source(
                    kind="channel",
                    file="channels/beta.yaml",
                    content=f"repository: acme/any\nslots: ['{slots}']\nlineup: [{lineup}]\n".encode(),
                ),
                Source(kind="scheduler", file="scheduler.yaml", content=brake),
            ),
            hours=0,
            stopped=True,
            answers=("yes",) * 4,
        )
        for slots, lineup in slots_and_lineup
    ]


@example(edited(("*-*-* 13:00", "u"), ("*-*-* 18:00", "")))  # moved, and then kept by the brake
@example(edited(("*-*-* 18:00", "u, u"), ("*-*-* 13,15:00", ""), ("*-*-* 18:00", "u")))  # and back again
@given(lives)
def test_nothing_recorded_is_forgotten_and_what_was_sent_stays_so(life: list[Day]) -> None:
    for _, found, before, after, archive in steps(life):
        known = after.schedules.keys() | archive.keys()
        reasons = {change.reason.rpartition(", was ")[2].partition(",")[0] for change in found.plan.changes}
        for name, record in before.schedules.items():
            if name not in known:  # a slot that moved has the id of its new instant
                assert record.slot
                assert name in reasons or record.reason == "withdrawn"
                continue
            later = after.schedules.get(name) or archive[name]
            assert not record.was_sent or later.was_sent


@given(lives)
def test_two_sends_on_one_channel_keep_min_gap(life: list[Day]) -> None:
    for _, found, _, after, _ in steps(life):
        gap = 0 if found.declared is None else found.declared.settings.conflicts.min_gap
        adopted = [c.schedule_id for c in found.plan.changes if c.action in ("create", "reopen")]
        for name in adopted:
            record = after.schedules[name]
            near = [
                other
                for other, known in after.schedules.items()
                if other != name
                and known.channel_id == record.channel_id
                and (known.is_live or known.was_sent)
                and record.is_live
                and abs(known.at - record.at) < gap
            ]
            assert near == [], f"{name} was adopted beside {near}"
