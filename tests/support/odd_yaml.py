"""YAML as people write it: two files by hand, and strategies that lay data out in every way there is.

In what is laid out each comment has a number, so that a test can tell whether all are still there, in order.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from hypothesis import strategies as st

from scheduler.editing import yaml as edits

OPENING = """\
# The spring launch.
# Owner: Ana
title:   "Spring: launch"   # shown in the calendar

schedules:   # in order
  - type: simultaneous
    group: teaser
    video: 'teaser-4k'
    at: 2026-03-01T18:00:00Z   # prime time
    channels: [alpha, beta]    # the big two

  # the premiere
  -   type: staggered
      video: premiere-4k
"""
"""A wave up to the time of its second entry, a stagger."""
WAVE = (
    OPENING
    + """\
      at: "2026-03-02 18:00"
      timezone: Europe/Berlin
      delay: 1h
      channels:
      - alpha   # first
      # then
      - { id: beta, paused: { reason: waiting for legal } }
      -   id: gamma
          shift: 30m   # late
      - {id: delta, at: 2026-03-02T21:00:00+01:00}
      - epsilon

  - {type: simultaneous, video: trailer, at: 2026-03-03T18:00, timezone: channel, channels: {tags: [gaming]}}
# the end
"""
)

CHANNEL = """\
name: Tech Daily   # on air since 2019
repository: acme/tech-daily
timezone: Europe/Berlin
slots:
  - Mon,Wed 18:00   # prime time
