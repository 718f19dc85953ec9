"""What a pull request gets to see: the real workflow file, on proposals friendly and hostile."""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from acting import PROJECT, Outcome, git
from waves_home import CHANNEL, NAME, Home, in_minutes, wave
from zone_data import zone_package

from scheduler.errors import Error
from scheduler.github_actions.locked_zones import locked_zones
from scheduler.reporting.pull_request.comment import MARKER
from scheduler.times import zone_release

TOMORROW = 24 * 60


def propose(home: Home, files: dict[str, str | None], *, fork: bool = False, number: int = 7) -> Outcome:
    """Open (or update) a pull request with these changes and run its check."""
    base = git(home.clone, "rev-parse", "refs/heads/main")
    git(home.clone, "checkout", "--quiet", "-B", "proposal", "main")
    merge = home.commit(files, "Propose", branch="proposal")
    git(home.server.root / NAME, "update-ref", f"refs/pull/{number}/merge", merge)
    event: dict[str, Any] = {
        "number": number,
        "pull_request": {
            "number": number,
            "base": {"ref": "main", "sha": base, "repo": {"full_name": NAME}},
            "head": {"ref": "proposal", "sha": merge,
                     "repo": {"full_name": "mallory/waves" if fork else NAME}},
        },
        "repository": {"default_branch": "main", "full_name": NAME},
    }  # fmt: skip
    try:
        return home.runner.run(
            "pull_request", event, workflow="validate.yml", environment=home.environment,
            more=["--no-skip-checkout"],
        )  # fmt: skip
    finally:
        git(home.clone, "checkout", "--quiet", "main")


def test_a_proposal_gets_one_comment_with_the_plan(home: Home) -> None:
    run = propose(home, {"waves/spring.yaml": wave(in_minutes(TOMORROW))})
    assert run.conclusion == "success", run.log
    (comment,) = home.api.comments
    assert comment["issue"] == 7
    assert comment["body"].startswith(MARKER)
    assert "spring/teaser/tech-daily" in comment["body"]
    assert "How punctual this can be" in comment["body"]
    assert home.github.unknown == []


def test_a_second_push_updates_the_comment_in_place(home: Home) -> None:
    propose(home, {"waves/spring.yaml": wave(in_minutes(TOMORROW))})
    propose(home, {"waves/spring.yaml": wave(in_minutes(TOMORROW), video="trailer-4k")})
    (comment,) = home.api.comments
    assert "trailer-4k" in comment["body"]
    assert "teaser-4k" not in comment["body"]


def test_a_proposal_that_changes_no_schedule_gets_no_comment(home: Home) -> None:
    run = propose(home, {"README.md": "hello\n"})
    assert run.conclusion == "success", run.log
    assert home.api.comments == []


def test_what_main_declares_and_no_tick_has_recorded_is_not_the_proposals_work(home: Home) -> None:
    home.commit({"waves/spring.yaml": wave(in_minutes(TOMORROW))}, "Add a wave")
    run = propose(home, {"README.md": "hello\n"})
    assert run.conclusion == "success", run.log
    assert home.api.comments == [], "not even what the clock makes of it"
    run = propose(home, {"waves/fall.yaml": wave(in_minutes(2 * TOMORROW), video="fall-4k")})
    assert run.conclusion == "success", run.log
    (comment,) = home.api.comments
    assert "This pull request adds 1 publication on 1 channel and cancels none." in comment["body"]
    assert (
        "Not counted: 1 change already declared on the base branch that no run has recorded"
        in comment["body"]
    )
    assert "teaser-4k" not in comment["body"]


def test_a_fault_is_annotated_at_its_line_and_turns_the_check_red(home: Home) -> None:
    run = propose(home, {"waves/spring.yaml": wave(in_minutes(TOMORROW), channel="tech-dayly")})
    assert run.conclusion == "failure"
    assert run.said("file=waves/spring.yaml,line=2")
    assert run.said("unknown-channel")
    assert len(home.api.comments) == 1, "the comment says so too"


def queue_up(home: Home, base: str, head: str) -> Outcome:
    """Run the check for a group of a merge queue: `head` would be merged on top of `base`."""
    group = {"base_sha": base, "base_ref": "refs/heads/main", "head_sha": head,
             "head_ref": f"refs/heads/gh-readonly-queue/main/pr-7-{base}"}  # fmt: skip
    event = {"action": "checks_requested", "merge_group": group,
             "repository": {"default_branch": "main", "full_name": NAME}}  # fmt: skip
    git(home.clone, "checkout", "--quiet", head)
    try:
        return home.runner.run(
            "merge_group", event, workflow="validate.yml", environment=home.environment,
            more=["--no-skip-checkout"],
        )  # fmt: skip
    finally:
        git(home.clone, "checkout", "--quiet", "main")


