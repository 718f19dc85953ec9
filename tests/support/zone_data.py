"""Zone data made for a test: a package `tzdata` of a release that never was, with rules of its own.

    package = zone_package(folder, "2099a", {"America/Vancouver": "PST8PDT,M3.2.0,M11.1.0"})
    mini.start("plan", PYTHONPATH=package)

A rule is the POSIX TZ string that ends a TZif file (RFC 9636, section 3.3); it holds at all times. Zones that
are not named are those of the installed package.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

import tzdata

from scheduler.times import ZoneData, installed_zones


def tzif(rule: str) -> bytes:
    """A TZif file of version 2 that has no transitions and one rule for good."""
    head = b"TZif2" + bytes(15) + struct.pack(">6L", 0, 0, 0, 0, 1, 4)
    body = struct.pack(">lBB", 0, 0, 0) + b"LMT\0"
    return head + body + head + body + f"\n{rule}\n".encode()


def zone_files(folder: Path, rules: Mapping[str, str]) -> Path:
    """Files of zones as a system has them below /usr/share/zoneinfo."""
    for name, rule in rules.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tzif(rule))
    return folder


def release(name: str, rules: Mapping[str, str]) -> ZoneData:
    """The same as a value, for `using_zones`."""
    known = installed_zones()
    files = {zone: tzif(rule) for zone, rule in rules.items()}
    return ZoneData(name, known.names, lambda zone: files.get(zone) or known.read(zone))


def zone_package(folder: Path, release: str, rules: Mapping[str, str]) -> str:
    """The folder that `PYTHONPATH` names so that `tzdata` is of that release, with those rules."""
    package = folder / "tzdata"
    shutil.copytree(Path(tzdata.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text(f'__version__ = "0"\nIANA_VERSION = "{release}"\n')
    zone_files(package / "zoneinfo", rules)
    return str(folder)
