"""Holds what the receivers saw against what was declared, as the history of the clone has it.

Nothing here asks the program what it meant: declarations are read from git's objects, by another reader of
YAML, and HEAD's log says when each was there. Only a publication that may rightly be absent (its worker was
killed, its request was lost) is excused by what the state says of it, and is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import yaml
from soak.processes import CATCH_UP, LEADS, Ground, now
from soak.receivers import Hub, Reception, received_by_commands

SLACK = 3600
"""Seconds within which an edit reaches what is being sent: a pull, a stop of 25 minutes or two, a round."""
KILLED_PULL = 600
"""Seconds for which the work tree may be ahead of HEAD, where a pull was killed between the two."""
EXCUSES = ("unknown_outcome", "run_failed", "retries_exhausted")


@dataclass(frozen=True)
class Want:
    """One publication as it was declared; `is_on`: neither cancelled nor paused."""

    at: int
    video: str
    channel: str
    is_on: bool


@dataclass
class Span:
    """How long a publication was declared so; None: it was not."""

    begin: float
    end: float
    want: Want | None


def expand(name: str, text: str) -> dict[str, Want] | None:
    """The publications of a wave by their ids; None where it cannot be read."""
    try:
        wave = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    wants = {}
    for entry in wave["schedules"]:
        for number, member in enumerate(entry["channels"]):
            facts = member if isinstance(member, dict) else {"id": member}
            is_on = not any(one.get(key) for one in (wave, facts) for key in ("cancelled", "paused"))
            at = int(entry["at"].timestamp()) + number * _seconds(entry.get("delay"))
            wants[f"{name}/{entry.get('group', entry['video'])}/{facts['id']}"] = Want(
                at, entry["video"], facts["id"], is_on
            )
    return wants


def _seconds(delay: str | None) -> int:
    return int(delay.removesuffix("s")) if delay else 0


class Declared:
    """What was declared on the clone, publication by publication, over time."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._texts: dict[str, str] = {}
        self._waves: dict[tuple[str, str], dict[str, Want] | None] = {}
        self.names: dict[str, str] = {}
        """The first name of each renamed wave."""
        self.spans: dict[str, list[Span]] = defaultdict(list)
        log = ground.git(ground.clone, "log", "-g", "--format=%H %gd", "--date=unix", "HEAD").splitlines()
        heads = [(line.split()[0], int(line.rpartition("{")[2].rstrip("}"))) for line in reversed(log)]
        last: dict[str, dict[str, Want]] = {}
        for commit, at in heads:
            last = self._at(commit, last)
            self._note(at, {name: want for wants in last.values() for name, want in wants.items()})

    def _at(self, commit: str, before: dict[str, dict[str, Want]]) -> dict[str, dict[str, Want]]:
        """The waves of a commit; one that cannot be read is what it was."""
        found = {}
        for line in self._ground.git(self._ground.clone, "ls-tree", "-r", commit, "waves/").splitlines():
            blob, path = line.split()[2], line.partition("\t")[2]
            if not path.endswith(".yaml"):
                continue
            name = path.removeprefix("waves/").removesuffix(".yaml")
            if blob not in self._texts:
                self._texts[blob] = self._ground.git(self._ground.clone, "cat-file", "blob", blob)
            text = self._texts[blob]
            if text.startswith("renamed_from: "):
                self.names[name] = self.first(text.split()[1])
            wants = expand(self.first(name), text)
            found[name] = wants if wants is not None else before.get(name, {})
        return found

    def first(self, name: str) -> str:
        return self.names.get(name, name)

    def first_id(self, schedule_id: str) -> str:
        wave, _, rest = schedule_id.partition("/")
        return f"{self.first(wave)}/{rest}"

    def _note(self, at: float, wants: dict[str, Want]) -> None:
        for name in {*wants, *self.spans}:
            spans, want = self.spans[name], wants.get(name)
            if not spans or spans[-1].want != want:
                if spans:
                    spans[-1].end = at
                spans.append(Span(at, float("inf"), want))


