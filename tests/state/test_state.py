"""The record as text: what is written, what a hand may change, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import StateError
from scheduler.state import header
from scheduler.state.codec import decode, decode_archive, encode, encode_archive
from scheduler.state.record import Declared, Event, Idle, Intent, Pause, Record, Retraction, State

AT = "2026-03-01T18:00:00Z"
CORPUS = json.loads((Path(__file__).parents[1] / "corpora/json_test_suite.json").read_text())["texts"]


def in_wave(wave: str = "spring", group: str = "teaser", channel: str = "alpha", **more: object) -> Record:
    fields: dict[str, object] = {
        "schedule_type": "simultaneous",
        "channel_id": channel,
        "scheduled_at": AT,
        "status": "pending",
        "wave_id": wave,
        "coordination_group_id": f"{wave}/{group}",
        "video_id": "teaser-4k",
    }
    return Record(**(fields | more))  # type: ignore[arg-type]


def one_off(channel: str = "alpha", at: str = AT, **more: object) -> Record:
    fields: dict[str, object] = {
        "schedule_type": "independent",
        "channel_id": channel,
        "scheduled_at": at,
        "status": "pending",
    }
    return Record(**(fields | more))  # type: ignore[arg-type]


SENT = in_wave(
    channel="beta",
    status="executing",
    attempts=1,
    metadata={"campaign": 'späte \u2028 "Zeilen"\n}\n{', "b": "2", "a": "1"},
    pauses=(Pause("freeze", "Holidays", AT),),
    intent=Intent(
        owner="run-1", at=AT, key="k", not_after=AT, transport="repository_dispatch", repository="a/b"
    ),
    retraction=Retraction(status="sending", at=AT, why="declared cancelled", attempts=1),
    history=(Event(AT, "pending", "declared"), Event(AT, "executing", "due")),
)
STATE = State(
    version=2,
    lineage="5b0d4c5e-0d0b-4f3f-9d8e-2f3f5f0e7b11",
    serial=17,
    declared=Declared("d" * 64, "c" * 40),
    idle=Idle(AT, "s" * 64),
    zone_release="2026f",
    notified={"spring/teaser/alpha": "at_risk", "waves/autumn.yaml": "at_risk"},
    schedules={f"alpha/{AT}": one_off(), "spring/teaser/beta": SENT, "spring/teaser/alpha": in_wave()},
)
TEXT = encode(STATE)
ROOT = Path(__file__).parents[2]


def plain(state: State = STATE) -> dict[str, Any]:
    """The state as plain data, to be written down again as a hand would."""
    data: dict[str, Any] = json.loads(encode(state))
    del data["checksum"]
    return data


def by_hand(data: object) -> bytes:
    return json.dumps(data, indent=2).encode()


def why_refused(text: bytes) -> str:
    with pytest.raises(StateError) as refused:
        decode(text, "state.json")
    assert "state.json" in str(refused.value), "the message names the file"
    assert refused.value.hint, "and says what to do"
    return str(refused.value)


# --- what is written ------------------------------------------------------------------------------


def test_a_state_survives_its_round_trip() -> None:
    assert decode(TEXT, "state.json") == STATE


def test_the_text_has_its_facts_first_and_then_one_schedule_a_line_sorted_by_id() -> None:
    first, *lines, end, nothing = TEXT.decode().split("\n")
    assert first.startswith(
        '{"version": 2, "lineage": "5b0d4c5e-0d0b-4f3f-9d8e-2f3f5f0e7b11", "serial": 17, '
    )
    assert first.endswith('"schedules": {')
    assert [line.split('"')[1] for line in lines] == sorted(STATE.schedules)
    assert (end, nothing) == ("}}", "")


def test_the_keys_of_a_record_are_sorted_so_that_a_change_is_one_line_of_a_diff() -> None:
    for record in json.loads(TEXT)["schedules"].values():
        assert list(record) == sorted(record)
    assert list(json.loads(TEXT)["schedules"]["spring/teaser/beta"]["metadata"]) == ["a", "b", "campaign"]


def test_the_order_in_which_schedules_were_recorded_does_not_show() -> None:
    turned = msgspec.structs.replace(STATE, schedules=dict(reversed(STATE.schedules.items())))
    assert encode(turned) == TEXT


@pytest.mark.parametrize("count", [0, 1, 2, 999, 1000, 1001, 2000])
def test_any_number_of_schedules_is_one_line_each(count: int) -> None:
    state = State(
        version=2,
        lineage="x",
        serial=0,
        schedules={f"spring/g{n:04d}/alpha": in_wave(group=f"g{n:04d}") for n in range(count)},
    )
    text = encode(state)
    assert text.count(b"\n") == count + 2
    assert decode(text, "state.json", trust_checksum=False) == state
    assert len(json.loads(text)["schedules"]) == count


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True)


@given(st.lists(st.tuples(names, names, names, words, st.dictionaries(words, words, max_size=3)), max_size=5))
def test_whatever_words_a_record_holds_they_come_back(
    rows: list[tuple[str, str, str, str, dict[str, str]]],
) -> None:
    schedules = {
        f"{wave}/{group}/{channel}": in_wave(wave, group, channel, error_message=text, metadata=metadata)
        for wave, group, channel, text, metadata in rows
    }
    state = State(version=2, lineage="x", serial=1, schedules=schedules)
    text = encode(state)
    assert decode(text, "state.json") == decode(text, "state.json", trust_checksum=False) == state
    assert json.loads(text)["schedules"].keys() == schedules.keys()


def test_an_archived_month_survives_its_round_trip() -> None:
    text = encode_archive("x", STATE.schedules)
    assert text.startswith(b'{"version": 2, "lineage": "x", "checksum": "')
    assert decode_archive(text, "archive/2026-03.json") == ("x", STATE.schedules, None)


def test_a_state_is_no_archive_and_an_archive_is_no_state() -> None:
    with pytest.raises(StateError):
        decode_archive(TEXT, "archive/2026-03.json")
    assert "serial" in why_refused(encode_archive("x", {}))


# --- the first line -------------------------------------------------------------------------------


def test_the_first_line_can_be_read_alone() -> None:
    head = header.read_head(TEXT[: TEXT.index(b"\n") + 1])
    assert head is not None
    assert (head.version, head.lineage, head.serial) == (2, STATE.lineage, 17)
    assert head.idle is not None
    assert (head.idle["until"], head.idle["surroundings"]) == (AT, "s" * 64)
    assert head.declared == {"digest": "d" * 64, "commit": "c" * 40}


def test_reading_the_first_line_needs_nothing_but_the_standard_library() -> None:
    stores = "scheduler.state.stores.file, scheduler.state.stores.git_branch"
    code = f"import sys, scheduler.state.header, {stores}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"msgspec", "yaml", "pydantic", "github"} & set(ran.stdout.split())


def test_the_checksum_holds_for_what_was_written_and_for_no_other_byte() -> None:
    assert header.checksum_holds(TEXT)
    for place in range(len(TEXT)):
        flipped = bytearray(TEXT)
        flipped[place] ^= 1
        assert not header.checksum_holds(bytes(flipped)), place


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"{}\n",
        b"null",
        TEXT.replace(b"\n", b" "),
        by_hand(plain()),
        b'{"version": 2, "schedules": {\n}}\n',
        b'{"version": true, "lineage": "x", "schedules": {\n}}\n',
        b'{"version": 2, "lineage": "x", "idle": 5, "schedules": {\n}}\n',
        b'{"version": 2, "version": 1, "lineage": "x", "schedules": {\n}}\n',
    ],
)
def test_a_first_line_of_another_form_is_none(text: bytes) -> None:
    assert header.read_head(text) is None


# --- a hand edit ----------------------------------------------------------------------------------


def test_an_edit_that_makes_sense_is_taken_however_it_is_laid_out() -> None:
    data = plain()
    data["schedules"][f"alpha/{AT}"]["status"] = "cancelled"
    for text in (by_hand(data), json.dumps(data).encode(), json.dumps(data).encode() + b"\r\n\r\n"):
        assert decode(text, "state.json").schedules[f"alpha/{AT}"].status == "cancelled"


def test_an_edit_in_place_that_leaves_the_old_checksum_is_taken() -> None:
    text = TEXT.replace(b'"video_id":"teaser-4k"', b'"video_id":"teaser-8k"')
    assert decode(text, "state.json").schedules["spring/teaser/alpha"].video_id == "teaser-8k"


@pytest.mark.parametrize(
    "local", ["2026-03-01T18:00:00", "2026-03-01T18:00:00+1h", "2026-03-01T18:00:00-15m"]
)
def test_an_edit_of_a_local_time_that_makes_sense_is_taken(local: str) -> None:
    assert (
        decode(record_changed(local_time=local), "state.json").schedules["spring/teaser/beta"].local_time
        == local
    )


def test_an_edited_text_is_written_as_our_own_the_next_time() -> None:
    assert encode(decode(by_hand(plain()), "state.json")) == TEXT


# --- what is refused ------------------------------------------------------------------------------


def test_a_text_cut_off_at_any_byte_is_refused() -> None:
    for length in range(len(TEXT) - 1):
        why_refused(TEXT[:length])


def test_a_state_of_our_own_hand_without_its_final_line_end_was_cut_off() -> None:
    with pytest.raises(StateError, match="truncated"):
        decode(TEXT[:-1], "state.json")


def test_an_edit_by_hand_needs_no_final_line_end() -> None:
    assert decode(by_hand(plain()).rstrip(b"\n"), "state.json") == STATE


def record_changed(**fields: object) -> bytes:
    data = plain()
    data["schedules"]["spring/teaser/beta"].update(fields)
    return by_hand(data)


def slot_changed(**fields: object) -> bytes:
    data = plain()
    data["schedules"][f"alpha/{AT}"].update(fields)
    return by_hand(data)


def record_replaced(record: object) -> bytes:
    return by_hand(plain() | {"schedules": {"spring/teaser/beta": record}})


def renamed(old: str, new: str) -> bytes:
    return by_hand(plain() | {"schedules": {new: plain()["schedules"][old]}})


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is empty"),
    "blank lines": (b" \n\n", "is empty"),
    "null": (b"null\n", "Expected `object`"),
    "a list": (b"[]\n", "Expected `object`"),
    "an empty object": (b"{}\n", "version"),
    "no schedules": (b'{"version": 2, "lineage": "x", "serial": 1}\n', "schedules"),
    "version 3": (
        TEXT.replace(b'"version": 2', b'"version": 3'),
        "was written by a newer version of this program: it has version 3",
    ),
    "version 3 with new facts": (b'{"version": 3, "new": []}', "it has version 3"),
    "version 3 in another outline": (b'{"version": 3, "schedules": [1]}\n{"b": 2}\n', "newer version"),
    "version 0": (by_hand(plain() | {"version": 0}), "version 0; this program reads versions 1 to 2"),
    "version of text": (by_hand(plain() | {"version": "1"}), 'version "1"'),
    "a conflict": (TEXT.replace(b"\n", b"\n<<<<<<< HEAD\n", 1), "merge conflict marker"),
    "a conflict's middle": (TEXT.replace(b"}}\n", b"=======\n}}\n"), "merge conflict marker"),
    "a conflict's end in CRLF": (TEXT.replace(b"}}\n", b">>>>>>> b\r\n}}\n"), "merge conflict marker"),
    "a fact twice": (TEXT.replace(b'"serial": 17', b'"serial": 18, "serial": 17'), "duplicate key 'serial'"),
    "a schedule twice": (
        TEXT.replace(b"}}\n", b"," + TEXT.splitlines()[2].rstrip(b",") + b"}}\n"),
        "duplicate key 'spring/teaser/alpha'",
    ),
    "a field twice": (TEXT.replace(b'"attempts":0,', b'"attempts":0,"attempts":0,', 1), "key 'attempts'"),
    "a metadata key twice": (TEXT.replace(b'"a":"1"', b'"a":"1","a":"1"'), "duplicate key 'a'"),
    "NaN": (TEXT.replace(b'"lateness_seconds":null', b'"lateness_seconds":NaN'), "line 2"),
    "NaN in metadata": (TEXT.replace(b'"a":"1"', b'"a":NaN'), "invalid"),
    "Infinity": (TEXT.replace(b'"a":"1"', b'"a":-Infinity'), "invalid"),
    "1e999": (TEXT.replace(b'"a":"1"', b'"a":1e999'), "out of range"),
    "a number of 5,000 digits": (TEXT.replace(b'"a":"1"', b'"a":' + b"9" * 5000), "out of range"),
    "a serial of 5,000 digits": (TEXT.replace(b'"serial": 17', b'"serial": ' + b"9" * 5000), "out of range"),
    "a serial beyond 2^53": (TEXT.replace(b'"serial": 17', b'"serial": 9007199254740993'), "serial"),
    "a serial below 0": (TEXT.replace(b'"serial": 17', b'"serial": -1'), "serial -1"),
    "a serial of text": (TEXT.replace(b'"serial": 17', b'"serial": "17"'), "serial"),
    "no lineage": (by_hand(plain() | {"lineage": ""}), "lineage"),
    "an unknown fact": (by_hand(plain() | {"shedules": {}}), "shedules"),
    "text after the end": (TEXT + b"x", "has text after its end"),
    "two states": (TEXT + TEXT, "line 6"),
    "a comma too many": (TEXT.replace(b"\n}}", b",\n}}"), "line 5"),
    "a comment": (b"// state\n" + TEXT, "line 1"),
    "a byte order mark": (b"\xef\xbb\xbf" + TEXT, "not plain UTF-8"),
    "UTF-16": (TEXT.decode().encode("utf-16"), "not plain UTF-8"),
    "UTF-16 without a mark": (TEXT.decode().encode("utf-16-be"), "not plain UTF-8"),
    "UTF-32": (TEXT.decode().encode("utf-32-le"), "not plain UTF-8"),
    "Latin-1": (TEXT.replace("ä".encode(), b"\xe4"), "not valid UTF-8"),
    "100,000 brackets": (b"[" * 100_000, "Expected `object`"),
    "100,000 brackets inside": (TEXT.replace(b'"a":"1"', b'"a":' + b"[" * 100_000), "nested too deeply"),
    "half a surrogate pair": (TEXT.replace(b'"a":"1"', b'"a":"\\ud800"'), "damaged"),
    "a NUL byte": (TEXT.replace(b'"a":"1"', b'"a":"\0"'), "invalid"),
    "a record {}": (record_replaced({}), "invalid record 'spring/teaser/beta'"),
    "a record 5": (record_replaced(5), "invalid record 'spring/teaser/beta'"),
    "a record null": (record_replaced(None), "invalid record 'spring/teaser/beta'"),
    "a record []": (record_replaced([]), "invalid record 'spring/teaser/beta'"),
    "an unknown status": (record_changed(status="paused"), "Invalid enum value 'paused' - at `status`"),
    "an unknown field": (record_changed(stauts="x"), "stauts"),
    "attempts of text": (record_changed(attempts="1"), "attempts"),
    "attempts below 0": (record_changed(attempts=-1), "attempts: -1"),
    "a local time": (record_changed(scheduled_at="2026-03-01T18:00:00"), "time '2026-03-01T18:00:00'"),
    "a time that is none": (record_changed(executed_at="2026-02-30T18:00:00Z"), "2026-02-30"),
    "a local_time in words": (record_changed(local_time="soon"), "an invalid local_time 'soon'"),
    "a local_time of no day": (record_changed(local_time="2026-02-30T18:00:00"), "local_time '2026-02-30"),
    "a local_time with half a delay": (record_changed(local_time="2026-03-01T18:00:00-15"), "local_time"),
    "a local_time with an offset": (record_changed(local_time="2026-03-01T18:00:00+01:00"), "local_time"),
    "a slot at a delay": (slot_changed(local_time="2026-03-01T18:00:00+1h"), "invalid local_time"),
    "a history without a time": (record_changed(history=[{"at": "", "status": "failed", "why": ""}]), "time"),
    "failed without a reason": (record_changed(status="failed"), "is failed but has no reason"),
    "executing without an intent": (record_changed(intent=None), "is executing but has no intent"),
    "an id of one part": (renamed("spring/teaser/beta", "beta"), "id"),
    "another wave's id": (renamed("spring/teaser/beta", "summer/teaser/beta"), "id"),
    "an id of another channel": (renamed("spring/teaser/beta", "spring/teaser/alpha"), "id"),
    "a one-off's id without a time": (renamed(f"alpha/{AT}", "alpha/soon"), "id"),
    "a one-off's id with a local time": (renamed(f"alpha/{AT}", "alpha/2026-03-01T18:00:00"), "id"),
    "an id with a line end": (renamed("spring/teaser/beta", "spring/teaser/beta\n"), "id"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_makes_no_sense_is_refused_in_words(what: str) -> None:
    text, words = REFUSED[what]
    assert text != TEXT
    assert words in why_refused(text)


def test_the_checksum_of_our_own_hand_does_not_excuse_another_version() -> None:
    assert "version 3" in why_refused(encode(msgspec.structs.replace(STATE, version=3)))


@pytest.mark.parametrize("name", CORPUS)
def test_no_text_of_the_corpus_is_taken_for_a_state(name: str) -> None:
    why_refused(CORPUS[name].encode())


@pytest.mark.parametrize("name", CORPUS)
def test_a_text_of_the_corpus_inside_a_record_is_taken_only_where_it_is_json(name: str) -> None:
    text = TEXT.replace(b'"a":"1"', b'"a":' + CORPUS[name].encode())
    try:
        taken = decode(text, "state.json").schedules["spring/teaser/beta"].metadata
    except StateError:
        assert not name.startswith("y_") or name.startswith("y_object_duplicated_key")
    else:
        assert not name.startswith("n_")
        assert taken is not None
        assert taken["a"] == json.loads(CORPUS[name])
