"""A small HTTP/1.1 client for one server: many requests at once, each made at most once and read strictly.

It exists for a burst of publications that leaves within milliseconds, and for answers that are either
complete or no answer. General clients repeat requests, follow redirects, or take a truncated
`HTTP/1.1 204 No` for a success. Here each request has a connection of its own, opened beforehand where
`prepare` was called, and h11 decides whether what came back is a complete response.

What is known of a failure decides what may be done about it, so it has a type: `NotSent` (no byte of the
request was handed to the kernel) or `ResponseLost` (some were, and no complete answer came back).

All times here are seconds on the monotonic clock. One thread may use an `HttpBurst` at a time.
"""

from __future__ import annotations

import selectors
import ssl
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from scheduler.delivery.github.api_url import ApiUrl, Sockaddr, Unreachable, resolve
from scheduler.delivery.github.http_connection import (
    STAGES,
    Exchange,
    HttpConnection,
    NotSent,
    Outcome,
    Outgoing,
    ResponseLost,
)
from scheduler.delivery.github.proxy import Proxy
from scheduler.errors import Error
from scheduler.wording import quoted

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 15.0
AT_ONCE = 100
"""Connections to the server at one time: GitHub's limit on concurrent requests."""
LARGEST_BODY = 64 * 1024
IDLE_LIMIT = 30.0
"""An older prepared connection is not used: a firewall on the way may have dropped it silently."""
RESOLVED_FOR = 60.0


def trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """The trust store: the system's, or SSL_CERT_FILE and SSL_CERT_DIR.

    Raises Error for a SSL_CERT_FILE without a certificate; OpenSSL itself would then trust nobody, silently.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    file = environ.get("SSL_CERT_FILE")
    if file:
        try:
            context.load_verify_locations(cafile=file)
        except OSError:  # ssl.SSLError is one
            raise Error(
                f"SSL_CERT_FILE is {quoted(file)}, which is not a readable file of PEM certificates",
                hint="write the path of such a file, or unset SSL_CERT_FILE to trust what the system trusts",
            ) from None
    return context


class HttpBurst:
    """Requests to one server, through `proxy` where there is one.

    `context` may be shared between instances; it is made when first needed.
    """

    def __init__(
        self,
        url: ApiUrl,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        at_once: int = AT_ONCE,
        context: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self.url = url
        self.proxy = proxy
        self.connect_timeout = connect_timeout
        self.answer_timeout = answer_timeout
        self.at_once = at_once
        self._context = context
        self._idle: deque[HttpConnection] = deque()
        self._addresses: tuple[Sockaddr, ...] = ()
        self._resolved_at = float("-inf")

    def prepare(self, count: int) -> None:
        """Open connections for the next `count` requests, in parallel. Sends nothing, never raises."""
        self._drop_old()
        call = _Call(self, [], LARGEST_BODY)
        try:
            self._idle.extend(call.open_only(min(count, self.at_once) - len(self._idle)))
        finally:
            call.close()

    def exchange(
        self,
        requests: Sequence[Outgoing],
        *,
        largest: int = LARGEST_BODY,
        answer_timeout: float | None = None,
    ) -> Iterator[tuple[int, Outcome]]:
        """Make each request once, begun in the order given; yield (its index, outcome) as they come.

        `largest`: bytes of a body that are kept. `answer_timeout`: another timeout for these requests. Time
        that the caller spends between two outcomes does not count against the timeouts.
        """
        self._drop_old()
        call = _Call(self, requests, largest, [self._idle.popleft() for _ in range(len(self._idle))])
        call.answer_timeout = self.answer_timeout if answer_timeout is None else answer_timeout
        try:
            yield from call.outcomes()
        finally:
            self._idle.extend(call.spare())
            call.close()

    def close(self) -> None:
        """Close the connections that were prepared and not used."""
        while self._idle:
            self._idle.pop().close()

    def _drop_old(self) -> None:
        now = time.monotonic()
        for _ in range(len(self._idle)):
            connection = self._idle.popleft()
            if now - connection.opened_at > IDLE_LIMIT or not connection.is_alive():
                connection.close()
            else:
                self._idle.append(connection)

    def open_connection(self) -> HttpConnection:
        """Begin to open a connection. Raises Unreachable."""
        now = time.monotonic()
        if now - self._resolved_at > RESOLVED_FOR:
            self._addresses = self._resolved()
            self._resolved_at = time.monotonic()
        if self.url.scheme == "https" and self._context is None:
            self._context = trust({})
        tls = self._context if self.url.scheme == "https" else None
        deadline = time.monotonic() + self.connect_timeout
        return HttpConnection(self.url, self._addresses, tls, deadline, self.proxy)

    def _resolved(self) -> tuple[Sockaddr, ...]:
        """The addresses of the proxy, else of the server; the previous ones where the resolver fails now."""
        peer: ApiUrl | Proxy = self.url if self.proxy is None else self.proxy
        only_loopback = self.proxy is None and self.url.scheme == "http"
        try:
            return resolve(peer.host, peer.port, self.connect_timeout, only_loopback=only_loopback)
        except Unreachable as failure:
            if not self._addresses:
                if self.proxy is not None:
                    raise Unreachable(f"the proxy in {self.proxy.variable}: {failure}") from None
                raise
            return self._addresses


class _Call:
    """One call of `prepare` or `exchange`: the requests that wait, and the connections that are watched.

    Any connection will do, so a request takes the first that is open: the order is kept, and one slow
    connection holds no request up. Where one cannot be opened, the last waiting request is not sent.
    """

    def __init__(
        self,
        owner: HttpBurst,
        requests: Sequence[Outgoing],
        largest: int,
        idle: Sequence[HttpConnection] = (),
    ) -> None:
        self.answer_timeout = owner.answer_timeout
        self._owner = owner
        self._selector = selectors.DefaultSelector()
        self._waiting = deque(Exchange(i, r, owner.url, largest) for i, r in enumerate(requests))
        self._opening: list[HttpConnection] = []
        self._ready: deque[HttpConnection] = deque(idle)
        self._busy: list[HttpConnection] = []
        self._done: deque[tuple[int, Outcome]] = deque()
        self._reached = False

    def open_only(self, count: int) -> list[HttpConnection]:
        """Open as many connections as possible, at most `count`."""
        try:
            for _ in range(count):
                self._watch_opening(self._owner.open_connection())
        except Unreachable:
            pass
        while self._opening:
            self._turn()
        return self.spare()

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        while self._waiting or self._busy:
            self._open_connections()
            self._write_waiting()
            if not self._done and (self._opening or self._busy):
                self._turn()
            yield from self._pass_on()

    def spare(self) -> list[HttpConnection]:
        """Hand over the open connections that were not used."""
        spare = list(self._ready)
        self._ready.clear()
        for connection in spare:
            connection.prepared = True
        return spare

    def close(self) -> None:
        for connection in (*self._opening, *self._ready, *self._busy):
            connection.close()
        self._selector.close()

    def _pass_on(self) -> Iterator[tuple[int, Outcome]]:
        """Yield the finished outcomes. The caller's own time is added to the server's deadlines."""
        began = time.monotonic()
        while self._done:
            yield self._done.popleft()
        away = time.monotonic() - began
        for connection in (*self._opening, *self._busy):
            connection.deadline += away
            connection.patience += away

    # --- opening ---

    def _open_connections(self) -> None:
        places = min(len(self._waiting), self._owner.at_once - len(self._busy))
        for _ in range(places - len(self._ready) - len(self._opening)):
            try:
                self._watch_opening(self._owner.open_connection())
            except Unreachable as failure:
                self._unreachable(str(failure))
            if not self._waiting:
                return

    def _watch_opening(self, connection: HttpConnection) -> None:
        self._opening.append(connection)
        self._selector.register(connection.sock, connection.wants, connection)

    def _open_further(self, connection: HttpConnection, give_up: str | None = None) -> None:
        """One step of opening, or on to the next address because of `give_up`."""
        self._selector.unregister(connection.sock)
        self._opening.remove(connection)
        try:
            if give_up is None:
                connection.open_further()
            else:
                connection.give_up_address(give_up)
        except Unreachable as failure:
            connection.close()
            self._unreachable(str(failure))
            return
        if connection.stage == "open":
            self._reached = True
            self._ready.append(connection)
        else:
            self._watch_opening(connection)

    def _unreachable(self, why: str) -> None:
        """A connection could not be opened: a request without another one to wait for is not sent."""
        others = len(self._opening) + len(self._ready)
        if not (self._reached or others or self._busy):  # the server is down: do not try the rest
            self._done.extend((job.index, NotSent(why)) for job in self._waiting)
            self._waiting.clear()
        elif len(self._waiting) > others:
            self._done.append((self._waiting.pop().index, NotSent(why)))

    # --- writing and reading ---

    def _write_waiting(self) -> None:
        """Write the requests that have a connection, in order.

        All are encoded first and registered afterwards, so that nothing else is done between two writes.
        """
        pairs: list[tuple[HttpConnection, Exchange]] = []
        while self._ready and self._waiting:
            connection = self._ready.popleft()
            if connection.is_alive():
                job = self._waiting.popleft()
                job.encode()
                pairs.append((connection, job))
            else:
                connection.close()
                if not connection.prepared:
                    self._unreachable(f"{self._owner.url.authority} hung up before anything was sent")
        written = [connection.write(job, time.monotonic() + self.answer_timeout) for connection, job in pairs]
        for (connection, job), left in reversed(list(zip(pairs, written, strict=True))):
            if left:
                self._busy.append(connection)
                self._selector.register(connection.sock, connection.wants, connection)
            else:
                connection.close()
                self._write_again(job)

    def _write_again(self, job: Exchange) -> None:
        """The connection was dead and no byte was sent: the request gets one more."""
        if job.reopened:
            why = f"{self._owner.url.authority} hung up twice before anything was sent"
            self._done.append((job.index, NotSent(why)))
        else:
            job.reopened = True
            self._waiting.appendleft(job)

    def _turn(self) -> None:
        """Wait until a socket is ready or a timeout is reached, and continue what can continue."""
        bounds = [one.patience for one in self._opening] + [one.deadline for one in self._busy]
        for key, mask in self._selector.select(max(0.0, min(bounds) - time.monotonic())):
            connection: HttpConnection = key.data
            if connection.job is None:
                self._open_further(connection)
            else:
                self._exchange_further(connection, mask)
        self._expire(time.monotonic())

    def _exchange_further(self, connection: HttpConnection, mask: int) -> None:
        wanted = connection.wants
        outcome = connection.read() if mask & selectors.EVENT_READ else None
        if outcome is None and mask & selectors.EVENT_WRITE:
            try:
                connection.write_further()
            except OSError:
                outcome = connection.read()
        if outcome is not None:
            self._finish(connection, outcome)
        elif connection.wants != wanted:
            self._selector.modify(connection.sock, connection.wants, connection)

    def _finish(self, connection: HttpConnection, outcome: Outcome) -> None:
        self._selector.unregister(connection.sock)
        self._busy.remove(connection)
        connection.close()
        if connection.job is not None:
            self._done.append((connection.job.index, outcome))

    def _expire(self, now: float) -> None:
        for connection in [connection for connection in self._opening if now >= connection.patience]:
            why = f"no {STAGES[connection.stage]} within {self._owner.connect_timeout:g} s"
            self._open_further(connection, give_up=why)
        for connection in [connection for connection in self._busy if now >= connection.deadline]:
            self._finish(connection, ResponseLost(f"no complete answer within {self.answer_timeout:g} s"))
