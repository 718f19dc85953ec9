"""pydantic's errors as our diagnostics: a code, a sentence, a hint and a place for each.

One fault is one error. A misspelt key is not also reported as missing, nor a local time as lacking a zone
where the fault is in the line of that zone.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import ValidationError

from scheduler.desired.fields import ID, likely_id
from scheduler.desired.keys import ROOTS, DeclaredKey, Kind, keys_of, spec_at
from scheduler.desired.markers import TAGS
from scheduler.desired.plain import Plain, is_nothing
from scheduler.desired.secrets import without_secrets
from scheduler.desired.yaml_errors import tight_dash
from scheduler.desired.yaml_reader import Document, Route
from scheduler.diagnostics import MOST, Code, Diagnostic, Location, and_more, error, in_order
from scheduler.times import TimeError, instant_text, read_time, read_zone
from scheduler.wording import closest, did_you_mean, listed, quoted

# Other names that people use for our keys, which no similar spelling would find.
_OTHER_NAMES: Mapping[str, Sequence[str]] = {
    "at": ("time", "when", "date", "datetime", "start", "start_time", "publish_at", "scheduled_at"),
    "delay": ("interval", "gap", "spacing", "every", "delay_seconds", "stagger"),
    "cancelled": ("canceled", "cancel", "deleted", "skip"),
    "paused": ("pause", "hold", "on_hold"),
    "repository": ("repo", "github", "url"),
    "timezone": ("tz", "zone", "time_zone"),
    "active": ("enabled", "disabled"),
    "slots": ("cron", "schedule", "times"),
    "title": ("name",),
    "name": ("title",),
    "group": ("id", "name"),
    "until": ("to", "end"),
    "from": ("start", "since"),
}


class _Fault(msgspec.Struct, kw_only=True):
    """One of pydantic's errors with what is needed to word it. `route` has no union tags in it."""

    code: str
    route: Route
    value: Any
    context: Mapping[str, Any]
    words: str

    @property
    def key(self) -> str:
        """The last key of the route."""
        return next((part for part in reversed(self.route) if isinstance(part, str)), "")

    @property
    def subject(self) -> str:
        """How a sentence about the value begins."""
        if not self.route:
            return "the file"
        return f"`{self.key}`" if isinstance(self.route[-1], str) else f"an item of `{self.key}`"


_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2022\u2212"
_CURLY = frozenset("“”„‟‘’‚‛«»‹›")


def translate(kind: Kind, document: Document, problem: ValidationError) -> list[Diagnostic]:
    """The diagnostics of a file whose content pydantic refuses: as many as a person would read."""
    errors = [
        item
        for item in problem.errors(include_url=False)
        if not (item["type"] == "too_short" and item["input"])  # pydantic counts the items without a fault
    ]
    found = [
        _Fault(
            code=item["type"],
            route=_without_tags(item["loc"], item["type"]),
            value=item["input"],
            context=item.get("ctx", {}),
            words=item["msg"],
        )
        for item in errors[:MOST]
    ]
    if (misplaced := _in_the_wrong_folder(kind, document)) is not None:
        return [misplaced]
    missing = [fault.route for fault in found if fault.code == "missing" and len(fault.route) > 2]
    lists = {route[:-2] for route in missing if isinstance(route[-2], int)}
    dashed = [route for route in sorted(lists, key=str) if _has_dashed_keys(kind, document, route)]
    found = [fault for fault in found if not any(fault.route[: len(route)] == route for route in dashed)]
    meant = _meant_keys(kind, document, found)
    claimed = {(*route[:-1], name) for route, name in meant.items() if name}
    claimed |= {(*home, route[-1]) for route in meant if (home := _home(kind, document, route))}
    faulty = {fault.route for fault in found if fault.code != "no-zone"} | claimed
    reported: list[Diagnostic] = [_dashed_keys(document, route) for route in dashed]
    for route in {
        f.route[:-1] for f in found if f.code == "missing" and f.route[-2:] == ("channels", "tags")
    }:
        if (*route, "tags") not in claimed:
            reported.append(_no_list_of_channels(document, route))
            found = [fault for fault in found if fault.route[: len(route)] != route]
    for fault in found:
        if fault.code in ("missing", "missing-key") and not claimed.isdisjoint(_missing_routes(fault)):
            continue
        if fault.code == "no-zone" and _zone_is_faulty(fault.route, faulty):
            continue
        reported.append(_word(kind, document, fault, meant))
    reported = in_order(reported)
    if len(errors) > MOST and reported:
        reported.append(and_more(reported[-1], len(errors) - MOST))
    return reported


