"""The page about the codes in brackets: from the registry, with what the program prints for each bad example."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner
from keys import MADE

from scheduler.app.preconditions import outdated
from scheduler.checkout.ignored import ignored
from scheduler.checkout.source import Source
from scheduler.cli.main import cli
from scheduler.delivery.clock_skew import clock_problem
from scheduler.delivery.lookups import forgotten, not_ready
from scheduler.desired.declarations import declare
from scheduler.diagnostics import Diagnostic, Location, error, warning
from scheduler.planning.catalogue import CATALOGUE, OF_FILES, OF_RUNS
from scheduler.planning.inquiry import Example, Rule
from scheduler.planning.local_times import Zones
from scheduler.planning.plan import PutOff
from scheduler.planning.plan.catch_up import described
from scheduler.planning.rules import RULES, goes_public, zone_data
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.state.record import Record

CHANNELS = {
    f"channels/{name}.yaml": f"repository: acme/{name}\ntoken: ACME_TOKEN\n"
    for name in ("alpha", "beta", "gamma")
}
_INTRODUCTION = """\
Every error and warning ends with a code in brackets. This page says what each one means, what the program prints
for an example, and what to do. The channels `alpha`, `beta` and `gamma` of the examples point at `acme/alpha` and
so on; `scheduler --now TIME validate` printed the outputs. An error ends the command with exit code 1; a warning
does not.
"""


def page() -> str:
    """docs/rules.md"""
    parts = [
        "# Rules and their codes",
        MADE,
        _INTRODUCTION,
        "| code | what holds where nothing is wrong |\n|---|---|",
    ]
    parts[-1] += "".join(f"\n| [`{rule.code}`](#{rule.code}) | {rule.title} |" for rule in CATALOGUE.values())
    for title, rules in (
        ("The files themselves", OF_FILES),
        ("What is declared", RULES),
        ("Runs: the machine, git and servers", OF_RUNS),
    ):
        parts.append(f"## {title}")
        for rule in rules:
            parts += _section(rule)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _section(rule: Rule) -> list[str]:
    parts = [f"### {rule.code}", f"{rule.title}. ({rule.severity.value.capitalize()}.)", rule.meaning]
    if rule.bad is None:
        parts += ["It looks like this:", _block(_of_runs()[rule.code])]
    else:
        if rule.bad.recorded:
            parts += [
                f"A run at {rule.bad.recorded_at} recorded this:",
                _files(rule.bad.recorded),
                f"A run at {rule.bad.withdrawn_at} did not find it. Then it is there again:"
                if rule.bad.withdrawn_at
                else "Then it is:",
            ]
        parts += [_files(rule.bad.files), f"At {rule.bad.now}, `scheduler validate` prints:"]
        parts.append(_block(validated(rule.bad)[1]))
    if rule.good is not None:
        parts += ["This is right:", _files(rule.good.files)]
    return [*parts, f"**What to do.** {rule.remedy}"]


def _files(text: str) -> str:
    return "\n\n".join(f"```yaml\n# {name}\n{body}```" for name, body in Example.split(text).items())


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```"


def validated(example: Example) -> tuple[int, str]:
    """The exit code and the output of `validate` for an example, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _write(CHANNELS | Example.split(example.recorded or example.files))
        if example.recorded:
            _scheduler("--now", "2026-01-01T00:00:00Z", "state", "init")
            _scheduler("--now", example.recorded_at, "run")
            for path in Path("waves").glob("*"):
                path.unlink()
            if example.withdrawn_at:
                _scheduler("--now", example.withdrawn_at, "run")
            _write(Example.split(example.files))
        return _scheduler("--now", example.now, "validate", "--format", "text")


def _write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


def _scheduler(*arguments: str) -> tuple[int, str]:
    environ = dict.fromkeys(os.environ) | {
        "ACME_TOKEN": "secret",
        "PATH": os.environ["PATH"],
        "HOME": str(Path.cwd()),
    }
    done = CliRunner().invoke(cli, arguments, env=environ)
    return done.exit_code, done.stdout


def _of_runs() -> dict[str, str]:
    """What is printed where no repository alone is wrong, in the words of the code that finds it."""
    now, everything, name = 1_772_388_000, Location.whole("."), "spring/teaser/alpha"
    older = outdated("older", "52f0a1f3c7d1", "9d3bd2b1f0aa")
    found: list[Diagnostic] = [
        warning(
            "stale-checkout",
            everything,
            older,
            "fetch the branch's tip and merge it: `scheduler run` refuses to act on this checkout",
        ),
        error(
            "clock",
            everything,
            clock_problem(now + 600, now) or "",
            "set the clock (ntp); nothing is sent until then",
        ),
        forgotten(name),
        goes_public.named(
            name,
            Location("waves/spring.yaml"),
            Record(
                schedule_type="simultaneous",
                channel_id="alpha",
                scheduled_at="2026-03-01T18:00:00Z",
                status="completed",
                accepted_at="2026-03-01T12:00:00Z",
                run_url="https://github.com/acme/alpha/actions/runs/7",
            ),
            "2026-03-01 19:00 Europe/Berlin (18:00 UTC)",
            "paused by wave",
        ),
        zone_data.too_old(Zones(recorded="2026f", used="2025b"), ()),
        not_ready(
            [name],
            Location("channels/alpha.yaml"),
            "no workflow of acme/alpha listens to process-video",
            None,
        ),
        ignored("waves/spring.yaml.txt", "rename it to spring.yaml to have it read"),
    ]
    declared, _ = declare([Source("scheduler", "scheduler.yaml", b"conflicts: { min_gap: 1h }\n")])
    assert declared is not None
    late = [
        PutOff(schedule_id=f"{name}-{place}", channel_id="alpha", until=now + 3600 * place, is_missed=False)
        for place in (1, 2)
    ]
    found += described(late, declared)
    return {fault.code: diagnostics_text([fault], {}) for fault in found}
