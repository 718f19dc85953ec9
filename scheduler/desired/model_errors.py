"""pydantic's errors as our diagnostics: a code, a sentence, a hint and a place for each.

One fault is one error. A misspelt key is not also reported as missing, nor a local time as lacking a zone
where the fault is in the line of that zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import ValidationError

from scheduler.desired.keys import ROOTS, DeclaredKey, Kind, keys_of, spec_at
from scheduler.desired.markers import TAGS
from scheduler.desired.plain import Plain, is_nothing
from scheduler.desired.secrets import without_secrets
from scheduler.desired.yaml_errors import tight_dash
from scheduler.desired.yaml_reader import Document, Route
from scheduler.diagnostics import MOST, Code, Diagnostic, Location, and_more, error, in_order
from scheduler.times import TimeError, read_zone
from scheduler.wording import closest, did_you_mean, quoted

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
    meant = _meant_keys(kind, document, found)
    claimed = {(*route[:-1], name) for route, name in meant.items() if name}
    claimed |= {(*home, route[-1]) for route in meant if (home := _home(kind, document, route))}
    faulty = {fault.route for fault in found if fault.code != "no-zone"} | claimed
    reported: list[Diagnostic] = []
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


def _guess(name: str, known: Sequence[str]) -> str | None:
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
        return _diagnostic("unknown-key", document.key_place(route), message, hint)
    if fault.code == "missing":
        place = document.place(route[:-1])
        return _diagnostic("missing-key", place, f"`{route[-1]}` is missing", _example(kind, route))
    if is_nothing(fault.value) and fault.code != "duplicate-id":
        hint = "write a value, or remove the line"
        if isinstance(route[-1], int):
            hint = "write a value, or remove the dash"
        elif instead := _declared(kind, route).key.instead_of_null:
            return _diagnostic(
                "invalid-value", document.key_place(route), f"{fault.subject} has no value", instead
            )
        return _diagnostic("missing-key", document.key_place(route), f"{fault.subject} has no value", hint)
    if fault.context.get("missing"):
        place, hint = document.place(route[:-1]), fault.context["hint"]
        if fault.context["missing"] == ("group",):  # the video's id would have been its name
            hint = _curly_hint(_value_at(document.data, route[:-1])["video"]) or hint
        return _diagnostic("missing-key", place, fault.context["message"], hint)
    message, hint = _words(fault)
    hint = _dash_hint(fault) or _curly_hint(fault.value) or hint
    code: Code = "duplicate-id" if fault.code == "duplicate-id" else "invalid-value"
    return _diagnostic(code, document.place(route), message, hint)


def _curly_hint(value: Any) -> str | None:
    """About quotes that a word processor made: YAML does not treat them as quotes."""
    if isinstance(value, Plain) and (value[:1] in _CURLY or value[-1:] in _CURLY):
        return 'curly quotes are part of the text: write straight quotes ("), or none'
    return None


def _dash_hint(fault: _Fault) -> str | None:
    """About text that was meant as a list."""
    is_no_list = fault.code == "tuple_type" or fault.route[-1:] == ("channels",)
    if is_no_list and isinstance(fault.value, Plain) and tight_dash(fault.value) is not None:
        first = re.split(r" -", fault.value[1:])[0]
        return f"a list item needs a space after its dash: write `- {_inner(first)}`"
    return None


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
