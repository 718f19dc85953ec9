"""What the three kinds of file may say: which values come of them, and in which words a fault is told."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import msgspec
import pytest
from declaring import with_a_queue

from scheduler import desired
from scheduler.desired import MemberSpec, PauseSpec, TagSelector, specs, yaml_reader
from scheduler.desired.keys import Kind, keys_of
from scheduler.desired.specs import Spec
from scheduler.diagnostics import Diagnostic
from scheduler.planning.catalogue import CATALOGUE
from scheduler.times import read_utc

NOW = "at: 2026-03-01T18:00:00Z"
SIX_PM = read_utc("2026-03-01T18:00:00Z")
ENTRY = "type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [alpha, beta]"
"""The body of an entry without faults."""


def read(kind: str, text: str) -> tuple[Any, list[Diagnostic]]:
    file = "scheduler.yaml" if kind == "scheduler" else f"{kind}s/spring.yaml"
    text = dedent(text).lstrip("\n")
    document = yaml_reader.read(file, (with_a_queue(text) if kind == "channel" else text).encode())
    reader: Any = {
        "wave": desired.read_wave,
        "channel": desired.read_channel,
        "scheduler": desired.read_settings,
    }[kind]
    value, problems = reader(document)
    assert (value is None) == any(problem.is_error for problem in problems)
    return value, problems


def fine(kind: str, text: str) -> Any:
    value, problems = read(kind, text)
    assert problems == []
    return value


def faults(kind: str, text: str) -> list[str]:
    """Each fault as `line:column code message`."""
    _, problems = read(kind, text)
    return [f"{p.location.line}:{p.location.column} {p.code} {p.message}" for p in problems]


def entry(body: str = "") -> Any:
    """The only entry of a wave whose entry is `ENTRY` and `body`."""
    return fine("wave", f"schedules: [{{{ENTRY}, {body}}}]").schedules[0]


def one_fault(kind: str, text: str) -> Diagnostic:
    _, problems = read(kind, text)
    assert len(problems) == 1, problems
    return problems[0]


def entry_fault(body: str) -> Diagnostic:
    return one_fault("wave", f"schedules: [{{{body}}}]")


# --- values -----------------------------------------------------------------------------------------


def test_a_wave_says_what_its_editor_wrote() -> None:
    wave = fine(
        "wave",
        """
        title: Spring launch
        paused: false
        cancelled: false
        catch_up: 15m
        on_failure: halt
        renamed_from: spring-lanch
        schedules:
          - type: simultaneous
            group: teaser
            video: teaser-4k
            at: 2026-03-01T18:00:00Z
            channels: [alpha, beta]
          - type: staggered
            video: premiere-4k
            at: 2026-03-01 19:00+01:00
            delay: 1h
            channels:
              - alpha
              - { id: beta, paused: { reason: waiting for legal } }
              - { id: gamma, cancelled: true, shift: -30m }
            metadata: { campaign: spring }
          - type: simultaneous
            group: local-evening
            video: trailer
            at: 2026-03-03T18:00
            timezone: channel
            channels: { tags: [gaming] }
            members: [{ id: alpha, paused: true, at: 2026-03-03T19:00 }]
        """,
    )
    teaser, premiere, evening = wave.schedules
    assert (wave.title, wave.paused, wave.cancelled, wave.catch_up) == ("Spring launch", None, False, 900)
    assert (wave.on_failure, wave.renamed_from) == ("halt", "spring-lanch")
    assert (teaser.group, teaser.at, teaser.channels) == (
        "teaser",
        SIX_PM,
        (MemberSpec(id="alpha"), MemberSpec(id="beta")),
    )
    assert (premiere.group, premiere.at, premiere.delay) == ("premiere-4k", SIX_PM, 3_600)
    assert premiere.metadata == {"campaign": "spring"}
    assert premiere.channels == (
        MemberSpec(id="alpha"),
        MemberSpec(id="beta", paused=PauseSpec("waiting for legal")),
        MemberSpec(id="gamma", cancelled=True, shift=-1_800),
    )
    assert (evening.at, evening.channels) == ("2026-03-03T18:00", TagSelector(("gaming",)))
    assert evening.members == (MemberSpec(id="alpha", paused=PauseSpec(), at="2026-03-03T19:00"),)


def test_a_channel_says_what_its_editor_wrote() -> None:
    channel = fine(
        "channel",
        """
        name: Tech Daily
        repository: acme/tech-daily
        event_type: process-video
        token: ACME_TOKEN
        timezone: Europe/Berlin
        lead: 6h
        transport: workflow_dispatch
        workflow: publish.yml
        confirm: run
        delivery: at-least-once
        active: false
        paused: { reason: moving, until: 2026-03-01T19:00 }
        tags: [gaming, de]
        slots:
          - Mon,Wed,Fri 18:00
          - Mon *-*-1..7 09:30
        lineup:
          - intro-to-git
          - { video: rebase-explained, not_before: 2026-03-01T18:00:00Z, repeat: true }
        schedules:
          - { video: anniversary, at: 2026-03-01T19:00, cancelled: true }
          - { at: 2026-03-12T09:00:00Z }
        """,
    )
    assert (channel.name, channel.repository, channel.token) == (
        "Tech Daily",
        "acme/tech-daily",
        "ACME_TOKEN",
    )
    assert (channel.lead, channel.workflow, channel.active) == (21_600, "publish.yml", False)
    assert channel.paused == PauseSpec("moving", SIX_PM)
    assert channel.slots == ("Mon,Wed,Fri 18:00", "Mon *-*-1..7 09:30")
    assert channel.lineup == (
        desired.LineupEntry(video="intro-to-git"),
        desired.LineupEntry(video="rebase-explained", not_before=SIX_PM, repeat=True),
    )
    assert channel.schedules[0] == desired.OneOff(video="anniversary", at=SIX_PM, cancelled=True)
    assert channel.schedules[1].video is None


def test_settings_that_say_the_defaults_are_the_defaults() -> None:
    written = fine(
        "scheduler",
        """
        conflicts: { min_gap: 1m, repeat_window: 24h }
        catch_up: 1h
        horizon: 14d
        retry: { attempts: 3, backoff: 1m }
        pace: 60/min
        allow: []
        brake: { cancel_percent: 30, at_least: 10 }
        event_type: process-video
        state: state.json
        lineage: null
        queue: sqlite:///queue.db
        freezes: []
        notify: []
        """,
    )
    assert written == desired.read_settings(None)[0] == desired.SettingsSpec() == fine("scheduler", "{}")


def same_in(changed: Any, default: Any) -> list[str]:
    """The fields of a struct, and of the structs in it, that have the same value in both."""
    same = []
    for name in default.__struct_fields__:
        mine, other = getattr(changed, name), getattr(default, name)
        if isinstance(mine, Spec):
            same += same_in(mine, other)
        elif mine == other:
            same.append(name)
    return same


def test_no_setting_is_read_in_vain() -> None:
    changed = fine(
        "scheduler",
        """
        conflicts: { min_gap: 2m, repeat_window: 2d }
        catch_up: 2h
        horizon: PT48H
        retry: { attempts: 5, backoff: 10s }
        pace: 2/s
        allow: [acme/*]
        brake: { cancel_percent: 0, at_least: 0 }
        event_type: publish
        state: branch:scheduler-state
        lineage: 3f2b8c1e-6a51-4c7e-9f0d-2b1a5e8d7c43
        queue: redis://queue.internal/0
        freezes:
          - { reason: Holidays, from: 2026-03-01T19:00, until: 2026-03-02T00:00Z, timezone: Europe/Berlin }
        notify: [SLACK_URL]
        """,
    )
    default = desired.SettingsSpec()
    assert same_in(changed, default) == []
    assert changed.freezes[0].from_ == SIX_PM
    assert changed.pace == desired.Pace(2, 1)


def test_values_hold_bare_texts_that_any_encoder_takes() -> None:
    wave = fine("wave", f"title: x\nschedules: [{{{ENTRY}, metadata: {{a: [b, {{c: no}}]}}}}]")
    assert msgspec.json.decode(msgspec.json.encode(wave), type=desired.WaveSpec) == wave

    def texts(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            value = msgspec.structs.asdict(value)
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, list | tuple):
            return [text for part in value for text in texts(part)]
        return [value] if isinstance(value, str) else []

    assert {type(text) for text in texts(wave)} == {str}


@pytest.mark.parametrize(
    "typed", ["no", "on", "18:30", "012", "2026-03-01", "1e3", "0x1F", "true", "Ä ö", "'~'"]
)
def test_a_video_keeps_the_text_that_was_typed(typed: str) -> None:
    text = (
        f"schedules: [{{type: simultaneous, group: g, video: {typed}, at: 2026-03-01T18:00Z, channels: [a]}}]"
    )
    assert fine("wave", text).schedules[0].video == typed.strip("'")


def test_all_of_metadata_is_text_as_typed() -> None:
    metadata = entry("metadata: {a: 012, b: [no, 1.50, ~], c: {d: 2026-03-01, 5: true}}").metadata
    assert metadata == {"a": "012", "b": ["no", "1.50", "~"], "c": {"d": "2026-03-01", "5": "true"}}


@pytest.mark.parametrize("yes", ["true", "True", "TRUE"])
def test_truth_is_written_as_in_yaml_1_2(yes: str) -> None:
    assert entry(f"repeat: {yes}").repeat is True


def test_the_group_is_the_video_where_that_is_a_valid_id() -> None:
    assert entry().group == "teaser"


def test_a_mixed_list_keeps_its_order() -> None:
    text = "type: staggered, video: v, at: 2026-03-01T18:00Z, delay: 0s, channels: [a, {id: b}, c]"
    (stagger,) = fine("wave", f"schedules: [{{{text}}}]").schedules
    assert [member.id for member in stagger.channels] == ["a", "b", "c"]


def test_a_list_of_ids_alone_has_the_members_of_a_list_read_one_by_one() -> None:
    ids = "alpha, 012, true, x.y, A-1"
    alone = fine("wave", f"schedules: [{{type: simultaneous, video: v, {NOW}, channels: [{ids}]}}]")
    mixed = fine(
        "wave", f"schedules: [{{type: simultaneous, video: v, {NOW}, channels: [{ids}, {{id: z}}]}}]"
    )
    quick, slow = alone.schedules[0].channels, mixed.schedules[0].channels
    assert (type(quick), type(slow)) == (desired.BareMembers, tuple)
    assert quick == slow[:-1] == tuple(MemberSpec(id=name) for name in ids.split(", "))


@pytest.mark.parametrize("name", ["null", "~", "a b", "-a", "{id: a, shfit: 1h}", "[a]", "''"])
def test_a_list_of_ids_alone_hides_no_fault(name: str) -> None:
    entry = f"type: simultaneous, video: v, {NOW}, channels: "
    alone = faults("wave", f"schedules: [{{{entry}[{name}]}}]")
    mixed = faults("wave", f"schedules: [{{{entry}[{name}, {{id: z}}]}}]")
    assert alone == mixed != []


def test_a_stagger_after_success_needs_no_delay() -> None:
    text = "type: staggered, video: v, at: 2026-03-01T18:00Z, after_success: true, channels: [a]"
    (stagger,) = fine("wave", f"schedules: [{{{text}}}]").schedules
    assert (stagger.delay, stagger.after_success) == (0, True)


def test_the_zone_of_an_entry_holds_for_all_local_times_in_it() -> None:
    local = (
        "type: simultaneous, video: v, at: 2026-03-01T19:00, timezone: Europe/Berlin, "
        "channels: [{id: a, at: 2026-03-01T19:00, paused: {until: 2026-03-01T19:00}}]"
    )
    (found,) = fine("wave", f"schedules: [{{{local}}}]").schedules
    (member,) = found.channels
    assert (found.at, member.at, member.paused.until) == (SIX_PM, SIX_PM, SIX_PM)


def test_the_zone_of_an_entry_does_not_hold_for_the_next_one() -> None:
    local = "type: simultaneous, video: v, at: 2026-03-01T19:00, channels: [a]"
    text = f"schedules:\n- {{{local}, timezone: Europe/Berlin}}\n- {{{local}}}"
    assert faults("wave", text) == ["3:38 invalid-value '2026-03-01T19:00' is a local time without a zone"]


def test_a_zone_beside_a_time_wins_over_one_further_out() -> None:
    text = "timezone: UTC\nschedules: [{at: 2026-03-01T19:00, timezone: Europe/Berlin}]"
    assert fine("channel", text).schedules[0].at == SIX_PM


def test_the_default_zone_of_a_channel_does_not_hold_for_local_times() -> None:
    assert one_fault("channel", "schedules: [{at: 2026-03-01T19:00}]").code == "invalid-value"


@pytest.mark.parametrize(
    "written",
    [
        "acme/tech",
        "https://github.com/acme/tech",
        "https://github.com/acme/tech.git",
        "https://github.com/acme/tech/",
    ],
)
def test_a_repository_is_reduced_to_owner_and_name(written: str) -> None:
    channel = fine("channel", f"repository: {written}")
    assert (channel.repository, channel.queue) == ("acme/tech", None)


@pytest.mark.parametrize("owner", ["jdoe_acme", "SHORT_admin", "a--b", "old-", "x" * 39])
def test_every_login_that_github_gives_is_an_owner(owner: str) -> None:
    assert fine("channel", f"repository: {owner}/videos").repository == f"{owner}/videos"
    assert fine("scheduler", f"allow: [{owner}/*]").allow == (f"{owner}/*",)


@pytest.mark.parametrize("owner", ["_acme", "-acme", "ac.me", "x" * 40, ""])
def test_what_no_login_can_be_is_not_an_owner(owner: str) -> None:
    assert one_fault("channel", f"repository: {owner}/videos").code == "invalid-value"


def test_a_channel_without_a_repository_has_a_queue() -> None:
    assert fine("channel", "command: ./publish.sh").queue == "publications"
    assert fine("channel", "queue: studio\ncommand: |\n  one\n  two\n").command == "one\ntwo\n"


def test_a_channel_without_a_name_has_that_of_its_file() -> None:
    assert fine("channel", "active: true").name == "spring"


# --- faults: the words, the place, the code ---------------------------------------------------------


def test_all_faults_of_a_file_are_told_in_one_pass_each_at_its_place() -> None:
    text = """
        titel: Spring
        paused: yes
        schedules:
          - type: simultaneos
            video:
            at: 2026-03-01
            channels: [alpha]
          - type: staggered
            video: a b
            at: 2026-03-01T18:00:00Z
            channels: [alpha, {id: beta, shfit: 1h}, [x]]
          - tomorrow
        """
    assert faults("wave", text) == [
        "1:1 unknown-key unknown key `titel`; did you mean `title`?",
        "2:9 invalid-value `paused` must be true or false, not 'yes'",
        "4:11 invalid-value `type` must be simultaneous or staggered, not 'simultaneos'",
        "5:5 missing-key `video` has no value",
        "6:9 invalid-value '2026-03-01' is a date without a time",
        "8:5 missing-key `delay` is missing: the time from each channel to the next",
        "8:5 missing-key `group` is missing: the video's id is not a valid name for the entry",
        "11:34 unknown-key unknown key `shfit`; did you mean `shift`?",
        "11:46 invalid-value expected a channel, not a list",
        "12:5 invalid-value an item of `schedules` must be a mapping of keys and values, not text",
    ]


def test_a_misspelt_required_key_is_one_error() -> None:
    text = "schedules:\n- {type: simultaneous, video: v, at: 2026-03-01T18:00Z, chanels: [alpha]}"
    assert faults("wave", text) == ["2:57 unknown-key unknown key `chanels`; did you mean `channels`?"]


@pytest.mark.parametrize(
    "key", ["At", "time", "start_time", "publish-at", "scheduled_at"], ids=lambda key: f"{key} for at"
)
def test_what_others_call_a_key_is_understood(key: str) -> None:
    problem = entry_fault(f"type: simultaneous, video: v, {key}: 2026-03-01T18:00Z, channels: [alpha]")
    assert problem.message == f"unknown key `{key}`; did you mean `at`?"


def test_a_key_that_resembles_none_lists_those_that_there_are() -> None:
    problem = entry_fault("type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: [{id: a, xyz: 1}]")
    assert (problem.message, problem.hint) == (
        "unknown key `xyz`",
        "the keys here are: id, timezone, at, shift, paused, cancelled",
    )


def test_keys_of_an_entry_that_are_not_indented_are_one_error_each() -> None:
    text = """
        schedules:
          - {type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: [alpha]}
          - type: staggered
            video: w
            at: 2026-03-02T18:00Z
        delay: 2h
        channels: [alpha, beta]
        """
    _, problems = read("wave", text)
    assert [f"{p.location.line}:{p.location.column} {p.message}" for p in problems] == [
        "6:1 unknown key `delay`",
        "7:1 unknown key `channels`",
    ]
    assert {p.hint for p in problems} == {
        "it belongs to an entry of `schedules`: indent it like the `type` of that entry"
    }


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("Tech Daily", "write the name of its file in channels/, without `.yaml`: tech-daily?"),
        ("acme/tech-daily", "write the name of its file in channels/, without `.yaml`: tech-daily?"),
        ("channels/alpha.yaml", "write the name of its file in channels/, without `.yaml`: alpha?"),
        ("alpha; beta", "write alpha, beta for 2 channels, or alpha-beta for one"),
        ("@!", "write the name of its file in channels/, without `.yaml`"),
    ],
)
def test_a_channel_that_is_called_by_its_title_is_told_where_its_id_stands(written: str, hint: str) -> None:
    problem = entry_fault(f"type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: ['{written}']")
    assert (problem.message, problem.hint) == (f"'{written}' is not an id", hint)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("{alpha, beta}", "write channels: [alpha, beta]"),
        ("{alpha: , beta: true}", "write channels: [alpha, beta]"),
        ("{ids: [alpha]}", "write channels: [alpha]"),
    ],
)
def test_a_mapping_in_place_of_the_list_of_channels_is_one_error(written: str, hint: str) -> None:
    problem = entry_fault(f"type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: {written}")
    assert (problem.message, problem.hint) == ("`channels` must be a list of channels", hint)


def test_entries_without_their_key_are_one_error_that_names_it() -> None:
    problem = one_fault("wave", f"- {{{ENTRY}}}\n")
    assert problem.hint == "write `schedules:` in a line above the list"


@pytest.mark.parametrize(
    ("video", "place", "hint"),
    [
        ("https://youtu.be/a1?t=2", "1:13", "add a line such as `group: a1-t-2`"),
        ("teaser // final", "1:13", "add a line such as `group: teaser-final`"),
        ("“teaser”", "1:41", 'curly quotes are part of the text: write straight quotes ("), or none'),
    ],
)
def test_a_video_that_is_not_a_name_gets_one_to_write(video: str, place: str, hint: str) -> None:
    problem = one_fault("wave", f"schedules: [{{type: simultaneous, video: {video}, {NOW}, channels: [a]}}]")
    assert (f"{problem.location.line}:{problem.location.column}", problem.hint) == (place, hint)


def test_two_misspelt_keys_are_not_taken_for_the_same_one() -> None:
    text = "schedules: [{type: simultaneous, vidoe: v, videoo: w, at: 2026-03-01T18:00Z, channels: [a]}]"
    told = faults("wave", text)
    assert [fault.endswith("did you mean `video`?") for fault in told] == [True, False]


@pytest.mark.parametrize("kind", ["wave", "channel", "scheduler"])
@pytest.mark.parametrize("text", ["", "# nothing yet\n", "~\n", "---\n"])
def test_an_empty_file_is_a_missing_key(kind: str, text: str) -> None:
    problem = one_fault(kind, text)
    assert (problem.code, problem.location.line) == ("missing-key", 1)


@pytest.mark.parametrize("kind", ["wave", "channel", "scheduler"])
@pytest.mark.parametrize("text", ["- a\n", "a text\n"])
def test_a_file_that_is_no_mapping_is_one_fault(kind: str, text: str) -> None:
    assert one_fault(kind, text).message.startswith("the file must be a mapping of keys and values")


def test_a_file_that_is_no_yaml_has_no_second_fault() -> None:
    assert one_fault("wave", "schedules: [\n").code == "yaml-syntax"


def test_a_duplicate_key_does_not_hide_the_faults_beside_it() -> None:
    assert [fault.split()[1] for fault in faults("channel", "lead: 1h\nlead: 2h\nactive: 1\n")] == [
        "duplicate-key",
        "invalid-value",
    ]


def test_a_hidden_character_is_told_once() -> None:
    assert one_fault("channel", 'lead: "1h\\x07"\n').code == "invalid-value"


# --- null -------------------------------------------------------------------------------------------

NULLS = ["", "~", "null", "Null", "NULL"]
"""How people and programs write nothing after a colon."""
NOT_NULL: list[tuple[Kind, str, str, str]] = [
    ("wave", "paused", "paused: NULL\nschedules: []", "paused: true"),
    ("wave", "cancelled", "cancelled: NULL\nschedules: []", "cancelled: true"),
    ("wave", "schedules", "schedules: NULL", "schedules: []"),
    ("wave", "channels", "schedules: [{type: simultaneous, video: v, AT, channels: NULL }]", "[alpha, beta]"),
    ("channel", "slots", "slots: NULL", "slots: []"),
    ("channel", "lineup", "lineup: NULL", "lineup: []"),
    ("channel", "schedules", "schedules: NULL", "schedules: []"),
    ("channel", "not_before", "slots: [daily]\nlineup: [{video: v, not_before: NULL }]", "2030-03-01T00:"),
    ("scheduler", "freezes", "freezes: NULL", "freezes: []"),
    ("scheduler", "channels",
     "freezes: [{from: 2026-03-01T18:00Z, until: 2026-03-02T18:00Z, channels: NULL }]",
     "remove the line for all"),
    ("scheduler", "allow", "allow: NULL", "allow: [acme/*]"),
]  # fmt: skip
"""What may have been emptied, or left for later: `null` would decide it silently. With a part of the hint."""


@pytest.mark.parametrize("nothing", NULLS)
@pytest.mark.parametrize(("kind", "key", "text", "hint"), NOT_NULL)
def test_null_does_not_empty_a_list_or_decide_a_pause(
    kind: Kind, key: str, text: str, hint: str, nothing: str
) -> None:
    problem = one_fault(kind, text.replace("NULL", nothing).replace("AT", NOW))
    assert (problem.code, problem.message) == ("invalid-value", f"`{key}` has no value")
    assert hint in (problem.hint or "")


HOMES: dict[type[Spec], tuple[Kind, str]] = {
    specs.WaveSpec: ("wave", "{}\nschedules: []"),
    specs.EntrySpec: (
        "wave",
        f"schedules:\n  - type: staggered\n    after_success: true\n    video: v\n    {NOW}\n"
        "    channels: [a]\n    {}",
    ),
    specs.MemberSpec: (
        "wave",
        f"schedules:\n  - type: simultaneous\n    video: v\n    {NOW}\n    channels:\n      - id: a\n"
        "        {}",
    ),
    specs.PauseSpec: ("wave", "paused:\n  reason: r\n  {}\nschedules: []"),
    specs.ChannelSpec: ("channel", "queue: q\n{}"),
    specs.LineupEntry: ("channel", "queue: q\nslots: [daily]\nlineup:\n  - video: v\n    {}"),
    specs.OneOff: ("channel", f"queue: q\nschedules:\n  - {NOW}\n    {{}}"),
    specs.SettingsSpec: ("scheduler", "pace: 1/s\n{}"),
    specs.ConflictsSpec: ("scheduler", "conflicts:\n  min_gap: 1m\n  {}"),
    specs.RetrySpec: ("scheduler", "retry:\n  attempts: 3\n  {}"),
    specs.BrakeSpec: ("scheduler", "brake:\n  at_least: 10\n  {}"),
    specs.Freeze: (
        "scheduler",
        "freezes:\n  - from: 2026-03-01T18:00Z\n    until: 2026-03-02T18:00Z\n    {}",
    ),
}
"""Each mapping of a file, in one that is right without the line `{}`."""
OPTIONAL = [
    pytest.param(spec, key.name, id=f"{spec.__name__}.{key.name}")
    for spec, (_, text) in HOMES.items()
    for key in keys_of(spec)
    if not (key.is_required or key.key.instead_of_null or f"{key.name}:" in text)
]


@pytest.mark.parametrize("nothing", NULLS)
@pytest.mark.parametrize(("spec", "key"), OPTIONAL)
def test_a_key_that_may_be_absent_is_absent_where_it_is_null(
    spec: type[Spec], key: str, nothing: str
) -> None:
    kind, text = HOMES[spec]
    assert fine(kind, text.replace("{}", f"{key}: {nothing}")) == fine(kind, text.replace("{}", ""))


def test_a_required_key_that_is_null_is_missing() -> None:
    problem = entry_fault("type: simultaneous, video: ~, at: 2026-03-01T18:00Z, channels: [a]")
    assert (problem.code, problem.message) == ("missing-key", "`video` has no value")


def test_null_in_quotes_is_a_text() -> None:
    assert fine("wave", "title: 'null'\nschedules: []").title == "null"
    assert fine("wave", f"schedules: [{{{ENTRY}, metadata: {{a: ~}}}}]").schedules[0].metadata == {"a": "~"}


# --- nothing publishes it ---------------------------------------------------------------------------


def test_a_channel_that_nothing_can_publish_is_an_error() -> None:
    _, (problem,) = desired.read_channel(yaml_reader.read("channels/tv.yaml", b"name: Tech TV\ntoken: T\n"))
    assert (problem.code, str(problem.location)) == ("missing-key", "channels/tv.yaml:1:1")
    assert problem.message == "channel tv has no `repository`, `command` or `queue`: nothing can publish it"
    assert problem.hint == "add a line such as `repository: acme/tech-daily`"


@pytest.mark.parametrize(
    "line", ["repositry: a/b", "repository: a", "comand: x", "queue: a b", "command: [x]"]
)
def test_where_that_line_is_there_with_a_fault_there_is_no_second_one(line: str) -> None:
    _, problems = desired.read_channel(yaml_reader.read("channels/tv.yaml", line.encode()))
    assert [str(problem.location)[:18] for problem in problems] == ["channels/tv.yaml:1"]


def test_an_item_with_nothing_after_its_dash_is_told() -> None:
    problem = one_fault("channel", "tags:\n  - de\n  -\n")
    assert (problem.code, problem.message) == ("missing-key", "an item of `tags` has no value")


TRUTH = {
    "yes": "write true",
    "On": "write true",
    "1": "write true",
    "no": "write false",
    "off": "write false",
    "0": "write false",
    "'true'": "remove the quotes: true",
    '"false"': "remove the quotes: false",
    "maybe": "write true or false",
    "[true]": None,
}


@pytest.mark.parametrize(("typed", "hint"), TRUTH.items())
def test_what_is_no_truth_value_is_told_with_the_one_that_was_meant(typed: str, hint: str | None) -> None:
    problem = one_fault("channel", f"active: {typed}\n")
    assert (problem.code, problem.hint) == ("invalid-value", hint)


BAD_ENTRIES = {
    "a bare number as a delay": (
        "type: staggered, video: v, at: 2026-03-01T18:00Z, channels: [a], delay: 60",
        "'60' has no unit",
    ),
    "a delay in a simultaneous entry": (f"{ENTRY}, delay: 1h", "`delay` needs a staggered entry"),
    "waiting for success in a simultaneous entry": (f"{ENTRY}, after_success: true", "`after_success` needs"),
    "a zone for each channel in a stagger": (
        "type: staggered, video: v, at: 2026-03-01T18:00, timezone: channel, delay: 1h, channels: [a]",
        "`timezone: channel` needs a simultaneous entry",
    ),
    "an offset where each channel's clock counts": (
        f"{ENTRY}, timezone: channel",
        "with `timezone: channel`, `at` must be a local time",
    ),
    "a pause that ends on each channel's clock": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00, timezone: channel, "
        "channels: [{id: a, paused: {until: 2026-03-01T18:00}}]",
        "'2026-03-01T18:00' is a local time, and `timezone: channel` does not apply to a pause",
    ),
    "an unknown zone, with a local time beside it": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00, timezone: Europe/Berln, channels: [a]",
        "'Europe/Berln' is not a time zone",
    ),
    "a misspelt zone key, with a local time beside it": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00, timezon: Europe/Berlin, channels: [a]",
        "unknown key `timezon`; did you mean `timezone`?",
    ),
    "a time that a clock change skips": (
        "type: simultaneous, video: v, at: 2026-03-29T02:30, timezone: Europe/Berlin, channels: [a]",
        "'2026-03-29T02:30' does not exist in Europe/Berlin",
    ),
    "a time that a clock change repeats": (
        "type: simultaneous, video: v, at: 2026-10-25T02:30, timezone: Europe/Berlin, channels: [a]",
        "'2026-10-25T02:30' happens twice in Europe/Berlin",
    ),
    "an epoch number": (
        "type: simultaneous, video: v, at: 1772388000, channels: [a]",
        "'1772388000' is not a time",
    ),
    "a shift in a simultaneous entry": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: [{id: a, shift: 1h}]",
        "`shift` moves the channels of a staggered entry",
    ),
    "a time and a shift for one channel": (
        "type: staggered, video: v, at: 2026-03-01T18:00Z, delay: 1h, "
        "channels: [{id: a, at: 2026-03-01T19:00Z, shift: 1h}]",
        "a channel has either `at` or `shift`, not both",
    ),
    "no channels": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: []",
        "`channels` is empty",
    ),
    "no tags": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: {tags: []}",
        "`tags` is empty",
    ),
    "a channel that is no list": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: a",
        "`channels` must be a list of channels",
    ),
    "a channel that is no id": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: [a, 'b c']",
        "'b c' is not an id",
    ),
    "a line about a channel that is not in the list": (
        f"{ENTRY}, members: [{{id: alpha}}, {{id: gamma}}]",
        "'gamma' is not among the `channels` of this entry",
    ),
    "two lines about one channel": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: {tags: [x]}, "
        "members: [{id: a}, {id: a}]",
        "'a' is listed twice in `members`",
    ),
    "a line about a channel that has its own": (
        "type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: [{id: a}], members: [{id: a}]",
        "'a' already has a line of its own in `channels`",
    ),
    "metadata that is no mapping": (f"{ENTRY}, metadata: spring", "`metadata` must be a mapping"),
    "a video of 201 characters": (
        f"type: simultaneous, group: g, video: {'v' * 201}, at: 2026-03-01T18:00Z, channels: [a]",
        "`video` has 201 characters; at most 200 are allowed",
    ),
    "a video that is an empty text": (
        'type: simultaneous, group: g, video: "", at: 2026-03-01T18:00Z, channels: [a]',
        "`video` is empty",
    ),
    "a video that is a list": (
        "type: simultaneous, group: g, video: [v], at: 2026-03-01T18:00Z, channels: [a]",
        "`video` must be text, not a list",
    ),
    "a video of two lines": (
        'type: simultaneous, group: g, video: "a\\nb", at: 2026-03-01T18:00Z, channels: [a]',
        "`video` contains a line break",
    ),
    "a group that is no id": (f"{ENTRY}, group: ../x", "'../x' is not an id"),
    "a token in metadata": (
        f"{ENTRY}, metadata: {{a: ghp_{'x' * 36}}}",
        "`metadata` contains what looks like a secret",
    ),
}


@pytest.mark.parametrize(("body", "message"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_in_an_entry_this_is_one_fault(body: str, message: str) -> None:
    assert entry_fault(body).message.startswith(message)


BAD_CHANNELS = {
    "a repository and a queue": (
        "repository: a/b\nqueue: q",
        "2:8 invalid-value `queue` is for channels without",
    ),
    "a repository and a command": (
        "repository: a/b\ncommand: c",
        "2:10 invalid-value `command` is for channels",
    ),
    "no repository name": ("repository: acme", "1:13 invalid-value 'acme' is not a repository"),
    "another host": (
        "repository: https://gitlab.com/a/b",
        "1:13 invalid-value 'https://gitlab.com/a/b' is not a",
    ),
    "a dispatch without a workflow": (
        "repository: a/b\ntransport: workflow_dispatch",
        "1:1 missing-key `workflow` is missing",
    ),
    "a dispatch without a repository": (
        "workflow: p.yml\ntransport: workflow_dispatch",
        "1:1 missing-key `repository` is missing",
    ),
    "a dispatch with a misspelt repository": (
        "repositry: a/b\nworkflow: p.yml\ntransport: workflow_dispatch",
        "1:1 unknown-key unknown key `repositry`; did you mean `repository`?",
    ),
    "a dispatch with a faulty repository": (
        "repository: a\nworkflow: p.yml\ntransport: workflow_dispatch",
        "1:13 invalid-value 'a' is not a repository",
    ),
    "a workflow without a dispatch": (
        "workflow: p.yml",
        "1:11 invalid-value `workflow` needs `transport: workflow",
    ),
    "a retraction by name": (
        "repository: a/b\ntransport: workflow_dispatch\nworkflow: p.yml\nretract: retract-video",
        "4:10 invalid-value `retract` needs `transport: repository_dispatch`; with workflow_dispatch",
    ),
    "a retraction from a queue": (
        "queue: q\nretract: retract-video",
        "2:10 invalid-value `retract` needs a `repository`",
    ),
    "a retraction that would publish": (
        "repository: a/b\nevent_type: go\nretract: go",
        "3:10 invalid-value `retract` is the same as `event_type`",
    ),
    "a workflow with its folder": (
        "repository: a/b\ntransport: workflow_dispatch\nworkflow: .github/workflows/p.yml",
        "3:11 invalid-value '.github/workflows/p.yml' is not the name of a workflow file",
    ),
    "an event type of 101 characters": (
        f"event_type: {'e' * 101}",
        "1:13 invalid-value `event_type` has 101",
    ),
    "a slot that never was": ("slots: [Mon 25:00]", "1:9 invalid-value 'Mon 25:00' is not a posting slot"),
    "slots that are no list": ("slots: daily", "1:8 invalid-value `slots` must be a list, not text"),
    "a one-off without a time": ("schedules:\n- {video: v}", "2:3 missing-key `at` is missing"),
    "a name over two lines": ("name: |\n  a\n  b\n", "1:7 invalid-value `name` contains a line break"),
    "a negative lead": ("lead: -1h", "1:7 invalid-value '-1h' is not a duration"),
    "a zone for each channel": ("timezone: channel", "1:11 invalid-value 'channel' is not a time zone"),
}


@pytest.mark.parametrize(("text", "told"), BAD_CHANNELS.values(), ids=BAD_CHANNELS)
def test_in_a_channel_this_is_one_fault(text: str, told: str) -> None:
    (found,) = faults("channel", text)
    assert found.startswith(told)


BAD_SETTINGS = {
    "a quoted number": ("retry: {attempts: '3'}", "`attempts` is the quoted text '3'"),
    "a number with a leading zero": (
        "retry: {attempts: 03}",
        "`attempts` must be a whole number from 1 to 100, not '03'",
    ),
    "no attempts": ("retry: {attempts: 0}", "`attempts` must be a whole number from 1 to 100, not '0'"),
    "more than all": (
        "brake: {cancel_percent: 101}",
        "`cancel_percent` must be a whole number from 0 to 100",
    ),
    "a pace without a unit": ("pace: 60", "'60' is not a pace"),
    "an owner alone": ("allow: [acme]", "'acme' is not a pattern of repositories"),
    "a branch that git refuses": ("state: branch:a..b", "'a..b' is not a valid branch name"),
    "a folder": ("state: states/", "'states/' is a folder"),
    "a queue that is no URL": ("queue: publications", "'publications' is not a queue's URL"),
    "a queue on a port that is not there": ("queue: redis://h:99999/0", "'redis://h:99999/0' is not a queue"),
    "a queue on a port that is no number": ("queue: redis://h:port/0", "'redis://h:port/0' is not a queue"),
    "a queue whose brackets do not close": ('queue: "redis://[::1/0"', "'redis://[::1/0' is not a queue"),
    "a freeze that ends when it begins": (
        "freezes: [{from: 2026-03-01T18:00Z, until: 2026-03-01T18:00Z}]",
        "the freeze ends before it begins",
    ),
    "a freeze without an end": ("freezes: [{from: 2026-03-01T18:00Z}]", "`until` is missing"),
    "a freeze for no channel": (
        "freezes: [{from: 2026-03-01T18:00Z, until: 2026-03-02T18:00Z, channels: []}]",
        "`channels` is empty",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_in_the_settings_this_is_one_fault(text: str, message: str) -> None:
    assert one_fault("scheduler", text).message.startswith(message)


def test_every_fault_has_one_of_our_codes() -> None:
    texts = [f"schedules: [{{{body}}}]" for body, _ in BAD_ENTRIES.values()]
    codes = {problem.code for text in texts for problem in read("wave", text)[1]}
    assert codes <= CATALOGUE.keys()


SECRETS = [
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2" * 12,
    "0123456789abcdef0123456789abcdef01234567",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "s3cr3t/with+signs==",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "line", ["token: {}", "token: [{}]", "tokn: {}", "{}: token", "lead: {}", "name: {}"]
)
def test_a_token_in_a_file_is_not_repeated_by_any_message(secret: str, line: str) -> None:
    _, problems = read("channel", line.format(secret) + "\n")
    shown = " ".join(f"{problem.message} {problem.hint}" for problem in problems)
    if line.startswith("token") or secret.startswith("gh"):
        assert problems
        assert secret not in shown


@pytest.mark.parametrize(
    "path", ["waves/a.yaml", "waves/2026/spring-launch.v2.yml", "waves/" + "x" * 64 + ".yaml"]
)
def test_the_stem_of_a_file_is_its_id(path: str) -> None:
    assert desired.stem_problem("wave", path) is None


@pytest.mark.parametrize(
    "path", ["waves/spring launch.yaml", "waves/.yaml", "waves/" + "x" * 65 + ".yaml", "waves/é.yml"]
)
def test_a_file_whose_name_is_no_id_is_told(path: str) -> None:
    problem = desired.stem_problem("wave", path)
    assert problem is not None
    assert (problem.code, problem.location.file) == ("invalid-value", path)


def test_a_hostile_file_is_told_in_a_hundred_faults_and_the_others_are_counted() -> None:
    many = ", ".join(f"'?{i}'" for i in range(5_000))
    text = f"schedules: [{{type: simultaneous, video: v, at: 2026-03-01T18:00Z, channels: [{many}]}}]"
    told = faults("wave", text)
    assert len(told) == 101
    assert "…and 4,900 more in this file are not shown" in told[-1]


TYPED = [
    ("a list without blanks", "channels:\n  -alpha\n  -beta\n", "write `- alpha`"),
    ("a first dash without its blank", "channels:\n  -alpha\n  - beta\n", "write `- alpha`"),
    ("curly quotes around an id", "channels: [“alpha”]\n", "curly"),
    ("curly quotes around two ids", "channels: [“alpha, beta”]\n", "curly"),
    ("German quotes around a group", "channels: [alpha]\ngroup: „teaser“\n", "curly"),
    ("single curly quotes around a duration", "channels: [alpha]\ndelay: ‘1h’\n", "curly"),
    ("curly quotes around the video, which names the group", "channels: [alpha]\nvideo: “v”\n", "curly"),
]


@pytest.mark.parametrize(("lines", "hint"), [pytest.param(*row[1:], id=row[0]) for row in TYPED])
def test_what_a_word_processor_or_a_hasty_hand_makes_gets_a_hint_of_its_own(lines: str, hint: str) -> None:
    head = "type: staggered\nat: 2026-03-01T18:00Z\n"
    head += "" if "video" in lines else "video: v\n"
    head += "" if "delay" in lines else "delay: 1h\n"
    entry = "".join(f"    {line}\n" for line in (head + lines).splitlines())
    _, problems = desired.read_wave(yaml_reader.read("waves/a.yaml", f"schedules:\n  -\n{entry}".encode()))
    assert problems
    assert all(hint in (problem.hint or "") for problem in problems)


def test_a_negative_number_is_not_taken_for_a_list_item() -> None:
    _, problems = desired.read_channel(yaml_reader.read("channels/a.yaml", b"lead: -6h\n"))
    assert "blank" not in (problems[0].hint or "")


@pytest.mark.parametrize("key", ["slots", "allow", "freezes"])
def test_a_list_that_is_gone_through_again_and_again_is_not_too_long(key: str) -> None:
    kind, reader = (
        ("channels", desired.read_channel) if key == "slots" else ("scheduler", desired.read_settings)
    )
    text = f"{key}:\n" + "- nonsense!\n" * 1_001 + ("command: x\n" if key == "slots" else "")
    _, problems = reader(yaml_reader.read(f"{kind}.yaml", text.encode()))
    assert [problem.message for problem in problems] == [f"`{key}` has 1,001 items; at most 1,000 are read"]


@pytest.mark.parametrize(
    ("kind", "text", "hint"),
    [
        ("channel", "repository: git@github.com:acme/x.git", "write acme/x"),
        ("channel", "repository: https://github.com/acme/x/tree/main", "write acme/x"),
        ("channel", "repository: https://example.com/acme/x", "such as acme/tech-daily"),
        ("wave", "schedules:\n  type: staggered", "`- type: ...`"),
        ("wave", "- a", "`key: value`"),
        ("scheduler", "retry: { attempts: 0x3 }", "digits"),
    ],
)
def test_a_value_of_another_form_gets_a_hint_with_the_right_one(kind: str, text: str, hint: str) -> None:
    _, problems = read(kind, text)
    assert [hint in (problem.hint or "") for problem in problems] == [True]


@pytest.mark.parametrize(
    ("freeze", "reported"),
    [
        ("from: 2026-03-01T19:00, until: 2026-03-02T00:00Z, timezone: Europe/Berlin", []),
        ("from: 2026-03-01T19:00Z, until: 2026-03-02T00:00Z", []),
        ("from: 2026-03-01T19:00, until: 2026-03-02T00:00, timezone: Etc/GMT", []),
        ("from: 2026-03-01T19:00, until: 2026-03-02T00:00, timezone: HST", ["misleading-zone"]),
        ("from: 2026-03-01T19:00, until: 2026-03-02 00:00 Etc/GMT-3, timezone: UTC", ["misleading-zone"]),
        (
            "from: 2026-03-01T19:00.000Z, until: 2026-03-02T00:00Z, timezone: Europe/Berlin",
            ["invalid-value"],
        ),
        (
            "from: 2026-03-01T19:00:00.000Z, until: 2026-03-02 00:00 Z, timezone: Europe/Berlin",
            ["unused-zone", "unused-zone"],
        ),
    ],
)
def test_an_offset_beside_a_zone_is_reported_and_the_zone_of_a_local_time_is_not(
    freeze: str, reported: list[str]
) -> None:
    _, problems = read("scheduler", f"freezes: [{{ {freeze} }}]\n")
    assert [problem.code for problem in problems] == reported


def test_what_is_called_a_timezone_in_metadata_is_nobodys_zone() -> None:
    metadata = "{ timezone: EST, at: 2026-03-01T18:00Z }"
    one_off = f"{{ video: v, at: 2026-03-01T18:00Z, metadata: {metadata} }}"
    fine("channel", f"repository: acme/alpha\nschedules: [{one_off}]\n")
