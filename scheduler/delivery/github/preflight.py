"""Whether a channel's repository can be expected to publish, found out without sending anything.

The result is a list of named checks, each passed, failed, or not visible to this token. `doctor` shows
them all; the confirmation in a schedule's last 24 hours reports the first that failed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from scheduler.delivery.dispatcher import Check, Readiness
from scheduler.delivery.github.dispatch_events import event_of
from scheduler.delivery.github.queries import Query, QueryError
from scheduler.delivery.github.refusal_hints import forbidden_hint
from scheduler.delivery.github.workflow_files import WorkflowFile, read_workflow
from scheduler.state.record import Intent

FOLDER = ".github/workflows"
JsonObject = dict[str, Any]
MOST_FILES = 60
"""Workflow files of one repository that are read at most."""


def readiness(intent: Intent, checks: Sequence[Check]) -> Readiness:
    """The first check that failed. Runs that cannot be found matter where something waits for them."""
    is_keyless = lacks_key(checks)
    needs_key = intent.confirm == "run" or intent.delivery == "at-least-once"
    for check in checks:
        if check.ok is False and (check.name != "key" or needs_key):
            return Readiness(ready=False, problem=check.message, hint=check.hint, is_keyless=is_keyless)
    return Readiness(ready=True, is_keyless=is_keyless)


def lacks_key(checks: Sequence[Check]) -> bool:
    """Whether a workflow listens whose runs could not be found."""
    return any(check.name == "key" and check.ok is False for check in checks)


def inspect(query: Query, intent: Intent, scrub: Callable[[str], str]) -> list[Check]:
    """Every check of one intent's repository. Raises nothing."""
    checks: list[Check] = []
    repository = intent.repository or ""
    try:
        _check_repository(query, repository, intent, checks)
        if intent.traits.names_workflow:
            _check_named_workflow(query, repository, intent, checks)
        else:
            _check_workflows(query, repository, intent, checks)
    except QueryError as problem:
        checks.append(_unanswered(repository, intent, problem))
    return [
        msgspec.structs.replace(check, message=scrub(check.message), hint=check.hint and scrub(check.hint))
        for check in checks
    ]


def _unanswered(repository: str, intent: Intent, problem: QueryError) -> Check:
    token = intent.token or "SCHEDULER_TOKEN"
    hint = None
    if problem.status == 401:
        hint = f"the token in {token} is wrong or has expired"
    elif problem.status == 403 and problem.reply is not None:
        right = event_of(intent).right
        hint = forbidden_hint(problem.reply, repository=repository, token=token, right=right)
    elif problem.status == 404:
        hint = f"check the name, and that the token in {token} has access to the repository"
    elif problem.status is not None and 300 <= problem.status < 400:
        hint = "the repository was probably renamed or transferred: write its new name in the channel's file"
    return Check("repository", False, f"cannot query {repository}: {problem}", hint, problem.server_time)


def _check_repository(query: Query, repository: str, intent: Intent, checks: list[Check]) -> None:
    """It exists, is in use, and is writable as far as GitHub says."""
    answer = query(f"/repos/{repository}", JsonObject)
    found, time = answer.data, answer.server_time
    unarchive = f"unarchive {repository}, or set `active: false` on the channel"
    for fact, hint in (("archived", unarchive), ("disabled", None)):
        if found.get(fact) is True:
            message = f"{repository} is {fact}, so no workflow runs there"
            checks.append(Check("repository", False, message, hint, time))
            return
    checks.append(Check("repository", True, f"{repository} answers", None, time))
    token = intent.token or "SCHEDULER_TOKEN"
    event = event_of(intent)
    permissions = found.get("permissions")
    push = permissions.get("push") if isinstance(permissions, dict) else None
    if push is True:
        checks.append(Check("token", True, f"the token in {token} can write to {repository}"))
    elif push is False and event.needs_push:
        message = f"the token in {token} cannot write to {repository}, which a {event.name} requires"
        checks.append(Check("token", False, message, f"grant it `{event.right}` on {repository}"))
    else:
        message = f"GitHub does not say whether the token in {token} can dispatch to {repository}"
        checks.append(Check("token", None, message))


