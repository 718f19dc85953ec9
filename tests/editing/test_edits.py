"""What editors do, as the difference it makes to a commented, oddly formatted file, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_yaml import (
    CHANNEL,
    NAMES,
    WAVE,
    channels,
    comments,
    difference,
    lines_of,
    members_of,
    name_of,
    waves,
)

from scheduler.checkout.source import Source
from scheduler.desired import declarations, yaml_reader
from scheduler.editing import yaml as edits
from scheduler.editing.yaml import ChannelPlace, GroupPlace, MemberPlace, SinglePlace, WavePlace
from scheduler.errors import ScheduleError
from scheduler.planning import expand
from scheduler.times import instant_text, read_time

SLOT = SinglePlace(read_time("2026-03-02T17:00:00Z"), slot=True)
BIRTHDAY = SinglePlace(read_time("2026-03-05T08:00:00Z"))
OPEN = SinglePlace(read_time("2026-03-12T09:00:00Z"))


# --- pause, resume, cancel ------------------------------------------------------------------------


def test_a_wave_is_paused_by_one_line_above_its_schedules() -> None:
    paused = edits.pause(WAVE, WavePlace(), reason="waiting: for legal", until="2026-03-05T00:00Z")
    assert difference(WAVE, paused) == [
        '+paused: { reason: "waiting: for legal", until: 2026-03-05T00:00Z }',
    ]
    assert paused.index("paused:") < paused.index("schedules:")


def test_a_member_in_a_list_of_its_own_lines_gets_a_mapping_and_keeps_its_comment() -> None:
    paused = edits.pause(WAVE, MemberPlace("premiere-4k", "alpha"), reason="ill", until="2026-03-05T00:00Z")
    assert difference(WAVE, paused) == [
        "-      - alpha   # first",
        "+      - { id: alpha, paused: { reason: ill, until: 2026-03-05T00:00Z } }   # first",
    ]


def test_a_member_that_is_a_block_already_gets_a_line() -> None:
    paused = edits.pause(WAVE, MemberPlace("premiere-4k", "gamma"))
    assert difference(WAVE, paused) == ["+          paused: true"]


def test_a_member_that_is_a_flow_mapping_gets_a_key_in_the_style_of_the_file() -> None:
    paused = edits.pause(WAVE, MemberPlace("premiere-4k", "delta"))
    assert difference(WAVE, paused) == [
        "-      - {id: delta, at: 2026-03-02T21:00:00+01:00}",
        "+      - {id: delta, at: 2026-03-02T21:00:00+01:00, paused: true}",
    ]


def test_a_group_is_paused_member_by_member() -> None:
    paused = edits.pause(WAVE, GroupPlace("teaser"))
    assert difference(WAVE, paused) == [
        "-    channels: [alpha, beta]    # the big two",
        "+    channels: [{ id: alpha, paused: true }, { id: beta, paused: true }]    # the big two",
    ]


def test_members_chosen_by_tags_are_paused_under_members() -> None:
    paused = edits.pause(WAVE, GroupPlace("trailer", ("alpha", "zeta")), reason="rights")
    (_, new) = difference(WAVE, paused)
    assert new.endswith(
        "channels: {tags: [gaming]}, members: [{ id: alpha, paused: { reason: rights } }, "
        "{ id: zeta, paused: { reason: rights } }]}"
    )


def test_many_members_chosen_by_tags_get_a_line_each_and_leave_none_behind() -> None:
    wave = "schedules:\n- type: simultaneous\n  video: v\n  at: 2026-03-01T18:00Z\n  channels: {tags: [de]}\n"
    many = GroupPlace("v", tuple(f"channel-{i}" for i in range(5)))
    paused = edits.pause(wave, many)
    assert paused == wave + "  members:\n" + "".join(
        f"  - {{id: channel-{i}, paused: true}}\n" for i in range(5)
    )
    assert edits.resume(paused, MemberPlace("v", "channel-3")) == paused.replace(
        "  - {id: channel-3, paused: true}\n", ""
    )
    assert edits.resume(paused, many) == wave


def test_resuming_a_hand_written_pause_leaves_the_plain_channel() -> None:
    resumed = edits.resume(WAVE, MemberPlace("premiere-4k", "beta"))
    assert difference(WAVE, resumed) == [
        "-      - { id: beta, paused: { reason: waiting for legal } }",
        "+      - beta",
    ]


def test_resuming_a_pause_with_a_comment_keeps_the_comment() -> None:
    wave = WAVE.replace("\nschedules:", "paused: true   # ask Ana\nschedules:")
    assert difference(wave, edits.resume(wave, WavePlace())) == [
        "-paused: true   # ask Ana",
        "+paused: false   # ask Ana",
    ]


def test_a_pause_in_a_block_of_its_own_becomes_false_and_its_key_stays() -> None:
    wave = "paused:   # by Ana\n  reason: rights\n  until: 2026-03-05T00:00Z\nschedules: []\n"
    assert edits.resume(wave, WavePlace()) == "paused: false   # by Ana\nschedules: []\n"


def test_pausing_what_is_paused_changes_the_reason_and_keeps_the_end() -> None:
    wave = "paused: { reason: 'it''s late', until: 2026-03-05T00:00Z }\nschedules: []\n"
    assert edits.pause(wave, WavePlace(), reason="it's Ana") == wave.replace("it''s late", "it''s Ana")
    assert edits.pause(wave, WavePlace()) == wave


def test_resuming_what_is_not_paused_changes_nothing() -> None:
    for target in (
        WavePlace(),
        GroupPlace("teaser"),
        MemberPlace("premiere-4k", "alpha"),
        GroupPlace("trailer", ("alpha",)),
    ):
        assert edits.resume(WAVE, target) == WAVE


def test_cancelling_a_group_cancels_each_member_where_it_is_written() -> None:
    cancelled = edits.cancel(WAVE, GroupPlace("premiere-4k"))
    assert [line for line in difference(WAVE, cancelled) if line[0] == "+"] == [
        "+      - { id: alpha, cancelled: true }   # first",
        "+      - { id: beta, paused: { reason: waiting for legal }, cancelled: true }",
        "+          cancelled: true",
        "+      - {id: delta, at: 2026-03-02T21:00:00+01:00, cancelled: true}",
        "+      - { id: epsilon, cancelled: true }",
    ]
    assert edits.cancel(cancelled, GroupPlace("premiere-4k")) == cancelled


def test_cancelling_takes_an_explicit_false_back() -> None:
    wave = "cancelled: false  # so far\nschedules: []"
    assert edits.cancel(wave, WavePlace()) == "cancelled: true  # so far\nschedules: []"


def test_a_channel_cannot_be_cancelled() -> None:
    with pytest.raises(ScheduleError, match="cannot be cancelled") as told:
        edits.cancel(CHANNEL, ChannelPlace(), file="channels/tech.yaml")
    assert "active: false" in (told.value.hint or "")


def test_a_channel_is_paused_above_its_lists() -> None:
    assert edits.pause(CHANNEL, ChannelPlace()) == CHANNEL.replace("slots:", "paused: true\nslots:")


def test_pausing_a_slot_writes_a_one_off_at_its_instant() -> None:
    paused = edits.pause(CHANNEL, SLOT, reason="holiday")
    assert difference(CHANNEL, paused) == ["+- { at: 2026-03-02T17:00:00Z, paused: { reason: holiday } }"]
    assert edits.resume(paused, SLOT) == CHANNEL


def test_the_first_one_off_of_a_channel_brings_its_list_and_takes_it_away_again() -> None:
    bare = CHANNEL[: CHANNEL.index("schedules:")].rstrip("\n")
    paused = edits.pause(bare, SLOT)
    assert paused == bare + "\nschedules:\n  - { at: 2026-03-02T17:00:00Z, paused: true }"
    assert edits.resume(paused, SLOT) == bare


def test_an_open_one_off_that_an_editor_wrote_stays_when_it_is_resumed() -> None:
    channel = "slots: [Mon 18:00]\nschedules:\n  - { at: 2026-03-02T17:00:00Z }\n"
    assert edits.resume(edits.pause(channel, SLOT), SLOT) == channel


def test_cancelling_a_slot_writes_a_cancelled_one_off() -> None:
    assert difference(CHANNEL, edits.cancel(CHANNEL, SLOT)) == [
        "+- { at: 2026-03-02T17:00:00Z, cancelled: true }"
    ]


def test_an_instant_without_a_publication_is_refused() -> None:
    with pytest.raises(ScheduleError, match="no publication at 2026-03-02T17:00:00Z"):
        edits.pause(CHANNEL, SinglePlace(SLOT.at))


def test_an_unknown_group_or_channel_gets_a_suggestion() -> None:
    with pytest.raises(ScheduleError, match="has no group 'teasr'") as told:
        edits.pause(WAVE, GroupPlace("teasr"))
    assert told.value.hint == "did you mean teaser?"
    with pytest.raises(ScheduleError, match="has no channel 'epsilo'") as told:
        edits.pause(WAVE, MemberPlace("premiere-4k", "epsilo"))
    assert told.value.hint == "did you mean epsilon?"


# --- move and shift -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "time", "moved"),
    [
        ("2026-03-01T18:00:00Z", "2026-04-01T20:30+02:00", "2026-04-01T18:30:00Z"),
        ("2026-03-01T18:00Z", "2026-04-01T18:30:15Z", "2026-04-01T18:30:15Z"),
        ("2026-03-01T18:00Z", "2026-04-01T18:30:00Z", "2026-04-01T18:30Z"),
        ("2026-03-01 19:00+01:00", "2026-04-01T18:00Z", "2026-04-01 19:00+01:00"),
        ("2026-03-01T18:00:00.000Z", "2026-04-01T18:30Z", "2026-04-01T18:30:00Z"),
        ("2026-03-01 18:00 Europe/Berlin", "2026-04-01T18:30Z", "2026-04-01 20:30 Europe/Berlin"),
        ("2026-03-01 18:00 Europe/Berlin", "2026-10-25T01:30Z", "2026-10-25 02:30+01:00"),
        ("2026-03-01t18:00:00z", "2026-04-01T18:00Z", "2026-04-01t18:00:00z"),
        ("Sun 2026-03-01T18:00Z", "2026-04-01T18:30Z", "Wed 2026-04-01T18:30Z"),
        (
            "Sunday 2026-03-01 18:00 Europe/Berlin",
            "2026-04-01T18:30Z",
            "Wednesday 2026-04-01 20:30 Europe/Berlin",
        ),
        ("Sun 2026-03-01T18:00+09:00", "Thu 2026-04-02T18:30Z", "Fri 2026-04-03T03:30+09:00"),
        ("2026-03-01T18:00Z", "Wed 2026-04-01T18:30Z", "2026-04-01T18:30Z"),
        ("'2026-03-01T18:00Z' # c", "2026-04-01T18:00Z", "'2026-04-01T18:00Z' # c"),
        ('"2026-03-01T18:00Z"', "2026-04-01T18:00Z", '"2026-04-01T18:00Z"'),
    ],
)
def test_a_moved_time_keeps_the_form_of_the_old_one(written: str, time: str, moved: str) -> None:
    wave = f"schedules:\n- type: simultaneous\n  video: v\n  at: {written}\n  channels: [a]\n"
    assert edits.move(wave, GroupPlace("v"), time) == wave.replace(written, moved)


def test_a_local_time_stays_local_and_may_be_given_locally() -> None:
    local = edits.move(WAVE, GroupPlace("premiere-4k"), "2026-04-02T18:00")
    assert difference(WAVE, local) == ['-      at: "2026-03-02 18:00"', '+      at: "2026-04-02 18:00"']
    assert edits.move(WAVE, GroupPlace("premiere-4k"), "2026-04-02T16:00Z") == local


def test_a_local_time_that_a_clock_change_repeats_gets_its_offset() -> None:
    moved = edits.move(WAVE, GroupPlace("premiere-4k"), "2026-10-25T01:30Z")
    assert '      at: "2026-10-25 02:30+01:00"' in moved.splitlines()
    with pytest.raises(ScheduleError, match="happens twice in Europe/Berlin"):
        edits.move(WAVE, GroupPlace("premiere-4k"), "2026-10-25T02:30")


def test_a_time_without_a_zone_is_refused_where_the_entry_has_none() -> None:
    with pytest.raises(ScheduleError, match="local time without a zone"):
        edits.move(WAVE, GroupPlace("teaser"), "2026-10-25T02:30")


def test_the_same_wall_clock_time_everywhere_moves_to_another_wall_clock_time() -> None:
    moved = edits.move(WAVE, GroupPlace("trailer"), "2026-03-04 09:30")
    assert moved == WAVE.replace("at: 2026-03-03T18:00,", "at: 2026-03-04T09:30,")
    with pytest.raises(ScheduleError, match="each channel's own zone"):
        edits.move(WAVE, GroupPlace("trailer"), "2026-03-04T09:30Z")


def test_moving_one_member_gives_it_a_time_of_its_own_in_the_form_of_the_entry() -> None:
    assert difference(WAVE, edits.move(WAVE, MemberPlace("teaser", "beta"), "2026-03-01T20:00+01:00")) == [
        "-    channels: [alpha, beta]    # the big two",
        "+    channels: [alpha, { id: beta, at: 2026-03-01T19:00:00Z }]    # the big two",
    ]
    assert difference(WAVE, edits.move(WAVE, MemberPlace("premiere-4k", "delta"), "2026-03-02T21:30")) == [
        "-      - {id: delta, at: 2026-03-02T21:00:00+01:00}",
        "+      - {id: delta, at: 2026-03-02T21:30:00+01:00}",
    ]


def test_a_member_that_shifted_those_after_it_leaves_its_shift_to_the_next() -> None:
    moved = edits.move(WAVE, MemberPlace("premiere-4k", "gamma"), "2026-03-02T23:00")
    assert difference(WAVE, moved) == [
        "-          shift: 30m   # late",
        "+          at: 2026-03-02 23:00   # late",
        "-      - epsilon",
        "+      - { id: epsilon, shift: 30m }",
    ]


def test_shifting_a_member_of_a_stagger_takes_along_all_that_follow() -> None:
    shifted = edits.shift(WAVE, MemberPlace("premiere-4k", "beta"), 1800)
    assert [line for line in difference(WAVE, shifted) if line[0] == "+"] == [
        "+      - { id: beta, paused: { reason: waiting for legal }, shift: 30m }",
        "+      - {id: delta, at: 2026-03-02T21:30:00+01:00}",
    ]
    assert edits.shift(shifted, MemberPlace("premiere-4k", "beta"), -1800) == WAVE


def test_shifting_the_first_member_of_a_stagger_moves_the_entry() -> None:
    assert edits.shift(WAVE, MemberPlace("premiere-4k", "alpha"), 3600) == edits.shift(
        WAVE, GroupPlace("premiere-4k"), 3600
    )
    assert difference(WAVE, edits.shift(WAVE, GroupPlace("premiere-4k"), 3600)) == [
        '-      at: "2026-03-02 18:00"',
        '+      at: "2026-03-02 19:00"',
        "-      - {id: delta, at: 2026-03-02T21:00:00+01:00}",
        "+      - {id: delta, at: 2026-03-02T22:00:00+01:00}",
    ]


def test_shifting_a_member_of_a_simultaneous_entry_moves_nobody_else() -> None:
    shifted = edits.shift(WAVE, MemberPlace("teaser", "alpha"), 90)
    assert "channels: [{ id: alpha, at: 2026-03-01T18:01:30Z }, beta]    # the big two" in shifted


def test_a_shift_over_a_clock_change_counts_elapsed_time() -> None:
    wave = (
        "schedules:\n"
        "- {type: simultaneous, video: v, at: 2026-03-28T18:00, timezone: Europe/Berlin, channels: [a]}"
    )
    assert "at: 2026-03-29T19:00," in edits.shift(wave, GroupPlace("v"), 86_400)


def test_a_wave_moves_as_a_whole_by_its_earliest_entry() -> None:
    moved = edits.move(WAVE, WavePlace(), "2026-03-02T18:00Z")
    assert [line.strip("+ ") for line in difference(WAVE, moved) if line[0] == "+"] == [
        "at: 2026-03-02T18:00:00Z   # prime time",
        'at: "2026-03-03 18:00"',
        "- {id: delta, at: 2026-03-03T21:00:00+01:00}",
        WAVE.splitlines()[-2].strip().replace("-03T", "-04T"),
    ]
    assert edits.shift(WAVE, WavePlace(), 86_400) == moved


def test_a_one_off_moves_and_a_slot_does_not() -> None:
    moved = edits.move(CHANNEL, BIRTHDAY, "2026-04-05T10:00")
    assert moved == CHANNEL.replace("2026-03-05T09:00", "2026-04-05T10:00")
    with pytest.raises(ScheduleError, match="its time comes from the channel's `slots`"):
        edits.move(CHANNEL, SLOT, "2026-04-05T10:00")


# --- assign and create ----------------------------------------------------------------------------


def test_a_video_is_assigned_to_an_open_one_off_a_slot_or_in_place_of_another() -> None:
    assert difference(CHANNEL, edits.assign(CHANNEL, OPEN, "finale: part 1")) == [
        '+  video: "finale: part 1"'
    ]
    assert difference(CHANNEL, edits.assign(CHANNEL, SLOT, "012")) == [
        '+- { video: "012", at: 2026-03-02T17:00:00Z }'
    ]
    assert edits.assign(CHANNEL, BIRTHDAY, "party") == CHANNEL.replace("anniversary", "party")


ENTRY = {
    "type": "staggered",
    "video": "finale-4k",
    "at": "2026-03-09T18:00:00Z",
    "delay": "1h",
    "channels": ["alpha", "beta"],
    "metadata": {"campaign": "spring"},
}


def test_a_new_entry_takes_on_the_style_of_the_wave() -> None:
    created = edits.create_entry(WAVE.replace("  - {type", "  -   {type"), ENTRY)
    assert difference(WAVE.replace("  - {type", "  -   {type"), created) == [
        "+",
        "+  -   type: staggered",
        "+      video: finale-4k",
        "+      at: 2026-03-09T18:00:00Z",
        "+      delay: 1h",
        "+      channels: [alpha, beta]",
        "+      metadata: { campaign: spring }",
    ]
    assert created.endswith("# the end\n")


def test_a_new_wave_reads_as_if_an_editor_had_written_it() -> None:
    many = {**ENTRY, "channels": [f"channel-{i}" for i in range(10)]}
    assert edits.create_entry(edits.set_value("", ("title",), "Finale: at last"), many) == (
        'title: "Finale: at last"\n'
        "schedules:\n"
        "  - type: staggered\n"
        "    video: finale-4k\n"
        "    at: 2026-03-09T18:00:00Z\n"
        "    delay: 1h\n"
        "    channels:\n" + "".join(f"      - channel-{i}\n" for i in range(10)) + ""
        "    metadata: { campaign: spring }\n"
    )


def test_an_empty_list_becomes_lines_below_its_key_and_keeps_its_comment() -> None:
    wave = "title: x\r\nschedules: []   # none yet\r\n"
    assert edits.create_entry(wave, {"type": "simultaneous", "video": "v"}) == (
        "title: x\r\nschedules:   # none yet\r\n  - type: simultaneous\r\n    video: v\r\n"
    )


def test_a_one_off_joins_the_others_or_brings_the_list() -> None:
    one_off = {"video": "finale", "at": "2026-03-09T18:00:00Z"}
    flow = "schedules: [{at: 2026-03-01T18:00Z}]  # c\n"
    assert edits.create_one_off(flow, one_off) == (
        "schedules: [{at: 2026-03-01T18:00Z}, {video: finale, at: 2026-03-09T18:00:00Z}]  # c\n"
    )
    assert edits.create_one_off("name: x\n", one_off) == (
        "name: x\nschedules:\n  - { video: finale, at: 2026-03-09T18:00:00Z }\n"
    )


# --- single values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("a: b # c\n", "x", "a: x # c\n"),
        ("a: 'b' # c\n", "it's", "a: 'it''s' # c\n"),
        ('a: "b"\n', 'say "hi"\\', 'a: "say \\"hi\\"\\\\"\n'),
        ("a:   # c\n", "x", "a: x   # c\n"),
        ("a: |\n  text\n  more\n\n# c\n", "x", "a: x\n\n# c\n"),
        ("a: b\n  c\nd: e\n", "x", "a: x\nd: e\n"),
        ("a:\n- b\n# c\nd: e\n", "x", "a: x\n# c\nd: e\n"),
        ("{a: b, c: d}\n", "x, y", '{a: "x, y", c: d}\n'),
        ("? a\n: b\n", "x", "? a\n: x\n"),
        ("a: b", "no", 'a: "no"'),
        ("a: b", "12:30", 'a: "12:30"'),
        ("a: b", True, "a: true"),
        ("a: b", "Привет 世界", "a: Привет 世界"),
        ("a: b", "# no comment", 'a: "# no comment"'),
        ("a: b", "", 'a: ""'),
        ("'a': b\r\nc: d", {"k": ["v", 1]}, "'a': { k: [v, 1] }\r\nc: d"),
    ],
)
def test_a_value_is_replaced_and_nothing_else(before: str, value: Any, after: str) -> None:
    assert edits.set_value(before, ("a",), value) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: |+\n  text\n\n", "a: |+\n  text\n\nb: x\n"),
        ("a: |\n  text\n\n# c\n", "a: |\n  text\nb: x\n\n# c\n"),
        ("---\na: b # c\n...\n", "---\na: b # c\nb: x\n...\n"),
        ("# only a comment", "# only a comment\nb: x\n"),
        ("", "b: x\n"),
        ("a:\n  - c # d\n", "a:\n  - c # d\nb: x\n"),
        ("{ a: c, }", "{ a: c, b: x, }"),
        ("{}", "{ b: x }"),
        ("\ufeffa: c", "\ufeffa: c\nb: x"),
    ],
)
def test_a_new_key_stands_behind_the_last_value(before: str, after: str) -> None:
    assert edits.set_value(before, ("b",), "x") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\nb: 2 # gone\n# stays\nc: 3\n", "a: 1\n# stays\nc: 3\n"),
        ("a: 1\r\nb:\r\n  - 2\r\n  - 3", "a: 1"),
        ("{b: 2, a: 1}", "{a: 1}"),
        ("{a: 1, b: 2, c: 3}", "{a: 1, c: 3}"),
    ],
)
def test_a_key_goes_with_its_lines_and_the_comments_of_others_stay(before: str, after: str) -> None:
    draft = edits.Draft(before)
    draft.remove(("b",))
    assert draft.finish() == after


def test_a_file_that_cannot_be_read_is_not_edited_and_the_reason_is_told() -> None:
    with pytest.raises(ScheduleError, match=r"waves/a\.yaml cannot be edited") as told:
        edits.pause("schedules: [\n", WavePlace(), file="waves/a.yaml")
    assert told.value.diagnostics[0].code == "yaml-syntax"


@pytest.mark.parametrize(
    ("before", "loc", "value"),
    [
        ("a: b\n", ("a",), "bell \a"),
        ("a: b\n", ("a",), "half \ud83d"),
        ("a:\n- - b\n  - c\n", ("a", 0, "x"), "y"),
        ("a: b\n", ("a", "b"), "c"),
    ],
)
def test_what_cannot_be_written_is_refused(before: str, loc: tuple[str | int, ...], value: str) -> None:
    with pytest.raises(ScheduleError):
        edits.set_value(before, loc, value)


def test_a_wrong_splice_never_leaves_the_room() -> None:
    draft = edits.Draft("a: b\nc: d\n")
    draft.set(("a",), "x")
    draft._splice(8, 9, "other")  # what a fault in the rules would do
    with pytest.raises(ScheduleError, match="cannot be edited safely"):
        draft.finish()


# --- properties -----------------------------------------------------------------------------------

thorough = settings(
    max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
reasons = st.none() | st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1).map(
    str.strip
).filter(bool)


@st.composite
def targets_of(draw: st.DrawFn, data: dict[str, Any]) -> WavePlace | GroupPlace | MemberPlace:
    entry = draw(st.sampled_from(data["schedules"]))
    names = members_of(entry)
    order = (*names,) if isinstance(entry["channels"], dict) else ()
    everything: list[WavePlace | GroupPlace | MemberPlace] = [WavePlace(), GroupPlace(name_of(entry), order)]
    everything += [MemberPlace(name_of(entry), name, order) for name in names]
    return draw(st.sampled_from(everything))


def published(text: str) -> dict[str, tuple[int, bool, bool]]:
    """What a wave's text means: of each schedule the instant, whether it is paused, whether cancelled."""
    zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Adelaide"]
    sources = [
        Source(
            kind="channel",
            file=f"channels/{name}.yaml",
            content=f"repository: acme/tech\ntags: [gaming]\ntimezone: {zone}\n".encode(),
        )
        for name, zone in zip(NAMES, zones, strict=True)
    ]
    sources.append(Source(kind="wave", file="waves/w.yaml", content=text.encode()))
    declared, faults = declarations.declare(sources)
    assert declared is not None
    assert not faults, (text, faults)
    expansion = expand.expand(declared, {})
    assert not expansion.faults
    return {
        name: (one.at, one.paused is not None or one.group.paused is not None, one.cancelled)
        for name, one in expansion.schedules.items()
    }


