"""python -m scheduler.actions: the commands of this wing, with the environment of a workflow step.

    summary FILE                               append the Markdown to the job's summary
    comment -C DIR --pull-request N FILE       put the Markdown into the pull request's one comment
    report -C DIR --exit-code N FILE           log, summary and issues of a run's JSON; with --merged PLAN.md
                                               also whether that plan is the one that was reviewed
    zones -C DIR FILE                          write to FILE what pip is to download for `plan --zones`
    new-wave -C DIR                            turn a form into a pull request, or comment why not

Exit codes: 0, also where GitHub could not be reached (a warning says so); 2 for wrong usage. Only `new-wave`
exits with 1, where it could neither answer the form nor comment on it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.delivery.github.proxy import canonical
from scheduler.errors import Error
from scheduler.github_actions import issues, run_output
from scheduler.github_actions.client import ApiError, GitHubClient, asking
from scheduler.github_actions.markdown import SUMMARY_LIMIT, fit
from scheduler.reporting.annotations import command
from scheduler.reporting.troubles import OpenTrouble
from scheduler.times import Instant, TimeError, duration_text, instant, read_duration

if TYPE_CHECKING:
    from github.WorkflowRun import WorkflowRun

    from scheduler.app.repository import Repository as Waves

_TICKS = 30
"""Runs of the workflow among which the previous tick is looked for."""


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; the exit code."""
    asked = _parser().parse_args(arguments)
    os.environ.update(canonical(os.environ))
    try:
        _run(asked)
    except Error as failure:
        if asked.run is _new_wave:
            _say(command("error", str(failure), title="The form could not be processed"))
            return 1
        _say(command("warning", str(failure), title="Not everything was reported"))
    return 0


def _run(asked: argparse.Namespace) -> None:
    """Raises Error, also for a variable, a file or a part of an event that is missing."""
    try:
        asked.run(asked)
    except Error:  # first, since some are a ValueError too
        raise
    except KeyError as missing:
        raise Error(f"{missing.args[0]} is missing in this step, or in its event") from None
    except (AttributeError, TypeError, IndexError, ValueError) as odd:
        raise Error(f"what GitHub sent cannot be read ({type(odd).__name__})") from None
    except OSError as problem:
        raise Error(f"{problem.filename}: {problem.strerror}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scheduler.actions", description=__doc__)
    commands = parser.add_subparsers(required=True)
    summary = commands.add_parser("summary")
    summary.set_defaults(run=lambda asked: _summarize(asked.file.read_text(encoding="utf-8")))
    comment = commands.add_parser("comment")
    comment.set_defaults(run=_comment)
    comment.add_argument("-C", dest="directory", default=".", help="the folder that the plan is about")
    comment.add_argument("--pull-request", type=int, required=True)
    comment.add_argument(
        "--update-only", action="store_true", help="do not comment where there is no comment yet"
    )
    report = commands.add_parser("report")
    report.set_defaults(run=_report)
    report.add_argument("-C", dest="directory", default=".", help="the folder that the run was about")
    report.add_argument("--exit-code", type=int, required=True, help="how the run ended")
    report.add_argument("--tick-gap", type=_duration, default=7_200, help="the longest time without a tick")
    report.add_argument("--merged", type=Path, help="the plan of what a push merged, as Markdown")
    zones = commands.add_parser("zones")
    zones.set_defaults(run=_zones)
    zones.add_argument(
        "-C", dest="directory", default=".", help="the folder with the lock file of the proposal"
    )
    for one in (summary, comment, report, zones):
        one.add_argument("file", type=Path)
    new_wave = commands.add_parser("new-wave")
    new_wave.set_defaults(run=_new_wave)
    new_wave.add_argument("-C", dest="directory", default=".", help="the default branch, checked out")
    return parser


def _duration(text: str) -> int:
    try:
        return read_duration(text)
    except TimeError as problem:
        raise argparse.ArgumentTypeError(f"{problem}: {problem.hint}") from None


