"""GitHub: dispatches leave by the lean wire, questions are asked through PyGithub. Its only import.

A dispatch is one POST that nothing repeats or redirects, and its answer is judged by
`scheduler.delivery.github.responses`. Questions (runs, readiness) go through PyGithub's requester, which
speaks over the same strict wire: the same trust store and bounds, no retries, no waiting, no redirects.
PyGithub's objects are not thread-safe, so each thread has its own; it is imported when first asked.

No token is kept: each request asks `token` for the value of the environment variable that the intent
names (None where the channel names none). What was ever read is kept only to be struck out of words.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from scheduler.delivery.dispatcher import Check, Readiness, Request
from scheduler.delivery.github.api_url import ApiUrl, read_api_url
from scheduler.delivery.github.http_burst import ANSWER_TIMEOUT, AT_ONCE, CONNECT_TIMEOUT, Wire, trust
from scheduler.delivery.github.http_connection import Lost, NothingLeft, Outcome, Outgoing, Reply
from scheduler.delivery.github.preflight import inspect, readiness
from scheduler.delivery.github.responses import Scrub, judge, refuses_run_details, scrubber, server_time, told
from scheduler.delivery.github.workflow_runs import Ask, NoAnswerError, Told, sight
from scheduler.state.answers import Answer, Sighting
from scheduler.state.record import Intent
from scheduler.times import Instant

if TYPE_CHECKING:
    from github.Requester import Requester

API_VERSION = "2022-11-28"
USER_AGENT = "wave-scheduler"
ACCEPT = "application/vnd.github+json"
ASKERS = 16
"""Threads that ask at one time."""
BRANCH_TIMEOUT = 5.0
"""Seconds for the default branches that a burst waits for: one silent repository must not hold it long."""
LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer to a question: a hundred runs take about 2 MB."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")

Branch = tuple[str, str | None]
"""A repository and the name of its token: what a default branch is remembered by."""


class TokenError(ValueError):
    """A token that is not set, or no token; the words never hold its value."""


def read_token(value: str | None, name: str | None) -> str:
    """The token in an environment variable's value; white space around it is a slip, and dropped.

    Raises TokenError where there is none, or one that no header may carry.
    """
    shown = name or "SCHEDULER_TOKEN or GITHUB_TOKEN"
    token = (value or "").strip()
    if not token:
        raise TokenError(f"no token: {shown} is not set")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise TokenError(f"the token in {shown} holds a space, a line break or a letter that no token has")
    return token


class _Composed(msgspec.Struct, frozen=True):
    """A request with its bytes to be."""

    request: Request
    outgoing: Outgoing
    asked_for_run: bool


class GitHubDispatcher:
    """The way to channels that have a repository.

    `api_url`: GITHUB_API_URL (raises Error where it may not be used).
    `token`: from the environment variable's name in the intent to its value.
    `now`: the scheduler's own clock, to which a wait that GitHub names is added; without it GitHub's own.
    The bounds are seconds on the monotonic clock, and connections at one time.
    """

    def __init__(
        self,
        api_url: str,
        token: Callable[[str | None], str | None],
        *,
        now: Callable[[], Instant] | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        at_once: int = AT_ONCE,
    ) -> None:
        self._url = read_api_url(api_url)
        self._token, self._now = token, now
        self._context: ssl.SSLContext | None = trust() if self._url.scheme == "https" else None
        self._new_wire = partial(
            Wire, connect_timeout=connect_timeout, answer_timeout=answer_timeout, context=self._context
        )
        self._wire = self._new_wire(self._url, at_once=at_once)
        self._secrets: set[str] = set()
        self._branches: dict[Branch, str] = {}
        self._run_details = True

    # --- sending ---

    def prepare(self, requests: Sequence[Request]) -> None:
        """Learn the default branches that are needed, and open connections. Never raises or dispatches."""
        self._learn_branches(requests)
        self._wire.prepare(len(requests))

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Answer]]:
        """Make one dispatch each, begun in the order given; yield answers as they come.

        What never leaves (no token, no default branch) is told after the rest.
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
        """Send and judge. A server that refuses `return_run_details` by name is asked without it.

        That refusal is a definite no to the form of the request: nothing came of it, so this is still
        the intent's one dispatch. The dispatcher remembers it for those that follow.
        """
        again: list[_Composed] = []
        for index, outcome in self._wire.exchange([one.outgoing for one in composed]):
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
            self._branches.pop(_branch_of(intent), None)  # it may have been renamed: ask again next time
        hint = _hint(intent, outcome.status) if isinstance(outcome, Reply) else None
        return judge(outcome, self._scrub(), asked_for_run=one.asked_for_run, hint=hint, now=self._time())

    def _compose(self, request: Request) -> _Composed | Answer:
        """The one POST of an intent, or why there is none."""
        intent = request.intent
        asked = intent.transport == "workflow_dispatch" and self._run_details
        try:
            headers = self._headers(intent.token)
            target, body = self._dispatch_of(request, asked)
        except (TokenError, ValueError, TypeError, RecursionError) as problem:
            return Answer(verdict="refused", error=self._scrub()(f"nothing was sent: {problem}"))
        headers = (*headers, ("Content-Type", "application/json"))
        return _Composed(request, Outgoing(method="POST", target=target, headers=headers, body=body), asked)

    def _dispatch_of(self, request: Request, asked: bool) -> tuple[str, bytes]:
        """The target and the body of a dispatch. Raises ValueError where the intent cannot be sent."""
        intent, payload = request.intent, dict(request.payload)
        base = _path_of(intent)
        if intent.transport == "repository_dispatch":
            return f"{base}/dispatches", _json({"event_type": intent.event_type, "client_payload": payload})
        if intent.transport != "workflow_dispatch" or not intent.workflow:
            raise ValueError(f"{intent.transport} is no way to GitHub, or its workflow is missing")
        body: dict[str, Any] = {
            "ref": self._branches[_branch_of(intent)],
            "inputs": {"payload": _json(payload).decode()},
        }
        if asked:
            body["return_run_details"] = True
        return f"{base}/actions/workflows/{quote(intent.workflow, safe='')}/dispatches", _json(body)

    def _headers(self, name: str | None) -> tuple[tuple[str, str], ...]:
        """Raises TokenError."""
        token = read_token(self._token(name), name)
        self._secrets.add(token)
        return (
            ("Accept", ACCEPT),
            ("X-GitHub-Api-Version", API_VERSION),
            ("User-Agent", USER_AGENT),
            ("Authorization", f"Bearer {token}"),
        )

    def _learn_branches(self, requests: Sequence[Request]) -> dict[Branch, Answer]:
        """Ask for default branches that are needed and not known; the answers for those that fail.

        A question changes nothing, so where its outcome is unknown the dispatch is merely not now.
        """
        missing = dict.fromkeys(
            _branch_of(request.intent)
            for request in requests
            if request.intent.transport == "workflow_dispatch"
            and _branch_of(request.intent) not in self._branches
        )
        asked: list[tuple[Branch, Intent]] = []
        outgoing: list[Outgoing] = []
        failed: dict[Branch, Answer] = {}
        intents = {_branch_of(request.intent): request.intent for request in requests}
        for branch in missing:
            try:
                path, headers = _path_of(intents[branch]), self._headers(branch[1])
            except (TokenError, ValueError) as problem:
                failed[branch] = Answer(
                    verdict="refused", error=self._scrub()(f"nothing was sent: {problem}")
                )
                continue
            asked.append((branch, intents[branch]))
            outgoing.append(Outgoing(method="GET", target=path, headers=headers))
        patience = min(BRANCH_TIMEOUT, self._wire.answer_timeout)
        for index, outcome in self._wire.exchange(outgoing, answer_timeout=patience) if outgoing else ():
            branch, intent = asked[index]
            name = _default_branch(outcome)
            if name is None:
                failed[branch] = self._not_learned(intent, outcome)
            else:
                self._branches[branch] = name
        return failed

    def _not_learned(self, intent: Intent, outcome: Outcome) -> Answer:
        hint = _hint(intent, outcome.status) if isinstance(outcome, Reply) else None
        answer = judge(outcome, self._scrub(), hint=hint, now=self._time())
        verdict = answer.verdict if answer.verdict == "refused" else "not-now"
        words = self._scrub()(f"{answer.error or 'no answer'}; the default branch could not be asked for")
        return msgspec.structs.replace(answer, verdict=verdict, error=words)

    # --- asking ---

    def server_time(self) -> Instant | None:
        """What the server's clock says, asked without a token; None where it does not say. Never raises."""
        headers = (("Accept", ACCEPT), ("User-Agent", USER_AGENT))
        asked = Outgoing(method="GET", target="/rate_limit", headers=headers)
        patience = min(BRANCH_TIMEOUT, self._wire.answer_timeout)
        for _, outcome in self._wire.exchange([asked], answer_timeout=patience):
            if isinstance(outcome, Reply):  # a refusal tells the time as well
                return server_time(outcome.headers)
        return None

    def look_up(
        self, intents: Mapping[str, Intent], run_ids: Mapping[str, int] | None = None
    ) -> Mapping[str, Sighting]:
        """What became of each intent; `run_ids` where the run is known already. Never raises.

        One listing serves all intents of a repository, an event and a token; repositories are asked
        concurrently.
        """
        groups: dict[tuple[str | None, str, str | None], dict[str, Intent]] = {}
        for schedule_id, intent in intents.items():
            groups.setdefault((intent.repository, intent.transport, intent.token), {})[schedule_id] = intent

        def sight_group(ask: Ask, group: dict[str, Intent]) -> dict[str, Sighting]:
            repository = next(iter(group.values())).repository or ""
            return sight(ask, repository, group, run_ids or {}, self._scrub())

        seen: dict[str, Sighting] = {}
        wanted = list(groups.values())
        for group, found in zip(wanted, self._ask_all(wanted, sight_group), strict=True):
            if isinstance(found, str):
                found = dict.fromkeys(group, Sighting(error=found))
            seen.update(found)
        return seen

    def ask_ready(self, intents: Mapping[str, Intent]) -> Mapping[str, Readiness]:
        """Whether each channel could take what these intents describe. Never raises."""
        return {
            schedule_id: readiness(intents[schedule_id], checks)
            for schedule_id, checks in self.inspect(intents).items()
        }

    def inspect(self, intents: Mapping[str, Intent]) -> Mapping[str, Sequence[Check]]:
        """Every check of each intent's channel, for `doctor`. Channels are asked concurrently."""
        alike: dict[tuple[str | None, ...], dict[str, Intent]] = {}
        for name, intent in intents.items():
            way = (
                intent.repository, intent.transport, intent.token, intent.event_type, intent.workflow,
                intent.delivery,
            )  # fmt: skip
            alike.setdefault(way, {})[name] = intent

        def inspect_group(ask: Ask, group: dict[str, Intent]) -> dict[str, Sequence[Check]]:
            checks = inspect(ask, next(iter(group.values())), self._scrub())
            return {name: checks for name in group}  # noqa: C420 - a list as a default looks like a slip

        seen: dict[str, Sequence[Check]] = {}
        wanted = list(alike.values())
        for group, found in zip(wanted, self._ask_all(wanted, inspect_group), strict=True):
            if isinstance(found, str):
                found = {name: [Check("token", False, found)] for name in group}
            seen.update(found)
        return seen

    def _ask_all(
        self,
        groups: Sequence[dict[str, Intent]],
        answer: Callable[[Ask, dict[str, Intent]], dict[str, Any]],
    ) -> list[dict[str, Any] | str]:
        """The answer for each group, concurrently; words where it cannot even be asked."""
        found: list[dict[str, Any] | str] = ["" for _ in groups]
        jobs: list[tuple[int, Ask]] = []
        for index, group in enumerate(groups):
            intent = next(iter(group.values()))
            try:
                _path_of(intent)
                jobs.append((index, self._asker(self._headers(intent.token))))
            except (TokenError, ValueError) as problem:
                found[index] = self._scrub()(str(problem))
        with ThreadPoolExecutor(max(1, min(ASKERS, len(jobs)))) as threads:
            answers = threads.map(lambda job: answer(job[1], groups[job[0]]), jobs)
            for (index, _), one in zip(jobs, answers, strict=True):
                found[index] = one
        return found

    def _asker(self, headers: tuple[tuple[str, str], ...]) -> Ask:
        """A way to ask for one thread: a requester of its own over a wire of its own."""
        from github.Auth import Token

        token = dict(headers)["Authorization"].removeprefix("Bearer ")
        wire = self._new_wire(msgspec.structs.replace(self._url, path=""))
        return partial(_ask, _requester(self._url, Token(token), wire))

    def close(self) -> None:
        """Hang up on what was prepared and not used."""
        self._wire.close()

    def _scrub(self) -> Scrub:
        return scrubber(self._secrets)

    def _time(self) -> Instant | None:
        return self._now() if self._now is not None else None


