"""What must hold of every workflow file that this project ships, told by the tools that know."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from acting import PROJECT

from scheduler.delivery.github.workflow_files import WorkflowFile, read_workflow
from scheduler.desired.transports import Transport
from scheduler.state.record import Intent

WORKFLOWS = [
    *sorted((PROJECT / ".github" / "workflows").glob("*.yml")),
    PROJECT / "examples" / "channel-repository" / ".github" / "workflows" / "publish.yml",
]
ACTIONS = sorted((PROJECT / ".github" / "actions").glob("*/action.yml"))
SHIPPED = [*WORKFLOWS, *ACTIONS]
PIN = re.compile(r"uses: (?!\./)(\S+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")


def tool(name: str) -> str:
    """The path of a linter, beside this Python or on the PATH; the test is skipped where there is none."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def passes(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_and_shellcheck_have_no_findings() -> None:
    passes(tool("actionlint"), "-shellcheck", tool("shellcheck"), *WORKFLOWS)


@pytest.mark.parametrize("path", [".github", "examples/channel-repository"])
def test_zizmor_has_no_findings_as_an_auditor(path: str) -> None:
    passes(tool("zizmor"), "--offline", "--persona=auditor", "--strict-collection", PROJECT / path)


def test_the_files_follow_githubs_schemas() -> None:
    check = tool("check-jsonschema")
    passes(check, "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    passes(check, "--builtin-schema", "vendor.github-actions", *ACTIONS)
    passes(check, "--builtin-schema", "vendor.dependabot", PROJECT / ".github" / "dependabot.yml")


def test_every_action_is_pinned_by_its_full_sha_and_one_version() -> None:
    versions: dict[str, set[tuple[str, str]]] = {}
    for file in SHIPPED:
        for line in file.read_text().splitlines():
            if "uses: " in line and "uses: ./" not in line:
                match = PIN.search(line)
                assert match, f"{file.name}: {line.strip()}"
                name = "/".join(match[1].split("/")[:2])
                versions.setdefault(name, set()).add((match[2], match[3]))
    assert {name: len(pins) for name, pins in versions.items()} == dict.fromkeys(versions, 1)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_grants_nothing_by_default_and_is_bounded_in_time(file: Path) -> None:
    text = file.read_text()
    assert "\npermissions: {}\n" in text
    assert "pull_request_target" not in text
    assert text.count("runs-on: ubuntu-24.04") == text.count("timeout-minutes: ")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_no_expression_stands_in_a_script(file: Path) -> None:
    scripts = re.findall(
        r"^( +)run: \|\n((?:\1 .*\n|\n)+)|^ +run: (?!\|)(.*)$", file.read_text(), re.MULTILINE
    )
    assert scripts
    assert not [script for script in scripts if "${{" in "".join(script[1:])]


@pytest.mark.parametrize("file", [*WORKFLOWS], ids=lambda file: file.name)
def test_a_checkout_leaves_no_token_behind(file: Path) -> None:
    text = file.read_text()
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


INTENT = Intent(
    owner="", at="2026-03-01T18:00:00Z", key="gs1-x", not_after="2026-03-01T19:00:00Z",
    transport="repository_dispatch", repository="acme/tech-daily", event_type="process-video",
    workflow="publish.yml",
)  # fmt: skip


@pytest.mark.parametrize("transport", ["repository_dispatch", "workflow_dispatch"])
def test_the_scheduler_recognizes_the_channels_workflow_as_listening(transport: Transport) -> None:
    intent = msgspec.structs.replace(INTENT, transport=transport)
    assert read_workflow("publish.yml", WORKFLOWS[-1].read_bytes(), intent) == WorkflowFile(
        True, True, claims=True
    )


def listening(run_name: str) -> bytes:
    return f'on: {{repository_dispatch: {{types: [process-video]}}}}\nrun-name: "{run_name}"\n'.encode()


@pytest.mark.parametrize(
    ("run_name", "carries"),
    [
        ("publish ${{ github.event.client_payload.key }}", True),
        ("publish ${{ github.event.client_payload['key'] }}", True),
        ("publish ${{ toJSON(github.event.client_payload) }}", True),
        ("publish ${{ format('{0}', toJSON(fromJSON(toJSON(github.event.client_payload )))) }}", True),
        ("publish ${{ toJSON(github.event) }}", False),
        ("publish ${{ github.event.client_payload.video_id }}", False),
    ],
)
def test_a_run_name_carries_the_key_by_itself_or_within_the_payload(run_name: str, carries: bool) -> None:
    assert read_workflow("publish.yml", listening(run_name), INTENT) == WorkflowFile(True, carries)


@pytest.mark.parametrize("words", ["tojson(", "client_payload [", "tojson(client_payload "])
def test_a_run_name_that_repeats_itself_is_read_like_any_other(words: str) -> None:
    # a pattern that backtracks would take minutes, and hold up all that is due meanwhile
    raw = listening(words * (200_000 // len(words)))
    assert read_workflow("publish.yml", raw, INTENT) == WorkflowFile(True, False)


def test_a_workflow_too_large_to_be_examined_is_not_known() -> None:
    assert read_workflow("publish.yml", listening("x" * 300_000), INTENT) == WorkflowFile(None, None)
