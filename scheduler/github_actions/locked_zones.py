"""The release of `tzdata` that a folder's lock file names, read as text.

A proposal is not trusted: nothing of its lock but a version and hashes reaches pip, so no other package,
index or option does.
"""

from __future__ import annotations

import re
from pathlib import Path

from scheduler.errors import Error

LARGEST = 8 * 1024 * 1024
"""Bytes of a lock file that are read."""
_FILES = {
    "requirements.txt": (r"\n(?=[^\s#])", r"tzdata==([0-9.]+)(?=[\s;\\])"),
    "uv.lock": (r"\[\[package\]\]", r'\s{0,9}name = "tzdata"\s{1,9}version = "([0-9.]+)"'),
}
"""Lock file -> what separates its entries, and how that of tzdata begins."""


def locked_zones(folder: Path) -> tuple[str, str] | None:
    """The version, and the line that makes pip install just that; None where no lock file names one.

    Raises Error for a link, and for a version without hashes.
    """
    for name, (separator, beginning) in _FILES.items():
        file = folder / name
        if file.is_symlink():
            raise Error(f"{name} is a symbolic link, and links are not followed")
        if not file.is_file():
            continue
        with file.open("rb") as opened:
            text = opened.read(LARGEST).decode(errors="replace")
        for entry in re.split(separator, text):
            if found := re.match(beginning, entry):
                hashes = re.findall(r"\bsha256:[0-9a-f]{64}\b", entry)
                if not hashes:
                    raise Error(f"{name} locks tzdata {found[1]} without a hash, so it is not downloaded")
                return found[1], " ".join([f"tzdata=={found[1]}", *(f"--hash={one}" for one in hashes)])
    return None
