"""The commands: arguments become calls, and what comes back becomes text and an exit code.

Exit codes: 0 fine; 1 errors in what is declared, or outcomes of this run that failed or are unknown; 2 wrong
usage; 3 broken machinery (state, queue).
"""

from __future__ import annotations

import functools
import gc
import importlib
import os
import signal
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click
import msgspec

from scheduler import __version__
from scheduler.app.preconditions import demand_lineage
from scheduler.app.repository import Repository, root_of
from scheduler.cli.arguments import DURATION, PAIR, TIME, F, format_option
from scheduler.clock import Clock
from scheduler.errors import (
    Error,
    QueueError,
    RunRefused,
    ScheduleError,
    StateError,
    StateMissing,
)
from scheduler.times import Instant, instant_text, using_zones, zone_release
from scheduler.wording import count

if TYPE_CHECKING:
    from scheduler.delivery import Report, Runner
    from scheduler.desired import SettingsSpec
    from scheduler.diagnostics import Diagnostic
    from scheduler.planning.reconcile import Reconciled
    from scheduler.state.record import State

FINE, PROBLEMS, USAGE, BROKEN = 0, 1, 2, 3
CHANGES = 4
"""The exit code of `plan --detailed-exitcode` where there is something to do."""


class Context:
    """What every command gets: the repository, the environment, the clock, and whether to print colours."""

    def __init__(self, directory: str, now: Instant | None) -> None:
        self.directory = directory
        self.environ: Mapping[str, str] = os.environ
        self.clock = Clock(now)
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    @functools.cached_property
    def repository(self) -> Repository:
        return Repository(root_of(self.directory), self.environ, self.clock)

    def texts(self, reconciled: Reconciled | None = None) -> Mapping[str, str]:
        """The text of every file, by name: diagnostics quote the lines they are about."""
        if reconciled is not None and reconciled.declared is not None:
            return {name: document.text for name, document in reconciled.declared.documents.items()}
        from scheduler.desired import yaml_reader

        sources = self.repository.sources()
        return {s.file: yaml_reader.read(s.file, s.content).text for s in sources if s.fault is None}


def with_context(command: F) -> F:
    """Give a command its Context, and turn the exceptions of this package into messages and exit codes."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(click.get_current_context().find_object(Context), *arguments, **options)
        except Error as problem:
            _fail(problem)

    return cast("F", run)


def print_problem(problem: Error) -> None:
    """Print an exception of this package to standard error: its diagnostics, its message, its hint."""
    from scheduler.reporting.diagnostics_text import diagnostics_text
    from scheduler.reporting.terminal import visible

    if isinstance(problem, ScheduleError) and problem.diagnostics:
        click.echo(diagnostics_text(problem.diagnostics, {}) + "\n", err=True)
    click.echo(f"error: {visible(problem.message)}", err=True)
    if problem.hint:
        click.echo(f"hint: {visible(problem.hint)}", err=True)


def _fail(problem: Error) -> NoReturn:
    print_problem(problem)
    if isinstance(problem, (StateError, QueueError)):
        sys.exit(BROKEN)
    sys.exit(PROBLEMS if isinstance(problem, (RunRefused, ScheduleError)) else USAGE)


def write(document: str | Iterable[bytes]) -> None:
    """Write a document, or the parts of one, to standard output, in UTF-8 whatever the locale is."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.writelines([document.encode("utf-8")] if isinstance(document, str) else document)
        sys.stdout.buffer.flush()
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python flushes at exit
        if not isinstance(problem, BrokenPipeError):  # as `| head` does on purpose
            click.echo(f"error: cannot write the output: {problem.strerror}", err=True)
        sys.exit(BROKEN)


# --- the command -----------------------------------------------------------------------------------


