"""Why a text is not YAML, in terms that help its editor to fix it.

libyaml names the state of its parser (`did not find expected key`) and the place where it gave up,
which is often the line after the mistake. Here the lines around that place are examined again, and the
most common mistake at such a place is reported where it is, with what to write instead. Nothing here
decides whether a text is YAML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """Why a file cannot be read; line and column count from 1."""

    line: int
    column: int
    message: str
    hint: str


class Failure(NamedTuple):
    """libyaml's own message, and the lines of the text. Places count from 1."""

    lines: Sequence[str]
    line: int
    column: int
    problem: str
    context: str = ""
    opened: tuple[int, int] | None = None
    """Where the mapping, list, quote or key began in which the parser was."""

    def before(self) -> str:
        """The text of the line up to the place."""
        return self.at(self.line)[: self.column - 1]

    def rest(self) -> str:
        """The text of the line from the place on."""
        return self.at(self.line, self.column)

    def at(self, number: int, column: int = 1) -> str:
        """A line from a column on; as much of it as a person would read."""
        line = self.lines[number - 1] if 0 < number <= len(self.lines) else ""
        return line[column - 1 : column - 1 + _READ_OF_A_LINE]

    def fault(self, message: str, hint: str) -> Fault:
        return Fault(self.line, self.column, message, hint)

    def fault_where_opened(self, message: str, hint: str) -> Fault:
        line, column = self.opened or (self.line, self.column)
        return Fault(line, column, message, hint)


_READ_OF_A_LINE = 2_000
_READ_ABOVE = 200
"""Lines above a place that are examined."""
# `key: value` or `- key: value`; the key is plain or quoted, the value may be on the next lines.
_KEY = re.compile(
    r"""(?P<lead>[ ]*(?:-[ ]+)*)"""
    r"""(?P<key>"[^"]*"|'[^']*'|[^\s'"#\[{,:-][^:]*):"""
    r"""(?:[ \t]+(?P<value>.*)|$)"""
)
_NO_SPACE = re.compile(r"(?P<key>[A-Za-z_][\w.-]*):(?P<value>[^\s:/][^:]*|[^\S \t].*)")
_COMMENT_IN_BRACKETS = re.compile(r"[\[{,][ ]*#")
# A list item without the space after its dash: `-beta` is text to YAML.
_TIGHT_DASH = re.compile(r"-[^\s-].*")
_CONFLICT_LINE = re.compile(r"(?:={7}|[<>|]{7}(?: .*)?)")
_COMMENT = re.compile(r"[ \t]#.*")


def explain(failure: Failure) -> Fault:
    """The fault that libyaml's failure most likely is."""
    opened = failure.opened[0] if failure.opened else 0
    for number in (failure.line, _previous(failure.lines, failure.line), opened):
        if number and (odd := odd_start(number, failure.at(number))) is not None:
            return odd
    explanation = _BY_PROBLEM.get(failure.problem)
    if explanation is None:
        explanation = next((found for part, found in _BY_CONTEXT if part in failure.context), _anything)
    return explanation(failure)


def alias(line: int, column: int, rest: str) -> Fault:
    """A value that begins with `*`; `rest` is its line from there on."""
    if _LONE_STAR.match(rest):
        hint = "`*` does not stand for all: write out each item, such as [alpha, beta]"
    else:
        hint = _of_reference(rest)
    return Fault(
        line, column, "a value that begins with `*` is a YAML alias, and aliases are not supported", hint
    )


def anchor(line: int, column: int, rest: str) -> Fault:
    """A value that begins with `&`."""
    return Fault(
        line,
        column,
        "a value that begins with `&` is a YAML anchor, and anchors are not supported",
        _of_reference(rest),
    )


_LONE_STAR = re.compile(r"\*(?:[\s,\]}]|$)")
_REFERENCE = re.compile(r"[&*]\w+(?=[\s,\]}]|$)\s*")


def _of_reference(rest: str) -> str:
    """What to write for an anchor or an alias; most are written by programs, for what two entries share."""
    reference = _REFERENCE.match(rest)
    if reference is None:  # `*-*-1 18:00`, `& more`
        return f"{_in_quotes(rest)}; an anchor or alias is to be written out"
    hint = (
        "write the value out in both places; to have a program do that, set `ignore_aliases` (PyYAML, "
        "ruamel.yaml), `noRefs: true` (js-yaml) or `aliasDuplicateObjects: false` (npm yaml), or give each "
        "place a copy of its own (Ruby, Perl)"
    )
    is_text = rest[0] == "*" or reference.end() < len(_without_comment(rest))
    return f"{hint}; if it is text, {_in_quotes(rest)}" if is_text else hint


