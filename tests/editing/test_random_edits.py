"""The verbs on commented, oddly formatted files: each with its difference, and a hundred at random.

Whatever is done: what is refused changes nothing; what is written is valid, keeps every comment, and leaves
every line that the verb is not about as it was.
"""

from __future__ import annotations

import random
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from miniature import Miniature
from odd_yaml import CHANNEL, NAMES, WAVE, channels, comments, difference, lines_of, waves
from still_clock import StillClock

from scheduler import editing
from scheduler.app import operations
from scheduler.app.repository import Repository
from scheduler.editing import Proposal, View
from scheduler.editing import yaml as edits
from scheduler.errors import ScheduleError
from scheduler.times import read_time

NOW = "2026-02-25T09:00:00Z"
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Adelaide")
MARK = "\ufeff"
"""The byte order mark, which belongs to the file and not to its first line."""
FILES = {"wave": "waves/w.yaml", "channel": "channels/tech-daily.yaml"}


class Desk(Miniature):
    """A wave `w` and a channel `tech-daily`, as somebody wrote them; and the channels that the wave names."""

    def __init__(self, root: Path, wave: str, channel: str, names: list[str]) -> None:
        super().__init__(root)
        for name, zone in zip(names, ZONES, strict=True):
            self.channels(name, tags="[gaming]", timezone=zone)
        # Several verbs at random soon break the rules about neighbours, which are not what is tried here.
        self.write({"scheduler.yaml": "conflicts: { min_gap: 0s, repeat_window: 0s }\n"})
        for file, text in zip(FILES.values(), (wave, channel), strict=True):
            (root / file).write_bytes(text.encode())
        self.repository = Repository(root, self.environ, StillClock(read_time(NOW)))

    def texts(self) -> dict[str, str]:
        return {file: (self.root / file).read_bytes().decode() for file in FILES.values()}

    def view(self) -> View:
        return operations.current_view(self.repository)

    def targets(self) -> list[str]:
        """All that a verb may be about: the files, the groups, and what `list` shows."""
        rows = list(self.view().rows)
        groups = dict.fromkeys(row.rpartition("/")[0] for row in rows if row.count("/") == 2)
        return ["wave:w", "channel:tech-daily", *groups, *rows]


@dataclass(frozen=True)
class Step:
    """A verb with its arguments, without its target."""

    name: str
    propose: Callable[[View, str], Proposal]


def steps_of(seconds: int, day: int) -> list[Step]:
    """Every verb that edits what is there; the time of a move is on a day of April."""
    at = f"2026-04-{day:02}T18:00:00Z"
    return [
        Step("pause", lambda view, target: editing.pause(view, target)),
        Step("pause with words",
             lambda view, target: editing.pause(view, target, reason="rights: \"#1\"", until=at)),
        Step("resume", lambda view, target: editing.resume(view, target)),
        Step("cancel", lambda view, target: editing.cancel(view, target)),
        Step("move", lambda view, target: editing.move(view, target, at)),
        Step("shift", lambda view, target: editing.shift(view, target, seconds)),
        Step("assign", lambda view, target: editing.assign(view, target, f"video no. {day}")),
    ]  # fmt: skip


# --- what an edit may touch -------------------------------------------------------------------------


def region(text: str, place: edits.Place, verb: str) -> set[int]:
    """The lines, from 0, that a verb about that place may change in that text."""
    draft = edits.Draft(text)
    if isinstance(place, edits.GroupPlace | edits.MemberPlace):
        return lines_of(text, place.group)
    if isinstance(place, edits.SinglePlace):
        return _lines_of_single(draft, place)
    if verb in ("move", "shift"):
        entries = draft.node(("schedules",))
        assert entries is not None
        return set().union(*(_lines(draft, entry) for entry in entries.items))
    switches = (draft.node((key,)) for key in ("paused", "cancelled"))
    return set().union(*(_lines(draft, node) for node in switches if node is not None))


def _lines_of_single(draft: edits.Draft, place: edits.SinglePlace) -> set[int]:
    """The one-off at that instant; where there is none, the line on which a list in brackets gets one."""
    there = draft.node(("schedules",))
    if there is None:
        return set()
    if len(there.items) < 2:  # an empty list becomes a full one; the only one-off takes its list along
        return _lines(draft, there)
    found = [item for item in there.items if _is_at(draft, item, place)]
    if not found and there.flow:
        return {draft.text.count("\n", 0, there.items[-1].end)}
    return set().union(*(_lines(draft, item) for item in found))


