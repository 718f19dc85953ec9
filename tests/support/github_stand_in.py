"""A server on loopback that behaves as GitHub's REST API does, as far as the scheduler talks to it.

Real sockets, real HTTP, the standard library alone. Tests script it, and the demo publishes into it:

    with GitHub() as hub:
        repo = hub.repository("acme/tech-daily")
        ...                                     # talk to hub.url
        assert [d.payload["key"] for d in hub.dispatches] == ["..."]

What can be scripted
    hub.latency            seconds before each answer (other connections are not held up by it)
    hub.date_offset        seconds that the server's clock is ahead of the machine's
    hub.clock              the clock itself: a function that returns seconds since the epoch
    hub.tokens             None: any token is good; else those that are, the others get a 401
    hub.run_details        "answered", "ignored" (an older server: 204) or "refused" (an older one: 400)
    hub.faults, repo.faults  `Fault`s, see there; the first that matches a request is used (and used up)
    repo.lag               seconds until a dispatch's run shows itself in listings
    repo.runs_per_dispatch 1; 0: dispatches vanish; 2: GitHub's double delivery
    repo.conclusion        of new runs: "success", ...; None: they stay in progress
    repo.workflows         file name -> text; decides what listens, and whether run names carry the key
    hub.rename(old, new)   the old name answers 301 from then on

What can be looked at
    hub.requests           every request, in the order of arrival, with headers, a monotonic time and the
                           answer (None where a fault was in its place)
    hub.dispatches         every dispatch that took effect, in the order of arrival
    repo.runs              the runs, which a test may edit (`run.conclusion = "failure"`)
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Literal

from github_description import complete

PUBLISH = """\
name: publish
run-name: publish ${{ github.event.client_payload.key || fromJSON(inputs.payload).key }}
on:
  repository_dispatch:
    types: [process-video]
  workflow_dispatch:
    inputs:
      payload:
        required: true
jobs:
  publish:
    runs-on: ubuntu-latest
    steps:
      - run: echo publish
"""
"""The workflow that a repository has unless a test says otherwise."""

RETRACTING = PUBLISH.replace("types: [process-video]", "types: [process-video, retract-video]").replace(
    "inputs.payload).key }}",
    "inputs.payload).key }}${{ github.event.client_payload.retract && 'retract' || '' }}",
)
"""One that also listens to the event that takes a publication back."""

DOCUMENTATION = "https://docs.github.com/rest"
Reply = tuple[int, Mapping[str, str], bytes]


@dataclass
class Seen:
    """One request as it arrived; `at` is monotonic, in seconds."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float
    answer: Reply | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Dispatch:
    """One dispatch that took effect. `payload` is the client payload, or the JSON input `payload`."""

    repository: str
    event: str
    payload: dict[str, Any]
    token: str
    at: float
    event_type: str | None = None
    workflow: str | None = None
    ref: str | None = None


@dataclass
class Run:
    """One workflow run. Edit `status` and `conclusion` to let it go on."""

    id: int
    repository: str
    event: str
    title: str
    path: str
    created: float
    visible: float
    status: str = "completed"
    conclusion: str | None = "success"
    attempt: int = 1
    ended: float | None = None
    """When it ended; None for when it began."""

    def conclude(self, conclusion: str) -> None:
        self.status, self.conclusion = "completed", conclusion