class Commands(click.Group):
    """The group of all commands; those of other modules are imported when they are called.

    So a command pays for its own imports alone, as the help and the completion of each command do.
    """

    ELSEWHERE: Mapping[str, str] = {
        "assign": "scheduler.cli.edit",
        "calendar": "scheduler.cli.calendar",
        "cancel": "scheduler.cli.edit",
        "completion": "scheduler.cli.completion",
        "create": "scheduler.cli.edit",
        "doctor": "scheduler.cli.doctor",
        "init": "scheduler.cli.init",
        "list": "scheduler.cli.list_and_show",
        "move": "scheduler.cli.edit",
        "pause": "scheduler.cli.edit",
        "resume": "scheduler.cli.edit",
        "retry": "scheduler.cli.retry",
        "show": "scheduler.cli.list_and_show",
        "simulate": "scheduler.cli.simulate",
        "worker": "scheduler.cli.worker",
    }
    """Command name -> the module that has it as a click command of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self.ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = self.ELSEWHERE.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        return cast("click.Command", getattr(importlib.import_module(module), cmd_name))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-C", "directory", default=".", show_default=True, metavar="DIR", help="The folder of the repository."
)
@click.option("--now", type=TIME, help="Start the clock at this time, to try things out.")
@click.version_option(
    __version__,
    prog_name="scheduler",
    message=f"%(prog)s, version %(version)s (zone data: tzdata {zone_release()})",
)
@click.pass_context
def cli(context: click.Context, directory: str, now: Instant | None) -> None:
    """Publish videos on many channels, as declared in waves/ and channels/."""
    context.obj = Context(directory, now)


# --- reading ---------------------------------------------------------------------------------------

zones_option = click.option(
    "--zones", metavar="DIR", help="Zone data for local times: a folder with an unpacked `tzdata` wheel."
)


@cli.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    help="Output format; default: text (github on GitHub Actions).",
)
@zones_option
@with_context
def validate(context: Context, form: str | None, zones: str | None) -> None:
    """Check every file against every rule.

    Nothing is written or sent.
    """
    from scheduler.app.rules_page import rules_page
    from scheduler.reporting.render import for_validate

    _use(zones)

    try:
        reconciled = context.repository.proposed(only_check=True)
    except StateError:
        _print_file_problems(context)
        raise
    chosen = form or ("github" if context.environ.get("GITHUB_ACTIONS") == "true" else "text")
    texts = context.texts(reconciled)
    write(
        for_validate(
            chosen,
            reconciled,
            texts,
            colour=context.colour,
            folder=context.repository.folder_below_top,
            rules_page=rules_page,
        )
    )
    sys.exit(PROBLEMS if reconciled.is_red else FINE)


@cli.command()
@format_option("text", "json", "markdown")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 4 if there is anything to do.")
@click.option("--base", metavar="COMMIT", help="For markdown: compare with what this commit declares.")
@click.option("--hold", type=DURATION, help="For markdown: how long your runs wait for what falls due.")
@click.option(
    "--limit",
    type=click.IntRange(min=5_000),
    metavar="BYTES",
    help="For markdown: maximum size; default: what a comment can hold.",
)
@zones_option
@with_context
def plan(
    context: Context,
    form: str,
    detailed_exitcode: bool,
    base: str | None,
    hold: int | None,
    limit: int | None,
    zones: str | None,
) -> None:
    """Show what `run` would do now, and why."""
    _use(zones)
    repository = context.repository
    if form != "markdown":
        if (base, hold, limit) != (None, None, None):
            raise click.UsageError("--base, --hold and --limit require --format markdown")
        _end_with_plan(context, form, repository.proposed(), detailed=detailed_exitcode)
    from scheduler.reporting.render import for_plan
    from scheduler.reporting.review import review

    reconciled, without = (repository.proposed(), None) if base is None else repository.compare(base)
    found = review(reconciled, without, repository.surroundings(), hold=hold)
    texts = context.texts(reconciled)
    write(for_plan("markdown", reconciled, texts, colour=False, review=found, limit=limit))
    changes = bool(reconciled.plan.changes) if without is None else found.changes_anything
    sys.exit(PROBLEMS if reconciled.is_red else CHANGES if detailed_exitcode and changes else FINE)


def _use(zones: str | None) -> None:
    """Compute local times with the zone data of that folder until the command ends. Raises Error."""
    if zones is not None:
        from pathlib import Path

        from scheduler.checkout.zone_files import read_zones

        click.get_current_context().with_resource(using_zones(read_zones(Path(zones))))


def _end_with_plan(
    context: Context, form: str, reconciled: Reconciled, *, detailed: bool = False
) -> NoReturn:
    from scheduler.reporting.render import for_plan

    write(for_plan(form, reconciled, context.texts(reconciled), colour=context.colour))
    changes = detailed and reconciled.plan.changes
    sys.exit(PROBLEMS if reconciled.is_red else CHANGES if changes else FINE)


@cli.command()
@click.option(
    "--output", "folder", type=click.Path(file_okay=False), help="Write the schemas to this folder."
)
@click.argument("kind", required=False, type=click.Choice(["wave", "channel", "scheduler", "state"]))
@with_context
def schema(_: Context, kind: str | None, folder: str | None) -> None:
    """Print the JSON Schemas of the files, or of one kind."""
    from pathlib import Path

    from scheduler.app.schemas import schema_files

    files = schema_files()
    if folder is not None:
        for name, text in files.items():
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_text(text, encoding="utf-8")
            click.echo(f"wrote {folder}/{name}")
        return
    chosen = [text for name, text in files.items() if kind is None or name.startswith(f"{kind}.")]
    write("".join(chosen))


# --- running ---------------------------------------------------------------------------------------


@cli.command()
@click.option("--hold", type=DURATION, help="Also wait for what falls due within this time.")
@click.option(
    "--watch",
    is_flag=False,
    flag_value="",
    metavar="[DURATION]",
    help="Run again and again, for this time or until stopped.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done; write and send nothing.")
@click.option("--force", is_flag=True, help="Cancel what is no longer declared, however much it is.")
@click.option(
    "--adopt", is_flag=True, help="Take this checkout over, even if it is outdated or another branch."
)
@format_option("text", "json")
@with_context
def run(
    context: Context,
    hold: int | None,
    watch: str | None,
    dry_run: bool,
    force: bool,
    adopt: bool,
    form: str,
) -> None:
    """Record what is declared, and send what is due.

    Then record the outcomes. It may run as often as you like: what was sent is not sent again.
    """
    from scheduler.delivery import Runner

    if hold is not None and watch is not None:
        raise click.UsageError("--hold and --watch cannot be combined")
    duration = DURATION.convert(watch, None, None) if watch else None
    repository = context.repository
    settings = readable_settings(context, form)
    if dry_run:  # as for a run, the state must exist
        _end_with_plan(context, form, repository.preview(settings, force=force, adopt=adopt))
    if repository.surroundings().stopped:
        click.echo("SCHEDULER_PAUSED is set, so nothing is sent.", err=True)
    stays = hold is not None or watch is not None
    runner = Runner(repository.ports(settings, follow=stays, adopt=adopt), force=force)
    try:
        report = _run(context, runner, hold=hold, watch=watch is not None, duration=duration)
    except Error:
        if runner.report.results:  # what was done before the error has happened all the same
            _print_report(context, runner.report, form)
        raise
    _print_report(context, report, form)
    sys.exit(PROBLEMS if report.is_red else FINE)


def _run(context: Context, runner: Runner, *, hold: int | None, watch: bool, duration: int | None) -> Report:
    from scheduler.delivery import hold_and_watch

    gc.enable()  # `__main__` turns it off, which is faster for commands that end soon
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: context.clock.end())
    try:
        if watch:
            return hold_and_watch.watch(runner, duration, print_problem, _Log(context).show)
        if hold is not None:
            return hold_and_watch.hold(runner, hold, print_problem)
        return runner.reconcile_once()
    finally:
        report = runner.report
        report.diagnostics = [*report.diagnostics, *context.repository.finish_notifying()]
        context.repository.close()


class _Log:
    """What a watch prints to standard error: each outcome and each new problem, once."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._results: dict[str, Any] = {}
        self._problems: frozenset[Diagnostic] = frozenset()

    def show(self, report: Report) -> None:
        from scheduler.reporting.run_text import handed_over_until
        from scheduler.reporting.terminal import visible

        now = instant_text(self._clock.now())
        for schedule_id in sorted(report.results):
            result = report.results[schedule_id]
            if self._results.get(schedule_id) != result:
                rest = result.error or handed_over_until(result.phase, result.status, result.scheduled_at)
                line = f"{now}  {schedule_id}  {result.status}  {rest}"
                click.echo(visible(line).rstrip(), err=True)
        self._results = dict(report.results)
        problems = frozenset(report.diagnostics)
        for fault in report.diagnostics:
            if fault not in self._problems:
                line = f"{now}  {fault.location}: {fault.severity}: {fault.message} [{fault.code}]"
                click.echo(visible(line), err=True)
        self._problems = problems