def tag(line: int, column: int, rest: str) -> Fault:
    """A value that begins with `!`. Ruby, Perl and Python write their objects so, with a `/` in the tag."""
    of_program = ", and have the program write the value as text" if "/" in rest.split()[0] else ""
    return Fault(
        line,
        column,
        "a value that begins with `!` is a YAML tag, and tags are not supported",
        f"{_in_quotes(rest)}; if it is meant as a tag, delete it{of_program}",
    )


def directive(line: int, column: int) -> Fault:
    """A line that begins with `%`."""
    return Fault(
        line,
        column,
        "a line that begins with `%` is a YAML directive, and directives are not supported",
        "delete the line",
    )


def conflict(line: int) -> Fault:
    """A line that git left to be resolved by hand."""
    return Fault(
        line,
        1,
        "unresolved merge conflict",
        "keep the right lines of the two sides, and delete those that begin with "
        "`<<<<<<<`, `=======` and `>>>>>>>`",
    )


def tight_dash(text: str) -> tuple[str, str] | None:
    """The message and the hint about a list item without a space after its dash; None for anything else."""
    if not _TIGHT_DASH.fullmatch(text):
        return None
    item = shortened(text[1:])
    return f"missing space after `-` in `-{item}`", f"write `- {item}`"


def shortened(text: str, most: int = 60) -> str:
    """A piece of a file for a message: one line, safe to print."""
    line = text if text.isprintable() else ascii(text)[1:-1]
    return line if len(line) <= most else line[: most - 1] + "…"


_ODD_SPACE = re.compile(r"[ \t]*(?:- *)*([\u00a0\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff])")
_ODD_DASH = re.compile(r"[ ]*([\u2010-\u2015\u2022\u2212\ufe58\ufe63\uff0d])\s*(\S.*)")
_EQUALS = re.compile(r"(?P<key>[A-Za-z_]\w*)\s*(?P<mark>=>?|->|;)\s*(?P<value>\S.*)")
_OTHER_COMMENT = re.compile(r"(?://+|;+|/\*+|--+)\s*(.*?)(?:\s*\*/)?")


def odd_start(number: int, line: str) -> Fault | None:
    """A line that begins with what only looks like spaces or a hyphen; None for any other."""
    if (space := _ODD_SPACE.match(line)) is not None and (number > 1 or space[1] != "\ufeff"):
        name = "a no-break space" if space[1] == "\xa0" else "not an ordinary space"
        message = f"the indentation contains U+{ord(space[1]):04X}, {name}, which YAML does not take for one"
        text = line[space.start(1) :].lstrip(" -" + space[1])
        hint = f"retype the spaces before `{shortened(_without_comment(text), 30)}`"
        return Fault(number, space.start(1) + 1, message, hint)
    if (dash := _ODD_DASH.fullmatch(line.rstrip("\r"))) is not None:
        name = {"\u2013": "an en dash", "\u2014": "an em dash", "\u2022": "a bullet"}.get(dash[1], "a dash")
        message = f"`{dash[1]}` is {name}, not a hyphen"
        return Fault(number, dash.start(1) + 1, message, f"write `- {shortened(_without_comment(dash[2]))}`")
    return None


def _value_with_colon(failure: Failure) -> Fault:
    """`mapping values are not allowed in this context`: the place is a colon."""
    before = failure.before()
    key = _KEY.match(before)
    if key is not None and key["value"]:
        value = _without_comment((before + failure.rest())[key.start("value") :])
        hint = _in_quotes(value, f"{shortened(key['key'])}: ")
        if re.fullmatch(r"\w+: *[\[{].*[\]}]", value) is not None:  # `channels: tags: [de]`
            hint = f"write `{shortened(key['key'])}: {{ {shortened(value)} }}`"
        return failure.fault(
            f"the value `{shortened(value)}` contains a colon that looks like another key", hint
        )
    if before.startswith("---"):
        hint = "write the first key on a line of its own"
        return failure.fault("a key cannot be on the same line as `---`", hint)
    if len(before) > 1024:
        return failure.fault(
            "a key is longer than 1,024 characters", "shorten it, or check for a missing quote"
        )
    return _line_before(failure)


