#!/usr/bin/env bash
# pydantic 2.9: does a `Literal["simultaneous", ...]` take an instance of a subclass of str that equals it?
#
# Where it matters: a reader of YAML that keeps the place of each scalar hands pydantic strings of a class of its own.
# Guess, written down first: yes, in every release of pydantic 2. Such an instance is equal to the literal, hashes
#   like it, and a field of type `str` takes it.
# Seen: 2.9.2 refuses it, in a plain Literal and as the discriminator of a union, with words that name the very value
#   among those that it expects; the same lines pass with 2.10.0 and with 2.14.3. A lower bound of `pydantic>=2.9`
#   is therefore too low for such a reader.
# Runs in a temporary folder, with packages from the usual index; fails if any of this changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/ask.py" <<'PY'
from typing import Annotated, Literal, Union

import pydantic


class Text(str):
    """A scalar that could carry its line and column."""


class Simultaneous(pydantic.BaseModel):
    type: Literal["simultaneous"]


class Staggered(pydantic.BaseModel):
    type: Literal["staggered"]


Entry = Annotated[Union[Simultaneous, Staggered], pydantic.Field(discriminator="type")]
asked = {
    "str": (str, Text("simultaneous")),
    "literal": (Literal["simultaneous", "staggered"], Text("simultaneous")),
    "union": (Entry, {"type": Text("simultaneous")}),
}
found = []
for name, (kind, value) in asked.items():
    try:
        pydantic.TypeAdapter(kind).validate_python(value)
        found.append(f"{name} accepted")
    except pydantic.ValidationError as problem:
        found.append(f"{name} {problem.errors()[0]['type']}")
print(pydantic.VERSION, ", ".join(found))
PY
ask() {
  python3 -m venv "$work/$1"
  "$work/$1/bin/pip" install --quiet --disable-pip-version-check "pydantic==$1"
  "$work/$1/bin/python" "$work/ask.py"
}
seen=$(ask 2.9.2 && ask 2.10.0 && ask 2.14.3)
echo "$seen"
diff <(echo "$seen") - <<'EXPECTED'
2.9.2 str accepted, literal literal_error, union union_tag_invalid
2.10.0 str accepted, literal accepted, union accepted
2.14.3 str accepted, literal accepted, union accepted
EXPECTED
