"""Whether a channel's repository can be expected to publish, asked without sending anything.

A list of named checks, each of which is good, bad, or cannot be told by this token. `doctor` shows them
all; the confirmation in a schedule's last 24 hours takes the first that is bad.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from scheduler.delivery.dispatcher import Check, Readiness
from scheduler.delivery.github.workflow_files import Listening, read_workflow
from scheduler.delivery.github.workflow_runs import Ask, NoAnswerError
from scheduler.state.record import Intent

FOLDER = ".github/workflows"
MOST_FILES = 60
"""Workflow files of one repository that are read at most."""
KEY_IN_TITLE = {
    "repository_dispatch": "run-name: publish ${{ github.event.client_payload.key }}",
    "workflow_dispatch": "run-name: publish ${{ fromJSON(inputs.payload).key }}",
}


def readiness(intent: Intent, checks: Sequence[Check]) -> Readiness:
    """The first check that is bad. A run that cannot be found matters only where the run is waited for."""
    for check in checks:
        if check.ok is False and (check.name != "key" or intent.confirm == "run"):
            return Readiness(ready=False, problem=check.words, hint=check.hint)
    return Readiness(ready=True)


def inspect(ask: Ask, intent: Intent, scrub: Callable[[str], str]) -> list[Check]:
    """All that can be asked about one intent's repository. Raises nothing."""
    checks: list[Check] = []
    repository = intent.repository or ""
    try:
        _ask_repository(ask, repository, intent, checks)
        if intent.transport == "workflow_dispatch":
            _ask_named_workflow(ask, repository, intent, checks)
        else:
            _ask_workflows(ask, repository, intent, checks)
    except NoAnswerError as problem:
        checks.append(_unanswered(repository, intent, problem))
    return [
        msgspec.structs.replace(check, words=scrub(check.words), hint=check.hint and scrub(check.hint))
        for check in checks
    ]


def _unanswered(repository: str, intent: Intent, problem: NoAnswerError) -> Check:
    token = intent.token or "SCHEDULER_TOKEN"
    hint = None
    if problem.status == 401:
        hint = f"the token of {token} is wrong or has expired"
    elif problem.status == 404:
        hint = f"check the name, and that the token of {token} reaches the repository"
    elif problem.status is not None and 300 <= problem.status < 400:
        hint = "the repository was probably renamed or moved: write its new name in the channel's file"
    words = f"{repository} cannot be asked: {problem}"
    return Check("repository", False, words, hint, problem.server_time)


def _ask_repository(ask: Ask, repository: str, intent: Intent, checks: list[Check]) -> None:
    """There, in use, and writable as far as GitHub tells."""
    answer = ask(f"/repos/{repository}", {})
    told, time = _mapping(answer.data), answer.server_time
    for fact in ("archived", "disabled"):
        if told.get(fact) is True:
            hint = (
                f"unarchive {repository}, or set `active: false` on the channel"
                if fact == "archived"
                else None
            )
            words = f"{repository} is {fact}: nothing runs there"
            checks.append(Check("repository", False, words, hint, time))
            return
    checks.append(Check("repository", True, f"{repository} answers", None, time))
    token = intent.token or "SCHEDULER_TOKEN"
    permissions = told.get("permissions")
    push = permissions.get("push") if isinstance(permissions, dict) else None
    if push is True:
        checks.append(Check("token", True, f"the token of {token} may write to {repository}"))
    elif push is False and intent.transport == "repository_dispatch":
        words = f"the token of {token} may not write to {repository}, and a repository_dispatch needs that"
        checks.append(Check("token", False, words, "give it Contents: write on this repository"))
    else:
        words = f"GitHub does not tell whether the token of {token} may dispatch to {repository}"
        checks.append(Check("token", None, words))