def _in_the_wrong_folder(kind: Kind, document: Document) -> Diagnostic | None:
    """A channel in `waves/`, or a wave in `channels/`: one fault, whatever else does not fit."""
    data = document.data
    if not isinstance(data, dict) or kind == "scheduler":
        return None
    entries = data.get("schedules")
    in_entries = [
        i for i, e in enumerate(entries or ()) if isinstance(e, dict) and {"type", "channels"} & {*e}
    ]
    of_channels = [key for key in _CHANNEL_ALONE if key in data]
    if kind == "wave" and of_channels and not (isinstance(entries, list) and in_entries):
        route: Route = (of_channels[0],)
        other, folder = "channel", "channels"
    elif kind == "channel" and isinstance(entries, list) and in_entries and not of_channels:
        route, other, folder = ("schedules", in_entries[0]), "wave", "waves"
    else:
        return None
    name = document.file.rpartition("/")[2]
    message = f"this file describes a {other}, and is in the folder of {kind}s"
    return _diagnostic("unknown-key", document.key_place(route), message, f"move it to {folder}/{name}")


_CHANNEL_ALONE = ("repository", "command", "queue", "slots", "lineup", "token", "transport", "workflow")


def _has_dashed_keys(kind: Kind, document: Document, route: Route) -> bool:
    """Whether the items of a list are the keys of one mapping, each with a dash of its own."""
    items = _value_at(document.data, route)
    if not isinstance(items, list) or len(items) < 2 or not all(isinstance(i, dict) and i for i in items):
        return False
    keys = keys_of(spec_at(ROOTS[kind], (*route, 0)))
    known, required = {key.name for key in keys}, {key.name for key in keys if key.is_required}
    first, second = ({*items[0]}, {*items[1]})
    return not any(required <= {*i} for i in items) and first.isdisjoint(second) and first | second <= known


def _dashed_keys(document: Document, route: Route) -> Diagnostic:
    first, second = (next(iter(item)) for item in _value_at(document.data, route)[:2])
    place = document.place((*route, 1))
    message = f"`{second}` begins a new item of `{route[-1]}` because of the dash before it"
    hint = f"keep the dash before `{first}` alone, and write `{second}` and the other keys below `{first}`"
    return _diagnostic("missing-key", place, message, hint)


def _no_list_of_channels(document: Document, route: Route) -> Diagnostic:
    """Braces around channels, or colons after them: a mapping that has no `tags`."""
    named = [*_value_at(document.data, route).items()]
    if len(named) == 1 and isinstance(named[0][1], list):
        named = [(item, None) for item in named[0][1]]
    ids = [name for name, _ in named if isinstance(name, str) and re.fullmatch(ID, name)]
    hint = f"write channels: [{', '.join(ids or ('alpha', 'beta'))}]"
    return _diagnostic("invalid-value", document.place(route), "`channels` must be a list of channels", hint)


def _without_tags(loc: tuple[str | int, ...], code: str) -> Route:
    """The route in the file. The last part of an unknown key's is the key, whatever it looks like."""
    last = len(loc) - (code == "extra_forbidden")
    return tuple(part for i, part in enumerate(loc) if part not in TAGS or i >= last)


def _missing_routes(fault: _Fault) -> list[Route]:
    """The routes of the keys that a fault misses; one of them would do."""
    if fault.code == "missing":
        return [fault.route]
    return [(*fault.route[:-1], name) for name in fault.context.get("missing", ())]


def _zone_is_faulty(route: Route, faulty: set[Route]) -> bool:
    """Whether a `timezone` that would hold for the value at that route has a fault of its own."""
    return any((*route[:i], "timezone") in faulty for i in range(len(route)))


def _meant_keys(kind: Kind, document: Document, found: Iterable[_Fault]) -> dict[Route, str | None]:
    """For the route of each unknown key the known one that was meant, where there is one to guess."""
    meant: dict[Route, str | None] = {}
    taken: set[Route] = set()
    for fault in found:
        if fault.code == "extra_forbidden":
            parent, name = fault.route[:-1], str(fault.route[-1])
            there = _value_at(document.data, parent)
            free = [key for key in _keys(kind, parent) if key not in there and (*parent, key) not in taken]
            guess = meant[fault.route] = _guess(name, free)
            if guess:
                taken.add((*parent, guess))
    return meant


_NO_COLON = re.compile(r"([^:=]*)([:=]?)\s*(.*)", re.DOTALL)
"""`id:beta` inside of braces: a key without a value, to YAML."""


def _guess(name: str, known: Sequence[str]) -> str | None:
    before, _, value = _NO_COLON.match(name).groups()  # type: ignore[union-attr]  # it matches all
    if value and before.strip() in known:
        return before.strip()
    plain = re.sub(r"[\s-]+", "_", name.strip().strip("".join(_CURLY)).lower())
    if close := closest(plain, known, cutoff=0.7):
        return close
    if begun := [key for key in known if plain.startswith(f"{key}_")]:  # `delay_minutes`
        return max(begun, key=len)
    others = {other: own for own in reversed(known) for other in _OTHER_NAMES.get(own, ())}
    return others.get(plain)


