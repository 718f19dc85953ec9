"""What an operator sets wrong costs nothing: nothing is recorded as sent that never left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from git_repository import commit_all, git
from github_stand_in import GitHub
from miniature import Miniature

from scheduler.desired import Pace
from scheduler.planning.rate_limit import Sent

DUE = "2026-03-01T18:00:00Z"
WAVE = """
schedules:
  - type: simultaneous
    video: teaser
    at: 2026-03-01T18:00:00Z
    channels: [alpha, beta]
"""


@pytest.fixture
def due(live: Miniature) -> Miniature:
    """A wave on two channels, recorded, and due at 18:00."""
    live.write({"waves/spring.yaml": WAVE})
    live.run("run", now="2026-02-01T00:00:00Z")
    return live


@pytest.mark.parametrize("address", ["http://example.com", "nonsense", "ftp://x", "https://user:pw@host"])
def test_a_wrong_address_of_the_api_stops_the_run_before_anything_is_recorded(
    due: Miniature, github: GitHub, address: str
) -> None:
    wrong = due.run("run", now=DUE, GITHUB_API_URL=address)
    assert wrong.code == 2
    assert set(due.statuses.values()) == {"pending"}
    right = due.json("run", now="2026-03-01T18:05:00Z")
    assert right.results == {f"spring/teaser/{name}": "completed" for name in ("alpha", "beta")}
    assert len(github.dispatches) == 2


def test_a_queue_that_cannot_be_opened_keeps_back_its_own_channel_alone(
    due: Miniature, github: GitHub
) -> None:
    due.write({"channels/beta.yaml": "command: 'true'\n"})
    due.write({"scheduler.yaml": "queue: sqlite:///queue.db?mode=ro\n"})
    broken = due.json("run", now=DUE)
    assert broken.results["spring/teaser/alpha"] == "completed"
    assert due.statuses["spring/teaser/beta"] == "pending"
    assert broken.code == 1
    due.remove("scheduler.yaml")
    mended = due.json("run", now="2026-03-01T18:05:00Z")
    assert mended.results == {"spring/teaser/beta": "executing"}
    assert len(github.dispatches) == 1


@pytest.mark.parametrize(
    "file", ["waves", "state.json", "/dev/null", "missing/queue.db", "q" * 300, "q" * 300 + "/queue.db"]
)
def test_a_file_that_can_be_no_queue_leaves_no_possible_publication(due: Miniature, file: str) -> None:
    due.write({"channels/beta.yaml": "command: 'true'\n", "scheduler.yaml": f"queue: sqlite:///{file}\n"})
    broken = due.run("run", now=DUE)
    assert broken.code == 1
    assert "Traceback" not in broken.err
    record = due.records["spring/teaser/beta"]
    assert (record["status"], record.get("intent")) == ("pending", None)
    assert due.run("show", "spring/teaser/beta", now=DUE).code == 0
    assert "the queue " in due.run("doctor", now=DUE).out
    due.remove("scheduler.yaml")
    due.run("run", now="2026-03-01T18:05:00Z")
    assert due.statuses["spring/teaser/beta"] == "executing"


@pytest.mark.parametrize("token", ["ghp_x y", "ghp_ü", "ghp_x\r\ny"])
def test_a_token_that_no_header_can_carry_counts_as_not_set(
    due: Miniature, github: GitHub, token: str
) -> None:
    wrong = due.json("run", now=DUE, ACME_TOKEN=token)
    assert wrong.code == 1
    assert set(due.statuses.values()) == {"pending"}
    assert token not in wrong.out + wrong.err
    due.run("run", now="2026-03-01T18:05:00Z")
    assert len(github.dispatches) == 2


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", " 1 "])
def test_the_stop_of_the_environment_stops_however_it_is_spelled(
    due: Miniature, github: GitHub, value: str
) -> None:
    due.run("run", now=DUE, SCHEDULER_PAUSED=value)
    assert github.dispatches == []
    assert all(record["is_paused"] for record in due.records.values())


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_a_stop_that_is_switched_off_stops_nothing(due: Miniature, github: GitHub, value: str) -> None:
    due.run("run", now=DUE, SCHEDULER_PAUSED=value)
    assert len(github.dispatches) == 2


def test_pace_is_kept_to_the_fraction_of_a_second() -> None:
    sent, pace = Sent(), Pace(count=4, seconds=1)
    assert sent.waits(pace, ["T"] * 6, 100.0) == [0.0, 0.0, 0.0, 0.0, 0.25, 0.5]
    for _ in range(4):
        sent.note("T", 100.0)
    assert sent.waits(pace, ["T", "T", None], 100.5) == [0.0, 0.0, 0.0]
    assert sent.waits(pace, ["T", "T", "T"], 100.5)[2] == pytest.approx(0.25)


def test_settings_may_be_called_yml_and_two_of_them_are_a_fault(due: Miniature) -> None:
    due.write({"scheduler.yml": "conflicts: { min_gapp: 1m }\n"})
    assert due.json("validate", now="2026-02-01T00:00:00Z").places == ["scheduler.yml:1:14 [unknown-key]"]
    due.write({"scheduler.yaml": "catch_up: 1h\n"})
    both = due.json("run", now=DUE)
    assert both.code == 1
    assert "keep one of them" in both.out + both.err
    assert set(due.statuses.values()) == {"pending"}


def test_a_pinned_lineage_is_the_one_that_a_record_begins_with(mini: Miniature) -> None:
    lineage = "11111111-2222-4333-8444-555555555555"
    mini.channels("alpha").write({"scheduler.yaml": f"lineage: {lineage}\n"})
    assert mini.run("state", "init", now=DUE).code == 0
    assert mini.state["lineage"] == lineage
    assert mini.run("run", now=DUE).code == 0


def test_a_wave_with_other_faults_is_told_of_its_unknown_channels_too(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "waves/a.yaml": """
                schedules:
                  - type: simultaneous
                    video: v
                    at: 2026-03-02
                    channels: [alpha, alhpa]
                """
        }
    )
    assert mini.json("validate").places == [
        "waves/a.yaml:4:9 [invalid-value]",
        "waves/a.yaml:5:23 [unknown-channel]",
    ]


def test_a_hidden_character_in_a_video_is_one_fault(mini: Miniature) -> None:
    wave = (
        'schedules:\n  - {type: simultaneous, video: "a\\x01b", at: 2027-03-02T18:00Z, channels: [alpha]}\n'
    )
    mini.channels("alpha").write({"waves/a.yaml": wave})
    assert mini.json("validate").codes == ["invalid-value"]


def test_output_that_cannot_be_written_is_told_in_a_line(mini: Miniature) -> None:
    with Path("/dev/full").open("wb") as full:
        process = mini.start("validate", stdout=full)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 3
    assert told == "error: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("token", ["ghp_abcdefghijklmnopqrstuvwxyz012345", "acme token", "a" * 40])
def test_what_might_be_a_secret_is_never_printed(mini: Miniature, token: str) -> None:
    mini.write({"channels/alpha.yaml": f"repository: acme/alpha\ntoken: {token}\n"})
    for form in ("text", "json", "github", "sarif"):
        told = mini.run("validate", "--format", form)
        assert told.code == 1
        assert token not in told.out + told.err


@pytest.mark.parametrize("home", ["file:state.json", "brnch:scheduler-state"])
def test_a_state_that_is_neither_a_path_nor_a_branch_is_a_fault(mini: Miniature, home: str) -> None:
    mini.channels("alpha").write({"scheduler.yaml": f"state: {home}\n"})
    assert mini.json("validate").places == ["scheduler.yaml:1:8 [invalid-value]"]
    assert mini.run("state", "init").code == 1


def test_a_plan_in_an_old_checkout_says_that_a_run_would_refuse(due: Miniature) -> None:
    git(due.root, "init", "-q", "-b", "main")
    old = commit_all(due.root, "before")
    due.write({"waves/summer.yaml": WAVE.replace("2026-03-01", "2026-06-01").replace("teaser", "other")})
    new = commit_all(due.root, "after")
    due.run("run", now="2026-02-01T00:00:00Z")
    assert due.json("plan", now="2026-02-01T00:00:00Z").codes == []
    git(due.root, "checkout", "-q", old)
    planned = due.json("plan", now="2026-02-01T00:00:00Z")
    assert (planned.code, planned.codes) == (0, ["stale-checkout"])
    warning = planned.json["diagnostics"][0]
    assert warning["message"] == (
        f"this checkout ({old[:12]}) is older than the one recorded last ({new[:12]})"
    )
    assert (warning["file"], warning["line"], warning["severity"]) == (".", None, "warning")
    refused = due.run("run", now="2026-02-01T00:00:00Z")
    assert refused.code == 1
    assert warning["message"] in refused.err


def test_a_plan_on_a_clock_behind_the_record_says_that_a_run_would_refuse(due: Miniature) -> None:
    due.run("run", now="2998-01-01T00:00:00Z")
    planned = due.json("plan")
    assert planned.codes[-1] == "clock"
    assert due.run("run").code == 1


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_input_and_output_hinder_no_run(due: Miniature, github: GitHub, closed: str) -> None:
    command = f'exec "{sys.executable}" -m scheduler -C "{due.root}" --now 2026-03-01T18:00:10Z run {closed}'
    environ = due.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(["sh", "-c", command], env=environ, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert len(github.dispatches) == 2


@pytest.mark.parametrize(
    "command",
    [
        ("init", "x" * 300),
        ("calendar", "--output", "x" * 300),
        ("simulate", "--pace", "60/min\udcff"),
        ("-C", "x" * 300, "list"),
        ("calendar", "--output", ""),
        ("list", "--from", "2026-03-02", "--to", "2026-03-01"),
        ("calendar", "--output", "site", "--from", "2026-03-02", "--to", "2026-03-01"),
        ("calendar", "--output", "site", "--to", "2020-01-01"),
    ],
)
def test_an_argument_that_nothing_can_be_made_of_is_a_wrong_use(
    due: Miniature, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    wrong = due.run(*command)
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_current_folder_that_was_removed_is_a_wrong_use(due: Miniature, tmp_path: Path) -> None:
    command = f'rmdir "{tmp_path}/gone" && exec "{sys.executable}" -m scheduler list'
    (tmp_path / "gone").mkdir()
    environ = due.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path / "gone", env=environ, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "cannot be opened: No such file or directory" in ended.stderr


def test_without_the_record_an_editor_is_told_at_least_what_is_wrong_in_the_files(mini: Miniature) -> None:
    mini.channels("alpha").write(
        {
            "scheduler.yaml": "state: branch:scheduler-state\n",
            "waves/spring.yaml": "titel: Spring\nschedules: []\n",
        }
    )
    git(mini.root, "init", "-q", "-b", "main")
    git(mini.root, "remote", "add", "origin", str(mini.root / "nowhere.git"))
    outcome = mini.run("validate")
    assert outcome.code == 3
    assert "waves/spring.yaml:1:1: error: unknown key `titel`; did you mean `title`?" in outcome.err
    assert "These are errors in the files alone" in outcome.err
    assert "error: branch scheduler-state of origin cannot be read" in outcome.err
    mini.write({"waves/spring.yaml": "title: Spring\nschedules: []\n"})
    assert "in the files alone" not in mini.run("validate").err