@dataclass
class Fault:
    """What goes wrong with a request.

    `what`:
      answer   `status`, `headers` and `body` are the answer
      raw      `raw` is written as it is, then the connection is closed
      cut      the true answer is cut after `cut_at` bytes, then the connection is closed
      hang     no answer, until the server stops
      drip     the true answer, then silence before its last byte
      reset    the connection is reset
      close    the connection is closed without an answer
      slow     the true answer, `delay` seconds later
    `accept`: whether a dispatch takes effect all the same (for cut, drip and slow it always does).
    `times`: how often; None for ever. `method` and `path` (searched for) select the requests.
    """

    what: Literal["answer", "raw", "cut", "hang", "drip", "reset", "close", "slow"] = "answer"
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | Mapping[str, Any] = b""
    raw: bytes = b""
    cut_at: int = 0
    delay: float = 0.0
    accept: bool = False
    times: int | None = 1
    method: str = "POST"
    path: str = ""

    def fits(self, seen: Seen) -> bool:
        return self.times != 0 and seen.method == self.method and re.search(self.path, seen.path) is not None

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def rate_limited(**headers: str) -> Fault:
    """GitHub's answer where a secondary limit is reached; `retry_after="60"` names the header."""
    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(status=403, headers=named, body={"message": words})


@dataclass
class Repository:
    """One repository of the stand-in."""

    name: str
    id: int
    default_branch: str = "main"
    permissions: dict[str, bool] | None = field(default_factory=lambda: {"pull": True, "push": True})
    workflows: dict[str, str] = field(default_factory=lambda: {"publish.yml": PUBLISH})
    disabled: set[str] = field(default_factory=set)
    archived: bool = False
    faults: list[Fault] = field(default_factory=list)
    lag: float = 0.0
    runs_per_dispatch: int = 1
    conclusion: str | None = "success"
    runs: list[Run] = field(default_factory=list)


