"""The scalars of the files: how a text becomes an id, a time, a number, and what an editor may type there.

Each type is `Annotated` with a `Read`, which says the same thing twice: a function for pydantic, which gets
the text as it was typed, and a JSON Schema for editors, whose YAML 1.2 parsers have turned some texts into
numbers and booleans before the schema sees them. That is why the schema of a text allows those too.
Faults are pydantic errors whose type is one of our codes; `scheduler.desired.model_errors` words them.
pydantic is imported only when a value is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec

from scheduler.desired import calendar_expressions
from scheduler.desired.markers import Read
from scheduler.desired.plain import Plain, is_nothing
from scheduler.desired.secrets import LOOKS_LIKE_ONE, MIGHT_BE_ONE, SECRET
from scheduler.times import (
    IN_A_FILE,
    Instant,
    TimeError,
    available_zones,
    read_duration,
    read_time,
    read_zone,
)
from scheduler.wording import quoted

if TYPE_CHECKING:
    from pydantic import ValidationInfo

ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""The pattern of the ids of channels, waves and groups."""
ID_HINT: Final = (
    "ids have 1 to 64 letters a-z, digits, dots, underscores and hyphens, and begin with a letter or digit"
)
CHANNEL_ZONE: Final = "channel"
"""Written in place of a zone, it means each channel's own one."""

# No "\n" for "$" to forgive: every pattern is used with fullmatch here, and between ^ and $ in the schemas.
_ID = re.compile(ID)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_BLOCK = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Logins of managed users end in an underscore and the company's short code; some old ones have two hyphens.
OWNER: Final = "[A-Za-z0-9][A-Za-z0-9_-]{0,38}"
"""The pattern of the name of a user or an organization on GitHub."""
_REPOSITORY = rf"{OWNER}/(?!\.{{1,2}}(?:$|\.git/?$|/))[A-Za-z0-9._-]{{1,100}}"
_ALLOW = r"[A-Za-z0-9*][A-Za-z0-9*_-]{0,38}/[A-Za-z0-9._*-]{1,100}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_WORKFLOW = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.ya?ml"
_PACE = r"([1-9][0-9]{0,5})/(s|m|min|h)"
_QUEUE_URL = r"(sqlite|redis|rediss|amqp|amqps)://[^\s]{1,500}"
_LOCAL = re.compile(r"(?:[A-Za-z]{2,10},? )?\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.0{1,9})?)?", re.ASCII)
_TIME = r"([A-Za-z]{3,9},? )?[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.0{1,9})?)?"
_OFFSET = r"( ?([Zz]|[+-][0-9]{2}:[0-9]{2})| [A-Za-z][A-Za-z0-9_]*(/[A-Za-z0-9_+-]+)+)"
_PART = "[0-9]{1,9}"
DURATION: Final = (
    f"(?=[0-9])({_PART}d)?({_PART}h)?({_PART}m)?({_PART}s)?"
    f"|P(?=[0-9T])({_PART}W)?({_PART}D)?(T(?=[0-9])({_PART}H)?({_PART}M)?({_PART}S)?)?"
)
"""What `scheduler.times.read_duration` reads, for JSON Schemas: a change of the one is a change of both."""
ABSOLUTE_TIME: Final = f"^{_TIME}{_OFFSET}$"

_OLD_TOKEN = re.compile(r"[0-9a-fA-F]{40}")


class Pace(msgspec.Struct, frozen=True):
    """How fast one token may be used: `count` at once, refilled evenly over `seconds`."""

    count: int = 60
    seconds: int = 60


_FLAGS: Final = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False
}  # fmt: skip
_MEANT = {"yes": "true", "on": "true", "y": "true", "1": "true", "no": "false", "off": "false",
          "n": "false", "0": "false", "true": "true", "false": "false"}  # fmt: skip


def fault(
    message: str,
    hint: str | None = None,
    *,
    code: str = "invalid-value",
    key: bool = False,
    missing: tuple[str, ...] = (),
) -> Exception:
    """A pydantic error of ours. With `key`, the sentence is to begin with the key's name.

    `missing` are keys, one of which has to be written beside the one where the error is raised.
    """
    from pydantic_core import PydanticCustomError  # late: the types of keys are imported without it

    context = {"message": message, "hint": hint, "key": key, "missing": missing}
    return PydanticCustomError(code, "{message}", context)