schedules:
# the birthday
- { video: anniversary, at: 2026-03-05T09:00 }
- at: 2026-03-12T09:00:00Z   # to be decided
"""


def difference(before: str, after: str) -> list[str]:
    """The changed lines, `-` those that went and `+` those that came, in their order."""
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line[0] + line[2:].rstrip("\n") for line in lines if line[0] in "-+"]


def comments(text: str) -> list[str]:
    """The numbered comments of an odd file, in their order."""
    return re.findall(r"# c\d+; it's: \[odd\] - \{x\} \"ü\"", text)


def members_of(entry: dict[str, Any]) -> list[str]:
    """The ids that an entry is about; by tags, all that there are."""
    if isinstance(entry["channels"], dict):
        return sorted(NAMES)
    return [item if isinstance(item, str) else item["id"] for item in entry["channels"]]


def name_of(entry: dict[str, Any]) -> str:
    name: str = entry.get("group", entry["video"])
    return name


def lines_of(text: str, group: str) -> set[int]:
    """The lines of an entry, from 0."""
    draft = edits.Draft(text)
    entries = draft.node(("schedules",))
    assert entries is not None
    for entry in entries.items:
        named = entry.child("group") or entry.child("video")
        if named is not None and named.text == group:
            start = draft.text.count("\n", 0, entry.start)
            return set(range(start, draft.text.count("\n", 0, entry.end) + 1))
    raise AssertionError(group)


class Layout:
    """Draws one layout for some data. Scalars come as they are to be written plain."""

    def __init__(self, draw: st.DrawFn, *, comments: bool = True) -> None:
        self.draw = draw
        self.comments = comments
        self.count = 0

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def comment(self) -> str:
        self.count += 1
        return f'# c{self.count}; it\'s: [odd] - {{x}} "ü"'

    def text(self, data: Any) -> str:
        lines = self.mapping(data, 0)
        if self.comments and self.chance(30):
            lines.insert(0, self.comment())
        if self.chance(20):
            lines.insert(0, "---")
        if self.comments and self.chance(30):
            lines += ["", self.comment()]
        newline = self.draw(st.sampled_from(["\n", "\n", "\r\n"]))
        end = newline if self.chance(80) else ""
        mark = "\ufeff" if self.chance(5) else ""
        return mark + newline.join(lines) + end

    def between(self, column: int) -> list[str]:
        lines = []
        if self.chance(15):
            lines.append("")
        if self.comments and self.chance(15):
            lines.append(" " * column + self.comment())
        return lines

    def behind(self) -> str:
        if self.comments and self.chance(20):
            return " " * self.draw(st.integers(1, 3)) + self.comment()
        return "  " if self.chance(4) else ""

    def scalar(self, value: str) -> str:
        style = self.draw(st.integers(0, 9))
        if style == 8 and value not in ("true", "false"):
            return "'" + value.replace("'", "''") + "'"
        if style == 9 and value not in ("true", "false"):
            return '"' + value + '"'
        return value

    def key(self, key: str) -> str:
        return f'"{key}"' if self.chance(5) else key

    def flow(self, value: Any, column: int = 0) -> str:
        if isinstance(value, str):
            return self.scalar(value)
        pad = " " if self.chance(50) else ""
        comma = ", " if self.chance(85) else ","
        if isinstance(value, dict):
            inside = [f"{self.key(k)}: {self.flow(v, column)}" for k, v in value.items()]
            start, end = "{", "}"
        else:
            inside = [self.flow(item, column) for item in value]
            start, end = "[", "]"
        if inside and self.chance(10):
            return self.broken(start, inside, end, column)
        tail = "," if inside and self.chance(8) else ""
        return start + pad + comma.join(inside) + tail + (pad if inside else "") + end

    def broken(self, start: str, inside: list[str], end: str, column: int) -> str:
        """Over several lines, with comments behind the commas."""
        indent = "\n" + " " * (column + 4)
        note = "  " + self.comment() if self.comments and self.chance(40) else ""
        return start + indent + f",{note}{indent}".join(inside) + "\n" + " " * (column + 2) + end

    def mapping(self, data: dict[str, Any], column: int) -> list[str]:
        lines: list[str] = []
        for key, value in data.items():
            if lines:
                lines += self.between(column)
            start = " " * column + self.key(key) + ":"
            if isinstance(value, str) or not value or self.chance(30):
                inline = self.flow(value, column) + self.behind()
                first, *rest = inline.split("\n")
                lines += [start + " " * self.draw(st.sampled_from([1, 1, 1, 2, 3])) + first, *rest]
            elif isinstance(value, dict):
                lines += [start + self.behind(), *self.mapping(value, column + self.draw(st.integers(1, 4)))]
            else:
                step = self.draw(st.sampled_from([0, 2, 2, 4]))
                lines += [start + self.behind(), *self.sequence(value, column + step)]
        return lines

    def sequence(self, items: list[Any], column: int) -> list[str]:
        lines: list[str] = []
        for item in items:
            lines += self.between(column)
            gap = self.draw(st.sampled_from([2, 2, 2, 4]))
            dash = " " * column + "-" + " " * (gap - 1)
            if isinstance(item, dict) and item and self.chance(60):
                first, *rest = self.mapping(item, column + gap)
                lines += [dash + first.lstrip(" "), *rest]
            else:
                first, *rest = (self.flow(item, column) + self.behind()).split("\n")
                lines += [dash + first, *rest]
        return lines


NAMES = ["alpha", "beta", "gamma.de", "d-9", "2nd"]


@st.composite
def members(draw: st.DrawFn, kind: str, names: list[str]) -> list[Any]:
    """Members of an entry, plain or with something of their own."""
    result: list[Any] = []
    for name in names:
        extra: dict[str, Any] = {}
        if draw(st.integers(0, 9)) < 4:
            own = draw(st.sampled_from(["", "", "at", "shift"] if kind == "staggered" else ["", "at"]))
            if own == "at":
                extra["at"] = draw(st.sampled_from(["2026-03-02T20:00:00Z", "2026-03-02 21:30+01:00"]))
            elif own == "shift":
                extra["shift"] = draw(st.sampled_from(["30m", "-15m", "1h30m"]))
            if draw(st.booleans()):
                extra["cancelled"] = draw(st.sampled_from(["true", "false"]))
            if draw(st.integers(0, 2)) == 0:
                extra["paused"] = "false"
            result.append({"id": name, **extra})
        else:
            result.append(name)
    return result


@st.composite
def entries(draw: st.DrawFn, group: str) -> dict[str, Any]:
    """One entry of a wave; its name is in `group`, or in `video`."""
    kind = draw(st.sampled_from(["simultaneous", "staggered"]))
    entry: dict[str, Any] = {"type": kind}
    if draw(st.booleans()):
        entry |= {"group": group, "video": "video 4k"}
    else:
        entry["video"] = group
    zone = draw(st.sampled_from(["", "", "Europe/Berlin", "channel" if kind == "simultaneous" else ""]))
    entry["at"] = draw(st.sampled_from(["2026-03-01T18:00:00Z", "2026-03-01 19:00+01:00"]))
    if zone:
        entry["timezone"] = zone
        entry["at"] = "2026-03-01T18:00"
    if kind == "staggered":
        entry["delay"] = "1h"
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    if draw(st.integers(0, 3)) == 0:
        entry["channels"] = {"tags": ["gaming"]}
        lines = [m for m in draw(members(kind, names)) if isinstance(m, dict)]
        if lines or draw(st.integers(0, 5)) == 0:
            entry["members"] = lines
    else:
        entry["channels"] = draw(members(kind, names))
        plain = [name for name in entry["channels"] if isinstance(name, str)]
        lines = [m for m in draw(members(kind, plain)) if isinstance(m, dict)]
        if lines and draw(st.integers(0, 3)) == 3:
            entry["members"] = lines
    if draw(st.booleans()):
        entry["metadata"] = {"campaign": "spring", "note": "a#b"}
    return entry


@st.composite
def waves(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """The data of a wave, all scalars as texts, and the text of its file."""
    data: dict[str, Any] = {}
    if draw(st.booleans()):
        data["title"] = "Spring ünd Sömmer"
    for key in draw(st.permutations(["paused", "cancelled"])):
        if draw(st.integers(0, 3)) == 0:
            data[key] = "false"
    if draw(st.booleans()):
        data["catch_up"] = "15m"
    data["schedules"] = [draw(entries(f"group-{i}")) for i in range(draw(st.integers(1, 3)))]
    if draw(st.integers(0, 9)) == 0:
        data["on_failure"] = "halt"
    return data, Layout(draw).text(data)


@st.composite
def channels(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """The data of a channel and the text of its file."""
    data: dict[str, Any] = {"name": "Tech Daily", "repository": "acme/tech-daily"}
    if draw(st.booleans()):
        data["timezone"] = "Europe/Berlin"
    more = {"paused": "false", "slots": ["Mon 18:00"], "lineup": ["intro to git"]}
    kept = draw(st.sets(st.sampled_from(sorted(more))))
    data |= {key: value for key, value in more.items() if key in kept}
    one_offs: list[Any] = []
    for day in range(draw(st.integers(0, 3))):
        one_off = {"at": f"2026-03-0{day + 1}T18:00:00Z"}
        if draw(st.booleans()):
            one_off = {"video": "anniversary", **one_off}
        if draw(st.integers(0, 2)) == 0:
            one_off["paused"] = "false"
        one_offs.append(one_off)
    with_list: bool = draw(st.booleans())
    if one_offs or with_list:
        data["schedules"] = one_offs
    if draw(st.booleans()):
        data["active"] = "true"
    return data, Layout(draw).text(data)
