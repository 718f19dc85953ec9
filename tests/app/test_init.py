"""`scheduler init`: a new repository for somebody who installed the package, tried as that person would."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import PathDistribution
from itertools import takewhile
from pathlib import Path

import pytest
import yaml
from git_http_server import serve
from git_repository import git
from github_stand_in import GitHub
from miniature import TOKEN, Miniature

from scheduler.app import init
from scheduler.app.init import requirements
from scheduler.app.schemas import schema_files

PROJECT = Path(__file__).parents[2]
BEGUN = "2026-03-01T12:00:00Z"
FIRST = "2027-03-01T18:00:00Z"
"""When the first wave of a repository that began then is published."""


def made(folder: Path) -> set[str]:
    """Every file below a folder, but git's own."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != ".git"
    }


@pytest.fixture
def new(mini: Miniature, tmp_path: Path) -> Miniature:
    """A new repository, `waves`, as `scheduler init` makes it; and whoever made it, in that folder."""
    folder = tmp_path / "new"
    outcome = mini.run("init", str(folder), "--owner", "nightjar", now=BEGUN)
    assert outcome.code == 0, outcome.err
    return Miniature(folder)


# --- what is in it ----------------------------------------------------------------------------------


def test_the_next_step_is_a_command_also_where_the_folder_has_a_space(tmp_path: Path) -> None:
    folder = tmp_path / "our waves"
    assert f"cd '{folder}' && git init" in Miniature(tmp_path / "x").run("init", str(folder)).out


def test_a_new_repository_has_all_that_its_editors_its_operators_and_github_need(new: Miniature) -> None:
    assert made(new.root) == {
        ".github/CODEOWNERS",
        ".github/ISSUE_TEMPLATE/new-wave.yml",
        ".github/PULL_REQUEST_TEMPLATE.md",
        ".github/actions/scheduler/action.yml",
        ".github/dependabot.yml",
        ".github/workflows/new-wave.yml",
        ".github/workflows/reconcile.yml",
        ".github/workflows/validate.yml",
        ".gitignore",
        ".vscode/extensions.json",
        ".vscode/settings.json",
        ".vscode/waves.code-snippets",
        "README.md",
        "channels/my-channel.yaml",
        "docs/punctuality.md",
        "docs/setting-up-on-github.md",
        "docs/threat-model.md",
        "examples/channel-repository/.github/workflows/publish.yml",
        "examples/channel-repository/README.md",
        "requirements-scheduler.txt",
        "requirements.txt",
        "scheduler.yaml",
        "schemas/channel.schema.json",
        "schemas/scheduler.schema.json",
        "schemas/state.schema.json",
        "schemas/wave.schema.json",
        "waves/first-wave.yaml",
    }


def test_it_says_what_to_do_next(mini: Miniature, tmp_path: Path) -> None:
    outcome = mini.run("init", str(tmp_path / "new"), now=BEGUN)
    lines = outcome.out.splitlines()
    assert lines[0] == f"created 27 files in {tmp_path / 'new'}"
    after = [line.split("#")[0].strip() for line in lines[lines.index("next:") + 1 :]]
    assert after == [
        f"cd {tmp_path / 'new'} && git init -b main",
        "edit channels/my-channel.yaml, waves/first-wave.yaml and .github/CODEOWNERS",
        "scheduler validate",
        "git add . && git commit -m 'Begin'",
        "git remote add origin URL && git push -u origin main",
        "scheduler state init",
        "scheduler doctor",
        "docs/setting-up-on-github.md has the rest: tokens, the environment, permissions.",
    ]


def test_the_first_wave_is_a_year_ahead(new: Miniature) -> None:
    text = (new.root / "waves/first-wave.yaml").read_text()
    assert f"    at: {FIRST}\n" in text
    assert "<" not in text


def test_the_owner_stands_wherever_somebody_has_to_be_named(new: Miniature) -> None:
    named = {name for name in made(new.root) if re.search(r"\bnightjar\b", (new.root / name).read_text())}
    assert named == {".github/CODEOWNERS", "channels/my-channel.yaml", "scheduler.yaml"}
    assert (
        "/channels/               @nightjar/publishing-admins\n"
        in (new.root / ".github/CODEOWNERS").read_text()
    )


def test_a_managed_user_can_be_the_owner(mini: Miniature, tmp_path: Path) -> None:
    assert mini.run("init", str(tmp_path / "new"), "--owner", "jdoe_acme", now=BEGUN).code == 0
    assert "repository: jdoe_acme/" in (tmp_path / "new/channels/my-channel.yaml").read_text()


