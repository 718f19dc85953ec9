"""The page about the JSON documents: made by running the program, and by the schema of the state.

What a field means is written here. That each field has a meaning here, and that no meaning is left over, is
checked against documents that the program really printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from keys import MADE

from scheduler.app.schemas import schema_files
from scheduler.cli.main import cli
from scheduler.state.intent import payload_of
from scheduler.state.record import Intent, Record

_FILES = {
    "scheduler.yaml": "state: state.json\n",
    "channels/lobby.yaml": "name: Lobby screen\ncommand: ./publish.sh\n",
    "channels/stage.yaml": "name: Stage screen\nqueue: publications\n",
    "waves/spring.yaml": "title: Spring launch\nschedules:\n"
    "  - type: staggered\n    video: teaser-4k\n    at: 2030-03-01T18:00:00Z\n    delay: 2h\n"
    "    channels: [lobby, stage]\n    metadata: { campaign: spring }\n",
    "waves/late.yaml": "schedules:\n  - type: simultaneous\n    video: late-show\n    at: 2030-03-01T18:00:30Z\n"
    "    channels: [lobby]\n",
    "state.json": '{"version":1,"lineage":"3e1c50f2-6a53-4b0a-9f57-d5a2ea0c4a52","serial":0,"schedules":{}}\n',
}
SAMPLE = Record(
    schedule_type="staggered",
    channel_id="lobby",
    scheduled_at="2030-03-01T18:00:00Z",
    status="executing",
    wave_id="spring",
    coordination_group_id="spring/teaser-4k",
    video_id="teaser-4k",
    metadata={"campaign": "spring"},
)
INTENT = Intent(
    owner="", at="2030-03-01T18:00:00Z", key="gs1-l5tq3dd2kmtxgrz3dkqqrbsdoi", not_after="2030-03-01T19:00:00Z",
    transport="repository_dispatch",
)  # fmt: skip
_BEFORE, _DUE = "2030-03-01T09:00:00Z", "2030-03-01T18:00:05Z"

_DIAGNOSTICS = {
    "diagnostics": "What is wrong, sorted by place.",
    "diagnostics[].severity": "`error` or `warning`.",
    "diagnostics[].code": "The rule: see [the rules](../rules.md).",
    "diagnostics[].message": "What is wrong, in one sentence.",
    "diagnostics[].file": "The file, relative to the repository.",
    "diagnostics[].line": "Counted from 1; null where the problem is in no line.",
    "diagnostics[].column": "Counted from 1; null where the problem is in no line.",
    "diagnostics[].hint": "What to write or to run; null where there is nothing to suggest.",
    "diagnostics[].related": "Other places that belong to the problem.",
    "diagnostics[].related[].file": "Null for a publication that is only recorded.",
    "diagnostics[].related[].line": "As above.",
    "diagnostics[].related[].column": "As above.",
    "diagnostics[].related[].message": "What is there.",
}
_VERSION = {
    "version": "`1`. It rises when a field is removed or changes its meaning; new fields may come at any time."
}
_SCHEDULE = {
    "schedule_id": "`<wave>/<group>/<channel>`, or `<channel>/<time>` for a slot or a one-off.",
    "phase": "How far it is on its way to the public: `declared`, `recorded` (also sent, without an answer), "
    "`handed_over` (its channel has accepted it), `public`, or `over` (failed or cancelled).",
    "recorded": "False where no run has recorded it yet.",
    "problem": "The code of the rule that blocks it; null where none does.",
    "dead_letter": "Whether its job on a queue was given up.",
}


def page() -> str:
    """docs/reference/json.md. Raises AssertionError where a field has no meaning here, or a meaning no field."""
    parts = [
        "# JSON documents",
        MADE,
        "Every document is UTF-8 on one line. Times are RFC 3339 in UTC, durations are seconds. Fields of a "
        "publication that are not in an example are left out where they say nothing; [the state](#the-state) has "
        "them all.",
    ]
    publication = _SCHEDULE | _record_meanings()
    for title, text, document, meanings in _documents(publication):
        found = {path for path in _paths(document) if not _is_publication(path, title, publication)}
        assert found == meanings.keys(), (
            f"docs/build/json_documents.py, {title}: no meaning for {sorted(found - meanings.keys())}, "
            f"no field for {sorted(meanings.keys() - found)}"
        )
        parts += [f"## {title}", text, _table(meanings), f"```json\n{_shown(document)}\n```"]
    return "\n\n".join([*parts, *_payload(), *_state()]) + "\n"


_INSIDE = {
    "plan": ("changes[].before.", "changes[].after."),
    "show": ("schedule.",),
    "schedules.json": ("schedules[].",),
}
"""Where documents hold a publication, or a record of one. Its fields are explained once, in `list`."""


def _is_publication(path: str, title: str, publication: Mapping[str, str]) -> bool:
    return any(
        path.startswith(prefix) and path.removeprefix(prefix) in publication
        for prefix in _INSIDE.get(title, ())
    )


def _documents(publication: dict[str, str]) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """The title, the introduction, the document and what its fields mean."""
    printed = _printed()
    yield (
        "validate",
        "`scheduler validate --format json`",
        printed["validate"],
        _VERSION | _DIAGNOSTICS,
    )
    yield (
        "plan",
        "`scheduler plan --format json`. `before` and `after` have the fields of a publication that are recorded.",
        printed["plan"],
        _VERSION
        | {
            "now": "The instant at which everything was decided.",
            "changes": "In the order in which a run would make them.",
            "changes[].action": "`create`, `update`, `cancel`, `pause`, `resume`, `reopen`, `send`, `retract`, `miss`, "
            "`confirm`, `lookup`, `complete`, `fail` or `archive`.",
            "changes[].schedule_id": "The publication.",
            "changes[].before": "The record before; null where there is none.",
            "changes[].after": "The record after; null where it is not yet known.",
            "changes[].reason": "Why, in words.",
            "changes[].phase": "How far it was on its way to the public before this step, as in [`list`](#list).",
            "diagnostics": "As in `validate`.",
        },
    )
    yield (
        "run",
        "`scheduler run --format json`",
        printed["run"],
        _VERSION
        | {
            "results": "What this run sent or settled.",
            "results[].schedule_id": "The publication.",
            "results[].status": "Its status now.",
            "results[].phase": "How far it is on its way to the public, as in [`list`](#list).",
            "results[].scheduled_at": "The publish time.",
            "results[].reason": "why it failed or was cancelled (`missed`, `rejected`, …); null otherwise",
            "results[].error": "What went wrong; null where nothing did.",
            "diagnostics": "As in `validate`.",
            "troubles": "Everything that is wrong now, whichever run found it: what an issue or a notification is "
            "about. By topic, then time.",
            "troubles[].topic": "Whose business it is: `wave:ID`, `channel:ID` or `scheduler`.",
            "troubles[].kind": "`blocked` by a rule, `unreadable` file, `not_ready` within 24 h, `waiting` although "
            "it is due, `failed`, `retried` and not completed yet, `halted`, or `stopped`: nothing is sent at all.",
            "troubles[].schedule_id": "The publication; null where it is about a file.",
            "troubles[].message": "What is wrong.",
            "troubles[].remedy": "What to do, in words; null where nothing is known.",
            "troubles[].command": "A command to run, as it is; null where there is none.",
            "troubles[].token": "The NAME of the variable of a token that is missing or not accepted, else null.",
            "troubles[].scheduled_at": "The publish time, in UTC.",
            "troubles[].local_time": "The same for people, as the clocks of its channel show it.",
            "troubles[].file": "The file that declares it.",
            "troubles[].line": "The line of the fault; null where there is none.",
        },
    )
    yield (
        "list",
        "`scheduler list --format json`: by time, then id.",
        printed["list"],
        _VERSION | {"schedules": "The publications."} | _of(printed["list"], publication, "schedules[]."),
    )
    yield (
        "show",
        "`scheduler show ID --format json`",
        printed["show"],
        _VERSION
        | {
            "schedule": "As in [`list`](#list), with its history.",
            "declared": "Where it is declared; null where it is not declared any more.",
            "declared.file": "The file.",
            "declared.line": "The line.",
            "declared.column": "The column.",
            "declared.commit": "The commit that last changed that line; null outside git.",
            "declared.author": "Who made that commit.",
            "declared.committed_at": "When.",
            "key": "What names the publication for the receiver.",
            "worker": "Which worker has its job; null where none has.",
            "why": "Why it was or was not sent, in words.",
        },
    )
    yield (
        "simulate",
        "`scheduler simulate --format json`: durations in seconds, shares from 0 to 1.",
        printed["simulate"],
        _VERSION | _SIMULATION | {"diagnostics": "As in `validate`."},
    )
    yield (
        "doctor",
        "`scheduler doctor --format json`",
        printed["doctor"],
        _VERSION
        | {
            "checks": "One for each question.",
            "checks[].kind": "What it is about: `channel`, `state` and so on.",
            "checks[].about": "Which one.",
            "checks[].check": "The question.",
            "checks[].verdict": "`ok`, `warning`, `failed`, `unknown` or `skipped`.",
            "checks[].message": "The answer, in words.",
            "checks[].hint": "What to do; null where nothing is.",
        },
    )
    yield (
        "schedules.json",
        "`scheduler calendar --output DIR` writes it beside the page. `schedules` is as in `list`.",
        printed["calendar"],
        _VERSION
        | {
            "generator": "Which program wrote it.",
            "now": "When.",
            "from": "The beginning of the span; null where it was not limited.",
            "to": "The end of the span; null where it was not limited.",
            "diagnostics": "As in `validate`.",
            "channels": "By id: the channel as it is declared.",
            "waves": "By id.",
            "waves.*.title": "The title; the id where it has none.",
            "freezes": "As in `scheduler.yaml`.",
            "freezes[].reason": "Why.",
            "freezes[].from": "The beginning.",
            "freezes[].until": "The end, not included.",
            "freezes[].channels": "Which channels; null for all.",
            "details": "By publication: what the page says beside the record.",
            "details.*.kind": "What the page draws it as.",
            "details.*.words": "The status, in words.",
            "details.*.why": "Why it was or was not sent, in words.",
            "details.*.local_time": "The publish time in the channel's zone.",
            "details.*.timezone": "The channel's zone.",
            "details.*.declared": "Where it is declared; null where it is not.",
            "details.*.declared.file": "The file.",
            "details.*.declared.line": "The line.",
            "details.*.declared.column": "The column.",
            "schedules": "As in `list`.",
        }
        | _of(printed["calendar"], _CHANNEL, "channels.*."),
    )


_CHANNEL = {"name": "Its name; the id where it has none.", "timezone": "Its zone."}
_SPREAD = {"least": "The least.", "middle": "What half do not exceed.", "most": "The most."}
_FIGURES = {
    "id": "Which one.",
    "sent": "How many publications were sent, over all runs.",
    "on_time": "How many of these left by the publish time.",
    "missed": "How many were missed.",
    "failed": "How many failed otherwise.",
    "held": "How many were held back, by a pause or a freeze.",
    "lateness_seconds": "Lateness of what was sent, after its publish time.",
    "lateness_seconds.median": "Half were no later; null where nothing was sent.",
    "lateness_seconds.p95": "95 % were no later; null where nothing was sent.",
    "lateness_seconds.worst": "The latest; null where nothing was sent.",
    "lead_seconds": "The lead, the least of its publications.",
    "catch_up_seconds": "The catch-up window, the least of its publications.",
}
_SIMULATION = {
    "from": "The beginning of the simulated span.",
    "to": "Its end.",
    "runs": "How often the span was played.",
    "publications": "How many fall into it.",
    "conditions": "What was simulated.",
    "conditions.every": "From one wanted tick to the next.",
    "conditions.late": "How much later than wanted a tick comes.",
    "conditions.drop": "The share of ticks that never come.",
    "conditions.hold": "How long a tick waits for what falls due (`--hold`).",
    "conditions.latency": "How long a channel takes to answer, and the state to be loaded or saved.",
    "conditions.refuse": "The share of requests that are rejected.",
    "conditions.limit": "The share that meets a rate limit.",
    "conditions.unknown": "The share whose answer is lost. Half of these have arrived.",
    "conditions.lead": "Replaces each channel's own; null where it does not.",
    "conditions.catch_up": "Replaces that of the settings and of each wave; null where it does not.",
    "conditions.pace": "Replaces that of the settings; null where it does not.",
    "conditions.seed": "The same seed gives the same result.",
    **{
        f"conditions.{name}.{key}": text
        for name in ("every", "late", "latency")
        for key, text in _SPREAD.items()
    },
    "ticks": "Over all runs.",
    "ticks.wanted": "How many ticks were wanted.",
    "ticks.dropped": "How many never came.",
    "ticks.longest_gap_seconds": "The longest time between two ticks.",
    "put_off": "How often a late publication waited for another of its channel (`min_gap`).",
    "waves": "How each wave fared.",
    **{f"waves[].{key}": text for key, text in _FIGURES.items()},
    "channels": "How each channel fared.",
    **{f"channels[].{key}": text for key, text in _FIGURES.items()},
    "not_sent": "Each publication that was not sent in some run, as `schedule_id`, `outcome`, `why` and `runs`.",
    "enough": "What would have been enough.",
    "enough.to_miss_nothing": "For nothing to be missed.",
    "enough.to_miss_nothing.catch_up_seconds": "As `catch_up`.",
    "enough.to_miss_nothing.lead_seconds": "As `lead`.",
    "enough.to_miss_nothing.hold_seconds": "As `--hold`.",
    "enough.to_be_in_time": "For everything to leave by its publish time.",
    "enough.to_be_in_time.lead_seconds": "As `lead`.",
    "enough.to_be_in_time.hold_seconds": "As `--hold`.",
}


@cache
def _printed() -> dict[str, Any]:
    """Each document, from a small repository in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in _FILES.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")

        # Nothing of this machine is in the page: not its tokens, and not that it may be a runner of GitHub's.
        runner = CliRunner(env={key: None for key in os.environ if key.startswith(("SCHEDULER_", "GITHUB_"))})

        def ask(now: str, *arguments: str) -> Any:
            done = runner.invoke(cli, ["-C", name, "--now", now, *arguments], catch_exceptions=False)
            with contextlib.suppress(ValueError):
                return json.loads(done.stdout)
            raise AssertionError(f"{arguments} printed no document: {done.output}")

        found = {"validate": ask(_BEFORE, "validate", "--format", "json")}
        (folder / "waves/late.yaml").unlink()
        (folder / "scheduler.yaml").write_text(
            "state: state.json\nfreezes: [{ reason: Holidays, from: 2030-12-24T00:00:00Z, until: 2030-12-27T00:00:00Z }]\n"
        )
        found["plan"] = ask(_BEFORE, "plan", "--format", "json")
        found["simulate"] = ask(_BEFORE, "simulate", "--format", "json")
        found["doctor"] = ask(_BEFORE, "doctor", "--format", "json")
        found["list"] = ask(_BEFORE, "list", "--format", "json")
        runner.invoke(
            cli, ["-C", name, "--now", _BEFORE, "calendar", "--output", name], catch_exceptions=False
        )
        found["calendar"] = json.loads((folder / "schedules.json").read_text(encoding="utf-8"))
        (folder / "waves/late.yaml").write_text(_FILES["waves/late.yaml"])
        troubles = ask(_BEFORE, "run", "--format", "json")["troubles"]
        (folder / "waves/late.yaml").unlink()
        found["run"] = ask(_DUE, "run", "--format", "json") | {"troubles": troubles[:1]}
        found["show"] = ask(_DUE, "show", "spring/teaser-4k/lobby", "--format", "json")
        found["show"]["schedule"]["intent"]["queue_file"] = "9f3c2a7e51d0b846"  # random, like the owner
        found["show"]["schedule"]["intent"]["owner"] = (
            "0d7c1f1e"  # random, and this page has to stay the same
        )
        return found


