"""`scheduler doctor`: what a run relies on, asked before the run needs it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from git_http_server import Fault as GitFault
from git_http_server import serve
from github_stand_in import PUBLISH, Fault, GitHub
from miniature import TOKEN, Miniature, Outcome

from scheduler.times import zone_release

CLAIMING = Path(__file__).parents[2] / "examples/channel-repository/.github/workflows/publish.yml"


def pin(mini: Miniature, more: str = "allow: [acme/*]\n") -> None:
    """Settings of which nothing is to be said."""
    mini.write({"scheduler.yaml": f"lineage: {mini.state['lineage']}\n{more}"})


def verdicts(outcome: Outcome) -> dict[tuple[str, str], str]:
    """(about, check) -> verdict."""
    return {(check["about"], check["check"]): check["verdict"] for check in outcome.json["checks"]}


def told(outcome: Outcome, about: str, check: str) -> Any:
    """The one check of that name."""
    (found,) = [one for one in outcome.json["checks"] if (one["about"], one["check"]) == (about, check)]
    return found


def words(outcome: Outcome, about: str, check: str) -> str:
    found = told(outcome, about, check)
    return f"{found['verdict']}: {found['message']} | {found['hint']}"


# --- what it looks like -----------------------------------------------------------------------------


def test_where_all_is_well_each_check_is_one_dotted_line(live: Miniature) -> None:
    pin(live)
    live.remove("channels/beta.yaml").remove("channels/gamma.yaml")
    outcome = live.run("doctor")
    assert outcome.code == 0, outcome.out
    assert outcome.out == (
        "files: what is declared is valid ........................................... ok\n"
        f"zone data: tzdata {zone_release()} {'.' * 52} ok\n"
        "settings: the repositories of channels are limited ......................... ok\n"
        "state: state.json can be read .............................................. ok\n"
        "state: its lineage is pinned ............................................... ok\n"
        "environment: ACME_TOKEN is set ............................................. ok\n"
        "clock: this machine's clock is right ....................................... ok\n"
        "alpha: acme/alpha exists ................................................... ok\n"
        "alpha: ACME_TOKEN may dispatch ............................................. ok\n"
        "alpha: a workflow listens to process-video ................................. ok\n"
        "alpha: its run name contains the key ....................................... ok\n"
        "\n"
        "11 checks: fine\n"
    )


def test_what_is_not_well_is_told_below_its_line_with_what_to_do(live: Miniature, github: GitHub) -> None:
    pin(live)
    github.repository("acme/beta").workflows = {"publish.yml": "on: push\njobs: {}\n"}
    outcome = live.run("doctor")
    assert outcome.code == 1
    assert (
        "beta: a workflow listens to process-video .............................. failed\n"
        "  no workflow on the default branch of acme/beta listens to process-video\n"
        "  hint: add `on: {repository_dispatch: {types: [process-video]}}` to a workflow there\n"
    ) in outcome.out
    assert outcome.out.endswith("\n18 checks: 1 failed\n")


def test_the_document_for_programs_has_a_version_and_a_verdict_a_check(live: Miniature) -> None:
    pin(live)
    outcome = live.json("doctor")
    assert outcome.json["version"] == 1
    assert told(outcome, "alpha", "workflow") == {
        "kind": "channel",
        "about": "alpha",
        "check": "workflow",
        "verdict": "ok",
        "message": "publish.yml listens to process-video",
        "hint": None,
    }


def test_nothing_is_written_and_nothing_is_sent(live: Miniature, github: GitHub) -> None:
    live.channels("lobby").write({"channels/lobby.yaml": "queue: screens\ncommand: ./play\n"})
    before = {path: path.read_bytes() for path in live.root.rglob("*") if path.is_file()}
    live.run("doctor")
    assert {path: path.read_bytes() for path in live.root.rglob("*") if path.is_file()} == before
    assert {seen.method for seen in github.requests} == {"GET"}


# --- channels ---------------------------------------------------------------------------------------


def test_a_repository_that_is_not_there_fails_and_the_others_are_told_all_the_same(
    live: Miniature, github: GitHub
) -> None:
    pin(live)
    live.write({"channels/beta.yaml": "repository: acme/gone\ntoken: ACME_TOKEN\n"})
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert words(outcome, "beta", "repository").startswith("failed: cannot query acme/gone: HTTP 404")
    assert verdicts(outcome)["gamma", "key"] == "ok"


def test_a_token_that_may_only_read_fails(live: Miniature, github: GitHub) -> None:
    pin(live)
    github.repository("acme/alpha").permissions = {"push": False}
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert words(outcome, "alpha", "token") == (
        "failed: the token in ACME_TOKEN cannot write to acme/alpha, which a repository_dispatch requires"
        " | grant it `Contents: write` on acme/alpha"
    )


def test_what_cannot_be_told_is_no_failure(live: Miniature, github: GitHub) -> None:
    pin(live)
    github.repository("acme/alpha").permissions = None
    outcome = live.json("doctor")
    assert (outcome.code, verdicts(outcome)["alpha", "token"]) == (0, "unknown")


WITHOUT_KEY = PUBLISH.replace("run-name", "# run-name")


@pytest.mark.parametrize(
    ("more", "verdict", "code"),
    [
        ({}, "warning", 0),
        ({"confirm": "run"}, "failed", 1),
        ({"delivery": "at-least-once"}, "failed", 1),
    ],
)
def test_a_run_name_without_the_key_fails_where_the_run_has_to_be_found(
    live: Miniature, github: GitHub, more: dict[str, str], verdict: str, code: int
) -> None:
    pin(live)
    live.channels("alpha", **more)
    github.repository("acme/alpha").workflows = {"publish.yml": WITHOUT_KEY}
    outcome = live.json("doctor")
    assert (verdicts(outcome)["alpha", "key"], outcome.code) == (verdict, code)
    assert "add `run-name: publish ${{ github.event.client_payload.key }}`" in words(outcome, "alpha", "key")


def test_a_claim_is_looked_for_where_a_second_delivery_relies_on_it(live: Miniature, github: GitHub) -> None:
    pin(live)
    live.channels("alpha", "beta", delivery="at-least-once")
    github.repository("acme/beta").workflows = {"publish.yml": CLAIMING.read_text(encoding="utf-8")}
    outcome = live.json("doctor")
    assert outcome.code == 0
    assert words(outcome, "alpha", "claim").startswith(
        "warning: cannot determine whether publish.yml claims the key"
    )
    assert words(outcome, "beta", "claim") == "ok: publish.yml claims the key | None"
    assert ("gamma", "claim") not in verdicts(outcome)


def test_a_claim_in_a_comment_is_none(live: Miniature, github: GitHub) -> None:
    pin(live)
    live.channels("alpha", delivery="at-least-once")
    github.repository("acme/alpha").workflows = {"publish.yml": PUBLISH + "# some day: wave-claims/KEY\n"}
    assert verdicts(live.json("doctor"))["alpha", "claim"] == "warning"


def test_a_channel_by_workflow_dispatch_is_asked_about_its_own_workflow(
    live: Miniature, github: GitHub
) -> None:
    pin(live)
    live.channels("alpha", transport="workflow_dispatch", workflow="publish.yml")
    outcome = live.run("doctor")
    assert "alpha: a workflow listens to workflow_dispatch ............................. ok\n" in outcome.out


def test_a_channel_that_is_not_active_is_not_asked(live: Miniature, github: GitHub) -> None:
    pin(live)
    live.channels("alpha", active="false")
    outcome = live.json("doctor")
    assert (outcome.code, words(outcome, "alpha", "channel")) == (0, "skipped: it is not active | None")
    assert told(outcome, "environment", "token")["message"] == "needed by beta, gamma"
    assert not [seen for seen in github.requests if "alpha" in seen.path]


@pytest.mark.parametrize("by", ["scheduler.yaml", "SCHEDULER_ALLOW"])
def test_no_token_is_shown_to_a_repository_that_is_not_allowed(
    live: Miniature, github: GitHub, by: str
) -> None:
    pin(live)
    github.repository("mallory/alpha")
    live.write({"channels/alpha.yaml": "repository: mallory/alpha\ntoken: ACME_TOKEN\n"})
    if by == "SCHEDULER_ALLOW":
        pin(live, "allow: []\n")
        live.environ["SCHEDULER_ALLOW"] = "acme/*"
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert "mallory/alpha is not allowed" in words(outcome, "alpha", "channel")
    assert verdicts(outcome)["settings", "allow"] == "ok"
    assert not [seen for seen in github.requests if "mallory" in seen.path]


def test_only_the_channels_that_are_named_or_in_the_wave_are_asked(live: Miniature, github: GitHub) -> None:
    pin(live)
    live.write({"waves/spring.yaml": """\
        schedules:
          - { type: simultaneous, video: teaser, at: 2026-03-01T18:00:00Z, channels: [beta] }
        """})  # fmt: skip
    asked = {about for about, _ in verdicts(live.json("doctor", "--channel", "alpha"))}
    assert asked & {"alpha", "beta", "gamma"} == {"alpha"}
    asked = {about for about, _ in verdicts(live.json("doctor", "--wave", "spring", "--channel", "gamma"))}
    assert asked & {"alpha", "beta", "gamma"} == {"beta", "gamma"}
    refused = live.run("doctor", "--channel", "alpa")
    assert refused.code == 1
    assert refused.err == "error: there is no channel 'alpa'\nhint: did you mean alpha?\n"


def test_a_channel_whose_file_cannot_be_read_is_named_and_the_others_are_asked(live: Miniature) -> None:
    pin(live)
    live.write({"channels/alpha.yaml": "repository: [\n"})
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert words(outcome, "alpha", "channel") == (
        "failed: channels/alpha.yaml cannot be read | run `scheduler validate` to see why"
    )
    assert words(outcome, "files", "files").startswith("failed: 1 error | run `scheduler validate`")
    assert verdicts(outcome)["beta", "key"] == "ok"


def test_repositories_are_asked_at_once(live: Miniature, github: GitHub) -> None:
    pin(live)
    github.latency = 0.3
    assert live.json("doctor").code == 0
    first, second, third = (seen.path for seen in github.requests[:3])
    assert {first, second, third} == {"/repos/acme/alpha", "/repos/acme/beta", "/repos/acme/gamma"}


# --- the environment --------------------------------------------------------------------------------


def test_a_missing_token_is_told_once_by_its_name_with_who_needs_it(live: Miniature, github: GitHub) -> None:
    pin(live)
    del live.environ["ACME_TOKEN"]
    live.write({"channels/alpha.yaml": "repository: acme/alpha\n"})
    outcome = live.json("doctor")
    assert outcome.code == 1
    tokens = [one for one in outcome.json["checks"] if one["check"] == "token"]
    assert [(one["message"], one["hint"]) for one in tokens] == [
        (
            "ACME_TOKEN is not set; needed by beta, gamma",
            "set ACME_TOKEN, or set ACME_TOKEN_FILE to the path of a file that contains it",
        ),
        (
            "neither SCHEDULER_TOKEN nor GITHUB_TOKEN is set; needed by alpha",
            "set SCHEDULER_TOKEN, or set SCHEDULER_TOKEN_FILE to the path of a file that contains it",
        ),
    ]
    assert words(outcome, "beta", "channel") == "skipped: ACME_TOKEN is not set | None"
    assert github.requests == []


def test_a_token_may_stand_in_a_file(live: Miniature, tmp_path: Path) -> None:
    pin(live)
    secret = tmp_path / "secret"
    secret.write_text(TOKEN + "\n")
    del live.environ["ACME_TOKEN"]
    assert live.run("doctor", ACME_TOKEN_FILE=str(secret)).code == 0


def test_a_wrong_token_fails_at_every_channel_and_the_clock_is_compared_all_the_same(
    live: Miniature, github: GitHub
) -> None:
    pin(live)
    github.tokens = {"another"}
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert "the token in ACME_TOKEN is wrong or has expired" in words(outcome, "alpha", "repository")
    assert verdicts(outcome)["clock", "clock"] == "ok"


def test_a_token_that_single_sign_on_refuses_is_not_said_to_lack_a_right(
    live: Miniature, github: GitHub
) -> None:
    pin(live)
    page = "https://github.com/orgs/acme/sso?authorization_request=AZSC"
    message = "Resource protected by organization SAML enforcement."
    headers = {"X-GitHub-SSO": f"required; url={page}"}
    github.faults.append(
        Fault(method="GET", status=403, headers=headers, body={"message": message}, times=None)
    )
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert words(outcome, "alpha", "repository") == (
        f"failed: cannot query acme/alpha: HTTP 403: Forbidden ({message}) | "
        f"authorize the token in ACME_TOKEN for single sign-on to acme: {page}"
    )


@pytest.mark.parametrize(
    ("hold", "environ", "warned"),
    [
        (("--hold", "5h"), {"ACME_TOKEN": "ghs_canary"}, True),
        ((), {"ACME_TOKEN": "ghs_canary", "SCHEDULER_HOLD": "1h"}, True),
        (("--hold", "55m"), {"ACME_TOKEN": "ghs_canary"}, False),
        (("--hold", "5h"), {"ACME_TOKEN": "github_pat_canary"}, False),
        ((), {"ACME_TOKEN": "ghs_canary"}, False),
    ],
)
def test_a_hold_that_outlives_the_token_of_an_app_is_a_warning(
    live: Miniature, github: GitHub, hold: tuple[str, ...], environ: dict[str, str], warned: bool
) -> None:
    github.tokens = {environ["ACME_TOKEN"]}
    examined = live.run("doctor", *hold, **environ)
    assert examined.code == 0
    assert ("ACME_TOKEN is a GitHub App's token, which lives for 1h" in examined.out) == warned
    assert ("set SCHEDULER_HOLD to `55m` or less" in examined.out) == warned


def test_no_output_holds_a_token_not_even_where_the_server_repeats_it(
    live: Miniature, github: GitHub
) -> None:
    body = json.dumps({"message": f"bad token {TOKEN}"}).encode()
    github.faults.append(Fault(method="GET", status=403, body=body, times=None))
    for form in ("text", "json"):
        outcome = live.run("doctor", "--format", form, GITHUB_TOKEN="ghs_" + "c" * 36)
        assert "bad token" in outcome.out
        assert TOKEN not in outcome.out + outcome.err
        assert "ghs_c" not in outcome.out + outcome.err


def test_a_token_that_is_none_fails_without_being_shown(live: Miniature, tmp_path: Path) -> None:
    pin(live)
    outcome = live.json("doctor", ACME_TOKEN="half a secret")
    assert outcome.code == 1
    assert words(outcome, "environment", "token").startswith(
        "failed: ACME_TOKEN does not look like a token: "
        "it contains whitespace or an unexpected character; needed"
    )
    assert "half a secret" not in outcome.out


def test_a_file_without_a_token_fails_with_the_name_of_its_variable(live: Miniature, tmp_path: Path) -> None:
    pin(live)
    del live.environ["ACME_TOKEN"]
    outcome = live.json("doctor", ACME_TOKEN_FILE=str(tmp_path / "gone"))
    assert "the file that ACME_TOKEN_FILE names does not contain a token" in words(
        outcome, "environment", "token"
    )


def test_an_address_that_may_not_be_used_fails_and_no_token_travels(live: Miniature, github: GitHub) -> None:
    pin(live)
    outcome = live.json("doctor", GITHUB_API_URL="http://example.com")
    assert outcome.code == 1
    assert "GITHUB_API_URL would send tokens unencrypted" in words(outcome, "alpha", "repository")


def test_the_names_in_notify_have_to_be_set(live: Miniature) -> None:
    pin(live, "allow: [acme/*]\nnotify: [CHAT_URL, MAIL_URL]\n")
    outcome = live.json("doctor", MAIL_URL="https://example.com/hook/s3cret")
    checks = [(one["verdict"], one["message"]) for one in outcome.json["checks"] if one["check"] == "notify"]
    assert outcome.code == 1
    assert checks == [
        ("failed", "CHAT_URL is not set, so no notification is sent to it"),
        ("ok", "`notify` in scheduler.yaml names it"),
    ]
    assert "s3cret" not in outcome.out


def test_an_operator_who_stopped_everything_is_reminded(live: Miniature) -> None:
    pin(live)
    outcome = live.json("doctor", SCHEDULER_PAUSED="1")
    assert (outcome.code, verdicts(outcome)["settings", "paused"]) == (0, "warning")


# --- settings and state -----------------------------------------------------------------------------


def test_an_empty_allow_is_a_warning_that_shows_what_to_write(live: Miniature) -> None:
    pin(live, "")
    outcome = live.json("doctor")
    assert outcome.code == 0
    assert words(outcome, "settings", "allow") == (
        "warning: `allow` is empty: anybody who may change a channel can send its token to any repository"
        " | write `allow: [acme/*]` in scheduler.yaml"
    )


def test_an_unpinned_lineage_is_a_warning_that_shows_what_to_write(live: Miniature) -> None:
    outcome = live.json("doctor")
    assert outcome.code == 0
    assert f"write `lineage: {live.state['lineage']}`" in words(outcome, "state", "lineage")


def test_a_state_that_is_not_there_yet_fails_with_the_command_to_make_it(live: Miniature) -> None:
    live.remove("state.json")
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert "scheduler state init" in words(outcome, "state", "state")
    assert verdicts(outcome)["alpha", "key"] == "ok"


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD\n", '{"version": 99}'])
def test_a_state_that_cannot_be_trusted_is_exit_3_after_all_the_rest_was_told(
    live: Miniature, text: str
) -> None:
    live.write({"state.json": text})
    outcome = live.json("doctor")
    assert outcome.code == 3
    assert verdicts(outcome)["state", "state"] == "failed"
    assert verdicts(outcome)["alpha", "key"] == "ok"


def test_the_state_of_another_repository_is_exit_3(live: Miniature) -> None:
    live.write({"scheduler.yaml": "lineage: 11111111-2222-3333-4444-555555555555\n"})
    outcome = live.json("doctor")
    assert outcome.code == 3
    assert "pins 11111111-2222" in words(outcome, "state", "state")


def test_a_state_branch_whose_remote_is_gone_is_exit_3(live: Miniature, tmp_path: Path) -> None:
    for command in (["init", "-q"], ["remote", "add", "origin", str(tmp_path / "nowhere.git")]):
        subprocess.run(["git", *command], cwd=live.root, check=True, env=live.environ)
    live.write({"scheduler.yaml": "state: branch:scheduler-state\n"})
    outcome = live.json("doctor")
    assert outcome.code == 3
    assert "cannot be read" in words(outcome, "state", "state")


def test_a_state_branch_that_may_only_be_read_fails(live: Miniature, tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        for command in (
            ["init", "-q", "--bare", str(tmp_path / "state.git")],
            ["init", "-q"],
            ["remote", "add", "origin", f"{server.url}/state.git"],
        ):
            subprocess.run(["git", *command], cwd=live.root, check=True, env=live.environ)
        live.write({"scheduler.yaml": "state: branch:scheduler-state\nallow: [acme/*]\n"})
        assert live.run("state", "init").code == 0
        server.requests.clear()
        outcome = live.json("doctor")
        assert (outcome.code, told(outcome, "state", "push")["verdict"]) == (0, "ok")
        assert "a ruleset" in told(outcome, "state", "push")["message"]

        server.faults.append(GitFault("service=git-receive-pack", status=403))
        outcome = live.json("doctor")
        assert outcome.code == 1
        assert told(outcome, "state", "state")["verdict"] == "ok"
        shown = words(outcome, "state", "push")
        assert shown.startswith(
            "failed: branch scheduler-state of origin cannot be written: the remote refused"
        )
        assert "403" in shown
        assert shown.endswith("| allow the account or token in use to push to scheduler-state")

        server.faults.append(GitFault("service=git-receive-pack", status=502))
        assert "502" in words(live.json("doctor"), "state", "push")
    assert not [one for one in server.requests if one.startswith("POST /state.git/git-receive-pack")]


def test_on_actions_a_state_in_a_file_fails(live: Miniature) -> None:
    pin(live)
    outcome = live.json("doctor", GITHUB_ACTIONS="true")
    assert outcome.code == 1
    assert "write `state: branch:scheduler-state` in scheduler.yaml" in words(outcome, "state", "home")


def test_broken_settings_are_the_one_thing_told(live: Miniature, github: GitHub) -> None:
    live.write({"scheduler.yaml": "state: [\n"})
    outcome = live.json("doctor")
    assert (outcome.code, list(verdicts(outcome))) == (1, [("files", "files")])
    assert github.requests == []


# --- the clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "words_"),
    [(3600, "behind the server's"), (-3600, "ahead of the server's")],
)
def test_a_clock_that_is_wrong_fails(live: Miniature, github: GitHub, offset: int, words_: str) -> None:
    pin(live)
    github.date_offset = offset
    outcome = live.json("doctor")
    assert outcome.code == 1
    assert words_ in words(outcome, "clock", "clock")


def test_two_minutes_are_not_too_much(live: Miniature, github: GitHub) -> None:
    pin(live)
    github.date_offset = 110
    assert live.run("doctor").code == 0


def test_a_clock_that_was_set_by_hand_is_not_compared(live: Miniature, github: GitHub) -> None:
    pin(live)
    outcome = live.json("doctor", now="2026-03-01T12:00:00Z")
    assert words(outcome, "clock", "clock") == "skipped: `--now` sets it | None"


# --- the queue --------------------------------------------------------------------------------------


@pytest.fixture
def lobby(live: Miniature) -> Miniature:
    """A repository with a channel on the queue."""
    pin(live)
    return live.write({"channels/lobby.yaml": "command: ./play\n"})


def test_a_queue_that_takes_jobs_is_fine(lobby: Miniature) -> None:
    outcome = lobby.json("doctor")
    assert (outcome.code, verdicts(outcome)["queue", "queue"], verdicts(outcome)["queue", "jobs"]) == (
        0,
        "ok",
        "ok",
    )


def test_a_queue_that_cannot_be_opened_fails(lobby: Miniature) -> None:
    with sqlite3.connect(lobby.root / "queue.db") as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    outcome = lobby.json("doctor")
    assert outcome.code == 1
    assert "is the database of another program" in words(outcome, "queue", "queue")


def test_a_queue_whose_url_holds_a_password_is_not_shown(lobby: Miniature) -> None:
    pin(lobby, "allow: [acme/*]\nqueue: redis://user:hunter2@queue.internal/0\n")
    outcome = lobby.json("doctor")
    assert "hunter2" not in outcome.out + outcome.err


HOURLY = """
    command: {command}
    confirm: run
    schedules:
      - {{ video: one, at: 2026-03-01T18:00:00Z }}
      - {{ video: two, at: 2026-03-01T19:00:00Z }}
    """


def test_dead_letters_are_named_the_latest_first_until_they_are_sent_again(lobby: Miniature) -> None:
    lobby.write({"channels/lobby.yaml": HOURLY.format(command="'false'")})
    for now in ("2026-03-01T17:00:00Z", "2026-03-01T18:00:00Z", "2026-03-01T19:00:00Z"):
        assert lobby.run("run", now=now).code == 0
        lobby.run("worker", "--once", now=now, SCHEDULER_ALLOW_COMMANDS="1")
    outcome = lobby.json("doctor")
    assert outcome.code == 0
    found = told(outcome, "queue", "jobs")
    assert (found["verdict"], found["message"], found["hint"]) == (
        "warning",
        "2 jobs given up, latest first: "
        "lobby/2026-03-01T19:00:00Z (run_failed), lobby/2026-03-01T18:00:00Z (run_failed)",
        "run `scheduler show lobby/2026-03-01T19:00:00Z` to see what happened and what to do",
    )
    assert "no job is a dead letter" in lobby.run("doctor").out
    late = "2026-03-02T19:05:00Z"
    assert lobby.run("retry", "lobby/2026-03-01T19:00:00Z", "--resend", now=late).code == 0
    assert "1 job given up" in words(lobby.json("doctor"), "queue", "jobs")


def test_jobs_that_no_worker_takes_are_told_after_a_while(lobby: Miniature) -> None:
    lobby.write({"channels/lobby.yaml": HOURLY.format(command="'true'")})
    for now in ("2026-03-01T17:00:00Z", "2026-03-01T18:00:00Z"):
        lobby.run("run", now=now)
    assert told(lobby.json("doctor", now="2026-03-01T18:05:00Z"), "queue", "workers")["verdict"] == "ok"
    late = told(lobby.json("doctor", now="2026-03-01T18:05:05Z"), "queue", "workers")
    assert (late["verdict"], late["message"]) == (
        "warning",
        "1 job not taken by any worker, the first since 2026-03-01T18:00:00Z: lobby/2026-03-01T18:00:00Z",
    )
    lobby.run("worker", "--once", now="2026-03-01T18:05:10Z", SCHEDULER_ALLOW_COMMANDS="1")
    assert told(lobby.json("doctor", now="2026-03-01T18:06:00Z"), "queue", "workers")["verdict"] == "ok"


def test_a_job_that_the_record_does_not_know_is_told_with_what_to_do(lobby: Miniature) -> None:
    lobby.write({"channels/lobby.yaml": HOURLY.format(command="'true'")})
    for now in ("2026-03-01T17:00:00Z", "2026-03-01T18:00:00Z"):
        lobby.run("run", now=now)
    lobby.remove("state.json")
    lobby.run("state", "init", now="2026-03-01T18:01:00Z")
    lobby.remove("channels/lobby.yaml")
    lobby.write({"channels/hall.yaml": "queue: screens\n"})
    lobby.run("worker", "--once", now="2026-03-01T18:02:00Z", SCHEDULER_ALLOW_COMMANDS="1")
    found = told(lobby.json("doctor", now="2026-03-01T18:03:00Z"), "queue", "strays")
    assert found["message"] == ("1 unknown job set aside: lobby/2026-03-01T18:00:00Z")
    assert "deleted after 7 days" in found["hint"]
