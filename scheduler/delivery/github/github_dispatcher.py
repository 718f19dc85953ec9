"""The dispatcher of channels that have a repository: dispatches and queries, over connections of our own.

A dispatch is one POST that nothing repeats or redirects, and its answer is judged by
`scheduler.delivery.github.responses`. A query (runs, readiness) is a GET of
`scheduler.delivery.github.queries`. Both share the trust store, the timeouts and the strict reader of
`scheduler.delivery.github.http_connection`.

No token is kept: each request asks `token` for the value of the environment variable that the intent
names (None where the channel names none). Values that were read are remembered only to be struck out of
messages.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TypeVar

import msgspec

from scheduler.delivery.dispatcher import Check, Readiness, Request
from scheduler.delivery.github.api_url import read_api_url
from scheduler.delivery.github.dispatch_events import compact_json, event_of
from scheduler.delivery.github.http_burst import ANSWER_TIMEOUT, AT_ONCE, CONNECT_TIMEOUT, HttpBurst, trust
from scheduler.delivery.github.http_connection import Headers, Outcome, Outgoing, Reply
from scheduler.delivery.github.preflight import inspect, lacks_key, readiness
from scheduler.delivery.github.proxy import proxy_for
from scheduler.delivery.github.queries import ApiReader, Query
from scheduler.delivery.github.refusal_hints import forbidden_hint, where_token_ended
from scheduler.delivery.github.responses import (
    Scrub,
    judge,
    refuses_run_details,
    scrubber,
    server_time,
    summary,
)
from scheduler.delivery.github.workflow_runs import find_runs
from scheduler.state.answers import Answer, LookupResult
from scheduler.state.record import Intent
from scheduler.times import Instant

API_VERSION = "2022-11-28"
USER_AGENT = "wave-scheduler"
ACCEPT = "application/vnd.github+json"
DEFAULT_TOKENS = "SCHEDULER_TOKEN or GITHUB_TOKEN"
"""The variables of channels that name none, for messages."""
QUERY_THREADS = 16
BRANCH_TIMEOUT = 5.0
"""Seconds that a burst waits for default branches, so that one silent repository cannot hold it up."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+")

A = TypeVar("A")
Branch = tuple[str, str | None]
"""A repository and the name of its token: the key under which a default branch is remembered."""


class TokenError(ValueError):
    """A token that is not set or not valid; the message never holds its value."""


def read_token(value: str | None, name: str | None) -> str:
    """The token in an environment variable's value, without the whitespace that pasting leaves around it.

    Raises TokenError where it is not set, or where a header cannot carry it.
    """
    shown = name or DEFAULT_TOKENS
    token = (value or "").strip()
    if not token:
        raise TokenError(f"no token: {shown} is not set")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise TokenError(
            f"{shown} does not look like a token: it contains whitespace or an unexpected character"
        )
    return token


class _Composed(msgspec.Struct, frozen=True):
    """A request and the POST that carries it."""

    request: Request
    outgoing: Outgoing
    asked_for_run: bool


