"""Puts the rooms together for one repository: disk, environment, clock, store and ways out.

The command line and `SchedulingService` both come in through here; below this room nothing reads the
environment or the clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler import idle, workspace
from scheduler.clock import Clock
from scheduler.diagnostics import Diagnostic, Location, warning
from scheduler.environment import on_actions, surroundings_of, token_reader
from scheduler.errors import RunRefused, SchedulerError, StateError, StateMissing
from scheduler.plan import Surroundings
from scheduler.state import Declared, Idle, Intent, Record, State
from scheduler.times import LAST, instant_text

if TYPE_CHECKING:
    from scheduler.apply import Edge
    from scheduler.dispatchers import Dispatcher
    from scheduler.reconciler import Reconciled
    from scheduler.sources import Source
    from scheduler.spec import SettingsSpec
    from scheduler.stores import Store

DEFAULT_API = "https://api.github.com"


class Repository:
    """One repository of waves and channels, with the environment and the clock of its user."""

    def __init__(self, root: Path, environ: Mapping[str, str], clock: Clock) -> None:
        self.root = root
        self.environ = environ
        self.clock = clock
        self._ways: dict[str, Dispatcher] = {}
        self._store: tuple[str, Store] | None = None

    # --- reading ------------------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """Every declared file, as it is now."""
        return workspace.read_sources(self.root)

    def surroundings(self) -> Surroundings:
        return surroundings_of(self.environ)

    def settings(self, sources: Sequence[Source] | None = None) -> SettingsSpec | None:
        """The settings, or None where scheduler.yaml is broken."""
        from scheduler import documents, spec

        found = self.sources() if sources is None else sources
        source = next((source for source in found if source.kind == "scheduler"), None)
        if source is None:
            return spec.SettingsSpec()
        if source.fault is not None:
            return None
        return spec.read_settings(documents.read(source.file, source.content))[0]

    def store(self, settings: SettingsSpec) -> Store:
        """The home of the state. Always the same object for the same setting."""
        from scheduler.stores import open_store

        if self._store is None or self._store[0] != settings.state:
            self._store = settings.state, open_store(self.root, settings.state)
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
        from scheduler.reconciler import reconcile

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

    def preview(self, settings: SettingsSpec, *, force: bool = False) -> Reconciled:
        """What a run would do now; the state must be there, and lasting, as for a run."""
        from scheduler.apply import Runner

        return Runner(self.edge(settings), force=force).look().reconciled

    # --- running ------------------------------------------------------------------------------------

    def edge(self, settings: SettingsSpec) -> Edge:
        """Everything that a run touches. Raises StateError where its record would be lost."""
        from scheduler.apply import Edge

        self.demand_lasting_homes(settings)
        store = self.store(settings)
        guarded = _Guard(self.root, settings, store.name)
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
        )

    def _declared(self, sources: Sequence[Source], before: Declared | None) -> Declared:
        digest = workspace.digest(sources)
        if before is not None and before.digest == digest:
            return before
        return Declared(digest=digest, commit=workspace.head_commit(self.root))

    def _idle(self, settings: SettingsSpec, reconciled: Reconciled) -> Idle | None:
        """The mark that a tick leaves which found nothing to do. On a branch it would be a commit a tick."""
        declared = reconciled.declared
        if declared is None or settings.state.startswith("branch:") or not self.clock.is_real:
            return None
        surroundings = self.surroundings()
        channels = declared.channels.values()
        tokens = tuple(sorted({name for channel in channels if (name := surroundings.token_for(channel))}))
        return Idle(
            until=instant_text(LAST if reconciled.plan.wake is None else reconciled.plan.wake),
            surroundings=idle.surroundings_digest(str(self.root), settings.state, self.environ, tokens),
            tokens=tokens,
        )

    def demand_lasting_homes(self, settings: SettingsSpec) -> None:
        """Refuse a record that this machine would lose. Raises StateError."""
        if on_actions(self.environ) and not settings.state.startswith("branch:"):
            raise StateError(
                f"on GitHub Actions the state in the file {settings.state} would be lost with the machine",
                hint="write `state: branch:scheduler-state` into scheduler.yaml",
            )

    def way(self, intent: Intent, settings: SettingsSpec) -> Dispatcher:
        """The way out for an intent: GitHub, or the queue."""
        kind = "queue" if intent.transport == "queue" else "github"
        if kind not in self._ways:
            self._ways[kind] = self._open_queue(settings) if kind == "queue" else self._open_github()
        return self._ways[kind]

    def _open_github(self) -> Dispatcher:
        from scheduler.dispatchers.github import GitHubDispatcher

        api = self.environ.get("GITHUB_API_URL") or DEFAULT_API
        return GitHubDispatcher(api, token_reader(self.environ), now=self.clock.now)

    def _open_queue(self, settings: SettingsSpec) -> Dispatcher:
        from scheduler.dispatchers.queue import QueueDispatcher

        return QueueDispatcher(
            settings.queue,
            self.root,
            now=self.clock.now,
            attempts=settings.retry_attempts,
            backoff=settings.retry_backoff,
        )

    def close(self) -> None:
        """Let go of connections and files."""
        for way in self._ways.values():
            way.close()
        self._ways.clear()


def demand_lineage(state: State, settings: SettingsSpec, name: str) -> None:
    """Refuse a state whose lineage is not the pinned one. Raises StateError."""
    if settings.lineage is not None and settings.lineage != state.lineage:
        raise StateError(
            f"{name} has the lineage {state.lineage}, and scheduler.yaml pins {settings.lineage}",
            hint="this is the record of another repository: put the right one back",
        )


class _Guard:
    """What must hold of a state before a run may act on it."""

    def __init__(self, root: Path, settings: SettingsSpec, name: str) -> None:
        self._root = root
        self._settings = settings
        self._name = name
        self._known: dict[str, list[Diagnostic]] = {}

    def check(self, state: State) -> list[Diagnostic]:
        """Raises StateError for another lineage, RunRefused for a checkout older than the record."""
        demand_lineage(state, self._settings, self._name)
        recorded = None if state.declared is None else state.declared.commit
        if recorded is None:
            return []
        if recorded not in self._known:
            self._known[recorded] = self._compare(recorded)
        return self._known[recorded]

    def _compare(self, recorded: str) -> list[Diagnostic]:
        head = workspace.head_commit(self._root)
        if head is None:
            return []
        found = workspace.ancestry(self._root, recorded, head)
        if found == "older":
            raise RunRefused(
                f"this checkout ({head[:12]}) is older than what was declared last ({recorded[:12]})",
                hint="an old run was started again: start a new one from the tip of the branch",
            )
        if found == "unknown":
            message = (
                f"whether this checkout is newer than {recorded[:12]}, which was declared last, can't be told"
            )
            return [
                warning("stale-checkout", Location("."), message, "fetch the whole history of the branch")
            ]
        return []


def root_of(path: str) -> Path:
    """The repository's folder. Raises SchedulerError where there is none."""
    root = Path(path)
    if not root.is_dir():
        raise SchedulerError(f"{path} is no folder")
    return root.resolve()
