"""Puts the rooms together for one repository: disk, environment, clock, store and ways out.

The command line and `SchedulingService` both come in through here; below this room nothing reads the
environment or the clock.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scheduler.app import idle
from scheduler.app.environment import on_actions, surroundings_of, token_reader, who_runs
from scheduler.checkout import reading
from scheduler.clock import Clock
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.errors import Error, QueueError, RunRefused, StateError, StateMissing
from scheduler.planning.plan import DEFAULT_TOKENS, Surroundings
from scheduler.state.record import Declared, Idle, Intent, Record, State
from scheduler.times import LAST, Instant, instant_text

if TYPE_CHECKING:
    from scheduler.checkout.remote import RemoteTip
    from scheduler.checkout.source import Source
    from scheduler.delivery import Edge
    from scheduler.delivery.dispatcher import Dispatcher
    from scheduler.delivery.github.github_dispatcher import GitHubDispatcher
    from scheduler.delivery.queue.batch_writer import BatchWriter
    from scheduler.delivery.queue.celery import Broker
    from scheduler.delivery.queue.sqlite import SqliteQueue
    from scheduler.desired import SettingsSpec
    from scheduler.planning.reconcile import Reconciled
    from scheduler.reporting.notify import Notifier
    from scheduler.state.stores import Store

DEFAULT_API = "https://api.github.com"
BEHIND = 120
"""Seconds that the clock may be behind the record: two runners' clocks differ a little."""


