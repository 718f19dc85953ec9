"""The world as a run sees it: everything that is not a pure function comes in here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from scheduler.checkout.source import Source
from scheduler.delivery.dispatcher import Dispatcher
from scheduler.desired.declarations import Reader, declare
from scheduler.diagnostics import Diagnostic
from scheduler.planning.plan import Surroundings
from scheduler.planning.reconcile import Reconciled
from scheduler.state.record import Declared, Idle, Intent, State
from scheduler.state.stores import Snapshot, Store
from scheduler.times import Instant


class Waiter(Protocol):
    """The waiting that a run does; `scheduler.clock.Clock` is one, a simulation has another."""

    def now(self) -> Instant: ...
    def moment(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> bool: ...
    def sleep_until(self, moment: float) -> bool: ...
    def back_off(self, attempt: int) -> None: ...
    @property
    def is_ended(self) -> bool: ...


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of everything, and what was decided from it."""

    snapshot: Snapshot
    sources: Sequence[Source]
    reconciled: Reconciled
    begun: float
    """On the monotonic clock."""
    begun_at: float
    """On the wall clock."""


def _nobody_says() -> Instant | None:
    return None


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


class Edge(msgspec.Struct, kw_only=True):
    """The world as a run sees it: everything that is not a pure function."""

    store: Store
    sources: Callable[[], Sequence[Source]]
    surroundings: Callable[[], Surroundings]
    dispatcher: Callable[[Intent], Dispatcher]
    """The way out for an intent; the same object for the same way."""
    clock: Waiter
    nonce: Callable[[], str]
    declared: Callable[[Sequence[Source], Declared | None], Declared]
    """Digest and commit of what is declared; the one given where nothing changed."""
    idle: Callable[[Reconciled], Idle | None]
    """What the next tick compares to know that there is nothing to do; None where it does not."""
    guard: Callable[[State], Sequence[Diagnostic]]
    """What must hold of a state before it is acted upon; raises where it does not."""
    compares_clocks: bool = False
    """Whether the servers' `Date` is held against the clock; a clock that was set by hand is not."""
    server_time: Callable[[], Instant | None] = _nobody_says
    """What a server's clock says now; None where none does."""
    declare: Reader = declare
    """How files are read; a simulation reads them once, and under settings of its own."""
    beside: Callable[[Callable[[], None]], None] = _in_a_thread
    """Does a piece of work beside others; in a simulation one comes after the other."""