class GitHub:
    """The server: a context manager. `prefix` is the base path of an enterprise server (`/api/v3`)."""

    def __init__(
        self,
        *,
        prefix: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        latency: float = 0.0,
    ) -> None:
        self.prefix = prefix
        self.latency = latency
        self.date_offset = 0.0
        self.clock: Callable[[], float] = time.time  # noqa: TID251 - the server's clock, not the scheduler's
        self.tokens: set[str] | None = None
        self.run_details: Literal["answered", "ignored", "refused"] = "answered"
        self.faults: list[Fault] = []
        self.rate_limit = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999"}
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Seen] = []
        self.dispatches: list[Dispatch] = []
        self.connections = 0
        self._renamed: dict[str, str] = {}
        self._host, self._port, self._tls = host, port, tls
        self._next_run = 1000
        self._loop: asyncio.AbstractEventLoop
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._up = threading.Event()
        self._listener: socket.socket | None = None

    # --- scripting ---

    def repository(self, name: str, **settings: Any) -> Repository:
        """The repository of that name, made with these settings where it is new."""
        repo = self.repositories.get(name.lower())
        if repo is None:
            repo = Repository(name, len(self.repositories) + 1, **settings)
            self.repositories[name.lower()] = repo
        return repo

    def rename(self, old: str, new: str) -> None:
        """Move a repository; its old name answers 301."""
        repo = self.repositories.pop(old.lower())
        repo.name = new
        self.repositories[new.lower()] = repo
        self._renamed[old.lower()] = new.lower()

    @property
    def url(self) -> str:
        """What GITHUB_API_URL has to be."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}{self.prefix}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def now(self) -> float:
        """The server's time, seconds since the epoch."""
        return self.clock() + self.date_offset

    def close_idle_connections(self) -> None:
        """Hang up on every open connection, as a server does on those that were silent for long."""

        async def hang_up() -> None:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(hang_up(), self._loop).result(10)

    # --- life ---

    def __enter__(self) -> GitHub:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family, backlog=1024)
        listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, name="github-stand-in", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._up.wait(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, sock=self._listener, ssl=self._tls, limit=4 * 1024 * 1024)
        )
        self._up.set()
        self._loop.set_exception_handler(lambda *_: None)  # a failed handshake is what a test wants to see
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._hang_up(server))
            self._loop.close()

    async def _hang_up(self, server: asyncio.Server) -> None:
        """Close every connection, those too that were accepted a moment ago."""
        server.close()
        for _ in range(3):
            await asyncio.sleep(0)  # what was accepted begins
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)  # transports close in the next rounds

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._one_exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(ConnectionError, ssl.SSLError, RuntimeError):
                writer.close()

    async def _one_exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and answer it; False where the connection has ended."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        split = urllib.parse.urlsplit(target)
        seen = Seen(
            method, split.path, dict(urllib.parse.parse_qsl(split.query)), headers, body, time.monotonic()
        )
        self.requests.append(seen)
        keep = headers.get("connection", "").lower() != "close"
        fault = self._fault_for(seen)
        if fault is not None:
            return await self._misbehave(fault, seen, writer, keep)
        seen.answer = reply = self._answer(seen)
        if self.latency:
            await asyncio.sleep(self.latency)
        writer.write(self._encode(reply, keep))
        await writer.drain()
        return keep

    # --- faults ---

    def _fault_for(self, seen: Seen) -> Fault | None:
        match = re.match(re.escape(self.prefix) + r"/repos/([^/]+/[^/]+)", seen.path)
        repo = self.repositories.get(match.group(1).lower()) if match else None
        faults = [*repo.faults, *self.faults] if repo else self.faults
        for fault in faults:
            if fault.fits(seen):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    async def _misbehave(self, fault: Fault, seen: Seen, writer: asyncio.StreamWriter, keep: bool) -> bool:
        true_answer = b""
        if fault.accept or fault.what in ("cut", "drip", "slow"):
            true_answer = self._encode(self._answer(seen), keep)
        await asyncio.sleep(fault.delay or self.latency)
        if fault.what == "answer":
            writer.write(self._encode((fault.status, fault.headers, fault.content), keep))
        elif fault.what == "slow":
            writer.write(true_answer)
        elif fault.what == "raw":
            writer.write(fault.raw)
        elif fault.what == "cut":
            writer.write(true_answer[: fault.cut_at])
        elif fault.what == "drip":
            writer.write(true_answer[:-1])
        elif fault.what == "reset":
            linger = struct.pack("ii", 1, 0)  # closing then sends RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        if fault.what in ("hang", "drip"):
            await asyncio.Event().wait()
        await writer.drain()
        return keep and fault.what in ("answer", "slow")

    # --- answers ---

    def _encode(self, reply: Reply, keep: bool) -> bytes:
        status, extra, body = reply
        try:
            # GitHub's words; Python's own for 422 changed with 3.13.
            phrase = "Unprocessable Entity" if status == 422 else HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        headers = {
            "Date": formatdate(self.now, usegmt=True),
            "Server": "github.com",
            **self.rate_limit,
            **extra,
        }
        if status != 204:
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
            headers["Content-Length"] = str(len(body))
        if not keep:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    def _answer(self, seen: Seen) -> Reply:
        token = seen.headers.get("authorization", "").partition(" ")[2]
        if self.tokens is not None and token not in self.tokens:
            return _told(401, "Bad credentials")
        if not seen.path.startswith(self.prefix):
            return _told(404, "Not Found")
        parts = [urllib.parse.unquote(part) for part in seen.path[len(self.prefix) :].strip("/").split("/")]
        if parts in ([""], ["meta"], ["rate_limit"]):
            return _json(200, {"resources": {"core": self.rate_limit}})
        if len(parts) < 3 or parts[0] != "repos":
            return _told(404, "Not Found")
        name = f"{parts[1]}/{parts[2]}".lower()
        if name in self._renamed:
            rest = "/".join(("", *parts[3:]))
            where = f"{self.url}/repositories/{self.repositories[self._renamed[name]].id}{rest}"
            body = {"message": "Moved Permanently", "url": where, "documentation_url": DOCUMENTATION}
            return 301, {"Location": where}, json.dumps(body).encode()
        repo = self.repositories.get(name)
        if repo is None:
            return _told(404, "Not Found")
        return self._route(repo, seen, token, parts[3:])

    def _route(self, repo: Repository, seen: Seen, token: str, rest: list[str]) -> Reply:
        match (seen.method, *rest):
            case ("GET",):
                return _json(200, self._describe(repo))
            case ("POST", "dispatches"):
                return self._repository_dispatch(repo, seen, token)
            case ("POST", "actions", "workflows", workflow, "dispatches"):
                return self._workflow_dispatch(repo, seen, token, workflow)
            case ("GET", "actions", "workflows"):
                listed = [self._describe_workflow(repo, file) for file in repo.workflows]
                return _json(200, {"total_count": len(listed), "workflows": listed})
            case ("GET", "actions", "workflows", workflow) if workflow in repo.workflows:
                return _json(200, self._describe_workflow(repo, workflow))
            case ("GET", "actions", "runs"):
                return self._list_runs(repo, seen)
            case ("GET", "actions", "runs", run_id):
                found = [run for run in repo.runs if str(run.id) == run_id and run.visible <= self.now]
                return _json(200, self._describe_run(found[0])) if found else _told(404, "Not Found")
            case ("GET", "contents", *path):
                return self._contents(repo, "/".join(path))
        return _told(404, "Not Found")

    def _describe(self, repo: Repository) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": repo.id,
            "name": repo.name.partition("/")[2],
            "full_name": repo.name,
            "default_branch": repo.default_branch,
            "archived": repo.archived,
            "disabled": False,
        }
        if repo.permissions is not None:
            told["permissions"] = repo.permissions
        return complete("full-repository", told)

    def _describe_workflow(self, repo: Repository, file: str) -> dict[str, Any]:
        state = "disabled_manually" if file in repo.disabled else "active"
        told = {"id": 1, "name": file, "path": f".github/workflows/{file}", "state": state}
        return complete("workflow", told)

    # --- dispatches and runs ---

    def _repository_dispatch(self, repo: Repository, seen: Seen, token: str) -> Reply:
        problem = _repository_dispatch_problem(seen.body)
        if problem is not None:
            return _told(422, problem)
        body = json.loads(seen.body)
        payload = body.get("client_payload", {})
        self.dispatches.append(
            Dispatch(repo.name, "repository_dispatch", payload, token, seen.at, event_type=body["event_type"])
        )
        for file, text in repo.workflows.items():
            if payload.get("retract") and body["event_type"] not in text:
                continue
            if "repository_dispatch" in text and file not in repo.disabled:
                carries = "client_payload.key" in text
                self._start(repo, "repository_dispatch", file, payload if carries else {}, body["event_type"])
        return 204, {}, b""

    def _workflow_dispatch(self, repo: Repository, seen: Seen, token: str, workflow: str) -> Reply:
        body = json.loads(seen.body)
        unknown = set(body) - {"ref", "inputs", "return_run_details"}
        if self.run_details == "refused" and "return_run_details" in body:
            return _told(400, 'Invalid request.\n\n"return_run_details" is not a permitted key.')
        if unknown:
            return _told(422, f'Invalid request.\n\n"{min(unknown)}" is not a permitted key.')
        if workflow not in repo.workflows:
            return _told(404, "Not Found")
        if body.get("ref") != repo.default_branch:
            return _told(422, f"No ref found for: {body.get('ref')}")
        text = repo.workflows[workflow]
        if "workflow_dispatch" not in text:
            return _told(422, "Workflow does not have 'workflow_dispatch' trigger")
        payload = json.loads(body["inputs"]["payload"])
        self.dispatches.append(
            Dispatch(
                repo.name, "workflow_dispatch", payload, token, seen.at, workflow=workflow, ref=body["ref"]
            )
        )
        carries = "inputs.payload" in text
        run_id = self._start(repo, "workflow_dispatch", workflow, payload if carries else {}, workflow)
        if self.run_details == "answered" and body.get("return_run_details") is True:
            api = f"{self.url}/repos/{repo.name}/actions/runs/{run_id}"
            told = {"workflow_run_id": run_id, "run_url": api, "html_url": _page(repo.name, run_id)}
            return _json(200, told)
        return 204, {}, b""

    def _start(self, repo: Repository, event: str, file: str, payload: dict[str, Any], title: str) -> int:
        first = self._next_run
        word = f"{payload.get('key')}{'retract' if payload.get('retract') else ''}"
        for _ in range(repo.runs_per_dispatch):
            run = Run(
                self._next_run, repo.name, event, f"publish {word}" if "key" in payload else title,
                f".github/workflows/{file}", self.now, self.now + repo.lag,
                "in_progress" if repo.conclusion is None else "completed", repo.conclusion,
            )  # fmt: skip
            self._next_run += 1
            repo.runs.append(run)
        return first

    def _describe_run(self, run: Run) -> dict[str, Any]:
        created = _moment(run.created)
        told = {
            "id": run.id, "name": "publish", "display_title": run.title, "event": run.event, "path": run.path,
            "status": run.status, "conclusion": run.conclusion, "run_attempt": run.attempt,
            "html_url": _page(run.repository, run.id), "created_at": created, "run_started_at": created,
            "updated_at": created if run.ended is None else _moment(run.ended),
        }  # fmt: skip
        return complete("workflow-run", told)

    def _list_runs(self, repo: Repository, seen: Seen) -> Reply:
        since = re.match(r">=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$", seen.query.get("created", ""))
        runs = [
            run
            for run in sorted(repo.runs, key=lambda run: -run.id)
            if run.visible <= self.now
            and run.event == seen.query.get("event", run.event)
            and (since is None or _moment(run.created) >= since.group(1))
        ]
        size = min(int(seen.query.get("per_page", "30")), 100)
        page = int(seen.query.get("page", "1"))
        shown = runs[:1000][(page - 1) * size : page * size]  # a search gives 1,000 at most
        return _json(200, {"total_count": len(runs), "workflow_runs": [self._describe_run(r) for r in shown]})

    def _contents(self, repo: Repository, path: str) -> Reply:
        folder = ".github/workflows"
        if path == folder and repo.workflows:
            listed = [_describe_file(f"{folder}/{name}", text) for name, text in repo.workflows.items()]
            return _json(200, complete("content-directory", listed))
        name = path.removeprefix(f"{folder}/")
        if name not in repo.workflows:
            return _told(404, "Not Found")
        text = repo.workflows[name]
        content = base64.encodebytes(text.encode()).decode()
        told = _describe_file(path, text) | {"encoding": "base64", "content": content}
        return _json(200, complete("content-file", told))


