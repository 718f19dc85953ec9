"""What a pull request gets to read: a proposal, compared with its base, and what stands around it."""

from __future__ import annotations

import html
import json
import re
import unicodedata

import pytest
from git_repository import git
from markdown_it import MarkdownIt
from miniature import Miniature, Outcome
from reporting import WRITABLE, assert_harmless

from scheduler.reporting.pull_request import gantt

NOW = "2026-03-20T00:00:00Z"
SETTINGS = "conflicts: { min_gap: 10m }\n"
SPRING = """
    title: Spring launch
    schedules:
      - type: staggered
        group: teaser
        video: teaser-4k
        at: 2026-03-24T18:00:00Z
        delay: 1h
        channels: [alpha, beta]
"""


@pytest.fixture
def home(mini: Miniature) -> Miniature:
    """A repository with two channels, on whose base nothing is declared yet, and an empty record."""
    git(mini.root, "init", "--quiet", "--initial-branch", "main")
    mini.write({"scheduler.yaml": SETTINGS})
    mini.channels("alpha", timezone="Europe/Berlin").channels("beta")
    mini.run("state", "init", now=NOW)
    return base(mini)


def base(mini: Miniature, **files: str) -> Miniature:
    """Commit what is declared: a proposal is what is written from now on."""
    git(mini.root, "add", "--all", ".")
    git(mini.root, "commit", "--quiet", "--allow-empty", "--message", "Base")
    return mini


def propose(mini: Miniature, *options: str, now: str = NOW, **environ: str) -> Outcome:
    return mini.run(
        "plan", "--format", "markdown", "--base", "HEAD", "--detailed-exitcode", *options, now=now, **environ
    )


def words(outcome: Outcome) -> str:
    """What stands before the first table, as it is read."""
    before = re.split("<details|####|Plan checksum", outcome.out)[0].split("\n\n", 2)[2]
    return html.unescape(re.sub(r"</?code>", "", before)).strip()


def remarks(outcome: Outcome) -> list[str]:
    """The lines under *Worth knowing*, as they are read."""
    part = outcome.out.partition("#### Worth knowing")[2].partition("####")[0]
    return [
        html.unescape(re.sub(r"</?code>", "", line)) for line in part.split("\n") if line.startswith("- ")
    ]


def rendered(outcome: Outcome) -> str:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return reader.render(outcome.out)  # type: ignore[no-any-return]  # it has no types


# --- what a proposal changes ---------------------------------------------------------------------


def test_a_new_wave_is_told_in_words_with_when_the_first_one_goes_out(home: Miniature) -> None:
    told = propose(home.write({"waves/spring.yaml": SPRING}))
    assert told.code == 4
    assert words(told) == (
        "This pull request adds 2 publications on 2 channels and cancels none.\n\n"
        "- Wave spring (Spring launch): adds 2 on alpha and beta. The first goes out on alpha: "
        "Tue 2026-03-24 19:00 Europe/Berlin (18:00 UTC)."
    )
    assert told.out.endswith(", compared with the base branch and the state.\n")