def _is_at(draft: edits.Draft, one_off: Any, place: edits.SinglePlace) -> bool:
    time, zone = one_off.child("at"), draft.node(("timezone",))
    return time is not None and _instant(time.text, None if zone is None else zone.text) == place.at


def _instant(text: str, zone: str | None) -> int:
    return read_time(text, None if zone is None else ZoneInfo(zone))


def _lines(draft: edits.Draft, node: Any) -> set[int]:
    first = draft.text.count("\n", 0, node.start)
    return set(range(first, draft.text.count("\n", 0, node.end) + 1))


def _outside(text: str, touched: set[int]) -> list[str]:
    lines = text.removeprefix(MARK).splitlines()
    return [line for number, line in enumerate(lines) if number not in touched]


def is_within(part: list[str], whole: list[str]) -> bool:
    """Whether all of these lines are there, in their order."""
    rest: Iterator[str] = iter(whole)
    return all(line in rest for line in part)


def demand_untouched(before: str, after: str, place: edits.Place, verb: str) -> None:
    """Every line outside of what the verb is about is still there; about a group, nothing else came."""
    kept = _outside(before, region(before, place, verb))
    assert is_within(kept, _outside(after, set())), difference(before, after)
    if isinstance(place, edits.GroupPlace | edits.MemberPlace):
        assert kept == _outside(after, region(after, place, verb))
    if isinstance(place, edits.SinglePlace):
        demand_other_one_offs(before, after, place)
    assert after.count("\r\n") == (after.count("\n") if "\r\n" in before else 0), "one kind of line end"
    assert after.startswith(MARK) == before.startswith(MARK)


def demand_other_one_offs(before: str, after: str, place: edits.SinglePlace) -> None:
    """The other one-offs are as they were, also on the same line; so is all around a list in brackets."""
    old, new = edits.Draft(before), edits.Draft(after)
    was, now = old.node(("schedules",)), new.node(("schedules",))
    if was is None:
        return
    others = [old.source(item) for item in was.items if not _is_at(old, item, place)]
    assert now is not None or not others
    written = [] if now is None else [new.source(item) for item in now.items]
    assert is_within(others, written), difference(before, after)
    assert len(written) <= len(others) + 1
    if now is not None and was.flow and now.flow:
        assert old.text[: was.start] == new.text[: now.start], difference(before, after)
        assert old.text[was.end :] == new.text[now.end :], difference(before, after)


def carry_out(desk: Desk, step: Step, target: str) -> bool:
    """Do it as the commands do, and demand what holds of every edit; whether anything was written."""
    before = desk.texts()
    place = editing.resolve(desk.view(), target).place
    try:
        changed = operations.change(desk.repository, lambda view: step.propose(view, target))
    except ScheduleError:
        assert desk.texts() == before, "what is refused changes nothing"
        return False
    after = desk.texts()
    file = changed.proposal.file
    assert {name for name in after if after[name] != before[name]} <= {file}
    demand_untouched(before[file], after[file], place, step.name)
    errors = {fault.code for fault in desk.view().reconciled.diagnostics if fault.is_error}
    assert errors <= {"missed-by-pause"}, "a pause for so long is written, and said to be one"
    return after != before


# --- at random --------------------------------------------------------------------------------------


def notes(text: str) -> list[str]:
    """The comments of the files by hand, in which no value has a `#` after a space."""
    return [note.rstrip() for note in re.findall(r"(?:^|(?<=\s))# .*", text, re.MULTILINE)]