def _value_at(data: Any, route: Route) -> Any:
    for part in route:
        data = data[part]
    return data


def _keys(kind: Kind, route: Route) -> list[str]:
    """The keys that the mapping at a route may have."""
    return [key.name for key in keys_of(spec_at(ROOTS[kind], route))]


def _home(kind: Kind, document: Document, route: Route) -> Route | None:
    """The entry of a wave that a key at the top was meant for, because it was not indented: the last one."""
    if kind != "wave" or len(route) > 1 or route[0] not in _keys(kind, ("schedules", 0)):
        return None
    entries = document.data.get("schedules")
    return ("schedules", len(entries) - 1) if isinstance(entries, list) and entries else None


def _example(kind: Kind, route: Route) -> str:
    """How the missing key at a route could be written."""
    name, examples = route[-1], _declared(kind, route).key.examples
    if examples and isinstance(examples[0], str):
        return f"add a line such as `{name}: {examples[0]}`"
    if examples and isinstance(examples[0], list) and isinstance(examples[0][0], str):
        return f"add a line such as `{name}: [{', '.join(examples[0])}]`"
    return f"add `{name}:` with what belongs below it"


def _declared(kind: Kind, route: Route) -> DeclaredKey:
    """The key at a route."""
    return next(key for key in keys_of(spec_at(ROOTS[kind], route[:-1])) if key.name == route[-1])


def _word(kind: Kind, document: Document, fault: _Fault, meant: Mapping[Route, str | None]) -> Diagnostic:
    route = fault.route
    if fault.code == "extra_forbidden":
        guess = meant[route]
        question = f"; did you mean `{guess}`?" if guess else ""
        hint = None if guess else "the keys here are: " + ", ".join(_keys(kind, route[:-1]))
        if not guess and _home(kind, document, route):
            hint = "it belongs to an entry of `schedules`: indent it like the `type` of that entry"
        message = f"unknown key `{_inner(str(route[-1]))}`{question}"
        name, mark, value = _NO_COLON.match(str(route[-1])).groups()  # type: ignore[union-attr]  # it matches all
        if guess and mark and name == guess and is_nothing(fault.value):
            message = f"missing space after `:` in `{_inner(str(route[-1]))}`"
            if mark == "=":
                message = f"`=` is used in place of `:` in `{_inner(str(route[-1]))}`"
            hint = f"write `{name}: {_inner(value)}`"
        return _diagnostic("unknown-key", document.key_place(route), message, hint)
    if fault.code == "missing":
        place = document.place(route[:-1])
        return _diagnostic("missing-key", place, f"`{route[-1]}` is missing", _example(kind, route))
    if is_nothing(fault.value) and fault.code != "duplicate-id":
        hint = "write a value, or remove the line"
        if isinstance(route[-1], int):
            hint = "write a value, or remove the item"
        elif instead := _declared(kind, route).key.instead_of_null:
            return _diagnostic(
                "invalid-value", document.key_place(route), f"{fault.subject} has no value", instead
            )
        return _diagnostic("missing-key", document.key_place(route), f"{fault.subject} has no value", hint)
    if fault.context.get("missing"):
        place, hint = document.place(route[:-1]), fault.context["hint"]
        if fault.context["missing"] == ("group",):  # the video's id would have been its name
            video = _value_at(document.data, route[:-1])["video"]
            if typed := _typed_hint(msgspec.structs.replace(fault, value=video)):
                place, hint = document.place((*route[:-1], "video")), typed
            elif likely := likely_id(re.sub(r"\w+://.*/(?=.)", "", str(video))):
                hint = f"add a line such as `group: {likely}`"
        return _diagnostic("missing-key", place, fault.context["message"], hint)
    message, hint = _words(fault)
    items = fault.value if kind == "wave" and not route and isinstance(fault.value, list) else ()
    if any(isinstance(item, dict) and {"type", "channels"} & {*item} for item in items):
        hint = "write `schedules:` in a line above the list"
    hint = _list_hint(fault) or _typed_hint(fault) or _pause_hint(fault) or hint
    code: Code = "duplicate-id" if fault.code == "duplicate-id" else "invalid-value"
    return _diagnostic(code, document.place(route), message, hint)


