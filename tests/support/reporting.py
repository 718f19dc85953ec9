"""Material for the tests of reports: records, texts that somebody wrote to do harm, and how to see harm."""

from __future__ import annotations

import unicodedata
from typing import Any

from hypothesis import strategies as st

from scheduler.diagnostics import Diagnostic, Location, Related, error, warning
from scheduler.planning.plan import Action, Change, Plan
from scheduler.planning.rows import Result, phase_of
from scheduler.state.record import Record
from scheduler.state.statuses import Status
from scheduler.times import read_time

NOW = read_time("2026-02-28T12:00:00Z")
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

HOSTILE = {
    "a terminal escape": "\x1b[2J\x1b]0;gone\x07",
    "an escape of one byte": "\x9b2J",
    "text that runs backwards": "\u202egnp.exe\u2066",
    "a line of its own": "x\n::error::gone\r\n::stop-commands::x",
    "an old workflow command": "x ##[error]gone",
    "an expression": "${{ github.token }}",
    "a script": "<script>alert(1)</script>",
    "the end of a fold": "</details></pre></code>",
    "the end of a comment": "--> <b>",
    "a row of a table": "a | b \\| c",
    "code": "``` `x` ~~~",
    "a mention": "@octocat and @acme/team",
    "a reference": "#123 GH-123 acme/x#3",
    "a link": "[x](javascript:alert(1)) ![x](http://example.com/x.png)",
    "an address": "https://example.com www.example.com a@example.com",
    "emphasis": "**x** _y_ ~~z~~ :smile: $x$",
    "a formula": "=HYPERLINK(1)",
    "a separator of lines": "a\u2028b\u2029c\x85d",
    "half a character": "x\udcff",
}

WRITABLE = {name: text for name, text in HOSTILE.items() if name != "half a character"}
"""Those that UTF-8 can hold, and so a file or a record."""

texts = st.text(max_size=60) | st.sampled_from(sorted(HOSTILE.values()))
encodable_texts = texts.filter(lambda text: not any(0xD800 <= ord(sign) <= 0xDFFF for sign in text))


def hidden(text: str) -> set[str]:
    """The signs of a text that a terminal obeys or an eye does not see; line breaks are looked at apart."""
    return {
        sign
        for sign in text
        if sign != "\n" and (unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in BIDI)
    }


def assert_harmless(text: str) -> None:
    """Neither a terminal nor a runner of workflows finds anything to obey."""
    assert not hidden(text)
    assert "##[" not in text
    assert not [line for line in text.split("\n") if line.strip().startswith("::")]


def record(**fields: Any) -> Record:
    facts: dict[str, Any] = {
        "schedule_type": "simultaneous",
        "wave_id": "spring",
        "coordination_group_id": "spring/teaser",
        "channel_id": "alpha",
        "video_id": "teaser-4k",
        "scheduled_at": "2026-03-01T18:00:00Z",
        "status": "pending",
    }
    return Record(**(facts | fields))


def one_off(**fields: Any) -> Record:
    alone = {"wave_id": None, "coordination_group_id": None, "schedule_type": "independent"}
    return record(**(alone | fields))


def change(
    action: Action, schedule_id: str, before: Record | None, after: Record | None, reason: str = "declared"
) -> Change:
    return Change(
        action=action, schedule_id=schedule_id, before=before, after=after, reason=reason,
        phase=phase_of(before, NOW),
    )  # fmt: skip


def result(schedule_id: str, status: Status, **fields: Any) -> Result:
    """The result of a run for a publication that is due; its phase is that of a plain record."""
    needed = {"status": status, "reason": "rejected" if status == "failed" else None}
    plain = record(scheduled_at="2026-02-28T12:00:00Z", **needed)
    return Result(
        schedule_id=schedule_id, status=status, scheduled_at=plain.scheduled_at,
        **({"phase": phase_of(plain, NOW)} | fields),
    )  # fmt: skip


def plan_of(*changes: Change, **fields: Any) -> Plan:
    return Plan(now=NOW, changes=changes, **fields)


places = st.builds(Location, texts, st.integers(1, 9), st.integers(1, 99))
related_places = st.builds(Related, texts, st.none() | places)


@st.composite
def diagnostics(draw: st.DrawFn) -> list[Diagnostic]:
    """Any diagnostics, about files with any names."""
    tell = st.sampled_from([error, warning])
    one = st.tuples(tell, places, texts, st.none() | texts, st.lists(related_places, max_size=2))
    return [
        tell("min-gap", place, message, hint, related)
        for tell, place, message, hint, related in draw(st.lists(one, max_size=4))
    ]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan whose texts may be anything that UTF-8 can hold."""
    written = encodable_texts
    records = st.builds(
        record,
        video_id=st.none() | written,
        channel_id=st.sampled_from(["alpha", "beta"]),
        wave_id=st.none() | written,
        scheduled_at=st.sampled_from(["2026-03-01T18:00:00Z", "2026-10-25T00:30:30Z"]),
        metadata=st.none() | st.dictionaries(written, written, max_size=2),
    )
    steps = st.one_of(
        st.builds(change, st.just("create"), written, st.none(), records, written),
        st.builds(
            change, st.sampled_from(["update", "cancel", "send", "fail"]), written, records, records, written
        ),
        st.builds(change, st.just("archive"), written, records, st.none(), written),
    )
    return Plan(now=NOW, changes=draw(st.lists(steps, max_size=5)))