def _print_report(context: Context, report: Report, form: str) -> None:
    from scheduler.reporting.render import for_run

    texts = {} if report.last is None else context.texts(report.last)
    write(for_run(form, report, texts, colour=context.colour))


def _print_file_problems(context: Context) -> None:
    """The problems in the files alone, where the state cannot be reached: an editor may be offline."""
    from scheduler.desired.declarations import declare
    from scheduler.diagnostics import in_order

    _, faults = declare(context.repository.sources())
    if faults:
        _print_problems(in_order(faults), context.texts())
        click.echo("\nThese are errors in the files alone; the rules also need the state.\n", err=True)


def _print_problems(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str]) -> None:
    from scheduler.reporting.diagnostics_text import diagnostics_text

    click.echo(diagnostics_text(diagnostics, texts), err=True)


# --- the state ---------------------------------------------------------------------------------------


@cli.group()
def state() -> None:
    """Create, adopt, show or verify the state."""


@state.command("init")
@click.option(
    "--lineup-from",
    multiple=True,
    type=PAIR,
    metavar="CHANNEL=VIDEO",
    help="The next video of a lineup that is already under way; may be repeated.",
)
@with_context
def state_init(context: Context, lineup_from: Sequence[tuple[str, str]]) -> None:
    """Create the first state.

    What is in the past is recorded as cancelled, so that it is never sent.
    """
    from scheduler.planning import first_state

    repository = context.repository
    settings = readable_settings(context)
    store = repository.store(settings)
    repository.demand_right_clock()
    begun = first_state.begin(
        repository.sources(),
        lineage=settings.lineage or str(uuid.uuid4()),
        now=context.clock.now(),
        lineup_from=dict(lineup_from),
    )
    store.create(msgspec.structs.replace(begun.state, folder=repository.folder(settings)))
    for line in begun.notes:
        click.echo(line)
    click.echo(f"created {store.name}, lineage {begun.state.lineage}")


