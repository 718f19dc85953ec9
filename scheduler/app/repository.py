"""The composition root: joins disk, environment, clock, store and dispatchers for one repository.

The command line and `SchedulingService` both start here; nothing below reads the environment or the clock.
What a run imports only in some cases (YAML, PyGithub, Celery, apprise) is imported where it is needed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scheduler.app import idle
from scheduler.app.environment import on_actions, surroundings_of, token_reader, who_runs
from scheduler.app.preconditions import (
    Guard,
    clock_behind,
    demand_lineage,
    demand_owner,
    other_branch,
    outdated,
    unknown_checkout,
)
from scheduler.checkout import history, reading
from scheduler.checkout.ignored import ignored_files
from scheduler.clock import Clock, SteadyClock
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.errors import Error, QueueError, RunRefused, StateError, StateMissing
from scheduler.planning.plan import DEFAULT_TOKENS, Surroundings
from scheduler.state.record import Idle, Intent, Record, State
from scheduler.times import LAST, Instant, installed_zones, instant_text, read_utc, using_zones

if TYPE_CHECKING:
    from scheduler.checkout.remote import RemoteTip
    from scheduler.checkout.source import Source
    from scheduler.delivery import Ports, Report
    from scheduler.delivery.dispatcher import Dispatcher
    from scheduler.delivery.queue.batch_writer import BatchWriter
    from scheduler.delivery.queue.celery import Broker
    from scheduler.delivery.queue.sqlite import SqliteQueue
    from scheduler.desired import ChannelSpec, SettingsSpec
    from scheduler.planning.reconcile import Reconciled
    from scheduler.reporting.notify import Notifier
    from scheduler.state.stores import Store


class Repository:
    """One repository of waves and channels, with the environment and the clock of its user."""

    def __init__(self, root: Path, environ: Mapping[str, str], clock: Clock) -> None:
        self.root = root
        self.environ = environ
        self.clock = clock
        self._run_clock: Clock | SteadyClock = clock
        self._checkout: _WorkTree | RemoteTip = _WorkTree(root)
        self._dispatchers: dict[str, Dispatcher] = {}
        self._notifier: Notifier | None = None
        self._store: tuple[str, Store] | None = None

    # --- reading ------------------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """The declared files, as they are now."""
        return self._checkout.read()

    def folder_below_top(self) -> str:
        """Where the files are below the top of the git repository: annotations name paths from there."""
        return reading.folder_below_top(self.root, self.environ.get("GITHUB_WORKSPACE", ""))

    def surroundings(self) -> Surroundings:
        """What the environment says now, and which tokens were refused in this process and did not change."""
        found = surroundings_of(self.environ)
        if not self._dispatchers:
            return found
        from scheduler.delivery.dispatcher import HasTokens

        ended: dict[tuple[str, str | None], str] = {}
        for dispatcher in self._dispatchers.values():
            if isinstance(dispatcher, HasTokens):
                ended |= dispatcher.ended_tokens()
        return msgspec.structs.replace(found, ended=ended)

    def settings(self, sources: Sequence[Source] | None = None) -> SettingsSpec | None:
        """The settings; None where scheduler.yaml is invalid."""
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
        """Where the state is kept. The same object for the same setting."""
        from scheduler.state.stores import open_store

        if self._store is None or self._store[0] != settings.state:
            self._store = settings.state, open_store(self.root, settings.state, who_runs(self.environ))
        return self._store[1]

    def recorded(self, settings: SettingsSpec) -> tuple[State | None, dict[str, Record]]:
        """The state (None: there is none) and the archive, for reading only.

        Raises StateError where it is unreachable or cannot be trusted.
        """
        store = self.store(settings)
        try:
            snapshot = store.load()
        except StateMissing:
            return None, {}
        self.demand_own(snapshot.state, settings)
        return snapshot.state, store.load_archive()

    def folder(self, settings: SettingsSpec) -> str | None:
        """Whose state it is: this folder below the top of its repository; None for a file inside of it."""
        is_branch = settings.state.startswith("branch:")
        if not is_branch and (self.root / settings.state).resolve().is_relative_to(self.root.resolve()):
            return None
        return (self.folder_below_top() or ".").encode("utf-8", "backslashreplace").decode()

    def demand_own(self, state: State, settings: SettingsSpec) -> None:
        """Refuse the state of another repository, or of another folder of this one. Raises StateError."""
        name = self.store(settings).name
        demand_lineage(state, settings, name)
        demand_owner(state, self.folder(settings), name, lambda: self._declares(state))

    def _declares(self, state: State) -> bool:
        """Whether the files are those of the state, or declare one of its live publications (of all, where
        none is live)."""
        from scheduler.planning.reconcile import reconcile

        sources = self.sources()
        if state.declared is not None and state.declared.digest == reading.digest(sources):
            return True
        surroundings = self.surroundings()
        found = reconcile(sources, state, {}, self.clock.now(), surroundings, only_check=True).schedules
        live = [name for name, record in state.schedules.items() if record.is_live]
        return any(name in found for name in live or state.schedules)

    def observe(self, *, proposal: bool = False, only_check: bool = False) -> tuple[Reconciled, State | None]:
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
        return (self._with_ignored_files(reconciled) if proposal else reconciled), state

    def _with_ignored_files(self, reconciled: Reconciled) -> Reconciled:
        """A proposal with warnings about files that look meant and are not read."""
        found = ignored_files(str(self.root))
        return msgspec.structs.replace(reconciled, diagnostics=[*reconciled.diagnostics, *found])

    def compare(self, revision: str) -> tuple[Reconciled, Reconciled]:
        """What is declared here, a proposal, and what `revision` declares without it, at one instant.

        Both are compared with one state: that of the settings without the proposal. The zone data in use is
        a part of the proposal; without it, local times follow the installed. Raises Error where there is no
        such commit.
        """
        from scheduler.checkout.remote import sources_at
        from scheduler.planning.reconcile import reconcile

        sources, base = self.sources(), sources_at(self.root, revision)
        state, archive = self._recorded_for(base, sources)
        now, surroundings = self.clock.now(), self.surroundings()
        proposal = reconcile(sources, state, archive, now, surroundings, proposal=True)
        with using_zones(installed_zones()):
            without = reconcile(base, state, archive, now, surroundings, proposal=True)
        return self._with_ignored_files(proposal), without

    def _recorded_for(self, *choices: Sequence[Source]) -> tuple[State | None, dict[str, Record]]:
        """The state of the first settings that have one."""
        found: tuple[State | None, dict[str, Record]] = None, {}
        for sources in choices:
            settings = self.settings(sources)
            if settings is None:
                continue
            if found[0] is None:
                found = self.recorded(settings)
            else:
                demand_lineage(found[0], settings, "the state")
        return found

    def proposed(self, *, only_check: bool = False) -> Reconciled:
        """What a run would decide about a proposal; a warning where a run would refuse to act here."""
        reconciled, state = self.observe(proposal=True, only_check=only_check)
        if state is None or (refusal := self._refusal(state, only_check=only_check)) is None:
            return reconciled
        return msgspec.structs.replace(reconciled, diagnostics=[*reconciled.diagnostics, refusal])

    def _refusal(self, state: State, *, only_check: bool) -> Diagnostic | None:
        """Why a run would not act here and now, as far as this clone knows: nothing is fetched for this."""
        if self.clock.is_real and (message := clock_behind(state, self.clock.now())) is not None:
            hint = "set the clock (ntp): `scheduler run` refuses to act before that"
            return warning("clock", Location.whole("."), message, hint)
        recorded = None if state.declared is None else state.declared.commit
        if state.declared is None or recorded is None:
            return None
        try:
            if not only_check and (message := other_branch(state, self.branch())) is not None:
                hint = f"merge it into {state.branch}: `scheduler run` refuses to act on another branch"
                return warning("stale-checkout", Location.whole("."), message, hint)
            head = self.commit()
            found = None if head is None else history.standing(self.root, recorded, head, fetch=False)
        except StateError as problem:
            return warning("stale-checkout", Location.whole("."), unknown_checkout(problem), problem.hint)
        if head is None or found in (None, "contained", "unknown"):
            return None
        if state.declared.digest == reading.digest(self.sources()):
            return None
        hint = "fetch the branch's tip and merge it: `scheduler run` refuses to act on this checkout"
        return warning("stale-checkout", Location.whole("."), outdated(found, head, recorded), hint)

    def preview(self, settings: SettingsSpec, *, force: bool = False, adopt: bool = False) -> Reconciled:
        """What a run would do now; the state must exist, and outlive this machine, as for a run."""
        from scheduler.delivery import Runner

        return Runner(self.ports(settings, adopt=adopt), force=force).observe().reconciled

    # --- running ------------------------------------------------------------------------------------

    def ports(self, settings: SettingsSpec, *, follow: bool = False, adopt: bool = False) -> Ports:
        """Everything that a run touches. Raises StateError where its state would be lost.

        `follow`: read the files again each time; in a GitHub Actions job, whose work tree never changes,
        from the remote tip of the run's branch. `adopt`: take this checkout over, whatever is recorded.
        """
        from scheduler.delivery import Ports

        self.demand_lasting_homes(settings)
        self.demand_address()
        ref = self.environ.get("GITHUB_REF", "")
        if follow and on_actions(self.environ) and ref.startswith("refs/heads/"):
            from scheduler.checkout.remote import RemoteTip

            self._checkout = RemoteTip(self.root, ref)
        store = self.notifying_store(settings)
        clock = self._run_clock = SteadyClock(self.clock)
        now = clock.now if self.clock.is_real else None
        guard = Guard(
            self.root,
            self.folder(settings),
            demand=lambda state: self.demand_own(state, settings),
            now=now,
            commit=self.commit,
            branch=self.branch,
            remarks=lambda: self._checkout.remarks,
            adopts=adopt,
        )
        return Ports(
            store=store,
            sources=self.sources,
            surroundings=self.surroundings,
            dispatcher=lambda intent: self.dispatcher(intent, settings),
            clock=clock,
            nonce=lambda: secrets.token_hex(8),
            declared=lambda sources, state: guard.declared(sources, state, self.clock.now()),
            idle=lambda reconciled: self._idle(settings, reconciled),
            guard=guard.check,
            keeps_tokens=on_actions(self.environ),
            compares_clocks=self.clock.is_real,
            server_time=lambda channels: self._server_time(channels, settings),
            notified=self._noted,
            tip=(lambda: self._tip(settings)) if follow else None,
        )

    def _tip(self, settings: SettingsSpec) -> tuple[object, ...]:
        """What changes with what is declared, the state and the tokens; one question to a remote at most.

        Raises Error where there is no answer.
        """
        from scheduler.checkout.remote import RemoteTip, remote_tips

        refs: list[str] = []
        surroundings = self.surroundings()
        here: list[object] = [surroundings.tokens, surroundings.ended]
        if isinstance(self._checkout, RemoteTip):
            refs.append(self._checkout.ref)
        else:
            here.append(reading.digest(self._checkout.read()))
        if settings.state.startswith("branch:"):
            refs.append(f"refs/heads/{settings.state.removeprefix('branch:')}")
        else:
            here.append(reading.stamp(self.root / settings.state))
        return *here, remote_tips(self.root, refs) if refs else b""

    def commit(self) -> str | None:
        """The commit of what was read last; None where there is none.

        Raises StateError where git cannot say.
        """
        return self._checkout.commit()

    def branch(self) -> str | None:
        """The branch whose files are declared; None where the checkout is of none.

        Raises StateError where git cannot say.
        """
        ref = self.environ.get("GITHUB_REF", "") if on_actions(self.environ) else ""
        if not ref:
            return reading.branch_of(self.root)
        return ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None

    def _idle(self, settings: SettingsSpec, reconciled: Reconciled) -> Idle | None:
        """The mark by which the next run knows that there is nothing to do (`scheduler.app.idle`).

        None for a state on a branch, where each mark would be a commit.
        """
        declared = reconciled.declared
        if declared is None or settings.state.startswith("branch:") or not self.clock.is_real:
            return None
        sending = [channel for channel in declared.channels.values() if channel.repository is not None]
        named = {channel.token for channel in sending if channel.token is not None}
        unnamed = set(DEFAULT_TOKENS) if any(channel.token is None for channel in sending) else set()
        tokens = tuple(sorted(named | unnamed))
        from scheduler.reporting.troubles import troubles_of

        return Idle(
            troubled=bool(troubles_of(reconciled, reconciled.booked, (), {})),
            until=instant_text(LAST if reconciled.plan.wake is None else reconciled.plan.wake),
            surroundings=idle.surroundings_digest(str(self.root), settings.state, self.environ, tokens),
            tokens=tokens,
        )

    def demand_address(self) -> None:
        """Refuse an invalid API address, before any intent is saved. Raises Error."""
        address = self.environ.get("GITHUB_API_URL")
        if address:
            from scheduler.delivery.github.api_url import read_api_url

            read_api_url(address)

    def demand_lasting_homes(self, settings: SettingsSpec) -> None:
        """Refuse a state, or a queue in use, that this machine would lose. Raises StateError, QueueError."""
        if not on_actions(self.environ):
            return
        if not settings.state.startswith("branch:"):
            raise StateError(
                f"on GitHub Actions the state in the file {settings.state} would be lost with the machine",
                hint="write `state: branch:scheduler-state` in scheduler.yaml",
            )
        if not settings.queue.startswith("sqlite:"):
            return
        for name, channel in self._channels().items():
            if channel.repository is None:
                raise QueueError(
                    f"on GitHub Actions the queue {settings.queue}, which the channel {name} uses, would be "
                    "lost with the machine",
                    hint=f"set `queue:` in scheduler.yaml to a broker, or give {name} a `repository:`",
                )

    def declared_since(self, state: State | None) -> Instant:
        """When what is declared last changed; 0 where nothing says so.

        Until a run has read a change, it is the time of the commit, and later than all that is recorded.
        """
        declared = None if state is None else state.declared
        since = read_utc(declared.since) if declared is not None and declared.since is not None else 0
        if declared is not None and declared.digest == reading.digest(self.sources()):
            return since
        try:
            committed = reading.ask_git(self.root, "log", "-1", "--format=%ct", "HEAD")
        except StateError:
            committed = None
        records = state.schedules.values() if state else ()
        newest = max((record.history[-1].at for record in records if record.history), default="")
        return max(since, read_utc(newest) if newest else 0, int(committed or 0) - 1) + 1

    def _channels(self) -> Mapping[str, ChannelSpec]:
        """The declared channels by name; none where scheduler.yaml is invalid."""
        from scheduler.desired.declarations import declare

        declared, _ = declare(self.sources())
        return {} if declared is None else declared.channels

    def dispatcher(self, intent: Intent, settings: SettingsSpec) -> Dispatcher:
        """What sends an intent. The same object for all transports of a package."""
        return self._dispatcher(intent.traits.package, settings)

    def _dispatcher(self, package: str, settings: SettingsSpec) -> Dispatcher:
        from scheduler.delivery.dispatcher import Opening
        from scheduler.delivery.routes import open_dispatcher

        if package not in self._dispatchers:
            self._dispatchers[package] = open_dispatcher(
                package,
                Opening(
                    root=self.root,
                    environ=self.environ,
                    token=token_reader(self.environ),
                    now=lambda: self._run_clock.now(),
                    settings=settings,
                    lineage=lambda: self.store(settings).load().state.lineage,
                ),
            )
        return self._dispatchers[package]

    def demand_right_clock(self) -> None:
        """Refuse to write anything while the clock is wrong. Raises RunRefused."""
        from scheduler.delivery import clock_problem

        settings = self.settings() if self.clock.is_real else None
        if settings is None:
            return
        server_time = self._server_time(self._channels().values(), settings)
        problem = None if server_time is None else clock_problem(self.clock.now(), server_time)
        if problem is not None:
            raise RunRefused(problem, hint="set the clock (ntp); nothing was written")

    def _server_time(self, channels: Iterable[ChannelSpec], settings: SettingsSpec) -> Instant | None:
        """The time by a server that a channel sends to; None where none can be asked: sending reports why."""
        from scheduler.delivery.dispatcher import HasClock
        from scheduler.desired.transports import TRANSPORTS, transport_of

        traits = (TRANSPORTS[transport_of(channel)] for channel in channels)
        for package in dict.fromkeys(one.package for one in traits if one.has_clock):
            try:
                dispatcher = self._dispatcher(package, settings)
            except Error:
                continue
            server_time = dispatcher.server_time() if isinstance(dispatcher, HasClock) else None
            if server_time is not None:
                return server_time
        return None

    def queue(self, settings: SettingsSpec) -> SqliteQueue | Broker:
        """The queue of channels without a repository. Raises Error where `queue:` is not usable."""
        from scheduler.delivery.queue.dispatchers import open_queue

        return open_queue(
            settings.queue,
            self.root,
            attempts=settings.retry.attempts,
            backoff=settings.retry.backoff,
            password=token_reader(self.environ)("SCHEDULER_QUEUE_PASSWORD"),
        )

    def taken_back(self, records: dict[str, Record]) -> Mapping[str, str]:
        """The schedules whose jobs no worker may begin by what is declared now, with the reasons.

        Raises Error where scheduler.yaml has errors, as no run sends anything then.
        """
        from scheduler.planning.reconcile import reconcile
        from scheduler.state.header import VERSION

        state = State(version=VERSION, lineage="", serial=0, schedules=records)
        found = reconcile(self.sources(), state, {}, self.clock.now(), self.surroundings())
        if found.declared is None:
            raise Error("scheduler.yaml has errors")
        return found.plan.taken_back

    def queues(self) -> list[str]:
        """The names of the queues that declared channels use."""
        return sorted({c.queue for c in self._channels().values() if c.queue is not None})

    def batch_writer(self, settings: SettingsSpec, log: Callable[[str], None]) -> BatchWriter:
        """How workers save to the state. `log` gets the problems with notifications."""
        from scheduler.delivery.queue.batch_writer import BatchWriter

        store = self.notifying_store(settings, log)
        return BatchWriter(store, self.clock, demand=lambda state: self.demand_own(state, settings))

    def notifying_store(self, settings: SettingsSpec, log: Callable[[str], None] = lambda _: None) -> Store:
        """The store; what is saved is also sent to the addresses in `notify`."""
        store = self.store(settings)
        if not settings.notify:
            return store
        from scheduler.reporting.notify import Notifier

        if self._notifier is None:
            self._notifier = Notifier(settings.notify, token_reader(self.environ), log)
        return self._notifier.watch(store)

    def _noted(self, report: Report, state: State) -> State:
        return state if self._notifier is None else self._notifier.noted(report, state)

    def finish_notifying(self) -> list[Diagnostic]:
        """Wait briefly for the last notifications; a warning for each that was not delivered."""
        problems = [] if self._notifier is None else self._notifier.close()
        return [warning("unreachable", Location("scheduler.yaml"), problem) for problem in problems]

    def close(self) -> None:
        """Close connections and files, once the last notifications are sent."""
        self.finish_notifying()
        for dispatcher in self._dispatchers.values():
            dispatcher.close()
        self._dispatchers.clear()


class _WorkTree:
    """What is declared in the work tree, committed or not."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.remarks: list[Diagnostic] = []

    def read(self) -> list[Source]:
        return reading.read_sources(self._root)

    def commit(self) -> str | None:
        return reading.head_commit(self._root)


def root_of(path: str) -> Path:
    """The repository's folder. Raises Error where there is none."""
    root = Path(path)
    try:
        if root.is_dir():
            return root.resolve()
    except OSError as problem:  # the name is too long, or the current folder was removed
        raise Error(f"{path} cannot be opened: {problem.strerror}") from None
    raise Error(f"{path} is not a folder")
