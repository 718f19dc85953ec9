"""Zones are data of the package `tzdata`: one commit with its lock means the same instants everywhere."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from html import unescape
from importlib.resources import files
from pathlib import Path

import pytest
from miniature import Miniature
from zone_data import zone_files, zone_package

from scheduler.state.codec import decode, encode
from scheduler.times import available_zones, instant_text, read_time, read_zone, zone_release

PROJECT = Path(__file__).parents[1]
WITH_SUMMER_TIME = "PST8PDT,M3.2.0,M11.1.0"
WITHOUT = "<-07>7"
DECEMBER = "2039-12-01T00:00:00Z"
EVENING = """
    schedules:
      - type: simultaneous
        video: trailer
        at: 2040-01-15T20:00
        timezone: America/Vancouver
        channels: [alpha]
    """


def scheduler(
    mini: Miniature, *command: str, zones: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, where `zones` names the folder of another `tzdata`."""
    path = os.pathsep.join(filter(None, [zones, str(PROJECT)]))
    return subprocess.run(
        [sys.executable, "-m", "scheduler", "-C", str(mini.root), *command],
        env=mini.environ | {"PYTHONPATH": path} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def planned(mini: Miniature, **environ: str) -> list[str]:
    done = scheduler(mini, "--now", "2039-12-01T00:00:00Z", "plan", "--format", "json", **environ)
    return [change["after"]["scheduled_at"] for change in json.loads(done.stdout)["changes"]]


def test_the_machines_own_zone_files_count_for_nothing(mini: Miniature, tmp_path: Path) -> None:
    mini.channels("alpha").write({"waves/spring.yaml": EVENING})
    package = zone_package(tmp_path / "package", "2099a", {"America/Vancouver": WITHOUT})
    system = zone_files(tmp_path / "system", {"America/Vancouver": WITH_SUMMER_TIME})
    assert planned(mini, zones=package, PYTHONTZPATH=str(system)) == ["2040-01-16T03:00:00Z"]


def test_a_zone_and_its_other_name_have_one_time(mini: Miniature, tmp_path: Path) -> None:
    """A system may have the one and lack the other, which then came from elsewhere."""
    mini.write(
        {
            "channels/alpha.yaml": "repository: acme/alpha\ntimezone: America/Vancouver\n",
            "channels/beta.yaml": "repository: acme/beta\ntimezone: Canada/Pacific\n",
            "waves/spring.yaml": EVENING.replace("America/Vancouver", "channel").replace(
                "[alpha]", "[alpha, beta]"
            ),
        }
    )
    system = zone_files(tmp_path / "system", {"America/Vancouver": "<-01>1"})
    assert len(set(planned(mini, PYTHONTZPATH=str(system)))) == 1


def test_a_run_that_has_nothing_to_do_looks_again_when_the_zone_data_is_new(
    mini: Miniature, tmp_path: Path
) -> None:
    mini.channels("alpha").write({"waves/spring.yaml": EVENING})
    old = zone_package(tmp_path / "old", "2098z", {"America/Vancouver": WITH_SUMMER_TIME})
    new = zone_package(tmp_path / "new", "2099a", {"America/Vancouver": WITHOUT})
    mini.run("state", "init")
    for _ in range(2):
        scheduler(mini, "run", zones=old)
    assert scheduler(mini, "run", zones=old).stdout == "Nothing to do.\n"
    assert mini.records["spring/trailer/alpha"]["scheduled_at"] == "2040-01-16T04:00:00Z"
    scheduler(mini, "run", zones=new)
    assert mini.records["spring/trailer/alpha"]["scheduled_at"] == "2040-01-16T03:00:00Z"


def test_the_version_names_the_release_of_the_zone_data(mini: Miniature, tmp_path: Path) -> None:
    package = zone_package(tmp_path, "2099a", {})
    assert "(zone data: tzdata 2099a)" in scheduler(mini, "--version", zones=package).stdout


def test_doctor_names_the_release_of_the_zone_data(mini: Miniature) -> None:
    assert f"zone data: tzdata {zone_release()}" in mini.channels("alpha").run("doctor").out


@pytest.mark.parametrize("name", sorted(available_zones()))
def test_every_zone_that_is_offered_can_be_read(name: str) -> None:
    assert read_zone(name).key == name
    assert instant_text(read_time("2030-06-01T12:00", read_zone(name)))


def test_reading_zones_changes_nothing_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (dict(os.environ), time.tzname)
    read_zone("Europe/Berlin")
    assert (dict(os.environ), time.tzname) == before


# --- another release from a folder --------------------------------------------------------------------


def recorded(mini: Miniature, tmp_path: Path) -> str:
    """A folder with a release in which a publication, recorded with the installed one, has another time."""
    mini.channels("alpha", lead="6h", timezone="America/Vancouver").write({"waves/spring.yaml": EVENING})
    mini.run("state", "init", now=DECEMBER)
    mini.run("run", now=DECEMBER)
    return zone_package(tmp_path / "new", "2099a", {"America/Vancouver": "<-05>5"})


def commit(mini: Miniature) -> None:
    for command in (
        ["init", "--quiet"],
        ["add", "waves", "channels"],
        ["commit", "--quiet", "-m", "Declare"],
    ):
        subprocess.run(
            ["git", "-c", "user.name=E", "-c", "user.email=e@example.org", *command],
            cwd=mini.root,
            check=True,
        )


@pytest.mark.parametrize("below", ["", "tzdata"])
def test_plan_with_zones_of_a_folder_shows_what_they_move(
    mini: Miniature, tmp_path: Path, below: str
) -> None:
    new = recorded(mini, tmp_path)
    moved = mini.json("plan", "--zones", f"{new}/{below}", now=DECEMBER)
    (change,) = moved.json["changes"]
    assert change["action"] == "update"
    assert change["after"]["scheduled_at"] == "2040-01-16T01:00:00Z"
    assert change["reason"].endswith(f"(America/Vancouver: tzdata {zone_release()} -> 2099a)")
    assert mini.json("plan", now=DECEMBER).json["changes"] == []
    assert "20:00 America/Vancouver" in mini.run("plan", "--zones", f"{new}/{below}", now=DECEMBER).out


def test_plan_with_the_zones_of_an_older_release_is_the_error_that_a_run_would_end_with(
    mini: Miniature, tmp_path: Path
) -> None:
    recorded(mini, tmp_path)
    old = zone_package(tmp_path / "old", "2001a", {"America/Vancouver": "<-05>5"})
    for command in ("plan", "validate"):
        told = mini.json(command, "--zones", old, now=DECEMBER)
        assert (told.code, told.codes) == (1, ["zone-data"])


def test_nothing_of_the_folder_is_imported(mini: Miniature, tmp_path: Path) -> None:
    new = recorded(mini, tmp_path)
    trap = tmp_path / "imported"
    init = Path(new) / "tzdata/__init__.py"
    init.write_text(f"import pathlib\npathlib.Path({str(trap)!r}).touch()\n" + init.read_text())
    assert mini.run("plan", "--zones", new, now=DECEMBER).code == 0
    assert not trap.exists()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("rm -r {new}/tzdata/zoneinfo", "does not contain zone files"),
        ("rm -r {new} && mkdir {new}", "does not contain zone files"),
        ("rm -r {new}", "is not a folder"),
        ("rm {zone} && ln -s /etc/hostname {zone}", "America/Vancouver is not a zone file"),
        ("rm {zone} && ln -s Vancouver {zone}", "is not a zone file"),
        ("rm {zone} && mkfifo {zone}", "is not a zone file"),
        ("rm {zone} && ln -s /dev/zero {zone}", "is not a zone file"),
        ("truncate --size 0 {zone}", "is not a zone file"),
        ("truncate --size -1 {zone}", "is not a zone file"),
        ("truncate --size 60 {zone}", "is not a zone file"),
        ("truncate --size 1G {zone}", "is not a zone file"),
        (
            "rm -r {new}/tzdata/zoneinfo && ln -s /usr/share/zoneinfo {new}/tzdata/zoneinfo",
            "does not contain zone files",
        ),
        ("cd {new}/tzdata/zoneinfo && touch $(seq 5000)", "has more than 5,000 files"),
    ],
)
def test_a_folder_without_sound_zone_files_is_an_error_with_a_hint(
    mini: Miniature, tmp_path: Path, harm: str, message: str
) -> None:
    new = recorded(mini, tmp_path)
    zone = f"{new}/tzdata/zoneinfo/America/Vancouver"
    subprocess.run(["bash", "-ec", harm.format(new=new, zone=zone)], check=True)
    for command in ("plan", "validate"):
        told = mini.run(command, "--zones", new, now=DECEMBER)
        assert (told.code, told.out) == (2, "")
        assert message in told.err
        assert "hint: " in told.err


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("transition", b"\xff"),  # of a type that is not there
        ("type", b"\x00\x01\x51\x80"),  # an offset of a day
        ("flag", b"\x07"),  # neither summer time nor not
        ("text", b"\xff"),  # an abbreviation after the last one
        ("count", b"\x00\x00\x10\x00"),  # more transitions than there are
    ],
)
def test_a_zone_file_whose_numbers_do_not_fit_is_refused(
    mini: Miniature, tmp_path: Path, part: str, value: bytes
) -> None:
    new = recorded(mini, tmp_path)
    data = bytearray(files("tzdata").joinpath("zoneinfo", "Europe", "Berlin").read_bytes())
    second = data.index(b"TZif", 4)
    *_, times, _types, _chars = struct.unpack_from(">6I", data, second + 20)
    kinds = second + 44 + 9 * times
    at = {"transition": kinds - 1, "type": kinds, "flag": kinds + 4, "text": kinds + 5, "count": second + 32}
    data[at[part] : at[part] + len(value)] = value
    (Path(new) / "tzdata/zoneinfo/America/Vancouver").write_bytes(data)
    refused = mini.run("plan", "--zones", new, now=DECEMBER)
    assert (refused.code, refused.out) == (2, "")
    assert "America/Vancouver is not a zone file" in refused.err


