"""Diagnostics for people: place, sentence, the line with a caret below it, what to do, and a last line.

    waves/a.yaml:7:9: error: alpha has two publications 30s apart [min-gap]
      7 |     at: 2026-03-01T18:00:30Z
        |         ^~~~~~~~~~~~~~~~~~~~
      hint: move one of them by at least 30s
      waves/b.yaml:4:9: the other one
      4 |     at: 2026-03-01T18:00:00Z
        |         ^~~~~~~~~~~~~~~~~~~~

No line begins with text from a file, so that nothing in a log is taken for a command. The texts end without a
line break.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scheduler.desired.secrets import is_hidden
from scheduler.diagnostics import Diagnostic, Location, Related
from scheduler.reporting.terminal import Paint, visible, width
from scheduler.wording import count

_LINE_END = re.compile(r"\r\n|\r|\n")
_TAB = 4
_WIDEST = 120
"""Characters of a source line that are shown around a fault."""
_KEY = re.compile(r"[^\s'\"\[{][^:]*?(?=:(?:\s|$))")
_COMMENT = re.compile(r"(?<!\s)\s++#.*")
_PART = re.compile(r"""'(?:[^']|'')*+'?|"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]|,|[^'"\[\]{},]+|['"]""")
_STYLE = {"error": "alarm", "warning": "yellow"}


def diagnostics_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, colour: bool = False
) -> str:
    """Every diagnostic with its frame. `sources` are the texts of the files by name; any may be missing."""
    renderer = DiagnosticRenderer(sources, colour=colour)
    return "\n\n".join(map(renderer.render, diagnostics))


def summary_text(
    diagnostics: Sequence[Diagnostic], *, publications: int, waves: int, channels: int, colour: bool = False
) -> str:
    """`2 errors, 1 warning in 2 files`, or `12 publications in 3 waves and 4 channels: fine`."""
    paint = Paint(colour)
    if not diagnostics:
        seen = (
            f"{count(publications, 'publication')} in {count(waves, 'wave')} and {count(channels, 'channel')}"
        )
        return f"{seen}: {paint('green', 'fine')}"
    return paint("bold", weights(diagnostics))


def weights(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning in 2 files`."""
    errors = sum(fault.not_shown or 1 for fault in diagnostics if fault.is_error)
    warnings = sum(fault.not_shown or 1 for fault in diagnostics if not fault.is_error)
    parts = [count(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return f"{', '.join(parts)} in {count(len({fault.location.file for fault in diagnostics}), 'file')}"


class DiagnosticRenderer:
    """Renders diagnostics one by one; each file is split into lines once."""

    def __init__(self, sources: Mapping[str, str], *, colour: bool = False) -> None:
        self._sources = sources
        self._lines: dict[str, list[str]] = {}
        self._paint = Paint(colour)

    def render(self, fault: Diagnostic) -> str:
        """One diagnostic, in several lines."""
        paint = self._paint
        word = paint(_STYLE[fault.severity], f"{fault.severity}:")
        head = (
            f"{self._place(fault.location)} {word} {visible(fault.message)} {paint('dim', f'[{fault.code}]')}"
        )
        lines = [head, *self._frame(fault.location, _STYLE[fault.severity], fault.message)]
        if fault.hint is not None:
            lines.append(f"  {paint('cyan', 'hint:')} {visible(fault.hint)}")
        for related in fault.related:
            lines += self._related(related)
        return "\n".join(lines)

    def _related(self, related: Related) -> list[str]:
        if related.location is None:
            return [f"  {self._paint('cyan', 'see:')} {visible(related.message)}"]
        head = f"  {self._place(related.location)} {visible(related.message)}"
        return [head, *self._frame(related.location, "cyan")]

    def _place(self, location: Location) -> str:
        line = "" if location.is_whole else f":{location.line}:{location.column}"
        return self._paint("bold", f"{visible(plain_path(location.file))}{line}:")

    def _frame(self, location: Location, style: str, message: str = "") -> list[str]:
        """The line in question and a caret below it; nothing if it is not available, or holds a secret."""
        source = self._line(location)
        if source is None or is_hidden(message, source):
            return []
        before, marked, after = _cut(source, location.column - 1)
        number = str(location.line)
        caret = "^" + "~" * (width(marked) - 1)
        bar = self._paint("dim", "|")
        return [
            f"  {self._paint('dim', number)} {bar} {visible(before + marked + after)}".rstrip(),
            f"  {' ' * len(number)} {bar} {' ' * width(before)}{self._paint(style, caret)}",
        ]

    def _line(self, location: Location) -> str | None:
        name = location.file
        if name not in self._lines:
            self._lines[name] = _LINE_END.split(self._sources[name]) if name in self._sources else []
        lines = self._lines[name]
        return lines[location.line - 1] if 0 < location.line <= len(lines) else None


def plain_path(file: str) -> str:
    """A file's name that no log takes for a command, with the colons of a line and a column after it."""
    return f"./{file}" if file.lstrip().startswith(":") else file


def _cut(source: str, at: int) -> tuple[str, str, str]:
    """A source line before, at and after a column (from 0): safe to print, tabs spread, and not too long."""
    at = min(at, len(source))
    end = _end_of_value(source, at)
    first = 0 if len(source) <= _WIDEST else max(0, at - _WIDEST // 2)
    last = min(len(source), first + _WIDEST)
    end = min(end, last)
    before = _spread(source[first:at], "…" if first else "")
    marked = _spread(source[at:end], "")
    after = _spread(source[end:last], "") + ("…" if last < len(source) else "")
    return before, marked, after


def _end_of_value(source: str, at: int) -> int:
    """Where the key or value that begins at a column ends on its line, as far as it is shown."""
    rest = _COMMENT.sub("", source[at : at + _WIDEST])
    if (key := _KEY.match(rest)) is not None:
        return at + key.end()
    before = source[:at]
    in_brackets = before.count("[") + before.count("{") > before.count("]") + before.count("}")
    depth = 0
    for part in _PART.finditer(rest):
        if part[0] in ("[", "{"):
            depth += 1
        elif part[0] in ("]", "}"):
            depth -= 1
        if depth < 0 or (in_brackets and depth == 0 and part[0] == ","):
            return at + len(rest[: part.start()].rstrip())
        if depth == 0 and (
            part[0] in ("]", "}") or (part[0][0] in "'\"" and part.start() == 0 and len(part[0]) > 1)
        ):
            return at + part.end()
    return at + len(rest.rstrip())


def _spread(text: str, start: str) -> str:
    """A piece of source with its tabs as spaces; what else is hidden in it is made visible."""
    return start + "".join(" " * _TAB if part == "\t" else visible(part) for part in re.split("(\t)", text))
