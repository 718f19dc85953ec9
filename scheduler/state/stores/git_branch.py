"""The state on a branch of a git remote: one commit a save, pushed as compare-and-swap.

The branch has a history of its own (its first commit has no parent) with `state.json` and the archive.
Commits are made from objects alone; neither the work tree nor the index nor a branch of this clone is
touched. A push names the commit that was read (`--force-with-lease=<ref>:<commit>`), so that of two
runners exactly one wins. Nothing is merged or rebased: git would merge two states without a conflict,
into one that sends twice.

Each commit carries a random nonce. Without it two runners with the same state, parent and second would
make the same commit, and git would tell both that theirs is there. With it, a push without an answer
can be settled: ours is on the branch, or it is not.

This clone remembers the newest commit that it read or pushed, `refs/scheduler/seen/<branch>`. A branch
that went back behind it (a force-push, a restored backup) is refused until a person deletes that ref: a
state that forgets what was sent would send it again.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from scheduler.checkout.git import Git, Output, hint_for
from scheduler.errors import LostRace, RemoteAway, StateError, StateMissing
from scheduler.failpoints import failpoint
from scheduler.state.header import fingerprint, read_head
from scheduler.state.stores import Snapshot, not_as_listed, successor

if TYPE_CHECKING:
    from scheduler.state.record import Record, State

STATE_FILE = "state.json"
_MONTH_FILE = re.compile(r"\d{4}-\d{2}\.json", re.ASCII)
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_ROLES = ("AUTHOR", "COMMITTER")
_instances = itertools.count()

Verdict = Literal["won", "same", "lost", "denied", "unsure"]

# What will not change by trying again.
_DENIED = re.compile(
    r"(?i)hook declined|protected branch|push declined|den(?:y|ied)|prohibited|not permitted|hidden ref"
    r"|shallow update not allowed|currently checked out|\bGH\d{3}\b|authentication failed"
    r"|returned error: 40[134]|could not read (?:username|password)|host key verification failed"
    r"|repository (?:'[^']*' )?not found|does not appear to be a git repository|not a git repository"
    r"|unsupported protocol|transport '[^']*' not allowed"
)
# What two processes in one clone do to each other, and what passes.
_BUSY = re.compile(r"cannot lock ref|Unable to create '[^']*\.lock'|shallow file has changed")


class Push(NamedTuple):
    """What came of one push, and git's words for it."""

    verdict: Verdict
    words: str


def classify(output: Output) -> Push:
    """What came of `git push --porcelain` of one ref.

    won      the ref moved to our commit
    same     the ref was our commit before anything was sent
    lost     the ref was not the expected commit before anything was sent
    denied   the server will not have it; trying again changes nothing
    unsure   anything else: a timeout, a lock, and even a ref that moved under the server's hands, since
             the HTTP library sends a request again whose answer was cut off, and then ours came first
    """
    for line in output.out.decode(errors="replace").splitlines():
        flag, tab, rest = line.partition("\t")
        if not tab or len(flag) != 1:
            continue
        summary = rest.partition("\t")[2].strip()
        if flag in " *+":
            return Push("won", summary)
        if flag == "=":
            return Push("same", summary)
        if summary.startswith("[rejected]"):
            return Push("lost", summary)
        words = f"{summary}; {output.words}" if output.error.strip() else summary
        return Push("denied" if _DENIED.search(words) else "unsure", words)
    return Push("denied" if _DENIED.search(output.error) else "unsure", output.words)


