"""Zones are data of the package `tzdata`: one commit with its lock means the same instants everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from miniature import Miniature
from zone_data import zone_files, zone_package

from scheduler.times import available_zones, instant_text, read_time, read_zone, zone_release

PROJECT = Path(__file__).parents[1]
WITH_SUMMER_TIME = "PST8PDT,M3.2.0,M11.1.0"
WITHOUT = "<-07>7"
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
