"""The page about environment variables. What each does is written here; that each is here, the code decides."""

from __future__ import annotations

import re
from pathlib import Path

from json_documents import INTENT, SAMPLE
from keys import MADE

from scheduler.delivery.queue.commands import PASSED
from scheduler.state.intent import payload_of

PACKAGE = Path(__file__).resolve().parents[2] / "scheduler"
WORKFLOWS = PACKAGE.parent / ".github" / "workflows"

_TOKENS = {
    "<NAME>": "The token of each channel that says `token: <NAME>`. `notify:` names variables in the same way; each "
    "holds a notification URL.",
    "<NAME>_FILE": "A file that holds the value of `<NAME>`, read again each time, so that what rotates tokens needs "
    "no restart. `<NAME>` itself wins where both are set.",
    "SCHEDULER_TOKEN": "The token of every channel that names none.",
    "GITHUB_TOKEN": "The same, where `SCHEDULER_TOKEN` is not set. `python -m scheduler.actions` uses it for the "
    "issues, comments and pull requests of the repository itself.",
    "SCHEDULER_QUEUE_PASSWORD": "The password of the broker that `queue:` names, also as `SCHEDULER_QUEUE_PASSWORD_FILE`.",
}
_SWITCHES = {
    "SCHEDULER_PAUSED": "`1`: nothing is sent. Any value counts but `0`, `false`, `no`, `off` and an empty one.",
    "SCHEDULER_ALLOW": "Patterns such as `acme/*`, separated by commas or spaces: they narrow the repositories that "
    "channels may point at, in addition to `allow:`.",
    "SCHEDULER_ALLOW_COMMANDS": "`1`: `scheduler worker` may run the commands of channels.",
    "SCHEDULER_COMMAND_ENV": "Names of further variables that `scheduler worker` passes to commands, separated by "
    "commas or spaces. It passes these anyway: " + ", ".join(f"`{name}`" for name in PASSED) + " and `LC_*`.",
    "NO_COLOR": "Set to anything: no colours.",
}
_GITHUB = {
    "GITHUB_API_URL": "The address of GitHub's API; `https://api.github.com` where it is not set. Plain http is "
    "accepted for this machine alone.",
    "GITHUB_ACTIONS": "`true`: `validate` writes annotations, and a state or a queue in a file is refused, since it "
    "would be lost with the runner.",
    "GITHUB_REF": "The branch that the state follows, and that `run --hold` and `run --watch` read while they wait.",
    "GITHUB_SERVER_URL": "The beginning of links to GitHub's pages; without it, that of the server in "
    "`GITHUB_API_URL`.",
    "GITHUB_REPOSITORY": "The repository that the workflow runs in: for links, issues, comments and pull requests.",
    "GITHUB_RUN_ID": "The workflow's run: for links, and to find the previous tick.",
    "GITHUB_ACTOR": "Who started the run: recorded in the commits of the state.",
    "GITHUB_TRIGGERING_ACTOR": "The same, where a run was started again by somebody else.",
    "GITHUB_EVENT_NAME": "What started the run: recorded in the commits of the state.",
    "GITHUB_EVENT_PATH": "The event of a filled form, for `python -m scheduler.actions new-wave`.",
    "GITHUB_WORKSPACE": "What annotations and SARIF name paths from, where the checkout action left no `.git`.",
    "GITHUB_STEP_SUMMARY": "The file of the job's summary, for `python -m scheduler.actions`.",
    "GITHUB_WORKFLOW_REF": "The workflow whose runs are ticks, for `python -m scheduler.actions report`.",
}
_NETWORK = {
    "HTTPS_PROXY": "`http://USER:PASSWORD@HOST:PORT`: the proxy for all that goes to GitHub; also `https_proxy`, which "
    "wins, and `ALL_PROXY` where neither is set. It is only ever asked to `CONNECT`.",
    "NO_PROXY": "What is reached directly, separated by commas: names (each with all names below it), addresses, "
    "networks (`10.0.0.0/8`), `*`; each may end with a port. Also `no_proxy`, which wins.",
    "SSL_CERT_FILE": "A PEM file of the certificates to trust, in the place of the system's. Git gets it as "
    "`GIT_SSL_CAINFO`, where that is not set.",
}
_WORKFLOWS = {
    "SCHEDULER_HOLD": "`15m`: how far ahead a tick waits for what falls due.",
    "SCHEDULER_TIMEOUT_MINUTES": "`30`: when a tick is ended; must be more than the hold.",
    "SCHEDULER_TICK_GAP": "`2h`: the longest time without a tick before an issue is opened.",
    "SCHEDULER_APP_CLIENT_ID": "The client id of the GitHub App whose token channels without `token:` use.",
    "SCHEDULER_APP_PRIVATE_KEY": "The App's private key, a secret.",
    "SCHEDULER_APP_OWNER": "Whose installation of the App; the owner of the repository where it is not set.",
    "SCHEDULER_STATE_BY_APP": "`true`: the App pushes the state, so that the branch can be closed to everybody else.",
}
_COMMAND = {
    "SCHEDULER_JOB_ID": "The id of the job: the publication's id, with `#n` for the n-th deliberate resend.",
    "SCHEDULER_ATTEMPT": "Which attempt this is, counted from 1.",
}
_TESTS = {
    "SCHEDULER_CRASH_AT": "Ends the process at a named point, as a power cut would.",
    "SCHEDULER_STOP_AT": "Stops the process at a named point, as `kill -STOP` would.",
}
_NOT_VARIABLES = {
    "SCHEDULER_",
    "GITHUB_",
    "_SCHEDULER_COMPLETE",
    "SCHEDULER_COMPLETE",
    "GITHUB_SHA",
    "GITHUB_OUTPUT",
}