class Repository:
    """One repository of waves and channels, with the environment and the clock of its user."""

    def __init__(self, root: Path, environ: Mapping[str, str], clock: Clock) -> None:
        self.root = root
        self.environ = environ
        self.clock = clock
        self._desk: _WorkTree | RemoteTip = _WorkTree(root)
        self._hub: GitHubDispatcher | None = None
        self._queue: Dispatcher | None = None
        self._notifier: Notifier | None = None
        self._store: tuple[str, Store] | None = None

    # --- reading ------------------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """Every declared file, as it is now."""
        return self._desk.read()

    def surroundings(self) -> Surroundings:
        return surroundings_of(self.environ)

    def settings(self, sources: Sequence[Source] | None = None) -> SettingsSpec | None:
        """The settings, or None where scheduler.yaml is broken."""
        from scheduler import desired
        from scheduler.desired import yaml_reader

        found = self.sources() if sources is None else sources
        source = next((source for source in found if source.kind == "scheduler"), None)
        if source is None:
            return desired.SettingsSpec()
        if source.fault is not None:
            return None
        return desired.read_settings(yaml_reader.read(source.file, source.content))[0]

    def store(self, settings: SettingsSpec) -> Store:
        """The home of the state. Always the same object for the same setting."""
        from scheduler.state.stores import open_store

        if self._store is None or self._store[0] != settings.state:
            self._store = settings.state, open_store(self.root, settings.state, who_runs(self.environ))
        return self._store[1]

    def recorded(self, settings: SettingsSpec) -> tuple[State | None, dict[str, Record]]:
        """The state (None: there is none) and the archive, to look at only.

        Raises StateError where it cannot be reached or trusted.
        """
        store = self.store(settings)
        try:
            snapshot = store.load()
        except StateMissing:
            return None, {}
        demand_lineage(snapshot.state, settings, store.name)
        return snapshot.state, store.load_archive()

    def look(self, *, proposal: bool = False, only_check: bool = False) -> tuple[Reconciled, State | None]:
        """What a run would decide now, without doing anything; with `only_check`, without a plan."""
        from scheduler.planning.reconcile import reconcile

        sources = self.sources()
        settings = self.settings(sources)
        state, archive = (None, {}) if settings is None else self.recorded(settings)
        reconciled = reconcile(
            sources,
            state,
            archive,
            self.clock.now(),
            self.surroundings(),
            proposal=proposal,
            only_check=only_check,
        )
        return reconciled, state

    def compare(self, revision: str) -> tuple[Reconciled, Reconciled]:
        """What is declared here, a proposal, and what `revision` declares without it, at one instant.

        Both are held against one record, which is that of the settings without the proposal. Raises
        Error where there is no such commit.
        """
        from scheduler.checkout.remote import sources_at
        from scheduler.planning.reconcile import reconcile

        sources, base = self.sources(), sources_at(self.root, revision)
        state, archive = self._recorded_for(base, sources)
        now, surroundings = self.clock.now(), self.surroundings()
        proposal, without = (
            reconcile(read, state, archive, now, surroundings, proposal=True) for read in (sources, base)
        )
        return proposal, without

    def _recorded_for(self, *choices: Sequence[Source]) -> tuple[State | None, dict[str, Record]]:
        """The record of the first settings that have one."""
        found: tuple[State | None, dict[str, Record]] = None, {}
        for sources in choices:
            settings = self.settings(sources)
            if settings is None:
                continue
            if found[0] is None:
                found = self.recorded(settings)
            else:
                demand_lineage(found[0], settings, "the record")
        return found

    def proposed(self) -> Reconciled:
        """What a run would decide of a proposal; where a run would refuse to act here, a warning says so."""
        reconciled, state = self.look(proposal=True)
        if state is None or (doubt := self._refusal(state)) is None:
            return reconciled
        return msgspec.structs.replace(reconciled, diagnostics=[*reconciled.diagnostics, doubt])

    def _refusal(self, state: State) -> Diagnostic | None:
        """Why a run would not act here and now, as far as this clone knows: nothing is fetched to tell."""
        hint = "`scheduler run` refuses to act on it"
        if self.clock.is_real and (words := _gone_back(state, self.clock.now())) is not None:
            return warning("clock", Location.whole("."), words, f"{hint} until the clock is set")
        recorded = None if state.declared is None else state.declared.commit
        head = None if recorded is None else self.commit()
        if recorded is None or head is None:
            return None
        if reading.ancestry(self.root, recorded, head, fetch=False) != "older":
            return None
        return warning(
            "stale-checkout", Location.whole("."), _older(head, recorded), f"{hint}: fetch the branch's tip"
        )

    def preview(self, settings: SettingsSpec, *, force: bool = False) -> Reconciled:
        """What a run would do now; the state must be there, and lasting, as for a run."""
        from scheduler.delivery import Runner

        return Runner(self.edge(settings), force=force).look().reconciled

    # --- running ------------------------------------------------------------------------------------

    def edge(self, settings: SettingsSpec, *, follow: bool = False) -> Edge:
        """Everything that a run touches. Raises StateError where its record would be lost.

        `follow`: read what is declared anew each time; in a GitHub Actions job, where the work tree stays
        as it was checked out, from the remote tip of the run's branch.
        """
        from scheduler.delivery import Edge

        self.demand_lasting_homes(settings)
        self.demand_address()
        ref = self.environ.get("GITHUB_REF", "")
        if follow and on_actions(self.environ) and ref.startswith("refs/heads/"):
            from scheduler.checkout.remote import RemoteTip

            self._desk = RemoteTip(self.root, ref)
        store = self.told_store(settings)
        guarded = _Guard(self, settings, store.name)
        return Edge(
            store=store,
            sources=self.sources,
            surroundings=self.surroundings,
            dispatcher=lambda intent: self.way(intent, settings),
            clock=self.clock,
            nonce=lambda: secrets.token_hex(8),
            declared=self._declared,
            idle=lambda reconciled: self._idle(settings, reconciled),
            guard=guarded.check,
            compares_clocks=self.clock.is_real,
            server_time=self._server_time,
        )

    def commit(self) -> str | None:
        """The commit of what was read last; None where there is none."""
        return self._desk.commit()

    def remarks(self) -> list[Diagnostic]:
        """What is to be said about the last reading."""
        return self._desk.remarks

    def _declared(self, sources: Sequence[Source], before: Declared | None) -> Declared:
        digest = reading.digest(sources)
        if before is not None and before.digest == digest:
            return before
        return Declared(digest=digest, commit=self.commit())

    def _idle(self, settings: SettingsSpec, reconciled: Reconciled) -> Idle | None:
        """The mark that a tick leaves which found nothing to do. On a branch it would be a commit a tick."""
        declared = reconciled.declared
        if declared is None or settings.state.startswith("branch:") or not self.clock.is_real:
            return None
        sending = [channel for channel in declared.channels.values() if channel.repository is not None]
        named = {channel.token for channel in sending if channel.token is not None}
        unnamed = set(DEFAULT_TOKENS) if any(channel.token is None for channel in sending) else set()
        tokens = tuple(sorted(named | unnamed))
        return Idle(
            until=instant_text(LAST if reconciled.plan.wake is None else reconciled.plan.wake),
            surroundings=idle.surroundings_digest(str(self.root), settings.state, self.environ, tokens),
            tokens=tokens,
        )

    def demand_address(self) -> None:
        """Refuse an API address that is none, before anything is recorded for it. Raises Error."""
        address = self.environ.get("GITHUB_API_URL")
        if address:
            from scheduler.delivery.github.api_url import read_api_url

            read_api_url(address)

    def demand_lasting_homes(self, settings: SettingsSpec) -> None:
        """Refuse a record, or a queue in use, that this machine would lose. Raises StateError, QueueError."""
        if not on_actions(self.environ):
            return
        if not settings.state.startswith("branch:"):
            raise StateError(
                f"on GitHub Actions the state in the file {settings.state} would be lost with the machine",
                hint="write `state: branch:scheduler-state` into scheduler.yaml",
            )
        if settings.queue.startswith("sqlite:") and (channel := self._channel_on_queue()) is not None:
            raise QueueError(
                f"on GitHub Actions the queue {settings.queue}, which the channel {channel} uses, would be "
                "lost with the machine",
                hint="name a broker at `queue:` in scheduler.yaml, or give the channel a `repository:`",
            )

    def _channel_on_queue(self) -> str | None:
        """A declared channel whose schedules become jobs; None where there is none."""
        from scheduler.desired.declarations import declare

        declared, _ = declare(self.sources())
        channels = {} if declared is None else declared.channels
        return next((name for name, channel in channels.items() if channel.repository is None), None)

    def way(self, intent: Intent, settings: SettingsSpec) -> Dispatcher:
        """The way out for an intent: GitHub, or the queue."""
        if intent.transport != "queue":
            return self._github()
        if self._queue is None:
            self._queue = self._open_queue(settings)
        return self._queue

    def _github(self) -> GitHubDispatcher:
        from scheduler.delivery.github.github_dispatcher import GitHubDispatcher

        if self._hub is None:
            api = self.environ.get("GITHUB_API_URL") or DEFAULT_API
            self._hub = GitHubDispatcher(api, token_reader(self.environ), now=self.clock.now)
        return self._hub

    def demand_right_clock(self) -> None:
        """Refuse to write anything by a clock that is wrong. Raises RunRefused."""
        from scheduler.delivery import clock_problem
        from scheduler.desired.declarations import declare

        declared, _ = declare(self.sources())
        channels = {} if declared is None else declared.channels
        if not self.clock.is_real or all(channel.repository is None for channel in channels.values()):
            return
        told = self._server_time()
        problem = None if told is None else clock_problem(self.clock.now(), told)
        if problem is not None:
            raise RunRefused(problem, hint="set the clock (ntp); nothing was written")

    def _server_time(self) -> Instant | None:
        """What GitHub's clock says; None where it cannot be asked, which the sending will tell."""
        try:
            return self._github().server_time()
        except Error:
            return None

    def queue(self, settings: SettingsSpec) -> SqliteQueue | Broker:
        """The queue of channels without a repository. Raises Error where there is none to be had."""
        from scheduler.delivery.queue.dispatchers import open_queue

        return open_queue(
            settings.queue,
            self.root,
            attempts=settings.retry.attempts,
            backoff=settings.retry.backoff,
            password=token_reader(self.environ)("SCHEDULER_QUEUE_PASSWORD"),
        )

    def queues(self) -> list[str]:
        """The names of the queues that declared channels use."""
        from scheduler.desired.declarations import declare

        declared, _ = declare(self.sources())
        channels = {} if declared is None else declared.channels
        return sorted({channel.queue for channel in channels.values() if channel.queue is not None})

    def batch_writer(self, settings: SettingsSpec, tell: Callable[[str], None]) -> BatchWriter:
        """What workers write into the record. `tell` gets what goes wrong with notifications."""
        from scheduler.delivery.queue.batch_writer import BatchWriter

        store = self.told_store(settings, tell)
        return BatchWriter(
            store, self.clock, demand=lambda state: demand_lineage(state, settings, store.name)
        )

    def told_store(self, settings: SettingsSpec, tell: Callable[[str], None] = lambda _: None) -> Store:
        """The home of the state; whom `notify` names is told of what is saved."""
        store = self.store(settings)
        if not settings.notify:
            return store
        from scheduler.reporting.notify import Notifier

        if self._notifier is None:
            self._notifier = Notifier(settings.notify, token_reader(self.environ), tell)
        return self._notifier.watch(store)

    def finish_telling(self) -> list[Diagnostic]:
        """Wait a little for the last notifications; a warning for each that was not delivered."""
        problems = [] if self._notifier is None else self._notifier.close()
        return [warning("unreachable", Location("scheduler.yaml"), problem) for problem in problems]

    def _open_queue(self, settings: SettingsSpec) -> Dispatcher:
        from scheduler.delivery.queue.dispatchers import BrokerDispatcher, SqliteDispatcher
        from scheduler.delivery.queue.sqlite import SqliteQueue

        queue = self.queue(settings)
        if isinstance(queue, SqliteQueue):
            queue.check_place()
            return SqliteDispatcher(queue, now=self.clock.now)
        return BrokerDispatcher(queue, functools.cache(lambda: self.store(settings).load().state.lineage))

    def close(self) -> None:
        """Let go of connections and files, once the last notifications are out."""
        self.finish_telling()
        for way in (self._hub, self._queue):
            if way is not None:
                way.close()
        self._hub = self._queue = None