class GitBranchStore:
    """A state on `branch` of `remote`, worked on from the clone at `worktree`.

    `timeout` is the seconds that a fetch or a push may take, `attempts` how often one that neither
    succeeds nor fails is tried, `sleep` waits in between, `nonce` makes the random mark of a commit.
    """

    def __init__(
        self,
        worktree: Path,
        branch: str,
        remote: str = "origin",
        *,
        timeout: float = 30,
        attempts: int = 6,
        sleep: Callable[[float], None] = time.sleep,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
        who: Mapping[str, str] | None = None,
    ) -> None:
        self._git = Git(worktree, timeout)
        self._branch = branch
        self._remote = remote
        self._attempts = attempts
        self._sleep = sleep
        self._nonce = nonce
        self._who_runs = who or {}
        self._ref = f"refs/heads/{branch}"
        # Each store of each process fetches into a ref of its own: what another one fetches meanwhile,
        # from an earlier look at the remote, must not be taken for ours.
        self._fetch_ref = f"refs/scheduler/fetch/{os.getpid()}-{next(_instances)}"
        self._seen_ref = f"refs/scheduler/seen/{branch}"
        self._at: str | None = None
        self._lineage: str | None = None
        self._listed: Mapping[str, str] = {}
        """The months that the state lists, with their fingerprints."""
        self._identity: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        return f"branch {self._branch}"

    def load(self) -> Snapshot:
        """The stored state. Raises StateMissing or StateError."""
        from scheduler.state.codec import decode

        seen = self._known(self._seen_ref)  # before the fetch: another process may move it meanwhile
        text, tip = self._fetch_text()
        state = decode(text, f"{STATE_FILE} on {self.name}")
        self._demand_forward(seen, tip, state.serial)
        self._remember(tip, state.lineage)
        self._listed = state.archived
        return Snapshot(state, tip)

    def create(self, state: State) -> Snapshot:
        """Start the branch with a commit that has no parent.

        Raises StateError where it is there, and where this clone knows that it was: a new lineage has new
        keys, so that not even the channels would notice what is sent again.
        """
        from scheduler.state.codec import encode

        self._demand_branch_name()
        seen = self._known(self._seen_ref)
        if seen is not None and self._has_remote() and self._fetch() is None:
            raise StateError(
                f"{self._remote} had a {self.name}: a new state would re-send what was already sent",
                hint=f"put the old one back: git push {self._remote} {seen}:{self._ref}; "
                f"or, if this is intended: git update-ref -d {self._seen_ref}",
            )
        tree = self._tree({}, {STATE_FILE: encode(state)})
        commit = self._commit(tree, None, "Create the state", state.serial)
        try:
            self._push(commit, "")
        except LostRace:
            there = self._fetch()
            if there is not None and STATE_FILE not in self._entries(there):
                raise StateError(
                    f"{self.name} of {self._remote} exists and holds no state: other files are on it",
                    hint="name a branch of its own in scheduler.yaml: `state: branch:scheduler-state`",
                ) from None
            raise StateError(
                f"a state already exists: {self.name} of {self._remote}",
                hint="for a second scheduler, name a branch of its own in `state:`; to start over, rename "
                "that branch on the remote first",
            ) from None
        with suppress(StateError):  # as in `save_with_archive`
            self._remember(commit, state.lineage)
        return Snapshot(state, commit)

    def save(self, state: State, snapshot: Snapshot, message: str) -> Snapshot:
        """Commit `state` on top of the snapshot's commit and push it; `message` is the commit's."""
        return self.save_with_archive(state, {}, snapshot, message)

    def load_archive(self) -> dict[str, Record]:
        """The records of all archived months, as of the commit that was last loaded or saved."""
        commit = self._at or self._fetch_text()[1]
        months = self._read_months(commit)
        problem = not_as_listed(self._listed, {month: (text,) for month, (_, text) in months.items()})
        if problem is not None:
            raise StateError(f"{problem} ({self.name})", hint="restore the branch from its history")
        return {key: record for records, _ in months.values() for key, record in records.items()}

    def save_with_archive(
        self,
        state: State,
        archived: Mapping[str, Mapping[str, Record]],
        snapshot: Snapshot,
        message: str,
    ) -> Snapshot:
        """Like `save`, with the archive in the same commit."""
        from msgspec.structs import replace

        from scheduler.state.codec import encode

        state = successor(state, snapshot)
        parent = snapshot.mark
        months = {
            month: self._month_text(parent, state.lineage, month, archived[month]) for month in archived
        }
        listed = dict(state.archived)
        if snapshot.state.version != state.version:  # that version listed no months
            listed |= {month: text for month, (_, text) in self._read_months(parent).items()}
        listed |= {month: fingerprint(text) for month, text in months.items()}
        state = replace(state, archived=listed)
        entries = self._entries(parent)
        tree = self._tree(entries, {STATE_FILE: encode(state)}, self._archive_tree(parent, months))
        if tree == self._git.line("rev-parse", "--verify", f"{parent}^{{tree}}"):
            return snapshot
        commit = self._commit(tree, parent, message, state.serial)
        self._push(commit, parent)
        # It is saved. What this clone remembers is one commit behind, and the next load says what is wrong.
        with suppress(StateError):
            self._remember(commit, state.lineage)
        self._listed = listed
        return Snapshot(state, commit)

    def demand_pushable(self) -> None:
        """Ask the remote whether it takes a push of the branch, by one that moves nothing.

        Raises StateError where it refuses or does not answer. A rule of the server is applied to what is
        pushed, so it cannot be asked in this way.
        """
        tip = self._fetch()
        if tip is None:
            raise self._missing()
        push = self._push_once(tip, tip, "--dry-run")
        if push.verdict == "denied":
            raise self._refusal(push.words)
        if push.verdict == "unsure":
            raise self._no_answer(push.words)

    # --- reading ----------------------------------------------------------------------------------

    def _fetch_text(self) -> tuple[bytes, str]:
        self._demand_branch_name()
        tip = self._fetch()
        if tip is None:
            raise self._missing()
        return self._text_at(tip), tip

    def _fetch(self) -> str | None:
        """The remote branch's commit, fetched; None where there is no such branch."""
        if not self._has_remote():  # git would take a folder of that name for it
            self._git.demand("rev-parse", "--git-dir")
            return None
        for attempt in range(self._attempts):
            self._back_off(attempt)
            output = self._fetch_once()
            failpoint("git-fetched")
            if output.code == 0:
                tip = self._git.line("rev-parse", "--verify", f"{self._fetch_ref}^{{commit}}")
                self._git.run("update-ref", "-d", self._fetch_ref)
                return tip
            if "couldn't find remote ref" in output.error:
                return None
            if not _BUSY.search(output.error):
                break
        raise RemoteAway(
            f"{self.name} of {self._remote} cannot be read: {output.words}",
            hint="check the network, the remote's URL (`git remote -v`) and your read access to it",
        )

    def _has_remote(self) -> bool:
        """Whether the remote is set up at all; where it is not, no state can be on it."""
        return self._git.ask("config", "--get", f"remote.{self._remote}.url") is not None

    def _fetch_once(self) -> Output:
        # A full clone is never made shallow; a shallow one (as CI makes it) needs only the newest commit
        # the first time, and what follows it after that.
        shallow = self._git.line("rev-parse", "--is-shallow-repository") == "true"
        depth = ["--depth=1"] if shallow and self._known(self._seen_ref) is None else []
        return self._git.run(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=",
            *depth, "--", self._remote, f"+{self._ref}:{self._fetch_ref}", network=True,
        )  # fmt: skip

    def _missing(self) -> StateError:
        """Why nothing is there. What was there and is gone is not absent: nobody may go on without it."""
        if not self._has_remote():
            return StateMissing(f"there is no state: {self._no_remote}", hint=self._name_one)
        seen = self._known(self._seen_ref)
        if seen is None:
            return StateMissing(
                f"there is no state: {self._remote} has no {self.name}",
                hint="before the very first run, run `scheduler state init`",
            )
        return StateError(
            f"the state is gone: {self._remote} no longer has its {self.name}",
            hint=f"put it back: git push {self._remote} {seen}:{self._ref}",
        )

    def _text_at(self, commit: str) -> bytes:
        output = self._git.run("cat-file", "blob", f"{commit}:{STATE_FILE}")
        if output.code == 0:
            return output.out
        if STATE_FILE in self._entries(commit):  # a partial clone fetches it now, and that can fail
            raise StateError(
                f"{STATE_FILE} on {self.name} of {self._remote} cannot be read: {output.words}",
                hint=hint_for(output.words),
            )
        raise StateError(
            f"{self.name} of {self._remote} has no {STATE_FILE}",
            hint="set `state:` to the branch of the state, or restore the file from the branch's history",
        )

    def _demand_forward(self, seen: str | None, tip: str, serial: int | None) -> None:
        """Refuse a branch that went back behind `seen`, what this clone knew of it."""
        if seen is None or seen == tip:
            return
        problem = None
        if not self._is_ancestor(seen, tip):
            problem = f"its commit {tip[:12]} does not descend from {seen[:12]}, which was there before"
        elif serial is not None:
            head = read_head(self._text_at(seen))
            if head is not None and head.serial is not None and serial < head.serial:
                problem = f"its serial is {serial}, down from {head.serial}"
        if problem is not None:
            raise StateError(
                f"{self.name} of {self._remote} went back: {problem}; a state that forgets could send twice",
                hint=f"put it back: git push --force {self._remote} {seen}:{self._ref}; "
                f"or, if this is intended: git update-ref -d {self._seen_ref}",
            )

    def _is_ancestor(self, before: str, after: str) -> bool:
        return self._git.ask("merge-base", "--is-ancestor", before, after) is not None

    def _known(self, ref: str) -> str | None:
        return self._git.ask("rev-parse", "--verify", "--quiet", ref)

    def _remember(self, commit: str, lineage: str) -> None:
        """Keep what this clone saw last, for the guard against a branch that was set back.

        Raises StateError where that cannot be kept: without it the next run would send again what a
        branch that was set back forgets.
        """
        self._at, self._lineage = commit, lineage
        for attempt in range(self._attempts):
            self._back_off(attempt)
            seen = self._known(self._seen_ref)
            if seen is not None and self._is_ancestor(commit, seen):  # another process is ahead of us
                break
            # An empty old value means "not there yet", whatever the length of the repository's object ids.
            output = self._git.run("update-ref", self._seen_ref, commit, seen or "")
            if output.code == 0:
                break
        else:
            raise StateError(
                f"{self._seen_ref} cannot be updated: {output.words}", hint=hint_for(output.words)
            )
        failpoint("git-seen")

    def _demand_branch_name(self) -> None:
        if self._git.run("check-ref-format", self._ref).code != 0:
            raise StateError(
                f"{self._branch!r} is not a valid branch name",
                hint="write a name such as `state: branch:scheduler-state`",
            )

    # --- the archive ------------------------------------------------------------------------------

    def _read_months(self, commit: str) -> dict[str, tuple[dict[str, Record], str]]:
        names = sorted(name for name in self._archive_entries(commit) if _MONTH_FILE.fullmatch(name))
        return {name.removesuffix(".json"): self._read_month(commit, name) for name in names}

    def _read_month(self, commit: str, file: str) -> tuple[dict[str, Record], str]:
        """The records of a month, and the fingerprint of its text."""
        from scheduler.state.codec import decode_archive

        name = f"archive/{file} on {self.name}"
        text = self._git.demand("cat-file", "blob", f"{commit}:archive/{file}")
        lineage, records, _ = decode_archive(text, name)
        if self._lineage is not None and lineage != self._lineage:
            raise StateError(
                f"{name} belongs to another state: its lineage is {lineage}, not {self._lineage}",
                hint="restore the branch from its history",
            )
        return records, fingerprint(text)

    def _month_text(self, parent: str, lineage: str, month: str, records: Mapping[str, Record]) -> bytes:
        from scheduler.state.codec import encode_archive

        if not _MONTH.fullmatch(month):
            raise ValueError(f"not a month of the archive: {month!r}")
        file = f"{month}.json"
        before = self._read_month(parent, file)[0] if file in self._archive_entries(parent) else {}
        return encode_archive(lineage, {**before, **records})

    def _archive_tree(self, parent: str, months: Mapping[str, bytes]) -> str | None:
        if not months:
            return None
        files = {f"{month}.json": text for month, text in months.items()}
        return self._tree(self._archive_entries(parent), files)

    # --- writing ----------------------------------------------------------------------------------

    def _entries(self, treeish: str) -> dict[str, str]:
        """The names of a tree with what `mktree` wants to know of each. Raises StateError."""
        rows = self._git.demand("ls-tree", "-z", "--full-tree", treeish).decode(errors="surrogateescape")
        return {name: facts for facts, _, name in (row.partition("\t") for row in rows.split("\0") if row)}

    def _archive_entries(self, commit: str) -> dict[str, str]:
        """As `_entries`, of the archive; empty where the commit has none. Raises StateError."""
        has_archive = self._entries(commit).get("archive", "").startswith("040000 ")
        return self._entries(f"{commit}:archive") if has_archive else {}

    def _tree(
        self, entries: Mapping[str, str], files: Mapping[str, bytes], archive: str | None = None
    ) -> str:
        """A tree of the entries, with files (and the archive) put in the place of those of that name."""
        entries = dict(entries)
        for name, text in files.items():
            blob = self._git.line("hash-object", "-w", "-t", "blob", "--stdin", given=text)
            entries[name] = f"100644 blob {blob}"
        failpoint("git-blob-written")
        if archive is not None:
            entries["archive"] = f"040000 tree {archive}"
        rows = "".join(f"{facts}\t{name}\0" for name, facts in entries.items())
        tree = self._git.line("mktree", "-z", given=rows.encode(errors="surrogateescape"))
        failpoint("git-tree-written")
        return tree

    def _commit(self, tree: str, parent: str | None, message: str, serial: int) -> str:
        text = message.replace("\0", "").strip() or "Save the state"
        trailers = {**self._who_runs, "serial": str(serial), "nonce": self._nonce()}
        text += "\n\n" + "".join(f"Scheduler-{name.title()}: {words}\n" for name, words in trailers.items())
        parents = [] if parent is None else ["-p", parent]
        given = text.encode(errors="replace")
        commit = self._git.line("commit-tree", tree, *parents, given=given, environment=self._who())
        failpoint("git-committed")
        return commit

    def _who(self) -> Mapping[str, str]:
        """The environment that names who commits, where the configuration of git does not."""
        if self._identity is None:
            self._identity = {}
            for role in _ROLES:
                known = self._git.run("-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT")
                if known.code != 0:
                    self._identity[f"GIT_{role}_NAME"] = "scheduler"
                    self._identity[f"GIT_{role}_EMAIL"] = "scheduler@localhost"
        return self._identity

    def _push(self, commit: str, expected: str) -> None:
        """Have the branch move from `expected` (empty: from nowhere) to our commit, or raise.

        Raises LostRace where it is elsewhere, StateError where the remote will not have it or where
        nobody can tell. A push that may have arrived is settled by reading the branch: nobody else can
        have made a commit with our nonce.
        """
        for attempt in range(self._attempts):
            self._back_off(attempt)
            push = self._push_once(commit, expected)
            failpoint("git-pushed")
            if push.verdict == "won":
                return
            if push.verdict == "denied":
                raise self._refusal(push.words)
            surely_lost = attempt == 0 and push.verdict in ("lost", "same")
            owner = "theirs" if surely_lost else self._owner(commit, expected, push.words)
            if owner == "ours":
                return
            if owner == "theirs":
                raise LostRace(f"another runner saved {self.name} meanwhile", hint="run it again")
        raise self._no_answer(push.words)

    def _owner(self, commit: str, expected: str, words: str) -> Literal["ours", "theirs", "nobody"]:
        """Who moved the branch from `expected`, after a push that brought no clear answer."""
        try:
            tip = self._fetch()
            # Another may have saved on top of ours since.
            is_ours = tip is not None and self._is_ancestor(commit, tip)
        except StateError as problem:
            raise StateError(
                f"cannot tell whether {self.name} of {self._remote} was saved: {words}",
                hint=problem.hint,
            ) from None
        if tip == (expected or None):
            return "nobody"
        return "ours" if is_ours else "theirs"

    def _push_once(self, commit: str, expected: str, *options: str) -> Push:
        output = self._git.run(
            "push", "--porcelain", "--no-verify", "--no-signed", "--no-follow-tags",
            "--recurse-submodules=no", f"--force-with-lease={self._ref}:{expected}",
            *options, "--", self._remote, f"{commit}:{self._ref}", network=True,
        )  # fmt: skip
        return classify(output)

    @property
    def _no_remote(self) -> str:
        return f"this clone has no remote named {self._remote}"

    @property
    def _name_one(self) -> str:
        return f"run `git remote add {self._remote} URL` or `git remote rename OLD {self._remote}`"

    def _refusal(self, words: str) -> StateError:
        if not self._has_remote():
            return StateError(f"{self.name} cannot be written: {self._no_remote}", hint=self._name_one)
        return StateError(
            f"{self.name} of {self._remote} cannot be written: the remote refused it: {words}",
            hint=f"allow the account or token in use to push to {self._branch}",
        )

    def _no_answer(self, words: str) -> StateError:
        return StateError(
            f"{self.name} of {self._remote} cannot be written: {words}",
            hint="run it again; if this persists, check the remote",
        )

    def _back_off(self, attempt: int) -> None:
        """Wait before a further try: twice as long each time, and never in step with another runner."""
        if attempt:
            self._sleep(0.1 * 2**attempt * (0.5 + secrets.randbelow(1000) / 1000))
