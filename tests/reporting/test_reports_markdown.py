"""A plan as a comment on a pull request: its words, its tables, its picture, and nothing that does harm."""

from __future__ import annotations

import html
import json
import re
from textwrap import dedent

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reporting import (
    NOW,
    WRITABLE,
    assert_harmless,
    change,
    diagnostics,
    encodable_texts,
    one_off,
    plan_of,
    plans,
    record,
)

from scheduler.desired import Pace
from scheduler.diagnostics import Diagnostic, Location, error
from scheduler.planning.plan import Plan, PlannedSend, Waiting
from scheduler.reporting.plan_sections import checksum
from scheduler.reporting.pull_request.comment import MARKER, plan_markdown
from scheduler.reporting.pull_request.escaping import code
from scheduler.reporting.terminal import clip, visible

ZONES = {"alpha": "Europe/Berlin", "tech": "America/New_York"}
BERLIN = "2026-03-01 19:00 Europe/Berlin<br>2026-03-01 18:00 UTC"
MOVED = change(
    "update",
    "spring/teaser/beta",
    record(channel_id="beta"),
    record(channel_id="beta", scheduled_at="2026-03-01T19:30:00Z"),
    "moved",
)
CREATED = change("create", "spring/teaser/alpha", None, record(), "declared in waves/spring.yaml")
CANCELLED = change("cancel", "spring/teaser/c", record(), record(status="cancelled"), "no longer declared")
ACTIVE = re.compile(r"<(a|img|script|em|strong|del|h\d|li|blockquote|input)\b")


