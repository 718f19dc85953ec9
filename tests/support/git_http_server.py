"""A git server on loopback: `git http-backend` behind a small HTTP server, with faults to order.

with serve(folder) as server:           # a folder of bare repositories
    url = server.url + "/state.git"
    server.faults.append(Fault("git-receive-pack", cut=True))
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What happens to the next request whose path or query holds `to`: once.

    `status` answers with that status and does nothing; `cut` does what was asked and closes the
    connection without an answer.
    """

    to: str
    status: int | None = None
    cut: bool = False


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories of a folder to anybody who comes over loopback."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is part of the tests and no news."""

    def fault_for(self, target: str) -> Fault | None:
        with self.lock:
            self.requests.append(target)
            for fault in self.faults:
                if fault.to in target:
                    self.faults.remove(fault)
                    return fault
        return None


@dataclass
class _Answer:
    status: str = "200 OK"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class _Handler(BaseHTTPRequestHandler):
    server: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Tests read `requests` instead."""

    def _serve(self) -> None:
        body = self._body()
        fault = self.server.fault_for(f"{self.command} {self.path}")
        if fault is not None and fault.status is not None:
            self.send_error(fault.status)
            return
        answer = self._ask_git(body)
        if fault is not None and fault.cut:
            self.close_connection = True
            return
        code, _, reason = answer.status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _ask_git(self, body: bytes) -> _Answer:
        target = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self.server.folder),
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": target.path,
            "QUERY_STRING": target.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "tester",  # http-backend takes pushes from those who have a name
            "REMOTE_ADDR": "127.0.0.1",
        }
        ran = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, content = ran.stdout.partition(b"\r\n\r\n")
        answer = _Answer(body=content)
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name == "Status":
                answer.status = value
            elif name:
                answer.headers.append((name, value))
        return answer


@contextmanager
def serve(folder: Path) -> Iterator[GitServer]:
    """A server for the bare repositories in `folder`, for as long as the block runs."""
    server = GitServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
