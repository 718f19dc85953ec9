"""A filled issue form: the real workflow makes the pull request, or says in words why it cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from acting import PROJECT, Outcome, git
from miniature import Miniature
from waves_home import NAME, Home, in_minutes

from scheduler.github_actions.__main__ import main
from scheduler.github_actions.forms import EMPTY, FIELDS, REQUIRED, read_form

AT = in_minutes(7 * 24 * 60)
FORM = yaml.safe_load((PROJECT / ".github/ISSUE_TEMPLATE/new-wave.yml").read_text())
PULL = 300
"""The number of the first pull request."""


def filled(**answers: str) -> str:
    """The text that GitHub makes of the form, every field that is not given left empty."""
    given = {
        "Type": "simultaneous (all channels at the same time)", "Video": "teaser-4k",
        "Time": AT, "Channels": "tech-daily",
    } | {label.replace("_", " "): text for label, text in answers.items()}  # fmt: skip
    return "\n\n".join(f"### {label}\n\n{given.get(label, EMPTY)}" for label in FIELDS)


@pytest.fixture(autouse=True)
def people(home: Home) -> None:
    home.api.people = {"editor": "write", "visitor": "read"}
    home.api.bare = home.server.root / NAME


def event_of(body: str, number: int, action: str, sender: str) -> dict[str, Any]:
    return {
        "action": action,
        "issue": {"number": number, "state": "open", "title": "New wave: ", "body": body,
                  "user": {"login": "editor"}},
        "sender": {"login": sender},
        "repository": {"default_branch": "main", "full_name": NAME},
    }  # fmt: skip


def submit(
    home: Home, body: str, *, number: int = 7, action: str = "opened", sender: str = "editor", **more: Any
) -> Outcome:
    event = event_of(body, number, action, sender) | more
    return home.runner.run(
        "issues", event, workflow="new-wave.yml", environment=home.environment, more=["--no-skip-checkout"]
    )  # fmt: skip


@pytest.fixture
def submit_here(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """The workflow's last step alone, in this process: many forms in the time that a runner takes for one."""

    def once(body: str) -> int:
        file = tmp_path / "event.json"
        file.write_text(json.dumps(event_of(body, 7, "opened", "editor")))
        for name, value in {
            "GITHUB_API_URL": home.github.url, "GITHUB_REPOSITORY": NAME, "GITHUB_TOKEN": "loopback-token",
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_EVENT_PATH": str(file),
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        return main(["new-wave", "-C", str(home.fresh_clone())])

    return once


def proposed(home: Home, number: int = 7) -> dict[str, str]:
    """The files that the branch of an issue changes, with their texts."""
    bare = home.server.root / NAME
    branch = f"wave-form/{number}"
    names = git(bare, "diff", "--name-only", "main", branch).splitlines()
    return {name: git(bare, "show", f"{branch}:{name}") + "\n" for name in names}


def said(home: Home) -> str:
    """What the one comment says."""
    (comment,) = home.api.comments
    return str(comment["body"])


def nothing_proposed(home: Home) -> bool:
    branches = git(home.server.root / NAME, "branch", "--list", "wave-form/*")
    return home.api.pulls == [] and branches == ""


# --- what becomes of a form -------------------------------------------------------------------------


def test_the_form_asks_for_what_is_read() -> None:
    fields = {one["attributes"]["label"]: one for one in FORM["body"] if one["type"] != "markdown"}
    assert tuple(fields) == FIELDS
    required = [label for label, one in fields.items() if one.get("validations", {}).get("required")]
    assert tuple(required) == REQUIRED


def test_a_filled_form_becomes_the_pull_request_of_a_wave(home: Home) -> None:
    run = submit(home, filled(Title="Spring: launch", Name_of_the_file="spring", Reason="It is *time*"))
    assert run.conclusion == "success", run.log
    assert proposed(home) == {
        "waves/spring.yaml": (
            'title: "Spring: launch"\n'
            "schedules:\n"
            "  - type: simultaneous\n"
            "    video: teaser-4k\n"
            f"    at: {AT}\n"
            "    channels: [tech-daily]\n"
        )
    }
    (pull,) = home.api.pulls
    assert (pull["title"], pull["base"]["ref"]) == ("Add spring/teaser-4k", "main")
    assert "Closes #7, asked for by `editor`." in pull["body"]
    assert "```text\nIt is *time*\n```" in pull["body"]
    assert "spring/teaser-4k/tech-daily" in pull["body"]
    assert said(home).count(f"#{PULL} has the wave.") == 1
    assert home.github.unknown == []


def test_the_yaml_is_the_one_that_create_writes(home: Home) -> None:
    home.commit({"channels/weekly.yaml": "repository: acme/weekly\n"}, "Add a channel")
    body = filled(
        Type="staggered (one channel after the other)", Channels="weekly, tech-daily", Delay="90m",
        Name_of_the_file="tour",
    )  # fmt: skip
    assert submit(home, body).conclusion == "success"
    desk = Miniature(home.fresh_clone())
    (desk.root / "scheduler.yaml").unlink()  # its state is on a branch that is not there
    done = desk.run("create", "staggered", "teaser-4k", "--at", AT, "--delay", "90m", "--channels",
                    "weekly,tech-daily", "--wave", "tour")  # fmt: skip
    assert done.code == 0, done.err
    assert proposed(home)["waves/tour.yaml"] == (desk.root / "waves/tour.yaml").read_text()


def test_an_edited_form_updates_the_same_branch_pull_request_and_comment(home: Home) -> None:
    submit(home, filled(Name_of_the_file="spring"))
    first = git(home.server.root / NAME, "rev-parse", "wave-form/7")
    again = submit(home, filled(Name_of_the_file="spring"), action="edited")
    assert git(home.server.root / NAME, "rev-parse", "wave-form/7") == first, again.log
    submit(home, filled(Name_of_the_file="spring", Video="trailer-4k"), action="edited")
    assert "video: trailer-4k" in proposed(home)["waves/spring.yaml"]
    assert git(home.server.root / NAME, "rev-list", "--count", "main..wave-form/7") == "1"
    (pull,) = home.api.pulls
    assert pull["title"] == "Add spring/trailer-4k"
    assert "trailer-4k" in said(home)


def test_local_time_and_channels_by_tag(home: Home) -> None:
    home.commit({"channels/tech-daily.yaml": "repository: acme/tech-daily\ntags: [gaming]\n"}, "Tag it")
    body = filled(
        Type="local time (the same time of day on each channel's own clock)", Time=f"{AT[:10]} 20:00",
        Channels="tag gaming", Name_of_the_file="evening",
    )  # fmt: skip
    assert submit(home, body).conclusion == "success"
    text = proposed(home)["waves/evening.yaml"]
    assert f"at: {AT[:10]}T20:00\n    timezone: channel\n    channels: {{ tags: [gaming] }}\n" in text


def test_the_title_of_a_wave_that_is_there_stays_and_the_comment_says_so(
    home: Home, submit_here: Callable[[str], int]
) -> None:
    home.commit({"waves/spring.yaml": "title: Spring\nschedules: []\n"}, "Begin a wave")
    assert submit_here(filled(Name_of_the_file="spring", Title="Summer")) == 0
    assert "title: Spring\n" in proposed(home)["waves/spring.yaml"]
    note = "**The title was left out:** wave spring already exists, and a title is only for a new wave."
    assert note in said(home)
    assert note in home.api.pulls[0]["body"]


@pytest.mark.parametrize(
    ("typed", "channels"),
    [
        ("a, b c", ["a", "b", "c"]),
        ("tag gaming", {"tags": ["gaming"]}),
        ("Tags: gaming, german", {"tags": ["gaming", "german"]}),
        ("{ tags: [gaming, german] }", {"tags": ["gaming", "german"]}),
        ("{tags:[gaming]}", {"tags": ["gaming"]}),
        ("tags : gaming", {"tags": ["gaming"]}),
        ("tags", ["tags"]),
        ("tagsgaming", ["tagsgaming"]),
        ("tags: x" + " " * 60_000 + "\x01", {"tags": ["x", "\x01"]}),
        ("tags" + " " * 60_000 + "x", {"tags": ["x"]}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_channels_are_ids_or_tags_however_they_are_written(typed: str, channels: object) -> None:
    form, problems = read_form(filled(Channels=typed, Reason="### a" + " " * 60_000 + "b"))
    assert form is not None, problems
    assert form.channels == channels


def test_where_workflows_may_open_no_pull_request_a_link_does(home: Home) -> None:
    home.api.workflows_may_open_pulls = False
    assert submit(home, filled(Name_of_the_file="spring")).conclusion == "success"
    assert "waves/spring.yaml" in proposed(home)
    link = f"[open its pull request]({home.server.url}/acme/waves/compare/main...wave-form/7?expand=1)"
    assert link in said(home)


# --- faults, in words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"Channels": "tech-dayly"}, "did you mean tech-daily?"),
        ({"Time": "2020-03-01T18:00:00Z"}, "[past]"),
        ({"Time": "2030-03-01 18:00", "Time_zone": "Berlin"}, "'Berlin' is not a time zone"),
    ],
)
def test_a_fault_is_told_in_words_and_nothing_is_proposed(
    home: Home, answers: dict[str, str], words: str
) -> None:
    run = submit(home, filled(**answers))
    assert run.conclusion == "success", run.log
    assert said(home).count("**This cannot become a wave yet.** Nothing was written.") == 1
    assert words in said(home)
    assert nothing_proposed(home)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"Time": "2030-03-01 18:00"}, "write 2030-03-01T18:00Z for UTC"),
        ({"Time": "tomorrow"}, "'tomorrow'"),
        ({"Time_zone": "UTC", "Type": "local time"}, "- “Time zone” must be empty for local time"),
        ({"Video": EMPTY}, "- “Video” is empty"),
        ({"Delay": "90"}, "- “Delay”: "),
        ({"Delay": "1h"}, "`delay` needs a staggered entry"),
        ({"Type": "staggered (one channel after the other)"}, "`delay` is missing"),
        ({"Type": "whenever"}, "- “Type” must be one of: simultaneous, staggered, local time"),
        ({"Name_of_the_file": "../../etc/passwd"}, "'../../etc/passwd' cannot be the id of a wave"),
        ({"Video": "a\nb"}, "- “Video” must be a single line"),
        ({"Video": "a\n\n### Time\n\n2030-01-01T00:00:00Z"}, "- duplicate heading “Time”"),
    ],
)
def test_every_fault_of_a_form_has_its_words(
    home: Home, submit_here: Callable[[str], int], answers: dict[str, str], words: str
) -> None:
    assert submit_here(filled(**answers)) == 0
    assert words in said(home)
    assert nothing_proposed(home)