@pytest.mark.parametrize("owner", ["", "-a", "a b", "a/b", "a\nb", "x" * 40, "[a]"])
def test_a_name_that_no_owner_has_is_refused(mini: Miniature, tmp_path: Path, owner: str) -> None:
    outcome = mini.run("init", str(tmp_path / "new"), "--owner", owner)
    assert outcome.code == 2
    assert "--owner acme" in outcome.err
    assert not (tmp_path / "new").exists()


def test_the_workflows_the_pages_and_the_channels_side_are_this_projects_own(new: Miniature) -> None:
    for name in init.AS_THEY_ARE:
        ours = PROJECT / name
        if name.startswith(
            (".github/workflows/", ".github/ISSUE", ".github/PULL", ".vscode/", "docs/", "examples/")
        ):
            assert (new.root / name).read_bytes() == ours.read_bytes(), name


@pytest.mark.parametrize("said", [said for said, _ in init.INSTALLING])
def test_what_the_installing_action_says_otherwise_is_still_in_this_projects_own(said: str) -> None:
    assert said in (PROJECT / ".github/actions/scheduler/action.yml").read_text()


def test_the_installing_action_needs_no_source_and_no_lock_file(new: Miniature) -> None:
    text = (new.root / ".github/actions/scheduler/action.yml").read_text()
    steps = yaml.safe_load(text)["runs"]["steps"]
    assert "uv.lock" not in text
    assert "pyproject" not in text
    assert {step["with"]["key"].rpartition("-")[2] for step in steps if "cache" in step.get("uses", "")} == {
        "${{ hashFiles('requirements*.txt') }}"
    }