def test_a_merge_queue_gets_the_check_on_what_would_be_merged(home: Home) -> None:
    base = git(home.clone, "rev-parse", "refs/heads/main")
    git(home.clone, "checkout", "--quiet", "-B", "queue", "main")
    home.commit({"waves/spring.yaml": wave(in_minutes(TOMORROW))}, "Add spring", branch="queue")
    head = home.commit({"README.md": "hello\n"}, "Say hello", branch="queue")
    run = queue_up(home, base, head)
    assert run.conclusion == "success", run.log
    assert run.said("spring/teaser/tech-daily"), "all that the group adds, not only its last commit"
    assert not run.said("This comes from a fork")
    assert home.api.comments == []


def test_two_proposals_that_break_a_rule_together_are_refused_by_the_merge_queue(home: Home) -> None:
    at = in_minutes(TOMORROW)
    alone = propose(home, {"waves/spring.yaml": wave(at)})
    assert alone.conclusion == "success", alone.log
    base = home.commit({"waves/fall.yaml": wave(at, video="fall-4k")}, "Merge another one")
    git(home.clone, "checkout", "--quiet", "-B", "queue", "main")
    head = home.commit({"waves/spring.yaml": wave(at)}, "Add spring", branch="queue")
    run = queue_up(home, base, head)
    assert run.conclusion == "failure"
    assert run.said("file=waves/spring.yaml,line=")


def test_a_fork_gets_the_check_and_no_comment(home: Home) -> None:
    run = propose(home, {"waves/spring.yaml": wave(in_minutes(TOMORROW))}, fork=True)
    assert run.conclusion == "success", run.log
    assert run.said("spring/teaser/tech-daily"), "in the summary"
    assert run.said("This comes from a fork"), "which says what it does not know"
    assert home.api.comments == []


def test_the_plan_is_compared_with_the_recorded_state(home: Home) -> None:
    begun = home.tick("workflow_dispatch", given={"inputs": {"begin": "true"}})
    assert begun.conclusion == "success", begun.log
    at = in_minutes(TOMORROW)
    home.commit({"waves/spring.yaml": wave(at)}, "Add a wave")
    assert home.tick().conclusion == "success"
    before = home.log_of_state()
    run = propose(home, {"README.md": "hello\n"})
    assert run.conclusion == "success", run.log
    assert home.api.comments == [], "what is recorded as it is declared is no change"
    assert home.log_of_state() == before, "and nothing was written"


def test_the_code_of_a_proposal_is_never_run(home: Home, witness: Path) -> None:
    trap = f"import pathlib; pathlib.Path('{witness}').touch()\n"
    composite = f"runs: {{using: composite, steps: [{{shell: bash, run: touch {witness}}}]}}\n"
    run = propose(
        home,
        {"scheduler/__init__.py": trap, "scheduler/__main__.py": trap, "sitecustomize.py": trap,
         "yaml.py": trap, "proposal/yaml.py": trap, ".github/actions/scheduler/action.yml": composite,
         "waves/spring.yaml": wave(in_minutes(TOMORROW))},
    )  # fmt: skip
    assert run.conclusion == "success", run.log


def test_a_channel_that_points_outside_the_operators_list_is_refused(home: Home) -> None:
    home.runner.variables = {"SCHEDULER_ALLOW": "acme/*"}
    run = propose(home, {"channels/loot.yaml": CHANNEL.replace("acme/tech-daily", "mallory/loot")})
    assert run.conclusion == "failure"
    assert run.said("not-allowed")


def test_a_proposal_that_widens_the_list_itself_is_told_to_whoever_decides(home: Home) -> None:
    home.commit({"scheduler.yaml": "state: branch:scheduler-state\nallow: [acme/*]\n"}, "Allow")
    run = propose(
        home,
        {"scheduler.yaml": "state: branch:scheduler-state\nallow: [acme/*, mallory/*]\n",
         "channels/loot.yaml": CHANNEL.replace("acme/tech-daily", "mallory/loot")},
    )  # fmt: skip
    assert run.conclusion == "success", "a code owner decides, and reads:"
    (comment,) = home.api.comments
    assert "**Not allowed by the base branch.**" in comment["body"]
    assert "<code>loot&#x3a; mallory/loot</code>" in comment["body"]


def test_a_record_that_cannot_be_trusted_is_a_red_check_and_a_comment_that_says_so(home: Home) -> None:
    home.commit({"state.json": "{"}, "Forge a record", branch="scheduler-state")
    git(home.clone, "reset", "--quiet", "--hard", "HEAD^")
    run = propose(home, {"waves/spring.yaml": wave(in_minutes(TOMORROW))})
    assert run.conclusion == "failure"
    (comment,) = home.api.comments
    assert "No plan could be made (exit code 3)" in comment["body"]