def rendered(markdown: str) -> str:
    """The HTML of a comment, tables and autolinks included."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return reader.render(markdown)  # type: ignore[no-any-return]


def without_ours(page: str, body: str) -> str:
    """The HTML without what the comment itself makes active: headings, bold words, bullets."""
    assert body.count("<li>") == len(re.findall(r"^- ", page, re.MULTILINE))
    assert body.count("<h3>") == 1
    return re.sub(r"</?(strong|h3|h4|li)>", "", body)


def test_a_comment_has_words_first_then_times_a_picture_the_steps_and_the_checksum() -> None:
    plan = plan_of(CREATED, MOVED)
    assert plan_markdown(plan, [], zones=ZONES) == dedent(f"""
        <!-- wave-scheduler:plan {{"version":1,"checksum":"{checksum(plan.changes)}","proposal":"{checksum(plan.changes)}","changes":2,"create":1,"update":1}} -->

        ### Publication plan

        This pull request adds 1 publication on 1 channel, moves 1 and cancels none.

        - Wave <code>spring</code>: adds 1 on <code>alpha</code> and moves 1 on <code>beta</code> (1h30m later). The first goes out on <code>alpha</code>: Sun 2026-03-01 19:00 Europe/Berlin (18:00 UTC).

        <details open><summary>Timeline: 2 instants</summary>

        | UTC | Channel time | Before | After |
        |-|-|-|-|
        | Sun 2026-03-01 18:00 | 19:00 Europe/Berlin<br>UTC | <code>spring/teaser</code> on <code>beta</code> | <code>spring/teaser</code> on <code>alpha</code><br><code>spring/teaser</code> on <code>beta</code> (moved 1h30m later) |
        | Sun 2026-03-01 19:30 | UTC |  | <code>spring/teaser</code> on <code>beta</code> |

        </details>

        ```mermaid
        %%{{init: {{"gantt": {{"leftPadding": 55}}}}}}%%
        gantt
        title Publication times in UTC
        %% The years are 400 too early: in no viewer's zone did the clocks skip an hour then.
        dateFormat YYYY-MM-DD HH:mm:ss
        axisFormat %m-%d %H:%M
        tickInterval 15minute
        todayMarker off
        section alpha
          new teaser-4k :active, milestone, 1626-03-01 18:00:00, 0m
        section beta
          was teaser-4k :done, milestone, 1626-03-01 18:00:00, 0m
          now teaser-4k :active, milestone, 1626-03-01 19:30:00, 0m
        ```

        <details open><summary>2 steps</summary>

        **Wave** <code>spring</code>

        | | Publication | Video | Before | After | Why |
        |-|-|-|-|-|-|
        | <code>+</code> | <code>spring/teaser/alpha</code> | <code>teaser-4k</code> |  | {BERLIN} | <code>declared in waves/spring.yaml</code> |
        | <code>&#x7e;</code> | <code>spring/teaser/beta</code> | <code>teaser-4k</code> | 2026-03-01 18:00 UTC | 2026-03-01 19:30 UTC | <code>moved</code> |

        </details>

        Plan checksum: <code>{checksum(plan.changes)}</code>, compared with the state.
    """).strip("\n")  # noqa: E501 - the tables are as wide as they are


def words_of(plan: Plan, found: list[Diagnostic] | None = None) -> str:
    return plan_markdown(plan, found or [], zones=ZONES).split("\n\n")[2]


def test_an_empty_plan_says_that_nothing_changes() -> None:
    assert words_of(plan_of()) == "This pull request changes no publication."


def test_the_words_count_what_matters_to_a_reviewer() -> None:
    edited = change("update", "x", record(), record(video_id="b"))
    paused = change("pause", "x", record(), record(is_paused=True))
    assert words_of(plan_of(CANCELLED)) == "This pull request cancels 1 publication."
    assert words_of(plan_of(MOVED, edited, edited, paused)) == (
        "This pull request moves 1 publication, edits 2, pauses 1 and cancels none."
    )


def test_the_words_tell_what_a_run_would_do_and_what_stands_in_its_way() -> None:
    sent = change("send", "x", record(), record(status="executing"), "due")
    missed = change("miss", "y", record(), record(status="failed", reason="missed"), "late")
    plan = plan_of(sent, missed, waiting=[Waiting(schedule_id="z", why="no token")])
    assert words_of(plan, [error("past", Location("a.yaml"), "late")]) == (
        "This pull request changes no publication. A run now would send 1 and give 1 up as missed. "
        "1 publication due now cannot be sent. **1 error in 1 file.**"
    )


def test_a_row_tells_what_becomes_of_a_schedule() -> None:
    failed = record(status="failed", reason="no_video")
    plan = plan_of(
        CANCELLED,
        change("fail", "f", record(), failed),
        change("archive", "g", failed, None),
        change("send", "h", record(channel_id="b"), record(channel_id="b", status="executing")),
        change("pause", "i", record(channel_id="b"), record(channel_id="b", is_paused=True)),
        change("update", "j", record(), record(video_id="b", metadata={"k": "v"})),
    )
    page = plan_markdown(plan, [], zones=ZONES)
    rows = [line.split(" | ") for line in page.split("\n") if line.startswith("| <code>")]
    assert [(row[3], row[4]) for row in rows] == [
        ("2026-03-01 18:00 UTC", "2026-03-01 18:00 UTC, paused")
        if row[1] == "<code>i</code>"
        else {
            "<code>spring/teaser/c</code>": (BERLIN, "cancelled"),
            "<code>f</code>": (BERLIN, "failed: <code>no&#x5f;video</code>"),
            "<code>g</code>": ("failed: <code>no&#x5f;video</code>", "archived"),
            "<code>h</code>": ("2026-03-01 18:00 UTC", "2026-03-01 18:00 UTC, sent"),
            "<code>j</code>": (BERLIN, BERLIN),
        }[row[1]]
        for row in rows
    ]
    assert len(rows) == 6
    assert "<code>teaser-4k</code> → <code>b</code>" in plan_markdown(plan, [], zones=ZONES)


def test_the_marker_is_a_comment_with_json_that_a_program_finds() -> None:
    plan = plan_of(CREATED, CREATED)
    first = plan_markdown(plan, [], zones={}).split("\n")[0]
    assert first.startswith(MARKER + " ")
    facts = json.loads(first.removeprefix(MARKER).removesuffix("-->"))
    total = checksum(plan.changes)
    assert facts == {"version": 1, "checksum": total, "proposal": total, "changes": 2, "create": 2}


def test_the_comment_is_the_same_a_minute_later() -> None:
    plan = plan_of(CREATED, MOVED)
    later = msgspec.structs.replace(plan, now=NOW + 60)
    assert plan_markdown(plan, [], zones=ZONES) == plan_markdown(later, [], zones=ZONES)


def test_problems_are_shown_with_their_frames() -> None:
    found = [error("past", Location("waves/a.yaml", 1, 5), "too late", "choose a time to come")]
    page = rendered(plan_markdown(plan_of(), found, zones={}, sources={"waves/a.yaml": "at: 2026"}))
    shown = html.unescape(re.findall(r"<pre>\n(.*?)\n</pre>", page, re.DOTALL)[0])
    assert shown.splitlines() == [
        "waves/a.yaml:1:5: error: too late [past]",
        "  1 | at: 2026",
        "    |     ^~~~",
        "  hint: choose a time to come",
    ]


def test_pace_names_the_tokens_that_wait() -> None:
    sends = [
        PlannedSend(
            schedule_id="x", token=token, offset_seconds=offset, not_after=NOW, due=NOW, late_from=NOW
        )
        for token in ("A_1", "B")
        for offset in (0.0, 40.0)
    ]
    page = plan_markdown(plan_of(sends=sends), [], zones={}, pace=Pace())
    assert "<code>A&#x5f;1</code>: 2 sends at 60/min: the last leaves 40 s after the first." in page


def test_a_list_of_ten_rows_is_folded() -> None:
    steps = [change("create", f"s/t/{i}", None, record()) for i in range(10)]
    assert "<details open><summary>9 steps" in plan_markdown(plan_of(*steps[:9]), [], zones={})
    assert "<details><summary>10 steps" in plan_markdown(plan_of(*steps), [], zones={})


def test_a_large_plan_is_cut_in_whole_rows_and_says_what_it_left_out() -> None:
    steps = [
        change("create", f"{wave}/t/{i}", None, record(wave_id=wave), "declared in waves/x.yaml")
        for wave in ("one", "two", "three", "four", "five")
        for i in range(400)
    ]
    page = plan_markdown(plan_of(*steps), [], zones=ZONES)
    assert 40_000 < len(page.encode()) <= 50_000
    shown = page.count("| <code>+</code> |")
    (told,) = re.findall(r"Left out to keep this comment short: ([\d,]+) steps: (.*)\. The summary of", page)
    assert int(told[0].replace(",", "")) + shown == 2_000
    assert told[1].endswith("400 of wave <code>two</code>") or "more waves and channels" in told[1]
    assert rendered(page).count("<tr>") == shown + page.count("|-|-|-|-|-|-|") + 2, "and the timeline's"
    assert page.count("<details") == page.count("</details>")


def test_many_problems_leave_room_for_the_plan() -> None:
    found = [error("past", Location("waves/a.yaml", line), "too late " * 10) for line in range(1, 2_000)]
    page = plan_markdown(plan_of(CREATED, MOVED), found, zones=ZONES)
    assert len(page.encode()) <= 50_000
    assert "spring/teaser/alpha" in page
    assert re.search(
        r"Left out to keep this comment short: [\d,]+ problems\. The summary of the check has", page
    )


# --- nothing that anybody wrote does anything -------------------------------------------------------


@pytest.mark.parametrize("harm", WRITABLE.values(), ids=WRITABLE)
def test_a_hostile_value_shows_as_what_it_is(harm: str) -> None:
    cell = f"| a | b |\n|-|-|\n| {code(harm)} | x |\n"
    page = rendered(cell)
    assert html.unescape(re.findall(r"<code>(.*?)</code>", page, re.DOTALL)[0]) == visible(harm)
    assert page.count("<td>") == 2
    assert not ACTIVE.search(page)


@pytest.mark.parametrize("harm", WRITABLE.values(), ids=WRITABLE)
def test_nothing_hostile_is_left_anywhere_in_a_comment(harm: str) -> None:
    one = record(video_id=harm, wave_id=harm, channel_id=harm, metadata={"x": harm})
    other = one_off(video_id=f"x{harm}", channel_id=harm, scheduled_at="2026-03-01T19:00:00Z")
    steps = [change("update", harm, one, other, harm), change("create", harm, None, one, harm)]
    found = [error("past", Location(harm), harm, harm)]
    page = plan_markdown(plan_of(*steps), found, zones={}, sources={harm: harm})
    assert_harmless(page)
    ours = page.replace(MARKER, "").replace("-->", "", 1)
    for sign in ("<script", "${{", "::error::", "@octocat", "#123", "](", "://", "-->", "~~z"):
        assert sign not in ours
    assert "www.example" not in ours.partition("```mermaid")[0]
    body = rendered(page)
    assert not ACTIVE.search(without_ours(page, body))
    assert body.count("<details") == body.count("</details>") == 3


@settings(max_examples=60)
@given(plans(), diagnostics(), st.integers(3_000, 12_000))
def test_whatever_the_texts_a_comment_is_harmless_and_short_enough(
    plan: Plan, found: list[Diagnostic], limit: int
) -> None:
    page = plan_markdown(plan, found, zones=ZONES, limit=limit)
    assert len(page.encode()) <= limit
    assert_harmless(page)
    assert page.count("<details") == page.count("</details>")
    assert not ACTIVE.search(without_ours(page, rendered(page)))


@given(encodable_texts)
def test_a_value_in_code_reads_back(text: str) -> None:
    page = rendered(f"x {code(text)} x")
    shown = html.unescape(page.removeprefix("<p>x <code>").removesuffix("</code> x</p>\n"))
    assert shown == visible(clip(text, 120))