def judge(
    spans: list[Span], seen: list[Reception], record: dict[str, Any] | None, until: float
) -> tuple[str, str]:
    """What became of one publication: a word to count, and what is wrong with it, or nothing."""
    acted = [one for one in seen if one.acts]
    if len(acted) > 1 or len({one.key for one in seen}) > 1:
        return "doubled", f"received {len(acted)} times: {seen}"
    for one in seen:
        scheduled = _epoch(one.scheduled_at)
        channel = next(span.want.channel for span in spans if span.want is not None)
        if one.at < scheduled - LEADS.get(channel, 0):
            return "early", f"{scheduled - one.at:.0f} s before {one.scheduled_at}"
        recent = [s.want for s in spans if s.end >= one.at - SLACK and s.begin <= one.at + KILLED_PULL]
        if one.acts and not any(w and w.is_on and (w.at, w.video) == (scheduled, one.video) for w in recent):
            return "not as declared", f"{one} where these were declared: {recent}"
    status = "not recorded" if record is None else record["status"]
    if acted:
        if status not in ("completed", "failed") or (record and record["reason"] in ("missed", "blocked")):
            return "sent and unrecorded", f"received at {acted[0].at:.0f}, and recorded as {record}"
        return ("sent" if status == "completed" else f"sent, recorded as {record and record['reason']}"), ""
    if status == "completed":
        return "recorded and not sent", str(record)
    wanted = [s for s in spans if s.want and s.want.is_on and _was_steady(s, until)]
    if not wanted:
        return "not to be sent", ""
    reason = record and record["reason"]
    if status == "failed" and reason in EXCUSES:
        return f"excused: {reason}", ""
    return "lost", f"declared {wanted[-1]}, and recorded as {record}"


def _was_steady(span: Span, until: float) -> bool:
    """Whether nobody touched it from well before it was due until its last moment."""
    assert span.want is not None
    due, last = span.want.at - LEADS.get(span.want.channel, 0), min(span.want.at + CATCH_UP, until)
    return span.begin <= due - 300 and span.end >= last > span.want.at


def _epoch(text: str) -> float:
    return float(yaml.safe_load(text).timestamp())


def verdict(ground: Ground, hub: Hub, troubles: list[tuple[float, str]]) -> int:
    """Print the verdict; 0 where it is good."""
    declared, until = Declared(ground), now()
    seen: dict[str, list[Reception]] = defaultdict(list)
    late = []
    for one in (*hub.received(), *received_by_commands(ground.received.with_suffix(".log"))):
        seen[declared.first_id(one.schedule_id)].append(one)
        if one.acts:
            late.append(one.at - _epoch(one.scheduled_at))
    records = {declared.first_id(name): one for name, one in ground.records().items()}
    counts: Counter[str] = Counter()
    wrong = [
        f"{name}: received, and never declared: {seen[name]}" for name in seen if name not in declared.spans
    ]
    for name, spans in sorted(declared.spans.items()):
        word, problem = judge(spans, sorted(seen[name], key=lambda one: one.at), records.get(name), until)
        counts[word] += 1
        if problem:
            wrong.append(f"{name}: {word}: {problem}")
    wrong += [
        f"{name}: still {one['status']}" for name, one in records.items() if one["status"] == "executing"
    ]
    checked = ground.scheduler("state", "verify")
    wrong += [] if checked.returncode == 0 else [f"state verify: {checked.stderr}"]
    late.sort()
    print(f"commits {len(ground.git(ground.clone, 'log', '--format=%h').split())}, troubles {len(troubles)}")
    print(f"deliveries {sum(map(len, seen.values()))}, acted on {len(late)}")
    for word, count in counts.most_common():
        print(f"{count:6} {word}")
    if late:
        shown = [f"{late[min(int(len(late) * part), len(late) - 1)]:.0f} s" for part in (0.5, 0.9, 0.99, 1)]
        print("late (half, 90 %, 99 %, all within): " + ", ".join(shown))
    for line in wrong:
        print(f"WRONG {line}")
    print("verdict: " + (f"{len(wrong)} faults" if wrong else "nothing lost, doubled or early"))
    return 1 if wrong else 0