@pytest.mark.parametrize("seed", range(2))
def test_a_hundred_edits_in_a_row_keep_every_comment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    desk = Desk(tmp_path, WAVE, CHANNEL, ["alpha", "beta", "gamma", "delta", "epsilon"])
    before = {file: notes(text) for file, text in desk.texts().items()}
    done: dict[str, int] = {}
    for _ in range(2000):
        step = chance.choice(steps_of(chance.choice([1800, -900, 5400]), chance.randint(1, 28)))
        if carry_out(desk, step, chance.choice(desk.targets())):
            done[step.name] = done.get(step.name, 0) + 1
            assert {file: notes(text) for file, text in desk.texts().items()} == before
        if sum(done.values()) == 100:
            break
    assert sum(done.values()) == 100
    assert len(done) == 7, f"every verb among them: {done}"
    assert set(desk.json("validate", now=NOW).codes) <= {"missed-by-pause"}


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(waves(), channels(), st.data())
def test_edits_of_whatever_somebody_wrote(
    wave: tuple[dict[str, Any], str], channel: tuple[dict[str, Any], str], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), wave[1], channel[1], NAMES)
        before = {file: comments(text) for file, text in desk.texts().items()}
        for _ in range(3):
            seconds, day = data.draw(st.sampled_from([1800, -900, 5400])), data.draw(st.integers(1, 28))
            step = data.draw(st.sampled_from(steps_of(seconds, day)))
            wrote = carry_out(desk, step, data.draw(st.sampled_from(desk.targets())))
            event(f"{step.name}: {'written' if wrote else 'nothing'}")
            assert {file: comments(text) for file, text in desk.texts().items()} == before


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(waves(), channels(), st.data())
def test_pausing_and_resuming_by_the_verbs_leaves_no_difference(
    wave: tuple[dict[str, Any], str], channel: tuple[dict[str, Any], str], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), wave[1], channel[1], NAMES)
        before = desk.texts()
        target = data.draw(st.sampled_from(desk.targets()))
        cancelled = desk.view().rows.get(target)
        if cancelled is not None and cancelled.record.status == "cancelled":
            return  # there is nothing to pause
        desk.run("pause", target, "--reason", "a reason", now=NOW)
        assert desk.texts() != before
        desk.run("resume", target, now=NOW)
        assert desk.texts() == before


FLOW_CHANNEL = """\
name: Tech Daily
repository: acme/tech-daily
slots:
- Mon 18:00
schedules: [{at: 2026-04-01T18:00:00Z},{at: 2026-03-02T18:00:00Z}, {video: birthday,at: 2026-03-03T18:00Z}]
active: true
"""
"""One-offs in a list on one line; the slots are in UTC."""


@pytest.mark.parametrize("name", ["pause", "cancel", "assign"])
def test_a_one_off_for_a_slot_joins_a_list_on_one_line_and_leaves_its_others(
    tmp_path: Path, name: str
) -> None:
    desk = Desk(tmp_path, WAVE, FLOW_CHANNEL, ["alpha", "beta", "gamma", "delta", "epsilon"])
    step = next(step for step in steps_of(1800, 1) if step.name == name)
    slot = "tech-daily/2026-03-09T18:00:00Z"
    assert carry_out(desk, step, slot)
    (removed, added) = difference(FLOW_CHANNEL, desk.texts()[FILES["channel"]])
    assert added.startswith(f"+{removed[1:-1]}, {{")
    if name == "pause":
        assert carry_out(desk, next(step for step in steps_of(1800, 1) if step.name == "resume"), slot)
        assert desk.texts()[FILES["channel"]] == FLOW_CHANNEL


# --- one by one -------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, WAVE, CHANNEL, ["alpha", "beta", "gamma", "delta", "epsilon"])


