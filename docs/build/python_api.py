"""The page about the Python API, from signatures and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from keys import MADE

import scheduler


def page() -> str:
    """docs/reference/python.md"""
    parts = [
        "# Python",
        MADE,
        "`from scheduler import "
        + ", ".join(name for name in scheduler.__all__ if name != "__version__")
        + "`",
        '```python\nfrom scheduler import SchedulingService\n\nservice = SchedulingService(".")\n```',
        "## SchedulingService",
        _class(scheduler.SchedulingService),
        "## service.schedule_repo",
        _class(_repo()),
        "## Publication",
        _doc(scheduler.Publication),
        "\n".join(
            [
                "| attribute | type |",
                "|---|---|",
                *(
                    f"| `{field.name}` | `{str(field.type).replace('|', chr(92) + '|')}` |"
                    for field in dataclasses.fields(scheduler.Publication)
                ),
            ]
        ),
        "## Errors",
        "\n\n".join(
            f"### {name}\n\n{_doc(found)}{_base(found)}"
            for name, found in ((name, getattr(scheduler, name)) for name in scheduler.__all__)
            if isinstance(found, type) and issubclass(found, Exception)
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _repo() -> type:
    from scheduler.app.service import ScheduleRepo

    return ScheduleRepo


def _class(found: type) -> str:
    parts = [_doc(found)]
    for name, member in vars(found).items():
        if name == "__init__" and found is scheduler.SchedulingService:
            parts.append(_function("SchedulingService", member))
        elif not name.startswith("_") and callable(member):
            parts.append(_function(name, member))
    return "\n\n".join(parts)


def _function(name: str, function: Any) -> str:
    return f"### {name}\n\n```python\n{_signature(name, function)}\n```\n\n{_doc(function)}"


def _signature(name: str, function: Any) -> str:
    """One line where it fits, else one line a parameter. Annotations are as they are written."""
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    shown: list[str] = []
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        default = "" if one.default is one.empty else f" = {one.default!r}"
        shown.append(f"{one.name}: {one.annotation}{default}")
    returned = "" if name == "SchedulingService" else f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(shown)}){returned}"
    if len(line) <= 88:
        return line
    inside = "".join(f"    {one},\n" for one in shown)
    return f"{name}(\n{inside}){returned}"


def _doc(found: Any) -> str:
    text = inspect.getdoc(found) or ""
    return re.sub(r"(?<![`\w/])(\w+Error|Error|RunRefused|Publication)\b(?!`)", r"`\1`", text)


def _base(found: type) -> str:
    bases = " and ".join(f"`{base.__name__}`" for base in found.__bases__)
    return f"\n\nBase: {bases}."