def readable_settings(context: Context, form: str = "text") -> SettingsSpec:
    """The settings. Where they cannot be read, prints why and exits."""
    settings = context.repository.settings()
    if settings is not None:
        return settings
    reconciled, _ = context.repository.observe()
    if form == "json":
        from scheduler.reporting.json_output import results_json
        from scheduler.reporting.troubles import troubles_of

        found = troubles_of(reconciled, {}, reconciled.diagnostics, {})
        write(results_json([], reconciled.diagnostics, found).decode() + "\n")
    else:
        _print_problems(reconciled.diagnostics, context.texts(reconciled))
    sys.exit(PROBLEMS)


@state.command("adopt")
@with_context
def state_adopt(context: Context) -> None:
    """Make the state that of this folder, after the folder was renamed.

    Only a state on a branch names a folder. Nothing is sent or cancelled.
    """
    repository = context.repository
    settings = readable_settings(context)
    store, folder = repository.store(settings), repository.folder(settings)
    snapshot = store.load()
    demand_lineage(snapshot.state, settings, store.name)
    before = snapshot.state.folder
    if folder == before:
        click.echo(f"{store.name} is already the state of this folder")
        return
    serial = snapshot.state.serial + 1
    after = msgspec.structs.replace(snapshot.state, folder=folder, serial=serial, idle=None)
    store.save(after, snapshot, f"Adopt the state for the folder {folder}")
    former = "" if before is None else f", and no longer of {before}"
    click.echo(f"{store.name} is now the state of the folder {folder}{former}")


@state.command("show")
@with_context
def state_show(context: Context) -> None:
    """Print the state as it is stored."""
    from scheduler.state.codec import encode

    write(encode(_recorded(context)).decode())


@state.command("verify")
@with_context
def state_verify(context: Context) -> None:
    """Read the state as a run would, and summarize it."""
    from scheduler.state.header import VERSION

    recorded = _recorded(context)
    live = sum(record.is_live for record in recorded.schedules.values())
    older = "" if recorded.version == VERSION else f" (the next save makes it version {VERSION})"
    zones = "" if recorded.zone_release is None else f", zone data {recorded.zone_release}"
    click.echo(
        f"fine: version {recorded.version}{older}, lineage {recorded.lineage}, serial {recorded.serial}"
        f"{zones}, {count(len(recorded.schedules), 'publication')}, {live:,} of them live"
    )


def _recorded(context: Context) -> State:
    """The state, with its archive read too: both must be intact."""
    settings = readable_settings(context)
    store = context.repository.store(settings)
    snapshot = store.load()
    demand_lineage(snapshot.state, settings, store.name)
    store.load_archive()
    return snapshot.state


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Ends with SystemExit."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="scheduler")
    except StateMissing as problem:
        _fail(problem)
