"""One connection to the server, and the one request that it carries, read strictly.

h11 decides whether what came back is a complete response: a truncated `HTTP/1.1 204 No` is not. Nothing
here waits; `scheduler.delivery.github.http_burst` watches many connections at once and calls each when its
socket is ready.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from typing import Literal

import h11
import msgspec

from scheduler.delivery.github.api_url import ApiUrl, Sockaddr, Unreachable
from scheduler.delivery.github.proxy import Proxy

LARGEST_HEADER = 32 * 1024
"""Bytes of an answer's status line and headers."""
ADDRESS_PATIENCE = 1.0
"""Seconds that one of several addresses of a host may take before the next one is tried."""
_UNKNOWN_ISSUER = (18, 19, 20, 21)  # OpenSSL: self-signed, or an issuer that is not in the trust store
Stage = Literal["connecting", "tunnel", "greeting", "open"]
STAGES: Mapping[Stage, str] = {
    "connecting": "connection", "tunnel": "answer to CONNECT", "greeting": "TLS handshake", "open": "request",
}  # fmt: skip
"""What each stage of opening a connection waits for."""
_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})


Headers = tuple[tuple[str, str], ...]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `target` is below the server's base path and starts with a slash."""

    method: Literal["GET", "POST"]
    target: str
    headers: Headers = ()
    body: bytes = b""

    def __repr__(self) -> str:
        """Without the headers: one of them is the token, and this may end up in a traceback."""
        return f"Outgoing({self.method} {self.target})"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer. Header names are lower case; of a repeated header, the first counts.

    `truncated`: the body was longer than the caller wanted, and is cut off here.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    truncated: bool = False


class NotSent(msgspec.Struct, frozen=True):
    """No byte of the request was handed to the kernel."""

    why: str


class ResponseLost(msgspec.Struct, frozen=True):
    """The request, or a part of it, was sent; no complete answer came back."""

    why: str


Outcome = Reply | NotSent | ResponseLost


