"""The ports of a run: everything that is not a pure function comes in here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from scheduler.checkout.source import Source
from scheduler.delivery.dispatcher import Dispatcher
from scheduler.delivery.report import Report
from scheduler.desired import ChannelSpec
from scheduler.desired.declarations import Reader, declare
from scheduler.diagnostics import Diagnostic
from scheduler.planning.plan import Surroundings
from scheduler.planning.reconcile import Reconciled
from scheduler.state.record import Idle, Intent, State
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


class RunClock(Waiter, Protocol):
    """The clock of a run, which nobody sets: see `scheduler.clock.SteadyClock`."""

    def jump(self) -> float: ...
    def follow(self, *, wall: bool) -> None: ...


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything as it was read for one round, and what was decided from it."""

    snapshot: Snapshot
    sources: Sequence[Source]
    reconciled: Reconciled
    begun: float
    """On the monotonic clock."""
    begun_at: float
    """On the wall clock."""


class Ports(msgspec.Struct, kw_only=True):
    """The outside world of a run; a simulation plugs in another one."""

    store: Store
    sources: Callable[[], Sequence[Source]]
    surroundings: Callable[[], Surroundings]
    dispatcher: Callable[[Intent], Dispatcher]
    """The dispatcher of an intent; the same object for the same transport."""
    clock: RunClock
    nonce: Callable[[], str]
    declared: Callable[[Sequence[Source], State], State]
    """The state with what is declared now: digest, commit, folder, branch."""
    idle: Callable[[Reconciled], Idle | None]
    """What the next tick compares to find out that there is nothing to do; None to skip that check."""
    guard: Callable[[State, Sequence[Source]], Sequence[Diagnostic]]
    """Checks a state before a run acts on it with what is declared; raises where it must not."""
    keeps_tokens: bool = False
    """Whether this process can get no other tokens: a job on GitHub Actions has those it was started with."""
    compares_clocks: bool = False
    """Whether the servers' `Date` is compared with the clock; not where `--now` set the clock."""
    server_time: Callable[[Iterable[ChannelSpec]], Instant | None] = lambda _: None
    """The clock of a server that one of the channels sends to; None where no server answers."""
    notified: Callable[[Report, State], State] = lambda _, state: state
    """The state with what people are notified of after a run; the notification follows its save."""
    tip: Callable[[], object] | None = None
    """One cheap question, whose answer is another one once anything is declared or recorded anew; raises
    Error where there is no answer. None where nothing can change while a run waits."""
    declare: Reader = declare
    """How files are read; a simulation reads them once, and under settings of its own."""
    beside: Callable[[Callable[[], None]], None] = lambda work: threading.Thread(
        target=work, daemon=True
    ).start()
    """Starts work in a thread; a simulation runs one after the other."""