def _branch_of(intent: Intent) -> Branch:
    """Empty for what needs no default branch, so that it is never found among the failed."""
    return (intent.repository or "", intent.token) if intent.transport == "workflow_dispatch" else ("", None)


def _path_of(intent: Intent) -> str:
    """`/repos/owner/name`. Raises ValueError for a name that could mean another path."""
    repository = intent.repository or ""
    if not _REPOSITORY.fullmatch(repository) or repository.endswith(("/.", "/..")):
        raise ValueError(f"{repository!r} is no repository (owner/name)")
    return f"/repos/{repository}"


def _without_run_details(one: _Composed) -> _Composed:
    body = json.loads(one.outgoing.body)
    del body["return_run_details"]
    outgoing = msgspec.structs.replace(one.outgoing, body=_json(body))
    return msgspec.structs.replace(one, outgoing=outgoing, asked_for_run=False)


def _json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _default_branch(outcome: Outcome) -> str | None:
    if not isinstance(outcome, Reply) or outcome.status != 200 or outcome.truncated:
        return None
    try:
        name = msgspec.json.decode(outcome.body)["default_branch"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and name else None


def _hint(intent: Intent, status: int) -> str | None:
    """What an editor may look at after a refusal."""
    token = intent.token or "SCHEDULER_TOKEN or GITHUB_TOKEN"
    if 300 <= status < 400:
        return (
            f"redirects are not followed: {intent.repository} was probably renamed or moved; "
            "write its new name in the channel's file"
        )
    if status == 401:
        return f"the token in {token} is wrong or has expired"
    right = "Actions: write" if intent.transport == "workflow_dispatch" else "Contents: write"
    if status == 403:
        return f"the token in {token} needs {right} on {intent.repository}"
    if status == 404:
        workflow = f" or no workflow {intent.workflow}" if intent.transport == "workflow_dispatch" else ""
        return f"there is no {intent.repository}{workflow}, or the token in {token} does not reach it"
    return None


# --- PyGithub over the wire -------------------------------------------------------------------------


def _requester(url: ApiUrl, auth: Any, wire: Wire) -> Requester:
    """PyGithub's requester for one thread: no retries, no waiting, and the wire for its connection."""
    from github.Requester import Requester

    class OverWire(Requester):
        """Apart from PyGithub's own, so that nobody else's connections change."""

    connection: Any = partial(_Connection, wire)  # PyGithub asks for a class, and calls it
    OverWire.injectConnectionClasses(connection, connection)
    return OverWire(
        auth=auth, base_url=str(url), timeout=int(wire.answer_timeout), user_agent=USER_AGENT, per_page=100,
        verify=True, retry=None, pool_size=None, seconds_between_requests=None, seconds_between_writes=None,
        api_version=API_VERSION,
    )  # fmt: skip


def _ask(requester: Requester, path: str, query: Mapping[str, str]) -> Told:
    headers, data = requester.requestJsonAndCheck("GET", path, dict(query), {"Accept": ACCEPT})
    return Told(data, server_time(headers))


class _Connection:
    """What PyGithub takes for a connection: each request is one exchange on the wire.

    It hands on complete answers of 200 alone. Everything else is raised here, before PyGithub would
    follow a redirect, or wait and ask again after a 202.
    """

    def __init__(self, wire: Wire, host: str, port: int | None = None, **_: Any) -> None:
        self.host, self.port = host, port
        self._wire = wire
        self._outgoing: Outgoing | None = None

    def request(
        self, verb: str, url: str, body: Any, headers: Mapping[str, str], stream: bool = False
    ) -> None:
        if verb != "GET" or body is not None or stream:
            raise ValueError(f"only questions go this way, not {verb}")
        self._outgoing = Outgoing(method="GET", target=url, headers=tuple(headers.items()))

    def getresponse(self) -> _Response:
        if self._outgoing is None:
            raise ValueError("nothing was asked")
        ((_, outcome),) = self._wire.exchange([self._outgoing], largest=LARGEST_ANSWER)
        if isinstance(outcome, NothingLeft | Lost):
            raise NoAnswerError(outcome.why)
        if outcome.status != 200:
            raise NoAnswerError(told(outcome), outcome.status, server_time(outcome.headers))
        try:
            msgspec.json.decode(outcome.body, type=msgspec.Raw)
            text = outcome.body.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NoAnswerError("the API answered something that is no JSON", 200) from None
        return _Response(outcome, text)

    def close(self) -> None:
        self._wire.close()


class _Response:
    """What PyGithub takes for an answer."""

    def __init__(self, reply: Reply, text: str) -> None:
        self.status = reply.status
        self._headers, self._text = reply.headers, text

    def getheaders(self) -> Any:
        return self._headers.items()

    def read(self) -> str:
        return self._text