def test_every_relative_link_leads_somewhere(new: Miniature) -> None:
    for page in (name for name in made(new.root) if name.endswith(".md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", (new.root / page).read_text()):
            assert ((new.root / page).parent / link).exists(), f"{page} links to {link}"


def test_the_first_line_of_every_file_leads_an_editor_to_its_schema(new: Miniature) -> None:
    for name in ("scheduler.yaml", "channels/my-channel.yaml", "waves/first-wave.yaml"):
        first = (new.root / name).read_text().splitlines()[0]
        schema = (new.root / name).parent / first.removeprefix("# yaml-language-server: $schema=")
        assert schema.resolve().relative_to(new.root).parts[0] == "schemas"
        assert json.loads(schema.read_text())["title"]


def test_the_schemas_are_those_that_the_program_publishes(new: Miniature) -> None:
    for name, text in schema_files().items():
        assert (new.root / "schemas" / name).read_text() == text


def test_vs_code_finds_a_schema_for_each_kind_of_file(new: Miniature) -> None:
    settings = json.loads((new.root / ".vscode/settings.json").read_text())
    assert all((new.root / schema).exists() for schema in settings["yaml.schemas"])
    patterns = [pattern for patterns in settings["yaml.schemas"].values() for pattern in patterns]
    found = {str(path.relative_to(new.root)) for pattern in patterns for path in new.root.glob(pattern)}
    assert found == {"scheduler.yaml", "channels/my-channel.yaml", "waves/first-wave.yaml"}


def test_git_ignores_what_must_not_be_committed(new: Miniature) -> None:
    git(new.root, "init", "--quiet")
    ignored = git(new.root, "check-ignore", "queue.db", "queue.db-journal", ".state.json.lock", ".venv/x")
    assert ignored.splitlines() == ["queue.db", "queue.db-journal", ".state.json.lock", ".venv/x"]


def tool(name: str) -> str:
    """A linter beside this Python or on the PATH; the test is skipped without it."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize(
    "command",
    [
        ["zizmor", "--offline", "--persona=auditor", "--quiet", ".github", "examples/channel-repository"],
        ["actionlint", *(f".github/workflows/{name}.yml" for name in ("new-wave", "reconcile", "validate"))],
        [
            "check-jsonschema",
            "--builtin-schema",
            "vendor.github-issue-forms",
            ".github/ISSUE_TEMPLATE/new-wave.yml",
        ],
        [
            "check-jsonschema",
            "--builtin-schema",
            "vendor.github-actions",
            ".github/actions/scheduler/action.yml",
        ],
        ["check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"],
    ],
    ids=lambda command: command[0],
)
def test_the_linters_have_nothing_to_say(new: Miniature, command: list[str]) -> None:
    git(new.root, "init", "--quiet")
    done = subprocess.run([tool(command[0]), *command[1:]], cwd=new.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# --- nothing is written over ------------------------------------------------------------------------


def test_a_repository_that_was_just_made_is_fine_and_keeps_its_files(mini: Miniature, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for name in ("README.md", "LICENSE", ".gitignore"):
        (folder / name).write_text("theirs")
    outcome = mini.run("init", str(folder))
    assert outcome.code == 0
    assert "note: README.md and .gitignore stayed as before (add `.venv/`" in outcome.out
    assert f"cd {folder}\n" in outcome.out
    assert {(folder / name).read_text() for name in ("README.md", "LICENSE", ".gitignore")} == {"theirs"}


@pytest.mark.parametrize("name", ["waves/theirs.yaml", "main.py", "schemas/wave.schema.json", ".github/x"])
def test_a_folder_with_anything_else_is_refused_and_it_is_named(
    mini: Miniature, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "there"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("theirs")
    outcome = mini.run("init", str(folder))
    assert outcome.code == 2
    assert f"{folder} is not empty: it has {name.split('/')[0]}; nothing was written" in outcome.err
    assert made(folder) == {name}


# --- in a folder of a clone -------------------------------------------------------------------------


def test_in_a_clone_the_workflows_are_at_its_top_and_lead_to_the_folder(
    mini: Miniature, tmp_path: Path
) -> None:
    top = tmp_path / "mono"
    (top / ".github/workflows").mkdir(parents=True)
    (top / ".github/workflows/reconcile.yml").write_text("theirs")
    (top / "main.py").write_text("theirs")
    git(top, "init", "--quiet")
    before = made(top)
    outcome = mini.run("init", str(top / "media/de"), "--owner", "nightjar", now=BEGUN)
    assert (outcome.code, "git init" in outcome.out) == (0, False)
    written = made(top) - before
    workflows = {name for name in written if name.startswith(".github/")}
    assert workflows == {
        ".github/actions/scheduler-media-de/action.yml",
        ".github/workflows/reconcile-media-de.yml",
        ".github/workflows/validate-media-de.yml",
    }
    assert all(name.startswith("media/de/") for name in written - workflows)
    text = "".join((top / name).read_text() for name in sorted(workflows))
    commands = re.findall(
        r"(?:\.venv/bin/scheduler|scheduler\.actions (?:report|comment)) +(?!\]\])(\S+ \S+)", text
    )
    assert set(commands) == {"-C media/de", "-C proposal/media/de"}
    assert set(re.findall(r"uses: (\./\S+)", text)) == {"./.github/actions/scheduler-media-de"}
    assert set(re.findall(r"group: (\w+-media-de-)", text)) == {"reconcile-media-de-", "validate-media-de-"}
    assert "state: branch:scheduler-state-media-de " in (top / "media/de/scheduler.yaml").read_text()
    assert mini.run("-C", str(top / "media/de"), "validate", now=BEGUN).code == 0
    for page in (name for name in written if name.endswith(".md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", (top / page).read_text()):
            assert ((top / page).parent / link).exists(), f"{page} links to {link}"
    again = mini.run(
        "init", str(top / "media-de"), now=BEGUN
    )  # another folder, whose files have the same names
    assert (again.code, "already exists; nothing was written" in again.err) == (2, True)
    assert not (top / "media-de").exists()


@pytest.mark.parametrize("name", ["two words", "-C", "a..b", "$(x)", "x.lock"])
def test_a_folder_that_no_workflow_can_name_is_refused(mini: Miniature, tmp_path: Path, name: str) -> None:
    git(tmp_path, "init", "--quiet")
    outcome = mini.run("init", "--", str(tmp_path / name))
    assert (outcome.code, "cannot be named in a workflow and a branch" in outcome.err) == (2, True)
    assert not (tmp_path / name).exists()


# --- what is in the way -----------------------------------------------------------------------------


def a_file(path: Path) -> None:
    path.write_text("theirs")


def a_link_elsewhere(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


@pytest.mark.parametrize("obstacle", [a_file, a_link_elsewhere, a_link_to_nothing])
@pytest.mark.parametrize("name", [".github", ".github/workflows"])
def test_nothing_is_written_through_a_link_or_in_the_place_of_a_file(
    mini: Miniature, tmp_path: Path, name: str, obstacle: object
) -> None:
    top = tmp_path / "there"
    (top / name).parent.mkdir(parents=True)
    (top / ".git").mkdir()
    assert callable(obstacle)
    obstacle(top / name)
    before = set(tmp_path.rglob("*"))
    outcome = mini.run("init", str(top / "media"))
    assert (outcome.code, f"{top / name} already exists" in outcome.err) == (2, True)
    assert set(tmp_path.rglob("*")) == before


def test_a_file_in_the_place_of_the_folder_is_refused(mini: Miniature, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("theirs")
    assert mini.run("init", str(tmp_path / "there")).code == 2
    assert (tmp_path / "there").read_text() == "theirs"


def test_a_second_init_is_refused(new: Miniature) -> None:
    before = {name: (new.root / name).read_bytes() for name in made(new.root)}
    assert new.run("init", str(new.root)).code == 2
    assert {name: (new.root / name).read_bytes() for name in made(new.root)} == before


def test_where_not_all_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    """A limit on the size of files lets the first ones through."""
    folder = tmp_path / "deep" / "new"
    done = subprocess.run(
        [sys.executable, "-m", "scheduler", "init", str(folder)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "cannot be written: File too large" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "deep").exists()


def test_the_folder_is_below_the_one_that_c_names(mini: Miniature) -> None:
    assert mini.run("init", "below").code == 0
    assert (mini.root / "below/README.md").exists()


def test_what_to_do_when_it_is_red_stands_in_the_new_repository_too(new: Miniature) -> None:
    def table(page: Path) -> list[str]:
        lines = page.read_text(encoding="utf-8").splitlines()
        found = takewhile(bool, lines[lines.index("| it says | it means | do |") :])
        return [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line) for line in found]  # ours links to its docs/

    ours = table(PROJECT / "README.md")
    assert len(ours) > 8
    assert table(new.root / "README.md") == ours


# --- what is pinned ---------------------------------------------------------------------------------


def test_everything_that_it_needs_is_locked_with_hashes(new: Miniature) -> None:
    text = (new.root / "requirements.txt").read_text()
    pins = re.split(r"\n(?=\w)", text)[1:]
    names = {pin.partition("==")[0] for pin in pins}
    assert {"click", "pydantic", "pydantic-core", "pygithub", "tzdata", "cryptography"} <= names
    assert not names & {"pytest", "wave-scheduler"}
    assert all("--hash=sha256:" in pin for pin in pins)


def test_what_is_locked_is_what_this_project_locks() -> None:
    """`make requirements` writes it."""
    command = [tool("uv"), "export", "--offline", "--quiet", "--frozen", "--no-dev", "--no-emit-project"]
    command += ["--no-header", "--no-annotate", "--format", "requirements-txt"]
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    assert (PROJECT / "scheduler/app/init/files/requirements.txt").read_text() == done.stdout


def installed(folder: Path, url: object) -> PathDistribution:
    """A scheduler as an installer leaves it, with where it came from."""
    info = folder / "wave_scheduler-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wave-scheduler\nVersion: 1.2.3\n")
    if url is not None:
        (info / "direct_url.json").write_text(json.dumps(url))
    return PathDistribution(info)


COMMIT = "c0ffee" + "0" * 34


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        (
            {"url": "https://github.com/acme/s.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"wave-scheduler @ git+https://github.com/acme/s.git@{COMMIT}",
        ),
        (
            {"url": "https://example.com/s-1.2.3.whl", "archive_info": {"hashes": {"sha256": "ab"}}},
            "wave-scheduler @ https://example.com/s-1.2.3.whl#sha256=ab",
        ),
        (None, None),  # from an index, which does not leave the hash
        ({"url": "https://github.com/acme/s.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}, None),
        (
            {"url": "https://me:s3cret@example.com/s.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            None,
        ),
        (
            {"url": "https://example.com/s.whl?token=s3cret", "archive_info": {"hashes": {"sha256": "ab"}}},
            None,
        ),
        ({"url": "https://example.com/s.whl", "archive_info": {}}, None),
        ({"url": "file:///nowhere/scheduler", "dir_info": {"editable": True}}, None),
    ],
)
def test_the_scheduler_is_pinned_to_where_it_came_from(
    tmp_path: Path, url: object, pinned: str | None
) -> None:
    assert requirements.own_line(installed(tmp_path, url)) == pinned


@pytest.mark.parametrize("address", ["https://example.com/acme/s.git", "git@example.com:acme/s.git"])
def test_from_a_clone_it_is_pinned_to_a_commit_that_the_remote_has(tmp_path: Path, address: str) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "--quiet")
    git(clone, "remote", "add", "origin", address)
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    where = installed(tmp_path, {"url": clone.as_uri(), "dir_info": {"editable": True}})
    assert requirements.own_line(where) is None
    git(clone, "update-ref", "refs/remotes/origin/main", "HEAD")
    commit = git(clone, "rev-parse", "HEAD")
    assert requirements.own_line(where) == f"wave-scheduler @ git+https://example.com/acme/s.git@{commit}"


def test_where_nothing_says_where_it_came_from_no_index_is_asked(
    mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "own_line", lambda _: None)
    outcome = mini.run("init", str(tmp_path / "new"))
    assert "note: requirements-scheduler.txt does not say yet where to install the scheduler" in outcome.out
    lines = (tmp_path / "new/requirements-scheduler.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "wave-scheduler @ git+https://replace-this-line.invalid/OWNER/REPOSITORY@COMMIT"
    ]


# --- the first-time path ----------------------------------------------------------------------------


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[str]:
    """An empty repository, as GitHub has one for somebody new: its URL."""
    (tmp_path / "served").mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", "served/waves.git")
    with serve(tmp_path / "served") as server:
        yield f"{server.url}/waves.git"


def test_from_nothing_to_the_first_publication(new: Miniature, remote: str, github: GitHub) -> None:
    github.repository("nightjar/my-channel")
    new.environ |= {"GITHUB_API_URL": github.url, "SCHEDULER_TOKEN": TOKEN}

    git(new.root, "init", "--quiet", "--initial-branch", "main")
    assert new.run("validate", now=BEGUN).out == "1 publication in 1 wave and 1 channel: fine\n"
    git(new.root, "add", ".")
    git(new.root, "commit", "--quiet", "--message", "Begin")
    git(new.root, "remote", "add", "origin", remote)
    git(new.root, "push", "--quiet", "--set-upstream", "origin", "main")

    begun = new.run("state", "init", now=BEGUN)
    assert begun.code == 0, begun.err
    lineage = begun.out.split()[-1]
    settings = (new.root / "scheduler.yaml").read_text()
    pinned = re.sub(r"(?m)^# lineage: \S+ +#", f"lineage: {lineage}  #", settings)
    (new.root / "scheduler.yaml").write_text(pinned)

    healthy = new.json("doctor")
    assert (healthy.code, {check["verdict"] for check in healthy.json["checks"]}) == (0, {"ok"}), healthy.out

    assert new.run("run", now=BEGUN).out == "Recorded: 1 created.\n"
    assert new.json("run", now=FIRST).results == {"first-wave/my-first-video/my-channel": "completed"}
    assert [d.payload["video_id"] for d in github.dispatches] == ["my-first-video"]
    assert new.json("run", now=FIRST).results == {}
    assert git(new.root, "status", "--porcelain") == "M scheduler.yaml"


def build_wheel(folder: Path) -> Path:
    """This project's wheel, built without a network."""
    uv = tool("uv")
    done = subprocess.run(
        [uv, "build", "--quiet", "--offline", "--wheel", "--out-dir", str(folder), str(PROJECT)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 and "hatchling" in done.stderr and "cache" in done.stderr:
        pytest.skip("hatchling is not in uv's cache")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_an_installed_wheel_makes_the_same_repository(new: Miniature, tmp_path: Path) -> None:
    """In a fresh environment that has this one's dependencies, and the scheduler from the wheel alone."""
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=False, symlinks=True)
    (packages,) = fresh.glob("lib/python*/site-packages")
    with zipfile.ZipFile(build_wheel(tmp_path / "dist")) as wheel:
        wheel.extractall(packages)
    (packages / "dependencies.pth").write_text(f"{Path(yaml.__file__).parent.parent}\n")

    def scheduler(*arguments: str) -> str:
        done = subprocess.run(
            [str(fresh / "bin/python"), "-I", "-m", "scheduler", *arguments],
            cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    scheduler("--now", BEGUN, "init", "from-wheel", "--owner", "nightjar")
    folder = tmp_path / "from-wheel"
    assert made(folder) == made(new.root)
    for name in made(folder) - {
        "requirements-scheduler.txt"
    }:  # an unpacked wheel does not say where it is from
        assert (folder / name).read_bytes() == (new.root / name).read_bytes(), name
    assert "replace-this-line.invalid" in (folder / "requirements-scheduler.txt").read_text()
    git(folder, "init", "--quiet")
    assert scheduler("-C", "from-wheel", "--now", BEGUN, "validate").endswith("fine\n")
