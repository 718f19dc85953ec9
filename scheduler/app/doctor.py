"""Asks whether everything that a run relies on is there, without recording or sending anything.

Each check is one `Finding`. Nothing is asked of a repository that is not allowed: the question itself
would carry a token there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from scheduler import desired
from scheduler.app.environment import FILE_SUFFIX
from scheduler.app.repository import Repository, demand_lineage
from scheduler.delivery import CLOCK_TOLERANCE
from scheduler.delivery.dispatcher import Check
from scheduler.delivery.queue.celery import Broker
from scheduler.delivery.queue.sqlite import SqliteQueue
from scheduler.desired.declarations import Declarations
from scheduler.diagnostics import Diagnostic
from scheduler.errors import Error, StateError, StateMissing
from scheduler.planning.plan import DEFAULT_TOKENS, Surroundings
from scheduler.planning.reconcile import reconcile
from scheduler.planning.rows import is_dead_letter, waits_for_worker
from scheduler.reporting.findings import Finding, Verdict
from scheduler.state.intent import intent_for
from scheduler.state.record import Intent, Record, State
from scheduler.times import Instant, duration_text, instant_text, read_utc, zone_release

MOST_NAMED = 5
"""Names of a longer list that a message repeats."""
NOT_TAKEN = 5 * 60
"""Seconds after which a job that no worker has taken is worth a word."""


class Examination(msgspec.Struct, frozen=True):
    """All findings, in the order in which they are told."""

    findings: Sequence[Finding]
    is_state_out_of_reach: bool = False
    """The state is there and cannot be reached or trusted. One that is not there yet has merely failed."""


class _Recorded(msgspec.Struct, frozen=True):
    """The state and its archive where they can be read, and what is to be told of them."""

    findings: Sequence[Finding]
    state: State | None = None
    archive: Mapping[str, Record] = {}
    is_out_of_reach: bool = False


def examine(repository: Repository) -> Examination:
    """Ask everything. Raises Error where there is no repository to ask about."""
    sources = repository.sources()
    settings = repository.settings(sources)
    recorded = _Recorded(()) if settings is None else _recorded(repository, settings)
    now, surroundings = repository.clock.now(), repository.surroundings()
    reconciled = reconcile(sources, recorded.state, recorded.archive, now, surroundings, only_check=True)
    findings = [_files(reconciled.diagnostics)]
    declared = reconciled.declared
    if declared is not None:
        findings += [
            _zones(),
            *_settings(declared, surroundings),
            *recorded.findings,
            *_homes(repository, declared.settings),
            *_tokens(repository, declared, surroundings),
            *_notifications(declared.settings, surroundings),
            *_queue(repository, declared, recorded.state),
            *_channels(repository, declared, surroundings),
        ]
    return Examination(findings, recorded.is_out_of_reach)


def _zones() -> Finding:
    release = zone_release()
    return _found("zone data", "zones", f"tzdata {release}", "ok", f"local times follow tzdata {release}")


def _found(
    about: str, check: str, title: str, verdict: Verdict, message: str, hint: str | None = None
) -> Finding:
    return Finding("installation", about, check, title, verdict, message, hint)


# --- files and settings -------------------------------------------------------------------------------


def _files(diagnostics: Sequence[Diagnostic]) -> Finding:
    """Only whether there are problems: telling them is the business of `validate`."""
    errors = sum(fault.is_error for fault in diagnostics)
    warnings = len(diagnostics) - errors
    if not diagnostics:
        return _found("files", "files", "what is declared is valid", "ok", "no error and no warning")
    words = ", ".join(
        f"{number} {noun}" if number == 1 else f"{number} {noun}s"
        for number, noun in ((errors, "error"), (warnings, "warning"))
        if number
    )
    verdict: Verdict = "failed" if errors else "warning"
    hint = "`scheduler validate` tells them with their places"
    return _found("files", "files", "what is declared is valid", verdict, words, hint)


def _settings(declared: Declarations, surroundings: Surroundings) -> Iterator[Finding]:
    title = "the repositories of channels are limited"
    if declared.settings.allow:
        yield _found("settings", "allow", title, "ok", f"`allow` lists {_listed(declared.settings.allow)}")
    elif surroundings.allow is not None:
        words = f"SCHEDULER_ALLOW lists {_listed(surroundings.allow)}"
        yield _found("settings", "allow", title, "ok", words)
    else:
        owners = sorted(
            {
                channel.repository.partition("/")[0]
                for channel in declared.channels.values()
                if channel.repository
            }
        )
        patterns = ", ".join(f"{owner}/*" for owner in owners) or "acme/*"
        words = "`allow` is empty: whoever may change a channel can point it, and its token, anywhere"
        yield _found(
            "settings", "allow", title, "warning", words, f"write `allow: [{patterns}]` into scheduler.yaml"
        )
    if surroundings.stopped:
        words = "SCHEDULER_PAUSED is set: nothing is sent"
        hint = "unset SCHEDULER_PAUSED, or leave it if it is meant"
        yield _found("settings", "paused", "the operator lets it send", "warning", words, hint)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


# --- the state ----------------------------------------------------------------------------------------


def _recorded(repository: Repository, settings: desired.SettingsSpec) -> _Recorded:
    store = repository.store(settings)
    title = f"{store.name} can be read"
    try:
        state = store.load().state
        demand_lineage(state, settings, store.name)
        archive = store.load_archive()
    except StateError as problem:
        told = _found("state", "state", title, "failed", str(problem), problem.hint)
        return _Recorded([told], is_out_of_reach=not isinstance(problem, StateMissing))
    live = sum(record.is_live for record in state.schedules.values())
    words = f"serial {state.serial}, {len(state.schedules)} schedules, {live} of them live"
    findings = [_found("state", "state", title, "ok", words), _lineage(state, settings)]
    return _Recorded(findings, state, archive)


def _lineage(state: State, settings: desired.SettingsSpec) -> Finding:
    title = "its lineage is pinned"
    if settings.lineage is not None:
        return _found("state", "lineage", title, "ok", f"it is {state.lineage}, as scheduler.yaml says")
    words = "another record in its place would not be noticed"
    return _found(
        "state", "lineage", title, "warning", words, f"write `lineage: {state.lineage}` into scheduler.yaml"
    )


def _homes(repository: Repository, settings: desired.SettingsSpec) -> Iterator[Finding]:
    """Tell only where a run would refuse them."""
    try:
        repository.demand_lasting_homes(settings)
    except Error as problem:
        title = "the record outlives this machine"
        yield _found("state", "home", title, "failed", str(problem), problem.hint)


# --- the environment ----------------------------------------------------------------------------------


def _tokens(repository: Repository, declared: Declarations, surroundings: Surroundings) -> Iterator[Finding]:
    """Each token by its name, with who needs it."""
    users: dict[str, list[str]] = {}
    for name, channel in sorted(declared.channels.items()):
        token = surroundings.token_for(channel)
        if token is not None and channel.active:
            users.setdefault(token, []).append(name)
    for token, channels in sorted(users.items()):
        title = f"{token} is set"
        needed = f"needed by {_listed(channels)}"
        if token in surroundings.tokens:
            yield _found("environment", "token", title, "ok", needed)
            continue
        words, hint = _missing(repository, token)
        yield _found("environment", "token", title, "failed", f"{words}; {needed}", hint)


def _missing(repository: Repository, token: str) -> tuple[str, str]:
    """Why a token counts as not set, without a word of what is there in its place; and what to do."""
    file = f"{token}{FILE_SUFFIX}"
    if repository.environ.get(token, "").strip():
        return f"what {token} holds is no token", "it has a blank, a line break or a letter that no token has"
    if repository.environ.get(file, "").strip():
        return (
            f"there is no token in the file that {file} names",
            "see that it is there, may be read, and is text",
        )
    nor = f" (and no {DEFAULT_TOKENS[1]})" if token == DEFAULT_TOKENS[0] else ""
    return f"there is no {token}{nor}", f"set it, or name a file that holds it in {file}"


def _notifications(settings: desired.SettingsSpec, surroundings: Surroundings) -> Iterator[Finding]:
    for name in settings.notify:
        title = f"{name} is set"
        if name in surroundings.tokens:
            yield _found("environment", "notify", title, "ok", "`notify` in scheduler.yaml names it")
        else:
            words = f"there is no {name}, so nobody is notified by it"
            hint = (
                f"set it, or take it out of `notify` in scheduler.yaml; {name}{FILE_SUFFIX} may name a file"
            )
            yield _found("environment", "notify", title, "failed", words, hint)


# --- the queue ----------------------------------------------------------------------------------------


def _queue(repository: Repository, declared: Declarations, state: State | None) -> Iterator[Finding]:
    """Where a channel has no repository: whether jobs can be put on the queue, and what became of the old
    ones."""
    if all(channel.repository is not None for channel in declared.channels.values()):
        return
    title = "it takes jobs"
    try:
        queue = repository.queue(declared.settings)
        queue.check()
        yield _found("queue", "queue", title, "ok", f"the queue {queue.name} takes jobs")
        if state is None:
            return
        yield _workers(queue, state, repository.clock.now())
        yield _dead_letters(state)
        yield _strays(queue, state)
    except Error as problem:
        yield _found("queue", "queue", title, "failed", str(problem), problem.hint)


def _workers(queue: SqliteQueue | Broker, state: State, now: Instant) -> Finding:
    """Whether somebody takes the jobs."""
    title = "workers take its jobs"
    waiting = {
        intent.job_id or schedule_id: read_utc(intent.at)
        for schedule_id, record in state.schedules.items()
        if (intent := record.intent) is not None and waits_for_worker(record)
    }
    if isinstance(queue, SqliteQueue):  # it keeps its own book of who works on what
        waiting = {i: waiting[i] for i, job in queue.find(waiting).items() if not job.attempts}
    late = sorted((at, job) for job, at in waiting.items() if now - at > NOT_TAKEN)
    if not late:
        return _found(
            "queue", "workers", title, "ok", f"no job waits for longer than {duration_text(NOT_TAKEN)}"
        )
    names = _listed([job for _, job in late])
    words = f"{_jobs(len(late))} taken by no worker, the first since {instant_text(late[0][0])}: {names}"
    hint = "start `scheduler worker` for this queue, or look why the one that runs takes none"
    return _found("queue", "workers", title, "warning", words, hint)


def _dead_letters(state: State) -> Finding:
    title = "no job is a dead letter"
    dead = {i: record for i, record in state.schedules.items() if is_dead_letter(record)}
    if not dead:
        return _found("queue", "jobs", title, "ok", "every job that ended was done")
    latest = sorted(dead, key=lambda i: dead[i].history[-1].at if dead[i].history else "", reverse=True)
    names = _listed([f"{i} ({dead[i].reason})" for i in latest])
    words = f"{_jobs(len(dead))} given up for good; the latest first: {names}"
    hint = "`scheduler show ID` says of each what happened and what to do"
    return _found("queue", "jobs", title, "warning", words, hint)


def _strays(queue: SqliteQueue | Broker, state: State) -> Finding:
    """What lies on the queue and is none of ours."""
    title = "everything on it is of this record"
    if isinstance(queue, SqliteQueue):
        strays = queue.unknown_jobs()
        found, names = len(strays), f": {_listed([job.job_id for job in strays])}" if strays else ""
        hint = "find out who else uses the file; what was put aside is forgotten after 7 days"
    else:
        found, names = queue.count_dead_letters(state.lineage), ""
        hint = (
            f"look at them, and find out who sends them; to throw them away: {queue.removal(state.lineage)}"
        )
    if not found:
        return _found("queue", "strays", title, "ok", "no job was set aside")
    words = f"{_jobs(found)} set aside: they are not in the state{names}"
    return _found("queue", "strays", title, "warning", words, hint)


def _jobs(number: int) -> str:
    return "1 job was" if number == 1 else f"{number} jobs were"


# --- the channels -------------------------------------------------------------------------------------


def _channels(
    repository: Repository, declared: Declarations, surroundings: Surroundings
) -> Iterator[Finding]:
    """Every channel that has a repository; and the clock, since their servers tell the time."""
    unasked: dict[str, Finding] = {}
    intents: dict[str, Intent] = {}
    for name in sorted(stem for kind, stem in declared.files if kind == "channel"):
        reason = _why_not_asked(declared, surroundings, name)
        if reason is not None:
            unasked[name] = Finding("channel", name, "channel", "it can be asked", *reason)
        elif declared.channels[name].repository is not None:
            intents[name] = _intent(declared, name, surroundings, repository.clock.now())
    begun = repository.clock.now()
    asked = _ask(repository, declared.settings, intents)
    yield _clock(repository, begun, asked)
    for name in sorted({*unasked, *asked}):
        if name in unasked:
            yield unasked[name]
        else:
            yield from (_finding(name, intents[name], check) for check in asked[name])


def _why_not_asked(
    declared: Declarations, surroundings: Surroundings, name: str
) -> tuple[Verdict, str, str | None] | None:
    """What to say of a channel that is not asked; None of one that is."""
    channel = declared.channels.get(name)
    if channel is None:
        return "failed", f"{declared.files['channel', name]} cannot be read", "`scheduler validate` tells why"
    if not channel.active:
        return "skipped", "it is not active", None
    if name in declared.refused:
        words = f"the repository {channel.repository} is not allowed, so no token is shown to it"
        return (
            "failed",
            words,
            "an operator has to add it to `allow` in scheduler.yaml, and to SCHEDULER_ALLOW",
        )
    token = surroundings.token_for(channel)
    if token is not None and token not in surroundings.tokens:
        return "skipped", f"there is no {token}", None
    return None


def _intent(declared: Declarations, name: str, surroundings: Surroundings, now: Instant) -> Intent:
    """The intent that a publication of the channel would have, as far as it is asked about."""
    channel = declared.channels[name]
    return intent_for(
        channel,
        declared.settings,
        owner="doctor",
        at=instant_text(now),
        key="",
        not_after=instant_text(now),
        token=surroundings.token_for(channel),
    )


def _ask(
    repository: Repository, settings: desired.SettingsSpec, intents: Mapping[str, Intent]
) -> Mapping[str, Sequence[Check]]:
    """Ask all repositories at once."""
    if not intents:
        return {}
    try:
        return repository.way(next(iter(intents.values())), settings).inspect(intents)
    except Error as problem:  # the operator's GITHUB_API_URL
        checks = (Check("repository", False, str(problem), problem.hint),)
        return dict.fromkeys(intents, checks)


def _finding(name: str, intent: Intent, check: Check) -> Finding:
    event = intent.event_type if intent.transport == "repository_dispatch" else "workflow_dispatch"
    titles: Mapping[str, str] = {
        "repository": f"{intent.repository} is there",
        "token": f"{intent.token} may dispatch",
        "workflow": f"a workflow listens to {event}",
        "key": "its run name carries the key",
        "claim": "it claims the key",
    }
    verdict: Verdict = {True: "ok", False: "failed", None: "unknown"}[check.ok]  # type: ignore[assignment] # these three
    if check.ok is False and check.name == "key" and not _needs_the_run(intent):
        verdict = "warning"
    if check.ok is None and check.name == "claim":
        verdict = "warning"
    return Finding("channel", name, check.name, titles[check.name], verdict, check.words, check.hint)


def _needs_the_run(intent: Intent) -> bool:
    """Whether a run that cannot be found again is more than an unknown outcome that stays unknown."""
    return intent.confirm == "run" or intent.delivery == "at-least-once"


def _clock(repository: Repository, begun: Instant, asked: Mapping[str, Sequence[Check]]) -> Finding:
    """This machine's clock against what the servers said while it went from `begun` to now."""
    title = "this machine's clock is right"
    ended = repository.clock.now()
    if not repository.clock.is_real:
        return _found("clock", "clock", title, "skipped", "`--now` set it")
    told = [check.server_time for checks in asked.values() for check in checks]
    times = [time for time in told if time is not None]
    if not times:
        return _found("clock", "clock", title, "skipped", "no server was asked")
    ahead = max((_ahead(begun, ended, time) for time in times), key=abs)
    if abs(ahead) <= CLOCK_TOLERANCE:
        return _found(
            "clock", "clock", title, "ok", f"it differs from the server's by {duration_text(abs(ahead))}"
        )
    side = "ahead of" if ahead > 0 else "behind"
    words = (
        f"it is {duration_text(abs(ahead))} {side} the server's: publications would leave at the wrong time"
    )
    return _found("clock", "clock", title, "failed", words, "set the clock (ntp)")


def _ahead(begun: Instant, ended: Instant, time: Instant) -> int:
    """The seconds, for certain, that a clock was ahead which went from `begun` to `ended` around `time`."""
    return begun - time if time < begun else min(ended - time, 0)