def read_text(value: object, longest: int, *, block: bool = False) -> str:
    """The text of a scalar as it was typed, 1 to `longest` characters; with `block` it may have lines."""
    _demand_scalar(value, "text")
    if is_nothing(value):
        raise fault("has no value", code="missing-key", key=True)
    text = str(value)
    if not text:
        raise fault("is empty", "write some text, or remove the line", key=True)
    if len(text) > longest:
        message = f"has {len(text):,} characters; at most {longest:,} are allowed"
        raise fault(message, "shorten it, or check for a missing quote", key=True)
    _refuse_controls(text, block)
    if SECRET.search(text):
        raise _secret()
    return text


def _demand_scalar(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise fault(f"must be {what}, not a {'list' if isinstance(value, list) else 'mapping'}", key=True)


def _refuse_controls(text: str, block: bool) -> None:
    if text.isprintable():
        return
    found = (_CONTROL_IN_BLOCK if block else _CONTROL).search(text)
    if found is None:
        return
    if found[0] in "\r\n":
        raise fault("contains a line break", "write it on one line (`>-` folds a long one)", key=True)
    hint = "it is invisible and often comes from copying: retype the text"
    raise fault(f"contains the control character U+{ord(found[0]):04X}", hint, key=True)


def _secret() -> Exception:
    return fault(
        LOOKS_LIKE_ONE,
        "revoke it, since it is in the git history now; "
        "put the new one into an environment variable and write the NAME of that here",
        key=True,
    )


def read_id(value: object) -> str:
    """An id: of a channel, a wave, a group, a queue; a tag."""
    text = read_text(value, 1_000)
    if _ID.fullmatch(text) is None:
        raise fault(f"{quoted(text)} is not an id", ID_HINT)
    return text


def read_channel_id(value: object) -> str:
    """The id of a channel. The hint for the channel's name says where its id is found."""
    text = read_text(value, 1_000)
    if _ID.fullmatch(text) is None and text.strip():
        likely = likely_id(re.sub(r"\.ya?ml$", "", text.rpartition("/")[2].lower()))
        words = re.split(r"[\s,;]+", text.strip(" ,;"))
        if len(words) > 1 and text.islower() and all(map(_ID.fullmatch, words)):
            hint = f"write {', '.join(words)} for {len(words)} channels, or {likely} for one"
            raise fault(f"{quoted(text)} is not an id", hint)
        example = f": {likely}?" if likely else ""
        hint = f"write the name of its file in channels/, without `.yaml`{example}"
        raise fault(f"{quoted(text)} is not an id", hint)
    return read_id(value)


def likely_id(text: str) -> str:
    """The id that is nearest to a text; empty where nothing is left of it."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-._")[:64].rstrip("-._")


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def read_flag(value: object) -> bool:
    if isinstance(value, Plain) and (flag := _FLAGS.get(value)) is not None:
        return flag
    _demand_scalar(value, "true or false")
    text = read_text(value, 1_000)
    meant = _MEANT.get(text.lower())
    if meant and not isinstance(value, Plain) and meant == text.lower():
        raise fault(f"is the quoted text {quoted(text)}", f"remove the quotes: {meant}", key=True)
    hint = f"write {meant}" if meant else "write true or false"
    raise fault(f"must be true or false, not {quoted(text)}", hint, key=True)


def whole_number(least: int, most: int) -> Read:
    """A whole number between two others."""

    def read(value: object) -> int:
        _demand_scalar(value, f"a whole number from {least} to {most}")
        text = read_text(value, 1_000)
        number = int(text) if re.fullmatch(r"0|[1-9][0-9]{0,8}", text) else None
        if number is not None and not isinstance(value, Plain):
            raise fault(f"is the quoted text {quoted(text)}", f"remove the quotes: {number}", key=True)
        if number is None or not least <= number <= most:
            message = f"must be a whole number from {least} to {most}, not {quoted(text)}"
            raise fault(message, "write digits only, such as 10", key=True)
        return number

    return Read(read, {"type": "integer", "minimum": least, "maximum": most})


def _read_duration(value: object) -> int:
    text = read_text(value, 1_000)
    try:
        return read_duration(text)
    except TimeError as problem:
        raise fault(str(problem), problem.hint) from None


def _read_shift(value: object) -> int:
    text = read_text(value, 1_000)
    sign = -1 if text[0] == "-" else 1
    try:
        return sign * read_duration(text.removeprefix("-").removeprefix("+"))
    except TimeError:
        raise fault(f"{quoted(text)} is not a shift", "write 30m for later or -30m for earlier") from None


class FileContext:
    """What a value needs to know from further out: the file, the zone of local times, the entry's type."""

    __slots__ = ("entry_type", "stem", "zone")

    def __init__(self, stem: str, zone: str | None = None) -> None:
        self.stem = stem
        """The name of the file without its suffix."""
        self.zone = zone
        """An IANA name, "channel", or None where no zone is written."""
        self.entry_type: str | None = None


def context_of(info: ValidationInfo) -> FileContext:
    """What `parse` gave pydantic along with the file."""
    context = info.context
    assert isinstance(context, FileContext), "files are read by `parse` alone"
    return context


def _zone_of(info: ValidationInfo) -> str | None:
    """The zone that holds for a local time: the one beside it, else the one further out."""
    own: str | None = info.data.get("timezone")
    return own or context_of(info).zone


def _read_time(value: object, info: ValidationInfo) -> Instant:
    _demand_scalar(value, "a time such as 2030-03-01T18:00:00Z")
    text = read_text(value, 1_000)
    zone = _zone_of(info)
    if zone == CHANNEL_ZONE:
        if _LOCAL.fullmatch(text):
            message = f"{quoted(text)} is a local time, and `timezone: channel` does not apply to a pause"
            raise fault(message, f"write {text}Z, or another offset")
        zone = None
    return _in_zone(text, zone)


def _read_time_or_local(value: object, info: ValidationInfo) -> Instant | str:
    """An instant; where every channel's own zone is meant, the text of a local time."""
    if _zone_of(info) != CHANNEL_ZONE:
        return _read_time(value, info)
    _demand_scalar(value, "a time such as 2030-03-01T18:00")
    text = read_text(value, 1_000)
    instant = _in_zone(text, "UTC")  # whether it exists in each zone is checked where the zones are known
    return text if _LOCAL.fullmatch(text) else instant


def _in_zone(text: str, zone: str | None) -> Instant:
    try:
        return read_time(text, read_zone(zone) if zone else None, or_else=IN_A_FILE)
    except TimeError as problem:
        code = "no-zone" if zone is None and _LOCAL.fullmatch(text) else "invalid-value"
        raise fault(str(problem), problem.hint, code=code) from None


def _read_zone(value: object) -> str:
    text = read_text(value, 1_000)
    if text not in available_zones():
        raise fault(
            "is not a time zone", code="unknown-zone"
        )  # worded in `model_errors`: looking for a similar one takes time
    return text


def _read_entry_zone(value: object) -> str:
    return CHANNEL_ZONE if value == CHANNEL_ZONE else _read_zone(value)


def _read_slot(value: object) -> str:
    text = read_text(value, calendar_expressions.LONGEST_SLOT)
    try:
        calendar_expressions.read_slot(text)
    except TimeError as problem:
        raise fault(str(problem), problem.hint) from None
    return text


def _read_repository(value: object) -> str:
    text = read_text(value, 1_000)
    name = re.sub(r"^https://github\.com/", "", text)
    if name != text:
        name = re.sub(r"(\.git)?/?$", "", name)
    if re.fullmatch(_REPOSITORY, name) is None:
        meant = re.search(r"github\.com[:/]([A-Za-z0-9_-]{1,39}/[A-Za-z0-9_-]{1,100})(?:\.git)?(?:/|$)", text)
        hint = f"write {meant[1]}" if meant else "write owner/name, such as acme/tech-daily"
        raise fault(f"{quoted(text)} is not a repository", hint)
    return name


def _read_variable(value: object) -> str:
    """The name of an environment variable. Anything else might be a secret and is not shown."""
    if (
        isinstance(value, str)
        and not is_nothing(value)
        and (SECRET.search(value) or _OLD_TOKEN.fullmatch(value))
    ):
        raise _secret()
    text = read_text(value, 100_000)
    if re.fullmatch(_VARIABLE, text) is None:
        raise fault(
            f"is not the name of an environment variable {MIGHT_BE_ONE}",
            "write the NAME of the variable that holds the value, such as ACME_TOKEN",
            key=True,
        )
    return text


def _pattern(pattern: str, what: str, hint: str, holds: Callable[[str], bool] = lambda _: True) -> Read:
    """A text of one form; `holds` checks of one that has it what no pattern can."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        text = read_text(value, 1_000)
        if compiled.fullmatch(text) is None or not holds(text):
            raise fault(f"{quoted(text)} is not {what}", hint)
        return text

    return Read(read, text_schema(pattern=pattern, hint=hint))


def _has_an_address(url: str) -> bool:
    """Whether a host and a port can be made of a URL: this must not fail at 18:00."""
    try:
        return urlsplit(url).port != 0
    except ValueError:  # a port that is not a number or too high, unclosed brackets
        return False


def _read_workflow(value: object) -> str:
    text = read_text(value, 1_000)
    if re.fullmatch(_WORKFLOW, text) is None:
        hint = "write the name of the file below .github/workflows, such as publish.yml"
        raise fault(f"{quoted(text)} is not the name of a workflow file", hint)
    return text


def _read_pace(value: object) -> Pace:
    text = read_text(value, 1_000)
    match = re.fullmatch(_PACE, text)
    if match is None:
        raise fault(
            f"{quoted(text)} is not a pace", "write a count per second, minute or hour: 1/s, 60/min, 500/h"
        )
    return Pace(int(match[1]), {"s": 1, "m": 60, "min": 60, "h": 3_600}[match[2]])


def _read_home(value: object) -> str:
    """Where the state lives: a path, or `branch:<name>`."""
    text = read_text(value, 500)
    if text.startswith("branch:"):
        name = text.removeprefix("branch:")
        # https://git-scm.com/docs/git-check-ref-format
        bad = re.search(r"[\s~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)", name)
        if bad or not name or name == "@" or name[0] in "-/." or name[-1] in "/.":
            raise fault(f"{quoted(name)} is not a valid branch name", "write branch:scheduler-state")
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        hint = "write a path, such as state.json, or branch:scheduler-state"
        raise fault(f"{quoted(text)} is neither a path nor branch:<name>", hint)
    elif text.endswith("/"):
        raise fault(f"{quoted(text)} is a folder", "write the path of a file, such as state.json")
    return text


def _read_metadata(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise fault("must be a mapping", "write keys and values, such as {campaign: spring}", key=True)
    return {_metadata_text(name): _as_typed(part) for name, part in value.items()}


def _as_typed(value: object) -> Any:
    if isinstance(value, dict):
        return {_metadata_text(name): _as_typed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_typed(part) for part in value]
    return _metadata_text(value)


def _metadata_text(value: object) -> str:
    text = str(value)
    _refuse_controls(text, block=True)
    if SECRET.search(text):
        raise _secret()
    return text


# --- the same for editors -------------------------------------------------------------------------


def text_schema(
    *, longest: int | None = None, pattern: str | None = None, hint: str | None = None
) -> dict[str, Any]:
    """The schema of a text, where an editor's YAML reader may see a number or a boolean.

    Booleans are let through by `if`, not by `type`: editors offer `true` and `false` for a type that
    has them.
    """
    schema: dict[str, Any] = {"type": ["string", "number"]}
    if pattern is not None:
        schema["pattern"] = f"^(?:{pattern})$"
    else:
        schema |= {"minLength": 1, "maxLength": longest}
        schema["pattern"] = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
        hint = "control characters and line breaks are not allowed"
    if hint is not None:
        schema["patternErrorMessage"] = _sentence(hint)
    return {"if": {"type": "boolean"}, "else": schema}


def string_schema(pattern: str, hint: str) -> dict[str, Any]:
    """The schema of a text that no YAML reader takes for anything else.

    Of a bare number, as in `delay: 60`, editors say `errorMessage`.
    """
    words = _sentence(hint)
    pattern = f"^(?:{pattern})$"
    return {"type": "string", "errorMessage": words, "pattern": pattern, "patternErrorMessage": words}


def _sentence(hint: str) -> str:
    return hint[0].upper() + hint[1:] + "."


def _text(longest: int) -> Read:
    return Read(lambda value: read_text(value, longest), text_schema(longest=longest))


_DURATION_HINT = "write 90s, 45m, 1h30m, 2d or PT1H30M"
_TIME_HINT = (
    "write a time with an offset, such as 2030-03-01T18:00:00Z, or a local one with a timezone beside it"
)
_VARIABLE_HINT = "write the NAME of an environment variable, such as ACME_TOKEN"
_ZONE_HINT = "write an IANA name, such as Europe/Berlin or UTC"
_ZONE = r"[A-Za-z][A-Za-z0-9+_/-]{0,63}"
_URL = r"(?:https://github\.com/)?"

Id = Annotated[str, Read(read_id, text_schema(pattern=ID, hint=ID_HINT))]
CHANNEL_ID: Final = {"$ref": "#/$defs/channel-id"}
"""The schema of the id of a channel; the schema of a file defines what it refers to."""
ChannelId = Annotated[str, Read(read_channel_id, CHANNEL_ID)]
Title = Annotated[str, _text(200)]
LONGEST_VIDEO: Final = 200
Video = Annotated[str, _text(LONGEST_VIDEO)]
Reason = Annotated[str, _text(500)]
EventType = Annotated[str, _text(100)]
Command = Annotated[
    str,
    Read(
        lambda value: read_text(value, 4_000, block=True),
        {"if": {"type": "boolean"}, "else": {"type": ["string", "number"], "maxLength": 4_000}},
    ),
]
Flag = Annotated[bool, Read(read_flag, {"type": "boolean"})]
Count = Annotated[int, whole_number(1, 100)]
Percent = Annotated[int, whole_number(0, 100)]
Least = Annotated[int, whole_number(0, 1_000_000)]
Duration = Annotated[int, Read(_read_duration, string_schema(DURATION, _DURATION_HINT))]
Shift = Annotated[
    int, Read(_read_shift, string_schema(f"[+-]?(?:{DURATION})", "write 30m for later or -30m for earlier"))
]
_TIME_SCHEMA = string_schema(f"{_TIME}{_OFFSET}?", _TIME_HINT)
Time = Annotated[Instant, Read(_read_time, _TIME_SCHEMA, with_info=True)]
TimeOrLocal = Annotated[Instant | str, Read(_read_time_or_local, _TIME_SCHEMA, with_info=True)]
"""An instant; where each channel's own zone is meant, the text of a local time."""
Zone = Annotated[str, Read(_read_zone, string_schema(_ZONE, _ZONE_HINT))]
EntryZone = Annotated[str, Read(_read_entry_zone, string_schema(_ZONE, _ZONE_HINT))]
Slot = Annotated[str, Read(_read_slot, text_schema(longest=calendar_expressions.LONGEST_SLOT))]
Repository = Annotated[
    str,
    Read(
        _read_repository,
        string_schema(f"{_URL}{_REPOSITORY}/?", "write owner/name, such as acme/tech-daily"),
    ),
]
Variable = Annotated[str, Read(_read_variable, text_schema(pattern=_VARIABLE, hint=_VARIABLE_HINT))]
Workflow = Annotated[
    str,
    Read(
        _read_workflow,
        string_schema(_WORKFLOW, "write the name of a file below .github/workflows, such as publish.yml"),
    ),
]
Allowed = Annotated[
    str,
    _pattern(_ALLOW, "a pattern of repositories", "write owner/name, with * for any letters, such as acme/*"),
]
PaceText = Annotated[Pace, Read(_read_pace, string_schema(_PACE, "write 1/s, 60/min or 500/h"))]
Home = Annotated[str, Read(_read_home, text_schema(longest=500))]
QueueUrl = Annotated[
    str,
    _pattern(
        _QUEUE_URL,
        "a queue's URL",
        "write a URL, such as sqlite:///queue.db or redis://queue.internal/0",
        _has_an_address,
    ),
]
Metadata = Annotated[dict[str, Any], Read(_read_metadata, {"type": "object"})]
