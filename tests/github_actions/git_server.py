"""A git server on loopback, over HTTP, that lets in whoever shows a token: `git http-backend` as it is."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class GitServer:
    """Serves the bare repositories below `root` as `url`/owner/name, to basic authentication with a token."""

    def __init__(self, root: Path, *tokens: str) -> None:
        self.root = root
        self._credentials: set[str] = set()
        for token in tokens:
            self.let_in(token)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def let_in(self, token: str) -> None:
        """From now on this token may read and push."""
        self._credentials.add(base64.b64encode(f"x-access-token:{token}".encode()).decode())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self._body()
                scheme, _, credential = self.headers.get("Authorization", "").partition(" ")
                if scheme.lower() != "basic" or credential not in server._credentials:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
                    self.end_headers()
                    return
                parts = urlsplit(self.path)
                done = subprocess.run(
                    ["git", "http-backend"],
                    input=body, capture_output=True, check=True,
                    env=os.environ
                    | {
                        "GIT_PROJECT_ROOT": str(server.root), "GIT_HTTP_EXPORT_ALL": "1",
                        "REQUEST_METHOD": self.command, "PATH_INFO": parts.path, "QUERY_STRING": parts.query,
                        "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_USER": "actions",
                        "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                        "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
                    },
                )  # fmt: skip
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
                self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)

            do_GET = do_POST = _serve  # noqa: N815 - the library's names

            def log_message(self, *args: Any) -> None:
                """Keep the tests' output clean."""

        return Handler