def _check_workflows(query: Query, repository: str, intent: Intent, checks: list[Check]) -> None:
    """Any workflow of the default branch may listen; one that also carries the key is the best."""
    try:
        listed = query(f"/repos/{repository}/contents/{FOLDER}", object).data
    except QueryError as problem:
        if problem.status != 404:
            raise
        listed = []
    names = [
        entry["name"]
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and str(entry.get("name")).endswith((".yml", ".yaml"))
    ]
    states = _states(query, repository)
    best: tuple[WorkflowFile, str] | None = None
    near: list[str] = []
    for name in names[:MOST_FILES]:
        seen = _read(query, repository, name, intent)
        if seen.listens is False:
            near.extend([seen.problem] if seen.problem else [])
        elif states.get(name, "active") != "active":
            near.append(f"{name} listens to it but is disabled")
        elif best is None or _worth(seen) > _worth(best[0]):
            best = seen, name
        if best is not None and best[0].listens and best[0].carries_key:
            break
    if best is None:
        why = f": {near[0]}" if near else ""
        message = f"no workflow on the default branch of {repository} listens to {intent.event_type}{why}"
        hint = f"add `on: {{repository_dispatch: {{types: [{intent.event_type}]}}}}` to a workflow there"
        checks.append(Check("workflow", False, message, hint))
        return
    _conclude(best[0], best[1], intent, checks)


def _worth(seen: WorkflowFile) -> tuple[bool, bool, bool]:
    """The sort key of the workflows that listen: the best one is reported."""
    return seen.listens is True, seen.carries_key is True, seen.claims


def _check_named_workflow(query: Query, repository: str, intent: Intent, checks: list[Check]) -> None:
    """The workflow that the channel names. A token that has only Actions rights cannot read its file."""
    name = intent.workflow or ""
    try:
        found = query(f"/repos/{repository}/actions/workflows/{quote(name, safe='')}", JsonObject).data
    except QueryError as problem:
        if problem.status != 404:
            raise
        message = f"{repository} has no workflow {name} on its default branch"
        checks.append(Check("workflow", False, message, "correct `workflow:` in the channel's file"))
        return
    if found.get("state", "active") != "active":
        message = f"the workflow {name} of {repository} is disabled"
        checks.append(Check("workflow", False, message, f"run `gh workflow enable {name} -R {repository}`"))
        return
    try:
        seen = _read(query, repository, name, intent)
    except QueryError as problem:
        message = f"{name} exists, but its file cannot be read ({problem})"
        hint = f"to check whether it listens, grant the token `Contents: read` on {repository}"
        checks.append(Check("workflow", None, message, hint))
        return
    if seen.listens is False:
        message = seen.problem or f"{name} of {repository} does not listen to workflow_dispatch"
        hint = f"add `on: {{workflow_dispatch: {{inputs: {{payload: {{required: true}}}}}}}}` to {name}"
        checks.append(Check("workflow", False, message, hint))
        return
    _conclude(seen, name, intent, checks)


def _conclude(seen: WorkflowFile, name: str, intent: Intent, checks: list[Check]) -> None:
    """A workflow was found: how certain that is, and whether its runs can be found."""
    event = event_of(intent)
    trigger = event.trigger
    word = "the key and `retract`" if intent.retracts else "the key"
    if seen.listens:
        checks.append(Check("workflow", True, f"{name} listens to {trigger}"))
    else:
        checks.append(Check("workflow", None, f"cannot determine whether {name} listens to {trigger}"))
    if seen.carries_key:
        checks.append(Check("key", True, f"the run name of {name} contains {word}"))
    elif seen.carries_key is None:
        checks.append(Check("key", None, f"cannot determine whether the run name of {name} contains {word}"))
    else:
        message = f"the run name of {name} does not contain {word}, so its runs cannot be found"
        checks.append(Check("key", False, message, f"add `{event.run_name_to_add}` to {name}"))
    if seen.claims:
        checks.append(Check("claim", True, f"{name} claims the key"))
    elif intent.delivery == "at-least-once":
        message = f"cannot determine whether {name} claims the key, which `delivery: at-least-once` relies on"
        hint = "use the workflow that is shipped for channels, or write `delivery: at-most-once`"
        checks.append(Check("claim", None, message, hint))


def _states(query: Query, repository: str) -> dict[str, str]:
    """File name -> active, disabled_manually, ...; empty where the token may not list them."""
    try:
        listed = query(f"/repos/{repository}/actions/workflows", JsonObject, {"per_page": "100"}).data
    except QueryError:
        return {}
    entries = listed.get("workflows")
    return {
        str(entry.get("path")).rpartition("/")[2]: str(entry.get("state"))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    }


def _read(query: Query, repository: str, name: str, intent: Intent) -> WorkflowFile:
    found = query(f"/repos/{repository}/contents/{FOLDER}/{quote(name, safe='')}", JsonObject).data
    try:
        raw = base64.b64decode(str(found.get("content", "")), validate=False)
    except (binascii.Error, ValueError):
        return WorkflowFile(None, None)
    return read_workflow(name, raw, intent)