def _line_before(failure: Failure) -> Fault:
    """A line that is a key, where the text of the line above was not finished."""
    number = _previous(failure.lines, failure.line)
    above = failure.at(number)
    key = _KEY.match(above)
    here = _indentation(failure.at(failure.line))
    if key is not None:
        name = shortened(failure.before().strip())
        return Fault(
            failure.line,
            here + 1,
            f"`{name}` is indented deeper than `{shortened(key['key'])}`, the key above it that has a value",
            f"start it in column {len(key['lead']) + 1}, below `{shortened(key['key'])}`",
        )
    for _ in range(_READ_ABOVE):
        earlier = _previous(failure.lines, number)
        if not earlier or not _is_bare(failure.at(earlier)):
            break
        number = earlier
    text = failure.at(number)
    if not text.strip():
        return failure.fault("unexpected colon", _in_quotes(failure.at(failure.line).strip()))
    return _missing_colon_in(number, _indentation(text, dashes=True) + 1, text)


def _missing_colon(failure: Failure) -> Fault:
    """`could not find expected ':'`: what was opened is a key, on an earlier line."""
    line, column = failure.opened or (failure.line, failure.column)
    if (tight := tight_dash(_without_comment(failure.at(line, column)))) is not None:
        return Fault(line, column, *tight)
    above = failure.at(_previous(failure.lines, line))
    if above[column - 1 :].startswith("- ") and _KEY.match(above) is None:
        text = shortened(_without_comment(failure.at(line, column)))
        return Fault(line, column, f"missing `-` before `{text}`", f"write `- {text}`")
    return _missing_colon_in(line, column, failure.at(line))


def _missing_colon_in(number: int, column: int, line: str) -> Fault:
    if _CONFLICT_LINE.fullmatch(line):
        return conflict(number)
    text = _without_comment(line[column - 1 :])
    if (tight := tight_dash(text)) is not None:
        return Fault(number, column, *tight)
    close = _NO_SPACE.fullmatch(text)
    if close is not None:
        value = close["value"].strip().strip("\u200b\u200c\u200d\u2060\ufffd")
        return Fault(
            number,
            column + close.end("key"),
            f"missing space after `:` in `{shortened(text)}`",
            f"write `{shortened(close['key'])}: {shortened(value)}`",
        )
    if "\N{FULLWIDTH COLON}" in text:
        key, _, value = text.partition("\N{FULLWIDTH COLON}")
        return Fault(
            number,
            column + len(key),
            "this is a full-width colon, not `:`",
            f"write `{shortened(key.strip())}: {shortened(value.strip())}`",
        )
    if (equals := _EQUALS.fullmatch(text)) is not None:
        message = f"`{equals['mark']}` is used in place of `:` in `{shortened(text)}`"
        return Fault(number, column, message, f"write `{equals['key']}: {shortened(equals['value'])}`")
    if text[:1] in ("'", '"') and text.count(text[0]) == 1:
        hint = "write the key on one line, with a quote at its end"
        return Fault(
            number, column, f"the quote that opens `{shortened(text)}` is not closed on its line", hint
        )
    if (comment := _OTHER_COMMENT.fullmatch(text)) is not None:
        hint = f"write `# {shortened(comment[1])}`"
        return Fault(number, column, f"`{text[:2].strip()}` does not begin a comment in YAML", hint)
    if text[:1] in "[{" and text[-1:] in "]}":
        hint = f"write `{shortened(text.strip('[{}] '))}`"
        return Fault(number, column, f"`{text[0]}` cannot begin a line among keys", hint)
    key, _, value = text.partition(" ")
    hint = (
        f"write `{shortened(key)}: {shortened(value.strip())}`"
        if value
        else f"write `{shortened(key)}:` and its value"
    )
    return Fault(number, column, f"missing `:` in `{shortened(text)}`", f"{hint}, or delete the line")


def _missing_key(failure: Failure) -> Fault:
    """`did not find expected key`: a line at no known level, or text after a finished value."""
    rest = failure.rest()
    if rest[:1] == ":" and not failure.before().strip(" -"):
        return failure.fault(*NO_KEY)
    if failure.before().strip():
        return _after_value(failure)
    if rest[:1] in ("]", "}"):
        return _closes_nothing(failure)
    if _is_item(rest):
        return failure.fault("expected a key, not a list item", _levels(failure) or _SEE_ABOVE)
    return failure.fault(
        "the indentation of this line matches no line above it", _levels(failure) or _SEE_ABOVE
    )