def ids_of(data: dict[str, Any], target: WavePlace | GroupPlace | MemberPlace) -> list[str]:
    """The ids of the schedules that a target is about."""
    return [
        f"w/{name_of(entry)}/{name}"
        for entry in data["schedules"]
        for name in members_of(entry)
        if isinstance(target, WavePlace)
        or (target.group == name_of(entry) and (isinstance(target, GroupPlace) or target.channel == name))
    ]


@thorough
@given(waves(), st.data(), reasons)
def test_pausing_and_resuming_a_wave_file_leaves_no_difference(
    wave: tuple[dict[str, Any], str], data: st.DataObject, reason: str | None
) -> None:
    declared, text = wave
    target: edits.Place = data.draw(targets_of(declared))
    paused = edits.pause(text, target, reason=reason)
    assert paused != text
    assert comments(paused) == comments(text)
    assert edits.resume(paused, target) == text


@thorough
@given(channels(), st.data(), reasons)
def test_pausing_and_resuming_a_channel_file_leaves_no_difference(
    channel: tuple[dict[str, Any], str], data: st.DataObject, reason: str | None
) -> None:
    declared, text = channel
    one_offs = [
        SinglePlace(read_time(one["at"]), data.draw(st.booleans())) for one in declared.get("schedules", ())
    ]
    everything: list[edits.Place] = [ChannelPlace(), SLOT, *one_offs]
    target = data.draw(st.sampled_from(everything))
    paused = edits.pause(text, target, reason=reason)
    assert paused != text
    assert comments(paused) == comments(text)
    assert edits.resume(paused, target) == text