def _of(document: Any, meanings: dict[str, str], *prefixes: str) -> dict[str, str]:
    """The meanings of those fields of a publication that this document has."""
    found = {}
    for prefix in prefixes:
        for path in _paths(document):
            if path.startswith(prefix) and path.removeprefix(prefix) in meanings:
                found[path] = meanings[path.removeprefix(prefix)]
    return found


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """`schedules[].metadata`. What is keyed by ids has `*` in their place; metadata is anybody's."""
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "*" if path in ("channels", "waves", "details") else key
            below = f"{path}.{name}" if path else name
            if name != "*":
                yield below
            if key != "metadata":
                yield from _paths(inner, below)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{path}[]")


def _table(meanings: dict[str, str]) -> str:
    rows = (f"| `{field}` | {meaning} |" for field, meaning in meanings.items())
    return "\n".join(["| field | meaning |", "|---|---|", *rows])


def _shown(document: Any) -> str:
    """The document with one entry a list, so that it stays an example."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(inner) for key, inner in value.items()}
        return [cut(value[0])] if isinstance(value, list) and value else value

    return json.dumps(cut(document), indent=2, ensure_ascii=False)


# --- the payload and the state ----------------------------------------------------------------------


def _payload() -> list[str]:
    made = payload_of("spring/teaser-4k/lobby", SAMPLE, INTENT)
    meanings = {
        "video_id": "The video.",
        "schedule_id": "The publication.",
        "key": "Names the publication for the receiver: the same for every attempt.",
        "wave_id": "The wave; null for a slot or a one-off.",
        "coordination_group_id": "`<wave>/<group>`; null for a slot or a one-off.",
        "channel_id": "The channel.",
        "schedule_type": "`simultaneous`, `staggered` or `independent`.",
        "scheduled_at": "The publish time.",
        "not_after": "After this time the receiver should refuse. An event that takes a publication back has "
        "`retract` in its place, which is true: the receiver refuses it from `scheduled_at` on.",
        "metadata": "What the wave or the one-off says; null where it says nothing.",
    }
    assert made.keys() == meanings.keys()
    return [
        "## The payload",
        "The `client_payload` of a `repository_dispatch`, the input `payload` of a `workflow_dispatch` (as JSON), and "
        "what a command of a queue reads on standard input. What does not apply is null.",
        _table(meanings),
        f"```json\n{json.dumps(made, indent=2)}\n```",
    ]


@cache
def _state_schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(schema_files()["state.schema.json"])
    return found


def _record_meanings() -> dict[str, str]:
    """The fields of a record, and of what is inside it, by their paths."""
    schema = _state_schema()

    def walk(name: str, prefix: str) -> Iterator[tuple[str, str]]:
        for field, value in schema["$defs"][name]["properties"].items():
            yield f"{prefix}{field}", value["description"]
            inner, listed = _reference(value)
            if inner is not None:
                yield from walk(inner, f"{prefix}{field}{'[]' if listed else ''}.")

    return dict(walk("Record", ""))


def _reference(schema: dict[str, Any]) -> tuple[str | None, bool]:
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2], False
    if schema.get("type") == "array":
        return _reference(schema["items"])[0], True
    for one in schema.get("anyOf", ()):
        if "$ref" in one:
            return one["$ref"].rpartition("/")[2], False
    return None, False


def _state() -> list[str]:
    schema = _state_schema()
    parts = [
        "## The state",
        "One publication a line, sorted, in a file or on a branch ([its JSON Schema](../../schemas/state.schema.json)). "
        "Fields without a value are left out, apart from those of the first lines of a record.",
        _table({field: value["description"] for field, value in schema["properties"].items()}),
    ]
    for name, definition in schema["$defs"].items():
        parts += [
            f"### {name}",
            definition["description"],
            _table({field: value["description"] for field, value in definition["properties"].items()}),
        ]
    return parts