def page() -> str:
    """docs/reference/environment.md. Raises AssertionError where the code and this page differ."""
    payload = {
        f"SCHEDULER_{name.upper()}": f"`{name}` of the payload ([JSON documents](json.md#the-payload))."
        for name in payload_of("", SAMPLE, INTENT)
    }
    groups = (
        (
            "Tokens",
            "A token is in no file, argument or output: YAML has the name of the variable alone.",
            _TOKENS,
        ),
        ("Switches of the operator", "", _SWITCHES),
        ("On GitHub Actions", "GitHub sets these; elsewhere only the first is worth setting.", _GITHUB),
        (
            "Network",
            "For what goes to GitHub: [behind a proxy](../setting-up-on-github.md#behind-a-proxy).",
            _NETWORK,
        ),
        (
            "Variables and secrets of the workflows",
            "Set in the settings of the repository, where `SCHEDULER_ALLOW` and `SCHEDULER_PAUSED` are variables too. "
            "[Setting up on GitHub](../setting-up-on-github.md) says how.",
            _WORKFLOWS,
        ),
        ("What a command of a queue gets", "`scheduler worker` sets these for each job.", payload | _COMMAND),
        ("For tests", "Never set these where anything is published.", _TESTS),
    )
    listed = {name for _, _, group in groups for name in group} | {"SCHEDULER_QUEUE_PASSWORD_FILE"}
    found = {name for name in _in_code() if name not in _NOT_VARIABLES}
    assert found <= listed, f"docs/build/environment.py does not list {sorted(found - listed)}"
    made = {*payload, "<NAME>", "<NAME>_FILE", "SCHEDULER_QUEUE_PASSWORD_FILE"}
    assert listed - made <= found, f"no code reads {sorted(listed - made - found)}"
    parts = ["# Environment variables", MADE]
    for title, text, group in groups:
        rows = [f"| `{name}` | {what} |" for name, what in group.items()]
        parts += [f"## {title}", text, "\n".join(["| variable | does |", "|---|---|", *rows])]
    return "\n\n".join(filter(None, parts)) + "\n"


def _in_code() -> set[str]:
    """Every variable that the code or a workflow mentions, composed names included."""
    found: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        found |= set(
            re.findall(
                r"\b(?:SCHEDULER|GITHUB)_[A-Z_]*[A-Z]\b|\bNO_COLOR\b|\bHTTPS_PROXY\b|\bNO_PROXY\b|\bSSL_CERT_FILE\b",
                text,
            )
        )
        for prefix, names in re.findall(r'f"(GITHUB_)\{name\}".*? for name in \(([^)]*)\)', text, re.DOTALL):
            found |= {prefix + name for name in re.findall(r'"([A-Z_]+)"', names)}
    for file in sorted(WORKFLOWS.glob("*.yml")):
        text = file.read_text(encoding="utf-8")
        found |= set(re.findall(r"\b(?:vars|secrets)\.(SCHEDULER_[A-Z_]+)", text))
    return found