def demand_lineage(state: State, settings: SettingsSpec, name: str) -> None:
    """Refuse a state whose lineage is not the pinned one. Raises StateError."""
    if settings.lineage is not None and settings.lineage != state.lineage:
        raise StateError(
            f"{name} has the lineage {state.lineage}, and scheduler.yaml pins {settings.lineage}",
            hint="this is the record of another repository: put the right one back",
        )


class _WorkTree:
    """What is declared, as it lies in the work tree, committed or not."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.remarks: list[Diagnostic] = []

    def read(self) -> list[Source]:
        return reading.read_sources(self._root)

    def commit(self) -> str | None:
        return reading.head_commit(self._root)


class _Guard:
    """What must hold of a state, and of what is declared, before a run may act on it."""

    def __init__(self, repository: Repository, settings: SettingsSpec, name: str) -> None:
        self._repository = repository
        self._settings = settings
        self._name = name
        self._known: dict[tuple[str, str], list[Diagnostic]] = {}

    def check(self, state: State) -> list[Diagnostic]:
        """Raises StateError for another lineage, RunRefused for an old checkout or a clock gone back."""
        demand_lineage(state, self._settings, self._name)
        if self._repository.clock.is_real:
            _demand_forward(state, self._repository.clock.now())
        recorded = None if state.declared is None else state.declared.commit
        head = None if recorded is None else self._repository.commit()
        remarks = list(self._repository.remarks())
        if recorded is None or head is None:
            return remarks
        if (recorded, head) not in self._known:
            self._known[recorded, head] = self._compare(recorded, head)
        return remarks + self._known[recorded, head]

    def _compare(self, recorded: str, head: str) -> list[Diagnostic]:
        found = reading.ancestry(self._repository.root, recorded, head)
        if found == "older":
            raise RunRefused(
                _older(head, recorded),
                hint="an old run was started again: start a new one from the tip of the branch",
            )
        if found == "unknown":
            message = (
                f"whether this checkout is newer than {recorded[:12]}, which was declared last, can't be told"
            )
            return [
                warning(
                    "stale-checkout", Location.whole("."), message, "fetch the whole history of the branch"
                )
            ]
        return []


def _older(head: str, recorded: str) -> str:
    return f"this checkout ({head[:12]}) is older than what was declared last ({recorded[:12]})"


def _demand_forward(state: State, now: Instant) -> None:
    """Refuse a clock that is behind the record: what happened cannot lie ahead."""
    words = _gone_back(state, now)
    if words is not None:
        raise RunRefused(
            words, hint="set the clock (ntp); if the record was written with --now, start it anew"
        )


def _gone_back(state: State, now: Instant) -> str | None:
    """What is to be said of a clock that is behind the record."""
    latest = max((record.history[-1].at for record in state.schedules.values() if record.history), default="")
    if latest <= instant_text(now + BEHIND):
        return None
    return f"this machine's clock says {instant_text(now)}, and the record has gone on to {latest}"


def root_of(path: str) -> Path:
    """The repository's folder. Raises Error where there is none."""
    root = Path(path)
    try:
        if root.is_dir():
            return root.resolve()
    except OSError as problem:  # a name that is too long; or the current folder was removed
        raise Error(f"{path} cannot be opened: {problem.strerror}") from None
    raise Error(f"{path} is no folder")
