"""What twelve libraries write for a wave and a channel: read as the hand-written file, or refused in words.

The corpus is what they really wrote; tests/corpora/emitters/README.md says how it was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from miniature import Miniature

from scheduler.desired import parse, yaml_reader
from scheduler.desired.specs import ChannelSpec, WaveSpec

CORPUS: Final = Path(__file__).parents[1] / "corpora" / "emitters"
WRITTEN: Final = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*.yaml"))

COPY: Final = (
    "write the value out in both places; to have a program do that, set `ignore_aliases` (PyYAML, "
    "ruamel.yaml), `noRefs: true` (js-yaml) or `aliasDuplicateObjects: false` (npm yaml), or give each "
    "place a copy of its own (Ruby, Perl)"
)


def if_local(text: str, otherwise: str = "remove the `timezone`") -> str:
    return f"if it is Europe/Berlin time, write {text}; if it is not, {otherwise}"


def in_quotes(text: str) -> str:
    return (
        f'write it in quotes: "{text}"; if it is meant as a tag, delete it, '
        "and have the program write the value as text"
    )


FAULTS: Final[dict[str, dict[str, str | None]]] = {
    "go-yaml-v3-3.0.1/native-zone": {"24:11 unused-zone": if_local("at: 2030-03-02T09:00")},
    "goccy-go-yaml-1.9.5/channel-loaded": {"7:5 invalid-value": None, "15:5 invalid-value": None},
    "goccy-go-yaml-1.9.5/native-zone": {"22:7 unused-zone": if_local("at: 2030-03-02T09:00")},
    "js-yaml-4.3.2/channel-loaded": {
        "15:17 unused-zone": if_local(
            "not_before: 2030-03-01T00:00", "write not_before: 2030-03-01T00:00:00Z"
        ),
        "20:9 unused-zone": if_local("at: 2030-03-05T12:00", "write at: 2030-03-05T12:00:00Z"),
    },
    "js-yaml-4.3.2/loaded": {"28:9 unused-zone": if_local("at: 2030-03-02T09:00")},
    "js-yaml-4.3.2/native-zone": {"28:9 unused-zone": if_local("at: 2030-03-02T08:00")},
    "js-yaml-4.3.2/shared": {"7:15 yaml-syntax": COPY},
    "js-yaml-5.5.0/native-zone": {"28:9 unused-zone": if_local("at: 2030-03-02T08:00")},
    "js-yaml-5.5.0/shared": {"7:15 yaml-syntax": COPY},
    "npm-yaml-2.9.1/native-zone": {"28:9 unused-zone": if_local("at: 2030-03-02T08:00")},
    "npm-yaml-2.9.1/shared": {"7:15 yaml-syntax": COPY},
    "php-yaml-2.2.2/native-zone": {"29:7 unused-zone": if_local("at: 2030-03-02T09:00")},
    "psych-4.0.3/channel-loaded": {
        "16:15 unused-zone": if_local(
            "not_before: 2030-03-01 00:00", "write not_before: 2030-03-01 00:00:00 Z"
        ),
        "21:7 unused-zone": if_local(
            "at: 2030-03-05 13:00 (2030-03-05 12:00 if Ruby read it as UTC)",
            "write at: 2030-03-05 13:00:00 +01:00",
        ),
    },
    "psych-4.0.3/loaded": {
        "29:7 unused-zone": if_local("at: 2030-03-02 10:00 (2030-03-02 09:00 if Ruby read it as UTC)")
    },
    "psych-4.0.3/native-class": {
        "7:7 yaml-syntax": in_quotes("!ruby/object:DateTime 2030-03-01 18:00:00.000000000 Z")
    },
    "psych-4.0.3/native-zone": {
        "29:7 unused-zone": if_local("at: 2030-03-02 09:00 (2030-03-02 08:00 if Ruby read it as UTC)")
    },
    "psych-4.0.3/shared": {"8:13 yaml-syntax": COPY},
    "psych-4.0.3/symbols": {"2:1 unknown-key": None, "3:1 unknown-key": None},
    "pyyaml-6.0.3/native-zone": {"26:7 unused-zone": if_local("at: 2030-03-02 09:00")},
    "pyyaml-6.0.3/shared": {"3:13 yaml-syntax": COPY},
    "r-yaml-2.3.7/channel": {"4:9 invalid-value": "write true", "17:11 invalid-value": "write true"},
    "r-yaml-2.3.7/loaded": {"40:11 invalid-value": "write tags: [en]"},
    "r-yaml-2.3.7/native-class": {
        "6:7 invalid-value": (
            "write a time with an offset, such as 2026-03-01T18:00:00Z or 2026-03-01T18:00:00+02:00"
        ),
        "28:7 invalid-value": (
            "write a time such as 2026-03-01T18:00 (in Europe/Berlin) or 2026-03-01T18:00:00Z"
        ),
        "40:11 invalid-value": "write tags: [en]",
    },
    "r-yaml-2.3.7/wave": {"40:11 invalid-value": "write tags: [en]"},
    "r-yaml-2.3.7/wave-with-handlers": {"40:11 invalid-value": "write tags: [en]"},
    "ruamel.yaml-0.19.1/native-zone": {"26:7 unused-zone": if_local("at: 2030-03-02 09:00")},
    "ruamel.yaml-0.19.1/shared": {"7:13 yaml-syntax": COPY},
    "yaml-pp-0.035/native-class": {"4:3 invalid-value": None},
    "yaml-pp-0.035/shared": {"4:13 yaml-syntax": COPY},
    "yaml-xs-0.86/native-class": {"3:7 yaml-syntax": in_quotes("!!perl/array:Time::Piece")},
    "yaml-xs-0.86/shared": {"4:13 yaml-syntax": COPY},
}
"""Of each file that is not simply read: the places and codes, each with its hint."""

SAYING_IT_ALL: Final = {
    "goccy-go-yaml-1.9.5/channel-loaded": "`at` must be a time such as 2030-03-01T18:00:00Z, not a mapping",
    "yaml-pp-0.035/native-class": "`at` must be a time such as 2030-03-01T18:00:00Z, not a list",
    "psych-4.0.3/symbols": "unknown key `:schedules`; did you mean `schedules`?",
}
"""Where there is no hint, since the message says what to write."""

NULL: Final = {
    **dict.fromkeys(("php-yaml-2.2.2", "r-yaml-2.3.7", "yaml-xs-0.86"), "~"),
    **dict.fromkeys(("psych-4.0.3", "ruamel.yaml-0.19.1"), ""),
}
"""Scalars in `metadata` are the texts that were written; so a null depends on the program."""
TWO: Final = {"goccy-go-yaml-1.9.5": "2.0"}
"""Go's JSON reader makes 2 a float, which goccy/go-yaml writes as such."""
HOUR_OFF: Final = {
    f"{emitter}/{kind}"
    for emitter in ("js-yaml-4.3.2", "psych-4.0.3")
    for kind in ("loaded", "channel-loaded")
}
"""These read a local time as UTC: only the warning can tell."""


