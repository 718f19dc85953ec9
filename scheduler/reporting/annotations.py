"""Diagnostics on GitHub Actions: annotations beside the lines of a change, and everything again in the log.

GitHub shows ten errors and ten warnings a step (https://docs.github.com/actions/reference/limits), so no
more are asked for, and a notice says that there are more. The escapes are those of the runner's own
toolkit (`actions/toolkit`, packages/core/src/command.ts).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scheduler.diagnostics import Diagnostic, Severity
from scheduler.reporting.diagnostics_text import diagnostics_text
from scheduler.reporting.terminal import visible
from scheduler.wording import count

SHOWN = 10
"""Annotations of one severity that GitHub shows for one step."""

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def annotations_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, folder: str = "", colour: bool = False
) -> str:
    """Workflow commands for what GitHub shows, then every diagnostic as text; empty where there are none.

    `folder` is where the files are below the top of the git repository, with forward slashes.
    """
    if not diagnostics:
        return ""
    lines: list[str] = []
    hidden = []
    for severity in (Severity.ERROR, Severity.WARNING):
        found = [fault for fault in diagnostics if fault.severity is severity]
        lines += [_command(fault, folder) for fault in found[:SHOWN]]
        if len(found) > SHOWN:
            hidden.append(count(len(found) - SHOWN, severity.value))
    if hidden:
        note = f"GitHub shows {SHOWN} of each kind for a step; {' and '.join(hidden)} more are in the log."
        lines.append(f"::notice title=More problems::{note}")
    text = diagnostics_text(diagnostics, sources, colour=colour)
    # The place of a file whose name begins with `:` would begin a command; `./:` is the same file.
    return "\n".join([*lines, "", re.sub(r"^(\s*)(?=::)", r"\1./", text, flags=re.MULTILINE)])


def command(name: str, message: str, **properties: str | int | None) -> str:
    """A workflow command, such as `::error file=…::…`. No value can end it or start another one.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    given = {key: value for key, value in properties.items() if value is not None}
    fields = ",".join(f"{key}={str(value).translate(_PROPERTY)}" for key, value in given.items())
    return f"::{name}{' ' if fields else ''}{fields}::{message.translate(_DATA)}"


def _command(fault: Diagnostic, folder: str) -> str:
    place = fault.location
    lines = [visible(fault.message)]
    if fault.hint is not None:
        lines.append(f"hint: {visible(fault.hint)}")
    for related in fault.related:
        where = "see" if related.location is None else visible(str(related.location))
        lines.append(f"{where}: {visible(related.message)}")
    message = "\n".join(lines)
    if place.is_whole:  # only files have lines to be shown at
        return command(fault.severity, message, title=fault.code)
    file = visible(path_below(folder, place.file))
    return command(fault.severity, message, file=file, line=place.line, col=place.column, title=fault.code)


def path_below(folder: str, file: str) -> str:
    """A file's path from the top of the repository; that of the folder for `.`, the folder as a whole."""
    folder = folder.strip("/").removeprefix("./")
    if folder in ("", "."):
        return file
    return folder if file == "." else f"{folder}/{file}"
