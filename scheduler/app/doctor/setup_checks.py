"""Checks of files, settings, state and environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scheduler.app.doctor.installation import MOST_NAMED, Installation, finding
from scheduler.app.environment import FILE_SUFFIX
from scheduler.delivery.github import DEFAULT_API
from scheduler.delivery.github.api_url import read_api_url
from scheduler.delivery.github.proxy import canonical, proxy_for
from scheduler.diagnostics import Diagnostic
from scheduler.errors import Error, StateError
from scheduler.planning.plan import APP_TOKEN_LIFE, DEFAULT_TOKENS
from scheduler.reporting.doctor_text import Finding
from scheduler.state.stores.git_branch import GitBranchStore
from scheduler.times import duration_text, zone_release
from scheduler.wording import and_more, count


def files(diagnostics: Sequence[Diagnostic]) -> Finding:
    """Only whether there are problems: `validate` shows them."""
    title = "what is declared is valid"
    errors = sum(problem.is_error for problem in diagnostics)
    if not diagnostics:
        return finding("files", "files", title, "ok", "no error and no warning")
    counts = ((errors, "error"), (len(diagnostics) - errors, "warning"))
    message = ", ".join(count(number, noun) for number, noun in counts if number)
    hint = "run `scheduler validate` to see them"
    return finding("files", "files", title, "failed" if errors else "warning", message, hint)


def zone_data(_: Installation) -> Iterator[Finding]:
    """Two machines with different zone rules would compute different local times."""
    release = zone_release()
    yield finding("zone data", "zones", f"tzdata {release}", "ok", f"local times follow tzdata {release}")


def allowed_repositories(installation: Installation) -> Iterator[Finding]:
    """Without a limit, anybody who may change a channel can send its token anywhere."""
    title = "the repositories of channels are limited"
    declared, allow = installation.declared, installation.surroundings.allow
    if declared.settings.allow:
        message = f"`allow` lists {and_more(declared.settings.allow, MOST_NAMED)}"
        yield finding("settings", "allow", title, "ok", message)
    elif allow is not None:
        message = f"SCHEDULER_ALLOW lists {and_more(allow, MOST_NAMED)}"
        yield finding("settings", "allow", title, "ok", message)
    else:
        repositories = (channel.repository for channel in declared.channels.values())
        owners = sorted({name.partition("/")[0] for name in repositories if name})
        patterns = ", ".join(f"{owner}/*" for owner in owners) or "acme/*"
        message = "`allow` is empty: anybody who may change a channel can send its token to any repository"
        hint = f"write `allow: [{patterns}]` in scheduler.yaml"
        yield finding("settings", "allow", title, "warning", message, hint)


def operator_switch(installation: Installation) -> Iterator[Finding]:
    """SCHEDULER_PAUSED is easily forgotten."""
    if installation.surroundings.stopped:
        message, hint = "SCHEDULER_PAUSED is set: nothing is sent", "unset SCHEDULER_PAUSED to send again"
        yield finding("settings", "paused", "sending is not switched off", "warning", message, hint)


def state(installation: Installation) -> Iterator[Finding]:
    """A run needs the state, and a pinned lineage is how it notices that it has another repository's."""
    read = installation.read
    title = f"{read.name} can be read"
    if read.problem is not None:
        yield finding("state", "state", title, "failed", str(read.problem), read.problem.hint)
    if read.state is None:
        return
    found = read.state
    live = sum(record.is_live for record in found.schedules.values())
    message = f"serial {found.serial}, {count(len(found.schedules), 'publication')}, {live} of them live"
    yield finding("state", "state", title, "ok", message)
    title = "its lineage is pinned"
    if installation.declared.settings.lineage is not None:
        message = f"it is {found.lineage}, as in scheduler.yaml"
        yield finding("state", "lineage", title, "ok", message)
    else:
        message = "a run would not notice another state in its place"
        hint = f"write `lineage: {found.lineage}` in scheduler.yaml"
        yield finding("state", "lineage", title, "warning", message, hint)