def _ask_workflows(ask: Ask, repository: str, intent: Intent, checks: list[Check]) -> None:
    """Any workflow of the default branch may listen; one that carries the key too is the best."""
    try:
        listed = ask(f"/repos/{repository}/contents/{FOLDER}", {}).data
    except NoAnswerError as problem:
        if problem.status != 404:
            raise
        listed = []
    names = [
        entry["name"]
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and str(entry.get("name")).endswith((".yml", ".yaml"))
    ]
    states = _states(ask, repository)
    best: tuple[Listening, str] | None = None
    near: list[str] = []
    for name in names[:MOST_FILES]:
        seen = _read(ask, repository, name, intent)
        if seen.listens is False:
            near.extend([seen.problem] if seen.problem else [])
        elif states.get(name, "active") != "active":
            near.append(f"{name} listens, but is disabled")
        elif best is None or _worth(seen) > _worth(best[0]):
            best = seen, name
        if best is not None and best[0].listens and best[0].carries_key:
            break
    if best is None:
        why = f": {near[0]}" if near else ""
        words = f"no workflow on the default branch of {repository} listens to {intent.event_type}{why}"
        hint = f"add `on: {{repository_dispatch: {{types: [{intent.event_type}]}}}}` to a workflow there"
        checks.append(Check("workflow", False, words, hint))
        return
    _conclude(best[0], best[1], intent, checks)


def _worth(seen: Listening) -> tuple[bool, bool, bool]:
    """The order of the workflows that listen: the best is the one to tell about."""
    return seen.listens is True, seen.carries_key is True, seen.claims


def _ask_named_workflow(ask: Ask, repository: str, intent: Intent, checks: list[Check]) -> None:
    """The workflow that the channel names; its file may be out of reach of a token for Actions alone."""
    name = intent.workflow or ""
    try:
        told = _mapping(ask(f"/repos/{repository}/actions/workflows/{quote(name, safe='')}", {}).data)
    except NoAnswerError as problem:
        if problem.status != 404:
            raise
        words = f"{repository} has no workflow {name} on its default branch"
        checks.append(Check("workflow", False, words, "correct `workflow:` in the channel's file"))
        return
    if told.get("state", "active") != "active":
        words = f"the workflow {name} of {repository} is disabled"
        checks.append(Check("workflow", False, words, "enable it in the Actions tab of the repository"))
        return
    try:
        seen = _read(ask, repository, name, intent)
    except NoAnswerError as problem:
        words = f"{name} is there; its file cannot be read ({problem})"
        checks.append(
            Check("workflow", None, words, "a token with Contents: read could tell whether it listens")
        )
        return
    if seen.listens is False:
        words = (
            f"{name} of {repository} does not listen to workflow_dispatch"
            if not seen.problem
            else seen.problem
        )
        hint = "add `on: {workflow_dispatch: {inputs: {payload: {required: true}}}}` to it"
        checks.append(Check("workflow", False, words, hint))
        return
    _conclude(seen, name, intent, checks)


def _conclude(seen: Listening, name: str, intent: Intent, checks: list[Check]) -> None:
    """A workflow was found: how sure that is, and whether its runs can be found."""
    event = intent.event_type if intent.transport == "repository_dispatch" else "workflow_dispatch"
    if seen.listens:
        checks.append(Check("workflow", True, f"{name} listens to {event}"))
    else:
        checks.append(Check("workflow", None, f"whether {name} listens to {event} cannot be told"))
    if seen.carries_key:
        checks.append(Check("key", True, f"the run name of {name} carries the key"))
    else:
        words = f"the run name of {name} does not carry the key: its runs cannot be found again"
        checks.append(Check("key", False, words, f"write `{KEY_IN_TITLE[intent.transport]}` into it"))
    if seen.claims:
        checks.append(Check("claim", True, f"{name} claims the key"))
    elif intent.delivery == "at-least-once":
        words = f"whether {name} claims the key cannot be seen, and `delivery: at-least-once` relies on it"
        hint = "use the workflow that ships for channels, or write `delivery: at-most-once`"
        checks.append(Check("claim", None, words, hint))


def _states(ask: Ask, repository: str) -> dict[str, str]:
    """File name -> active, disabled_manually, ...; nothing where the token may not ask."""
    try:
        listed = _mapping(ask(f"/repos/{repository}/actions/workflows", {"per_page": "100"}).data)
    except NoAnswerError:
        return {}
    entries = listed.get("workflows")
    return {
        str(entry.get("path")).rpartition("/")[2]: str(entry.get("state"))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    }


def _read(ask: Ask, repository: str, name: str, intent: Intent) -> Listening:
    told = _mapping(ask(f"/repos/{repository}/contents/{FOLDER}/{quote(name, safe='')}", {}).data)
    try:
        raw = base64.b64decode(str(told.get("content", "")), validate=False)
    except (binascii.Error, ValueError):
        return Listening(None, None)
    return read_workflow(name, raw, intent)


def _mapping(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise NoAnswerError("the API answered something else than what was asked for")
    return data
