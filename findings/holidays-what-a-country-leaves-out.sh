#!/usr/bin/env bash
# holidays 0.109: which public holidays does a country, or a region, have when nothing but its code is given?
#
# Where it matters: a freeze that is declared as `holidays: DE-BY` must cover the days on which the offices are closed.
# Guesses, written down first: Bavaria has Assumption Day (15 August); Great Britain without a part has Easter Monday,
#   as in England and Wales; the region can be written as in ISO 3166-2, `DE-BY`.
# Seen: all three wrong. Assumption Day of Bavaria lies in a category of its own, `catholic`, because it holds only where
#   most people are Catholic, and the default category is `public`. Great Britain without a part has the days that all its
#   parts share, and Scotland has no Easter Monday: it must be `ENG`. Subdivisions are written without the country; with
#   it the library raises NotImplementedError.
# Runs in a temporary folder, with packages from the usual index; fails if any of this changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check holidays==0.109
seen=$("$work/venv/bin/python" - <<'PY'
import datetime

import holidays

assumption, easter_monday = datetime.date(2027, 8, 15), datetime.date(2027, 3, 29)
bavaria = holidays.country_holidays("DE", subdiv="BY")
print("DE BY, 15 August:", assumption in bavaria)
print("its categories:", *bavaria.supported_categories)
catholic = holidays.country_holidays("DE", subdiv="BY", categories=("public", "catholic"))
print("DE BY with catholic, 15 August:", assumption in catholic)
print("GB, Easter Monday:", easter_monday in holidays.country_holidays("GB"))
print("GB ENG, Easter Monday:", easter_monday in holidays.country_holidays("GB", subdiv="ENG"))
try:
    holidays.country_holidays("DE", subdiv="DE-BY")
except NotImplementedError as problem:
    print("DE DE-BY:", type(problem).__name__)
PY
)
echo "$seen"
diff <(echo "$seen") - <<'EXPECTED'
DE BY, 15 August: False
its categories: catholic public school
DE BY with catholic, 15 August: True
GB, Easter Monday: False
GB ENG, Easter Monday: True
DE DE-BY: NotImplementedError
EXPECTED
