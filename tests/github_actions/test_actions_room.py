"""What the workflows say on GitHub: comments, issues and summaries, against a loopback GitHub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loopback_github import LoopbackGitHub, Repository, complete

from scheduler.github_actions.__main__ import main
from scheduler.github_actions.client import ApiError, GitHubClient, asking
from scheduler.github_actions.markdown import COMMENT_LIMIT, code, fit, plain
from scheduler.github_actions.run_output import Tick, gap_before
from scheduler.reporting.annotations import command
from scheduler.reporting.pull_request.comment import MARKER as PLAN_MARKER
from scheduler.times import read_utc

MARKER = f"{PLAN_MARKER} -->"
EVIL = "a | b `x` ``y`` ${{ secrets.T }} </details> ::error::x @acme/all --> <!-- \u202e\x1b[31m"


@pytest.fixture
def home(github: LoopbackGitHub) -> Repository:
    return github.add("acme/waves")


@pytest.fixture(autouse=True)
def step(monkeypatch: pytest.MonkeyPatch, github: LoopbackGitHub, tmp_path: Path) -> Path:
    """The environment of a workflow's step; the path of its summary."""
    for name, value in {
        "GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "acme/waves", "GITHUB_TOKEN": "loopback-token",
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "50",
        "GITHUB_WORKFLOW_REF": "acme/waves/.github/workflows/reconcile.yml@refs/heads/main",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return tmp_path / "summary.md"


def comment(tmp_path: Path, text: str, *options: str) -> None:
    (tmp_path / "plan.md").write_text(text)
    assert main(["comment", "--pull-request", "7", *options, str(tmp_path / "plan.md")]) == 0


def trouble(schedule_id: str, message: str | None, **more: Any) -> dict[str, Any]:
    declarer = schedule_id.split("/")[0]
    topic = f"{'wave' if schedule_id.count('/') == 2 else 'channel'}:{declarer}"
    return {"topic": topic, "kind": "failed", "schedule_id": schedule_id, "message": message} | more


def report(
    tmp_path: Path,
    *results: tuple[str, str, str | None],
    exit_code: int = 0,
    more: Any = (),
    troubles: Any = (),
    folder: str = "",
) -> None:
    keys = ("schedule_id", "status", "error")
    told = [dict(zip(keys, one, strict=True)) for one in results]
    wrong = [trouble(name, error) for name, status, error in results if status == "failed"]
    document = {
        "version": 1, "results": told, "diagnostics": list(more), "troubles": [*wrong, *troubles],
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(document))
    arguments = ["report", "--exit-code", str(exit_code), "--tick-gap", "2h", str(tmp_path / "run.json")]
    assert main([*arguments, *(["-C", str(tmp_path / folder)] if folder else [])]) == 0


def tick(run_id: int, started: str, conclusion: str | None = "success") -> dict[str, Any]:
    return {"id": run_id, "created_at": started, "run_started_at": started, "conclusion": conclusion,
            "path": ".github/workflows/reconcile.yml"}  # fmt: skip


# --- the reviewed plan ---


def plan_text(proposal: str, **counts: int) -> str:
    facts = {"version": 1, "checksum": f"sha256:of-{counts}", "proposal": f"sha256:{proposal}", **counts}
    return f"{PLAN_MARKER} {json.dumps(facts)} -->\n### Publication plan\n"


@pytest.mark.parametrize(
    ("reviewed", "merged", "said"),
    [
        (plan_text("aa", create=2), plan_text("aa", create=2, send=1), None),  # time has passed, and no more
        (
            plan_text("aa", create=2), plan_text("bb", create=1, cancel=1),
            "#7: the plan of this merge is not the reviewed one. Reviewed: 2 create, merged: 1 create, "
            "1 cancel. Something else was merged or recorded in the meantime; `scheduler list` shows what is "
            "planned now.",
        ),
        ("", plan_text("bb", create=1),
         "#7: the plan of this merge is not the reviewed one: the pull request had none"),
        ("", plan_text("bb"), None),
        (plan_text("aa", create=2), "", None),  # the state could not be read before the run
        (plan_text("aa", create=2).replace('"proposal"', '"x"'), plan_text("bb", create=1), None),
    ],
    ids=["the same", "another", "none reviewed", "nothing to review", "no plan", "an older version's"],
)  # fmt: skip
def test_a_merge_whose_plan_is_not_the_reviewed_one_says_so_in_its_summary(
    reviewed: str, merged: str, said: str | None, home: Repository, tmp_path: Path, step: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sha = "c" * 40
    monkeypatch.setenv("GITHUB_SHA", sha)
    found = {"number": 7, "merged_at": "2030-03-01T12:00:00Z", "merge_commit_sha": sha}
    home.merged.append(complete("pull-request-simple", found))
    if reviewed:
        comment(tmp_path, "an older plan")
        comment(tmp_path, reviewed)
    (tmp_path / "merged.md").write_text(merged)
    (tmp_path / "run.json").write_text('{"results": [], "diagnostics": [], "troubles": []}')
    arguments = ["report", "--exit-code", "0", "--merged", str(tmp_path / "merged.md")]
    assert main([*arguments, str(tmp_path / "run.json")]) == 0
    assert step.read_text().strip() == "Nothing was due." + (f"\n\n\n**{said}**" if said else "")


# --- the comment of a pull request ---


def test_a_pull_request_has_one_comment_that_is_updated_in_place(home: Repository, tmp_path: Path) -> None:
    comment(tmp_path, "first")
    comment(tmp_path, "second")
    assert [one["body"] for one in home.comments] == [f"{MARKER}\nsecond"]


def test_each_folder_with_a_scheduler_has_a_comment_and_issues_of_its_own(
    home: Repository, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    folders = ["", "shop", "shop/de --> x"]
    for words in ("first", "second"):
        for folder in folders:
            (tmp_path / folder).mkdir(exist_ok=True)
            comment(tmp_path, f"{words} {folder[:4]}", "-C", str(tmp_path / folder))
            assert (
                main(["report", "-C", str(tmp_path / folder), "--exit-code", "3", str(tmp_path / "none")])
                == 0
            )
    assert [one["body"] for one in home.comments] == [
        f"{MARKER}\nsecond ",
        f"{PLAN_MARKER}@shop -->\nIn `shop`:\n\nsecond shop",
        f"{PLAN_MARKER}@shop/de%20--%3E%20x -->\nIn `shop/de --> x`:\n\nsecond shop",
    ]
    titles = [issue["title"] for issue in home.issues]
    assert [title.partition(" (")[2] for title in titles] == ["", "shop)", "shop/de --> x)"]


def test_an_unchanged_comment_is_left_alone(home: Repository, github: LoopbackGitHub, tmp_path: Path) -> None:
    comment(tmp_path, "same")
    comment(tmp_path, "same")
    assert [request.method for request in github.requests] == ["GET", "POST", "GET"]


def test_somebody_elses_comment_with_our_marker_is_not_ours(home: Repository, tmp_path: Path) -> None:
    theirs = {"id": 1, "issue": 7, "user": {"login": "mallory", "type": "User"}, "body": f"{MARKER}\nhello"}
    home.comments.append(theirs)
    comment(tmp_path, "ours")
    assert [one["body"] for one in home.comments] == [f"{MARKER}\nhello", f"{MARKER}\nours"]


def test_a_comment_of_the_same_author_that_only_quotes_the_marker_is_not_ours(
    home: Repository, tmp_path: Path
) -> None:
    author = {"login": "github-actions[bot]", "type": "Bot"}
    quoted = f"A linter found this:\n> {MARKER}\n"
    home.comments.append({"id": 1, "issue": 7, "user": author, "body": quoted})
    comment(tmp_path, "first")
    comment(tmp_path, "second")
    assert [one["body"] for one in home.comments] == [quoted, f"{MARKER}\nsecond"]


def test_ours_is_found_on_the_second_page(home: Repository, tmp_path: Path) -> None:
    home.comments.extend(
        {"id": i, "issue": 7, "user": {"login": "editor"}, "body": "lgtm"} for i in range(1, 131)
    )
    comment(tmp_path, "first")
    comment(tmp_path, "second")
    assert [one["body"] for one in home.comments[130:]] == [f"{MARKER}\nsecond"]


def test_without_a_change_no_comment_is_made_but_an_old_one_is_updated(
    home: Repository, tmp_path: Path
) -> None:
    comment(tmp_path, "no change", "--update-only")
    assert home.comments == []
    comment(tmp_path, "a change")
    comment(tmp_path, "no change any more", "--update-only")
    assert [one["body"] for one in home.comments] == [f"{MARKER}\nno change any more"]


def test_a_text_that_is_too_long_is_cut_at_a_line_and_closed(home: Repository, tmp_path: Path) -> None:
    comment(tmp_path, "<details>\n\n```text\n" + "ä line of some length\n" * 5_000 + "```\n\n</details>\n")
    body = home.comments[0]["body"]
    assert 0.9 * COMMENT_LIMIT < len(body) <= COMMENT_LIMIT
    assert "\nä line of some length\n```\n\n</details>\n\n*Too long" in body
    assert body.endswith("(https://github.com/acme/waves/actions/runs/50) has everything.*")


def test_a_refusal_of_github_is_a_warning_and_no_failure(
    home: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "expired")
    comment(tmp_path, "hello")
    said = capsys.readouterr().out
    assert said == (
        "::warning title=Not everything was reported::could not list the comments of #7: "
        "HTTP 401 Bad credentials\n"
    )


@pytest.mark.parametrize(
    "content", [b"", b"null", b"<html>", b"[1]", b"{}", b"[" * 99_999, b'[{"number": 1}]', b'"\xff"']
)
def test_an_answer_of_github_that_makes_no_sense_is_a_warning_and_no_failure(
    content: bytes,
    home: Repository,
    github: LoopbackGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(github, "answer", lambda request: (200, content))
    comment(tmp_path, "hello")
    report(tmp_path, ("a/g/alpha", "failed", "no"), exit_code=1)
    assert capsys.readouterr().out.count("::warning title=Not everything was reported::") >= 1


def test_a_comment_that_is_deleted_between_finding_and_changing_it_is_made_anew(
    home: Repository, github: LoopbackGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment(tmp_path, "first")
    answered = github.answer

    def deleting(request: Any) -> Any:
        if request.method == "PATCH":
            home.comments.clear()
        return answered(request)

    monkeypatch.setattr(github, "answer", deleting)
    comment(tmp_path, "second")
    assert [one["body"] for one in home.comments] == [f"{MARKER}\nsecond"]


@pytest.mark.parametrize("token", ["canary\nsecond", "canary\u00e9"])
def test_a_token_that_no_header_can_carry_is_in_no_message(
    token: str,
    home: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", token)
    comment(tmp_path, "hello")
    said = capsys.readouterr().out
    assert "an HTTP header cannot carry" in said
    assert "canary" not in said


def test_a_file_or_a_variable_that_is_missing_is_a_warning_that_names_it(
    home: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["summary", str(tmp_path / "none.md")]) == 0
    assert "none.md: No such file or directory" in capsys.readouterr().out
    monkeypatch.delenv("GITHUB_TOKEN")
    comment(tmp_path, "hello")
    assert "GITHUB_TOKEN is missing" in capsys.readouterr().out


# --- issues ---


def test_a_failed_wave_opens_one_issue_and_a_later_success_closes_it(
    home: Repository, tmp_path: Path
) -> None:
    report(tmp_path, ("spring/teaser/alpha", "failed", "HTTP 404 Not Found"), exit_code=1)
    (issue,) = home.issues
    assert issue["title"] == "Wave spring: publications failed"
    assert "- `spring/teaser/alpha`: `HTTP 404 Not Found`" in issue["body"]
    assert [label["name"] for label in issue["labels"]] == ["wave-scheduler"]

    old = trouble("spring/teaser/alpha", "HTTP 404 Not Found")
    report(tmp_path, ("spring/teaser/beta", "failed", "timeout"), exit_code=1, troubles=[old])
    assert len(home.issues) == 1
    assert "spring/teaser/alpha" in issue["body"]
    assert "spring/teaser/beta" in issue["body"]
    assert ["spring/teaser/beta" in one["body"] for one in home.comments] == [True], (
        "what is new is said aloud"
    )
    assert "spring/teaser/alpha" not in home.comments[0]["body"]

    report(tmp_path, ("spring/teaser/alpha", "completed", None), ("spring/teaser/beta", "completed", None))
    assert issue["state"] == "closed"
    assert home.comments[-1]["body"].startswith("Everything has recovered.")


def test_a_tick_that_brings_nothing_new_touches_no_issue(
    home: Repository, github: LoopbackGitHub, tmp_path: Path
) -> None:
    failed = ("spring/teaser/alpha", "failed", "HTTP 404 Not Found")
    report(tmp_path, failed, exit_code=1)
    report(tmp_path, troubles=[trouble("spring/teaser/alpha", "HTTP 404 Not Found")])
    report(tmp_path, failed, exit_code=1)
    assert [request.method for request in github.requests if request.method != "GET"] == ["POST"]


def test_a_refusal_about_one_issue_keeps_no_other_from_being_told(
    home: Repository,
    github: LoopbackGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answered = github.answer

    def refusing(request: Any) -> Any:
        if request.method == "POST" and "spring" in str(request.body):
            return 422, b'{"message": "Validation Failed"}'
        return answered(request)

    monkeypatch.setattr(github, "answer", refusing)
    report(tmp_path, ("spring/g/alpha", "failed", "no"), ("winter/g/alpha", "failed", "no"), exit_code=1)
    assert [issue["title"] for issue in home.issues] == ["Wave winter: publications failed"]
    assert "title=Not everything was reported::Wave spring: publications failed" in capsys.readouterr().out


def test_what_was_only_sent_is_not_yet_well(home: Repository, tmp_path: Path) -> None:
    report(tmp_path, ("spring/teaser/alpha", "failed", "run_failed"), exit_code=1)
    retried = trouble("spring/teaser/alpha", "retried, and not completed yet", kind="retried")
    report(tmp_path, ("spring/teaser/alpha", "executing", None), troubles=[retried])
    assert home.issues[0]["state"] == "open"


def test_each_wave_and_each_channel_has_its_own_issue(home: Repository, tmp_path: Path) -> None:
    report(
        tmp_path, ("spring/a/alpha", "failed", "x"), ("autumn/a/alpha", "failed", "x"),
        ("alpha/2026-03-02T17:00:00Z", "failed", "x"), exit_code=1,
    )  # fmt: skip
    assert {issue["title"].partition(":")[0] for issue in home.issues} == {
        "Wave spring", "Wave autumn", "Channel alpha",
    }  # fmt: skip


def test_a_failure_after_the_issue_was_closed_opens_the_same_one_again(
    home: Repository, tmp_path: Path
) -> None:
    report(tmp_path, ("spring/a/alpha", "failed", "x"), exit_code=1)
    home.issues[0]["state"] = "closed"
    report(tmp_path, ("spring/a/beta", "failed", "y"), exit_code=1)
    assert [issue["state"] for issue in home.issues] == ["open"]


def test_what_endangers_a_publication_has_an_issue_before_its_time_and_is_closed_when_well(
    home: Repository, github: LoopbackGitHub, tmp_path: Path
) -> None:
    home.authors["ada@example.org"] = "ada"
    near = trouble(
        "two/x/alpha", "two/x/alpha and one/v/alpha are only 30s apart on channel alpha [min-gap]",
        kind="blocked", remedy="move one of them by 30s or more", command="scheduler cancel two/x/alpha",
        local_time="Fri 2030-03-01 19:00:30 Europe/Berlin (18:00:30 UTC)", file="waves/two.yaml", line=5,
    )  # fmt: skip
    report(tmp_path, exit_code=1, troubles=[near])
    (issue,) = home.issues
    assert issue["title"] == "Wave two: publications at risk"
    assert issue["body"].splitlines()[1:] == [
        "- `two/x/alpha`, Fri 2030-03-01 19:00:30 Europe/Berlin (18:00:30 UTC): `two/x/alpha and one/v/alpha "
        "are only 30s apart on channel alpha [min-gap]` (`waves/two.yaml:5`)",
        "  What to do: `move one of them by 30s or more`",
        "",
        "What to run:",
        "",
        "```sh",
        "scheduler cancel two/x/alpha",
        "```",
        "",
        "Last changed by @ada.",
        "",
        "This issue follows what is wrong: it is updated by each run, and closed when all is well.",
        "",
        "[The run](https://github.com/acme/waves/actions/runs/50)",
    ]
    asked = len(github.requests)
    report(tmp_path, exit_code=1, troubles=[near])
    assert [one.method for one in github.requests[asked:]] == ["GET", "GET"], "nothing new, nothing asked"
    report(tmp_path, ("two/x/alpha", "failed", "It failed (blocked)"), exit_code=1)
    assert issue["title"] == "Wave two: publications failed"
    report(tmp_path)
    assert (issue["state"], len(home.issues)) == ("closed", 1)


def test_the_commands_in_an_issue_run_as_they_are(home: Repository, tmp_path: Path) -> None:
    failed = [
        trouble(f"w/g/{name}", "x", command=f"scheduler retry w/g/{name}{option}")
        for name, option in (("a", ""), ("b", ""), ("c", " --resend"))
    ]
    unready = trouble("alpha/1", "no token", kind="not_ready", command="scheduler doctor", token="ACME_TOKEN")
    (tmp_path / ".git").mkdir()
    (tmp_path / "my shop").mkdir()
    typo = {"topic": "wave:typo", "kind": "unreadable", "message": "x", "command": "scheduler validate",
            "file": "waves/typo.yaml", "line": 2}  # fmt: skip
    report(tmp_path, troubles=[*failed, unready, typo], folder="my shop")
    commands = [
        issue["body"].partition("```sh\n")[2].partition("```")[0].splitlines() for issue in home.issues
    ]
    start = "gh workflow run reconcile.yml --repo acme/waves"
    assert commands == [
        ["gh secret set ACME_TOKEN --repo acme/waves --env scheduler", f"{start} -f doctor=true"],
        ["scheduler -C 'my shop' validate"],
        [f"{start} -f retry='w/g/a w/g/b'", f"{start} -f retry=w/g/c -f resend=true"],
    ]
    assert home.issues[0]["title"] == "Channel alpha: publications at risk (my shop)"
    report(tmp_path)
    assert {issue["state"] for issue in home.issues} == {"open"}, "those are another folder's"
    report(tmp_path, folder="my shop")
    assert {issue["state"] for issue in home.issues} == {"closed"}


def test_an_issue_that_a_person_closed_is_opened_again_only_by_what_is_new(
    home: Repository, tmp_path: Path
) -> None:
    alpha, beta = ("spring/a/alpha", "failed", "x"), ("spring/a/beta", "failed", "y")
    report(tmp_path, alpha, exit_code=1)
    home.issues[0]["state"] = "closed"
    report(tmp_path, alpha)
    assert home.issues[0]["state"] == "closed"
    report(tmp_path, alpha, beta)
    assert home.issues[0]["state"] == "open"


def test_a_run_that_could_look_at_nothing_closes_no_issue(home: Repository, tmp_path: Path) -> None:
    report(tmp_path, ("spring/a/alpha", "failed", "x"), exit_code=1)
    broken = {"topic": "scheduler", "kind": "stopped", "message": "`pace`: 'x' is not a pace [invalid-value]"}
    report(tmp_path, exit_code=1, troubles=[broken])
    assert [(one["title"], one["state"]) for one in home.issues] == [
        ("Wave spring: publications failed", "open"), ("The scheduler cannot run", "open"),
    ]  # fmt: skip
    report(tmp_path, ("spring/a/alpha", "failed", "x"))
    assert [one["state"] for one in home.issues] == ["open", "closed"]


def test_an_issue_of_somebody_else_with_our_marker_is_not_ours(home: Repository, tmp_path: Path) -> None:
    report(tmp_path, ("spring/a/alpha", "failed", "x"), exit_code=1)
    home.issues[0]["user"] = {"login": "mallory", "type": "User"}
    report(tmp_path, ("spring/a/alpha", "completed", None))
    assert home.issues[0]["state"] == "open"


def test_a_run_that_broke_off_without_a_word_counts_as_broken(home: Repository, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("")
    assert main(["report", "--exit-code", "1", str(tmp_path / "run.json")]) == 0
    assert [issue["title"] for issue in home.issues] == ["The scheduler cannot run"]


def test_broken_machinery_opens_an_issue_that_the_next_good_run_closes(
    home: Repository, tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text("")
    assert main(["report", "--exit-code", "3", str(tmp_path / "run.json")]) == 0
    assert [issue["title"] for issue in home.issues] == ["The scheduler cannot run"]
    report(tmp_path, exit_code=0)
    assert home.issues[0]["state"] == "closed"


def test_text_of_others_stays_text_in_an_issue(home: Repository, tmp_path: Path) -> None:
    report(tmp_path, ("spring/a/alpha", "failed", EVIL), exit_code=1)
    body = home.issues[0]["body"]
    assert body.count("-->") == 2, "one ends the hidden line, one stands in a code span"
    assert "```a \\| b `x` ``y`` ${{ secrets.T }} </details>" in body
    assert "\x1b" not in body
    assert "\u202e" not in body
    report(tmp_path, ("spring/a/alpha", "completed", None))
    assert home.issues[0]["state"] == "closed", "the hidden line was read back"


def test_ten_thousand_failures_still_fit_one_issue(home: Repository, tmp_path: Path) -> None:
    report(tmp_path, *((f"spring/g/{i}", "failed", "ä" * 999) for i in range(10_000)), exit_code=1)
    assert len(home.issues[0]["body"]) < COMMENT_LIMIT
    assert "- and 9,940 more: see the run" in home.issues[0]["body"]


# --- ticks ---


def test_a_gap_between_ticks_opens_one_issue_and_the_next_tick_in_time_closes_it(
    home: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.runs += [tick(49, "2026-03-01T08:00:00Z"), tick(50, "2026-03-01T11:12:00Z", None)]
    report(tmp_path)
    assert home.issues[0]["title"] == "Ticks are missing"
    assert "none for 3h12m, where 2h is the limit" in home.issues[0]["body"]
    home.runs.append(tick(51, "2026-03-01T11:30:00Z", None))
    monkeypatch.setenv("GITHUB_RUN_ID", "51")
    report(tmp_path)
    assert home.issues[0]["state"] == "closed"


def test_a_run_that_was_replaced_while_it_waited_is_no_tick() -> None:
    eight, nine, ten = (read_utc(f"2026-03-01T{hour}:00:00Z") for hour in ("08", "09", "10"))
    runs = [Tick(1, "success", eight), Tick(2, "cancelled", nine), Tick(3, None, ten)]
    assert gap_before(3, runs) == (eight, ten)


def test_a_red_tick_is_a_tick_and_the_first_one_has_no_gap() -> None:
    red = Tick(1, "failure", read_utc("2026-03-01T08:00:00Z"))
    assert gap_before(1, [red]) is None
    assert gap_before(2, [red, Tick(2, None, read_utc("2026-03-01T09:00:00Z"))]) is not None


# --- log and summary ---


def test_the_log_has_a_line_a_schedule_and_annotations_for_what_needs_a_person(
    home: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str], step: Path
) -> None:
    fault = {
        "severity": "error", "code": "min-gap", "message": "too close", "file": "waves/a,b.yaml",
        "line": 7, "column": 5, "hint": "move it",
    }  # fmt: skip
    report(
        tmp_path,
        ("s/a/b", "completed", None),
        ("s/a/c", "failed", "no\n::warning::x"),
        exit_code=1,
        more=[fault],
    )
    assert capsys.readouterr().out.splitlines()[:3] == [
        "completed  s/a/b",
        "::error title=Not published::s/a/c: no ::warning::x",
        "::error file=waves/a%2Cb.yaml,line=7,col=5::too close [min-gap]%0Amove it",
    ]
    assert "| `s/a/c` | failed | `no ::warning::x` |" in step.read_text()
    assert "| error | `waves/a,b.yaml:7:5` | `too close [min-gap]` |" in step.read_text()


def test_in_a_folder_of_the_repository_the_log_names_paths_from_its_top(
    home: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "media").mkdir()
    late = {"severity": "warning", "code": "past", "message": "late", "file": "waves/a.yaml", "line": 2}
    told = {"version": 1, "results": [], "diagnostics": [late, late | {"file": ".", "line": None}]}
    (tmp_path / "run.json").write_text(json.dumps(told))
    arguments = ["report", "--exit-code", "0", "--tick-gap", "2h", str(tmp_path / "run.json")]
    assert main([*arguments, "-C", str(tmp_path / "media")]) == 0
    wanted = ["::warning file=media/waves/a.yaml,line=2::late [past]", "::warning file=media::late [past]"]
    assert capsys.readouterr().out.splitlines()[:2] == wanted
    monkeypatch.chdir(tmp_path / "media")  # where a step has it as its working directory
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[:2] == wanted


def test_a_summary_that_is_too_long_is_cut_in_bytes(tmp_path: Path, step: Path) -> None:
    (tmp_path / "plan.md").write_text("ä line\n" * 200_000)
    assert main(["summary", str(tmp_path / "plan.md")]) == 0
    assert 1_000_000 < step.stat().st_size < 1024 * 1024


# --- the small parts ---


def test_a_code_span_holds_any_text_and_a_command_any_value() -> None:
    assert code("a`b") == "``a`b``"
    assert code("`a`") == "`` `a` ``"
    assert code("a|b\nc") == "`a\\|b c`"
    assert plain("a\x1b[31m\u202eb\u200b") == "a[31mb"
    assert command("error", "50%\nnext", file="a:b,c") == "::error file=a%3Ab%2Cc::50%25%0Anext"


def test_what_fits_is_not_touched() -> None:
    assert fit("short", 100, "note") == "short"


def test_a_redirect_is_an_error_and_no_second_request(github: LoopbackGitHub, home: Repository) -> None:
    github.moved["acme/former"] = "acme/waves"
    client = GitHubClient(github.url, "acme/former", "loopback-token")
    message = "could not open an issue: GitHub redirected the request"
    with pytest.raises(ApiError, match=message), asking("open an issue"):
        client.api.create_issue("x")
    assert len(github.requests) == 1
    assert home.issues == []


@pytest.mark.parametrize(("status", "content"), [(502, b"<html>"), (503, b"{}"), (202, b"{}"), (429, b"")])
def test_no_request_is_repeated(
    status: int, content: bytes, github: LoopbackGitHub, home: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github, "answer", lambda request: (status, content))
    client = GitHubClient(github.url, "acme/waves", "loopback-token")
    with pytest.raises(ApiError, match="could not list the comments"), asking("list the comments"):
        list(client.api.get_issue(7).get_comments())
    assert len(github.requests) == 1


def test_an_object_that_lies_on_another_host_is_not_asked_for(
    home: Repository, tmp_path: Path, github: LoopbackGitHub, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    comment(tmp_path, "first")
    answered = github.answer

    def elsewhere(request: Any) -> Any:
        status, content = answered(request)
        if request.method == "GET":
            content = [
                one | {"url": "http://localhost:1/repos/acme/waves/issues/comments/1"} for one in content
            ]
        return status, content

    monkeypatch.setattr(github, "answer", elsewhere)
    comment(tmp_path, "second")
    assert "could not update the comment of #7: GitHub's answer cannot be read" in capsys.readouterr().out
    assert [request.method for request in github.requests] == ["GET", "POST", "GET"]