NO_KEY = ("missing key before this colon", "write `key: value`")
_SEE_ABOVE = "indent it like the lines it belongs to"


def _missing_dash(failure: Failure) -> Fault:
    """`did not find expected '-' indicator`: a line in a list that is not an item."""
    if failure.before().strip():
        return _after_value(failure)
    if (tight := tight_dash(_without_comment(failure.rest()))) is not None:
        return failure.fault(*tight)
    message = "this line is in a list but does not begin with a dash"
    if failure.opened is None or failure.opened[1] != failure.column:
        return failure.fault(message, _levels(failure) or _SEE_ABOVE)
    item = f"write `- {shortened(_without_comment(failure.rest()))}` if it is an item of the list"
    above = _KEY.match(failure.at(_previous(failure.lines, failure.line)))
    if above is None:
        return failure.fault(message, f"{item}, or indent it like the lines it belongs to")
    start = f"start it in column {len(above['lead']) + 1}, below `{shortened(above['key'], 30)}`"
    return failure.fault(message, f"{start}, or {item}")


def _after_value(failure: Failure) -> Fault:
    """Text in the same line after a quote or a bracket was closed."""
    last = failure.before().rstrip()[-1]
    opened_above = _unclosed_above(failure, last) if last in "'\"" else None
    if opened_above is not None:
        return opened_above
    if last == "'":
        hint = "write an apostrophe inside single quotes twice (it''s), or use double quotes"
        return failure.fault("unexpected text after the closing quote", hint)
    if last == '"':
        hint = 'write a quote inside double quotes as \\", or use single quotes'
        return failure.fault("unexpected text after the closing quote", hint)
    if failure.rest()[:1] in ("]", "}"):
        return _closes_nothing(failure)
    if last in "]}":
        opening = "[" if last == "]" else "{"
        hint = f"a value that begins with `{opening}` must be in quotes as a whole"
        return failure.fault(f"unexpected text after the closing `{last}`", hint)
    return _anything(failure)


def _unclosed_above(failure: Failure, quote: str) -> Fault | None:
    """The quote that really is open, where the one in this line was taken for its end."""
    if failure.before().count(quote) % 2 == 0:
        return None
    for number in range(failure.line - 1, max(0, failure.line - _READ_ABOVE), -1):
        line = failure.at(number)
        if line.count(quote) % 2:
            column = line.rindex(quote) + 1
            text = shortened(line[column - 1 :].strip())
            hint = f"write `{quote}` at its end"
            return Fault(number, column, f"the quote that opens `{text}` is never closed", hint)
    return None


def _closes_nothing(failure: Failure) -> Fault:
    bracket = failure.rest()[:1]
    hint = "delete it, or put the whole value in quotes if it is text"
    return failure.fault(f"unmatched `{bracket}`", hint)


def _levels(failure: Failure) -> str | None:
    """The columns at which a line could begin, by the lines above it: below a dash, only with one."""
    levels: dict[int, str] = {}
    lowest = 1_000_000
    for number in range(failure.line - 1, max(0, failure.line - _READ_ABOVE), -1):
        line = failure.at(number)
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        for column in (_indentation(line, dashes=True), _indentation(line)):
            if column < min(lowest, len(line.rstrip())):
                lowest = column
                levels[column] = shortened(line[column:].split(":")[0].strip(), 30)
        if lowest == 0:
            break
    item = _is_item(failure.rest())
    near = sorted(column for column, text in levels.items() if item or not _is_item(text))
    here = failure.column - 1
    chosen = [
        max((c for c in near if c <= here), default=None),
        min((c for c in near if c > here), default=None),
    ]
    places = [f"in column {c + 1}, below `{levels[c]}`" for c in chosen if c is not None]
    return "start it " + ", or ".join(places) if places else None


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _tab(failure: Failure) -> Fault:
    return failure.fault("a tab is used where YAML requires spaces", "indent with spaces instead of tabs")