@st.composite
def edit_of(draw: st.DrawFn, target: WavePlace | GroupPlace | MemberPlace) -> Any:
    """One verb with its arguments, as a function of the text."""
    seconds = draw(st.sampled_from([1800, -900, 5400]))
    return draw(
        st.sampled_from(
            [
                lambda text: edits.pause(text, target, reason="rights", until="2026-03-05T00:00:00Z"),
                lambda text: edits.resume(text, target),
                lambda text: edits.cancel(text, target),
                lambda text: edits.shift(text, target, seconds),
                lambda text: edits.move(text, target, "2026-04-01T18:00:00Z"),
                lambda text: edits.create_entry(text, {**ENTRY, "video": "brand-new"}),
            ]
        )
    )


@thorough
@given(waves(), st.data())
def test_any_edit_keeps_every_comment_and_every_line_outside_of_its_target(
    wave: tuple[dict[str, Any], str], data: st.DataObject
) -> None:
    declared, text = wave
    target = data.draw(targets_of(declared))
    try:
        edited = data.draw(edit_of(target))(text)
    except ScheduleError as refused:
        assert "wall-clock time" in str(refused)  # an instant for a time on everybody's own clock
        return
    published(edited)
    assert comments(edited) == comments(text)
    if isinstance(target, GroupPlace | MemberPlace) and "brand-new" not in edited:
        inside = lines_of(text, target.group)
        outside = [line for i, line in enumerate(text.splitlines()) if i not in inside]
        kept = [line for i, line in enumerate(edited.splitlines()) if i not in lines_of(edited, target.group)]
        assert kept == outside


@thorough
@given(waves(), st.data())
def test_pause_and_cancel_touch_the_schedules_of_their_target_alone(
    wave: tuple[dict[str, Any], str], data: st.DataObject
) -> None:
    declared, text = wave
    target = data.draw(targets_of(declared))
    before, meant = published(text), set(ids_of(declared, target))
    paused = published(edits.pause(text, target, until="2026-03-05T00:00:00Z"))
    assert paused == {name: (at, p or name in meant, c) for name, (at, p, c) in before.items()}
    cancelled = published(edits.cancel(text, target))
    assert cancelled == {name: (at, p, c or name in meant) for name, (at, p, c) in before.items()}


def followers(data: dict[str, Any], target: WavePlace | GroupPlace | MemberPlace) -> list[str]:
    """The ids of a target and of all that follows it in its group."""
    if isinstance(target, MemberPlace):
        entry = next(entry for entry in data["schedules"] if name_of(entry) == target.group)
        if entry["type"] == "staggered":
            names = members_of(entry)
            return [f"w/{target.group}/{name}" for name in names[names.index(target.channel) :]]
    return ids_of(data, target)


@thorough
@given(waves(), st.data(), st.sampled_from([1800, -900, 5400]))
def test_a_shift_moves_its_target_and_what_follows_by_exactly_that_much(
    wave: tuple[dict[str, Any], str], data: st.DataObject, seconds: int
) -> None:
    declared, text = wave
    target = data.draw(targets_of(declared))
    moving = set(followers(declared, target))
    shifted = edits.shift(text, target, seconds)
    expected = {name: (at + seconds * (name in moving), p, c) for name, (at, p, c) in published(text).items()}
    assert published(shifted) == expected
    assert published(edits.shift(shifted, target, -seconds)) == published(text)


@thorough
@given(waves(), st.data())
def test_moving_one_member_moves_nobody_else(wave: tuple[dict[str, Any], str], data: st.DataObject) -> None:
    declared, text = wave
    target = data.draw(targets_of(declared).filter(lambda target: isinstance(target, MemberPlace)))
    (moving,) = ids_of(declared, target)
    expected = published(text)
    expected[moving] = (read_time("2026-04-01T18:00:00Z"), *expected[moving][1:])
    assert published(edits.move(text, target, "2026-04-01T18:00:00Z")) == expected


@thorough
@given(waves(), st.text(max_size=20))
def test_any_title_is_read_back_as_it_was_given_or_refused(
    wave: tuple[dict[str, Any], str], title: str
) -> None:
    _, text = wave
    try:
        titled = edits.set_value(text, ("title",), title)
    except ScheduleError as refused:
        assert "result would be invalid" in str(refused) or "half a character" in str(refused)
        return
    assert yaml_reader.read("waves/w.yaml", titled.encode()).data["title"] == title
    assert comments(titled) == comments(text)


def test_the_instants_of_this_file_are_what_they_look_like() -> None:
    assert [instant_text(single.at) for single in (SLOT, BIRTHDAY, OPEN)] == [
        "2026-03-02T17:00:00Z",
        "2026-03-05T08:00:00Z",
        "2026-03-12T09:00:00Z",
    ]


