"""A forward proxy on loopback that only knows CONNECT, with answers to order.

with ConnectProxy(hub.port) as proxy:      # whatever host is asked for, it leads to this port
    environ = {"HTTPS_PROXY": proxy.url}
    ...
    assert proxy.asked == ["api.github.com:443"]
"""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress


class ConnectProxy:
    """`answer` replaces the proxy's answer to CONNECT; None: it never answers, b"": it hangs up."""

    def __init__(self, upstream: int) -> None:
        self.answer: bytes | None = b"HTTP/1.1 200 Connection established\r\n\r\n"
        self.asked: list[str] = []
        """What was asked for, as `host:port`; a request that is no CONNECT in full."""
        self.headers: list[dict[str, str]] = []
        self.passed = bytearray()
        """What clients sent through it: nothing in there may be readable."""
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._ended = threading.Event()
        self.port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ConnectProxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                received = client.recv(4096)
                if not received:
                    return
                head += received
            first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
            self.asked.append(first.removeprefix("CONNECT ").rpartition(" HTTP/1.")[0])
            self.headers.append({k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)})
            if self.answer is None:
                self._ended.wait(30)
                return
            client.sendall(self.answer)
            if self.answer.startswith(b"HTTP/1.1 200") and self.answer.endswith(b"\r\n\r\n"):
                self._relay(client)

    def _relay(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._upstream)) as server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65_536)
                    if not data:
                        return
                    if ready is client:
                        self.passed += data
                    (server if ready is client else client).sendall(data)