class GitHubDispatcher:
    """Sends to channels that have a repository, and queries them.

    `api_url`: GITHUB_API_URL (raises Error where it may not be used).
    `token`: from the environment variable's name in the intent to its value.
    `now`: the scheduler's clock, to which a wait that GitHub asks for is added; without it, GitHub's own.
    `environ`: where HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are read (raises Error for an unusable value).
    The timeouts are seconds on the monotonic clock; `at_once` is a number of connections.
    """

    def __init__(
        self,
        api_url: str,
        token: Callable[[str | None], str | None],
        *,
        now: Callable[[], Instant] | None = None,
        environ: Mapping[str, str] | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        at_once: int = AT_ONCE,
    ) -> None:
        self._url = read_api_url(api_url)
        self._token, self._now = token, now
        context: ssl.SSLContext | None = trust(environ or {}) if self._url.scheme == "https" else None
        self._new_burst = partial(
            HttpBurst, self._url, connect_timeout=connect_timeout, answer_timeout=answer_timeout,
            context=context, proxy=proxy_for(self._url, environ or {}),
        )  # fmt: skip
        self._burst = self._new_burst(at_once=at_once)
        self._secrets: set[str] = set()
        self._ended: dict[tuple[str | None, str | None], tuple[str, str]] = {}
        """Tokens that are not accepted, by name and owner: the value, and what the server said."""
        self._branches: dict[Branch, str] = {}
        self._keyless: dict[tuple[str | None, ...], bool] = {}
        self._run_details = True
        self._patience = float("inf")

    # --- sending ---

    def prepare(self, requests: Sequence[Request]) -> None:
        """Ask for the default branches that are needed, and open connections. Never raises or dispatches."""
        self._learn_branches(requests)
        self._burst.prepare(len(requests))

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Make one dispatch each, begun in the order given; yield answers as they come.

        What cannot be sent (no token, no default branch) is answered after the rest.
        """
        failed = self._learn_branches(requests)
        composed: list[_Composed] = []
        unsent: list[tuple[Request, Answer]] = []
        for request in requests:
            ready = failed.get(_branch_of(request.intent)) or self._compose(request)
            if isinstance(ready, Answer):
                unsent.append((request, ready))
            else:
                composed.append(ready)
        yield from self._exchange(composed)
        yield from unsent

    def _exchange(self, composed: Sequence[_Composed]) -> Iterator[tuple[Request, Answer]]:
        """Send and judge. A server that refuses `return_run_details` by name gets the request without it.

        That refusal rejects the form of the request and starts nothing, so the second POST is still the
        intent's one dispatch. The dispatcher remembers it for later requests.
        """
        again: list[_Composed] = []
        for index, outcome in self._burst.exchange([one.outgoing for one in composed]):
            one = composed[index]
            if one.asked_for_run and isinstance(outcome, Reply) and refuses_run_details(outcome):
                self._run_details = False
                again.append(one)
            else:
                yield one.request, self._judge(one, outcome)
        if again:
            yield from self._exchange([_without_run_details(one) for one in again])

    def _judge(self, one: _Composed, outcome: Outcome) -> Answer:
        intent = one.request.intent
        if isinstance(outcome, Reply) and outcome.status == 422:
            self._branches.pop(
                _branch_of(intent), None
            )  # the branch may have been renamed: ask again next time
        return self._verdict(intent, one.outgoing, outcome, asked_for_run=one.asked_for_run)

    def _verdict(
        self, intent: Intent, request: Outgoing, outcome: Outcome, *, asked_for_run: bool = False
    ) -> Answer:
        hint = _hint(intent, outcome) if isinstance(outcome, Reply) else None
        ended = self._note_token(intent, request, outcome)
        return judge(
            outcome, self._scrub(), asked_for_run=asked_for_run, hint=hint, token_ended=ended,
            now=self._time(),
        )  # fmt: skip

    def _compose(self, request: Request) -> _Composed | Answer:
        """The one POST of an intent, or why there is none."""
        intent = request.intent
        event = event_of(intent)
        with_run = intent.traits.names_workflow and self._run_details
        branch = self._branches.get(_branch_of(intent))
        try:
            headers = (*self._headers(intent), ("Content-Type", "application/json"))
            target, body = event.request(request.payload, branch, with_run=with_run)
            target = _path_of(intent) + target
        except (ValueError, TypeError, RecursionError) as problem:
            return self._not_sent(problem)
        outgoing = Outgoing(method="POST", target=target, headers=headers, body=body)
        return _Composed(request, outgoing, with_run)

    def _not_sent(self, problem: Exception) -> Answer:
        error = self._scrub()(f"nothing was sent: {problem}")
        if isinstance(problem, TokenError):  # it waits, as where that is known beforehand
            return Answer(verdict="not-now", error=error, token_ended=True)
        return Answer(verdict="refused", error=error)

    def _headers(self, intent: Intent) -> Headers:
        """Raises TokenError where there is no token, and where its value is not accepted any more."""
        name = intent.token
        token = read_token(self._token(name), name)
        self._secrets.add(token)
        for owner in (None, _owner_of(intent)):
            value, message = self._ended.get((name, owner), ("", ""))
            if value == token:
                raise TokenError(message)
        return (
            ("Accept", ACCEPT),
            ("X-GitHub-Api-Version", API_VERSION),
            ("User-Agent", USER_AGENT),
            ("Authorization", f"Bearer {token}"),
        )

    def _note_token(self, intent: Intent, request: Outgoing, outcome: Outcome) -> bool:
        """Whether the answer says that the token is not accepted; then it is used for nothing else."""
        where = where_token_ended(outcome)
        if where is None or not isinstance(outcome, Reply):
            return False
        value = dict(request.headers)["Authorization"].removeprefix("Bearer ")
        hint = _hint(intent, outcome)
        message = self._scrub()(f"{summary(outcome)}; {hint}" if hint else summary(outcome))
        self._ended[intent.token, _owner_of(intent) if where == "owner" else None] = value, message
        return True

    def ended_tokens(self) -> Mapping[tuple[str, str | None], str]:
        """What servers said of tokens whose value is still the one that was not accepted."""
        return {
            (name, owner): message
            for (name, owner), (value, message) in self._ended.items()
            if name is not None and (self._token(name) or "").strip() == value
        }

    def _learn_branches(self, requests: Sequence[Request]) -> dict[Branch, Answer]:
        """Ask for default branches that are needed and not known; return the answers for those that fail.

        A query changes nothing, so where its outcome is unknown the dispatch is merely not now.
        """
        missing = {
            _branch_of(request.intent): request.intent
            for request in requests
            if request.intent.traits.names_workflow and _branch_of(request.intent) not in self._branches
        }
        asked: list[tuple[Branch, Intent]] = []
        outgoing: list[Outgoing] = []
        failed: dict[Branch, Answer] = {}
        for branch, intent in missing.items():
            try:
                path, headers = _path_of(intent), self._headers(intent)
            except ValueError as problem:
                failed[branch] = self._not_sent(problem)
                continue
            asked.append((branch, intent))
            outgoing.append(Outgoing(method="GET", target=path, headers=headers))
        patience = min(BRANCH_TIMEOUT, self._burst.answer_timeout)
        for index, outcome in self._burst.exchange(outgoing, answer_timeout=patience) if outgoing else ():
            branch, intent = asked[index]
            name = _default_branch(outcome)
            if name is None:
                failed[branch] = self._not_learned(intent, outgoing[index], outcome)
            else:
                self._branches[branch] = name
        return failed

    def _not_learned(self, intent: Intent, request: Outgoing, outcome: Outcome) -> Answer:
        answer = self._verdict(intent, request, outcome)
        verdict = answer.verdict if answer.verdict == "refused" else "not-now"
        message = self._scrub()(f"{answer.error or 'no answer'}; the default branch is not known")
        return msgspec.structs.replace(answer, verdict=verdict, error=message)

    # --- queries ---

    def server_time(self) -> Instant | None:
        """The server's clock, asked without a token; None where it does not answer. Never raises."""
        headers = (("Accept", ACCEPT), ("User-Agent", USER_AGENT))
        asked = Outgoing(method="GET", target="/rate_limit", headers=headers)
        patience = min(BRANCH_TIMEOUT, self._burst.answer_timeout)
        for _, outcome in self._burst.exchange([asked], answer_timeout=patience):
            if isinstance(outcome, Reply):  # a refusal has a `Date` as well
                return server_time(outcome.headers)
        return None

    def look_up(
        self, intents: Mapping[str, Intent], run_ids: Mapping[str, int] | None = None
    ) -> Mapping[str, LookupResult]:
        """What became of each intent; `run_ids` where the run is known already. Never raises.

        One listing serves all intents of a repository, an event and a token; repositories are queried
        concurrently.
        """

        def look_up_group(query: Query, group: Mapping[str, Intent]) -> Mapping[str, LookupResult]:
            found = find_runs(query, group, run_ids or {}, self._scrub())
            for name, intent in group.items():
                in_vain = not found[name].runs and found[name].error is None
                if in_vain and intent.delivery == "at-least-once" and self._is_keyless(query, intent):
                    found[name] = msgspec.structs.replace(found[name], is_keyless=True)
            return found

        return self._query_all(
            intents,
            lambda intent: (intent.repository, intent.transport, intent.token),
            look_up_group,
            lambda problem, is_fault: LookupResult(error=problem, is_fault=is_fault),
            lambda: LookupResult(error="there was no time to ask", is_put_off=True),
        )

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        """Whether each channel could take what these intents describe. Never raises."""
        return {
            schedule_id: readiness(intents[schedule_id], checks)
            if checks
            else Readiness(ready=False, problem="there was no time to ask", is_put_off=True)
            for schedule_id, checks in self.inspect(intents).items()
        }

    def allow(self, seconds: float) -> None:
        """The seconds that the next queries may take in all."""
        self._patience = seconds

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        """Every check of each intent's channel, for `doctor`; none where there was no time to ask.

        Channels are queried concurrently.
        """

        def inspect_group(query: Query, group: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
            checks = inspect(query, next(iter(group.values())), self._scrub())
            return {name: checks for name in group}  # noqa: C420 - a list as a default looks like a slip

        return self._query_all(
            intents,
            lambda intent: (intent.repository, intent.transport, intent.token, *_listener(intent)),
            inspect_group,
            lambda problem, is_fault: [Check("repository" if is_fault else "token", False, problem)],
            lambda: (),
        )  # fmt: skip

    def _is_keyless(self, query: Query, intent: Intent) -> bool:
        """Whether the channel's runs cannot be found at all; asked once in this process."""
        asked = (intent.repository or "", intent.transport, *_listener(intent))
        if asked not in self._keyless:
            self._keyless[asked] = lacks_key(inspect(query, intent, self._scrub()))
        return self._keyless[asked]

    def _query_all(
        self,
        intents: Mapping[str, Intent],
        key: Callable[[Intent], tuple[str | None, ...]],
        query_group: Callable[[Query, Mapping[str, Intent]], Mapping[str, A]],
        failed: Callable[[str, bool], A],
        put_off: Callable[[], A],
    ) -> dict[str, A]:
        """The results for all intents, those with the same `key` queried together, the groups concurrently.

        `failed` makes the result of an intent that cannot be asked about, from the reason, and whether that
        is an error of this program: it is then the trouble of its channel alone. `put_off` makes the result
        of what there was no time for.
        """
        until, self._patience = time.monotonic() + self._patience, float("inf")
        groups: dict[tuple[str | None, ...], dict[str, Intent]] = {}
        for name, intent in intents.items():
            groups.setdefault(key(intent), {})[name] = intent
        found: dict[str, A] = {}
        jobs: list[dict[str, Intent]] = []
        for group in groups.values():
            intent = next(iter(group.values()))
            try:
                _path_of(intent)
                self._headers(intent)
                jobs.append(group)
            except ValueError as problem:
                message = self._scrub()(str(problem))
                found |= {name: failed(message, False) for name in group}

        def query_in_thread(group: dict[str, Intent]) -> Mapping[str, A]:
            intent = next(iter(group.values()))
            with closing(self._new_burst()) as burst:  # an HttpBurst serves one thread
                reader = ApiReader(
                    burst, partial(self._headers, intent), partial(self._note_token, intent), until=until
                )
                try:
                    answers = query_group(reader, group)
                    return {name: put_off() for name in group} if reader.is_cut else answers
                except Exception as fault:  # noqa: BLE001 - whatever it is, the other channels go on
                    message = f"asking {intent.repository} failed unexpectedly ({type(fault).__name__})"
                    return {name: failed(message, True) for name in group}

        with ThreadPoolExecutor(max(1, min(QUERY_THREADS, len(jobs)))) as threads:
            for results in threads.map(query_in_thread, jobs):
                found |= results
        return {name: found[name] for name in intents}

    def close(self) -> None:
        """Hang up on what was prepared and not used."""
        self._burst.close()

    def _scrub(self) -> Scrub:
        return scrubber(self._secrets)

    def _time(self) -> Instant | None:
        return self._now() if self._now is not None else None


def _branch_of(intent: Intent) -> Branch:
    """An empty name where no default branch is needed, so that it is never found among the failed."""
    return (intent.repository or "", intent.token) if intent.traits.names_workflow else ("", None)


def _listener(intent: Intent) -> tuple[str | None, ...]:
    """What decides which workflow of the repository takes the intent, and what is asked of it."""
    return intent.event_type, intent.workflow, intent.delivery


def _owner_of(intent: Intent) -> str:
    return (intent.repository or "").partition("/")[0].lower()


def _path_of(intent: Intent) -> str:
    """`/repos/owner/name`. Raises ValueError for a name that could mean another path."""
    repository = intent.repository or ""
    if not _REPOSITORY.fullmatch(repository) or repository.endswith(("/.", "/..")):
        raise ValueError(f"{repository!r} is not a repository (owner/name)")
    return f"/repos/{repository}"


def _without_run_details(one: _Composed) -> _Composed:
    body = msgspec.json.decode(one.outgoing.body)
    del body["return_run_details"]
    outgoing = msgspec.structs.replace(one.outgoing, body=compact_json(body))
    return msgspec.structs.replace(one, outgoing=outgoing, asked_for_run=False)


def _default_branch(outcome: Outcome) -> str | None:
    if not isinstance(outcome, Reply) or outcome.status != 200 or outcome.truncated:
        return None
    try:
        name = msgspec.json.decode(outcome.body)["default_branch"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and name else None


def _hint(intent: Intent, reply: Reply) -> str | None:
    """What an editor can check after a refusal."""
    token, status = intent.token or DEFAULT_TOKENS, reply.status
    if 300 <= status < 400:
        return (
            f"redirects are not followed: {intent.repository} was probably renamed or transferred; "
            "write its new name in the channel's file"
        )
    if status == 401:
        return f"the token in {token} is wrong or has expired"
    if status == 403:
        right = event_of(intent).right
        return forbidden_hint(reply, repository=intent.repository or "", token=token, right=right)
    if status == 404:
        workflow = f" or its workflow {intent.workflow}" if intent.traits.names_workflow else ""
        return f"{intent.repository}{workflow} does not exist, or the token in {token} has no access to it"
    return None
