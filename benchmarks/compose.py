"""The floor of what reads waves: a cold process in which libyaml composes each file below a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml


def main(folder: str) -> None:
    for path in sorted(Path(folder).rglob("*.yaml")):
        yaml.compose(path.read_bytes(), Loader=yaml.CSafeLoader)


if __name__ == "__main__":
    main(sys.argv[1])