def _typed_hint(fault: _Fault) -> str | None:
    """About what a word processor or another keyboard made of quotes, dashes, spaces and letters."""
    value = fault.value
    if not isinstance(value, str) or value.isascii():
        return None
    if isinstance(value, Plain) and (value[:1] in _CURLY or value[-1:] in _CURLY):
        return 'curly quotes are part of the text: write straight quotes ("), or none'
    plain_of = {"Zs": " ", "Cf": "", "Pd": "-"}
    odd = next(
        (c for c in value if (unicodedata.category(c) in plain_of or c in _DASHES) and not c.isascii()), None
    )
    plain = "".join(
        "-" if c in _DASHES else plain_of.get(unicodedata.category(c), c)
        for c in unicodedata.normalize("NFKC", value)
    ).strip()
    if odd is not None and plain.isascii():
        name = unicodedata.name(odd, "a hidden character").lower()
        return f"it contains U+{ord(odd):04X} ({name}): write {plain}"
    return f"it contains full-width characters: write {plain}" if plain.isascii() else None


def _list_hint(fault: _Fault) -> str | None:
    """About text that was meant as a list."""
    value = fault.value
    is_no_list = fault.code == "tuple_type" or fault.route[-1:] == ("channels",)
    if not is_no_list or not isinstance(value, Plain):
        return None
    if tight_dash(value) is not None:
        first = re.split(r" -", value[1:])[0]
        return f"a list item needs a space after its dash: write `- {_inner(first)}`"
    if value[0] in _DASHES:
        return f"`{value[0]}` is not a hyphen: write `- {_inner(re.split(f'[{_DASHES}]', value)[1].strip())}`"
    words = re.split(r"[,;\s]+", value.strip())
    if fault.key == "channels" and all(re.fullmatch(ID, word) and word != "all" for word in words):
        return f"write channels: [{', '.join(words)}]"
    return None


def _pause_hint(fault: _Fault) -> str | None:
    """About a pause whose reason or end was written in place of `true`."""
    if fault.key != "paused" or not isinstance(fault.value, str) or len(fault.value) < 4:
        return None
    if fault.value.lower() in ("true", "false"):
        return None
    try:
        return f"write paused: {{ until: {instant_text(read_time(fault.value.removeprefix('until ')))} }}"
    except TimeError:
        pass
    is_plain = re.fullmatch(r"[^\W\d_][\w .()'-]*", fault.value) is not None
    reason = fault.value if is_plain else json.dumps(fault.value, ensure_ascii=False)
    return f"write paused: {{ reason: {reason} }}"


def _words(fault: _Fault) -> tuple[str, str | None]:
    """The sentence about a value that is there and is wrong, and its hint."""
    own, value = fault.context.get("message"), fault.value
    if fault.code == "unknown-zone":
        return _words_of_zone(value)
    if own is not None:
        hint = fault.context.get("hint")
        return (f"{fault.subject} {own}" if fault.context.get("key") else own), hint
    if fault.code == "literal_error":
        return _words_of_choice(fault)
    if fault.code == "too_short":
        return f"{fault.subject} is empty", "name at least one"
    form = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "text"
    if fault.code == "tuple_type":
        hint = f"write {fault.key}: [{_inner(value)}]" if isinstance(value, str) else "write a list"
        if isinstance(value, dict) and value:
            hint = f"begin each item with a dash and a space: `- {_inner(next(iter(value)))}: ...`"
        return f"{fault.subject} must be a list, not {form}", hint
    if fault.code == "dict_type":
        hint = "write one `key: value` per line"
        items = value if isinstance(value, list) else []
        if keys := [f"`{_inner(next(iter(item)))}`" for item in items[:3] if isinstance(item, dict) and item]:
            hint = f"remove the dash before {listed(keys)}"
        return f"{fault.subject} must be a mapping of keys and values, not {form}", hint
    message, _, hint = fault.words.partition("; ")  # of a union, where there is room for one text
    return message, hint or None


def _words_of_zone(name: str) -> tuple[str, str | None]:
    try:
        read_zone(str(name))
    except TimeError as problem:
        return str(problem), problem.hint
    return f"{quoted(name)} is not a time zone here", None


def _words_of_choice(fault: _Fault) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", fault.context["expected"])
    allowed = " or ".join(choices)
    if not isinstance(fault.value, str):
        return f"{fault.subject} must be {allowed}", f"write {fault.key}: {choices[0]}"
    hint = did_you_mean(fault.value.replace("_", "-"), choices) or f"write {fault.key}: {choices[0]}"
    return f"{fault.subject} must be {allowed}, not {quoted(fault.value)}", hint


def _inner(text: str) -> str:
    """A text inside a sentence or a hint: printable, and not too long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")[1:-1]


def _diagnostic(code: Code, place: Location, message: str, hint: str | None) -> Diagnostic:
    return error(code, place, without_secrets(message), without_secrets(hint) if hint else None)
