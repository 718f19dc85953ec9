"""A lean sender of HTTP/1.1 requests to one server: many at once, each at most once, read strictly.

What it is for: a burst of publications that leaves within milliseconds, and an answer that is either
complete or not an answer. General clients repeat requests, follow redirects, or take a cut
`HTTP/1.1 204 No` for a success; here a request gets a connection of its own, opened beforehand where
`prepare` was called, and h11 says whether what came back is a whole response.

What is known of a failure decides what may be done about it, so it is told by type: `NothingLeft` (no
byte of the request was handed to the kernel) or `Lost` (some were, and no complete answer came back).

All times here are seconds on the monotonic clock. One thread may use a `Wire` at a time.
"""

from __future__ import annotations

import selectors
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence

from scheduler.delivery.github.api_url import ApiUrl, Sockaddr, Unreachable, resolve
from scheduler.delivery.github.http_connection import Exchange, Line, Lost, NothingLeft, Outcome, Outgoing

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 15.0
AT_ONCE = 100
"""Connections to the server at one time: GitHub's limit on concurrent requests."""
LARGEST_BODY = 64 * 1024
IDLE_LIMIT = 30.0
"""A prepared connection that is older is not used: what lies between may have forgotten it silently."""
RESOLVED_FOR = 60.0


def trust() -> ssl.SSLContext:
    """Who is believed about a server's name: the system's store, or SSL_CERT_FILE and SSL_CERT_DIR."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire:
    """The way to one server. `context` may be shared between wires; it is made when first needed."""

    def __init__(
        self,
        url: ApiUrl,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        at_once: int = AT_ONCE,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self.connect_timeout = connect_timeout
        self.answer_timeout = answer_timeout
        self.at_once = at_once
        self._context = context
        self._idle: deque[Line] = deque()
        self._addresses: tuple[Sockaddr, ...] = ()
        self._resolved_at = float("-inf")

    def prepare(self, count: int) -> None:
        """Open connections for the next `count` requests, in parallel. Sends nothing, never raises."""
        self._drop_old()
        burst = _Burst(self, [], LARGEST_BODY)
        try:
            self._idle.extend(burst.open_only(min(count, self.at_once) - len(self._idle)))
        finally:
            burst.close()

    def exchange(
        self,
        requests: Sequence[Outgoing],
        *,
        largest: int = LARGEST_BODY,
        answer_timeout: float | None = None,
    ) -> Iterator[tuple[int, Outcome]]:
        """Make each request once, begun in the order given; yield (its index, outcome) as they come.

        `largest`: bytes of a body that are kept. `answer_timeout`: another bound for these alone. Time
        that the caller spends between two outcomes does not count against the bounds.
        """
        self._drop_old()
        burst = _Burst(self, requests, largest, [self._idle.popleft() for _ in range(len(self._idle))])
        burst.answer_timeout = self.answer_timeout if answer_timeout is None else answer_timeout
        try:
            yield from burst.outcomes()
        finally:
            self._idle.extend(burst.spare())
            burst.close()

    def close(self) -> None:
        """Hang up on what was prepared and not used."""
        while self._idle:
            self._idle.pop().close()

    def _drop_old(self) -> None:
        now = time.monotonic()
        for _ in range(len(self._idle)):
            line = self._idle.popleft()
            if now - line.opened_at > IDLE_LIMIT or not line.is_alive():
                line.close()
            else:
                self._idle.append(line)

    def open_line(self) -> Line:
        """Begin to open a connection. Raises Unreachable."""
        now = time.monotonic()
        if now - self._resolved_at > RESOLVED_FOR:
            self._addresses = self._resolved()
            self._resolved_at = time.monotonic()
        if self.url.scheme == "https" and self._context is None:
            self._context = trust()
        tls = self._context if self.url.scheme == "https" else None
        return Line(self.url, self._addresses, tls, time.monotonic() + self.connect_timeout)

    def _resolved(self) -> tuple[Sockaddr, ...]:
        """The host's addresses; those of before, where the resolver fails now."""
        try:
            return resolve(self.url, self.connect_timeout)
        except Unreachable:
            if not self._addresses:
                raise
            return self._addresses


