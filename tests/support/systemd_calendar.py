"""What systemd itself answers: `python tests/support/systemd_calendar.py` asks it and rewrites the table.

The table (systemd_calendar.json) lets the comparison hold on machines without systemd; where
`systemd-analyze` is installed, tests/desired/test_slots.py asks it again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_suffix(".json")
COUNT = 8
installed = shutil.which("systemd-analyze") is not None

ANYWHERE = """
minutely; hourly; daily; weekly; monthly; quarterly; semiannually; biannually; yearly; annually; Daily
Mon; Mon,; Mon,Wed,Fri 18:00; mon..fri 18:00; Mon-Fri 18:00; SATURDAY,sun 10:30; Mon,Wed..Fri,Sun 9:05
Mon *-*-1..7 09:30; Fri *-*-13; Sun *-2-29 12:00; *-2-29; *-*-29..31 20:00; *-*-31; 4-1; *-10-25 02:30
*-*~1; *-*~1 18:00; Fri *-*~1..7 18:00; *-*~3/2 10:00; *-*~8..20/5; *-02~1; 2~28; *~*
*-*-* 09,18:00; *-*-* 8..20/4:15; 0/6:00; 0/7:30; 10:0/20; *:10..10/7; *:15,45; 6:00:30; *:*:59; 007:05
2026..2028-1,7-1..3/2; 27-3-1; *-1/3-15 12:00; 1999-1-1; 2027/2-12-24 18:00; Mon  *-*-*   18:00; *-*-28..30/9
"""
CHANGES = {  # each start lies an hour or two before the clocks change
    "Europe/Berlin": (
        ("2026-03-28T23:10:00Z", "2026-10-24T22:10:00Z"),
        "02:00; 02:30; 03:00; *:30; Sun 02:59; hourly; 1..3:0/20",
    ),
    "America/New_York": (
        ("2026-03-08T05:50:00Z", "2026-11-01T04:10:00Z"),
        "01:30; 02:00; 02:30; *:0/30; Sun *-*-1..14 02:15",
    ),
    "Australia/Lord_Howe": (
        ("2026-04-04T13:50:00Z", "2026-10-03T13:50:00Z"),
        "01:30; 01:45; 02:00; 02:15; 02:30; *:0/15",
    ),
    "Pacific/Apia": (
        ("2011-12-29T06:00:00Z",),
        "daily; 18:00; Fri 12:00; *-12-30 09:00; 0/6:00; *-*~1 12:00",
    ),
    "America/Sao_Paulo": (
        ("2018-11-04T00:10:00Z", "2018-02-17T23:10:00Z"),
        "daily; 00:30; 01:00; 23:30; Sun; *:30",
    ),
    "Africa/Casablanca": (("2026-02-14T23:10:00Z", "2026-03-21T23:10:00Z"), "02:30; *:30; 03:00"),
    "Asia/Kolkata": (("2026-06-01T12:00:00Z",), "Mon..Fri 18:00; *-*~1 00:00"),
}


class Row(NamedTuple):
    """The first instants (UTC) after `start` (UTC) that systemd gives in that zone."""

    expression: str
    zone: str
    start: str
    instants: tuple[str, ...]


def ask(expression: str, zone: str, start: str) -> tuple[str, ...] | None:
    """systemd's answer, or None where it refuses the expression."""
    command = ["systemd-analyze", "calendar", f"--base-time={start[:10]} {start[11:19]} UTC"]
    answer = subprocess.run(
        [*command, f"--iterations={COUNT}", expression],
        env={"PATH": os.environ["PATH"], "TZ": zone, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        return None
    label = r"\(in UTC\)" if "(in UTC)" in answer.stdout else r"(?:Next elapse|Iter. #\d+)"
    times = re.findall(label + r": \w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC", answer.stdout)
    return tuple(f"{day}T{time}Z" for day, time in times)


def questions() -> list[tuple[str, str, str]]:
    """The expressions, zones and starts of the table, in its order."""
    asked = [(e, "UTC", "2026-01-15T10:20:30Z") for e in _split(ANYWHERE)]
    for zone, (starts, expressions) in CHANGES.items():
        asked += [(e, zone, start) for start in starts for e in _split(expressions)]
    return asked


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]


def table() -> list[Row]:
    """The committed answers."""
    rows = json.loads(TABLE.read_text("utf-8"))
    return [Row(expression, zone, start, tuple(found)) for expression, zone, start, found in rows]


def main() -> None:
    """Ask systemd everything and write the table, one answer a line."""
    rows = [Row(*question, ask(*question) or ()) for question in questions()]
    TABLE.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", "utf-8")


if __name__ == "__main__":
    main()
