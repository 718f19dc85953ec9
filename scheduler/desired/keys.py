"""The keys that `specs` declares, as a list for each mapping: for all that goes through them by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from scheduler.desired import fields, specs
from scheduler.desired.markers import Key, OneOf
from scheduler.desired.specs import Spec

Kind = Literal["wave", "channel", "scheduler"]
ROOTS: Final[Mapping[Kind, type[Spec]]] = {
    "wave": specs.WaveSpec,
    "channel": specs.ChannelSpec,
    "scheduler": specs.SettingsSpec,
}


class DeclaredKey(NamedTuple):
    """One key of a mapping, as `specs` declares it."""

    field: str
    """The name in Python."""
    name: str
    """The name in a file."""
    kind: Any
    """The type, with its markers."""
    key: Key
    is_kept: bool
    """Whether it is part of the spec; else it only helps to read the keys below it."""
    is_required: bool
    default: Any

    @property
    def is_duration(self) -> bool:
        """Whether its value is a number of seconds that files write as `1h30m`."""
        return get_args(fields.Duration)[1] in get_args(self.kind)


@cache
def keys_of(spec: type[Spec]) -> tuple[DeclaredKey, ...]:
    """The keys of a mapping in their order."""
    known = {field.name: field for field in msgspec.structs.fields(spec)}
    found = []
    for field, hint in get_type_hints(spec, include_extras=True).items():
        kind = get_args(hint)[0] if get_origin(hint) is ClassVar else hint
        key = next(marker for marker in kind.__metadata__ if isinstance(marker, Key))
        own = known.get(field)
        default = None if own is None or key.derived or own.required else own.default
        is_required = own is not None and own.required and not key.derived
        name = own.encode_name if own is not None else field
        found.append(DeclaredKey(field, name, kind, key, own is not None, is_required, default))
    return tuple(found)


def spec_at(root: type[Spec], route: Sequence[str | int]) -> type[Spec]:
    """The spec of the mapping at a route below a file's root."""
    kind: Any = root
    for part in route:
        if isinstance(part, int):
            kind = get_args(_in_form(kind, "list"))[0]
        else:
            kind = next(key.kind for key in keys_of(_in_form(kind, "mapping")) if key.name == part)
    spec: type[Spec] = _in_form(kind, "mapping")
    return spec


def _in_form(kind: Any, form: str) -> Any:
    """The type of a value that was written in a form, without its markers."""
    while get_origin(kind) is Annotated:
        choice = next((marker for marker in kind.__metadata__ if isinstance(marker, OneOf)), None)
        kind = choice.forms[form] if choice else get_args(kind)[0]
    return kind
