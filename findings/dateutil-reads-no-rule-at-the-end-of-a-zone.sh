#!/usr/bin/env bash
# python-dateutil 2.9.0.post0: what is the offset of Berlin in a summer after 2037, and from a zone file of today's form?
#
# Where it matters: calendars and schedulers (recurring events, job queues) take local times through dateutil; zone files
#   of the `tzdata` package end with a rule ("and so on each year") in the place of a list of years.
# Guess, written down first: +02:00 in July 2040, as in every July; and the same from the zone file in `tzdata`.
# Seen: dateutil's own data end with 2037, and after that it keeps winter time: +01:00 in July 2038, an hour off. It reads
#   neither the newer part of a zone file nor the rule at its end, so that the file of the `tzdata` package, whose old
#   part is empty, gives +00:00 even for July 2030, without a word. zoneinfo reads the same file right.
# Runs in a temporary folder, with packages from the usual index; fails if any of this changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check python-dateutil==2.9.0.post0 tzdata==2026.3
seen=$("$work/venv/bin/python" - <<'PY'
import datetime
import importlib.resources
import io
import zoneinfo

import dateutil.tz
import dateutil.zoneinfo


def offset(zone, year):
    return datetime.datetime(year, 7, 1, tzinfo=zone).utcoffset()


own = dateutil.zoneinfo.get_zonefile_instance().get("Europe/Berlin")
data = importlib.resources.files("tzdata").joinpath("zoneinfo", "Europe", "Berlin").read_bytes()
for year in (2030, 2037, 2038, 2040):
    slim = dateutil.tz.tzfile(io.BytesIO(data))
    exact = zoneinfo.ZoneInfo.from_file(io.BytesIO(data))
    print(year, "dateutil's own", offset(own, year), "| dateutil, tzdata", offset(slim, year), "| zoneinfo", offset(exact, year))
PY
)
echo "$seen"
diff <(echo "$seen") - <<'EXPECTED'
2030 dateutil's own 2:00:00 | dateutil, tzdata 0:00:00 | zoneinfo 2:00:00
2037 dateutil's own 2:00:00 | dateutil, tzdata 0:00:00 | zoneinfo 2:00:00
2038 dateutil's own 1:00:00 | dateutil, tzdata 0:00:00 | zoneinfo 2:00:00
2040 dateutil's own 1:00:00 | dateutil, tzdata 0:00:00 | zoneinfo 2:00:00
EXPECTED