def test_the_comment_shows_what_the_proposals_zone_data_moves(mini: Miniature, tmp_path: Path) -> None:
    new = recorded(mini, tmp_path)
    commit(mini)
    same = mini.run("plan", "--format", "markdown", "--base", "HEAD", "--detailed-exitcode", now=DECEMBER)
    new_plan = ("plan", "--format", "markdown", "--base", "HEAD", "--detailed-exitcode", "--zones", new)
    told = mini.run(*new_plan, now=DECEMBER)
    assert (same.code, told.code) == (0, 4)
    assert "moves 1" in told.out, told.out


def test_the_comment_warns_of_what_was_handed_over_for_another_time(mini: Miniature, tmp_path: Path) -> None:
    new = recorded(mini, tmp_path)
    commit(mini)
    state = mini.state
    record = state["schedules"]["spring/trailer/alpha"]
    record |= {
        "status": "completed",
        "attempts": 1,
        "run_url": "https://github.com/acme/alpha/actions/runs/7",
    }
    record |= {"accepted_at": "2040-01-15T22:00:00Z", "executed_at": "2040-01-15T22:00:00Z"}
    (mini.root / "state.json").write_bytes(
        encode(decode(json.dumps(state).encode(), "state.json", trust_checksum=True))
    )
    told = mini.run(
        "plan", "--format", "markdown", "--base", "HEAD", "--detailed-exitcode", "--zones", new,
        now="2040-01-15T23:00:00Z",
    )  # fmt: skip
    assert told.code == 4, "so that the workflow comments, although nothing is planned otherwise"
    assert "channel alpha publishes" in told.out
    assert "https://github.com/acme/alpha/actions/runs/7" in unescape(told.out)
