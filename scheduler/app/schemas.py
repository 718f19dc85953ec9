"""The JSON Schemas that are published: of the files that people write, and of the recorded state."""

from __future__ import annotations

import json
from typing import Literal

from scheduler.desired.json_schema import schema_of
from scheduler.state.json_schema import state_schema

KINDS: tuple[Literal["wave", "channel", "scheduler"], ...] = ("wave", "channel", "scheduler")


def schema_files() -> dict[str, str]:
    """The name of each file below `schemas/`, and its text."""
    schemas = {kind: schema_of(kind) for kind in KINDS} | {"state": state_schema()}
    return {
        f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }
