"""A GitHub on loopback: as much of its REST API as the workflows use, with state.

It answers as GitHub does where that decides something: a ref is created once (201, then 422), a
cancelled run is really stopped, a dispatch answers 204 without a body, an issue belongs to whoever's
token made it. Whatever it does not know is a 404 and stands in `unknown`, so that a test can say that nothing
else was asked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from github_description import complete as complete_

_URLS = {
    "issue": "issues/{number}", "issue-comment": "issues/comments/{id}", "pull-request": "pulls/{number}",
    "pull-request-simple": "pulls/{number}", "git-ref": "git/{ref}", "git-commit": "git/commits/{sha}",
}  # fmt: skip
"""Where each kind of object is, below its repository: clients follow the `url` of what they read."""

Answer = tuple[int, Any]
BOT = {"login": "github-actions[bot]", "type": "Bot"}


@dataclass
class Repository:
    """What one repository holds."""

    refs: dict[str, dict[str, str]] = field(default_factory=dict)
    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    dispatches: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    enabled: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    authors: dict[str, str] = field(default_factory=dict)
    """Whose account an e-mail address belongs to."""
    people: dict[str, str] = field(default_factory=dict)
    """What somebody may do here, by login: admin, write, read. Others may read."""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    merged: list[dict[str, Any]] = field(default_factory=list)
    """Pull requests that were merged, as they are listed of their merge commits."""
    workflows_may_open_pulls: bool = True
    """A setting of the repository."""
    bare: Path | None = None
    """The git repository itself, where branches, trees and commits are made."""

    def git(self, *arguments: str, content: str = "", **environment: str) -> str | None:
        """What git says in the repository; None where it says no."""
        who = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER")
               for what, text in (("NAME", BOT["login"]), ("EMAIL", "bot@example.org"))}  # fmt: skip
        done = subprocess.run(
            ["git", *arguments], cwd=self.bare, input=content, env={**os.environ, **who, **environment},
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else None


@dataclass
class Request:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    token: str | None
    body: Any


class LoopbackGitHub:
    """The server. `url` is what GITHUB_API_URL has to say; `tokens` are those it lets in."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = set(tokens)
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.answers: list[tuple[Request, int, bytes]] = []
        """Every answer that was meant to arrive, as it was written."""
        self.unknown: list[str] = []
        self.moved: dict[str, str] = {}
        """Repositories that were renamed: what is asked of the old name is answered by a redirect."""
        self.on_cancel: Callable[[int], None] = lambda run_id: None
        self.lose_next_answer_to: str | None = None
        """A path: the next request to it takes effect, and its answer is a 502."""
        self.after: tuple[str, str, Callable[[], None]] | None = None
        """What happens once after the next answer to that method, and a path that ends so."""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str) -> Repository:
        """A new repository, `owner/name`."""
        return self.repositories.setdefault(name, Repository())

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests of that method whose path ends in `path`."""
        return [one for one in self.requests if one.method == method and one.path.endswith(path)]

    def answer(self, request: Request) -> Answer:
        """What GitHub says to a request, and its effect."""
        if request.token not in self.tokens:
            return 401, {"message": "Bad credentials"}
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)(?:/(.*))?", request.path)
        if match and match[1] in self.moved:
            return 301, {
                "message": "Moved Permanently",
                "url": f"{self.url}/repos/{self.moved[match[1]]}/{match[2]}",
            }
        repository = self.repositories.get(match[1]) if match else None
        if match is None or repository is None:
            return 404, {"message": "Not Found"}
        for method, pattern, act in _ROUTES:
            route = re.fullmatch(pattern, match[2] or "")
            if route and method == request.method:
                status, content = act(self, repository, request, *map(unquote, route.groups()))
                return status, _at(f"{self.url}/repos/{match[1]}/", content)
        self.unknown.append(f"{request.method} {request.path}")
        return 404, {"message": "Not Found"}

    def _handler(github) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                token = self.headers.get("Authorization", "").partition(" ")[2] or None
                request = Request(
                    self.command, parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}, token,
                    json.loads(body) if body else None,
                )  # fmt: skip
                with github._lock:
                    github.requests.append(request)
                    status, content = github.answer(request)
                    if (
                        github.after
                        and request.method == github.after[0]
                        and parts.path.endswith(github.after[1])
                    ):
                        happen, github.after = github.after[2], None
                        happen()
                    lost = github.lose_next_answer_to
                    if lost is not None and parts.path.endswith(lost):
                        github.lose_next_answer_to = None
                        status, content = 502, {"message": "Bad Gateway"}
                if isinstance(content, bytes):  # what a proxy or a broken server would say
                    text = content
                else:
                    text = b"" if content is None else json.dumps(content).encode()
                if status != 502 and not isinstance(content, bytes):
                    github.answers.append((request, status, text))
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                if status == 301:
                    self.send_header("Location", content["url"])
                page, size = (
                    int(request.query.get(key, usual)) for key, usual in (("page", 1), ("per_page", 30))
                )
                if isinstance(content, list) and len(content) == size:  # there may be more
                    query = urlencode({**request.query, "page": page + 1})
                    self.send_header("Link", f'<{github.url}{request.path}?{query}>; rel="next"')
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - the library's names

            def log_message(self, *args: Any) -> None:
                """Keep the tests' output clean."""

        return Handler