def test_where_github_does_not_answer_the_run_is_red(
    home: Home, submit_here: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    home.github.lose_next_answer_to = "git/trees"
    assert submit_here(filled()) == 1
    assert (
        "::error title=The form could not be processed::could not commit the wave: HTTP 502"
        in capsys.readouterr().out
    )
    assert submit_here(filled()) == 0, "and may be started again"
    assert len(home.api.pulls) == 1


def test_a_form_with_a_fault_leaves_its_pull_request_and_a_mended_one_goes_on(home: Home) -> None:
    submit(home, filled(Name_of_the_file="spring", Channels="nobody"))
    submit(home, filled(Name_of_the_file="spring"), action="edited")
    assert f"#{PULL} has the wave." in said(home)
    before = proposed(home)
    submit(home, filled(Name_of_the_file="spring", Channels="nobody"), action="edited")
    assert f"#{PULL} stays as it was." in said(home)
    assert proposed(home) == before


def test_two_forms_for_one_file_are_told_of_each_other(home: Home) -> None:
    submit(home, filled(Name_of_the_file="spring"), number=7)
    run = submit(home, filled(Name_of_the_file="spring", Video="other"), number=8)
    assert run.conclusion == "success", run.log
    second = next(comment["body"] for comment in home.api.comments if comment["issue"] == 8)
    assert f"#{PULL} already proposes `waves/spring.yaml`." in second
    assert [pull["head"]["ref"] for pull in home.api.pulls] == ["wave-form/7"]
    submit(home, filled(Name_of_the_file="summer", Video="other"), number=8, action="edited")
    assert [pull["head"]["ref"] for pull in home.api.pulls] == ["wave-form/7", "wave-form/8"]


def test_a_merged_form_is_over(home: Home) -> None:
    submit(home, filled(Name_of_the_file="spring"))
    home.api.pulls[0] |= {"state": "closed", "merged_at": "2026-01-01T00:00:00Z"}
    submit(home, filled(Name_of_the_file="spring", Video="other"), action="edited")
    assert f"#{PULL} was merged: edit its file" in said(home)
    assert len(home.api.pulls) == 1


def test_what_somebody_else_committed_to_the_branch_stays(home: Home) -> None:
    submit(home, filled(Name_of_the_file="spring"))
    git(home.clone, "fetch", "--quiet", str(home.server.root / NAME), "wave-form/7:theirs")
    git(home.clone, "checkout", "--quiet", "theirs")
    theirs = home.commit({"waves/spring.yaml": "schedules: []\n"}, "Mend it by hand", branch="wave-form/7")
    git(home.clone, "checkout", "--quiet", "main")
    submit(home, filled(Name_of_the_file="spring", Video="other"), action="edited")
    assert git(home.server.root / NAME, "rev-parse", "wave-form/7") == theirs
    assert f"Somebody else has committed to #{PULL}" in said(home)


# --- who, and what --------------------------------------------------------------------------------


def test_whoever_may_not_write_gets_nothing_done(home: Home) -> None:
    run = submit(home, filled(), sender="visitor")
    assert run.conclusion == "success", run.log
    assert run.said("nothing was done")
    assert nothing_proposed(home)
    assert home.api.comments == []


def test_a_label_of_somebody_who_may_write_lets_a_visitors_form_through(home: Home) -> None:
    visitors = submit(home, filled(), sender="visitor", action="labeled", label={"name": "wave"})
    assert visitors.said("nothing was done")
    assert submit(home, filled(), action="labeled", label={"name": "bug"}).conclusion == "skipped"
    assert submit(home, filled(), action="labeled", label={"name": "wave"}).conclusion == "success"
    assert len(home.api.pulls) == 1


def test_an_issue_that_is_no_form_is_passed_over(home: Home) -> None:
    assert submit(home, "It does not work, ### Type or not.").conclusion == "skipped"
    assert home.github.requests == []


def hostile(witness: Path) -> str:
    run_it = f"`touch {witness}` $(touch {witness}) ${{{{ secrets.GITHUB_TOKEN }}}} '; touch {witness}; '"
    return f"{run_it} ``` </details> <!-- @acme/all ::error::pwned ##[error]pwned"


def test_hostile_answers_are_text_in_yaml_in_markdown_and_in_the_log(home: Home, witness: Path) -> None:
    evil = hostile(witness)
    title = f'x"\npaused: true #{evil}'.replace("\n", "\\n")
    body = filled(Video=evil, Title=title, Name_of_the_file="spring",
                  Reason=f"{evil}\u202e\n```\n### Video\n\n::error::pwned\n@acme/all")  # fmt: skip
    run = submit(home, body)
    assert run.conclusion == "success", run.log
    (text,) = proposed(home).values()
    read = yaml.safe_load(text)
    assert (read["title"], read["schedules"][0]["video"]) == (title, evil)
    assert read.keys() == {"title", "schedules"}
    assert "❗  ::error::pwned" not in run.log, "no command of the runner was made of it"
    for markdown in (said(home), home.api.pulls[0]["body"]):
        outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", markdown)
        assert "acme/all" not in outside, "nobody is notified, and no Markdown is made of it"
        assert "pwned" not in outside


@pytest.mark.parametrize(
    "answers",
    [
        {"Channels": "tech-daily], paused: true, x: [", "Name_of_the_file": "spring"},
        {"Time": "2030-03-01T18:00:00Z\\n  paused: true", "Name_of_the_file": "spring"},
        {"Time_zone": "../../etc/localtime", "Time": "2030-03-01T18:00", "Name_of_the_file": "spring"},
        {"Name_of_the_file": "${{ github.token }}"},
        {"Name_of_the_file": "-rf"},
        {"Video": "teaser\u202e4k"},
        {"Channels": "../tech-daily", "Name_of_the_file": "spring"},
        {"Type": "simultaneous\u2028paused: true"},
    ],
)
def test_what_fits_no_field_is_refused(
    home: Home, submit_here: Callable[[str], int], answers: dict[str, str]
) -> None:
    assert submit_here(filled(**answers)) == 0
    assert "**This cannot become a wave yet.**" in said(home)
    assert nothing_proposed(home)
