"""The tick as it runs on GitHub: the real workflow file, a real git server, a GitHub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from acting import Outcome, git
from loopback_github import Repository, complete
from waves_home import CHANNEL, Home, in_minutes, wave


def begin(home: Home) -> None:
    """Make the first state as a new user does, in a clone."""
    clone = home.fresh_clone()
    done = subprocess.run(
        [sys.executable, "-m", "scheduler", "-C", str(clone), "state", "init"],
        env=os.environ | {"GITHUB_API_URL": "http://127.0.0.1:9"},  # nobody there tells the time
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_first_state_can_be_made_by_hand_on_github_too(home: Home) -> None:
    run = home.tick("workflow_dispatch", given={"inputs": {"begin": "true"}})
    assert run.conclusion == "success", run.log
    assert home.state()["schedules"] == {}


def test_without_a_state_nothing_is_sent_and_an_issue_says_so(home: Home, channel: Repository) -> None:
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    run = home.tick()
    assert run.conclusion == "failure"
    assert run.said("scheduler state init")
    assert channel.dispatches == []
    assert [issue["title"] for issue in home.api.issues] == ["The scheduler cannot run"]


def test_a_tick_sends_what_is_due_and_pushes_the_record(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    run = home.tick()
    assert run.conclusion == "success", run.log
    (sent,) = channel.dispatches
    assert sent["event_type"] == "process-video"
    assert sent["client_payload"]["schedule_id"] == "spring/teaser/tech-daily"
    assert home.state()["schedules"]["spring/teaser/tech-daily"]["status"] == "completed"
    assert home.api.issues == []
    assert home.github.unknown == []
    assert "Scheduler-Event: schedule" in home.words_of_state()


def test_what_a_tick_sends_is_published_once_however_often_it_is_delivered(
    home: Home, channel: Repository, deliver: Callable[..., Outcome]
) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    home.tick()
    sent = channel.dispatches[0]["client_payload"]
    runs = [deliver(sent, run_id=run_id) for run_id in (11, 12)]
    assert [run.conclusion for run in runs] == ["success", "cancelled"]
    assert [run.said("Publishing teaser-4k") for run in runs] == [True, False]


def test_the_next_tick_finds_nothing_to_do(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    home.tick()
    log = home.log_of_state()
    assert home.tick(run_id=51).conclusion == "success"
    assert len(channel.dispatches) == 1
    assert home.log_of_state() == log


@pytest.mark.parametrize("event", ["push", "repository_dispatch", "workflow_dispatch"])
def test_every_event_is_a_tick(event: str, home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    assert home.tick(event).conclusion == "success"
    assert len(channel.dispatches) == 1


def test_a_dry_run_writes_and_sends_nothing(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    run = home.tick("workflow_dispatch", given={"inputs": {"dry_run": "true"}})
    assert run.conclusion == "success", run.log
    assert run.said("spring/teaser/tech-daily")
    assert channel.dispatches == []
    assert home.state()["schedules"] == {}


def test_the_doctor_can_be_asked_with_the_tokens_that_a_tick_has(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    run = home.tick("workflow_dispatch", given={"inputs": {"doctor": "true"}})
    assert run.said("tech-daily: SCHEDULER_TOKEN may dispatch"), run.log
    assert run.said("no workflow on the default branch of acme/tech-daily listens to process-video")
    assert run.conclusion == "failure", "and so the run is red"
    assert (channel.dispatches, home.state()["schedules"]) == ([], {})


def test_a_refused_publication_ends_red_with_an_issue_and_a_retry_closes_it(home: Home) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    run = home.tick()  # the channel's repository is not there
    assert run.conclusion == "failure"
    assert [issue["title"] for issue in home.api.issues] == ["Wave spring: publications failed"]
    assert "HTTP 404" in home.api.issues[0]["body"]

    channel = home.github.add("acme/tech-daily")
    again = home.tick(
        "workflow_dispatch", run_id=51, given={"inputs": {"retry": "spring/teaser/tech-daily"}}
    )  # fmt: skip
    assert again.conclusion == "success", again.log
    assert len(channel.dispatches) == 1
    assert home.api.issues[0]["state"] == "closed"


def test_a_retry_of_a_hostile_id_is_an_error_and_no_command(home: Home, witness: Path) -> None:
    begin(home)
    evil = f"$(touch {witness}) `touch {witness}` --resend ;touch {witness}"
    assert home.tick("workflow_dispatch", given={"inputs": {"retry": evil}}).conclusion == "failure"


def test_without_a_token_nothing_is_sent_and_the_run_ends_red(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    run = home.tick(secrets={})
    assert run.conclusion == "failure"
    assert run.said("SCHEDULER_TOKEN")
    assert channel.dispatches == []


PUBLISH = """\
name: publish
run-name: ${{ github.event.client_payload.key }}
on: {repository_dispatch: {types: [process-video]}}
jobs: {publish: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
"""


@pytest.fixture
def ready(home: Home, channel: Repository) -> Home:
    """A state, a channel that is ready, and an editor whom GitHub knows."""
    channel.files[".github/workflows/publish.yml"] = PUBLISH
    home.api.bare = home.server.root / "acme/waves"
    home.api.authors[git(home.clone, "log", "-1", "--format=%ae")] = "ada"
    begin(home)
    return home


def test_a_token_that_is_lost_the_day_before_has_an_issue_within_one_tick(ready: Home) -> None:
    ready.commit({"waves/spring.yaml": wave(in_minutes(600))}, "Add a wave")
    assert ready.tick(run_id=50).conclusion == "success"
    assert ready.state()["schedules"]["spring/teaser/tech-daily"]["status"] == "scheduled"
    assert ready.api.issues == []

    run = ready.tick(run_id=51, secrets={})
    assert run.conclusion == "success", "it may be back in time"
    (issue,) = ready.api.issues
    assert issue["title"] == "Channel tech-daily: publications at risk"
    lines = issue["body"].splitlines()
    assert "`it is due soon and not ready: no token: SCHEDULER_TOKEN is not set`" in lines[1]
    assert "gh secret set SCHEDULER_TOKEN --repo acme/waves --env scheduler" in lines
    assert "gh workflow run reconcile.yml --repo acme/waves -f doctor=true" in lines
    assert "Last changed by @ada." in lines
    show(issue)

    ready.tick(run_id=52, secrets={})
    assert (len(ready.api.issues), ready.api.comments) == (1, []), "it is the same issue, and nothing is new"
    ready.tick(run_id=53)
    assert issue["state"] == "closed"
    show(issue)


def test_two_merges_that_block_each_other_have_an_issue_each_until_one_is_moved(ready: Home) -> None:
    at, near, later = in_minutes(3000), in_minutes(3000.4), in_minutes(3010)
    ready.commit({"waves/one.yaml": wave(at), "waves/two.yaml": wave(near, "trailer")}, "Merge both")
    assert ready.tick(run_id=50).conclusion == "failure"
    assert [issue["title"] for issue in ready.api.issues] == [
        "Wave one: publications at risk", "Wave two: publications at risk",
    ]  # fmt: skip
    for issue in ready.api.issues:
        assert "[min-gap]" in issue["body"]
        show(issue)
    ready.commit({"waves/two.yaml": wave(later, "trailer")}, "Move one of them")
    assert ready.tick("push", run_id=51).conclusion == "success"
    assert [issue["state"] for issue in ready.api.issues] == ["closed", "closed"]


def test_a_typo_on_main_has_an_issue_of_the_wave_new_or_recorded(ready: Home) -> None:
    good = wave(in_minutes(3000))
    ready.commit({"waves/spring.yaml": good}, "Add a wave")
    assert ready.tick(run_id=50).conclusion == "success"
    typo = good.replace("schedules:", "schedule:")
    ready.commit({"waves/spring.yaml": typo, "waves/summer.yaml": typo}, "Edit in a hurry")
    assert ready.tick("push", run_id=51).conclusion == "failure"
    assert [issue["title"] for issue in ready.api.issues] == [
        "Wave spring: publications at risk", "Wave summer: publications at risk",
    ]  # fmt: skip
    spring, summer = ready.api.issues
    assert "unknown key `schedule`; did you mean `schedules`? [unknown-key]" in summer["body"]
    assert "`spring/teaser/tech-daily`" in spring["body"], "what is recorded is named: it is sent as recorded"
    for issue in ready.api.issues:
        show(issue)
    ready.commit({"waves/spring.yaml": good, "waves/summer.yaml": None}, "Correct it")
    assert ready.tick("push", run_id=52).conclusion == "success"
    assert [issue["state"] for issue in ready.api.issues] == ["closed", "closed"]


def test_a_merge_that_does_something_else_than_its_reviewed_plan_says_so(ready: Home) -> None:
    before = git(ready.clone, "rev-parse", "HEAD")
    sha = ready.commit({"waves/spring.yaml": wave(in_minutes(3000))}, "Merge a pull request")
    facts = {"version": 1, "checksum": "sha256:a", "proposal": "sha256:b", "changes": 2, "create": 2}
    author = {"login": "github-actions[bot]", "type": "Bot"}
    body = f"<!-- wave-scheduler:plan {json.dumps(facts)} -->\n### Publication plan"
    ready.api.comments.append({"id": 1, "issue": 7, "user": author, "body": body})
    pull = {"number": 7, "merged_at": in_minutes(0), "merge_commit_sha": sha}
    ready.api.merged.append(complete("pull-request-simple", pull))
    run = ready.tick("push", given={"before": before})
    assert run.conclusion == "success", run.log
    assert run.said(
        "#7: the plan of this merge is not the reviewed one. Reviewed: 2 create, merged: 1 create."
    ), run.log


def show(issue: dict[str, Any]) -> None:
    """Print an issue as a reader sees it, for whoever runs these tests with `-s`."""
    sys.stdout.write(f"\n{issue['state']}: {issue['title']}\n{issue['body'].partition(chr(10))[2]}")


def test_a_token_is_minted_by_the_app_where_one_is_configured(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    app = {
        "secrets": {"SCHEDULER_APP_PRIVATE_KEY": "the-private-key"},
        "variables": {"SCHEDULER_APP_CLIENT_ID": "Iv1"},
    }
    assert home.tick(**app).conclusion == "success"
    assert [request.token for request in home.github.asked("POST", "/dispatches")] == ["acme-token"]


def test_the_record_can_be_pushed_by_the_app_alone(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    app = {"SCHEDULER_APP_CLIENT_ID": "Iv1", "SCHEDULER_STATE_BY_APP": "true"}
    key = {"SCHEDULER_APP_PRIVATE_KEY": "the-private-key"}
    assert home.tick(secrets=key, variables=app).conclusion == "failure", "the server lets in another token"
    home.server.let_in("acme-token")
    assert home.tick(run_id=51, secrets=key, variables=app).conclusion == "success"
    assert home.state()["schedules"]["spring/teaser/tech-daily"]["status"] == "completed"


def test_an_app_that_cannot_mint_stops_nobody_else(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    run = home.tick(
        secrets={"SCHEDULER_APP_PRIVATE_KEY": "wrong", "SCHEDULER_TOKEN": "acme-token"},
        variables={"SCHEDULER_APP_CLIENT_ID": "Iv1"},
    )
    assert run.conclusion == "success", run.log
    assert len(channel.dispatches) == 1


def test_no_token_stands_in_the_log(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    log = home.tick().log
    assert "acme-token" not in log
    assert "loopback-token" not in log


def test_the_operator_stops_everything_with_a_variable(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    assert home.tick(variables={"SCHEDULER_PAUSED": "1"}).conclusion == "success"
    assert channel.dispatches == []


def test_a_channel_outside_the_operators_list_is_not_sent_to(home: Home) -> None:
    elsewhere = home.github.add("mallory/loot")
    begin(home)
    home.commit(
        {"channels/tech-daily.yaml": CHANNEL.replace("acme/tech-daily", "mallory/loot"),
         "waves/spring.yaml": wave(in_minutes(-2))},
        "Point the channel elsewhere",
    )  # fmt: skip
    run = home.tick(variables={"SCHEDULER_ALLOW": "acme/*"})
    assert run.conclusion == "failure"
    assert run.said("not-allowed")
    assert elsewhere.dispatches == []


def test_the_daily_heartbeat_switches_the_cron_on(home: Home) -> None:
    begin(home)
    assert home.tick(given={"schedule": "41 4 * * *"}).conclusion == "success"
    assert home.api.enabled == ["reconcile.yml"]


def test_another_branch_is_no_tick(home: Home, channel: Repository) -> None:
    begin(home)
    home.commit({"waves/spring.yaml": wave(in_minutes(-2))}, "Add a wave")
    event = {"repository": {"default_branch": "trunk", "full_name": "acme/waves"}}
    assert home.tick("workflow_dispatch", given=event).conclusion == "skipped"
    assert channel.dispatches == []