def complete(definition: str, told: dict[str, Any]) -> dict[str, Any]:
    """As `github_description.complete`, with the path below the repository as the `url`."""
    whole = complete_(definition, told)
    return whole | {"url": _URLS[definition].format_map(whole)} if definition in _URLS else whole


def _at(home: str, content: Any) -> Any:
    """The answer with whole URLs. `home` is the repository's own, with a slash at the end."""
    if isinstance(content, list):
        return [_at(home, one) for one in content]
    if isinstance(content, dict) and "url" in content:
        return content | {"url": home + content["url"]}
    return content


def _invalid(message: str) -> dict[str, Any]:
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}


def _get_repository(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    told = {"default_branch": "main", "permissions": {"push": True}, "archived": False}
    return 200, complete("full-repository", told)


def _create_tag(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    text = json.dumps(request.body, sort_keys=True).encode()
    sha = hashlib.sha1(text).hexdigest()
    asked = dict(request.body)
    target = {"type": asked.pop("type"), "sha": asked["object"]}
    repo.tags[sha] = {**asked, "sha": sha, "object": target}
    return 201, complete("git-tag", repo.tags[sha])


def _get_tag(github: LoopbackGitHub, repo: Repository, request: Request, sha: str) -> Answer:
    found = repo.tags.get(sha)
    return (200, complete("git-tag", found)) if found else (404, {"message": "Not Found"})


def _create_ref(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    ref, sha = request.body["ref"], request.body["sha"]
    if ref.startswith("refs/heads/"):
        if repo.git("update-ref", ref, sha, "0" * 40) is None:
            return 422, _invalid("Reference already exists")
        return 201, _told_branch(ref, sha)
    if sha not in repo.tags:
        return 422, _invalid("Object does not exist")
    if ref in repo.refs:
        return 422, _invalid("Reference already exists")
    repo.refs[ref] = {"type": "tag", "sha": sha}
    return 201, complete("git-ref", {"ref": ref, "object": repo.refs[ref]})


def _told_branch(ref: str, sha: str) -> dict[str, Any]:
    return complete("git-ref", {"ref": ref, "object": {"type": "commit", "sha": sha}})


def _get_ref(github: LoopbackGitHub, repo: Repository, request: Request, ref: str) -> Answer:
    if ref.startswith("heads/"):
        sha = repo.git("rev-parse", "--verify", "--quiet", f"refs/{ref}")
        return (200, _told_branch(f"refs/{ref}", sha)) if sha else (404, {"message": "Not Found"})
    found = repo.refs.get("refs/" + ref)
    if not found:
        return 404, {"message": "Not Found"}
    return 200, complete("git-ref", {"ref": "refs/" + ref, "object": found})


def _update_ref(github: LoopbackGitHub, repo: Repository, request: Request, ref: str) -> Answer:
    new, old = request.body["sha"], repo.git("rev-parse", "--verify", "--quiet", f"refs/{ref}")
    if old is None:
        return 422, _invalid("Reference does not exist")
    if not request.body.get("force") and repo.git("merge-base", "--is-ancestor", old, new) is None:
        return 422, _invalid("Update is not a fast forward")
    repo.git("update-ref", f"refs/{ref}", new, old)
    return 200, _told_branch(f"refs/{ref}", new)


def _get_commit(github: LoopbackGitHub, repo: Repository, request: Request, sha: str) -> Answer:
    tree = repo.git("rev-parse", "--verify", "--quiet", f"{sha}^{{tree}}")
    if tree is None:
        return 404, {"message": "Not Found"}
    message = repo.git("show", "--no-patch", "--format=%B", sha)
    return 200, complete("git-commit", {"sha": sha, "message": message, "tree": {"sha": tree}})


def _create_tree(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    assert repo.bare is not None
    index = {"GIT_INDEX_FILE": str(repo.bare / "index-of-the-api")}
    repo.git("read-tree", request.body["base_tree"], **index)
    for entry in request.body["tree"]:
        blob = repo.git("hash-object", "-w", "--stdin", content=entry["content"])
        added = f"{entry['mode']},{blob},{entry['path']}"
        if repo.git("update-index", "--add", "--cacheinfo", added, **index) is None:
            return 422, _invalid("tree.path contains a malformed path component")
    return 201, complete("git-tree", {"sha": repo.git("write-tree", **index)})


def _create_commit(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    parents = [part for sha in request.body["parents"] for part in ("-p", sha)]
    message, tree = request.body["message"], request.body["tree"]
    sha = repo.git("commit-tree", tree, *parents, content=message)
    if sha is None:
        return 422, _invalid("Tree SHA does not exist")
    return 201, complete("git-commit", {"sha": sha, "message": message, "tree": {"sha": tree}})


def _permission(github: LoopbackGitHub, repo: Repository, request: Request, login: str) -> Answer:
    may = repo.people.get(login, "read")
    return 200, complete("repository-collaborator-permission", {"permission": may, "role_name": may})


def _list_pulls(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    state, head = request.query.get("state", "open"), request.query.get("head")
    size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
    found = [one for one in reversed(repo.pulls) if state in ("all", one["state"])
             and (head is None or head == one["head"]["label"])]  # fmt: skip
    return 200, [complete("pull-request-simple", one) for one in found[(page - 1) * size : page * size]]


def _create_pull(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    if not repo.workflows_may_open_pulls:
        return 403, {"message": "GitHub Actions is not permitted to create or approve pull requests."}
    asked = dict(request.body)
    name, base = asked.pop("head"), asked.pop("base")
    if repo.git("rev-list", f"refs/heads/{base}..refs/heads/{name}") in (None, ""):
        return 422, _invalid("Validation Failed")
    if any(one["state"] == "open" and one["head"]["ref"] == name for one in repo.pulls):
        return 422, _invalid("A pull request already exists")
    owner = request.path.split("/")[2]
    pull = {**asked, "number": 300 + len(repo.pulls), "state": "open", "merged_at": None, "user": BOT,
            "head": {"ref": name, "label": f"{owner}:{name}"}, "base": {"ref": base}}  # fmt: skip
    repo.pulls.append(pull)
    return 201, complete("pull-request", pull)


def _edit_pull(github: LoopbackGitHub, repo: Repository, request: Request, number: str) -> Answer:
    for pull in repo.pulls:
        if pull["number"] == int(number):
            pull.update(request.body)
            return 200, complete("pull-request", pull)
    return 404, {"message": "Not Found"}


def _dispatch(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    repo.dispatches.append(request.body)
    return 204, None


def _cancel(github: LoopbackGitHub, repo: Repository, request: Request, run: str) -> Answer:
    repo.cancelled.append(int(run))
    github.on_cancel(int(run))
    return 202, {}


def _list_runs(github: LoopbackGitHub, repo: Repository, request: Request, workflow: str = "") -> Answer:
    runs = [run for run in repo.runs if not workflow or run["path"].endswith("/" + workflow)]
    for key, of in (("event", "event"), ("status", "conclusion"), ("branch", "head_branch")):
        if key in request.query:
            runs = [run for run in runs if run.get(of) == request.query[key]]
    runs = sorted(runs, key=lambda run: str(run["created_at"]), reverse=True)
    shown = [complete("workflow-run", run) for run in runs[: int(request.query.get("per_page", 30))]]
    return 200, {"total_count": len(runs), "workflow_runs": shown}


def _get_run(github: LoopbackGitHub, repo: Repository, request: Request, run: str) -> Answer:
    found = next((one for one in repo.runs if one["id"] == int(run)), None)
    return (404, {"message": "Not Found"}) if found is None else (200, complete("workflow-run", found))


def _enable(github: LoopbackGitHub, repo: Repository, request: Request, workflow: str) -> Answer:
    repo.enabled.append(workflow)
    return 204, None


def _pulls_of_commit(github: LoopbackGitHub, repo: Repository, request: Request, sha: str) -> Answer:
    return 200, [one for one in repo.merged if one["merge_commit_sha"] == sha]


def _get_contents(github: LoopbackGitHub, repo: Repository, request: Request, path: str) -> Answer:
    if path in repo.files:
        content = base64.encodebytes(repo.files[path].encode()).decode()
        told = {"type": "file", "name": path.rpartition("/")[2], "path": path, "encoding": "base64"}
        return 200, complete("content-file", told | {"content": content})
    below = [name for name in repo.files if name.startswith(f"{path}/")]
    listed = [{"type": "file", "name": name.rpartition("/")[2], "path": name} for name in below]
    return (200, complete_("content-directory", listed)) if listed else (404, {"message": "Not Found"})


def _list_commits(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    """The newest commit that changed a file; its author is an account where the address is somebody's."""
    form = ("log", "-1", "--format=%H %ae", request.query.get("sha", "HEAD"), "--", request.query["path"])
    found = repo.git(*form) if repo.bare else f"{'0' * 40} {next(iter(repo.authors), '')}"
    if not found:
        return 200, []
    sha, _, email = found.partition(" ")
    login = repo.authors.get(email)
    author = complete("simple-user", {"login": login, "type": "User"}) if login else None
    return 200, [complete("commit", {"sha": sha, "author": author})]


def _list_issues(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    state, label = request.query.get("state", "open"), request.query.get("labels")
    size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
    found = [
        complete("issue", issue)
        for issue in repo.issues
        if state in ("all", issue["state"])
        and (not label or label in [one["name"] for one in issue["labels"]])
    ]
    return 200, found[(page - 1) * size : page * size]


def _create_issue(github: LoopbackGitHub, repo: Repository, request: Request) -> Answer:
    labels = [{"name": name} for name in request.body.get("labels", [])]
    number = 100 + len(repo.issues)
    issue = {**request.body, "number": number, "labels": labels, "state": "open", "user": BOT,
             "html_url": f"https://github.com/o/r/issues/{number}"}  # fmt: skip
    repo.issues.append(issue)
    return 201, complete("issue", issue)


def _edit_issue(github: LoopbackGitHub, repo: Repository, request: Request, number: str) -> Answer:
    for issue in repo.issues:
        if issue["number"] == int(number):
            issue.update(request.body)
            return 200, complete("issue", issue)
    return 404, {"message": "Not Found"}


def _list_comments(github: LoopbackGitHub, repo: Repository, request: Request, number: str) -> Answer:
    here = [one for one in repo.comments if one["issue"] == int(number)]
    size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
    return 200, [_told_comment(one) for one in here[(page - 1) * size : page * size]]


def _told_comment(comment: dict[str, Any]) -> dict[str, Any]:
    """As GitHub tells it: the number of its issue is our own way to find it."""
    return complete("issue-comment", {key: value for key, value in comment.items() if key != "issue"})


def _create_comment(github: LoopbackGitHub, repo: Repository, request: Request, number: str) -> Answer:
    if len(request.body["body"]) > 65_536:
        return 422, _invalid("Body is too long (maximum is 65536 characters)")
    comment = {"id": 1 + len(repo.comments), "issue": int(number), "user": BOT, "body": request.body["body"]}
    repo.comments.append(comment)
    return 201, _told_comment(comment)


def _edit_comment(github: LoopbackGitHub, repo: Repository, request: Request, comment: str) -> Answer:
    for one in repo.comments:
        if one["id"] == int(comment):
            if len(request.body["body"]) > 65_536:
                return 422, _invalid("Body is too long (maximum is 65536 characters)")
            one.update(request.body)
            return 200, _told_comment(one)
    return 404, {"message": "Not Found"}


_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", r"", _get_repository),
    ("POST", r"git/tags", _create_tag),
    ("GET", r"git/tags/([0-9a-f]+)", _get_tag),
    ("POST", r"git/refs", _create_ref),
    ("GET", r"git/ref/(.+)", _get_ref),
    ("PATCH", r"git/refs/(.+)", _update_ref),
    ("GET", r"git/commits/([0-9a-f]+)", _get_commit),
    ("POST", r"git/trees", _create_tree),
    ("POST", r"git/commits", _create_commit),
    ("GET", r"collaborators/([^/]+)/permission", _permission),
    ("GET", r"pulls", _list_pulls),
    ("POST", r"pulls", _create_pull),
    ("PATCH", r"pulls/(\d+)", _edit_pull),
    ("POST", r"dispatches", _dispatch),
    ("POST", r"actions/runs/(\d+)/cancel", _cancel),
    ("GET", r"actions/runs/(\d+)", _get_run),
    ("GET", r"actions/runs", _list_runs),
    ("GET", r"actions/workflows/([^/]+)/runs", _list_runs),
    ("PUT", r"actions/workflows/([^/]+)/enable", _enable),
    ("GET", r"contents/(.+)", _get_contents),
    ("GET", r"commits", _list_commits),
    ("GET", r"commits/([0-9a-f]+)/pulls", _pulls_of_commit),
    ("GET", r"issues", _list_issues),
    ("POST", r"issues", _create_issue),
    ("PATCH", r"issues/(\d+)", _edit_issue),
    ("GET", r"issues/(\d+)/comments", _list_comments),
    ("POST", r"issues/(\d+)/comments", _create_comment),
    ("PATCH", r"issues/comments/(\d+)", _edit_comment),
]
