"""Checks of every channel that has a repository, and of the clock, since the servers send the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from scheduler.app.doctor.installation import Installation, finding
from scheduler.delivery import CLOCK_TOLERANCE
from scheduler.delivery.dispatcher import Check
from scheduler.errors import Error
from scheduler.reporting.doctor_text import Finding, Verdict
from scheduler.state.record import Intent
from scheduler.times import Instant, duration_text, instant_text

_RETRACTS = " retract"
"""After the name of a channel, which has no space in it: the event that takes a publication back."""


def clock_and_channels(installation: Installation) -> Iterator[Finding]:
    """The clock first; then the channels by name. All repositories are asked at once."""
    declared, clock = installation.declared, installation.repository.clock
    unasked: dict[str, Finding] = {}
    intents: dict[str, Intent] = {}
    stems = {stem for kind, stem in declared.files if kind == "channel"}
    for name in sorted(stems if installation.only is None else stems & installation.only):
        reason = _why_not_asked(installation, name)
        if reason is not None:
            unasked[name] = Finding("channel", name, "channel", "it can be checked", *reason)
        elif declared.channels[name].repository is not None:
            intents[name] = _intent(installation, name)
            if declared.channels[name].retract is not None:
                intents[name + _RETRACTS] = msgspec.structs.replace(
                    intents[name], event_type=declared.channels[name].retract, retracts=True, confirm="run"
                )
    begun = clock.now()
    asked: dict[str, Sequence[Check]] = {}
    for package in dict.fromkeys(intent.traits.package for intent in intents.values()):
        some = {name: intent for name, intent in intents.items() if intent.traits.package == package}
        try:
            dispatcher = installation.repository.dispatcher(next(iter(some.values())), declared.settings)
            asked |= dispatcher.inspect(some)
        except Error as problem:  # the operator's GITHUB_API_URL
            asked |= dict.fromkeys(some, (Check("repository", False, problem.message, problem.hint),))
    yield _clock(installation, begun, asked)
    for name in sorted({*unasked, *asked}):
        if name in unasked:
            yield unasked[name]
        else:
            checks = asked[name]
            if name.endswith(_RETRACTS):  # the rest is as for its publications
                checks = [check for check in checks if check.name in ("workflow", "key")]
            yield from (_finding(name.removesuffix(_RETRACTS), intents[name], check) for check in checks)


def _why_not_asked(installation: Installation, name: str) -> tuple[Verdict, str, str | None] | None:
    """Verdict, message and hint for a channel that is not asked; None for one that is."""
    declared, surroundings = installation.declared, installation.surroundings
    channel = declared.channels.get(name)
    if channel is None:
        message = f"{declared.files['channel', name]} cannot be read"
        return "failed", message, "run `scheduler validate` to see why"
    if not channel.active:
        return "skipped", "it is not active", None
    if name in declared.refused:
        message = f"the repository {channel.repository} is not allowed, so no token is sent to it"
        hint = f"add {channel.repository} to `allow` in scheduler.yaml, and to SCHEDULER_ALLOW if that is set"
        return "failed", message, hint
    token = surroundings.token_for(channel)
    if token is not None and token not in surroundings.tokens:
        return "skipped", f"{token} is not set", None
    return None


def _intent(installation: Installation, name: str) -> Intent:
    """The intent that a publication of the channel would have, as far as checks read it."""
    declared = installation.declared
    channel, now = declared.channels[name], instant_text(installation.repository.clock.now())
    return Intent(
        owner="doctor",
        at=now,
        key="",
        not_after=now,
        transport=channel.transport,
        confirm=channel.confirm,
        delivery=channel.delivery,
        repository=channel.repository,
        event_type=channel.event_type or declared.settings.event_type,
        workflow=channel.workflow,
        token=installation.surroundings.token_for(channel),
    )


def _finding(name: str, intent: Intent, check: Check) -> Finding:
    trigger = intent.transport if intent.traits.names_workflow else intent.event_type
    titles: Mapping[str, str] = {
        "repository": f"{intent.repository} exists",
        "token": f"{intent.token} may dispatch",
        "workflow": f"a workflow listens to {trigger}",
        "key": f"its run name contains the key{' and `retract`' if intent.retracts else ''}",
        "claim": "it claims the key",
    }
    verdict: Verdict = "unknown" if check.ok is None else "ok" if check.ok else "failed"
    # a run that cannot be found again only leaves an unknown outcome unknown, unless these rely on finding it
    needs_run = intent.confirm == "run" or intent.delivery == "at-least-once"
    if (verdict, check.name) == ("failed", "key") and not needs_run:
        verdict = "warning"
    if (verdict, check.name) == ("unknown", "claim"):
        verdict = "warning"
    return Finding("channel", name, check.name, titles[check.name], verdict, check.message, check.hint)


def _clock(installation: Installation, begun: Instant, asked: Mapping[str, Sequence[Check]]) -> Finding:
    """This machine's clock, which went from `begun` to now, against the times that the servers sent."""
    title, clock = "this machine's clock is right", installation.repository.clock
    ended = clock.now()
    if not clock.is_real:
        return finding("clock", "clock", title, "skipped", "`--now` sets it")
    times = [
        check.server_time for checks in asked.values() for check in checks if check.server_time is not None
    ]
    if not times:
        return finding("clock", "clock", title, "skipped", "no server was asked")
    # seconds that the clock was certainly ahead: each answer came at some time from `begun` to `ended`
    ahead = max((begun - time if time < begun else min(ended - time, 0) for time in times), key=abs)
    apart = duration_text(abs(ahead))
    if abs(ahead) <= CLOCK_TOLERANCE:
        return finding("clock", "clock", title, "ok", f"it differs from the server's by {apart}")
    side = "ahead of" if ahead > 0 else "behind"
    message = f"it is {apart} {side} the server's: publications would be sent at the wrong time"
    return finding("clock", "clock", title, "failed", message, "set the clock (ntp)")