def _cannot_start(failure: Failure) -> Fault:
    """`found character that cannot start any token`."""
    rest = failure.rest()
    if rest[:1] == "\t":
        return _tab(failure)
    if rest[:1] == "%" and failure.column == 1:
        return directive(failure.line, failure.column)
    if any(failure.before().count(pair[0]) > failure.before().count(pair[1]) for pair in ("[]", "{}")):
        rest = re.split(r"[,\]}]", rest)[0]
    first = "a backtick" if rest[:1] == "`" else f"`{shortened(rest[:1])}`"
    return failure.fault(f"a value cannot begin with {first}", _in_quotes(rest))


def _open_quote(failure: Failure) -> Fault:
    line, column = failure.opened or (failure.line, failure.column)
    quote = failure.at(line, column)[:1]
    text = shortened(failure.at(line, column).strip())
    return failure.fault_where_opened(
        f"the quote that opens `{text}` is never closed", f"write `{quote}` at its end"
    )


def _open_bracket(failure: Failure) -> Fault:
    """`did not find expected ',' or ']'`: never closed, or a comma is missing."""
    line, column = failure.opened or (failure.line, failure.column)
    opening = failure.at(line, column)[:1] or "["
    closing = "}" if opening == "{" else "]"
    if failure.rest()[:1] == ":" and not failure.before().strip():
        return failure.fault(
            "this colon is on a different line from its key", "write the key and the colon on one line"
        )
    later = failure.line > line and _indentation(failure.at(failure.line)) <= _indentation(failure.at(line))
    if later or failure.line > len(failure.lines) or not failure.rest().strip():
        return failure.fault_where_opened(
            f"the `{opening}` is never closed",
            f"write `{closing}` at the end of the list"
            if closing == "]"
            else f"write `{closing}` at the end, or put the value in quotes if it is text",
        )
    return failure.fault(f"missing `,` or `{closing}` before this", "write a comma between two items")


def _no_content(failure: Failure) -> Fault:
    """`did not find expected node content`: a special character where a value should begin."""
    first = failure.rest()[:1]
    if first in ("]", "}"):
        return _closes_nothing(failure)
    if first == ",":
        return failure.fault("missing value before this comma", "write the value, or delete the comma")
    if first == ":":
        return failure.fault(
            "a value cannot begin with a colon", "delete the colon, or put the value in quotes"
        )
    if first == "-" and "flow" in failure.context:
        return failure.fault(
            "a list with dashes is not allowed inside brackets", "delete the dash: commas separate the items"
        )
    if first == "?":
        return _key_in_line(failure)
    if not first or failure.rest().startswith(("---", "...")):
        number = _previous(failure.lines, failure.line)
        if (comment := _COMMENT_IN_BRACKETS.search(failure.at(number))) is not None:
            message = "a comment begins here, so the bracket before it is never closed"
            return Fault(
                number, comment.end(), message, "put what begins with `#` in quotes, or close the bracket"
            )
        message = "the file ends where a value is expected"
        return failure.fault(message, "write the value, or close what is open above")
    if failure.at(_previous(failure.lines, failure.line)).strip() == "-":
        hint = f"start it in column {failure.column + 2}, deeper than the dash"
        return failure.fault("this line belongs to the dash above it but is not indented", hint)
    return failure.fault(
        "the indentation of this line matches no line above it", _levels(failure) or _SEE_ABOVE
    )


def _colon_in_brackets(failure: Failure) -> Fault:
    hint = "write a space after the colon, or put the whole value in quotes"
    return failure.fault("a colon inside brackets looks like a key without a value", hint)


def _list_in_line(failure: Failure) -> Fault:
    hint = "start the list on the next line; or put the value in quotes if it is text"
    return failure.fault("a list with dashes cannot begin on the same line as its key", hint)


def _key_in_line(failure: Failure) -> Fault:
    return failure.fault("a value cannot begin with `?`", _in_quotes(failure.rest()))


def _escape(failure: Failure) -> Fault:
    start = failure.rest()
    sequence = start[:2] if start[:1] == "\\" else "\\"
    hint = "write the text in single quotes, where a backslash is a backslash, or write `\\\\` for one"
    return failure.fault(f"`{shortened(sequence, 10)}` is not a valid escape in YAML", hint)


def _escape_number(failure: Failure) -> Fault:
    hint = "`\\x` takes two hexadecimal digits, `\\u` four; in single quotes a backslash is a backslash"
    return failure.fault("this escape is not a valid character", hint)