def _reason(failure: BaseException) -> str:
    """What went wrong, without error numbers and module names."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        is_known = failure.verify_code not in _UNKNOWN_ISSUER
        hint = "" if is_known else "; set SSL_CERT_FILE to a file with the certificate of its CA"
        return f"certificate: {failure.verify_message}{hint}"
    if isinstance(failure, ssl.SSLError):
        return str(failure.reason or "handshake failed").replace("_", " ").lower()
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror.lower()
    return type(failure).__name__


class Exchange:
    """A request on its way: its bytes, and the reader of its answer."""

    __slots__ = (
        "_largest",
        "_request",
        "_url",
        "body",
        "data",
        "head",
        "index",
        "parser",
        "reopened",
        "size",
    )

    def __init__(self, index: int, request: Outgoing, url: ApiUrl, largest: int) -> None:
        self.index = index
        self.reopened = False
        self.data = b""
        self._request, self._url, self._largest = request, url, largest

    def encode(self) -> None:
        """Make the bytes, and the parser of their answer."""
        request = self._request
        self.parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEADER)
        headers = [("Host", self._url.authority), *request.headers, ("Connection", "close")]
        if request.method == "POST":
            headers.append(("Content-Length", str(len(request.body))))
        head = h11.Request(method=request.method, target=self._url.path + request.target, headers=headers)
        parts = [self.parser.send(head)]
        if request.body:
            parts.append(self.parser.send(h11.Data(data=request.body)))
        parts.append(self.parser.send(h11.EndOfMessage()))
        self.data = b"".join(part for part in parts if part)
        self.head: h11.Response | None = None
        self.body: list[bytes] = []
        self.size = 0

    def read(self, received: bytes) -> Outcome | None:
        """Take more bytes (b"" is the end); the outcome, or None while the answer is incomplete."""
        try:
            self.parser.receive_data(received)
            while True:
                event = self.parser.next_event()
                if isinstance(event, h11.Response):
                    self.head = event
                elif isinstance(event, h11.Data):
                    self.body.append(bytes(event.data))
                    self.size += len(event.data)
                    if self.size > self._largest:
                        return self._reply(truncated=True)
                elif isinstance(event, h11.EndOfMessage):
                    return self._reply(truncated=False)
                elif event is h11.NEED_DATA:
                    return None
                elif not isinstance(event, h11.InformationalResponse):
                    return ResponseLost("the connection was closed before a complete answer")
        except h11.RemoteProtocolError:
            if not received:
                return ResponseLost("the answer was truncated")
            return ResponseLost("what came back is not an HTTP response")

    def _reply(self, *, truncated: bool) -> Reply:
        assert self.head is not None  # h11 reports a body only after its header
        headers: dict[str, str] = {}
        for name, value in self.head.headers:
            headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        body = b"".join(self.body)[: self._largest]
        return Reply(status=self.head.status_code, headers=headers, body=body, truncated=truncated)


class HttpConnection:
    """One connection, opened step by step, and at most one request on it.

    `addresses` are the proxy's where there is one, else the server's.
    """

    def __init__(
        self,
        url: ApiUrl,
        addresses: tuple[Sockaddr, ...],
        tls: ssl.SSLContext | None,
        deadline: float,
        proxy: Proxy | None = None,
    ) -> None:
        self._url, self._tls, self._proxy = url, tls, proxy
        self._peer = url.authority if proxy is None else f"the proxy {proxy} ({proxy.variable})"
        self._addresses = deque(addresses)
        self._why = "no address"
        self.deadline = deadline
        self.patience = deadline
        self.stage: Stage = "connecting"
        self.wants = selectors.EVENT_WRITE
        self.opened_at = 0.0
        self.prepared = False
        """Opened by an earlier call, so that finding it dead says nothing about the server."""
        self.job: Exchange | None = None
        self.left = False
        self._unsent = memoryview(b"")
        self.sock: socket.socket = self._connect_next()

    def _connect_next(self) -> socket.socket:
        """Start connecting to the host's next address. Raises Unreachable after the last."""
        while self._addresses:
            family, address = self._addresses.popleft()
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as failure:
                raise Unreachable(_reason(failure)) from None
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(address)
            if code in _UNDER_WAY:
                now = time.monotonic()
                self.patience = (
                    min(self.deadline, now + ADDRESS_PATIENCE) if self._addresses else self.deadline
                )
                return sock
            sock.close()
            self._why = os.strerror(code).lower()
        raise Unreachable(f"{self._peer}: {self._why}")

    def open_further(self) -> None:
        """One step towards an open connection. Raises Unreachable; changes `sock` and `wants`."""
        if self.stage == "connecting":
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.give_up_address(os.strerror(code).lower())
                return
            self.patience = self.deadline
            self.stage = "greeting"
            if self._proxy is not None:
                self.stage = "tunnel"
                self._ask_for_tunnel(self._proxy)
        if self.stage == "tunnel":
            assert self._proxy is not None  # the stage before
            if not self._is_tunnel_open(self._proxy):
                return
            self.stage = "greeting"
        if self._tls is None:
            self._opened()
            return
        if not isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock = self._tls.wrap_socket(
                    self.sock,
                    server_hostname=self._url.host,
                    do_handshake_on_connect=False,
                    suppress_ragged_eofs=False,  # a cut answer must not look like a finished one
                )
            except (OSError, ValueError) as failure:
                raise Unreachable(f"{self._url.authority}: TLS: {_reason(failure)}") from None
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            self.wants = selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            self.wants = selectors.EVENT_WRITE
        except (OSError, ValueError) as failure:
            raise Unreachable(f"{self._url.authority}: TLS: {_reason(failure)}") from None
        else:
            self._opened()

    def _ask_for_tunnel(self, proxy: Proxy) -> None:
        self._tunnel = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEADER)
        host = f"[{self._url.host}]" if ":" in self._url.host else self._url.host
        target = f"{host}:{self._url.port}"
        headers = [("Host", target)]
        if proxy.authorization is not None:
            headers.append(("Proxy-Authorization", proxy.authorization))
        asked = self._tunnel.send(h11.Request(method="CONNECT", target=target, headers=headers))
        self._unsent = memoryview((asked or b"") + (self._tunnel.send(h11.EndOfMessage()) or b""))

    def _is_tunnel_open(self, proxy: Proxy) -> bool:
        """Send the CONNECT and read its answer, as far as possible. Raises Unreachable if it is not a yes."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
            self.wants = selectors.EVENT_READ
            while True:
                received = self.sock.recv(65_536)
                if not received:
                    raise Unreachable(f"{self._peer} hung up before it answered")
                self._tunnel.receive_data(received)
                while isinstance(event := self._tunnel.next_event(), h11.InformationalResponse):
                    pass
                if isinstance(event, h11.Response):
                    break
        except BlockingIOError:
            return False
        except OSError as failure:
            raise Unreachable(f"{self._peer}: {_reason(failure)}") from None
        except h11.RemoteProtocolError:
            raise Unreachable(
                f"{self._peer} did not answer in HTTP; {proxy.variable} must name an HTTP proxy"
            ) from None
        if not 200 <= event.status_code < 300:
            raise Unreachable(
                f"{self._peer} refused to connect to {self._url.authority}: HTTP {event.status_code}; "
                + proxy.hint(event.status_code, self._url)
            )
        if self._tunnel.trailing_data[0]:  # a TLS server never speaks first
            raise Unreachable(f"{self._peer} sent something in the place of {self._url.authority}")
        return True

    def give_up_address(self, why: str) -> None:
        """Try the host's next address. Raises Unreachable after the last."""
        self._why = why
        self.sock.close()
        self.stage, self.wants = "connecting", selectors.EVENT_WRITE
        self.sock = self._connect_next()

    def _opened(self) -> None:
        self.stage = "open"
        self.opened_at = time.monotonic()
        self.wants = selectors.EVENT_READ

    def is_alive(self) -> bool:
        """Whether the server still holds the connection, and has sent nothing on it."""
        try:
            if self.sock.recv(1):
                return False  # an unrequested answer, such as 408: the server is about to hang up
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def write(self, job: Exchange, deadline: float) -> bool:
        """Write the request; False where the connection was dead and no byte of it was sent."""
        self.job, self.deadline = job, deadline
        self._unsent = memoryview(job.data)
        try:
            self.write_further()
        except OSError:
            return self.left
        return True

    def write_further(self) -> None:
        """Write as much as the kernel takes. Raises OSError where the connection is dead."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.left = True  # it is unknown how many TLS records were sent before an error
        try:
            while self._unsent:
                count = self.sock.send(self._unsent)
                self.left = True
                self._unsent = self._unsent[count:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            self.wants = selectors.EVENT_READ | selectors.EVENT_WRITE
            return
        except OSError:
            self._unsent = memoryview(b"")  # the server may have answered all the same
            self.wants = selectors.EVENT_READ
            raise
        self.wants = selectors.EVENT_READ

    def read(self) -> Outcome | None:
        """Read what has arrived; None while the answer is incomplete."""
        assert self.job is not None  # only busy connections are read
        while True:
            try:
                received = self.sock.recv(65_536)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None
            except ssl.SSLEOFError:
                return ResponseLost("the answer was truncated")
            except OSError as failure:
                return ResponseLost(_reason(failure))
            outcome = self.job.read(received)
            if outcome is not None:
                return outcome

    def close(self) -> None:
        self.sock.close()