def test_a_thousand_publications_fit_the_comment_and_all_of_them_the_summary(home: Home) -> None:
    begin = datetime.now(UTC) + timedelta(days=1)  # noqa: TID251 - the workflow runs by the real clock
    days = [f"{begin + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in range(1_000)]
    entries = [
        {"type": "simultaneous", "group": f"g{i}", "video": f"v{i}", "at": day, "channels": ["tech-daily"]}
        for i, day in enumerate(days)
    ]
    run = propose(home, {"waves/long.yaml": json.dumps({"schedules": entries})})
    assert run.conclusion == "success", run.log[-3_000:]
    body = home.api.comments[0]["body"]
    assert len(body.encode()) <= 50_000
    assert "Left out to keep this comment short: " in body
    assert run.said("<code>long/g999/tech-daily</code>"), "in the summary"


def test_hostile_text_breaks_neither_the_log_nor_the_comment(home: Home, witness: Path) -> None:
    run_it = f"`touch {witness}` $(touch {witness}) ${{{{ secrets.SCHEDULER_TOKEN }}}}"
    evil = f"{run_it} | ::error::pwned </details> @acme/all"
    text = wave(in_minutes(TOMORROW), video=evil) + f"title: '{evil}'\n"
    run = propose(home, {"waves/spring.yaml": text})
    assert run.conclusion == "success", run.log
    assert "❗  ::error::pwned" not in run.log, "no command of the runner was made of it"
    body = home.api.comments[0]["body"]
    assert body.count("<details") == body.count("</details>")
    assert "@acme/all" not in body, "nobody is notified"


def test_nothing_of_the_operators_is_within_reach_of_a_proposal(home: Home) -> None:
    text = (PROJECT / ".github/workflows/validate.yml").read_text()
    assert "secrets." not in text
    assert "pull_request_target" not in text


@pytest.mark.parametrize("fault", ["waves/spring.yaml", "channels/tech-daily.yaml", "scheduler.yaml"])
def test_an_unreadable_file_is_a_red_check_with_a_place(fault: str, home: Home) -> None:
    run = propose(home, {fault: "a: [\n"})
    assert run.conclusion == "failure"
    assert run.said(f"file={fault},line=")


# --- zone data ----------------------------------------------------------------------------------------


def locked(version: str, digest: str, more: str = "") -> str:
    """A requirements.txt as `init` writes it."""
    pins = {"click==8.2.1": "0" * 64, f"tzdata=={version}": digest}
    return "".join(f"{pin} \\\n    --hash=sha256:{found}\n" for pin, found in pins.items()) + more


def index_with(folder: Path, version: str, rules: dict[str, str]) -> tuple[dict[str, str], str]:
    """What makes pip take wheels from a folder alone; and the hash of the tzdata there."""
    package = Path(zone_package(folder / "source", "2099a", rules))
    folder.joinpath("wheels").mkdir()
    wheel = folder / f"wheels/tzdata-{version}-py2.py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in sorted(package.rglob("*")):
            archive.write(file, file.relative_to(package))
        info = f"tzdata-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tzdata\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    return environ, hashlib.sha256(wheel.read_bytes()).hexdigest()


def at_a_local_time(home: Home) -> None:
    """A publication at a local time, recorded with the zone data that is installed."""
    assert home.tick("workflow_dispatch", given={"inputs": {"begin": "true"}}).conclusion == "success"
    day = in_minutes(3 * TOMORROW)[:10]
    entry = {"type": "simultaneous", "group": "g", "video": "v", "at": f"{day}T18:00",
             "timezone": "America/Vancouver", "channels": ["tech-daily"]}  # fmt: skip
    home.commit({"waves/evening.yaml": json.dumps({"schedules": [entry]})}, "Add a wave")
    assert home.tick().conclusion == "success"


def test_a_proposal_that_updates_tzdata_shows_what_moves(home: Home, tmp_path: Path) -> None:
    at_a_local_time(home)
    index, digest = index_with(tmp_path / "index", "2099.1", {"America/Vancouver": "<-02>2"})
    home.environment |= index
    run = propose(home, {"requirements.txt": locked("2099.1", digest, "--index-url https://evil.invalid/\n")})
    assert run.conclusion == "success", run.log
    (comment,) = home.api.comments
    assert "moves 1" in comment["body"]
    assert f"America/Vancouver: tzdata {zone_release()} -> 2099a" in unescape(comment["body"])


def test_zone_data_with_another_hash_than_the_locked_is_refused(home: Home, tmp_path: Path) -> None:
    home.environment |= index_with(tmp_path / "index", "2099.1", {})[0]
    run = propose(home, {"requirements.txt": locked("2099.1", "1" * 64)})
    assert run.conclusion == "failure"
    assert run.said("DO NOT MATCH THE HASHES")


def test_a_lock_that_is_a_link_or_has_no_hash_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("tzdata==2099.1\n")
    with pytest.raises(Error, match="without a hash"):
        locked_zones(tmp_path)
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "requirements.txt").symlink_to("/dev/zero")
    with pytest.raises(Error, match="symbolic link"):
        locked_zones(tmp_path)


def test_the_lock_of_init_and_that_of_this_project_name_one_release() -> None:
    version, requirement = locked_zones(PROJECT) or ("", "")
    in_init = locked_zones(PROJECT / "scheduler/app/init/files")
    assert in_init is not None
    assert in_init[0] == version
    assert sorted(in_init[1].split()) == sorted(requirement.split())