class _Burst:
    """One call of `prepare` or `exchange`: the requests that wait, and the lines that are watched.

    Lines are alike, so a request takes whichever is open first: the order is kept, and one slow
    connection holds nobody up. Where a line cannot be opened, the last of those that wait goes without.
    """

    def __init__(
        self, wire: Wire, requests: Sequence[Outgoing], largest: int, idle: Sequence[Line] = ()
    ) -> None:
        self.answer_timeout = wire.answer_timeout
        self._wire = wire
        self._selector = selectors.DefaultSelector()
        self._waiting = deque(Exchange(i, r, wire.url, largest) for i, r in enumerate(requests))
        self._opening: list[Line] = []
        self._ready: deque[Line] = deque(idle)
        self._busy: list[Line] = []
        self._done: deque[tuple[int, Outcome]] = deque()
        self._reached = False

    def open_only(self, count: int) -> list[Line]:
        """As many lines as can be opened, at most `count`."""
        try:
            for _ in range(count):
                self._watch_opening(self._wire.open_line())
        except Unreachable:
            pass
        while self._opening:
            self._turn()
        return self.spare()

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        while self._waiting or self._busy:
            self._open_lines()
            self._write_waiting()
            if not self._done and (self._opening or self._busy):
                self._turn()
            yield from self._tell()

    def spare(self) -> list[Line]:
        """Hand over the open lines that were not used."""
        spare = list(self._ready)
        self._ready.clear()
        for line in spare:
            line.prepared = True
        return spare

    def close(self) -> None:
        for line in (*self._opening, *self._ready, *self._busy):
            line.close()
        self._selector.close()

    def _tell(self) -> Iterator[tuple[int, Outcome]]:
        """Yield what is done. What the caller does meanwhile is not the server's time."""
        began = time.monotonic()
        while self._done:
            yield self._done.popleft()
        away = time.monotonic() - began
        for line in (*self._opening, *self._busy):
            line.deadline += away
            line.patience += away

    # --- opening ---

    def _open_lines(self) -> None:
        places = min(len(self._waiting), self._wire.at_once - len(self._busy))
        for _ in range(places - len(self._ready) - len(self._opening)):
            try:
                self._watch_opening(self._wire.open_line())
            except Unreachable as failure:
                self._unreachable(str(failure))
            if not self._waiting:
                return

    def _watch_opening(self, line: Line) -> None:
        self._opening.append(line)
        self._selector.register(line.sock, line.wants, line)

    def _open_further(self, line: Line, give_up: str | None = None) -> None:
        """One step of opening, or on to the next address for the reason `give_up`."""
        self._selector.unregister(line.sock)
        self._opening.remove(line)
        try:
            if give_up is None:
                line.open_further()
            else:
                line.give_up_address(give_up)
        except Unreachable as failure:
            line.close()
            self._unreachable(str(failure))
            return
        if line.stage == "open":
            self._reached = True
            self._ready.append(line)
        else:
            self._watch_opening(line)

    def _unreachable(self, why: str) -> None:
        """A line could not be opened: whoever has no other to hope for goes without."""
        hopes = len(self._opening) + len(self._ready)
        if not (self._reached or hopes or self._busy):  # nobody is there: the rest need not be tried
            self._done.extend((job.index, NothingLeft(why)) for job in self._waiting)
            self._waiting.clear()
        elif len(self._waiting) > hopes:
            self._done.append((self._waiting.pop().index, NothingLeft(why)))

    # --- writing and reading ---

    def _write_waiting(self) -> None:
        """Hand over what can be, in order, and with nothing else done between two of them."""
        pairs: list[tuple[Line, Exchange]] = []
        while self._ready and self._waiting:
            line = self._ready.popleft()
            if line.is_alive():
                job = self._waiting.popleft()
                job.encode()
                pairs.append((line, job))
            else:
                line.close()
                if not line.prepared:
                    self._unreachable(f"{self._wire.url.authority} hung up before anything was sent")
        written = [line.write(job, time.monotonic() + self.answer_timeout) for line, job in pairs]
        for (line, job), left in reversed(list(zip(pairs, written, strict=True))):
            if left:
                self._busy.append(line)
                self._selector.register(line.sock, line.wants, line)
            else:
                line.close()
                self._write_again(job)

    def _write_again(self, job: Exchange) -> None:
        """Nothing of it left on a line that was dead: it may have one more."""
        if job.reopened:
            why = f"{self._wire.url.authority} hung up twice before anything was sent"
            self._done.append((job.index, NothingLeft(why)))
        else:
            job.reopened = True
            self._waiting.appendleft(job)

    def _turn(self) -> None:
        """Wait until a socket is ready or a bound is reached, and go on with what can go on."""
        bounds = [line.patience for line in self._opening] + [line.deadline for line in self._busy]
        for key, mask in self._selector.select(max(0.0, min(bounds) - time.monotonic())):
            line: Line = key.data
            if line.job is None:
                self._open_further(line)
            else:
                self._exchange_further(line, mask)
        self._expire(time.monotonic())

    def _exchange_further(self, line: Line, mask: int) -> None:
        wanted = line.wants
        outcome = line.read() if mask & selectors.EVENT_READ else None
        if outcome is None and mask & selectors.EVENT_WRITE:
            try:
                line.write_further()
            except OSError:
                outcome = line.read()
        if outcome is not None:
            self._finish(line, outcome)
        elif line.wants != wanted:
            self._selector.modify(line.sock, line.wants, line)

    def _finish(self, line: Line, outcome: Outcome) -> None:
        self._selector.unregister(line.sock)
        self._busy.remove(line)
        line.close()
        if line.job is not None:
            self._done.append((line.job.index, outcome))

    def _expire(self, now: float) -> None:
        for line in [line for line in self._opening if now >= line.patience]:
            what = "TLS handshake" if line.stage == "greeting" else "connection"
            self._open_further(line, give_up=f"no {what} within {self._wire.connect_timeout:g} s")
        for line in [line for line in self._busy if now >= line.deadline]:
            self._finish(line, Lost(f"no complete answer within {self.answer_timeout:g} s"))