# --- null counts as absent ------------------------------------------------------------------------

NULLS = """\
title:
schedules:
  - type: simultaneous
    video: v
    at: 2026-03-01T18:00:00Z
    timezone: null
    channels:
      - id: alpha
        at: ~
        shift:
      - id: beta
    members: null
"""
V_ALPHA, V_BETA = (MemberPlace("v", name, ("alpha", "beta")) for name in ("alpha", "beta"))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (NULLS, {"~": "2026-03-01T19:00:00Z"}),
        (
            NULLS.replace("  - id: beta\n    members: null", "  - id: beta\n    members:"),
            {"~": "2026-03-01T19:00:00Z"},
        ),
    ],
)
def test_a_time_that_is_null_is_replaced_where_it_is(text: str, changed: dict[str, str]) -> None:
    ((old, new),) = changed.items()
    assert edits.move(text, V_ALPHA, new) == text.replace(old, new)
    assert edits.shift(text, V_ALPHA, 3_600) == text.replace(old, new)


def test_a_list_that_is_null_becomes_one() -> None:
    text = NULLS.replace(
        "    channels:\n      - id: alpha\n        at: ~\n        shift:\n      - id: beta\n", ""
    )
    text = text.replace("    members", "    channels: { tags: [t] }\n    members")
    assert edits.cancel(text, V_BETA) == text.replace("null\n", "null\n", 1).replace(
        "members: null", "members: [{ id: beta, cancelled: true }]"
    )


def test_a_video_that_is_null_is_assigned_in_its_line() -> None:
    channel = "queue: q\nschedules:\n  - at: 2026-03-02T17:00:00Z\n    video: null   # later\n"
    place = SinglePlace(read_time("2026-03-02T17:00:00Z"))
    assert edits.assign(channel, place, "intro") == channel.replace("null", "intro")


def test_a_pause_that_has_no_end_yet_gets_one_in_its_line() -> None:
    wave = "paused:\n  reason: legal\n  until: null\nschedules: []\n"
    assert edits.pause(wave, WavePlace(), until="2026-03-02T17:00:00Z") == wave.replace(
        "null", "2026-03-02T17:00:00Z"
    )