def test_what_the_base_declares_and_no_run_has_recorded_is_not_the_proposals_work(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    told = propose(home)
    assert told.code == 0, "nothing changes"
    assert words(told) == (
        "This pull request changes no publication. Not counted: 2 changes already declared on the "
        "base branch that no run has recorded yet."
    )


def test_what_the_base_declares_and_no_run_has_recorded_can_be_moved_and_cancelled(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    home.write({"waves/spring.yaml": SPRING.replace("18:00:00Z", "18:30:00Z").replace(", beta", "")})
    assert words(propose(home)) == (
        "This pull request moves 1 publication and cancels 1.\n\n"
        "- Wave spring (Spring launch): moves 1 on alpha (30m later) and cancels 1 on beta. The first goes "
        "out on alpha: Tue 2026-03-24 19:30 Europe/Berlin (18:30 UTC)."
    )


def test_an_edit_says_what_is_edited_and_has_no_place_in_the_timeline(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    told = propose(
        home.write({"waves/spring.yaml": SPRING.replace("teaser-4k", "b\n        metadata: {a: b}")})
    )
    assert "edits 2 on alpha and beta (video, metadata)." in words(told)
    assert "Timeline" not in told.out
    assert "<code>teaser-4k</code> → <code>b</code>" in told.out


def test_what_is_gone_is_no_longer_declared_and_what_is_paused_is_not_the_first_to_go_out(
    home: Miniature,
) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    held = SPRING.replace("[alpha, beta]", "[{ id: gamma, paused: true }, alpha]")
    told = propose(home.channels("gamma").write({"waves/spring.yaml": held}))
    assert "adds 1 on gamma (1 paused), moves 1 on alpha (1h later) and cancels 1 on beta" in words(told)
    assert "The first goes out on alpha: " in words(told)
    (row,) = [line for line in told.out.splitlines() if line.startswith("| <code>-</code>")]
    assert row.endswith("| cancelled | <code>no longer declared</code> |")


def test_of_many_waves_the_first_eight_get_a_sentence(home: Miniature) -> None:
    waves = {
        f"waves/w{i}.yaml": wave(one(f"2026-03-2{i}T18:00", group=f"g{i}"))["waves/w.yaml"]
        for i in range(1, 10)
    }
    told = words(propose(home.write(waves)))
    assert told.count("- Wave ") == 8
    assert told.endswith("- and 1 more wave or channel, listed below")


def test_recorded_ones_are_compared_with_the_record(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    home.run("run", now=NOW)
    home.write({"waves/spring.yaml": "    paused: { reason: strike }" + SPRING})
    told = propose(home)
    assert words(told).splitlines()[2:] == [
        "- Wave spring (Spring launch): pauses 2 on alpha and beta (paused by wave (strike))."
    ]
    assert "this pull request pauses 2 publications and cancels none" in told.out.casefold()


def test_what_the_clock_makes_of_the_base_too_is_no_step_of_the_proposal(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    home.run("run", now=NOW)
    later = "2026-03-24T17:30:00Z"
    assert "A run now would confirm 2." in home.run("plan", "--format", "markdown", now=later).out
    assert words(propose(home, now=later)) == "This pull request changes no publication."
    told = propose(
        home.write({"waves/b.yaml": SPRING.replace("18:00", "17:00").replace("teaser", "b")}), now=later
    )
    assert "A run now would send 1 and confirm 1." in words(told)


def test_a_renamed_wave_is_neither_new_nor_cancelled(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    home.run("run", now=NOW)
    home.remove("waves/spring.yaml").write({"waves/easter.yaml": "    renamed_from: spring" + SPRING})
    told = propose(home)
    assert words(told).startswith("This pull request changes no publication.")


def test_a_proposal_without_a_change_of_the_schedule_is_none_and_one_of_a_setting_is(home: Miniature) -> None:
    assert propose(home.write({"README.md": "hello"})).code == 0
    told = propose(home.write({"scheduler.yaml": SETTINGS + "pace: 1/s\n"}))
    assert told.code == 4
    row = "| <code>scheduler.yaml</code> | <code>pace</code> | <code>60 in 1m</code> | <code>1 in 1s</code> |"
    assert row in told.out


def test_what_a_rule_refuses_is_named_beside_the_numbers(home: Miniature) -> None:
    home.write({"waves/spring.yaml": SPRING.replace("delay: 1h", "delay: 0s").replace("beta", "nowhere")})
    told = propose(home)
    assert told.code == 1
    assert "2 are blocked**" not in words(told)
    assert "**1 is blocked**: spring/teaser/nowhere; the problems below say why." in words(told)
    assert words(told).index("blocked") < words(told).index("1 error in 1 file")


@pytest.mark.parametrize("broken", ["schedules: [", SPRING.replace("delay: 1h", "delay: 0s, delay: 1h")])
def test_what_cannot_be_read_is_refused_and_not_called_cancelled(broken: str, home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    told = propose(home.write({"waves/spring.yaml": broken}))
    assert "This pull request changes no publication." in words(told)
    assert "**2 are blocked**: spring/teaser/alpha and spring/teaser/beta" in words(told)


def test_what_is_refused_only_now_is_not_called_cancelled_either(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    told = propose(home.write(wave(one("2026-03-24T18:05:00Z"))))
    assert "This pull request changes no publication." in words(told)
    assert "**2 are blocked**: spring/teaser/alpha and w/one/alpha; the problems" in words(told)


def test_what_the_base_refuses_already_is_not_the_proposals_fault(home: Miniature) -> None:
    base(home.write(wave(one("2026-03-24T18:00", channels="[nowhere]"))))
    told = propose(home.write({"waves/spring.yaml": SPRING}))
    assert told.code == 1, "the check is red all the same"
    assert "refused" not in words(told)


def test_a_file_that_is_broken_on_one_side_is_neither_a_new_channel_nor_a_removed_one(
    home: Miniature,
) -> None:
    assert "(no channel)" not in html.unescape(propose(home.write({"channels/beta.yaml": "a: ["})).out)
    base(home)
    told = propose(home.channels("beta"))
    assert "(new channel)" not in html.unescape(told.out)


def test_the_record_is_that_of_the_base_whatever_home_a_proposal_names(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    home.run("run", now=NOW)
    forged = (home.root / "state.json").read_text().replace("18:00:00Z", "18:45:00Z")
    home.write({"forged.json": forged, "scheduler.yaml": SETTINGS + "state: forged.json\n"})
    told = propose(home)
    assert "This pull request changes no publication." in words(told)
    assert "<code>state</code> | <code>state.json</code> | <code>forged.json</code> |" in told.out


def test_a_proposal_that_pins_another_lineage_has_no_plan(home: Miniature) -> None:
    pin = "lineage: 11111111-2222-4333-8444-555555555555\n"
    told = propose(home.write({"scheduler.yaml": SETTINGS + pin}))
    assert (told.code, told.out) == (3, "")
    assert "scheduler.yaml pins 11111111" in told.err


def test_settings_that_stop_every_run_are_said_to(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    told = propose(home.write({"scheduler.yaml": "pace: fast\n"}))
    assert told.code == 1
    assert words(told).startswith(
        "Nothing can be planned with this scheduler.yaml: **every run stops, and nothing is sent.** "
        "**1 error in 1 file.**"
    )


def test_nothing_is_written_and_the_same_proposal_gives_the_same_bytes(home: Miniature) -> None:
    home.write({"waves/spring.yaml": SPRING})
    before = (home.root / "state.json").read_bytes(), git(home.root, "status", "--porcelain")
    first = propose(home)
    assert propose(home, now="2026-03-20T00:01:00Z").out == first.out
    assert before == ((home.root / "state.json").read_bytes(), git(home.root, "status", "--porcelain"))


def test_a_base_that_declares_nothing_yet_has_nothing_in_common(home: Miniature) -> None:
    git(home.root, "rm", "-r", "--quiet", "--cached", "channels", "scheduler.yaml")
    git(home.root, "commit", "--quiet", "--message", "Before anything")
    told = propose(home.write({"waves/spring.yaml": SPRING}))
    assert "adds 2 publications" in told.out
    assert "<code>&#x28;new channel&#x29;</code>" in told.out


def test_without_a_readable_base_the_record_is_what_it_is_compared_with(home: Miniature) -> None:
    base(home.write({"scheduler.yaml": "a: [", "waves/spring.yaml": SPRING}))
    told = propose(home.write({"scheduler.yaml": SETTINGS}))
    assert "adds 2 publications" in told.out
    assert told.out.endswith(", compared with the state.\n")


def test_a_commit_that_is_not_there_is_a_wrong_use(home: Miniature) -> None:
    told = home.run("plan", "--format", "markdown", "--base", "--help", now=NOW)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("error: this clone does not have the commit '--help'")
    assert home.run("plan", "--base", "HEAD", now=NOW).code == 2, "text has no such comparison"


# --- who may be pointed at -----------------------------------------------------------------------

LOOT = "repository: mallory/loot\ntoken: ACME_TOKEN\n"


def test_a_channel_that_leaves_what_the_base_allows_is_refused(home: Miniature) -> None:
    base(home.write({"scheduler.yaml": "allow: [acme/*]\n"}))
    told = propose(home.write({"channels/beta.yaml": LOOT, "waves/spring.yaml": SPRING}))
    assert told.code == 1
    assert "not-allowed" in told.out
    assert "**1 is blocked**: spring/teaser/beta" in words(told)
    assert "| <code>channels/beta.yaml</code> | <code>repository</code> | <code>acme/beta</code>" in told.out


def test_a_proposal_that_widens_allow_itself_is_told_to_whoever_decides(home: Miniature) -> None:
    base(home.write({"scheduler.yaml": "allow: [acme/*]\n"}))
    home.write({"scheduler.yaml": "allow: [acme/*, mallory/*]\n", "channels/loot.yaml": LOOT})
    told = propose(home)
    assert told.code == 4
    assert (
        "**Not allowed by the base branch.** These repositories can only be used because this pull request "
        "changes `allow`: <code>loot&#x3a; mallory/loot</code>."
    ) in told.out
    assert "<code>acme/&#x2a;</code> | <code>acme/&#x2a;, mallory/&#x2a;</code> |" in told.out
    assert "<code>repository mallory/loot, token ACME&#x5f;TOKEN</code>" in told.out


def test_a_proposal_that_turns_to_another_record_says_so_before_all_else(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    forged = (home.root / "state.json").read_text()
    home.write({"scheduler.yaml": SETTINGS + "state: forged.json\n", "forged.json": forged})
    told = propose(home)
    assert "**Another state.**" in told.out.split("\n\n")[3]
    assert "look up what was sent in forged.json instead of state.json. Whatever" in words(told)
    assert "**is sent again**" in words(told)


def test_a_password_in_a_queues_address_is_not_repeated(home: Miniature) -> None:
    base(home.write({"scheduler.yaml": "queue: redis://waves:hunter2@broker.example.org/0\n"}))
    told = propose(home.write({"scheduler.yaml": "queue: redis://waves:hunter3@broker.example.org/0\n"}))
    assert "hunter" not in told.out
    assert "redis&#x3a;//&#x28;not shown&#x29;&#x40;broker.example.org/0" in told.out


def test_what_the_operator_allows_can_be_widened_by_no_file(home: Miniature) -> None:
    home.write({"scheduler.yaml": "allow: [mallory/*, acme/*]\n", "channels/loot.yaml": LOOT})
    told = propose(home, SCHEDULER_ALLOW="acme/*")
    assert told.code == 1
    assert "is not among those in SCHEDULER&#x5f;ALLOW" in told.out


def test_a_removed_channel_is_told(home: Miniature) -> None:
    told = propose(home.remove("channels/beta.yaml"))
    before = "<code>repository acme/beta, token ACME&#x5f;TOKEN</code>"
    assert f"<code>&#x28;removed channel&#x29;</code> | {before} |  |" in told.out


# --- clocks, freezes, neighbours, pace -----------------------------------------------------------


def one(at: str, *, group: str = "one", channels: str = "[alpha]", zone: str = "Europe/Berlin") -> str:
    return (
        f"  - {{ type: simultaneous, group: {group}, video: {group}, at: {at}, timezone: {zone}, "
        f"channels: {channels} }}\n"
    )


def wave(*entries: str) -> dict[str, str]:
    return {"waves/w.yaml": f"schedules:\n{''.join(entries)}"}


def test_a_clock_change_within_a_day_is_told_with_what_it_means_in_utc(home: Miniature) -> None:
    told = propose(home.write(wave(one("2026-03-28T18:00"))))
    assert remarks(told) == [
        "- **Clocks**: in Europe/Berlin they go forward 1h on Sun 2026-03-29 (01:00 UTC). 18:00 there "
        "is 17:00 UTC until then, and 16:00 UTC afterwards. Within a day of it: w/one/alpha."
    ]


def test_a_clock_change_between_two_publications_of_a_wave_is_told_however_far(home: Miniature) -> None:
    told = propose(home.write(wave(one("2026-03-23T18:00"), one("2026-04-06T18:00", group="two"))))
    (remark,) = remarks(told)
    assert remark.endswith("16:00 UTC afterwards. On both sides of it: wave w.")


def test_two_days_from_a_clock_change_nothing_is_said_of_it(home: Miniature) -> None:
    assert remarks(propose(home.write(wave(one("2026-03-27T00:59"))))) == []
    assert (
        remarks(propose(home.write(wave(one("2026-03-28T01:00:00Z", zone="UTC", channels="[beta]"))))) == []
    )


def test_a_neighbours_clock_counts_and_a_time_shown_twice_is_told(home: Miniature) -> None:
    told = propose(home.write(wave(one("2026-10-25T02:30:00+02:00", zone="UTC"))))
    (remark,) = remarks(told)
    assert "they go back 1h on Sun 2026-10-25 (01:00 UTC). 02:30 there is 00:30 UTC until" in remark
    assert remark.endswith(
        "Within a day of it: w/one/alpha. At a local time that occurs twice: w/one/alpha; the time "
        "in UTC counts."
    )


def test_a_slot_that_a_clock_change_skips_is_among_the_problems(home: Miniature) -> None:
    home.write({
        "channels/alpha.yaml": (
            "repository: acme/alpha\ntoken: ACME_TOKEN\ntimezone: Europe/Berlin\nslots: [Sun 02:30]\n"
            "lineup: [a, b]\n"
        )
    })  # fmt: skip
    told = propose(home)
    assert "skipped-slot" in told.out
    assert "**1 warning in 1 file.**" in words(told)


FREEZE = """\
conflicts: { min_gap: 10m }
freezes:
  - { reason: Holidays, from: 2026-03-25T00:00:00Z, until: 2026-03-26T00:00:00Z, channels: [alpha] }
"""


def test_a_freeze_of_the_proposal_names_what_waits_for_its_end(home: Miniature) -> None:
    base(home.write(wave(one("2026-03-25T18:00"), one("2026-03-27T18:00", group="two"))))
    home.run("run", now=NOW)
    told = propose(home.write({"scheduler.yaml": FREEZE}))
    assert remarks(told) == [
        "- **Freeze** Holidays on alpha: 2026-03-25 00:00 UTC (01:00 Europe/Berlin) to 2026-03-26 00:00 UTC "
        "(01:00 Europe/Berlin). **1 publication will be missed** (`catch_up` is shorter): w/one/alpha."
    ]
    told = propose(home.write({"scheduler.yaml": FREEZE + "catch_up: 8h\n"}))
    assert remarks(told)[0].endswith(
        "(01:00 Europe/Berlin). Until it ends, 1 publication waits: w/one/alpha."
    )


def test_what_a_freeze_would_miss_comes_first_in_the_comment(home: Miniature) -> None:
    base(home.write(wave(one("2026-03-25T18:00"), one("2026-03-27T18:00", group="two"))))
    home.run("run", now=NOW)
    home.write({"scheduler.yaml": FREEZE, "waves/other.yaml": SPRING})
    parts = propose(home).out.split("\n\n")
    (place,) = (i for i, part in enumerate(parts) if "will be missed" in part and "missed-by-pause" in part)
    assert place == 4, "after the marker, the title, the headline, and its own summary"


def test_a_freeze_between_is_told_even_where_nothing_waits_and_one_outside_is_not(home: Miniature) -> None:
    base(home.write({"scheduler.yaml": FREEZE}))
    told = propose(home.write(wave(one("2026-03-24T18:00"), one("2026-03-27T18:00", group="two"))))
    assert remarks(told)[0].endswith("(01:00 Europe/Berlin). Nothing in this pull request waits for it.")
    assert remarks(propose(home.write(wave(one("2026-03-27T18:00"))))) == [], "it is over by then"
    assert remarks(propose(home.write(wave(one("2026-03-24T18:00"))))) == [], "it comes later"


def test_a_dispatch_that_falls_into_a_freeze_waits_though_its_publication_is_later(home: Miniature) -> None:
    base(home.write({"scheduler.yaml": FREEZE}).channels("alpha", timezone="Europe/Berlin", lead="6h"))
    told = propose(home.write(wave(one("2026-03-26T03:00"))))
    assert remarks(told)[0].endswith("Until it ends, 1 publication waits: w/one/alpha.")
    assert "it is sent 6h ahead." in words(told)


def test_what_is_published_in_a_freeze_waits_though_its_dispatch_was_due_before(home: Miniature) -> None:
    home.channels("alpha", timezone="Europe/Berlin", lead="6h")
    base(home.write(wave(one("2026-03-25T03:00"))))
    home.run("run", now=NOW)
    told = propose(home.write({"scheduler.yaml": FREEZE + "catch_up: 23h\n"}))
    assert remarks(told)[0].endswith("Until it ends, 1 publication waits: w/one/alpha.")


def test_neighbours_within_an_hour_are_told_once_and_others_are_not(home: Miniature) -> None:
    base(home.write({"waves/spring.yaml": SPRING}))
    home.write(wave(one("2026-03-24T17:15:00Z"), one("2026-03-24T19:01:00Z", group="two")))
    told = propose(home)
    assert "Neighbours are publications within 1h on the same channel." in told.out
    assert remarks(told) == [
        "- **Near**: spring/teaser/alpha goes out 45m after w/one/alpha, at Tue 2026-03-24 "
        "19:00 Europe/Berlin."
    ]


def test_two_neighbours_of_one_proposal_are_one_remark_and_what_is_cancelled_is_none(home: Miniature) -> None:
    near = one("2026-03-24T17:15:00Z"), one("2026-03-24T17:45:00Z", group="two")
    assert len(remarks(propose(home.write(wave(*near))))) == 1
    gone = near[1].replace("[alpha]", "[{ id: alpha, cancelled: true }]")
    assert remarks(propose(home.write(wave(near[0], gone)))) == []


def test_what_pace_takes_counts_all_that_a_token_sends_then(home: Miniature) -> None:
    at_once = SPRING.replace("delay: 1h", "delay: 0s")
    base(home.write({"scheduler.yaml": "pace: 1/min\n", "waves/a.yaml": at_once.replace("alpha, ", "")}))
    told = propose(home.write({"waves/b.yaml": at_once.replace(", beta", "")}))
    assert "the second; <code>pace</code> alone takes 1m" in told.out


@pytest.mark.parametrize(
    ("hold", "token", "expected"),
    [
        (
            "5h",
            "ghs_canary",
            "**The hold outlives <code>ACME&#x5f;TOKEN</code>**: an App's token lives for 1h",
        ),
        (
            "5h",
            "",
            "**The hold may outlive <code>ACME&#x5f;TOKEN</code>**: a GitHub App's token lives for 1h",
        ),
        ("5h", "github_pat_canary", None),
        ("55m", "ghs_canary", None),
    ],
)
def test_a_hold_that_outlives_the_token_of_an_app_is_a_warning(
    home: Miniature, hold: str, token: str, expected: str | None
) -> None:
    home.environ["ACME_TOKEN"] = token
    text = propose(home.write({"waves/spring.yaml": SPRING}), "--hold", hold).out
    assert (expected or "to the second.") in text
    assert ("55m or less" in text) == (expected is not None)


def test_a_hold_is_told_where_somebody_says_it(home: Miniature) -> None:
    told = propose(home.write({"waves/spring.yaml": SPRING}), "--hold", "15m")
    assert "due within 15m (the hold)" in told.out


# --- many ----------------------------------------------------------------------------------------


@pytest.fixture
def thousand(home: Miniature) -> Miniature:
    """A proposal of a wave on 50 channels in 20 groups."""
    names = [f"c{i:02}" for i in range(50)]
    base(home.channels(*names, timezone="America/New_York"))
    entries = [
        one(f"2026-04-{day:02}T18:00", group=f"day{day}", channels=f"[{', '.join(names)}]")
        for day in range(1, 21)
    ]
    return home.write(wave(*entries))


def test_a_thousand_publications_fit_a_comment_and_what_is_left_out_is_counted(thousand: Miniature) -> None:
    told = propose(thousand)
    assert 20_000 < len(told.out.encode()) <= 50_000
    shown = told.out.count("| <code>+</code> |")
    (left_out,) = re.findall(r"Left out to keep this comment short: ([\d,]+) steps", told.out)
    assert shown + int(left_out.replace(",", "")) == 1_000
    assert "The summary of the check has more" in told.out
    assert "<code>c00</code>, <code>c01</code>, <code>c02</code> and 47 more channels" in told.out
    assert told.out.count(", milestone, ") == 20, "a picture of groups, not of a thousand marks"
    assert "new day1 x 50 :active" in told.out
    rows = re.findall(r"^\| .*\|$", told.out, re.MULTILINE)
    assert rendered(told).count("<tr>") == len(rows), "each row is one"


def test_a_timeline_of_a_thousand_instants_is_cut_in_whole_rows_too(home: Miniature) -> None:
    days = [
        f"2026-{4 + i // 28:02}-{1 + i % 28:02}T{hour:02}:00:00Z" for i in range(100) for hour in range(10)
    ]
    entries = (one(at, group=f"g{i}", channels="[beta]", zone="UTC") for i, at in enumerate(days))
    told = propose(home.write(wave(*entries)))
    assert len(told.out.encode()) <= 50_000
    table = told.out.partition("Channel time")[2].partition("</details>")[0]
    (left_out,) = re.findall(r"([\d,]+) later instants of the timeline", told.out)
    assert table.count("<code>beta</code>") == 1_000 - int(left_out)
    assert re.search(r"960 later marks of the chart", told.out)


def test_a_summary_has_room_for_all_of_them(thousand: Miniature) -> None:
    told = propose(thousand, "--limit", "1000000")
    assert told.out.count("| <code>+</code> |") == 1_000
    assert "Left out" not in told.out
    assert len(told.out.encode()) < 1_000_000


# --- hostile proposals ---------------------------------------------------------------------------


SECTION = r"section [a-z]+"
MARK = (
    r"  (new|now|was|cancelled)( paused)? [\w ./+-]+ :(active|done|crit), milestone, [\d-]{10} [\d:]{8}, 0m"
)


def without_picture(outcome: Outcome) -> tuple[str, list[str]]:
    """The page without its diagram, and the diagram's lines, of which each has one of the forms we know."""
    init = r'%%\{init: \{"gantt": \{"leftPadding": \d+\}\}\}%%'
    found = re.findall(rf"^```mermaid\n{init}\ngantt\n(.*?)\n```$", outcome.out, re.MULTILINE | re.DOTALL)
    assert len(found) == outcome.out.count("```") / 2
    if not found:
        return outcome.out, []
    (picture,) = found
    header, lines = picture.split("\n")[:6], picture.split("\n")[6:]
    assert [line.split()[0] for line in header] == [
        "title", "%%", "dateFormat", "axisFormat", "tickInterval", "todayMarker",
    ]  # fmt: skip
    bare = ["".join(c for c in line if unicodedata.category(c)[0] != "M") for line in lines]
    assert [line for line in bare if not re.fullmatch(f"{SECTION}|{MARK}", line)] == []
    return outcome.out.replace(picture, ""), lines


def test_channels_with_long_ids_that_differ_at_the_end_have_headings_of_their_own(mini: Miniature) -> None:
    """Mermaid draws sections of one heading as one channel."""
    base = "brightside-entertainment-trailers-and-teasers"
    ids = [f"{base}-{language}" for language in ("de", "en", "fr")]
    channels = ", ".join(ids)
    row = f"{{ type: simultaneous, video: v1, at: 2030-01-02T12:00:00Z, channels: [{channels}] }}"
    mini.channels(*ids).write({"waves/one.yaml": f"schedules:\n  - {row}\n"})
    told = mini.run("plan", "--format", "markdown", now="2030-01-01T00:00:00Z")
    assert re.findall(r"^section (.*)$", told.out, re.MULTILINE) == [
        f"brightside-entert...ilers-and-teasers-{language}" for language in ("de", "en", "fr")
    ]


def test_two_texts_that_mermaid_would_show_alike_are_two_sections() -> None:
    assert gantt._headings(["a:b", "a;b", "a_b"]) == {"a:b": "a_b", "a;b": "a_b 2", "a_b": "a_b 3"}


def test_vowel_signs_stay_with_their_letters_in_the_picture() -> None:
    assert gantt._label("हिन्दी ไทยที่: #x") == "हिन्दी ไทยที่_ _x"


def quoted(text: str) -> str:
    """A YAML scalar that is this text; JSON's escapes are YAML's, and pairs of surrogates are not."""
    return json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize("harm", WRITABLE.values(), ids=WRITABLE)
def test_no_text_of_any_file_does_anything_in_the_comment(harm: str, home: Miniature) -> None:
    text = quoted(harm)
    home.write({
        "scheduler.yaml": (
            f"freezes: [{{ reason: {text}, from: 2026-05-10T00:00:00Z, until: 2026-05-20T00:00:00Z }}]\n"
        ),
        "channels/alpha.yaml": f"name: {text}\nrepository: acme/alpha\npaused: {{ reason: {text} }}\n",
        "channels/delta.yaml": "repository: acme/delta\n",
        "channels/beta.yaml": f"name: {text}\nqueue: q\ncommand: {text}\ntimezone: {text}\n",
        "waves/w.yaml": (
            f"title: {text}\npaused: {{ reason: {text} }}\nschedules:\n"
            f"  - {{ type: simultaneous, group: {text}, video: {text}, at: {text}, channels: [{text}] }}\n"
        ),
        "waves/v.yaml": (
            f"title: {text}\npaused: {{ reason: {text} }}\nschedules:\n"
            f"  - {{ type: simultaneous, group: v, video: {text}, at: 2026-05-01T00:00:00Z, "
            f"metadata: {{ k: {text} }}, channels: [delta] }}\n"
            "  - { type: simultaneous, group: u, video: u, at: 2026-06-01T00:00:00Z, channels: [delta] }\n"
        ),
    })  # fmt: skip
    told = propose(home)
    assert_harmless(told.out)
    drawn = rendered(told)
    assert drawn.count("<details") == drawn.count("</details>")
    assert not re.search(r"<(a|img|script|em|del|h1|h2|li><p|blockquote|input)\b", drawn)
    assert told.out.count("<!--") == told.out.count("-->") == 1, "the marker's own"
    visible, picture = without_picture(told)
    is_plain = harm.isprintable()  # what is hidden in a text makes a fault of it, and then there is no wave
    assert len(picture) == (3 if is_plain else 0)
    assert ("Freeze" in told.out) is is_plain
    for sign in ("${{", "::error::", "@octocat", "#123", "](", "://", "~~"):
        assert sign not in visible


@pytest.mark.parametrize("name", ["::error::x", "a --> b", "</details>", "@octocat", "`x`|${{ x }}", "#123"])
def test_no_name_of_a_file_does_anything_either(name: str, home: Miniature) -> None:
    name = name.replace("/", "\u2215")
    home.write({f"waves/{name}.yaml": "schedules: []\n", f"channels/{name}.yaml": "repository: acme/x\n"})
    told = propose(home)
    assert told.code == 1
    assert_harmless(told.out)
    assert told.out.count("-->") == 1
    annotated = home.run("validate", "--format", "github", now=NOW)
    commands = [line for line in annotated.out.splitlines() if line.startswith("::")]
    assert commands, "the fault is told"
    assert all(re.match(r"::(error|notice) (file=|title=)", line) for line in commands)


def test_an_annotation_holds_hostile_text_on_one_line(home: Miniature) -> None:
    video = quoted("x\n::error file=a,line=1::gone")
    entry = f"{{ type: simultaneous, group: {video}, video: v, at: 2026-03-24T00:00:00Z, channels: [alpha] }}"
    home.write({"waves/w.yaml": f"schedules:\n  - {entry}\n"})
    annotated = home.run("validate", "--format", "github", now=NOW)
    assert annotated.code == 1
    begun = [line for line in annotated.out.splitlines() if line.lstrip().startswith("::")]
    assert len(begun) == 1
    assert begun[0].startswith("::error file=waves/w.yaml,line=2,")