def declared(path: Path) -> Any:
    """What a file declares, as plain data."""
    read = parse.channel if path.stem.startswith("channel") else parse.wave
    spec: WaveSpec | ChannelSpec | None = read(yaml_reader.read(path.name, path.read_bytes()))[0]
    assert spec is not None, path
    return msgspec.to_builtins(spec)


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_program_wrote_is_read_or_refused_with_what_to_write(mini: Miniature, name: str) -> None:
    case, kind = name.removesuffix(".yaml"), Path(name).stem
    mini.channels("alpha", "beta", tags="[en]")
    folder = "channels" if kind.startswith("channel") else "waves"
    (mini.root / folder / "written.yaml").write_bytes((CORPUS / name).read_bytes())
    outcome = mini.json("validate", now="2030-02-01T00:00:00Z")
    found = outcome.json["diagnostics"]
    assert {f"{f['line']}:{f['column']} {f['code']}": f["hint"] for f in found} == FAULTS.get(case, {})
    if case in SAYING_IT_ALL:
        assert SAYING_IT_ALL[case] in [f["message"] for f in found]
    assert outcome.code == any(f["severity"] == "error" for f in found)


READ: Final = [
    name
    for name in WRITTEN
    if all(place.endswith("unused-zone") for place in FAULTS.get(name.removesuffix(".yaml"), {}))
]


