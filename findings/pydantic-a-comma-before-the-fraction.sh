#!/usr/bin/env bash
# pydantic 2.14.3: which unusual spellings of a time does `AwareDatetime` take?
#
# Where it matters: times that people write in YAML or sheets, in countries where a decimal point is a comma.
# Guess, written down first: a comma before the fraction of a second is refused, for RFC 3339 has a point.
# Seen: the comma is read as a point. What is refused is a space before `Z` or the offset, as "unexpected extra
#   characters", and the same text is a time for PyYAML 6.0.3, to which the comma makes it a string: each takes for a
#   time what the other does not.
# Runs in a temporary folder, with packages from the usual index; fails if any of this changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.3 PyYAML==6.0.3
seen=$("$work/venv/bin/python" - <<'PY'
import pydantic
import yaml

times = pydantic.TypeAdapter(pydantic.AwareDatetime)
for text in ("2030-03-02T18:00:00,5Z", "2030-03-02 18:00:00 Z", "2030-03-02 18:00:00 +01:00"):
    try:
        said = times.validate_python(text).isoformat()
    except pydantic.ValidationError as problem:
        said = problem.errors()[0]["type"]
    print(f"{text} | pydantic {said} | PyYAML {type(yaml.safe_load(text)).__name__}")
PY
)
echo "$seen"
diff <(echo "$seen") - <<'EXPECTED'
2030-03-02T18:00:00,5Z | pydantic 2030-03-02T18:00:00.500000+00:00 | PyYAML str
2030-03-02 18:00:00 Z | pydantic datetime_from_date_parsing | PyYAML datetime
2030-03-02 18:00:00 +01:00 | pydantic datetime_from_date_parsing | PyYAML datetime
EXPECTED