def _describe_file(path: str, text: str) -> dict[str, Any]:
    return {"type": "file", "name": path.rpartition("/")[2], "path": path, "size": len(text.encode())}


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _repository_dispatch_problem(raw: bytes) -> str | None:
    """Why GitHub would refuse this body with 422."""
    try:
        body = json.loads(raw)
    except ValueError:
        return "Problems parsing JSON"
    if not isinstance(body, dict) or set(body) - {"event_type", "client_payload"}:
        return "Invalid request.\n\nunknown keys"
    event_type, payload = body.get("event_type"), body.get("client_payload", {})
    if not isinstance(event_type, str) or not 1 <= len(event_type) <= 100:
        return 'Invalid request.\n\n"event_type" is too long or missing.'
    if not isinstance(payload, dict):
        return f"Invalid request.\n\nFor 'properties/client_payload', {payload!r} is not an object."
    if len(payload) > 10:
        return f"Invalid request.\n\nNo more than 10 properties are allowed; {len(payload)} were supplied."
    if len(json.dumps(payload, ensure_ascii=False)) > 65_535:
        return "client_payload is too large."
    return None


def _page(repository: str, run_id: int) -> str:
    return f"https://github.com/{repository}/actions/runs/{run_id}"


def _json(status: int, data: Any) -> Reply:
    return status, {}, json.dumps(data).encode()


def _told(status: int, message: str) -> Reply:
    told = {"message": message, "documentation_url": DOCUMENTATION}
    return _json(status, told if status == 422 else {**told, "status": str(status)})