@pytest.mark.parametrize("name", READ)
def test_what_is_read_declares_what_the_hand_written_file_does(name: str) -> None:
    emitter, kind = name.removesuffix(".yaml").split("/")
    by_hand = {"channel": "channel", "shared": "shared", "copied": "shared"}.get(kind.split("-")[0], "wave")
    expected, found = declared(CORPUS / f"{by_hand}.yaml"), declared(CORPUS / name)
    if by_hand != "channel":
        metadata = expected["schedules"][0]["metadata"]
        metadata["sponsor"] = found["schedules"][0]["metadata"]["sponsor"]
        assert metadata["sponsor"] in ("null", NULL.get(emitter, "null"))
        if kind != "loaded":
            metadata["season"] = TWO.get(emitter, "2")
    if f"{emitter}/{kind}" in HOUR_OFF:
        local = expected["schedules"][0 if by_hand == "channel" else 1]
        local["at"] += 3600
    assert found == expected


def test_what_a_program_wrote_for_a_local_time_is_never_an_hour_off_in_silence() -> None:
    for case in HOUR_OFF:
        assert all(place.endswith("unused-zone") for place in FAULTS[case])
    assert {name.removesuffix(".yaml") for name in WRITTEN} >= FAULTS.keys() | HOUR_OFF


def test_each_library_wrote_a_wave_and_a_channel_and_a_shared_list() -> None:
    emitters = {name.split("/")[0] for name in WRITTEN}
    assert len(emitters) == 12
    assert {f"{e}/{k}.yaml" for e in emitters for k in ("wave", "channel", "shared", "loaded")} <= set(
        WRITTEN
    )


@pytest.mark.parametrize(
    ("zone", "at", "codes"),
    [
        ("Europe/Berlin", "2030-03-05T12:00:00.000Z", ["unused-zone"]),
        ("Europe/Berlin", "2030-03-05T12:00:00Z", []),  # by hand, as meant
        ("Europe/London", "2030-07-05T12:00:00.000Z", ["unused-zone"]),
        ("Europe/London", "2030-03-05T12:00:00.000Z", []),  # the same in both readings
        ("UTC", "2030-07-05 12:00:00.000000000 Z", []),
    ],
)
def test_under_the_zone_of_a_channel_only_what_may_be_an_hour_off_is_reported(
    mini: Miniature, zone: str, at: str, codes: list[str]
) -> None:
    mini.write(
        {"channels/alpha.yaml": f"queue: q\ntimezone: {zone}\nschedules: [{{ video: v, at: {at} }}]\n"}
    )
    assert mini.json("validate", now="2030-02-01T00:00:00Z").codes == codes


def test_the_hint_keeps_the_seconds(mini: Miniature) -> None:
    one_off = "{ video: v, at: 2030-07-05T12:00:30.000Z }"
    mini.write({"channels/alpha.yaml": f"queue: q\ntimezone: Europe/Berlin\nschedules: [{one_off}]\n"})
    hint = mini.json("validate", now="2030-02-01T00:00:00Z").json["diagnostics"][0]["hint"]
    assert hint == if_local("at: 2030-07-05T12:00:30", "write at: 2030-07-05T12:00:30Z")