def _client(*, page: int = 100) -> GitHubClient:
    """This repository, as the step's token sees it."""
    api = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
    return GitHubClient(api, os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_TOKEN"], page=page)


def _run_url() -> str:
    from scheduler.app.environment import server_of  # only where a link is written

    repository, run = (os.environ.get(name, "") for name in ("GITHUB_REPOSITORY", "GITHUB_RUN_ID"))
    return f"{server_of(os.environ)}/{repository}/actions/runs/{run}"


def _summarize(markdown: str) -> None:
    note = "*Too long for a summary: the log has the rest.*"
    text = fit(markdown, SUMMARY_LIMIT - 4_096, note, in_bytes=True)
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as page:
        page.write(text + "\n")


def _comment(asked: argparse.Namespace) -> None:
    from scheduler.github_actions import comments  # only here: a tick writes none

    done = comments.put_comment(
        _client(),
        asked.pull_request,
        asked.file.read_text(encoding="utf-8"),
        note=f"*Too long for a comment: [the summary of the run]({_run_url()}) has everything.*",
        update_only=asked.update_only,
        folder=_waves(asked.directory).folder_below_top(),
    )
    _say(f"comment: {done}")


def _zones(asked: argparse.Namespace) -> None:
    """Write the requirement of the proposal's `tzdata`, or nothing where it is the installed one."""
    from importlib.metadata import version

    from scheduler.github_actions.locked_zones import locked_zones

    asked.file.write_text("")
    locked = locked_zones(Path(asked.directory))
    if locked is not None and locked[0] != version("tzdata"):
        asked.file.write_text(locked[1] + "\n")
        _say(f"zones: the proposal installs tzdata {locked[0]}")


def _new_wave(asked: argparse.Namespace) -> None:
    from scheduler.app.environment import server_of
    from scheduler.github_actions import new_wave  # only here: a tick answers no form

    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    waves = _waves(asked.directory)
    answer = new_wave.answer(_client(), waves, new_wave.read_event(event), server_of(os.environ))
    _say(f"new wave: {answer}")


def _waves(directory: str) -> Waves:
    from scheduler.app.repository import Repository, root_of
    from scheduler.clock import Clock

    return Repository(root_of(directory), os.environ, Clock())


def _report(asked: argparse.Namespace) -> None:
    printed = run_output.read_printed(asked.file.read_text(encoding="utf-8") if asked.file.exists() else "")
    folder = _waves(asked.directory).folder_below_top()
    for line in run_output.log_lines(printed, folder):
        _say(line)
    _summarize(run_output.summary(printed, asked.exit_code))
    if asked.merged is not None and asked.merged.exists():
        _compare(asked.merged.read_text(encoding="utf-8"), folder)
    _keep_issues(_client(), printed, asked.exit_code, asked.tick_gap, folder)


def _compare(merged: str, folder: str) -> None:
    """Say in the summary and the log where a merge does something else than its reviewed plan."""
    from scheduler.github_actions.reviewed_plan import difference  # only here: most ticks follow no merge

    try:
        found = difference(_client(), os.environ["GITHUB_SHA"], merged, folder)
    except ApiError as refusal:
        _say(command("warning", str(refusal), title="Not everything was reported"))
        return
    if found is not None:
        _summarize(f"\n**{found}**\n")
        _say(command("warning", found, title="Not the reviewed plan"))


def _keep_issues(
    client: GitHubClient, printed: run_output.Printed, exit_code: int, tick_gap: int, folder: str
) -> None:
    """Open, update and close the issues that this run concerns; each folder has its own."""
    known = issues.known_issues(client)
    page = issues.Page(
        run_url=_run_url(),
        repository=os.environ["GITHUB_REPOSITORY"],
        workflow=_workflow(),
        folder=folder,
        commit=os.environ.get("GITHUB_SHA") or "HEAD",
    )

    def settle(topic: issues.Topic, found: Sequence[OpenTrouble]) -> None:
        own = topic.within(folder)
        step = issues.step_for(own, known.get(own.key), found)
        if step is not None:
            _say(issues.take(_client(page=1), step, known.get(own.key), page))

    prefix = f"{folder}: " if folder else ""
    open_topics = [key.removeprefix(prefix) for key in known if key.startswith(prefix)]
    for key, found in sorted(run_output.concerns(printed, exit_code, open_topics).items()):
        topic = run_output.topic_of(key, found)
        with _apart(topic):
            settle(topic, found)
    with _apart(run_output.TICKS):
        gap = _tick_gap(tick_gap)
        if gap is not None:
            settle(run_output.TICKS, gap)


@contextmanager
def _apart(topic: issues.Topic) -> Iterator[None]:
    """A refusal about one topic is a warning, and the other topics are still reported."""
    try:
        yield
    except ApiError as refusal:
        _say(command("warning", f"{topic.title}: {refusal}", title="Not everything was reported"))


def _workflow() -> str:
    """The file name of the workflow that runs."""
    reference = os.environ.get("GITHUB_WORKFLOW_REF") or "reconcile.yml"
    return reference.partition("@")[0].rpartition("/")[2]


def _tick_gap(limit: int) -> list[OpenTrouble] | None:
    """What is wrong with the time since the previous tick; None where that is not known."""
    workflow = _workflow()
    with asking(f"list the runs of {workflow}"):
        # A run is 10 kB of JSON, so the page is small and the only one.
        listed = _client(page=_TICKS).api.get_workflow(workflow).get_runs().get_page(0)
        runs = [run_output.Tick(run.id, run.conclusion, _started(run)) for run in listed]
    gap = run_output.gap_before(int(os.environ["GITHUB_RUN_ID"]), runs)
    if gap is None:
        return None
    before, own = gap
    if own - before <= limit:
        return []
    message = f"none for {duration_text(own - before)}, where {duration_text(limit)} is the limit"
    return [OpenTrouble(topic="ticks", kind="stopped", message=message)]


def _started(run: WorkflowRun) -> Instant:
    started: datetime | None = run.run_started_at  # GitHub's description calls it optional
    return instant(started or run.created_at)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