def _block_header(failure: Failure) -> Fault:
    hint = "begin the text on the next line, indented; or put the value in quotes"
    return failure.fault_where_opened("text on the same line after `|` or `>` is not read", hint)


def _after_document(failure: Failure) -> Fault:
    """`did not find expected <document start>`: the document had already ended."""
    if failure.before().strip():
        return _after_value(failure)
    number = _previous(failure.lines, failure.line)
    if failure.at(number).startswith("..."):
        hint = "`...` ends the file: delete that line, or what follows it"
        return failure.fault("unexpected text after the end of the document", hint)
    return failure.fault("this line does not belong to what is above it", _levels(failure) or _SEE_ABOVE)


def _alias(failure: Failure) -> Fault:
    return alias(*_opened_with_rest(failure))


def _anchor(failure: Failure) -> Fault:
    return anchor(*_opened_with_rest(failure))


def _tag(failure: Failure) -> Fault:
    return tag(*_opened_with_rest(failure))


def _directive(failure: Failure) -> Fault:
    line, _, _ = _opened_with_rest(failure)
    return directive(line, 1)


def _anything(failure: Failure) -> Fault:
    where = f"{failure.context}, " if failure.context else ""
    message = shortened(f"{where}{failure.problem}", 200)
    hint = "check the quotes, brackets, colons and indentation here and in the line above"
    return failure.fault(f"this is not YAML ({message})", hint)


def _opened_with_rest(failure: Failure) -> tuple[int, int, str]:
    line, column = failure.opened or (failure.line, failure.column)
    return line, column, failure.at(line, column)


def _in_quotes(text: str, lead: str = "") -> str:
    """`write it in quotes: ...`, with the text as it would be."""
    value = _without_comment(text)
    if not value or len(value) > 60 or not value.isprintable():
        return "write the whole value in quotes"
    plain = '"' not in value and "\\" not in value
    quoted = f'"{value}"' if plain else "'" + value.replace("'", "''") + "'"
    return f"write it in quotes: {lead}{quoted}"


def _without_comment(text: str) -> str:
    return _COMMENT.sub("", text).strip(" \t\r")


def _indentation(line: str, *, dashes: bool = False) -> int:
    """Columns before the text of a line; with `dashes`, before the text of its list item."""
    match = re.match(r"[ ]*(?:-[ ]+)*" if dashes else r"[ ]*", line)
    return match.end() if match else 0


def _is_bare(line: str) -> bool:
    """A line with text that is neither a key nor a list item."""
    text = line.strip()
    return bool(text) and text[0] not in "-#[{'\"" and _KEY.match(line) is None


def _previous(lines: Sequence[str], number: int) -> int:
    """The number of the nearest line above that is neither empty nor a comment; 0 if there is none."""
    for earlier in range(min(number, len(lines) + 1) - 1, 0, -1):
        text = lines[earlier - 1].strip()
        if text and not text.startswith("#"):
            return earlier
    return 0


_BY_PROBLEM: dict[str, Callable[[Failure], Fault]] = {
    "mapping values are not allowed in this context": _value_with_colon,
    "could not find expected ':'": _missing_colon,
    "did not find expected key": _missing_key,
    "did not find expected '-' indicator": _missing_dash,
    "found a tab character that violates indentation": _tab,
    "found a tab character where an indentation space is expected": _tab,
    "found character that cannot start any token": _cannot_start,
    "found unexpected end of stream": _open_quote,
    "found unexpected document indicator": _open_quote,
    "did not find expected ',' or ']'": _open_bracket,
    "did not find expected ',' or '}'": _open_bracket,
    "did not find expected node content": _no_content,
    "found unexpected ':'": _colon_in_brackets,
    "block sequence entries are not allowed in this context": _list_in_line,
    "mapping keys are not allowed in this context": _key_in_line,
    "found unknown escape character": _escape,
    "did not find expected hexdecimal number": _escape_number,
    "found invalid Unicode character escape code": _escape_number,
    "did not find expected <document start>": _after_document,
    "found undefined tag handle": _tag,
    "found incompatible YAML document": _directive,
}
_BY_CONTEXT: tuple[tuple[str, Callable[[Failure], Fault]], ...] = (
    ("directive", _directive),
    ("alias", _alias),
    ("anchor", _anchor),
    ("tag", _tag),
    ("block scalar", _block_header),
)