TRAILER = WAVE.splitlines()[-2].removesuffix("}")
assert TRAILER.startswith(
    "  - {type: simultaneous, video: trailer, at: 2026-03-03T18:00, timezone: channel, "
)
EACH = {
    "pause wave:w --reason 'waiting: for legal'": ['+paused: { reason: "waiting: for legal" }'],
    "pause w/teaser": [
        "-    channels: [alpha, beta]    # the big two",
        "+    channels: [{ id: alpha, paused: true }, { id: beta, paused: true }]    # the big two",
    ],
    "pause w/premiere-4k/alpha --until 2026-03-01T00:00Z": [
        "-      - alpha   # first",
        "+      - { id: alpha, paused: { until: 2026-03-01T00:00Z } }   # first",
    ],
    "pause w/trailer/gamma": [
        f"-{TRAILER}}}",
        f"+{TRAILER}, members: [{{ id: gamma, paused: true }}]}}",
    ],
    "pause channel:tech-daily": ["+paused: true"],
    "pause tech-daily/2026-03-02T17:00:00Z": ["+- { at: 2026-03-02T17:00:00Z, paused: true }"],
    "pause tech-daily/2026-03-05T08:00:00Z": [
        "-- { video: anniversary, at: 2026-03-05T09:00 }",
        "+- { video: anniversary, at: 2026-03-05T09:00, paused: true }",
    ],
    "resume w/premiere-4k/beta": [
        "-      - { id: beta, paused: { reason: waiting for legal } }",
        "+      - beta",
    ],
    "cancel wave:w": ["+cancelled: true"],
    "cancel w/teaser": [
        "-    channels: [alpha, beta]    # the big two",
        "+    channels: [{ id: alpha, cancelled: true }, { id: beta, cancelled: true }]    # the big two",
    ],
    "cancel w/premiere-4k/gamma": ["+          cancelled: true"],
    "cancel tech-daily/2026-03-12T09:00:00Z": ["+  cancelled: true"],
    "move wave:w 2026-03-02T18:00Z": [
        "-    at: 2026-03-01T18:00:00Z   # prime time",
        "+    at: 2026-03-02T18:00:00Z   # prime time",
        '-      at: "2026-03-02 18:00"',
        '+      at: "2026-03-03 18:00"',
        "-      - {id: delta, at: 2026-03-02T21:00:00+01:00}",
        "+      - {id: delta, at: 2026-03-03T21:00:00+01:00}",
        f"-{TRAILER}}}",
        f"+{TRAILER}}}".replace("03-03", "03-04"),
    ],
    "move w/teaser 2026-03-01T20:00+01:00": [
        "-    at: 2026-03-01T18:00:00Z   # prime time",
        "+    at: 2026-03-01T19:00:00Z   # prime time",
    ],
    "move w/premiere-4k/delta 2026-03-02T23:00+01:00": [
        "-      - {id: delta, at: 2026-03-02T21:00:00+01:00}",
        "+      - {id: delta, at: 2026-03-02T23:00:00+01:00}",
    ],
    "move w/trailer/beta 2026-03-03T19:00": [
        f"-{TRAILER}}}",
        f"+{TRAILER}, members: [{{ id: beta, at: 2026-03-03T19:00 }}]}}",
    ],
    "move w/premiere-4k/beta --shift +30m": [
        "-      - { id: beta, paused: { reason: waiting for legal } }",
        "+      - { id: beta, paused: { reason: waiting for legal }, shift: 30m }",
        "-      - {id: delta, at: 2026-03-02T21:00:00+01:00}",
        "+      - {id: delta, at: 2026-03-02T21:30:00+01:00}",
    ],
    "move w/trailer --shift -15m": [f"-{TRAILER}}}", f"+{TRAILER}}}".replace("18:00", "17:45")],
    "move tech-daily/2026-03-05T08:00:00Z 2026-03-06T09:00": [
        "-- { video: anniversary, at: 2026-03-05T09:00 }",
        "+- { video: anniversary, at: 2026-03-06T09:00 }",
    ],
    "assign tech-daily/2026-03-12T09:00:00Z the-video": ["+  video: the-video"],
    "assign tech-daily/2026-03-04T17:00:00Z a-late-idea": [
        "+- { video: a-late-idea, at: 2026-03-04T17:00:00Z }"
    ],
    "create simultaneous extra --at 2026-04-01T18:00Z --channels alpha,beta --wave w": [
        "+",
        "+  - type: simultaneous",
        "+    video: extra",
        "+    at: 2026-04-01T18:00Z",
        "+    channels: [alpha, beta]",
    ],
    "create staggered extra --at 2026-04-01T18:00 --timezone UTC --tags gaming --delay 60m --wave w": [
        "+",
        "+  - type: staggered",
        "+    video: extra",
        "+    at: 2026-04-01T18:00",
        "+    timezone: UTC",
        "+    delay: 1h",
        "+    channels: { tags: [gaming] }",
    ],
    "create independent tech-daily --at 2026-04-02T12:00 --video special": [
        "+- video: special",
        "+  at: 2026-04-02T12:00",
    ],
}
"""Each verb, and the whole difference that it makes to both files."""


@pytest.mark.parametrize("command", EACH)
def test_each_verb_makes_exactly_this_difference_and_prints_it(desk: Desk, command: str) -> None:
    before = desk.texts()
    outcome = desk.run(*shlex.split(command), now=NOW)
    assert outcome.code == 0, outcome.err
    made = [line for file, text in desk.texts().items() for line in difference(before[file], text)]
    assert made == EACH[command]
    printed = [line for line in outcome.out.splitlines() if re.match(r"[-+](?!\+\+ |-- )", line)]
    assert sorted(printed) == sorted(made)


def test_there_is_a_difference_for_each_verb() -> None:
    assert {command.split()[0] for command in EACH} == {
        "pause",
        "resume",
        "cancel",
        "move",
        "assign",
        "create",
    }