def pushable_state(installation: Installation) -> Iterator[Finding]:
    """A run saves each intent before it sends, so with a token that may only read, nothing is sent."""
    store = installation.repository.store(installation.declared.settings)
    if installation.read.state is None or not isinstance(store, GitBranchStore):
        return
    title = f"{store.name} can be written"
    try:
        store.demand_pushable()
    except StateError as problem:
        yield finding("state", "push", title, "failed", problem.message, problem.hint)
    else:
        message = "the remote accepts a push of nothing; whether a ruleset refuses more, only a run can show"
        yield finding("state", "push", title, "ok", message)


def lasting_homes(installation: Installation) -> Iterator[Finding]:
    """Reported only where a run would refuse to start: a state or queue that this machine will lose."""
    try:
        installation.repository.demand_lasting_homes(installation.declared.settings)
    except Error as problem:
        yield finding(
            "state", "home", "the state outlives this machine", "failed", problem.message, problem.hint
        )


def proxy(installation: Installation) -> Iterator[Finding]:
    """Reported only where a proxy is set: what was meant for all of GitHub may exempt it, or be unusable."""
    environ, title = installation.repository.environ, "GitHub is reached through the proxy"
    if not canonical(environ).get("https_proxy"):
        return
    try:
        url = read_api_url(environ.get("GITHUB_API_URL") or DEFAULT_API)
        found = proxy_for(url, environ)
    except Error as problem:
        yield finding("environment", "proxy", title, "failed", problem.message, problem.hint)
        return
    way = (
        "directly, as NO_PROXY or plain http says" if found is None else f"through {found} ({found.variable})"
    )
    yield finding("environment", "proxy", title, "ok", f"{url.host} is reached {way}")


def tokens(installation: Installation) -> Iterator[Finding]:
    """Each token by the name of its variable, with the channels that need it."""
    surroundings = installation.surroundings
    users: dict[str, list[str]] = {}
    for name, channel in sorted(installation.declared.channels.items()):
        token = surroundings.token_for(channel)
        is_meant = installation.only is None or name in installation.only
        if token is not None and channel.active and is_meant:
            users.setdefault(token, []).append(name)
    for token, channels in sorted(users.items()):
        title = f"{token} is set"
        needed = f"needed by {and_more(channels, MOST_NAMED)}"
        if token in surroundings.tokens:
            yield finding("environment", "token", title, "ok", needed)
            if token in surroundings.app_tokens and (installation.hold or 0) >= APP_TOKEN_LIFE:
                yield _short_lived(token, installation.hold or 0)
        else:
            problem, hint = _missing_token(installation, token)
            yield finding("environment", "token", title, "failed", f"{problem}; {needed}", hint)


def _short_lived(token: str, hold: int) -> Finding:
    life, wait = duration_text(APP_TOKEN_LIFE), duration_text(hold)
    message = f"{token} is a GitHub App's token, which lives for {life}, and a run waits for up to {wait}: "
    message += "what falls due after the token's end is left to the next run"
    hint = f"set SCHEDULER_HOLD to `55m` or less, or name a file that is renewed in {token}{FILE_SUFFIX}"
    return finding("environment", "token", f"{token} outlives a run", "warning", message, hint)


def _missing_token(installation: Installation, token: str) -> tuple[str, str]:
    """Why a token counts as not set, and what to do; shows nothing of what is there in its place."""
    environ, file = installation.repository.environ, f"{token}{FILE_SUFFIX}"
    if environ.get(token, "").strip():
        problem = f"{token} does not look like a token: it contains whitespace or an unexpected character"
        return problem, f"set {token} to the token alone"
    if environ.get(file, "").strip():
        problem = f"the file that {file} names does not contain a token"
        return problem, "check that it exists, can be read, and contains the token alone"
    default, other = DEFAULT_TOKENS
    problem = f"neither {default} nor {other} is set" if token == default else f"{token} is not set"
    return problem, f"set {token}, or set {file} to the path of a file that contains it"


def notifications(installation: Installation) -> Iterator[Finding]:
    """Each name in `notify` has to be set."""
    for name in installation.declared.settings.notify:
        title = f"{name} is set"
        if name in installation.surroundings.tokens:
            yield finding("environment", "notify", title, "ok", "`notify` in scheduler.yaml names it")
        else:
            message = f"{name} is not set, so no notification is sent to it"
            hint = f"set {name} or {name}{FILE_SUFFIX}, or remove it from `notify` in scheduler.yaml"
            yield finding("environment", "notify", title, "failed", message, hint)
