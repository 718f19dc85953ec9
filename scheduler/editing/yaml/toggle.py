"""A key added to a mapping and removed again, so that nothing of it is left.

Pausing and resuming restores the text. Two texts may look the same once they are paused: no `paused` at all,
and `paused: false` at the very place where it would be added; a plain `beta`, and `{ id: beta }`. To tell
them apart when they are resumed, pausing writes an extra space into the rarer one, and resuming removes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.editing.yaml.spans import Loc, Node
from scheduler.editing.yaml.splice import Draft
from scheduler.editing.yaml.style import Value

_WIDER = {0: 3, 1: 2}
"""Spaces after the colon before and after pausing a `paused: false`; any other number grows by two."""
_NARROWER = {3: 0, 2: 1}
"""The same in reverse."""


def turn_on(
    draft: Draft, base: Loc, key: str, value: Value, *, before: tuple[str, ...] = (), bare: str | None = None
) -> None:
    """Set a flag (or a pause) in a mapping.

    `bare`: the key that a mapping written by these edits has besides; where that is all it has, the flag gets
    an extra space, so that `turn_off` does not take the mapping for one of its own.
    """
    loc = (*base, key)
    node = draft.node(loc)
    if node is None:
        mapping = draft.node(base)
        names = [] if mapping is None else [name.text for name, _ in mapping.pairs]
        draft.insert(base, key, value, before=before, apart=names == [bare] and key == "paused")
    elif node.kind == "mapping" and not node.pairs:
        draft.set(loc, value if isinstance(value, Mapping) else {})
    elif node.kind == "mapping":
        for name, detail in value.items() if isinstance(value, Mapping) else ():
            if node.index(name) is None:
                draft.insert(loc, name, detail)
            else:
                draft.set((*loc, name), detail)
    elif not is_on(node):
        ours = key == "paused" and not node.is_empty and draft.looks_inserted(loc, before)
        spaces = draft.spaces(loc) or 0
        draft.set(loc, value, spaces=_WIDER.get(spaces, spaces + 2) if ours else None)
    elif value is not True:
        draft.set(loc, value)


def is_on(node: Node | None) -> bool:
    """Whether a flag or a pause is set."""
    return node is not None and (node.kind != "scalar" or node.text.lower() not in ("false", ""))


def turn_off(draft: Draft, base: Loc, key: str, *, off: Value = False, before: tuple[str, ...] = ()) -> None:
    """Undo `turn_on`: remove what it added; set what was written in another way to `off`."""
    loc = (*base, key)
    if not is_on(draft.node(loc)):
        return
    if not draft.looks_inserted(loc, before):
        draft.set(loc, off)
        return
    spaces = draft.spaces(loc) or 0
    if spaces > 1:
        draft.set(loc, off, spaces=_NARROWER.get(spaces, spaces - 2))
    elif not (base[-2:-1] == ("channels",) and is_bare(draft, loc, "id") and draft.unwrap(base, "id")):
        draft.remove(loc)


def is_bare(draft: Draft, loc: Loc, first: str) -> bool:
    """Whether a mapping is `first` and this pair alone, written as these edits write it."""
    mapping = draft.node(loc[:-1])
    return (
        mapping is not None
        and [name.text for name, _ in mapping.pairs] == [first, loc[-1]]
        and mapping.flow
        and draft.looks_inserted(loc)
        and draft.gap(loc) == ", "
        and draft.spaces(loc) == 1
    )
