"""What `scheduler init` makes, run by a runner: the real workflow files of a new repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from acting import PROJECT, Runner, git
from git_server import GitServer
from loopback_github import LoopbackGitHub
from test_validate_workflow import propose
from waves_home import NAME, Home, in_minutes, pinned_actions, wave


@pytest.fixture
def new(github: LoopbackGitHub, git_server: GitServer, act: str, tmp_path: Path) -> Home:
    """A new repository, committed and pushed as its screen says, as acme/waves."""
    bare = git_server.root / NAME
    bare.mkdir(parents=True)
    git(bare, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(bare, "config", "http.receivepack", "true")
    clone = tmp_path / "waves"
    command = [sys.executable, "-m", "scheduler", "init", str(clone), "--owner", "acme"]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    reconcile = clone / ".github/workflows/reconcile.yml"  # this runner does not know one key yet
    reconcile.write_text(reconcile.read_text().replace("      deployment: false\n", ""))
    git(clone, "init", "--quiet", "--initial-branch", "main")
    git(clone, "remote", "add", "origin", f"https://github.com/{NAME}")
    git(clone, "remote", "set-url", "--push", "origin", str(bare))
    runner = Runner(act, clone, tmp_path / "home", github.url, local_actions=pinned_actions())
    home = Home(github, git_server, clone, runner, github.add(NAME))
    home.environment = {
        "GITHUB_SERVER_URL": git_server.url, "STANDIN_GIT_URL": git_server.url,
        "STANDIN_GIT_TOKEN": "loopback-token", "STANDIN_PYTHON": sys.executable, "PYTHONPATH": str(PROJECT),
    }  # fmt: skip
    home.commit({}, "Begin")
    return home


def test_the_first_tick_makes_the_state_and_a_later_one_publishes(new: Home, github: LoopbackGitHub) -> None:
    channel = github.add("acme/my-channel")
    begun = new.tick("workflow_dispatch", given={"inputs": {"begin": "true"}})
    assert begun.conclusion == "success", begun.log
    assert list(new.state()["schedules"]) == ["first-wave/my-first-video/my-channel"]
    assert channel.dispatches == []

    new.commit({"waves/second.yaml": wave(in_minutes(-2), channel="my-channel")}, "Add a wave")
    run = new.tick("push", run_id=51)
    assert run.conclusion == "success", run.log
    assert [sent["client_payload"]["schedule_id"] for sent in channel.dispatches] == [
        "second/teaser/my-channel"
    ]


def test_a_pull_request_gets_its_plan(new: Home) -> None:
    outcome = propose(new, {"waves/second.yaml": wave(in_minutes(24 * 60), channel="my-channel")})
    assert outcome.conclusion == "success", outcome.log
    (comment,) = new.api.comments
    assert "second/teaser/my-channel" in comment["body"]


def test_nothing_that_a_pull_request_brings_is_executed(new: Home, witness: Path) -> None:
    """It replaces what installs the scheduler, what is installed, and the scheduler itself."""
    evil = f"import pathlib; pathlib.Path({str(witness)!r}).touch()\n"
    action = (new.clone / ".github/actions/scheduler/action.yml").read_text()
    proposal: dict[str, str | None] = {
        "waves/second.yaml": wave(in_minutes(24 * 60), channel="my-channel"),
        "scheduler/__init__.py": evil,
        "scheduler/__main__.py": evil,
        "sitecustomize.py": evil,
        "requirements.txt": f"evil @ file://{witness}\n",
        ".github/actions/scheduler/action.yml": action.replace("using: composite\n  steps:\n", (
            "using: composite\n  steps:\n"
            f"    - shell: bash\n      run: touch {witness}\n"
        )),
    }  # fmt: skip
    outcome = propose(new, proposal)
    assert outcome.conclusion == "success", outcome.log


def test_the_scheduler_that_is_pinned_can_be_installed_by_the_workflow(new: Home, tmp_path: Path) -> None:
    """The step `Build the environment`, as it stands in the action, from a wheel and without a network."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    wheels = tmp_path / "wheels"
    build = [uv, "build", "--quiet", "--offline", "--wheel", "--out-dir", str(wheels), str(PROJECT)]
    if subprocess.run(build, capture_output=True).returncode != 0:
        pytest.skip("what a wheel is built with is not in uv's cache")
    settings = tmp_path / "uv.toml"
    settings.write_text(f'no-index = true\nfind-links = ["{wheels}"]\n[pip]\nno-deps = true\n')
    (wheel,) = wheels.glob("*.whl")
    (new.clone / "requirements.txt").write_text("")
    (new.clone / "requirements-scheduler.txt").write_text(f"wave-scheduler @ {wheel.as_uri()}\n")
    (script,) = [
        line.partition("run: ")[2]
        for line in (new.clone / ".github/actions/scheduler/action.yml").read_text().splitlines()
        if "uv venv" in line
    ]
    environ = {
        "PATH": f"{Path(uv).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "UV_PYTHON": sys.executable,
        "UV_CONFIG_FILE": str(settings),
    }  # fmt: skip
    done = subprocess.run(["bash", "-c", script], cwd=new.clone, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (new.clone / ".venv/bin/scheduler").exists()
